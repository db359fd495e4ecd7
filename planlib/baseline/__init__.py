"""Where the brand stands today: levels, retention, dormancy, content, communities, stores, benchmarks."""
