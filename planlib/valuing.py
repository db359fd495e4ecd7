"""What customers are worth and whom to act on: arrays of the tidy tables meet the rooms that segment and value.

`collect` does everything that notebook 60 tells; the lists in it are what `planlib list` exports.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from planlib.core.errors import InputError
from planlib.customer_tables import (
    LEAST_HISTORY_DAYS,
    SCORES,
    Customers,
    Cycles,
    Pushes,
    Scored,
    at,
    cycles,
    places,
    pushes,
    scores,
    stand_at,
)
from planlib.customers import churn, clv, lifetime, radar, scoring, segments, spend, tiers
from planlib.data.baseline import Windows

if TYPE_CHECKING:
    from planlib.data.engine import Engine
    from planlib.plan.customer_inputs import CustomerTerms

AXES = clv.AXES
LEAST_REPEATERS = 20  # buyers who came back, below which no lifetime is told
INTERVAL_DRAWS = 200
DAYS_A_MONTH = 365.25 / 12
SHORTLY_DAYS = 14  # what comes within so many days is on a list today
NEAR_TIER = 5.0  # points of score below a cut that make a member a candidate
REMIND_AHEAD_DAYS = 7
LISTS = ("churn", "purchase", "reminder", "promotion", "radar")


@dataclass(frozen=True, slots=True, eq=False)
class Segmentation:
    """Listed customers by segment, now and a quarter before, by the same cuts.

    Attributes:
        cuts: where each axis turns high.
        proposed: axes whose cut the data propose, since the plan gives none.
        segmented, profiles: of now.
        moved: who went where since; shift: population stability index of the two dates; None without a past.
    """

    cuts: segments.Cuts
    proposed: tuple[str, ...]
    segmented: segments.Segmented
    profiles: tuple[segments.Profile, ...]
    moved: segments.Migration | None
    shift: segments.Psi | None


def segment(now: Customers, before: Customers | None, given: Mapping[str, float]) -> Segmentation:
    """Segment listed customers.

    Args:
        now, before: listed ones of two moments.
        given: cuts of the plan by its names: recency_days, orders, money_cny, social_acts.
    """
    proposal = segments.propose_cuts(*_rfms(now)).cuts
    names = {"recency_days": "recency_days", "orders": "frequency", "money_cny": "money_cny", "social_acts": "social"}
    cuts = replace(proposal, **{names[name]: float(cut) for name, cut in given.items()})
    found = segments.rfms(*_rfms(now), cuts=cuts)
    moved = shift = None
    if before is not None and len(before):
        old = segments.rfms(*_rfms(before), cuts=cuts)
        moved = segments.migration(*_paired(now, before, found.segment, old.segment))
        shift = segments.population_stability(old.counts, found.counts)
    proposed = tuple(name for name in names if name not in given)
    return Segmentation(cuts, proposed, found, segments.profile(found.segment, *_rfms(now)), moved, shift)


def value_radar(found: Found) -> tuple[radar.Radar, ...]:
    """Return where each segment stands on the three axes of the value radar, as percentiles of all listed customers."""
    listed = found.listed
    axes = {"activity": listed.acts, "spending": listed.money_cny, "influence": listed.social}
    return radar.radar(
        axes, found.segmentation.segmented.segment, groups=len(segments.SEGMENTS), names=segments.SEGMENTS
    )


def stability(listed: Customers, rng: np.random.Generator) -> segments.Stability:
    """Return how many listed customers keep their segment when cuts are proposed again from a resample."""
    return segments.stability(*_rfms(listed), rng=rng, resamples=50)


def _rfms(customers: Customers) -> tuple[np.ndarray, ...]:
    return customers.recency_days, customers.orders, customers.money_cny, customers.social


def _paired(now: Customers, before: Customers, new: np.ndarray, old: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the classes of the same persons at both moments, -1 where one is no customer."""
    at_old = places(now, before)
    gone = places(before, now) < 0
    was = np.where(at_old >= 0, old[np.maximum(at_old, 0)], -1)
    return np.concatenate([was, old[gone]]), np.concatenate([new, np.full(int(gone.sum()), -1)])


