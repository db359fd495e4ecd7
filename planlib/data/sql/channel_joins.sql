-- New contacts by day and channel: each person with the first employee that ever added them.
-- Tables: follow_edges, id_map. Parameters: since, until.
WITH first_edges AS (
  SELECT
    e.channel_id,
    e.added_at,
    ROW_NUMBER() OVER (
      PARTITION BY COALESCE(m.person_hid, e.external_hid) ORDER BY e.added_at, e.staff_id
    ) AS place
  FROM follow_edges e
  LEFT JOIN id_map m ON m.external_hid = e.external_hid AND m.external_hid <> ''
)
SELECT CAST(added_at AS DATE) AS day, channel_id, COUNT(*) AS people
FROM first_edges
WHERE place = 1 AND channel_id IS NOT NULL AND added_at >= :since AND added_at < :until
GROUP BY 1, 2
ORDER BY 1, 2
