"""The pages of a deck as data: which there are, their words in one language, what stands where.

Everything on a page comes from the results of a run; every number is one of their metrics, table cells or dates.
docs/deck-pages.md tells notebook authors what to record.
"""

from __future__ import annotations

import datetime as dt
import re
import xml.etree.ElementTree as ET
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from planlib.core import results as res
from planlib.core.errors import InputError, Problem
from planlib.core.words import LOCALES, Words, words
from planlib.report.deck_tables import MISSING, Column, general_columns, glue, lay_out, month_day, target_columns
from planlib.report.joint_chances import joint_chances, with_joint
from planlib.report.page_words import replaced
from planlib.report.typeset import Style, fit, line_count, sense_lines, soften

LEFT, LIVE = 48.0, 864.0
BODY_TOP, BODY_HEIGHT = 122.0, 330.0
TABLE_TOP, TABLE_HEIGHT = 120.0, 328.0
SCHEDULE_TOP, SCHEDULE_HEIGHT = 102.0, 396.0
COVER_CHART_HEIGHT = 288.0
MOST_FINDINGS = 5
CHANGES = "changes"  # who records what changed since the last review
BOARD_HEIGHT = 382.0  # of a page of several tables, which has no reading

_SPLIT_GAP = 24.0
_BOARD_HEADING, _BOARD_GAP = 17.0, 11.0
_BOARD_PITCHES = {"most_pitch": 21.0, "least_pitch": 18.0}
_NARROWEST_TABLE = 280.0
_LAST_CHAPTER = "assumptions"
_SUMMARY_HEAVY = {"zh": 14.0, "en": 13.0}
_TITLE_SIZES = {"zh": (23.0, 20.0, 17.0), "en": (20.0, 18.0, 16.0)}
_COVER_SIZES = {"zh": (40.0, 34.0, 28.0, 22.0), "en": (36.0, 31.0, 26.0, 21.0)}
_TITLE_CHARS = {"zh": 36, "en": 80}
_READING_CHARS = {"zh": 50, "en": 110}
_LEADING = {"zh": 0.5, "en": 0.36}
_TITLE_LEADING = 0.24
_CELLS_LENGTH = 90  # characters of two lines
_MOST_CHECKS = 8
_CHECK_WIDTH = 178.0
_STEP_WIDTH = 398.0
_MARKS = {"PASS": "on_track", "FAIL": "off_track"}


@dataclass(frozen=True)
class Run:
    """What the notebooks of one run left: its plan block, and the results in reading order."""

    folder: Path
    results: Mapping[str, Mapping[str, Any]]
    _read: dict[tuple[str, str], list[dict[str, Any]]] = field(default_factory=dict, repr=False, compare=False)

    @cached_property
    def plan(self) -> Mapping[str, Any]:
        """The plan block of the first notebook (the same in all)."""
        return next(iter(self.results.values()))["plan"]

    @cached_property
    def as_of(self) -> dt.date:
        """The newest as-of day."""
        return max(dt.date.fromisoformat(found["as_of"]) for found in self.results.values())

    def rows(self, notebook: str, table: str) -> list[dict[str, Any]]:
        """Rows of a table that a notebook recorded; read once."""
        if (notebook, table) not in self._read:
            self._read[notebook, table] = res.read_table(self.folder / notebook, table)
        return self._read[notebook, table]


@dataclass(frozen=True)
class Page:
    """One page before it has a number: `id` is `notebook.page`, or the name of a page that the deck makes."""

    id: str
    title: str
    content: Mapping[str, Any]
    files: Mapping[str, Path] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Edition:
    """Which pages a deck shows.

    Attributes:
        name: part of the deck's file name.
        pages: in order, as `notebook` or `notebook.page`; None for all in the order of the deck.
        cover: whether cover, summary and method stand around them.
    """

    name: str
    pages: tuple[str, ...] | None
    cover: bool


