"""One simulation of everything: gates hold back intake and rates, money limits what is bought, tests lift rates.

D paths, T months, C channels. A path is one draw of every uncertain figure: the days of all tasks, what the funnel
runs on, what channels cost, what the tests find. Times are in months since the plan's start: 4.0 is the end of month 4.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from planlib.budget.curves import Curves
from planlib.core.guards import Guard
from planlib.funnel.model import Drivers, Outcome, by_draw, run

RATES = ("conversion", "repeat_rate", "stay", "wake", "aov_cny")  # of Drivers: what may wait or be lifted


@dataclass(frozen=True, slots=True)
class Delay:
    """What is held back while a gate is late.

    Attributes:
        gate: id.
        due: months since the start until which the plan expects it, e.g. 4.0 for the end of month 4.
        loss: share lost for each month of lateness, 1: all of it waits.
        channel: place of a channel whose intake waits; None for a rate.
        rate: one of RATES; None for a channel.
    """

    gate: str
    due: float
    loss: float
    channel: int | None = None
    rate: str | None = None


@dataclass(frozen=True, slots=True)
class Bought:
    """A channel that costs money.

    Attributes:
        channel: place among the channels.
        cost_cny: number or (D,), CNY for a new user at the intake of the plan.
        curve: (kind, amount, scale, shape) of its response to CNY a month, as `Curves.of`; None: cost never rises.
        planned_cny: CNY a month at which the curve brings the intake of the plan.
        most_cny: limit of its spend a month.
    """

    channel: int
    cost_cny: Any
    curve: tuple | None = None
    planned_cny: float = 0.0
    most_cny: float = np.inf


@dataclass(frozen=True, slots=True, kw_only=True)
class Buying:
    """Money for channels.

    Attributes:
        channels: those that cost money.
        money_cny: (T,) there is for them each month; None: no limit.
        most: largest spend over what the plan's intake needs: 1 buys that and no more, above it money left over
            buys more along the curves; infinite: all money is spent.
    """

    channels: tuple[Bought, ...]
    money_cny: Any = None
    most: float = 1.0


@dataclass(frozen=True, slots=True)
class Lift:
    """A change of a rate that a test may bring.

    Attributes:
        id: of the test.
        rate: one of RATES.
        effect: number or (D,), relative; 0 where the change is not made.
        begins: months since the start when it begins to act.
        months: how long it counts.
    """

    id: str
    rate: str
    effect: Any
    begins: float
    months: float = 12.0


@dataclass(frozen=True, eq=False)
class Joint:
    """What came of it.

    Attributes:
        drivers: what the funnel ran on.
        outcome: users, sales and metrics of it.
        dates: {gate: (D,)} months since the start.
        late: {gate: (D, T)} share of each month in which it is overdue.
        funded: (1|D, T) money over what the intake needs, at most `Buying.most`; 1 without limit.
        spend_cny: (1|D, T) for channels.
        residual: largest relative violation of conservation: people, orders, and money beyond what there is.
    """

    drivers: Drivers
    outcome: Outcome
    dates: Mapping[str, np.ndarray]
    late: Mapping[str, np.ndarray]
    funded: np.ndarray
    spend_cny: np.ndarray
    residual: float

    @property
    def metrics(self) -> Mapping[str, np.ndarray]:
        """{metric id: (1|D, T)}."""
        return self.outcome.metrics


def overdue(dates: object, due: float, months: int) -> np.ndarray:
    """Return (D, T) the share of each month after `due` in which something is not there yet.

    Args:
        dates: (D,) months since the start when it comes; infinite: never.
        due: months since the start until which the plan does without it.
        months: T.

    >>> overdue([5.25, 3.0], 4.0, 6).tolist()
    [[0.0, 0.0, 0.0, 0.0, 1.0, 0.25], [0.0, 0.0, 0.0, 0.0, 0.0, 0.0]]
    """
    guard = Guard()
    limit = guard.number("due", due, low=0.0)
    horizon = guard.whole("months", months)
    came = np.asarray(dates, dtype=float)
    if came.ndim != 1:
        guard.add("shape", "dates", f"shape {came.shape}", expected="(D,)")
    elif np.isnan(came).any():
        guard.add("not_finite", "dates", float("nan"))
    guard.done()
    begins = np.maximum(np.arange(horizon), limit)  # a month counts from its own start or from the due time on
    ends = np.arange(1.0, horizon + 1)
    return np.clip(np.minimum(came[:, None], ends) - begins, 0.0, 1.0)


def held_back(late: Mapping[str, np.ndarray], delays: Sequence[Delay]) -> np.ndarray | float:
    """Return (D, T) what is left under several gates: the product of 1 - loss * share overdue; 1.0 without any."""
    left: np.ndarray | float = 1.0
    for delay in delays:
        left = left * (1.0 - delay.loss * late[delay.gate])
    return left


def simulate(
    drivers: Drivers,
    *,
    dates: Mapping[str, object] | None = None,
    delays: Sequence[Delay] = (),
    buying: Buying | None = None,
    lifts: Sequence[Lift] = (),
) -> Joint:
    """Run everything together.

    N_t = N_t (plan) * prod_g (1 - loss_g * clip(D_g - t, 0, 1)) for the months after each gate is due, D_g its date;
    then money buys as much of the paid intake as it can, all channels alike; rates that wait for gates are held back in
    the same way and those that tests lift are multiplied by 1 + effect.

    Args:
        drivers: of the funnel, risks that strike included.
        dates: {gate: (D,)} months since the start; needed for each gate of `delays`.
        delays: what waits for which gate.
        buying: what channels cost and how much money there is; None: money is no limit and nothing is spent.
        lifts: what tests bring.

    Raises:
        InputError: as `planlib.funnel.model.run`; an unknown gate, channel or rate, a loss outside 0..1, negative
            money, or numbers of draws that do not fit together.

    >>> plan = Drivers(intake=np.full((6, 1), 100.0), churn=0.0, stay=1.0, wake=0.0, conversion=0.1, aov_cny=10.0,
    ...                company_gmv_cny=1e6)
    >>> late = simulate(plan, dates={"g": [3.5]}, delays=[Delay("g", 2.0, 1.0, channel=0)])
    >>> late.outcome.intake[0, :, 0].tolist()
    [100.0, 100.0, 0.0, 50.0, 100.0, 100.0]
    """
    guard = Guard()
    intake = guard.numbers("intake", drivers.intake, low=0.0, ndim=(2, 3))
    known = {name: np.asarray(day, dtype=float) for name, day in (dates or {}).items()}
    _check(guard, intake.shape[-2:], known, delays, buying, lifts)
    guard.done()
    months = intake.shape[-2]
    due = {(delay.gate, delay.due) for delay in delays}
    at = {key: overdue(known[key[0]], key[1], months) for key in due}
    late = {gate: at[gate, when] for gate, when in sorted(due)}
    planned = intake if intake.ndim == 3 else intake[None]
    open_share = {}
    for channel in sorted({d.channel for d in delays if d.channel is not None}):
        mine = [d for d in delays if d.channel == channel]
        open_share[channel] = held_back({d.gate: at[d.gate, d.due] for d in mine}, mine)
    got, funded, spend = _buy(planned, open_share, buying)
    rates = {}
    for rate in RATES:
        mine = [d for d in delays if d.rate == rate]
        factor = held_back({d.gate: at[d.gate, d.due] for d in mine}, mine)
        for lift in (one for one in lifts if one.rate == rate):
            factor = factor * (1.0 + np.reshape(lift.effect, (-1, 1)) * _acts(lift, months))
        if np.ndim(factor):
            rates[rate] = _lifted(drivers, rate, factor)
    used = replace(drivers, intake=got, **rates)
    outcome = run(used)
    return Joint(used, outcome, known, late, funded, spend, max(outcome.residual, _beyond(spend, buying)))


def _check(
    guard: Guard, shape: tuple[int, ...], dates: Mapping[str, np.ndarray], delays: Sequence[Delay],
    buying: Buying | None, lifts: Sequence[Lift],
) -> None:  # fmt: skip
    months, channels = shape
    for k, delay in enumerate(delays):
        if delay.gate not in dates:
            guard.add("unknown_ref", f"delays[{k}].gate", delay.gate, choice=", ".join(dates))
        guard.number(f"delays[{k}].loss", delay.loss, low=0.0, high=1.0)
        if (delay.channel is None) == (delay.rate is None):
            guard.add("missing", f"delays[{k}].channel")
        elif delay.rate is not None:
            guard.choice(f"delays[{k}].rate", delay.rate, RATES)
        else:
            guard.whole(f"delays[{k}].channel", delay.channel, low=0, high=channels - 1)
    for k, lift in enumerate(lifts):
        guard.choice(f"lifts[{k}].rate", lift.rate, RATES)
        guard.numbers(f"lifts[{k}].effect", lift.effect, low=-1.0, ndim=(0, 1))
        guard.number(f"lifts[{k}].begins", lift.begins, low=0.0)
        guard.number(f"lifts[{k}].months", lift.months, above=0.0)
    for k, one in enumerate(buying.channels if buying else ()):
        guard.whole(f"buying.channels[{k}].channel", one.channel, low=0, high=channels - 1)
        guard.numbers(f"buying.channels[{k}].cost_cny", one.cost_cny, low=0.0, ndim=(0, 1))
        if one.curve is not None:
            guard.number(f"buying.channels[{k}].planned_cny", one.planned_cny, above=0.0)
    if buying and buying.money_cny is not None:
        money = guard.numbers("buying.money_cny", buying.money_cny, low=0.0, ndim=(1,))
        if money.shape != (months,):
            guard.add("shape", "buying.money_cny", f"shape {money.shape}", expected=f"({months},)")
    if buying and (buying.money_cny is None or buying.most != np.inf):
        guard.number("buying.most", buying.most, above=0.0)


def _buy(
    planned: np.ndarray, open_share: Mapping[int, np.ndarray], buying: Buying | None
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return intake (1|D, T, C), money over need (1|D, T) and spend (1|D, T).

    Args:
        planned: (1|D, T, C) intake without gates.
        open_share: {channel: (D, T) share of its intake that gates let through}.
    """
    months = planned.shape[1]
    bought = buying.channels if buying else ()
    factor: dict[int, Any] = dict(open_share)
    need = [
        planned[:, :, one.channel] * factor.get(one.channel, 1.0) * by_draw(np.asarray(one.cost_cny, dtype=float))
        for one in bought
    ]
    funded, spend = np.ones((1, months)), np.zeros((1, months))
    if bought:
        funded = np.full((1, months), float(buying.most))
        if buying.money_cny is not None:
            total = sum(need[1:], start=need[0])
            money = np.broadcast_to(np.asarray(buying.money_cny, dtype=float), total.shape)
            funded = np.minimum(np.divide(money, total, out=np.ones(total.shape), where=total > 0), buying.most)
    for one, asked in zip(bought, need, strict=True):
        share = funded
        if np.isfinite(one.most_cny) and buying.most > 1:  # a limit cuts what is bought beyond the plan, not the plan
            most = np.divide(one.most_cny, asked, out=np.full(asked.shape, np.inf), where=asked > 0)
            share = np.minimum(funded, np.maximum(most, 1.0))
        factor[one.channel] = factor.get(one.channel, 1.0) * _brings(one, share)
        spend = spend + asked * share
    if all(np.all(np.equal(share, 1.0)) for share in factor.values()):
        return planned, funded, spend
    draws = max(len(planned), *(len(share) for share in factor.values()))
    found = np.array(np.broadcast_to(planned, (draws, *planned.shape[1:])))
    for channel, share in factor.items():
        found[:, :, channel] *= share
    return found, funded, spend


