-- Articles published in the period with their latest totals.
-- Table: oa_articles. Parameters: since, until.
SELECT
  msgid,
  MIN(title) AS title,
  MIN(ref_date) AS published_on,
  MAX(read_users) AS reads,
  MAX(COALESCE(like_users, 0) + COALESCE(zaikan_users, 0)) AS likes,
  MAX(COALESCE(comments, 0)) AS comments,
  MAX(COALESCE(share_users, 0)) AS shares,
  MAX(target_users) AS target_users
FROM oa_articles
WHERE is_cumulative AND ref_date >= :since AND ref_date < :until
GROUP BY msgid
ORDER BY published_on, msgid
