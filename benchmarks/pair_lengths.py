"""How much a letter of each script says: the weights of the filter `length_ratio`.

    python benchmarks/pair_lengths.py path/to/data

Reads parallel texts of the larger data set: Seed (40 languages), NTREX (128), the Gospels (45)
and the Universal Declaration (32). In each it divides the letters of a language by those of
English in the same sentences. A script's weight is 1 over the median of its languages' quotients,
divided by that of Latin script; languages that stand in several texts count once for each.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import zstandard

from glotmill.transforms.readers.bitext import read_bitext
from glotmill.transforms.script import recognise_scripts

Texts = dict[str, str]


def seed(data: Path) -> Iterator[Texts]:
    """Lines of the Seed data by file."""
    yield from _rows(
        {
            path.name.removesuffix(".txt.zst"): zstandard.open(path, "rt", encoding="utf-8")
            .read()
            .splitlines()
            for path in (data / "mono" / "oldi_seed").glob("*.txt.zst")
        }
    )


def ntrex(data: Path) -> Iterator[Texts]:
    """Documents of NTREX by language."""
    by_document: dict[str, Texts] = defaultdict(dict)
    with zstandard.open(data / "mono" / "ntrex_docs.jsonl.zst", "rt", encoding="utf-8") as lines:
        for line in lines:
            row = json.loads(line)
            by_document[row["doc"]][row["source_code"]] = " ".join(row["sentences"])
    yield from by_document.values()


def bible(data: Path) -> Iterator[Texts]:
    """Verses by column."""
    table = pq.read_table(data / "bitext" / "bible_verses.parquet")
    names = [name for name in table.schema.names if name != "verse_id"]
    for row in table.select(names).to_pylist():
        yield {name: text for name, text in row.items() if text}


def declaration(data: Path) -> Iterator[Texts]:
    """Articles of the Declaration by language."""
    path = str(data / "bitext" / "tmx" / "udhr_multiway.tmx.gz")
    for batch in read_bitext([path], "tmx"):
        for row in batch.records.to_pylist():
            yield {each["code"]: each["text"] for each in row["segments"]}


def _rows(columns: dict[str, list[str]]) -> Iterator[Texts]:
    for index in range(min(map(len, columns.values()))):
        yield {name: lines[index] for name, lines in columns.items()}


CORPORA = {"seed": seed, "ntrex": ntrex, "bible": bible, "declaration": declaration}
ENGLISH = ("eng_Latn", "eng", "en")


def quotients(rows: Iterator[Texts]) -> dict[str, tuple[str, float]]:
    """Script of each language, and its letters divided by those of English."""
    own: dict[str, int] = defaultdict(int)
    english: dict[str, int] = defaultdict(int)
    scripts: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    for row in rows:
        name = next((each for each in ENGLISH if each in row), None)
        if name is None:
            continue
        names = list(row)
        codes, _, letters = recognise_scripts(pa.array([row[each] for each in names]))
        counts = dict(zip(names, letters.tolist(), strict=True))
        for each, code in zip(names, codes, strict=True):
            own[each] += counts[each]
            english[each] += counts[name]
            scripts[each][code] += counts[each]
    return {
        each: (max(scripts[each], key=scripts[each].__getitem__), own[each] / english[each])
        for each in own
        if english[each] and own[each]
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    by_script: dict[str, list[float]] = defaultdict(list)
    languages: dict[str, set[str]] = defaultdict(set)
    for name, read in CORPORA.items():
        for language, (script, quotient) in quotients(read(parser.parse_args().data)).items():
            by_script[script].append(quotient)
            languages[script].add(f"{name}:{language}")
    latin = statistics.median(by_script["Latn"])
    print("| script | texts | least | median | greatest | weight |\n|---|---|---|---|---|---|")
    for script, found in sorted(by_script.items()):
        least, middle, greatest = min(found), statistics.median(found), max(found)
        weight = f"{latin / middle:.2f}"
        print(
            f"| {script} | {len(found)} | {least:.2f} | {middle:.2f} | {greatest:.2f} | {weight} |"
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
