"""Make a corpus of any size from real text, to measure ingestion and deduplication with.

    python benchmarks/make_corpus.py OUT_DIR --documents 100000 [--seed 21] [--data DIR]

Document i depends on the seed, on i and on the source text only: a corpus of a million documents
begins with the corpus of a hundred thousand. See ``benchmarks/README.md`` for what is in it.
"""

from __future__ import annotations

import argparse
import hashlib
import html
import json
import math
import os
import random
import sys
import time
from bisect import bisect
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from functools import lru_cache, partial
from itertools import accumulate, islice
from pathlib import Path
from statistics import NormalDist
from typing import Any, TypeVar

import orjson
import pyarrow.parquet as pq
import regex
import zstandard

T = TypeVar("T")
Json = dict[str, Any]
SAMPLE = Path(__file__).parents[1] / "recipes" / "sample" / "udhr.jsonl.zst"
DOCUMENTS_PER_SHARD = 20_000  # about 32 MiB of JSON lines, and a shard does not wait for another
MEAN_BYTES, SIGMA, MIN_BYTES, MAX_BYTES = 1_600, 0.9, 120, 40_000
NUM_LENGTHS, MAX_WORDS = 4_096, 4_000
SHARES = {"exact": 0.05, "near": 0.10, "noisy": 0.03, "repetitive": 0.02}  # the rest is "fresh"
# Labels that lead the web come first in the Zipf order; the others follow by amount of text.
WEB_ORDER = (
    "eng_Latn rus_Cyrl deu_Latn spa_Latn jpn_Jpan fra_Latn cmn_Hans por_Latn ita_Latn pol_Latn "
    "nld_Latn tur_Latn vie_Latn ind_Latn ces_Latn kor_Hang arb_Arab pes_Arab ukr_Cyrl hin_Deva"
)
SAMPLE_SCRIPTS = (
    "Adlm Arab Armn Beng Cakm Cans Cher Cyrl Deva Ethi Geor Gran Grek Gujr Guru Hang Hani Hebr "
    "Hira Java Khmr Knda Lana Laoo Latn Mlym Mong Mymr Sinh Syrc Taml Tavt Telu Tfng Tglg Thaa "
    "Thai Tibt Vaii Yiii"
)
# Three characters with their marks; not \X, whose rules change between versions of Unicode.
SLICE = regex.compile(r"(?:\P{M}\p{M}*){1,3}|\p{M}+")
UNSPACED = {"Hani", "Hans", "Hant", "Jpan", "Khmr", "Lana", "Laoo", "Mymr", "Tavt", "Thai", "Tibt"}


@dataclass(frozen=True)
class Options:
    """What decides the content of a corpus, besides the number of documents."""

    seed: int
    data: str | None
    num_labels: int


@dataclass(frozen=True)
class Pool:
    """The sentences of one label, their UTF-8 sizes, and loose words for headlines and edits."""

    label: str
    sentences: list[str]
    sizes: list[int]
    words: list[str]
    joiner: str


@dataclass
class Tally:
    """What one shard holds."""

    name: str = ""
    documents: int = 0
    text_bytes: int = 0
    json_bytes: int = 0
    file_bytes: int = 0
    sha256: str = ""
    label_documents: Counter[str] = field(default_factory=Counter)
    label_bytes: Counter[str] = field(default_factory=Counter)
    kinds: Counter[str] = field(default_factory=Counter)


def lines_of(path: Path) -> Iterator[str]:
    with zstandard.open(path, "rt", encoding="utf-8", newline="\n") as stream:
        yield from (line.rstrip("\n") for line in stream)


def script_of(text: str) -> str:
    """Return the script most characters are in; kana make it Jpan."""
    found = {s: len(regex.findall(rf"\p{{Script={s}}}", text)) for s in SAMPLE_SCRIPTS.split()}
    if found["Hira"] > 0.05 * sum(found.values()):
        return "Jpan"
    return max(found, key=lambda code: found[code])


def read_sample(path: Path) -> Iterator[tuple[str, str]]:
    """Yield (label, paragraph) of the UDHR sample; texts of no known language are left out."""
    labels: dict[str, str] = {}
    for row in map(orjson.loads, lines_of(path)):
        code, name = row["iso639_3"], row["declaration"]
        if code == "und":
            continue
        if name not in labels:
            script = "Hans" if row["bcp47"] == "zh" else row["script"] or script_of(row["text"])
            labels[name] = f"{code}_{script}"
        yield from ((labels[name], line) for line in row["text"].split("\n"))


