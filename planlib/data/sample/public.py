"""Raw files of the official account and the mini-program: counts by day, no persons."""

from __future__ import annotations

from typing import Any

import numpy as np

from planlib.core.streams import stream
from planlib.data.sample.brand import Brand, season
from planlib.data.sample.raw import Raw

Answer = tuple[dict[str, str], dict[str, Any]]  # request and response
SOURCES = (0, 1, 17, 30, 57, 100, 149, 200)  # where followers come from, as the platform codes it
SOURCE_SHARES = (0.10, 0.16, 0.05, 0.30, 0.06, 0.12, 0.06, 0.15)
FOLLOWERS_PER_CUSTOMER = 0.3
LEGACY_DAYS = 62  # until the end of February 2026 articles come from the old interfaces
ARTICLE_WEEKDAYS = (1, 4)
READ_DAYS = 7  # articles are followed for so many days after the first
ENGAGED = {"like_user": 0.02, "zaikan_user": 0.012, "share_user": 0.010, "comment_count": 0.004}
READ_SOURCES = {0: 0.70, 1: 0.12, 2: 0.08, 5: 0.04, 6: 0.06}  # parts of all reads
ALL_READS = 99_999_999
KEYS = (1, 2, 3, 4, 5, 6, 7, 14, 30)  # days after the first visit that retention is told of
VISITORS_PER_CUSTOMER = 0.03  # a day
ACCESS = {1: 0.32, 2: 0.10, 3: 0.27, 4: 0.09, 7: 0.05, 13: 0.06, 18: 0.08, 22: 0.03}


def write_account(raw: Raw, brand: Brand, customers: int, seed: int) -> dict[str, float]:
    """Write followers, articles of both generations, reads and messages; return what is planted."""
    rng = stream(seed, "official account")
    start = max(int(FOLLOWERS_PER_CUSTOMER * customers), 20)
    lively = season(brand)
    new = rng.poisson(np.outer(lively * 0.0012 * start, SOURCE_SHARES))
    cancel = rng.poisson(np.outer(np.full(brand.days, 0.0008 * start), SOURCE_SHARES))
    total = start + np.cumsum((new - cancel).sum(axis=1))
    for first in range(0, brand.days, 7):
        days = range(first, min(first + 7, brand.days))
        pulled = days[-1] + 1
        rows = [{"ref_date": str(brand.day(d)), "user_source": s, "new_user": int(new[d, k]),
                 "cancel_user": int(cancel[d, k])}
                for d in days for k, s in enumerate(SOURCES)]  # fmt: skip
        counted = [{"ref_date": str(brand.day(d)), "user_source": 0, "cumulate_user": int(total[d])} for d in days]
        people = rng.poisson(0.004 * start * lively[first : days[-1] + 1])
        written = [{"ref_date": str(brand.day(d)), "msg_type": kind, "msg_user": int(n * part),
                    "msg_count": int(n * part * 2.4)}
                   for d, n in zip(days, people, strict=True) for kind, part in ((1, 1.0), (2, 0.12))]  # fmt: skip
        raw.answers("oa_weekly", pulled, (({}, {"list": found}) for found in (rows, counted, written)))
    _articles(raw, brand, total, rng)
    return {"article_open_rate": brand.figures["message_open_rate"], "content_engagement_rate": sum(ENGAGED.values())}


