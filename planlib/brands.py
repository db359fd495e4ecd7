"""Several brands in one command: their plans found, kept apart, run in one pool, told in a table and on one page."""

from __future__ import annotations

import datetime as dt
import glob
import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import combinations
from pathlib import Path
from typing import Any

from planlib.core.errors import InputError, Problem
from planlib.core.words import Words, aligned
from planlib.data import store
from planlib.notifying import Notifier
from planlib.plan import Plan, load_plan
from planlib.plan.model import Benchmarks
from planlib.portfolio import Brand, by_attention, facts_of, write_portfolio
from planlib.rhythm import Nothing
from planlib.workbook.context import project_root
from planlib.workbook.failures import LockHeld
from planlib.workbook.job import WAIT_SECONDS, decks_of
from planlib.workbook.ledger import latest_run
from planlib.workbook.outcome import Event, RunEnded, RunOutcome, RunStarted, StepEnded, Waiting
from planlib.workbook.progress import lines as said_of
from planlib.workbook.source import check_plan_id

_PATTERN = frozenset("*?[")
_SHOWN_TARGETS = 2

Write = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What is wanted of the runs; the fields are options of `planlib run`."""

    scenario: str | None = None
    sets: tuple[str, ...] = ()
    as_of: str | None = None
    seed: int | None = None
    only: tuple[str, ...] = ()
    jobs: int | None = None
    memory_gb: float | None = None
    fresh: bool = False
    notify: bool = False
    cadence: str | None = None
    keep: int | None = None
    out_root: Path = Path("outputs")


@dataclass(frozen=True, slots=True)
class Told:
    """How it ended.

    Attributes:
        exit_code: 0 when every plan has a good run or nothing to do, 1 when one has none.
        brands: of reviews, their summaries by path.
        portfolio: the page's decks.
    """

    exit_code: int
    brands: dict[str, Mapping[str, Any]]
    portfolio: list[Path]


@dataclass
class _Found:
    """A plan file of the command, and what became of it."""

    path: str
    plan: Plan | None = None
    problems: list[Problem] = field(default_factory=list)
    ending: RunOutcome | Exception | None = None
    summary: Mapping[str, Any] | None = None


def expand(typed: Iterable[str]) -> list[str]:
    """Return the files that arguments name, each once; patterns are expanded, for shells that do not.

    Raises:
        InputError: patterns that match nothing.
    """
    found: list[str] = []
    problems = []
    for name in typed:
        if not _PATTERN & set(name) or Path(name).exists():
            found.append(name)
            continue
        matches = sorted(Path(match).as_posix() for match in glob.glob(name, recursive=True) if Path(match).is_file())
        found += matches
        if not matches:
            problems.append(Problem("no_match", given=name))
    if problems:
        raise InputError(*problems)
    return found


def plans_among(files: Sequence[str], w: Words, write: Write) -> list[str]:
    """Return the files to run: each once, and of several without those that are no plans; what is left out is told."""
    seen: set[Path] = set()
    chosen = []
    for name in files:
        resolved = Path(name).resolve()
        if resolved in seen:
            write(w.text("brands.say.twice", file=name))
        elif len(files) > 1 and _belongs_to_another(Path(name)):
            write(w.text("brands.say.skipped", file=name))
        else:
            chosen.append(name)
        seen.add(resolved)
    return chosen


def run_brands(
    paths: Sequence[str], w: Words, asked: Asked, *, write: Write, complain: Write,
    load: Callable[..., Plan] = load_plan,
) -> Told:  # fmt: skip
    """Run several plans in one pool, or hold their reviews.

    Args:
        paths: plan files, each once.
        write: takes what is told, line by line.
        complain: takes what is wrong with plans.
        load: opens what a path names: `load_plan`, or one that opens workbooks too.

    Raises:
        InputError: no plan can be run, or an option is wrong.
    """
    found = [_Found(path) for path in paths]
    for one in found:
        _load(one, asked, load)
    for one, problem in _mixed(found):
        one.problems.append(problem)
    wrong = [problem for one in found for problem in one.problems]
    if all(one.problems for one in found):
        raise InputError(*wrong)
    if wrong:
        complain(InputError(*wrong).render(w.locale))
    fit = [one for one in found if not one.problems]
    notifier = Notifier(w, write=write, complain=complain, asked=asked.notify)
    notifier.before(*(one.plan for one in fit))
    screen = _Screen(w, write, len(fit))
    hold = _hold_reviews if asked.cadence else _run
    hold(fit, w, asked, screen, load)
    return _conclude(found, notifier, w, asked.out_root.absolute(), write=write, complain=complain)


def _conclude(
    found: Sequence[_Found], notifier: Notifier, w: Words, out_root: Path, *, write: Write, complain: Write
) -> Told:
    """Tell what became of every plan: table, reasons, portfolio page, groups."""
    decks = {one.path: _decks(one) for one in found if _well(one)}
    brands = by_attention([_brand(one, decks.get(one.path, ()), out_root) for one in found])
    write("")
    for line in table(brands, w):
        write(line)
    failed = [one for one in found if not _well(one)]
    for one in failed:
        if isinstance(one.ending, Exception):
            complain(f"{one.plan.id}: {_reason(one.ending, w)}")
    write("")
    _, portfolio = write_portfolio(brands, out_root, now=dt.datetime.now(dt.UTC))
    for deck in portfolio:
        write(w.text("brands.say.portfolio", path=_shown(deck)))
    for one in found:
        if one.plan is not None and not one.problems and not isinstance(one.ending, Nothing):
            notifier.after(one.plan, one.ending, decks.get(one.path, ()))
    key = "brands.say.summary_failed" if failed else "brands.say.summary_ok"
    write(w.text(key, **({"failed": len(failed)} if failed else {}), brands=len(found)))
    return Told(1 if failed else 0, {one.path: one.summary for one in found if one.summary}, portfolio)


def as_summary(told: Told) -> str:
    """Return what became of several reviews as other programs read it."""
    found = {"schema": 1, "exit_code": told.exit_code, "brands": told.brands}
    return json.dumps(found | {"portfolio": [path.as_posix() for path in told.portfolio]}, ensure_ascii=False, indent=1)


def _run(fit: Sequence[_Found], w: Words, asked: Asked, screen: _Screen, load: Callable[..., Plan]) -> None:
    from planlib.workbook.many import run_many

    endings = run_many(
        [_order(one.plan, asked) for one in fit],
        project_root=project_root(),
        out_root=asked.out_root,
        jobs=asked.jobs,
        memory_bytes=asked.memory_gb and asked.memory_gb * 1e9,
        locale=w.locale,
        wait_seconds=WAIT_SECONDS,
        progress=screen.draw,
        settled=screen.settled,
    )
    for one in fit:
        one.ending = endings[one.plan.id]


def _hold_reviews(fit: Sequence[_Found], w: Words, asked: Asked, screen: _Screen, load: Callable[..., Plan]) -> None:
    from planlib import rhythm

    wanted = {
        one.plan.id: (
            rhythm.Asked(
                path=one.path, cadence=str(asked.cadence), as_of=asked.as_of, keep=asked.keep, scenario=asked.scenario,
                sets=asked.sets, seed=asked.seed, jobs=asked.jobs, fresh=asked.fresh, out_root=asked.out_root,
            ),
            one.plan,
        )
        for one in fit
    }  # fmt: skip
    memory = asked.memory_gb and asked.memory_gb * 1e9
    told = rhythm.reviews(
        wanted, w, screen.write, load=load, memory_bytes=memory, progress=screen.draw, settled=screen.settled
    )
    for one in fit:
        reviewed = told[one.plan.id]
        one.plan, one.ending, one.summary = reviewed.plan, reviewed.ending, reviewed.summary


def table(brands: Sequence[Brand], w: Words) -> list[str]:
    """Return the terminal's table, a row a brand in the given order."""
    heads = tuple(w.text(f"brands.head.{name}") for name in ("brand", "state", "targets", "alerts", "decks"))
    rows = []
    for brand in brands:
        facts = brand.facts
        goals = [goal for goal in (facts.goals if facts else ()) if goal.probability is not None][:_SHOWN_TARGETS]
        told = [f"{w.pick(goal.name)} {w.number(goal.probability, 'probability')}" for goal in goals]
        alerts = w.number(len(facts.alerts), "count") if facts and facts.alerts is not None else "—"
        place = f"{_shown(brand.decks[0].parent)}/" if brand.decks else "—"
        state = w.text(f"brands.state.{brand.state}")
        rows.append((brand.plan_id, state, w.text("consistency.semicolon").join(told) or "—", alerts, place))
    return aligned([heads, *rows])


