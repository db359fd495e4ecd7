"""Cut a JSON document that is too long to hold into arrays of whole elements, at constant memory."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import BinaryIO

BLOCK = 8 * 2**20
MAX_ELEMENT = 64 * 2**20
MAX_ENVELOPE = 2**20
MAX_TRIES = 64
_NEAR = 2**18  # how far before the end of a block the end of an element is looked for
_BOUNDARY = re.compile(rb"\}\s*,")
_TOKEN = re.compile(r'"((?:[^"\\]|\\.)*)"(\s*:)?|[{}\[\]]')


class Cut(ValueError):
    """The document is unsound, ends or goes on where it should not.

    Args:
        reason: `end`, `after`, `element`, or what is wrong with the JSON.
        line: counted from 1.
    """

    def __init__(self, reason: str, line: int):
        super().__init__(reason)
        self.reason = reason
        self.line = line


@dataclass(frozen=True, slots=True)
class Opening:
    """Where a long list begins.

    Args:
        path: its place, `response.send_list[]`; "[]" for a list at the root.
        start: offset in bytes of its first element.
        envelope: the document up to there.
    """

    path: str
    start: int
    envelope: str


def opening(head: bytes, names: frozenset[str]) -> Opening | None:
    """Find in the head of a document the first list that has one of these names (or is the root).

    >>> opening(b'{"errcode": 0, "send_list": [{"a": [1]}, {"a": 2}]}', frozenset({"send_list"})).path
    'send_list[]'
    """
    shift = len(head) - len(head.removeprefix(b"\xef\xbb\xbf"))
    text = head[shift:].decode("utf-8", errors="ignore")
    stack: list[tuple[str, str]] = []
    key = ""
    for token in _TOKEN.finditer(text):
        mark = token[0][0]
        if mark == '"':
            key = token[1] if token[2] else key
        elif mark in "{[":
            if mark == "[" and (not stack or key in names) and all(bracket == "{" for bracket, _ in stack):
                before = text[: token.end()]
                path = ".".join([name for _, name in stack if name] + [key] * bool(stack)) + "[]"
                return Opening(path, shift + len(before.encode()), before)
            stack.append((mark, key if stack else ""))
        elif stack:
            stack.pop()
    return None


def arrays(
    file: BinaryIO, found: Opening, rest: list[bytes], valid: Callable[[str], bool], *, block: int = BLOCK
) -> Iterator[str]:
    """Yield the list in pieces, each a whole JSON array; what follows the list is appended to `rest`.

    A piece ends where a brace and a comma stand and what is before them is sound: only whole elements make a sound
    array.

    Args:
        file: the document, opened for bytes.
        found: where the list begins.
        rest: receives the bytes after the list, beginning with its closing bracket.
        valid: tells whether a text is sound JSON.
        block: bytes looked at together; twice as many while one element is longer.

    Raises:
        Cut: the document is no JSON, ends inside the list, or goes on too long after it.
    """
    file.seek(found.start)
    held, line, size = b"", found.envelope.count("\n") + 1, block
    while True:
        chunk = file.read(size)
        data = held + chunk
        end = _boundary(data, valid) if len(chunk) == size else -1
        if end >= 0:
            yield f"[{data[:end].decode()}]"
            comma = data.index(b",", end)
            line += data.count(b"\n", 0, comma)
            held, size = data[comma + 1 :], block
        elif len(chunk) < size or _finished(data):
            text, stop = _last(data, line)
            tail = text[stop - 1 :].encode() + file.read(MAX_ENVELOPE + 1)
            if len(tail) > MAX_ENVELOPE:
                raise Cut("after", line + text.count("\n", 0, stop))
            rest.append(tail)
            yield text[:stop]
            return
        elif len(data) >= MAX_ELEMENT:
            raise Cut("element", line)
        else:
            held, size = data, len(data)


def envelope(found: Opening, rest: bytes) -> dict | list:
    """Return the document without the elements of its list.

    Raises:
        ValueError: what is left is no JSON.
    """
    return json.loads(found.envelope + rest.decode())


def _boundary(data: bytes, valid: Callable[[str], bool]) -> int:
    """Return where the last whole element of a block ends; -1 where none is found."""
    ends = [found.start() + 1 for found in _BOUNDARY.finditer(data, max(0, len(data) - _NEAR))]
    for end in ends[: -MAX_TRIES - 1 : -1]:
        if valid("[" + data[:end].decode(errors="replace") + "]"):
            return end
    return -1


def _finished(data: bytes) -> bool:
    """Return whether the list ends inside a block."""
    try:
        json.JSONDecoder().raw_decode("[" + data.decode(errors="ignore"))
    except ValueError:
        return False
    return True


def _last(data: bytes, line: int) -> tuple[str, int]:
    """Return the text of the last block as an array with what follows, and where the array ends."""
    text = "[" + data.decode()
    try:
        return text, json.JSONDecoder().raw_decode(text)[1]
    except json.JSONDecodeError as error:
        early = error.pos >= len(text.rstrip()) - 1 or error.msg.startswith("Unterminated")
        raise Cut("end" if early else error.msg, line + text.count("\n", 0, error.pos)) from None
