"""Plan files read, merged and checked; every problem is told at once and nothing is written."""

from __future__ import annotations

import difflib
import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

from pydantic import BaseModel, ValidationError

from planlib.core.errors import InputError, Problem
from planlib.plan import model as m
from planlib.plan.tree import Node, merge, override, parse, read

RESOLVED = "planlib_resolved"
_BESIDE = ("extends", "scenarios")
_REQUIRED_SECTIONS = tuple(name for name, f in m.PlanModel.model_fields.items() if f.is_required())


@dataclass(frozen=True, eq=False)
class Plan:
    """A checked plan; its sections are attributes of the model: `plan.users.churn`."""

    model: m.PlanModel
    file: str
    scenario: str | None = None
    sets: tuple[str, ...] = ()
    typed: Mapping[str, str] | None = None

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
    def sha256(self) -> str:
        """Hash of the canonical form: equal for equal plans, however they were written."""
        return hashlib.sha256(self.canonical_json().encode()).hexdigest()

    def canonical_json(self) -> str:
        """Return the plan as JSON with sorted keys, without fields that hold their default."""
        content = self.model.model_dump(mode="json", by_alias=True, exclude_defaults=True)
        return json.dumps(content, ensure_ascii=False, sort_keys=True, separators=(",", ":"))

    def resolved_json(self) -> str:
        """Return a file that `load_plan` reads back as this very plan."""
        head = {RESOLVED: 1, "file": self.file, "scenario": self.scenario, "sets": list(self.sets)}
        head["typed"] = dict(sorted((self.typed or {}).items()))
        head["plan"] = json.loads(self.canonical_json())
        return json.dumps(head, ensure_ascii=False, sort_keys=True, indent=1) + "\n"


def load_plan(
    path: str | Path,
    *,
    scenario: str | None = None,
    sets: Iterable[str] = (),
    as_of: str | None = None,
    seed: int | None = None,
) -> Plan:
    """Return the plan in `path` with everything it inherits.

    Order: the plans that it extends, the plan, PLAN.adopted.yaml beside it, the scenario, `sets`.

    Args:
        path: a YAML plan, or a plan resolved by an earlier run (.json).
        scenario: a name under the plan's `scenarios`.
        sets: overrides PATH=VALUE, e.g. `users.churn.value=0.05`; rows of lists are named by their id.
        as_of: ISO day in place of `data.as_of`.
        seed: in place of `plan.seed`.

    Raises:
        InputError: all problems of all files involved.
    """
    path = Path(path)
    shown = path.as_posix()
    sets = tuple(sets)
    if path.suffix == ".json":
        return _read_resolved(path, shown)
    root = _with_parents(path, shown, path.resolve().parent, ())
    adopted = path.with_name(f"{path.stem}.adopted.yaml")
    if adopted.exists():
        root = merge(root, read(adopted, adopted.as_posix()))
    if not isinstance(root.value, dict):
        raise InputError(Problem("not_a_plan", file=shown, line=1))
    scenarios = root.value.get("scenarios")
    tree = Node({k: v for k, v in root.value.items() if k not in _BESIDE}, root.file, root.line)
    problems = _apply_scenario(tree, scenarios, scenario, shown)
    extra = [f"data.as_of={as_of}"] * (as_of is not None) + [f"plan.seed={seed}"] * (seed is not None)
    if as_of is not None:
        tree.value.setdefault("data", Node({}, shown))
    for item in (*sets, *extra):
        problems += _apply_set(tree, item)
    if problems:
        raise InputError(*problems)
    found = _validate(m.PlanModel, tree, shown)
    typed = {dotted(p): node.typed for p, node in tree.walk() if node.typed and isinstance(node.value, float | int)}
    return Plan(found, shown, scenario, sets, typed)


def load_benchmarks(path: str | Path) -> m.Benchmarks:
    """Return the cases, statistics and benchmarks in a file such as params/benchmarks.yaml.

    Raises:
        InputError: all problems of the file.
    """
    return _validate(m.Benchmarks, read(Path(path), Path(path).as_posix()), Path(path).as_posix())


def statements(found: BaseModel, path: str = "") -> Iterator[tuple[str, m.Statement]]:
    """Yield every statement of a plan or benchmark file with its dotted path."""
    yield from ((where, leaf) for where, leaf in leaves(found, path) if isinstance(leaf, m.Statement))


def leaves(found: object, path: str = "") -> Iterator[tuple[str, m.Sourced]]:
    """Yield every sourced value (quantity, statement, rule, task ...) with its dotted path."""
    if isinstance(found, m.Sourced):
        yield path, found
    if isinstance(found, BaseModel):
        for name in type(found).model_fields:
            yield from leaves(getattr(found, name), f"{path}.{name}" if path else name)
    elif isinstance(found, Mapping):
        for key, value in found.items():
            yield from leaves(value, f"{path}.{key}")
    elif isinstance(found, tuple):
        for index, value in enumerate(found):
            yield from leaves(value, f"{path}[{index}]")


