"""Pseudo-documents: pairs of texts, in the order of their source, to documents of several pairs.

A document holds pairs of one source and file, one document of that file where it has documents,
one split, and segments in one order of languages. Its counts are those of its texts: what the
template adds is not counted. Which direction it takes, and how often it is drawn, is a hash of
its pairs, so both stay as they are when a source is added.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import combinations, count

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import xxhash

from glotmill.schemas.bitext import Bitext
from glotmill.schemas.tables import CORPUS, COUNTS
from glotmill.schemas.templates import template_of
from glotmill.transforms.draws import direction_draw
from glotmill.transforms.segments import cut_segments
from glotmill.transforms.templates import render

#: Columns of a bitext unit's documents that are read.
COLUMNS = (
    "text", "label", "source", "path", "offset", "external_id", "url", "script", "verdict",
    *COUNTS, "content_hash", "segment_labels", "segment_bytes", "segment_hashes", "document",
)  # fmt: skip
#: Pairs in a document, and whether they stand in another one the other way round: columns beside
#: those of CORPUS, for the statistics only.
NUM_PAIRS, AGAIN = "num_pairs", "again"
#: Whether a document is for the validation split.
HELD_OUT = "held_out"
#: Why a pair is in no document: its group is too short, or is to be written in no direction.
MIN_PAIRS, HELD_OUT_DIRECTION = "min_pairs", "held_out_direction"

# What a document has before it is drawn.
_FIELDS = [
    CORPUS.field(name)
    for name in CORPUS.names
    if name not in ("category", "domain", "licence", "num_tokens", "copy")
]
_SCHEMA = pa.schema(
    [
        *_FIELDS,
        pa.field(NUM_PAIRS, pa.int64()),
        pa.field(AGAIN, pa.bool_()),
        pa.field(HELD_OUT, pa.bool_()),
    ]
)
# Documents that are passed on at a time, and bytes of their pairs.
_BATCH_DOCUMENTS, _BATCH_BYTES = 2_000, 16 * 2**20

#: Order of a row's segments: which of the data's stands first, second, ...
Direction = tuple[int, ...]
Labels = tuple[str, ...]
Sizes = npt.NDArray[np.int64]
#: Of pairs: which rows the validation split takes.
Split = Callable[[pa.RecordBatch], Sequence[bool] | npt.NDArray[np.bool_]]


class Directions:
    """In which orders of languages the pairs of a document are written."""

    def __init__(self, options: Bitext, seed: int) -> None:
        """Takes the recipe's section and the seed."""
        self._mode = options.directions
        self._hold_outs = options.hold_outs
        self._seed = seed
        self._trained: dict[Labels, list[Direction]] = {}
        self._named: dict[Labels, bool] = {}

    def held_out(self, labels: Labels) -> bool:
        """Whether texts in these languages are for validation only: no direction is trained on."""
        return not self._allowed(labels)

    def of(self, labels: Labels, content_hash: bytes, *, validation: bool) -> list[Direction]:
        """The directions of one document.

        In training none that is held out. In validation both where the recipe holds out anything
        about these languages, so that what was not trained on can be tested.

        Args:
            labels: of the segments as the data orders them.
            content_hash: of its pairs.
            validation: whether it is for that split.
        """
        both = _both(labels)
        allowed = both if validation else self._allowed(labels)
        if validation and self._is_named(labels):
            return both
        if self._mode == "hashed":
            drawn = direction_draw(self._seed, content_hash)
            return [allowed[drawn % len(allowed)]] if allowed else []
        wanted = {"as_is": both[:1], "reversed": both[1:], "both": both}[self._mode]
        return [each for each in wanted if each in allowed]

    def num_trained(self, labels: Labels) -> int:
        """How often a pair is written in training, at most; `labels` in either order."""
        num_allowed = len(self._allowed(labels))
        return num_allowed if self._mode == "both" else min(1, num_allowed)

    def _allowed(self, labels: Labels) -> list[Direction]:
        """The directions in which training may see these languages."""
        if labels not in self._trained:
            self._trained[labels] = [
                each for each in _both(labels) if not self._covered([labels[s] for s in each])
            ]
        return self._trained[labels]

    def _covered(self, ordered: Sequence[str]) -> bool:
        return any(
            hold_out.covers(*two)
            for hold_out in self._hold_outs
            for two in combinations(ordered, 2)
        )

    def _is_named(self, labels: Labels) -> bool:
        """Whether the recipe holds out anything about two of these languages."""
        if labels not in self._named:
            self._named[labels] = any(self._covered([labels[s] for s in d]) for d in _both(labels))
        return self._named[labels]


def _both(labels: Labels) -> list[Direction]:
    """The order of the data, and its reverse."""
    forth = tuple(range(len(labels)))
    return [forth, forth[::-1]]


@dataclass(frozen=True)
class _Pair:
    """One row of the documents."""

    segments: tuple[str, ...]
    content_hash: bytes
    cluster_size: int
    label: str
    verdict: str
    # Source, path, offset, external_id, url, script.
    place: tuple[object, ...]
    counts: tuple[int, ...]
    # Among all pairs of the unit.
    number: int


@dataclass
class _Group:
    """Pairs that will be one document."""

    document: str | None
    pairs: list[_Pair] = field(default_factory=list)


@dataclass(frozen=True)
class _Key:
    labels: Labels
    path: str
    held_out: bool


