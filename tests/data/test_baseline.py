"""The baseline's SQL against the same questions asked in plain Python, row by row."""

import datetime as dt
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import yaml

from planlib.baseline.levels import measured
from planlib.core.metrics import catalogue
from planlib.data.baseline import (
    cohort_months,
    collect,
    community_weeks,
    measures,
    monthly,
    months_left,
    period,
    spent,
)
from planlib.plan import load_plan
from tests.data.small_brand import FIRST, LAST, Brand, moment
from tests.data.tables import engine

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def brand():
    return Brand(7)


@pytest.fixture(scope="module")
def found(brand, tmp_path_factory):
    with engine(tmp_path_factory.mktemp("tidy"), **brand.tables()) as tables:
        return collect(tables)


def silent(brand, at):
    """State of each person at a moment, by the definitions in words."""
    told = []
    for i, (joined, left) in enumerate(zip(brand.joined, brand.left, strict=True)):
        acts = brand.all_acts(i)
        acts = acts[acts < at]
        if joined >= at or left < at:
            told.append("absent")
        elif len(acts) and acts[-1] >= at - 30:
            told.append("active")
        elif (acts[-1] if len(acts) else joined) < at - 90:
            told.append("dormant")
        else:
            told.append("quiet")
    return np.array(told)


def test_the_period_is_that_of_what_happens(found):
    assert (found.windows.first, found.windows.as_of) == (FIRST, LAST)


def test_states_are_those_of_a_row_by_row_count(brand, found):
    now, before = silent(brand, 365), silent(brand, 335)
    listed = (now != "absent").sum()
    assert found.sums["private_domain_users"]["value"] == listed
    assert found.sums["mau_rate"] == {"successes": (now == "active").sum(), "n": listed}
    assert found.sums["dormant_share"] == {"successes": (now == "dormant").sum(), "n": listed}
    slept = (before == "dormant") & (now != "absent")
    assert found.sums["reactivation_rate"] == {"successes": (slept & (now != "dormant")).sum(), "n": slept.sum()}
    moves = {(row["before"], row["after"]): 0 for row in found.parts["states"]}
    for row in found.parts["states"]:
        moves[row["before"], row["after"]] += row["people"]
    assert moves["dormant", "dormant"] == ((before == "dormant") & (now == "dormant")).sum()
    assert moves["dormant", "gone"] == ((before == "dormant") & (now == "absent")).sum()


def test_retention_counts_acts_of_a_week_from_the_day_on(brand, found):
    born = np.floor(brand.joined)
    for day, metric in ((7, "retention_d7"), (30, "retention_m1"), (90, "retention_d90")):
        old = (brand.joined >= 0) & (born + day + 7 <= 365)
        acts = map(brand.all_acts, range(400))
        acted = [((a >= b + day) & (a < b + day + 7)).any() for b, a in zip(born, acts, strict=True)]
        assert found.sums[metric] == {"successes": (old & acted).sum(), "n": old.sum()}


def test_first_acts_and_early_silence(brand, found):
    born = np.floor(brand.joined)
    first = np.array([acts[0] if len(acts := brand.all_acts(i)) else np.inf for i in range(400)])
    old = (brand.joined >= 0) & (born + 7 <= 365)
    assert found.sums["first_interaction_rate"] == {"successes": (old & (first < born + 7)).sum(), "n": old.sum()}
    old = (brand.joined >= 0) & (born + 10 <= 365)
    quiet = old & (first >= born + 3)
    assert found.sums["activation_rate"] == {"successes": (quiet & (first < born + 10)).sum(), "n": quiet.sum()}


def test_leaving_by_complete_months(brand, found):
    starts = [(dt.date(2026, m, 1) - FIRST).days for m in range(1, 13)] + [365]
    listed = left = 0
    for begin, end in pairwise(starts):
        there = (brand.joined < begin) & (brand.left >= begin)
        listed, left = listed + there.sum(), left + (there & (brand.left < end)).sum()
    assert found.sums["churn_rate"] == {"successes": left, "n": listed}
    assert len(months_left(found.parts["leaving"], found.windows)) == 12


def test_orders_are_summed_by_buyer_in_fen(brand, found):
    k = np.array([len(o) for o in brand.orders])
    v = np.array([int(f.sum()) for f in brand.fen])
    buys = k > 0
    sums = {"n": buys.sum(), "x": k.sum(), "y": v.sum(), "xx": (k * k).sum(), "xy": (k * v).sum(), "yy": (v * v).sum()}
    assert found.sums["aov"] == sums | {"scale": 0.01}
    now = np.array([(o >= 335).sum() for o in brand.orders])
    assert found.sums["orders"]["total"] == now.sum() and sum(found.sums["orders"]["days"]) == k.sum()
    fen_now = [int(f[o >= 335].sum()) for f, o in zip(brand.fen, brand.orders, strict=True)]
    new = [v if len(o) and o[0] >= 335 else 0 for v, o in zip(fen_now, brand.orders, strict=True)]
    assert (found.sums["new_customer_share"]["x"], found.sums["new_customer_share"]["y"]) == (sum(fen_now), sum(new))
    assert found.sums["gmv"]["value"] == sum(fen_now) / 100