def dotted(path: tuple) -> str:
    """Return a path as people write it: targets[2].by_month."""
    shown = ""
    for part in path:
        shown += f"[{part}]" if isinstance(part, int) else f".{part}" if shown else str(part)
    return shown


def _with_parents(path: Path, shown: str, folder: Path, chain: tuple[Path, ...]) -> Node:
    """Read a plan and lay it over what it extends."""
    resolved = path.resolve()
    if resolved in chain:
        names = " → ".join(p.name for p in (*chain[chain.index(resolved) :], resolved))
        raise InputError(Problem("extends_cycle", file=shown, field="extends", values={"chain": names}))
    tree = read(path, shown)
    if not isinstance(tree.value, dict):
        raise InputError(Problem("not_a_plan", file=shown, line=tree.line, given=tree.plain()))
    parent = tree.value.get("extends")
    if parent is None:
        return tree
    name = parent.value
    if not isinstance(name, str):
        raise InputError(Problem("not_text", file=shown, field="extends", line=parent.line, given=name))
    target = path.parent / name
    if not target.resolve().is_relative_to(folder):
        raise InputError(Problem("extends_outside", file=shown, field="extends", line=parent.line, given=name))
    if not target.is_file():
        raise InputError(Problem("no_file", file=shown, field="extends", line=parent.line, given=name))
    below = _with_parents(target, target.as_posix(), folder, (*chain, resolved))
    return merge(below, tree)


def _apply_scenario(tree: Node, scenarios: Node | None, name: str | None, shown: str) -> list[Problem]:
    if name is None:
        return []
    known = scenarios.value if scenarios is not None and isinstance(scenarios.value, dict) else {}
    if name not in known:
        values = {"choice": ", ".join(known) or "—"}
        return [Problem("unknown_scenario", file=shown, field="scenarios", given=name, values=values)]
    change = known[name].value.get("change") if isinstance(known[name].value, dict) else None
    if change is None or not isinstance(change.value, dict):
        return [Problem("missing", file=shown, field=f"scenarios.{name}.change", line=known[name].line)]
    problems = []
    for path, node in change.value.items():
        if not override(tree, path, node):
            field = f"scenarios.{name}.change"
            problems.append(Problem("set_form", node.file, field, node.line, given=path))
    return problems


def _apply_set(tree: Node, item: str) -> list[Problem]:
    path, sign, typed = item.partition("=")
    shown = f"--set {item}"
    if not sign or not path:
        return [Problem("set_form", file="--set", given=item)]
    try:
        node = parse(typed, shown) if typed.strip() else Node(None, shown)
    except InputError as error:
        return list(error.problems)
    node.line = None
    return [] if override(tree, path, node) else [Problem("set_form", file="--set", given=item)]


def _read_resolved(path: Path, shown: str) -> Plan:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        found = m.PlanModel.model_validate_json(json.dumps(content["plan"]))
    except OSError:
        raise InputError(Problem("no_file", file=shown)) from None
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(Problem("not_a_plan", file=shown, given=str(error))) from None
    return Plan(found, content["file"], content["scenario"], tuple(content["sets"]), content["typed"])


def _validate(kind: type, tree: Node, shown: str) -> Any:
    """Return the model of a tree, or raise every structural and then every semantic problem."""
    problems = [
        Problem("not_finite", node.file or shown, dotted(path), node.line, node.value)
        for path, node in tree.walk()
        if isinstance(node.value, float) and not abs(node.value) < float("inf")
    ]
    if problems:
        raise InputError(*problems)
    try:
        found = kind.model_validate_json(json.dumps(tree.plain()))
    except ValidationError as error:
        raise InputError(*_translate(error, kind, tree, shown)) from None
    from planlib.plan.check import problems_of

    problems = list(problems_of(found, lambda path: _located(tree, path, shown)))
    if problems:
        raise InputError(*problems)
    return found


def _located(tree: Node, path: tuple, shown: str) -> tuple[str, int | None]:
    node = tree.at(path)
    return node.file or shown, node.line


