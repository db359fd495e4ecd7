"""What the results of several brands' runs say side by side: one row a brand, the one that needs attention first.

Every figure is read from a brand's results; nothing is calculated here but counts, the order and the page's title.
"""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from planlib.core import results as res
from planlib.core.words import LOCALES, words

NAME = "portfolio"
LIKELY, UNLIKELY = 0.8, 0.2
OUTLOOK, TARGETS, BUDGET = "70_outlook", "20_funnel_targets", "30_budget_allocation"
REVIEW, BASELINE = "80_review", "10_baseline"
STATES = ("failed", "not_read", "held", "done", "unchanged", "not_due")  # in the order of attention
_OWN = "own_"  # ids of goals that the plan sets itself


@dataclass(frozen=True, slots=True)
class Goal:
    """A target of a brand.

    Attributes:
        name: with its goal and date, in both languages.
        forecast: in `unit`; None where there is none.
        probability: 0 to 1, or None.
        cause: id of what binds it (`outlook.cause`), or None where no joint simulation ran.
    """

    name: Mapping[str, str]
    forecast: float | None
    unit: str
    probability: float | None
    cause: str | None


@dataclass(frozen=True, slots=True)
class Facts:
    """What a brand's run says in short.

    Attributes:
        as_of: the newest as-of day of its notebooks.
        goals: the least likely first.
        budget_cny: of a year, or None.
        alerts: the open ones, the newest first; None where no review had data.
        data_until: newest day in its data, or None without data.
        sample: the data are invented.
    """

    run_dir: Path
    plan: Mapping[str, Any]
    as_of: str
    goals: tuple[Goal, ...]
    budget_cny: float | None
    alerts: tuple[Mapping[str, Any], ...] | None
    data_until: str | None
    sample: bool


@dataclass(frozen=True, slots=True)
class Brand:
    """A row of the portfolio.

    Attributes:
        plan_id: of its plan, or the file's name where that cannot be read.
        title: in both languages.
        state: one of `STATES`.
        facts: of its new run; None where there is none.
    """

    plan_id: str
    title: Mapping[str, str]
    state: str
    facts: Facts | None
    decks: tuple[Path, ...] = ()

    @property
    def first_goal(self) -> Goal | None:
        """The least likely target that has a probability."""
        goals = self.facts.goals if self.facts else ()
        return next((goal for goal in goals if goal.probability is not None), None)


def facts_of(run_dir: Path) -> Facts:
    """Read what a whole run says in short.

    Raises:
        InputError: a results file cannot be used.
    """
    found = {path.parent.name: res.load(path) for path in sorted(run_dir.glob("*/results.json"))}
    goals = list(_goals(run_dir, found))
    order = sorted(range(len(goals)), key=lambda k: (goals[k].probability is None, goals[k].probability or 0.0, k))
    review = found.get(REVIEW)
    alerts = None
    if review is not None and review["inputs"]:
        rows = _table(run_dir, review, "alerts")
        alerts = tuple(sorted((row for row in rows if row["state"] == "open"), key=lambda r: r["raised"], reverse=True))
    budget = _metric(found.get(BUDGET), "total_year")
    return Facts(
        run_dir,
        next(iter(found.values()))["plan"],
        max(content["as_of"] for content in found.values()),
        tuple(goals[k] for k in order),
        budget,
        alerts,
        _data_until(run_dir, found),
        any(content.get("sample") for content in found.values()),
    )


