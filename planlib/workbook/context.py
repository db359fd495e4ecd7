"""What a notebook works with: its plan, its random streams, and the record that it leaves behind."""

from __future__ import annotations

import datetime as dt
import hashlib
import io
import math
import os
import platform
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from planlib.core import results as res
from planlib.core import streams
from planlib.core.errors import InputError, Problem
from planlib.core.words import LOCALES, Words, words
from planlib.data.store import is_sample, read_manifest, table_files
from planlib.plan import Plan, load_plan

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

    from planlib.data.engine import Engine

Text = dict[str, Any]
LOGO = "brand/logo"


class CheckFailed(RuntimeError):
    """A computation check of a notebook failed: its numbers must not be used."""


def project_root(start: Path | None = None) -> Path:
    """Return the nearest folder upwards that holds notebooks/workbook.yaml.

    Raises:
        InputError: there is none.
    """
    here = (start or Path.cwd()).resolve()
    for folder in (here, *here.parents):
        if (folder / "notebooks" / "workbook.yaml").is_file():
            return folder
    raise InputError(Problem("no_project", file=str(here)))


def start(notebook: str, *, plan_file: str, out_dir: str = "", locale: str = "zh", seed: int | None = None) -> Book:
    """Begin a notebook.

    Args:
        notebook: its id, e.g. 20_funnel_targets.
        plan_file: the plan, relative to the project root.
        out_dir: folder of this run's results; "" keeps them in outputs/<plan>/by_hand.
        locale: language of what the notebook displays; results hold both.
        seed: in place of the plan's.

    Raises:
        InputError: the plan has problems, or the language is unknown.
    """
    root = project_root()
    os.chdir(root)  # messages and results name files relative to the project, wherever Jupyter started
    plan = load_plan(plan_file)
    out = Path(out_dir) if out_dir else Path("outputs") / plan.id / "by_hand"
    return Book(notebook, plan, out, words(locale), plan.seed if seed is None else seed)


