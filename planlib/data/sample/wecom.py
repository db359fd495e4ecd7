"""Raw files of WeCom: contacts, events, tags, statistics, groups, mass messages, moments, acquisition links."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from planlib.core.streams import stream
from planlib.data.sample.activity import Activity
from planlib.data.sample.brand import SECONDS_PER_DAY, Brand, season
from planlib.data.sample.encode import Part, chunks, column, digits, rows
from planlib.data.sample.people import People
from planlib.data.sample.raw import OK, PAGE, Raw, paged, pages
from planlib.data.sample.reach import SENT, Groups, Messages, speaking_rates

LINK = "smplink0001"
CORP = "wwsmp0000000001"
DETAILED = 20  # customers of whom the single answer is kept too
RESULT_PAGE = 500
MOMENTS_A_MONTH = 2
MOMENT_DAYS = 3  # likes are given within so many days
FIRST_NAMES = (
    "晴天的",
    "奔跑的",
    "慢热的",
    "爱笑的",
    "会飞的",
    "早起的",
    "安静的",
    "路过的",
    "发光的",
    "认真的",
    "微甜的",
    "随风的",
)
LAST_NAMES = (
    "柚子",
    "云朵",
    "小鹿",
    "海盐",
    "松果",
    "星球",
    "气球",
    "橘猫",
    "青苔",
    "豆包",
    "风铃",
    "月牙",
    "饼干",
    "贝壳",
    "蒲公英",
)
LAST_MONTH = 30
SEGMENT_GROUP = "会员分层"


@dataclass(frozen=True, slots=True)
class Edges:
    """Friendships of customers and employees, E rows: customers with a second employee have two."""

    customer: np.ndarray
    staff: np.ndarray
    at: np.ndarray
    second: np.ndarray

    @classmethod
    def of(cls, people: People) -> Edges:
        """List them, first those with the first employee."""
        two = np.flatnonzero(people.staff2 >= 0)
        return cls(
            np.concatenate([np.arange(len(people)), two]),
            np.concatenate([people.staff, people.staff2[two]]),
            np.concatenate([people.joined, people.joined2[two]]),
            np.arange(len(people) + len(two)) >= len(people),
        )

    def take(self, rows_: np.ndarray) -> Edges:
        """Return some rows."""
        return Edges(self.customer[rows_], self.staff[rows_], self.at[rows_], self.second[rows_])


def write_contacts(raw: Raw, brand: Brand, people: People, seed: int) -> None:
    """Write contacts as pulls leave them: all at the beginning, those added in each week, all at the end."""
    edges = Edges.of(people)
    named = nicknames(people, seed)
    tagged = stream(seed, "tags").random(len(people)) < brand.figures["tag_coverage"]
    removed = people.removed[edges.customer]
    end = brand.days
    pulls = [(0, "all", (edges.at < 0) & (removed >= 0))]
    pulls += [(last, "added", (edges.at >= first) & (edges.at < last)) for first, last in raw.weeks()]
    pulls += [(end, "all", removed >= end)]
    for pulled, what, chosen in pulls:
        found = edges.take(np.flatnonzero(chosen))
        records = paged(len(found.customer), _contacts(brand, people, found, named, tagged), PAGE)
        head = b'{"errcode": 0, "errmsg": "ok", "external_contact_list": ['
        raw.blocks(pulled, f"wecom_contact_batch_{what}.jsonl", pages(records, head, b'], "next_cursor": ""}\n'))
    for first, last in raw.weeks():
        gone = np.flatnonzero((removed >= first) & (removed < last))
        gone = gone[np.argsort(removed[gone], kind="stable")]
        raw.blocks(last, "wecom_contact_event.jsonl", _events(brand, people, edges, removed, gone))
    listed = np.flatnonzero(removed >= end)
    listed = listed[np.argsort(edges.staff[listed], kind="stable")]
    bounds = np.searchsorted(edges.staff[listed], np.arange(len(people.staff_ids) + 1))
    for staff, (low, high) in enumerate(pairwise(bounds)):
        found = people.external[edges.customer[listed[low:high]]]
        text = rows(b'"', found, b'", ')[:-2] if len(found) else b""
        name = f"wecom_contact_ids.userid={people.staff_ids[staff].decode()}.json"
        body = b'{"errcode": 0, "errmsg": "ok", "external_userid": [' + text + b"]}\n"
        raw.blocks(end, name, [body])
    _details(raw, brand, people, named, tagged)


def nicknames(people: People, seed: int) -> np.ndarray:
    """Return (N,) invented nicknames."""
    first, last = column(FIRST_NAMES), column(LAST_NAMES)
    chosen = stream(seed, "nicknames").integers(len(first) * len(last), size=len(people))
    both = np.char.add(first[:, None], last[None, :]).ravel()
    return both[chosen]


def _contacts(
    brand: Brand, people: People, edges: Edges, named: np.ndarray, tagged: np.ndarray
) -> Iterator[tuple[Part, ...]]:
    channels = brand.tree["channels"]
    way = column([f'"add_way": {c["add_way"]}' + _channel_extra(c) for c in channels])
    state = column([f', "state": "{c["state"]}"' for c in channels])
    shared = b'"add_way": 201'
    # customers scan and tap, of the others the employee's card is sent
    by_customer = np.array([c["id"] != "referral" for c in channels])
    tags = column([f'["{tag}"]' for tag in _tag_ids(brand)])
    for piece in chunks(len(edges.customer), 200 * PAGE):
        who, staff, second = edges.customer[piece], people.staff_ids[edges.staff[piece]], edges.second[piece]
        channel = people.channel[who]
        known = people.unionid_known[who]
        yield (
            b'{"external_contact": {"external_userid": "', people.external[who], b'", "name": "', named[who],
            b'", "type": ', digits(people.wx_type[who]), b', "gender": ', digits(people.gender[who]),
            np.where(known, b', "unionid": "', b""), np.where(known, people.unionid[who], b""),
            np.where(known, b'"', b""), b'}, "follow_info": {"userid": "', staff,
            b'", "remark": "", "description": "", "createtime": ', digits(brand.seconds(edges.at[piece])),
            b', "tag_id": ', np.where(tagged[who] & ~second, tags[people.segment[who]], b"[]"),
            b', "remark_mobiles": [], "oper_userid": "',
            np.where(by_customer[channel] & ~second, people.external[who], staff), b'", ',
            np.where(second, shared, way[channel]), np.where(second, b"", state[channel]), b"}}, ",
        )  # fmt: skip


def _channel_extra(channel: dict) -> str:
    return ', "wechat_channels": {"nickname": "示例旗舰店", "source": 2}' if channel["add_way"] == 10 else ""


def _tag_ids(brand: Brand) -> list[str]:
    return [f"etSmpTag{i:02d}" for i in range(1, len(brand.tree["segments"]) + 1)]


def _events(brand: Brand, people: People, edges: Edges, removed: np.ndarray, gone: np.ndarray) -> Iterator[bytes]:
    for piece in chunks(len(gone)):
        some = gone[piece]
        yield rows(
            f'{{"ToUserName": "{CORP}", "FromUserName": "sys", "CreateTime": '.encode(),
            digits(brand.seconds(removed[some])),
            b', "MsgType": "event", "Event": "change_external_contact", "ChangeType": "del_follow_user", "UserID": "',
            people.staff_ids[edges.staff[some]], b'", "ExternalUserID": "', people.external[edges.customer[some]],
            b'"}\n',
        )  # fmt: skip


def _details(raw: Raw, brand: Brand, people: People, named: np.ndarray, tagged: np.ndarray) -> None:
    """Write the single answers of some customers, and the dictionary of tags."""
    segments, tags = brand.tree["segments"], _tag_ids(brand)
    for i in np.flatnonzero(people.listed(brand.days))[:DETAILED]:
        channel = brand.tree["channels"][people.channel[i]]
        tag = {"group_name": SEGMENT_GROUP, "tag_name": segments[people.segment[i]]["name"],
               "tag_id": tags[people.segment[i]],
               "type": 1}  # fmt: skip
        external = people.external[i].decode()
        person = {"external_userid": external, "name": named[i].decode(), "avatar": "", "type": int(people.wx_type[i]),
                  "gender": int(people.gender[i])}  # fmt: skip
        if people.unionid_known[i]:
            person["unionid"] = people.unionid[i].decode()
        staff = people.staff_ids[people.staff[i]].decode()
        follow = {"userid": staff, "remark": "", "description": "", "createtime": int(brand.seconds(people.joined[i])),
                  "tags": [tag] if tagged[i] else [], "remark_mobiles": [],
                  "oper_userid": staff if channel["id"] == "referral" else external, "add_way": channel["add_way"],
                  "state": channel["state"]}  # fmt: skip
        answer = {**OK, "external_contact": person, "follow_user": [follow]}
        raw.payload("wecom_contact", brand.days, answer, external_userid=external)
    made = brand.start
    listed = [{"id": tag, "name": segment["name"], "create_time": made, "order": 1, "deleted": False}
              for tag, segment in zip(tags, segments, strict=True)]  # fmt: skip
    group = {
        "group_id": "etSmpGrp1",
        "group_name": SEGMENT_GROUP,
        "create_time": made,
        "order": 1,
        "deleted": False,
        "tag": listed,
    }
    raw.payload("wecom_corp_tags", brand.days, {**OK, "tag_group": [group]})


def counts(days: int, groups: int, day: np.ndarray, group: np.ndarray) -> np.ndarray:
    """Return (days, groups) how many events fall on each day of the period in each group."""
    inside = (day >= 0) & (day < days)
    flat = np.floor(day[inside]).astype(np.int64) * groups + group[inside]
    return np.bincount(flat, minlength=days * groups).reshape(days, groups)


def write_staff(raw: Raw, brand: Brand, people: People, seed: int) -> dict[str, np.ndarray]:
    """Write the daily statistics of each employee; return (days, S) counts that other exports repeat."""
    n_staff = len(people.staff_ids)
    edges = Edges.of(people)
    removed = people.removed[edges.customer]
    new = counts(brand.days, n_staff, edges.at, edges.staff)
    lost = counts(brand.days, n_staff, np.where(np.isfinite(removed), removed, -1), edges.staff)
    opening = np.bincount(edges.staff[(edges.at < 0) & (removed >= 0)], minlength=n_staff)
    total = opening + np.cumsum(new - lost, axis=0)
    rng = stream(seed, "staff statistics")
    lively = season(brand)[:, None]
    chats = rng.poisson(0.012 * np.maximum(total, 0) * lively)
    messages = chats + rng.poisson(2.8 * chats)
    asked = rng.binomial(chats, 0.7)
    answered = rng.binomial(asked, brand.figures["reply_rate"])
    reply = np.where(asked > 0, np.round(100 * answered / np.maximum(asked, 1), 2), -1)
    minutes = np.maximum(1, rng.normal(14, 4, chats.shape)).astype(np.int64)
    apply_ = rng.poisson(0.3 * new + 0.5)

    def day_of(day: int, staff: int) -> dict[str, Any]:
        entry = {"stat_time": brand.start + day * SECONDS_PER_DAY, "chat_cnt": int(chats[day, staff]),
                 "message_cnt": int(messages[day, staff])}  # fmt: skip
        if reply[day, staff] >= 0:
            entry |= {"reply_percentage": float(reply[day, staff]), "avg_reply_time": int(minutes[day, staff])}
        return entry | {"negative_feedback_cnt": int(lost[day, staff]), "new_apply_cnt": int(apply_[day, staff]),
                        "new_contact_cnt": int(new[day, staff])}  # fmt: skip

    for first, end in raw.weeks():
        answers = (({"userid": people.staff_ids[staff].decode()},
                    {**OK, "behavior_data": [day_of(day, staff) for day in range(first,
                    end)]}) for staff in range(n_staff))  # fmt: skip
        raw.answers("wecom_user_behavior", end, answers)
    _write_zeros(raw, brand, people)
    return {"new": new, "lost": lost, "total": total, "chats": chats, "messages": messages, "asked": asked,
            "answered": answered,
            "minutes": minutes, "apply": apply_}  # fmt: skip


def _write_zeros(raw: Raw, brand: Brand, people: People) -> None:
    """Write one day as a pull shortly after midnight shows it: zeros, put right by the later pull of the week."""
    day = brand.index(brand.tree["faults"]["zero_then_right"])
    zeros = {"stat_time": brand.start + day * SECONDS_PER_DAY, "chat_cnt": 0, "message_cnt": 0,
             "negative_feedback_cnt": 0,
             "new_apply_cnt": 0, "new_contact_cnt": 0}  # fmt: skip
    raw.payload("wecom_user_behavior", day + 1, {**OK, "behavior_data": [zeros]}, userid=people.staff_ids[0].decode())


def write_groups(raw: Raw, brand: Brand, people: People, groups: Groups, seed: int) -> float | None:
    """Write the statistics of groups by day, by owner at ends of months, and the groups as they are at the end.

    Returns:
        The share of members expected to speak on a day of the last month; None without members.
    """
    n_staff = len(people.staff_ids)
    owner = groups.owner[groups.group]
    new = counts(brand.days, n_staff, groups.joined, owner)
    lost = counts(brand.days, n_staff, np.where(np.isfinite(groups.left), groups.left, -1), owner)
    opening = np.bincount(owner[groups.joined < 0], minlength=n_staff)
    members = opening + np.cumsum(new - lost, axis=0)
    made = counts(brand.days, n_staff, groups.opened, groups.owner)
    chats = np.bincount(groups.owner[groups.opened < 0], minlength=n_staff) + np.cumsum(made, axis=0)
    rng = stream(seed, "group statistics")
    rates = speaking_rates(brand, n_staff)
    speakers = rng.binomial(members, rates)
    messages = speakers + rng.poisson(1.6 * speakers)
    lively = np.minimum(chats, rng.binomial(chats, 0.85) + (speakers > 0))
    lively = np.where(speakers == 0, 0, lively)

    def data(day: int, who: slice) -> dict[str, int]:
        return {"new_chat_cnt": int(made[day, who].sum()), "chat_total": int(chats[day, who].sum()),
                "chat_has_msg": int(lively[day, who].sum()), "new_member_cnt": int(new[day, who].sum()),
                "member_total": int(members[day, who].sum()), "member_has_msg": int(speakers[day, who].sum()),
                "msg_total": int(messages[day, who].sum()), "migrate_trainee_chat_cnt": 0}  # fmt: skip

    faults = brand.tree["faults"]
    scopes = [({}, slice(None))]
    scopes += [({"userid": staff.decode()}, slice(s, s + 1)) for s, staff in enumerate(people.staff_ids)]
    for first, end in raw.weeks():
        late = faults["late_days"] if f"{brand.day(first):%Y-%m}" == faults["late_month"] else 0
        answers = ((request, {**OK, "items": [{"stat_time": brand.start + day * SECONDS_PER_DAY, "data": data(day, who)}
                                              for day in range(first, end)]}) for request, who in scopes)  # fmt: skip
        raw.answers(f"wecom_group_by_day_{brand.day(first):%Y%m%d}", end + late, answers)
    for _, end in raw.months():
        items = [
            {"owner": people.staff_ids[s].decode(), "data": data(end - 1, slice(s, s + 1))} for s in range(n_staff)
        ]
        answer = {**OK, "total": n_staff, "next_offset": n_staff, "items": items}
        raw.payload("wecom_group_by_owner", end, answer, day=f"{brand.day(end - 1):%Y%m%d}")
    raw.blocks(brand.days, "wecom_group.jsonl", _group_answers(brand, people, groups, seed))
    last = slice(brand.days - LAST_MONTH, brand.days)
    return float((members[last] * rates[last]).sum() / members[last].sum()) if members[last].any() else None


def _group_answers(brand: Brand, people: People, groups: Groups, seed: int) -> Iterator[bytes]:
    there = np.flatnonzero(~np.isfinite(groups.left))
    there = there[np.argsort(groups.group[there], kind="stable")]
    bounds = np.searchsorted(groups.group[there], np.arange(len(groups.owner) + 1))
    scene = stream(seed, "join scenes").integers(1, 4, size=len(groups.group))
    for g, (low, high) in enumerate(pairwise(bounds)):
        some = there[low:high]
        who = groups.customer[some]
        known = people.unionid_known[who]
        owner = people.staff_ids[groups.owner[g]]
        made = int(brand.seconds(groups.opened[g]))
        members = rows(
            b', {"userid": "', people.external[who], b'", "type": 2', np.where(known, b', "unionid": "', b""),
            np.where(known, people.unionid[who], b""), np.where(known, b'"', b""), b', "join_time": ',
            digits(brand.seconds(groups.joined[some])), b', "join_scene": ', digits(scene[some]),
            b', "state": "GRP_QR", "invitor": {"userid": "' + owner + b'"}}',
        )  # fmt: skip
        head = (
            f'{{"errcode": 0, "errmsg": "ok", "group_chat": {{"chat_id": "wrSmp{g:05d}", '
            f'"name": "示例会员{g + 1}群", "owner": "{owner.decode()}", "create_time": {made}, '
            f'"member_list": [{{"userid": "{owner.decode()}", "type": 1, "join_time": {made}, "join_scene": 1}}'
        )
        tail = f'], "admin_list": [{{"userid": "{owner.decode()}"}}], "member_version": "smp"}}}}\n'
        yield head.encode() + members + tail.encode()


def message_id(number: int) -> str:
    """Return the id of a mass message."""
    return f"msgSmp{number:04d}"


def write_messages(raw: Raw, brand: Brand, people: People, messages: Messages, seed: int) -> None:
    """Write mass messages, who confirmed them, and how each receiver's came out."""
    n_staff = len(people.staff_ids)
    for m, at in enumerate(messages.created):
        pulled = int(at) + 3
        msgid = message_id(m)
        entry = {"msgid": msgid, "creator": "smp_ops01", "create_time": int(brand.seconds(at)), "create_type": 0,
                 "text": {"content": f"示例活动第{m + 1}期"}, "attachments": []}  # fmt: skip
        raw.payload("wecom_sends", pulled, {**OK, "next_cursor": "", "group_msg_list": [entry]}, chat_type="single",
                    campaign_id=f"month{m + 1:02d}")  # fmt: skip
        some = np.flatnonzero(messages.message == m)
        first_sent = np.full(n_staff, np.inf)
        np.minimum.at(first_sent, people.staff[messages.customer[some]], messages.sent[some])
        tasks = []
        for s in range(n_staff):
            task = {"userid": people.staff_ids[s].decode(), "status": 2 if messages.confirmed[m, s] else 0}
            if messages.confirmed[m, s]:
                task["send_time"] = int(brand.seconds(first_sent[s] if np.isfinite(first_sent[s]) else at))
            tasks.append(task)
        raw.payload("wecom_send_tasks", pulled, {**OK, "next_cursor": "", "task_list": tasks}, msgid=msgid)
        records = paged(len(some), _results(brand, people, messages, some), RESULT_PAGE)
        head = b'{"errcode": 0, "errmsg": "ok", "next_cursor": "", "send_list": ['
        raw.blocks(pulled, f"wecom_send_results.msgid={msgid}.jsonl", pages(records, head, b"]}\n"))


