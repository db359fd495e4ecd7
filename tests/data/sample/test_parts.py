"""The pieces that the sample brand is drawn with, each by itself."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import hyp2f1

from planlib.core.streams import stream
from planlib.data.sample.activity import Happened, quiet
from planlib.data.sample.brand import day_time, load_brand, month_time, season
from planlib.data.sample.encode import clock, column, decimals, digits, ids, rows, split_rows
from planlib.data.sample.journeys import conversion
from planlib.data.sample.media import plan_media
from planlib.data.sample.orders import bgnbd_alpha, clock_time, lively_time, make_orders
from planlib.data.sample.people import PUSH_MONTHS, PUSH_START, make_people, opening_count
from planlib.data.sample.trials import make_trials

BRAND = load_brand()


def folk(customers: int, seed: int):
    return make_people(BRAND, customers, plan_media(BRAND, customers - opening_count(BRAND, customers), seed), seed)


@given(st.lists(st.integers(0, 10**15), min_size=1, max_size=30))
def test_rows_are_what_python_would_write(numbers):
    values = np.array(numbers)
    names = [f"柚{n % 7}" * (n % 3) for n in numbers]
    expected = "".join(f"<{n}|{n:020d}|{n}.{n % 100:02d}|{name}>" for n, name in zip(numbers, names, strict=True))
    fen = values * 100 + values % 100
    wide = digits(values, width=20)
    assert rows(b"<", digits(values), b"|", wide, b"|", decimals(fen), b"|", column(names), b">") == expected.encode()


@given(st.lists(st.integers(-(10**9), 10**9), min_size=1, max_size=20))
def test_decimals_keep_their_sign(fen):
    expected = "".join(f"{'-' if f < 0 else ''}{abs(f) // 100}.{abs(f) % 100:02d} " for f in fen)
    assert rows(decimals(np.array(fen)), b" ") == expected.encode()


@given(st.lists(st.integers(0, 5), max_size=30).map(sorted))
def test_split_rows_gives_each_group_its_own(groups):
    numbers = np.arange(len(groups))
    expected = ["".join(f"{i};" for i, g in enumerate(groups) if g == k).encode() for k in range(6)]
    assert list(split_rows(np.array(groups, dtype=int), 6, digits(numbers), b";")) == expected


def test_ids_never_meet():
    made = ids("x", np.arange(100_000), salt=9)
    assert len(np.unique(made)) == 100_000
    assert not set(made.tolist()) & set(ids("x", np.arange(1000), salt=10).tolist())


def test_clock_of_a_day():
    assert clock(np.array([2 + 86_399.5 / 86_400])).tolist() == [b"23:59:59"]


def test_streams_do_not_move_each_other():
    alone = stream(4, "orders").random(5)
    stream(4, "something new").random(100)
    assert (stream(4, "orders").random(5) == alone).all() and (stream(5, "orders").random(5) != alone).all()


def test_seasons_average_one_and_promotions_stand_out():
    lively = season(BRAND)
    assert len(lively) == BRAND.days and lively.mean() == pytest.approx(1)
    double_eleven = [BRAND.index(BRAND.first_day.fromisoformat(f"2026-11-{d:02d}")) for d in (9, 10, 11)]
    assert set(np.argsort(lively)[-3:]) == set(double_eleven)


def test_times_can_be_turned_back():
    at = np.linspace(-700, 1000, 5_001)
    assert day_time(BRAND, month_time(BRAND, at)) == pytest.approx(at, abs=1e-9)
    assert clock_time(BRAND, lively_time(BRAND, at)) == pytest.approx(at, abs=1e-9)


def test_months_are_whole_at_their_ends():
    assert month_time(BRAND, np.array(BRAND.month_ends())).tolist() == list(range(13))


@pytest.mark.parametrize(("age", "length"), [(0, 5), (1, 1), (1, 30), (7, 7), (40, 90), (3, 0)])
def test_silence_of_a_window_by_stepping_through_the_days(age, length):
    """The closed form against the chain walked day by day."""
    off, wake, act = 0.05, 0.01, 0.2
    on, sleeping = (0.0 if age <= 0 < length else 1.0), 0.0  # the first day has an interaction
    for day in range(1, age + length):
        inside = day >= age
        stays, wakes = on * (1 - off), sleeping * wake
        sleeping = on * off + sleeping * (1 - wake)
        on = stays * (1 - act if inside else 1) + (0 if inside else wakes)
    assert quiet(np.array(age), np.array(length), off=off, wake=wake, act=act) == pytest.approx(on + sleeping)


def test_events_of_a_window():
    happened = Happened.of(np.array([0, 0, 2]), np.array([3.5, 9.2, 0.1]), 10)
    first, last = np.array([3, 0, -5]), np.array([3, 9, 0])
    assert happened.within(first, last).tolist() == [True, False, True]
    assert happened.within(np.full(3, 4), np.full(3, 8)).tolist() == [False, False, False]


def test_conversion_of_two_channels_by_hand():
    """Half go from a to b; a converts one in ten, b four in ten: 0.1 + 0.5 x 0.4."""
    assert conversion(np.array([1.0, 0.0]), np.array([[0, 0.5], [0, 0]]), np.array([0.1, 0.4])) == pytest.approx(0.3)


def test_scale_of_repeat_purchases():
    """BG/NBD: the chance of no repeat in t is (alpha / (alpha + t)) ** r, whatever the dropout."""
    alpha, r = bgnbd_alpha(BRAND), BRAND.figures["bgnbd_r"]
    assert 1 - (alpha / (alpha + 365)) ** r == pytest.approx(BRAND.figures["repurchase_rate_365"])


def test_expected_intake_is_what_was_asked_for():
    media = plan_media(BRAND, 5_000, 2)
    shares = media.expected.sum(axis=0) / 5_000
    assert shares == pytest.approx([c["share"] for c in BRAND.tree["channels"]])
    paid = [i for i, c in enumerate(BRAND.tree["channels"]) if "cac" in c]
    assert (media.spend_fen[:, paid] > 0).all() and media.week_days.tolist() == [7] * 52 + [4]


def test_spend_is_carried_over_and_saturates():
    """Expected customers of each whole week against the curve, written here once more as sums of past spend."""
    media = plan_media(BRAND, 50_000, 2)
    for c, channel in enumerate(BRAND.tree["channels"]):
        if "cac" not in channel:
            continue
        curve = media.curves[channel["id"]]
        keep = curve["carry_over"]
        spend = media.spend_fen[:52, c] / 100
        for week in (0, 1, 20, 51):
            past = spend[week::-1]
            level = (1 - keep) * (past * keep ** np.arange(week + 1)).sum() + keep ** (week + 1) * curve[
                "spend_before_cny"
            ]
            share = 1 / (1 + (curve["half_spend_cny"] / level) ** curve["shape"])
            assert media.expected[7 * week : 7 * week + 7, c].sum() == pytest.approx(curve["ceiling"] * share)


def test_repeat_purchases_follow_bgnbd():
    """Repeats of first buyers against the closed expectation of BG/NBD (Fader, Hardie & Lee 2005, equation 9)."""
    people = folk(150_000, 8)
    orders = make_orders(BRAND, people, 8)
    theirs = orders.paid & (orders.customer >= 0)
    first = np.full(len(people), np.inf)
    np.minimum.at(first, orders.customer[theirs], orders.at[theirs])
    buyers = np.isfinite(first) & (people.joined >= 0)
    repeats = np.bincount(orders.customer[theirs], minlength=len(people))[buyers] - 1
    r, alpha, a, b = (orders.truth[f"bgnbd_{name}"] for name in ("r", "alpha", "a", "b"))
    t = lively_time(BRAND, np.full(buyers.sum(), BRAND.days)) - lively_time(BRAND, first[buyers])
    tail = (alpha / (alpha + t)) ** r * hyp2f1(r, b, a + b - 1, t / (alpha + t))
    expected = (a + b - 1) / (a - 1) * (1 - tail)
    assert abs((repeats - expected).mean()) < 4 * repeats.std() / len(repeats) ** 0.5
    known = people.unionid_known[buyers]
    truth = orders.truth["repurchase_rate"]
    assert abs((repeats[known] > 0).mean() - truth) < 4 * (truth * (1 - truth) / known.sum()) ** 0.5


@pytest.mark.parametrize("seed", [1, 2])
def test_churn_of_the_whole_brand_is_the_stated_one(seed):
    people = folk(30_000, seed)
    seen = gone = 0
    for a, b in zip(BRAND.month_ends()[:-1], BRAND.month_ends()[1:], strict=True):
        there = people.listed(a)
        seen, gone = seen + there.sum(), gone + (there & ~people.listed(b)).sum()
    assert abs(gone / seen - 0.08) < 4 * (0.08 * 0.92 / seen) ** 0.5


def test_experiments_hold_what_is_planted():
    """Rates of every arm, and each fault where it was put."""
    people = folk(40_000, 6)
    trials = {trial.spec["id"]: trial for trial in make_trials(BRAND, people, 6)}

    def near(values, rate: float) -> bool:
        return abs(values.mean() - rate) < 4 * (max(rate * (1 - rate), 1e-4) / len(values)) ** 0.5

    for name in ("welcome_coupon", "send_time", "content_type", "coupon_size", "activation_outreach"):
        trial = trials[name]
        for metric in (trial.spec["metric"], *trial.spec["guardrails"]):
            rates = trial.spec["guardrails"].get(metric, trial.spec["rate"])
            assert all(near(trial.outcomes[metric][trial.arm == arm], rate) for arm, rate in enumerate(rates)), (
                name,
                metric,
            )
    fair = np.bincount(trials["send_time"].arm)
    assert abs(fair[0] - fair[1]) < 4 * fair.sum() ** 0.5
    unfair = np.bincount(trials["content_type"].arm)
    assert unfair[0] - unfair[1] > 5 * unfair.sum() ** 0.5
    assert trials["content_type"].truth["assigned"] == unfair.tolist()

    layered = trials["layered_strategy"]
    silent = (people.staff[layered.customer] == layered.spec["unconfirmed"]) & (layered.arm == 1)
    assert (layered.outcomes["delivered"] == ~silent).all() and silent.any()
    assert near(layered.outcomes["order_28d"][(layered.arm == 1) & ~silent], layered.spec["rate"][1])
    before, after = layered.outcomes["interactions_before"], layered.outcomes["interactions"]
    assert np.corrcoef(before, after)[0, 1] > 0.4  # a covariate worth having

    coupon = trials["coupon_size"]
    for arm, net in enumerate(coupon.truth["net_margin_42d_cny"]):
        values = coupon.outcomes["net_margin_42d_yuan"][coupon.arm == arm]
        assert abs(values.mean() - net) < 4 * values.std() / len(values) ** 0.5
        assert near(coupon.outcomes["order_15_42d"][coupon.arm == arm], coupon.spec["later"][arm])
    push = trials["push_frequency"]
    assert near(push.outcomes["opt_out"][push.arm == 1], 0.35)
    assert near(push.outcomes["opt_out"][push.arm == 0], push.truth["opt_out"][0])
    begin, end = (BRAND.month_ends()[m] for m in (PUSH_START, PUSH_START + PUSH_MONTHS))
    gone = (people.removed[push.customer] >= begin) & (people.removed[push.customer] < end)
    assert (push.outcomes["opt_out"] == gone).all()  # the same people leave in the contact events


def test_every_stated_figure_has_its_origin():
    for name, (unit, source) in BRAND.sources.items():
        assert unit and (source == "assumption" or source[0] == "W"), name
