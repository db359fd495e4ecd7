"""What a group hears, and that nothing of it can touch a run."""

import pytest

from planlib.core.words import words
from planlib.exchange import robot as module
from planlib.notifying import Notifier, message
from planlib.plan import load_plan
from planlib.workbook.failures import StepError
from planlib.workbook.outcome import RunOutcome, StepOutcome
from tests.brand_runs import alert, goal, write_run
from tests.exchange.robot_server import INVALID, KEY, RATE, close, serving, status

MINIMAL = "tests/plan/minimal.yaml"


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setattr(module, "RETRY_SECONDS", 0.0)
    monkeypatch.setattr(module, "RATE_SECONDS", 0.0)
    with serving() as found:
        yield found


@pytest.fixture
def plan(project_root, tmp_path):
    """A plan whose group is told after every run."""
    (tmp_path / "minimal.yaml").write_bytes((project_root / MINIMAL).read_bytes())
    return told(tmp_path, "{key_env: SMALL_KEY, when: always}")


def told(folder, webhook):
    (folder / "small.yaml").write_text(f"extends: minimal.yaml\nreport: {{webhook: {webhook}}}\n", "utf-8")
    return load_plan(folder / "small.yaml")


@pytest.fixture
def run(tmp_path):
    goals = [goal("a", 0.9), goal("b", 0.3, median=41_000.0), goal("c", 0.001)]
    alerts = [alert("exits", "2027-03-09", direction="rises"), alert("orders", "2027-01-09", "closed")]
    folder = write_run(tmp_path / "out" / "minimal" / "20270402T000000000Z-b", "minimal", goals=goals, alerts=alerts)
    return RunOutcome(folder.name, folder, (), ok=True)


class Hall:
    """A notifier with what it said."""

    def __init__(self, server, *, asked=False, **environment):
        self.written, self.complained = [], []
        environment = {"SMALL_KEY": KEY} | environment | {module.ADDRESS_ENV: server.base}
        self.notifier = Notifier(
            words("en"), write=self.written.append, complain=self.complained.append, asked=asked,
            environment={name: value for name, value in environment.items() if value},
        )  # fmt: skip

    def tell(self, plan, ending, decks=()):
        self.notifier.before(plan)
        self.notifier.after(plan, ending, decks)
        return " ".join([*self.written, *self.complained])


def test_the_message(plan, run):
    english, chinese = (message(plan, run, words(locale)) for locale in ("en", "zh"))
    assert english == [
        "**Minimal plan: run of 31 March 2027 done**",
        "Targets, the least likely first",
        "> target c: forecast 1,000, chance <1%",
        "> target b: forecast 41k, chance 30%",
        "> target a: forecast 1,000, chance 90%",
        "First run: nothing to compare with",
        "Open alerts: 1",
        "> members who leave: rises, raised 9 March 2027",
    ]
    assert len(chinese) == len(english) and "达成把握 30%" in chinese[3]


def test_what_changed_since_the_run_before(plan, run):
    before = run.run_dir.with_name("20270401T000000000Z-a")
    write_run(before, "minimal", goals=[goal("a", 0.895), goal("b", 0.5), goal("gone", 0.1)])
    found = message(plan, run, words("en"))
    at = found.index("Changed since the run before")
    assert found[at + 1] == "> target b: chance 50% → 30%" and not found[at + 2].startswith(">")
    write_run(before, "minimal", goals=[goal("a", 0.9), goal("b", 0.3), goal("c", 0.001)])
    assert "No chance moved by a point or more since the run before" in message(plan, run, words("en"))


def test_a_failed_run_names_notebooks_and_no_output(plan, tmp_path):
    error = StepError("cell_error", 3, "secret = 1", {"detail": "ValueError: wmPerson0001"})
    steps = (StepOutcome("20_funnel_targets", "failed", error=error), StepOutcome("70_outlook", "skipped"))
    found = message(plan, RunOutcome("r", tmp_path, steps, ok=False), words("en"))
    assert found[0].startswith("**Minimal plan: RUN FAILED") and found[1:] == ["> 20_funnel_targets: cell_error"]


