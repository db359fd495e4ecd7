"""When people buy again: gaps between purchases of a class of goods, a reminder date for each, repurchase by window.

A gap runs from one purchase day to the next of the same person and class; the last one is still open. Gaps follow a
Weibull law whose hazard is multiplied, for each person, by an unseen frailty that all gaps of the person share (gamma,
mean 1): who has bought fast will buy fast. Open gaps count as what they are, so that nobody's silence is lost.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from planlib.core.guards import Guard
from planlib.core.intervals import Interval, wilson
from planlib.core.survival import kaplan_meier
from planlib.customers.scoring import Uplift, uplift

FEWEST_GAPS = 20  # closed ones, from at least FEWEST_PEOPLE
FEWEST_PEOPLE = 10
LEAST_SHAPE, MOST_SHAPE = 0.1, 50.0
LEAST_FRAILTY, MOST_FRAILTY = 1e-6, 50.0
STARTS = ((1.0, 0.5), (3.0, 0.1), (0.7, 2.0))  # shape, variance of the frailty


@dataclass(frozen=True, slots=True)
class Cycle:
    """The repurchase cycle of one class of goods.

    Attributes:
        scale_days, shape: of the Weibull law at frailty 1.
        frailty: variance of the frailty between people.
        mean_days: mean gap at frailty 1.
        median_days: half of all gaps, over people as they come, are shorter.
        interval: of `median_days`; None where the likelihood is flat.
        gaps, closed, people: gaps, those that ended in a purchase, and whose they are.
        loglik: log likelihood.
        tried: starts that were tried, with what became of them.
    """

    scale_days: float
    shape: float
    frailty: float
    mean_days: float
    median_days: float
    interval: Interval | None
    gaps: int
    closed: int
    people: int
    loglik: float
    tried: tuple[str, ...]

    def survival(self, days: np.ndarray) -> np.ndarray:
        """Return the share of gaps longer than so many days, over people as they come."""
        hazard = (np.asarray(days, dtype=float) / self.scale_days) ** self.shape
        return np.exp(-np.log1p(self.frailty * hazard) / self.frailty)

    def quantile(self, share: float, *, within_days: float | None = None) -> float:
        """Return the days within which a share of gaps ends, over people as they come.

        Args:
            share: between 0 and 1; of all gaps, or with `within_days` of those that end by then.

        Raises:
            InputError: a share of 0 or 1, or no days.
        """
        guard = Guard()
        guard.number("share", share, above=0.0, below=1.0)
        if within_days is not None:
            guard.number("within_days", within_days, above=0.0)
        guard.done()
        whole = 1.0 if within_days is None else 1.0 - float(self.survival(within_days))
        return float(_quantile(self, np.array(share * whole), 1 / self.frailty, 1 / self.frailty))

    def person_chance(self, days: float, closed: np.ndarray, hazard: np.ndarray) -> np.ndarray:
        """Return (n,) chances that a gap beginning now ends within so many days.

        Args:
            days: > 0.
            closed: (n,) purchases again so far.
            hazard: (n,) sums over a person's closed gaps of (gap / scale) ** shape, both from `history`.
        """
        alpha, beta = 1 / self.frailty + closed, 1 / self.frailty + hazard
        return -np.expm1(-alpha * np.log1p((days / self.scale_days) ** self.shape / beta))

    def person_quantile(
        self, share: float, closed: np.ndarray, hazard: np.ndarray, *, within_days: float
    ) -> np.ndarray:
        """Return (n,) days within which a gap ends with chance `share`, of those that end within `within_days`."""
        whole = self.person_chance(within_days, closed, hazard)
        return _quantile(self, share * whole, 1 / self.frailty + closed, 1 / self.frailty + hazard)

    def history(self, person: np.ndarray, days: np.ndarray, closed: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return, by person 0 to n - 1, closed gaps and their hazard; open gaps add nothing yet."""
        n = int(person.max()) + 1 if len(person) else 0
        done = np.asarray(closed, dtype=bool)
        hazard = (np.where(done, days, 0.0) / self.scale_days) ** self.shape
        return np.bincount(person, weights=done, minlength=n), np.bincount(person, weights=hazard, minlength=n)


