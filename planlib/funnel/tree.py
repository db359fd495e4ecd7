"""A goal taken apart: from the share of GMV through GMV down to what each monthly figure has to be."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from planlib.core.guards import Guard
from planlib.funnel.targets import holds

RESULTS = ("active_users", "buyers", "orders", "gmv")

Goal = float | tuple[float, float]
Own = Mapping[str, Sequence[tuple[str, Goal, float | None]]]

_EPS = 1e-12


@dataclass(frozen=True, slots=True)
class Driver:
    """One factor of a product.

    Attributes:
        metric: of the catalogue.
        level: now, or as forecast, > 0.
        weight: effort of one per cent more, > 0; a driver of twice the weight moves half as far.
        ceiling: highest level that can be; None = no limit.
        free: whether it may move at all.
    """

    metric: str
    level: float
    weight: float = 1.0
    ceiling: float | None = None
    free: bool = True


@dataclass(frozen=True, slots=True)
class Need:
    """What each driver has to be for the product to grow by a factor.

    Attributes:
        levels: (F,) with the least weighted relative change; at their ceilings where even those do not suffice.
        change_rel: (F,) levels / now - 1.
        effort: (F,) part of the growth that each brings, in logarithms; they sum to 1 (0 when nothing has to move).
        alone: (F,) level that would do it if only this driver moved.
        alone_reachable: (F,) whether that is within its ceiling and the driver free.
        at_ceiling: metrics that the answer holds at their ceilings.
        reachable: whether the factor is reached.
        best_factor: largest factor that the ceilings allow; None without limit.
    """

    levels: np.ndarray
    change_rel: np.ndarray
    effort: np.ndarray
    alone: np.ndarray
    alone_reachable: np.ndarray
    at_ceiling: tuple[str, ...]
    reachable: bool
    best_factor: float | None


@dataclass(frozen=True, slots=True)
class Node:
    """One figure of the tree.

    Attributes:
        metric: of the catalogue.
        parent: metric of the node above, "" at the top.
        kind: goal, result (a product), driver (a factor) or watched (no factor; it only has a target of its own).
        depth: steps below the top.
        now: level as forecast.
        needed: level that the goal asks for; None for watched figures.
        change_rel: needed / now - 1; None for watched figures.
        ceiling: of a driver or of the product of its drivers; None without limit.
        op, goal: the node's own target, the first that is missed; "" and None without one.
        status: on_track or off_track (red) against its own target, none without one.
        reachable: False where not even the ceiling reaches what is needed.
    """

    metric: str
    parent: str
    kind: str
    depth: int
    now: float
    needed: float | None
    change_rel: float | None
    ceiling: float | None
    op: str
    goal: Goal | None
    status: str
    reachable: bool


@dataclass(frozen=True, slots=True)
class Tree:
    """Nodes from the top down, each after its parent; need: of the drivers, in their order."""

    nodes: tuple[Node, ...]
    need: Need

    @property
    def red(self) -> tuple[str, ...]:
        """Metrics whose own target is missed."""
        return tuple(node.metric for node in self.nodes if node.status == "off_track")


def required_levels(drivers: Sequence[Driver], factor: float) -> Need:
    """Return the levels with which a product grows by a factor at the least weighted relative change.

    Minimises sum_i w_i ln(x_i / now_i)^2 under sum_i ln(x_i / now_i) = ln(factor) and x_i <= ceiling_i. Without
    ceilings ln(x_i / now_i) is proportional to 1 / w_i; a driver beyond its ceiling is put there and the others
    share what it leaves, until none is beyond (which is the optimum, as the multiplier only grows). A factor of at
    most 1 asks nothing.

    Args:
        drivers: (F,) factors of the product.
        factor: goal / now, > 0.

    Raises:
        InputError: no driver, a level, weight or ceiling out of range, or a factor that is not above 0.

    >>> three = [Driver("private_domain_users", 100.0), Driver("repurchase_rate", 0.2), Driver("aov", 200.0)]
    >>> required_levels(three, 1.32).change_rel.round(4)
    array([0.097, 0.097, 0.097])
    """
    guard = Guard()
    wanted = guard.number("factor", factor, above=0.0)
    if not drivers:
        guard.add("empty", "drivers")
    for driver in drivers:
        guard.number(f"{driver.metric}.level", driver.level, above=0.0)
        guard.number(f"{driver.metric}.weight", driver.weight, above=0.0)
        if driver.ceiling is not None:
            guard.number(f"{driver.metric}.ceiling", driver.ceiling, above=0.0)
    guard.done()
    now = np.array([driver.level for driver in drivers], dtype=float)
    ease = np.array([1.0 / driver.weight if driver.free else 0.0 for driver in drivers])
    room = np.array([_room(driver) for driver in drivers])
    need = max(float(np.log(wanted)), 0.0)
    reachable = need <= room.sum() + _EPS
    moves = _least(need, ease, room) if reachable else room
    change = np.expm1(moves)
    alone = now * max(wanted, 1.0)
    total = moves.sum()
    return Need(
        levels=now * (1.0 + change),
        change_rel=change,
        effort=moves / total if total > 0 else np.zeros(len(now)),
        alone=alone,
        alone_reachable=room >= need - _EPS,
        at_ceiling=tuple(d.metric for d, x, most in zip(drivers, moves, room, strict=True) if 0 < most <= x + _EPS),
        reachable=bool(reachable),
        best_factor=float(np.exp(room.sum())) if np.isfinite(room.sum()) else None,
    )


def target_tree(
    goal: float,
    drivers: Sequence[Driver],
    *,
    scale: float,
    top: str = "gmv_share",
    results: Sequence[str] = RESULTS,
    own: Own | None = None,
    watched: Mapping[str, tuple[str, float]] | None = None,
) -> Tree:
    """Take a goal apart: top = scale x product of the drivers, each partial product a figure of its own.

    Args:
        goal: level of `top` that is asked for.
        drivers: (F,) in the order in which they are multiplied, e.g. users, active share, conversion, orders a buyer,
            order value.
        scale: top / product, e.g. months of the window / GMV of the company in it.
        top: metric of the goal.
        results: (F - 1,) metrics of the products of the first 2, 3, ... F drivers.
        own: {metric: its targets as (op, goal, level)}, see `planlib.funnel.targets.holds`; the level is that of the
            target's own month, None for the node's level now.
        watched: {metric: (metric above, level now)} of figures that are no factor.

    Raises:
        InputError: as `required_levels`; a scale that is not above 0, or a name too many or too few.

    >>> chain = [Driver("private_domain_users", 1e6), Driver("aov", 200.0)]
    >>> tree = target_tree(0.3, chain, scale=1e-9, results=["gmv"], watched={"new_customer_share": ("gmv", 0.35)},
    ...                    own={"new_customer_share": [("at_least", 0.4, None)]})
    >>> [(node.metric, node.parent) for node in tree.nodes][:3], tree.red
    ([('gmv_share', ''), ('gmv', 'gmv_share'), ('new_customer_share', 'gmv')], ('new_customer_share',))
    """
    guard = Guard()
    share = guard.number("scale", scale, above=0.0)
    asked = guard.number("goal", goal, above=0.0)
    if len(results) != max(len(drivers) - 1, 0):
        guard.add("shape", "results", f"{len(results)} names", expected=f"{max(len(drivers) - 1, 0)}")
    guard.done()
    levels = np.array([driver.level for driver in drivers], dtype=float)
    now = share * float(levels.prod())
    need = required_levels(drivers, asked / now if now > 0 else 1.0)
    most = np.array([_most(driver) for driver in drivers])
    nodes = [_node(top, "", "goal", 0, (now, max(asked, now), share * most.prod()), own)]
    parent = top
    for last in range(len(drivers) - 1, -1, -1):
        depth = len(drivers) - last
        if last:  # the product of the drivers so far
            part = slice(0, last + 1)
            figures = (levels[part].prod(), need.levels[part].prod(), most[part].prod())
            nodes.append(_node(results[last - 1], parent, "result", depth, figures, own))
            parent, depth = results[last - 1], depth + 1
        figures = (levels[last], need.levels[last], most[last])
        nodes.append(_node(drivers[last].metric, parent, "driver", depth, figures, own))
    return Tree(_with_watched(nodes, watched or {}, own), need)


def _room(driver: Driver) -> float:
    """How far a driver can rise, in logarithms."""
    if not driver.free:
        return 0.0
    return np.inf if driver.ceiling is None else max(float(np.log(driver.ceiling / driver.level)), 0.0)


def _most(driver: Driver) -> float:
    return driver.level * float(np.exp(_room(driver)))


def _least(need: float, ease: np.ndarray, room: np.ndarray) -> np.ndarray:
    """Return (F,) rises that sum to the need, in proportion to the ease, none beyond its room."""
    moves = np.zeros(len(ease))
    open_ = (ease > 0) & (room > 0)
    left = need
    while left > _EPS and open_.any():
        moves[open_] = left * ease[open_] / ease[open_].sum()
        beyond = open_ & (moves > room)
        if not beyond.any():
            break
        moves[beyond] = room[beyond]
        open_ &= ~beyond
        left = need - moves[~open_].sum()
    return moves


def _node(
    metric: str, parent: str, kind: str, depth: int, figures: tuple[float, float | None, float], own: Own | None
) -> Node:
    now, needed, most = figures
    op, goal, status = _judged(now, (own or {}).get(metric, ()))
    return Node(
        metric=metric,
        parent=parent,
        kind=kind,
        depth=depth,
        now=float(now),
        needed=None if needed is None else float(needed),
        change_rel=None if needed is None else float(needed / now - 1.0),
        ceiling=float(most) if np.isfinite(most) else None,
        op=op,
        goal=goal,
        status=status,
        reachable=needed is None or bool(needed <= most * (1.0 + 1e-9)),
    )


def _judged(now: float, targets: Sequence[tuple[str, Goal, float | None]]) -> tuple[str, Goal | None, str]:
    """Return the first target that is missed, else the first, and whether all are met."""
    missed = [(op, goal) for op, goal, level in targets if not holds(op, goal, now if level is None else level)]
    if missed:
        return *missed[0], "off_track"
    return (*targets[0][:2], "on_track") if targets else ("", None, "none")


def _with_watched(nodes: list[Node], watched: Mapping[str, tuple[str, float]], own: Own | None) -> tuple[Node, ...]:
    """Put each watched figure right after the node that it belongs to."""
    guard = Guard()
    known = {node.metric: node for node in nodes}
    found = list(nodes)
    for metric, (above, level) in watched.items():
        guard.choice(f"watched.{metric}", above, known)
        guard.number(f"watched.{metric}", level)
    guard.done()
    for metric, (above, level) in reversed(watched.items()):
        extra = _node(metric, above, "watched", known[above].depth + 1, (level, None, np.inf), own)
        found.insert(found.index(known[above]) + 1, extra)
    return tuple(found)
