-- One row a person: joined with the first employee, gone when the last one has gone (empty: still listed).
-- Tables: follow_edges, id_map, staff. Parameter: until, the moment after the last day.
SELECT f.*, s.store_id, s.region_id
FROM (
  SELECT
    person,
    MIN(added_at) AS joined_at,
    CAST(MIN(added_at) AS DATE) AS joined_on,
    CASE WHEN SUM(CASE WHEN gone_at < :until THEN 0 ELSE 1 END) > 0 THEN NULL ELSE MAX(gone_at) END AS left_at,
    MAX(CASE WHEN place = 1 THEN channel_id END) AS channel_id,
    MAX(CASE WHEN place = 1 THEN staff_id END) AS staff_id
  FROM (
    SELECT
      COALESCE(m.person_hid, e.external_hid) AS person,
      e.added_at,
      e.channel_id,
      e.staff_id,
      COALESCE(e.removed_at, CASE WHEN e.is_active THEN NULL ELSE e.last_seen_at END) AS gone_at,
      ROW_NUMBER() OVER (
        PARTITION BY COALESCE(m.person_hid, e.external_hid) ORDER BY e.added_at, e.staff_id
      ) AS place
    FROM follow_edges e
    LEFT JOIN id_map m ON m.external_hid = e.external_hid AND m.external_hid <> ''
    WHERE e.added_at < :until
  ) edges
  GROUP BY person
) f
LEFT JOIN staff s ON s.staff_id = f.staff_id
