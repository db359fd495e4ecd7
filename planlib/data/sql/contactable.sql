-- Customers who may be contacted: consent was given and not taken back, nobody asked to be left alone.
SELECT external_hid
FROM customers
WHERE consent_status = 'granted' AND COALESCE(do_not_contact, FALSE) = FALSE AND n_followers > 0
ORDER BY external_hid
