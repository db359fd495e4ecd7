"""The shop: orders, their items, the daily figures of its compass; and the payment bill."""

from __future__ import annotations

from planlib.data.sources.base import Source, out, source

_PRICE = "order.order_detail.price_info"

SOURCES: tuple[Source, ...] = (
    source("shop_order", "order", "order_id order_detail",
           out("orders", "", {
               "order_id": "order.order_id text", "created_at": "order.create_time seconds",
               "paid_at": "order.order_detail.pay_info.pay_time seconds", "status": "order.status code",
               "openid_hid": "order.openid id", "unionid_hid": "order.unionid id",
               "product_yuan": f"{_PRICE}.product_price fen", "order_yuan": f"{_PRICE}.order_price fen",
               "freight_yuan": f"{_PRICE}.freight fen", "discount_yuan": f"{_PRICE}.discounted_price fen 0",
               "order_scene": "order.order_detail.ext_info.order_scene code",
               "sharer_type": "order.order_detail.sharer_info.sharer_type code",
               "share_scene": "order.order_detail.sharer_info.share_scene code",
               "sharer_hid": "order.order_detail.sharer_info.sharer_openid id",
               "is_present": "order.is_present yes FALSE",
               "wx_txn_id": "order.order_detail.pay_info.transaction_id text",
               "store_id": "@store_id text", "channel_id": "@channel_id text",
               "source_account": "order.order_detail.ext_info.finder_id text",
           }),
           out("order_items", "order.order_detail.product_infos[]", {
               "order_id": "order.order_id text", "sku_id": ".sku_id text ''", "product_id": ".product_id text",
               "title": ".title text", "qty": ".sku_cnt count", "sale_price_yuan": ".sale_price fen",
               "real_price_yuan": ".real_price fen", "aftersale_qty": ".finish_aftersale_sku_cnt count 0",
           }),
           out("id_links", "", {
               "external_hid": "@none text ''", "unionid_hid": "order.unionid id ''",
               "openid_hid": "order.openid id ''",
               "appid": "@appid text", "seen_at": "@pulled time",
           }, where="openid_hid <> '' OR unionid_hid <> ''", distinct=True)),
    source("shop_order_ids", "order_id_list[]", ""),
    source("shop_compass", "data", "pay_gmv pay_uv",
           out("shop_daily", "", {
               "date": "@ds date", "pay_gmv_yuan": "data.pay_gmv fen", "pay_users": "data.pay_uv count",
               "pay_orders": "data.pay_order_cnt count", "refund_yuan": "data.pay_refund_gmv fen",
               "product_click_users": "data.product_click_uv count", "live_gmv_yuan": "data.live_pay_gmv fen",
               "feed_gmv_yuan": "data.feed_pay_gmv fen",
           }), unique=True, needs=("ds",)),
)  # fmt: skip
