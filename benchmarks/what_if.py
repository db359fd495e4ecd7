"""Moving a lever of W: the coarse answer with its picture, and the full one at rest, beside the paths alone."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator

from harness import PLAN, ROOT, Row, times_as_long, within

MOVES = 9  # positions that each lever is moved to
CHURN, GATE = "users.churn", "wait.g2"


def seconds(job: Callable[[], object]) -> float:
    """Return the wall time of a job."""
    began = time.perf_counter()
    job()
    return time.perf_counter() - began


def median(found: list[float]) -> float:
    """Return the middle one."""
    return sorted(found)[len(found) // 2]


def measure(repeats: int) -> Iterator[Row]:
    """Yield the answers to moves against the paths alone; medians count, of single levers the slowest."""
    os.chdir(ROOT)
    from planlib import outlooking
    from planlib.core.words import words
    from planlib.plan import load_plan
    from planlib.report.charts import live
    from planlib.whatif_session import PART, Session

    plan, w = load_plan(PLAN), words("zh")
    session = Session(plan)
    few, full = session.few.world, session.full.world

    def move(lever: str, share: float) -> float:
        it = session.levers[lever]
        session.set(lever, it.low + share * (it.high - it.low))
        took = seconds(lambda: live.views(session.quick().views, w))
        session.forget()
        return took

    shares = [(k + 0.5) / MOVES for k in range(MOVES)]
    bare = {
        CHURN: lambda: few.metrics(few.run()),
        GATE: lambda: (outlooking.gate_dates(plan, few.paths, few.seed), few.metrics(few.run())),
    }
    for lever, job in bare.items():
        move(lever, 0.01)  # imports and tables
        job()
        pairs = [(move(lever, share + 0.01 * k / repeats), seconds(job)) for k in range(repeats) for share in shares]
        ours, alone = (median([pair[side] for pair in pairs]) for side in (0, 1))
        kind = "a gate waits" if lever == GATE else "a figure moves"
        bound = 3 if lever == GATE else 6
        yield times_as_long(f"{kind}: {few.paths} paths, chances, picture", ours, alone, at_most=bound)
    slowest = {name: median([move(name, share) for share in (0.3, 0.5, 0.7)]) for name in session.levers}
    name = max(slowest, key=lambda lever: slowest[lever])
    yield within(f"the slowest of {len(slowest)} levers ({name})", slowest[name], at_most=0.3)

    def at_rest() -> None:
        session.set(CHURN, 0.06)
        session.at_rest()
        session.forget()

    def paths() -> None:
        found = outlooking.world(plan, paths=full.paths)
        found.metrics(found.run())

    at_rest()
    pairs = [(seconds(at_rest), seconds(paths)) for _ in range(2 * repeats + 1)]
    ours, alone = (median([pair[side] for pair in pairs]) for side in (0, 1))
    yield times_as_long("at rest: 10,000 paths, plan read again, contradictions", ours, alone, at_most=3)
    session.set(CHURN, 0.06)
    steps, pieces = session.steps(), []
    for _ in range(full.paths // PART + 5):
        pieces.append(seconds(lambda: next(steps)))
    yield within("its longest piece, after which a move is heard", max(pieces), at_most=0.3)
