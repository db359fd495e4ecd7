"""Whether a target is specific, measurable, achievable, relevant and time-bound, and what it lacks."""

from __future__ import annotations

from dataclasses import dataclass

from planlib.core.guards import Guard

LETTERS = ("specific", "measurable", "achievable", "relevant", "time_bound")
FLOOR = 0.2  # the probability below which a gate stops


@dataclass(frozen=True, slots=True, kw_only=True)
class Stated:
    """What is known about a target.

    Attributes:
        metric: its id in the catalogue; None when the catalogue has none.
        counted: the metric has a unit of its own; False for qualitative statements.
        divided: the metric is a share, an average or a price.
        denominator: what it is divided by, as the target or the catalogue says; None when neither does, or the
            catalogue knows several readings.
        relative: the level is a change or a multiple.
        base: what that change starts from; None when nothing says so.
        parent: the node of the target tree or the lifecycle stage that it serves; None when nothing links them.
        by_month: month in which it is due; None when none is stated.
    """

    metric: str | None
    counted: bool
    divided: bool
    denominator: str | None
    relative: bool
    base: str | None
    parent: str | None
    by_month: int | None


@dataclass(frozen=True, slots=True)
class Letter:
    """One letter of SMART.

    Attributes:
        name: one of LETTERS.
        status: pass, fail or not_judged.
        missing: what is missing or wrong, as ids: metric, unit, denominator, base, probability (no forecast), chance
            (too small), parent, month; empty when the letter passes.
    """

    name: str
    status: str
    missing: tuple[str, ...]


def smart(
    stated: Stated, *, probability: float | None = None, holds: bool | None = None, floor: float = FLOOR
) -> tuple[Letter, ...]:
    """Test a target letter by letter.

    S: the metric is in the catalogue. M: it has a unit; a share has one denominator, a change a base. A: the
    probability of holding it on time is at least the floor; with a point forecast alone, the forecast holds it;
    with neither it cannot be judged. R: it serves a node of the tree or a lifecycle stage. T: a month is stated.

    Args:
        probability: of holding the target at its month, from the draws; None when there are none.
        holds: whether the point forecast does; None when the metric is not forecast.
        floor: lowest probability that counts as achievable, 0 to 1.

    Returns:
        The five letters in order.

    >>> share = Stated(metric="mau_rate", counted=True, divided=True, denominator="private_domain_users",
    ...                relative=False, base=None, parent="retention", by_month=None)
    >>> [(letter.name, letter.missing) for letter in smart(share, probability=0.4) if letter.status == "fail"]
    [('time_bound', ('month',))]
    """
    guard = Guard()
    chance = None if probability is None else guard.number("probability", probability, low=0.0, high=1.0)
    least = guard.number("floor", floor, low=0.0, high=1.0)
    guard.done()
    if chance is None:
        achievable = ("probability",) if holds is None else () if holds else ("chance",)
    else:
        achievable = () if chance >= least else ("chance",)
    found = {
        "specific": () if stated.metric else ("metric",),
        "measurable": _unmeasured(stated),
        "achievable": achievable,
        "relevant": () if stated.parent else ("parent",),
        "time_bound": () if stated.by_month else ("month",),
    }
    return tuple(Letter(name, _status(found[name]), found[name]) for name in LETTERS)


def _status(missing: tuple[str, ...]) -> str:
    return "not_judged" if missing == ("probability",) else "fail" if missing else "pass"


def _unmeasured(stated: Stated) -> tuple[str, ...]:
    if not stated.metric or not stated.counted:
        return ("unit",)
    lacks = {"denominator": stated.divided and not stated.denominator, "base": stated.relative and not stated.base}
    return tuple(name for name, missing in lacks.items() if missing)
