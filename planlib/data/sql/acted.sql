-- One row a person who acted since joining: when first and last, last before the period, and on which days of age.
-- Acts are the person's own; messages sent to it are none, and so is joining.
-- Tables: touches, moment_interactions, id_map, people, sold. Parameters: until, opening (the moment the period begins).
WITH acts AS (
  SELECT t.person_hid AS person, t.at AS acted_at FROM touches t
  WHERE t.at < :until AND t.touch_type NOT IN ('added', 'impression', 'exposure', 'send', 'sent', 'delivered', 'push')
  UNION ALL
  SELECT COALESCE(m.person_hid, i.person_hid) AS person, i.at AS acted_at FROM moment_interactions i
  LEFT JOIN id_map m ON m.external_hid = i.person_hid AND m.external_hid <> ''
  WHERE i.at < :until
  UNION ALL
  SELECT buyer AS person, paid_at AS acted_at FROM sold
)
SELECT
  p.person,
  MAX(a.acted_at) AS last_at,
  MAX(CASE WHEN a.acted_at < :opening THEN a.acted_at END) AS last_before,
  MIN(a.acted_at) AS first_at,
  MAX(CASE WHEN a.acted_at >= p.joined_on + INTERVAL '7' DAY AND a.acted_at < p.joined_on + INTERVAL '14' DAY
    THEN 1 ELSE 0 END) AS day_7,
  MAX(CASE WHEN a.acted_at >= p.joined_on + INTERVAL '30' DAY AND a.acted_at < p.joined_on + INTERVAL '37' DAY
    THEN 1 ELSE 0 END) AS day_30,
  MAX(CASE WHEN a.acted_at >= p.joined_on + INTERVAL '60' DAY AND a.acted_at < p.joined_on + INTERVAL '67' DAY
    THEN 1 ELSE 0 END) AS day_60,
  MAX(CASE WHEN a.acted_at >= p.joined_on + INTERVAL '90' DAY AND a.acted_at < p.joined_on + INTERVAL '97' DAY
    THEN 1 ELSE 0 END) AS day_90,
  MAX(CASE WHEN a.acted_at >= p.joined_on + INTERVAL '120' DAY AND a.acted_at < p.joined_on + INTERVAL '127' DAY
    THEN 1 ELSE 0 END) AS day_120,
  MAX(CASE WHEN a.acted_at >= p.joined_on + INTERVAL '180' DAY AND a.acted_at < p.joined_on + INTERVAL '187' DAY
    THEN 1 ELSE 0 END) AS day_180,
  MAX(CASE WHEN a.acted_at >= p.joined_on + INTERVAL '270' DAY AND a.acted_at < p.joined_on + INTERVAL '277' DAY
    THEN 1 ELSE 0 END) AS day_270
FROM people p
JOIN acts a ON a.person = p.person AND a.acted_at >= p.joined_at
GROUP BY p.person
