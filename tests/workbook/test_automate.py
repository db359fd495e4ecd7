"""Files for schedulers: each is read back by a reader of its own, and the command arrives as it was meant."""

import ast
import datetime as dt
import os
import re
import shutil
import subprocess
import xml.etree.ElementTree as ET
from pathlib import PurePosixPath, PureWindowsPath

import pytest
import yaml

from planlib.core.errors import InputError
from planlib.workbook.automate import At, cron_line, dag, parse_at, task_xml, workflow, write_schedules
from planlib.workbook.cadence import CADENCES

ROOT = PurePosixPath("/srv/私域 运营/it's 50% {{ours}}")
PLAN = "params/我的 品牌 $HOME.yaml"
COMMAND = ["/opt/py 3/bin/python", "-m", "planlib", "run", PLAN, "--cadence", "weekly", "--keep", "5"]
SINCE = dt.date(2027, 1, 1)
NAMESPACE = "{http://schemas.microsoft.com/windows/2004/02/mit/task}"


def fields(line):
    """Return the moments of a week in which a cron line runs, as (weekday from Monday, hour, minute), and its command.

    Written after crontab(5), for lists and stars alone.
    """
    *when, command = line.split(" ", 5)
    sets = []
    for text, span in zip(when, (range(60), range(24), range(1, 32), range(1, 13), range(7)), strict=True):
        sets.append(set(span) if text == "*" else {int(part) for part in text.split(",")})
        assert sets[-1] <= set(span)
    assert "%" not in command.replace(r"\%", "")
    return sets, command.replace(r"\%", "%")


def said_by(shell, folder):
    """Return the folder in which a shell runs the command, and the arguments that it hands over."""
    show = folder / "show"
    show.write_text('#!/bin/sh\npwd\nfor a in "$@"; do printf "%s\\n" "$a"; done\n', encoding="utf-8")
    show.chmod(0o755)
    place = folder / str(ROOT)[1:]
    place.mkdir(parents=True)
    shell = shell.replace("'/opt/py 3/bin/python'", str(show)).replace("/srv/", f"{folder}/srv/")
    done = subprocess.run(["sh", "-c", shell], capture_output=True, encoding="utf-8", check=True, cwd=folder)
    log = place / "outputs" / "x.log"
    return (log.read_text(encoding="utf-8") if log.exists() else done.stdout).splitlines(), place


@pytest.mark.parametrize(
    ("typed", "kind", "start", "cron", "utc"),
    [
        ("Mon 08:00", "weekly", "2027-01", "0 8 * * 1", "0 0 * * 1"),
        ("Mon 07:30", "weekly", "2027-01", "30 7 * * 1", "30 23 * * 0"),
        ("sun 6:05", "weekly", "2027-01", "5 6 * * 0", "5 22 * * 6"),
        ("2 08:00", "monthly", "2027-01", "0 8 2 * *", "0 0 2 * *"),
        ("2 07:00", "monthly", "2027-01", "0 7 2 * *", "0 23 1 * *"),
        ("1 07:00", "quarterly", "2026-11", "0 7 1 2,5,8,11 *", "0 0 1 2,5,8,11 *"),
        ("28 23:59", "annual", "2026-11", "59 23 28 11 *", "59 15 28 11 *"),
    ],
)
def test_when(typed, kind, start, cron, utc):
    found = parse_at(typed, kind, start)
    assert (found.cron, found.utc_cron) == (cron, utc)
    local, _ = fields(f"{cron} x")
    world, _ = fields(f"{utc} x")
    if kind == "weekly":
        (minute,), (hour,), *_, (day,) = local
        (minute_utc,), (hour_utc,), *_, (day_utc,) = world
        assert minute == minute_utc and (day * 24 + hour - 8) % 168 == day_utc * 24 + hour_utc


@pytest.mark.parametrize(
    ("typed", "kind"),
    [("Mon 8", "weekly"), ("2 08:00", "weekly"), ("Mon 08:00", "monthly"), ("29 08:00", "monthly"),
     ("0 08:00", "annual"), ("Mon 24:00", "weekly"), ("Mon 08:60", "weekly"), ("", "weekly"), ("周一 08:00", "weekly")],
)  # fmt: skip
def test_a_time_that_is_none_is_refused(typed, kind):
    with pytest.raises(InputError, match="Mon 08:00"):
        parse_at(typed, kind, "2027-01")


@pytest.mark.skipif(shutil.which("sh") is None, reason="no shell here")
def test_the_cron_line_hands_over_what_was_meant(tmp_path):
    line = cron_line(COMMAND, ROOT, At(0, None, 8, 0), log="outputs/x.log")
    (minute, hour, days, months, week), shell = fields(line)
    assert (minute, hour, week) == ({0}, {8}, {1}) and len(days) == 31 and len(months) == 12
    told, place = said_by(shell, tmp_path)
    assert told == [str(place), *COMMAND[1:]]


