-- One row a person: joined with the first employee, gone when the last one has gone (empty: still listed).
-- Tables: follow_edges, id_map, staff. Parameter: until, the moment after the last day.
SELECT
  COALESCE(m.person_hid, e.external_hid) AS person,
  MIN(e.added_at) AS joined_at,
  CAST(MIN(e.added_at) AS DATE) AS joined_on,
  CASE
    WHEN SUM(CASE WHEN COALESCE(e.removed_at, CASE WHEN e.is_active THEN NULL ELSE e.last_seen_at END) < :until
      THEN 0 ELSE 1 END) > 0 THEN NULL
    ELSE MAX(COALESCE(e.removed_at, e.last_seen_at))
  END AS left_at,
  MIN(e.channel_id) AS channel_id,
  MIN(e.staff_id) AS staff_id,
  MIN(s.store_id) AS store_id,
  MIN(s.region_id) AS region_id
FROM follow_edges e
LEFT JOIN id_map m ON m.external_hid = e.external_hid AND m.external_hid <> ''
LEFT JOIN staff s ON s.staff_id = e.staff_id
WHERE e.added_at < :until
GROUP BY COALESCE(m.person_hid, e.external_hid)
