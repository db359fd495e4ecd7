"""What schedulers need to hold a plan's reviews: cron, Windows Task Scheduler, GitHub Actions, Airflow.

Times are those of the plan (China Standard Time). planlib finds the slot that is due itself, so that a scheduler that
is late, or runs at another hour, costs nothing but the delay.
"""

from __future__ import annotations

import datetime as dt
import json
import re
import shlex
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath
from xml.sax.saxutils import escape

from planlib.core.errors import InputError, Problem
from planlib.core.results import write_whole
from planlib.core.words import LOCALES, words
from planlib.workbook.cadence import ZONE, Cadence

DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_LONG_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_MONTHS = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November",
    "December",
)  # fmt: skip
_OFFSET_HOURS = 8  # of China from UTC, all year
_AT = re.compile(r"([A-Za-z]{3}|\d{1,2}) +(\d{1,2}):(\d\d)")


@dataclass(frozen=True, slots=True)
class At:
    """When a review runs, in China Standard Time.

    Attributes:
        weekday: 0 is Monday; of a weekly review, else None.
        day: of the month; of any other review, else None.
        hour, minute: of the day.
        months: in which it runs, 1 to 12; () for a weekly one.
    """

    weekday: int | None
    day: int | None
    hour: int
    minute: int
    months: tuple[int, ...] = ()

    @property
    def cron(self) -> str:
        """The five fields of a cron line."""
        months = "*" if len(self.months) in (0, 12) else ",".join(map(str, self.months))
        week = "*" if self.weekday is None else str((self.weekday + 1) % 7)
        return f"{self.minute} {self.hour} {self.day or '*'} {months} {week}"

    @property
    def utc_cron(self) -> str:
        """The same by a clock of UTC; a day of the month that would fall into the month before is run eight hours on.

        >>> parse_at("Mon 07:30", "weekly", "2027-01").utc_cron
        '30 23 * * 0'
        """
        hour = self.hour - _OFFSET_HOURS
        if hour >= 0:
            return At(self.weekday, self.day, hour, self.minute, self.months).cron
        if self.weekday is not None:
            return At((self.weekday - 1) % 7, None, hour + 24, self.minute).cron
        if self.day == 1:
            return At(None, 1, 0, self.minute, self.months).cron
        return At(None, (self.day or 1) - 1, hour + 24, self.minute, self.months).cron


def parse_at(typed: str, kind: str, start: str) -> At:
    """Return when a review is to run.

    Args:
        typed: `Mon 08:00` for a weekly review, `2 08:00` (day of the month and time) for the others.
        kind: of the review.
        start: first month of the plan, YYYY-MM: its quarters and years begin then.

    Raises:
        InputError: it is not written so.

    >>> parse_at("Mon 08:00", "weekly", "2027-01").cron, parse_at("2 08:00", "quarterly", "2027-02").cron
    ('0 8 * * 1', '0 8 2 2,5,8,11 *')
    """
    found = _AT.fullmatch(typed.strip())
    name, hour, minute = (found[1].capitalize(), int(found[2]), int(found[3])) if found else ("", 24, 60)
    weekly = kind == "weekly"
    known = name in DAYS if weekly else name.isdigit() and 1 <= int(name) <= 28
    if not known or hour > 23 or minute > 59:
        raise InputError(Problem("at_form", field="--at", given=typed))
    if weekly:
        return At(DAYS.index(name), None, hour, minute)
    every = {"monthly": 1, "quarterly": 3, "annual": 12}[kind]
    first = int(start[5:7])
    return At(None, int(name), hour, minute, tuple(sorted((first - 1 + k) % 12 + 1 for k in range(0, 12, every))))


def write_schedules(
    plan_id: str, command: Sequence[str], *, root: PurePath, kind: Cadence, at: At, out: Path, since: dt.date
) -> list[Path]:
    """Write what each scheduler takes, and what to do with it, and return the files.

    Args:
        plan_id: of the plan.
        command: program and arguments, run in `root`.
        root: the project's folder.
        kind: of the review.
        at: when it runs.
        out: folder for the files.
        since: day from which on the task of Windows runs.
    """
    name = f"{plan_id}.{kind.id}"
    made = {
        f"{name}.cron": cron_file(command, root, at, log=f"outputs/{name}.log"),
        f"{name}.task.xml": b"\xff\xfe" + task_xml(name, command, root, at, since).encode("utf-16-le"),
        f"{name}.workflow.yml": workflow(name, command, root, at),
        f"{name}.dag.py": dag(name, command, root, at, since),
        f"{name}.md": guide(name, kind),
    }
    for file, content in made.items():
        write_whole(out / file, content)
    return [out / file for file in made]


def cron_line(command: Sequence[str], root: PurePath, at: At, *, log: str) -> str:
    """Return a line of a crontab: paths quoted for the shell, and % as cron wants it.

    >>> from pathlib import PurePosixPath
    >>> cron_line(["/usr/bin/python3", "-m", "planlib"], PurePosixPath("/srv/私域 50%"), At(0, None, 8, 0), log="x.log")
    "0 8 * * 1 cd '/srv/私域 50\\\\%' && mkdir -p outputs && /usr/bin/python3 -m planlib >> x.log 2>&1"
    """
    told = f"mkdir -p outputs && {shlex.join(command)} >> {shlex.quote(log)} 2>&1"
    shell = f"cd {shlex.quote(str(root))} && {told}"
    return f"{at.cron} {shell}".replace("%", r"\%")


