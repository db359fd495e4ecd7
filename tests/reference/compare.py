"""Read files of cases, run what is known, compare key by key."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

Solver = Callable[[Mapping[str, Any], Mapping[str, Any]], Mapping[str, Any]]
Judge = Callable[[Mapping[str, Any], Path], Iterator[str]]  # (case, folder of its file) -> what is wrong


@dataclass(frozen=True)
class Verdict:
    """How one case ended: passed, failed or skipped, and why."""

    case: str
    status: str
    why: str = ""


def run_file(
    path: Path, solvers: Mapping[tuple[str, str], Solver], judges: Mapping[tuple[str, str], Judge]
) -> Iterator[Verdict]:
    """Yield a verdict for each case of a file; a form that no solver and no judge knows is skipped.

    Args:
        path: the file.
        solvers: form -> function whose result is compared with `expected` key by key.
        judges: form -> function that says itself what is wrong, for cases with tolerances of their own.
    """
    content = json.loads(path.read_text(encoding="utf-8"))
    for case in content["cases"]:
        form = (case.get("kind") or case.get("group") or "", case.get("method") or "")
        if "procedure" in case:  # the name of its method, the same in all files; method is prose there
            form = ("procedure", case["procedure"])
        solver, judge = solvers.get(form), judges.get(form)
        if judge is not None:
            yield _judged(case, judge, path.parent)
            continue
        if solver is None:
            yield Verdict(str(case.get("id")), "skipped", "/".join(form))
            continue
        try:
            found = solver(case["input"], case["expected"])
        except Exception as error:
            yield Verdict(str(case.get("id")), "failed", f"{type(error).__name__}: {error}")
            continue
        tolerance = float(case.get("tol", case.get("tolerance", 1e-9)))
        wrong = list(_differences(case["expected"], found, tolerance, ""))
        yield Verdict(str(case.get("id")), "failed" if wrong else "passed", "; ".join(wrong))


def _judged(case: Mapping[str, Any], judge: Judge, folder: Path) -> Verdict:
    try:
        wrong = list(judge(case, folder))
    except Exception as error:
        wrong = [f"{type(error).__name__}: {error}"]
    return Verdict(str(case.get("id")), "failed" if wrong else "passed", "; ".join(wrong))


def _differences(expected: Any, found: Any, tolerance: float, where: str) -> Iterator[str]:
    if isinstance(expected, Mapping):
        for key, value in expected.items():
            if not isinstance(found, Mapping) or key not in found:
                yield f"{where}{key} is missing"
            else:
                yield from _differences(value, found[key], tolerance, f"{where}{key}.")
    elif isinstance(expected, list):
        if not isinstance(found, list | tuple) or len(found) != len(expected):
            yield f"{where[:-1]}: expected {expected}, found {found}"
            return
        for index, (one, other) in enumerate(zip(expected, found, strict=True)):
            yield from _differences(one, other, tolerance, f"{where}{index}.")
    elif isinstance(expected, bool) or expected is None or isinstance(expected, str):
        if expected != found:
            yield f"{where[:-1]}: expected {expected}, found {found}"
    elif (
        found is None
        or not math.isfinite(float(found))
        or abs(float(found) - expected) > max(tolerance, 1e-9 * abs(expected))
    ):
        yield f"{where[:-1]}: expected {expected}, found {found}"
