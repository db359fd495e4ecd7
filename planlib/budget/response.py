"""Response curves fitted to weekly spend and outcomes, with their uncertainty, or the reason why they cannot be."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from planlib.budget.carryover import carried
from planlib.budget.curves import KINDS, SATURATING, Curves
from planlib.core.guards import Guard

YEAR_WEEKS = 52.0
_FREE_SHAPE = ("hill", "power")
_SPREAD = 3.0  # how far starting points lie apart, in factors of e
_WIDE = 1.0  # standard error of a logarithm above which a parameter counts as unknown
_FLAT = 1e-3  # largest part of a spend's variation that other columns leave over, below which it is not seen apart


@dataclass(frozen=True, slots=True)
class Lift:
    """An experiment's result: what a channel brought in one week at one level of spend against another.

    Args:
        channel: place of the channel, from 0.
        low_cny, high_cny: spends a week that were compared, kept up long enough for the carry-over to settle.
        outcome: more outcomes a week at the higher spend.
        se: its standard error, > 0.
    """

    channel: int
    low_cny: float
    high_cny: float
    outcome: float
    se: float


@dataclass(frozen=True, eq=False)
class Fit:
    """Least-squares estimate of carry-over and curve for each of C channels.

    Attributes:
        kind: (C,) curve names.
        decay, amount, scale, shape: (C,) estimates; scale in CNY of carried spend a week, amount in outcomes a week.
        se: {name: (C,)} standard errors of the four, of scale and shape on the logarithm; nan where fixed.
        identified: (C,) False where the data do not tell the curve; then it must not be used.
        reason: (C,) "" or weak_effect, unknown_scale, unknown_shape.
        controls: (P,) estimates of the linear terms.
        fitted, baseline: (T,) outcomes of the model and of its linear terms.
        rss, sigma, n, r_squared: residual sum of squares, residual standard deviation, weeks, share explained.
        covariance: of the free parameters (decay, log scale, log shape of each channel, amounts, controls).
    """

    kind: tuple[str, ...]
    decay: np.ndarray
    amount: np.ndarray
    scale: np.ndarray
    shape: np.ndarray
    se: dict[str, np.ndarray]
    identified: np.ndarray
    reason: tuple[str, ...]
    controls: np.ndarray
    fitted: np.ndarray
    baseline: np.ndarray
    rss: float
    sigma: float
    n: int
    r_squared: float
    covariance: np.ndarray

    def steady(self) -> Curves:
        """Return the curves of a spend that is kept up: each yuan works 1 / (1 - decay) times.

        Only identified channels with a positive effect make curves; the others raise InputError.
        """
        guard = Guard()
        for c in np.flatnonzero(~self.identified):
            guard.add("not_identified", f"channel[{c}]", self.reason[c])
        guard.done()
        return Curves(self.kind, self.amount, self.scale * (1 - self.decay), self.shape)

    def draws(self, n: int, rng: np.random.Generator) -> dict[str, np.ndarray]:
        """Return (n, C) draws of decay, amount, scale and shape from the asymptotic normal on the free scales.

        Amounts and decays outside their range are drawn again by reflection.
        """
        c = len(self.kind)
        free = _Free(self.kind)
        centre = np.concatenate([free.pack(self.decay, self.scale, self.shape), self.amount])
        values, vectors = np.linalg.eigh(self.covariance[: len(centre), : len(centre)])
        noise = rng.standard_normal((n, len(centre))) * np.sqrt(np.clip(values, 0, None))
        drawn = centre + noise @ vectors.T
        decay, scale, shape = free.unpack(drawn[:, : free.size])
        decay = np.abs(decay)
        decay = np.clip(np.where(decay >= 1, 2 - decay, decay), 0.0, 0.999)
        return {"decay": decay, "amount": np.abs(drawn[:, free.size : free.size + c]), "scale": scale, "shape": shape}


class _Free:
    """The free non-linear parameters: decay, log scale and, where the curve has one, log shape of each channel."""

    def __init__(self, kind: Sequence[str]) -> None:
        self.c = len(kind)
        self.scaled = np.array([k != "power" for k in kind])
        self.shaped = np.array([k in _FREE_SHAPE for k in kind])
        self.size = self.c + int(self.scaled.sum()) + int(self.shaped.sum())

    def pack(self, decay: np.ndarray, scale: np.ndarray, shape: np.ndarray) -> np.ndarray:
        return np.concatenate([decay, np.log(scale[self.scaled]), np.log(shape[self.shaped])])

    def unpack(self, free: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        lead = free.shape[:-1]
        scale, shape = np.ones((*lead, self.c)), np.ones((*lead, self.c))
        middle = self.c + int(self.scaled.sum())
        scale[..., self.scaled] = np.exp(free[..., self.c : middle])
        shape[..., self.shaped] = np.exp(free[..., middle:])
        return free[..., : self.c], scale, shape

    def bounds(self, top: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        low_scale, high_scale = np.log(top[self.scaled] * 1e-3), np.log(top[self.scaled] * 1e3)
        n = int(self.shaped.sum())
        return (
            np.concatenate([np.zeros(self.c), low_scale, np.full(n, np.log(0.2))]),
            np.concatenate([np.full(self.c, 0.98), high_scale, np.full(n, np.log(6.0))]),
        )


def seasonal_controls(weeks: int, *, trend: bool = True, period_weeks: float | None = YEAR_WEEKS) -> np.ndarray:
    """Return (T, P) columns: 1, week number, and one sine and cosine a year.

    Args:
        weeks: T.
        trend: with the week number.
        period_weeks: length of the season; None: no season.
    """
    t = np.arange(weeks, dtype=float)
    columns = [np.ones(weeks)] + ([t] if trend else [])
    if period_weeks is not None:
        columns += [np.sin(2 * np.pi * t / period_weeks), np.cos(2 * np.pi * t / period_weeks)]
    return np.stack(columns, axis=1)


def fit_response(
    outcome: np.ndarray,
    spend: np.ndarray,
    kind: Sequence[str],
    *,
    controls: np.ndarray | None = None,
    lifts: Sequence[Lift] = (),
    starts: int = 12,
    seed: int = 0,
) -> Fit:
    """Fit outcome_t = controls_t + sum over channels of curve(carried spend_t) by least squares.

    The amounts and the controls enter linearly and are solved exactly at each step (variable projection, Golub &
    Pereyra 1973); decay, scale and shape are found from several starting points. Experiments count as further
    observations with their own standard errors.

    Args:
        outcome: (T,) outcomes a week.
        spend: (T, C) CNY a week, >= 0.
        kind: (C,) curve of each channel; hill and power have a free shape.
        controls: (T, P) linear terms, P >= 0; by default level, trend and one wave a year.
        lifts: results of experiments that calibrate the curves.
        starts: starting points, >= 1.
        seed: of the starting points; the same gives the same fit.

    Raises:
        InputError: shapes that differ, negative or non-finite values, fewer weeks than parameters, a spend that never
            changes or that other columns reproduce, so that no fit could tell its effect.
    """
    y, x, z = _checked(outcome, spend, kind, controls, lifts)
    guard = Guard()
    tries = guard.whole("starts", starts)
    guard.done()
    from scipy.optimize import least_squares

    model = _Model(y, x, z, tuple(kind), tuple(lifts))
    low, high = model.free.bounds(model.top)
    rng = np.random.default_rng(seed)
    best = None
    for k in range(tries):
        start = model.start(rng, first=k == 0)
        found = least_squares(model.residuals, np.clip(start, low + 1e-6, high - 1e-6), bounds=(low, high), xtol=1e-12,
                              ftol=1e-14, gtol=1e-12, max_nfev=400)  # fmt: skip
        if best is None or found.cost < best.cost * (1 - 1e-9):
            best = found
    return model.result(best.x, at_bound=(best.x <= low + 1e-5) | (best.x >= high - 1e-5))


def _checked(outcome, spend, kind, controls, lifts) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    guard = Guard()
    y = guard.numbers("outcome", outcome, ndim=(1,))
    x = guard.numbers("spend", spend, low=0.0, ndim=(2,))
    for c, name in enumerate(kind):
        guard.choice(f"kind[{c}]", name, KINDS)
    if x.ndim == 2 and (len(x) != len(y) or x.shape[1] != len(kind)):
        guard.add("shape", "spend", f"shape {x.shape}", expected=f"({len(y)}, {len(kind)})")
    z = seasonal_controls(len(y)) if controls is None else np.asarray(controls)
    z = z.astype(float) if z.shape == (len(y), 0) else guard.numbers("controls", z, ndim=(2,))
    if z.ndim == 2 and len(z) != len(y):
        guard.add("shape", "controls", f"shape {z.shape}", expected=f"({len(y)}, P)")
    for k, lift in enumerate(lifts):
        guard.number(f"lifts[{k}].se", lift.se, above=0.0)
        guard.number(f"lifts[{k}].low_cny", lift.low_cny, low=0.0)
        guard.number(f"lifts[{k}].high_cny", lift.high_cny, above=lift.low_cny)
        guard.whole(f"lifts[{k}].channel", lift.channel, low=0, high=max(len(kind) - 1, 0))
    guard.done()
    free = _Free(kind).size + len(kind) + z.shape[1]
    if len(y) + len(lifts) <= free:
        guard.add("too_few_points", "outcome", len(y), needed=free + 1)
    for c in range(x.shape[1]):
        tested = any(lift.channel == c for lift in lifts)
        if np.ptp(x[:, c]) <= 1e-9 * max(x[:, c].max(), 1.0) and not tested:
            guard.add("constant_spend", f"spend[:, {c}]", float(x[0, c]))
        elif _left_over(x, z, c) < _FLAT and not tested:
            guard.add("collinear_spend", f"spend[:, {c}]")
    guard.done()
    return y, x, z


def _left_over(x: np.ndarray, z: np.ndarray, c: int) -> float:
    """Return the part of a spend's variation that the other spends and the controls do not reproduce."""
    others = np.column_stack([np.delete(x, c, axis=1), z])
    centred = x[:, c] - x[:, c].mean()
    rest = x[:, c] - others @ np.linalg.lstsq(others, x[:, c], rcond=None)[0]
    return float(rest @ rest / max(centred @ centred, 1e-300))


