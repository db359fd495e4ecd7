"""Chances proven on a later cut: against other implementations, closed forms and planted truths."""

import datetime as dt

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from scipy.special import expit

from planlib.core.errors import InputError
from planlib.customers import scoring
from planlib.customers.scoring import (
    Cut,
    Features,
    align,
    auc,
    average_precision,
    build_features,
    choose,
    fit_calibrator,
    fit_logistic,
    fit_score,
    lift,
    need_before,
    uplift,
    validate,
)

MOMENT = np.datetime64("2026-10-01")


def drawn(n: int, rng: np.random.Generator, intercept: float = -3.0) -> tuple[Features, np.ndarray, np.ndarray]:
    """People with three traits, their true chances and what they did."""
    x = rng.normal(size=(n, 3)) * [1.0, 5.0, 0.1] + [0.0, 100.0, 3.0]
    p = expit(intercept + (x - [0.0, 100.0, 3.0]) @ [1.0, -0.1, 4.0])
    return Features(("a", "b", "c"), x), p, (rng.random(n) < p).astype(int)


def cuts(n: int, rng: np.random.Generator, count: int = 3, **more) -> list[Cut]:
    out = []
    for i in range(count):
        features, _, y = drawn(n, rng)
        out.append(Cut(MOMENT + np.timedelta64(30 * i, "D"), features, y, 30, **more))
    return out


def codes(caught) -> set[str]:
    return {problem.code for problem in caught.value.problems}


# ---- the fit


def test_the_fit_is_that_of_statsmodels():
    import statsmodels.api as sm

    features, _, y = drawn(3_000, np.random.default_rng(1))
    offset = np.repeat([0.0, np.log(1.4)], 1_500)
    ours = fit_logistic(features, y, exposure=np.exp(offset))
    theirs = sm.GLM(y, sm.add_constant(features.values), family=sm.families.Binomial(), offset=offset).fit(tol=1e-12)
    assert ours.method == "maximum_likelihood" and ours.reason is None
    assert_allclose([ours.intercept, *ours.coef], theirs.params, rtol=1e-6)
    assert_allclose(ours.se, theirs.bse[1:], rtol=1e-5)
    assert ours.loglik == pytest.approx(theirs.llf)


def test_many_rows_are_taken_some_at_a_time(monkeypatch):
    features, _, y = drawn(1_000, np.random.default_rng(2))
    whole = fit_logistic(features, y)
    monkeypatch.setattr(scoring, "CHUNK_ROWS", 77)
    assert_allclose(fit_logistic(features, y).coef, whole.coef, rtol=1e-9)


def test_separated_groups_get_a_ridge_and_say_so():
    x = np.linspace(-1, 1, 40)[:, None]
    found = fit_logistic(Features(("x",), x), (x[:, 0] > 0).astype(int))
    assert (found.method, found.reason, found.tried) == ("ridge", "separation", ("maximum_likelihood", "ridge"))
    assert found.se is None and np.isfinite(found.coef).all() and found.coef[0] > 0


def test_a_label_of_a_few_who_all_did_it_is_separated_too():
    rng = np.random.default_rng(3)
    rare = np.zeros(500)
    rare[:6] = 1
    y = (rng.random(500) < 0.1).astype(int)
    y[:6] = 1
    found = fit_logistic(Features(("rare",), rare[:, None]), y)
    assert found.method == "ridge" and (found.predict(Features(("rare",), np.eye(1))) < 1).all()


def test_the_ridge_is_the_top_of_its_own_aim():
    """The penalised likelihood falls whichever way one steps away."""
    x = np.linspace(-1, 1, 40)
    y = (x > 0).astype(int)
    z = (x - x.mean()) / x.std()
    found = fit_logistic(Features(("z",), z[:, None]), y)

    def aim(b):
        at = b[0] + b[1] * z
        return (y * at - np.logaddexp(0, at)).sum() - 0.5 * b[1] ** 2

    best = np.array([found.intercept, found.coef[0]])
    assert all(aim(best) >= aim(best + step) for step in 1e-3 * np.vstack([np.eye(2), -np.eye(2)]))


def test_columns_that_tell_nothing_new_are_left_out_by_name():
    features, _, y = drawn(500, np.random.default_rng(4))
    x = np.column_stack([features.values, np.ones(500), features.values[:, 0] - features.values[:, 1]])
    found = fit_logistic(Features(("a", "b", "c", "one", "difference"), x), y)
    assert found.dropped == ("one", "difference") and found.method == "maximum_likelihood"
    assert_allclose(found.coef[:3], fit_logistic(features, y).coef, rtol=1e-8)


