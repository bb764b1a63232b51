"""Make a corpus whose duplicates are known, to measure near-duplicate removal with.

    python benchmarks/make_duplicates.py --documents 200000 --out DIR [--seed 21] [--data DIR]

Every label with enough text gets the same number of documents of about 1.6 KB. Of all documents 10%
are near duplicates (a base with 2% to 8% of its words changed; of its letters in scripts without
spaces), 5% exact copies of a base, and 85% bases, of which no two are alike.

**Why no two bases are alike.** The real text does not suffice for 200,000 documents of their own,
so its sentences are used more than once, and in another order each time. The sentences of a label,
equal ones once and long ones cut to 160 bytes, are shuffled and dealt to documents until none is
left; then they are shuffled anew and dealt again. Two bases of one deal share no sentence. Two of
different deals share some by chance only, and not in the same company. That is not left to chance:
for every two bases of a label the bytes they share are counted exactly, `corpus.json` has the
largest share as `most_shared`, and nothing is written where it is above a half of the smaller
document. A half of the text in common is a Jaccard similarity of at most a third. What this does
not see are sentences that a source has twice in almost the same words; they are few.

A document is a function of the seed, its label and its number. `truth.parquet` says of each `id`
its `family`, `kind` (base, near or exact), `label` and `script`. The families are numbered in
random order, so those below a number are a sample of the corpus that leaves no family torn.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import random
import sys
from bisect import bisect
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from itertools import accumulate, islice
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import orjson
import pyarrow as pa
import pyarrow.parquet as pq
import regex
import zstandard
from make_corpus import READERS, UNSPACED, lines_of, positive

Ints = npt.NDArray[np.int64]
NTREX = "mono/ntrex_docs.jsonl.zst"
DOCUMENTS_PER_SHARD = 20_000
SIZES = (700, 2_300)  # bytes at which a base is full, uniform: 1,600 on average with the last
MAX_PIECE = 160  # bytes, so that a sentence is a small part of a document
MIN_PIECES, MIN_BYTES = 500, 200_000  # of a label's text; less is dealt out too often
NUM_LOOSE_WORDS = 4_000
NEAR_SHARE, EXACT_SHARE = 0.10, 0.05
NEAR_COPIES = (0.5, 0.25, 0.13, 0.07, 0.05)  # how many families have 1, 2, ... near duplicates
EDITS = (0.02, 0.08)  # share of the words (letters) that are changed
MOST_SHARED = 0.5
CLUSTER = regex.compile(r"\P{M}\p{M}*|\p{M}+")  # a letter with its marks
TRUTH = pa.schema(
    [
        pa.field("id", pa.string(), nullable=False),
        pa.field("family", pa.int64(), nullable=False),
        pa.field("kind", pa.string(), nullable=False),
        pa.field("label", pa.string(), nullable=False),
        pa.field("script", pa.string(), nullable=False),
    ]
)


class Base(NamedTuple):
    """Which pieces a base is made of: places in one shuffle of its label's pieces."""

    deal: int
    start: int
    stop: int


class Document(NamedTuple):
    """One document of the plan; member 0 of a family is the base."""

    label: int
    base: int
    member: int
    kind: str


@dataclass(frozen=True)
class Pool:
    """The pieces of one label, their UTF-8 sizes, and loose words (letters) for edits."""

    label: str
    pieces: list[str]
    sizes: Ints
    words: list[str]

    @property
    def spaced(self) -> bool:
        """Whether words have spaces between them."""
        return self.label[-4:] not in UNSPACED


def hashed(*parts: object) -> int:
    """A number of 64 bits that depends on the parts alone."""
    text = "/".join(map(str, parts)).encode()
    return int.from_bytes(hashlib.blake2b(text, digest_size=8).digest(), "big")


def read_ntrex_once(path: Path) -> Iterator[tuple[str, str]]:
    """Yield (label, sentence), of regional versions of one document the first only."""
    seen = set()
    for row in map(orjson.loads, lines_of(path)):
        label = f"{row['lang']}_{row['script']}"
        if (label, row["doc"]) not in seen:
            seen.add((label, row["doc"]))
            yield from ((label, line) for line in row["sentences"])


