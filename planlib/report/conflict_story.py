"""What notebook 20 says about figures that cannot hold together: metrics, heading, pages.

Each function records what its page needs on the notebook's book; rows are those of
`planlib.consistency.conflict_rows`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

Text = dict[str, Any]
Row = Mapping[str, Any]

_MOST_ROWS = 12


def sets(book: Any, rows: Sequence[Row], *, complete: bool) -> Text:
    """Tell how many sets cannot hold together, how many of them under any reading.

    Args:
        rows: every set that was found.
        complete: whether these are all.
    """
    certain = sum(row["level"] == "contradiction" for row in rows)
    book.metric("conflict_sets", len(rows), "count", method="conflict_sets")
    book.metric("conflicts_certain", certain, "count", method="conflict_sets")
    if not rows:
        return book.text("conflicts.say.none")
    if not certain:
        return book.text(f"conflicts.say.{'strict' if complete else 'strict_cut'}", n="conflict_sets")
    return book.text(f"conflicts.say.{'some' if complete else 'cut'}", n="conflict_sets", certain="conflicts_certain")


def shown(rows: Sequence[Row]) -> list[Row]:
    """Return the sets that a page has room for."""
    return list(rows[:_MOST_ROWS])


def page(book: Any, row: Row, second: Row | None, *, left: float | None) -> None:
    """Record the pages: the sum that shows the first set, and the table of sets.

    Args:
        row: the set shown.
        second: the other member of a pair: name in both languages, level and unit; None when there are more.
        left: what the reach comes to with what the plan loses meanwhile; None where nothing is lost.
    """
    unit = row["unit"]
    for name, value, kind in (
        ("conflict_goal", row["goal"], unit),
        ("conflict_reach", row["reach"], unit),
        ("conflict_gap", abs(row["goal"] - row["reach"]), "points" if unit == "ratio" else unit),
        ("conflict_missed", abs(row["goal"] - row["reach"]) / row["goal"] if row["goal"] else 0.0, "ratio"),
    ):
        book.metric(name, value, kind, method="linear_programme")
    values: dict[str, Any] = {"first": _named(row, "first"), "goal": "conflict_goal", "gap": "conflict_gap"}
    if row["due"] is not None:
        book.metric("conflict_due", row["due"], "month", method="as_stated")
        values["due"] = "conflict_due"
    kind = "certain" if row["level"] == "contradiction" else "strict"
    counts = {"certain": "conflicts_certain"} if kind == "certain" else {}
    short = "short" if row["goal"] >= row["reach"] else "over"
    many = "pair" if second is not None else "several"
    if second is not None:
        book.metric("conflict_second", second["level"], second["unit"], method="as_stated")
        values |= {"second": _named(second, "second"), "level": "conflict_second"}
    else:
        book.metric("conflict_others", row["members"] - 1, "count", method="count")
        values["others"] = "conflict_others"
    dated = "dated" if row["due"] is not None else "undated"
    if left is not None:
        book.metric("conflict_left", left, unit, method="linear_programme")
    book.page(
        "conflict",
        layout="chart",
        section="conflicts.section",
        chart="conflict",
        title=book.text(f"conflicts.title.{many}.{dated}.{short}", **values),
        subtitle=book.text(f"conflicts.subtitle.{kind}"),
        reading=book.text(f"conflicts.reading.{kind}", n="conflict_sets", **counts),
        source=book.text("conflicts.source", sources={"bilingual": dict.fromkeys(("zh", "en"), row["sources"])}),
    )


def table_page(book: Any, heads: Mapping[str, str], *, certain: bool, more: bool) -> None:
    """Record the page with the table of sets.

    Args:
        heads: column -> key of its heading.
        certain: whether a set fails under any reading.
        more: whether there are sets beside those in the table.
    """
    title = book.text("conflicts.title.strict", n="conflict_sets")
    if certain:
        title = book.text("conflicts.title.table", n="conflict_sets", certain="conflicts_certain")
    widths = {"level": 0.9, "first": 1.6, "due": 0.8, "goal": 0.8, "reach": 0.8, "missed": 0.7, "others": 2.6}
    columns = [{"name": name, "head": heads[name], "weight": weight} for name, weight in widths.items()]
    columns[4]["strong"] = True
    book.page(
        "conflict_sets",
        layout="table",
        section="conflicts.section",
        table={"id": "conflict_page", "columns": columns},
        title=title,
        subtitle=book.text("conflicts.subtitle.table"),
        reading=book.text("conflicts.reading.more" if more else "conflicts.reading.table"),
        source=book.text("conflicts.source_plan"),
    )


def _named(row: Row, stem: str) -> dict[str, dict[str, str]]:
    return {"bilingual": {locale: row[f"{stem}_{locale}"] for locale in ("zh", "en")}}
