"""Rehydrate: how often a document is drawn by the size of the cluster that it stands for.

Penedo et al., "FineWeb2: One Pipeline to Scale Them All" (arXiv 2506.20920), and `misc/rehydration`
in its repository: documents of which there are very many copies, or none, are worse than those in
between, which shows in how many of them the filters drop. Weights follow these rates.
"""

from __future__ import annotations

import bisect
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from glotmill.schemas import recipe
from glotmill.schemas.tables import REHYDRATION
from glotmill.transforms import storage
from glotmill.transforms.tables import read_table

PATH = "mix/rehydration.parquet"
#: The label of the table that holds for labels without one.
EVERY_LABEL = ""
# Sizes in a moving average.
_WINDOW = 5

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


class Weights:
    """Weights of documents by their label and the size of their cluster."""

    def __init__(self, tables: Mapping[str, Mapping[int, float]]) -> None:
        """Takes tables by label: a weight from each size on; EVERY_LABEL stands for the others."""
        self._tables = {
            label: (sorted(table), [table[size] for size in sorted(table)])
            for label, table in tables.items()
        }

    @classmethod
    def read(cls, table: pa.Table) -> Weights:
        """The weights of a table in the schema REHYDRATION."""
        tables: dict[str, dict[int, float]] = {}
        for row in table.to_pylist():
            tables.setdefault(row["label"], {})[row["cluster_size"]] = row["weight"]
        return cls(tables)

    def of(self, label: str, size: int) -> float:
        """The weight of a document; 1 below the first size of its table, and without one.

        >>> weights = Weights({"": {2: 3.0, 5: 4.0}})
        >>> [weights.of("eng_Latn", size) for size in (1, 2, 4, 5, 99)]
        [1.0, 3.0, 3.0, 4.0, 4.0]
        """
        sizes, values = self._tables.get(label) or self._tables.get(EVERY_LABEL, ([], []))
        place = bisect.bisect_right(sizes, size)
        return values[place - 1] if place else 1.0

    def of_all(self, label: str, sizes: Ints) -> Floats:
        """Weights of documents of one label, by the sizes of their clusters."""
        kinds, places = np.unique(sizes, return_inverse=True)
        return np.array([self.of(label, size) for size in kinds.tolist()], np.float64)[places]


def read_weights(root: str) -> Weights:
    """The weights of a run; none where the recipe has no rehydration."""
    if not storage.exists(f"{root}/{PATH}"):
        return Weights({})
    return Weights.read(read_table(f"{root}/{PATH}"))


@dataclass(frozen=True)
class Rates:
    """How much the filters dropped of one label.

    Attributes:
        sizes: of clusters, ascending; the last one stands for all from it on.
        rates: share of the documents in clusters of each size that were dropped.
        overall: the same of all clusters, each by one of its documents taken at random.
    """

    sizes: list[int]
    rates: Floats
    overall: float


def removal_rates(kept: Mapping[int, int], dropped: Mapping[int, int], min_clusters: int) -> Rates:
    """Rates by size of cluster, the largest sizes taken together.

    Where filters come after deduplication they judge one document of a cluster. Here they judged
    all: the rate of a size is what they would drop of its clusters if that one were drawn by lot.

    Args:
        kept: documents by the size of their cluster, of those that the filters kept.
        dropped: the same of those that they dropped.
        min_clusters: from the first size on that has fewer clusters, sizes are taken together.

    >>> removal_rates({1: 60, 2: 30, 3: 3}, {1: 40, 2: 10}, 20).rates.tolist()
    [0.4, 0.25, 0.0]
    """
    sizes = sorted(kept.keys() | dropped.keys())
    both = np.array([kept.get(size, 0) + dropped.get(size, 0) for size in sizes], float)
    gone = np.array([dropped.get(size, 0) for size in sizes], float)
    clusters, clusters_gone = both / sizes, gone / sizes
    few = np.flatnonzero(clusters < min_clusters)
    tail = int(few[0]) if len(few) else len(sizes) - 1
    pooled = np.append(clusters[:tail], clusters[tail:].sum())
    pooled_gone = np.append(clusters_gone[:tail], clusters_gone[tail:].sum())
    overall = float(pooled_gone.sum() / pooled.sum())
    return Rates(sizes[: tail + 1], pooled_gone / pooled, overall)


