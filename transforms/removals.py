"""Removals: which document of a cluster stays, which clusters are too large to be true, the lists.

Of a cluster the document stays whose source has the highest priority, among those the longest,
among those the one of the smallest id. A document of another corpus that the run is deduplicated
against stays whatever the others are.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field

import apache_beam as beam
import numpy as np
import numpy.typing as npt
import orjson
import pyarrow as pa
from apache_beam import typehints

from glotmill.schemas import recipe
from glotmill.schemas.lock import is_foreign, row_of, unit_of
from glotmill.schemas.tables import COUNTS, REMOVALS
from glotmill.transforms import storage
from glotmill.transforms.cluster_sizes import count_kept, write_sizes
from glotmill.transforms.components import NODE
from glotmill.transforms.records import temporary_folder, write_record
from glotmill.transforms.statistics import merge, summarise
from glotmill.transforms.tables import write_table
from glotmill.transforms.unit_index import Corpora, IndexedUnit, UnitIndex, removals_path

FOLDER = "deduplicate"
EXACT, NEAR, REPEATED = "exact_duplicate", "near_duplicate", "repeated_side"
#: Above that of any source: documents of other corpora always stay.
PRIORITY_OF_OTHERS = 2**31 - 1
#: Below that of any source: documents that the filters dropped stand for no other.
PRIORITY_OF_SHADOWS = -(2**31)

#: What becomes of a document: `cluster` is the id that stays, `size` counts documents, and
#: `exact` says whether its text is equal to that of another one that stays or is removed nearby,
#: `capped` whether it is a pair beyond the cap on repeated sides.
REMOVAL = np.dtype(
    [("id", "<i8"), ("removed", "?"), ("exact", "?"), ("capped", "?"), ("cluster", "<i8"),
     ("size", "<i8")]
)  # fmt: skip
# A document of a cluster; `text` is the id of the one that stands for all of equal text.
RANKED = np.dtype(
    [("root", "<i8"), ("id", "<i8"), ("text", "<i8"), ("priority", "<i4"), ("length", "<i8"),
     ("label", "<i4")]
)  # fmt: skip

# The upper six bits of the product are one of 64 partitions.
_MIX, _PARTITION_SHIFT = np.uint64(0x9E3779B97F4A7C15), np.uint64(58)
# Fewer texts than this are never too large a share of a label.
_LEAST_TEXTS = 100
_NUM_SAMPLES = 5

Records = npt.NDArray[np.void]
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Oversized:
    """A cluster that is too large to be believed.

    Attributes:
        cluster: id of the document that stays, or would.
        num_documents: of the cluster.
        num_texts: different ones among them.
        label: most of them have.
        label_share: share of that label's documents that its texts among these are.
        samples: ids of some of its texts, the one that stays first.
        kept: ids of all its documents of this corpus, where the recipe keeps them.
    """

    cluster: int
    num_documents: int
    num_texts: int
    label: str
    label_share: float
    samples: list[int]
    kept: list[int] = field(default_factory=list)


def units_of(found: Records) -> Iterator[tuple[int, bytes]]:
    """Packed records by the unit of their `id`, sorted by it."""
    if not len(found):
        return
    found = found[np.argsort(found["id"], kind="stable")]
    ordinals, starts = np.unique(unit_of(found["id"]), return_index=True)
    for ordinal, rows in zip(ordinals, np.split(found, starts[1:]), strict=True):
        yield int(ordinal), rows.tobytes()


def partitions_of(roots: Ints) -> npt.NDArray[np.uint64]:
    """The partition of each cluster, by its root: one of 64."""
    return roots.astype(np.uint64) * _MIX >> _PARTITION_SHIFT


class ClusterJudge:
    """Chooses in clusters, and holds them against what the recipe takes for possible."""

    def __init__(self, near: recipe.Near, documents_by_label: Mapping[str, int]) -> None:
        """Takes the options, and how many documents each label has."""
        self._near = near
        self.labels = sorted(documents_by_label)
        self._totals = [documents_by_label[label] for label in self.labels]

    def choose(self, ranked: Records) -> tuple[Records, list[Oversized]]:
        """What becomes of the documents of whole clusters.

        Args:
            ranked: records of RANKED in any order, all documents of each root.

        Returns:
            Records of REMOVAL, none for other corpora or for clusters of one; and the oversized
            clusters, by root.
        """
        keys = ("id", "length", "priority", "root")
        falling = {"length", "priority"}
        order = np.lexsort([-ranked[k] if k in falling else ranked[k] for k in keys])
        ranked = ranked[order]
        first = np.flatnonzero(np.append(True, ranked["root"][1:] != ranked["root"][:-1]))
        first = first[: len(ranked)]
        sizes = np.diff(first, append=len(ranked))
        is_text = ranked["text"] == ranked["id"]
        num_texts = np.add.reduceat(is_text, first, dtype=np.int64) if len(first) else sizes
        found = np.zeros(len(ranked), REMOVAL)
        found["id"] = ranked["id"]
        found["cluster"] = np.repeat(ranked["id"][first], sizes)
        found["size"] = np.repeat(sizes, sizes)
        found["removed"] = found["id"] != found["cluster"]
        found["exact"] = ~is_text | np.repeat(num_texts == 1, sizes)
        oversized = []
        for start, size, texts in zip(first, sizes, num_texts, strict=True):
            if texts < min(_LEAST_TEXTS, self._near.max_cluster):
                continue
            rows = slice(start, start + size)
            judged = self._oversized(ranked[rows], is_text[rows])
            if judged is not None:
                oversized.append(judged)
                if self._near.on_oversized == "keep":
                    found[rows] = _only_equal(ranked[rows])
        found = found[~is_foreign(found["id"]) & (found["size"] > 1)]
        return found, oversized

    def _oversized(self, cluster: Records, is_text: npt.NDArray[np.bool_]) -> Oversized | None:
        texts = cluster[is_text]
        ours = texts["label"][~is_foreign(texts["id"])]
        labels, counts = np.unique(ours, return_counts=True)
        place = int(np.argmax(counts)) if len(counts) else 0
        label = int(labels[place]) if len(counts) else -1
        share = counts[place] / self._totals[label] if label >= 0 else 0.0
        too_many = len(texts) > self._near.max_cluster
        too_large = len(ours) >= _LEAST_TEXTS and share > self._near.max_label_share
        if not (too_many or too_large):
            return None
        spread = np.linspace(0, len(texts) - 1, min(_NUM_SAMPLES, len(texts))).astype(int)
        kept = cluster["id"][~is_foreign(cluster["id"])]
        return Oversized(
            cluster=int(cluster["id"][0]),
            num_documents=len(cluster),
            num_texts=len(texts),
            label=self.labels[label] if label >= 0 else "",
            label_share=float(share),
            samples=texts["id"][spread].tolist(),
            kept=np.sort(kept).tolist() if self._near.on_oversized == "keep" else [],
        )


def _only_equal(cluster: Records) -> Records:
    """Records of REMOVAL for a cluster of which only documents of equal text are believed."""
    texts, places, counts = np.unique(cluster["text"], return_inverse=True, return_counts=True)
    found = np.zeros(len(cluster), REMOVAL)
    found["id"] = cluster["id"]
    found["cluster"] = texts[places]
    found["size"] = counts[places]
    found["removed"] = cluster["id"] != cluster["text"]
    found["exact"] = True
    return found


_NODES, _EQUALS = 0, 1


@typehints.with_input_types(tuple[int, Iterable[tuple[int, bytes]]])
@typehints.with_output_types(tuple[int, bytes])
class _Rank(beam.DoFn):
    """A unit's nodes, and its documents with equals, to (partition of the root, RANKED)."""

    def __init__(self, root: str, options: str, labels: list[str]) -> None:
        self._root = root
        self._options = options
        self._number = {label: number for number, label in enumerate(labels)}

    def setup(self) -> None:
        options = recipe.Deduplicate.model_validate_json(self._options)
        self._corpora = Corpora(self._root, options.against)

    def process(
        self, element: tuple[int, Iterable[tuple[int, bytes]]]
    ) -> Iterator[tuple[int, bytes]]:
        ordinal = element[0]
        packed: dict[int, list[bytes]] = {_NODES: [], _EQUALS: []}
        for kind, records in element[1]:
            packed[kind].append(records)
        nodes = np.frombuffer(b"".join(packed[_NODES]), NODE)
        if not len(nodes):
            return
        nodes = nodes[np.argsort(nodes["id"])]
        ranked = np.empty(len(nodes), RANKED)
        ranked["id"], ranked["root"], ranked["text"] = nodes["id"], nodes["root"], nodes["id"]
        equals = np.frombuffer(b"".join(packed[_EQUALS]), REMOVAL)
        equals = equals[equals["removed"]]
        ranked["text"][np.searchsorted(nodes["id"], equals["id"])] = equals["cluster"]
        rows = row_of(nodes["id"])
        lengths = self._corpora.column(ordinal, "num_characters").to_numpy()
        labels = self._corpora.column(ordinal, "label").take(pa.array(rows)).to_pylist()
        ranked["length"] = lengths[rows]
        ranked["label"] = [self._number.get(label, -1) for label in labels]
        foreign = is_foreign(nodes["id"])
        ranked["priority"] = np.where(
            foreign, PRIORITY_OF_OTHERS, self._corpora.unit(ordinal).priority
        )
        partition = partitions_of(ranked["root"])
        for number in np.unique(partition):
            yield int(number), ranked[partition == number].tobytes()


