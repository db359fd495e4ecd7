"""Set up the workbook and run its commands: `python start.py --help`.

Needs Python 3.11 or newer and nothing else: only the standard library is
imported here. The first command makes the environment in `.venv` from
`requirements.lock`, whose every file is checked by its hash (with uv where it
is on the PATH, else with venv and pip); later ones use it again. `.venv`
belongs to this file: it is made anew whenever it is unfinished, was made by
another Python or for another place, or `requirements.lock` has changed.

The text must stay readable by Python 3.6, which has to reach the message that
says it is too old.
"""

import os
import sys

NEEDED_PYTHON = (3, 11)
ROOT = os.path.dirname(os.path.realpath(__file__))
DEFAULT_PLAN = os.path.join(ROOT, "params", "wechat_platform.yaml")
WINDOWS = os.name == "nt"
STAMP_FORMAT = "1"
INTERRUPTED = 130

HELP = """\
python start.py COMMAND

  plan [PLAN] [options]  run the workbook on a plan file and make both decks 运行方案并生成报告
                         (PLAN: params/wechat_platform.yaml; options: those of `planlib run`)
  planlib ...            any planlib command, for instance: planlib check PLAN 任意 planlib 命令
  lab                    open the notebooks in JupyterLab 打开笔记本
  test [options]         run the tests (options: those of pytest) 运行测试
  test-full [options]    the tests with their full repetitions 完整测试
  test-spark [options]   the queries on a real Spark against DuckDB (docs/scale.md) 在 Spark 上核对查询
  bench [options]        measure speed side by side with peers 性能对比
  lint                   check the style of the code 代码检查
  setup                  only make the environment in .venv 只建立环境

Each command first makes the environment in .venv where it is missing or out of date.
每个命令都会先检查 .venv，缺失或过期时自动建立。
"""


class SetupError(Exception):
    """The environment cannot be made; the text says why and what to do."""


def say(text):
    """Print one line to standard error, whatever the terminal can show."""
    encoding = sys.stderr.encoding or "ascii"
    sys.stderr.write(text.encode(encoding, "replace").decode(encoding) + "\n")
    sys.stderr.flush()


def old_python_message(version, executable):
    """Return what to tell someone whose Python is too old.

    Args:
        version: (major, minor, ...) of the running Python.
        executable: its path.
    """
    needed, given = (".".join(map(str, v[:2])) for v in (NEEDED_PYTHON, version))
    return (
        f"Python {needed} or newer is needed; this is Python {given} ({executable}).\n"
        f"Install a newer Python, then call it by name, for instance: python{needed} start.py plan\n"
        f"需要 Python {needed} 或更高版本；当前是 Python {given}（{executable}）。\n"
        f"请安装新版 Python，再指名运行，例如：python{needed} start.py plan"
    )


if sys.version_info[:2] < NEEDED_PYTHON:
    say(old_python_message(sys.version_info, sys.executable))
    sys.exit(1)


class Environment:
    """Where the environment of one checkout lies.

    Args:
        root: folder of the checkout, absolute.
    """

    def __init__(self, root):
        self.root = root
        self.folder = os.path.join(root, ".venv")
        self.lock = os.path.join(root, "requirements.lock")
        self.project = os.path.join(root, "pyproject.toml")
        self.stamp = os.path.join(self.folder, "planlib-setup.txt")
        self.programs = os.path.join(self.folder, "Scripts" if WINDOWS else "bin")
        self.python = os.path.join(self.programs, "python.exe" if WINDOWS else "python")
        self.planlib = os.path.join(self.programs, "planlib")


def _digest(path):
    import hashlib

    with open(path, "rb") as file:
        return hashlib.sha256(file.read()).hexdigest()


def wanted_stamp(environment):
    """Return what a finished environment of this checkout and this Python was made from."""
    machine = os.environ.get("PROCESSOR_ARCHITECTURE", "") if WINDOWS else os.uname().machine
    return {
        "format": STAMP_FORMAT,
        "lock": _digest(environment.lock),
        "python": sys.implementation.cache_tag,
        "platform": sys.platform + "-" + machine,
        "place": environment.root,
        "project": _digest(environment.project),
    }


