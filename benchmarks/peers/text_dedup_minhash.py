r"""text-dedup: its own command, MinHash with sha1, the defaults but for the banding.

It splits at `\W`, which no option changes, takes every shared band for an edge, and drops
documents of fewer than 5 tokens, which count as unjudged here.
"""

from __future__ import annotations

import common
from datasets import load_dataset, load_from_disk
from text_dedup import minhash


def main() -> None:
    """Find the clusters of a corpus."""
    args = common.arguments()
    options = {
        "path": "json",
        "data_files": str(args.corpus / "part-*.jsonl.zst"),
        "split": "train",
        "cache_dir": str(args.out / "cache"),
        "output": str(args.out / "kept"),
        "column": "text",
        "num_proc": "1",
        "ngram": str(common.NGRAM),
        "num_perm": str(args.bands * args.rows),
        "b": str(args.bands),
        "r": str(args.rows),
    }
    command = [part for name, value in options.items() for part in (f"--{name}", value)]
    minhash.main(command, standalone_mode=False)
    kept = set(load_from_disk(str(args.out / "kept"))["id"])
    files = {name: options[name] for name in ("path", "data_files", "split", "cache_dir")}
    ids = load_dataset(**files)["id"][:]  # from the cache that the command has left
    clusters = [minhash.uf.find(row) for row in range(len(ids))]
    # The first of a cluster is kept; what is first and not kept was dropped as too short.
    judged = [root != row or ids[row] in kept for row, root in enumerate(clusters)]
    common.write_clusters(args.out, clusters, judged)


main()
