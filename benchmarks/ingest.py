"""Cost of ingest per document: CPU, memory, and where the time goes.

    python benchmarks/make_corpus.py corpora/100k --documents 100000
    python benchmarks/make_corpus.py corpora/1m   --documents 1000000
    python benchmarks/ingest.py corpora/100k corpora/1m --workers 1 2
    python benchmarks/ingest.py corpora/20k --workers 1 --datatrove VENV

Each run is a process of its own with everything on: NFC, ftfy, script, language identification,
counts, repetition, hashes, filters. CPU seconds are those of all its processes, peak memory is
that of its largest process.

`--datatrove` names a virtual environment with datatrove 0.10.1, ftfy and spacy. Its stages that do
the same then run on the same files, with the same model, once without and once with its filter of
lines and 5-grams that repeat.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
import tempfile
from collections import Counter
from pathlib import Path

from measure import measured

MODEL = Path(__file__).parent.parent / "transforms" / "models" / "lid.176.ftz"
RECIPE = """\
glotmill: 1
name: ingest-benchmark
sources:
  - {{name: corpus, path: "{corpus}/*.jsonl*", id: id, language: {{column: lang}}}}
"""

INGEST = """\
import sys
from pathlib import Path
from glotmill.pipelines.engine import run_locally
from glotmill.pipelines.run import prepare
from glotmill.pipelines.stages.base import Job
from glotmill.pipelines.stages.ingest import IngestStage
from glotmill.schemas.loading import load_recipe

class Silent:
    def started(self, name, *, total, unit, look=None): pass
    def skipped(self, name): pass
    def finished(self, name): pass

recipe, root, workers = sys.argv[1:]
lock = prepare(load_recipe(recipe), root, lambda line: None)
IngestStage().work(Job(lock, root, run_locally, int(workers), Silent()), {})
"""


def run_ingest(corpus: Path, workers: int, scratch: Path) -> dict[str, object]:
    """Ingests a corpus in a process of its own and measures it."""
    root = scratch / "out"
    recipe = scratch / "recipe.yaml"
    recipe.write_text(RECIPE.format(corpus=corpus.absolute()))
    command = [sys.executable, "-c", INGEST, str(recipe), str(root), str(workers)]
    cost = measured(command)
    profile: Counter[str] = Counter()
    totals: Counter[str] = Counter()
    for path in (root / "ingest" / "units").iterdir():
        record = json.loads(path.read_text())
        profile.update(record["profile"])
        totals.update(documents=record["num_read"], text_bytes=record["num_text_bytes"])
    shutil.rmtree(root)
    return {"corpus": corpus.name, "workers": workers, **cost, **totals, "profile": profile}


def run_datatrove(corpus: Path, venv: Path, scratch: Path, *options: str) -> dict[str, float]:
    """What datatrove's stages cost on the same corpus."""
    script = Path(__file__).parent / "peers" / "datatrove_ingest.py"
    out = scratch / "datatrove"
    out.mkdir()
    arguments = [str(corpus.absolute()), str(out), str(MODEL), *options]
    with (out / "log").open("wb") as log:
        cost = measured([str(venv / "bin" / "python"), str(script), *arguments], log)
    shutil.rmtree(out)
    return cost


def show(result: dict[str, object]) -> None:
    """Prints one run as a row of a Markdown table, and its profile."""
    documents, text = int(result["documents"]), int(result["text_bytes"])  # type: ignore[call-overload]
    cpu, wall = float(result["cpu"]), float(result["wall"])  # type: ignore[arg-type]
    print(
        f"| {result['corpus']} | {documents:,} | {result['workers']} | {wall:.1f} | {cpu:.1f} "
        f"| {cpu / documents * 1e6:.0f} | {documents / cpu:,.0f} | {text / 1e6 / cpu:.1f} "
        f"| {documents / wall:,.0f} | {result['peak_mib']:.0f} |"
    )
    profile = result["profile"]
    steps = ", ".join(
        f"{step} {seconds / documents * 1e6:.0f}"
        for step, seconds in sorted(profile.items(), key=lambda item: -item[1])  # type: ignore[attr-defined]
    )
    print(f"<!-- µs CPU per document by step: {steps} -->", flush=True)


def main() -> None:
    """Measures every corpus with every number of workers."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("corpora", type=Path, nargs="*")
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--datatrove", type=Path, metavar="VENV")
    arguments = parser.parse_args()
    print(f"cores: {len(os.sched_getaffinity(0))}, python {sys.version.split()[0]}")
    print(
        "| corpus | documents | workers | wall s | CPU s | µs CPU/doc | docs/CPU-s | MB/CPU-s "
        "| docs/s | peak MiB |\n|---|---|---|---|---|---|---|---|---|---|"
    )
    for corpus in arguments.corpora:
        for workers in arguments.workers:
            with tempfile.TemporaryDirectory() as scratch:
                show(run_ingest(corpus, workers, Path(scratch)))
        for options in ((), ("repetition",)) if arguments.datatrove else ():
            with tempfile.TemporaryDirectory() as scratch:
                cost = run_datatrove(corpus, arguments.datatrove, Path(scratch), *options)
            print(f"datatrove {' '.join(options)}: " + json.dumps(cost), flush=True)


if __name__ == "__main__":
    main()
