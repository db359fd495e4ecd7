"""Questions to a plan's simulated paths: chances, causes, slips, options, money, repairs, and the forecast again.

Each answer is `planlib.outlook`'s, on the paths of one `planlib.outlooking.World`; the outlook notebook, `planlib why`
and `planlib whatif` ask here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from planlib import outlooking, scheduling
from planlib.core.streams import stream
from planlib.funnel.backcast import Answer, answer
from planlib.funnel.chances import Chance, joint, with_chances
from planlib.funnel.chances import Joint as Together
from planlib.funnel.sensitivity import elasticities
from planlib.outlook import information
from planlib.outlook.causes import Change, Split, change, split
from planlib.outlook.forecast import LEAST_ESS, Weights, quantiles, reweigh, tempered
from planlib.outlook.joint import Joint
from planlib.outlook.recovery import Recovery, Scale, Switch, restore
from planlib.outlooking import CAUSES, TO_DATE, World
from planlib.plan import uncertain
from planlib.plan.load import Plan
from planlib.plan.model import Quantity

FEW = 1_000  # paths of the questions that run the plan many times
WANTED = 0.8
MONTH_WORKDAYS = 21  # working days of a month's slip
MOST_MONEY = 3.0  # largest factor on the money for channels
OPTION_MONEY = (0.0, 0.25, 0.5, 0.75, 1.25, 1.5)  # factors on the money for channels that are options
SEEN = ("new_users_monthly", "private_domain_users", "gmv")  # what a re-forecast takes
_LEVERS = 4
_OTHER_UNITS = (100.0, 10_000.0, 0.01, 0.0001)  # fen for CNY, CNY for 万, and the inverse
_REACH = 0.02  # elasticity below which a lever is none


def at_due(metrics: Mapping[str, np.ndarray], goal: Mapping[str, Any]) -> np.ndarray:
    """Return (1|D,) outcome of a goal's metric at its month."""
    return metrics[goal["metric"]][:, goal["judged_month"] - 1]


@dataclass(frozen=True, slots=True)
class Slip:
    """What a slip changes: people who join over the plan, users at its end, GMV of all its months in CNY."""

    joined: Change
    users: Change
    gmv: Change


