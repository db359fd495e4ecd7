"""A plan as one simulation: what `planlib.outlook` calculates with, drawn on the plan's own random streams.

What stands between the plan file and `planlib.outlook`; the outlook notebook, `planlib why` and `planlib whatif` all
take their paths from here. The draws of users are those of notebook 20, those of dates the ones of notebook 50.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from planlib import scheduling
from planlib.budget.case import curve_row, spend_for
from planlib.budget.curves import Curves
from planlib.core.draws import Distribution
from planlib.core.streams import stream
from planlib.experiments.backlog import Idea, plan_test
from planlib.experiments.planning import WEEKS_A_MONTH
from planlib.funnel.forecast import judge
from planlib.funnel.model import Drivers, taken_for_granted
from planlib.funnel.retention import fit_curve
from planlib.milestones.calendar import plan_month
from planlib.milestones.simulation import finishes
from planlib.milestones.workdays import WorkCalendar
from planlib.outlook.joint import Bought, Buying, Delay, Joint, Lift, simulate
from planlib.plan import inputs, uncertain
from planlib.plan.budget_inputs import HOME, budget_inputs
from planlib.plan.experiment_inputs import planned_tests
from planlib.plan.load import Plan
from planlib.plan.model import Risk

PATHS = 10_000
CAUSES = ("dates", "intake", "retention", "conversion", "budget", "risks", "experiments")
OWN = ("own_users", "own_gmv")  # what the plan itself forecasts, as goals
TO_DATE = "gmv_to_date"  # GMV since the start, by month; no metric of the catalogue
_OF_CAUSE = {
    "intake": ("intake", "referral", "opening_users", "opening_active_share"),
    "retention": ("churn", "stay", "wake"),
    "conversion": ("conversion", "repeat_rate", "repeat_orders", "aov", "company_gmv"),
}
# fields of the plan that a gate can hold back, the driver that each is and the metrics whose targets say where it stood
_HELD = {
    "users.conversion": ("conversion", ("conversion_rate", "new_user_conversion_rate")),
    "users.repurchase": ("repeat_rate", ("repurchase_rate",)),
    "users.staying_active": ("stay", ("retention_m1",)),
    "users.waking": ("wake", ("reactivation_rate",)),
    "baseline.aov": ("aov_cny", ("aov",)),
}
# what a test moves; every other metric moves sales through the value of an order
_TESTED = {
    "conversion_rate": "conversion",
    "new_user_conversion_rate": "conversion",
    "first_purchase_rate": "conversion",
    "repurchase_rate": "repeat_rate",
}


@dataclass(frozen=True, slots=True)
class OpenLink:
    """A link of the plan that costs nothing here: the gate, what it delays, and why no loss follows."""

    gate: str
    delays: str
    reason: str


@dataclass(frozen=True, eq=False)
class World:
    """A plan and D draws of everything that it leaves uncertain.

    Attributes:
        plan: as loaded.
        paths: D.
        seed: of all streams.
        sample: {place: (D,)} of the uncertain quantities, see `planlib.plan.uncertain`.
        strikes: {risk: (D,)} what is added to the number that the risk hits; 0 where it does not strike.
        costs: {channel: number or (D,)} CNY for a new user.
        dates: {gate: (D,)} months since the start.
        delays: what waits for which gate.
        open_links: links without a loss that could be told.
        lifts: what tests bring.
        untold: ids of tests left out, for want of a share of GMV or of people.
    """

    plan: Plan
    paths: int
    seed: int
    sample: Mapping[str, np.ndarray]
    strikes: Mapping[str, np.ndarray]
    costs: Mapping[str, Any]
    dates: Mapping[str, np.ndarray]
    delays: tuple[Delay, ...]
    open_links: tuple[OpenLink, ...]
    lifts: tuple[Lift, ...]
    untold: tuple[str, ...]

    @cached_property
    def centre(self) -> dict[str, float]:
        """{place: central value}."""
        return uncertain.central(self.plan)

    @cached_property
    def limits(self) -> dict[str, tuple[float, float]]:
        """{place: lowest and highest value}."""
        return uncertain.limits(self.plan)

    @cached_property
    def risks(self) -> dict[str, Risk]:
        """{id: risk} of the plan."""
        return {risk.id: risk for risk in self.plan.model.risks}

    @cached_property
    def buying(self) -> Buying:
        """What channels cost and how much money there is for them."""
        return buying(self.plan, self.costs)

    @property
    def base(self) -> dict[str, Any]:
        """{place: number or (D,)} before risks."""
        return {**self.centre, **self.sample}

    def few(self, paths: int) -> World:
        """Return the first paths only."""

        def cut(value: Any) -> Any:
            return value[:paths] if np.ndim(value) == 1 else value

        return replace(
            self,
            paths=min(paths, self.paths),
            **{
                name: {key: cut(value) for key, value in getattr(self, name).items()}
                for name in ("sample", "strikes", "costs", "dates")
            },
            lifts=tuple(replace(lift, effect=cut(lift.effect)) for lift in self.lifts),
        )

    def run(
        self,
        values: Mapping[str, Any] | None = None,
        *,
        at_plan: Collection[str] = (),
        budget: float = 1.0,
        most: float = 1.0,
        months: int | None = None,
    ) -> Joint:
        """Run all paths.

        Args:
            values: {place: number or (D,)} in place of drawn ones, before risks strike.
            at_plan: causes that stand as the plan has them: gates on their dates, figures at their central values,
                intake paid for, no risk strikes, no test changes anything.
            budget: factor on the money for channels.
            most: as `Buying.most`.
            months: first months only.
        """
        drivers, costs = self.drivers(values, at_plan=at_plan)
        return self._run(drivers, costs, at_plan, budget, most, months)

    def drivers(
        self, values: Mapping[str, Any] | None = None, *, at_plan: Collection[str] = ()
    ) -> tuple[Drivers, dict[str, Any]]:
        """Return the funnel's drivers and the channels' costs with risks that strike, before gates, money and tests."""
        held = {place for cause in at_plan for place in self.places(cause)}
        at: dict[str, Any] = {p: self.centre[p] if p in held else x for p, x in self.base.items()} | dict(values or {})
        costs = {c: self._central_cost(c) if "budget" in at_plan else cost for c, cost in self.costs.items()}
        if "risks" not in at_plan:
            for name, added in self.strikes.items():
                place = _place(self.risks[name].hits)
                if place in at:
                    at[place] = np.clip(at[place] + added, *self.limits[place])
                elif place.endswith(".cac") and place.split(".")[1] in costs:
                    channel = place.split(".")[1]
                    costs[channel] = np.maximum(costs[channel] + added, 0.0)
        return Drivers(**uncertain.arguments(self.plan, at)), costs

    def _run(
        self, drivers: Drivers, costs: Mapping[str, Any], at_plan: Collection[str], budget: float, most: float,
        months: int | None,
    ) -> Joint:  # fmt: skip
        if months is not None:
            drivers = replace(drivers, intake=drivers.intake[..., :months, :])
        ids = [channel.id for channel in self.plan.channels]
        rows = tuple(replace(one, cost_cny=costs[ids[one.channel]]) for one in self.buying.channels)
        bought = replace(self.buying, channels=rows)
        money = None if bought.money_cny is None or "budget" in at_plan else bought.money_cny * budget
        money = money if money is None or months is None else money[:months]
        return simulate(
            drivers,
            dates=self.dates,
            delays=() if "dates" in at_plan else self.delays,
            buying=replace(bought, money_cny=money, most=most),
            lifts=() if "experiments" in at_plan else self.lifts,
        )

    def places(self, cause: str) -> tuple[str, ...]:
        """Return the places of the plan that a cause stands for; () for those that are no figures."""
        known = uncertain.drivers(self.plan)
        return tuple(place for driver in _OF_CAUSE.get(cause, ()) for place in known.get(driver, ()))

    def metrics(self, joint: Joint) -> dict[str, np.ndarray]:
        """Return {metric: (1|D, T)}: what follows, and what the plan takes for granted."""
        kinds = np.array(inputs.channel_kinds(self.plan))
        kinds = np.append(kinds, ["referral"] * (joint.outcome.intake.shape[2] - len(kinds)))
        taken = taken_for_granted(
            joint.drivers, joint.outcome, paid=kinds == "paid", referral=kinds == "referral"
        )
        months = joint.outcome.intake.shape[1]
        typed = {name: np.full((1, months), level) for name, level in typed_levels(self.plan).items()}
        return {**joint.metrics, TO_DATE: np.cumsum(joint.metrics["gmv"], axis=1), **typed, **taken}

    def _central_cost(self, channel: str) -> float:
        quantity = next(c.cac for c in self.plan.channels if c.id == channel)
        return quantity.central if quantity is not None else float(self.costs[channel])


def world(
    plan: Plan, *, paths: int = PATHS, seed: int | None = None, slips: Mapping[str, float] | None = None,
    acted: Collection[str] = (), bought: Mapping[str, float] | None = None,
) -> World:  # fmt: skip
    """Draw everything that a plan leaves uncertain.

    Args:
        plan: as loaded.
        paths: D.
        seed: in place of the plan's.
        slips: {task or gate: working days more}.
        acted: schedule risks whose mitigation is carried out.
        bought: {task: working days less}, time that money buys.
    """
    root = plan.seed if seed is None else seed

    def own(name: str) -> np.random.Generator:
        return stream(root, name)

    links, open_links = delays(plan)
    lifts, untold = lifts_of(plan, paths, own)
    return World(
        plan=plan,
        paths=paths,
        seed=root,
        sample=uncertain.draws(plan, paths, own),
        strikes={risk.id: _strike(risk, paths, own) for risk in plan.model.risks},
        costs=costs(plan, paths, own),
        dates=gate_dates(plan, paths, root, slips=slips, acted=acted, bought=bought),
        delays=links,
        open_links=open_links,
        lifts=lifts,
        untold=untold,
    )


def gate_dates(
    plan: Plan, paths: int, seed: int, *, slips: Mapping[str, float] | None = None, acted: Collection[str] = (),
    bought: Mapping[str, float] | None = None,
) -> dict[str, np.ndarray]:  # fmt: skip
    """Return {gate: (D,) months since the plan's start when it is passed}; {} without gates. Args as `world`."""
    gates = plan.schedule.gates
    if not gates:
        return {}
    schedule = scheduling.scheduled(plan)
    days = scheduling.durations(schedule)
    for item, more in [*(slips or {}).items(), *((t, -less) for t, less in (bought or {}).items())]:
        days[item] = _moved(days[item], more)
    found = finishes(
        schedule.network, days, seed=seed, draws=paths, groups=scheduling.groups(plan), risks=scheduling.risks(plan),
        mitigated=acted, milestones=[gate.id for gate in gates],
    )  # fmt: skip
    return {name: in_months(plan.start, finish) for name, finish in found.items()}


def _moved(known: Distribution, days: float) -> Distribution:
    """Return a duration moved by working days, never below 0."""
    if known.kind == "fixed":
        return Distribution("fixed", mean=max(known.mean + days, 0.0))
    low, mode, high = (max(x + days, 0.0) for x in (known.low, known.mode, known.high))
    return Distribution("pert", low=low, mode=mode, high=high) if high > low else Distribution("fixed", mean=high)


def in_months(start: str, days: np.ndarray) -> np.ndarray:
    """Return elapsed days since a plan's first day as months of the calendar.

    >>> in_months("2027-01", np.array([0.0, 31.0, 45.0])).tolist()
    [0.0, 1.0, 1.5]
    """
    year, month = (int(part) for part in start.split("-"))
    first = dt.date(year, month, 1)
    longest = float(np.max(days, initial=0.0))
    edges = [0.0]
    while edges[-1] <= longest:
        month += 1
        at = dt.date(year + (month - 1) // 12, (month - 1) % 12 + 1, 1)
        edges.append(float((at - first).days))
    return np.interp(days, edges, np.arange(len(edges)))


def delays(plan: Plan) -> tuple[tuple[Delay, ...], tuple[OpenLink, ...]]:
    """Return what waits for which gate, and the links for which no loss can be told.

    Without a stated loss a channel waits for its gate, and a rate stays where one of the plan's targets says that it
    stood before (`from_value`).
    """
    due = {gate.id: float(gate.due_month) for gate in plan.schedule.gates}
    channels = {channel.id: k for k, channel in enumerate(plan.channels)}
    found, left = [], []
    for link in plan.schedule.links:
        place, loss = _place(link.delays), link.loss_per_month
        parts = place.split(".")
        if parts[0] == "channels" and parts[2:] == ["intake"]:
            waits = 1.0 if loss is None else loss
            found.append(Delay(link.gate, due[link.gate], waits, channel=channels[parts[1]]))
        elif place in _HELD:
            rate, metrics = _HELD[place]
            loss = _loss_of(plan, place, metrics) if loss is None else loss
            if loss is None:
                left.append(OpenLink(link.gate, link.delays, "no_level_before"))
            else:
                found.append(Delay(link.gate, due[link.gate], loss, rate=rate))
        else:
            left.append(OpenLink(link.gate, link.delays, "no_rate"))
    return tuple(found), tuple(left)


def _place(path: str) -> str:
    """Return the place of a figure that a link or a risk names; a channel alone means its intake."""
    parts = path.split(".")
    return f"{path}.intake" if parts[0] == "channels" and len(parts) == 2 else path


def _loss_of(plan: Plan, place: str, metrics: Collection[str]) -> float | None:
    now = uncertain.central(plan).get(place)
    stood = [t.from_value for t in plan.targets if t.metric in metrics and t.from_value is not None and not t.scope]
    return max(1.0 - stood[0] / now, 0.0) if stood and now else None


def _strike(risk: Risk, paths: int, own: Callable[[str], np.random.Generator]) -> np.ndarray:
    """Return (D,) what a risk adds: an even draw of its range where it strikes, else 0."""
    struck = own(f"joint risk {risk.id} strikes").random(paths) < risk.probability
    low, high = risk.effect
    return np.where(struck, low + (high - low) * own(f"joint risk {risk.id} size").random(paths), 0.0)


def costs(plan: Plan, paths: int, own: Callable[[str], np.random.Generator]) -> dict[str, Any]:
    """Return {channel: CNY for a new user} of the channels that cost money, as far as the plan tells."""
    found: dict[str, Any] = {}
    planned = inputs.intake_levels(plan)
    for level, channel in zip(planned, plan.channels, strict=True):
        if channel.cac is not None:
            known = uncertain.distribution(channel.cac)
            drawn = known.sample(own(f"budget.{channel.id}.cac"), paths)
            found[channel.id] = channel.cac.central if known.is_fixed else np.maximum(drawn, 0.0)
        elif channel.response is not None and level > 0:
            spent = spend_for(_curve(channel.response), np.array([level]))[0]
            found[channel.id] = spent / level if np.isfinite(spent) else 0.0
    return {name: cost for name, cost in found.items() if np.ndim(cost) or cost > 0}


def _curve(response: Any) -> Curves:
    return Curves.of([curve_row(response.curve, response.ceiling, response.half_spend, response.shape)])


def buying(plan: Plan, costs: Mapping[str, Any]) -> Buying:
    """Return what channels cost and the money for them: the high end of the band that pays for channels.

    Money is spread over the months as the budget is; None where the plan has no such band.
    """
    levels = inputs.intake_levels(plan)
    rows = []
    for k, channel in enumerate(plan.channels):
        if channel.id not in costs:
            continue
        curve, planned = None, 0.0
        if channel.response is not None:
            made = _curve(channel.response)
            planned = float(spend_for(made, levels[k : k + 1])[0])
            if np.isfinite(planned) and planned > 0:
                curve = (made.kind[0], float(made.amount[0]), float(made.scale[0]), float(made.shape[0]))
        most = channel.spend.max if channel.spend else np.inf
        rows.append(Bought(k, costs[channel.id], curve, planned if curve else 0.0, most))
    return Buying(channels=tuple(rows), money_cny=channel_money(plan))


def channel_money(plan: Plan) -> np.ndarray | None:
    """Return (T,) CNY a month that channels may cost at most; None where the plan has no band for them."""
    given = budget_inputs(plan)
    if HOME not in given.bands:
        return None
    return given.bands[HOME][1] * given.year_cny / 12 * given.weights


def lifts_of(
    plan: Plan, paths: int, own: Callable[[str], np.random.Generator]
) -> tuple[tuple[Lift, ...], tuple[str, ...]]:
    """Return what the planned tests may bring, and the ids of those left out.

    The true effect is drawn from the plan's prior, the test's estimate about it; a change is made where the estimate
    is above zero, and then the true effect counts for twelve months (`planlib.experiments.backlog`). A test of a rate
    that the funnel has moves that rate for the share of GMV that it touches, every other the value of an order.
    """
    found, left = [], []
    for test in planned_tests(plan):
        idea = Idea(
            test.baseline, test.effect, test.per_week, test.effect_sd, four_weeks=test.four_weeks,
            allocation=test.allocation, alpha=test.alpha, power=test.power, sides=test.sides,
            correlation=test.correlation, cost_cny=test.cost_cny, looks=test.looks, stopping=test.stopping,
        )  # fmt: skip
        planned = plan_test(idea) if test.gmv_share is not None else None
        if planned is None or planned.weeks is None:
            left.append(test.id)
            continue
        true = test.effect_sd * own(f"joint test {test.id} effect").standard_normal(paths)
        seen = true + planned.se * own(f"joint test {test.id} error").standard_normal(paths)
        effect = np.maximum(np.where(seen > 0, true, 0.0) * test.gmv_share, -1.0)
        begins = test.start_month - 1 + planned.weeks / WEEKS_A_MONTH
        found.append(Lift(test.id, _TESTED.get(test.metric, "aov_cny"), effect, begins))
    return tuple(found), tuple(left)


def typed_levels(plan: Plan) -> dict[str, float]:
    """Return {metric: level} of the shares that the plan only states, as notebook 20 takes them."""
    points = inputs.retention_points(plan)
    left = inputs.retention_levels(points)
    asked = {goal["metric"] for goal in inputs.goals(plan)} & set(inputs.RETENTION_METRICS.values())
    if asked - set(left) and len(points) > 1:
        left = inputs.retention_levels(fit_curve(points, plan.users.retention.curve).at)
    return left | {metric: rate for rate, metric in inputs.lifecycle_rates(plan).values()}


def known_months(plan: Plan, tables: Any, as_of: dt.date) -> dict[str, dict[int, float]]:
    """Return {metric: {plan month: level}} of the plan's months that the data hold whole: people who joined, and GMV.

    Args:
        plan: whose months.
        tables: the tidy tables, `planlib.data.engine.Engine`.
        as_of: last day that counts; what the tables do not reach to is not known.
    """
    from planlib.data.baseline import Windows, by_day, period

    first = plan_month(plan.start, 1, WorkCalendar()).first
    days = period(tables) if as_of >= first else None
    if days is None:
        return {}
    windows = Windows(min(as_of, days[1]), days[0])  # a day after the newest is not known, rather than empty
    parameters = windows.parameters()
    for name in ("people", "sold"):
        tables.keep(name, parameters)
    found: dict[str, dict[int, float]] = {}
    for metric, text, day, value, unit in (
        ("new_users_monthly", "joiners", "joined_on", "people", 1.0), ("gmv", "sales_daily", "day", "fen", 100.0),
    ):  # fmt: skip
        counts = by_day(tables.query(text, parameters).rows(), day, value, windows.first, windows.as_of)
        if not any(counts):
            continue
        for month in range(1, plan.months + 1):
            span = plan_month(plan.start, month, WorkCalendar())
            if windows.first <= span.first and span.last <= windows.as_of:
                place = slice((span.first - windows.first).days, (span.last - windows.first).days + 1)
                found.setdefault(metric, {})[month] = float(sum(counts[place])) / unit
    return found


def on_plan(found: World) -> Joint:
    """Return the plan without chance, gates on their dates and its intake paid for: the forecast of notebook 20."""
    return found.run(at_plan=CAUSES)


def goals(found: World, planned: Joint) -> list[dict[str, Any]]:
    """Return the goals that the simulation can answer: the plan's targets with a forecast, and its own forecast.

    Args:
        found: the draws.
        planned: `on_plan`.

    Returns:
        Rows of `planlib.plan.inputs.goals`, judged at the centre (`planlib.funnel.forecast.judge`). Of OWN the first
        asks whether the users at the end, the second whether the GMV of the whole plan, are at least those that the
        plan forecasts.
    """
    plan, every = found.plan, found.metrics(planned)
    granted = {name: path[0] for name, path in every.items() if name not in (*planned.metrics, TO_DATE)}
    rows = [goal | judge(goal, planned.metrics, granted, months=plan.months) for goal in inputs.goals(plan)]
    own = zip(OWN, ("private_domain_users", TO_DATE), ("users", "CNY"), strict=True)
    return [row for row in rows if row["forecast"] is not None] + [
        _own(name, metric, unit, float(every[metric][0, -1]), plan) for name, metric, unit in own
    ]


def _own(name: str, metric: str, unit: str, level: float, plan: Plan) -> dict[str, Any]:
    return {
        "id": name, "metric": metric, "op": "at_least", "stated_op": "at_least", "goal": level, "goal_high": None,
        "unit": unit, "due_month": plan.months, "judged_month": plan.months, "source": "", "scope": "",
        "qualifier": "", "open_reason": "", "forecast": level, "gap": 0.0, "gap_rel": 0.0, "shortfall": 0.0,
        "status": "on_track", "reason": "", "assumed": None, "reached_month": None,
    }  # fmt: skip




class Latent:
    """What a world leaves uncertain as independent normal scores, so that paths can be moved.

    Dates are moved along the order of the world's own paths from early to late.
    """

    def __init__(self, found: World) -> None:
        self._world = found
        self._places = {place: known for place, known in uncertain.distributions(found.plan).items()}
        self._costs = {
            channel.id: uncertain.distribution(channel.cac)
            for channel in found.plan.channels
            if channel.id in found.costs and np.ndim(found.costs[channel.id])
        }
        held = [found.dates[delay.gate] for delay in found.delays]
        self._order = np.argsort(np.sum(held, axis=0), kind="stable") if held else None
        names = [f"place:{name}" for name in self._places] + [f"cost:{name}" for name in self._costs]
        names += [f"{kind}:{risk.id}" for risk in found.risks.values() for kind in ("strikes", "effect")]
        names += [f"test:{lift.id}" for lift in found.lifts]
        self._column = {name: k for k, name in enumerate([*names, *(["dates"] if held else [])])}

    @property
    def size(self) -> int:
        """P, number of scores a path has."""
        return max(len(self._column), 1)

    def world(self, scores: np.ndarray) -> World:
        """Return the world whose paths have these (D, P) scores."""
        from scipy.special import ndtr

        found, ranks = self._world, ndtr(scores)

        def rank(name: str) -> np.ndarray:
            return ranks[:, self._column[name]]

        strikes = {}
        for risk in found.risks.values():
            low, high = risk.effect
            size = low + (high - low) * rank(f"effect:{risk.id}")
            strikes[risk.id] = np.where(rank(f"strikes:{risk.id}") < risk.probability, size, 0.0)
        dates = found.dates
        if self._order is not None:
            place = np.minimum((rank("dates") * found.paths).astype(np.intp), found.paths - 1)
            dates = {gate: day[self._order[place]] for gate, day in found.dates.items()}
        limits = found.limits
        return replace(
            found,
            paths=len(scores),
            sample={
                name: np.clip(known.quantile(rank(f"place:{name}")), *limits[name])
                for name, known in self._places.items()
            },
            costs=found.costs | {
                name: np.maximum(known.quantile(rank(f"cost:{name}")), 0.0) for name, known in self._costs.items()
            },
            strikes=strikes,
            dates=dates,
            lifts=tuple(
                replace(lift, effect=np.quantile(lift.effect, rank(f"test:{lift.id}"))) for lift in found.lifts
            ),
        )  # fmt: skip
