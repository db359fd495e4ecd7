"""What pages of costs, groups, clocks, market, brand and actions say, by outcome, in both languages."""

import datetime as dt
from pathlib import Path
from types import SimpleNamespace

import pytest

from planlib.core import results as res
from planlib.core.words import words
from planlib.overseeing import BrandGoal, Stress
from planlib.plan import load_plan
from planlib.report import oversight_story as story
from planlib.report.joint_chances import joint_chances, with_joint
from planlib.review import actions, costs, service, variance
from planlib.review.alarms import Chain, LeadLag, Link
from planlib.workbook.context import Book

W = load_plan(Path(__file__).resolve().parents[2] / "params" / "wechat_platform.yaml")


class Desk(Book):
    """A book without folder or data."""

    def __init__(self):
        super().__init__("80_review", W, Path("nowhere"), words("en"), 1)
        self.heard = []

    as_of = dt.date(2027, 1, 1)
    on_sample = has_data = False

    def say(self, ref):
        self.heard.append(ref)

    def title(self, locale="en"):
        return res.text(words(locale), self._so_far(), self._record["pages"][-1]["title"])

    def reading(self, locale="en"):
        return res.text(words(locale), self._so_far(), self._record["pages"][-1]["reading"])


@pytest.fixture
def desk():
    book = Desk()
    yield book
    book._try_texts(book._so_far())  # every sentence has its words and numbers in both languages


