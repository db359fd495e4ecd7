"""Lists of customers with ids as they are: who is on them, what is logged, and that nothing is ever half written."""

from __future__ import annotations

import datetime as dt
import errno
import json
import os
import shutil
import threading
import time
from functools import cached_property
from pathlib import Path

import openpyxl
import pandas as pd
import pytest

from planlib import cli, listing
from planlib.core import chain
from planlib.core import results as res
from planlib.core.errors import InputError
from planlib.core.words import words
from planlib.data import ids
from planlib.data.engine import Engine
from planlib.data.erase import forget, purge
from planlib.data.load import load
from planlib.data.sample import write_sample
from planlib.listing import NAMES, Asked, Known, Listed, export, sends_left, sort_out
from planlib.plan import load_plan
from planlib.plan.pushes import SendLimit, above_threshold, planned_pushes
from planlib.registering import planned_as
from planlib.workbook.failures import DiskFull
from planlib.workbook.runner import PLAN
from tests.data.hand_made import MONDAY, OK, contact, contacts, put

ROOT = Path(__file__).parents[1]
NOW = dt.datetime(2026, 11, 25, 9, 0)  # a Wednesday; the hand-made files were pulled on the 11th
STAFF = ("li", "wu", "zhang")
RUN = "20261125T010000000Z-abc123"
WHY = "流失客户回访"


def hid(root, raw):
    return ids.hashed(ids.salt(root), raw)


def brand(root, people=30, *, consent=None):
    """Put customers of three employees; all consent but those whom `consent` gives another state (None: unknown)."""
    states = {i: "granted" for i in range(people)} | (consent or {})
    put(root, "contacts.json", contacts(*(contact(f"P{i:02d}", STAFF[i % 3]) for i in range(people))))
    rows = [f"wmP{i:02d},{state},否" for i, state in states.items() if state is not None]
    put(root, "consent.csv", "\n".join(["external_userid,consent_status,免打扰", *rows]) + "\n")
    return root


def the_run(outputs, root, plan, people, *, name="churn", fatigue=None, rows=None, run=RUN, metrics=None):
    """Write a run whose notebook left one list."""
    folder = outputs / plan.id / run
    frame = pd.DataFrame(
        rows
        if rows is not None
        else [
            {"external_hid": hid(root, f"wm{person}"), "staff_hid": "", "rank": i + 1, "reason": "leaves",
             "action": "care", "score": 0.5, "value_cny": None if i % 5 == 4 else 100.4 * (i + 1),
             "due": "2026-12-01" if i % 2 else None}
            for i, person in enumerate(people)
        ]
    )  # fmt: skip
    told = [{"id": "fatigue_cap_per_week", "value": fatigue, "unit": "messages_per_user_week", "reason": None}]
    res.write_table(folder / listing.NOTEBOOK / "tables" / f"list_{name}.parquet", frame)
    res.write(folder / listing.NOTEBOOK / "results.json", {
        "schema": 1, "notebook": listing.NOTEBOOK, "seed": 1, "as_of": "2026-11-11", "plan": {"id": plan.id},
        "inputs": [], "metrics": told if metrics is None else metrics, "checks": [], "findings": [],
        "tables": [{"id": f"list_{name}", "file": f"tables/list_{name}.parquet", "rows": len(frame)}], "charts": [],
        "pages": [], "decision": None, "versions": {},
    })  # fmt: skip
    (folder / PLAN).write_text(plan.resolved_json(), encoding="utf-8")
    (folder / "manifest.json").write_text("{}", encoding="utf-8")
    (outputs / plan.id / "latest").write_text(run + "\n", encoding="utf-8")


class Desk:
    """A plan, its data and a run with one list."""

    def __init__(self, folder, people=30, *, on=None, consent=None, **more):
        self.root, self.outputs, self.file = folder / "data", folder / "outputs", folder / "plan.yaml"
        folder.mkdir(exist_ok=True)
        shutil.copy(ROOT / "tests" / "plan" / "minimal.yaml", self.file)
        brand(self.root, people, consent=consent)
        self.on = [f"P{i:02d}" for i in range(people)] if on is None else on
        self.run(**more)

    @cached_property
    def plan(self):
        return load_plan(self.file)

    def run(self, **more):
        the_run(self.outputs, self.root, self.plan, self.on, **more)

    def limit(self, level, period):
        del self.plan
        with open(self.file, "a", encoding="utf-8") as file:
            file.write(f"\nlimits:\n  sends_per_customer: {{metric: push_frequency, at_most: {level}, "
                       f"period: {period}, source: platform}}\n")  # fmt: skip

    def export(self, name="churn", **more):
        told = {"platform": "wecom", "purpose": WHY, "by": "王敏", "now": NOW}
        asked = Asked(name, **told | {key: more.pop(key) for key in list(more) if key in told})
        given = {"run_name": None, "data": str(self.root), "outputs": self.outputs, "write": lambda _: None,
                 "locale": "en"}  # fmt: skip
        return export(str(self.file), asked, words("en"), **given | more)

    @property
    def folder(self):
        return self.outputs / "private" / self.plan.id / "lists" / "churn"

    @property
    def log(self):
        return self.outputs / "private" / "exports.jsonl"

    def sheets(self):
        """Return {file: rows of its list as {head: value}}."""
        found = {}
        for path in sorted(self.folder.glob("*.xlsx")):
            book = openpyxl.load_workbook(path)
            assert len(book.sheetnames) == 2
            heads, *rows = book.worksheets[1].iter_rows(values_only=True)
            found[path.name] = [dict(zip(heads, row, strict=True)) for row in rows]
        return found

    def listed(self):
        return {row[0] for rows in self.sheets().values() for row in (tuple(r.values()) for r in rows)}

    def everything(self):
        """Return the bytes of all private files, without locks."""
        private = self.outputs / "private"
        return {p.relative_to(private).as_posix(): p.read_bytes() for p in sorted(private.rglob("*"))
                if p.is_file() and not p.name.endswith(".lock")}  # fmt: skip


