"""A sample brand: raw files of an invented brand whose true figures are known.

`write_sample` fills a data folder of its own with raw files as an operator would drop them, and with truth.json, which
says what was planted. The folder carries a mark, and `is_sample` tells it: pages that rest on such data say so.
"""

from __future__ import annotations

from planlib.data.sample.build import MARK, TRUTH, Made, ensure_sample, is_sample, write_sample

__all__ = ["MARK", "TRUTH", "Made", "ensure_sample", "is_sample", "write_sample"]
