"""Planning and experimentation workbook for private-domain (WeChat) operations."""

__version__ = "0.1.0"
