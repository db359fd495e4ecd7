"""Both languages say the same things, and the code asks only for words that exist."""

import ast
import json
import re
import string
from collections.abc import Iterator
from pathlib import Path

import pydantic
import pytest
import yaml

from planlib.plan import model

ROOT = Path(__file__).resolve().parent.parent
LOCALES = ROOT / "planlib" / "locale"
CHINESE = re.compile(r"[\u4e00-\u9fff]")


def flatten(tree: dict, prefix: str) -> Iterator[tuple[str, object]]:
    """Yield (dotted key, leaf) of a nested mapping."""
    for key, value in tree.items():
        name = f"{prefix}.{key}"
        if isinstance(value, dict):
            yield from flatten(value, name)
        else:
            yield name, value


def sentences(locale: str) -> dict[str, object]:
    """Return every key of a language with its sentence."""
    files = sorted((LOCALES / locale).glob("*.yaml"))
    trees = ((f.stem, yaml.safe_load(f.read_text(encoding="utf-8"))) for f in files)
    return {key: leaf for stem, tree in trees for key, leaf in flatten(tree, stem)}


def placeholders(sentence: str) -> set[str]:
    """Return the names in braces; an unnamed or nested one shows as it is."""
    return {name for _, name, _, _ in string.Formatter().parse(sentence) if name is not None}


ZH, EN = sentences("zh"), sentences("en")
STEMS = {key.partition(".")[0] for key in EN}


def code_trees() -> Iterator[tuple[str, ast.AST]]:
    """Yield (where, syntax tree) of every module and every code cell of a notebook."""
    for path in sorted((ROOT / "planlib").rglob("*.py")):
        yield path.relative_to(ROOT).as_posix(), ast.parse(path.read_text(encoding="utf-8"))
    for path in sorted((ROOT / "notebooks").rglob("*.ipynb")):
        if ".ipynb_checkpoints" in path.parts:
            continue
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
        source = "\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "code")
        yield path.relative_to(ROOT).as_posix(), ast.parse(source)


TREES = list(code_trees())


def literals() -> tuple[set[str], set[str]]:
    """Return the texts that stand whole in the code, and the pieces of its f-strings."""
    whole, pieces = set(), set()
    for _, tree in TREES:
        inside = {id(v) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for v in node.values}
        for node in ast.walk(tree):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                (pieces if id(node) in inside else whole).add(node.value)
    return whole, pieces


LITERALS, PIECES = literals()
GROUPS = {key.rsplit(".", depth)[0] for key in EN for depth in range(1, key.count(".") + 1)}


def tokens() -> set[str]:
    """Return every name out of which code, catalogue and templates can make a key."""
    names = set().union(*(re.findall(r"\w+", text) for text in LITERALS | PIECES))
    for _, tree in TREES:
        for node in ast.walk(tree):
            names |= {node.arg} if isinstance(node, ast.keyword | ast.arg) and node.arg else set()
            names |= {node.id} if isinstance(node, ast.Name) else set()
            names |= {node.name} if isinstance(node, ast.ClassDef) else set()
    for path in [*(ROOT / "planlib").rglob("*.typ"), *(ROOT / "planlib").glob("*/*.yaml")]:
        names |= set(re.findall(r"\w+", path.read_text(encoding="utf-8")))
    return names


TOKENS = tokens()
NOTEBOOK = re.compile(r"\d\d_[a-z_]+")


def text_calls() -> Iterator[tuple[str, str, set[str] | None]]:
    """Yield (where, key, names of the values or None where they cannot be read) of each `.text("key", ...)`."""
    for where, tree in TREES:
        for node in ast.walk(tree):
            if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "text"):
                continue
            if node.args and isinstance(node.args[0], ast.Constant) and isinstance(node.args[0].value, str):
                names = {k.arg for k in node.keywords}
                yield f"{where}:{node.lineno}", node.args[0].value, None if None in names else names


def test_both_languages_have_the_same_keys():
    assert set(ZH) ^ set(EN) == set()
    assert {p.name for p in (LOCALES / "zh").iterdir()} == {p.name for p in (LOCALES / "en").iterdir()}


def test_both_languages_need_the_same_values():
    different = {k: (ZH[k], EN[k]) for k in ZH.keys() & EN if placeholders(str(ZH[k])) != placeholders(str(EN[k]))}
    assert different == {}


@pytest.mark.parametrize("words", [ZH, EN], ids=["zh", "en"])
def test_every_sentence_is_text_with_named_values(words):
    assert {k: v for k, v in words.items() if not isinstance(v, str)} == {}
    assert {k: v for k, v in words.items() if not all(n.isidentifier() for n in placeholders(v))} == {}


