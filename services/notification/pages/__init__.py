"""The administrator's HTML pages of the message ledger."""
