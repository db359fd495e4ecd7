-- What the sales of a period are made of, by channel, region, store and class: contacts, who acted, bought, how often
-- and for how many fen. Classes by orders before the period. Orders before joining, or after leaving, are no contact's.
-- Tables: people, acted, sold. Parameter: opening (the period's beginning; its end is that of the tables).
WITH paid AS (
  SELECT p.person, COUNT(*) AS orders, SUM(s.fen) AS fen
  FROM people p
  JOIN sold s ON s.buyer = p.person AND s.paid_at >= :opening AND s.paid_at >= p.joined_at
  GROUP BY p.person
),
earlier AS (
  SELECT buyer, COUNT(*) AS orders FROM sold WHERE paid_at < :opening GROUP BY buyer
)
SELECT
  COALESCE(p.channel_id, '') AS channel_id,
  COALESCE(p.region_id, '') AS region_id,
  COALESCE(p.store_id, '') AS store_id,
  CASE
    WHEN p.joined_at >= :opening THEN 'newcomer'
    WHEN e.orders >= 2 THEN 'repeat_buyer'
    WHEN e.orders = 1 THEN 'one_order'
    ELSE 'no_order'
  END AS segment,
  COUNT(*) AS users,
  SUM(CASE WHEN a.last_at >= :opening THEN 1 ELSE 0 END) AS active,
  SUM(CASE WHEN b.orders > 0 THEN 1 ELSE 0 END) AS buyers,
  SUM(COALESCE(b.orders, 0)) AS orders,
  SUM(COALESCE(b.fen, 0)) AS fen
FROM people p
LEFT JOIN acted a ON a.person = p.person
LEFT JOIN paid b ON b.person = p.person
LEFT JOIN earlier e ON e.buyer = p.person
WHERE p.left_at IS NULL OR p.left_at >= :opening
GROUP BY 1, 2, 3, 4
ORDER BY 1, 2, 3, 4
