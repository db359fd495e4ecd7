"""Scores, cuts, cells, segments and classes: by hand, by brute force, and on inputs that have nothing to divide."""

import itertools
from pathlib import Path

import numpy as np
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from planlib.core.errors import InputError
from planlib.customers import segments as room

calm = settings(deadline=None, derandomize=True, max_examples=60)
LOCALES = Path(room.__file__).parents[1] / "locale"
NONE = room.Cuts(None, None, None, None)


def people(rng, n=2_000):
    """Invented customers with ties everywhere: some without orders, some with more refunded than bought."""
    orders = rng.poisson(1.2, n)
    days = np.where(orders > 0, rng.integers(0, 400, n), np.nan)
    money = np.where(orders > 0, np.round(orders * rng.gamma(2, 80, n) - 30, 0), 0.0)
    return days, orders, money, rng.poisson(0.5, n)


customers = st.lists(
    st.tuples(st.integers(0, 60), st.integers(0, 4), st.integers(-50, 400), st.integers(0, 3)), min_size=1, max_size=25
).map(lambda rows: tuple(np.array(column) for column in zip(*rows, strict=True)))


# ---- scores


def test_average_scores_by_hand():
    """Ranks 1, 2.5, 2.5, 4, 5: 5 x rank / 5 rounded up."""
    assert room.scores([3, 7, 7, 8, 9]).tolist() == [1, 3, 3, 4, 5]


def test_ntile_scores_are_those_of_sql():
    duckdb = pytest.importorskip("duckdb")
    rng = np.random.default_rng(3)
    values, ids = rng.integers(0, 9, 103), rng.permutation(103)
    rows = ", ".join(f"({i}, {v})" for i, v in zip(ids.tolist(), values.tolist(), strict=True))
    text = f"SELECT id, NTILE(5) OVER (ORDER BY v, id) FROM (VALUES {rows}) t(id, v)"
    told = dict(duckdb.sql(text).fetchall())
    found = room.scores(values, ties="ntile", ids=ids)
    assert [told[i] for i in ids.tolist()] == found.tolist()


