-- People who ordered through the card of an article (scene 6) in the period.
-- Table: sold. Parameter: opening.
SELECT COUNT(DISTINCT buyer) AS content_buyers FROM sold WHERE paid_at >= :opening AND order_scene = 6
