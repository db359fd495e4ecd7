"""What is planted is found again by counting in the raw files, within Monte Carlo error."""

from itertools import pairwise

import numpy as np
import pytest

from planlib.data.sample import write_sample
from tests.data.sample.raw_files import RawFiles


def standard_error(rate: float, n: int) -> float:
    return max(rate * (1 - rate) / n, 1e-12) ** 0.5


def counted(raw: RawFiles) -> dict[str, tuple[float, int]]:
    """Return metric -> (share, of how many), counted by hand in the raw files."""
    p, end = raw.people, raw.days
    born, new = np.floor(p.joined), p.joined >= 0
    listed = p.listed(end)
    silent = ~p.within(end - 90, end - 1) & (p.joined < end - 90)
    slept = listed & ~p.within(end - 120, end - 31) & (p.joined < end - 120)
    late_start = new & (born + 10 <= end) & ~p.within(born, born + 2)
    found = {
        "mau_rate": (p.within(end - 30, end - 1), listed),
        "dormant_share": (silent, listed),
        "reactivation_rate": (p.within(end - 30, end - 1), slept),
        "retention_d7": (p.within(born + 7, born + 13), new & (born + 14 <= end)),
        "retention_m1": (p.within(born + 30, born + 36), new & (born + 37 <= end)),
        "retention_d90": (p.within(born + 90, born + 96), new & (born + 97 <= end)),
        "first_interaction_rate": (p.within(born, born + 6), new & (born + 7 <= end)),
        "activation_rate": (p.within(born + 3, born + 9), late_start),
        "conversion_rate": (p.first_order - p.joined < 30, new & (born + 31 <= end)),
        "first_purchase_rate": (p.first_order - p.joined < 90, new & (born + 91 <= end)),
        "repurchase_rate": (p.orders > 1, new & np.isfinite(p.first_order)),
        "identified_share": (
            np.array([bool(raw.contacts[i]["unionid"]) for i in p.ids]),
            np.ones(len(p.ids), dtype=bool),
        ),
        "tag_coverage": (np.array([bool(raw.contacts[i]["tags"]) for i in p.ids]), np.ones(len(p.ids), dtype=bool)),
    }
    return {name: (float(hit[of].mean()), int(of.sum())) for name, (hit, of) in found.items()} | aggregates(raw)


def aggregates(raw: RawFiles) -> dict[str, tuple[float, int]]:
    """Return what is told by counts and not by persons."""
    p = raw.people
    ends = np.cumsum([3, 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31])
    there = [p.listed(a) for a in ends[:-1]]
    gone = [(was & ~p.listed(b)).sum() for was, b in zip(there, ends[1:], strict=True)]
    results = [r for _, a in raw.answers("wecom_send_results.*") for r in a["send_list"]]
    opens = {(t["person_id"], t["campaign_id"]) for t in raw.touches if t["touch_type"] == "open"}
    delivered = sum(r["status"] == 1 for r in results)
    tasks = [t for _, a in raw.answers("wecom_send_tasks.*") for t in a["task_list"]]
    carts = [t for t in raw.touches if t["touch_type"] == "cart"]
    paid = [o for o in raw.orders if "pay_time" in o["order_detail"]["pay_info"]]
    retained = [
        {e["key"]: e["value"] for e in a["visit_uv_new"]}
        for _, a in raw.answers("mp_answers.jsonl")
        if "visit_uv_new" in a
    ]
    clicks = [a for _, a in raw.answers("wecom_acq_statistic.jsonl")]
    audits = raw.sheet("audits.csv")
    shares = {
        "churn_rate": (int(sum(gone)), int(sum(w.sum() for w in there))),
        "message_open_rate": (len(opens), delivered),
        "confirm_rate": (sum(t["status"] == 2 for t in tasks), len(tasks)),
        "link_add_rate": (sum(a["new_customer_cnt"] for a in clicks),
        sum(a["click_link_customer_cnt"] for a in clicks)),
        "refund_share": (len([o for o in paid if o["aftersale_detail"]["aftersale_order_list"]]), len(paid)),
        **{f"mp_retention_d{k}": (sum(r[k] for r in retained if k in r),
        sum(r[0] for r in retained if k in r)) for k in (1, 7, 30)},
        **{name: (sum(int(a["correct"]) for a in audits if a["audit_kind"] == kind),
        sum(a["audit_kind"] == kind for a in audits))
           for name, kind in (("tag_accuracy", "tag"), ("identification_accuracy", "identity"),
                              ("sop_compliance_rate", "sop"))},
    }  # fmt: skip
    consent = raw.sheet("consent.csv")
    shares["consent_share"] = (sum(c["consent_status"] == "granted" for c in consent), len(consent))
    shares["do_not_contact_share"] = (sum(c["do_not_contact"] == "1" for c in consent), len(consent))
    shares["cart_abandonment_rate"] = (len(carts) - orders_of_contacts(raw), len(carts))
    shares["guest_order_share"] = (len(paid) - orders_of_contacts(raw), len(paid))
    return {name: (hits / n, n) for name, (hits, n) in shares.items()}


