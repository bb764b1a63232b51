"""datasketch: signatures in bulk, then each document asks the index before it is put in.

Every shared band is an edge: the index has no verification. The splitting of words is ours, as the
library takes sets.
"""

from __future__ import annotations

import common
from datasketch import MinHash, MinHashLSH


def main() -> None:
    """Find the clusters of a corpus."""
    args = common.arguments()
    num_perm = args.bands * args.rows
    index = MinHashLSH(num_perm=num_perm, params=(args.bands, args.rows))
    forest = common.Forest()
    for batch in common.batches(common.shingle_lists(args.corpus, args.shingles), 1_000):
        encoded = [[shingle.encode() for shingle in shingles] for shingles in batch]
        for sketch, shingles in zip(MinHash.bulk(encoded, num_perm=num_perm), batch, strict=True):
            item = forest.add(bool(shingles))
            if shingles:  # the sketches of empty sets are all alike
                for other in index.query(sketch):
                    forest.join(item, other)
                index.insert(item, sketch, check_duplication=False)
    forest.write(args.out)


main()
