"""China's working days: public holidays, make-up days, and what is not announced yet."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from functools import cache
from types import MappingProxyType

import numpy as np

from planlib.core.guards import Guard

FIRST_YEAR, LAST_YEAR = 1950, 2100
ONE_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class YearDays:
    """Working days of one year.

    Attributes:
        total: their number.
        per_month: {1..12: number}.
        makeup: Saturdays and Sundays that are worked.
        days_off: dates from Monday to Friday that are not.
        provisional: the year's holidays are not announced; statutory days stand in.
    """

    year: int
    total: int
    per_month: Mapping[int, int]
    makeup: tuple[date, ...]
    days_off: tuple[date, ...]
    provisional: bool


@dataclass(frozen=True)
class WorkCalendar:
    """Which days are worked in China.

    Years that the State Council has announced come from `chinese_calendar`, make-up days
    included. Other years have only their statutory holidays, from `holidays`: those days are
    provisional, unless the override covers them.

    Args:
        overrides: {date: worked or not}, e.g. a new decree, company days off; wins over all.
        confirmed_years: years whose overrides are complete, so that nothing in them is provisional.

    Raises:
        InputError: a key is no date, a value is not true or false, or a year is out of range.

    >>> WorkCalendar().is_workday(date(2026, 2, 14)), WorkCalendar().is_workday(date(2026, 2, 17))
    (True, False)
    """

    overrides: Mapping[date, bool] = field(default_factory=dict)
    confirmed_years: frozenset[int] = frozenset()

    def __post_init__(self) -> None:
        guard = Guard()
        for day, worked in self.overrides.items():
            _checked_date(guard, "overrides", day)
            if not isinstance(worked, bool):
                guard.add("not_bool", f"overrides.{day}", worked)
        years = [guard.whole("confirmed_years", y, low=FIRST_YEAR, high=LAST_YEAR) for y in self.confirmed_years]
        guard.done()
        object.__setattr__(self, "overrides", MappingProxyType(dict(self.overrides)))
        object.__setattr__(self, "confirmed_years", frozenset(years))

    def is_workday(self, day: date) -> bool:
        """Return whether a day is worked."""
        return bool(self.mask(day, day)[0])

    def provisional(self, day: date) -> bool:
        """Return whether the answer for a day may still change with the year's announcement."""
        guard = Guard()
        _checked_date(guard, "day", day)
        guard.done()
        return day not in self.overrides and day.year not in self.confirmed_years and _year(day.year)[1]

    def any_provisional(self, start: date, end: date) -> bool:
        """Return whether any day from start to end is provisional."""
        _checked_range(start, end)
        years = [y for y in range(start.year, end.year + 1) if y not in self.confirmed_years and _year(y)[1]]
        return any(
            day not in self.overrides
            for year in years
            for day in _days(max(start, date(year, 1, 1)), min(end, date(year, 12, 31)))
        )

    def mask(self, start: date, end: date) -> np.ndarray:
        """Return one bool per day from start to end, both included: True where the day is worked."""
        _checked_range(start, end)
        worked = np.concatenate([_year(year)[0] for year in range(start.year, end.year + 1)])
        offset = (start - date(start.year, 1, 1)).days
        worked = worked[offset : offset + (end - start).days + 1].copy()
        for day, value in self.overrides.items():
            if start <= day <= end:
                worked[(day - start).days] = value
        return worked

    def between(self, start: date, end: date, *, inclusive: bool = True) -> int:
        """Return the working days from start to end.

        Args:
            inclusive: count the start too; without it, start is day 0 and
                `add(start, between(start, end, inclusive=False))` leads to end when end is worked.

        >>> WorkCalendar().between(date(2026, 2, 9), date(2026, 3, 1))
        11
        """
        worked = self.mask(start, end)
        return int(worked.sum()) - (0 if inclusive else int(worked[0]))

    def naive_weekdays(self, start: date, end: date) -> int:
        """Return the days from Monday to Friday from start to end, as if there were no holidays."""
        _checked_range(start, end)
        return int(np.busday_count(start, end + ONE_DAY))

    def add(self, start: date, workdays: int) -> date:
        """Return the n-th working day after start (before it when n is negative).

        The start itself is day 0 and is not counted; n = 0 returns it, worked or not.

        Raises:
            InputError: no working day is found before the calendar ends.

        >>> WorkCalendar().add(date(2026, 2, 13), 2)
        datetime.date(2026, 2, 24)
        """
        guard = Guard()
        _checked_date(guard, "start", start)
        count = guard.whole("workdays", workdays, low=-1_000_000, high=1_000_000)
        guard.done()
        if count == 0:
            return start
        step, day, left = (1, start, count) if count > 0 else (-1, start, -count)
        while True:
            first = day + step * ONE_DAY
            last = date(first.year, 12, 31) if step > 0 else date(first.year, 1, 1)
            if not FIRST_YEAR <= first.year <= LAST_YEAR:
                guard.add("no_workdays", "overrides", first=min(start, day), last=max(start, day))
                guard.done()
            worked = self.mask(min(first, last), max(first, last))[::step]
            found = np.flatnonzero(worked)
            if found.size >= left:
                return first + step * int(found[left - 1]) * ONE_DAY
            left -= found.size
            day = last

    def on_or_after(self, day: date) -> date:
        """Return the day itself when it is worked, else the next working day."""
        return day if self.is_workday(day) else self.add(day, 1)

    def on_or_before(self, day: date) -> date:
        """Return the day itself when it is worked, else the working day before."""
        return day if self.is_workday(day) else self.add(day, -1)

    def year(self, year: int) -> YearDays:
        """Return the working days of a year.

        >>> WorkCalendar().year(2026).total
        248
        """
        guard = Guard()
        wanted = guard.whole("year", year, low=FIRST_YEAR, high=LAST_YEAR)
        guard.done()
        first, last = date(wanted, 1, 1), date(wanted, 12, 31)
        days = _days(first, last)
        worked = self.mask(first, last).tolist()
        per_month = {month: 0 for month in range(1, 13)}
        for day, value in zip(days, worked, strict=True):
            per_month[day.month] += value
        return YearDays(
            year=wanted,
            total=sum(worked),
            per_month=MappingProxyType(per_month),
            makeup=tuple(d for d, w in zip(days, worked, strict=True) if w and d.weekday() >= 5),
            days_off=tuple(d for d, w in zip(days, worked, strict=True) if not w and d.weekday() < 5),
            provisional=self.any_provisional(first, last),
        )


