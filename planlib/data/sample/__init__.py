"""A sample brand: raw files of an invented brand whose true figures are known.

`write_sample` fills a data folder of its own with raw files as an operator would drop them, and with truth.json, which
says what was planted. The folder carries the mark that `planlib.data.store.is_sample` looks for: pages that rest on
such data say so. What is planted is described in docs/sample-brand.md.
"""

from __future__ import annotations

from planlib.data.sample.build import TRUTH, Made, ensure_sample, write_sample

__all__ = ["TRUTH", "Made", "ensure_sample", "write_sample"]
