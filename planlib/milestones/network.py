"""Networks of tasks in continuous time: forward and backward pass over any number of draws, floats, critical tasks.

Times count from the schedule's start in whatever unit the durations have. Conventions: no task starts before 0 or its
not-before time; the end is the latest finish; total float = late start - early start; free float = the least room of a
task's links, at most the room to the end, so that it never passes the total float.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from planlib.core.guards import Guard
from planlib.milestones.calendar import precedence_order

KINDS = ("FS", "SS", "FF", "SF")
SLACK = 1e-9  # of the end: a float below counts as none
_BLOCK = 2_048  # draws that are worked on at once: they stay in the processor's cache


@dataclass(frozen=True, slots=True)
class Link:
    """Something that has to wait for something else.

    Args:
        before, after: ids of tasks.
        kind: which ends are tied: FS (finish to start), SS, FF or SF.
        lag: time between the two ends; below 0 they may overlap.
    """

    before: str
    after: str
    kind: str = "FS"
    lag: float = 0.0


@dataclass(frozen=True, eq=False)
class Passes:
    """When tasks can and must happen. Arrays are (N,) for one set of durations, (N, D) for D draws.

    Attributes:
        early_start, early_finish: as soon as links and not-before times allow.
        late_start, late_finish: as late as the end allows.
        total_float, free_float: how far a task can slip without moving the end, or any other task.
        end: () or (D,) the latest early finish.
    """

    early_start: np.ndarray
    early_finish: np.ndarray
    late_start: np.ndarray
    late_finish: np.ndarray
    total_float: np.ndarray
    free_float: np.ndarray
    end: np.ndarray

    @property
    def critical(self) -> np.ndarray:
        """Bools, (N,) or (N, D): tasks that move the end when they slip."""
        return self.total_float <= SLACK * np.maximum(np.abs(self.end), 1.0)


class Network:
    """Tasks and their links, checked and put in order once.

    Args:
        tasks: ids.
        links: between them.
        not_before: {id: time} at which a task may start at the soonest.

    Attributes:
        floor: (N,) these times, 0 where none is given.

    Raises:
        InputError: no tasks, ids given twice or unknown, a task linked to itself, links in a circle (its tasks are
            named), an unknown kind, a lag or time that is not finite; all at once, circles last.

    >>> found = Network(["a", "b"], [Link("a", "b", lag=1.0)]).passes([2.0, 3.0])
    >>> float(found.end), found.early_start.tolist()
    (6.0, [0.0, 3.0])
    """

    def __init__(
        self, tasks: Sequence[str], links: Iterable[Link] = (), *, not_before: Mapping[str, float] | None = None
    ) -> None:
        self.tasks, self.links = tuple(tasks), tuple(links)
        place: dict[str, int] = {}
        guard = Guard()
        if not self.tasks:
            guard.add("empty", "tasks")
        for k, name in enumerate(self.tasks):
            if name in place:
                guard.add("duplicate_id", f"tasks[{k}]", name, first=f"tasks[{place[name]}]")
            place.setdefault(name, k)
        choice = ", ".join(place)
        for k, link in enumerate(self.links):
            guard.choice(f"links[{k}].kind", link.kind, KINDS)
            guard.number(f"links[{k}].lag", link.lag)
            for end in ("before", "after"):
                if getattr(link, end) not in place:
                    guard.add("unknown_ref", f"links[{k}].{end}", getattr(link, end), choice=choice)
        floor = np.zeros(len(self.tasks))
        for name, time in (not_before or {}).items():
            earliest = guard.number(f"not_before.{name}", time, low=0.0)
            if name in place:
                floor[place[name]] = earliest
            else:
                guard.add("unknown_ref", "not_before", name, choice=choice)
        guard.done()
        waits: dict[str, list[str]] = {name: [] for name in self.tasks}
        for link in self.links:
            waits[link.after].append(link.before)
        self._order = [place[name] for name in precedence_order(waits)]
        self.floor = floor
        self._into: list[list[tuple[int, str, float]]] = [[] for _ in self.tasks]
        self._out: list[list[tuple[int, str, float]]] = [[] for _ in self.tasks]
        for link in self.links:
            i, j = place[link.before], place[link.after]
            self._into[j].append((i, link.kind, float(link.lag)))
            self._out[i].append((j, link.kind, float(link.lag)))

    def passes(self, durations: object) -> Passes:
        """Return early and late times and floats.

        Args:
            durations: (N,) or (N, D), >= 0.

        Raises:
            InputError: a wrong shape, a duration below 0 or not finite; the field names the task.
        """
        d = checked_durations(self.tasks, "durations", durations)
        whole = d if d.ndim == 2 else d[:, None]
        n, draws = whole.shape
        early, late, free = np.empty((n, draws)), np.empty((n, draws)), np.empty((n, draws))
        end = np.empty(draws)
        for first in range(0, draws, _BLOCK):
            part = slice(first, min(first + _BLOCK, draws))
            block = np.ascontiguousarray(whole[:, part])
            early[:, part], end[part] = self._forward(block)
            late[:, part], free[:, part] = self._backward(block, early[:, part], end[part])
        found = (early, early + whole, late, late + whole, late - early, free)
        if d.ndim == 1:
            return Passes(*(x[:, 0] for x in found), end[0])
        return Passes(*found, end)

    def end(self, durations: object) -> np.ndarray:
        """Return the end alone, () or (D,): the forward pass of `passes`."""
        d = checked_durations(self.tasks, "durations", durations)
        whole = d if d.ndim == 2 else d[:, None]
        found = np.empty(whole.shape[1])
        for first in range(0, len(found), _BLOCK):
            part = slice(first, min(first + _BLOCK, len(found)))
            found[part] = self._forward(np.ascontiguousarray(whole[:, part]))[1]
        return found if d.ndim == 2 else found[0]

    def _forward(self, d: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        early = np.empty(d.shape)
        finish = np.empty(d.shape)
        spare = np.empty(d.shape[1])
        for j in self._order:
            start = early[j]
            start.fill(self.floor[j])
            for i, kind, lag in self._into[j]:
                known = early[i] if kind[0] == "S" else finish[i]
                if kind[1] == "F":
                    np.subtract(known, d[j], out=spare)
                    known = spare
                if lag:
                    known = np.add(known, lag, out=spare)
                np.maximum(start, known, out=start)
            np.add(start, d[j], out=finish[j])
        return early, finish.max(axis=0)

    def _backward(self, d: np.ndarray, early: np.ndarray, end: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        late, free = np.empty(d.shape), np.empty(d.shape)
        spare, own = np.empty(d.shape[1]), np.empty(d.shape[1])
        for i in reversed(self._order):
            start, room = late[i], free[i]
            np.subtract(end, d[i], out=start)
            np.subtract(start, early[i], out=room)
            for j, kind, lag in self._out[i]:
                # the latest start of i that this link allows, when j starts late, and when it starts early
                np.negative(d[i], out=own) if kind[0] == "F" else own.fill(0.0)
                if kind[1] == "F":
                    own += d[j]
                if lag:
                    own -= lag
                np.minimum(start, np.add(late[j], own, out=spare), out=start)
                np.add(early[j], own, out=spare)
                np.minimum(room, np.subtract(spare, early[i], out=spare), out=room)
        return late, free


def checked_durations(
    tasks: Sequence[str], field: str, durations: object, *, high: float | None = None
) -> np.ndarray:
    """Return durations as (N,) or (N, D) numbers.

    Args:
        tasks: ids, (N,).
        field: what messages call them.
        high: the longest allowed; None = any.

    Raises:
        InputError: a wrong shape, a duration below 0, above `high` or not finite; the field names the task.
    """
    guard = Guard()
    d = np.asarray(durations, dtype=float)
    if d.ndim not in (1, 2) or len(d) != len(tasks) or d.size == 0:
        guard.add("shape", field, f"shape {d.shape}", expected=f"({len(tasks)},) or (N, D)")
        guard.done()
    bad = ~(np.isfinite(d) & (d >= 0) & (d <= (np.inf if high is None else high)))
    for k in np.flatnonzero(bad if d.ndim == 1 else bad.any(axis=1)):
        given = float(np.atleast_1d(d[k])[np.argmax(np.atleast_1d(bad[k]))])
        guard.number(f"{field}.{tasks[k]}", given, low=0.0, high=high)
    guard.done()
    return d


def rss_buffer(aggressive: object, safe: object) -> tuple[float, float]:
    """Return the buffer of a chain: the root of the sum of squares of what was cut, and half of what was cut.

    Args:
        aggressive, safe: (N,) durations as likely as not, and such that hold nearly always; safe >= aggressive >= 0.

    >>> rss_buffer([5, 8], [8, 12])
    (5.0, 3.5)
    """
    guard = Guard()
    short = guard.numbers("aggressive", aggressive, low=0.0, ndim=(1,))
    long = guard.numbers("safe", safe, low=0.0, ndim=(1,))
    if short.shape != long.shape:
        guard.add("shape", "safe", f"shape {long.shape}", expected=f"{short.shape}")
    else:
        for k in np.flatnonzero(long < short):
            guard.add("low_above_high", f"safe[{k}]", float(long[k]))
    guard.done()
    cut = long - short
    return float(np.sqrt(cut @ cut)), float(cut.sum() / 2)


@dataclass(frozen=True, slots=True)
class Classical:
    """The finish by the classical PERT approximation, which looks at one path only.

    Attributes:
        expected: (N,) (a + 4 m + b) / 6 of each task.
        end: length of the longest path at these.
        critical: its tasks in order.
        variance: sum of ((b - a) / 6)^2 along it.
    """

    expected: np.ndarray
    end: float
    critical: tuple[str, ...]
    variance: float

    def chance_by(self, due: float) -> float:
        """Return P(finish <= due), the finish taken as normal."""
        from scipy.special import ndtr

        if self.variance == 0:
            return float(self.end <= due)
        return float(ndtr((due - self.end) / np.sqrt(self.variance)))


def classical_pert(network: Network, three_point: Sequence[Sequence[float]]) -> Classical:
    """Return the classical PERT approximation of a network, a check on the simulation and biased low where paths meet.

    Args:
        network: tasks and links.
        three_point: (N, 3) least, likeliest and most time of each task, in the network's order of tasks.
    """
    low, mode, high = three_points(network.tasks, three_point)
    expected = (low + 4 * mode + high) / 6
    found = network.passes(expected)
    place = {name: k for k, name in enumerate(network.tasks)}
    start, finish = found.early_start, found.early_finish
    path = [int(np.argmax(finish))]
    while True:  # back from what is done last, always to what the start waits for
        at = path[-1]
        near = SLACK * max(float(found.end), 1.0)
        waits = [
            place[link.before]
            for link in network.links
            if place[link.after] == at and abs(_asked(link, start, finish, place) - start[at]) <= near
        ]
        if not waits:
            break
        path.append(waits[0])
    path.reverse()
    variance = float((((high - low) / 6) ** 2)[path].sum())
    return Classical(expected, float(found.end), tuple(network.tasks[k] for k in path), variance)


def _asked(link: Link, start: np.ndarray, finish: np.ndarray, place: Mapping[str, int]) -> float:
    """Return the start of the later task that a link asks for."""
    i, j = place[link.before], place[link.after]
    known = (start if link.kind[0] == "S" else finish)[i] + link.lag
    return float(known - (finish[j] - start[j] if link.kind[1] == "F" else 0.0))


def three_points(tasks: Sequence[str], rows: Sequence[Sequence[float]]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return (N,) least, likeliest and most times, checked.

    Raises:
        InputError: a wrong shape, a value below 0 or not finite, values out of order; the field names the task.
    """
    guard = Guard()
    values = guard.numbers("three_point", rows, low=0.0, ndim=(2,))
    if values.shape != (len(tasks), 3):
        guard.add("shape", "three_point", f"shape {values.shape}", expected=f"({len(tasks)}, 3)")
        guard.done()
    for k, (low, mode, high) in enumerate(values):
        if not low <= mode <= high:
            guard.add("low_above_high", f"three_point.{tasks[k]}", f"{low:g}, {mode:g}, {high:g}")
    guard.done()
    return values[:, 0], values[:, 1], values[:, 2]


