"""The web layer of all services: HTTP server and middleware, access control, API, forms, views and administration."""
