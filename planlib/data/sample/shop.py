"""Raw files of the shop and of the payment bill: orders, their ids, the compass by day, bills by day."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from planlib.core.streams import stream
from planlib.data.sample.brand import SECONDS_PER_DAY, Brand, salt
from planlib.data.sample.encode import Part, chunks, clock, column, decimals, digits, ids, rows, split_rows
from planlib.data.sample.orders import RETURNED, Orders
from planlib.data.sample.people import People
from planlib.data.sample.raw import OK, PAGE, Raw, pages

FIRST_ORDER = 3_704_600_000_000_000_000
PAY_SECONDS = 17  # between ordering and paying
LIVE, FEED = 2, 3  # scenes
BILL_HEAD = (
    "交易时间,公众账号ID,商户号,特约商户号,设备号,微信订单号,商户订单号,用户标识,交易类型,交易状态,付款银行,货币种类,应结订单金额,代金券金额,"
    "微信退款单号,商户退款单号,退款金额,充值券退款金额,退款类型,退款状态,商品名称,商户数据包,手续费,费率,订单金额,申请退款金额,费率备注\n"
)
BILL_SUMS = "总交易单数,应结订单总金额,退款总金额,充值券退款总金额,手续费总金额,订单总金额,申请退款总金额\n"


class Shop:
    """What orders share between files.

    Args:
        last_channel: (K,) channel of the last visit before each order, -1 without.
    """

    def __init__(self, brand: Brand, people: People, orders: Orders, last_channel: np.ndarray, seed: int):
        self.brand, self.orders = brand, orders
        guest = orders.customer < 0
        # every stranger is a person of its own; openid and unionid come from the same number
        number = np.where(guest, len(people) + np.cumsum(guest) - 1, orders.customer)
        # but buyers of refills, who come back
        number = np.where(orders.refiller >= 0, len(people) + guest.sum() + orders.refiller, number)
        self.openid = ids("oSmpO", number, salt(seed, "openid"))
        self.unionid = ids("oSmpU", number, salt(seed, "unionid"))
        self.created = brand.seconds(orders.at)
        last_second = brand.start + brand.days * SECONDS_PER_DAY - 1
        self.paid_at = np.minimum(self.created + PAY_SECONDS, last_second)
        self.order_id = digits(FIRST_ORDER + np.arange(len(orders)))
        days = column([f"{brand.day(i):%Y%m%d}" for i in range(brand.days)])
        self.pay_day = (self.paid_at - brand.start) // SECONDS_PER_DAY
        serial = digits(np.arange(len(orders)), width=9)
        self.txn = np.char.add(np.char.add(b"420000", days[self.pay_day]), serial)
        self.trade_no = np.char.add(np.char.add(b"SO", days[self.pay_day]), serial)
        scenes = np.array([c["scene"] for c in brand.tree["channels"]])
        other = stream(seed, "scenes of strangers").integers(1, 7, size=len(orders))
        self.scene = np.where(last_channel >= 0, scenes[last_channel], other)
        states = column([c["state"] for c in brand.tree["channels"]] + [""])
        self.attach = states[last_channel]
        self.staff = np.where(guest, b"", people.staff_ids[people.staff[orders.customer]])


def write_orders(raw: Raw, brand: Brand, shop: Shop) -> None:
    """Write every order as its answer, one a line, and the lists of their ids."""
    orders = shop.orders
    for first, end in raw.weeks():
        low, high = np.searchsorted(orders.at, [first, end])
        raw.blocks(end, "shop_order.jsonl", _orders(brand, shop, int(low), int(high)))
        count = int(high - low)
        page = np.arange(count) // PAGE
        n_pages = -(-count // PAGE)
        records = split_rows(page, n_pages, b'"', shop.order_id[low:high], b'", ') if count else iter(())
        text = list(pages(records, b'{"errcode": 0, "errmsg": "ok", "order_id_list": [', b"]"))
        tails = [
            f', "next_key": "k{i + 1}", "has_more": {"true" if i + 1 < n_pages else "false"}}}\n'.encode()
            for i in range(n_pages)
        ]
        raw.blocks(end, "shop_order_ids.jsonl", (body + tail for body, tail in zip(text, tails, strict=True)))


def _orders(brand: Brand, shop: Shop, low: int, high: int) -> Iterator[bytes]:
    o, products = shop.orders, brand.goods
    product = column([f'"product_id": "{p["id"]}", "sku_id": "{p["sku"]}"' for p in products])
    sku, title = column([p["sku"] for p in products]), column([p["name"] for p in products])
    market = digits(np.array([100 * p["price"] for p in products]))
    for piece in chunks(high - low):
        k = np.arange(low + piece.start, low + piece.stop)
        paid, returned = o.paid[k], np.isfinite(o.refunded_at[k])
        shared = o.customer[k] >= 0
        update = np.where(returned, brand.seconds(np.where(returned, o.refunded_at[k], 0.0)), shop.paid_at[k])
        yield rows(
            b'{"errcode": 0, "errmsg": "ok", "order": {"order_id": "', shop.order_id[k], b'", "status": ',
            digits(o.status[k]),
            b', "openid": "', shop.openid[k], b'", "unionid": "', shop.unionid[k], b'", "create_time": ',
            digits(shop.created[k]),
            b', "update_time": ', digits(update), b', "order_detail": {"product_infos": [{', product[o.product[k]],
            b', "sku_cnt": ', digits(o.qty[k]), b', "title": "', title[o.product[k]], b'", "sale_price": ',
            digits(o.sale_fen[k]),
            b', "market_price": ', market[o.product[k]], b', "real_price": ', digits(o.order_fen[k]),
            b', "on_aftersale_sku_cnt": 0, "finish_aftersale_sku_cnt": ', digits(np.where(o.status[k] == RETURNED,
            o.qty[k], 0)),
            b'}], "pay_info": {', np.where(paid, b'"transaction_id": "', b""), np.where(paid, shop.txn[k], b""),
            np.where(paid, b'", "prepay_time": ', b""), np.where(paid, digits(shop.created[k] + 2), b""),
            np.where(paid, b', "pay_time": ', b""), np.where(paid, digits(shop.paid_at[k]), b""),
            np.where(paid, b', "payment_method": 1', b""), b'}, "price_info": {"product_price": ',
            digits(o.product_fen[k]),
            b', "order_price": ', digits(o.order_fen[k]), b', "freight": 0, "discounted_price": ',
            digits(o.discount_fen[k]),
            b', "is_discounted": ', np.where(o.discount_fen[k] > 0, b"true", b"false"), b', "original_order_price": ',
            digits(o.product_fen[k]), b'}, "ext_info": {"order_scene": ', digits(shop.scene[k]),
            b', "finder_id": "sphSmp"}',
            np.where(shared, b', "sharer_info": {"sharer_openid": "oSmpStaff-', b""), shop.staff[k],
            np.where(shared, b'", "sharer_type": 1, "share_scene": 5, "handling_progress": 1}', b""),
            b', "source_infos": [{"sku_id": "', sku[o.product[k]],
            b'", "account_type": 1, "account_id": "sphSmp", "sale_channel": 0, "account_nickname": "',
            '示例旗舰店"}], "settle_info": {"predict_commission_fee": 0, "commission_fee": 0}}, '.encode(),
            b'"aftersale_detail": {"aftersale_order_list": [',
            np.where(returned, b'{"aftersale_order_id": "', b""), np.where(returned, digits(80_000_000 + k), b""),
            np.where(returned, b'", "status": 1}', b""), b'], "on_aftersale_order_cnt": 0}}}\n',
        )  # fmt: skip


def write_compass(raw: Raw, brand: Brand, shop: Shop, seed: int) -> None:
    """Write the shop's own daily totals; they agree with the orders."""
    o = shop.orders
    paid = np.flatnonzero(o.paid)
    day, fen = shop.pay_day[paid], o.order_fen[paid]

    def by_day(days: np.ndarray, weights: np.ndarray) -> np.ndarray:
        return np.bincount(days, weights=weights, minlength=brand.days).astype(np.int64)

    gmv, count = by_day(day, fen), np.bincount(day, minlength=brand.days)
    live, feed = by_day(day, fen * (shop.scene[paid] == LIVE)), by_day(day, fen * (shop.scene[paid] == FEED))
    back = np.flatnonzero(np.isfinite(o.refunded_at))
    refunds = by_day(np.floor(o.refunded_at[back]).astype(np.int64), o.refund_fen[back])
    pairs = np.unique(np.stack([day, np.unique(shop.openid[paid], return_inverse=True)[1]]), axis=1)
    buyers = np.bincount(pairs[0], minlength=brand.days)
    clicks = buyers + stream(seed, "clicks").poisson(7 * buyers + 1)

    def day_of(d: int) -> tuple[dict[str, str], dict[str, Any]]:
        data = {"pay_gmv": str(gmv[d]), "pay_uv": str(buyers[d]), "pay_order_cnt": str(count[d]),
                "pay_refund_gmv": str(refunds[d]),
                "product_click_uv": str(clicks[d]), "live_pay_gmv": str(live[d]),
                "feed_pay_gmv": str(feed[d])}  # fmt: skip
        return {"ds": f"{brand.day(d):%Y%m%d}"}, {**OK, "data": data}

    for first, end in raw.weeks():
        raw.answers("shop_compass", end, map(day_of, range(first, end)))


