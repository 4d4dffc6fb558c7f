"""What the office edits, on pages and over HTTP: sentences, substitutes, saved views, days off, targets and checklists."""
