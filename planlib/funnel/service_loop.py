"""The service loop: booking, visit, consumption, after-sales; where cases leak, and what each step is worth."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from planlib.core.guards import Guard
from planlib.core.intervals import Interval, wilson

STEPS = ("booking", "visit", "consumption", "after_sales")


@dataclass(frozen=True, slots=True)
class Loop:
    """Cases on their way through ordered steps with time limits; arrays over S steps or S - 1 passages.

    Attributes:
        steps: (S,) names in order.
        booked: (S,) cases that began at the first step and reached each step in time.
        walk_ins: (S,) cases that began at the second step; 0 at the first.
        late: (S - 1,) cases that reached the next step after its time limit.
        gone: (S - 1,) cases that never reached the next step.
        through: (S - 1,) share that reached the next step in time, walk-ins included after the first passage.
        interval: Wilson limits of `through`; a passage that no case came to has 0..1.
        wait: (S - 1,) median time of those in time, in the unit of the times; None where nobody is.
        leak: the passage that loses most cases, as the two steps' names; None when nothing is lost.
        elsewhere: cases with neither of the first two steps; they are in none of the counts above.
    """

    steps: tuple[str, ...]
    booked: np.ndarray
    walk_ins: np.ndarray
    late: np.ndarray
    gone: np.ndarray
    through: np.ndarray
    interval: Interval
    wait: tuple[float | None, ...]
    leak: tuple[str, str] | None
    elsewhere: int

    @property
    def reached(self) -> np.ndarray:
        """(S,) cases at each step, booked and walked in."""
        return self.booked + self.walk_ins


def service_loop(times: object, limits: object, *, steps: Sequence[str] = STEPS, level: float = 0.95) -> Loop:
    """Count cases through the steps; a visit without booking is a walk-in, not a leak.

    A case passes to the next step when it happened at or after the step before and within the
    limit. What comes later than the limit, or before its step, does not count on; a case that
    stops at a step is not looked at any further.

    Args:
        times: (N, S) when each step of each case happened, in hours or days from any common
            start; NaN = it did not happen.
        limits: (S - 1,) longest time from each step to the next, > 0.
        steps: S names, at least 2.
        level: of the limits.

    Raises:
        InputError: shapes disagree, an infinite time, or a limit that is not positive.

    >>> day = float("nan")
    >>> loop = service_loop([[0, 2, 2, 3], [0, day, day, day], [day, 1, 1, day]], [7, 1, 30])
    >>> loop.booked.tolist(), loop.walk_ins.tolist(), loop.leak
    ([2, 1, 1, 1], [0, 1, 1, 0], ('booking', 'visit'))
    """
    guard = Guard()
    size = len(steps)
    if size < 2:
        guard.add("too_few", "steps", size, low=2)
    at = np.asarray(times)
    if at.dtype.kind not in "iuf" or at.ndim != 2 or at.shape[-1] != size or len(at) == 0:
        guard.add("shape", "times", f"{at.dtype} {at.shape}", expected=f"numbers, (cases, {size})")
        at = np.full((1, size), np.nan)
    at = at.astype(float)
    if np.isinf(at).any():
        guard.add("not_finite", "times", float("inf"))
    longest = guard.numbers("limits", limits, above=0.0, ndim=(1,))
    if longest.shape != (size - 1,):
        guard.add("shape", "limits", f"shape {longest.shape}", expected=f"({size - 1},)")
    guard.number("level", level, above=0.0, below=1.0)
    guard.done()
    with np.errstate(invalid="ignore"):
        taken = np.diff(at, axis=1)
        in_time, too_late = (taken >= 0) & (taken <= longest), taken > longest
    came_booked = ~np.isnan(at[:, 0])
    walked = np.isnan(at[:, 0]) & ~np.isnan(at[:, 1])
    there = np.column_stack([came_booked, walked | (came_booked & in_time[:, 0])])
    for step in range(1, size - 1):
        there = np.column_stack([there, there[:, step] & in_time[:, step]])
    before = there[:, :-1].copy()
    passed = there[:, 1:].copy()
    passed[:, 0] &= came_booked
    came, went = before.sum(axis=0), passed.sum(axis=0)
    late = (before & too_late).sum(axis=0)
    lost = came - went
    worst = int(lost.argmax())
    waits = (taken[passed[:, k], k] for k in range(size - 1))
    return Loop(
        steps=tuple(steps),
        booked=(there & came_booked[:, None]).sum(axis=0),
        walk_ins=(there & walked[:, None]).sum(axis=0),
        late=late,
        gone=lost - late,
        through=np.divide(went, came, out=np.zeros(size - 1), where=came > 0),
        interval=_wilson_or_unknown(went, came, level),
        wait=tuple(float(np.median(found)) if found.size else None for found in waits),
        leak=(steps[worst], steps[worst + 1]) if lost[worst] > 0 else None,
        elsewhere=int((~came_booked & ~walked).sum()),
    )


def removal_effects(start: object, between: object, done: object) -> np.ndarray:
    """Return what share of completions would be lost if a step led nowhere.

    The steps are an absorbing Markov chain: P(done) solves x = done + between x exactly. A
    removed step sends whoever comes to it away.

    Args:
        start: (S,) share of cases that begin at each step; they sum to at most 1.
        between: (S, S) share that goes from one step to another.
        done: (S,) share that completes from each step; with `between` a row sums to at most 1,
            and the rest is lost.

    Returns:
        (S,) 1 - P(done without the step) / P(done).

    Raises:
        InputError: no shares, more than 1 leaves a step, a chain that never ends, or nobody completes.

    Source: Anderl et al. 2016; Kemeny & Snell 1960 (absorption).

    >>> removal_effects([0.8, 0.2], [[0, 0.5], [0, 0]], [0, 1.0])  # 0.2 walk in at the second step
    array([0.66666667, 1.        ])
    """
    guard = Guard()
    begin = guard.share("start", start, ndim=(1,))
    passing = guard.share("between", between, ndim=(2,))
    ends = guard.share("done", done, ndim=(1,))
    size = len(begin)
    if passing.shape != (size, size) or ends.shape != (size,):
        guard.add("shape", "between", f"shape {passing.shape}", expected=f"({size}, {size}), and done ({size},)")
    guard.done()
    total = float(begin.sum())
    if total > 1 + 1e-9:
        guard.add("at_most", "start", total, high=1)
    for row in np.flatnonzero(passing.sum(axis=1) + ends > 1 + 1e-9):
        guard.add("at_most", f"between[{row}]", float(passing[row].sum() + ends[row]), high=1)
    guard.done()
    if float(np.abs(np.linalg.eigvals(passing)).max()) >= 1 - 1e-12:
        guard.add("cycle", "between", chain="between")
        guard.done()
    whole = _completion(begin, passing, ends)
    if whole <= 0:
        guard.add("above", "done", whole, low=0)
        guard.done()
    keep = 1.0 - np.eye(size)
    without = [_completion(begin * row, passing * row[:, None] * row, ends * row) for row in keep]
    return 1.0 - np.array(without) / whole


def loop_chain(loop: Loop) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return start, between and done of `removal_effects` for a counted loop; the last step completes.

    Raises:
        InputError: no case is in the loop.
    """
    guard = Guard()
    size = len(loop.steps)
    begin = np.zeros(size)
    begin[0], begin[1] = loop.booked[0], loop.walk_ins[1]
    if begin.sum() == 0:
        guard.add("empty", "loop")
    guard.done()
    return begin / begin.sum(), np.diag(loop.through, k=1), np.append(np.zeros(size - 1), 1.0)