@typehints.with_input_types(tuple[int, Iterable[bytes]])
@typehints.with_output_types(tuple[int, bytes])
class _Choose(beam.DoFn):
    def __init__(self, root: str, judge: ClusterJudge) -> None:
        self._root = root
        self._judge = judge

    def process(self, element: tuple[int, Iterable[bytes]]) -> Iterator[tuple[int, bytes]]:
        ranked = np.frombuffer(b"".join(element[1]), RANKED)
        found, oversized = self._judge.choose(ranked)
        if oversized:
            path = f"{_oversized_folder(self._root)}/{element[0]:02d}.json"
            storage.write_atomically(path, orjson.dumps([asdict(each) for each in oversized]))
        yield from units_of(found)


def _oversized_folder(root: str) -> str:
    return f"{temporary_folder(root, FOLDER)}/oversized"


def read_oversized(root: str) -> list[Oversized]:
    """The oversized clusters of the stage that runs, the largest first."""
    try:
        files = storage.match(f"{storage.escape(_oversized_folder(root))}/*.json")
    except LookupError:
        return []
    rows = [row for file in files for row in orjson.loads(storage.read_bytes(file.path))]
    found = [Oversized(**row) for row in rows]
    return sorted(found, key=lambda each: (-each.num_texts, each.cluster))


