"""Put the sample brand together: draw everything, write the raw files, and say what is true."""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from planlib.core.errors import InputError, Problem
from planlib.core.guards import Guard
from planlib.core.streams import stream
from planlib.data.sample import activity, journeys, media, people, public, reach, sheets, shop, trials, wecom
from planlib.data.sample.brand import Brand, load_brand
from planlib.data.sample.encode import column
from planlib.data.sample.orders import Orders, make_orders
from planlib.data.sample.raw import Raw
from planlib.data.store import RAW, SAMPLE, is_sample

TRUTH = "truth.json"
MARK_TEXT = "示例数据：虚构品牌，非真实客户。 / Sample data: an invented brand, no real customers.\n"
MOST_CUSTOMERS = 5_000_000
OWN_KINDS = {"chat": 0.55, "like": 0.25, "browse": 0.20}  # of interactions that are no carts
OWN_PLACES = {"chat": "wecom_chat", "like": "moments_feed", "browse": "mini_program", "cart": "mini_program"}
CART_BEFORE_ORDER_DAYS = 0.004
ORGANIC_DAYS = 30


@dataclass(frozen=True, slots=True)
class Made:
    """What was written.

    Attributes:
        root: the data folder.
        files, size_bytes: of the raw files.
        counts: rows by kind.
    """

    root: Path
    files: int
    size_bytes: int
    counts: dict[str, int]