def _brings(one: Bought, share: np.ndarray) -> np.ndarray:
    """Return the intake over the plan's at a share of the planned spend."""
    if one.curve is None or np.all(share == 1.0):
        return share
    curve = Curves.of([one.curve])
    full = curve.value(np.array([one.planned_cny]))[0]
    return curve.value(share[..., None] * one.planned_cny)[..., 0] / full


def _acts(lift: Lift, months: int) -> np.ndarray:
    """Return (1, T) the share of each month in which a lift acts."""
    starts = np.arange(months)
    ends = np.minimum(starts + 1, lift.begins + lift.months)
    return np.clip(ends - np.maximum(starts, lift.begins), 0.0, 1.0)[None, :]


def _lifted(drivers: Drivers, rate: str, factor: np.ndarray) -> np.ndarray:
    """Return a rate times a factor by month, held inside what it may be."""
    found = np.atleast_2d(by_draw(np.asarray(getattr(drivers, rate), dtype=float))) * factor
    if rate == "aov_cny":
        return found
    if rate in ("conversion", "repeat_rate"):
        return np.minimum(found, 1.0)
    churn = np.asarray(drivers.churn, dtype=float)
    if drivers.channel_churn is not None:
        churn = np.maximum(churn if churn.ndim < 1 else by_draw(churn), np.max(drivers.channel_churn))
    return np.minimum(found, 1.0 - by_draw(churn))


def _beyond(spend: np.ndarray, buying: Buying | None) -> float:
    if buying is None or buying.money_cny is None or not buying.channels:
        return 0.0
    money = np.asarray(buying.money_cny, dtype=float)
    return float(np.max(np.maximum(spend - money, 0.0)) / max(float(money.max()), 1.0))
