"""Plan months as dates, reconciliation, precedence, Gantt geometry."""

from datetime import date, timedelta
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from planlib.core.errors import InputError
from planlib.milestones import calendar as room
from planlib.milestones.calendar import Item, Node
from planlib.milestones.workdays import WorkCalendar

calm = settings(deadline=None, derandomize=True)
CHINA = WorkCalendar()


# months


def test_month_by_hand():
    month = room.plan_month("2026-01", 2, CHINA)
    assert (month.first, month.last) == (date(2026, 2, 1), date(2026, 2, 28))
    assert (month.first_workday, month.last_workday, month.workdays) == (date(2026, 2, 2), date(2026, 2, 28), 16)
    assert not month.provisional


def test_the_plan_year_is_provisional_until_it_is_announced():
    months = room.plan_months("2027-01", 12, CHINA)
    assert all(m.provisional for m in months)
    announced = room.plan_months("2027-01", 12, WorkCalendar(confirmed_years={2027}))
    assert not any(m.provisional for m in announced)


@calm
@given(st.integers(2020, 2030), st.integers(1, 12), st.integers(1, 60))
def test_months_follow_one_another_and_number_back(year, month, n):
    start = f"{year}-{month:02d}"
    this, following = room.plan_month(start, n, CHINA), room.plan_month(start, n + 1, CHINA)
    assert this.last + timedelta(days=1) == following.first
    assert room.month_of(start, this.first) == room.month_of(start, this.last) == n
    assert CHINA.between(this.first, this.last) == this.workdays
    assert CHINA.on_or_before(this.last) == this.last_workday
    assert CHINA.on_or_after(this.first) == this.first_workday


def test_days_before_the_plan_have_months_below_one():
    assert room.month_of("2027-01", date(2026, 12, 31)) == 0


def test_a_month_without_working_days_is_refused():
    closed = WorkCalendar({date(2026, 3, 1) + timedelta(days=i): False for i in range(31)})
    with pytest.raises(InputError) as caught:
        room.plan_month("2026-03", 1, closed)
    assert caught.value.problems[0].code == "no_workdays"


@pytest.mark.parametrize("call, field", [
    (lambda: room.plan_month("2026-13", 1, CHINA), "start"),
    (lambda: room.plan_month("January 2026", 1, CHINA), "start"),
    (lambda: room.plan_month("1400-01", 1, CHINA), "start"),
    (lambda: room.plan_month("2026-01", 0, CHINA), "month"),
    (lambda: room.plan_month("2026-01", 1.5, CHINA), "month"),
    (lambda: room.plan_month("2026-01", 5000, CHINA), "month"),
    (lambda: room.plan_months("2026-01", 0, CHINA), "months"),
    (lambda: room.stage_item("traffic", "x", (8, 5), "2026-01", CHINA), "traffic"),
])
def test_bad_months(call, field):
    with pytest.raises(InputError) as caught:
        call()
    assert caught.value.problems[0].field == field


# stages, gates, reconciliation


def test_seed_stages_finish_at_month_twelve():
    assert room.stage_finish([2, 2, 4, 4]) == 12


def test_seed_twelve_gates():
    assert room.all_on_time([0.95] * 12) == pytest.approx(0.540, abs=5e-4)


def test_seed_conversion_before_tools():
    nodes = [Node("tools", 5), Node("conversion", 4, after=("tools",))]
    tools, conversion = room.reconcile(nodes)
    assert (conversion.slack_months, conversion.earliest_month, conversion.binding) == (-1, 5, "tools")
    assert (tools.slack_months, tools.binding) == (0, None)


def test_seed_return_before_traffic():
    """Paid traffic from the start of month 5 is the end of month 4; the window takes a month."""
    nodes = [Node("paid_traffic", 4), Node("roi", 3, after=("paid_traffic",), window_months=1)]
    assert room.reconcile(nodes)[1].slack_months == -2


def test_seed_half_year_repurchase():
    assert room.earliest_report_month(5, 6) == 11


def test_delays_are_handed_on():
    nodes = [
        Node("growth", 6, after=("scenes", "tags")),
        Node("tags", 4),
        Node("scenes", 5, after=("tools",), effect_lag_months=1),
        Node("tools", 5),
    ]
    growth, _, scenes, _ = room.reconcile(nodes)
    assert (scenes.earliest_month, scenes.slack_months) == (6, -1)
    assert (growth.earliest_month, growth.binding, growth.slack_months) == (6, "scenes", 0)


@st.composite
def acyclic(draw):
    size = draw(st.integers(1, 8))
    after = {}
    for k in range(size):
        before = draw(st.lists(st.integers(0, k - 1), unique=True)) if k else []
        after[f"n{k}"] = tuple(f"n{b}" for b in before)
    names = draw(st.permutations(list(after)))
    return {name: after[name] for name in names}


@calm
@given(acyclic())
def test_everything_comes_after_what_it_needs(after):
    order = room.precedence_order(after)
    assert sorted(order) == sorted(after)
    assert all(order.index(b) < order.index(name) for name, before in after.items() for b in before)


@calm
@given(acyclic(), st.data())
def test_a_later_enabler_never_helps(after, data):
    due = {name: data.draw(st.integers(0, 12)) for name in after}
    late = data.draw(st.sampled_from(sorted(after)))
    nodes = [Node(name, due[name], after[name], 1, 1) for name in after]
    moved = [Node(n.id, n.due_month + 2 * (n.id == late), n.after, 1, 1) for n in nodes]
    for before, now in zip(room.reconcile(nodes), room.reconcile(moved), strict=True):
        assert now.earliest_month >= before.earliest_month
        assert now.slack_months == now.due_month - now.earliest_month


