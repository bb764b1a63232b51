"""Speed of script recognition, beside GlotScript's on the same texts.

    python benchmarks/make_corpus.py corpora/20k --documents 20000
    python benchmarks/script.py corpora/20k --glotscript-python path/to/venv/bin/python

CPU seconds of one thread, the least of several runs, with the texts in memory. GlotScript is
measured in a Python of its own, so that glotmill's environment need not hold it; without the
option it is looked for in this one, and left out where it is not installed.
"""

from __future__ import annotations

import argparse
import io
import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pyarrow as pa
import zstandard

from glotmill.transforms.measure import MeasureText
from glotmill.transforms.script import recognise_scripts

GLOTSCRIPT = """\
import importlib.metadata, json, sys, time
from GlotScript import sp
texts, runs = json.load(sys.stdin)
def seconds():
    start = time.process_time()
    for text in texts:
        sp(text)
    return time.process_time() - start
print(json.dumps([importlib.metadata.version("GlotScript"), min(seconds() for _ in range(runs))]))
"""


def texts_of(corpus: Path) -> Iterator[str]:
    """Texts of a folder of JSON lines."""
    for path in sorted(corpus.glob("*.jsonl*")):
        raw = path.read_bytes()
        if path.suffix == ".zst":
            raw = zstandard.ZstdDecompressor().stream_reader(raw).read()
        for line in io.BytesIO(raw):
            yield json.loads(line)["text"]


def least_seconds(work: Callable[[], object], runs: int) -> float:
    """Least CPU seconds of several runs, after one that is not counted."""
    work()
    taken = []
    for _ in range(runs):
        start = time.process_time()
        work()
        taken.append(time.process_time() - start)
    return min(taken)


def glotscript(python: str, texts: list[str], runs: int) -> tuple[str, float] | None:
    """Version of GlotScript and its CPU seconds; None where it is not installed."""
    done = subprocess.run(
        [python, "-c", GLOTSCRIPT],
        input=json.dumps([texts, runs]),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        print(f"GlotScript left out: {done.stderr.splitlines()[-1]}", file=sys.stderr)
        return None
    version, seconds = json.loads(done.stdout)
    return f"GlotScript {version} sp()", float(seconds)


def measure(name: str, texts: list[str], python: str, runs: int) -> None:
    """Prints the rows of one set of texts."""
    array = pa.array(texts, pa.string())
    batch = pa.record_batch({"text": array})
    size = sum(len(text.encode()) for text in texts)
    ours = least_seconds(lambda: recognise_scripts(array), runs)
    rows = [("recognise_scripts", ours)]
    rows.append(("measure", least_seconds(lambda: MeasureText().annotate(batch), runs)))
    theirs = glotscript(python, texts, runs)
    rows += [theirs] if theirs else []
    for what, seconds in rows:
        print(
            f"| {name} | {len(texts):,} | {size / len(texts):,.0f} | {what} | {seconds:.3f} "
            f"| {size / 1e6 / seconds:,.0f} | {seconds / len(texts) * 1e6:.2f} "
            f"| {seconds / ours:.1f} |",
            flush=True,
        )


def kinds(texts: list[str]) -> Iterator[tuple[str, list[str]]]:
    """The texts, and those of them that are slow or fast for a reason."""
    yield "all", texts
    yield "ASCII only", [text for text in texts if text.isascii()]
    yield "3 bytes a letter", [text for text in texts if len(text.encode()) > 2 * len(text)]
    yield "lines", [line for text in texts for line in text.split("\n") if line]


def main() -> None:
    """Measures a corpus, whole and by kinds of text."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("corpus", type=Path, help="a folder of JSON lines with a `text`")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--glotscript-python", default=sys.executable)
    arguments = parser.parse_args()
    print(
        "| texts | number | bytes each | what | CPU s | MB a CPU-s | µs CPU a text | ratio |\n"
        "|---|---|---|---|---|---|---|---|"
    )
    for name, texts in kinds(list(texts_of(arguments.corpus))):
        if texts:
            measure(name, texts, arguments.glotscript_python, arguments.runs)


if __name__ == "__main__":
    main()
