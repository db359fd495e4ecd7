"""Response curves: what a spend brings, its slope, and the spend at which a slope is left."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from planlib.core.guards import Guard

KINDS = ("hill", "michaelis_menten", "exponential", "logarithmic", "power", "logistic")
SATURATING = ("hill", "michaelis_menten", "exponential", "logistic")
_HALF_POINT = {"hill": 1.0, "michaelis_menten": 1.0, "exponential": np.log(2.0), "logistic": np.log(3.0)}
_BISECTIONS = 60


@dataclass(frozen=True, eq=False)
class Curves:
    """N response curves f(x) = amount * g(x / scale), all 0 at no spend and never falling.

    With t = x / scale: hill t^s / (1 + t^s); michaelis_menten t / (1 + t); exponential 1 - e^-t; logarithmic
    ln(1 + t); power t^s with s < 1; logistic tanh(t / 2), the logistic curve moved to 0 at no spend.

    Args:
        kind: (N,) names out of KINDS.
        amount: (N,) > 0, outcome in its own unit per period; the ceiling of the curves that have one.
        scale: (N,) > 0, CNY per period; the spend that brings half of the ceiling for hill and michaelis_menten.
        shape: (N,) > 0, s of hill (S-shaped above 1) and power (below 1); 1 for the others.

    Raises:
        InputError: an unknown kind, lengths that differ, a value that is not above 0 or not finite, power with s >= 1.

    >>> Curves.of([("michaelis_menten", 100.0, 50.0)]).value(np.array([50.0]))
    array([50.])
    """

    kind: tuple[str, ...]
    amount: np.ndarray
    scale: np.ndarray
    shape: np.ndarray

    def __post_init__(self) -> None:
        guard = Guard()
        kinds = tuple(guard.choice(f"kind[{i}]", name, KINDS) for i, name in enumerate(self.kind))
        if not kinds:
            guard.add("empty", "kind")
        fields = {name: guard.numbers(name, getattr(self, name), above=0.0, ndim=(1,)) for name in _NUMBERS}
        for name, values in fields.items():
            if values.shape != (len(kinds),):
                guard.add("shape", name, f"shape {values.shape}", expected=f"({len(kinds)},)")
        if not guard.problems:
            for i in np.flatnonzero((np.array(kinds) == "power") & (fields["shape"] >= 1)):
                guard.add("less", f"shape[{i}]", float(fields["shape"][i]), high=1)
        guard.done()
        object.__setattr__(self, "kind", kinds)
        for name, values in fields.items():
            frozen = np.array(values, dtype=float)
            frozen.setflags(write=False)
            object.__setattr__(self, name, frozen)
        codes = np.array([KINDS.index(name) for name in kinds])
        codes[(codes == 0) & (self.shape == 1)] = 1  # hill of shape 1 is michaelis_menten
        object.__setattr__(self, "_codes", codes)
        object.__setattr__(self, "_groups", _groups(self._codes))

    @classmethod
    def of(cls, rows: Sequence[tuple]) -> Curves:
        """Make curves from rows (kind, amount, scale[, shape]); the shape is 1 where it is left out."""
        full = [(*row, 1.0)[:4] for row in rows]
        kind, amount, scale, shape = zip(*full, strict=True) if full else ((), (), (), ())
        return cls(kind, amount, scale, shape)

    def __len__(self) -> int:
        return len(self.kind)

    def take(self, index: np.ndarray) -> Curves:
        """Return the curves at these places."""
        part = object.__new__(Curves)  # checked already
        codes = self._codes[index]
        values = {"kind": tuple(self.kind[i] for i in index), "_codes": codes, "_groups": _groups(codes)}
        for name, value in (values | {name: getattr(self, name)[index] for name in _NUMBERS}).items():
            object.__setattr__(part, name, value)
        return part

    @property
    def inflection(self) -> np.ndarray:
        """(N,) CNY, spend below which a curve is convex; 0 where it is concave throughout."""
        s = self.shape
        found = np.zeros(len(self))
        bent = (self._codes == 0) & (s > 1)
        found[bent] = self.scale[bent] * ((s[bent] - 1) / (s[bent] + 1)) ** (1 / s[bent])
        return found

    def value(self, spend: np.ndarray) -> np.ndarray:
        """Return (..., N) outcomes at (..., N) CNY per period."""
        return self._apply(spend / self.scale, _VALUE) * self.amount

    def slope(self, spend: np.ndarray) -> np.ndarray:
        """Return (..., N) outcomes that one more CNY brings; infinite at no spend for power and hill below shape 1."""
        with np.errstate(divide="ignore"):
            return self._apply(spend / self.scale, _SLOPE) * (self.amount / self.scale)

    def spend_at_slope(self, slope: np.ndarray) -> np.ndarray:
        """Return (..., N) the largest spend at which one more CNY still brings `slope` > 0; 0 where none does."""
        with np.errstate(divide="ignore", invalid="ignore"):
            return self._apply(slope * (self.scale / self.amount), _INVERSE) * self.scale

    def _apply(self, t: np.ndarray, functions: dict) -> np.ndarray:
        t = np.asarray(t, dtype=float)
        if len(self._groups) == 1:
            kind, _ = self._groups[0]
            return functions[kind](t, self.shape)
        found = np.empty(np.broadcast_shapes(t.shape, (len(self),)))
        for kind, at in self._groups:
            found[..., at] = functions[kind](t[..., at], self.shape[at])
        return found


def from_half_spend(kind: str, *, ceiling: float, half_spend: float, shape: float = 1.0) -> tuple:
    """Return a row of `Curves.of` for a curve that brings half of its ceiling at a known spend.

    Raises:
        InputError: the kind has no ceiling, or a number is not above 0.

    >>> Curves.of([from_half_spend("exponential", ceiling=10.0, half_spend=7.0)]).value(np.array([7.0]))
    array([5.])
    """
    guard = Guard()
    guard.choice("kind", kind, SATURATING)
    top = guard.number("ceiling", ceiling, above=0.0)
    half = guard.number("half_spend", half_spend, above=0.0)
    s = guard.number("shape", shape, above=0.0)
    guard.done()
    return kind, top, half / _HALF_POINT[kind], s if kind == "hill" else 1.0


def from_known_cost(kind: str, *, spend: float, cost_each: float, ceiling: float, shape: float = 1.0) -> tuple:
    """Return a row of `Curves.of` through one known point: at `spend` an outcome costs `cost_each` on average.

    Args:
        kind: one that has a ceiling.
        spend: CNY per period, > 0.
        cost_each: CNY per outcome at that spend, > 0.
        ceiling: most outcomes per period at any spend.
        shape: s of hill.

    Raises:
        InputError: the point lies at or above the ceiling, so that no curve of this kind goes through it.

    >>> row = from_known_cost("michaelis_menten", spend=100.0, cost_each=2.0, ceiling=200.0)
    >>> Curves.of([row]).value(np.array([100.0]))
    array([50.])
    """
    guard = Guard()
    guard.choice("kind", kind, SATURATING)
    x = guard.number("spend", spend, above=0.0)
    cost = guard.number("cost_each", cost_each, above=0.0)
    top = guard.number("ceiling", ceiling, above=0.0)
    s = guard.number("shape", shape, above=0.0)
    if not guard.problems and x / cost >= top:
        guard.add("above", "ceiling", top, low=f"{x / cost:.6g}, spend / cost_each")
    guard.done()
    share = x / cost / top
    t = {
        "hill": (share / (1 - share)) ** (1 / s),
        "michaelis_menten": share / (1 - share),
        "exponential": -np.log1p(-share),
        "logistic": 2 * np.arctanh(share),
    }[kind]
    return kind, top, x / float(t), s if kind == "hill" else 1.0


def upper_envelope(curves: Curves, low: np.ndarray, high: np.ndarray, least: np.ndarray) -> np.ndarray:
    """Return the smallest concave function above each curve on what may be spent.

    Allowed is `low` itself and everything from max(low, least) to `high`. The envelope is a straight line from `low`
    to the touching point and the curve from there on.

    Args:
        low, high: (N,) ends, 0 <= low <= high.
        least: (N,) smallest spend besides `low`; `low` or less where there is no gap.

    Returns:
        (N,) touching points; they equal `low` where the curve itself is the envelope.
    """
    start = np.maximum(low, least)
    touch = start.copy()
    at_low = curves.value(low)
    bent = np.flatnonzero((low < curves.inflection) | (low < start))
    if bent.size:
        part = curves.take(bent)
        first = np.maximum(part.inflection, start[bent])
        touch[bent] = _tangent(part, low[bent], at_low[bent], first, high[bent])
    return np.minimum(touch, high)


def _tangent(curves: Curves, low: np.ndarray, at_low: np.ndarray, from_: np.ndarray, high: np.ndarray) -> np.ndarray:
    """Return where a line from (low, at_low) touches the concave part of the curve, between `from_` and `high`."""

    def steeper(x: np.ndarray) -> np.ndarray:
        return curves.slope(x) * (x - low) >= curves.value(x) - at_low

    first = np.minimum(from_, high)
    a, b = np.where(steeper(high), high, first), high.copy()
    for _ in range(_BISECTIONS):
        middle = (a + b) / 2
        up = steeper(middle)
        a, b = np.where(up, middle, a), np.where(up, b, middle)
    return np.where(steeper(first), a, first)


def lower_envelope(curves: Curves, low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """Return where the largest convex function below each curve leaves it, (N,).

    The envelope is the curve from `low` to that point and a straight line from there to `high`; the point equals
    `low` where the whole envelope is a line.
    """
    touch = low.copy()
    bent = np.flatnonzero(low < curves.inflection)
    if bent.size:
        part = curves.take(bent)
        top, at_top = high[bent], curves.value(high)[bent]

        def flatter(x: np.ndarray) -> np.ndarray:
            return part.slope(x) * (top - x) <= at_top - part.value(x)

        a, b = low[bent], np.minimum(part.inflection, top)
        for _ in range(_BISECTIONS):
            middle = (a + b) / 2
            keep = flatter(middle)
            a, b = np.where(keep, middle, a), np.where(keep, b, middle)
        touch[bent] = np.where(flatter(low[bent]), a, low[bent])
    return touch


def _groups(codes: np.ndarray) -> tuple[tuple[str, np.ndarray], ...]:
    """Places of each kind that occurs."""
    return tuple((KINDS[code], np.flatnonzero(codes == code)) for code in np.unique(codes))


def _hill(t: np.ndarray, s: np.ndarray) -> np.ndarray:
    with np.errstate(divide="ignore", over="ignore"):
        return 1.0 / (1.0 + t**-s)


def _hill_slope(t: np.ndarray, s: np.ndarray) -> np.ndarray:
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        high = np.where(t > 0, s / t * _hill(t, s) * _hill(1.0 / t, s), 0.0)
    return np.where(t > 0, high, np.where(s < 1, np.inf, np.where(s == 1, 1.0, 0.0)))


def _hill_inverse(m: np.ndarray, s: np.ndarray) -> np.ndarray:
    """Bisect ln t on the concave part."""
    m = np.asarray(m, dtype=float)
    shape = np.broadcast_to(s, m.shape)
    bend = np.where(shape > 1, ((np.maximum(shape, 1) - 1) / (np.maximum(shape, 1) + 1)) ** (1 / shape), 0.0)
    low = np.where(bend > 0, np.log(np.maximum(bend, 1e-300)), -230.0)
    high = np.full(m.shape, 230.0)
    reachable = _hill_slope(np.exp(low), shape) >= m
    for _ in range(_BISECTIONS):
        middle = (low + high) / 2
        above = _hill_slope(np.exp(middle), shape) >= m
        low, high = np.where(above, middle, low), np.where(above, high, middle)
    return np.where(reachable, np.exp(low), 0.0)


_NUMBERS = ("amount", "scale", "shape")
_VALUE = {
    "hill": _hill,
    "michaelis_menten": lambda t, s: t / (1.0 + t),
    "exponential": lambda t, s: -np.expm1(-t),
    "logarithmic": lambda t, s: np.log1p(t),
    "power": lambda t, s: t**s,
    "logistic": lambda t, s: np.tanh(t / 2),
}
_SLOPE = {
    "hill": _hill_slope,
    "michaelis_menten": lambda t, s: (1.0 + t) ** -2,
    "exponential": lambda t, s: np.exp(-t),
    "logarithmic": lambda t, s: 1.0 / (1.0 + t),
    "power": lambda t, s: s * t ** (s - 1.0),
    "logistic": lambda t, s: 0.5 / np.cosh(np.minimum(t, 1400.0) / 2) ** 2,
}
_INVERSE = {
    "hill": _hill_inverse,
    "michaelis_menten": lambda m, s: np.maximum(1.0 / np.sqrt(m) - 1.0, 0.0),
    "exponential": lambda m, s: np.maximum(-np.log(m), 0.0),
    "logarithmic": lambda m, s: np.maximum(1.0 / m - 1.0, 0.0),
    "power": lambda m, s: (s / m) ** (1.0 / (1.0 - s)),
    "logistic": lambda m, s: 2 * np.arccosh(np.maximum(0.5 / m, 1.0) ** 0.5),
}
