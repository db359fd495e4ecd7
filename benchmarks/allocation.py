"""Budgets over response curves: time and value beside general solvers, the bound beside the bare dual."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import numpy as np
from harness import Row, interleaved, times_as_long, times_faster, within
from scipy.optimize import minimize

from planlib.budget.curves import Curves
from planlib.budget.optimum import Line, Problem, optimise

SIZES = (10, 50, 200)
LARGE = 200
GROUPS = 10
MONTHS, CHANNELS = 12, 20


def measure(repeats: int) -> Iterator[Row]:
    """Yield rows for concave channels of three sizes, grouped ones, and a year under crossing rules."""
    for n in SIZES:
        yield from _beside_solvers(f"{n} channels", _concave(n), repeats, at_least=100 if n == LARGE else None)
    yield from _beside_solvers(f"{LARGE} channels in {GROUPS} groups", _grouped(), repeats, at_least=100, raw=False)
    problem = _concave(LARGE)
    ours, bare = interleaved(
        lambda: _ms(lambda: optimise(problem)), lambda: _ms(lambda: _bare_dual(problem)), repeats=20 * repeats
    )
    yield times_as_long("optimum and bound, 200 channels : the bare dual", ours, bare, at_most=5, unit="ms")
    yield from _year("12 months x 20 concave channels, 90 rules", _ruled(bent=False, gaps=False), 1e-6, 1.0)
    yield from _year("the same, half of the channels S-shaped", _ruled(bent=True, gaps=False), 1e-3, 10.0)
    yield from _year("the same, S-shaped and off-or-minimum", _ruled(bent=True, gaps=True), 1e-3, 10.0)


def _ms(call: Callable[[], object]) -> float:
    began = time.perf_counter()
    call()
    return 1e3 * (time.perf_counter() - began)


def _beside_solvers(
    name: str, problem: Problem, repeats: int, *, at_least: float | None, raw: bool = True
) -> Iterator[Row]:
    """In raw CNY a grouped problem would take SLSQP minutes more, so that `raw` leaves it out."""
    ours, _ = interleaved(lambda: _ms(lambda: optimise(problem)), lambda: 0.0, repeats=5 * repeats)
    best = optimise(problem).value
    for peer, scaled in (("SLSQP, scaled", True), *([("SLSQP in CNY from the equal split", False)] if raw else [])):
        began = time.perf_counter()
        found = _slsqp(problem, scaled=scaled)
        theirs = 1e3 * (time.perf_counter() - began)
        yield times_faster(f"{name} : {peer}", ours, theirs, at_least=at_least, unit="ms")
        yield Row(name=f"{name}, value : {peer}", ours=best, peer=found, unit="outcomes", ratio=best / found,
                  bound=">= 1", kept=best >= found * (1 - 1e-6))  # fmt: skip


def _slsqp(problem: Problem, *, scaled: bool) -> float:
    """Solve from the equal split with exact slopes; return the value of what it ends with.

    Scaled: money in its mean spend, outcomes in their mean, and a tolerance that does not end it at the start.
    """
    n = len(problem.curves)
    unit = problem.lines[0].limit / n if scaled else 1.0
    size = problem.curves.value(problem.high).mean() if scaled else 1.0
    total = problem.lines[0].limit
    cons = [{"type": "eq", "fun": lambda x: (x.sum() * unit - total) / (total if scaled else 1.0),
             "jac": lambda x: np.full(n, unit / (total if scaled else 1.0))}]  # fmt: skip
    for line in problem.lines[1:]:
        sign = 1.0 if line.sense == ">=" else -1.0
        k = sign / (total if scaled else 1.0)
        cons.append({"type": "ineq", "fun": lambda x, k=k, line=line: k * (line.spend @ x * unit - line.limit),
                     "jac": lambda x, k=k, line=line: k * line.spend * unit})  # fmt: skip
    found = minimize(
        lambda x: -problem.value(x * unit) / size,
        np.full(n, total / n / unit),
        jac=lambda x: -problem.curves.slope(x * unit) * unit / size,
        bounds=list(zip(problem.low / unit, problem.high / unit, strict=True)),
        constraints=cons,
        method="SLSQP",
        options={"maxiter": 1000, "ftol": 1e-9 if scaled else 1e-6},
    )
    return problem.value(np.clip(found.x * unit, problem.low, problem.high))


def _bare_dual(problem: Problem) -> np.ndarray:
    """Halve on the one price of money for Michaelis-Menten curves; no checks, no bound."""
    amount, scale, high, total = problem.curves.amount, problem.curves.scale, problem.high, problem.lines[0].limit
    low_price, high_price = 1e-12, float((amount / scale).max())
    spend = high
    for _ in range(60):
        price = (low_price * high_price) ** 0.5
        spend = np.clip(np.sqrt(amount * scale / price) - scale, 0.0, high)
        low_price, high_price = (price, high_price) if spend.sum() > total else (low_price, price)
    return spend


def _concave(n: int) -> Problem:
    rng = np.random.default_rng(n)
    curves = Curves.of([("michaelis_menten", rng.uniform(500, 9_000), rng.uniform(5e4, 6e5)) for _ in range(n)])
    return Problem(curves, 0, 6e5, (Line("budget", "==", 1e5 * n, np.ones(n)),))


def _grouped() -> Problem:
    plain = _concave(LARGE)
    total = plain.lines[0].limit
    lines = list(plain.lines)
    for g in range(GROUPS):
        mine = (np.arange(LARGE) % GROUPS == g).astype(float)
        lines += [Line(f"{g}_min", ">=", 0.06 * total, mine), Line(f"{g}_max", "<=", 0.12 * total, mine)]
    return Problem(plain.curves, 2e3, 6e5, tuple(lines))


def _ruled(*, bent: bool, gaps: bool) -> Problem:
    """A year: category bands by quarter, total, cost cap, organic share, change limits, channels that open late."""
    rng, n = np.random.default_rng(3), MONTHS * CHANNELS
    amount, scale = rng.uniform(500, 9_000, CHANNELS), rng.uniform(5e4, 6e5, CHANNELS)
    season = 1 + 0.2 * np.sin(np.arange(MONTHS))
    shape = np.where(np.arange(CHANNELS) % 2 == 0, rng.uniform(1.5, 3.5, CHANNELS), 1.0) if bent else np.ones(CHANNELS)
    rows = [("hill", amount[c] * season[t], scale[c], shape[c]) for t in range(MONTHS) for c in range(CHANNELS)]
    shares = 0.5 * rng.dirichlet([4.5, 2.7, 1.75, 1.25], CHANNELS) + 0.5 * np.array([0.44, 0.27, 0.17, 0.12])
    month, channel = np.divmod(np.arange(n), CHANNELS)
    opens = np.where(np.arange(CHANNELS) > 15, 4, 0)
    high = np.where(month >= opens[channel], 1.5e6, 0.0)
    lines = [Line("budget", "<=", 2.4e7, np.ones(n))]
    for k, (low, top) in enumerate([(0.40, 0.50), (0.25, 0.30), (0.15, 0.20), (0.10, 0.15)]):
        for q in range(4):
            inside = (month // 3 == q).astype(float)
            lines.append(Line(f"min_{k}_{q}", ">=", 0.0, inside * (shares[channel, k] - low)))
            lines.append(Line(f"max_{k}_{q}", "<=", 0.0, inside * (shares[channel, k] - top)))
    lines.append(Line("cost_cap", "<=", 0.0, np.ones(n), np.full(n, -110.0)))
    lines.append(Line("organic", ">=", 0.0, None, (channel < 8) - 0.4))
    for c in range(CHANNELS):
        for q in range(1, 4):
            if opens[c] < 3 * q:
                step = (channel == c) * ((month // 3 == q) - 1.3 * (month // 3 == q - 1))
                lines.append(Line(f"change_{c}_{q}", "<=", 0.0 if opens[c] < 3 else 1e5, step))
    least = np.where((channel % 3 == 0) & (high > 0), 2e4, 0.0) if gaps else 0.0
    return Problem(Curves.of(rows), 0, high, tuple(lines), least_if_on=least)


def _year(name: str, problem: Problem, gap: float, seconds: float) -> Iterator[Row]:
    optimise(problem, gap_rel=gap)  # imports are paid once
    began = time.perf_counter()
    found = optimise(problem, gap_rel=gap)
    yield within(name, time.perf_counter() - began, at_most=seconds)
    yield Row(name=f"{name}, gap", ours=found.gap_rel * 1e6, unit="millionths", bound=f"<= {gap * 1e6:g}",
              kept=found.gap_rel <= gap)  # fmt: skip
