"""The command line: arguments in, exit status out (0 done, 1 failed or contradictions found, 2 bad input)."""

from __future__ import annotations

import datetime as dt
import os
import sys
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Annotated, Any

import typer

from planlib.core.errors import InputError
from planlib.core.words import LOCALES, Words, words

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    help="Plan private-domain operations: one plan file, one command, two languages. 私域运营规划工具。",
)

PlanFile = Annotated[
    str, typer.Argument(help="plan file, e.g. params/wechat_platform.yaml 方案文件", show_default=False)
]
PlanOrWorkbook = Annotated[
    str, typer.Argument(metavar="PLAN", help="plan file, or its workbook (.xlsx) 方案文件或工作簿", show_default=False)
]
Locale = Annotated[
    str | None,
    typer.Option("--locale", help="zh or en; else PLANLIB_LOCALE, else the system's language 语言", show_default=False),
]
Scenario = Annotated[str | None, typer.Option("--scenario", help="a scenario that the plan names 情景")]
Sets = Annotated[list[str] | None, typer.Option("--set", help="PATH=VALUE, e.g. users.churn.value=0.05 临时改一个数")]
DataFolder = Annotated[
    str | None, typer.Option("--data", metavar="DIR", help="data folder; else data/ 数据文件夹", show_default=False)
]
Out = Annotated[str, typer.Option("--out", metavar="DIR", help="in place of outputs/ 输出文件夹")]


@app.command(epilog="Example 示例: planlib check params/wechat_platform.yaml")
def check(
    plans: Annotated[list[str], typer.Argument(help="plan files, or workbooks 方案文件或工作簿", show_default=False)],
    locale: Locale = None,
    scenario: Scenario = None,
    sets: Sets = None,
    everything: Annotated[bool, typer.Option("--all", help="every strain and question 全部列出")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="for other programs 供程序读取")] = False,
) -> None:
    """Read plans and say what is wrong or cannot hold together. 检查方案。"""
    w = _words(locale)
    from planlib.consistency.screen import Options, check_plans
    from planlib.excel import opener

    options = Options(scenario, tuple(sets or ()), everything, as_json)
    status = check_plans(plans, w, options, _print, load=opener(w, _tell if as_json else _print))
    if not as_json:
        _print("")
        _end(w, "check_next" if status == 0 else "check_next_found", plan=plans[0])
    raise typer.Exit(status)


@app.command(epilog="Example 示例: planlib conflicts params/wechat_platform.yaml --lock w-churn-rate")
def conflicts(
    plan: PlanFile,
    locale: Locale = None,
    scenario: Scenario = None,
    sets: Sets = None,
    lock: Annotated[
        list[str] | None, typer.Option("--lock", metavar="ID", help="the nearest plan keeps this first 最先保住的条目")
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="every set and correction 全部列出")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="for other programs 供程序读取")] = False,
) -> None:
    """Say which figures cannot hold together, and what would repair them. 找出不能同时成立的数字与修法。"""
    w = _words(locale)
    from planlib.consistency.conflict_screen import Options, print_conflicts
    from planlib.excel import opener

    options = Options(scenario, tuple(sets or ()), tuple(lock or ()), everything, as_json)
    status = print_conflicts(plan, w, options, _print, load=opener(w, _tell if as_json else _print))
    if not as_json:
        _print("")
        _end(w, "check_next" if status == 0 else "check_next_found", plan=plan)
    raise typer.Exit(status)


@app.command(epilog="Example 示例: planlib accept params/wechat_platform.yaml r01-3f2a1c --reason 'month 12 binds'")
def accept(
    plan: PlanFile,
    finding: Annotated[str, typer.Argument(metavar="ID", help="as planlib check shows it 编号", show_default=False)],
    reason: Annotated[str, typer.Option("--reason", help="why it may stand 理由", show_default=False)],
    owner: Annotated[str | None, typer.Option("--owner", help="who decides; else the plan's owner 负责人")] = None,
    locale: Locale = None,
) -> None:
    """Accept a finding: it is hidden until its numbers change. 接受一处发现。"""
    w = _words(locale)
    from planlib.consistency.screen import accept_finding

    today = dt.datetime.now().astimezone().date()
    _print(accept_finding(plan, finding, w, reason=reason, owner=owner, day=today))
    _end(w, "check_next", plan=plan)


