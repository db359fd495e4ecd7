"""Cut the deck's three static fonts from the variable font Noto Sans SC.

Not needed at run time: the cut fonts ship. Anyone can do it again with fontTools and the variable font
(`NotoSansSC[wght].ttf`, SIL Open Font License 1.1, for example out of the package `justmytype-intl-cjk`):

    python make_fonts.py path/to/NotoSansSC[wght].ttf

writes beside this file `NotoSansSC-Regular.ttf`, `-Medium.ttf`, `-Bold.ttf` and `coverage.json` (which characters
they hold and how wide they are, so that a deck can check and measure text without opening a font). The same
source and the same fontTools give the same bytes.

Kept characters: everything GBK holds (rare name characters such as 镕 喆 珺 玥 among them), Latin-1 and Latin
Extended-A, general punctuation, currency signs, arrows, mathematical operators (the minus U+2212 above all),
geometric shapes, and full-width forms.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from fontTools.subset import Options, Subsetter
from fontTools.ttLib import TTFont
from fontTools.varLib import instancer

FAMILY = "Noto Sans SC"
WEIGHTS = {"Regular": 400, "Medium": 500, "Bold": 700}
EXTRA_BLOCKS = (
    (0x0020, 0x007E),  # Basic Latin
    (0x00A0, 0x017F),  # Latin-1 Supplement, Latin Extended-A
    (0x2010, 0x2060),  # General Punctuation
    (0x20A0, 0x20BF),  # Currency Symbols
    (0x2103, 0x2122),  # the letter-like signs in use: ℃ № ™
    (0x2190, 0x21FF),  # Arrows
    (0x2200, 0x22FF),  # Mathematical Operators
    (0x2460, 0x24FF),  # Enclosed Alphanumerics
    (0x25A0, 0x25FF),  # Geometric Shapes
    (0x3000, 0x303F),  # CJK Symbols and Punctuation
    (0x9FA6, 0x9FFF),  # CJK ideographs added after GBK
    (0xFF00, 0xFFEF),  # Half-width and Full-width Forms
)
FEATURES = ["ccmp", "liga", "kern", "mark", "palt", "halt", "pwid", "hwid"]
PROPORTIONAL = "“”‘’…—·"  # full-width by default; an English deck switches their proportional alternates on


def wanted_codepoints() -> set[int]:
    """The characters to keep, as far as the source font has them."""
    two_bytes = (bytes([lead, trail]) for lead in range(0x81, 0xFF) for trail in range(0x40, 0xFF))
    gbk = {ord(char) for pair in two_bytes for char in pair.decode("gbk", errors="ignore") if len(char) == 1}
    return gbk | {point for low, high in EXTRA_BLOCKS for point in range(low, high + 1)}


def rename(font: TTFont, style: str, weight: int) -> None:
    """Give the instance the names and the weight class of a static font of the family."""
    table = font["name"]
    version = table.getDebugName(5)
    kept = {key: table.getDebugName(key) for key in (0, 7, 8, 9, 10, 11, 13, 14)}
    own_group = style in ("Regular", "Bold")
    names = kept | {
        1: FAMILY if own_group else f"{FAMILY} {style}",
        2: style if own_group else "Regular",
        3: f"{version};NotoSansSC-{style}",
        4: f"{FAMILY} {style}",
        5: version,
        6: f"NotoSansSC-{style}",
        16: FAMILY,
        17: style,
    }
    table.names = []
    for key, value in sorted(names.items()):
        table.setName(value, key, 3, 1, 0x409)
    font["OS/2"].usWeightClass = weight
    bold = style == "Bold"
    font["OS/2"].fsSelection = (font["OS/2"].fsSelection & ~0x61) | (0x20 if bold else 0x40)
    font["head"].macStyle = 1 if bold else 0


def cut(source: Path, style: str, weight: int) -> TTFont:
    """One static weight of the variable font, with the wanted characters only."""
    font = TTFont(source, recalcTimestamp=False)
    font = instancer.instantiateVariableFont(font, {"wght": weight}, inplace=True)
    options = Options()
    options.layout_features = FEATURES
    options.hinting = False
    options.glyph_names = False
    options.notdef_outline = True
    options.name_IDs = ["*"]
    options.name_languages = ["*"]
    options.drop_tables += ["STAT", "vhea", "vmtx", "VORG", "BASE"]
    subsetter = Subsetter(options)
    subsetter.populate(unicodes=wanted_codepoints())
    subsetter.subset(font)
    rename(font, style, weight)
    return font


def proportional_advances(font: TTFont) -> dict[str, int]:
    """Advance of each character of PROPORTIONAL once `palt` is on."""
    cmap, table = font.getBestCmap(), font["GPOS"].table
    lookups = {
        index
        for record in table.FeatureList.FeatureRecord
        if record.FeatureTag == "palt"
        for index in record.Feature.LookupListIndex
    }
    advances = {char: font["hmtx"][cmap[ord(char)]][0] for char in PROPORTIONAL if ord(char) in cmap}
    for index in lookups:
        for entry in table.LookupList.Lookup[index].SubTable:
            sub = getattr(entry, "ExtSubTable", entry)
            values = sub.Value if isinstance(sub.Value, list) else [sub.Value] * len(sub.Coverage.glyphs)
            change = dict(zip(sub.Coverage.glyphs, values, strict=True))
            for char in advances:
                advances[char] += getattr(change.get(cmap[ord(char)]), "XAdvance", 0) or 0
    return advances


def coverage(fonts: dict[str, TTFont]) -> dict:
    """Character ranges, and the advance (thousandths of an em) of every character that is not 1000 wide."""
    points = sorted(set.intersection(*(set(font.getBestCmap()) for font in fonts.values())))
    ranges: list[list[int]] = []
    for point in points:
        if ranges and ranges[-1][1] == point - 1:
            ranges[-1][1] = point
        else:
            ranges.append([point, point])
    advances = {
        style: {chr(point): width for point in points if (width := font["hmtx"][font.getBestCmap()[point]][0]) != 1000}
        for style, font in fonts.items()
    }
    palt = {style: proportional_advances(font) for style, font in fonts.items()}
    return {"family": FAMILY, "ranges": ranges, "advances": advances, "palt": palt}


def main(source: Path, folder: Path) -> None:
    fonts = {}
    for style, weight in WEIGHTS.items():
        font = cut(source, style, weight)
        path = folder / f"NotoSansSC-{style}.ttf"
        font.save(path, reorderTables=True)
        fonts[style] = TTFont(path)
        print(f"{path.name}: {path.stat().st_size / 1e6:.2f} MB")
    text = json.dumps(coverage(fonts), ensure_ascii=False, separators=(",", ":"), sort_keys=True)
    (folder / "coverage.json").write_text(text + "\n", encoding="utf-8", newline="\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(__file__).parent)
