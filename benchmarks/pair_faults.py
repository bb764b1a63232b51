"""What filters for pairs find, and what they cost in good pairs: glotmill and OpusFilter.

    python benchmarks/pair_faults.py --opusfilter VENV      # GLOTMILL_DATA set
    python benchmarks/pair_faults.py --on-mismatch drop

Both judge the planted faults of `messy/bitext_noise.tsv.zst`, English with 30 labels. OpusFilter
takes a pair of files for each of them, with the scripts of its sides. Prints the share of each kind
that is dropped, and glotmill's reasons. VENV has OpusFilter 3.3.1.
"""

from __future__ import annotations

import argparse
import csv
import os
import subprocess
import tempfile
from collections import Counter, defaultdict
from pathlib import Path

import zstandard
from pair_outcomes import outcomes

RECIPE = """\
glotmill: 1
name: faults
sources:
  - name: faults
    category: bitext
    path: {path}
    id: pair_id
    pairs: {{sides: [{{text: src, code_column: src_lang}}, {{text: tgt, code_column: tgt_lang}}]}}
identify: {{on_mismatch: {on_mismatch}}}
"""
GOOD = ("ok", "duplicate")
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


def judged_by_glotmill(path: Path, scratch: Path, on_mismatch: str) -> dict[str, str | None]:
    """The reason that ingest gives each pair, by identifier; None for those that it keeps."""
    recipe = scratch / "recipe.yaml"
    recipe.write_text(RECIPE.format(path=path.absolute(), on_mismatch=on_mismatch))
    table = outcomes(recipe, scratch / "out")
    columns = (table.column(name).to_pylist() for name in ("external_id", "drop_reason"))
    return dict(zip(*columns, strict=True))


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


def print_kinds(rows: Rows, reasons: dict[str, str | None], kept: dict[str, set[str]]) -> None:
    """A row for each kind: what is dropped, and for which reasons glotmill does."""
    print(f"| kind | pairs | {' | '.join(kept)} | glotmill's reasons |")
    print(f"|---|{'---|' * (2 + len(kept))}")
    for kind in sorted({row["gold"] for row in rows}):
        of_kind = {row["pair_id"] for row in rows if row["gold"] == kind}
        dropped = (f"{1 - len(of_kind & each) / len(of_kind):.1%}" for each in kept.values())
        given = Counter(reason for each in of_kind if (reason := reasons[each]) is not None)
        said = ", ".join(f"{reason} {count}" for reason, count in given.most_common())
        print(f"| {kind} | {len(of_kind)} | {' | '.join(dropped)} | {said} |")


def print_sums(rows: Rows, kept: dict[str, set[str]]) -> None:
    """How much of the faults goes, and how much of the rest is good."""
    good = {row["pair_id"] for row in rows if row["gold"] in GOOD}
    bad = {row["pair_id"] for row in rows} - good
    print(f"\ngood of what came in: {len(good) / len(rows):.1%}")
    for name, each in kept.items():
        faults, rest = 1 - len(bad & each) / len(bad), len(good & each) / len(each)
        print(f"{name}: {faults:.1%} of the faults are dropped; good of what is kept: {rest:.1%}")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--opusfilter", type=Path, metavar="VENV")
    parser.add_argument("--on-mismatch", choices=("keep", "drop"), default="keep")
    arguments = parser.parse_args()
    path = Path(os.environ["GLOTMILL_DATA"]) / "messy" / "bitext_noise.tsv.zst"
    rows = read(path)
    with tempfile.TemporaryDirectory() as folder:
        scratch = Path(folder)
        reasons = judged_by_glotmill(path, scratch, arguments.on_mismatch)
        kept = {"glotmill": {each for each, reason in reasons.items() if reason is None}}
        if arguments.opusfilter:
            kept["OpusFilter"] = kept_by_opusfilter(rows, arguments.opusfilter, scratch)
    print_kinds(rows, reasons, kept)
    print_sums(rows, kept)


if __name__ == "__main__":
    main()
