"""Small JSON documents of the office that are not facts about one request: phrases, saved views, substitutes, presence."""