@dataclass(frozen=True, eq=False)
class Asked:
    """A plan, its paths and what is asked of them first.

    Attributes:
        world: the draws.
        joint: everything together.
        planned: the plan without chance.
    """

    world: World
    joint: Joint
    planned: Joint

    @classmethod
    def of(cls, world: World) -> Asked:
        """Run the paths and the plan."""
        return cls(world, world.run(), outlooking.on_plan(world))

    @cached_property
    def metrics(self) -> dict[str, np.ndarray]:
        """{metric: (1|D, T)}."""
        return self.world.metrics(self.joint)

    @cached_property
    def goals(self) -> list[dict[str, Any]]:
        """Goals that can be answered, see `planlib.outlooking.goals`."""
        return outlooking.goals(self.world, self.planned)

    @cached_property
    def chances(self) -> tuple[list[dict[str, Any]], dict[str, Chance]]:
        """The goals with their chance beside them, and the chances by goal."""
        return with_chances(self.goals, self.metrics)

    @cached_property
    def on_time(self) -> dict[str, float]:
        """{goal: chance with gates on their dates, money in full, no risk and no test}: that of notebook 20."""
        held = ("dates", "budget", "risks", "experiments")
        found = self.world.metrics(self.world.run(at_plan=held))
        return {goal["id"]: hit_share(goal, at_due(found, goal)) for goal in self.goals}

    def together(self) -> dict[int, Together]:
        """Return {month: chance that all targets due by then are met}; 0: all targets, dated or not."""
        _, found = self.chances
        rows = {g["id"]: g["due_month"] for g in self.goals if g["id"] in found and g["id"] not in outlooking.OWN}
        months = sorted({month for month in rows.values() if month})
        groups = {month: [name for name, due in rows.items() if due and due <= month] for month in months}
        groups |= {0: list(rows)} if rows else {}
        return {month: joint(found[name].hits for name in names) for month, names in groups.items()}

    @cached_property
    def few(self) -> Asked:
        """The first paths only."""
        return Asked(self.world.few(FEW), self.world.few(FEW).run(), self.planned)

    def acting(self) -> tuple[str, ...]:
        """Return the causes that can move anything in this plan."""
        world = self.world
        there = {
            "dates": bool(world.delays) and any(bool(x.any()) for x in self.joint.late.values()),
            "budget": bool(world.buying.channels) and bool((self.joint.funded < 1).any()),
            "risks": bool(world.strikes),
            "experiments": bool(world.lifts),
        }
        drawn = set(world.sample)
        there |= {cause: bool(drawn.intersection(world.places(cause))) for cause in CAUSES if cause not in there}
        return tuple(cause for cause in CAUSES if there[cause])

    def causes(self, goals: Sequence[Mapping[str, Any]] | None = None) -> dict[str, Split]:
        """Return what binds each goal, by the first paths; {} when nothing is uncertain.

        Args:
            goals: rows of `goals`; None: all.
        """
        rows = {goal["id"]: goal for goal in (self.goals if goals is None else goals)}
        names = self.acting()
        if not rows or not names:
            return {}
        world = self.few.world
        months = max(goal["judged_month"] for goal in rows.values())

        def outcomes(at_plan: frozenset[str]) -> dict[str, np.ndarray]:
            found = world.metrics(world.run(at_plan=at_plan, months=months))
            return {name: at_due(found, goal) for name, goal in rows.items()}

        return split(outcomes, rows, names)

    @cached_property
    def slips(self) -> dict[str, Slip]:
        """{gate: what a month's slip of it costs}, with all that waits for it.

        Gates whose slip moves nothing that the simulation has are left out.
        """
        world, base = self.few.world, self.few.metrics
        found = {}
        gates = {delay.gate for delay in world.delays}
        for gate in world.plan.schedule.gates if gates else ():
            dates = outlooking.gate_dates(world.plan, world.paths, world.seed, slips={gate.id: float(MONTH_WORKDAYS)})
            if not any(np.any(dates[name] != world.dates[name]) for name in gates):
                continue
            after = world.metrics(replace(world, dates=dates).run())
            found[gate.id] = Slip(
                change(base["new_users_monthly"].sum(axis=1), after["new_users_monthly"].sum(axis=1)),
                change(base["private_domain_users"][:, -1], after["private_domain_users"][:, -1]),
                change(base[TO_DATE][:, -1], after[TO_DATE][:, -1]),
            )
        return found

    def options(self) -> dict[str, np.ndarray]:
        """Return {option: (D,) CNY}: gross margin of all GMV less what channels and the option cost.

        `as_planned`; `haste`: money shortens the tasks before the gates; `mitigation`: every schedule risk's is carried
        out; `money_25` and so on: that per cent of the money for channels, spent in full along their curves.
        """
        world = self.world
        margin = world.plan.baseline.gross_margin
        kept = 1.0 if margin is None else margin.central

        def worth(found: Joint, cost: float = 0.0) -> np.ndarray:
            gmv = found.metrics["gmv"].sum(axis=1)
            value = kept * gmv - found.spend_cny.sum(axis=1) - cost
            return np.broadcast_to(value, (world.paths,)).astype(float)

        found = {"as_planned": worth(self.joint)}
        for name, (dates, cost) in hurried(world).items():
            found[name] = worth(replace(world, dates=dates).run(), cost)
        if world.buying.channels and world.buying.money_cny is not None:
            for factor in OPTION_MONEY:
                run = world.run(budget=factor, most=np.inf if factor > 1 else 1.0)
                found[f"money_{round(100 * factor)}"] = worth(run)
        return found

    def information(self, options: Mapping[str, np.ndarray]) -> dict[str, float]:
        """Return {what is uncertain: value in CNY of knowing it before choosing}, the largest first.

        Keys are places of figures, `risk:ID`, `cost:CHANNEL`, `gate:ID` and `test:ID`.
        """
        world = self.world
        known = {place: x for place, x in world.sample.items()}
        known |= {f"risk:{name}": x for name, x in world.strikes.items()}
        known |= {f"cost:{name}": x for name, x in world.costs.items() if np.ndim(x)}
        known |= {f"gate:{name}": world.dates[name] for name in dict.fromkeys(d.gate for d in world.delays)}
        known |= {f"test:{lift.id}": lift.effect for lift in world.lifts}
        if len(options) < 2:
            return dict.fromkeys(known, 0.0)
        found = {name: information.evppi(options, x) for name, x in known.items()}
        return dict(sorted(found.items(), key=lambda row: -row[1]))

    def tests(self) -> dict[str, Change]:
        """Return {test: gross margin in CNY that it adds}: a change is made only where its result asks for it."""
        world = self.few.world
        margin = world.plan.baseline.gross_margin
        kept = 1.0 if margin is None else margin.central
        base = kept * self.few.joint.metrics["gmv"].sum(axis=1)
        found = {}
        for lift in world.lifts:
            rest = tuple(other for other in world.lifts if other.id != lift.id)
            without = kept * replace(world, lifts=rest).run().metrics["gmv"].sum(axis=1)
            found[lift.id] = change(without, base)
        return dict(sorted(found.items(), key=lambda row: -row[1].mean))

    def frontier(
        self, goals: Sequence[Mapping[str, Any]], factors: Sequence[float]
    ) -> list[tuple[float, float, dict[str, tuple[float, float]]]]:
        """Return for each factor on the money: the factor, CNY spent on channels, {goal: chance and median outcome}.

        All the money is spent, channels in the plan's proportions along their curves up to their limits.
        """
        world, rows = self.few.world, []
        for factor in factors:
            run = world.run(budget=factor, most=np.inf)
            found = world.metrics(run)
            told = {
                goal["id"]: (hit_share(goal, at_due(found, goal)), float(np.median(at_due(found, goal))))
                for goal in goals
            }
            rows.append((float(factor), float(run.spend_cny.sum(axis=1).mean()), told))
        return rows

    def recovery(self, goal: Mapping[str, Any], *, wanted: float = WANTED) -> Repairs | None:
        """Return what brings a goal to a wanted chance; None when no lever of the plan moves it."""
        return Repairing(self.few.world, goal).solve(wanted)


