"""A simulated year of weekly reviews on the sample brand: planted faults are told in time, little else cries.

The raw files of the sample are laid out week by week, as an operator would drop them; two faults are put into their
rows, a third (groups that decay) the sample has by itself. Every week the scheduled command is run as it is on a desk.
"""

import datetime as dt
import json
import os
import shutil
import subprocess
import sys
import time
from itertools import pairwise
from pathlib import Path

import pytest

from planlib.core.results import load, read_table
from planlib.data.sample import write_sample
from planlib.data.store import raw_dir
from planlib.workbook.ledger import Ledger, latest_run

ROOT = Path(__file__).parents[1]
WEEK = dt.timedelta(days=7)
SUNDAYS = [dt.date(2026, 4, 5) + k * WEEK for k in range(39)]  # after 13 weeks, from which the charts have learned
ORDERS_HALVED = dt.date(2026, 8, 3)
VISITORS_HALVED = dt.date(2026, 10, 12)
KILLED = {SUNDAYS[k]: seconds for k, seconds in ((3, 1.0), (9, 4.0), (17, 8.0), (26, 12.0), (35, 2.5))}
PLAN = "extends: sample_brand.yaml\nplan: {id: year_brand, start: 2026-01}\ndata: {root: %s}\n"


class Year:
    """A desk whose raw folder grows by a week at a time."""

    def __init__(self, root: Path):
        self.root = root
        write_sample(root / "whole", customers=20_000, seed=7)
        self.truth = json.loads((root / "whole" / "truth.json").read_text(encoding="utf-8"))
        self.raw = raw_dir(root / "brand")
        for name in ("SAMPLE", "salt"):
            if (root / "whole" / name).exists():
                copy = shutil.copytree if (root / "whole" / name).is_dir() else shutil.copy2
                self.raw.parent.mkdir(parents=True, exist_ok=True)
                copy(root / "whole" / name, self.raw.parent / name)
        shutil.copytree(ROOT / "params", root / "params")
        shutil.copytree(ROOT / "notebooks", root / "notebooks")
        shutil.copy2(ROOT / "requirements.lock", root)
        (root / "params" / "year.yaml").write_text(PLAN % json.dumps(str(root / "brand")), encoding="utf-8")
        self.plan_dir = root / "outputs" / "year_brand"

    def lay_out(self, until: dt.date) -> None:
        """Put down what was pulled up to the day after a Sunday, faults included."""
        for folder in sorted(raw_dir(self.root / "whole").glob("*/*")):
            target = self.raw / folder.parent.name / folder.name
            if folder.name <= f"{until + dt.timedelta(days=1):%Y%m%d}" and not target.exists():
                shutil.copytree(folder, target)
                pulled = dt.datetime.strptime(folder.name, "%Y%m%d").date()
                for path in target.iterdir():
                    self.spoil(path, pulled)

    def spoil(self, path: Path, pulled: dt.date) -> None:
        if path.name == "shop_order.jsonl" and pulled - WEEK >= ORDERS_HALVED:
            lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
            path.write_text("".join(lines[::2]), encoding="utf-8", newline="\n")
        if path.name == "mp_answers.jsonl" and pulled - WEEK >= VISITORS_HALVED:
            lines = path.read_text(encoding="utf-8").splitlines()
            made = [json.dumps(halved(json.loads(line)), ensure_ascii=False) + "\n" for line in lines]
            path.write_text("".join(made), encoding="utf-8", newline="\n")

    def command(self, day: dt.date) -> list[str]:
        return [sys.executable, "-m", "planlib", "run", "params/year.yaml", "--cadence", "weekly", "--as-of", str(day),
                "--locale", "en", "--keep", "8", "--json"]  # fmt: skip

    def review(self, day: dt.date) -> dict:
        done = subprocess.run(self.command(day), cwd=self.root, capture_output=True, encoding="utf-8", check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        return json.loads(done.stdout)

    def kill(self, day: dt.date, seconds: float) -> None:
        """Start the review of a day and kill it at a moment; what was there before must be whole afterwards."""
        last = latest_run(self.plan_dir)
        before = contents(last)
        nothing = subprocess.DEVNULL
        process = subprocess.Popen(self.command(day), cwd=self.root, stdout=nothing, stderr=nothing)
        time.sleep(seconds)
        process.kill()
        process.wait()
        assert latest_run(self.plan_dir) == last and contents(last) == before
        with Ledger(self.plan_dir) as ledger:
            assert last.name in {row.run_id for row in ledger.runs()}


def halved(tree):
    """Return a payload with its counts of visits halved."""
    if isinstance(tree, dict):
        counts = ("visit_uv", "visit_uv_new", "visit_pv", "session_cnt")
        return {k: v // 2 if k in counts and isinstance(v, int) else halved(v) for k, v in tree.items()}
    return [halved(item) for item in tree] if isinstance(tree, list) else tree


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def hold_year(root: Path, sundays: list[dt.date], killed: dict[dt.date, float]) -> None:
    """Hold the reviews of some Sundays and check what they told.

    Args:
        root: an empty folder.
        sundays: slots, oldest first.
        killed: slots whose first attempt is killed after so many seconds.
    """
    year = Year(root)
    told: dict[tuple[str, str, str, str], dt.date] = {}
    delay = 0.0
    for place, day in enumerate(sundays):
        year.lay_out(day)
        if day in killed:
            year.kill(day, killed[day])
        found = year.review(day)
        assert found["status"] == "done" and found["slot"] == found["data_until"] == str(day)
        assert (found["since"] or {}).get("slot") == (str(sundays[place - 1]) if place else None)
        run = Path(found["run_dir"])
        for row in read_table(run / "80_review", "alerts"):
            told.setdefault((row["series"], row["owner_code"], row["direction"], row["raised"]), day)
        for change in found["changes"]:
            if change["kind"] == "alert" and change["event"] == "opened":
                assert place, "the first review opens nothing"
        metrics = {metric["id"]: metric["value"] for metric in load(run / "80_review" / "results.json")["metrics"]}
        delay = max(delay, metrics.get("delay", 0.0))
    step = max((b - a for a, b in pairwise(sundays)), default=WEEK)
    quiet, leaving = (dt.date.fromisoformat(year.truth["communities"][key]) for key in ("quieter_from", "exits_from"))
    days, none = dt.timedelta(days=delay), dt.timedelta()
    late = dt.timedelta(
        days=year.truth["faults"]["late"]["group_daily"]["days"]
    )  # files of groups come so late in August
    faults = [("orders", "falls", ORDERS_HALVED, days, none), ("visitors", "falls", VISITORS_HALVED, days, none),
              ("interaction", "falls", quiet, 8 * WEEK, late), ("exits", "rises", leaving, 8 * WEEK, late)]  # fmt: skip
    for series, direction, fault, within, waits in faults:
        named = [key for key in told if key[0] == series and key[2] == direction and key[3] >= fault.isoformat()]
        found = min(named, key=lambda key: key[3])
        raised = dt.date.fromisoformat(found[3])
        assert raised <= fault + within, (series, raised)
        seen = told.pop(found)
        assert raised <= seen <= raised + step + waits, (series, raised, seen)
    # intake shrinks by itself, fewer orders are fewer acts, and days that lack are told as such; daily series and
    # communities may cry once a year each, so that four in three quarters of one are beyond chance (2 %)
    false = [key for key in told if key[0] not in ("new_users", "acting_users", "missing_rows")]
    assert len(false) < 4, false
    with Ledger(year.plan_dir) as ledger:
        statuses = [row.status for row in ledger.runs()]
    assert statuses.count("done") == len(sundays) and set(statuses) <= {"done", "killed"}
    assert len(list(year.plan_dir.glob("2*"))) == min(8, len(sundays)) and not list(year.plan_dir.glob(".run-*"))


@pytest.mark.full
@pytest.mark.timeout(7200)
def test_a_year_of_weekly_reviews(tmp_path):
    hold_year(tmp_path, SUNDAYS, KILLED)


if __name__ == "__main__":  # every n-th week, in a folder: python -m tests.test_year_of_reviews 6 DIR
    every = int(sys.argv[1])
    shutil.rmtree(sys.argv[2], ignore_errors=True)
    os.makedirs(sys.argv[2])
    some = SUNDAYS[::every]
    hold_year(Path(sys.argv[2]), some, {some[-1]: 6.0})
