"""Money, productivity, the market, the brand and the data themselves: what a review watches beside its metrics.

As in `planlib.reviewing`, plan and tables in, arguments or results of `planlib.review` out; notebook 80 stands on both.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from planlib.data.baseline import Collected, by_day, is_content, is_media, spent
from planlib.funnel.model import Drivers, run
from planlib.plan import inputs, uncertain
from planlib.review import alarms, costs, productivity, scorecard
from planlib.reviewing import FALSE_ALARMS_A_YEAR, Watched, whole_months

if TYPE_CHECKING:
    from planlib.data.engine import Engine
    from planlib.plan import Plan

DOWNTURN = 0.75  # what is left of a figure: conversion fell by a quarter in a downturn (P5.1a)
EXPOSED = ("conversion", "intake", "repeat_rate", "aov")  # figures that the market moves
BRAND = ("brand_search_volume", "brand_mentions", "brand_awareness", "brand_rank")
MARGIN = 0.03  # within which a survey is to tell a share
_LEAST_MONTHS = 3


# ---- costs


def cost_lines(
    plan: Plan, found: Collected, joins: Sequence[Mapping[str, Any]], month: tuple[dt.date, dt.date], *,
    before: tuple[dt.date, dt.date] | None,
) -> list[costs.Spending]:  # fmt: skip
    """Return what each channel cost in a month and whom it brought, beside the plan's month or another one.

    Channels that cost nothing on either side are left out.

    Args:
        joins: rows of the text `channel_joins`.
        month: its first and last day.
        before: the month to hold it against; None for the plan's own month.
    """
    media = [row for row in found.parts["spend"] if is_media(row)]

    def was(span: tuple[dt.date, dt.date], channel: str) -> tuple[float, float]:
        rows = [row for row in media if row["channel_id"] == channel]
        people = sum(r["people"] for r in joins if r["channel_id"] == channel and span[0] <= r["day"] <= span[1])
        return spent(rows, span[0], span[1] + dt.timedelta(days=1)), float(people)

    names = list(dict.fromkeys([*(c.id for c in plan.channels), *(row["channel_id"] for row in media)]))
    planned = {} if before else planned_costs(plan, month[0])
    lines = []
    for name in names:
        old = was(before, name) if before else planned.get(name, (0.0, 0.0))
        new = was(month, name)
        if old[0] or new[0]:
            lines.append(
                costs.Spending(
                    line=name, unit="users", planned_cny=old[0], planned_output=old[1], actual_cny=new[0],
                    actual_output=new[1], counted=before is not None,
                )
            )  # fmt: skip
    return lines


def planned_costs(plan: Plan, first: dt.date) -> dict[str, tuple[float, float]]:
    """Return channel -> (CNY, new users) of the plan's month that begins on a day, channels with a cost only."""
    place = (first.year - int(plan.start[:4])) * 12 + first.month - int(plan.start[5:])
    joined = inputs.intake_matrix(plan)[place]
    return {
        channel.id: (float(channel.cac.central * people), float(people))
        for channel, people in zip(plan.channels, joined, strict=True)
        if channel.cac is not None and channel.cac.central > 0
    }


def private_domain_return(found: Collected, gmv_cny: float, month: tuple[dt.date, dt.date]) -> float | None:
    """Return the GMV of contacts in a month over all costs that the sheet has of it; None without costs."""
    paid = spent(found.parts["spend"], month[0], month[1] + dt.timedelta(days=1))
    return gmv_cny / paid if paid > 0 else None


@dataclass(frozen=True, eq=False)
class WeeklyCost:
    """What a new user cost week by week over all channels that cost money.

    Attributes:
        first: day of the first week.
        cny: (W,) a user; NaN in weeks without new users or without costs.
        odd: (W,) robust standard deviations from the middle; NaN as above.
        watched: EWMA chart that listens to rises.
    """

    first: dt.date
    cny: np.ndarray
    odd: np.ndarray
    watched: Watched


