"""What customers are worth and who is about to leave: the tidy tables meet the rooms that segment, value and score.

`at` asks the tables once for one moment; everything else takes what it returned. Notebook 60 and `planlib list` stand
on this module.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from planlib.core.errors import InputError
from planlib.customers import churn, clv, fatigue, lifetime, radar, repurchase, scoring, segments, spend, tiers
from planlib.data.baseline import Windows

if TYPE_CHECKING:
    from planlib.data.engine import Engine
    from planlib.plan.customer_inputs import CustomerTerms

FEN = 100.0
QUARTER = dt.timedelta(days=90)
AXES = clv.AXES


@dataclass(frozen=True, slots=True, eq=False)
class Customers:
    """Persons who had joined by a moment.

    Attributes:
        until: the day after the last that counts.
        person, external_hid, staff_id: (N,) hashed ids; "" where nobody serves the person any more.
        joined, first, last, acted: (N,) days of joining, first and last order, last act; NaT where there is none.
        listed: (N,) whether it is a contact still.
        orders, days_bought, quarter_days: (N,) paid orders, days with one, such days among the last 90.
        money_cny, first_cny, quarter_cny: (N,) paid less refunded of all orders, of the first day with one, of the last
            90 days; below zero where more came back than was paid in the data's time.
        acts, social, content: (N,) own acts of the last 90 days; acts of a year that bring others in, that answer
            content.
    """

    until: dt.date
    person: np.ndarray
    external_hid: np.ndarray
    staff_id: np.ndarray
    joined: np.ndarray
    listed: np.ndarray
    first: np.ndarray
    last: np.ndarray
    orders: np.ndarray
    days_bought: np.ndarray
    quarter_days: np.ndarray
    money_cny: np.ndarray
    first_cny: np.ndarray
    quarter_cny: np.ndarray
    acts: np.ndarray
    social: np.ndarray
    content: np.ndarray
    acted: np.ndarray

    def __len__(self) -> int:
        return len(self.person)

    def where(self, kept: np.ndarray) -> Customers:
        """Return those of the mask or places `kept`."""
        columns = {name: getattr(self, name)[kept] for name in self.__slots__ if name != "until"}
        return replace(self, **columns)

    @property
    def bought(self) -> np.ndarray:
        """(N,) whether they have ever ordered in the data's time."""
        return self.orders > 0

    @property
    def recency_days(self) -> np.ndarray:
        """(N,) days from the last order to the last day that counts; 0 without orders."""
        return self._days_since(self.last)

    @property
    def repeats(self) -> np.ndarray:
        """(N,) days with an order after the first such day."""
        return np.maximum(self.days_bought - 1, 0)

    @property
    def last_after_first_days(self) -> np.ndarray:
        """(N,) days from the first order to the last; 0 without orders."""
        return np.where(self.bought, (self.last - self.first).astype("m8[D]").astype(float), 0.0)

    @property
    def age_days(self) -> np.ndarray:
        """(N,) days from the first order to the last day that counts; 0 without orders."""
        return self._days_since(self.first)

    @property
    def tenure_days(self) -> np.ndarray:
        """(N,) days since joining."""
        return self._days_since(self.joined)

    def _days_since(self, days: np.ndarray) -> np.ndarray:
        passed = (np.datetime64(self.until, "D") - days).astype("m8[D]").astype(float) - 1
        return np.where(np.isnat(days), 0.0, np.maximum(passed, 0.0))


def at(engine: Engine, windows: Windows) -> Customers:
    """Return everybody who had joined by the end of the windows.

    The tables `people` and `sold` of the engine stand at that moment afterwards.
    """
    parameters = windows.parameters()
    for name in ("people", "sold"):
        engine.keep(name, parameters)
    found = engine.query("customers_at", parameters).arrays()

    def numbers(name: str) -> np.ndarray:
        return np.ma.filled(found[name], 0).astype(float)

    def days(name: str) -> np.ndarray:
        return np.ma.filled(np.ma.asarray(found[name]).astype("M8[D]"), np.datetime64("NaT"))

    def ids(name: str) -> np.ndarray:
        return np.ma.filled(np.ma.asarray(found[name], dtype=object), "")

    return Customers(
        windows.until, *(ids(name) for name in ("person", "external_hid", "staff_id")), days("joined_on"),
        numbers("listed") > 0, days("first_on"), days("last_on"),
        *(numbers(name) for name in ("orders", "days_bought", "quarter_days")),
        *(numbers(name) / FEN for name in ("fen", "first_fen", "quarter_fen")),
        *(numbers(name) for name in ("acts_quarter", "social", "content")), days("acted_on"),
    )  # fmt: skip


