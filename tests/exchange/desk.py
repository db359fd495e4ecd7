"""Workbooks as people make, edit and send them back, for the tests of exchange."""

import io
import re
import shutil
import zipfile
from pathlib import Path

import openpyxl

from planlib.core.errors import InputError
from planlib.core.words import words
from planlib.excel import make_workbook, opener

ROOT = Path(__file__).parents[2]
W = "params/wechat_platform.yaml"
P = "params/private_domain_2026.yaml"
OWN = "params/own.yaml"
SMALL = "params/small.yaml"  # a plan of few rows, so that workbooks are quick
SMALL_TARGETS = """\
targets:
  - {id: w-brand-search, metric: brand_search_volume, equals: 0.5, unit: relative_change, by_month: 12, source: W2.2}
  - {id: w-nps-target, metric: nps, equals: 60, stage: referral, source: W2.2}
  - {id: w-users-six-months, metric: private_domain_users, above: 1_000_000, by_month: 6, source: W2.2}
  - {id: w-churn-rate, metric: churn_rate, equals: 0.08, stage: retention, source: W2.3}
  - {id: w-repurchase-rate, metric: repurchase_rate, equals: 0.35, source: W2.3}
  - {id: w-brand-awareness, metric: brand_awareness, equals: 0.7, source: W2.2}
"""
MINIMAL = "params/minimal.yaml"
SAMPLE = "params/sample_brand.yaml"
RICH = "params/rich.yaml"  # one or two rows of everything
RICH_PLAN = """\
extends: small.yaml
plan: {id: rich, title: {zh: 齐全的方案, en: A rich plan}}
users:
  churn: {value: 0.08, period: month, kind: quoted, source: W2.3}
channels:
  - id: partners
    name: {zh: 异业合作, en: Partners}
    paid: true
    response: {curve: hill, ceiling: 9_000, half_spend: 90_000, source: assumption, why: a guess}
    spend: {min: 0, max: 200_000}
    cac: {value: [15, 25], source: assumption, why: a guess}
experiments:
  - id: welcome_coupon
    question: {zh: 礼券有用吗, en: Does a coupon help}
    node: activation
    unit: customer
    arms: {control: 0.5, coupon: 0.5}
    primary: first_interaction_rate
    baseline: {value: 0.30, source: assumption, why: a guess}
    smallest_worth_having: {value: 0.02, source: assumption, why: a guess}
    traffic_per_week: {value: [9_000, 12_000], source: assumption, why: a guess}
    guardrails: [{metric: complaint_rate, margin: 0.001}]
    owner: it
schedule:
  tasks:
    - {id: build, name: {zh: 开发, en: Build}, department: it, days: [10, 12, 20], roles: {content: 2}, source: W4.1}
    - {id: test, name: {zh: 测试, en: Test}, department: it, days: [3, 5, 8], after: [build], source: W4.1}
team:
  departments: [{id: it, name: {zh: 技术, en: IT}}, {id: legal, name: {zh: 法务, en: Legal}}]
  roles:
    content: {cost_per_year: {value: 200_000, source: assumption, why: a guess}}
risks:
  - id: fatigue
    name: {zh: 打扰, en: Fatigue}
    probability: 0.4
    hits: users.churn
    effect: [0.01, 0.03]
    trigger: {metric: daily_open_time, below: 8}
    owner: it
    source: W5.1
  - id: outage
    name: {zh: 宕机, en: Outage}
    probability: 0.2
    hits: users.conversion
    effect: [-0.02, -0.005]
    owner: it
    response: {zh: 切换, en: Switch over}
    mitigated: {probability: 0.1, effect: [-0.01, -0.002], source: assumption, why: a guess}
    source: assumption
    why: a guess
review:
  actions:
    - {id: less-push, name: {zh: 少推送, en: Push less}, owner: it, opened: 2027-02-01, due: 2027-03-01,
       metric: churn_rate, expected: -0.01}
"""
OWN_PLAN = """\
extends: wechat_platform.yaml
plan: {id: own, title: {zh: 自己的方案, en: Own plan}}
baseline:
  quoted:
    - {id: own-tags, metric: tag_coverage, equals: 0.1, source: W2.2}
ladders:
  private_domain_users: {shape: stage_weighted, rungs: {3: 400_000}, source: assumption, why: agreed}
organisation:
  basis: {region: history, store: capacity}
  units:
    - {id: east, name: {zh: 华东, en: East}, level: region, history: 300_000, source: assumption, why: last year}
    - {id: south, name: {zh: 华南, en: South}, level: region, history: 100_000, source: assumption, why: last year}
    - {id: east-01, name: {zh: 华东一店, en: East 1}, level: store, parent: east,
       capacity: 900_000, source: assumption, why: x}
    - {id: east-02, name: {zh: 华东二店, en: East 2}, level: store, parent: east,
       capacity: 600_000, source: assumption, why: x}
    - {id: south-01, name: {zh: 华南一店, en: South 1}, level: store, parent: south,
       share: 1, source: assumption, why: x}
"""


