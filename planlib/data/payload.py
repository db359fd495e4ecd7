"""JSON payloads: what a file holds, which source each payload is of, and what its request said."""

from __future__ import annotations

import datetime as dt
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import PurePath

from planlib.core.errors import InputError, Problem
from planlib.data.sources import SOURCES, Source

SHANGHAI = dt.timezone(dt.timedelta(hours=8))
_NAMED = re.compile(r"\.([a-z_]+)=([\w@+-]+)", re.IGNORECASE)
_DAY = re.compile(r"20\d{2}-?[01]\d-?[0-3]\d")
_SECONDS = re.compile(r"[0-9]{10}([0-9]{3})?")  # since 1970, or milliseconds
_REQUESTS, _RESPONSES = ("request", "params"), ("response", "result", "body")
_NO_CUSTOMERS = 84061  # the API's way of saying that a member has no customers
_DAY_KEYS = ("day", "day_begin_time", "start_time", "begin_date", "ds", "date")
_SHOWN = 120  # characters of a field list that a message shows

Context = dict[str, str]


@dataclass(frozen=True, slots=True)
class Payload:
    """One response of a platform.

    Args:
        source: what it is; None when it is sound and holds nothing.
        content: the response.
        context: what the request, the file's name and the pull say.
        guessed: parts of the request that nobody said.
    """

    source: Source | None
    content: Mapping[str, object]
    context: Context
    guessed: tuple[str, ...] = ()


def pulled_at(path: PurePath, modified: float) -> dt.datetime:
    """Return when a file was pulled: the day its folder is named by, else when the file was written (Shanghai).

    >>> pulled_at(PurePath("wecom/20261111/a.json"), 0.0)
    datetime.datetime(2026, 11, 11, 0, 0)
    """
    day = folder_day(path)
    return day or dt.datetime.fromtimestamp(int(modified), SHANGHAI).replace(tzinfo=None)


def folder_day(path: PurePath) -> dt.datetime | None:
    """Return the day that a file's folder is named by; None where no folder is."""
    for part in reversed(path.parts[:-1]):
        if _DAY.fullmatch(part):
            try:
                return dt.datetime.strptime(part.replace("-", ""), "%Y%m%d")
            except ValueError:
                continue
    return None


def name_context(path: PurePath) -> Context:
    """Return what a file's name says of the request.

    >>> name_context(PurePath("x/send_result.msgid=msgA.userid=zhangsan.json"))
    {'msgid': 'msgA', 'userid': 'zhangsan'}
    """
    return {name.lower(): value for name, value in _NAMED.findall(path.name)}


def payloads(found: object, context: Context, *, shown: str, stem: str, pulled: dt.datetime) -> Iterator[Payload]:
    """Yield every payload of a JSON value: one, a list of them, one inside its request, or a bundle by name.

    Args:
        found: the JSON value.
        context: what is known already.
        shown: the file's name in messages.
        stem: stands for a message or link that nobody names.
        pulled: when it was pulled.

    Raises:
        InputError: an error of the platform in place of data, or nothing that a source knows.
    """
    if isinstance(found, list):
        for element in found:
            yield from payloads(element, context, shown=shown, stem=stem, pulled=pulled)
        return
    if not isinstance(found, dict):
        raise InputError(Problem("data_unknown", file=shown))
    response = next((found[key] for key in _RESPONSES if isinstance(found.get(key), dict | list)), None)
    request = next((found[key] for key in _REQUESTS if isinstance(found.get(key), dict)), None)
    if response is not None and request is not None:
        told = context | _request(request)
        yield from payloads(response, told, shown=shown, stem=stem, pulled=pulled)
        return
    check_error(found, shown)
    source = identify(found)
    if source is None and found and all(isinstance(value, dict) for value in found.values()):
        told = context | _bundle(found)
        for name, element in found.items():
            yield from payloads(element, told, shown=f"{shown}: {name}", stem=stem, pulled=pulled)
        return
    if source is None and not _is_empty(found):
        raise InputError(Problem("data_unknown", file=shown, given=", ".join(found)[:_SHOWN]))
    if source is None:
        yield Payload(None, found, context)
        return
    told, guessed = complete(source, context, stem=stem, pulled=pulled)
    yield Payload(source, found, told, guessed)


def check_error(found: Mapping[str, object], shown: str) -> None:
    """Refuse an error of the platform; the one that means 'no customers' is an empty answer."""
    code = found.get("errcode", found.get("code", 0))
    if isinstance(code, bool) or not isinstance(code, int | str) or code in (0, "0", "", _NO_CUSTOMERS):
        return
    if str(code).lstrip("-").isdigit():
        raise InputError(Problem("data_api_error", file=shown, given=f"{code} {found.get('errmsg', '')}".strip()))