def _as_nodes(element: tuple[int, bytes]) -> tuple[int, tuple[int, bytes]]:
    return element[0], (_NODES, element[1])


def _as_equals(element: tuple[int, bytes]) -> tuple[int, tuple[int, bytes]]:
    return element[0], (_EQUALS, element[1])


class ChooseSurvivors(beam.PTransform):
    """Nodes of components, and documents with equals, to (ordinal, records of REMOVAL)."""

    def __init__(
        self, root: str, options: recipe.Deduplicate, documents_by_label: Mapping[str, int]
    ) -> None:
        """Takes the output directory, the options, and how many documents each label has."""
        super().__init__()
        self._root = root
        self._options = options.model_dump_json()
        self._judge = ClusterJudge(options.near or recipe.Near(), documents_by_label)

    def expand(self, inputs: tuple[beam.PCollection, beam.PCollection]) -> beam.PCollection:
        """Reads what ranks the documents, gathers each cluster, chooses."""
        nodes, exact = inputs
        tagged = tuple[int, tuple[int, bytes]]
        nodes = nodes | "AsNodes" >> beam.Map(_as_nodes).with_output_types(tagged)
        equals = exact | "AsEquals" >> beam.Map(_as_equals).with_output_types(tagged)
        return (
            (nodes, equals)
            | "Both" >> beam.Flatten()
            | "GatherUnit" >> beam.GroupByKey()
            | "Rank" >> beam.ParDo(_Rank(self._root, self._options, self._judge.labels))
            | "GatherCluster" >> beam.GroupByKey()
            | "Choose" >> beam.ParDo(_Choose(self._root, self._judge))
        )


