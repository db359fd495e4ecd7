"""The texts of features, labels, gaps and pushes against plain Python, row by row."""

import datetime as dt

import numpy as np
import pytest

from planlib.core.errors import InputError
from planlib.customers.scoring import build_features
from tests.data.small_brand import Brand, moment
from tests.data.tables import engine

MOMENT, WINDOW = 240, 30  # days since the first
BACK = {f"back_{days}": moment(MOMENT - days) for days in (7, 30, 90)}
PARAMETERS = {"moment": moment(MOMENT), "label_until": moment(MOMENT + WINDOW), "tag_group": "level", **BACK}


class Pushed(Brand):
    """The small brand with mass messages, tags and goods."""

    def __init__(self, seed):
        super().__init__(seed)
        rng = np.random.default_rng(seed)
        n = len(self.joined)
        self.sent = [np.sort(rng.uniform(max(j, 0), 365, rng.poisson(3))) for j in self.joined]
        self.status = [rng.choice([1, 1, 1, 3], len(s)) for s in self.sent]
        self.tag = rng.choice(["gold", "plain", ""], n)
        self.product = [rng.choice(["cream", "soap"], len(o)) for o in self.orders]
        self.back = [rng.random(len(o)) < 0.1 for o in self.orders]

    def tables(self):
        n = range(len(self.joined))
        tables = super().tables()
        for row in tables["orders"]:
            i, _, k = row["order_id"].partition("-")
            if k and self.back[int(i)][int(k)]:
                row["refund_yuan"] = row["order_yuan"]
        tables["orders"].append({"order_id": "guest", "created_at": moment(10), "paid_at": moment(10),
                                 "openid_hid": "og", "unionid_hid": "ug", "order_yuan": 5.0})  # fmt: skip
        tables["order_items"] = [
            {"order_id": f"{i}-{k}", "sku_id": "1", "product_id": name}
            for i in n
            for k, name in enumerate(self.product[i])
        ]
        tables["send_results"] = [
            {"msg_id": f"m{i}-{k}", "staff_id": "s0", "target_hid": f"e{i}", "status": int(s), "sent_at": moment(t)}
            for i in n for k, (t, s) in enumerate(zip(self.sent[i], self.status[i], strict=True))
        ]  # fmt: skip
        tables["moment_interactions"] = [
            {"msg_id": "x", "person_hid": f"e{i}", "kind": "like", "at": moment(MOMENT - 3)} for i in n if i % 50 == 0
        ]
        tables["customer_tags"] = [
            {"external_hid": f"e{i}", "staff_id": "s0", "tag_id": group, "group_name": group, "tag_name": name}
            for i in n for group, name in (("level", self.tag[i]), ("other", "zz")) if name
        ]  # fmt: skip
        tables["assignments"] = [
            {"exp_id": "push", "unit_hid": f"e{i}", "variant": ("seldom", "often")[i % 2], "assigned_at": moment(100)}
            for i in n if self.joined[i] < 100 <= self.left[i]
        ]  # fmt: skip
        tables["outcomes"] = [
            {"exp_id": "push", "unit_hid": f"e{i}", "metric": name, "value": 3.0 + 2 * (i % 2), "at": moment(200)}
            for i in n for name in ("sent", "read") if self.joined[i] < 100 <= self.left[i]
        ]  # fmt: skip
        return tables

    def listed(self, at):
        return np.flatnonzero((self.joined < at) & (self.left >= at))


@pytest.fixture(scope="module")
def brand():
    return Pushed(11)


@pytest.fixture(scope="module")
def tables(brand, tmp_path_factory):
    with engine(tmp_path_factory.mktemp("tidy"), **brand.tables()) as found:
        yield found


@pytest.fixture(scope="module")
def features(tables):
    for name in ("people", "sold"):
        tables.keep(name, {"until": moment(MOMENT)})
    return tables.query("customer_features", PARAMETERS).rows()


def test_who_is_listed_and_what_was_known(brand, features):
    by_person = {row["person"]: row for row in features}
    assert [row["person"] for row in features] == sorted(f"p{i}" for i in brand.listed(MOMENT))
    for i in brand.listed(MOMENT):
        row = by_person[f"p{i}"]
        acts = list(brand.acts[i][brand.acts[i] < MOMENT]) + ([MOMENT - 3] if i % 50 == 0 else [])
        orders = brand.orders[i][brand.orders[i] < MOMENT]
        sent = brand.sent[i][(brand.sent[i] < MOMENT) & (brand.status[i] == 1)]
        for days in (7, 30, 90):
            assert row[f"acts_{days}"] == sum(a >= MOMENT - days for a in acts)
        assert row["last_act_at"] == (moment(max(acts)) if acts else None)
        assert (row["orders"], row["orders_90"]) == (len(orders), (orders >= MOMENT - 90).sum())
        assert row["fen"] == brand.fen[i][: len(orders)].sum()
        assert (row["pushes_30"], row["pushes_90"]) == ((sent >= MOMENT - 30).sum(), (sent >= MOMENT - 90).sum())
        assert row["tag"] == brand.tag[i] and row["channel_id"] == brand.channel[i]
        stamps = [brand.joined[i], *acts, *orders, *sent]
        assert row["last_stamp"] == moment(max(stamps)) < moment(MOMENT)