@pytest.mark.parametrize(
    ("x", "y", "code"),
    [
        (np.ones((3, 1)), [0, 0, 0], "one_class"),
        (np.ones((3, 1)), [0, 1, 2], "not_a_share"),
        (np.ones((3, 1)), [0, 1], "shape"),
        (np.full((3, 1), np.nan), [0, 1, 1], "not_finite"),
    ],
)
def test_what_cannot_be_fitted(x, y, code):
    with pytest.raises(InputError) as caught:
        fit_logistic(Features(("x",), x), np.array(y))
    assert code in codes(caught)


# ---- features and leaks


def test_features_of_a_moment():
    """By hand: 30 days back is a day's log 31 and e**-1 fresh; nothing known is 0, with a column that says so."""
    made = build_features(
        {
            "person": np.array(["p", "q"]),
            "joined_at": np.array(["2026-09-01", "2026-09-30"], dtype="datetime64[us]"),
            "last_order_at": np.ma.masked_array(np.array(["2026-09-01"] * 2, dtype="datetime64[us]"), [False, True]),
            "orders": np.array([1, 0]),
            "tag": np.array(["gold", ""], dtype=object),
            "last_stamp": np.array(["2026-09-01", "2026-09-30"], dtype="datetime64[us]"),
        },
        MOMENT,
    )
    row = dict(zip(made.names, made.values.T.tolist(), strict=True))
    assert row["joined_at_days"] == pytest.approx([np.log(31), np.log(2)])
    assert row["joined_at_fresh"] == pytest.approx([np.exp(-1), np.exp(-1 / 30)])
    assert row["last_order_at_days"] == pytest.approx([np.log(31), 0])
    assert row["last_order_at_none"] == [0, 1] and row["last_order_at_fresh"][1] == 0
    assert row["newcomer"] == pytest.approx([0, np.exp(-1 / 30)])
    assert row["orders"] == pytest.approx([np.log(2), 0]) and row["tag=gold"] == [1, 0]
    assert not {"person", "last_stamp"} & set(made.names)


@pytest.mark.parametrize("name", ["last_stamp", "last_act_at"])
def test_a_feature_stamped_at_or_after_the_moment_is_refused(name):
    columns = {"orders": np.array([1, 2]), name: np.array(["2026-09-30", "2026-10-01"], dtype="datetime64[us]")}
    with pytest.raises(InputError) as caught:
        build_features(columns, MOMENT)
    (problem,) = caught.value.problems
    assert (problem.code, problem.field, problem.values["rows"]) == ("feature_after", name, 1)
    columns[name][1] -= np.timedelta64(1, "us")
    build_features(columns, MOMENT)


def test_no_stamp_is_no_leak():
    need_before(np.array(["NaT", "2026-01-01"], dtype="datetime64[us]"), MOMENT)


def test_labels_that_a_cut_does_not_know_are_nothing():
    found = align(Features(("a", "t=x"), np.array([[1.0, 2.0]])), ("t=y", "a"))
    assert found.names == ("t=y", "a") and found.values.tolist() == [[0.0, 1.0]]


# ---- judging


@given(st.lists(st.tuples(st.integers(0, 5), st.booleans()), min_size=4, max_size=40))
def test_area_and_precision_are_those_of_counting(rows):
    score, y = np.array([float(s) for s, _ in rows]), np.array([int(hit) for _, hit in rows])
    if 0 < y.sum() < len(y):
        yes, no = score[y == 1], score[y == 0]
        won = (yes[:, None] > no).mean() + 0.5 * (yes[:, None] == no).mean()
        found, band = auc(score, y)
        assert found == pytest.approx(won) and band.low - 1e-12 <= found <= band.high + 1e-12
    if y.any():
        precision = total = 0.0
        for cut in sorted(set(score.tolist()), reverse=True):
            chosen = score >= cut
            recall = y[chosen].sum() / y.sum()
            precision, total = precision + (recall - total) * y[chosen].mean(), recall
        assert average_precision(score, y) == pytest.approx(precision)


def test_the_interval_of_the_area_covers():
    """DeLong at 90 %: covered in 90 of 100, give or take four standard errors; the true area in closed form."""
    from scipy.stats import norm

    rng, hits, runs = np.random.default_rng(5), 0, 400
    true = norm.cdf(1 / 2**0.5)
    for _ in range(runs):
        y = np.repeat([1, 0], [40, 160])
        band = auc(rng.normal(size=200) + y, y, level=0.9)[1]
        hits += band.low <= true <= band.high
    assert abs(hits / runs - 0.9) < 4 * (0.09 / runs) ** 0.5


