"""Sheets that a brand keeps or exports from its SCRM: costs, touches, experiments, spot checks, daily figures."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from planlib.core.streams import stream
from planlib.data.sample.brand import Brand
from planlib.data.sample.encode import chunks, clock, column, decimals, digits, rows
from planlib.data.sample.media import Media
from planlib.data.sample.people import People
from planlib.data.sample.raw import Raw
from planlib.data.sample.trials import Trial
from planlib.data.sample.wecom import LINK, nicknames

TOUCH_HEAD = "person_id,at,channel_id,touch_type,campaign_id"
DUPLICATES_IN = 20  # the week with rows that stand twice, counted from 0
CUSTOMER_HEAD = (
    "客户姓名,客户类型,性别,userid,unionid,生日,所属企业,所属职位,跟进员工,商机阶段,"
    "添加方式,添加时间,企业标签,手机号,邮箱,QQ,所在省市县,详细地址,是否加入黑名单"
)
ADD_WAYS = {1: "通过扫描二维码添加", 3: "通过名片分享添加", 10: "通过视频号添加", 16: "通过获客链接添加"}
EXPORT_ROWS = 5_000  # newest customers in the SCRM export
TAG_CHECKS, IDENTITY_CHECKS, SOP_CHECKS, FEW_CHECKS = 400, 300, 40, 3
SOP_SPREAD = 0.12  # between the best and the middle store
LABOUR, TECHNOLOGY, OPERATING, MARKETING = 0.45, 0.27, 0.11, 0.17
CONTENT = 0.2  # of what is spent on media, for content besides


@dataclass(frozen=True, slots=True)
class Touches:
    """V interactions of customers; channel, type and campaign are places in the tables of words.

    Attributes:
        customer, at: (V,) who and when, in days of the period.
        channel, kind, campaign: (V,) codes.
        channels, kinds, campaigns: byte columns of the words; a campaign beyond them is a journey, `Jnnnnnnn`.
    """

    customer: np.ndarray
    at: np.ndarray
    channel: np.ndarray
    kind: np.ndarray
    campaign: np.ndarray
    channels: np.ndarray
    kinds: np.ndarray
    campaigns: np.ndarray

    def __len__(self) -> int:
        return len(self.at)


def write_touches(raw: Raw, brand: Brand, people: People, touches: Touches) -> None:
    """Write touches week by week; some rows of one week stand in it twice."""
    order = np.argsort(touches.at, kind="stable")
    at = touches.at[order]
    twice = brand.tree["faults"]["duplicate_touches"]
    for number, (first, end) in enumerate(raw.weeks()):
        low, high = np.searchsorted(at, [first, end])
        some = order[low:high]
        if number == DUPLICATES_IN:
            some = np.concatenate([some, some[:twice]])
        raw.blocks(end, "touches.csv", _touch_rows(brand, people, touches, some))


def _touch_rows(brand: Brand, people: People, touches: Touches, some: np.ndarray) -> Iterator[bytes]:
    dates = column([str(brand.day(i)) for i in range(brand.days)])
    yield TOUCH_HEAD.encode() + b"\n"
    for piece in chunks(len(some)):
        t = some[piece]
        at, campaign = touches.at[t], touches.campaign[t]
        journey = campaign - len(touches.campaigns)
        named = np.where(journey >= 0, b"", touches.campaigns[np.minimum(campaign, len(touches.campaigns) - 1)])
        yield rows(people.external[touches.customer[t]], b",", dates[np.floor(at).astype(np.int64)], b" ", clock(at),
                   b",",
                   touches.channels[touches.channel[t]], b",", touches.kinds[touches.kind[t]], b",", named,
                   np.where(journey >= 0, b"J", b""),
                   np.where(journey >= 0, digits(np.maximum(journey, 0), width=7), b""), b"\n")  # fmt: skip


def write_channels(raw: Raw, brand: Brand, people: People) -> None:
    """Write what channels there are, and who works where."""
    lines = ["channel_id,name,kind,state,link_id,cost_model,unit_cost_yuan,start_on,end_on"]
    for c in brand.tree["channels"]:
        link = LINK if c["kind"] == "acq_link" else ""
        cost = f"cpa,{c['cac']}" if "cac" in c else "free,0"
        lines.append(f"{c['id']},{c['name']},{c['kind']},{c['state']},{link},{cost},{brand.first_day},")
    lines += [f"{point},{point},touchpoint,,,free,0,{brand.first_day}," for point in brand.tree["touchpoints"]]
    _lines(raw, brand.days, "channels.csv", lines)
    lines = ["staff_id,store_id,region_id,department,role"]
    for staff, store in zip(people.staff_ids, people.staff_store, strict=True):
        lines.append(f"{staff.decode()},{store_id(int(store))},{_region(brand, int(store))},user_operations,operator")
    _lines(raw, brand.days, "staff.csv", lines)


def store_id(store: int) -> str:
    """Return the id of a store."""
    return f"store{store + 1:02d}"


def _region(brand: Brand, store: int) -> str:
    return brand.tree["regions"][store // brand.tree["stores_per_region"]]


def write_costs(raw: Raw, brand: Brand, media: Media) -> dict[str, Any]:
    """Write spend by week and channel, the days of the last week begun, and other costs by month."""
    channels = brand.tree["channels"]
    whole = np.flatnonzero(media.week_days == 7)
    weekly, daily = ["week,channel_id,cost_type,amount_yuan,note"], ["date,channel_id,cost_type,amount_yuan,note"]
    for c, channel in enumerate(channels):
        if "cac" not in channel:
            continue
        weekly += [f"{brand.day(7 * w)},{channel['id']},media,{media.spend_fen[w, c] / 100:.2f}," for w in whole]
        for w in range(len(whole), len(media.week_days)):
            n = int(media.week_days[w])
            shares = np.full(n, media.spend_fen[w, c] // n)
            shares[: int(media.spend_fen[w, c] - shares.sum())] += 1
            daily += [f"{brand.day(7 * w + d)},{channel['id']},media,{fen / 100:.2f}," for d, fen in enumerate(shares)]
    _lines(raw, brand.days, "costs_media_weekly.csv", weekly)
    _lines(raw, brand.days, "costs_media_last_week.csv", daily)
    total = int(media.spend_fen.sum())
    months = [end for _, end in raw.months()]
    amounts = {"labour": LABOUR, "technology": TECHNOLOGY, "operating": OPERATING}
    budget = total * (1 + CONTENT) / MARKETING
    monthly = ["month,channel_id,cost_type,amount_yuan,note"]
    for end in months:
        month = f"{brand.day(end - 1):%Y-%m-01}"
        monthly += [f"{month},all,{kind},{budget * part / len(months) / 100:.2f}," for kind, part in amounts.items()]
        monthly.append(f"{month},official_account,content,{total * CONTENT / len(months) / 100:.2f},")
    _lines(raw, brand.days, "costs_other_monthly.csv", monthly)
    return {"media_cny": total / 100, "by_channel_cny": {c["id"]: int(media.spend_fen[:, i].sum()) / 100
                                                         for i, c in enumerate(channels) if "cac" in c}}  # fmt: skip


def write_consent(raw: Raw, brand: Brand, people: People, seed: int) -> dict[str, float]:
    """Write who agreed, who refused, and who must not be contacted."""
    figures = brand.figures
    listed = np.flatnonzero(people.listed(brand.days))
    u = stream(seed, "consent").random(len(people))[listed]
    refused = u >= 1 - figures["refusal_share"]
    status = np.select([u < figures["consent_share"], refused], [b"granted", b"refused"], default=b"unknown")
    body = (
        rows(people.external[listed[p]], b",", status[p], b",", np.where(refused[p], b"1", b"0"), b"\n")
        for p in chunks(len(listed))
    )
    raw.blocks(brand.days, "consent.csv", _headed("external_userid,consent_status,do_not_contact", body))
    return {"consent_share": figures["consent_share"], "do_not_contact_share": figures["refusal_share"]}


def write_trials(raw: Raw, brand: Brand, people: People, trials: list[Trial]) -> None:
    """Write what experiments there are, who is in which arm, and what came of it."""
    lines = ["exp_id,unit,name,metric,start_on,end_on"]
    dates = column([str(brand.day(i)) for i in range(brand.days)])
    for trial in trials:
        spec, when = trial.spec, (np.floor(trial.assigned), np.floor(trial.measured))
        first = int(when[0].min()) if len(trial.arm) else spec.get("first", 0)
        last = int(when[1].max()) if len(trial.arm) else first
        lines.append(f"{spec['id']},customer,{spec['name']},{spec['metric']},{brand.day(first)},{brand.day(last)}")
        arms, planned = column(spec["arms"]), column([f"{share:.4f}" for share in spec["planned"]])
        unit, staff = people.external[trial.customer], people.staff_ids[people.staff[trial.customer]]
        begins = [dates[when[0].astype(np.int64)], b" ", clock(trial.assigned)]
        ends = [dates[when[1].astype(np.int64)], b" ", clock(trial.measured)]
        name = spec["id"].encode()
        body = rows(
            name + b",", unit, b",", arms[trial.arm], b",", planned[trial.arm], b",", *begins, b",", staff, b"\n"
        )
        raw.blocks(brand.days, f"assignments_{spec['id']}.csv",
                   _headed("exp_id,unit_id,variant,ratio_planned,assigned_at,block", [body]))  # fmt: skip
        body = (rows(name + b",", unit, b"," + metric.encode() + b",",
                     decimals(np.round(100 * values)) if metric.endswith("_yuan") else digits(values), b",", *ends,
                     b"\n")
                for metric, values in trial.outcomes.items())  # fmt: skip
        raw.blocks(brand.days, f"outcomes_{spec['id']}.csv", _headed("exp_id,unit_id,metric,value,at", body))
    _lines(raw, brand.days, "experiment_list.csv", lines)


def write_audits(raw: Raw, brand: Brand, people: People, seed: int) -> dict[str, Any]:
    """Write spot checks of tags, identities and stores; return the rates behind them."""
    figures, rng = brand.figures, stream(seed, "audits")
    stores = len(brand.tree["regions"]) * brand.tree["stores_per_region"]
    sop = figures["sop_rate"] + np.linspace(-SOP_SPREAD, SOP_SPREAD, stores)
    checks = np.full(stores, SOP_CHECKS)
    checks[-1] = FEW_CHECKS  # a store of which little is known
    lines = ["audit_kind,subject_id,item,checked_at,correct,store_id,region_id"]
    listed = np.flatnonzero(people.listed(brand.days))
    for kind, n, rate in (
        ("tag", TAG_CHECKS, figures["tag_accuracy"]),
        ("identity", IDENTITY_CHECKS, figures["identification_accuracy"]),
    ):
        for i in rng.choice(listed, min(n, len(listed)), replace=False):
            segment = brand.tree["segments"][people.segment[i]]["name"] if kind == "tag" else "unionid"
            lines.append(
                f"{kind},{people.external[i].decode()},{segment},{_moment(brand, rng)},{int(rng.random() < rate)},,"
            )
    for store in range(stores):
        for check in range(checks[store]):
            found, where = int(rng.random() < sop[store]), f"{store_id(store)},{_region(brand, store)}"
            lines.append(f"sop,{store_id(store)}-{check + 1},sop,{_moment(brand, rng)},{found},{where}")
    _lines(raw, brand.days, "audits.csv", lines)
    return {"tag_accuracy": figures["tag_accuracy"], "identification_accuracy": figures["identification_accuracy"],
            "sop_compliance_rate": float((sop * checks).sum() / checks.sum()),
            "sop_rate_by_store": {store_id(s): float(sop[s]) for s in range(stores)}}  # fmt: skip


def write_scrm(raw: Raw, brand: Brand, people: People, daily: Mapping[str, np.ndarray], seed: int) -> None:
    """Write the exports of an SCRM in gb18030: figures by day of customers and of staff, and the newest customers."""
    new, lost, total, asks = (daily[name].sum(axis=1) for name in ("new", "lost", "total", "apply"))
    chats, messages, asked, answered = (daily[name].sum(axis=1) for name in ("chats", "messages", "asked", "answered"))
    minutes = np.round((daily["minutes"] * daily["answered"]).sum(axis=1) / np.maximum(answered, 1))
    for first, end in raw.weeks():
        lines = ["日期,客户总数,新增客户数,流失客户数,净增客户数,发送申请数"]
        lines += [
            f"{brand.day(d)},{total[d]},{new[d]},{lost[d]},{new[d] - lost[d]},{asks[d]}" for d in range(first, end)
        ]
        _lines(raw, end, "scrm_customer_daily.csv", lines, encoding="gb18030")
        lines = ["日期,聊天总数,发送消息数,已回复聊天占比,平均首次回复时长"]
        for d in range(first, end):
            reply = f"{100 * answered[d] / asked[d]:.2f}%,{minutes[d]:.0f}" if asked[d] else ","
            lines.append(f"{brand.day(d)},{chats[d]},{messages[d]},{reply}")
        _lines(raw, end, "scrm_staff_daily.csv", lines, encoding="gb18030")
    newest = np.flatnonzero(people.listed(brand.days) & (people.joined >= 0))[-EXPORT_ROWS:]
    channels = brand.tree["channels"]
    dates = column([str(brand.day(i)) for i in range(brand.days)])
    at = people.joined[newest]
    body = rows(
        nicknames(people, seed)[newest], b",", column(["", "微信客户", "企业客户"])[people.wx_type[newest]], b",",
        column(["未知", "男", "女"])[people.gender[newest]], b",", people.external[newest], b",",
        np.where(people.unionid_known[newest], people.unionid[newest], b""), b",,,,",
        people.staff_ids[people.staff[newest]], b",,",
        column([ADD_WAYS[c["add_way"]] for c in channels])[people.channel[newest]], b",",
        dates[np.floor(at).astype(np.int64)], b" ",
        clock(at), ",,,,,,,否\n".encode(),
    )  # fmt: skip
    text = CUSTOMER_HEAD + "\n" + body.decode("utf-8")
    raw.blocks(brand.days, "scrm_customers_newest.csv", [text.encode("gb18030")])


def _moment(brand: Brand, rng: np.random.Generator) -> str:
    return f"{brand.day(int(rng.integers(brand.days)))} {int(rng.integers(9, 18)):02d}:00:00"


def _headed(head: str, blocks: Any) -> Iterator[bytes]:
    yield head.encode() + b"\n"
    yield from blocks


def _lines(raw: Raw, pulled: int, name: str, lines: list[str], encoding: str = "utf-8") -> None:
    raw.blocks(pulled, name, [("\n".join(lines) + "\n").encode(encoding)])
