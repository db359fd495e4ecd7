"""What notebook 41 says of tests: rows, metrics, sentences and pages of each read-out.

As in `planlib.report.budget_story`, each function records what its page needs on the notebook's book. What was asked
of a test is `planlib.trials.Asked`, what came out of it `planlib.experiments.trial.ReadOut`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from planlib.core.intervals import wilson
from planlib.core.words import LOCALES, words
from planlib.report.charts import readout as charts

Text = dict[str, Any]
Both = dict[str, str]
Row = dict[str, Any]

LEAST_DAYS = 5  # days of assignment from which the effect is drawn day by day
SMALLEST_SEGMENT = 30  # people of each arm from which a segment is shown
LEVEL = 0.95
_WEIGHT, _SAMPLE_WEIGHT, _NONE_WEIGHT = 0.3, 0.03, 0.05
KNOWN = {  # labels that have words: what the tests of the plans and of the sample brand are made of
    "trial": (
        "welcome_coupon", "send_time", "content_type", "layered_strategy", "coupon_size", "activation_outreach",
        "push_frequency",
    ),
    "outcome": (
        "first_interaction", "opt_out", "complaint", "group_exit", "order_14d", "order_28d", "order_15_42d",
        "interactions", "click", "activated_7d", "message_open", "coupon_redeemed_yuan", "net_margin_42d_yuan",
    ),
    "arm": (
        "control", "coupon", "morning", "evening", "text", "video", "by_segment", "none", "yuan_10", "yuan_20",
        "outreach", "weekly_one", "weekly_three",
    ),
    "dimension": ("block", "day", "friend", "value_class", "interaction_class"),
    "class": ("no_order", "one_order", "repeat_buyer", "active", "silent", "deleted", "friend"),
}  # fmt: skip
_RATIOS = {"messages_opened/messages_delivered": "message_open"}  # ratios that have a name
_TONE = {"kept": 1, "broken": -1, "unsure": 0, "unmeasured": 0, "unknown": 0, "open": 0, "void": 0}
OVERVIEW_UNITS = {
    "test": "bilingual", "decision": "words:experiments.decision", "metric": "bilingual", "effect": "@unit",
    "low": "@unit", "high": "@unit", "adopt": "relative_change", "people": "people",
}  # fmt: skip
HEALTH_UNITS = {
    "test": "bilingual", "people": "people", "split": "text", "p": "probability", "cause": "bilingual",
    "remedy": "bilingual", "twice": "count", "early": "count", "missing": "count",
    "state": "words:readout.health_state",
}  # fmt: skip
EFFECT_UNITS = {
    "metric": "bilingual", "role": "words:readout.role", "effect": "@unit", "low": "@unit", "high": "@unit",
    "p": "probability", "method": "text", "n": "people", "verdict": "words:readout.verdict",
}  # fmt: skip
LEVEL_UNITS = {
    "metric": "bilingual", "control": "@unit", "treatment": "@unit", "verdict": "words:readout.verdict",
}  # fmt: skip
ASKED_UNITS = {
    "test": "bilingual", "metric": "bilingual", "arm": "bilingual", "worth": "@unit", "first": "text", "last": "text",
}  # fmt: skip
VARIANT_UNITS = {
    "test": "bilingual", "variant": "words:readout.variant", "metric": "bilingual", "effect": "@unit", "low": "@unit",
    "high": "@unit", "decision": "words:experiments.decision",
}  # fmt: skip

HIT_UNITS = {
    "test": "bilingual", "low": "relative_change", "high": "relative_change", "lift": "relative_change",
    "adopt": "relative_change", "hit": "words:readout.hit",
}  # fmt: skip


@dataclass(frozen=True, slots=True, eq=False)
class Read:
    """One test: what was asked, what came out (None where it cannot be read), and the id of its records."""

    asked: Any
    out: Any
    slug: str

    @property
    def name(self) -> Both:
        """What a reader calls the test."""
        trial = self.asked.trial
        known = name("trial", trial.id)
        return known if known["zh"] != trial.id else {locale: trial.name or trial.id for locale in LOCALES}

    @property
    def treated(self) -> Both:
        """The test, with the arm that its decision is about where the name does not tell."""
        plain = self.out.arms[0] == "control" or self.out.decision.id == "invalid"
        if len(self.out.arms) < 3 and plain:
            return self.name
        return with_arm(self.name, self.out.chosen)

    @property
    def at(self) -> int:
        """Position of that arm among the treatments."""
        return self.out.arms.index(self.out.chosen) - 1

    @property
    def adoptable(self) -> Any:
        """The lift as it may enter a plan; None of an invalid test, or where nothing is left of it."""
        if self.out.decision.id == "invalid" or not self.out.adoptable:
            return None
        found = self.out.adoptable[self.at]
        return found if found.shrunken and found.lift.estimate is not None else None


def heads(units: Iterable[str]) -> dict[str, str]:
    """Return column -> locale key of its heading."""
    return {key: f"readout.head.{key}" for key in units}


def columns_of(units: Mapping[str, str]) -> list[str]:
    """Return the columns of a table, bilingual ones as their pair.

    >>> columns_of({"test": "bilingual", "p": "ratio"})
    ['test_zh', 'test_en', 'p']
    """
    pairs = ([f"{key}_{loc}" for loc in LOCALES] if unit == "bilingual" else [key] for key, unit in units.items())
    return [column for pair in pairs for column in pair]


def slugs(ids: Iterable[str]) -> list[str]:
    """Return ids of records for ids of tests, which may hold any character.

    >>> slugs(["welcome", "券 A", "券 B"])
    ['welcome', 'A_2', 'B_3']
    """
    found = []
    for number, own in enumerate(ids, start=1):
        plain = re.sub(r"[^A-Za-z0-9_]+", "_", own).strip("_")
        found.append(plain if plain == own else f"{plain or 'test'}_{number}")
    return found


def name(kind: str, label: str) -> Both:
    """Return what a reader calls a test, outcome, arm, dimension or class; the label itself where no word is known."""
    own = _RATIOS.get(label, label)
    if own not in KNOWN[kind]:
        return dict.fromkeys(LOCALES, label)
    return {locale: words(locale).text(f"readout.{kind}.{own}") for locale in LOCALES}


def inside(both: Both) -> Text:
    """Return a name as it stands within a sentence."""
    return {"bilingual": {locale: words(locale).inside(both[locale]) for locale in LOCALES}}


def with_arm(of: Both, arm: str) -> Both:
    """Return a name with an arm behind it."""
    own = inside(name("arm", arm))["bilingual"]
    return {loc: words(loc).text("readout.of_arm", name=of[loc], arm=own[loc]) for loc in LOCALES}


def unit_of(metric: str, kind: str, level: float | None) -> str:
    """Return the unit of a metric's levels: CNY, ratio or number.

    >>> unit_of("net_margin_yuan", "mean", 10.0), unit_of("paid", "share", 0.1), unit_of("orders/days", "ratio", 3.0)
    ('CNY', 'ratio', 'number')
    """
    if "yuan" in metric or "cny" in metric:
        return "CNY"
    share = kind == "share" or (kind == "ratio" and level is not None and abs(level) <= 1)
    return "ratio" if share else "number"


def effect_unit(unit: str) -> str:
    """Return the unit of a difference of such levels."""
    return "points" if unit == "ratio" else unit


def effect_rows(read: Read) -> list[Row]:
    """Return a row for each metric and treatment: the primary first, then guardrails, then the others."""
    out, question = read.out, read.asked.question
    several = len(out.arms) > 2
    up = {metric.name: metric.higher_is_better for metric in question.metrics}
    up |= {one.metric.name: one.metric.higher_is_better for one in question.guardrails}
    rows = []
    for one in out.primary:
        band = one.deciding or one.difference.interval
        verdict = _verdict(one.difference, band)
        rows.append(_row(one, one.difference, band, "primary", verdict, up[one.metric], several, one.p_adjusted))
    for one in out.guardrails:
        reasons = out.decisions[out.arms.index(one.treatment) - 1].reasons
        verdict = _guard_verdict(one, up[one.metric], broken=f"guardrail_broken:{one.metric}" in reasons)
        row = _row(one, one.result, one.result.interval, "guardrail", verdict, up[one.metric], several, None)
        rows.append(row | {"margin": one.result.detail.get("margin")})
    blank = dict.fromkeys(("control", "treatment", "effect", "low", "high", "p", "n", "margin"))
    for metric in read.asked.unmeasured:
        own = name("outcome", metric.removesuffix("_rate"))
        rows.append(
            blank | _named(own) | {"id": metric, "arm": "", "role": "guardrail", "unit": "ratio", "method": "",
                                   "unit_effect": "points", "verdict": "unmeasured", "tone": 0, "endless": ()}
        )  # fmt: skip
    for one in out.secondary:
        verdict = _verdict(one.difference, one.difference.interval)
        found = (one, one.difference, one.difference.interval, "secondary", verdict, up[one.metric], several)
        rows.append(_row(*found, one.p_adjusted))
    if out.decision.id == "invalid":  # a difference that nobody may use has no verdict
        void = {"verdict": "void", "tone": 0}
        return [row if row["verdict"] == "unmeasured" else row | void for row in rows]
    return rows


def _row(one: Any, result: Any, band: Any, role: str, verdict: str, up: bool, several: bool, p: float | None) -> Row:
    unit = unit_of(one.metric, one.kind, result.control)
    own = name("outcome", one.metric)
    low, high = (None, None) if band is None else (float(band.low), float(band.high))
    tone = _TONE.get(verdict, 1 if (verdict == "up") == up else -1)
    return _named(with_arm(own, one.treatment) if several else own) | {
        "id": one.metric, "arm": one.treatment, "role": role, "unit": unit, "unit_effect": effect_unit(unit),
        "control": result.control, "treatment": result.treatment, "effect": result.estimate,
        "low": low if low is None or np.isfinite(low) else None,
        "high": high if high is None or np.isfinite(high) else None,
        "p": result.p_value if p is None else p, "method": result.method,
        "n": float(sum(result.n)) if result.n else None, "margin": None, "verdict": verdict, "tone": tone,
        "endless": tuple(end for end, x in (("low", low), ("high", high)) if x is not None and not np.isfinite(x)),
    }  # fmt: skip


def _named(both: Both) -> Row:
    return {f"metric_{locale}": both[locale] for locale in LOCALES}


def _verdict(result: Any, band: Any) -> str:
    if result.estimate is None or band is None:
        return "unknown"
    return "up" if band.low > 0 else "down" if band.high < 0 else "open"


def _guard_verdict(one: Any, up: bool, *, broken: bool) -> str:
    band = one.result.interval
    if one.result.estimate is None or band is None:
        return "unknown"
    if broken:
        return "broken"
    if (band.low > 0 and up) or (band.high < 0 and not up):
        return "up" if band.low > 0 else "down"
    return "kept" if one.result.detail.get("passed") else "unsure"


def effect_frame(rows: Sequence[Row]) -> list[Row]:
    """Return the differences as they are kept, also as charts write them: shares in percentage points."""
    ends = ("effect", "low", "high", "margin")
    return [
        _bilingual_part(row)
        | {key: row[key] for key in ("role", "effect", "low", "high", "p", "method", "n", "verdict")}
        | {f"drawn_{end}": _number(charts.drawn(row[end], row["unit"])) for end in ends}
        | {"unit": row["unit_effect"]}
        for row in rows
    ]


def level_rows(rows: Sequence[Row]) -> list[Row]:
    """Return the levels of both arms as they are kept."""
    kept = ("control", "treatment", "verdict", "unit")
    return [_bilingual_part(row) | {key: row[key] for key in kept} for row in rows]


def _bilingual_part(row: Row) -> Row:
    return {f"metric_{locale}": row[f"metric_{locale}"] for locale in LOCALES}


def _number(value: float | None) -> float:
    return np.nan if value is None else float(value)


def drawn_rows(rows: Sequence[Row]) -> list[charts.EffectRow]:
    """Return the rows as the chart takes them."""
    found = []
    for row in rows:
        ends = {end: charts.drawn(row[end], row["unit"]) for end in ("effect", "low", "high", "margin")}
        ends |= {end: -np.inf if end == "low" else np.inf for end in row["endless"]}
        found.append(
            charts.EffectRow(
                {locale: row[f"metric_{locale}"] for locale in LOCALES}, row["unit"], row["control"], row["treatment"],
                verdict=f"readout.verdict.{row['verdict']}", tone=row["tone"], strong=row["role"] == "primary", **ends,
            )
        )  # fmt: skip
    return found


def because(decision: Any) -> Both:
    """Return the reasons of a decision as one sentence."""
    found: dict[str, list[str]] = {locale: [] for locale in LOCALES}
    for reason in decision.reasons:
        key, _, of = reason.partition(":")
        for locale in LOCALES:
            w = words(locale)
            own = name("outcome", of) if not found[locale] else inside(name("outcome", of))["bilingual"]
            values = {"why": w.text(f"experiments.reason.{of}")} if key == "not_computable" else {}
            values |= {"name": own[locale]} if key.startswith("guardrail_") and of else {}
            said = w.text(f"experiments.because.{key}", **values)
            found[locale].append(w.inside(said) if found[locale] else said)
    return {loc: words(loc).text("readout.join").join(found[loc]) for loc in LOCALES}


def cause(mismatch: Any, arms: Sequence[str]) -> Both:
    """Return the likely cause of a mismatch in words; an empty text without an alarm."""
    if not mismatch.alarm:
        return dict.fromkeys(LOCALES, "")
    where = name("dimension", mismatch.dimension or "")
    arm, found = inside(name("arm", arms[mismatch.arm]))["bilingual"], {}
    for loc in LOCALES:
        values = {"dimension": where[loc], "label": cause_labels(mismatch)["bilingual"][loc], "arm": arm[loc]}
        own = {key: values[key] for key in words(loc).placeholders(f"experiments.cause.{mismatch.cause}")}
        found[loc] = words(loc).text(f"experiments.cause.{mismatch.cause}", **own)
    return found


def worst(health: Any) -> Any:
    """Return the mismatch that a reader has to know of: of people assigned, else of people reached."""
    return health.reached if health.reached is not None and health.reached.alarm and not health.mismatch.alarm \
        else health.mismatch


def health_rows(reads: Sequence[Read]) -> list[Row]:
    """Return a row for each test: split, likely cause, what can be saved, and what was counted twice or too early."""
    rows = []
    for read in reads:
        if read.out is None:
            continue
        health, mismatch = read.out.health, worst(read.out.health)
        why = cause(mismatch, read.out.arms)
        saved = f"experiments.remedy.{mismatch.remedy}"
        remedy = {loc: words(loc).text(saved) if mismatch.alarm else "" for loc in LOCALES}
        state = "fault" if health.faults else "partly" if mismatch.alarm else "watch" if health.watch else "sound"
        rows.append(
            {f"test_{loc}": read.name[loc] for loc in LOCALES}
            | {f"cause_{loc}": why[loc] or "—" for loc in LOCALES}
            | {f"remedy_{loc}": remedy[loc] or "—" for loc in LOCALES}
            | {
                "people": float(sum(read.out.people)), "split": " / ".join(f"{int(n):,}" for n in read.out.people),
                "p": float(health.mismatch.test.p_value), "twice": float(health.double_rows + health.in_two_arms),
                "early": float(health.outcome_before_exposure),
                "missing": float(sum(sum(counts) for counts in health.missing.values())), "state": state,
            }
        )  # fmt: skip
    return rows


def overview_rows(reads: Sequence[Read]) -> list[Row]:
    """Return a row for each test that was read: the arm decided on, its effect, and what may be adopted."""
    rows = []
    for read in reads:
        if read.out is None:
            continue
        main = effect_rows(read)[read.at]
        rows.append(
            {f"test_{loc}": read.treated[loc] for loc in LOCALES}
            | {f"metric_{loc}": name("outcome", main["id"])[loc] for loc in LOCALES}
            | {
                "id": read.asked.trial.id, "decision": read.out.decision.id, "effect": main["effect"],
                "low": main["low"], "high": main["high"], "unit": main["unit_effect"],
                "people": float(sum(read.out.people)), "adopt": read.adoptable and read.adoptable.shrunken,
            }
        )  # fmt: skip
    return rows


def overview(book: Any, reads: Sequence[Read], rows: Sequence[Row]) -> Text:
    """Record how the tests came out and the page that lists them; return the heading."""
    known = [read for read in reads if read.out is not None]
    ways = ("ship", "do_not", "continue", "invalid")
    counts = {key: sum(read.out.decision.id == key for read in known) for key in ways}
    for key, value in (counts | {"tests": len(known), "not_read": len(reads) - len(known)}).items():
        book.metric(f"n_{key}", value, "count", method="count")
    values = {key: f"n_{key}" for key in (*counts, "tests")}
    if rows:
        columns = [
            {"name": key, "head": f"readout.head.{key}", "strong": key == "decision",
             "signed": key in ("effect", "low", "high", "adopt")} | ({"weight": 1.6} if key == "test" else {})
            for key in OVERVIEW_UNITS if key != "people"
        ]  # fmt: skip
        book.page(
            "readouts", layout="table", section=_section(book), title=book.text("readout.title.overview", **values),
            subtitle=book.text("readout.subtitle.overview"), table={"id": "readouts", "columns": columns},
            reading=book.text("readout.reading.overview"), source=_source(book),
        )  # fmt: skip
    return book.text("readout.say.overview", **values)


def record(book: Any, read: Read, rows: Sequence[Row]) -> Text:
    """Record the metrics of a read-out; return its heading with the decision."""
    out, slug, main = read.out, read.slug, rows[read.at]
    for k, row in enumerate(rows):
        if row["effect"] is None:
            continue
        band = None if row["low"] is None or row["high"] is None else (row["low"], row["high"], LEVEL)
        own = f"{slug}_effect" if k == read.at else f"{slug}_{k}_effect"
        book.metric(own, row["effect"], row["unit_effect"], method=row["method"], interval=band, n=int(row["n"]),
                    signed=True)  # fmt: skip
    book.metric(f"{slug}_people", float(sum(out.people)), "people", method="count")
    book.metric(f"{slug}_split_p", float(out.health.mismatch.test.p_value), "probability", method="chi_square")
    if main["effect"] is None:
        return book.text("readout.say.not_computable", test=_bilingual(read.treated))
    values = {"test": _bilingual(read.treated), "decision": {"words": f"experiments.decision.{out.decision.id}"}}
    adopt = read.adoptable
    if adopt is not None:
        book.metric(f"{slug}_lift", adopt.lift.estimate, "relative_change", method=adopt.lift.method, signed=True)
        book.metric(f"{slug}_adopt", adopt.shrunken, "relative_change", method=f"shrunk_{adopt.method}", signed=True)
    return book.text("readout.say.decided", **values, because=_bilingual(because(out.decision)))


def health_said(book: Any, read: Read) -> Text:
    """Return what is to be said of a test's health."""
    health, slug = read.out.health, read.slug
    mismatch = worst(health)
    if mismatch.alarm:
        of = "reached" if mismatch is health.reached else "assigned"
        told = _bilingual(cause(mismatch, read.out.arms))
        remedy = {"words": f"experiments.remedy.{mismatch.remedy}"}
        return book.text(f"readout.say.fault_{of}", cause=told, remedy=remedy, p=f"{slug}_split_p")
    kind = "watch" if health.watch else "sound"
    return book.text(f"readout.say.{kind}", p=f"{slug}_split_p", people=f"{slug}_people")


