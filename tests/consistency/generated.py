"""Plans made at random that hold together, and ways to break them; every figure is reckoned without the rules."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from planlib.core.periods import monthly_rate
from planlib.funnel.users import simulate_users

COSTS = ("labour", "technology", "marketing", "operating")
SHARES = dict(zip(COSTS, (f"{m}_budget_share" for m in ("labour", "tech", "marketing", "operating")), strict=True))
ALL_MONTHS = 24


@dataclass
class Made:
    """A plan as its file would hold it, beside what it comes to.

    Attributes:
        content: the plan file's tree.
        users: (T + 1,) users with the planned intake and churn; kept: the same if nobody left.
        intake: people who join in a full month.
    """

    content: dict[str, Any]
    users: np.ndarray
    kept: np.ndarray
    intake: float

    def goal(self, metric: str, level: float, op: str = "at_least", **more: Any) -> None:
        """Add a target, sourced from the document."""
        id = f"{metric}-{len(self.content['targets'])}"
        self.content["targets"].append({"id": id, "metric": metric, op: level, "source": "W2.2"} | more)


def _name(text: str) -> dict[str, str]:
    return {"zh": text, "en": text}


def _stated(value: Any, **more: Any) -> dict[str, Any]:
    return {"value": value, "source": "W2.3"} | more


def make(seed: int) -> Made:
    """Return a plan that holds together: levels, horizon, channels, churn, team, budget and bands vary."""
    rng = np.random.default_rng(seed)
    months = int(rng.integers(8, ALL_MONTHS + 1))
    opens = int(rng.integers(1, 5))
    levels = rng.integers(10, 300, size=rng.integers(1, 5)) * 100.0
    waits = [bool(rng.random() < 0.3) and opens > 1 for _ in levels]
    period = str(rng.choice(["month", "quarter", "year"]))
    applied = str(rng.choice(["before_adds", "after_adds"]))
    stated_churn = float(rng.choice([0.0, 0.02, 0.05, 0.08, 0.12]))
    churn = float(monthly_rate(stated_churn, period))
    opening = float(rng.choice([0, 0, 5_000, 80_000]))
    at = np.arange(1, months + 1)[:, None]
    adds = np.where(at >= np.where(waits, opens, 1), levels, 0.0)
    users, kept = (
        np.append(opening, simulate_users(adds, churn=c, opening_users=opening, applied=applied).users[0])
        for c in (churn, 0.0)
    )
    content = _head(seed, months, opening)
    content["users"]["churn"] = _stated(stated_churn, period=period, applied=applied)
    content["channels"] = [
        {"id": f"c{i}", "name": _name(f"c{i}"), "paid": bool(i % 2), "intake": _stated(_ranged(rng, level))}
        | ({"from_stage": "traffic"} if wait else {})
        for i, (level, wait) in enumerate(zip(levels, waits, strict=True))
    ]
    content["schedule"]["stages"] = _stages(opens, months)
    made = Made(content, users, kept, float(levels.sum()))
    _targets(made, rng, months)
    _team(made, rng, months)
    _budget(made, rng, months)
    return made


def _ranged(rng: np.random.Generator, level: float) -> float | list[float]:
    return [level * 0.9, level * 1.1] if rng.random() < 0.3 else level


def _head(seed: int, months: int, opening: float) -> dict[str, Any]:
    guess = {"source": "assumption", "why": "a guess"}
    return {
        "plan": {"id": f"made_{seed}", "title": _name(f"plan {seed}"), "start": "2027-01", "months": months,
                 "currency": "CNY", "seed": 1},
        "baseline": {"opening_users": _stated(opening), "opening_active_share": _stated(0.4),
                     "aov": {"value": 150, **guess}, "total_gmv": {"value": 5e8, **guess}},
        "targets": [],
        "users": {"staying_active": _stated(0.8, period="month"), "waking": _stated(0.1, period="month"),
                  "retention": {"points": {"d7": 0.6, "m1": 0.4}, "curve": "power", "source": "W2.3"},
                  "conversion": _stated(0.1), "repurchase": _stated(0.3),
                  "orders_per_repeat_buyer": {"value": 2, **guess}},
        "schedule": {"calendar": "CN", "stages": []},
        "team": {"roles": {}},
    }  # fmt: skip


def _stages(opens: int, months: int) -> list[dict[str, Any]]:
    later = {"id": "traffic", "name": _name("traffic"), "months": [opens, months], "source": "W6.4"}
    before = {"id": "foundation", "name": _name("foundation"), "months": [1, opens - 1], "source": "W6.4"}
    return [before, later] if opens > 1 else [later]


def _targets(made: Made, rng: np.random.Generator, months: int) -> None:
    for due in sorted({int(d) for d in rng.integers(max(months // 3, 2), months + 1, size=rng.integers(1, 4))}):
        if made.users[due] > 1_000:
            made.goal("private_domain_users", float(np.floor(made.users[due] * rng.uniform(0.5, 0.97))), by_month=due)
    if rng.random() < 0.6:
        made.goal("new_users_monthly", made.intake, str(rng.choice(["equals", "at_least"])), period="month")
    if rng.random() < 0.5 and months >= 12:
        sold = _least_sales(made)
        made.goal("gmv", float(np.floor(sold * 0.8)), by_month=12, period="year")


def _least_sales(made: Made) -> float:
    """First orders of the first year's joiners, CNY."""
    joined = np.diff(made.kept)[:12].sum()
    return joined * 0.1 * 150


