"""The shipped fonts against what fontTools, Typst and matplotlib see in them."""

from __future__ import annotations

import json

import pytest
import typst
from fontTools.ttLib import TTFont

from planlib.report import typefaces


@pytest.fixture(scope="module")
def files() -> dict[str, TTFont]:
    return {path.stem.removeprefix("NotoSansSC-"): TTFont(path, lazy=True) for path in typefaces.paths()}


def test_names_and_weights(files):
    for weight, number in typefaces.WEIGHTS.items():
        font = files[weight]
        assert font["OS/2"].usWeightClass == number
        assert font["name"].getDebugName(16) == typefaces.FAMILY
        assert font["name"].getDebugName(17) == weight
        assert "fvar" not in font


def test_each_file_is_small_enough_and_the_licence_ships():
    for path in typefaces.paths():
        assert path.stat().st_size < 8.5e6
    assert "SIL OPEN FONT LICENSE" in (typefaces.FOLDER / "OFL.txt").read_text(encoding="utf-8").upper()


def test_coverage_file_says_what_the_fonts_hold(files):
    known = json.loads((typefaces.FOLDER / "coverage.json").read_text(encoding="utf-8"))
    listed = {point for low, high in known["ranges"] for point in range(low, high + 1)}
    for weight, font in files.items():
        cmap = font.getBestCmap()
        assert set(cmap) == listed
        widths = {chr(point): font["hmtx"][glyph][0] for point, glyph in cmap.items()}
        assert known["advances"][weight] == {char: width for char, width in widths.items() if width != 1000}


def test_every_gbk_character_is_there():
    pairs = (bytes([lead, trail]) for lead in range(0x81, 0xFF) for trail in range(0x40, 0xFF))
    gbk = "".join(pair.decode("gbk", errors="ignore") for pair in pairs)
    assert len(gbk) > 20_000
    assert set(typefaces.missing_glyphs(gbk)) <= {"\x7f", "≒"}  # a control character; not in the source font


@pytest.mark.parametrize("text", ["−+≥≤≈→←·…•–—“”‘’¥%℃№①◇◆○●×±", "镕喆珺玥堃翀", "Café Zürich"])
def test_signs_and_names(text):
    assert typefaces.missing_glyphs(text) == []


def test_missing_glyphs_are_named_once_in_order():
    assert typefaces.missing_glyphs("a🚀b\u200b🚀한\n") == ["🚀", "\u200b", "한"]


def test_width_is_the_sum_of_the_advances(files):
    font = files["Bold"]
    cmap = font.getBestCmap()
    text = "Forecast 92.9 m"
    expected = sum(font["hmtx"][cmap[ord(char)]][0] for char in text) / 1000 * 20
    assert typefaces.running_widths(text, 20, weight="Bold")[-1] == pytest.approx(expected)
    assert typefaces.running_widths("用户A1用", 10)[-1] == pytest.approx(30 + 2 * 2.5 + 10 * (0.608 + 0.555), abs=0.8)


def test_typst_finds_three_weights_of_one_family():
    found = typst.Fonts(
        include_system_fonts=False, include_embedded_fonts=False, font_paths=[str(typefaces.FOLDER)]
    ).fonts()
    assert sorted((font.family, font.weight) for font in found) == [(typefaces.FAMILY, w) for w in (400, 500, 700)]


def test_matplotlib_picks_the_right_file_for_each_weight():
    from matplotlib import font_manager

    typefaces.register_with_matplotlib()
    count = len(font_manager.fontManager.ttflist)
    typefaces.register_with_matplotlib()
    assert len(font_manager.fontManager.ttflist) == count
    for weight, number in typefaces.WEIGHTS.items():
        wanted = font_manager.FontProperties(family=typefaces.FAMILY, weight=number)
        found = font_manager.findfont(wanted, fallback_to_default=False)
        assert found == str(typefaces.FOLDER / f"NotoSansSC-{weight}.ttf")
