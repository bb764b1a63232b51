"""What each threshold of the filters for pairs drops, of good pairs and of planted faults.

    python benchmarks/pair_thresholds.py        # GLOTMILL_DATA set

Good pairs are all sentences of NTREX in 124 languages with English, and those of
`messy/bitext_noise.tsv.zst` that are marked `ok`; faults are the kind there that a filter is for.
Each filter is judged alone, without identification. Prints the table "Why these defaults" of
docs/bitext.md, the languages of NTREX that lose most, and what kindred languages share by right.
"""

from __future__ import annotations

import argparse
import json
import os
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import zstandard
from pair_faults import read

from glotmill.schemas.recipe import Recipe
from glotmill.schemas.tables import RECORDS
from glotmill.transforms import pair_filters
from glotmill.transforms.batches import with_columns
from glotmill.transforms.pair_addresses import PLAIN_LETTERS, PLAIN_WORDS, plain_columns
from glotmill.transforms.pair_filters import Sides
from glotmill.transforms.pair_ingest import side_annotators
from glotmill.transforms.pair_rows import SIDE_HASH, segment_hashes
from glotmill.transforms.pairs import Bools, Groups

NUM_SIDES = 4_000
NUM_SHOWN = 6
REASONS = ("length_ratio", "near_identical_sides", "untranslated_words", "numbers_mismatch")
Marks = Callable[[Sides], Bools]


class Pair(NamedTuple):
    """Codes and texts of both sides."""

    codes: tuple[str, str]
    texts: tuple[str, str]


def recipe_with(**options: float) -> Recipe:
    """A recipe of parallel text with options of `filters: pairs`."""
    return Recipe.model_validate(
        {
            "glotmill": 1,
            "name": "thresholds",
            "sources": [{"name": "a", "path": "-", "category": "bitext"}],
            "identify": {"enabled": False},
            "filters": {"pairs": options},
        }
    )


