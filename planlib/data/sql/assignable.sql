-- Customers who are still contacts, who serves each (of those who follow, the one who added last), and who may be sent to.
-- Tables: customers, follow_edges, staff.
WITH serving AS (
  SELECT external_hid, staff_id,
    ROW_NUMBER() OVER (PARTITION BY external_hid ORDER BY added_at DESC NULLS LAST, staff_id) AS place
  FROM follow_edges
  WHERE is_active AND staff_id <> ''
)
SELECT c.external_hid, s.staff_id, COALESCE(t.store_id, '') AS store_id, COALESCE(t.region_id, '') AS region_id,
  c.first_add_at AS joined_at,
  COALESCE(c.consent_status = 'granted' AND COALESCE(c.do_not_contact, FALSE) = FALSE, FALSE) AS contactable
FROM customers c
JOIN serving s ON s.external_hid = c.external_hid AND s.place = 1
LEFT JOIN staff t ON t.staff_id = s.staff_id
ORDER BY c.external_hid