def asked_rows(reads: Sequence[Read]) -> list[Row]:
    """Return a row for each test that is read: metric, control, threshold, first and last day."""
    rows = []
    for read in reads:
        question, trial, one = read.asked.question, read.asked.trial, read.out.primary[0]
        both = {"test": read.name, "metric": name("outcome", one.metric), "arm": name("arm", question.control)}
        rows.append(
            {f"{key}_{loc}": own[loc] for key, own in both.items() for loc in LOCALES}
            | {
                "worth": question.worth, "first": trial.start.isoformat() if trial.start else None,
                "last": trial.end.isoformat() if trial.end else None,
                "unit": effect_unit(unit_of(one.metric, one.kind, one.difference.control)),
            }
        )  # fmt: skip
    return rows


def not_read_said(book: Any, reads: Sequence[Read]) -> list[Text]:
    """Return a sentence for each test that cannot be read, with what it lacks."""
    return [
        book.text(f"readout.say.not_read_{read.asked.reason}", test=_bilingual(read.name))
        for read in reads if read.out is None
    ]  # fmt: skip


def asked_said(book: Any, read: Read, departures: Sequence[Both]) -> list[Text]:
    """Return what differs from the registration or the plan, and guardrails without data.

    Args:
        departures: `planlib.trials.departures` of the test.
    """
    said = [book.text("readout.say.departed", how=_bilingual(one)) for one in departures]
    if read.asked.registered is not None:
        registered = inside(name("outcome", read.asked.registered.name))
        said.append(book.text("readout.say.registered", registered=registered))
    if read.asked.overruled is not None:
        other = inside(name("outcome", read.asked.overruled.name))
        said.append(book.text("readout.say.overruled", other=other))
    if read.asked.not_measured:
        other = inside(name("outcome", read.asked.question.primary.name))
        gone = {"metric": read.asked.not_measured}
        said.append(book.text("readout.say.not_measured", metric=gone, other=other))
    for metric in read.asked.unmeasured:
        own = inside(name("outcome", metric.removesuffix("_rate")))
        said.append(book.text("readout.say.unmeasured", metric=own))
    return said


