"""Whether shares of the budget fit together, whether the money carries the volume, and what return the caps ask for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import combinations

from planlib.consistency.finding import CONTRADICTION, STRAIN, Figure, Finding, Repair
from planlib.consistency.rules.made import made
from planlib.consistency.rules.stated import by_id, down, multiple, people, place, planned, ratio, up, users, whole
from planlib.consistency.view import BENCHMARK, CASE, GOAL, STATISTIC, Said, View
from planlib.core.metrics import axes, catalogue, parts
from planlib.plan import Plan
from planlib.plan.inputs import per_month
from planlib.plan.model import Band

_YEAR = 12
_NEAR = 1e-9
_WHOLE = "budget_total"
_LABOUR, _TECH, _MARKETING = "labour_budget_share", "tech_budget_share", "marketing_budget_share"


def _cny(value: float) -> Figure:
    return Figure(value, "CNY")


def _bands(view: View, plan: Plan, *, assumed: bool = False) -> dict[str, Said]:
    """Return the bands that a plan's document states, by metric; with `assumed` also those that the plan assumes."""
    found = [s for s in view.of(plan=plan.id) if isinstance(s.statement, Band)]
    return {s.metric.id: s for s in found if assumed or s.statement.source != "assumption"}


# ---- R08 -------------------------------------------------------------------------------------------------------------
def share_bands(view: View) -> Iterator[Finding]:
    """R08: shares of one whole do not leave room for each other.

    Test: sum of lows <= 1 <= sum of highs over the parts of an axis; highs of each pair with the others' lows <= 1;
    shares along another axis within the band that they are part of; what a band has to pay beside a case's share.
    Level: contradiction for the sums, and across axes at the default base, which is the whole; strain for corners
    and cases. Trap: nearly every set of bands has corners, so they cost nothing; a base that is stated is kept.
    """
    for plan in view.plans:
        bands = _bands(view, plan)
        for axis in axes():
            yield from _corners([s for s in bands.values() if s.statement.axis == axis], axis)
        yield from _purposes(view, plan)
        for band in bands.values():
            yield from _within(view, band)


def _corners(bands: list[Said], axis: str) -> Iterator[Finding]:
    if len(bands) < 2:
        return
    low, high = (sum(s.span[end] for s in bands) for end in (0, 1))
    complete = axes()[axis] and {s.metric.numerator for s in bands} == set(parts(_WHOLE, axis))
    sums = {"low": ratio(low), "high": ratio(high)}
    if low > 1 + _NEAR or (complete and high < 1 - _NEAR):
        yield made("R08", CONTRADICTION, "rules_money.R08.sums", bands, sums, cost=max(low - 1, 1 - high))
        return
    over = {pair: sum(s.span[1] for s in pair) + _lows(bands, pair) - 1 for pair in combinations(bands, 2)}
    pair = max(over, key=lambda p: round(over[p], 9))
    if over[pair] <= _NEAR:
        return
    rest = _lows(bands, pair)
    left = 1 - pair[0].span[1] - pair[1].span[1]
    pinned = {f"left_beside_{s.metric.id}": 1 - s.span[1] for s in bands}
    yield made(
        "R08",
        STRAIN,
        "rules_money.R08.corner" if left >= 0 else "rules_money.R08.corner_over",
        (*pair, *(s for s in bands if s not in pair)),
        {"first": ratio(pair[0].span[1]), "second": ratio(pair[1].span[1]),
         "left": ratio(abs(left)), "need": ratio(rest)} | sums,
        names={"one": {"metric": pair[0].metric.id}, "other": {"metric": pair[1].metric.id}},
        repairs=_lower_highs(bands, over),
        extra=pinned | {f"needed_beside_{s.metric.id}": _lows(bands, (s,)) for s in bands},
    )  # fmt: skip


def _lows(bands: list[Said], without: tuple[Said, ...]) -> float:
    return sum(s.span[0] for s in bands if s not in without)


def _lower_highs(bands: list[Said], over: Mapping[tuple[Said, Said], float]) -> Iterator[Repair]:
    """Yield the upper ends each of which alone, lowered so far, leaves no corner without room."""
    for band in bands:
        others = max((excess for pair, excess in over.items() if band not in pair), default=0.0)
        to = down(band.span[1] - max(excess for pair, excess in over.items() if band in pair))
        if others <= _NEAR and to >= band.span[0]:
            yield Repair("band_high", place(band), ratio(to))