def _decks(one: _Found) -> list[Path]:
    """Return the decks of a plan's run; those of an earlier run that lacks them are made, and may fail it."""
    if one.summary is not None:
        return [Path(deck) for deck in one.summary["decks"]]
    try:
        return decks_of(one.plan, one.ending.run_dir, made=True)
    except InputError as error:
        one.ending = error
        return []


def _order(plan: Plan, asked: Asked):
    from planlib.workbook.many import Order

    def complete(folder: Path) -> None:
        from planlib.report.deck import make_decks

        make_decks(folder, locales=plan.report.locales)

    return Order(plan=plan, only=asked.only, fresh=asked.fresh, complete=complete)


def _load(one: _Found, asked: Asked, load: Callable[..., Plan]) -> None:
    as_of = None if asked.cadence else asked.as_of  # a review finds its own
    try:
        one.plan = load(one.path, scenario=asked.scenario, sets=asked.sets, as_of=as_of, seed=asked.seed)
    except InputError as error:
        one.problems += error.problems
    else:
        one.problems += (replace(problem, file=one.path) for problem in check_plan_id(one.plan.id))


def _belongs_to_another(path: Path) -> bool:
    """Return whether a file is no plan by itself: figures adopted into one, or benchmarks."""
    if path.name.endswith(".adopted.yaml"):
        return path.with_name(path.name.replace(".adopted.yaml", ".yaml")).is_file()
    if path.suffix not in (".yaml", ".yml"):
        return False
    keys = _top(path)
    return bool(keys) and keys <= set(Benchmarks.model_fields)


