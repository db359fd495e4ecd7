"""R11, R19, R23: hand-made plans that fire and that stay silent, and the shipped plans' entries."""

import pytest
from numpy.testing import assert_allclose

from planlib.consistency.rules.rules_dates import cadence, lattice, precedence
from planlib.consistency.view import View
from tests.consistency.helpers import one


def row(id, month, metric="month_reached", **more):
    name = {"zh": id, "en": id}
    return {"id": id, "name": name, "metric": metric, "by_month": month, "department": "d", "source": "W6.4"} | more


def with_rows(tiny, *rows, id="minimal", stages=None):
    departments = [{"id": "d", "name": {"zh": "部门", "en": "Department"}}]
    changes = {"team__departments": departments, "schedule__milestones": list(rows), "targets": []}
    if stages is not None:
        changes["schedule__stages"] = stages
        changes["channels"] = [
            {"id": "a", "name": {"zh": "甲", "en": "A"}, "paid": False, "intake": {"value": 1000, "source": "W2.3"}}
        ]
    return tiny(id=id, **changes)


def stage(id="s", months=None, contains=()):
    name = {"zh": "基础", "en": "Foundation"}
    return {"id": id, "name": name, "months": months, "contains": list(contains), "source": "W6.4"}


@pytest.mark.parametrize(
    ("due", "means", "level"),
    [(4, 6, "contradiction"), (6, 6, "strain"), (7, 6, None)],
)
def test_result_against_its_means(tiny, due, means, level):
    plan = with_rows(
        tiny,
        row("goal", due, "conversion_goal_month", deadline_of="conversion_rate"),
        row("tools", means, "tools_done", enables=["conversion_rate"]),
    )
    found = list(precedence(View([plan])))
    assert [f.level for f in found] == ([level] if level else [])


def test_other_milestones_are_no_means(tiny):
    rows = [row("goal", 4, deadline_of="roi"), row("tools", 6, enables=["conversion_rate"])]
    assert not list(precedence(View([with_rows(tiny, *rows)])))


def test_result_repaired_by_the_month_named(tiny):
    rows = [row("goal", 4, deadline_of="roi"), row("tools", 6, enables=["roi"])]
    (found,) = precedence(View([with_rows(tiny, *rows)]))
    rows[0]["by_month"] = int(found.repairs[0].to.value)
    assert all(f.level != "contradiction" for f in precedence(View([with_rows(tiny, *rows)])))


def test_dated_goal_is_a_result(tiny):
    goal = {"id": "g", "metric": "conversion_rate", "equals": 0.1, "by_month": 3, "source": "W2.2"}
    departments = [{"id": "d", "name": {"zh": "部门", "en": "Department"}}]
    rows = [row("tools", 6, enables=["conversion_rate"])]
    plan = tiny(targets=[goal], team__departments=departments, schedule__milestones=rows)
    assert [f.statements for f in precedence(View([plan]))] == [("g", "tools")]


def test_stage_ends_before_its_contents(tiny):
    rows = [row("tools", 5, "tools_done")]
    short = with_rows(tiny, *rows, stages=[stage(months=[1, 2], contains=["tools_done"])])
    long = with_rows(tiny, *rows, stages=[stage(months=[1, 5], contains=["tools_done"])])
    assert [f.level for f in precedence(View([short]))] == ["contradiction"]
    assert not list(precedence(View([long])))


def test_one_thing_due_twice_in_two_plans(tiny):
    one = with_rows(tiny, row("a", 2, "data_platform_done"), id="one")
    other = with_rows(tiny, row("b", 3, "data_platform_done"), id="other")
    (found,) = precedence(View([one, other]))
    assert found.level == "strain"
    assert found.figures["slip"].value == 1
    same = with_rows(tiny, row("b", 2, "data_platform_done"), row("c", 5, "data_platform_done"), id="other")
    assert not list(precedence(View([one, same])))


def test_share_that_n_cannot_make(tiny, cases):
    plan = tiny()
    both = [
        {"id": "n", "metric": "milestones", "equals": 12, "scope": "a firm"},
        {"id": "p", "metric": "on_time_rate", "equals": 0.95, "scope": "a firm"},
    ]
    (found,) = lattice(View([plan], cases(cases=both)))
    assert_allclose(found.extra["all_together"], 0.95**12)
    elsewhere = [both[0] | {"scope": "another"}, both[1]]
    assert not list(lattice(View([plan], cases(cases=elsewhere))))
    for possible in (0.917, 0.92):  # 11 of 12, to the per cent
        assert not list(lattice(View([plan], cases(cases=[both[0], both[1] | {"equals": possible}]))))


def rhythm(*rows):
    return [{"id": f"r{n}", "source": "W7.3"} | r for n, r in enumerate(rows)]


def test_rhythms(tiny):
    week, month = {"metric": "report_interval", "equals": 7}, {"metric": "review_interval", "equals": 1}
    quarter = {"metric": "reallocation_interval", "equals": 3}
    daily = {"metric": "event_interval", "equals": 1}
    limit = {"metric": "analysis_latency", "below": 1}
    three = tiny(schedule__rhythm=rhythm(week, month, quarter, week, limit))
    assert not list(cadence(View([three])))
    four = tiny(schedule__rhythm=rhythm(week, month, quarter, daily))
    (found,) = cadence(View([four]))
    assert found.figures["low"].value == 365 + 52 + 12 + 4


def test_shipped_precedence(shipped, figures):
    found = list(precedence(shipped))
    conversion = one(found, "p-conversion-deadline", "p-node-tools", "p-node-scenes")
    assert conversion.level == "contradiction"
    assert [conversion.extra[f"after_p-node-{name}"] for name in ("segmentation", "tools", "scenes")] == [0, -1, -2]
    roi = one(found, "p-roi-deadline")
    assert roi.level == "contradiction"
    assert (roi.extra["after_p-conversion-deadline"], roi.extra["after_p-growth-deadline"]) == (-1, -3)
    assert (roi.extra["opens"], roi.extra["opens_late"]) == (5, 2)
    assert_allclose(roi.extra["case_over_sector"], 3 / 2.3)
    platform = one(found, "system_online", "p-node-data-platform")
    assert platform.level == "strain"
    assert_allclose([figures(platform)[n] for n in ("early", "late", "slip", "share")], [2, 3, 1, 1 / 12])
    foundation = one(found, "w-stage-foundation", "p-stage-foundation")
    assert_allclose([figures(foundation)[n] for n in ("early", "late", "gap")], [2, 5, 3])
    assert foundation.extra["private_domain_2026_last_dated"] == 6


def test_shipped_lattice_and_cadence(shipped, figures):
    (nodes,) = lattice(shipped)
    assert nodes.level == "question"
    assert_allclose([figures(nodes)[n] for n in ("below", "above", "all")], [11 / 12, 1, 0.540], rtol=1e-3)
    (runs,) = cadence(shipped)
    assert [figures(runs)[n] for n in ("n", "low", "high")] == [4, 71, 72]
