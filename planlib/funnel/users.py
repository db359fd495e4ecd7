"""How many users there are: stock and flow by month and channel, states, closed forms."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, inf, log1p

import numpy as np

from planlib.core.guards import Guard

APPLIED = ("before_adds", "after_adds")


@dataclass(frozen=True, slots=True)
class UserPath:
    """Users by draw and month; a point estimate has one draw.

    All people counts stand at the end of the month (stocks) or for the month (flows).
    `active`, `dormant`, `woken`, `lapsed` are None when stay and wake were not given.

    Attributes:
        opening_users: (D,) people before month 1.
        joined: (D, T) new people of the month, all channels.
        joined_by_channel: (1|D, T, C).
        churned: (D, T) people who left for good.
        users: (D, T) people at the end of the month.
        users_by_channel: (D, T, C) of those, people who joined since month 1.
        users_from_opening: (D, T) of those, people who were there before.
        active, dormant: (D, T) users by state; they sum to `users`.
        woken, lapsed: (D, T) dormant who became active, active who became dormant.
        residual: largest violation of conservation, relative to the largest stock.
    """

    opening_users: np.ndarray
    joined: np.ndarray
    joined_by_channel: np.ndarray
    churned: np.ndarray
    users: np.ndarray
    users_by_channel: np.ndarray
    users_from_opening: np.ndarray
    active: np.ndarray | None
    dormant: np.ndarray | None
    woken: np.ndarray | None
    lapsed: np.ndarray | None
    residual: float

    @property
    def active_share(self) -> np.ndarray | None:
        """(D, T) active users / users; NaN where there are no users."""
        if self.active is None:
            return None
        return np.divide(self.active, self.users, out=np.full(self.users.shape, np.nan), where=self.users > 0)


@dataclass(frozen=True, slots=True)
class Reach:
    """When a stock reaches a goal: first whole month and exact time, or why not."""

    reachable: bool
    month: int | None
    month_exact: float | None
    ceiling: float


def stage_calendar(
    months: int, opens: Sequence[int | None], closes: Sequence[int | None] | None = None
) -> np.ndarray:
    """Say which channel may take in users in which month.

    Args:
        months: T, length of the plan.
        opens: (C,) first month of each channel, counted from 1; None = from the start.
        closes: (C,) last month, included; None = to the end.

    Returns:
        (T, C) True where intake is allowed.

    >>> stage_calendar(3, [None, 2]).astype(int).tolist()
    [[1, 0], [1, 1], [1, 1]]
    """
    guard = Guard()
    horizon = guard.whole("months", months)
    if len(opens) == 0:
        guard.add("empty", "opens")
    if closes is not None and len(closes) != len(opens):
        guard.add("shape", "closes", f"{len(closes)} entries", expected=f"{len(opens)} entries, as in opens")
    first = [1 if m is None else guard.whole(f"opens[{c}]", m) for c, m in enumerate(opens)]
    ends = [None] * len(first) if closes is None else closes
    last = [horizon if m is None else guard.whole(f"closes[{c}]", m) for c, m in enumerate(ends)]
    for c, (a, b) in enumerate(zip(first, last, strict=False)):
        if closes is not None and closes[c] is not None and b < a:
            guard.add("low_above_high", f"closes[{c}]", b)
    guard.done()
    month = np.arange(1, horizon + 1)[:, None]
    return (month >= np.array(first)) & (month <= np.array(last))


def simulate_users(
    intake: object,
    *,
    churn: object,
    channel_churn: object = None,
    opening_users: object = 0.0,
    applied: str = "before_adds",
    stay: object = None,
    wake: object = None,
    opening_active_share: object = 1.0,
    open_months: np.ndarray | None = None,
    seasonality: object = None,
) -> UserPath:
    """Move users month by month through joining, going dormant, waking and leaving.

    With churn c and adds N, U' = (1 - c) U + N (`before_adds`: joiners of the month are
    not yet exposed to churn) or U' = (1 - c)(U + N) (`after_adds`). Of the active, a share
    `stay` is active again next month, c leaves, the rest goes dormant; of the dormant, a
    share `wake` becomes active, c leaves, the rest stays dormant. Joiners are active.

    Args:
        intake: (T, C) or (1|D, T, C) people a month who would join, >= 0.
        churn: monthly share that leaves; scalar, (D, 1), (1, T) or (D, T).
        channel_churn: (C,) or (1|D, C) the same for those who joined by each channel; then
            `churn` holds for the opening users alone. None = `churn` for everybody.
        opening_users: people before month 1; scalar or (D,).
        applied: `before_adds` or `after_adds`.
        stay, wake: monthly shares as above, shaped as churn; both or neither.
        opening_active_share: active share of the opening users; scalar or (D,).
        open_months: (T, C) True where the stage calendar allows intake.
        seasonality: (T,) or (T, C) factors >= 0 on the intake; 1 = no season.

    Returns:
        UserPath; its residual belongs into a computation check (<= 1e-9).

    Raises:
        InputError: shapes disagree, a value is negative, not finite or no share, the
            horizon is empty, or stay + churn or wake + churn exceeds 1.

    >>> path = simulate_users(np.full((6, 1), 50_000.0), churn=0.08)
    >>> round(float(path.users[0, -1]))
    246028
    """
    guard = Guard()
    adds = guard.numbers("intake", intake, low=0.0, ndim=(2, 3))
    adds = adds[None] if adds.ndim == 2 else adds
    months, channels = (adds.shape[1], adds.shape[2]) if adds.ndim == 3 else (1, 1)
    guard.choice("applied", applied, APPLIED)
    rates = {"churn": _rate(guard, "churn", churn, months)}
    own = _channel_churn(guard, channel_churn, channels)
    if (stay is None) != (wake is None):
        guard.add("missing", "wake" if wake is None else "stay")
    elif stay is not None:
        rates |= {"stay": _rate(guard, "stay", stay, months), "wake": _rate(guard, "wake", wake, months)}
    opening = guard.numbers("opening_users", opening_users, low=0.0, ndim=(0, 1))
    active_share = guard.share("opening_active_share", opening_active_share, ndim=(0, 1))
    adds = _calendar_and_season(guard, adds, open_months, seasonality)
    guard.done()
    draws = _common_draws(guard, {"intake": adds, "opening_users": np.atleast_1d(opening),
                                  "opening_active_share": np.atleast_1d(active_share), **rates,
                                  **({} if own is None else {"channel_churn": own})})
    highest = rates["churn"] if own is None else np.maximum(rates["churn"], own.max(axis=1, keepdims=True))
    for name in ("stay", "wake"):
        if name in rates and _exceeds_one(rates[name], highest):
            guard.add("out_of_range", name, float(rates[name].max()), low=0, high="1 - churn")
    guard.done()
    return _run(adds, np.broadcast_to(opening, (draws,)), np.broadcast_to(active_share, (draws,)), rates, own,
                after=applied == "after_adds", shape=(draws, months, channels))


def _rate(guard: Guard, field: str, value: object, months: int) -> np.ndarray:
    """Check a monthly rate and return it as (1|D, 1|T)."""
    rate = guard.share(field, value, ndim=(0, 2))
    rate = rate.reshape(1, 1) if rate.ndim == 0 else rate
    if rate.shape[-1] not in (1, months):
        guard.add("shape", field, f"shape {rate.shape}", expected=f"one number, (D, 1), (1, {months}) or (D, {months})")
    return rate


def _channel_churn(guard: Guard, value: object, channels: int) -> np.ndarray | None:
    """Check the churn by channel and return it as (1|D, C)."""
    if value is None:
        return None
    rate = guard.share("channel_churn", value, ndim=(1, 2))
    rate = np.atleast_2d(rate)
    if rate.shape[-1] != channels:
        guard.add("shape", "channel_churn", f"shape {rate.shape}", expected=f"({channels},) or (D, {channels})")
    return rate


def _calendar_and_season(
    guard: Guard, adds: np.ndarray, open_months: np.ndarray | None, seasonality: object
) -> np.ndarray:
    """Multiply the intake by the stage calendar and the season."""
    shape = adds.shape[1:]
    if open_months is not None:
        mask = np.asarray(open_months)
        if mask.dtype != bool or mask.shape != shape:
            guard.add("shape", "open_months", f"{mask.dtype} {mask.shape}", expected=f"true or false, shape {shape}")
        else:
            adds = adds * mask
    if seasonality is not None:
        factor = guard.numbers("seasonality", seasonality, low=0.0, ndim=(1, 2))
        factor = factor[:, None] if factor.ndim == 1 else factor
        if factor.shape not in (shape, (shape[0], 1)):
            guard.add("shape", "seasonality", f"shape {factor.shape}", expected=f"({shape[0]},) or {shape}")
        else:
            adds = adds * factor
    return adds


def _common_draws(guard: Guard, arrays: dict[str, np.ndarray]) -> int:
    """The number of draws that all arrays have, or have once."""
    draws = max(array.shape[0] for array in arrays.values())
    for name, array in arrays.items():
        if array.shape[0] not in (1, draws):
            guard.add("shape", name, f"{array.shape[0]} draws", expected=f"1 or {draws} draws")
    guard.done()
    return draws


def _exceeds_one(a: np.ndarray, b: np.ndarray) -> bool:
    """True when two shares of the same people sum to more than all of them anywhere."""
    if float(a.max()) + float(b.max()) <= 1 + 1e-12:
        return False
    return bool((a + b > 1 + 1e-12).any())


def _run(
    adds: np.ndarray,
    opening: np.ndarray,
    active_share: np.ndarray,
    rates: dict[str, np.ndarray],
    own: np.ndarray | None,
    *,
    after: bool,
    shape: tuple[int, int, int],
) -> UserPath:
    """The recursion. Month comes first in memory, so that each step runs over dense rows.

    States move in groups that share a churn rate: one of everybody, or with churn by channel the
    opening users and then each channel.
    """
    draws, months, channels = shape
    by_month = np.ascontiguousarray(adds.transpose(1, 2, 0))
    joined = np.ascontiguousarray(np.broadcast_to(by_month.sum(axis=1), (months, draws)))
    rate = {
        name: np.broadcast_to(np.ascontiguousarray(value.T), (months, value.shape[0]))
        for name, value in rates.items()
    }
    states = "stay" in rate
    old = np.empty((months, draws))
    channel_users = np.empty((months, channels, draws))
    churned = np.empty((months, draws))
    users = np.empty((months, draws))
    flows = tuple(np.empty((months, draws)) for _ in range(4)) if states else (None,) * 4
    before, channel_before = opening.astype(float), np.zeros((channels, draws))
    stock = before
    channel_keep = None if own is None else np.ascontiguousarray(1.0 - own.T)
    groups = _Groups(opening, active_share, channels if own is not None else 0)
    for t in range(months):
        churn = rate["churn"][t]
        keep = 1.0 - churn
        kept = keep if own is None else channel_keep
        exposed = channel_before + by_month[t] if after else channel_before
        if own is None:
            np.multiply(stock + joined[t] if after else stock, churn, out=churned[t])
        else:
            np.add(before * churn, (exposed * (1.0 - kept)).sum(axis=0), out=churned[t])
        np.multiply(before, keep, out=old[t])
        np.multiply(exposed, kept, out=channel_users[t])
        if not after:
            channel_users[t] += by_month[t]
        np.add(old[t], channel_users[t].sum(axis=0), out=users[t])
        before, channel_before, stock = old[t], channel_users[t], users[t]
        if states:
            fresh = joined[t] if own is None else by_month[t]
            groups.step(fresh, keep, channel_keep, rate["stay"][t], rate["wake"][t], after, [f[t] for f in flows])
    active, dormant, woken, lapsed = flows
    return UserPath(
        opening_users=opening,
        joined=joined.T,
        joined_by_channel=adds,
        churned=churned.T,
        users=users.T,
        users_by_channel=channel_users.transpose(2, 0, 1),
        users_from_opening=old.T,
        active=active.T if states else None,
        dormant=dormant.T if states else None,
        woken=woken.T if states else None,
        lapsed=lapsed.T if states else None,
        residual=_residual(opening, joined, churned, users, active, dormant),
    )


class _Groups:
    """Active and dormant people of the groups that share a churn rate; row 0 is the opening users, or everybody."""

    def __init__(self, opening: np.ndarray, active_share: np.ndarray, channels: int):
        self.awake = opening * active_share
        self.asleep = opening - self.awake
        self.channels = channels
        if channels:
            later = np.zeros((channels, len(opening)))
            self.awake, self.asleep = (np.vstack([state, later]) for state in (self.awake, self.asleep))

    def step(
        self, fresh: np.ndarray, keep: np.ndarray, channel_keep: np.ndarray | None, stay: np.ndarray,
        wake: np.ndarray, after: bool, out: Sequence[np.ndarray],
    ) -> None:  # fmt: skip
        """Move one month on and write active, dormant, woken and lapsed people of all groups, (D,) each, to `out`."""
        grouped = self.channels > 0
        if grouped:
            draws = self.awake.shape[1]
            by_channel = (self.channels, draws)
            keep = np.vstack([np.broadcast_to(keep, (draws,)), np.broadcast_to(channel_keep, by_channel)])
            fresh = np.vstack([np.zeros(draws), np.broadcast_to(fresh, by_channel)])
        active, dormant, woken, lapsed = [np.empty(self.awake.shape) for _ in out] if grouped else out
        awake = self.awake + fresh if after else self.awake
        np.multiply(self.asleep, wake, out=woken)
        np.multiply(awake, keep - stay, out=lapsed)
        np.multiply(awake, stay, out=active)
        active += woken
        if not after:
            active += fresh
        np.multiply(self.asleep, keep, out=dormant)
        dormant += lapsed - woken
        self.awake, self.asleep = active, dormant
        if grouped:
            for total, part in zip(out, (active, dormant, woken, lapsed), strict=True):
                np.sum(part, axis=0, out=total)


def _residual(
    opening: np.ndarray,
    joined: np.ndarray,
    churned: np.ndarray,
    users: np.ndarray,
    active: np.ndarray | None,
    dormant: np.ndarray | None,
) -> float:
    """Largest of |opening + joined - left - users| and |active + dormant - users|, relative."""
    balance = opening.copy()
    worst = 0.0
    for t in range(len(users)):
        balance += joined[t]
        balance -= churned[t]
        worst = max(worst, float(np.abs(balance - users[t]).max()))
        if active is not None:
            worst = max(worst, float(np.abs(active[t] + dormant[t] - users[t]).max()))
    scale = max(float(users.max()), float(opening.max()), 1.0)
    return worst / scale


def stock_at(
    month: int, *, adds: object, churn: object, opening_users: object = 0.0, applied: str = "before_adds"
) -> float | np.ndarray:
    """Return the users at the end of a month under constant adds and churn, in closed form.

    Args:
        month: whole months after the opening, >= 0.
        adds: people a month, >= 0; number or array.
        churn: monthly share; number or array.
        opening_users: people at the start; number or array.
        applied: as in `simulate_users`.

    >>> round(stock_at(12, adds=50_000, churn=0.08))
    395209
    """
    guard = Guard()
    m = guard.whole("month", month, low=0)
    n = guard.numbers("adds", adds, low=0.0)
    c = guard.share("churn", churn)
    u = guard.numbers("opening_users", opening_users, low=0.0)
    guard.choice("applied", applied, APPLIED)
    guard.done()
    stock = u * (1.0 - c) ** m + n * _adds_weight(m, c, applied)
    return float(stock) if np.ndim(stock) == 0 else stock


def stock_ceiling(*, adds: object, churn: object, applied: str = "before_adds") -> float | np.ndarray:
    """Return the stock that constant adds never pass; infinite without churn.

    >>> stock_ceiling(adds=50_000, churn=0.08)
    625000.0
    """
    guard = Guard()
    n = guard.numbers("adds", adds, low=0.0)
    c = guard.share("churn", churn)
    guard.choice("applied", applied, APPLIED)
    guard.done()
    kept = 1.0 - c if applied == "after_adds" else np.ones_like(c)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        limit = np.where(c > 0, n * kept / c, np.where(n > 0, inf, 0.0))
    return float(limit) if limit.ndim == 0 else limit


def required_adds(
    goal: float,
    month: int,
    *,
    churn: float,
    opening_users: float = 0.0,
    applied: str = "before_adds",
    open_months: Sequence[bool] | None = None,
) -> float:
    """Return the constant intake, in each open month, that brings the stock to a goal.

    Args:
        goal: users at the end of `month`, >= 0.
        month: whole month, >= 1.
        churn: monthly share.
        opening_users: people before month 1.
        applied: as in `simulate_users`.
        open_months: (month,) or longer, True where intake is allowed; None = always.

    Returns:
        People a month; 0 when the opening users alone are enough.

    Raises:
        InputError: a value is out of range, or intake that could still count is never open.

    >>> round(required_adds(1_000_000, 6, churn=0.08))
    203229
    >>> round(required_adds(1_000_000, 6, churn=0.0, open_months=[False] * 4 + [True] * 2))
    500000
    """
    guard = Guard()
    target = guard.number("goal", goal, low=0.0)
    m = guard.whole("month", month)
    c = guard.number("churn", churn, low=0.0, high=1.0)
    u = guard.number("opening_users", opening_users, low=0.0)
    guard.choice("applied", applied, APPLIED)
    mask = np.ones(m, dtype=bool) if open_months is None else np.asarray(open_months)
    if mask.dtype != bool or mask.ndim != 1 or mask.size < m:
        guard.add("shape", "open_months", f"{mask.dtype} {mask.shape}", expected=f"true or false for months 1 to {m}")
    guard.done()
    age = np.arange(m - 1, -1, -1) + (applied == "after_adds")
    weight = float((mask[:m] * (1.0 - c) ** age).sum())
    missing = target - u * (1.0 - c) ** m
    if missing <= 0:
        return 0.0
    if weight == 0:
        guard.add("no_open_month", "open_months", month=m)
        guard.done()
    return missing / weight


def required_opening(
    goal: float, month: int, *, adds: float, churn: float, applied: str = "before_adds"
) -> float | None:
    """Return the opening users that reach a goal at a month; None when churn leaves nothing of them.

    >>> round(required_opening(1_000_000, 6, adds=50_000, churn=0.08))
    1243450
    """
    guard = Guard()
    target = guard.number("goal", goal, low=0.0)
    guard.done()
    missing = target - stock_at(month, adds=adds, churn=churn, applied=applied)
    if missing <= 0:
        return 0.0
    kept = (1.0 - churn) ** month
    return missing / kept if kept > 0 else None


def highest_churn(
    goal: float, month: int, *, adds: float, opening_users: float = 0.0, applied: str = "before_adds"
) -> float | None:
    """Return the largest monthly churn under which a goal is still reached; None if not even without churn.

    >>> highest_churn(1_000_000, 6, adds=50_000) is None
    True
    >>> round(highest_churn(250_000, 6, adds=50_000), 4)
    0.0735
    """
    guard = Guard()
    target = guard.number("goal", goal, above=0.0)
    guard.done()

    def stock(c: float) -> float:
        return stock_at(month, adds=adds, churn=c, opening_users=opening_users, applied=applied)

    if stock(0.0) < target:
        return None
    if stock(1.0) >= target:
        return 1.0
    low, high = 0.0, 1.0
    while (middle := (low + high) / 2) not in (low, high):
        low, high = (middle, high) if stock(middle) >= target else (low, middle)
    return low


def month_reached(
    goal: float, *, adds: float, churn: float, opening_users: float = 0.0, applied: str = "before_adds"
) -> Reach:
    """Return the first month in which constant adds bring the stock to a goal.

    Returns:
        Reach; month 0 when the opening users are enough. `reachable` is False when the stock
        stays below the goal for ever, and `ceiling` says where it ends. month_exact solves
        the closed form for the month.

    >>> month_reached(1_000_000, adds=50_000, churn=0.08).reachable
    False
    >>> month_reached(1_000_000, adds=50_000, churn=0.0).month
    20
    """
    guard = Guard()
    target = guard.number("goal", goal, low=0.0)
    n = guard.number("adds", adds, low=0.0)
    c = guard.number("churn", churn, low=0.0, high=1.0)
    u = guard.number("opening_users", opening_users, low=0.0)
    guard.done()
    limit = stock_ceiling(adds=n, churn=c, applied=applied)
    ceiling = max(u, limit)
    if u >= target:
        return Reach(True, 0, 0.0, ceiling)
    if limit < target or (limit == target and c < 1):
        return Reach(False, None, None, ceiling)
    if c == 0:
        exact = (target - u) / n
    elif c == 1:
        exact = 1.0
    else:
        arriving = n * (1.0 - c) if applied == "after_adds" else n
        exact = log1p(-c * (target - u) / (arriving - c * u)) / log1p(-c)
    return Reach(True, max(ceil(exact - 1e-9), 1), exact, ceiling)


def stationary_active_share(
    *, stay: object, wake: object, churn: object = 0.0, applied: str = "before_adds"
) -> float | np.ndarray:
    """Return the active share of users in the steady state, with active joiners replacing those who leave.

    With churn 0 nobody joins and nobody leaves: wake / (wake + 1 - stay).

    >>> round(stationary_active_share(stay=0.40, wake=0.30), 4)
    0.3333
    >>> round(stationary_active_share(stay=0.40, wake=0.30, churn=0.08), 4)
    0.4222
    """
    guard = Guard()
    s, w, c = guard.share("stay", stay), guard.share("wake", wake), guard.share("churn", churn)
    guard.choice("applied", applied, APPLIED)
    for name, rate in (("stay", s), ("wake", w)):
        if np.any(rate + c > 1 + 1e-12):
            guard.add("out_of_range", name, float(rate.max()), low=0, high="1 - churn")
    if applied == "after_adds" and np.any(c >= 1):
        guard.add("below", "churn", float(c.max()), low=0, high=1)
    guard.done()
    joiners = s * c / (1.0 - c) if applied == "after_adds" else c
    with np.errstate(divide="ignore", invalid="ignore"):
        share = (w + joiners) / (1.0 - s + w)
    if np.any(~np.isfinite(share)):
        guard.add("below", "stay", 1.0, low=0, high="1 when nobody wakes")
        guard.done()
    return float(share) if np.ndim(share) == 0 else share


def wake_for_active_share(
    share: float, *, stay: float, churn: float = 0.0, applied: str = "before_adds"
) -> float:
    """Return the monthly waking share that a steady active share needs.

    The answer may be negative (no waking is needed) or above 1 - churn (no waking is
    enough); the caller says so.

    >>> round(wake_for_active_share(0.5, stay=0.4, churn=0.08), 2)
    0.44
    """
    guard = Guard()
    goal = guard.number("share", share, low=0.0, below=1.0)
    s = guard.number("stay", stay, low=0.0, high=1.0)
    c = guard.number("churn", churn, low=0.0, below=1.0)
    guard.choice("applied", applied, APPLIED)
    guard.done()
    joiners = s * c / (1.0 - c) if applied == "after_adds" else c
    return (goal * (1.0 - s) - joiners) / (1.0 - goal)


def stationary(transition: object) -> np.ndarray:
    """Return the stationary distribution pi = pi P of a chain.

    Args:
        transition: (S, S) shares, rows sum to 1.

    Raises:
        InputError: a row does not sum to 1, or more than one distribution is stationary.

    >>> stationary([[0.9, 0.1], [0.3, 0.7]])
    array([0.75, 0.25])
    """
    guard = Guard()
    matrix = guard.share("transition", transition, ndim=(2,))
    if matrix.shape[0] != matrix.shape[1]:
        guard.add("shape", "transition", f"shape {matrix.shape}", expected="a square matrix")
    elif np.any(np.abs(matrix.sum(axis=1) - 1) > 1e-9):
        guard.add("sums_to_one", "transition", matrix.sum(axis=1).tolist())
    guard.done()
    size = len(matrix)
    system = np.vstack([matrix.T - np.eye(size), np.ones(size)])
    share, _, rank, _ = np.linalg.lstsq(system, np.append(np.zeros(size), 1.0), rcond=None)
    if rank < size:
        guard.add("not_unique", "transition")
        guard.done()
    return share


def cohort_users(joined: object, survival: object) -> np.ndarray:
    """Return the people of all monthly cohorts who are still there (or active).

    Args:
        joined: (T,) or (D, T) people who join in each month.
        survival: (K,) share of a cohort after k months; entry 0 is the month of joining.
            Months beyond K count as nobody.

    Returns:
        (D, T), or (T,) for one path: sum over k of joined[t - k] survival[k].

    >>> cohort_users([100.0, 100.0, 0.0], [1.0, 0.4, 0.3])
    array([100., 140.,  70.])
    """
    guard = Guard()
    adds = guard.numbers("joined", joined, low=0.0, ndim=(1, 2))
    kept = guard.share("survival", survival, ndim=(1,))
    guard.done()
    return lagged(adds, kept)


def lagged(flow: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Spread a monthly flow (..., T) over this and later months with weights (K,).

    Month by month, so that each sum stays in the processor's cache; paths lie month first in memory.
    """
    out = np.zeros_like(flow)
    steps = [(k, float(weight)) for k, weight in enumerate(weights) if weight]
    for t in range(flow.shape[-1]):
        month = out[..., t]
        for k, weight in steps:
            if k > t:
                break
            month += flow[..., t - k] if weight == 1.0 else weight * flow[..., t - k]
    return out