def ensure_sample(root: str | Path, *, customers: int, seed: int) -> Path:
    """Return a data folder of the sample brand, written when it is not there yet or is another one."""
    try:
        truth = json.loads((Path(root) / TRUTH).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        truth = {}
    if (truth.get("customers"), truth.get("seed")) != (customers, seed):
        write_sample(root, customers=customers, seed=seed)
    return Path(root)


def write_sample(root: str | Path, *, customers: int, seed: int) -> Made:
    """Write the sample brand into a folder of its own, whole or not at all.

    Args:
        root: data folder, made or replaced; raw files go to root/raw, the truth to root/truth.json.
        customers: how many contacts the brand ever had, from 1.
        seed: whole number from 0; the same gives the same bytes.

    Raises:
        InputError: a figure is out of range, or the folder holds something else than a sample brand.
    """
    guard = Guard()
    n = guard.whole("customers", customers, low=1, high=MOST_CUSTOMERS)
    number = guard.whole("seed", seed, low=0)
    folder = Path(root)
    if folder.exists() and not is_sample(folder) and (not folder.is_dir() or any(folder.iterdir())):
        guard.problems.append(Problem("sample_folder", field="out", given=folder.as_posix()))
    guard.done()
    part = folder.with_name(folder.name + ".part")
    shutil.rmtree(part, ignore_errors=True)
    try:
        part.mkdir(parents=True)
        truth = _write(part, n, number)
        (part / TRUTH).write_text(
            json.dumps(truth, ensure_ascii=False, indent=1, sort_keys=True) + "\n", encoding="utf-8", newline="\n"
        )
        (part / SAMPLE).write_text(MARK_TEXT, encoding="utf-8", newline="\n")
        if folder.exists():
            shutil.rmtree(folder)
        os.replace(part, folder)
    except OSError as error:
        raise InputError(
            Problem(
                "sample_write", field="out", given=folder.as_posix(), values={"reason": error.strerror or str(error)}
            )
        ) from None
    finally:
        shutil.rmtree(part, ignore_errors=True)
    sizes = [path.stat().st_size for path in (folder / RAW).rglob("*") if path.is_file()]
    return Made(folder, len(sizes), sum(sizes), truth["counts"])


def _write(root: Path, n: int, seed: int) -> dict[str, Any]:
    brand = load_brand()
    raw = Raw(root, brand)
    plan = media.plan_media(brand, n - people.opening_count(brand, n), seed)
    folk = people.make_people(brand, n, plan, seed)
    bought = make_orders(brand, folk, seed)
    messages = reach.make_messages(brand, folk, seed)
    walks = journeys.walk(brand, bought, seed)
    before, last_channel = journeys.converting(folk, bought, walks, seed)
    carts = _carts(folk, bought, seed)
    inviter, invited_at = reach.make_invitations(brand, folk, seed)
    seen = bought.paid & np.append(folk.unionid_known, False)[bought.customer]
    happened = activity.Happened.of(
        np.concatenate([bought.customer[seen], before.customer, carts[0], messages.opened_customer, inviter]),
        np.concatenate([bought.at[seen], before.at, carts[1], messages.opened_at, invited_at]),
        brand.days,
    )
    own = activity.make_activity(brand, folk, happened, seed)
    begin = np.maximum(np.floor(own.at), folk.joined[own.customer])
    after = journeys.leaving(walks, own.customer, own.at, begin, seed)
    kinds, cart_rate = _own_kinds(brand, len(own.at), len(carts[0]), seed)
    touches = _touches(brand, own, kinds, (before, after), carts, messages, (inviter, invited_at))
    experiments = trials.make_trials(brand, folk, seed)
    groups = reach.make_groups(brand, folk, seed)

    wecom.write_contacts(raw, brand, folk, seed)
    daily = wecom.write_staff(raw, brand, folk, seed)
    speaking = wecom.write_groups(raw, brand, folk, groups, seed)
    wecom.write_messages(raw, brand, folk, messages, seed)
    wecom.write_moments(raw, brand, folk, own, np.flatnonzero(kinds == list(OWN_PLACES).index("like")))
    wecom.write_links(raw, brand, folk, (own.kind != activity.SILENT).astype(np.int64), seed)
    account = public.write_account(raw, brand, n, seed)
    program = public.write_program(raw, brand, n, seed)
    sold = shop.Shop(brand, folk, bought, last_channel, seed)
    shop.write_orders(raw, brand, sold)
    shop.write_compass(raw, brand, sold, seed)
    shop.write_bills(raw, brand, sold)
    sheets.write_touches(raw, brand, folk, touches)
    sheets.write_channels(raw, brand, folk)
    costs = sheets.write_costs(raw, brand, plan)
    consent = sheets.write_consent(raw, brand, folk, seed)
    sheets.write_trials(raw, brand, folk, experiments)
    audits = sheets.write_audits(raw, brand, folk, seed)
    sheets.write_scrm(raw, brand, folk, daily, seed)

    last = plan.expected[-ORGANIC_DAYS:].sum(axis=0)
    free = np.array(["cac" not in c for c in brand.tree["channels"]])
    figures = brand.figures
    levels = {
        **own.truth,
        **bought.truth,
        **account,
        **program,
        **audits,
        **consent,
        "churn_rate": figures["churn_rate"],
        "message_open_rate": figures["message_open_rate"],
        "cart_abandonment_rate": cart_rate,
        "community_speaking_rate": speaking,
        "organic_share": float(last[free].sum() / last.sum()) if last.sum() else None,
        "tag_coverage": figures["tag_coverage"],
        "identified_share": figures["identified_share"] * (1 - figures["wecom_contact_share"]),
        "confirm_rate": figures["confirm_rate"],
        "link_add_rate": figures["link_add_rate"],
        "guest_order_share": figures["guest_order_share"],
    }
    by_store = levels.pop("sop_rate_by_store")
    start, follow, convert = journeys.chain(brand)
    names = [c["id"] for c in brand.tree["channels"]]
    return {
        "schema": 1,
        "sample": True,
        "customers": n,
        "seed": seed,
        "first_day": str(brand.first_day),
        "last_day": str(brand.last_day),
        "planted": {name: {"value": _plain(value), **_meaning(brand, name)} for name, value in sorted(levels.items())},
        "segments": {s["id"]: {"name": s["name"], "share": s["share"], "churn_rate_month": folk.churn[i],
                               "buys_share": float(bought.buys[i])}
                     for i, s in enumerate(brand.tree["segments"])},
        "channels": {"curves": plan.curves, "spend_cny": costs["by_channel_cny"],
                     "curve": "ceiling * x**shape / (x**shape + half_spend_cny**shape), "
                              "x = carry_over * x_before + (1 - carry_over) * spend, "
                              "customers and CNY a week of seven days",
                     "expected_customers": {name: float(total) for name, total in zip(names,
                     plan.expected.sum(axis=0), strict=True)}},
        "journeys": {"conversion_rate": journeys.conversion(start, follow, convert), "channels": names,
                     "removal_effect": dict(zip(names, journeys.removal_effects(start, follow, convert).tolist(),
                     strict=True)),
                     "start": start.tolist(), "follow": follow.tolist(), "convert": convert.tolist()},
        "experiments": {trial.spec["id"]: {"arms": trial.spec["arms"], **trial.truth} for trial in experiments},
        "communities": {"owner_in_decay": folk.staff_ids[brand.tree["decay"]["staff"]].decode(),
                        "quieter_from": str(brand.day(brand.tree["decay"]["quieter_from"])),
                        "exits_from": str(brand.day(brand.tree["decay"]["exits_from"])),
                        "exit_rate_month": figures["group_exit_rate"],
                        "speaking_rate_elsewhere": figures["speaking_rate"]},
        "stores": {"sop_compliance_rate": by_store},
        "purchases": {"first_order_wait_days": figures["first_order_wait"]},
        "cycles": {brand.tree["refill"]["product"]["id"]: {
            "cycle_days": brand.tree["refill"]["cycle_days"], "spread_between_people": brand.tree["refill"]["between"],
            "spread_between_gaps": brand.tree["refill"]["within"], "orders": int((bought.refiller >= 0).sum()),
            "buyers": int(bought.refiller.max(initial=-1)) + 1}},
        "faults": _faults(brand, folk, raw, touches),
        "counts": {"customers": n, "listed": int(folk.listed(brand.days).sum()), "orders": len(bought),
                   "paid_orders": int(bought.paid.sum()), "refunds": int(np.isfinite(bought.refunded_at).sum()),
                   "touches": len(touches), "send_results": len(messages.status), "staff": len(folk.staff_ids),
                   "groups": len(groups.owner)},
    }  # fmt: skip


def _carts(folk: people.People, bought: Orders, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return (who, when) of the carts that became orders: a few minutes before each."""
    k = np.flatnonzero(bought.paid & (bought.customer >= 0))
    who, end = bought.customer[k], bought.at[k]
    room = np.minimum(CART_BEFORE_ORDER_DAYS, (end - np.maximum(folk.joined[who], 0.0)) / 2)
    return who, end - room * stream(seed, "carts").random(len(k))


def _own_kinds(brand: Brand, n: int, ordered: int, seed: int) -> tuple[np.ndarray, float | None]:
    """Return (n,) what customers' own interactions are, and the share of carts that are left expected of it."""
    wanted = brand.figures["cart_abandonment_rate"]
    part = min(1.0, ordered * wanted / (1 - wanted) / n) if n else 0.0
    rng = stream(seed, "kinds of interactions")
    shares = [(1 - part) * share for share in OWN_KINDS.values()]
    kinds = np.searchsorted(np.cumsum(shares), rng.random(n), side="right").astype(np.int8)
    return kinds, (part * n / (part * n + ordered) if ordered else None)


def _touches(
    brand: Brand,
    own: activity.Activity,
    kinds: np.ndarray,
    visits: tuple[journeys.Journeys, journeys.Journeys],
    carts: tuple[np.ndarray, np.ndarray],
    messages: reach.Messages,
    invited: tuple[np.ndarray, np.ndarray],
) -> sheets.Touches:
    """Bring everything that customers did together."""
    names = [c["id"] for c in brand.tree["channels"]]
    channels = [*names, *brand.tree["touchpoints"]]
    words = [*OWN_PLACES, "visit", "open", "invite"]
    campaigns = ["", *(wecom.message_id(m) for m in range(len(messages.created)))]
    place = np.array([channels.index(where) for where in OWN_PLACES.values()])
    parts = [(own.customer, own.at, place[kinds], kinds, 0)]
    parts += [(v.customer, v.at, v.channel, words.index("visit"), v.journey + len(campaigns)) for v in visits]
    parts += [
        (carts[0], carts[1], channels.index("mini_program"), words.index("cart"), 0),
        (
            messages.opened_customer,
            messages.opened_at,
            channels.index("wecom_chat"),
            words.index("open"),
            messages.opened_message + 1,
        ),
        (invited[0], invited[1], names.index("referral"), words.index("invite"), 0),
    ]

    def joined(which: int, dtype: type) -> np.ndarray:
        return np.concatenate([np.broadcast_to(part[which], part[0].shape).astype(dtype) for part in parts])

    return sheets.Touches(
        customer=joined(0, np.int32),
        at=joined(1, np.float64),
        channel=joined(2, np.int8),
        kind=joined(3, np.int8),
        campaign=joined(4, np.int32),
        channels=column(channels),
        kinds=column(words),
        campaigns=column(campaigns),
    )


def _faults(brand: Brand, folk: people.People, raw: Raw, touches: sheets.Touches) -> dict[str, Any]:
    faults = brand.tree["faults"]
    first, end = list(raw.weeks())[sheets.DUPLICATES_IN]
    inside = int(((touches.at >= first) & (touches.at < end)).sum())
    late = sum(f"{brand.day(begin):%Y-%m}" == faults["late_month"] for begin, _ in raw.weeks())
    return {
        "duplicate_rows": {"touches": min(faults["duplicate_touches"], inside)},
        "missing_day": {"mp_daily": str(faults["missing_day"])},
        "late": {"group_daily": {"month": faults["late_month"], "days": faults["late_days"], "files": late}},
        "zeros_put_right": {
            "staff_daily": {"day": str(faults["zero_then_right"]), "staff_id": folk.staff_ids[0].decode()}
        },
    }


def _plain(value: float | None) -> float | None:
    return None if value is None else float(value)


_UNITS = {"aov": "CNY", "bgnbd_r": "number", "bgnbd_alpha": "days", "bgnbd_a": "number", "bgnbd_b": "number",
          "gamma_p": "number",
          "gamma_q": "number", "gamma_v": "CNY", "wake_per_day": "per_day"}  # fmt: skip


def _meaning(brand: Brand, name: str) -> dict[str, str]:
    """Return unit and source of a planted level; what follows from others has no source of its own."""
    unit, source = brand.sources.get(name, (_UNITS.get(name, "ratio"), "derived"))
    return {"unit": unit, "source": source}
