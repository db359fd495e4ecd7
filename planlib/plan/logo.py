"""The logo of a plan's decks: a PNG or SVG beside the plan, small, and nothing but a picture."""

from __future__ import annotations

import re
import struct
import xml.etree.ElementTree as ET
from dataclasses import dataclass
from pathlib import Path

from planlib.core.errors import InputError, Problem
from planlib.plan.tree import Node

MOST_BYTES = 512_000
MOST_PIXELS = 4000
_PNG = b"\x89PNG\r\n\x1a\n"
_REFUSED = {"script", "foreignObject", "image", "use", "style", "text"}
_LENGTH = re.compile(r"\s*(\d+(?:\.\d+)?)\s*(?:px|pt|mm|cm|in)?\s*\Z")


@dataclass(frozen=True, slots=True)
class Logo:
    """A picture: its bytes, its kind (png, svg), and width over height."""

    content: bytes
    kind: str
    ratio: float


def problems(tree: Node, folder: Path) -> list[Problem]:
    """Return what is wrong with the logo that `report.brand.logo` names.

    Args:
        tree: of a plan.
        folder: of the plan.
    """
    node = tree.find(("report", "brand", "logo"))
    if node is None or not isinstance(node.value, str):
        return []
    try:
        read(folder, node.value)
    except InputError as error:
        file, line = node.place
        return [Problem(p.code, file, "report.brand.logo", line, p.given, p.values) for p in error.problems]
    return []


def read(folder: Path, name: str) -> Logo:
    """Return the logo.

    Raises:
        InputError: not beside the plan, too large, or not a PNG or SVG that can be shown as it is.
    """
    if Path(name).name != name or "\\" in name:
        raise InputError(Problem("beside_plan", given=name))
    path = folder / name
    try:
        with path.open("rb") as file:
            content = file.read(MOST_BYTES + 1)
    except OSError:
        raise InputError(Problem("no_file", given=path.as_posix())) from None
    if len(content) > MOST_BYTES:
        raise InputError(Problem("logo_size", given=name, values={"high": MOST_BYTES // 1000}))
    if content.startswith(_PNG):
        return Logo(content, "png", _png_ratio(content, name))
    return Logo(content, "svg", _svg_ratio(content, name))


def _png_ratio(content: bytes, name: str) -> float:
    whole = len(content) > 45 and content[12:16] == b"IHDR" and content[-8:-4] == b"IEND"
    width, height = struct.unpack(">II", content[16:24]) if whole else (0, 0)
    if not (0 < width <= MOST_PIXELS and 0 < height <= MOST_PIXELS):
        raise InputError(Problem("logo_form", given=name, values={"pixels": MOST_PIXELS}))
    return width / height


def _svg_ratio(content: bytes, name: str) -> float:
    bad = InputError(Problem("logo_form", given=name, values={"pixels": MOST_PIXELS}))
    if b"<!DOCTYPE" in content or b"<!ENTITY" in content:
        raise bad
    try:
        root = ET.fromstring(content)
    except (ET.ParseError, ValueError, LookupError):
        raise bad from None
    if root.tag.rpartition("}")[2] != "svg":
        raise bad
    found = {node.tag.rpartition("}")[2] for node in root.iter() if isinstance(node.tag, str)} & _REFUSED
    if found:
        raise InputError(Problem("logo_svg", given=name, values={"found": ", ".join(sorted(found))}))
    box = [float(part) for part in re.findall(r"-?\d+(?:\.\d+)?", root.get("viewBox", ""))]
    sides = [_LENGTH.match(root.get(side, "")) for side in ("width", "height")]
    width, height = (float(side[1]) for side in sides) if all(sides) else box[2:] if len(box) == 4 else (0, 0)
    if not (width > 0 and height > 0):
        raise bad
    return width / height
