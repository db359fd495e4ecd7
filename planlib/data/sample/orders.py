"""Purchases: a first order after joining, repeats as BG/NBD says, values as Gamma-Gamma says, seasons as time runs.

Of the orders of strangers a part is moved, when all else is drawn, to buyers of a refill who come back in a cycle.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from planlib.core.streams import stream
from planlib.data.sample.brand import Brand, season
from planlib.data.sample.people import NEVER, People

CONVERSION_DAYS = 30  # window of the conversion that is planted
FIRST_PURCHASE_DAYS = 90
REPURCHASE_DAYS = 365
UNPAID, SHIPPING, UNDERWAY, DONE, RETURNED = 250, 20, 30, 100, 200  # the shop's codes
SMALLEST_FEN = 100


@dataclass(frozen=True, slots=True)
class Orders:
    """K orders in the order of time; money in fen, times in days of the period.

    Attributes:
        customer: (K,) place in People; -1 for buyers who are no contacts.
        at, refunded_at: (K,) refunded_at is infinite without a refund.
        status: (K,) as the shop codes it; unpaid orders are 250.
        product, qty, sale_fen, product_fen, discount_fen, order_fen, refund_fen: (K,).
        refiller: (K,) which buyer of refills a stranger's order belongs to, -1 for all other orders.
        buys: (segments,) chance that a customer ever buys.
        truth: what was planted, by name.
    """

    customer: np.ndarray
    at: np.ndarray
    refunded_at: np.ndarray
    status: np.ndarray
    product: np.ndarray
    qty: np.ndarray
    sale_fen: np.ndarray
    product_fen: np.ndarray
    discount_fen: np.ndarray
    order_fen: np.ndarray
    refund_fen: np.ndarray
    refiller: np.ndarray
    buys: np.ndarray
    truth: dict[str, float | None]

    @property
    def paid(self) -> np.ndarray:
        """Return (K,) whether an order was paid."""
        return self.status != UNPAID

    def __len__(self) -> int:
        return len(self.at)


def lively_time(brand: Brand, at: np.ndarray) -> np.ndarray:
    """Return days as time that runs faster on lively days; outside the period it runs evenly."""
    cumulated = np.concatenate([[0.0], np.cumsum(season(brand))])
    inside = np.interp(at, np.arange(brand.days + 1), cumulated)
    return inside + np.minimum(at, 0) + np.maximum(np.asarray(at) - brand.days, 0)


def clock_time(brand: Brand, lively: np.ndarray) -> np.ndarray:
    """Return the inverse of `lively_time`."""
    cumulated = np.concatenate([[0.0], np.cumsum(season(brand))])
    inside = np.interp(lively, cumulated, np.arange(brand.days + 1))
    return inside + np.minimum(lively, 0) + np.maximum(np.asarray(lively) - brand.days, 0)


def bgnbd_alpha(brand: Brand) -> float:
    """Return the scale at which the stated share of first buyers buys again within a year."""
    kept = (1 - brand.figures["repurchase_rate_365"]) ** (1 / brand.figures["bgnbd_r"])
    return REPURCHASE_DAYS * kept / (1 - kept)


def make_orders(brand: Brand, people: People, seed: int) -> Orders:
    """Draw every order of the period."""
    figures = brand.figures
    buys, conversion = _inclination(brand, people)
    customer, at = _purchases(brand, people, buys, seed)
    rng = stream(seed, "order values")
    v = figures["aov"] * (figures["gamma_q"] - 1) / figures["gamma_p"]
    taste = rng.gamma(figures["gamma_q"], 1 / v, size=len(people))

    n_guests = round(len(at) * figures["guest_order_share"] / (1 - figures["guest_order_share"]))
    guests = stream(seed, "guests")
    guest_at = clock_time(brand, guests.random(n_guests) * brand.days)
    n_unpaid = round((len(at) + n_guests) * figures["unpaid_order_share"] / (1 - figures["unpaid_order_share"]))
    unpaid = stream(seed, "unpaid")
    unpaid_at = clock_time(brand, unpaid.random(n_unpaid) * brand.days)
    pool = np.concatenate([customer, np.full(n_guests, -1)])
    who = pool[unpaid.integers(len(pool), size=n_unpaid)] if n_unpaid else np.empty(0, dtype=np.int64)
    # somebody who had not joined by then bought as a stranger
    who = np.where((who >= 0) & (people.joined[who] <= unpaid_at), who, -1)

    customer = np.concatenate([customer, np.full(n_guests, -1), who]).astype(np.int64)
    at = np.concatenate([at, guest_at, unpaid_at])
    is_unpaid = np.arange(len(at)) >= len(at) - n_unpaid
    order = np.argsort(at, kind="stable")
    customer, at, is_unpaid = customer[order], at[order], is_unpaid[order]
    k = len(at)
    rate = np.where(customer >= 0, taste[customer], rng.gamma(figures["gamma_q"], 1 / v, size=k))
    value = np.maximum(np.round(100 * rng.gamma(figures["gamma_p"], 1 / rate)), SMALLEST_FEN).astype(np.int64)

    list_fen = np.array([100 * product["price"] for product in brand.tree["products"]])
    product = rng.integers(len(list_fen), size=k)
    promoted = _promoted(brand, at)
    off = np.where(promoted, 0.10 * value, np.where(rng.random(k) < 0.3, 500 * rng.integers(1, 5, size=k), 0))
    qty = np.maximum(1, np.round(value / list_fen[product])).astype(np.int64)
    sale = -(-(value + off.astype(np.int64)) // qty)

    back = stream(seed, "refunds")
    returned = (back.random(k) < figures["refund_share"]) & ~is_unpaid
    whole = back.random(k) < 0.8
    refunded_at = np.where(returned, at + 1 + 6 * back.random(k), NEVER)
    refunded_at = np.where(refunded_at < brand.days, refunded_at, NEVER)
    returned = np.isfinite(refunded_at)
    refund = np.where(returned, np.where(whole, value, value // 2), 0)
    age = brand.days - at
    status = np.select(
        [is_unpaid, returned & whole, age < 1, age < 4], [UNPAID, RETURNED, SHIPPING, UNDERWAY], default=DONE
    )
    truth = {
        **conversion,
        "bgnbd_r": figures["bgnbd_r"],
        "bgnbd_alpha": bgnbd_alpha(brand),
        "bgnbd_a": figures["bgnbd_a"],
        "bgnbd_b": figures["bgnbd_b"],
        "gamma_p": figures["gamma_p"],
        "gamma_q": figures["gamma_q"],
        "gamma_v": v,
        "aov": figures["aov"],
        "repurchase_rate_365": figures["repurchase_rate_365"],
        "repurchase_rate": _repeats_so_far(brand, people, customer, at, is_unpaid),
        "refund_share": figures["refund_share"],
    }
    drawn = Orders(
        customer, at, refunded_at, status, product, qty, sale, sale * qty, sale * qty - value, value, refund,
        np.full(k, -1), buys, truth,
    )  # fmt: skip
    return _refilled(brand, drawn, seed)


def _refilled(brand: Brand, orders: Orders, seed: int) -> Orders:
    """Return the orders with a part of the strangers' given to buyers of the refill, who come back in their cycle.

    Numbers, values and states stay as drawn; moment, product and quantity of those orders change. Only paid orders that
    nothing was given back of are taken.
    """
    spec = brand.tree["refill"]
    pool = np.flatnonzero((orders.customer < 0) & orders.paid & ~np.isfinite(orders.refunded_at))
    at, who = _refills(brand, int(spec["part"] * len(pool)), seed)
    if not len(at):
        return orders
    chosen = np.sort(stream(seed, "orders of refills").permutation(pool)[: len(at)])
    moved, refiller, product = orders.at.copy(), orders.refiller.copy(), orders.product.copy()
    moved[chosen], refiller[chosen], product[chosen] = at, who, len(brand.tree["products"])
    value, off = orders.order_fen[chosen], orders.discount_fen[chosen]
    qty, sale, status = orders.qty.copy(), orders.sale_fen.copy(), orders.status.copy()
    qty[chosen] = np.maximum(1, np.round(value / (100 * spec["product"]["price"])))
    sale[chosen] = -(-(value + off) // qty[chosen])
    age = brand.days - at
    status[chosen] = np.select([age < 1, age < 4], [SHIPPING, UNDERWAY], default=DONE)
    order = np.argsort(moved, kind="stable")
    changed = replace(
        orders, at=moved, refiller=refiller, product=product, qty=qty, sale_fen=sale, status=status,
        product_fen=sale * qty, discount_fen=sale * qty - orders.order_fen,
    )  # fmt: skip
    in_time = {name: getattr(changed, name)[order] for name in _BY_ORDER}
    return replace(changed, **in_time)


_BY_ORDER = ("customer", "at", "refunded_at", "status", "product", "qty", "sale_fen", "product_fen", "discount_fen",
             "order_fen", "refund_fen", "refiller")  # fmt: skip


def _refills(brand: Brand, n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return (when, who) of n refills: buyers begin on any day of three quarters of the period and stay to its end."""
    spec = brand.tree["refill"]
    rng = stream(seed, "refills")
    when, who = [np.empty(0)], [np.empty(0, dtype=np.int64)]
    found = buyers = 0
    most = int(brand.days / (spec["cycle_days"] * 0.5)) + 2
    while found < n:
        cycle = spec["cycle_days"] * rng.gamma(1 / spec["between"] ** 2, spec["between"] ** 2)
        gaps = cycle * rng.gamma(1 / spec["within"] ** 2, spec["within"] ** 2, size=most)
        at = 0.75 * brand.days * rng.random() + np.concatenate([[0.0], np.cumsum(gaps)])
        at = at[at < brand.days][: n - found]
        when.append(at)
        who.append(np.full(len(at), buyers))
        found, buyers = found + len(at), buyers + 1
    return np.concatenate(when), np.concatenate(who)