def hit_share(goal: Mapping[str, Any], values: np.ndarray) -> float:
    """Return the share of the paths that hold a goal."""
    from planlib.funnel.targets import holds

    level = goal["goal"] if goal["goal_high"] is None else (goal["goal"], goal["goal_high"])
    return float(np.mean(holds(goal["op"], level, values)))


def hurried(world: World) -> dict[str, tuple[dict[str, np.ndarray], float]]:
    """Return {haste, mitigation: gate dates then, and what it costs}; those that the plan offers and that help."""
    plan, gates = world.plan, dict.fromkeys(delay.gate for delay in world.delays)
    if not gates:
        return {}
    found = {}
    saved, cost = bought_time(plan, tuple(gates))
    if saved:
        found["haste"] = (outlooking.gate_dates(plan, world.paths, world.seed, bought=saved), cost)
    acted = {risk.id: risk.mitigated for risk in plan.schedule.risks if risk.mitigated is not None}
    if acted:
        dates = outlooking.gate_dates(plan, world.paths, world.seed, acted=tuple(acted))
        found["mitigation"] = (dates, sum(struck.cost.central for struck in acted.values()))
    return found


def bought_time(plan: Plan, gates: Sequence[str]) -> tuple[dict[str, float], float]:
    """Return {task: working days taken off} and their cost: the cheapest crash towards the dates of late gates."""
    schedule = scheduling.scheduled(plan)
    early = schedule.dates()
    saved: dict[str, float] = {}
    price: dict[str, float] = {}
    for gate in gates:
        due = schedule.due[gate].last_workday
        if gate not in schedule.linked or early[gate].finish <= due:
            continue
        for task, (days, each) in scheduling.cheapest_crash(plan, schedule, gate, due).saved.items():
            saved[task] = max(saved.get(task, 0.0), days)
            price[task] = each
    return saved, sum(days * price[task] for task, days in saved.items())


@dataclass(frozen=True, eq=False)
class Repairs:
    """What restores a wanted chance of one goal.

    Attributes:
        inside: levers inside what the plan states: money, haste, mitigations, the ends of its ranges.
        beyond: factors on today's values, ranges or not, where `inside` is not enough; else None.
        outcome: (D,) with the set that is enough (`inside`, else `beyond`); with `inside` when neither is.
        people: operators more than now that the users gained need; None where the plan states no load.
        new_conflicts: contradictions of the plan so changed that the plan itself does not have.
    """

    inside: Recovery
    beyond: Answer | None
    outcome: np.ndarray
    people: float | None
    new_conflicts: tuple[str, ...]

    @property
    def chance(self) -> float:
        """With the set that is told."""
        return self.inside.chance if self.beyond is None else float(np.nan)


