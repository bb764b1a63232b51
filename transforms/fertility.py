"""Fertility: how many tokens a tokenizer spends on the same sentences in different languages.

Sides of pairs say the same, so the tokens of one language over those of another are what the
tokenizer charges for it (its premium; Petrov et al. 2023, arXiv 2305.15425).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

import pyarrow as pa
import pyarrow.compute as pc

from glotmill.schemas.tables import FERTILITY
from glotmill.transforms.segments import cut_segments
from glotmill.transforms.tokenize import TextTokenizer

#: Pairs of each two languages that are tokenized side by side, in each unit.
SAMPLED_PAIRS = 1_000

_KEYS = ["pair", "label"]
_SUMS = ["num_sentences", "num_bytes", "num_tokens"]


class SideSample:
    """Tokenizes the sides of the first pairs of each two languages."""

    def __init__(self, tokenizer: TextTokenizer) -> None:
        """Takes the tokenizer; markers of documents are not counted."""
        self._tokenizer = tokenizer.tokenizer
        self._num_taken: dict[str, int] = defaultdict(int)
        self._rows: list[dict[str, object]] = []

    def look(self, pairs: pa.RecordBatch) -> None:
        """Takes from a batch of pairs what is still wanted."""
        names = ("label", "text", "segment_labels", "segment_bytes")
        sides: list[tuple[str, str, str]] = []
        for pair, text, labels, sizes in zip(
            *(pairs.column(name).to_pylist() for name in names), strict=True
        ):
            if self._num_taken[pair] < SAMPLED_PAIRS:
                self._num_taken[pair] += 1
                segments = cut_segments(text, sizes)
                sides += [(pair, label, s) for label, s in zip(labels, segments, strict=True)]
        self._count(sides)

    def _count(self, sides: list[tuple[str, str, str]]) -> None:
        encoded = self._tokenizer.encode([segment for _, _, segment in sides])
        for (pair, label, segment), size in zip(sides, encoded.lengths.tolist(), strict=True):
            numbers = {"num_bytes": len(segment.encode()), "num_tokens": size}
            self._rows.append({"pair": pair, "label": label, "num_sentences": 1, **numbers})

    def table(self) -> pa.Table:
        """The sums, in the schema FERTILITY."""
        return merge_fertility([pa.Table.from_pylist(self._rows, schema=FERTILITY)])


def merge_fertility(tables: Iterable[pa.Table]) -> pa.Table:
    """Sums of several units, in the order of their keys."""
    table = pa.concat_tables([FERTILITY.empty_table(), *tables])
    summed = table.group_by(_KEYS).aggregate([(name, "sum") for name in _SUMS])
    summed = summed.rename_columns([name.removesuffix("_sum") for name in summed.schema.names])
    ordered = summed.sort_by([(name, "ascending") for name in _KEYS])
    return ordered.select(FERTILITY.names).cast(FERTILITY)


def premiums(table: pa.Table, against: str = "eng_Latn") -> dict[str, float]:
    """Tokens of each language over those of another for the same sentences.

    Args:
        table: in the schema FERTILITY.
        against: label of the other language.

    Returns:
        Premium by label; labels that are not paired with the other one are not in it.
    """
    other = table.filter(pc.equal(table.column("label"), against))
    tokens = dict(zip(*(other.column(n).to_pylist() for n in ("pair", "num_tokens")), strict=True))
    sums: dict[str, list[int]] = {}
    for row in table.to_pylist():
        if row["label"] != against and row["pair"] in tokens:
            of_label = sums.setdefault(row["label"], [0, 0])
            of_label[0] += row["num_tokens"]
            of_label[1] += tokens[row["pair"]]
    return {label: own / others for label, (own, others) in sums.items() if others}