def welcome_said(book: Any, read: Read, counted: tuple[int, int]) -> Text | None:
    """Return how many who had just joined waited over five minutes; None of a test of others.

    Args:
        counted: `planlib.trials.welcome_lag` of the test.
    """
    people, late = counted
    if 2 * people < sum(read.out.people):
        return None
    found = wilson(late, people)
    book.metric(f"{read.slug}_newcomers", people, "people", method="count")
    ends = (float(found.low), float(found.high), LEVEL)
    book.metric(f"{read.slug}_late_welcome", late / people, "ratio", n=people, interval=ends, method="wilson")
    return book.text("readout.say.welcome", people=f"{read.slug}_newcomers", late=f"{read.slug}_late_welcome")


def effect_said(book: Any, read: Read, rows: Sequence[Row]) -> Text | None:
    """Return the primary effect in one sentence; None where it cannot be computed."""
    main, slug = rows[read.at], read.slug
    if main["effect"] is None or main["low"] is None or main["high"] is None:
        return None
    for end in ("control", "treatment"):
        book.metric(f"{slug}_{end}", main[end], main["unit"], method="mean")
    for end in ("low", "high"):
        book.metric(f"{slug}_{end}", main[end], main["unit_effect"], method=main["method"], signed=True)
    values = {key: f"{slug}_{key}" for key in ("control", "treatment", "effect", "low", "high")}
    return book.text("readout.say.effect", metric=_bilingual(name("outcome", main["id"])), **values)


