"""Several brands in one command: found, kept apart, told; no row of one is found with another."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from planlib import brands, rhythm
from planlib.brands import Asked, expand, plans_among, run_brands
from planlib.core.errors import InputError, Problem
from planlib.core.words import words
from planlib.data import store
from planlib.data.load import load
from planlib.plan import load_plan
from planlib.workbook import many
from planlib.workbook.failures import LockHeld, StepError
from planlib.workbook.many import Order, run_many
from planlib.workbook.outcome import RunOutcome, StepOutcome
from tests.brand_runs import goal, write_run
from tests.data.hand_made import contact, contacts, order, put
from tests.exchange.robot_server import KEY
from tests.workbook.small_workbook import write_notebook, write_workbook

ROOT = Path(__file__).parents[1]
W = words("en")


@pytest.fixture
def desk(tmp_path, monkeypatch):
    """A folder with the smallest plan; `add` puts one beside that extends it."""
    (tmp_path / "params").mkdir()
    shutil.copy(ROOT / "tests" / "plan" / "minimal.yaml", tmp_path / "params" / "minimal.yaml")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def add(name, *, id_=None, data="data/", extends="minimal.yaml", more=""):
    path = Path("params") / f"{name}.yaml"
    head = f"extends: {extends}\nplan: {{id: {id_ or name}, title: {{zh: 品牌 {name}, en: Brand {name}}}}}\n"
    path.write_text(f"{head}data: {{root: {data}}}\n{more}", encoding="utf-8")
    return path.as_posix()


class Desk:
    """A call of `run_brands` whose runs are played: what each plan's run came to, and what was said."""

    def __init__(self, monkeypatch, endings=None):
        self.endings, self.orders, self.written, self.complained, self.pages = endings or {}, [], [], [], []

        def play(orders, **_):
            self.orders = [order.plan.id for order in orders]
            return {name: self.endings.get(name, LockHeld("lock_held_unknown", folder="x")) for name in self.orders}

        monkeypatch.setattr(many, "run_many", play)
        monkeypatch.setattr(brands, "project_root", Path.cwd)

        def page(found, *_, **__):
            self.pages += found
            return Path("portfolio"), []

        monkeypatch.setattr(brands, "write_portfolio", page)

    def run(self, *paths, **asked):
        asked = Asked(**asked)
        told = run_brands(paths, W, asked, write=self.written.append, complain=self.complained.append)
        return told.exit_code

    @property
    def text(self):
        return "\n".join([*self.written, *self.complained])


# finding plans


def test_patterns_are_expanded_for_shells_that_do_not(desk):
    add("b"), add("a")
    (desk / "params" / "[odd].yaml").write_text("x", encoding="utf-8")
    assert expand(["params/*.yaml"])[1:] == ["params/a.yaml", "params/b.yaml", "params/minimal.yaml"]
    assert expand(["params/a.yaml", "params/gone.yaml", "params/[odd].yaml"])[2] == "params/[odd].yaml"
    with pytest.raises(InputError) as caught:
        expand(["params/*.yml", "params/a.yaml", "nowhere/**/*.yaml"])
    told = [(p.code, p.given) for p in caught.value.problems]
    assert told == [("no_match", "params/*.yml"), ("no_match", "nowhere/**/*.yaml")]


def test_the_same_file_runs_once_and_what_is_no_plan_is_passed_over(desk):
    shutil.copy(ROOT / "params" / "benchmarks.yaml", "params/benchmarks.yaml")
    Path("params/minimal.adopted.yaml").write_text("baseline: {}", encoding="utf-8")
    Path("params/broken.yaml").write_text("users: 3", encoding="utf-8")
    said = []
    files = [*expand(["params/*.yaml"]), "./params/minimal.yaml"]
    assert plans_among(files, W, said.append) == ["params/broken.yaml", "params/minimal.yaml"]
    assert [line.partition(":")[0] for line in said] == [
        "params/benchmarks.yaml", "params/minimal.adopted.yaml", "./params/minimal.yaml",
    ]  # fmt: skip
    assert plans_among(["params/benchmarks.yaml"], W, said.append) == ["params/benchmarks.yaml"], "alone it is told why"