def _purposes(view: View, plan: Plan) -> Iterator[Finding]:
    """Shares by purpose, read as shares of the whole, against the band of the cost that they are part of."""
    mine = _bands(view, plan, assumed=True)
    stated = [_bands(view, p) for p in sorted(view.plans, key=lambda p: p is not plan)]
    for band_id in mine:
        bands = next((found for found in stated if band_id in found), mine)
        band, known = bands[band_id], bands is not mine or mine[band_id].statement.source != "assumption"
        shares = [s for s in view.of(plan=plan.id) if band_id in s.metric.links.get("subset_of", ())]
        shares = [s for s in shares if s.statement.denominator in (None, _WHOLE)]
        total = sum(s.value for s in shares)
        if not shares or total <= band.span[1] + band.tolerance:
            continue
        left = [(1 - total) * end for end in band.span]
        extra = {f"{s.metric.id}_of_whole_{name}": s.value * band.span[end] for s in shares
                 for end, name in enumerate(("low", "high"))}  # fmt: skip
        extra |= {"left_low": left[0], "left_high": left[1]}
        largest = max((s for s in bands.values() if s is not band), key=lambda s: s.span[0], default=None)
        if largest is not None:
            extra["with_largest_other"] = total + largest.span[0]
        spend = max((_spend(view, p) for p in view.plans), default=0.0)
        if spend and left[0] > 0:
            extra |= {"total_low": spend / left[1], "total_high": spend / left[0]}
        yield made(
            "R08",
            CONTRADICTION if known else STRAIN,
            "rules_money.R08.purposes",
            (*shares, band, *([largest] if largest is not None else [])),
            {"n": Figure(len(shares), "number"), "total": ratio(total), "low": ratio(band.span[0]),
             "high": ratio(band.span[1]), "left_low": ratio(left[0]), "left_high": ratio(left[1])},
            names={"band": {"metric": band_id}},
            repairs=(Repair("what_counts", place(shares[0], "denominator")),),
            cost=1 - band.span[1] / total,
            extra=extra,
        )  # fmt: skip


def _within(view: View, band: Said) -> Iterator[Finding]:
    """What a case spends on one item of a band, beside what another case puts into the rest."""
    items = [s for s in view.cases() if band.metric.id in s.metric.links.get("subset_of", ())]
    known = catalogue()
    focus = [s for s in view.cases() if s.metric.denominator == band.metric.numerator
             and s.metric.numerator in known and s.value <= 1
             and band.metric.numerator in known[s.metric.numerator].links.get("part_of", ())]  # fmt: skip
    if not items or not focus:
        return
    item, rest = max(items, key=lambda s: s.value), max(focus, key=lambda s: s.value)
    need = [rest.value * end for end in band.span]
    left = [end - item.value for end in band.span]
    if left[1] >= need[0]:
        return
    yield made(
        "R08",
        STRAIN,
        "rules_money.R08.item",
        (band, item, rest, *(s for s in items if s is not item)),
        {"share": ratio(item.value), "low": ratio(band.span[0]), "high": ratio(band.span[1]),
         "left_low": Figure(left[0], "points", True), "left_high": Figure(left[1], "points", True),
         "need_low": ratio(need[0]), "need_high": ratio(need[1])},
        names={"item": {"metric": item.metric.id}, "band": {"metric": band.metric.id}},
        repairs=(Repair("what_counts", place(item, "denominator")),),
        extra={f"left_{name}_beside_{s.id}": band.span[end] - s.value for s in items
               for end, name in enumerate(("low", "high"))},
    )  # fmt: skip


