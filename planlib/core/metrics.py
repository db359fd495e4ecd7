"""The metric catalogue: what each figure of a plan means, so that rules can be general.

`metrics.yaml` beside this file is the catalogue and explains its fields; `locale/<zh|en>/metrics.yaml` holds the
names. `python -m planlib.core.metrics` writes docs/metrics.md and docs/metrics.zh.md anew from both.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib import resources
from pathlib import Path
from types import MappingProxyType
from typing import Any

from planlib.core import own
from planlib.core.errors import InputError, Problem

Domain = tuple[float | None, float | None]

_NO_LESS: Domain = (0, None)
_SHARE: Domain = (0, 1)
_ANY: Domain = (None, None)

# unit -> lowest and highest level that any metric of it can have
UNITS: Mapping[str, Domain] = MappingProxyType(
    {
        "users": _NO_LESS, "people": _NO_LESS, "count": _NO_LESS, "orders": _NO_LESS, "reads": _NO_LESS,
        "users_per_month": _NO_LESS, "users_per_day": _NO_LESS, "users_per_person": _NO_LESS,
        "users_per_session": _NO_LESS, "queries_per_day": _NO_LESS, "messages_per_user_week": _NO_LESS,
        "CNY": _NO_LESS, "CNY_per_user": _NO_LESS, "CNY_per_order": _NO_LESS, "CNY_per_person": _NO_LESS,
        "ratio": _SHARE, "probability": _SHARE, "points": (-1, 1), "multiple": _NO_LESS, "index": _NO_LESS,
        "score": _ANY, "score_of_5": (1, 5), "rank": (1, None),
        "milliseconds": _NO_LESS, "seconds": _NO_LESS, "minutes": _NO_LESS, "hours": _NO_LESS, "days": _NO_LESS,
        "weeks": _NO_LESS, "months": _NO_LESS, "hours_per_week": (0, 168), "month": (1, None), "year": (1, None),
        "none": _ANY,
    }
)  # fmt: skip
KINDS = ("stock", "flow", "rate", "money", "date", "count", "duration", "score", "qualitative")
DIRECTIONS = ("up", "down", "none")
ROLES = ("driver", "outcome", "cap", "fact")
STAGES = ("acquisition", "activation", "retention", "revenue", "referral")
LINKS = (
    "inflow", "outflow", "part_of", "subset_of", "product_of", "complement_of", "deadline_of", "reference",
)  # fmt: skip

_COUNTED: Mapping[str, str] = {"unit": "count", "kind": "count", "direction": "none", "role": "fact"}
_STATED: Mapping[str, str] = {"unit": "none", "kind": "qualitative", "direction": "none", "role": "fact"}
_LISTS = ("numerator_readings", "denominator_readings", "required_by")


@dataclass(frozen=True, slots=True)
class Metric:
    """What one figure means. None: the documents do not state it, or it does not apply.

    Args:
        id: as plans and results name it.
        unit: one of `UNITS`; of a level, never of a lift.
        kind: one of `KINDS`.
        direction: which way is better, one of `DIRECTIONS`.
        role: one of `ROLES`. A stated level of a driver is used as it stands, an outcome's is a floor (a ceiling
            where `direction` is down), a cap's is a limit; a fact is not reckoned with.
        domain: lowest and highest level that makes sense.
        numerator: what is divided: a metric, or a key of `bases("numerators")`.
        denominator: what it is divided by: a metric, or a key of `bases("denominators")`.
        numerator_readings: what an unstated numerator may mean; beside a stated one, its rivals.
        denominator_readings: the same for the denominator.
        window: days over which the numerator is counted; 30 stands for a calendar month.
        population: whose figure it is.
        state: the state of the people counted, a word of `states()`.
        from_state: the state that they were in before; with `state` a transition.
        stage: one of `STAGES`.
        family: metrics of one family go by one word and count different things.
        axis: by what the whole is split whose part this is, a word of `axes()`.
        links: kind of link (`LINKS`) -> metric ids; kinds without a link are absent.
        required_by: rooms whose models cannot run without it.
    """

    id: str
    unit: str
    kind: str
    direction: str
    role: str
    domain: Domain
    numerator: str | None = None
    denominator: str | None = None
    numerator_readings: tuple[str, ...] = ()
    denominator_readings: tuple[str, ...] = ()
    window: int | None = None
    population: str | None = None
    state: str | None = None
    from_state: str | None = None
    stage: str | None = None
    family: str | None = None
    axis: str | None = None
    links: Mapping[str, tuple[str, ...]] = field(default_factory=lambda: MappingProxyType({}), hash=False)
    required_by: tuple[str, ...] = ()

    @property
    def divided(self) -> bool:
        """Whether one thing is divided by another: a share, an average, a price.

        >>> metric("cac").divided, metric("gmv").divided
        (True, False)
        """
        return bool(self.denominator or self.denominator_readings)

    @property
    def additive(self) -> bool:
        """Whether levels of disjoint groups add up to the level of all of them.

        >>> metric("team_size").additive, metric("cac").additive, metric("mau_rate").additive
        (True, False, False)
        """
        return self.kind in ("stock", "flow", "money", "count") and not self.divided


@dataclass(frozen=True, slots=True)
class Base:
    """Something counted above or below the line that is no metric itself.

    Args:
        id: as `Metric.numerator` or `Metric.denominator` names it.
        of: the metric or base whose people these are; None when it stands alone.
        less: the share of `of` that is left out: the base is `of` times (1 - less). None: all of `of`.
    """

    id: str
    of: str | None = None
    less: str | None = None


def catalogue() -> Mapping[str, Metric]:
    """Return every metric by its id, in the catalogue's order, metrics that loaded plans declare last.

    >>> catalogue()["churn_rate"].from_state, catalogue()["churn_rate"].state
    ('listed', 'left')
    """
    declared = own.known()
    return {**_metrics(), **{name: of_own(found) for name, found in declared.items()}} if declared else _metrics()


def shipped() -> Mapping[str, Metric]:
    """Return the catalogue without what plans declare."""
    return _metrics()


@cache
def _own(metric_id: str, unit: str, kind: str, direction: str, window: int | None, below: str | None) -> Metric:
    return Metric(metric_id, unit, kind, direction, "outcome", UNITS[unit], denominator=below, window=window)


def of_own(found: own.OwnMetric) -> Metric:
    """Return what the catalogue says of a metric that a plan declares."""
    below = found.divided_by if isinstance(found.divided_by, str) else None
    return _own(found.id, found.unit, found.kind, found.direction, found.window_days, below)


def metric(metric_id: str) -> Metric:
    """Return one metric.

    Raises:
        InputError: the catalogue has no such metric; the nearest ids are told.

    >>> metric("user_growth_goal_month").links["deadline_of"]
    ('private_domain_users',)
    """
    known = catalogue()
    found = known.get(metric_id)
    if found is None:
        nearest = ", ".join(_nearest(str(metric_id), known))
        raise InputError(Problem("unknown_metric", given=metric_id, values={"nearest": nearest}))
    return found


@cache
def bases(side: str) -> Mapping[str, Base]:
    """Return what is counted on one side of the line and is no metric.

    Args:
        side: "numerators" or "denominators".

    >>> bases("denominators")["silent_new_users"]
    Base(id='silent_new_users', of='new_users', less='first_interaction_rate')
    """
    found = _source()[side]
    given = found if isinstance(found, Mapping) else {base_id: {} for base_id in found}
    return MappingProxyType({base_id: Base(base_id, **entry) for base_id, entry in given.items()})


@cache
def states() -> Mapping[str, tuple[str, ...]]:
    """Return state -> the states that it splits into; each person of the first is in exactly one of them.

    >>> states()["listed"]
    ('active', 'dormant')
    """
    return MappingProxyType({state: tuple(parts) for state, parts in _source()["states"].items()})


@cache
def axes() -> Mapping[str, bool]:
    """Return axis -> whether the parts along it make up the whole."""
    return MappingProxyType(_source()["axes"])


def parts(whole: str, axis: str) -> tuple[str, ...]:
    """Return the metrics into which an axis splits a whole.

    >>> parts("gmv", "purchase")
    ('gmv_new', 'gmv_repeat')
    """
    return tuple(m.id for m in catalogue().values() if m.axis == axis and whole in m.links.get("part_of", ()))


def products(metric_id: str, *, readings: bool = False) -> tuple[tuple[str, ...], ...]:
    """Return every declared way to reckon a metric as a product.

    Each rate says one: its numerator is its denominator times the rate. `product_of` links say the others.

    Args:
        metric_id: what is reckoned.
        readings: also the ways that hold only if an unstated numerator or denominator is read so.

    >>> products("gmv")
    (('orders', 'aov'), ('company_gmv', 'gmv_share'))
    >>> products("acquisition_spend", readings=True)[:2]
    (('new_users', 'cac'), ('paid_new_users', 'cac'))
    """
    return tuple(_linked_product(metric_id)) + tuple(
        (below, rate.id)
        for rate in catalogue().values()
        if metric_id in _sides(rate.numerator, rate.numerator_readings, readings)
        for below in _sides(rate.denominator, rate.denominator_readings, readings)
    )


def page(locale: str) -> str:
    """Return the catalogue as a Markdown page in `zh` or `en`; docs/metrics*.md are these pages."""
    from planlib.core.words import words

    w = words(locale)
    rows = (_row(metric(metric_id), w) for metric_id in _source()["metrics"])
    lines = [f"# {w.text('metrics.doc_title')}", "", w.text("metrics.doc_intro"), ""]
    heads = ("name", "id", "unit", "meaning", "direction", "role", "stage", "links", "required_by")
    lines += _table([w.text(f"metrics.doc_{head}") for head in heads], rows)
    for title, section in (("doc_counted", "counted_lists"), ("doc_stated", "stated_rules")):
        lines += ["", f"## {w.text(f'metrics.{title}')}", ""]
        heads = [w.text("metrics.doc_name"), w.text("metrics.doc_id")]
        lines += _table(heads, ([w.metric(metric_id), f"`{metric_id}`"] for metric_id in _source()[section]))
    return "\n".join(lines) + "\n"


def _row(m: Metric, w: Any) -> list[str]:
    links = [
        f"{w.metric(f'link_{kind}')}{w.text('metrics.doc_colon')}{_listed(targets, w)}"
        for kind, targets in m.links.items()
    ]
    return [
        w.metric(m.id),
        f"`{m.id}`",
        f"`{m.unit}`",
        _meaning(m, w),
        w.metric(f"direction_{m.direction}"),
        w.metric(f"role_{m.role}"),
        w.metric(f"stage_{m.stage}") if m.stage else "",
        w.text("metrics.doc_semicolon").join(links),
        ", ".join(f"`{room}`" for room in m.required_by),
    ]


def _meaning(m: Metric, w: Any) -> str:
    """Say what is divided by what, over which days, whose figure it is."""
    said = []
    if m.divided:
        above, below = (_side(m, side, w) for side in ("numerator", "denominator"))
        said.append(w.text("metrics.doc_divided", above=above, below=below))
    if m.window is not None:
        said.append(w.text("metrics.doc_window", window=w.number(m.window, "days")))
    if m.from_state:
        said.append(
            w.text("metrics.doc_moves", before=w.metric(f"state_{m.from_state}"), after=w.metric(f"state_{m.state}"))
        )
    elif m.state:
        said.append(w.text("metrics.doc_state", state=w.metric(f"state_{m.state}")))
    if m.population:
        said.append(w.text("metrics.doc_population", population=w.metric(f"population_{m.population}")))
    return w.text("metrics.doc_semicolon").join(said)


def _side(m: Metric, side: str, w: Any) -> str:
    stated, readings = getattr(m, side), getattr(m, f"{side}_readings")
    if stated:
        return base_name(stated, side, w)
    if readings:
        return w.text("metrics.doc_unstated", readings=_listed(readings, w, side))
    return w.text("metrics.doc_unknown")


def base_name(base: str, side: str, w: Any) -> str:
    """Return the name of a numerator or denominator, be it a metric or not.

    Args:
        base: a metric id, or a key of `bases`.
        side: "numerator" or "denominator", where it stands.
        w: words of one language.
    """
    if base in catalogue():
        return w.metric(base)
    return w.metric(f"denominator_{base}" if base in bases("denominators") else f"{side}_{base}")


def _listed(ids: Iterable[str], w: Any, side: str = "denominator") -> str:
    return w.text("metrics.doc_comma").join(base_name(found, side, w) for found in ids)


def _table(heads: list[str], rows: Iterable[list[str]]) -> list[str]:
    lines = [" | ".join(heads), " | ".join("-" for _ in heads), *(" | ".join(row) for row in rows)]
    return [f"| {line} |" for line in lines]


def _linked_product(metric_id: str) -> Iterator[tuple[str, ...]]:
    known = catalogue().get(metric_id)
    if known is not None and "product_of" in known.links:
        yield known.links["product_of"]


def _sides(stated: str | None, others: tuple[str, ...], readings: bool) -> tuple[str, ...]:
    """Return what one side of the line may be."""
    named = () if stated is None else (stated,)
    return named + others if readings else named


def _nearest(metric_id: str, known: Mapping[str, Metric]) -> list[str]:
    import difflib

    return difflib.get_close_matches(metric_id, known, n=3, cutoff=0.5) or difflib.get_close_matches(
        metric_id, known, n=1, cutoff=0.0
    )


@cache
def _metrics() -> Mapping[str, Metric]:
    source = _source()
    found = {metric_id: _read(metric_id, entry) for metric_id, entry in source["metrics"].items()}
    for section, shared in (("counted_lists", _COUNTED), ("stated_rules", _STATED)):
        for metric_id, stage in source[section].items():
            found[metric_id] = _read(metric_id, {**shared, "stage": stage})
    return MappingProxyType(found)


def _read(metric_id: str, entry: Mapping[str, Any]) -> Metric:
    given = dict(entry)
    for name in _LISTS:
        if name in given:
            given[name] = tuple(given[name])
    links = {kind: tuple(targets) for kind, targets in given.pop("links", {}).items()}
    domain = tuple(given.pop("domain", UNITS[given["unit"]]))
    return Metric(id=metric_id, domain=domain, links=MappingProxyType(links), **given)


@cache
def _source() -> Mapping[str, Any]:
    import yaml

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    content = (resources.files("planlib.core") / "metrics.yaml").read_text(encoding="utf-8")
    return yaml.load(content, Loader=loader)


def _write_pages() -> None:
    docs = Path(__file__).resolve().parents[2] / "docs"
    for name, locale in (("metrics.md", "en"), ("metrics.zh.md", "zh")):
        (docs / name).write_text(page(locale), encoding="utf-8", newline="\n")


if __name__ == "__main__":
    _write_pages()
