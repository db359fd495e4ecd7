"""What customers are worth: discounted margin ahead, referrals, how well it was foretold, and a score of five axes.

The score is an index beside the value in CNY, not part of it. Its weights are those that would have foretold what
customers brought afterwards; how much five axes foretell better than the classic three is measured, not assumed.

Sources: Fader, Hardie & Lee 2005, RFM and CLV, Journal of Marketing Research 42(4) (value); Robbins 1956 (rates of
referral, each shrunk towards that of all).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from planlib.core.guards import Guard
from planlib.customers.lifetime import BgNbd, Customers, ParetoNbd, distinct_pairs
from planlib.customers.segments import percentiles
from planlib.customers.spend import GammaGamma

WEEKS_A_MONTH = 365.25 / 12 / 7
AXES = ("activity", "spending", "social", "content", "loyalty")
CLASSIC = ("activity", "spending", "loyalty")  # frequency, order value, tenure

_MOST_REFUSED = 0.1  # share of draws whose mean order value is infinite
_LEAST_PEOPLE = 50  # from which weights are told by data


@dataclass(frozen=True, eq=False, slots=True)
class Terms:
    """How a future is valued.

    Attributes:
        periods: how many are looked ahead, >= 1.
        period_length: of one, in the time unit of the lifetime fit: WEEKS_A_MONTH for months and a fit in weeks.
        margin: share of revenue left after variable costs, 0 to 1.
        discount: a period, >= 0. What comes within period k is discounted k times.

    Raises:
        InputError: a value out of range.
    """

    periods: int
    period_length: float
    margin: float
    discount: float

    def __post_init__(self) -> None:
        guard = Guard()
        guard.whole("periods", self.periods, low=1)
        guard.number("period_length", self.period_length, above=0.0)
        guard.share("margin", self.margin, ndim=(0,))
        guard.number("discount", self.discount, low=0.0)
        guard.done()

    @property
    def horizons(self) -> np.ndarray:
        """(K,) ends of the periods, in units of time."""
        return self.period_length * np.arange(1, self.periods + 1)

    @property
    def factors(self) -> np.ndarray:
        """(K,) discount factors."""
        return (1 + self.discount) ** -np.arange(1.0, self.periods + 1)


@dataclass(frozen=True, eq=False, slots=True)
class Values:
    """Discounted margin ahead.

    Attributes:
        value: (N,) CNY.
        total: their sum.
        low, high: (N,) interval of each, of what the parameters are not known to; None without draws. What one
            customer will really bring scatters far more.
        total_low, total_high: interval of the total.
        level: coverage.
        refunded: customers valued at 0 because refunds took all that their repeat purchases brought.
        draws: how many stand behind the interval.
        reason: why there is no interval: not_asked, or spend_mean_undefined where the order values of many draws have
            no finite mean.
    """

    value: np.ndarray
    total: float
    low: np.ndarray | None
    high: np.ndarray | None
    total_low: float | None
    total_high: float | None
    level: float
    refunded: int
    draws: int
    reason: str | None


@dataclass(frozen=True, slots=True)
class Bin:
    """Customers with like predictions.

    Attributes:
        n: customers.
        predicted, actual: means.
        low, high: interval of the actual mean; None for a single customer.
    """

    n: int
    predicted: float
    actual: float
    low: float | None
    high: float | None


@dataclass(frozen=True, slots=True)
class Calibration:
    """Predictions beside what came.

    Attributes:
        bins: by rising prediction; equal predictions stay together.
        n: customers.
        predicted_total, actual_total: sums.
        error_rel: predicted over actual total, less 1; None when nothing came.
        mae, rmse: mean absolute and root mean square error of a customer.
        correlation: between both; None when either does not vary.
    """

    bins: tuple[Bin, ...]
    n: int
    predicted_total: float
    actual_total: float
    error_rel: float | None
    mae: float
    rmse: float
    correlation: float | None


@dataclass(frozen=True, eq=False, slots=True)
class FiveScore:
    """A score of five axes.

    Attributes:
        percentile: (N, 5) place of each customer on each of AXES, 0 to 100, ties sharing the middle.
        weights: (5,) sum 1.
        score: (N,) 0 to 100.
        n: customers.
        correlation, classic_correlation: rank correlation with later value of customers that were not used for the
            weights, with five axes and with the classic three; None where not measured.
        gain_rel, gain_low, gain_high: by which share five axes lower the root mean square error of the later rank
            against three, and its interval; None where not measured.
        reason: why the weights are equal: no_later_value, too_few_customers, no_axis_predicts; None: they are measured.
    """

    percentile: np.ndarray
    weights: np.ndarray
    score: np.ndarray
    n: int
    correlation: float | None
    classic_correlation: float | None
    gain_rel: float | None
    gain_low: float | None
    gain_high: float | None
    reason: str | None


def lifetime_value(
    life: BgNbd | ParetoNbd,
    spend: GammaGamma,
    x: object,
    t_x: object,
    T: object,
    mean: object,
    terms: Terms,
    *,
    draws: int = 0,
    rng: np.random.Generator | None = None,
    level: float = 0.9,
) -> Values:
    """Return the discounted margin expected of each customer's purchases ahead.

    Args:
        life: how often they buy.
        spend: what a purchase is worth, CNY.
        x, t_x, T: (N,) as of fit_bgnbd.
        mean: (N,) mean value of the repeat purchases, CNY; read only where x > 0.
        terms: horizon, margin, discount.
        draws: of parameters, for intervals; 0: none. Each costs as much as the value itself.
        rng: for them.
        level: coverage of the intervals.

    Raises:
        InputError: values that cannot be, or a mean order value that the parameters leave infinite.
    """
    guard = Guard()
    wanted = guard.whole("draws", draws, low=0)
    coverage = guard.number("level", level, above=0.0, below=1.0)
    if wanted and rng is None:
        guard.add("missing", "rng")
    guard.done()
    customers = Customers.of(x, t_x, T)
    seen = np.atleast_1d(np.asarray(mean))
    pairs, place = distinct_pairs(customers.x, customers.age)

    def of(buying: BgNbd | ParetoNbd, paying: GammaGamma) -> np.ndarray:
        orders = buying.purchases_if_alive(*pairs, terms.horizons) @ _steps(terms)
        alive = buying.p_alive(customers.x, customers.last, customers.age)
        return terms.margin * alive * orders[place] * paying.expected_spend(customers.x, seen)

    value = of(life, spend)
    refunded = int(((customers.x > 0) & (seen <= 0)).sum())
    known = (value, float(value.sum()))
    if not wanted:
        return Values(*known, None, None, None, None, coverage, refunded, 0, "not_asked")
    totals, logs, squares = [], np.zeros(len(value)), np.zeros(len(value))
    some = value > 0
    once = bool((customers.x == 0).any())
    for buying, paying in zip(life.draws(wanted, rng), spend.draws(wanted, rng), strict=True):
        if once and paying.q <= 1:
            continue
        drawn = of(buying, paying)
        totals.append(float(drawn.sum()))
        apart = np.log(np.maximum(drawn, np.finfo(float).tiny), where=some, out=np.zeros(len(value)))
        apart -= np.log(value, where=some, out=np.zeros(len(value)))
        logs, squares = logs + apart, squares + apart**2
    used = len(totals)
    if used < 2 or used < (1 - _MOST_REFUSED) * wanted:
        return Values(*known, None, None, None, None, coverage, refunded, used, "spend_mean_undefined")
    middle = logs / used
    wide = np.sqrt(np.maximum(squares / used - middle**2, 0)) * NormalDist().inv_cdf(0.5 + coverage / 2)
    low, high = value * np.exp(middle - wide), value * np.exp(middle + wide)
    total_low, total_high = np.quantile(totals, [0.5 - coverage / 2, 0.5 + coverage / 2])
    return Values(*known, low, high, float(total_low), float(total_high), coverage, refunded, used, None)


def newcomer_value(life: BgNbd | ParetoNbd, spend: GammaGamma, terms: Terms) -> float:
    """Return the discounted margin of a new customer, CNY: the first purchase, undiscounted, and those that follow.

    Raises:
        InputError: the order values have no finite mean.
    """
    if spend.population_mean is None:
        guard = Guard()
        guard.add("spend_no_mean", "q", spend.q)
        guard.done()
    return float(terms.margin * spend.population_mean * (1 + life.expected_new(terms.horizons) @ _steps(terms)))


def referred_margin(referred: object, T: object, newcomer_cny: float, terms: Terms) -> np.ndarray:
    """Return (N,) the margin expected of customers that each customer will bring, CNY.

    A customer's rate of bringing others is the one seen, shrunk towards that of all (gamma-Poisson, moments): who
    brought nobody in two weeks is not a customer who never will.

    Args:
        referred: (N,) new buyers that each brought so far, whole.
        T: (N,) time watched, in the unit of `terms`.
        newcomer_cny: discounted margin of a new customer, as newcomer_value tells it.
        terms: horizon and discount; the margin is in `newcomer_cny` already.

    >>> referred_margin([0, 0, 4, 0], [10.0, 10.0, 10.0, 10.0], 100.0, Terms(1, 10.0, 0.5, 0.0)).round(1).tolist()
    [33.3, 33.3, 300.0, 33.3]
    """
    guard = Guard()
    brought = guard.numbers("referred", np.atleast_1d(np.asarray(referred)), low=0.0, ndim=(1,))
    watched = guard.numbers("T", np.atleast_1d(np.asarray(T)), low=0.0, ndim=(1,))
    worth = guard.number("newcomer_cny", newcomer_cny, low=0.0)
    if brought.shape != watched.shape:
        guard.add("shape", "T", f"shape {watched.shape}", expected=f"shape {brought.shape}, as referred")
    elif (brought != np.floor(brought)).any():
        guard.add("not_whole", "referred", float(brought[(brought != np.floor(brought)).argmax()]))
    guard.done()
    if not watched.sum() > 0:
        guard.add("no_time", "T")
        guard.done()
    ahead = terms.period_length * float(terms.factors.sum())
    common = float(brought.sum() / watched.sum())
    spread = float(((brought - common * watched) ** 2 - common * watched).sum() / (watched**2).sum())
    if common == 0 or spread <= 0:
        return np.full(brought.shape, worth * common * ahead)
    rate = (brought + common**2 / spread) / (watched + common / spread)
    return worth * rate * ahead


def calibrate(predicted: object, actual: object, *, groups: int = 10, level: float = 0.95) -> Calibration:
    """Compare predictions with what came in a hold-out, by deciles of the prediction.

    Args:
        predicted, actual: (N,) of each customer, in one unit.
        groups: how many bins are aimed at; fewer where equal predictions fill several.
        level: coverage of the intervals of actual means.

    >>> found = calibrate([1.0, 1.0, 3.0, 3.0], [0.0, 2.0, 4.0, 4.0], groups=2)
    >>> [(b.n, b.predicted, b.actual) for b in found.bins], round(found.error_rel, 12)
    ([(2, 1.0, 1.0), (2, 3.0, 4.0)], -0.2)
    """
    guard = Guard()
    told, came = _both(guard, predicted, actual)
    many = guard.whole("groups", groups, low=1)
    coverage = guard.number("level", level, above=0.0, below=1.0)
    guard.done()
    order = np.argsort(told, kind="stable")
    ordered = told[order]
    first = np.searchsorted(ordered, ordered, side="left")  # of those that are equal
    place = np.empty(len(told), dtype=int)
    place[order] = first * many // len(told)
    return _calibration(told, came, place, coverage)


def calibrate_by_frequency(
    x: object, predicted: object, actual: object, *, top: int = 7, level: float = 0.95
) -> Calibration:
    """Compare predictions with what came by repeat purchases before: bins 0, 1, ... and `top` or more, where any are.

    Args:
        x: (N,) repeat purchases before the hold-out.
        predicted, actual, level: as of calibrate.
        top: from which counts go into one bin.
    """
    guard = Guard()
    told, came = _both(guard, predicted, actual)
    count = guard.numbers("x", np.atleast_1d(np.asarray(x)), low=0.0, ndim=(1,))
    most = guard.whole("top", top, low=1)
    coverage = guard.number("level", level, above=0.0, below=1.0)
    if count.shape != told.shape:
        guard.add("shape", "x", f"shape {count.shape}", expected=f"shape {told.shape}, as predicted")
    guard.done()
    return _calibration(told, came, np.minimum(count, most).astype(int), coverage)


def five_dimensions(
    axes: Mapping[str, object],
    later: object | None,
    *,
    rng: np.random.Generator,
    folds: int = 5,
    level: float = 0.95,
) -> FiveScore:
    """Score customers on five axes, weighted by what foretold their later value.

    The weights are least squares of the rank of later value on the percentiles of the axes, none below 0. What they
    foretell is measured on customers left out of their fit, in turn.

    Args:
        axes: for each of AXES (N,) raw measures up to a moment: activity (orders or visits), spending (CNY), social
            (people brought), content (posts, reviews), loyalty (tenure).
        later: (N,) value in the time after that moment, CNY; None: not known, all axes weigh the same.
        rng: shuffles customers into folds.
        folds: >= 2.
        level: coverage of the interval of the gain.

    Raises:
        InputError: axes missing or unknown, shapes that disagree, values that are not finite.
    """
    guard = Guard()
    for name in AXES:
        if name not in axes:
            guard.add("missing", name)
    for name in axes:
        guard.choice(str(name), name, AXES)
    parts = guard.whole("folds", folds, low=2)
    coverage = guard.number("level", level, above=0.0, below=1.0)
    guard.done()
    columns = [guard.numbers(name, np.atleast_1d(np.asarray(axes[name])), ndim=(1,)) for name in AXES]
    came = None if later is None else guard.numbers("later", np.atleast_1d(np.asarray(later)), ndim=(1,))
    for name, column in zip((*AXES, "later"), (*columns, columns[0] if came is None else came), strict=True):
        if column.shape != columns[0].shape:
            guard.add("shape", name, f"shape {column.shape}", expected=f"shape {columns[0].shape}, as {AXES[0]}")
    guard.done()
    place = np.column_stack([percentiles(column) for column in columns])
    if came is None or len(place) < _LEAST_PEOPLE:
        return _equal(place, "no_later_value" if came is None else "too_few_customers")
    rank = percentiles(came)
    weights = _weights(place, rank, slice(None))
    if not weights.sum() > 0:
        return _equal(place, "no_axis_predicts")
    weights /= weights.sum()
    fold = rng.permutation(len(rank)) % parts
    three = [AXES.index(name) for name in CLASSIC]
    five_told, classic_told = (_left_out(place[:, chosen], rank, fold) for chosen in (range(len(AXES)), three))
    gain = _gain((five_told - rank) ** 2, (classic_told - rank) ** 2, coverage)
    correlations = (_correlation(percentiles(told), rank) for told in (five_told, classic_told))
    return FiveScore(place, weights, place @ weights, len(place), *correlations, *gain, None)


def _steps(terms: Terms) -> np.ndarray:
    """Return (K,) what to multiply cumulative orders at the ends of periods by, so that each period is discounted."""
    factors = terms.factors
    return factors - np.append(factors[1:], 0.0)


def _both(guard: Guard, predicted: object, actual: object) -> tuple[np.ndarray, np.ndarray]:
    told = guard.numbers("predicted", np.atleast_1d(np.asarray(predicted)), ndim=(1,))
    came = guard.numbers("actual", np.atleast_1d(np.asarray(actual)), ndim=(1,))
    if told.shape != came.shape:
        guard.add("shape", "actual", f"shape {came.shape}", expected=f"shape {told.shape}, as predicted")
    return told, came


def _calibration(told: np.ndarray, came: np.ndarray, place: np.ndarray, level: float) -> Calibration:
    z = NormalDist().inv_cdf(0.5 + level / 2)
    bins = []
    for at in np.unique(place):
        mine = place == at
        n, mean = int(mine.sum()), float(came[mine].mean())
        half = z * float(came[mine].std(ddof=1)) / math.sqrt(n) if n > 1 else None
        ends = (None, None) if half is None else (mean - half, mean + half)
        bins.append(Bin(n, float(told[mine].mean()), mean, *ends))
    predicted, actual = float(told.sum()), float(came.sum())
    error = predicted / actual - 1 if actual != 0 else None
    off = told - came
    mae, rmse = float(np.abs(off).mean()), math.sqrt(float((off**2).mean()))
    return Calibration(tuple(bins), len(told), predicted, actual, error, mae, rmse, _correlation(told, came))


def _correlation(one: np.ndarray, other: np.ndarray) -> float | None:
    a, b = one - one.mean(), other - other.mean()
    size = math.sqrt(float(a @ a) * float(b @ b))
    return float(a @ b) / size if size > 0 else None


def _equal(place: np.ndarray, reason: str) -> FiveScore:
    weights = np.full(len(AXES), 1 / len(AXES))
    return FiveScore(place, weights, place @ weights, len(place), None, None, None, None, None, reason)


def _weights(place: np.ndarray, rank: np.ndarray, chosen: slice | np.ndarray) -> np.ndarray:
    """Return non-negative least squares of the rank on the axes, both centred, through their cross products."""
    from scipy.optimize import nnls

    of, aim = place[chosen] - place[chosen].mean(axis=0), rank[chosen] - rank[chosen].mean()
    sizes, directions = np.linalg.eigh(of.T @ of)
    some = sizes > 1e-9 * max(float(sizes.max()), 1e-300)
    if not some.any():
        return np.zeros(place.shape[1])
    root = np.sqrt(sizes[some])
    return nnls(root[:, None] * directions[:, some].T, (directions[:, some].T @ (of.T @ aim)) / root)[0]


def _left_out(place: np.ndarray, rank: np.ndarray, fold: np.ndarray) -> np.ndarray:
    """Return what the axes foretell of each customer's rank, by weights from customers of other folds."""
    told = np.empty(len(rank))
    for at in range(int(fold.max()) + 1):
        others, mine = fold != at, fold == at
        weights = _weights(place, rank, others)
        told[mine] = rank[others].mean() + (place[mine] - place[others].mean(axis=0)) @ weights
    return told


def _gain(five: np.ndarray, classic: np.ndarray, level: float) -> tuple[float, float, float] | tuple[None, None, None]:
    """Return by which share the root mean square error falls, with the interval of paired errors (delta method)."""
    if not (five.mean() > 0 and classic.mean() > 0):
        return None, None, None
    ratio = math.log(float(five.mean() / classic.mean()))
    apart = five / five.mean() - classic / classic.mean()
    half = NormalDist().inv_cdf(0.5 + level / 2) * float(apart.std(ddof=1)) / math.sqrt(len(five))
    return 1 - math.exp(ratio / 2), 1 - math.exp((ratio + half) / 2), 1 - math.exp((ratio - half) / 2)
