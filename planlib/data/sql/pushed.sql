-- Contacts listed at a moment by how many mass messages reached them in the window before, and how many of them had
-- left by the end of the window after. Nobody was put to a number by chance: compare with care.
-- Tables: people (kept with until = label_until), send_results, id_map. Parameters: push_since, moment, label_until.
SELECT
  COALESCE(r.pushes, 0) AS pushes,
  COUNT(*) AS people,
  SUM(CASE WHEN p.left_at < :label_until THEN 1 ELSE 0 END) AS exits
FROM people p
LEFT JOIN (
  SELECT COALESCE(m.person_hid, s.target_hid) AS person, COUNT(*) AS pushes
  FROM send_results s
  LEFT JOIN id_map m ON m.external_hid = s.target_hid AND m.external_hid <> ''
  WHERE s.status = 1 AND s.sent_at >= :push_since AND s.sent_at < :moment
  GROUP BY COALESCE(m.person_hid, s.target_hid)
) r ON r.person = p.person
WHERE p.joined_at < :push_since AND (p.left_at IS NULL OR p.left_at >= :moment)
GROUP BY COALESCE(r.pushes, 0)
ORDER BY 1