# ---- R09 -------------------------------------------------------------------------------------------------------------
def money_chain(view: View) -> Iterator[Finding]:
    """R09: what acquisition costs implies a budget that total, wages or technology do not fit.

    Test: adds x CAC x 12 / marketing band <= total; labour band x that total / heads within the wages; technology
    band x that total against what others spent; what the CAC cap leaves for a paid user against the channels' own.
    Level: strain; contradiction if the total is stated and the least spend that the wording allows exceeds it.
    Trap: a cap on CAC may count all new users or paid ones, so both are told; other marketing comes on top.
    """
    for plan in view.plans:
        bands = _bands(view, plan)
        adds, cac = (planned(view, plan.id, m, (GOAL,)) for m in ("new_users_monthly", "cac"))
        if not _spend(view, plan):
            continue
        if _MARKETING in bands and bands[_MARKETING].span[0] > 0:
            implied = [_spend(view, plan) / bands[_MARKETING].span[end] for end in (1, 0)]
            yield from _total(view, plan, adds, cac, bands[_MARKETING], implied)
            if _LABOUR in bands:
                yield from _labour(view, plan, adds, cac, bands, implied)
            if _TECH in bands:
                yield from _technology(view, adds, cac, bands, implied)
        yield from _mix(view, plan, cac)


def _spend(view: View, plan: Plan) -> float:
    """Return what a plan's intake costs in a year at its planned cost of a user, all new users counted; else 0."""
    adds, cac = (planned(view, plan.id, m, (GOAL,)) for m in ("new_users_monthly", "cac"))
    return adds.value * cac.value * _YEAR if adds and cac else 0.0


def _paid(view: View, plan: Plan) -> float:
    """Return the share of new users that is not organic, 1 where the plan does not say."""
    organic = planned(view, plan.id, "organic_share", (GOAL,))
    return 1 - organic.value if organic else 1.0


def _total(view: View, plan: Plan, adds: Said, cac: Said, band: Said, implied: list[float]) -> Iterator[Finding]:
    total, spend, paid = per_month(plan.budget.total, "year") * _YEAR, _spend(view, plan), _paid(view, plan)
    if implied[1] <= total:
        return
    least = adds.span[0] * max(cac.span[0], 0) * _YEAR * paid / band.span[1]
    goals = whole(g for g in view.goals("private_domain_users", plan=plan.id) if (g.statement.by_month or 99) <= _YEAR)
    extra = {"spend_a_month": spend / _YEAR, "paid_spend": paid * spend}
    extra |= {"paid_total_low": paid * implied[0], "paid_total_high": paid * implied[1], "total": total}
    for goal in by_id(goals)[-1:]:
        bill = goal.span[0] * cac.value
        extra |= {"goal_spend": bill, "goal_total_low": bill / band.span[1], "goal_total_high": bill / band.span[0]}
    room = total * band.span[0]
    repairs = [
        Repair("budget_total", "budget.total.value", _cny(up(implied[1]))),
        Repair("cac", place(cac), Figure(down(room / (adds.value * _YEAR)), "CNY_per_user")),
        Repair("intake", place(adds), Figure(down(room / (cac.value * _YEAR)), "users_per_month")),
    ]
    yield made(
        "R09",
        CONTRADICTION if plan.budget.total.source != "assumption" and least > total else STRAIN,
        "rules_money.R09.total",
        (adds, cac, band, *by_id(goals)[-1:]),
        {"adds": Figure(adds.value, "users_per_month"), "cac": Figure(cac.value, "CNY_per_user"),
         "spend": _cny(spend), "low": ratio(band.span[0]), "high": ratio(band.span[1]), "total_low": _cny(implied[0]),
         "total_high": _cny(implied[1]), "paid_low": _cny(paid * implied[0]), "paid_high": _cny(paid * implied[1]),
         "total": _cny(total)},
        repairs=repairs,
        cost=1 - total * band.span[1] / spend,
        extra=extra,
    )  # fmt: skip


def _back(amount: float, band: Said, marketing: Said, cac: Said) -> dict[str, float]:
    """Return the total, the marketing and the users a year that an amount under its own band leads to."""
    total = amount / band.span[1], amount / band.span[0]
    money = total[0] * marketing.span[0], total[1] * marketing.span[1]
    found = {"total": total, "marketing": money, "users": (money[0] / cac.value, money[1] / cac.value)}
    return {f"{name}_{end}": pair[i] for name, pair in found.items() for i, end in enumerate(("low", "high"))}


