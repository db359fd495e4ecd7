"""Mass messages with their delivery and opening, invitations, and customer groups."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from planlib.core.streams import stream
from planlib.data.sample.brand import Brand, day_time, month_time
from planlib.data.sample.people import NEVER, People

NOT_SENT, SENT, NO_FRIEND, OTHER_MESSAGE = 0, 1, 2, 3  # as WeCom codes the result of a message
LIST_AGE_DAYS = 3  # the list of receivers is so old when a message goes out: some have left since
GROUP_FILL = 400  # members of a group before the next is opened; WeCom's limit is 500
TRIES = 6


@dataclass(frozen=True, slots=True)
class Messages:
    """Monthly mass messages: M messages, R receivers in all, sorted by message and employee.

    Attributes:
        created: (M,) days of the period.
        confirmed: (M, S) whether each employee confirmed.
        message, customer, status, sent: (R,) sent is infinite unless status is 1.
        opened_customer, opened_at, opened_message: (O,) openings.
    """

    created: np.ndarray
    confirmed: np.ndarray
    message: np.ndarray
    customer: np.ndarray
    status: np.ndarray
    sent: np.ndarray
    opened_customer: np.ndarray
    opened_at: np.ndarray
    opened_message: np.ndarray


@dataclass(frozen=True, slots=True)
class Groups:
    """Customer groups: G groups, Q memberships.

    Attributes:
        owner: (G,) employee; opened: (G,) day of the period.
        customer, group: (Q,) who and where; joined, left: (Q,) days of the period.
    """

    owner: np.ndarray
    opened: np.ndarray
    customer: np.ndarray
    group: np.ndarray
    joined: np.ndarray
    left: np.ndarray


def make_messages(brand: Brand, people: People, seed: int) -> Messages:
    """Draw a mass message a month, who received it and who opened it."""
    figures = brand.figures
    rng = stream(seed, "messages")
    starts = np.array([0, *brand.month_ends()])[1:-1]
    created = starts + rng.integers(9, 20, size=len(starts)) + 10.5 / 24
    confirmed = rng.random((len(created), len(people.staff_ids))) < figures["confirm_rate"]
    parts = []
    for message, at in enumerate(created):
        listed = np.flatnonzero(people.listed(at - LIST_AGE_DAYS))
        chosen = listed[rng.random(len(listed)) < figures["reached_share"]]
        chosen = chosen[np.argsort(people.staff[chosen], kind="stable")]
        u = rng.random(len(chosen))
        status = np.where(u < figures["collision_rate"], OTHER_MESSAGE, SENT)
        status = np.where(people.removed[chosen] < at, NO_FRIEND, status)
        status = np.where(confirmed[message, people.staff[chosen]], status, NOT_SENT)
        # each employee confirms within some hours
        delay = rng.exponential(2 / 24, size=len(people.staff_ids))[people.staff[chosen]]
        sent = np.where(status == SENT, np.minimum(at + delay, np.floor(at) + 0.999), NEVER)
        parts.append((np.full(len(chosen), message), chosen, status, sent))
    message, customer, status, sent = (np.concatenate(p) for p in zip(*parts, strict=True))
    opens = (status == SENT) & (rng.random(len(status)) < figures["message_open_rate"])
    opened_at = sent[opens] + np.minimum(rng.exponential(0.2, opens.sum()), 1.9)
    in_time = opened_at < brand.days
    return Messages(
        created,
        confirmed,
        message,
        customer,
        status.astype(np.int8),
        sent,
        customer[opens][in_time],
        opened_at[in_time],
        message[opens][in_time],
    )


def make_invitations(brand: Brand, people: People, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return (who invited, when) for the customers who came by referral; some inviters stay unknown."""
    rng = stream(seed, "invitations")
    code = [c["id"] for c in brand.tree["channels"]].index("referral")
    came = np.flatnonzero((people.channel == code) & (people.joined >= 0))
    at = people.joined[came] * (1 - 1e-9) - 0.002
    inviter = np.full(len(came), -1)
    for _ in range(TRIES):
        tried = (rng.random(len(came)) * came).astype(np.int64)
        fits = (inviter < 0) & (people.joined[tried] < at) & (people.removed[tried] >= at)
        inviter[fits] = tried[fits]
    known = (inviter >= 0) & (at >= 0)
    return inviter[known], at[known]


def make_groups(brand: Brand, people: People, seed: int) -> Groups:
    """Draw who is in which group; one employee's groups decay."""
    figures, decay = brand.figures, brand.tree["decay"]
    rng = stream(seed, "groups")
    n_staff = len(people.staff_ids)
    customer = np.flatnonzero(rng.random(len(people)) < figures["group_share"])
    joined = people.joined[customer] + 3 * rng.random(len(customer))
    staff = people.staff[customer]
    u = rng.random(len(customer))
    since = month_time(brand, joined)
    left = _leaves(since, u, figures["group_exit_rate"])
    turn = float(month_time(brand, np.array(decay["exits_from"])))
    heavy = 1 - (1 - figures["heavy_push_loss"]) ** (1 / 3)
    later = _leaves(np.maximum(since, turn), rng.random(len(customer)), heavy)
    left = np.where((staff == decay["staff"]) & (left > turn), later, left)
    left = np.minimum(day_time(brand, left), people.removed[customer])
    there = (joined < np.minimum(left, brand.days)) & (left >= 0)
    customer, joined, left, staff = customer[there], joined[there], left[there], staff[there]

    # the groups of an employee fill one after another
    order = np.lexsort((joined, staff))
    customer, joined, left, staff = customer[order], joined[order], left[order], staff[order]
    first = np.searchsorted(staff, np.arange(n_staff))
    place = (np.arange(len(staff)) - first[staff]) // GROUP_FILL
    code, group = np.unique(staff.astype(np.int64) * 10_000 + place, return_inverse=True)
    opened = np.full(len(code), np.inf)
    np.minimum.at(opened, group, joined)
    left = np.where(left < brand.days, left, NEVER)
    return Groups(code // 10_000, opened - 0.01, customer, group, joined, left)


def speaking_rates(brand: Brand, n_staff: int) -> np.ndarray:
    """Return (days, S) the share of members who speak on a day, by owner."""
    rate = brand.figures["speaking_rate"]
    decay = brand.tree["decay"]
    rates = np.full((brand.days, n_staff), rate)
    falling = np.interp(
        np.arange(brand.days), [decay["quieter_from"], decay["quieter_from"] + 90], [rate, decay["speaks_least"]]
    )
    rates[:, decay["staff"]] = falling
    return rates


def _leaves(since: np.ndarray, u: np.ndarray, hazard: float) -> np.ndarray:
    """Return when those who came at `since` leave, in months."""
    return since + np.log(u) / np.log1p(-hazard)
