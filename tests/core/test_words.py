"""Numbers and sentences in both languages, worked out by hand."""

import datetime as dt

import numpy as np
import pytest

from planlib.core.errors import InputError
from planlib.core.words import LOCALES, flatten, words

ZH, EN = words("zh"), words("en")


@pytest.mark.parametrize(
    ("value", "zh", "en"),
    [
        (0, "0", "0"),
        (0.4, "0", "0"),
        (999, "999", "999"),
        (9_999.4, "9,999", "9,999"),
        (9_999.6, "1 万", "10k"),  # rounds to ten thousand, so it is written as ten thousand
        (10_000, "1 万", "10k"),
        (10_440, "1 万", "10.4k"),
        (10_460, "1 万", "10.5k"),
        (12_500, "1.2 万", "12.5k"),  # 1.25 to one decimal: half to even
        (99_949, "10 万", "99.9k"),
        (99_960, "10 万", "100k"),
        (929_000, "92.9 万", "929k"),
        (999_499, "99.9 万", "999k"),
        (999_500, "100 万", "1m"),  # never 1,000k
        (999_950, "100 万", "1m"),
        (1_000_000, "100 万", "1m"),
        (1_234_567, "123.5 万", "1.23m"),
        (9_999_400, "999.9 万", "10m"),
        (12_345_678, "1,235 万", "12.3m"),
        (99_994_999, "9,999 万", "100m"),
        (99_995_000, "1 亿", "100m"),  # 9,999.5 万 rounds to 10,000 万
        (100_000_000, "1 亿", "100m"),
        (820_000_000, "8.2 亿", "820m"),
        (999_949_999, "10 亿", "999.9m"),
        (999_950_000, "10 亿", "1bn"),
        (1_327_000_000, "13.3 亿", "1.33bn"),
    ],
)
def test_people(value, zh, en):
    assert (ZH.number(value, "users"), EN.number(value, "users")) == (zh, en)


@pytest.mark.parametrize(
    ("value", "zh", "en"),
    [
        (0, "¥0", "¥0"),
        (0.4, "¥0.4", "¥0.4"),
        (18, "¥18", "¥18"),
        (999.96, "¥1,000", "¥1,000"),
        (1_234.5, "¥1,234", "¥1,234"),
        (9_999.6, "¥1 万", "¥10k"),
        (54_000_000, "¥5,400 万", "¥54m"),
        (54_200_000, "¥5,420 万", "¥54.2m"),
        (999_500, "¥100 万", "¥1m"),
        (999_949_999, "¥10 亿", "¥999.9m"),
        (999_950_000, "¥10 亿", "¥1bn"),
        (999_949_000_000, "¥9,999.5 亿", "¥999.9bn"),
        (999_999_000_000, "¥1 万亿", "¥1tn"),
        (1.2e12, "¥1.2 万亿", "¥1.2tn"),
    ],
)
def test_money(value, zh, en):
    assert (ZH.number(value, "CNY"), EN.number(value, "CNY")) == (zh, en)


