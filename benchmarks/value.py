"""A million customers: BG/NBD beside lifetimes on the same rows, and their RFM-S segments.

lifetimes is no dependency: PEERS_PYTHON names a Python that has it, in an environment of its own (`pip install
lifetimes "numpy<2" "pandas<2.2" "scipy<1.12"`); without it our time stands alone, and the row says so. Both fits run
on one core, so that processor time is taken, which other work on the machine disturbs least. The peer's parameters
are put into our likelihood, so that one function judges both.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from harness import Row, interleaved, scratch, times_faster, within

PEOPLE = 1_000_000
LEAST_TIMES_FASTER = 3.0
MOST_SECONDS_OF_SEGMENTS = 2.0
_DAYS = 728
_SAME = 1e-3  # of the log likelihood: what rounding of a sum over a million hides
_PEER = """
import json, sys, time, warnings
import numpy as np
from lifetimes import BetaGeoFitter
warnings.simplefilter("ignore")
rows = np.load(sys.argv[1])
began = time.process_time()
fit = BetaGeoFitter().fit(rows["x"], rows["last"], rows["age"])
print(json.dumps([time.process_time() - began, *(float(fit.params_[name]) for name in ("r", "alpha", "a", "b"))]))
"""


def measure(repeats: int, scale: float = 1.0) -> Iterator[Row]:
    """Yield the time of a fit and how much better it is, and the time of the segments.

    Args:
        repeats: measurements of each side.
        scale: share of the stated size.
    """
    from planlib.customers.lifetime import fit_bgnbd

    rng = np.random.default_rng(20260301)
    people = max(int(scale * PEOPLE), 1000)
    x, last, age = buyers(people, rng)
    name = f"BG/NBD of {people:,} customers, processor time"

    def ours() -> float:
        began = time.process_time()
        fit_bgnbd(x, last, age)
        return time.process_time() - began

    fit_bgnbd(x[:1000], last[:1000], age[:1000])  # imports what it needs; the peer's imports are not measured either
    with scratch() as folder:
        file = folder / "buyers.npz"
        np.savez(file, x=x, last=last, age=age)
        python = peer_python()
        if python is None:
            (mine,) = interleaved(ours, repeats=repeats)
            yield Row(name=f"{name} : lifetimes is not installed, set PEERS_PYTHON", ours=mine)
        else:
            mine, its = interleaved(ours, lambda: peer(python, file)[0], repeats=repeats)
            yield times_faster(f"{name} : lifetimes", mine, its, at_least=LEAST_TIMES_FASTER)
            better = advantage(x, last, age, peer(python, file)[1:])
            yield Row(
                name=f"BG/NBD of {people:,} customers, log likelihood above that of lifetimes", ours=better, unit="",
                bound=">= 0", kept=better >= -_SAME,
            )  # fmt: skip
    yield segments(x, last, age, rng, repeats)


def buyers(n: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return repeat purchases, days to the last one and days watched of n BG/NBD customers, in whole days."""
    rate, leave = rng.gamma(0.5, 1 / 42.0, n), rng.beta(0.8, 2.5, n)
    age = rng.integers(1, _DAYS + 1, n).astype(float)
    x, last, now, here = np.zeros(n), np.zeros(n), np.zeros(n), np.arange(n)
    while len(here):
        now[here] = np.floor(now[here] + rng.exponential(1 / rate[here])) + 1
        here = here[now[here] <= age[here]]
        x[here] += 1
        last[here] = now[here]
        here = here[rng.random(len(here)) >= leave[here]]
    return x, last, age


def peer_python() -> str | None:
    """Return a Python that can import lifetimes, or None."""
    python = os.environ.get("PEERS_PYTHON", sys.executable)
    done = subprocess.run([python, "-c", "import lifetimes"], capture_output=True, check=False)
    return python if done.returncode == 0 else None


def peer(python: str, file: Path) -> list[float]:
    """Return the processor time that lifetimes fits for, import and loading left out, and its r, alpha, a, b."""
    done = subprocess.run([python, "-c", _PEER, str(file)], capture_output=True, check=True, encoding="utf-8")
    return json.loads(done.stdout.splitlines()[-1])


def advantage(x: np.ndarray, last: np.ndarray, age: np.ndarray, params: list[float]) -> float:
    """Return by how much our log likelihood exceeds that of the given parameters."""
    from planlib.customers.lifetime import bgnbd_loglik, fit_bgnbd

    fit = fit_bgnbd(x, last, age)
    return fit.loglik - bgnbd_loglik(params, x, last, age)


def segments(x: np.ndarray, last: np.ndarray, age: np.ndarray, rng: np.random.Generator, repeats: int) -> Row:
    """Return the time in which cuts are proposed and customers put into RFM-S segments."""
    from planlib.customers.segments import propose_cuts, rfms

    money, social = np.round(rng.gamma(2.0, 60.0, len(x)) * (x + 1), 2), rng.poisson(0.3, len(x))
    figures = (age - last, x + 1, money, social)

    def timed() -> float:
        began = time.perf_counter()
        rfms(*figures, cuts=propose_cuts(*figures).cuts)
        return time.perf_counter() - began

    (mine,) = interleaved(timed, repeats=repeats)
    return within(f"RFM-S segments of {len(x):,} customers, cuts proposed", mine, at_most=MOST_SECONDS_OF_SEGMENTS)