# keeping them apart


def hook(variable):
    return f"report: {{webhook: {{key_env: {variable}}}}}"


def salts(*digits):
    """Give the data folders a and b keys of such digits."""
    for root, digit in zip(("data/a", "data/b"), digits, strict=True):
        Path(root).mkdir(parents=True)
        (Path(root) / store.SALT).write_text(digit * 64, encoding="ascii")


def with_data(root):
    put(Path(root), "contacts.json", contacts(contact("A", "zhangsan")))


def mixed(monkeypatch, *paths):
    """Return the codes that two plans are refused with, and which still run."""
    played = Desk(monkeypatch)
    try:
        played.run(*paths, "params/third.yaml")
    except InputError as error:
        return [p.code for p in error.problems], []
    return sorted({p for p in _codes(played.complained)}), played.orders


def _codes(complained):
    keys = ("brands_same_id", "brands_same_data", "brands_same_salt", "brands_same_robot")
    return [key for key in keys for text in complained if W.text(f"errors.{key}.fix") in text]


@pytest.mark.parametrize(
    ("a", "b", "prepare", "codes"),
    [
        ({}, {"id_": "a"}, None, ["brands_same_id"]),
        ({}, {}, None, []),  # one folder without data holds nothing that could mix
        ({}, {}, lambda: with_data("data"), ["brands_same_data"]),
        ({"data": "data/a"}, {"data": "data/b"}, lambda: (with_data("data/a"), with_data("data/b")), []),
        ({}, {"extends": "a.yaml"}, lambda: with_data("data"), []),  # a plan and its base
        ({}, {"data": "./data"}, lambda: with_data("data"), ["brands_same_data"]),
        ({"more": "report: {brand: {name: {zh: 甲, en: A}}}"}, {"more": "report: {brand: {name: {zh: 甲, en: A}}}"},
         lambda: with_data("data"), []),
        ({"more": "report: {brand: {name: {zh: 甲, en: A}}}"}, {"more": "report: {brand: {name: {zh: 乙, en: B}}}"},
         lambda: with_data("data"), ["brands_same_data"]),
        ({"data": "data/a"}, {"data": "data/a/raw/b"}, None, ["brands_same_data"]),
        ({"data": "data/a"}, {"data": "data/b"}, lambda: salts("5", "5"), ["brands_same_salt"]),
        ({"data": "data/a"}, {"data": "data/b"}, lambda: salts("5", "6"), []),
        ({"more": hook("K")}, {"more": hook("K")}, None, ["brands_same_robot"]),
        ({"more": hook("K")}, {"more": hook("L")}, None, []),
        ({"more": hook("K"), "data": "data/a"}, {"extends": "a.yaml", "data": "data/b"}, None,
         ["brands_same_robot"]),  # inherited by another brand
    ],
)  # fmt: skip
def test_two_brands_that_would_mix_are_refused_and_the_others_run(desk, monkeypatch, a, b, prepare, codes):
    paths = add("a", **a), add("b", **b)
    add("third", data="data/third")
    if prepare:
        prepare()
    found, orders = mixed(monkeypatch, *paths)
    assert found == codes
    assert orders == (["third"] if codes else ["a", "b", "third"])


# telling


