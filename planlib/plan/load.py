"""Plan files read, merged and checked; every problem is told at once and nothing is written."""

from __future__ import annotations

import difflib
import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, fields
from functools import cache
from itertools import islice
from pathlib import Path
from typing import Any, get_args, get_origin

from pydantic import BaseModel, ValidationError

from planlib.core import own
from planlib.core.errors import InputError, Problem
from planlib.plan import model as m
from planlib.plan.own_metrics import declared
from planlib.plan.tree import (
    MAX_BYTES,
    MAX_PROBLEMS,
    Node,
    dotted,
    from_plain,
    looks_cut,
    merge,
    override,
    parse,
    place_of,
    reach,
    read_all,
)

RESOLVED = "planlib_resolved"
_BESIDE = ("extends", "scenarios")
_PLAIN = frozenset({str, int, float, bool, type(None)})


@dataclass(frozen=True, slots=True)
class Change:
    """A value of a plan that another file changes for one run, as `--set` does.

    Args:
        path: dotted place in the plan; rows of lists are named by their id.
        value: what stands there instead: scalar, list or mapping.
        file: the other file, as the user named it.
        cell: where in it, such as a sheet and its cell.
        why: the reason that was given, or "".
    """

    path: str
    value: object
    file: str
    cell: str
    why: str = ""

    @property
    def reason(self) -> str:
        """Why the value changed: the reason given, else the place, without the folders of one desk."""
        return self.why or f"{Path(self.file).name}: {self.cell}"


@dataclass(frozen=True, eq=False)
class Plan:
    """A checked plan; its sections are attributes of the model: `plan.users.churn`."""

    model: m.PlanModel
    file: str
    scenario: str | None = None
    sets: tuple[str, ...] = ()
    typed: Mapping[str, str] | None = None
    changes: tuple[Change, ...] = ()

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        return getattr(self.model, name)

    @property
    def id(self) -> str:
        return self.model.plan.id

    @property
    def title(self) -> dict[str, str]:
        return self.model.plan.title.model_dump()

    @property
    def start(self) -> str:
        return self.model.plan.start

    @property
    def months(self) -> int:
        return self.model.plan.months

    @property
    def seed(self) -> int:
        return self.model.plan.seed

    @property
    def data_root(self) -> str:
        """The folder of the plan's data, as typed."""
        return self.model.data.root

    @property
    def sha256(self) -> str:
        """Hash of the canonical form: equal for equal plans, however they were written."""
        return hashlib.sha256(self.canonical_json().encode()).hexdigest()

    def canonical_json(self) -> str:
        """Return the plan as JSON with sorted keys, without fields that hold their default."""
        return json.dumps(self._content(), ensure_ascii=False, sort_keys=True, separators=(",", ":"))

    def resolved_json(self) -> str:
        """Return a file that `load_plan` reads back as this very plan, its rows in the author's order."""
        head: dict[str, Any] = {RESOLVED: 1, **self.origin()}
        head["typed"] = dict(sorted((self.typed or {}).items()))
        head["plan"] = self._content()
        return json.dumps(head, ensure_ascii=False, indent=1) + "\n"

    def origin(self) -> dict[str, Any]:
        """Return out of what the plan was made: file, scenario, overrides, and the changes of another file if any."""
        found: dict[str, Any] = {"file": self.file, "scenario": self.scenario, "sets": list(self.sets)}
        changes = [asdict(change) | {"file": Path(change.file).name} for change in self.changes]
        return found | ({"changes": changes} if changes else {})

    def _content(self) -> dict[str, Any]:
        return self.model.model_dump(mode="json", by_alias=True, exclude_defaults=True)


