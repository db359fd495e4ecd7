"""How long an analyst waits: one number changed, nothing changed, a deck alone."""

from __future__ import annotations

from collections.abc import Iterator

from harness import PLAN, Row, planlib, scratch, seconds_of, within

ONE_NUMBER = "users.churn.value=0.0631"


def measure(repeats: int) -> Iterator[Row]:
    """Yield the waits, each the longest of `repeats`; the run before them is not counted."""
    with scratch() as folder:
        run = planlib("run", PLAN, "--out", str(folder))
        seconds_of(run)
        changed = max(seconds_of([*run, "--set", f"{ONE_NUMBER}{i}"]) for i in range(repeats))
        again = [*run, "--set", f"{ONE_NUMBER}{repeats - 1}"]
        unchanged = max(seconds_of(again) for _ in range(repeats))
        plan_id = next(path.name for path in folder.iterdir() if (path / "latest").is_file())
        deck = planlib("deck", plan_id, "--locale", "zh", "--out", str(folder))
        alone = max(seconds_of(deck) for _ in range(repeats))
    yield within("one number changed to both decks", changed, at_most=30)
    yield within("run again, nothing changed", unchanged, at_most=2)
    yield within("one deck from a run", alone, at_most=2)
