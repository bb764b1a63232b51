"""What the scripts that run a peer share; no dependency but zstandard, for it runs beside theirs.

A script is called as `PEER.py CORPUS OUT --bands B --rows R --shingles words|script` in the peer's
own virtual environment and leaves `OUT/clusters.tsv`: one line a document, in the order of the
corpus, with the number of its cluster and 1 where the peer had a shingle of it, else 0.
"""

from __future__ import annotations

import argparse
import io
import json
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")
NGRAM = 5
SEED = 1
# As make_corpus.UNSPACED, which cannot be imported here.
UNSPACED = {"Hani", "Hans", "Hant", "Jpan", "Khmr", "Lana", "Laoo", "Mymr", "Tavt", "Thai", "Tibt"}


def arguments() -> argparse.Namespace:
    """The arguments that every script takes."""
    parser = argparse.ArgumentParser()
    parser.add_argument("corpus", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--bands", type=int, required=True)
    parser.add_argument("--rows", type=int, required=True)
    parser.add_argument("--shingles", choices=["words", "script"], default="words")
    return parser.parse_args()


def documents(corpus: Path) -> Iterator[tuple[str, str]]:
    """Yield (label, text) of each document."""
    import zstandard

    for path in sorted(corpus.glob("part-*.jsonl.zst")):
        with zstandard.open(path, "rb") as stream:
            for line in io.BufferedReader(stream):
                row = json.loads(line)
                yield row["lang"], row["text"]


def shingle_lists(corpus: Path, by: str) -> Iterator[list[str]]:
    """Yield the 5-grams of each document, lower-cased.

    Args:
        corpus: where the documents are.
        by: `words` between white space whatever the language, which is what most callers of such
            a library write; or `script`, which takes characters where there are no spaces.
    """
    for label, text in documents(corpus):
        words = text.lower().split()
        if by == "script" and label[-4:] in UNSPACED:
            letters = "".join(words)
            yield [letters[at : at + NGRAM] for at in range(len(letters) - NGRAM + 1)]
        else:
            yield [" ".join(words[at : at + NGRAM]) for at in range(len(words) - NGRAM + 1)]


def batches(items: Iterable[T], size: int) -> Iterator[list[T]]:
    """Yield lists of so many items; the last may be shorter."""
    iterator = iter(items)
    while batch := list(islice(iterator, size)):
        yield batch


class Forest:
    """Disjoint sets of documents, for peers that give pairs only."""

    def __init__(self) -> None:
        self.parent: list[int] = []
        self.judged: list[bool] = []

    def add(self, judged: bool) -> int:
        """Add a document and return its number."""
        self.parent.append(len(self.parent))
        self.judged.append(judged)
        return len(self.parent) - 1

    def find(self, item: int) -> int:
        """Return the root of a document, halving its path."""
        while self.parent[item] != item:
            self.parent[item] = self.parent[self.parent[item]]
            item = self.parent[item]
        return item

    def join(self, left: int, right: int) -> None:
        """Put two documents in one set."""
        roots = self.find(left), self.find(right)
        self.parent[max(roots)] = min(roots)

    def write(self, out: Path) -> None:
        """Write the clusters."""
        write_clusters(out, map(self.find, range(len(self.parent))), self.judged)


def write_clusters(out: Path, clusters: Iterable[int], judged: Iterable[bool]) -> None:
    """Write the cluster of each document."""
    with (out / "clusters.tsv").open("w") as stream:
        for cluster, seen in zip(clusters, judged, strict=True):
            stream.write(f"{cluster}\t{int(seen)}\n")
