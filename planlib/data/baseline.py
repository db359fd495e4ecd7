"""The sums that the baseline stands on: one plain-SQL text per question, over the tidy tables of one data folder.

`collect` runs them and says for every metric of measures.yaml either its sums, as `planlib.baseline.levels.measured`
takes them, or why there are none. Windows are whole days up to and with the as-of day.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib import resources
from itertools import pairwise
from typing import Any

import numpy as np

from planlib.core.own import in_force
from planlib.data import own
from planlib.data.engine import Engine
from planlib.data.quality import Quality
from planlib.data.schema import TABLES

ACTIVE_DAYS, DORMANT_DAYS = 30, 90  # acted within; silent for
PERIOD_DAYS = 30  # what a metric of a month counts
QUARTER_DAYS = 90
YEAR_DAYS = 365
COHORT_DAYS = 30 + 7 + 90  # the joiners of a funnel: of 90 days, and old enough for the week from day 30 on
ORGANISATION = (
    "region_id", "store_id", "staff_id", "listed", "active", "dormant", "bought_now", "joined", "activated", "retained",
    "bought",
)  # fmt: skip
AGES = (7, 30, 60, 90, 120, 180, 270)  # days since joining at which cohorts are looked at
AGE_SPAN = 7  # days from such a day on within which an act counts
MONTHS = 12  # complete months that a monthly rate is taken over, at most
SILENT_DAYS, WOKEN_DAYS = 3, 10  # early silence, and until when an act ends it
_UNDATED = {"costs", "experiments", "assignments", "daily_counts"}  # dated by plans or by pulls, not by what happened
_RUNNING = {  # recorded as it happens, so that the first row says since when; joining is told from long before
    "touches": "SELECT CAST(MIN(t.at) AS DATE) AS a FROM touches t WHERE t.touch_type <> 'added'",
    "orders": "SELECT CAST(MIN(created_at) AS DATE) AS a FROM orders",
}
_AUDITED = {"tag_accuracy": "tag", "sop_compliance_rate": "sop", "identification_accuracy": "identity"}
_COHORT_METRICS = {
    "first_interaction_rate": ("first_week", 7),
    "retention_d7": ("day_7", 7 + AGE_SPAN),
    "retention_m1": ("day_30", 30 + AGE_SPAN),
    "retention_d90": ("day_90", 90 + AGE_SPAN),
    "conversion_rate": ("ordered_30", 31),
}
_SCORED = {"data_completeness": "completeness", "data_timeliness": "timeliness"}
_SUMS = ("orders", "fen", "orders_orders", "orders_fen", "fen_fen")


@dataclass(frozen=True, slots=True)
class Measure:
    """How one metric is measured.

    Attributes:
        metric: catalogue id.
        form: what its sums are; "" when it is in none of the tables.
        reading: which meaning is measured; "" without a form.
        needs: tables that must have rows.
        history: days of data that its window needs.
        feeds: the place of a plan that its level belongs to; "" where there is none.
        export: what supplies it.
        owner: who has that.
    """

    metric: str
    form: str
    reading: str
    needs: tuple[str, ...]
    history: int
    feeds: str
    export: str
    owner: str


@dataclass(frozen=True, slots=True)
class Windows:
    """The moments that windows begin and end at.

    Attributes:
        as_of: the last day.
        first: the first day that the data tell of.
        active_days, dormant_days: inactivity windows.
    """

    as_of: dt.date
    first: dt.date
    active_days: int = ACTIVE_DAYS
    dormant_days: int = DORMANT_DAYS

    @property
    def until(self) -> dt.date:
        """The day after the last."""
        return self.as_of + dt.timedelta(days=1)

    def back(self, days: int) -> dt.date:
        """Return the first of the last so many days."""
        return self.until - dt.timedelta(days=days)

    @property
    def history(self) -> int:
        """Days of data."""
        return (self.until - self.first).days

    def parameters(self) -> dict[str, dt.datetime]:
        """Return the parameters of the SQL texts."""
        active, dormant = self.active_days, self.dormant_days
        days = {
            "until": self.until,
            "since": self.first,
            "opening": self.back(PERIOD_DAYS),
            "year_since": self.back(YEAR_DAYS),
            "active_since": self.back(active),
            "dormant_before": self.back(dormant),
            "quarter_since": self.back(QUARTER_DAYS),
            "opening_active_since": self.back(PERIOD_DAYS + active),
            "opening_dormant_before": self.back(PERIOD_DAYS + dormant),
            "cohort_since": self.back(COHORT_DAYS),
            "cohort_until": self.back(AGE_SPAN + 30),
        }
        return {name: dt.datetime.combine(day, dt.time()) for name, day in days.items()}


@dataclass(frozen=True, slots=True)
class Collected:
    """What the tables say.

    Attributes:
        windows: None when no table has rows.
        sums: metric -> sums for its form.
        reasons: metric -> id of why it has no sums: not_in_tables, no_rows, history_too_short.
        rows: table -> rows.
        parts: name of a text -> its rows, for tables and charts; of `leaving` its columns.
    """

    windows: Windows | None
    sums: Mapping[str, Mapping[str, Any]]
    reasons: Mapping[str, str]
    rows: Mapping[str, int]
    parts: Mapping[str, Any] = field(default_factory=dict)


def measures() -> Mapping[str, Measure]:
    """Return metric -> how it is measured, in the order of measures.yaml; the plan's own metrics come last.

    >>> measures()["mau_rate"].owner
    'data'
    """
    own_ones = {m.id: Measure(m.id, m.form, "own", m.tables, m.window_days or 0, "", "own", "data") for m in in_force()}
    return {**_shipped(), **own_ones}


@cache
def _shipped() -> Mapping[str, Measure]:
    import yaml

    text = (resources.files("planlib") / "data" / "measures.yaml").read_text(encoding="utf-8")
    found = yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    return {
        metric: Measure(
            metric,
            entry.get("form", ""),
            entry.get("reading", ""),
            tuple(entry.get("needs", ())),
            entry.get("history", 0),
            entry.get("feeds", ""),
            entry["export"],
            found["exports"][entry["export"]],
        )
        for metric, entry in found["metrics"].items()
    }


def period(engine: Engine, *, as_of: dt.date | None = None) -> tuple[dt.date, dt.date] | None:
    """Return the first and the last day that the tables tell of; None when they are empty.

    Args:
        as_of: the last day, in place of the newest in the data.
    """
    dated = [
        f"SELECT CAST(MIN(t.{table.day}) AS DATE) AS a, CAST(MAX(t.{table.day}) AS DATE) AS b FROM {name} t"
        for name in engine.loaded
        if (table := TABLES[name]).day and name not in _UNDATED
    ]
    if not dated:
        return None
    found = engine.query(" UNION ALL ".join(dated)).rows()
    last = max((row["b"] for row in found if row["b"]), default=None)
    first = _first_day(engine, [row["a"] for row in found if row["a"]])
    if last is None or first is None:
        return None
    return first, as_of or last


def _first_day(engine: Engine, firsts: Sequence[dt.date]) -> dt.date | None:
    """Return the first day of what is recorded as it happens; people may have joined long before."""
    days = [engine.query(text).one()["a"] for name, text in _RUNNING.items() if name in engine.loaded]
    return min((day for day in days if day), default=min(firsts, default=None))


def collect(engine: Engine, *, as_of: dt.date | None = None, quality: Quality | None = None) -> Collected:
    """Ask the tables every question of the baseline.

    Args:
        engine: the tables.
        as_of: the last day, in place of the newest in the data.
        quality: the quality report, which tells completeness and timeliness.
    """
    days = period(engine, as_of=as_of)
    rows = {name: engine.rows(name) for name in engine.loaded}
    if days is None:
        return Collected(None, {}, {m.metric: _reason(m, rows, 0) or "no_rows" for m in measures().values()}, rows)
    windows = Windows(days[1], days[0])
    parameters = windows.parameters()
    for name in ("people", "sold", "acted", "bought"):
        engine.keep(name, parameters)
    parts: dict[str, Any] = {name: engine.query(name, parameters).rows() for name in _TEXTS}
    parts["leaving"] = engine.query("leaving", parameters).arrays()
    found = _sums(parts, windows) | _of_quality(quality)
    sums, reasons = {}, {}
    missing = {}
    for metric in in_force():
        said = own.measured(engine, metric, windows, found)
        (missing if isinstance(said, str) else found)[metric.id] = said
    for metric, measure in measures().items():
        reason = _reason(measure, rows, windows.history) or missing.get(metric, "")
        if reason or metric not in found:
            reasons[metric] = reason or "no_rows"
        else:
            sums[metric] = found[metric]
    return Collected(windows, sums, reasons, rows, parts)


def _reason(measure: Measure, rows: Mapping[str, int], history: int) -> str:
    if not measure.form:
        return "not_in_tables"
    if any(not rows.get(name) for name in measure.needs):
        return "no_rows"
    return "history_too_short" if history < measure.history else ""


_TEXTS = (
    "states", "cohorts", "joiners", "sales", "repeats", "sales_daily", "organisation", "tagged",
    "groups_daily", "groups_by_owner", "articles", "reads_daily", "followers", "visits_daily", "spend", "audits",
    "service", "content_buyers", "opens",
)  # fmt: skip


def _sums(parts: Mapping[str, Any], windows: Windows) -> dict[str, dict[str, Any]]:
    """Return the sums of every metric that the parts can tell; whether they may be told is decided elsewhere."""
    found: dict[str, dict[str, Any]] = {}
    for made in (_of_people, _of_cohorts, _of_sales, _of_groups, _of_content, _of_costs, _of_checks):
        found |= made(parts, windows)
    return {metric: sums for metric, sums in found.items() if None not in sums.values()}


def _of_people(parts: Mapping[str, Any], windows: Windows) -> dict[str, dict[str, Any]]:
    states = parts["states"]
    listed = _total(states, after=("active", "quiet", "dormant"))
    slept = _total(states, before=("dormant",), after=("active", "quiet", "dormant"))
    woken = _total(states, before=("dormant",), after=("active", "quiet"))
    were_active = _total(states, before=("active",), after=("active", "quiet", "dormant", "gone"))
    joined = by_day(parts["joiners"], "joined_on", "people", windows.first, windows.as_of)
    staff = sum(1 for row in parts["organisation"] if row["listed"])
    left, seen = _months_left(parts["leaving"], windows)
    return {
        "private_domain_users": {"value": listed, "n": listed},
        "mau_rate": {"successes": _total(states, after=("active",)), "n": listed},
        "dormant_share": {"successes": _total(states, after=("dormant",)), "n": listed},
        "reactivation_rate": {"successes": woken, "n": slept},
        "retention_rate": {"successes": _total(states, before=("active",), after=("active",)), "n": were_active},
        "new_users_monthly": {"total": sum(joined[-PERIOD_DAYS:]), "days": joined},
        "churn_rate": {"successes": left, "n": seen},
        "users_per_operator": {"value": listed / staff if staff else None, "n": staff},
        "user_conversion_rate": {"successes": sum(row["bought_now"] for row in parts["organisation"]), "n": listed},
        "tag_coverage": {"successes": parts["tagged"][0]["tagged"] or 0, "n": listed},
        "message_open_rate": {"successes": parts["opens"][0]["opened"], "n": parts["opens"][0]["delivered"]},
    }


def _of_cohorts(parts: Mapping[str, Any], windows: Windows) -> dict[str, dict[str, Any]]:
    def old(days: int) -> list[Mapping[str, Any]]:
        return [row for row in parts["cohorts"] if (windows.until - row["joined_on"]).days >= days]

    def share(above: str, days: int, below: str = "joined") -> dict[str, Any]:
        return {"successes": sum(row[above] for row in old(days)), "n": sum(row[below] for row in old(days))}

    repeats = parts["repeats"]
    return {metric: share(above, days) for metric, (above, days) in _COHORT_METRICS.items()} | {
        "activation_rate": share("activated", WOKEN_DAYS, "silent_three_days"),
        "first_purchase_rate": share("ordered_90", 91),
        "repurchase_rate": {
            "successes": sum(row["people"] for row in repeats if row["next_on"]),
            "n": sum(row["people"] for row in repeats),
        },
    }


def _of_sales(parts: Mapping[str, Any], windows: Windows) -> dict[str, dict[str, Any]]:
    row = {name: int(value or 0) for name, value in parts["sales"][0].items()}
    n, orders, fen, oo, of, ff = (row[name] for name in ("buyers", *_SUMS))
    now, daily = row["buyers_now"], parts["sales_daily"]
    counts = by_day(daily, "day", "orders", windows.first, windows.as_of)
    found = {
        "aov": {"n": n, "x": orders, "y": fen, "xx": oo, "xy": of, "yy": ff, "scale": 0.01},
        "ltv": {"n": n, "x": n, "y": fen, "xx": n, "xy": fen, "yy": ff, "scale": 0.01},
        "gmv": {"value": row["fen_now"] / 100, "n": row["orders_now"]},
        "orders": {"total": row["orders_now"], "days": counts},
        "orders_per_buyer": {
            "n": now, "x": now, "y": row["orders_now"], "xx": now, "xy": row["orders_now"],
            "yy": row["orders_orders_now"],
        },
        "new_customer_share": {
            "n": now, "x": row["fen_now"], "y": row["new_fen"], "xx": row["fen_fen_now"], "xy": row["new_fen_fen"],
            "yy": row["new_fen_fen"],
        },
    }  # fmt: skip
    sold = {r["day"]: r["orders"] for r in daily}
    visits = [(r["visitors"], sold.get(r["day"], 0)) for r in parts["visits_daily"] if r["day"] >= windows.back(30)]
    return found | {"traffic_conversion_rate": products(visits)}


def _of_groups(parts: Mapping[str, Any], windows: Windows) -> dict[str, dict[str, Any]]:
    days = [
        {name: row[f"{name}_all"] if row[f"{name}_all"] is not None else row[f"{name}_owners"]
         for name in ("groups", "members", "speaking")}
        for row in parts["groups_daily"]
    ]  # fmt: skip
    spoke = [(int(d["members"]), int(d["speaking"])) for d in days[-PERIOD_DAYS:] if None not in d.values()]
    groups = next((d["groups"] for d in reversed(days) if d["groups"] is not None), None)
    return {"communities": {"value": groups}, "community_speaking_rate": products(spoke)}


def _of_content(parts: Mapping[str, Any], windows: Windows) -> dict[str, dict[str, Any]]:
    posts = [(int(row["reads"]), int(row["likes"] + row["comments"] + row["shares"])) for row in recent(parts, windows)]
    reads = by_day(parts["reads_daily"], "day", "reads", windows.first, windows.as_of)
    readers = sum(row["readers"] or 0 for row in parts["reads_daily"] if row["day"] >= windows.back(PERIOD_DAYS))
    bought = parts["content_buyers"][0]["content_buyers"]
    followers = parts["followers"][0]["followers"] if parts["followers"] else None
    found: dict[str, dict[str, Any]] = {
        "content_engagement_rate": products(posts),
        "article_reads": {"total": sum(reads[-PERIOD_DAYS:]), "days": reads},
        "followers": {"value": followers},
    }
    if readers >= bought:
        found["content_conversion_rate"] = {"successes": bought, "n": readers}
    return found


def _of_costs(parts: Mapping[str, Any], windows: Windows) -> dict[str, dict[str, Any]]:
    spend = parts["spend"]
    first, until = windows.back(PERIOD_DAYS), windows.until
    paid = {row["channel_id"] for row in spend if row["fen"] > 0 and is_media(row)}
    media = spent([row for row in spend if is_media(row)], first, until)
    content = [row for row in spend if is_content(row)]
    joined = [row for row in parts["joiners"] if row["joined_on"] >= first]
    new = sum(row["people"] for row in joined)
    free = sum(row["people"] for row in joined if row["channel_id"] not in paid)
    listed = _total(parts["states"], after=("active", "quiet", "dormant"))
    daily = by_day(parts["joiners"], "joined_on", "people", windows.first, windows.as_of)
    return {
        "cac": {"spend": media, "events": new, "days": daily},
        "organic_share": {"successes": free, "n": new},
        "contact_cost": {"value": spent(spend, first, until) / listed if listed else None, "n": listed},
        "content_cost": {"value": spent(content, first, until) if content else None},
    }


def is_media(row: Mapping[str, Any]) -> bool:
    """Whether an amount buys new users; the sheet's type is media unless it says otherwise."""
    return str(row["cost_type"]).lower() in ("media", "ads", "acquisition", "coupon", "投放", "广告", "获客")


