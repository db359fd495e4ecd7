-- One row a person who had joined by a moment: whether it is listed then, who serves it, what it bought, how it took part.
-- Social acts bring others in; content acts answer what the brand published; acts are all its own, as acted has them.
-- Tables: people, sold, touches, moment_interactions, group_members, follow_edges, id_map.
-- Parameters: until (the moment), quarter_since and year_since (90 and 365 days before).
WITH bought AS (
  SELECT
    person,
    SUM(orders) AS orders,
    COUNT(*) AS days_bought,
    MIN(bought_on) AS first_on,
    MAX(bought_on) AS last_on,
    SUM(fen) AS fen,
    SUM(CASE WHEN place = 1 THEN fen ELSE 0 END) AS first_fen,
    SUM(CASE WHEN bought_on >= CAST(:quarter_since AS DATE) THEN fen ELSE 0 END) AS quarter_fen,
    SUM(CASE WHEN bought_on >= CAST(:quarter_since AS DATE) THEN 1 ELSE 0 END) AS quarter_days
  FROM (
    SELECT
      buyer AS person,
      CAST(paid_at AS DATE) AS bought_on,
      COUNT(*) AS orders,
      SUM(fen - refund_fen) AS fen,
      ROW_NUMBER() OVER (PARTITION BY buyer ORDER BY CAST(paid_at AS DATE)) AS place
    FROM sold
    WHERE paid_at < :until
    GROUP BY buyer, CAST(paid_at AS DATE)
  ) days
  GROUP BY person
),
acts AS (
  SELECT t.person_hid AS person, t.at AS acted_at, t.touch_type AS kind FROM touches t
  WHERE t.at >= :year_since AND t.at < :until
    AND t.touch_type NOT IN ('added', 'impression', 'exposure', 'send', 'sent', 'delivered', 'push')
  UNION ALL
  SELECT COALESCE(m.person_hid, i.person_hid) AS person, i.at AS acted_at, 'content' AS kind FROM moment_interactions i
  LEFT JOIN id_map m ON m.external_hid = i.person_hid AND m.external_hid <> ''
  WHERE i.at >= :year_since AND i.at < :until
  UNION ALL
  SELECT COALESCE(m.person_hid, g.invitor) AS person, g.joined_at AS acted_at, 'invite' AS kind FROM group_members g
  LEFT JOIN id_map m ON m.external_hid = g.invitor AND m.external_hid <> ''
  WHERE g.joined_at >= :year_since AND g.joined_at < :until AND g.invitor <> '' AND g.invitor <> g.member_hid
),
acted AS (
  SELECT
    person,
    SUM(CASE WHEN acted_at >= :quarter_since THEN 1 ELSE 0 END) AS acts_quarter,
    SUM(CASE WHEN kind IN ('invite', 'share') THEN 1 ELSE 0 END) AS social,
    SUM(CASE WHEN kind IN ('content', 'like', 'comment', 'open', 'browse', 'share') THEN 1 ELSE 0 END) AS content,
    CAST(MAX(acted_at) AS DATE) AS acted_on
  FROM acts
  GROUP BY person
),
edges AS (
  SELECT
    COALESCE(m.person_hid, e.external_hid) AS person,
    e.external_hid,
    e.staff_id,
    ROW_NUMBER() OVER (
      PARTITION BY COALESCE(m.person_hid, e.external_hid) ORDER BY e.added_at DESC, e.staff_id, e.external_hid
    ) AS place
  FROM follow_edges e
  LEFT JOIN id_map m ON m.external_hid = e.external_hid AND m.external_hid <> ''
  WHERE e.added_at < :until
    AND COALESCE(e.removed_at, CASE WHEN e.is_active THEN NULL ELSE e.last_seen_at END, :until) >= :until
)
SELECT
  p.person,
  e.external_hid,
  e.staff_id,
  p.joined_on,
  CASE WHEN p.left_at IS NULL THEN 1 ELSE 0 END AS listed,
  b.first_on,
  b.last_on,
  COALESCE(b.orders, 0) AS orders,
  COALESCE(b.days_bought, 0) AS days_bought,
  COALESCE(b.fen, 0) AS fen,
  COALESCE(b.first_fen, 0) AS first_fen,
  COALESCE(b.quarter_fen, 0) AS quarter_fen,
  COALESCE(b.quarter_days, 0) AS quarter_days,
  COALESCE(a.acts_quarter, 0) AS acts_quarter,
  COALESCE(a.social, 0) AS social,
  COALESCE(a.content, 0) AS content,
  a.acted_on
FROM people p
LEFT JOIN edges e ON e.person = p.person AND e.place = 1
LEFT JOIN bought b ON b.person = p.person
LEFT JOIN acted a ON a.person = p.person
ORDER BY p.person