def places(of: Customers, among: Customers) -> np.ndarray:
    """Return (N,) place of each person of one moment among those of another; -1 where it is not there."""
    if not len(among):
        return np.full(len(of), -1)
    order = np.searchsorted(among.person.astype(str), of.person.astype(str))
    found = np.minimum(order, len(among) - 1)
    return np.where(among.person[found] == of.person, found, -1)


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


WINDOW_DAYS = churn.WINDOW_DAYS  # what warnings and propensities look ahead
MOST_CUTS = 5  # moments that a score is built on, the last one to prove it
LEAST_HISTORY_DAYS = 90  # that features look back
SCORES = ("leaves", "buys")


@dataclass(frozen=True, slots=True, eq=False)
class Scored:
    """A score proven on the last window and applied to who is listed now.

    Attributes:
        score: the model with its proof; None with a reason.
        person: (N,) listed now.
        probability: (N,) calibrated; zeros without a score.
        rank: (N,) to order by.
        tested: (n,) probabilities on the cut that proved the score; label: what happened.
        reason: "" or why there is no score: history_too_short, no_events.
    """

    score: scoring.Score | None
    person: np.ndarray
    probability: np.ndarray
    rank: np.ndarray
    tested: np.ndarray
    label: np.ndarray
    reason: str


def scores(engine: Engine, windows: Windows, *, tag_group: str = "") -> dict[str, Scored]:
    """Return name -> score of leaving and of buying within the window, proven on people and days not fitted on.

    Each cut knows only what came before it; its label is what happened in the window after.

    Args:
        tag_group: a group of tags that is set on joining and never changed; "" for none.
    """
    window = dt.timedelta(days=WINDOW_DAYS)
    ends = [windows.until - window * k for k in range(1, MOST_CUTS + 1)]
    moments = sorted(m for m in ends if (m - windows.first).days >= LEAST_HISTORY_DAYS)
    now = _features(engine, windows.until, tag_group)
    nobody = np.zeros(len(now["person"]))
    if len(moments) < 2 or not len(nobody):
        none = Scored(None, now["person"], nobody, nobody, np.zeros(0), np.zeros(0), "history_too_short")
        return dict.fromkeys(SCORES, none)
    features = {moment: _features(engine, moment, tag_group) for moment in moments}
    labels = {moment: _labels(engine, moment) for moment in moments}
    found = {}
    for name, column in zip(SCORES, ("has_left", "orders"), strict=True):
        happened = [(labels[m][column] > 0).astype(np.int8) for m in moments]
        if any(not y.any() for y in happened):
            found[name] = Scored(None, now["person"], nobody, nobody, np.zeros(0), np.zeros(0), "no_events")
            continue
        cuts = [
            scoring.Cut(np.datetime64(m), scoring.build_features(features[m], np.datetime64(m)), y, WINDOW_DAYS)
            for m, y in zip(moments, happened, strict=True)
        ]
        score = scoring.fit_score(cuts)
        today = scoring.build_features(now, np.datetime64(windows.until))
        proof = cuts[-1].features
        found[name] = Scored(
            score, now["person"], score.predict(today), score.rank(today), score.predict(proof), happened[-1], ""
        )
    return found


def _features(engine: Engine, moment: dt.date, tag_group: str) -> dict[str, np.ndarray]:
    names = ("back_7", "back_30", "back_90")
    back = {name: _midnight(moment - dt.timedelta(days=int(name[5:]))) for name in names}
    _stand_at(engine, moment)
    return engine.query("customer_features", back | {"moment": _midnight(moment), "tag_group": tag_group}).arrays()