class Pages:
    """Makes the pages of one deck in one language."""

    def __init__(self, run: Run, words: Words):
        self.run = run
        self.words = words
        self.locale = words.locale

    def all(self, *, notebooks: Sequence[str] | None = None, edition: Edition | None = None) -> list[Page]:
        """Return the pages in the order of the deck.

        Args:
            notebooks: only the pages that these notebooks recorded; None for the whole deck.
            edition: the pages of this edition. What changed since the last review opens it, before the summary.
        """
        chosen = [name for name in self.run.results if notebooks is None or name in notebooks]
        recorded = [(name, page) for name in chosen for page in self.run.results[name]["pages"]]
        targets = [entry for entry in recorded if entry[1]["layout"] == "targets"]
        last = [entry for entry in recorded if entry[1]["id"] == _LAST_CHAPTER]
        middle = [entry for entry in recorded if entry not in targets and entry not in last]
        ordered = [*targets, *middle, *last]
        if edition is not None and edition.pages is not None:
            ordered = [e for wanted in edition.pages for e in ordered if wanted in (e[0], f"{e[0]}.{e[1]['id']}")]
        opening = [entry for entry in ordered if edition is not None and entry[0] == CHANGES]
        body = [page for entry in ordered if entry not in opening for page in self._recorded(*entry)]
        first = [page for entry in opening for page in self._recorded(*entry)]
        if notebooks is not None or (edition is not None and not edition.cover):
            return [*first, *body]
        return [self._cover(), *first, *self._summary(), *body, *self._method()]

    def label(self, key: str, **values: object) -> str:
        """Return a word of the deck itself."""
        return glue(self.words.text(f"deck.{key}", **values), self.locale)

    def say(self, results: Mapping[str, Any], ref: Mapping[str, Any]) -> str:
        """Return a recorded sentence, ready to be set."""
        return glue(" ".join(res.text(self.words, results, ref).split()), self.locale)

    # Pages that the notebooks recorded

    def _recorded(self, notebook: str, page: Mapping[str, Any]) -> list[Page]:
        results = self.run.results[notebook]
        page_id = f"{notebook}.{page['id']}"
        chart = self._chart(notebook, results, page) if page["chart"] else None
        own = replaced(self.run, self.words, page_id)
        title = own.get("title") or self.say(results, page["title"])
        reading = own.get("reading") or (self.say(results, page["reading"]) if page.get("reading") else "")
        bodies = list(self._bodies(notebook, results, page, page_id, chart, bool(reading)))
        pages = []
        for part, blocks in enumerate(bodies, 1):
            suffix = self.label("part", part=part, parts=len(bodies)) if len(bodies) > 1 else ""
            content = self._frame(
                page_id,
                kicker=self.words.text(page["section"]),
                title=title + suffix,
                subtitle=self._subtitle(notebook, results, page),
                reading=reading,
                source=self._source(self.say(results, page["source"])),
                blocks=blocks,
            )
            files = {block["file"]: chart.path for block in blocks if block["kind"] == "chart"} if chart else {}
            pages.append(Page(page_id, title + suffix, content, files))
        return pages

    def _bodies(
        self,
        notebook: str,
        results: Mapping[str, Any],
        page: Mapping[str, Any],
        page_id: str,
        chart: Chart | None,
        has_reading: bool,
    ) -> Iterator[list[dict[str, Any]]]:
        """Yield the blocks of each page that a recorded page becomes."""
        if page["layout"] == "board":
            yield self._board(notebook, results, page, page_id)
            return
        columns = self._columns(notebook, results, page) if page["table"] or page["layout"] == "targets" else None

        def cut(width: float, height: float) -> list[dict[str, Any]]:
            return lay_out(columns, width=width, height=height, locale=self.locale, where=page_id)

        if chart is None:
            tables = cut(LIVE, TABLE_HEIGHT) if columns else []
            yield from ([block | {"x": LEFT, "y": TABLE_TOP}] for block in tables or [])
            if not tables:
                yield []
            return
        high = chart.height > BODY_HEIGHT + 1 and not has_reading and not columns
        picture = chart.block(SCHEDULE_TOP, SCHEDULE_HEIGHT) if high else chart.block(BODY_TOP, BODY_HEIGHT)
        if not columns:
            yield [picture]
            return
        beside = LIVE - picture["width"] - _SPLIT_GAP
        below = BODY_HEIGHT - picture["height"] - 14.0
        if beside >= _NARROWEST_TABLE and len(tables := cut(beside, TABLE_HEIGHT)) == 1:
            yield [picture, tables[0] | {"x": LEFT + picture["width"] + _SPLIT_GAP, "y": TABLE_TOP}]
        elif below > 60 and len(tables := cut(LIVE, below)) == 1:
            yield [picture, tables[0] | {"x": LEFT, "y": BODY_TOP + picture["height"] + 14.0}]
        else:
            yield [picture]
            yield from ([block | {"x": LEFT, "y": TABLE_TOP}] for block in cut(LIVE, TABLE_HEIGHT))

    def _board(
        self, notebook: str, results: Mapping[str, Any], page: Mapping[str, Any], page_id: str
    ) -> list[dict[str, Any]]:
        """Return the blocks of several tables in two columns, each under its heading; rows beyond its room are left.

        Rooms are shared by numbers of rows; a table without a row says so in a line.
        """
        width = (LIVE - _SPLIT_GAP) / 2
        blocks: list[dict[str, Any]] = []
        for side in ("left", "right"):
            own = [entry for entry in page["tables"] if entry["side"] == side]
            rows = [max(len(self.run.rows(notebook, entry["id"])), 1) for entry in own]
            free = BOARD_HEIGHT - len(own) * (_BOARD_HEADING + _BOARD_GAP)
            x, y = LEFT + (width + _SPLIT_GAP) * (side == "right"), BODY_TOP - 2
            for entry, count in zip(own, rows, strict=True):
                heading = {"kind": "heading", "x": x, "y": y, "width": width}
                blocks.append(heading | {"text": self.say(results, entry["heading"])})
                y += _BOARD_HEADING
                share = free * (count + 1.4) / sum(row + 1.4 for row in rows)
                if not self.run.rows(notebook, entry["id"]):
                    line = {"kind": "note", "x": x, "y": y, "width": width, "text": self.say(results, entry["none"])}
                    blocks.append(line)
                    y += 16.0 + _BOARD_GAP
                    continue
                columns = self._columns(notebook, results, {**page, "table": entry})
                found = self._first_rows(columns, count, width=width, height=share, where=page_id)
                blocks.append(found | {"x": x, "y": y})
                y += 20.0 + sum(found["heights"]) + _BOARD_GAP
        return blocks

    def _first_rows(
        self, columns: Mapping[str, Sequence[Column]], count: int, *, width: float, height: float, where: str
    ) -> dict[str, Any]:
        """Return as many of the first rows as fit."""
        for most in range(count, 1, -1):
            cut = {loc: [replace(c, cells=c.cells[:most]) for c in own] for loc, own in columns.items()}
            found = lay_out(cut, width=width, height=height, locale=self.locale, where=where, **_BOARD_PITCHES)
            if len(found) == 1:
                return found[0]
        cut = {loc: [replace(c, cells=c.cells[:1]) for c in own] for loc, own in columns.items()}
        return lay_out(cut, width=width, height=BOARD_HEIGHT, locale=self.locale, where=where, **_BOARD_PITCHES)[
            0
        ]

    def _columns(self, notebook: str, results: Mapping[str, Any], page: Mapping[str, Any]) -> dict[str, list[Column]]:
        """Return the columns of the page's table in every language, so that all decks break at the same rows."""
        table = page["table"] or {"id": "targets"}
        rows = self.run.rows(notebook, table["id"])
        if page["layout"] == "targets":
            rows = with_joint(rows, joint_chances(self.run.results))
            return {locale: target_columns(words(locale), self.run.plan, rows) for locale in LOCALES}
        units = next(entry["units"] for entry in results["tables"] if entry["id"] == table["id"])
        return {
            locale: general_columns(words(locale), self.run.plan, table["columns"], rows, units) for locale in LOCALES
        }

    def _subtitle(self, notebook: str, results: Mapping[str, Any], page: Mapping[str, Any]) -> str:
        """Return a page's subtitle; a targets page with the chances of the outlook says so."""
        if page["layout"] == "targets":
            chances = joint_chances(self.run.results)
            rows = self.run.rows(notebook, (page["table"] or {"id": "targets"})["id"])
            if any(row.get("id") in chances for row in rows):
                return self.label("targets.joint")
        return self.say(results, page["subtitle"]) if page.get("subtitle") else ""

    def _chart(self, notebook: str, results: Mapping[str, Any], page: Mapping[str, Any]) -> Chart:
        found = next((entry for entry in results["charts"] if entry["id"] == page["chart"]), None)
        if found is None:
            raise KeyError(f"{notebook}: page {page['id']} names chart {page['chart']!r}, which is not recorded")
        return Chart.of(self.run, notebook, found, self.locale, self.say(results, found["alt"]))

    @cached_property
    def _stamp(self) -> str:
        """What every page says of the data under the run: that they are invented, or that days are missing."""
        found = self.run.results.values()
        shares = [share for results in found for share in results.get("incomplete", {}).values()]
        told = [self.label("stamp.sample")] if any(results.get("sample") for results in found) else []
        if shares:
            told.append(self.label("stamp.incomplete", lowest=self.words.number(min(shares), "ratio")))
        return self.label("stamp.join").join(told)

    def _source(self, source: str) -> str:
        return self.label("source", source=source, date=self.words.date(self.run.as_of))

    # The frame of a page

    def _frame(
        self, where: str, *, kicker: str, title: str, subtitle: str, reading: str, source: str,
        blocks: Sequence[Mapping[str, Any]],
    ) -> dict[str, Any]:  # fmt: skip
        head = self._head(where, title, subtitle)
        source = soften(source)
        if line_count(source, 780.0, Style(8.5, "Regular", self.locale)) > 2:
            raise _too_long(where, source)
        return {
            "kind": "body",
            "id": where,
            "kicker": kicker,
            "stamp": self._stamp,
            "heading": title,
            "blocks": list(blocks),
            "reading": self._reading(where, reading),
            "source": source,
            **head,
        }

    def _head(self, where: str, title: str, subtitle: str) -> dict[str, Any]:
        """Set title and subtitle above the body; a long title takes a second line, then smaller type."""
        title, subtitle = soften(title), soften(subtitle)
        sizes = _TITLE_SIZES[self.locale]
        for size, most in [(sizes[0], 2), (sizes[1], 2), (sizes[2], 2), (14.0, 3), (11.0, 4)]:
            chars = _TITLE_CHARS[self.locale] if size in sizes[:1] else 1000
            top = fit(title, [(size, LIVE, most)], weight="Bold", locale=self.locale, most_chars=chars)
            if top is None:
                continue
            y = 44.0 + _height(top.size, len(top.lines), _TITLE_LEADING) + 7.0
            room = TABLE_TOP - 1.0 - y
            if not subtitle:
                return {"title": _set(top), "subtitle": None, "subtitle_y": 0.0, "subtitle_room": 0.0}
            for sub_size in (12.0, 10.5, 9.0, 8.5):
                under = fit(subtitle, [(sub_size, LIVE, 3)], locale=self.locale)
                if under and _height(sub_size, len(under.lines), _LEADING[self.locale]) <= room:
                    return {"title": _set(top), "subtitle": _set(under), "subtitle_y": y, "subtitle_room": room}
        raise _too_long(where, title)

    def _reading(self, where: str, reading: str) -> dict[str, Any] | None:
        if not reading:
            return None
        reading, chars = soften(reading), _READING_CHARS[self.locale]
        found = fit(reading, [(12.0, 660.0, 2), (12.0, 790.0, 2)], locale=self.locale, most_chars=chars) or fit(
            reading, [(10.5, 790.0, 2), (9.0, 790.0, 3), (8.5, 790.0, 3)], locale=self.locale
        )
        if found is None:
            raise _too_long(where, reading)
        return _set(found)

    # Pages that the deck makes

    def _findings(self) -> list[tuple[str, Mapping[str, Any]]]:
        """All findings, the heaviest first; equal ones in reading order."""
        found = [(name, entry) for name, results in self.run.results.items() for entry in results["findings"]]
        return sorted(found, key=lambda item: -item[1]["weight"])

    def _cover(self) -> Page:
        plan, w = self.run.plan, self.words
        name = " ".join(w.pick(plan["title"]).split())
        findings = self._findings()
        title = self.say(self.run.results[findings[0][0]], findings[0][1]["text"]) if findings else name
        sizes = [(size, LIVE, 2 if size > 30 else 3) for size in _COVER_SIZES[self.locale]]
        top = fit(soften(title), [*sizes, (16.0, LIVE, 4)], weight="Bold", locale=self.locale)
        under = fit(soften(name), [(15.0, LIVE, 1), (12.0, LIVE, 2), (9.0, LIVE, 3)], locale=self.locale)
        if top is None or under is None:
            raise _too_long("cover", title if top is None else name)
        y = 64.0 + _height(top.size, len(top.lines), _TITLE_LEADING) + 17.0
        bottom = y + _height(under.size, len(under.lines), _LEADING[self.locale])
        chart = next(
            (
                Chart.of(self.run, notebook, entry, self.locale, self.say(results, entry["alt"]))
                for notebook, results in self.run.results.items()
                for entry in results["charts"]
                if entry["id"] == "cover"
            ),
            None,
        )
        content = {
            "kind": "cover",
            "id": "cover",
            "kicker": self.label("cover.kicker"),
            "stamp": self._stamp,
            "heading": title,
            "title": _set(top),
            "subtitle": _set(under),
            "subtitle_y": y,
            "chart": chart.block(0.0, min(COVER_CHART_HEIGHT, 474.0 - bottom - 8.0)) if chart else None,
            "meta": [self._meta_entry(*entry) for entry in self._meta()],
        }
        return Page("cover", title, content, {content["chart"]["file"]: chart.path} if chart else {})

    def _meta(self) -> Iterator[tuple[str, str]]:
        plan, w = self.run.plan, self.words
        circulation = plan.get("classification")
        yield "period", self._period()
        yield "as_of", w.date(self.run.as_of)
        yield "version", plan["sha256"][:8]
        yield "circulation", w.pick(circulation) if circulation else self.label("cover.unrestricted")

    def _meta_entry(self, key: str, value: str) -> dict[str, Any]:
        found = fit(value, [(10.5, 204.0, 1), (8.5, 204.0, 1)], weight="Medium", locale=self.locale)
        if found is None:
            raise _too_long("cover", value)
        return {"label": self.label(f"cover.{key}"), "value": glue(value, self.locale), "size": found.size}

    def _period(self) -> str:
        plan, w = self.run.plan, self.words
        first, last = (w.month(month_day(plan, month)) for month in (1, plan["months"]))
        return self.label("period", first=first, last=last)

    def _summary(self) -> list[Page]:
        findings = self._findings()[:MOST_FINDINGS]
        if not findings:
            return []
        heads = [self.label(f"summary.{key}") for key in ("figure", "finding", "next_step", "page")]
        rows = [self._summary_row(self.run.results[name], name, entry) for name, entry in findings]
        beside = all(row["label_beside"] is not None for row in rows)
        for row in rows:
            labels = {True: row.pop("label_beside"), False: row.pop("label_below")}
            row["label"] = labels[beside]
        first_results, first = self.run.results[findings[0][0]], findings[0][1]
        reading = self.label(
            "summary.reading",
            next_step=self.say(first_results, first["next_step"]),
            owner=self.say(first_results, first["owner"]),
        )
        title = self._summary_title([entry["status"] for _, entry in findings])
        content = self._frame(
            "summary",
            kicker=self.label("summary.section"),
            title=title,
            subtitle=self.label("summary.subtitle"),
            reading=reading,
            source=self._source(self.label("summary.source")),
            blocks=[{"kind": "summary", "x": LEFT, "y": TABLE_TOP, "heads": heads, "rows": rows, "beside": beside}],
        )
        return [Page("summary", title, content)]

    def _summary_title(self, statuses: Sequence[str]) -> str:
        order = ("off_track", "at_risk", "on_track", "not_measured")
        counts = []
        for status in (status for status in order if status in statuses):
            n = statuses.count(status)
            form = "rest" if counts else "first_one" if n == 1 else "first_many"
            state = self.words.text(f"status.{status}")
            counts.append(self.label(f"summary.{form}", n=self._count(n), state=state))
        join = self.words.text("deck.summary.join").join(counts[:-1])
        listed = f"{join}{self.words.text('deck.summary.last_join')}{counts[-1]}" if join else counts[-1]
        if len(statuses) == 1:
            return self.label("summary.title_one", counts=listed)
        return self.label("summary.title", total=self._count(len(statuses)), counts=listed)

    def _count(self, n: int) -> str:
        """Write a small count as a word."""
        return self.words.text(f"deck.numerals.{n}") if self.words.has(f"deck.numerals.{n}") else str(n)

    def _summary_row(self, results: Mapping[str, Any], notebook: str, finding: Mapping[str, Any]) -> dict[str, Any]:
        where = f"summary: {finding['id']}"
        figure = res.metric(results, finding["figure"])
        shown = self.words.number(figure["value"], figure["unit"], signed=figure.get("signed", False))
        return {
            "status": finding["status"],
            "word": self.words.text(f"status.{finding['status']}"),
            "goes_to": f"{notebook}.{finding['page']}",
            **self._key_figure(where, shown, self.say(results, finding["figure_label"])),
            **self._finding_text(where, self.say(results, finding["text"]), self.say(results, finding["evidence"])),
            **self._step_text(where, self.say(results, finding["next_step"]), self.say(results, finding["owner"])),
        }

    def _key_figure(self, where: str, shown: str, label: str) -> dict[str, Any]:
        """Set the number large; its unit and what it counts stand beside or below, in all rows alike."""
        big, unit = _split_unit(shown)
        join = "" if unit in ("万", "亿", "") else "，" if self.locale == "zh" else ", "
        label = soften(glue(f"{unit}{join}{label}", self.locale))
        width = Style(30.0, "Bold", self.locale).width(big)
        beside = fit(label, [(10.5, 165.0 - width, 1)], weight="Medium", locale=self.locale)
        choices = [(10.5, 170.0, 1), (10.0, 170.0, 2), (8.5, 170.0, 2)]
        below = fit(label, choices, weight="Medium", locale=self.locale)
        if below is None or width > 170.0:
            raise _too_long(where, f"{shown} {label}")
        return {
            "figure": big,
            "missing": shown == MISSING,
            "label_beside": _set(beside) if beside else None,
            "label_below": _set(below),
        }

    def _finding_text(self, where: str, text: str, evidence: str) -> dict[str, Any]:
        size, width = _SUMMARY_HEAVY[self.locale], 424.0
        for text_size, text_lines, small, small_lines in (
            (size, 1, 10.5, 2), (size, 2, 10.5, 1), (size - 1.5, 2, 9.5, 2), (11.0, 2, 8.5, 2), (9.5, 3, 8.5, 2),
        ):  # fmt: skip
            top = fit(soften(text), [(text_size, width, text_lines)], weight="Bold", locale=self.locale)
            under = fit(soften(evidence), [(small, width, small_lines)], locale=self.locale)
            if top and under:
                return {"text": _set(top), "evidence": _set(under)}
        raise _too_long(where, f"{text} {evidence}")

    def _step_text(self, where: str, step: str, owner: str) -> dict[str, Any]:
        steps = fit(soften(step), [(10.0, 172.0, 2), (9.5, 172.0, 3), (8.5, 172.0, 3)], locale=self.locale)
        by = fit(soften(owner), [(9.0, 172.0, 1), (8.5, 172.0, 2)], locale=self.locale)
        if steps is None or by is None:
            raise _too_long(where, f"{step} {owner}")
        return {"next_step": _set(steps), "owner": _set(by)}

    def _method(self) -> list[Page]:
        checks = [entry for results in self.run.results.values() for entry in results["checks"]]
        failed = [entry for entry in checks if entry["status"] != "PASS"]
        key, n = ("title_failed", len(failed)) if failed else ("title", len(checks))
        title = self.label(f"method.{key}", n=self._count(n))
        title = title[:1].upper() + title[1:]
        steps = self._steps()
        pages = []
        for part, own in enumerate(steps, 1):
            suffix = self.label("part", part=part, parts=len(steps)) if len(steps) > 1 else ""
            panel = [*self._versions(), *self._checks(checks), {"kind": "note", "text": self.label("method.note")}]
            right = {"kind": "panel", "x": 512.0, "y": BODY_TOP, "width": 400.0, "height": 376.0, "items": panel}
            content = self._frame(
                "method",
                kicker=self.label("method.section"),
                title=title + suffix,
                subtitle=self.label("method.subtitle"),
                reading="",
                source=self._source(self.label("method.source")),
                blocks=[
                    {"kind": "steps", "x": LEFT, "y": BODY_TOP, "head": self.label("method.steps"), "steps": own},
                    *([right] if part == 1 else []),
                ],
            )
            pages.append(Page("method", title + suffix, content))
        return pages

    def _steps(self) -> list[list[dict[str, Any]]]:
        """One step for each notebook whose method has words, cut into pages."""
        pages: list[list[dict[str, Any]]] = [[]]
        used, number = 0.0, 0
        for notebook in self.run.results:
            key = f"method.notebooks.{notebook}"
            if not self.words.has(f"deck.{key}.name"):
                continue
            number += 1
            text = self.label(f"{key}.text")
            height = 39.0 + max(self._step_height(f"deck.{key}.text", locale) for locale in LOCALES)
            if used + height > 350.0:
                pages.append([])
                used = 0.0
            used += height
            lines = sense_lines(text, _STEP_WIDTH, Style(10.0, "Regular", self.locale))
            entry = {"number": str(number), "name": self.label(f"{key}.name"), "height": height}
            pages[-1].append(entry | {"text": {"size": 10.0, "lines": lines}})
        return pages

    def _step_height(self, key: str, locale: str) -> float:
        lines = sense_lines(words(locale).text(key), _STEP_WIDTH, Style(10.0, "Regular", locale))
        return _height(10.0, len(lines), _LEADING[locale])

    def _versions(self) -> list[dict[str, Any]]:
        plan = self.run.plan
        entries = {
            "plan": plan["file"],
            "scenario": plan.get("scenario"),
            "changed_in": _changed_in(plan),
            "hash": plan["sha256"][:16],
            "seed": ", ".join(dict.fromkeys(str(found["seed"]) for found in self.run.results.values())),
            "as_of": self.words.date(self.run.as_of),
            "software": self._software(),
        }
        rows = [{"field": self.label(f"method.{key}"), "value": str(value)} for key, value in entries.items() if value]
        wanted = [
            {"name": "field", "head": "deck.method.field", "kind": "text", "weight": 0.2},
            {"name": "value", "head": "deck.method.value", "kind": "text", "weight": 1.0},
        ]
        columns = general_columns(self.words, plan, wanted, rows, {})
        tables = lay_out(
            {self.locale: columns}, width=400.0, height=190.0, locale=self.locale, where="method", most_pitch=24.0
        )
        if len(tables) > 1:
            raise _too_long("method", plan["file"])
        return [{"kind": "heading", "text": self.label("method.version")}, tables[0]]

    def _software(self) -> str:
        found: dict[str, str] = {}
        for results in self.run.results.values():
            found |= results["versions"]
        order = ["planlib", "python", *sorted(set(found) - {"planlib", "python"})]
        return ", ".join(f"{name} {found[name]}" for name in order if name in found)

    def _checks(self, checks: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
        style = Style(10.0, "Regular", self.locale)
        named = [
            (entry["status"], glue(self.words.text(f"checks.{entry['id']}"), self.locale))
            for entry in checks
            if self.words.has(f"checks.{entry['id']}")
        ]
        short = [(status, name) for status, name in named if style.width(name) <= _CHECK_WIDTH]
        shown = sorted(short, key=lambda entry: entry[0] == "PASS")[:_MOST_CHECKS]
        items = [{"status": _MARKS[status], "text": name} for status, name in shown]
        if len(checks) > len(items) and all(entry["status"] == "PASS" for entry in checks):
            rest = self._count(len(checks) - len(items))
            items.append({"status": None, "text": self.label("method.others", n=rest)})
        if not items:
            return []
        return [{"kind": "heading", "text": self.label("method.checks")}, {"kind": "checks", "items": items}]


def _changed_in(plan: Mapping[str, Any]) -> str | None:
    """Return the workbook that changed the plan for this run, with the first of its cells."""
    found = plan.get("changed_in")
    if found is None:
        return None
    cells, shown = list(found["cells"]), f"{found['file']}:"
    while cells and len(shown) + len(cells[0]) < _CELLS_LENGTH:
        shown += f" {cells.pop(0)}" + ("," if cells else "")
    return f"{shown.rstrip(',')} + {len(cells)}" if cells else shown


@dataclass(frozen=True)
class Chart:
    """An SVG of the run with its own size in points."""

    path: Path
    name: str
    width: float
    height: float
    alt: str

    @classmethod
    def of(cls, run: Run, notebook: str, entry: Mapping[str, Any], locale: str, alt: str) -> Chart:
        """Return the chart of one language.

        Raises:
            InputError: the file is missing or is no SVG with a size.
        """
        name = f"{notebook}/{entry['files'][locale]}"
        path = run.folder / notebook / entry["files"][locale]
        try:
            root = ET.parse(path).getroot()
            width, height = (_points(root.attrib[side]) for side in ("width", "height"))
        except (OSError, ET.ParseError, KeyError, ValueError) as error:
            raise InputError(Problem("bad_chart", file=str(path), given=str(error))) from None
        return cls(path, name, width, height, alt)

    def block(self, top: float, room: float) -> dict[str, Any]:
        """Place the chart at the left margin, at its own size, or smaller when it would not fit."""
        scale = min(1.0, LIVE / self.width, room / self.height)
        return {
            "kind": "chart",
            "file": self.name,
            "x": LEFT,
            "y": top,
            "width": round(self.width * scale, 3),
            "height": round(self.height * scale, 3),
            "alt": self.alt,
        }


def chart_texts(path: Path) -> list[str]:
    """Return every text that an SVG shows."""
    root = ET.parse(path).getroot()
    texts = ("".join(node.itertext()) for node in root.iter("{http://www.w3.org/2000/svg}text"))
    return [text for text in texts if text.strip()]


def _points(length: str) -> float:
    number = re.fullmatch(r"\s*([\d.]+)\s*(pt|px)?\s*", length)
    if number is None:
        raise ValueError(f"size {length!r}")
    return float(number[1])


def _split_unit(shown: str) -> tuple[str, str]:
    """Split a written number into what is set large and its unit word.

    >>> _split_unit("92.9 万"), _split_unit("¥54m"), _split_unit("+3.6 points"), _split_unit("第 6 个月")
    (('92.9', '万'), ('¥54m', ''), ('+3.6', 'points'), ('第 6 个月', ''))
    """
    found = re.fullmatch(r"([+−<>]?¥?[\d.,]+[%a-z]*)\s*(.*)", shown)
    return (found[1], found[2]) if found else (shown, "")


def _set(found: Any) -> dict[str, Any]:
    return {"size": found.size, "lines": found.lines}


def _height(size: float, lines: int, leading: float) -> float:
    return size * (lines + (lines - 1) * leading)


def _too_long(where: str, text: str) -> InputError:
    return InputError(Problem("text_too_long", field=where, given=text, values={"page": where}))
