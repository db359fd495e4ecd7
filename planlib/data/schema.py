"""The tidy tables: columns, types, keys, and which columns are personal data.

Every table stands in data/tidy as Parquet. Money is in yuan as exact decimals, rates are shares from 0 to 1,
dates and times are those of Asia/Shanghai without a zone, and every id of a person is a keyed hash (`_hid`,
`staff_id`, `owner_id`, ...). Every table also has `source`, `pulled_at` and `file_no` (which file of the load ledger
a row came from). What a column means stands in the locale files under `data.fields.<column>`, what a table is
under `data.tables.<table>`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True, slots=True)
class Kind:
    """What a column holds.

    Args:
        sql: its type in standard SQL.
        personal: about one person, or an id of one, hashed or not.
        low, high: limits of the values, both allowed; None where there is none.
    """

    sql: str
    personal: bool = False
    low: float | None = None
    high: float | None = None


TEXT = Kind("VARCHAR")
PERSONAL = Kind("VARCHAR", personal=True)  # tells something of one person
HID = Kind("VARCHAR", personal=True)  # keyed hash of a customer's id
STAFF = Kind("VARCHAR", personal=True)  # keyed hash of a staff id; ALL for a whole firm
DATE = Kind("DATE")
TIME = Kind("TIMESTAMP")
COUNT = Kind("BIGINT", low=0)
WHOLE = Kind("BIGINT")
CODE = Kind("INTEGER")
YUAN = Kind("DECIMAL(18,2)", low=0)
SIGNED_YUAN = Kind("DECIMAL(18,2)")
FEE = Kind("DECIMAL(18,5)")
RATE = Kind("DOUBLE", low=0, high=1)
NUMBER = Kind("DOUBLE")
DURATION = Kind("DOUBLE", low=0)
YES = Kind("BOOLEAN")


@dataclass(frozen=True, slots=True)
class Column:
    """One column: name, kind, and whether it may be empty."""

    name: str
    kind: Kind
    nullable: bool = True


@dataclass(frozen=True, slots=True)
class Table:
    """One tidy table.

    Args:
        name: as SQL names it.
        columns: in order; `source`, `pulled_at`, `file_no` come last.
        key: columns that tell rows apart.
        day: the column that dates a row, for gaps, late data and purging; None where rows have no date.
        ends: the column that dates the end of what a row tells, by which it is purged in place of `day`.
        daily: a row is due for every day (gaps are counted).
        merged: rows of one key from several payloads complete each other; else the newest row stands alone.
        derived: made, or added to, from other tables at the end of a load.
        months_kept: how long its rows are of use, for tables with personal data: the longest window that a notebook
            looks back over. None: as long as what they tell is current.
    """

    name: str
    columns: tuple[Column, ...]
    key: tuple[str, ...]
    day: str | None = None
    ends: str | None = None
    daily: bool = False
    merged: bool = False
    derived: bool = False
    months_kept: int | None = None

    @property
    def personal(self) -> tuple[str, ...]:
        """Return the names of the columns that hold personal data."""
        return tuple(column.name for column in self.columns if column.kind.personal)

    @property
    def purged_on(self) -> str | None:
        """Return the column by which old rows are purged; None where rows are current states or sums of a day."""
        return None if self.daily else self.ends or self.day

    def column(self, name: str) -> Column:
        """Return the column `name`."""
        return next(column for column in self.columns if column.name == name)

    def ddl(self) -> str:
        """Return the columns as SQL declares them, without keys.

        >>> TABLES["tags"].ddl().partition(",")[0]
        '"tag_id" VARCHAR'
        """
        return ", ".join(f'"{column.name}" {column.kind.sql}' for column in self.columns)


LINEAGE = {"source": TEXT, "pulled_at": TIME, "file_no": WHOLE}


def _table(name: str, key: str, columns: Mapping[str, Kind], *, needs: str = "", **options: object) -> Table:
    """Declare a table; key columns, those in `needs` and the lineage are never empty."""
    keys = tuple(key.split())
    filled = {*keys, *needs.split(), *LINEAGE}
    made = tuple(Column(c, kind, c not in filled) for c, kind in {**columns, **LINEAGE}.items())
    return Table(name, made, keys, **options)


_ALL = (
    # ---- people
    _table(  # one row an id of a person: external_hid or openid_hid, the other ''; both '' for a unionid seen alone
        "id_map", "person_hid external_hid openid_hid",
        {"person_hid": HID, "external_hid": HID, "unionid_hid": HID, "openid_hid": HID, "appid": TEXT,
         "bound_at": TIME}, derived=True),
    _table(
        "id_links", "external_hid unionid_hid openid_hid",  # ids seen together in one record; '' where it had none
        {"external_hid": HID, "unionid_hid": HID, "openid_hid": HID, "appid": TEXT, "seen_at": TIME}),
    _table(
        "customers", "external_hid",
        {"external_hid": HID, "wx_type": CODE, "gender": PERSONAL, "first_add_at": TIME, "n_followers": COUNT,
         "consent_status": PERSONAL, "do_not_contact": YES, "last_seen_at": TIME},
        day="first_add_at", ends="last_seen_at", merged=True, months_kept=25),
    _table(
        "follow_edges", "external_hid staff_id",
        {"external_hid": HID, "staff_id": STAFF, "added_at": TIME, "add_way": CODE, "add_way_label": TEXT,
         "state": TEXT, "channel_id": TEXT, "initiator": TEXT, "removed_at": TIME, "removed_by": TEXT,
         "is_active": YES, "last_seen_at": TIME},
        day="added_at", ends="removed_at", merged=True, months_kept=25),
    _table(  # callbacks of customers who left or were removed
        "edge_events", "external_hid staff_id event at",
        {"external_hid": HID, "staff_id": STAFF, "event": TEXT, "at": TIME}, day="at", months_kept=25),
    _table(
        "customer_tags", "external_hid staff_id tag_id",
        {"external_hid": HID, "staff_id": STAFF, "tag_id": TEXT, "group_name": TEXT, "tag_name": TEXT,
         "tag_type": CODE, "as_of": DATE}),
    _table(
        "tags", "tag_id",
        {"tag_id": TEXT, "group_id": TEXT, "group_name": TEXT, "tag_name": TEXT, "deleted": YES,
         "created_at": TIME}),
    _table(
        "staff", "staff_id",
        {"staff_id": STAFF, "store_id": TEXT, "region_id": TEXT, "department": TEXT, "role": TEXT}),
    _table(
        "acq_customers", "external_hid staff_id",
        {"external_hid": HID, "staff_id": STAFF, "chat_status": CODE, "state": TEXT, "link_id": TEXT}),
    # ---- channels and reach
    _table(
        "channels", "channel_id",
        {"channel_id": TEXT, "name": TEXT, "kind": TEXT, "state": TEXT, "link_id": TEXT, "owner": PERSONAL,
         "cost_model": TEXT, "unit_cost_yuan": YUAN, "start_on": DATE, "end_on": DATE}),
    _table(
        "acq_link_daily", "date link_id",
        {"date": DATE, "link_id": TEXT, "clicks": COUNT, "new_customers": COUNT}, day="date", daily=True),
    _table(
        "sends", "msg_id",
        {"msg_id": TEXT, "campaign_id": TEXT, "kind": TEXT, "created_at": TIME, "creator": STAFF,
         "create_type": CODE, "variant": TEXT}, day="created_at", months_kept=13),
    _table(
        "send_tasks", "msg_id staff_id",
        {"msg_id": TEXT, "staff_id": STAFF, "status": CODE, "sent_at": TIME}, day="sent_at", months_kept=13),
    _table(
        "send_results", "msg_id staff_id target_hid",
        {"msg_id": TEXT, "staff_id": STAFF, "target_hid": HID, "status": CODE, "sent_at": TIME},
        day="sent_at", months_kept=13),
    _table(
        "moment_interactions", "msg_id person_hid kind at",
        {"msg_id": TEXT, "person_hid": HID, "kind": TEXT, "at": TIME}, day="at", months_kept=13),
    # ---- staff and groups
    _table(
        "staff_daily", "date scope_id",
        {"date": DATE, "scope_id": STAFF, "new_apply": COUNT, "new_contact": COUNT, "chats": COUNT,
         "messages": COUNT, "reply_rate": RATE, "first_reply_min": DURATION, "lost_customers": COUNT,
         "customers_total": COUNT}, day="date", daily=True, merged=True),
    _table(
        "group_daily", "date owner_id",
        {"date": DATE, "owner_id": STAFF, "new_groups": COUNT, "groups_total": COUNT, "groups_active": COUNT,
         "new_members": COUNT, "members_total": COUNT, "members_active": COUNT, "messages_cum": COUNT,
         "messages_day": COUNT, "lost_members": COUNT, "closed_groups": COUNT},
        day="date", daily=True, merged=True),
    _table(
        "group_members", "chat_id member_hid",
        {"chat_id": TEXT, "member_hid": HID, "member_type": CODE, "joined_at": TIME, "join_scene": CODE,
         "state": TEXT, "invitor": STAFF, "owner_id": STAFF}, day="joined_at"),
    _table(
        "service_daily", "date scope_id",
        {"date": DATE, "scope_id": STAFF, "sessions": COUNT, "customers": COUNT, "messages": COUNT,
         "reply_rate": RATE, "first_reply_s": DURATION, "satisfied_rate": RATE}, day="date", daily=True),
    _table(  # counts of SCRM exports that have no column of their own elsewhere
        "daily_counts", "date scope_id measure",
        {"date": DATE, "scope_id": STAFF, "measure": TEXT, "value": NUMBER}, day="date"),
    # ---- official account
    _table(  # user_source -1: all sources, the row with cumulate_user
        "oa_followers_daily", "date user_source",
        {"date": DATE, "user_source": CODE, "new_user": COUNT, "cancel_user": COUNT, "net": WHOLE,
         "cumulate_user": COUNT}, day="date", daily=True, merged=True),
    _table(
        "oa_articles", "msgid stat_date api",
        {"msgid": TEXT, "stat_date": DATE, "ref_date": DATE, "idx": CODE, "title": TEXT, "api": TEXT,
         "is_cumulative": YES, "is_delayed": YES, "read_users": COUNT, "read_counts": COUNT, "share_users": COUNT,
         "like_users": COUNT, "zaikan_users": COUNT, "fav_users": COUNT, "comments": COUNT,
         "target_users": COUNT}, day="stat_date"),
    _table(
        "oa_reads_daily", "date user_source",
        {"date": DATE, "user_source": CODE, "read_users": COUNT, "read_counts": COUNT, "share_users": COUNT,
         "fav_users": COUNT}, day="date", daily=True),
    _table(
        "oa_messages_daily", "date msg_type",
        {"date": DATE, "msg_type": CODE, "msg_user": COUNT, "msg_count": COUNT}, day="date", daily=True),
    # ---- mini-program
    _table(
        "mp_daily", "date",
        {"date": DATE, "visit_total": COUNT, "share_pv": COUNT, "share_uv": COUNT, "sessions": COUNT, "pv": COUNT,
         "uv": COUNT, "uv_new": COUNT, "stay_per_session_s": DURATION, "stay_per_user_s": DURATION,
         "depth": DURATION}, day="date", daily=True, merged=True),
    _table(
        "mp_retention", "ref_date cohort k",
        {"ref_date": DATE, "cohort": TEXT, "k": CODE, "users": COUNT, "base_users": COUNT, "rate": RATE},
        day="ref_date"),
    _table(
        "mp_visit_dist", "date index key",
        {"date": DATE, "index": TEXT, "key": CODE, "label": TEXT, "value": COUNT, "unit": TEXT},
        day="date", daily=True),
    _table(
        "mp_portrait", "first_date last_date cohort dimension label",
        {"first_date": DATE, "last_date": DATE, "cohort": TEXT, "dimension": TEXT, "label": TEXT, "value": COUNT},
        day="last_date"),
    # ---- shop and payments
    _table(
        "orders", "order_id",
        {"order_id": TEXT, "created_at": TIME, "paid_at": TIME, "status": CODE, "status_label": TEXT,
         "openid_hid": HID, "unionid_hid": HID, "product_yuan": YUAN, "order_yuan": YUAN, "freight_yuan": YUAN,
         "discount_yuan": YUAN, "refund_yuan": YUAN, "order_scene": CODE, "sharer_type": CODE, "share_scene": CODE,
         "sharer_hid": HID, "source_account": TEXT, "channel_id": TEXT, "store_id": TEXT, "wx_txn_id": TEXT,
         "is_present": YES},
        needs="created_at order_yuan", day="created_at", months_kept=25),
    _table(
        "order_items", "order_id sku_id",
        {"order_id": TEXT, "sku_id": TEXT, "product_id": TEXT, "title": TEXT, "qty": COUNT,
         "sale_price_yuan": YUAN, "real_price_yuan": YUAN, "aftersale_qty": COUNT}),
    _table(
        "payments", "wx_txn_id row_type refund_id",  # refund_id '' unless the row is a refund
        {"wx_txn_id": TEXT, "row_type": TEXT, "refund_id": TEXT, "out_trade_no": TEXT, "at": TIME,
         "openid_hid": HID, "appid": TEXT, "merchant_id": TEXT, "trade_type": TEXT, "settle_yuan": YUAN,
         "coupon_yuan": YUAN, "order_yuan": YUAN, "refund_yuan": YUAN, "refund_applied_yuan": YUAN,
         "fee_yuan": FEE, "fee_rate": RATE, "attach": TEXT}, needs="at", day="at", months_kept=25),
    _table(
        "shop_daily", "date",
        {"date": DATE, "pay_gmv_yuan": YUAN, "pay_users": COUNT, "pay_orders": COUNT, "refund_yuan": YUAN,
         "product_click_users": COUNT, "live_gmv_yuan": YUAN, "feed_gmv_yuan": YUAN}, day="date", daily=True),
    # ---- kept by the user
    _table(  # days: how many the amount covers, from `date` on (7 for a week)
        "costs", "date channel_id cost_type",
        {"date": DATE, "channel_id": TEXT, "cost_type": TEXT, "amount_yuan": SIGNED_YUAN, "days": COUNT,
         "note": TEXT}, needs="amount_yuan days", day="date"),
    _table(
        "touches", "person_hid at channel_id touch_type",
        {"person_hid": HID, "at": TIME, "channel_id": TEXT, "touch_type": TEXT, "campaign_id": TEXT},
        day="at", derived=True, months_kept=13),
    _table(
        "experiments", "exp_id",
        {"exp_id": TEXT, "unit": TEXT, "name": TEXT, "metric": TEXT, "start_on": DATE, "end_on": DATE}),
    _table(
        "assignments", "exp_id unit_hid",
        {"exp_id": TEXT, "unit_hid": HID, "variant": TEXT, "ratio_planned": RATE, "assigned_at": TIME,
         "block": TEXT}, needs="variant", day="assigned_at", months_kept=25),
    _table(
        "outcomes", "exp_id unit_hid metric at",
        {"exp_id": TEXT, "unit_hid": HID, "metric": TEXT, "value": NUMBER, "at": TIME}, needs="value",
        day="at", months_kept=25),
    _table(  # spot checks by hand: tag, identity, sop, delivery; correct says how each came out
        "audits", "audit_kind subject_hid item checked_at",
        {"audit_kind": TEXT, "subject_hid": HID, "item": TEXT, "checked_at": TIME, "store_id": TEXT,
         "region_id": TEXT, "correct": YES}, needs="correct", day="checked_at", months_kept=13),
)  # fmt: skip

TABLES: Mapping[str, Table] = MappingProxyType({table.name: table for table in _ALL})