def load_plan(
    path: str | Path,
    *,
    scenario: str | None = None,
    sets: Iterable[str] = (),
    as_of: str | None = None,
    seed: int | None = None,
    changes: Iterable[Change] = (),
) -> Plan:
    """Return the plan in `path` with everything it inherits.

    Order: the plans that it extends, the plan, PLAN.adopted.yaml beside it, the scenario, `changes`, `sets`.

    Args:
        path: a YAML plan, or a plan resolved by an earlier run (.json).
        scenario: a name under the plan's `scenarios`.
        sets: overrides PATH=VALUE, e.g. `users.churn.value=0.05`; rows of lists are named by their id.
        as_of: ISO day in place of `data.as_of`.
        seed: in place of `plan.seed`.
        changes: what another file changes; what is changed without a reason has its place there for one.

    Raises:
        InputError: all problems of all files involved.
    """
    path, sets, changes = Path(path), tuple(sets), tuple(changes)
    shown = path.as_posix()
    problems: list[Problem] = []
    if path.suffix == ".json":
        before, root = _resolved(path, shown)
    else:
        before, root = None, _with_parents(path, shown, problems)
    tree = Node({k: v for k, v in root.value.items() if k not in _BESIDE}, root.file, root.line)
    problems += _scenario_problems(root, shown)
    problems += _apply_scenario(tree, root, scenario, shown)
    for change in changes:
        problems += _apply_change(tree, change)
    for item in sets:
        problems += _apply_set(tree, item)
    if as_of is not None:
        tree.value.setdefault("data", Node({}, shown))
        problems += _apply(tree, "data.as_of", Node(as_of, "--as-of"), "--as-of")
    if seed is not None:
        problems += _apply(tree, "plan.seed", Node(seed, "--seed"), "--seed")
    if before is None:  # a resolved plan has them already
        from planlib.plan import logo
        from planlib.plan.days import add_days

        problems += add_days(tree, path.parent)
        problems += logo.problems(tree, path.parent)
    found = _validate(m.PlanModel, tree, shown, problems)
    own.declare(declared(found.own_metrics))
    typed = {dotted(where): node.typed for where, node in tree.walk() if node.typed}
    if before is not None:
        earlier = tuple(Change(**change) for change in before.get("changes", ()))
        sets, typed = (*before["sets"], *sets), before["typed"] | typed
        return Plan(found, before["file"], before["scenario"], sets, typed, (*earlier, *changes))
    return Plan(found, shown, scenario, sets, typed, changes)


def load_benchmarks(path: str | Path) -> m.Benchmarks:
    """Return the cases, statistics and benchmarks in a file such as params/benchmarks.yaml.

    Raises:
        InputError: all problems of the file.
    """
    shown = Path(path).as_posix()
    tree, problems = read_all(Path(path), shown)
    if not isinstance(tree.value, dict):
        raise InputError(*problems, Problem("not_mapping", file=shown, line=tree.line, given=_brief(tree)))
    return _validate(m.Benchmarks, tree, shown, problems)


def statements(found: BaseModel, path: str = "") -> Iterator[tuple[str, m.Statement]]:
    """Yield every statement of a plan or benchmark file with its dotted path."""
    yield from ((where, leaf) for where, leaf in leaves(found, path) if isinstance(leaf, m.Statement))


def leaves(found: object, path: str = "") -> Iterator[tuple[str, m.Sourced]]:
    """Yield every sourced value (quantity, statement, rule, task ...) with its dotted path."""
    if isinstance(found, m.Sourced):
        yield path, found
    if isinstance(found, BaseModel):
        values = found.__dict__
        head = f"{path}." if path else ""
        inner = ((f"{head}{shown}", values[name]) for name, shown in _field_names(type(found)))
    elif isinstance(found, dict):
        inner = ((f"{path}.{key}", value) for key, value in found.items())
    elif isinstance(found, tuple):
        inner = ((f"{path}[{index}]", value) for index, value in enumerate(found))
    else:
        return
    for where, value in inner:
        if type(value) not in _PLAIN:  # most are, and hold nothing
            yield from leaves(value, where)


@cache
def _field_names(model: type[BaseModel]) -> tuple[tuple[str, str], ...]:
    """Return each field's name in Python and in the file."""
    return tuple((name, field.alias or name) for name, field in model.model_fields.items())


