"""WeCom: customers, tags, staff and group statistics, mass messages, moments, acquisition links, service."""

from __future__ import annotations

from planlib.data.sources.base import Source, out, source

_STAFF_DAY = {
    "date": ".stat_time day_seconds", "scope_id": "@userid id 'ALL'", "new_apply": ".new_apply_cnt count",
    "new_contact": ".new_contact_cnt count", "chats": ".chat_cnt count", "messages": ".message_cnt count",
    "reply_rate": ".reply_percentage percent", "first_reply_min": ".avg_reply_time amount",
    "lost_customers": ".negative_feedback_cnt count",
}  # fmt: skip
_STAFF_DAY_CAMEL = {
    "date": ".statTime day_seconds", "scope_id": "@userid id 'ALL'", "new_apply": ".newApplyCnt count",
    "new_contact": ".newContactCnt count", "chats": ".chatCnt count", "messages": ".messageCnt count",
    "reply_rate": ".replyPercentage percent", "first_reply_min": ".avgReplyTime amount",
    "lost_customers": ".negativeFeedbackCnt count",
}  # fmt: skip
_GROUP_DAY = {
    "new_groups": ".data.new_chat_cnt count", "groups_total": ".data.chat_total count",
    "groups_active": ".data.chat_has_msg count", "new_members": ".data.new_member_cnt count",
    "members_total": ".data.member_total count", "members_active": ".data.member_has_msg count",
    "messages_cum": ".data.msg_total count",
}  # fmt: skip
_INITIATOR = (
    "CASE WHEN oper IS NULL THEN NULL WHEN oper = staff_id THEN 'staff' WHEN oper = external_hid THEN 'customer' "
    "ELSE 'admin' END"
)


def _customer(each: str, person: str) -> tuple:
    """Return what one external contact gives, inside `each`."""
    return (
        out("customers", each, {
            "external_hid": f"{person}.external_userid id", "wx_type": f"{person}.type code",
            "gender": f"{person}.gender text", "last_seen_at": "@pulled time",
        }),
        out("id_links", each, {
            "external_hid": f"{person}.external_userid id", "unionid_hid": f"{person}.unionid id ''",
            "openid_hid": "@none text ''", "seen_at": "@pulled time",
        }),
    )  # fmt: skip


def _edge(each: str, person: str) -> tuple:
    """Return what one follower gives: the edge between staff and customer; `each` is the follower."""
    return (
        out("follow_edges", each, {
            "external_hid": f"{person}.external_userid id", "staff_id": ".userid id", "added_at": ".createtime seconds",
            "add_way": ".add_way code", "state": ".state text", "last_seen_at": "@pulled time",
        }, helps={"oper": ".oper_userid id"}, computed={"initiator": _INITIATOR}),
    )  # fmt: skip