def test_lift_by_hand_and_ties_shared_out():
    y = np.zeros(100)
    y[:8] = 1
    table = lift(-np.arange(100.0), y)
    assert (table[0].rate, table[0].lift, table[0].captured) == pytest.approx((0.8, 10, 1))
    assert len(table) == 10 and table[1].events == 0
    assert [row.lift for row in lift(np.ones(100), y)] == pytest.approx([1.0] * 10)


@given(st.lists(st.tuples(st.integers(0, 3), st.booleans()), min_size=10, max_size=60))
def test_lift_loses_nobody(rows):
    score, y = np.array([float(s) for s, _ in rows]), np.array([int(hit) for _, hit in rows])
    if y.any():
        table = lift(score, y)
        assert sum(row.events for row in table) == pytest.approx(y.sum())
        assert table[-1].captured == pytest.approx(1) and sum(row.n for row in table) == pytest.approx(len(y))


def test_true_chances_are_found_calibrated():
    _, p, y = drawn(200_000, np.random.default_rng(6))
    found = validate(p, y)
    assert found.slope == pytest.approx(1, abs=0.05) and found.intercept == pytest.approx(0, abs=0.1)
    assert found.mean_agrees() is True and found.brier_skill > 0
    assert sum(b.interval.low <= b.predicted <= b.interval.high for b in found.curve) >= 8
    assert validate(np.minimum(1.3 * p, 1), y).mean_agrees() is False
    assert validate(p[:500], y[:500]).mean_agrees() is None  # too few to tell 5 %


def test_nobody_or_everybody_did_it():
    none = validate(np.full(20, 0.1), np.zeros(20))
    assert (none.reason, none.auc, none.ratio, none.deciles, none.pr_auc) == ("no_events", None, None, (), None)
    everybody = validate(np.full(20, 0.1), np.ones(20))
    assert (everybody.reason, everybody.auc, everybody.ratio) == ("all_events", None, pytest.approx(0.1))


# ---- calibration


def test_what_is_off_is_put_right():
    rng = np.random.default_rng(7)
    _, p, y = drawn(60_000, rng)
    off = expit(2 * np.log(p / (1 - p)) + 1)  # too sure of itself, and too high
    platt, isotonic = (fit_calibrator(off, y, method=method) for method in ("platt", "isotonic"))
    assert platt.slope == pytest.approx(0.5, abs=0.03) and platt.intercept == pytest.approx(-0.5, abs=0.05)
    _, q, z = drawn(60_000, rng)
    worse = expit(2 * np.log(q / (1 - q)) + 1)
    for calibrator in (platt, isotonic):
        found = validate(calibrator.apply(worse), z, rank=worse)
        assert found.slope == pytest.approx(1, abs=0.08) and found.mean_agrees() is not False
    assert (np.diff(isotonic.apply(np.linspace(0, 1, 500))) >= 0).all()
    assert isotonic.levels[0] > 0 and isotonic.levels[-1] < 1


@pytest.mark.parametrize("seed", range(5))
def test_a_curve_keeps_the_mean_however_few_stand_at_its_ends(seed):
    """The lowest score of all did nothing, the highest did: blocks of one, which must not move the others."""
    rng = np.random.default_rng(seed)
    p = np.sort(rng.beta(2, 25, size=20_000))
    y = (rng.random(20_000) < p).astype(int)
    y[0], y[1], y[-1] = 0, 1, 1
    found = fit_calibrator(p, y, method="isotonic")
    assert found.apply(p).mean() == pytest.approx(y.mean(), rel=0.01)
    assert (np.diff(found.levels) >= 0).all() and found.levels.min() > 0 and found.levels.max() < 1


def test_which_calibration_is_chosen():
    rng = np.random.default_rng(8)
    _, p, y = drawn(3_000, rng)
    assert fit_calibrator(p, y).reason == "agrees"
    few = fit_calibrator(expit(2 * np.log(p / (1 - p))), y)
    assert (few.method, few.reason) == ("platt", "few_for_isotonic")
    _, p, y = drawn(40_000, rng)
    assert fit_calibrator(p, y).method == "isotonic"
    assert fit_calibrator(p[:100], y[:100]).reason == "few_events"


# ---- a score whole