def is_content(row: Mapping[str, Any]) -> bool:
    """Whether an amount makes content."""
    return str(row["cost_type"]).lower() in ("content", "内容", "内容制作")


def _of_checks(parts: Mapping[str, Any], windows: Windows) -> dict[str, dict[str, Any]]:
    found = {}
    for metric, kind in _AUDITED.items():
        rows = [row for row in parts["audits"] if row["audit_kind"] == kind]
        if rows:
            found[metric] = {"successes": sum(r["correct"] for r in rows), "n": sum(r["checks"] for r in rows)}
    served = [row for row in parts["service"] if row["day"] >= windows.back(PERIOD_DAYS)]
    if served:
        totals = {"successes": sum(row["satisfied"] for row in served), "n": sum(row["customers"] for row in served)}
        found["satisfaction_rate"] = totals
    return found


def _of_quality(quality: Quality | None) -> dict[str, dict[str, Any]]:
    scores = [(metric, quality.score(name)) for metric, name in _SCORED.items()] if quality else []
    return {metric: {"value": score.value, "n": score.n} for metric, score in scores if score.value is not None}


# ---- rows for tables and charts


def cohort_months(
    cohorts: Sequence[Mapping[str, Any]], windows: Windows, *, least: int = 0
) -> dict[str, list[Any]]:
    """Return month of joining, people who joined, who acted at each of `AGES`, and whether all are that old.

    Months in which fewer than `least` people joined are left out. With no month left, or none whole yet, all days of
    the data stand together.
    """
    spans = {(begin, end): [row for row in cohorts if begin <= row["joined_on"] < end]
             for begin, end in pairwise(month_begins(windows))}  # fmt: skip
    spans = {span: rows for span, rows in spans.items() if sum(row["joined"] for row in rows) >= least}
    if not spans:
        spans = {(windows.first, windows.until): [row for row in cohorts if windows.first <= row["joined_on"]]}
    found: dict[str, list[Any]] = {"month": [], "joined": [], "retained": [], "mature": []}
    for (begin, end), rows in spans.items():
        found["month"].append(begin)
        found["joined"].append(sum(row["joined"] for row in rows))
        found["retained"].append([sum(row[f"day_{age}"] for row in rows) for age in AGES])
        found["mature"].append([(windows.until - end).days >= age + AGE_SPAN - 1 for age in AGES])
    return found


