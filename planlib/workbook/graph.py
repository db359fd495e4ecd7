"""The notebooks of a workbook, what each needs, and in which order they can run.

`notebooks/workbook.yaml` names them in reading order. A notebook's file is `notebooks/<id>.ipynb`. One that an analyst
puts into `notebooks/own/` joins by its front matter, the first cell of the file (raw or text), and comes last:

    ---
    id: member_day
    title: What a member day brings
    needs: [20_funnel_targets]
    ---

What is wrong with an own notebook leaves it out with one message; the others run.
"""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from planlib.core.errors import InputError, Problem
from planlib.plan.tree import Node, parse, read

WORKBOOK = Path("notebooks") / "workbook.yaml"
OWN = Path("notebooks") / "own"
DEFAULT_TIMEOUT_SECONDS = 600.0
MAX_TIMEOUT_SECONDS = 86_400.0

_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,79}\Z")
_FRONT_MATTER = re.compile(r"\s*---[ \t]*\n(.*?)\n---[ \t]*(?:\n|\Z)", re.DOTALL)
_KEYS = ("id", "title", "question", "needs", "timeout_seconds", "by_hand")
_LANGUAGES = ("zh", "en")


@dataclass(frozen=True, slots=True)
class Notebook:
    """One notebook of the workbook.

    Args:
        id: its name, also of its file and of its folder in a run.
        title: in both languages.
        question: the question it answers, in both languages.
        needs: ids of the notebooks whose results it reads.
        timeout_seconds: wall-clock limit of one execution.
        path: the notebook file.
        own: an analyst's own, whose failure ends no run.
        by_hand: for a person at a screen; a run has it only where it is named.
    """

    id: str
    title: Mapping[str, str]
    question: Mapping[str, str]
    needs: tuple[str, ...]
    timeout_seconds: float
    path: Path
    own: bool = False
    by_hand: bool = False


@dataclass(frozen=True)
class Graph:
    """The notebooks in reading order; needs form no circle. `refused` says why own notebooks are left out."""

    notebooks: tuple[Notebook, ...]
    refused: tuple[Problem, ...] = ()

    def __iter__(self) -> Iterator[Notebook]:
        return iter(self.notebooks)

    def __getitem__(self, notebook_id: str) -> Notebook:
        for notebook in self.notebooks:
            if notebook.id == notebook_id:
                return notebook
        raise KeyError(notebook_id)

    @property
    def ids(self) -> tuple[str, ...]:
        return tuple(notebook.id for notebook in self.notebooks)

    def order(self, ids: Collection[str] | None = None) -> tuple[str, ...]:
        """Return ids so that each stands behind what it needs, otherwise in reading order."""
        chosen = set(self.ids if ids is None else ids)
        done: list[str] = []
        for notebook_id in self.ids:
            self._place(notebook_id, done)
        return tuple(found for found in done if found in chosen)

    def _place(self, notebook_id: str, done: list[str]) -> None:
        if notebook_id in done:
            return
        for need in self[notebook_id].needs:
            self._place(need, done)
        done.append(notebook_id)

    def subset(self, only: Iterable[str]) -> tuple[str, ...]:
        """Return, in order, the notebooks that `only` names and all that they need.

        Args:
            only: ids or their unambiguous beginnings (`20` for `20_funnel_targets`); nothing means all but `by_hand`.

        Raises:
            InputError: a name that fits no notebook or several.
        """
        chosen: set[str] = set()
        for notebook_id in self.named(only) or [notebook.id for notebook in self if not notebook.by_hand]:
            chosen |= {notebook_id} | self.upstream(notebook_id)
        return self.order(chosen)

    def named(self, only: Iterable[str]) -> list[str]:
        """Return the ids that names or their unambiguous beginnings stand for.

        Raises:
            InputError: a name that fits no notebook or several.
        """
        found = [self._named(name) for name in only]
        problems = [one for one in found if isinstance(one, Problem)]
        if problems:
            raise InputError(*problems)
        return [one for one in found if not isinstance(one, Problem)]

    def _named(self, name: str) -> str | Problem:
        fits = [name] if name in self.ids else [found for found in self.ids if name and found.startswith(name)]
        if len(fits) == 1:
            return fits[0]
        return Problem("choice", field="only", given=name, values={"choice": ", ".join(fits or self.ids)})

    def alone(self, ids: Collection[str]) -> Graph:
        """Return the graph of these notebooks and no others: what they need besides is left away."""
        return Graph(tuple(replace(n, needs=tuple(x for x in n.needs if x in ids)) for n in self if n.id in ids))

    def upstream(self, notebook_id: str) -> frozenset[str]:
        """Return everything that a notebook needs, directly or through others."""
        needs = self[notebook_id].needs
        return frozenset(needs).union(*(self.upstream(need) for need in needs))

    def downstream(self, notebook_id: str) -> frozenset[str]:
        """Return every notebook that needs this one, directly or through others."""
        return frozenset(other for other in self.ids if notebook_id in self.upstream(other))

    def width(self, ids: Collection[str]) -> int:
        """Return how many of these notebooks can at most run at the same time.

        By Dilworth's theorem this is their number less a maximum matching of the pairs (a, b), b needing a.
        """
        below = {a: [b for b in ids if a in self.upstream(b)] for a in ids}
        matched: dict[str, str] = {}

        def augment(a: str, seen: set[str]) -> bool:
            for b in below[a]:
                if b not in seen:
                    seen.add(b)
                    if b not in matched or augment(matched[b], seen):
                        matched[b] = a
                        return True
            return False

        return len(below) - sum(augment(a, set()) for a in below)