class PseudoDocuments:
    """Makes the documents of a unit."""

    def __init__(self, options: Bitext, seed: int) -> None:
        """Takes the recipe's section and the seed."""
        self._options = options
        self._template = template_of(options.template)
        template = options.template
        name = template if isinstance(template, str) else template.model_dump_json()
        # What tells documents of the same pairs in the same direction apart.
        self._written_as = f"{options.layout}\0{name}"
        self.directions = Directions(options, seed)

    def batches(
        self,
        rows: Iterable[tuple[pa.RecordBatch, Sizes]],
        split: Split,
        *,
        render: bool = True,
        lost: dict[str, list[int]] | None = None,
    ) -> Iterator[pa.RecordBatch]:
        """Pairs to documents, in batches.

        Args:
            rows: COLUMNS of the unit's surviving pairs, in order, each with the size of its
                cluster.
            split: says which pairs are for validation.
            render: whether the text is wanted; without it, it is empty.
            lost: takes the numbers of the pairs that no document holds, counted from the first of
                `rows`, by reason: MIN_PAIRS or HELD_OUT_DIRECTION.

        Yields:
            Batches in the schema CORPUS, less what is added when a document is drawn (category,
            domain, licence, num_tokens, copy), with NUM_PAIRS, AGAIN and HELD_OUT.
            `original_code` is the labels in the order of the text with `>` between them,
            `external_id` the document of the source where there is one, `offset`, `url` and
            `script` those of the first pair, `verdict` the commonest, and `cluster_size` the
            largest.
        """
        made: list[dict[str, object]] = []
        num_bytes = 0
        for key, group in self._groups(rows, split):
            found = list(self._documents(key, group, render))
            if not found and lost is not None:
                numbers = (pair.number for pair in group.pairs)
                lost.setdefault(self._why_none(key, group), []).extend(numbers)
            made += found
            num_bytes += sum(len(str(document["text"])) for document in found)
            if len(made) >= _BATCH_DOCUMENTS or num_bytes >= _BATCH_BYTES:
                yield pa.RecordBatch.from_pylist(made, schema=_SCHEMA)
                made, num_bytes = [], 0
        if made:
            yield pa.RecordBatch.from_pylist(made, schema=_SCHEMA)

    def _groups(
        self, rows: Iterable[tuple[pa.RecordBatch, Sizes]], split: Split
    ) -> Iterator[tuple[_Key, _Group]]:
        open_: dict[_Key, _Group] = {}
        numbers = count()
        for batch, sizes in rows:
            for key, document, pair in self._pairs(batch, sizes, split, numbers):
                group = open_.get(key)
                if group is not None and group.document != document:
                    yield key, open_.pop(key)
                    group = None
                if group is None:
                    group = open_[key] = _Group(document)
                group.pairs.append(pair)
                if len(group.pairs) == self._options.pairs_per_document:
                    yield key, open_.pop(key)
        yield from open_.items()

    def _pairs(
        self, batch: pa.RecordBatch, sizes: Sizes, split: Split, numbers: Iterator[int]
    ) -> Iterator[tuple[_Key, str | None, _Pair]]:
        read = {name: batch.column(name).to_pylist() for name in COLUMNS}
        places = zip(
            *(read[name] for name in ("source", "path", "offset", "external_id", "url", "script")),
            strict=True,
        )
        amounts = zip(*(read[name] for name in COUNTS), strict=True)
        about = zip(
            read["text"], read["segment_labels"], read["segment_bytes"], read["document"],
            read["content_hash"], read["label"], read["verdict"], strict=True,
        )  # fmt: skip
        columns = zip(about, places, amounts, sizes.tolist(), split(batch), strict=True)
        for row, place, amount, cluster_size, validation in columns:
            text, languages, lengths, document, content, label, verdict = row
            labels = tuple(languages)
            key = _Key(labels, place[1], bool(validation) or self.directions.held_out(labels))
            segments = cut_segments(text, lengths)
            number = next(numbers)
            pair = _Pair(segments, content, cluster_size, label, verdict, place, amount, number)
            yield key, document, pair

    def _documents(self, key: _Key, group: _Group, render: bool) -> Iterator[dict[str, object]]:
        if self._is_short(key, group):
            return
        content = b"".join(pair.content_hash for pair in group.pairs)
        found = self.directions.of(
            key.labels, xxhash.xxh3_128_digest(content), validation=key.held_out
        )
        for number, direction in enumerate(found):
            labels = [key.labels[segment] for segment in direction]
            text = self._rendered(labels, group, direction) if render else ""
            direction_name = ">".join(labels)
            identity = "\0".join(("", direction_name, self._written_as)).encode()
            yield {
                **_about(key, group),
                "text": text,
                "original_code": direction_name,
                AGAIN: number > 0,
                "content_hash": xxhash.xxh3_128_digest(content + identity),
            }

    def _is_short(self, key: _Key, group: _Group) -> bool:
        return not key.held_out and len(group.pairs) < self._options.min_pairs

    def _why_none(self, key: _Key, group: _Group) -> str:
        return MIN_PAIRS if self._is_short(key, group) else HELD_OUT_DIRECTION

    def _rendered(self, labels: list[str], group: _Group, direction: Direction) -> str:
        texts = [tuple(pair.segments[s] for s in direction) for pair in group.pairs]
        return render(self._template, labels, texts, layout=self._options.layout)


def _about(key: _Key, group: _Group) -> dict[str, object]:
    first = group.pairs[0]
    source, path, offset, external_id, url, script = first.place
    counts = (sum(column) for column in zip(*(pair.counts for pair in group.pairs), strict=True))
    return {
        "label": first.label,
        "source": source,
        "path": path,
        "offset": offset,
        "external_id": external_id if group.document is None else group.document,
        "url": url,
        "script": script,
        "verdict": Counter(pair.verdict for pair in group.pairs).most_common(1)[0][0],
        **dict(zip(COUNTS, counts, strict=True)),
        "cluster_size": max(pair.cluster_size for pair in group.pairs),
        NUM_PAIRS: len(group.pairs),
        HELD_OUT: key.held_out,
    }
