"""What a trace tells: spans of tokens, documents and what became of them; all plain values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

#: What may become of a record, in the order in which it is decided.
Outcome = Literal[
    "rejected",  # it could not be read
    "dropped",  # a filter found it unfit
    "removed",  # another document stands for it
    "excluded",  # it would tell of the validation split
    "left_out",  # its category, or a pair too few for a document, is not in the mixture
    "held_out",  # it is in the validation split
    "drawn",  # it is in the training split
    "not_drawn",  # it might have been drawn
    "kept",  # the run has not come further
]


@dataclass(frozen=True, kw_only=True)
class Origin:
    """Where a record stood.

    Attributes:
        source: of the recipe.
        licence: of the source; None where the recipe names none.
        path: of the file, as it stands on the rows.
        input: the same file as the run has opened it; None where the lock does not list it.
        offset: of the record in the file.
        counted_in: what `offset` counts: bytes of the decompressed file, rows, messages.
    """

    source: str
    licence: str | None
    path: str
    input: str | None
    offset: int
    counted_in: Literal["bytes", "rows", "messages"]
    external_id: str | None = None
    url: str | None = None
    original_code: str | None = None


@dataclass(frozen=True, kw_only=True)
class Copy:
    """A document as it was written, once.

    Attributes:
        copy: 0 for a document's first epoch.
        split: train or validation.
        shard: path of the shard, relative to the output.
        row: of the shard; None where it was not found, as after files were changed.
        dataset: of tokens; None where none was written.
        document: of the dataset.
        first_token: its offset in the dataset's `.bin`, in tokens.
        num_tokens: of the document.
        packed: path of the packed sequences; None where there are none.
        sequences: rows of that file which hold parts of the text, those of all its copies.
    """

    copy: int
    split: str
    shard: str
    row: int | None
    dataset: str | None = None
    document: int | None = None
    first_token: int | None = None
    num_tokens: int | None = None
    packed: str | None = None
    sequences: tuple[int, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Drawable:
    """What might be drawn: a document, or a pseudo-document that holds a pair.

    Attributes:
        content_hash: in hexadecimal; of a pseudo-document its own.
        num_pairs: it holds; 1 of a document.
        again: whether its pairs are written the other way round too.
        held_out: for validation.
        draw: in [0, 1): those of the smallest are drawn first.
        rate: how often the documents of its group are drawn on average, before rehydration.
        copies: written, with their places.
        decided: whether the mixture is done; before it there is no rate and no copy.
    """

    content_hash: str
    num_pairs: int
    again: bool
    held_out: bool
    draw: float
    rate: float | None
    copies: tuple[Copy, ...]
    decided: bool = True


@dataclass(frozen=True, kw_only=True)
class Kept:
    """The document that stands for a removed one; `corpus` is the other run that holds it."""

    corpus: str | None
    label: str
    content_hash: str
    source: str
    path: str
    offset: int
    external_id: str | None


@dataclass(frozen=True, kw_only=True)
class Fate:
    """A record, and what became of it.

    Attributes:
        reason: why it was rejected, dropped, removed, excluded or left out.
        detail: the same for a person, where there is more to say.
        cluster_size: documents of its cluster of duplicates, itself included.
        kept: what stands for it, where it was removed.
        drawables: what it is, or is in, that may be drawn.
    """

    outcome: Outcome
    origin: Origin | None
    category: str
    label: str | None
    text: str
    reason: str = ""
    detail: str = ""
    content_hash: str | None = None
    num_bytes: int | None = None
    verdict: str | None = None
    cluster_size: int = 1
    kept: Kept | None = None
    drawables: tuple[Drawable, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Span:
    """Tokens of one document in a dataset or a packed sequence.

    Attributes:
        file: of the dataset (without ending) or of the sequences, relative to the output.
        place: document of the dataset, or row of the sequences.
        position: of the span's first token in the dataset, or in the sequence.
        first: of the span's tokens in the document; None where the text does not tell it.
        num_tokens: of the span.
        num_document_tokens: of the document.
        copy: of the document; None where the file does not tell it.
        before: text before the span in the document, a little.
        text: of the span.
        after: text behind it.
        rows: of the shard, that hold the document.
    """

    file: str
    place: int
    position: int
    first: int | None
    num_tokens: int
    num_document_tokens: int | None
    label: str
    category: str | None
    copy: int | None
    content_hash: str
    origin: Origin | None
    text: str
    before: str = ""
    after: str = ""
    shard: str | None = None
    rows: tuple[int, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Trace:
    """What was asked, what was found, and what was not.

    Attributes:
        asked: in words.
        notes: what could not be found, and what more there is.
    """

    asked: str
    spans: tuple[Span, ...] = ()
    documents: tuple[Fate, ...] = ()
    notes: tuple[str, ...] = ()
