-- People by region, store and employee: listed, active and dormant today; of a cohort old enough, each life stage.
-- Tables: people, acted, bought. Parameters: until, opening, active_since, dormant_before, cohort_since, cohort_until.
SELECT
  COALESCE(p.region_id, '') AS region_id,
  COALESCE(p.store_id, '') AS store_id,
  p.staff_id,
  SUM(CASE WHEN p.left_at IS NULL THEN 1 ELSE 0 END) AS listed,
  SUM(CASE WHEN p.left_at IS NULL AND a.last_at >= :active_since THEN 1 ELSE 0 END) AS active,
  SUM(CASE WHEN p.left_at IS NULL AND COALESCE(a.last_at, p.joined_at) < :dormant_before
    THEN 1 ELSE 0 END) AS dormant,
  SUM(CASE WHEN p.left_at IS NULL AND b.last_order_at >= :opening THEN 1 ELSE 0 END) AS bought_now,
  SUM(p.in_cohort) AS joined,
  SUM(CASE WHEN a.first_at < p.joined_on + INTERVAL '7' DAY THEN p.in_cohort ELSE 0 END) AS activated,
  SUM(COALESCE(a.day_30, 0) * p.in_cohort) AS retained,
  SUM(CASE WHEN b.first_order_at < p.joined_at + INTERVAL '30' DAY THEN p.in_cohort ELSE 0 END) AS bought
FROM (
  SELECT *, CASE WHEN joined_at >= :cohort_since AND joined_at < :cohort_until THEN 1 ELSE 0 END AS in_cohort
  FROM people
) p
LEFT JOIN acted a ON a.person = p.person
LEFT JOIN bought b ON b.person = p.person
GROUP BY 1, 2, 3
ORDER BY 1, 2, 3