@cache
def _year(year: int) -> tuple[np.ndarray, bool]:
    """Working days of a whole year without overrides, and whether they are provisional."""
    import chinese_calendar

    days = _days(date(year, 1, 1), date(year, 12, 31))
    announced = min(chinese_calendar.holidays).year <= year <= max(chinese_calendar.holidays).year
    if announced:
        worked = [chinese_calendar.is_workday(day) for day in days]
    else:
        import holidays

        statutory = holidays.country_holidays("CN", years=year)
        worked = [
            (day.weekday() < 5 or day in statutory.weekend_workdays) and day not in statutory for day in days
        ]
    mask = np.array(worked, dtype=bool)
    mask.setflags(write=False)
    return mask, not announced


def _days(start: date, end: date) -> list[date]:
    return [start + i * ONE_DAY for i in range((end - start).days + 1)]


def _checked_date(guard: Guard, name: str, day: object) -> None:
    if not isinstance(day, date) or isinstance(day, datetime):
        guard.add("date", name, day, form="2027-01-31")
    elif not FIRST_YEAR <= day.year <= LAST_YEAR:
        guard.add("out_of_range", name, str(day), low=FIRST_YEAR, high=LAST_YEAR)


def _checked_range(start: date, end: date) -> None:
    guard = Guard()
    _checked_date(guard, "start", start)
    _checked_date(guard, "end", end)
    if not guard.problems and end < start:
        guard.add("end_before_start", "end", str(end))
    guard.done()
