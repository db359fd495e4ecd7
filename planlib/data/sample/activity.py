"""What customers do: a state on and a state off, changed by day; interactions on days that are on.

Three kinds of customers: silent ones never interact, short and long ones begin on and stay on for as long as their
kind does; off, they wake at a small chance a day. On its first day a spell always has an interaction, on each
further day with the chance `act`. Orders, visits, opened messages and invitations happen besides, whatever the state:
they are drawn before, and the shares of the kinds are chosen so that, given them, the stated shares of active
and dormant customers are expected exactly.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from planlib.core.streams import stream
from planlib.data.sample.brand import Brand
from planlib.data.sample.people import People

SILENT, SHORT, LONG = 0, 1, 2
ACTIVE_DAYS, DORMANT_DAYS = 30, 90
RETENTION = {7: "retention_d7", 30: "retention_m1", 90: "retention_d90"}
RETENTION_WEEK = 7  # retained at day k: an interaction on one of the days k to k + 6
FIRST_DAYS = 7  # first interaction: on one of the days 0 to 6
SILENT_DAYS, WOKEN_DAYS = 3, 10  # activated: silent on the first three days, interacting on one of the next seven
BLOCK = 50_000  # customers whose days are drawn at once


@dataclass(frozen=True, slots=True)
class Activity:
    """Interactions that customers make of themselves.

    Attributes:
        customer, at: (V,) who and when, sorted by customer.
        kind: (N,) silent, short or long.
        truth: what is expected of all that was drawn before, by name.
    """

    customer: np.ndarray
    at: np.ndarray
    kind: np.ndarray
    truth: dict[str, float | None]


@dataclass(frozen=True, slots=True)
class Happened:
    """Events that were drawn before, in days of the period, sorted by customer and day: what a window holds of them."""

    key: np.ndarray
    days: int

    @classmethod
    def of(cls, customer: np.ndarray, at: np.ndarray, days: int) -> Happened:
        """Keep who had an event on which day."""
        return cls(np.unique(customer.astype(np.int64) * days + np.floor(at).astype(np.int64)), days)

    def within(self, first: np.ndarray, last: np.ndarray) -> np.ndarray:
        """Return (N,) whether each customer had an event on a day from first to last, both (N,) whole days."""
        base = np.arange(len(first), dtype=np.int64) * self.days
        low = base + np.clip(first, 0, self.days)
        high = base + np.clip(last + 1, 0, self.days)
        return np.searchsorted(self.key, high) > np.searchsorted(self.key, np.minimum(low, high))


def quiet(age: np.ndarray, length: np.ndarray, *, off: float, wake: float, act: float) -> np.ndarray:
    """Return the chance of no interaction on `length` days from day `age` of a customer who was on at day 0.

    Args:
        age: day of the window's beginning, counted from joining; 0 or less contains the first interaction.
        length: days; 0 or less is an empty window.
        off, wake, act: chances a day of going off, of waking, and of interacting while on.

    Source: powers of the two-state transition matrix without the interacting moves.

    >>> float(quiet(np.array(1), np.array(1), off=0.5, wake=0.1, act=0.4))  # goes off, or stays on and does nothing
    0.8
    """
    length = np.maximum(length, 0)
    begins = age <= 0
    at_start = wake / (wake + off)
    on = at_start + (1 - at_start) * (1 - wake - off) ** np.maximum(age - 1, 0)
    still, sleeping = (1 - off) * (1 - act), 1 - wake
    a, b = still**length, sleeping**length
    from_on = a + off * (a - b) / (still - sleeping)
    silent = on * from_on + (1 - on) * b
    return np.where(begins & (age + length > 0), 0.0, silent)


def make_activity(brand: Brand, people: People, happened: Happened, seed: int) -> Activity:
    """Draw interactions, with the shares of the kinds that meet the stated levels at the end of the period."""
    end = brand.days
    shares = _shares(brand, people, happened, end)
    rng = stream(seed, "kinds")
    kind = np.searchsorted(np.cumsum(shares)[:-1], rng.random(len(people)), side="right").astype(np.int8)
    customer, days = _days(brand, people, kind, seed)
    rng = stream(seed, "moments of interactions")
    joined = people.joined[customer]
    first = np.maximum(joined - days, 8 / 24)  # on the day of joining, after joining
    moments = days + first + (1 - 1e-5 - first) * rng.random(len(days))
    kept = moments < people.removed[customer]
    kept |= days == np.floor(joined)  # nobody leaves before the interaction that the joining begins with
    moments = np.minimum(moments, np.nextafter(people.removed[customer], -np.inf))
    return Activity(customer[kept], moments[kept], kind, _truth(brand, people, happened, shares, end))


def _rates(brand: Brand, kind: int) -> dict[str, float]:
    figures = brand.figures
    off = figures["engaged_off_short" if kind == SHORT else "engaged_off_long"]
    return {"off": off, "wake": figures["wake"], "act": figures["act"]}


def _silence(
    brand: Brand, people: People, happened: Happened, first: np.ndarray, last: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return (N,) whether events drawn before are missing from days first to last, and (3, N) the chance, by kind,
    that the customer's own interactions are.
    """
    none = ~happened.within(first, last)
    birth = np.floor(people.joined)
    last = np.minimum(last, np.where(np.isfinite(people.removed), np.ceil(people.removed) - 1, last))
    age, length = first - birth, last - first + 1
    # on the day somebody leaves, interactions after leaving are lost: half a day is taken as none
    own = [np.ones(len(people))]
    own += [quiet(age, length, **_rates(brand, kind)) for kind in (SHORT, LONG)]
    return none, np.array(own)


