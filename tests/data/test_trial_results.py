"""What came of finished experiments: everybody assigned counts, who has no outcome did not."""

import datetime as dt

from tests.data.tables import engine

DAY = dt.datetime(2026, 3, 1)


def test_results_by_assignment(tmp_path):
    heads = [
        {"exp_id": "done", "unit": "customer", "metric": "paid", "end_on": dt.date(2026, 3, 31)},
        {"exp_id": "runs", "unit": "customer", "metric": "paid", "end_on": dt.date(2026, 4, 1)},
    ]
    given = [
        {
            "exp_id": exp,
            "unit_hid": f"p{i}",
            "variant": "new" if i % 2 else "old",
            "ratio_planned": 0.5,
            "assigned_at": DAY,
        }
        for exp in ("done", "runs")
        for i in range(10)
    ]
    seen = [
        {"exp_id": "done", "unit_hid": f"p{i}", "metric": metric, "value": value, "at": DAY}
        for i, metric, value in [
            (0, "paid", 1.0),
            (1, "paid", 2.0),
            (3, "paid", 1.0),
            (5, "paid", 0.0),
            (2, "seen", 1.0),
        ]
    ]
    with engine(tmp_path, experiments=heads, assignments=given, outcomes=seen) as tables:
        rows = tables.query("trial_results", {"until": "2026-04-01"}).rows()
    assert [(row["exp_id"], row["variant"], row["people"], row["did"], row["told"]) for row in rows] == [
        ("done", "new", 5, 2, 3),
        ("done", "old", 5, 1, 1),
    ]
    assert {row["planned"] for row in rows} == {0.5}
