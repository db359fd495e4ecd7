-- Mass messages that reached each customer, by day; posts in the feed and messages to groups count as none.
-- Tables: send_results, sends. Parameter: since.
SELECT r.target_hid, CAST(r.sent_at AS DATE) AS day, COUNT(*) AS messages
FROM send_results r
LEFT JOIN sends s ON s.msg_id = r.msg_id
WHERE r.status = 1 AND r.sent_at >= :since AND COALESCE(s.kind, 'single') = 'single'
GROUP BY 1, 2
ORDER BY 1, 2
