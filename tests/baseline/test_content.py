"""Content: the declared engagement rate, cost, and modes that nothing beats."""

import numpy as np
import pytest

from planlib.baseline.content import ENGAGEMENT, PASS_LINE, efficiency, engagements
from planlib.baseline.pooling import pool_shares
from planlib.core.errors import InputError
from planlib.core.metrics import metric


def test_engagement_is_likes_comments_and_shares_over_views_with_eight_per_cent_to_pass():
    assert ENGAGEMENT == ("likes", "comments", "shares") and PASS_LINE == 0.08
    did = engagements([50, 40], [20, 20], [10, 19])
    found = efficiency([1000, 1000], did)
    assert found.engagement_rate.tolist() == [0.08, 0.079]
    assert found.passes.tolist() == [True, False]


def test_conversion_by_content_and_by_users_are_two_metrics():
    content, users = metric("content_conversion_rate"), metric("user_conversion_rate")
    assert content.id != users.id
    assert (content.numerator, users.numerator) == ("content_buyers", "buyers")


def test_cost_and_frontier_across_modes():
    """AI content is cheap and weak, professional dear and strong, the third dearer and weaker than both."""
    found = efficiency([1000, 1000, 1000], [100, 60, 50], cost_cny=[900, 200, 1000], orders=[9, 4, 0])
    assert found.frontier.tolist() == [True, True, False]
    assert found.cost_per_engagement_cny.tolist() == pytest.approx([9, 200 / 60, 20])
    assert found.cost_per_order_cny[:2].tolist() == [100, 50] and np.isnan(found.cost_per_order_cny[2])


def test_without_costs_there_is_no_cost_and_no_frontier():
    found = efficiency([1000, 0], [80, 0])
    assert np.isnan(found.cost_per_engagement_cny).all() and not found.frontier.any()
    assert np.isnan(found.engagement_rate[1]) and not found.passes[1]


def test_posts_are_pooled_within_their_mode():
    """A post read 20 times with 5 shares is no hit of its mode."""
    found = pool_shares([5, 60, 90, 70], [20, 1000, 1100, 1000], ["pgc"] * 4)
    assert found.share[0] < 0.15


@pytest.mark.parametrize(
    "call",
    [
        lambda: engagements([1], [1, 2], [1]),
        lambda: engagements([-1], [1], [1]),
        lambda: efficiency([10], [1, 2]),
        lambda: efficiency([10], [1], cost_cny=[-1]),
    ],
)
def test_impossible_content_is_refused(call):
    with pytest.raises(InputError):
        call()
