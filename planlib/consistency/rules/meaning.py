"""Words that count several things."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from planlib.consistency.finding import Figure, Finding, Repair
from planlib.consistency.rules.made import ask, bilingual, level_of
from planlib.consistency.rules.stated import firm, number, place, ratio
from planlib.consistency.view import BASELINE, CASE, GOAL, STATISTIC, Said, View
from planlib.core.metrics import Metric, catalogue


def meaning(view: View) -> Iterator[Finding]:
    """R22: one word for several things: other denominators, people, windows.

    Test: figures of one family whose key (metric, denominator, population, window) differs or is open; one level
    told of two populations; a part larger than its whole. Level: question. Trap: the same figure in two sections is
    no difference, and figures with other keys are set side by side, never divided into a verdict.
    """
    families = dict.fromkeys(m.family for m in catalogue().values() if m.family and m.kind == "rate")
    for family in families:
        yield from _one_word(view, family)
    yield from _two_measures(view)
    yield from _two_populations(view)
    yield from _part_above_whole(view)


def _is_open(said: Said, windows: bool) -> bool:
    m, s = said.metric, said.statement
    return (m.divided and bool(m.denominator_readings) and s.denominator is None) or (
        windows and m.window is None and s.window_days is None
    )


def _key(said: Said) -> tuple:
    m, s = said.metric, said.statement
    return m.id, s.denominator, s.population, firm(said) if not m.denominator and not m.numerator else ""


def _one_word(view: View, family: str) -> Iterator[Finding]:
    members = [m for m in catalogue().values() if m.family == family]
    said = [s for s in view.of(*(m.id for m in members), level=False) if s.statement.id and s.metric.kind == "rate"]
    own = [s for s in said if s.plan]
    levels = [s for s in said if s.is_level and s.value > 0]
    unsettled = [s for s in own if _is_open(s, any(m.window for m in members))]
    if not unsettled or len({_key(s) for s in levels}) < 2:
        return
    floors = [s for s in levels if s.statement.operation == "at_least"]
    pivot = next((s for s in levels if s.kind == GOAL), None) or (floors or levels)[0]
    values = {s.id: _like(s, pivot.metric) for s in levels}
    extra = {}
    for s in levels:
        extra |= {f"over_{s.id}": pivot.value / values[s.id], f"less_{s.id}": pivot.value - values[s.id]}
        if s.statement.from_value:
            extra[f"times_{s.id}"] = s.value / s.statement.from_value
    extra |= _implied(view, pivot) | _after_margin(view, pivot, levels)
    names = {"metric": {"metric": pivot.metric.id}}
    figures = {"n": number(len(levels)), "pivot": level_of(pivot, pivot.value)}
    figures |= {"low": level_of(pivot, min(values.values())), "high": level_of(pivot, max(values.values()))}
    yield ask(
        view,
        "R22.word",
        (pivot, *unsettled, *levels),
        figures,
        names=names,
        repairs=[Repair("what_counts", place(unsettled[0], "denominator"))],
        extra=extra,
    )


def _like(said: Said, m: Metric) -> float:
    """Return a level as of another metric: turned round where the two make up the whole."""
    return 1 - said.value if m.id in said.metric.links.get("complement_of", ()) else said.value


def _implied(view: View, pivot: Said) -> dict[str, float]:
    """Return the reference that a goal and a multiple of that reference imply, and what it makes of other multiples."""
    told = [s for s in view.of(pivot.metric.id, level=False) if s.unit == "multiple" != s.metric.unit and s.value]
    mine = next((s for s in told if s.kind == GOAL and s.statement.reference and s.plan == pivot.plan), None)
    if mine is None:
        return {}
    base = pivot.value / mine.value
    same = [s for s in told if s.kind == CASE and s.statement.reference == mine.statement.reference]
    return {f"implied_{mine.statement.reference}": base} | {f"implied_{s.id}": base * s.value for s in same}


def _after_margin(view: View, pivot: Said, levels: Iterable[Said]) -> dict[str, float]:
    """Return what is left of returns read as sales, at the plan's gross margin."""
    margin = next((p.baseline.gross_margin for p in view.plans if p.baseline.gross_margin), None)
    if margin is None or not {"gmv", "gross_profit"} <= set(pivot.metric.numerator_readings) or not margin.central:
        return {}
    return {"break_even": 1 / margin.central} | {f"returns_{s.id}": s.value * margin.central for s in levels}


