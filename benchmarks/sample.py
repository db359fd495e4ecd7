"""The sample brand of 100,000 customers: a million may take two minutes, so that a tenth may take twelve seconds."""

from __future__ import annotations

from collections.abc import Iterator
from statistics import median

from harness import Row, planlib, scratch, seconds_of, within

CUSTOMERS = 100_000
MOST_SECONDS = 12


def measure(repeats: int) -> Iterator[Row]:
    """Yield the one row: from the command to the files in place, each time in a folder of its own."""
    seconds = []
    with scratch() as folder:
        for turn in range(repeats):
            command = planlib("sample", "--customers", str(CUSTOMERS), "--seed", "1", "--out", str(folder / str(turn)))
            seconds.append(seconds_of(command))
    yield within("planlib sample --customers 100000", median(seconds), at_most=MOST_SECONDS)
