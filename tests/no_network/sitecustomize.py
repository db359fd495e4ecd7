"""Refuse every connection that leaves this machine, in any Python that starts with this folder on its path.

Python imports a module of this name at start-up. The refusal is an audit hook,
which code cannot take back and which sees every socket however it was made.
Each refused attempt is also appended to the file named by
PLANLIB_REFUSED_CONNECTIONS, so that one that was caught and ignored still shows;
the file PLANLIB_GUARDED_PROCESSES gets a line from each process that started.
"""

import os
import sys

ADDRESS_EVENTS = ("socket.connect", "socket.sendto", "socket.sendmsg")
NAME_EVENTS = ("socket.getaddrinfo", "socket.gethostbyname")
LOOPBACK_NAMES = ("", "localhost", "::1", "0.0.0.0", "::")


class NetworkRefused(OSError):
    """A connection to another machine was tried."""


def is_local(host):
    """Return whether a host name or address is this machine's own.

    Args:
        host: as given to the socket call: text, bytes or None.
    """
    if host is None:
        return True
    text = host.decode("ascii", "replace") if isinstance(host, bytes) else str(host)
    return text in LOOPBACK_NAMES or (text.startswith("127.") and text.replace(".", "").isdigit())


def _append(variable, line):
    path = os.environ.get(variable)
    if path:
        with open(path, "a", encoding="utf-8") as file:
            file.write(line + "\n")


def hook(event, arguments):
    """Raise NetworkRefused for a socket event whose address is not this machine's."""
    if not event.startswith("socket."):
        return
    if event in ADDRESS_EVENTS:
        address = arguments[1]
        host = address[0] if isinstance(address, tuple) else None  # a path: a socket of this machine
    elif event in NAME_EVENTS:
        host = arguments[0]
    else:
        return
    if not is_local(host):
        _append("PLANLIB_REFUSED_CONNECTIONS", f"{event} {host!r} {sys.argv[:2]}")
        raise NetworkRefused(f"no network in tests: {event} to {host!r}")


def install():
    """Refuse connections in this process from now on."""
    sys.addaudithook(hook)


if __name__ == "sitecustomize":
    _append("PLANLIB_GUARDED_PROCESSES", str(os.getpid()))
    install()
