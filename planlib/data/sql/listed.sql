-- What is known now of every customer: who serves (of those who follow, the one who added last;
-- empty: nobody does) and what was agreed to.
-- Tables: customers, follow_edges.
WITH serving AS (
  SELECT external_hid, staff_id,
    ROW_NUMBER() OVER (PARTITION BY external_hid ORDER BY added_at DESC NULLS LAST, staff_id) AS place
  FROM follow_edges
  WHERE is_active AND staff_id <> ''
)
SELECT c.external_hid, COALESCE(s.staff_id, '') AS staff_id, COALESCE(c.consent_status, '') AS consent_status,
  COALESCE(c.do_not_contact, FALSE) AS do_not_contact
FROM customers c
LEFT JOIN serving s ON s.external_hid = c.external_hid AND s.place = 1
ORDER BY c.external_hid