def test_everything_that_is_wrong_is_told_at_once_and_the_others_run(desk, monkeypatch):
    run = write_run(desk / "outputs" / "good" / "20270401T000000000Z-a", "good", goals=[goal("x", 0.4)])
    (run / "decks").mkdir()
    for locale in ("zh", "en"):
        (run / "decks" / f"good.{locale}.pdf").write_bytes(b"%PDF")
    always = "report: {webhook: {key_env: NO_SUCH_KEY_HERE, when: always}}"
    paths = [add("good", more=always), add("twin"), add("twin2", id_="twin"), add("taken", id_="portfolio")]
    paths.append(add("away"))
    Path("params/bad.yaml").write_text("extends: minimal.yaml\nusers: 3\n", encoding="utf-8")
    played = Desk(monkeypatch, {"good": RunOutcome(run.name, run, (), ok=True)})
    assert played.run(*paths, "params/bad.yaml", "params/none.yaml") == 1
    assert played.orders == ["good", "away"]
    first = played.complained[0]
    for needle in ("params/twin.yaml: plan.id", "params/twin2.yaml: plan.id", "params/bad.yaml:2", "params/none.yaml",
                   "params/taken.yaml: plan.id"):  # fmt: skip
        assert needle in first
    assert "NO_SUCH_KEY_HERE" in played.complained[1]
    table = [line.split()[:2] for line in played.written if line]
    assert ["good", "done"] in table and ["away", "runs"] in table and ["bad.yaml", "refused"] in table
    assert "target x 40%" in played.text and "outputs/good/20270401T000000000Z-a/decks/" in played.text
    assert played.written[-1].startswith("6 of 7 brands failed")
    assert [b.state for b in played.pages][-1] == "done"


def test_no_plan_that_can_be_run_is_bad_input(desk, monkeypatch):
    Path("params/bad.yaml").write_text("extends: minimal.yaml\nusers: 3\n", encoding="utf-8")
    with pytest.raises(InputError) as caught:
        Desk(monkeypatch).run("params/bad.yaml", "params/none.yaml")
    assert {p.file for p in caught.value.problems} == {"params/bad.yaml", "params/none.yaml"}


def test_a_deck_that_cannot_be_made_fails_its_brand_only(desk, monkeypatch):
    runs = {name: write_run(desk / "outputs" / name / "20270401T000000000Z-a", name) for name in ("a", "b")}
    endings = {name: RunOutcome(run.name, run, (), ok=True, reused=True) for name, run in runs.items()}
    played = Desk(monkeypatch, endings)

    def decks(plan, run_dir, *, made):
        if plan.id == "a":
            raise InputError(Problem("missing_glyph", values={"char": "U+1F600", "page": "1"}))
        return []

    monkeypatch.setattr(brands, "decks_of", decks)
    assert played.run(add("a"), add("b", data="data/b")) == 1
    assert {b.plan_id: b.state for b in played.pages} == {"a": "failed", "b": "unchanged"} and "U+1F600" in played.text


# reviews of many


def test_reviews_share_a_pool_and_each_ends_for_itself(desk, monkeypatch):
    """Played runs: one well, one mended at the second attempt, one not due, one held, one that cannot be prepared."""
    runs = {}
    for name in ("well", "mended", "idle"):
        runs[name] = write_run(desk / "outputs" / name / "20270401T000000000Z-a", name, goals=[goal("x", 0.4)])
        (runs[name].parent / "latest").write_text(runs[name].name, "utf-8")
    dead = (StepOutcome("80_review", "failed", error=StepError("kernel_died", values={"exit": -9})),)
    played = Desk(monkeypatch)
    rounds = []

    def prepare(one):
        if one.plan.id == "idle":
            raise rhythm.Nothing("not due yet")
        if one.plan.id == "unfit":
            raise InputError(Problem("future_as_of", field="--as-of", given="2099-01-01", values={"last": "2027"}))
        one.of_day, one.wanted = one.plan, {"only": ("80_review",)}

    def play(orders, **_):
        rounds.append([one.plan.id for one in orders])
        endings = {}
        for one in orders:
            name = one.plan.id
            try:
                if name == "held":
                    raise LockHeld("lock_held_unknown", folder="x")
                assert one.prepare().only == ("80_review",)
                ok = name == "well" or len(rounds) == 2
                endings[name] = RunOutcome("r", runs[name], () if ok else dead, ok=ok)
                one.ended(endings[name])
            except (InputError, LockHeld, rhythm.Nothing) as error:
                endings[name] = error
        return endings

    monkeypatch.setattr(many, "run_many", play)
    monkeypatch.setattr(rhythm, "project_root", Path.cwd)
    monkeypatch.setattr(rhythm._Review, "prepare", prepare)
    done = {"status": "done", "decks": [], "exit_code": 0}
    monkeypatch.setattr(rhythm._Review, "conclude", lambda one, outcome: done)
    paths = [add(name) for name in ("well", "mended", "idle", "held", "unfit")]
    asked = Asked(cadence="weekly")
    told = run_brands(paths, W, asked, write=played.written.append, complain=played.complained.append)
    assert rounds == [["well", "mended", "idle", "held", "unfit"], ["mended"]]
    found = {Path(path).stem: (one["status"], one["attempts"]) for path, one in told.brands.items()}
    assert found == {
        "well": ("done", 1), "mended": ("done", 2), "idle": ("nothing_due", 1), "held": ("busy", 0),
        "unfit": ("failed", 1),
    }  # fmt: skip
    assert {b.plan_id: b.state for b in played.pages} == {
        "well": "done", "mended": "done", "idle": "not_due", "held": "held", "unfit": "failed",
    }  # fmt: skip
    assert told.exit_code == 1 and next(b for b in played.pages if b.plan_id == "idle").facts.goals
    summary = json.loads(brands.as_summary(told))
    assert summary["exit_code"] == 1 and len(summary["brands"]) == 5
    assert "mended: " in played.text and "kernel_died" in played.text, "a second attempt is told"