def _goals(run_dir: Path, found: Mapping[str, Any]) -> Iterator[Goal]:
    """Yield the targets in the plan's order: of the joint simulation, else of the funnel alone."""
    if OUTLOOK in found:
        rows = _table(run_dir, found[OUTLOOK], "chances")
        ids = [m["id"].removeprefix("p_target_") for m in found[OUTLOOK]["metrics"] if m["id"].startswith("p_target_")]
        ids = [found_id for found_id in ids if found_id != "together"]
        named = list(zip(ids, rows, strict=True)) if len(ids) == len(rows) else [("", row) for row in rows]
        stated = [row for found_id, row in named if not found_id.startswith(_OWN)]
        for row in stated or rows:
            name = {locale: row[f"target_{locale}"] for locale in LOCALES}
            yield Goal(name, row["median"], row["unit"], row["probability"], row["cause"])
    elif TARGETS in found:
        for row in _table(run_dir, found[TARGETS], "targets"):
            name = {locale: _goal_name(row, locale) for locale in LOCALES}
            yield Goal(name, row["forecast"], row["unit"], row["probability"], None)
    elif REVIEW in found:
        for row in _table(run_dir, found[REVIEW], "scorecard"):
            if row["p_target"] is not None:
                yield Goal(_planned_name(row), row["forecast"], row["unit"], row["p_target"], None)


def _planned_name(row: Mapping[str, Any]) -> dict[str, str]:
    found = {}
    for locale in LOCALES:
        w = words(locale)
        goal = w.number(row["plan"], row["unit"])
        found[locale] = w.text("brands.goal", metric=w.metric(row["metric"]), goal=goal)
    return found


def _goal_name(row: Mapping[str, Any], locale: str) -> str:
    w = words(locale)
    ends = [row["goal"], *([] if row.get("goal_high") is None else [row["goal_high"]])]
    goal = w.text(f"cli.op_{row['op']}") + "–".join(w.number(end, row["unit"]) for end in ends)
    if row["due_month"] is None:
        return w.text("brands.goal", metric=w.metric(row["metric"]), goal=goal)
    due = w.number(row["due_month"], "month")
    return w.text("brands.goal_due", metric=w.metric(row["metric"]), goal=goal, due=due)


def _data_until(run_dir: Path, found: Mapping[str, Any]) -> str | None:
    """Return the newest day that any table of the brand's data holds, up to the as-of day."""
    if BASELINE not in found:
        return None
    days = [row["last"] for row in _table(run_dir, found[BASELINE], "all_tables") if row["last"]]
    return min(max(days), found[BASELINE]["as_of"]) if days else None


def _table(run_dir: Path, content: Mapping[str, Any], table_id: str) -> list[dict[str, Any]]:
    """Return the rows of a table; none where the notebook recorded no such table."""
    if not any(entry["id"] == table_id for entry in content["tables"]):
        return []
    return res.read_table(run_dir / content["notebook"], table_id)


def _metric(content: Mapping[str, Any] | None, metric_id: str) -> float | None:
    rows = content["metrics"] if content else ()
    return next((row["value"] for row in rows if row["id"] == metric_id), None)


def by_attention(brands: Sequence[Brand]) -> list[Brand]:
    """Return brands so that those without a new run come first, then the least likely target, alerts, old data."""

    def weight(brand: Brand) -> tuple:
        goal, facts = brand.first_goal, brand.facts
        state = STATES.index(brand.state) if facts is None else len(STATES)
        alerts = len(facts.alerts) if facts and facts.alerts is not None else 0
        return state, goal.probability if goal else 1.0, -alerts, (facts and facts.data_until) or "", brand.plan_id

    return sorted(brands, key=weight)


def write_portfolio(brands: Sequence[Brand], out_root: Path, *, now: dt.datetime) -> tuple[Path, list[Path]]:
    """Write the page of several brands into `<out_root>/portfolio/<run>/` and return its folder and decks.

    Args:
        brands: of one run, in any order.
        now: the moment, for the folder's name.

    Raises:
        InputError: a text that no page can hold, or a character that the fonts lack.
    """
    from tempfile import TemporaryDirectory

    from planlib.report.deck import make_decks

    ordered = by_attention(brands)
    home = out_root / NAME
    folder = home / f"{now.astimezone(dt.UTC):%Y%m%dT%H%M%S}Z-{_digest(ordered)[:6]}"
    own = folder / NAME
    _record(ordered, own)
    decks = []
    with TemporaryDirectory(prefix="planlib_portfolio_") as made:
        for deck in make_decks(folder, notebooks=[NAME], out_dir=made):
            decks.append(folder / "decks" / f"{NAME}.{deck.suffixes[-2].lstrip('.')}.pdf")
            res.write_whole(decks[-1], deck.read_bytes())
    res.write_whole(home / "latest", f"{folder.name}\n")
    return folder, decks