class Repairing:
    """The levers of a plan towards one goal, on one set of paths."""

    def __init__(self, world: World, goal: Mapping[str, Any]) -> None:
        self.world, self.goal = world, goal
        self.month = goal["judged_month"]
        self.drivers = uncertain.drivers(world.plan)
        self.hurry = hurried(world)
        self._both: dict[tuple[str, ...], World] = {}

    @cached_property
    def helps(self) -> dict[str, int]:
        """{driver: 1 or -1, which way it helps}, as far as that way counts as better."""
        metric, plan = self.goal["metric"], self.world.plan
        if self.goal["op"] not in ("at_least", "above"):
            return {}

        def forecast(at: Mapping[str, Any]) -> Mapping[str, np.ndarray]:
            return self.world.metrics(self.world.run(at, at_plan=CAUSES, months=self.month))

        slopes = elasticities(
            forecast, self.world.centre, self.drivers, metrics={metric: self.month}, limits=uncertain.limits(plan)
        )
        ways = {name: way for name, way in uncertain.IMPROVES.items() if name in slopes}
        strength = {name: way * (slopes[name][metric] or 0.0) for name, way in ways.items()}
        strongest = sorted(strength, key=lambda name: -strength[name])
        return {name: ways[name] for name in strongest if strength[name] > _REACH}

    def ranges(self) -> dict[str, Scale]:
        """Return the drivers that the plan gives a range, to its favourable end."""
        ends, centre = uncertain.ends(self.world.plan), self.world.centre
        found = {}
        for name, way in self.helps.items():
            places = [place for place in self.drivers[name] if place in ends and centre[place] > 0]
            if places:
                now = sum(centre[place] for place in places)
                best = sum(ends[place][1 if way > 0 else 0] for place in places)
                if best > 0 and abs(best / now - 1) > 1e-9:
                    found[name] = Scale(best / now)
        return found

    def outcome(self, settings: Mapping[str, float]) -> np.ndarray:
        """Return (D,) outcome at the goal's month with levers set."""
        joint = self.run(settings)
        return at_due(self.world.metrics(joint), self.goal)

    def run(self, settings: Mapping[str, float]) -> Joint:
        """Run the paths with levers set: switches to 1, `budget` and drivers to a factor."""
        world = self._world(tuple(name for name in self.hurry if settings.get(name)))
        moved = dict(world.base)
        for name, factor in settings.items():
            for place in self.drivers.get(name, ()) if name not in (*self.hurry, "budget") else ():
                moved[place] = np.clip(np.multiply(moved[place], factor), *world.limits[place])
        money = settings.get("budget", 1.0)
        return world.run(moved, budget=money, most=np.inf if money > 1 else 1.0, months=self.month)

    def _world(self, on: tuple[str, ...]) -> World:
        if not on:
            return self.world
        if on not in self._both:
            dates = [self.hurry[name][0] for name in on]
            if len(on) > 1:  # tasks shortened and risks acted upon together
                saved, _ = bought_time(self.world.plan, tuple(dict.fromkeys(d.gate for d in self.world.delays)))
                acted = tuple(risk.id for risk in self.world.plan.schedule.risks if risk.mitigated is not None)
                dates = [
                    outlooking.gate_dates(self.world.plan, self.world.paths, self.world.seed, bought=saved, acted=acted)
                ]
            self._both[on] = replace(self.world, dates=dates[0])
        return self._both[on]

    def solve(self, wanted: float) -> Repairs | None:
        """Return what restores the wanted chance; None without any lever."""
        levers: dict[str, Switch | Scale] = {name: Switch(cost) for name, (_, cost) in self.hurry.items()}
        if self.world.buying.channels and self.world.buying.money_cny is not None:
            levers["budget"] = Scale(MOST_MONEY, self._dearer)
        levers |= self.ranges()
        if not levers or self.goal["op"] not in ("at_least", "above"):
            return None
        inside = restore(lambda at: hit_share(self.goal, self.outcome(at)), levers, wanted=wanted)
        beyond = None if inside.feasible else self._beyond(inside, wanted)
        factors = dict(inside.settings)
        if beyond is not None:
            factors |= beyond.together.factors
        outcome = self.outcome(factors)
        return Repairs(inside, beyond, outcome, self._people(factors), new_conflicts(self.world.plan, self, factors))

    def _dearer(self, factor: float) -> float:
        now, then = (self.run({"budget": f}).spend_cny.sum(axis=1).mean() for f in (1.0, factor))
        return max(float(then - now), 0.0)

    def _beyond(self, inside: Recovery, wanted: float) -> Answer | None:
        """Go on from the priced levers at their best, with factors on the strongest drivers."""
        priced = {name: x for name, x in inside.settings.items() if name in self.hurry or name == "budget"}
        names = list(self.helps)[:_LEVERS]
        if not names or self.goal["goal"] <= 0:
            return None
        world = self._world(tuple(name for name in self.hurry if priced.get(name)))
        money = priced.get("budget", 1.0)

        def outcome(at: Mapping[str, Any]) -> np.ndarray:
            joint = world.run(at, budget=money, most=np.inf if money > 1 else 1.0, months=self.month)
            return at_due(world.metrics(joint), self.goal)

        return answer(
            outcome, self.goal["goal"], inputs=world.base, levers={name: self.drivers[name] for name in names},
            better=uncertain.IMPROVES, limits=world.limits, probability=wanted, rel=1e-3,
        )  # fmt: skip

    def _people(self, settings: Mapping[str, float]) -> float | None:
        load = self.world.plan.team.users_per_operator
        if load is None or load.level is None or isinstance(load.level, tuple) or load.level <= 0:
            return None
        before, after = (self.run(at).metrics["private_domain_users"][:, -1].mean() for at in ({}, settings))
        return max(float(np.ceil((after - before) / load.level - 1e-9)), 0.0)


