"""YAML read into a tree that knows where each value stands, and trees laid over each other.

Only plain YAML is accepted: no tags, anchors or aliases, no double keys, 64 levels, 2 MB. Scalars are
read by one short rule: null, true, false, numbers (1_000_000, 0.08, 1e6), everything else is text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from planlib.core.errors import InputError, Problem

MAX_BYTES = 2_000_000
MAX_LEVELS = 64

_INT = re.compile(r"[-+]?(?:0|[1-9][0-9]*(?:_[0-9]+)*)\Z")
_FLOAT = re.compile(r"[-+]?(?:[0-9]+(?:_[0-9]+)*\.?[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?\Z")
_SPECIAL = re.compile(r"[-+]?\.(?:inf|nan)\Z", re.IGNORECASE)
_STR_TAG = "tag:yaml.org,2002:str"


@dataclass(slots=True)
class Node:
    """A value of a plan file: a scalar, a dict of nodes or a list of nodes."""

    value: object
    file: str = ""
    line: int | None = None
    typed: str = ""  # a scalar as it was typed: its digits tell how precise it is
    key_lines: dict[str, int] = field(default_factory=dict)

    def plain(self) -> object:
        """Return the tree as dicts, lists and scalars."""
        if isinstance(self.value, dict):
            return {key: node.plain() for key, node in self.value.items()}
        if isinstance(self.value, list):
            return [node.plain() for node in self.value]
        return self.value

    def walk(self, path: tuple = ()) -> Iterator[tuple[tuple, Node]]:
        """Yield every node with its path."""
        yield path, self
        if isinstance(self.value, dict):
            for key, node in self.value.items():
                yield from node.walk((*path, key))
        elif isinstance(self.value, list):
            for index, node in enumerate(self.value):
                yield from node.walk((*path, index))

    def at(self, path: tuple) -> Node:
        """Return the node at `path`, or the deepest one on the way to it."""
        node = self
        for part in path:
            if isinstance(node.value, dict) and part in node.value:
                node = node.value[part]
            elif isinstance(node.value, list) and isinstance(part, int) and part < len(node.value):
                node = node.value[part]
            else:
                break
        return node


def read(path: Path, shown: str) -> Node:
    """Return the tree of a YAML file.

    Args:
        path: the file.
        shown: its name in messages.

    Raises:
        InputError: every reason why the file cannot be read.
    """
    try:
        size = path.stat().st_size
        if size > MAX_BYTES:
            raise InputError(
                Problem("too_large", file=shown, given=f"{size // 1000} kB", values={"high": MAX_BYTES // 1000})
            )
        content = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(Problem("bad_encoding", file=shown, given=str(error))) from None
    except OSError:
        raise InputError(Problem("no_file", file=shown)) from None
    return parse(content, shown)


def parse(content: str, shown: str) -> Node:
    """Return the tree of YAML text; see `read`."""
    import yaml

    builder = _Builder(shown)
    try:
        for event in yaml.parse(content, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader)):
            builder.take(event)
    except yaml.reader.ReaderError as error:
        raise InputError(Problem("bad_yaml", file=shown, given=str(error), values={"reason": error.reason})) from None
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        row = content.splitlines()[mark.line : mark.line + 1] if mark else []
        raise InputError(
            Problem(
                "bad_yaml",
                file=shown,
                line=mark.line + 1 if mark else None,
                given=row[0].strip() if row else None,
                values={"reason": error.problem or str(error)},
            )
        ) from None
    if builder.problems:
        raise InputError(*builder.problems)
    return builder.root or Node({}, shown, 1)


def scalar(typed: str) -> object:
    """Return the value of an unquoted scalar.

    >>> [scalar(s) for s in ("1_000", "1e6", "0.08", "true", "~", "no", "007", "2027-01")]
    [1000, 1000000.0, 0.08, True, None, 'no', '007', '2027-01']
    """
    if typed in ("", "~", "null"):
        return None
    if typed in ("true", "false"):
        return typed == "true"
    if _INT.match(typed):
        return int(typed) if len(typed) < 40 else float(typed)
    if _FLOAT.match(typed) and not re.match(r"[-+]?0[0-9]", typed):
        return float(typed.replace("_", ""))
    if _SPECIAL.match(typed):
        return float(typed.replace(".", ""))
    return typed


class _Builder:
    """Builds the tree from parser events with a stack of its own, so that depth cannot hurt."""

    def __init__(self, shown: str):
        self.shown = shown
        self.root: Node | None = None
        self.problems: list[Problem] = []
        self.stack: list[Node] = []
        self.keys: list[str | None] = []
        self.skipping = 0

    def take(self, event) -> None:
        name = type(event).__name__
        if name in ("MappingStartEvent", "SequenceStartEvent"):
            self._open(event, {} if name == "MappingStartEvent" else [])
        elif name in ("MappingEndEvent", "SequenceEndEvent"):
            self._close()
        elif self.skipping:
            return
        elif name == "ScalarEvent":
            self._scalar(event)
        elif name == "AliasEvent":
            self._bad("yaml_alias", event, given=f"*{event.anchor}")
            self._place(Node(None, self.shown, event.start_mark.line + 1))
        elif name == "DocumentStartEvent" and self.root is not None:
            self._bad("bad_yaml", event, given="---", values={"reason": "one document in a file"})

    def _open(self, event, value) -> None:
        if self.skipping or len(self.stack) >= MAX_LEVELS:
            if not self.skipping:
                self._bad("too_deep", event, values={"high": MAX_LEVELS})
            self.skipping += 1
            return
        self._check(event)
        node = Node(value, self.shown, event.start_mark.line + 1)
        if self.stack and isinstance(self.stack[-1].value, dict) and self.keys[-1] is None:
            self._bad("not_text", event, given="a mapping or list as the name of a field")
            self.skipping += 1
            return
        self._place(node)
        self.stack.append(node)
        self.keys.append(None)

    def _close(self) -> None:
        if self.skipping:
            self.skipping -= 1
            if not self.skipping and self.stack and isinstance(self.stack[-1].value, dict):
                self.keys[-1] = None
            return
        self.stack.pop()
        self.keys.pop()

    def _scalar(self, event) -> None:
        self._check(event)
        plain = event.implicit[0] and event.style is None
        value = scalar(event.value) if plain else event.value
        line = event.start_mark.line + 1
        if self.stack and isinstance(self.stack[-1].value, dict) and self.keys[-1] is None:
            parent = self.stack[-1]
            key = event.value
            if key in parent.value:
                values = {"first": parent.key_lines[key]}
                self._bad("double_key", event, given=key, values=values)
            parent.key_lines.setdefault(key, line)
            self.keys[-1] = key
            return
        self._place(Node(value, self.shown, line, event.value if plain else ""))

    def _place(self, node: Node) -> None:
        if not self.stack:
            if self.root is None:
                self.root = node
            return
        parent = self.stack[-1].value
        if isinstance(parent, list):
            parent.append(node)
            return
        key = self.keys[-1]
        self.keys[-1] = None
        parent.setdefault(key, node)

    def _check(self, event) -> None:
        if event.anchor is not None:
            self._bad("yaml_alias", event, given=f"&{event.anchor}")
        if event.tag is not None and event.tag not in ("!", _STR_TAG):
            self._bad("yaml_tag", event, given=event.tag)

    def _bad(self, code: str, event, *, given=None, values=None) -> None:
        trail = ".".join(str(key) for key in self.keys if key)
        self.problems.append(
            Problem(code, self.shown, trail[:200], event.start_mark.line + 1, given, values or {})
        )


def merge(below: Node, above: Node) -> Node:
    """Return `above` laid over `below`.

    Mappings merge by field. Lists whose rows all carry an `id` merge by it: a row with a known id changes
    that row, a new id adds a row, and `{id: x, drop: true}` removes one. Everything else is replaced.
    """
    if isinstance(below.value, dict) and isinstance(above.value, dict):
        rows = dict(below.value)
        for key, node in above.value.items():
            rows[key] = merge(rows[key], node) if key in rows else node
        return Node(rows, above.file, above.line, key_lines=above.key_lines)
    if _has_ids(below) and _has_ids(above):
        rows = {_id(node): node for node in below.value}
        for node in above.value:
            key = _id(node)
            if _drops(node):
                rows.pop(key, None)
            else:
                rows[key] = merge(rows[key], node) if key in rows else node
        return Node(list(rows.values()), above.file, above.line)
    return above


def override(root: Node, path: str, new: Node) -> bool:
    """Put a node at a dotted path, in place; rows of lists are named by id or number.

    Returns:
        Whether there is such a place: all but the last part must exist.
    """
    node = root
    *way, last = path.split(".")
    for part in way:
        step = _step(node, part)
        if step is None:
            return False
        node = node.value[step]
    if isinstance(node.value, dict):
        node.value[last] = new
        return True
    step = _step(node, last)
    if step is None:
        return False
    node.value[step] = new
    return True


def _step(node: Node, part: str):
    if isinstance(node.value, dict):
        return part if part in node.value else None
    if isinstance(node.value, list):
        for index, row in enumerate(node.value):
            if _id(row) == part:
                return index
        if part.isdigit() and int(part) < len(node.value):
            return int(part)
    return None


def _id(node: Node) -> str | None:
    if isinstance(node.value, dict) and "id" in node.value:
        return str(node.value["id"].value)
    return None


def _has_ids(node: Node) -> bool:
    return isinstance(node.value, list) and all(_id(row) is not None for row in node.value)


def _drops(node: Node) -> bool:
    return "drop" in node.value and node.value["drop"].value is True
