"""Is this desk fit to run plans: versions, fonts, disk, locks."""

from __future__ import annotations

import platform
import re
import shutil
import sys
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

from planlib.core.words import Words
from planlib.workbook.context import project_root
from planlib.workbook.lock import is_held, read_holder

LEAST_FREE_BYTES = 500_000_000
_PIN = re.compile(r"^([A-Za-z0-9._-]+)==([^ ;\\]+)(?:\s*;\s*([^\\]+))?", re.MULTILINE)


def examine(out_root: Path, w: Words) -> Iterator[tuple[str, bool]]:
    """Yield one line for each thing looked at, and whether it is well."""

    def line(well: bool, key: str, **values: object) -> tuple[str, bool]:
        what = w.text(f"cli.{key}", **values)
        return w.text("cli.doctor_ok" if well else "cli.doctor_ill", what=what), well

    yield line(sys.version_info >= (3, 11), "doctor_python", version=platform.python_version())
    yield from _packages(line)
    fonts = list((Path(__file__).parents[1] / "report" / "fonts").glob("NotoSansSC-*.ttf"))
    yield line(len(fonts) == 3, "doctor_fonts", count=len(fonts))
    place = out_root if out_root.exists() else Path()
    free = shutil.disk_usage(place).free
    yield line(free >= LEAST_FREE_BYTES, "doctor_disk", free=f"{free / 1e9:,.1f} GB")
    yield from _locks(out_root, line)


def _packages(line) -> Iterator[tuple[str, bool]]:
    lock = project_root() / "requirements.lock"
    if not lock.is_file():
        yield line(False, "doctor_no_lock")
        return
    right, seen = 0, False
    for package, locked, marker in _PIN.findall(lock.read_text(encoding="utf-8")):
        if marker and not _applies(marker):
            continue
        try:
            version = metadata.version(package)
        except metadata.PackageNotFoundError:
            yield line(False, "doctor_missing", package=package, locked=locked)
            continue
        seen = True
        if version != locked:
            yield line(False, "doctor_package", package=package, version=version, locked=locked)
        else:
            right += 1
    yield line(seen, "doctor_packages", count=right)


def _applies(marker: str) -> bool:
    from packaging.markers import Marker

    return Marker(marker.strip()).evaluate()


def _locks(out_root: Path, line) -> Iterator[tuple[str, bool]]:
    held = [folder for folder in sorted(out_root.glob("*/")) if is_held(folder)]
    for folder in held:
        holder = read_holder(folder)
        since, pid = (holder.since, holder.pid) if holder else ("?", "?")
        yield line(True, "doctor_lock", plan=folder.name, since=since, pid=pid)
    if not held:
        yield line(True, "doctor_locks")
