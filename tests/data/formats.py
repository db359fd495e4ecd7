"""The platforms' sample answers, where their folder lies beside this checkout."""

from pathlib import Path

import pytest

SAMPLES = Path(__file__).parents[3] / "shared" / "formats" / "samples"
needs_samples = pytest.mark.skipif(not SAMPLES.is_dir(), reason="the platforms' samples are not beside this checkout")