class Book:
    """One execution of one notebook; see `start`."""

    def __init__(self, notebook: str, plan: Plan, out: Path, display_words: Words, seed: int):
        self.notebook = notebook
        self.plan = plan
        self.out = out
        self.folder = out / notebook
        self.words = display_words
        self.seed = seed
        self._record: dict[str, list[dict]] = {
            key: [] for key in ("metrics", "checks", "findings", "tables", "charts", "pages", "inputs")
        }
        self._decision: dict | None = None
        self._incomplete: dict[str, float] = {}

    @cached_property
    def as_of(self) -> dt.date:
        """The plan's as-of day, else the newest day in the data, else the plan's first day; never today's clock."""
        if self.plan.data.as_of:
            return dt.date.fromisoformat(self.plan.data.as_of)
        if self.has_data:
            from planlib.data.baseline import period
            from planlib.data.engine import open_tables

            with open_tables(self.plan.data) as tables:
                days = period(tables)
            if days:
                return days[1]
        return dt.date.fromisoformat(f"{self.plan.start}-01")

    @property
    def has_data(self) -> bool:
        """Whether the plan's data folder holds tidy tables."""
        return bool(table_files(self.plan.data_root))

    @property
    def on_sample(self) -> bool:
        """Whether the plan's data are those of the invented sample brand, which pages have to say."""
        return is_sample(self.plan.data_root)

    def tables(self) -> Engine:
        """Return the plan's tidy tables for SQL, and record their files as what the results rest on."""
        from planlib.data.engine import open_tables
        from planlib.data.quality import incomplete

        manifest = read_manifest(self.plan.data_root)
        for name, path in sorted(table_files(self.plan.data_root, manifest).items()):
            self.input_file(path, rows=int(manifest["tables"][name]["rows"]))
        tables = open_tables(self.plan.data)
        last = self.plan.data.as_of
        self._incomplete = incomplete(tables, until=dt.date.fromisoformat(last) if last else None)
        return tables

    def rng(self, stream: str) -> np.random.Generator:
        """Return the random stream of that name: the same for the same seed, apart from all others."""
        return streams.stream(self.seed, stream)

    def upstream(self, notebook: str) -> dict[str, Any]:
        """Return the results of a notebook that this one needs: of this run; by hand, else of the newest that has them.

        Raises:
            InputError: it has not run; the message names the command.
        """
        here = self.out / notebook / "results.json"
        if here.is_file():
            return res.load(here)
        by_hand = not (self.out / "plan.json").is_file()  # a run rests on its own results alone, so that it repeats
        runs = sorted((Path("outputs") / self.plan.id).glob(f"2*/{notebook}/results.json")) if by_hand else []
        if runs:
            return res.load(runs[-1])
        raise InputError(Problem("no_results", file=here.as_posix()))

    def month_start(self, month: int) -> dt.date:
        """Return the first day of a plan month; month 1 is the plan's start."""
        year, first = (int(part) for part in self.plan.start.split("-"))
        index = year * 12 + first - 1 + month - 1
        return dt.date(index // 12, index % 12 + 1, 1)

    def metric(
        self,
        metric_id: str,
        value: float | None,
        unit: str,
        *,
        method: str,
        metric: str | None = None,
        month: int | None = None,
        interval: tuple[float, float, float] | None = None,
        n: int | None = None,
        reason: str | None = None,
        signed: bool = False,
    ) -> float | None:
        """Record a number and return it.

        Args:
            metric_id: unique within the notebook.
            value: at full precision; None when it cannot be computed, with `reason`.
            unit: of the catalogue.
            method: id of how it was computed.
            metric: catalogue id of what it measures.
            month: plan month it stands for.
            interval: (low, high, level).
            n: observations or draws behind it.
            reason: id of why there is no value.
            signed: shown with its sign.

        Raises:
            ValueError: the id is taken, the value is not finite, or a missing value has no reason.
        """
        if any(found["id"] == metric_id for found in self._record["metrics"]):
            raise ValueError(f"metric {metric_id!r} is recorded twice")
        if (value is None) != (reason is not None):
            raise ValueError(f"metric {metric_id!r}: a value or a reason, not both")
        if value is not None and not math.isfinite(value):
            raise ValueError(f"metric {metric_id!r} is not finite")
        self._record["metrics"].append(
            {
                "id": metric_id,
                "value": None if value is None else float(value),
                "unit": unit,
                "method": method,
                "metric": metric,
                "month": month,
                "interval": interval and dict(zip(("low", "high", "level"), interval, strict=True)),
                "n": n,
                "reason": reason,
                **({"signed": True} if signed else {}),
            }
        )
        return value

    def check(self, check_id: str, passed: bool, *, value: float, threshold: float) -> bool:
        """Record a check of the computation; `record` raises when one failed."""
        status = "PASS" if passed else "FAIL"
        entry = {"id": check_id, "status": status, "value": float(value), "threshold": float(threshold)}
        self._record["checks"].append(entry)
        return passed

    def checks(self) -> pd.DataFrame:
        """Return the checks so far as a table in the display language."""
        import pandas as pd

        w = self.words
        rows = [
            (w.text(f"checks.{c['id']}"), w.text(f"checks.{c['status']}"), f"{c['value']:.3g}", f"{c['threshold']:.3g}")
            for c in self._record["checks"]
        ]
        heads = [w.text(f"checks.{name}") for name in ("check", "status", "value", "threshold")]
        return _without_index(pd.DataFrame(rows, columns=heads))

    def table(
        self,
        table_id: str,
        frame: pd.DataFrame,
        *,
        units: Mapping[str, str],
        heads: Mapping[str, str],
        rows: int | None = None,
    ) -> pd.DataFrame:
        """Keep a table as Parquet and return it as the reader sees it.

        Args:
            table_id: unique within the notebook.
            frame: raw values and ids, one row an item.
            units: column -> unit; "@unit" means the row's own column `unit`. Columns holding ids say
                "metric", "status", "source", "words:<prefix>" or "text"; columns named *_zh/*_en come in pairs and
                are shown as "bilingual" under their stem.
            heads: column (or stem) -> locale key of its heading, in display order.
            rows: show only the first ones.
        """
        import pandas as pd

        path = self.folder / "tables" / f"{table_id}.parquet"
        res.write_table(path, frame)
        entry = {"id": table_id, "file": f"tables/{table_id}.parquet", "rows": len(frame), "units": dict(units)}
        self._record["tables"].append(entry)
        shown = frame if rows is None else frame.head(rows)
        columns = {
            self.words.text(head): [self._cell(row, name, units) for row in shown.to_dict("records")]
            for name, head in heads.items()
        }
        return _without_index(pd.DataFrame(columns))

    def _cell(self, row: Mapping[str, Any], name: str, units: Mapping[str, str]) -> str:
        unit = units[name]
        if unit == "bilingual":
            return str(row[f"{name}_{self.words.locale}"])
        value = row[name]
        if value is None or (isinstance(value, float) and math.isnan(value)):
            return "—"
        if unit == "metric":
            return self.words.metric(value)
        if unit == "status":
            return self.words.text(f"status.{value}")
        if unit == "source" and self.words.has(f"source.{value}"):
            return self.words.text(f"source.{value}")
        if unit in ("text", "source"):
            return str(value)
        if unit.startswith("words:"):
            return self.words.text(f"{unit.removeprefix('words:')}.{value}")
        return self.words.number(value, row["unit"] if unit == "@unit" else unit)

    def chart(self, chart_id: str, draw: Callable[[Words], Figure], *, alt: Text) -> None:
        """Draw a chart in both languages, keep both as SVG and show the reader's own.

        Args:
            chart_id: unique within the notebook.
            draw: returns the figure in the words it is given.
            alt: what the chart says, for those who cannot see it.
        """
        from planlib.report.charts.base import save_svg

        files = {}
        for locale in LOCALES:
            figure = draw(words(locale))
            files[locale] = f"charts/{chart_id}.{locale}.svg"
            save_svg(figure, self.folder / files[locale])
            if locale == self.words.locale:
                _show(figure)
        self._record["charts"].append({"id": chart_id, "files": files, "alt": alt})

    def text(self, key: str, **values: str | Mapping[str, Any]) -> Text:
        """Return a sentence by its locale key; values are metric ids of this notebook or see `results.text`."""
        return {"text": key, "values": values} if values else {"text": key}

    def say(self, ref: Text) -> None:
        """Show a sentence with its numbers in the display language."""
        from IPython.display import Markdown, display

        display(Markdown(res.text(self.words, self._so_far(), ref)))

    def finding(
        self,
        finding_id: str,
        *,
        status: str,
        weight: float,
        figure: str,
        figure_label: Text,
        text: Text,
        evidence: Text,
        next_step: Text,
        owner: Text,
        page: str,
    ) -> None:
        """Record a finding for the summary; the heaviest come first.

        Args:
            status: on_track, at_risk, off_track or not_measured.
            weight: 0 to 1, share of the goal at stake.
            figure: metric id shown large.
            page: id of the page that proves it.
        """
        if status not in res.STATUSES:
            raise ValueError(f"finding {finding_id!r}: unknown status {status!r}")
        self._record["findings"].append(
            {
                "id": finding_id,
                "status": status,
                "weight": float(weight),
                "figure": figure,
                "figure_label": figure_label,
                "text": text,
                "evidence": evidence,
                "next_step": next_step,
                "owner": owner,
                "page": page,
            }
        )

    def page(
        self,
        page_id: str,
        *,
        layout: str,
        section: str,
        title: Text,
        subtitle: Text,
        reading: Text | None,
        source: Text,
        chart: str | None = None,
        table: Mapping[str, Any] | None = None,
        tables: Sequence[Mapping[str, Any]] = (),
    ) -> None:
        """Record a page of the deck; docs/deck-pages.md says what each layout takes."""
        self._record["pages"].append(
            {
                "id": page_id,
                "layout": layout,
                "section": section,
                "title": title,
                "subtitle": subtitle,
                "reading": reading,
                "source": source,
                "chart": chart,
                "table": dict(table) if table else None,
                **({"tables": [dict(one) for one in tables]} if tables else {}),
            }
        )

    def decision(self, decision_id: str, reasons: Sequence[str]) -> None:
        """Record what follows from this notebook, with the ids of its reasons."""
        self._decision = {"id": decision_id, "reasons": list(reasons)}

    def record(self) -> Path:
        """Write results.json and return its path.

        Raises:
            CheckFailed: a check of the computation failed (results are written all the same).
            KeyError: a sentence lacks its words or numbers in one of the languages.
        """
        found = self._so_far()
        self._try_texts(found)
        if self.plan.report.brand.logo:
            self._keep_logo(self.plan.report.brand.logo)
        path = self.folder / "results.json"
        res.write(path, found)
        failed = [c["id"] for c in self._record["checks"] if c["status"] == "FAIL"]
        if failed:
            raise CheckFailed(", ".join(failed))
        return path

    def _so_far(self) -> dict[str, Any]:
        plan = self.plan
        brand = plan.report.brand
        return {
            "schema": res.SCHEMA,
            "notebook": self.notebook,
            "seed": self.seed,
            "as_of": self.as_of.isoformat(),
            "plan": {
                "id": plan.id,
                "file": plan.file,
                "sha256": plan.sha256,
                "scenario": plan.scenario,
                "title": plan.title,
                "start": plan.start,
                "months": plan.months,
                "classification": brand.classification and brand.classification.model_dump(),
                "owner": plan.model.plan.owner,
                **_changed_in(plan),
                **_of_report(plan),
            },
            **self._record,
            **({"sample": True} if self._record["inputs"] and self.on_sample else {}),
            **({"incomplete": self._incomplete} if self._incomplete else {}),
            "decision": self._decision,
            "versions": {"python": platform.python_version(), "numpy": np.__version__, "planlib": _own_version()},
        }

    def _keep_logo(self, name: str) -> None:
        """Put the logo beside the results, since decks are made of these alone."""
        from planlib.plan import logo

        place = Path(self.plan.file).parent
        res.write_whole(self.folder / LOGO, logo.read(place, name).content)
        self.input_file(place / name)

    def _try_texts(self, found: Mapping[str, Any]) -> None:
        for locale in LOCALES:
            for ref in _texts(self._record):
                res.text(words(locale), found, ref)

    def input_file(self, path: str | Path, *, rows: int | None = None) -> None:
        """Record a file that the results rest on."""
        with open(path, "rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        self._record["inputs"].append({"file": Path(path).as_posix(), "sha256": digest, "rows": rows})


def _of_report(plan: Plan) -> dict[str, Any]:
    """Return what a plan says of its decks and of names that they need: looks, words of pages, own metrics."""
    report = plan.report
    own = {metric.id: {"names": dict(metric.names), "unit": metric.unit} for metric in plan.own_metrics}
    pages = {page: words.model_dump(exclude_none=True) for page, words in report.pages.items()}
    look = {"accent": report.brand.accent, "logo": report.brand.logo}
    found = {"look": {name: value for name, value in look.items() if value}, "pages": pages, "own_metrics": own}
    return {name: value for name, value in found.items() if value}


def _changed_in(plan: Plan) -> dict[str, Any]:
    """Return which file changed the plan for this run, and in which of its cells; nothing when none did."""
    if not plan.changes:
        return {}
    return {"changed_in": {"file": Path(plan.changes[0].file).name, "cells": [change.cell for change in plan.changes]}}


def _texts(tree: object):
    """Yield every reference to a sentence in a record."""
    if isinstance(tree, dict):
        if "text" in tree and set(tree) <= {"text", "values"} and isinstance(tree["text"], str):
            yield tree
            return
        for value in tree.values():
            yield from _texts(value)
    elif isinstance(tree, list):
        for value in tree:
            yield from _texts(value)


def _show(figure: Figure) -> None:
    from IPython.display import Image, display

    picture = io.BytesIO()
    figure.savefig(picture, format="png", dpi=110)
    display(Image(picture.getvalue()))


def _without_index(frame: pd.DataFrame) -> pd.DataFrame:
    frame.index = [""] * len(frame)
    return frame


def _own_version() -> str:
    return metadata.version("planlib")