@dataclass(frozen=True, slots=True)
class Crashed:
    """The cheapest way to meet a deadline by spending on shorter tasks.

    Attributes:
        extra_cost: in the unit of the costs.
        saved: {task: time taken off}, those that are shortened only.
        end: of the schedule then.
        price: cost of one unit of time less still; None when the deadline costs nothing.
    """

    extra_cost: float
    saved: dict[str, float]
    end: float
    price: float | None


def crash(
    network: Network, normal: Sequence[float], shortest: Sequence[float], cost: Sequence[float], deadline: float
) -> Crashed:
    """Return the least extra cost at which the network ends by a deadline (linear time-cost trade-off, Kelley 1961).

    Args:
        network: tasks and links.
        normal, shortest: (N,) durations without and with all that money can do, shortest <= normal.
        cost: (N,) of each unit of time taken off, >= 0.
        deadline: for the end.

    Raises:
        InputError: values out of range; a deadline that even the shortest durations miss (`deadline_missed`).
    """
    guard = Guard()
    n = len(network.tasks)
    rows = {}
    for name, given in (("normal", normal), ("shortest", shortest), ("cost", cost)):
        rows[name] = guard.numbers(name, given, low=0.0, ndim=(1,))
        if rows[name].shape != (n,):
            guard.add("shape", name, f"shape {rows[name].shape}", expected=f"({n},)")
    due = guard.number("deadline", deadline, low=0.0)
    guard.done()
    for k in np.flatnonzero(rows["shortest"] > rows["normal"]):
        guard.add("low_above_high", f"shortest.{network.tasks[k]}", float(rows["shortest"][k]))
    guard.done()
    best = network.passes(rows["shortest"])
    if best.end > due * (1 + 1e-12):
        chain = " -> ".join(name for name, on in zip(network.tasks, best.critical, strict=True) if on)
        guard.add("deadline_missed", "deadline", due, earliest=f"{float(best.end):g}", chain=chain)
        guard.done()
    from scipy.optimize import linprog
    from scipy.sparse import coo_array

    # columns: N starts, N times taken off, the end
    entries: list[tuple[int, int, float]] = []
    right: list[float] = []
    place = {name: k for k, name in enumerate(network.tasks)}

    def row(terms: Sequence[tuple[int, float]], bound: float) -> None:
        entries.extend((len(right), column, value) for column, value in terms)
        right.append(bound)

    for k in range(n):
        row([(k, 1.0), (n + k, -1.0), (2 * n, -1.0)], -rows["normal"][k])
    for link in network.links:
        i, j = place[link.before], place[link.after]
        terms, bound = [(i, 1.0), (j, -1.0)], -link.lag
        if link.kind[0] == "F":
            terms.append((n + i, -1.0))
            bound -= rows["normal"][i]
        if link.kind[1] == "F":
            terms.append((n + j, 1.0))
            bound += rows["normal"][j]
        row(terms, bound)
    at, column, value = zip(*entries, strict=True)
    matrix = coo_array((value, (at, column)), shape=(len(right), 2 * n + 1)).tocsr()
    bounds = [*((t, None) for t in network.floor), *((0, s) for s in rows["normal"] - rows["shortest"]), (0, due)]
    objective = np.concatenate([np.zeros(n), rows["cost"], [0.0]])
    found = linprog(objective, A_ub=matrix, b_ub=right, bounds=bounds, method="highs")
    saved = {network.tasks[k]: float(found.x[n + k]) for k in range(n) if found.x[n + k] > 1e-9}
    price = -float(found.upper.marginals[2 * n])
    end = float(network.end(rows["normal"] - found.x[n : 2 * n]))
    return Crashed(float(found.fun), saved, end, price if price > 1e-12 else None)