def read_seed(path: Path) -> Iterator[tuple[str, str]]:
    for file in sorted(path.glob("*.txt.zst")):
        yield from ((file.name[: -len(".txt.zst")], line) for line in lines_of(file))


def read_ntrex(path: Path) -> Iterator[tuple[str, str]]:
    for row in map(orjson.loads, lines_of(path)):
        yield from ((f"{row['lang']}_{row['script']}", line) for line in row["sentences"])


def read_bible(path: Path) -> Iterator[tuple[str, str]]:
    table = pq.read_table(path).drop_columns(["verse_id"])
    for name, column in zip(table.column_names, table.columns, strict=True):
        label = "_".join(name.split("_")[:2])
        yield from ((label, verse) for verse in column.to_pylist() if verse)


def read_tatoeba(path: Path) -> Iterator[tuple[str, str]]:
    for line in islice(lines_of(path), 1, None):
        _, code, script, text = line.split("\t")
        yield f"{code}_{script}", text


READERS: dict[str, Callable[[Path], Iterator[tuple[str, str]]]] = {
    "mono/oldi_seed": read_seed,
    "mono/ntrex_docs.jsonl.zst": read_ntrex,
    "bitext/bible_verses.parquet": read_bible,
    "mono/tatoeba_labelled.tsv.zst": read_tatoeba,
}


def read_sentences(data: str | None) -> dict[str, list[str]]:
    """Return the sentences of every label, white space collapsed, in the order of the sources.

    Raises:
        ValueError: ``data`` is given and holds none of the known sources.
    """
    present = [name for name in READERS if data and (Path(data) / name).exists()]
    if data and not present:
        raise ValueError(f"--data {data} holds none of: {', '.join(READERS)}")
    by_label: dict[str, list[str]] = defaultdict(list)
    streams = [read_sample(SAMPLE), *(READERS[name](Path(str(data)) / name) for name in present)]
    for stream in streams:
        for label, text in stream:
            if sentence := " ".join(text.split()):
                by_label[label].append(sentence)
    return by_label


def choose_labels(sizes: dict[str, int], num_labels: int) -> list[str]:
    """Order labels for the Zipf law: the head, the largest of each script, then by size.

    >>> choose_labels({"aaa_Latn": 9, "bbb_Latn": 8, "ccc_Thai": 1, "eng_Latn": 2}, 3)
    ['eng_Latn', 'aaa_Latn', 'ccc_Thai']
    """
    by_size = sorted(sizes, key=lambda label: (-sizes[label], label))
    leaders: dict[str, str] = {}
    for label in by_size:
        leaders.setdefault(label[-4:], label)
    first = [label for label in WEB_ORDER.split() if label in sizes][:num_labels]
    chosen = set(list(dict.fromkeys([*first, *leaders.values(), *by_size]))[:num_labels])
    return [*first, *(label for label in by_size if label in chosen - set(first))]


def make_pool(label: str, sentences: list[str]) -> Pool:
    joiner = "" if label[-4:] in UNSPACED else " "
    stride = 1 + len(sentences) * 8 // MAX_WORDS
    cut = str.split if joiner else regex.compile(r"(?:[^\s\p{M}]\p{M}*){1,3}").findall
    words = [word for sentence in sentences[::stride] for word in cut(sentence)]
    sizes = [len(sentence.encode()) for sentence in sentences]
    return Pool(label, sentences, sizes, words[:MAX_WORDS], joiner)


class Maker:
    """Make document i from a seed and pools of sentences."""

    def __init__(self, options: Options, sentences: dict[str, list[str]]) -> None:
        sizes = {label: sum(map(len, lines)) for label, lines in sentences.items()}
        labels = choose_labels(sizes, options.num_labels)
        self.pools = [make_pool(label, sentences[label]) for label in labels]
        self._key = int.from_bytes(hashlib.sha256(str(options.seed).encode()).digest()[:8], "big")
        weights = [1 / rank for rank in range(1, len(labels) + 1)]  # Zipf, exponent 1
        self._label_bounds = [t / math.fsum(weights) for t in accumulate(weights)][:-1]
        self._kinds, self._kind_bounds = [*SHARES, "fresh"], list(accumulate(SHARES.values()))
        normal = NormalDist(math.log(MEAN_BYTES) - SIGMA**2 / 2, SIGMA)
        quantiles = (normal.inv_cdf((k + 0.5) / NUM_LENGTHS) for k in range(NUM_LENGTHS))
        self._lengths = [min(MAX_BYTES, max(MIN_BYTES, round(math.exp(q)))) for q in quantiles]

    def document(self, index: int) -> tuple[Pool, str, str]:
        """Return (pool, text, kind) of one document."""
        rng = random.Random((self._key << 64) | index)
        kind = self._kinds[bisect(self._kind_bounds, rng.random())] if index else "fresh"
        if kind in {"exact", "near"}:
            # Squared, so that early documents have many copies: clusters of unequal size.
            pool, text, _ = self.document(int(index * rng.random() ** 2))
            return pool, text if kind == "exact" else edit(rng, pool, text), kind
        pool = self.pools[bisect(self._label_bounds, rng.random())]
        size = self._lengths[int(rng.random() * NUM_LENGTHS)]
        if kind == "repetitive":
            return pool, repeat(rng, pool, size), kind
        text = compose(rng, pool, size)
        return pool, pick(rng, NOISE)(text) if kind == "noisy" else text, kind