@dataclass(frozen=True, slots=True, eq=False)
class Lifetime:
    """What the listed customers will bring.

    Attributes:
        life, spend: the fits, on buyers who joined in the data's time, listed still or not; None with a reason.
        purchases: (N,) orders expected within the horizon; zeros for those who never ordered, or without a fit.
        values: margin ahead of each, with its interval; None with a reason.
        newcomer_cny: margin of a new buyer, the first order included; None with a reason.
        held_out: orders of the last quarter foretold without it, by repeat purchases before; None where the data are
            too short.
        reason: "" or few_repeats, no_maximum, spend_undefined.
    """

    life: lifetime.BgNbd | None
    spend: spend.GammaGamma | None
    purchases: np.ndarray
    values: clv.Values | None
    newcomer_cny: float | None
    held_out: clv.Calibration | None
    reason: str


def lifetime_of(
    everyone: Customers, before: Customers | None, *, since: dt.date, terms: clv.Terms, rng: np.random.Generator
) -> Lifetime:
    """Tell what listed customers will bring.

    Args:
        everyone: all who had joined by now; before: the same a quarter before, for the hold-out.
        since: first day of the data: of those who joined earlier the first order may be unknown.
        terms: horizon in days, margin, discount.
        rng: for intervals.
    """
    listed = everyone.where(everyone.listed)
    nothing = np.zeros(len(listed))
    fitted = _fit(everyone, since)
    if isinstance(fitted, str):
        return Lifetime(None, None, nothing, None, None, None, fitted)
    life, paid = fitted
    bought = listed.bought
    buyers = listed.where(bought)
    buying = _buying(buyers)
    ahead = float(terms.horizons[-1])
    purchases = nothing.copy()
    purchases[bought] = life.expected_purchases(*buying, ahead)
    values = None
    if len(buyers):
        values = clv.lifetime_value(
            life, paid, *buying, _repeat_mean(buyers), terms, draws=INTERVAL_DRAWS, rng=rng, level=0.95
        )
        values = _spread(values, bought)
    newcomer = clv.newcomer_value(life, paid, terms) if paid.population_mean is not None else None
    return Lifetime(life, paid, purchases, values, newcomer, _held_out(everyone, before, since), "")


def _fit(everyone: Customers, since: dt.date) -> tuple[lifetime.BgNbd, spend.GammaGamma] | str:
    known = everyone.where(everyone.bought & (everyone.joined >= np.datetime64(since)))
    if (known.repeats > 0).sum() < LEAST_REPEATERS:
        return "few_repeats"
    try:
        life = lifetime.fit_bgnbd(*_buying(known))
        paid = spend.fit_gamma_gamma(known.repeats, _repeat_mean(known))
    except InputError:
        return "no_maximum"
    return (life, paid) if paid.population_mean is not None else "spend_undefined"


def _buying(buyers: Customers) -> tuple[np.ndarray, ...]:
    return buyers.repeats, buyers.last_after_first_days, buyers.age_days


def _repeat_mean(buyers: Customers) -> np.ndarray:
    return (buyers.money_cny - buyers.first_cny) / np.maximum(buyers.repeats, 1)


def _spread(values: clv.Values, bought: np.ndarray) -> clv.Values:
    """Return the values of buyers as values of all, 0 for those who never ordered."""

    def over_all(part: np.ndarray | None) -> np.ndarray | None:
        if part is None:
            return None
        whole = np.zeros(len(bought))
        whole[bought] = part
        return whole

    return replace(values, value=over_all(values.value), low=over_all(values.low), high=over_all(values.high))


def _held_out(everyone: Customers, before: Customers | None, since: dt.date) -> clv.Calibration | None:
    """Foretell the last quarter from what was known before it."""
    if before is None:
        return None
    fitted = _fit(before, since)
    if isinstance(fitted, str):
        return None
    known = before.where(before.bought & (before.joined >= np.datetime64(since)))
    later = places(known, everyone)
    came = np.where(later >= 0, everyone.days_bought[np.maximum(later, 0)] - known.days_bought, 0.0)
    ahead = float((everyone.until - before.until).days)
    told = fitted[0].expected_purchases(*_buying(known), ahead)
    return clv.calibrate_by_frequency(known.repeats, told, np.maximum(came, 0.0), top=3)


@dataclass(frozen=True, slots=True, eq=False)
class Membership:
    """Listed customers by tier, the lowest tier first.

    Attributes:
        cuts: rising, 0 to 100; proposed: whether the data propose them.
        score: (N,) 0 to 100.
        now: tiers today.
        moves: monthly moves over the last quarter, leaving included; None without a past.
        moved: who went where in that quarter; values: what a member of each tier is worth.
        jump: orders of the quarter just above the lowest cut against just below it, by the score of the quarter before.
    """

    cuts: tuple[float | None, ...]
    proposed: bool
    score: np.ndarray
    now: tiers.Tiered
    moves: tiers.Transitions | None
    moved: segments.Migration | None
    values: tiers.TierValues | None
    margin_cny: np.ndarray
    jump: tiers.Jump | None


