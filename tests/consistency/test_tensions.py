"""Every one of the 80 listed places is found by its rule, at a fitting level, on figures that the entry names."""

import pytest

from tests.consistency import make_tensions_page as made
from tests.consistency.tensions import RULE_OF

pytestmark = pytest.mark.skipif(not made.LISTED.is_file(), reason="the list of tensions is not beside this checkout")


@pytest.fixture(scope="module")
def found():
    return made.findings()


def test_the_table_names_the_listed_places():
    assert {entry["id"] for entry in made.listed()} == set(RULE_OF)


def test_every_listed_place_surfaces(found):
    assert [entry["id"] for entry in made.listed() if not made.surfaces(entry, found)] == []


def test_the_page_is_current():
    assert made.PAGE.read_text(encoding="utf-8") == made.page()
