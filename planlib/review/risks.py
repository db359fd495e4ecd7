"""The register of risks: what each is expected to cost, what all may cost together, which are triggered."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from planlib.core.draws import Distribution
from planlib.core.guards import Guard

CHANCES = (0.10, 0.25, 0.50, 0.75)  # where a class of the heat map ends
IMPACTS = (0.01, 0.03, 0.10, 0.30)  # the same of the impact, as a share of the goal
QUANTILES = (0.5, 0.8, 0.95)


@dataclass(frozen=True, slots=True)
class Risk:
    """One risk, as it stands or after its response.

    Attributes:
        id: of it.
        probability: that it strikes within the plan, 0..1.
        loss: least, likeliest and largest loss if it does, in CNY or users, >= 0.
        metric, above, below: its indicator and the level beyond which it is triggered; None without.
        owner: who answers for it.
        probability_after, loss_after: once its response stands; None while nobody says.
    """

    id: str
    probability: float
    loss: tuple[float, float, float]
    owner: str
    metric: str | None = None
    above: float | None = None
    below: float | None = None
    probability_after: float | None = None
    loss_after: tuple[float, float, float] | None = None


@dataclass(frozen=True, slots=True)
class Entry:
    """A line of the register.

    Attributes:
        risk: id.
        expected, expected_after: probability x mean loss, before and after the response; None while nobody says.
        cell, cell_after: (probability class, impact class) of the heat map, 0 to 4.
        removed: how much less all risks are expected to cost without this one.
        removed_tail: how much lower the worst one in twenty is without it.
        state: triggered, watched, not_measured (its indicator has no value) or no_trigger.
        indicator: the level of its indicator; None without.
    """

    risk: str
    expected: float
    expected_after: float | None
    cell: tuple[int, int]
    cell_after: tuple[int, int] | None
    removed: float
    removed_tail: float
    state: str
    indicator: float | None


@dataclass(frozen=True, slots=True)
class Register:
    """All risks.

    Attributes:
        entries: in the order given.
        expected, expected_after: of all; a risk without an answer counts as before.
        quantiles, quantiles_after: share -> loss that is not passed in that share of the draws.
        draws: of the simulation.
    """

    entries: tuple[Entry, ...]
    expected: float
    expected_after: float
    quantiles: Mapping[float, float]
    quantiles_after: Mapping[float, float]
    draws: int


def register(
    risks: Sequence[Risk], *, scale: float, levels: Mapping[str, float] | None = None,
    rng: np.random.Generator, draws: int = 20_000,
) -> Register:  # fmt: skip
    """Draw what the risks cost together, before and after their responses, on the same draws.

    A risk strikes at most once within the plan; its loss follows PERT; risks strike apart from one another.

    Args:
        risks: each id once.
        scale: the goal that impacts are measured against, in the unit of the losses, > 0.
        levels: indicator -> its level now.
        rng: a stream; draws: of it.

    Raises:
        InputError: an id twice, losses that do not rise, or a number out of range.

    Source: ISO 31000; frequency and severity as in Klugman, Panjer & Willmot 2012.
    """
    guard = Guard()
    goal = guard.number("scale", scale, above=0.0)
    count = guard.whole("draws", draws, low=1, high=10_000_000)
    names = [risk.id for risk in risks]
    for place, risk in enumerate(risks):
        at = f"risks[{place}]"
        if names.index(risk.id) != place:
            guard.add("duplicate_id", f"{at}.id", risk.id, first=f"risks[{names.index(risk.id)}]")
        guard.share(f"{at}.probability", risk.probability)
        _rising(guard, f"{at}.loss", risk.loss)
        if risk.probability_after is not None:
            guard.share(f"{at}.probability_after", risk.probability_after)
        if risk.loss_after is not None:
            _rising(guard, f"{at}.loss_after", risk.loss_after)
    guard.done()
    size = (len(risks), count)
    chance, size_of = rng.random(size), rng.random(size)
    before = np.array([_lost(r.probability, r.loss, u, v) for r, u, v in zip(risks, chance, size_of, strict=True)])
    after = np.array([_lost(*_after(r), u, v) for r, u, v in zip(risks, chance, size_of, strict=True)])
    before, after = before.reshape(size), after.reshape(size)
    total, total_after = before.sum(axis=0), after.sum(axis=0)
    worst = float(np.quantile(total, QUANTILES[-1]))
    entries = []
    for risk, own in zip(risks, before, strict=True):
        told = risk.probability_after is not None or risk.loss_after is not None
        state, level = trigger(risk, levels or {})
        entries.append(
            Entry(
                risk.id,
                risk.probability * _mean(risk.loss),
                _after(risk)[0] * _mean(_after(risk)[1]) if told else None,
                cell(risk.probability, _mean(risk.loss) / goal),
                cell(_after(risk)[0], _mean(_after(risk)[1]) / goal) if told else None,
                risk.probability * _mean(risk.loss),
                worst - float(np.quantile(total - own, QUANTILES[-1])),
                state,
                level,
            )
        )
    return Register(
        tuple(entries),
        sum(entry.expected for entry in entries),
        sum(entry.expected if entry.expected_after is None else entry.expected_after for entry in entries),
        {q: float(np.quantile(total, q)) for q in QUANTILES},
        {q: float(np.quantile(total_after, q)) for q in QUANTILES},
        count,
    )


def trigger(risk: Risk, levels: Mapping[str, float]) -> tuple[str, float | None]:
    """Return whether a risk is triggered, and the level of its indicator.

    >>> trigger(Risk("decay", 0.4, (1, 2, 3), "a", metric="open_rate", below=0.05), {"open_rate": 0.04})
    ('triggered', 0.04)
    """
    if risk.metric is None or (risk.above is None and risk.below is None):
        return "no_trigger", None
    level = levels.get(risk.metric)
    if level is None:
        return "not_measured", None
    beyond = (risk.above is not None and level > risk.above) or (risk.below is not None and level < risk.below)
    return ("triggered" if beyond else "watched"), float(level)


def cell(probability: float, impact: float) -> tuple[int, int]:
    """Return the cell of the heat map: probability class and impact class; an end belongs to the class above it.

    >>> cell(0.4, 0.02), cell(0.10, 0.5)
    ((2, 1), (1, 4))
    """
    return int(np.searchsorted(CHANCES, probability, "right")), int(np.searchsorted(IMPACTS, impact, "right"))


def _after(risk: Risk) -> tuple[float, tuple[float, float, float]]:
    probability = risk.probability if risk.probability_after is None else risk.probability_after
    return probability, risk.loss if risk.loss_after is None else risk.loss_after


def _lost(probability: float, loss: Sequence[float], chance: np.ndarray, size: np.ndarray) -> np.ndarray:
    low, mode, high = loss
    if high == low:
        return np.where(chance < probability, low, 0.0)
    return np.where(chance < probability, Distribution("pert", low=low, mode=mode, high=high).quantile(size), 0.0)


def _mean(loss: Sequence[float]) -> float:
    low, mode, high = loss
    return (low + 4 * mode + high) / 6


def _rising(guard: Guard, name: str, loss: Sequence[float]) -> None:
    found = guard.numbers(name, loss, low=0.0, ndim=(1,))
    if found.shape != (3,):
        guard.add("shape", name, f"shape {found.shape}", expected="(3,)")
    elif (np.diff(found) < 0).any():
        guard.add("low_above_high", name, list(loss))