def read_graph(project_root: str | Path) -> Graph:
    """Return the graph of `notebooks/workbook.yaml` and of the notebooks in `notebooks/own/`.

    Raises:
        InputError: everything that is wrong with the file: unknown keys, unknown or circular needs, notebook
            files that do not exist.
    """
    root = Path(project_root)
    shown = WORKBOOK.as_posix()
    tree = read(root / WORKBOOK, shown)
    found = _Reader(root, shown)
    notebooks = found.notebooks(tree)
    if found.problems:
        raise InputError(*found.problems)
    return Graph(*_with_own(root, notebooks))


def _with_own(root: Path, shipped: list[Notebook]) -> tuple[tuple[Notebook, ...], tuple[Problem, ...]]:
    """Return the notebooks with those of notebooks/own/ that can run, and one problem for each that cannot."""
    taken = {notebook.path.resolve() for notebook in shipped}
    files = [path for path in sorted((root / OWN).glob("*.ipynb")) if path.resolve() not in taken]
    refused: list[Problem] = []
    found: dict[str, Notebook] = {}
    ids = {notebook.id: notebook.path.name for notebook in shipped}
    for path in files:
        shown = (OWN / path.name).as_posix()
        notebook = _own_notebook(root, path, shown)
        if isinstance(notebook, Problem):
            refused.append(notebook)
        elif notebook.id in ids:
            refused.append(Problem("duplicate_id", shown, "id", given=notebook.id, values={"first": ids[notebook.id]}))
        else:
            found[notebook.id] = notebook
            ids[notebook.id] = path.name
    return _that_can_run(shipped, found, refused)


def _that_can_run(
    shipped: list[Notebook], found: dict[str, Notebook], refused: list[Problem]
) -> tuple[tuple[Notebook, ...], tuple[Problem, ...]]:
    """Leave out own notebooks in a circle or in need of what is not there, one after the other."""
    while True:
        known = {notebook.id: notebook.needs for notebook in (*shipped, *found.values())}
        lacking = next(((own, need) for own in found.values() for need in own.needs if need not in known), None)
        circle = [] if lacking else _circle({name: known[name] for name in found})
        if lacking is None and not circle:
            break
        if lacking:
            notebook, given = lacking
            values, code = {"choice": ", ".join(known)}, "choice"
        else:
            notebook, given = found[circle[0]], " → ".join(circle)
            values, code = {"chain": given}, "needs_cycle"
        refused.append(Problem(code, (OWN / notebook.path.name).as_posix(), "needs", given=given, values=values))
        del found[notebook.id]
    return (*shipped, *found.values()), tuple(refused)


def _own_notebook(root: Path, path: Path, shown: str) -> Notebook | Problem:
    """Return an own notebook by its front matter, or the first thing that is wrong with it."""
    try:
        first = json.loads(path.read_text(encoding="utf-8"))["cells"][0]
        text = first["source"] if isinstance(first["source"], str) else "".join(first["source"])
        kind = first["cell_type"]
    except (OSError, ValueError, LookupError, TypeError, RecursionError) as error:
        return Problem("own_unreadable", shown, given=f"{type(error).__name__}: {error}")
    matter = _FRONT_MATTER.match(text) if kind in ("raw", "markdown") else None
    if matter is None:
        return Problem("own_front_matter", shown, given=text.partition("\n")[0][:60])
    try:
        tree = parse(matter[1], shown)
    except InputError as error:
        return error.problems[0]
    reader = _Reader(root, shown, own=True)
    notebook = reader.own_notebook(tree, path)
    return reader.problems[0] if reader.problems else notebook


