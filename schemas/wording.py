"""How numbers are told to a person."""

from __future__ import annotations


def counted(number: int, noun: str, plural: str | None = None) -> str:
    """A number with its noun, in the plural where it is not one.

    Args:
        number: of things.
        noun: what one of them is called.
        plural: of the noun; absent: with an s.

    >>> counted(1, "file"), counted(1_200, "file"), counted(2, "process", "processes")
    ('1 file', '1,200 files', '2 processes')
    """
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"
