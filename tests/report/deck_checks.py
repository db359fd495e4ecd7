"""What a finished deck must hold, read back from its PDF: every number traced, both languages alike, nothing squeezed.

For invented runs and for real ones: `untraced_numbers`, `different_numbers`, `style_problems` each return what is
wrong, an empty list when nothing is.
"""

from __future__ import annotations

import datetime as dt
import io
import re
import tempfile
import xml.etree.ElementTree as ET
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import pypdf

from planlib.core.metrics import catalogue
from planlib.core.words import LOCALES, words
from planlib.report.deck import Deck, build_deck, make_decks, read_run
from planlib.report.deck_pages import Run
from planlib.report.deck_tables import is_missing, month_day
from planlib.report.joint_chances import joint_chances

_ORDER = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_MONTH = rf"(?:{'|'.join(_ORDER)})[a-z]*"
_DATES = re.compile(rf"\d{{4}}-\d\d(?:-\d\d)?|(?P<day>\d{{1,2}} )?(?P<month>{_MONTH}) (?P<year>\d{{4}})")
_NUMBER = re.compile(
    r"(?<![\w.])(?P<mark>[<>]?)[+−]?¥?(?P<digits>\d[\d,]*(?:\.\d+)?)"
    r"(?P<unit>%| ?万| ?亿| ?个百分点| points?\b|bn\b|[km]\b)?(?![A-Za-z\d])"
)
_SCALES = {"%": 0.01, "万": 1e4, "亿": 1e8, "k": 1e3, "m": 1e6, "bn": 1e9}
_SCALES |= dict.fromkeys(("个百分点", "points", "point"), 0.01)
_LAST_MONTH = 600  # of any plan
_TARGET_LINE = 100.0  # "target = 100": how the target table is read, not a result
_TICKS = ("xtick", "ytick", "tick")


@dataclass(frozen=True)
class Number:
    """A number as it stands on a page: value, and how far the written form may be from the real one."""

    text: str
    value: float
    tolerance: float

    def shows(self, value: float) -> bool:
        """Whether the written number can stand for `value`."""
        return abs(abs(value) - self.value) <= self.tolerance * (1 + 1e-9)

    def agrees(self, other: Number) -> bool:
        """Whether both can stand for one value."""
        return abs(self.value - other.value) <= (self.tolerance + other.tolerance) * (1 + 1e-9)


def untraced_numbers(run_dir: Path, locale: str) -> list[str]:
    """Return every number and date on the pages of a run's deck that is no cell of its results.

    A number traces when it is a metric (value, interval, n, month) of the page's own notebook, or a cell of the table
    that the page shows, or on a page with a chart of any of the notebook's tables; at the precision shown. On cover
    and summary the metrics of all notebooks count. Axis ticks of charts (SVG groups whose
    id begins with xtick, ytick or tick) are scale, not results, and are left out; so are page numbers.
    """
    run = read_run(run_dir)
    deck = build_deck(run, locale)
    problems = []
    for page, text in zip(deck.content["pages"], page_texts(run_dir, locale), strict=True):
        own = page["id"].split(".")[0]
        notebooks = [own] if own in run.results else list(run.results)
        cells = [*_cells(run, notebooks, page), *_deck_cells(run, deck, page), *_joint_cells(run, page)]
        dates = _dates(run, notebooks)
        ticks, words = _ticks(tick_texts(deck, page))
        found, rest = _split_dates(_without(text, [*_fixed_texts(run, page), *words]), dates)
        problems += [f"page {page['number']}: {shown}" for shown, date in found if date not in dates]
        untraced = [number for number in numbers(rest) if not any(number.shows(cell) for cell in cells)]
        problems += [f"page {page['number']}: {number.text}" for number in _without_ticks(untraced, ticks)]
    return problems