@pytest.mark.parametrize(
    ("value", "unit", "zh", "en"),
    [
        (0.481, "ratio", "48.1%", "48.1%"),
        (0.5, "ratio", "50.0%", "50.0%"),
        (0, "ratio", "0.0%", "0.0%"),
        (12.5, "relative_change", "1,250.0%", "1,250.0%"),
        (0.31, "probability", "31%", "31%"),
        (0, "probability", "0%", "0%"),
        (0.004, "probability", "<1%", "<1%"),
        (0.01, "probability", "1%", "1%"),
        (0.99, "probability", "99%", "99%"),
        (0.991, "probability", ">99%", ">99%"),
        (1, "probability", "100%", "100%"),
        (0.036, "points", "3.6 个百分点", "3.6 points"),
        (0.01, "points", "1.0 个百分点", "1.0 point"),
        (1.5, "multiple", "1.5 倍", "1.5 times"),
        (6, "month", "第 6 个月", "month 6"),
        (1, "days", "1 天", "1 day"),
        (7, "days", "7 天", "7 days"),
        (1, "weeks", "1 周", "1 week"),
        (2.25, "weeks", "2.25 周", "2.25 weeks"),
        (12.5, "weeks", "12.5 周", "12.5 weeks"),
        (1, "months", "1 个月", "1 month"),
        (1, "hours", "1 小时", "1 hour"),
        (30, "minutes", "30 分钟", "30 minutes"),
        (30, "seconds", "30 秒", "30 seconds"),
        (0.125, "number", "0.12", "0.12"),
        (1_234.56, "number", "1,234.6", "1,234.6"),
        (9.999, "number", "10", "10"),
    ],
)
def test_other_units(value, unit, zh, en):
    assert (ZH.number(value, unit), EN.number(value, unit)) == (zh, en)


def test_signs():
    assert EN.number(0.036, "points", signed=True) == "+3.6 points"
    assert ZH.number(-0.036, "points", signed=True) == "−3.6 个百分点"
    assert EN.number(-25_000, "CNY") == "−¥25k"
    assert ZH.number(25_000, "users", signed=True) == "+2.5 万"
    for rounds_to_zero in (-0.0, 0, -0.0004, 0.0004):
        assert EN.number(rounds_to_zero, "ratio", signed=True) == "0.0%"
    assert ZH.number(-0.2, "users", signed=True) == "0"


def test_decimals_asked_for_are_kept():
    assert EN.number(0.5, "ratio", decimals=0) == "50%"
    assert EN.number(0.5, "ratio", decimals=2) == "50.00%"
    assert EN.number(3, "number", decimals=2) == "3.00"
    assert ZH.number(929_000, "users", decimals=2) == "92.90 万"
    assert EN.number(54e6, "CNY", decimals=1) == "¥54.0m"


def test_no_value_and_no_number():
    assert ZH.number(None, "users") == EN.number(None, "CNY") == "—"
    for bad in (float("nan"), float("inf"), -np.inf):
        with pytest.raises(ValueError, match="cannot be written"):
            EN.number(bad, "users")


def test_numpy_numbers_read_like_python_ones():
    assert EN.number(np.float64(929_000), "users") == EN.number(np.int64(929_000), "users") == "929k"


def test_dates():
    day = dt.date(2027, 2, 1)
    assert (ZH.date(day), EN.date(day)) == ("2027-02-01", "1 February 2027")
    assert (ZH.month(day), EN.month(day)) == ("2027-02", "Feb 2027")
    shorts = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
    assert [EN.month(dt.date(2027, m, 1)) for m in range(1, 13)] == [f"{short} 2027" for short in shorts]
    assert EN.date(dt.date(2026, 9, 30)) == "30 September 2026"


def test_text_is_strict():
    assert EN.text("units.points", n="3.6") == "3.6 points"
    with pytest.raises(KeyError, match="placeholders"):
        EN.text("units.points")
    with pytest.raises(KeyError, match="placeholders"):
        EN.text("units.points", n="3", more="1")
    with pytest.raises(KeyError, match="no words"):
        EN.text("units.nowhere")
    with pytest.raises(KeyError, match="no words"):
        EN.text("nowhere.at_all")


def test_values_are_never_read_as_templates():
    assert EN.text("units.points", n="{n.__class__}") == "{n.__class__} points"


def test_pick_and_unknown_language():
    both = {"zh": "公众号", "en": "Official account"}
    assert [words(name).pick(both) for name in LOCALES] == ["公众号", "Official account"]
    with pytest.raises(InputError) as caught:
        words("fr")
    assert "zh, en" in caught.value.render("zh")


def test_flatten():
    assert flatten({"a": {"b": {"c": "x"}}, "d": 1}) == {"a.b.c": "x", "d": "1"}
