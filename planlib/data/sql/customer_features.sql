-- One row a contact listed at a moment: what was known of it before. Nothing at or after the moment is read, and what
-- carries no stamp (consent, number of employees today) is no feature; last_stamp is the latest that a row rests on.
-- Tags carry the day of their last pull, which tells who is listed still: only the tags of a group that is set on
-- joining and never changed may be used, by its name (tag_group; '' for none).
-- Tables: people, sold (both kept with until = moment), touches, moment_interactions, send_results, id_map,
-- customer_tags. Parameters: moment, back_7, back_30, back_90 (7, 30, 90 days before), tag_group.
WITH listed AS (
  SELECT person, joined_at, staff_id, channel_id
  FROM people
  WHERE joined_at < :moment AND (left_at IS NULL OR left_at >= :moment)
),
acts AS (
  SELECT t.person_hid AS person, t.at AS acted_at, t.touch_type AS kind
  FROM touches t
  WHERE t.at < :moment
    AND t.touch_type NOT IN ('added', 'impression', 'exposure', 'send', 'sent', 'delivered', 'push')
  UNION ALL
  SELECT COALESCE(m.person_hid, i.person_hid) AS person, i.at AS acted_at, i.kind AS kind
  FROM moment_interactions i
  LEFT JOIN id_map m ON m.external_hid = i.person_hid AND m.external_hid <> ''
  WHERE i.at < :moment
),
acting AS (
  SELECT
    person,
    MAX(acted_at) AS last_act_at,
    SUM(CASE WHEN acted_at >= :back_7 THEN 1 ELSE 0 END) AS acts_7,
    SUM(CASE WHEN acted_at >= :back_30 THEN 1 ELSE 0 END) AS acts_30,
    SUM(CASE WHEN acted_at >= :back_90 THEN 1 ELSE 0 END) AS acts_90,
    SUM(CASE WHEN acted_at >= :back_30 AND kind = 'cart' THEN 1 ELSE 0 END) AS carts_30,
    SUM(CASE WHEN acted_at >= :back_30 AND kind = 'visit' THEN 1 ELSE 0 END) AS visits_30,
    SUM(CASE WHEN acted_at >= :back_90 AND kind = 'open' THEN 1 ELSE 0 END) AS opens_90
  FROM acts
  GROUP BY person
),
ordered AS (
  SELECT
    buyer,
    MIN(paid_at) AS first_order_at,
    MAX(paid_at) AS last_order_at,
    COUNT(*) AS orders,
    SUM(CASE WHEN paid_at >= :back_90 THEN 1 ELSE 0 END) AS orders_90,
    SUM(fen) AS fen
  FROM sold
  WHERE paid_at < :moment
  GROUP BY buyer
),
reached AS (
  SELECT
    COALESCE(m.person_hid, r.target_hid) AS person,
    MAX(r.sent_at) AS last_push_at,
    SUM(CASE WHEN r.sent_at >= :back_30 THEN 1 ELSE 0 END) AS pushes_30,
    SUM(CASE WHEN r.sent_at >= :back_90 THEN 1 ELSE 0 END) AS pushes_90
  FROM send_results r
  LEFT JOIN id_map m ON m.external_hid = r.target_hid AND m.external_hid <> ''
  WHERE r.status = 1 AND r.sent_at < :moment
  GROUP BY COALESCE(m.person_hid, r.target_hid)
),
labelled AS (
  SELECT COALESCE(m.person_hid, c.external_hid) AS person, MAX(c.tag_name) AS tag
  FROM customer_tags c
  LEFT JOIN id_map m ON m.external_hid = c.external_hid AND m.external_hid <> ''
  WHERE c.group_name = :tag_group AND :tag_group <> ''
  GROUP BY COALESCE(m.person_hid, c.external_hid)
)
SELECT
  l.person,
  l.staff_id,
  COALESCE(l.channel_id, '') AS channel_id,
  l.joined_at,
  a.last_act_at,
  COALESCE(a.acts_7, 0) AS acts_7,
  COALESCE(a.acts_30, 0) AS acts_30,
  COALESCE(a.acts_90, 0) AS acts_90,
  COALESCE(a.carts_30, 0) AS carts_30,
  COALESCE(a.visits_30, 0) AS visits_30,
  COALESCE(a.opens_90, 0) AS opens_90,
  o.first_order_at,
  o.last_order_at,
  COALESCE(o.orders, 0) AS orders,
  COALESCE(o.orders_90, 0) AS orders_90,
  CAST(COALESCE(o.fen, 0) AS BIGINT) AS fen,
  COALESCE(s.pushes_30, 0) AS pushes_30,
  COALESCE(s.pushes_90, 0) AS pushes_90,
  COALESCE(g.tag, '') AS tag,
  GREATEST(
    l.joined_at,
    COALESCE(a.last_act_at, l.joined_at),
    COALESCE(o.last_order_at, l.joined_at),
    COALESCE(s.last_push_at, l.joined_at)
  ) AS last_stamp
FROM listed l
LEFT JOIN acting a ON a.person = l.person
LEFT JOIN ordered o ON o.buyer = l.person
LEFT JOIN reached s ON s.person = l.person
LEFT JOIN labelled g ON g.person = l.person
ORDER BY l.person