def adjusted_said(book: Any, read: Read) -> list[Text]:
    """Return a sentence for each metric whose interval a covariate narrowed."""
    said = []
    for k, one in enumerate((*read.out.primary, *read.out.secondary)):
        cut = one.difference.detail.get("variance_reduction")
        if one.unadjusted is None or cut is None or one.unadjusted.estimate is None:
            continue
        key = f"{read.slug}_cuped{k}"
        unit = effect_unit(unit_of(one.metric, one.kind, one.difference.control))
        book.metric(f"{key}_cut", cut, "ratio", method="cuped")
        book.metric(f"{key}_before", one.unadjusted.estimate, unit, method=one.unadjusted.method, signed=True)
        book.metric(f"{key}_after", one.difference.estimate, unit, method=one.difference.method, signed=True)
        values = {end: f"{key}_{end}" for end in ("cut", "before", "after")}
        said.append(book.text("readout.say.cuped", metric=_bilingual(name("outcome", one.metric)), **values))
    if said and read.asked.question.primary.covariate is not None:
        said.append(book.text("readout.say.cuped_views"))
    return said


def segment_rows(read: Read, shrink: Any) -> list[Row]:
    """Return a row for each segment large enough, of the arm decided on, with its effect after shrinkage.

    Args:
        shrink: `planlib.experiments.portfolio.shrink`.
    """
    rows = []
    for column in dict.fromkeys(one.segment[0] for one in read.out.segments):
        own = [
            one for one in read.out.segments
            if one.segment[0] == column and one.treatment == read.out.chosen and one.difference.interval is not None
            and min(one.difference.n) >= SMALLEST_SEGMENT and np.isfinite(one.difference.interval.low)
            and np.isfinite(one.difference.interval.high)
        ]  # fmt: skip
        if len(own) < 2:
            continue
        errors = [(one.difference.interval.high - one.difference.interval.low) / 3.92 for one in own]
        drawn = shrink([one.difference.estimate for one in own], errors)
        for one, kept in zip(own, drawn.effect, strict=True):
            where, label = name("dimension", column), name("class", one.segment[1])
            unit = unit_of(one.metric, one.kind, one.difference.control)
            rows.append(
                {
                    f"segment_{loc}": words(loc).text("readout.class_of", dimension=where[loc], label=label[loc])
                    for loc in LOCALES
                }
                | {
                    "people": float(sum(one.difference.n)), "effect": one.difference.estimate, "shrunk": float(kept),
                    "low": one.difference.interval.low, "high": one.difference.interval.high, "p": one.p_adjusted,
                    "unit": effect_unit(unit), "unit_levels": unit,
                }
            )  # fmt: skip
    return rows


