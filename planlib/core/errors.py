"""Bad input, told once and completely: file, field, given, allowed, how to fix."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass

MAX_SHOWN = 100


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong with an input.

    Args:
        code: names the sentences `errors.<code>.allowed` and `errors.<code>.fix` of the locale files.
        file: the file as the user named it; "" when the input came from code.
        field: dotted path inside the file, e.g. `targets[2].by_month`.
        line: line of the file, counted from 1.
        given: the value found there.
        values: placeholders of the two sentences.
    """

    code: str
    file: str = ""
    field: str = ""
    line: int | None = None
    given: object = None
    values: Mapping[str, object] = dataclasses.field(default_factory=dict)

    def render(self, locale: str = "en") -> str:
        """Return the problem as a block of up to four lines in the given language."""
        from planlib.core.words import words

        w = words(locale)
        where = self.file if self.line is None else f"{self.file}:{self.line}"
        head = ": ".join(_shown(part) for part in (where, self.field) if part) or w.text("errors.input")
        rows = [head]
        if self.given is not None:
            rows.append(f"  {w.text('errors.given')}{_shown(self.given)}")
        for part in ("allowed", "fix"):
            key = f"errors.{self.code}.{part}"
            values = {name: _shown(self.values[name], 1000) for name in w.placeholders(key)}
            rows.append(f"  {w.text(f'errors.{part}')}{w.text(key, **values)}")
        return "\n".join(rows)


class InputError(ValueError):
    """Every problem found in one input, raised together."""

    def __init__(self, *problems: Problem):
        if not problems:
            raise TypeError("InputError needs at least one Problem")
        super().__init__(*problems)
        self.problems = problems

    def render(self, locale: str = "en") -> str:
        """Return all problems in the given language, one block each; of very many only the first."""
        from planlib.core.words import words

        shown = [problem.render(locale) for problem in self.problems[:MAX_SHOWN]]
        more = len(self.problems) - len(shown)
        return "\n".join([*shown, words(locale).text("errors.more", count=more)] if more else shown)

    def __str__(self) -> str:
        return self.render("en")


def _shown(value: object, limit: int = 120) -> str:
    """Show a hostile or long value on one line."""
    if isinstance(value, bool):
        value = str(value).lower()
    text = f"{value:.12g}" if isinstance(value, float) else str(value)
    text = "".join(c if c.isprintable() else f"\\x{ord(c):02x}" for c in text[: limit + 1])
    return text if len(text) <= limit else f"{text[: limit - 1]}…"