@app.command(
    epilog="Example 示例: planlib goal params/wechat_platform.yaml w-users-year1 --to 450_000 --reason '60 % of paths'"
)
def goal(
    plan: PlanFile,
    target: Annotated[str, typer.Argument(metavar="ID", help="id of the target 目标编号", show_default=False)],
    to: Annotated[str, typer.Option("--to", metavar="LEVEL", help="the new level 新水平", show_default=False)],
    reason: Annotated[str, typer.Option("--reason", help="why it changes 理由", show_default=False)],
    owner: Annotated[str | None, typer.Option("--owner", help="who decides; else the plan's owner 负责人")] = None,
    locale: Locale = None,
) -> None:
    """Change a goal, and keep date, reason and the level before. 调整目标，并记下日期与理由。"""
    w = _words(locale)
    import numpy as np

    from planlib.core.metrics import metric
    from planlib.plan.decide import change_goal

    today = dt.datetime.now().astimezone().date()
    done = change_goal(plan, target, to, reason=reason, owner=owner, day=today)
    unit = done.target.unit or metric(done.target.metric).unit
    before, after = (" – ".join(w.number(end, unit) for end in np.atleast_1d(x)) for x in (done.before, done.after))
    told = {"metric": w.metric(done.target.metric), "before": before, "after": after, "file": done.path.as_posix()}
    _print(w.text("cli.goal_changed", **told))
    _end(w, "check_next", plan=plan)


@app.command(epilog="Example 示例: planlib run params/wechat_platform.yaml --set users.churn.value=0.05")
def run(
    plans: Annotated[
        list[str],
        typer.Argument(metavar="PLAN...", help="plans or workbooks, also patterns 方案或工作簿", show_default=False),
    ],
    locale: Locale = None,
    scenario: Scenario = None,
    sets: Sets = None,
    as_of: Annotated[str | None, typer.Option("--as-of", metavar="DATE", help="YYYY-MM-DD 数据截止日")] = None,
    seed: Annotated[int | None, typer.Option("--seed", help="in place of the plan's 随机种子")] = None,
    only: Annotated[
        list[str] | None, typer.Option("--only", metavar="NOTEBOOK", help="this notebook and what it needs 只运行")
    ] = None,
    jobs: Annotated[int | None, typer.Option("--jobs", min=1, help="notebooks at once; else one a core 并行数")] = None,
    memory: Annotated[
        float | None, typer.Option("--memory", metavar="GB", help="for all notebooks; else what is free 内存上限")
    ] = None,
    fresh: Annotated[bool, typer.Option("--fresh", help="run everything again 全部重新运行")] = False,
    cadence: Annotated[
        str | None,
        typer.Option("--cadence", metavar="KIND", help="a review: weekly, monthly, quarterly, annual 复盘种类"),
    ] = None,
    keep: Annotated[
        int | None, typer.Option("--keep", metavar="N", help="with --cadence: keep N runs 保留最近几次运行")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="with --cadence, for other programs 供程序读取")] = False,
    notify: Annotated[bool, typer.Option("--notify", help="tell the plan's WeCom group 通知企业微信群")] = False,
    out: Out = "outputs",
) -> None:
    """Run the notebooks of a plan, or of many, and make the decks. 运行一份或多份方案并生成演示文稿。"""
    w = _words(locale)
    from planlib.brands import expand, plans_among

    tell = _tell if as_json else _print
    files = plans_among(expand(plans), w, tell)
    plan = files[0]
    typed = {"scenario": scenario, "sets": tuple(sets or ()), "as_of": as_of, "seed": seed, "jobs": jobs}
    many = len(files) > 1
    if memory is not None and not 0 < memory < float("inf"):
        from planlib.core.errors import Problem

        raise InputError(Problem("memory_low", field="--memory", given=memory))
    if cadence is not None:
        _refuse_with_cadence({"--only": only} | ({} if many else {"--memory": memory}))
    if cadence is not None and not many:
        _review(w, as_json, notify, path=plan, cadence=cadence, keep=keep, fresh=fresh, out_root=Path(out), **typed)
    if cadence is None:
        _refuse_without_cadence({"--keep": keep, "--json": as_json or None})
    from planlib.excel import opener
    from planlib.notifying import Notifier

    typed |= {"only": tuple(only or ()), "memory_gb": memory, "fresh": fresh, "out_root": Path(out)}
    if many:
        from planlib.brands import Asked, as_summary, run_brands

        asked = Asked(notify=notify, cadence=cadence, keep=keep, **typed)
        told = run_brands(files, w, asked, write=tell, complain=_tell, load=opener(w, tell))
        if as_json:
            _print(as_summary(told))
        raise typer.Exit(told.exit_code)
    from planlib.workbook.job import run_plan

    hearing = Notifier(w, write=_print, complain=_tell, asked=notify)
    status = run_plan(plan, w, load=opener(w, _print), write=_print, hearing=hearing, **typed)
    if status == 0:
        _end(w, "run_next", plan=plan)
    raise typer.Exit(status)


