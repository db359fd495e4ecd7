"""Chances that people do something within a window: fitted on an earlier cut, proven on a later one.

A cut is a moment t with what was known of people before it and what they did within the window from t on. The earliest
cuts train a logistic regression, the one before the last calibrates it, the last one tests it: nothing of a later cut
is seen by what an earlier one fits. A feature with a stamp at or after its cut's moment is refused.

Windows differ in how lively they are: a month with a promotion sells more than the next. What is known of that before
(the calendar of promotions, last year's months) belongs into a cut's `exposure`, by which the odds are multiplied;
otherwise the last promotion is expected to come again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import NormalDist

import numpy as np

from planlib.core.guards import Guard
from planlib.core.intervals import Interval, wilson

RIDGE = 1.0  # prior variance of a standardised coefficient is 1 / RIDGE where maximum likelihood has no answer
STEPS = 100
LARGEST_COEF = 15.0  # log odds per standard deviation beyond which groups are taken to be separated
DECILES = 10
BINS = 10
LARGEST_ERROR = 50.0  # standard error of a standardised coefficient that the data do not hold
FEWEST_TO_CALIBRATE = 30  # of either label
FEWEST_FOR_ISOTONIC = 1_000  # of either label; a step curve through fewer follows chance at its ends
CHI2_2_95 = -2 * np.log(0.05)  # 95 % of chi-squared with two degrees of freedom
CHUNK_ROWS = 100_000
SMALL = 1e-12
FRESH_DAYS = 30.0
DAY = np.timedelta64(1, "D")


@dataclass(frozen=True, slots=True)
class Features:
    """What is known of n people before a moment.

    Attributes:
        names: (p,) columns.
        values: (n, p) numbers.
    """

    names: tuple[str, ...]
    values: np.ndarray


@dataclass(frozen=True, slots=True)
class Cut:
    """One moment: features before it, labels from it on.

    Attributes:
        moment: the moment; label window is [moment, moment + window_days).
        features: of n people.
        label: (n,) 1 for those who did it within the window.
        window_days: length of the window.
        exposure: how lively the window is as known beforehand, 1 for a usual one; it multiplies the odds.
    """

    moment: np.datetime64
    features: Features
    label: np.ndarray
    window_days: int
    exposure: float = 1.0


@dataclass(frozen=True, slots=True)
class Logistic:
    """A fitted logistic regression.

    Attributes:
        names: (p,) columns in order.
        intercept, coef: log odds; coef (p,) per unit of the column, 0 for columns that were left out.
        se: (p,) standard errors; None by ridge.
        method: "maximum_likelihood" or "ridge".
        reason: why not maximum likelihood: "separation", "not_converged"; None where it was.
        dropped: columns that are constant or follow from others.
        n, events: rows, and rows with label 1.
        loglik: log likelihood of the rows.
        tried: what was tried, in order.
    """

    names: tuple[str, ...]
    intercept: float
    coef: np.ndarray
    se: np.ndarray | None
    method: str
    reason: str | None
    dropped: tuple[str, ...]
    n: int
    events: int
    loglik: float
    tried: tuple[str, ...]

    def predict(self, features: Features, *, exposure: float = 1.0) -> np.ndarray:
        """Return (n,) probabilities in a window of some exposure.

        Raises:
            InputError: other columns than those fitted, or an exposure that is not above 0.
        """
        guard = Guard()
        guard.number("exposure", exposure, above=0.0)
        if features.names != self.names:
            guard.add("shape", "features", ", ".join(features.names), expected=", ".join(self.names))
        guard.done()
        return _expit(self.intercept + np.log(exposure) + features.values @ self.coef)


@dataclass(frozen=True, slots=True)
class Calibrator:
    """Turns raw probabilities into calibrated ones.

    Attributes:
        method: "isotonic", "platt", or "none".
        reason: why none: "one_cut" (no cut of its own to calibrate on), "few_events", "agrees" (no worse than chance
            would have it); why platt: "few_for_isotonic"; None where it was asked for.
        knots, levels: (k,) probabilities before and after, interpolated between, for isotonic.
        intercept, slope: of the log odds, for Platt.
        n, events: of the cut it was fitted on.
    """

    method: str
    reason: str | None = None
    knots: np.ndarray | None = None
    levels: np.ndarray | None = None
    intercept: float = 0.0
    slope: float = 1.0
    n: int = 0
    events: int = 0

    def apply(self, probability: np.ndarray) -> np.ndarray:
        """Return (n,) calibrated probabilities."""
        if self.method == "isotonic":
            return np.interp(probability, self.knots, self.levels)
        if self.method == "platt":
            return _expit(self.intercept + self.slope * _logit(probability))
        return np.asarray(probability, dtype=float)


@dataclass(frozen=True, slots=True)
class Bin:
    """People of neighbouring probabilities: what was predicted and what happened, with Wilson interval."""

    n: int
    predicted: float
    observed: float
    interval: Interval


@dataclass(frozen=True, slots=True)
class Decile:
    """One tenth of the people, the first the likeliest; ties are shared out evenly.

    Attributes:
        place: 1 to 10.
        n, events: people, and those of label 1 (fractional where ties cross an edge).
        predicted, rate: mean of the probabilities, share of label 1.
        lift: rate over the rate of all.
        captured: share of all with label 1 who are in this tenth or a likelier one.
        interval: of the lift, by Wilson's interval of the tenth's share of all events.
    """

    place: int
    n: float
    events: float
    predicted: float
    rate: float
    lift: float
    captured: float
    interval: Interval


@dataclass(frozen=True, slots=True)
class Validation:
    """How probabilities fared on people and a window that nothing was fitted on.

    Attributes:
        n, events: people, and those of label 1.
        observed, predicted: share of label 1, mean probability.
        ratio, ratio_interval: predicted over observed; None without events.
        auc, auc_interval: chance that one of label 1 has the higher score (DeLong); None without both labels.
        pr_auc: area under precision and recall (average precision); of a score that knows nothing it is `observed`.
        brier: mean squared error of the probabilities; brier_skill: 1 less its ratio to that of the observed share.
        slope, intercept: of the logistic regression of the label on the log odds; 1 and 0 when calibrated; None when
            that has no answer.
        curve: bins of equal numbers of people.
        deciles: lift table; () without events.
        reason: why some are None: "no_events", "all_events"; None otherwise.
    """

    n: int
    events: int
    observed: float
    predicted: float
    ratio: float | None
    ratio_interval: Interval | None
    auc: float | None
    auc_interval: Interval | None
    pr_auc: float | None
    brier: float
    brier_skill: float | None
    slope: float | None
    intercept: float | None
    curve: tuple[Bin, ...]
    deciles: tuple[Decile, ...]
    reason: str | None

    @property
    def top_decile(self) -> Decile | None:
        """The likeliest tenth."""
        return self.deciles[0] if self.deciles else None

    def mean_agrees(self, within: float = 0.05) -> bool | None:
        """Say whether predicted over observed is within so much of 1; None while its interval allows either."""
        if self.ratio_interval is None:
            return None
        low, high = 1 - within, 1 + within
        if self.ratio_interval.high < low or self.ratio_interval.low > high:
            return False
        return True if low <= self.ratio_interval.low and self.ratio_interval.high <= high else None


@dataclass(frozen=True, slots=True)
class Score:
    """A model that was proven on a later cut.

    Attributes:
        model, calibrator: apply them in this order, or `predict`.
        validation: on the last cut.
        trained_on, calibrated_on, tested_on: moments.
        window_days: what the probabilities speak of.
    """

    model: Logistic
    calibrator: Calibrator
    validation: Validation
    trained_on: tuple[np.datetime64, ...]
    calibrated_on: np.datetime64 | None
    tested_on: np.datetime64
    window_days: int

    def rank(self, features: Features) -> np.ndarray:
        """Return (n,) scores by which to rank: not calibrated, so that hardly two are the same."""
        return self.model.predict(align(features, self.model.names))

    def predict(self, features: Features, *, exposure: float = 1.0) -> np.ndarray:
        """Return (n,) calibrated probabilities of the window that begins at the features' moment."""
        return self.calibrator.apply(self.model.predict(align(features, self.model.names), exposure=exposure))