@pytest.fixture
def desk(tmp_path):
    return Desk(tmp_path)


def codes(told):
    return [problem.code for problem in told.value.problems]


# ---- what an export is


def test_each_employee_gets_a_file_with_their_own_customers_in_order(desk):
    done = desk.export()
    assert (done.rows, done.employees, done.left_out) == (30, 3, {})
    sheets = desk.sheets()
    assert [name.partition("-")[0] for name in sheets] == list(STAFF)
    for k, rows in enumerate(sheets.values()):
        assert [row["Customer external_userid"] for row in rows] == [f"wmP{i:02d}" for i in range(k, 30, 3)]
        assert {row["Why on the list"] for row in rows} == {words("en").text("value.reason.leaves")}
        assert {row["Suggested action"] for row in rows} == {words("en").text("value.action.care")}
        assert {row["Shown as"] for row in rows} == {"某人"}
    first = sheets[next(iter(sheets))][1]
    assert (first["Expected value (CNY)"], first["Until"]) == (402, dt.datetime(2026, 12, 1))
    assert {row["Expected value (CNY)"] for rows in sheets.values() for row in rows} >= {None}


def test_the_sheets_speak_the_plans_language_unless_another_is_asked_for(desk):
    for locale in (None, "zh", "en"):
        desk.export(locale=locale)
        text = words(locale or desk.plan.report.locales[0]).text("value.action.care")
        assert {row[list(row)[4]] for rows in desk.sheets().values() for row in rows} == {text}
        book = openpyxl.load_workbook(next(desk.folder.glob("*.xlsx")))
        assert WHY in str(book.worksheets[0]["A2"].value)


def test_who_when_why_and_how_many_are_logged_in_a_chain(desk):
    desk.export()
    desk.export(purpose="again", by=None, now=NOW + dt.timedelta(hours=1))
    first, second = chain.entries(desk.log)
    assert (first["by"], first["at"], first["purpose"]) == ("王敏", "2026-11-25T09:00:00+08:00", WHY)
    assert (first["list"], first["run"], first["rows"], first["employees"]) == ("churn", RUN, 30, 3)
    assert second["by"] == second["account"] and second["previous"] == first["sha256"]
    desk.log.write_text(desk.log.read_text(encoding="utf-8").replace('"rows": 30', '"rows": 3', 1), encoding="utf-8")
    before = desk.everything()
    with pytest.raises(InputError) as told:
        desk.export()
    assert codes(told) == ["export_log_broken"] and desk.everything() == before


def test_the_same_export_writes_the_same_files(desk):
    desk.export()
    before = desk.everything()
    desk.export()
    after = desk.everything()
    assert {n: c for n, c in before.items() if n.endswith("xlsx")} == {
        n: c for n, c in after.items() if n.endswith("xlsx")}  # fmt: skip
    assert len({e["files_sha256"] for e in chain.entries(desk.log)}) == 1


def test_only_the_owner_can_enter_private_folders(desk):
    desk.export()
    if os.name == "posix":
        assert all((p.stat().st_mode & 0o077) == 0 for p in (desk.outputs / "private").rglob("*") if p.is_dir())


# ---- consent: systems.yaml compliance-gate


@pytest.mark.parametrize("state", [None, "refused", "withdrawn", "不同意", "撤回", "未知", "也许", "-"])
def test_a_customer_without_separate_consent_is_never_on_a_list(tmp_path, state):
    desk = Desk(tmp_path, 6, consent={4: state})
    done = desk.export()
    assert done.left_out == {"no_consent": 1} and desk.listed() == {f"wmP{i:02d}" for i in (0, 1, 2, 3, 5)}


def test_who_asked_to_be_left_alone_is_never_on_a_list(desk):
    put(desk.root, "dnd.csv", "external_userid,consent_status,免打扰\nwmP07,granted,是\n", folder="mixed/20261112")
    done = desk.export()
    assert done.left_out == {"do_not_contact": 1} and "wmP07" not in desk.listed()


