"""Lists by key in SQL: conditions, and branches that each follow one index from the key on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import apsw

from shared.storage.port import Column, RecordQuery, Scalar

MAX_BRANCHES = 12
"""A `where` tuple with more values than this is filtered instead of merged from one ordered list per value."""

SEARCH = "search"
_LEAST = {"text": "''", "integer": "-9223372036854775808"}

Clause = tuple[str, list[Any]]
Key = tuple[Scalar, str]


class KeysetPaginator:
    """Makes and runs the lists of one table."""

    def __init__(self, table: str, columns: Sequence[Column]) -> None:
        self._table = table
        self._columns: Mapping[str, Column] = {column.name: column for column in (*columns, Column("id"))}

    def page(self, db: apsw.Connection, find: RecordQuery) -> tuple[list[Key], bool, bool]:
        """The (order, id) of each document of a page in its order, and whether there are more after and before them."""
        backwards = find.before is not None
        keys = self._run(db, find, find.limit + 1)
        more, keys = len(keys) > find.limit, keys[: find.limit]
        other = self._other_side(db, find, keys)
        if backwards:
            return keys[::-1], other, more
        return keys, more, other

    def _other_side(self, db: apsw.Connection, find: RecordQuery, keys: Sequence[Key]) -> bool:
        """Whether anything matches on the side that the list came from."""
        if find.after is None and find.before is None:
            return False
        edge = keys[0] if keys else None
        backwards = find.before is not None
        reversed_query = replace(find, after=edge if backwards else None, before=None if backwards else edge)
        return bool(self._run(db, reversed_query, 1))

    def _run(self, db: apsw.Connection, find: RecordQuery, limit: int) -> list[Key]:
        sql, bindings = self.listing(find, limit)
        return [(row[0], row[1]) for row in db.execute(sql, bindings)]

    def listing(self, find: RecordQuery, limit: int) -> Clause:
        """SQL and bindings for the keys that follow `after`, or that precede `before`, nearest first."""
        branches = self.branches(find, limit)
        if len(branches) == 1:
            return branches[0]
        merged = ") UNION ALL SELECT * FROM (".join(sql for sql, _ in branches)
        tail = _in_order("value", _is_ascending(find), limit)
        return "".join(("SELECT * FROM (", merged, ")", tail)), [value for _, values in branches for value in values]

    def branches(self, find: RecordQuery, limit: int) -> list[Clause]:
        """Selects that each follow one index as far as the limit; together they are the list, not yet in order."""
        order, ascending = self._known(find.order), _is_ascending(find)
        head, tail = ("SELECT ", order, " AS value, id FROM ", self._table), _in_order(order, ascending, limit)
        key = find.after if find.before is None else find.before
        conditions = [
            _joined([*self._conditions(one), segment])
            for one in self._split_by_value(find)
            for segment in self._beyond(order, key, ascending)
        ]
        return [("".join((*head, condition, tail)), bindings) for condition, bindings in conditions]

    def counting(self, find: RecordQuery) -> Clause:
        condition, bindings = _joined(self._conditions(find))
        return "".join(("SELECT count(*) FROM ", self._table, condition)), bindings

    def _known(self, name: str) -> str:
        if name not in self._columns:
            raise ValueError(f"{self._table} has no column {name}")
        return name

    def _split_by_value(self, find: RecordQuery) -> list[RecordQuery]:
        """One list per value of a column whose index is in this order; together they are the list."""
        for name, wanted in find.where.items():
            column = self._columns[self._known(name)]
            if isinstance(wanted, tuple) and column.ordered_by == find.order and 1 < len(wanted) <= MAX_BRANCHES:
                return [replace(find, where={**find.where, name: value}) for value in dict.fromkeys(wanted)]
        return [find]

    def _beyond(self, order: str, key: Key | None, ascending: bool) -> list[Clause]:
        """The rest of the order beyond a key. A document without the value comes before all that have it."""
        if key is None:
            return [("", [])]
        value, document_id = key
        sign = ">" if ascending else "<"
        if order == "id":
            return [(f"id {sign} ?", [document_id])]
        if value is not None:
            beyond = (f"({order}, id) {sign} (?, ?)", [value, document_id])
            return [beyond] if ascending else [beyond, (f"{order} IS NULL", [])]
        without = (f"{order} IS NULL AND id {sign} ?", [document_id])
        # Not IS NOT NULL, which SQLite does not look up in an index.
        return [without, (f"{order} >= {_LEAST[self._columns[order].kind]}", [])] if ascending else [without]

    def _conditions(self, find: RecordQuery) -> list[Clause]:
        clauses = [_equal(self._known(name), wanted) for name, wanted in find.where.items()]
        clauses += [(f"{self._known(name)} < ?", [limit]) for name, limit in find.below.items()]
        clauses += [(f"instr({self._known(SEARCH)}, ?) > 0", [word]) for word in find.search.split()]
        return clauses


def _is_ascending(find: RecordQuery) -> bool:
    return find.descending == (find.before is not None)


def _in_order(order: str, ascending: bool, limit: int) -> str:
    direction = "ASC" if ascending else "DESC"
    keys = ", ".join(f"{key} {direction}" for key in dict.fromkeys((order, "id")))
    return f" ORDER BY {keys} LIMIT {limit:d}"


def _equal(name: str, wanted: Scalar | tuple[Scalar, ...]) -> Clause:
    if not isinstance(wanted, tuple):
        return (f"{name} IS NULL", []) if wanted is None else (f"{name} = ?", [wanted])
    values = [value for value in wanted if value is not None]
    one_of = f"{name} IN ({', '.join('?' * len(values))})"
    return (f"({one_of} OR {name} IS NULL)" if None in wanted else one_of), values


def _joined(clauses: Sequence[Clause]) -> Clause:
    texts = [text for text, _ in clauses if text]
    bindings = [value for _, values in clauses for value in values]
    return (" WHERE " + " AND ".join(texts) if texts else ""), bindings
