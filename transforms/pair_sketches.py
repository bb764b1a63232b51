"""Sketches of pairs: how long the two sides are, and how they compare, by label.

The sides stand in the order of the label, whichever comes first in the data, so that a pair and
its reverse are one. Texts in three or more languages have no ratio, and are left out.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from glotmill.transforms.pairs import Bools, Groups, Ints
from glotmill.transforms.sketches import LabelSketches, Sketches, by_label

Floats = npt.NDArray[np.float64]

#: Digests of a label: characters of the side of its first language and of that of its second, the
#: identifier's confidence in each, and the natural logarithm of the second's characters over the
#: first's. Of the logarithm a pair and its reverse have the same quantiles but for the sign.
DIGESTS = (
    "first_characters",
    "second_characters",
    "log_ratio",
    "first_confidence",
    "second_confidence",
)
#: What a digest of a score that the data carries begins with; its name follows.
SCORE = "score:"


def update_pairs(
    sketches: Sketches, sides: pa.RecordBatch, groups: Groups, rows: pa.RecordBatch, kept: Bools
) -> None:
    """Takes the rows of two sides that are kept into the sketches of their labels.

    Args:
        sketches: by label; labels are added as they come.
        sides: with the columns label, num_characters and identified_score.
        groups: which of them make a row.
        rows: with the columns label and scores.
        kept: bool[n], by row.
    """
    wanted = np.flatnonzero(kept & (np.diff(groups.starts) == 2))
    first, second = _in_order_of_labels(sides, groups, wanted)
    taken = pa.array(wanted)
    numbers = _numbers_of_sides(sides, first, second)
    numbers |= _numbers_of_scores(rows.column("scores").take(taken))
    given = {name: np.isfinite(values) for name, values in numbers.items()}
    for label, places in by_label(rows.column("label").take(taken)):
        found = sketches.setdefault(label, LabelSketches())
        for name, values in numbers.items():
            some = values[places[given[name][places]]]
            if len(some):
                found.add_numbers(name, some)


def _in_order_of_labels(sides: pa.RecordBatch, groups: Groups, rows: Ints) -> tuple[Ints, Ints]:
    """The side of the first language, and that of the second, of each row."""
    labels = sides.column("label").dictionary_encode()
    ranks = np.argsort(np.argsort(labels.dictionary.to_pylist()))
    rank = ranks[np.asarray(labels.indices)]
    one, other = (groups.members[groups.starts[rows] + place] for place in (0, 1))
    swapped = rank[one] > rank[other]
    return np.where(swapped, other, one), np.where(swapped, one, other)


def _numbers_of_sides(sides: pa.RecordBatch, first: Ints, second: Ints) -> dict[str, Floats]:
    """The columns DIGESTS; NaN where a side has no characters, or was not identified."""
    characters = np.asarray(sides.column("num_characters")).astype(np.float64)
    confidence = _floats(sides.column("identified_score"))
    one, other = characters[first], characters[second]
    empty = (one == 0) | (other == 0)
    ratios = np.log(np.where(empty, 1, other) / np.where(empty, 1, one))
    numbers = one, other, np.where(empty, np.nan, ratios), confidence[first], confidence[second]
    return dict(zip(DIGESTS, numbers, strict=True))


def _numbers_of_scores(scores: pa.Array) -> dict[str, Floats]:
    """What the data carries by name; NaN where it carries none."""
    names = sorted(pc.unique(scores.keys).to_pylist())
    return {
        f"{SCORE}{name}": _floats(pc.map_lookup(scores, pa.scalar(name), "first")) for name in names
    }


def _floats(column: pa.Array) -> Floats:
    """Numbers, NaN where there is none; float64[n]."""
    return np.asarray(column.cast(pa.float64()).to_numpy(zero_copy_only=False))