def test_who_opted_out_after_the_run_and_after_the_load_is_not_on_the_list(desk):
    desk.export()
    assert "wmP03" in desk.listed()
    put(desk.root, "later.csv", "external_userid,consent_status\nwmP03,withdrawn\n", folder="mixed/20261124")
    done = desk.export()
    assert done.left_out == {"no_consent": 1} and "wmP03" not in desk.listed()
    assert done.consent_on == dt.date(2026, 11, 24)


def test_no_list_leaves_while_a_sheet_of_consent_cannot_be_read(desk):
    desk.export()
    before = desk.everything()
    path = put(desk.root, "optout.csv", "external_userid,consent_status,免打扰\nwmP03,withdrawn,看情况\n",
               folder="mixed/20261124")  # fmt: skip
    with pytest.raises(InputError) as told:
        desk.export()
    assert codes(told)[0] == "consent_unread" and "optout.csv" in str(told.value)
    assert desk.everything() == before
    path.unlink()
    assert desk.export().rows == 30


def test_without_any_sheet_of_consent_nobody_is_contacted(tmp_path):
    desk = Desk(tmp_path, 6)
    (desk.root / "raw" / "mixed" / "20261111" / "consent.csv").unlink()
    said = []
    done = desk.export(write=said.append)
    assert done.left_out == {"no_consent": 6} and done.folder is None and not desk.folder.exists()
    assert any("data/SOURCES.md" in line for line in said)
    assert chain.entries(desk.log)[0]["rows"] == 0


def test_a_list_with_nobody_left_takes_the_one_before_away(desk):
    desk.export()
    rows = "".join(f"wmP{i:02d},withdrawn\n" for i in range(30))
    put(desk.root, "all.csv", "external_userid,consent_status\n" + rows, folder="mixed/20261124")
    assert desk.export().rows == 0 and not desk.folder.exists()


def test_the_rule_of_contact_decides_whatever_else_is_known():
    rows = [Listed(c * 24, i, "leaves", "care", None, None) for i, c in enumerate("abcdef")]
    known = {row.customer: Known("s", "granted", False) for row in rows}
    names = dict.fromkeys([*known, "s"], "x")
    assert not sort_out(rows, known, frozenset(), frozenset(), frozenset(), names).kept
    every = sort_out(rows, known, frozenset(known), frozenset({"a" * 24}), frozenset({"b" * 24}), names)
    assert [row.customer[0] for row in every.kept] == list("cdef")
    assert (every.left_out["forgotten"], every.left_out["held_out"]) == (("a" * 24,), ("b" * 24,))


def test_whom_a_running_test_leaves_alone_is_on_no_list_until_it_ends(desk):
    test = """
experiments:
  - {id: care, question: {zh: 关怀, en: care}, node: retention, unit: customer, arms: {none: 0.5, call: 0.5},
     holdout: none, primary: activation_rate, baseline: {value: 0.2, source: own_data}, owner: content,
     smallest_worth_having: {value: 0.1, source: own_data}, traffic_per_week: {value: 100000, source: own_data}}
"""
    desk.file.write_text(desk.file.read_text(encoding="utf-8") + test, encoding="utf-8")
    del desk.plan
    weeks = planned_as(desk.plan.experiments[0]).weeks
    rows = [f"care,wmP{i:02d},{('none', 'call')[i % 2]},0.5,2026-11-20 09:00:00,all" for i in range(6)]
    heads = "exp_id,unit_id,variant,ratio_planned,assigned_at,block"
    folder = desk.root / "raw" / "assignments" / desk.plan.id
    folder.mkdir(parents=True)
    (folder / "care.csv").write_text("\n".join([heads, *rows]) + "\n", encoding="utf-8")
    done = desk.export()
    assert done.left_out == {"held_out": 3}
    assert desk.listed() == {f"wmP{i:02d}" for i in range(30)} - {"wmP00", "wmP02", "wmP04"}
    assert chain.entries(desk.log)[-1]["left_out"] == {"held_out": 3}
    over = dt.datetime(2026, 11, 20, 9) + dt.timedelta(weeks=weeks)
    assert desk.export(now=over).left_out == {}
    assert desk.export(now=over - dt.timedelta(seconds=1)).left_out == {"held_out": 3}


# ---- forgotten, gone, not to be joined


def test_a_forgotten_person_leaves_the_lists_and_never_comes_back(desk):
    desk.export()
    forget(desk.root, "wmP04", outputs=desk.outputs)
    assert "wmP04" not in desk.listed() and len(desk.listed()) == 29
    desk.run()  # a run that still names the person
    done = desk.export()
    assert done.left_out == {"forgotten": 1} and "wmP04" not in desk.listed()
    entry = chain.entries(desk.log)[-1]
    assert entry["left_out"] == {"forgotten": 1} and hid(desk.root, "wmP04") not in json.dumps(entry)


