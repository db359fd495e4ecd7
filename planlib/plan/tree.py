"""YAML read into a tree that knows where each value stands, and trees laid over each other.

Only plain YAML is accepted: no tags, anchors or aliases, no double keys, 64 levels, 2 MB. Scalars are
read by one short rule: null, true, false, numbers (1_000_000, 0.08, 1e6), everything else is text.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from planlib.core.errors import InputError, Problem

MAX_BYTES = 2_000_000
MAX_LEVELS = 64
MAX_PROBLEMS = 200

_INT = re.compile(r"[-+]?(?:0|[1-9][0-9]*(?:_[0-9]+)*)\Z")
_FLOAT = re.compile(r"[-+]?(?:[0-9]+(?:_[0-9]+)*\.?[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?\Z")
_SPECIAL = re.compile(r"[-+]?\.(?:inf|nan)\Z", re.IGNORECASE)
_STR_TAG = "tag:yaml.org,2002:str"

# part of libyaml's (or PyYAML's) message -> our code
_CAUSES = (
    ("nesting depth", "too_deep"),
    ("mapping values are not allowed", "yaml_colon"),
    ("could not find expected ':'", "yaml_colon"),
    ("cannot start any token", "yaml_character"),
    ("unexpected end of stream", "yaml_unclosed"),
    ("expected ',' or", "yaml_unclosed"),
    ("expected <document start>", "one_document"),
    ("did not find expected", "yaml_indent"),
    ("expected <block end>", "yaml_indent"),
)

_FORMS = ("value", "dist", "low", "mode", "high", "mean", "sd")
_COMPARISONS = ("equals", "at_least", "at_most", "above", "below", "between")
_ABOUT = frozenset({"id", "name", "note", "owner", "source", "why"})  # say something about a number, are not it
_KINDS = ("quoted", "assumed", "measured")  # of a number; the kind of a scheme is another word


@dataclass(slots=True)
class Node:
    """A value of a plan file: a scalar, a dict of nodes or a list of nodes."""

    value: object
    file: str = ""
    line: int | None = None
    typed: str = ""  # a number as it was typed: its digits tell how precise it is
    key_line: int | None = None  # where the name of this field stands

    @property
    def place(self) -> tuple[str, int | None]:
        """File and line to name in a message: of the field's name where the value has lines of its own."""
        inner = isinstance(self.value, dict | list) and self.key_line is not None
        return self.file, self.key_line if inner else self.line

    @property
    def key_lines(self) -> dict[str, int | None]:
        """The line of each field's name."""
        return {key: node.key_line for key, node in self.value.items()} if isinstance(self.value, dict) else {}

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

    def step(self, part: str | int) -> Node | None:
        """Return the field or row of that name."""
        if isinstance(self.value, dict):
            return self.value.get(part)
        if isinstance(self.value, list) and isinstance(part, int) and 0 <= part < len(self.value):
            return self.value[part]
        return None

    def find(self, path: Iterable[str | int]) -> Node | None:
        """Return the node at `path`, None where there is none."""
        node: Node | None = self
        for part in path:
            node = node and node.step(part)
        return node

    def at(self, path: Iterable[str | int]) -> Node:
        """Return the node at `path`, or the deepest one on the way to it."""
        node = self
        for part in path:
            below = node.step(part)
            if below is None:
                break
            node = below
        return node


def dotted(path: tuple) -> str:
    """Return a path as people write it.

    >>> dotted(("targets", 2, "by_month"))
    'targets[2].by_month'
    """
    shown = ""
    for part in path:
        shown += f"[{part}]" if isinstance(part, int) else f".{part}" if shown else str(part)
    return shown


def from_plain(value: object, file: str = "") -> Node:
    """Return the tree of dicts, lists and scalars."""
    if isinstance(value, dict):
        return Node({str(key): from_plain(inner, file) for key, inner in value.items()}, file)
    if isinstance(value, list):
        return Node([from_plain(inner, file) for inner in value], file)
    return Node(value, file)


def read(path: Path, shown: str) -> Node:
    """Return the tree of a YAML file; an empty file is a node whose value is None.

    Args:
        path: the file.
        shown: its name in messages.

    Raises:
        InputError: every reason why the file cannot be read.
    """
    root, problems = read_all(path, shown)
    if problems:
        raise InputError(*problems)
    return root


