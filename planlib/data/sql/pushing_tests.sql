-- Tests that count the messages that reached each person, the newest last, and the day after each ended (empty: runs).
-- Tables: outcomes, assignments, experiments. Parameters: metric, until.
SELECT a.exp_id, MIN(a.assigned_at) AS first_assigned_at, MAX(x.end_on) AS end_on
FROM assignments a
LEFT JOIN experiments x ON x.exp_id = a.exp_id
WHERE a.assigned_at < :until AND a.exp_id IN (SELECT o.exp_id FROM outcomes o WHERE o.metric = :metric)
GROUP BY a.exp_id
ORDER BY first_assigned_at, a.exp_id