def _shares(brand: Brand, people: People, happened: Happened, end: int) -> np.ndarray:
    """Return (3,) shares of the kinds at which active and dormant shares of those listed are expected as stated.

    Both are linear in the shares. Where no shares would do (a handful of customers), the nearest possible ones.
    """
    listed = people.listed(end)
    wanted = np.array([1 - brand.figures["mau_rate"], brand.figures["dormant_share"]])
    rows = []
    for days in (ACTIVE_DAYS, DORMANT_DAYS):
        first = np.full(len(people), end - days)
        none, own = _silence(brand, people, happened, first, np.full(len(people), end - 1))
        counted = listed & none & ((people.joined < end - days) | (days == ACTIVE_DAYS))
        rows.append((own * counted).sum(axis=1) / max(listed.sum(), 1))
    silent = np.array([row[SILENT] for row in rows])
    gain = np.array([row[[SHORT, LONG]] for row in rows]) - silent[:, None]
    try:
        short, long = np.linalg.solve(gain, wanted - silent)
    except np.linalg.LinAlgError:
        short, long = 0.3, 0.3
    short, long = np.clip([short, long], 0.0, 1.0)
    whole = max(short + long, 1.0)
    return np.array([1 - (short + long) / whole, short / whole, long / whole])


def _truth(brand: Brand, people: People, happened: Happened, shares: np.ndarray, end: int) -> dict[str, float | None]:
    """Return what is expected of active, dormant, woken and retained customers, given what was drawn before.

    A share of nobody is None.
    """
    listed = people.listed(end)
    birth = np.floor(people.joined)

    def silent(first: np.ndarray | float, last: np.ndarray | float) -> np.ndarray:
        """Return (N,) the chance of no interaction on days first to last."""
        none, own = _silence(brand, people, happened, np.full(len(people), first), np.full(len(people), last))
        return none * (shares @ own)

    def mean(values: np.ndarray, who: np.ndarray) -> float | None:
        return float(values[who].mean()) if who.any() else None

    idle, dormant = silent(end - ACTIVE_DAYS, end - 1), silent(end - DORMANT_DAYS, end - 1)
    old = people.joined < end - DORMANT_DAYS
    truth = {"mau_rate": mean(1 - idle, listed), "dormant_share": mean(dormant * old, listed)}
    before = end - ACTIVE_DAYS  # of those dormant then and listed still, who interacted since
    both = listed & (people.joined < before - DORMANT_DAYS)
    asleep = silent(before - DORMANT_DAYS, before - 1)[both].sum()
    truth["reactivation_rate"] = (
        float(1 - silent(before - DORMANT_DAYS, end - 1)[both].sum() / asleep) if asleep else None
    )

    new = people.joined >= 0
    for day, name in RETENTION.items():
        last = birth + day + RETENTION_WEEK - 1
        truth[name] = mean(1 - silent(birth + day, last), new & (last < end))
    truth["first_interaction_rate"] = mean(1 - silent(birth, birth + FIRST_DAYS - 1), new & (birth + FIRST_DAYS <= end))
    ripe = new & (birth + WOKEN_DAYS <= end)
    quiet_at_first = silent(birth, birth + SILENT_DAYS - 1)[ripe].sum()
    still = silent(birth, birth + WOKEN_DAYS - 1)[ripe].sum()
    truth["activation_rate"] = float(1 - still / quiet_at_first) if quiet_at_first else None
    return truth


def _days(brand: Brand, people: People, kind: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return (who, which day) of all interactions in the period."""
    rng = stream(seed, "interactions")
    who, when = [], []
    for first in range(0, len(people), BLOCK):
        block = np.arange(first, min(first + BLOCK, len(people)))
        for code in (SHORT, LONG):
            members = block[kind[block] == code]
            customer, days = _spells(brand, rng, members, np.floor(people.joined[members]), **_rates(brand, code))
            who.append(customer)
            when.append(days)
    customer, days = np.concatenate(who), np.concatenate(when)
    order = np.lexsort((days, customer))
    return customer[order], days[order]


def _spells(
    brand: Brand,
    rng: np.random.Generator,
    members: np.ndarray,
    start: np.ndarray,
    *,
    off: float,
    wake: float,
    act: float,
) -> tuple[np.ndarray, np.ndarray]:
    """Return (who, which day) for customers of one kind, spell after spell."""
    who, when = [np.empty(0, dtype=np.int64)], [np.empty(0)]
    while len(members):
        length = rng.geometric(off, len(members))
        low = np.clip(start + 1, 0, brand.days).astype(np.int64)
        high = np.clip(start + length, 0, brand.days).astype(np.int64)
        count = np.maximum(high - low, 0)
        days = np.repeat(low - np.cumsum(count) + count, count) + np.arange(count.sum())
        acts = rng.random(len(days), dtype=np.float32) < act
        begins = (start >= 0) & (start < brand.days)
        who += [members[begins], np.repeat(members, count)[acts]]
        when += [start[begins], days[acts].astype(float)]
        start = start + length + rng.geometric(wake, len(members)) if wake else np.full(len(members), np.inf)
        members, start = members[start < brand.days], start[start < brand.days]
    return np.concatenate(who), np.concatenate(when)
