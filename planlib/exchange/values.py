"""A cell as the plan takes it: number, month, choice or text; anything else is said with its fix."""

from __future__ import annotations

import ast
import datetime as dt
import math
import operator
import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field

from planlib.exchange.xlsx import Cell
from planlib.plan.load import number_meant
from planlib.plan.tracking import parse_day

_SAME_REL = 1e-12  # what is lost when another program writes a number with 15 digits is no change
_PERCENT_UNITS = frozenset({"ratio", "probability", "relative_change", "points"})
_MOST_AS_PERCENT = 10.0
_OPERATORS = {ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul, ast.Div: operator.truediv,
              ast.UAdd: operator.pos, ast.USub: operator.neg}  # fmt: skip
_YEAR_MONTH = re.compile(r"([0-9]{4})\s*[-/.年]\s*(0?[1-9]|1[0-2])\s*月?")
_SERIALS = (20_000, 80_000)  # days since 1899-12-30 that somebody may have meant, 1954 to 2119
_EPOCH = dt.date(1899, 12, 30)
_TEXT_NUMBER = re.compile(
    r"(?P<money>¥)?\s*(?P<number>[+-]?(?:[0-9]{1,3}(?:,[0-9]{3})+|[0-9]+)(?:\.[0-9]+)?)"
    r"\s*(?P<times>[%万亿]?)\s*(?P<yuan>元)?"
)
_ARITHMETIC = re.compile(r"=[0-9.+\-*/()%\s]{1,120}\Z")


class CellError(ValueError):
    """A cell that cannot be taken: the code of its problem and the values of its words."""

    def __init__(self, code: str, given: object, **values: object):
        super().__init__(code)
        self.code, self.given, self.values = code, given, values


@dataclass(frozen=True, slots=True)
class Taking:
    """How the cells of one column are taken.

    Args:
        kind: text, number, month, date or choice.
        choices: {label: id} of a choice.
        start: first month of the plan, YYYY-MM.
    """

    kind: str
    choices: Mapping[str, str] = field(default_factory=dict)
    start: str = ""


def shown_as_percent(unit: str) -> bool:
    """Whether numbers of a unit are shown and typed as per cent."""
    return unit in _PERCENT_UNITS


def take(cell: Cell | None, how: Taking, unit: str = "") -> str | float | int | None:
    """Return what a cell says; None for an empty one.

    Raises:
        CellError: it is something else.
    """
    if cell is None or (cell.kind == "text" and not str(cell.value).strip()):
        return None
    if cell.kind == "error":
        raise CellError("cell_error", cell.value)
    if how.kind == "choice":
        return _choice(cell, how.choices)
    if how.kind == "text":
        return _text(cell)
    if how.kind == "month":
        return _month(cell, how.start)
    if how.kind == "date":
        return _date(cell)
    return _number(cell, unit)


def same(one: object, other: object) -> bool:
    """Whether two values of cells are the same for a reader.

    >>> same(0.1 + 0.2, 0.3), same("a ", "a"), same(None, ""), same(0, None)
    (True, True, True, False)
    """
    if isinstance(one, int | float) and isinstance(other, int | float):
        return math.isclose(one, other, rel_tol=_SAME_REL, abs_tol=0.0)
    return _plain(one) == _plain(other)


def _plain(value: object) -> object:
    return value.strip().replace("\r\n", "\n").replace("\r", "\n") or None if isinstance(value, str) else value


def arithmetic(formula: str) -> float | None:
    """Return the value of a formula that holds numbers only, None for any other.

    >>> arithmetic("=0.3*1.1"), arithmetic("=(35+5)%"), arithmetic("=F5*2"), arithmetic("=40%/2")
    (0.33, None, None, 0.2)
    """
    if not _ARITHMETIC.match(formula):
        return None
    written = re.sub(r"([0-9.]+)%", r"(\1/100)", formula[1:].strip())
    try:
        value = _reckoned(ast.parse(written, mode="eval").body)
    except (SyntaxError, ValueError, ArithmeticError):
        return None
    return value if math.isfinite(value) else None


