-- Joiners by day and channel.
-- Table: people. Parameter: since.
SELECT joined_on, COALESCE(channel_id, '') AS channel_id, COUNT(*) AS people
FROM people
WHERE joined_at >= :since
GROUP BY 1, 2
ORDER BY 1, 2
