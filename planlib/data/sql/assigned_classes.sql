-- One row a person of an experiment: what was known of it at assignment, and whether it is still a friend afterwards.
-- Nothing that happened after assignment enters a class. Tables: assignments, id_map, touches, orders, follow_edges.
-- Parameter: experiment.
WITH entered AS (
  SELECT a.unit_hid AS unit, a.assigned_at, m.person_hid AS person
  FROM assignments a
  LEFT JOIN id_map m ON m.external_hid = a.unit_hid AND m.external_hid <> ''
  WHERE a.exp_id = :experiment
),
acted AS (
  SELECT e.unit, COUNT(*) AS acts
  FROM entered e
  JOIN touches t ON t.person_hid = e.person
    AND t.at < e.assigned_at AND t.at >= e.assigned_at - INTERVAL '30' DAY
    AND t.touch_type NOT IN ('added', 'impression', 'exposure', 'send', 'sent', 'delivered', 'push')
  GROUP BY e.unit
),
bought AS (
  SELECT e.unit, COUNT(*) AS orders
  FROM entered e
  JOIN id_map m ON m.person_hid = e.person AND m.openid_hid <> ''
  JOIN orders d ON d.openid_hid = m.openid_hid AND d.paid_at < e.assigned_at
  GROUP BY e.unit
),
friends AS (
  SELECT f.external_hid AS unit,
    MIN(CASE WHEN f.removed_at IS NULL AND COALESCE(f.is_active, TRUE) THEN 0 ELSE 1 END) AS gone
  FROM follow_edges f
  GROUP BY f.external_hid
)
SELECT
  e.unit,
  CASE WHEN MAX(b.orders) >= 2 THEN 'repeat_buyer' WHEN MAX(b.orders) = 1 THEN 'one_order' ELSE 'no_order' END
    AS value_class,
  CASE WHEN MAX(c.acts) > 0 THEN 'active' ELSE 'silent' END AS interaction_class,
  CASE WHEN MAX(f.gone) = 1 THEN 'deleted' WHEN MAX(f.gone) = 0 THEN 'friend' END AS friend
FROM entered e
LEFT JOIN acted c ON c.unit = e.unit
LEFT JOIN bought b ON b.unit = e.unit
LEFT JOIN friends f ON f.unit = e.unit
GROUP BY e.unit
