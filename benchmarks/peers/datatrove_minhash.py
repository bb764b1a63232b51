"""datatrove: its four MinHash stages with the local executor, one task at a time.

Normalisation and word splitting are its defaults: those of English (spaCy) for every document.
FineWeb2 ran each language by itself with a splitter of its own; that needs a pipeline a language.
Every shared band is an edge. Documents without a signature are unjudged.
"""

from __future__ import annotations

from pathlib import Path

import common
import numpy as np
from datatrove.executor.local import LocalPipelineExecutor
from datatrove.pipeline.dedup import MinhashDedupCluster, MinhashDedupFilter, MinhashDedupSignature
from datatrove.pipeline.dedup.minhash import MinhashConfig, MinhashDedupBuckets
from datatrove.pipeline.readers import JsonlReader
from datatrove.pipeline.writers.jsonl import JsonlWriter


def stages(corpus: Path, out: Path, config: MinhashConfig) -> list[tuple[int, list[object]]]:
    """Return tasks and steps of each stage."""
    names = ("signatures", "buckets", "removals", "kept")
    signatures, buckets, removals, kept = (str(out / name) for name in names)
    reader = JsonlReader(str(corpus), glob_pattern="part-*.jsonl.zst")
    cluster = MinhashDedupCluster(buckets, removals, config=config, save_cluster_id=True)
    return [
        (1, [reader, MinhashDedupSignature(signatures, config=config)]),
        (config.num_buckets, [MinhashDedupBuckets(signatures, buckets, config=config)]),
        (1, [cluster]),
        (1, [reader, MinhashDedupFilter(removals), JsonlWriter(kept)]),
    ]


def main() -> None:
    """Find the clusters of a corpus."""
    args = common.arguments()
    config = MinhashConfig(
        n_grams=common.NGRAM, num_buckets=args.bands, hashes_per_bucket=args.rows
    )
    for number, (tasks, steps) in enumerate(stages(args.corpus, args.out, config)):
        logs = str(args.out / "logs" / str(number))
        LocalPipelineExecutor(pipeline=steps, tasks=tasks, workers=1, logging_dir=logs).run()
    record = np.dtype([("hashes", "<u8", args.rows), ("row", "<u4")])
    signed = np.fromfile(args.out / "signatures/bucket_000/00000.minhash.sig", record)["row"]
    num_documents = sum(1 for _ in common.documents(args.corpus))
    judged = np.zeros(num_documents, bool)
    judged[signed] = True
    clusters = np.arange(num_documents)
    found = np.fromfile(args.out / "removals/000000.clusters", "<u4").reshape(-1, 2)
    clusters[found[:, 0]] = num_documents + found[:, 1]
    common.write_clusters(args.out, clusters.tolist(), judged.tolist())


main()
