"""The main job: a plan in, notebooks run, decks made, the targets told."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

from planlib.core.words import Words, aligned
from planlib.plan import Plan, load_plan
from planlib.workbook.context import project_root
from planlib.workbook.ledger import latest_run
from planlib.workbook.outcome import RunOutcome
from planlib.workbook.progress import drawn
from planlib.workbook.runner import run

TARGETS = "20_funnel_targets"
OUTLOOK = "70_outlook"
WAIT_SECONDS = 600.0


class Hearing(Protocol):
    """Who is told of runs."""

    def before(self, *plans: Plan) -> None:
        """Look whether they can be told; nothing that is wrong stops a run."""

    def after(self, plan: Plan, ending: RunOutcome | Exception, decks: Sequence[Path]) -> None:
        """Tell how a run ended."""


def run_plan(
    path: str,
    w: Words,
    *,
    scenario: str | None,
    sets: tuple[str, ...],
    as_of: str | None,
    seed: int | None,
    only: tuple[str, ...],
    jobs: int | None,
    fresh: bool,
    out_root: Path,
    write: Callable[[str], None],
    memory_gb: float | None = None,
    hearing: Hearing | None = None,
    load: Callable[..., Plan] = load_plan,
) -> int:
    """Run a plan's notebooks, make its decks, print its targets; return the exit status.

    Args:
        memory_gb: what notebooks may hold together; else most of what is free.
        hearing: who is told of the run.
        load: opens what `path` names: `load_plan`, or one that opens workbooks too.
    """
    plan = load(path, scenario=scenario, sets=sets, as_of=as_of, seed=seed)
    if plan.report.pages:
        from planlib.report.page_words import refuse_typed

        refuse_typed(plan, latest_run(out_root / plan.id))
    if hearing:
        hearing.before(plan)
    root = project_root()
    with drawn(w) as progress:
        outcome = run(
            plan,
            project_root=root,
            out_root=out_root,
            only=only,
            jobs=jobs,
            memory_bytes=memory_gb and memory_gb * 1e9,
            fresh=fresh,
            locale=w.locale,
            wait_seconds=WAIT_SECONDS,
            progress=progress,
        )
    if not outcome.ok:
        if hearing:
            hearing.after(plan, outcome, ())
        return 1
    for line in target_lines(outcome.run_dir, w):
        write(line)
    write(w.text("cli.run_files", folder=_shown(outcome.run_dir)))
    decks = decks_of(plan, outcome.run_dir, made=outcome.reused)
    for deck in decks:
        write(w.text("cli.deck", path=_shown(deck)))
    write(w.text("cli.document_how", run=plan.id))
    if hearing:
        hearing.after(plan, outcome, decks)
    return 0


def decks_of(plan: Plan, run_dir: Path, *, made: bool) -> list[Path]:
    """Return the run's decks, made now unless an unchanged run has them all."""
    locales = plan.report.locales
    there = [run_dir / "decks" / f"{plan.id}.{locale}.pdf" for locale in locales]
    if made and all(path.is_file() for path in there):
        return there
    from planlib.report.deck import make_decks

    return make_decks(run_dir, locales=locales)


def target_lines(run_dir: Path, w: Words) -> list[str]:
    """Return the target table of the run, one aligned line a target that can be forecast."""
    folder = run_dir / TARGETS
    if not (folder / "results.json").is_file():
        return []
    from planlib.core.results import load, read_table
    from planlib.report.joint_chances import joint_chances, with_joint

    outlook = run_dir / OUTLOOK / "results.json"
    chances = joint_chances({OUTLOOK: load(outlook)}) if outlook.is_file() else {}
    found = with_joint(read_table(folder, "targets"), chances)
    rows = [_target_row(row, w) for row in found if row["status"] != "not_measured"]
    heads = tuple(w.text(f"cli.target_{name}") for name in ("metric", "goal", "due", "forecast", "chance", "status"))
    rest = [w.text("cli.targets_rest", n=len(found) - len(rows))] if len(rows) < len(found) else []
    return (aligned([heads, *rows]) if rows else []) + rest


def _target_row(row: dict[str, object], w: Words) -> tuple[str, ...]:
    low, high, unit = row["goal"], row.get("goal_high"), str(row["unit"])
    goal = w.number(low, unit) if high is None else f"{w.number(low, unit)}–{w.number(high, unit)}"
    return (
        w.metric(str(row["metric"])),
        w.text(f"cli.op_{row['op']}") + goal,
        "—" if row["due_month"] is None else w.number(row["due_month"], "month"),
        w.number(row["forecast"], unit),
        w.number(row["probability"], "probability"),
        w.text(f"status.{row['status']}"),
    )


def _shown(path: Path) -> str:
    here = Path.cwd()
    return (path.relative_to(here) if path.is_relative_to(here) else path).as_posix()