@calm
@given(st.lists(st.integers(0, 5), min_size=1, max_size=40), st.integers(2, 6))
def test_equal_values_get_equal_scores_and_larger_ones_no_lower(values, classes):
    found = room.scores(values, classes=classes)
    rank = [sum(w < v for w in values) + (sum(w == v for w in values) + 1) / 2 for v in values]
    assert found.tolist() == [-(-int(2 * classes * r) // (2 * len(values))) for r in rank]
    assert found.min() >= 1 and found.max() <= classes


def test_who_never_ordered_has_no_score():
    found = room.rfm_scores([np.nan, 5, 9], [0, 1, 2], [0, -20, 50], classes=2)
    assert [found.recency.tolist(), found.frequency.tolist(), found.money.tolist()] == [[0, 2, 1], [0, 1, 2], [0, 1, 2]]
    nobody = room.rfm_scores([np.nan, np.nan], [0, 0], [0, 0])
    assert nobody.recency.tolist() == nobody.money.tolist() == [0, 0]


# ---- cuts


@calm
@given(st.lists(st.integers(0, 6), min_size=1, max_size=30), st.floats(0.05, 0.95))
def test_no_cut_lies_nearer_to_the_share_asked_for(values, share):
    (cut,) = room.propose_levels(values, (share,))
    seen = np.array(values)
    counts = {float(v): int((seen >= v).sum()) for v in set(values) if (seen >= v).sum() < len(seen)}
    if not counts:
        assert cut is None
        return
    wanted = share * len(seen)
    best = min(abs(many - wanted) for many in counts.values())
    assert_allclose(abs(counts[cut] - wanted), best, atol=1e-9)


def test_of_two_equally_near_the_stricter_cut():
    """Of four, one or three can be high; two were asked for."""
    assert room.propose_levels([1, 2, 2, 3], (0.5,)) == (3.0,)


def test_cuts_are_found_among_buyers_and_say_what_they_divide():
    found = room.propose_cuts([1, 5, 9, 9, np.nan], [1, 1, 1, 4, 0], [10, 20, 30, 40, 0], [0, 0, 0, 2, 0])
    assert found.cuts == room.Cuts(5.0, 4.0, 30.0, 2.0)
    assert found.high_share == {"recency": 0.5, "frequency": 0.25, "money": 0.5, "social": 0.2}
    assert found.judged == {"recency": 4, "frequency": 4, "money": 4, "social": 5}


# ---- segments


def test_the_merge_table_covers_all_sixteen_cells():
    assert set(room.MERGE) == {"".join(bits) for bits in itertools.product("01", repeat=4)}
    assert set(room.MERGE.values()) == set(room.SEGMENTS)
    # the usual eight of recency, frequency and money, when nobody is social
    usual = {"111": "key_value", "101": "key_develop", "011": "key_keep", "001": "key_rescue", "110": "general_value",
             "100": "general_develop", "010": "general_keep", "000": "general_rescue"}  # fmt: skip
    assert {cell[:3]: segment for cell, segment in room.MERGE.items() if cell[3] == "0"} == usual
    # social acts stand in for orders, and for nothing else
    for r, f, m in itertools.product("01", repeat=3):
        assert room.MERGE[f"{r}{f}{m}1"] == usual[f"{r}1{m}"]


@calm
@given(customers, st.floats(0.1, 0.9))
def test_every_customer_has_exactly_one_of_eight(figures, share):
    cuts = room.propose_cuts(*figures, high_share=share).cuts
    found = room.rfms(*figures, cuts=cuts)
    n = len(figures[0])
    assert found.segment.shape == found.cell.shape == (n,)
    assert found.counts.sum() == found.cells.sum() == n
    assert_array_equal(found.counts, np.bincount(found.segment, minlength=8))
    assert set(found.names) <= set(room.SEGMENTS)
    limits = (cuts.recency_days, cuts.frequency, cuts.money_cny, cuts.social)
    for days, orders, money, acts, name in zip(*figures, found.names, strict=True):
        high = [
            days <= limits[0] if limits[0] is not None else False,
            *(cut is not None and value >= cut for value, cut in zip((orders, money), limits[1:3], strict=True)),
        ]
        bits = [bool(orders and h) for h in high] + [limits[3] is not None and acts >= limits[3]]
        assert name == room.MERGE["".join("01"[int(bit)] for bit in bits)]


@pytest.mark.parametrize(
    ("figures", "cuts", "names"),
    [
        # nobody has ordered: only social acts divide
        (([np.nan] * 3, [0, 0, 0], [0, 0, 0], [0, 0, 4]), room.Cuts(None, None, None, 4.0),
         ["general_rescue", "general_rescue", "general_keep"]),
        # all alike: nothing divides, nobody is high
        (([5, 5], [2, 2], [9, 9], [1, 1]), NONE, ["general_rescue", "general_rescue"]),
        # one customer
        (([5], [2], [9], [1]), NONE, ["general_rescue"]),
        # more refunded than bought counts as little money, not as an error
        (([5, 5], [1, 1], [-50, 30], [0, 0]), room.Cuts(None, None, 30.0, None), ["general_rescue", "key_rescue"]),
    ],
    ids=["no_orders", "ties", "one", "refunds"],
)  # fmt: skip
def test_where_there_is_nothing_to_divide(figures, cuts, names):
    assert room.propose_cuts(*figures).cuts == cuts
    found = room.rfms(*figures, cuts=cuts)
    assert found.names.tolist() == names
    assert found.without_orders == sum(orders == 0 for orders in figures[1])


def test_no_orders_is_low_whatever_the_cut():
    found = room.rfms([0, 3], [0, 1], [0, 0], [0, 0], cuts=room.Cuts(10, 1, 0, None))
    assert found.names.tolist() == ["general_rescue", "key_value"]


def test_another_merge_table_is_followed():
    flat = dict.fromkeys(room.MERGE, "general_keep")
    assert room.rfms([1, 2], [1, 2], [3, 4], [0, 0], cuts=NONE, merge=flat).counts.tolist() == [0, 0, 0, 0, 0, 0, 2, 0]


@pytest.mark.parametrize(
    ("change", "code", "field"),
    [
        ({"frequency": [1.5, 1]}, "not_whole", "frequency"),
        ({"frequency": [1]}, "shape", "recency_days"),
        ({"recency_days": [-1, 2]}, "at_least", "recency_days[0]"),
        ({"recency_days": [np.nan, 2]}, "not_finite", "recency_days[0]"),
        ({"money_cny": [np.inf, 2]}, "not_finite", "money_cny[0]"),
        ({"social": [-1, 0]}, "at_least", "social[0]"),
        ({"cuts": room.Cuts(1, 0, 1, 1)}, "above", "cuts.frequency"),
        ({"cuts": room.Cuts(1, 1, np.nan, 1)}, "not_finite", "cuts.money"),
        ({"merge": {k: v for k, v in room.MERGE.items() if k != "0110"}}, "missing", "merge.0110"),
        ({"merge": dict(room.MERGE) | {"0110": "gold"}}, "choice", "merge.0110"),
        ({"merge": dict(room.MERGE) | {"2110": "key_keep"}}, "choice", "merge.2110"),
    ],
)
def test_bad_customers(change, code, field):
    given = {"recency_days": [1, 2], "frequency": [1, 1], "money_cny": [5, 6], "social": [0, 0], "cuts": NONE} | change
    figures = [given.pop(name) for name in ("recency_days", "frequency", "money_cny", "social")]
    with pytest.raises(InputError) as caught:
        room.rfms(*figures, **given)
    assert (code, field) in {(p.code, p.field) for p in caught.value.problems}
    assert all(problem.render(locale) for problem in caught.value.problems for locale in ("zh", "en"))


def test_no_customer_at_all_is_refused():
    with pytest.raises(InputError):
        room.propose_cuts([], [], [], [])


# ---- what the segments are like, how firm they are, where they go


def test_profiles_add_up():
    figures = people(np.random.default_rng(5))
    found = room.rfms(*figures, cuts=room.propose_cuts(*figures).cuts)
    rows = room.profile(found.segment, *figures)
    assert [row.segment for row in rows] == list(room.SEGMENTS)
    assert [row.customers for row in rows] == found.counts.tolist()
    assert_allclose([sum(row.share for row in rows), sum(row.money_share for row in rows)], 1.0)
    assert_allclose(sum(row.money_cny * row.customers for row in rows), figures[2].sum())
    assert sum(row.customers - row.buyers for row in rows) == found.without_orders
    key = found.names == "key_value"
    assert_allclose(rows[0].recency_days, figures[0][key].mean())


def test_profile_of_an_empty_segment_and_of_refunds_above_purchases():
    rows = room.profile([7, 7], [np.nan, 4], [0, 1], [0, -5], [0, 0])
    assert (rows[0].customers, rows[0].recency_days, rows[0].orders, rows[0].money_share) == (0, None, None, None)
    assert (rows[7].buyers, rows[7].recency_days, rows[7].money_cny, rows[7].money_share) == (1, 4.0, -2.5, None)
    only = room.profile([6], [np.nan], [0], [0], [3])[6]
    assert (only.customers, only.recency_days, only.orders, only.money_share) == (1, None, 0.0, None)


def test_segments_of_clear_groups_are_stable_and_those_of_few_customers_are_not():
    rng = np.random.default_rng(11)
    clear = tuple(np.repeat(pair, 150) for pair in ([300, 3], [1, 8], [20, 900], [0, 4]))
    firm = room.stability(*clear, rng=rng, resamples=40)
    assert firm.kept_share == 1.0 and firm.cuts["money"].low == firm.cuts["money"].high == 900
    assert firm.kept.tolist() == [1.0, -1, -1, -1, -1, -1, -1, 1.0]
    assert firm.share.low[0] < 0.5 < firm.share.high[0]
    few = room.stability(*people(rng, 30), rng=rng, resamples=40)
    many = room.stability(*people(rng, 3_000), rng=rng, resamples=40)
    assert few.kept_share < many.kept_share < 1.0
    assert np.isfinite(few.share.low).all() and (few.kept <= 1).all()


def test_shares_of_segments_cover():
    """The interval of a resample holds the share in the whole population in about 95 % of samples."""
    rng = np.random.default_rng(21)
    whole = people(rng, 100_000)
    true = room.rfms(*whole, cuts=room.propose_cuts(*whole).cuts).counts[7] / 100_000
    hits, sims = 0, 60
    for _ in range(sims):
        some = rng.integers(100_000, size=400)
        band = room.stability(*(figure[some] for figure in whole), rng=rng, resamples=60).share
        hits += band.low[7] <= true <= band.high[7]
    assert abs(hits / sims - 0.95) < 4 * (0.95 * 0.05 / sims) ** 0.5 + 0.02  # percentiles of few resamples run short


def test_stability_without_any_cut():
    found = room.stability([5], [1], [9], [0], rng=np.random.default_rng(1), resamples=3)
    assert found.kept_share == 1.0
    assert set(found.cuts.values()) == {None}


def test_population_stability_by_hand():
    a, b = np.array([500.5, 500.5]) / 1001, np.array([700.5, 300.5]) / 1001
    found = room.population_stability([500, 500], [700, 300])
    assert_allclose(found.value, ((b - a) * np.log(b / a)).sum())
    assert found.verdict == "moved"
    assert room.population_stability([900, 100], [100, 900]).verdict == "shifted"
    assert room.population_stability([10, 0], [8, 2]).value < np.inf
    for before, after in (([0, 0], [1, 2]), ([1, 2], [1, 2, 3])):
        with pytest.raises(InputError):
            room.population_stability(before, after)


@calm
@given(st.lists(st.tuples(st.integers(-1, 2), st.integers(-1, 2)), min_size=1, max_size=50))
def test_migration_counts_everybody_once(pairs):
    before, after = (np.array(column) for column in zip(*pairs, strict=True))
    found = room.migration(before, after, classes=3)
    assert found.counts.sum() == len(pairs)
    for k in range(3):
        assert found.net[k] == (after == k).sum() - (before == k).sum()
        assert found.counts[k].sum() == (before == k).sum()
    inside = (before >= 0) & (after >= 0)
    stayed = (before == after)[inside].mean() if inside.any() else None
    assert found.stayed_share == (None if stayed is None else pytest.approx(stayed))


def test_bad_migration():
    for before, after in (([0, 9], [0, 1]), ([0], [0, 1]), ([0.5], [1.0])):
        with pytest.raises(InputError):
            room.migration(before, after)


# ---- value x interaction


@calm
@given(customers, st.integers(0, 2**32))
def test_nine_classes_partition_the_customers(figures, seed):
    value, interaction = figures[2], figures[3]
    cuts = room.propose_grid_cuts(value, interaction)
    before = np.random.default_rng(seed).integers(-1, 9, len(value))
    for previous in (None, before):
        found = room.grid(value, interaction, cuts=cuts, previous=previous)
        assert found.counts.sum() == len(value) and ((found.cell >= 0) & (found.cell < 9)).all()
        assert_array_equal(found.counts, np.bincount(found.cell, minlength=9))
        if previous is not None:
            plain = room.grid(value, interaction, cuts=cuts).cell
            assert (found.cell != plain)[found.held].all()
            assert_array_equal(found.cell[before < 0], plain[before < 0])


def test_terciles_and_names():
    value = np.arange(9)
    cuts = room.propose_grid_cuts(value, value[::-1])
    assert cuts.value == (3.0, 6.0)
    found = room.grid(value, value[::-1], cuts=cuts)
    assert found.names.tolist() == ["low_high"] * 3 + ["mid_mid"] * 3 + ["high_low"] * 3
    assert tuple(f"{v}_{i}" for v in room.LEVELS for i in room.LEVELS) == room.GRID


def test_within_the_band_a_customer_keeps_the_class():
    """Cut at 100 with a band of a tenth: from 90 to below 110 everything stays as it was."""
    cuts = room.GridCuts((100.0, 1_000.0), (10.0, 100.0))
    low, mid = room.GRID.index("low_low"), room.GRID.index("mid_low")
    value = np.array([89.9, 90.0, 100.0, 109.9, 110.0])

    def classes(before):
        return room.grid(value, np.zeros(5), cuts=cuts, previous=np.full(5, before), band=0.1)

    assert classes(mid).cell.tolist() == [low, mid, mid, mid, mid]
    assert classes(low).cell.tolist() == [low, low, low, low, mid]
    assert classes(-1).cell.tolist() == [low, low, mid, mid, mid]
    assert classes(mid).held.tolist() == [False, True, False, False, False]
    assert classes(low).held.tolist() == [False, False, True, True, False]
    # two levels at once, and a return over both
    far = room.grid([5_000.0, 1.0], [0.0, 0.0], cuts=cuts, previous=[low, room.GRID.index("high_low")])
    assert far.names.tolist() == ["high_low", "low_low"]


def test_bands_around_negative_cuts_and_zero():
    level, _ = room.ordered_levels([-105.0, -95.0, -89.0], [-100.0], previous=[0, 0, 0], rise=0.1, fall=0.1)
    assert level.tolist() == [0, 0, 1]
    level, _ = room.ordered_levels([-1.0, 0.0], [0.0], previous=[1, 0], rise=0.1, fall=0.1)
    assert level.tolist() == [0, 1]


def test_empty_interactions_and_ties():
    cuts = room.propose_grid_cuts([1, 2, 3, 4], [0, 0, 0, 0])
    assert cuts.interaction == (None, None)
    assert set(room.grid([1, 2, 3, 4], [0, 0, 0, 0], cuts=cuts).names) <= {"low_low", "mid_low", "high_low"}
    two = room.propose_grid_cuts([0, 0, 1, 1], [0, 0, 1, 1])  # two figures make no third level
    assert two.value == (1.0, 1.0)
    assert room.grid([0, 0, 1, 1], [0, 0, 1, 1], cuts=two).names.tolist() == ["low_low"] * 2 + ["high_high"] * 2
    one = room.grid([7], [0], cuts=room.propose_grid_cuts([7], [0]))
    assert one.names.tolist() == ["low_low"]


def test_influence_lies_over_the_classes():
    found = room.grid([1, 9, 9], [0, 0, 0], cuts=room.GridCuts((5, 8), (None, None)), social=[3, 0, 5], social_cut=3)
    assert found.influential.tolist() == [True, False, True]
    assert found.influential_counts[[0, 6]].tolist() == [1, 1] and found.counts[6] == 2
    assert not room.grid([1], [0], cuts=room.GridCuts((None, None), (None, None)), social=[9]).influential.any()


@pytest.mark.parametrize(
    "call",
    [
        lambda: room.grid([1, 2], [1], cuts=room.GridCuts((1, 2), (1, 2))),
        lambda: room.grid([1], [1], cuts=room.GridCuts((2, 1), (1, 2))),
        lambda: room.grid([1], [1], cuts=room.GridCuts((None, 1), (1, 2))),
        lambda: room.grid([1], [1], cuts=room.GridCuts((1,), (1, 2))),
        lambda: room.grid([1], [1], cuts=room.GridCuts((1, 2), (1, 2)), previous=[9]),
        lambda: room.grid([1], [1], cuts=room.GridCuts((1, 2), (1, 2)), band=1.0),
        lambda: room.propose_levels([1, 2], (0.3, 0.6)),
        lambda: room.scores([1, 2], ties="random"),
        lambda: room.scores([1, 2], ids=[1]),
    ],
)
def test_bad_grids(call):
    with pytest.raises(InputError):
        call()


@pytest.mark.parametrize("locale", ["zh", "en"])
def test_each_class_segment_and_tier_has_a_strategy(locale):
    told = yaml.safe_load((LOCALES / locale / "customers.yaml").read_text(encoding="utf-8"))
    for block, ids in (("segments", room.SEGMENTS), ("grid", room.GRID)):
        assert set(told[block]) == set(ids)
        actions = [told[block][name]["action"] for name in ids]
        assert all(len(action) > 5 for action in actions) and len(set(actions)) == len(ids)
        assert len({told[block][name]["name"] for name in ids}) == len(ids)


# ---- percentiles


def test_percentiles_by_hand():
    assert room.percentiles([1, 5, 5, 9]).tolist() == [12.5, 50, 50, 87.5]
    assert room.percentiles([3, 3]).tolist() == [50, 50] and room.percentiles([3]).tolist() == [50]