def counts(users, fen):
    return variance.Counts(users, users // 2, users // 5, users // 5, fen)


def test_small_groups_stand_with_the_others():
    before = {"a": counts(100, 50_000), "b": counts(50, 20_000), "c": counts(7, 9_000)}
    after = {"a": counts(100, 60_000), "b": counts(50, 10_000), "c": counts(7, 90_000)}
    found = {"channel_id": variance.split_by(before, after)}
    rows = story.group_rows(found, {"channel_id": after}, {"a": {"zh": "甲", "en": "First"}})
    assert [row["group_en"] for row in rows] == ["First", "b", "others"]
    assert rows[2]["change"] == pytest.approx(810.0)  # of seven people, under the name of nobody
    assert sum(row["change"] for row in rows) == pytest.approx(810.0)
    assert all(sum(row[part] for part in variance.GROUP_FACTORS) == pytest.approx(row["change"]) for row in rows)


def test_the_page_names_the_group_that_moved_most(desk):
    rows = [
        {"dimension": "channel_id", "group_zh": "甲", "group_en": "First", "change": 100.0, "id": "a"},
        {"dimension": "store_id", "group_zh": "其余", "group_en": "others", "change": -900.0, "id": "…"},
    ]
    story.groups(desk, rows, 1_250)
    assert desk.title() == "GMV moved most in one channel, First: +¥100; the mix of channels made +¥12.5"


def owner(phase, began=None):
    links = (Link("interaction", began, began, None, True), Link("exits", None, None, None, True))
    seen = SimpleNamespace(day=lambda place: dt.date(2027, 1, 3) + dt.timedelta(days=7 * place))
    return SimpleNamespace(
        owner="abcdefgh", members=90, chain=Chain(links, phase, "exits" if began is not None else "", True),
        watched=(seen, seen),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("owners", "said"),
    [
        ([owner("interaction", 2), owner("healthy")], "Groups of 1 of 2 owners have gone quieter; exits come next"),
        ([owner("healthy")], "Groups of none of the 1 owners show decay"),
    ],
)
def test_how_far_decay_has_gone(desk, owners, said):
    rows = story.chain_rows(owners)
    story.chain(desk, rows, LeadLag(3, -0.8, 0.4, True, 0.95), SimpleNamespace(level=[40.0, 35.0]))
    assert desk.title() == said and "leads exits by 3 weeks" in desk.reading()
    assert desk.reading("zh").startswith("信任指数 35，满分一百")
    assert rows[0]["owner_code"] == "abcdef"


def test_without_groups_no_page(desk):
    story.chain(desk, [], None, None)
    assert desk._record["pages"] == [] and desk.heard


LIMITS = {"technical": {"diagnose": dt.timedelta(minutes=30), "restore": dt.timedelta(hours=2)}}


def test_clocks_before_any_incident_and_with_one(desk):
    story.clocks(desk, (), LIMITS, budget=None, restore_hours=None)
    assert desk.title() == "2 clocks start with an incident, the shortest gives 30 minutes; none is running"
    began, now = dt.datetime(2027, 3, 1, 20), dt.datetime(2027, 3, 2)
    late = service.Incident("a", "technical", began, {"diagnose": began + dt.timedelta(minutes=31)}, down=True)
    found = service.clocks([late], now, LIMITS)
    budget = service.error_budget([(began, now)], since=now - dt.timedelta(days=30), until=now)
    for name, unit in (("availability", "ratio"), ("down_used", "minutes"), ("down_allowed", "minutes")):
        desk.metric(name, 0.5, unit, method="error_budget")
    story.clocks(desk, found, LIMITS, budget=budget, restore_hours=None)
    assert desk.title() == "Incidents kept 0 of 2 deadlines, missed 1 and leave 1 overdue"
    rows = story.clock_rows(found, {"a": {"zh": "停", "en": "out"}})
    assert [row["state"] for row in rows] == ["overdue", "late"]


def test_costs(desk):
    lines = [
        costs.Spending(line="ads", unit="users", planned_cny=1e5, planned_output=1e4, actual_cny=1.2e5,
                       actual_output=1e4),
        costs.Spending(line="fair", unit="users", planned_cny=1e5, planned_output=1e4, actual_cny=1e5,
                       actual_output=1e4),
    ]  # fmt: skip
    found = costs.check_costs(lines)
    story.cost_page(desk, found, 1.4, costs.FLOORS["private_domain"], None, against="plan")
    assert desk.title() == "A yuan for channels bought 90.9% of what it was to buy; far dearer: 1 of 2 channels"
    assert "1.4 times (watched below 2.3 times, raised at 1.5 times or less)" in desk.reading()
    assert [row["reason"] for row in story.cost_rows(found, {})] == ["much_dearer", "as_planned"]


def test_market_and_brand(desk):
    story.stress(desk, [Stress("conversion", 0.12, 0.09, "ratio", 4e7, 1e7, 0.0)])
    assert desk.title() == "Conversion down from 12.0% to 9.0% would cost ¥10m GMV, 25.0% of the plan"
    goals = [
        BrandGoal("brand_search_volume", "relative_change", 0.5, 12, 0.0344, 1.07, None),
        BrandGoal("brand_rank", "rank", 3.0, None, None, None, None),
    ]
    rows = story.brand_rows(goals, {"brand_search_volume": "wechat_index", "brand_rank": "brand_survey"})
    story.brand(desk, rows)
    assert desk.title("zh") == "2 项品牌目标都没有实测；品牌搜索每月须增 3.4%"
    assert {row["status"] for row in rows} == {"not_measured"}


def action(name, expected, observed, **more):
    day = dt.date(2027, 1, 1)
    return actions.Action(
        id=name, owner="x", opened=day, due=day, ended=day, reason="r", metric="churn_rate", expected=expected,
        observed=observed, **more,
    )  # fmt: skip


def test_effects_are_shares_of_what_was_expected(desk):
    followed = actions.follow(
        [action("a", -0.02, -0.01, low=-0.03, high=0.01), action("b", 0.1, None), action("c", -0.02, 0.02)],
        dt.date(2027, 2, 1),
    )
    rows = story.effect_rows(followed, {name: {"zh": name, "en": name} for name in "abc"})
    assert (rows[0]["share"], rows[0]["share_low"], rows[0]["share_high"]) == pytest.approx((0.5, -0.5, 1.5))
    assert [row["verdict"] for row in rows] == ["as_expected", "opposite"]
    story.effects(desk, rows, actions.learned(followed))
    assert desk.title().startswith("1 of 2 measured actions moved their metric as meant")


def test_the_outlook_s_chances_come_before_conditional_ones():
    def metric(name, method):
        return {"id": name, "value": 0.25, "method": method}

    results = {
        "20": {"metrics": [metric("p_target_on_time_a", "simulation")]},
        "70": {"metrics": [metric("p_target_a", "joint_simulation"), metric("users", "joint_simulation")]},
    }
    rows = [{"id": "a", "probability": 0.9}, {"id": "b", "probability": 0.8}]
    assert joint_chances(results) == {"a": 0.25}
    assert [row["probability"] for row in with_joint(rows, joint_chances(results))] == [0.25, None]
    assert with_joint(rows, joint_chances({"20": results["20"]})) == rows