def test_whose_employee_left_is_with_the_one_who_serves_now_or_left_out(desk):
    """Employee li leaves: wu takes P00 over, nobody takes P03."""
    gone = [{"ChangeType": "del_external_contact", "UserID": "li", "ExternalUserID": f"wmP{i:02d}",
             "CreateTime": MONDAY + 20 * 86400} for i in (0, 3)]  # fmt: skip
    put(desk.root, "left.jsonl", "\n".join(map(json.dumps, gone)), folder="mixed/20261123")
    put(desk.root, "taken.json", contacts(contact("P00", "wu", added=MONDAY + 20 * 86400)), folder="mixed/20261123")
    done = desk.export()
    assert done.left_out == {"gone": 1}
    by_file = {name.partition("-")[0]: {r["Customer external_userid"] for r in rows}
               for name, rows in desk.sheets().items()}  # fmt: skip
    assert "wmP00" in by_file["wu"] and "wmP00" not in by_file["li"] and "wmP03" not in desk.listed()


def test_an_id_that_cannot_be_joined_is_counted_and_named_by_hash(desk, monkeypatch):
    lost = {hid(desk.root, "wmP05"), hid(desk.root, "wu")}  # P01, P04, ... are wu's
    from planlib.data import rejoin

    true = rejoin.rejoin

    def without(*args, **more):
        found = true(*args, **more)
        return rejoin.Rejoined({h: i for h, i in found.ids.items() if h not in lost}, found.shown)

    monkeypatch.setattr(rejoin, "rejoin", without)
    done = desk.export()
    assert done.left_out == {"no_id": 1, "no_staff_id": 10}
    assert set(chain.entries(desk.log)[-1]["_no_id"]) == lost
    said = listing.lines(done, Asked("churn", "wecom", WHY, None, NOW), words("en"))
    assert any("10" in line and "employee" in line for line in said)
    forget(desk.root, "wmP05", outputs=desk.outputs)  # the log forgets too, and its chain is whole
    assert hid(desk.root, "wmP05") not in desk.log.read_text(encoding="utf-8")
    assert set(chain.entries(desk.log)[-1]["_no_id"]) == {hid(desk.root, "wu")}
    purge(desk.root, dt.date(2026, 11, 26), outputs=desk.outputs)
    assert chain.entries(desk.log)[-1]["_no_id"] == []


def test_purging_takes_old_lists_and_keeps_the_log(desk):
    desk.export()
    for path in (desk.outputs / "private").rglob("*"):
        os.utime(path, (MONDAY, MONDAY))
    purge(desk.root, dt.date(2026, 11, 10), outputs=desk.outputs)
    assert not list(desk.folder.glob("*.xlsx")) and chain.verify(desk.log) == 1


def test_forgetting_tells_of_a_log_that_names_the_person_in_its_purpose(desk):
    desk.export(purpose="wmP02 asked for it")
    erased = forget(desk.root, "wmP02", outputs=desk.outputs)
    assert desk.log.as_posix() in erased.unsure and chain.verify(desk.log) == 1


def test_data_that_know_nobody_on_the_list_are_refused(desk, tmp_path):
    other = brand(tmp_path / "other", 5)
    with pytest.raises(InputError) as told:
        desk.export(data=str(other))
    assert codes(told) == ["list_foreign"] and not (desk.outputs / "private").exists()


# ---- hostile cells


EVIL = ("=1+1", "+cmd|' /C calc'!A0", "-2+3", "@SUM(A1)", "\t=1", "\r=1", '=HYPERLINK("http://x","y")', "a\x0bb\x00",
        "_x003D_1", "\u202egnp.exe", "👨\u200d👩", "x" * 40_000)  # fmt: skip


@pytest.mark.parametrize("raw", EVIL)
def test_cells_that_look_like_formulas_stay_texts(tmp_path, raw):
    """A customer's name, remark, tag, id and an employee's id: none of them is ever run."""
    root = tmp_path / "data"
    who, staff = f"{raw[:30].strip()}1", f"{raw[:30].strip()}2"
    person = contact("A", "li")
    person["external_contact"] |= {"external_userid": who, "name": raw}
    person["follow_info"] |= {"userid": staff, "remark": raw, "oper_userid": staff}
    other = contact("B", staff)
    other["external_contact"]["name"] = raw
    put(root, "contacts.json", json.dumps(contacts(person, other)))
    put(root, "tags.json", json.dumps(OK | {"tag_group": [
        {"group_id": "g", "group_name": "x", "tag": [{"id": "t1", "name": raw}]}]}))  # fmt: skip
    load(root)
    with Engine(root) as tables:
        hids = [row["external_hid"] for row in tables.query("SELECT external_hid FROM customers").rows()]
    books = _books(root, hids)
    assert books
    for book in books:
        for page in book.worksheets:
            for row in page.iter_rows():
                for cell in row:
                    assert cell.data_type != "f", cell.value
                    if isinstance(cell.value, str) and cell.value[:1] in "=+-@\t\r" and cell.value:
                        assert cell.quotePrefix and cell.data_type == "s"


