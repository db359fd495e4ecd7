-- Listed people, those with a tag that is still in use, and those who agreed to be recorded.
-- Tables: people, customer_tags, tags, customers, id_map.
SELECT
  COUNT(*) AS listed,
  SUM(CASE WHEN t.person IS NULL THEN 0 ELSE 1 END) AS tagged
FROM people p
LEFT JOIN (
  SELECT DISTINCT COALESCE(m.person_hid, c.external_hid) AS person
  FROM customer_tags c
  LEFT JOIN tags g ON g.tag_id = c.tag_id
  LEFT JOIN id_map m ON m.external_hid = c.external_hid AND m.external_hid <> ''
  WHERE g.deleted IS NULL OR NOT g.deleted
) t ON t.person = p.person
WHERE p.left_at IS NULL
