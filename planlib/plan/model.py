"""The plan file as one typed model.

Three kinds of leaves carry numbers. A `Quantity` is what the models calculate with: a number, a range or a
distribution. A `Statement` is what a document says about a metric: kept as worded, twice if it is said
twice. A `Rule` is a named limit that an optimum has to keep. Each says where it comes from: a section
(`W2.2`) or `assumption` with its reason.

The words for every field stand in the locale files under `plan.<Class>.<field>`; docs/plan-reference.md is
generated from both.
"""

from __future__ import annotations

import datetime as dt
import re
from itertools import pairwise
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Discriminator,
    Field,
    StringConstraints,
    Tag,
    model_validator,
)
from pydantic_core import PydanticCustomError

from planlib.core import own
from planlib.core.webaddress import is_fit

SOURCE = r"^[A-Za-z][\w.-]{0,39}$"
COLOUR = r"^#[0-9A-Fa-f]{6}$"
PAGE_ID = r"^[A-Za-z0-9][A-Za-z0-9_-]{0,79}\.[A-Za-z0-9][A-Za-z0-9_-]{0,79}$"
LEAST_CONTRAST = 4.5  # of text with its ground: WCAG 2.2, level AA
_HOST = r"([\w.-]+|\[[0-9A-Fa-f:]+\])"
_SPARK = re.compile(
    rf"local(\[([1-9]\d{{0,3}}|\*)\])?|spark://{_HOST}:\d{{1,5}}(,{_HOST}:\d{{1,5}})*|"
    rf"sc://{_HOST}(:\d{{1,5}})?(/(;[^\s;]+)*)?|yarn|k8s://\S+"
)


def _day(text: str) -> str:
    return _dated(text, text, "YYYY-MM-DD")


def _year_month(text: str) -> str:
    return _dated(text, f"{text}-01", "YYYY-MM")


def _month_day(text: str) -> str:
    return _dated(text, f"2001-{text}", "MM-DD")


def _moment(text: str) -> str:
    """Return a day and time of day, as written."""
    day, _, clock = text.partition(" ")
    if not re.fullmatch("([01][0-9]|2[0-3]):[0-5][0-9]", clock):
        raise PydanticCustomError("planlib.date", "date", {"form": "YYYY-MM-DD HH:MM"})
    return _dated(text, day, "YYYY-MM-DD HH:MM")


def _dated(text: str, day: str, form: str) -> str:
    try:
        if not re.fullmatch("[0-9]{4}-[0-9]{2}-[0-9]{2}", day):
            raise ValueError(day)
        dt.date.fromisoformat(day)
    except ValueError:
        raise PydanticCustomError("planlib.date", "date", {"form": form}) from None
    return text


def _visible(text: str) -> str:
    """Refuse characters that steer a terminal or turn the writing round."""
    for character in text:
        if not (character.isprintable() or character in "\n\u3000\xa0"):
            raise PydanticCustomError("planlib.control_character", "text", {"given": f"U+{ord(character):04X}"})
    return text


def _spark_address(text: str) -> str:
    if not _SPARK.fullmatch(text):
        raise PydanticCustomError("planlib.spark_address", "address of Spark")
    if ";token=" in text.lower():
        raise PydanticCustomError("planlib.spark_token", "secret in a plan")
    return text


def _variable(text: str) -> str:
    """Refuse what is no name of a variable, unshown: somebody may have written the secret itself."""
    if not re.fullmatch(r"[A-Z][A-Z0-9_]{0,79}", text):
        raise PydanticCustomError("planlib.variable_name", "no name of a variable", {"given": "…"})
    return text


def _webhook_address(text: str) -> str:
    if not is_fit(text):
        raise PydanticCustomError("planlib.webhook_address", "not a safe address", {"given": "…"})
    return text


def contrast_with_white(colour: str) -> float:
    """Return the contrast ratio of a colour such as #1F6FEB with white, 1 to 21 (WCAG 2.2).

    >>> round(contrast_with_white("#000000"), 1), round(contrast_with_white("#FFFFFF"), 1)
    (21.0, 1.0)
    """
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 1.05 / (0.2126 * red + 0.7152 * green + 0.0722 * blue + 0.05)


def _readable(colour: str) -> str:
    found = contrast_with_white(colour)
    if found < LEAST_CONTRAST:
        raise PydanticCustomError("planlib.contrast", "contrast", {"found": f"{found:.1f}", "least": LEAST_CONTRAST})
    return colour


def _share(number: float) -> float:
    if not 0 <= number <= 1:
        raise share_error(number)
    return number


def share_error(number: float, **at: str) -> PydanticCustomError:
    """Return the error for a share outside 0..1; a number up to 100 was probably meant as per cent."""
    code, values = share_problem(number)
    return PydanticCustomError(f"planlib.{code}", "share", values | at)


