"""What filters for pairs find, and what they cost in good pairs: glotmill and OpusFilter.

    python benchmarks/pair_faults.py --opusfilter VENV      # GLOTMILL_DATA set

Both judge the planted faults of `messy/bitext_noise.tsv.zst`, English with 30 labels. OpusFilter
takes a pair of files for each of them, with the scripts of its sides. Prints the share of each kind
that is dropped. VENV has OpusFilter 3.3.1.
"""

from __future__ import annotations

import argparse
import csv
import os
import subprocess
import tempfile
from collections import defaultdict
from pathlib import Path

import zstandard
from pyarrow.parquet import read_table

RECIPE = """\
glotmill: 1
name: faults
sources:
  - name: faults
    category: bitext
    path: {path}
    id: pair_id
    pairs: {{sides: [{{text: src, code_column: src_lang}}, {{text: tgt, code_column: tgt_lang}}]}}
"""
SCRIPTS = {
    "Arab": "Arabic",
    "Beng": "Bengali",
    "Deva": "Devanagari",
    "Latn": "Latin",
    "Mymr": "Myanmar",
    "Tfng": "Tifinagh",
}
Rows = list[dict[str, str]]


def read(path: Path) -> Rows:
    with zstandard.open(path, "rt", encoding="utf-8", newline="") as lines:
        return list(csv.DictReader(lines, delimiter="\t", quoting=csv.QUOTE_NONE))


def kept_by_glotmill(path: Path, scratch: Path) -> set[str]:
    """Identifiers of the pairs that ingest keeps, with the built-in model and its defaults."""
    from glotmill.pipelines.run import prepare
    from glotmill.schemas.loading import load_recipe
    from glotmill.transforms.ingest import UnitIngester

    recipe, root = scratch / "recipe.yaml", scratch / "out"
    recipe.write_text(RECIPE.format(path=path.absolute()))
    lock = prepare(load_recipe(recipe), str(root), lambda line: None)
    ingester = UnitIngester(lock.recipe, str(root))
    ingester.setup()
    kept: set[str] = set()
    for unit in lock.units:
        if (file := ingester.ingest(unit).file("documents")) is not None:
            table = read_table(root / file.path, columns=["external_id"])
            kept.update(table.column(0).to_pylist())
    return kept


def kept_by_opusfilter(rows: Rows, venv: Path, scratch: Path) -> set[str]:
    """Identifiers of the pairs that OpusFilter keeps."""
    by_label: dict[str, Rows] = defaultdict(list)
    for row in rows:
        by_label[row["tgt_lang"]].append(row)
    kept = set()
    for label, pairs in by_label.items():
        paths = [scratch / f"{label}.{side}" for side in ("src", "tgt")]
        for path in paths:
            path.write_text("".join(row[path.suffix[1:]] + "\n" for row in pairs))
        out, scripts = scratch / f"{label}-kept", f"Latin,{SCRIPTS[label[-4:]]}"
        script = Path(__file__).parent / "peers" / "opusfilter_pairs.py"
        command = [str(venv / "bin" / "python"), str(script), *map(str, paths), str(out), scripts]
        subprocess.run(command, check=True, capture_output=True)
        sides = ((out / f"kept.{side}").read_text().split("\n") for side in ("source", "target"))
        there = set(zip(*sides, strict=True))
        kept |= {row["pair_id"] for row in pairs if (row["src"], row["tgt"]) in there}
    return kept


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--opusfilter", type=Path, metavar="VENV")
    arguments = parser.parse_args()
    path = Path(os.environ["GLOTMILL_DATA"]) / "messy" / "bitext_noise.tsv.zst"
    rows = read(path)
    with tempfile.TemporaryDirectory() as folder:
        scratch = Path(folder)
        kept = {"glotmill": kept_by_glotmill(path, scratch)}
        if arguments.opusfilter:
            kept["OpusFilter"] = kept_by_opusfilter(rows, arguments.opusfilter, scratch)
    print(f"| kind | pairs | {' | '.join(kept)} |\n|---|{'---|' * (1 + len(kept))}")
    for kind in sorted({row["gold"] for row in rows}):
        of_kind = {row["pair_id"] for row in rows if row["gold"] == kind}
        dropped = (f"{1 - len(of_kind & each) / len(of_kind):.1%}" for each in kept.values())
        print(f"| {kind} | {len(of_kind)} | {' | '.join(dropped)} |")


if __name__ == "__main__":
    main()