def test_english_is_english():
    assert {k: v for k, v in EN.items() if CHINESE.search(v)} == {}


def test_long_sentences_are_translated():
    """A sentence with blanks between words, the same in both languages, was forgotten."""
    long = {k: v for k, v in EN.items() if len(re.findall(r"[a-z]{3,}", re.sub(r"{.*?}", "", v))) > 3}
    same = {k: v for k, v in long.items() if ZH.get(k) == v}
    assert same == {}


def test_code_asks_for_words_that_exist():
    calls = list(text_calls())
    assert calls, "no call of .text was found: has its name changed?"
    wrong = [(where, key) for where, key, _ in calls if key.partition(".")[0] in STEMS and key not in EN]
    assert wrong == []


def test_code_gives_the_values_that_words_need():
    wrong = [
        (where, key, names, placeholders(EN[key]))
        for where, key, names in text_calls()
        if key in EN and names is not None and names != placeholders(EN[key])
    ]
    assert wrong == []


def problem_calls() -> Iterator[tuple[str, str, set[str] | None]]:
    """Yield (where, code, names of the values or None where they cannot be read) of each problem with input."""
    for where, tree in TREES:
        for node in ast.walk(tree):
            name = ast.unparse(node.func) if isinstance(node, ast.Call) else ""
            if name not in ("guard.add", "Problem", "_problem", "self._bad"):
                continue
            named = {k.arg: k.value for k in node.keywords}
            code = named.get("code") or (node.args[0] if node.args else None)
            if not isinstance(code, ast.Constant):
                continue
            values: set[str] | None = set(named)
            if isinstance(named.get("values"), ast.Dict):
                values = {k.value for k in named["values"].keys if isinstance(k, ast.Constant)}
            elif "values" in named or None in named or any(isinstance(a, ast.Starred) for a in node.args):
                values = None
            yield f"{where}:{node.lineno}", code.value, values


def test_every_problem_with_input_has_its_words():
    """A wrong input must get its message, not a second error."""
    calls = list(problem_calls())
    assert len(calls) > 20, "no call was found: has a name changed?"
    parts = [(where, f"errors.{code}.{part}", values) for where, code, values in calls for part in ("allowed", "fix")]
    assert [(where, key) for where, key, _ in parts if key not in EN] == []
    short = [(where, key, v) for where, key, v in parts if v is not None and not placeholders(EN[key]) <= v]
    assert short == []


def test_keys_written_out_exist():
    """Keys also stand in mappings and arguments: what looks like a key of a locale file must be one.

    Or a field of a plan, whose sections share their names with rooms, a word of the catalogue, or a file.
    """
    like_a_key = re.compile(rf"({'|'.join(STEMS)})(\.[a-z0-9_]+)+")
    file = re.compile(r".*\.(yaml|json|typ|pdf|svg|png|md)")
    looking = {text for text in LITERALS if like_a_key.fullmatch(text) and not file.fullmatch(text)}
    catalogue = re.findall(r"[\w.]+", (ROOT / "planlib/core/metrics.yaml").read_text(encoding="utf-8"))
    unknown = looking - EN.keys() - GROUPS - set(catalogue)
    assert {text for text in unknown if not is_field_of_a_plan(text)} == set()


def is_field_of_a_plan(path: str) -> bool:
    """Whether each part of a dotted path is a field of the plan's model, the first one a section."""
    models = [m for m in vars(model).values() if isinstance(m, type) and issubclass(m, pydantic.BaseModel)]
    section, *parts = path.removesuffix(".key").split(".")
    return section in model.PlanModel.model_fields and all(any(p in m.model_fields for m in models) for p in parts)


def is_name(part: str) -> bool:
    """Whether a name stands in the code, the catalogue or a template, with or without a number behind it."""
    return bool({part, f"{part}_", part.rstrip("0123456789")} & TOKENS) or part.isdigit()


def is_named(segment: str) -> bool:
    """Whether code names one segment of a key, whole or in two parts (`status_` and `done`)."""
    cuts = ((segment[: m.start()], segment[m.end() :]) for m in re.finditer("_", segment))
    whole = is_name(segment) or NOTEBOOK.fullmatch(segment)
    return bool(whole) or any(is_name(a) and is_name(b) for a, b in cuts)


def test_every_sentence_is_used():
    """Each segment of a key is named somewhere: a sentence that nothing names is dead."""
    dead = sorted(key for key in EN if not all(map(is_named, key.split(".")[1:])))
    assert dead == []
