"""Weekly spend by channel and what it brings: Hill curves with geometric carry-over."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from planlib.core.streams import stream
from planlib.data.sample.brand import Brand, season

QUIET, LOUD = 0.3, 2.0  # weeks of little and of much spend, so that the curves can be told from data


@dataclass(frozen=True, slots=True)
class Media:
    """Spend and expected new customers.

    Attributes:
        spend_fen: (W, C) money of each week; the last week is a part of one.
        week_days: (W,) days of the period in each week.
        expected: (days, C) expected new customers.
        curves: channel -> half_spend_cny (a week), ceiling (customers a week), shape, carry_over.
    """

    spend_fen: np.ndarray
    week_days: np.ndarray
    expected: np.ndarray
    curves: dict[str, dict[str, float]]


def hill(x: np.ndarray, half: float, shape: float) -> np.ndarray:
    """Return the share of the ceiling that a spend brings.

    >>> float(hill(np.array(3.0), 3.0, 1.0))
    0.5
    """
    return x**shape / (x**shape + half**shape)


def carried(spend: np.ndarray, carry_over: float, before: float) -> np.ndarray:
    """Return spend carried from week to week; weights sum to 1 and earlier weeks had `before` each.

    >>> carried(np.array([10.0, 0.0]), 0.5, 10.0)
    array([10.,  5.])
    """
    out = np.empty_like(spend)
    level = before
    for week, money in enumerate(spend):
        level = carry_over * level + (1 - carry_over) * money
        out[week] = level
    return out


def plan_media(brand: Brand, new_customers: int, seed: int) -> Media:
    """Draw weekly spend and say what each day and channel is expected to bring."""
    channels = brand.tree["channels"]
    weeks = -(-brand.days // 7)
    week_days = np.minimum(7, brand.days - 7 * np.arange(weeks))
    quarter = np.array(brand.tree["quarters"])[np.minimum(4 * np.arange(brand.days) // brand.days, 3)]
    by_day = season(brand) * quarter
    within_week = np.array([brand.tree["weekdays"][brand.day(i).weekday()] for i in range(brand.days)])
    spend = np.zeros((weeks, len(channels)), dtype=np.int64)
    expected = np.empty((brand.days, len(channels)))
    curves = {}
    for c, channel in enumerate(channels):
        total = channel["share"] * new_customers
        if "cac" not in channel:
            expected[:, c] = total * by_day / by_day.sum()
            continue
        rng = stream(seed, f"spend {channel['id']}")
        usual = channel["cac"] * total / (brand.days / 7)
        loudness = rng.choice([QUIET, 1.0, LOUD], size=weeks, p=[0.15, 0.7, 0.15])
        weekly = usual * quarter[::7] * loudness * np.exp(rng.normal(-0.06, 0.35, weeks))
        spend[:, c] = np.round(100 * weekly * week_days / 7)
        weekly = spend[:, c] / 100 * 7 / week_days
        half = channel["half"] * usual
        brings = hill(carried(weekly, channel["carry_over"], usual), half, channel["shape"]) if usual else weekly
        daily = np.repeat(brings, 7)[: brand.days] / 7 * within_week / within_week[:7].mean()
        scale = total / daily.sum() if total else 0.0
        expected[:, c] = scale * daily
        curves[channel["id"]] = {
            "half_spend_cny": half,
            "ceiling": scale,
            "shape": channel["shape"],
            "carry_over": channel["carry_over"],
            "spend_before_cny": usual,
        }
    return Media(spend, week_days, expected, curves)
