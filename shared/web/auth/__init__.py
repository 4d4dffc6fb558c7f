"""Access control, sessions, CSRF protection, and the API and pages of accounts."""
