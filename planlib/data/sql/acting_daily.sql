-- People who acted, by day; messages sent to them are no acts of theirs, and neither is joining.
-- Table: touches. Parameters: since, until.
SELECT CAST(t.at AS DATE) AS day, COUNT(DISTINCT t.person_hid) AS people
FROM touches t
WHERE t.at >= :since AND t.at < :until
  AND t.touch_type NOT IN ('added', 'impression', 'exposure', 'send', 'sent', 'delivered', 'push')
GROUP BY 1
ORDER BY 1
