"""Schedules that people can keep: the shortest one in which nobody is asked to do more than there are hands for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from planlib.core.guards import Guard
from planlib.milestones.network import Network

SEED = 7


@dataclass(frozen=True, slots=True)
class Levelled:
    """A schedule within capacity.

    Attributes:
        start, finish: {task: day}, whole working days from 0; a task works on start <= day < finish.
        end: of the last task.
        bound: no schedule ends before.
        gap: (end - bound) / end; 0 when the schedule is proven the shortest.
        unlimited_end: when it would end with hands enough.
        load: {role: (end,) people at work on each day}.
    """

    start: dict[str, int]
    finish: dict[str, int]
    end: int
    bound: int
    gap: float
    unlimited_end: int
    load: dict[str, np.ndarray]


def level(
    network: Network,
    days: Sequence[int],
    demand: Mapping[str, Mapping[str, int]],
    capacity: Mapping[str, int],
    *,
    effort: float = 60.0,
) -> Levelled:
    """Return the shortest schedule that the people of each role can keep (RCPSP, by CP-SAT from a list schedule).

    Args:
        network: tasks and links; lags in whole days.
        days: (N,) working days of each task, whole, >= 0, in the network's order.
        demand: {task: {role: people at once}}; tasks without demand may be left out.
        capacity: {role: people}.
        effort: the search's limit in units of CP-SAT's deterministic time, a few seconds each: the same limit gives
            the same schedule on any machine.

    Raises:
        InputError: parts of days, unknown tasks or roles, a task that asks for more people than its role has; all at
            once, with the tasks' names.
    """
    duration, lags = _checked(network, days, demand, capacity, effort)
    unlimited = network.passes(duration)
    first = _list_schedule(network, duration, lags, demand, capacity, unlimited.late_start)
    start, bound = _search(network, duration, lags, demand, capacity, first, float(unlimited.end), effort)
    end = int((start + duration).max())
    bound = min(max(bound, int(np.ceil(unlimited.end - 1e-9))), end)
    load = {role: np.zeros(end, dtype=int) for role in capacity}
    for k, name in enumerate(network.tasks):
        for role, people in demand.get(name, {}).items():
            load[role][start[k] : start[k] + duration[k]] += people
    return Levelled(
        start=dict(zip(network.tasks, start.tolist(), strict=True)),
        finish=dict(zip(network.tasks, (start + duration).tolist(), strict=True)),
        end=end,
        bound=bound,
        gap=(end - bound) / end if end else 0.0,
        unlimited_end=int(np.ceil(unlimited.end - 1e-9)),
        load=load,
    )


def _checked(
    network: Network,
    days: Sequence[int],
    demand: Mapping[str, Mapping[str, int]],
    capacity: Mapping[str, int],
    effort: float,
) -> tuple[np.ndarray, list[int]]:
    guard = Guard()
    if len(days) != len(network.tasks):
        guard.add("shape", "days", f"{len(days)} values", expected=f"{len(network.tasks)} values")
        guard.done()
    duration = np.array([guard.whole(f"days.{n}", d, low=0) for n, d in zip(network.tasks, days, strict=True)])
    for role, people in capacity.items():
        guard.whole(f"capacity.{role}", people, low=0)
    for name, wants in demand.items():
        if name not in network.tasks:
            guard.add("unknown_ref", "demand", name, choice=", ".join(network.tasks))
        for role, people in wants.items():
            if role not in capacity:
                guard.add("unknown_ref", f"demand.{name}", role, choice=", ".join(capacity))
            else:
                guard.whole(f"demand.{name}.{role}", people, low=0, high=int(capacity[role]))
    lags = [_whole(guard, f"links[{k}].lag", link.lag) for k, link in enumerate(network.links)]
    for name, floor in zip(network.tasks, network.floor, strict=True):
        _whole(guard, f"not_before.{name}", float(floor))
    guard.number("effort", effort, above=0.0)
    guard.done()
    return duration, lags


def _whole(guard: Guard, field: str, value: float) -> int:
    if value != round(value):
        guard.add("not_whole", field, value)
        return 0
    return int(value)


def _list_schedule(
    network: Network,
    duration: np.ndarray,
    lags: Sequence[int],
    demand: Mapping[str, Mapping[str, int]],
    capacity: Mapping[str, int],
    urgency: np.ndarray,
) -> np.ndarray:
    """Start each task as soon as links and hands allow, the least late start first; a first answer to improve."""
    place = {name: k for k, name in enumerate(network.tasks)}
    waits = [set() for _ in network.tasks]
    for link in network.links:
        waits[place[link.after]].add(place[link.before])
    horizon = int(duration.sum() + sum(abs(lag) for lag in lags) + network.floor.max() + 1)
    left = {role: np.full(horizon, people) for role, people in capacity.items()}
    start = np.full(len(duration), -1)
    while (start < 0).any():
        ready = [k for k in np.flatnonzero(start < 0) if all(start[i] >= 0 for i in waits[k])]
        k = min(ready, key=lambda one: (urgency[one], one))
        at = int(network.floor[k])
        for link, lag in zip(network.links, lags, strict=True):
            if place[link.after] == k:
                i = place[link.before]
                known = start[i] + (duration[i] if link.kind[0] == "F" else 0) + lag
                at = max(at, int(known - (duration[k] if link.kind[1] == "F" else 0)))
        wants = demand.get(network.tasks[k], {})
        while duration[k] and any((left[r][at : at + duration[k]] < people).any() for r, people in wants.items()):
            at += 1  # at the latest all that is placed is done, which is inside the horizon
        for role, people in wants.items():
            left[role][at : at + duration[k]] -= people
        start[k] = at
    return start


def _search(
    network: Network,
    duration: np.ndarray,
    lags: Sequence[int],
    demand: Mapping[str, Mapping[str, int]],
    capacity: Mapping[str, int],
    first: np.ndarray,
    least: float,
    effort: float,
) -> tuple[np.ndarray, int]:
    """Return starts and the proven bound on the end."""
    from ortools.sat.python import cp_model

    model = cp_model.CpModel()
    most = int((first + duration).max())
    place = {name: k for k, name in enumerate(network.tasks)}
    starts = [model.new_int_var(int(network.floor[k]), most, "") for k in range(len(duration))]
    spans = [model.new_fixed_size_interval_var(s, int(d), "") for s, d in zip(starts, duration, strict=True)]
    end = model.new_int_var(int(np.ceil(least - 1e-9)), most, "")
    for s, d in zip(starts, duration, strict=True):
        model.add(s + int(d) <= end)
    for link, lag in zip(network.links, lags, strict=True):
        i, j = place[link.before], place[link.after]
        before = starts[i] + (int(duration[i]) if link.kind[0] == "F" else 0) + lag
        model.add(starts[j] + (int(duration[j]) if link.kind[1] == "F" else 0) >= before)
    for role, people in capacity.items():
        wants = [(spans[k], demand[n][role]) for n, k in place.items() if demand.get(n, {}).get(role) and duration[k]]
        if wants:
            model.add_cumulative([span for span, _ in wants], [need for _, need in wants], int(people))
    model.minimize(end)
    for s, at in zip(starts, first, strict=True):
        model.add_hint(s, int(at))
    solver = cp_model.CpSolver()
    solver.parameters.num_workers = 2
    solver.parameters.interleave_search = True  # with it, several searches still give the same answer each time
    solver.parameters.max_deterministic_time = effort
    solver.parameters.random_seed = SEED
    solver.parameters.catch_sigint_signal = False  # else Ctrl-C would end the whole process at once ever after
    status = solver.solve(model)
    if status in (cp_model.OPTIMAL, cp_model.FEASIBLE):
        return np.array([solver.value(s) for s in starts]), int(np.ceil(solver.best_objective_bound - 1e-9))
    return first, 0
