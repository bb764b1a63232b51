"""What the filters for pairs cost in real parallel text.

    python benchmarks/pair_losses.py        # GLOTMILL_DATA set

Ingests all of `recipes/bitext.yaml`. Prints how many pairs of each source are kept, and how many
are dropped for which reason; then the pairs of languages that lose most. The tables stand in
docs/bitext.md.
"""

from __future__ import annotations

import argparse
import tempfile
from collections import Counter, defaultdict
from pathlib import Path

from pair_outcomes import outcomes

RECIPE = Path(__file__).parents[1] / "recipes" / "bitext.yaml"
KEPT = "pairs kept"
Counts = dict[str, Counter[str]]


def print_sources(by_source: Counts) -> None:
    """A column for each source, a row for each reason, and what of all pairs is dropped."""
    total: Counter[str] = sum(by_source.values(), Counter())
    print(f"| reason | {' | '.join(by_source)} | all |\n|---|{'---|' * (len(by_source) + 1)}")
    columns = [*by_source.values(), total]
    for reason in [KEPT, *sorted(set(total) - {KEPT}, key=lambda each: -total[each])]:
        cells = (f"{counts[reason]:,}" if counts[reason] else "" for counts in columns)
        print(f"| {reason} | {' | '.join(cells)} |")
    print(f"| of all | {' | '.join(f'{lost(counts):.1%}' for counts in columns)} |")


def print_labels(by_label: Counts, least: int, rows: int) -> None:
    """The pairs of languages that lose most, with their three most frequent reasons."""
    print("\n| pair | pairs | dropped | as |\n|---|---|---|---|")
    large = [name for name, counts in by_label.items() if counts.total() >= least]
    for name in sorted(large, key=lambda each: (-lost(by_label[each]), each))[:rows]:
        counts = by_label[name]
        reasons = Counter({reason: n for reason, n in counts.items() if reason != KEPT})
        said = (f"{each} {n / counts.total():.1%}" for each, n in reasons.most_common(3))
        print(f"| {name} | {counts.total():,} | {lost(counts):.0%} | {', '.join(said)} |")


def lost(counts: Counter[str]) -> float:
    """Share of pairs that are dropped."""
    return 1 - counts[KEPT] / counts.total()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--least", type=int, default=300, help="pairs of two languages")
    parser.add_argument("--rows", type=int, default=20, help="pairs of languages that are shown")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        table = outcomes(RECIPE, Path(folder) / "out")
    by_source: Counts = defaultdict(Counter)
    by_label: Counts = defaultdict(Counter)
    columns = (table.column(name).to_pylist() for name in ("source", "label", "drop_reason"))
    for source, label, reason in zip(*columns, strict=True):
        by_source[source][reason or KEPT] += 1
        by_label[f"{label} ({source})"][reason or KEPT] += 1
    print_sources(by_source)
    print_labels(by_label, arguments.least, arguments.rows)


if __name__ == "__main__":
    main()
