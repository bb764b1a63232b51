"""Tokens of a dataset or of a packed sequence: which documents they are of, and their text."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from glotmill.dashboard.samples import rows_at
from glotmill.pipelines.errors import UserError
from glotmill.pipelines.inspect import check_name
from glotmill.pipelines.trace_model import Span, Trace
from glotmill.pipelines.trace_run import Run
from glotmill.schemas.indexed_dataset import IndexedDataset, IndexedDatasetError
from glotmill.schemas.tables import PACKED, TOKEN_DOCUMENTS
from glotmill.schemas.training import TrainingDataset
from glotmill.transforms.tables import read_table

_CONTEXT = 24
_ABOUT = [
    "text", "source", "path", "offset", "external_id", "url", "original_code", "category",
    "num_tokens",
]  # fmt: skip

Tokens = npt.NDArray[Any]


def trace_tokens(run: Run, asked: str, limit: int) -> Trace:
    """The documents that a span of a dataset's tokens is of.

    Args:
        run: the run.
        asked: `DATASET:POSITION[:LENGTH]`, in tokens; the length is 1 where it is not given.
        limit: most documents.

    Raises:
        UserError: there is no such dataset or position, or its files are not sound.
    """
    form = re.fullmatch(r"(.+?):(\d+)(?::(\d+))?", asked)
    if form is None:
        message = f"'{asked}' names no tokens; write DATASET:POSITION or DATASET:POSITION:LENGTH"
        raise UserError(f"{message}, as in train-monolingual:1200:50")
    datasets = {dataset.name: dataset for dataset in run.training.datasets}
    check_name("dataset", form[1], datasets, f"no dataset '{form[1]}'")
    tokens = _opened(run, datasets[form[1]])
    start, length = int(form[2]), int(form[3] or 1)
    num_tokens = len(tokens.tokens)
    if start >= num_tokens or not length:
        message = f"{form[1]} has the tokens 0 to {num_tokens - 1:,}"
        raise UserError(f"there are no tokens at '{asked}'; {message}")
    end = min(start + length, num_tokens)
    spans = list(_spans(run, datasets[form[1]], tokens, start, end, limit + 1))
    notes = [f"{form[1]} ends after {num_tokens:,} tokens"] if start + length > end else []
    if len(spans) > limit:
        notes.append(f"the span goes on in more than these {limit:,} documents; --limit shows more")
    what = f"tokens {start:,} to {end - 1:,} of {form[1]}"
    return Trace(asked=what, spans=tuple(spans[:limit]), notes=tuple(notes))


def _opened(run: Run, dataset: TrainingDataset) -> IndexedDataset:
    if dataset.prefix is None:
        raise UserError(f"{run.root} has no .bin files: see 'output.tokens.formats'")
    try:
        return IndexedDataset(f"{run.root}/{dataset.prefix}")
    except IndexedDatasetError as error:
        raise UserError(str(error)) from None


def _spans(
    run: Run, dataset: TrainingDataset, tokens: IndexedDataset, start: int, end: int, limit: int
) -> Iterator[Span]:
    """The part of each document that lies in [start, end)."""
    itemsize = tokens.dtype.itemsize
    document = bisect_right(tokens.pointers, start * itemsize) - 1
    last = min(bisect_right(tokens.pointers, (end - 1) * itemsize), document + limit)
    table = f"{run.root}/{dataset.documents}"
    about = rows_at([(table, each) for each in range(document, last)], TOKEN_DOCUMENTS.names)
    for number in range(document, last):
        head = int(tokens.pointers[number]) // itemsize
        first = max(start - head, 0)
        behind = min(end - head, int(tokens.sizes[number]))
        row = about[table, number]
        yield Span(
            file=dataset.prefix or dataset.name,
            place=number,
            position=head + first,
            first=first,
            num_tokens=behind - first,
            num_document_tokens=row["num_tokens"],
            label=row["label"],
            category=row["category"],
            copy=row["copy"],
            content_hash=row["content_hash"].hex(),
            origin=run.origin(row),
            **_texts(run, tokens[number], first, behind),
        )


def _texts(run: Run, tokens: Tokens, first: int, behind: int) -> dict[str, Any]:
    """The text of some tokens of a document, and a little of what is around them."""
    decode = run.decoder.decode
    return {
        "before": decode(tokens[max(0, first - _CONTEXT) : first].tolist()),
        "text": decode(tokens[first:behind].tolist()),
        "after": decode(tokens[behind : behind + _CONTEXT].tolist()),
    }


# -------------------------------------------------------------- sequences


def trace_sequence(run: Run, asked: str, limit: int) -> Trace:
    """The documents that a packed sequence is made of.

    Args:
        run: the run.
        asked: `SHARD:ROW`, as in train-00000-of-00016:12.
        limit: most documents.

    Raises:
        UserError: there is no such sequence.
    """
    form = re.fullmatch(r"(.+):(\d+)", asked)
    if form is None:
        message = f"'{asked}' names no sequence; write SHARD:ROW, as in train-00000-of-00016:12"
        raise UserError(message)
    packed = {
        path.removeprefix("tokens/packed/").removesuffix(".parquet"): num_rows
        for path, num_rows in run.files.items()
        if path.startswith("tokens/packed/")
    }
    if not packed:
        raise UserError(f"{run.root} has no packed sequences: see 'output.tokens.sequence_length'")
    shard, row = form[1].removesuffix(".parquet").split("/")[-1], int(form[2])
    check_name("shard", shard, packed, f"no shard '{shard}'")
    if row >= packed[shard]:
        raise UserError(f"{shard} has the sequences 0 to {packed[shard] - 1:,}, and no {row:,}")
    spans = list(_pieces(run, shard, row))
    notes = [
        f"a document of {span.label} is not in shards/{shard}.parquet" for span in spans
        if span.origin is None
    ]  # fmt: skip
    if len(spans) > limit:
        notes.append(f"there are {len(spans) - limit:,} more documents; --limit shows more")
    what = f"sequence {row:,} of {shard}"
    return Trace(asked=what, spans=tuple(spans[:limit]), notes=tuple(notes))


def _pieces(run: Run, shard: str, row: int) -> Iterator[Span]:
    path = f"tokens/packed/{shard}.parquet"
    full = f"{run.root}/{path}"
    sequence = rows_at([(full, row)], PACKED.names)[full, row]
    shard_file = f"shards/{shard}.parquet"
    rows = _rows_with(f"{run.root}/{shard_file}", sequence["documents"])
    found = [of_hash for of_hash in rows.values() if of_hash]
    about = rows_at([(f"{run.root}/{shard_file}", each[0]) for each in found], _ABOUT)
    position = 0
    pieces = (sequence[name] for name in ("document_lengths", "labels", "documents"))
    for length, label, content_hash in zip(*pieces, strict=True):
        ids = sequence["input_ids"][position : position + length]
        own = rows[content_hash]
        values = about[f"{run.root}/{shard_file}", own[0]] if own else None
        yield Span(
            file=path,
            place=row,
            position=position,
            first=_found_at(run, values["text"], ids) if values else None,
            num_tokens=length,
            num_document_tokens=values["num_tokens"] if values else None,
            label=label,
            category=values["category"] if values else None,
            copy=None,
            content_hash=content_hash.hex(),
            origin=run.origin(values) if values else None,
            text=run.decoder.decode(ids),
            shard=shard_file,
            rows=tuple(own),
        )
        position += length


def _rows_with(path: str, hashes: Sequence[bytes]) -> dict[bytes, list[int]]:
    """Rows of a shard by the hashes that are wanted."""
    column = read_table(path, ["content_hash"]).column("content_hash").combine_chunks()
    wanted = pa.array(list(dict.fromkeys(hashes)), column.type)
    rows = pc.indices_nonzero(pc.is_in(column, value_set=wanted))
    found: dict[bytes, list[int]] = {each: [] for each in hashes}
    for row, content_hash in zip(rows.to_pylist(), column.take(rows).to_pylist(), strict=True):
        found[content_hash].append(row)
    return found


def _found_at(run: Run, text: str, ids: Sequence[int]) -> int | None:
    """Where some tokens stand in those of a text; None where that is in no place, or in several."""
    tokens = run.tokenizer.tokenize([text]).tokens[0].values.to_numpy()
    places = np.arange(max(0, len(tokens) - len(ids) + 1))
    for number, each in enumerate(ids):
        places = places[tokens[places + number] == each]
    return int(places[0]) if len(places) == 1 else None
