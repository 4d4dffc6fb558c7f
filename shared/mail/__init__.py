"""Email: the mailer port and its adapters for a folder and for SMTP."""