@dataclass(frozen=True, slots=True)
class NoCycle:
    """A class whose cycle the data do not tell.

    Attributes:
        reason: "few_gaps", "not_converged".
        gaps, closed, people: what there was.
        tried: starts that were tried.
    """

    reason: str
    gaps: int
    closed: int
    people: int
    tried: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Reminders:
    """When to remind each person of one class.

    Attributes:
        due: (n,) days, datetime64[D].
        overdue_days: (n,) days that the reminder is late on the as-of day, 0 where it is still to come.
        gap_days: (n,) predicted gap at the quantile.
        chance: (n,) that the person buys again within `within_days` after the last purchase.
        quantile: share of those who buy again within `within_days` that has done so by `gap_days`.
        within_days: horizon.
    """

    due: np.ndarray
    overdue_days: np.ndarray
    gap_days: np.ndarray
    chance: np.ndarray
    quantile: float
    within_days: int


@dataclass(frozen=True, slots=True)
class Rate:
    """A repurchase rate, never without its window.

    Attributes:
        window_days: within so many days after a purchase.
        value: share of gaps that ended by then (Kaplan-Meier, open gaps count until they are cut); None, with a reason,
            where no gap was watched that long.
        interval: by Greenwood's formula on the log(-log) scale, gaps taken as independent; None with `value`.
        gaps, closed: gaps, and those that ended within the window.
        reason: "window_longer_than_data" or None.
    """

    window_days: int
    value: float | None
    interval: Interval | None
    gaps: int
    closed: int
    reason: str | None


def fit_cycle(person: np.ndarray, days: np.ndarray, closed: np.ndarray, *, level: float = 0.95) -> Cycle | NoCycle:
    """Fit the cycle of one class.

    Args:
        person: (g,) whose gap it is: labels or numbers.
        days: (g,) length of each gap, > 0; of an open one, days so far.
        closed: (g,) whether a purchase ended it.
        level: of the interval.

    Returns:
        The cycle, or why there is none.

    Raises:
        InputError: lengths, values out of range.

    Source: Weibull with shared gamma frailty, marginal likelihood in closed form (Klein & Moeschberger 2003, ch. 13).
    """
    guard = Guard()
    t = guard.numbers("days", days, above=0.0, ndim=(1,)) if len(np.asarray(days)) else np.empty(0)
    done = np.asarray(closed, dtype=bool)
    if not len(person) == len(t) == len(done):
        guard.add("shape", "person", f"{len(person)} rows", expected=f"{len(t)} rows")
    guard.done()
    who = np.unique(np.asarray(person), return_inverse=True)[1]
    people = int(who.max()) + 1 if len(who) else 0
    told = int(np.unique(who[done]).size)
    if done.sum() < FEWEST_GAPS or told < FEWEST_PEOPLE:
        return NoCycle("few_gaps", len(t), int(done.sum()), people)
    unit = float(t[done].mean())  # time in typical gaps, so that parameters are near 1
    log_t = np.log(t / unit)
    deaths = np.bincount(who, weights=done, minlength=people)
    best, tried = _best(log_t, done, who, deaths)
    if best is None:
        return NoCycle("not_converged", len(t), int(done.sum()), people, tried)
    log_scale, log_shape, log_frailty = best.x
    scale, shape, frailty = unit * np.exp(log_scale), float(np.exp(log_shape)), float(np.exp(log_frailty))
    from scipy.special import gamma

    median = _log_median(best.x)
    band = _median_interval(best.x, log_t, done, who, deaths, median, unit, level)
    return Cycle(
        float(scale), shape, frailty, float(scale * gamma(1 + 1 / shape)), float(unit * np.exp(median)), band,
        len(t), int(done.sum()), people, float(-best.fun - done.sum() * np.log(unit)), tried,
    )  # fmt: skip


def fit_cycles(
    item_class: np.ndarray, person: np.ndarray, days: np.ndarray, closed: np.ndarray, *, level: float = 0.95
) -> dict[str, Cycle | NoCycle]:
    """Return class -> cycle; arrays are (g,) as in `fit_cycle`."""
    classes = np.asarray(item_class)
    out = {}
    for name in sorted(set(classes.tolist())):
        some = classes == name
        out[name] = fit_cycle(np.asarray(person)[some], np.asarray(days)[some], np.asarray(closed)[some], level=level)
    return out