def _with_parents(path: Path, shown: str, problems: list[Problem]) -> Node:
    """Read a plan, the plans that it extends and its adopted figures, and lay them over each other."""
    from planlib.plan.check import double_ids

    folder = path.parent.resolve()
    trees: list[Node] = []
    chain: list[Path] = []
    here: Path | None = path
    while here is not None:
        try:
            tree, found = read_all(here, here.as_posix())
        except InputError as error:
            raise InputError(*problems, *error.problems) from None
        problems += found
        if not isinstance(tree.value, dict):
            raise InputError(*problems, Problem("not_a_plan", file=here.as_posix(), line=1, given=_brief(tree)))
        problems += double_ids(tree)
        trees.append(tree)
        chain.append(here.resolve())
        here = _parent(here, tree, folder, chain, problems)
    adopted = path.with_name(f"{path.stem}.adopted.yaml")
    if adopted.exists():
        tree, found = read_all(adopted, adopted.as_posix())
        problems += found
        if isinstance(tree.value, dict):
            trees.insert(0, tree)
        elif tree.value is not None:
            problems.append(Problem("not_a_plan", file=adopted.as_posix(), line=1, given=_brief(tree)))
    root = trees.pop()
    while trees:
        root = merge(root, trees.pop(), problems)
    return root


def _parent(path: Path, tree: Node, folder: Path, chain: list[Path], problems: list[Problem]) -> Path | None:
    """Return the plan that a plan extends, None for the last.

    Raises:
        InputError: there is one but it cannot be used, so that no more can be said about the plan.
    """
    node = tree.value.get("extends")
    if node is None or node.value is None:
        return None
    name, code, values = node.value, "", {}
    if not isinstance(name, str) or not name.isprintable():
        code = "not_text"
    else:
        target = path.parent / name
        resolved = target.resolve()
        if not resolved.is_relative_to(folder):
            code = "extends_outside"
        elif resolved in chain:
            code = "extends_cycle"
            values = {"chain": " → ".join(p.name for p in (*chain[chain.index(resolved) :], resolved))}
        elif not target.is_file():
            code = "no_file"
    if code:
        raise InputError(*problems, Problem(code, path.as_posix(), "extends", node.line, _brief(node), values))
    return target


def _scenario_problems(root: Node, shown: str) -> list[Problem]:
    """Check all scenarios, also those that nobody asked for."""
    node = root.value.get("scenarios")
    if node is None:
        return []
    _, problems = _model(m.Scenarios, Node({"scenarios": node}, root.file, root.line), shown)
    for name, scenario in node.value.items() if isinstance(node.value, dict) else ():
        for path, new in _changes(scenario):
            way = path.split(".")[:-1]
            mine = new.file == shown  # one that is inherited may not fit any more
            if mine and way and way[0] in root.value and reach(root, ".".join(way)) is None:
                field = f"scenarios.{name}.change"
                problems.append(Problem("unknown_path", new.file, field, new.key_line, path))
    return problems


def _changes(scenario: Node) -> Iterable[tuple[str, Node]]:
    change = scenario.step("change")
    return change.value.items() if change is not None and isinstance(change.value, dict) else ()


def _apply_scenario(tree: Node, root: Node, name: str | None, shown: str) -> list[Problem]:
    if name is None:
        return []
    scenarios = root.value.get("scenarios")
    known = scenarios.value if scenarios is not None and isinstance(scenarios.value, dict) else {}
    if name not in known:
        values = {"choice": ", ".join(known) or "—"}
        return [Problem("unknown_scenario", file=shown, field="scenarios", given=name, values=values)]
    return [
        Problem("unknown_path", node.file, f"scenarios.{name}.change", node.key_line, path)
        for path, node in _changes(known[name])
        if not override(tree, path, node, why=f"scenario {name}")
    ]


