-- First buyers by the day of their first order and of the next (empty: none yet); only who joined in the data's time.
-- Tables: people, bought, sold. Parameter: since.
SELECT first_on, next_on, COUNT(*) AS people
FROM (
  SELECT b.person, CAST(b.first_order_at AS DATE) AS first_on, CAST(MIN(s.paid_at) AS DATE) AS next_on
  FROM people p
  JOIN bought b ON b.person = p.person
  LEFT JOIN sold s ON s.buyer = b.person AND s.paid_at > b.first_order_at
  WHERE p.joined_at >= :since
  GROUP BY b.person, b.first_order_at
) f
GROUP BY 1, 2
ORDER BY first_on, next_on NULLS LAST
