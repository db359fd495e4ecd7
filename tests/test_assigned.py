"""Assigning customers of the tidy tables: repeatable, balanced within employees, and lists that are safe to send."""

from __future__ import annotations

import csv
import datetime as dt
import shutil
from collections import Counter
from pathlib import Path

import pytest

from planlib.assigned import Other, assign_customers, safe_cell
from planlib.core.errors import InputError
from planlib.core.words import words
from planlib.data import ids
from planlib.data.engine import Engine
from planlib.data.erase import forget
from planlib.data.load import load
from planlib.plan.registration import register
from planlib.registering import assign_experiment
from planlib.registering import people_of as people_planned
from planlib.trials import people_of, trials
from tests.data.hand_made import MONDAY, contact, contacts, order, put

NOW = dt.datetime(2027, 3, 1, 9, 0)
STAFF = ("li", "wu", "zhang")
MINIMAL = Path(__file__).parent / "plan" / "minimal.yaml"
ROW = """experiments:
  - id: coupon
    question: {zh: 问, en: Q}
    node: revenue
    unit: customer
    block: employee
    arms: {control: 0.5, coupon: 0.5}
    primary: user_conversion_rate
    baseline: {value: 0.08, source: W2.3}
    smallest_worth_having: {value: 0.008, source: W2.3}
    traffic_per_week: {value: 9_000, source: W2.3}
    owner: content
"""


