"""What tidy tables take from each other at the end of a load; each text reads merged tables as `b_<table>`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from planlib.data.sources import yaml_of


@dataclass(frozen=True, slots=True)
class Derived:
    """How a table is finished.

    Args:
        needs: the tables that the text reads.
        sql: the text; its columns come in any order, lineage included.
    """

    needs: tuple[str, ...]
    sql: str


def _case(expression: str, codes: Mapping[int, str]) -> str:
    """Return the label of a code; an unknown one passes as code_N."""
    whens = " ".join(f"WHEN {code} THEN '{label}'" for code, label in codes.items())
    return f"CASE {expression} {whens} ELSE 'code_' || CAST({expression} AS VARCHAR) END"


def derived() -> Mapping[str, Derived]:
    """Return how each table that needs it is finished."""
    codes = yaml_of("codes")
    label = (
        "CASE WHEN \"index\" LIKE 'access_source%' THEN " + _case('"key"', codes["access_source"])
        + " WHEN \"index\" LIKE '%staytime%' THEN " + _case('"key"', codes["stay_seconds"])
        + " WHEN \"index\" LIKE '%depth%' THEN " + _case('"key"', codes["page_depth"]) + " END"
    )  # fmt: skip
    return {
        "id_map": Derived(("id_links", "payments"), _ID_MAP),
        "follow_edges": Derived(
            ("follow_edges", "edge_events", "channels"), _EDGES.replace("{label}", _case("e.add_way", codes["add_way"]))
        ),
        "customers": Derived(("customers", "follow_edges", "edge_events", "channels"), _CUSTOMERS),
        "group_daily": Derived(("group_daily",), _GROUPS),
        "mp_retention": Derived(("mp_retention",), _RETENTION),
        "mp_visit_dist": Derived(("mp_visit_dist",), f"SELECT * REPLACE ({label} AS label) FROM b_mp_visit_dist"),
        "customer_tags": Derived(("customer_tags", "tags"), _TAGS),
        "orders": Derived(
            ("orders", "order_items", "payments"), _ORDERS.replace("{label}", _case("o.status", codes["order_status"]))
        ),
        "touches": Derived(
            ("touches", "id_map", "id_links", "payments", "follow_edges", "edge_events", "channels"), _TOUCHES
        ),
    }


# a person is known by the unionid that an id was last seen with, else by the id itself
_ID_MAP = """
WITH seen AS (
    SELECT external_hid, openid_hid, MAX(CASE WHEN unionid_hid <> '' THEN
        COALESCE(CAST(seen_at AS VARCHAR), '') || '|' || unionid_hid END) AS latest,
        MIN(seen_at) AS bound_at, MAX(appid) AS appid, MAX(pulled_at) AS pulled_at, MAX(file_no) AS file_no
    FROM (
        SELECT external_hid, '' AS openid_hid, unionid_hid, seen_at, NULL AS appid, pulled_at, file_no
        FROM b_id_links WHERE external_hid <> ''
        UNION ALL
        SELECT '', openid_hid, unionid_hid, seen_at, appid, pulled_at, file_no FROM b_id_links WHERE openid_hid <> ''
        UNION ALL
        SELECT '', p.openid_hid, '', p.at, p.appid, p.pulled_at, p.file_no FROM b_payments p
        WHERE p.openid_hid IS NOT NULL
    ) GROUP BY external_hid, openid_hid
), known AS (
    SELECT external_hid, openid_hid, split_part(latest, '|', 2) AS unionid_hid, appid, bound_at, pulled_at, file_no
    FROM seen
), alone AS (
    SELECT '' AS external_hid, '' AS openid_hid, unionid_hid, MAX(appid) AS appid, MIN(seen_at) AS bound_at,
        MAX(pulled_at) AS pulled_at, MAX(file_no) AS file_no
    FROM b_id_links WHERE external_hid = '' AND openid_hid = '' AND unionid_hid <> ''
        AND unionid_hid NOT IN (SELECT unionid_hid FROM known WHERE unionid_hid IS NOT NULL)
    GROUP BY unionid_hid
)
SELECT COALESCE(NULLIF(unionid_hid, ''), NULLIF(external_hid, ''), openid_hid) AS person_hid, external_hid,
    COALESCE(unionid_hid, '') AS unionid_hid, openid_hid, appid, bound_at, 'derived' AS source, pulled_at, file_no