def read_stamp(environment):
    """Return what the environment was made from; empty where it was never finished."""
    try:
        with open(environment.stamp, encoding="utf-8") as file:
            return dict(line.rstrip("\n").split("=", 1) for line in file)
    except (OSError, ValueError):
        return {}


def write_stamp(environment, stamp):
    """Mark the environment as finished: written beside its place, then renamed."""
    with open(environment.stamp + ".new", "w", encoding="utf-8") as file:
        file.writelines(f"{key}={value}\n" for key, value in stamp.items())
    os.replace(environment.stamp + ".new", environment.stamp)


def out_of_date(environment, found, wanted):
    """Return the reasons why the packages must be installed anew, as (English, Chinese).

    Args:
        environment: the checkout's environment.
        found: stamp read from it.
        wanted: stamp of this checkout and this Python.
    """
    if not os.path.exists(environment.folder):
        return [("there is none yet", "尚未建立")]
    if not found or not os.path.exists(environment.python):
        return [("it was not finished, or its Python is gone", "上次未完成，或其 Python 已不存在")]
    words = {
        "format": ("start.py has changed", "start.py 已更改"),
        "lock": ("requirements.lock has changed", "requirements.lock 已更改"),
        "python": ("it was made by another Python", "由另一版本的 Python 建立"),
        "platform": ("it was made on another kind of machine", "在另一类机器上建立"),
        "place": ("the folder has moved", "文件夹已移动"),
    }
    return [words[key] for key in words if found.get(key) != wanted[key]]


def child_environment(environment):
    """Return the variables of a command: the environment first on the PATH, UTF-8 everywhere.

    Compiled files are always kept: without them every process compiles its packages anew, seconds each time.
    """
    dropped = ("PYTHONHOME", "PYTHONPATH", "PYTHONDONTWRITEBYTECODE", "__PYVENV_LAUNCHER__")
    variables = {key: value for key, value in os.environ.items() if key not in dropped}
    variables["VIRTUAL_ENV"] = environment.folder
    variables["PATH"] = environment.programs + os.pathsep + variables.get("PATH", os.defpath)
    variables["PYTHONUTF8"] = "1"
    return variables


def _step(arguments, variables):
    import subprocess

    status = subprocess.run(arguments, env=variables, check=False).returncode
    if status:
        raise SetupError(" ".join(arguments[:4]) + f" ...: exit status {status}")


def _install_with_uv(environment, uv, base_python, variables):
    _step([uv, "venv", "--quiet", "--no-project", "--python", base_python, environment.folder], variables)
    only_ready_made = ["--require-hashes", "--only-binary", ":all:"]
    _step([uv, "pip", "sync", "-q", *only_ready_made, "--python", environment.python, environment.lock], variables)


def _install_with_pip(environment, base_python, variables):
    import importlib.util

    if importlib.util.find_spec("ensurepip"):
        _step([base_python, "-m", "venv", environment.folder], variables)
        pip = [environment.python, "-m", "pip"]
    else:  # Debian and Ubuntu keep ensurepip in a package of its own: use the pip that is there
        _step([base_python, "-m", "venv", "--without-pip", environment.folder], variables)
        pip = [base_python, "-m", "pip", "--python", environment.python]
    quiet = ["-qq", "--no-compile", "--disable-pip-version-check", "--no-input"]
    only_ready_made = ["--no-deps", "--require-hashes", "--only-binary", ":all:"]
    _step([*pip, "install", *quiet, *only_ready_made, "-r", environment.lock], variables)


def _clear(environment):
    import shutil

    try:
        if os.path.islink(environment.folder) or os.path.isfile(environment.folder):
            os.unlink(environment.folder)
        elif os.path.exists(environment.folder):
            if os.path.exists(environment.stamp):
                os.unlink(environment.stamp)
            shutil.rmtree(environment.folder)
    except OSError as error:
        raise SetupError(
            f"{environment.folder} cannot be removed ({error.strerror}): close the programs that use it.\n"
            f"无法删除 {environment.folder}：请先关闭正在使用它的程序。"
        ) from error


