-- One row a product: the title of its newest order.
-- Tables: orders, order_items. Parameter: until.
SELECT product_id, title
FROM (
  SELECT i.product_id, i.title,
    ROW_NUMBER() OVER (PARTITION BY i.product_id ORDER BY d.created_at DESC, d.order_id DESC, i.title) AS place
  FROM order_items i
  JOIN orders d ON d.order_id = i.order_id
  WHERE d.created_at < :until AND i.product_id <> ''
) named
WHERE place = 1
ORDER BY product_id