@app.command(epilog="Example 示例: planlib automate params/my_brand.yaml --cadence weekly --at 'Mon 08:00' --keep 60")
def automate(
    plan: PlanFile,
    cadence: Annotated[
        str, typer.Option("--cadence", metavar="KIND", help="weekly, monthly, quarterly, annual 复盘种类")
    ] = "weekly",
    at: Annotated[
        str | None, typer.Option("--at", metavar="TIME", help="'Mon 08:00'; else '2 08:00', day of month 何时运行")
    ] = None,
    keep: Annotated[int | None, typer.Option("--keep", metavar="N", help="keep N runs 保留最近几次运行")] = None,
    out: Annotated[
        str | None, typer.Option("--out", metavar="DIR", help="else PLAN.automate/ beside the plan 输出文件夹")
    ] = None,
    locale: Locale = None,
) -> None:
    """Write what a scheduler needs to hold a plan's reviews. 生成定时运行的配置文件。"""
    w = _words(locale)
    from planlib.rhythm import automate_plan

    for path in automate_plan(plan, w, cadence=cadence, at=at, keep=keep, out=out):
        _print(w.text("cli.automated", path=path.as_posix()))
    _end(w, "automate_next")


def _review(w: Words, as_json: bool, notify: bool, **asked: Any) -> None:
    """Hold a review, tell the plan's group and end with the review's exit status."""
    from planlib import rhythm
    from planlib.excel import opener
    from planlib.notifying import Notifier

    tell = _tell if as_json else _print
    try:
        wanted = rhythm.Asked(**asked)
        hearing = Notifier(w, write=tell, complain=_tell, asked=notify)
        given = {"load": opener(w, tell), "stream": sys.stderr if as_json else None, "hearing": hearing}
        summary = rhythm.review(wanted, w, tell, **given)
    except InputError as error:
        if not as_json:
            raise
        _tell(error.render(w.locale))
        summary = rhythm.refused(error, w)
    if as_json:
        _print(rhythm.as_json(summary))
    raise typer.Exit(summary["exit_code"])


def _refuse_with_cadence(typed: dict[str, object]) -> None:
    from planlib.core.errors import Problem

    given = [name for name, value in typed.items() if value]
    if given:
        raise InputError(*(Problem("not_with_cadence", field=name, values={"option": name}) for name in given))


def _refuse_without_cadence(typed: dict[str, object]) -> None:
    from planlib.core.errors import Problem

    stray = [name for name, value in typed.items() if value is not None]
    if stray:
        raise InputError(*(Problem("needs_cadence", field=name, values={"option": name}) for name in stray))


@app.command(epilog="Example 示例: planlib why w-users-year1 --p 0.8")
def why(
    target: Annotated[str, typer.Argument(metavar="TARGET", help="id; own_users, own_gmv 目标", show_default=False)],
    wanted: Annotated[float, typer.Option("--p", metavar="CHANCE", help="chance that is wanted 要求的把握")] = 0.8,
    plan: Annotated[
        str | None, typer.Option("--plan", metavar="PLAN", help="else the one in params/ that states it 方案文件")
    ] = None,
    sets: Sets = None,
    locale: Locale = None,
    as_json: Annotated[bool, typer.Option("--json", help="for other programs 供程序读取")] = False,
    pdf: Annotated[str | None, typer.Option("--pdf", metavar="FILE", help="also as one page 另存一页 PDF")] = None,
) -> None:
    """Say how sure a target is, what binds it, and what would repair it. 一个目标为什么难、怎么补。"""
    w = _words(locale)
    from planlib.answers import ask_why

    _answered(ask_why(target, w, plan_file=plan, sets=sets or (), wanted=wanted), w, as_json, pdf)


@app.command(epilog="Example 示例: planlib whatif params/wechat_platform.yaml --slip platform_build=15d")
def whatif(
    plan: PlanFile,
    slips: Annotated[
        list[str] | None, typer.Option("--slip", metavar="TASK=15d", help="working days more 推迟几个工作日")
    ] = None,
    sets: Sets = None,
    locale: Locale = None,
    as_json: Annotated[bool, typer.Option("--json", help="for other programs 供程序读取")] = False,
    pdf: Annotated[str | None, typer.Option("--pdf", metavar="FILE", help="also as one page 另存一页 PDF")] = None,
) -> None:
    """Say what a change does to gates, users, GMV, money and every chance. 一处改动带来什么。"""
    w = _words(locale)
    from planlib.answers import ask_whatif

    _answered(ask_whatif(plan, w, slips=slips or (), sets=sets or ()), w, as_json, pdf)


def _answered(answer: Any, w: Words, as_json: bool, pdf: str | None) -> None:
    from planlib.answers import as_json as plainly
    from planlib.answers import lines, write_pdf

    for line in [plainly(answer)] if as_json else lines(answer):
        _print(line)
    if pdf:
        path = write_pdf(answer, pdf, w)
        (_tell if as_json else _print)(w.text("cli.deck", path=path.as_posix()))
    if not as_json:
        _print("")
        _end(w, f"{answer.name}_next", plan=answer.plan.file)


@app.command(epilog="Example 示例: planlib excel params/wechat_platform.yaml")
def excel(plan: PlanFile, locale: Locale = None, out: Out = "outputs") -> None:
    """Write a plan as an Excel workbook, to be changed there and run. 把方案导出为 Excel 工作簿。"""
    w = _words(locale)
    from planlib.excel import make_workbook

    path = make_workbook(plan, w, Path(out))
    _print(w.text("cli.excel", path=path.as_posix()))
    _end(w, "excel_next", path=path.as_posix())


