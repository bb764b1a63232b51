"""Sketches: quantiles, distinct counts and heavy hitters by label, small and mergeable.

All are of Apache DataSketches: t-digests (Dunning, 2019), HyperLogLog (Flajolet et al., 2007) and
frequent items (Anderson et al., 2017). None of the three draws random numbers, so the same
documents in the same order give the same bytes; the sketches of that library that do (KLL, REQ)
are not used.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from datasketches import (
    frequent_items_error_type,
    frequent_strings_sketch,
    hll_sketch,
    hll_union,
    tdigest_double,
)

#: One row a label and sketch; the content is what the library serialises.
SKETCHES = pa.schema(
    [
        pa.field("label", pa.string(), nullable=False),
        # One of DIGESTS, COUNTERS or HITTERS.
        pa.field("sketch", pa.string(), nullable=False),
        pa.field("content", pa.binary(), nullable=False),
    ]
)

#: Columns whose quantiles are kept: lengths in characters, the identifier's confidence, and the
#: share of the letters that are of the text's script.
DIGESTS = {
    "lengths": "num_characters",
    "confidence": "identified_score",
    "script_share": "script_share",
}
#: What distinct values are counted of, and what the most frequent values are kept of.
COUNTERS = ("hosts",)
HITTERS = ("hosts", "ngrams")

# Centroids of a digest: quantiles are right within about 1% of rank in the middle, less at the
# ends. Registers of HyperLogLog: 2**12 for 1.6% of error. Values that are counted: 2**8.
_COMPRESSION, _LG_REGISTERS, _LG_HITTERS = 200, 12, 8
# N-grams are taken of one document in so many, by its hash, and of the beginning of each.
_NGRAM_SAMPLE, _NGRAM_CHARACTERS, _NGRAM_WORDS = 32, 2_000, 3
# Words are longer than this on average only where a script puts no spaces between them.
_LONGEST_MEAN_WORD = 12
_HOST = r"^[a-zA-Z][a-zA-Z0-9+.-]*://(?:[^/@?#]*@)?(?P<host>[^/:?#]+)"


@dataclass
class LabelSketches:
    """The sketches of one label."""

    digests: dict[str, tdigest_double] = field(default_factory=dict)
    counters: dict[str, hll_sketch] = field(default_factory=dict)
    hitters: dict[str, frequent_strings_sketch] = field(default_factory=dict)

    def add_numbers(self, name: str, values: npt.NDArray[np.float64]) -> None:
        """Takes numbers into a digest."""
        digest = self.digests.setdefault(name, tdigest_double(_COMPRESSION))
        digest.update(np.array(values))  # a copy: what Arrow holds cannot be written, which it asks

    def add_counts(self, name: str, counts: Mapping[str, int]) -> None:
        """Takes values, and how often they occur."""
        hitters = self.hitters.setdefault(name, frequent_strings_sketch(_LG_HITTERS))
        for value, count in counts.items():
            hitters.update(value, count)
        if name in COUNTERS:
            counter = self.counters.setdefault(name, hll_sketch(_LG_REGISTERS))
            for value in counts:
                counter.update(value)

    def merge(self, other: LabelSketches) -> None:
        """Takes in the sketches of other documents of the label."""
        for name, digest in other.digests.items():
            self.digests.setdefault(name, tdigest_double(_COMPRESSION)).merge(digest)
        for name, hitters in other.hitters.items():
            self.hitters.setdefault(name, frequent_strings_sketch(_LG_HITTERS)).merge(hitters)
        for name, counter in other.counters.items():
            union = hll_union(_LG_REGISTERS)
            for each in filter(None, (self.counters.get(name), counter)):
                union.update(each)
            self.counters[name] = union.get_result()

    def quantiles(self, name: str, ranks: Sequence[float]) -> list[float]:
        """Values at the ranks of a digest, those at 0 and 1 exactly; NaN where it holds none."""
        digest = self.digests.get(name)
        if digest is None or digest.is_empty():
            return [float("nan")] * len(ranks)
        return [digest.get_quantile(rank) for rank in ranks]

    def num_numbers(self, name: str) -> int:
        """How many numbers a digest took, exactly."""
        digest = self.digests.get(name)
        return int(digest.get_total_weight()) if digest is not None else 0

    def num_distinct(self, name: str) -> float:
        """About how many different values there are."""
        counter = self.counters.get(name)
        return counter.get_estimate() if counter is not None else 0.0

    def most_frequent(self, name: str, num_values: int) -> list[tuple[str, int]]:
        """The most frequent values with their estimated counts, none of them spurious."""
        hitters = self.hitters.get(name)
        if hitters is None:
            return []
        found = hitters.get_frequent_items(frequent_items_error_type.NO_FALSE_POSITIVES)
        rows = [(value, estimate) for value, estimate, *_ in found]
        return sorted(rows, key=lambda row: (-row[1], row[0]))[:num_values]


Sketches = dict[str, LabelSketches]


def update(sketches: Sketches, batch: pa.RecordBatch) -> None:
    """Takes documents into the sketches of their labels.

    Args:
        sketches: by label; labels are added as they come.
        batch: rows with the columns label, text, url, content_hash and the values of DIGESTS.
    """
    wanted = ["text", "url", "content_hash", *DIGESTS.values()]
    columns = batch.select(wanted)
    for label, places in by_label(batch.column("label")):
        rows = columns.take(pa.array(places))
        found = sketches.setdefault(label, LabelSketches())
        for name, column in DIGESTS.items():
            found.add_numbers(name, _numbers(rows.column(column)))
        if hosts := _hosts(rows.column("url")):
            found.add_counts("hosts", hosts)
        if grams := _ngrams(rows):
            found.add_counts("ngrams", grams)


def by_label(labels: pa.Array) -> Iterator[tuple[str, npt.NDArray[np.int64]]]:
    """Each label with the places of its rows, in their order.

    >>> [(label, places.tolist()) for label, places in by_label(pa.array(["b", "a", "b"]))]
    [('b', [0, 2]), ('a', [1])]
    """
    encoded = labels.dictionary_encode()
    codes = encoded.indices.to_numpy()
    places = np.argsort(codes, kind="stable")
    ends = np.cumsum(np.bincount(codes, minlength=len(encoded.dictionary)))
    yield from zip(encoded.dictionary.to_pylist(), np.split(places, ends[:-1]), strict=False)


def _numbers(column: pa.Array) -> npt.NDArray[np.float64]:
    return np.asarray(column.drop_null().cast(pa.float64()))


def _hosts(urls: pa.Array) -> dict[str, int]:
    """Hosts of URLs, with how many of them have each."""
    if urls.null_count == len(urls):
        return {}
    found = pc.struct_field(pc.extract_regex(urls.drop_null(), _HOST), "host").drop_null()
    counts = pc.value_counts(pc.utf8_lower(found))
    names, numbers = counts.field("values").to_pylist(), counts.field("counts").to_pylist()
    return dict(zip(names, numbers, strict=True))


def _ngrams(rows: pa.RecordBatch) -> Counter[str]:
    """N-grams of words of the documents that the sample takes."""
    hashes = rows.column("content_hash").to_pylist()
    sampled = [row for row, each in enumerate(hashes) if each[-1] % _NGRAM_SAMPLE == 0]
    counts: Counter[str] = Counter()
    for text in rows.column("text").take(pa.array(sampled, pa.int64())).to_pylist():
        counts.update(ngrams(text[:_NGRAM_CHARACTERS]))
    return counts


def ngrams(text: str) -> Iterator[str]:
    """N-grams of a text's words; of its characters where it has no spaces.

    >>> list(ngrams("In the beginning was the"))
    ['in the beginning', 'the beginning was', 'beginning was the']
    """
    words: Sequence[str] = text.lower().split()
    spaced = len(text) <= _LONGEST_MEAN_WORD * max(len(words), 1)
    pieces = words if spaced else "".join(words)
    joint = " " if spaced else ""
    size = _NGRAM_WORDS if spaced else 2 * _NGRAM_WORDS
    return (joint.join(pieces[i : i + size]) for i in range(len(pieces) - size + 1))


# ------------------------------------------------------------- as a table


def sketches_table(sketches: Sketches) -> pa.Table:
    """The sketches in the schema SKETCHES, sorted by label and name."""
    rows = [
        {"label": label, "sketch": name, "content": content}
        for label in sorted(sketches)
        for name, content in sorted(_serialised(sketches[label]))
    ]
    return pa.Table.from_pylist(rows, schema=SKETCHES)


def _serialised(sketches: LabelSketches) -> Iterator[tuple[str, bytes]]:
    for name, digest in sketches.digests.items():
        yield name, digest.serialize()
    for name, counter in sketches.counters.items():
        yield f"distinct {name}", counter.serialize_compact()
    for name, hitters in sketches.hitters.items():
        yield f"top {name}", hitters.serialize()


def merge_sketches(tables: Iterable[pa.Table]) -> Sketches:
    """The sketches of several tables, merged in the order given.

    Args:
        tables: in the schema SKETCHES.
    """
    merged: Sketches = {}
    for table in tables:
        merge_table(merged, table)
    return merged


def merge_table(merged: Sketches, table: pa.Table) -> None:
    """Takes in the sketches of a table in the schema SKETCHES."""
    for label, sketches in _read(table).items():
        merged.setdefault(label, LabelSketches()).merge(sketches)


def _read(table: pa.Table) -> Sketches:
    found: Sketches = {}
    for row in table.to_pylist():
        sketches = found.setdefault(row["label"], LabelSketches())
        how, _, name = row["sketch"].rpartition(" ")
        if how == "distinct":
            sketches.counters[name] = hll_sketch.deserialize(row["content"])
        elif how == "top":
            sketches.hitters[name] = frequent_strings_sketch.deserialize(row["content"])
        else:
            sketches.digests[row["sketch"]] = tdigest_double.deserialize(row["content"])
    return found