def sides_of(pairs: Sequence[Pair]) -> Sides:
    """Annotated sides, as the filters see them."""
    recipe = recipe_with()
    chain = side_annotators(recipe, recipe.sources[0])
    for annotator in chain:
        annotator.setup()
    batches = []
    for start in range(0, len(pairs), NUM_SIDES // 2):
        batch = _records(pairs[start : start + NUM_SIDES // 2])
        for annotator in chain:
            batch = annotator.annotate(batch)
        found = [pa.array(segment_hashes(batch)), *plain_columns(batch)]
        batches.append(with_columns(batch, [SIDE_HASH, PLAIN_WORDS, PLAIN_LETTERS], found))
    (batch,) = pa.Table.from_batches(batches).combine_chunks().to_batches()
    members, units = np.arange(2 * len(pairs)), np.arange(len(pairs))
    return Sides(batch, Groups(members, np.append(2 * units, len(members)), units), [])


def _records(pairs: Sequence[Pair]) -> pa.RecordBatch:
    columns = {
        "text": [text for pair in pairs for text in pair.texts],
        "original_code": [code for pair in pairs for code in pair.codes],
    }
    num_sides = 2 * len(pairs)
    rest = {"source": ["a"] * num_sides, "path": ["-"] * num_sides, "offset": [0] * num_sides}
    given = columns | rest
    arrays = [pa.array(given.get(f.name, [None] * num_sides), f.type) for f in RECORDS]
    return pa.RecordBatch.from_arrays(arrays, schema=RECORDS)


def news(path: Path) -> tuple[dict[str, list[str]], dict[str, str]]:
    """The sentences of NTREX by its code, in order, and the labels of the codes."""
    lines: dict[str, dict[int, str]] = defaultdict(dict)
    labels = {}
    with zstandard.open(path, "rt", encoding="utf-8") as rows:
        for row in map(json.loads, rows):
            labels[row["source_code"]] = f"{row['lang']}_{row['script']}"
            lines[row["source_code"]].update(enumerate(row["sentences"], row["first_line"]))
    return {code: [at[place] for place in sorted(at)] for code, at in lines.items()}, labels


def above(reason: str, **options: float) -> Marks:
    """What a filter marks with these options."""
    recipe = recipe_with(**options)
    found = pair_filters.pair_filters(recipe, recipe.sources[0])
    return next(each.marks for each in found if each.reason == reason)


def with_smoothing(smoothing: float, marks: Marks) -> Marks:
    """The same with another number of letters added to both sides."""

    def marked(sides: Sides) -> Bools:
        before, pair_filters.SMOOTHING = pair_filters.SMOOTHING, smoothing
        try:
            return marks(sides)
        finally:
            pair_filters.SMOOTHING = before

    return marked


def numbers(sides: Sides) -> tuple[Bools, Bools]:
    """Pairs of which both sides have digits, and those of which one has."""
    has = sides.matches(r"\p{Nd}")
    one, other = has[sides.first], has[sides.other]
    return one & other, one ^ other


def table() -> Iterator[tuple[str, str, list[Marks]]]:
    """Name of a row, the kind of fault it is for, and what is counted."""
    ratios = [above("length_ratio", max_length_ratio=each) for each in (2.0, 2.5, 3.0)]
    yield "length ratio over 2.0 / 2.5 / 3.0", "length", ratios
    smoothed = [with_smoothing(5.0, each) for each in ratios]
    yield "the same with 5 in place of 15", "length", smoothed
    words = [above("near_identical_sides", max_shared_words=each) for each in (0.5, 0.6, 0.8)]
    yield "shared words over 0.5 / 0.6 / 0.8", "partial_untranslated", words
    runs = [above("untranslated_words", max_shared_runs=each) for each in (0.2, 0.3, 0.4)]
    yield "shared runs of 3 over 0.2 / 0.3 / 0.4", "partial_untranslated", runs
    half, most = (above("numbers_mismatch", min_shared_numbers=each) for each in (0.5, 0.6))
    both: list[Marks] = [
        lambda sides: half(sides) & numbers(sides)[0],
        lambda sides: most(sides) & numbers(sides)[0],
    ]
    yield "numbers, both sides have some: share under 0.5 / 0.6", "number", both
    one: list[Marks] = [
        lambda sides: numbers(sides)[1],
        lambda sides: most(sides) & numbers(sides)[1],
    ]
    yield "numbers, one side has none: any / only over 20", "misaligned", one


def shares(marks: Sequence[Marks], sides: Sides) -> str:
    """Shares of pairs in %."""
    return " / ".join(f"{100 * each(sides).mean():.2f}" for each in marks)


def print_losses(labels: Sequence[str], sides: Sides) -> None:
    """For each filter at its default, the languages that lose most."""
    for reason in REASONS:
        lost, total = Counter(np.array(labels)[above(reason)(sides)].tolist()), Counter(labels)
        worst = sorted(lost, key=lambda name: -lost[name] / total[name])[:NUM_SHOWN]
        said = (f"{name} {lost[name] / total[name]:.1%}" for name in worst)
        print(f"- {reason}: {', '.join(said)}")


def print_kin(one: str, other: str, sides: Sides) -> None:
    """How many pairs of two languages share much."""
    words = (f"{each}: {(sides.shared > each).mean():.0%}" for each in (0.4, 0.6, 0.8))
    runs = above("untranslated_words")(sides).mean()
    print(f"- {one}, {other}: shared words over {', '.join(words)}; untranslated words: {runs:.0%}")


def paired(first: Iterable[str], other: Iterable[str], codes: tuple[str, str]) -> list[Pair]:
    """Pairs of sentences of two languages."""
    return [Pair(codes, texts) for texts in zip(first, other, strict=True)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.parse_args()
    data = Path(os.environ["GLOTMILL_DATA"])
    text, labels = news(data / "mono" / "ntrex_docs.jsonl.zst")
    english = text["eng"]
    others = [code for code, label in labels.items() if label != "eng_Latn"]
    good = [p for c in others for p in paired(text[c], english, (labels[c], "eng_Latn"))]
    kinds: dict[str, list[Pair]] = defaultdict(list)
    for row in read(data / "messy" / "bitext_noise.tsv.zst"):
        codes = (row["src_lang"], row["tgt_lang"])
        kinds[row["gold"]].append(Pair(codes, (row["src"], row["tgt"])))
    planted = {kind: sides_of(pairs) for kind, pairs in kinds.items()}
    of_news = sides_of(good)
    print(f"NTREX: {len(good):,} pairs; good: {len(kinds['ok']):,}")
    print("| % of pairs | NTREX | good | fault | pairs of it |\n|---|---|---|---|---|")
    for name, kind, marks in table():
        of_each = (shares(marks, each) for each in (of_news, planted["ok"], planted[kind]))
        print(f"| {name} | {' | '.join(of_each)} | {kind}, {len(kinds[kind])} |", flush=True)
    print_losses([pair.codes[0] for pair in good], of_news)
    for one, other in (("hrv", "bos"), ("dan", "nob")):
        pairs = paired(text[one], text[other], (labels[one], labels[other]))
        print_kin(one, other, sides_of(pairs))


if __name__ == "__main__":
    main()