@app.command(epilog="Example 示例: planlib progress params/wechat_platform.yaml hiring --done 60% --finish 2027-03-01")
def progress(
    plan: PlanOrWorkbook,
    task: Annotated[str | None, typer.Argument(metavar="TASK", help="id; without it: all 任务编号")] = None,
    done: Annotated[str | None, typer.Option("--done", metavar="SHARE", help="e.g. 60% 完成比例")] = None,
    start: Annotated[str | None, typer.Option("--start", metavar="DATE", help="day on which it began 开工日")] = None,
    finish: Annotated[
        str | None, typer.Option("--finish", metavar="DATE", help="expected; at 100 % the day it was done 完工日")
    ] = None,
    remaining: Annotated[
        str | None, typer.Option("--remaining", metavar="DAYS", help="working days left 剩余工作日")
    ] = None,
    cost: Annotated[str | None, typer.Option("--cost", metavar="CNY", help="spent on it so far 已花费")] = None,
    note: Annotated[str | None, typer.Option("--note", metavar="TEXT", help="why, what next 备注")] = None,
    owner: Annotated[str | None, typer.Option("--owner", help="who reports; else the plan's owner 记录人")] = None,
    as_of: Annotated[
        str | None, typer.Option("--as-of", metavar="DATE", help="whose state it is; else today 截至日")
    ] = None,
    baseline: Annotated[
        bool, typer.Option("--baseline", help="freeze the plan's dates as approved; again only with --note 冻结基线")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="for other programs 供程序读取")] = False,
    locale: Locale = None,
) -> None:
    """Record how far a task is, or show how far all are. 记录或查看任务进度。"""
    w = _words(locale)
    from planlib import progressing

    typed = {"done": done, "start": start, "finish": finish, "remaining": remaining, "cost": cost, "note": note}
    if baseline:
        progressing.refuse_without_task({"TASK": task} | typed | {"note": None})
        frozen = progressing.freeze(plan, owner=owner, note=note, now=progressing.china_now())
        told = {"n": len(frozen.rows), "file": progressing.baseline_path(plan).as_posix()}
        (_tell if as_json else _print)(w.text("tracking.frozen", **told))
    elif plan.lower().endswith(".xlsx") and task is None:
        progressing.refuse_without_task(typed)
        tell = _tell if as_json else _print
        found = progressing.record_book(plan, w, owner=owner, as_of=as_of, now=progressing.china_now(), write=tell)
        if as_json:
            _print(progressing.entries_json(*found))
    elif task is None:
        progressing.refuse_without_task(typed)
        progressing.show_progress(plan, w, as_of=as_of, as_json=as_json, write=_print)
    else:
        entry = progressing.report_progress(
            plan, task, typed | {"owner": owner}, w, as_of=as_of, now=progressing.china_now(),
            tell=_tell if as_json else _print,
        )  # fmt: skip
        _print(progressing.entries_json(entry) if as_json else progressing.entry_line(entry, w))
        (_tell if as_json else _print)(w.text("tracking.recorded", file=progressing.log_path(plan).as_posix()))
    if not as_json:
        _end(w, "progress_next", plan=plan)


@app.command(epilog="Example 示例: planlib schedule params/wechat_platform.yaml --format ics")
def schedule(
    plan: PlanFile,
    form: Annotated[str, typer.Option("--format", metavar="FORM", help="csv, ics or mspdi 文件格式")] = "csv",
    out: Annotated[
        str | None, typer.Option("--out", metavar="FILE", help="else outputs/PLAN/PLAN.schedule.* 输出文件")
    ] = None,
    read: Annotated[
        str | None,
        typer.Option("--read", metavar="FILE", help="a CSV of the tasks: take in what it changes 读回任务表"),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="with --read: only say what 只看不写")] = False,
    owner: Annotated[str | None, typer.Option("--owner", help="with --read: who reports 记录人")] = None,
    as_of: Annotated[
        str | None, typer.Option("--as-of", metavar="DATE", help="with --read: whose state it is 截至日")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="with --read, for other programs 供程序读取")] = False,
    locale: Locale = None,
) -> None:
    """Write the schedule for other programs (CSV, iCalendar, MS Project XML), or read its CSV. 导出或读回进度计划。"""
    w = _words(locale)
    from planlib.progressing import china_now
    from planlib.schedule_files import read_back, write_schedule

    if read is None:
        path = write_schedule(plan, form, out, w, out_root=Path("outputs"))
        _print(w.text("tracking.written", path=path.as_posix()))
        _end(w, "schedule_next", plan=plan)
        return
    told = {"owner": owner, "as_of": as_of, "now": china_now()}
    read_back(plan, read, w, **told, dry_run=dry_run, as_json=as_json, write=_print)
    if not as_json:
        _end(w, "schedule_read_next", plan=plan)