def pick(rng: random.Random, items: Sequence[T]) -> T:
    return items[int(rng.random() * len(items))]


def compose(rng: random.Random, pool: Pool, size: int) -> str:
    """Return a headline of loose words and lines of one or two sentences, about ``size`` bytes."""
    headline = pool.joiner.join([pick(rng, pool.words) for _ in range(3 + int(rng.random() * 7))])
    lines, total, last = [headline], len(headline.encode()), len(pool.sentences) - 1
    while True:
        start = int(rng.random() * (last + 1))
        stop = min(last, start + int(rng.random() * 2))
        added = pool.sizes[start] + (pool.sizes[stop] if stop > start else 0)
        if total + added / 2 > size and len(lines) > 1:
            return "\n".join(lines)
        lines.append(pool.joiner.join(pool.sentences[start : stop + 1]))
        total += added


def repeat(rng: random.Random, pool: Pool, size: int) -> str:
    """Return one sentence or a few words over and over, on one line or on many."""
    few_words = pool.joiner.join([pick(rng, pool.words) for _ in range(2 + int(rng.random() * 3))])
    unit = pick(rng, (pick(rng, pool.sentences), few_words))
    times = max(4, size // (len(unit.encode()) + 1))
    return pick(rng, ("\n", pool.joiner or "\n")).join([unit] * times)


def edit(rng: random.Random, pool: Pool, text: str) -> str:
    """Replace, add or remove one to four words (or short slices where there are no spaces)."""
    pieces = text.split(" ") if pool.joiner else SLICE.findall(text)
    for _ in range(1 + int(rng.random() * 4)):
        at, word = int(rng.random() * len(pieces)), pick(rng, pool.words)
        choices = ([word], [pieces[at], word], [] if len(pieces) > 1 else [word])
        pieces[at : at + 1] = pick(rng, choices)
    return pool.joiner.join(pieces)


def with_entities(text: str) -> str:
    """Leave the markup of a web page in: tags, entities, numeric references."""
    start = html.escape(text[:60]).encode("ascii", "xmlcharrefreplace").decode()
    lines = (start + html.escape(text[60:])).split("\n")
    return "\n".join(f"<p>{line}&nbsp;</p>" for line in lines)


def with_mojibake(text: str) -> str:
    """Read UTF-8 as Latin-1; a typographic line makes sure that something breaks."""
    return f"{text}\n© “2021” – …".encode().decode("latin-1")


def with_odd_spaces(text: str) -> str:
    """Use no-break, wide and zero-width spaces, tabs and blank lines."""
    lines = text.replace(" ", "\u00a0", 3).replace(", ", ",\t \u2003").split("\n")
    return " \u3000\n\n\u200b".join(lines) + "  \n"


def with_crlf(text: str) -> str:
    return text.replace("\n", "\r\n") + "\r\n"


NOISE = (with_entities, with_mojibake, with_odd_spaces, with_crlf)


@lru_cache(maxsize=1)
def maker_for(options: Options) -> Maker:
    """Load the sources once a process (and once in all where processes are forked)."""
    return Maker(options, read_sentences(options.data))


def shard_lines(maker: Maker, start: int, stop: int, tally: Tally) -> Iterator[bytes]:
    """Yield the JSON lines of a shard in blocks and count them."""
    block: list[bytes] = []
    for index in range(start, stop):
        pool, text, kind = maker.document(index)
        row = {"id": f"doc-{index:010d}", "lang": pool.label, "text": text}
        block.append(orjson.dumps(row) + b"\n")
        tally.label_documents[pool.label] += 1
        tally.label_bytes[pool.label] += len(text.encode())
        tally.kinds[kind] += 1
        if len(block) == 500 or index == stop - 1:
            yield b"".join(block)
            block.clear()


def write_shard(out_dir: Path, documents: int, plain: bool, options: Options, shard: int) -> Tally:
    """Write one shard under a temporary name, rename it and return its tally."""
    start, stop = shard * DOCUMENTS_PER_SHARD, min(documents, (shard + 1) * DOCUMENTS_PER_SHARD)
    tally = Tally(f"part-{shard:05d}.jsonl" + ("" if plain else ".zst"), stop - start)
    digest, unfinished = hashlib.sha256(), out_dir / (tally.name + ".unfinished")
    packer = zstandard.ZstdCompressor(level=3).compressobj()
    with unfinished.open("wb") as stream:

        def write(chunk: bytes) -> None:
            digest.update(chunk)
            tally.file_bytes += stream.write(chunk)

        for block in shard_lines(maker_for(options), start, stop, tally):
            tally.json_bytes += len(block)
            write(block if plain else packer.compress(block))
        write(b"" if plain else packer.flush())
    os.replace(unfinished, out_dir / tally.name)
    tally.text_bytes, tally.sha256 = tally.label_bytes.total(), digest.hexdigest()
    return tally


def describe(documents: int, options: Options, tallies: list[Tally]) -> Json:
    """Return the content of ``corpus.json``."""
    counts = sum((t.label_documents for t in tallies), Counter())
    sizes = sum((t.label_bytes for t in tallies), Counter())
    shard_fields = ("name", "documents", "text_bytes", "json_bytes", "file_bytes", "sha256")
    return {
        "documents": documents,
        **{key: sum(getattr(t, key) for t in tallies) for key in shard_fields[2:5]},
        "mean_text_bytes": round(sum(sizes.values()) / documents, 1),
        "seed": options.seed,
        "num_labels": len(counts),
        "num_scripts": len({label[-4:] for label in counts}),
        "larger_data": bool(options.data),
        "kinds": dict(sorted(sum((t.kinds for t in tallies), Counter()).items())),
        "labels": {
            label: {"documents": n, "text_bytes": sizes[label], "share": round(n / documents, 6)}
            for label, n in sorted(counts.items(), key=lambda item: (-item[1], item[0]))
        },
        "shards": [{key: getattr(t, key) for key in shard_fields} for t in tallies],
    }


def make(out_dir: Path, documents: int, options: Options, plain: bool, workers: int) -> Json:
    """Write the shards, then ``corpus.json``, and return its content.

    Raises:
        ValueError: ``out_dir`` holds shards already, or ``data`` holds no known source.
    """
    if any(out_dir.glob("part-*")):
        raise ValueError(f"{out_dir} holds shards already; name an empty folder")
    out_dir.mkdir(parents=True, exist_ok=True)
    maker_for(options)
    work = partial(write_shard, out_dir, documents, plain, options)
    shards = range(-(-documents // DOCUMENTS_PER_SHARD))
    if workers > 1 and len(shards) > 1:
        with ProcessPoolExecutor(min(workers, len(shards))) as pool:
            tallies = list(pool.map(work, shards))
    else:
        tallies = [work(shard) for shard in shards]
    corpus = describe(documents, options, tallies)
    (out_dir / "corpus.json").write_text(json.dumps(corpus, indent=1) + "\n", encoding="utf-8")
    return corpus


def positive(text: str) -> int:
    if (value := int(text)) < 1:
        raise argparse.ArgumentTypeError(f"{value} is not a positive number")
    return value


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; 0 when done, 2 when the arguments cannot be used."""
    parser = argparse.ArgumentParser(prog="make_corpus", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("out_dir", type=Path, help="an empty or absent folder")
    parser.add_argument("--documents", type=positive, required=True)
    parser.add_argument("--seed", type=int, default=21)
    parser.add_argument("--data", default=os.environ.get("GLOTMILL_DATA"), help="'' for none")
    parser.add_argument("--labels", type=positive, default=200, help="at most so many languages")
    parser.add_argument("--plain", action="store_true", help="write .jsonl, not .jsonl.zst")
    parser.add_argument("--workers", type=positive, default=os.cpu_count())
    args = parser.parse_args(arguments)
    options, start = Options(args.seed, args.data or None, args.labels), time.monotonic()
    try:
        corpus = make(args.out_dir, args.documents, options, args.plain, args.workers)
    except (OSError, ValueError) as error:
        print(f"make_corpus: {error}", file=sys.stderr)
        return 2
    summary = ("documents", "text_bytes", "mean_text_bytes", "num_labels", "num_scripts", "kinds")
    print(json.dumps({key: corpus[key] for key in summary}), f"{time.monotonic() - start:.1f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
