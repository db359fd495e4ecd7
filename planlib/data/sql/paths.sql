-- Equal journeys counted together: channels in order of time, parted by ' > ', and how many ended with and without an
-- order. A journey is what one person visited under one campaign id, or without one within the day; it ends with an
-- order when the person pays within the hour after its last visit.
-- Tables: touches, sold. Parameters: since, until.
WITH visits AS (
  SELECT
    person_hid,
    COALESCE(campaign_id, CAST(CAST(t."at" AS DATE) AS VARCHAR(10))) AS journey,
    t."at" AS visited_at,
    channel_id
  FROM touches t
  WHERE touch_type = 'visit' AND channel_id <> '' AND t."at" >= :since AND t."at" < :until
),
told AS (
  SELECT
    person_hid,
    journey,
    visited_at,
    LISTAGG(channel_id, ' > ') OVER (
      PARTITION BY person_hid, journey ORDER BY visited_at, channel_id
      ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING
    ) AS path
  FROM visits
),
journeys AS (
  SELECT person_hid, journey, path, MAX(visited_at) AS last_at
  FROM told
  GROUP BY person_hid, journey, path
),
ended AS (
  SELECT j.path, MAX(CASE WHEN s.buyer IS NULL THEN 0 ELSE 1 END) AS won
  FROM journeys j
  LEFT JOIN sold s
    ON s.buyer = j.person_hid AND s.paid_at >= j.last_at AND s.paid_at <= j.last_at + INTERVAL '1' HOUR
  GROUP BY j.person_hid, j.journey, j.path
)
SELECT path, SUM(won) AS converted, COUNT(*) - SUM(won) AS lost
FROM ended
GROUP BY path
ORDER BY path
