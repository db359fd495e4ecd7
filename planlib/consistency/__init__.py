"""A plan as named rules: what cannot hold together, what is strained, what is left open."""
