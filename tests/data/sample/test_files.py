"""The raw files have the forms that platforms give them, agree with each other, and hold the planted faults."""

import collections
import hashlib
import json
import re
from pathlib import Path

import numpy as np
import pytest

from planlib.core.errors import InputError
from planlib.data.sample import ensure_sample, write_sample
from planlib.data.store import is_sample
from tests.data.formats import SAMPLES, needs_samples
from tests.data.sample.raw_files import RawFiles

STR, INT, FLOAT = str, int, float
COUNT = {"new_chat_cnt": INT, "chat_total": INT, "chat_has_msg": INT, "new_member_cnt": INT, "member_total": INT,
         "member_has_msg": INT, "msg_total": INT, "migrate_trainee_chat_cnt": INT}  # fmt: skip
READ = {"int_page_read_user": INT, "int_page_read_count": INT, "ori_page_read_user": INT, "ori_page_read_count": INT,
        "share_user": INT, "share_count": INT, "add_to_fav_user": INT, "add_to_fav_count": INT}  # fmt: skip
PAIR = [{"key": INT, "value": INT}]
OK = {"errcode": INT, "errmsg": STR}
CONTACT = {"external_userid": STR, "name": STR, "type": INT, "gender": INT, "unionid?": STR}
# what an answer looks like, by the first list or key that tells it; "?" marks what may be missing
FORMS = {
    "external_contact_list": OK | {"next_cursor": STR, "external_contact_list": [{
        "external_contact": CONTACT,
        "follow_info": {"userid": STR, "remark": STR, "description": STR, "createtime": INT, "tag_id": [STR],
                        "remark_mobiles": [STR], "oper_userid": STR, "add_way": INT, "state?": STR,
                        "wechat_channels?": {"nickname": STR, "source": INT}}}]},
    "external_contact": OK | {"external_contact": CONTACT | {"avatar": STR}, "follow_user": [{
        "userid": STR, "remark": STR, "description": STR, "createtime": INT,
        "tags": [{"group_name": STR, "tag_name": STR, "tag_id": STR, "type": INT}], "remark_mobiles": [STR],
        "oper_userid": STR, "add_way": INT, "state": STR}]},
    "external_userid": OK | {"external_userid": [STR]},
    "ChangeType": {"ToUserName": STR, "FromUserName": STR, "CreateTime": INT, "MsgType": STR, "Event": STR,
                   "ChangeType": STR, "UserID": STR, "ExternalUserID": STR},
    "tag_group": OK | {"tag_group": [{"group_id": STR, "group_name": STR, "create_time": INT, "order": INT,
                                      "deleted": bool, "tag": [{"id": STR, "name": STR, "create_time": INT,
                                                                "order": INT, "deleted": bool}]}]},
    "behavior_data": OK | {"behavior_data": [{"stat_time": INT, "chat_cnt": INT, "message_cnt": INT,
                                              "reply_percentage?": FLOAT, "avg_reply_time?": INT,
                                              "negative_feedback_cnt": INT, "new_apply_cnt": INT,
                                              "new_contact_cnt": INT}]},
    "items": OK | {"total?": INT, "next_offset?": INT, "items": [{"stat_time?": INT, "owner?": STR, "data": COUNT}]},
    "group_chat": OK | {"group_chat": {"chat_id": STR, "name": STR, "owner": STR, "create_time": INT, "member_list": [
        {"userid": STR, "type": INT, "unionid?": STR, "join_time": INT, "join_scene": INT, "state?": STR,
         "invitor?": {"userid": STR}}], "admin_list": [{"userid": STR}], "member_version": STR}},
    "group_msg_list": OK | {"next_cursor": STR, "group_msg_list": [{
        "msgid": STR, "creator": STR, "create_time": INT, "create_type": INT, "text": {"content": STR},
        "attachments": []}]},
    "task_list": OK | {"next_cursor": STR, "task_list": [{"userid": STR, "status?": INT, "publish_status?": INT,
                                                          "send_time?": INT}]},
    "send_list": OK | {"next_cursor": STR, "send_list": [{"external_userid": STR, "userid": STR, "status": INT,
                                                          "send_time?": INT}]},
    "moment_list": OK | {"next_cursor": STR, "moment_list": [{
        "moment_id": STR, "creator": STR, "create_time": INT, "create_type": INT, "visible_type": INT,
        "text": {"content": STR}}]},
    "comment_list": OK | {"comment_list": [], "like_list": [{"external_userid": STR, "create_time": INT}]},
    "click_link_customer_cnt": OK | {"click_link_customer_cnt": INT, "new_customer_cnt": INT},
    "customer_list": OK | {"next_cursor": STR, "customer_list": [{"external_userid": STR, "userid": STR,
                                                                  "chat_status": INT, "state": STR}]},
    "quota_list": OK | {"total": INT, "balance": INT, "quota_list": [{"expire_date": INT, "balance": INT}]},
    "oa_weekly": {"list": [{"ref_date": STR, "user_source?": INT, "new_user?": INT, "cancel_user?": INT,
                            "cumulate_user?": INT, "msg_type?": INT, "msg_user?": INT, "msg_count?": INT}]},
    "oa_articles": {"is_delay?": bool, "list": [{
        "ref_date": STR, "msgid?": STR, "title?": STR, "publish_type?": INT, "user_source?": INT,
        **{f"{name}?": kind for name, kind in READ.items()},
        "details?": [{"stat_date": STR, "target_user": INT, **READ, "int_page_from_session_read_user": INT,
                      "int_page_from_friends_read_user": INT}],
        "detail_list?": [{"stat_date": STR, "read_user": INT, "read_user_source": [], "share_user": INT,
                          "zaikan_user": INT, "like_user": INT, "comment_count": INT}]}]},
    "mp_summary": {"list": [{"ref_date": STR, "visit_total": INT, "share_pv": INT, "share_uv": INT}]},
    "mp_visits": {"list": [{"ref_date": STR, "session_cnt": INT, "visit_pv": INT, "visit_uv": INT,
                            "visit_uv_new": INT, "stay_time_uv": FLOAT, "stay_time_session": FLOAT,
                            "visit_depth": FLOAT}]},
    "mp_distribution": {"ref_date": STR, "list": [{"index": STR, "item_list": PAIR}]},
    "mp_retain": {"ref_date": STR, "visit_uv_new": PAIR, "visit_uv": PAIR},
    "order": OK | {"order": {
        "order_id": STR, "status": INT, "openid": STR, "unionid": STR, "create_time": INT, "update_time": INT,
        "order_detail": {
            "product_infos": [{"product_id": STR, "sku_id": STR, "sku_cnt": INT, "title": STR, "sale_price": INT,
                               "market_price": INT, "real_price": INT, "on_aftersale_sku_cnt": INT,
                               "finish_aftersale_sku_cnt": INT}],
            "pay_info": {"transaction_id?": STR, "prepay_time?": INT, "pay_time?": INT, "payment_method?": INT},
            "price_info": {"product_price": INT, "order_price": INT, "freight": INT, "discounted_price": INT,
                           "is_discounted": bool, "original_order_price": INT},
            "ext_info": {"order_scene": INT, "finder_id": STR},
            "sharer_info?": {"sharer_openid": STR, "sharer_type": INT, "share_scene": INT, "handling_progress": INT},
            "source_infos": [{"sku_id": STR, "account_type": INT, "account_id": STR, "sale_channel": INT,
                              "account_nickname": STR}],
            "settle_info": {"predict_commission_fee": INT, "commission_fee": INT}},
        "aftersale_detail": {"aftersale_order_list": [{"aftersale_order_id": STR, "status": INT}],
                             "on_aftersale_order_cnt": INT}}},
    "order_id_list": OK | {"order_id_list": [STR], "next_key": STR, "has_more": bool},
    "data": OK | {"data": dict.fromkeys(("pay_gmv", "pay_uv", "pay_order_cnt", "pay_refund_gmv", "product_click_uv",
                                         "live_pay_gmv", "feed_pay_gmv"), STR)},
}  # fmt: skip
# form -> the platform's answers as the files that an environment variable names keep them
KEPT = {
    "external_contact_list": "wecom_batch_get_by_user", "external_contact": "wecom_externalcontact_get",
    "external_userid": "wecom_externalcontact_list", "tag_group": "wecom_corp_tag_list",
    "behavior_data": "wecom_user_behavior_data", "group_chat": "wecom_groupchat_get",
    "group_msg_list": "wecom_groupmsg_list_v2", "send_list": "wecom_groupmsg_send_result",
    "task_list": "wecom_groupmsg_task", "mp_summary": "mp_daily_summary", "mp_visits": "mp_daily_visit_trend",
    "mp_distribution": "mp_visit_distribution", "mp_retain": "mp_daily_retain", "order": "shop_order_get",
    "order_id_list": "shop_order_list", "data": "shop_compass_overall",
}  # fmt: skip