def test_first_orders_after_joining(brand, found):
    first = np.array([o[0] if len(o) else np.inf for o in brand.orders])
    born = np.floor(brand.joined)
    old = (brand.joined >= 0) & (born + 31 <= 365)
    bought = first < brand.joined + 30
    assert found.sums["conversion_rate"] == {"successes": (old & bought).sum(), "n": old.sum()}
    joined = (brand.joined >= 0) & np.isfinite(first)
    again = np.array([len(o) > 1 for o in brand.orders])
    assert found.sums["repurchase_rate"] == {"successes": (joined & again).sum(), "n": joined.sum()}


def test_cost_of_new_users(brand, found):
    new = brand.joined >= 335
    assert found.sums["cac"]["events"] == new.sum() and found.sums["cac"]["spend"] == pytest.approx(300)
    free = (new & (brand.channel == "qr")).sum()
    assert found.sums["organic_share"] == {"successes": free, "n": new.sum()}


def test_people_belong_to_the_employee_who_added_them(brand, found):
    by_staff = {row["staff_id"]: row for row in found.parts["organisation"]}
    listed = brand.left > 365
    told = {staff: row["listed"] for staff, row in by_staff.items()}
    assert told == {f"s{i}": (listed & (brand.store == i)).sum() for i in range(6)}
    assert all(row["store_id"] == f"store{s[1:]}" for s, row in by_staff.items())


def test_opened_messages_of_the_quarter(tmp_path):
    """Three arrived and one did not; one person opened one message twice, another message is too old."""
    results = [
        {"msg_id": f"m{i}", "staff_id": "s", "target_hid": "p", "status": 1 if i < 4 else 2, "sent_at": moment(days)}
        for i, days in enumerate((100, 300, 310, 320, 321))
    ]
    opens = [
        {"person_hid": "p", "at": moment(days), "channel_id": "", "touch_type": "open", "campaign_id": campaign}
        for days, campaign in ((0.5, "m0"), (301, "m1"), (302, "m1"), (311, "m2"), (364.9, "m3"))
    ]
    with engine(tmp_path, follow_edges=[], send_results=results, touches=opens) as tables:
        assert collect(tables).sums["message_open_rate"] == {"successes": 3, "n": 3}


def test_levels_of_the_organisation_add_up(found):
    rows = found.parts["organisation"]
    assert sum(row["listed"] for row in rows) == found.sums["private_domain_users"]["value"]
    assert sum(row["active"] for row in rows) == found.sums["mau_rate"]["successes"]


def test_every_sum_makes_a_level(found):
    for metric, sums in found.sums.items():
        level = measured(measures()[metric].form, sums)
        assert level.value is not None, metric


def test_planted_activity_and_dormancy_lie_in_their_intervals(tmp_path):
    """30 % monthly active and 60 % dormant (30 and 90 days) of 3,000 people."""
    rng = np.random.default_rng(9)
    kinds = rng.choice(3, 3000, p=[0.3, 0.1, 0.6])
    last = np.where(kinds == 0, rng.uniform(335, 365, 3000), rng.uniform(275, 335, 3000))
    edge = {"staff_id": "s", "added_at": moment(-50), "is_active": True}
    edges = [edge | {"external_hid": f"e{i}"} for i in range(3000)]
    touches = [
        {"person_hid": f"e{i}", "at": moment(last[i]), "channel_id": "", "touch_type": "interaction"}
        for i in range(3000) if kinds[i] < 2
    ]  # fmt: skip
    stranger = {"person_hid": "stranger", "channel_id": "", "touch_type": "visit"}
    touches += [stranger | {"at": moment(t)} for t in (0, 364.9)]
    with engine(tmp_path, follow_edges=edges, touches=touches) as tables:
        found = collect(tables)
    for metric, truth in (("mau_rate", 0.3), ("dormant_share", 0.6)):
        level = measured("share", found.sums[metric])
        assert level.low <= truth <= level.high


def test_without_data_every_metric_has_its_reason(tmp_path):
    with engine(tmp_path) as tables:
        found = collect(tables)
    assert found.windows is None and not found.sums
    assert set(found.reasons) == set(measures())
    assert set(found.reasons.values()) == {"no_rows", "not_in_tables"}


