"""The service officer's HTML pages."""