def _books(root, hids):
    """Return the workbooks of a list of everybody in a data folder, consent set aside, opened again."""
    import io

    from planlib.data.rejoin import rejoin
    from planlib.exchange.lists import Contact, file_stem, list_bytes

    with Engine(root) as tables:
        known = {r["external_hid"]: r["staff_id"] for r in tables.query("listed").rows()}
        tags = {r["external_hid"]: [r["tag_name"]] for r in tables.query("tag_names").rows()}
    edges = {(h, known[h]) for h in hids if known[h]}
    back = rejoin(root, ids.salt(root), {h for edge in edges for h in edge}, edges)
    made = []
    for customer, staff in edges:
        name = file_stem(back.ids[staff], staff)
        assert "/" not in name and "\\" not in name and name.isascii() and name[0] not in ".="
        row = Contact(back.ids[customer], back.shown.get((customer, staff), ""), tags.get(customer, ()), "r", "a",
                      None, float(10**9), "")  # fmt: skip
        content = list_bytes([row], [back.ids[staff]], words("zh"))
        made.append(openpyxl.load_workbook(io.BytesIO(content)))
    return made


def test_half_a_character_is_no_reason_to_fail():
    from planlib.exchange.lists import Contact, list_bytes

    row = Contact("wm\ud83d", "\udc00", ("\x01",), "r", "a", None, None, "")
    assert list_bytes([row], ["\ud83d"], words("en"))[:2] == b"PK"


def test_a_purpose_and_a_name_that_look_like_formulas_are_harmless(desk):
    desk.export(purpose="=1+1", by="@me")
    for path in desk.folder.glob("*.xlsx"):
        cells = [c for page in openpyxl.load_workbook(path).worksheets for row in page.iter_rows() for c in row]
        assert all(cell.data_type != "f" for cell in cells)
    assert chain.entries(desk.log)[0]["by"] == "@me"


def test_a_remark_goes_before_the_nickname_and_stands_only_with_its_employee(desk):
    two = contact("P00", "wu", added=MONDAY + 1)  # followed by li and wu; wu added last
    two["follow_info"]["remark"] = "老顾客=vip"
    put(desk.root, "more.json", contacts(two), folder="mixed/20261112")
    desk.export()
    shown = {row["Customer external_userid"]: row["Shown as"] for rows in desk.sheets().values() for row in rows}
    assert shown["wmP00"] == "老顾客=vip" and shown["wmP01"] == "某人"


def test_forgetting_in_a_list_leaves_formulas_texts(tmp_path):
    root = tmp_path / "data"
    people = [contact(name, "li") for name in ("A", "B", "C")]
    for one in people:
        one["follow_info"]["remark"] = "=1+1"
    put(root, "contacts.json", contacts(*people))
    put(root, "consent.csv", "external_userid,consent_status\nwmA,granted\nwmB,granted\nwmC,granted\n")
    desk = Desk.__new__(Desk)
    desk.root, desk.outputs, desk.file = root, tmp_path / "outputs", tmp_path / "plan.yaml"
    shutil.copy(ROOT / "tests" / "plan" / "minimal.yaml", desk.file)
    desk.on = ["A", "B", "C"]
    desk.run()
    desk.export()
    forget(root, "wmA", outputs=desk.outputs)
    assert desk.listed() == {"wmB", "wmC"}
    for path in desk.folder.glob("*.xlsx"):
        cells = [c for page in openpyxl.load_workbook(path).worksheets for row in page.iter_rows() for c in row]
        assert all(cell.data_type != "f" for cell in cells)


# ---- whole or not at all


def test_a_full_disk_leaves_what_was_there(desk, monkeypatch):
    desk.export()
    before = desk.everything()
    true = Path.write_bytes

    def full(path, content):
        if path.suffix == ".xlsx" and path.name.startswith("wu"):
            raise OSError(errno.ENOSPC, "No space left on device")
        return true(path, content)

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(DiskFull):
        desk.export(purpose="second")
    assert desk.everything() == before


