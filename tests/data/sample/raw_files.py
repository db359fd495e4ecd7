"""Read the sample brand's raw files without the loaders, and count in them."""

from __future__ import annotations

import csv
import datetime as dt
import json
import re
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path

import numpy as np

SHANGHAI = dt.timezone(dt.timedelta(hours=8))
IN_NAME = re.compile(r"\.([a-z_]+)=([\w-]+)")


class RawFiles:
    """One sample brand on disk."""

    def __init__(self, root: Path):
        self.root = root
        self.truth = json.loads((root / "truth.json").read_text(encoding="utf-8"))
        self.first = dt.date.fromisoformat(self.truth["first_day"])
        self.days = (dt.date.fromisoformat(self.truth["last_day"]) - self.first).days + 1

    def files(self, pattern: str) -> list[Path]:
        """Return raw files by name, in the order of their pulls."""
        return sorted(self.root.glob(f"raw/*/*/{pattern}"), key=lambda path: (path.parent.name, path.name))

    def answers(self, pattern: str) -> Iterator[tuple[dict, dict]]:
        """Yield (request, answer) of JSON files, requests from the line or the file's name."""
        for path in self.files(pattern):
            for line in path.read_text(encoding="utf-8").splitlines():
                found = json.loads(line)
                if set(found) == {"request", "response"}:
                    yield found["request"], found["response"]
                else:
                    yield dict(IN_NAME.findall(path.name)), found

    def sheet(self, pattern: str, encoding: str = "utf-8") -> list[dict[str, str]]:
        """Return the rows of sheets."""
        rows: list[dict[str, str]] = []
        for path in self.files(pattern):
            with open(path, encoding=encoding, newline="") as file:
                rows += csv.DictReader(file)
        return rows

    def day_of(self, seconds: float) -> float:
        """Return UNIX seconds as days of the period."""
        start = dt.datetime.combine(self.first, dt.time(), SHANGHAI).timestamp()
        return (seconds - start) / 86_400

    def moment(self, text: str) -> float:
        """Return a moment of a sheet as days of the period."""
        at = dt.datetime.fromisoformat(text) - dt.datetime.combine(self.first, dt.time())
        return at.total_seconds() / 86_400

    @cached_property
    def contacts(self) -> dict[str, dict]:
        """Every contact ever pulled: joined (days), unionid, edges {staff: joined}, channel, tags."""
        found: dict[str, dict] = {}
        for _, page in self.answers("wecom_contact_batch_*.jsonl"):
            for entry in page["external_contact_list"]:
                person, follow = entry["external_contact"], entry["follow_info"]
                one = found.setdefault(person["external_userid"], {"unionid": person.get("unionid"), "edges": {}})
                one["edges"][follow["userid"]] = self.day_of(follow["createtime"])
                if "state" in follow:
                    one |= {"state": follow["state"], "joined": self.day_of(follow["createtime"]),
                            "staff": follow["userid"],
                            "type": person["type"], "tags": follow["tag_id"]}  # fmt: skip
        return found

    @cached_property
    def removed(self) -> dict[str, float]:
        """When contacts left, in days, by the events."""
        return {e["ExternalUserID"]: self.day_of(e["CreateTime"]) for _, e in self.answers("wecom_contact_event.jsonl")}

    @cached_property
    def orders(self) -> list[dict]:
        """Every order."""
        return [answer["order"] for _, answer in self.answers("shop_order.jsonl")]

    @cached_property
    def touches(self) -> list[dict[str, str]]:
        """Every touch, rows that stand twice only once."""
        return list({tuple(row.values()): row for row in self.sheet("touches.csv")}.values())

    @cached_property
    def people(self) -> People:
        """Contacts as arrays."""
        return People(self)


class People:
    """Contacts as arrays, with what each did; times in days of the period."""

    def __init__(self, raw: RawFiles):
        self.ids = list(raw.contacts)
        place = {name: i for i, name in enumerate(self.ids)}
        self.joined = np.array([raw.contacts[name]["joined"] for name in self.ids])
        self.removed = np.array([raw.removed.get(name, np.inf) for name in self.ids])
        self.days = raw.days
        owner = {c["unionid"]: place[name] for name, c in raw.contacts.items() if c["unionid"]}
        acts = [(place[row["person_id"]], raw.moment(row["at"])) for row in raw.touches]
        self.first_order = np.full(len(self.ids), np.inf)
        self.orders = np.zeros(len(self.ids), dtype=int)
        for order in raw.orders:
            paid = order["order_detail"]["pay_info"].get("pay_time")
            if paid is None or order["unionid"] not in owner:
                continue
            who, at = owner[order["unionid"]], raw.day_of(paid)
            acts.append((who, at))
            self.first_order[who] = min(self.first_order[who], at)
            self.orders[who] += 1
        who, at = (np.array(column) for column in zip(*acts, strict=True))
        self.acted = np.zeros((len(self.ids), raw.days), dtype=bool)
        self.acted[who, np.floor(at).astype(int)] = True

    def within(self, first: np.ndarray | int, last: np.ndarray | int) -> np.ndarray:
        """Return who acted on a day from first to last."""
        day = np.arange(self.days)
        first, last = (np.broadcast_to(edge, len(self.ids))[:, None] for edge in (first, last))
        return (self.acted & (day >= first) & (day <= last)).any(axis=1)

    def listed(self, at: float) -> np.ndarray:
        """Return who is a friend at a moment."""
        return (self.joined < at) & (self.removed >= at)