def policy_rows(policies: Sequence[Any]) -> list[Row]:
    """Return a row for each class of the rules by class: people, and the arm that is best for it after shrinkage."""
    return [
        {
            f"segment_{loc}": words(loc).text(
                "readout.class_of", dimension=name("dimension", one.column)[loc], label=name("class", label)[loc]
            )
            for loc in LOCALES
        }
        | {"people": float(people)}
        | {f"best_{loc}": name("arm", arm)[loc] for loc in LOCALES}
        for one in policies
        if one.arms
        for label, people, arm in zip(one.labels, one.people, one.arms, strict=True)
    ]


def policy_said(book: Any, read: Read, policies: Sequence[Any], unit: str) -> list[Text]:
    """Return, for each rule by class, what it brings beside one arm for all, or that classes are too small.

    Args:
        policies: `planlib.trials.policies` of the test.
        unit: of differences of the primary metric.
    """
    said = []
    for one in policies:
        told = {"by": inside(name("dimension", one.column))}
        if one.reason == "same_arm":
            said.append(book.text("readout.say.policy_same_arm", **told, arm=inside(name("arm", one.one_arm))))
            continue
        if one.gain is None:
            key = f"{read.slug}_least_{one.column}"
            book.metric(key, one.least, "people", method="choice")
            said.append(book.text("readout.say.policy_too_few", **told, least=key))
            continue
        key, band = f"{read.slug}_policy_{one.column}", one.gain.interval
        ends = (band.low, band.high, band.level)
        book.metric(key, one.gain.gain, unit, method="inverse_propensity", n=one.gain.n, interval=ends, signed=True)
        for end, value in (("low", band.low), ("high", band.high)):
            book.metric(f"{key}_{end}", value, unit, method="inverse_propensity", signed=True)
        up = read.asked.question.primary.higher_is_better
        shown = band.low > 0 if up else band.high < 0
        told |= {"arm": inside(name("arm", one.one_arm)), "gain": key, "low": f"{key}_low", "high": f"{key}_high"}
        said.append(book.text(f"readout.say.policy_{'worth' if shown else 'open'}", **told))
    return said


def drawn_segments(rows: Sequence[Row], whole: float) -> charts.SegmentData:
    """Return the segments as the chart takes them."""
    unit = rows[0]["unit_levels"]
    columns = {
        key: np.array([charts.drawn(row[key], unit) for row in rows], dtype=float)
        for key in ("effect", "low", "high", "shrunk")
    }
    labels = [{locale: row[f"segment_{locale}"] for locale in LOCALES} for row in rows]
    people = np.array([row["people"] for row in rows])
    return charts.SegmentData(labels, people, whole=charts.drawn(whole, unit), unit=unit, **columns)


def course(read: Read) -> Any:
    """Return the day-by-day effect of the arm decided on; None with too few days."""
    found = next((one for one in read.out.courses if one.treatment == read.out.chosen), None)
    return found if found is not None and len(found.days) >= LEAST_DAYS else None


def course_rows(found: Any, unit: str) -> list[Row]:
    """Return a row for each day: people so far, effect, confidence sequence."""
    sequence = found.sequence
    days = zip(found.days, found.people, sequence.estimate, sequence.low, sequence.high, sequence.p_so_far, strict=True)
    return [
        {"day": day, "people": float(people), "effect": float(effect), "low": float(low), "high": float(high),
         "p": float(p), "unit": unit}
        for day, people, effect, low, high, p in days
    ]  # fmt: skip


def drawn_course(read: Read, found: Any, unit: str) -> charts.CumulativeData:
    """Return the day-by-day effect as the chart takes it."""
    import datetime as dt

    first = dt.date.fromisoformat(found.days[0])
    day = np.array([(dt.date.fromisoformat(own) - first).days + 1 for own in found.days])
    estimate, low, high = (np.asarray(getattr(found.sequence, key), dtype=float) for key in ("estimate", "low", "high"))
    se = np.asarray(found.se, dtype=float)
    worth = read.asked.question.worth
    if worth is not None and not read.asked.question.primary.higher_is_better:
        worth = -worth
    return charts.CumulativeData(day, estimate, estimate - 1.96 * se, estimate + 1.96 * se, low, high, unit, worth)


def course_said(book: Any, read: Read, found: Any, unit: str) -> Text:
    """Return whether the sequence that may be looked at any day leaves out zero."""
    low, high = float(found.sequence.low[-1]), float(found.sequence.high[-1])
    for end, value in (("always_low", low), ("always_high", high)):
        book.metric(f"{read.slug}_{end}", value, unit, method="confidence_sequence", signed=True)
    kind = "any_look" if low > 0 or high < 0 else "no_early_stop"
    return book.text(f"readout.say.{kind}", low=f"{read.slug}_always_low", high=f"{read.slug}_always_high")


