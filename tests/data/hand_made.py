"""Raw files made by hand, one for every kind of source, with invented people."""

from __future__ import annotations

import json
import os
from pathlib import Path

OK = {"errcode": 0, "errmsg": "ok"}
MONDAY = 1793548800  # 2026-11-02 00:00 in Shanghai
PULLED = "20261111"

BILL_HEADS = (
    "交易时间,公众账号ID,商户号,特约商户号,设备号,微信订单号,商户订单号,用户标识,交易类型,交易状态,付款银行,货币种类,应结订单金额,"
    "代金券金额,微信退款单号,商户退款单号,退款金额,充值券退款金额,退款类型,退款状态,商品名称,商户数据包,手续费,费率,订单金额,"
    "申请退款金额,费率备注"
)
OLD_BILL_HEADS = (
    "交易时间,公众账号ID,商户号,子商户号,设备号,微信订单号,商户订单号,用户标识,交易类型,交易状态,付款银行,货币种类,总金额,"
    "企业红包金额,微信退款单号,商户退款单号,退款金额,企业红包退款金额,退款类型,退款状态,商品名称,商户数据包,手续费,费率"
)


def order(number: str, *, fen: int = 23800, at: int = MONDAY + 3600, person: str = "A", **more: object) -> dict:
    """Return one answer of the shop."""
    return OK | {
        "order": {
            "order_id": number, "status": 100, "openid": f"oOpen{person}", "unionid": f"oUnion{person}",
            "create_time": at,
            "order_detail": {
                "product_infos": [
                    {"product_id": "P1", "sku_id": "S1", "sku_cnt": 2, "title": "面霜", "sale_price": 12900,
                     "real_price": 23800, "finish_aftersale_sku_cnt": 0},
                ],
                "pay_info": {"transaction_id": f"42{number}", "pay_time": at + 20},
                "price_info": {"product_price": 25800, "order_price": fen, "freight": 0, "discounted_price": 2000},
                "ext_info": {"order_scene": 2},
            },
            **more,
        }
    }  # fmt: skip


def contact(person: str, staff: str, *, added: int = MONDAY, state: str = "LIVE") -> dict:
    """Return one element of a page of contacts."""
    return {
        "external_contact": {"external_userid": f"wm{person}", "name": "某人", "type": 1, "unionid": f"oUnion{person}"},
        "follow_info": {"userid": staff, "createtime": added, "tag_id": ["t1"], "oper_userid": f"wm{person}",
                        "add_way": 16, "state": state},
    }  # fmt: skip


def contacts(*people: dict) -> dict:
    """Return a page of contacts."""
    return OK | {"external_contact_list": [*people], "next_cursor": ""}


def behaviour(*days: int, new: int = 5, **more: object) -> dict:
    """Return statistics of a member for days counted from Monday."""
    return OK | {
        "behavior_data": [
            {"stat_time": MONDAY + 86400 * day, "chat_cnt": 4, "message_cnt": 9, "reply_percentage": 87.5,
             "avg_reply_time": 9, "negative_feedback_cnt": 1, "new_apply_cnt": 2, "new_contact_cnt": new, **more}
            for day in days
        ]
    }  # fmt: skip


def bill(*rows: dict, heads: str = BILL_HEADS) -> str:
    """Return a payment bill; rows give what differs from a plain payment of 10 yuan."""
    names = heads.split(",")
    filled = {
        "交易时间": "2026-11-05 20:01:20", "公众账号ID": "wx1", "商户号": "1900", "微信订单号": "4200",
        "商户订单号": "SO1",
        "用户标识": "oOpenA", "交易类型": "JSAPI", "交易状态": "SUCCESS", "货币种类": "CNY", "应结订单金额": "10.00",
        "总金额": "10.00", "代金券金额": "0.00", "企业红包金额": "0.00", "微信退款单号": "0", "商户退款单号": "0",
        "退款金额": "0.00", "充值券退款金额": "0.00", "企业红包退款金额": "0.00", "商品名称": "面霜,50g",
        "手续费": "0.06000",
        "费率": "0.60%", "订单金额": "10.00", "申请退款金额": "0.00",
    }  # fmt: skip
    lines = [",".join("`" + (filled | row).get(name, "") for name in names) for row in rows]
    settle = sum(float((filled | row)["应结订单金额"]) for row in rows)
    refund = sum(float((filled | row)["退款金额"]) for row in rows)
    totals = ["总交易单数,应结订单总金额,退款总金额", f"`{len(rows)},`{settle:.2f},`{refund:.2f}"]
    return "\n".join([heads, *lines, *totals]) + "\n"


def put(root: Path, name: str, content: object, *, folder: str = f"mixed/{PULLED}", encoding: str = "utf-8") -> Path:
    """Write a raw file: text, bytes, or a value as JSON."""
    path = root / "raw" / folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    if not isinstance(content, str | bytes):
        content = json.dumps(content, ensure_ascii=False)
    path.write_bytes(content if isinstance(content, bytes) else content.encode(encoding))
    return path


