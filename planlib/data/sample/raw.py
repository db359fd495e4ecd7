"""Where raw files lie: data/raw/<platform>/<day of the pull>/<file>."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from planlib.data.sample.brand import Brand
from planlib.data.sample.encode import Part, chunks, split_rows
from planlib.data.store import raw_dir

Payload = Mapping[str, Any]
PAGE = 100  # records on a page of contacts, as WeCom limits it
OK = {"errcode": 0, "errmsg": "ok"}


PLATFORMS = {
    "wecom": "wecom",
    "oa": "official_account",
    "mp": "mini_program",
    "shop": "shop",
    "wxpay": "wxpay",
    "scrm": "scrm",
}
SHEETS = "sheets"


class Raw:
    """Writes raw files below a folder.

    The kind of a file begins with its platform, `mp_visits`; what begins otherwise is a sheet that the brand keeps.

    Args:
        root: the data folder; files go to root/raw.
        brand: gives the dates.
    """

    def __init__(self, root: Path, brand: Brand):
        self.folder = raw_dir(root)
        self.brand = brand
        self._made: set[Path] = set()

    def blocks(self, pulled: int, name: str, blocks: Iterable[bytes]) -> None:
        """Write a file, pulled on a day of the period, block by block; without a byte to write there is no file."""
        filled = (block for block in blocks if block)
        head = next(filled, None)
        if head is None:
            return
        folder = self.folder / PLATFORMS.get(name.partition("_")[0], SHEETS) / f"{self.brand.day(pulled):%Y%m%d}"
        if folder not in self._made:
            folder.mkdir(parents=True, exist_ok=True)
            self._made.add(folder)
        with open(folder / name, "wb") as file:
            file.write(head)
            file.writelines(filled)

    def payload(self, kind: str, pulled: int, payload: Payload, **request: object) -> None:
        """Write one answer of an interface; the file's name says what was asked for and the answer does not repeat."""
        name = "".join(f".{key}={value}" for key, value in request.items())
        self.blocks(pulled, f"{kind}{name}.json", [_line(payload)])

    def answers(self, kind: str, pulled: int, answers: Iterable[tuple[dict[str, str], Payload]]) -> None:
        """Write answers of one interface, one a line, each beside its request where there is one."""
        found = (
            _line({"request": request, "response": payload} if request else payload) for request, payload in answers
        )
        self.blocks(pulled, f"{kind}.jsonl", found)

    def months(self) -> Iterator[tuple[int, int]]:
        """Yield (first day, day after the last) of each month; the days before the first whole month belong to it."""
        edges = (0, *self.brand.month_ends()[1:])
        yield from pairwise(edges)

    def weeks(self) -> Iterator[tuple[int, int]]:
        """Yield (first day, day after the last: the day of the pull) of each week; the last is a part of one."""
        for first in range(0, self.brand.days, 7):
            yield first, min(first + 7, self.brand.days)


def _line(payload: object) -> bytes:
    return (json.dumps(payload, ensure_ascii=False) + "\n").encode("utf-8")


def pages(records: Iterable[bytes], head: bytes, tail: bytes) -> Iterator[bytes]:
    """Yield pages of one list, a page a line; every page's records end in a comma and a blank."""
    for page in records:
        yield head + page[:-2] + tail


def paged(n: int, parts: Iterator[tuple[Part, ...]], size: int) -> Iterator[bytes]:
    """Yield the records of each page of `size` of n rows; `parts` gives the columns of each chunk of rows."""
    for piece, columns in zip(chunks(n, 200 * size), parts, strict=True):
        count = piece.stop - piece.start
        yield from split_rows(np.arange(count) // size, -(-count // size), *columns)