@app.command(epilog="Example 示例: planlib deck wechat_platform --locale en --pages 1,3,users_forecast --png slides")
def deck(
    run_name: Annotated[
        str, typer.Argument(metavar="RUN", help="plan id (its latest run) or a run's folder 方案或运行文件夹")
    ],
    locale: Locale = None,
    pages: Annotated[str | None, typer.Option("--pages", help="page numbers or ids, comma between 页码或页名")] = None,
    notebook: Annotated[
        list[str] | None, typer.Option("--notebook", help="pages of this notebook only 仅此笔记本")
    ] = None,
    png: Annotated[
        str | None, typer.Option("--png", metavar="DIR", help="also as pictures for slides 另存图片")
    ] = None,
    edition: Annotated[
        str | None, typer.Option("--edition", metavar="plan", help="the whole plan as an A4 document 整份方案文档")
    ] = None,
    names: Annotated[bool, typer.Option("--names", help="list what texts can refer to 列出可引用的名称")] = False,
    out: Out = "outputs",
) -> None:
    """Make the PDF decks of a run again, some pages, or the plan document. 生成演示文稿或方案文档。"""
    w = _words(locale)
    from planlib.workbook.history import find_run

    run = find_run(run_name, Path(out), holding="00_start_here" if edition or names else None)
    locales = (locale,) if locale else None
    png_dir = Path(png) if png else None
    if names:
        from planlib.report.deck import read_run
        from planlib.report.names import name_lines

        for line in name_lines(read_run(run), w, notebooks=notebook or ()):
            _print(line)
    elif edition is not None:
        from planlib.report.document import make_documents, refuse_parts

        refuse_parts(edition, pages=pages, notebook=notebook)
        for path in make_documents(run, locales=locales, png_dir=png_dir):
            _print(w.text("cli.document", path=path.as_posix()))
        _end(w, "document_next", run=run_name)
    else:
        from planlib.report.deck import make_decks

        chosen = [part.strip() for part in pages.split(",")] if pages else None
        for path in make_decks(run, locales=locales, pages=chosen, notebooks=notebook or None, png_dir=png_dir):
            _print(w.text("cli.deck", path=path.as_posix()))
        _end(w, "deck_next", run=run_name)


@app.command(epilog="Example 示例: planlib status")
def status(locale: Locale = None, out: Out = "outputs") -> None:
    """Show the last runs, how they ended and who is running now. 查看运行记录。"""
    w = _words(locale)
    from planlib.workbook.history import status_lines

    for line in status_lines(Path(out), w):
        _print(line)
    _end(w, "status_next")


@app.command(epilog="Example 示例: planlib diff wechat_platform outputs/wechat_platform/20270131T020000Z-1f3a")
def diff(
    before: Annotated[str, typer.Argument(metavar="RUN", help="plan id or run folder 先前的运行")],
    after: Annotated[str, typer.Argument(metavar="RUN", help="plan id or run folder 之后的运行")],
    locale: Locale = None,
    out: Out = "outputs",
) -> None:
    """Say which results changed between two runs. 比较两次运行。"""
    w = _words(locale)
    from planlib.workbook.history import diff_lines, find_run

    for line in diff_lines(find_run(before, Path(out)), find_run(after, Path(out)), w):
        _print(line)
    _end(w, "diff_next", run=after)


@app.command(epilog="Example 示例: planlib new spring --from params/wechat_platform.yaml")
def new(
    name: Annotated[str, typer.Argument(help="name of the plan, lower-case 方案名（小写字母）")],
    parent: Annotated[
        str | None, typer.Option("--from", metavar="PLAN", help="plan that it builds on; without: asks 以哪份方案为底")
    ] = None,
    trade: Annotated[str | None, typer.Option(help="target template: apparel, catering, retail 行业目标模板")] = None,
    locale: Locale = None,
) -> None:
    """Begin a plan of one's own from another, or from twelve numbers. 新建自己的方案。"""
    w = _words(locale)
    if parent is None:
        _begin(name, trade, w)
        return
    from planlib.plan.new import new_plan

    path = new_plan(name, parent, trade=trade)
    _print(w.text("cli.new", path=path.as_posix()))
    _end(w, "new_next", plan=path.as_posix())


def _begin(name: str, trade: str | None, w: Words) -> None:
    """Ask twelve numbers, from a person or from a file or pipe, and write the plan."""
    from planlib.beginning import QUESTIONS, begin_plan, read_answers, unknown
    from planlib.plan.new import check_name
    from planlib.workbook.context import project_root

    check_name(name, trade)
    _print(w.text("begin.intro", name=name))
    answers = read_answers(sys.stdin, w, _print, again=sys.stdin.isatty())
    path = begin_plan(name, answers, project_root(), trade=trade)
    assumed = w.text("exchange.comma").join(w.text(f"begin.question.{key}") for key in unknown(answers)) or "—"
    shown = Path(os.path.relpath(path)).as_posix()
    counts = {"told": str(len(answers)), "of": str(len(QUESTIONS))}
    _print(w.text("begin.done", path=shown, assumed=assumed, **counts))
    _end(w, "new_next", plan=shown)