def test_a_log_that_cannot_be_written_means_no_list(desk, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched, pytest.raises(DiskFull):
        patched.setattr(chain, "append", full)
        desk.export()
    assert desk.everything() == {}
    desk.export()
    before = desk.everything()
    with monkeypatch.context() as patched, pytest.raises(DiskFull):
        patched.setattr(chain, "append", full)
        desk.export(purpose="second")
    assert desk.everything() == before


def test_a_list_that_is_open_elsewhere_stays_and_is_told(desk, monkeypatch):
    desk.export()
    before = desk.everything()
    true = os.replace

    def locked(source, target):
        if Path(source) == desk.folder:
            raise PermissionError(13, "in use")
        return true(source, target)

    monkeypatch.setattr(os, "replace", locked)
    with pytest.raises(InputError) as told:
        desk.export()
    assert codes(told) == ["book_open"] and desk.everything() == before


def test_an_export_that_was_killed_between_its_moves_is_made_good(desk):
    desk.export()
    os.replace(desk.folder, desk.folder.with_name(".churn.old"))
    (desk.folder.with_name(".churn.new")).mkdir()
    desk.export(name="churn")
    assert len(desk.listed()) == 30 and {p.name for p in desk.folder.parent.iterdir()} == {"churn"}


def test_an_output_folder_that_is_a_file_is_told(desk, tmp_path):
    (desk.outputs / "private").write_text("a file", encoding="utf-8")
    with pytest.raises(InputError) as told:
        desk.export()
    assert codes(told) == ["sample_write"]


def test_exports_at_the_same_time_stand_one_after_another_in_the_log(tmp_path, monkeypatch):
    """Two data folders, one folder of outputs: only the log's own lock keeps them apart."""
    quick = chain.next_line

    def slow(*args, **more):
        line = quick(*args, **more)
        time.sleep(0.5)  # time enough for the other to read the same last line
        return line

    monkeypatch.setattr(chain, "next_line", slow)
    one, two = (Desk(tmp_path / name, 6) for name in ("one", "two"))
    shutil.move(two.outputs / "minimal", one.outputs / "other")
    text = two.file.read_text(encoding="utf-8").replace("id: minimal", "id: other")
    two.file.write_text(text, encoding="utf-8")
    two.outputs = one.outputs
    del two.plan
    two.run()
    failed = []

    def many(desk):
        try:
            for i in range(2):
                desk.export(purpose=f"{desk.root.parent.name} {i}")
        except Exception as error:
            failed.append(error)

    threads = [threading.Thread(target=many, args=(desk,)) for desk in (one, two)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failed
    purposes = [entry["purpose"] for entry in chain.entries(one.log)]
    assert sorted(purposes) == sorted(f"{name} {i}" for name in ("one", "two") for i in range(2))


# ---- what may be asked


@pytest.mark.parametrize("purpose", ["", " ", "\u3000", "。。", "\u200b"])
def test_an_export_without_a_purpose_is_refused(desk, purpose):
    with pytest.raises(InputError) as told:
        desk.export(purpose=purpose)
    assert codes(told)[0] == "purpose_missing" and not (desk.outputs / "private").exists()


@pytest.mark.parametrize(
    "asked, code",
    [({"platform": "email"}, "choice"), ({"by": " "}, "missing"), ({"purpose": "a\nb"}, "control_character"),
     ({"purpose": "x" * 201}, "text_length"), ({"by": "x" * 201}, "text_length")],
)  # fmt: skip
def test_what_cannot_be_asked_is_told(desk, asked, code):
    with pytest.raises(InputError) as told:
        desk.export(**asked)
    assert code in codes(told) and not (desk.outputs / "private").exists()
    assert all(told.value.render(locale) for locale in ("zh", "en"))


@pytest.mark.parametrize("name", ["../churn", "churn/..", "", "list_churn", "purchase", "/etc/passwd", "CHURN"])
def test_an_unknown_list_is_told_with_those_that_there_are(desk, name):
    with pytest.raises(InputError) as told:
        desk.export(name)
    assert codes(told) == ["unknown_list"] and "churn" in str(told.value)
    assert not (desk.outputs / "private").exists()


@pytest.mark.parametrize("run", ["nobody", "../..", "", "20990101T000000000Z-000000"])
def test_an_unknown_run_is_told(desk, run):
    if not run:
        shutil.rmtree(desk.outputs / "minimal")
    with pytest.raises(InputError) as told:
        desk.export(run_name=run)
    assert codes(told) == ["unknown_run"] and not (desk.outputs / "private").exists()


def test_a_later_run_of_a_review_without_lists_hides_none(desk):
    later = desk.outputs / "minimal" / "20261126T010000000Z-abc124"
    later.mkdir()
    (later / "manifest.json").write_text("{}", encoding="utf-8")
    (later / PLAN).write_text(desk.plan.resolved_json(), encoding="utf-8")
    (later.parent / "latest").write_text(later.name + "\n", encoding="utf-8")
    assert desk.export().rows == 30
    asked = Asked("churn", "wecom", WHY, None, NOW)
    given = {"run_name": None, "data": str(desk.root), "outputs": desk.outputs, "write": lambda _: None}
    assert export(None, asked, words("en"), **given).rows == 30
    with pytest.raises(InputError) as told:
        desk.export(run_name=later.name)
    assert codes(told) == ["no_lists"]


def test_a_run_of_another_plan_is_told(desk):
    other = load_plan(ROOT / "params" / "wechat_platform.yaml")
    the_run(desk.outputs, desk.root, other, desk.on)
    with pytest.raises(InputError) as told:
        desk.export(run_name="wechat_platform")
    assert codes(told) == ["other_plan"]


def test_a_run_without_lists_names_the_command(desk):
    folder = desk.outputs / "minimal" / RUN / listing.NOTEBOOK
    found = res.load(folder / "results.json")
    res.write(folder / "results.json", found | {"tables": []})
    with pytest.raises(InputError) as told:
        desk.export()
    assert codes(told) == ["no_lists"] and "planlib run PLAN --only 60_customer_value" in str(told.value)
    shutil.rmtree(folder)
    with pytest.raises(InputError) as told:
        desk.export()
    assert codes(told) == ["no_lists"]


def test_without_a_plan_the_only_one_with_lists_is_meant(desk):
    asked = Asked("churn", "wecom", WHY, None, NOW)
    given = {"run_name": None, "data": str(desk.root), "outputs": desk.outputs, "write": lambda _: None}
    assert export(None, asked, words("en"), **given).rows == 30
    other = load_plan(ROOT / "params" / "wechat_platform.yaml")
    the_run(desk.outputs, desk.root, other, desk.on[:2])
    with pytest.raises(InputError) as told:
        export(None, asked, words("en"), **given)
    assert codes(told) == ["which_plan"] and "minimal, wechat_platform" in str(told.value)
    assert export(None, asked, words("en"), **given | {"run_name": "wechat_platform"}).rows == 2


def row(root, **more):
    return {"external_hid": hid(root, "wmP00"), "rank": 1, "reason": "leaves", "action": "care", "value_cny": 1.0,
            "due": None} | more  # fmt: skip


@pytest.mark.parametrize(
    "column, value",
    [("external_hid", "wmP00"), ("external_hid", None), ("rank", None), ("rank", 1.5), ("reason", "x"),
     ("action", "=1"), ("value_cny", float("inf")), ("value_cny", "=1"), ("due", "soon"), ("due", 3)],
)  # fmt: skip
def test_a_table_that_is_no_list_is_refused(desk, column, value):
    desk.run(rows=[row(desk.root, **{column: value})])
    with pytest.raises(InputError) as told:
        desk.export()
    assert [(p.code, p.field) for p in told.value.problems] == [("list_table", column)]


def test_a_customer_stands_on_a_list_once(desk):
    desk.run(rows=[row(desk.root), row(desk.root, rank=2)])
    with pytest.raises(InputError) as told:
        desk.export()
    assert codes(told) == ["list_table"]


def test_an_empty_list_is_no_error(desk):
    desk.run(rows=pd.DataFrame([row(desk.root)]).iloc[:0])
    assert desk.export().rows == 0


# ---- reach and fatigue


@pytest.mark.parametrize(
    "limit, day, delivered, expected",
    [
        (("month", 4), "2026-11-25", {}, 4),
        (("month", 4), "2026-11-25", {"2026-11-01": 3, "2026-10-31": 9}, 1),
        (("month", 4), "2026-11-25", {"2026-11-02": 6}, 0),
        (("month", 4), "2026-11-25", {"2026-11-26": 4}, 4),  # a day that has not come tells nothing
        (("week", 7), "2026-11-25", {}, 14),  # this week, and the one from Monday the 30th
        (("week", 7), "2026-11-25", {"2026-11-22": 7, "2026-11-23": 7}, 7),
        (("week", 7), "2026-11-30", {"2026-11-30": 2}, 5),
        (("day", 1), "2026-11-25", {"2026-11-25": 1}, 5),
        (("day", 1), "2026-02-28", {}, 1),
    ],
)
def test_messages_left_in_a_month_by_hand(limit, day, delivered, expected):
    days = {dt.date.fromisoformat(on): n for on, n in delivered.items()}
    assert sends_left(SendLimit(limit[1], limit[0]), dt.date.fromisoformat(day), days) == expected


def sends(root, counts, *, tasks=()):
    """Put mass messages that reached customers on days counted from Monday, 2 November; tasks tell who confirmed."""
    messages, results = [], []
    for k, (person, day) in enumerate((p, d) for p, days in counts.items() for d in days):
        at = MONDAY + 86400 * day + 3600
        messages.append({"msgid": f"m{k}", "creator": "ops", "create_time": at, "create_type": 0})
        results.append({"request": {"msgid": f"m{k}"}, "response": OK | {"send_list": [
            {"external_userid": f"wm{person}", "userid": "li", "status": 1, "send_time": at}]}})  # fmt: skip
    put(root, "messages.json", OK | {"group_msg_list": messages}, folder="sends/20261124")
    put(root, "results.jsonl", "\n".join(map(json.dumps, results)), folder="sends/20261124")
    done = [{"userid": f"s{i}", "status": 2 if yes else 0, **({"send_time": MONDAY} if yes else {})}
            for i, yes in enumerate(tasks)]  # fmt: skip
    if done:
        put(root, "tasks.msgid=m0.json", OK | {"task_list": done}, folder="sends/20261124")


def test_a_list_above_the_reach_of_the_month_says_how_many_cannot_be_reached(desk):
    desk.limit(2, "month")
    sends(desk.root, {"P00": (1, 2), "P01": (3, 4, 5), "P02": (6,)}, tasks=(True, True, True, False))
    said = []
    done = desk.export(write=said.append)
    assert done.reach.used_up == 2 and sum(done.reach.left.values()) == 27 * 2 + 1
    assert (done.reach.tasks, done.reach.confirmed) == (4, 3)
    told = {r["Customer external_userid"]: r["Mass message"] for rows in desk.sheets().values() for r in rows}
    assert {c for c, text in told.items() if "one to one" in text} == {"wmP00", "wmP01"}
    assert any("55 mass messages" in line for line in said) and any(line.startswith("2 of them") for line in said)
    assert any("75.0%" in line and "21 of" in line for line in said)  # 28 who can be reached
    assert chain.entries(desk.log)[0]["sends_used_up"] == 2


def test_without_a_limit_in_the_plan_reach_is_not_counted(desk):
    said = []
    done = desk.export(write=said.append)
    assert done.reach.limit is None and any("sends_per_customer" in line for line in said)
    assert {r["Mass message"] for rows in desk.sheets().values() for r in rows} == {None}


def test_pushes_above_the_threshold_that_was_observed_are_flagged(desk):
    desk.limit(7, "week")
    sends(desk.root, {"P00": (20, 21, 22), "P01": (22,), "P02": (1, 2, 3)})
    desk.run(fatigue=3.0)
    said = []
    done = desk.export(write=said.append)
    assert [(p.kind, p.per_week) for p in done.flags] == [("limit", 7.0)] and done.tired == 1
    assert any("7" in line and "3" in line and line.startswith("Mind: the plan allows") for line in said)
    desk.run(fatigue=8.0)
    assert desk.export().flags == ()


@pytest.mark.parametrize("metrics", [[], [{"id": "fatigue_cap_per_week", "value": None, "reason": "no_holdout"}]])
def test_a_threshold_that_nobody_knows_is_said_to_be_unknown(desk, metrics):
    desk.run(metrics=metrics)
    said = []
    done = desk.export(write=said.append)
    assert done.fatigue is None and not done.flags and any("fatigue" in line for line in said)


def test_a_plans_pushes_are_its_limit_and_its_tests():
    plan = load_plan(ROOT / "params" / "wechat_platform.yaml")
    pushes = {p.id: p.per_week for p in planned_pushes(plan)}
    assert pushes[""] == 7.0 and max(n for i, n in pushes.items() if i) == 3.0
    assert {p.id for p in above_threshold(plan, 2.0)} == {i for i, n in pushes.items() if n > 2}
    assert above_threshold(plan, 7.0) == ()


# ---- words, command


def test_lists_are_those_that_the_notebook_writes():
    """What it writes as reason and action has words, and so has every reason for leaving somebody out."""
    from planlib.valuing import LISTS

    assert NAMES == LISTS
    for locale in ("zh", "en"):
        w = words(locale)
        assert all(w.has(f"value.{part}.{name}") for part in ("list", "act") for name in NAMES)
        assert all(w.has(f"listing.left_out.{name}") for name in listing.LEFT_OUT)


def test_the_command_exports_and_says_what_comes_next(desk, monkeypatch, capsys):
    given = [str(desk.file), "churn", "--for", "wecom", "--purpose", WHY, "--data", str(desk.root), "--out",
             str(desk.outputs), "--locale", "zh"]  # fmt: skip
    monkeypatch.setattr("sys.argv", ["planlib", "list", *given])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    out = capsys.readouterr().out
    assert not ended.value.code and "名单“流失预警”：30 人" in out and "下一步" in out
    assert not any(f"wmP{i:02d}" in out for i in range(30))
    monkeypatch.setattr("sys.argv", ["planlib", "list", *given[:2], "more", *given[2:]])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code == 2 and "[方案] 名单" in capsys.readouterr().err


# ---- the sample brand


def test_the_sample_brand_gives_lists_without_anybody_who_did_not_agree(tmp_path):
    root = tmp_path / "sample"
    write_sample(root, customers=200, seed=7)
    for folder in ("official_account", "mini_program", "shop", "wxpay"):  # nothing of them tells who may be contacted
        shutil.rmtree(root / "raw" / folder)
    load(root)
    with Engine(root) as tables:
        hids = [row["external_hid"] for row in tables.query("SELECT external_hid FROM customers ORDER BY 1").rows()]
        may = {row["external_hid"] for row in tables.query("contactable").rows()}
    desk = Desk.__new__(Desk)
    desk.root, desk.outputs, desk.file = root, tmp_path / "outputs", ROOT / "params" / "sample_brand.yaml"
    rows = [row(root, external_hid=h, rank=i) for i, h in enumerate(hids)]
    the_run(desk.outputs, root, desk.plan, [], rows=rows, fatigue=2.0)
    done = desk.export(now=dt.datetime(2026, 12, 31, 18, 0))
    listed = {hid(root, customer) for customer in desk.listed()}
    assert listed == may and 0 < len(listed) < len(hids) and done.rows + sum(done.left_out.values()) == len(hids)
    said = listing.lines(done, Asked("churn", "wecom", WHY, None, NOW), words("en"))
    assert {p.kind for p in done.flags} == {"limit", "test"}
    assert sum("push_frequency (3)" in line for line in said) == 1
    assert done.reach.until is not None
    note = openpyxl.load_workbook(next(desk.folder.glob("*.xlsx"))).worksheets[0]
    assert any("示例" in str(cell.value) or "Sample" in str(cell.value) for cell in note["A"])
