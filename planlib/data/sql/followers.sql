-- Followers of the official account on the last day that tells them.
-- Table: oa_followers_daily. Parameter: until.
SELECT date AS day, MAX(cumulate_user) AS followers
FROM oa_followers_daily
WHERE date < :until AND cumulate_user IS NOT NULL
GROUP BY date
ORDER BY date DESC
LIMIT 1
