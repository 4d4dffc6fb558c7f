"""Who may call a route: access, sessions, CSRF, and the pages of accounts."""
