-- Customers who joined by a moment and have not acted since: with the moment N days ago, N whole days of silence.
-- Tables: follow_edges, id_map, people, acted. Parameter: joined_by.
SELECT DISTINCT e.external_hid
FROM follow_edges e
LEFT JOIN id_map m ON m.external_hid = e.external_hid AND m.external_hid <> ''
JOIN people p ON p.person = COALESCE(m.person_hid, e.external_hid)
LEFT JOIN acted a ON a.person = p.person
WHERE p.joined_at <= :joined_by AND a.person IS NULL