class _Model:
    """Residuals with the linear parameters solved out."""

    def __init__(self, y, x, z, kind, lifts) -> None:
        self.y, self.x, self.z, self.kind, self.lifts = y, x, z, kind, lifts
        self.free = _Free(kind)
        self.c = len(kind)
        self.top = np.maximum(x.max(axis=0), 1e-9)
        size = np.linalg.norm(z, axis=0)
        self.z_unit = np.where(size > 0, size, 1.0)
        rough = y - z @ np.linalg.lstsq(z, y, rcond=None)[0]
        self.noise = max(float(rough.std()), 1e-9)  # weight of an experiment beside a week, refined once

    def start(self, rng: np.random.Generator, *, first: bool) -> np.ndarray:
        spread = np.zeros((3, self.c)) if first else rng.uniform(-1, 1, (3, self.c))
        decay = 0.4 + 0.35 * spread[0]
        scale = self.top * np.exp(0.5 * _SPREAD * spread[1] - 0.5)
        shape = np.where(np.array(self.kind) == "power", 0.5, np.exp(0.3 + 0.6 * spread[2]))
        return self.free.pack(decay, scale, shape)

    def columns(self, free: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the design of weeks and of experiments: unit curves of each channel, then controls."""
        decay, scale, shape = self.free.unpack(free)
        curves = Curves(self.kind, np.ones(self.c), scale, np.where(self.free.shaped, shape, 1.0))
        weeks = np.column_stack([curves.value(carried(self.x, decay)), self.z / self.z_unit])
        tests = np.zeros((len(self.lifts), weeks.shape[1]))
        for k, lift in enumerate(self.lifts):
            kept = 1 / (1 - decay[lift.channel])
            at = np.zeros((2, self.c))
            at[:, lift.channel] = [lift.low_cny * kept, lift.high_cny * kept]
            tests[k, lift.channel] = np.diff(curves.value(at)[:, lift.channel])[0]
        return weeks, tests

    def solved(self, free: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return linear parameters, weighted residuals and the weighted design."""
        weeks, tests = self.columns(free)
        weight = np.array([self.noise / lift.se for lift in self.lifts])
        design = np.concatenate([weeks, tests * weight[:, None]])
        wanted = np.concatenate([self.y, weight * np.array([lift.outcome for lift in self.lifts])])
        linear = np.linalg.lstsq(design, wanted, rcond=None)[0]
        return linear, wanted - design @ linear, design

    def residuals(self, free: np.ndarray) -> np.ndarray:
        return self.solved(free)[1] / self.noise

    def result(self, free: np.ndarray, *, at_bound: np.ndarray) -> Fit:
        linear, off, design = self.solved(free)
        n = len(self.y)
        rss = float(off[:n] @ off[:n])
        parameters = self.free.size + len(linear)
        sigma = float(np.sqrt(rss / max(n - parameters, 1)))
        jacobian = np.column_stack([self._slopes(free, linear), design])
        covariance = np.linalg.pinv(jacobian.T @ jacobian) * sigma**2
        order = np.concatenate([np.ones(self.free.size + self.c), self.z_unit])
        covariance = covariance / np.outer(order, order)
        decay, scale, shape = self.free.unpack(free)
        error = np.sqrt(np.clip(np.diag(covariance), 0, None))
        se = self._errors(error)
        amount = linear[: self.c]
        controls = linear[self.c :] / self.z_unit
        reason = self._reasons(amount, se, at_bound)
        baseline = self.z @ controls
        total = float(((self.y - self.y.mean()) ** 2).sum())
        return Fit(
            kind=self.kind,
            decay=decay,
            amount=amount,
            scale=scale,
            shape=np.where(self.free.shaped, shape, 1.0),
            se=se,
            identified=np.array([not why for why in reason]),
            reason=reason,
            controls=controls,
            fitted=self.y - off[:n],
            baseline=baseline,
            rss=rss,
            sigma=sigma,
            n=n,
            r_squared=1 - rss / total if total > 0 else 0.0,
            covariance=covariance,
        )

    def _slopes(self, free: np.ndarray, linear: np.ndarray) -> np.ndarray:
        """Differences of the weighted model in each non-linear parameter, the linear ones held."""
        found = []
        weight = np.concatenate([np.ones(len(self.y)), [self.noise / lift.se for lift in self.lifts]])
        for j in range(len(free)):
            step = 1e-5 * max(1.0, abs(free[j]))
            sides = []
            for sign in (1, -1):
                moved = free.copy()
                moved[j] += sign * step
                weeks, tests = self.columns(moved)
                sides.append(np.concatenate([weeks, tests]) @ linear)
            found.append((sides[0] - sides[1]) / (2 * step) * weight)
        return np.stack(found, axis=1)

    def _errors(self, error: np.ndarray) -> dict[str, np.ndarray]:
        middle = self.c + int(self.free.scaled.sum())
        scale, shape = np.full(self.c, np.nan), np.full(self.c, np.nan)
        scale[self.free.scaled] = error[self.c : middle]
        shape[self.free.shaped] = error[middle : self.free.size]
        amount = error[self.free.size : self.free.size + self.c]
        return {"decay": error[: self.c], "scale": scale, "shape": shape, "amount": amount}

    def _reasons(self, amount: np.ndarray, se: dict[str, np.ndarray], at_bound: np.ndarray) -> tuple[str, ...]:
        """Say why a curve must not be used: no effect above its error, or a scale or shape that the data leave open."""
        middle = self.c + int(self.free.scaled.sum())
        scale_at_bound, shape_at_bound = np.zeros(self.c, dtype=bool), np.zeros(self.c, dtype=bool)
        scale_at_bound[self.free.scaled] = at_bound[self.c : middle]
        shape_at_bound[self.free.shaped] = at_bound[middle:]
        found = []
        for c in range(self.c):
            unknown_scale = scale_at_bound[c] or se["scale"][c] > _WIDE
            if amount[c] <= 0 or (not unknown_scale and se["amount"][c] > 0.5 * amount[c]):
                found.append("weak_effect")
            elif unknown_scale and self.kind[c] in SATURATING:
                found.append("unknown_scale")
            elif shape_at_bound[c] or se["shape"][c] > _WIDE:
                found.append("unknown_shape")
            else:
                found.append("")
        return tuple(found)
