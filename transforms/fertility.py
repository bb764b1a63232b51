"""Fertility: how many tokens a tokenizer spends on the same sentences in different languages.

Sides of pairs say the same, so the tokens of one language over those of another are what the
tokenizer charges for it (its premium; Petrov et al. 2023, arXiv 2305.15425).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

import pyarrow as pa

from glotmill.schemas.tables import FERTILITY, MANY_LANGUAGES
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

    Only pairs of languages with as many sentences of one as of the other are compared: not those
    with two sides in one language, nor rows of more than three, which need not hold both.

    Args:
        table: in the schema FERTILITY.
        against: label of the other language.

    Returns:
        Premium by label; labels that are not paired with the other one are not in it.
    """
    rows = [row for row in table.to_pylist() if row["pair"] != MANY_LANGUAGES]
    others = {row["pair"]: row for row in rows if row["label"] == against}
    sums: dict[str, list[int]] = {}
    for row in rows:
        other = others.get(row["pair"])
        if other and row["label"] != against and row["num_sentences"] == other["num_sentences"]:
            of_label = sums.setdefault(row["label"], [0, 0])
            of_label[0] += row["num_tokens"]
            of_label[1] += other["num_tokens"]
    return {label: own / of_other for label, (own, of_other) in sums.items() if of_other}
