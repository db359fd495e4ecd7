-- Groups of each owner by day: members, those who spoke, those who came.
-- Table: group_daily. Parameters: since, until.
SELECT owner_id, date AS day, groups_total, members_total, members_active, new_members, lost_members
FROM group_daily
WHERE owner_id <> 'ALL' AND date >= :since AND date < :until
ORDER BY owner_id, date