def beliefs(read: Read, rows: Sequence[Row]) -> list[charts.PosteriorData]:
    """Return what is believed of each treatment as the chart takes it."""
    if read.out.belief is None or read.out.decision.id == "invalid":
        return []
    up, found = read.asked.question.primary.higher_is_better, []
    for one, row in zip(read.out.belief.effects, rows, strict=False):
        unit = row["unit"]
        ends = (charts.drawn(float(x), unit) for x in (one.mean, one.interval.low, one.interval.high))
        mean, low, high = ends
        own = {locale: row[f"metric_{locale}"] for locale in LOCALES}
        found.append(charts.PosteriorData(own, mean, low, high, one.chance_to_win, (high - low) / 3.92, unit, up))
    return found


def belief_rows(read: Read, drawn: Sequence[charts.PosteriorData]) -> list[Row]:
    """Return a row for each treatment: expected effect as drawn, chance to win, expected losses in CNY."""
    losses = read.out.belief.loss_cny if read.out.belief is not None else None
    return [
        _named(arm.name)
        | {
            "mean": arm.mean, "low": arm.low, "high": arm.high, "chance": arm.chance,
            "loss_treatment": None if losses is None else float(losses[k][0]),
            "loss_control": None if losses is None else float(losses[k][1]),
        }
        for k, arm in enumerate(drawn)
    ]  # fmt: skip


def belief_said(book: Any, read: Read) -> Text | None:
    """Return the chance to win of the arm decided on, and what either choice loses on average."""
    if read.out.belief is None or read.out.decision.id == "invalid":
        return None
    own, slug = read.out.belief.effects[read.at], read.slug
    book.metric(f"{slug}_chance", own.chance_to_win, "probability", method=own.method)
    if read.out.belief.loss_cny is None:
        return book.text("readout.say.belief", chance=f"{slug}_chance")
    for end, value in zip(("loss_ship", "loss_keep"), read.out.belief.loss_cny[read.at], strict=True):
        book.metric(f"{slug}_{end}", float(value), "CNY", method=own.method)
    losses = {"ship": f"{slug}_loss_ship", "keep": f"{slug}_loss_keep"}
    return book.text("readout.say.belief_money", chance=f"{slug}_chance", **losses)


def adopt_said(book: Any, read: Read) -> Text:
    """Return the effect as it may be adopted."""
    adopt, slug = read.adoptable, read.slug
    if read.out.decision.id == "invalid":
        return book.text("readout.say.adopt_invalid")
    if adopt is None:
        return book.text("readout.say.adopt_none")
    if adopt.exaggeration is None:
        return book.text("readout.say.adopt", lift=f"{slug}_lift", adopt=f"{slug}_adopt")
    book.metric(f"{slug}_type_m", adopt.exaggeration.type_m, "multiple", method="gelman_carlin")
    return book.text("readout.say.adopt_overstated", lift=f"{slug}_lift", adopt=f"{slug}_adopt", times=f"{slug}_type_m")


def page(book: Any, read: Read, rows: Sequence[Row], *, by_day: bool) -> None:
    """Record the page of one read-out: decision in the title, all metrics, reasons below.

    Args:
        by_day: the chart is the effect day by day, with the metrics in a table beside it.
    """
    slug, trial = read.slug, read.asked.trial
    title, reading = _page_said(book, read, rows)
    dated = trial.start is not None and trial.end is not None
    span = {"first": {"date": trial.start.isoformat()}, "last": {"date": trial.end.isoformat()}} if dated else {}
    shown, table = "plain" if not dated else "by_day" if by_day else "dated", None
    if by_day:
        keys = ("metric", "control", "treatment", "verdict")
        columns = [{"name": key, "head": f"readout.head.{key}", "strong": key == "treatment"} for key in keys]
        table = {"id": f"levels_{slug}", "columns": columns}
    book.page(
        f"readout_{slug}", layout="chart", section=_section(book), title=title,
        subtitle=book.text(f"readout.subtitle.{shown}", **span, people=f"{slug}_people"),
        chart=f"{'by_day' if by_day else 'effects'}_{slug}", table=table, reading=reading, source=_source(book),
    )  # fmt: skip


def _page_said(book: Any, read: Read, rows: Sequence[Row]) -> tuple[Text, Text]:
    """Title and reading of a read-out's page."""
    out, slug, main = read.out, read.slug, rows[read.at]
    kind = _title_kind(out.decision, main)
    test, why = {"test": _bilingual(read.treated)}, {"because": _bilingual(because(out.decision))}
    if kind == "invalid":
        mismatch = worst(out.health)
        title = book.text("readout.title.invalid", **test, why=inside(because(out.decision)))
        if not mismatch.alarm:
            return title, book.text("readout.reading.plain", **why)
        return title, book.text("readout.reading.void", remedy=remedy_inside(mismatch))
    told = test | {"metric": inside(name("outcome", main["id"])), "effect": f"{slug}_effect"}
    improved = _of_arm(rows, out.chosen, lambda r: r["role"] == "guardrail" and r["verdict"] in ("up", "down")
                       and r["tone"] > 0)  # fmt: skip
    orders = None
    if read.asked.registered is not None:
        orders = _of_arm(rows, out.chosen, lambda r: r["id"] == read.asked.registered.name and r["verdict"] == "up")
    if kind in ("none", "small") and orders is not None:
        own = test | {"orders": f"{slug}_{orders}_effect", "registered": inside(name("outcome", rows[orders]["id"]))}
        title = book.text("readout.title.coupon", **own, effect=f"{slug}_effect")
        return title, book.text("readout.reading.coupon", **why)
    if kind in ("none", "small") and improved is not None:
        own = {"guard": inside(name("outcome", rows[improved]["id"])), "change": f"{slug}_{improved}_effect"}
        return book.text("readout.title.guard_better", **told, **own), book.text(
            "readout.reading.guard_better", because=inside(because(out.decision))
        )
    if kind in ("ship", "guard_open", "continue") and read.adoptable is not None:
        reading = book.text(f"readout.reading.adopt_{kind}", **why, adopt=f"{slug}_adopt")
        return book.text(f"readout.title.{kind}", **told), reading
    return book.text(f"readout.title.{kind}", **told), book.text("readout.reading.plain", **why)


