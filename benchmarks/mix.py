"""Cost of counting, tokenizing and mixing: CPU, memory, and datatrove's tokenizer beside it.

    python benchmarks/make_corpus.py corpora/1m --documents 1000000
    python benchmarks/mix.py corpora/1m --out mix --times 3 --rate 50
    python benchmarks/mix.py corpora/100k --out mix --tokenizer tokenizer.json --datatrove VENV

Every stage runs in a process of its own. CPU seconds are of all its processes, peak memory is that
of its largest process. `--times` reads the corpus as several sources without removing duplicates,
to have more text; `--rate` draws the smallest labels, which have 3% of it, so many times.
`--datatrove` names a virtual environment with datatrove 0.10.1 and tokenizers: its
DocumentTokenizer and merger then tokenize and shuffle the same files, one task at a time.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
from pathlib import Path

from measure import measured

STAGES = ("ingest", "deduplicate", "compose", "mix")
# Labels below this size have 3% of the text that make_corpus.py makes.
SMALL_WORDS_PER_DOCUMENT = 0.2


class Silent:
    """Shows no progress."""

    def skipped(self, name: str) -> None:
        """A stage has nothing to do."""

    def started(self, name: str, *, total: int, unit: str, look: object = None) -> None:
        """A stage begins."""

    def finished(self, name: str) -> None:
        """A stage is complete."""


def run_stage(recipe: Path, root: Path, workers: int, last: str) -> None:
    """Runs the stages up to one of them; those before it are done already."""
    from glotmill.pipelines.engine import run_locally
    from glotmill.pipelines.run import STAGES as ALL
    from glotmill.pipelines.run import prepare
    from glotmill.pipelines.stages import base
    from glotmill.pipelines.stages.ingest import index_units, unit_records
    from glotmill.schemas.loading import load_recipe

    lock = prepare(load_recipe(recipe), str(root), lambda line: None)
    job = base.Job(lock, str(root), run_locally, workers, Silent())
    manifests: base.Manifests = {}
    key = ""
    for stage in ALL:
        key = stage.key(job, key)
        manifests[stage.name] = base.run_stage(stage, job, key, manifests)
        if stage.name == "ingest":
            index_units(job, unit_records(job.root))
        if stage.name == last:
            return


def write_recipe(arguments: argparse.Namespace, path: Path, num_documents: int) -> None:
    """The recipe, as JSON, which is YAML."""
    sources = [
        {
            "name": f"copy{number}",
            "path": f"{arguments.corpus.absolute()}/*.jsonl*",
            "id": "id",
            "language": {"column": "lang"},
        }
        for number in range(arguments.times)
    ]
    small = SMALL_WORDS_PER_DOCUMENT * num_documents * arguments.times
    tiers = [
        {"name": "large", "at_least": small, "rate": 1},
        {"name": "small", "at_least": 0, "rate": arguments.rate},
    ]
    output: dict[str, object] = {"parquet": {"shards": arguments.shards}}
    if arguments.tokenizer:
        output["tokens"] = {"tokenizer": str(arguments.tokenizer.absolute())}
    recipe = {
        "glotmill": 1,
        "name": "mix-benchmark",
        "sources": sources,
        "identify": {"enabled": False},
        "deduplicate": {"exact": False},
        "mix": {"tiers": tiers},
        "output": output,
    }
    path.write_text(json.dumps(recipe, indent=1))


def tokens_written(folder: Path, suffix: str, width: int) -> int:
    """Tokens in all files of a kind."""
    return sum(path.stat().st_size for path in folder.rglob(f"*{suffix}")) // width


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("corpus", type=Path, help="what make_corpus.py has made")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--times", type=int, default=1)
    parser.add_argument("--rate", type=float, default=1.0)
    parser.add_argument("--shards", type=int, default=16)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--tokenizer", type=Path)
    parser.add_argument("--datatrove", type=Path)
    parser.add_argument("--one", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    root, recipe = arguments.out / "run", arguments.out / "recipe.yaml"
    if arguments.one:
        run_stage(recipe, root, arguments.workers, arguments.one)
        return
    corpus = json.loads((arguments.corpus / "corpus.json").read_text())
    arguments.out.mkdir(parents=True, exist_ok=True)
    write_recipe(arguments, recipe, corpus["documents"])
    print("| stage | CPU-s | wall s | peak MiB of a process |\n|---|---|---|---|")
    for stage in STAGES:
        shutil.rmtree(root / stage, ignore_errors=True)
        cost = measured([sys.executable, __file__, *sys.argv[1:], "--one", stage])
        print(f"| {stage} | {cost['cpu']:.1f} | {cost['wall']:.1f} | {cost['peak_mib']:,.0f} |")
    manifests = {s: json.loads((root / s / "manifest.json").read_text()) for s in STAGES}
    text = manifests["ingest"]["counts"]["text_bytes"]
    drawn = manifests["mix"]["counts"]["train"]
    print(f"\n{text / 1e9:.2f} GB of text, {drawn:,} rows of shards drawn")
    if arguments.tokenizer:
        num_tokens = tokens_written(root / "tokens" / "megatron", ".bin", 2)
        print(f"{num_tokens:,} tokens written (2 bytes each)")
    if arguments.datatrove:
        script = Path(__file__).parent / "peers" / "datatrove_tokenize.py"
        out = arguments.out / "datatrove"
        shutil.rmtree(out, ignore_errors=True)
        python = str(arguments.datatrove / "bin" / "python")
        command = [python, str(script), str(arguments.corpus), str(out), str(arguments.tokenizer)]
        out.mkdir()
        with (out / "log").open("wb") as log:
            cost = measured(command, log)
        num_tokens = tokens_written(out / "merged", ".ds", 2)
        print(f"datatrove: {cost['cpu']:.1f} CPU-s, {cost['wall']:.1f} s, {num_tokens:,} tokens")


main()
