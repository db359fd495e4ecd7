-- Joiners by day: how many acted in their first week, on later days of age, were woken from early silence, ordered.
-- Tables: people, acted, bought. Parameter: since, the day from which data tell of acts.
SELECT
  p.joined_on,
  COUNT(*) AS joined,
  SUM(CASE WHEN a.first_at < p.joined_on + INTERVAL '7' DAY THEN 1 ELSE 0 END) AS first_week,
  SUM(CASE WHEN a.first_at < p.joined_on + INTERVAL '3' DAY THEN 0 ELSE 1 END) AS silent_three_days,
  SUM(CASE WHEN a.first_at >= p.joined_on + INTERVAL '3' DAY AND a.first_at < p.joined_on + INTERVAL '10' DAY
    THEN 1 ELSE 0 END) AS activated,
  SUM(COALESCE(a.day_7, 0)) AS day_7,
  SUM(COALESCE(a.day_30, 0)) AS day_30,
  SUM(COALESCE(a.day_60, 0)) AS day_60,
  SUM(COALESCE(a.day_90, 0)) AS day_90,
  SUM(COALESCE(a.day_120, 0)) AS day_120,
  SUM(COALESCE(a.day_180, 0)) AS day_180,
  SUM(COALESCE(a.day_270, 0)) AS day_270,
  SUM(CASE WHEN b.first_order_at < p.joined_at + INTERVAL '30' DAY THEN 1 ELSE 0 END) AS ordered_30,
  SUM(CASE WHEN b.first_order_at < p.joined_at + INTERVAL '90' DAY THEN 1 ELSE 0 END) AS ordered_90
FROM people p
LEFT JOIN acted a ON a.person = p.person
LEFT JOIN bought b ON b.person = p.person
WHERE p.joined_at >= :since
GROUP BY p.joined_on
ORDER BY p.joined_on