def share_problem(number: float) -> tuple[str, dict[str, object]]:
    """Return code and placeholders of the message for a share outside 0..1."""
    if 1 < number <= 100:
        return "rate_range", {"given_percent": f"{number:g}", "as_share": f"{number / 100:g}"}
    return "out_of_range", {"low": 0, "high": 1}


def _own_window(window: int | str) -> int | str:
    if window not in own.WINDOWS and not (isinstance(window, int) and 1 <= window <= 366):
        raise PydanticCustomError("planlib.own_window", "window", {"choice": ", ".join(own.WINDOWS), "high": 366})
    return window


Id = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_-]{0,79}$")]
MetricId = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,79}$")]
YearMonth = Annotated[str, AfterValidator(_year_month)]
MonthDay = Annotated[str, AfterValidator(_month_day)]
Day = Annotated[str, AfterValidator(_day)]
Moment = Annotated[str, AfterValidator(_moment)]
Short = Annotated[str, StringConstraints(min_length=1, max_length=2000), AfterValidator(_visible)]
Source = Annotated[str, StringConstraints(pattern=SOURCE)]
SparkAddress = Annotated[str, AfterValidator(_spark_address)]
Variable = Annotated[str, AfterValidator(_variable)]
WebhookAddress = Annotated[str, AfterValidator(_webhook_address)]
Colour = Annotated[str, StringConstraints(pattern=COLOUR), AfterValidator(_readable)]
PageId = Annotated[str, StringConstraints(pattern=PAGE_ID)]
Share = Annotated[float, AfterValidator(_share)]
OwnWindow = Annotated[int | str, AfterValidator(_own_window)]
Positive = Annotated[float, Field(gt=0)]
NonNegative = Annotated[float, Field(ge=0)]
Month = Annotated[int, Field(ge=1, le=120)]
Twelve = Annotated[tuple[Positive, ...], Field(min_length=12, max_length=12)]
Period = Literal["day", "week", "month", "quarter", "half_year", "year"]
LifecycleStage = Literal["acquisition", "activation", "retention", "revenue", "referral"]
# the units of the metric catalogue, and `relative_change` and `per_stage`, which are no metric's own
Unit = Literal[
    "CNY", "CNY_per_order", "CNY_per_person", "CNY_per_user", "count", "days", "hours", "hours_per_week", "index",
    "messages_per_user_week", "milliseconds", "minutes", "month", "months", "multiple", "orders", "people", "per_stage",
    "points", "probability", "queries_per_day", "rank", "ratio", "reads", "relative_change", "score", "score_of_5",
    "seconds", "users", "users_per_day", "users_per_month", "users_per_person", "users_per_session", "weeks", "year",
]  # fmt: skip


def _ordered(pair: tuple[float, float]) -> tuple[float, float]:
    if pair[0] > pair[1]:
        raise PydanticCustomError("planlib.low_above_high", "low above high")
    return pair


Range = Annotated[tuple[float, float], AfterValidator(_ordered)]
Window = Annotated[tuple[Month, Month], AfterValidator(_ordered)]


class Base(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, allow_inf_nan=False, defer_build=True)


class Bilingual(Base):
    zh: Short
    en: Short


def _languages(text: object) -> str:
    return "both" if isinstance(text, dict | Bilingual) else "one"


# words for the reader: in one language, or in both
Text = Annotated[Annotated[Short, Tag("one")] | Annotated[Bilingual, Tag("both")], Discriminator(_languages)]


class Sourced(Base):
    """Anything that says where it comes from."""

    source: Source
    why: Text | None = None
    note: Text | None = None

    @model_validator(mode="after")
    def _assumption_has_reason(self):
        if self.source == "assumption" and not self.why:
            raise PydanticCustomError("planlib.why_missing", "an assumption needs its reason")
        return self