@dataclass(frozen=True, slots=True)
class Choice:
    """Who is worth a contact.

    Attributes:
        act: (n,) whether the contact is expected to pay.
        order: (m,) those who are, the most worth first; at most `capacity`.
        net_cny: (n,) expected net worth of contacting each.
        threshold: probability from which a contact pays; None where gains or costs differ between people.
        expected_net_cny: of those in `order`.
        observed_net_cny: of those in `order`, with what happened in place of the probability; None without labels.
        left_out: how many would pay but are beyond capacity.
    """

    act: np.ndarray
    order: np.ndarray
    net_cny: np.ndarray
    threshold: float | None
    expected_net_cny: float
    observed_net_cny: float | None
    left_out: int


@dataclass(frozen=True, slots=True)
class Uplift:
    """Difference of two shares, contacted less held out.

    Attributes:
        treated, held_out: shares; of n_treated and n_held_out people.
        difference: points as a share; interval by Newcombe's method from two Wilson intervals.
    """

    treated: float
    held_out: float
    n_treated: int
    n_held_out: int
    difference: float
    interval: Interval


def need_before(stamps: np.ndarray, moment: np.datetime64, *, field: str = "features") -> None:
    """Refuse features that were stamped at or after the moment whose future they are to tell.

    Args:
        stamps: (n,) the latest stamp that each row's features rest on; NaT where a row rests on none.
        moment: the cut.

    Raises:
        InputError: a stamp is not before the moment.
    """
    seen = np.ma.filled(np.ma.asarray(stamps).astype("datetime64[us]"), np.datetime64("NaT"))
    late = seen >= np.datetime64(moment, "us")
    guard = Guard()
    if late.any():
        guard.add("feature_after", field, str(seen[late].max()), moment=str(np.datetime64(moment, "s")),
                  rows=int(late.sum()))  # fmt: skip
    guard.done()