def misfits(form: object, value: object, at: str = "") -> list[str]:
    """Return where a value has another form."""
    if isinstance(form, dict):
        if not isinstance(value, dict):
            return [f"{at}: not an object"]
        names = {name.rstrip("?"): kind for name, kind in form.items()}
        missing = [n for n in form if not n.endswith("?") and n not in value]
        found = [f"{at}.{n}: missing" for n in missing] + [f"{at}.{n}: unknown" for n in value if n not in names]
        return found + [m for n, v in value.items() if n in names for m in misfits(names[n], v, f"{at}.{n}")]
    if isinstance(form, list):
        if not isinstance(value, list):
            return [f"{at}: not a list"]
        return [m for v in value for m in (misfits(form[0], v, f"{at}[]") if form else [f"{at}: not empty"])]
    return [] if type(value) is form else [f"{at}: {type(value).__name__}"]


def form_of(name: str, answer: dict) -> str:
    """Return which form an answer must have."""
    if name.startswith("oa_"):
        return "oa_weekly" if "weekly" in name else "oa_articles"
    if name.startswith("mp_"):
        first = answer["list"][0] if "list" in answer else {}
        return "mp_retain" if "visit_uv" in answer else "mp_distribution" if "index" in first else (
            "mp_summary" if "visit_total" in first else "mp_visits")  # fmt: skip
    return next(key for key in FORMS if key in answer and not key.startswith(("oa_", "mp_")))