def install_packages(environment):
    """Make the folder of the environment anew with exactly the packages of the lock."""
    import shutil

    base_python = getattr(sys, "_base_executable", None) or sys.executable
    variables = {
        key: value
        for key, value in os.environ.items()
        if key not in ("PYTHONHOME", "PYTHONPATH", "VIRTUAL_ENV", "__PYVENV_LAUNCHER__")
    }
    variables.update(PIP_USER="0", PIP_REQUIRE_VIRTUALENV="0", UV_PYTHON_DOWNLOADS="never", PYTHONUTF8="1")
    _clear(environment)
    uv = shutil.which("uv")
    if uv:
        try:
            return _install_with_uv(environment, uv, base_python, variables)
        except SetupError as error:
            say(f"{error}\nuv could not do it; trying pip. uv 未成功，改用 pip。")
            _clear(environment)
    try:
        return _install_with_pip(environment, base_python, variables)
    except SetupError as error:
        raise SetupError(
            f"{error}\n"
            "The packages could not be installed: see the message above. Two usual causes: the package index\n"
            "cannot be reached from here (pip's own settings are used, a mirror works), or this Python has no\n"
            "ready-made packages (64-bit Python 3.11 to 3.14 on Linux, macOS and Windows has them).\n"
            "软件包安装失败，原因见上。常见原因：无法连接软件包索引（沿用 pip 的设置，可用镜像），\n"
            "或当前 Python 没有现成的安装包（需 64 位 Python 3.11 至 3.14）。"
        ) from error


def link_project(environment):
    """Make `import planlib` and the `planlib` command work in the environment.

    An editable install without a build: one `.pth` line that leads from
    site-packages to the checkout. The line is relative, so it is ASCII even
    where the path of the checkout is not (Python 3.11 on Windows reads `.pth`
    files in the code page of the system).
    """
    import shutil
    import sysconfig
    import tomllib

    with open(environment.project, "rb") as file:
        project = tomllib.load(file)["project"]
    name, version = project["name"], project["version"]
    module, function = project["scripts"]["planlib"].split(":")
    packages = sysconfig.get_path("purelib", "venv", {"base": environment.folder})
    relative = os.path.relpath(environment.root, packages).replace(os.sep, "/")
    info = f"{name}-{version}.dist-info"
    command = (
        "#!/bin/sh\n"
        "'''exec' \"$(dirname -- \"$0\")/python\" \"$0\" \"$@\"\n"
        "' '''\n"
        f"import sys\n\nfrom {module} import {function}\n\nsys.exit({function}())\n"
    )
    for old in os.listdir(packages):
        if old.startswith(name + "-") and old.endswith(".dist-info") and old != info:
            shutil.rmtree(os.path.join(packages, old))
    os.makedirs(os.path.join(packages, info), exist_ok=True)
    files = {
        f"{name}.pth": relative + "\n",
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
        f"{info}/INSTALLER": "start.py\n",
    }
    files[f"{info}/RECORD"] = "".join(f"{path},,\n" for path in [*files, f"{info}/RECORD"])
    for path, text in files.items():
        with open(os.path.join(packages, path), "w", encoding="utf-8", newline="\n") as file:
            file.write(text)
    with open(environment.planlib, "w", encoding="utf-8", newline="\n") as file:
        file.write(command)
    os.chmod(environment.planlib, 0o755)
    if WINDOWS:
        with open(environment.planlib + ".cmd", "w", encoding="ascii") as file:
            file.write('@"%~dp0python.exe" "%~dp0planlib" %*\n')


