-- One row a customer: what is known of it at a moment, by the same rules as assigned_classes has at assignment.
-- Tables: customers, id_map, touches, orders. Parameters: moment, active_since (30 days before).
WITH entered AS (
  SELECT c.external_hid AS unit, m.person_hid AS person
  FROM customers c
  LEFT JOIN id_map m ON m.external_hid = c.external_hid AND m.external_hid <> ''
),
acted AS (
  SELECT e.unit, COUNT(*) AS acts
  FROM entered e
  JOIN touches t ON t.person_hid = e.person
    AND t.at < :moment AND t.at >= :active_since
    AND t.touch_type NOT IN ('added', 'impression', 'exposure', 'send', 'sent', 'delivered', 'push')
  GROUP BY e.unit
),
bought AS (
  SELECT e.unit, COUNT(*) AS orders
  FROM entered e
  JOIN id_map m ON m.person_hid = e.person AND m.openid_hid <> ''
  JOIN orders d ON d.openid_hid = m.openid_hid AND d.paid_at < :moment
  GROUP BY e.unit
)
SELECT
  e.unit,
  CASE WHEN MAX(b.orders) >= 2 THEN 'repeat_buyer' WHEN MAX(b.orders) = 1 THEN 'one_order' ELSE 'no_order' END
    AS value_class,
  CASE WHEN MAX(c.acts) > 0 THEN 'active' ELSE 'silent' END AS interaction_class
FROM entered e
LEFT JOIN acted c ON c.unit = e.unit
LEFT JOIN bought b ON b.unit = e.unit
GROUP BY e.unit
