"""One sample brand for all tests of this folder."""

import pytest

from planlib.data.sample import write_sample
from tests.data.sample.raw_files import RawFiles

CUSTOMERS, SEED = 4_000, 20_260_105


@pytest.fixture(scope="package")
def raw(tmp_path_factory) -> RawFiles:
    """A small sample brand on disk."""
    root = tmp_path_factory.mktemp("示例 brand") / "sample"
    write_sample(root, customers=CUSTOMERS, seed=SEED)
    return RawFiles(root)
