"""Schedule, users, budget and experiments on the same random paths: what comes of them together, and why."""