@app.command(epilog="Example 示例: planlib adopt params/my_brand.yaml my_brand churn_rate aov")
def adopt(
    plan: PlanFile,
    run_name: Annotated[str, typer.Argument(metavar="RUN", help="plan id (its latest run) or a run 方案或运行")],
    metrics: Annotated[list[str], typer.Argument(metavar="ID...", help="metrics that notebook 10 measured 指标")],
    sample: Annotated[bool, typer.Option("--sample", help="levels of the sample brand too 示例数据也可")] = False,
    owner: Annotated[str | None, typer.Option("--owner", help="who decides; else the plan's owner 负责人")] = None,
    locale: Locale = None,
    out: Out = "outputs",
) -> None:
    """Take measured levels into a plan, with source and date. 把实测写入方案。"""
    w = _words(locale)
    from planlib.workbook.adopt import adopt as adopt_measured

    today = dt.datetime.now().astimezone().date()
    given = {"owner": owner, "sample": sample, "day": today}
    adopt_measured(plan, run_name, metrics, w, out_root=Path(out), write=_print, **given)
    _end(w, "check_next", plan=plan)


@app.command(epilog="Example 示例: planlib register params/wechat_platform.yaml welcome_coupon")
def register(
    plan: PlanFile,
    experiment: Annotated[str, typer.Argument(metavar="EXPERIMENT", help="id of a test 实验编号", show_default=False)],
    reason: Annotated[str, typer.Option("--reason", help="why it changes, or who approved it 理由")] = "",
    owner: Annotated[str | None, typer.Option("--owner", help="who decides; else the test's owner 负责人")] = None,
    locale: Locale = None,
) -> None:
    """Register a test's design before anybody is assigned. 登记实验设计。"""
    w = _words(locale)
    from planlib.registering import register_experiment

    today = dt.datetime.now().astimezone().date()
    register_experiment(plan, experiment, w, reason=reason, owner=owner, day=today, write=_print)
    _end(w, "register_next", plan=plan, experiment=experiment)


@app.command(epilog="Example 示例: planlib assign params/my_brand.yaml send_time --data data")
def assign(
    plan: PlanFile,
    experiment: Annotated[str, typer.Argument(metavar="EXPERIMENT", help="id of a test 实验编号", show_default=False)],
    joined_since: Annotated[
        dt.datetime | None,
        typer.Option("--joined-since", formats=["%Y-%m-%d"], help="only customers added since 只取此日起的新客户"),
    ] = None,
    silent_days: Annotated[
        int | None,
        typer.Option("--silent-days", metavar="N", help="only those silent for N days 只取 N 整日静默者"),
    ] = None,
    data: DataFolder = None,
    locale: Locale = None,
    out: Out = "outputs",
) -> None:
    """Deal customers to the arms of a registered test and write lists to send. 实验分组。"""
    w = _words(locale)
    from planlib.registering import assign_experiment
    from planlib.workbook.data_job import data_root

    root, now = data_root(plan, data), dt.datetime.now(dt.timezone(dt.timedelta(hours=8))).replace(tzinfo=None)
    since = joined_since and joined_since.date()
    asked = {"joined_since": since, "silent_days": silent_days}
    assign_experiment(plan, experiment, w, root=root, outputs=Path(out), now=now, write=_print, **asked)
    _end(w, "assign_next")


@app.command("list", epilog="Example 示例: planlib list params/my_brand.yaml churn --for wecom --purpose 'March calls'")
def list_customers(
    what: Annotated[
        list[str],
        typer.Argument(metavar="[PLAN] NAME", help="churn, purchase, reminder, promotion or radar 名单"),
    ],
    platform: Annotated[str, typer.Option("--for", metavar="PLATFORM", help="wecom 用于哪个平台")],
    purpose: Annotated[str, typer.Option("--purpose", metavar="TEXT", help="why; it is logged 用途，会记录")],
    run_name: Annotated[str | None, typer.Option("--run", metavar="RUN", help="else the latest 运行")] = None,
    by: Annotated[str | None, typer.Option("--by", metavar="NAME", help="who; else the account 导出人")] = None,
    data: DataFolder = None,
    locale: Locale = None,
    out: Out = "outputs",
) -> None:
    """Export a list of customers who may be contacted, one file for each employee. 导出可联系的客户名单。"""
    w = _words(locale)
    from planlib.core.errors import Problem
    from planlib.listing import Asked, export

    if len(what) > 2:
        raise InputError(Problem("list_arguments", given=" ".join(what)))
    *plan, name = what
    now = dt.datetime.now(dt.timezone(dt.timedelta(hours=8))).replace(tzinfo=None)
    asked = Asked(name, platform, purpose, by, now)
    given = {"run_name": run_name, "data": data, "outputs": Path(out), "locale": locale}
    export(plan[0] if plan else None, asked, w, write=_print, **given)
    _end(w, "list_next")


