"""Uncertain numbers: distributions with closed moments, seeded draws, and dependence by a Gaussian copula."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from planlib.core.errors import InputError, Problem

KINDS = ("fixed", "uniform", "triangular", "pert", "normal", "lognormal", "beta")
_NEEDS = {
    "fixed": ("mean",),
    "uniform": ("low", "high"),
    "triangular": ("low", "mode", "high"),
    "pert": ("low", "mode", "high"),
    "normal": ("mean", "sd"),
    "lognormal": ("mean", "sd"),
    "beta": ("mean", "sd"),
}
_TABLE_POINTS = 4097


@dataclass(frozen=True, slots=True)
class Distribution:
    """One uncertain number, in the unit of what it stands for.

    Args:
        kind: fixed (mean), uniform (low, high), triangular and pert (low, mode, high; PERT is the Beta with
            alpha = 1 + 4 (mode - low) / (high - low), Vose 2008), normal, lognormal and beta (mean and sd of the
            number itself, beta on 0 to 1).

    Raises:
        InputError: an unknown kind, missing, surplus or non-finite parameters, low > mode or mode > high, sd <= 0,
            a lognormal with mean <= 0, a beta whose sd no distribution on 0 to 1 has.
    """

    kind: str
    low: float | None = None
    mode: float | None = None
    high: float | None = None
    mean: float | None = None
    sd: float | None = None

    def __post_init__(self):
        if self.kind not in _NEEDS:
            raise InputError(Problem("choice", field="dist", given=self.kind, values={"choice": ", ".join(KINDS)}))
        names = ("low", "mode", "high", "mean", "sd")
        given = {name: getattr(self, name) for name in names if getattr(self, name) is not None}
        if set(given) != set(_NEEDS[self.kind]):
            needed = ", ".join(_NEEDS[self.kind])
            raise InputError(Problem("dist_parameters", field=self.kind, given=str(given), values={"needed": needed}))
        problems = [Problem("not_finite", field=n, given=v) for n, v in given.items() if not math.isfinite(v)]
        ends = [given[name] for name in ("low", "mode", "high") if name in given]
        if ends != sorted(ends):
            problems.append(Problem("low_above_high", field=self.kind, given=str(ends)))
        problems += [*self._moment_problems()] if not problems else []
        if problems:
            raise InputError(*problems)

    def _moment_problems(self):
        if self.sd is not None and self.sd <= 0:
            yield Problem("above", field="sd", given=self.sd, values={"low": 0})
        elif self.kind == "lognormal" and self.mean <= 0:
            yield Problem("above", field="mean", given=self.mean, values={"low": 0})
        elif self.kind == "beta" and not 0 < self.mean < 1:
            yield Problem("between", field="mean", given=self.mean, values={"low": 0, "high": 1})
        elif self.kind == "beta" and self.sd**2 >= self.mean * (1 - self.mean):
            most = math.sqrt(self.mean * (1 - self.mean))
            yield Problem("between", field="sd", given=self.sd, values={"low": 0, "high": f"{most:.4g}"})

    @property
    def is_fixed(self) -> bool:
        """Whether there is only one value."""
        return self.kind == "fixed" or (self.low is not None and self.low == self.high)

    def shape(self) -> tuple[float, float]:
        """Return (alpha, beta) of the Beta behind pert or beta."""
        if self.kind == "pert":
            width = self.high - self.low
            return 1 + 4 * (self.mode - self.low) / width, 1 + 4 * (self.high - self.mode) / width
        size = self.mean * (1 - self.mean) / self.sd**2 - 1
        return self.mean * size, (1 - self.mean) * size

    def expectation(self) -> float:
        """Return the mean.

        >>> Distribution("pert", low=0, mode=3, high=12).expectation()
        4.0
        """
        if self.is_fixed and self.kind != "fixed":
            return self.low
        if self.kind == "uniform":
            return (self.low + self.high) / 2
        if self.kind == "triangular":
            return (self.low + self.mode + self.high) / 3
        if self.kind == "pert":
            return (self.low + 4 * self.mode + self.high) / 6
        return self.mean

    def variance(self) -> float:
        """Return the variance, in the unit squared."""
        if self.is_fixed:
            return 0.0
        a, m, b = self.low, self.mode, self.high
        if self.kind == "uniform":
            return (b - a) ** 2 / 12
        if self.kind == "triangular":
            return (a * a + m * m + b * b - a * m - a * b - m * b) / 18
        if self.kind == "pert":
            alpha, beta = self.shape()
            return (b - a) ** 2 * alpha * beta / ((alpha + beta) ** 2 * (alpha + beta + 1))
        return self.sd**2

    def quantile(self, u: np.ndarray | float) -> np.ndarray:
        """Return the values below which shares `u` of the draws lie; Beta quantiles by a table of 4,097 points."""
        u = np.asarray(u, dtype=float)
        if self.is_fixed:
            return np.full(u.shape, self.expectation())
        if self.kind == "uniform":
            return self.low + (self.high - self.low) * u
        if self.kind == "triangular":
            return self._triangular(u)
        if self.kind in ("pert", "beta"):
            return self._by_table(u)
        from scipy.special import ndtri

        if self.kind == "normal":
            return self.mean + self.sd * ndtri(u)
        spread = math.log1p((self.sd / self.mean) ** 2)
        return np.exp(math.log(self.mean) - spread / 2 + math.sqrt(spread) * ndtri(u))

    def sample(self, rng: np.random.Generator, n: int) -> np.ndarray:
        """Return (n,) independent draws."""
        if self.is_fixed:
            return np.full(n, self.expectation())
        if self.kind in ("pert", "beta"):
            alpha, beta = self.shape()
            draws = rng.beta(alpha, beta, n)
            return self.low + (self.high - self.low) * draws if self.kind == "pert" else draws
        if self.kind == "normal":
            return rng.normal(self.mean, self.sd, n)
        return self.quantile(rng.random(n))

    def _triangular(self, u: np.ndarray) -> np.ndarray:
        a, m, b = self.low, self.mode, self.high
        turn = (m - a) / (b - a)
        left = a + np.sqrt(u * (b - a) * (m - a))
        right = b - np.sqrt((1 - u) * (b - a) * (b - m))
        return np.where(u < turn, left, right)

    def _by_table(self, u: np.ndarray) -> np.ndarray:
        from scipy.special import betainc

        alpha, beta = self.shape()
        # points dense where the distribution is: arcsine spacing resolves both ends
        x = (1 - np.cos(np.linspace(0, np.pi, _TABLE_POINTS))) / 2
        found = np.interp(u, betainc(alpha, beta, x), x)
        return self.low + (self.high - self.low) * found if self.kind == "pert" else found


def draw(
    distributions: Mapping[str, Distribution],
    n: int,
    rng: np.random.Generator,
    *,
    correlations: Mapping[tuple[str, str], float] | None = None,
) -> dict[str, np.ndarray]:
    """Return (n,) draws of each distribution.

    Args:
        distributions: by name.
        n: draws, at least 1.
        rng: a named stream; the same stream gives the same draws.
        correlations: (name, name) -> correlation of the normal scores (Gaussian copula); others independent.

    Raises:
        InputError: n < 1, an unknown name, a correlation outside -1..1, or correlations that no joint
            distribution can have.
    """
    if n < 1:
        raise InputError(Problem("at_least", field="n", given=n, values={"low": 1}))
    # every name has a stream of its own, so that adding one does not move the draws of the others
    streams = dict(zip(distributions, rng.spawn(len(distributions)), strict=True))
    tied = tuple(name for name in distributions if any(name in pair for pair in correlations or {}))
    if not tied:
        return {name: found.sample(streams[name], n) for name, found in distributions.items()}
    from scipy.special import ndtr

    factor = _factor(tied, correlations, distributions)
    scores = factor @ np.stack([streams[name].standard_normal(n) for name in tied])
    ranks = dict(zip(tied, ndtr(scores), strict=True))
    return {
        name: found.quantile(ranks[name]) if name in ranks else found.sample(streams[name], n)
        for name, found in distributions.items()
    }


def _factor(tied: Sequence[str], correlations: Mapping[tuple[str, str], float], known: Mapping) -> np.ndarray:
    """Return the lower Cholesky factor of the correlation matrix of `tied`."""
    problems, matrix = [], np.eye(len(tied))
    for (first, second), value in correlations.items():
        unknown = [name for name in (first, second) if name not in known]
        if unknown:
            values = {"choice": ", ".join(known)}
            problems.append(Problem("unknown_ref", field="correlations", given=unknown[0], values=values))
        elif not -1 <= value <= 1:
            field = f"correlations.{first}.{second}"
            problems.append(Problem("out_of_range", field=field, given=value, values={"low": -1, "high": 1}))
        else:
            i, j = tied.index(first), tied.index(second)
            matrix[i, j] = matrix[j, i] = value if i != j else 1.0
    if problems:
        raise InputError(*problems)
    values, vectors = np.linalg.eigh(matrix)
    if values.min() < -1e-9:
        raise InputError(Problem("correlations", field="correlations", given=f"{values.min():.3g}"))
    return vectors * np.sqrt(np.clip(values, 0, None))