def _two_measures(view: View) -> Iterator[Finding]:
    """One case, one cause, two gains that go by one word."""
    told = [s for s in view.of(kinds=(CASE,), level=False) if s.statement.operation and _gain(s) is not None]
    pairs = []
    for one in (s for s in told if s.metric.unit == "index" and s.unit == "relative_change"):
        for other in told:
            same = (firm(one), one.statement.source) == (firm(other), other.statement.source)
            if same and other.metric.id != one.metric.id and _alike(one.metric, other.metric):
                pairs.append((one, other))
    if not pairs:
        return
    one, other = pairs[0]
    extra = {f"gain_{s.id}": _gain(s) for pair in pairs for s in pair}
    yield ask(
        view,
        "R22.measures",
        [s for pair in pairs for s in pair],
        {"n": number(len(pairs)), "one": ratio(_gain(one), signed=True), "other": ratio(_gain(other), signed=True)},
        names={"first": {"metric": one.metric.id}, "second": {"metric": other.metric.id}},
        repairs=[Repair("what_counts", place(one, "denominator"))],
        extra=extra,
    )


def _alike(one: Metric, other: Metric) -> bool:
    """Whether two metrics go by one word, or may count the same output of the same people."""
    by_word = one.family is not None and one.family == other.family
    same_people = one.population is not None and one.population == other.population
    return by_word or (same_people and bool(set(one.numerator_readings) & set(other.numerator_readings)))


def _gain(said: Said) -> float | None:
    if said.unit == "relative_change":
        return said.value
    start = said.statement.from_value
    return said.value / start - 1 if start else None


def _two_populations(view: View) -> Iterator[Finding]:
    """A level of one's own start that is somebody else's elsewhere."""
    starts = view.of(kinds=(BASELINE,))
    others = [*starts, *view.cases()]
    pairs = [
        (one, other)
        for place_of, one in enumerate(starts)
        for other in others[place_of + 1 :]
        if one.metric.id == other.metric.id and _who(one) != _who(other)
        and abs(one.value - other.value) <= max(one.tolerance, other.tolerance)
    ]  # fmt: skip
    if pairs:
        one = pairs[0][0]
        yield ask(
            view,
            "R22.populations",
            [s for pair in pairs for s in pair],
            {"n": number(len(pairs)), "level": level_of(one, one.value)},
            names={"metric": {"metric": one.metric.id}},
            repairs=[Repair("population", place(one, "population"))],
            extra={f"level_{s.id}": s.value for pair in pairs for s in pair},
        )


def _who(said: Said) -> tuple:
    return said.statement.population, said.statement.scope


def _called(said: Said) -> dict[str, object]:
    return bilingual(said.statement.name) if said.statement.name else {"metric": said.metric.id}


def _part_above_whole(view: View) -> Iterator[Finding]:
    """A market, taken back to the year of a part of it by its own growth, that is smaller than the part."""
    levels = [s for s in view.of(kinds=(STATISTIC,)) if s.statement.year is not None]
    grown = [s for s in view.of(kinds=(STATISTIC,), level=False) if s.unit == "relative_change"]
    for all_of in (s for s in levels if s.metric.population == "market"):
        for part in (s for s in levels if s.metric.id in all_of.metric.links.get("reference", ())):
            years = all_of.statement.year - part.statement.year
            growth = next((g for g in grown if (g.metric.id, g.statement.year, g.statement.scope)
                           == (all_of.metric.id, all_of.statement.year, all_of.statement.scope)), None)  # fmt: skip
            if years not in (0, 1) or (years and growth is None):
                continue
            then = all_of.value / (1 + growth.value) ** years if years else all_of.value
            if part.value >= then:
                yield ask(
                    view,
                    "R22.part",
                    (all_of, part, *([growth] if years else [])),
                    {"whole": level_of(all_of, then), "part": level_of(part, part.value),
                     "year": Figure(part.statement.year, "year")},
                    names={"market": _called(all_of), "inside": _called(part)},
                    repairs=[Repair("scope", place(all_of, "scope"))],
                )  # fmt: skip