def test_a_short_history_is_a_reason_not_a_number(tmp_path):
    """Three weeks of acts cannot tell who has been silent for ninety days."""
    edges = [{"external_hid": "e", "staff_id": "s", "added_at": moment(-200), "is_active": True}]
    touches = [{"person_hid": "e", "at": moment(t), "channel_id": "", "touch_type": "visit"} for t in (344, 364)]
    with engine(tmp_path, follow_edges=edges, touches=touches) as tables:
        found = collect(tables)
    assert found.reasons["dormant_share"] == found.reasons["mau_rate"] == "history_too_short"
    assert found.sums["private_domain_users"] == {"value": 1, "n": 1}


def test_as_of_looks_back_from_that_day(brand, tmp_path):
    with engine(tmp_path, **brand.tables()) as tables:
        assert period(tables, as_of=dt.date(2026, 6, 30)) == (FIRST, dt.date(2026, 6, 30))
        found = collect(tables, as_of=dt.date(2026, 6, 30))
    now = silent(brand, 181)
    assert found.sums["mau_rate"] == {"successes": (now == "active").sum(), "n": (now != "absent").sum()}


def test_every_target_of_the_shipped_plans_is_measured_or_says_why_not():
    told = measures()
    for name in ("wechat_platform", "private_domain_2026"):
        for target in load_plan(str(ROOT / "params" / f"{name}.yaml")).targets:
            assert target.metric in told, target.metric
    for measure in told.values():
        assert measure.metric in catalogue() and measure.export and measure.owner
        assert bool(measure.form) == bool(measure.reading)


def test_measures_file_names_exports_that_it_lists():
    found = yaml.safe_load((ROOT / "planlib" / "data" / "measures.yaml").read_text(encoding="utf-8"))
    assert {entry["export"] for entry in found["metrics"].values()} == set(found["exports"])


def test_an_amount_is_spread_over_its_days():
    row = {"day": dt.date(2026, 12, 28), "days": 7, "fen": 7000}
    assert spent([row], dt.date(2026, 12, 1), dt.date(2027, 1, 1)) == pytest.approx(40.0)
    assert spent([row], dt.date(2027, 2, 1), dt.date(2027, 3, 1)) == 0


def test_monthly_levels_are_those_of_each_month(brand, found):
    series = monthly(found.parts, found.windows)
    assert [month for month, _ in series["new_users_monthly"]] == [dt.date(2026, m, 1) for m in range(1, 13)]
    march = [(dt.date(2026, m, 1) - FIRST).days for m in (3, 4)]
    joined = ((brand.joined >= march[0]) & (brand.joined < march[1])).sum()
    assert dict(series["new_users_monthly"])[dt.date(2026, 3, 1)] == pytest.approx(joined * 30 / 31)
    orders = [f for o, v in zip(brand.orders, brand.fen, strict=True) for t, f in zip(o, v, strict=True)
              if march[0] <= t < march[1]]  # fmt: skip
    assert dict(series["aov"])[dt.date(2026, 3, 1)] == pytest.approx(sum(orders) / len(orders) / 100)
    assert [month for month, _ in series["retention_d90"]][-1] == dt.date(2026, 8, 1)  # September is not old enough


def test_months_with_few_joiners_are_left_out(found):
    """The triangle of a deck shows no month that could tell of single people."""
    cohorts, windows = found.parts["cohorts"], found.windows
    every = cohort_months(cohorts, windows)
    median = sorted(every["joined"])[len(every["joined"]) // 2]
    some = cohort_months(cohorts, windows, least=median)
    kept = [n for n in every["joined"] if n >= median]
    assert some["joined"] == kept and 0 < len(kept) < len(every["joined"])
    assert len(some["month"]) == len(some["retained"]) == len(some["mature"]) == len(kept)
    none = cohort_months(cohorts, windows, least=10_000)
    assert none["month"] == [windows.first] and none["joined"][0] >= sum(every["joined"])


def test_weeks_of_a_community_are_the_last_without_a_gap(found):
    """Thirty weeks, one of them without a row: the seventeen after it count."""
    first = found.windows.back(7 * 30)
    rows = [
        {"owner_id": "a", "day": first + dt.timedelta(days=d), "members_total": 100 + d % 2, "members_active": 20,
         "new_members": 2, "lost_members": 1 if d % 7 else None}
        for d in range(7 * 30) if d // 7 != 12
    ]  # fmt: skip
    told = community_weeks([*rows, rows[0] | {"owner_id": "new"}], found.windows)
    assert list(told) == ["a"] and len(told["a"]["speaking"]) == 17
    assert told["a"]["speaking"][3] == pytest.approx(20 / 100.5, rel=0.01)
    assert told["a"]["leaving"][3] == pytest.approx(
        (6 + 2) / 100.5, rel=0.2
    )  # six days count one, the seventh tells 2 ± 1
