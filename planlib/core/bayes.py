"""Conjugate updates: what is believed about a rate or a mean after seeing data."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from planlib.core.guards import Guard


@dataclass(frozen=True, slots=True)
class Beta:
    """A share: prior or posterior with `a` successes and `b` failures seen or believed."""

    a: float
    b: float

    @property
    def mean(self) -> float:
        return self.a / (self.a + self.b)

    def quantile(self, p: float) -> float:
        """Return the share below which the probability is p."""
        from scipy.special import betaincinv

        return float(betaincinv(self.a, self.b, p))


@dataclass(frozen=True, slots=True)
class Gamma:
    """A count per period: shape and rate (periods)."""

    shape: float
    rate: float

    @property
    def mean(self) -> float:
        return self.shape / self.rate


@dataclass(frozen=True, slots=True)
class Normal:
    """A mean: what is believed of it, and with which variance."""

    mean: float
    var: float


def beta_binomial(prior: Beta, *, successes: float, trials: float) -> Beta:
    """Return the posterior of a share after `successes` in `trials`.

    Raises:
        InputError: a prior parameter is not positive, or successes exceed trials.

    >>> beta_binomial(Beta(8, 92), successes=30, trials=200)
    Beta(a=38.0, b=262.0)
    """
    guard = Guard()
    a, b = guard.number("prior.a", prior.a, above=0), guard.number("prior.b", prior.b, above=0)
    n = guard.number("trials", trials, low=0)
    k = guard.number("successes", successes, low=0, high=n)
    guard.done()
    return Beta(a + k, b + n - k)


def gamma_poisson(prior: Gamma, *, counts: Sequence[float]) -> Gamma:
    """Return the posterior of a count per period after one count for each period.

    >>> gamma_poisson(Gamma(2, 1), counts=[3, 5]).mean
    3.3333333333333335
    """
    guard = Guard()
    shape, rate = guard.number("prior.shape", prior.shape, above=0), guard.number("prior.rate", prior.rate, above=0)
    seen = guard.numbers("counts", list(counts), low=0, ndim=(1,))
    guard.done()
    return Gamma(shape + float(seen.sum()), rate + len(seen))


def normal_normal(prior: Normal, *, observed_mean: float, observed_var: float, n: int) -> Normal:
    """Return the posterior of a mean after n observations of known variance.

    >>> normal_normal(Normal(0, 1), observed_mean=2, observed_var=1, n=1)
    Normal(mean=1.0, var=0.5)
    """
    guard = Guard()
    mean, var = guard.number("prior.mean", prior.mean), guard.number("prior.var", prior.var, above=0)
    seen, spread = guard.number("observed_mean", observed_mean), guard.number("observed_var", observed_var, above=0)
    count = guard.whole("n", n, low=1)
    guard.done()
    precision = 1 / var + count / spread
    return Normal((mean / var + seen * count / spread) / precision, 1 / precision)


def dirichlet_multinomial(prior: object, *, counts: object) -> np.ndarray:
    """Return the posterior of shares that sum to 1, after counts of each; as Dirichlet parameters.

    Args:
        prior: (..., K) parameters > 0, or one number for all.
        counts: (..., K) counts >= 0; each row is a multinomial of its own.

    >>> posterior = dirichlet_multinomial(1.0, counts=[7, 2])
    >>> posterior, posterior / posterior.sum()
    (array([8., 3.]), array([0.72727273, 0.27272727]))
    """
    guard = Guard()
    seen = guard.numbers("counts", counts, low=0)
    believed = guard.numbers("prior", prior, above=0)
    if seen.ndim == 0 or believed.shape not in ((), seen.shape[-1:], seen.shape):
        guard.add("shape", "prior", f"shape {believed.shape}", expected=f"one number or {seen.shape}")
    guard.done()
    return seen + believed
