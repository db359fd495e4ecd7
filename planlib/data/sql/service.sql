-- Service by day and scope: sessions and the share of customers who called themselves satisfied.
-- Table: service_daily. Parameters: since, until.
SELECT date AS day, SUM(customers) AS customers, SUM(CAST(ROUND(satisfied_rate * customers) AS BIGINT)) AS satisfied
FROM service_daily
WHERE date >= :since AND date < :until AND satisfied_rate IS NOT NULL AND customers > 0
GROUP BY date
ORDER BY date