@typehints.with_input_types(tuple[int, Iterable[bytes]])
@typehints.with_output_types(str)
class _WriteRemovals(beam.DoFn):
    def __init__(self, root: str) -> None:
        self._root = root

    def setup(self) -> None:
        self._index = UnitIndex(self._root)

    def process(self, element: tuple[int, Iterable[bytes]]) -> Iterator[str]:
        found = np.frombuffer(b"".join(element[1]), REMOVAL)
        found = found[~is_foreign(found["id"])]
        if not len(found):
            return
        unit = self._index.units[element[0]]
        found = found[np.lexsort((found["cluster"], found["capped"], found["id"]))]
        # A pair beyond the cap may have been the one that stays of a cluster.
        found = found[np.append(found["id"][1:] != found["id"][:-1], True)]
        reasons = np.where(found["exact"], EXACT, NEAR)
        reasons = np.where(found["capped"], REPEATED, reasons)
        table = pa.table(
            {
                "row": row_of(found["id"]),
                "removed": found["removed"],
                "reason": reasons,
                "cluster": found["cluster"],
                "cluster_size": found["size"],
            },
            schema=REMOVALS,
        )
        entry = write_table(self._root, removals_path(unit.key), table)
        documents = self._listed_documents(unit, row_of(found["id"]))
        stays = ~found["removed"]
        # Pairs beyond the cap on a side are documents of their own.
        own = np.where(found["capped"], 1, found["size"])
        sizes = count_kept(documents, own, stays, unit.category)
        write_sizes(self._root, unit.ordinal, sizes)
        path = f"{FOLDER}/statistics/{unit.key}.parquet"
        statistics = _statistics(documents.append_column("reason", pa.array(reasons)), ~stays)
        entries = [entry, write_table(self._root, path, statistics)]
        yield write_record(self._root, FOLDER, unit.key, entries)

    def _listed_documents(self, unit: IndexedUnit, rows: Ints) -> pa.Table:
        columns = [
            "source", "declared_label", "identified_label", "verdict", "script", "label", *COUNTS
        ]  # fmt: skip
        return pa.Table.from_batches(self._index.batches(unit, columns)).take(pa.array(rows))


def _statistics(documents: pa.Table, removed: npt.NDArray[np.bool_]) -> pa.Table:
    removed_documents = documents.filter(pa.array(removed))
    return merge([summarise(removed_documents, {"stage": FOLDER, "outcome": "dropped"})])


@typehints.with_input_types(tuple[int, bytes])
@typehints.with_output_types(str)
class WriteRemovals(beam.PTransform):
    """Packed records of REMOVAL by unit to removal lists and statistics, one of each a unit."""

    def __init__(self, root: str) -> None:
        super().__init__()
        self._root = root

    def expand(self, found: beam.PCollection) -> beam.PCollection:
        """Gathers what becomes of the documents of a unit, writes it."""
        return (
            found
            | "GatherRemovals" >> beam.GroupByKey()
            | "WriteRemovals" >> beam.ParDo(_WriteRemovals(self._root))
        )
