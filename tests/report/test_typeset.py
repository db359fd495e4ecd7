"""Lines: how many, and where they break."""

from __future__ import annotations

import pytest

from planlib.report.typeset import Style, fit, line_count, sense_lines, soften

ZH = Style(10, "Regular", "zh")
EN = Style(10, "Regular", "en")


@pytest.mark.parametrize(
    ("text", "width", "style", "expected"),
    [
        ("目标不变；期限改为十二月", 80, ZH, ["目标不变；", "期限改为十二月"]),  # by sense before by length
        ("all on one line", 200, EN, ["all on one line"]),
        ("The total is fixed; nothing else moves", 120, EN, ["The total is fixed;", "nothing else moves"]),
    ],
)  # fmt: skip
def test_lines_break_by_sense(text, width, style, expected):
    assert sense_lines(text, width, style) == expected


def test_no_line_begins_or_ends_with_forbidden_punctuation():
    text = "他说（这是“最后”一次），然后就走了，再也没有回来过：真的。" * 3
    for width in range(45, 200, 7):
        lines = sense_lines(text, width, ZH)
        assert "".join(lines) == text
        assert not any(line[0] in "，。：）”" or line[-1] in "（“" for line in lines)


def test_number_and_unit_stay_together():
    for width in range(60, 140, 5):
        lines = sense_lines("年底预计 92.9\u00a0万，比目标少 7.1\u00a0万", width, ZH)
        assert not any(line.endswith(("92.9", "7.1")) for line in lines)


def test_lines_are_no_longer_than_the_width():
    text = "Users should end the year at 929k, 71k short of one million, and the rest depends on paid intake"
    for width in range(80, 400, 20):
        assert all(EN.width(line) <= width for line in sense_lines(text, width, EN))
        assert len(sense_lines(text, width, EN)) >= line_count(text, width, EN)


def test_most_chars_breaks_a_line_that_would_fit():
    assert len(sense_lines("one two three four five six", 1000, EN, most_chars=20)) == 2


def test_a_word_without_blanks_breaks_once_it_is_softened():
    word = "x" * 200
    assert sense_lines(word, 100, EN) == [word]
    lines = sense_lines(soften(word), 100, EN)
    assert "".join(lines) == word
    assert all(EN.width(line) <= 100 for line in lines)


def test_fit_takes_the_first_choice_that_holds_the_text():
    text = "一二三四五六七八九十"
    assert fit(text, [(10, 110, 1), (5, 110, 1)], locale="zh").size == 10
    assert fit(text, [(10, 60, 1), (5, 60, 1)], locale="zh").size == 5
    assert fit(text, [(10, 30, 1), (5, 30, 1)], locale="zh") is None