def _results(brand: Brand, people: People, messages: Messages, some: np.ndarray) -> Iterator[tuple[Part, ...]]:
    for piece in chunks(len(some), 200 * RESULT_PAGE):
        r = some[piece]
        sent = messages.status[r] == SENT
        at = digits(brand.seconds(np.where(sent, messages.sent[r], 0.0)))
        yield (
            b'{"external_userid": "', people.external[messages.customer[r]], b'", "userid": "',
            people.staff_ids[people.staff[messages.customer[r]]], b'", "status": ', digits(messages.status[r]),
            np.where(sent, b', "send_time": ', b""), np.where(sent, at, b""), b"}, ",
        )  # fmt: skip


def moment_days(brand: Brand, raw: Raw) -> np.ndarray:
    """Return (M,) when moments are posted, in days of the period."""
    return np.array([first + 5 + 12 * k + 0.5 for first, _ in raw.months() for k in range(MOMENTS_A_MONTH)])


def write_moments(raw: Raw, brand: Brand, people: People, activity: Activity, liked: np.ndarray) -> None:
    """Write moments, who published them, and the likes: those of the touches that are likes shortly after."""
    who, at = activity.customer[liked], activity.at[liked]
    order = np.argsort(at, kind="stable")
    who, at = who[order], at[order]
    staff = [{"userid": s.decode(), "publish_status": 1} for s in people.staff_ids]
    for m, posted in enumerate(moment_days(brand, raw)):
        moment, pulled = f"momSmp{m:04d}", int(posted) + MOMENT_DAYS + 1
        entry = {"moment_id": moment, "creator": "smp_ops01", "create_time": int(brand.seconds(posted)),
                 "create_type": 0,
                 "visible_type": 1, "text": {"content": f"示例内容第{m + 1}条"}}  # fmt: skip
        raw.payload("wecom_moments", pulled, {**OK, "next_cursor": "", "moment_list": [entry]})
        raw.payload("wecom_moment_tasks", pulled, {**OK, "next_cursor": "", "task_list": staff}, moment_id=moment)
        low, high = np.searchsorted(at, [posted, posted + MOMENT_DAYS])
        likes = rows(b'{"external_userid": "', people.external[who[low:high]], b'", "create_time": ',
                     digits(brand.seconds(at[low:high])), b"}, ")  # fmt: skip
        body = b'{"errcode": 0, "errmsg": "ok", "comment_list": [], "like_list": [' + likes[:-2] + b"]}\n"
        raw.blocks(pulled, f"wecom_moment_comments.moment_id={moment}.json", [body])


