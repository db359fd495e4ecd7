"""How often customers will buy, and whether they still do: BG/NBD and Pareto/NBD by maximum likelihood.

Both models take three numbers a customer: x repeat purchases (days with a purchase after the first such day), t_x the
time from the first to the last purchase, T the time from the first purchase to the end of the data. Purchases come at
a rate lambda that differs between customers (gamma: r, alpha). In BG/NBD a customer leaves after a purchase with a
chance p (beta: a, b), in Pareto/NBD at any moment with a rate mu (gamma: s, beta). Any unit of time will do; alpha
and beta of Pareto/NBD are in that unit, and so are horizons.

A likelihood over a latent moment of leaving z is log sum_z exp(g_z); its gradient is E[g_z'] and its Hessian
E[g_z''] + Cov(g_z'), the expectation over what the data say of z. Both fits climb with these.

Sources: Fader, Hardie & Lee 2005, Marketing Science 24(2) (BG/NBD); Schmittlein, Morrison & Colombo 1987, Management
Science 33(1), and Fader & Hardie 2005, A Note on Deriving the Pareto/NBD Model (Pareto/NBD).
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

import numpy as np

from planlib.core.guards import Guard
from planlib.customers.likelihood import Evaluate, Try, by_value, draws, maximise

_CHUNK = 8_192  # rows that stay in the cache, and too few for BLAS to spread over threads
_SAMPLE = 20_000  # rows on which starts are tried
_NODES = 32  # of the integral over the moment of leaving
_NEGLIGIBLE = 40.0  # logarithms below the top from which an integrand no longer counts
_MOST_NODES = 512


@dataclass(frozen=True, eq=False, slots=True)
class Customers:
    """Checked statistics of customers, equal rows perhaps counted together.

    Attributes:
        x: (N,) repeat purchases.
        last: (N,) t_x, time from the first to the last purchase.
        age: (N,) T, time from the first purchase to the end of the data.
        weight: (N,) how many customers a row stands for.
    """

    x: np.ndarray
    last: np.ndarray
    age: np.ndarray
    weight: np.ndarray

    @classmethod
    def of(cls, x: object, last: object, age: object, count: object | None = None) -> Customers:
        """Check and convert.

        Raises:
            InputError: shapes disagree; x is not whole; t_x is not between 0 and T; t_x is 0 where x is not, or the
                other way round (all purchases of one day are one purchase).
        """
        guard = Guard()
        arrays = [
            guard.numbers(name, np.atleast_1d(np.asarray(values)), low=0.0, ndim=(1,))
            for name, values in (("x", x), ("t_x", last), ("T", age))
        ]
        rows = arrays[0].shape
        weight = np.ones(rows) if count is None else guard.numbers("count", count, low=0.0, ndim=(1,))
        for name, array in zip(("t_x", "T", "count"), (*arrays[1:], weight), strict=True):
            if array.shape != rows:
                guard.add("shape", name, f"shape {array.shape}", expected=f"shape {rows}, as x")
        guard.done()
        repeats, since, until = arrays
        for code, field, wrong in (
            ("not_whole", "x", repeats != np.floor(repeats)),
            ("not_whole", "count", weight != np.floor(weight)),
            ("last_after_end", "t_x", since > until),
            ("repeat_time", "t_x", (repeats > 0) != (since > 0)),
        ):
            if wrong.any():
                at = int(wrong.argmax())
                given = {"x": repeats, "count": weight}.get(field, since)[at]
                guard.add(code, f"{field}[{at}]", float(given), x=float(repeats[at]), end=float(until[at]))
        guard.done()
        if count is not None:
            counted = weight > 0
            return cls(repeats[counted], since[counted], until[counted], weight[counted])
        return cls(repeats, since, until, weight)

    @property
    def n(self) -> int:
        """Customers."""
        return int(self.weight.sum())

    def typical(self) -> tuple[float, float]:
        """Return the mean age and the repeat purchases a customer, from which fits start.

        Raises:
            InputError: fewer than four customers, no time has passed, or nobody came back.
        """
        guard = Guard()
        if self.n < 4:
            guard.add("too_few", "x", self.n, low=4)
        if not (self.weight @ self.age) > 0:
            guard.add("no_time", "T")
        elif not (self.weight @ self.x) > 0:
            guard.add("nobody_returned", "x")
        guard.done()
        people = self.weight.sum()
        return float(self.weight @ self.age / people), float(self.weight @ self.x / people)

    def sampled(self, rows: int) -> Customers:
        """Return about so many rows, evenly spaced."""
        step = -(-len(self.x) // rows)
        return Customers(self.x[::step], self.last[::step], self.age[::step], self.weight[::step])


@dataclass(frozen=True, eq=False, slots=True)
class BgNbd:
    """A BG/NBD fit.

    Attributes:
        r, alpha: gamma of the purchase rate; alpha in the unit of time.
        a, b: beta of the chance to leave after a repeat purchase. Data tell a / (a + b) far better than each.
        loglik: log likelihood; None where the parameters were not fitted here.
        n: customers.
        covariance: (4, 4) of log r, log alpha, log a, log b.
        reason: None, or parameters_loose: the data do not tell those of `loose`; what is predicted still holds.
        loose: their names.
        tried: climbs from several starts.
    """

    r: float
    alpha: float
    a: float
    b: float
    loglik: float | None = None
    n: int = 0
    covariance: np.ndarray | None = None
    reason: str | None = None
    loose: tuple[str, ...] = ()
    tried: tuple[Try, ...] = ()

    def p_alive(self, x: object, t_x: object, T: object) -> np.ndarray:
        """Return (N,) chances that customers are still active at T; exactly 1 for those who bought once.

        In BG/NBD nobody can leave before a repeat purchase, so that this chance orders customers the wrong way round
        where many bought once: score churn by `expected_purchases`.
        """
        return _still_bg(Customers.of(x, t_x, T), self)

    def purchases_if_alive(self, x: object, T: object, horizon: object) -> np.ndarray:
        """Return (N, H) purchases expected within each horizon after T of customers known to be active at T.

        E[(1 - (1 + p t / (alpha + T))^-(r+x)) / p] over p ~ beta(a, b + x), by Gauss-Jacobi quadrature (Golub &
        Welsch 1969). It equals the paper's form with 2F1, and unlike that has no pole at a = 1 and no overflow.

        Args:
            x: (N,) repeat purchases.
            T: (N,) time since the first purchase.
            horizon: (H,) times ahead.
        """
        repeats, age, ahead = _pairs(x, T, horizon)
        found = np.empty((len(repeats), len(ahead)))
        distinct, place = np.unique(repeats, return_inverse=True)
        for i, count in enumerate(distinct):
            rows = np.flatnonzero(place == i)
            found[rows] = _beta_mean(self.a, self.b + count, self.r + count, ahead / (self.alpha + age[rows, None]))
        return found

    def expected_purchases(self, x: object, t_x: object, T: object, horizon: float) -> np.ndarray:
        """Return (N,) purchases expected in (T, T + horizon]."""
        return _expected(self, x, t_x, T, horizon)

    def expected_new(self, t: object) -> np.ndarray:
        """Return (H,) repeat purchases expected of a new customer within each t after the first purchase."""
        return self.purchases_if_alive([0], [0.0], t)[0]

    def draws(self, size: int, rng: np.random.Generator) -> list[BgNbd]:
        """Return fits with parameters drawn from their approximate (log-normal) distribution."""
        return draws(self, ("r", "alpha", "a", "b"), size, rng)


@dataclass(frozen=True, eq=False, slots=True)
class ParetoNbd:
    """A Pareto/NBD fit.

    Attributes:
        r, alpha: gamma of the purchase rate; alpha in the unit of time.
        s, beta: gamma of the rate of leaving; beta in the unit of time.
        loglik, n, covariance, reason, loose, tried: as of BgNbd, for log r, log alpha, log s, log beta.
    """

    r: float
    alpha: float
    s: float
    beta: float
    loglik: float | None = None
    n: int = 0
    covariance: np.ndarray | None = None
    reason: str | None = None
    loose: tuple[str, ...] = ()
    tried: tuple[Try, ...] = ()

    def p_alive(self, x: object, t_x: object, T: object) -> np.ndarray:
        """Return (N,) chances that customers are still active at T."""
        customers = Customers.of(x, t_x, T)
        found = [
            _leaving(part, self.r, self.alpha, self.s, self.beta)[3] for part in _chunks(customers, _CHUNK // _NODES)
        ]
        return np.concatenate(found)

    def purchases_if_alive(self, x: object, T: object, horizon: object) -> np.ndarray:
        """Return (N, H) purchases expected within each horizon after T of customers known to be active at T."""
        from scipy.special import exprel

        repeats, age, ahead = _pairs(x, T, horizon)
        longer = np.log1p(ahead / (self.beta + age[:, None]))
        rate = (self.r + repeats) * (self.beta + age) / (self.alpha + age)
        return rate[:, None] * longer * exprel((1 - self.s) * longer)

    def expected_purchases(self, x: object, t_x: object, T: object, horizon: float) -> np.ndarray:
        """Return (N,) purchases expected in (T, T + horizon]."""
        return _expected(self, x, t_x, T, horizon)

    def expected_new(self, t: object) -> np.ndarray:
        """Return (H,) repeat purchases expected of a new customer within each t after the first purchase."""
        return self.purchases_if_alive([0], [0.0], t)[0]

    def draws(self, size: int, rng: np.random.Generator) -> list[ParetoNbd]:
        """Return fits with parameters drawn from their approximate (log-normal) distribution."""
        return draws(self, ("r", "alpha", "s", "beta"), size, rng)


def fit_bgnbd(x: object, t_x: object, T: object, *, count: object | None = None) -> BgNbd:
    """Fit BG/NBD by maximum likelihood, with analytic gradient and Hessian.

    Args:
        x: (N,) repeat purchases, whole; days with several purchases count once.
        t_x: (N,) time from first to last purchase; 0 where x is 0.
        T: (N,) time from first purchase to the end of the data, >= t_x.
        count: (N,) customers that a row stands for; None: one each.

    Raises:
        InputError: values that cannot be, fewer than four customers, no time passed, nobody came back, or no
            start led to a maximum (which were tried is said).

    Source: Fader, Hardie & Lee 2005, eq. 6.
    """
    customers = Customers.of(x, t_x, T, count)
    age, repeats = customers.typical()
    peak = maximise(
        _bg_likelihood(customers),
        [(r, r * age / repeats, a, b) for r, a, b in ((0.5, 0.5, 2.0), (1.5, 1.0, 1.0), (0.2, 0.1, 5.0))],
        names=("r", "alpha", "a", "b"),
        low=(1e-5, 1e-6 * age, 1e-5, 1e-5),
        high=(1e3, 1e8 * age, 1e3, 1e3),
        rows=len(customers.x),
        rough=_rough(customers, _bg_likelihood),
    )
    return BgNbd(
        *map(float, peak.point), peak.loglik, customers.n, peak.covariance, peak.reason, peak.loose, peak.tried
    )


def bgnbd_loglik(params: object, x: object, t_x: object, T: object, *, count: object | None = None) -> float:
    """Return the log likelihood of given parameters (r, alpha, a, b), to compare fits.

    Args:
        params: r, alpha, a, b, each above 0.
        x, t_x, T, count: as of fit_bgnbd.
    """
    guard = Guard()
    point = guard.numbers("params", params, above=0.0, ndim=(1,))
    if point.shape != (4,):
        guard.add("shape", "params", f"shape {point.shape}", expected="(4,): r, alpha, a, b")
    guard.done()
    return _bg_likelihood(Customers.of(x, t_x, T, count))(point)[0]


def fit_pareto_nbd(x: object, t_x: object, T: object, *, count: object | None = None) -> ParetoNbd:
    """Fit Pareto/NBD by maximum likelihood, with analytic gradient and Hessian.

    The integral over the moment of leaving is Gauss-Legendre quadrature on a logarithmic scale; it replaces the
    difference of two 2F1 of the closed form, which loses all digits where both are nearly equal.

    Args, Raises: as of fit_bgnbd.

    Source: Schmittlein, Morrison & Colombo 1987; Fader & Hardie 2005.
    """
    customers = Customers.of(x, t_x, T, count)
    age, repeats = customers.typical()
    peak = maximise(
        _pareto_likelihood(customers),
        [(r, r * age / repeats / 2, s, u * age) for r, s, u in ((0.5, 0.5, 0.3), (1.5, 1.0, 1.0), (0.5, 0.2, 0.05))],
        names=("r", "alpha", "s", "beta"),
        low=(1e-5, 1e-6 * age, 1e-5, 1e-6 * age),
        high=(1e3, 1e8 * age, 1e3, 1e8 * age),
        rows=len(customers.x),
        rough=_rough(customers, _pareto_likelihood),
    )
    return ParetoNbd(
        *map(float, peak.point), peak.loglik, customers.n, peak.covariance, peak.reason, peak.loose, peak.tried
    )


def _rough(customers: Customers, likelihood) -> tuple[Evaluate, int] | None:
    if len(customers.x) < 2 * _SAMPLE:
        return None
    sample = customers.sampled(_SAMPLE)
    if not (sample.weight @ sample.x) > 0:
        return None
    return likelihood(sample), len(sample.x)


def _chunks(customers: Customers, size: int) -> Iterator[Customers]:
    for start in range(0, len(customers.x), size):
        part = slice(start, start + size)
        yield Customers(customers.x[part], customers.last[part], customers.age[part], customers.weight[part])


def _bg_likelihood(customers: Customers) -> Evaluate:
    """Return the log likelihood of BG/NBD as a function of (r, alpha, a, b), with gradient and Hessian."""
    once = customers.x == 0
    ages, settled, _ = by_value(customers.age[once], customers.weight[once])  # of these only T matters
    again = Customers(*(getattr(customers, name)[~once] for name in ("x", "last", "age", "weight")))
    counts, people, place = by_value(again.x, again.weight)
    total = float(customers.weight.sum())

    def evaluate(point: np.ndarray) -> tuple[float, np.ndarray, np.ndarray]:
        parts = (
            _bg_of_count(point, counts, people, total),
            _bg_once(point, ages, settled),
            _bg_again(point, again, counts, place),
        )
        value, slope, bend = (sum(part[i] for part in parts) for i in range(3))
        return float(value), slope, np.triu(bend) + np.triu(bend, 1).T

    return evaluate


def _bg_of_count(point: np.ndarray, x: np.ndarray, people: np.ndarray, total: float) -> tuple:
    """The part that depends on x alone: Gamma(r + x) alpha^r / Gamma(r) B(a, b + x) / B(a, b)."""
    from scipy.special import gammaln, polygamma, psi

    r, alpha, a, b = point
    value = total * r * math.log(alpha) + people @ (
        gammaln(r + x) - gammaln(r) + gammaln(b + x) - gammaln(b) - gammaln(a + b + x) + gammaln(a + b)
    )
    both, bent = people @ (psi(a + b) - psi(a + b + x)), people @ (polygamma(1, a + b) - polygamma(1, a + b + x))
    slope = np.array([
        people @ (psi(r + x) - psi(r)) + total * math.log(alpha), total * r / alpha,
        both, both + people @ (psi(b + x) - psi(b)),
    ])  # fmt: skip
    bend = np.zeros((4, 4))
    bend[0, :2] = people @ (polygamma(1, r + x) - polygamma(1, r)), total / alpha
    bend[1, 1] = -total * r / alpha**2
    bend[2, 2:] = bent
    bend[3, 3] = bent + people @ (polygamma(1, b + x) - polygamma(1, b))
    return value, slope, bend


def _bg_once(point: np.ndarray, ages: np.ndarray, people: np.ndarray) -> tuple:
    """The rest for those who bought once: (alpha + T)^-r."""
    r, alpha = point[:2]
    logs, inverse = people @ np.log(alpha + ages), 1 / (alpha + ages)
    slope, bend = np.zeros(4), np.zeros((4, 4))
    slope[:2] = -logs, -r * (people @ inverse)
    bend[0, 1], bend[1, 1] = -(people @ inverse), r * (people @ inverse**2)
    return -r * logs, slope, bend


def _bg_again(point: np.ndarray, again: Customers, counts: np.ndarray, place: np.ndarray) -> tuple:
    """The rest for those who came back: alive at T, or gone after the last purchase.

    Log(exp(A) + exp(B)) with A = -(r+x) log(alpha+T), B = log a - log(b+x-1) - (r+x) log(alpha+t_x); `gone` is the
    chance of B. Only the upper half of the Hessian is filled.
    """
    r, alpha, a, b = point
    value, slope, bend = 0.0, np.zeros(4), np.zeros((4, 4))
    odds, inverse = math.log(a) - np.log(b + counts - 1), 1 / (b + counts - 1)
    gone_of, sway_of = np.zeros(len(counts)), np.zeros(len(counts))
    for start in range(0, len(place), _CHUNK):
        part = slice(start, start + _CHUNK)
        at, weight = place[part], again.weight[part]
        shape, end, last = r + again.x[part], alpha + again.age[part], alpha + again.last[part]
        log_end, back = np.log(end), inverse[at]
        since = log_end - np.log(last)
        end, last = 1 / end, 1 / last
        lead = odds[at] + shape * since
        tail = np.exp(-np.abs(lead))
        gone = np.where(lead >= 0, 1.0, tail) / (1 + tail)
        sway = gone * (1 - gone) * weight
        value += weight @ (np.maximum(lead, 0) + np.log(1 + tail) - shape * log_end)
        gone *= weight
        gap = last - end
        moved, end_weighted, gone_gap = shape * gap, end * weight, gone * gap
        slope[:2] += gone @ since - weight @ log_end, -(shape @ end_weighted) - shape @ gone_gap
        gone_of += np.bincount(at, weights=gone, minlength=len(counts))
        sway_of += np.bincount(at, weights=sway, minlength=len(counts))
        sway_since, sway_moved = sway * since, sway * moved
        bend[0] += (
            sway_since @ since, -end_weighted.sum() - gone_gap.sum() - sway_since @ moved,
            sway_since.sum() / a, -(sway_since @ back),
        )  # fmt: skip
        bend[1, 1] += (end_weighted * end + gone_gap * (last + end)) @ shape + sway_moved @ moved
        bend[1, 2:] += -sway_moved.sum() / a, sway_moved @ back
    slope[2:] = gone_of.sum() / a, -(gone_of @ inverse)
    bend[2, 2:] = (sway_of - gone_of).sum() / a**2, -(sway_of @ inverse) / a
    bend[3, 3] = (gone_of + sway_of) @ inverse**2
    return value, slope, bend


def _still_bg(customers: Customers, fit: BgNbd) -> np.ndarray:
    from scipy.special import expit

    x, again = customers.x, customers.x > 0
    since = np.log((fit.alpha + customers.age) / (fit.alpha + customers.last))
    lead = math.log(fit.a) - np.log(fit.b + np.maximum(x, 1) - 1) + (fit.r + x) * since
    return np.where(again, expit(-lead), 1.0)


def _pareto_likelihood(customers: Customers) -> Evaluate:
    """Return the log likelihood of Pareto/NBD as a function of (r, alpha, s, beta), with gradient and Hessian."""
    from scipy.special import gammaln, polygamma, psi

    counts, people, _ = by_value(customers.x, customers.weight)
    total = float(customers.weight.sum())

    def evaluate(point: np.ndarray) -> tuple[float, np.ndarray, np.ndarray]:
        r, alpha, s, beta = point
        value = people @ (gammaln(r + counts) - gammaln(r)) + total * (r * math.log(alpha) + s * math.log(beta))
        slope = np.array([people @ (psi(r + counts) - psi(r)) + total * math.log(alpha), total * r / alpha,
                          total * math.log(beta), total * s / beta])  # fmt: skip
        bend = np.zeros((4, 4))
        bend[0, 0] = people @ (polygamma(1, r + counts) - polygamma(1, r))
        bend[0, 1], bend[1, 1] = total / alpha, -total * r / alpha**2
        bend[2, 3], bend[3, 3] = total / beta, -total * s / beta**2
        for part in _chunks(customers, _CHUNK // _NODES):
            top, log_buying, log_leaving, alive, gone = _leaving(part, r, alpha, s, beta)
            value += part.weight @ top
            chance = np.concatenate([gone, alive[:, None]], axis=1) * part.weight[:, None]
            shape, dead = (r + part.x)[:, None], np.ones(gone.shape[1] + 1)
            dead[-1] = 0.0
            buying, leaving = np.exp(-log_buying), np.exp(-log_leaving)
            moves = np.stack([-log_buying, -shape * buying, dead / s - log_leaving, -(s + dead) * leaving])
            likely = moves * chance
            mean = likely.sum(axis=2)
            slope += mean.sum(axis=1)
            bend += likely.reshape(4, -1) @ moves.reshape(4, -1).T
            bend -= (mean / part.weight) @ mean.T
            bend[0, 1] -= np.sum(chance * buying)
            bend[1, 1] += np.sum(chance * shape * buying**2)
            bend[2, 2] -= np.sum(chance * dead) / s**2
            bend[2, 3] -= np.sum(chance * leaving)
            bend[3, 3] += np.sum(chance * (s + dead) * leaving**2)
        upper = np.triu(bend)
        return float(value), slope, upper + np.triu(bend, 1).T

    return evaluate


@cache
def _legendre() -> tuple[np.ndarray, np.ndarray]:
    """Gauss-Legendre nodes and weights on (0, 1)."""
    nodes, weights = np.polynomial.legendre.leggauss(_NODES)
    return (nodes + 1) / 2, weights / 2


def _leaving(customers: Customers, r: float, alpha: float, s: float, beta: float) -> tuple[np.ndarray, ...]:
    """Return what the data say of the moment u of leaving, at nodes of a quadrature over (t_x, T) and beyond T.

    Returns:
        (N,) log of (alpha+T)^-(r+x) (beta+T)^-s + s integral (alpha+u)^-(r+x) (beta+u)^-(s+1) du;
        (N, K + 1) log(alpha + u) and log(beta + u) at the nodes, T last;
        (N,) chance to be alive at T; (N, K) chances to have left around each node.
    """
    nodes, weights = _legendre()
    shape, least = r + customers.x, min(alpha, beta)
    start = least + customers.last
    # u on a logarithmic scale, cut where the integrand has fallen by exp(40); it falls at least at the rate `fall`
    width = np.log((least + customers.age) / start)
    fall = (shape / (alpha + customers.last) + (s + 1) / (beta + customers.last)) * start - 1
    width = np.where(fall * width > _NEGLIGIBLE, _NEGLIGIBLE / np.maximum(fall, 1e-300), width)
    moment = np.concatenate([start[:, None] * np.exp(width[:, None] * nodes), least + customers.age[:, None]], axis=1)
    log_buying, log_leaving = np.log(moment + (alpha - least)), np.log(moment + (beta - least))
    height = -shape[:, None] * log_buying - s * log_leaving
    with np.errstate(divide="ignore"):
        measure = np.log(width)[:, None] + np.log(weights) + math.log(s)
    height[:, :-1] += measure + np.log(moment[:, :-1]) - log_leaving[:, :-1]
    top = height.max(axis=1)
    chance = np.exp(height - top[:, None])
    total = chance.sum(axis=1)
    chance /= total[:, None]
    return top + np.log(total), log_buying, log_leaving, chance[:, -1], chance[:, :-1]


def _expected(fit: BgNbd | ParetoNbd, x: object, t_x: object, T: object, horizon: float) -> np.ndarray:
    alive = fit.p_alive(x, t_x, T)
    pairs, place = distinct_pairs(np.atleast_1d(np.asarray(x, dtype=float)), np.atleast_1d(np.asarray(T, dtype=float)))
    return alive * fit.purchases_if_alive(*pairs, [horizon])[place, 0]


def distinct_pairs(x: np.ndarray, T: np.ndarray) -> tuple[tuple[np.ndarray, np.ndarray], np.ndarray]:
    """Return the distinct pairs (x, T) and each row's place among them: what depends on both is computed once."""
    ages, at = np.unique(T, return_inverse=True)
    _, first, place = np.unique(x * len(ages) + at, return_index=True, return_inverse=True)
    return (x[first], T[first]), place


