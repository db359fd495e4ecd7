"""The figures of a plan as rows for people: what each is called, its value, and why it was assumed."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from operator import attrgetter
from typing import Any

from planlib.core.metrics import catalogue
from planlib.core.words import LOCALES, words
from planlib.plan.load import Plan, leaves
from planlib.plan.model import (
    Bilingual,
    Mitigated,
    Quantity,
    Response,
    Retention,
    Rule,
    ScheduleRisk,
    Smaller,
    Sourced,
    Statement,
    Tier,
)

GROUPED_FROM = 3  # rows of one kind from which on they share one row

_INDEX = re.compile(r"\[\d+\]")
_UNITS = {
    "baseline.opening_users": "users",
    "baseline.opening_active_share": "ratio",
    "baseline.aov": "CNY_per_order",
    "baseline.total_gmv": "CNY",
    "baseline.gross_margin": "ratio",
    "users.churn": "ratio",
    "users.staying_active": "ratio",
    "users.waking": "ratio",
    "users.conversion": "ratio",
    "users.repurchase": "ratio",
    "users.orders_per_repeat_buyer": "count",
    "users.referral.invites_per_user": "count",
    "users.referral.acceptance_rate": "ratio",
    "users.referral.cycle_days": "days",
    "channels[].intake": "users_per_month",
    "channels[].response": "users_per_month",
    "channels[].cac": "CNY_per_user",
    "budget.total": "CNY",
    "experiments[].baseline": "ratio",
    "experiments[].smallest_worth_having": "points",
    "experiments[].traffic_per_week": "people",
    "experiments[].traffic_four_weeks": "people",
    "experiments[].correlation": "number",
    "experiments[].effect_sd": "ratio",
    "experiments[].gmv_share": "ratio",
    "experiments[].cost": "CNY",
    "customers.discount": "ratio",
    "customers.tiers[].rights": "CNY",
    "customers.care.cost": "CNY",
    "customers.care.effect": "ratio",
    "customers.offer.cost": "CNY",
    "customers.offer.effect": "ratio",
    "schedule.tasks[].shorter.cost_per_day": "CNY",
    "schedule.tasks[].smaller": "days",
    "schedule.risks[].mitigated.cost": "CNY",
    "risks[].mitigated": "probability",
    "team.roles.*.cost_per_year": "CNY",
}
_PERIODS = {
    "channels[].intake": "month",
    "channels[].response": "month",
    "experiments[].traffic_per_week": "week",
    "schedule.tasks[].shorter.cost_per_day": "day",
    "team.roles.*.cost_per_year": "year",
}
_IN_GROUPS = (
    "channels[].response",
    "channels[].cac",
    "experiments[].",
    "customers.tiers[].rights",
    "schedule.tasks[].shorter.",
    "schedule.tasks[].smaller",
    "schedule.risks[].mitigated.",
    "risks[].mitigated",
    "team.roles.*.",
)


def rows(plan: Plan, paths: Iterable[str]) -> list[dict[str, Any]]:
    """Return one row for each place of the plan, whatever its source.

    Args:
        paths: places as `planlib.plan.leaves` names them, e.g. users.churn; missing ones are left out.

    Returns:
        Rows with path, label_zh, label_en, value, low, high, unit, period, why_zh, why_en, owner, source, count.
    """
    found = dict(leaves(plan.model))
    return [_row(plan, path, found[path]) for path in paths if path in found]


def assumptions(plan: Plan, *, grouped: bool = False) -> list[dict[str, Any]]:
    """Return a row, as `rows` describes it, for everything that the plan assumes.

    Args:
        grouped: figures of one kind (of experiments, roles, paid channels) share a row with their range; `count`
            says how many. Task durations and the chances of risks always do: they are estimates, whatever
            document names the task.
    """
    every = [_row(plan, path, leaf) for path, leaf in leaves(plan.model) if leaf.source == "assumption"]
    if grouped:
        every = list(_grouped(every))
    estimates = {"schedule.tasks": plan.schedule.tasks, "risks": plan.risks}
    return every + [_estimates(name, items) for name, items in estimates.items() if items]


def counts(plan: Plan) -> dict[str, int]:
    """Return how many of each thing a plan holds; `quantities` are the figures that models calculate with."""
    every = [leaf for _, leaf in leaves(plan.model)]
    quantities = [leaf for leaf in every if isinstance(leaf, Quantity)]
    return {
        "targets": len(plan.targets),
        "statements": sum(isinstance(leaf, Statement) for leaf in every),
        "quantities": len(quantities),
        "assumed": sum(leaf.source == "assumption" for leaf in quantities),
        "channels": len(plan.channels),
        "bands": len(plan.budget.bands),
        "experiments": len(plan.experiments),
        **{name: len(getattr(plan.schedule, name)) for name in ("stages", "tasks", "gates", "milestones")},
        "roles": len(plan.team.roles),
        "risks": len(plan.risks),
        "decisions": len(plan.decisions),
    }


def _kind(path: str) -> str:
    """Return a place without what names its row: channels[2].intake is channels[].intake."""
    kind = _INDEX.sub("[]", path)
    return re.sub(r"^(team\.roles|budget\.bands|ladders)\.[^.]+", r"\1.*", kind)


def _row(plan: Plan, path: str, leaf: Sourced) -> dict[str, Any]:
    kind = _kind(path)
    value, low, high, unit = _figures(kind, leaf)
    owner = getattr(leaf, "owner", None) or plan.model.plan.owner or ""
    return {
        "path": path,
        **_both("label", {locale: _label(plan, path, kind, leaf, locale) for locale in LOCALES}),
        "value": value,
        "low": low,
        "high": high,
        "unit": unit,
        "period": getattr(leaf, "period", None) or _PERIODS.get(kind, ""),
        **_both("why", _why(leaf)),
        "owner": owner,
        "source": leaf.source,
        "count": 1,
    }


def _both(stem: str, texts: Mapping[str, str]) -> dict[str, str]:
    return {f"{stem}_{locale}": texts[locale] for locale in LOCALES}


def _why(leaf: Sourced) -> dict[str, str]:
    said = leaf.why or leaf.note or ""
    return said.model_dump() if isinstance(said, Bilingual) else dict.fromkeys(LOCALES, said)


def _figures(kind: str, leaf: Sourced) -> tuple[float | None, float | None, float | None, str]:
    """Return central value, ends and unit; None for what is no single figure."""
    unit = _UNITS.get(kind, "number")
    if isinstance(leaf, Quantity):
        low, high = leaf.span or (None, None)
        return leaf.central, low, high, leaf.unit or (catalogue()[leaf.metric].unit if leaf.metric else unit)
    if isinstance(leaf, ScheduleRisk):
        return leaf.chance, None, None, "probability"
    if isinstance(leaf, Mitigated):
        return leaf.probability, None, None, "probability"
    if isinstance(leaf, Response):
        return leaf.ceiling, None, None, unit
    if isinstance(leaf, Retention):
        shares = sorted(leaf.points.values())
        return None, shares[0] if shares else None, shares[-1] if shares else None, "ratio"
    if isinstance(leaf, Rule):
        level = next((x for x in (leaf.at_most, leaf.at_least, leaf.each_channel_within) if x is not None), None)
        return level, None, None, catalogue()[leaf.metric].unit if leaf.metric else "ratio"
    if isinstance(leaf, Tier):
        return leaf.from_score if leaf.from_score is not None else leaf.share, None, None, "ratio"
    if isinstance(leaf, Smaller):
        return leaf.days or 0.0, None, None, unit
    if isinstance(leaf, Statement):
        unit = leaf.unit or catalogue()[leaf.metric].unit
        if isinstance(leaf.level, tuple):
            return None, *leaf.level, unit
        return leaf.level, None, None, unit
    return None, None, None, unit


def _label(plan: Plan, path: str, kind: str, leaf: Sourced, locale: str) -> str:
    w = words(locale)
    key = f"assumptions.label.{kind.replace('[]', '').replace('.*', '')}"
    owner = _named(plan, path, locale)
    if w.has(key):
        return w.text(key, name=owner) if owner else w.text(key)
    name = getattr(leaf, "name", None)
    if isinstance(name, Bilingual):
        return w.pick(name.model_dump())
    if isinstance(leaf, Statement):
        said = w.metric(leaf.metric)
        return w.text("assumptions.of_scope", metric=said, scope=leaf.scope) if leaf.scope else said
    return path


def _named(plan: Plan, path: str, locale: str) -> str:
    """Return the name of the channel, experiment, task, risk, role or ladder whose figure this is, or ""."""
    row = re.match(r"(channels|experiments|schedule\.tasks|schedule\.risks|risks|customers\.tiers)\[(\d+)\]", path)
    if row:
        item = attrgetter(row[1])(plan)[int(row[2])]
        return words(locale).pick((item.question if row[1] == "experiments" else item.name).model_dump())
    if path.startswith("ladders."):
        of = path.removeprefix("ladders.")
        return words(locale).metric(next((t.metric for t in plan.targets if t.id == of), of))
    role = re.match(r"team\.roles\.([^.]+)\.", path)
    return words(locale).pick(plan.team.roles[role[1]].name.model_dump()) if role else ""


def _grouped(every: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Yield rows in order, those of one kind merged where the first of them stands."""
    by_kind: dict[str, list[dict[str, Any]]] = {}
    for row in every:
        by_kind.setdefault(_kind(row["path"]), []).append(row)
    for row in every:
        kind = _kind(row["path"])
        same = by_kind[kind]
        if len(same) < GROUPED_FROM or not kind.startswith(_IN_GROUPS):
            yield row
        elif row is same[0]:
            yield _merged(kind, same)


