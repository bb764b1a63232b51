"""Tokens per CPU second: our `encode` against the bare library in a loop, in one run.

    python benchmarks/make_corpus.py corpora/100k --documents 100000
    python benchmarks/encode_tokens.py corpora/100k --tokenizer tokenizer.json

All ways encode the same documents. They take turns, and of each the best of several rounds counts,
so that other work on the machine weighs less. Bare tiktoken does not normalise; where the file
does, it may give another number of tokens. Only a tokenizer.json is run by `tokenizers` as well.
(Beside a script called `tokenize.py` Python would not find its own module of that name.)
"""

from __future__ import annotations

import argparse
import json
import platform
import time
from collections.abc import Callable, Iterator
from importlib.metadata import version
from pathlib import Path

import sentencepiece
import tokenizers
import zstandard

from glotmill.transforms.tokenizers.base import Tokenizer
from glotmill.transforms.tokenizers.load import load_tokenizer
from glotmill.transforms.tokenizers.ranks import has_long_space

#: Gives the number of tokens of all documents.
Way = Callable[[list[str]], int]


def documents(corpus: Path, count: int) -> list[str]:
    """The first documents of a corpus that `make_corpus.py` wrote."""
    found: list[str] = []
    for path in sorted(corpus.glob("*.jsonl.zst")):
        with zstandard.open(path, "rt", encoding="utf-8") as file:
            found += (json.loads(line)["text"] for line in file)
        if len(found) >= count:
            break
    return found[:count]


def batches(texts: list[str], size: int) -> Iterator[list[str]]:
    for start in range(0, len(texts), size):
        yield texts[start : start + size]


def ours(tokenizer: Tokenizer, size: int) -> Way:
    return lambda texts: sum(len(tokenizer.encode(batch).ids) for batch in batches(texts, size))


def ways(path: str, size: int) -> dict[str, Way]:
    """What is compared, the bare library first."""
    tokenizer = load_tokenizer(path)
    compared = {f"bare {tokenizer.backend}": bare(tokenizer, path)}
    compared["glotmill"] = ours(tokenizer, size)
    if tokenizer.kind == "huggingface":
        compared["tokenizers, encode_batch_fast"] = batch_fast(path, size)
    return compared


def bare(tokenizer: Tokenizer, path: str) -> Way:
    """The library that the tokenizer runs on, a call a document, ids left as it gives them."""
    if tokenizer.backend == "tiktoken":
        encoding = tokenizer._encoding
        return lambda texts: sum(len(encoding.encode_ordinary(text)) for text in texts)
    if tokenizer.backend == "sentencepiece":
        processor = sentencepiece.SentencePieceProcessor(model_file=path)
        return lambda texts: sum(len(processor.encode(text)) for text in texts)
    library = tokenizers.Tokenizer.from_file(path)
    return lambda texts: sum(len(library.encode(t, add_special_tokens=False).ids) for t in texts)


def batch_fast(path: str, size: int) -> Way:
    library = tokenizers.Tokenizer.from_file(path)

    def count(batch: list[str]) -> int:
        found = library.encode_batch_fast(batch, add_special_tokens=False)
        return sum(len(each.ids) for each in found)

    return lambda texts: sum(map(count, batches(texts, size)))


def measure(
    compared: dict[str, Way], texts: list[str], rounds: int
) -> dict[str, tuple[int, float]]:
    """Number of tokens, and CPU seconds of the best round, of each way."""
    best = {name: (0, float("inf")) for name in compared}
    for _ in range(rounds):
        for name, way in compared.items():
            start = time.process_time()
            count = way(texts)
            best[name] = (count, min(best[name][1], time.process_time() - start))
    return best


def print_table(measured: dict[str, tuple[int, float]]) -> None:
    print("\n| way | tokens | tokens per CPU second | of the bare library |\n|---|---|---|---|")
    count, seconds = next(iter(measured.values()))
    first = count / seconds
    for name, (count, seconds) in measured.items():
        print(f"| {name} | {count:,} | {count / seconds:,.0f} | {count / seconds / first:.0%} |")


def main() -> None:
    """Prints the table of one tokenizer."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("corpus", type=Path)
    parser.add_argument("--tokenizer", required=True)
    parser.add_argument("--documents", type=int, default=5000)
    parser.add_argument("--batch", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    texts = documents(options.corpus, options.documents)
    texts = [text for text in texts if not has_long_space(text)]
    start = time.process_time()
    compared = ways(options.tokenizer, options.batch)
    libraries = ", ".join(f"{n} {version(n)}" for n in ("tokenizers", "tiktoken", "sentencepiece"))
    print(f"Python {platform.python_version()}, {libraries}")
    print(f"loaded in {time.process_time() - start:.2f} s of CPU")
    num_bytes = sum(len(text.encode()) for text in texts) / 1e6
    print(f"{len(texts):,} documents, {num_bytes:.1f} MB, best of {options.rounds} rounds")
    print_table(measure(compared, texts, options.rounds))


if __name__ == "__main__":
    main()
