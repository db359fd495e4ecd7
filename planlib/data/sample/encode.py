"""Rows of text from numpy columns, fast enough for millions: every row is assembled in one byte matrix.

A column is an array of bytes of fixed width, padded with NUL; NUL never occurs in the files written here, so that
taking the padding out afterwards leaves rows of different lengths.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise

import numpy as np

CHUNK_ROWS = 20_000
ALPHABET = np.frombuffer(b"ABCDEFGHJKLMNPQRSTUVWXYZabcdefgh", dtype=np.uint8)  # 32 letters: five bits each
ID_LETTERS = 13  # 13 x 5 bits hold 64 bits
Part = bytes | np.ndarray


def column(words: Sequence[str]) -> np.ndarray:
    """Return words as a byte column.

    >>> column(["a", "柚"]).tolist()
    [b'a', b'\\xe6\\x9f\\x9a']
    """
    return np.array([word.encode("utf-8") for word in words], dtype=bytes)


def digits(values: np.ndarray, *, width: int = 0) -> np.ndarray:
    """Return whole numbers as a byte column.

    Args:
        values: (n,) whole numbers >= 0.
        width: fill up with zeros to so many digits; 0 for no zeros.

    >>> digits(np.array([7, 120]), width=4).tolist()
    [b'0007', b'0120']
    """
    rest = np.asarray(values, dtype=np.int64)
    wide = max(width, len(str(int(rest.max()))) if len(rest) else 1)
    out = np.empty((len(rest), wide), dtype=np.uint8)
    for place in range(wide - 1, -1, -1):
        rest, digit = np.divmod(rest, 10)
        out[:, place] = digit + 48
    if not width:
        leading = np.logical_and.accumulate(out == 48, axis=1)
        leading[:, -1] = False
        out[leading] = 0
    return out.view(f"S{wide}").ravel()


def decimals(values: np.ndarray, *, places: int = 2) -> np.ndarray:
    """Return whole numbers of the smallest unit as decimals, e.g. fen as yuan.

    >>> rows(decimals(np.array([23800, -59])), b" ")
    b'238.00 -0.59 '
    """
    whole = np.abs(np.asarray(values, dtype=np.int64))
    sign = np.where(np.asarray(values) < 0, b"-", b"")
    unit = 10**places
    return _joined(sign, digits(whole // unit), b".", digits(whole % unit, width=places))


def ids(prefix: str, numbers: np.ndarray, salt: int) -> np.ndarray:
    """Return invented ids, each number its own: a bijection of 64 bits, written in letters.

    >>> one = ids("wmSmp", np.arange(3), salt=1)
    >>> len(set(one.tolist())), one[0].startswith(b"wmSmp")
    (3, True)
    """
    with np.errstate(over="ignore"):  # splitmix64
        z = np.asarray(numbers).astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15) + np.uint64(salt)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        z ^= z >> np.uint64(31)
    start = prefix.encode("ascii")
    out = np.empty((len(z), len(start) + ID_LETTERS), dtype=np.uint8)
    out[:, : len(start)] = np.frombuffer(start, dtype=np.uint8)
    for place in range(ID_LETTERS):
        out[:, len(start) + place] = ALPHABET[(z >> np.uint64(5 * place)) & np.uint64(31)]
    return out.view(f"S{out.shape[1]}").ravel()


def matrix(*parts: Part) -> np.ndarray:
    """Return (n, width) bytes of parts side by side; bytes stand in every row, columns give a row each."""
    n = next(len(part) for part in parts if isinstance(part, np.ndarray))
    widths = [part.dtype.itemsize if isinstance(part, np.ndarray) else len(part) for part in parts]
    out = np.zeros((n, sum(widths)), dtype=np.uint8)
    at = 0
    for part, width in zip(parts, widths, strict=True):
        if isinstance(part, np.ndarray):
            if n and width:
                out[:, at : at + width] = np.ascontiguousarray(part).view(np.uint8).reshape(n, width)
        else:
            out[:, at : at + width] = np.frombuffer(part, dtype=np.uint8)
        at += width
    return out


def rows(*parts: Part) -> bytes:
    """Return the rows one after another.

    >>> rows(b"[", digits(np.array([1, 22])), b"]")
    b'[1][22]'
    """
    grid = matrix(*parts)
    return grid[grid != 0].tobytes()


def split_rows(groups: np.ndarray, n_groups: int, *parts: Part) -> Iterator[bytes]:
    """Yield the rows of each group, 0 to n_groups - 1; `groups` (n,) must be in order."""
    grid = matrix(*parts)
    filled = grid != 0
    text = grid[filled].tobytes()
    ends = np.concatenate([[0], np.cumsum(filled.sum(axis=1, dtype=np.int64))])
    edges = ends[np.searchsorted(groups, np.arange(n_groups + 1))]
    for first, last in pairwise(edges):
        yield text[first:last]


def chunks(n: int, size: int = CHUNK_ROWS) -> Iterator[slice]:
    """Yield slices that cover n rows, so that memory stays bounded."""
    for first in range(0, n, size):
        yield slice(first, min(first + size, n))


def _joined(*parts: Part) -> np.ndarray:
    """Return parts as one column; NUL inside is taken out with the rest."""
    grid = matrix(*parts)
    return grid.view(f"S{grid.shape[1]}").ravel()


_DAY_SECONDS = 86_400


def clock(at: np.ndarray) -> np.ndarray:
    """Return parts of a day (n,), 0 to 1, as a byte column HH:MM:SS.

    >>> clock(np.array([0.5, 3.25])).tolist()
    [b'12:00:00', b'06:00:00']
    """
    second = np.floor((np.asarray(at) % 1.0) * _DAY_SECONDS).astype(np.int64)
    hours, rest = np.divmod(second, 3600)
    minutes, seconds = np.divmod(rest, 60)
    return _joined(digits(hours, width=2), b":", digits(minutes, width=2), b":", digits(seconds, width=2))
