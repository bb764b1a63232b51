"""How much a letter of each script says: the weights of the filter `length_ratio`.

    python benchmarks/pair_lengths.py path/to/data [--characters]

Reads parallel texts of the larger data set: Seed (40 languages), NTREX (128), the Gospels (45)
and the Universal Declaration (32). In each it divides the letters of a language by those of
English in the same sentences. A script's weight is 1 over the median of its languages' quotients,
divided by that of Latin script; languages that stand in several texts count once for each.
Scripts that none of these has are taken from all 532 translations of the Declaration, where one has
most of its articles.

With `--characters` it does the same with all characters, which is what the report expects of the
lengths of pairs, and prints how many pairs of languages have a median ratio so far from that.
"""

from __future__ import annotations

import argparse
import gzip
import json
import statistics
import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from itertools import combinations
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
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


def all_declarations(data: Path) -> Iterator[Texts]:
    """Articles of the Declaration by file, of all translations that have most of them."""
    by_article: dict[str, Texts] = defaultdict(dict)
    for path in sorted((data / "mono" / "udhr_xml").glob("udhr_*.xml.gz")):
        with gzip.open(path) as file:
            articles = _articles(ElementTree.parse(file))
        if len(articles) >= MIN_ARTICLES:
            for number, text in articles.items():
                by_article[number][path.name.removeprefix("udhr_").removesuffix(".xml.gz")] = text
    yield from by_article.values()


def _articles(tree: ElementTree.ElementTree) -> Texts:
    """Paragraphs by number of the article, those without text left out."""
    texts = {
        article.get("number", ""): " ".join("".join(each.itertext()) for each in paragraphs)
        for article in tree.iterfind(".//{*}article")
        if (paragraphs := article.findall(".//{*}para"))
    }
    return {number: text for number, text in texts.items() if text.strip()}


def _rows(columns: dict[str, list[str]]) -> Iterator[Texts]:
    for index in range(min(map(len, columns.values()))):
        yield {name: lines[index] for name, lines in columns.items()}


CORPORA = {"seed": seed, "ntrex": ntrex, "bible": bible, "declaration": declaration}
#: Articles, of 30, that a translation of the Declaration must have to stand for its script.
MIN_ARTICLES = 20
ENGLISH = ("eng_Latn", "eng", "en")
#: Factors between the median ratio of two languages and what their scripts lead to expect.
FACTORS = (1.25, 1.5, 1.75, 2.0, 2.25)
#: Texts that two languages must share to be compared.
MIN_TEXTS = 30


def quotients(rows: list[Texts], *, characters: bool) -> dict[str, tuple[str, float]]:
    """Script of each language, and its letters, or characters, divided by those of English."""
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
        said = {each: len(row[each]) for each in names} if characters else counts
        for each, code in zip(names, codes, strict=True):
            own[each] += said[each]
            english[each] += said[name]
            scripts[each][code] += counts[each]
    return {
        each: (max(scripts[each], key=scripts[each].__getitem__), own[each] / english[each])
        for each in own
        if english[each] and own[each]
    }


def quotients_by_script(
    found: Iterable[Mapping[str, tuple[str, float]]],
) -> dict[str, list[float]]:
    """Quotients of the languages of several corpora by their script."""
    by_script: dict[str, list[float]] = defaultdict(list)
    for script, quotient in (each for of_corpus in found for each in of_corpus.values()):
        by_script[script].append(quotient)
    return by_script


def deviations(
    rows: list[Texts], scripts: Mapping[str, str], weights: Mapping[str, float]
) -> Iterator[float]:
    """How far the median ratio of each two languages is from that of the weights, as a factor."""
    lengths = {
        name: np.array([len(row.get(name, "")) for row in rows], np.float64) for name in scripts
    }
    for one, other in combinations(sorted(lengths), 2):
        both = (lengths[one] > 0) & (lengths[other] > 0)
        if both.sum() >= MIN_TEXTS:
            median = np.median(np.log(lengths[other][both] / lengths[one][both]))
            expected = np.log(weights[scripts[one]] / weights[scripts[other]])
            yield float(np.exp(abs(median - expected)))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("--characters", action="store_true", help="characters, not letters")
    arguments = parser.parse_args()
    corpora = {name: list(read(arguments.data)) for name, read in CORPORA.items()}
    found = {
        name: quotients(rows, characters=arguments.characters) for name, rows in corpora.items()
    }
    by_script = quotients_by_script(found.values())
    more = quotients(list(all_declarations(arguments.data)), characters=arguments.characters)
    by_script = quotients_by_script([more]) | by_script
    latin = statistics.median(by_script["Latn"])
    weights = {script: latin / statistics.median(each) for script, each in by_script.items()}
    print("| script | texts | least | median | greatest | weight |\n|---|---|---|---|---|---|")
    for script, each in sorted(by_script.items()):
        least, middle, greatest = min(each), statistics.median(each), max(each)
        print(
            f"| {script} | {len(each)} | {least:.2f} | {middle:.2f} | {greatest:.2f} "
            f"| {weights[script]:.2f} |"
        )
    if arguments.characters:
        show_deviations(corpora, found, weights)
    return 0


def show_deviations(
    corpora: Mapping[str, list[Texts]],
    found: Mapping[str, Mapping[str, tuple[str, float]]],
    weights: Mapping[str, float],
) -> None:
    """Prints the share of pairs of languages that are further from expected than each factor."""
    factors = np.array(
        [
            factor
            for name, rows in corpora.items()
            for factor in deviations(rows, {k: s for k, (s, _) in found[name].items()}, weights)
        ]
    )
    print(f"\n{len(factors):,} pairs of languages; further from what is expected than")
    for factor in FACTORS:
        print(f"- {factor:g} times: {np.mean(factors > factor):.2%}")


if __name__ == "__main__":
    sys.exit(main())