def read_all(path: Path, shown: str) -> tuple[Node, list[Problem]]:
    """Return the tree of a YAML file and what is wrong with it, as far as it can be read at all.

    Raises:
        InputError: it cannot be read.
    """
    return _parse(_text(path, shown), shown)


def parse(content: str, shown: str) -> Node:
    """Return the tree of YAML text; see `read`."""
    root, problems = _parse(content, shown)
    if problems:
        raise InputError(*problems)
    return root


def _text(path: Path, shown: str) -> str:
    try:
        if not path.is_file():  # also devices and pipes, which have no end
            raise InputError(Problem("no_file", file=shown))
        size = path.stat().st_size
        if size > MAX_BYTES:
            values = {"high": MAX_BYTES // 1000}
            raise InputError(Problem("too_large", file=shown, given=f"{size // 1000} kB", values=values))
        content = path.read_bytes()
    except OSError:
        raise InputError(Problem("no_file", file=shown)) from None
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        given = f"0x{content[error.start]:02x}"
        raise InputError(Problem("bad_encoding", file=shown, line=line, given=given)) from None


def _parse(content: str, shown: str) -> tuple[Node, list[Problem]]:
    import yaml

    builder = _Builder(shown)
    try:
        for event in yaml.parse(content, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader)):
            builder.take(event)
    except yaml.reader.ReaderError as error:
        line = content.encode()[: error.position].count(b"\n") + 1
        given = f"U+{error.character:04X}" if isinstance(error.character, int) else None
        builder.problems.append(Problem("control_character", shown, "", line, given))
        raise InputError(*builder.problems) from None
    except yaml.MarkedYAMLError as error:
        found = _syntax_problem(error, content, shown)
        if found.code != "too_deep" or not builder.skipping:  # else the builder has said so
            builder.problems.append(found)
        raise InputError(*builder.problems) from None
    return builder.root or Node(None, shown, 1), builder.problems


def _syntax_problem(error, content: str, shown: str) -> Problem:
    said = error.problem or str(error)
    key_without_colon = "could not find expected ':'" in said  # noticed on the next line
    mark = (key_without_colon and error.context_mark) or error.problem_mark or error.context_mark
    rows = content.splitlines()
    number = mark.line if mark else 0
    if number and "mapping values" in said and re.search("：(?!.*: )", rows[number - 1]):
        number -= 1  # a full-width colon ended no name, so that the next line seemed to go on with the text
    row = rows[number] if number < len(rows) else ""
    code = next((code for part, code in _CAUSES if part in said), "bad_yaml")
    values: dict[str, object] = {}
    if code == "yaml_character":
        character = row[mark.column : mark.column + 1]
        code, values = ("yaml_tab", {}) if character == "\t" else (code, {"character": character})
    elif code == "yaml_unclosed":
        values = {"first": (error.context_mark or mark).line + 1}
    elif code == "too_deep":
        values = {"high": MAX_LEVELS}
    elif code == "bad_yaml":
        values = {"reason": said}
    return Problem(code, shown, "", number + 1 if mark else None, row.strip() or None, values)


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
        return float(typed)
    if _SPECIAL.match(typed):
        return float(typed.replace(".", ""))
    return typed


def looks_cut(key: str) -> bool:
    """Whether a field's name is the rest of a number with commas: {value: 1,000} has a field named 000."""
    return key[:1].isdecimal()


_NO_KEY = object()  # the field's name was refused: what it holds belongs nowhere