def _translate(error: ValidationError, kind: type, tree: Node, shown: str) -> list[Problem]:
    """Turn pydantic's errors into problems with file and line; one for each place."""
    found: dict[tuple, Problem] = {}
    for entry in error.errors(include_url=False):
        path = _real_path(entry["loc"], tree)
        code, values = _code(entry, kind, path)
        where, line = _located(tree, path, shown)
        given = values.pop("given", None)
        if given is None and code not in ("missing", "missing_section"):
            given = _brief(tree.at(path).plain()) if _exists(tree, path) else None
        if code.startswith("unknown_key"):
            line = tree.at(path[:-1]).key_lines.get(path[-1], line)
            given = path[-1]
        found.setdefault(path, Problem(code, where, dotted(path), line, given, values))
    return sorted(found.values(), key=lambda p: (p.file, p.line or 0))


def _real_path(loc: tuple, tree: Node) -> tuple:
    """Drop the parts of pydantic's locations that name types of a union, not fields."""
    path: tuple = ()
    for index, part in enumerate(loc):
        node = tree.at(path)
        known = (isinstance(node.value, dict) and part in node.value) or (
            isinstance(node.value, list) and isinstance(part, int) and part < len(node.value)
        )
        if known or (index == len(loc) - 1 and isinstance(node.value, dict)):
            path = (*path, part)
    return path


def _exists(tree: Node, path: tuple) -> bool:
    node = tree
    for part in path:
        inside = isinstance(node.value, dict | list) and (
            part in node.value if isinstance(node.value, dict) else isinstance(part, int) and part < len(node.value)
        )
        if not inside:
            return False
        node = node.value[part]
    return True


_BY_TYPE = {
    "float_type": "number_or_range",
    "tuple_type": "not_list",
    "int_type": "not_whole",
    "int_from_float": "not_whole",
    "bool_type": "not_bool",
    "string_type": "not_text",
    "model_type": "not_mapping",
    "dict_type": "not_mapping",
    "too_short": "empty",
    "string_too_short": "empty",
    "too_long": "shape",
}


def _code(entry: Mapping[str, Any], kind: type, path: tuple) -> tuple[str, dict[str, object]]:
    """Return our code and placeholders for one of pydantic's errors."""
    kind_of_error, context = entry["type"], entry.get("ctx", {})
    if kind_of_error.startswith("planlib."):
        return kind_of_error.removeprefix("planlib."), dict(context)
    if kind_of_error == "missing":
        if len(path) == 1 and path[0] in _REQUIRED_SECTIONS:
            return "missing_section", {"section": path[0]}
        return "missing", {}
    if kind_of_error == "extra_forbidden":
        return _unknown_key(kind, path)
    if kind_of_error in ("literal_error", "enum"):
        return "choice", {"choice": str(context.get("expected", "")).replace("'", "").replace(" or ", ", ")}
    if kind_of_error == "string_pattern_mismatch":
        pattern = context.get("pattern", "")
        if pattern.startswith("^[0-9]{4}"):
            return "date", {"form": "YYYY-MM-DD" if "|3[01]" in pattern else "YYYY-MM"}
        return ("source_missing" if pattern.startswith("^[A-Za-z]") else "id_form"), {}
    if kind_of_error in ("greater_than", "greater_than_equal", "less_than", "less_than_equal"):
        low = context.get("gt", context.get("ge", "−∞"))
        high = context.get("lt", context.get("le", "∞"))
        return "out_of_range", {"low": _short(low), "high": _short(high)}
    code = _BY_TYPE.get(kind_of_error, "not_mapping")
    if code == "number_or_range" and not _takes_range(path):
        code = "not_number"
    return code, {"expected": f"{context.get('expected_length', '')}"} if code == "shape" else {}


def _takes_range(path: tuple) -> bool:
    return bool(path) and path[-1] in ("value", "people")


def _unknown_key(kind: type, path: tuple) -> tuple[str, dict[str, object]]:
    allowed = sorted(_fields_at(kind, path[:-1]))
    near = difflib.get_close_matches(str(path[-1]), allowed, n=1)
    values: dict[str, object] = {"choice": ", ".join(allowed)}
    if near:
        return "unknown_key", values | {"nearest": near[0]}
    return "unknown_key_far", values


def _fields_at(kind: type, path: tuple) -> set[str]:
    """Return the field names of the model that stands at `path`."""
    current = kind
    for part in path:
        field = next((f for n, f in current.model_fields.items() if part in (n, f.alias)), None)
        if field is not None:  # else a row of a list or a key of a mapping: still the same model
            current = _model_in(field.annotation) or current
    return {f.alias or name for name, f in current.model_fields.items()}


def _model_in(annotation: Any) -> type[BaseModel] | None:
    """Return the model class inside an annotation such as tuple[Target, ...] or Target | None."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((found for inner in get_args(annotation) if (found := _model_in(inner))), None)


def _short(number: object) -> object:
    return int(number) if isinstance(number, float) and number.is_integer() else number


def _brief(value: object) -> object:
    return value if not isinstance(value, dict | list) else json.dumps(value, ensure_ascii=False)[:120]
