"""How spend of one week still works in later weeks."""

from __future__ import annotations

import numpy as np

from planlib.core.guards import Guard


def adstock(spend: np.ndarray, decay: np.ndarray, *, max_lag: int | None = None) -> np.ndarray:
    """Carry spend forward with geometric decay.

    Args:
        spend: (T, C) CNY per period, >= 0.
        decay: (C,) share carried to the next period, 0 <= decay < 1.
        max_lag: periods kept, >= 1; their weights then sum to 1, so that spend is moved in time, never created
            (Jin et al. 2017). None: a_t = x_t + decay a_(t-1), without limit and not normalised (Broadbent 1979).

    Returns:
        (T, C) CNY-equivalent per period.

    Raises:
        InputError: shapes disagree, or a value is out of range.

    >>> adstock(np.array([[90.0], [0.0], [0.0]]), np.array([0.5]), max_lag=2).ravel()
    array([60., 30.,  0.])
    >>> adstock(np.array([[100.0], [0.0], [0.0]]), np.array([0.5])).ravel()
    array([100.,  50.,  25.])
    """
    guard = Guard()
    x = guard.numbers("spend", spend, low=0.0, ndim=(2,))
    share = guard.numbers("decay", decay, low=0.0, below=1.0, ndim=(1,))
    if share.shape != x.shape[1:]:
        guard.add("shape", "decay", f"shape {share.shape}", expected=f"({x.shape[1] if x.ndim == 2 else '?'},)")
    lags = len(x) if max_lag is None else guard.whole("max_lag", max_lag)
    guard.done()
    if max_lag is None:
        return carried(x, share)
    weights = share ** np.arange(lags)[:, None]
    return _weighted(x, weights / weights.sum(axis=0))


def carried(spend: np.ndarray, decay: np.ndarray) -> np.ndarray:
    """Return a_t = x_t + decay a_(t-1) for (T, C) spends that were checked before."""
    from scipy.signal import lfilter

    columns = [lfilter([1.0], [1.0, -d], column) for column, d in zip(spend.T, decay, strict=True)]
    return np.stack(columns, axis=1)


def weibull_adstock(spend: np.ndarray, shape: np.ndarray, scale: np.ndarray, *, max_lag: int = 13) -> np.ndarray:
    """Carry spend forward with weights that fall as a Weibull survival function, scaled to sum to 1.

    Args:
        spend: (T, C) CNY per period, >= 0.
        shape: (C,) > 0; 1 is close to geometric, above 1 the effect holds first and then drops.
        scale: (C,) periods, > 0.
        max_lag: periods kept, >= 1.

    Returns:
        (T, C) CNY-equivalent per period.
    """
    guard = Guard()
    x = guard.numbers("spend", spend, low=0.0, ndim=(2,))
    ends = {name: guard.numbers(name, v, above=0.0, ndim=(1,)) for name, v in (("shape", shape), ("scale", scale))}
    for name, values in ends.items():
        if values.shape != x.shape[1:]:
            guard.add("shape", name, f"shape {values.shape}", expected="one value a channel")
    lags = guard.whole("max_lag", max_lag)
    guard.done()
    weights = np.exp(-((np.arange(lags)[:, None] / ends["scale"]) ** ends["shape"]))
    return _weighted(x, weights / weights.sum(axis=0))


def _weighted(spend: np.ndarray, weights: np.ndarray) -> np.ndarray:
    found = np.zeros_like(spend, dtype=float)
    for lag, weight in enumerate(weights[: len(spend)]):
        found[lag:] += weight * spend[: len(spend) - lag]
    return found
