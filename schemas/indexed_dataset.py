"""Token files: one `.bin` of tokens and one `.idx` that says where each sequence lies in it.

The layout is the one that GPT-NeoX and Megatron-LM map into memory; see docs/token-files.md. Only
NumPy is needed, so that what trains and what writes read the same definition.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from os import PathLike, fspath
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

_MAGIC = b"MMIDIDX\x00\x00"
_VERSION = 1
# Magic, version, code of the type of a token, number of sequences, length of the document index.
_HEADER = struct.Struct("<9sQBQQ")

#: Bytes before the sizes in an `.idx`.
HEADER_BYTES = _HEADER.size

SIZE, POINTER = np.dtype("<i4"), np.dtype("<i8")

# Codes 6 and 7 mean different types in GPT-NeoX and in Megatron-LM; these two are the same in both.
_CODES: dict[np.dtype[Any], int] = {np.dtype("<u2"): 8, np.dtype("<i4"): 4}
_DTYPES = {code: dtype for dtype, code in _CODES.items()}

# Both trainers read 16 bits only below this size of vocabulary, not up to 65,536.
_FIRST_WIDE_VOCABULARY = 65_500


class IndexedDatasetError(ValueError):
    """A `.bin` or `.idx` that is not there, not complete, or not of this layout."""


@dataclass(frozen=True)
class Header:
    """What the first bytes of an `.idx` say.

    The index of documents has one entry more than there are documents.
    """

    dtype: np.dtype[Any]
    num_sequences: int
    num_document_indices: int

    @property
    def num_index_bytes(self) -> int:
        """Size of the whole `.idx`; 42 + 20n for n documents of one sequence each."""
        per_sequence = SIZE.itemsize + POINTER.itemsize
        documents = POINTER.itemsize * self.num_document_indices
        return HEADER_BYTES + per_sequence * self.num_sequences + documents


def token_dtype(vocab_size: int) -> np.dtype[Any]:
    """The type of a token in the files: the narrower that holds the vocabulary.

    The rule is that of both trainers (`__best_fitting_dtype`, `DType.optimal_dtype`).

    >>> token_dtype(32_000), token_dtype(128_256)
    (dtype('uint16'), dtype('int32'))
    """
    return np.dtype("<u2" if vocab_size < _FIRST_WIDE_VOCABULARY else "<i4")


def pack_header(
    dtype: npt.DTypeLike, num_documents: int, num_sequences: int | None = None
) -> bytes:
    """The first bytes of an `.idx`; of documents of one sequence each, if nothing else is said.

    Raises:
        IndexedDatasetError: the type is neither uint16 nor int32.

    >>> len(pack_header("uint16", 3)), pack_header("uint16", 3)[17]
    (34, 8)
    """
    code = _CODES.get(np.dtype(dtype))
    if code is None:
        raise IndexedDatasetError(f"tokens are uint16 or int32, not {np.dtype(dtype)}")
    count = num_documents if num_sequences is None else num_sequences
    return _HEADER.pack(_MAGIC, _VERSION, code, count, num_documents + 1)


def parse_header(content: bytes, path: str) -> Header:
    """The header of an `.idx`.

    Args:
        content: its first `HEADER_BYTES` bytes.
        path: for messages.

    Raises:
        IndexedDatasetError: this is no such file, or one of a version or type that is not read.
    """
    if len(content) < HEADER_BYTES:
        raise IndexedDatasetError(f"{path}: {len(content)} bytes are no index of a token file")
    magic, version, code, num_sequences, num_document_indices = _HEADER.unpack_from(content)
    if magic != _MAGIC:
        raise IndexedDatasetError(f"{path} starts with {magic!r}, not with {_MAGIC!r}")
    if version != _VERSION:
        raise IndexedDatasetError(f"{path} is of version {version}; only {_VERSION} can be read")
    if code not in _DTYPES:
        message = f"{path} has tokens of type code {code}; read are 8 (uint16) and 4 (int32)"
        raise IndexedDatasetError(message)
    return Header(_DTYPES[code], num_sequences, num_document_indices)


def pointers_of(
    sizes: npt.NDArray[np.int32], itemsize: int, start: int = 0
) -> npt.NDArray[np.int64]:
    """Where each sequence starts in the `.bin`, in bytes.

    Args:
        sizes: tokens of each sequence.
        itemsize: bytes of a token.
        start: where the first one starts.

    >>> pointers_of(np.array([3, 1, 2], np.int32), 2)
    array([0, 6, 8])
    """
    pointers = np.full(len(sizes), start, POINTER)
    # In 64 bits before they are multiplied: a .bin is larger than 2 GiB.
    np.cumsum(sizes[:-1], dtype=POINTER, out=pointers[1:])
    pointers[1:] *= itemsize
    pointers[1:] += start
    return pointers


class IndexedDataset:
    """A `.bin` and its `.idx`, mapped into memory; a sequence is a view, never a copy.

    Opening checks the files against each other in constant time; `check` reads the whole index.
    The index lies at odd places of its file: sizes and pointers are not aligned arrays.

    Attributes:
        prefix: path without `.bin` and `.idx`.
        dtype: of a token, uint16 or int32.
        sizes: tokens of each sequence, int32.
        pointers: where each starts in the `.bin` in bytes, int64.
        document_indices: the first sequence of each document and, last, the number of sequences.
        tokens: all tokens in one array.
    """

    def __init__(self, prefix: str | PathLike[str]) -> None:
        """Opens both files.

        Args:
            prefix: their path without `.bin` and `.idx`.

        Raises:
            IndexedDatasetError: one is not there, not of this layout, or they do not fit together.
        """
        self.prefix = fspath(prefix)
        index, content = Path(f"{self.prefix}.idx"), Path(f"{self.prefix}.bin")
        num_index_bytes, num_bytes = _size(index), _size(content)
        with index.open("rb") as file:
            header = parse_header(file.read(HEADER_BYTES), str(index))
        if num_index_bytes != header.num_index_bytes:
            raise IndexedDatasetError(
                f"{index} has {num_index_bytes:,} bytes, but its {header.num_sequences:,} sequences"
                f" want {header.num_index_bytes:,}: it was cut short, or it is multimodal"
            )
        self.dtype = header.dtype
        self._map_index(index, header)
        wanted = self._num_bytes_wanted()
        if num_bytes != wanted:
            message = f"{content} has {num_bytes:,} bytes, but its index wants {wanted:,}"
            raise IndexedDatasetError(message)
        self.tokens: npt.NDArray[Any] = _mapped(content, self.dtype, num_bytes)
        self._check_ends()

    def _map_index(self, index: Path, header: Header) -> None:
        content = _mapped(index, np.dtype(np.uint8), header.num_index_bytes)
        after_sizes = HEADER_BYTES + SIZE.itemsize * header.num_sequences
        after_pointers = after_sizes + POINTER.itemsize * header.num_sequences
        self.sizes: npt.NDArray[np.int32] = content[HEADER_BYTES:after_sizes].view(SIZE)
        self.pointers: npt.NDArray[np.int64] = content[after_sizes:after_pointers].view(POINTER)
        self.document_indices: npt.NDArray[np.int64] = content[after_pointers:].view(POINTER)

    def _num_bytes_wanted(self) -> int:
        if not len(self.sizes):
            return 0
        return int(self.pointers[-1]) + int(self.sizes[-1]) * self.dtype.itemsize

    def _check_ends(self) -> None:
        ends = self.document_indices[[0, -1]].tolist() if len(self.document_indices) else []
        if ends != [0, len(self)]:
            message = f"runs from 0 to {len(self):,} in a sound file; its ends are {ends}"
            raise IndexedDatasetError(f"{self.prefix}.idx: the index of documents {message}")

    def __len__(self) -> int:
        return len(self.sizes)

    def __getitem__(self, index: int) -> npt.NDArray[Any]:
        """The tokens of a sequence, as a view that cannot be written to."""
        if not -len(self) <= index < len(self):
            raise IndexError(f"sequence {index} of {len(self):,} in {self.prefix}")
        start = int(self.pointers[index]) // self.dtype.itemsize
        return self.tokens[start : start + int(self.sizes[index])]

    def __reduce__(self) -> tuple[type[IndexedDataset], tuple[str]]:
        # Opened anew in another process: a map would be pickled as all of its bytes.
        return IndexedDataset, (self.prefix,)

    def check(self) -> None:
        """Compare every pointer with the sizes before it, and the documents with their order.

        Raises:
            IndexedDatasetError: naming the first that is wrong.
        """
        wrong = np.flatnonzero(self.pointers != pointers_of(self.sizes, self.dtype.itemsize))
        if len(wrong):
            message = f"the pointer of sequence {wrong[0]:,} is not the sum of the sizes before it"
            raise IndexedDatasetError(f"{self.prefix}.idx: {message}")
        if (falling := np.flatnonzero(np.diff(self.document_indices) < 0)).size:
            message = f"document {falling[0]:,} ends before it starts"
            raise IndexedDatasetError(f"{self.prefix}.idx: {message}")


def _size(path: Path) -> int:
    if not path.is_file():
        raise IndexedDatasetError(f"there is no {path}")
    return path.stat().st_size


def _mapped(path: Path, dtype: np.dtype[Any], num_bytes: int) -> npt.NDArray[Any]:
    """A file as an array; a plain one, as each slice of a `memmap` costs microseconds more."""
    if num_bytes == 0:
        return np.empty(0, dtype)
    return np.memmap(path, dtype, mode="r", shape=num_bytes // dtype.itemsize).view(np.ndarray)
