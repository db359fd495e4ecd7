"""The commands: a workbook written, checked and run from the command line."""

import json
import subprocess
import sys

import pytest

from planlib import cli
from tests.exchange.desk import ROOT, SMALL, edited, opened, quick


@pytest.fixture
def call(home, monkeypatch, capsys):
    """Return a function that calls the real entry point: exit status, output, errors."""
    monkeypatch.setenv("PLANLIB_LOCALE", "en")

    def run(*arguments):
        monkeypatch.setattr("sys.argv", ["planlib", *arguments])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        said = capsys.readouterr()
        return ended.value.code or 0, said.out, said.err

    return run


PATH = "outputs/small/small.xlsx"


def test_excel_writes_the_workbook_and_says_where_it_is(call, home):
    status, out, err = call("excel", SMALL)
    assert (status, err) == (0, "")
    assert out.splitlines() == [
        f"Workbook: {PATH}",
        f"Next: change tinted cells, save, then: planlib run {PATH}",
    ]
    assert (home / PATH).is_file()
    status, out, _ = call("excel", SMALL, "--out", "方案 输出", "--locale", "zh")
    assert status == 0 and "方案 输出/small/small.xlsx" in out
    assert call("excel", "params/nobody.yaml")[0] == 2


def test_check_reads_a_workbook_and_tells_what_changed_in_it(call):
    path, names = edited(quick(), ("Targets", "w-churn-rate", "Goal", 0.01))
    status, out, _ = call("check", str(path))
    assert out.splitlines()[0] == f"{PATH}: changed cells (1): {names[0]}"
    assert status in (0, 1)
    _, out, err = call("check", str(path), "--json")
    assert json.loads(out)["plans"][0]["file"] == SMALL
    assert "changed cells (1)" in err


def test_mistakes_end_with_two_in_the_language_asked_for(call):
    path, names = edited(quick(), ("Targets", "w-churn-rate", "Goal", "8"))
    status, out, err = call("run", str(path), "--locale", "zh")
    assert (status, out) == (2, "")
    assert names[0] in err and "改法" in err
    status, _, err = call("check", str(path), SMALL, "params/nobody.yaml")
    assert status == 2 and "nobody.yaml" in err and names[0] in err


def test_run_uses_the_plan_of_the_workbook(call, home, monkeypatch):
    """What the runner gets is the plan with its changes, and names them for the manifest."""
    path, names = edited(quick(), ("Targets", "w-churn-rate", "Goal", 0.05),
                         ("Targets", "w-churn-rate", "Reason for the change", "agreed"))  # fmt: skip
    got = []

    def run(plan, **_):
        got.append(plan)
        raise SystemExit(0)

    monkeypatch.setattr("planlib.workbook.job.run", run)
    before = (home / SMALL).read_bytes()
    call("run", str(path))
    (plan,) = got
    assert plan.origin() == {
        "file": SMALL,
        "scenario": None,
        "sets": [],
        "changes": [
            {
                "path": "targets.w-churn-rate.equals",
                "value": 0.05,
                "file": "small.xlsx",
                "cell": names[0],
                "why": "agreed",
            }
        ],
    }
    assert (home / SMALL).read_bytes() == before
    assert sorted(p.name for p in (home / "params").iterdir()) == sorted(
        [p.name for p in (ROOT / "params").iterdir()] + ["minimal.yaml", "own.yaml", "rich.yaml", "small.yaml"]
    )


def test_reading_a_workbook_needs_none_of_the_heavy_packages(home):
    quick()
    code = (
        f"import sys; sys.argv = ['planlib', 'check', {PATH!r}]\n"
        "from planlib.cli import main\n"
        "try:\n    main()\nexcept SystemExit:\n    pass\n"
        "print('HEAVY', sorted({'openpyxl', 'pandas', 'scipy', 'matplotlib', 'papermill'} & sys.modules.keys()))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, encoding="utf-8", check=False, timeout=120)
    assert done.stdout.splitlines()[-1] == "HEAVY []", done.stdout + done.stderr


def test_the_last_page_of_the_deck_names_the_workbook_and_its_cells():
    """However many cells there are, the row stays two lines."""
    from planlib.report.deck_pages import _changed_in

    assert _changed_in({}) is None
    cells = [f"目标!E{n}" for n in range(2, 40)]
    assert _changed_in({"changed_in": {"file": "w.xlsx", "cells": cells[:2]}}) == "w.xlsx: 目标!E2, 目标!E3"
    told = _changed_in({"changed_in": {"file": "w.xlsx", "cells": cells}})
    assert told.startswith("w.xlsx: 目标!E2, 目标!E3, ") and len(told) < 100
    assert int(told.rpartition("+ ")[2]) + told.count("目标") == len(cells)
    assert _changed_in({"changed_in": {"file": "w.xlsx", "cells": ["x" * 200]}}) == "w.xlsx: + 1"


def test_results_say_which_cells_changed_the_plan(home):
    from planlib.workbook.context import _changed_in

    path, names = edited(quick(), ("Targets", "w-churn-rate", "Goal", 0.05))
    assert _changed_in(opened(path)[0]) == {"changed_in": {"file": "small.xlsx", "cells": names}}
    assert _changed_in(opened(SMALL)[0]) == {}