def _team(made: Made, rng: np.random.Generator, months: int) -> None:
    most = float(made.users.max())
    load = float(rng.choice([2_000, 5_000, 10_000]))
    operators = int(np.ceil(most * 1.05 / load)) + int(rng.integers(0, 3))
    writers = int(rng.integers(1, 6))
    team = made.content["team"]
    team["roles"] = {
        "ops": {"name": _name("operators"), "people": [operators, operators + 2], "source": "W6.1"},
        "content": {"name": _name("writers"), "people": writers, "source": "W6.1"},
    }
    team["departments"] = [{"id": d, "name": _name(d)} for d in ("ops", "content")]
    team["users_per_operator"] = {"metric": "users_per_operator", "equals": load, "owner": "ops",
                                  "counts": "private_domain_users", "source": "W2.2"}  # fmt: skip
    team["size"] = {"id": "size", "metric": "team_size", "equals": operators + writers + 1, "source": "W2.2"}
    team["exhaustive"] = bool(rng.random() < 0.5)
    wages = {name: float(rng.integers(10, 30)) * 1e4 for name in team["roles"]}
    for name, role in team["roles"].items():
        role["cost_per_year"] = _stated(wages[name])


def _budget(made: Made, rng: np.random.Generator, months: int) -> None:
    shares = rng.dirichlet(np.full(4, 6.0))
    bands = {
        name: {"metric": SHARES[name], "between": [round(max(s - 0.03, 0), 2), round(min(s + 0.03, 1), 2)],
               "source": "W6.3"}
        for name, s in zip(COSTS, shares, strict=True)
    }  # fmt: skip
    roles = made.content["team"]["roles"]
    wages = sum(np.max(role["people"]) * role["cost_per_year"]["value"] for role in roles.values())
    cac = float(rng.integers(5, 40))
    needs = [wages / shares[0], made.intake * cac * 12 / shares[2]]
    total = float(np.ceil(max(needs) * rng.uniform(1.15, 2) / 1e5) * 1e5)
    made.content["budget"] = {"total": _stated(total, period="year"), "bands": bands}
    if any(t["metric"] == "new_users_monthly" for t in made.content["targets"]):
        made.goal("cac", cac, "at_most", denominator="new_users")