def _merged(kind: str, same: list[dict[str, Any]]) -> dict[str, Any]:
    values = [x for row in same for x in (row["value"], row["low"], row["high"]) if x is not None]
    key = kind.replace("[]", "").replace(".*", "")
    one = len({row["why_zh"] for row in same}) == 1
    each = {locale: words(locale).text("assumptions.why_each") for locale in LOCALES}
    group = {locale: words(locale).text(f"assumptions.group.{key}", n=len(same)) for locale in LOCALES}
    return same[0] | {
        "path": kind,
        **_both("label", group),
        "value": None,
        "low": min(values),
        "high": max(values),
        "owner": same[0]["owner"] if len({row["owner"] for row in same}) == 1 else "",
        **({} if one else _both("why", each)),
        "count": len(same),
    }


def _estimates(name: str, items: Iterable[Any]) -> dict[str, Any]:
    """Return the one row for estimates typed beside sourced items."""
    items = list(items)
    values = [risk.probability for risk in items] if name == "risks" else [day for task in items for day in task.days]
    last = name.rpartition(".")[2]
    return {
        "path": name,
        **_both("label", {loc: words(loc).text(f"assumptions.group.{last}", n=len(items)) for loc in LOCALES}),
        "value": None,
        "low": float(min(values)),
        "high": float(max(values)),
        "unit": "probability" if name == "risks" else "days",
        "period": "",
        **_both("why", {loc: words(loc).text(f"assumptions.why_{last}") for loc in LOCALES}),
        "owner": "",
        "source": "assumption",
        "count": len(items),
    }