class _Builder:
    """Builds the tree from parser events with a stack of its own, so that depth cannot hurt."""

    def __init__(self, shown: str):
        self.shown = shown
        self.root: Node | None = None
        self.problems: list[Problem] = []
        self.stack: list[Node] = []
        self.names: list[object] = []  # of what is on the stack
        self.keys: list[tuple[object, int] | None] = []  # name and line of the field that waits for its value
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
            self._leave_out()
        elif name == "DocumentStartEvent" and self.root is not None:
            self._bad("one_document", event, given="---")

    def _open(self, event, value) -> None:
        if self.skipping or len(self.stack) >= MAX_LEVELS:
            if not self.skipping:
                self._bad("too_deep", event, values={"high": MAX_LEVELS})
            self.skipping += 1
            return
        self._check(event)
        if self._wants_key():
            self._bad("not_text", event)
            self.skipping += 1
            return
        node = Node(value, self.shown, event.start_mark.line + 1)
        self.names.append(self._name())
        self._place(node)
        self.stack.append(node)
        self.keys.append(None)

    def _close(self) -> None:
        if self.skipping:
            self.skipping -= 1
            if not self.skipping:
                self._leave_out()
            return
        self.stack.pop()
        self.names.pop()
        self.keys.pop()

    def _scalar(self, event) -> None:
        self._check(event)
        line = event.start_mark.line + 1
        if self._wants_key():
            key, seen = event.value, self.stack[-1].value.get(event.value)
            if seen is not None:
                if looks_cut(key):
                    self._bad("comma_number", event, given=key)
                else:
                    self._bad("double_key", event, given=key, values={"first": seen.key_line})
            self.keys[-1] = (key if seen is None else _NO_KEY, line)
            return
        value = scalar(event.value) if event.implicit[0] else event.value  # implicit: without quotes and tag
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        self._place(Node(value, self.shown, line, event.value if is_number else ""))

    def _name(self) -> object:
        """The name or number of the value that comes next; None where there is none."""
        if not self.stack:
            return None
        if isinstance(self.stack[-1].value, list):
            return len(self.stack[-1].value)
        return self.keys[-1][0] if self.keys[-1] else None

    def _wants_key(self) -> bool:
        return bool(self.stack) and isinstance(self.stack[-1].value, dict) and self.keys[-1] is None

    def _leave_out(self) -> None:
        """Go on behind something refused: a value is dropped; behind a name, its value is."""
        if self._wants_key():
            self.keys[-1] = (_NO_KEY, 0)
        elif self.stack:
            self._place(Node(None, self.shown))

    def _place(self, node: Node) -> None:
        if not self.stack:
            self.root = self.root or node
            return
        parent = self.stack[-1].value
        if isinstance(parent, list):
            parent.append(node)
            return
        key, node.key_line = self.keys[-1]
        self.keys[-1] = None
        if key is not _NO_KEY:
            parent[key] = node

    def _check(self, event) -> None:
        if event.anchor is not None:
            self._bad("yaml_alias", event, given=f"&{event.anchor}")
        if event.tag is not None and event.tag not in ("!", _STR_TAG):
            self._bad("yaml_tag", event, given=event.tag)

    def _bad(self, code: str, event, *, given=None, values=None) -> None:
        if len(self.problems) >= MAX_PROBLEMS:
            return
        names = (*self.names[1:], given if code in ("double_key", "comma_number") else self._name())
        path = tuple(name for name in names if name is not None and name is not _NO_KEY)
        self.problems.append(Problem(code, self.shown, dotted(path), event.start_mark.line + 1, given, values or {}))


def merge(below: Node, above: Node, problems: list[Problem], path: tuple = ()) -> Node:
    """Return `above` laid over `below`.

    Mappings merge by field. Lists whose rows all carry an `id` merge by it: a row with a known id changes
    that row, a new id adds a row, and `{id: x, drop: true}` removes one. Everything else is replaced.
    A number given in another form (a value in place of a distribution) replaces the earlier form. A number
    that changes without a new `source` becomes an assumption whose reason is the place of the change.
    """
    if isinstance(below.value, dict) and isinstance(above.value, dict):
        rows = dict(below.value)
        for key, node in above.value.items():
            rows[key] = merge(rows[key], node, problems, (*path, key)) if key in rows else node
        _one_form(rows, above.value)
        changed = [node for key, node in above.value.items() if _differs(below.value.get(key), node, key)]
        if changed and "source" in below.value and "source" not in above.value:
            file, line = changed[0].place
            _assume(rows, f"{file}:{line}" if line else file, above)
        return Node(rows, above.file, above.line, key_line=above.key_line)
    if _has_ids(below) and _has_ids(above):
        rows = {_id(node): node for node in below.value}
        for index, node in enumerate(above.value):
            key = _id(node)
            if _drops(node):
                if rows.pop(key, None) is None:
                    where = dotted((*path, index, "id"))
                    values = {"choice": ", ".join(_id(row) for row in below.value) or "—"}
                    problems.append(Problem("unknown_ref", *_named(node.value["id"], where), key, values))
            else:
                rows[key] = merge(rows[key], node, problems, (*path, index)) if key in rows else node
        return Node(list(rows.values()), above.file, above.line, key_line=above.key_line)
    return above