def identify(found: Mapping[str, object]) -> Source | None:
    """Return the source whose payload this is.

    >>> identify({"list": [{"ref_date": "2026-11-10", "user_source": 0, "cumulate_user": 5}]}).name
    'oa_user_cumulate'
    """
    for source in SOURCES.values():
        if source.sheet:
            if source.keys <= found.keys():
                return source
            continue
        for path in source.list_path.split("|"):
            name = path.removesuffix("[]")
            value = found.get(name) if name else found
            if path.endswith("[]"):
                value = value[0] if isinstance(value, list) and value else None
            if not source.keys and value is not None:
                return source
            if isinstance(value, dict) and source.keys <= value.keys() and not source.lacks & value.keys():
                return source
    return None


def complete(source: Source, context: Context, *, stem: str, pulled: dt.datetime) -> tuple[Context, tuple[str, ...]]:
    """Return the context with what a source needs, and the names of what had to be guessed."""
    told = dict(context)
    told["pulled"] = pulled.strftime("%Y-%m-%d %H:%M:%S")
    if "day" not in told:
        day = next((told[key] for key in _DAY_KEYS if key in told), None)
        if day is not None:
            told["day"] = _day(day)
    told.setdefault("ds", told.get("day", ""))
    told = {name: value for name, value in told.items() if value}
    guessed = tuple(name for name in source.needs if name not in told and name != "userid")
    for name in guessed:
        yesterday = (pulled - dt.timedelta(days=1)).strftime("%Y-%m-%d")
        told[name] = yesterday if name in ("day", "ds") else stem
    return told, guessed


def _request(request: Mapping[str, object]) -> Context:
    told: Context = {}
    for name, value in request.items():
        if isinstance(value, list):
            told[name] = "+".join(map(str, value))
        elif isinstance(value, dict):
            told |= _request(value)
        elif value is not None:
            told[name] = str(value)
    return told


def _bundle(found: Mapping[str, object]) -> Context:
    """Return what one part of a bundle says of the others: the only moment of a list is the one asked about."""
    for part in found.values():
        moments = part.get("moment_list") if isinstance(part, dict) else None
        if isinstance(moments, list) and len(moments) == 1 and isinstance(moments[0], dict):
            return {"moment_id": str(moments[0].get("moment_id", ""))}
    return {}


def _is_empty(found: Mapping[str, object]) -> bool:
    """Return whether a response is sound and has no rows: an error code of 0, or only empty lists."""
    rest = {k: v for k, v in found.items() if k not in ("errcode", "errmsg", "code") and v not in ("", None, False, 0)}
    return not rest or all(value == [] for value in rest.values())


def _day(text: str) -> str:
    if _SECONDS.fullmatch(text):
        seconds = int(text[:10])
        return dt.datetime.fromtimestamp(seconds, SHANGHAI).strftime("%Y-%m-%d")
    return text


def parse(text: str, shown: str) -> list[tuple[int, object]]:
    """Return (line, value) of a JSON text: one document, or one a line.

    Raises:
        InputError: no JSON, with the line where it breaks off.
    """
    try:
        return [(1, json.loads(text))]
    except json.JSONDecodeError as error:
        whole = error
    except (RecursionError, ValueError) as error:
        raise too_much(error, shown) from None
    lines = text.splitlines()
    filled = [(number, line) for number, line in enumerate(lines, start=1) if line.strip()]
    if whole.msg != "Extra data" or len(filled) < 2:
        raise _broken(whole, text, whole.lineno, shown)
    values = []
    for number, line in filled:
        try:
            values.append((number, json.loads(line)))
        except json.JSONDecodeError as error:
            raise _broken(error, line, number, shown) from None
        except (RecursionError, ValueError) as error:
            raise too_much(error, shown, number) from None
    return values


def too_much(error: Exception, shown: str, line: int | None = None) -> InputError:
    """Refuse JSON that Python's reader gives up on: nested without end, or a number of thousands of digits."""
    given = "nested too deeply" if isinstance(error, RecursionError) else "a number of too many digits"
    return InputError(Problem("data_json", file=shown, line=line, given=given))


def _broken(error: json.JSONDecodeError, text: str, line: int, shown: str) -> InputError:
    if error.pos >= len(text.rstrip()) - 1 or error.msg.startswith("Unterminated"):
        return InputError(Problem("data_json_cut", file=shown, line=line))
    return InputError(Problem("data_json", file=shown, line=line, given=error.msg))