def build_features(columns: Mapping[str, np.ndarray], moment: np.datetime64) -> Features:
    """Turn the columns of the text customer_features into numbers for a regression.

    A time becomes three columns: the log of 1 + days before the moment, how fresh it is (1 now, falling by e in 30
    days), and whether there is none. Counts become log(1 + count), which tames the few with very many; labels become a
    column each. Who joined lately and has not ordered yet is a column of its own, `newcomer`: a first order comes soon
    or hardly ever.

    Args:
        columns: name -> (n,) values: times, counts, or texts. `person`, `staff_id` and `last_stamp` are passed over, as
            are masked arrays' masks turned into "no such time", "" and 0.
        moment: the cut.

    Raises:
        InputError: a stamp at or after the moment, a negative or infinite count, columns of different lengths.

    >>> built = build_features({"acts_30": np.array([0, 3])}, np.datetime64("2026-10-01"))
    >>> built.names, built.values.round(3).tolist()
    (('acts_30',), [[0.0], [1.386]])
    """
    passed = {"person", "staff_id", "last_stamp"}
    if "last_stamp" in columns:
        need_before(columns["last_stamp"], moment, field="last_stamp")
    guard = Guard()
    lengths = {len(column) for column in columns.values()}
    if len(lengths) != 1:
        guard.add("shape", "columns", f"lengths {sorted(lengths)}", expected="one length")
    guard.done()
    names: list[str] = []
    made: list[np.ndarray] = []
    for name, column in columns.items():
        if name in passed:
            continue
        values = np.ma.asarray(column)
        if values.dtype.kind == "M":
            need_before(values, moment, field=name)
            at = np.ma.filled(values.astype("datetime64[us]"), np.datetime64("NaT"))
            days = (np.datetime64(moment, "us") - at) / DAY
            none = np.isnat(at)
            days = np.where(none, 0.0, days)
            fresh = np.where(none, 0.0, np.exp(-days / FRESH_DAYS))
            names += [f"{name}_days", f"{name}_fresh", f"{name}_none"]
            made += [np.log1p(days), fresh, none.astype(float)]
            if name == "joined_at" and "orders" in columns:
                names.append("newcomer")
                made.append(fresh * (np.ma.filled(columns["orders"], 0) == 0))
        elif values.dtype.kind in "iufb":
            counts = guard.numbers(name, np.ma.filled(values.astype(float), 0.0), low=0.0)
            names.append(name)
            made.append(np.log1p(counts))
        else:
            texts = np.array(["" if text is None else str(text) for text in np.ma.filled(values, None)], dtype=str)
            for label in sorted(set(texts.tolist()) - {""}):
                names.append(f"{name}={label}")
                made.append((texts == label).astype(float))
    guard.done()
    n = lengths.pop()
    return Features(tuple(names), np.column_stack(made) if made else np.zeros((n, 0)))


def align(features: Features, names: Sequence[str]) -> Features:
    """Return the columns `names`, 0 where there is none: labels that occur at one cut and not at another."""
    place = {name: i for i, name in enumerate(features.names)}
    out = np.zeros((len(features.values), len(names)))
    for j, name in enumerate(names):
        if name in place:
            out[:, j] = features.values[:, place[name]]
    return Features(tuple(names), out)