def _digest(brands: Sequence[Brand]) -> str:
    runs = [f"{brand.plan_id} {brand.state} {brand.facts.run_dir.name if brand.facts else ''}" for brand in brands]
    return hashlib.sha256("\n".join(runs).encode()).hexdigest()


def _record(brands: Sequence[Brand], own: Path) -> None:
    """Write results, tables and charts of the page, as a notebook would."""
    import pandas as pd

    from planlib.report.charts.base import save_svg
    from planlib.report.charts.portfolio import MOST_ROWS, BrandTargets, targets

    table = pd.DataFrame([_row(brand) for brand in brands])
    counted = [(brand, counts) for brand in brands if (counts := _counts(brand)) is not None]
    counts = pd.DataFrame(
        [{"brand_zh": b.title["zh"], "brand_en": b.title["en"], **c} for b, c in counted],
        columns=["brand_zh", "brand_en", "likely", "open", "unlikely"],
    )
    res.write_table(own / "tables" / "overview.parquet", table)
    res.write_table(own / "tables" / "counts.parquet", counts)
    most = max((sum(c.values()) for _, c in counted), default=0)
    charts = []
    for part, start in enumerate(range(0, len(counted), MOST_ROWS), 1):
        rows = [BrandTargets(brand.title, **c) for brand, c in counted[start : start + MOST_ROWS]]
        files = {locale: f"charts/targets_{part}.{locale}.svg" for locale in LOCALES}
        for locale, file in files.items():
            save_svg(targets(rows, words(locale), most=most), own / file)
        alt = _bars_title(sum(c["unlikely"] > c["likely"] for _, c in counted))
        charts.append({"id": f"targets_{part}", "files": files, "alt": alt})
    res.write(own / "results.json", _results(brands, [c for _, c in counted], charts, len(table), len(counts)))


def _row(brand: Brand) -> dict[str, Any]:
    goal, facts = brand.first_goal, brand.facts
    return {
        "plan": brand.plan_id,
        "brand_zh": brand.title["zh"],
        "brand_en": brand.title["en"],
        "state": brand.state,
        "target_zh": goal.name["zh"] if goal else None,
        "target_en": goal.name["en"] if goal else None,
        "forecast": goal.forecast if goal else None,
        "unit": goal.unit if goal else "count",
        "probability": goal.probability if goal else None,
        "cause": goal.cause if goal else None,
        "budget": facts.budget_cny if facts else None,
        "alerts": float(len(facts.alerts)) if facts and facts.alerts is not None else None,
        "data_until": facts.data_until if facts else None,
        "run": facts.run_dir.name if facts else None,
    }


def _counts(brand: Brand) -> dict[str, int] | None:
    chances = [g.probability for g in (brand.facts.goals if brand.facts else ()) if g.probability is not None]
    if not chances:
        return None
    likely, unlikely = sum(p >= LIKELY for p in chances), sum(p < UNLIKELY for p in chances)
    return {"likely": likely, "open": len(chances) - likely - unlikely, "unlikely": unlikely}


