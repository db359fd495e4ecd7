"""Journeys of visits over channels: a Markov chain whose removal effects are known exactly."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from planlib.core.streams import stream
from planlib.data.sample.brand import Brand
from planlib.data.sample.orders import Orders
from planlib.data.sample.people import People

SPAN_DAYS = 10.0  # how long before its end a journey begins
LAST_STEP_DAYS = 0.03  # an order follows the last visit of its journey within three quarters of an hour


@dataclass(frozen=True, slots=True)
class Journeys:
    """V visits of journeys.

    Attributes:
        customer, at, channel, journey: (V,) who, when, where, and which journey.
    """

    customer: np.ndarray
    at: np.ndarray
    channel: np.ndarray
    journey: np.ndarray


@dataclass(frozen=True, slots=True)
class Walks:
    """Steps of n journeys: (V,) journey and channel of each visit, sorted; (n,) length and whether it converts."""

    journey: np.ndarray
    channel: np.ndarray
    length: np.ndarray
    converts: np.ndarray


def conversion(start: np.ndarray, follow: np.ndarray, convert: np.ndarray) -> float:
    """Return the chance that a journey converts.

    Args:
        start: (C,) chance of beginning at each channel.
        follow: (C, C) chance of going from one to another.
        convert: (C,) chance of converting at each.

    >>> float(conversion(np.array([1.0]), np.array([[0.5]]), np.array([0.25])))
    0.5
    """
    return float(start @ np.linalg.solve(np.eye(len(start)) - follow, convert))


def removal_effects(start: np.ndarray, follow: np.ndarray, convert: np.ndarray) -> np.ndarray:
    """Return (C,) the share of conversions lost when a channel is taken out and everybody who would go there leaves."""
    whole = conversion(start, follow, convert)
    effects = np.empty(len(start))
    for c in range(len(start)):
        kept = np.arange(len(start)) != c
        effects[c] = 1 - conversion(start[kept], follow[np.ix_(kept, kept)], convert[kept]) / whole
    return effects


def chain(brand: Brand) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return start, follow and convert of the brand's journeys."""
    tree = brand.tree["journeys"]
    return np.array(tree["start"]), np.array(tree["follow"]), np.array(tree["convert"])


def walk(brand: Brand, orders: Orders, seed: int) -> Walks:
    """Draw the steps of a journey for every paid order of a contact, and of those that end without one."""
    (journey, channel), converts = _walk(brand, stream(seed, "journeys"), len(_ordered(orders)))
    return Walks(journey, channel, np.bincount(journey, minlength=len(converts)), converts)


def converting(people: People, orders: Orders, walks: Walks, seed: int) -> tuple[Journeys, np.ndarray]:
    """Return the journeys that end in orders, and (K,) the channel of the last visit before each order, -1 without."""
    ordered = _ordered(orders)
    customer, end = orders.customer[ordered], orders.at[ordered]
    span = np.minimum(SPAN_DAYS, end - np.maximum(people.joined[customer], 0.0))
    found = _placed(walks, walks.converts, customer, end, span, stream(seed, "visits before orders"))
    last = np.cumsum(walks.length)[walks.converts] - 1
    last_channel = np.full(len(orders), -1, dtype=np.int8)
    last_channel[ordered] = walks.channel[last]
    return found, last_channel


def leaving(walks: Walks, customer: np.ndarray, at: np.ndarray, begin: np.ndarray, seed: int) -> Journeys:
    """Return the journeys that end without an order, on days on which a customer interacts anyhow.

    Args:
        customer, at: (A,) interactions to choose from; a journey ends with one of them.
        begin: (A,) earliest moment of that day, in days.
    """
    rng = stream(seed, "visits without orders")
    n = int((~walks.converts).sum()) if len(customer) else 0
    some = rng.integers(max(len(customer), 1), size=n)
    chosen = ~walks.converts if n else np.zeros(len(walks.converts), dtype=bool)
    return _placed(walks, chosen, customer[some], at[some], at[some] - begin[some], rng)


def _ordered(orders: Orders) -> np.ndarray:
    return np.flatnonzero(orders.paid & (orders.customer >= 0))


def _placed(
    walks: Walks, chosen: np.ndarray, customer: np.ndarray, end: np.ndarray, span: np.ndarray, rng: np.random.Generator
) -> Journeys:
    """Put the visits of chosen journeys into the span before their ends, the last of them shortly before."""
    visits = np.flatnonzero(chosen[walks.journey])
    journey = walks.journey[visits]
    order = (np.cumsum(chosen) - 1)[journey]  # which of the chosen
    length = walks.length[chosen][order]
    place = np.arange(len(visits)) - (np.cumsum(walks.length[chosen]) - walks.length[chosen])[order]
    room = span[order]
    part = (place + rng.random(len(visits))) / length
    shortly = np.minimum(LAST_STEP_DAYS, room / (2 * length)) * rng.random(len(visits))
    at = end[order] - np.where(place == length - 1, shortly, room * (1 - part))
    return Journeys(customer[order], at, walks.channel[visits], journey)


def _walk(brand: Brand, rng: np.random.Generator, wanted: int) -> tuple[tuple[np.ndarray, np.ndarray], np.ndarray]:
    """Walk journeys until `wanted` have converted.

    Returns:
        ((V,) journey, (V,) channel) of the visits, sorted by journey and step; (n,) whether each converts.
    """
    start, follow, convert = chain(brand)
    rate = conversion(start, follow, convert)
    n_channels = len(start)
    # columns: the channels, converting, leaving
    onward = np.cumsum(np.hstack([follow, convert[:, None]]), axis=1)
    visits, ends = [], []
    found = total = 0
    while found < wanted:
        n = int((wanted - found) / rate * 1.02) + 20
        state = rng.choice(n_channels, n, p=start)
        journey = np.arange(n)
        converts = np.zeros(n, dtype=bool)
        step = 0
        while len(journey):
            visits.append((journey + total, np.full(len(journey), step), state.astype(np.int8)))
            nxt = (rng.random(len(journey))[:, None] >= onward[state]).sum(axis=1)
            converts[journey[nxt == n_channels]] = True
            goes = nxt < n_channels
            journey, state, step = journey[goes], nxt[goes], step + 1
        ends.append(converts)
        found += int(converts.sum())
        total += n
    if not ends:
        return (np.empty(0, dtype=np.int64), np.empty(0, dtype=np.int8)), np.empty(0, dtype=bool)
    converts = np.concatenate(ends)
    stop = int(np.searchsorted(np.cumsum(converts), wanted)) + 1
    journey, step, channel = (np.concatenate(parts) for parts in zip(*visits, strict=True))
    kept = journey < stop
    order = np.lexsort((step[kept], journey[kept]))
    return (journey[kept][order], channel[kept][order]), converts[:stop]
