"""Everything of W together beside the sum of its parts run alone; a re-forecast on 200,000 paths; the two questions."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator

import numpy as np
from harness import PLAN, ROOT, Row, planlib, seconds_of, times_as_long, within

PATHS, AGAIN = 10_000, 200_000
MONTHS, METRICS = 6, 3


def measure(repeats: int) -> Iterator[Row]:
    """Yield the joint simulation against its parts, the re-forecast and the two questions; the shortest times count."""
    os.chdir(ROOT)
    from planlib import outlooking
    from planlib.budget.curves import Curves
    from planlib.core.streams import stream
    from planlib.funnel.model import Drivers, run
    from planlib.outlook.forecast import chance, quantiles, reweigh
    from planlib.plan import load_plan, uncertain

    plan = load_plan(PLAN)

    def fastest(job: Callable[[], None]) -> float:
        found = []
        for _ in range(2 * repeats + 1):
            began = time.perf_counter()
            job()
            found.append(time.perf_counter() - began)
        return min(found)

    def own(name: str) -> np.random.Generator:
        return stream(plan.seed, name)

    def users() -> None:
        run(Drivers(**uncertain.arguments(plan, uncertain.draws(plan, PATHS, own))))

    def budget() -> None:
        found = outlooking.buying(plan, outlooking.costs(plan, PATHS, own))
        share = np.full((PATHS, plan.months, 1), 0.7)
        for one in found.channels:
            Curves.of([one.curve]).value(share * one.planned_cny)

    parts = {
        "schedule": lambda: outlooking.gate_dates(plan, PATHS, plan.seed),
        "users": users,
        "budget": budget,
        "experiments": lambda: outlooking.lifts_of(plan, PATHS, own),
    }

    def together() -> None:
        outlooking.world(plan, paths=PATHS).run()

    for part in (*parts.values(), together):  # imports and tables
        part()
    alone = sum(fastest(part) for part in parts.values())
    joint = fastest(together)
    yield times_as_long("W, 10,000 paths jointly, against its parts alone", joint, alone, at_most=3)
    yield within("W, 10,000 paths jointly", joint, at_most=1.0)

    rng = np.random.default_rng(1)
    level = rng.normal(100.0, 15.0, AGAIN)
    paths = np.stack([level * (1 + 0.1 * k) for k in range(MONTHS * METRICS)], axis=1)
    paths = np.asfortranarray(paths)  # a column a figure, as the simulation keeps its months
    seen, sd = 95.0 * (1 + 0.1 * np.arange(MONTHS * METRICS)), np.full(MONTHS * METRICS, 20.0)
    end = 12 * level

    def again() -> None:
        found = reweigh(paths, seen, sd)
        chance(end >= 1_150.0, found)
        quantiles(end, found, [0.1, 0.5, 0.9])

    again()
    yield within("re-forecast of 200,000 paths by 18 figures", fastest(again), at_most=0.05)
    for name, arguments in (
        ("why", ("why", "own_gmv", "--plan", PLAN)),
        ("whatif", ("whatif", PLAN, "--slip", "platform_build=15d")),
    ):
        yield within(f"planlib {name}", min(seconds_of(planlib(*arguments)) for _ in range(repeats)), at_most=5.0)