def membership(
    moments: Sequence[Customers], life: Lifetime, *, shares: Sequence[float], given: Sequence[float | None],
    margin: float, rights_cny: np.ndarray, discount_month: float,
) -> Membership:  # fmt: skip
    """Put listed customers into tiers, follow them month by month, and value the tiers.

    Args:
        moments: listed customers, a month apart, the newest last; one is enough for the tiers themselves.
        life: fits that the score's lifetime value stands on.
        shares: of the customers, lowest tier first, that cuts are proposed for; given: cuts of the plan, 0 to 1.
        margin: share of money that is margin; rights_cny: (K,) of a member in a month.
        discount_month: what next month's money is worth today.
    """
    scored = [_tier_score(c, life) for c in moments]
    above = np.cumsum(np.asarray(shares)[::-1])[::-1][1:]
    proposed = any(cut is None for cut in given)
    cuts = tiers.propose_tier_cuts(scored[-1], shares=tuple(above)) if proposed else tuple(100.0 * c for c in given)
    found, counts, many = None, np.zeros((len(shares), len(shares) + 1)), len(shares)
    first = None
    for k, (customers, score) in enumerate(zip(moments, scored, strict=True)):
        previous = None
        if found is not None:
            at_old = places(customers, moments[k - 1])
            previous = np.where(at_old >= 0, found.tier[np.maximum(at_old, 0)], -1)
        old, found = found, tiers.tiers(score, cuts=cuts, previous=previous)
        first = first or found
        if old is not None:
            pairs = segments.migration(*_paired(customers, moments[k - 1], found.tier, old.tier), classes=many)
            counts += pairs.counts[:many]
    earned = margin * np.bincount(found.tier, moments[-1].quarter_cny, many) / 3
    margin_cny = earned / np.maximum(found.counts, 1)
    if len(moments) == 1:
        return Membership(cuts, proposed, scored[-1], found, None, None, None, margin_cny, None)
    moves = tiers.transitions(counts)
    moved = segments.migration(*_paired(moments[-1], moments[0], found.tier, first.tier), classes=many)
    worth = tiers.tier_values(moves.living, margin_cny - rights_cny, discount=discount_month)
    jump = None
    if cuts[0] is not None:
        at_new = places(moments[0], moments[-1])
        came = np.where(at_new >= 0, moments[-1].quarter_days[np.maximum(at_new, 0)], 0.0)
        jump = tiers.jump_at_cut(scored[0], came, cut=cuts[0])
    return Membership(cuts, proposed, scored[-1], found, moves, moved, worth, margin_cny, jump)


def _tier_score(customers: Customers, life: Lifetime) -> np.ndarray:
    """RFM, lifetime value where it is told, and depth of interaction, each as percentiles, weighing the same."""
    rfm = segments.rfm_scores(customers.recency_days, customers.orders, customers.money_cny)
    parts = {"rfm": rfm.recency + rfm.frequency + rfm.money, "interaction": customers.acts}
    if life.life is not None:
        expected = np.zeros(len(customers))
        buyers = customers.where(customers.bought)
        if len(buyers):
            orders = life.life.expected_purchases(*_buying(buyers), 365.0)
            expected[customers.bought] = orders * life.spend.expected_spend(buyers.repeats, _repeat_mean(buyers))
        parts["lifetime_value"] = expected
    return tiers.tier_score(parts, weights=dict.fromkeys(parts, 1.0))


@dataclass(frozen=True, slots=True, eq=False)
class Listing:
    """Customers to act on, the first first; ids are hashed.

    Attributes:
        name: of the list.
        external_hid, staff_id: (M,) whom, and who serves them.
        reason, action: (M,) ids of words: why the customer is on it, what to do.
        score: (M,) probability or days; NaN where there is none.
        value_cny: (M,) what is at stake; NaN where it is not told.
        due: (M,) day by which; NaT for now.
        net_cny: expected worth of acting on all of them; None where the list is not chosen by money.
        unserved: customers left out since nobody serves them.
    """

    name: str
    external_hid: np.ndarray
    staff_id: np.ndarray
    reason: np.ndarray
    action: np.ndarray
    score: np.ndarray
    value_cny: np.ndarray
    due: np.ndarray
    net_cny: float | None
    unserved: int

    def __len__(self) -> int:
        return len(self.external_hid)


