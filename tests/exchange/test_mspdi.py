"""The schedule as MS Project XML: what stands in the file, and what MPXJ reads out of it."""

import datetime as dt
from dataclasses import replace
from xml.etree import ElementTree as ET

import pytest

from planlib.core.words import words
from planlib.exchange.links import Link
from planlib.exchange.mspdi import NAMESPACE, DayMask, Group, Item, Resource, project_bytes
from planlib.schedule_files import write_schedule

NS = {"p": NAMESPACE}
MONDAY = dt.date(2027, 2, 1)


def day(k: int) -> dt.date:
    return MONDAY + dt.timedelta(days=k)


def masks() -> list[DayMask]:
    """Two weeks: Tuesday and Wednesday of the second are off, its Sunday is worked; and a calendar of every day."""
    worked = [k % 7 < 5 for k in range(21)]
    worked[8] = worked[9] = False
    worked[13] = True
    return [DayMask("中国 <工作日>", MONDAY, worked), DayMask("all", MONDAY, [True] * 21)]


ITEMS = (
    Item("build", "开发 & <测试>", 5, day(0), day(4), roles={"it": 2}, done=0.4, started=day(0), note='"晚"\n一天'),
    Item("check", "Check", 3, day(2), day(4), (Link("build", "SS", 2.0), Link("build", "FF", -1.5)), critical=True),
    Item(
        "ship",
        "Ship",
        2,
        day(18),
        day(19),
        (Link("check", "FS", 14, True), Link("build", "SF")),
        {"it": 0.5},
        1,
        day(18),
    ),
    Item("g1", "G1", 0, day(19), day(19), (Link("ship"),), deadline=day(20)),
)


def made(items=ITEMS, **options) -> bytes:
    people = [Resource("it", "技术", 3)]
    return project_bytes(items, masks(), people, title="计划", first_day=MONDAY, as_of=day(1), **options)


def grouped() -> bytes:
    """Build and ship under "it", check under "qa", the gate beside them; baselines of all but the gate."""
    lanes = {"build": "it", "ship": "it", "check": "qa"}
    before = {"build": (day(0), day(3)), "check": (day(1), day(3)), "ship": (day(17), day(18))}
    items = [replace(item, group=lanes.get(item.id), baseline=before.get(item.id)) for item in ITEMS]
    return made(items, groups=[Group("it", "技术 <部>"), Group("none", "None"), Group("qa", "QA")])


def root() -> ET.Element:
    return ET.fromstring(made())


def texts(path: str) -> list[str | None]:
    return [found.text for found in root().iterfind(path, NS)]


def test_tasks_say_length_dates_and_what_they_are():
    assert texts("p:Tasks/p:Task/p:Duration") == ["PT40H0M0S", "PT24H0M0S", "PT16H0M0S", "PT0H0M0S"]
    assert texts("p:Tasks/p:Task/p:ActualDuration")[0] == "PT16H0M0S"
    assert texts("p:Tasks/p:Task/p:RemainingDuration")[:2] == ["PT24H0M0S", "PT24H0M0S"]
    assert texts("p:Tasks/p:Task/p:Start")[0] == "2027-02-01T09:00:00"
    assert texts("p:Tasks/p:Task/p:Finish")[-1] == texts("p:Tasks/p:Task/p:Start")[-1] == "2027-02-20T18:00:00"
    assert texts("p:Tasks/p:Task/p:Milestone") == ["0", "0", "0", "1"]
    assert texts("p:Tasks/p:Task/p:WBS") == ["build", "check", "ship", "g1"]
    assert texts("p:Tasks/p:Task/p:PercentComplete") == ["40", "0", "0", "0"]
    assert texts("p:Tasks/p:Task/p:ConstraintType") == ["0", "0", "4", "0"]
    assert texts("p:Tasks/p:Task/p:CalendarUID") == ["-1", "-1", "2", "-1"]
    assert texts("p:Tasks/p:Task/p:Deadline") == ["2027-02-21T18:00:00"]
    assert texts("p:Tasks/p:Task/p:Notes") == ['"晚"\n一天']


