"""Ids of people become keyed hashes on the way in.

SHA-256 over a secret key of 32 bytes (the salt file) and the id, cut to 24 hexadecimal digits: 96 bits, so that among
a hundred million people two share a hash with a probability below one in ten trillion. Without the key nobody can tell
whose hash it is by trying all ids; whoever has the key can, so the hashes are pseudonyms and still personal data. HMAC
would hash four blocks in place of one; what it guards against, somebody who lengthens a text and goes on from its
hash, cannot be done with a third of the hash.
"""

from __future__ import annotations

import hashlib
import os
import secrets
from pathlib import Path
from typing import TYPE_CHECKING

from planlib.core.errors import InputError, Problem
from planlib.data.store import SALT

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

DIGITS = 24
_SALT_BYTES = 32
EVERYONE = "ALL"


def salt(root: str | Path) -> bytes:
    """Return the key of a data folder, made on first use with mode 0600.

    Raises:
        InputError: the file is there but holds no key.
    """
    path = Path(root) / SALT
    if not path.is_file():
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="ascii") as file:
                file.write(secrets.token_hex(_SALT_BYTES) + "\n")
        except FileExistsError:
            pass  # another process was quicker
    try:
        key = bytes.fromhex(path.read_text(encoding="ascii").strip())
    except ValueError:
        key = b""
    if len(key) < _SALT_BYTES:
        raise InputError(Problem("data_salt", file=str(path)))
    return key


def hashed(key: bytes, raw: str) -> str:
    """Return the hash of one id.

    >>> hashed(b"k" * 32, "wmDemoAAAA0001") == hashed(b"k" * 32, " wmDemoAAAA0001 ")
    True
    """
    return hashlib.sha256(key + raw.strip().encode()).hexdigest()[:DIGITS]


def teach(db: DuckDBPyConnection, key: bytes) -> None:
    """Define `hid(text)` in SQL: the same hash, NULL for an empty id, `ALL` as it is."""
    db.execute("SET VARIABLE hid_key = from_hex($key)", {"key": key.hex()})
    db.execute(
        "CREATE OR REPLACE TEMP MACRO hid(raw) AS CASE WHEN raw IS NULL OR trim(raw) = '' THEN NULL "
        f"WHEN raw = '{EVERYONE}' THEN raw ELSE left(sha256(getvariable('hid_key') || encode(trim(raw))), {DIGITS}) END"
    )