def _labels(engine: Engine, moment: dt.date) -> dict[str, np.ndarray]:
    until = moment + dt.timedelta(days=WINDOW_DAYS)
    _stand_at(engine, until)
    return engine.query("customer_labels", {"moment": _midnight(moment), "label_until": _midnight(until)}).arrays()


def _stand_at(engine: Engine, moment: dt.date) -> None:
    """Keep `people` and `sold` as they stood at a moment."""
    for name in ("people", "sold"):
        engine.keep(name, {"until": _midnight(moment)})


def _midnight(day: dt.date) -> dt.datetime:
    return dt.datetime.combine(day, dt.time())


LEAST_REPEATERS = 20  # buyers who came back, below which no lifetime is told
INTERVAL_DRAWS = 200
DAYS_A_MONTH = 365.25 / 12


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


SHORTLY_DAYS = 14  # what comes within so many days is on a list today
NEAR_TIER = 5.0  # points of score below a cut that make a member a candidate
REMIND_AHEAD_DAYS = 7


@dataclass(frozen=True, slots=True, eq=False)
class Cycles:
    """Repurchase by class of goods.

    Attributes:
        cycles: class -> its cycle, or why there is none; "" is any purchase.
        names: class -> title of its newest order item.
        rates: class -> share that buys again within 90 and 180 days.
        person, item_class, due: (M,) who of the buyers is reminded of what and when; NaT never.
    """

    cycles: Mapping[str, repurchase.Cycle | repurchase.NoCycle]
    names: Mapping[str, str]
    rates: Mapping[str, tuple[repurchase.Rate, ...]]
    person: np.ndarray
    item_class: np.ndarray
    due: np.ndarray


RATE_WINDOWS_DAYS = (90, 180)


def cycles(engine: Engine, until: dt.date, *, quantile: float) -> Cycles:
    """Fit the repurchase cycle of every class of goods, and date the next reminder of every buyer.

    Args:
        until: the day after the last that counts.
        quantile: chance that the person would have bought again by the reminder.
    """
    rows = engine.query("gaps", {"until": _midnight(until)}).arrays()
    as_of = np.datetime64(until - dt.timedelta(days=1), "D")
    begun = np.ma.filled(np.ma.asarray(rows["bought_on"]).astype("M8[D]"), np.datetime64("NaT"))
    ended = np.ma.filled(np.ma.asarray(rows["next_on"]).astype("M8[D]"), np.datetime64("NaT"))
    classes, person = (np.asarray(np.ma.filled(rows[n], ""), dtype=object) for n in ("item_class", "person"))
    closed = ~np.isnat(ended)
    days = np.where(closed, ended - begun, as_of - begun).astype("m8[D]").astype(float)
    watched = days > 0  # who bought today is not watched yet
    found: dict[str, repurchase.Cycle | repurchase.NoCycle] = {}
    rates: dict[str, tuple[repurchase.Rate, ...]] = {}
    told: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []
    for name in sorted(set(classes.tolist())):
        mine = (classes == name) & watched
        cycle = repurchase.fit_cycle(person[mine], days[mine], closed[mine])
        found[name] = cycle
        firsts = mine & (np.asarray(rows["place"]) == 1)
        rates[name] = tuple(
            repurchase.repurchase_rate(days[firsts], closed[firsts], window_days=window) for window in RATE_WINDOWS_DAYS
        )
        if name and isinstance(cycle, repurchase.Cycle):
            told.append(_reminded(cycle, person[mine], begun[mine], days[mine], closed[mine], as_of, quantile, name))
    named = engine.query("item_titles", {"until": _midnight(until)}).rows()
    titles = {row["product_id"]: row["title"] for row in named}
    joined = [np.concatenate(part) for part in zip(*told, strict=True)] if told else [np.empty(0, dtype=object)] * 2
    due = joined[2] if told else np.empty(0, dtype="M8[D]")
    return Cycles(found, titles, rates, joined[0], joined[1], due)