def listing(
    name: str, listed: Customers, order: np.ndarray, *, reason: str, action: str, score: np.ndarray | None = None,
    value_cny: np.ndarray | None = None, due: np.ndarray | None = None, net_cny: float | None = None,
) -> Listing:  # fmt: skip
    """Return the customers at the places `order`, without those whom nobody serves; columns are (N,) of all listed."""
    served = order[(listed.external_hid[order] != "") & (listed.staff_id[order] != "")]
    nothing, never = np.full(len(listed), np.nan), np.full(len(listed), np.datetime64("NaT"), dtype="M8[D]")
    columns = [nothing if column is None else column for column in (score, value_cny)]
    columns.append(never if due is None else due)
    words = (np.full(len(served), text, dtype=object) for text in (reason, action))
    return Listing(
        name, listed.external_hid[served], listed.staff_id[served], *words, *(column[served] for column in columns),
        net_cny, len(order) - len(served),
    )  # fmt: skip


def worth_keeping(listed: Customers, life: Lifetime, buys: np.ndarray) -> np.ndarray:
    """Return (N,) margin at stake when a contact leaves: what is expected of buyers, and of the others the chance of a
    first order within the window times the worth of a new buyer.

    Args:
        buys: (N,) chance to buy within the window.
    """
    if life.values is None:
        return np.zeros(len(listed))
    first = np.where(listed.bought, 0.0, buys * (life.newcomer_cny or 0.0))
    return life.values.value + first


@dataclass(frozen=True, slots=True, eq=False)
class Chosen:
    """Whom to contact, and how a score fared.

    Attributes:
        choice: by money; None without a score or terms.
        contacted, net_cny: (C,) share of people contacted from the best on, and what that is expected to bring.
        reason: "" or why there is no choice.
    """

    choice: scoring.Choice | None
    contacted: np.ndarray
    net_cny: np.ndarray
    reason: str


def chosen(net_cny: np.ndarray, choice: scoring.Choice) -> Chosen:
    """Return the curve of what contacting more and more people brings, finely where the choice lies."""
    gained = np.concatenate([[0.0], np.cumsum(np.sort(net_cny)[::-1])])
    part = len(choice.order) / max(len(net_cny), 1)
    at = np.unique(np.concatenate([np.linspace(0, min(6 * part, 1.0), 241), np.linspace(0, 1, 41)]))
    return Chosen(choice, at, np.interp(at * len(net_cny), np.arange(len(gained)), gained), "")


@dataclass(frozen=True, slots=True, eq=False)
class Found:
    """Everything that notebook 60 tells of the customers of one data folder.

    Attributes:
        windows: days that count.
        everyone, listed: all who had joined, and those listed still.
        segmentation, grid, grid_cuts, life, membership, five: see their rooms; membership None without tiers or terms.
        scored: leaves and buys; warned, offered: whom to contact by them.
        cycles, pushes: of goods, of messages.
        goals: name -> how listed customers fare on their own clock.
        lists: of LISTS, those with somebody on them.
    """

    windows: Windows
    everyone: Customers
    listed: Customers
    segmentation: Segmentation
    grid: segments.Grid
    grid_cuts: segments.GridCuts
    life: Lifetime
    membership: Membership | None
    five: clv.FiveScore | None
    scored: Mapping[str, Scored]
    warned: Chosen
    offered: Chosen
    worth_cny: np.ndarray
    cycles: Cycles
    pushes: Pushes
    goals: Mapping[str, radar.Followed]
    lists: Mapping[str, Listing]