@pytest.mark.parametrize(
    "after, circle",
    [
        ({"a": ["b"], "b": ["c"], "c": ["a"], "d": []}, {"a", "b", "c"}),
        ({"a": ["a"]}, {"a"}),
        ({"x": ["a"], "a": ["b"], "b": ["a"], "y": ["x"]}, {"a", "b"}),
    ],
)
def test_a_circle_is_refused_and_printed(after, circle):
    with pytest.raises(InputError) as caught:
        room.precedence_order(after)
    (problem,) = caught.value.problems
    chain = str(problem.values["chain"]).split(" -> ")
    assert problem.code == "cycle" and set(chain) == circle and chain[0] == chain[-1]
    for first, then in pairwise(chain):
        assert first in after[then]
    assert str(problem.values["chain"]) in str(caught.value)


@pytest.mark.parametrize("call, field", [
    (lambda: room.precedence_order({"a": ["z"]}), "a.after"),
    (lambda: room.reconcile([Node("a", 1), Node("a", 2)]), "nodes[1].id"),
    (lambda: room.reconcile([Node("a", -1)]), "a.due_month"),
    (lambda: room.reconcile([Node("a", 1, window_months=float("nan"))]), "a.window_months"),
    (lambda: room.all_on_time([1.2]), "probabilities[0]"),
    (lambda: room.stage_finish([2, -1]), "durations_months[1]"),
    (lambda: room.earliest_report_month(0, 6), "cohort_month"),
])
def test_bad_networks(call, field):
    with pytest.raises(InputError) as caught:
        call()
    assert caught.value.problems[0].field == field


# Gantt


def test_gantt_by_hand():
    items = [
        room.stage_item("foundation", "committee", (1, 2), "2026-01", CHINA),
        Item("crm", "task", "technology", date(2026, 1, 5), date(2026, 1, 30)),
        Item("tags", "task", "technology", date(2026, 1, 26), date(2026, 2, 13)),
        Item("tools", "task", "technology", date(2026, 2, 2), date(2026, 2, 27)),
        room.milestone_item("g1", "marketing", 2, "2026-01", CHINA, kind="gate"),
    ]
    chart = room.gantt(items, CHINA, lanes=["committee", "marketing"])
    assert [(lane.id, lane.first_row, lane.rows) for lane in chart.lanes] == [
        ("committee", 0, 1), ("marketing", 1, 1), ("technology", 2, 2),
    ]
    rows = {bar.id: bar.row for bar in chart.bars}
    assert rows == {"foundation": 0, "g1": 1, "crm": 2, "tags": 3, "tools": 2}
    assert (chart.first, chart.last) == (date(2026, 1, 1), date(2026, 2, 28))
    assert chart.month_starts == (date(2026, 1, 1), date(2026, 2, 1))
    gate = next(bar for bar in chart.bars if bar.id == "g1")
    assert gate.start == gate.end == date(2026, 2, 28) and gate.kind == "gate" and gate.workdays == 1
    assert next(bar for bar in chart.bars if bar.id == "foundation").workdays == 21 + 16


def test_provisional_bars_are_marked():
    items = [Item("a", "task", "x", date(2026, 12, 1), date(2026, 12, 31)),
             Item("b", "task", "x", date(2026, 12, 1), date(2027, 1, 4))]
    assert {bar.id: bar.provisional for bar in room.gantt(items, CHINA).bars} == {"a": False, "b": True}


@st.composite
def item_lists(draw):
    rows = []
    for k in range(draw(st.integers(1, 12))):
        start = draw(st.dates(date(2026, 1, 1), date(2026, 12, 1)))
        length = draw(st.integers(0, 60))
        lane = draw(st.sampled_from("abc"))
        rows.append(Item(f"t{k}", "task", lane, start, start + timedelta(days=length)))
    return rows


@calm
@given(item_lists())
def test_no_two_bars_of_a_row_overlap_and_no_lane_is_too_tall(items):
    chart = room.gantt(items, CHINA)
    assert sorted(bar.id for bar in chart.bars) == sorted(item.id for item in items)
    for one in chart.bars:
        lane = next(lane for lane in chart.lanes if lane.id == one.lane)
        assert lane.first_row <= one.row < lane.first_row + lane.rows
        for other in chart.bars:
            if one is not other and one.row == other.row:
                assert one.end < other.start or other.end < one.start
    for lane in chart.lanes:  # as few rows as the busiest day needs
        members = [bar for bar in chart.bars if bar.lane == lane.id]
        assert lane.rows == max(sum(b.start <= m.start <= b.end for b in members) for m in members)


@pytest.mark.parametrize("items, field", [
    ([], "items"),
    ([Item("a", "task", "x", date(2026, 1, 2), date(2026, 1, 1))], "items[0].end"),
    ([Item("a", "epic", "x", date(2026, 1, 1), date(2026, 1, 1))], "items[0].kind"),
    ([Item("a", "task", "x", date(2026, 1, 1), date(2026, 1, 1))] * 2, "items[1].id"),
])
def test_bad_items(items, field):
    with pytest.raises(InputError) as caught:
        room.gantt(items, CHINA)
    assert caught.value.problems[0].field == field
