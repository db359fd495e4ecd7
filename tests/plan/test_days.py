"""Days that differ, out of a CSV beside the plan."""

import datetime as dt
import shutil
from pathlib import Path

import pytest

from planlib.core.errors import InputError
from planlib.plan import load_plan
from planlib.scheduling import scheduled

NAMED = "schedule.days_file=cn_2027.csv"


@pytest.fixture
def plan(tmp_path, project_root):
    shutil.copytree(project_root / "params", tmp_path / "params")
    return tmp_path / "params" / "wechat_platform.yaml"


def days(plan: Path, *rows: str) -> None:
    text = "\r\n".join(["date,worked,note", *rows])
    plan.with_name("cn_2027.csv").write_text(text, encoding="utf-8-sig")


def test_an_announced_year_moves_dates_and_is_no_longer_provisional(plan):
    days(plan, "2027-01-09,yes,make-up day", "2027/1/11,否,company day", "2027-01-16,上班,")
    sets = (NAMED, "schedule.days_off={2027-01-16: false}")
    found = load_plan(plan, sets=sets)
    assert dict(found.schedule.days_off) == {"2027-01-09": True, "2027-01-11": False, "2027-01-16": False}
    calendar = scheduled(found).calendar
    assert [calendar.is_workday(dt.date(2027, 1, k)) for k in (9, 11, 16)] == [True, False, False]
    assert not calendar.provisional(dt.date(2027, 1, 9))
    assert found.sha256 != load_plan(plan).sha256
    # the day before the plan's own: requirements take six days, of which Saturday is one and Monday is not
    before, after = (scheduled(one).dates()["platform_requirements"] for one in (load_plan(plan), found))
    assert (before.finish, after.finish) == (dt.date(2027, 1, 11), dt.date(2027, 1, 9))


def test_a_resolved_plan_needs_the_file_no_more(plan):
    days(plan, "2027-01-09,yes,")
    found = load_plan(plan, sets=[NAMED])
    plain = plan.with_name("resolved.json")
    plain.write_text(found.resolved_json(), encoding="utf-8")
    plan.with_name("cn_2027.csv").unlink()
    assert load_plan(plain).sha256 == found.sha256


def test_everything_wrong_in_the_file_is_told_with_its_line(plan):
    days(plan, "2027-02-30,yes,", "2027-03-06,yes,", "2027-03-06,no,", "2027-03-07,perhaps,", "2027-03-08,yes")
    with pytest.raises(InputError) as caught:
        load_plan(plan, sets=[NAMED])
    told = [(p.line, p.code) for p in caught.value.problems]
    assert sorted(told) == [(2, "date"), (4, "duplicate_id"), (5, "choice"), (6, "data_row_length")]
    assert all(p.render(locale) for p in caught.value.problems for locale in ("zh", "en"))


@pytest.mark.parametrize(
    ("name", "code"), [("none.csv", "no_file"), ("../cn.csv", "beside_plan"), ("/etc/hosts", "beside_plan")]
)
def test_a_file_that_is_not_there_or_elsewhere_is_refused(plan, name, code):
    with pytest.raises(InputError) as caught:
        load_plan(plan, sets=[f"schedule.days_file={name}"])
    assert [problem.code for problem in caught.value.problems] == [code]
