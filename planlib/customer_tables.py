"""What the tidy tables tell of customers: everybody at a moment, scores of leaving and buying, cycles, pushes.

Each function asks the tables once and returns arrays; `planlib.valuing` makes of them what customers are worth and whom
to act on.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from planlib.customers import churn, fatigue, repurchase, scoring
from planlib.data.baseline import Windows

if TYPE_CHECKING:
    from planlib.data.engine import Engine

FEN = 100.0
QUARTER = dt.timedelta(days=90)
WINDOW_DAYS = churn.WINDOW_DAYS  # what warnings and propensities look ahead
MOST_CUTS = 5  # moments that a score is built on, the last one to prove it
LEAST_HISTORY_DAYS = 90  # that features look back
SCORES = ("leaves", "buys")
RATE_WINDOWS_DAYS = (90, 180)
REACHED = "messages_delivered"  # outcome that tells a test of push frequency


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


def stand_at(engine: Engine, moment: dt.date) -> None:
    """Keep `people` and `sold` as they stood at a moment."""
    for name in ("people", "sold"):
        engine.keep(name, {"until": midnight(moment)})


def midnight(day: dt.date) -> dt.datetime:
    return dt.datetime.combine(day, dt.time())


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
    back = {name: midnight(moment - dt.timedelta(days=int(name[5:]))) for name in names}
    stand_at(engine, moment)
    return engine.query("customer_features", back | {"moment": midnight(moment), "tag_group": tag_group}).arrays()


def _labels(engine: Engine, moment: dt.date) -> dict[str, np.ndarray]:
    until = moment + dt.timedelta(days=WINDOW_DAYS)
    stand_at(engine, until)
    return engine.query("customer_labels", {"moment": midnight(moment), "label_until": midnight(until)}).arrays()


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


def cycles(engine: Engine, until: dt.date, *, quantile: float) -> Cycles:
    """Fit the repurchase cycle of every class of goods, and date the next reminder of every buyer.

    Args:
        until: the day after the last that counts.
        quantile: chance that the person would have bought again by the reminder.
    """
    rows = engine.query("gaps", {"until": midnight(until)}).arrays()
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
    named = engine.query("item_titles", {"until": midnight(until)}).rows()
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


def pushes(engine: Engine, windows: Windows, *, bearable_churn_month: float | None) -> Pushes:
    """Tell how many pushes people bear, from a test of push frequency where there is one.

    Args:
        bearable_churn_month: share that may leave in a month; None: the plan says nothing.
    """
    asked = engine.query("pushing_tests", {"metric": REACHED, "until": midnight(windows.until)}).rows()
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
    stand_at(engine, until)
    parameters = {"experiment": experiment, "metric": REACHED, "label_until": midnight(until)}
    found = []
    for row in engine.query("push_arms", parameters).rows():
        middle = row["first_assigned_at"] + (row["last_assigned_at"] - row["first_assigned_at"]) / 2
        weeks = (midnight(until) - middle).total_seconds() / (7 * 86_400)
        found.append((float(row["pushes"]) / row["people"] / weeks, row["people"], float(row["exits"] or 0), weeks))
    return found


def _watched(engine: Engine, windows: Windows) -> list[tuple[float, float, float, float]]:
    moment = windows.until - dt.timedelta(days=WINDOW_DAYS)
    since = moment - dt.timedelta(days=WINDOW_DAYS)
    stand_at(engine, windows.until)
    days = {"push_since": since, "moment": moment, "label_until": windows.until}
    weeks = WINDOW_DAYS / 7
    rows = engine.query("pushed", {name: midnight(day) for name, day in days.items()}).rows()
    return [(row["pushes"] / weeks, row["people"], float(row["exits"] or 0), weeks) for row in rows]
