"""Fit a fastText model: the program that `lid_train` runs in a process of its own.

With one thread fastText 0.9.3 and its kin set the first tenth of the input matrix at random and
leave the rest as malloc gave it (`DenseMatrix::uniform`). In a process that has freed large blocks
before, what is left in them ends in "Encountered NaN" or in a model that knows nothing. A fresh
process has no such blocks, and is told to take large ones from the kernel, which clears them. Rows
that begin as zero learn as well.
"""

from __future__ import annotations

import ctypes
import json
import os
import sys

_M_MMAP_THRESHOLD = -3  # of glibc's malloc.h
_MAPPED_BYTES = 64 * 2**10


def want_cleared_memory() -> None:
    """Makes malloc take large blocks from the kernel.

    Raises:
        RuntimeError: the platform's C library is not glibc.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if os.name == "posix" else None
    if mallopt is None or not mallopt(_M_MMAP_THRESHOLD, _MAPPED_BYTES):
        raise RuntimeError(
            "training wants Linux with glibc: elsewhere fastText starts from memory that is not "
            "cleared; train there and use the model here"
        )


def main(source: str, target: str, settings: str) -> int:
    """Trains on a file of labelled lines, quantises and saves; gives an exit code.

    Args:
        source: path of the training file.
        target: path of the model.
        settings: arguments of `fasttext.train_supervised`, as JSON.
    """
    try:
        want_cleared_memory()
        import fasttext

        model = fasttext.train_supervised(source, **json.loads(settings))
        model.quantize(source, retrain=False, qnorm=True, thread=1, verbose=0)
        model.save_model(target)
    except (RuntimeError, ValueError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