def _inclination(brand: Brand, people: People) -> tuple[np.ndarray, dict[str, float]]:
    """Return (segments,) chances of ever buying, and the rates of first orders that they make.

    They are scaled so that, of those who joined long enough ago, the stated share is expected to be seen buying:
    of contacts whose unionid is unknown, orders cannot be seen.
    """
    figures = brand.figures
    base = np.array([s["buys"] for s in brand.tree["segments"]])
    within = {days: _within(brand, people, base, days) for days in (CONVERSION_DAYS, FIRST_PURCHASE_DAYS)}
    usual = sum(s["share"] * s["buys"] for s in brand.tree["segments"])
    usual *= -np.expm1(-CONVERSION_DAYS / figures["first_order_wait"]) * figures["identified_share"]
    chances, known = within[CONVERSION_DAYS]
    factor = figures["conversion_rate"] / (float((chances * known).mean()) if known.any() else usual)
    truth = {
        "conversion_rate": figures["conversion_rate"],
        "conversion_rate_of_identified": _mean(factor * chances[known]),
        "first_purchase_rate": _mean(factor * np.prod(within[FIRST_PURCHASE_DAYS], axis=0)),
    }
    return np.minimum(base * factor, 1.0), truth


def _within(brand: Brand, people: People, base: np.ndarray, days: int) -> tuple[np.ndarray, np.ndarray]:
    """Return, for customers who joined so many days ago or more, the unscaled chance of a first order within them, and
    whether their orders can be told to be theirs.
    """
    ripe = (people.joined >= 0) & (np.floor(people.joined) + days + 1 <= brand.days)
    joined = people.joined[ripe]
    spell = lively_time(brand, joined + days) - lively_time(brand, joined)
    chances = base[people.segment[ripe]] * -np.expm1(-spell / brand.figures["first_order_wait"])
    return chances, people.unionid_known[ripe]