FROM (SELECT * FROM known UNION ALL SELECT * FROM alone)
"""

# removed: by a callback after the customer was added; else, of two complete pulls of one member, when the later one
# lacks the customer. A pull that lacks more than half of a member's customers was no complete one.
_EDGE_ROWS = """
WITH gone AS (
    SELECT e.external_hid, e.staff_id, MAX(v.at) AS at, MAX_BY(v.event, v.at) AS event
    FROM b_follow_edges e JOIN b_edge_events v
        ON v.external_hid = e.external_hid AND v.staff_id = e.staff_id AND v.at >= e.added_at
    WHERE v.event IN ('del_external_contact', 'del_follow_user')
    GROUP BY e.external_hid, e.staff_id
), pulls AS (
    SELECT staff_id, MAX(last_seen_at) AS latest FROM b_follow_edges
    WHERE source = 'wecom_contact_batch' GROUP BY staff_id
), complete AS (
    SELECT e.staff_id, p.latest FROM b_follow_edges e JOIN pulls p ON p.staff_id = e.staff_id
    LEFT JOIN gone g ON g.external_hid = e.external_hid AND g.staff_id = e.staff_id
    WHERE g.at IS NULL
    GROUP BY e.staff_id, p.latest
    HAVING 2 * SUM(CASE WHEN e.last_seen_at >= p.latest THEN 1 ELSE 0 END) >= COUNT(*)
), edges AS (
    SELECT e.* REPLACE (
        {label} AS add_way_label,
        c.channel_id AS channel_id,
        COALESCE(g.at, CASE WHEN e.source = 'wecom_contact_batch' AND e.last_seen_at < k.latest THEN k.latest END)
            AS removed_at,
        CASE g.event WHEN 'del_follow_user' THEN 'customer' WHEN 'del_external_contact' THEN 'staff'
            ELSE CASE WHEN e.source = 'wecom_contact_batch' AND e.last_seen_at < k.latest THEN 'unknown' END END
            AS removed_by
    )
    FROM b_follow_edges e
    LEFT JOIN gone g ON g.external_hid = e.external_hid AND g.staff_id = e.staff_id
    LEFT JOIN complete k ON k.staff_id = e.staff_id
    LEFT JOIN (SELECT state, MIN(channel_id) AS channel_id FROM b_channels WHERE state IS NOT NULL GROUP BY state) c
        ON c.state = e.state
)
"""
_EDGES = _EDGE_ROWS + "SELECT * REPLACE (removed_at IS NULL AS is_active) FROM edges"

_CUSTOMERS = """
SELECT c.* REPLACE (COALESCE(e.first_add_at, c.first_add_at) AS first_add_at, COALESCE(e.n, 0) AS n_followers)
FROM b_customers c LEFT JOIN (
    SELECT external_hid, MIN(added_at) AS first_add_at, SUM(CASE WHEN is_active THEN 1 ELSE 0 END) AS n
    FROM follow_edges GROUP BY external_hid
) e ON e.external_hid = c.external_hid
"""

# a running total never falls; a daily count of at least a week does somewhere
_GROUPS = """
WITH steps AS (
    SELECT *, LAG(messages_cum) OVER (PARTITION BY owner_id ORDER BY date) AS before FROM b_group_daily
), running AS (
    SELECT owner_id, COUNT(messages_cum) >= 7
        AND SUM(CASE WHEN messages_cum < before THEN 1 ELSE 0 END) = 0 AS is_running
    FROM steps GROUP BY owner_id
)
SELECT s.* EXCLUDE (before) REPLACE (
    CASE WHEN r.is_running THEN s.messages_cum - s.before ELSE s.messages_cum END AS messages_day
) FROM steps s JOIN running r ON r.owner_id = s.owner_id
"""

_RETENTION = """
SELECT m.* REPLACE (
    b.users AS base_users, CASE WHEN b.users > 0 THEN CAST(m.users AS DOUBLE) / b.users END AS rate
)
FROM b_mp_retention m LEFT JOIN (SELECT ref_date, cohort, users FROM b_mp_retention WHERE k = 0) b
    ON b.ref_date = m.ref_date AND b.cohort = m.cohort
"""

_TAGS = """
SELECT c.* REPLACE (
    COALESCE(c.group_name, t.group_name) AS group_name, COALESCE(c.tag_name, t.tag_name) AS tag_name,
    COALESCE(c.tag_type, 1) AS tag_type
)
FROM b_customer_tags c LEFT JOIN b_tags t ON t.tag_id = c.tag_id
"""

# refunded: what the payment bill says; without one the whole of an order that was called off after payment, or the
# items that went back
_ORDERS = """
SELECT o.* REPLACE (
    {label} AS status_label,
    COALESCE(p.refund_yuan, CASE WHEN o.source LIKE 'sheet%' THEN o.refund_yuan END,
        CASE WHEN o.status = 200 THEN o.order_yuan END, i.refund_yuan, 0)
        AS refund_yuan
)
FROM b_orders o
LEFT JOIN (
    SELECT wx_txn_id, SUM(refund_yuan) AS refund_yuan FROM b_payments WHERE row_type = 'REFUND' GROUP BY wx_txn_id
) p ON p.wx_txn_id = o.wx_txn_id
LEFT JOIN (
    SELECT order_id, SUM(CAST(CASE WHEN aftersale_qty >= qty THEN real_price_yuan
        ELSE real_price_yuan * aftersale_qty / qty END AS DECIMAL(18,2))) AS refund_yuan
    FROM b_order_items WHERE aftersale_qty > 0 AND qty > 0 GROUP BY order_id
) i ON i.order_id = o.order_id
"""

_TOUCHES = """
WITH ids AS (
    SELECT external_hid AS id, person_hid FROM id_map WHERE external_hid <> ''
    UNION ALL SELECT openid_hid, person_hid FROM id_map WHERE openid_hid <> ''
)
SELECT COALESCE(i.person_hid, t.person_hid) AS person_hid, t.at, t.channel_id, t.touch_type, t.campaign_id, t.source,
    t.pulled_at, t.file_no
FROM b_touches t LEFT JOIN ids i ON i.id = t.person_hid
WHERE t.source <> 'derived'
UNION ALL
SELECT COALESCE(i.person_hid, e.external_hid), e.added_at, e.channel_id, 'added', NULL, 'derived', e.pulled_at,
    e.file_no
FROM follow_edges e LEFT JOIN ids i ON i.id = e.external_hid
WHERE e.channel_id IS NOT NULL AND e.added_at IS NOT NULL
"""