def fit_logistic(features: Features, label: np.ndarray, *, exposure: object = 1.0) -> Logistic:
    """Fit a logistic regression by maximum likelihood; where that has no answer, with a ridge, and say so.

    Columns are standardised inside. Constant columns and those that follow from others are left out and named.

    Args:
        features: (n, p).
        label: (n,) 0 or 1, both.
        exposure: of each row's window, > 0; a number or (n,).

    Raises:
        InputError: lengths differ, a value is not finite, labels are not 0 and 1, all labels are the same.

    Source: Newton's method; Albert & Anderson 1984 on separation.

    >>> model = fit_logistic(Features(("x",), np.array([[0.0], [0], [0], [0], [1], [1], [1], [1]])),
    ...                      np.array([0, 0, 0, 1, 0, 1, 1, 1]))
    >>> round(model.intercept, 4), model.coef.round(4).tolist()  # log odds of 1/4, and of 3/4 above them
    (-1.0986, [2.1972])
    """
    guard = Guard()
    y = _labels(guard, label)
    x = guard.numbers("features", features.values, ndim=(2,)) if features.values.size else features.values
    known = guard.numbers("exposure", exposure, above=0.0, ndim=(0, 1))
    if len(x) != len(y):
        guard.add("shape", "label", f"shape {y.shape}", expected=f"{len(x)} rows")
    elif known.ndim and len(known) != len(y):
        guard.add("shape", "exposure", f"shape {known.shape}", expected=f"{len(x)} rows")
    guard.done()
    offset = np.broadcast_to(np.log(known), y.shape)
    events = int(y.sum())
    if events in (0, len(y)):
        guard.add("one_class", "label", int(y[0]), n=len(y))
    guard.done()
    mean, sd = x.mean(axis=0), x.std(axis=0)
    kept = _independent((x - mean) / np.where(sd > 0, sd, 1.0), sd > SMALL * (1 + np.abs(mean)))
    z = (x[:, kept] - mean[kept]) / sd[kept]
    tried, reason, se = ["maximum_likelihood"], None, None
    beta, information, converged = _newton(z, y, offset, 0.0)
    errors = np.sqrt(np.diag(np.linalg.inv(information + SMALL * np.eye(len(beta)))))
    if np.abs(beta[1:]).max(initial=0.0) > LARGEST_COEF or errors.max() > LARGEST_ERROR:
        reason = "separation"
    elif not converged:
        reason = "not_converged"
    if reason:
        tried.append("ridge")
        beta, _, converged = _newton(z, y, offset, RIDGE)
    else:
        se = np.zeros(x.shape[1])
        se[kept] = errors[1:] / sd[kept]
    coef = np.zeros(x.shape[1])
    coef[kept] = beta[1:] / sd[kept]
    intercept = float(beta[0] - mean @ coef)
    p = _expit(offset + beta[0] + z @ beta[1:])
    dropped = tuple(name for name, keep in zip(features.names, kept, strict=True) if not keep)
    method = "ridge" if reason else "maximum_likelihood"
    return Logistic(features.names, intercept, coef, se, method, reason, dropped, len(y), events,
                    float(_loglik(p, y)), tuple(tried))  # fmt: skip


