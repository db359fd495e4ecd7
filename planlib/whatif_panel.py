"""The panel of the what-if notebook: widgets over a `planlib.whatif_session.Session`, and the page it exports.

Widgets hold no figures of their own: every event goes to the session, every answer is drawn anew. While a lever moves
the coarse answer is shown; `REST_SECONDS` after the last move the full one is worked out beside the kernel's loop and
dropped as soon as something moves again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from html import escape
from pathlib import Path
from typing import Any

import ipywidgets as widgets

from planlib import answers
from planlib.core.errors import InputError
from planlib.core.words import LOCALES, Words, words
from planlib.report.charts import live
from planlib.whatif_levers import GROUPS, Lever
from planlib.whatif_session import Answer, Session

REST_SECONDS = 0.35
LANGUAGES = (("中文", "zh"), ("English", "en"))
PAGE_HEIGHT = 330.0
MOST_MOVED = 3  # levers that a page names
_DONE = object()
_LETTERS = "ABC"
_PERCENT = ("ratio", "probability")
_FONTS = '"Noto Sans SC", "Source Han Sans SC", "Microsoft YaHei", "PingFang SC", planlib, sans-serif'
_STYLE = f"""<style>
@font-face {{font-family: planlib; src: url("/files/planlib/report/fonts/NotoSansSC-Regular.ttf");}}
.planlib-head, .planlib-lever, .planlib-said, .planlib-wrong, .planlib-list, .planlib-compare {{font-family: {_FONTS};}}
.planlib-panel .widget-html-content {{line-height: 1.3;}}
.planlib-views svg {{width: 100%; height: auto; max-width: 940px; display: block; font-family: {_FONTS};}}
.planlib-head {{display: flex; flex-wrap: wrap; gap: 2px 20px; align-items: baseline; font-size: 13px;}}
.planlib-head b {{font-size: 15px;}}
.planlib-lever {{display: flex; justify-content: space-between; gap: 6px; font-size: 12px;
  padding-right: 12px;}}