def referred_users(joined: object, k: object, *, cycle_months: object = 1) -> np.ndarray:
    """Return the people whom joiners bring, and those whom these bring, month by month.

    Args:
        joined: (T,) or (D, T) people who join without referral.
        k: people brought by each after one cycle, 0 <= k < 1; a number, or (D,).
        cycle_months: whole months from joining to the friend's joining, >= 1; a number, or (D,).

    Returns:
        Same shape, (D, T) where anything has draws; add it to the intake as a channel of its own.

    >>> referred_users([1000.0, 0.0, 0.0], 0.4)
    array([  0., 400., 160.])
    """
    guard = Guard()
    adds = guard.numbers("joined", joined, low=0.0, ndim=(1, 2))
    factor = guard.numbers("k", k, low=0.0, below=1.0, ndim=(0, 1))
    lag = guard.numbers("cycle_months", cycle_months, low=1.0, ndim=(0, 1))
    if np.any(lag != np.floor(lag)):
        guard.add("not_whole", "cycle_months", cycle_months)
    guard.done()
    by_draw = {"joined": np.atleast_2d(adds), "k": np.atleast_1d(factor), "cycle_months": np.atleast_1d(lag)}
    draws = _common_draws(guard, by_draw)
    if factor.ndim == lag.ndim == 0:
        return _referred(adds, factor, int(lag))
    adds = np.broadcast_to(adds, (draws, adds.shape[-1]))
    factor, lag = (np.broadcast_to(value, (draws,)) for value in (factor, lag))
    brought = np.empty(adds.shape)
    for months in np.unique(lag):
        rows = lag == months
        brought[rows] = _referred(adds[rows], factor[rows], int(months))
    return brought


def _referred(adds: np.ndarray, factor: np.ndarray, lag: int) -> np.ndarray:
    brought = np.zeros(adds.shape)
    for t in range(lag, adds.shape[-1]):
        brought[..., t] = factor * (adds[..., t - lag] + brought[..., t - lag])
    return brought


def _adds_weight(month: int, churn: np.ndarray, applied: str) -> np.ndarray:
    """Stock that one person a month builds up in `month` months."""
    if month == 0:
        return np.zeros(churn.shape)
    with np.errstate(divide="ignore", invalid="ignore"):
        weight = np.where(churn > 0, -np.expm1(month * _log_kept(churn)) / churn, float(month))
    return weight * (1.0 - churn) if applied == "after_adds" else weight


def _log_kept(lost: np.ndarray) -> np.ndarray:
    """ln(1 - lost), -inf where all are lost."""
    with np.errstate(divide="ignore"):
        return np.log1p(-lost)