def _spend_less(adds: Said, cac: Said, factor: float) -> tuple[Repair, ...]:
    """Return intake and cost of a user that shrink the spend, and all that follows from it, by a factor."""
    return (
        Repair("intake", place(adds), Figure(down(adds.value * factor), "users_per_month")),
        Repair("cac", place(cac), Figure(down(cac.value * factor), "CNY_per_user")),
    )


def _labour(view: View, plan: Plan, adds, cac, bands: Mapping[str, Said], implied: list[float]) -> Iterator[Finding]:
    band, size = bands[_LABOUR], planned(view, plan.id, "team_size")
    roles = [r for r in plan.team.roles.values() if r.people and r.cost_per_year]
    spans = [r.people if isinstance(r.people, tuple) else (r.people, r.people) for r in roles]
    listed = [sum(span[end] for span in spans) for end in (0, 1)]
    if not roles or not listed[0]:
        return
    heads = size.value if size else listed[1]
    labour = [share * total for share, total in zip(band.span, implied, strict=True)]
    wages = [r.cost_per_year.central for r in roles]
    if labour[0] / max(heads, listed[1]) <= max(wages):
        return
    limit = max(wages) * max(heads, listed[1])
    mean = sum(w * sum(span) for w, span in zip(wages, spans, strict=True)) / sum(sum(span) for span in spans)
    turned = _back(heads * mean, band, bands[_MARKETING], cac)
    extra = {"labour_low": labour[0], "labour_high": labour[1], "turned_labour": heads * mean}
    extra |= {"listed_low": labour[0] / listed[1], "listed_high": labour[1] / listed[0]}
    yield made(
        "R09",
        STRAIN,
        "rules_money.R09.labour",
        (adds, cac, band, bands[_MARKETING], *([size] if size else [])),
        {"heads": people(heads), "low": _cny(labour[0] / heads), "high": _cny(labour[1] / heads),
         "wage": _cny(max(wages)), "mean": _cny(mean), "users_low": users(turned["users_low"]),
         "users_high": users(turned["users_high"]), "planned": users(adds.value * _YEAR)},
        repairs=_spend_less(adds, cac, limit / labour[0]),
        cost=1 - turned["users_high"] / (adds.value * _YEAR),
        extra=extra | {f"turned_{name}": value for name, value in turned.items()},
    )  # fmt: skip


def _technology(view: View, adds, cac, bands: Mapping[str, Said], implied: list[float]) -> Iterator[Finding]:
    band, found = bands[_TECH], view.cases("tech_investment")
    tech = [share * total for share, total in zip(band.span, implied, strict=True)]
    if not found or tech[0] <= max(s.value for s in found):
        return
    sections: dict[str, float] = {}
    for case in found:  # what one section tells of is one platform and its parts
        sections[case.statement.source] = sections.get(case.statement.source, 0.0) + case.value
    extra = {"times_low": tech[0] / max(s.value for s in found), "times_high": tech[1] / min(s.value for s in found)}
    for section, amount in sections.items():
        extra |= {f"{section}_{name}": v for name, v in _back(amount, band, bands[_MARKETING], cac).items()}
    best = max(extra[f"{section}_users_high"] for section in sections)
    yield made(
        "R09",
        STRAIN,
        "rules_money.R09.technology",
        (band, adds, cac, bands[_MARKETING], *found),
        {"low": _cny(tech[0]), "high": _cny(tech[1]), "least": _cny(min(s.value for s in found)),
         "most": _cny(max(s.value for s in found)), "users": users(best), "planned": users(adds.value * _YEAR)},
        repairs=_spend_less(adds, cac, max(s.value for s in found) / tech[0]),
        cost=1 - best / (adds.value * _YEAR),
        extra=extra,
    )  # fmt: skip


