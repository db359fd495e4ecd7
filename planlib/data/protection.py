"""docs/data-protection.md and .zh.md, made from the tables' declarations: python -m planlib.data.protection"""

from __future__ import annotations

from pathlib import Path

from planlib.core.results import write_whole
from planlib.core.words import LOCALES, Words, words
from planlib.data.ids import DIGITS
from planlib.data.schema import LINEAGE, TABLES, Column, Table
from planlib.data.suppress import MINIMUM

PAGES = {"en": "data-protection.md", "zh": "data-protection.zh.md"}
_PLACES = ("raw", "tidy", "salt", "outputs", "log")


def page(locale: str) -> str:
    """Return the page in a language: places, rules, and every table with personal data, field by field."""
    w = words(locale)
    lines = [f"# {w.text('data.protection.title')}", "", w.text("data.protection.made"), ""]
    lines += [w.text("data.protection.intro", digits=DIGITS), "", f"## {w.text('data.protection.places')}", ""]
    lines += [f"- {w.text(f'data.protection.place_{place}')}" for place in _PLACES]
    lines += ["", f"## {w.text('data.protection.rules')}", ""]
    lines += [f"- {w.text('data.protection.rule_forget')}", f"- {w.text('data.protection.rule_purge')}"]
    lines += [f"- {w.text('data.protection.rule_small', minimum=MINIMUM)}"]
    lines += [f"- {w.text('data.protection.rule_consent')}", f"- {w.text('data.protection.rule_export')}"]
    lines += ["", f"## {w.text('data.protection.fields')}", ""]
    for table in TABLES.values():
        if table.personal:
            lines += _table(table, w)
    others = [f"`{t.name}`: {w.text(f'data.tables.{t.name}')}" for t in TABLES.values() if not t.personal]
    lines += [f"## {w.text('data.protection.others')}", "", *(f"- {other}" for other in others)]
    return "\n".join(lines) + "\n"


def _table(table: Table, w: Words) -> list[str]:
    months = table.months_kept
    kept = w.text("data.protection.months", months=months) if months else w.text("data.protection.current")
    heads = (w.text("data.protection.field"), w.text("data.protection.meaning"), w.text("data.protection.class"))
    return [
        f"### {table.name}",
        "",
        f"- {w.text('data.protection.purpose')}: {w.text(f'data.tables.{table.name}')}",
        f"- {w.text('data.protection.retention')}: {kept}",
        "",
        f"| {' | '.join(heads)} |",
        "| - | - | - |",
        *(
            f"| `{c.name}` | {w.text(f'data.fields.{c.name}')} | {w.text(f'data.protection.{_class(c)}')} |"
            for c in table.columns
            if c.name not in LINEAGE
        ),
        "",
    ]


def _class(column: Column) -> str:
    if not column.kind.personal:
        return "beside"
    return "hash" if column.name.endswith(_HASHED) else "personal"


_HASHED = ("_hid", "_id", "creator", "invitor", "owner")


def write(docs: str | Path = "docs") -> None:
    """Write the pages of both languages."""
    for locale in LOCALES:
        write_whole(Path(docs) / PAGES[locale], page(locale))


if __name__ == "__main__":
    write()