def weights_from_rates(rates: Rates, max_repetitions: int) -> list[int]:
    """Weights of the sizes: the lower its rate, the more often a size is drawn.

    Sizes of the overall rate or a higher one have weight 1, that of the lowest rate has the
    highest weight, others lie on the line between; then each is the mean of five neighbours, but
    for two at each end.
    """
    weights = np.ones(len(rates.sizes))
    below = rates.rates < rates.overall
    if below.any():
        depth = (rates.rates[below] - rates.overall) / (rates.rates.min() - rates.overall)
        weights[below] = 1 + (max_repetitions - 1) * depth
    return [int(weight) for weight in np.round(_smoothed(weights))]


def _smoothed(values: Floats) -> Floats:
    """The moving average; values near either end stay, as their window is cut off."""
    edge = _WINDOW // 2
    if len(values) <= 2 * edge:
        return values
    inner = np.convolve(values, np.ones(_WINDOW) / _WINDOW, mode="valid")
    return np.concatenate([values[:edge], inner, values[-edge:]])


def rehydration(
    options: recipe.WeightTable | recipe.WeightsFromRates,
    cluster_sizes: pa.Table,
    exclude: Collection[str],
) -> pa.Table:
    """The weights of a recipe, in the schema REHYDRATION.

    Args:
        options: of the recipe.
        cluster_sizes: in the schema CLUSTER_SIZES, with dropped documents where rates are wanted.
        exclude: categories that the mixture leaves out.
    """
    if isinstance(options, recipe.WeightTable):
        rows = list(_rows_of_tables({EVERY_LABEL: options.table, **options.labels}))
    else:
        rows = list(_rows_of_rates(options, cluster_sizes, exclude))
    return pa.Table.from_pylist(rows, schema=REHYDRATION)


def _rows_of_tables(tables: Mapping[str, Mapping[int, float]]) -> Iterator[dict[str, object]]:
    for label, table in sorted(tables.items()):
        for size, weight in sorted(table.items()):
            yield {"label": label, "cluster_size": size, "weight": weight}


def _rows_of_rates(
    options: recipe.WeightsFromRates, cluster_sizes: pa.Table, exclude: Collection[str]
) -> Iterator[dict[str, object]]:
    kept: dict[str, dict[int, int]] = {}
    dropped: dict[str, dict[int, int]] = {}
    for row in cluster_sizes.to_pylist():
        if row["category"] not in exclude:
            label, size = row["label"], row["cluster_size"]
            for sums, count in ((kept, row["num_kept"]), (dropped, row["num_dropped"])):
                of_label = sums.setdefault(label, {})
                of_label[size] = of_label.get(size, 0) + count
    for label in sorted(kept):
        rates = removal_rates(kept[label], dropped[label], options.min_clusters)
        weights = weights_from_rates(rates, options.max_repetitions)
        for size, rate, weight in zip(rates.sizes, rates.rates.tolist(), weights, strict=True):
            yield {"label": label, "cluster_size": size, "removal_rate": rate, "weight": weight}


def mean_weights(
    cluster_sizes: pa.Table, weights: Weights, count: str
) -> dict[tuple[str, str], float]:
    """Mean weight of each category and label, over what is left of it.

    Args:
        cluster_sizes: in the schema CLUSTER_SIZES.
        weights: of the documents.
        count: the column that the mean is over, such as `num_words`.
    """
    sums: dict[tuple[str, str], list[float]] = {}
    for row in cluster_sizes.to_pylist():
        sum_of = sums.setdefault((row["category"], row["label"]), [0.0, 0.0])
        sum_of[0] += row[count] * weights.of(row["label"], row["cluster_size"])
        sum_of[1] += row[count]
    return {group: drawn / there for group, (drawn, there) in sums.items() if there}
