"""How long customers under contract stay: shifted-beta-geometric cohorts, and the constant churn that misleads.

A member renews or leaves at the end of each period with a chance of leaving of the member's own, beta(alpha, beta)
among members. Those likely to leave go first, so that renewal rises with age without anybody growing more loyal; one
churn rate for all, drawn on, is biased low.

Sources: Fader & Hardie 2007, How to Project Customer Retention, Journal of Interactive Marketing 21(1); Fader &
Hardie 2010, Customer-Base Valuation in a Contractual Setting, Marketing Science 29(1).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from planlib.core.guards import Guard
from planlib.customers.lifetime import beta_rule
from planlib.customers.likelihood import Evaluate, Try, maximise


@dataclass(frozen=True, eq=False, slots=True)
class Sbg:
    """A shifted-beta-geometric fit.

    Attributes:
        alpha, beta: beta of the chance to leave at the end of a period.
        loglik: log likelihood; None where the parameters were not fitted here.
        n: members of all cohorts.
        covariance: (2, 2) of log alpha, log beta.
        reason: None, or parameters_loose: the data do not tell those of `loose`, as when nobody left.
        loose: their names.
        tried: climbs from several starts.
    """

    alpha: float
    beta: float
    loglik: float | None = None
    n: float = 0
    covariance: np.ndarray | None = None
    reason: str | None = None
    loose: tuple[str, ...] = ()
    tried: tuple[Try, ...] = ()

    def survival(self, t: object) -> np.ndarray:
        """Return shares of members left after t renewals, t >= 0.

        >>> Sbg(1.0, 1.0).survival([0, 1, 3]).round(12).tolist()  # 1 / (1 + t)
        [1.0, 0.5, 0.25]
        """
        from scipy.special import betaln

        guard = Guard()
        at = guard.numbers("t", t, low=0.0)
        guard.done()
        return np.exp(betaln(self.alpha, self.beta + at) - betaln(self.alpha, self.beta))

    def retention(self, t: object) -> np.ndarray:
        """Return the share of those left after t - 1 renewals who renew for the t-th time, t >= 1."""
        guard = Guard()
        at = guard.numbers("t", t, low=1.0)
        guard.done()
        return (self.beta + at - 1) / (self.alpha + self.beta + at - 1)

    def residual_lifetime(self, renewal: int, rate: float) -> float:
        """Return the discounted renewals expected of a member who is about to decide on a renewal.

        Sum over t >= renewal of S(t) / S(renewal - 1) / (1 + rate)^(t - renewal): the next one is not discounted.
        The sum is E[(1 - theta) (1 + rate) / (rate + theta)] over theta ~ beta(alpha, beta + renewal - 1).

        Args:
            renewal: number of the renewal ahead, >= 1.
            rate: discount a period, > 0.
        """
        guard = Guard()
        ahead = guard.whole("renewal", renewal, low=1)
        discount = guard.number("rate", rate, above=0.0)
        guard.done()
        nearest = 1 + 2 * discount + 2 * math.sqrt(discount + discount**2)  # to the pole at theta = -rate
        nodes = min(max(math.ceil(18.5 / math.log(nearest)), 12), 1024)
        leave, weight = beta_rule(self.alpha, self.beta + ahead - 1, nodes)
        return float(weight @ ((1 - leave) * (1 + discount) / (discount + leave)))

    def value(self, margin: float, rate: float, periods: int) -> float:
        """Return the CNY that a new member brings over so many periods, the first one included and undiscounted.

        Args:
            margin: CNY a period.
            rate: discount a period, >= 0.
            periods: >= 1.
        """
        guard = Guard()
        each = guard.number("margin", margin)
        discount = guard.number("rate", rate, low=0.0)
        length = guard.whole("periods", periods, low=1)
        guard.done()
        at = np.arange(length)
        return float(each * (self.survival(at) @ (1 + discount) ** -at))


@dataclass(frozen=True, slots=True)
class Geometric:
    """One chance to leave for all and ever.

    Attributes:
        theta: chance to leave at the end of a period.
        at_risk: members who decided, summed over periods: what theta divides by.
    """

    theta: float
    at_risk: float

    def survival(self, t: object) -> np.ndarray:
        """Return shares of members left after t renewals, t >= 0."""
        guard = Guard()
        at = guard.numbers("t", t, low=0.0)
        guard.done()
        return (1 - self.theta) ** at


def fit_sbg(cohorts: Sequence[Sequence[float]]) -> Sbg:
    """Fit the shifted-beta-geometric model to cohorts by maximum likelihood.

    Args:
        cohorts: for each cohort the members left after 0, 1, 2, ... renewals, as far as it is known; lengths differ.

    Raises:
        InputError: numbers that cannot be, numbers that rise, or no cohort has reached a renewal.

    >>> round(float(fit_sbg([[1000, 869, 743, 653, 593, 551, 517, 491]]).survival(12)), 3)
    0.378
    """
    n, lost, kept = _decisions(cohorts)
    share = min(max(float(lost.sum() / (lost + kept).sum()), 0.01), 0.99)
    peak = maximise(
        _likelihood(lost, kept),
        [(share * size, (1 - share) * size) for size in (2.0, 20.0, 0.5)],
        names=("alpha", "beta"),
        low=(1e-6, 1e-6),
        high=(1e6, 1e6),
        rows=len(lost),
    )
    told = (peak.loglik, n, peak.covariance, peak.reason, peak.loose, peak.tried)
    return Sbg(*map(float, peak.point), *told)


def fit_geometric(cohorts: Sequence[Sequence[float]]) -> Geometric:
    """Return the constant churn of cohorts: members lost over members who decided.

    Args, Raises: as of fit_sbg.

    >>> fit_geometric([[100, 80, 60]])
    Geometric(theta=0.2222222222222222, at_risk=180.0)
    """
    _, lost, kept = _decisions(cohorts)
    at_risk = float((lost + kept).sum())
    return Geometric(float(lost.sum()) / at_risk, at_risk)


def _decisions(cohorts: Sequence[Sequence[float]]) -> tuple[float, np.ndarray, np.ndarray]:
    """Return all members, and by renewal how many left and how many stayed, over all cohorts."""
    guard = Guard()
    if not len(cohorts):
        guard.add("empty", "cohorts")
    rows = [guard.numbers(f"cohorts[{i}]", list(row), low=0.0, ndim=(1,)) for i, row in enumerate(cohorts)]
    guard.done()
    for i, row in enumerate(rows):
        rises = np.diff(row) > 0
        if rises.any():
            at = int(rises.argmax())
            guard.add("survivors_rise", f"cohorts[{i}][{at + 1}]", float(row[at + 1]), before=float(row[at]))
    longest = max(len(row) for row in rows) - 1
    lost, kept = np.zeros(longest), np.zeros(longest)
    for row in rows:
        lost[: len(row) - 1] += -np.diff(row)
        kept[: len(row) - 1] += row[1:]
    if not (lost + kept).sum() > 0:
        guard.add("no_renewals", "cohorts")
    guard.done()
    return float(sum(row[0] for row in rows)), lost, kept


def _likelihood(lost: np.ndarray, kept: np.ndarray) -> Evaluate:
    """Return the log likelihood as a function of (alpha, beta), with gradient and Hessian.

    Of those who decide on renewal t, a share alpha / (alpha + beta + t - 1) leaves.
    """
    both, age = lost + kept, np.arange(len(lost))

    def evaluate(point: np.ndarray) -> tuple[float, np.ndarray, np.ndarray]:
        alpha, beta = point
        total, stay = alpha + beta + age, beta + age
        left = lost.sum()
        value = left * math.log(alpha) + kept @ np.log(stay) - both @ np.log(total)
        falls, bends = both @ (1 / total), both @ total**-2
        slope = np.array([left / alpha - falls, kept @ (1 / stay) - falls])
        bend = np.array([[bends - left / alpha**2, bends], [bends, bends - kept @ stay**-2]])
        return float(value), slope, bend

    return evaluate