def read_sentences(data: Path) -> dict[str, list[str]]:
    """Return the sentences of every label, white space collapsed, equal ones once.

    Raises:
        ValueError: ``data`` holds none of the known sources.
    """
    by_label: dict[str, dict[str, None]] = defaultdict(dict)
    present = {name: read for name, read in READERS.items() if (data / name).exists()}
    if not present:
        raise ValueError(f"--data {data} holds none of: {', '.join(READERS)}")
    for name, read in present.items():
        for label, text in (read_ntrex_once if name == NTREX else read)(data / name):
            by_label[label][" ".join(text.split())] = None
    return {label: [line for line in lines if line] for label, lines in by_label.items()}


def cut(sentence: str, spaced: bool) -> Iterator[str]:
    """Cut a sentence to pieces of at most ``MAX_PIECE`` bytes between words or letters.

    >>> [len(piece) for piece in cut("word " * 50, True)]
    [159, 89]
    """
    joiner, units = (" ", sentence.split()) if spaced else ("", CLUSTER.findall(sentence))
    piece: list[str] = []
    size = 0
    for unit in units:
        added = len(unit.encode()) + len(joiner)
        if piece and size + added > MAX_PIECE:
            yield joiner.join(piece)
            piece, size = [], 0
        piece.append(unit)
        size += added
    if piece:
        yield joiner.join(piece)


def units_of(text: str, spaced: bool) -> list[str]:
    """Cut a text to words and line ends, or to letters with their marks and line ends."""
    return text.replace("\n", " \n ").split(" ") if spaced else CLUSTER.findall(text)