def _apply_set(tree: Node, item: str) -> list[Problem]:
    path, sign, typed = item.partition("=")
    if not sign or not path:
        return [Problem("set_form", file="--set", given=item)]
    try:
        node = parse(typed, f"--set {item}")
    except InputError as error:
        return list(error.problems)
    for _, inner in node.walk():
        inner.line = inner.key_line = None
    return _apply(tree, path, node, f"--set {item}")


def _apply_change(tree: Node, change: Change) -> list[Problem]:
    place = f"{change.file}: {change.cell}"
    node = from_plain(change.value, place)
    for _, inner in node.walk():
        if isinstance(inner.value, int | float) and not isinstance(inner.value, bool):
            inner.typed = f"{inner.value:.15g}"
    if override(tree, change.path, node, why=change.reason, added=True):
        return []
    return [Problem("unknown_path", file=place, given=change.path)]


def _apply(tree: Node, path: str, node: Node, why: str) -> list[Problem]:
    return (
        [] if override(tree, path, node, why=why) else [Problem("unknown_path", file=why.partition(" ")[0], given=path)]
    )


def _resolved(path: Path, shown: str) -> tuple[dict[str, Any], Node]:
    """Return the head of a resolved plan and the tree of its plan."""
    try:
        with path.open("rb") as file:
            content = file.read(8 * MAX_BYTES + 1)
        found = json.loads(content) if len(content) <= 8 * MAX_BYTES else None
    except OSError:
        raise InputError(Problem("no_file", file=shown)) from None
    except (ValueError, RecursionError):
        found = None
    kinds = {"file": str, "scenario": str | None, "sets": list, "typed": dict, "plan": dict}
    if (
        not isinstance(found, dict)
        or found.get(RESOLVED) != 1
        or not all(isinstance(found.get(name), kind) for name, kind in kinds.items())
        or not _are_changes(found.get("changes", []))
    ):
        raise InputError(Problem("not_resolved", file=shown))
    return found, from_plain(found["plan"], shown)


def _are_changes(found: object) -> bool:
    names = {field.name for field in fields(Change)}
    return isinstance(found, list) and all(isinstance(row, dict) and set(row) == names for row in found)


def _validate(kind: type[BaseModel], tree: Node, shown: str, problems: list[Problem]) -> Any:
    """Return the model of a tree, or raise every problem together with those found before."""
    from planlib.plan.check import problems_of

    found, wrong = _model(kind, tree, shown)
    told = {(p.file, p.field) for p in problems}
    semantic = islice(problems_of(tree), MAX_PROBLEMS)
    problems = [*problems, *(p for p in (*wrong, *semantic) if (p.file, p.field) not in told)]
    if problems:
        unique = {(p.file, p.line, p.field, p.code): p for p in reversed(problems)}
        raise InputError(*sorted(reversed(unique.values()), key=lambda p: (p.file != shown, p.file, p.line or 0)))
    return found


def _model(kind: type[BaseModel], tree: Node, shown: str) -> tuple[BaseModel | None, list[Problem]]:
    """Return the model of a tree or what is wrong with its shape."""
    found: dict[tuple, Problem] = {}
    plain = tree.plain()
    misspelt: set[tuple] = set()
    while True:
        try:
            model = kind.model_validate_json(json.dumps(plain))
        except ValidationError as error:
            wrong = _translate(error.errors(include_url=False)[:MAX_PROBLEMS], kind, tree, shown)
        else:
            return (None if found else model), list(found.values())
        found = wrong | found
        unknown = [path for path, problem in wrong.items() if problem.code in _NOT_A_FIELD]
        misspelt |= {path[:-1] for path in unknown}
        if not unknown or len(found) >= MAX_PROBLEMS:
            return None, [p for path, p in found.items() if not _follows(path, p, found, misspelt)]
        for path in unknown:  # a misspelt field hides what else is wrong with its row
            row = plain
            for part in path[:-1]:
                row = row[part]
            del row[path[-1]]


