"""A few hundred people drawn at random, as tidy tables: what the baseline's SQL is held against row by row."""

import datetime as dt

import numpy as np

FIRST, LAST = dt.date(2026, 1, 1), dt.date(2026, 12, 31)


def moment(days):
    """A moment so many days after the first day began."""
    return dt.datetime.combine(FIRST, dt.time()) + dt.timedelta(days=float(days))


class Brand:
    """A few hundred people with joins, leaves, acts, orders; some with two employees, some under two ids."""

    def __init__(self, seed, people=400):
        rng = np.random.default_rng(seed)
        self.joined = rng.uniform(-100, 364, people)
        gone = rng.random(people) < 0.4
        self.left = np.where(gone, self.joined + rng.exponential(120, people), np.inf)
        self.left = np.where(self.left < 365, np.maximum(self.left, 0.01), np.inf)
        self.acts = [np.sort(rng.uniform(0, 365, rng.poisson(4))) for _ in range(people)]
        self.acts = [a[(a > j) & (a < e)] for a, j, e in zip(self.acts, self.joined, self.left, strict=True)]
        self.orders = [a[rng.random(len(a)) < 0.2] + 0.001 for a in self.acts]
        self.fen = [rng.integers(100, 90_000, len(o)) for o in self.orders]
        self.two = rng.random(people) < 0.1
        self.channel = rng.choice(["ads", "qr"], people)
        self.store = rng.integers(0, 6, people)

    def tables(self):
        n = range(len(self.joined))
        staff = [{"staff_id": f"s{i}", "store_id": f"store{i}", "region_id": f"r{i % 2}"} for i in range(6)]
        edges = [
            {"external_hid": f"e{i}", "staff_id": f"s{self.store[i]}", "added_at": moment(self.joined[i]),
             "removed_at": moment(self.left[i]) if self.left[i] < 365 else None, "is_active": self.left[i] > 365,
             "channel_id": self.channel[i]}
            for i in n
        ]  # fmt: skip
        # a second employee who was removed at once does not end the contact
        edges += [
            {"external_hid": f"e{i}", "staff_id": "s9", "added_at": moment(self.joined[i] + 1e-4),
             "removed_at": moment(max(self.joined[i] + 0.005, 0)), "is_active": False, "channel_id": self.channel[i]}
            for i in n if self.two[i] and self.left[i] > 365
        ]  # fmt: skip
        return {
            "id_map": [{"person_hid": f"p{i}", "external_hid": f"e{i}", "openid_hid": ""} for i in n]
            + [{"person_hid": f"p{i}", "external_hid": "", "openid_hid": f"o{i}"} for i in n],
            "follow_edges": edges,
            "staff": staff,
            "touches": [
                {"person_hid": f"p{i}", "at": moment(t), "channel_id": "wecom_chat", "touch_type": "interaction"}
                for i in n for t in self.acts[i]
            ] + [
                {"person_hid": f"p{i}", "at": moment(364.5), "channel_id": "ads", "touch_type": kind}
                for i in n for kind in ("sent", "added")
            ] + [{"person_hid": "stranger", "at": moment(0.1), "channel_id": "", "touch_type": "visit"}],
            "orders": [
                {"order_id": f"{i}-{k}", "created_at": moment(t), "paid_at": moment(t), "openid_hid": f"o{i}",
                 "order_yuan": int(self.fen[i][k]) / 100, "order_scene": 6 if i % 7 == 0 else 1}
                for i in n for k, t in enumerate(self.orders[i])
            ] + [{"order_id": "unpaid", "created_at": moment(300), "openid_hid": "o1", "order_yuan": 9.9}],
            "costs": [{"date": FIRST + dt.timedelta(days=7 * w), "channel_id": "ads", "cost_type": "media",
                       "amount_yuan": 70, "days": 7} for w in range(53)],
        }  # fmt: skip

    def all_acts(self, i):
        return np.sort(np.concatenate([self.acts[i], self.orders[i]]))