def remind(
    cycle: Cycle,
    *,
    last_bought: np.ndarray,
    closed: np.ndarray,
    hazard: np.ndarray,
    as_of: np.datetime64,
    quantile: float = 0.5,
    lead_days: int = 0,
    within_days: int = 365,
) -> Reminders:
    """Return when to remind each person: the last purchase plus a quantile of the person's own predicted gap.

    Many never buy again, whatever they are sent; so the quantile is of those who do within a horizon, and the chance to
    be one of them stands beside it, for a list by money.

    Args:
        cycle: of the class.
        last_bought: (n,) day of each person's last purchase of the class.
        closed, hazard: (n,) from `cycle.history`.
        as_of: the day on which the list is made.
        quantile: share of those who will buy again that has done so by the reminder.
        lead_days: days that the reminder comes before that.
        within_days: horizon.

    Raises:
        InputError: lengths, values out of range, a purchase after the as-of day.
    """
    guard = Guard()
    guard.number("quantile", quantile, above=0.0, below=1.0)
    guard.whole("lead_days", lead_days, low=0)
    guard.whole("within_days", within_days)
    last = np.asarray(last_bought).astype("datetime64[D]")
    today = np.datetime64(as_of, "D")
    done, weight = np.asarray(closed, dtype=float), np.asarray(hazard, dtype=float)
    if not len(last) == len(done) == len(weight):
        guard.add("shape", "last_bought", f"{len(last)} rows", expected=f"{len(done)} rows")
    elif len(last) and last.max() > today:
        guard.add("feature_after", "last_bought", str(last.max()), moment=str(today), rows=int((last > today).sum()))
    guard.done()
    gap = cycle.person_quantile(quantile, done, weight, within_days=within_days)
    due = last + np.maximum(np.round(gap).astype(np.int64) - lead_days, 0)
    late = np.maximum((today - due).astype(np.int64), 0)
    return Reminders(due, late, gap, cycle.person_chance(within_days, done, weight), quantile, within_days)


def repurchase_rate(days: np.ndarray, closed: np.ndarray, *, window_days: int, level: float = 0.95) -> Rate:
    """Return the share that buys again within a window.

    Args:
        days, closed: (g,) gaps as in `fit_cycle`; take each person's first gap for a rate of people.
        window_days: within so many days.

    Raises:
        InputError: lengths, values out of range.

    >>> repurchase_rate(np.array([10, 40, 90, 90]), np.array([1, 1, 0, 0]), window_days=30).value
    0.25
    """
    guard = Guard()
    t = guard.numbers("days", days, low=0.0, ndim=(1,))
    done = np.asarray(closed, dtype=bool)
    guard.whole("window_days", window_days)
    if len(t) != len(done):
        guard.add("shape", "closed", f"{len(done)} rows", expected=f"{len(t)} rows")
    guard.done()
    inside = int((done & (t <= window_days)).sum())
    if t.max() < window_days and not done[t == t.max()].all():
        return Rate(window_days, None, None, len(t), inside, "window_longer_than_data")
    if not inside:
        return Rate(window_days, 0.0, wilson(0, len(t), level=level), len(t), 0, None)
    left = kaplan_meier(t, done, level=level)
    day = min(window_days, left.last_day)
    band = left.band(day)
    return Rate(window_days, float(1 - left.at(day)), Interval(float(1 - band.high), float(1 - band.low), level),
                len(t), inside, None)  # fmt: skip


def needed_interval(repurchases: int, within_days: float) -> float:
    """Return the mean interval that so many repurchases within a time ask for, at most.

    Raises:
        InputError: a value is out of range.

    >>> round(needed_interval(3, 182.5), 1)
    60.8
    """
    guard = Guard()
    guard.whole("repurchases", repurchases)
    guard.number("within_days", within_days, above=0.0)
    guard.done()
    return within_days / repurchases


def reminder_uplift(
    bought_reminded: int, reminded: int, bought_held_out: int, held_out: int, *, level: float = 0.95
) -> Uplift:
    """Return what reminders added to the repurchase rate, against people held out at random."""
    return uplift(bought_reminded, reminded, bought_held_out, held_out, level=level)


def open_gaps(
    item_class: np.ndarray, person: np.ndarray, begins_on: np.ndarray, days: np.ndarray, closed: np.ndarray, name: str
) -> Mapping[str, np.ndarray]:
    """Return, of one class, one row a person: the open gap, and what its closed ones tell.

    Args:
        item_class, person, begins_on, days, closed: (g,) columns of the text gaps.
        name: the class.

    Returns:
        person (n,) labels, last_bought (n,) the day its open gap began, and place (g',), gap_days (g',), gap_closed
        (g',) of the class's gaps, for `Cycle.history`.
    """
    some = np.asarray(item_class) == name
    labels, place = np.unique(np.asarray(person)[some], return_inverse=True)
    day = np.asarray(begins_on)[some].astype("datetime64[D]")
    last = np.full(len(labels), np.datetime64("0001-01-01", "D"))
    np.maximum.at(last, place, day)
    return {"person": labels, "last_bought": last, "place": place, "gap_days": np.asarray(days)[some],
            "gap_closed": np.asarray(closed)[some]}  # fmt: skip