def orders_of_contacts(raw: RawFiles) -> int:
    """Return how many paid orders contacts made: those that an employee shared."""
    details = [order["order_detail"] for order in raw.orders]
    return sum("sharer_info" in d and "pay_time" in d["pay_info"] for d in details)


def assert_near(raw: RawFiles, tolerance: float) -> None:
    for name, (rate, n) in counted(raw).items():
        truth = raw.truth["planted"][name]["value"]
        assert abs(rate - truth) <= tolerance * standard_error(truth, n), (name, rate, truth, n)


def test_planted_rates(raw):
    assert_near(raw, 4)


@pytest.mark.full
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_planted_rates_of_other_seeds(seed, tmp_path):
    write_sample(tmp_path / "sample", customers=8_000, seed=seed)
    assert_near(RawFiles(tmp_path / "sample"), 4)


def test_stated_levels_are_those_of_the_sector(raw):
    planted = {name: entry["value"] for name, entry in raw.truth["planted"].items()}
    stated = {"mau_rate": 0.30, "dormant_share": 0.60, "message_open_rate": 0.05, "conversion_rate": 0.08,
              "churn_rate": 0.08,
              "cart_abandonment_rate": 0.70, "aov": 200}  # fmt: skip
    assert {name: round(planted[name], 9) for name in stated} == stated


def test_churn_differs_by_segment(raw):
    """Counted over those with a tag, which says the segment; the frequency test adds a little to each."""
    p = raw.people
    ends = np.cumsum([3, 31, 28, 31, 30, 31, 30, 31, 31])  # up to the frequency test
    tags = np.array([(raw.contacts[i]["tags"] or [""])[0] for i in p.ids])
    ((_, dictionary),) = raw.answers("wecom_corp_tags.json")
    by_name = {tag["name"]: tag["id"] for tag in dictionary["tag_group"][0]["tag"]}
    for segment in raw.truth["segments"].values():
        those = tags == by_name[segment["name"]]
        seen = gone = 0
        for a, b in pairwise(ends):
            there = p.listed(a) & those
            seen, gone = seen + there.sum(), gone + (there & ~p.listed(b)).sum()
        truth = segment["churn_rate_month"]
        assert abs(gone / seen - truth) < 4 * standard_error(truth, seen)


def test_order_values_have_the_planted_mean(raw):
    planted = {name: entry["value"] for name, entry in raw.truth["planted"].items()}
    fen = np.array([o["order_detail"]["price_info"]["order_price"] for o in raw.orders])
    p, q, v = planted["gamma_p"], planted["gamma_q"], planted["gamma_v"]
    mean = p * v / (q - 1)
    variance = v**2 * (p * (p + 1) / ((q - 1) * (q - 2)) - (p / (q - 1)) ** 2)
    assert mean == pytest.approx(planted["aov"])
    # buyers with several orders make these hang together: a factor of two on the error is ample
    assert abs(fen.mean() / 100 - mean) < 4 * 2 * (variance / len(fen)) ** 0.5