def fit_calibrator(probability: np.ndarray, label: np.ndarray, *, method: str = "auto") -> Calibrator:
    """Fit what turns raw probabilities into calibrated ones.

    Args:
        probability: (n,) raw.
        label: (n,) 0 or 1, of people that the raw model has not seen.
        method: "isotonic" (any rising curve), "platt" (a line in log odds), or "auto": isotonic where 1,000 have each
            label, else platt where a likelihood ratio test at 5 % says that the raw ones are off, else none.

    Returns:
        The calibrator; method "none" with a reason where fewer than 30 have one of the labels.

    Raises:
        InputError: lengths, or a value out of range, or an unknown method.

    Source: Platt 1999; Zadrozny & Elkan 2002; Niculescu-Mizil & Caruana 2005 on how many isotonic needs.

    >>> fit_calibrator(np.full(100, 0.2), np.arange(100) % 2).apply(np.array([0.2])).round(3).tolist()
    [0.5]
    """
    guard = Guard()
    p, y = _pair(guard, probability, label)
    guard.choice("method", method, ("auto", "isotonic", "platt"))
    guard.done()
    events = int(y.sum())
    fewer = min(events, len(y) - events)
    if fewer < FEWEST_TO_CALIBRATE:
        return Calibrator("none", reason="few_events", n=len(y), events=events)
    if method == "platt" or (method == "auto" and fewer < FEWEST_FOR_ISOTONIC):
        slope, intercept = _recalibration(p, y)
        if slope is None:
            slope, intercept = 0.0, float(_logit(y.mean()))
        found = Calibrator("platt", None if method == "platt" else "few_for_isotonic", intercept=intercept, slope=slope,
                           n=len(y), events=events)  # fmt: skip
        if method == "auto" and 2 * (_loglik(found.apply(p), y) - _loglik(p, y)) < CHI2_2_95:
            return Calibrator("none", reason="agrees", n=len(y), events=events)
        return found
    from scipy.optimize import isotonic_regression

    x, inverse, counts = np.unique(p, return_inverse=True, return_counts=True)
    means = np.bincount(inverse, weights=y, minlength=len(x)) / counts
    fit = isotonic_regression(means, weights=counts.astype(float))
    blocks = fit.blocks
    weight = np.add.reduceat(counts, blocks[:-1]).astype(float)
    knots = np.add.reduceat(x * counts, blocks[:-1]) / weight
    levels = fit.x[blocks[:-1]].copy()
    # an end block in which nobody, or everybody, did it tells of a rare event, not of none (Jeffreys' prior), and
    # reaches no further than its neighbour
    if levels[0] <= 0:
        levels[0] = min(0.5 / (weight[0] + 1), levels[1])
    if levels[-1] >= 1:
        levels[-1] = max(1 - 0.5 / (weight[-1] + 1), levels[-2])
    return Calibrator("isotonic", knots=knots, levels=levels, n=len(y), events=events)


def validate(
    probability: np.ndarray, label: np.ndarray, *, rank: np.ndarray | None = None, level: float = 0.95
) -> Validation:
    """Say how probabilities fared against what happened.

    Args:
        probability: (n,) calibrated.
        label: (n,) 0 or 1.
        rank: (n,) scores to rank by; the probabilities without.
        level: of intervals.

    Raises:
        InputError: lengths, or a value out of range.

    Source: DeLong, DeLong & Clarke-Pearson 1988; Cox 1958 (slope and intercept); Brier 1950.
    """
    guard = Guard()
    p, y = _pair(guard, probability, label)
    score = p if rank is None else guard.numbers("rank", rank, ndim=(1,))
    if len(score) != len(p):
        guard.add("shape", "rank", f"shape {score.shape}", expected=f"shape {p.shape}")
    guard.number("level", level, above=0.0, below=1.0)
    guard.done()
    n, events = len(y), int(y.sum())
    observed, predicted = events / n, float(p.mean())
    brier = float(((p - y) ** 2).mean())
    reason = {0: "no_events", n: "all_events"}.get(events)
    ratio = interval = None
    if events:
        band = wilson(events, n, level=level)
        ratio, interval = predicted / observed, Interval(predicted / band.high, predicted / band.low, level)
    area, band = auc(score, y, level=level) if reason is None else (None, None)
    slope, intercept = _recalibration(p, y) if reason is None else (None, None)
    return Validation(
        n, events, observed, predicted, ratio, interval, area, band,
        average_precision(score, y) if events else None,
        brier, 1 - brier / (observed * (1 - observed)) if reason is None else None,
        slope, intercept, _curve(p, y, level), lift(score, y, probability=p, level=level) if events else (), reason,
    )  # fmt: skip


def auc(score: np.ndarray, label: np.ndarray, *, level: float = 0.95) -> tuple[float, Interval]:
    """Return the area under the ROC curve, ties counted half, with DeLong's interval on the scale of log odds.

    Raises:
        InputError: lengths, not finite, not 0 and 1, or only one of them.

    >>> auc(np.array([0.1, 0.4, 0.35, 0.8]), np.array([0, 0, 1, 1]))[0]
    0.75
    """
    from scipy.stats import rankdata

    guard = Guard()
    s, y = guard.numbers("score", score, ndim=(1,)), _labels(guard, label)
    if len(s) != len(y):
        guard.add("shape", "score", f"shape {s.shape}", expected=f"shape {y.shape}")
    elif len(y) and y.sum() in (0, len(y)):
        guard.add("one_class", "label", int(y[0]), n=len(y))
    guard.done()
    yes = y == 1
    m, k = int(yes.sum()), int((~yes).sum())
    among = rankdata(s)
    above = (among[yes] - rankdata(s[yes])) / k  # of each with label 1: share of the others below
    below = 1 - (among[~yes] - rankdata(s[~yes])) / m
    area = float(above.mean())
    var = (above.var(ddof=1) / m if m > 1 else 0.25) + (below.var(ddof=1) / k if k > 1 else 0.25)
    z = NormalDist().inv_cdf(0.5 + level / 2)
    if area in (0.0, 1.0) or var <= 0:
        band = wilson(round(area * min(m, k)), min(m, k), level=level)
        return area, band
    half = z * np.sqrt(var) / (area * (1 - area))
    low, high = _expit(_logit(np.array([area, area])) + np.array([-half, half]))
    return area, Interval(float(low), float(high), level)