def _pairs(x: object, T: object, horizon: object) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    guard = Guard()
    repeats = guard.numbers("x", np.atleast_1d(np.asarray(x)), low=0.0, ndim=(1,))
    age = guard.numbers("T", np.atleast_1d(np.asarray(T)), low=0.0, ndim=(1,))
    ahead = guard.numbers("horizon", np.atleast_1d(np.asarray(horizon)), low=0.0, ndim=(1,))
    if repeats.shape != age.shape:
        guard.add("shape", "T", f"shape {age.shape}", expected=f"shape {repeats.shape}, as x")
    guard.done()
    return repeats, age, ahead


def _beta_mean(a: float, b: float, shape: float, ratio: np.ndarray) -> np.ndarray:
    """Return E[(1 - (1 + p w)^-shape) / p] over p ~ beta(a, b) for each w of `ratio`, >= 0."""
    widest = float(ratio.max(initial=0.0))
    if widest == 0.0:
        return np.zeros(ratio.shape)
    needed = math.ceil(18.5 / math.log1p(1 / widest))  # (w / (1 + w))^(2 n) < 1e-16
    chance, weight = beta_rule(a, b, min(max(needed, 12), _MOST_NODES))
    found = np.empty(ratio.shape)
    rows = max(1, 2**20 // (len(chance) * max(ratio.shape[1], 1)))
    for start in range(0, len(ratio), rows):
        part = slice(start, start + rows)
        found[part] = -np.expm1(-shape * np.log1p(ratio[part][..., None] * chance)) @ (weight / chance)
    return found


def beta_rule(a: float, b: float, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Return nodes in (0, 1) and weights (sum 1) that integrate polynomials up to degree 2n - 1 over beta(a, b).

    Source: Golub & Welsch 1969, with the recurrence of Jacobi polynomials moved to (0, 1).

    >>> nodes, weights = beta_rule(2.0, 3.0, 4)
    >>> round(float(weights @ nodes), 12), round(float(weights @ nodes**2), 12)  # 2/5 and 2*3/(5*6)
    (0.4, 0.2)
    """
    from scipy.linalg import eigh_tridiagonal

    k = np.arange(1, n, dtype=float)
    total = 2 * k + a + b
    middle = np.empty(n)
    middle[0] = a / (a + b)
    middle[1:] = (1 + (a - b) * (a + b - 2) / (total * (total - 2))) / 2
    with np.errstate(invalid="ignore", divide="ignore"):
        side = k * (k + a - 1) * (k + b - 1) * (k + a + b - 2) / ((total - 2) ** 2 * (total - 1) * (total - 3))
    if n > 1:
        side[0] = a * b / ((a + b) ** 2 * (a + b + 1))
    values, vectors = eigh_tridiagonal(middle, np.sqrt(side))
    weights = vectors[0] ** 2
    return np.maximum(values, np.finfo(float).tiny), weights / weights.sum()
