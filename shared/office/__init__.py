"""Small JSON objects of the office that are not facts about one request: sentences, preferences, digests, figures, presence."""