class Quantity(Sourced):
    """A number that the models calculate with.

    Exactly one of `value` (a number or [low, high]) and `dist` (with its parameters) is given.
    """

    value: float | Range | None = None
    dist: Literal["pert", "triangular", "uniform", "normal", "lognormal", "beta"] | None = None
    low: float | None = None
    mode: float | None = None
    high: float | None = None
    mean: float | None = None
    sd: Positive | None = None
    unit: Unit | None = None
    metric: MetricId | None = None
    period: Period | None = None
    kind: Literal["quoted", "assumed", "measured"] | None = None
    id: Id | None = None
    owner: Short | None = None

    @model_validator(mode="after")
    def _one_form(self):
        given = {n for n in ("low", "mode", "high", "mean", "sd") if getattr(self, n) is not None}
        needed = _PARAMETERS.get(self.dist or "", set())
        if (self.value is None) == (self.dist is None):
            raise PydanticCustomError("planlib.quantity_form", "value or dist")
        if given != needed:
            raise PydanticCustomError(
                "planlib.dist_parameters", "parameters", {"needed": ", ".join(sorted(needed)) or "value"}
            )
        ends = [x for x in (self.low, self.mode, self.high) if x is not None]
        if ends != sorted(ends):
            raise PydanticCustomError("planlib.low_above_high", "low above high", {"at": "low"})
        return self

    @property
    def central(self) -> float:
        """The number that a forecast without chance uses: value, middle of a range, mode or mean."""
        if isinstance(self.value, tuple):
            return sum(self.value) / 2
        for found in (self.value, self.mode, self.mean):
            if found is not None:
                return found
        return (self.low + self.high) / 2

    @property
    def span(self) -> tuple[float, float] | None:
        """Lowest and highest value, where the quantity has them."""
        if isinstance(self.value, tuple):
            return self.value
        return (self.low, self.high) if self.low is not None else None


class ShareQuantity(Quantity):
    """A quantity whose every value is a share from 0 to 1."""

    @model_validator(mode="after")
    def _inside(self):
        for name, number in _numbers(self):
            if not 0 <= number <= 1:
                raise share_error(number, at=name)
        return self


class AmountQuantity(Quantity):
    """A quantity that is never negative."""

    @model_validator(mode="after")
    def _inside(self):
        for name, number in _numbers(self):
            if number < 0:
                raise PydanticCustomError("planlib.at_least", "amount", {"low": 0, "at": name})
        return self


def _numbers(quantity: Quantity) -> tuple[tuple[str, float], ...]:
    if isinstance(quantity.value, tuple):
        return tuple(("value", number) for number in quantity.value)
    named = ((name, getattr(quantity, name)) for name in ("value", "low", "mode", "high", "mean"))
    return tuple((name, number) for name, number in named if number is not None)


_PARAMETERS = {
    "pert": {"low", "mode", "high"},
    "triangular": {"low", "mode", "high"},
    "uniform": {"low", "high"},
    "normal": {"mean", "sd"},
    "lognormal": {"mean", "sd"},
    "beta": {"mean", "sd"},
}


class Rate(ShareQuantity):
    """A share per declared period, and when in the month it acts."""

    period: Period | None = None
    applied: Literal["before_adds", "after_adds"] = "before_adds"


OPERATIONS = ("equals", "at_least", "at_most", "above", "below", "between")


class Statement(Sourced):
    """What a document says about a metric, as worded."""

    metric: MetricId
    id: Id | None = None
    name: Bilingual | None = None
    equals: float | None = None
    at_least: float | None = None
    at_most: float | None = None
    above: float | None = None
    below: float | None = None
    between: Range | None = None
    unit: Unit | None = None
    from_value: float | None = None
    by_month: Month | None = None
    year: Annotated[int, Field(ge=1990, le=2100)] | None = None
    scope: Short | None = None
    stage: LifecycleStage | None = None
    population: Id | None = None
    denominator: Id | None = None
    window_days: Positive | None = None
    period: Period | None = None
    timing: Short | None = None
    base: Id | None = None
    base_value: float | None = None
    reference: Id | None = None
    reading: Literal["relative", "points", "times", "times_more"] | None = None
    lever: Id | None = None
    exhaustive: bool | None = None
    counts: Id | None = None
    precision: Positive | None = None
    owner: Short | None = None

    @property
    def operation(self) -> str | None:
        """Which of the six comparisons the statement makes; None when it gives no number."""
        return next((name for name in OPERATIONS if getattr(self, name) is not None), None)

    @property
    def level(self) -> float | tuple[float, float] | None:
        """The number or range compared with."""
        return getattr(self, self.operation) if self.operation else None

    @model_validator(mode="after")
    def _one_operation(self):
        if sum(getattr(self, name) is not None for name in OPERATIONS) > 1:
            raise PydanticCustomError("planlib.statement_op", "one comparison")
        return self


class Target(Statement):
    """A goal: always with a level. `priority` 1 is kept before all others where not every goal can be."""

    priority: Annotated[int, Field(ge=1)] | None = None

    @model_validator(mode="after")
    def _has_level(self):
        if self.operation is None:
            raise PydanticCustomError("planlib.statement_op", "one comparison")
        return self


class Condition(Base):
    """One condition on the rows of a table; which operators and values a column takes follows from its type."""

    column: Short
    op: Literal[own.OPERATORS]
    value: Any = None


