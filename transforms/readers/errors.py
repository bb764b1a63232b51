"""Errors of a recipe that does not fit its files; bad records are rejects, not errors."""

import difflib


class ColumnError(ValueError):
    """The column asked for cannot be used."""


class MissingColumn(ColumnError):  # noqa: N818
    """A file has no column of the name that was asked for.

    Attributes:
        column: The name wanted.
        available: The names that exist.
        path: The file.
    """

    def __init__(self, column: str, available: tuple[str, ...], path: str = "") -> None:
        super().__init__(column, available, path)
        self.column = column
        self.available = available
        self.path = path

    def __str__(self) -> str:
        where = self.path or "the file"
        if not self.available:
            return f"{where} has no column {self.column!r}; it has none"
        near = difflib.get_close_matches(self.column, self.available, n=1, cutoff=0.6)
        question = f"; did you mean {near[0]!r}?" if near else ""
        names = ", ".join(map(repr, self.available))
        return f"{where} has no column {self.column!r}; it has {names}{question}"


class RepeatedColumn(MissingColumn):
    """A header has several columns of the name that was asked for."""

    def __str__(self) -> str:
        count, names = self.available.count(self.column), ", ".join(map(repr, self.available))
        where = self.path or "the file"
        return f"{where} has {count} columns {self.column!r}; it has {names}; rename one of them"


class WrongColumnType(ColumnError):  # noqa: N818
    """A column exists but cannot hold text.

    Attributes:
        column: Its name.
        type: Its type as Arrow spells it.
        path: The file.
    """

    def __init__(self, column: str, type: str, path: str = "") -> None:
        super().__init__(column, type, path)
        self.column = column
        self.type = type
        self.path = path

    def __str__(self) -> str:
        where = self.path or "the file"
        return f"column {self.column!r} of {where} has type {self.type}; text must be a string"


class ProbeError(ValueError):
    """A first look into a file found nothing that can be read."""
