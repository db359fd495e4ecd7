"""A plan begun from nothing: twelve numbers, of which any may be unknown, and wide marked assumptions for the rest.

What is told stands in the plan as told. What is unknown is taken from `sector` in params/benchmarks.yaml: a range with
its denominator, and why it was taken. A goal that nobody states is never invented: the plan then asks that no users be
lost.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from planlib.core.errors import InputError, Problem
from planlib.core.results import write_whole
from planlib.core.words import LOCALES, Words, words
from planlib.exchange.values import number_in
from planlib.plan.load import load_benchmarks, load_plan, number_meant
from planlib.plan.model import SectorFigure
from planlib.plan.new import check_name, trade_rows

BENCHMARKS = "params/benchmarks.yaml"
MONTHS = 12
_LONGEST = 200  # characters of an answer
_UNKNOWN = frozenset({"", "?", "-", "—", "不知道", "未知", "unknown", "n/a"})


@dataclass(frozen=True, slots=True)
class Question:
    """A number to ask for.

    Args:
        key: its words are `begin.question.<key>`; also what `fills` names it by, unless `place` does.
        unit: as in the metric catalogue; shares are typed with the per cent sign.
        place: of the quantity in the plan, where it is one.
        low: the answer is at least that.
    """

    key: str
    unit: str
    place: str = ""
    low: float = 0.0

    @property
    def fills(self) -> str:
        """What the figure for an unknown answer is found by."""
        return self.place or self.key


QUESTIONS = (
    Question("opening_users", "users", "baseline.opening_users"),
    Question("new_users", "users_per_month"),
    Question("paid_share", "ratio"),
    Question("active_share", "ratio", "baseline.opening_active_share"),
    Question("churn", "ratio", "users.churn"),
    Question("conversion", "ratio", "users.conversion"),
    Question("repurchase", "ratio", "users.repurchase"),
    Question("aov", "CNY_per_order", "baseline.aov"),
    Question("gmv", "CNY", "baseline.total_gmv"),
    Question("margin", "ratio", "baseline.gross_margin"),
    Question("budget", "CNY", "budget.total"),
    Question("goal", "users", low=1.0),
)
_ASSUMED = ("users.staying_active", "users.waking", "users.orders_per_repeat_buyer")


def read_answers(lines: Iterable[str], w: Words, ask: Callable[[str], None], *, again: bool) -> dict[str, float]:
    """Return {key of a question: number} of the answers that are known.

    Args:
        lines: one answer each, in the order of `QUESTIONS`; an empty one is unknown, and so are those that are missing.
        w: language of the questions.
        ask: shows a question, or what is wrong with an answer.
        again: whether a wrong answer is asked for once more.

    Raises:
        InputError: answers that are no such numbers, all at once (without `again`).
    """
    source = iter(lines)
    found: dict[str, float] = {}
    problems: list[Problem] = []
    for number, question in enumerate(QUESTIONS, start=1):
        while True:
            ask(w.text("begin.ask", n=str(number), of=str(len(QUESTIONS)), question=_asked(question, w)))
            answer = next(source, "").strip()
            if answer.lower() in _UNKNOWN:
                break
            value = _answer(answer, question, number)
            if isinstance(value, float):
                found[question.key] = value
                break
            if not again:
                problems.append(value)
                break
            ask(InputError(value).render(w.locale))
    if problems:
        raise InputError(*problems)
    return found


def _asked(question: Question, w: Words) -> str:
    return w.text(f"begin.question.{question.key}")


def _answer(text: str, question: Question, number: int) -> float | Problem:
    field = f"{number}/{len(QUESTIONS)} {question.key}"
    value = number_in(text[:_LONGEST], question.unit)
    if value is None:
        meant = number_meant(text[:_LONGEST])
        code = "begin_share" if question.unit == "ratio" and meant else "begin_number"
        return Problem(code, field=field, given=text[:_LONGEST])
    if not question.low <= value <= (1.0 if question.unit == "ratio" else 1e13):
        high = 1 if question.unit == "ratio" else 10**13
        return Problem("out_of_range", field=field, given=value, values={"low": question.low, "high": high})
    return value


def begin_plan(name: str, answers: Mapping[str, float], root: Path, *, trade: str | None = None) -> Path:
    """Write params/NAME.yaml out of the answers and return its path.

    Args:
        name: of the plan and its file.
        answers: of `read_answers`.
        root: the project's folder.
        trade: whose metrics are added without levels; None = none.

    Raises:
        InputError: the name or trade cannot be used, the file exists, or params/benchmarks.yaml has problems.
    """
    check_name(name, trade)
    path = root / "params" / f"{name}.yaml"
    if path.exists():
        raise InputError(Problem("file_exists", file=f"params/{name}.yaml"))
    sector = {row.fills: row for row in load_benchmarks(root / BENCHMARKS).sector}
    content = _text(name, answers, sector, trade)
    write_whole(path, content.encode("utf-8"))
    try:
        load_plan(path)
    except InputError:
        path.unlink()
        raise
    return path


def unknown(answers: Mapping[str, float]) -> list[str]:
    """Return the keys of the questions that nobody could answer."""
    return [question.key for question in QUESTIONS if question.key not in answers]


def _text(name: str, answers: Mapping[str, float], sector: Mapping[str, SectorFigure], trade: str | None) -> str:
    asked = {question.place: _quantity(question, answers, sector) for question in QUESTIONS if question.place}
    asked |= {place: _from_sector(sector[place]) for place in _ASSUMED}
    asked["users.staying_active"]["period"] = asked["users.waking"]["period"] = "month"
    start = min(float(answers.get("opening_users", 0.0)), 1e13)
    goal = answers.get("goal")
    target = {"id": "users-in-a-year", "metric": "private_domain_users", "by_month": MONTHS, "stage": "acquisition"}
    if goal is None:
        target |= {"at_least": max(start, 1.0), "source": "assumption", "why": _both("begin.why.no_goal")}
    else:
        target |= {"at_least": goal, "source": "own", "note": _both("begin.told")}
    values: dict[str, Any] = {place.replace(".", "_"): _flow(value) for place, value in asked.items()}
    for kind, paid in (("own_channels", False), ("paid_ads", True)):
        values[f"intake_{kind}"] = _flow(_intake(answers, sector, paid=paid))
    values |= {"name": name, "target": _flow(target), "rules": trade_rows(trade) if trade else ""}
    values |= {f"why_{key}": _flow(_both(f"begin.why.{key}")) for key in ("retention", "bands", "stages", "people")}
    head = [f"# {words(locale).text(f'begin.head.{line}')}" for line in ("what", "next") for locale in LOCALES]
    return "\n".join(head) + _PLAN.format(**values)


def _quantity(question: Question, answers: Mapping[str, float], sector: Mapping[str, SectorFigure]) -> dict[str, Any]:
    """Return a quantity as told, or as the sector's where it is unknown."""
    row = sector.get(question.fills)
    if question.key in answers:
        period = {"period": row.period} if row and row.period else {}
        return {"value": answers[question.key], **period, "source": "own", "note": _both("begin.told")}
    if row is None:  # nobody's figure can stand for how many there are
        return {"value": 0, "source": "assumption", "why": _both("begin.why.no_start")}
    return _from_sector(row)