def different_numbers(run_dir: Path) -> list[str]:
    """Return where the Chinese and the English deck of a run do not show the same numbers and dates."""
    run = read_run(run_dir)
    decks = {locale: build_deck(run, locale) for locale in ("zh", "en")}
    texts = {locale: page_texts(run_dir, locale) for locale in decks}
    if len(texts["zh"]) != len(texts["en"]):
        return [f"zh has {len(texts['zh'])} pages, en has {len(texts['en'])}"]
    problems, known = [], _dates(run, list(run.results))
    for i, page in enumerate(decks["zh"].content["pages"]):
        sides, shown, ticks = {}, {}, Counter()
        for locale, deck in decks.items():
            own = deck.content["pages"][i]
            own_ticks, words = _ticks(tick_texts(deck, own))
            sides[locale] = _split_dates(_without(texts[locale][i], words), known)
            shown[locale], left = _without_own_ticks(list(numbers(sides[locale][1])), own_ticks)
            ticks += left
        dates = [Counter(date for _, date in sides[locale][0]) for locale in ("zh", "en")]
        if dates[0] != dates[1]:
            problems.append(f"page {i + 1} ({page['id']}): dates {dates[0] - dates[1]} against {dates[1] - dates[0]}")
        alone = _unmatched(shown["zh"], shown["en"])
        written = list(_written(run, page))  # an analyst's own sentences say in each language what they like
        alone = [number for number in _without_ticks(alone, ticks) if not any(number.shows(x) for x in written)]
        problems += [f"page {i + 1} ({page['id']}): {number.text}" for number in alone]
    return problems


def style_problems(run_dir: Path, locale: str) -> list[str]:
    """Return every text of a run's deck that had to be set smaller or longer than the design wishes.

    Titles: first size, at most two lines of 36 (zh) or 80 (en) characters; subtitles: one line; readings: two lines
    of 50 or 110 characters; summary: first sizes; tables: 10 pt or more.
    """
    deck = build_deck(read_run(run_dir), locale)
    zh = locale == "zh"
    title_size, title_chars, reading_chars = (23.0, 36, 50) if zh else (20.0, 80, 110)
    problems = []
    for page in deck.content["pages"]:
        where = f"page {page['number']} ({page['id']})"
        title, cover = page["title"], page["kind"] == "cover"
        if title["size"] < (28.0 if zh else 26.0) if cover else title["size"] < title_size:
            problems.append(f"{where}: title too long: {page['heading']}")
        if not cover and any(len(line) > title_chars for line in title["lines"]):
            problems.append(f"{where}: more than {title_chars} characters in a line of the title: {page['heading']}")
        problems += _text_problems(where, page, reading_chars)
        for block in page.get("blocks", ()):
            if block["kind"] == "table" and block["size"] < 10:
                problems.append(f"{where}: table set in {block['size']} pt")
            for row in block["rows"] if block["kind"] == "summary" else ():
                if row["text"]["size"] < (14.0 if zh else 13.0) or row["evidence"]["size"] < 10.5:
                    problems.append(f"{where}: finding too long: {row['text']['lines']}")
                if row["next_step"]["size"] < 10.0 or row["label"]["size"] < 10.0:
                    problems.append(f"{where}: next step or label too long: {row['next_step']['lines']}")
    return problems


def page_texts(run_dir: Path, locale: str) -> list[str]:
    """Return the text of every page, read from a fresh PDF; blanks become one blank, places to break a word none."""
    with tempfile.TemporaryDirectory() as folder:
        (path,) = make_decks(run_dir, locales=(locale,), out_dir=folder)
        return _texts_in(path.read_bytes())


@lru_cache(maxsize=8)
def _texts_in(pdf: bytes) -> list[str]:
    """Reading a PDF takes longer than making it, and the checks of one run ask for the same bytes."""
    texts = [page.extract_text().replace("\u200b", "") for page in pypdf.PdfReader(io.BytesIO(pdf)).pages]
    return [" ".join(text.split()) for text in texts]


def numbers(text: str) -> Iterator[Number]:
    """Yield the numbers of a text with 万, 亿, k, m, bn, % and points applied.

    >>> [(n.value, n.tolerance) for n in numbers("92.9 万 and 929k, W2.3")]
    [(929000.0, 500.0), (929000.0, 500.0)]
    """
    for found in _NUMBER.finditer(text):
        digits = found["digits"].replace(",", "").rstrip(".")
        scale = _SCALES.get((found["unit"] or "").strip(), 1.0)
        places = len(digits.partition(".")[2])
        if found["mark"]:  # "<1%", ">99%": anything between the bound and the end of the scale
            low, high = (0.0, 0.01) if found["mark"] == "<" else (0.99, 1.0)
            yield Number(found[0], (low + high) / 2, 0.005)
        else:
            yield Number(found[0], round(float(digits) * scale, 12), 0.5 * 10.0**-places * scale)


def tick_texts(deck: Deck, page: Mapping[str, Any]) -> list[str]:
    """Return the axis labels of the page's charts."""
    blocks = [*page.get("blocks", ()), page.get("chart")]
    files = [block["file"] for block in blocks if block and block["kind"] == "chart"]
    return [
        " ".join("".join(text.itertext()).split())
        for file in files
        for group in ET.parse(deck.charts[file]).getroot().iter("{http://www.w3.org/2000/svg}g")
        if group.get("id", "").startswith(_TICKS)
        for text in group.iter("{http://www.w3.org/2000/svg}text")
    ]