def test_the_mean_is_within_five_percent_on_people_and_a_month_never_seen():
    found = fit_score(cuts(120_000, np.random.default_rng(9)))
    assert found.validation.mean_agrees() is True
    assert found.calibrator.method == "isotonic"
    assert found.validation.top_decile.interval.low < found.validation.top_decile.lift < 10
    assert (len(found.trained_on), found.tested_on - found.calibrated_on) == (1, np.timedelta64(30, "D"))


def test_the_score_is_as_good_as_the_true_chances():
    rng = np.random.default_rng(10)
    train, _, test = cuts(40_000, rng)
    features, p, y = drawn(40_000, rng)
    found = fit_score([train, test])
    best, ours = auc(p, y)[0], auc(found.rank(features), y)[0]
    assert abs(best - ours) < 0.003 and found.calibrator.reason == "one_cut"
    assert_allclose(found.predict(features), p, atol=0.05)


@pytest.mark.parametrize(("months", "off"), [((2.0, 1.0), 1.5), ((1.0, 2.0), 0.7), ((1.0, 2.0, 1.0), 1.5)])
def test_a_lively_month_is_told_from_a_usual_one(months, off):
    """Twice the odds in a month known to be lively: with its exposure each month is told right."""
    rng = np.random.default_rng(11)
    made = []
    for i, times in enumerate(months):
        features, _, _ = drawn(60_000, rng)
        p = expit(-3.0 + np.log(times) + (features.values - [0.0, 100.0, 3.0]) @ [1.0, -0.1, 4.0])
        y = (rng.random(60_000) < p).astype(int)
        made.append((MOMENT + np.timedelta64(30 * i, "D"), features, y, 30, times))
    known = fit_score([Cut(*cut) for cut in made])
    unknown = fit_score([Cut(*cut[:4]) for cut in made]).validation
    assert known.validation.mean_agrees() is not False and known.validation.ratio == pytest.approx(1, abs=0.05)
    assert unknown.ratio > off if off > 1 else unknown.ratio < off
    last = made[-1]
    told = known.predict(last[1], exposure=last[4]).mean() / last[2].mean()
    assert told == pytest.approx(known.validation.ratio)


def test_cuts_must_not_see_the_future():
    one, two, _ = cuts(200, np.random.default_rng(12))
    late = Cut(two.moment - np.timedelta64(1, "D"), two.features, two.label, 30)
    for wrong in ([one, late], [two, one], [one, Cut(two.moment, two.features, two.label, 20)]):
        with pytest.raises(InputError) as caught:
            fit_score(wrong)
        assert "cuts_overlap" in codes(caught)
    with pytest.raises(InputError) as caught:
        fit_score([one])
    assert "at_least" in codes(caught)


def test_moments_may_come_as_dates():
    one, two, _ = cuts(2_000, np.random.default_rng(13))
    first, second = np.datetime64(dt.datetime(2026, 10, 1)), np.datetime64(dt.datetime(2026, 10, 31))
    found = fit_score([Cut(first, one.features, one.label, 30), Cut(second, two.features, two.label, 30)])
    assert found.validation.n == 2_000


# ---- money


def test_money_chooses():
    p = np.array([0.5, 0.2, 0.9, 0.05])
    found = choose(p, gain_cny=100.0, cost_cny=10.0, capacity=2, label=np.array([1, 0, 0, 1]))
    assert found.order.tolist() == [2, 0] and found.threshold == 0.1 and found.left_out == 1
    assert found.expected_net_cny == pytest.approx(120) and found.observed_net_cny == pytest.approx(80)
    own = choose(p, gain_cny=np.array([10.0, 100, 10, 1000]), cost_cny=5.0)
    assert own.threshold is None and own.order.tolist() == [3, 1, 2]
    assert choose(p, gain_cny=0.0, cost_cny=0.0).order.size == 0


@given(st.lists(st.floats(0, 1), min_size=1, max_size=30), st.floats(0, 500), st.floats(0, 100))
def test_no_other_choice_earns_more(p, gain, cost):
    chances = np.array(p)
    found = choose(chances, gain_cny=gain, cost_cny=cost)
    earned = np.sort(chances * gain - cost)[::-1]
    assert found.expected_net_cny >= max(0.0, np.cumsum(earned).max()) - 1e-9


def test_uplift_against_the_published_example():
    """Newcombe 1998, table II (a): 56 of 70 against 48 of 80 gives 0.0524 to 0.3339."""
    found = uplift(56, 70, 48, 80)
    assert (found.interval.low, found.interval.high) == pytest.approx((0.0524, 0.3339), abs=5e-5)
