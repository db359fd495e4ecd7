"""100,000 paths of the whole funnel beside a bare numpy loop of the same recursion: same draws, same outputs."""

from __future__ import annotations

import time
from collections.abc import Iterator

import numpy as np
from harness import Row, interleaved, times_as_long

PATHS, MONTHS, CHANNELS = 100_000, 24, 6
REPEAT_MONTHS, WINDOW = 12, 12
AT_MOST = 2


def draws() -> dict[str, np.ndarray]:
    """Return what both run on: intake (D, T, C) and drivers (D,)."""
    rng = np.random.default_rng(20261125)
    level = rng.uniform(5_000.0, 9_000.0, (PATHS, 1, CHANNELS))
    return {
        "intake": np.ascontiguousarray(np.broadcast_to(level, (PATHS, MONTHS, CHANNELS))),
        "churn": rng.uniform(0.05, 0.10, PATHS),
        "stay": rng.uniform(0.35, 0.45, PATHS),
        "wake": rng.uniform(0.25, 0.35, PATHS),
        "opening_users": rng.uniform(0.0, 1e5, PATHS),
        "opening_active_share": rng.uniform(0.2, 0.4, PATHS),
        "conversion": rng.uniform(0.10, 0.14, PATHS),
        "repeat_rate": rng.uniform(0.30, 0.40, PATHS),
        "repeat_orders": rng.uniform(1.5, 2.5, PATHS),
        "aov_cny": rng.uniform(150.0, 250.0, PATHS),
        "company_gmv_cny": rng.uniform(1.5e7, 2e7, PATHS),
    }


def bare(given: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Run the recursion month by month over dense rows, unchecked, cohorts by channel kept; metrics (T, D)."""
    churn, stay, wake = given["churn"], given["stay"], given["wake"]
    names = ("private_domain_users", "active_users", "dormant_users", "mau_rate", "dormant_share", "churned_users",
             "woken_users", "newly_dormant_users", "net_user_growth_monthly", "new_buyers", "repeat_buyers", "buyers",
             "buyers_to_date", "orders", "gmv", "gmv_new", "gmv_repeat", "new_customer_share", "gmv_share")  # fmt: skip
    out = {name: np.empty((MONTHS, PATHS)) for name in names}
    channel, cohorts = np.zeros((CHANNELS, PATHS)), np.empty((MONTHS, CHANNELS, PATHS))
    old = given["opening_users"].copy()
    active = old * given["opening_active_share"]
    dormant = old - active
    by_month = np.ascontiguousarray(given["intake"].transpose(1, 2, 0))
    keep, bought = 1.0 - churn, 0.0
    for t in range(MONTHS):
        joined = by_month[t].sum(axis=0)
        before = old + channel.sum(axis=0)
        out["churned_users"][t] = before * churn
        channel = channel * keep + by_month[t]
        cohorts[t] = channel
        old = old * keep
        users = old + channel.sum(axis=0)
        woken, lapsed = dormant * wake, active * (keep - stay)
        active, dormant = active * stay + woken + joined, dormant * keep + lapsed - woken
        out["private_domain_users"][t], out["active_users"][t], out["dormant_users"][t] = users, active, dormant
        out["woken_users"][t], out["newly_dormant_users"][t] = woken, lapsed
        out["mau_rate"][t] = active / users
        out["dormant_share"][t] = 1.0 - out["mau_rate"][t]
        out["net_user_growth_monthly"][t] = joined - out["churned_users"][t]
        new = joined * given["conversion"]
        out["new_buyers"][t] = new
        bought = bought + new
        out["buyers_to_date"][t] = bought
        past = out["new_buyers"][max(t - REPEAT_MONTHS, 0) : t].sum(axis=0) / REPEAT_MONTHS * given["repeat_rate"]
        out["repeat_buyers"][t], out["buyers"][t] = past, new + past
        again = past * given["repeat_orders"]
        out["orders"][t] = new + again
        out["gmv_new"][t], out["gmv_repeat"][t] = new * given["aov_cny"], again * given["aov_cny"]
        out["gmv"][t] = out["gmv_new"][t] + out["gmv_repeat"][t]
        span = slice(max(t - WINDOW + 1, 0), t + 1)
        total = out["gmv"][span].sum(axis=0)
        out["new_customer_share"][t] = out["gmv_new"][span].sum(axis=0) / total
        out["gmv_share"][t] = total / (given["company_gmv_cny"] * (span.stop - span.start))
    return out


def measure(repeats: int) -> Iterator[Row]:
    """Yield the one row; both are run once before, and their metrics are compared."""
    from planlib.funnel.model import Drivers, run

    given = draws()
    drivers = Drivers(**given)
    ours, peer = run(drivers).metrics, bare(given)
    for name, path in peer.items():
        if not np.allclose(ours[name], path.T, rtol=1e-9):
            raise SystemExit(f"the two funnels disagree on {name}")
    del ours, peer

    def seconds(job) -> float:
        began = time.perf_counter()
        job()
        return time.perf_counter() - began

    mine, bare_loop = interleaved(lambda: seconds(lambda: run(drivers)), lambda: seconds(lambda: bare(given)),
                                  repeats=2 * repeats + 1)  # fmt: skip
    name = f"{PATHS:,} paths x {MONTHS} months of the funnel : bare numpy loop"
    yield times_as_long(name, mine, bare_loop, at_most=AT_MOST)
