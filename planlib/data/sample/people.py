"""Customers: when and through which channel they came, who serves them, when they left."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from planlib.core.streams import stream
from planlib.data.sample.brand import Brand, day_time, month_time, salt
from planlib.data.sample.encode import ids
from planlib.data.sample.media import Media

NEVER = np.inf
OPENING_SPREAD_MONTHS = 24  # how far back the opening base joined
PUSH_MONTHS = 3
PUSH_START = 8  # the frequency test begins at the end of this month, counted as month_time does


@dataclass(frozen=True, slots=True)
class People:
    """N customers in the order of joining; times are days of the period, with fractions.

    Attributes:
        joined, removed: (N,) days; removed is infinite for those still there at the end.
        channel, segment, staff: (N,) codes; staff2 is -1 for those with one employee, added at joined2.
        wx_type, gender: (N,) as WeCom codes them.
        unionid_known: (N,) whether the contact's unionid is returned.
        push_arm: (N,) 0 seldom, 1 often, -1 outside the frequency test.
        external, unionid, openid: (N,) ids as byte columns.
        staff_ids, staff_store: (S,) employees, and the store each belongs to.
        churn: monthly hazard of each segment; heavy_churn: of those pushed often.
    """

    joined: np.ndarray
    removed: np.ndarray
    channel: np.ndarray
    segment: np.ndarray
    staff: np.ndarray
    staff2: np.ndarray
    joined2: np.ndarray
    wx_type: np.ndarray
    gender: np.ndarray
    unionid_known: np.ndarray
    push_arm: np.ndarray
    external: np.ndarray
    unionid: np.ndarray
    openid: np.ndarray
    staff_ids: np.ndarray
    staff_store: np.ndarray
    churn: tuple[float, ...]
    heavy_churn: float

    def __len__(self) -> int:
        return len(self.joined)

    def listed(self, at: float) -> np.ndarray:
        """Return (N,) who is a friend at a moment."""
        return (self.joined < at) & (self.removed >= at)


def opening_count(brand: Brand, customers: int) -> int:
    """Return how many of N customers were there before the period."""
    return int(brand.figures["opening_part"] * customers)


def make_people(brand: Brand, customers: int, media: Media, seed: int) -> People:
    """Draw the customers of a brand."""
    figures, n = brand.figures, customers
    opening = opening_count(brand, n)
    rng = stream(seed, "joins")
    cells = rng.multinomial(n - opening, (media.expected / media.expected.sum()).ravel())
    day, channel = np.divmod(np.repeat(np.arange(cells.size), cells), media.expected.shape[1])
    shares = [c["share"] for c in brand.tree["channels"]]
    old = _opening_ages(rng, opening, figures["churn_rate"])
    joined = np.concatenate([-np.sort(old)[::-1], day + _hour(rng, n - opening)])
    order = np.argsort(joined, kind="stable")
    joined = joined[order]
    channel = np.concatenate([rng.choice(len(shares), opening, p=shares), channel])[order].astype(np.int8)

    traits = stream(seed, "traits")
    segments = brand.tree["segments"]
    segment = traits.choice(len(segments), n, p=[s["share"] for s in segments]).astype(np.int8)
    n_staff = len(brand.tree["regions"]) * brand.tree["stores_per_region"] + n // 5000
    staff = traits.integers(n_staff, size=n).astype(np.int32)
    wecom = traits.random(n) < figures["wecom_contact_share"]
    known = (traits.random(n) < figures["identified_share"]) & ~wecom
    removed, push_arm, churn, heavy = _removals(brand, joined, segment, seed)

    second = stream(seed, "second staff")
    has_two = second.random(n) < figures["second_staff_share"]
    until = np.minimum(removed, brand.days)
    joined2 = np.where(has_two, joined + (until - joined) * second.random(n), NEVER)
    joined2 = np.where(joined2 >= 0, joined2, NEVER)
    other = (staff + second.integers(1, n_staff, size=n)) % n_staff
    numbers = np.arange(n)
    external = ids("wmSmp", numbers, salt(seed, "external"))
    external.view(np.uint8).reshape(n, -1)[wecom, 1] = ord("o")  # wo... are WeCom users
    return People(
        joined=joined,
        removed=removed,
        channel=channel,
        segment=segment,
        staff=staff,
        staff2=np.where(np.isfinite(joined2), other, -1).astype(np.int32),
        joined2=joined2,
        wx_type=np.where(wecom, 2, 1).astype(np.int8),
        gender=traits.choice(3, n, p=[0.2, 0.25, 0.55]).astype(np.int8),
        unionid_known=known,
        push_arm=push_arm,
        external=external,
        unionid=ids("oSmpU", numbers, salt(seed, "unionid")),
        openid=ids("oSmpO", numbers, salt(seed, "openid")),
        staff_ids=np.array([f"smp_staff{i:03d}".encode() for i in range(n_staff)], dtype=bytes),
        staff_store=np.arange(n_staff) % (len(brand.tree["regions"]) * brand.tree["stores_per_region"]),
        churn=churn,
        heavy_churn=heavy,
    )


def _opening_ages(rng: np.random.Generator, n: int, churn: float) -> np.ndarray:
    """Return (n,) days since joining of a base that has long been in balance with its churn."""
    hazard = -np.log1p(-churn)
    u = rng.random(n) * -np.expm1(-hazard * OPENING_SPREAD_MONTHS)
    return 30 * -np.log1p(-u) / hazard + 1e-3


def _hour(rng: np.random.Generator, n: int) -> np.ndarray:
    """Return (n,) moments between 08:00 and 23:00 as parts of a day."""
    return (8 + 15 * rng.random(n)) / 24


def _removals(
    brand: Brand, joined: np.ndarray, segment: np.ndarray, seed: int
) -> tuple[np.ndarray, np.ndarray, tuple[float, ...], float]:
    """Draw when customers leave: a hazard by segment, a higher one for those pushed often in the test."""
    figures = brand.figures
    heavy = 1 - (1 - figures["heavy_push_loss"]) ** (1 / PUSH_MONTHS)
    part = next(e["part"] for e in brand.tree["experiments"] if e["id"] == "push_frequency")
    since = month_time(brand, np.maximum(joined, 0.0))
    base = np.array([s["churn"] for s in brand.tree["segments"]])
    hazards = base * _scale_to_whole(brand, since, segment, base, heavy, part)
    rng = stream(seed, "removals")
    rate = np.log1p(-hazards)[segment]
    left = since + np.log(rng.random(len(since))) / rate

    test = stream(seed, "push test")
    inside = (since < PUSH_START) & (left >= PUSH_START) & (test.random(len(since)) < part)
    arm = np.where(inside, test.integers(2, size=len(since)), -1).astype(np.int8)
    pushed = arm == 1
    during = PUSH_START + np.log(test.random(len(since))) / np.log1p(-heavy)
    after = PUSH_START + PUSH_MONTHS + np.log(test.random(len(since))) / rate
    left = np.where(pushed, np.where(during < PUSH_START + PUSH_MONTHS, during, after), left)
    days = day_time(brand, left)
    return np.where(days < brand.days, days, NEVER), arm, tuple(hazards.tolist()), heavy


def _scale_to_whole(
    brand: Brand, since: np.ndarray, segment: np.ndarray, base: np.ndarray, heavy: float, part: float
) -> float:
    """Return the factor on the segments' hazards at which the brand is expected to lose its stated share a month."""
    last = len(brand.month_ends()) - 1
    edges = np.linspace(since.min(), last, 500)
    counts = np.array([np.histogram(since[segment == s], edges)[0] for s in range(len(base))], dtype=float)
    centres = (edges[:-1] + edges[1:]) / 2

    def whole(factor: float) -> float:
        gone = seen = 0.0
        for hazard, joins in zip(np.minimum(factor * base, 0.9), counts, strict=True):
            stay = 1 - hazard
            in_test = 0.0
            for month in range(last):
                there = (joins * np.where(centres < month, stay ** np.maximum(month - centres, 0), 0)).sum()
                if month == PUSH_START:
                    in_test = there * part / 2
                pushed = plain = 0.0
                if month >= PUSH_START:
                    spell = min(month - PUSH_START, PUSH_MONTHS)
                    plain = in_test * stay ** (month - PUSH_START)
                    pushed = in_test * (1 - heavy) ** spell * stay ** (month - PUSH_START - spell)
                rate = heavy if PUSH_START <= month < PUSH_START + PUSH_MONTHS else hazard
                gone += (there - plain) * hazard + pushed * rate
                seen += there - plain + pushed
        return gone / seen if seen else brand.figures["churn_rate"]

    low, high = 0.2, 3.0
    for _ in range(40):
        middle = (low + high) / 2
        low, high = (middle, high) if whole(middle) < brand.figures["churn_rate"] else (low, middle)
    return (low + high) / 2