def test_answers_have_the_form_of_their_platforms(raw):
    seen = collections.Counter()
    for path in raw.files("*.json*"):
        for _, answer in raw.answers(path.name) if path.suffix == ".json" else lines(path):
            form = form_of(path.name, answer)
            assert misfits(FORMS[form], answer, form) == [], path
            seen[form] += 1
    assert set(seen) == set(FORMS)


def lines(path: Path):
    """Yield (request, answer) of one file."""
    for line in path.read_text(encoding="utf-8").splitlines():
        found = json.loads(line)
        yield ({}, found["response"]) if set(found) == {"request", "response"} else ({}, found)


def kinds(value: object, at: str = "") -> set[tuple[str, str]]:
    """Return (path, type) of everything in an answer, or of all that a form demands."""
    if isinstance(value, dict):
        return {found for name, v in value.items() if not name.endswith("?") for found in kinds(v, f"{at}.{name}")}
    if isinstance(value, list):
        return {found for v in value for found in kinds(v, f"{at}[]")}
    return {(at, (value if isinstance(value, type) else type(value)).__name__)}


@needs_samples
@pytest.mark.parametrize(("form", "name"), KEPT.items())
def test_forms_against_kept_answers(form, name):
    """What every answer of the sample holds is also in the platform's, of the same type."""
    path = SAMPLES / f"{name}.json"
    kept = kinds(json.loads(path.read_text(encoding="utf-8")))
    lists_empty_there = {".follow_user[].remark_mobiles[]", ".external_contact_list[].follow_info.remark_mobiles[]",
                         ".order.aftersale_detail.aftersale_order_list[]"}  # fmt: skip
    wanted = {(at, kind) for at, kind in kinds(FORMS[form]) if not any(at.startswith(e) for e in lists_empty_there)}
    assert wanted <= kept


