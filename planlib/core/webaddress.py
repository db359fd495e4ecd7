"""Addresses that a secret may be sent to: encrypted ones, and this machine's own."""

from __future__ import annotations

from urllib.parse import urlsplit

LOOPBACK = ("localhost", "127.0.0.1", "::1")


def is_loopback(address: str) -> bool:
    """Return whether an address names this machine.

    >>> is_loopback("http://127.0.0.1:8000/x"), is_loopback("https://127.0.0.1.example.org")
    (True, False)
    """
    return urlsplit(address).hostname in LOOPBACK


def is_fit(address: str) -> bool:
    """Return whether an address is https, or http on this machine, and holds no secret: no user, query or fragment.

    >>> is_fit("https://qyapi.weixin.qq.com/cgi-bin/webhook"), is_fit("http://localhost:8000/hook")
    (True, True)
    >>> is_fit("http://example.org"), is_fit("https://a:b@example.org"), is_fit("https://example.org/send?key=1")
    (False, False, False)
    """
    if not address.isascii() or not address.isprintable() or " " in address:
        return False
    try:
        parts = urlsplit(address)
        known = parts.hostname and (parts.port is None or parts.port > 0)
    except ValueError:
        return False
    plain = not (parts.query or parts.fragment or "@" in parts.netloc or "?" in address or "#" in address)
    return bool(known and plain and (parts.scheme == "https" or (parts.scheme == "http" and is_loopback(address))))