_NOT_A_FIELD = ("unknown_key", "unknown_key_far", "comma_number")
_ABSENT = ("missing", "missing_section", "source_missing")
_ABOUT_A_ROW = ("quantity_form", "statement_op", "dist_parameters", "why_missing", "smaller_form")


def _follows(path: tuple, problem: Problem, found: Mapping[tuple, Problem], misspelt: set[tuple]) -> bool:
    """Whether a problem only follows from another one that is told."""
    if problem.code == "number_or_range":  # a range with a bad end is told at the end
        return any(other[: len(path)] == path != other for other in found)
    if problem.code in _ABSENT:
        return any(p.values.get("nearest") == path[-1] and o[:-1] == path[:-1] for o, p in found.items())
    return problem.code in _ABOUT_A_ROW and path in misspelt


def _translate(errors: list, kind: type, tree: Node, shown: str) -> dict[tuple, Problem]:
    """Turn pydantic's errors into problems with file and line; one for each place."""
    found: dict[tuple, Problem] = {}
    for entry in errors:
        path = _real_path(entry, tree)
        code, values = _code(entry, kind, path)
        path = (*path, values.pop("at")) if "at" in values else path
        node = tree.find(path)
        file, line = place_of(tree, path)
        given = _brief(node) if node is not None else None
        if entry["loc"][-1:] == ("[key]",) or code in _NOT_A_FIELD:
            given, line = path[-1], node.key_line
        given = values.pop("given", given)
        if code in ("number_or_range", "not_number", "not_whole") and isinstance(given, str):
            meant = number_meant(given)
            code, values = ("number_text", {"number": meant}) if meant else (code, values)
        if isinstance(path[-1:] and path[-1], int) and node is None:  # a value too few in a list
            path = path[:-1]
        if code == "low_above_high":  # it is a range, only the other way round
            found.pop(path, None)
        found.setdefault(path, Problem(code, file or shown, dotted(path), line, given, values))
    return found


def _real_path(entry: Mapping[str, Any], tree: Node) -> tuple:
    """Drop the parts of pydantic's locations that name types of a union, not fields."""
    path: tuple = ()
    *way, last = entry["loc"]
    for part in way:
        if tree.at(path).step(part) is not None:
            path = (*path, part)
    if last != "[key]" and (entry["type"] == "missing" or tree.at(path).step(last) is not None):
        path = (*path, last)
    return path


_BY_TYPE = {
    "finite_number": "not_finite",
    "tuple_type": "not_list",
    "int_type": "not_whole",
    "int_from_float": "not_whole",
    "int_parsing": "not_whole",
    "bool_type": "not_bool",
    "string_type": "not_text",
    "model_type": "not_mapping",
    "dict_type": "not_mapping",
    "string_too_short": "empty",
}
_DATES = {"start": "YYYY-MM", "as_of": "YYYY-MM-DD", "date": "YYYY-MM-DD", "not_before": "YYYY-MM-DD"}
_BY_PATTERN = {m.SOURCE: "source_missing", m.COLOUR: "colour", m.PAGE_ID: "page_id"}
_REQUIRED_SECTIONS = tuple(name for name, f in m.PlanModel.model_fields.items() if f.is_required())