def test_departments_are_summary_tasks_from_the_first_to_the_last_of_their_days():
    rows = ET.fromstring(grouped()).findall("p:Tasks/p:Task", NS)

    def of(name):
        return [row.find(f"p:{name}", NS).text for row in rows]

    assert of("WBS") == ["1", "build", "ship", "2", "check", "g1"]
    assert of("ID") == ["1", "2", "3", "4", "5", "6"] and len(set(of("UID"))) == 6
    assert of("OutlineNumber") == ["1", "1.1", "1.2", "2", "2.1", "3"]
    assert of("OutlineLevel") == ["1", "2", "2", "1", "2", "1"]
    assert of("Summary") == ["1", "0", "0", "1", "0", "0"]
    assert of("Start")[0] == "2027-02-01T09:00:00" and of("Finish")[0] == "2027-02-20T18:00:00"
    assert of("Duration")[0] == "PT112H0M0S"  # 14 working days of the project's calendar: 5 + 3 + 1 + 5
    assert of("PercentComplete")[0] == "29"  # 40 % of five days, of seven
    uids = dict(zip(of("WBS"), of("UID"), strict=True))
    assert [uids[item.id] for item in ITEMS] == ["1", "2", "3", "4"]  # as without groups: ties and people keep theirs


def test_baselines_are_kept_beside_the_dates_of_now():
    rows = {row.find("p:WBS", NS).text: row for row in ET.fromstring(grouped()).findall("p:Tasks/p:Task", NS)}

    def of(key):
        base, names = rows[key].find("p:Baseline", NS), ("Number", "Start", "Finish", "Duration")
        return None if base is None else tuple(base.find(f"p:{name}", NS).text for name in names)

    assert of("build") == ("0", "2027-02-01T09:00:00", "2027-02-04T18:00:00", "PT32H0M0S")
    assert of("ship") == ("0", "2027-02-18T09:00:00", "2027-02-19T18:00:00", "PT16H0M0S")
    assert of("1") == ("0", "2027-02-01T09:00:00", "2027-02-19T18:00:00", "PT112H0M0S")
    assert of("g1") is None


def test_ties_say_kind_and_lag_in_tenths_of_minutes():
    rows = [
        tuple(tie.find(f"p:{name}", NS).text for name in ("PredecessorUID", "Type", "LinkLag", "LagFormat"))
        for tie in root().iterfind("p:Tasks/p:Task/p:PredecessorLink", NS)
    ]
    assert rows == [
        ("1", "3", "9600", "7"),  # SS+2d: 2 x 480 x 10
        ("1", "0", "-7200", "7"),  # FF-1.5d
        ("2", "1", "201600", "8"),  # FS+14ed: 14 x 1440 x 10
        ("1", "2", "0", "7"),
        ("3", "1", "0", "7"),
    ]


def test_holidays_and_days_made_up_are_exceptions_of_the_calendar():
    calendar = root().find("p:Calendars/p:Calendar", NS)
    week = [row.find("p:DayWorking", NS).text for row in calendar.iterfind("p:WeekDays/p:WeekDay", NS)]
    assert week == ["0", "1", "1", "1", "1", "1", "0"]  # from Sunday
    rows = [
        (
            row.find("p:TimePeriod/p:FromDate", NS).text[:10],
            row.find("p:TimePeriod/p:ToDate", NS).text[:10],
            row.find("p:Occurrences", NS).text,
            row.find("p:DayWorking", NS).text,
            len(row.findall("p:WorkingTimes/p:WorkingTime", NS)),
        )
        for row in calendar.iterfind("p:Exceptions/p:Exception", NS)
    ]
    assert rows == [("2027-02-09", "2027-02-10", "2", "0", 0), ("2027-02-14", "2027-02-14", "1", "1", 2)]
    other = root().findall("p:Calendars/p:Calendar", NS)[1]
    assert other.findall("p:Exceptions/p:Exception", NS) == []


def test_people_are_resources_and_what_they_do_assignments():
    assert texts("p:Resources/p:Resource/p:MaxUnits") == ["3"]
    assert texts("p:Assignments/p:Assignment/p:Units") == ["2", "0.5"]
    assert texts("p:Assignments/p:Assignment/p:Work") == ["PT80H0M0S", "PT8H0M0S"]


def test_the_same_schedule_gives_the_same_bytes():
    assert made() == made()
    assert b"<?xml" in made()[:10]


