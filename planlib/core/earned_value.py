"""Earned value in its two ratios: what was got for the money, and how much of what was to be got by now."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Performance:
    """Performance to date (PMI, Practice Standard for Earned Value Management). None where a divisor is 0.

    Attributes:
        cpi: earned over actual; below 1 each unit of money buys less than planned.
        spi: earned over planned; below 1 the work is behind.
    """

    cpi: float | None
    spi: float | None

    def at_completion(self, budget: float) -> float | None:
        """Return the whole cost if the rest costs as much more as what is done; None while nothing is known."""
        return budget / self.cpi if self.cpi else None


def performance(*, planned: float, earned: float, actual: float) -> Performance:
    """Return the two ratios.

    Args:
        planned, earned, actual: value planned and earned to date and cost to date, >= 0, in one unit.

    >>> performance(planned=50.0, earned=40.0, actual=50.0)
    Performance(cpi=0.8, spi=0.8)
    """
    return Performance(earned / actual if actual > 0 else None, earned / planned if planned > 0 else None)
