"""What a task waits for, as project programs write it: `platform_build`, `hiring SS+5d`, `consent FS+14ed`."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from planlib.plan.model import Task

MOST = 200  # ties of one task
LONGEST_DAYS = 10_000
_TIE = re.compile(
    r"(?P<task>[a-z][a-z0-9_-]{0,79})"
    r"(?:(?:\s*(?P<kind>FS|SS|FF|SF)|\s+(?P<low>fs|ss|ff|sf))"
    r"(?:\s*(?P<sign>[+-])\s*(?P<lag>[0-9]{1,5}(?:\.[0-9]{1,6})?)\s*(?P<unit>ed|edays?|d|days?|个工作日)?)?)?"
)


@dataclass(frozen=True, slots=True)
class Link:
    """A tie to another task.

    Args:
        task: id of what has to come before.
        kind: FS (it ends, then this begins), SS, FF or SF.
        lag: days between the two ends; below 0 they overlap.
        elapsed: the lag counts every day, else working days.
    """

    task: str
    kind: str = "FS"
    lag: float = 0.0
    elapsed: bool = False


@dataclass(frozen=True, slots=True)
class Wrong:
    """Something in the notation that cannot be taken: code of its problem, what was given, values of its words."""

    code: str
    given: str
    values: Mapping[str, object]


def parse_links(text: str) -> tuple[list[Link], list[Wrong]]:
    """Return the ties in a text, and what of it cannot be taken.

    >>> parse_links("platform_build, hiring SS+5d; consent FS + 14 ed")[0][1:]
    [Link(task='hiring', kind='SS', lag=5.0, elapsed=False), Link(task='consent', kind='FS', lag=14.0, elapsed=True)]
    """
    links: list[Link] = []
    wrong: list[Wrong] = []
    parts = re.split("[,;、]", unicodedata.normalize("NFKC", text))
    if len(parts) > MOST:
        return [], [Wrong("at_most", str(len(parts)), {"high": MOST})]
    for part in filter(None, (part.strip() for part in parts)):
        found = _TIE.fullmatch(part)
        if not found:
            wrong.append(Wrong("link_form", part, {}))
            continue
        lag = float(f"{found['sign'] or ''}{found['lag'] or 0}")
        if abs(lag) > LONGEST_DAYS:
            wrong.append(Wrong("out_of_range", part, {"low": -LONGEST_DAYS, "high": LONGEST_DAYS}))
        kind, unit = (found["kind"] or found["low"] or "FS").upper(), found["unit"] or "d"
        link = Link(found["task"], kind, lag or 0.0, lag != 0 and unit.startswith("e"))
        if any((other.task, other.kind) == (link.task, link.kind) for other in links):
            wrong.append(Wrong("link_twice", part, {}))
        links.append(link)
    return links, wrong


def links_text(links: Iterable[Link]) -> str:
    """Return ties as a text that `parse_links` reads.

    >>> links_text([Link("a"), Link("b", "SS", 5.0), Link("c", "FS", -2.5, True)])
    'a, b SS+5d, c FS-2.5ed'
    """
    return ", ".join(_shown(link) for link in links)


def _shown(link: Link) -> str:
    if link.kind == "FS" and link.lag == 0:
        return link.task
    lag = f"{link.lag:+.12g}{'ed' if link.elapsed else 'd'}" if link.lag else ""
    return f"{link.task} {link.kind}{lag}"


def links_of(task: Task) -> list[Link]:
    """Return the ties of a task of a plan."""
    tied = [Link(tie.task, tie.kind, tie.lag_days, tie.elapsed and tie.lag_days != 0) for tie in task.links]
    return [*map(Link, task.after), *tied]


def as_fields(links: Iterable[Link]) -> tuple[list[str], list[dict[str, object]]]:
    """Return ties as a plan states them: the plain ones by id (`after`), the others in full (`links`)."""
    after, tied = [], []
    for link in links:
        if link == Link(link.task):
            after.append(link.task)
        else:
            row: dict[str, object] = {"task": link.task, "kind": link.kind, "lag_days": link.lag}
            tied.append(row | {"elapsed": True} if link.elapsed else row)
    return after, tied