def _named(node: Node, field: str) -> tuple[str, str, int | None]:
    file, line = node.place
    return file, field, line


def override(root: Node, path: str, new: Node, *, why: str, added: bool = False) -> bool:
    """Put a node at a dotted path, in place; rows of lists are named by id or number.

    A quantity given as a bare number or list takes it as its `value`. What changes becomes an assumption
    with the reason `why`; with `added` also what had no value before. A mapping of nothing but `drop: true` removes
    what stands there; one with an `id` that its list has not yet is added to it, and with `added` so are the
    sections around it.

    Returns:
        Whether there is such a place: all but the last part must exist.
    """
    node = root
    *way, last = _split(path)
    is_row = isinstance(new.value, dict) and "id" in new.value and not _drops(new)
    for index, part in enumerate(way):
        above, node = node, _step(node, part)
        if (node is None or node.value is None) and added and is_row and isinstance(above.value, dict):
            node = above.value[part] = Node([] if index == len(way) - 1 else {}, new.file)
        if node is None:
            return False
    old = _step(node, last)
    if _drops(new) and new.value.keys() <= {"id", "drop"}:  # with more in it, it is a value that says what is dropped
        return _removed(node, last, old)
    is_quantity = old is not None and isinstance(old.value, dict) and not old.value.keys().isdisjoint(("value", "dist"))
    if is_quantity and not isinstance(new.value, dict):
        node, old, last = old, old.value.get("value"), "value"
    if isinstance(node.value, dict):
        new.key_line = None
        node.value[last] = new
        _one_form(node.value, (last,))
        if "source" in node.value and (_differs(old, new, last) or (added and old is None and last not in _ABOUT)):
            _assume(node.value, why, new)
        return True
    if old is None:
        if not is_row or _id(new) != last or not _has_ids(node):
            return False
        node.value.append(new)
        return True
    node.value[:] = [new if row is old else row for row in node.value]
    return True


def _removed(node: Node, last: str, old: Node | None) -> bool:
    """Take a row out of its list or mapping; whether it was there."""
    if old is None:
        return False
    if isinstance(node.value, dict):
        del node.value[last]
    else:
        node.value[:] = [row for row in node.value if row is not old]
    return True


def reach(root: Node, path: str) -> Node | None:
    """Return the node at a dotted path as people write it, None where there is none."""
    node: Node | None = root
    for part in _split(path) if path else ():
        node = node and _step(node, part)
    return node


def place_of(root: Node, path: tuple) -> tuple[str, int | None]:
    """Return file and line of a field, or of where it is missing."""
    return root.at(path).place


def _split(path: str) -> list[str]:
    return path.replace("[", ".").replace("]", "").split(".")


def _step(node: Node, part: str) -> Node | None:
    if isinstance(node.value, list):
        by_id = next((row for row in node.value if _id(row) == part), None)
        return by_id or (node.step(int(part)) if part.isdecimal() else None)
    return node.step(part)


def _one_form(rows: dict[str, Node], given: Iterable[str]) -> None:
    """Keep, of a number's forms and of a statement's comparisons, those given last."""
    given = set(given)
    for starts, form in ((("value", "dist"), _FORMS), (_COMPARISONS, _COMPARISONS)):
        if given.intersection(starts):
            for key in set(form) - given:
                rows.pop(key, None)


def _differs(old: Node | None, new: Node, key: str) -> bool:
    """Whether a field that belongs to the stated number itself has another value than before."""
    if key in _ABOUT or isinstance(new.value, dict):
        return False
    if old is None:
        return key in _FORMS or key in _COMPARISONS
    return old.plain() != new.plain()


def _assume(rows: dict[str, Node], why: str, at: Node) -> None:
    rows["source"] = Node("assumption", at.file, at.line)
    rows["why"] = Node(why, at.file, at.line)
    if "kind" in rows and rows["kind"].value in _KINDS:
        rows["kind"] = Node("assumed", at.file, at.line)


def _id(node: Node) -> str | None:
    if isinstance(node.value, dict) and "id" in node.value:
        return str(node.value["id"].value)
    return None


def _has_ids(node: Node) -> bool:
    return isinstance(node.value, list) and all(_id(row) is not None for row in node.value)


def _drops(node: Node) -> bool:
    return isinstance(node.value, dict) and "drop" in node.value and node.value["drop"].value is True
