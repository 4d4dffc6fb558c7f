"""The applicant's HTML pages."""
