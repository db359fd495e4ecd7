import itertools

import pytest

from planlib.core.errors import InputError
from planlib.workbook.graph import DEFAULT_TIMEOUT_SECONDS, Graph, Notebook, read_graph
from tests.workbook.small_workbook import write_notebook, write_workbook


def graph(**needs):
    both = {"zh": "x", "en": "x"}
    return Graph(tuple(Notebook(name, both, both, tuple(needed.split()), 1.0, None) for name, needed in needs.items()))


def problems(root, text):
    (root / "notebooks").mkdir(exist_ok=True)
    (root / "notebooks" / "workbook.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(InputError) as caught:
        read_graph(root)
    return [(problem.code, problem.field, problem.line) for problem in caught.value.problems]


def test_what_is_written_is_read(tmp_path):
    write_workbook(tmp_path, {"20_b": ["10_a"], "10_a": []}, seconds={"10_a": 30})
    found = read_graph(tmp_path)
    assert found.ids == ("20_b", "10_a")
    assert found["20_b"].needs == ("10_a",) and found["20_b"].timeout_seconds == DEFAULT_TIMEOUT_SECONDS
    assert found["10_a"].timeout_seconds == 30 and found["10_a"].title == {"zh": "10_a", "en": "10_a"}
    assert found["10_a"].path == tmp_path / "notebooks" / "10_a.ipynb"


def test_an_analysts_own_notebook_is_found_in_own(tmp_path):
    write_notebook(tmp_path, "own/mine")
    write_workbook(tmp_path, {"mine": []})
    (tmp_path / "notebooks" / "mine.ipynb").unlink()
    assert read_graph(tmp_path)["mine"].path == tmp_path / "notebooks" / "own" / "mine.ipynb"


def test_order_keeps_reading_order_where_needs_leave_it_open():
    found = graph(d="b c", a="", b="a", c="a", e="")
    assert found.order() == ("a", "b", "c", "d", "e")
    assert found.order({"d", "e", "a"}) == ("a", "d", "e")


def test_subset_is_a_notebook_and_what_it_needs():
    found = graph(a="", b="a", c="b", d="a", e="")
    assert found.subset(["c"]) == ("a", "b", "c")
    assert found.subset([]) == found.ids
    assert found.subset(["d", "e"]) == ("a", "d", "e")
    assert found.upstream("c") == {"a", "b"} and found.downstream("a") == {"b", "c", "d"}


def test_names_may_be_shortened_when_they_stay_clear():
    found = graph(**{"x20_funnel": "", "x21_more": "", "x20": ""})
    assert found.subset(["x21"]) == ("x21_more",)
    assert found.subset(["x20"]) == ("x20",)  # a whole name wins over a beginning
    with pytest.raises(InputError) as caught:
        found.subset(["x2", "y", ""])
    assert [problem.given for problem in caught.value.problems] == ["x2", "y", ""]
    assert caught.value.problems[0].values["choice"] == "x20_funnel, x21_more, x20"


@pytest.mark.parametrize(
    ("needs", "width"),
    [
        ({}, 0),
        ({"a": "", "b": "a", "c": "b"}, 1),
        ({"a": "", "b": "", "c": ""}, 3),
        ({"a": "", "b": "a", "c": "a", "d": "b c"}, 2),
        ({"a": "", "b": "a", "c": "", "d": "c", "e": "d"}, 2),
        ({"a": "", "b": "", "c": "a", "d": "a b"}, 2),
    ],
)
def test_width_by_hand(needs, width):
    assert graph(**needs).width(list(needs)) == width


def test_width_is_the_largest_set_without_needs():
    """Against the definition, on every graph of four notebooks."""
    names = "abcd"
    pairs = list(itertools.combinations(range(4), 2))
    for chosen in itertools.product([False, True], repeat=len(pairs)):
        edges = [pair for pair, taken in zip(pairs, chosen, strict=True) if taken]
        found = graph(**{names[b]: " ".join(names[a] for a, other in edges if other == b) for b in range(4)})
        sets = itertools.chain.from_iterable(itertools.combinations(names, size) for size in range(5))
        free = [s for s in sets if not any(x in found.upstream(y) for x in s for y in s)]
        assert found.width(names) == max(map(len, free))


HEAD = "notebooks:\n"
GOOD = "title: {zh: a, en: a}, question: {zh: a, en: a}"


def test_all_problems_are_told_at_once_with_their_lines(tmp_path):
    write_notebook(tmp_path, "a")
    text = (
        "extra: 1\n"
        "notebooks:\n"
        f"  - {{id: a, {GOOD}, needs: [b], kind: x, timeout_seconds: 0}}\n"
        f"  - {{id: a, {GOOD}, neds: []}}\n"
        "  - {id: ../b, title: {zh: a}, question: 3, needs: a}\n"
        f"  - {{id: c, {GOOD}, timeout_seconds: soon}}\n"
        "  - d\n"
        "  - {title: {zh: 1, en: '', fr: c}, question: {zh: a, en: a}, needs: [1]}\n"
    )
    assert problems(tmp_path, text) == [
        ("unknown_key_far", "extra", 1),
        ("unknown_key_far", "notebooks[0].kind", 3),
        ("out_of_range", "notebooks[0].timeout_seconds", 3),
        ("unknown_key", "notebooks[1].neds", 4),
        ("missing", "notebooks[2].title.en", 5),
        ("not_mapping", "notebooks[2].question", 5),
        ("not_list", "notebooks[2].needs", 5),
        ("notebook_id", "notebooks[2].id", 5),
        ("not_number", "notebooks[3].timeout_seconds", 6),
        ("no_notebook", "notebooks[3].id", 6),
        ("not_mapping", "notebooks[4]", 7),
        ("unknown_key_far", "notebooks[5].title.fr", 8),
        ("not_text", "notebooks[5].title.zh", 8),
        ("not_text", "notebooks[5].title.en", 8),
        ("not_text", "notebooks[5].needs[0]", 8),
        ("missing", "notebooks[5].id", 8),
        ("duplicate_id", "notebooks[1].id", 4),
        ("choice", "notebooks[0].needs", 3),
    ]


@pytest.mark.parametrize(
    ("needs", "chain"),
    [
        ({"a": ["a"]}, "a → a"),
        ({"a": ["c"], "b": ["a"], "c": ["b"]}, "a → c → b → a"),
        ({"x": [], "a": ["b", "x"], "b": ["a"]}, "a → b → a"),
    ],
)
def test_circular_needs_are_refused(tmp_path, needs, chain):
    write_workbook(tmp_path, needs)
    with pytest.raises(InputError) as caught:
        read_graph(tmp_path)
    (problem,) = caught.value.problems
    assert (problem.code, problem.given) == ("needs_cycle", chain)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("", "not_mapping"),
        ("- a", "not_mapping"),
        ("{}", "missing"),
        (HEAD, "empty"),
        (HEAD + "  []", "empty"),
        (HEAD + "  a", "not_list"),
    ],
)
def test_a_file_of_another_shape_is_refused(tmp_path, text, code):
    assert [problem[0] for problem in problems(tmp_path, text)] == [code]


def test_no_workbook_is_bad_input(tmp_path):
    with pytest.raises(InputError) as caught:
        read_graph(tmp_path)
    assert caught.value.problems[0].code == "no_file"


def test_a_notebook_by_hand_runs_only_where_it_is_named(tmp_path):
    write_workbook(tmp_path, {"10_a": [], "90_b": ["10_a"]})
    path = tmp_path / "notebooks" / "workbook.yaml"
    text = path.read_text(encoding="utf-8").rstrip() + "\n  by_hand: true\n"
    path.write_text(text, encoding="utf-8")
    found = read_graph(tmp_path)
    assert found.ids == ("10_a", "90_b") and found["90_b"].by_hand and not found["10_a"].by_hand
    assert found.subset(()) == ("10_a",) and found.subset(["90"]) == ("10_a", "90_b")
    assert [p[0] for p in problems(tmp_path, text.replace("true", "often"))] == ["choice"]