# ---- ways to break a plan, each by one or two figures ----------------------------------------------------------------
def unreachable_goal(made: Made) -> None:
    """More users than the intake brings even if nobody leaves."""
    due = made.content["plan"]["months"]
    made.goal("private_domain_users", float(np.ceil(made.kept[due] * 1.4 + 5_000)), by_month=due)


def goal_above_what_is_left(made: Made) -> None:
    """Fewer than all who join, more than those who stay."""
    made.content["users"]["churn"] = _stated(0.2, period="month")
    due, channels = made.content["plan"]["months"], made.content["channels"]
    for channel in channels:
        channel["intake"] = _stated(float(np.mean(channel["intake"]["value"])))
    made.goal("private_domain_users", float(np.floor(made.kept[due] * 0.95)), by_month=due)


def closed_before_its_goal(made: Made) -> None:
    """A goal due before the first stage that permits acquisition begins."""
    made.content["baseline"]["opening_users"] = _stated(0)
    made.content["targets"] = [t for t in made.content["targets"] if t["metric"] != "private_domain_users"]
    stages = [{"id": "foundation", "name": _name("foundation"), "months": [1, 5], "source": "W6.4"},
              {"id": "traffic", "name": _name("traffic"), "months": [6, 8], "permits": ["acquisition"],
               "source": "W6.4"}]  # fmt: skip
    made.content["schedule"]["stages"] = stages
    for channel in made.content["channels"]:
        channel.pop("from_stage", None)
    made.goal("private_domain_users", 1_000.0, by_month=4)


def team_larger_than_its_list(made: Made) -> None:
    team = made.content["team"]
    team["exhaustive"] = True
    team["size"]["equals"] += 40


def users_beyond_the_team(made: Made) -> None:
    """All people together cannot look after the users of a goal that the intake reaches."""
    made.content["team"]["users_per_operator"]["equals"] = 10.0
    due = made.content["plan"]["months"]
    made.goal("private_domain_users", float(np.floor(made.users[due] * 0.9)), by_month=due)


def bands_above_one(made: Made) -> None:
    for band in made.content["budget"]["bands"].values():
        band["between"] = [0.3, 0.35]


def two_levels_on_one_date(made: Made) -> None:
    made.goal("mau_rate", 0.5, "equals", by_month=6)
    made.goal("mau_rate", 0.6, "equals", by_month=6)


# ---- the same, in ways that no closed formula of the rules has -------------------------------------------------------
def wages_beyond_the_budget(made: Made) -> None:
    """What the people listed cost is more than the share of the budget for labour."""
    for role in made.content["team"]["roles"].values():
        role["cost_per_year"]["value"] *= 30


def amount_beyond_its_band(made: Made) -> None:
    """An amount for marketing above the share that marketing may take of the total."""
    budget = made.content["budget"]
    high = budget["bands"]["marketing"]["between"][1]
    made.goal("marketing_budget", float(budget["total"]["value"] * high * 1.5), period="year")


def cost_per_head_beyond_the_budget(made: Made) -> None:
    """Cost a head x the team, against the share of the budget for labour."""
    budget, size = made.content["budget"], made.content["team"]["size"]["equals"]
    most = budget["total"]["value"] * budget["bands"]["labour"]["between"][1]
    made.goal("labour_cost_per_head", float(np.ceil(most / size * 1.6)), "equals")


def path_beyond_the_team(made: Made) -> None:
    """The intake itself, without any goal for users, outgrows what the people can look after."""
    made.content["targets"] = [t for t in made.content["targets"] if t["metric"] != "private_domain_users"]
    made.content["team"]["users_per_operator"]["equals"] = 10.0


CLOSED = (unreachable_goal, goal_above_what_is_left, closed_before_its_goal, team_larger_than_its_list,
          users_beyond_the_team, bands_above_one, two_levels_on_one_date)  # fmt: skip
OPEN = (wages_beyond_the_budget, amount_beyond_its_band, cost_per_head_beyond_the_budget, path_beyond_the_team)
