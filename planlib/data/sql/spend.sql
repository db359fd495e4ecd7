-- What the user-kept cost sheet says, row by row: an amount covers `days` days from `day` on.
-- Table: costs. Parameter: until.
SELECT date AS day, days, channel_id, cost_type, CAST(amount_yuan * 100 AS BIGINT) AS fen
FROM costs
WHERE date < :until
ORDER BY date, channel_id, cost_type
