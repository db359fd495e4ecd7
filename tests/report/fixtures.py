"""An invented run in the form that notebooks leave: results.json, Parquet tables, SVG charts in two languages."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from planlib.core import results as res
from planlib.core.words import LOCALES, words

PLAN = {
    "id": "invented_brand",
    "file": "params/invented_brand.yaml",
    "sha256": "4be1d0c2a7f35e6890ab12cd34ef56ab78cd90ef12ab34cd56ef78ab90cd12ef",
    "scenario": None,
    "title": {"zh": "示例品牌微信私域方案", "en": "Invented brand, WeChat plan"},
    "start": "2027-01",
    "months": 24,
    "classification": {"zh": "内部", "en": "Internal"},
    "owner": None,
}

SENTENCES = {
    "zh": {
        "section": "用户预测", "budget_section": "预算", "schedule_section": "排期", "targets_section": "目标",
        "assumptions_section": "假设与来源",
        "users_gap": "按现路径，{goal} 私域用户要到 {reached}",
        "users_evidence": "第 12 个月预测 {forecast}；{level} 区间 {low}–{high}",
        "users_label": "用户，12 月末",
        "tech_gap": "技术预算低于 {floor} 的下限，差 {gap}",
        "tech_evidence": "最小改动：人力、营销各减 {half}，总额 {total} 不变",
        "tech_label": "技术占比",
        "coupon": "“欢迎语加首单券”通过检验，可全量上线",
        "coupon_evidence": "首次互动率 {before} 升至 {after}",
        "coupon_label": "首次互动率",
        "score": "净推荐值还没有测量，先不给预测",
        "score_evidence": "首次调查之后才有基线",
        "score_label": "净推荐值",
        "step_review": "每周复核付费新增", "step_budget": "在下次预算会议上定稿", "step_live": "全量上线并留对照组",
        "step_survey": "安排首次调查",
        "growth": "增长负责人", "finance": "财务", "operations": "用户运营",
        "targets_title": "两项目标按期可达，多数要看付费新增",
        "targets_subtitle": "目标、预测与按期达成概率；横条为预测区间，竖线为目标（= 100）",
        "targets_reading": "获客成本与响应时长越低越好，横条在线左即达标。净推荐值测量之前不给概率。",
        "forecast_title": "用户在 {reached} 越过 {goal}，比第 12 个月的目标晚两个月",
        "forecast_subtitle": "私域用户存量；蓝线为预测，菱形为目标",
        "forecast_reading": "放量从第五个月开始：六月底的实际值将把年底区间收窄约三分之一。",
        "budget_title": "技术占比低于下限 {gap}，从人力与营销各让 {half} 即可",
        "budget_subtitle": "年度预算 {total}，按类别",
        "budget_reading": "运营已在下限，不能再让；任何系统加价都会再次出界。",
        "schedule_title": "四个阶段、四个关口：标签服务决定第三个关口",
        "schedule_subtitle": "任务排期，按部门；深色为关键路径",
        "assumptions_title": "多数假设来自文件，付费新增速度只是判断，须先换成实测",
        "assumptions_subtitle": "取值、来历与负责人",
        "assumptions_reading": "影响最大的两项都是判断：五月的周数据就能换成实测。",
        "source": "用户月报与目标清单", "budget_source": "预算表", "schedule_source": "排期表",
        "assumptions_source": "方案文件里的假设",
        "alt": "折线图：用户从 {opening} 增长到 {forecast}，目标 {goal}",
        "budget_alt": "四类预算的横条图", "schedule_alt": "甘特图：任务按部门分行",
        "label_head": "假设", "value_head": "取值", "source_head": "来源", "why_head": "理由", "owner_head": "负责人",
        "category": "类别", "share": "占比", "money": "金额", "band": "状态",
    },
    "en": {
        "section": "User forecast", "budget_section": "Budget", "schedule_section": "Schedule",
        "assumptions_section": "Assumptions and sources", "targets_section": "Targets",
        "users_gap": "The current path reaches {goal} private-domain users in {reached}",
        "users_evidence": "Month 12 forecast {forecast}; {level} interval {low}–{high}",
        "users_label": "users, end of month 12",
        "tech_gap": "Technology sits {gap} under its {floor} floor",
        "tech_evidence": "Smallest change: labour and marketing give {half} each; total {total} stays",
        "tech_label": "technology share",
        "coupon": "“Welcome note plus coupon” passed its test and can go live for everyone",
        "coupon_evidence": "First interaction {before} to {after}",
        "coupon_label": "first interaction",
        "score": "The promoter score has not been measured, so it has no forecast",
        "score_evidence": "The first survey sets the baseline",
        "score_label": "promoter score",
        "step_review": "Review paid intake weekly", "step_budget": "Settle at the next budget meeting",
        "step_live": "Go live and keep a hold-out group", "step_survey": "Schedule the first survey",
        "growth": "Growth lead", "finance": "Finance", "operations": "User operations",
        "targets_title": "Two targets are on track; most depend on the plan's paid intake",
        "targets_subtitle": "Target, forecast and chance of meeting it; bar = interval, line = target (= 100)",
        "targets_reading": "For cost and reply time lower is better: left of the line meets the target.",
        "forecast_title": "Users pass {goal} in {reached}, two months after the month-12 target",
        "forecast_subtitle": "Private-domain users; blue = forecast, diamond = target",
        "forecast_reading": "Intake opens up in the fifth month: June's count alone narrows the range by a third.",
        "budget_title": "Technology is {gap} under its floor; labour and marketing can give {half} each",
        "budget_subtitle": "Budget {total} a year, by category",
        "budget_reading": "Operations are at their floor; any system price rise breaks the band again.",
        "schedule_title": "Four stages, four gates: the tag service decides the third",
        "schedule_subtitle": "Tasks by department; dark = critical path",
        "assumptions_title": "Most assumptions come from documents; paid intake is judgement and must be measured",
        "assumptions_subtitle": "Value, origin and owner",
        "assumptions_reading": "The two that matter most are judgement: weekly data in May can replace them.",
        "source": "monthly user report and target list", "budget_source": "budget sheet",
        "schedule_source": "schedule sheet", "assumptions_source": "assumptions of the plan file",
        "alt": "Line chart: users grow from {opening} to {forecast} against a target of {goal}",
        "budget_alt": "Bars of four budget categories", "schedule_alt": "Gantt chart: tasks by department",
        "label_head": "Assumption", "value_head": "Value", "source_head": "Source", "why_head": "Why",
        "owner_head": "Owner", "category": "Category", "share": "Share", "money": "Money", "band": "Status",
    },
}  # fmt: skip

METRIC_NAMES = {
    "zh": {
        "private_domain_users": "私域用户", "mau_rate": "月活跃率", "tag_coverage": "标签覆盖率", "cac": "获客成本",
        "reply_time": "客服响应", "nps": "净推荐值", "conversion_rate": "转化率", "gmv": "私域成交额",
    },
    "en": {
        "private_domain_users": "Private-domain users", "mau_rate": "Monthly active rate",
        "tag_coverage": "Tag coverage", "cac": "Acquisition cost", "reply_time": "Service reply",
        "nps": "Net promoter score", "conversion_rate": "Conversion rate", "gmv": "Private-domain sales",
    },
}  # fmt: skip

CHECK_NAMES = {
    "zh": {"users_conserved": "存量逐月相加一致", "shares_sum": "占比合计为一", "tasks_acyclic": "任务无环"},
    "en": {"users_conserved": "Users add up by month", "shares_sum": "Shares sum to one", "tasks_acyclic": "No loops"},
}

TARGETS = [
    # metric, qualifier zh, en, op, goal, due, forecast, low, high, probability, reached, status, unit
    ("private_domain_users", "挑战值", "stretch", "at_least", 1e6, 6, 531_000.0, 490_000.0, 570_000.0, 0.004, 14,
     "off_track", "users"),
    ("private_domain_users", None, None, "at_least", 1e6, 12, 929_000.0, 775_000.0, 1_133_000.0, 0.31, 14,
     "at_risk", "users"),
    ("mau_rate", None, None, "at_least", 0.5, 12, 0.481, 0.45, 0.51, 0.31, 13, "at_risk", "ratio"),
    ("tag_coverage", None, None, "at_least", 0.9, 6, 0.918, 0.9, 0.93, 0.68, 6, "on_track", "ratio"),
    ("conversion_rate", None, None, "at_least", 0.12, 12, 0.114, 0.1, 0.125, 0.35, None, "at_risk", "ratio"),
    ("cac", None, None, "at_most", 20.0, 12, 17.7, 15.8, 20.1, 0.87, 0, "on_track", "CNY"),
    ("reply_time", None, None, "below", 30.0, 12, 24.0, 18.0, 29.0, 0.88, 0, "on_track", "seconds"),
    ("gmv", None, None, "at_least", 54e6, 12, 118e6, 90e6, 140e6, 0.995, 7, "on_track", "CNY"),
    ("nps", None, None, "at_least", 60.0, 12, None, None, None, None, None, "not_measured", "score"),
]  # fmt: skip


def install_words(patch: Any = None) -> None:
    """Teach the words of both languages the invented sentences; with pytest's monkeypatch, for one test."""
    for locale in LOCALES:
        rooms = words(locale)._rooms
        added = {"specimen": SENTENCES[locale]}
        for room, names in (("metrics", METRIC_NAMES), ("checks", CHECK_NAMES)):
            try:
                known = words(locale)._room(room)
            except KeyError:
                known = {}
            added[room] = {**known, **names[locale]}
        for room, sentences in added.items():
            if patch is None:
                rooms[room] = sentences
            else:
                patch.setitem(rooms, room, sentences)


