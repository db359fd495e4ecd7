"""What `planlib readout` asks and prints: the verdict in words, health, effects; or JSON for other programs."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import fields, is_dataclass
from typing import Any

import numpy as np

from planlib.core.guards import Guard
from planlib.core.intervals import Interval
from planlib.core.words import Words, aligned
from planlib.experiments.readout import Mismatch, guardrail_state
from planlib.experiments.result import Result
from planlib.experiments.trial import Effect, Guardrail, Metric, Question, ReadOut
from planlib.plan.registration import Deviation
from planlib.registering import deviation_line

SHOWN_SEGMENTS = 12
RARE_P = 1e-4  # below, a p-value is only said to be smaller
Write = Callable[[str], None]


def asked(
    variant: str,
    control: str,
    *,
    metrics: Sequence[str],
    ratios: Sequence[str],
    falling: Sequence[str],
    covariates: Sequence[str],
    guardrails: Sequence[str],
    left_out: Sequence[str],
    shares: str | None,
    one_sided: bool = False,
    looks: str | None = None,
    stopping: str | None = None,
    **settled: Any,
) -> Question:
    """Make a question of what the command line says.

    Args:
        variant, control: as `Question`.
        metrics: columns, the first one the primary metric.
        ratios: NUM/DEN each; the first is primary when there is no other metric.
        falling: names among these that should fall.
        covariates: one column for shares and means, one NUM/DEN for ratios.
        guardrails: COL=LIMIT each; a limit above zero is for a metric that should stay low.
        left_out: COL=LABEL each.
        shares: LABEL=SHARE, commas between.
        one_sided: only a change of the primary metric to the better counts.
        looks: shares of the people, commas between, rising to 1; None for one look at the end.
        stopping: rule; None for obrien_fleming with looks and fixed without.
        settled: as `Question`.

    Raises:
        InputError: everything that is not of its form.

    >>> asked("v", "a", metrics=["paid"], ratios=[], falling=[], covariates=["before"], guardrails=["left=+0.01"],
    ...       left_out=[], shares="a=0.5,b=0.5").guardrails[0].margin_abs
    0.01
    """
    guard = Guard()
    plain_before = [name for name in covariates if "/" not in name]
    ratio_before = [_pair(guard, "--covariate", name, "/") for name in covariates if "/" in name]
    for several in (plain_before, ratio_before):
        if len(several) > 1:
            guard.add("form", "--covariate", ", ".join(covariates), form="COL, NUM/DEN")
    before = plain_before[0] if plain_before else None
    over = ratio_before[0] if ratio_before else (None, None)
    found = [Metric(name, covariate=before, higher_is_better=name not in falling) for name in metrics]
    for name in ratios:
        numerator, denominator = _pair(guard, "--ratio", name, "/")
        found.append(Metric(numerator, denominator, *over, higher_is_better=name not in falling))
    for name in falling:
        guard.choice("--lower", name, [*metrics, *ratios])
    if not found:
        guard.add("missing", "--metric")
    kept = []
    for text in guardrails:
        name, limit = _named_number(guard, "--guardrail", text, "COL=LIMIT")
        if limit == 0:
            guard.add("not_zero", "--guardrail", text)
        kept.append(Guardrail(Metric(name, higher_is_better=limit < 0), margin_abs=abs(limit)))
    planned = None
    if shares is not None:
        planned = dict(_named_number(guard, "--shares", part.strip(), "LABEL=SHARE") for part in shares.split(","))
    gone = tuple(_pair(guard, "--leave-out", text, "=") for text in left_out)
    seen = (1.0,) if looks is None else tuple(_number(guard, "--looks", part, "0.5,1") for part in looks.split(","))
    guard.done()
    side = "two_sided" if not one_sided else "greater" if found[0].higher_is_better else "less"
    settled |= {"alternative": side, "looks": seen}
    settled |= {"stopping": stopping or ("fixed" if looks is None else "obrien_fleming")}
    return Question(
        variant, control, tuple(found), guardrails=tuple(kept), shares=planned, leave_out=gone, **settled
    )


def print_read_out(
    found: ReadOut, w: Words, write: Write, *, as_json: bool = False, departures: Sequence[Deviation] | None = None
) -> int:
    """Print a read-out; return 1 when nothing may be read out, else 0.

    Args:
        found: the read-out.
        w, write: language, and what takes each line.
        as_json: for other programs.
        departures: from the registration; None when none was named.
    """
    if as_json:
        told = plain(found) if departures is None else plain(found) | {"departures": plain(departures)}
        write(json.dumps(told, ensure_ascii=False, indent=1, allow_nan=False))
        return int(found.decision.id == "invalid")
    for line in lines(found, w):
        write(line)
    if departures is not None:
        write("")
        for line in departure_lines(departures, w):
            write(line)
    return int(found.decision.id == "invalid")


def lines(found: ReadOut, w: Words) -> Iterator[str]:
    """Yield the screen: at most one page."""
    yield verdict(found, w)
    effect = next(one for one in found.primary if one.treatment == found.chosen)
    yield _sentence(found, effect, w)
    yield ""
    yield w.text("readout_screen.health")
    yield from (f"  {line}" for line in health_lines(found, w))
    yield ""
    heads = ("metric", "arm", "people", "level_control", "level_treatment", "difference", "lift", "p", "method")
    rows = [effect_cells(one, 1 - found.question.alpha, w) for one in (*found.primary, *found.secondary)]
    yield from aligned([tuple(w.text(f"readout_screen.head.{name}") for name in heads), *rows])
    yield from _notes(found, w)
    if found.guardrails:
        yield ""
        yield from _guardrail_lines(found, w)
    if found.segments:
        yield ""
        yield from _segment_lines(found, w)
    if found.decision.id != "invalid":
        yield ""
        yield from _belief_lines(found, w)


def departure_lines(departures: Sequence[Deviation], w: Words) -> Iterator[str]:
    """Yield how a read-out departs from the registration of its test, or that it does not."""
    if not departures:
        yield w.text("readout_screen.as_registered")
    for one in departures:
        yield w.text("readout_screen.departed", how=deviation_line(one, w))


def verdict(found: ReadOut, w: Words) -> str:
    """Return the decision with its reasons as one sentence."""
    reasons = _list([w.inside(_reason(found, reason, w)) for reason in found.decision.reasons], w)
    return _text(w, f"readout_screen.verdict.{found.decision.id}", arm=found.chosen, reasons=reasons)


def health_lines(found: ReadOut, w: Words) -> Iterator[str]:
    """Yield one line for each thing that was looked at before the effects."""
    health, arms = found.health, found.arms
    test = health.mismatch.test
    state = "alarm" if test.alarm else "watch" if health.watch else "well"
    yield w.text(
        f"readout_screen.split.{state}",
        people=" / ".join(_count(n) for n in found.people),
        shares=" / ".join(w.number(share, "ratio") for share in health.shares),
        plan=w.text(f"readout_screen.plan.{'assumed' if health.shares_assumed else 'stated'}"),
        p=_p(test.p_value, w),
    )
    if health.mismatch.cause is not None:
        yield _cause(health.mismatch, arms, w)
    if health.reached is not None and health.reached.cause is not None:
        yield w.text("readout_screen.reached", cause=_cause(health.reached, arms, w, remedy=False))
    if health.people is None:
        yield w.text("readout_screen.unit_unknown", rows=_count(health.rows))
    else:
        name = "unit_faulty" if health.double_rows or health.in_two_arms else "unit_well"
        counts = {"rows": health.rows, "people": health.people}
        counts |= {"double": health.double_rows, "both": health.in_two_arms}
        yield _text(w, f"readout_screen.{name}", **{key: _count(n) for key, n in counts.items()})
    if health.outcome_before_exposure:
        yield w.text("readout_screen.before", n=_count(health.outcome_before_exposure))
    if health.left_out:
        what = _list([f"{column} {label}" for column, label in found.question.leave_out], w)
        yield w.text("readout_screen.left_out", n=_count(health.left_out), what=what)
    for column, missing in health.missing.items():
        if any(missing):
            by_arm = _list([f"{arm} {_count(n)}" for arm, n in zip(arms, missing, strict=True)], w)
            key = "filled" if column in {one.covariate for one in health.balance} else "missing"
            yield w.text(f"readout_screen.{key}", column=column, by_arm=by_arm)
    for one in health.balance:
        row = one.difference
        values = {"covariate": one.covariate, "arm": one.treatment}
        if one.smd is None or row.p_value is None:
            yield w.text("readout_screen.balance_unknown", **values, why=_why(row, w))
        else:
            smd = w.number(one.smd, "number", signed=True, decimals=3)
            yield w.text("readout_screen.balance", **values, smd=smd, p=_p(row.p_value, w))


def plain(value: object) -> object:
    """Return dataclasses, arrays and tuples as JSON takes them; an open end of an interval is null."""
    if is_dataclass(value):
        return {one.name: plain(getattr(value, one.name)) for one in fields(value)}
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, np.ndarray):
        return plain(value.tolist())
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, np.generic):
        value = value.item()
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _sentence(found: ReadOut, effect: Effect, w: Words) -> str:
    row = effect.difference
    if row.estimate is None:
        return w.text("readout_screen.no_effect", metric=effect.metric, arm=effect.treatment, why=_why(row, w))
    values = {
        "metric": effect.metric,
        "arm": effect.treatment,
        "control": found.arms[0],
        "level": _level(row.treatment, effect.kind, w),
        "level_control": _level(row.control, effect.kind, w),
        "difference": _difference(row.estimate, effect, w),
    }
    if row.interval is None:
        return w.text("readout_screen.effect_alone", **values, why=_why(row, w))
    sentence = w.text("readout_screen.effect", **values, interval=_interval(row.interval, effect, w))
    if effect.deciding is not None:
        sentence += w.text(
            f"readout_screen.deciding.{effect.deciding_method}",
            reached=w.number(min(found.reached, 1.0), "ratio", decimals=0),
            interval=_interval(effect.deciding, effect, w, form="plain"),
        )
    return sentence


def effect_cells(effect: Effect, usual: float, w: Words) -> tuple[str, ...]:
    """Cells of one comparison; an interval of another than the usual level says so."""
    row, lift = effect.difference, effect.lift
    head = (effect.metric, effect.treatment, " / ".join(_count(n) for n in row.n))
    if row.estimate is None:
        return (*head, "—", "—", "—", "—", "—", w.text("readout_screen.not_computable", why=_why(row, w)))
    lifted = "—"
    if lift.estimate is not None:
        lifted = w.number(lift.estimate, "relative_change", signed=True)
        if lift.interval is not None:
            lifted += f" {_lift_interval(lift.interval, w)}"
    difference = _difference(row.estimate, effect, w)
    if row.interval is not None:
        difference += f" {_interval(row.interval, effect, w, form='bare')}"
        if abs(row.interval.level - usual) > 1e-9:
            difference += f" {_percent(row.interval.level)}"
    p = "—" if effect.p_adjusted is None else _p(effect.p_adjusted, w)
    method = w.text(f"readout_screen.method.{row.method}")
    if row.test and row.test != row.method:
        method += f", {w.text(f'readout_screen.method.{row.test}')}"
    if row.interval is None:
        method = w.text("readout_screen.not_computable", why=_why(row, w))
    levels = _level(row.control, effect.kind, w), _level(row.treatment, effect.kind, w)
    return (*head, *levels, difference, lifted, p, method)


def _notes(found: ReadOut, w: Words) -> Iterator[str]:
    """Yield what stands under the table: levels, corrections, what CUPED took out."""
    yield w.text("readout_screen.note.level", level=_percent(1 - found.question.alpha))
    if found.question.alternative != "two_sided":
        yield w.text("readout_screen.note.one_sided")
    if found.question.planned_people is None and "no_effect_shown" in found.decision.reasons:
        yield w.text("readout_screen.note.unplanned")
    if any(one.correction == "holm" for one in found.primary):
        yield w.text("readout_screen.note.holm")
    if any(one.correction == "bh" for one in found.secondary):
        yield w.text("readout_screen.note.bh")
    for one in (*found.primary, *found.secondary):
        if one.unadjusted is not None and one.unadjusted.interval is not None:
            yield w.text(
                "readout_screen.note.cuped",
                metric=one.metric,
                arm=one.treatment,
                share=w.number(one.difference.detail["variance_reduction"], "ratio", decimals=0),
                interval=_interval(one.unadjusted.interval, one, w, form="bare"),
            )
    if found.question.primary.covariate is not None and (found.courses or found.segments or found.belief):
        yield w.text("readout_screen.note.cuped_views")


def _guardrail_lines(found: ReadOut, w: Words) -> Iterator[str]:
    yield w.text("readout_screen.guardrails")
    rows = []
    for one in found.guardrails:
        row = one.result
        as_effect = Effect(one.metric, one.kind, one.treatment, row, row)
        if row.interval is None:
            why = w.text("readout_screen.not_computable", why=_why(row, w))
            rows.append((one.metric, one.treatment, "—", "—", why))
            continue
        shown = f"{_difference(row.estimate, as_effect, w)} {_interval(row.interval, as_effect, w, form='bare')}"
        limit = w.text("readout_screen.limit", limit=_difference(row.detail["margin"], as_effect, w))
        rows.append((one.metric, one.treatment, shown, limit, w.text(f"readout_screen.guard.{guardrail_state(row)}")))
    yield from (f"  {line}" for line in aligned(rows))


def _segment_lines(found: ReadOut, w: Words) -> Iterator[str]:
    yield w.text("readout_screen.segments", metric=found.question.primary.name)
    usual, shown = 1 - found.question.alpha, found.segments[:SHOWN_SEGMENTS]
    rows = [(" ".join(one.segment), *effect_cells(one, usual, w)[1:]) for one in shown]
    yield from (f"  {line}" for line in aligned(rows))
    if len(found.segments) > SHOWN_SEGMENTS:
        yield "  " + w.text("readout_screen.more", n=_count(len(found.segments) - SHOWN_SEGMENTS))


def _belief_lines(found: ReadOut, w: Words) -> Iterator[str]:
    for one in found.courses:
        effect = next(effect for effect in found.primary if effect.treatment == one.treatment)
        band = Interval(float(one.sequence.low[-1]), float(one.sequence.high[-1]), one.sequence.level)
        shown = _interval(band, effect, w, form="bare")
        yield w.text("readout_screen.course", arm=one.treatment, day=one.days[-1], interval=shown)
    if found.belief is not None:
        pairs = zip(found.arms, found.belief.best, strict=True)
        chances = _list([f"{arm} {w.number(float(chance), 'probability')}" for arm, chance in pairs], w)
        yield w.text("readout_screen.best", chances=chances)
    for at, one in enumerate(found.adoptable):
        if one.shrunken == 0:
            lift = w.number(one.lift.estimate, "relative_change", signed=True)
            yield w.text("readout_screen.adopt_nothing", arm=one.treatment, lift=lift)
        elif one.shrunken is not None:
            lifts = {"lift": one.lift.estimate, "shrunken": one.shrunken}
            shown = {name: w.number(value, "relative_change", signed=True) for name, value in lifts.items()}
            yield w.text("readout_screen.adopt", arm=one.treatment, **shown, sd=w.number(one.sd, "relative_change"))
        if found.belief is not None and found.belief.loss_cny is not None:
            lost = [w.number(float(value), "CNY") for value in found.belief.loss_cny[at]]
            yield w.text("readout_screen.loss", arm=one.treatment, control=found.arms[0], lost=lost[0], kept=lost[1])


def _reason(found: ReadOut, reason: str, w: Words) -> str:
    name, _, rest = reason.partition(":")
    if name == "no_effect_shown" and found.question.planned_people is None:
        return w.text("readout_screen.no_effect_by_these")
    why = w.inside(w.text(f"experiments.reason.{rest}")) if name == "not_computable" else ""
    return _text(w, f"experiments.because.{name}", name=rest, why=why)


def _cause(mismatch: Mismatch, arms: Sequence[str], w: Words, *, remedy: bool = True) -> str:
    labels = _list([label or w.text("readout_screen.no_label") for label in mismatch.labels], w)
    values = {"dimension": mismatch.dimension, "label": labels, "arm": arms[mismatch.arm]}
    cause = _text(w, f"experiments.cause.{mismatch.cause}", **values)
    if not remedy:
        return cause
    return w.text("readout_screen.cause", cause=cause, remedy=w.text(f"experiments.remedy.{mismatch.remedy}"))


def _text(w: Words, key: str, **values: object) -> str:
    """A sentence with those of the values that it has a place for."""
    return w.text(key, **{name: values[name] for name in w.placeholders(key)})


def _why(row: Result, w: Words) -> str:
    return w.inside(w.text(f"experiments.reason.{row.reason}"))


def _list(parts: Sequence[str], w: Words) -> str:
    return w.text("readout_screen.comma").join(parts)


def _count(n: int) -> str:
    return f"{n:,}"


def _p(value: float, w: Words) -> str:
    if value < RARE_P:
        return "<" + w.number(RARE_P, "number", decimals=4)
    return w.number(value, "number", decimals=4 if value < 0.01 else 3)


def _decimals(value: float) -> int:
    """Places that show four digits of a value."""
    return 2 if value == 0 else min(max(3 - math.floor(math.log10(abs(value))), 0), 6)


def _level(value: float | None, kind: str, w: Words) -> str:
    if value is None:
        return "—"
    if kind == "share":
        return w.number(value, "ratio", decimals=2)
    return w.number(value, "number", decimals=_decimals(value))


def _difference(value: float, effect: Effect, w: Words) -> str:
    if effect.kind == "share":
        return w.number(value, "points", signed=True, decimals=2)
    return w.number(value, "number", signed=True, decimals=_decimals(effect.difference.control or value))


def _interval(band: Interval, effect: Effect, w: Words, *, form: str = "named") -> str:
    """An interval in the unit of the difference: named (in a sentence), plain (after a colon) or bare."""
    ends = [_end(end, effect, w) for end in (float(band.low), float(band.high))]
    return _text(w, f"readout_screen.interval.{form}", low=ends[0], high=ends[1], level=_percent(band.level))


def _percent(level: float) -> str:
    return f"{round(float(level) * 100, 2):g}%"


def _end(end: float, effect: Effect, w: Words) -> str:
    if math.isinf(end):
        return "−∞" if end < 0 else "+∞"
    if effect.kind == "share":
        return w.number(end * 100, "number", signed=True, decimals=2)
    return _difference(end, effect, w)


def _lift_interval(band: Interval, w: Words) -> str:
    ends = ["−∞" if end == -math.inf else "+∞" if end == math.inf else w.number(end, "relative_change", signed=True)
            for end in (float(band.low), float(band.high))]  # fmt: skip
    return w.text("readout_screen.interval.bare", low=ends[0], high=ends[1])


def _pair(guard: Guard, option: str, text: str, sign: str) -> tuple[str, str]:
    one, found, other = text.partition(sign)
    if not (one.strip() and found and other.strip()):
        guard.add("form", option, text, form="NUM/DEN" if sign == "/" else "COL=LABEL")
    return one.strip(), other.strip()


def _named_number(guard: Guard, option: str, text: str, form: str) -> tuple[str, float]:
    name, _, number = text.rpartition("=")
    if not name.strip():
        guard.add("form", option, text, form=form)
    return name.strip(), _number(guard, option, number, form)


def _number(guard: Guard, option: str, text: str, form: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        guard.add("form", option, text, form=form)
    return value