class Counted(Base):
    """What an own metric is divided by: another aggregate over the same days, or a metric of the catalogue."""

    metric: MetricId | None = None
    table: Short | None = None
    aggregate: Literal[own.ADDITIVE] | None = None
    column: Short | None = None
    where: tuple[Condition, ...] = ()
    dated_by: Short | None = None


class OwnMetric(Base):
    """A metric of one's own, declared as data: names of closed sets and values, never SQL."""

    id: MetricId
    names: Annotated[dict[Literal["zh", "en"], Short], Field(min_length=1)]
    unit: Unit
    direction: Literal["up", "down"]
    table: Short
    aggregate: Literal[own.AGGREGATES]
    column: Short | None = None
    where: tuple[Condition, ...] = ()
    among: tuple[Condition, ...] = ()
    divided_by: Counted | None = None
    window: OwnWindow | None = None
    dated_by: Short | None = None


class LadderForm(Sourced):
    """How the months between the dated goals of one metric are filled; `rungs` are levels fixed by hand."""

    shape: Literal["linear", "compound", "s_curve", "stage_weighted"] = "linear"
    rungs: dict[Month, float] = {}


class PlanHead(Base):
    id: Id
    title: Bilingual
    start: YearMonth
    months: Annotated[int, Field(ge=1, le=60)]
    currency: Literal["CNY"]
    seed: Annotated[int, Field(ge=0, le=2**32 - 1)]
    owner: Short | None = None


class Baseline(Base):
    """Where the brand stands; `quoted` keeps what a document says about the start, never as measured."""

    opening_users: AmountQuantity
    opening_active_share: ShareQuantity
    aov: AmountQuantity
    total_gmv: AmountQuantity
    gross_margin: ShareQuantity | None = None
    quoted: tuple[Statement, ...] = ()


class Retention(Sourced):
    points: Annotated[dict[Literal["d7", "m1", "m3"], Share], Field(min_length=1)]
    curve: Literal["power", "weibull", "sbg"]

    @model_validator(mode="after")
    def _falls(self):
        shares = [self.points[day] for day in ("d7", "m1", "m3") if day in self.points]
        if any(later >= earlier for earlier, later in pairwise(shares)):
            raise PydanticCustomError("planlib.not_falling", "points", {"at": "points"})
        return self


class Referral(Base):
    invites_per_user: AmountQuantity
    acceptance_rate: ShareQuantity
    cycle_days: AmountQuantity


class Scheme(Sourced):
    """A classification: how many classes, along which axes, called what, cut where.

    `named` counts the classes that the document names, where `labels` cannot hold all of them. For `kind: values`
    the classes are the axes themselves.
    """

    id: Id
    metric: MetricId
    kind: Literal["segments", "lifecycle", "tiers", "values", "departments", "stages", "risks", "other"]
    classes: Annotated[int, Field(ge=1)]
    open_ended: bool = False
    axes: tuple[Id, ...] = ()
    labels: tuple[Bilingual, ...] = ()
    named: Annotated[int, Field(ge=0)] | None = None
    cuts: dict[Id, tuple[float, ...]] = {}
    crosswalk: Id | None = None
    maps_to: tuple[Annotated[int, Field(ge=1)], ...] = ()
    merge_rule: Short | None = None
    name: Bilingual | None = None

    @model_validator(mode="after")
    def _maps_every_class(self):
        if self.maps_to and (self.crosswalk is None or len(self.maps_to) != self.classes):
            raise PydanticCustomError("planlib.maps_to", "maps_to", {"classes": self.classes, "at": "maps_to"})
        return self


class Users(Base):
    churn: Rate
    staying_active: Rate
    waking: Rate
    retention: Retention
    conversion: ShareQuantity
    repurchase: ShareQuantity
    orders_per_repeat_buyer: AmountQuantity
    referral: Referral | None = None
    seasonality: Twelve | None = None
    thresholds: tuple[Statement, ...] = ()
    rules: tuple[Statement, ...] = ()
    schemes: tuple[Scheme, ...] = ()


class Response(Sourced):
    """New users per month as a function of spend per month."""

    curve: Literal["hill", "michaelis_menten", "exponential", "logarithmic", "power", "logistic"]
    ceiling: Positive
    half_spend: Positive
    shape: Positive = 1.0


class Spend(Base):
    min: NonNegative = 0
    max: NonNegative
    least_if_on: NonNegative | None = None

    @model_validator(mode="after")
    def _ends(self):
        if self.min > self.max:
            raise PydanticCustomError("planlib.low_above_high", "min above max", {"at": "min"})
        return self


class Channel(Base):
    id: Id
    name: Bilingual
    paid: bool
    intake: AmountQuantity | None = None
    churn: ShareQuantity | None = None
    response: Response | None = None
    spend: Spend | None = None
    cac: AmountQuantity | None = None
    from_stage: Id | None = None
    referral: bool = False
    suits: Id | None = None

    @model_validator(mode="after")
    def _has_volume(self):
        if self.intake is None and self.response is None:
            raise PydanticCustomError("planlib.missing", "intake or response")
        return self


