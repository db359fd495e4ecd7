-- Of an experiment's people who had joined within a day before: how many waited more than five minutes for a message.
-- The first message on record counts; where none is on record, the assignment, before which none can have been sent.
-- Tables: assignments, follow_edges, id_map, touches. Parameter: experiment.
WITH entered AS (
  SELECT a.unit_hid AS unit, a.assigned_at, MAX(f.added_at) AS joined_at
  FROM assignments a
  JOIN follow_edges f ON f.external_hid = a.unit_hid
    AND f.added_at <= a.assigned_at AND f.added_at >= a.assigned_at - INTERVAL '1' DAY
  WHERE a.exp_id = :experiment
  GROUP BY a.unit_hid, a.assigned_at
),
welcomed AS (
  SELECT e.unit, MIN(t.at) AS first_at
  FROM entered e
  JOIN id_map m ON m.external_hid = e.unit AND m.external_hid <> ''
  JOIN touches t ON t.person_hid = m.person_hid AND t.at >= e.joined_at
    AND t.touch_type IN ('send', 'sent', 'delivered', 'push')
  GROUP BY e.unit
)
SELECT
  COUNT(*) AS people,
  COALESCE(SUM(CASE WHEN COALESCE(w.first_at, e.assigned_at) > e.joined_at + INTERVAL '5' MINUTE THEN 1 ELSE 0 END), 0)
    AS late
FROM entered e
LEFT JOIN welcomed w ON w.unit = e.unit
