"""planlib load, forget and purge: what they print, their exit status, one at a time."""

from __future__ import annotations

import datetime as dt
import json
import subprocess
import sys
from pathlib import Path

import pytest

from planlib.core.words import words
from planlib.data.store import tidy_dir
from planlib.workbook.data_job import data_root, forget_person, load_data, purge_before
from planlib.workbook.failures import LockHeld
from planlib.workbook.lock import hold
from tests.data.hand_made import MONDAY, OK, contact, contacts, order, put

MAIN = "from planlib.cli import main; main()"
ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def root(tmp_path):
    put(tmp_path, "o.json", order("1"))
    put(tmp_path, "c.json", contacts(contact("A", "s")))
    return tmp_path


@pytest.mark.parametrize("locale", ["zh", "en"])
def test_loading_says_what_it_did(root, locale):
    put(root, "r.json", OK | {"send_list": [{"external_userid": "wmA", "userid": "s", "status": 1}]})
    put(root, "bad.json", "{")
    said: list[str] = []
    assert load_data(root, words(locale), said.append) == 1
    text = "\n".join(said)
    for part in ("orders", "bad.json", "msgid", "3"):
        assert part in text
    assert load_data(root, words(locale), said.append) == 1  # what is aside stays a matter to mend


def test_a_clean_load_ends_with_0(root):
    assert load_data(root, words("en"), lambda _: None) == 0


def test_forget_and_purge_say_what_they_did(root, tmp_path):
    load_data(root, words("en"), lambda _: None)
    said: list[str] = []
    forget_person(root, tmp_path / "outputs", "wmA", words("en"), said.append)
    assert "3 ids" in said[-1]
    put(root, "p.json", order("2", at=MONDAY, person="B"))
    load_data(root, words("en"), lambda _: None)
    purge_before(root, tmp_path / "outputs", dt.date(2026, 12, 1), words("zh"), said.append)
    assert any("p.json" in line for line in said)


def test_two_loads_do_not_run_at_once(root, monkeypatch):
    monkeypatch.setattr("planlib.workbook.data_job.WAIT_SECONDS", 0.0)
    tidy_dir(root).mkdir()
    with hold(tidy_dir(root)), pytest.raises(LockHeld):
        load_data(root, words("en"), lambda _: None)


def test_the_command_itself(root):
    command = [sys.executable, "-c", MAIN, "load", "--data", str(root), "--locale", "en"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, encoding="utf-8", check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    assert "2 files read" in done.stdout


def test_without_raw_files_the_message_is_clear(tmp_path):
    command = [sys.executable, "-c", MAIN, "load", "--data", str(tmp_path / "none")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, encoding="utf-8", check=False, timeout=120)
    assert done.returncode == 2 and "none/raw" in done.stderr.replace("\\", "/")
    assert not (tmp_path / "none").exists()


def test_the_data_folder_of_a_plan():
    assert data_root("params/wechat_platform.yaml", None) == Path("data")
    assert data_root(None, "elsewhere") == Path("elsewhere") and data_root(None, None) == Path("data")


def test_nothing_of_a_person_is_printed(root):
    load_data(root, words("en"), lambda _: None)
    said: list[str] = []
    load_data(root, words("en"), said.append)
    assert "wmA" not in json.dumps(said)
