import pytest

from tests.exchange.desk import set_up


@pytest.fixture
def home(tmp_path, monkeypatch):
    """A project of its own as the current folder."""
    set_up(tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path
