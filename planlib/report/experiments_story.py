"""Pages of experiment planning: what is worth most, the calendar, sizes, and what the tests add."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

SECTION = "experiments.section"


def backlog(book, question: Mapping[str, str], effect_sds: Sequence[float]) -> None:
    """Record the page of the backlog.

    Args:
        book: has metric `best` and table `backlog`.
        question: of the test that is worth most by week of traffic.
        effect_sds: (E,) expected sizes of the effects, relative.
    """
    low, high = min(effect_sds), max(effect_sds)
    book.metric("sd_low", low, "ratio", method="as_stated")
    book.metric("sd_high", high, "ratio", method="as_stated")
    said = (
        book.text("experiments.page.backlog_one", sd="sd_low")
        if low == high
        else book.text("experiments.page.backlog_range", low="sd_low", high="sd_high")
    )
    book.page(
        "experiment_backlog",
        layout="table",
        section=SECTION,
        title=book.text("experiments.page.backlog", question={"bilingual": dict(question)}, best="best"),
        subtitle=said,
        table=_table("backlog", "question", "weeks", "total", "exposed", "evsi", "cost", per_week=_BAR),
        reading=book.text("experiments.page.backlog_reading"),
        source=book.text("experiments.source"),
    )


def calendar(book, *, everything: bool, limited: bool) -> None:
    """Record the page of the calendar.

    Args:
        book: has chart `calendar`, metrics `tests`, `runs` and `sends`, and `send_limit` where there is one.
        everything: all tests are on it.
        limited: the plan states a limit of messages.
    """
    if everything:
        title = book.text("experiments.page.calendar_all", n="tests")
    else:
        title = book.text("experiments.page.calendar_some", n="tests", runs="runs")
    if limited:
        reading = book.text("experiments.page.calendar_sends", most="sends", limit="send_limit")
    else:
        reading = book.text("experiments.page.calendar_free")
    book.page(
        "experiment_calendar",
        layout="chart",
        section=SECTION,
        title=title,
        subtitle=book.text("experiments.page.calendar_subtitle"),
        chart="calendar",
        reading=reading,
        source=book.text("experiments.source"),
    )


def sizes(book, *, saved: bool) -> None:
    """Record the page of sizes; `saved`: data from before the tests make some of them smaller.

    Args:
        book: has table `tests` and metrics `people`, `people_plain` and `saved`.
    """
    if saved:
        title = book.text("experiments.page.sizes_saved", saved="saved", people="people_plain")
    else:
        title = book.text("experiments.page.sizes", people="people")
    heads = {"total": {"head": "experiments.head.with_cuped", "strong": True}, "weeks": {}, "arm": {}, "profit": {}}
    book.page(
        "experiment_sizes",
        layout="table",
        section=SECTION,
        title=title,
        subtitle=book.text("experiments.page.sizes_subtitle"),
        table=_table("tests", "question", "plain", **heads),
        reading=book.text("experiments.page.sizes_reading"),
        source=book.text("experiments.source"),
    )


def added(book) -> None:
    """Record the page of what the tests add.

    Args:
        book: has table `added` and metrics `added`, `added_low`, `added_high`, `added_share`, `level` and `runs`.
    """
    book.page(
        "experiment_added",
        layout="table",
        section=SECTION,
        title=book.text("experiments.page.added", added="added", share="added_share", runs="runs"),
        subtitle=book.text("experiments.page.added_subtitle", level="level"),
        table=_table(
            "added", "quarter", "count", "total", "cost", added={"kind": "bar", "strong": True}, low={}, high={}
        ),
        reading=book.text("experiments.page.added_reading", low="added_low", high="added_high"),
        source=book.text("experiments.source"),
    )


def portfolio(book) -> None:
    """Record the page of finished tests, drawn towards their common mean.

    Args:
        book: has table `portfolio` and metrics `past`, `invalid`, `past_mean` and `past_tau`.
    """
    columns = {
        "total": {},
        "effect": {"signed": True},
        "se": {},
        "weight": {},
        "shrunk": {"signed": True, "strong": True},
        "shrunk_sd": {},
    }
    found = [{"name": n, "head": f"experiments.past.{n}"} for n in ("question", "arm")]
    found += [{"name": n, "head": f"experiments.past.{n}"} | how for n, how in columns.items()]
    book.page(
        "experiment_portfolio",
        layout="table",
        section=SECTION,
        title=book.text("experiments.page.portfolio", n="past", mean="past_mean", tau="past_tau"),
        subtitle=book.text("experiments.page.portfolio_subtitle"),
        table={"id": "portfolio", "columns": found},
        reading=book.text("experiments.page.portfolio_reading", invalid="invalid"),
        source=book.text("experiments.past.source"),
    )


def weeks(book, *, late: int, tests: int) -> None:
    """Record the pages of weeks and of smallest effects, and the finding.

    Args:
        book: has charts `weeks` and `effects`, and metrics `tests`, `limit`, `in_time` and `people`.
        late: tests that run longer than the limit.
        tests: all of them, at least one.
    """
    source = book.text("experiments.source")
    if late:
        title = book.text("experiments.page.weeks_some", n="tests", limit="limit", fit="in_time")
        after = book.text("experiments.finding.next_some")
    else:
        title = book.text("experiments.page.weeks_all", n="tests", limit="limit")
        after = book.text("experiments.finding.next_all")
    book.page(
        "experiment_weeks",
        layout="chart",
        section=SECTION,
        title=title,
        subtitle=book.text("experiments.page.weeks_subtitle"),
        chart="weeks",
        reading=book.text("experiments.page.weeks_reading"),
        source=source,
    )
    book.finding(
        "experiment_weeks",
        status="at_risk" if late else "on_track",
        weight=0.15 + 0.3 * late / tests,
        figure="in_time",
        figure_label=book.text("experiments.finding.label"),
        text=title,
        evidence=book.text("experiments.finding.why", people="people"),
        next_step=after,
        owner=book.text("experiments.owner"),
        page="experiment_weeks",
    )
    book.page(
        "experiment_effects",
        layout="chart",
        section=SECTION,
        title=book.text("experiments.page.effects"),
        subtitle=book.text("experiments.page.effects_subtitle"),
        chart="effects",
        reading=book.text("experiments.page.effects_reading"),
        source=source,
    )


_BAR = {"head": "experiments.head.value_a_week", "kind": "bar", "strong": True}


def _table(table: str, *names: str, **more: Mapping[str, Any]) -> dict[str, Any]:
    """Return columns of a page's table; headings by the column's name unless told."""
    columns = [*((name, {}) for name in names), *more.items()]
    return {"id": table, "columns": [{"name": n, "head": f"experiments.head.{n}"} | dict(how) for n, how in columns]}