def build_run(
    folder: Path,
    *,
    target_rows: int = len(TARGETS),
    assumption_rows: int = 8,
    with_intervals: bool = True,
    title: dict[str, str] | None = None,
    why: dict[str, str] | None = None,
    chart_text: str | None = None,
) -> Path:
    """Write the invented run and return its folder.

    Args:
        target_rows: rows of the target table, the nine invented ones repeated.
        assumption_rows: rows of the assumptions.
        with_intervals: False leaves interval and probability null in every row, as a run without draws does.
        title: of the plan, in both languages.
        why: reason of the first assumption.
        chart_text: an extra text inside the users chart.
    """
    plan = PLAN | ({"title": title} if title else {})
    _start_here(folder / "00_start_here", plan, assumption_rows, why)
    _funnel(folder / "20_funnel_targets", plan, target_rows, with_intervals, chart_text)
    _budget(folder / "30_budget_allocation", plan)
    _milestones(folder / "50_milestone_plan", plan)
    order = [path.parent.name for path in sorted(folder.glob("*/results.json"))]
    manifest = {"plan": plan, "steps": [{"notebook": name} for name in order]}
    (folder / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    return folder


def say(key: str, **values: Any) -> dict[str, Any]:
    """Return a reference to an invented sentence."""
    return {"text": f"specimen.{key}", "values": values} if values else {"text": f"specimen.{key}"}


def metric(metric_id: str, value: float | None, unit: str, **more: Any) -> dict[str, Any]:
    """Return a recorded number."""
    base = {"metric": None, "month": None, "n": None, "interval": None, "method": "invented", "reason": None}
    return {"id": metric_id, "value": value, "unit": unit, **base, **more}


def _write(folder: Path, plan: dict[str, Any], **record: Any) -> None:
    empty = {key: [] for key in ("inputs", "metrics", "checks", "findings", "tables", "charts", "pages")}
    base = {"schema": 1, "notebook": folder.name, "seed": 20270101, "as_of": "2027-01-01", "plan": plan,
            "decision": None, "versions": {"planlib": "0.1.0", "python": "3.11.9", "numpy": "2.4.0"}}  # fmt: skip
    res.write(folder / "results.json", base | empty | record)


def _page(page_id: str, layout: str, name: str, **more: Any) -> dict[str, Any]:
    parts = {"section": f"specimen.{name}_section", "title": say(f"{name}_title"), "subtitle": say(f"{name}_subtitle"),
             "reading": None, "source": say(f"{name}_source"), "chart": None, "table": None}  # fmt: skip
    return {"id": page_id, "layout": layout} | parts | more


def _start_here(folder: Path, plan: dict[str, Any], rows: int, why: dict[str, str] | None) -> None:
    reasons = {"zh": "渠道负责人访谈；没有更好的依据之前先用它", "en": "channel owners asked; used until measured"}
    labels = [
        ("付费新增速度", "Paid intake", 50_000.0, "users_per_month", "assumption"),
        ("月流失率", "Monthly churn", 0.022, "ratio", "W2.3"),
        ("自然流量占比", "Organic share", 0.4, "ratio", "W2.3"),
        ("年度预算", "Budget a year", 54e6, "CNY", "W6.3"),
        ("期初用户", "Opening users", 312_000.0, "users", "assumption"),
        ("群成员上限", "Members per group", 500.0, "people", "platform"),
        ("沉睡唤醒率", "Dormant users woken", 0.3, "ratio", "W2.2"),
        ("观察期", "Window", 30.0, "days", "assumption"),
    ]
    table = []
    for i in range(rows):
        zh, en, value, unit, source = labels[i % len(labels)]
        reason = why if why and i == 0 else reasons if source == "assumption" else {"zh": None, "en": None}
        table.append({
            "label_zh": zh, "label_en": en, "value": value, "unit": unit, "source": source,
            "why_zh": reason["zh"], "why_en": reason["en"], "owner_zh": "规划组", "owner_en": "planning",
        })  # fmt: skip
    res.write_table(folder / "tables" / "assumptions.parquet", pd.DataFrame(table))
    columns = [
        {"name": "label", "head": "specimen.label_head", "kind": "bilingual", "weight": 1.2},
        {"name": "value", "head": "specimen.value_head", "kind": "number", "strong": True},
        {"name": "source", "head": "specimen.source_head", "kind": "source", "weight": 0.6},
        {"name": "why", "head": "specimen.why_head", "kind": "bilingual", "weight": 2.0},
        {"name": "owner", "head": "specimen.owner_head", "kind": "bilingual", "weight": 0.8},
    ]
    units = {"label": "bilingual", "value": "@unit", "source": "text", "why": "bilingual", "owner": "bilingual"}
    page = _page("assumptions", "table", "assumptions", reading=say("assumptions_reading"),
                 table={"id": "assumptions", "columns": columns})  # fmt: skip
    entry = {"id": "assumptions", "file": "tables/assumptions.parquet", "rows": rows, "units": units}
    _write(folder, plan, tables=[entry], pages=[page])


def _funnel(folder: Path, plan: dict[str, Any], rows: int, with_intervals: bool, chart_text: str | None) -> None:
    names = ["metric", "qualifier_zh", "qualifier_en", "op", "goal", "due_month", "forecast", "low", "high",
             "probability", "reached_month", "status", "unit"]  # fmt: skip
    frame = pd.DataFrame([TARGETS[i % len(TARGETS)] for i in range(rows)], columns=names)
    if not with_intervals:
        frame[["low", "high", "probability"]] = np.nan
    res.write_table(folder / "tables" / "targets.parquet", frame)
    users = np.linspace(312_000, 929_000, 13)
    for locale in LOCALES:
        for name, height in (("users", 330), ("cover", 288)):
            text = chart_text if name == "users" else None
            svg = _line_chart(users, words(locale), height, text)
            path = folder / "charts" / f"{name}.{locale}.svg"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(svg, encoding="utf-8")
    alt = say("alt", opening="opening", forecast="users_m12", goal="goal")
    charts = [{"id": name, "files": {loc: f"charts/{name}.{loc}.svg" for loc in LOCALES}, "alt": alt}
              for name in ("users", "cover")]  # fmt: skip
    reached = {"month_date": "2028-02"}
    _write(
        folder,
        plan,
        metrics=[
            metric("users_m12", 929_000.0, "users", metric="private_domain_users", month=12,
                   interval={"low": 775_000.0, "high": 1_133_000.0, "level": 0.8}),
            metric("users_low", 775_000.0, "users"), metric("users_high", 1_133_000.0, "users"),
            metric("level", 0.8, "probability"), metric("goal", 1e6, "users"), metric("opening", 312_000.0, "users"),
            metric("nps_now", None, "score", reason="not_measured"),
        ],
        checks=[{"id": "users_conserved", "status": "PASS", "value": 0.0, "threshold": 1e-9},
                {"id": "unnamed_check", "status": "PASS", "value": 0.0, "threshold": 1e-9}],
        findings=[
            {"id": "users_gap", "status": "at_risk", "weight": 0.61, "figure": "users_m12",
             "figure_label": say("users_label"), "text": say("users_gap", goal="goal", reached=reached),
             "evidence": say("users_evidence", forecast="users_m12", level="level", low="users_low",
                             high="users_high"),
             "next_step": say("step_review"), "owner": say("growth"), "page": "users_forecast"},
            {"id": "score", "status": "not_measured", "weight": 0.05, "figure": "nps_now",
             "figure_label": say("score_label"), "text": say("score"), "evidence": say("score_evidence"),
             "next_step": say("step_survey"), "owner": say("operations"), "page": "targets"},
        ],
        tables=[{"id": "targets", "file": "tables/targets.parquet", "rows": rows,
                 "units": {"goal": "@unit", "forecast": "@unit", "low": "@unit", "high": "@unit"}}],
        charts=charts,
        pages=[
            _page("users_forecast", "chart", "forecast", section="specimen.section",
                  title=say("forecast_title", goal="goal", reached=reached), reading=say("forecast_reading"),
                  source=say("source"), chart="users"),
            _page("targets", "targets", "targets", reading=say("targets_reading"), source=say("source"),
                  table={"id": "targets"}),
        ],
    )  # fmt: skip


def _budget(folder: Path, plan: dict[str, Any]) -> None:
    names = [("人力", "Labour"), ("技术", "Technology"), ("营销", "Marketing"), ("运营", "Operations")]
    shares = [0.48, 0.22, 0.2, 0.1]
    frame = pd.DataFrame({
        "name_zh": [zh for zh, _ in names], "name_en": [en for _, en in names], "share": shares,
        "money": [share * 54e6 for share in shares], "band": ["on_track", "off_track", "on_track", "at_risk"],
    })  # fmt: skip
    res.write_table(folder / "tables" / "bands.parquet", frame)
    for locale in LOCALES:
        path = folder / "charts" / f"bands.{locale}.svg"
        path.parent.mkdir(parents=True, exist_ok=True)
        column = 0 if locale == "zh" else 1
        bars = [(names[i][column], shares[i], words(locale).number(shares[i], "ratio")) for i in range(4)]
        path.write_text(_bar_chart(bars, 420, 330), encoding="utf-8")
    columns = [
        {"name": "name", "head": "specimen.category", "kind": "bilingual"},
        {"name": "share", "head": "specimen.share", "kind": "bar"},
        {"name": "money", "head": "specimen.money", "kind": "number", "strong": True},
        {"name": "band", "head": "specimen.band", "kind": "status"},
    ]
    values = {"gap": "gap", "half": "half"}
    _write(
        folder,
        plan,
        metrics=[metric("share_technology", 0.22, "ratio"), metric("gap", 0.03, "points"),
                 metric("half", 0.015, "points"), metric("total", 54e6, "CNY"), metric("floor", 0.25, "ratio"),
                 metric("effect", 0.036, "points", signed=True), metric("before", 0.462, "ratio"),
                 metric("after", 0.498, "ratio")],
        checks=[{"id": "shares_sum", "status": "PASS", "value": 0.0, "threshold": 1e-9}],
        findings=[
            {"id": "technology_floor", "status": "off_track", "weight": 0.4, "figure": "share_technology",
             "figure_label": say("tech_label"), "text": say("tech_gap", floor="floor", gap="gap"),
             "evidence": say("tech_evidence", half="half", total="total"), "next_step": say("step_budget"),
             "owner": say("finance"), "page": "bands"},
            {"id": "coupon", "status": "on_track", "weight": 0.2, "figure": "effect",
             "figure_label": say("coupon_label"), "text": say("coupon"),
             "evidence": say("coupon_evidence", before="before", after="after"), "next_step": say("step_live"),
             "owner": say("operations"), "page": "bands"},
        ],
        tables=[{"id": "bands", "file": "tables/bands.parquet", "rows": 4,
                 "units": {"name": "bilingual", "share": "ratio", "money": "CNY", "band": "status"}}],
        charts=[{"id": "bands", "files": {loc: f"charts/bands.{loc}.svg" for loc in LOCALES},
                 "alt": say("budget_alt")}],
        pages=[_page("bands", "chart", "budget", title=say("budget_title", **values), chart="bands",
                     subtitle=say("budget_subtitle", total="total"), reading=say("budget_reading"),
                     table={"id": "bands", "columns": columns})],
    )  # fmt: skip


def _milestones(folder: Path, plan: dict[str, Any]) -> None:
    for locale in LOCALES:
        path = folder / "charts" / f"schedule.{locale}.svg"
        path.parent.mkdir(parents=True, exist_ok=True)
        name = "任务" if locale == "zh" else "Task"
        rows = "".join(
            f'<text x="0" y="{18 + 9 * i}" {_FONT} font-size="8">{name}</text>'
            f'<rect x="{120 + 17 * i}" y="{12 + 9 * i}" width="80" height="6" fill="#5C88BC"/>'
            for i in range(40)
        )
        path.write_text(_svg(864, 396, rows), encoding="utf-8")
    _write(
        folder,
        plan,
        checks=[{"id": "tasks_acyclic", "status": "PASS", "value": 0.0, "threshold": 0.0}],
        charts=[{"id": "schedule", "files": {loc: f"charts/schedule.{loc}.svg" for loc in LOCALES},
                 "alt": say("schedule_alt")}],
        pages=[_page("schedule", "chart", "schedule", chart="schedule")],
    )  # fmt: skip


_FONT = 'font-family="Noto Sans SC"'


def _svg(width: float, height: float, body: str) -> str:
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}pt" height="{height}pt" '
        f'viewBox="0 0 {width} {height}">{body}</svg>'
    )