@pytest.mark.skipif(shutil.which("sh") is None, reason="no shell here")
def test_the_dag_compiles_and_hands_over_what_was_meant(tmp_path):
    source = dag("brand.weekly", COMMAND, ROOT, At(0, None, 8, 0), SINCE)
    calls = {node.func.id: node for node in ast.walk(ast.parse(source))
             if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)}  # fmt: skip
    given = {kw.arg: ast.literal_eval(kw.value) for kw in calls["BashOperator"].keywords}
    assert (given["retries"], given["skip_on_exit_code"]) == (0, 3)
    shell = given["bash_command"]
    assert shell.startswith("{% raw %}") and shell.endswith("{% endraw %}")
    told, place = said_by(shell.removeprefix("{% raw %}").removesuffix("{% endraw %}"), tmp_path)
    assert told == [str(place), *COMMAND[1:]]
    of_dag = {kw.arg: kw.value for kw in calls["DAG"].keywords}
    assert ast.literal_eval(of_dag["schedule"]) == "0 8 * * 1" and ast.literal_eval(of_dag["max_active_runs"]) == 1
    assert "Asia/Shanghai" in source


@pytest.mark.skipif(shutil.which("sh") is None, reason="no shell here")
def test_the_workflow_loads_and_hands_over_what_was_meant(tmp_path):
    found = yaml.safe_load(workflow("brand.weekly", COMMAND, ROOT, At(0, None, 7, 0)))
    when = found[True] if True in found else found["on"]  # YAML 1.1 reads the bare key as a truth value
    assert when["schedule"] == [{"cron": "0 23 * * 0"}] and found["concurrency"]["cancel-in-progress"] is False
    job = found["jobs"]["review"]
    assert job["runs-on"] == "self-hosted" and job["defaults"]["run"]["working-directory"] == str(ROOT)
    told, _ = said_by(job["steps"][0]["run"], tmp_path)
    assert told[1:] == COMMAND[1:]


@pytest.mark.parametrize("kind", ["weekly", "quarterly"])
def test_the_task_of_windows_follows_its_schema(kind):
    """Order of elements after MS-TSCH 2.5: StartBoundary (base type) before the schedule; Exec with its arguments."""
    root = PureWindowsPath(r"C:\数据 & 计划\a b")
    python, plan = r"C:\Program Files\Python\python.exe", r"params\我的 品牌 & co.yaml"
    command = [python, "-m", "planlib", "run", plan, "--keep", "5"]
    at = parse_at("Mon 08:00" if kind == "weekly" else "2 08:00", kind, "2026-11")
    task = ET.fromstring(task_xml("brand", command, root, at, SINCE).encode("utf-16"))
    assert task.tag == f"{NAMESPACE}Task" and task.get("version") == "1.2"
    parts = ["RegistrationInfo", "Triggers", "Principals", "Settings", "Actions"]
    assert [child.tag.removeprefix(NAMESPACE) for child in task] == parts
    trigger = task.find(f"{NAMESPACE}Triggers/{NAMESPACE}CalendarTrigger")
    names = [child.tag.removeprefix(NAMESPACE) for child in trigger]
    assert names == ["StartBoundary", "ScheduleByWeek" if kind == "weekly" else "ScheduleByMonth"]
    assert trigger[0].text == "2027-01-01T08:00:00+08:00"
    days = [node.tag.removeprefix(NAMESPACE) for node in trigger[1].iter() if not list(node)]
    if kind == "weekly":
        assert days == ["WeeksInterval", "Monday"]
    else:
        assert days == ["Day", "February", "May", "August", "November"]
    run = {node.tag.removeprefix(NAMESPACE): node.text for node in task.find(f"{NAMESPACE}Actions/{NAMESPACE}Exec")}
    assert run["Command"] == command[0] and run["WorkingDirectory"] == str(root)
    assert run["Arguments"] == '-m planlib run "params\\我的 品牌 & co.yaml" --keep 5'
    settings = {node.tag.removeprefix(NAMESPACE): node.text for node in task.find(f"{NAMESPACE}Settings")}
    assert settings["MultipleInstancesPolicy"] == "IgnoreNew" and settings["StartWhenAvailable"] == "true"


def test_all_files_are_written_and_name_no_address(tmp_path):
    given = {"root": ROOT, "kind": CADENCES["weekly"], "at": At(0, None, 8, 0), "since": SINCE}
    made = write_schedules("brand", COMMAND, out=tmp_path / "日程 表", **given)
    names = {path.name.removeprefix("brand.weekly.") for path in made}
    assert names == {"cron", "dag.py", "md", "task.xml", "workflow.yml"}
    for path in made:
        content = path.read_bytes()
        text = content.decode("utf-16" if path.suffix == ".xml" else "utf-8")
        addresses = re.findall(r"https?://\S+", text)
        assert all("schemas.microsoft.com" in address for address in addresses)
        if path.suffix == ".xml":
            ET.fromstring(content)
    guide = made[-1].read_text(encoding="utf-8")
    assert all(path.name in guide for path in made[:-1]) and "周复盘" in guide and "weekly" in guide
    zone, line = (tmp_path / "日程 表" / "brand.weekly.cron").read_text(encoding="utf-8").splitlines()[-2:]
    assert zone == "CRON_TZ=Asia/Shanghai" and line.startswith("0 8 * * 1 ")
    assert os.linesep not in line
