-- People by the day of joining and the day of leaving (empty: still listed).
-- Table: people.
SELECT joined_on, CAST(left_at AS DATE) AS left_on, COUNT(*) AS people
FROM people
GROUP BY 1, 2
ORDER BY joined_on, left_on NULLS LAST