def collect(
    engine: Engine, windows: Windows, terms: CustomerTerms | None, *, rng: Callable[[str], np.random.Generator],
    first_purchase_months: int | None = None, repurchase_goal: tuple[int, int] | None = None,
    bearable_churn_month: float | None = None,
) -> Found | None:  # fmt: skip
    """Ask the tables about customers and reckon what they are worth; None where nobody is listed.

    Args:
        terms: of the plan; without them customers are counted and nothing is put into money.
        rng: named random streams.
        first_purchase_months, repurchase_goal, bearable_churn_month: what the plan asks; None = it does not.
    """
    past = [d for d in (90, 60, 30) if windows.history > d + LEAST_HISTORY_DAYS]
    moments = [at(engine, replace(windows, as_of=windows.as_of - dt.timedelta(days=d))) for d in (*past, 0)]
    everyone, before = moments[-1], moments[0] if past else None
    of_listed = [c.where(c.listed) for c in moments]
    listed, quarter_ago = of_listed[-1], of_listed[0] if past else None
    if not len(listed):
        return None
    ahead = clv.Terms(12, DAYS_A_MONTH, 1.0, 0.0)
    if terms is not None:
        ahead = clv.Terms(terms.horizon_months, DAYS_A_MONTH, terms.margin, terms.discount_month)
    life = lifetime_of(everyone, before, since=windows.first, terms=ahead, rng=rng("lifetime"))
    members = None
    if terms is not None and terms.tiers:
        members = membership(
            of_listed, life, shares=[t.share for t in terms.tiers], given=[t.from_score for t in terms.tiers[1:]],
            margin=terms.margin, rights_cny=np.array([t.rights_cny_month for t in terms.tiers]),
            discount_month=1 / (1 + terms.discount_month),
        )  # fmt: skip
    scored = scores(engine, windows, tag_group=terms.tag_group if terms else "")
    leaves, buys = (_aligned(scored[name], listed) for name in SCORES)
    worth = worth_keeping(listed, life, buys)
    warned = offered = Chosen(None, np.zeros(0), np.zeros(0), "no_terms" if terms is None else life.reason)
    if terms is not None and life.values is not None:
        if scored["leaves"].score is not None:
            warned = _warned(leaves, worth, terms)
        if scored["buys"].score is not None:
            offered = _offered(buys, listed, life, terms)
    value = worth if life.values is not None else listed.money_cny
    cuts = segments.propose_grid_cuts(value, listed.acts)
    social = segments.propose_cuts(*_rfms(listed)).cuts.social
    tidy = Found(
        windows, everyone, listed, segment(listed, quarter_ago, terms.cuts if terms else {}),
        segments.grid(value, listed.acts, cuts=cuts, social=listed.social, social_cut=social), cuts, life, members,
        _five(of_listed, rng("five_dimensions")), scored, warned, offered, worth,
        cycles(engine, windows.until, quantile=terms.reminder_quantile if terms else 0.5),
        pushes(engine, windows, bearable_churn_month=bearable_churn_month),
        _followed(engine, listed, windows, first_purchase_months, repurchase_goal), {},
    )  # fmt: skip
    return replace(tidy, lists=_lists(tidy, leaves, buys))


def _aligned(scored: Scored, listed: Customers) -> np.ndarray:
    """Return the probabilities in the order of the listed customers; 0 for those who joined too late to be scored."""
    at_place = np.searchsorted(scored.person.astype(str), listed.person.astype(str))
    at_place = np.minimum(at_place, max(len(scored.person) - 1, 0))
    same = scored.person[at_place] == listed.person if len(scored.person) else np.zeros(len(listed), dtype=bool)
    return np.where(same, scored.probability[at_place] if len(scored.person) else 0.0, 0.0)


def _warned(leaves: np.ndarray, worth: np.ndarray, terms: CustomerTerms) -> Chosen:
    choice = churn.warn(leaves, value_cny=np.maximum(worth, 0.0), success=terms.care_success, cost_cny=terms.care_cny)
    return chosen(choice.net_cny, choice)


def _offered(buys: np.ndarray, listed: Customers, life: Lifetime, terms: CustomerTerms) -> Chosen:
    """An offer earns the lift of the chance to buy times the margin of the order; it costs the same, bought or not."""
    margin = np.full(len(listed), terms.margin * life.spend.population_mean)
    bought = listed.bought
    buyers = listed.where(bought)
    if len(buyers):
        margin[bought] = terms.margin * life.spend.expected_spend(buyers.repeats, _repeat_mean(buyers))
    choice = scoring.choose(buys, gain_cny=terms.offer_lift * margin, cost_cny=terms.offer_cny)
    return chosen(choice.net_cny, choice)


def _five(moments: Sequence[Customers], rng: np.random.Generator) -> clv.FiveScore | None:
    """Score listed customers on five axes; weights by what those of a quarter ago brought since."""
    then, now = moments[0], moments[-1]
    if len(moments) == 1:
        return None
    place = places(then, now)
    brought = np.where(place >= 0, now.quarter_cny[np.maximum(place, 0)], 0.0)
    axes = {
        "activity": then.acts, "spending": then.money_cny, "social": then.social, "content": then.content,
        "loyalty": then.tenure_days,
    }  # fmt: skip
    return clv.five_dimensions(axes, brought, rng=rng)


