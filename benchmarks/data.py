"""Raw files into tidy tables: JSON records a second, from bytes on disk to sorted Parquet, ids hashed."""

from __future__ import annotations

import json
import statistics
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

from harness import Row, scratch, seconds_of

LEAST_A_SECOND = 200_000
RECORDS = 2_000_000
PAGE = 500  # records of one response, as the platform gives them
_OK = '{"errcode": 0, "errmsg": "ok", "next_cursor": "", "send_list": ['
_LOAD = "import sys; from planlib.data.load import load; assert not load(sys.argv[1]).aside"


def measure(repeats: int) -> Iterator[Row]:
    """Yield the rate of loading for results of mass messages and for orders of the shop, each the median."""
    with scratch() as folder:
        yield _rate("send results, a page a line", _pages, RECORDS, repeats, folder)
        yield _rate("send results, one long document", _document, RECORDS, repeats, folder)
        yield _rate("shop orders, one a line", _orders, RECORDS // 10, repeats, folder, promised=False)


def _rate(
    name: str, write: Callable[[Path, int], None], records: int, repeats: int, folder: Path, *, promised: bool = True
) -> Row:
    seconds = []
    for _ in range(repeats):
        with TemporaryDirectory(dir=folder) as root:
            raw = Path(root) / "raw" / "20261111"
            raw.mkdir(parents=True)
            write(raw, records)
            seconds.append(seconds_of([sys.executable, "-c", _LOAD, root]))
    rate = records / statistics.median(seconds)
    kept = rate >= LEAST_A_SECOND if promised else None
    bound = f">= {LEAST_A_SECOND / 1000:g} k/s" if promised else ""
    return Row(name=name, ours=rate / 1000, unit="k/s", bound=bound, kept=kept)


def _results(count: int) -> Iterator[str]:
    for n in range(count):
        yield (
            f'{{"external_userid": "wmBench{n:012d}", "userid": "staff{n % 200:03d}", "status": {n % 4}, '
            f'"send_time": {1793845862 + n % 86400}}}'
        )


def _pages(raw: Path, count: int) -> None:
    made = list(_results(count))
    with open(raw / "send_result.msgid=bench.jsonl", "w", encoding="utf-8") as file:
        for first in range(0, count, PAGE):
            file.write(_OK + ", ".join(made[first : first + PAGE]) + "]}\n")


def _document(raw: Path, count: int) -> None:
    with open(raw / "send_result.msgid=bench.json", "w", encoding="utf-8") as file:
        file.write(_OK + ", ".join(_results(count)) + "]}\n")


def _orders(raw: Path, count: int) -> None:
    with open(raw / "orders.jsonl", "w", encoding="utf-8") as file:
        for n in range(count):
            order = {
                "order_id": str(37_046_123 * 10**11 + n), "status": 100, "openid": f"oBench{n % 50_000}",
                "unionid": f"uBench{n % 50_000}", "create_time": 1793548800 + n,
                "order_detail": {
                    "product_infos": [{"product_id": "1", "sku_id": "2", "sku_cnt": 1, "title": "面霜",
                                       "sale_price": 12900, "real_price": 12900}],
                    "pay_info": {"transaction_id": str(n), "pay_time": 1793548820 + n},
                    "price_info": {"product_price": 12900, "order_price": 12900, "freight": 0, "discounted_price": 0},
                    "ext_info": {"order_scene": 2},
                },
            }  # fmt: skip
            file.write(json.dumps({"errcode": 0, "errmsg": "ok", "order": order}, ensure_ascii=False) + "\n")
