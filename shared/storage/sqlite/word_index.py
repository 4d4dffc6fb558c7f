"""The full-text index of the searched text of one service's records: trigrams in FTS5, kept up to date by triggers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import apsw

from shared.storage import search
from shared.storage.sqlite.connection import read_number

SAMPLED_RECORDS = 32
"""Records from all parts of the table, which show which trigrams are common."""
SAMPLE_SIZE = 64
"""The first records with a trigram of none of these, by whose density it is estimated how common it is."""
MAX_MATCHED_TRIGRAMS = 3
"""The rarest trigrams of a search find its candidates; more only cost time."""
MAX_PROBED_TRIGRAMS = 40

# Without positions the index is a quarter as large; candidates are compared with the text itself.
_SCHEMA = """
CREATE VIRTUAL TABLE @words USING fts5(search, content='', contentless_delete=1, detail='none', tokenize='trigram');
CREATE TABLE @words_missing (up_to INTEGER NOT NULL) STRICT;
INSERT INTO @words_missing SELECT coalesce(max(place), 0) FROM @documents;
CREATE TRIGGER @words_insert AFTER INSERT ON @documents WHEN new.search IS NOT NULL BEGIN
    INSERT INTO @words (rowid, search) VALUES (new.place, ' ' || new.search || ' ');
END;
CREATE TRIGGER @words_update AFTER UPDATE OF search ON @documents WHEN new.search IS NOT old.search BEGIN
    DELETE FROM @words WHERE rowid = old.place;
    INSERT INTO @words (rowid, search) SELECT new.place, ' ' || new.search || ' ' WHERE new.search IS NOT NULL;
END;
CREATE TRIGGER @words_delete AFTER DELETE ON @documents BEGIN
    DELETE FROM @words WHERE rowid = old.place;
END;
"""
_SAMPLE = """
WITH RECURSIVE steps (step) AS (VALUES (1) UNION ALL SELECT step + 1 FROM steps WHERE step < ?1)
SELECT ' ' || search || ' ' FROM @documents WHERE search IS NOT NULL AND place IN (
    SELECT (SELECT max(place) FROM @documents) * step / ?1 FROM steps
)
"""
_EXISTS = "SELECT 1 FROM sqlite_schema WHERE name = '@words'"
_ADD = """
INSERT INTO @words (rowid, search) SELECT place, ' ' || search || ' ' FROM @documents
 WHERE place > ?1 AND place <= ?2 AND search IS NOT NULL AND place NOT IN (SELECT id FROM @words_docsize)
"""


class WordIndex:
    """The index of one service; `service` is the prefix of its tables.

    Records that were stored before the index existed are added later, the newest first; until then nothing is looked up.
    """

    def __init__(self, service: str) -> None:
        self._service = service
        self.rowids = self._sql("SELECT rowid FROM @words WHERE @words MATCH ?")
        self._count = "".join(("SELECT count(*) FROM (", self.rowids, " LIMIT ?)"))

    def create(self, db: apsw.Connection) -> None:
        """Create what is missing; the caller's transaction makes it one step."""
        if not db.execute(self._sql(_EXISTS)).fetchall():
            for _ in db.execute(self._sql(_SCHEMA)):
                pass

    def up_to(self, db: apsw.Connection) -> int:
        """Return the place up to which records may be missing, 0 if the index is complete."""
        return read_number(db, self._sql("SELECT up_to FROM @words_missing"))

    def add_missing(self, db: apsw.Connection, limit: int) -> int:
        """Add up to `limit` records to the index, and return the place up to which records are still missing."""
        end = self.up_to(db)
        start = max(0, end - limit)
        db.execute(self._sql(_ADD), (start, end))
        db.execute(self._sql("UPDATE @words_missing SET up_to = ?"), (start,))
        return start

    def match(self, db: apsw.Connection, terms: Sequence[str]) -> str | None:
        """Return an FTS5 query for records that may contain all terms, None if they are too common to be looked up."""
        if not terms or self.up_to(db):
            return None
        query = " AND ".join(map(_quote, self._rarest(db, _trigrams(terms))))
        return query if self._counted(db, query, search.MAX_CANDIDATES) < search.MAX_CANDIDATES else None

    def _rarest(self, db: apsw.Connection, trigrams: Sequence[str]) -> list[str]:
        """Return some trigrams: first those that no sampled record has, by the density of their first records.

        The first records alone would mislead, because what numbers of one year begin with is rare before that year.
        """
        texts = [str(text) for (text,) in db.execute(self._sql(_SAMPLE), (SAMPLED_RECORDS,))]
        shares = {trigram: sum(trigram in text for text in texts) for trigram in trigrams}
        rare = sorted((one for one in trigrams if not shares[one]), key=lambda trigram: self._density(db, trigram))
        return [*rare, *sorted(filter(shares.get, trigrams), key=lambda one: shares[one])][:MAX_MATCHED_TRIGRAMS]

    def _density(self, db: apsw.Connection, trigram: str) -> float:
        """Return an estimate of how many of all records have a trigram, less than 0 for one with few records."""
        rows = db.execute(f"{self.rowids} LIMIT {SAMPLE_SIZE}", (_quote(trigram),)).fetchall()
        if len(rows) < SAMPLE_SIZE:
            return len(rows) - SAMPLE_SIZE
        places: list[Any] = [rows[0][0], rows[-1][0]]
        return SAMPLE_SIZE / float(places[1] - places[0] + 1)

    def _counted(self, db: apsw.Connection, query: str, limit: int) -> int:
        return read_number(db, self._count, (query, limit))

    def _sql(self, statement: str) -> str:
        return statement.replace("@", f"{self._service}_")


def _trigrams(terms: Sequence[str]) -> list[str]:
    """Return the trigrams of the terms, those of the longest first."""
    longest_first = sorted(terms, key=len, reverse=True)
    trigrams = (term[start : start + 3] for term in longest_first for start in range(len(term) - 2))
    return list(dict.fromkeys(trigrams))[:MAX_PROBED_TRIGRAMS]


def _quote(text: str) -> str:
    return '"' + text.replace('"', '""') + '"'