def _reminded(
    cycle: repurchase.Cycle, person: np.ndarray, begun: np.ndarray, days: np.ndarray, closed: np.ndarray,
    as_of: np.datetime64, quantile: float, name: str,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:  # fmt: skip
    """Return person, class and due day of everybody whose last gap of a class is open."""
    people, place = np.unique(person.astype(str), return_inverse=True)
    again, hazard = cycle.history(place, days, closed)
    last = np.full(len(people), np.datetime64("1970-01-01"))
    np.maximum.at(last, place, begun)
    reminders = repurchase.remind(
        cycle, last_bought=last, closed=again, hazard=hazard, as_of=as_of, quantile=quantile
    )
    return people.astype(object), np.full(len(people), name, dtype=object), reminders.due


@dataclass(frozen=True, slots=True, eq=False)
class Pushes:
    """Exits by how often people are pushed.

    Attributes:
        response: the curve; None with a reason.
        experiment: the test that dealt people to numbers of pushes; "" where they were only watched.
        bearable_per_week: pushes a week at which as many leave as the plan puts up with; None with a reason.
        reason: "" or no_sends, one_dose, no_exits, no_goal.
    """

    response: fatigue.DoseResponse | None
    experiment: str
    bearable_per_week: float | None
    reason: str


REACHED = "messages_delivered"  # outcome that tells a test of push frequency


def pushes(engine: Engine, windows: Windows, *, bearable_churn_month: float | None) -> Pushes:
    """Tell how many pushes people bear, from a test of push frequency where there is one.

    Args:
        bearable_churn_month: share that may leave in a month; None: the plan says nothing.
    """
    asked = engine.query("pushing_tests", {"metric": REACHED, "until": _midnight(windows.until)}).rows()
    if asked:
        experiment, ended = asked[-1]["exp_id"], asked[-1]["end_on"]
        rows = _arms(engine, experiment, min(windows.until, ended + dt.timedelta(days=1)) if ended else windows.until)
    else:
        rows, experiment = _watched(engine, windows), ""
    rows = [row for row in rows if row[1] > 0]
    if len({row[0] for row in rows}) < 2:
        return Pushes(None, experiment, None, "one_dose" if rows and rows[0][0] > 0 else "no_sends")
    dose, people, exits, weeks = (np.array(part, dtype=float) for part in zip(*rows, strict=True))
    response = fatigue.dose_response(dose, people, exits, weeks, randomised=bool(experiment))
    if response.growth is None:
        return Pushes(response, experiment, None, "no_exits")
    if bearable_churn_month is None:
        return Pushes(response, experiment, None, "no_goal")
    return Pushes(response, experiment, response.bearable(bearable_churn_month), "")


def _arms(engine: Engine, experiment: str, until: dt.date) -> list[tuple[float, float, float, float]]:
    _stand_at(engine, until)
    parameters = {"experiment": experiment, "metric": REACHED, "label_until": _midnight(until)}
    found = []
    for row in engine.query("push_arms", parameters).rows():
        middle = row["first_assigned_at"] + (row["last_assigned_at"] - row["first_assigned_at"]) / 2
        weeks = (_midnight(until) - middle).total_seconds() / (7 * 86_400)
        found.append((float(row["pushes"]) / row["people"] / weeks, row["people"], float(row["exits"] or 0), weeks))
    return found


def _watched(engine: Engine, windows: Windows) -> list[tuple[float, float, float, float]]:
    moment = windows.until - dt.timedelta(days=WINDOW_DAYS)
    since = moment - dt.timedelta(days=WINDOW_DAYS)
    _stand_at(engine, windows.until)
    days = {"push_since": since, "moment": moment, "label_until": windows.until}
    weeks = WINDOW_DAYS / 7
    rows = engine.query("pushed", {name: _midnight(day) for name, day in days.items()}).rows()
    return [(row["pushes"] / weeks, row["people"], float(row["exits"] or 0), weeks) for row in rows]


LISTS = ("churn", "purchase", "reminder", "promotion", "radar")


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
        _stand_at(engine, windows.until)
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
