"""rensa: R-MinHash of all shingles and its own index; each document asks what is like it.

The number of bands is free, and the rows are what is left of the signature, so both bandings can be
set. Every shared band is an edge. Its faster rho sketch samples tokens and gives flags, not
neighbours, so no clusters could be made of it. The splitting of words is ours.
"""

from __future__ import annotations

import common
from rensa import RMinHash, RMinHashLSH


def main() -> None:
    """Find the clusters of a corpus."""
    args = common.arguments()
    num_perm = args.bands * args.rows
    index = RMinHashLSH(threshold=0.7, num_perm=num_perm, num_bands=args.bands)
    forest = common.Forest()
    for batch in common.batches(common.shingle_lists(args.corpus, args.shingles), 1_000):
        sketches = RMinHash.from_token_sets(batch, num_perm, common.SEED)
        items = [forest.add(bool(shingles)) for shingles in batch]
        # The sketches of empty sets are all alike.
        filled = [pair for pair in zip(items, sketches, strict=True) if forest.judged[pair[0]]]
        index.insert_pairs(filled)
        found = index.query_all([sketch for _, sketch in filled])
        for (item, _), others in zip(filled, found, strict=True):
            for other in others:
                forest.join(item, other)
    forest.write(args.out)


main()
