"""Tables of people to sums: as numpy adds up, missing values, groups, exactness, every fault of a table named."""

import csv

import duckdb
import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose

from planlib.core.errors import InputError
from planlib.data import readout
from planlib.data.engine import Engine
from planlib.data.readout import People
from planlib.experiments.cuped import cuped
from planlib.experiments.means import mean, ratio
from planlib.experiments.readout import explain_mismatch


def people(n=4000, seed=1):
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame({
        "id": np.arange(n),
        "arm": rng.choice(["old", "new", "other"], n),
        "bought": rng.random(n) < 0.2,
        "orders": rng.poisson(2, n),
        "paid": rng.gamma(2, 30, n).round(2) + 1e6,
        "before": rng.gamma(2, 30, n),
        "class": rng.choice(["a", "b"], n),
    })
    frame.loc[frame.index % 7 == 0, "paid"] = None
    frame.loc[frame.index % 11 == 0, "class"] = None
    return frame


def written(frame, path):
    if path.suffix == ".parquet":
        con = duckdb.connect()
        con.register("frame", frame)
        con.execute(f"COPY frame TO '{path.as_posix()}' (FORMAT parquet)")
    else:
        frame.to_csv(path, index=False)
    return People.of_file(path)


@pytest.fixture(params=["people.parquet", "people.csv", "人员 名单.csv.gz"])
def table(request, tmp_path):
    with written(people(), tmp_path / request.param) as found:
        yield found


def test_sums_are_those_of_the_rows(table):
    frame = people()
    wanted = [("bought",), ("orders",), ("paid",), ("paid", "orders"), ("paid", "before")]
    got = table.families("arm", "old", wanted)
    assert got.arms == ("old", "new", "other") and got.groups == ((),)
    for a, label in enumerate(got.arms):
        part = frame[frame["arm"] == label]
        assert got.people[a, 0] == len(part)
        both = part.dropna(subset=["paid"])
        of = {family: rows[a, 0] for family, rows in got.of.items()}
        assert_allclose(of["bought",].mean("bought"), part["bought"].mean())
        assert_allclose(of["orders",].var("orders"), part["orders"].var())
        assert of["paid",].n("paid") == len(both)
        assert_allclose(of["paid",].var("paid"), both["paid"].var(), rtol=1e-9)
        shared = np.cov(both["paid"], both["before"])[0, 1]
        assert_allclose(of["paid", "before"].cov("paid", "before"), shared, rtol=1e-7)
        assert_allclose(ratio(of["paid", "orders"], "paid", "orders").value, both["paid"].sum() / both["orders"].sum())
        assert mean(of["paid",], "paid").dropped == len(part) - len(both)
    assert cuped(*(got.of["paid", "before"][a, 0] for a in (0, 1)), "paid", "before").reason is None


def test_groups_within_arms(table):
    frame = people()
    frame["class"] = frame["class"].fillna("")
    got = table.families("arm", "new", [("orders",)], by=["class"])
    assert got.groups == (("",), ("a",), ("b",))
    for a, label in enumerate(got.arms):
        for g, (name,) in enumerate(got.groups):
            part = frame[(frame["arm"] == label) & (frame["class"] == name)]
            assert got.people[a, g] == len(part)
            assert_allclose(got.of["orders",].mean("orders")[a, g], part["orders"].mean())


def test_breakdowns_and_identity(table):
    counts = table.breakdown("arm", ("old", "new", "other"), "class")
    assert list(counts) == ["", "a", "b"] and np.sum(list(counts.values())) == 4000
    got = explain_mismatch(np.sum(list(counts.values()), axis=0), [1 / 3] * 3, {"class": counts})
    assert not got.test.alarm
    found = table.identity("id", "arm")
    assert (found.rows, found.people, found.double_rows, found.in_two_arms) == (4000, 4000, 0, 0)


def test_double_people_and_dates(tmp_path):
    frame = pd.DataFrame({
        "id": [1, 1, 2, 2, 3, 4],
        "arm": ["a", "b", "a", "a", "b", "b"],
        "seen": pd.to_datetime(["2027-01-02"] * 6),
        "bought": pd.to_datetime(["2027-01-01", "2027-01-03", None, "2027-01-02", "2027-01-01", "2027-02-01"]),
    })
    with written(frame, tmp_path / "double.parquet") as table:
        found = table.identity("id", "arm")
        assert (found.rows, found.people, found.double_rows, found.in_two_arms) == (6, 4, 1, 1)
        assert table.before("seen", "bought") == 2