class Rule(Sourced):
    """A named limit on the budget."""

    id: Id
    metric: MetricId | None = None
    at_most: float | None = None
    at_least: float | None = None
    each_channel_within: Share | None = None
    scope: Short | None = None
    denominator: Id | None = None
    name: Bilingual | None = None


class Band(Statement):
    """Share of the total budget that a category may take."""

    between: Range
    axis: Literal["cost_type", "purpose"] = "cost_type"
    covers: Text | None = None


class FixedLine(Sourced):
    """What a channel or category spends in one month, set by hand."""

    of: Id
    month: Month
    amount: NonNegative


class ActualSpend(Base):
    """What a channel or category spent in one month."""

    of: Id
    month: Month
    amount: NonNegative


class Investment(Sourced):
    """An outlay on technology and what it brings a month for some months."""

    id: Id
    name: Bilingual
    outlay: Positive
    benefit_per_month: NonNegative
    running_per_month: NonNegative = 0
    months: Annotated[int, Field(ge=1, le=120)] = 24


class Budget(Base):
    total: AmountQuantity
    tax: Literal["with_vat", "without_vat"] | None = None
    refunds: Literal["before", "after"] | None = None
    bands: dict[Id, Band]
    fixed: tuple[FixedLine, ...] = ()
    actual: tuple[ActualSpend, ...] = ()
    investments: tuple[Investment, ...] = ()
    rules: tuple[Rule, ...] = ()
    purposes: tuple[Statement, ...] = ()
    principles: tuple[Statement, ...] = ()
    seasonality: Twelve | None = None


class Guardrail(Base):
    metric: MetricId
    margin: Positive


class Experiment(Base):
    id: Id
    question: Bilingual
    node: LifecycleStage
    unit: Id
    block: Id | None = None
    arms: dict[Id, Share]
    primary: MetricId
    baseline: ShareQuantity
    smallest_worth_having: Quantity
    traffic_per_week: AmountQuantity
    guardrails: tuple[Guardrail, ...] = ()
    alpha: Annotated[float, Field(gt=0, lt=0.5)] = 0.05
    power: Annotated[float, Field(gt=0.5, lt=1)] = 0.8
    sides: Literal[1, 2] = 2
    looks: tuple[Share, ...] = (1.0,)
    stopping: Literal["fixed", "obrien_fleming", "pocock"] = "fixed"
    start_month: Month | None = None
    lever: Id | None = None
    owner: Id
    why: Text | None = None
    family: Id | None = None
    segments: tuple[Id, ...] = ()
    pool: Id | None = None
    apart: tuple[Id, ...] = ()
    traffic_four_weeks: AmountQuantity | None = None
    sends_per_week: NonNegative = 0
    holdout: Id | None = None
    correlation: ShareQuantity | None = None
    effect_sd: AmountQuantity | None = None
    gmv_share: ShareQuantity | None = None
    cost: AmountQuantity | None = None
    review: Text | None = None

    @model_validator(mode="after")
    def _arms_and_looks(self):
        if len(self.arms) < 2 or abs(sum(self.arms.values()) - 1) > 1e-9:
            raise PydanticCustomError("planlib.arms", "arms", {"at": "arms"})
        if self.looks[-1:] != (1,) or any(later <= earlier for earlier, later in pairwise(self.looks)):
            raise PydanticCustomError("planlib.looks", "looks", {"at": "looks"})
        if self.holdout is not None and self.holdout not in self.arms:
            choice = ", ".join(self.arms)
            raise PydanticCustomError("planlib.choice", "choice", {"at": "holdout", "choice": choice})
        return self


class Stage(Sourced):
    id: Id
    name: Bilingual
    months: Window | None = None
    permits: tuple[Id, ...] = ()
    contains: tuple[Id, ...] = ()
    raises: tuple[MetricId, ...] = ()
    statement: Id | None = None


def _rising(three: tuple[float, float, float]) -> tuple[float, float, float]:
    if list(three) != sorted(three):
        raise PydanticCustomError("planlib.low_above_high", "low above high")
    return three


ThreePoints = Annotated[tuple[Positive, Positive, Positive], AfterValidator(_rising)]
Impact = Annotated[tuple[NonNegative, NonNegative, NonNegative], AfterValidator(_rising)]


class TaskLink(Base):
    """A tie to another task that is not 'begin when it is done'."""

    task: Id
    kind: Literal["FS", "SS", "FF", "SF"] = "FS"
    lag_days: float = 0
    elapsed: bool = False


