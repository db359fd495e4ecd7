"""Classifications: what their axes can make, and which stand side by side."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from planlib.consistency.finding import CONTRADICTION, Finding, Repair
from planlib.consistency.rules.made import Place, ask, bilingual, made
from planlib.consistency.rules.stated import number
from planlib.consistency.view import View
from planlib.plan import Plan
from planlib.plan.model import Scheme

_CLASSES = ("segments", "tiers")
_CROSSWALKS = (_CLASSES, ("lifecycle",), ("values",), ("departments",))
_SIDE_BY_SIDE = {  # what is told of several classifications of one kind
    "segments": ("n", "low", "high"),
    "lifecycle": ("n", "low", "high", "shared"),
    "values": ("n", "total"),
    "departments": ("n", "total", "shared"),
}


def schemes(view: View) -> Iterator[Finding]:
    """R20: classes that their axes cannot make, and classifications side by side without a crosswalk.

    Test: with at least two levels an axis, a count of classes has as many prime factors as axes; schemes of one kind
    and labels used twice. Level: contradiction for the count, question for the crosswalk. Trap: a declared merge
    rule, crosswalk or open list silences it; where the classes are the axes themselves nothing is multiplied.
    """
    every = [(plan, scheme) for plan in view.plans for scheme in plan.users.schemes]
    for plan in view.plans:
        yield from _impossible_counts(plan)
    for kinds in _CROSSWALKS:
        yield from _side_by_side(view, [pair for pair in every if pair[1].kind in kinds], kinds[0])
    yield from _labels(view, [pair for pair in every if pair[1].kind in _CLASSES])


def _factors(count: int) -> int:
    """Return the number of prime factors, each as often as it divides.

    >>> _factors(8), _factors(9), _factors(7), _factors(1)
    (3, 2, 1, 0)
    """
    found, divisor = 0, 2
    while count > 1:
        while count % divisor == 0:
            count, found = count // divisor, found + 1
        divisor += 1
    return found


def _impossible_counts(plan: Plan) -> Iterator[Finding]:
    groups: dict[tuple, list[Scheme]] = {}
    for s in plan.users.schemes:
        if s.kind != "values" and len(s.axes) > 1 and not (s.merge_rule or s.open_ended):
            groups.setdefault((s.classes, s.axes), []).append(s)
    for (classes, axes), found in groups.items():
        makes = _factors(classes)
        if makes >= len(axes):
            continue
        path = f"users.schemes.{found[0].id}"
        repairs = [
            Repair("classes", f"{path}.classes", number(2 ** len(axes))),
            Repair("merge_rule", f"{path}.merge_rule"),
        ]
        if makes:
            repairs.insert(0, Repair("axes", f"{path}.axes", number(makes)))
        yield made(
            "R20",
            CONTRADICTION,
            "rules_meaning.R20.count",
            [Place(s.id, s.source, plan.id) for s in found],
            {"classes": number(classes), "axes": number(len(axes)), "two": number(2 ** len(axes)),
             "three": number(3 ** len(axes)), "makes": number(makes)},
            repairs=repairs,
        )  # fmt: skip


def _label(name) -> str:
    return name.en.strip().lower()


def _side_by_side(view: View, found: list[tuple[Plan, Scheme]], kind: str) -> Iterator[Finding]:
    """Several classifications of one kind, none translated into another."""
    if kind == "values":  # composite scores rest on the same features, whatever they are called
        features = {axis for _, s in found for axis in s.axes}
        others = [(p, s) for p in view.plans for s in p.users.schemes if s.kind in _CLASSES and features & set(s.axes)]
        found = [*found, *{s.axes: (p, s) for p, s in reversed(others)}.values()]
    lists = [(Place(s.id, s.source, p.id), [_label(x) for x in s.labels], s) for p, s in found if not s.crosswalk]
    if kind == "departments":
        for plan in view.plans:
            if not any(p is plan for p, _ in found):
                names = {d.id: d.name for d in plan.team.departments}
                roles = [r for r in plan.team.roles.values() if r.department in names]
                listed = list(dict.fromkeys(_label(names[r.department]) for r in roles))
                if listed:
                    lists.append((Place("team.roles", roles[0].source, plan.id), listed, None))
    if len(lists) < 2:
        return
    sizes = [len(labels) if s is None else len(s.axes) if kind == "values" else s.classes for _, labels, s in lists]
    names = Counter(x for _, labels, s in lists for x in (s.axes if kind == "values" else dict.fromkeys(labels)))
    shared = [label for label, times in names.items() if times == len(lists)]
    sized = zip(lists, sizes, strict=True)
    figures = {"n": len(lists), "low": min(sizes), "high": max(sizes), "total": sum(sizes), "shared": len(shared)}
    yield ask(
        view,
        f"R20.{kind}",
        [where for where, *_ in lists],
        {name: number(figures[name]) for name in _SIDE_BY_SIDE[kind]},
        repairs=[Repair("crosswalk", "users.schemes")],
        extra={f"size_{where.id}": float(size) for (where, *_), size in sized}
        | {f"recurs_{label}": float(times) for label, times in names.items() if times > 1},
    )


def _labels(view: View, found: list[tuple[Plan, Scheme]]) -> Iterator[Finding]:
    """One label for classes of several schemes, or for users whom a threshold singles out."""
    uses: dict[str, dict[str, Place]] = {}
    names = {}
    for plan, s in found:
        for name in s.labels:
            names.setdefault(_label(name), name)
            uses.setdefault(_label(name), {})[s.source] = Place(s.id, s.source, plan.id)
    for said in view.of(level=False):
        label = (said.statement.scope or "").lower()
        if label in uses and ".thresholds[" in said.path:
            where = Place(said.id, said.statement.source, said.plan)
            uses[label].setdefault(said.statement.source, where)
    for label, places in uses.items():
        if len(places) > 1:
            yield ask(
                view,
                "R20.label",
                places.values(),
                {"n": number(len(places))},
                names={"label": bilingual(names[label])},
                repairs=[Repair("crosswalk", "users.schemes")],
            )