def average_precision(score: np.ndarray, label: np.ndarray) -> float:
    """Return the area under precision and recall: mean precision over the recall won; ties fall together.

    >>> round(average_precision(np.array([0.9, 0.8, 0.7]), np.array([1, 0, 1])), 4)
    0.8333
    """
    order = np.argsort(-score, kind="stable")
    last = np.append(np.diff(score[order]) != 0, True)
    hits = np.cumsum(label[order])[last]
    precision = hits / (np.flatnonzero(last) + 1)
    return float((np.diff(hits, prepend=0) * precision).sum() / hits[-1])


def lift(
    score: np.ndarray, label: np.ndarray, *, probability: np.ndarray | None = None, level: float = 0.95
) -> tuple[Decile, ...]:
    """Return the lift table, ten tenths from the likeliest on.

    Args:
        score: (n,) to rank by.
        label: (n,) 0 or 1, some 1.
        probability: (n,) whose mean is shown; the scores without.
    """
    s, y = np.asarray(score, dtype=float), np.asarray(label, dtype=float)
    p = s if probability is None else np.asarray(probability, dtype=float)
    n, events = len(y), float(y.sum())
    values, tied = np.unique(-s, return_inverse=True)
    counts = np.bincount(tied, minlength=len(values))
    edges = np.linspace(0, n, DECILES + 1)

    def by_edge(weights: np.ndarray) -> np.ndarray:
        sums = np.concatenate([[0.0], np.cumsum(np.bincount(tied, weights=weights, minlength=len(values)))])
        return np.diff(np.interp(edges, np.concatenate([[0], np.cumsum(counts)]), sums))

    hits, sums, size = by_edge(y), by_edge(p), n / DECILES
    out = []
    for i, captured in enumerate(np.cumsum(hits)):
        band = wilson(round(float(hits[i])), round(events), level=level)
        part = size / n
        out.append(Decile(i + 1, size, float(hits[i]), float(sums[i] / size), float(hits[i] / size),
                          float(hits[i] / events / part), float(captured / events),
                          Interval(band.low / part, band.high / part, level)))  # fmt: skip
    return tuple(out)


def fit_score(cuts: Sequence[Cut], *, calibration: str = "auto", level: float = 0.95) -> Score:
    """Fit on the earlier cuts and prove on the last.

    With three cuts or more the one before the last calibrates; with two the logistic regression stands as it is.

    Args:
        cuts: two or more, in order of time, of one window; each begins when the label windows of those before are over.
        calibration: "auto", "isotonic" or "platt", as `fit_calibrator` takes it.
        level: of intervals.

    Raises:
        InputError: fewer than two cuts, windows that overlap or differ, or training labels that are all the same.
    """
    guard = Guard()
    if len(cuts) < 2:
        guard.add("at_least", "cuts", len(cuts), low=2)
    for i, (one, other) in enumerate(pairwise(cuts)):
        if np.datetime64(one.moment, "us") + one.window_days * DAY > np.datetime64(other.moment, "us"):
            guard.add("cuts_overlap", f"cuts[{i + 1}].moment", str(other.moment), window=one.window_days,
                      before=str(one.moment))  # fmt: skip
        if one.window_days != other.window_days:
            guard.add("cuts_overlap", f"cuts[{i + 1}].window_days", other.window_days, window=one.window_days,
                      before=str(one.moment))  # fmt: skip
    guard.done()
    *early, test = cuts
    middle = early.pop() if len(early) > 1 else None
    names = tuple(dict.fromkeys(name for cut in early for name in cut.features.names))
    stacked = Features(names, np.concatenate([align(cut.features, names).values for cut in early]))
    exposure = np.concatenate([np.full(len(cut.label), float(cut.exposure)) for cut in early])
    model = fit_logistic(stacked, np.concatenate([cut.label for cut in early]), exposure=exposure)
    calibrator = Calibrator("none", reason="one_cut")
    if middle is not None:
        raw = model.predict(align(middle.features, names), exposure=middle.exposure)
        calibrator = fit_calibrator(raw, middle.label, method=calibration)
    raw = model.predict(align(test.features, names), exposure=test.exposure)
    return Score(
        model,
        calibrator,
        validate(calibrator.apply(raw), test.label, rank=raw, level=level),
        tuple(cut.moment for cut in early),
        None if middle is None else middle.moment,
        test.moment,
        test.window_days,
    )