def bills(raw: RawFiles) -> list[list[str]]:
    """Return the rows of all bills, checked against each bill's own totals."""
    rows = []
    for path in raw.files("wxpay_*.csv"):
        head, *body, labels, sums = path.read_text(encoding="utf-8").rstrip("\n").split("\n")
        assert len(head.split(",")) == 27 and labels.startswith("总交易单数,应结订单总金额")
        cells = [line[1:].split(",`") for line in body]
        assert all(line.startswith("`") for line in [*body, sums])
        assert {len(row) for row in cells} <= {27}
        count, settle, back, _, fee, total, applied = (float(cell) for cell in sums[1:].split(",`"))
        assert count == len(cells)
        for value, at in ((settle, 12), (back, 16), (fee, 22), (total, 24), (applied, 25)):
            assert value == pytest.approx(sum(float(row[at]) for row in cells), abs=1e-6)
        assert all(row[0][:10].replace("-", "") == path.stem[-8:] for row in cells)
        rows += cells
    return rows


def test_orders_payments_and_totals_agree(raw):
    rows = bills(raw)
    paid = {o["order_detail"]["pay_info"]["transaction_id"]: o for o in raw.orders
            if "pay_time" in o["order_detail"]["pay_info"]}  # fmt: skip
    success = {row[5]: row for row in rows if row[9] == "SUCCESS"}
    assert set(success) == set(paid) and len(success) + sum(row[9] == "REFUND" for row in rows) == len(rows)
    for txn, order in paid.items():
        price, row = order["order_detail"]["price_info"], success[txn]
        assert (round(100 * float(row[12])), round(100 * float(row[13])), round(100 * float(row[24]))) == (
            price["order_price"], price["discounted_price"], price["product_price"])  # fmt: skip
        assert price["product_price"] - price["discounted_price"] == price["order_price"] > 0
        item = order["order_detail"]["product_infos"][0]
        assert item["sku_cnt"] * item["sale_price"] == price["product_price"]
        assert row[7] == order["openid"] and row[20] == item["title"]
    refunds = {row[5]: float(row[16]) for row in rows if row[9] == "REFUND"}
    returned = {txn: o for txn, o in paid.items() if o["aftersale_detail"]["aftersale_order_list"]}
    assert set(refunds) == set(returned)
    assert all(
        round(100 * refunds[txn]) <= o["order_detail"]["price_info"]["order_price"] for txn, o in returned.items()
    )
    days = collections.Counter(int(raw.day_of(o["order_detail"]["pay_info"]["pay_time"])) for o in paid.values())
    told = [int(a["data"]["pay_order_cnt"]) for _, a in raw.answers("shop_compass.jsonl")]
    assert told == [days[d] for d in range(raw.days)]
    gmv = sum(int(a["data"]["pay_gmv"]) for _, a in raw.answers("shop_compass.jsonl"))
    assert gmv == sum(o["order_detail"]["price_info"]["order_price"] for o in paid.values())
    listed = [i for _, a in raw.answers("shop_order_ids.jsonl") for i in a["order_id_list"]]
    assert listed == [o["order_id"] for o in raw.orders] and len(set(listed)) == len(listed)


def test_people_agree_between_files(raw):
    new, lost = collections.Counter(), collections.Counter()
    for contact in raw.contacts.values():
        new.update((staff, int(at)) for staff, at in contact["edges"].items() if at >= 0)
    for _, event in raw.answers("wecom_contact_event.jsonl"):
        lost[event["UserID"], int(raw.day_of(event["CreateTime"]))] += 1
    days = {}
    for request, answer in raw.answers("wecom_user_behavior*"):
        for row in answer["behavior_data"]:
            days[request["userid"], round(raw.day_of(row["stat_time"]))] = row  # the later pull wins
    assert all(days[key]["new_contact_cnt"] == new[key] for key in days)
    assert all(days[key]["negative_feedback_cnt"] == lost[key] for key in days)
    ids = [i for _, answer in raw.answers("wecom_contact_ids.*") for i in answer["external_userid"]]
    p = raw.people
    assert sorted(set(ids)) == sorted(np.array(p.ids)[p.listed(raw.days)])
    daily = raw.sheet("scrm_customer_daily.csv", "gb18030")
    assert [int(row["新增客户数"]) for row in daily] == [
        sum(v for (_, d), v in new.items() if d == day) for day in range(raw.days)
    ]
    assert int(daily[-1]["客户总数"]) == len(ids)
    came = [c["external_userid"] for _, a in raw.answers("wecom_acq_customers.*") for c in a["customer_list"]]
    assert sorted(came) == sorted(
        i for i, c in raw.contacts.items() if c["state"] == "ADS_MOMENTS" and c["joined"] >= 0
    )
    assert len(came) == sum(a["new_customer_cnt"] for _, a in raw.answers("wecom_acq_statistic.jsonl"))
    likes = {
        (x["external_userid"], x["create_time"])
        for _, a in raw.answers("wecom_moment_comments.*")
        for x in a["like_list"]
    }
    assert likes and {who for who, _ in likes} <= set(raw.contacts)
    assert sum(raw.truth["channels"]["spend_cny"].values()) == pytest.approx(
        sum(float(row["amount_yuan"]) for row in raw.sheet("costs_media_*.csv")))  # fmt: skip