def set_up(folder: Path) -> None:
    """Make a project with the shipped plans and one with an organisation."""
    shutil.copytree(ROOT / "params", folder / "params")
    (folder / "notebooks").mkdir()
    shutil.copy(ROOT / "notebooks" / "workbook.yaml", folder / "notebooks")
    (folder / OWN).write_text(OWN_PLAN, encoding="utf-8")
    (folder / RICH).write_text(RICH_PLAN, encoding="utf-8")
    minimal = (ROOT / "tests" / "plan" / "minimal.yaml").read_text(encoding="utf-8")
    few = re.sub(r"(?m)^targets:\n(  .*\n)+", SMALL_TARGETS, minimal).partition("scenarios:")[0]
    few = few.replace("id: minimal", "id: small").replace("months: 12", "months: 24")
    (folder / MINIMAL).write_text(minimal, encoding="utf-8")
    (folder / SMALL).write_text(few, encoding="utf-8")


def made(plan: str = W, locale: str = "en") -> Path:
    """Return the path of a plan's workbook, made now."""
    return make_workbook(plan, words(locale), Path("outputs"))


def quick(plan: str = SMALL, locale: str = "en") -> Path:
    """Return the path of a workbook that was made once for all tests whose plan is the same."""
    path = Path("outputs") / Path(plan).stem / f"{Path(plan).stem}.xlsx"
    key = (plan, locale, Path(plan).read_bytes())
    if key not in _MADE:
        _MADE[key] = made(plan, locale).read_bytes()
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(_MADE[key])
    return path


_MADE: dict[tuple[str, str, bytes], bytes] = {}


def opened(path: Path | str, locale: str = "en", **options):
    """Return the plan that a file opens as, and the lines told about it."""
    told: list[str] = []
    return opener(words(locale), told.append)(str(path), **options), told


def problems(path: Path | str, **options) -> list[tuple[str, str]]:
    """Return field (or the place that a change has) and code of every problem with a file."""
    try:
        opened(path, **options)
    except InputError as error:
        name = Path(path).name
        return [(p.field if p.file.endswith(name) else p.file.rpartition(": ")[2], p.code) for p in error.problems]
    return []


def reckoned(page, cell):
    """Return the number in a cell; of a sum, reckoned from the cells that it names."""
    if not isinstance(cell.value, str):
        return cell.value or 0
    total = 0.0
    for part in cell.value.removeprefix("=").removeprefix("SUM(").removesuffix(")").split(","):
        found = page[part] if ":" in part else ((page[part],),)
        total += sum(reckoned(page, inner) for row in found for inner in row)
    return total


class Editing:
    """A workbook open in another program: cells by sheet, row id and heading."""

    def __init__(self, path: Path):
        self.path = path
        self.book = openpyxl.load_workbook(path)

    def place(self, sheet: str, row_id: str, heading: str):
        page = self.book[sheet]
        for head in page.iter_rows(max_row=10):
            names = [cell.value for cell in head]
            if heading in names:
                column, top = names.index(heading) + 1, head[0].row
                break
        ids = {page.cell(row, 1).value: row for row in range(top + 1, page.max_row + 1)}
        return page.cell(ids[row_id], column)

    def type(self, sheet: str, row_id: str, heading: str, value) -> str:
        """Type a value; return the cell's name as messages show it."""
        cell = self.place(sheet, row_id, heading)
        cell.value = value
        return f"{sheet}!{cell.coordinate}"

    def save(self, name: str = "") -> Path:
        path = self.path.with_name(name) if name else self.path
        self.book.save(path)
        return path


def edited(path: Path, *cells: tuple[str, str, str, object]) -> tuple[Path, list[str]]:
    """Type into cells given as (sheet, row id, heading, value); return the path and the names of the cells."""
    book = Editing(path)
    names = [book.type(*cell) for cell in cells]
    return book.save(), names


def rewritten(path: Path, change, name: str = "rewritten.xlsx", *, compress: int = zipfile.ZIP_DEFLATED) -> Path:
    """Write a copy of a package with its parts changed: `change(name, bytes)` returns bytes, or None to leave out."""
    target = path.with_name(name)
    with zipfile.ZipFile(path) as source, zipfile.ZipFile(target, "w", compress) as archive:
        for part in source.namelist():
            content = change(part, source.read(part))
            if content is not None:
                archive.writestr(part, content)
    return target


def parts(path: Path) -> dict[str, bytes]:
    """Return the parts of a package."""
    with zipfile.ZipFile(io.BytesIO(path.read_bytes())) as archive:
        return {name: archive.read(name) for name in archive.namelist()}
