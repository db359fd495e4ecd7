"""Charts: `base` holds what all share, one module a room holds its own; `chart(data, words) -> Figure`."""
