"""What a notebook may declare and what may reach it."""

import ast
import json

import numpy as np
import pytest

from planlib.core.errors import InputError
from planlib.workbook.source import MAX_SEED, check_parameters, read_source
from tests.workbook.small_workbook import PARAMETERS, write_notebook

GOOD = {"plan_file": "/方案 一/plan.json", "out_dir": "C:\\out {x} \"y\" 'z' #%?!", "locale": "zh", "seed": 7}


class HostileText(str):
    def __str__(self):
        return '"; import os; os.abort() #'


class HostileNumber(int):
    def __repr__(self):
        return "__import__('os').abort()"


def codes(parameters):
    with pytest.raises(InputError) as caught:
        check_parameters(parameters)
    return [problem.code for problem in caught.value.problems]


def test_plain_literals_pass_unchanged():
    assert check_parameters(GOOD) == GOOD
    assert check_parameters(GOOD | {"seed": MAX_SEED, "out_dir": ""})["seed"] == MAX_SEED


@pytest.mark.parametrize(
    ("name", "value", "code"),
    [
        ("plan_file", HostileText("x"), "not_text"),
        ("plan_file", b"x", "not_text"),
        ("plan_file", None, "not_text"),
        ("plan_file", ("x",), "not_text"),
        ("plan_file", "a\nimport os", "path_characters"),
        ("plan_file", "a\rb", "path_characters"),
        ("plan_file", "a\0b", "path_characters"),
        ("plan_file", "a\x1b[2J", "path_characters"),
        ("plan_file", "a\udcff", "path_characters"),
        ("locale", "de", "choice"),
        ("locale", HostileText("zh"), "not_text"),
        ("seed", HostileNumber(1), "not_whole"),
        ("seed", True, "not_whole"),
        ("seed", np.int64(1), "not_whole"),
        ("seed", 1.0, "not_whole"),
        ("seed", float("nan"), "not_whole"),
        ("seed", "007", "not_whole"),
        ("seed", -1, "out_of_range"),
        ("seed", 2**63, "out_of_range"),
    ],
)
def test_anything_else_is_refused(name, value, code):
    assert codes(GOOD | {name: value}) == [code]


@pytest.mark.parametrize("name", ["speed", "x=1; import os", "plan_file ", 3, ("seed",), "seed\nimport os"])
def test_unknown_names_are_refused(name):
    assert codes(GOOD | {name: 1}) == ["unknown_key_far"]


def test_a_name_that_only_looks_like_one_is_refused():
    known = {name: value for name, value in GOOD.items() if name != "seed"}
    assert codes(known | {HostileText("seed"): 1}) == ["unknown_key_far"]


def test_all_is_told_at_once():
    assert codes({"seed": "x", "y": 1}) == ["missing", "missing", "missing", "not_whole", "unknown_key_far"]


def test_papermill_writes_them_as_the_literals_they_are():
    """The line between data and code, in papermill's own hand."""
    from papermill.translators import translate_parameters

    hostile = GOOD | {"plan_file": 'x"; import os; os.abort() #\\', "out_dir": '\\"\\\\"""\'\'\'{0}${HOME}%s'}
    tree = ast.parse(translate_parameters("python3", "python", check_parameters(hostile), "Parameters"))
    found = {node.targets[0].id: ast.literal_eval(node.value) for node in tree.body}
    assert found == hostile and len(tree.body) == 4


def error_of(tmp_path, parameters, code=""):
    return read_source(write_notebook(tmp_path, "a", code, parameters=parameters)).error


@pytest.mark.parametrize(
    "parameters",
    [
        PARAMETERS,
        "seed: int = 0\nlocale: str = 'zh'  # display\n# a comment\nout_dir = ''\nplan_file = 'params/x.yaml'",
    ],
)
def test_the_four_names_in_any_order_are_fine(tmp_path, parameters):
    assert error_of(tmp_path, parameters) is None


@pytest.mark.parametrize(
    ("parameters", "said"),
    [
        (PARAMETERS + "\nspeed = 1", "speed"),
        (PARAMETERS.replace("seed = 0", ""), "plan_file, out_dir, locale"),
        (PARAMETERS + "\nseed = 1", "seed, seed"),
        (PARAMETERS + "\nimport os", "import os"),
        (PARAMETERS + "\nprint(seed)", "print(seed)"),
        (PARAMETERS.replace("seed = 0", "seed = int('0')"), "malformed"),
        (PARAMETERS.replace("seed = 0", "seed: int"), "seed: int"),
        (PARAMETERS.replace("seed = 0", "seed = x = 0"), "seed = x = 0"),
        (PARAMETERS.replace("seed = 0", "a.seed = 0"), "a.seed"),
        (PARAMETERS + "\n%matplotlib inline", "invalid syntax"),
        (PARAMETERS + "\nx = " + "(" * 500 + ")" * 500, ""),
        ("", ""),
    ],
)
def test_a_parameters_cell_with_anything_else_is_refused(tmp_path, parameters, said):
    error = error_of(tmp_path, parameters)
    assert error.reason == "bad_parameters" and said in error.values["detail"]


def test_exactly_one_cell_carries_the_tag(tmp_path):
    assert error_of(tmp_path, None, "x = 1").values["count"] == 0
    path = write_notebook(tmp_path, "a")
    content = json.loads(path.read_text(encoding="utf-8"))
    content["cells"].append(content["cells"][0])
    path.write_text(json.dumps(content), encoding="utf-8")
    assert read_source(path).error.reason == "no_parameters" and read_source(path).error.values["count"] == 2
    content["cells"].pop(0)
    content["cells"][-1]["cell_type"] = "markdown"
    path.write_text(json.dumps(content), encoding="utf-8")
    assert read_source(path).error.values["count"] == 0


@pytest.mark.parametrize(
    "content",
    [
        *(b"", b"\xff", b"{", b"[]", b"3", b'{"cells": 3}', b'{"cells": [3]}', b'{"cells": [{}]}', b"[" * 100_000),
        b'{"cells": [{"cell_type": "code", "source": 3}]}',
        b'{"cells": [{"cell_type": "code", "source": [3]}]}',
    ],
)
def test_a_file_that_is_no_notebook_is_told(tmp_path, content):
    path = tmp_path / "a.ipynb"
    path.write_bytes(content)
    assert read_source(path).error.reason == "unreadable"


def test_a_file_that_is_gone_is_told(tmp_path):
    assert read_source(tmp_path / "a.ipynb").error.reason == "unreadable"


def test_the_hash_is_of_sources_and_tags_only(tmp_path):
    path = write_notebook(tmp_path, "a", "x = 1\ny = 2")
    before = read_source(path).sha256
    content = json.loads(path.read_text(encoding="utf-8"))
    content["cells"][1]["source"] = ["x = 1\n", "y = 2"]
    content["cells"][1]["outputs"] = [{"output_type": "stream", "name": "stdout", "text": "z"}]
    path.write_text(json.dumps(content), encoding="utf-8")
    assert read_source(path).sha256 == before
    content["cells"][1]["metadata"]["tags"] = ["skip-execution"]
    path.write_text(json.dumps(content), encoding="utf-8")
    assert read_source(path).sha256 != before