def make_pools(sentences: dict[str, list[str]]) -> list[Pool]:
    """Return the labels with enough text, in the order of their names."""
    pools = []
    for label in sorted(sentences):
        spaced = label[-4:] not in UNSPACED
        pieces = list(dict.fromkeys(p for line in sentences[label] for p in cut(line, spaced)))
        sizes = np.array([len(piece.encode()) for piece in pieces], np.int64)
        if len(pieces) >= MIN_PIECES and sizes.sum() >= MIN_BYTES:
            sample = pieces[:: 1 + len(pieces) * 10 // NUM_LOOSE_WORDS]
            words = [unit for piece in sample for unit in units_of(piece, spaced) if unit.strip()]
            pools.append(Pool(label, pieces, sizes, words[:NUM_LOOSE_WORDS]))
    return pools


class Maker:
    """Plan a corpus, and make document i of the plan."""

    def __init__(self, seed: int, num_documents: int, pools: list[Pool]) -> None:
        if not pools:
            raise ValueError(f"no label has {MIN_PIECES} sentences and {MIN_BYTES:,} bytes of text")
        self.pools, self._seed = pools, seed
        self._shuffle = cache(self._shuffle_anew)
        self._bases: list[list[Base]] = []
        documents: list[Document] = []
        for number in range(len(pools)):
            share = num_documents * (number + 1) // len(pools) - num_documents * number // len(
                pools
            )
            members = list(self._members(number, share))
            self._bases.append(list(islice(self._deal(number), 1 + max(d.base for d in members))))
            documents += members
        self.documents = sorted(documents, key=lambda d: hashed(seed, "order", *d))
        families = sorted({d[:2] for d in documents}, key=lambda key: hashed(seed, "family", *key))
        self._families = {key: family for family, key in enumerate(families)}

    def _members(self, label: int, num_documents: int) -> Iterator[Document]:
        """Yield so many documents of a label: base after base with its duplicates."""
        rates = [NEAR_SHARE / sum((k + 1) * p for k, p in enumerate(NEAR_COPIES)), EXACT_SHARE]
        near_rate, exact_rate = (rate / (1 - NEAR_SHARE - EXACT_SHARE) for rate in rates)

        def endless() -> Iterator[Document]:
            base = 0
            while True:
                rng = random.Random(hashed(self._seed, "members", label, base))
                near = draw_copies(rng) if rng.random() < near_rate else 0
                kinds = ["base", *["near"] * near, *["exact"] * (rng.random() < exact_rate)]
                yield from (Document(label, base, at, kind) for at, kind in enumerate(kinds))
                base += 1

        yield from islice(endless(), num_documents)

    def _shuffle_anew(self, label: int, deal: int) -> Ints:
        """Return the order of a label's pieces in one deal."""
        keys = np.random.RandomState(hashed(self._seed, "deal", label, deal) & 0xFFFFFFFF)
        return np.argsort(keys.random_sample(len(self.pools[label].pieces)), kind="stable")

    def _deal(self, label: int) -> Iterator[Base]:
        """Yield the bases of a label without end: no piece twice within one deal."""
        deal, start = 0, 0
        ends = np.cumsum(self.pools[label].sizes[self._shuffle(label, deal)])
        base = 0
        while True:
            chance = hashed(self._seed, "size", label, base) / 2**64
            size = SIZES[0] + chance * (SIZES[1] - SIZES[0])
            before = ends[start - 1] if start else 0
            stop = 1 + int(np.searchsorted(ends, before + size))
            if stop > len(ends):
                deal, start = deal + 1, 0
                ends = np.cumsum(self.pools[label].sizes[self._shuffle(label, deal)])
                if ends[-1] < SIZES[1]:
                    raise ValueError(f"{self.pools[label].label} has less text than one document")
                continue
            yield Base(deal, start, stop)
            base, start = base + 1, stop

    def family(self, document: Document) -> int:
        """Return the number of a document's family."""
        return self._families[document[:2]]

    def pieces_of(self, label: int, base: int) -> Ints:
        """Return which pieces of its label a base is made of."""
        deal, start, stop = self._bases[label][base]
        return self._shuffle(label, deal)[start:stop]

    def text(self, document: Document) -> str:
        """Return the text of a document."""
        pool = self.pools[document.label]
        rng = random.Random(hashed(self._seed, "lines", *document[:2]))
        parts: list[str] = []
        for place in self.pieces_of(document.label, document.base):
            parts += ["\n" if rng.random() < 0.4 else " " * pool.spaced, pool.pieces[place]]
        text = "".join(parts[1:])
        if document.kind != "near":
            return text
        return edit(random.Random(hashed(self._seed, "edit", *document)), pool, text)

    def most_shared(self) -> float:
        """Return the largest share of its text that a base has in common with another one."""
        return max(self._most_shared(label) for label in range(len(self.pools)))

    def _most_shared(self, label: int) -> float:
        num_bases = len(self._bases[label])
        pieces = [self.pieces_of(label, base) for base in range(num_bases)]
        owner = np.repeat(np.arange(num_bases), [len(part) for part in pieces])
        piece = np.concatenate(pieces)
        size = self.pools[label].sizes
        totals = np.bincount(owner, size[piece])
        order = np.lexsort((owner, piece))
        owner, piece = owner[order], piece[order]
        pairs, shared = [np.zeros(0, np.int64)], [np.zeros(0)]
        for lag in range(1, len(piece)):
            same = np.flatnonzero(piece[lag:] == piece[:-lag])
            if not len(same):
                break
            pairs.append(owner[same] * num_bases + owner[same + lag])
            shared.append(size[piece[same]].astype(float))
        codes, places = np.unique(np.concatenate(pairs), return_inverse=True)
        if not len(codes):
            return 0.0
        smaller = np.minimum(totals[codes // num_bases], totals[codes % num_bases])
        return float((np.bincount(places, np.concatenate(shared)) / smaller).max())


def draw_copies(rng: random.Random) -> int:
    """Return how many near duplicates a family has that has some."""
    return 1 + bisect(list(accumulate(NEAR_COPIES[:-1])), rng.random())


def edit(rng: random.Random, pool: Pool, text: str) -> str:
    """Replace, remove or add words (letters where there are no spaces), 2% to 8% of them."""
    units = units_of(text, pool.spaced)
    places = [place for place, unit in enumerate(units) if unit.strip()]
    rate = EDITS[0] + rng.random() * (EDITS[1] - EDITS[0])
    wanted = max(1, round(rate * len(places)))
    chosen: set[int] = set()
    while len(chosen) < wanted:
        chosen.add(places[int(rng.random() * len(places))])
    edited: list[str] = []
    for place, unit in enumerate(units):
        if place not in chosen:
            edited.append(unit)
            continue
        word = unit
        while word == unit:
            word = pool.words[int(rng.random() * len(pool.words))]
        edited += ([word], [], [unit, word])[int(rng.random() * 3)]
    return " ".join(edited).replace(" \n ", "\n") if pool.spaced else "".join(edited)


def write(maker: Maker, out_dir: Path) -> Counter[str]:
    """Write shards and truth, and return what was counted."""
    counts: Counter[str] = Counter()
    out_dir.mkdir(parents=True, exist_ok=True)
    with pq.ParquetWriter(out_dir / "truth.parquet", TRUTH) as truth:
        for shard in range(0, len(maker.documents), DOCUMENTS_PER_SHARD):
            documents = maker.documents[shard : shard + DOCUMENTS_PER_SHARD]
            path = out_dir / f"part-{shard // DOCUMENTS_PER_SHARD:05d}.jsonl.zst"
            rows = []
            with zstandard.open(path, "wb") as stream:
                for index, document in enumerate(documents, shard):
                    key, label = f"doc-{index:010d}", maker.pools[document.label].label
                    text = maker.text(document)
                    stream.write(orjson.dumps({"id": key, "lang": label, "text": text}) + b"\n")
                    row = (key, maker.family(document), document.kind, label, label[-4:])
                    rows.append(dict(zip(TRUTH.names, row, strict=True)))
                    counts.update({document.kind: 1, "text_bytes": len(text.encode())})
            truth.write_table(pa.Table.from_pylist(rows, schema=TRUTH))
    return counts


def make(out_dir: Path, num_documents: int, seed: int, pools: list[Pool]) -> dict[str, object]:
    """Write a corpus and return the content of its ``corpus.json``.

    Raises:
        ValueError: the folder holds shards already, or the text is too little for so many bases.
    """
    if any(out_dir.glob("part-*")):
        raise ValueError(f"{out_dir} holds shards already; name an empty folder")
    maker = Maker(seed, num_documents, pools)
    most_shared = maker.most_shared()
    if most_shared > MOST_SHARED:
        raise ValueError(
            f"two bases would share {most_shared:.0%} of their text: "
            f"the text is too little for {num_documents:,} documents"
        )
    counts = write(maker, out_dir)
    described: dict[str, object] = {
        "documents": num_documents,
        "seed": seed,
        "num_labels": len(pools),
        "num_scripts": len({pool.label[-4:] for pool in pools}),
        "mean_text_bytes": round(counts["text_bytes"] / num_documents, 1),
        "kinds": {kind: counts[kind] for kind in ("base", "near", "exact")},
        "source_bytes": int(sum(pool.sizes.sum() for pool in pools)),
        "most_shared": round(most_shared, 3),
        "labels": [pool.label for pool in pools],
    }
    (out_dir / "corpus.json").write_text(json.dumps(described, indent=1) + "\n", encoding="utf-8")
    return described


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; 0 when done, 2 when the arguments cannot be used."""
    parser = argparse.ArgumentParser(prog="make_duplicates", description=__doc__.split("\n")[0])
    parser.add_argument("--out", type=Path, required=True, help="an empty or absent folder")
    parser.add_argument("--documents", type=positive, default=200_000)
    parser.add_argument("--seed", type=int, default=21)
    parser.add_argument("--data", type=Path, default=os.environ.get("GLOTMILL_DATA"))
    args = parser.parse_args(arguments)
    try:
        if args.data is None:
            raise ValueError("name the text with --data or GLOTMILL_DATA")
        described = make(args.out, args.documents, args.seed, make_pools(read_sentences(args.data)))
    except (OSError, ValueError) as error:
        print(f"make_duplicates: {error}", file=sys.stderr)
        return 2
    print(json.dumps({key: value for key, value in described.items() if key != "labels"}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
