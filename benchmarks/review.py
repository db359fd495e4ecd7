"""What a review calculates, at the size of W's data, and a watched year beside statsmodels' recursive least squares."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator

import numpy as np
from harness import PLAN, ROOT, Row, times_as_long, within

DAYS, SERIES, GROUPS, DIMENSIONS = 400, 40, 200, 4


def measure(repeats: int) -> Iterator[Row]:
    """Yield a whole review's arithmetic against its bound, and one watched series against the peer; shortest times."""
    os.chdir(ROOT)
    from statsmodels.regression.recursive_ls import RecursiveLS

    from planlib import reviewing
    from planlib.plan import load_plan
    from planlib.review import alarms, scorecard, variance

    plan, rng = load_plan(PLAN), np.random.default_rng(1)
    days = np.arange("2026-01-01", np.datetime64("2026-01-01") + DAYS, dtype="M8[D]")
    design = alarms.calendar_design(days, off=reviewing.holidays(days), promoted=reviewing.promoted(plan, days))
    series = [alarms.steady(rng.poisson(1_000 * (1 + k % 3), DAYS)) for k in range(SERIES)]
    goals = [line for line, _ in reviewing.score_lines(plan, {}, 3.0)]
    sides = [
        {
            str(g): variance.Counts(*np.sort(rng.integers(1_000, 100_000, 4))[::-1].tolist(), 10**9)
            for g in range(GROUPS)
        }
        for _ in range(2)
    ]

    def shortest(job: Callable[[], object]) -> float:
        found = []
        for _ in range(2 * repeats + 1):
            began = time.perf_counter()
            job()
            found.append(time.perf_counter() - began)
        return min(found)

    def whole() -> None:
        scorecard.tally(scorecard.score(goals))
        for _ in range(DIMENSIONS):
            split = variance.split_by(*sides)
            assert sum(split.parts.values()) == split.after - split.before
        for values in series:
            alarms.watch(values, design, run_length=365.0 * SERIES)

    def peer() -> np.ndarray:
        return RecursiveLS(series[0], design).fit().resid_recursive

    def ours() -> alarms.Watch:
        return alarms.watch(series[0], design, run_length=365.0 * SERIES)

    known, theirs = ours(), peer()
    quiet = slice(60, known.alarms[0].began if known.alarms else DAYS)
    assert np.corrcoef(known.score[quiet], theirs[quiet])[0, 1] > 0.98
    name = f"a review: {len(goals)} metrics, {GROUPS * DIMENSIONS} groups, {SERIES} series of a year"
    yield within(name, shortest(whole), at_most=5.0)
    yield times_as_long("a watched year : recursive least squares of statsmodels", shortest(ours), shortest(peer),
                        at_most=1)  # fmt: skip