class Shorter(Base):
    """What money can do for a task's length."""

    days: Positive
    cost_per_day: AmountQuantity
    how: Bilingual | None = None


class Smaller(Sourced):
    """What may be left out of a task when time is short: all of it, or so much that fewer days are likely."""

    drop: bool = False
    days: Positive | None = None
    gives_up: Bilingual

    @model_validator(mode="after")
    def _one(self):
        if self.drop == (self.days is not None):
            raise PydanticCustomError("planlib.smaller_form", "drop or days")
        return self


class Task(Sourced):
    id: Id
    name: Bilingual
    department: Id
    days: ThreePoints
    after: tuple[Id, ...] = ()
    links: tuple[TaskLink, ...] = ()
    roles: dict[Id, Positive] = {}
    not_before: Day | None = None
    deadline: Day | None = None
    calendar: Id | None = None
    shorter: Shorter | None = None
    smaller: Smaller | None = None
    enables: tuple[MetricId, ...] = ()
    lag_days: float = 0

    @model_validator(mode="after")
    def _possible(self):
        if self.not_before and self.deadline and self.deadline < self.not_before:
            raise PydanticCustomError("planlib.end_before_start", "deadline", {"at": "deadline"})
        if self.shorter and self.shorter.days > self.days[1]:
            raise PydanticCustomError("planlib.at_most", "shorter", {"at": "shorter", "high": self.days[1]})
        if self.smaller and self.smaller.days and self.smaller.days >= self.days[1]:
            raise PydanticCustomError("planlib.less", "smaller", {"at": "smaller", "high": self.days[1]})
        return self


class Gate(Base):
    id: Id
    name: Bilingual | None = None
    after: tuple[Id, ...] = ()
    due_month: Month
    owner: Id | None = None
    entry: tuple[Target, ...] = ()
    conditions: tuple[Target, ...] = Field(default=(), alias="pass")
    ladder: tuple[MetricId, ...] = ()
    recheck_days: Positive | None = None


class DayCalendar(Base):
    """Working days of their own, for the tasks that name it."""

    name: Bilingual
    base: Literal["CN", "weekdays", "every_day"]
    days_off: dict[Day, bool] = {}


class Freeze(Sourced):
    """Days of each year on which nothing may be changed, such as a promotion."""

    id: Id
    name: Bilingual
    first: MonthDay
    last: MonthDay
    stops: Annotated[tuple[Id, ...], Field(min_length=1)]


class Recurring(Sourced):
    """A review or a drill that comes again and again."""

    id: Id
    name: Bilingual
    kind: Literal["review", "drill"]
    every: Literal["week", "month", "quarter", "half_year", "year"]
    department: Id
    from_month: Month = 1


class Struck(Base):
    """What is left of a risk once something is done about it."""

    chance: Share
    days: Impact | None = None
    factor: Impact | None = None
    cost: AmountQuantity
    how: Bilingual


class ScheduleRisk(Sourced):
    """Something that may strike tasks: it adds days, or stretches them all by one factor."""

    id: Id
    name: Bilingual
    chance: Share
    tasks: Annotated[tuple[Id, ...], Field(min_length=1)]
    days: Impact | None = None
    factor: Impact | None = None
    owner: Id
    mitigated: Struck | None = None

    @model_validator(mode="after")
    def _one_effect(self):
        for at, row in (("days", self), ("mitigated.days", self.mitigated)):
            if row is not None and (row.days is None) == (row.factor is None):
                raise PydanticCustomError("planlib.impact_form", "days or factor", {"at": at})
        if self.mitigated is not None and (self.mitigated.days is None) != (self.days is None):
            raise PydanticCustomError("planlib.impact_form", "days or factor", {"at": "mitigated"})
        return self


class Milestone(Sourced):
    """A date that a document promises, with or without a level."""

    id: Id
    name: Bilingual
    metric: MetricId
    by_month: Month | None = None
    department: Id
    enables: tuple[MetricId, ...] = ()
    deadline_of: MetricId | None = None
    year: int | None = None


class ScheduleLink(Base):
    gate: Id
    delays: Short
    loss_per_month: Share | None = None
    source: Source | None = None
    why: Text | None = None

    @model_validator(mode="after")
    def _assumption_has_reason(self):
        if self.source == "assumption" and not self.why:
            raise PydanticCustomError("planlib.why_missing", "an assumption needs its reason")
        return self


