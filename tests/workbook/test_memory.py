"""How many workers fit, and what a process has held."""

import os
import subprocess
import sys

import numpy as np
import pytest

from planlib.workbook import memory
from planlib.workbook.memory import ASSUMED_PEAK_BYTES, Memory, available_bytes, peak_bytes


@pytest.mark.parametrize(
    ("total", "peaks", "workers"),
    [
        (8e9, [], int(8e9 // ASSUMED_PEAK_BYTES)),  # never measured
        (8e9, [2_000_000_000], 4),
        (8e9, [500_000_000, 2_000_000_000, None, 0, 1_000_000_000], 4),  # the largest counts, nothing says nothing
        (1e9, [5_000_000_000], 1),  # one at least: a plan that does not fit fails by itself
    ],
)
def test_as_many_as_fit(total, peaks, workers):
    found = Memory(total)
    for peak in peaks:
        found.note(peak)
    assert found.workers() == workers


def test_without_a_figure_most_of_what_is_free_is_shared(monkeypatch):
    monkeypatch.setattr(memory, "available_bytes", lambda: 10_000_000_000)
    assert Memory().total_bytes == 8e9


def test_a_container_has_what_its_limit_leaves(tmp_path):
    everything = available_bytes(tmp_path)
    assert everything > 0
    (tmp_path / "memory.max").write_text("max\n")
    (tmp_path / "memory.current").write_text("5000\n")
    assert available_bytes(tmp_path) == pytest.approx(everything, rel=0.2)
    (tmp_path / "memory.max").write_text("12000\n")
    assert available_bytes(tmp_path) == 7000
    (tmp_path / "memory.current").write_text("13000\n")
    assert available_bytes(tmp_path) == 0


def test_the_peak_of_a_process_stays_after_it_has_given_memory_back():
    before = peak_bytes(os.getpid())
    block = np.ones(before // 8 + 8_000_000)  # larger than everything held so far
    del block
    if sys.platform == "linux":
        assert peak_bytes(os.getpid()) > before
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    assert peak_bytes(ended.pid) == 0
