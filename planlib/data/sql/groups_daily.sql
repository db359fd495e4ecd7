-- Groups by day, all owners together: the firm's own total where it is given, else the sum of the owners.
-- Table: group_daily. Parameters: since, until.
SELECT
  date AS day,
  MAX(CASE WHEN owner_id = 'ALL' THEN 1 ELSE 0 END) AS whole,
  SUM(CASE WHEN owner_id = 'ALL' THEN groups_total END) AS groups_all,
  SUM(CASE WHEN owner_id <> 'ALL' THEN groups_total END) AS groups_owners,
  SUM(CASE WHEN owner_id = 'ALL' THEN members_total END) AS members_all,
  SUM(CASE WHEN owner_id <> 'ALL' THEN members_total END) AS members_owners,
  SUM(CASE WHEN owner_id = 'ALL' THEN members_active END) AS speaking_all,
  SUM(CASE WHEN owner_id <> 'ALL' THEN members_active END) AS speaking_owners
FROM group_daily
WHERE date >= :since AND date < :until
GROUP BY date
ORDER BY date