@pytest.mark.parametrize(
    ("arguments", "needle"),
    [
        (("run", "params/wechat_platform.yaml", "--memory", "0"), "--memory"),
        (("run", "params/wechat_platform.yaml", "--memory", "nan"), "--memory"),
        (("run", "params/*.yml", "nowhere*"), "nowhere*"),
        (("run", "params/*.yaml", "--cadence", "weekly", "--only", "20"), "--only"),
        (("run", "params/*.yaml", "--keep", "3"), "--keep"),
    ],
)
def test_options_that_do_not_fit_are_refused(planlib_in_copy, arguments, needle):
    status, _, complained = planlib_in_copy(*arguments)
    assert status == 2 and needle in complained


# no row crosses

READ = """
import json, pathlib, duckdb
root = json.loads(pathlib.Path(plan_file).read_text(encoding="utf-8"))["plan"]["data"]["root"]
manifest = json.loads(pathlib.Path(root, "tidy", "manifest.json").read_text(encoding="utf-8"))
for name, entry in manifest["tables"].items():
    file = pathlib.Path(root, "tidy", entry["file"]).as_posix()
    target = pathlib.Path(out_dir, "a", f"{name}.parquet")
    target.parent.mkdir(parents=True, exist_ok=True)
    duckdb.sql(f"COPY (SELECT * FROM '{file}') TO '{target.as_posix()}' (FORMAT parquet, COMPRESSION uncompressed)")
    print(name, duckdb.sql(f"SELECT * FROM '{file}'").fetchall())
"""


def _brand_data(root, mark):
    """Raw files of two people: one whom both brands know, one with the brand's mark in every id."""
    put(root, "contacts.json", contacts(contact("Both", f"staff{mark}"), contact(mark, f"staff{mark}")))
    put(root, "order_1.json", order("8800" + mark, person="Both"))
    put(root, "order_2.json", order("9900" + mark, person=mark))
    assert not load(root).aside


def _hashes(root):
    import duckdb

    found = set()
    for path in store.table_files(root).values():
        with duckdb.connect() as db:
            table = db.sql(f"SELECT * FROM '{path.as_posix()}'")
            for name in (name for name in table.columns if name.endswith("_hid")):
                found |= {row[0] for row in db.sql(f"SELECT DISTINCT {name} FROM '{path.as_posix()}'").fetchall()}
    return {found_id for found_id in found if found_id}


