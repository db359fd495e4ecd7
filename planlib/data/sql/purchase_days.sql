-- One row a person and day with a paid order.
-- Table: sold.
SELECT buyer AS person, CAST(paid_at AS DATE) AS bought_on, COUNT(*) AS orders, SUM(fen - refund_fen) AS fen
FROM sold
GROUP BY buyer, CAST(paid_at AS DATE)
ORDER BY buyer, bought_on
