"""General rules by family; each takes a View and yields findings, none knows a particular plan."""