def test_no_row_crosses(tmp_path, monkeypatch):
    """Two brands, one pool with a single worker, ids with marks: neither's ids or hashes lie with the other."""
    monkeypatch.chdir(tmp_path)
    write_notebook(tmp_path, "a", READ)
    write_workbook(tmp_path, {"a": []})
    marks = {"alpha": "MarkAlphaXq", "beta": "MarkBetaZw"}
    plans = {}
    for name, mark in marks.items():
        _brand_data(tmp_path / "data" / name, mark)
        shutil.copy(ROOT / "tests" / "plan" / "minimal.yaml", tmp_path / "minimal.yaml")
        root = (tmp_path / "data" / name).as_posix()
        (tmp_path / f"{name}.yaml").write_text(
            f"extends: minimal.yaml\nplan: {{id: {name}}}\ndata: {{root: {root}}}\n", "utf-8"
        )
        plans[name] = load_plan(tmp_path / f"{name}.yaml")
    hashes = {name: _hashes(tmp_path / "data" / name) for name in marks}
    assert all(len(found) >= 4 for found in hashes.values())
    assert not hashes["alpha"] & hashes["beta"], "the person whom both know has two hashes"

    orders = [Order(plan=plan) for plan in plans.values()]
    endings = run_many(orders, project_root=tmp_path, out_root=tmp_path / "out", jobs=1)
    assert all(ending.ok for ending in endings.values())

    places = {name: [tmp_path / "out" / name, tmp_path / "data" / name] for name in marks}
    for name, other in (("alpha", "beta"), ("beta", "alpha")):
        own = b"".join(_files(places[name]))
        needles = {marks[other], *hashes[other], (tmp_path / "data" / other / store.SALT).read_text().strip()}
        assert [needle for needle in needles if needle.encode() in own] == []
        out = b"".join(_files([tmp_path / "out" / name]))
        assert all(found.encode() in out for found in hashes[name]), "the check can see what it looks for"
    assert not list((tmp_path / "out" / "portfolio").iterdir())


def _files(folders):
    for folder in folders:
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                yield path.read_bytes()


@pytest.mark.full
@pytest.mark.timeout(1800)
def test_no_row_crosses_in_a_whole_run(tmp_path, guarded_env):
    """The command itself on two sample brands: notebooks that read people, decks, portfolio page, logs and ledgers."""
    from planlib.data.sample import write_sample

    for seed, name in enumerate(("alpha", "beta"), 11):
        write_sample(tmp_path / name, customers=800, seed=seed)
        load(tmp_path / name)
        text = f"extends: base.yaml\nplan: {{id: {name}, title: {{zh: {name}, en: {name}}}}}\n"
        (tmp_path / f"{name}.yaml").write_text(f"{text}data: {{root: '{(tmp_path / name).as_posix()}'}}\n", "utf-8")
    shutil.copy(ROOT / "params" / "wechat_platform.yaml", tmp_path / "base.yaml")
    code = "from planlib.cli import main; main()"
    command = [sys.executable, "-c", code, "run", str(tmp_path / "alpha.yaml"), str(tmp_path / "beta.yaml")]
    command += ["--only", "10_baseline", "--only", "60_customer_value"]
    done = subprocess.run(
        [*command, "--out", str(tmp_path / "out"), "--locale", "en"], cwd=ROOT, env=guarded_env | {"K": KEY},
        capture_output=True, encoding="utf-8", check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    hashes = {name: _hashes(tmp_path / name) for name in ("alpha", "beta")}
    assert len(hashes["alpha"]) > 800 and not hashes["alpha"] & hashes["beta"]
    for name, other in (("alpha", "beta"), ("beta", "alpha")):
        own = b"".join(_files([tmp_path / "out" / name, tmp_path / name / store.TIDY]))
        assert not [needle for needle in hashes[other] if needle.encode() in own]
    shared = b"".join(_files([tmp_path / "out" / "portfolio"])) + done.stdout.encode()
    assert not [needle for found in hashes.values() for needle in found if needle.encode() in shared]
