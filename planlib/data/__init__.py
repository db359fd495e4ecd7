"""From the files operators have to tidy tables: loaders, SQL engine, quality, personal data."""
