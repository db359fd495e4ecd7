"""Schedules within capacity: by hand, against trying every start, and what is refused."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from planlib.core.errors import InputError
from planlib.milestones.levelling import level
from planlib.milestones.network import Link, Network


def holds(network, days, demand, capacity, start):
    place = dict(zip(network.tasks, range(len(days)), strict=True))
    for link in network.links:
        i, j = place[link.before], place[link.after]
        before = start[i] + (days[i] if link.kind[0] == "F" else 0) + link.lag
        if start[j] + (days[j] if link.kind[1] == "F" else 0) < before:
            return False
    for day in range(max(s + d for s, d in zip(start, days, strict=True))):
        for role, people in capacity.items():
            at_work = [k for k in range(len(days)) if start[k] <= day < start[k] + days[k]]
            if sum(demand.get(network.tasks[k], {}).get(role, 0) for k in at_work) > people:
                return False
    return True


def test_two_tasks_of_one_person_follow_each_other():
    network = Network(["a", "b", "c"], [Link("a", "c")])
    found = level(network, [3, 2, 1], {"a": {"editor": 1}, "b": {"editor": 1}}, {"editor": 1})
    assert (found.end, found.bound, found.gap, found.unlimited_end) == (5, 5, 0.0, 4)
    assert found.load["editor"].tolist() == [1, 1, 1, 1, 1]
    assert level(network, [3, 2, 1], {"a": {"editor": 1}, "b": {"editor": 1}}, {"editor": 2}).end == 4


@st.composite
def cases(draw):
    n = draw(st.integers(1, 4))
    names = [f"t{k}" for k in range(n)]
    links = [
        Link(names[i], names[j], draw(st.sampled_from(("FS", "SS", "FF"))), draw(st.integers(-1, 2)))
        for i, j in itertools.combinations(range(n), 2)
        if draw(st.booleans())
    ]
    days = [draw(st.integers(0, 3)) for _ in range(n)]
    demand = {name: {"r": draw(st.integers(0, 2)), "s": draw(st.integers(0, 1))} for name in names}
    floor = {names[0]: draw(st.sampled_from((0, 2)))}
    return Network(names, links, not_before=floor), days, demand, {"r": 2, "s": 1}


@settings(max_examples=25, deadline=None)
@given(cases())
def test_no_schedule_of_all_ends_sooner(case):
    network, days, demand, capacity = case
    found = level(*case)
    starts = [found.start[name] for name in network.tasks]
    assert holds(network, days, demand, capacity, starts)
    assert found.gap == 0
    floor = network.floor.astype(int)
    sooner = (
        start
        for start in itertools.product(*(range(f, max(f, found.end - d) + 1) for f, d in zip(floor, days, strict=True)))
        if max(s + d for s, d in zip(start, days, strict=True)) < found.end
    )
    assert not any(holds(network, days, demand, capacity, start) for start in sooner)


def test_the_same_effort_gives_the_same_schedule():
    rng = np.random.default_rng(1)
    names = [f"t{k}" for k in range(14)]
    links = [Link(names[i], names[j]) for i, j in itertools.combinations(range(14), 2) if rng.random() < 0.12]
    demand = {name: {"r": int(rng.integers(1, 4))} for name in names}
    days = rng.integers(1, 9, 14).tolist()
    asked = (Network(names, links), days, demand, {"r": 5})
    first, second = level(*asked, effort=0.05), level(*asked, effort=0.05)
    assert first.start == second.start and first.bound == second.bound
    assert holds(*asked, [first.start[name] for name in names])


def test_all_mistakes_at_once_with_the_names_of_tasks():
    network = Network(["design", "build"], [Link("design", "build", lag=0.5)])
    with pytest.raises(InputError) as caught:
        level(network, [2.5, 1], {"build": {"dev": 4, "ops": 1}, "test": {}}, {"dev": 3})
    told = {(problem.field, problem.code) for problem in caught.value.problems}
    assert told == {
        ("days.design", "not_whole"), ("demand.build.dev", "out_of_range"), ("demand.build", "unknown_ref"),
        ("demand", "unknown_ref"), ("links[0].lag", "not_whole"),
    }  # fmt: skip