.planlib-lever i {{color: #66727D; font-style: normal; white-space: nowrap;}}
.planlib-lever.moved b {{color: #1B4B82;}}
.planlib-note {{color: #66727D;}}
.planlib-wrong {{color: #B23A24; white-space: pre-wrap; font-size: 12px;}}
.planlib-said {{font-size: 12px;}}
.planlib-list {{margin: 0; padding-left: 16px; font-size: 12px;}}
.planlib-list li.new {{color: #B23A24;}}
.planlib-groups .widget-toggle-button {{height: 22px; line-height: 22px; margin: 1px 2px; text-align: left;}}
.planlib-compare {{border-collapse: collapse; font-size: 12px;}}
.planlib-compare td, .planlib-compare th {{padding: 1px 8px; text-align: right; border-bottom: 1px solid #E7EAED;}}
.planlib-compare td:first-child, .planlib-compare th:first-child {{text-align: left;}}
.planlib-panel .widget-tab-contents {{padding: 4px 8px;}}
</style>"""


class Panel:
    """Levers on the left, four views on the right, contradictions, comparison and saving below.

    Args:
        session: what is moved.
        locale: language at first.
        out: folder of exported pages.
    """

    def __init__(self, session: Session, *, locale: str = "zh", out: str | Path = "outputs"):
        self.session, self.w, self.out = session, words(locale), Path(out)
        self.answer = session.first
        self._resting: asyncio.Task | None = None
        self._pool = ThreadPoolExecutor(max_workers=1)
        self._quiet = False
        self.rows: dict[str, _Row] = {}
        self._shown: dict[str, Any] = {"group": None, "tab": 0, "name": "", "reason": ""}
        self.root = widgets.VBox(layout=widgets.Layout(width="100%"))
        self.root.add_class("planlib-panel")
        self._build()

    # ---- what is there

    def _build(self) -> None:
        """Make every widget in the display language; positions and answers stay."""
        w = self.w
        self.head, self.views = widgets.HTML(), widgets.HTML(layout=widgets.Layout(width="100%", margin="0"))
        self.said = widgets.HTML()
        self.conflicts, self.compare = (
            widgets.HTML(layout=widgets.Layout(max_height="96px", overflow="auto", margin="0")) for _ in range(2)
        )
        self.rows = {}
        groups = [group for group in GROUPS if any(it.group == group for it in self.session.levers.values())]
        # buttons, since JupyterLab keeps arrow keys from lists and radio buttons and gives an Accordion none
        self.group = widgets.ToggleButtons(
            options=[(w.text(f"whatif.group.{group}"), group) for group in groups], style={"button_width": "268px"},
            value=self._shown["group"] or (groups[0] if groups else None),
            layout=widgets.Layout(width="100%", margin="2px 0 4px 0"),
        )  # fmt: skip
        self.group.add_class("planlib-groups")
        self.levers = widgets.VBox(layout=widgets.Layout(max_height="396px", overflow="hidden auto"))
        self.group.observe(lambda change: self._open(change["new"]), "value")
        self._open(self.group.value)
        self.buttons = {
            name: self._button(name, job)
            for name, job in (("undo", self.undo), ("reset", self.reset), ("keep", self.keep),
                              ("save", self.save), ("export", self.export))
        }  # fmt: skip
        self.language = widgets.ToggleButtons(
            options=LANGUAGES,
            value=w.locale,
            style={"button_width": "70px"},
            layout=widgets.Layout(width="160px", flex="0 0 160px", margin="0"),
        )
        self.language.observe(lambda change: self.speak(change["new"]), "value")
        self.name = widgets.Text(
            value=self._shown["name"], placeholder=w.text("whatif.button.name"), layout=widgets.Layout(width="190px")
        )
        self.reason = widgets.Text(
            value=self._shown["reason"],
            placeholder=w.text("whatif.button.reason"),
            layout=widgets.Layout(width="300px"),
        )
        saving = widgets.HBox(
            [self.name, self.reason, self.buttons["save"], self.buttons["export"]],
            layout=widgets.Layout(flex_flow="row wrap"),
        )
        self.tabs = widgets.Tab(
            children=[self.conflicts, self.compare, saving],
            titles=[w.text(f"whatif.tab.{name}") for name in ("conflicts", "compare", "save")],
            selected_index=self._shown["tab"],
        )
        left = widgets.VBox(
            [widgets.HBox([self.buttons[name] for name in ("undo", "reset", "keep")]), self.group, self.levers],
            layout=widgets.Layout(width="282px", flex="0 0 282px"),
        )
        top = widgets.HBox([self.head, self.language], layout=widgets.Layout(justify_content="space-between"))
        right = widgets.VBox(
            [top, self.views, self.said, self.tabs],
            layout=widgets.Layout(flex="1 1 auto", min_width="0", overflow="hidden"),
        )
        body = widgets.HBox([left, right], layout=widgets.Layout(width="100%", align_items="flex-start"))
        self.root.children = (widgets.HTML(_STYLE, layout=widgets.Layout(height="0", margin="0")), body)
        self._draw()

    def _button(self, name: str, job: Callable[[], None]) -> widgets.Button:
        button = widgets.Button(description=self.w.text(f"whatif.button.{name}"), layout=widgets.Layout(width="auto"))
        button.on_click(lambda _: job())
        return button

    def _open(self, group: str | None) -> None:
        """Show the rows of a group, made when it is opened first."""
        mine = [lever for lever in self.session.levers.values() if lever.group == group]
        for lever in mine:
            if lever.id not in self.rows:
                self.rows[lever.id] = _Row(lever, self.w, self.session.position(lever.id), self.move)
        self.levers.children = tuple(self.rows[lever.id].box for lever in mine)

    def _ipython_display_(self) -> None:
        from IPython.display import display

        display(self.root)

    def __repr__(self) -> str:
        return f"Panel({self.session.plan.id})"

    # ---- what happens

    def move(self, lever: str, position: float) -> None:
        """Move a lever, answer coarsely, and in full once it rests."""
        if self._quiet:
            return
        self._say("")
        it = self.session.levers[lever]
        try:
            self.session.set(lever, position)
        except InputError:
            w, told = self.w, {}
            for key, value in (("given", position), ("low", it.low), ("high", it.high),
                               ("stays", self.session.position(lever))):  # fmt: skip
                told[key] = w.number(value, it.unit)
            self._say(w.text("whatif.say.outside", name=w.pick(it.name), **told), wrong=True)
            self._place(lever)
            return
        self._place(lever)
        self._answer()

    def undo(self) -> None:
        """Take back the last movement."""
        if self.session.undo():
            self._again()

    def reset(self) -> None:
        """Put all levers where the plan has them."""
        self.session.reset()
        self._again()

    def keep(self) -> None:
        """Keep the setting beside others, worked out in full."""

        def job() -> None:
            self.rest()
            taken = {kept.name for kept in self.session.kept}
            free = [letter for letter in _LETTERS if letter not in taken]
            letter = free[0] if free else self.session.kept[0].name
            self.session.keep(letter, self.answer)
            self._draw()
            self.tabs.selected_index = 1
            self._say(self.w.text("whatif.say.kept", name=self.w.text("whatif.say.setting", letter=letter)))

        self._try(job)

    def save(self) -> None:
        """Write the setting as a plan that extends this one."""

        def job() -> None:
            path = self.session.save(self.name.value.strip(), self.reason.value)
            self._say(self.w.text("whatif.say.saved", file=path.as_posix()))

        self._try(job)

    def export(self) -> None:
        """Write the views as one page in the display language, beside pages written before."""

        def job() -> None:
            self.rest()
            n = 1 + len(list(self.out.glob("what_if_*.pdf")))
            path = self.out / f"what_if_{n}.{self.w.locale}.pdf"
            write_page(self.session, self.answer, path, self.w)
            self._say(self.w.text("whatif.say.exported", file=path.as_posix()))

        self._try(job)

    def speak(self, locale: str) -> None:
        """Change the language of everything; what is open and typed stays."""
        self.w = words(locale)
        self._shown = {
            "group": self.group.value, "tab": self.tabs.selected_index, "name": self.name.value,
            "reason": self.reason.value,
        }  # fmt: skip
        self._build()

    def rest(self) -> None:
        """Work out the full answer now, unless it is there."""
        self._stop()
        self.session.settle()
        if self.answer.coarse or self.answer.setting != self.session.setting:
            self.answer = self.session.at_rest()
            self._draw()

    def _again(self) -> None:
        for lever in self.rows:
            self._place(lever)
        self._say("")
        self._answer()

    def _place(self, lever: str) -> None:
        """Show a lever's position in its row without taking it for a move."""
        self._quiet = True
        self.rows[lever].show(self.session.position(lever), self.w)
        self._quiet = False

    def _answer(self) -> None:
        def job() -> None:
            self.answer = self.session.first if not self.session.setting else self.session.quick()
            self._draw()
            self._later()

        self._try(job)

    def _later(self) -> None:
        """Plan the full answer; without a running loop, as in a script, `rest` has to be called."""
        self._stop()
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            return
        if self.answer.coarse:
            self._resting = loop.create_task(self._full(loop))

    def _stop(self) -> None:
        if self._resting is not None:
            self._resting.cancel()
            self._resting = None

    async def _full(self, loop: asyncio.AbstractEventLoop) -> None:
        await asyncio.sleep(REST_SECONDS)
        self.session.settle()
        self._head(working=True)
        steps = self.session.steps()
        answer: Any = None
        try:
            while (step := await loop.run_in_executor(self._pool, next, steps, _DONE)) is not _DONE:
                answer = step
        except InputError as error:
            self._say(error.render(self.w.locale), wrong=True)
            return
        self.answer = answer
        self._draw()

    def _try(self, job: Callable[[], None]) -> None:
        """Do something; what is wrong is said in the panel."""
        try:
            job()
        except InputError as error:
            self._say(error.render(self.w.locale), wrong=True)
        except OSError as error:
            self._say(f"{error.filename}: {error.strerror}", wrong=True)

    # ---- what is shown

    def _say(self, text: str, *, wrong: bool = False) -> None:
        kind = "planlib-wrong" if wrong else "planlib-said"
        self.said.value = f'<div class="{kind}" role="status">{escape(text)}</div>' if text else ""

    def _draw(self) -> None:
        w, answer = self.w, self.answer
        self._head()
        told = {"users": w.number(answer.users[1], "users"), "gmv": w.number(answer.gmv[1], "CNY")}
        alt = w.text("whatif.alt", **told, spend=w.number(answer.spend, "CNY"))
        svg = live.views(answer.views, w)
        self.views.value = f'<div class="planlib-views" role="img" aria-label="{escape(alt)}">{svg}</div>'
        if answer.conflicts is not None:
            self.conflicts.value = _conflicts_html(answer, w)
        self.compare.value = _compare_html(self.session, answer, w)

    def _head(self, *, working: bool = False) -> None:
        w, answer = self.w, self.answer
        paths = {name: w.number(x.world.paths, "count") for name, x in
                 (("few", self.session.few), ("full", self.session.full))}  # fmt: skip
        state = "working" if working else "coarse" if answer.coarse else "full"
        said = w.text(f"whatif.say.{state}", paths=paths["few" if state == "coarse" else "full"])
        cells = [
            (w.text("whatif.say.users"), w.number(answer.users[1], "users")),
            (w.text("whatif.say.gmv"), w.number(answer.gmv[1], "CNY")),
            (w.text("whatif.say.spend"), w.number(answer.spend, "CNY")),
        ]
        most = max(answer.chances, key=lambda name: abs(answer.chances[name][1] - answer.chances[name][0]), default="")
        told = [w.number(x, "probability") for x in answer.chances.get(most, ())]
        if len(set(told)) == 2:
            shown = " → ".join(told)
            cells.append((f"{w.text('whatif.say.most')} · {w.pick(self.session.names[most])}", shown))
        elif not answer.setting:
            cells.append((w.text("whatif.say.as_planned"), ""))
        parts = [f"<span>{escape(name)} <b>{escape(value)}</b></span>" for name, value in cells]
        parts.append(f'<span class="planlib-note">{escape(said)}</span>')
        self.head.value = f'<div class="planlib-head">{"".join(parts)}</div>'


class _Row:
    """A lever: its name and value, a slider and a box for typing."""

    def __init__(self, lever: Lever, w: Words, position: float, move: Callable[[str, float], None]):
        self.lever = lever
        self._factor = 100.0 if lever.unit in _PERCENT else 1.0
        low, high, step = (float(f"{x * self._factor:.10g}") for x in (lever.low, lever.high, lever.step))
        hint = _hint(lever, w)
        self.label = widgets.HTML(layout=widgets.Layout(margin="0", height="auto"))
        self.slider = widgets.FloatSlider(
            value=position * self._factor, min=low, max=high, step=step, readout=False, tooltip=hint,
            layout=widgets.Layout(width="164px", margin="0 4px"),
        )  # fmt: skip
        self.box_typed = widgets.FloatText(
            value=position * self._factor, step=step, tooltip=hint, layout=widgets.Layout(width="78px", margin="0")
        )
        self._hint = hint
        self.show(position, w)
        for widget in (self.slider, self.box_typed):
            widget.observe(lambda change: move(lever.id, change["new"] / self._factor), "value")
        line = widgets.HBox([self.slider, self.box_typed], layout=widgets.Layout(overflow="hidden"))
        self.box = widgets.VBox([self.label, line], layout=widgets.Layout(flex="0 0 auto", margin="0 0 4px 0"))

    def show(self, position: float, w: Words) -> None:
        """Put slider, box and label where the lever stands."""
        lever, shown = self.lever, float(f"{position * self._factor:.10g}")
        self.slider.value = shown
        self.box_typed.value = shown
        moved = " moved" if position != lever.value else ""
        value = w.number(position, lever.unit)
        source = w.text("whatif.say.assumption") if lever.source == "assumption" else lever.source
        self.label.value = (
            f'<div class="planlib-lever{moved}" title="{escape(self._hint)}"><span>{escape(w.pick(lever.name))} '
            f"<b>{escape(value)}</b></span><i>{escape(source)}</i></div>"
        )


def _hint(lever: Lever, w: Words) -> str:
    """Return where a lever's value and limits come from."""
    limits = "possible" if lever.group == "gates" else "ranged" if lever.ranged else "unranged"
    source = w.text("whatif.say.assumption") if lever.source == "assumption" else lever.source
    ends = f"{w.number(lever.low, lever.unit)} – {w.number(lever.high, lever.unit)}"
    parts = [w.text("whatif.say.source", source=source), w.pick(lever.why), w.text(f"whatif.say.{limits}"), ends]
    return "; ".join(part for part in parts if part)


def _conflicts_html(answer: Answer, w: Words) -> str:
    found = sorted(answer.conflicts or (), key=lambda one: not one.new)
    if not found:
        return f'<div class="planlib-said">{escape(w.text("whatif.say.no_conflicts"))}</div>'
    counts = {"n": len(found), "new": sum(one.new for one in found), "gone": len(answer.settled)}
    head = w.text("whatif.say.conflicts", **{name: w.number(n, "count") for name, n in counts.items()})
    rows = [
        f'<li class="{"new" if one.new else ""}">{_tag(one.new, w)}{escape(w.pick(one.sentence))}</li>' for one in found
    ]
    return f'<div class="planlib-said">{escape(head)}</div><ul class="planlib-list">{"".join(rows)}</ul>'


def _tag(new: bool, w: Words) -> str:
    return f"<b>{escape(w.text('whatif.say.new'))}</b> " if new else ""


def _compare_html(session: Session, answer: Answer, w: Words) -> str:
    """Return settings side by side: what was moved, and what follows."""
    columns = [("plan", session.first), *((kept.name, kept.answer) for kept in session.kept)]
    if answer.setting:
        columns.append(("now", answer))
    heads = [
        w.text(f"whatif.head.{name}") if name in ("plan", "now") else w.text("whatif.say.setting", letter=name)
        for name, _ in columns
    ]
    rows = [
        (w.text("whatif.say.users"), [w.number(x.users[1], "users") for _, x in columns]),
        (w.text("whatif.say.gmv"), [w.number(x.gmv[1], "CNY") for _, x in columns]),
        (w.text("whatif.say.spend"), [w.number(x.spend, "CNY") for _, x in columns]),
    ]
    for name, pair in session.first.chances.items():
        told = [x.chances[name][1] for _, x in columns]
        if max(abs(chance - pair[0]) for chance in told) > 0.0005:
            rows.append((w.pick(session.names[name]), [w.number(x, "probability") for x in told]))
    for name in dict.fromkeys(name for _, x in columns for name in x.setting):
        lever = session.levers[name]
        told = [w.number(x.setting.get(name, lever.value), lever.unit) for _, x in columns]
        rows.append((w.pick(lever.name), told))
    head = "".join(f"<th>{escape(text)}</th>" for text in (w.text("whatif.head.what"), *heads))
    body = "".join(
        f"<tr><td>{escape(name)}</td>{''.join(f'<td>{escape(cell)}</td>' for cell in cells)}</tr>"
        for name, cells in rows
    )
    return f'<table class="planlib-compare"><tr>{head}</tr>{body}</table>'


def write_page(session: Session, answer: Answer, path: str | Path, w: Words) -> Path:
    """Write an answer's views as a page of the deck's kind and return its path.

    Raises:
        InputError: a text that the page cannot hold.
    """
    told = {"users": w.number(answer.users[1], "users"), "gmv": w.number(answer.gmv[1], "CNY")}
    kind = "" if answer.setting else "_plan"
    reading = w.text("whatif.page.reading_plan")
    if answer.setting:
        reading = w.text("whatif.page.reading", moved=_moved(session, answer.setting, w))
    subtitle = w.text(
        "whatif.page.subtitle", plan=w.pick(session.plan.title), paths=w.number(session.full.world.paths, "count")
    )
    title = answers.said(w.text(f"whatif.page.title{kind}", **told))
    page = {
        "section": "whatif.page.section", "layout": "chart", "title": title,
        "subtitle": answers.said(subtitle), "chart": "answer", "reading": answers.said(reading),
        "source": answers.said(Path(session.plan.file).name),
    }  # fmt: skip
    charts = {locale: live.views(answer.views, words(locale), height=PAGE_HEIGHT) for locale in LOCALES}
    return answers.write_page(path, w, name="whatif", plan=session.plan, page=page, charts=charts)


def _moved(session: Session, setting: Mapping[str, float], w: Words) -> str:
    parts = []
    for name, position in list(setting.items())[:MOST_MOVED]:
        lever = session.levers[name]
        both = {"was": w.number(lever.value, lever.unit), "now": w.number(position, lever.unit)}
        parts.append(w.text("whatif.page.moved", name=w.pick(lever.name), **both))
    if len(setting) > MOST_MOVED:
        parts.append(w.text("whatif.page.and_more", n=w.number(len(setting) - MOST_MOVED, "count")))
    return w.text("consistency.comma").join(parts)
