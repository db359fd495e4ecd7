-- Mass messages of the last quarter: how many arrived, and how many of them were opened.
-- Tables: send_results, touches. Parameters: quarter_since, until.
SELECT d.delivered, o.opened
FROM (
  SELECT COUNT(*) AS delivered
  FROM send_results
  WHERE status = 1 AND sent_at >= :quarter_since AND sent_at < :until
) d
CROSS JOIN (
  SELECT COUNT(*) AS opened
  FROM (
    SELECT DISTINCT t.person_hid, t.campaign_id
    FROM touches t
    WHERE t.touch_type = 'open' AND t.at >= :quarter_since AND t.at < :until
  ) each_once
) o
