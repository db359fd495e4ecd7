"""Experiments with planted effects and planted faults: assignments, outcomes, and what is true of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from planlib.core.streams import stream
from planlib.data.sample.brand import Brand
from planlib.data.sample.people import PUSH_MONTHS, PUSH_START, People

PRE_MEAN = 2.0  # interactions in the four weeks before, on average; taste varies between customers


@dataclass(frozen=True, slots=True)
class Trial:
    """One experiment as its tables hold it.

    Attributes:
        spec: its entry in brand.yaml.
        customer, arm: (n,) who is in the assignment table, and in which arm.
        assigned, measured: (n,) days of the period.
        outcomes: metric -> (n,) values, in order.
        truth: what is planted, by name; of arms in the order of `spec`.
    """

    spec: dict[str, Any]
    customer: np.ndarray
    arm: np.ndarray
    assigned: np.ndarray
    measured: np.ndarray
    outcomes: dict[str, np.ndarray]
    truth: dict[str, Any]


def make_trials(brand: Brand, people: People, seed: int) -> list[Trial]:
    """Draw every experiment of the brand."""
    return [_trial(brand, people, spec, seed) for spec in brand.tree["experiments"]]


def _trial(brand: Brand, people: People, spec: dict[str, Any], seed: int) -> Trial:
    rng = stream(seed, f"experiment {spec['id']}")
    customer, assigned = _entrants(brand, people, spec, rng)
    n = len(customer)
    if spec["population"] == "push":
        arm = people.push_arm[customer].astype(np.int64)
    else:
        arm = np.searchsorted(np.cumsum(spec["planned"])[:-1], rng.random(n), side="right")
    rates = np.array(spec["rate"])[arm]
    truth: dict[str, Any] = {"metric": spec["metric"], "rate": list(spec["rate"]), "planned": list(spec["planned"])}
    outcomes: dict[str, np.ndarray] = {}
    fault = spec.get("fault")
    if fault == "heavy_push":
        sent = np.array(spec["messages"])[arm]
        outcomes["messages_delivered"] = sent
        outcomes["messages_opened"] = rng.binomial(sent, rates)
        begin, end = brand.month_ends()[PUSH_START], brand.month_ends()[PUSH_START + PUSH_MONTHS]
        outcomes["opt_out"] = ((people.removed[customer] >= begin) & (people.removed[customer] < end)).astype(np.int64)
        usual = [1 - (1 - h) ** PUSH_MONTHS for h in people.churn]
        mean = float(np.array(usual)[people.segment[customer]].mean()) if n else None
        truth["opt_out"] = [mean, brand.figures["heavy_push_loss"]]
    elif fault == "unconfirmed_staff":
        silent = people.staff[customer] == spec["unconfirmed"]
        reached = ~(silent & (arm == 1))
        rates = np.where(reached, rates, spec["rate"][0])
        outcomes[spec["metric"]] = _yes(rng, rates)
        outcomes["delivered"] = reached.astype(np.int64)
        part = float(silent.mean()) if n else None
        truth |= {
            "unconfirmed_staff": people.staff_ids[spec["unconfirmed"]].decode(),
            "unconfirmed_share": part,
            "effect_by_assignment": (spec["rate"][1] - spec["rate"][0]) * (1 - part) if n else None,
        }
    else:
        outcomes[spec["metric"]] = _yes(rng, rates)
    if fault == "pull_forward":
        outcomes |= _coupon(brand, rng, spec, arm, outcomes[spec["metric"]])
        truth |= _coupon_truth(brand, spec)
    for name, chances in spec["guardrails"].items():
        outcomes[name] = _yes(rng, np.array(chances)[arm])
        truth[name] = list(chances)
    if "interactions" in spec:
        taste = rng.gamma(1.0, PRE_MEAN, size=n)
        outcomes["interactions_before"] = rng.poisson(taste)
        outcomes["interactions"] = rng.poisson(taste * np.array(spec["interactions"])[arm])
        truth["interactions"] = [PRE_MEAN * factor for factor in spec["interactions"]]
    kept = np.ones(n, dtype=bool)
    if fault == "delivered_only":
        kept = ~((arm == 1) & (rng.random(n) < spec["undelivered"]))
        truth["missing_from_treatment"] = spec["undelivered"]
    truth |= {"fault": fault, "assigned": np.bincount(arm[kept], minlength=len(spec["arms"])).tolist()}
    measured = np.minimum(assigned + spec["window_days"], brand.days - 1e-6)
    outcomes = {name: values[kept] for name, values in outcomes.items()}
    return Trial(spec, customer[kept], arm[kept], assigned[kept], measured[kept], outcomes, truth)


def _entrants(
    brand: Brand, people: People, spec: dict[str, Any], rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Return (who enters, when)."""
    if spec["population"] == "push":
        customer = np.flatnonzero(people.push_arm >= 0)
        return customer, np.full(len(customer), float(brand.month_ends()[PUSH_START]))
    if spec["population"] == "new":
        fits = (people.joined >= spec["first"]) & (people.joined < spec["last"] + 1)
        customer = np.flatnonzero(fits & (rng.random(len(people)) < spec["part"]))
        return customer, people.joined[customer] + 0.002
    customer = np.flatnonzero(people.listed(spec["first"]) & (rng.random(len(people)) < spec["part"]))
    return customer, np.full(len(customer), spec["first"] + 9 / 24)


def _yes(rng: np.random.Generator, chance: np.ndarray) -> np.ndarray:
    return (rng.random(len(chance)) < chance).astype(np.int64)


def _coupon(
    brand: Brand, rng: np.random.Generator, spec: dict[str, Any], arm: np.ndarray, ordered: np.ndarray
) -> dict[str, np.ndarray]:
    """Return later orders, redeemed coupons and the net margin of both windows, in yuan."""
    later = _yes(rng, np.array(spec["later"])[arm])
    redeemed = ordered * np.array(spec["coupon_cny"])[arm]
    value = np.round(brand.figures["aov"] * rng.gamma(4.0, 0.25, size=(2, len(arm))), 2)
    net = np.round(spec["margin"] * (value[0] * ordered + value[1] * later) - redeemed, 2)
    return {"order_15_42d": later, "coupon_redeemed_yuan": redeemed, "net_margin_42d_yuan": net}


def _coupon_truth(brand: Brand, spec: dict[str, Any]) -> dict[str, Any]:
    now, later, coupon = (np.array(spec[name]) for name in ("rate", "later", "coupon_cny"))
    net = spec["margin"] * brand.figures["aov"] * (now + later) - now * coupon
    return {"later_rate": list(spec["later"]), "net_margin_42d_cny": net.round(6).tolist()}
