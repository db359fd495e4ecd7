"""A test read out of a table: as independent computations say, planted faults named, the screen and its JSON."""

import csv
import json
import re
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose
from scipy import stats
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.proportion import confint_proportions_2indep, proportions_ztest
from statsmodels.stats.weightstats import CompareMeans, DescrStatsW

from planlib import cli
from planlib.core.errors import InputError
from planlib.core.words import words
from planlib.data.engine import Engine
from planlib.experiments.sequential import confidence_sequence, repeated_interval, spending_boundaries
from planlib.experiments.trial import Guardrail, Metric, Money, Question
from planlib.readout import TRIAL, read_out_file, read_out_trial
from planlib.readout_pdf import write_pdf
from planlib.readout_screen import lines, plain

COOKIE_CATS = Path(__file__).parents[2] / "shared" / "datasets" / "cookie_cats" / "cookie_cats.csv.gz"
PAGE = 48  # lines


def rows_of(n=3000, seed=5):
    """People of a test with an effect on shares and means, a past, missing values and three arms."""
    rng = np.random.default_rng(seed)
    arm = rng.choice(["old", "new", "other"], n)
    before = rng.gamma(2, 30, n)
    lift = np.select([arm == "new", arm == "other"], [6.0, 1.0], 0.0)
    frame = pd.DataFrame({
        "id": np.arange(n),
        "arm": arm,
        "bought": (rng.random(n) < 0.2 + lift / 100).astype(int),
        "left": rng.random(n) < 0.03,
        "paid": (before * 0.7 + rng.gamma(2, 20, n) + lift).round(2),
        "orders": rng.poisson(2, n),
        "before": before.round(2),
        "class": rng.choice(["a", "b", "c"], n),
        "day": pd.Timestamp("2027-01-04") + pd.to_timedelta(np.sort(rng.integers(0, 21, n)), unit="D"),
    })
    frame.loc[frame.index % 17 == 0, "paid"] = np.nan
    return frame


def written(frame, path):
    frame.to_csv(path, index=False)
    return path


def table(path, head, rows):
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([head, *rows])
    return path


