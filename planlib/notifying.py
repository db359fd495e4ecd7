"""What a group hears of a run: plan, day, how it ended, the least likely targets, what changed, open alerts, the decks.

The message is made of the run's results in the reader's language. Whatever goes wrong with sending is one line on the
screen; the run and its exit status are not touched by it.
"""

from __future__ import annotations

import datetime as dt
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from planlib.core import results as res
from planlib.core.errors import InputError, Problem
from planlib.core.words import Words
from planlib.exchange.robot import LIMITS_BYTES, Reply, Robot, cut, robot_of
from planlib.plan import Plan
from planlib.portfolio import Facts, facts_of
from planlib.report.deck_pages import CHANGES
from planlib.workbook.outcome import RunOutcome
from planlib.workbook.remains import read_manifest

MOST_TARGETS, MOST_CHANGES, MOST_ALERTS = 5, 3, 3
LEAST_MOVE = 0.01  # of a chance that is told

Write = Callable[[str], None]


class Notifier:
    """Who hears of the runs of one command.

    Args:
        w: the language.
        write: takes what came of sending, a line for each plan.
        complain: takes what is wrong with keys and addresses.
        asked: tell the groups of all plans, not only of those that say always.
        environment: as `os.environ`.
    """

    def __init__(
        self, w: Words, *, write: Write, complain: Write, asked: bool, environment: Mapping[str, str] = os.environ
    ):
        self.w = w
        self.write = write
        self.complain = complain
        self.asked = asked
        self.environment = environment
        self.robots: dict[str, Robot] = {}

    def before(self, *plans: Plan) -> None:
        """Look for the robots of plans; everything that is wrong is said at once, and stops no run."""
        problems: list[Problem] = []
        for plan in plans:
            webhook = plan.report.webhook
            if not self.asked and (webhook is None or webhook.when != "always"):
                continue
            try:
                if webhook is None:
                    raise InputError(Problem("webhook_none", file=plan.file, field="report.webhook"))
                self.robots[plan.id] = robot_of(webhook.key_env, webhook.address, self.environment)
            except InputError as error:
                problems += error.problems
        if problems:
            self.complain(InputError(*problems).render(self.w.locale))

    def after(self, plan: Plan, ending: RunOutcome | Exception, decks: Sequence[Path]) -> None:
        """Tell the plan's group, if it has one that is to hear; whatever goes wrong is one line."""
        robot = self.robots.get(plan.id)
        if robot is None:
            return
        try:
            lines = message(plan, ending, self.w)
        except InputError as error:  # results that cannot be read are told where they were made
            lines = _no_run(plan, self.w)
            self.write(error.render(self.w.locale))
        tell(plan, robot, lines, decks, self.w, self.write)


def tell(plan: Plan, robot: Robot, lines: Sequence[str], decks: Sequence[Path], w: Words, write: Write) -> bool:
    """Send a message and files to the plan's group; write one line that says what came of it.

    Args:
        lines: of the message; what is too long is cut behind a whole line.
        decks: PDF files.

    Returns:
        Whether everything was taken.
    """
    form = plan.report.webhook.form
    shown = [_plain(line) if form == "text" else line for line in lines]
    text = cut(shown, LIMITS_BYTES[form], lambda n: w.text("notify.message.cut", lines=n))
    name = w.pick(plan.title)
    first = robot.say(text, form=form)
    if not first.ok:
        write(w.text("notify.not_sent", plan=name, reason=_reason(first, w)))
        return False
    told, well = [w.text("notify.part_text")], True
    for deck in decks:
        try:
            reply = robot.hand_over(deck.name, deck.read_bytes())
            reason = _reason(reply, w)
        except OSError as error:
            reply, reason = Reply("unreachable"), type(error).__name__
        well &= reply.ok
        part = {"name": deck.name} if reply.ok else {"name": deck.name, "reason": reason}
        told.append(w.text("notify.part_file" if reply.ok else "notify.part_failed", **part))
    write(w.text("notify.sent", plan=name, parts=w.text("notify.comma").join(told).rstrip(".。")))
    return well