def write_links(raw: Raw, brand: Brand, people: People, engaged: np.ndarray, seed: int) -> None:
    """Write the acquisition link of the feed ads: clicks and additions by day, who came, and the quota."""
    code = [c["id"] for c in brand.tree["channels"]].index("moments_ads")
    state = brand.tree["channels"][code]["state"]
    came = np.flatnonzero((people.channel == code) & (people.joined >= 0))
    daily = counts(brand.days, 1, people.joined[came], np.zeros(len(came), dtype=np.int64))[:, 0]
    rate = brand.figures["link_add_rate"]
    missed = stream(seed, "link clicks").negative_binomial(np.maximum(daily, 1), rate) * (daily > 0)

    def day_of(day: int) -> tuple[dict[str, str], dict[str, Any]]:
        clicks = {"click_link_customer_cnt": int(daily[day] + missed[day]), "new_customer_cnt": int(daily[day])}
        return {"link_id": LINK, "day": str(brand.day(day))}, {**OK, **clicks}

    for first, end in raw.weeks():
        raw.answers("wecom_acq_statistic", end, map(day_of, range(first, end)))
        some = came[(people.joined[came] >= first) & (people.joined[came] < end)]
        text = rows(b'{"external_userid": "', people.external[some], b'", "userid": "',
                    people.staff_ids[people.staff[some]],
                    b'", "chat_status": ', digits(engaged[some]), f', "state": "{state}"}}, '.encode())  # fmt: skip
        body = b'{"errcode": 0, "errmsg": "ok", "customer_list": [' + text[:-2] + b'], "next_cursor": ""}\n'
        raw.blocks(end, f"wecom_acq_customers.link_id={LINK}.json", [body])
        used = int(daily[:end].sum())
        quota = int(1.2 * len(came)) + 100
        expires = int(brand.seconds(brand.days + 180))
        raw.payload("wecom_acq_quota", end, {**OK, "total": quota, "balance": quota - used,
                                             "quota_list": [{"expire_date": expires,
                                             "balance": quota - used}]})  # fmt: skip