def _quantile(cycle: Cycle, share: np.ndarray, alpha: np.ndarray, beta: np.ndarray) -> np.ndarray:
    """Days t at which (beta / (beta + (t / scale) ** shape)) ** alpha is 1 - share."""
    return cycle.scale_days * (beta * np.expm1(-np.log1p(-share) / alpha)) ** (1 / cycle.shape)


def _loss(x: np.ndarray, log_t: np.ndarray, done: np.ndarray, who: np.ndarray, deaths: np.ndarray):
    """Return the negative log likelihood and its gradient in log scale, log shape, log frailty variance."""
    from scipy.special import digamma, gammaln

    shape, theta = np.exp(x[1]), np.exp(x[2])
    u = log_t - x[0]
    hazard = np.exp(np.minimum(shape * u, 600.0))
    total = np.bincount(who, weights=hazard, minlength=len(deaths))
    weighted = np.bincount(who, weights=hazard * u, minlength=len(deaths))
    a = 1 / theta
    grow = np.log1p(theta * total)
    m = done.sum()
    # sum log hazard of closed gaps + log Gamma(a + D) / Gamma(a) + D log theta - (a + D) log(1 + theta H)
    loglik = (
        m * x[1] + (shape * u - log_t)[done].sum()
        + (gammaln(a + deaths) - gammaln(a)).sum() + m * x[2] - ((a + deaths) * grow).sum()
    )  # fmt: skip
    post = (1 + theta * deaths) / (1 + theta * total)  # expected frailty given the data
    slope_scale = -shape * m + shape * (post * total).sum()
    slope_shape = m + shape * u[done].sum() - shape * (post * weighted).sum()
    slope_theta = -a * (digamma(a + deaths) - digamma(a)).sum() + m + a * grow.sum() - (post * theta * total).sum() * a
    return -loglik, -np.array([slope_scale, slope_shape, slope_theta])


def _best(log_t: np.ndarray, done: np.ndarray, who: np.ndarray, deaths: np.ndarray):
    from scipy.optimize import minimize

    bounds = [
        (-8.0, 12.0), (np.log(LEAST_SHAPE), np.log(MOST_SHAPE)), (np.log(LEAST_FRAILTY), np.log(MOST_FRAILTY)),
    ]  # fmt: skip
    best, tried = None, []
    for shape, theta in STARTS:
        found = minimize(_loss, np.array([0.1, np.log(shape), np.log(theta)]), args=(log_t, done, who, deaths),
                         jac=True, method="L-BFGS-B", bounds=bounds, options={"maxiter": 500})  # fmt: skip
        good = found.success and np.isfinite(found.fun)
        tried.append(f"shape {shape:g}, frailty {theta:g}: {'converged' if good else 'not converged'}")
        if good and (best is None or found.fun < best.fun):
            best = found
    return best, tuple(tried)


def _log_median(x: np.ndarray) -> float:
    """Log of the median gap over people, in units of time inside the fit."""
    theta = np.exp(x[2])
    return float(x[0] + np.exp(-x[1]) * np.log(np.expm1(theta * np.log(2)) / theta))


def _median_interval(x, log_t, done, who, deaths, median: float, unit: float, level: float) -> Interval | None:
    """By the delta method, with the curvature of the likelihood from differences of its gradient."""
    from statistics import NormalDist

    step = 1e-4
    rows = [(_loss(x + d, log_t, done, who, deaths)[1] - _loss(x - d, log_t, done, who, deaths)[1]) / (2 * step)
            for d in step * np.eye(3)]  # fmt: skip
    curve = np.array(rows)
    free = np.array([True, True, x[2] > np.log(LEAST_FRAILTY) + 1]) & np.isfinite(curve).all(axis=1)
    slope = np.array([(_log_median(x + d) - _log_median(x - d)) / (2 * step) for d in step * np.eye(3)])
    try:
        spread = slope[free] @ np.linalg.solve((curve + curve.T)[np.ix_(free, free)] / 2, slope[free])
    except np.linalg.LinAlgError:
        return None
    if not np.isfinite(spread) or spread <= 0:
        return None
    half = NormalDist().inv_cdf(0.5 + level / 2) * spread**0.5
    return Interval(float(unit * np.exp(median - half)), float(unit * np.exp(median + half)), level)