def test_planned_shares_and_delivered_people(tmp_path):
    frame = pd.DataFrame({
        "arm": ["a", "a", "b", "b", "b"],
        "share": [0.4, 0.4, 0.6, 0.6, 0.6],
        "moved": [0.4, 0.5, 0.6, 0.6, None],
        "delivered": [1.0, 0.0, 1.0, 1.0, None],
        "employee": ["x", "x", "x", "y", "y"],
    })
    with written(frame, tmp_path / "planned.parquet") as table:
        assert table.planned("arm", ("b", "a", "c"), "share") == ((pytest.approx(0.6), pytest.approx(0.4), None), False)
        assert table.planned("arm", ("a", "b"), "moved")[1]
        assert table.breakdown("arm", ("a", "b"), "employee", only="delivered") == {"x": [1, 1], "y": [0, 1]}


def test_large_whole_numbers_keep_every_digit(tmp_path):
    """Values near 3e9 less their shift fit; squares beyond 64 bits fall back to decimals."""
    values = 3_000_000_000 + np.arange(1000)
    frame = pd.DataFrame({"arm": ["a", "b"] * 500, "y": values, "wild": np.where(np.arange(1000) < 999, 0, 4 * 10**9)})
    with written(frame, tmp_path / "large.parquet") as table:
        got = table.families("arm", "a", [("y",), ("wild",)])
        assert_allclose(got.of["y",].var("y")[:, 0], [np.var(values[half::2], ddof=1) for half in (0, 1)], rtol=1e-12)
        assert_allclose(got.of["wild",].mean("wild")[:, 0], [0, 8e6])


def test_the_same_sums_on_any_number_of_threads(tmp_path):
    frame = pd.concat([people(20_000, seed) for seed in range(5)])
    written(frame, tmp_path / "many.parquet").close()
    found = []
    for threads in (1, 2, 2):
        with People.of_file(tmp_path / "many.parquet", threads=threads) as table:
            rows = table.families("arm", "old", [("paid", "before"), ("orders",)])
            found.append([rows.of[family].cross.tobytes() for family in rows.of])
    assert found[0] == found[1] == found[2]


def test_nan_is_missing_and_infinity_is_refused(tmp_path):
    frame = pd.DataFrame({"arm": ["a", "a", "b", "b"], "y": [1.0, 2.0, 3.0, 5.0]})
    path = tmp_path / "nan.parquet"
    duckdb.connect().execute(
        f"COPY (SELECT * FROM (VALUES ('a', 1.0::DOUBLE), ('a', 'nan'::DOUBLE), ('b', 3.0::DOUBLE)) AS t(arm, y)) "
        f"TO '{path.as_posix()}' (FORMAT parquet)"
    )
    with People.of_file(path) as table:
        assert table.families("arm", "a", [("y",)]).of["y",].n("y")[:, 0].tolist() == [1.0, 1.0]
    frame.loc[1, "y"] = np.inf
    with written(frame, tmp_path / "inf.parquet") as table, pytest.raises(InputError) as caught:
        table.families("arm", "a", [("y",)])
    assert {problem.code for problem in caught.value.problems} == {"not_finite"}


@pytest.mark.parametrize(
    ("rows", "control", "metric", "code"),
    [
        ([["a", 1], ["b", 2]], "zzz", "y", "unknown_control"),
        ([["a", 1], ["a", 2]], "a", "y", "one_arm"),
        ([["a", 1], ["", 2], ["b", 3]], "a", "y", "arm_missing"),
        ([["a", 1], ["b", "many"]], "a", "y", "not_number"),
        ([["a", 1], ["b", 2]], "a", "z", "choice"),
        ([], "a", "y", "empty"),
    ],
)
def test_faults_of_a_table_are_named(rows, control, metric, code, tmp_path):
    path = tmp_path / "bad.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([["arm", "y"], *rows])
    with People.of_file(path) as table, pytest.raises(InputError) as caught:
        table.families("arm", control, [(metric,)])
    assert caught.value.problems[0].code == code
    assert str(caught.value)


def test_no_rows(tmp_path):
    frame = pd.DataFrame({"arm": pd.Series(dtype=str), "y": pd.Series(dtype=float)})
    with written(frame, tmp_path / "none.parquet") as table, pytest.raises(InputError) as caught:
        table.families("arm", "a", [("y",)])
    assert caught.value.problems[0].code == "empty"


def test_files_that_cannot_be_read(tmp_path):
    (tmp_path / "broken.parquet").write_bytes(b"no parquet")
    for name, code in (("broken.parquet", "data_unreadable"), ("none.csv", "no_file"), ("sheet.xlsx", "choice")):
        with pytest.raises(InputError) as caught:
            People.of_file(tmp_path / name)
        assert caught.value.problems[0].code == code
        assert str(caught.value)


