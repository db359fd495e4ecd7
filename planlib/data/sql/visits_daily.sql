-- Visits of the mini-program by day.
-- Table: mp_daily. Parameters: since, until.
SELECT date AS day, uv AS visitors, sessions, uv_new AS new_visitors
FROM mp_daily
WHERE date >= :since AND date < :until AND uv IS NOT NULL
ORDER BY date
