"""Paging: what does not fit on a screen is shown in a pager; to anything else it is written."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console

# Of less: leave at once where all fits, keep colours, leave the text on the screen.
_LESS = "-FRX"


@contextmanager
def paged(console: Console) -> Iterator[None]:
    """Shows what is printed inside in the pager of the terminal, if there is a terminal."""
    if not console.is_terminal:
        yield
        return
    os.environ.setdefault("LESS", _LESS)
    with console.pager(styles=True):
        yield
