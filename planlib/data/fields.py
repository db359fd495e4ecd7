"""Kinds of raw values: how each becomes a tidy value in SQL, and what is wrong with one that cannot.

A raw value is text as the payload or the cleaned cell holds it, or NULL. `typed` returns the SQL expression of the
tidy value, which is NULL for a value that cannot be read; `bad` the condition under which a file is refused;
`problem` says in Python what is wrong with one such value.
"""

from __future__ import annotations

import datetime as dt
import re
from decimal import Decimal, InvalidOperation

from planlib.core.errors import Problem

FIRST, LAST = "2005-01-01", "2099-12-31"
_FIRST_SECOND, _LAST_SECOND = 1_104_508_800, 4_102_416_000  # those days in Asia/Shanghai
_EIGHT_HOURS = 28_800

_WHOLE = "CASE WHEN TRY_CAST({x} AS DOUBLE) = TRY_CAST({x} AS BIGINT) THEN TRY_CAST({x} AS BIGINT) END"
_DECIMAL = "TRY_CAST({x} AS DECIMAL(24,6))"
_YUAN = "CASE WHEN {d} = TRY_CAST({d} AS DECIMAL(18,2)) THEN TRY_CAST({d} AS DECIMAL(18,2)) END"
_FEN = "TRY_CAST(({w}) AS DECIMAL(16,0)) * CAST(0.01 AS DECIMAL(3,2))"
_TIME = (
    "CASE WHEN TRY_CAST({x} AS BIGINT) BETWEEN "
    f"{_FIRST_SECOND} AND {_LAST_SECOND} "
    f"THEN make_timestamp((TRY_CAST({{x}} AS BIGINT) + {_EIGHT_HOURS}) * 1000000) END"
)
_DAYS = ("%Y-%m-%d", "%Y%m%d", "%Y/%m/%d", "%Y.%m.%d", "%Y年%m月%d日")
_CLOCKS = ("%Y-%m-%d %H:%M:%S", "%Y/%m/%d %H:%M:%S", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M", "%Y/%m/%d %H:%M")
_STRPTIME = "try_strptime({x}, [{forms}])"


def _parsed(forms: tuple[str, ...]) -> str:
    text = _STRPTIME.replace("{forms}", ", ".join(f"'{form}'" for form in forms))
    return f"CASE WHEN {text} BETWEEN '{FIRST}' AND '{LAST}' THEN {text} END"


_PER_CENT = (
    "CASE WHEN ends_with({x}, '%') THEN TRY_CAST(rtrim({x}, '%') AS DOUBLE) / 100 "
    "ELSE TRY_CAST({x} AS DOUBLE) END"
)
_YES = "('1', 'true', 'yes', 'y', '是', '对', '正确', '通过')"
_NO = "('0', 'false', 'no', 'n', '否', '错', '错误', '未通过')"

# kind -> SQL of the tidy value; {x} stands for the raw text
_TYPED = {
    "text": "NULLIF(trim({x}), '')",
    "id": "hid({x})",
    "code": f"TRY_CAST(({_WHOLE}) AS INTEGER)",
    "whole": _WHOLE,
    "count": _WHOLE,
    "number": "TRY_CAST({x} AS DOUBLE)",
    "amount": "TRY_CAST({x} AS DOUBLE)",
    "fen": _FEN.replace("{w}", _WHOLE),
    "yuan": _YUAN.replace("{d}", _DECIMAL),
    "signed_yuan": _YUAN.replace("{d}", _DECIMAL),
    "fee": "TRY_CAST({x} AS DECIMAL(18,5))",
    "percent": "TRY_CAST({x} AS DOUBLE) / 100",
    "share": _PER_CENT,
    "seconds": _TIME,
    "day_seconds": f"CAST(({_TIME}) AS DATE)",
    "date": f"CAST(({_parsed((*_DAYS, *_CLOCKS))}) AS DATE)",
    "time": _parsed((*_CLOCKS, *_DAYS)),
    "yes": f"CASE WHEN lower({{x}}) IN {_YES} THEN TRUE WHEN lower({{x}}) IN {_NO} THEN FALSE END",
}
# kind -> a further condition under which a readable value is refused; {t} stands for the tidy value
_REFUSED = {
    "count": "{t} < 0",
    "amount": "NOT {t} >= 0 OR isinf({t})",
    "number": "isnan({t}) OR isinf({t})",
    "fen": "{t} < 0",
    "yuan": "{t} < 0",
    "percent": "NOT {t} BETWEEN 0 AND 1",
    "share": "NOT {t} BETWEEN 0 AND 1",
}
# texts that stand for an empty value of a kind
_EMPTY = {"seconds": "('', '0')", "day_seconds": "('', '0')"}
KINDS = frozenset(_TYPED)
NUMERIC = frozenset(
    {"code", "whole", "count", "number", "amount", "fen", "yuan", "signed_yuan", "fee", "percent", "share"}
)
_SIGNED = frozenset({"whole", "number", "signed_yuan", "fee", "code"})


def typed(kind: str, raw: str) -> str:
    """Return the SQL of the tidy value of the raw text expression `raw`.

    >>> typed("text", "a")
    "NULLIF(trim(a), '')"
    """
    return _TYPED[kind].replace("{x}", raw)


def bad(kind: str, raw: str, tidy: str) -> str | None:
    """Return the SQL condition under which a value is refused; None where every text will do.

    Args:
        kind: kind of value.
        raw: SQL of the raw text.
        tidy: SQL of the tidy value.
    """
    if kind in ("text", "id"):
        return None
    unread = f"({tidy} IS NULL AND {raw} NOT IN {_EMPTY.get(kind, '(' + repr('') + ')')})"
    refused = _REFUSED.get(kind)
    return f"({unread} OR ({refused.replace('{t}', tidy)}))" if refused else unread


def problem(kind: str, raw: str, *, file: str, field: str, line: int | None) -> Problem:
    """Say what is wrong with a value that `bad` refused.

    >>> problem("seconds", "1793548800000", file="a.json", field="stat_time", line=3).code
    'data_milliseconds'
    >>> problem("percent", "8750", file="a.json", field="reply_percentage", line=1).code
    'out_of_range'
    >>> problem("count", "-3", file="a.json", field="new_user", line=1).code
    'data_negative'
    """

    def tell(code: str, **values: object) -> Problem:
        return Problem(code, file=file, field=field, line=line, given=raw, values=values)

    number = _number(raw)
    if kind in ("date", "time"):
        if number is not None and number >= 10**9:
            return tell("data_time_number")
        return tell("data_date")
    if number is None:
        return tell("data_yes" if kind == "yes" else "data_number")
    if kind in ("seconds", "day_seconds"):
        return tell("data_milliseconds" if number > 10**11 else "data_seconds")
    if kind == "percent":
        return tell("out_of_range", low=0, high=100)
    if kind == "share":
        shown = f"{number.normalize():f}"
        if 1 < number <= 100:
            return tell("rate_range", given_percent=shown, as_share=f"{(number / 100).normalize():f}")
        return tell("out_of_range", low=0, high=1)
    if number < 0 and kind not in _SIGNED:
        return tell("data_negative")
    if kind in ("yuan", "signed_yuan"):
        return tell("data_decimals")
    return tell("not_whole")


def _number(raw: str) -> Decimal | None:
    try:
        number = Decimal(raw.strip().rstrip("%"))
    except InvalidOperation:
        return None
    return number if number.is_finite() else None


# ---- cells of sheets

_MISSING = frozenset(
    {"", "-", "--", "---", "—", "——", "/", "n/a", "na", "nan", "null", "none", "#n/a", "无", "暂无", "未知"}
)
_WIDE = str.maketrans("０１２３４５６７８９．，％－＋：／　", "0123456789.,%-+:/ ")
_GROUPED = re.compile(r"[-+]?\d{1,3}(,\d{3})+(\.\d*)?%?")
_UNIT = re.compile(r"^[¥￥$]?\s*([-+]?[\d.,]+)\s*(元|%|人|次|分钟|小时|秒|个)?$")
_TIMES = {"小时": 60}  # in minutes
_FORMULA = re.compile(r"^\s*(=|[+\-@\t\r].*[(|!])")
_WEEK = re.compile(r"(\d{4})-?W(\d{1,2})", re.IGNORECASE)


def is_formula(cell: str) -> bool:
    """Return whether a spreadsheet would run a cell.

    >>> [is_formula(c) for c in ("=1+1", "@SUM(A1)", "-3.5", "+1元换购", "@所有人")]
    [True, True, False, False, False]
    """
    return bool(_FORMULA.match(cell))


def clean_cell(cell: object, kind: str) -> str | None:
    """Return a cell as the raw text of its kind; None when it is empty or marked as missing.

    Full-width digits, thousands separators, currency signs and units that people write into numbers are taken
    off; what cannot be a number is left as it is, for `bad` to refuse.

    >>> clean_cell("１，２３４．５０ 元", "yuan"), clean_cell("--", "count"), clean_cell("9分钟", "amount")
    ('1234.50', None, '9')
    >>> clean_cell(dt.datetime(2026, 11, 5), "date"), clean_cell("2026-W45", "date"), clean_cell(87.5, "amount")
    ('2026-11-05', '2026-11-02', '87.5')
    """
    if cell is None:
        return None
    if isinstance(cell, dt.datetime):
        return cell.strftime("%Y-%m-%d" if kind == "date" else "%Y-%m-%d %H:%M:%S")
    if isinstance(cell, dt.date):
        return cell.isoformat()
    if isinstance(cell, bool):
        return str(cell).lower()
    if isinstance(cell, float):
        cell = repr(cell).removesuffix(".0")
    text = str(cell).strip().strip("\ufeff\u200b")
    if kind in ("text", "id"):
        return text or None
    text = text.translate(_WIDE).strip()
    if text.lower() in _MISSING:
        return None
    if kind in NUMERIC:
        return _clean_number(text, kind)
    if kind == "date" and (week := _WEEK.fullmatch(text)):
        try:
            return dt.date.fromisocalendar(int(week[1]), int(week[2]), 1).isoformat()
        except ValueError:
            return text
    return text


def _clean_number(text: str, kind: str) -> str:
    found = _UNIT.match(text)
    if not found:
        return text
    digits, unit = found[1], found[2]
    if _GROUPED.fullmatch(digits):
        digits = digits.replace(",", "")
    if unit == "%" and kind == "percent":
        return digits
    if unit == "%":
        return f"{digits}%"
    if unit in _TIMES and kind == "amount" and (number := _number(digits)) is not None:
        return f"{number * _TIMES[unit]:f}"
    return digits
