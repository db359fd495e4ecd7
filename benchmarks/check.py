"""`planlib check` from a cold start, beside importing the libraries that it cannot do without."""

from __future__ import annotations

import sys
from collections.abc import Iterator

from harness import PLAN, Row, interleaved, planlib, seconds_of, times_as_long

LIBRARIES = "import yaml, typer, rich.table, numpy, highspy; from pydantic import BaseModel"


def measure(repeats: int) -> Iterator[Row]:
    """Yield the one row: medians of interleaved cold starts."""
    command, peer = planlib("check", PLAN), [sys.executable, "-c", LIBRARIES]
    found_or_not = (0, 1)  # contradictions in the plan are an answer too
    seconds_of(command, statuses=found_or_not), seconds_of(peer)  # byte code is compiled once
    ours, theirs = interleaved(
        lambda: seconds_of(command, statuses=found_or_not), lambda: seconds_of(peer), repeats=4 * repeats + 1
    )
    yield times_as_long("planlib check, cold start : importing its libraries", ours, theirs, at_most=3)
