"""The official account: followers, articles (both generations of the API), messages."""

from __future__ import annotations

from planlib.data.sources.base import Source, out, source

_INDEX = "TRY_CAST(split_part(msgid, '_', 2) AS INTEGER)"
_LEGACY = {
    "read_users": ".int_page_read_user count", "read_counts": ".int_page_read_count count",
    "share_users": ".share_user count", "fav_users": ".add_to_fav_user count",
}  # fmt: skip

SOURCES: tuple[Source, ...] = (
    source("oa_user_summary", "list[]", "ref_date user_source new_user",
           out("oa_followers_daily", "list[]", {
               "date": ".ref_date date", "user_source": ".user_source code", "new_user": ".new_user count",
               "cancel_user": ".cancel_user count",
           }, computed={"net": "new_user - cancel_user"}), unique=True),
    source("oa_user_cumulate", "list[]", "ref_date cumulate_user",
           out("oa_followers_daily", "list[]", {"date": ".ref_date date", "cumulate_user": ".cumulate_user count"},
               computed={"user_source": "-1"}), unique=True),
    source("oa_article_total", "list[]", "msgid details",
           out("oa_articles", "list[].details[]", {
               "msgid": "list[].msgid text", "stat_date": ".stat_date date", "ref_date": "list[].ref_date date",
               "title": "list[].title text", "target_users": ".target_user count", **_LEGACY,
           }, computed={"idx": _INDEX, "api": "'legacy'", "is_cumulative": "TRUE", "is_delayed": "FALSE"}),
           unique=True),
    source("oa_article_summary", "list[]", "msgid int_page_read_user",
           out("oa_articles", "list[]", {
               "msgid": ".msgid text", "stat_date": ".ref_date date", "ref_date": ".ref_date date",
               "title": ".title text", **_LEGACY,
           }, computed={"idx": _INDEX, "api": "'legacy_day'", "is_cumulative": "FALSE", "is_delayed": "FALSE"}),
           lacks="details", unique=True),
    source("oa_user_read", "list[]", "user_source int_page_read_user",
           out("oa_reads_daily", "list[]", {"date": ".ref_date date", "user_source": ".user_source code", **_LEGACY}),
           lacks="msgid", unique=True),
    source("oa_article_detail", "list[]", "msgid detail_list",
           out("oa_articles", "list[].detail_list[]", {
               "msgid": "list[].msgid text", "stat_date": ".stat_date date", "ref_date": "list[].ref_date date",
               "title": "list[].title text", "read_users": ".read_user count", "share_users": ".share_user count",
               "zaikan_users": ".zaikan_user count", "like_users": ".like_user count",
               "comments": ".comment_count count", "fav_users": ".collection_user count",
               "is_delayed": "is_delay yes FALSE",
           }, computed={"idx": _INDEX, "api": "'2025'", "is_cumulative": "TRUE"}), unique=True),
    source("oa_messages", "list[]", "ref_date msg_type msg_user",
           out("oa_messages_daily", "list[]", {
               "date": ".ref_date date", "msg_type": ".msg_type code", "msg_user": ".msg_user count",
               "msg_count": ".msg_count count",
           }), unique=True),
)  # fmt: skip