def test_order_follows_joining_and_names_its_buyer(raw):
    owner = {c["unionid"]: c for c in raw.contacts.values() if c["unionid"]}
    known = [o for o in raw.orders if o["unionid"] in owner]
    assert len(known) > 50
    assert all(raw.day_of(o["create_time"]) >= owner[o["unionid"]]["joined"] - 1e-4 for o in known)
    openids = collections.defaultdict(set)
    for order in raw.orders:
        openids[order["unionid"]].add(order["openid"])
    assert {len(found) for found in openids.values()} == {1}


def test_ids_are_marked_and_nothing_looks_like_a_person(raw):
    assert all(re.fullmatch(r"w[mo]Smp[A-Za-z]{13}", i) for i in raw.contacts)
    assert {i[:2] for i, c in raw.contacts.items() if c["type"] == 2} == {"wo"}
    assert all(c["unionid"] is None or c["unionid"].startswith("oSmpU") for c in raw.contacts.values())
    texts = [path.read_bytes() for path in raw.files("wecom_contact_batch*")[:5] + raw.files("scrm_customers*")]
    assert not any(re.search(rb"(?<!\d)1[3-9]\d{9}(?!\d)", text) for text in texts)
    names = {e["external_contact"]["name"] for _, a in raw.answers("wecom_contact_batch_all.jsonl")
             for e in a["external_contact_list"]}  # fmt: skip
    assert len(names) == 12 * 15  # each of two parts


def test_planted_faults_are_there(raw):
    faults = raw.truth["faults"]
    rows = raw.sheet("touches.csv")
    assert len(rows) - len({tuple(row.values()) for row in rows}) == faults["duplicate_rows"]["touches"] == 25
    seen = {
        row["ref_date"] for _, a in raw.answers("mp_answers.jsonl") for row in a.get("list", []) if "visit_total" in row
    }
    assert len(seen) == raw.days - 1 and faults["missing_day"]["mp_daily"].replace("-", "") not in seen
    late = faults["late"]["group_daily"]
    behind = []
    for path in raw.files("wecom_group_by_day_*.jsonl"):
        begun, pulled = (raw.first.fromisoformat(text) for text in (path.stem[-8:], path.parent.name))
        due = min((begun - raw.first).days + 7, raw.days)
        behind.append((pulled - raw.first).days - due)
        assert (behind[-1] > 0) == (f"{begun:%Y-%m}" == late["month"])
    assert collections.Counter(behind) == {0: 53 - late["files"], late["days"]: late["files"]} and late["files"] == 5
    wrong = faults["zeros_put_right"]["staff_daily"]
    day = (raw.first.fromisoformat(wrong["day"]) - raw.first).days
    theirs = [a for request, a in raw.answers("wecom_user_behavior*") if request["userid"] == wrong["staff_id"]]
    rows = [row for a in theirs for row in a["behavior_data"] if round(raw.day_of(row["stat_time"])) == day]
    assert len(rows) == 2 and rows[0]["chat_cnt"] == 0


def test_both_generations_of_article_interfaces(raw):
    old, new = set(), set()
    for _, answer in raw.answers("oa_articles.jsonl"):
        for row in answer["list"]:
            old |= {row["ref_date"]} if "details" in row else set()
            new |= {row["ref_date"]} if "detail_list" in row else set()
            for kind in ("details", "detail_list"):
                reads = [d.get("int_page_read_user", d.get("read_user")) for d in row.get(kind, [])]
                assert reads == sorted(reads)  # totals since the article came out
    assert max(old) < "2026-03-01" <= min(new)


