"""Order value: what is bought together, what offers are worth, why the average moved, how growth dilutes it."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from planlib.core.decompose import lmdi
from planlib.core.guards import Guard

CORRECTIONS = ("bonferroni", "none")


@dataclass(frozen=True, slots=True)
class PairCounts:
    """How many orders hold an item, and how many hold both items of a pair: all that rules need.

    One SQL statement can count this; Python need not see an order line.

    Attributes:
        orders: number of orders.
        item_orders: (K,) orders that hold each item at least once.
        first, second: (P,) items of each pair, as places in item_orders.
        together: (P,) orders that hold both.
    """

    orders: int
    item_orders: np.ndarray
    first: np.ndarray
    second: np.ndarray
    together: np.ndarray


@dataclass(frozen=True, slots=True)
class Associations:
    """Pairs of items, strongest lift first; all arrays (P,).

    Attributes:
        first, second: items.
        together: orders that hold both.
        support: share of all orders that hold both.
        confidence: attach rate, the share of the orders with the first item that hold the second too.
        confidence_back: the share of the orders with the second item that hold the first too.
        lift: support over what independent items would show; 1 = bought independently.
        low, high: limits of the lift.
        level: that all limits hold together (bonferroni) or each alone (none).
        comparisons: how many pairs were looked at; more pairs, more chance finds.
    """

    first: np.ndarray
    second: np.ndarray
    together: np.ndarray
    support: np.ndarray
    confidence: np.ndarray
    confidence_back: np.ndarray
    lift: np.ndarray
    low: np.ndarray
    high: np.ndarray
    level: float
    comparisons: int


@dataclass(frozen=True, slots=True)
class OfferArm:
    """One arm of an offer test, in sums over its visitors.

    Attributes:
        visitors: people who were shown the arm, buyers or not.
        orders: orders that they placed.
        gmv_cny: order value, after discounts.
        margin_cny: margin, after discounts, gifts and shipping that the offer costs.
        margin_squared: sum over visitors of (margin of the visitor)^2, CNY^2; 0 for who bought nothing.
    """

    visitors: int
    orders: int
    gmv_cny: float
    margin_cny: float
    margin_squared: float


@dataclass(frozen=True, slots=True)
class OfferVerdict:
    """An offer against no offer.

    Attributes:
        margin_control_cny, margin_offer_cny: margin of a visitor.
        effect_cny, low_cny, high_cny: offer - control, with limits (unequal variances, normal).
        level: of the limits.
        order_value_rel: relative change of order value; None when an arm has no order.
        conversion_rel: relative change of orders per visitor; None when the control has no order.
        verdict: better, worse or open, by the margin of a visitor alone.
        order_value_misleads: order value and margin of a visitor point in opposite directions.
    """

    margin_control_cny: float
    margin_offer_cny: float
    effect_cny: float
    low_cny: float
    high_cny: float
    level: float
    order_value_rel: float | None
    conversion_rel: float | None
    verdict: str
    order_value_misleads: bool


@dataclass(frozen=True, slots=True)
class Bridge:
    """A change of average order value, split by segment; mix.sum() + rate.sum() = after - before.

    Attributes:
        before_cny, after_cny: average order value.
        mix: (K,) CNY an order from the segment's changed share of orders.
        rate: (K,) CNY an order from the segment's changed order value.
    """

    before_cny: float
    after_cny: float
    mix: np.ndarray
    rate: np.ndarray


def count_pairs(basket: object, *, at_least: int = 1) -> PairCounts:
    """Count items and pairs of items over orders.

    Args:
        basket: (N, K) what each order holds; true or false, or numbers of which any above 0
            counts once. A numpy array, or any scipy.sparse matrix or array.
        at_least: smallest number of common orders of a pair to keep, >= 1.

    Raises:
        InputError: not two axes, no order, or a negative number.

    >>> count_pairs(np.array([[1, 1, 0], [1, 1, 1], [0, 0, 1]])).together
    array([2, 1, 1])
    """
    from scipy import sparse

    guard = Guard()
    fewest = guard.whole("at_least", at_least)
    if not sparse.issparse(basket):
        plain = np.asarray(basket)
        if plain.dtype != bool:
            plain = guard.numbers("basket", plain, low=0.0, ndim=(2,)) > 0
        if plain.ndim != 2:
            guard.add("shape", "basket", f"shape {plain.shape}", expected="2 axes, (orders, items)")
        guard.done()
        held = sparse.csr_array(plain, dtype=np.int64)
    else:
        held = sparse.csr_array(basket)
        guard.numbers("basket", np.append(held.data, 0), low=0.0)
        guard.done()
        held = (held > 0).astype(np.int64)
    if 0 in held.shape:
        guard.add("empty", "basket")
        guard.done()
    both = sparse.triu(held.T @ held, k=1).tocoo()
    keep = both.data >= fewest
    order = np.lexsort((both.col[keep], both.row[keep]))
    first, second, together = (part[keep][order].astype(np.int64) for part in (both.row, both.col, both.data))
    return PairCounts(held.shape[0], np.asarray(held.sum(axis=0)).ravel(), first, second, together)


def associations(counts: PairCounts, *, level: float = 0.95, correction: str = "bonferroni") -> Associations:
    """Tell how much more often two items are bought together than independent items would be.

    lift = n_ab N / (n_a n_b). Limits on the log scale by the delta method over the four cells:
    var(ln lift) = (1/p_ab - 1/p_a - 1/p_b + 2 lift - 1) / N. Pairs that share fewer than about
    five orders have limits that are only rough. Pairs never bought together are not in the
    table: a low attach rate is read from the items, not from here.

    Args:
        counts: from `count_pairs`, or counted by SQL.
        level: between 0 and 1.
        correction: bonferroni (all limits hold together with probability `level`) or none.

    Raises:
        InputError: a pair's common orders exceed an item's orders, or an item's all orders.

    Source: Agrawal, Imielinski & Swami 1993; Brin et al. 1997 (lift).

    >>> found = associations(PairCounts(100, np.array([40, 50]), np.array([0]), np.array([1]), np.array([30])))
    >>> float(found.lift[0]), float(found.confidence[0])
    (1.5, 0.75)
    """
    guard = Guard()
    total = guard.whole("orders", counts.orders)
    items = guard.numbers("item_orders", counts.item_orders, low=0.0, high=total, ndim=(1,))
    both = guard.numbers("together", counts.together, low=1.0, ndim=(1,))
    first, second = (np.asarray(part) for part in (counts.first, counts.second))
    for name, part in (("first", first), ("second", second)):
        if part.dtype.kind not in "iu" or part.shape != both.shape:
            guard.add("shape", name, f"{part.dtype} {part.shape}", expected=f"whole numbers, shape {both.shape}")
        elif part.size and (part.min() < 0 or part.max() >= len(items)):
            guard.add("out_of_range", name, int(part.max()), low=0, high=len(items) - 1)
    guard.number("level", level, above=0.0, below=1.0)
    guard.choice("correction", correction, CORRECTIONS)
    guard.done()
    a, b = items[first], items[second]
    if np.any(over := both > np.minimum(a, b)):
        pair = int(over.argmax())
        guard.add("at_most", f"together[{pair}]", int(both[pair]), high=int(min(a[pair], b[pair])))
        guard.done()
    pairs = len(both)
    each = 1 - (1 - level) / pairs if correction == "bonferroni" else level
    lift = both * total / (a * b)
    variance = (total / both - total / a - total / b + 2 * lift - 1) / total
    reach = np.exp(NormalDist().inv_cdf(0.5 + each / 2) * np.sqrt(np.maximum(variance, 0.0)))
    order = np.argsort(-lift, kind="stable")
    columns = (first, second, both.astype(np.int64), both / total, both / a, both / b, lift, lift / reach, lift * reach)
    return Associations(*(column[order] for column in columns), level, pairs)


def bundle_effect(take_rate: object, uplift: object) -> float | np.ndarray:
    """Return the relative change of average order value when some orders take a bundle.

    Args:
        take_rate: share of orders that take it.
        uplift: what it adds to each of those, relative to the average order; above -1.

    >>> round(bundle_effect(0.25, 1.20), 2)
    0.3
    """
    guard = Guard()
    share = guard.share("take_rate", take_rate)
    added = guard.numbers("uplift", uplift, above=-1.0)
    guard.done()
    effect = share * added
    return float(effect) if np.ndim(effect) == 0 else effect


def judge_offer(control: OfferArm, offer: OfferArm, *, level: float = 0.95) -> OfferVerdict:
    """Judge a bundle or a spend threshold by margin per visitor.

    A threshold lifts order value by sending small orders away, and a bundle by giving margin
    away: order value alone calls both a success.

    Raises:
        InputError: an arm has fewer than two visitors, a negative count, or squares too
            small for its margin.

    >>> verdict = judge_offer(OfferArm(1000, 100, 10_000, 4_000, 170_000), OfferArm(1000, 60, 9_000, 2_700, 125_000))
    >>> verdict.verdict, round(verdict.order_value_rel, 2), verdict.order_value_misleads
    ('worse', 0.5, True)
    """
    guard = Guard()
    guard.number("level", level, above=0.0, below=1.0)
    for name, arm in (("control", control), ("offer", offer)):
        visitors = guard.whole(f"{name}.visitors", arm.visitors, low=2)
        guard.whole(f"{name}.orders", arm.orders, low=0)
        guard.number(f"{name}.gmv_cny", arm.gmv_cny, low=0.0)
        margin = guard.number(f"{name}.margin_cny", arm.margin_cny)
        guard.number(f"{name}.margin_squared", arm.margin_squared, low=(1 - 1e-9) * margin**2 / visitors)
    guard.done()
    (m0, v0), (m1, v1) = _mean_and_variance(control), _mean_and_variance(offer)
    effect, half = m1 - m0, NormalDist().inv_cdf(0.5 + level / 2) * (v0 + v1) ** 0.5
    low, high = effect - half, effect + half
    order_value = None
    if control.orders and offer.orders and control.gmv_cny:
        order_value = (offer.gmv_cny / offer.orders) / (control.gmv_cny / control.orders) - 1
    rate = (offer.orders / offer.visitors) / (control.orders / control.visitors) - 1 if control.orders else None
    verdict = "better" if low > 0 else "worse" if high < 0 else "open"
    misleads = order_value is not None and (
        (verdict == "worse" and order_value > 0) or (verdict == "better" and order_value < 0)
    )
    return OfferVerdict(m0, m1, effect, low, high, level, order_value, rate, verdict, misleads)


def order_value_bridge(
    orders_before: object, value_before_cny: object, orders_after: object, value_after_cny: object
) -> Bridge:
    """Split a change of average order value into mix and rate (LMDI, nothing left over).

    Args:
        orders_before, orders_after: (K,) orders of each segment, >= 0, some above 0.
        value_before_cny, value_after_cny: (K,) average order value of each, >= 0; of a segment
            without orders give the other period's value.

    >>> bridge = order_value_bridge([50, 50], [100, 200], [25, 75], [100, 200])
    >>> bridge.after_cny - bridge.before_cny, bridge.rate.tolist()
    (25.0, [0.0, 0.0])
    """
    guard = Guard()
    counts = [guard.numbers(n, v, low=0.0, ndim=(1,)) for n, v in
              (("orders_before", orders_before), ("orders_after", orders_after))]
    values = [guard.numbers(n, v, low=0.0, ndim=(1,)) for n, v in
              (("value_before_cny", value_before_cny), ("value_after_cny", value_after_cny))]
    if len({part.shape for part in (*counts, *values)}) > 1:
        guard.add("shape", "orders_after", f"shape {counts[1].shape}", expected="one segment list for all four")
    for name, part in zip(("orders_before", "orders_after"), counts, strict=True):
        if not guard.problems and part.sum() == 0:
            guard.add("above", name, 0.0, low=0)
    guard.done()
    before, after = (
        np.stack([count / count.sum(), value], axis=-1) for count, value in zip(counts, values, strict=True)
    )
    parts = lmdi(before, after)
    totals = (float(side.prod(axis=-1).sum()) for side in (before, after))
    return Bridge(*totals, mix=parts[:, 0], rate=parts[:, 1])


def dilution_elasticity(users_ratio: float, value_ratio: float) -> float:
    """Return the exponent e of order value = users ^ e that two points show.

    Args:
        users_ratio: users after / before, > 0 and not 1.
        value_ratio: order value after / before, > 0.

    >>> round(dilution_elasticity(3.0, 0.82), 3)
    -0.181
    """
    guard = Guard()
    users = guard.number("users_ratio", users_ratio, above=0.0)
    value = guard.number("value_ratio", value_ratio, above=0.0)
    if users == 1:
        guard.add("no_change", "users_ratio", users)
    guard.done()
    return float(np.log(value) / np.log(users))


def diluted_order_value(order_value_cny: object, users: object, *, base_users: float, elasticity: float) -> np.ndarray:
    """Return the order value that is left when the base grows: value (users / base)^elasticity.

    Args:
        order_value_cny: CNY an order on the base that stood at first; number or (..., T).
        users: users path (..., T), > 0; at `base_users` nothing is diluted.
        base_users: users at whose level the order value was measured, > 0.
        elasticity: as `dilution_elasticity`, <= 0.

    >>> round(float(diluted_order_value(130.0, 200.0, base_users=100.0, elasticity=-0.18064)), 1)
    114.7
    """
    guard = Guard()
    value = guard.numbers("order_value_cny", order_value_cny, low=0.0)
    people = guard.numbers("users", users, above=0.0)
    base = guard.number("base_users", base_users, above=0.0)
    power = guard.number("elasticity", elasticity, high=0.0)
    guard.done()
    return value * (people / base) ** power


def _mean_and_variance(arm: OfferArm) -> tuple[float, float]:
    """Margin of a visitor, and the variance of that mean."""
    mean = arm.margin_cny / arm.visitors
    spread = max(arm.margin_squared - arm.visitors * mean**2, 0.0) / (arm.visitors - 1)
    return mean, spread / arm.visitors