def _top(path: Path) -> set[str]:
    """Return the keys of a YAML file; nothing where it cannot be read, which loading will tell."""
    from planlib.plan.tree import read

    try:
        found = read(path, path.as_posix()).value
    except InputError:
        return set()
    return set(found) if isinstance(found, dict) else set()


# what keeps brands apart


def _mixed(found: Sequence[_Found]) -> Iterator[tuple[_Found, Problem]]:
    """Yield what would mix two brands, at both of them: one id, data folder, key of hashes or robot for two."""
    loaded = [one for one in found if one.plan is not None]
    for a, b in combinations(loaded, 2):
        for code, where, given in _shared(a.plan, b.plan, a.path, b.path):
            for one, other in ((a, b), (b, a)):
                yield one, Problem(code, one.path, where, given=given, values={"other": other.path})


def _shared(a: Plan, b: Plan, a_path: str, b_path: str) -> Iterator[tuple[str, str, object]]:
    if a.id == b.id:
        yield "brands_same_id", "plan.id", a.id
        return
    roots = [Path(plan.data_root).resolve() for plan in (a, b)]
    if roots[0] == roots[1] and _one_brand(a, b, a_path, b_path):
        return
    if _overlap(*roots):
        yield "brands_same_data", "data.root", b.data_root
    elif _same_salt(*roots):
        yield "brands_same_salt", "data.root", b.data_root
    hooks = [plan.report.webhook for plan in (a, b)]
    if hooks[0] and hooks[1] and hooks[0].key_env == hooks[1].key_env:
        yield "brands_same_robot", "report.webhook.key_env", hooks[0].key_env


def _one_brand(a: Plan, b: Plan, a_path: str, b_path: str) -> bool:
    """Return whether two plans over one data folder are plans of one brand: one extends the other, or both name it."""
    names = [plan.report.brand.name for plan in (a, b)]
    if names[0] is not None and names[0] == names[1]:
        return True
    chains = [_ancestors(path) for path in (a_path, b_path)]
    return chains[0][0] in chains[1] or chains[1][0] in chains[0]


