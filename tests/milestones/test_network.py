"""Networks by hand, against a slow plain implementation, and what they refuse."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from planlib.core.errors import InputError
from planlib.milestones.network import Crashed, Link, Network, classical_pert, crash, rss_buffer


def slow_times(n, links, durations, floor):
    """Early and late starts by going round the links until nothing changes."""
    early = list(floor)
    for _ in range(n + 1):
        for i, j, kind, lag in links:
            known = early[i] + (durations[i] if kind[0] == "F" else 0) + lag
            early[j] = max(early[j], known - (durations[j] if kind[1] == "F" else 0))
    end = max(e + d for e, d in zip(early, durations, strict=True))
    late = [end - d for d in durations]
    for _ in range(n + 1):
        for i, j, kind, lag in links:
            allowed = late[j] + (durations[j] if kind[1] == "F" else 0) - lag
            late[i] = min(late[i], allowed - (durations[i] if kind[0] == "F" else 0))
    return np.array(early), np.array(late), end


@st.composite
def networks(draw):
    n = draw(st.integers(1, 7))
    pairs = [pair for pair in itertools.combinations(range(n), 2) if draw(st.booleans())]
    names = draw(st.permutations([f"t{k}" for k in range(n)]))
    links = [
        (i, j, draw(st.sampled_from(("FS", "SS", "FF", "SF"))), draw(st.integers(-3, 3))) for i, j in pairs
    ]  # fmt: skip
    durations = [draw(st.integers(0, 9)) for _ in range(n)]
    floor = [draw(st.sampled_from((0, 0, 4))) for _ in range(n)]
    return names, links, durations, floor


def built(names, links, floor):
    named = [Link(names[i], names[j], kind, lag) for i, j, kind, lag in links]
    return Network(names, named, not_before=dict(zip(names, floor, strict=True)))


@given(networks())
def test_passes_agree_with_going_round_the_links(case):
    names, links, durations, floor = case
    found = built(names, links, floor).passes(durations)
    early, late, end = slow_times(len(names), links, durations, floor)
    assert_allclose(found.early_start, early, atol=1e-12)
    assert_allclose(found.late_start, late, atol=1e-12)
    assert found.end == end
    assert_allclose(found.total_float, late - early, atol=1e-12)
    assert (found.free_float <= found.total_float + 1e-9).all()
    assert found.critical.any()


@given(networks(), st.integers(0, 6), st.integers(1, 5))
def test_slipping_a_task_by_its_float_moves_nothing_and_by_more_moves_the_end(case, place, more):
    names, links, durations, floor = case
    k = place % len(names)
    before = built(names, links, floor).passes(durations)
    slipped = list(floor)
    slipped[k] = before.early_start[k] + before.total_float[k]
    assert built(names, links, slipped).passes(durations).end == pytest.approx(before.end)
    slipped[k] += more
    assert built(names, links, slipped).passes(durations).end > before.end
    slipped[k] = before.early_start[k] + before.free_float[k]
    moved = built(names, links, slipped).passes(durations)
    others = np.arange(len(names)) != k
    assert_allclose(moved.early_start[others], before.early_start[others], atol=1e-12)


@settings(max_examples=20)
@given(networks(), st.integers(0, 2**31))
def test_draws_are_worked_on_alike_whatever_their_number(case, seed):
    names, links, durations, floor = case
    drawn = np.random.default_rng(seed).uniform(0, 9, (len(names), 2_050))  # more than one block
    network = built(names, links, floor)
    found = network.passes(drawn)
    for k in (0, 2_047, 2_049):
        alone = network.passes(drawn[:, k])
        assert_allclose(found.early_start[:, k], alone.early_start)
        assert_allclose(found.free_float[:, k], alone.free_float)
        assert (found.critical[:, k] == alone.critical).all()
    assert_allclose(network.end(drawn), found.end)
    assert network.end(durations) == network.passes(durations).end


def test_all_mistakes_of_a_network_at_once():
    with pytest.raises(InputError) as caught:
        Network(
            ["a", "b", "a"], [Link("a", "x"), Link("a", "b", "FX"), Link("a", "b", lag=float("nan"))],
            not_before={"y": 1.0, "b": -1.0},
        )  # fmt: skip
    told = {(problem.field, problem.code) for problem in caught.value.problems}
    assert told == {
        ("tasks[2]", "duplicate_id"), ("links[0].after", "unknown_ref"), ("links[1].kind", "choice"),
        ("links[2].lag", "not_finite"), ("not_before", "unknown_ref"), ("not_before.b", "at_least"),
    }  # fmt: skip


@pytest.mark.parametrize("links", [[("a", "a")], [("a", "b"), ("b", "c"), ("c", "a")]])
def test_a_circle_is_named(links):
    with pytest.raises(InputError) as caught:
        Network(["a", "b", "c"], [Link(*ends) for ends in links])
    (problem,) = caught.value.problems
    assert problem.code == "cycle"
    assert set(str(problem.given).split(" -> ")) == {name for ends in links for name in ends}


def test_a_bad_duration_names_its_task():
    network = Network(["design", "build"], [Link("design", "build")])
    for bad in ([1.0, -1.0], [1.0, float("nan")], [[1.0, 2.0], [2.0, -3.0]]):
        with pytest.raises(InputError) as caught:
            network.passes(bad)
        assert [problem.field for problem in caught.value.problems] == ["durations.build"]
    with pytest.raises(InputError):
        network.passes([1.0])
    with pytest.raises(InputError):
        Network([])


def test_classical_pert_follows_one_path():
    """Two tasks in a row beside a short one: (1 + 4 x 2 + 3) / 6 = 2 and (2 + 4 x 4 + 12) / 6 = 5."""
    network = Network(["a", "b", "c"], [Link("a", "b")])
    found = classical_pert(network, [(1, 2, 3), (2, 4, 12), (1, 1, 1)])
    assert (found.end, found.critical) == (7.0, ("a", "b"))
    assert found.variance == pytest.approx((2 / 6) ** 2 + (10 / 6) ** 2)
    assert found.chance_by(7.0) == pytest.approx(0.5)
    with pytest.raises(InputError) as caught:
        classical_pert(network, [(3, 2, 3), (2, 4, 12), (1, 1, 1)])
    assert caught.value.problems[0].field == "three_point.a"


def test_classical_pert_follows_ties_of_every_kind_back_from_the_end():
    """a 4 days; b begins 2 after a, 6 days, to 8; c ends 3 after b ends, 2 days: 9 to 11; d alone for 10."""
    links = [Link("a", "b", "SS", 2.0), Link("b", "c", "FF", 3.0), Link("a", "c")]
    network = Network(["d", "a", "b", "c"], links)
    found = classical_pert(network, [(10, 10, 10), (4, 4, 4), (3, 6, 9), (2, 2, 2)])
    assert (found.end, found.critical, found.variance) == (11.0, ("a", "b", "c"), 1.0)


def test_least_crash_by_trying_all():
    """Whole units taken off each task, every combination tried."""
    network = Network(["a", "b", "c", "d"], [Link("a", "b"), Link("a", "c", lag=1.0), Link("b", "d"), Link("c", "d")])
    normal, shortest, cost = [4.0, 5.0, 6.0, 3.0], [2.0, 3.0, 3.0, 2.0], [50.0, 20.0, 30.0, 90.0]
    for deadline in (14.0, 12.0, 11.0, 9.0):
        found = crash(network, normal, shortest, cost, deadline)
        room = [range(int(n - s) + 1) for n, s in zip(normal, shortest, strict=True)]
        least = min(
            float(np.dot(cost, cut))
            for cut in itertools.product(*room)
            if network.end(np.subtract(normal, cut)) <= deadline
        )
        assert found.extra_cost == pytest.approx(least)
        assert found.end <= deadline + 1e-9
    dearer = (
        crash(network, normal, shortest, cost, 9.5).extra_cost - crash(network, normal, shortest, cost, 10.0).extra_cost
    )
    assert crash(network, normal, shortest, cost, 9.75).price == pytest.approx(dearer / 0.5)
    assert crash(network, normal, shortest, cost, 14.0) == Crashed(0.0, {}, 14.0, None)


def test_a_deadline_out_of_reach_names_its_chain():
    with pytest.raises(InputError) as caught:
        crash(Network(["a", "b", "c"], [Link("a", "b")]), [4, 4, 1], [3, 2, 1], [1, 1, 1], 4)
    (problem,) = caught.value.problems
    assert (problem.code, problem.values["chain"], problem.values["earliest"]) == ("deadline_missed", "a -> b", "5")
    assert "a -> b" in caught.value.render("zh")


def test_buffer():
    assert rss_buffer([5, 8], [8, 12]) == (5.0, 3.5)
    with pytest.raises(InputError):
        rss_buffer([5, 8], [8, 7])
