"""What a task waits for, in the notation of project programs."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from planlib.exchange.links import Link, as_fields, links_text, parse_links

IDS = st.from_regex(r"[a-z][a-z0-9_-]{0,20}", fullmatch=True)
LINKS = st.builds(
    Link,
    IDS,
    st.sampled_from(["FS", "SS", "FF", "SF"]),
    st.integers(-9999, 9999).map(lambda n: n / 4),
).flatmap(
    lambda link: st.just(link) if not link.lag else st.booleans().map(lambda e: Link(link.task, link.kind, link.lag, e))
)


@given(st.lists(LINKS, max_size=8, unique_by=lambda link: (link.task, link.kind)))
def test_what_is_written_is_read_back(links):
    assert parse_links(links_text(links)) == (links, [])
    after, tied = as_fields(links)
    assert len(after) + len(tied) == len(links)


@pytest.mark.parametrize(
    ("text", "link"),
    [
        ("hiring", Link("hiring")),
        ("hiringSS+5 days", Link("hiring", "SS", 5.0)),
        ("hiring ss + 5", Link("hiring", "SS", 5.0)),
        ("hiring FS-2.5d", Link("hiring", "FS", -2.5)),
        ("hiring FF+3 edays", Link("hiring", "FF", 3.0, True)),
        ("hiring ＦＳ＋３个工作日", Link("hiring", "FS", 3.0)),
        ("hiring FS+0ed", Link("hiring")),
        ("a-5d", Link("a-5d")),
    ],
)
def test_usual_ways_of_writing_are_taken(text, link):
    assert parse_links(text) == ([link], [])


@pytest.mark.parametrize(
    "text",
    [
        "Hiring",
        "hiring XX",
        "hiring +5d",
        "hiring FS+5h",
        "hiring FS+50%",
        "=1+1",
        "a b",
        "1",
        "hiring FS+",
        "hiring FS+-5d",
    ],
)
def test_anything_else_is_said_and_the_rest_is_taken(text):
    links, wrong = parse_links(f"first, {text}; last")
    assert [w.code for w in wrong] == ["link_form"]
    assert [link.task for link in links] == ["first", "last"]


def test_doubles_and_excess_are_said():
    assert [w.code for w in parse_links("a, a SS, a FS+3d")[1]] == ["link_twice"]
    assert [w.code for w in parse_links("a FS+99999d")[1]] == ["out_of_range"]
    assert [w.code for w in parse_links(",".join(["a"] * 201))[1]] == ["at_most"]
    assert parse_links(" , ；") == ([], [])