def message(plan: Plan, outcome: RunOutcome | Exception, w: Words) -> list[str]:
    """Return the lines that say how a run ended and what it found; Markdown that reads as plain text too."""
    name = w.pick(plan.title)
    if not isinstance(outcome, RunOutcome):
        return _no_run(plan, w)
    if not outcome.ok:
        return [f"**{w.text('notify.message.failed', plan=name)}**", *_failures(outcome, w)]
    facts = facts_of(outcome.run_dir)
    day = w.date(_day(facts.as_of))
    head = w.text(f"notify.message.{'reused' if outcome.reused else 'done'}", plan=name, as_of=day)
    parts = [_targets(facts, w), _changes(facts, w), _alerts(facts, w)]
    return [f"**{head}**", *(line for part in parts for line in part)]


def _no_run(plan: Plan, w: Words) -> list[str]:
    return [f"**{w.text('notify.message.failed', plan=w.pick(plan.title))}**"]


def _failures(outcome: RunOutcome, w: Words) -> Iterator[str]:
    for step in outcome.steps:
        if step.error is not None:  # the reason's name only: what a notebook printed stays on this machine
            yield "> " + w.text("notify.message.failed_notebook", notebook=step.notebook, reason=step.error.reason)


def _targets(facts: Facts, w: Words) -> Iterator[str]:
    measured = [goal for goal in facts.goals if goal.probability is not None]
    yield w.text("notify.message.targets" if measured else "notify.message.targets_none")
    for goal in measured[:MOST_TARGETS]:
        told = {"forecast": w.number(goal.forecast, goal.unit), "chance": w.number(goal.probability, "probability")}
        yield "> " + w.text("notify.message.target", target=w.pick(goal.name), **told)


def _changes(facts: Facts, w: Words) -> Iterator[str]:
    """Yield what changed: what a review recorded, else chances against the run before."""
    recorded = facts.run_dir / CHANGES / "results.json"
    if recorded.is_file():
        rows = res.read_table(recorded.parent, "changes")
        yield w.text("notify.message.changed")
        for row in rows[:MOST_CHANGES]:
            what, before, now = (row[f"{part}_{w.locale}"] for part in ("what", "before", "now"))
            yield "> " + w.text("notify.message.recorded", what=what, before=before or "—", now=now or "—")
        return
    before = _run_before(facts.run_dir)
    if before is None:
        yield w.text("notify.message.first_run")
        return
    old = {goal.name["zh"]: goal.probability for goal in facts_of(before).goals}
    moved = [
        (goal, old[goal.name["zh"]])
        for goal in facts.goals
        if goal.probability is not None and old.get(goal.name["zh"]) is not None
    ]
    moved = [(goal, was) for goal, was in moved if abs(goal.probability - was) >= LEAST_MOVE]
    if not moved:
        yield w.text("notify.message.changed_nothing")
        return
    yield w.text("notify.message.changed")
    for goal, was in sorted(moved, key=lambda pair: -abs(pair[0].probability - pair[1]))[:MOST_CHANGES]:
        told = {"before": w.number(was, "probability"), "after": w.number(goal.probability, "probability")}
        yield "> " + w.text("notify.message.change", target=w.pick(goal.name), **told)


def _run_before(run_dir: Path) -> Path | None:
    """Return the whole run of the plan that came before a run."""
    runs = sorted(path for path in run_dir.parent.glob("2*/") if path.name < run_dir.name and read_manifest(path))
    return next((path for path in reversed(runs) if any(path.glob("*/results.json"))), None)


def _alerts(facts: Facts, w: Words) -> Iterator[str]:
    if facts.alerts is None:
        return
    if not facts.alerts:
        yield w.text("notify.message.alerts_none")
        return
    yield w.text("notify.message.alerts", count=w.number(len(facts.alerts), "count"))
    for row in facts.alerts[:MOST_ALERTS]:
        told: dict[str, Any] = {part: w.text(f"review.{part}.{row[part]}") for part in ("series", "direction")}
        yield "> " + w.text("notify.message.alert", raised=w.date(_day(row["raised"])), **told)


def _plain(line: str) -> str:
    return line.removeprefix("> ").replace("**", "")


def _reason(reply: Reply, w: Words) -> str:
    key = f"notify.reply.{reply.code}"
    return "" if reply.ok else w.text(key, **{name: reply.values.get(name, "—") for name in w.placeholders(key)})


def _day(text: str) -> dt.date:
    return dt.date.fromisoformat(text[:10])
