"""The guard that refuses connections to other machines; tests/test_main_job.py runs the main job under it."""

import socket
import subprocess
import sys
from pathlib import Path

import pytest

OUTSIDE = ("192.0.2.1", 9)  # an address reserved for documentation (RFC 5737)


@pytest.mark.parametrize(
    "host, local",
    [
        ("127.0.0.1", True), (b"localhost", True), ("127.8.8.8", True), ("::1", True), (None, True),
        ("example.org", False), ("128.0.0.1", False), ("127.example.org", False), ("192.168.1.1", False),
    ],
)  # fmt: skip
def test_what_is_local(network_guard, host, local):
    assert network_guard.is_local(host) is local


def test_tests_cannot_leave_the_machine():
    with socket.socket() as tried, pytest.raises(OSError, match="no network in tests"):
        tried.connect(OUTSIDE)
    with pytest.raises(OSError, match="no network in tests"):
        socket.getaddrinfo("example.org", 443)
    with socket.socket(type=socket.SOCK_DGRAM) as tried, pytest.raises(OSError, match="no network in tests"):
        tried.sendto(b"", OUTSIDE)


def test_loopback_works():
    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname()) as client:
        server.accept()[0].close()
        assert client.recv(1) == b""


def test_other_processes_are_guarded_and_tell(no_network_env):
    code = "import socket\ntry:\n    socket.create_connection(('192.0.2.1', 9))\nexcept OSError:\n    print('refused')"
    done = subprocess.run([sys.executable, "-c", code], env=no_network_env, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["refused"]
    assert "192.0.2.1" in Path(no_network_env["PLANLIB_REFUSED_CONNECTIONS"]).read_text(encoding="utf-8")
    assert len(Path(no_network_env["PLANLIB_GUARDED_PROCESSES"]).read_text(encoding="utf-8").split()) == 1
