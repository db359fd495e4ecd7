import subprocess
import sys
import threading
import time

import pytest

from planlib.workbook import lock
from planlib.workbook.failures import LockHeld

HOLD = """
import os, pathlib, sys, time
from planlib.workbook import lock
with lock.hold(pathlib.Path(sys.argv[1])):
    print(os.getpid(), flush=True)
    time.sleep(600)
"""


def test_the_second_is_told_who_holds_it(tmp_path):
    assert not lock.is_held(tmp_path)
    process = subprocess.Popen([sys.executable, "-c", HOLD, str(tmp_path)], stdout=subprocess.PIPE)
    try:
        pid = int(process.stdout.readline())
        assert lock.is_held(tmp_path)
        with pytest.raises(LockHeld) as caught, lock.hold(tmp_path):
            pass
        assert caught.value.values["pid"] == pid
        for locale in ("zh", "en"):
            text = caught.value.render(locale)
            assert str(pid) in text and lock.read_holder(tmp_path).since in text and "-c" in text
    finally:
        process.kill()  # nothing of its own runs: the system lets go
        process.wait()
        process.stdout.close()
    assert not lock.is_held(tmp_path)
    with lock.hold(tmp_path):
        assert lock.read_holder(tmp_path).pid != pid
    assert lock.read_holder(tmp_path) is None


def test_waiting_takes_over_when_it_is_free(tmp_path):
    held, seen, order = threading.Event(), [], []

    def first():
        with lock.hold(tmp_path):
            held.set()
            time.sleep(0.3)
            order.append("first")

    thread = threading.Thread(target=first)
    thread.start()
    held.wait()
    with lock.hold(tmp_path, wait_seconds=30, on_wait=seen.append):
        order.append("second")
    thread.join()
    assert order == ["first", "second"] and len(seen) == 1 and seen[0].pid


def test_it_is_released_when_the_block_fails(tmp_path):
    with pytest.raises(ZeroDivisionError), lock.hold(tmp_path):
        raise ZeroDivisionError
    assert not lock.is_held(tmp_path)


@pytest.mark.parametrize("note", ["", "{half", "[]", '{"pid": 1}', '{"pid": 1, "x": 2}', b"\xff"])
def test_an_unreadable_note_does_not_hide_the_lock(tmp_path, note):
    with lock.hold(tmp_path):
        (tmp_path / lock.HOLDER).write_bytes(note if isinstance(note, bytes) else note.encode())
        assert lock.read_holder(tmp_path) is None
        with pytest.raises(LockHeld) as caught, lock.hold(tmp_path):
            pass
    assert str(tmp_path) in caught.value.render("zh")
