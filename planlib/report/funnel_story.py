"""What notebook 20 says about its results: metrics, pages and findings whose wording depends on the outcome.

Each function records what its page needs on the notebook's book (see `planlib.workbook.context.Book`) and returns
the heading for the notebook. Verdicts are rows of `planlib.funnel.forecast.judge` beside their goals.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

Text = dict[str, Any]
Verdict = Mapping[str, Any]

_ON_TRACK_WEIGHT = 0.05  # a finding that all is well stands below every gap
_OPEN_WEIGHT = 0.3
_OWNERS = {"private_domain_users": "growth", "mau_rate": "operations", "active_share": "operations"}
_COMMERCE = ("gmv", "gmv_share", "new_customer_share", "orders", "new_buyers", "repeat_buyers", "buyers")


def farthest(verdicts: Sequence[Verdict], metric: str) -> Verdict | None:
    """Return the forecast of a metric that misses its goal by the largest share; the last due of those that miss none.

    Goals that are ranges are left out: they have no single number to come to.

    >>> far = {"metric": "gmv", "forecast": 1.0, "shortfall": 9.0, "goal": 10.0, "goal_high": None, "judged_month": 6}
    >>> farthest([far, far | {"shortfall": 0.0}], "gmv") is far
    True
    """
    wanted = [v for v in verdicts if v["metric"] == metric and v["goal_high"] is None]
    found = [v for v in wanted if v["forecast"] is not None]
    return max(found, key=lambda v: (_share_missed(v), v["judged_month"]), default=None)


def users(
    book: Any, far: Verdict | None, change: Any, state: Mapping[str, float], *, bands: bool = False
) -> Text:
    """Tell whether the users come to their goal on time.

    Args:
        far: the goal on the users that is missed by most; None when the plan has none.
        change: single changes that would reach it (`planlib.funnel.levers.Levers`); None when it is met.
        state: users and active at the month of the goal, opening, intake a month, and the monthly churn, stay, wake.
        bands: the chart shows ranges.
    """
    book.metric("due", far["judged_month"] if far else book.plan.months, "month", method="as_stated")
    for name, unit in (("users", "users"), ("active", "users"), ("opening", "users"), ("intake", "users_per_month")):
        book.metric(name, state[name], unit, method="cohort_recursion" if name in ("users", "active") else "as_stated")
    for name in ("churn", "stay", "wake"):
        book.metric(name, state[name], "ratio", method="monthly_rate")
    for level in (0.5, 0.8, 0.95) if bands else ():
        book.metric(f"range_{level * 100:g}", level, "probability", method="choice")
    kind, values = "none", {"due": "due", "forecast": "users", "active": "active"}
    if far:
        book.metric("goal", far["goal"], "users", metric="private_domain_users", method="as_stated")
        book.metric("gap", far["shortfall"], "users", method="goal_less_forecast")
        kind, values = "met", {"goal": "goal", "due": "due", "forecast": "users"}
    if change:
        kind, values = _users_late(book, change)
    book.page(
        "users_forecast",
        layout="chart",
        section="funnel.section",
        chart="users",
        title=book.text(f"funnel.title.users_{kind}", **values),
        subtitle=book.text("chances.subtitle.users" if bands else "chances.subtitle.users_line"),
        reading=_users_reading(book, kind, change),
        source=book.text("funnel.source"),
    )
    return book.text(f"funnel.say.users_{kind}", **values)


def _users_late(book: Any, change: Any) -> tuple[str, dict[str, Any]]:
    """Record what a missed goal needs; return how it is missed and the values to say so."""
    if change.ceiling != float("inf"):
        book.metric("ceiling", change.ceiling, "users", metric="user_ceiling", method="closed_form")
    if change.monthly_intake is not None:
        book.metric("needed", change.monthly_intake, "users_per_month", method="closed_form")
        book.metric("factor", change.intake_factor, "multiple", method="linear_in_intake")
    if change.churn is not None:
        book.metric("churn_needed", change.churn, "ratio", metric="churn_rate", method="bisection")
    if change.month_reached is None:
        return "never", {"ceiling": "ceiling", "goal": "goal"}
    book.metric("late", change.month_reached - change.month, "months", method="closed_form")
    reached = {"month_date": f"{book.month_start(change.month_reached):%Y-%m}"}
    return "late", {"reached": reached, "goal": "goal", "late": "late"}


def _users_reading(book: Any, kind: str, change: Any) -> Text:
    if not change:
        return book.text(f"funnel.reading.users_{kind}")
    if change.monthly_intake is None:
        return book.text("funnel.reading.users_closed", due="due")
    values = {"intake": "intake", "needed": "needed"}
    if change.churn is None:
        return book.text("funnel.reading.users_intake", **values)
    return book.text("funnel.reading.users_churn", **values, churn="churn", highest="churn_needed")


def users_finding(book: Any, far: Verdict | None, change: Any, *, sought: bool = False) -> None:
    """Record the finding on the users; the next step is the intake that gives the wanted chance where it was `sought`.

    Args:
        far, change: as for `users`.
        sought: `intake_for_chance` and `wanted_chance` are recorded.
    """
    if not far:
        return
    said = _with_chance(far, "users_missed" if far["shortfall"] else "users_met")
    values = {"due": "due", "forecast": "users"} | ({"gap": "gap"} if far["shortfall"] else {"goal": "goal"})
    if said.startswith("funnel.") and far["shortfall"]:
        values |= {"goal": "goal"}
    why = {"opening": "opening", "intake": "intake"}
    bounded = change and change.ceiling != float("inf")
    if not change:
        next_step = book.text("funnel.finding.keep")
    elif change.monthly_intake is None:
        next_step = book.text("funnel.finding.users_next_closed")
    elif sought:
        wanted = {"probability": "wanted_chance", "needed": "intake_for_chance"}
        next_step = book.text("chances.finding.users_next", **wanted)
    else:
        next_step = book.text("funnel.finding.users_next", needed="needed")
    book.finding(
        "users",
        status=far["status"],
        weight=_weight(far),
        figure="users",
        figure_label=book.text("funnel.finding.users_label", due="due"),
        text=book.text(said, **values, **_chance(far)),
        evidence=book.text("funnel.finding.users_why", **why, churn="churn", ceiling="ceiling")
        if bounded
        else book.text("funnel.finding.users_why_open", **why, churn="churn"),
        next_step=next_step,
        owner=book.text("funnel.owner.growth"),
        page="users_forecast",
    )


def levers(book: Any, solved: Sequence[Any], change: Any) -> Text:
    """Tell what one change alone would have to be; the chart `levers` shows it for every missed goal."""
    if not solved:
        return book.text("funnel.say.levers_none")
    closed = change.monthly_intake is None
    values = {"due": "due", "goal": "goal"} if closed else {"factor": "factor", "goal": "goal"}
    book.page(
        "users_levers",
        layout="chart",
        section="funnel.section",
        chart="levers",
        title=book.text(f"funnel.title.levers{'_closed' if closed else ''}", **values),
        subtitle=book.text("funnel.subtitle.levers"),
        reading=book.text("funnel.reading.levers"),
        source=book.text("funnel.source"),
    )
    return book.text("funnel.say.levers")


def targets(book: Any, verdicts: Sequence[Verdict]) -> Text:
    """Tell how many targets are forecast, met, missed, and how many cannot be judged, and why."""
    known = [v for v in verdicts if v["forecast"] is not None]
    unknown = [v for v in verdicts if v["forecast"] is None]
    counts = {"measured": len(known), "open": len(unknown)}
    for name, status in (("met", "on_track"), ("risk", "at_risk"), ("missed", "off_track")):
        counts[name] = sum(v["status"] == status for v in known)
    counts |= {why: sum(v["reason"] == why for v in unknown) for why in ("assumed", "change")}
    counts["other"] = counts["open"] - counts["assumed"] - counts["change"]
    for name, count in counts.items():
        book.metric(f"targets_{name}", count, "count", method="count")
    told = ("measured", "met", "risk", "missed") if counts["risk"] else ("measured", "met", "missed")
    kind = "targets_risk" if counts["risk"] else "targets"
    values = {"total": "targets"} | {name: f"targets_{name}" for name in told}
    if known:
        book.page(
            "targets",
            layout="targets",
            section="funnel.section",
            table={"id": "targets_forecast", "columns": []},
            title=book.text(f"funnel.title.{kind}", **values),
            subtitle=book.text(f"funnel.subtitle.targets{'_chance' if any(map(_simulated, known)) else ''}"),
            reading=book.text(
                f"funnel.reading.targets{'_chance' if len(set(map(_simulated, known))) > 1 else ''}",
                open="targets_open",
                assumed="targets_assumed",
            ),
            source=book.text("funnel.source"),
        )
    return book.text(f"funnel.say.{kind}", **values)


def open_targets(book: Any, verdicts: Sequence[Verdict]) -> None:
    """Record the page and the finding on the targets that cannot be judged."""
    unknown = sum(v["forecast"] is None for v in verdicts)
    if not unknown:
        return
    weights = {"reason": 1.0, "count": 1.0, "names": 3.0, "needs": 1.2}
    columns = [{"name": name, "head": f"funnel.head.{name}", "weight": weight} for name, weight in weights.items()]
    book.page(
        "targets_open",
        layout="table",
        section="funnel.section",
        table={"id": "targets_open", "columns": columns},
        title=book.text("funnel.title.open", open="targets_open"),
        subtitle=book.text("funnel.subtitle.open"),
        reading=book.text("funnel.reading.open"),
        source=book.text("funnel.source"),
    )
    why = {name: f"targets_{name}" for name in ("assumed", "change", "other")}
    book.finding(
        "targets_open",
        status="not_measured",
        weight=_OPEN_WEIGHT * unknown / len(verdicts),
        figure="targets_open",
        figure_label=book.text("funnel.finding.open_label"),
        text=book.text("funnel.finding.open", open="targets_open"),
        evidence=book.text("funnel.finding.open_why", **why),
        next_step=book.text("funnel.finding.open_next"),
        owner=book.text("funnel.owner.analytics"),
        page="targets_open",
    )


def lifecycle(
    book: Any, volumes: Sequence[float], steps: Mapping[str, float], disorder: Sequence[tuple[str, str]],
    early: Mapping[str, float], *, span: int,
) -> Text:  # fmt: skip
    """Tell where joiners are lost.

    Args:
        volumes: people in the five stages over the first `span` months.
        steps: {stage: share of the stage before}, where that has people.
        disorder: pairs of metrics of which the later holds more people than the earlier.
        early: levels of those metrics.
    """
    weakest = min(steps, key=steps.get, default="activation")
    book.metric("span", span, "months", method="choice")
    book.metric("joined", volumes[0], "users", method="sum")
    book.metric("first_buyers", volumes[3], "users", method="share_of_joiners")
    stage = {"words": f"funnel.stage_inline.{weakest}"}
    values = {"joined": "joined", "buyers": "first_buyers", "stage": stage} if volumes[0] else {}
    kind = "lifecycle" if values else "lifecycle_none"
    reading = book.text("funnel.reading.stages_in_order", stage=stage)
    if disorder:
        said: dict[str, Any] = {}
        for name, metric in zip(("earlier", "later"), disorder[0], strict=True):
            book.metric(f"stage_{name}", early[metric], "ratio", metric=metric, method="as_stated")
            said |= {name: {"metric": metric}, f"{name}_rate": f"stage_{name}"}
        reading = book.text("funnel.reading.stages_out_of_order", **said)
    book.page(
        "lifecycle",
        layout="chart",
        section="funnel.section",
        chart="lifecycle",
        title=book.text(f"funnel.title.{kind}", **values),
        subtitle=book.text("funnel.subtitle.lifecycle", span="span"),
        reading=reading,
        source=book.text("funnel.source"),
    )
    if values:
        book.metric("weakest_step", steps.get(weakest, 0.0), "ratio", method="share_of_stage_before")
        values |= {"rate": "weakest_step"}
    return book.text(f"funnel.say.{kind}", **values)


def gmv(
    book: Any, verdicts: Sequence[Verdict], *, year_cny: Sequence[float], month_cny: float, repeat_share: float,
    company_cny: float, bands: bool = False,
) -> Text:  # fmt: skip
    """Tell whether sales reach their share of the company's GMV.

    Args:
        year_cny: (T,) GMV of the trailing year.
        month_cny, repeat_share: GMV of the last month and the share of it from repeat orders.
        company_cny: the company's GMV in a month.
        bands: the chart shows ranges.
    """
    far = farthest(verdicts, "gmv_share")
    book.metric("gmv_month", month_cny, "CNY", metric="gmv", month=book.plan.months, method="orders_times_aov")
    book.metric("gmv_repeat_share", repeat_share, "ratio", month=book.plan.months, method="share")
    kind, values, reading = "none", {"gmv": "gmv_month", "repeat": "gmv_repeat_share"}, {}
    if far:
        for name, value, unit in (("due", far["judged_month"], "month"), ("share", far["forecast"], "ratio"),
                                  ("goal", far["goal"], "ratio"), ("gap", far["shortfall"], "points")):  # fmt: skip
            book.metric(f"gmv_{name}", value, unit, method="trailing_year" if name == "share" else "as_stated")
        book.metric("gmv_year", year_cny[far["judged_month"] - 1], "CNY", metric="gmv", method="trailing_year")
        whole = company_cny * min(far["judged_month"], 12)
        book.metric("company_year", whole, "CNY", metric="company_gmv", method="as_stated")
        kind = "missed" if far["shortfall"] > 0 else "met"
        values = {name: f"gmv_{name}" for name in ("due", "share", "gap" if kind == "missed" else "goal")}
    if kind == "missed" and far["forecast"]:
        book.metric("gmv_factor", far["goal"] / far["forecast"], "multiple", method="share")
        reading = {"factor": "gmv_factor"}
    wording = "none" if kind == "missed" and not reading else kind
    book.page(
        "gmv",
        layout="chart",
        section="funnel.section",
        chart="gmv",
        title=book.text(f"funnel.title.gmv_{kind}", **values),
        subtitle=book.text("chances.subtitle.gmv" if bands else "funnel.subtitle.gmv"),
        reading=book.text(f"funnel.reading.gmv_{wording}", **reading),
        source=book.text("funnel.source"),
    )
    return book.text(f"funnel.say.gmv_{kind}", **values, **({"goal": "gmv_goal"} if kind == "missed" else {}))


def findings(
    book: Any, verdicts: Sequence[Verdict], *, wake_needed: float | None, steady: bool = True,
    binds: Mapping[str, str | None] | None = None,
) -> None:  # fmt: skip
    """Record one finding for each other metric that is forecast: the goal that is missed by most.

    Args:
        wake_needed: monthly share of the dormant that the active rate's goal needs; None when no share is enough.
        steady: the active rate that users tend to is recorded.
        binds: {target: the driver that binds it}.
    """
    for metric in dict.fromkeys(v["metric"] for v in verdicts if v["forecast"] is not None):
        far = farthest(verdicts, metric)
        if far and metric != "private_domain_users":
            _finding(book, metric, far, wake_needed, (binds or {}).get(far.get("id")), steady)


def _finding(
    book: Any, metric: str, far: Verdict, wake_needed: float | None, driver: str | None, steady: bool
) -> None:
    """Record the finding on one metric with the numbers that it quotes."""
    missed = far["shortfall"] > 0
    unit = far["unit"]
    said = _with_chance(far, "missed" if missed else "met")
    numbers = {"due": (far["judged_month"], "month"), "forecast": (far["forecast"], unit), "goal": (far["goal"], unit)}
    if missed:
        numbers["gap"] = (far["shortfall"], "points" if unit == "ratio" else unit)
    for name, (value, its_unit) in numbers.items():
        book.metric(f"{metric}_{name}_told", value, its_unit, metric=metric, method="verdict")
    values = {name: f"{metric}_{name}_told" for name in numbers if name != "goal" or said.startswith("funnel.")}
    named = {"metric": {"metric": metric}}
    evidence, next_step = _why(book, far, missed, wake_needed, driver, steady)
    book.finding(
        metric,
        status=far["status"],
        weight=_weight(far),
        figure=f"{metric}_forecast_told",
        figure_label=book.text("funnel.finding.label", **named, due=f"{metric}_due_told"),
        text=book.text(said, **named, **values, **_chance(far)),
        evidence=evidence,
        next_step=next_step,
        owner=book.text(f"funnel.owner.{_owner(metric)}"),
        page="gmv" if metric in _COMMERCE else "targets",
    )


def _why(
    book: Any, far: Verdict, missed: bool, wake_needed: float | None, driver: str | None, steady: bool
) -> tuple[Text, Text]:
    """Return evidence and next step of a finding."""
    metric = far["metric"]
    keep = book.text("funnel.finding.keep")
    if metric in ("mau_rate", "active_share") and steady:
        evidence = book.text("funnel.finding.mau_why", stay="stay", wake="wake", churn="churn", steady="steady")
        if not missed:
            return evidence, keep
        if wake_needed is None:
            return evidence, book.text("funnel.finding.mau_next_never")
        return evidence, book.text("funnel.finding.mau_next", needed="wake_needed")
    if metric == "gmv_share":
        evidence = book.text("funnel.finding.gmv_why", part="gmv_year", whole="company_year")
        if not missed:
            return evidence, keep
        told = {"factor": "gmv_factor"} if far["forecast"] else {}
        return evidence, book.text(f"funnel.finding.{'gmv_next' if told else 'next'}", **told)
    if metric == "new_customer_share":
        evidence = book.text("funnel.finding.new_why", repeat="gmv_repeat_share")
    else:
        evidence = _spread_evidence(book, far, driver)
    return evidence, book.text("funnel.finding.next") if missed else keep


def _spread_evidence(book: Any, far: Verdict, driver: str | None) -> Text:
    """Say how far the forecast spreads and what binds it, or that nothing behind it has a range."""
    if far.get("certain"):
        return book.text("chances.finding.why_typed")
    if far.get("low") is None or driver is None:
        return book.text("funnel.finding.why")
    for name in ("low", "high"):
        book.metric(f"{far['metric']}_{name}_told", far[name], far["unit"], metric=far["metric"], method="quantile")
    ends = {name: f"{far['metric']}_{name}_told" for name in ("low", "high")}
    return book.text("chances.finding.why", **ends, driver={"words": f"chances.driver.{driver}"})


def _chance(verdict: Verdict) -> dict[str, str]:
    """Return the placeholder of a simulated chance; a chance that only repeats what was typed is not told."""
    return {"chance": f"p_target_on_time_{verdict['id']}"} if _simulated(verdict) else {}


def _with_chance(verdict: Verdict, wording: str) -> str:
    return f"{'chances' if _simulated(verdict) else 'funnel'}.finding.{wording}"


def _simulated(verdict: Verdict) -> bool:
    return verdict.get("probability") is not None and not verdict["certain"]


def _owner(metric: str) -> str:
    return "commerce" if metric in _COMMERCE else _OWNERS.get(metric, "operations")


def _share_missed(verdict: Verdict) -> float:
    return verdict["shortfall"] / (abs(verdict["goal"]) or 1.0)


def _weight(verdict: Verdict) -> float:
    return max(_ON_TRACK_WEIGHT, min(_share_missed(verdict), 1.0))