def split(count):
    """Rows (id, arm, y) in turn."""
    return [[at, "ab"[at % 2], int(at // 2 % 3 == 0)] for at in range(count)]


@pytest.fixture(scope="module")
def trial(tmp_path_factory):
    frame = rows_of()
    path = written(frame, tmp_path_factory.mktemp("trial") / "人员.csv")
    question = Question(
        "arm",
        "old",
        (Metric("bought"), Metric("paid"), Metric("paid", "orders")),
        unit="id",
        guardrails=(Guardrail(Metric("left", higher_is_better=False), margin_abs=0.02),),
        segments=("class",),
        date="day",
        money=Money(80.0, 10_000),
    )
    return frame, read_out_file(path, question)


def test_shares_as_statsmodels(trial):
    frame, found = trial
    assert found.arms == ("old", "new", "other")
    assert found.kinds == {"bought": "share", "paid": "mean", "paid/orders": "ratio", "left": "share"}
    old = frame[frame["arm"] == "old"]["bought"]
    p = []
    for effect in found.primary:
        own = frame[frame["arm"] == effect.treatment]["bought"]
        row = effect.difference
        assert_allclose(row.estimate, own.mean() - old.mean(), rtol=1e-12)
        level = row.interval.level
        peer = confint_proportions_2indep(
            own.sum(), len(own), old.sum(), len(old), method="newcomb", alpha=1 - level
        )
        assert_allclose((row.interval.low, row.interval.high), peer, rtol=1e-9)
        p.append(proportions_ztest([own.sum(), old.sum()], [len(own), len(old)])[1])
        assert_allclose(row.p_value, p[-1], rtol=1e-9)
        assert_allclose(effect.lift.estimate, own.mean() / old.mean() - 1, rtol=1e-12)
    assert_allclose([effect.p_adjusted for effect in found.primary], multipletests(p, method="holm")[1])
    assert {effect.correction for effect in found.primary} == {"holm"}
    left = [1 - 0.05 * own / adjusted for own, adjusted in zip(p, multipletests(p, method="holm")[1], strict=True)]
    assert_allclose([effect.difference.interval.level for effect in found.primary], left)
    assert max(left) > 0.97 and min(left) < 0.96


def test_means_and_ratios_as_pandas(trial):
    frame, found = trial
    known = frame.dropna(subset=["paid"])
    old = known[known["arm"] == "old"]
    p = []
    for effect in found.secondary:
        own = known[known["arm"] == effect.treatment]
        row = effect.difference
        assert row.n == (len(old), len(own))
        if effect.kind == "mean":
            peer = CompareMeans(DescrStatsW(own["paid"]), DescrStatsW(old["paid"]))
            low, high = peer.tconfint_diff(usevar="unequal")
            p.append(peer.ttest_ind(usevar="unequal")[1])
        else:
            parts = []
            for rows in (old, own):
                ratio = rows["paid"].sum() / rows["orders"].sum()
                rest = (rows["paid"] - ratio * rows["orders"]) / rows["orders"].mean()
                parts.append((ratio, rest.var() / len(rows), len(rows) - 1))
            (r_c, v_c, f_c), (r_t, v_t, f_t) = parts
            df = (v_c + v_t) ** 2 / (v_c**2 / f_c + v_t**2 / f_t)
            peer = stats.t(df, r_t - r_c, np.sqrt(v_c + v_t))
            low, high = peer.ppf([0.025, 0.975])
            p.append(2 * min(peer.cdf(0), peer.sf(0)))
        assert_allclose((row.interval.low, row.interval.high), (low, high), rtol=1e-6)
        assert_allclose(row.p_value, p[-1], rtol=1e-6)
    adjusted = multipletests(p, method="fdr_bh")[1]
    assert_allclose([effect.p_adjusted for effect in found.secondary], adjusted)


def test_segments_course_and_beliefs(trial):
    frame, found = trial
    p = []
    for effect in found.segments:
        part = frame[frame["class"] == effect.segment[1]]
        of_arms = [part[part["arm"] == arm]["bought"] for arm in ("old", effect.treatment)]
        assert_allclose(effect.difference.estimate, of_arms[1].mean() - of_arms[0].mean())
        p.append(effect.difference.p_value)
    assert len(found.segments) == 6
    assert_allclose([effect.p_adjusted for effect in found.segments], multipletests(p, method="fdr_bh")[1])
    course = found.courses[0]
    assert course.days[-1] == "2027-01-24" and len(course.days) == 21
    until = frame[(frame["day"] <= "2027-01-10") & frame["arm"].isin(["old", "new"])]
    old, new = (until[until["arm"] == arm]["bought"] for arm in ("old", "new"))
    se = np.sqrt(old.var() / len(old) + new.var() / len(new))
    everybody = len(frame[frame["arm"].isin(["old", "new"])])
    peer = confidence_sequence(new.mean() - old.mean(), se, len(until), tuning_n=everybody, alpha=0.025)
    at = course.days.index("2027-01-10")
    assert_allclose((course.sequence.low[at], course.sequence.high[at]), (peer.low, peer.high), rtol=1e-9)
    assert_allclose(found.belief.best.sum(), 1.0)
    rng = np.random.default_rng(1)
    drawn = np.stack([rng.beta(arm.a, arm.b, 200_000) for arm in found.belief.arms])
    assert_allclose(found.belief.best, [(drawn.argmax(axis=0) == at).mean() for at in range(3)], atol=0.005)
    lost = np.maximum(drawn[0] - drawn[1], 0).mean()
    assert_allclose(found.belief.loss_cny[0, 0], lost * 80 * 10_000, rtol=0.05, atol=1.0)


def test_guardrail_and_decision(trial):
    frame, found = trial
    guard = next(one for one in found.guardrails if one.treatment == "new")
    old, new = (frame[frame["arm"] == arm]["left"] for arm in ("old", "new"))
    assert_allclose(guard.result.estimate, new.mean() - old.mean())
    assert guard.result.detail["margin"] == 0.02 and guard.result.detail["passed"] == 1.0
    assert (found.decision.id, found.chosen) == ("ship", "new")
    assert found.decision.reasons == ("effect_shown", "guardrails_cleared")
    kept = found.adoptable[0]
    assert 0 < kept.shrunken < kept.lift.estimate and kept.exaggeration.type_m > 1


def test_cuped_loses_nobody_and_gains_width(tmp_path):
    frame = rows_of()
    frame.loc[frame.index % 5 == 0, "before"] = np.nan
    path = written(frame, tmp_path / "past.csv")
    found = read_out_file(path, Question("arm", "old", (Metric("paid", covariate="before"),)))
    effect = found.primary[0]
    known = frame.dropna(subset=["paid"])
    assert effect.difference.n == tuple((known["arm"] == arm).sum() for arm in ("old", effect.treatment))
    pair = known[known["arm"].isin(["old", effect.treatment])]
    fill = pair["before"].fillna(frame["before"].mean())
    theta = np.cov(pair["paid"], fill)[0, 1] / fill.var()
    left = pair["paid"] - theta * fill
    peer = CompareMeans(*(DescrStatsW(left[pair["arm"] == arm]) for arm in (effect.treatment, "old")))
    low, high = peer.tconfint_diff(alpha=1 - effect.difference.interval.level, usevar="unequal")
    assert_allclose((effect.difference.interval.low, effect.difference.interval.high), (low, high), rtol=0.01)
    assert effect.difference.method == "cuped" and effect.unadjusted.method == "welch"
    assert effect.difference.se < 0.9 * effect.unadjusted.se
    assert found.health.missing["before"] == tuple(
        int(frame[frame["arm"] == arm]["before"].isna().sum()) for arm in found.arms
    )
    assert [one.covariate for one in found.health.balance] == ["before", "before"]
    assert all(abs(one.smd) < 0.1 for one in found.health.balance)


def test_what_is_believed_and_the_course_by_day_are_adjusted_as_the_primary_is(tmp_path):
    frame = rows_of()
    question = Question("arm", "old", (Metric("paid", covariate="before"),), date="day")
    found = read_out_file(written(frame, tmp_path / "three.csv"), question)
    known = frame.dropna(subset=["paid"])
    theta = np.cov(known["paid"], known["before"])[0, 1] / known["before"].var()
    left = known["paid"] - theta * (known["before"] - known["before"].mean())
    of_arms = [left[known["arm"] == arm] for arm in found.arms]
    assert_allclose([arm.mean for arm in found.belief.arms], [arm.mean() for arm in of_arms], rtol=1e-4)
    assert_allclose([arm.var for arm in found.belief.arms], [arm.var() / len(arm) for arm in of_arms], rtol=1e-3)
    for course, effect, belief in zip(found.courses, found.primary, found.belief.effects, strict=True):
        assert course.method == "cuped"
        assert_allclose(course.sequence.estimate[-1], effect.difference.estimate, rtol=1e-9)
        assert_allclose((course.se[-1], belief.mean), (effect.difference.se, effect.difference.estimate), rtol=1e-9)
    until = known[(known["day"] <= "2027-01-10") & known["arm"].isin(["old", found.courses[0].treatment])]
    pair = known[known["arm"].isin(["old", found.courses[0].treatment])]
    theta = np.cov(pair["paid"], pair["before"])[0, 1] / pair["before"].var()
    mean = (until["paid"] - theta * until["before"]).groupby(until["arm"]).mean()
    at = found.courses[0].days.index("2027-01-10")
    assert_allclose(found.courses[0].sequence.estimate[at], mean[found.courses[0].treatment] - mean["old"], rtol=1e-6)


def test_arms_swapped_turn_the_sign(tmp_path):
    frame = rows_of(seed=9)
    path = written(frame[frame["arm"] != "other"], tmp_path / "two.csv")
    metrics = (Metric("paid"), Metric("bought"), Metric("paid", "orders"))
    one, other = (read_out_file(path, Question("arm", control, metrics)) for control in ("old", "new"))
    for a, b in zip((*one.primary, *one.secondary), (*other.primary, *other.secondary), strict=True):
        assert_allclose(a.difference.estimate, -b.difference.estimate, rtol=1e-12)
        assert_allclose(a.difference.interval.low, -b.difference.interval.high, rtol=1e-9)
        assert_allclose(a.difference.p_value, b.difference.p_value, rtol=1e-9)
    assert one.decision.id == "ship" and other.decision.id == "do_not"


def test_looks_decide_by_their_boundary(tmp_path):
    frame = rows_of(seed=3)
    frame = frame[frame["arm"] != "other"]
    path = written(frame, tmp_path / "looks.csv")
    plan = {"planned_people": 2 * len(frame), "looks": (0.25, 0.5, 1.0)}
    found = read_out_file(path, Question("arm", "old", (Metric("paid"),), stopping="obrien_fleming", **plan))
    effect = found.primary[0]
    bounds = spending_boundaries([0.25, 0.5], "obrien_fleming", alpha=0.05)
    band = repeated_interval(bounds, 2, effect.difference.estimate, effect.difference.se)
    assert effect.deciding_method == "group_sequential" and found.reached == 0.5
    assert_allclose((effect.deciding.low, effect.deciding.high), (band.low, band.high), rtol=1e-6)
    early = read_out_file(path, Question("arm", "old", (Metric("paid"),), planned_people=2 * len(frame)))
    assert early.primary[0].deciding_method == "confidence_sequence"
    assert early.primary[0].deciding.low < effect.difference.interval.low
    done = read_out_file(path, Question("arm", "old", (Metric("paid"),), planned_people=len(frame)))
    assert done.primary[0].deciding is None


@pytest.mark.skipif(not COOKIE_CATS.is_file(), reason="the public data set is not on this machine")
@pytest.mark.parametrize(("locale", "flagged"), [("en", "unusual (p = 0.0086)"), ("zh", "异常（p = 0.0086）")])
def test_cookie_cats_as_published(locale, flagged):
    question = Question("version", "gate_30", (Metric("retention_1"), Metric("retention_7")), unit="userid")
    found = read_out_file(COOKIE_CATS, question)
    day_1, day_7 = found.primary[0].difference, found.secondary[0].difference
    assert [round(100 * share, 2) for share in (day_1.control, day_1.treatment)] == [44.82, 44.23]
    assert [round(100 * share, 2) for share in (day_7.control, day_7.treatment)] == [19.02, 18.20]
    assert round(day_1.p_value, 4) == 0.0744 and round(day_7.p_value, 5) == 0.00155
    assert round(found.health.mismatch.test.p_value, 4) == 0.0086
    assert not found.health.mismatch.alarm and found.health.watch
    shown = "\n".join(lines(found, words(locale)))
    assert flagged in shown and "44.82%" in shown and "44.23%" in shown and "18.20%" in shown


def faulty(tmp_path, name):
    """A table with one planted fault, and the question that finds it."""
    head, rows = ["id", "arm", "y", "batch", "status"], []
    for at in range(4000):
        arm, batch = "ab"[at % 2], f"b{at % 40 // 2}"
        rows.append([at, arm, at // 2 % 5 == 0, batch, "sent" if at // 2 % 8 else "failed"])
    question = {"unit": "id", "dimensions": ("batch",), "after_assignment": ("status",)}
    if name == "some_labels":
        rows = [row for row in rows if not (row[1] == "b" and row[3] == "b7" and row[0] % 10 < 8)]
    elif name == "filtered_after_assignment":
        rows = [row for row in rows if not (row[1] == "b" and row[4] == "failed")]
    elif name == "spread_evenly":
        rows = [row for at, row in enumerate(rows) if not (row[1] == "b" and at // 2 % 7 == 0)]
        question["after_assignment"] = ()
    elif name == "in_two_arms":
        rows[10][0] = rows[11][0]
    elif name == "double_rows":
        rows[10][0] = rows[12][0]
    return table(tmp_path / f"{name}.csv", head, rows), Question("arm", "a", (Metric("y"),), **question)


@pytest.mark.parametrize("name", ["some_labels", "filtered_after_assignment", "spread_evenly"])
def test_planted_mismatch_is_named(tmp_path, name):
    path, question = faulty(tmp_path, name)
    found = read_out_file(path, question)
    assert found.health.mismatch.cause == name and found.health.mismatch.arm == 1
    assert found.decision.id == "invalid" and found.decision.reasons == ("srm",)
    assert found.adoptable == ()
    for locale in ("zh", "en"):
        shown = list(lines(found, words(locale)))
        cause = words(locale).text(f"experiments.remedy.{found.health.mismatch.remedy}")
        assert any(cause in line for line in shown)
    if name == "some_labels":
        assert found.health.mismatch.labels == ("b7",)
        kept = Question("arm", "a", (Metric("y"),), unit="id", dimensions=("batch",), leave_out=(("batch", "b7"),))
        saved = read_out_file(path, kept)
        assert saved.decision.id == "do_not" and not saved.health.faults
        assert saved.health.left_out == found.health.rows - saved.health.rows > 0


@pytest.mark.parametrize("name", ["in_two_arms", "double_rows"])
def test_people_who_stand_twice_make_it_invalid(tmp_path, name):
    found = read_out_file(*faulty(tmp_path, name))
    assert (found.health.in_two_arms, found.health.double_rows) == ((1, 0) if name == "in_two_arms" else (0, 1))
    assert found.decision.reasons == (name,)


def test_a_sound_table_has_no_fault(tmp_path):
    found = read_out_file(*faulty(tmp_path, "none"))
    assert found.health.faults == () and found.health.mismatch.cause is None and not found.health.watch


def test_a_split_of_52_to_48_fails(tmp_path):
    """Of 40,000 users: the acceptance of the loop."""
    rows = [[at, "a" if at % 100 < 52 else "b", at % 3 == 0] for at in range(40_000)]
    found = read_out_file(table(tmp_path / "srm.csv", ["id", "arm", "y"], rows), Question("arm", "a", (Metric("y"),)))
    assert found.health.mismatch.alarm and found.decision.id == "invalid"


def test_not_computable_says_why(tmp_path):
    cases = {
        "equal": ([[at, "ab"[at % 2], 5] for at in range(40)], "no_variance"),
        "nobody": ([[at, "ab"[at % 2], 0] for at in range(40)], "no_variance"),
        "everybody": ([[at, "ab"[at % 2], True] for at in range(40)], "no_variance"),
        "lacking": ([[at, "ab"[at % 2], at % 7 if at % 2 else None] for at in range(40)], "no_values"),
        "lacking_share": ([[at, "ab"[at % 2], at // 2 % 2 if at % 2 else None] for at in range(40)], "no_values"),
        "two_people": ([[1, "a", 3.5], [2, "b", 4.5]], "too_few"),
    }
    for name, (rows, reason) in cases.items():
        found = read_out_file(
            table(tmp_path / f"{name}.csv", ["id", "arm", "y"], rows), Question("arm", "a", (Metric("y"),), unit="id")
        )
        row = found.primary[0].difference
        assert (row.interval, row.p_value, row.reason) == (None, None, reason), name
        assert found.decision.id == "invalid" and found.decision.reasons == (f"not_computable:{reason}",)
        for locale in ("zh", "en"):
            why = words(locale).inside(words(locale).text(f"experiments.reason.{reason}"))
            assert any(why in line for line in lines(found, words(locale)))


def tidy(folder, *, early=False):
    """An experiment in the tables that a data folder holds."""
    con = duckdb.connect()
    assigned, outcomes = [], []
    for at in range(400):
        arm = ("control", "coupon")[at % 2]
        day = f"2027-01-{2 + at % 5:02d}"
        assigned.append(f"('e', 'p{at}', '{arm}', 0.5, TIMESTAMP '{day} 08:00:00', 'staff{at % 8 // 2}')")
        later = "2026-12-01" if early and at == 7 else "2027-01-20"
        for metric, value, time in (
            ("orders", at % (2 + at % 2), later),
            ("before", at % 9, "2026-12-20"),
            ("delivered", int(not (arm == "coupon" and at % 8 // 2 == 3)), "2027-01-20"),
        ):
            outcomes.append(f"('e', 'p{at}', '{metric}', {float(value)}, TIMESTAMP '{time} 08:00:00')")
    for name, rows, head in (
        ("assignments", assigned, "exp_id, unit_hid, variant, ratio_planned, assigned_at, block"),
        ("outcomes", outcomes, 'exp_id, unit_hid, metric, value, "at"'),
    ):
        values = f"SELECT * FROM (VALUES {', '.join(rows)}) AS t({head})"
        con.execute(f"COPY ({values}) TO '{(folder / name).as_posix()}.parquet' (FORMAT parquet)")
    return {name: folder / f"{name}.parquet" for name in ("assignments", "outcomes")}


@pytest.mark.parametrize("early", [False, True])
def test_a_tidy_trial_counts_by_assignment(tmp_path, early):
    question = Question(
        control="control", metrics=(Metric("orders", covariate="before"),), dimensions=("block",),
        delivered="delivered", **TRIAL,
    )  # fmt: skip
    with Engine(tmp_path / "none", tables=tidy(tmp_path, early=early)) as engine:
        found = read_out_trial(engine, "e", question)
    assert found.people == (200, 200) and found.health.shares == (0.5, 0.5) and not found.health.shares_assumed
    assert found.health.reached.cause == "some_labels" and found.health.reached.labels == ("staff3",)
    assert found.health.outcome_before_exposure == int(early)
    assert ("outcome_before_exposure" in found.health.faults) is early
    assert found.courses[0].days == tuple(f"2027-01-{day:02d}" for day in range(2, 7))


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"metrics": ()}, "empty"),
        ({"metrics": (Metric("paid", covariate_denominator="orders"),)}, "missing"),
        ({"metrics": (Metric("paid", "orders", covariate="before"),)}, "missing"),
        ({"metrics": (Metric("paid", kind="median"),)}, "choice"),
        ({"metrics": (Metric("paid", kind="share"),)}, "not_a_share"),
        ({"metrics": (Metric("class"),)}, "not_number"),
        ({"metrics": (Metric("nobody"),)}, "choice"),
        ({"control": "nobody"}, "unknown_control"),
        ({"alpha": 0.0}, "between"),
        ({"looks": (0.5, 0.4, 1.0)}, "looks"),
        ({"planned_people": 0}, "at_least"),
        ({"worth": 0.0}, "above"),
        ({"past": ((0.1, 0.0),)}, "above"),
        ({"shares": {"old": 0.5, "new": 0.3, "other": 0.1}}, "sums_to_one"),
        ({"shares": {"old": 0.5, "new": 0.5}}, "missing"),
        ({"date": "class"}, "date"),
        ({"segments": ("nobody",)}, "choice"),
        ({"guardrails": (Guardrail(Metric("left")),)}, "choice"),
    ],
)
def test_wrong_questions_are_refused(tmp_path, change, code):
    path = written(rows_of(300), tmp_path / "rows.csv")
    settled = {"variant": "arm", "control": "old", "metrics": (Metric("paid"),)} | change
    with pytest.raises(InputError) as caught:
        read_out_file(path, Question(**settled))
    assert code in {problem.code for problem in caught.value.problems}
    for locale in ("zh", "en"):
        assert caught.value.render(locale)


def call(monkeypatch, capsys, *arguments):
    """Return exit status, output and errors of the real entry point."""
    monkeypatch.setattr("sys.argv", ["planlib", "readout", *map(str, arguments)])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    said = capsys.readouterr()
    return ended.value.code or 0, said.out, said.err


@pytest.mark.parametrize(("locale", "verdict"), [("en", "Ship new: the effect is shown"), ("zh", "上线 new：效果成立")])
def test_the_screen_is_one_page_and_begins_with_the_verdict(tmp_path, monkeypatch, capsys, locale, verdict):
    path = written(rows_of(), tmp_path / "人员 名单.csv")
    status, out, err = call(
        monkeypatch, capsys, path, "--variant", "arm", "--control", "old", "--metric", "bought", "--metric", "paid",
        "--ratio", "paid/orders", "--covariate", "before", "--guardrail", "left=+0.02", "--segment", "class",
        "--unit", "id", "--date", "day", "--shares", "old=0.34,new=0.33,other=0.33", "--locale", locale,
    )  # fmt: skip
    assert (status, err) == (0, "")
    assert out.startswith(verdict) and out.count("\n") <= PAGE
    for name in ("CUPED", "delta", "3,000", "before"):
        assert name in out, name
    assert "nan" not in out.lower() and "None" not in out


def test_json_holds_every_figure(tmp_path, monkeypatch, capsys):
    path = written(rows_of(), tmp_path / "rows.csv")
    status, out, _ = call(
        monkeypatch, capsys, path, "--variant", "arm", "--control", "old", "--metric", "paid", "--date", "day", "--json"
    )
    found = json.loads(out)
    assert status == 0 and found["arms"] == ["old", "new", "other"]
    again = plain(read_out_file(path, Question("arm", "old", (Metric("paid"),), date="day")))
    assert found == json.loads(json.dumps(again))
    assert found["primary"][0]["difference"]["df"] > 100 and len(found["courses"][0]["sequence"]["low"]) == 21


def test_sides_looks_and_stopping_rule_from_the_command_line(tmp_path, monkeypatch, capsys):
    """Half of the people at the first of two planned looks; one-sided, each metric towards its better side."""
    frame = rows_of()
    path = written(frame[frame["arm"] != "other"], tmp_path / "looks.csv")
    people = int((frame["arm"] != "other").sum())
    asked = ("--variant", "arm", "--control", "old", "--metric", "paid", "--metric", "left", "--lower", "left")
    more = ("--one-sided", "--looks", "0.5,1", "--planned", str(2 * people), "--alpha", "0.025")
    status, out, _ = call(monkeypatch, capsys, path, *asked, *more, "--json")
    found = json.loads(out)
    asked_for = found["question"]
    assert (asked_for["alternative"], asked_for["looks"]) == ("greater", [0.5, 1.0])
    assert asked_for["stopping"] == "obrien_fleming"
    assert [found[part][0]["difference"]["alternative"] for part in ("primary", "secondary")] == ["greater", "less"]
    bounds = spending_boundaries([0.5], "obrien_fleming", alpha=0.025, sides=1)
    row = found["primary"][0]["difference"]
    band = repeated_interval(bounds, 1, row["estimate"], row["se"])
    assert found["primary"][0]["deciding"]["low"] == pytest.approx(band.low)
    assert found["primary"][0]["deciding"]["high"] is None and status == 0
    _, out, _ = call(monkeypatch, capsys, path, *asked, *more, "--stopping", "pocock", "--locale", "en")
    assert "One-sided" in out and "+∞" in out


@pytest.mark.parametrize(
    ("rows", "arguments", "said"),
    [
        ([[1, "a", 1], [2, "a", 0]], (), "all belong to a"),
        ([], (), "at least one value"),
        ([[1, "a", 1], [2, "b", 0]], ("--control", "zzz"), "a, b"),
        ([[1, "a", 1], [2, "b", "many"]], (), "many"),
        ([*split(30_000), [30_000, "a", "many"]], (), "many"),
        ([*split(30_000), [30_000, "a", "12.5"]], (), ""),
        ([[1, "a", 1.5], [2, "b", "inf"]], (), "finite"),
        ([[1, "a", 1], [2, None, 1], [3, "b", 0]], (), "1 rows have none"),
        (split(40), ("--metric", "z"), "id, arm, y"),
        (split(40), ("--shares", "a=0.5,b=0.4"), "0.9"),
        (split(40), ("--shares", "a:b"), "LABEL=SHARE"),
        (split(40), ("--ratio", "y"), "NUM/DEN"),
        (split(40), ("--guardrail", "y=0"), "other than zero"),
        (split(40), ("--covariate", "id", "--covariate", "y"), "COL, NUM/DEN"),
        (split(40), ("--leave-out", "arm"), "COL=LABEL"),
        (split(40), ("--lower", "z"), "one of y"),
        (split(40), ("--alpha", "2"), "between 0 and 0.5"),
        (split(40), ("--looks", "0.5,x"), "0.5,1"),
        (split(40), ("--looks", "1,0.5"), "looks"),
        (split(40), ("--stopping", "haybittle"), "pocock"),
    ],
)
def test_bad_input_ends_with_two_and_says_what(tmp_path, monkeypatch, capsys, rows, arguments, said):
    path = table(tmp_path / "bad.csv", ["id", "arm", "y"], rows)
    status, out, err = call(
        monkeypatch, capsys, path, "--variant", "arm", "--control", "a", "--metric", "y", "--locale", "en", *arguments
    )
    if said:
        assert (status, out) == (2, "") and said in err
    else:  # a number that the first rows did not foretell
        assert status in (0, 1) and out and not err


def test_files_that_are_none(tmp_path, monkeypatch, capsys):
    asked = ("--variant", "arm", "--control", "a", "--metric", "y", "--locale", "en")
    status, _, err = call(monkeypatch, capsys, tmp_path / "none.csv", *asked)
    assert status == 2 and "none.csv" in err and "exists" in err
    (tmp_path / "broken.parquet").write_bytes(b"no parquet")
    status, _, err = call(monkeypatch, capsys, tmp_path / "broken.parquet", *asked)
    assert status == 2 and "broken.parquet" in err


def test_invalid_ends_with_one(tmp_path, monkeypatch, capsys):
    path, _ = faulty(tmp_path, "some_labels")
    asked = ("--variant", "arm", "--control", "a", "--metric", "y", "--by", "batch", "--locale", "en")
    status, out, _ = call(monkeypatch, capsys, path, *asked)
    assert status == 1 and out.startswith("Invalid") and "batch b7 lacks people of arm b" in out
    assert "For a plan" not in out


@pytest.mark.parametrize("locale", ["zh", "en"])
@pytest.mark.parametrize("name", ["none", "some_labels"])
def test_a_pdf_of_two_pages(tmp_path, monkeypatch, capsys, locale, name):
    path, _ = faulty(tmp_path, name)
    asked = ("--variant", "arm", "--control", "a", "--metric", "y", "--metric", "id", "--by", "batch")
    made = [tmp_path / f"实验 {at}.pdf" for at in (1, 2)]
    for file in made:
        status, out, err = call(monkeypatch, capsys, path, *asked, "--locale", locale, "--pdf", file)
        assert status == int(name != "none") and err == "" and file.name in out
    whole = made[0].read_bytes()
    assert whole.startswith(b"%PDF") and whole == made[1].read_bytes()
    assert len(re.findall(rb"/Type */Page[^s]", whole)) == 2


def test_a_pdf_of_what_cannot_be_computed(tmp_path):
    path = table(tmp_path / "equal.csv", ["id", "arm", "y"], [[at, "ab"[at % 2], 5] for at in range(40)])
    found = read_out_file(path, Question("arm", "a", (Metric("y"),)))
    assert write_pdf(found, str(path), tmp_path / "equal.pdf", words("en")).stat().st_size > 10_000
