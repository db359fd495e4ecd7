-- Arms of a test of push frequency: people, messages that reached them, and how many left between assignment and end.
-- Tables: people (kept with until = end), assignments, outcomes, id_map. Parameters: experiment, metric (messages that
-- reached each), label_until (the end).
SELECT
  a.variant,
  COUNT(*) AS people,
  SUM(COALESCE(d.pushes, 0)) AS pushes,
  SUM(CASE WHEN p.left_at < :label_until THEN 1 ELSE 0 END) AS exits,
  MIN(a.assigned_at) AS first_assigned_at,
  MAX(a.assigned_at) AS last_assigned_at
FROM assignments a
LEFT JOIN id_map m ON m.external_hid = a.unit_hid AND m.external_hid <> ''
JOIN people p ON p.person = COALESCE(m.person_hid, a.unit_hid) AND (p.left_at IS NULL OR p.left_at >= a.assigned_at)
LEFT JOIN (
  SELECT unit_hid, SUM(CAST(value AS BIGINT)) AS pushes
  FROM outcomes
  WHERE exp_id = :experiment AND metric = :metric
  GROUP BY unit_hid
) d ON d.unit_hid = a.unit_hid
WHERE a.exp_id = :experiment
GROUP BY a.variant
ORDER BY a.variant
