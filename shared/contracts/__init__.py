"""Every event, one class per fact, grouped by the service that owns it; the envelope; and the course that follows from them."""
