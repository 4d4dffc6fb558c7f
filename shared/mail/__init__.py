"""E-mail: what a mailer promises, and the mailers that keep it, into a folder or over SMTP."""
