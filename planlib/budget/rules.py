"""What money can buy over months, channels and categories, and the named rules that a budget has to keep.

The money that buys users is the spend of the channels; what a category spends besides has no known effect on users.
Each channel's yuan belongs to categories by fixed shares (all marketing unless said otherwise), so that bands on
categories reach the channels. Every rule is a small record that gives the lines for the solver; `planlib.budget.verify`
measures the same rules again on the finished allocation by other code.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from planlib.budget.curves import Curves
from planlib.budget.optimum import Line
from planlib.core.errors import InputError, Problem
from planlib.core.guards import Guard

QUARTER = 3


@dataclass(frozen=True, eq=False)
class Frame:
    """What can be bought: T months, C channels, K categories.

    Args:
        channels, categories: names, each once.
        curves: C curves, outcomes a month at a spend a month in CNY.
        open_months: (T, C) True where a channel may spend.
        season: (T,) factors on what a spend brings; 1 by default.
        cost_shares: (C, K) shares of a channel's yuan by category, each row sums to 1; None: all in category
            `marketing`, or in the only category there is.
        free_outcomes: (T,) outcomes that cost nothing, e.g. organic joiners; 0 by default.
        most_cny: (C,) CNY a month that a channel can take at most.
        least_if_on_cny: (C,) CNY a month: a channel spends nothing, or at least this; 0 by default.
        committed: (T, K) CNY that a category spends at least besides the channels; 0 by default.

    Raises:
        InputError: lengths that differ, a name twice, shares that do not sum to 1, amounts below 0.
    """

    channels: tuple[str, ...]
    categories: tuple[str, ...]
    curves: Curves
    open_months: np.ndarray
    most_cny: np.ndarray
    season: np.ndarray = None
    cost_shares: np.ndarray = None
    free_outcomes: np.ndarray = None
    least_if_on_cny: np.ndarray = None
    committed: np.ndarray = None

    def __post_init__(self) -> None:
        guard = Guard()
        for field in ("channels", "categories"):
            names = tuple(getattr(self, field))
            object.__setattr__(self, field, names)
            if not names:
                guard.add("empty", field)
            for i, name in enumerate(names):
                if name in names[:i]:
                    guard.add("duplicate_id", f"{field}[{i}]", name, first=f"{field}[{names.index(name)}]")
        c, k = len(self.channels), len(self.categories)
        is_open = np.asarray(self.open_months)
        if is_open.dtype != bool or is_open.ndim != 2 or is_open.shape[1] != c or not len(is_open):
            guard.add("shape", "open_months", f"{is_open.dtype} {is_open.shape}", expected=f"true or false, (T, {c})")
            is_open = np.ones((1, c), dtype=bool)
        if len(self.curves) != c:
            guard.add("shape", "curves", f"{len(self.curves)} curves", expected=f"{c} curves")
        object.__setattr__(self, "open_months", is_open)
        t = len(is_open)
        home = self.categories.index("marketing") if "marketing" in self.categories else 0
        shares = np.tile(np.eye(1, k, home), (c, 1))
        for field, default, shape in (
            ("season", np.ones(t), (t,)), ("cost_shares", shares, (c, k)), ("free_outcomes", np.zeros(t), (t,)),
            ("most_cny", None, (c,)), ("least_if_on_cny", np.zeros(c), (c,)), ("committed", np.zeros((t, k)), (t, k)),
        ):  # fmt: skip
            given = getattr(self, field)
            values = guard.numbers(field, default if given is None else given, low=0.0)
            if values.shape != shape:
                guard.add("shape", field, f"shape {values.shape}", expected=str(shape))
                values = np.zeros(shape)
            object.__setattr__(self, field, values)
        if not guard.problems and (np.abs(self.cost_shares.sum(axis=1) - 1) > 1e-9).any():
            worst = int(np.abs(self.cost_shares.sum(axis=1) - 1).argmax())
            guard.add("out_of_range", f"cost_shares[{worst}]", float(self.cost_shares[worst].sum()), low=1, high=1)
        guard.done()

    @property
    def months(self) -> int:
        """T."""
        return len(self.open_months)

    def channel(self, name: str) -> int:
        """Return a channel's place."""
        return _place(self.channels, name, "channel")

    def category(self, name: str) -> int:
        """Return a category's place."""
        return _place(self.categories, name, "category")


def _place(names: Sequence[str], name: str, field: str) -> int:
    if name not in names:
        raise InputError(Problem("unknown_ref", field=field, given=name, values={"choice": ", ".join(names)}))
    return names.index(name)


@dataclass(frozen=True, slots=True)
class Span:
    """Months of a rule: first and last counted from 1, both included; the whole plan by default."""

    first: int = 1
    last: int | None = None

    def mask(self, months: int) -> np.ndarray:
        """Return (T,) 1 inside the span."""
        month = np.arange(1, months + 1)
        return ((month >= self.first) & (month <= (self.last or months))).astype(float)