def community_weeks(
    rows: Iterable[Mapping[str, Any]], windows: Windows, *, most: int = 39, least: int = 8
) -> dict[str, dict[str, Any]]:
    """Return owner -> members now, and by week, oldest first, the share that speaks in a day and the share that leaves.

    Who left follows from totals and joiners where the source does not count it. Of each owner the last weeks without
    a gap are taken, at most `most`; owners with fewer than `least` are left out.
    """
    since = windows.back(7 * most)
    days: dict[str, list[Mapping[str, Any]]] = {}
    for row in rows:
        if row["members_total"] and row["members_active"] is not None:
            days.setdefault(row["owner_id"], []).append(row)
    found = {}
    for owner, seen in days.items():
        sums = np.zeros((4, most))
        for before, row in pairwise(seen):
            week = (row["day"] - since).days // 7
            if 0 <= week < most:
                lost = row["lost_members"]
                if lost is None:
                    lost = max(before["members_total"] + (row["new_members"] or 0) - row["members_total"], 0)
                sums[:, week] += [row["members_active"], row["members_total"], lost, 1]
        empty = np.flatnonzero(sums[3] == 0)
        speaking, members, lost, told = sums[:, empty[-1] + 1 if len(empty) else 0 :]
        if len(told) >= least:
            found[owner] = {
                "members": int(seen[-1]["members_total"]),
                "speaking": (speaking / members).tolist(),
                "leaving": (lost * told / members).tolist(),
            }
    return found