class Schedule(Base):
    calendar: Literal["CN"]
    stages: tuple[Stage, ...]
    tasks: tuple[Task, ...] = ()
    gates: tuple[Gate, ...] = ()
    milestones: tuple[Milestone, ...] = ()
    links: tuple[ScheduleLink, ...] = ()
    rhythm: tuple[Statement, ...] = ()
    rules: tuple[Statement, ...] = ()
    days_off: dict[Day, bool] = {}
    days_file: Short | None = None
    calendars: dict[Id, DayCalendar] = {}
    freezes: tuple[Freeze, ...] = ()
    recurring: tuple[Recurring, ...] = ()
    risks: tuple[ScheduleRisk, ...] = ()
    together: ShareQuantity | None = None


class Role(Sourced):
    id: Id | None = None
    name: Bilingual
    people: float | Range | None = None
    does: Text | None = None
    hours_per_week: Positive | None = None
    cost_per_year: AmountQuantity | None = None
    department: Id | None = None


class Department(Base):
    id: Id
    name: Bilingual


class Team(Base):
    roles: dict[Id, Role]
    departments: tuple[Department, ...] = ()
    size: Statement | None = None
    exhaustive: bool | None = None
    users_per_operator: Statement | None = None
    functions: tuple[Statement, ...] = ()
    rules: tuple[Statement, ...] = ()


class OrgUnit(Sourced):
    """A region, store or operator: what it did, what it can carry, what it counts, or its share as set by hand."""

    id: Id
    name: Bilingual
    level: Id
    parent: Id | None = None
    history: NonNegative | None = None
    capacity: NonNegative | None = None
    weight: NonNegative | None = None
    share: Share | None = None


class Organisation(Base):
    """Who carries the targets, level by level; `metric` is what history and capacity are counted in."""

    metric: MetricId = "private_domain_users"
    basis: dict[Id, Literal["history", "capacity", "weight"]]
    excess: Literal["name", "move"] = "name"
    units: Annotated[tuple[OrgUnit, ...], Field(min_length=1)]


class Trigger(Base):
    metric: MetricId
    above: float | None = None
    below: float | None = None


class Mitigated(Sourced):
    """What is left of a risk once its response stands."""

    probability: Share
    effect: Range | None = None


class Risk(Sourced):
    id: Id
    name: Bilingual
    probability: Share
    hits: Short
    effect: Range
    trigger: Trigger | None = None
    response: Bilingual | None = None
    owner: Id
    dimension: Id | None = None
    mitigated: Mitigated | None = None


class Limits(Base):
    """What the platform, the law and the service promises allow."""

    sends_per_customer: Statement | None = None
    group_members: Statement | None = None
    service: tuple[Statement, ...] = ()
    thresholds: tuple[Statement, ...] = ()
    rules: tuple[Statement, ...] = ()


class Tier(Sourced):
    """A tier of members: from which score on, or while no cut is settled for which share of the customers."""

    id: Id
    name: Bilingual
    from_score: Share | None = None
    share: Share | None = None
    rights: AmountQuantity | None = None


class Action(Base):
    """What one contact costs and what it changes."""

    cost: AmountQuantity
    effect: ShareQuantity


class Customers(Base):
    """What the value of customers is reckoned with; cuts that a document leaves open are proposed from the data."""

    horizon_months: Month
    discount: ShareQuantity
    cuts: dict[Literal["recency_days", "orders", "money_cny", "social_acts"], NonNegative] = {}
    tiers: tuple[Tier, ...] = ()
    rights_budget: Id | None = None
    care: Action
    offer: Action
    reminder_quantile: Annotated[float, Field(gt=0, lt=1)]
    tag_group: Short | None = None

    @model_validator(mode="after")
    def _tiers_ordered(self):
        told = [tier.from_score for tier in self.tiers]
        if any(x is not None for x in told) and (None in told[:-1] or told != sorted(told, key=lambda x: -(x or 0))):
            raise PydanticCustomError("planlib.tier_cuts", "tiers", {"at": "tiers"})
        if self.tiers and told[0] is None and abs(sum(tier.share or 0 for tier in self.tiers) - 1) > 1e-9:
            raise PydanticCustomError("planlib.tier_shares", "tiers", {"at": "tiers"})
        return self


class Promotion(Sourced):
    """Days of each year on which more is sold; `factor` times an ordinary day, measured from the data when left out."""

    id: Id
    name: Bilingual
    first: MonthDay
    last: MonthDay
    factor: AmountQuantity | None = None


class Measure(Base):
    """An action that a review decided on, and what has come of it."""

    id: Id
    name: Bilingual
    owner: Id
    opened: Day
    due: Day
    ended: Day | None = None
    dropped: bool = False
    metric: MetricId | None = None
    expected: float | None = None
    observed: float | None = None
    between: Range | None = None
    experiment: Short | None = None
    reason: Text | None = None

    @model_validator(mode="after")
    def _closed_with_reason(self):
        if self.ended and not self.experiment and not self.reason:
            raise PydanticCustomError("planlib.missing", "reason", {"at": "reason"})
        if min(self.due, self.ended or self.due) < self.opened:
            at = "due" if self.due < self.opened else "ended"
            raise PydanticCustomError("planlib.end_before_start", at, {"at": at})
        return self


