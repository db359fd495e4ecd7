"""Who is active, who sleeps, who woke: states by an inactivity window, and the bridge between two days."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from planlib.core.guards import Guard

_LISTED = ("active", "quiet", "dormant")


@dataclass(frozen=True, slots=True)
class States:
    """People on a day by how long they have been silent.

    Attributes:
        active: seen within `active_days`.
        quiet: silent for longer, yet not as long as `dormant_days`.
        dormant: silent for `dormant_days` or more.
        listed: all three.
    """

    active: int
    quiet: int
    dormant: int
    active_days: int
    dormant_days: int

    @property
    def listed(self) -> int:
        return self.active + self.quiet + self.dormant


@dataclass(frozen=True, slots=True)
class Bridge:
    """Dormant people from one day to another: opening + newly dormant - woken - lost = closing.

    Attributes:
        opening, closing: dormant on the first and on the last day.
        newly: dormant at the end who were not at the start, people who joined between included.
        woken: dormant at the start, listed and not dormant at the end.
        lost: dormant at the start, gone at the end.
        listed_opening, listed_closing: everybody on the list on both days.
        window_days: the inactivity that makes a person dormant.
    """

    opening: int
    newly: int
    woken: int
    lost: int
    closing: int
    listed_opening: int
    listed_closing: int
    window_days: int

    @property
    def residual(self) -> int:
        """0 when the bridge adds up."""
        return self.opening + self.newly - self.woken - self.lost - self.closing


def states(silent_days: Mapping[int, int], *, active_days: int, dormant_days: int) -> States:
    """Return how many people are active and dormant.

    Args:
        silent_days: {days since the last activity: people}; days below 0 are refused.
        active_days: seen within so many days counts as active; the day itself is the first.
        dormant_days: silent for so many days counts as dormant, at least `active_days`.

    >>> found = states({0: 30, 40: 10, 95: 60}, active_days=30, dormant_days=90)
    >>> found.active, found.quiet, found.dormant, found.listed
    (30, 10, 60, 100)
    """
    guard = Guard()
    near = guard.whole("active_days", active_days, low=1)
    far = guard.whole("dormant_days", dormant_days, low=near)
    days = {guard.whole("silent_days", day, low=0): guard.whole("people", n, low=0) for day, n in silent_days.items()}
    guard.done()
    active = sum(n for day, n in days.items() if day < near)
    dormant = sum(n for day, n in days.items() if day >= far)
    return States(active, sum(days.values()) - active - dormant, dormant, near, far)


def bridge(moves: Mapping[tuple[str, str], int], *, window_days: int) -> Bridge:
    """Return the dormancy bridge from how many people moved between which states.

    Args:
        moves: {(state on the first day, on the last day): people}, the first being "absent", "active", "quiet" or
            "dormant", the last "gone" or one of those three; pairs without people may be left out. Quiet is neither:
            silent for longer than the active window and not yet for the dormant one.
        window_days: the inactivity that makes a person dormant.

    Raises:
        InputError: an unknown state or a negative count.

    >>> found = bridge({("dormant", "dormant"): 50, ("dormant", "active"): 8, ("active", "dormant"): 5,
    ...                 ("dormant", "gone"): 2, ("active", "active"): 30}, window_days=90)
    >>> found.opening, found.newly, found.woken, found.lost, found.closing, found.residual
    (60, 5, 8, 2, 55, 0)
    """
    guard = Guard()
    window = guard.whole("window_days", window_days, low=1)
    seen: dict[tuple[str, str], int] = {}
    for (first, last), people in moves.items():
        guard.choice("moves", first, ("absent", *_LISTED))
        guard.choice("moves", last, ("gone", *_LISTED))
        seen[first, last] = guard.whole("moves", people, low=0)
    guard.done()

    def total(first: tuple[str, ...], last: tuple[str, ...]) -> int:
        return sum(seen.get((a, b), 0) for a in first for b in last)

    return Bridge(
        opening=total(("dormant",), ("gone", *_LISTED)),
        newly=total(("absent", "active", "quiet"), ("dormant",)),
        woken=total(("dormant",), ("active", "quiet")),
        lost=total(("dormant",), ("gone",)),
        closing=total(("absent", *_LISTED), ("dormant",)),
        listed_opening=total(_LISTED, ("gone", *_LISTED)),
        listed_closing=total(("absent", *_LISTED), _LISTED),
        window_days=window,
    )


def active_share_after_waking(active_share: float, wake_rate: float, *, newly_dormant_share: float = 0.0) -> float:
    """Return the share that is active once a share of the others is woken: base + wake x (1 - base) - newly dormant.

    >>> round(active_share_after_waking(0.30, 0.30), 4), round(active_share_after_waking(0.40, 0.30), 4)
    (0.51, 0.58)
    """
    guard = Guard()
    base = guard.number("active_share", active_share, low=0.0, high=1.0)
    wake = guard.number("wake_rate", wake_rate, low=0.0, high=1.0)
    lost = guard.number("newly_dormant_share", newly_dormant_share, low=0.0, high=base if base >= 0 else 1.0)
    guard.done()
    return base + wake * (1 - base) - lost
