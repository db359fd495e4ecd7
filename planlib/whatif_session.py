"""A plan under an analyst's hands: the setting of its levers, what follows, undo, settings side by side, saving.

Two answers to every setting. A coarse one at once: `FEW` paths, the plan changed in memory, dates of gates drawn again
only when one of them waits. The full one at rest, in steps: the plan read again with the changes, `outlooking.PATHS`
paths, so that its figures are those of notebook 70 on the saved plan, and every contradiction in words.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from planlib import outlook_questions as questions
from planlib import outlooking, scheduling
from planlib.budget.curves import Curves
from planlib.budget.pairs import middle_split
from planlib.core.errors import InputError, Problem
from planlib.core.streams import stream
from planlib.funnel.chances import with_chances
from planlib.outlooking import TO_DATE, World
from planlib.plan import inputs, uncertain
from planlib.plan.budget_inputs import budget_inputs
from planlib.plan.load import Change, Plan, load_plan
from planlib.plan.scenario import fingerprint, write_scenario
from planlib.report.charts import live
from planlib.report.outlook_story import goal_name
from planlib.whatif_levers import changes_of, levers_of, pinned, put

FEW, PART, MOST_KEPT = 300, 2_000, 3
USERS = "private_domain_users"
_LEVELS = (0.1, 0.25, 0.5, 0.75, 0.9)
_CURVE = np.linspace(0.0, 1.6, 33)  # money over what the plan's intake needs
_TOLERANCE = 1e-9
Setting = Mapping[str, float]


@dataclass(frozen=True, eq=False)
class Paths:
    """A plan, D paths and what came of them.

    Attributes:
        world: the draws.
        metrics: {metric: (1|D, T)}.
        spend_cny: (1|D, T).
        goals: rows of `planlib.outlooking.goals`.
        chances: {goal: share of the paths that hold it}.
    """

    world: World
    metrics: Mapping[str, np.ndarray]
    spend_cny: np.ndarray
    goals: tuple[Mapping[str, Any], ...]
    chances: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Conflict:
    """A contradiction in both languages, and whether the setting brings it."""

    id: str
    sentence: Mapping[str, str]
    new: bool


@dataclass(frozen=True, eq=False)
class Answer:
    """What follows from a setting.

    Attributes:
        setting: {lever: position} of those that were moved.
        coarse: from few paths.
        users, gmv, spend: (10 %, 50 %, 90 %) at the end of the plan, of all its months, and the mean spend on channels
            of all its months in CNY.
        chances: {target: (in the plan, in the setting)}.
        views: what is drawn.
        conflicts: None in a coarse answer.
        settled: ids of contradictions that the plan has and the setting does not.
    """

    setting: Setting
    coarse: bool
    users: tuple[float, float, float]
    gmv: tuple[float, float, float]
    spend: float
    chances: Mapping[str, tuple[float, float]]
    views: live.Views
    conflicts: tuple[Conflict, ...] | None = None
    settled: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class Kept:
    """A setting to compare with others, and its full answer."""

    name: str
    answer: Answer


class Session:
    """A plan and the positions of its levers; no clock, no widgets.

    Args:
        plan: as loaded from its file.
        seed: in place of the plan's.
        few, full: paths of coarse and full answers.
    """

    def __init__(self, plan: Plan, *, seed: int | None = None, few: int = FEW, full: int = outlooking.PATHS):
        self.plan = plan
        self.setting: dict[str, float] = {}
        self.kept: list[Kept] = []
        self._undo: list[dict[str, float]] = []
        self._moving: str | None = None
        self._files = fingerprint(plan.file)
        self._dates: dict[tuple, Mapping[str, np.ndarray]] = {}
        self._tasks: dict[tuple, Any] = {}
        self._base = {paths: self._asked(outlooking.world(plan, paths=paths, seed=seed)) for paths in {few, full}}
        self.few, self.full = self._base[few], self._base[full]
        self._conflicts = _conflicts(plan)
        self.levers = levers_of(plan, {goal["id"] for goal in self.full.goals})
        self.names = {goal["id"]: goal_name(goal) for goal in self.full.goals}
        self._bars((), plan)
        self.first = self._answer(self.full, self.full, plan, {}, self._conflicts)

    # ---- the setting

    def set(self, lever: str, position: float) -> None:
        """Move a lever; moves of one lever in a row, until `settle`, are one step of `undo`.

        Raises:
            InputError: the position lies outside the lever's limits; nothing is moved then.
        """
        it = self.levers[lever]
        slack = _TOLERANCE * max(abs(it.low), abs(it.high))
        if not it.low - slack <= position <= it.high + slack:
            values = {"low": f"{it.low:.12g}", "high": f"{it.high:.12g}"}
            raise InputError(Problem("out_of_range", field=lever, given=position, values=values))
        position = min(max(float(f"{position:.10g}"), it.low), it.high)
        before = dict(self.setting)
        if abs(position - it.value) <= _TOLERANCE * max(abs(it.value), 1.0):
            self.setting.pop(lever, None)
        else:
            self.setting[lever] = position
        if self.setting != before and self._moving != lever:
            self._undo.append(before)
            self._moving = lever

    def settle(self) -> None:
        """End a movement: the next move is another step of `undo`."""
        self._moving = None

    def undo(self) -> bool:
        """Take back the last movement; False when there is none."""
        self.settle()
        if not self._undo:
            return False
        self.setting = self._undo.pop()
        return True

    def reset(self) -> None:
        """Put every lever where the plan has it; can be undone."""
        self.settle()
        if self.setting:
            self._undo.append(self.setting)
            self.setting = {}

    def forget(self) -> None:
        """Begin anew: no movement to undo, every lever where the plan has it."""
        self.settle()
        self.setting, self._undo = {}, []

    def position(self, lever: str) -> float:
        """Return where a lever stands."""
        return self.setting.get(lever, self.levers[lever].value)

    # ---- what follows

    def changes(self, reason: str) -> list[Change]:
        """Return what the setting changes in the plan."""
        return changes_of(self.plan, self.setting, self.levers, reason)

    def quick(self) -> Answer:
        """Return the coarse answer to the setting.

        Raises:
            InputError: the plan cannot have such figures.
        """
        setting = dict(self.setting)
        model = self.plan.model
        for change in self.changes("whatif"):
            model = put(model, change.path, change.value, change.why)
        plan = replace(self.plan, model=model)
        world = self._world(self.few.world, plan, setting)
        joint = world.run()
        metrics = world.metrics(joint)
        levels = {goal["id"]: goal for goal in inputs.goals(plan)}
        goals = tuple(
            {**goal, **{name: levels[goal["id"]][name] for name in ("goal", "goal_high")}}
            if goal["id"] in levels else goal
            for goal in self.few.goals
        )  # fmt: skip
        chances = {goal["id"]: questions.hit_share(goal, questions.at_due(metrics, goal)) for goal in goals}
        paths = Paths(world, metrics, joint.spend_cny, goals, chances)
        return self._answer(self.few, paths, plan, setting, None)

    def at_rest(self) -> Answer:
        """Return the full answer to the setting, in one go; see `steps`."""
        *_, answer = self.steps()
        return answer

    def steps(self) -> Iterator[Answer | None]:
        """Yield None after each piece of work on the full answer, and the answer last.

        Raises:
            InputError: the plan's files have changed since they were read, or the plan cannot have such figures.
        """
        setting, changes = dict(self.setting), self.changes("whatif")
        if fingerprint(self.plan.file) != self._files:
            raise InputError(Problem("plan_moved", file=self.plan.file))
        plan = self.plan
        if changes:
            loaded = load_plan(plan.file, scenario=plan.scenario, sets=plan.sets, changes=(*plan.changes, *changes))
            plan = replace(loaded, file=plan.file)
        yield None
        world = self._world(self.full.world, plan, setting)
        yield None
        parts = []
        for first in range(0, world.paths, PART):
            piece = _part(world, first, first + PART)
            joint = piece.run()
            parts.append((piece.metrics(joint), joint.spend_cny))
            yield None
        metrics = {name: _joined([part[0][name] for part in parts]) for name in parts[0][0]}
        paths = self._asked(world, metrics, _joined([part[1] for part in parts]), own=self.full.goals)
        yield None
        conflicts = _conflicts(plan) if setting else self._conflicts
        yield None
        self._bars(_waits(setting), plan)
        yield self._answer(self.full, paths, plan, setting, conflicts)

    def _asked(
        self, world: World, metrics: Any = None, spend: Any = None, own: tuple[Mapping[str, Any], ...] = ()
    ) -> Paths:
        """Return the goals of a world and their chances; `own`: asked of the plan in hand, not of the setting."""
        if metrics is None:
            joint = world.run()
            metrics, spend = world.metrics(joint), joint.spend_cny
        goals = outlooking.goals(world, outlooking.on_plan(world))
        kept = {goal["id"]: goal for goal in own if goal["id"] in outlooking.OWN}
        goals = [kept.get(goal["id"], goal) for goal in goals]
        rows, _ = with_chances(goals, metrics)
        return Paths(world, metrics, spend, tuple(goals), {row["id"]: row["probability"] for row in rows})

    def _world(self, base: World, plan: Plan, setting: Setting) -> World:
        """Return the draws of a changed plan; the same as `outlooking.world` draws, what no lever moves taken over."""

        def own(name: str) -> np.random.Generator:
            return stream(base.seed, name)

        key = (base.paths, *_waits(setting))
        if _waits(setting) and key not in self._dates:
            self._dates[key] = outlooking.gate_dates(plan, base.paths, base.seed)
        return replace(
            base, plan=plan, sample=uncertain.draws(plan, base.paths, own),
            costs=outlooking.costs(plan, base.paths, own), dates=self._dates.get(key, base.dates),
            delays=outlooking.delays(plan)[0],
        )  # fmt: skip

    def _answer(
        self, before: Paths, after: Paths, plan: Plan, setting: Setting, conflicts: tuple[Conflict, ...] | None
    ) -> Answer:
        coarse = conflicts is None
        levels = {name: np.quantile(after.metrics[name], _LEVELS, axis=0) for name in (USERS, TO_DATE)}
        users, gmv = (tuple(float(levels[name][k, -1]) for k in (0, 2, 4)) for name in (USERS, TO_DATE))
        chances = {}
        for name, full in self.full.chances.items():
            now = after.chances.get(name)
            if now is not None and coarse:  # the plan's full figure, moved as the few paths move it
                now = full + now - before.chances[name]
                now = min(max(now, 0.5 / self.full.world.paths), 1.0 - 0.5 / self.full.world.paths)
            chances[name] = (full, full if now is None else now)
        had = {conflict.id for conflict in self._conflicts}
        told = None if coarse else tuple(replace(one, new=one.id not in had) for one in conflicts)
        left = set() if coarse else {one.id for one in conflicts}
        return Answer(
            setting=setting, coarse=coarse, users=users, gmv=gmv, spend=_total(after), chances=chances,
            views=self._views(after, plan, levels, chances, setting), conflicts=told,
            settled=() if coarse else tuple(sorted(had - left)),
        )  # fmt: skip

    def _views(
        self, after: Paths, plan: Plan, levels: Mapping[str, np.ndarray], chances: Mapping[str, tuple], setting: Setting
    ) -> live.Views:
        goals = tuple(
            (goal["judged_month"], goal["goal"])
            for goal in after.goals
            if goal["metric"] == USERS and goal["id"] not in outlooking.OWN
        )
        fans = []
        for name, unit, metric in ((USERS, "users", USERS), (TO_DATE, "CNY", "gmv")):
            middle = np.broadcast_to(np.median(self.full.metrics[name], axis=0), (plan.months,))
            shown = goals if name == USERS else ()
            fans.append(live.Fan(_metric_name(metric, name), unit, middle, levels[name], shown))
        targets = [live.Target(self.names[name], *pair) for name, pair in chances.items()]
        return live.Views(
            plan.start,
            plan.months,
            tuple(fans),
            self._money(after, plan),
            self._calendar(after, plan, setting),
            targets,
        )

    def _money(self, after: Paths, plan: Plan) -> live.Money:
        given, was = budget_inputs(plan), budget_inputs(self.plan)
        names, shares, before, fits = (), np.zeros(0), np.zeros(0), True
        if len(given.ids) > 1:
            (shares, fits), (before, _) = middle_split(pinned(plan)), middle_split(pinned(self.plan))
            names = given.names
        curve, mark = _response(after)
        _, stood = _response(self.full)
        return live.Money(
            names, before, shares, (was.year_cny, given.year_cny), curve[0], curve[1],
            (stood, mark) if mark and stood else (), fits,
        )  # fmt: skip

    def _calendar(self, after: Paths, plan: Plan, setting: Setting) -> live.Calendar | None:
        dates, base = after.world.dates, self.full.world.dates
        if not dates:
            return None
        gates = [
            live.Gate(
                _gate_name(gate), float(gate.due_month), float(np.median(base[gate.id])),
                tuple(float(x) for x in np.quantile(dates[gate.id], (0.1, 0.5, 0.9))),
            )
            for gate in plan.schedule.gates
        ]  # fmt: skip
        return live.Calendar(gates, self._tasks.get(_waits(setting), self._tasks[()]))

    def _bars(self, waits: tuple, plan: Plan) -> None:
        """Lay out the tasks of a setting by department, on their likely days."""
        if waits in self._tasks or not plan.schedule.gates:
            return
        found = scheduling.scheduled(plan)
        first = found.network.first_day
        lanes: dict[str, list[tuple[float, float, bool]]] = {name: [] for name in found.inputs.departments}
        dates = found.dates()
        items = [item for item in found.items if item.kind == "task"]
        ends = [[(day - first).days for day in (dates[i.id].start, dates[i.id].finish)] for i in items]
        through = np.array(ends, dtype=float).reshape(-1, 2) + np.array([0.0, 1.0])  # to the end of the last day
        months = outlooking.in_months(plan.start, through)
        for item, (start, end) in zip(items, months.tolist(), strict=True):
            lanes[item.department].append((start, end, dates[item.id].critical))
        bars = [(found.inputs.departments[name], sorted(rows)) for name, rows in lanes.items() if rows]
        self._tasks[waits] = bars

    # ---- settings side by side, saving

    def keep(self, name: str, answer: Answer) -> None:
        """Keep a full answer to compare; of more than `MOST_KEPT` the oldest goes."""
        others = [kept for kept in self.kept if kept.name != name]
        self.kept = [*others[-(MOST_KEPT - 1) :], Kept(name, answer)]

    def save(self, name: str, reason: str) -> Path:
        """Write the setting as a plan that extends this one; see `planlib.plan.scenario.write_scenario`.

        Raises:
            InputError: nothing is written then.
        """
        return write_scenario(self.plan, self.changes(" ".join(reason.split()) or "whatif"), name=name, reason=reason)


def _waits(setting: Setting) -> tuple:
    return tuple(sorted((name, days) for name, days in setting.items() if name.startswith("wait.")))


def _part(world: World, first: int, last: int) -> World:
    """Return some of the paths."""

    def cut(value: Any) -> Any:
        return value[first:last] if np.ndim(value) == 1 else value

    parts = {
        name: {key: cut(value) for key, value in getattr(world, name).items()}
        for name in ("sample", "strikes", "costs", "dates")
    }
    lifts = tuple(replace(lift, effect=cut(lift.effect)) for lift in world.lifts)
    return replace(world, paths=min(last, world.paths) - first, lifts=lifts, **parts)


def _joined(parts: list[np.ndarray]) -> np.ndarray:
    """Return the rows of all parts; one where they are all the same row for every path."""
    return parts[0] if all(len(part) == 1 for part in parts) else np.concatenate(parts)


def _total(paths: Paths) -> float:
    return float(paths.spend_cny.sum(axis=1).mean())


def _response(paths: Paths) -> tuple[tuple[np.ndarray, np.ndarray], tuple[float, float] | None]:
    """Return CNY and new users a month on channels that cost money, and where the last year of the plan stands."""
    world = paths.world
    levels, rows = inputs.intake_levels(world.plan), world.buying.channels
    if not rows:
        return (np.zeros(0), np.zeros(0)), None
    need, users = 0.0, np.zeros(len(_CURVE))
    brings = []
    for one in rows:
        level = float(levels[one.channel])
        need += level * float(np.mean(one.cost_cny))
        brings.append((one, level))
        users += level * _share(one, _CURVE)
    spent = float(paths.spend_cny[:, -12:].mean())
    at = spent / need if need else 0.0
    now = sum(level * float(_share(one, np.array([at]))[0]) for one, level in brings)
    return (need * _CURVE, users), (spent, now)


def _share(one: Any, factor: np.ndarray) -> np.ndarray:
    """Return intake over the plan's at a factor on the planned spend."""
    if one.curve is None:
        return factor
    curve = Curves.of([one.curve])
    full = curve.value(np.array([one.planned_cny]))[0]
    return curve.value(factor[:, None] * one.planned_cny)[:, 0] / full


def _gate_name(gate: Any) -> dict[str, str]:
    return gate.name.model_dump() if gate.name else {"zh": gate.id.upper(), "en": gate.id.upper()}


def _metric_name(metric: str, name: str) -> dict[str, str]:
    from planlib.core.words import LOCALES, words

    if name == TO_DATE:
        return {locale: words(locale).text("whatif.view.gmv") for locale in LOCALES}
    return {locale: words(locale).metric(metric) for locale in LOCALES}


def _conflicts(plan: Plan) -> tuple[Conflict, ...]:
    from planlib.consistency.panel import panel_rows

    rows = [row for row in panel_rows(plan) if row["status"] == "open"]
    return tuple(Conflict(row["id"], {"zh": row["sentence_zh"], "en": row["sentence_en"]}, new=False) for row in rows)
