"""The benchmark harness: ratios, verdicts, the table, and that every benchmark can be loaded."""

import subprocess
import sys
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).resolve().parent.parent / "benchmarks"


@pytest.fixture
def harness(monkeypatch):
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    import harness

    return harness


def test_times_faster(harness):
    """10 s of the peer's for 5 s of ours: 2 times faster."""
    row = harness.times_faster("job", 5.0, 10.0, at_least=1.7)
    assert (row.ratio, row.kept) == (2.0, True)
    assert not harness.times_faster("job", 5.0, 8.0, at_least=1.7).kept
    assert harness.times_faster("job", 5.0, 8.0).kept is None


def test_times_as_long(harness):
    """6 s of ours for 2 s of the peer's: 3 times as long, which the bound just allows."""
    row = harness.times_as_long("check", 6.0, 2.0, at_most=3)
    assert (row.ratio, row.kept) == (3.0, True)
    assert not harness.times_as_long("check", 6.1, 2.0, at_most=3).kept


def test_within(harness):
    assert harness.within("deck", 1.9, at_most=2).kept
    assert not harness.within("deck", 2.0, at_most=2).kept


def test_table(harness):
    rows = [harness.times_faster("main job", 20.0, 40.0, at_least=1.7), harness.within("deck", 3.0, at_most=2)]
    assert harness.table(rows).splitlines() == [
        "name      ours     peer     ratio  bound   verdict",
        "main job  20.00 s  40.00 s  2.00   >= 1.7  kept",
        "deck      3.00 s   -        -      < 2 s   MISSED",
    ]


def test_measures_take_turns(harness):
    order = []
    medians = harness.interleaved(lambda: order.append("a") or 1.0, lambda: order.append("b") or len(order), repeats=3)
    assert order == ["a", "b"] * 3
    assert medians == [1.0, 4]


def test_a_command_that_fails_stops_the_benchmark(harness):
    with pytest.raises(SystemExit, match="exit status 3"):
        harness.seconds_of([sys.executable, "-c", "raise SystemExit(3)"])
    assert harness.seconds_of([sys.executable, "-c", "raise SystemExit(3)"], statuses=(3,)) > 0


@pytest.mark.parametrize("name", sorted(p.stem for p in BENCHMARKS.glob("*.py") if p.stem != "harness"))
def test_every_benchmark_measures_and_is_documented(harness, name):
    assert callable(__import__(name).measure)
    assert f"`{name}`" in (BENCHMARKS / "README.md").read_text(encoding="utf-8")


def test_the_command_lists_its_benchmarks():
    done = subprocess.run(
        [sys.executable, str(BENCHMARKS / "run"), "--help"], capture_output=True, encoding="utf-8", check=True
    )
    names = sorted(path.stem for path in BENCHMARKS.glob("*.py") if path.stem != "harness")
    assert f"{{{','.join(names)}}}" in "".join(done.stdout.split())
