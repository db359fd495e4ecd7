"""Who carries the targets of a plan: units level by level, as `planlib.funnel.split` takes them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from planlib.core.metrics import catalogue
from planlib.plan.load import Plan


@dataclass(frozen=True, slots=True)
class Units:
    """The organisation of a plan, in its own order.

    Args:
        ids, names, levels: (U,) of the units; a name has both languages.
        parents: (U,) index of the unit above, -1 for those right below the whole.
        weights: (U,) by which brothers share what is left after the hand-set shares.
        basis: (U,) which field the weight is: history, capacity or weight; "" with a hand-set share.
        shares: (U,) set by hand, of the unit above; None elsewhere.
        capacities: (U,) the most that a unit can carry; None where it is not stated.
        metric: what the capacities are counted in.
        move: what exceeds a capacity goes to units that have room.
        paths: (U,) place of each unit in the plan.
    """

    ids: tuple[str, ...]
    names: tuple[Mapping[str, str], ...]
    levels: tuple[str, ...]
    parents: tuple[int, ...]
    weights: tuple[float, ...]
    basis: tuple[str, ...]
    shares: tuple[float | None, ...]
    capacities: tuple[float | None, ...]
    metric: str
    move: bool
    paths: tuple[str, ...]

    def arguments(self, metric: str) -> dict[str, Any]:
        """Return the keyword arguments of `planlib.funnel.split.split` for a target on a metric.

        Capacities are left out for a metric that they are not counted in.
        """
        same = metric == self.metric
        return {
            "parents": self.parents,
            "weights": self.weights,
            "shares": self.shares,
            "capacities": self.capacities if same else None,
            "move": self.move and same,
        }


@dataclass(frozen=True, slots=True)
class Operators:
    """How many people serve how many users each.

    Args:
        people: fewest and most, of `people_path`.
        users_each: that one of them serves, and the section that says so.
        metric: what is served.
    """

    people: tuple[int, int]
    people_path: str
    users_each: float
    users_each_path: str
    source: str


def units(plan: Plan) -> Units | None:
    """Return the units of a plan's organisation, None when it has none."""
    organisation = plan.organisation
    if organisation is None:
        return None
    rows = organisation.units
    place = {row.id: index for index, row in enumerate(rows)}
    basis = tuple("" if row.share is not None else organisation.basis[row.level] for row in rows)
    return Units(
        ids=tuple(place),
        names=tuple(row.name.model_dump() for row in rows),
        levels=tuple(row.level for row in rows),
        parents=tuple(-1 if row.parent is None else place[row.parent] for row in rows),
        weights=tuple(float(getattr(row, name)) if name else 0.0 for row, name in zip(rows, basis, strict=True)),
        basis=basis,
        shares=tuple(row.share for row in rows),
        capacities=tuple(row.capacity for row in rows),
        metric=organisation.metric,
        move=organisation.excess == "move",
        paths=tuple(f"organisation.units.{row.id}" for row in rows),
    )


def is_split(metric: str) -> bool:
    """Whether a target is split at all: parts of a total add up, every unit has the same rate.

    >>> is_split("private_domain_users"), is_split("mau_rate")
    (True, False)
    """
    return catalogue()[metric].additive


def operators(plan: Plan) -> Operators | None:
    """Return the operators and their load, as far as the plan states both; None otherwise.

    The people are those of the role (or the roles of the department) that owns `team.users_per_operator`, else the
    whole team, which then is an upper limit.
    """
    load = plan.team.users_per_operator
    if load is None or load.level is None:
        return None
    each = load.level[-1] if isinstance(load.level, tuple) else load.level
    told = {"users_each": float(each), "users_each_path": "team.users_per_operator", "source": load.source}
    for name, role in plan.team.roles.items():
        if role.people is not None and load.owner is not None and load.owner in (name, role.department):
            low, high = role.people if isinstance(role.people, tuple) else (role.people, role.people)
            return Operators((int(low), int(high)), f"team.roles.{name}.people", **told)
    size = plan.team.size
    if size is None or size.level is None:
        return None
    people = size.level if isinstance(size.level, tuple) else (size.level, size.level)
    return Operators((int(people[0]), int(people[1])), "team.size", **told)
