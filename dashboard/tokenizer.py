"""Tokenizer: how many tokens the words of each label become, and the sentences of pairs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from glotmill.dashboard.amounts import kind_of
from glotmill.dashboard.names import language_name, script_of
from glotmill.dashboard.shares import share
from glotmill.transforms.fertility import premiums

#: The label that the sentences of others are compared with.
REFERENCE = "eng_Latn"
_SUMS = ("num_documents", "num_bytes", "num_words", "num_tokens", "num_fallback_tokens")


@dataclass(frozen=True)
class TokenRow:
    """What the tokenizer makes of one label in one category.

    Attributes:
        num_documents: pairs, where the category is bitext.
        premium: of the label, where pairs of the run tell it.
    """

    category: str
    label: str
    name: str
    script: str
    num_documents: int
    num_bytes: int
    num_words: int
    num_tokens: int
    num_fallback_tokens: int
    premium: float | None

    @property
    def fertility(self) -> float:
        """Tokens a word."""
        return share(self.num_tokens, self.num_words)

    @property
    def bytes_per_token(self) -> float:
        """UTF-8 bytes that a token stands for."""
        return share(self.num_bytes, self.num_tokens)

    @property
    def fallback_share(self) -> float:
        """Tokens that are single bytes, as the vocabulary has no piece for them."""
        return share(self.num_fallback_tokens, self.num_tokens)


@dataclass(frozen=True)
class PremiumRow:
    """Tokens of a label over those of the reference, for sentences that say the same."""

    label: str
    name: str
    premium: float


@dataclass(frozen=True)
class Tokens:
    """What the page shows of the tokenizer.

    Attributes:
        labels: the most tokens first.
        premiums: of all labels that are paired with the reference, the largest first.
        reference_fertility: tokens a word of the reference; 0 without documents in it.
    """

    labels: Sequence[TokenRow]
    premiums: Sequence[PremiumRow]
    reference_fertility: float

    @property
    def num_tokens(self) -> int:
        """Of all labels."""
        return sum(row.num_tokens for row in self.labels)

    @property
    def num_words(self) -> int:
        """Of all labels."""
        return sum(row.num_words for row in self.labels)

    @property
    def num_fallback_tokens(self) -> int:
        """Of all labels."""
        return sum(row.num_fallback_tokens for row in self.labels)


def tokens(available: pa.Table | None, fertility: pa.Table | None) -> Tokens | None:
    """Sums over training and validation; None where nothing was tokenized.

    Args:
        available: in the schema AVAILABLE; None where no stage wrote it.
        fertility: in the schema FERTILITY; None where there are no pairs, or no tokenizer.
    """
    if available is None or not pc.sum(available.column("num_tokens")).as_py():
        return None
    # The other way round a pair is written from the same words.
    once = available.filter(pc.invert(available.column("again")))
    summed = once.group_by(["category", "label"]).aggregate([(name, "sum") for name in _SUMS])
    names = ("category", "label", *(f"{name}_sum" for name in _SUMS))
    rows = list(zip(*(summed.column(name).to_pylist() for name in names), strict=True))
    found = {} if fertility is None else premiums(fertility, REFERENCE)
    labels = [_row(row, found) for row in rows if row[5]]
    labels.sort(key=lambda row: (-row.num_tokens, row.category, row.label))
    charged = [PremiumRow(label, language_name(label), value) for label, value in found.items()]
    charged.sort(key=lambda row: (-row.premium, row.label))
    return Tokens(labels, charged, _reference_fertility(labels))


def _row(row: tuple[str, str, int, int, int, int, int], premiums: Mapping[str, float]) -> TokenRow:
    category, label, num_documents, num_bytes, num_words, num_tokens, num_fallback_tokens = row
    return TokenRow(
        category=category,
        label=label,
        name=language_name(label),
        script=script_of(label),
        num_documents=num_documents,
        num_bytes=num_bytes,
        num_words=num_words,
        num_tokens=num_tokens,
        num_fallback_tokens=num_fallback_tokens,
        premium=premiums.get(label),
    )


def _reference_fertility(labels: Sequence[TokenRow]) -> float:
    """Tokens a word of the reference, in documents."""
    found = [
        row for row in labels if row.label == REFERENCE and kind_of(row.category) == "documents"
    ]
    return share(sum(row.num_tokens for row in found), sum(row.num_words for row in found))