def _of_arm(rows: Sequence[Row], arm: str, fits: Any) -> int | None:
    """Place of the first row of an arm that fits."""
    return next((k for k, row in enumerate(rows) if row["arm"] == arm and fits(row)), None)


def _title_kind(decision: Any, main: Row) -> str:
    first = decision.reasons[0].partition(":")[0] if decision.reasons else ""
    if decision.id == "invalid" or main["effect"] is None:
        return "invalid"
    if decision.id in ("ship", "continue"):
        return decision.id
    kinds = {"guardrail_broken": "guard_broken", "guardrail_open": "guard_open", "harm_shown": "harm",
             "too_small_to_matter": "small"}  # fmt: skip
    return kinds.get(first, "none")


def drawn_health(read: Read) -> charts.HealthData | None:
    """Return the split of the arm that lacks people, label by label; None without an alarm or labels."""
    mismatch = worst(read.out.health)
    if not mismatch.alarm:
        return None
    drill = next((one for one in mismatch.drills if one.dimension == drilled(mismatch)), None)
    known = [] if drill is None else [(la, t) for la, t in zip(drill.labels, drill.tests, strict=True) if t is not None]
    if not known:
        return None
    counts = np.array([test.observed for _, test in known], dtype=float)
    people, own = counts.sum(axis=1), counts[:, mismatch.arm]
    band = wilson(own, people)
    labels = [name("class", label or "—") for label, _ in known]
    off = np.array([label in mismatch.labels for label, _ in known])
    of = "reached" if mismatch is read.out.health.reached else "assigned"
    where = f"readout.dimension.{drill.dimension}"
    return charts.HealthData(
        labels, people, own / people, np.asarray(band.low), np.asarray(band.high),
        float(read.out.health.shares[mismatch.arm]), off, f"readout.charts.share_{of}", where,
    )  # fmt: skip


def health_table(drawn: charts.HealthData) -> list[Row]:
    """Return the rows behind the chart of a fault."""
    columns = zip(drawn.labels, drawn.people, drawn.share, drawn.low, drawn.high, strict=True)
    return [
        {"label_zh": label["zh"], "label_en": label["en"], "people": float(n), "share": float(share),
         "low": float(low), "high": float(high), "planned": drawn.expected}
        for label, n, share, low, high in columns
    ]  # fmt: skip


def health_page(book: Any, read: Read, others: Mapping[str, Any]) -> None:
    """Record the page of a fault: where people are missing, what can still be saved, and what is left then.

    Args:
        others: `planlib.trials.variants` of the test.
    """
    mismatch, slug = worst(read.out.health), read.slug
    test, arm = mismatch.test, inside(name("arm", read.out.arms[mismatch.arm]))
    of = "reached" if mismatch is read.out.health.reached else "assigned"
    values = {"test": _bilingual(read.name), "arm": arm}
    kind = mismatch.cause if mismatch.cause in ("some_labels", "spread_evenly") else "other"
    if mismatch.cause == "filtered_after_assignment":
        kind, values["label"] = "filtered", inside(cause_labels(mismatch)["bilingual"])
    elif kind == "some_labels":
        kind, values["label"] = f"labels_{of}", cause_labels(mismatch)
    else:
        gap = test.expected[mismatch.arm] - test.observed[mismatch.arm]
        book.metric(f"{slug}_lacking", float(round(gap)), "people", method="chi_square", n=test.n)
        values["gap"] = f"{slug}_lacking"
    remedy, by = {"words": f"experiments.remedy.{mismatch.remedy}"}, inside(name("dimension", drilled(mismatch)))
    reading = book.text("readout.reading.health", remedy=remedy)
    if "left_out" in others:
        one = others["left_out"].primary[read.at].difference
        unit = effect_unit(unit_of(read.out.primary[read.at].metric, read.out.primary[read.at].kind, one.control))
        book.metric(f"{slug}_left_out", one.estimate, unit, method=one.method, n=int(sum(one.n)), signed=True)
        reading = book.text("readout.reading.health_left_out", remedy=remedy, effect=f"{slug}_left_out")
    book.page(
        f"health_{slug}", layout="chart", section=_section(book), chart=f"health_{slug}",
        title=book.text(f"readout.title.{kind}", **values),
        subtitle=book.text(f"readout.subtitle.health_{of}", by=by),
        reading=reading, source=_source(book),
    )  # fmt: skip


def drilled(mismatch: Any) -> str:
    """Return the dimension that a fault is shown by: where it sits, else the employees."""
    return mismatch.dimension or "block"


def remedy_inside(mismatch: Any) -> Text:
    """Return what can be saved, as it stands within a sentence."""
    return inside({loc: words(loc).text(f"experiments.remedy.{mismatch.remedy}") for loc in LOCALES})


def cause_labels(mismatch: Any) -> Text:
    """Return the labels at fault in words."""
    own = [name("class", label) for label in mismatch.labels]
    return {"bilingual": {loc: words(loc).text("readout.list").join(o[loc] for o in own) for loc in LOCALES}}


def alt(book: Any, kind: str, read: Read) -> Text:
    """Return what a chart of a test says."""
    return book.text(f"readout.alt.{kind}", test=_bilingual(read.treated))


def variant_rows(read: Read, others: Mapping[str, Any]) -> list[Row]:
    """Return a row for the reading as settled and for each other choice."""
    rows = []
    for key, out in ({"as_settled": read.out} | dict(others)).items():
        own = Read(read.asked, out, read.slug)
        one = out.primary[own.at]
        band = one.deciding or one.difference.interval
        unit = effect_unit(unit_of(one.metric, one.kind, one.difference.control))
        metric = name("outcome", one.metric)
        rows.append(
            {f"test_{loc}": own.treated[loc] for loc in LOCALES}
            | {f"metric_{loc}": metric[loc] for loc in LOCALES}
            | {
                "variant": key, "effect": one.difference.estimate,
                "low": None if band is None or not np.isfinite(band.low) else float(band.low),
                "high": None if band is None or not np.isfinite(band.high) else float(band.high),
                "decision": out.decision.id, "unit": unit,
            }
        )  # fmt: skip
    return rows