def _ancestors(path: str) -> list[Path]:
    """Return a plan's file and those that it extends."""
    from planlib.plan.tree import read

    found: list[Path] = []
    here: Path | None = Path(path).resolve()
    while here is not None and here not in found:
        found.append(here)
        parent = None
        if here.suffix in (".yaml", ".yml") and here.is_file():
            parent = read(here, here.as_posix()).plain().get("extends")
        here = (here.parent / parent).resolve() if isinstance(parent, str) else None
    return found


def _overlap(a: Path, b: Path) -> bool:
    """Return whether two data folders hold the same rows: one folder with data, or one within the other's files."""
    if a == b:
        return bool(store.table_files(a)) or any(path.is_file() for path in store.raw_dir(a).rglob("*"))
    inside = [(a, b), (b, a)]
    return any(one.is_relative_to(part(other)) for one, other in inside for part in (store.raw_dir, store.tidy_dir))


def _same_salt(a: Path, b: Path) -> bool:
    """Return whether two folders hash ids with one key, as copies of one another do."""
    keys = []
    for root in (a, b):
        try:
            keys.append(hashlib.sha256((root / store.SALT).read_bytes().strip()).digest())
        except OSError:
            return False
    return a != b and keys[0] == keys[1]


# what is told


class _Screen:
    """What the runs say while they go on: who begins and ends, and what failed."""

    def __init__(self, w: Words, write: Write, brands: int):
        self.w, self.write, self.brands = w, write, brands
        self.ended = 0

    def draw(self, plan_id: str, event: Event) -> None:
        if isinstance(event, RunStarted):
            self.write(self.w.text("brands.say.started", plan=plan_id))
        elif (isinstance(event, StepEnded) and event.outcome.error is not None) or isinstance(event, Waiting):
            for line in said_of(event, self.w):
                self.write(f"{plan_id}: {line}")
        elif isinstance(event, RunEnded):
            self.ended += 1
            told = {"seconds": self.w.number(event.outcome.seconds, "seconds"), "state": _state(event.outcome)}
            told["state"] = self.w.text(f"brands.state.{told['state']}")
            self.write(self.w.text("brands.say.ended", plan=plan_id, ended=self.ended, brands=self.brands, **told))

    def settled(self, jobs: int, peak_bytes: int, total_bytes: float) -> None:
        """Say that memory allows fewer workers than there are cores."""
        told = {"peak": f"{peak_bytes / 1e9:.1f}", "memory": f"{total_bytes / 1e9:.1f}"}
        self.write(self.w.text("brands.say.memory", jobs=jobs, **told))


def _state(ending: RunOutcome | Exception | None) -> str:
    if ending is None:
        return "not_read"
    if isinstance(ending, RunOutcome):
        return "failed" if not ending.ok else "unchanged" if ending.reused else "done"
    if isinstance(ending, Nothing):
        return "not_due"
    return "held" if isinstance(ending, LockHeld) else "failed"


def _well(one: _Found) -> bool:
    return isinstance(one.ending, Nothing) or (isinstance(one.ending, RunOutcome) and one.ending.ok)


def _brand(one: _Found, decks: Sequence[Path], out_root: Path) -> Brand:
    if one.problems:
        name = Path(one.path).name
        return Brand(name, {"zh": name, "en": name}, "not_read", None)
    run_dir = one.ending.run_dir if isinstance(one.ending, RunOutcome) else latest_run(out_root / one.plan.id)
    facts = facts_of(run_dir) if _well(one) and run_dir else None
    return Brand(one.plan.id, one.plan.title, _state(one.ending), facts, tuple(decks))


def _reason(error: Exception, w: Words) -> str:
    from planlib.workbook.many import reason

    return reason(error, w.locale)


def _shown(path: Path) -> str:
    here = Path.cwd()
    return (path.relative_to(here) if path.is_relative_to(here) else path).as_posix()
