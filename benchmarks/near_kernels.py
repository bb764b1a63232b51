"""Near-duplicate search on Beam against the same kernels without it.

    python benchmarks/near_kernels.py OUT [--repeat 3]

OUT is a finished run whose recipe has `deduplicate.near`. Both sides read the same band keys,
sketches and content hashes from its units and end with the rows to remove; both must agree. To
both is added what signatures cost in ingest, where a unit is one call of one function: measuring
texts with sketches less measuring them without. CPU seconds are of this process; the least of the
repeats counts.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

from glotmill.pipelines import build
from glotmill.pipelines.engine import run_locally
from glotmill.schemas.lock import doc_id
from glotmill.schemas.recipe import Deduplicate, Near
from glotmill.transforms.candidates import candidate_pairs, unique_pairs
from glotmill.transforms.components import components
from glotmill.transforms.deduplicate import _KEY, content_keys, find_duplicates
from glotmill.transforms.measure import MeasureText
from glotmill.transforms.minhash import similarities
from glotmill.transforms.near import fixed_bytes, salts
from glotmill.transforms.removals import RANKED, ClusterJudge
from glotmill.transforms.unit_index import Corpora

COLUMNS = ["content_hash", "label", "band_keys", "num_shingles", "sketch", "num_characters"]


def without_beam(root: str, options: Deduplicate, by_label: dict[str, int]) -> set[int]:
    """The ids to remove, by the kernels alone, all in memory."""
    near = options.near or Near()
    corpora = Corpora(root)
    batches = [each for ordinal in corpora.ordinals() for each in corpora.batches(ordinal, COLUMNS)]
    ids = np.concatenate([of for _, of in batches])
    labels = [label for batch, _ in batches for label in batch.column("label").to_pylist()]
    keys = np.zeros(len(ids), _KEY)
    halves = [
        content_keys(batch.column("content_hash"), batch.column("label").to_pylist())
        for batch, _ in batches
    ]
    keys["high"], keys["low"] = np.concatenate(halves).T
    keys["id"] = ids
    equal = find_duplicates(keys)
    removed = equal[equal["removed"]]
    bands = np.concatenate(
        [fixed_bytes(b.column("band_keys"), np.dtype("<u8")) for b, _ in batches]
    )
    sketches = np.concatenate([fixed_bytes(b.column("sketch"), np.dtype("u1")) for b, _ in batches])
    counts = np.concatenate([np.asarray(b.column("num_shingles")) for b, _ in batches])
    compared = (counts > 0) & ~np.isin(ids, removed["id"])
    bands ^= salts(labels)[:, None]
    of_band = [candidate_pairs(bands[compared, i], ids[compared]) for i in range(bands.shape[1])]
    pairs = unique_pairs(np.concatenate(of_band))
    left, right = np.searchsorted(ids, pairs[:, 0]), np.searchsorted(ids, pairs[:, 1])
    alike = np.concatenate(
        [
            similarities(sketches[left[i : i + 65536]], sketches[right[i : i + 65536]])
            for i in range(0, len(pairs), 65536)
        ]
        or [np.zeros(0)]
    )
    edges = np.concatenate(
        [
            pairs[alike >= near.min_similarity],
            np.stack([removed["cluster"], removed["id"]], axis=1),
        ]
    )
    nodes, roots = components(edges)
    ranked = np.zeros(len(nodes), RANKED)
    ranked["id"], ranked["root"], ranked["text"] = nodes, roots, nodes
    ranked["text"][np.searchsorted(nodes, removed["id"])] = removed["cluster"]
    lengths = np.concatenate([np.asarray(batch.column("num_characters")) for batch, _ in batches])
    ranked["length"] = lengths[np.searchsorted(ids, nodes)]
    found, _ = ClusterJudge(near, by_label).choose(ranked)
    return set(found["id"][found["removed"]].tolist())


def on_beam(root: str, options: Deduplicate, by_label: dict[str, int]) -> set[int]:
    """The ids to remove, by the stage's pipeline in this process."""
    corpora = Corpora(root)
    ordinals = corpora.ordinals()
    num_documents = sum(corpora.unit(ordinal).num_rows for ordinal in ordinals)
    run_locally(lambda p: build.deduplicate(p, options, root, ordinals, by_label, num_documents), 1)
    found: set[int] = set()
    for ordinal in ordinals:
        path = Path(root) / f"deduplicate/removals/{corpora.unit(ordinal).key}.parquet"
        if path.exists():
            table = pq.read_table(path)
            rows = table.column("row").to_numpy()[table.column("removed").to_numpy()]
            found |= set(doc_id(ordinal, rows).tolist())
    return found


def signatures(root: str, repeat: int) -> float:
    """CPU seconds a document for shingles, signatures, band keys and sketches."""
    corpora = Corpora(root)
    batches = [b for b, _ in corpora.batches(corpora.ordinals()[0], ["text"])][:10]
    seconds = []
    for near in (None, Near()):
        measure = MeasureText(near)
        measure.setup()
        measure.annotate(batches[0])
        spent = []
        for _ in range(repeat):
            start = time.process_time()
            for batch in batches:
                measure.annotate(batch)
            spent.append(time.process_time() - start)
        seconds.append(min(spent))
    return (seconds[1] - seconds[0]) / sum(batch.num_rows for batch in batches)


def measured(work: Callable[[], set[int]], repeat: int) -> tuple[set[int], float]:
    """What the work gives, and the least CPU seconds it took."""
    seconds = []
    for _ in range(repeat):
        start = time.process_time()
        found = work()
        seconds.append(time.process_time() - start)
    return found, min(seconds)


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("out", type=Path)
    parser.add_argument("--repeat", type=int, default=3)
    arguments = parser.parse_args()
    options = Deduplicate.model_validate({"near": {"on_oversized": "remove"}})
    with tempfile.TemporaryDirectory() as folder:
        root = str(Path(folder) / "run")
        Path(root).mkdir()
        (Path(root) / "ingest").symlink_to((arguments.out / "ingest").absolute())
        shutil.copy(arguments.out / "units.parquet", root)
        corpora = Corpora(root)
        labels = [
            label
            for ordinal in corpora.ordinals()
            for label in corpora.column(ordinal, "label").to_pylist()
        ]
        by_label = dict(Counter(labels))
        signing = signatures(root, arguments.repeat) * len(labels)
        plain, plain_cpu = measured(lambda: without_beam(root, options, by_label), arguments.repeat)
        beam, beam_cpu = measured(lambda: on_beam(root, options, by_label), arguments.repeat)
    if plain != beam:
        print(f"they differ: {len(plain)} and {len(beam)} rows", file=sys.stderr)
        return 1
    million = 1e6 / len(labels)
    print(f"{len(labels):,} documents, {len(plain):,} removed by both; CPU seconds per million:")
    print(f"signatures            {signing * million:.1f}")
    print(f"kernels without Beam  {plain_cpu * million:.1f}")
    print(f"the stage on Beam     {beam_cpu * million:.1f}")
    print(f"ratio with signatures {(signing + beam_cpu) / (signing + plain_cpu):.2f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