def choose(
    probability: np.ndarray,
    *,
    gain_cny: object,
    cost_cny: object,
    capacity: int | None = None,
    label: np.ndarray | None = None,
) -> Choice:
    """Choose whom to contact by money: those with p x gain above the cost, the most worth first.

    Args:
        probability: (n,) that the event comes.
        gain_cny: what a contact earns where the event comes, >= 0: for purchases the margin of an order (times the
            share that the contact adds, where a hold-out has told it); for churn the value kept times success.
        cost_cny: of one contact, >= 0. Both a number or (n,).
        capacity: most contacts; None for any number.
        label: (n,) what happened, to say what the choice would have earned.

    Raises:
        InputError: a value is out of range or lengths differ.

    >>> found = choose(np.array([0.02, 0.3, 0.1]), gain_cny=50.0, cost_cny=4.0)
    >>> found.threshold, found.order.tolist(), found.expected_net_cny
    (0.08, [1, 2], 12.0)
    """
    guard = Guard()
    p = guard.share("probability", probability, ndim=(1,))
    gain, cost = (guard.numbers(name, value, low=0.0, ndim=(0, 1)) for name, value in
                  (("gain_cny", gain_cny), ("cost_cny", cost_cny)))  # fmt: skip
    for name, value in (("gain_cny", gain), ("cost_cny", cost)):
        if value.ndim and value.shape != p.shape:
            guard.add("shape", name, f"shape {value.shape}", expected=f"shape {p.shape}")
    if capacity is not None:
        guard.whole("capacity", capacity, low=0)
    y = None if label is None else _labels(guard, label)
    if y is not None and y.shape != p.shape:
        guard.add("shape", "label", f"shape {y.shape}", expected=f"shape {p.shape}")
    guard.done()
    net = p * gain - cost
    act = net > 0
    order = np.lexsort((np.arange(len(p)), -net))[: int(act.sum())]
    kept = order if capacity is None else order[:capacity]
    threshold = None
    if gain.ndim == cost.ndim == 0:
        threshold = float(cost / gain) if gain > 0 and cost <= gain else 1.0
    observed = None
    if y is not None:
        observed = float((y * gain - cost)[kept].sum())
    return Choice(act, kept, net, threshold, float(net[kept].sum()), observed, len(order) - len(kept))


def uplift(
    successes: object, n: object, held_out_successes: object, held_out_n: object, *, level: float = 0.95
) -> Uplift:
    """Return what contacts added, against people held out at random.

    Raises:
        InputError: counts that cannot be.

    Source: Newcombe 1998, method 10.

    >>> found = uplift(260, 1000, 200, 1000)
    >>> round(found.difference, 3), round(found.interval.low, 3), round(found.interval.high, 3)
    (0.06, 0.023, 0.097)
    """
    one, two = wilson(successes, n, level=level), wilson(held_out_successes, held_out_n, level=level)
    p, q = float(successes) / float(n), float(held_out_successes) / float(held_out_n)
    low = p - q - np.sqrt((p - one.low) ** 2 + (two.high - q) ** 2)
    high = p - q + np.sqrt((one.high - p) ** 2 + (q - two.low) ** 2)
    return Uplift(p, q, int(n), int(held_out_n), p - q, Interval(float(low), float(high), level))


def _expit(x: np.ndarray) -> np.ndarray:
    from scipy.special import expit

    return expit(x)


def _logit(p: np.ndarray) -> np.ndarray:
    clipped = np.clip(p, SMALL, 1 - SMALL)
    return np.log(clipped) - np.log1p(-clipped)


def _loglik(p: np.ndarray, y: np.ndarray) -> float:
    clipped = np.clip(p, SMALL, 1 - SMALL)
    return (y * np.log(clipped) + (1 - y) * np.log1p(-clipped)).sum()


