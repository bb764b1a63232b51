"""How well clusters of documents agree with the duplicates that were planted.

What is judged is a table of `row` (the place of a document in the corpus), `cluster` and `judged`
(false where a peer had no shingle of the document and so could not look at it).

* **Recall**: of the planted pairs whose true Jaccard similarity is 0.7 or more, the share that is
  in one cluster. A planted pair is two different texts of one family.
* **Precision**: of all pairs in one cluster, the share that is of one family, however alike the two
  are. Pairs are counted by the sizes of the groups, not listed: a false cluster of 10,000 documents
  is 50 million false pairs.
* **Lost**: texts that only a false cluster takes away. Of a cluster that holds the texts of m
  families one document is kept, and m - 1 families are gone from the corpus.
* **Exact copies** are left out of all three, or every peer would gain by what a hash finds. Apart
  from them stands the share of copies that are in the cluster of their base.

The true Jaccard similarity is that of the sets of 5-grams of the lower-cased text: of words between
white space; in scripts without spaces, of characters without white space.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import combinations
from pathlib import Path

import numpy as np
import numpy.typing as npt
import orjson
import pyarrow as pa
import pyarrow.parquet as pq
import zstandard
from make_corpus import UNSPACED

NGRAM = 5
SIMILAR = 0.7
TRUTH_PAIRS = "truth_pairs.parquet"
PAIRS = pa.schema(
    [
        pa.field("id_a", pa.string(), nullable=False),
        pa.field("id_b", pa.string(), nullable=False),
        pa.field("label", pa.string(), nullable=False),
        pa.field("script", pa.string(), nullable=False),
        pa.field("jaccard", pa.float64(), nullable=False),
    ]
)
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Score:
    """What was found in the whole corpus or in one script; a share is NaN where nothing is."""

    num_documents: int
    num_pairs: int
    recall: float
    precision: float
    num_lost: int
    num_unjudged: int
    num_copies: int
    copies_found: float


@dataclass(frozen=True)
class Verdict:
    """The score of the whole corpus, of its scripts without spaces, and of each script."""

    total: Score
    unspaced: Score
    largest_cluster: int
    scripts: dict[str, Score] = field(default_factory=dict)


def shingles(text: str, script: str) -> set[str]:
    r"""Return the set of 5-grams of a text.

    >>> sorted(shingles("To be or not to be", "Latn"))
    ['be or not to be', 'to be or not to']
    >>> shingles("天地 玄黄\n宇", "Hans")
    {'天地玄黄宇'}
    """
    words = text.lower().split()
    if script in UNSPACED:
        letters = "".join(words)
        return {letters[at : at + NGRAM] for at in range(len(letters) - NGRAM + 1)}
    return {" ".join(words[at : at + NGRAM]) for at in range(len(words) - NGRAM + 1)}


def jaccard(left: set[str], right: set[str]) -> float:
    """Return the similarity of two sets; 0 for two empty ones."""
    return len(left & right) / max(1, len(left | right))


def texts_of(corpus: Path) -> Iterator[tuple[str, str]]:
    """Yield (id, text) of a corpus in the order of its files."""
    for path in sorted(corpus.glob("part-*.jsonl.zst")):
        for row in map(orjson.loads, lines_of_shard(path)):
            yield row["id"], row["text"]


def lines_of_shard(path: Path) -> list[bytes]:
    """Return the lines of a shard, as they are."""
    with zstandard.open(path, "rb") as stream:
        return stream.read().splitlines()


def planted_pairs(corpus: Path) -> pa.Table:
    """Return the true similarity of any two texts of one family; kept beside the corpus."""
    path = corpus / TRUTH_PAIRS
    if not path.exists():
        table = _planted_pairs(corpus)
        pq.write_table(table, path.with_suffix(".unfinished"))
        path.with_suffix(".unfinished").replace(path)
    return pq.read_table(path)


def _planted_pairs(corpus: Path) -> pa.Table:
    truth = pq.read_table(corpus / "truth.parquet").to_pylist()
    families: dict[int, list[dict[str, str]]] = defaultdict(list)
    for row in truth:
        if row["kind"] != "exact":
            families[row["family"]].append(row)
    families = {family: rows for family, rows in families.items() if len(rows) > 1}
    wanted = {row["id"] for rows in families.values() for row in rows}
    texts = {key: text for key, text in texts_of(corpus) if key in wanted}
    pairs = []
    for _, rows in sorted(families.items()):
        sets = [shingles(texts[row["id"]], row["script"]) for row in rows]
        for (a, left), (b, right) in combinations(zip(rows, sets, strict=True), 2):
            names = {"id_a": a["id"], "id_b": b["id"], "label": a["label"], "script": a["script"]}
            pairs.append({**names, "jaccard": jaccard(left, right)})
    return pa.Table.from_pylist(pairs, schema=PAIRS)


def num_pairs_within(groups: Ints) -> int:
    """Return how many pairs share their group, given the group of each item.

    >>> num_pairs_within(np.array([7, 7, 7, 9]))
    3
    """
    sizes = np.unique(groups, return_counts=True)[1].astype(object)
    return int((sizes * (sizes - 1) // 2).sum()) if len(sizes) else 0


def share(part: int, whole: int) -> float:
    """Return part of whole, NaN of nothing."""
    return part / whole if whole else float("nan")


def judge(truth: pa.Table, pairs: pa.Table, found: pa.Table) -> Verdict:
    """Return how well the clusters found agree with the truth.

    Args:
        truth: id, family, kind, label, script of each document, in the order of the corpus.
        pairs: id_a, id_b, label, script, jaccard of the planted pairs.
        found: row, cluster and judged; rows that are absent are clusters of their own, unjudged.
    """
    num_documents = truth.num_rows
    row = found.column("row").to_numpy()
    cluster = np.full(num_documents, -1, np.int64)
    cluster[row] = np.unique(found.column("cluster").to_numpy(), return_inverse=True)[1]
    alone = cluster < 0
    cluster[alone] = num_documents + np.flatnonzero(alone)
    judged = np.zeros(num_documents, bool)
    judged[row] = found.column("judged").to_numpy(zero_copy_only=False)
    places = {key: place for place, key in enumerate(truth.column("id").to_pylist())}
    ends = [
        np.array([places[key] for key in pairs.column(name).to_pylist()], np.int64)
        for name in ("id_a", "id_b")
    ]
    scripts = np.array(truth.column("script").to_pylist())
    kind = np.array(truth.column("kind").to_pylist(), dtype=object)
    scorer = _Scorer(
        truth.column("family").to_numpy(),
        kind == "exact",
        kind == "base",
        cluster,
        judged,
        ends[0][pairs.column("jaccard").to_numpy() >= SIMILAR],
        ends[1][pairs.column("jaccard").to_numpy() >= SIMILAR],
    )
    return Verdict(
        scorer.score(np.ones(num_documents, bool)),
        scorer.score(np.isin(scripts, sorted(UNSPACED))),
        int(np.unique(cluster, return_counts=True)[1].max()),
        {script: scorer.score(scripts == script) for script in sorted(set(scripts))},
    )


@dataclass(frozen=True)
class _Scorer:
    family: Ints
    is_copy: Bools
    is_base: Bools
    cluster: Ints
    judged: Bools
    left: Ints
    right: Ints

    def score(self, inside: Bools) -> Score:
        """Score the documents that are inside."""
        texts = inside & ~self.is_copy
        cluster, family = self.cluster[texts], self.family[texts]
        groups = np.unique(np.stack([cluster, family]), axis=1, return_inverse=True)[1].ravel()
        num_families = np.unique(np.unique(np.stack([cluster, family]), axis=1)[0]).size
        pairs = inside[self.left]
        together = self.cluster[self.left] == self.cluster[self.right]
        copies = inside & self.is_copy
        return Score(
            num_documents=int(inside.sum()),
            num_pairs=int(pairs.sum()),
            recall=share(int((pairs & together).sum()), int(pairs.sum())),
            precision=share(num_pairs_within(groups), num_pairs_within(cluster)),
            num_lost=int(groups.max(initial=-1)) + 1 - num_families,
            num_unjudged=int((inside & ~self.judged).sum()),
            num_copies=int(copies.sum()),
            copies_found=share(int(self._is_with_base()[copies].sum()), int(copies.sum())),
        )

    def _is_with_base(self) -> Bools:
        """Whether the base of a document's family is in the same cluster."""
        home = np.full(int(self.family.max()) + 1, -1, np.int64)
        home[self.family[self.is_base]] = self.cluster[self.is_base]
        return home[self.family] == self.cluster
