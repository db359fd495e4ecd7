-- Sums over buyers (one unit a buyer) of orders and fen in the year and in the last period, and of the new ones' fen.
-- Table: sold. Parameters: year_since, opening.
WITH buyers AS (
  SELECT
    buyer,
    MIN(paid_at) AS first_at,
    SUM(CASE WHEN paid_at >= :year_since THEN 1 ELSE 0 END) AS k,
    SUM(CASE WHEN paid_at >= :year_since THEN CAST(fen AS DECIMAL(38, 0)) ELSE 0 END) AS v,
    SUM(CASE WHEN paid_at >= :opening THEN 1 ELSE 0 END) AS k_now,
    SUM(CASE WHEN paid_at >= :opening THEN CAST(fen AS DECIMAL(38, 0)) ELSE 0 END) AS v_now
  FROM sold
  GROUP BY buyer
)
SELECT
  COUNT(*) AS buyers_to_date,
  SUM(CASE WHEN k > 0 THEN 1 ELSE 0 END) AS buyers,
  SUM(k) AS orders,
  SUM(v) AS fen,
  SUM(k * k) AS orders_orders,
  SUM(k * v) AS orders_fen,
  SUM(v * v) AS fen_fen,
  SUM(CASE WHEN k_now > 0 THEN 1 ELSE 0 END) AS buyers_now,
  SUM(k_now) AS orders_now,
  SUM(k_now * k_now) AS orders_orders_now,
  SUM(v_now) AS fen_now,
  SUM(v_now * v_now) AS fen_fen_now,
  SUM(CASE WHEN first_at >= :opening THEN 1 ELSE 0 END) AS new_buyers,
  SUM(CASE WHEN first_at >= :opening THEN v_now ELSE 0 END) AS new_fen,
  SUM(CASE WHEN first_at >= :opening THEN v_now * v_now ELSE 0 END) AS new_fen_fen
FROM buyers