def new_conflicts(plan: Plan, levers: Repairing, settings: Mapping[str, float]) -> tuple[str, ...]:
    """Return the ids of contradictions that a plan gets when levers are set so and that it does not have now."""
    from planlib.consistency.check import check
    from planlib.consistency.view import View

    factors = {
        place: factor
        for name, factor in settings.items()
        if name not in levers.hurry
        for place in (("budget.total",) if name == "budget" else levers.drivers.get(name, ()))
    }
    before, after = (
        {finding.id for finding in check(View([one])).of("contradiction")} for one in (plan, changed(plan, factors))
    )
    return tuple(sorted(after - before))


def changed(plan: Plan, factors: Mapping[str, float]) -> Plan:
    """Return the plan with some of its figures times a factor, shares held at 1.

    Args:
        factors: {place: factor}: places of `planlib.plan.uncertain`, or `budget.total`.
    """
    model = plan.model
    for place, factor in factors.items():
        section, *path = place.split(".")
        part = getattr(model, section)
        if section == "channels":
            rows = tuple(
                row.model_copy(update={path[1]: _scaled(getattr(row, path[1]), factor, uncertain.limits(plan)[place])})
                if row.id == path[0]
                else row
                for row in part
            )
            model = model.model_copy(update={section: rows})
            continue
        limit = uncertain.limits(plan).get(place, (0.0, np.inf))
        parts = [part, *([getattr(part, path[0])] if len(path) > 1 else [])]
        moved: Any = _scaled(getattr(parts[-1], path[-1]), factor, limit)
        for owner, name in zip(reversed(parts), reversed(path), strict=True):
            moved = owner.model_copy(update={name: moved})
        model = model.model_copy(update={section: moved})
    return replace(plan, model=model)


def _scaled(quantity: Quantity, factor: float, limits: tuple[float, float]) -> Quantity:
    def held(x: float) -> float:
        return float(np.clip(x * factor, *limits))

    moved: dict[str, Any] = {}
    for name in ("value", "low", "mode", "high", "mean", "sd"):
        given = getattr(quantity, name)
        if given is not None:
            moved[name] = tuple(map(held, given)) if isinstance(given, tuple) else held(given)
    return quantity.model_copy(update=moved)


@dataclass(frozen=True, eq=False)
class Again:
    """A forecast after some months are known.

    Attributes:
        months: how many are known.
        method: `weights` or `tempered`.
        ess: effective number of the paths that the weights leave.
        weights: (D,) of the paths of `metrics`, that sum to 1.
        metrics: {metric: (D, T)}.
        surprise: log evidence a figure: how much less likely what happened is than the plan's own middle.
    """

    months: int
    method: str
    ess: float
    weights: np.ndarray
    metrics: Mapping[str, np.ndarray]
    surprise: float