def _followed(
    engine: Engine, listed: Customers, windows: Windows, first_purchase_months: int | None,
    repurchase_goal: tuple[int, int] | None,
) -> dict[str, radar.Followed]:  # fmt: skip
    found = {}
    as_of = np.datetime64(windows.as_of, "D")
    new = listed.joined >= np.datetime64(windows.first, "D")  # of those before, the first order may be unknown
    never = np.full(len(listed), np.datetime64("NaT"), dtype="M8[D]")
    if first_purchase_months is not None and new.any():
        goal, start = radar.Goal("first_purchase", 1, first_purchase_months), np.where(new, listed.joined, never)
        found["first_purchase"] = radar.follow(start, listed.first, goal=goal, as_of=as_of)
    if repurchase_goal is not None and (new & listed.bought).any():
        needed, months = repurchase_goal
        stand_at(engine, windows.until)
        rows = engine.query("purchase_days", {}).arrays()
        who = np.searchsorted(listed.person.astype(str), rows["person"].astype(str))
        who = np.minimum(who, len(listed) - 1)
        mine = listed.person[who] == rows["person"]
        day = np.asarray(rows["bought_on"]).astype("M8[D]")
        later = mine & (day > listed.first[who])
        third = radar.reached_on(
            who[later], day[later], np.ones(int(later.sum())), customers=len(listed), needed=needed
        )
        goal = radar.Goal("repurchases", needed, months)
        found["repurchases"] = radar.follow(np.where(new, listed.first, never), third, goal=goal, as_of=as_of)
    return found


def _lists(found: Found, leaves: np.ndarray, buys: np.ndarray) -> dict[str, Listing]:
    listed, made = found.listed, []
    for name, score, picked, reason, action in (
        ("churn", leaves, found.warned, "leaves", "care"),
        ("purchase", buys, found.offered, "buys", "offer"),
    ):
        if picked.choice is not None:
            made.append(
                listing(
                    name, listed, picked.choice.order, reason=reason, action=action, score=score,
                    value_cny=found.worth_cny, net_cny=picked.choice.expected_net_cny,
                )
            )  # fmt: skip
    made.append(_reminder_list(found))
    if found.membership is not None:
        made.append(_promotion_list(found, found.membership))
    if "first_purchase" in found.goals:
        left = found.goals["first_purchase"].days_left
        soon = np.flatnonzero((left >= 0) & (left <= SHORTLY_DAYS))
        due = np.datetime64(found.windows.as_of, "D") + np.maximum(left, 0)
        order = soon[np.lexsort((soon, left[soon]))]
        made.append(listing("radar", listed, order, reason="first_purchase_due", action="first_offer", due=due))
    return {one.name: one for one in made if len(one)}


def _reminder_list(found: Found) -> Listing:
    """Everybody whose reminder falls due shortly, one line a customer, the earliest first."""
    listed, cycles_ = found.listed, found.cycles
    today = np.datetime64(found.windows.as_of, "D")
    due = np.full(len(listed), np.datetime64("NaT"), dtype="M8[D]")
    if len(cycles_.person):
        at_place = np.minimum(np.searchsorted(listed.person.astype(str), cycles_.person.astype(str)), len(listed) - 1)
        mine = (listed.person[at_place] == cycles_.person) & ~np.isnat(cycles_.due)
        mine &= (cycles_.due <= today + REMIND_AHEAD_DAYS) & (cycles_.due >= today - SHORTLY_DAYS)
        far = np.datetime64("9999-12-31")
        first = np.full(len(listed), far)
        np.minimum.at(first, at_place[mine], cycles_.due[mine])
        due = np.where(first == far, due, first)
    order = np.flatnonzero(~np.isnat(due))
    order = order[np.lexsort((order, due[order]))]
    return listing("reminder", listed, order, reason="cycle_due", action="remind", due=due)


def _promotion_list(found: Found, members: Membership) -> Listing:
    """Members a little below the next cut, the nearest first."""
    cuts = np.array([np.inf if cut is None else cut for cut in (*members.cuts, None)])
    short = cuts[members.now.tier] - members.score
    order = np.flatnonzero((short > 0) & (short <= NEAR_TIER))
    order = order[np.lexsort((order, short[order]))]
    return listing("promotion", found.listed, order, reason="near_tier", action="growth_task")
