"""Schedules: passes over draws beside a loop over networkx, correlated sampling beside numpy's Beta, levelling of W."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator

import networkx as nx
import numpy as np
from harness import PLAN, ROOT, Row, times_as_long, times_faster, within

from planlib.core.draws import Distribution
from planlib.milestones.levelling import level
from planlib.milestones.network import Link, Network
from planlib.milestones.simulation import Group, simulate
from planlib.plan import load_plan

DRAWS, TASKS, LINKS = 10_000, 200, 386
PEER_DRAWS = 200  # of the networkx loop, which takes the same time for each; scaled up
BLOCK = 2_048
LEAST_TIMES, MOST_TIMES, MOST_SECONDS = 100.0, 2.0, 10.0


def measure(repeats: int) -> Iterator[Row]:
    """Yield passes, sampling with passes, and levelling."""
    rng = np.random.default_rng(7)
    network, graph = _network(rng)
    low = rng.uniform(2, 10, TASKS)
    mode, high = low + rng.uniform(0.5, 5, TASKS), low + rng.uniform(6, 25, TASKS)
    days = low[:, None] + (high - low)[:, None] * rng.beta(2, 4, (TASKS, DRAWS))
    few = days[:, :PEER_DRAWS]
    end, critical = _loop(graph, few)
    found = network.passes(few)
    if not (np.allclose(end, found.end) and (critical == found.critical).all()):
        raise SystemExit("the peer's ends or critical tasks are not ours")
    ours, peer = _best(lambda: _criticality(network, days), lambda: _loop(graph, few), repeats=repeats)
    name = f"{DRAWS:,} draws x {TASKS} tasks, {LINKS} links: both passes, criticality : networkx"
    yield times_faster(name, ours, peer * DRAWS / PEER_DRAWS, at_least=LEAST_TIMES)

    spread = {
        task: Distribution("pert", low=a, mode=m, high=b)
        for task, a, m, b in zip(network.tasks, low.tolist(), mode.tolist(), high.tolist(), strict=True)
    }
    groups = [Group(network.tasks[k : k + 20], 0.5) for k in range(0, TASKS, 20)]
    alpha, beta = 1 + 4 * (mode - low) / (high - low), 1 + 4 * (high - mode) / (high - low)
    ours, peer = _best(
        lambda: simulate(network, spread, seed=7, draws=DRAWS, groups=groups),
        lambda: [a + (b - a) * rng.beta(p, q, DRAWS) for a, b, p, q in zip(low, high, alpha, beta, strict=True)],
        repeats=repeats,
    )
    yield times_as_long("the same with a copula, sampling included : rng.beta alone", ours, peer, at_most=MOST_TIMES)

    tasks, start = _plan_of_w(), time.perf_counter()
    level(*tasks)
    seconds = time.perf_counter() - start
    yield within(f"levelling of W, {len(tasks[1])} tasks", seconds, at_most=MOST_SECONDS)


def _network(rng: np.random.Generator) -> tuple[Network, nx.DiGraph]:
    pairs: set[tuple[int, int]] = set()
    while len(pairs) < LINKS:
        after = int(rng.integers(1, TASKS))
        pairs.add((int(rng.integers(max(0, after - 20), after)), after))
    names = tuple(f"t{k:03}" for k in range(TASKS))
    graph = nx.DiGraph()
    graph.add_nodes_from(range(TASKS))
    graph.add_edges_from(sorted(pairs))
    return Network(names, [Link(names[i], names[j]) for i, j in sorted(pairs)]), graph


def _criticality(network: Network, days: np.ndarray) -> np.ndarray:
    """Share of draws in which each task is critical, some draws at a time as `simulate` works."""
    parts = (days[:, first : first + BLOCK] for first in range(0, days.shape[1], BLOCK))
    return sum(network.passes(part).critical.sum(axis=1) for part in parts) / days.shape[1]


def _loop(graph: nx.DiGraph, days: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Both passes, one draw after the other."""
    order = list(nx.topological_sort(graph))
    ends, critical = np.empty(days.shape[1]), np.empty(days.shape, dtype=bool)
    for k, column in enumerate(days.T.tolist()):
        start: dict[int, float] = {}
        late: dict[int, float] = {}
        for task in order:
            start[task] = max((start[i] + column[i] for i in graph.predecessors(task)), default=0.0)
        ends[k] = end = max(start[task] + column[task] for task in order)
        for task in reversed(order):
            late[task] = min((late[j] for j in graph.successors(task)), default=end) - column[task]
            critical[task, k] = late[task] - start[task] <= 1e-9 * end
    return ends, critical


def _plan_of_w() -> tuple[Network, list[int], dict[str, dict[str, int]], dict[str, int]]:
    """Network, likeliest days, demand and capacity of W: the fewest people of each role that can do each task."""
    plan = load_plan(ROOT / PLAN)
    tasks = plan.schedule.tasks
    known = {task.id for task in tasks}
    links = [Link(before, task.id) for task in tasks for before in task.after if before in known]
    for task in tasks:
        links += [Link(tie.task, task.id, tie.kind, round(tie.lag_days)) for tie in task.links if tie.task in known]
    demand = {task.id: {role: math.ceil(people) for role, people in task.roles.items()} for task in tasks}
    capacity = {role: math.ceil(entry.people[0]) for role, entry in plan.team.roles.items()}
    for wants in demand.values():
        capacity |= {role: max(capacity.get(role, 0), people) for role, people in wants.items()}
    return Network([task.id for task in tasks], links), [round(task.days[1]) for task in tasks], demand, capacity


def _best(*jobs: Callable[[], object], repeats: int) -> list[float]:
    """Take turns between jobs; return the shortest time of each: other programs only make a job longer."""
    rounds = []
    for _ in range(4 * repeats + 1):
        row = []
        for job in jobs:
            began = time.perf_counter()
            job()
            row.append(time.perf_counter() - began)
        rounds.append(row)
    return [min(column) for column in zip(*rounds, strict=True)]
