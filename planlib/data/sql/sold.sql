-- One row a paid order: its buyer, one id a person; its money in fen, refunds not taken off and beside it.
-- Tables: orders, id_map. Parameter: until.
SELECT
  COALESCE(m.person_hid, d.unionid_hid, d.openid_hid, d.order_id) AS buyer,
  d.paid_at,
  d.order_scene,
  CAST(d.order_yuan * 100 AS BIGINT) AS fen,
  CAST(COALESCE(d.refund_yuan, 0) * 100 AS BIGINT) AS refund_fen
FROM orders d
LEFT JOIN id_map m ON m.openid_hid = d.openid_hid AND m.openid_hid <> ''
WHERE d.paid_at < :until