def _text_problems(where: str, page: Mapping[str, Any], reading_chars: int) -> Iterator[str]:
    subtitle, reading = page.get("subtitle"), page.get("reading")
    if page["kind"] != "cover" and subtitle and (subtitle["size"] < 12 or len(subtitle["lines"]) > 1):
        yield f"{where}: subtitle too long: {subtitle['lines']}"
    if reading and (reading["size"] < 12 or len(reading["lines"]) > 2):
        yield f"{where}: reading too long: {reading['lines']}"
    if reading and any(len(line) > reading_chars for line in reading["lines"]):
        yield f"{where}: more than {reading_chars} characters in a line of the reading: {reading['lines']}"


def _ticks(texts: list[str]) -> tuple[Counter, list[str]]:
    """Divide axis labels into numbers, which other texts of the page may hold too, and words."""
    plain = [text for text in texts if re.fullmatch(r"[−-]?[\d,.]+%?", text)]
    return Counter(plain), [text for text in texts if text not in plain]


def _without_own_ticks(found: list[Number], ticks: Counter) -> tuple[list[Number], Counter]:
    """Drop, each once, the numbers that are an axis label to the letter; return the rest and the labels left."""
    left, kept = ticks.copy(), []
    for number in found:
        if left[number.text.strip()] > 0:
            left[number.text.strip()] -= 1
        else:
            kept.append(number)
    return kept, left


def _without_ticks(found: list[Number], ticks: Counter) -> list[Number]:
    """Drop, each once, the numbers that an axis shows."""
    left, kept = ticks.copy(), []
    for number in found:
        digits = number.text.strip().split()[0]  # the unit of an axis may follow its last label
        if left[digits] > 0:
            left[digits] -= 1
        else:
            kept.append(number)
    return kept


def _written(run: Run, page: Mapping[str, Any]) -> Iterator[float]:
    """Yield the numbers in the sentences of the page's table."""
    own = page["id"].split(".")[0]
    for table in _tables_behind(run.results[own], page) if own in run.results else ():
        for row in run.rows(own, table):
            yield from (number.value for value in row.values() if isinstance(value, str) for number in numbers(value))


def _cells(run: Run, notebooks: list[str], page: Mapping[str, Any]) -> Iterator[float]:
    for notebook in notebooks:
        results = run.results[notebook]
        for metric in results["metrics"]:
            interval = metric["interval"] or {}
            for value in (metric["value"], metric["n"], metric["month"], *interval.values()):
                if value is not None:
                    yield float(value)
        for table in _tables_behind(results, page):
            for row in run.rows(notebook, table):
                yield from (n.value for value in row.values() if isinstance(value, str) for n in numbers(value))
                yield from (
                    float(value)
                    for value in row.values()
                    if isinstance(value, (int, float)) and not isinstance(value, bool) and not is_missing(value)
                )


def _joint_cells(run: Run, page: Mapping[str, Any]) -> Iterator[float]:
    """Yield the chances of the outlook, which a targets page shows."""
    pages = {f"{name}.{own['id']}": own for name, found in run.results.items() for own in found["pages"]}
    if pages.get(page["id"], {}).get("layout") == "targets":
        yield from joint_chances(run.results).values()


def _tables_behind(results: Mapping[str, Any], page: Mapping[str, Any]) -> list[str]:
    recorded = next((own for own in results["pages"] if f"{results['notebook']}.{own['id']}" == page["id"]), None)
    if page.get("chart") or (recorded and recorded["chart"]):
        return [table["id"] for table in results["tables"]]
    several = [table["id"] for table in (recorded or {}).get("tables", ())]
    return [recorded["table"]["id"]] if recorded and recorded["table"] else several


def _deck_cells(run: Run, deck: Deck, page: Mapping[str, Any]) -> Iterator[float]:
    """Yield what the deck itself counts: pages and their parts, steps, checks and findings."""
    pages = deck.content["pages"]
    yield from (float(page["number"]), float(len(pages)))
    yield from (float(i) for i in range(1, 1 + sum(other["id"] == page["id"] for other in pages)))
    kinds = {block["kind"] for block in page.get("blocks", ())}
    if any(column["kind"] == "against" for block in page.get("blocks", ()) for column in block.get("columns", ())):
        yield _TARGET_LINE
    if "summary" in kinds:
        yield from (float(row["page"]) for block in page["blocks"] for row in block["rows"] if row["page"])
    if "steps" in kinds:
        yield from (float(step["number"]) for block in page["blocks"] for step in block.get("steps", ()))
        lists = [item for block in page["blocks"] for item in block.get("items", ()) if item["kind"] == "checks"]
        named = sum(item["status"] is not None for checks in lists for item in checks["items"])
        count = sum(len(results["checks"]) for results in run.results.values())
        yield from (float(count), float(count - named))