def test_spend_brings_what_its_curve_says(raw):
    """Weekly joiners of each paid channel against Hill and carry-over written here once more."""
    curves = raw.truth["channels"]["curves"]
    states = {c["state"]: c["channel_id"] for c in raw.sheet("channels.csv")}
    costs = raw.sheet("costs_media_weekly.csv")
    joined = np.array([raw.contacts[i]["joined"] for i in raw.people.ids])
    channel = np.array([states[raw.contacts[i]["state"]] for i in raw.people.ids])
    for name, curve in curves.items():
        spend = [float(row["amount_yuan"]) for row in costs if row["channel_id"] == name]
        seen = np.bincount((joined[(channel == name) & (joined >= 0)] // 7).astype(int), minlength=53)[:52]
        level, expected = curve["spend_before_cny"], []
        for money in spend:
            level = curve["carry_over"] * level + (1 - curve["carry_over"]) * money
            powered = level ** curve["shape"]
            expected.append(curve["ceiling"] * powered / (powered + curve["half_spend_cny"] ** curve["shape"]))
        expected = np.array(expected)
        assert len(spend) == 52 and np.ptp(spend) > 0
        chi2 = ((seen - expected) ** 2 / expected).sum()
        # each term has mean 1 and variance 2 + 1 / expected
        assert abs(chi2 - 52) < 4 * (2 + 1 / expected).sum() ** 0.5, name


def test_journeys_follow_the_planted_chain(raw):
    truth = raw.truth["journeys"]
    names = truth["channels"]
    paths: dict[str, list[tuple[str, str]]] = {}
    for row in raw.touches:
        if row["touch_type"] == "visit":
            paths.setdefault(row["campaign_id"], []).append((row["at"], row["channel_id"]))
    visits = np.zeros(len(names))
    starts, moves = np.zeros(len(names)), np.zeros((len(names), len(names)))
    for path in paths.values():
        steps = [names.index(channel) for _, channel in sorted(path)]
        starts[steps[0]] += 1
        visits += np.bincount(steps, minlength=len(names))
        for a, b in pairwise(steps):
            moves[a, b] += 1
    start, follow = np.array(truth["start"]), np.array(truth["follow"])
    assert (np.abs(starts / starts.sum() - start) < 4 * np.sqrt(start * (1 - start) / starts.sum())).all()
    error = np.sqrt(follow * (1 - follow) / visits[:, None])
    # steps within one second of each other may change places: hence not 4 but 5, and a hair
    assert (np.abs(moves / visits[:, None] - follow) < 5 * error + 1e-3).all()
    converting = orders_of_contacts(raw) / len(paths)
    assert abs(converting - truth["conversion_rate"]) < 5 * standard_error(truth["conversion_rate"], len(paths))


def test_removal_effects_by_simulation(raw):
    """The exact effects against journeys walked here with each channel taken out."""
    truth = raw.truth["journeys"]
    start, follow, convert = (np.array(truth[name]) for name in ("start", "follow", "convert"))
    rng, n = np.random.default_rng(3), 40_000

    def converts(gone: int) -> float:
        state = rng.choice(len(start), n, p=start)
        won = 0
        while len(state):
            state = state[state != gone]
            onward = np.cumsum(np.hstack([follow[state], convert[state, None]]), axis=1)
            nxt = (rng.random(len(state))[:, None] >= onward).sum(axis=1)
            won += (nxt == len(start)).sum()
            state = nxt[nxt < len(start)]
        return won / n

    whole = converts(-1)
    for c, name in enumerate(truth["channels"]):
        assert 1 - converts(c) / whole == pytest.approx(truth["removal_effect"][name], abs=0.04)
