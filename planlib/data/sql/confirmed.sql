-- Of the tasks that employees were given with mass messages: how many they confirmed.
-- Tables: send_tasks, sends. Parameter: since.
SELECT COUNT(*) AS tasks, COALESCE(SUM(CASE WHEN t.status <> 0 THEN 1 ELSE 0 END), 0) AS confirmed
FROM send_tasks t
JOIN sends s ON s.msg_id = t.msg_id
WHERE s.created_at >= :since AND COALESCE(s.kind, 'single') = 'single'