class _Reader:
    """Turns the tree of workbook.yaml into notebooks and collects what is wrong."""

    def __init__(self, root: Path, shown: str, *, own: bool = False):
        self.root = root
        self.shown = shown
        self.own = own
        self.problems: list[Problem] = []

    def notebooks(self, tree: Node) -> list[Notebook]:
        if not isinstance(tree.value, dict):
            self._bad("not_mapping", "", tree)
            return []
        self._known(tree, "", ("notebooks",))
        rows = tree.value.get("notebooks")
        if rows is None or rows.value in (None, []):
            self._bad("empty" if rows else "missing", "notebooks", rows or tree)
            return []
        if not isinstance(rows.value, list):
            self._bad("not_list", "notebooks", rows)
            return []
        nodes = [(f"notebooks[{index}]", row) for index, row in enumerate(rows.value)]
        found = [(field, row, self._notebook(field, row)) for field, row in nodes]
        rows_by_id: dict[str, tuple[str, Node, Notebook]] = {}
        for field, row, notebook in found:
            if notebook is None:
                continue
            if notebook.id in rows_by_id:
                first = rows_by_id[notebook.id][1].line
                self._bad("duplicate_id", f"{field}.id", row, given=notebook.id, values={"first": f"line {first}"})
            rows_by_id.setdefault(notebook.id, (field, row, notebook))
        self._needs_exist(rows_by_id)
        self._needs_end(rows_by_id)
        return [notebook for _, _, notebook in rows_by_id.values()]

    def _notebook(self, field: str, row: Node) -> Notebook | None:
        if not isinstance(row.value, dict):
            self._bad("not_mapping", field, row)
            return None
        self._known(row, field, _KEYS)
        title = self._bilingual(f"{field}.title", row, "title")
        question = self._bilingual(f"{field}.question", row, "question")
        needs = self._names(f"{field}.needs", row.value.get("needs"))
        timeout_seconds = self._timeout(f"{field}.timeout_seconds", row.value.get("timeout_seconds"))
        notebook_id = self._id(f"{field}.id", row)
        if notebook_id is None:
            return None
        path = self._path(notebook_id)
        if path is None:
            values = {"path": f"notebooks/{notebook_id}.ipynb"}
            self._bad("no_notebook", f"{field}.id", row.value["id"], given=notebook_id, values=values)
            path = self.root / "notebooks" / f"{notebook_id}.ipynb"
        by_hand = self._yes(f"{field}.by_hand", row.value.get("by_hand"))
        return Notebook(notebook_id, title, question, needs, timeout_seconds, path, by_hand=by_hand)

    def own_notebook(self, row: Node, path: Path) -> Notebook | None:
        """Return the notebook of a front matter, whose title may stand in one language and whose question in none."""
        if not isinstance(row.value, dict):
            self._bad("own_front_matter", "", row, given=_given(row))
            return None
        self._known(row, "", _KEYS)
        title = self._bilingual("title", row, "title")
        question = self._bilingual("question", row, "question") if "question" in row.value else title
        needs = self._names("needs", row.value.get("needs"))
        timeout_seconds = self._timeout("timeout_seconds", row.value.get("timeout_seconds"))
        notebook_id = self._id("id", row)
        by_hand = self._yes("by_hand", row.value.get("by_hand"))
        return notebook_id and Notebook(notebook_id, title, question, needs, timeout_seconds, path, True, by_hand)

    def _id(self, field: str, row: Node) -> str | None:
        node = row.value.get("id")
        if node is None:
            self._bad("missing", field, row)
            return None
        if not isinstance(node.value, str) or not _ID.match(node.value):
            self._bad("notebook_id", field, node, given=_given(node))
            return None
        return node.value

    def _path(self, notebook_id: str) -> Path | None:
        folder = self.root / "notebooks"
        places = (folder / f"{notebook_id}.ipynb", folder / "own" / f"{notebook_id}.ipynb")
        return next((place for place in places if place.is_file()), None)

    def _bilingual(self, field: str, row: Node, key: str) -> dict[str, str]:
        node = row.value.get(key)
        if node is None:
            self._bad("missing", field, row)
            return {}
        if self.own and isinstance(node.value, str) and node.value.strip():
            return dict.fromkeys(_LANGUAGES, node.value)
        if not isinstance(node.value, dict):
            self._bad("not_mapping", field, node, given=_given(node))
            return {}
        self._known(node, field, _LANGUAGES)
        texts = {}
        for language in _LANGUAGES:
            part = node.value.get(language)
            if part is None and self.own and node.value:
                part = next(iter(node.value.values()))
            if part is None:
                self._bad("missing", f"{field}.{language}", node)
            elif not isinstance(part.value, str) or not part.value.strip():
                self._bad("not_text", f"{field}.{language}", part, given=_given(part))
            else:
                texts[language] = part.value
        return texts

    def _names(self, field: str, node: Node | None) -> tuple[str, ...]:
        if node is None or node.value is None:
            return ()
        if not isinstance(node.value, list):
            self._bad("not_list", field, node, given=_given(node))
            return ()
        for index, part in enumerate(node.value):
            if not isinstance(part.value, str):
                self._bad("not_text", f"{field}[{index}]", part, given=_given(part))
        return tuple(dict.fromkeys(part.value for part in node.value if isinstance(part.value, str)))

    def _timeout(self, field: str, node: Node | None) -> float:
        if node is None:
            return DEFAULT_TIMEOUT_SECONDS
        if isinstance(node.value, bool) or not isinstance(node.value, int | float):
            self._bad("not_number", field, node, given=_given(node))
        elif not 0 < node.value <= MAX_TIMEOUT_SECONDS:
            values = {"low": 1, "high": int(MAX_TIMEOUT_SECONDS)}
            self._bad("out_of_range", field, node, given=node.value, values=values)
        else:
            return float(node.value)
        return DEFAULT_TIMEOUT_SECONDS

    def _yes(self, field: str, node: Node | None) -> bool:
        if node is not None and not isinstance(node.value, bool):
            self._bad("choice", field, node, given=_given(node), values={"choice": "true, false"})
        return node is not None and node.value is True

    def _needs_exist(self, rows_by_id: Mapping[str, tuple[str, Node, Notebook]]) -> None:
        for field, row, notebook in rows_by_id.values():
            for need in notebook.needs:
                if need not in rows_by_id:
                    values = {"choice": ", ".join(rows_by_id)}
                    self._bad("choice", f"{field}.needs", row.value["needs"], given=need, values=values)

    def _needs_end(self, rows_by_id: Mapping[str, tuple[str, Node, Notebook]]) -> None:
        needs = {key: notebook.needs for key, (_, _, notebook) in rows_by_id.items()}
        circle = _circle(needs)
        if circle:
            field, row, _ = rows_by_id[circle[0]]
            chain = " → ".join(circle)
            self._bad("needs_cycle", f"{field}.needs", row.value["needs"], given=chain, values={"chain": chain})

    def _known(self, node: Node, field: str, keys: Collection[str]) -> None:
        for key in node.value:
            if key not in keys:
                near = difflib.get_close_matches(key, keys, n=1, cutoff=0.7)
                values = {"choice": ", ".join(keys)} | ({"nearest": near[0]} if near else {})
                where = f"{field}.{key}" if field else key
                line = node.key_lines.get(key, node.line)
                code = "unknown_key" if near else "unknown_key_far"
                self.problems.append(Problem(code, self.shown, where, line, key, values))

    def _bad(self, code: str, field: str, node: Node, *, given=None, values=None) -> None:
        self.problems.append(Problem(code, self.shown, field, node.line, given, values or {}))


def _given(node: Node) -> object:
    return node.plain()


def _circle(needs: Mapping[str, tuple[str, ...]]) -> list[str]:
    """Return one circle, its first notebook repeated at the end, or nothing."""
    safe: set[str] = set()

    def follow(notebook_id: str, trail: list[str]) -> list[str]:
        if notebook_id in trail:
            return [*trail[trail.index(notebook_id) :], notebook_id]
        if notebook_id in safe or notebook_id not in needs:
            return []
        for need in needs[notebook_id]:
            circle = follow(need, [*trail, notebook_id])
            if circle:
                return circle
        safe.add(notebook_id)
        return []

    for notebook_id in needs:
        circle = follow(notebook_id, [])
        if circle:
            return circle
    return []
