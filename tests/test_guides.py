"""The guides by role: commands, options and links exist, both languages show the same, pictures are small."""

import re
import shlex
from pathlib import Path

import pytest
import typer

from planlib import cli

FOLDER = Path(__file__).parents[1] / "docs" / "guides"
COMMANDS = typer.main.get_command(cli.app).commands
ENGLISH = sorted(path.name for path in FOLDER.glob("*.md") if not path.name.endswith(".zh.md"))
MOST_BYTES = 150_000


def commands_in(text: str) -> list[list[str]]:
    """Return the words of each `planlib …` in a text."""
    return [shlex.split(found)[1:] for found in re.findall(r"`(planlib [^`]+)`", " ".join(text.split()))]


def chinese(name: str) -> str:
    return name.removesuffix(".md") + ".zh.md"


@pytest.mark.parametrize("name", [*ENGLISH, *map(chinese, ENGLISH)])
def test_commands_and_links_of_a_guide_exist(name):
    text = (FOLDER / name).read_text(encoding="utf-8")
    for command, *arguments in commands_in(text):
        known = {opt for parameter in COMMANDS[command].params for opt in parameter.opts}
        assert {word for word in arguments if word.startswith("--")} <= known, (command, arguments)
        for word in arguments:
            if word.startswith("params/") and "my_brand" not in word:
                assert (FOLDER.parents[1] / word).is_file(), word
    for target in re.findall(r"\]\(([^)#]+)\)", text):
        assert (FOLDER / target).exists(), target


@pytest.mark.parametrize("name", ENGLISH)
def test_both_languages_name_the_same_commands_and_pictures(name):
    en, zh = ((FOLDER / file).read_text(encoding="utf-8") for file in (name, chinese(name)))
    assert [words[0] for words in commands_in(en)] == [words[0] for words in commands_in(zh)]
    pictures = [re.findall(r"images/(\w+)\.(?:en|zh)\.png", text) for text in (en, zh)]
    assert pictures[0] == pictures[1]


def test_pictures_are_small_and_used():
    used = set(re.findall(r"images/[\w.]+\.png", "".join(p.read_text(encoding="utf-8") for p in FOLDER.glob("*.md"))))
    for path in FOLDER.glob("images/*.png"):
        assert path.stat().st_size < MOST_BYTES and f"images/{path.name}" in used, path.name