class Incident(Base):
    """Something that went wrong, and when each step of its response was done."""

    id: Id
    name: Bilingual
    kind: Literal["technical", "opinion_ordinary", "opinion_major", "compliance"]
    began: Moment
    done: dict[Literal["diagnose", "restore", "report", "answer", "start", "remedy"], Moment] = {}
    down: bool = False

    @model_validator(mode="after")
    def _in_order(self):
        for step, when in self.done.items():
            if when < self.began:
                raise PydanticCustomError("planlib.end_before_start", "done", {"at": f"done.{step}"})
        return self


class Duty(Sourced):
    """Something that law or the platform asks for, once or again and again."""

    id: Id
    name: Bilingual
    owner: Id
    due: Day
    every_days: Annotated[int, Field(ge=1, le=3660)] | None = None
    done: tuple[Day, ...] = ()


class Review(Base):
    """What weekly, monthly and quarterly reviews follow."""

    promotions: tuple[Promotion, ...] = ()
    actions: tuple[Measure, ...] = ()
    incidents: tuple[Incident, ...] = ()
    duties: tuple[Duty, ...] = ()


class Decision(Base):
    """What was settled about a finding, while its figures stay as they were (`fingerprint`)."""

    finding: Short
    fingerprint: Short | None = None
    choice: Short
    reason: Short
    owner: Short
    date: Day


class Data(Base):
    root: Short = "data/"
    as_of: Day | None = None
    engine: Literal["duckdb", "spark"] = "duckdb"
    memory_gb: Positive | None = None
    spark_address: SparkAddress | None = None
    rules: tuple[Statement, ...] = ()
    models: tuple[Statement, ...] = ()

    @model_validator(mode="after")
    def _of_the_engine(self):
        if self.engine == "spark" and self.memory_gb is not None:
            raise PydanticCustomError("planlib.memory_of_spark", "memory of DuckDB", {"at": "memory_gb"})
        if (self.engine == "spark") != (self.spark_address is not None):
            code = "spark_without_address" if self.engine == "spark" else "address_without_spark"
            raise PydanticCustomError(f"planlib.{code}", "engine and address", {"at": "spark_address"})
        return self


class Brand(Base):
    logo: Short | None = None
    accent: Colour | None = None
    classification: Bilingual | None = None
    name: Bilingual | None = None


class PageText(Base):
    """Words of a page in place of those that its notebook wrote; numbers stand in them as references."""

    title: Text | None = None
    reading: Text | None = None


class Webhook(Base):
    """The group robot of WeCom that is told how a run went; its key stands in the environment."""

    key_env: Variable
    address: WebhookAddress | None = None
    form: Literal["markdown", "text"] = "markdown"
    when: Literal["asked", "always"] = "asked"


class Report(Base):
    locales: Annotated[tuple[Literal["zh", "en"], ...], Field(min_length=1)] = ("zh", "en")
    brand: Brand = Brand()
    pages: dict[PageId, PageText] = {}
    webhook: Webhook | None = None


class Scenario(Base):
    """A variant of the plan: what changes, by dotted path."""

    name: Bilingual
    why: Text | None = None
    change: dict[str, Any]


class Scenarios(Base):
    scenarios: dict[Id, Scenario] = {}


class PlanModel(Base):
    """A whole plan, after inheritance, adopted figures, scenario and overrides."""

    plan: PlanHead
    baseline: Baseline
    targets: tuple[Target, ...]
    own_metrics: tuple[OwnMetric, ...] = ()
    ladders: dict[Id, LadderForm] = {}
    organisation: Organisation | None = None
    users: Users
    channels: tuple[Channel, ...]
    budget: Budget
    experiments: tuple[Experiment, ...] = ()
    schedule: Schedule
    team: Team
    risks: tuple[Risk, ...] = ()
    limits: Limits = Limits()
    customers: Customers | None = None
    review: Review = Review()
    decisions: tuple[Decision, ...] = ()
    data: Data = Data()
    report: Report = Report()


class SectorFigure(Quantity):
    """What a new plan takes for a figure that nobody knows yet: wide, and of what it is a share."""

    fills: Short
    denominator: Bilingual


class Benchmarks(Base):
    """params/benchmarks.yaml: what other firms and the sector reached, never a goal of one's own."""

    cases: tuple[Statement, ...] = ()
    statistics: tuple[Statement, ...] = ()
    benchmarks: tuple[Statement, ...] = ()
    sector: tuple[SectorFigure, ...] = ()