def _line_chart(values: np.ndarray, w: Any, height: float, extra: str | None) -> str:
    xs = np.linspace(40, 770, len(values))
    bottom = height - 30
    ys = bottom - values / 1.15e6 * (bottom - 20)
    goal = bottom - 1e6 / 1.15e6 * (bottom - 20)
    ticks = "".join(
        f'<g id="xtick_{i}"><text x="{x:.1f}" y="{height - 10}" {_FONT} font-size="9" text-anchor="middle" '
        f'fill="#46535F">{i}</text></g>'
        for i, x in enumerate(xs)
    )
    points = " ".join(f"{x:.1f},{y:.1f}" for x, y in zip(xs, ys, strict=True))
    body = (
        f'{ticks}<line x1="40" x2="770" y1="{bottom}" y2="{bottom}" stroke="#66727D" stroke-width="0.8"/>'
        f'<line x1="40" x2="770" y1="{goal:.1f}" y2="{goal:.1f}" stroke="#16212B" stroke-dasharray="2 2"/>'
        f'<polyline points="{points}" fill="none" stroke="#1B4B82" stroke-width="2"/>'
        f'<text x="778" y="{goal + 4:.1f}" {_FONT} font-size="10" font-weight="500">{w.number(1e6, "users")}</text>'
        f'<text x="778" y="{ys[-1] + 4:.1f}" {_FONT} font-size="10" font-weight="700" fill="#1B4B82">'
        f"{w.number(float(values[-1]), 'users')}</text>"
    )
    if extra:
        body += f'<text x="60" y="40" {_FONT} font-size="10">{extra}</text>'
    return _svg(864, height, body)


def _bar_chart(bars: list[tuple[str, float, str]], width: float, height: float) -> str:
    body = "".join(
        f'<text x="0" y="{60 + 70 * i}" {_FONT} font-size="10" font-weight="500">{name}</text>'
        f'<rect x="90" y="{46 + 70 * i}" width="{share * 500:.1f}" height="22" fill="#1B4B82"/>'
        f'<text x="{98 + share * 500:.1f}" y="{61 + 70 * i}" {_FONT} font-size="10">{shown}</text>'
        for i, (name, share, shown) in enumerate(bars)
    )
    return _svg(width, height, body)
