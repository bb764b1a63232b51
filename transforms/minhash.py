"""MinHash signatures of sets of shingles, their band keys, and similarities of signatures.

Signatures are those of datasketch 2 with its scheme `affine32`, bit for bit: a shingle's 32-bit
hash h is mixed by the finaliser of MurmurHash3, and permutation i takes it to a_i h + b_i modulo
2^32, a_i odd; the least value over the set is kept.
"""

from __future__ import annotations

import functools

import numpy as np
import numpy.typing as npt

Hashes = npt.NDArray[np.uint32]
Ints = npt.NDArray[np.int64]

# The seed that datasketch has as its default.
_SEED = 1
# Constants of splitmix64 (Steele et al., OOPSLA 2014), as in transforms/words.py.
_SPREAD = np.uint64(0x9E3779B97F4A7C15)
_MIX = np.uint64(0xBF58476D1CE4E5B9)
# One byte of each value is kept to compare documents by: two unequal values share it by chance.
_CHANCE = 1 / 256


@functools.cache
def permutations(num_permutations: int) -> tuple[Hashes, Hashes]:
    """Factors and offsets of the permutations; uint32[k] each."""
    draw = np.random.RandomState(_SEED).randint
    factors = draw(0, 1 << 31, num_permutations, dtype=np.uint32) * np.uint32(2) + np.uint32(1)
    return factors, draw(0, 1 << 32, num_permutations, dtype=np.uint32)


def _finalised(hashes: Hashes) -> Hashes:
    """The 32-bit finaliser of MurmurHash3 (Appleby)."""
    mixed = hashes ^ (hashes >> np.uint32(16))
    mixed *= np.uint32(0x85EBCA6B)
    mixed ^= mixed >> np.uint32(13)
    mixed *= np.uint32(0xC2B2AE35)
    mixed ^= mixed >> np.uint32(16)
    return mixed


def signatures(shingles: Hashes, starts: Ints, num_permutations: int) -> Hashes:
    """MinHash signatures of n sets.

    Args:
        shingles: uint32[s], hashes of the shingles of all sets.
        starts: int64[n], where each set begins among them; none is empty.
        num_permutations: values in a signature, k.

    Returns:
        uint32[k, n], one column a set.
    """
    factors, offsets = permutations(num_permutations)
    found = np.empty((num_permutations, len(starts)), np.uint32)
    if not len(starts):
        return found
    mixed = _finalised(shingles)
    values = np.empty_like(mixed)
    for place in range(num_permutations):
        np.multiply(mixed, factors[place], out=values)
        values += offsets[place]
        np.minimum.reduceat(values, starts, out=found[place])
    return found


def band_keys(found: Hashes, bands: int, rows: int) -> npt.NDArray[np.uint64]:
    """A key for each band of each signature: equal where all rows of the band are equal.

    Args:
        found: uint32[k, n], what `signatures` gives; k is bands times rows.
        bands: number of bands.
        rows: values of the signature in a band.

    Returns:
        uint64[n, bands]; keys of different bands differ.
    """
    values = found.reshape(bands, rows, -1)
    keys = np.empty((bands, values.shape[2]), np.uint64)
    keys[:] = np.arange(1, bands + 1, dtype=np.uint64)[:, None] * _SPREAD
    for row in range(rows):
        keys ^= values[:, row]
        keys *= _MIX
        keys ^= keys >> np.uint64(31)
    return np.ascontiguousarray(keys.T)


def sketches(found: Hashes) -> npt.NDArray[np.uint8]:
    """One byte of each value of n signatures (b-bit minwise hashing, Li and König, WWW 2010).

    Returns:
        uint8[n, k], of uint32[k, n].
    """
    return np.ascontiguousarray(found.astype(np.uint8).T)


def similarities(
    left: npt.NDArray[np.uint8], right: npt.NDArray[np.uint8]
) -> npt.NDArray[np.float64]:
    """Estimated Jaccard similarity of m pairs by their sketches; uint8[m, k] each, float64[m].

    The standard error is sqrt(J (1 - J) / k), about 0.046 for J = 0.7 and k = 100.
    """
    agreeing = (left == right).mean(axis=1) if len(left) else np.zeros(0)
    return np.maximum(0.0, (agreeing - _CHANCE) / (1 - _CHANCE))