def _mean(values: np.ndarray) -> float | None:
    return float(values.mean()) if len(values) else None


def _purchases(brand: Brand, people: People, buys: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return (who, when) of all orders of contacts in the period."""
    figures = brand.figures
    rng = stream(seed, "purchases")
    n = len(people)
    buyer = np.flatnonzero(rng.random(n) < buys[people.segment])
    now = lively_time(brand, people.joined[buyer]) + rng.exponential(figures["first_order_wait"], len(buyer))
    rate = rng.gamma(figures["bgnbd_r"], 1 / bgnbd_alpha(brand), len(buyer))
    dropout = rng.beta(figures["bgnbd_a"], figures["bgnbd_b"], len(buyer))
    end = float(lively_time(brand, np.array(brand.days)))
    who, when = [], []
    while len(buyer):
        inside = now < end
        buyer, now, rate, dropout = buyer[inside], now[inside], rate[inside], dropout[inside]
        seen = now >= 0
        who.append(buyer[seen])
        when.append(now[seen])
        # waits beyond the period are cut, so that a rate next to nothing overflows nothing
        now = now + np.minimum(rng.exponential(1.0, len(buyer)) / np.maximum(rate, 1e-12), 1e6)
        stays = (rng.random(len(buyer)) >= dropout) | (len(who) == 1)
        buyer, now, rate, dropout = buyer[stays], now[stays], rate[stays], dropout[stays]
    customer = np.concatenate(who) if who else np.empty(0, dtype=np.int64)
    at = clock_time(brand, np.concatenate(when)) if when else np.empty(0)
    return customer, at


def _repeats_so_far(
    brand: Brand, people: People, customer: np.ndarray, at: np.ndarray, is_unpaid: np.ndarray
) -> float | None:
    """Return the share of first buyers expected to have bought again by the end, given when each bought first.

    Counted are those who joined in the period and are known; None without any.
    """
    theirs = ~is_unpaid & (customer >= 0)
    first = np.full(len(people), NEVER)
    np.minimum.at(first, customer[theirs], at[theirs])
    first = first[np.isfinite(first) & (people.joined >= 0) & people.unionid_known]
    alpha = bgnbd_alpha(brand)
    rest = lively_time(brand, np.full(len(first), brand.days)) - lively_time(brand, first)
    return _mean(1 - (alpha / (alpha + rest)) ** brand.figures["bgnbd_r"])


def _promoted(brand: Brand, at: np.ndarray) -> np.ndarray:
    """Return whether moments lie in a promotion."""
    day = np.floor(at)
    out = np.zeros(len(at), dtype=bool)
    for promotion in brand.tree["promotions"]:
        out |= (day >= brand.index(promotion["first"])) & (day <= brand.index(promotion["last"]))
    return out
