"""Near-duplicate removal, glotmill and its peers on the same files: cost, precision and recall.

    python benchmarks/make_duplicates.py --documents 200000 --out corpora/duplicates
    python benchmarks/near.py corpora/duplicates --out near --prepare
    python benchmarks/near.py corpora/duplicates --out near --documents 20000

Each peer runs in a process and a virtual environment of its own (`--prepare` makes those, with the
versions of `PEERS`), one after the other, single-threaded where it can be told so. CPU seconds are
user and system time of all its processes and include its start, reading and writing; peak memory is
that of its largest process. What precision, recall and the rest mean is in `duplicate_metrics.py`.

Each peer runs with word 5-grams and two bandings: 14 bands of 8 rows, which the published
comparisons use, and 20 of 5. None of the peers verifies a pair that shares a band. None compares
within a language only, so glotmill runs with `scope: all` as well as with its default, `label`.
glotmill does more than the others in its run (it normalises, recognises scripts, mixes and writes
shards), so what the near duplicates alone cost stands beside it.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from measure import measured
from peers import glotmill_run

HERE = Path(__file__).parent
GLOTMILL = "glotmill"
ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "RAYON_NUM_THREADS"), "1")


@dataclass(frozen=True)
class Peer:
    """What runs, and what is installed for it."""

    script: str = ""
    packages: tuple[str, ...] = ()


PEERS = {
    GLOTMILL: Peer(),
    "datatrove": Peer(
        "datatrove_minhash.py", ("datatrove[io,processing]==0.10.1", "spacy==3.8.18", "zstandard")
    ),
    "text-dedup": Peer("text_dedup_minhash.py", ("text-dedup==0.4.0", "zstandard")),
    "rensa": Peer("rensa_lsh.py", ("rensa==0.5.0", "zstandard")),
    "datasketch": Peer("datasketch_lsh.py", ("datasketch==2.0.0", "zstandard")),
}


@dataclass(frozen=True)
class Setting:
    """One run: a peer, its banding, and what else it can be told."""

    peer: str
    bands: int
    rows: int
    option: str = ""
    """glotmill: scope and verification; libraries that take sets: how these are made."""

    def __str__(self) -> str:
        """The setting as a row of the table names it."""
        return f"{self.peer} {self.bands}×{self.rows} {self.option}".strip()

    @property
    def folder(self) -> str:
        """A name for its files."""
        return f"{self.peer}-{self.bands}x{self.rows}-{self.option}".replace(" ", "-").rstrip("-")


@dataclass
class Result:
    """What a run cost and what it found."""

    setting: Setting
    cost: dict[str, float]
    verdict: Any
    near_cpu: float | None = None
    notes: list[str] = field(default_factory=list)


def settings(
    peers: list[str], bandings: list[tuple[int, int]], by: list[str], verify: list[str]
) -> Iterator[Setting]:
    """Yield the runs that are asked for."""
    for peer in peers:
        for bands, rows in bandings:
            if peer == GLOTMILL:
                options = (f"{scope} {how}" for how in verify for scope in ("label", "all"))
                yield from (Setting(peer, bands, rows, option) for option in options)
            elif peer in {"rensa", "datasketch"}:
                yield from (Setting(peer, bands, rows, shingles) for shingles in by)
            else:
                yield Setting(peer, bands, rows)


def prepare(peers: list[str], venvs: Path) -> None:
    """Make the virtual environment of each peer, or bring it to the pinned versions."""
    for peer in peers:
        if packages := PEERS[peer].packages:
            if not (venvs / peer / "bin" / "python").exists():
                subprocess.run([sys.executable, "-m", "venv", str(venvs / peer)], check=True)
            pip = [str(venvs / peer / "bin" / "pip"), "install", "--quiet"]
            subprocess.run([*pip, *packages], check=True)


def versions(peer: str, venvs: Path) -> str:
    """Return name and version of what a peer runs on."""
    names = [part.split("=")[0].split("[")[0] for part in PEERS[peer].packages] or [GLOTMILL]
    code = "import sys; from importlib.metadata import version as v; print(sys.version.split()[0])"
    code += "".join(f"; print({name!r}, v({name!r}))" for name in names)
    python = python_of(peer, venvs)
    found = subprocess.run([python, "-c", code], capture_output=True, text=True, check=False)
    if found.returncode:
        return f"{peer}: " + (found.stderr.strip().splitlines() or ["not there"])[-1]
    return f"{peer}: Python " + ", ".join(found.stdout.strip().splitlines())


def python_of(peer: str, venvs: Path) -> str:
    """Return the interpreter of a peer."""
    return sys.executable if peer == GLOTMILL else str(venvs / peer / "bin" / "python")


def measure(command: list[str], folder: Path, done: Path | None = None) -> dict[str, float]:
    """Run a command and return its cost and its exit code.

    Args:
        command: program and arguments.
        folder: made for it; what it prints goes to ``log.txt`` there.
        done: a file that it leaves last; where that is there, the exit code does not matter.

    Raises:
        RuntimeError: it failed; the message ends with what it wrote last.
    """
    folder.mkdir(parents=True)
    log = folder / "log.txt"
    environment = {**os.environ, **ONE_THREAD, "HF_HUB_OFFLINE": "1", "HF_HOME": str(folder)}
    with log.open("wb") as stream:
        cost = measured(command, stream, environment, check=False)
    (folder / "cost.json").write_text(json.dumps(cost))
    if cost["exit_code"] and not (done and done.exists()):
        last = log.read_text(errors="replace").strip().splitlines()[-5:]
        raise RuntimeError("\n".join([f"exit code {cost['exit_code']}, see {log}", *last]))
    return cost


def run_peer(setting: Setting, corpus: Path, folder: Path, venvs: Path) -> Result:
    """Run a peer and read its clusters."""
    import pyarrow as pa
    from pyarrow import csv

    command = [python_of(setting.peer, venvs), str(HERE / "peers" / PEERS[setting.peer].script)]
    command += [str(corpus), str(folder)]
    command += ["--bands", str(setting.bands), "--rows", str(setting.rows)]
    if setting.option:
        command += ["--shingles", setting.option]
    cost = measure(command, folder)
    found = csv.read_csv(
        folder / "clusters.tsv",
        csv.ReadOptions(column_names=["cluster", "judged"]),
        csv.ParseOptions(delimiter="\t"),
        csv.ConvertOptions(column_types={"cluster": pa.int64(), "judged": pa.bool_()}),
    )
    found = found.append_column("row", pa.array(range(found.num_rows), pa.int64()))
    return Result(setting, cost, judged_by(corpus, found))


def run_glotmill(setting: Setting, corpus: Path, folder: Path) -> Result:
    """Run glotmill and read its removals."""
    scope, verify = setting.option.split()
    banding = (setting.bands, setting.rows)
    cost = measure_glotmill(glotmill_run.recipe(corpus, scope, banding, verify), folder)
    found = glotmill_run.clusters(corpus, folder / "out")
    result = Result(setting, cost, judged_by(corpus, found), glotmill_run.near_cpu(folder / "out"))
    if cost["exit_code"]:
        result.notes.append(f"finished, and then ended with exit code {cost['exit_code']:.0f}")
    if result.near_cpu is None:
        without = folder.parent / f"glotmill-{scope}-exact"
        if not (without / "cost.json").exists():
            shutil.rmtree(without, ignore_errors=True)
            measure_glotmill(glotmill_run.recipe(corpus, scope, None, verify), without)
        result.near_cpu = cost["cpu"] - json.loads((without / "cost.json").read_text())["cpu"]
        result.notes.append("near-only CPU by difference to a run without `near`")
    return result


def measure_glotmill(recipe: str, folder: Path) -> dict[str, float]:
    """Run a recipe; its output is in ``folder/out``."""
    path, out = folder.parent / f"{folder.name}.yaml", folder / "out"
    path.write_text(recipe, encoding="utf-8")
    return measure(glotmill_run.command(path, out), folder, out / "_SUCCESS")


def judged_by(corpus: Path, found: Any) -> Any:
    """Return how well the clusters agree with the truth."""
    import pyarrow.parquet as pq
    from duplicate_metrics import judge, planted_pairs

    return judge(pq.read_table(corpus / "truth.parquet"), planted_pairs(corpus), found)


def sample(corpus: Path, num_documents: int, out: Path) -> Path:
    """Return a corpus of about so many documents in whole families, made where it is not there."""
    import orjson
    import pyarrow.compute as pc
    import pyarrow.parquet as pq
    import zstandard
    from duplicate_metrics import lines_of_shard

    folder = out / f"sample-{num_documents}"
    truth = pq.read_table(corpus / "truth.parquet")
    if (folder / "truth.parquet").exists() or num_documents >= truth.num_rows:
        return folder if num_documents < truth.num_rows else corpus
    family = truth.column("family").to_numpy()
    taken = truth.filter(pc.less(truth.column("family"), int(sorted(family)[num_documents])))
    wanted = set(taken.column("id").to_pylist())
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for path in sorted(corpus.glob("part-*.jsonl.zst")):
        with zstandard.open(folder / path.name, "wb") as stream:
            for line in lines_of_shard(path):
                if orjson.loads(line)["id"] in wanted:
                    stream.write(line + b"\n")
    pq.write_table(taken, folder / "truth.parquet")
    return folder


def table(results: list[Result]) -> str:
    """Return the results as a Markdown table."""
    lines = [
        "| peer, bands × rows | CPU-s per 1e6 | near only | wall s | peak MiB | precision | recall "
        "| recall without spaces | copies found | texts lost | largest cluster | unjudged |",
        "|---|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    for result in results:
        total, unspaced, cost = result.verdict.total, result.verdict.unspaced, result.cost
        million = 1e6 / total.num_documents
        near = "" if result.near_cpu is None else f"{result.near_cpu * million:,.0f}"
        lines.append(
            f"| {result.setting} | {cost['cpu'] * million:,.0f} | {near} | {cost['wall']:.1f} "
            f"| {cost['peak_mib']:,.0f} | {total.precision:.4f} | {total.recall:.3f} "
            f"| {unspaced.recall:.3f} | {total.copies_found:.3f} | {total.num_lost:,} "
            f"| {result.verdict.largest_cluster:,} | {total.num_unjudged:,} |"
        )
    return "\n".join(lines)


def table_by_script(results: list[Result]) -> str:
    """Return recall, precision and unjudged documents of each script as a Markdown table."""
    heads = ["script", "documents", "pairs", *(str(result.setting) for result in results)]
    lines = ["| " + " | ".join(heads) + " |", "|---" * len(heads) + "|"]
    scripts = results[0].verdict.scripts
    for script in sorted(scripts, key=lambda name: -scripts[name].num_documents):
        cells = [script, f"{scripts[script].num_documents:,}", f"{scripts[script].num_pairs:,}"]
        for result in results:
            score = result.verdict.scripts[script]
            unjudged = f" ({score.num_unjudged:,})" if score.num_unjudged else ""
            cells.append(f"{shown(score.recall)} / {shown(score.precision)}{unjudged}")
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def shown(share: float) -> str:
    """Return a share with two digits, a dash where it is a share of nothing."""
    return "–" if math.isnan(share) else f"{share:.2f}"


def banding(text: str) -> tuple[int, int]:
    """Read `14x8`."""
    bands, _, rows = text.partition("x")
    return int(bands), int(rows)


def parse(arguments: list[str] | None) -> argparse.Namespace:
    """Return the arguments of the command line."""
    parser = argparse.ArgumentParser(prog="near", description=__doc__.split("\n")[0])
    parser.add_argument("corpus", type=Path, help="what make_duplicates.py has made")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--peers", default=",".join(PEERS))
    parser.add_argument("--documents", type=int, help="whole families, about so many documents")
    parser.add_argument("--bandings", type=banding, nargs="+", default=[(14, 8), (20, 5)])
    parser.add_argument(
        "--shingles", nargs="+", choices=["words", "script"], default=["words"],
        help="of libraries that take sets: words in all scripts, or characters where they fit",
    )  # fmt: skip
    parser.add_argument(
        "--verify", nargs="+", choices=["sketch", "jaccard", "none"], default=["sketch"],
        help="how glotmill compares documents that share a band",
    )  # fmt: skip
    parser.add_argument("--venvs", type=Path, help="default: OUT/venvs")
    parser.add_argument("--prepare", action="store_true", help="make the environments, run nothing")
    args = parser.parse_args(arguments)
    args.peers = args.peers.split(",")
    if unknown := sorted(set(args.peers) - set(PEERS)):
        parser.error(f"unknown peers: {', '.join(unknown)} (known: {', '.join(PEERS)})")
    return args


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; 1 where a peer failed."""
    args = parse(arguments)
    args.out.mkdir(parents=True, exist_ok=True)
    venvs = args.venvs or args.out / "venvs"
    if args.prepare:
        prepare(args.peers, venvs)
    for peer in args.peers:
        print(f"- {versions(peer, venvs)}", flush=True)
    if args.prepare:
        return 0
    corpus = args.corpus
    if args.documents:
        corpus = sample(corpus, args.documents, args.out)
    results, failed = [], 0
    for setting in settings(args.peers, args.bandings, args.shingles, args.verify):
        folder = args.out / corpus.name / setting.folder
        shutil.rmtree(folder, ignore_errors=True)
        folder.parent.mkdir(parents=True, exist_ok=True)
        try:
            if setting.peer == GLOTMILL:
                result = run_glotmill(setting, corpus, folder)
            else:
                result = run_peer(setting, corpus, folder, venvs)
        except (RuntimeError, OSError) as error:
            print(f"{setting} failed: {error}", file=sys.stderr, flush=True)
            failed += 1
            continue
        results.append(result)
        print(table([result]).splitlines()[-1], file=sys.stderr, flush=True)
    if results:
        pairs = results[0].verdict.total
        print(f"\n{pairs.num_documents:,} documents, {pairs.num_copies:,} exact copies,")
        print(f"{pairs.num_pairs:,} planted pairs of a true Jaccard similarity of 0.7 or more\n")
        print(table(results))
        print("\nRecall / precision by script (documents without a shingle):\n")
        print(table_by_script(results))
        for result in results:
            for note in result.notes:
                print(f"\n{result.setting}: {note}")
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())