def weekly_cost(found: Collected, joins: Sequence[Mapping[str, Any]]) -> WeeklyCost | None:
    """Return the weekly cost of a new user; None without costs of channels or with fewer than three weeks of them."""
    windows = found.windows
    media = [row for row in found.parts["spend"] if is_media(row)]
    paid = {row["channel_id"] for row in media}
    weeks = windows.history // 7
    if not media or weeks < 3:
        return None
    money, people = np.zeros(weeks), np.zeros(weeks)
    first = windows.until - dt.timedelta(days=7 * weeks)
    for k in range(weeks):
        begin, end = first + dt.timedelta(days=7 * k), first + dt.timedelta(days=7 * k + 7)
        money[k] = spent(media, begin, end)
        people[k] = sum(row["people"] for row in joins if row["channel_id"] in paid and begin <= row["day"] < end)
    known = (money > 0) & (people > 0)
    if known.sum() < 3:
        return None
    each = np.where(known, money / np.maximum(people, 1), np.nan)
    odd = np.full(weeks, np.nan)
    odd[known] = costs.oddness(np.log(each[known]))
    chart = alarms.watch(
        np.log(np.where(known, each, 1.0)), kind="ewma", side=alarms.RISES, run_length=52.0 / FALSE_ALARMS_A_YEAR,
        learn=12, quiet=6, missing=~known,
    )  # fmt: skip
    return WeeklyCost(first, each, odd, Watched("user_cost", "", 7, first, chart))


# ---- productivity


def works(found: Collected) -> list[productivity.Work]:
    """Return what acquisition, content, sales and all together make and use in the whole months of the data.

    Outputs are valued at what one cost, or sold for, over all those months. Functions that lack an output or a cost in
    some month are left out, and with fewer than three months all.
    """
    windows = found.windows
    months = whole_months(windows)
    if len(months) < _LEAST_MONTHS:
        return []
    span = (windows.first, windows.as_of)
    daily = {
        "users": by_day(found.parts["joiners"], "joined_on", "people", *span),
        "reads": by_day(found.parts["reads_daily"], "day", "reads", *span),
        "orders": by_day(found.parts["sales_daily"], "day", "orders", *span),
    }
    sold = sum(by_day(found.parts["sales_daily"], "day", "fen", *span)) / 100
    places = [slice((a - windows.first).days, (b - windows.first).days + 1) for a, b in months]
    made = {name: np.array([sum(counts[p]) for p in places], dtype=float) for name, counts in daily.items()}
    rows = found.parts["spend"]
    kinds = {
        "users": [row for row in rows if is_media(row)],
        "reads": [row for row in rows if is_content(row)],
        "orders": [row for row in rows if not is_media(row) and not is_content(row)],
    }
    used = {name: np.array([spent(own, a, b + dt.timedelta(days=1)) for a, b in months]) for name, own in kinds.items()}
    known = [name for name in daily if (made[name] > 0).all() and (used[name] > 0).all()]
    worth = {name: used[name].sum() / made[name].sum() for name in known}
    if "orders" in known:
        worth["orders"] = sold / max(sum(daily["orders"]), 1)
    names = {"users": "acquisition", "reads": "content", "orders": "sales"}
    groups = [(names[name], [name]) for name in known] + ([("all", known)] if len(known) > 1 else [])
    return [
        productivity.Work(
            label, tuple(own), ("CNY",) * len(own), np.column_stack([made[n] for n in own]),
            np.array([worth[n] for n in own]), np.column_stack([used[n] for n in own]), np.ones(len(own)),
            tuple(np.column_stack([np.array(daily[n][p], dtype=float) for n in own]) for p in places),
        )
        for label, own in groups
    ]  # fmt: skip


# ---- the market


@dataclass(frozen=True, slots=True)
class Stress:
    """What a worse market does to the plan.

    Attributes:
        driver: figure of `EXPOSED` that falls by a quarter.
        before, after: its level; of intake people a month over all channels.
        unit: of the level.
        gmv: GMV of the whole plan, CNY; lost_gmv: of it.
        lost_users: users at the plan's end.
    """

    driver: str
    before: float
    after: float
    unit: str
    gmv: float
    lost_gmv: float
    lost_users: float


