"""A real JupyterLab on this machine and a headless browser to drive it, for tests."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
FONTS = ROOT / "planlib" / "report" / "fonts"
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
TOKEN = "tests-on-loopback"
OPTIONS = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage",
)  # fmt: skip
# the last cell has a number and none is waiting
_RAN = """() => {
    const all = [...document.querySelectorAll('.jp-CodeCell .jp-InputArea-prompt')].map(e => e.innerText.trim());
    return all.length > 5 && all.every(text => /^\\[\\d+\\]:$/.test(text));
}"""
START_SECONDS = 120
INSTALL_SECONDS = 240
WAIT_MS = 120_000
# no questions about news, no updates, nothing saved by itself, every cell drawn at once
SETTINGS = {
    "@jupyterlab/apputils-extension/notification": {"fetchNews": "false", "checkForUpdates": False},
    "@jupyterlab/docmanager-extension/plugin": {"autosave": False},
    "@jupyterlab/notebook-extension/tracker": {"windowingMode": "none"},
}


def browser_path() -> str | None:
    """Return the browser of the system; None where there is none."""
    return next((found for name in BROWSERS if (found := shutil.which(name))), None)


def missing() -> str:
    """Return what this machine lacks to drive a browser; "" when all is there.

    Where `.ci/run` is installing one, this waits for it.
    """
    comes, until = os.environ.get("PLANLIB_BROWSER_COMES"), time.monotonic() + INSTALL_SECONDS
    while comes and Path(comes).exists() and time.monotonic() < until:
        time.sleep(0.5)
    if importlib.util.find_spec("playwright") is None:
        return "the package playwright"
    return "" if browser_path() else f"a browser: one of {', '.join(BROWSERS)}"


def copy_project(folder: Path) -> Path:
    """Copy notebooks and plans, so that a test may write beside them; returns the folder."""
    shutil.copytree(ROOT / "notebooks", folder / "notebooks", ignore=shutil.ignore_patterns(".ipynb_checkpoints"))
    (folder / "params").mkdir()
    for path in (ROOT / "params").glob("*.yaml"):
        if not path.name.endswith(".adopted.yaml"):
            shutil.copy(path, folder / "params")
    return folder


def _environment(folder: Path, env: dict[str, str]) -> dict[str, str]:
    """Return variables under which Jupyter keeps everything inside a folder."""
    home = folder / ".jupyter"
    for name, content in SETTINGS.items():
        path = home / "settings" / f"{name}.jupyterlab-settings"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(content), encoding="utf-8")
    config = home / "config" / "jupyter_lab_config.json"
    config.parent.mkdir(parents=True, exist_ok=True)
    app = {"check_for_updates_class": "jupyterlab.NeverCheckForUpdate", "news_url": None}
    config.write_text(json.dumps({"LabApp": app | {"extension_manager": "readonly"}}), encoding="utf-8")
    places = {
        "JUPYTER_CONFIG_DIR": "config", "JUPYTER_DATA_DIR": "data", "JUPYTER_RUNTIME_DIR": "runtime",
        "JUPYTERLAB_SETTINGS_DIR": "settings", "JUPYTERLAB_WORKSPACES_DIR": "workspaces", "IPYTHONDIR": "ipython",
    }  # fmt: skip
    return env | {name: str(home / place) for name, place in places.items()} | {"JUPYTER_TOKEN": TOKEN}


@contextmanager
def server(folder: Path, env: dict[str, str]) -> Iterator[str]:
    """Run JupyterLab over a folder on loopback; gives its address, and ends it with its kernels."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [
        sys.executable, "-m", "jupyterlab", "--no-browser", "--ServerApp.ip=127.0.0.1", f"--ServerApp.port={port}",
        "--ServerApp.port_retries=0", f"--ServerApp.root_dir={folder}",
    ]  # fmt: skip
    command += ["--allow-root"] if getattr(os, "geteuid", lambda: 1)() == 0 else []
    log = folder / "lab.log"
    with log.open("wb") as said:
        run = subprocess.Popen(command, cwd=folder, env=_environment(folder, env), stdout=said, stderr=said)
    address = f"http://127.0.0.1:{port}"
    try:
        _wait_for(f"{address}/api?token={TOKEN}", run, log)
        yield address
    finally:
        run.terminate()
        run.wait(30)


def _wait_for(address: str, run: subprocess.Popen, log: Path) -> None:
    until = time.monotonic() + START_SECONDS
    while time.monotonic() < until:
        if run.poll() is not None:
            raise RuntimeError(log.read_text(encoding="utf-8", errors="replace")[-3000:])
        try:
            with urllib.request.urlopen(address, timeout=5):
                return
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            time.sleep(0.1)
    raise TimeoutError(log.read_text(encoding="utf-8", errors="replace")[-3000:])


@contextmanager
def browser(folder: Path) -> Iterator[Any]:
    """Start the system's browser without a window, with the project's fonts; gives Playwright's browser."""
    from playwright.sync_api import sync_playwright

    fonts = folder / "fonts.conf"
    fonts.write_text(
        '<?xml version="1.0"?><!DOCTYPE fontconfig SYSTEM "fonts.dtd">'
        f"<fontconfig><dir>{FONTS}</dir><cachedir>{folder / 'fonts'}</cachedir></fontconfig>",
        encoding="utf-8",
    )
    env = {**os.environ, "FONTCONFIG_FILE": str(fonts)}
    with sync_playwright() as play:
        found = play.chromium.launch(executable_path=browser_path(), args=list(OPTIONS), env=env, timeout=WAIT_MS)
        try:
            yield found
        finally:
            found.close()


def opened(browser: Any, address: str, notebook: str, *, width: int = 1366, height: int = 768) -> Any:
    """Open a notebook in a window of that size and run all its cells; gives the page."""
    asked = {"path": f"notebooks/{notebook}.ipynb", "name": notebook, "type": "notebook", "kernel": {"name": "python3"}}
    request = urllib.request.Request(  # the kernel starts while the page loads, and nothing asks which one
        f"{address}/api/sessions?token={TOKEN}", json.dumps(asked).encode(), {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=START_SECONDS):
        pass
    page = browser.new_page(viewport={"width": width, "height": height})
    page.set_default_timeout(WAIT_MS)
    page.goto(f"{address}/lab/tree/notebooks/{notebook}.ipynb?token={TOKEN}&reset")
    page.locator(".jp-Toolbar-kernelName", has_text="Python 3").wait_for()
    page.locator(".jp-Notebook-ExecutionIndicator[data-status='idle']").wait_for()
    page.get_by_role("menuitem", name="Run", exact=True).click()
    page.locator("li[data-command='runmenu:run-all']").click()
    page.wait_for_function(_RAN)
    return page