def _fixed_texts(run: Run, page: Mapping[str, Any]) -> list[str]:
    """Return the texts that are names or versions, not numbers: plan title, file, hash, seed, metrics, software."""
    plan = run.plan
    fixed = [plan["file"], plan["sha256"][:16], plan["sha256"][:8], plan["scenario"] or "", *plan["title"].values()]
    fixed += [words(locale).metric(name) for locale in LOCALES for name in catalogue()]
    for results in run.results.values():
        fixed += [str(results["seed"]), *(f"{name} {version}" for name, version in results["versions"].items())]
        fixed += results["versions"].values()
    return [text for text in fixed if text]


def _dates(run: Run, notebooks: list[str]) -> set[str]:
    """Return the days and months that the results name: YYYY-MM-DD and YYYY-MM."""
    plan = run.plan
    dates = {run.as_of.isoformat(), *(month_day(plan, month).isoformat()[:7] for month in (1, plan["months"]))}
    for notebook in notebooks:
        results = run.results[notebook]
        dates |= set(_date_values([results["pages"], results["findings"], results["charts"]]))
        dates |= {month_day(plan, m["month"]).isoformat()[:7] for m in results["metrics"] if m["month"] is not None}
        months = {metric["value"] for metric in results["metrics"] if metric["unit"] == "month"}
        for table in results["tables"]:
            for row in run.rows(notebook, table["id"]):
                months |= {value for key, value in row.items() if "month" in key and _is_month(value)}
                dates |= {str(value)[:length] for value in row.values() for length in (7, 10) if _is_day(value)}
        dates |= {month_day(plan, month).isoformat()[:7] for month in months if not is_missing(month)}
    return dates


def _is_month(value: object) -> bool:
    return isinstance(value, (int, float)) and 1 <= value <= _LAST_MONTH


def _is_day(value: object) -> bool:
    return isinstance(value, (str, dt.date)) and re.match(r"\d{4}-\d\d", str(value)) is not None


def _date_values(tree: object) -> Iterator[str]:
    if isinstance(tree, Mapping):
        for key, value in tree.items():
            if key in ("date", "month_date") and isinstance(value, str):
                yield value
            else:
                yield from _date_values(value)
    elif isinstance(tree, list):
        for value in tree:
            yield from _date_values(value)


def _without(text: str, parts: list[str]) -> str:
    for part in sorted(parts, key=len, reverse=True):
        plain = " ".join(part.split())
        if plain in text:  # few are: the pattern is made only for these
            text = re.sub(rf"(?<![\w.]){re.escape(plain)}(?![\w.])", " ", text, count=1)
    return text


def _split_dates(text: str, known: set[str]) -> tuple[list[tuple[str, str]], str]:
    """Take the dates out of a text: each as written and as YYYY-MM-DD or YYYY-MM.

    A number before a month is its day only where that day is known: in a table "20 Dec 2027" are two cells.
    """
    found, rest, end = [], [], 0
    for date in _DATES.finditer(text):
        start = date.start()
        plain = date[0]
        if date["month"]:
            plain = f"{date['year']}-{_ORDER.index(date['month'][:3]) + 1:02d}"
            day = f"{plain}-{int(date['day']):02d}" if date["day"] else ""
            start = start if not day or day in known else date.start("month")
            plain = day if day in known else plain
        found.append((text[start : date.end()], plain))
        rest.append(text[end:start])
        end = date.end()
    return found, " ".join([*rest, text[end:]])


def _unmatched(zh: list[Number], en: list[Number]) -> list[Number]:
    """Return what stands alone once the nearest have found each other: a second 1% never takes the place of a 2%."""
    pairs = [(abs(a.value - b.value), i, j) for i, a in enumerate(zh) for j, b in enumerate(en) if a.agrees(b)]
    left, right = set(range(len(zh))), set(range(len(en)))
    for _, i, j in sorted(pairs):
        if i in left and j in right:
            left.remove(i)
            right.remove(j)
    return [zh[i] for i in sorted(left)] + [en[j] for j in sorted(right)]
