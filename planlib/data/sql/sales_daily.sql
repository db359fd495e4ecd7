-- Paid orders by day.
-- Table: sold. Parameter: since.
SELECT CAST(paid_at AS DATE) AS day, COUNT(*) AS orders, SUM(fen) AS fen, COUNT(DISTINCT buyer) AS buyers
FROM sold
WHERE paid_at >= :since
GROUP BY 1
ORDER BY 1