# ---- small arithmetic on rows


def by_day(rows: Iterable[Mapping[str, Any]], day: str, value: str, first: dt.date, last: dt.date) -> list[int]:
    """Return one total for each day from first to last; 0 where there is no row."""
    totals = [0] * max((last - first).days + 1, 0)
    for row in rows:
        at = (row[day] - first).days
        if 0 <= at < len(totals):
            totals[at] += int(row[value] or 0)
    return totals


def products(pairs: Sequence[tuple[int, int]]) -> dict[str, int]:
    """Return the sums of a ratio: pairs of what stands below and above the line.

    >>> products([(2, 1), (4, 3)])
    {'n': 2, 'x': 6, 'y': 4, 'xx': 20, 'xy': 14, 'yy': 10}
    """
    return {
        "n": len(pairs),
        "x": sum(x for x, _ in pairs),
        "y": sum(y for _, y in pairs),
        "xx": sum(x * x for x, _ in pairs),
        "xy": sum(x * y for x, y in pairs),
        "yy": sum(y * y for _, y in pairs),
    }


def spent(rows: Iterable[Mapping[str, Any]], first: dt.date, until: dt.date) -> float:
    """Return the yuan that fall on days from `first` to before `until`, an amount spread evenly over its days.

    >>> spent([{"day": dt.date(2026, 11, 2), "days": 7, "fen": 70_000}], dt.date(2026, 11, 4), dt.date(2026, 12, 1))
    500.0
    """
    total = 0.0
    for row in rows:
        days = max(int(row["days"] or 1), 1)
        begin, end = row["day"], row["day"] + dt.timedelta(days=days)
        inside = (min(end, until) - max(begin, first)).days
        total += row["fen"] * max(inside, 0) / days
    return total / 100


