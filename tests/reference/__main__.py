"""`python -m tests.reference [--effort N] FILE.json [FILE.json ...]`: exit status 1 when a case failed.

--effort limits the search of each case of levelling, in units of CP-SAT's deterministic time.
"""

import sys
from collections import Counter
from functools import partial
from pathlib import Path

from tests.reference import budget, churn, experiments, planning, segments, value
from tests.reference.compare import run_file

JUDGES = budget.JUDGES | churn.JUDGES | experiments.JUDGES | planning.JUDGES | segments.JUDGES | value.JUDGES


def main(paths: list[str]) -> int:
    counts: Counter[str] = Counter()
    judges = JUDGES
    if paths[:1] == ["--effort"]:
        limited = {form: partial(judge, effort=float(paths[1])) for form, judge in planning.JUDGES.items()}
        judges, paths = JUDGES | limited, paths[2:]
    for path in paths:
        for verdict in run_file(Path(path), planning.SOLVERS, judges):
            counts[verdict.status] += 1
            if verdict.status != "passed":
                print(f"{verdict.status}  {verdict.case}  {verdict.why}")
    print(f"{counts['passed']} passed, {counts['failed']} failed, {counts['skipped']} skipped")
    return int(counts["failed"] > 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
