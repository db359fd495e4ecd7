"""The mini-program: daily summary, visits, retention, distribution, portrait."""

from __future__ import annotations

from planlib.data.sources.base import Out, Source, out, source

_DIMENSIONS = ("province", "city", "genders", "platforms", "devices", "ages")
_UNIT = "CASE WHEN \"index\" LIKE '%visit_uv%' THEN 'people' ELSE 'visits' END"


def _retention(path: str, cohort: str) -> Out:
    """Return the outs of one cohort; the base is the value of key 0."""
    return out("mp_retention", f"{path}[]", {"ref_date": "ref_date date", "k": ".key code", "users": ".value count"},
               computed={"cohort": f"'{cohort}'"})  # fmt: skip


def _portrait(cohort: str, path: str, dimension: str) -> Out:
    return out("mp_portrait", f"{path}.{dimension}[]", {"label": ".name text", "value": ".value count"},
               helps={"period": "ref_date text"},
               computed={
                   "cohort": f"'{cohort}'", "dimension": f"'{dimension}'",
                   "first_date": "CAST(try_strptime(split_part(period, '-', 1), '%Y%m%d') AS DATE)",
                   "last_date": "CAST(try_strptime(split_part(period, '-', -1), '%Y%m%d') AS DATE)",
               })  # fmt: skip


SOURCES: tuple[Source, ...] = (
    source("mp_summary", "list[]", "ref_date visit_total",
           out("mp_daily", "list[]", {
               "date": ".ref_date date", "visit_total": ".visit_total count", "share_pv": ".share_pv count",
               "share_uv": ".share_uv count",
           }), unique=True),
    source("mp_visits", "list[]", "ref_date visit_pv visit_uv",
           out("mp_daily", "list[]", {
               "date": ".ref_date date", "sessions": ".session_cnt count", "pv": ".visit_pv count",
               "uv": ".visit_uv count", "uv_new": ".visit_uv_new count",
               "stay_per_session_s": ".stay_time_session amount", "stay_per_user_s": ".stay_time_uv amount",
               "depth": ".visit_depth amount",
           }), unique=True),
    source("mp_retain", "visit_uv_new[]", "key value",
           _retention("visit_uv_new", "new"), _retention("visit_uv", "active"), unique=True),
    source("mp_distribution", "list[]", "index item_list",
           out("mp_visit_dist", "list[].item_list[]", {
               "date": "ref_date date", "index": "list[].index text", "key": ".key code", "value": ".value count",
           }, computed={"unit": _UNIT}), unique=True),
    source("mp_portrait", "visit_uv_new", "province",
           *(_portrait(cohort, path, d) for cohort, path in (("new", "visit_uv_new"), ("active", "visit_uv"))
             for d in _DIMENSIONS)),
)  # fmt: skip