def test_a_decaying_community_speaks_less_before_people_leave(raw):
    truth = raw.truth["communities"]
    series = collections.defaultdict(dict)
    for request, answer in raw.answers("wecom_group_by_day_*.jsonl"):
        for item in answer["items"]:
            series[request.get("userid", "ALL")][round(raw.day_of(item["stat_time"]))] = item["data"]
    quiet = (raw.first.fromisoformat(truth["quieter_from"]) - raw.first).days
    exits = (raw.first.fromisoformat(truth["exits_from"]) - raw.first).days

    def speaking(owner: str, first: int, last: int) -> float:
        some = [series[owner][d] for d in range(first, last)]
        return sum(d["member_has_msg"] for d in some) / sum(d["member_total"] for d in some)

    owner = truth["owner_in_decay"]
    assert speaking(owner, 0, quiet) == pytest.approx(truth["speaking_rate_elsewhere"], abs=0.03)
    assert speaking(owner, exits + 30, raw.days) < 0.06
    assert series[owner][exits]["member_total"] > 2 * series[owner][raw.days - 1]["member_total"]
    owners = [o for o in series if o != "ALL"]
    for day in (0, 100, raw.days - 1):
        assert series["ALL"][day]["member_total"] == sum(series[o][day]["member_total"] for o in owners)


def fingerprint(root: Path) -> str:
    digest = hashlib.sha256()
    for path in sorted(p for p in root.rglob("*") if p.is_file()):
        digest.update(path.relative_to(root).as_posix().encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()


def test_same_seed_same_bytes_other_seed_other_people(tmp_path):
    made = [write_sample(tmp_path / name, customers=40, seed=seed) for name, seed in (("a", 1), ("b", 1), ("c", 2))]
    assert fingerprint(tmp_path / "a") == fingerprint(tmp_path / "b") != fingerprint(tmp_path / "c")
    ids = [set(RawFiles(m.root).contacts) for m in made]
    assert ids[0] == ids[1] and not ids[0] & ids[2]


def test_ten_customers_and_one(tmp_path):
    made = write_sample(tmp_path / "sample", customers=10, seed=3)
    assert made.counts["customers"] == 10 and made.files > 1000
    assert all(path.stat().st_size for path in made.root.rglob("*.*"))  # no file without a byte
    root = ensure_sample(tmp_path / "sample", customers=10, seed=3)
    assert is_sample(root) and is_sample(tmp_path / "sample")
    kept = fingerprint(root)
    assert fingerprint(ensure_sample(root, customers=10, seed=3)) == kept
    truth = json.loads((ensure_sample(root, customers=1, seed=3) / "truth.json").read_text(encoding="utf-8"))
    assert truth["customers"] == 1
    assert "NaN" not in json.dumps(truth)


def test_bad_requests_write_nothing(tmp_path):
    with pytest.raises(InputError) as refused:
        write_sample(tmp_path / "new", customers=0, seed=-1)
    assert [(p.field, p.code) for p in refused.value.problems] == [("customers", "out_of_range"), ("seed", "at_least")]
    own = tmp_path / "own"
    own.mkdir()
    (own / "orders.csv").write_text("mine", encoding="utf-8")
    with pytest.raises(InputError) as refused:
        write_sample(own, customers=10, seed=1)
    assert [p.code for p in refused.value.problems] == ["sample_folder"]
    assert [p.name for p in tmp_path.iterdir()] == ["own"] and (own / "orders.csv").read_text(
        encoding="utf-8"
    ) == "mine"


def test_docs_name_everything_planted(raw, project_root):
    for name in ("sample-brand.md", "sample-brand.zh.md"):
        text = (project_root / "docs" / name).read_text(encoding="utf-8")
        missing = [
            key
            for key in [*raw.truth["planted"], *raw.truth["experiments"], *raw.truth["faults"]]
            if f"`{key}`" not in text
        ]
        assert missing == []
