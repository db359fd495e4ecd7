"""Sheets (csv, xlsx) that people keep or export; their headers are matched by headers.yaml.

The same records are also read from JSON whose keys are the column names.
"""

from __future__ import annotations

from planlib.data.sources.base import Source, out, source

_COUNTS = (
    "qr_new_today", "qr_new_total", "scans_total", "scans_today", "link_visits_total", "link_visits_today",
    "scans_new", "added_customers", "scans_known", "lost_people", "acq_new_total", "acq_active_total",
    "acq_new_today", "acq_active_today", "fission_tasks_total", "fission_new_total", "fission_tasks_today",
    "fission_new_today", "order_count", "order_sum_yuan", "refund_sum_yuan", "net_sum_yuan",
)  # fmt: skip


def _sheet(name: str, required: str, *outs, **rest) -> Source:
    return source(name, "", required, *outs, sheet=True, **rest)


SOURCES: tuple[Source, ...] = (
    _sheet("sheet_staff_daily", "date",
           out("staff_daily", "", {
               "date": "date date", "scope_id": "scope id 'ALL'", "chats": "chats count", "messages": "messages count",
               "reply_rate": "reply_rate share", "first_reply_min": "first_reply_min amount",
               "new_apply": "new_apply count", "new_contact": "new_contact count",
               "lost_customers": "lost_customers count", "customers_total": "customers_total count",
           }, helps={"net_new": "net_new whole"}), unique=True, whole="scope_id"),
    _sheet("sheet_group_daily", "date",
           out("group_daily", "", {
               "date": "date date", "owner_id": "owner id 'ALL'", "groups_total": "groups_total count",
               "new_groups": "new_groups count", "closed_groups": "closed_groups count",
               "members_total": "members_total count", "new_members": "new_members count",
               "lost_members": "lost_members count", "messages_cum": "messages_cum count",
               "members_active": "members_active count", "groups_active": "groups_active count",
           }), unique=True, whole="owner_id"),
    _sheet("sheet_customers", "external_userid added_at",
           out("customers", "", {
               "external_hid": "external_userid id", "wx_type": "wx_type code", "gender": "gender text",
               "do_not_contact": "do_not_contact yes", "last_seen_at": "@pulled time",
           }),
           out("follow_edges", "", {
               "external_hid": "external_userid id", "staff_id": "staff id ''", "added_at": "added_at time",
               "add_way": "add_way code", "state": "state text", "last_seen_at": "@pulled time",
           }),
           out("id_links", "", {
               "external_hid": "external_userid id", "unionid_hid": "unionid id ''", "openid_hid": "@none text ''",
               "seen_at": "@pulled time",
           })),
    _sheet("sheet_consent", "external_userid consent_status",
           out("customers", "", {
               "external_hid": "external_userid id", "consent_status": "consent_status text",
               "do_not_contact": "do_not_contact yes",
           })),
    _sheet("sheet_counts", "date",
           *(out("daily_counts", "", {"date": "date date", "scope_id": "scope id 'ALL'", "value": f"{name} number"},
                 computed={"measure": f"'{name}'"}, where="value IS NOT NULL") for name in _COUNTS), unique=True),
    _sheet("sheet_moment_interactions", "person kind at",
           out("moment_interactions", "", {
               "msg_id": "moment text ''", "person_hid": "person id", "at": "at time", "kind": "kind text",
           }, computed={"kind": "CASE kind WHEN '3' THEN 'like' WHEN '4' THEN 'comment' ELSE kind END"})),
    _sheet("sheet_orders", "order_id created_at order_yuan",
           out("orders", "", {
               "order_id": "order_id text", "created_at": "created_at time", "paid_at": "paid_at time",
               "order_yuan": "order_yuan yuan", "product_yuan": "product_yuan yuan",
               "freight_yuan": "freight_yuan yuan",
               "discount_yuan": "discount_yuan yuan", "refund_yuan": "refund_yuan yuan", "openid_hid": "openid id",
               "unionid_hid": "unionid id", "channel_id": "channel_id text", "store_id": "store_id text",
               "status": "status code 100", "is_present": "@none yes FALSE",
           }),
           out("order_items", "", {
               "order_id": "order_id text", "sku_id": "product text ''", "title": "product text", "qty": "qty count 1",
           }, where="title IS NOT NULL"),
           out("id_links", "", {
               "external_hid": "@none text ''", "unionid_hid": "unionid id ''", "openid_hid": "openid id ''",
               "seen_at": "@pulled time",
           }, where="openid_hid <> '' AND unionid_hid <> ''", distinct=True)),
    _sheet("sheet_costs", "channel_id amount_yuan",
           out("costs", "", {
               "date": "date date", "channel_id": "channel_id text", "amount_yuan": "amount_yuan signed_yuan",
               "cost_type": "cost_type text 'media'", "note": "note text",
           }, helps={"week": "week date", "month": "month date"}, computed={
               "days": "CASE WHEN date IS NOT NULL THEN 1 WHEN week IS NOT NULL THEN 7 ELSE day(last_day(month)) END",
               "date": "COALESCE(date, week, month)",
           }), unique=True),
    _sheet("sheet_channels", "channel_id",
           out("channels", "", {
               "channel_id": "channel_id text", "name": "name text", "kind": "kind text", "state": "state text",
               "link_id": "link_id text", "owner": "owner id", "cost_model": "cost_model text",
               "unit_cost_yuan": "unit_cost_yuan yuan", "start_on": "start_on date", "end_on": "end_on date",
           }), unique=True),
    _sheet("sheet_staff", "staff store_id",
           out("staff", "", {
               "staff_id": "staff id", "store_id": "store_id text", "region_id": "region_id text",
               "department": "department text", "role": "role text",
           }), unique=True),
    _sheet("sheet_touches", "person at touch_type",
           out("touches", "", {
               "person_hid": "person id", "at": "at time", "channel_id": "channel_id text ''",
               "touch_type": "touch_type text", "campaign_id": "campaign_id text",
           })),
    _sheet("sheet_experiments", "exp_id unit",
           out("experiments", "", {
               "exp_id": "exp_id text", "unit": "unit text", "name": "name text", "metric": "metric text",
               "start_on": "start_on date", "end_on": "end_on date",
           }), unique=True),
    _sheet("sheet_assignments", "exp_id unit_id variant",
           out("assignments", "", {
               "exp_id": "exp_id text", "unit_hid": "unit_id id", "variant": "variant text",
               "ratio_planned": "ratio_planned share", "assigned_at": "assigned_at time", "block": "block text",
           }), unique=True),
    _sheet("sheet_outcomes", "exp_id unit_id metric value",
           out("outcomes", "", {
               "exp_id": "exp_id text", "unit_hid": "unit_id id", "metric": "metric text", "value": "value number",
               "at": "at time TIMESTAMP '1970-01-01'",
           }), unique=True),
    _sheet("sheet_audits", "audit_kind item checked_at correct",
           out("audits", "", {
               "audit_kind": "audit_kind text", "subject_hid": "subject id ''", "item": "item text",
               "checked_at": "checked_at time", "correct": "correct yes", "store_id": "store_id text",
               "region_id": "region_id text",
           })),
    _sheet("wxpay_bill", "at wx_txn_id row_type",
           out("payments", "", {
               "wx_txn_id": "wx_txn_id text", "row_type": "row_type text", "refund_id": "refund_id text ''",
               "out_trade_no": "out_trade_no text", "at": "at time", "openid_hid": "openid id", "appid": "appid text",
               "merchant_id": "merchant_id text", "trade_type": "trade_type text", "settle_yuan": "settle_yuan yuan",
               "coupon_yuan": "coupon_yuan yuan", "order_yuan": "order_yuan yuan", "refund_yuan": "refund_yuan yuan",
               "refund_applied_yuan": "refund_applied_yuan yuan", "fee_yuan": "fee_yuan fee",
               "fee_rate": "fee_rate share", "attach": "attach text",
           }, computed={"refund_id": "CASE WHEN refund_id = '0' THEN '' ELSE refund_id END"}), whole="merchant_id"),
)  # fmt: skip