@app.command(epilog="Example 示例: planlib sample --customers 20000 --seed 7")
def sample(
    customers: Annotated[int, typer.Option("--customers", metavar="N", help="contacts it ever had 客户数")] = 20_000,
    seed: Annotated[int, typer.Option("--seed", help="the same seed gives the same files 随机种子")] = 7,
    out: Annotated[str, typer.Option("--out", metavar="DIR", help="data folder of its own 数据文件夹")] = "data/sample",
    locale: Locale = None,
) -> None:
    """Write an invented brand's raw files and what is true of them. 生成示例品牌的原始数据。"""
    w = _words(locale)
    from planlib.data.sample import write_sample

    made = write_sample(out, customers=customers, seed=seed)
    size = w.number(made.size_bytes / 1e6, "number", decimals=1)
    _print(w.text("cli.sample", folder=made.root.as_posix(), files=made.files, size=size, customers=customers))
    _end(w, "sample_next", folder=made.root.as_posix())


@app.command(epilog="Example 示例: planlib load params/wechat_platform.yaml")
def load(
    plan: Annotated[str | None, typer.Argument(help="plan whose data.root is used 方案", show_default=False)] = None,
    data: DataFolder = None,
    locale: Locale = None,
) -> None:
    """Read new raw files into tables; files that cannot be read are set aside. 加载数据。"""
    w = _words(locale)
    from planlib.workbook.data_job import data_root, load_data

    status = load_data(data_root(plan, data), w, _print)
    _end(w, "load_next" if status == 0 else "load_next_aside")
    raise typer.Exit(status)


@app.command(epilog="Example 示例: planlib readout test.csv --variant arm --control old --metric bought --unit user_id")
def readout(
    file: Annotated[str, typer.Argument(help="CSV or Parquet, a row for each person 每人一行", show_default=False)],
    variant: Annotated[str, typer.Option("--variant", metavar="COL", help="column of the arm 分组列")],
    control: Annotated[str, typer.Option("--control", metavar="VALUE", help="its label of the control 对照组的取值")],
    metrics: Annotated[
        list[str] | None, typer.Option("--metric", metavar="COL", help="the first decides 指标，首个为主")
    ] = None,
    ratios: Annotated[
        list[str] | None, typer.Option("--ratio", metavar="NUM/DEN", help="ratio of two sums 比率指标")
    ] = None,
    falling: Annotated[
        list[str] | None, typer.Option("--lower", metavar="METRIC", help="lower is better 越低越好的指标")
    ] = None,
    covariates: Annotated[
        list[str] | None, typer.Option("--covariate", metavar="COL", help="known before; NUM/DEN for ratios 协变量")
    ] = None,
    guardrails: Annotated[
        list[str] | None,
        typer.Option("--guardrail", metavar="COL=LIMIT", help="+0.01 may rise so far, -0.01 fall 护栏与容忍值"),
    ] = None,
    unit: Annotated[str | None, typer.Option("--unit", metavar="COL", help="id of the person 用户标识列")] = None,
    segments: Annotated[
        list[str] | None, typer.Option("--segment", metavar="COL", help="effects by its labels 分人群")
    ] = None,
    dimensions: Annotated[
        list[str] | None, typer.Option("--by", metavar="COL", help="employee, batch: where people lack 排查维度")
    ] = None,
    later: Annotated[
        list[str] | None, typer.Option("--status", metavar="COL", help="came after assignment 分组之后才有的列")
    ] = None,
    delivered: Annotated[
        str | None, typer.Option("--delivered", metavar="COL", help="1 for people reached 是否触达")
    ] = None,
    left_out: Annotated[
        list[str] | None, typer.Option("--leave-out", metavar="COL=LABEL", help="in all arms 各组都剔除")
    ] = None,
    date: Annotated[str | None, typer.Option("--date", metavar="COL", help="day of assignment 分组日期列")] = None,
    shares: Annotated[
        str | None, typer.Option("--shares", metavar="LABEL=SHARE,...", help="planned; else equal 计划占比")
    ] = None,
    planned: Annotated[int | None, typer.Option("--planned", metavar="N", help="people planned 计划总人数")] = None,
    worth: Annotated[
        float | None, typer.Option("--worth", metavar="DIFF", help="smallest change worth having 值得的最小差异")
    ] = None,
    alpha: Annotated[float, typer.Option("--alpha", help="level 显著性水平")] = 0.05,
    one_sided: Annotated[bool, typer.Option("--one-sided", help="only an improvement counts 单侧，只看变好")] = False,
    looks: Annotated[
        str | None, typer.Option("--looks", metavar="SHARE,...,1", help="planned looks, of the people 计划查看点")
    ] = None,
    stopping: Annotated[
        str | None, typer.Option("--stopping", help="fixed, obrien_fleming, pocock 提前停止的规则")
    ] = None,
    agreed: Annotated[
        tuple[str, str] | None,
        typer.Option("--registered", metavar="PLAN TEST", help="registration to compare with 对照登记"),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="for other programs 供程序读取")] = False,
    pdf: Annotated[str | None, typer.Option("--pdf", metavar="FILE", help="also as a PDF 另存为 PDF")] = None,
    locale: Locale = None,
) -> None:
    """Read a test out of a table: health, effects, what to do. 读出一次实验。"""
    w = _words(locale)
    from planlib.readout import read_out_file
    from planlib.readout_screen import asked, print_read_out

    question = asked(
        variant,
        control,
        metrics=metrics or (),
        ratios=ratios or (),
        falling=falling or (),
        covariates=covariates or (),
        guardrails=guardrails or (),
        left_out=left_out or (),
        shares=shares,
        unit=unit,
        segments=tuple(segments or ()),
        dimensions=tuple(dimensions or ()),
        after_assignment=tuple(later or ()),
        delivered=delivered,
        date=date,
        planned_people=planned,
        worth=worth,
        alpha=alpha,
        one_sided=one_sided,
        looks=looks,
        stopping=stopping,
    )
    found = read_out_file(file, question)
    departures = None
    if agreed is not None:
        from planlib.registering import departures_of

        departures = departures_of(*agreed, found)
    status = print_read_out(found, w, _print, as_json=as_json, departures=departures)
    if pdf is not None:
        from planlib.readout_pdf import write_pdf

        path = write_pdf(found, file, pdf, w, departures=departures)
        (_tell if as_json else _print)(w.text("cli.deck", path=path.as_posix()))
    if not as_json:
        _print("")
        _end(w, "readout_next" if status == 0 else "readout_next_invalid")
    raise typer.Exit(status)