def stresses(plan: Plan) -> list[Stress]:
    """Return what the plan loses when each figure that the market moves falls by a quarter, the worst first."""
    centre, places = uncertain.central(plan), uncertain.drivers(plan)
    units = {"intake": "users_per_month", "aov": "CNY_per_order"}
    found = []
    for driver in EXPOSED:
        own = places.get(driver, ())
        if not own or not any(centre[place] for place in own):
            continue
        values = {place: np.array([centre[place], DOWNTURN * centre[place]]) for place in own}
        metrics = run(Drivers(**uncertain.arguments(plan, values))).metrics
        gmv = np.broadcast_to(metrics["gmv"].sum(axis=1), 2)
        users = np.broadcast_to(metrics["private_domain_users"][:, -1], 2)
        level = sum(centre[place] for place in own) if driver == "intake" else centre[own[0]]
        found.append(
            Stress(
                driver, float(level), float(DOWNTURN * level), units.get(driver, "ratio"), float(gmv[0]),
                float(gmv[0] - gmv[1]), float(users[0] - users[1]),
            )
        )  # fmt: skip
    return sorted(found, key=lambda one: (-round(one.lost_gmv), EXPOSED.index(one.driver)))


# ---- the brand


@dataclass(frozen=True, slots=True)
class BrandGoal:
    """A goal of the brand.

    Attributes:
        metric, unit, goal: of the plan; a growth is a relative_change.
        due_month: of the plan; None without.
        monthly: growth a month that reaches it; None where it is no growth.
        due_now: index due by now, 1 when the plan began; None where it is no growth or has no date.
        answers: that a survey needs to tell the share within three points; None where it is no share.
    """

    metric: str
    unit: str
    goal: float
    due_month: int | None
    monthly: float | None
    due_now: float | None
    answers: int | None


def brand_goals(plan: Plan, month: float) -> list[BrandGoal]:
    """Return the plan's goals of the brand; `month` is how many of its months are over."""
    found = []
    for goal in inputs.goals(plan):
        if goal["metric"] not in BRAND:
            continue
        monthly = due = answers = None
        if goal["unit"] == "relative_change" and goal["due_month"]:
            monthly, _ = scorecard.growth_path(goal["goal"], goal["due_month"])
            due = (1 + monthly) ** min(month, goal["due_month"])
        elif goal["unit"] == "ratio" and 0 < goal["goal"] < 1:
            answers = scorecard.answers_needed(goal["goal"], MARGIN)
        found.append(BrandGoal(goal["metric"], goal["unit"], goal["goal"], goal["due_month"], monthly, due, answers))
    return found


# ---- the data


def missing_days(engine: Engine, first: dt.date, last: dt.date) -> tuple[np.ndarray, np.ndarray]:
    """Return (D,) of how many tables a row was due on each day, and (D,) how many of them lack it.

    A table with a row a day is due from its first day on.
    """
    from planlib.data.schema import TABLES

    days = (last - first).days + 1
    due, gone = np.zeros(days), np.zeros(days)
    for name, table in TABLES.items():
        if not table.daily or name not in engine.loaded:
            continue
        rows = engine.query(f'SELECT DISTINCT CAST("{table.day}" AS DATE) AS day FROM {name}').rows()
        there = {(row["day"] - first).days for row in rows if row["day"]}
        begin = max(min(there, default=days), 0)
        due[begin:] += 1
        gone[begin:] += [place not in there for place in range(begin, days)]
    return due, gone


def watch_data(due: np.ndarray, gone: np.ndarray, first: dt.date) -> Watched:
    """Watch the share of tables that lack their row of the day; it may cry falsely once a year."""
    known = due > 0
    chart = alarms.watch(
        alarms.steady_share(np.where(known, gone, 0.0), np.where(known, due, 1.0)), side=alarms.RISES,
        run_length=365.0 / FALSE_ALARMS_A_YEAR, missing=~known,
    )  # fmt: skip
    return Watched("missing_rows", "", 1, first, chart)