def test_column_names_are_only_names(tmp_path):
    odd = 'x" FROM t; DROP'
    frame = pd.DataFrame({"v 1": ["a", "b", "a", "b"], odd: [1, 2, 3, 4]})
    with written(frame, tmp_path / "odd.parquet") as table:
        assert table.families("v 1", "a", [(odd,)]).of[odd,].mean(odd)[:, 0].tolist() == [2.0, 3.0]


def test_an_experiment_of_the_tidy_tables_counts_everybody_assigned(tmp_path):
    """Whoever was assigned counts, also without an outcome; a later outcome of the same metric is added."""
    con = duckdb.connect()
    con.execute(
        f"""COPY (SELECT * FROM (VALUES
            ('e', 'p1', 'control', 0.5, TIMESTAMP '2027-01-02 08:00:00', 'ann'),
            ('e', 'p2', 'coupon', 0.5, TIMESTAMP '2027-01-02 09:00:00', 'bo'),
            ('e', 'p3', 'coupon', 0.5, TIMESTAMP '2027-01-03 09:00:00', 'bo'),
            ('other', 'p1', 'x', 1.0, TIMESTAMP '2027-01-03 09:00:00', 'bo')
        ) AS t(exp_id, unit_hid, variant, ratio_planned, assigned_at, block))
        TO '{(tmp_path / "assignments.parquet").as_posix()}' (FORMAT parquet)"""
    )
    con.execute(
        f"""COPY (SELECT * FROM (VALUES
            ('e', 'p1', 'orders', 1.0, TIMESTAMP '2027-01-05 08:00:00'),
            ('e', 'p2', 'orders', 2.0, TIMESTAMP '2027-01-05 08:00:00'),
            ('e', 'p2', 'orders', 3.0, TIMESTAMP '2027-01-09 08:00:00'),
            ('other', 'p1', 'orders', 9.0, TIMESTAMP '2027-01-09 08:00:00')
        ) AS t(exp_id, unit_hid, metric, value, "at"))
        TO '{(tmp_path / "outcomes.parquet").as_posix()}' (FORMAT parquet)"""
    )
    tables = {name: tmp_path / f"{name}.parquet" for name in ("assignments", "outcomes")}
    with Engine(tmp_path / "none", tables=tables) as engine:
        trial = People.of_trial(engine, "e")
        got = trial.families("variant", "control", [("orders",)])
        assert got.people[:, 0].tolist() == [1, 2]
        assert got.of["orders",].n("orders")[:, 0].tolist() == [1, 1]
        assert got.of["orders",].mean("orders")[:, 0].tolist() == [1.0, 5.0]
        assert trial.breakdown("variant", got.arms, "day") == {"2027-01-02": [1, 1], "2027-01-03": [0, 1]}
        assert trial.planned("variant", got.arms, "ratio_planned") == ((0.5, 0.5), False)
        with pytest.raises(InputError) as caught:
            People.of_trial(engine, "zzz")
    assert "e, other" in str(caught.value)


def test_columns_on_a_grid_add_up_as_any_others(tmp_path, monkeypatch):
    """Whole numbers and money take the fast text; the careful one must say the same."""
    frame = people(20_000)
    frame["paid"] = frame["paid"].fillna(1e6) - 1e6
    frame["bought"] = frame["bought"].astype(float)
    wanted = [("bought",), ("orders",), ("paid",), ("paid", "orders"), ("orders", "bought")]
    with written(frame, tmp_path / "grid.parquet") as table:
        texts = []
        monkeypatch.setattr(table, "_run", lambda text, run=table._run: texts.append(text) or run(text))
        fast = table.families("arm", "old", wanted, by=["class"])
        monkeypatch.setattr(readout, "grid_text", lambda *_: "SELECT CAST('x' AS INTEGER) AS refused")
        careful = table.families("arm", "old", wanted, by=["class"])
    assert "AS BIGINT) * x" in texts[0] and len(texts) == 3 and "DECIMAL" in texts[2]
    assert fast.shares == careful.shares == {"bought"}
    for family in wanted:
        for part in ("rows", "count", "total", "cross"):
            assert_allclose(getattr(fast.of[family], part), getattr(careful.of[family], part), rtol=1e-9, atol=1e-4)


