"""The limit on messages, as lists and the calendar of tests read it."""

from pathlib import Path

import pytest

from planlib.plan import load_plan
from planlib.plan.experiment_inputs import send_limit
from planlib.plan.pushes import SendLimit, platform_limit

MINIMAL = Path(__file__).parent / "minimal.yaml"


@pytest.mark.parametrize(
    ("level", "period", "of_lists", "of_weeks"),
    [
        (4, "month", SendLimit(4, "month"), (4, "month")),
        (2, "week", SendLimit(2, "week"), (2, "week")),
        (1, "day", SendLimit(1, "day"), (7, "week")),  # the calendar of tests has no days
    ],
)
def test_the_limit_is_one_for_lists_and_for_the_calendar_of_tests(tmp_path, level, period, of_lists, of_weeks):
    limit = f"{{metric: push_frequency, at_most: {level}, period: {period}, source: platform}}"
    file = tmp_path / "plan.yaml"
    text = MINIMAL.read_text(encoding="utf-8")
    file.write_text(f"{text}\nlimits:\n  sends_per_customer: {limit}\n", encoding="utf-8")
    plan = load_plan(file)
    assert (platform_limit(plan), send_limit(plan)) == (of_lists, of_weeks)


def test_a_plan_without_a_limit_has_none():
    assert (platform_limit(load_plan(MINIMAL)), send_limit(load_plan(MINIMAL))) == (None, None)
