-- Spot checks by kind, region and store: how many were made and how many came out right.
-- Table: audits. Parameters: since, until.
SELECT
  audit_kind,
  COALESCE(region_id, '') AS region_id,
  COALESCE(store_id, '') AS store_id,
  COUNT(*) AS checks,
  SUM(CASE WHEN correct THEN 1 ELSE 0 END) AS correct
FROM audits
WHERE checked_at >= :since AND checked_at < :until
GROUP BY 1, 2, 3
ORDER BY 1, 2, 3