def _articles(raw: Raw, brand: Brand, followers: np.ndarray, rng: np.random.Generator) -> None:
    """Write each article's totals by day, and the reads of all articles by day and source."""
    reads = np.zeros(brand.days, dtype=np.int64)
    shares = np.zeros(brand.days, dtype=np.int64)
    spread = np.diff(-np.exp(-np.arange(READ_DAYS + 1) / 1.5), prepend=-1.0)[1:]
    told: dict[int, list[Answer]] = {}  # by the day of the pull, once a week

    def week_of(day: int) -> int:
        return min(-(-day // 7) * 7, brand.days)

    published = [d for d in range(brand.days) if brand.day(d).weekday() in ARTICLE_WEEKDAYS]
    for number, day in enumerate(published):
        target = int(followers[day])
        session = int(rng.binomial(target, brand.figures["message_open_rate"]))
        readers = rng.multinomial(round(session / READ_SOURCES[0]), spread / spread.sum())[: brand.days - day]
        engaged = {name: rng.binomial(readers, rate) for name, rate in ENGAGED.items()}
        reads[day : day + len(readers)] += readers
        shares[day : day + len(readers)] += engaged["share_user"]
        head = {"ref_date": str(brand.day(day)), "msgid": f"22475{number:05d}_1"}
        title = f"示例文章{number + 1}"
        done = {name: np.cumsum(values) for name, values in engaged.items()}
        read, pulled = np.cumsum(readers), day + len(readers)
        if day >= LEGACY_DAYS:
            details = [{"stat_date": str(brand.day(day + k)), "read_user": int(read[k]), "read_user_source": [],
                        **{name: int(values[k]) for name,
                        values in done.items()}} for k in range(len(readers))]  # fmt: skip
            answer = {
                "list": [{**head, "publish_type": 0, "detail_list": details}],
                "is_delay": len(readers) < READ_DAYS,
            }
            told.setdefault(week_of(pulled), []).append(({}, answer))
            continue
        details = []
        for k in range(len(readers)):
            seen = _legacy(int(read[k]), int(done["share_user"][k]))
            seen |= {"int_page_from_session_read_user": round(session * read[k] / max(int(read[-1]), 1)),
                     "int_page_from_friends_read_user": round(0.12 * read[k])}  # fmt: skip
            details.append({"stat_date": str(brand.day(day + k)), "target_user": target, **seen})
        told.setdefault(week_of(pulled), []).append(({}, {"list": [{**head, "title": title, "details": details}]}))
        first = _legacy(int(read[0]), int(done["share_user"][0]))
        if read[0] >= 3:  # the platform leaves out rows of fewer interactions
            row = {"ref_date": head["ref_date"], "user_source": 0, "msgid": head["msgid"], "title": title, **first}
            told.setdefault(week_of(day + 1), []).append(({}, {"list": [row]}))
    for begin, end in raw.weeks():
        for first in range(begin, end, 3):  # a call spans three days at most
            rows = []
            for d in range(first, min(first + 3, end)):
                day = {"ref_date": str(brand.day(d))}
                parts = rng.multinomial(reads[d], list(READ_SOURCES.values()))
                rows.append({**day, "user_source": ALL_READS, **_legacy(int(reads[d]), int(shares[d]))})
                rows += [{**day, "user_source": source, **_legacy(int(n), 0)}
                         for source, n in zip(READ_SOURCES, parts, strict=True)]  # fmt: skip
            told.setdefault(end, []).append(({}, {"list": rows}))
    for pulled, answers in told.items():
        raw.answers("oa_articles", pulled, answers)


def _legacy(readers: int, shares: int) -> dict[str, int]:
    return {"int_page_read_user": readers, "int_page_read_count": round(1.2 * readers),
            "ori_page_read_user": readers // 80,
            "ori_page_read_count": readers // 75, "share_user": shares, "share_count": round(1.3 * shares),
            "add_to_fav_user": readers // 160, "add_to_fav_count": readers // 150}  # fmt: skip


def retention_rates(brand: Brand) -> np.ndarray:
    """Return the share of new visitors seen again on each of KEYS: straight between stated days, on log scales."""
    known = {1: "mp_retention_d1", 7: "mp_retention_d7", 30: "mp_retention_d30"}
    days = np.log(list(known))
    return np.exp(np.interp(np.log(KEYS), days, np.log([brand.figures[name] for name in known.values()])))


def write_program(raw: Raw, brand: Brand, customers: int, seed: int) -> dict[str, float]:
    """Write visits, retention and how visitors came; one day is left out; return what is planted."""
    rng = stream(seed, "mini-program")
    missing = brand.index(brand.tree["faults"]["missing_day"])
    lively = season(brand)
    visitors = rng.poisson(VISITORS_PER_CUSTOMER * customers * lively)
    new = rng.binomial(visitors, 0.1)
    total = int(1.5 * customers) + np.cumsum(new)
    sessions = visitors + rng.poisson(1.5 * visitors)
    views = sessions + rng.poisson(2.3 * sessions)
    told: dict[int, list[Answer]] = {}  # by the day of the pull, once a week
    back, regular = retention_rates(brand), 0.24 * np.array(KEYS) ** -0.35
    for day in range(brand.days):
        date = f"{brand.day(day):%Y%m%d}"
        shared = int(rng.binomial(visitors[day], 0.07))
        stay = float(np.round(rng.normal(55, 4), 2))
        if day != missing:
            summary = {
                "ref_date": date,
                "visit_total": int(total[day]),
                "share_pv": round(1.5 * shared),
                "share_uv": shared,
            }
            visits = {"ref_date": date, "session_cnt": int(sessions[day]), "visit_pv": int(views[day]),
                      "visit_uv": int(visitors[day]),
                   "visit_uv_new": int(new[day]), "stay_time_uv": round(2.5 * stay, 2), "stay_time_session": stay,
                   "visit_depth": round(float(views[day] / max(sessions[day], 1)), 4)}  # fmt: skip
            ways = {"ref_date": date, "list": _distribution(rng, sessions[day], visitors[day])}
            told.setdefault(min(day // 7 * 7 + 7, brand.days), []).extend(
                ({}, found) for found in ({"list": [summary]}, {"list": [visits]}, ways)
            )
        pulled = min(day + max(KEYS) + 1, brand.days)
        seen = [k for k in range(len(KEYS)) if day + KEYS[k] < pulled]
        answer = {"ref_date": date}
        for name, base, rates in (("visit_uv_new", new[day], back), ("visit_uv", visitors[day], regular)):
            answer[name] = [{"key": 0, "value": int(base)}] + [
                {"key": KEYS[k], "value": int(n)} for k, n in zip(seen, rng.binomial(base, rates[seen]),
                strict=True)]  # fmt: skip
        told.setdefault(min(-(-pulled // 7) * 7, brand.days), []).append(({}, answer))
    for pulled, answers in told.items():
        raw.answers("mp_answers", pulled, answers)
    return {name: brand.figures[name] for name in ("mp_retention_d1", "mp_retention_d7", "mp_retention_d30")}


def _distribution(rng: np.random.Generator, sessions: int, visitors: int) -> list[dict[str, Any]]:
    access = np.array(list(ACCESS.values()))
    parts = {
        "access_source_session_cnt": (sessions, tuple(ACCESS), access / access.sum()),
        "access_source_visit_uv": (visitors, tuple(ACCESS), access / access.sum()),
        "access_staytime_info": (sessions, tuple(range(1, 9)), np.array([8, 12, 15, 18, 14, 13, 11, 9]) / 100),
        "access_depth_info": (sessions, tuple(range(1, 8)), np.array([44, 22, 12, 8, 5, 6, 3]) / 100),
    }
    return [{"index": index, "item_list": [{"key": k, "value": int(v)} for k, v in zip(keys, rng.multinomial(n, p),
                                                                                       strict=True)]}
            for index, (n, keys, p) in parts.items()]  # fmt: skip