def test_text_and_decks_are_sent(server, plan, run, tmp_path):
    deck = tmp_path / "minimal.zh.pdf"
    deck.write_bytes(b"%PDF-1.7 a deck")
    hall = Hall(server)
    assert hall.tell(plan, run, [deck]) == "Told the group of Minimal plan: message; minimal.zh.pdf."
    assert [call.call for call in server.calls] == ["send", "upload_media", "send"]
    assert server.calls[1].file()[1::2] == ("minimal.zh.pdf", b"%PDF-1.7 a deck")


def test_plain_text_where_members_read_in_wechat(server, plan, run, tmp_path):
    plan = told(tmp_path, "{key_env: SMALL_KEY, when: always, form: text}")
    Hall(server).tell(plan, run)
    sent = server.calls[0].json()
    assert sent["msgtype"] == "text" and not any(mark in sent["text"]["content"] for mark in ("**", "> "))


def test_long_messages_are_cut_behind_a_line(server, plan, tmp_path):
    goals = [goal("目标" * 300, 0.1 * k) for k in range(1, 6)]
    folder = write_run(tmp_path / "long" / "20270402T000000000Z-b", "minimal", goals=goals)
    hall = Hall(server)
    hall.notifier.w = words("zh")
    hall.tell(plan, RunOutcome("r", folder, (), ok=True))
    content = server.calls[0].json()["markdown"]["content"]
    assert len(content.encode()) <= 4096 and content.split("\n")[-1] == "……另有 4 行，请看汇报"


@pytest.mark.parametrize(
    ("answers", "said"),
    [
        ([INVALID], "errcode 93000"), ([RATE, RATE], "20 messages a minute"), ([status(500)] * 2, "status 500"),
        ([close] * 2, "no connection"), ([b"?"], "not as documented"),
        ([status(301, Location="http://x/")], "elsewhere"),
    ],
)  # fmt: skip
def test_a_group_that_cannot_be_told_is_one_line(server, plan, run, answers, said):
    server.answers = list(answers)
    told = Hall(server).tell(plan, run)
    assert said in told and "not affected" in told and told.count("Group of") == 1 and KEY not in told


def test_a_deck_that_is_refused_is_named(server, plan, run, tmp_path):
    small, gone = tmp_path / "a.pdf", tmp_path / "gone.pdf"
    small.write_bytes(b"abc")
    told = Hall(server).tell(plan, run, [small, gone])
    assert "a.pdf not sent: a file needs 5 bytes" in told and "gone.pdf not sent: FileNotFoundError" in told


@pytest.mark.parametrize(
    ("webhook", "asked", "key", "heard"),
    [
        ("{key_env: SMALL_KEY, when: always}", False, KEY, "Told"),
        ("{key_env: SMALL_KEY}", True, KEY, "Told"),
        ("{key_env: SMALL_KEY}", False, KEY, ""),
        ("{key_env: SMALL_KEY}", True, "", "environment variable SMALL_KEY"),
        ("{key_env: SMALL_KEY}", True, "not a key!", "copy it again into SMALL_KEY"),
        ("null", True, KEY, "report.webhook.key_env"),
    ],
)
def test_who_is_told(server, plan, run, tmp_path, webhook, asked, key, heard):
    told_plan = told(tmp_path, webhook)
    said = Hall(server, asked=asked, SMALL_KEY=key).tell(told_plan, run)
    assert (heard in said) if heard else not said
    assert len(server.calls) == (heard == "Told") and "not a key!" not in said


def test_the_key_is_in_no_file_that_a_plan_makes(plan):
    assert KEY not in plan.resolved_json() and "SMALL_KEY" in plan.resolved_json()