def top_two_box(ratings: object, *, level: float = 0.95) -> tuple[np.ndarray, Interval]:
    """Return the share of the two best ratings, with Wilson limits.

    Args:
        ratings: (R,) or (S, R) how often each rating was given, worst first, R >= 3; whole
            numbers, some in every row.

    >>> share, band = top_two_box([5, 5, 10, 40, 40])
    >>> float(share), round(band.low, 3)
    (0.8, 0.711)
    """
    guard = Guard()
    counts = guard.numbers("ratings", ratings, low=0.0, ndim=(1, 2))
    if counts.shape[-1] < 3:
        guard.add("too_few", "ratings", counts.shape[-1], low=3)
    guard.done()
    total, top = counts.sum(axis=-1), counts[..., -2:].sum(axis=-1)
    if np.any(total == 0):
        guard.add("above", "ratings", 0.0, low=0)
        guard.done()
    return top / total, wilson(top, total, level=level)


def completion_multiple(abandoned_before: float, abandoned_after: float) -> float:
    """Return by what checkout completion is multiplied when the abandoned share changes.

    >>> round(completion_multiple(0.70, 0.30), 2)
    2.33
    """
    guard = Guard()
    before = guard.number("abandoned_before", abandoned_before, low=0.0, below=1.0)
    after = guard.number("abandoned_after", abandoned_after, low=0.0, high=1.0)
    guard.done()
    return (1.0 - after) / (1.0 - before)


def _completion(begin: np.ndarray, passing: np.ndarray, ends: np.ndarray) -> float:
    return float(begin @ np.linalg.solve(np.eye(len(ends)) - passing, ends))


def _wilson_or_unknown(hits: np.ndarray, trials: np.ndarray, level: float) -> Interval:
    found = wilson(hits, np.maximum(trials, 1), level=level)
    return Interval(np.where(trials > 0, found.low, 0.0), np.where(trials > 0, found.high, 1.0), level)