def _reckoned(node: ast.expr) -> float:
    if isinstance(node, ast.Constant) and type(node.value) in (int, float):
        return float(node.value)
    if isinstance(node, ast.BinOp) and type(node.op) in _OPERATORS:
        return _OPERATORS[type(node.op)](_reckoned(node.left), _reckoned(node.right))
    if isinstance(node, ast.UnaryOp) and type(node.op) in _OPERATORS:
        return _OPERATORS[type(node.op)](_reckoned(node.operand))
    raise ValueError(type(node).__name__)


def number_in(text: str, unit: str) -> float | None:
    """Return the number that a text says beyond doubt in a cell of a unit, None otherwise.

    >>> [number_in(text, "CNY") for text in ("3.2万", "１,200", "¥1,200", "12%", "1,5")]
    [32000.0, 1200.0, 1200.0, None, None]
    >>> [number_in(text, "ratio") for text in ("12%", "0.12", "12", "1万")]
    [0.12, 0.12, None, None]
    """
    found = _TEXT_NUMBER.fullmatch(unicodedata.normalize("NFKC", text).strip())
    if not found:
        return None
    number, times = float(found["number"].replace(",", "")), found["times"]
    if shown_as_percent(unit):
        plain = not (found["money"] or found["yuan"] or times in ("万", "亿")) and (times == "%" or abs(number) <= 1)
        return float(f"{number / 100 if times else number:.12g}") if plain else None
    return None if times == "%" else float(f"{number * {'': 1, '万': 1e4, '亿': 1e8}[times]:.12g}")


def _number(cell: Cell, unit: str) -> float:
    value = cell.value
    if cell.kind == "formula":
        value = arithmetic(str(value))
        if value is None:
            raise CellError("cell_formula", cell.value)
    elif cell.kind == "text" and (said := number_in(str(value), unit)) is not None:
        value = said
    elif cell.kind == "text":
        meant = number_meant(unicodedata.normalize("NFKC", str(value)))
        raise CellError("cell_number_text", value, number=meant) if meant else CellError("cell_number", value)
    elif cell.kind != "number":
        raise CellError("cell_date" if cell.kind == "date" else "cell_number", value)
    if shown_as_percent(unit) and abs(value) > _MOST_AS_PERCENT:
        raise CellError("cell_percent", value, percent=f"{value:.12g}%", share=f"{value / 100:.12g}")
    return float(value)


def _month(cell: Cell, start: str) -> int | float:
    """Return the number of a plan month, typed as such or as a calendar month, of which Excel makes a date."""
    first_year, first_month = int(start[:4]), int(start[5:])
    if isinstance(cell.value, dt.date):
        return (cell.value.year - first_year) * 12 + cell.value.month - first_month + 1
    written = _YEAR_MONTH.fullmatch(cell.value.strip()) if cell.kind == "text" and isinstance(cell.value, str) else None
    if written:
        return (int(written[1]) - first_year) * 12 + int(written[2]) - first_month + 1
    value = _number(cell, "month")
    _no_serial(value)
    return int(value) if value.is_integer() else value


def _no_serial(value: object) -> None:
    """Refuse a date whose cell lost its format, so that only its number of days is left."""
    if isinstance(value, int | float) and not isinstance(value, bool) and _SERIALS[0] <= value <= _SERIALS[1]:
        raise CellError("cell_serial", value, day=(_EPOCH + dt.timedelta(days=math.floor(value))).isoformat())


def _date(cell: Cell) -> str:
    """Return a day as YYYY-MM-DD, typed as a date or as a text that is one."""
    if cell.kind == "formula":
        raise CellError("cell_formula", cell.value)
    _no_serial(cell.value)
    day = cell.value if isinstance(cell.value, dt.date) else parse_day(str(cell.value)) if cell.kind == "text" else None
    if day is None:
        raise CellError("cell_day", cell.value)
    return day.isoformat()


def _choice(cell: Cell, choices: Mapping[str, str]) -> str:
    typed = str(cell.value).strip()
    if cell.kind == "text":
        found = choices.get(typed) or (typed if typed in choices.values() else None)
        if found:
            return found
    raise CellError("cell_choice", typed, choice=" / ".join(choices))


def _text(cell: Cell) -> str:
    if cell.kind == "formula":
        raise CellError("cell_formula", cell.value)
    if cell.kind == "date":
        return cell.value.isoformat()  # type: ignore[union-attr]
    if cell.kind == "number":
        return f"{cell.value:.15g}"
    return str(cell.value).strip().replace("\r\n", "\n").replace("\r", "\n")
