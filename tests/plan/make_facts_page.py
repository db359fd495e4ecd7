"""Where each fact of the two documents lives. `python tests/plan/make_facts_page.py` writes docs/facts.md anew.

facts.csv beside this file holds the 538 facts as they were taken from the documents; uncomputed.csv names those
that nothing computes, and why. All others stand in the plan files and in params/benchmarks.yaml.
"""

import csv
from collections import Counter
from pathlib import Path

from pydantic import BaseModel

from planlib.plan import load_benchmarks, load_plan

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
PAGE = ROOT / "docs" / "facts.md"
PLANS = ("wechat_platform.yaml", "private_domain_2026.yaml")
BENCHMARKS = "benchmarks.yaml"

HEAD = """\
# Facts of the two documents · 两份文件的事实

W = 微信平台实施方案 (WeChat platform implementation plan). P = 2026 年私域流量运营方案 (2026 private-domain traffic
operations plan). Sections with a or b are those that P numbers twice: 3.xa goals, 3.xb theory, 5.xa risk, 5.xb
resources.

Every figure, goal, limit and rule that the documents state is a row here: {total} in all. *Lives in* names the file and
the place; a place also works on the command line, as in
`planlib run params/wechat_platform.yaml --set targets.w-cac-cap.at_most=18`. {uncomputed} rows are not computed; they
say why.

文件陈述的每个数字、目标、限制与规则都在这里，共 {total} 条。*所在位置* 给出文件与位置，也可直接用于命令行。其中
{uncomputed} 条不参与计算，并写明原因。

| kind 类别 | facts 条数 |
| - | -: |
{kinds}
"""
KINDS = {
    "target": "目标", "band": "区间", "sla": "服务标准", "stage": "阶段", "milestone": "里程碑", "headcount": "编制",
    "threshold": "阈值", "baseline": "现状", "rule": "规则", "role": "职责", "model": "模型", "case": "案例",
    "statistic": "统计", "benchmark": "行业对照",
}  # fmt: skip


def rows(name):
    """Return the rows of a CSV file beside this one."""
    with (HERE / name).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def places():
    """Return fact id -> every (file, place, row of the model) that carries it."""
    found = {}
    models = [(name, load_plan(ROOT / "params" / name).model) for name in PLANS]
    models.append((BENCHMARKS, load_benchmarks(ROOT / "params" / BENCHMARKS)))
    for file, model in models:
        for place, row in walk(model, ""):
            for name in ("id", "statement"):
                if getattr(row, name, None):
                    found.setdefault(getattr(row, name), []).append((file, place, row))
    return found


def walk(found, place):
    """Yield every record of a model with its place; rows of lists are named by their id."""
    if isinstance(found, BaseModel):
        yield place, found
        for name, field in type(found).model_fields.items():
            yield from walk(getattr(found, name), f"{place}.{field.alias or name}".strip("."))
    elif isinstance(found, dict):
        for key, value in found.items():
            yield from walk(value, f"{place}.{key}")
    elif isinstance(found, tuple):
        for index, value in enumerate(found):
            name = getattr(value, "id", None)
            yield from walk(value, f"{place}.{name}" if name else f"{place}[{index}]")


def page():
    """Return docs/facts.md."""
    facts, where = rows("facts.csv"), places()
    reasons = {row["fact_id"]: row for row in rows("uncomputed.csv")}
    counted = Counter(fact["kind"] for fact in facts)
    kinds = "\n".join(f"| {kind} {KINDS[kind]} | {counted[kind]} |" for kind in KINDS)
    lines = [HEAD.format(total=len(facts), uncomputed=len(reasons), kinds=kinds)]
    section = None
    for fact in facts:
        if (fact["seed"], fact["section"]) != section:
            section = (fact["seed"], fact["section"])
            lines += [f"\n## {fact['seed']} {fact['section']}\n", *TABLE]
        lines.append(f"| {' | '.join(_cells(fact, where, reasons))} |")
    return "\n".join(lines) + "\n"


TABLE = ["| id | kind 类别 | says 内容 | stated 原文数值 | lives in 所在位置 |", "| - | - | - | - | - |"]


def _cells(fact, where, reasons):
    says = fact["en"][0].upper() + fact["en"][1:], fact["zh"]
    if fact["id"] in reasons:
        reason = reasons[fact["id"]]
        lives = f"not computed: {reason['reason_en']}<br>不计算：{reason['reason_zh']}"
    else:
        ((file, place, row),) = where[fact["id"]]
        lives = f"`params/{file}`<br>`{place}`"
        if file == BENCHMARKS:
            says = row.name.en, row.name.zh
    return f"`{fact['id']}`", fact["kind"], "<br>".join(says), _stated(fact), lives


def _stated(fact):
    """Return value, unit and date as the document gives them."""
    if not fact["low"]:
        return "—"
    low, high = (" ".join(map(_grouped, fact[end].split())) for end in ("low", "high"))
    parts = [f"{fact['op']} {low}{' to ' if high else ''}{high} {fact['unit']}"]
    parts += [f"from {_grouped(fact['from_value'])}"] if fact["from_value"] else []
    parts += [f"by month {fact['by_month']}"] if fact["by_month"] else []
    parts += [fact["year"]] if fact["year"] else []
    return ", ".join(parts).replace("<", "&lt;").replace(">", "&gt;")


def _grouped(number):
    return f"{int(number):,}" if number.isdigit() and not 1990 <= int(number) <= 2100 else number


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8", newline="\n")