def write_bills(raw: Raw, brand: Brand, shop: Shop) -> None:
    """Write a payment bill a day: payments and refunds as orders have them, back-ticks, two summary lines."""
    o = shop.orders
    paid, back = np.flatnonzero(o.paid), np.flatnonzero(np.isfinite(o.refunded_at))
    refund_at = brand.seconds(o.refunded_at[back])
    k = np.concatenate([paid, back])
    at = np.concatenate([shop.paid_at[paid], refund_at]) - brand.start
    is_refund = np.arange(len(k)) >= len(paid)
    order = np.argsort(at, kind="stable")
    k, at, is_refund = k[order], at[order], is_refund[order]
    day = at // SECONDS_PER_DAY
    settle = np.where(is_refund, 0, o.order_fen[k])
    product = np.where(is_refund, 0, o.product_fen[k])
    coupon = np.where(is_refund, 0, o.discount_fen[k])
    refund = np.where(is_refund, o.refund_fen[k], 0)
    fee = np.round(brand.figures["fee_rate"] * (settle - refund)).astype(np.int64)
    rate = f"`{100 * brand.figures['fee_rate']:.2f}%".encode()
    columns = _bill(brand, shop, k, at, is_refund, settle, coupon, product, refund, fee, rate)
    texts = _by_day(day, brand.days, columns)
    sums = {name: np.bincount(day, weights=values, minlength=brand.days).astype(np.int64)
            for name, values in {"settle": settle, "refund": refund, "fee": fee,
                                 "product": product}.items()}  # fmt: skip
    count = np.bincount(day, minlength=brand.days)
    for d, text in enumerate(texts):
        tail = (
            f"`{count[d]},`{_yuan(sums['settle'][d])},`{_yuan(sums['refund'][d])},`0.00,`{_yuan(sums['fee'][d])}000,"
            f"`{_yuan(sums['product'][d])},`{_yuan(sums['refund'][d])}\n"
        )
        name = f"wxpay_tradebill_ALL_{brand.day(d):%Y%m%d}.csv"
        raw.blocks(min(d // 7 * 7 + 7, brand.days), name, [BILL_HEAD.encode(), text, BILL_SUMS.encode(), tail.encode()])


def _bill(brand: Brand, shop: Shop, k, at, is_refund, settle, coupon, product, refund, fee, rate) -> tuple[Part, ...]:
    o = shop.orders
    day = at // SECONDS_PER_DAY
    dates = column([str(brand.day(i)) for i in range(brand.days)])
    title = column([p["name"] for p in brand.goods])
    number = digits(k, width=9)
    return (
        b"`", dates[day], b" ", clock(at / SECONDS_PER_DAY), b",`wxsmp00000000001,`1900000000,`0,`,`", shop.txn[k],
        b",`",
        shop.trade_no[k], b",`", shop.openid[k], b",`JSAPI,`", np.where(is_refund, b"REFUND", b"SUCCESS"),
        b",`OTHERS,`CNY,`",
        decimals(settle), b",`", decimals(coupon), b",`", np.where(is_refund, b"503000", b"0"), np.where(is_refund,
        number, b""),
        b",`", np.where(is_refund, b"RF", b"0"), np.where(is_refund, number, b""), b",`", decimals(refund), b",`0.00,`",
        np.where(is_refund, b"ORIGINAL", b""), b",`", np.where(is_refund, b"SUCCESS", b""), b",`",
        title[o.product[k]], b",`",
        shop.attach[k], b",`", decimals(1000 * fee, places=5), b"," + rate + b",`", decimals(product), b",`",
        decimals(refund), b",`\n",
    )  # fmt: skip


def _by_day(day: np.ndarray, days: int, columns: tuple[Part, ...], step: int = 30) -> Iterator[bytes]:
    """Yield the text of each day, some weeks at once, so that memory stays bounded."""
    for first in range(0, days, step):
        last = min(first + step, days)
        low, high = np.searchsorted(day, [first, last])
        some = tuple(part[low:high] if isinstance(part, np.ndarray) else part for part in columns)
        yield from split_rows(day[low:high] - first, last - first, *some)


def _yuan(fen: int) -> str:
    sign = "-" if fen < 0 else ""
    return f"{sign}{abs(fen) // 100}.{abs(fen) % 100:02d}"
