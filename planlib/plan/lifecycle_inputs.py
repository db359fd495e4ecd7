"""Stage vocabularies and their translations, unpacked from plans for `planlib.funnel.lifecycle`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from planlib.core.errors import InputError, Problem
from planlib.plan.load import Plan
from planlib.plan.model import Scheme


def vocabularies(plans: Iterable[Plan], *, kind: str = "lifecycle") -> dict[str, tuple[str, ...]]:
    """Return {scheme: names of its classes in order} for the schemes that name all of them."""
    return {s.id: _names(s) for s in _schemes(plans) if s.kind == kind and len(s.labels) == s.classes}


def mappings(plans: Iterable[Plan], *, kind: str = "lifecycle") -> dict[tuple[str, str], Mapping[str, str]]:
    """Return {(scheme, scheme that it translates to): {class: class there}}, as `crosswalk` takes it.

    Raises:
        InputError: a scheme translates to one that the plans do not have or do not name in
            full, or to a class that is not there.
    """
    plans = tuple(plans)
    known, found, problems = vocabularies(plans, kind=kind), {}, []
    for scheme in _schemes(plans):
        if scheme.kind != kind or not scheme.maps_to:
            continue
        field, there = f"users.schemes.{scheme.id}", known.get(scheme.crosswalk, ())
        if not there:
            values = {"choice": ", ".join(sorted(known)) or "—"}
            problems.append(
                Problem("unknown_ref", field=f"{field}.crosswalk", given=scheme.crosswalk, values=values)
            )
        elif max(scheme.maps_to) > len(there):
            values = {"low": 1, "high": len(there)}
            problems.append(
                Problem("out_of_range", field=f"{field}.maps_to", given=max(scheme.maps_to), values=values)
            )
        elif scheme.id in known:
            names = (there[place - 1] for place in scheme.maps_to)
            found[scheme.id, scheme.crosswalk] = dict(zip(known[scheme.id], names, strict=True))
        else:
            values = {"n": scheme.classes}
            problems.append(Problem("count", field=f"{field}.labels", given=len(scheme.labels), values=values))
    if problems:
        raise InputError(*problems)
    return found


def _schemes(plans: Iterable[Plan]) -> Iterable[Scheme]:
    return (scheme for plan in plans for scheme in plan.users.schemes)


def _names(scheme: Scheme) -> tuple[str, ...]:
    return tuple(label.en for label in scheme.labels)
