-- People assigned to each arm of finished experiments, and how many of them did what its primary metric counts.
-- Who has no outcome did not. Tables: assignments, experiments, outcomes. Parameter: until (a day; those that ended before it).
WITH seen AS (
  SELECT a.exp_id, a.variant, a.unit_hid, a.ratio_planned, COUNT(o.value) AS told,
    MAX(CASE WHEN o.value > 0 THEN 1 ELSE 0 END) AS did
  FROM assignments a
  JOIN experiments e ON e.exp_id = a.exp_id
  LEFT JOIN outcomes o ON o.exp_id = a.exp_id AND o.unit_hid = a.unit_hid AND o.metric = e.metric
  WHERE e.end_on < :until
  GROUP BY a.exp_id, a.variant, a.unit_hid, a.ratio_planned
)
SELECT exp_id, variant, COUNT(*) AS people, SUM(did) AS did, SUM(told) AS told, MAX(ratio_planned) AS planned
FROM seen
GROUP BY exp_id, variant
ORDER BY exp_id, variant