def later(path: Path, seconds: int = 10) -> None:
    """Make a file look as if it was written later."""
    stat = path.stat()
    os.utime(path, (stat.st_atime + seconds, stat.st_mtime + seconds))


GOOD: dict[str, object] = {
    "behaviour.userid=zhangsan.json": behaviour(0, 1, 2),
    "behaviour_camel.userid=lisi.json": {
        "behaviorList": [{"statTime": MONDAY, "chatCnt": 3, "messageCnt": 8, "newContactCnt": 2, "newApplyCnt": 1,
                          "negativeFeedbackCnt": 0}],
    },
    "groups.json": OK | {"items": [{"stat_time": MONDAY, "data": {"member_total": 3207, "msg_total": 611}}]},
    "owners.day=2026-11-02.json": OK | {"items": [{"owner": "zhangsan", "data": {"member_total": 2410}}]},
    "contact.json": OK | {
        "external_contact": {"external_userid": "wmB", "type": 1, "gender": 2, "unionid": "oUnionB"},
        "follow_user": [{"userid": "zhangsan", "createtime": MONDAY, "add_way": 1, "oper_userid": "zhangsan",
                         "tags": [{"group_name": "我的", "tag_name": "爱问价", "type": 2}]}],
    },
    "contacts.json": contacts(contact("A", "zhangsan"), contact("C", "lisi", state="CARD")),
    "ids.json": OK | {"external_userid": ["wmA", "wmC"]},
    "left.jsonl": json.dumps({"ChangeType": "del_follow_user", "UserID": "lisi", "ExternalUserID": "wmC",
                              "CreateTime": MONDAY + 86400}),
    "tags.json": OK | {"tag_group": [{"group_id": "g1", "group_name": "分层", "tag": [{"id": "t1", "name": "新客"}]}]},
    "group.json": OK | {
        "group_chat": {"chat_id": "wr1", "owner": "zhangsan", "member_list": [
            {"userid": "zhangsan", "type": 1, "join_time": MONDAY, "join_scene": 1},
            {"userid": "wmA", "type": 2, "unionid": "oUnionA", "join_time": MONDAY, "join_scene": 3},
        ]},
    },
    "messages.json": OK | {"group_msg_list": [{"msgid": "m1", "creator": "ops", "create_time": MONDAY,
    "create_type": 0}]},
    "tasks.msgid=m1.json": OK | {"task_list": [{"userid": "zhangsan", "status": 2, "send_time": MONDAY}]},
    "results.json": {
        "request": {"msgid": "m1"},
        "response": OK | {"send_list": [{"external_userid": "wmA", "userid": "zhangsan", "status": 1,
        "send_time": MONDAY},
                                        {"external_userid": "wmC", "userid": "lisi", "status": 3}]},
    },
    "moments.json": {
        "get_moment_list": OK | {"moment_list": [{"moment_id": "mo1", "creator": "ops", "create_time": MONDAY}]},
        "get_moment_task": OK | {"task_list": [{"userid": "zhangsan", "publish_status": 1}]},
        "get_moment_send_result": OK | {"customer_list": [{"external_userid": "wmA"}]},
        "get_moment_comments": OK | {"comment_list": [], "like_list": [{"external_userid": "wmA",
        "create_time": MONDAY}]},
    },
    "link.link_id=L1.day=2026-11-02.json": OK | {"click_link_customer_cnt": 40, "new_customer_cnt": 12},
    "link_customers.link_id=L1.json": OK | {"customer_list": [{"external_userid": "wmA", "userid": "zhangsan",
                                                              "chat_status": 1, "state": "LIVE"}]},
    "quota.json": OK | {"total": 100, "balance": 31, "quota_list": []},
    "service.json": OK | {"statistic_list": [{"stat_time": MONDAY, "statistic": {"session_cnt": 5,
    "reply_rate": 0.9}}]},
    "followers.json": {"list": [{"ref_date": "2026-11-10", "user_source": 0, "new_user": 35, "cancel_user": 41},
                                {"ref_date": "2026-11-10", "user_source": 30, "new_user": 118, "cancel_user": 9}]},
    "followers_all.json": {"list": [{"ref_date": "2026-11-10", "user_source": 0, "cumulate_user": 128430}]},
    "articles.json": {"list": [{"ref_date": "2025-10-12", "msgid": "22_1", "title": "清单", "details": [
        {"stat_date": "2025-10-12", "target_user": 900, "int_page_read_user": 31},
        {"stat_date": "2025-10-13", "target_user": 900, "int_page_read_user": 40}]}]},
    "articles_day.json": {"list": [{"ref_date": "2025-10-12", "msgid": "22_1", "title": "清单",
    "int_page_read_user": 31}]},
    "articles_new.json": {"list": [{"ref_date": "2026-11-01", "msgid": "23_2", "detail_list": [
        {"stat_date": "2026-11-02", "read_user": 41, "share_user": 3, "zaikan_user": 2, "like_user": 5}]}],
        "is_delay": True},
    "reads.json": {"list": [{"ref_date": "2025-10-12", "user_source": 99999999, "int_page_read_user": 54}]},
    "upstream.json": {"list": [{"ref_date": "2026-11-10", "msg_type": 1, "msg_user": 282, "msg_count": 817}]},
    "mp_summary.json": {"list": [{"ref_date": "20261110", "visit_total": 240391, "share_pv": 572, "share_uv": 383}]},
    "mp_visits.json": {"list": [{"ref_date": "20261110", "session_cnt": 14254, "visit_pv": 47235, "visit_uv": 5550,
                                 "visit_uv_new": 546, "stay_time_session": 55.41, "visit_depth": 1.98}]},
    "mp_retain.json": {"ref_date": "20261101", "visit_uv_new": [{"key": 0, "value": 500}, {"key": 1, "value": 50}],
                       "visit_uv": [{"key": 0, "value": 5000}]},
    "mp_where.json": {"ref_date": "20261110", "list": [{"index": "access_source_session_cnt",
                                                        "item_list": [{"key": 3, "value": 44}, {"key": 77,
                                                        "value": 1}]}]},
    "mp_who.json": {"ref_date": "20261104-20261110", "visit_uv_new": {"province": [{"id": 31, "name": "广东",
    "value": 9}]},
                    "visit_uv": {"province": []}},
    "order.json": order("3704"),
    "order_ids.json": OK | {"order_id_list": ["3704"], "has_more": False},
    "compass.ds=20261110.json": OK | {"data": {"pay_gmv": "4229200", "pay_uv": "168", "pay_order_cnt": "190"}},
    "nothing.json": {"list": []},
    "no_customers.json": {"errcode": 84061, "errmsg": "not external contact"},
    "bill.csv": bill({}, {"交易状态": "REFUND", "微信订单号": "423704", "微信退款单号": "50", "应结订单金额": "0.00",
                          "退款金额": "99.00", "手续费": "-0.59000", "用户标识": "oOpenZ"}),
    "staff_export.csv": "﻿员工联系统计\r\n\r\n日期,成员,聊天总数,发送消息数,已回复聊天占比,平均首次回复时长\r\n"
                        "2026-11-03,wangwu,46,1８３,87.5%,9分钟\r\n2026/11/4,wangwu,\"1,046\",\"2,083\",--,--\r\n合计,,,,,\r\n",
    "group_export.csv": "日期,客群总数,新增客群数,解散客群数\n2026-11-05,30,2,1\n",
    "customers_export.csv": "客户姓名,客户类型,性别,userid,unionid,跟进员工,添加方式,添加时间,是否加入黑名单\n"
                            "\"小,满\",微信客户,女,wmD,oUnionD,zhangsan,通过获客链接添加,2026-09-18 20:31:05,否\n",
    "consent.csv": "external_userid,同意状态,免打扰\nwmA,同意,否\nwmB,同意,是\nwmC,不同意,否\n",
    "fission.csv": "日期,完成任务老客总数,裂变新客总数\n2026-11-05,12,30\n",
    "interactions.csv": "客户名称,对应成员,互动类型,互动时间\nwmC,lisi,点赞,2026-11-06 13:05\n",
    "mall.csv": "订单编号,下单时间,实付金额（元）,买家ID,门店,退款金额\nT1,2026/11/5 20:01,\"1,238.50 元\",u9,S01,0\n",
    "spend.csv": "周,渠道,花费,备注\n2026-W45,feed_ads,\"12,000.00\",\"双11\n预热\"\n2026-W46,feed_ads,-200,冲正\n",
    "channels.csv": "渠道ID,渠道名称,渠道类型,渠道参数,单价\nlive,直播,live,LIVE,3.5\n",
    "staff.csv": "成员ID,门店,区域\nzhangsan,S01,南区\nlisi,S02,北区\n",
    "touches.csv": "客户ID,触达时间,渠道,触点类型\nwmA,2026-11-01 10:00:00,feed_ads,click\n",
    "experiments.csv": "实验ID,实验单元,主要指标,开始日期,结束日期\nE1,customer,conversion,2026-11-01,2026-11-14\n",
    "assignments.csv": "实验ID,单元ID,分组,分流比例\nE1,wmA,control,50%\nE1,wmC,coupon,0.5\n",
    "outcomes.jsonl": '{"exp_id": "E1", "unit_id": "wmA", "metric": "gmv", "value": 12.5, "at": "2026-11-10"}',
    "audits.csv": "抽检类型,客户ID,检查项,抽检时间,是否正确\ntag,wmA,t1,2026-11-10,是\ntag,wmC,t1,2026-11-10,否\n",
}  # fmt: skip
