"""A plan with metrics of its own, for tests."""

from planlib.plan import Plan, load_plan

W = "params/wechat_platform.yaml"
GIFTS = {
    "id": "own_gift_share", "names": {"zh": "礼品订单占比", "en": "Share of gift orders"}, "unit": "ratio",
    "direction": "up", "table": "orders", "aggregate": "share",
    "where": [{"column": "is_present", "op": "equals", "value": True}],
    "among": [{"column": "paid_at", "op": "is_filled"}], "window": "month", "dated_by": "paid_at",
}  # fmt: skip
COUNT = {"id": "own_x", "names": {"en": "X"}, "unit": "count", "direction": "up", "table": "orders",
         "aggregate": "count"}  # fmt: skip


def with_own(*rows: dict, sets: tuple[str, ...] = ()) -> Plan:
    """Load the platform's plan with these own metrics."""
    import json

    return load_plan(W, sets=(f"own_metrics={json.dumps(list(rows), ensure_ascii=False)}", *sets))