SOURCES: tuple[Source, ...] = (
    source("wecom_user_behavior", "behavior_data[]", "stat_time",
           out("staff_daily", "behavior_data[]", _STAFF_DAY), unique=True, needs=("userid",)),
    source("wecom_user_behavior_camel", "behaviorList[]", "statTime",
           out("staff_daily", "behaviorList[]", _STAFF_DAY_CAMEL), unique=True, needs=("userid",)),
    source("wecom_group_by_day", "items[]", "stat_time data",
           out("group_daily", "items[]", {
               "date": ".stat_time day_seconds", "owner_id": "@userid id 'ALL'", **_GROUP_DAY,
           }), unique=True),
    source("wecom_group_by_owner", "items[]", "owner data",
           out("group_daily", "items[]", {"date": "@day date", "owner_id": ".owner id", **_GROUP_DAY}),
           unique=True, needs=("day",)),
    source("wecom_contact", "external_contact", "external_userid",
           *_customer("", "external_contact"), *_edge("follow_user[]", "external_contact"),
           out("customer_tags", "follow_user[].tags[]", {
               "external_hid": "external_contact.external_userid id", "staff_id": "follow_user[].userid id",
               "tag_id": ".tag_id text", "group_name": ".group_name text", "tag_name": ".tag_name text",
               "tag_type": ".type code", "as_of": "@pulled date",
           }, computed={"tag_id": "COALESCE(tag_id, 'own:' || tag_name)"}, where="tag_name IS NOT NULL")),
    source("wecom_contact_batch", "external_contact_list[]", "external_contact follow_info",
           *_customer("external_contact_list[]", "external_contact_list[].external_contact"),
           out("follow_edges", "external_contact_list[]", {
               "external_hid": ".external_contact.external_userid id", "staff_id": ".follow_info.userid id",
               "added_at": ".follow_info.createtime seconds", "add_way": ".follow_info.add_way code",
               "state": ".follow_info.state text", "last_seen_at": "@pulled time",
           }, helps={"oper": ".follow_info.oper_userid id"}, computed={"initiator": _INITIATOR}),
           out("customer_tags", "external_contact_list[].follow_info.tag_id[]", {
               "external_hid": "external_contact_list[].external_contact.external_userid id",
               "staff_id": "external_contact_list[].follow_info.userid id",
               "tag_id": "external_contact_list[].follow_info.tag_id[] text", "as_of": "@pulled date",
           })),
    source("wecom_contact_ids", "external_userid[]", ""),
    source("wecom_contact_event", "", "ChangeType ExternalUserID UserID CreateTime",
           out("edge_events", "", {
               "external_hid": "ExternalUserID id", "staff_id": "UserID id", "event": "ChangeType text",
               "at": "CreateTime seconds",
           })),
    source("wecom_corp_tags", "tag_group[]", "group_id",
           out("tags", "tag_group[].tag[]", {
               "tag_id": ".id text", "group_id": "tag_group[].group_id text",
               "group_name": "tag_group[].group_name text",
               "tag_name": ".name text", "deleted": ".deleted yes FALSE", "created_at": ".create_time seconds",
           })),
    source("wecom_group", "group_chat", "chat_id member_list",
           out("group_members", "group_chat.member_list[]", {
               "chat_id": "group_chat.chat_id text", "member_hid": ".userid id", "member_type": ".type code",
               "joined_at": ".join_time seconds", "join_scene": ".join_scene code", "state": ".state text",
               "invitor": ".invitor.userid id", "owner_id": "group_chat.owner id",
           }),
           out("id_links", "group_chat.member_list[]", {
               "external_hid": ".userid id", "unionid_hid": ".unionid id ''", "openid_hid": "@none text ''",
               "seen_at": "@pulled time",
           }, helps={"kind": ".type code"}, where="kind = 2 AND unionid_hid <> ''")),
    source("wecom_sends", "group_msg_list[]", "msgid",
           out("sends", "group_msg_list[]", {
               "msg_id": ".msgid text", "created_at": ".create_time seconds", "creator": ".creator id",
               "create_type": ".create_type code", "kind": "@chat_type text 'single'",
               "campaign_id": "@campaign_id text",
               "variant": "@variant text",
           })),
    source("wecom_send_tasks", "task_list[]", "userid status",
           out("send_tasks", "task_list[]", {
               "msg_id": "@msgid text", "staff_id": ".userid id", "status": ".status code",
               "sent_at": ".send_time seconds",
           }), lacks="publish_status", needs=("msgid",)),
    source("wecom_moment_tasks", "task_list[]", "userid publish_status",
           out("send_tasks", "task_list[]", {
               "msg_id": "@moment_id text", "staff_id": ".userid id", "status": ".publish_status code",
           }), needs=("moment_id",)),
    source("wecom_send_results", "send_list[]", "userid status",
           out("send_results", "send_list[]", {
               "msg_id": "@msgid text", "staff_id": ".userid id", "target_hid": ".external_userid id",
               "status": ".status code", "sent_at": ".send_time seconds",
           }, helps={"chat": ".chat_id id"}, computed={"target_hid": "COALESCE(target_hid, chat)"}),
           needs=("msgid",)),
    source("wecom_moments", "moment_list[]", "moment_id",
           out("sends", "moment_list[]", {
               "msg_id": ".moment_id text", "created_at": ".create_time seconds", "creator": ".creator id",
               "create_type": ".create_type code", "campaign_id": "@campaign_id text", "variant": "@variant text",
           }, computed={"kind": "'moment'"})),
    source("wecom_moment_results", "customer_list[]", "external_userid",
           out("send_results", "customer_list[]", {
               "msg_id": "@moment_id text", "staff_id": ".userid id ''", "target_hid": ".external_userid id",
           }, computed={"status": "1"}), lacks="chat_status", needs=("moment_id",)),
    source("wecom_moment_comments", "comment_list[]|like_list[]", "",
           out("moment_interactions", "comment_list[]", {
               "msg_id": "@moment_id text", "person_hid": ".external_userid id", "at": ".create_time seconds",
           }, helps={"staff": ".userid id"}, computed={
               "kind": "'comment'", "person_hid": "COALESCE(person_hid, staff)",
           }),
           out("moment_interactions", "like_list[]", {
               "msg_id": "@moment_id text", "person_hid": ".external_userid id", "at": ".create_time seconds",
           }, helps={"staff": ".userid id"}, computed={"kind": "'like'", "person_hid": "COALESCE(person_hid, staff)"}),
           needs=("moment_id",)),
    source("wecom_acq_statistic", "", "click_link_customer_cnt new_customer_cnt",
           out("acq_link_daily", "", {
               "date": "@day date", "link_id": "@link_id text", "clicks": "click_link_customer_cnt count",
               "new_customers": "new_customer_cnt count",
           }), unique=True, needs=("day", "link_id")),
    source("wecom_acq_customers", "customer_list[]", "external_userid chat_status",
           out("acq_customers", "customer_list[]", {
               "external_hid": ".external_userid id", "staff_id": ".userid id", "chat_status": ".chat_status code",
               "state": ".state text", "link_id": "@link_id text",
           })),
    source("wecom_acq_quota", "", "balance quota_list",
           out("daily_counts", "", {"date": "@pulled date", "value": "balance amount"},
               computed={"scope_id": "'ALL'", "measure": "'acq_quota_balance'"})),
    source("wecom_service", "statistic_list[]", "stat_time statistic",
           out("service_daily", "statistic_list[]", {
               "date": ".stat_time day_seconds", "scope_id": "@servicer_userid id 'ALL'",
               "sessions": ".statistic.session_cnt count", "customers": ".statistic.customer_cnt count",
               "messages": ".statistic.customer_msg_cnt count", "reply_rate": ".statistic.reply_rate share",
               "first_reply_s": ".statistic.first_reply_average_sec amount",
               "satisfied_rate": ".statistic.satisfied_rate share",
           }), unique=True),
)  # fmt: skip