def recent(parts: Mapping[str, Any], windows: Windows) -> list[Mapping[str, Any]]:
    """Return the articles of the last 90 days that are at least a week old and were read."""
    last = windows.until - dt.timedelta(days=7)
    return [
        row for row in parts["articles"] if windows.back(QUARTER_DAYS) <= row["published_on"] < last and row["reads"]
    ]


def months_left(leaving: Mapping[str, np.ndarray], windows: Windows) -> list[dict[str, Any]]:
    """Return who was listed when a month began and who of them left in it, for complete months, oldest first.

    Args:
        leaving: columns joined_on, left_on (masked where still listed) and people.
    """
    begins = month_begins(windows)
    joined, people = np.asarray(leaving["joined_on"], dtype="M8[D]"), np.asarray(leaving["people"])
    left = np.ma.filled(np.ma.asarray(leaving["left_on"]).astype("M8[D]"), np.datetime64("9999-12-31"))
    found = []
    for begin, end in pairwise(begins):
        there = (joined < np.datetime64(begin)) & (left >= np.datetime64(begin))
        gone = there & (left < np.datetime64(end))
        found.append({"month": begin, "listed": int(people[there].sum()), "left": int(people[gone].sum())})
    return found


def monthly(parts: Mapping[str, Any], windows: Windows) -> dict[str, list[tuple[dt.date, float]]]:
    """Return the level of each complete month, oldest first, of the metrics that can be told by month.

    Counts are put on 30 days; a cohort's month is told once all who joined in it are old enough.
    """
    begins = month_begins(windows)
    found: dict[str, list[tuple[dt.date, float]]] = {}
    joined = by_day(parts["joiners"], "joined_on", "people", windows.first, windows.as_of)
    orders = by_day(parts["sales_daily"], "day", "orders", windows.first, windows.as_of)
    fen = by_day(parts["sales_daily"], "day", "fen", windows.first, windows.as_of)
    reads = by_day(parts["reads_daily"], "day", "reads", windows.first, windows.as_of)
    left = {row["month"]: (row["left"], row["listed"]) for row in months_left(parts["leaving"], windows)}

    def told(metric: str, month: dt.date, above: float, below: float) -> None:
        if below:
            found.setdefault(metric, []).append((month, above / below))

    for begin, end in pairwise(begins):
        days = slice((begin - windows.first).days, (end - windows.first).days)
        length = (end - begin).days / PERIOD_DAYS
        for metric, counts in (("new_users_monthly", joined), ("orders", orders), ("article_reads", reads)):
            if any(counts):
                told(metric, begin, sum(counts[days]), length)
        if any(orders):
            told("gmv", begin, sum(fen[days]) / 100, length)
        told("aov", begin, sum(fen[days]) / 100, sum(orders[days]))
        told("churn_rate", begin, *left[begin])
        for metric, (above, days_needed) in _COHORT_METRICS.items():
            if (windows.until - end).days >= days_needed:
                rows = [row for row in parts["cohorts"] if begin <= row["joined_on"] < end]
                told(metric, begin, sum(row[above] for row in rows), sum(row["joined"] for row in rows))
    return found


def month_begins(windows: Windows) -> list[dt.date]:
    """Return the first days of the complete months, at most `MONTHS`, and the day after the last; oldest first."""
    begins = [windows.until.replace(day=1)]
    while len(begins) <= MONTHS and (before := _month_before(begins[-1])) >= windows.first:
        begins.append(before)
    return begins[::-1]


def _month_before(first: dt.date) -> dt.date:
    return (first - dt.timedelta(days=1)).replace(day=1)


def _months_left(leaving: Mapping[str, np.ndarray], windows: Windows) -> tuple[int, int]:
    months = months_left(leaving, windows)
    return sum(m["left"] for m in months), sum(m["listed"] for m in months)


def _total(rows: Iterable[Mapping[str, Any]], **states: tuple[str, ...]) -> int:
    return sum(row["people"] for row in rows if all(row[name] in allowed for name, allowed in states.items()))