def _code(entry: Mapping[str, Any], kind: type, path: tuple) -> tuple[str, dict[str, object]]:
    """Return our code and placeholders for one of pydantic's errors."""
    type_, context = entry["type"], entry.get("ctx", {})
    if type_.startswith("planlib."):
        return type_.removeprefix("planlib."), dict(context)
    if type_ == "missing":
        if len(path) == 1 and path[0] in _REQUIRED_SECTIONS:
            return "missing_section", {"section": path[0]}
        if isinstance(path[-1], int):
            return "count", {"n": _length_of(kind, path[:-1])}
        return ("source_missing" if path[-1] == "source" else "missing"), {}
    if type_ == "string_type" and path[-1] in _DATES:
        return "date", {"form": _DATES[path[-1]]}
    if type_ == "extra_forbidden":
        return _unknown_key(kind, path)
    if type_ == "literal_error":
        return "choice", {"choice": str(context["expected"]).replace("'", "").replace(" or ", ", ")}
    if type_ == "string_pattern_mismatch":
        return _BY_PATTERN.get(context["pattern"], "id_form"), {}
    if type_ == "string_too_long":
        return "text_length", {"high": context["max_length"]}
    if type_ in ("too_short", "too_long"):
        low, high = context.get("min_length"), context.get("max_length")
        return ("empty", {}) if low == 1 else ("count", {"n": high or low})
    if type_ in ("greater_than", "greater_than_equal", "less_than", "less_than_equal"):
        return _limit(type_, next(iter(context.values())))
    if type_ == "float_type":
        return ("number_or_range" if path[-1] in ("value", "people", "between") else "not_number"), {}
    return _BY_TYPE.get(type_, "bad_value"), {}


def _limit(type_: str, limit: float) -> tuple[str, dict[str, object]]:
    number = f"{limit:.12g}"
    if type_.startswith("greater"):
        return ("at_least" if type_.endswith("equal") else "above"), {"low": number}
    return ("at_most" if type_.endswith("equal") else "less"), {"high": number}


def _length_of(kind: type, path: tuple) -> int:
    """How many values the fixed list at `path` takes."""
    return len(get_args(_tuple_in(_field_at(kind, path).annotation)))


def _tuple_in(annotation: Any) -> Any:
    if get_origin(annotation) is tuple:
        return annotation
    return next((found for inner in get_args(annotation) if (found := _tuple_in(inner))), None)


def number_meant(text: str) -> str | None:
    """Return how to write a number that was typed as text.

    >>> [number_meant(t) for t in ("3.2%", "1,000,000", "50 万", "¥200", "soon")]
    ['0.032', '1000000', '500000', '200', None]
    """
    shape = re.match(r"[¥￥]?\s*([-+]?[0-9][0-9,，_]*(?:\.[0-9]+)?)\s*([%％万亿kKmM]?)\s*元?\Z", text.strip())
    if not shape:
        return None
    factor = {"%": 0.01, "％": 0.01, "万": 1e4, "亿": 1e8, "k": 1e3, "m": 1e6}.get(shape[2].lower(), 1)
    return f"{float(re.sub('[,，_]', '', shape[1])) * factor:.12g}"


def _unknown_key(kind: type, path: tuple) -> tuple[str, dict[str, object]]:
    if looks_cut(str(path[-1])):
        return "comma_number", {}
    allowed = sorted(f.alias or name for name, f in _model_at(kind, path[:-1]).model_fields.items())
    allowed += _BESIDE if kind is m.PlanModel and len(path) == 1 else ()
    near = difflib.get_close_matches(str(path[-1]), allowed, n=1)
    values: dict[str, object] = {"choice": ", ".join(allowed)}
    if near:
        return "unknown_key", values | {"nearest": near[0]}
    return "unknown_key_far", values


def _model_at(kind: type, path: tuple) -> type[BaseModel]:
    """Return the model class that stands at `path`; rows of lists and keys of mappings have one model."""
    current = kind
    for part in path:
        field = _field(current, part)
        current = (field and _model_in(field.annotation)) or current
    return current


def _field_at(kind: type, path: tuple) -> Any:
    return _field(_model_at(kind, path[:-1]), path[-1])


def _field(model: type[BaseModel], part: object) -> Any:
    return next((f for name, f in model.model_fields.items() if part == (f.alias or name)), None)


def _model_in(annotation: Any) -> type[BaseModel] | None:
    """Return the model class inside an annotation such as tuple[Target, ...] or Target | None."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((found for inner in get_args(annotation) if (found := _model_in(inner))), None)


def _brief(node: Node) -> object:
    value = node.plain()
    return json.dumps(value, ensure_ascii=False)[:200] if isinstance(value, dict | list) else value
