-- One row a contact listed at a moment: what it did from then until the window's end. has_left: the last employee gone.
-- Tables: people, sold (both kept with until = label_until). Parameters: moment, label_until.
SELECT
  p.person,
  CASE WHEN p.left_at IS NULL OR p.left_at >= :label_until THEN 0 ELSE 1 END AS has_left,
  COALESCE(o.orders, 0) AS orders,
  CAST(COALESCE(o.fen, 0) AS BIGINT) AS fen
FROM people p
LEFT JOIN (
  SELECT buyer, COUNT(*) AS orders, SUM(fen) AS fen
  FROM sold
  WHERE paid_at >= :moment AND paid_at < :label_until
  GROUP BY buyer
) o ON o.buyer = p.person
WHERE p.joined_at < :moment AND (p.left_at IS NULL OR p.left_at >= :moment)
ORDER BY p.person
