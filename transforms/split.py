"""Split: which documents and pairs are held out for validation, by a rule and its thresholds.

The rule ranks by a hash, the lowest ranks of each category and label are held out; how low says
`split_thresholds`. Pairs are ranked by their side in the language that most pairs share, so that
all translations of a sentence go the same way in all labels. docs/validation.md says what follows
from it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import orjson
import pyarrow as pa
import pyarrow.compute as pc

from glotmill.schemas.recipe import Bitext
from glotmill.schemas.tables import MANY_LANGUAGES
from glotmill.transforms import storage
from glotmill.transforms.draws import split_draw
from glotmill.transforms.plan import Group
from glotmill.transforms.pseudo_documents import Directions
from glotmill.transforms.unit_index import IN_OVERSIZED

#: The stage that these steps belong to, and its folder.
FOLDER = "compose"
#: The rule, and the largest draw that is held out of each category and label.
PATH = f"{FOLDER}/split.json"

#: Columns that the rule reads of documents, and of pairs.
DOCUMENT_COLUMNS = ("label", "content_hash")
PAIR_COLUMNS = (*DOCUMENT_COLUMNS, "segment_labels", "segment_hashes")
#: Category of pairs.
BITEXT = "bitext"

# Pairs of one side differ in these bits of their draws, so that a ceiling can part them.
_TIE = np.int64((1 << 20) - 1)

#: The rank of a document that is not held out whatever the thresholds are.
NEVER = np.int64(np.iinfo(np.int64).max)

Draws = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]


def hub_ranks(counts: pa.Table) -> dict[str, int]:
    """Rank of each language as the hub of the pairs: 0 for the one that most labels share.

    Ties go to the language of more pairs, then to the first by name. Labels of more than three
    languages do not name them and are left aside.

    Args:
        counts: columns category, label, num_documents, as `plan.available` gives them.

    >>> table = pa.table({"category": ["bitext"] * 2, "num_documents": [5, 9],
    ...                   "label": ["deu_Latn-eng_Latn", "eng_Latn-fra_Latn"]})
    >>> hub_ranks(table)
    {'eng_Latn': 0, 'fra_Latn': 1, 'deu_Latn': 2}
    """
    found: dict[str, list[int]] = defaultdict(lambda: [0, 0])
    for row in counts.select(["category", "label", "num_documents"]).to_pylist():
        if row["category"] == BITEXT and row["label"] != MANY_LANGUAGES:
            for language in set(row["label"].split("-")):
                found[language][0] += 1
                found[language][1] += row["num_documents"]
    ranked = sorted(found, key=lambda name: (-found[name][0], -found[name][1], name))
    return {language: rank for rank, language in enumerate(ranked)}


def hub_hashes(pairs: pa.RecordBatch, hubs: Mapping[str, int]) -> npt.NDArray[np.uint64]:
    """Hash of the side by which each of n pairs is ranked; uint64[n].

    It is the side of the language with the lowest rank; unranked ones come last, by name. Of
    several sides in that language it is the smallest hash.

    Args:
        pairs: with the columns `segment_labels` and `segment_hashes`.
        hubs: what `hub_ranks` gives.
    """
    column = pairs.column("segment_labels")
    hashes = pairs.column("segment_hashes").flatten().to_numpy()
    if not pairs.num_rows:
        return hashes[:0]
    encoded = column.flatten().dictionary_encode()
    names = encoded.dictionary.to_pylist()
    order = sorted(range(len(names)), key=lambda at: (hubs.get(names[at], len(hubs)), names[at]))
    ranks = np.argsort(order)[np.asarray(encoded.indices)]
    sizes = np.asarray(column.value_lengths())
    heads = np.cumsum(sizes) - sizes
    is_hub = ranks == np.repeat(np.minimum.reduceat(ranks, heads), sizes)
    others = np.iinfo(np.uint64).max
    return np.minimum.reduceat(np.where(is_hub, hashes, others), heads)


class SplitRule:
    """Ranks what may be held out: a function of seed, content and recipe alone."""

    def __init__(
        self, seed: int, hubs: Mapping[str, int] | None = None, bitext: Bitext | None = None
    ) -> None:
        """Takes what decides.

        Args:
            seed: of the recipe.
            hubs: what `hub_ranks` gives; None ranks pairs by their content, as documents.
            bitext: the recipe's section, for the languages that it holds out.
        """
        self._seed = seed
        self._hubs = hubs
        options = bitext or Bitext()
        self._directions = Directions(options, seed) if options.held_out else None
        #: What it is made of, for `load`.
        self.parts = {"seed": seed, "hubs": hubs, "held_out": options.held_out}

    @classmethod
    def load(cls, parts: Mapping[str, Any]) -> SplitRule:
        """The rule that is made of `parts`."""
        return cls(parts["seed"], parts["hubs"], Bitext(held_out=parts["held_out"]))

    def forbids(self, category: str) -> bool:
        """Whether there may be documents of a category that may not be trained on."""
        return category == BITEXT and self._directions is not None

    @staticmethod
    def columns(category: str) -> tuple[str, ...]:
        """Columns that are read of documents of a category."""
        return PAIR_COLUMNS if category == BITEXT else DOCUMENT_COLUMNS

    def draws(self, category: str, batch: pa.RecordBatch) -> Draws:
        """Ranks of n documents, the lowest to be held out first; int64[n], 63 bits.

        Those of pairs are of the hub's side, but for the last 20 bits. NEVER stands for documents
        of clusters too large to be believed: were one of them held out, all others would be near
        duplicates of it, and lost to training.
        """
        draws = self._draws(category, batch)
        if IN_OVERSIZED in batch.schema.names:
            draws[np.asarray(batch.column(IN_OVERSIZED))] = NEVER
        return draws

    def _draws(self, category: str, batch: pa.RecordBatch) -> Draws:
        own = self._hashed(batch.column("content_hash").to_pylist())
        if category != BITEXT or self._hubs is None:
            return own
        sides, places = np.unique(hub_hashes(batch, self._hubs), return_inverse=True)
        packed = sides.astype("<u8").tobytes()
        shared = self._hashed([packed[at : at + 8] for at in range(0, len(packed), 8)])
        return shared[places] & ~_TIE | own & _TIE

    def _hashed(self, contents: list[bytes]) -> Draws:
        return np.array([split_draw(self._seed, content) for content in contents], np.int64)

    def zero_shot(self, category: str, batch: pa.RecordBatch) -> Bools:
        """Which of n documents are in languages that no training text may hold together."""
        if category != BITEXT or self._directions is None:
            return np.zeros(batch.num_rows, bool)
        labels = batch.column("segment_labels").cast(pa.list_(pa.string()))
        encoded = pc.binary_join(labels, ">").dictionary_encode()
        languages = [tuple(each.split(">")) for each in encoded.dictionary.to_pylist()]
        known = np.array([self._directions.held_out(each) for each in languages], bool)
        return known[np.asarray(encoded.indices)]


class Splitter:
    """Says which documents are held out."""

    def __init__(
        self,
        rule: SplitRule,
        thresholds: Mapping[Group, int],
        zero_shot: Mapping[Group, int] | None = None,
    ) -> None:
        """Takes the rule, and the largest draw of each category and label that is held out.

        Args:
            rule: what ranks.
            thresholds: of what may be trained on; nothing of other groups is held out.
            zero_shot: of pairs that may not.
        """
        self._rule = rule
        #: The largest draw that is held out, where training is allowed.
        self.thresholds = thresholds
        self._zero_shot = zero_shot or {}

    def holds_out(self, category: str) -> bool:
        """Whether something of a category is held out."""
        return any(group[0] == category for group in (*self.thresholds, *self._zero_shot))

    def forbids(self, category: str) -> bool:
        """Whether there may be documents of a category that may not be trained on."""
        return self._rule.forbids(category)

    def columns(self, category: str) -> tuple[str, ...]:
        """Columns that are read of documents of a category."""
        return self._rule.columns(category)

    def held_out(self, category: str, batch: pa.RecordBatch) -> Bools:
        """Which of n documents the validation split takes; bool[n]."""
        return self.judge(category, batch)[0]

    def judge(self, category: str, batch: pa.RecordBatch) -> tuple[Bools, Bools]:
        """Which of n documents are held out, and which are neither that nor to be trained on.

        Args:
            category: of all of them.
            batch: with the columns that `columns` names.
        """
        zero_shot = self._rule.zero_shot(category, batch)
        bounds = _by_label(batch, lambda label: self.thresholds.get((category, label), -1))
        if zero_shot.any():
            others = _by_label(batch, lambda label: self._zero_shot.get((category, label), -1))
            bounds = np.where(zero_shot, others, bounds)
        held_out = self._rule.draws(category, batch) <= bounds
        return held_out, zero_shot & ~held_out


def _by_label(batch: pa.RecordBatch, value: Callable[[str], int]) -> Draws:
    encoded = batch.column("label").dictionary_encode()
    values = np.array([value(label) for label in encoded.dictionary.to_pylist()], np.int64)
    return values[np.asarray(encoded.indices)]


def read_splitter(root: str) -> Splitter:
    """The rule and the thresholds that `FindThresholds` wrote."""
    content = orjson.loads(storage.read_bytes(f"{root}/{PATH}"))
    found: dict[bool, dict[Group, int]] = {False: {}, True: {}}
    for category, label, zero_shot, threshold in content["thresholds"]:
        found[zero_shot][category, label] = threshold
    return Splitter(SplitRule.load(content["rule"]), found[False], found[True])
