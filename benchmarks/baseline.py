"""All metrics of the baseline over 10 million orders and 100 million interactions, against hand-written statements.

Both sides read the same Parquet tables with the same share of memory, each in a process of its own. The peer runs
one statement a metric, as one would write them; the workbook runs `planlib.data.baseline.collect`.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from harness import ROOT, Row, interleaved, scratch, seconds_of, times_as_long

PEOPLE, ORDERS, TOUCHES = 2_000_000, 10_000_000, 100_000_000
MOST_TIMES = 1.3
MOST_BYTES = 2 * 10**9
_DAYS, _STAFF = 365, 400
_OURS = "import sys; sys.path.insert(0, 'benchmarks'); import baseline; baseline.ours(sys.argv[1])"
_PEER = _OURS.replace("ours(", "peer(")


def measure(repeats: int, scale: float = 1.0) -> Iterator[Row]:
    """Yield the time beside the peer's, and the peak of memory.

    Args:
        repeats: measurements of each side.
        scale: share of the stated sizes.
    """
    with scratch() as folder:
        write_tables(folder, scale)
        sides = [[sys.executable, "-c", code, str(folder)] for code in (_OURS, _PEER)]
        mine, its = interleaved(*(lambda side=side: seconds_of(side) for side in sides), repeats=repeats)
        yield times_as_long("baseline of 10 m orders, 100 m interactions : statements", mine, its, at_most=MOST_TIMES)
        peak = peak_bytes(sides[0])
        if peak is not None:
            yield Row(name="baseline, peak memory", ours=peak / 1e9, unit="GB", bound="< 2 GB", kept=peak < MOST_BYTES)


def peak_bytes(command: list[str]) -> int | None:
    """Return the largest memory that a command held; None where the system does not tell."""
    try:
        import resource
    except ImportError:
        return None
    code = (
        "import json, resource, subprocess, sys; subprocess.run(json.loads(sys.argv[1]), check=True, "
        "stdout=subprocess.DEVNULL); print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, json.dumps(command)], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return int(done.stdout) * (1 if sys.platform == "darwin" else 1024) if resource else None


def write_tables(root: Path, scale: float) -> None:
    """Write tidy tables of an invented brand, touches and orders in the order of time."""
    from planlib.data import store
    from planlib.data.engine import connect
    from planlib.data.schema import TABLES

    tidy = store.make_private(store.tidy_dir(root))
    people, orders, touches = (int(scale * size) for size in (PEOPLE, ORDERS, TOUCHES))
    person = "'p' || lpad(CAST({n} AS VARCHAR), 23, '0')"
    anyone = f"CAST(hash(i) % {people} AS BIGINT)"
    day = "TIMESTAMP '2026-01-01' + INTERVAL (CAST(i * {span} AS BIGINT)) SECOND"
    span, lineage = _DAYS * 86_400, "'bench' AS source, TIMESTAMP '2027-01-01' AS pulled_at, 1 AS file_no"
    parts = {
        "follow_edges": (people, f"""{person.format(n="i").replace("'p'", "'e'")} AS external_hid,
            's' || CAST(i % {_STAFF} AS VARCHAR) AS staff_id,
            TIMESTAMP '2025-07-01' + INTERVAL (CAST(hash(i + 7) % (545 * 86400) AS BIGINT)) SECOND AS added_at,
            CASE WHEN i % 20 < 11 THEN 'ads' ELSE 'store_qr' END AS channel_id, i % 3 > 0 AS is_active,
            CASE WHEN i % 3 = 0 THEN TIMESTAMP '2026-01-01' + INTERVAL (CAST(hash(i) % {span} AS BIGINT)) SECOND
            END AS removed_at"""),
        "id_map": (2 * people, f"""{person.format(n=f"i % {people}")} AS person_hid,
            CASE WHEN i < {people} THEN {person.format(n="i").replace("'p'", "'e'")} ELSE '' END AS external_hid,
            CASE WHEN i < {people} THEN '' ELSE {person.format(n=f"i - {people}").replace("'p'", "'o'")} END
            AS openid_hid"""),
        "staff": (_STAFF, "'s' || CAST(i AS VARCHAR) AS staff_id, 'store' || CAST(i % 80 AS VARCHAR) AS store_id, "
                          "'region' || CAST(i % 8 AS VARCHAR) AS region_id"),
        "touches": (touches, f"""{person.format(n=anyone)} AS person_hid, {day.format(span=span / touches)} AS at,
            'mini_program' AS channel_id, 'browse' AS touch_type"""),
        "orders": (orders, f"""'N' || CAST(i AS VARCHAR) AS order_id, {day.format(span=span / orders)} AS created_at,
            {day.format(span=span / orders)} AS paid_at, {person.format(n=anyone).replace("'p'", "'o'")} AS openid_hid,
            CAST(50 + hash(i) % 40000 / 100 AS DECIMAL(18,2)) AS order_yuan, 1 AS order_scene"""),
        "costs": (53, "DATE '2026-01-01' + CAST(7 * i AS INTEGER) AS date, 'ads' AS channel_id, 'media' AS cost_type, "
                      "CAST(10000 AS DECIMAL(18,2)) AS amount_yuan, 7 AS days"),
    }  # fmt: skip
    listed = {}
    with connect() as db:
        for name, (count, columns) in parts.items():
            made = tidy / f"{name}.parquet"
            declared = ", ".join(f'CAST(NULL AS {c.kind.sql}) AS "{c.name}"' for c in TABLES[name].columns)
            db.execute(
                f"COPY (SELECT * FROM (SELECT {declared}) WHERE FALSE UNION ALL BY NAME "
                f"SELECT {columns}, {lineage} FROM range({count}) t(i)) TO '{made.as_posix()}' (FORMAT parquet)"
            )
            listed[name] = {"file": made.name, "rows": count}
    store.commit(root, {"tables": listed})


def ours(root: str) -> None:
    """Measure every metric as notebook 10 does."""
    from planlib.baseline.levels import measured
    from planlib.data.baseline import collect, measures
    from planlib.data.engine import Engine

    with Engine(root) as tables:
        found = collect(tables)
    forms = {name: m.form for name, m in measures().items()}
    print(len([measured(forms[name], sums) for name, sums in found.sums.items()]))


def peer(root: str) -> None:
    """Run one hand-written statement after the other."""
    from planlib.data.engine import Engine

    with Engine(root) as tables:
        for text in STATEMENTS.values():
            tables.query(text).rows()


_LISTED = """(SELECT m.person_hid AS p, MIN(e.added_at) AS joined,
    CASE WHEN BOOL_OR(e.removed_at IS NULL) THEN NULL ELSE MAX(e.removed_at) END AS gone,
    ANY_VALUE(e.channel_id) AS channel FROM follow_edges e JOIN id_map m ON m.external_hid = e.external_hid
    WHERE m.external_hid <> '' GROUP BY 1)"""
_ACTS = """(SELECT person_hid AS p, t.at AS acted FROM touches t UNION ALL
    SELECT m.person_hid, o.paid_at FROM orders o JOIN id_map m ON m.openid_hid = o.openid_hid
    WHERE m.openid_hid <> '')"""
_PAID = """(SELECT m.person_hid AS p, o.paid_at, CAST(o.order_yuan * 100 AS BIGINT) AS fen FROM orders o
    JOIN id_map m ON m.openid_hid = o.openid_hid WHERE m.openid_hid <> '' AND o.paid_at IS NOT NULL)"""
_NOW, _BEFORE = "TIMESTAMP '2027-01-01'", "TIMESTAMP '2026-12-02'"
_LAST = f"(SELECT p, MAX(acted) AS last FROM {_ACTS} WHERE acted < {{until}} GROUP BY p)"


def _retained(day: int) -> str:
    """Return the statement of retention at a day."""
    return f"""SELECT COUNT(*), SUM(kept) FROM (SELECT l.p, MAX(CASE WHEN a.acted IS NULL THEN 0 ELSE 1 END) AS kept
        FROM {_LISTED} l LEFT JOIN {_ACTS} a ON a.p = l.p
        AND a.acted >= date_trunc('day', l.joined) + INTERVAL {day} DAY
        AND a.acted < date_trunc('day', l.joined) + INTERVAL {day + 7} DAY
        WHERE l.joined >= TIMESTAMP '2026-01-01' AND l.joined < {_NOW} - INTERVAL {day + 6} DAY GROUP BY l.p)"""


STATEMENTS = {
    "private_domain_users": f"SELECT COUNT(*) FROM {_LISTED} WHERE gone IS NULL",
    "new_users_monthly": f"SELECT CAST(joined AS DATE), COUNT(*) FROM {_LISTED} GROUP BY 1",
    "organic_share": f"SELECT channel, COUNT(*) FROM {_LISTED} WHERE joined >= {_BEFORE} GROUP BY 1",
    "churn_rate": f"""SELECT m, COUNT(*), SUM(CASE WHEN gone < m + INTERVAL 1 MONTH THEN 1 ELSE 0 END) FROM {_LISTED},
        (SELECT UNNEST(generate_series(TIMESTAMP '2026-01-01', TIMESTAMP '2026-12-01', INTERVAL 1 MONTH)) AS m)
        WHERE joined < m AND (gone IS NULL OR gone >= m) GROUP BY 1""",
    "mau_rate": f"""SELECT COUNT(*), COUNT(a.p) FROM {_LISTED} l LEFT JOIN
        (SELECT DISTINCT p FROM {_ACTS} WHERE acted >= {_BEFORE}) a ON a.p = l.p WHERE gone IS NULL""",
    "dormant_share": f"""SELECT COUNT(*), SUM(CASE WHEN COALESCE(a.last, l.joined) < {_NOW} - INTERVAL 90 DAY
        THEN 1 END) FROM {_LISTED} l LEFT JOIN {_LAST.format(until=_NOW)} a ON a.p = l.p WHERE gone IS NULL""",
    "reactivation_rate": f"""SELECT COUNT(*), COUNT(n.p) FROM {_LISTED} l
        LEFT JOIN {_LAST.format(until=_BEFORE)} a ON a.p = l.p
        LEFT JOIN (SELECT DISTINCT p FROM {_ACTS} WHERE acted >= {_BEFORE}) n ON n.p = l.p
        WHERE gone IS NULL AND joined < {_BEFORE} AND COALESCE(a.last, l.joined) < {_BEFORE} - INTERVAL 90 DAY""",
    "retention_rate": f"""SELECT COUNT(*), COUNT(n.p) FROM {_LISTED} l
        JOIN (SELECT DISTINCT p FROM {_ACTS} WHERE acted < {_BEFORE} AND acted >= {_BEFORE} - INTERVAL 30 DAY) a
        ON a.p = l.p LEFT JOIN (SELECT DISTINCT p FROM {_ACTS} WHERE acted >= {_BEFORE}) n ON n.p = l.p
        WHERE gone IS NULL OR gone >= {_BEFORE}""",
    "retention_d7": _retained(7),
    "retention_m1": _retained(30),
    "retention_d90": _retained(90),
    "first_interaction_rate": _retained(0),
    "activation_rate": f"""SELECT COUNT(*), SUM(CASE WHEN first < d + INTERVAL 10 DAY THEN 1 ELSE 0 END) FROM
        (SELECT l.p, date_trunc('day', l.joined) AS d, MIN(a.acted) AS first FROM {_LISTED} l
        LEFT JOIN {_ACTS} a ON a.p = l.p AND a.acted >= l.joined WHERE l.joined >= TIMESTAMP '2026-01-01' GROUP BY 1, 2)
        WHERE first IS NULL OR first >= d + INTERVAL 3 DAY""",
    "conversion_rate": f"""SELECT COUNT(DISTINCT l.p), COUNT(DISTINCT o.p) FROM {_LISTED} l LEFT JOIN {_PAID} o
        ON o.p = l.p AND o.paid_at >= l.joined AND o.paid_at < l.joined + INTERVAL 30 DAY
        WHERE l.joined >= TIMESTAMP '2026-01-01' AND l.joined < {_NOW} - INTERVAL 30 DAY""",
    "first_purchase_rate": f"""SELECT COUNT(DISTINCT l.p), COUNT(DISTINCT o.p) FROM {_LISTED} l LEFT JOIN {_PAID} o
        ON o.p = l.p AND o.paid_at >= l.joined AND o.paid_at < l.joined + INTERVAL 90 DAY
        WHERE l.joined >= TIMESTAMP '2026-01-01' AND l.joined < {_NOW} - INTERVAL 90 DAY""",
    "user_conversion_rate": f"""SELECT COUNT(*), COUNT(o.p) FROM {_LISTED} l LEFT JOIN
        (SELECT DISTINCT p FROM {_PAID} WHERE paid_at >= {_BEFORE}) o ON o.p = l.p WHERE gone IS NULL""",
    "repurchase_rate": f"""SELECT COUNT(*), SUM(CASE WHEN k > 1 THEN 1 ELSE 0 END) FROM (SELECT l.p, COUNT(*) AS k
        FROM {_LISTED} l JOIN {_PAID} o ON o.p = l.p AND o.paid_at >= l.joined
        WHERE l.joined >= TIMESTAMP '2026-01-01' GROUP BY 1)""",
    "aov": f"""SELECT COUNT(*), SUM(k), SUM(v), SUM(k * k), SUM(k * v), SUM(CAST(v AS HUGEINT) * v) FROM
        (SELECT p, COUNT(*) AS k, SUM(fen) AS v FROM {_PAID} GROUP BY 1)""",
    "ltv": f"""SELECT COUNT(*), SUM(v), SUM(CAST(v AS HUGEINT) * v) FROM
        (SELECT p, SUM(fen) AS v FROM {_PAID} GROUP BY 1)""",
    "gmv": f"SELECT COUNT(*), SUM(order_yuan) FROM orders WHERE paid_at >= {_BEFORE}",
    "orders": "SELECT CAST(paid_at AS DATE), COUNT(*) FROM orders GROUP BY 1",
    "orders_per_buyer": f"""SELECT COUNT(*), SUM(k), SUM(k * k) FROM
        (SELECT p, COUNT(*) AS k FROM {_PAID} WHERE paid_at >= {_BEFORE} GROUP BY 1)""",
    "new_customer_share": f"""SELECT SUM(v), SUM(v * v), SUM(CASE WHEN first >= {_BEFORE} THEN v END) FROM
        (SELECT p, MIN(paid_at) AS first, SUM(CASE WHEN paid_at >= {_BEFORE} THEN CAST(fen AS HUGEINT) ELSE 0 END) AS v
        FROM {_PAID} GROUP BY 1)""",
    "cac": f"SELECT SUM(amount_yuan) FROM costs WHERE date >= CAST({_BEFORE} AS DATE)",
}
