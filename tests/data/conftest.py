"""One data folder with every kind of source, loaded once."""

from __future__ import annotations

import pytest

from planlib.data.load import load
from tests.data.hand_made import GOOD, put


@pytest.fixture(scope="session")
def good_root(tmp_path_factory):
    """A data folder that holds all good files, loaded; tests must not change it."""
    root = tmp_path_factory.mktemp("good") / "data"
    for name, content in GOOD.items():
        put(root, name, content)
    report = load(root)
    assert [(e.path, e.problems) for e in report.aside] == []
    return root
