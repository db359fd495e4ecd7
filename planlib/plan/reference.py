"""The plan file reference, made from the model and the words of both languages.

`python -m planlib.plan.reference` writes docs/plan-reference.md and docs/plan-reference.zh.md anew.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

from pydantic import BaseModel

from planlib.core.words import Words, words
from planlib.plan import model as m
from planlib.plan.tree import Node, read, scalar

ROOT = Path(__file__).resolve().parents[2]
PAGES = {"en": ROOT / "docs" / "plan-reference.md", "zh": ROOT / "docs" / "plan-reference.zh.md"}
EXAMPLES = ("wechat_platform.yaml", "private_domain_2026.yaml", "benchmarks.yaml")

BLOCKS = (m.Bilingual, m.Sourced, m.Quantity, m.Rate, m.Statement)
_WIDTH = 108

# what the model calls by a name of its own; the words are `types.<key>`
_NAMED = (
    (m.Id, "id"), (m.MetricId, "metric"), (m.YearMonth, "year_month"), (m.Day, "day"), (m.Short, "text"),
    (m.Text, "text_or_both"), (m.Source, "source"), (m.Share, "share"), (m.Positive, "positive"),
    (m.NonNegative, "non_negative"), (m.Month, "plan_month"), (m.Range, "range"), (m.Window, "window"),
    (m.MonthDay, "month_day"), (m.Moment, "moment"), (m.ThreePoints, "three_numbers"), (m.Impact, "three_numbers"),
    (m.Twelve, "twelve"), (m.Unit, "unit"), (m.Colour, "colour"), (m.OwnWindow, "own_window"), (m.PageId, "page"),
    (m.SparkAddress, "text"), (m.Variable, "text"), (m.WebhookAddress, "text"), (float, "number"),
    (int, "whole"), (bool, "bool"), (str, "text"), (Any, "anything"),
)  # fmt: skip


def page(locale: str) -> str:
    """Return the reference in `zh` or `en` as Markdown."""
    w = words(locale)
    examples = _examples()
    lines = [f"# {w.text('plan.page.title')}", "", w.text("plan.page.intro"), "", w.text("plan.page.made"), ""]
    for part in ("rules", "build"):
        lines += [f"## {w.text(f'plan.page.{part}_title')}", "", w.text(f"plan.page.{part}"), ""]
    for title, models in _chapters():
        lines += [f"## {w.text(f'plan.page.{title}')}", ""]
        for model in models:
            lines += [*_model_lines(model, w, examples), ""]
    units = ", ".join(f"`{unit}`" for unit in get_args(m.Unit))
    lines += [f"## {w.text('plan.page.units_title')}", "", w.text("plan.page.units", units=units)]
    return "\n".join(lines) + "\n"


def classes() -> list[type[BaseModel]]:
    """Return every model that the reference describes, each once."""
    return [model for _, models in _chapters() for model in models]


def own_fields(model: type[BaseModel]) -> dict[str, Any]:
    """Return the fields that a model adds to those of its parent: name in the file -> annotation."""
    hints = get_type_hints(model, include_extras=True)
    own = model.__annotations__
    return {f.alias or name: hints[name] for name, f in model.model_fields.items() if name in own}


def _chapters() -> tuple[tuple[str, list[type[BaseModel]]], ...]:
    seen: set[type] = set(BLOCKS)
    return (
        ("blocks_title", list(BLOCKS)),
        ("sections_title", [m.PlanModel, *_below(m.PlanModel, seen)]),
        ("beside_title", [m.Scenarios, *_below(m.Scenarios, seen)]),
        ("benchmarks_title", [m.Benchmarks, m.SectorFigure]),
    )


def _below(model: type[BaseModel], seen: set[type]) -> Iterator[type[BaseModel]]:
    """Yield the models inside a model, in the order of its fields."""
    for annotation in own_fields(model).values():
        for inner in _models_in(annotation):
            described = _described(inner)
            if described not in seen:
                seen.add(described)
                yield described
                yield from _below(described, seen)


def _models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for inner in get_args(annotation):
        yield from _models_in(inner)


def _described(model: type[BaseModel]) -> type[BaseModel]:
    """A model without fields of its own is described with its parent, unless it has a name of its own."""
    return m.Quantity if model in (m.ShareQuantity, m.AmountQuantity) else model


def _model_lines(model: type[BaseModel], w: Words, examples: dict[type, str]) -> list[str]:
    name = model.__name__
    lines = [f"### {_title(model, w)}", ""]
    if model is not m.PlanModel:
        lines += [w.text(f"plan.about.{name}"), ""]
    fields = own_fields(model)
    if fields:
        heads = (w.text(f"plan.page.{head}") for head in ("field", "type", "default", "meaning"))
        lines += [f"| {' | '.join(heads)} |", "| - | - | - | - |"]
        lines += [_row(model, field, annotation, w) for field, annotation in fields.items()]
    parent = _described(model.__bases__[0])
    if parent is not m.Base:
        link = f"[{_title(parent, w)}](#{_anchor(_title(parent, w))})"
        lines += [""] * bool(fields) + [w.text("plan.page.also", parent=link)]
    example = examples.get(model, "")
    if not example and w.has(f"plan.examples.{name}"):
        example = w.text(f"plan.examples.{name}").rstrip()
    if example:
        lines += ["", w.text("plan.page.example"), "", "```yaml", example, "```"]
    return lines


def _row(model: type[BaseModel], field: str, annotation: Any, w: Words) -> str:
    info = next(f for name, f in model.model_fields.items() if field == (f.alias or name))
    default = w.text("plan.page.required") if info.is_required() else _default(info.default, w)
    meaning = w.text(f"plan.{model.__name__}.{field}")
    return f"| `{field}` | {_type(annotation, w)} | {default} | {meaning} |"


def _default(value: Any, w: Words) -> str:
    if value is None or value in ((), {}) or isinstance(value, BaseModel):
        return w.text("plan.page.nothing")
    return f"`{_flow(_node(value))}`"


def _node(value: Any) -> Node:
    if isinstance(value, tuple):
        return Node([_node(inner) for inner in value])
    return Node(value, typed=f"{value:g}" if isinstance(value, float) else "")


def _type(annotation: Any, w: Words) -> str:
    """Say in words what a field takes."""
    for known, key in _NAMED:
        if annotation == known:
            return w.text(f"plan.types.{key}")
    origin, inner = get_origin(annotation), get_args(annotation)
    if origin in (Union, UnionType):
        kinds = [kind for kind in inner if kind is not NoneType]
        return _type(kinds[0], w) if len(kinds) == 1 else w.text("plan.types.number_or_range")
    if origin is Annotated:
        return _bounded(inner[0], inner[1:], w)
    if origin is Literal:
        choice = ", ".join(f"`{value}`" for value in inner)
        return choice if len(inner) == 1 else w.text("plan.types.one_of", choice=choice)
    if origin is tuple:
        return w.text("plan.types.list_of", item=_type(inner[0], w))
    if origin is dict:
        return w.text("plan.types.mapping", key=_type(inner[0], w), value=_type(inner[1], w))
    key = {m.ShareQuantity: "model_share", m.AmountQuantity: "model_amount"}.get(annotation, "model")
    title = _title(_described(annotation), w)
    return w.text(f"plan.types.{key}", title=f"[{title}](#{_anchor(title)})")


def _bounded(kind: Any, metadata: tuple, w: Words) -> str:
    limits = {name: getattr(limit, name) for info in metadata for limit in info.metadata for name in limit.__slots__}
    if kind is int and "le" in limits:
        return w.text("plan.types.whole_within", low=limits["ge"], high=limits["le"])
    if kind is int:
        return w.text("plan.types.whole_from", low=limits["ge"])
    if kind is float:
        return w.text("plan.types.within", low=limits["gt"], high=limits["lt"])
    return _type(kind, w)


def _title(model: type[BaseModel], w: Words) -> str:
    return w.text(f"plan.titles.{model.__name__}")


def _anchor(title: str) -> str:
    """The name that Markdown viewers give a heading."""
    return re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-")


@cache
def _examples() -> dict[type, str]:
    """Return the first row of each model that the shipped files hold, as YAML."""
    from planlib.plan.load import load_benchmarks, load_plan

    found: dict[type, str] = {}
    for name in EXAMPLES:
        path = ROOT / "params" / name
        tree = read(path, name)
        model = load_benchmarks(path) if name == "benchmarks.yaml" else load_plan(path).model
        for place, record in _records(model, ()):
            node = tree.find(place)
            if node is not None and type(record) not in found and type(record) is not m.PlanModel:
                found[type(record)] = _shown(place, node)
        for scenario, node in tree.step("scenarios").value.items() if tree.step("scenarios") else ():
            found.setdefault(m.Scenario, f"scenarios:\n{_wrapped(f'  {scenario}: ', _flow_items(node))}")
    return found


def _records(found: object, place: tuple) -> Iterator[tuple[tuple, BaseModel]]:
    if isinstance(found, BaseModel):
        yield place, found
        for name, field in type(found).model_fields.items():
            yield from _records(getattr(found, name), (*place, field.alias or name))
    elif isinstance(found, dict):
        for key, value in found.items():
            yield from _records(value, (*place, key))
    elif isinstance(found, tuple):
        for index, value in enumerate(found):
            yield from _records(value, (*place, index))


def _shown(place: tuple, node: Node) -> str:
    """Return a row as YAML of at most `_WIDTH` columns, where that can be; of a section or file, one of its fields."""
    if not place or (len(place) == 1 and isinstance(node.value, dict) and place[0] != "plan"):
        fields = node.value.items()
        name, inner = next(((n, f) for n, f in fields if f.step("source") or f.step("zh")), next(iter(fields)))
        if not place:
            return f"{name}:\n{_wrapped('  - ', _flow_items(inner.value[0]))}"
        return f"{place[0]}:\n{_wrapped(f'  {name}: ', _flow_items(inner))}"
    return _wrapped("- " if isinstance(place[-1], int) else f"{place[-1]}: ", _flow_items(node))


def _wrapped(head: str, items: list[str]) -> str:
    """Put the fields of a row on as few lines as fit."""
    rows, indent = [head], " " * (len(head) + 1)
    for item in items:
        if len(rows[-1]) + len(item) > _WIDTH and item is not items[0]:
            rows.append(indent)
        rows[-1] += item + " "
    return "\n".join(row.rstrip() for row in rows)


def _flow_items(node: Node) -> list[str]:
    if isinstance(node.value, dict):
        items = [f"{key}: {_flow(inner)}" for key, inner in node.value.items()]
        return [f"{'{' * (n == 0)}{item}{'}' if n == len(items) - 1 else ','}" for n, item in enumerate(items)]
    return [_flow(node)]


def _flow(node: Node) -> str:
    """Return a node as YAML on one line."""
    if isinstance(node.value, dict):
        return "{" + ", ".join(f"{key}: {_flow(inner)}" for key, inner in node.value.items()) + "}"
    if isinstance(node.value, list):
        return "[" + ", ".join(map(_flow, node.value)) + "]"
    if node.value is None or isinstance(node.value, bool):
        return {None: "null", True: "true", False: "false"}[node.value]
    if not isinstance(node.value, str):
        return node.typed or str(node.value)
    plain = scalar(node.value) == node.value and not re.search(r"[:,\[\]{}#&*!|>'\"%@`\n]|^[-? ]| $", node.value)
    return node.value if plain else "'" + node.value.replace("'", "''") + "'"


def main() -> None:
    """Write both pages."""
    for locale, path in PAGES.items():
        path.write_text(page(locale), encoding="utf-8", newline="\n")


if __name__ == "__main__":
    main()