def test_labels_are_of_the_same_people(brand, tables, features):
    for name in ("people", "sold"):
        tables.keep(name, {"until": moment(MOMENT + WINDOW)})
    found = tables.query("customer_labels", PARAMETERS).rows()
    assert [row["person"] for row in found] == [row["person"] for row in features]
    for row in found:
        i = int(row["person"][1:])
        inside = (brand.orders[i] >= MOMENT) & (brand.orders[i] < MOMENT + WINDOW)
        assert row["has_left"] == int(brand.left[i] < MOMENT + WINDOW)
        assert (row["orders"], row["fen"]) == (inside.sum(), brand.fen[i][inside].sum())
    assert 0 < sum(row["has_left"] for row in found) < len(found)


def test_features_do_not_change_with_what_comes_after(brand, tables, features):
    """All tables know the whole year; kept to the wrong end the text still reads nothing at or after the moment."""
    for name in ("people", "sold"):
        tables.keep(name, {"until": moment(365)})
    assert tables.query("customer_features", PARAMETERS).rows() == features


def test_a_leak_stops_the_run(tables, features):
    """The columns of a later moment, taken for those of an earlier one."""
    for name in ("people", "sold"):
        tables.keep(name, {"until": moment(MOMENT)})
    columns = tables.query("customer_features", PARAMETERS).arrays()
    assert len(build_features(columns, np.datetime64(moment(MOMENT))).values) == len(features)
    with pytest.raises(InputError) as caught:
        build_features(columns, np.datetime64(moment(MOMENT - 1)))
    assert {problem.code for problem in caught.value.problems} == {"feature_after"}


def test_tags_only_of_the_group_that_was_named(tables):
    assert {row["tag"] for row in tables.query("customer_features", PARAMETERS | {"tag_group": ""}).rows()} == {""}


def test_gaps(brand, tables):
    found = tables.query("gaps", {"until": moment(365)}).rows()
    expected = []
    for i in range(len(brand.joined)):
        kept = ~brand.back[i]
        goods = [(moment(t).date(), p) for t, p in zip(brand.orders[i][kept], brand.product[i][kept], strict=True)]
        for name in ("", "cream", "soap"):
            days = sorted({day for day, product in goods if name in ("", product)})
            for k, day in enumerate(days):
                expected.append((name, f"p{i}", 1, k + 1, day, days[k + 1] if k + 1 < len(days) else None))
    expected.append(("", "ug", 0, 1, moment(10).date(), None))
    names = ("item_class", "person", "is_contact", "place", "bought_on", "next_on")
    assert sorted(tuple(row[name] for name in names) for row in found) == sorted(
        expected, key=lambda row: (*row[:5], row[5] or dt.date.min)
    )


def test_exits_by_pushes(brand, tables):
    tables.keep("people", {"until": moment(MOMENT + WINDOW)})
    found = tables.query("pushed", PARAMETERS | {"push_since": moment(MOMENT - 60)}).rows()
    counts = {}
    for i in brand.listed(MOMENT):
        if brand.joined[i] < MOMENT - 60:
            seen = ((brand.sent[i] >= MOMENT - 60) & (brand.sent[i] < MOMENT) & (brand.status[i] == 1)).sum()
            people, exits = counts.get(seen, (0, 0))
            counts[seen] = people + 1, exits + (brand.left[i] < MOMENT + WINDOW)
    assert {row["pushes"]: (row["people"], row["exits"]) for row in found} == counts


def test_exits_by_arm(brand, tables):
    tables.keep("people", {"until": moment(200)})
    found = tables.query("push_arms", {"experiment": "push", "metric": "sent", "label_until": moment(200)}).rows()
    inside = np.flatnonzero((brand.joined < 100) & (brand.left >= 100))
    for row, odd in zip(found, (1, 0), strict=True):
        some = inside[inside % 2 == odd]
        assert (row["people"], row["pushes"]) == (len(some), (3 + 2 * odd) * len(some))
        assert row["exits"] == (brand.left[some] < 200).sum()
    assert [row["variant"] for row in found] == ["often", "seldom"]
