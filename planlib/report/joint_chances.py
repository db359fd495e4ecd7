"""Which chances the page of targets shows: those with everything counted where the outlook has run, else conditional.

The user forecast tells chances on plan dates with money as typed; the outlook alone publishes `p_target`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

METHOD = "joint_simulation"
_PREFIX = "p_target_"


def joint_chances(results: Mapping[str, Mapping[str, Any]]) -> dict[str, float]:
    """Return target -> chance with dates, money, risks and tests counted; {} in a run without the outlook.

    Args:
        results: of the notebooks of a run.
    """
    return {
        metric["id"].removeprefix(_PREFIX): metric["value"]
        for found in results.values()
        for metric in found["metrics"]
        if metric["id"].startswith(_PREFIX) and metric["method"] == METHOD and metric["value"] is not None
    }


def with_joint(rows: Sequence[Mapping[str, Any]], chances: Mapping[str, float]) -> list[dict[str, Any]]:
    """Return the rows of a targets page with these chances in place of their own; a row without one shows none.

    Rows stay as they are where no target has such a chance.

    >>> with_joint([{"id": "a", "probability": 0.9}, {"id": "b", "probability": 0.8}], {"a": 0.5})
    [{'id': 'a', 'probability': 0.5}, {'id': 'b', 'probability': None}]
    """
    if not any(row.get("id") in chances for row in rows):
        return [dict(row) for row in rows]
    return [{**row, "probability": chances.get(row["id"])} for row in rows]
