-- Tags of customers by name, whoever of the staff set them.
-- Table: customer_tags.
SELECT DISTINCT external_hid, tag_name
FROM customer_tags
WHERE tag_name IS NOT NULL AND tag_name <> ''
ORDER BY external_hid, tag_name