@pytest.mark.full
def test_mpxj_reads_what_was_written(tmp_path):
    """MPXJ reads files of MS Project for other programs; it needs Java, and is installed for this check only."""
    pytest.importorskip("mpxj", reason="MPXJ is not installed: pip install mpxj jpype1 into an environment of its own")
    jpype = pytest.importorskip("jpype")
    if not jpype.isJVMStarted():
        jpype.startJVM()
    reader = jpype.JClass("org.mpxj.reader.UniversalProjectReader")()
    path = tmp_path / "schedule.xml"
    path.write_bytes(made())
    project = reader.read(str(path))
    tasks = {str(task.getWBS()): task for task in project.getTasks()}
    shown = {
        key: (str(t.getName()), str(t.getStart()), str(t.getFinish()), str(t.getDuration()), bool(t.getMilestone()))
        for key, t in tasks.items()
    }
    assert shown == {
        "build": ("开发 & <测试>", "2027-02-01T09:00", "2027-02-05T18:00", "5.0d", False),
        "check": ("Check", "2027-02-03T09:00", "2027-02-05T18:00", "3.0d", False),
        "ship": ("Ship", "2027-02-19T09:00", "2027-02-20T18:00", "2.0d", False),
        "g1": ("G1", "2027-02-20T18:00", "2027-02-20T18:00", "0.0d", True),
    }
    ties = [
        (key, str(tie.getPredecessorTask().getWBS()), str(tie.getType()), str(tie.getLag()))
        for key, task in tasks.items()
        for tie in task.getPredecessors()
    ]
    assert sorted(ties) == sorted([
        ("check", "build", "SS", "2.0d"),
        ("check", "build", "FF", "-1.5d"),
        ("ship", "check", "FS", "14.0ed"),
        ("ship", "build", "SF", "0.0d"),
        ("g1", "ship", "FS", "0.0d"),
    ])  # fmt: skip
    calendar, local = project.getDefaultCalendar(), jpype.JClass("java.time.LocalDate")
    worked = [bool(calendar.isWorkingDate(local.of(d.year, d.month, d.day))) for d in map(day, range(21))]
    assert worked == masks()[0].worked
    assert str(tasks["build"].getPercentageComplete()) == "40" and str(tasks["ship"].getCalendar().getName()) == "all"
    assert [str(a.getWork()) for a in project.getResourceAssignments()] == ["80.0h", "8.0h"]


@pytest.mark.full
def test_mpxj_reads_summary_tasks_and_baselines(tmp_path):
    pytest.importorskip("mpxj", reason="MPXJ is not installed: pip install mpxj jpype1 into an environment of its own")
    jpype = pytest.importorskip("jpype")
    if not jpype.isJVMStarted():
        jpype.startJVM()
    path = tmp_path / "schedule.xml"
    path.write_bytes(grouped())
    reader = jpype.JClass("org.mpxj.reader.UniversalProjectReader")()
    tasks = {str(t.getWBS()): t for t in reader.read(str(path)).getTasks()}
    above = {key: str(t.getParentTask().getName()) if t.getParentTask() else "" for key, t in tasks.items()}
    assert above == {"1": "", "build": "技术 <部>", "ship": "技术 <部>", "2": "", "check": "QA", "g1": ""}
    assert [key for key, t in tasks.items() if bool(t.getSummary())] == ["1", "2"]
    kept = {key: (str(t.getBaselineStart()), str(t.getBaselineFinish())) for key, t in tasks.items() if key != "g1"}
    assert kept["check"] == ("2027-02-02T09:00", "2027-02-04T18:00") and kept["1"][1] == "2027-02-19T18:00"
    assert str(tasks["build"].getBaselineDuration()) == "4.0d" and tasks["g1"].getBaselineStart() is None


@pytest.mark.full
@pytest.mark.parametrize("plan", ["wechat_platform", "private_domain_2026"])
def test_mpxj_reckons_the_same_dates(plan, tmp_path):
    """MPXJ's own scheduler, given ties, calendars and durations of the file without its dates, comes to them."""
    pytest.importorskip("mpxj", reason="MPXJ is not installed: pip install mpxj jpype1 into an environment of its own")
    jpype = pytest.importorskip("jpype")
    if not jpype.isJVMStarted():
        jpype.startJVM()
    path = write_schedule(f"params/{plan}.yaml", "mspdi", str(tmp_path / "s.xml"), words("en"), out_root=tmp_path)
    project = jpype.JClass("org.mpxj.reader.UniversalProjectReader")().read(str(path))
    stated = {str(t.getWBS()): (str(t.getStart()), str(t.getFinish())) for t in project.getTasks()}
    assert any(bool(t.getSummary()) for t in project.getTasks())
    for task in project.getTasks():
        task.setStart(None)
        task.setFinish(None)
    begin = project.getProjectProperties().getStartDate()
    jpype.JClass("org.mpxj.cpm.MicrosoftScheduler")().schedule(project, begin)
    found = {str(t.getWBS()): (str(t.getStart()), str(t.getFinish())) for t in project.getTasks()}
    assert found == stated
    assert len(found) > 40
