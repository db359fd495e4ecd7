-- Followers of the official account on each day that tells them.
-- Table: oa_followers_daily. Parameters: since, until.
SELECT date AS day, MAX(cumulate_user) AS followers
FROM oa_followers_daily
WHERE date >= :since AND date < :until AND cumulate_user IS NOT NULL
GROUP BY date
ORDER BY date