@dataclass(frozen=True, slots=True)
class TotalBudget:
    """All money of a span of months: at most, or exactly, so much."""

    name: str
    total_cny: float
    spent_in_full: bool = False
    span: Span = Span()

    def lines(self, frame: Frame) -> list[Line]:
        """Return the rule as lines over (channel spends, then category spends), month by month."""
        sense = "==" if self.spent_in_full else "<="
        inside = self.span.mask(frame.months)[:, None]
        return [_line(self.name, sense, self.total_cny, frame, channel=inside, category=inside)]


@dataclass(frozen=True, slots=True)
class CategoryBand:
    """A category's share of the total: of a budget in CNY, or of what is spent in the same months."""

    name: str
    category: str
    low: float
    high: float
    of_cny: float | None = None  # a budget of the span; None: the actual spend
    span: Span = Span()

    def lines(self, frame: Frame) -> list[Line]:
        k, inside = frame.category(self.category), self.span.mask(frame.months)[:, None]
        mine = np.zeros(len(frame.categories))
        mine[k] = 1.0
        found = []
        for end, share, sense in (("min", self.low, ">="), ("max", self.high, "<=")):
            whole = 0.0 if self.of_cny is not None else share
            limit = share * self.of_cny if self.of_cny is not None else 0.0
            parts = {"channel": inside * (frame.cost_shares[:, k] - whole), "category": inside * (mine - whole)}
            found.append(_line(f"{self.name}_{end}", sense, limit, frame, **parts))
        return found


@dataclass(frozen=True, slots=True)
class ChannelLimit:
    """What a channel spends in a span of months: from low to high CNY."""

    name: str
    channel: str
    low: float = 0.0
    high: float | None = None
    span: Span = Span()

    def lines(self, frame: Frame) -> list[Line]:
        weights = _of_channel(frame, self.channel) * self.span.mask(frame.months)[:, None]
        ends = ((f"{self.name}_min", ">=", self.low), (f"{self.name}_max", "<=", self.high))
        wanted = [end for end in ends if end[2] is not None and not (end[1] == ">=" and end[2] <= 0)]
        return [_line(name, sense, limit, frame, channel=weights) for name, sense, limit in wanted]


@dataclass(frozen=True, slots=True)
class ChannelFloor:
    """A channel spends at least so many CNY in every month in which it is open."""

    name: str
    channel: str
    least_cny: float

    def lines(self, frame: Frame) -> list[Line]:
        mine, c = _of_channel(frame, self.channel), frame.channel(self.channel)
        months = np.flatnonzero(frame.open_months[:, c])
        weights = [(np.arange(frame.months) == t)[:, None] * mine for t in months]
        pairs = zip(months, weights, strict=True)
        return [_line(f"{self.name}_m{t + 1}", ">=", self.least_cny, frame, channel=w) for t, w in pairs]


@dataclass(frozen=True, slots=True)
class FixedSpend:
    """A line fixed by hand: a channel's or category's whole spend in one month, in CNY."""

    name: str
    of: str
    month: int
    amount_cny: float

    def lines(self, frame: Frame) -> list[Line]:
        inside = Span(self.month, self.month).mask(frame.months)[:, None]
        if self.of in frame.channels:
            return [_line(self.name, "==", self.amount_cny, frame, channel=inside * _of_channel(frame, self.of))]
        k = frame.category(self.of)
        mine = np.zeros(len(frame.categories))
        mine[k] = 1.0
        parts = {"channel": inside * frame.cost_shares[:, k], "category": inside * mine}
        return [_line(self.name, "==", self.amount_cny, frame, **parts)]


@dataclass(frozen=True, slots=True)
class CostCap:
    """Channel spend per outcome is at most so many CNY: of one channel, or over all channels and free outcomes."""

    name: str
    cost_each_cny: float
    channel: str | None = None
    span: Span = Span()

    def lines(self, frame: Frame) -> list[Line]:
        inside = self.span.mask(frame.months)
        counted = np.ones(len(frame.channels)) if self.channel is None else _of_channel(frame, self.channel)
        mine, cap = inside[:, None] * counted, self.cost_each_cny
        free = 0.0 if self.channel else float(inside @ frame.free_outcomes)
        return [_line(self.name, "<=", cap * free, frame, channel=mine, outcome=-cap * mine)]


@dataclass(frozen=True, eq=False)
class ReturnFloor:
    """What the outcomes are worth is at least so many times the channel spend (times all money: `of_all`)."""

    name: str
    floor: float
    worth_cny: np.ndarray  # (C,) CNY an outcome
    free_worth_cny: float = 0.0  # CNY an outcome that costs nothing
    of_all: bool = False
    span: Span = Span()

    def lines(self, frame: Frame) -> list[Line]:
        inside = self.span.mask(frame.months)
        mine = inside[:, None] * np.ones(len(frame.channels))
        outcome = inside[:, None] * np.asarray(self.worth_cny, dtype=float)
        free = float(inside @ frame.free_outcomes) * self.free_worth_cny
        category = -self.floor * inside[:, None] if self.of_all else None
        return [_line(self.name, ">=", -free, frame, channel=-self.floor * mine, category=category, outcome=outcome)]