def again(
    asked: Asked, actuals: Mapping[str, Mapping[int, float]], *, error: float = 0.05, measured: bool = False
) -> Again:
    """Forecast again from what happened.

    Args:
        asked: the plan's paths.
        actuals: {metric of SEEN: {plan month: level}}; months in which something is not known are left out.
        error: what a month's figure may lie off the model, over its planned level.
        measured: whether the figures come from the tidy tables, whose units are known.

    Raises:
        InputError: no figure, an unknown metric, a month outside the plan, a level that is negative or not finite, or
            figures typed in what looks like another unit.
    """
    from planlib.core.guards import Guard

    guard = Guard()
    months = asked.world.plan.months
    known = [(name, month, level) for name, row in actuals.items() for month, level in sorted(row.items())]
    if not known:
        guard.add("empty", "actuals")
    for name, month, level in known:
        guard.choice(f"actuals.{name}", name, SEEN)
        guard.whole(f"actuals.{name}.month", month, high=months)
        guard.number(f"actuals.{name}[{month}]", level, low=0.0)
    guard.number("error", error, above=0.0, below=1.0)
    guard.done()
    plan = asked.world.metrics(asked.planned)
    if not measured:
        _refuse_other_units(plan, actuals)
    seen = np.array([level for _, _, level in known])
    scale = np.array([max(float(plan[name][0, month - 1]), 1.0) for name, month, _ in known])
    spread = error * np.maximum(scale, seen)

    def told(metrics: Mapping[str, np.ndarray]) -> np.ndarray:
        columns = [metrics[name][:, month - 1] for name, month, _ in known]
        return np.stack(np.broadcast_arrays(*columns), axis=1)

    found = reweigh(told(asked.metrics), seen, spread)
    last = max(month for _, month, _ in known)
    surprise = -found.log_evidence / len(known)
    if found.ess >= LEAST_ESS:
        return Again(last, "weights", found.ess, found.weights, asked.metrics, surprise)
    few = min(asked.world.paths, 4 * FEW)
    rng = stream(asked.world.seed, "joint again")
    latent = outlooking.Latent(asked.world)

    def model(scores: np.ndarray) -> np.ndarray:
        world = latent.world(scores)
        return told(world.metrics(world.run(months=last)))

    drawn = tempered(rng.standard_normal((few, latent.size)), model, seen, spread, rng=rng)
    world = latent.world(drawn.scores)
    even = np.full(few, 1.0 / few)
    return Again(last, "tempered", drawn.ess, even, world.metrics(world.run()), -drawn.log_evidence / len(known))


def _refuse_other_units(plan: Mapping[str, np.ndarray], actuals: Mapping[str, Mapping[int, float]]) -> None:
    """Refuse figures that are all about a hundred or ten thousand times the plan's, or the inverse: fen, or 万."""
    from planlib.core.guards import Guard
    from planlib.core.metrics import catalogue

    guard = Guard()
    for name, row in actuals.items():
        pairs = [(level, float(plan[name][0, month - 1])) for month, level in row.items()]
        ratios = np.array([level / planned for level, planned in pairs if planned > 0 and level > 0])
        for factor in _OTHER_UNITS:
            if len(ratios) and (np.abs(np.log(ratios / factor)) < np.log(3)).all():
                guard.add(
                    "other_unit", f"actuals.{name}", pairs[0][0], unit=catalogue()[name].unit, factor=f"{factor:g}"
                )
    guard.done()


def standing(asked: Asked, found: Again, actuals: Mapping[str, Mapping[int, float]], *, error: float = 0.05) -> str:
    """Return how the forecast again stands to what happened and to the one before.

    `outside`: what happened in the last known month lies beyond the new 80 % range, widened by twice the error, so that
    the plan's figures cannot say it; `moved`: the middle of the forecast before lies outside the new range at the end;
    `held`: neither.

    Args:
        asked: the plan's paths.
        found: the forecast again.
        actuals, error: as it was made from.
    """
    weights = Weights(found.weights, found.ess, 0.0)
    for name, row in actuals.items():
        level = row.get(found.months)
        if level is None:
            continue
        low, high = quantiles(found.metrics[name][:, found.months - 1], weights, [0.1, 0.9])
        if not low * (1 - 2 * error) <= level <= high * (1 + 2 * error):
            return "outside"
    for name in ("private_domain_users", TO_DATE):
        low, high = quantiles(found.metrics[name][:, -1], weights, [0.1, 0.9])
        if not low <= np.median(asked.metrics[name][:, -1]) <= high:
            return "moved"
    return "held"