@pytest.mark.parametrize(
    ("late", "shares"),
    [(1.0, {"y", "z"}), (2.0, {"z"}), (0.5, {"z"}), (-1.0, {"z"}), (1e12, {"z"}), (1e-7, {"z"}), (np.nan, {"y", "z"})],
)
def test_late_rows_that_the_first_do_not_foretell(tmp_path, late, shares):
    """Ten thousand rows of zeros and ones, then one that is something else."""
    frame = pd.DataFrame({"arm": ["a", "b"] * 6000, "y": np.arange(12_000) // 2 % 2 * 1.0, "z": [0, 1, 1, 0] * 3000})
    frame.loc[11_998, "y"] = late
    with written(frame, tmp_path / "late.parquet") as table:
        got = table.families("arm", "a", [("y",), ("z",), ("y", "z")])
    assert got.shares == shares
    known = frame.dropna(subset=["y"])
    for at, arm in enumerate(("a", "b")):
        own = known[known["arm"] == arm]
        assert got.of["y",].n("y")[at, 0] == got.of["y", "z"].n("z")[at, 0] == len(own)
        assert_allclose(got.of["y",].mean("y")[at, 0], own["y"].mean(), rtol=1e-9)
        assert_allclose(got.of["y", "z"].cov("y", "z")[at, 0], own["y"].cov(own["z"]), rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize(("late", "known"), [(1, True), (2, False), (-1, False)])
def test_squares_of_whole_zeros_and_ones_are_left_out_only_where_that_is_known(tmp_path, monkeypatch, late, known):
    """Ten thousand rows of zeros and ones, then one other whole number: the file says so before it is read."""
    frame = pd.DataFrame({"arm": ["a", "b"] * 6000, "y": np.arange(12_000) // 2 % 2})
    frame.loc[11_998, "y"] = late
    with written(frame, tmp_path / "bits.parquet") as table:
        texts = []
        monkeypatch.setattr(table, "_run", lambda text, run=table._run: texts.append(text) or run(text))
        got = table.families("arm", "a", [("y",)])
    assert ("x0 * x0" not in texts[0]) == known == (got.shares == {"y"})
    for at, arm in enumerate(("a", "b")):
        own = frame.loc[frame["arm"] == arm, "y"]
        assert_allclose(got.of["y",].var("y")[at, 0], own.var(), rtol=1e-9)


@pytest.mark.parametrize("missing", [False, True])
def test_columns_whose_ends_are_known_are_added_up_as_they_are_and_shifted_exactly(tmp_path, monkeypatch, missing):
    """Decimals, flags and floats far from zero; one with missing values keeps its shift within the text."""
    path = tmp_path / "ends.parquet"
    gone = "CASE WHEN i % 3 = 0 THEN NULL ELSE i % 11 END" if missing else "i % 11"
    duckdb.sql(
        "SELECT CASE WHEN i % 2 = 0 THEN 'a' ELSE 'b' END AS arm, CAST(1000 + i / 100.0 AS DECIMAL(18, 2)) AS paid, "
        f"i % 7 = 0 AS flag, CAST(i % 5 + 90 AS FLOAT) AS level, {gone} AS before FROM range(20000) t(i)"
    ).write_parquet(str(path))
    frame = duckdb.read_parquet(str(path)).df()
    with People.of_file(path) as table:
        texts = []
        monkeypatch.setattr(table, "_run", lambda text, run=table._run: texts.append(text) or run(text))
        wanted = [("paid",), ("flag",), ("level",), ("paid", "level"), ("paid", "before")]
        got = table.families("arm", "a", wanted, filled=["before"])
    assert len(texts) == 1 and "- 1049" not in texts[0] and (" - 5" in texts[0]) == missing
    shift = dict(zip(got.of["paid", "before"].columns, got.of["paid", "before"].shift, strict=True))
    frame["before"] = frame["before"].fillna(shift["before"])
    for at, arm in enumerate("ab"):
        own = frame[frame["arm"] == arm].drop(columns="arm").astype(float)
        for name in ("paid", "flag", "level"):
            assert_allclose(got.of[name,].mean(name)[at, 0], own[name].mean(), rtol=1e-12)
            assert_allclose(got.of[name,].var(name)[at, 0], own[name].var(), rtol=1e-9)
        for pair in (("paid", "level"), ("paid", "before")):
            assert_allclose(got.of[pair].cov(*pair)[at, 0], own[pair[0]].cov(own[pair[1]]), rtol=1e-7, atol=1e-9)


def test_a_missing_covariate_counts_as_the_shift(tmp_path):
    frame = people()
    frame.loc[frame.index % 3 == 0, "before"] = None
    frame["paid"] = frame["paid"].fillna(5.0)
    with written(frame, tmp_path / "past.parquet") as table:
        got = table.families("arm", "old", [("paid", "before")], filled=["before"]).of["paid", "before"]
    shift = float(got.shift[1])
    for at, arm in enumerate(("old", "new", "other")):
        own = frame[frame["arm"] == arm]
        filled = own["before"].fillna(shift)
        assert got.n("paid")[at, 0] == len(own)
        assert_allclose(got.mean("before")[at, 0], filled.mean(), rtol=1e-9)
        assert_allclose(got.cov("paid", "before")[at, 0], own["paid"].cov(filled), rtol=1e-7)