class OneAtATime:
    """Hold a lock on the set-up of a checkout: a second set-up waits for the first."""

    def __init__(self, root):
        self.path = os.path.join(root, "build", "setup.lock")

    def __enter__(self):
        import time

        os.makedirs(os.path.dirname(self.path), exist_ok=True)
        self.file = open(self.path, "w", encoding="utf-8")
        told = False
        while not self._taken():
            if not told:
                say("Another set-up of this folder is running; waiting for it. 另一个安装正在进行，等待中……")
            told = True
            time.sleep(0.5)
        return self

    def _taken(self):
        import errno

        try:
            if WINDOWS:
                import msvcrt

                msvcrt.locking(self.file.fileno(), msvcrt.LK_NBLCK, 1)
            else:
                import fcntl

                fcntl.flock(self.file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            # a file system that knows no locks must not stop the set-up
            return error.errno not in (errno.EACCES, errno.EAGAIN, errno.EDEADLK)
        return True

    def __exit__(self, *_):
        self.file.close()  # ends the lock on every system


def set_up(environment):
    """Bring the environment up to date; at once when nothing has changed."""
    wanted = wanted_stamp(environment)
    if read_stamp(environment) == wanted and os.path.exists(environment.python):
        return
    import time

    with OneAtATime(environment.root):
        began = time.monotonic()
        reasons = out_of_date(environment, read_stamp(environment), wanted)
        if reasons:
            english, chinese = ("; ".join(each) for each in zip(*reasons, strict=True))
            say(f"Making the environment in .venv ({english}). Seconds with uv; one to three minutes with pip.")
            say(f"正在建立 .venv 环境（{chinese}），用 uv 数秒，用 pip 一至三分钟。")
            install_packages(environment)
        link_project(environment)
        write_stamp(environment, wanted)
        if reasons:
            say(f"Ready after {time.monotonic() - began:.0f} s. 环境已就绪。")


def command_line(environment, command, arguments):
    """Return (program and arguments, working folder or None for the caller's).

    Args:
        environment: the checkout's environment.
        command: one of the commands of HELP, `setup` excepted.
        arguments: what follows it on the command line.

    Raises:
        KeyError: no such command.
    """
    python, root = environment.python, environment.root
    tests = [python, "-m", "pytest", "-n", "auto", "--dist", "loadfile", "--no-loadscope-reorder"]
    start_here = os.path.join("notebooks", "00_start_here.ipynb")
    if command == "plan" and (not arguments or arguments[0].startswith("-")):
        default = DEFAULT_PLAN if os.path.realpath(os.curdir) != root else os.path.relpath(DEFAULT_PLAN, root)
        arguments = [default, *arguments]
    begins, folder = {
        "plan": ([python, environment.planlib, "run"], None),
        "planlib": ([python, environment.planlib], None),
        "lab": ([python, "-m", "jupyterlab", start_here], root),
        "test": (tests, root),
        "test-full": ([*tests, "--full"], root),
        "test-spark": ([python, "-m", "pytest", "--spark", "-m", "spark", os.path.join("tests", "data")], root),
        "bench": ([python, os.path.join("benchmarks", "run")], root),
        "lint": ([python, "-m", "ruff", "check", "."], root),
    }[command]
    return [*begins, *arguments], folder


def run(arguments, folder, variables):
    """Become the given program (on Windows: run it and end with its exit status)."""
    sys.stdout.flush()
    if folder:
        os.chdir(folder)
    if not WINDOWS:
        os.execve(arguments[0], arguments, variables)
    import subprocess

    with subprocess.Popen(arguments, env=variables) as process:
        while True:
            try:
                return process.wait()
            except KeyboardInterrupt:  # the program has been told too: its own end is the end
                continue


def main(arguments):
    """Run one command; return the exit status."""
    if not arguments or arguments[0] in ("-h", "--help", "help"):
        sys.stdout.buffer.write(HELP.encode(sys.stdout.encoding or "utf-8", "replace"))
        return 0 if arguments else 2
    environment = Environment(ROOT)
    command, rest = arguments[0], arguments[1:]
    try:
        if command == "setup":
            set_up(environment)
            say("The environment is in .venv. Next: python start.py plan")
            say("环境已在 .venv 中。下一步：python start.py plan")
            return 0
        line, folder = command_line(environment, command, rest)
        set_up(environment)
    except KeyError:
        say(f"There is no command {command!r}. 没有这个命令。\n\n{HELP}")
        return 2
    except SetupError as error:
        say(str(error))
        return 1
    except KeyboardInterrupt:
        say("Interrupted; the next command makes the environment anew. 已中断，下次运行会重新建立环境。")
        return INTERRUPTED
    return run(line, folder, child_environment(environment))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