def _from_sector(row: SectorFigure) -> dict[str, Any]:
    about = row.model_dump(mode="json", exclude_none=True, exclude={"id", "fills", "denominator", "unit", "why"})
    why = {
        locale: words(locale).text(
            "begin.why.sector", id=row.id, of=getattr(row.denominator, locale), why=getattr(row.why, locale)
        )
        for locale in LOCALES
    }
    return about | {"why": why}


def _intake(answers: Mapping[str, float], sector: Mapping[str, SectorFigure], *, paid: bool) -> dict[str, Any]:
    """Return what free or paid channels bring in a month: told if both numbers are, else between what they can be."""
    users = _ends(answers, sector["new_users"], "new_users")
    share = _ends(answers, sector["paid_share"], "paid_share")
    share = share if paid else tuple(1 - x for x in reversed(share))
    low, likely, high = (round(u * s, 2) for u, s in zip(users, share, strict=True))
    if low == high:
        return {"value": low, "source": "own", "note": _both("begin.told")}
    return {
        "dist": "pert", "low": low, "mode": likely, "high": high,
        "source": "assumption", "why": _both("begin.why.intake"),
    }  # fmt: skip


def _ends(answers: Mapping[str, float], row: SectorFigure, key: str) -> tuple[float, float, float]:
    return (answers[key],) * 3 if key in answers else (row.low, row.mode, row.high)


def _both(key: str) -> dict[str, str]:
    return {locale: words(locale).text(key) for locale in LOCALES}


def _flow(value: object) -> str:
    """Return a value as YAML on one line."""
    return json.dumps(value, ensure_ascii=False)


_PLAN = """

# start: 第 1 个月 / month 1
plan: {{id: {name}, title: {{zh: {name}, en: {name}}}, start: 2027-01, months: 12, currency: CNY, seed: 7}}

baseline:
  opening_users: {baseline_opening_users}
  opening_active_share: {baseline_opening_active_share}
  aov: {baseline_aov}
  total_gmv: {baseline_total_gmv}
  gross_margin: {baseline_gross_margin}

targets:
  - {target}

users:
  churn: {users_churn}
  staying_active: {users_staying_active}
  waking: {users_waking}
  retention: {{points: {{d7: 0.5, m1: 0.35}}, curve: power, source: assumption, why: {why_retention}}}
  conversion: {users_conversion}
  repurchase: {users_repurchase}
  orders_per_repeat_buyer: {users_orders_per_repeat_buyer}
{rules}
channels:
  - id: own_channels
    name: {{zh: 自有触点, en: Own touchpoints}}
    paid: false
    intake: {intake_own_channels}
  - id: paid_ads
    name: {{zh: 付费投放, en: Paid ads}}
    paid: true
    intake: {intake_paid_ads}

budget:
  total: {budget_total}
  bands:
    labour: {{metric: labour_budget_share, between: [0.3, 0.6], source: assumption, why: {why_bands}}}
    technology: {{metric: tech_budget_share, between: [0.05, 0.3], source: assumption, why: {why_bands}}}
    marketing: {{metric: marketing_budget_share, between: [0.3, 0.6], source: assumption, why: {why_bands}}}

schedule:
  calendar: CN
  stages:
    - {{id: foundation, name: {{zh: 基础建设, en: Foundation}}, months: [1, 3], source: assumption, why: {why_stages}}}
    - {{id: growth, name: {{zh: 增长, en: Growth}}, months: [4, 12], source: assumption, why: {why_stages}}}

team:
  roles:
    operations: {{name: {{zh: 运营, en: Operations}}, people: [1, 3], source: assumption, why: {why_people}}}

data: {{root: data/}}
"""
