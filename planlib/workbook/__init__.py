"""How notebooks run: their context, the runner, the ledger."""

from typing import Any

__all__ = ["own", "start"]  # noqa: F822 - see __getattr__


def __getattr__(name: str) -> Any:
    """Import the notebooks' context on first use: the runner and its workers do without it."""
    if name == "start":
        from planlib.workbook.context import start

        return start
    if name == "own":
        from planlib.workbook.own_book import own

        return own
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
