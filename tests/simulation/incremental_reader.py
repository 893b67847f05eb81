"""Both sides' records, read again and again: of each table only the rows written since.

SQLite itself notes, by triggers in the same transaction, which rows were written; nothing that
the shop's code says about its own changes is believed. PostgreSQL is read whole.
"""

from collections.abc import Callable, Sequence
from typing import Any

Row = dict[str, Any]
Ask = Callable[[str], Any]
"""Asks one question of a database and answers the driver's cursor."""

NOTES = "CREATE TABLE IF NOT EXISTS written (note INTEGER PRIMARY KEY, name TEXT, id)"
TRIGGER = (
    "CREATE TRIGGER IF NOT EXISTS {name}_{act} AFTER {act} ON {name} BEGIN"
    " INSERT INTO written (name, id) VALUES ('{name}', {row}.id); END"
)


class Table:
    """The rows of a table by their ids; one that was not written since is the same object."""

    def __init__(self, select: str, *, order: str = "id", make: Callable[[Row], Any]) -> None:
        self.select, self.order, self.make = select, order, make
        self.rows: dict[Any, Any] = {}

    def read(self, ask: Ask, ids: set[Any] | None) -> None:
        """Read the rows with these ids again, or all of them."""
        if ids is None:
            self.rows = self._found(ask, "")
        elif ids:
            listed = ", ".join(f"'{name}'" for name in sorted(ids))
            found = self._found(ask, f"WHERE id IN ({listed})")
            kept = self.rows if ids == found.keys() else self._without(ids - found.keys())
            self.rows = {**kept, **found}

    def _found(self, ask: Ask, where: str) -> dict[Any, Any]:
        cursor = ask(f"{self.select} {where} ORDER BY {self.order}")
        names = [column[0] for column in cursor.description]
        rows = (dict(zip(names, values, strict=True)) for values in cursor.fetchall())
        return {row["id"]: self.make(row) for row in rows}

    def _without(self, gone: set[Any]) -> dict[Any, Any]:
        return {name: row for name, row in self.rows.items() if name not in gone}


class Reader:
    """Some tables of one database."""

    def __init__(self, ask: Ask, tables: dict[str, Table], *, sqlite: bool) -> None:
        self.ask, self.tables, self.sqlite = ask, tables, sqlite
        self._noted: int | None = None
        if sqlite:
            ask(NOTES)
            for name in tables:
                for act, row in (("INSERT", "NEW"), ("UPDATE", "NEW"), ("DELETE", "OLD")):
                    ask(TRIGGER.format(name=name, act=act, row=row))

    def read(self, *, whole: bool = False) -> set[str]:
        """Bring the tables up to date; answers which of them were written since."""
        written = self._written()
        if whole or written is None:
            for table in self.tables.values():
                table.read(self.ask, None)
            return set(self.tables)
        for name, ids in written.items():
            self.tables[name].read(self.ask, ids)
        return set(written)

    def _written(self) -> dict[str, set[Any]] | None:
        """The ids of what was written since the last time, by table; None where nobody knows."""
        if not self.sqlite:
            return None
        first, since = self._noted is None, self._noted or 0
        notes: Sequence[Any] = self.ask(f"SELECT * FROM written WHERE note > {since}").fetchall()
        self._noted = notes[-1][0] if notes else since
        ids: dict[str, set[Any]] = {}
        for _, name, identifier in notes:
            ids.setdefault(name, set()).add(identifier)
        return None if first else ids
