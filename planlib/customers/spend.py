"""What a purchase of a customer is worth: the Gamma-Gamma model of mean order values.

A customer's order values are gamma (shape p) around a mean of the customer's own, whose rate is gamma (q, v) among
customers. What a customer is expected to spend is then a weighted mean of what was seen and of what all spend.

Source: Fader & Hardie 2013, The Gamma-Gamma Model of Monetary Value; Fader, Hardie & Lee 2005, RFM and CLV, Journal of
Marketing Research 42(4).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from planlib.core.guards import Guard
from planlib.customers.likelihood import Evaluate, Try, by_value, draws, maximise

_CHUNK = 8_192  # rows that stay in the cache, and too few for BLAS to spread over threads


@dataclass(frozen=True, eq=False, slots=True)
class GammaGamma:
    """A Gamma-Gamma fit.

    Attributes:
        p, q, v: parameters; v in CNY.
        loglik: log likelihood; None where the parameters were not fitted here.
        n: customers it was fitted on: at least one repeat purchase, of a mean value above 0.
        single: customers left out because they bought once.
        refunded: customers left out because refunds took all that their repeat purchases brought, or more.
        correlation: between repeat purchases and their mean value, which the model takes to be 0; None where either
            does not vary.
        covariance: (3, 3) of log p, log q, log v.
        reason: None, or parameters_loose: the data do not tell those of `loose`.
        loose: their names.
        tried: climbs from several starts.
    """

    p: float
    q: float
    v: float
    loglik: float | None = None
    n: int = 0
    single: int = 0
    refunded: int = 0
    correlation: float | None = None
    covariance: np.ndarray | None = None
    reason: str | None = None
    loose: tuple[str, ...] = ()
    tried: tuple[Try, ...] = ()

    @property
    def population_mean(self) -> float | None:
        """Mean value of a purchase among all customers, CNY: p v / (q - 1); None where q <= 1 leaves it infinite."""
        return self.p * self.v / (self.q - 1) if self.q > 1 else None

    def expected_spend(self, x: object, mean: object) -> np.ndarray:
        """Return (N,) CNY expected of a purchase of each customer: p (v + x m) / (p x + q - 1).

        Args:
            x: (N,) repeat purchases.
            mean: (N,) their mean value, CNY; read only where x > 0.

        Returns:
            The population's mean where x is 0; 0 where refunds took all that repeat purchases brought.

        Raises:
            InputError: values that cannot be; a mean is asked for that the parameters leave infinite.
        """
        guard = Guard()
        repeats, seen = _checked(guard, x, mean)
        weight = self.p * repeats + self.q - 1
        if (weight <= 0).any():
            guard.add("spend_no_mean", "q", self.q)
        guard.done()
        found = self.p * (self.v + repeats * seen) / weight
        return np.where((repeats > 0) & (seen <= 0), 0.0, found)

    def draws(self, size: int, rng: np.random.Generator) -> list[GammaGamma]:
        """Return fits with parameters drawn from their approximate (log-normal) distribution."""
        return draws(self, ("p", "q", "v"), size, rng)


def fit_gamma_gamma(x: object, mean: object, *, count: object | None = None) -> GammaGamma:
    """Fit the Gamma-Gamma model by maximum likelihood, with analytic gradient and Hessian.

    Args:
        x: (N,) repeat purchases, whole.
        mean: (N,) their mean value, CNY, refunds taken off; read only where x > 0.
        count: (N,) customers that a row stands for; None: one each.

    Raises:
        InputError: values that cannot be, fewer than three customers with a repeat purchase of some value, or no start
            led to a maximum (which were tried is said).

    Source: Fader & Hardie 2013, eq. 1a.
    """
    guard = Guard()
    repeats, seen = _checked(guard, x, mean)
    weight = np.ones(repeats.shape) if count is None else guard.numbers("count", count, low=0.0, ndim=(1,))
    if weight.shape != repeats.shape:
        guard.add("shape", "count", f"shape {weight.shape}", expected=f"shape {repeats.shape}, as x")
    guard.done()
    fit = (repeats > 0) & (seen > 0) & (weight > 0)
    n = int(weight[fit].sum())
    if n < 3:
        guard.add("too_few", "mean", n, low=3)
    guard.done()
    of, value, people = repeats[fit], seen[fit], weight[fit]
    typical = float(people @ value / people.sum())
    peak = maximise(
        _likelihood(of, value, people),
        [(p, q, typical * (q - 1) / p) for p, q in ((5.0, 4.0), (1.0, 2.0), (20.0, 10.0))],
        names=("p", "q", "v"),
        low=(1e-4, 1e-4, 1e-8 * typical),
        high=(1e6, 1e6, 1e8 * typical),
        rows=len(of),
    )
    left_out = int(weight[repeats == 0].sum()), int(weight[(repeats > 0) & (seen <= 0)].sum())
    return GammaGamma(
        *map(float, peak.point), peak.loglik, n, *left_out, _correlation(of, value, people),
        peak.covariance, peak.reason, peak.loose, peak.tried,
    )  # fmt: skip


def _checked(guard: Guard, x: object, mean: object) -> tuple[np.ndarray, np.ndarray]:
    repeats = guard.numbers("x", np.atleast_1d(np.asarray(x)), low=0.0, ndim=(1,))
    seen = guard.numbers("mean", np.atleast_1d(np.asarray(mean)), ndim=(1,))
    if repeats.shape != seen.shape:
        guard.add("shape", "mean", f"shape {seen.shape}", expected=f"shape {repeats.shape}, as x")
    elif (repeats != np.floor(repeats)).any():
        guard.add("not_whole", "x", float(repeats[(repeats != np.floor(repeats)).argmax()]))
    guard.done()
    return repeats, seen


def _likelihood(x: np.ndarray, mean: np.ndarray, weight: np.ndarray) -> Evaluate:
    """Return the log likelihood as a function of (p, q, v), with gradient and Hessian."""
    from scipy.special import gammaln, polygamma, psi

    counts, people, _ = by_value(x, weight)
    spent, n = x * mean, float(weight.sum())
    weighted = weight * x
    log_spent, log_mean = float(weighted @ np.log(spent)), float(weight @ np.log(mean))

    def evaluate(point: np.ndarray) -> tuple[float, np.ndarray, np.ndarray]:
        p, q, v = point
        both = p * counts + q
        value = people @ (gammaln(both) - gammaln(p * counts) - gammaln(q)) + n * q * math.log(v)
        value += p * log_spent - log_mean
        slope = np.array([
            people @ (counts * (psi(both) - psi(p * counts))) + log_spent,
            people @ psi(both) - n * psi(q) + n * math.log(v),
            n * q / v,
        ])  # fmt: skip
        bend = np.zeros((3, 3))
        bend[0, 0] = people @ (counts**2 * (polygamma(1, both) - polygamma(1, p * counts)))
        bend[0, 1] = people @ (counts * polygamma(1, both))
        bend[1, 1] = people @ polygamma(1, both) - n * polygamma(1, q)
        bend[1, 2], bend[2, 2] = n / v, -n * q / v**2
        for start in range(0, len(x), _CHUNK):
            part = slice(start, start + _CHUNK)
            total = v + spent[part]
            logs, inverse = np.log(total), 1 / total
            of, mine = weighted[part], weight[part]
            by_x, by_one = of @ logs, mine @ logs
            share, rest = of @ inverse, mine @ inverse
            value -= p * by_x + q * by_one
            slope -= (by_x, by_one, p * share + q * rest)
            bend[0, 2] -= share
            bend[1, 2] -= rest
            bend[2, 2] += (p * of + q * mine) @ inverse**2
        upper = np.triu(bend)
        return float(value), slope, upper + np.triu(bend, 1).T

    return evaluate


def _correlation(x: np.ndarray, mean: np.ndarray, weight: np.ndarray) -> float | None:
    by_x, by_mean = x - np.average(x, weights=weight), mean - np.average(mean, weights=weight)
    size = math.sqrt(float(weight @ by_x**2) * float(weight @ by_mean**2))
    if size <= 1e-12 * float(weight @ x) * float(weight @ mean) / weight.sum():
        return None
    return float(weight @ (by_x * by_mean)) / size
