-- Reads of articles by day; source 99999999 is the whole where it is given, else the parts add up.
-- Table: oa_reads_daily. Parameters: since, until.
SELECT
  date AS day,
  COALESCE(
    SUM(CASE WHEN user_source = 99999999 THEN read_counts END),
    SUM(CASE WHEN user_source <> 99999999 THEN read_counts END)
  ) AS reads,
  COALESCE(
    SUM(CASE WHEN user_source = 99999999 THEN read_users END),
    SUM(CASE WHEN user_source <> 99999999 THEN read_users END)
  ) AS readers
FROM oa_reads_daily
WHERE date >= :since AND date < :until
GROUP BY date
ORDER BY date