def _labels(guard: Guard, label: object) -> np.ndarray:
    raw = np.asarray(label)
    y = guard.numbers("label", raw.astype(float) if raw.dtype.kind == "b" else raw, ndim=(1,))
    wrong = ~np.isin(y, (0.0, 1.0))
    if wrong.any() and np.isfinite(y).all():
        guard.add("not_a_share", "label", float(y[wrong][0]))
    return y


def _pair(guard: Guard, probability: object, label: object) -> tuple[np.ndarray, np.ndarray]:
    p, y = guard.share("probability", probability, ndim=(1,)), _labels(guard, label)
    if p.shape != y.shape:
        guard.add("shape", "label", f"shape {y.shape}", expected=f"shape {p.shape}")
    return p, y


def _independent(z: np.ndarray, varies: np.ndarray) -> np.ndarray:
    """Return (p,) which columns to keep: varying, and no sum of those before."""
    kept = varies.copy()
    gram = z.T @ z / len(z)
    for j in np.flatnonzero(varies):
        before = np.flatnonzero(kept[:j])
        if len(before):
            weights = np.linalg.lstsq(gram[np.ix_(before, before)], gram[before, j], rcond=None)[0]
            kept[j] = gram[j, j] - gram[before, j] @ weights > 1e-8
    return kept


def _newton(z: np.ndarray, y: np.ndarray, offset: np.ndarray, ridge: float) -> tuple[np.ndarray, np.ndarray, bool]:
    """Return coefficients (the intercept first, free of the ridge), information, and whether the method came to rest.

    Steps are halved until they gain; rows are taken some at a time, so that memory stays bounded.
    """
    size = z.shape[1] + 1
    penalty = np.full(size, ridge)
    penalty[0] = 0.0
    beta = np.zeros(size)
    beta[0] = _logit(y.mean()) - offset.mean()

    def linear(b: np.ndarray) -> np.ndarray:
        return offset + b[0] + z @ b[1:]

    def worth(b: np.ndarray) -> float:
        at = linear(b)
        return float((y * at - np.logaddexp(0.0, at)).sum() - 0.5 * (penalty * b * b).sum())

    def curvature(b: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        p = _expit(linear(b))
        slope = np.concatenate([[(y - p).sum()], z.T @ (y - p)]) - penalty * b
        curve = np.diag(penalty)
        for first in range(0, len(z), CHUNK_ROWS):
            part = z[first : first + CHUNK_ROWS]
            weight = (p * (1 - p))[first : first + CHUNK_ROWS]
            weighted = part * weight[:, None]
            curve[0, 0] += weight.sum()
            curve[0, 1:] += weighted.sum(axis=0)
            curve[1:, 1:] += weighted.T @ part
        curve[1:, 0] = curve[0, 1:]
        return slope, curve

    best = worth(beta)
    for _ in range(STEPS):
        slope, curve = curvature(beta)
        step = np.linalg.solve(curve + SMALL * np.eye(size), slope)
        part = 1.0
        while part > 1e-8 and not worth(beta + part * step) >= best:
            part /= 2
        if part <= 1e-8:
            return beta, curve, float(slope @ step) < 1e-6
        beta = beta + part * step
        before, best = best, worth(beta)
        if np.abs(beta[1:]).max(initial=0.0) > 2 * LARGEST_COEF and not ridge:
            return beta, curve, False
        if best - before < 1e-12 * (1 + abs(best)):
            return beta, curve, True
    return beta, curvature(beta)[1], False


def _recalibration(p: np.ndarray, y: np.ndarray) -> tuple[float | None, float | None]:
    """Return slope and intercept of the label on the log odds; None where all odds are the same or they separate."""
    odds = _logit(p)
    if np.ptp(odds) < 1e-9:
        return None, None
    found = fit_logistic(Features(("odds",), odds[:, None]), y)
    return (None, None) if found.method == "ridge" else (float(found.coef[0]), found.intercept)


def _curve(p: np.ndarray, y: np.ndarray, level: float) -> tuple[Bin, ...]:
    order = np.argsort(p, kind="stable")
    out = []
    for some in np.array_split(order, min(BINS, len(order))):
        hits = int(y[some].sum())
        band = wilson(hits, len(some), level=level)
        out.append(Bin(len(some), float(p[some].mean()), hits / len(some), band))
    return tuple(out)
