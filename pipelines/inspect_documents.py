"""Documents of ingest one by one: random, worst-scored, longest, or those that match a pattern.

Only the columns that decide are read of every document; the texts of those that are shown are read
last.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import regex
import xxhash

from glotmill.dashboard.samples import rows_at
from glotmill.pipelines.errors import UserError
from glotmill.pipelines.scatter import scattered
from glotmill.schemas.manifest import Manifest
from glotmill.transforms.tables import read_batches

Sort = Literal["random", "score", "length"]
#: Labels that a document may go by.
LABELS = ("label", "declared_label", "identified_label")

_SHOWN = [
    "text", "label", "source", "path", "offset", "external_id", "verdict", "identified_score",
    "num_characters",
]  # fmt: skip
_BATCH_ROWS = 20_000
# What is shown before a match, in characters.
_BEFORE = 60
# What is shown at all; some more, as runs of white space become one blank.
_LONGEST = 800

Keys = npt.NDArray[np.float64] | npt.NDArray[np.uint64]
_Place = tuple[Any, str, int]


@dataclass
class Pattern:
    r"""A regular expression; Unicode properties such as `\p{Thai}` are known.

    Raises:
        UserError: it is none.
    """

    text: str
    compiled: Any = field(init=False, repr=False)

    def __post_init__(self) -> None:
        try:
            self.compiled = regex.compile(self.text)
        except regex.error as error:
            raise UserError(f"'{self.text}' is no regular expression: {error}") from None

    def found_in(self, texts: pa.Array) -> pa.Array:
        """Which texts it is found in."""
        search = self.compiled.search
        return pa.array([search(text) is not None for text in texts.to_pylist()], pa.bool_())

    def cut(self, text: str) -> str:
        """The text from a little before the first match."""
        match = self.compiled.search(text)
        start = max(0, match.start() - _BEFORE) if match else 0
        return ("… " if start else "") + text[start : start + _LONGEST]


@dataclass(frozen=True, kw_only=True)
class Choice:
    """Which documents, and in which order.

    Attributes:
        sort: `random` by a hash of seed and place, `score` from the least, `length` from the
            longest text.
        match: pattern that is found in the text.
        kept: only documents that ingest kept.
        label: given, declared or identified.
        reason: only documents that ingest dropped for it.
        source: name of it.
        limit: most documents.
        seed: of the recipe.
    """

    sort: Sort
    match: Pattern | None
    kept: bool
    label: str | None
    reason: str | None
    source: str | None
    limit: int
    seed: int


@dataclass(frozen=True)
class Document:
    """A document that is shown; `outcome` is `kept` or the reason why it was dropped."""

    outcome: str
    text: str
    about: Mapping[str, Any]


def choose_documents(root: str, ingest: Manifest, choice: Choice) -> tuple[list[Document], int]:
    """The first documents of a choice, and how many there are in all.

    Args:
        root: the output directory.
        ingest: manifest of the stage.
        choice: which, and in which order.
    """
    best: list[_Place] = []
    num_all = 0
    for path in _files(ingest, choice):
        for found, count in _chosen(root, path, choice):
            num_all += count
            best = sorted([*best, *found])[: choice.limit]
    places = [(path, row) for _, path, row in best]
    return [_document(choice, path, rows) for path, rows in _read(places)], num_all


def _files(ingest: Manifest, choice: Choice) -> Iterator[str]:
    if choice.reason is None:
        yield from (entry.path for entry in ingest.under("ingest/documents"))
    if not choice.kept:
        yield from (entry.path for entry in ingest.under("ingest/dropped"))


def _chosen(root: str, name: str, choice: Choice) -> Iterator[tuple[list[_Place], int]]:
    """Of each batch of a file the best documents, and how many there are."""
    path = f"{root}/{name}"
    dropped = "/ingest/dropped/" in path
    columns = ["source", *LABELS, "identified_score", "num_characters"]
    columns += ["drop_reason"] if dropped else []
    columns += ["text"] if choice.match else []
    start = 0
    for batch in read_batches(path, columns, batch_rows=_BATCH_ROWS):
        rows = np.flatnonzero(_mask(batch, choice))
        if choice.match is not None and len(rows):
            rows = rows[np.asarray(choice.match.found_in(batch.column("text").take(rows)))]
        keys = _keys(batch, choice, name, start)[rows]
        order = np.argsort(keys, kind="stable")[: choice.limit]
        yield [(keys[at].item(), path, start + int(rows[at])) for at in order], len(rows)
        start += batch.num_rows


def _mask(batch: pa.RecordBatch, choice: Choice) -> npt.NDArray[np.bool_]:
    mask = np.ones(batch.num_rows, bool)
    for name, value in (("source", choice.source), ("drop_reason", choice.reason)):
        if value is not None:
            mask &= _is(batch, name, value)
    if choice.label is not None:
        mask &= np.logical_or.reduce([_is(batch, name, choice.label) for name in LABELS])
    return mask


def _is(batch: pa.RecordBatch, name: str, value: str) -> npt.NDArray[np.bool_]:
    found = pc.fill_null(pc.equal(batch.column(name), value), False)
    return np.asarray(found.to_numpy(zero_copy_only=False), bool)


def _keys(batch: pa.RecordBatch, choice: Choice, name: str, start: int) -> Keys:
    """What documents are ordered by, the smallest first; those without a score come last.

    Args:
        batch: of a file.
        choice: the order.
        name: of the file, relative to the output directory.
        start: row of the file where the batch begins.
    """
    if choice.sort == "length":
        return -np.asarray(batch.column("num_characters"), np.float64)
    if choice.sort == "score":
        scores = pc.fill_null(batch.column("identified_score").cast(pa.float64()), np.inf)
        return np.asarray(scores)
    # Of the place and not of the text, or copies of a text would be shown side by side.
    first = np.uint64(xxhash.xxh3_64_intdigest(f"inspect {name}".encode(), choice.seed))
    return scattered(first, np.arange(start, start + batch.num_rows))


def _read(places: list[tuple[str, int]]) -> Iterator[tuple[str, dict[str, Any]]]:
    found: dict[tuple[str, int], dict[str, Any]] = {}
    for dropped in (False, True):
        part = [place for place in places if ("/ingest/dropped/" in place[0]) == dropped]
        found |= rows_at(part, [*_SHOWN, "drop_reason"] if dropped else _SHOWN)
    yield from ((path, found[path, row]) for path, row in places)


def _document(choice: Choice, path: str, row: dict[str, Any]) -> Document:
    text = choice.match.cut(row["text"]) if choice.match else row["text"][:_LONGEST]
    return Document(row.get("drop_reason", "kept"), text, row)