@dataclass(frozen=True, slots=True)
class FreeShare:
    """Outcomes that cost nothing are at least this share of all outcomes; `organic` channels count as free."""

    name: str
    share: float
    organic: tuple[str, ...] = ()
    span: Span = Span()

    def lines(self, frame: Frame) -> list[Line]:
        inside = self.span.mask(frame.months)
        counted = np.array([float(c in self.organic) for c in frame.channels])
        limit = (self.share - 1) * float(inside @ frame.free_outcomes)
        return [_line(self.name, ">=", limit, frame, outcome=inside[:, None] * (counted - self.share))]


@dataclass(frozen=True, eq=False)
class CategoryOfWorth:
    """A category costs at most a share of what the outcomes are worth, e.g. labour of GMV."""

    name: str
    category: str
    share: float
    worth_cny: np.ndarray  # (C,) CNY an outcome
    free_worth_cny: float = 0.0
    span: Span = Span()

    def lines(self, frame: Frame) -> list[Line]:
        k, inside = frame.category(self.category), self.span.mask(frame.months)
        mine = np.zeros(len(frame.categories))
        mine[k] = 1.0
        outcome = -self.share * inside[:, None] * np.asarray(self.worth_cny, dtype=float)
        free = self.share * self.free_worth_cny * float(inside @ frame.free_outcomes)
        parts = {"channel": inside[:, None] * frame.cost_shares[:, k], "category": inside[:, None] * mine}
        return [_line(self.name, "<=", free, frame, outcome=outcome, **parts)]


@dataclass(frozen=True, slots=True)
class ChangeLimit:
    """From quarter to quarter a channel changes by at most these shares; a quarter in which it is closed is skipped."""

    name: str
    channel: str
    down: float
    up: float

    def lines(self, frame: Frame) -> list[Line]:
        mine, c = _of_channel(frame, self.channel), frame.channel(self.channel)
        found = []
        for q in range(1, -(-frame.months // QUARTER)):
            before, after = (Span(QUARTER * p + 1, QUARTER * (p + 1)).mask(frame.months) for p in (q - 1, q))
            if not frame.open_months[before > 0, c].all() or after.sum() < QUARTER:
                continue
            for end, share, sense in (("down", 1 - self.down, ">="), ("up", 1 + self.up, "<=")):
                weights = (after - share * before)[:, None] * mine
                found.append(_line(f"{self.name}_{end}_q{q + 1}", sense, 0.0, frame, channel=weights))
        return found


@dataclass(frozen=True, slots=True)
class OutcomeGoal:
    """At least so many outcomes in a span of months, free ones included.

    `kept` holds for each month of the plan the share of its outcomes that counts, e.g. of the users won in a month
    those who are still there at a date; all of them by default.
    """

    name: str
    at_least: float
    span: Span = Span()
    kept: tuple[float, ...] | None = None

    def weights(self, months: int) -> np.ndarray:
        """Return (T,) shares that count."""
        return self.span.mask(months) * (1.0 if self.kept is None else np.asarray(self.kept))

    def lines(self, frame: Frame) -> list[Line]:
        inside = self.weights(frame.months)
        left = self.at_least - float(inside @ frame.free_outcomes)
        return [_line(self.name, ">=", left, frame, outcome=inside[:, None] * np.ones(len(frame.channels)))]


Rule = (
    TotalBudget | CategoryBand | ChannelLimit | ChannelFloor | FixedSpend | CostCap | ReturnFloor | FreeShare
    | CategoryOfWorth | ChangeLimit | OutcomeGoal
)  # fmt: skip


def _of_channel(frame: Frame, name: str) -> np.ndarray:
    found = np.zeros(len(frame.channels))
    found[frame.channel(name)] = 1.0
    return found


def _line(name: str, sense: str, limit: float, frame: Frame, *, channel=None, category=None, outcome=None) -> Line:
    """Make a line from (T, C), (T, K) and (T, C) weights."""
    t, c, k = frame.months, len(frame.channels), len(frame.categories)

    def flat(weights: object, width: int) -> np.ndarray:
        return np.zeros(t * width) if weights is None else np.broadcast_to(weights, (t, width)).ravel().astype(float)

    spend = np.concatenate([flat(channel, c), flat(category, k)])
    brought = None if outcome is None else np.concatenate([flat(outcome, c), np.zeros(t * k)])
    return Line(name, sense, limit, spend if channel is not None or category is not None else None, brought)