def hit_rows(reads: Sequence[Read]) -> list[Row]:
    """Return a row for each treatment of a finished, valid test of which the plan expected something.

    Predicted is an effect of 0 give or take 1.96 sqrt(prior^2 + se^2): the standard deviation that the plan expects of
    relative effects, and the error of the read-out itself.
    """
    rows = []
    for read in reads:
        if read.out is None or read.asked.running or read.out.decision.id == "invalid":
            continue
        prior = read.asked.question.prior_sd_rel
        for one in read.out.adoptable:
            if prior is None or one.shrunken is None:
                continue
            reach = 1.96 * float(np.hypot(prior, one.lift.se))
            own = with_arm(read.name, one.treatment) if len(read.out.arms) > 2 else read.name
            hit = "inside" if abs(one.lift.estimate) <= reach else "outside"
            rows.append(
                {f"test_{loc}": own[loc] for loc in LOCALES}
                | {"low": -reach, "high": reach, "lift": one.lift.estimate, "adopt": one.shrunken, "hit": hit}
            )
    return rows


def hits_said(book: Any, rows: Sequence[Row]) -> Text:
    """Record how often realised lifts fell inside what was predicted, and what shrinkage takes off; return both."""
    if not rows:
        return book.text("readout.say.hits_none")
    n, inside_n = len(rows), sum(row["hit"] == "inside" for row in rows)
    band = wilson(inside_n, n, level=LEVEL)
    ends = {"low": float(band.low), "high": float(band.high)}
    off = float(np.mean([abs(row["lift"] - row["adopt"]) for row in rows]))
    book.metric("hits_n", n, "count", method="count")
    book.metric("hits_inside", inside_n, "count", method="count")
    book.metric("hits", inside_n / n, "ratio", method="wilson", interval=(*ends.values(), LEVEL), n=n)
    for end, value in ends.items():
        book.metric(f"hits_{end}", value, "ratio", method="wilson", n=n)
    book.metric("hits_off", off, "points", method="mean", n=n)
    return book.text("readout.say.hits", **{key: f"hits_{key}" for key in ("n", *ends, "off")}, share="hits")


def drawn_hits(rows: Sequence[Row]) -> charts.RealisedData:
    """Return predicted and realised effects as the chart takes them, the largest surprise first."""
    order = sorted(rows, key=lambda row: -abs(row["lift"]) / row["high"])
    columns = {key: np.array([row[own] for row in order]) for key, own in (
        ("low", "low"), ("high", "high"), ("lift", "lift"), ("shrunk", "adopt"))}  # fmt: skip
    return charts.RealisedData([{loc: row[f"test_{loc}"] for loc in LOCALES} for row in order], **columns)


def hits_page(book: Any) -> None:
    """Record the page of the portfolio: what was predicted of finished tests, what came out, what is left of it.

    Args:
        book: has chart `hits` and the metrics of `hits_said`.
    """
    book.page(
        "readout_portfolio", layout="chart", section=_section(book), chart="hits",
        title=book.text("readout.title.portfolio", n="hits_n", inside="hits_inside", off="hits_off"),
        subtitle=book.text("readout.subtitle.portfolio"),
        reading=book.text("readout.reading.portfolio", low="hits_low", high="hits_high"), source=_source(book),
    )  # fmt: skip


def segment_frame(rows: Sequence[Row]) -> list[Row]:
    """Return the segments as they are kept, differences also as charts write them."""
    return [
        {key: value for key, value in row.items() if key != "unit_levels"}
        | {f"drawn_{end}": charts.drawn(row[end], row["unit_levels"]) for end in ("effect", "low", "high", "shrunk")}
        for row in rows
    ]


def people_gap(read: Read) -> float:
    """Return how far people counted day by day are from those of the whole, over all arms."""
    test = read.out.health.mismatch.test
    days = [drill for drill in read.out.health.mismatch.drills if drill.dimension == read.asked.question.date]
    counted = [sum(sum(test.observed) for test in drill.tests if test is not None) for drill in days]
    return float(max([abs(n - sum(read.out.people)) for n in (*counted, sum(test.observed))]))


def effect_gap(row: Row) -> float:
    """Return how far a difference is from that of the levels beside it."""
    if row["effect"] is None or row["control"] is None or row["treatment"] is None:
        return 0.0
    return abs(row["treatment"] - row["control"] - row["effect"])


def findings(book: Any, reads: Sequence[Read]) -> None:
    """Record the finding for the summary."""
    known = [read for read in reads if read.out is not None]
    if not known:
        return
    bad = sum(read.out.decision.id == "invalid" for read in known)
    values = {key: f"n_{key}" for key in ("tests", "ship", "do_not", "invalid", "continue")}
    weight = _SAMPLE_WEIGHT if book.on_sample else _NONE_WEIGHT + _WEIGHT * (bad + 1) / (len(known) + 1)
    book.finding(
        "readouts", status="at_risk" if bad else "on_track", weight=weight, figure="n_ship",
        figure_label=book.text(f"readout.finding.label{'_sample' * book.on_sample}"),
        text=book.text("readout.finding.text", tests="n_tests", ship="n_ship"),
        evidence=book.text("readout.finding.why", **{k: values[k] for k in ("do_not", "continue", "invalid")}),
        next_step=book.text(f"readout.finding.next_{'invalid' if bad else 'sound'}"),
        owner=book.text("experiments.owner"), page="readouts",
    )  # fmt: skip


def _bilingual(both: Both) -> Text:
    return {"bilingual": dict(both)}


def _section(book: Any) -> str:
    return f"readout.section{'_sample' * book.on_sample}"


def _source(book: Any) -> Text:
    return book.text(f"readout.source{'_sample' * book.on_sample}")
