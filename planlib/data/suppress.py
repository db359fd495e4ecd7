"""Groups too small to show: what could tell of single people never reaches a page."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import pandas as pd

MINIMUM = 10


def small_cells(counts: np.ndarray, *, minimum: int = MINIMUM) -> np.ndarray:
    """Return which groups of one whole must be hidden.

    Groups of 1 to `minimum` - 1 people are hidden; where they make up fewer than `minimum` people together, the
    smallest other group is hidden as well, since the whole less what is shown would tell them. Empty groups may be
    shown.

    Args:
        counts: (G,) people of each group, >= 0.
        minimum: people that a shown group has at least.

    Returns:
        (G,) True where a group is hidden.

    >>> small_cells(np.array([500, 4, 60, 0])).tolist()
    [False, True, True, False]
    >>> small_cells(np.array([500, 4, 60, 7])).tolist()
    [False, True, False, True]
    """
    people = np.asarray(counts)
    hidden = (people > 0) & (people < minimum)
    if hidden.any() and people[hidden].sum() < minimum:
        others = np.flatnonzero(people >= minimum)
        if others.size:
            hidden[others[np.argmin(people[others])]] = True
    return hidden


def suppress_small(
    frame: pd.DataFrame, *, count: str, hide: Sequence[str] = (), within: Sequence[str] = (), minimum: int = MINIMUM
) -> pd.DataFrame:
    """Return a copy of a table of groups in which small ones show no figures.

    Args:
        frame: one row a group.
        count: column with the people of each group.
        hide: further columns that go with the count.
        within: columns whose equal values make one whole (a month, a region); none: the table is one whole.
        minimum: people that a shown group has at least.
    """
    shown = frame.copy()
    groups = frame.groupby([*within], sort=False, dropna=False).indices.values() if within else [np.arange(len(frame))]
    hidden = np.zeros(len(frame), dtype=bool)
    for rows in groups:
        hidden[rows] = small_cells(frame[count].to_numpy()[rows], minimum=minimum)
    for column in (count, *hide):
        shown[column] = frame[column].astype(object).where(~hidden, None)
    return shown
