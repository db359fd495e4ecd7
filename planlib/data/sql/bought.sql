-- One row a person who ordered since joining: when first.
-- Tables: people, sold.
SELECT p.person, MIN(s.paid_at) AS first_order_at, MAX(s.paid_at) AS last_order_at
FROM people p
JOIN sold s ON s.buyer = p.person AND s.paid_at >= p.joined_at
GROUP BY p.person
