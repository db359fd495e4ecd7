-- One row a gap between purchase days of one buyer: within a product, and of anything (item_class ''). The last gap of
-- each is open (next_on empty). Orders that were given back whole are none; several on one day are one purchase.
-- is_contact: whether the buyer is, or ever was, a contact.
-- Tables: orders, order_items, id_map. Parameter: until.
WITH paid AS (
  SELECT
    COALESCE(m.person_hid, d.unionid_hid, d.openid_hid, d.order_id) AS buyer,
    d.order_id,
    CAST(d.paid_at AS DATE) AS bought_on
  FROM orders d
  LEFT JOIN id_map m ON m.openid_hid = d.openid_hid AND m.openid_hid <> ''
  WHERE d.paid_at < :until AND COALESCE(d.refund_yuan, 0) < d.order_yuan
),
days AS (
  SELECT buyer, '' AS item_class, bought_on FROM paid
  UNION
  SELECT b.buyer, i.product_id AS item_class, b.bought_on
  FROM paid b
  JOIN order_items i ON i.order_id = b.order_id
  WHERE i.product_id <> ''
),
contacts AS (
  SELECT DISTINCT person_hid FROM id_map WHERE external_hid <> ''
)
SELECT
  d.item_class,
  d.buyer AS person,
  CASE WHEN c.person_hid IS NULL THEN 0 ELSE 1 END AS is_contact,
  ROW_NUMBER() OVER (PARTITION BY d.item_class, d.buyer ORDER BY d.bought_on) AS place,
  d.bought_on,
  LEAD(d.bought_on) OVER (PARTITION BY d.item_class, d.buyer ORDER BY d.bought_on) AS next_on
FROM days d
LEFT JOIN contacts c ON c.person_hid = d.buyer
ORDER BY d.item_class, d.buyer, d.bought_on