@app.command(epilog="Example 示例: planlib forget wmDemoAAAA0001")
def forget(
    person: Annotated[str, typer.Argument(metavar="ID", help="external_userid, unionid or openid 标识")],
    data: DataFolder = None,
    out: Out = "outputs",
    locale: Locale = None,
) -> None:
    """Remove a person from raw files, tables, outputs and caches. 删除一个人的全部数据。"""
    w = _words(locale)
    from planlib.workbook.data_job import data_root, forget_person

    forget_person(data_root(None, data), Path(out), person, w, _print)


@app.command(epilog="Example 示例: planlib purge --before 2025-01-01")
def purge(
    before: Annotated[dt.datetime, typer.Option("--before", formats=["%Y-%m-%d"], help="YYYY-MM-DD 日期")],
    data: DataFolder = None,
    out: Out = "outputs",
    locale: Locale = None,
) -> None:
    """Remove personal data of the time before a day. 删除某日之前的个人信息。"""
    w = _words(locale)
    from planlib.workbook.data_job import data_root, purge_before

    purge_before(data_root(None, data), Path(out), before.date(), w, _print)


@app.command(epilog="Example 示例: planlib doctor")
def doctor(locale: Locale = None, out: Out = "outputs") -> None:
    """Check versions, fonts, disk and locks. 检查运行环境。"""
    w = _words(locale)
    from planlib.workbook.doctor import examine

    healthy = True
    for line, well in examine(Path(out), w):
        healthy &= well
        _print(line)
    _end(w, "doctor_next" if healthy else "doctor_next_ill")
    raise typer.Exit(0 if healthy else 1)


def main() -> None:
    """Run the command line; bad input ends with status 2 and one clear message."""
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")  # none is used; to look reads every installed package
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(encoding="utf-8", errors="replace")
    _guarded(app)()


def _guarded(function: Callable[[], None]) -> Callable[[], None]:
    @wraps(function)
    def call() -> None:
        from planlib.workbook.failures import RunError

        locale = _chosen(_option(sys.argv))
        try:
            function()
        except InputError as error:
            typer.echo(error.render(locale), err=True)
            sys.exit(2)
        except RunError as error:
            typer.echo(error.render(locale), err=True)
            sys.exit(1)

    return call


def _option(arguments: list[str]) -> str | None:
    """Return the language asked for, so that even messages about other arguments use it."""
    for index, argument in enumerate(arguments):
        if argument == "--locale" and index + 1 < len(arguments):
            return arguments[index + 1]
        if argument.startswith("--locale="):
            return argument.partition("=")[2]
    return None


def _chosen(locale: str | None) -> str:
    asked = locale or os.environ.get("PLANLIB_LOCALE")
    if asked in LOCALES:
        return asked
    system = next((os.environ[name] for name in ("LC_ALL", "LC_MESSAGES", "LANG") if os.environ.get(name)), "")
    return "zh" if system.lower().startswith("zh") else "en"


def _words(locale: str | None) -> Words:
    return words(locale) if locale else words(_chosen(None))


def _print(line: str) -> None:
    typer.echo(line)


def _tell(line: str) -> None:
    """Print what is no part of an output that programs read."""
    typer.echo(line, err=True)


def _end(w: Words, key: str, **values: object) -> None:
    _print(w.text(f"cli.{key}", **values))