def _results(
    brands: Sequence[Brand], counts: Sequence[Mapping[str, int]], charts: list[dict], rows: int, counted: int
) -> dict[str, Any]:
    facts = [brand.facts for brand in brands if brand.facts]
    failed = sum(brand.facts is None for brand in brands)
    first = next((brand for brand in brands if brand.first_goal), None)
    figures = {
        "brands": (len(brands), "count"),
        "failed": (failed, "count"),
        "counted": (counted, "count"),
        "worse": (sum(c["unlikely"] > c["likely"] for c in counts), "count"),
        "likely_line": (LIKELY, "probability"),
        "unlikely_line": (UNLIKELY, "probability"),
    }
    if first is not None:
        figures["first_chance"] = (first.first_goal.probability, "probability")
    starts = [found.plan["start"] for found in facts] or ["2000-01"]
    as_of = max((found.as_of for found in facts), default=f"{starts[0]}-01")
    title = dict(zip(LOCALES, (words(locale).text("brands.title") for locale in LOCALES), strict=True))
    return {
        "schema": res.SCHEMA,
        "notebook": NAME,
        "seed": 0,
        "as_of": as_of,
        "plan": {
            "id": NAME, "title": title, "file": NAME, "sha256": _digest(brands), "scenario": None, "start": min(starts),
            "months": max((found.plan["months"] for found in facts), default=1), "classification": None, "owner": None,
        },
        "inputs": list(_inputs(facts)),
        "metrics": [
            {
                "id": name, "value": float(value), "unit": unit, "method": "count", "metric": None, "month": None,
                "interval": None, "n": None, "reason": None,
            }
            for name, (value, unit) in figures.items()
        ],
        "checks": [],
        "findings": [],
        "tables": [
            {
                "id": "overview", "file": "tables/overview.parquet", "rows": rows,
                "units": {
                    "brand": "bilingual", "state": "words:brands.state", "target": "bilingual", "forecast": "@unit",
                    "probability": "probability", "cause": "words:outlook.cause", "budget": "CNY", "alerts": "count",
                    "data_until": "date",
                },
            },
            {
                "id": "counts", "file": "tables/counts.parquet", "rows": counted,
                "units": {"brand": "bilingual", "likely": "count", "open": "count", "unlikely": "count"},
            },
        ],
        "charts": charts,
        "pages": list(_pages(first, failed, figures["worse"][0], charts)),
        "decision": None,
        "versions": {},
        **({"sample": True} if any(found.sample for found in facts) else {}),
    }  # fmt: skip


def _inputs(facts: Sequence[Facts]) -> Iterator[dict[str, Any]]:
    for found in facts:
        for path in sorted(found.run_dir.glob("*/results.json")):
            with open(path, "rb") as file:
                digest = hashlib.file_digest(file, "sha256").hexdigest()
            name = path.relative_to(found.run_dir.parent.parent).as_posix()
            yield {"file": name, "sha256": digest, "rows": None}


def _pages(
    first: Brand | None, failed: int, worse: int, charts: Sequence[Mapping[str, Any]]
) -> Iterator[dict[str, Any]]:
    common = {"section": "brands.page.section", "source": _said("brands.page.source")}
    if failed:
        title = _said("brands.page.title_failed", failed="failed", brands="brands")
    elif first is None:
        title = _said("brands.page.title_unknown", brands="brands")
    elif first.first_goal.probability >= LIKELY:
        title = _said("brands.page.title_well", brands="counted", chance="first_chance")
    else:
        name = {"bilingual": dict(first.title)}
        title = _said("brands.page.title", brands="brands", first=name, chance="first_chance")
    heads = {
        "brand": 1.3, "target": 1.9, "forecast": 1.0, "probability": 1.0, "cause": 1.2, "budget": 1.0, "alerts": 1.0,
        "data_until": 1.0, "state": 0.9,
    }  # fmt: skip
    columns = [{"name": name, "head": f"brands.head.{name}", "weight": weight} for name, weight in heads.items()]
    columns[3]["strong"] = True
    yield common | {
        "id": "brands", "layout": "table", "title": title, "subtitle": _said("brands.page.subtitle"), "chart": None,
        "table": {"id": "overview", "columns": columns}, "reading": None,
    }  # fmt: skip
    for chart in charts:
        yield common | {
            "id": chart["id"], "layout": "chart", "chart": chart["id"], "table": None, "reading": None,
            "title": _bars_title(worse),
            "subtitle": _said("brands.page.chart_subtitle", likely="likely_line", unlikely="unlikely_line"),
        }  # fmt: skip


def _bars_title(worse: int) -> dict[str, Any]:
    if not worse:
        return _said("brands.page.chart_title_well", brands="counted")
    return _said("brands.page.chart_title", n="worse", brands="counted")


def _said(key: str, **values: Any) -> dict[str, Any]:
    return {"text": key, "values": values} if values else {"text": key}
