-- Equal journeys counted together: channels in order of time, parted by ' > ', and how many ended with and without an
-- order. A journey is what one person visited under one campaign id, or without one within the day; it ends with an
-- order when the person pays within the hour after its last visit.
-- Tables: touches, sold. Parameters: since, until.
WITH visits AS (
  SELECT
    person_hid,
    COALESCE(campaign_id, CAST(CAST(t."at" AS DATE) AS VARCHAR)) AS journey,
    t."at" AS visited_at,
    channel_id
  FROM touches t
  WHERE touch_type = 'visit' AND channel_id <> '' AND t."at" >= :since AND t."at" < :until
),
journeys AS (
  SELECT
    person_hid,
    journey,
    STRING_AGG(channel_id, ' > ' ORDER BY visited_at, channel_id) AS path,
    MAX(visited_at) AS last_at
  FROM visits
  GROUP BY person_hid, journey
),
ended AS (
  SELECT j.path, MAX(CASE WHEN s.buyer IS NULL THEN 0 ELSE 1 END) AS won
  FROM journeys j
  LEFT JOIN sold s
    ON s.buyer = j.person_hid AND s.paid_at >= j.last_at AND s.paid_at <= j.last_at + INTERVAL 1 HOUR
  GROUP BY j.person_hid, j.journey, j.path
)
SELECT path, SUM(won) AS converted, COUNT(*) - SUM(won) AS lost
FROM ended
GROUP BY path
ORDER BY path
