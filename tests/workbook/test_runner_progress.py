import io
from pathlib import Path

import pytest

from planlib.core.words import words
from planlib.workbook.failures import RunError, StepError
from planlib.workbook.lock import Holder
from planlib.workbook.outcome import (
    CellStarted,
    RunEnded,
    RunOutcome,
    RunStarted,
    StepEnded,
    StepOutcome,
    StepStarted,
    Waiting,
)
from planlib.workbook.progress import drawn, lines

ERROR = StepError("cell_error", 5, "forecast = users([bold]plan[/])", {"detail": "ValueError: \x1b[2J[red]x"})
STEPS = (
    StepOutcome("20_funnel", "done", 3.25, 1.0),
    StepOutcome("10_base", "reused"),
    StepOutcome("30_budget", "failed", 2.0, log=Path("log.txt"), error=ERROR),
    StepOutcome("40_plan", "skipped", because="30_budget"),
)
EVENTS = (
    Waiting(None),
    Waiting(Holder(17, "desk", "2027-01-01 08:00:00", "planlib run")),
    RunStarted("R1", {step.notebook: {"zh": "标题", "en": "Title"} for step in STEPS}, 2),
    StepStarted("20_funnel", None),
    CellStarted("20_funnel", 2, 9),
    *map(StepEnded, STEPS),
    StepEnded(StepOutcome("99_carried", "reused")),
    RunEnded(RunOutcome("R1", Path("kept"), STEPS, ok=False, seconds=9.0)),
    RunEnded(RunOutcome("R1", Path("run"), STEPS, ok=True, seconds=9.0)),
    RunEnded(RunOutcome("R1", Path("run"), STEPS, ok=True, reused=True)),
)


def test_plain_lines_say_all_that_matters():
    stream = io.StringIO()
    with drawn(words("en"), stream=stream) as draw:
        for event in EVENTS:
            draw(event)
    assert stream.getvalue().splitlines() == [
        "Waiting: another run of this plan goes on.",
        "Waiting: process 17 on desk runs this plan since 2027-01-01 08:00:00 UTC.",
        "Run R1: 4 notebooks, 2 at once",
        "20_funnel: started",
        "20_funnel: done in 3.25 seconds",
        "10_base: unchanged, not run again",
        "30_budget: FAILED after 2 seconds",
        "  In [5]: forecast = users([bold]plan[/])",
        "  ValueError: [2J[red]x",
        "  Log: log.txt",
        "40_plan: skipped, it needs 30_budget",
        "99_carried: unchanged, not run again",
        "Run R1 failed; the last whole run is untouched. Kept for reading: kept",
        "Run R1 done in 9 seconds",
        "Nothing has changed: R1 is up to date",
    ]


@pytest.mark.parametrize("locale", ["zh", "en"])
def test_bars_say_the_same(locale):
    stream = io.StringIO()
    with drawn(words(locale), stream=stream, moving=True) as draw:
        for event in EVENTS:
            draw(event)
    text = stream.getvalue()
    for event in EVENTS:
        if isinstance(event, Waiting | RunStarted | RunEnded):
            assert all(line in text for line in lines(event, words(locale)))
    w = words(locale)
    assert "[bold]plan[/]" in text and "[red]x" in text  # shown as typed, never as markup
    for mark in ("done", "reused", "failed", "skipped"):
        assert w.text(f"run.progress.mark_{mark}") in text
    assert ("标题" if locale == "zh" else "Title") in text


@pytest.mark.parametrize("locale", ["zh", "en"])
def test_every_reason_has_its_words(locale):
    reasons = {
        "cell_error": {"detail": "x"},
        "timeout": {"seconds": "3"},
        "kernel_died": {"exit": -9},
        "worker_died": {"exit": None},
        "worker_start": {"detail": "x"},
        "no_results": {"notebook": "a"},
        "bad_results": {"given": None},
        "no_parameters": {"count": 0, "names": "a"},
        "bad_parameters": {"detail": "x", "names": "a"},
        "unreadable": {"detail": "x"},
        "disk_full": {"folder": "x", "free": "1 MB"},
        "not_run": {"detail": "x"},
    }
    w = words(locale)
    for reason, values in reasons.items():
        assert all(StepError(reason, values=values).lines(w))
    assert RunError("lock_held_unknown", folder="x").render(locale)


def test_long_and_wild_texts_stay_on_one_short_line():
    error = StepError("cell_error", 1, "x\ny\x00" + "z" * 500, {"detail": "a\n\nb\t" + "c" * 1000})
    where, why = error.lines(words("en"))
    assert where.startswith("In [1]: x y z") and len(where) < 100
    assert why.startswith("a b c") and why.endswith("…") and len(why) == 240