def cron_file(command: Sequence[str], root: PurePath, at: At, *, log: str) -> str:
    """Return a crontab with the zone that its line is in."""
    return f"{_comment('cron')}CRON_TZ={ZONE}\n{cron_line(command, root, at, log=log)}\n"


def task_xml(name: str, command: Sequence[str], root: PurePath, at: At, since: dt.date) -> str:
    """Return a task of the Windows Task Scheduler.

    Source: MS-TSCH 2.5, version 1.2 of the task's schema.
    """
    begin = f"{since:%Y-%m-%d}T{at.hour:02d}:{at.minute:02d}:00+{_OFFSET_HOURS:02d}:00"
    if at.weekday is not None:
        days = f"<DaysOfWeek><{_LONG_DAYS[at.weekday]} /></DaysOfWeek>"
        when = f"<ScheduleByWeek><WeeksInterval>1</WeeksInterval>{days}</ScheduleByWeek>"
    else:
        months = "".join(f"<{_MONTHS[month - 1]} />" for month in at.months)
        days = f"<DaysOfMonth><Day>{at.day}</Day></DaysOfMonth>"
        when = f"<ScheduleByMonth>{days}<Months>{months}</Months></ScheduleByMonth>"
    told = " / ".join(words(locale).text("automate.task", name=name) for locale in LOCALES)
    arguments = escape(subprocess.list2cmdline(command[1:]))
    return f"""<?xml version="1.0" encoding="UTF-16"?>
<Task version="1.2" xmlns="http://schemas.microsoft.com/windows/2004/02/mit/task">
  <RegistrationInfo>
    <Description>{escape(told)}</Description>
  </RegistrationInfo>
  <Triggers>
    <CalendarTrigger>
      <StartBoundary>{begin}</StartBoundary>
      {when}
    </CalendarTrigger>
  </Triggers>
  <Principals>
    <Principal id="Author">
      <LogonType>InteractiveToken</LogonType>
      <RunLevel>LeastPrivilege</RunLevel>
    </Principal>
  </Principals>
  <Settings>
    <MultipleInstancesPolicy>IgnoreNew</MultipleInstancesPolicy>
    <DisallowStartIfOnBatteries>false</DisallowStartIfOnBatteries>
    <StopIfGoingOnBatteries>false</StopIfGoingOnBatteries>
    <StartWhenAvailable>true</StartWhenAvailable>
    <ExecutionTimeLimit>PT4H</ExecutionTimeLimit>
  </Settings>
  <Actions Context="Author">
    <Exec>
      <Command>{escape(command[0])}</Command>
      <Arguments>{arguments}</Arguments>
      <WorkingDirectory>{escape(str(root))}</WorkingDirectory>
    </Exec>
  </Actions>
</Task>
"""


def workflow(name: str, command: Sequence[str], root: PurePath, at: At) -> str:
    """Return a workflow of GitHub Actions for a runner of one's own, where the data lie."""
    return f"""{_comment("workflow")}name: {_text(name)}
on:
  schedule:
    - cron: {_text(at.utc_cron)}
  workflow_dispatch: {{}}
concurrency:
  group: {_text(name)}
  cancel-in-progress: false
permissions: {{}}
jobs:
  review:
    runs-on: self-hosted
    timeout-minutes: 240
    defaults:
      run:
        shell: bash
        working-directory: {_text(_github(str(root)))}
    steps:
      - name: {_text(name)}
        run: {_text(_github(shlex.join(command)))}
"""


def dag(name: str, command: Sequence[str], root: PurePath, at: At, since: dt.date) -> str:
    """Return a DAG of Airflow. planlib catches up and tries again itself, so Airflow does neither."""
    shell = f"cd {shlex.quote(str(root))} && {shlex.join(command)}"
    if "{" in shell:  # Airflow reads commands as templates
        shell = f"{{% raw %}}{shell}{{% endraw %}}"
    return f"""{_comment("dag")}import pendulum
from airflow import DAG

try:
    from airflow.providers.standard.operators.bash import BashOperator
except ImportError:  # before Airflow 3
    from airflow.operators.bash import BashOperator

with DAG(
    dag_id={_text(re.sub(r"[^A-Za-z0-9_.-]", "_", name))},
    schedule={_text(at.cron)},
    start_date=pendulum.datetime({since.year}, {since.month}, {since.day}, tz={_text(ZONE)}),
    catchup=False,
    max_active_runs=1,
):
    BashOperator(task_id="review", bash_command={_text(shell)}, retries=0, skip_on_exit_code=3)
"""


def guide(name: str, kind: Cadence) -> str:
    """Return what to do with each file, in both languages."""
    parts = []
    for locale in LOCALES:
        w = words(locale)
        told = {"name": name, "kind": w.text(f"rhythm.cadence.{kind.id}")}
        lines = [w.text(f"automate.guide.{part}", **_fitting(w.placeholders(f"automate.guide.{part}"), told))
                 for part in ("title", "intro", "cron", "windows", "github", "airflow", "after")]  # fmt: skip
        parts.append("\n\n".join([f"# {lines[0]}", lines[1], *(f"- {line}" for line in lines[2:])]))
    return "\n\n".join(parts) + "\n"


def _fitting(names: object, told: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in told.items() if name in names}


def _comment(part: str) -> str:
    return "".join(f"# {words(locale).text(f'automate.comment.{part}')}\n" for locale in LOCALES)


def _text(value: str) -> str:
    """Return a text as YAML and Python both read it."""
    return json.dumps(value, ensure_ascii=False)


def _github(value: str) -> str:
    """Return a text that GitHub does not take for an expression."""
    return value.replace("${{", "${{ '${{' }}")