def _mix(view: View, plan: Plan, cac: Said) -> Iterator[Finding]:
    """What a cap on the cost of a new user leaves for a paid one, by what the cap counts."""
    bought = [c for c in plan.channels if c.paid and c.cac is not None and c.intake is not None]
    top = max((c.cac.central for c in bought), default=0.0)
    cap, paid = cac.span[1], _paid(view, plan)
    if cac.statement.denominator or top <= cap or not 0 < paid < 1:
        return
    volume = sum(per_month(c.intake) for c in plan.channels if c.intake is not None)
    paid_volume = sum(per_month(c.intake) for c in bought)
    if not paid_volume:
        return
    cost = sum(per_month(c.intake) * c.cac.central for c in bought)
    referred = sum(per_month(c.intake) for c in plan.channels if c.referral and c.intake is not None) / volume
    cheap = view.of("cac_ratio", kinds=(CASE,))
    factor = cheap[0].value if cheap else 1.0
    organic = planned(view, plan.id, "organic_share", (GOAL,))
    unpaid = paid - referred * (1 - factor)
    figures = {
        "cap": cap, "top": top, "paid": cap / paid, "with_referral": cap / unpaid if unpaid > 0 else float("inf"),
        "blended": cost / volume, "paid_only": cost / paid_volume,
    }  # fmt: skip
    yield made(
        "R09",
        STRAIN,
        "rules_money.R09.mix",
        (cac, organic, *cheap[:1]),
        {name: Figure(value, "CNY_per_user") for name, value in figures.items()} | {"organic": ratio(1 - paid)},
        repairs=(Repair("users_counted", place(cac, "denominator")),),
        cost=max(0.0, 1 - cap / figures["blended"]),
        extra={"referred": referred, "factor": factor},
    )


# ---- R10 -------------------------------------------------------------------------------------------------------------
def ratio_chain(view: View) -> Iterator[Finding]:
    """R10: ratios with a common part ask for a return that nobody quoted has.

    Test: labour band / cap on labour in GMV = GMV needed per budget, against the best quoted ROI, read gross and
    net; (g/b) / ((1-g)/(1-b)) for a share g of GMV from a share b of budget. Level: strain. Trap: a floor on ROI
    forbids nothing above it, so only the quoted levels strain; ROI gross and net are both told.
    """
    for plan in view.plans:
        yield from _labour_of_gmv(view, plan)
        yield from _productivity(view, plan)


def _labour_of_gmv(view: View, plan: Plan) -> Iterator[Finding]:
    band = _bands(view, plan).get(_LABOUR)
    caps = [s for s in view.of("labour_share_of_gmv") if s.plan in ("", plan.id) and s.span[1] < float("inf")]
    quoted = [s for s in view.of("roi", kinds=(GOAL, CASE, BENCHMARK)) if s.value > 0]
    if band is None or not caps or not quoted or not caps[-1].span[1]:
        return
    cap, best = caps[0], max(quoted, key=lambda s: s.value)
    need = [end / cap.span[1] for end in band.span]
    if need[0] <= best.value + 1:  # read net, the same return is one more of GMV
        return
    extra = {}
    for said in quoted:
        for name, gmv in (("gross", said.value), ("net", said.value + 1)):
            extra |= {f"{name}_low_{said.id}": band.span[0] / gmv, f"{name}_high_{said.id}": band.span[1] / gmv}
    yield made(
        "R10",
        STRAIN,
        "rules_money.R10.labour",
        (band, cap, *sorted(quoted, key=lambda s: -s.value)),
        {"low": multiple(need[0]), "high": multiple(need[1]), "cap": ratio(cap.span[1]), "best": multiple(best.value)},
        repairs=(Repair("labour_cap", to=ratio(up(band.span[0] / (best.value + 1)))),),
        cost=1 - (best.value + 1) / need[0],
        extra=extra,
    )


def _productivity(view: View, plan: Plan) -> Iterator[Finding]:
    goals = by_id(whole(view.goals("gmv_share", plan=plan.id)))
    shares = [s for s in view.of("private_domain_budget_share", kinds=(GOAL, CASE, STATISTIC)) if 0 < s.value < 1]
    if not goals or not shares or not 0 < goals[0].value < 1:
        return
    goal, share = goals[0], shares[0]
    times = goal.value / share.value / ((1 - goal.value) / (1 - share.value))
    if times <= 1:
        return
    yield made(
        "R10",
        STRAIN,
        "rules_money.R10.productivity",
        (goal, share),
        {"gmv": ratio(goal.value), "budget": ratio(share.value), "times": multiple(times)},
    )


RULES = {"R08": share_bands, "R09": money_chain, "R10": ratio_chain}
