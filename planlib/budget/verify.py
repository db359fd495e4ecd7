"""Whether a finished allocation keeps the rules, measured from its own tables by code that the solver does not use."""

from __future__ import annotations

from collections.abc import Sequence
from functools import singledispatch

import numpy as np

from planlib.budget import rules as r

CLOSED = "closed_months"
NEVER = "limits_of_channels"


def misses(frame: r.Frame, rules: Sequence[r.Rule], channel_cny: np.ndarray, other_cny: np.ndarray) -> dict[str, float]:
    """Return by how much each broken rule is missed, relative to its size; rules that hold are left out.

    Args:
        frame: what can be bought.
        rules: named rules.
        channel_cny: (T, C) spends of the channels.
        other_cny: (T, K) spends of the categories besides the channels.

    The amounts are relative to max(limit, money concerned, 1); closed months and the channels' own limits are
    measured under names of their own.
    """
    outcome = np.stack([frame.curves.value(month) for month in channel_cny]) * frame.season[:, None]
    found = {rule.name: miss(rule, frame, channel_cny, other_cny, outcome) for rule in rules}
    found[CLOSED] = float(channel_cny[~frame.open_months].sum()) / max(float(channel_cny.sum()), 1.0)
    over = np.maximum(channel_cny - frame.most_cny, -channel_cny)
    inside_gap = np.where(channel_cny > 0, np.minimum(channel_cny, frame.least_if_on_cny - channel_cny), 0.0)
    short = frame.committed - other_cny
    found[NEVER] = float(max(over.max(), inside_gap.max(), short.max(), 0.0)) / max(float(frame.most_cny.max()), 1.0)
    return {name: value for name, value in found.items() if value > 0}


@singledispatch
def miss(rule: object, frame: r.Frame, channel: np.ndarray, other: np.ndarray, outcome: np.ndarray) -> float:
    """Return by how much one rule is missed, relative; 0 when it holds."""
    raise TypeError(type(rule).__name__)


@miss.register
def _(rule: r.TotalBudget, frame, channel, other, outcome) -> float:
    months = _months(rule.span, frame)
    off = channel[months].sum() + other[months].sum() - rule.total_cny
    return (abs(off) if rule.spent_in_full else max(off, 0.0)) / max(rule.total_cny, 1.0)


@miss.register
def _(rule: r.CategoryBand, frame, channel, other, outcome) -> float:
    months = _months(rule.span, frame)
    k = frame.categories.index(rule.category)
    mine = sum(float(channel[t] @ frame.cost_shares[:, k]) + other[t, k] for t in months)
    whole = rule.of_cny if rule.of_cny is not None else sum(channel[t].sum() + other[t].sum() for t in months)
    return max(rule.low * whole - mine, mine - rule.high * whole, 0.0) / max(whole, 1.0)


@miss.register
def _(rule: r.ChannelLimit, frame, channel, other, outcome) -> float:
    spent = channel[_months(rule.span, frame), frame.channels.index(rule.channel)].sum()
    over = spent - rule.high if rule.high is not None else 0.0
    return max(rule.low - spent, over, 0.0) / max(rule.high or 0.0, rule.low, spent, 1.0)


@miss.register
def _(rule: r.ChannelFloor, frame, channel, other, outcome) -> float:
    c = frame.channels.index(rule.channel)
    spent = channel[frame.open_months[:, c], c]
    return float(max((rule.least_cny - spent).max(initial=0.0), 0.0)) / max(rule.least_cny, 1.0)


@miss.register
def _(rule: r.FixedSpend, frame, channel, other, outcome) -> float:
    t = rule.month - 1
    if rule.of in frame.channels:
        spent = channel[t, frame.channels.index(rule.of)]
    else:
        k = frame.categories.index(rule.of)
        spent = float(channel[t] @ frame.cost_shares[:, k]) + other[t, k]
    return abs(spent - rule.amount_cny) / max(rule.amount_cny, 1.0)


@miss.register
def _(rule: r.CostCap, frame, channel, other, outcome) -> float:
    months = _months(rule.span, frame)
    if rule.channel is None:
        spent, got = channel[months].sum(), outcome[months].sum() + frame.free_outcomes[months].sum()
    else:
        c = frame.channels.index(rule.channel)
        spent, got = channel[months, c].sum(), outcome[months, c].sum()
    return max(spent - rule.cost_each_cny * got, 0.0) / max(spent, 1.0)


@miss.register
def _(rule: r.ReturnFloor, frame, channel, other, outcome) -> float:
    months = _months(rule.span, frame)
    worth = float((outcome[months] @ np.asarray(rule.worth_cny)).sum())
    worth += float(frame.free_outcomes[months].sum()) * rule.free_worth_cny
    spent = channel[months].sum() + (other[months].sum() if rule.of_all else 0.0)
    return max(rule.floor * spent - worth, 0.0) / max(rule.floor * spent, 1.0)


@miss.register
def _(rule: r.FreeShare, frame, channel, other, outcome) -> float:
    months = _months(rule.span, frame)
    organic = [frame.channels.index(name) for name in rule.organic]
    free = frame.free_outcomes[months].sum() + outcome[np.ix_(months, organic)].sum()
    everything = frame.free_outcomes[months].sum() + outcome[months].sum()
    return max(rule.share * everything - free, 0.0) / max(everything, 1.0)


@miss.register
def _(rule: r.CategoryOfWorth, frame, channel, other, outcome) -> float:
    months = _months(rule.span, frame)
    k = frame.categories.index(rule.category)
    spent = sum(float(channel[t] @ frame.cost_shares[:, k]) + other[t, k] for t in months)
    worth = float((outcome[months] @ np.asarray(rule.worth_cny)).sum())
    worth += float(frame.free_outcomes[months].sum()) * rule.free_worth_cny
    return max(spent - rule.share * worth, 0.0) / max(spent, 1.0)


@miss.register
def _(rule: r.ChangeLimit, frame, channel, other, outcome) -> float:
    c, worst = frame.channels.index(rule.channel), 0.0
    for first in range(r.QUARTER, frame.months - r.QUARTER + 1, r.QUARTER):
        before, after = channel[first - r.QUARTER : first, c].sum(), channel[first : first + r.QUARTER, c].sum()
        if frame.open_months[first - r.QUARTER : first, c].all():
            off = max((1 - rule.down) * before - after, after - (1 + rule.up) * before, 0.0)
            worst = max(worst, off / max(before, after, 1.0))
    return worst


@miss.register
def _(rule: r.OutcomeGoal, frame, channel, other, outcome) -> float:
    months = _months(rule.span, frame)
    kept = (1.0,) * frame.months if rule.kept is None else rule.kept
    got = sum(kept[t] * (outcome[t].sum() + frame.free_outcomes[t]) for t in months)
    return max(rule.at_least - got, 0.0) / max(rule.at_least, 1.0)


def _months(span: r.Span, frame: r.Frame) -> list[int]:
    return [t for t in range(frame.months) if span.first <= t + 1 <= (span.last or frame.months)]