def brand(root, people=90, *, refused=(), first="wm"):
    """Put and load customers of three employees; every one consents but those who refuse."""
    made = [contact(f"P{i:03d}", STAFF[i % 3], added=MONDAY + 86400 * (i // 30)) for i in range(people)]
    put(root, "contacts.json", contacts(*made))
    lines = [f"{first}P{i:03d},{'refused' if i in refused else 'granted'}" for i in range(people)]
    put(root, "consent.csv", "\n".join(["external_userid,consent_status", *lines]) + "\n")
    assert not load(root).aside
    return root


@pytest.fixture
def root(tmp_path):
    return brand(tmp_path / "data")


def run(root, **more):
    given = {"plan": "p", "experiment": "coupon", "arms": {"control": 0.5, "coupon": 0.5}, "people": 1000,
             "block": "employee", "others": {}, "joined_since": None, "now": NOW}  # fmt: skip
    return assign_customers(root, root.parent / "outputs", **given | more)


def test_the_silent_are_those_without_an_act_of_their_own_for_three_whole_days(tmp_path):
    """systems.yaml activation-trigger: exactly those with at least 3 full silent days; sends are no acts of theirs."""
    root = tmp_path / "data"
    joined = dt.datetime(2026, 11, 2, 9, 0)
    start = int(joined.replace(tzinfo=dt.timezone(dt.timedelta(hours=8))).timestamp())
    ages = {"silent": 0, "a_second_short": 1, "clicked": 0, "was_sent_to": 0, "bought": 0}
    put(root, "contacts.json", contacts(*(contact(name, "li", added=start + late) for name, late in ages.items())))
    put(root, "consent.csv", "external_userid,consent_status\n" + "".join(f"wm{name},granted\n" for name in ages))
    put(
        root, "touches.csv",
        "客户ID,触达时间,渠道,触点类型\nwmclicked,2026-11-02 09:00:01,feed_ads,click\n"
        "wmwas_sent_to,2026-11-03 10:00:00,feed_ads,send\nwmbought,2026-11-05 08:59:59,shop,order\n",
    )  # fmt: skip
    load(root)
    now = joined + dt.timedelta(days=3)
    done = run(root, now=now, silent_days=3)
    assert {row["unit_id"] for row in table(done)} == {"wmsilent", "wmwas_sent_to"}
    again = run(root, now=now + dt.timedelta(seconds=1), silent_days=3)
    assert {row["unit_id"] for row in table(again)} == {"wmsilent", "wmwas_sent_to", "wma_second_short"}
    with pytest.raises(InputError):
        run(root, now=now, silent_days=0)


def table(done):
    with open(done.table, encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def lists(done):
    found = {}
    for path in sorted(done.lists.rglob("*.csv")):
        text = path.read_bytes()
        assert text.startswith(b"\xef\xbb\xbf")
        found[path.relative_to(done.lists).as_posix()] = list(csv.DictReader(text.decode("utf-8-sig").splitlines()))
    return found


def test_every_employee_splits_their_customers(root):
    done = run(root)
    rows = table(done)
    each = Counter((row["block"], row["variant"]) for row in rows)
    assert len(rows) == 90 and set(each.values()) == {15}  # 30 customers of each of three, half and half
    assert done.arms == {"control": 45, "coupon": 45} and done.employees == 3 and done.files == 6
    sent = [(row["external_userid"], row["arm"]) for rows in lists(done).values() for row in rows]
    assert sorted(sent) == sorted((row["unit_id"], row["variant"]) for row in rows)
    for name, rows in lists(done).items():
        arm, _, file = name.partition("/")
        assert {row["arm"] for row in rows} == {arm} and {row["userid"] for row in rows} == {file.partition("-")[0]}


def test_the_same_data_give_the_same_arms_and_a_second_run_changes_nothing(root, tmp_path):
    first = table(run(root))
    copy = tmp_path / "again" / "data"
    shutil.copytree(root, copy, ignore=shutil.ignore_patterns("assignments"))
    assert table(run(copy, now=NOW)) == first
    before = {path: path.read_bytes() for path in (root.parent / "outputs").rglob("*.csv")}
    done = run(root, now=NOW + dt.timedelta(days=3))
    assert done.added == 0 and table(done) == first
    assert {path: path.read_bytes() for path in (root.parent / "outputs").rglob("*.csv")} == before
    load(root)
    assert run(root).added == 0 and table(run(root)) == first


def test_another_experiment_deals_anew(root):
    one = {row["unit_id"]: row["variant"] for row in table(run(root))}
    other = {row["unit_id"]: row["variant"] for row in table(run(root, experiment="price", others={
        "coupon": Other(7, False)}))}  # fmt: skip
    same = sum(one[unit] == other[unit] for unit in one)
    assert 25 < same < 65  # independent: half of 90, give or take four standard deviations


def test_the_load_takes_the_table_in(root):
    done = run(root)
    assert not load(root).aside
    with Engine(root) as tables:
        rows = tables.query("SELECT * FROM assignments").rows()
        joined = tables.query(
            "SELECT a.block, e.staff_id FROM assignments a JOIN customers c ON c.external_hid = a.unit_hid "
            "JOIN follow_edges e ON e.external_hid = a.unit_hid"
        ).rows()
    assert Counter(row["variant"] for row in rows) == done.arms and len(joined) == 90
    assert all(row["staff_id"] == ids.hashed(ids.salt(root), row["block"]) for row in joined)
    assert {row["ratio_planned"] for row in rows} == {0.5} and {row["assigned_at"] for row in rows} == {NOW}


def test_one_employee_is_one_block_whoever_wrote_the_row(root):
    """A sheet names the employee, and so does the table; one that has the hash instead is mended on the next run."""
    sheet = "\n".join(f"coupon,wmP{i:03d},control,0.5,2027-02-01 09:00:00,{STAFF[i % 3]}" for i in range(6))
    put(root, "sheet.csv", f"exp_id,unit_id,variant,ratio_planned,assigned_at,block\n{sheet}\n")
    load(root)
    done = run(root, people=60)
    rows = table(done)
    key, named = ids.salt(root), {row["unit_id"]: row["block"] for row in rows}
    assert done.added == 54 and set(named.values()) == set(STAFF)
    text = done.table.read_text(encoding="utf-8")
    for name in STAFF:
        text = text.replace(f",{name}\n", f",{ids.hashed(key, name)}\n")
    done.table.write_text(text, encoding="utf-8", newline="")
    assert not run(root, people=60).added and table(done) == rows
    load(root)
    with Engine(root) as tables:
        (trial,) = trials(tables)
        with people_of(tables, trial) as people:
            assert set(people.breakdown("variant", ("control", "coupon"), "block")) == set(STAFF)


def ends(root, day):
    """Tell the tables on which day the test ends."""
    line = f"coupon,customer,券,order_14d,2027-02-01,{day}"
    put(root, "experiments.csv", f"exp_id,unit,name,metric,start_on,end_on\n{line}\n")
    assert not load(root).aside


def test_a_test_that_has_ended_takes_in_nobody_more(root):
    ends(root, NOW.date())  # its last day is not over
    done = run(root, people=40)
    before = {path: path.read_bytes() for path in (done.table, *done.lists.rglob("*.csv"))}
    with pytest.raises(InputError) as told:
        run(root, now=NOW + dt.timedelta(days=1))
    (problem,) = told.value.problems
    assert problem.code == "test_ended"
    assert all(NOW.date().isoformat() in problem.render(locale) for locale in ("zh", "en"))
    assert {path: path.read_bytes() for path in before} == before and len(table(done)) == 40
    assert run(root, experiment="price", now=NOW + dt.timedelta(days=1)).added == 90  # nobody is held any more


def acts(root):
    """Let customers of the brand buy and act: every third of an employee buys, once or twice, every second clicks.

    Returns:
        Class by value and by interaction of each customer as of NOW.
    """
    orders, touches, classes = [], ["客户ID,触达时间,渠道,触点类型"], {}
    paid = int(NOW.timestamp()) - 40 * 86400
    for i in range(90):
        buys, clicks = (i // 3) % 3, (i // 9) % 2
        orders += [order(f"{i}-{k}", person=f"P{i:03d}", at=paid + k * 86400) for k in range(buys)]
        day = NOW - dt.timedelta(days=2 if clicks else 31)  # an act before the last 30 days makes nobody active
        touches.append(f"wmP{i:03d},{day:%Y-%m-%d %H:%M:%S},feed_ads,click")
        value = ("no_order", "one_order", "repeat_buyer")[buys]
        classes[f"wmP{i:03d}"] = (value, "active" if clicks else "silent")
    for one in orders:
        put(root, f"order_{one['order']['order_id']}.json", one, folder="shop/20270301")
    put(root, "touches.csv", "\n".join(touches) + "\n")
    assert not load(root).aside
    return classes


@pytest.mark.parametrize(
    ("block", "parts"), [("value_class", (0,)), ("interaction_class", (1,)), ("segment", (0, 1))]
)
def test_every_employee_splits_each_class(root, block, parts):
    classes = acts(root)
    rows = table(run(root, block=block))
    own = {row["unit_id"]: [classes[row["unit_id"]][k] for k in parts] for row in rows}
    each = Counter((row["block"], row["variant"]) for row in rows)
    assert len(rows) == 90 and len({name for name, _ in each}) == 3 * len(set(map(tuple, own.values())))
    assert all(row["block"].endswith(":" + "/".join(own[row["unit_id"]])) for row in rows)
    assert all(abs(each[name, "control"] - each[name, "coupon"]) <= 1 for name, _ in each)
    load(root)
    with Engine(root) as tables:  # the read-out finds everybody in the class in which they were assigned
        (trial,) = trials(tables)
        with people_of(tables, trial) as people:
            for at, k in enumerate(parts):
                name = ("value_class", "interaction_class")[k]
                seen = people.breakdown("variant", ("control", "coupon"), name)
                told = Counter(labels[at] for labels in own.values())
                assert {label: sum(counts) for label, counts in seen.items()} == told


def test_who_changes_class_later_stays_in_the_block_of_the_assignment(root):
    """Ten of an employee, all in the control, were active then: those who are new and silent are halved by themselves.

    With the class of today they would count as silent, and ten of the new would be owed to the other arm.
    """
    acts(root)
    done = run(root, people=1, block="interaction_class")
    units = [f"wmP{i:03d}" for i in range(0, 30, 3)]
    told = {"exp_id": "coupon", "variant": "control", "ratio_planned": 0.5, "assigned_at": NOW, "block": "li:active"}
    with open(done.table, "w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, ("exp_id", "unit_id", "variant", "ratio_planned", "assigned_at", "block"))
        writer.writeheader()
        writer.writerows(told | {"unit_id": unit} for unit in units)
    late = NOW + dt.timedelta(days=60)  # by then everybody but one has fallen silent
    put(root, "late.csv", f"客户ID,触达时间,渠道,触点类型\nwmP089,{late - dt.timedelta(days=1)},feed_ads,click\n")
    load(root)
    rows = {row["unit_id"]: row for row in table(run(root, block="interaction_class", now=late))}
    assert all(rows[unit]["block"] == "li:active" and rows[unit]["variant"] == "control" for unit in units)
    new = Counter(rows[f"wmP{i:03d}"]["variant"] for i in range(30, 90, 3))
    assert new == {"control": 10, "coupon": 10}


@pytest.mark.parametrize(
    ("block", "codes"),
    [("value_class", ["block_no_orders"]), ("segment", ["block_no_orders", "block_no_acts"]),
     ("interaction_class", ["block_no_acts"]), ("tier", ["block_no_tiers"])],
)  # fmt: skip
def test_a_block_by_class_needs_data_that_tell_it(root, block, codes):
    with pytest.raises(InputError) as told:
        run(root, block=block)
    assert [problem.code for problem in told.value.problems] == codes
    assert told.value.render("zh") and told.value.render("en")
    assert not (root / "raw" / "assignments").exists()


def test_who_may_not_be_contacted_is_left_out(tmp_path):
    done = run(brand(tmp_path / "data", refused={0, 1, 2}))
    assert done.left_out["do_not_contact"] == 3 and len(table(done)) == 87
    assert not {"wmP000", "wmP001", "wmP002"} & {row["unit_id"] for row in table(done)}


def test_who_withdraws_later_stays_in_the_test_and_on_no_list(root):
    before = table(run(root))
    put(root, "later.csv", "external_userid,consent_status\nwmP005,refused\n", folder="mixed/20261120")
    load(root)
    done = run(root)
    assert table(done) == before and done.stopped == 1
    assert "wmP005" not in {row["external_userid"] for rows in lists(done).values() for row in rows}


def test_customers_of_overlapping_tests_are_left_out_while_they_last(root):
    first = run(root, people=40)
    held = {row["unit_id"] for row in table(first)}
    assert len(held) == 40 and first.left_out["not_needed"] == 50
    for others, expected in (
        ({"coupon": Other(14, True)}, 50),
        ({"coupon": Other(14, False)}, 90),
        ({"coupon": Other(0, True)}, 90),
        ({}, 50),  # a test that the plan does not know overlaps
    ):
        shutil.rmtree(root / "raw" / "assignments" / "p", ignore_errors=True)
        run(root, people=40)
        done = run(root, experiment="price", others=others)
        assert sum(done.arms.values()) == expected, others
        assert expected == 90 or not held & {row["unit_id"] for row in table(done)}


def test_no_more_than_the_design_asks_for_and_new_customers_fill_up(root):
    assert sum(run(root, people=10).arms.values()) == 10
    first = {row["unit_id"]: row["variant"] for row in table(run(root, people=10))}
    done = run(root, people=60)
    now = {row["unit_id"]: row["variant"] for row in table(done)}
    assert len(now) == 60 and done.added == 50 and now.items() >= first.items()


def test_only_customers_who_joined_since(root):
    done = run(root, joined_since=dt.date(2026, 11, 4))
    assert {row["unit_id"] for row in table(done)} == {f"wmP{i:03d}" for i in range(60, 90)}


def test_a_forgotten_person_leaves_table_and_lists(root):
    done = run(root)
    forget(root, "wmP007", outputs=root.parent / "outputs")
    assert "wmP007" not in {row["unit_id"] for row in table(done)}
    assert "wmP007" not in {row["external_userid"] for rows in lists(done).values() for row in rows}
    assert run(root).added == 0


def test_lists_hold_nothing_that_a_spreadsheet_runs(tmp_path):
    root = tmp_path / "data"
    put(root, "c.json", contacts(contact("A", '=HYPERLINK("//x")'), contact("B", "../../up")))
    put(root, "consent.csv", "external_userid,consent_status\nwmA,granted\nwmB,granted\n")
    load(root)
    done = run(root, arms={"control": 0.5, "coupon": 0.5})
    rows = [row for rows in lists(done).values() for row in rows]
    assert sorted(row["userid"] for row in rows) == ['\'=HYPERLINK("//x")', "../../up"]
    assert all(done.lists in path.parents for path in done.lists.rglob("*.csv"))
    assert all(safe_cell(text)[0] == "'" for text in ("=1", "+1", "-1", "@a", "\t=1"))


@pytest.mark.parametrize(
    ("more", "code"),
    [({"block": "mood"}, "choice"), ({"arms": {"a": 0.5, "b": 0.5}}, "choice")],
)
def test_bad_input(root, more, code):
    run(root)
    with pytest.raises(InputError) as told:
        run(root, **more)
    assert told.value.problems[0].code == code and told.value.render("zh")


def test_no_customers(tmp_path):
    with pytest.raises(InputError) as told:
        run(tmp_path / "data")
    assert told.value.problems[0].code == "no_customers"


@pytest.mark.parametrize("locale", ["zh", "en"])
def test_the_command_refuses_what_is_not_registered_and_says_what_it_did(root, tmp_path, locale):
    plan = tmp_path / "plan.yaml"
    plan.write_text(MINIMAL.read_text(encoding="utf-8") + ROW, encoding="utf-8")
    said: list[str] = []
    told = {"root": root, "outputs": tmp_path / "outputs", "joined_since": None, "now": NOW, "write": said.append}

    def refused():
        with pytest.raises(InputError) as error:
            assign_experiment(str(plan), "coupon", words(locale), **told)
        assert error.value.render(locale)
        return error.value.problems[0].code

    assert refused() == "not_registered" and not said
    register(plan, "coupon", people_planned, day=NOW.date())
    assign_experiment(str(plan), "coupon", words(locale), **told)
    text = "\n".join(said)
    assert "coupon" in text and "45" in text and "37,738" in text and "outputs/private/minimal/coupon" in text
    plan.write_text(plan.read_text(encoding="utf-8").replace("control: 0.5, coupon: 0.5", "control: 0.4, coupon: 0.6"),
                    encoding="utf-8")  # fmt: skip
    assert refused() == "registered_otherwise"
    plan.write_text(MINIMAL.read_text(encoding="utf-8") + ROW.replace("user_conversion_rate", "first_interaction_rate"),
                    encoding="utf-8")  # fmt: skip
    register(plan, "coupon", people_planned, reason="newcomers", day=NOW.date())
    assert refused() == "newcomers_since"
