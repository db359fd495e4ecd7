"""Pairs at their maxima and the middle of the bands, by hand on W6.3."""

import numpy as np
import pytest

from planlib.budget.bands import Bands
from planlib.budget.pairs import middle_split, pairs_at_most

W63 = Bands.of(
    {"labour": (0.40, 0.50), "technology": (0.25, 0.30), "marketing": (0.15, 0.20), "operating": (0.10, 0.15)}
)


def test_labour_and_technology_at_their_maxima_leave_too_little():
    found = {(p.first, p.second): p for p in pairs_at_most(W63)}
    tight = found["labour", "technology"]
    assert (tight.left, tight.needed, tight.possible) == (0.20, 0.25, False)
    assert [key for key, pair in found.items() if not pair.possible] == [
        ("labour", "operating"), ("labour", "technology"), ("labour", "marketing")
    ]  # fmt: skip
    assert found["technology", "marketing"].possible  # 0.50 left, 0.50 needed: just enough


def test_middle_moves_only_categories_with_room():
    shares, inside = middle_split(W63)
    assert inside
    np.testing.assert_allclose(shares, np.array([0.45, 0.275, 0.175, 0.125]) - 0.025 / 4, atol=1e-12)


def test_bands_that_cannot_sum_to_one_are_scaled_and_told():
    shares, inside = middle_split(Bands.of({"a": (0.5, 0.7), "b": (0.6, 0.8)}))
    assert not inside
    assert shares == pytest.approx([0.6 / 1.3, 0.7 / 1.3])
