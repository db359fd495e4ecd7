-- People by what they were when the period began and are at its end, and since when they are silent.
-- active: acted within the active window; dormant: neither acted nor joined within the dormant window; else quiet.
-- Tables: people, acted. Parameters: until, active_since, dormant_before (at the end); opening,
-- opening_active_since, opening_dormant_before (at the beginning).
SELECT
  CASE
    WHEN joined_at >= :opening OR left_at < :opening THEN 'absent'
    WHEN last_before >= :opening_active_since THEN 'active'
    WHEN COALESCE(last_before, joined_at) < :opening_dormant_before THEN 'dormant'
    ELSE 'quiet'
  END AS before,
  CASE
    WHEN left_at IS NOT NULL THEN 'gone'
    WHEN last_at >= :active_since THEN 'active'
    WHEN COALESCE(last_at, joined_at) < :dormant_before THEN 'dormant'
    ELSE 'quiet'
  END AS after,
  CASE WHEN last_at IS NULL THEN 0 ELSE 1 END AS acted,
  CAST(COALESCE(last_at, joined_at) AS DATE) AS silent_on,
  COUNT(*) AS people
FROM (
  SELECT p.joined_at, p.left_at, a.last_at, a.last_before
  FROM people p
  LEFT JOIN acted a ON a.person = p.person
) l
WHERE left_at IS NULL OR left_at >= :opening
GROUP BY 1, 2, 3, 4
ORDER BY 1, 2, 3, 4
