"""Every notebook has the same anatomy, carries nothing of the machine it ran on, and speaks both languages alike."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import nbformat
import pytest

from planlib.workbook.graph import read_graph
from planlib.workbook.source import PARAMETERS, read_source

ROOT = Path(__file__).resolve().parents[2]
HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))
import refresh  # noqa: E402

PLAN = "params/wechat_platform.yaml"
PLANS = ("tests/plan/minimal.yaml", PLAN, "params/private_domain_2026.yaml")
START = "00_start_here"
SECTIONS = ("Data", "Choices", "Model", "Result", "Sensitivity", "Checks", "Record", "Limits")
WITHOUT_MODEL = ("Data", "Choices", "Result", "Checks", "Record", "Limits")
MOST_LINES = 25
HAN = re.compile(r"[\u3400-\u9fff]")
# what prose may hold that is no typed number: code, mathematics, targets of links
NOT_PROSE = re.compile(r"```.*?```|`[^`]*`|\$\$.*?\$\$|\$[^$]*\$|\]\([^)]*\)", re.DOTALL)
FORBIDDEN = re.compile(
    r"/(?:home|Users|root|tmp|work)/|\b[A-Z]:\\|https?://|pip install|^\s*[!%]|filterwarnings|simplefilter|\burllib\b"
    r"|\brequests\b|\bsubprocess\b|\bsocket\b|pyplot|interact\(",
    re.MULTILINE,
)

IDS = read_graph(ROOT).ids


@pytest.fixture(params=IDS)
def path(request: pytest.FixtureRequest) -> Path:
    return ROOT / "notebooks" / f"{request.param}.ipynb"


@pytest.fixture
def cells(path: Path) -> list[dict]:
    return json.loads(path.read_text(encoding="utf-8"))["cells"]


def text(cell: dict) -> str:
    return "".join(cell["source"])


def code(cells: list[dict]) -> list[dict]:
    return [cell for cell in cells if cell["cell_type"] == "code"]


def headings(cells: list[dict]) -> Iterator[str]:
    for cell in cells:
        if cell["cell_type"] == "markdown":
            yield from re.findall(r"^#{1,2} .*$", NOT_PROSE.sub("", text(cell)), re.MULTILINE)


def test_parameters_come_first(path: Path, cells: list[dict]):
    assert read_source(path).error is None
    first = code(cells)[0]
    assert first["metadata"]["tags"] == ["parameters"]
    assert re.match(r"# 改这里.*/ Change this", text(first))
    assert re.findall(r"^(\w+) = ", text(first), re.MULTILINE) == list(PARAMETERS)
    assert f'plan_file = "{PLAN}"' in text(first)
    assert 'locale = "zh"' in text(first)


def test_title_is_the_question_and_names_who_decides(cells: list[dict]):
    first = text(cells[0])
    assert re.match(r"# .*[\u3400-\u9fff].* / .*\?\n", first)
    assert "决策人" in first
    assert re.search(r"[Dd]ecided by", first)


def test_sections_stand_in_order(path: Path, cells: list[dict]):
    second = [heading.split(" / ")[-1] for heading in headings(cells) if heading.startswith("## ")]
    named = [next((section for section in SECTIONS if part.startswith(section)), None) for part in second]
    assert None not in named, second
    wanted = WITHOUT_MODEL if path.stem == START else SECTIONS
    assert set(named) == set(wanted)
    first_of_each = list(dict.fromkeys(named))
    assert first_of_each == list(wanted)


def test_headings_are_in_both_languages_on_one_line(cells: list[dict]):
    for heading in headings(cells):
        chinese, slash, english = heading.partition(" / ")
        assert slash, heading
        assert HAN.search(chinese), heading
        assert not HAN.search(english), heading


def test_prose_stands_in_both_languages(cells: list[dict]):
    for cell in cells:
        if cell["cell_type"] != "markdown":
            continue
        prose = NOT_PROSE.sub("", text(cell))
        body = "\n".join(line for line in prose.splitlines() if not line.startswith("#"))
        if re.search(r"\w", body):
            assert HAN.search(body), body
            assert re.search(r"[A-Za-z]{3,}", body), body


def test_no_number_is_typed_into_prose(cells: list[dict]):
    for cell in cells:
        if cell["cell_type"] == "markdown":
            prose = "\n".join(line for line in NOT_PROSE.sub("", text(cell)).splitlines() if not line.startswith("#"))
            assert not re.search(r"\d", prose), prose


def test_cells_are_short(cells: list[dict]):
    for cell in code(cells):
        assert len(text(cell).splitlines()) <= MOST_LINES, text(cell)


def test_nothing_ties_a_notebook_to_a_machine_or_the_network(path: Path, cells: list[dict]):
    for cell in cells:
        found = FORBIDDEN.search(text(cell))
        assert not found, found
    assert str(ROOT) not in path.read_text(encoding="utf-8")


def test_outputs_are_kept_only_where_tests_compare_them(path: Path, cells: list[dict]):
    for cell in code(cells):
        kept = refresh.CHECKED in text(cell)
        assert cell["execution_count"] == (refresh.KEPT_COUNT if kept else None)
        assert bool(cell["outputs"]) == kept, text(cell)
    content = path.read_text(encoding="utf-8")
    assert content == refresh.text_of(refresh.strip(nbformat.reads(content, as_version=4)))


def test_result_and_checks_are_compared(cells: list[dict]):
    section, compared = "", set()
    for cell in cells:
        found = re.findall(r"^## .* / (\w+)", text(cell), re.MULTILINE) if cell["cell_type"] == "markdown" else []
        section = found[-1] if found else section
        if cell["cell_type"] == "code" and refresh.CHECKED in text(cell):
            compared.add(section)
    assert compared >= {"Result", "Checks"}


def test_links_lead_to_notebooks(path: Path, cells: list[dict]):
    for cell in cells:
        if cell["cell_type"] == "markdown":
            for link in re.findall(r"\]\(([^)]+)\)", text(cell)):
                assert (path.parent / link).is_file() or link.removesuffix(".ipynb") in IDS, link


def test_results_are_the_same_in_either_language_and_any_plan_runs(path: Path, tmp_path: Path, pytestconfig):
    # the shipped plans run in both languages in test_main_job.py, each notebook behind what it needs; here alone
    plans = PLANS if pytestconfig.getoption("--full") else PLANS[:1]
    runs = [("zh", plan, tmp_path / f"zh{i}") for i, plan in enumerate(plans)] + [("en", plans[0], tmp_path / "en")]
    arguments = [str(part) for run in runs for part in run]
    command = [sys.executable, str(HERE / "run_cells.py"), str(path), *arguments]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, encoding="utf-8", errors="replace", check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    chinese, english = (tmp_path / name / path.stem for name in ("zh0", "en"))
    files = sorted(found.relative_to(chinese) for found in chinese.rglob("*") if found.is_file())
    assert files == sorted(found.relative_to(english) for found in english.rglob("*") if found.is_file())
    for name in files:
        assert (chinese / name).read_bytes() == (english / name).read_bytes(), name
