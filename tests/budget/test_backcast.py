"""roi-backcast and cac-mix of the requirements, by hand."""

import pytest

from planlib.budget.backcast import cac_after, largest_paid_cac, smallest_gmv, total_for_acquisition
from planlib.core.errors import InputError


def test_roi_backcast_labour_of_gmv():
    """systems.yaml roi-backcast: labour 40-50 % of budget and 5 % of GMV returns GMV >= 8-10 x budget."""
    assert smallest_gmv((0.4, 0.5), 0.05) == pytest.approx((8.0, 10.0))
    assert smallest_gmv((0.4, 0.5), 0.05, budget_cny=30e6) == pytest.approx((240e6, 300e6))


def test_roi_backcast_total_from_acquisition():
    """systems.yaml roi-backcast: 50,000 x 20 CNY a month returns 60-80 M a year at 15-20 % marketing."""
    assert total_for_acquisition(50_000, 20.0, (0.15, 0.20)) == pytest.approx((60e6, 80e6))


def test_cac_mix():
    """systems.yaml cac-mix: organic 40 % free: paid limit 33.33; 20 x 1.35 x 0.72 = 19.44."""
    assert largest_paid_cac(20.0, 0.4) == pytest.approx(33.33, abs=0.005)
    assert 0.6 * largest_paid_cac(20.0, 0.4) == pytest.approx(20.0)
    assert cac_after(20.0, 0.35, -0.28) == pytest.approx(19.44)


@pytest.mark.parametrize(
    "call",
    [
        lambda: smallest_gmv((0.5, 0.4), 0.05),
        lambda: smallest_gmv((0.4, 0.5), 0.0),
        lambda: total_for_acquisition(-1, 20.0, (0.15, 0.2)),
        lambda: total_for_acquisition(1, 20.0, (0.0, 0.2)),
        lambda: largest_paid_cac(20.0, 1.0),
        lambda: cac_after(20.0, -2.0),
    ],
)
def test_bad_input(call):
    with pytest.raises(InputError):
        call()
