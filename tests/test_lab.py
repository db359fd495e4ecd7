"""Notebook 90 in a real JupyterLab, driven as an analyst would; the notebooks that open by hand."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from planlib.core import results as res
from planlib.core.words import words
from planlib.workbook.graph import read_graph
from tests import lab

NOTEBOOK = "90_what_if"
pytestmark = pytest.mark.timeout(900)  # a busy machine takes minutes over what a quiet one does in half of one
HEAD, VIEWS, SAID = ".planlib-head", ".planlib-views", "[role='status']"
TARGET = "w-mau-rate-strategic"


@pytest.fixture(scope="module", autouse=True)
def needed():
    """Skip where there is no browser."""
    lacking = lab.missing()
    if lacking:
        pytest.skip(f"no browser test: this machine lacks {lacking}")


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    return lab.copy_project(tmp_path_factory.mktemp("lab"))


@pytest.fixture(scope="module")
def address(folder, guarded_env):
    with lab.server(folder, guarded_env) as found:
        yield found


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    with lab.browser(tmp_path_factory.mktemp("browser")) as found:
        yield found


@pytest.fixture
def page(browser, address):
    found = lab.opened(browser, address, NOTEBOOK)
    yield found
    found.close()


def head(page) -> str:
    return " ".join(page.locator(HEAD).inner_text().split())


def texts(page) -> list[str]:
    return page.locator(f"{VIEWS} text").all_text_contents()


def chance(page, name: str) -> str:
    """What the view of the targets says beside one of them, now."""
    found = texts(page)
    return found[found.index(name) + 1].split(" → ")[-1]


def at_rest(page, before: str) -> str:
    """Wait until the head says something else than before, of all paths."""
    script = "([css, before]) => { const now = document.querySelector(css).innerText.replace(/\\s+/g, ' ').trim();"
    script += " return now !== before && !now.includes('≈') && !now.includes('正在') && now; }"
    return page.wait_for_function(script, arg=[HEAD, before]).json_value()


def test_an_analyst_moves_a_slider_saves_and_runs_what_she_found(page, folder, guarded_env):
    w = words("zh")
    page.locator(f"{VIEWS} svg").wait_for()
    planned, drawn = head(page), page.locator(VIEWS).inner_html()
    handle = page.locator(".noUi-handle").first
    handle.hover()
    place = handle.bounding_box()
    x, y = (place[a] + place[b] / 2 for a, b in (("x", "width"), ("y", "height")))
    page.mouse.down()
    page.mouse.move(x + 30, y, steps=3)
    page.mouse.up()
    dragged = at_rest(page, planned)
    assert page.locator(VIEWS).inner_html() != drawn
    handle.focus()
    for _ in range(3):
        page.keyboard.press("ArrowRight")
    pressed = at_rest(page, dragged)
    users = re.compile(r"期末用户 ([\d.]+) 万")
    assert float(users.search(planned)[1]) < float(users.search(pressed)[1])

    page.get_by_role("button", name="留存", exact=True).focus()
    page.keyboard.press("Space")
    row = page.locator(".widget-vbox:has(> .widget-html .planlib-lever)", has_text="活跃用户次月仍活跃")
    mau = w.text(
        "chances.target", metric=w.metric("mau_rate"), month=w.number(24, "month"), goal=w.number(0.5, "ratio")
    )
    was = chance(page, mau)
    handle = row.locator(".noUi-handle")
    handle.focus()
    page.keyboard.press("End")
    moved = at_rest(page, pressed)
    assert chance(page, mau) != was

    page.locator(".lm-TabBar-tab", has_text="保存").last.click()
    page.get_by_placeholder("名称").fill("more_fans")
    page.get_by_placeholder("一句话").fill("多发文章")
    page.get_by_role("button", name="保存情景").focus()
    page.keyboard.press("Space")
    page.locator(SAID, has_text="params/more_fans.yaml").wait_for()
    told = chance(page, mau)
    page.keyboard.press("Space")
    page.locator(SAID, has_text="more_fans.yaml").filter(has_text="允许").wait_for()

    command = ["run", "params/more_fans.yaml", "--only", NOTEBOOK, "--out", "out"]
    code = "from planlib.cli import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", code, *command], cwd=folder, env=guarded_env, capture_output=True, encoding="utf-8",
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    (found,) = (folder / "out" / "more_fans").glob(f"2*/{NOTEBOOK}/results.json")
    again = {metric["id"]: metric for metric in res.load(found)["metrics"]}
    assert w.number(again[f"p_{TARGET}"]["value"], "probability") == told
    for name, unit in (("users", "users"), ("gmv", "CNY"), ("spend", "CNY")):
        assert w.number(again[name]["value"], unit) in moved, name


def test_only_this_machine_was_asked_for(guarded_env):
    refused = Path(guarded_env["PLANLIB_REFUSED_CONNECTIONS"])
    assert not refused.exists(), refused.read_text(encoding="utf-8")


# texts of the views that leave the picture or run over each other by more than a hair, as the browser sets them
CLASHES = """() => {
    const svg = document.querySelector('.planlib-views svg').getBoundingClientRect();
    const all = [...document.querySelectorAll('.planlib-views text')];
    const found = all.map(e => [e.textContent, e.getBoundingClientRect()]);
    const out = found.filter(([, r]) => r.left < svg.left - 2 || r.right > svg.right + 3).map(([t]) => t);
    for (const [i, [a, p]] of found.entries()) for (const [b, q] of found.slice(i + 1)) {
        const wide = Math.min(p.right, q.right) - Math.max(p.left, q.left);
        const tall = Math.min(p.bottom, q.bottom) - Math.max(p.top, q.top);
        if (wide > 2 && tall > 0.45 * Math.min(p.height, q.height)) out.push(a + ' | ' + b);
    }
    return out;
}"""


@pytest.mark.full
@pytest.mark.parametrize("size", [(1366, 768), (1920, 1080)])
def test_nothing_is_cut_off_or_written_over_in_either_language(browser, address, size):
    page = lab.opened(browser, address, NOTEBOOK, width=size[0], height=size[1])
    for language in ("中文", "English"):
        page.get_by_role("button", name=language, exact=True).click()
        page.wait_for_function("text => document.querySelector('.planlib-views')?.innerHTML.includes(text)",
                               arg={"中文": "各目标的概率", "English": "Chance of each target"}[language])  # fmt: skip
        assert page.evaluate(CLASHES) == []
        panel = page.locator(".planlib-panel")
        assert panel.evaluate("e => e.scrollWidth <= e.clientWidth + 1")
        assert panel.bounding_box()["height"] < size[1] - 40
    page.close()


@pytest.mark.full
@pytest.mark.parametrize("notebook", [name for name in read_graph(lab.ROOT).ids if name != NOTEBOOK])
def test_every_notebook_runs_by_hand_as_it_is(browser, address, notebook):
    page = lab.opened(browser, address, notebook)
    assert page.locator("[data-mime-type='application/vnd.jupyter.error']").count() == 0
    page.close()
