"""Conflicts as plain rows for tables and charts: names in both languages, numbers in full."""

from __future__ import annotations

from typing import Any

from planlib.consistency import conflict_words as say
from planlib.consistency.conflicts import Analysis, Change, Conflict
from planlib.consistency.finding import CONTRADICTION
from planlib.consistency.system import Rule
from planlib.core.words import LOCALES, words

SET_COLUMNS = ("id", "level", "first_zh", "first_en", "due", "goal", "reach", "unit", "missed", "others_zh",
               "others_en", "members", "sources")  # fmt: skip
CHANGE_COLUMNS = ("what_zh", "what_en", "kind", "now", "needed", "factor", "best", "unit", "best_unit")
PART_COLUMNS = ("part_zh", "part_en", "level", "times", "brings", "unit", "goal_unit")
_MOST_CARDS = 4
_FIRST = ("inflow", "month", "opening", "outflow")  # what a planner thinks of first


def main_conflict(analysis: Analysis) -> Conflict | None:
    """Return the conflict to be shown: the smallest that holds under any reading, else the smallest; None: none."""
    certain = [conflict for conflict in analysis.conflicts if conflict.level == CONTRADICTION]
    return next(iter(certain or analysis.conflicts), None)


def set_rows(analysis: Analysis) -> list[dict[str, Any]]:
    """Return the conflict sets as rows of SET_COLUMNS, those that hold under any reading first, then by size."""
    found = sorted(analysis.conflicts, key=lambda conflict: conflict.level != CONTRADICTION)
    return [_set_row(analysis, conflict) for conflict in found]


def _set_row(analysis: Analysis, conflict: Conflict) -> dict[str, Any]:
    chain, (first, *others) = analysis.chain(conflict), conflict.rules
    sources = dict.fromkeys(s for rule in conflict.rules for s in rule.sources if s != "assumption")
    return {
        "id": conflict.id,
        "level": conflict.level,
        **_both("first", first),
        "due": float(first.due) if first.due else None,
        "goal": chain.goal,
        "reach": chain.reach,
        "unit": first.unit,
        "missed": chain.cost,
        **_listed("others", others),
        "members": float(len(conflict.rules)),
        "sources": ", ".join(sources),
    }


def change_rows(analysis: Analysis, conflict: Conflict) -> list[dict[str, Any]]:
    """Return what each figure alone would have to be as rows of CHANGE_COLUMNS, with what the plan loses meanwhile."""
    loss = analysis.with_loss(conflict)
    found = loss.changes if loss else analysis.changes(conflict)
    ordered = sorted(found, key=lambda change: _rank(change, conflict))
    return [_change_row(change) for change in ordered]


def cards(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the rows that stand on cards."""
    return rows[:_MOST_CARDS]


def nearest_rows(analysis: Analysis) -> list[dict[str, Any]]:
    """Return what gives way in the nearest plan as rows of CHANGE_COLUMNS."""
    return [_change_row(change) for change in analysis.nearest()]


def part_rows(analysis: Analysis, conflict: Conflict) -> list[dict[str, Any]]:
    """Return what adds up to the reach of a conflict as rows of PART_COLUMNS; all in one where it is no sum."""
    chain = analysis.chain(conflict)
    unit = chain.rule.unit
    if not chain.parts:
        rest = {f"part_{locale}": words(locale).text("conflicts.charts.others") for locale in LOCALES}
        return [{**rest, "level": chain.reach, "times": 1.0, "brings": chain.reach, "unit": unit, "goal_unit": unit}]
    return [
        {**_both("part", part.rule), "level": part.level, "times": part.weight, "brings": part.value,
         "unit": part.rule.unit, "goal_unit": unit}
        for part in chain.parts
    ]  # fmt: skip


def second(conflict: Conflict) -> dict[str, Any] | None:
    """Return name, level and unit of the other member of a pair that states one level; None for any other set."""
    if len(conflict.rules) != 2 or len({side.level for side in conflict.rules[1].sides}) != 1:
        return None
    rule = conflict.rules[1]
    return {**_both("second", rule), "level": rule.sides[0].level, "unit": rule.unit}


def _rank(change: Change, conflict: Conflict) -> tuple[bool, int]:
    kind = "month" if change.month else change.rule.role
    mine = change.rule is conflict.rules[0] and not change.month
    return mine, _FIRST.index(kind) if kind in _FIRST else len(_FIRST)


def _change_row(change: Change) -> dict[str, Any]:
    rule = change.rule
    due = {f"what_{locale}": words(locale).text("conflicts.charts.due") for locale in LOCALES}
    named = due if change.month and rule.role != "calendar" else _both("what", rule)
    grows = change.to is not None and 0 < change.now < change.to and not change.month
    return {
        **named,
        "kind": "month" if change.month else "level",
        "now": change.now,
        "needed": change.to,
        "factor": change.to / change.now if grows else None,
        "best": change.best,
        "unit": "month" if change.month else rule.unit,
        "best_unit": change.best_unit,
    }


def _both(stem: str, rule: Rule) -> dict[str, str]:
    return {f"{stem}_{locale}": say.name(words(locale), rule, inside=False) for locale in LOCALES}


def _listed(stem: str, rules: list[Rule]) -> dict[str, str]:
    found = {}
    for locale in LOCALES:
        w = words(locale)
        names = (say.name(w, rule, inside=at > 0) for at, rule in enumerate(rules))
        found[f"{stem}_{locale}"] = w.text("consistency.comma").join(names)
    return found
