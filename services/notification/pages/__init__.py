"""HTML pages of notification."""
