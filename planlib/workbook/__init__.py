"""How notebooks run: their context, the runner, the ledger."""

from planlib.workbook.context import start

__all__ = ["start"]
