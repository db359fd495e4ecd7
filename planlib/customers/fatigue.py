"""How many pushes people bear: exits by pushes a week, what a push earns net of the exits it causes, and the cap.

Exits follow a hazard that grows by a constant factor with every push a week (a convex curve); what pushes earn rises
ever more slowly (a concave one). So their difference has one top: the cap lies where one more push earns nothing net.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from planlib.core.guards import Guard
from planlib.core.intervals import Interval, wilson

WEEKS_A_MONTH = 365.25 / 12 / 7
STEPS = 200
MOST_PUSHES = 50.0  # a week; beyond no cap is looked for


@dataclass(frozen=True, slots=True)
class Dose:
    """Exits at one number of pushes.

    Attributes:
        pushes_per_week: mean.
        people, exits, weeks: how many were watched for so many weeks, and left.
        exit_rate_month: share that leaves in a month, with interval from Wilson's of the share over `weeks`.
    """

    pushes_per_week: float
    people: int
    exits: int
    weeks: float
    exit_rate_month: float
    interval: Interval


@dataclass(frozen=True, slots=True)
class DoseResponse:
    """Exits by pushes a week.

    Attributes:
        doses: what was seen, the fewest pushes first.
        base_hazard_week: exits a person-week without pushes.
        growth: factor on the hazard by one more push a week; interval of it.
        covariance: (2, 2) of log base hazard and log growth.
        randomised: whether people were put to their numbers by chance; else who is pushed more may differ.
        reason: None; "no_exits" when nobody left, and growth cannot be told (then growth is None).
    """

    doses: tuple[Dose, ...]
    base_hazard_week: float | None
    growth: float | None
    growth_interval: Interval | None
    covariance: np.ndarray | None
    randomised: bool
    reason: str | None

    def hazard_week(self, pushes_per_week: np.ndarray) -> np.ndarray:
        """Return exits a person-week at so many pushes.

        Raises:
            InputError: there was no growth to be told.
        """
        self._need()
        return self.base_hazard_week * self.growth ** np.asarray(pushes_per_week, dtype=float)

    def exit_rate_month(self, pushes_per_week: np.ndarray) -> np.ndarray:
        """Return the share that leaves in a month at so many pushes a week."""
        return -np.expm1(-WEEKS_A_MONTH * self.hazard_week(pushes_per_week))

    def bearable(self, rate_month: float) -> float | None:
        """Return the pushes a week at which `rate_month` of the people leave; None where pushes drive nobody out.

        0 where that many leave already without a push.

        Raises:
            InputError: a share out of range, or no growth to be told.

        >>> found = dose_response([0, 2], [1000, 1000], [50, 100], [4, 4], randomised=True)
        >>> rate = float(found.exit_rate_month(1.0))
        >>> round(found.bearable(rate), 9), found.bearable(0.001)
        (1.0, 0.0)
        """
        self._need()
        guard = Guard()
        guard.number("rate_month", rate_month, above=0.0, below=1.0)
        guard.done()
        if self.growth <= 1.0:
            return None
        hazard = -np.log1p(-rate_month) / WEEKS_A_MONTH
        return max(float(np.log(hazard / self.base_hazard_week) / np.log(self.growth)), 0.0)

    def _need(self) -> None:
        guard = Guard()
        if self.growth is None:
            guard.add("one_class", "exits", 0, n=sum(dose.people for dose in self.doses))
        guard.done()


@dataclass(frozen=True, slots=True)
class Benefit:
    """What pushes earn: ceiling x pushes / (pushes + half), CNY margin a person-week.

    Attributes:
        ceiling_cny: what no number of pushes passes, >= 0.
        half_pushes: pushes a week that earn half of it, > 0.
    """

    ceiling_cny: float
    half_pushes: float

    def value(self, pushes_per_week: np.ndarray) -> np.ndarray:
        """Return CNY a person-week."""
        pushes = np.asarray(pushes_per_week, dtype=float)
        return self.ceiling_cny * pushes / (pushes + self.half_pushes)

    def slope(self, pushes_per_week: np.ndarray) -> np.ndarray:
        """Return CNY that one more push a week earns."""
        pushes = np.asarray(pushes_per_week, dtype=float)
        return self.ceiling_cny * self.half_pushes / (pushes + self.half_pushes) ** 2


@dataclass(frozen=True, slots=True)
class Cap:
    """How many pushes a week pay.

    Attributes:
        pushes_per_week: where one more earns nothing net; 0 when already the first costs more than it earns; None, with
            a reason, when the curves do not tell.
        interval: from draws of the exit curve; None without draws.
        net_cny_week: net worth a person-week at the cap, against none.
        beyond_seen: the cap lies above the most pushes that were seen, and rests on the curve alone.
        reason: "no_cap" (no number of pushes up to 50 a week costs more than it earns), "no_exits", or None.
    """

    pushes_per_week: float | None
    interval: Interval | None
    net_cny_week: float | None
    beyond_seen: bool
    reason: str | None


def monthly_rate(share: float, months: float) -> float:
    """Return the monthly rate at which a share leaves in so many months.

    Raises:
        InputError: a share of 1 or more, or no time.

    >>> round(monthly_rate(0.35, 3), 3)
    0.134
    """
    guard = Guard()
    guard.number("share", share, low=0.0, below=1.0)
    guard.number("months", months, above=0.0)
    guard.done()
    return float(-np.expm1(np.log1p(-share) / months))


def dose_response(
    pushes_per_week: np.ndarray,
    people: np.ndarray,
    exits: np.ndarray,
    weeks: np.ndarray,
    *,
    randomised: bool,
    level: float = 0.95,
) -> DoseResponse:
    """Fit exits by pushes a week.

    Args:
        pushes_per_week, people, exits, weeks: (k,) one entry a group: its mean pushes, how many people, how many of
            them left, and how many weeks they were watched; numbers of pushes of two kinds at least.
        randomised: whether chance put people into the groups.
        level: of intervals.

    Raises:
        InputError: counts that cannot be, or one number of pushes only.

    Source: binomial regression with complementary log-log link and the log of weeks as offset, by Newton's method.

    >>> found = dose_response([1, 3], [1000, 1000], [215, 350], [13, 13], randomised=True)
    >>> round(found.growth, 2)
    1.33
    """
    guard = Guard()
    d = guard.numbers("pushes_per_week", pushes_per_week, low=0.0, ndim=(1,))
    n = guard.numbers("people", people, above=0.0, ndim=(1,))
    x = guard.numbers("exits", exits, low=0.0, ndim=(1,))
    w = guard.numbers("weeks", weeks, above=0.0, ndim=(1,))
    if not d.shape == n.shape == x.shape == w.shape:
        guard.add("shape", "exits", f"shape {x.shape}", expected=f"shape {d.shape}")
    elif np.any(x > n):
        guard.add("count_above_n", "exits", float(x[x > n][0]), n=float(n[x > n][0]))
    elif len(np.unique(d)) < 2:
        guard.add("same_dose", "pushes_per_week", float(d[0]) if len(d) else None)
    guard.done()
    order = np.argsort(d, kind="stable")
    doses = tuple(_dose(float(d[i]), int(n[i]), int(x[i]), float(w[i]), level) for i in order)
    if x.sum() == 0:
        return DoseResponse(doses, None, None, None, None, randomised, "no_exits")
    beta, cov = _cloglog(d, n, x, w)
    from statistics import NormalDist

    half = NormalDist().inv_cdf(0.5 + level / 2) * cov[1, 1] ** 0.5
    band = Interval(float(np.exp(beta[1] - half)), float(np.exp(beta[1] + half)), level)
    return DoseResponse(doses, float(np.exp(beta[0])), float(np.exp(beta[1])), band, cov, randomised, None)


def fit_benefit(pushes_per_week: np.ndarray, margin_cny_week: np.ndarray, *, people: np.ndarray) -> Benefit:
    """Fit what pushes earn, by least squares weighted with people; what comes without pushes is taken off.

    Args:
        pushes_per_week: (k,) three numbers of pushes or more, or two of which one is 0 (then half is the other's).
        margin_cny_week: (k,) mean margin a person-week at each.
        people: (k,) how many.

    Raises:
        InputError: lengths, values out of range, too few numbers of pushes.
    """
    guard = Guard()
    d = guard.numbers("pushes_per_week", pushes_per_week, low=0.0, ndim=(1,))
    y = guard.numbers("margin_cny_week", margin_cny_week, ndim=(1,))
    n = guard.numbers("people", people, above=0.0, ndim=(1,))
    if not d.shape == y.shape == n.shape:
        guard.add("shape", "margin_cny_week", f"shape {y.shape}", expected=f"shape {d.shape}")
    elif len(np.unique(d)) < 3:
        guard.add("at_least", "pushes_per_week", len(np.unique(d)), low=3)
    guard.done()
    best = None
    for half in np.geomspace(0.05, 2 * max(d.max(), 1.0), 400):
        design = np.column_stack([np.ones(len(d)), d / (d + half)]) * np.sqrt(n)[:, None]
        found = np.linalg.lstsq(design, y * np.sqrt(n), rcond=None)[0]
        loss = float(((design @ found - y * np.sqrt(n)) ** 2).sum())
        if best is None or loss < best[0]:
            best = (loss, Benefit(max(float(found[1]), 0.0), float(half)))
    return best[1]


def cap(
    response: DoseResponse,
    benefit: Benefit,
    *,
    value_cny: float,
    rng: np.random.Generator | None = None,
    draws: int = 2_000,
    level: float = 0.95,
) -> Cap:
    """Return how many pushes a week pay for people of one tier.

    Args:
        response: exits by pushes.
        benefit: what pushes earn, of this tier.
        value_cny: what is lost when one of them leaves (their lifetime value), >= 0.
        rng: stream for the interval; without it there is none.
        draws: of the exit curve.
        level: of the interval.

    Raises:
        InputError: a value is out of range.
    """
    guard = Guard()
    guard.number("value_cny", value_cny, low=0.0)
    guard.whole("draws", draws)
    guard.done()
    if response.growth is None:
        return Cap(None, None, None, False, response.reason)
    beta = np.log([response.base_hazard_week, response.growth])
    top = float(_top(benefit, value_cny, beta[None, :])[0])
    most = max(dose.pushes_per_week for dose in response.doses)
    if top >= MOST_PUSHES:
        return Cap(None, None, None, True, "no_cap")
    band = None
    if rng is not None:
        ends = np.quantile(
            _top(benefit, value_cny, rng.multivariate_normal(beta, response.covariance, size=draws)),
            [0.5 - level / 2, 0.5 + level / 2],
        )
        band = Interval(float(ends[0]), float(ends[1]), level)
    return Cap(top, band, float(net_value(response, benefit, top, value_cny=value_cny)), top > most, None)


def net_value(response: DoseResponse, benefit: Benefit, pushes_per_week: np.ndarray, *, value_cny: float) -> np.ndarray:
    """Return what pushes earn less what the exits they cause lose, CNY a person-week."""
    lost = response.hazard_week(pushes_per_week) - response.base_hazard_week
    return benefit.value(pushes_per_week) - value_cny * lost


def marginal_value(
    response: DoseResponse, benefit: Benefit, pushes_per_week: np.ndarray, *, value_cny: float
) -> np.ndarray:
    """Return what one more push a week is worth net, CNY a person-week; 0 at the cap."""
    slope = response.hazard_week(pushes_per_week) * np.log(response.growth)
    return benefit.slope(pushes_per_week) - value_cny * slope


def above_cap(planned_per_week: np.ndarray, caps: np.ndarray) -> np.ndarray:
    """Return (k,) which planned numbers of pushes lie above their tier's cap; a cap of None has no say.

    >>> above_cap([1, 4], [2.0, 2.0]).tolist()
    [False, True]
    """
    limit = np.array([np.inf if value is None else float(value) for value in caps])
    return np.asarray(planned_per_week, dtype=float) > limit


def _dose(pushes: float, people: int, exits: int, weeks: float, level: float) -> Dose:
    months = weeks / WEEKS_A_MONTH
    band = wilson(exits, people, level=level)
    low, rate, high = (1 - (1 - share) ** (1 / months) for share in (band.low, exits / people, band.high))
    return Dose(pushes, people, exits, weeks, float(rate), Interval(float(low), float(high), level))


def _cloglog(d: np.ndarray, n: np.ndarray, x: np.ndarray, w: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return log base hazard and log growth, and their covariance, by Fisher scoring with halved steps."""
    design = np.column_stack([np.ones(len(d)), d])
    offset = np.log(w)
    beta = np.array([np.log(max(x.sum(), 0.5) / (n * w).sum()), 0.0])

    def loglik(b: np.ndarray) -> float:
        hazard = np.exp(np.clip(offset + design @ b, -50, 5))
        return float((x * np.log(-np.expm1(-hazard)) - (n - x) * hazard).sum())

    best = loglik(beta)
    for _ in range(STEPS):
        hazard = np.exp(np.clip(offset + design @ beta, -50, 5))
        p = -np.expm1(-hazard)
        slope = design.T @ ((x / p - n) * hazard)
        weight = n * hazard**2 * (1 - p) / p
        information = design.T @ (design * weight[:, None])
        step = np.linalg.solve(information + 1e-12 * np.eye(2), slope)
        size = 1.0
        while size > 1e-8 and not loglik(beta + size * step) >= best:
            size /= 2
        beta, before, best = beta + size * step, best, loglik(beta + size * step)
        if best - before < 1e-12 * (1 + abs(best)):
            break
    return beta, np.linalg.inv(information + 1e-12 * np.eye(2))


def _top(benefit: Benefit, value_cny: float, beta: np.ndarray) -> np.ndarray:
    """Return (m,) where the net worth is largest, by halving: the marginal worth falls all the way."""
    base, growth = np.exp(beta[:, 0]), beta[:, 1]
    low, high = np.zeros(len(beta)), np.full(len(beta), MOST_PUSHES)
    for _ in range(60):
        middle = (low + high) / 2
        rises = benefit.slope(middle) > value_cny * base * growth * np.exp(growth * middle)
        low, high = np.where(rises, middle, low), np.where(rises, high, middle)
    return np.where(high >= MOST_PUSHES, MOST_PUSHES, np.where(low <= 0, 0.0, (low + high) / 2))
