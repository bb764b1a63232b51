"""Token files to batches: sequences cut at given places, each token with its document and group."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import deque
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import xxhash

from glotmill.schemas.indexed_dataset import IndexedDataset
from glotmill.schemas.training import Training, TrainingDataset
from glotmill.trainer.order import Integers, SampleOrder

#: Target of a position that no loss is taken of.
IGNORED = -100
# Places at which tokens are looked at to know a dataset again, and how many there.
_LOOKS = 256


class DataError(Exception):
    """Token files that are not there, or not what training.yaml says."""


class Group(NamedTuple):
    """What losses are told apart by."""

    category: str
    label: str
    source: str


@dataclass(frozen=True)
class Batch:
    """Sequences; all arrays are int32 [num_sequences, sequence_length].

    Attributes:
        tokens: numbers of the vocabulary.
        targets: the token that follows each, or IGNORED.
        documents: which document of its sequence a token is of, counted from 0.
        positions: of each token in its sequence, or in its document where they are reset.
        groups: of the target's document.
    """

    tokens: npt.NDArray[np.int32]
    targets: npt.NDArray[np.int32]
    documents: npt.NDArray[np.int32]
    positions: npt.NDArray[np.int32]
    groups: npt.NDArray[np.int32]


class TokenDataset:
    """The documents of one dataset, end to end; for training closed to a ring.

    Attributes:
        name: of the dataset.
        num_tokens: of all documents.
        num_places: where a sequence may start.
    """

    def __init__(self, entry: TrainingDataset, folder: Path, groups: dict[Group, int]) -> None:
        """Opens the files.

        Args:
            entry: of training.yaml.
            folder: that its paths are relative to.
            groups: numbers of the groups known so far; new ones are added.

        Raises:
            DataError: the entry names no files, or they hold another number of tokens or
                documents than it says.
            IndexedDatasetError: they are not there, or not sound.
        """
        if entry.prefix is None or entry.documents is None:
            message = "training.yaml names no .bin of it: train with 'tokens: parquet' or 'packed'"
            raise DataError(f"{entry.name}: {message}")
        self.name = entry.name
        self.documents_path = folder / entry.documents
        self._files = IndexedDataset(folder / entry.prefix)
        self.num_tokens = self.num_places = len(self._files.tokens)
        self._ring = entry.split == "train"
        self._groups = _document_groups(self.documents_path, groups)
        counts = (len(self._files), self.num_tokens, len(self._groups))
        if counts != (entry.num_documents, entry.num_tokens, entry.num_documents):
            raise DataError(
                f"{entry.prefix} has {counts[0]:,} documents of {counts[1]:,} tokens, and"
                f" {entry.documents} {counts[2]:,} rows, but training.yaml says"
                f" {entry.num_documents:,} documents of {entry.num_tokens:,} tokens:"
                " run the mix again, or restore the files that it wrote"
            )
        self._files.check()

    def read(self, start: int, count: int) -> tuple[npt.NDArray[Any], Integers, Integers]:
        """Tokens from a place on.

        Args:
            start: in [0, num_tokens).
            count: of tokens, of which each is given once; in a ring the first one lies behind the
                last one, else there are no more.

        Returns:
            The tokens; the numbers of the documents that they are of; how many are of each.
        """
        pieces, count = [], min(count, self.num_tokens - (0 if self._ring else start))
        while count > 0:
            stop = min(start + count, self.num_tokens)
            pieces.append((self._files.tokens[start:stop], *self._documents(start, stop)))
            count -= stop - start
            start = 0
        if len(pieces) == 1:
            return pieces[0]
        tokens, documents, lengths = (np.concatenate(part) for part in zip(*pieces, strict=True))
        return tokens, documents, lengths

    def _documents(self, start: int, stop: int) -> tuple[Integers, Integers]:
        size = self._files.dtype.itemsize
        # The standard library's bisection, as NumPy's copies an array that is not aligned.
        first = bisect_right(self._files.pointers, start * size) - 1
        last = bisect_left(self._files.pointers, stop * size)
        bounds = np.empty(last - first + 1, np.int64)
        bounds[0], bounds[-1] = start, stop
        bounds[1:-1] = self._files.pointers[first + 1 : last] // size
        return np.arange(first, last), bounds[1:] - bounds[:-1]

    def content(self) -> bytes:
        """What tells other documents, or another order of them: sizes, groups, some tokens."""
        starts = np.linspace(0, self.num_tokens, _LOOKS, endpoint=False).astype(np.int64)
        looks = [self._files.tokens[start : start + _LOOKS] for start in starts]
        parts = (self._files.sizes, self._groups, np.concatenate(looks))
        return b"".join(xxhash.xxh3_128_digest(part.data) for part in parts)

    def groups_of(self, documents: Integers) -> npt.NDArray[np.int32]:
        """The group of each document."""
        return self._groups[documents]

    def describe(self, documents: Sequence[int]) -> Iterator[dict[str, Any]]:
        """The rows that the mix wrote of some documents, reading no more than their row groups."""
        file, start = pq.ParquetFile(self.documents_path), 0
        for number in range(file.num_row_groups):
            stop = start + file.metadata.row_group(number).num_rows
            if inside := [each - start for each in documents if start <= each < stop]:
                yield from file.read_row_group(number).take(inside).to_pylist()
            start = stop


class PackedDataset(TokenDataset):
    """Sequences that the mix has packed: each is a sample as it stands, and a place its number."""

    def __init__(self, entry: TrainingDataset, folder: Path, groups: dict[Group, int]) -> None:
        """Opens the files, see `TokenDataset`."""
        super().__init__(entry, folder, groups)
        self.num_places = len(self._files.document_indices) - 1

    def read(self, start: int, count: int) -> tuple[npt.NDArray[Any], Integers, Integers]:
        """The tokens of a sequence, and of how many pieces of documents, as `TokenDataset` does.

        Raises:
            DataError: the sequence has more tokens than asked for.
        """
        first, last = self._files.document_indices[start : start + 2].tolist()
        sizes = self._files.sizes[first:last].astype(np.int64)
        begin, size = int(self._files.pointers[first]) // self._files.dtype.itemsize, sizes.sum()
        if size > count:
            message = f"is packed to {size:,} tokens: 'sequence_length' may not be less"
            raise DataError(f"sequence {start:,} of {self.name} {message}")
        return self._files.tokens[begin : begin + size], np.arange(first, last), sizes


def _document_groups(path: Path, groups: dict[Group, int]) -> npt.NDArray[np.int32]:
    """The group of each document, in the order of the token files."""
    if not path.is_file():
        raise DataError(f"there is no {path}: it says which document each sequence is")
    parts = [np.empty(0, np.int32)]
    try:
        for rows in pq.ParquetFile(path).iter_batches(columns=list(Group._fields)):
            columns = (rows.column(name) for name in Group._fields)
            keys = pc.binary_join_element_wise(*columns, "\0").dictionary_encode()
            known = (Group(*key.split("\0")) for key in keys.dictionary.to_pylist())
            numbers = [groups.setdefault(group, len(groups)) for group in known]
            parts.append(np.array(numbers, np.int32)[np.asarray(keys.indices)])
    except (pa.ArrowException, KeyError) as error:
        raise DataError(f"{path} is damaged: {error}") from None
    return np.concatenate(parts)


@dataclass(frozen=True)
class Cut:
    """How sequences are cut.

    Attributes:
        length: tokens of a sequence.
        mask_documents: no token sees another document, and none is predicted from another.
        reset_positions: positions count from the start of the document in the sequence.
    """

    length: int
    mask_documents: bool = True
    reset_positions: bool = True


def make_batch(
    datasets: Sequence[TokenDataset], places: Iterable[tuple[int, int]], cut: Cut
) -> Batch:
    """Sequences that start at given places.

    Args:
        datasets: to read from.
        places: the dataset of each sequence and where it starts there; a dataset of -1 gives a
            sequence that nothing is learned of, as behind the end of a packed one.
        cut: how.
    """
    places = list(places)
    shape = (len(places), cut.length)
    tokens, documents, groups = np.zeros((3, *shape), np.int32)
    targets = np.full(shape, IGNORED, np.int32)
    positions = np.tile(np.arange(cut.length, dtype=np.int32), (len(places), 1))
    for row, (dataset, start) in enumerate(places):
        if dataset < 0:
            continue
        found, numbers, lengths = datasets[dataset].read(start, cut.length + 1)
        size = len(found)
        pieces = np.append(lengths, cut.length + 1 - size)  # the last one where nothing is
        of = np.repeat(np.arange(len(pieces), dtype=np.int32), pieces)
        tokens[row, :size] = found[: cut.length]
        targets[row, : size - 1] = found[1:]
        documents[row] = of[:-1]
        groups[row, : size - 1] = np.repeat(datasets[dataset].groups_of(numbers), lengths)[1:]
        if cut.mask_documents:
            targets[row, of[1:] != of[:-1]] = IGNORED
        if cut.reset_positions:
            positions[row] -= np.repeat(np.cumsum(pieces) - pieces, pieces)[:-1]
    return Batch(tokens, targets, documents, positions, groups)


class Corpus:
    """What training.yaml names, opened: datasets of both splits, and the groups of documents.

    Attributes:
        training: the file.
        cut: how sequences are cut.
        stride: places from one sequence to the next; those that are packed are a place each.
        train: the datasets to train on.
        validation: those that are held out.
        groups: of documents, by number.
    """

    def __init__(self, training: Training, folder: Path, cut: Cut, *, packed: bool = False) -> None:
        """Opens the files.

        Args:
            training: that names them.
            folder: that its paths are relative to.
            cut: how sequences are cut.
            packed: whether they are packed sequences, each of which is a sample.

        Raises:
            DataError, IndexedDatasetError: see `TokenDataset`.
        """
        self.training, self.cut = training, cut
        self.stride = 1 if packed else cut.length
        numbers: dict[Group, int] = {}
        kind = PackedDataset if packed else TokenDataset
        opened = [(each, kind(each, folder, numbers)) for each in training.datasets]
        self.train = [data for entry, data in opened if entry.split == "train"]
        self.validation = [data for entry, data in opened if entry.split == "validation"]
        self.groups = list(numbers)
        self._weights = {entry.name: entry.weight for entry in training.of_split("train")}

    def content(self) -> str:
        """A checksum of the training split, and of what the numbers of groups stand for."""
        parts = [data.content() for data in self.train]
        return xxhash.xxh3_64_hexdigest(b"".join(parts) + repr(self.groups).encode())

    @property
    def num_samples(self) -> int:
        """Sequences of the whole training split."""
        return sum(data.num_places for data in self.train) // self.stride

    def order(self, num_samples: int, seed: int) -> SampleOrder:
        """The order of the training samples.

        Args:
            num_samples: of the whole run, which stages are shares of.
            seed: of the run.
        """
        names = [data.name for data in self.train]
        sizes = [data.num_places for data in self.train]
        return SampleOrder(names, sizes, self.stages(num_samples), self.stride, seed)

    def stages(self, num_samples: int) -> list[tuple[int, Mapping[str, float]]]:
        """Where each stage begins, in samples, and its weights."""
        stages: list[tuple[int, Mapping[str, float]]] = []
        done = 0.0
        for stage in self.training.stages:
            stages.append((round(done * num_samples), stage.weights))
            done += stage.share_of_tokens
        return stages or [(0, self._weights)]

    def documents_of(self, places: Iterable[tuple[int, int]]) -> Iterator[Any]:
        """The documents of training sequences, by their places, as the mix describes them."""
        found: dict[int, set[int]] = {}
        for dataset, start in places:
            numbers = self.train[dataset].read(start, self.cut.length + 1)[1]
            found.setdefault(dataset, set()).update(numbers.tolist())
        for dataset, documents in found.items():
            data = self.train[dataset]
            for row in data.describe(sorted(documents)):
                yield {"dataset": data.name, **row}

    def validation_places(self, max_sequences: int) -> list[tuple[int, int]]:
        """Sequences of the validation split: all of each dataset, or so many, evenly spaced."""
        places = []
        for number, data in enumerate(self.validation):
            whole = -(-data.num_places // self.stride)
            count = min(whole, max_sequences)
            places += [(number, index * whole // count * self.stride) for index in range(count)]
        return places


def places_of_rank(
    places: Sequence[tuple[int, int]], rank: int, num_ranks: int, micro: int
) -> list[list[tuple[int, int]]]:
    """What of a batch one rank reads, in its micro-batches.

    Ranks take turns, a micro-batch each; where the batch does not come out even the last get
    sequences of which nothing is learned, so every number of ranks will do.

    >>> places_of_rank([(0, 10), (0, 20), (0, 30)], rank=1, num_ranks=2, micro=1)
    [[(0, 20)], [(-1, 0)]]
    """
    share = max(1, -(-len(places) // num_ranks))
    micro = -(-share // -(-share // micro))  # as many, but even, so that few are empty
    turn = micro * num_ranks
    even = [*places, *[(-1, 0)] * (-len(places) % turn)]
    starts = range(rank * micro, len(even), turn)
    return [even[start : start + micro] for start in starts]


@dataclass(frozen=True)
class Step:
    """What one rank learns from in one step; `position` counts samples of the whole run."""

    position: int
    num_samples: int
    batches: list[Batch]


@dataclass(frozen=True)
class Loader:
    """Steps of one rank from a position on, read ahead by a thread.

    Attributes:
        corpus: to read from.
        order: of its samples.
        batch: samples of a step, over all ranks.
        micro: sequences of a micro-batch, at most.
        position: of the first sample.
        rank: which of `num_ranks` this is.
        skipped: samples that are left out: where each stretch of them begins, and how many.
        ahead: steps that are read before they are asked for.
    """

    corpus: Corpus
    order: SampleOrder
    batch: int
    micro: int
    position: int = 0
    rank: int = 0
    num_ranks: int = 1
    skipped: Mapping[int, int] = field(default_factory=dict)
    ahead: int = 4

    def __iter__(self) -> Generator[Step, None, None]:
        wanted, pool = self.spans(), ThreadPoolExecutor(1)
        try:
            ahead = deque(pool.submit(self.make, *span) for span in islice(wanted, self.ahead))
            while True:
                step = ahead.popleft().result()
                ahead.append(pool.submit(self.make, *next(wanted)))
                yield step
        finally:
            pool.shutdown(cancel_futures=True)

    def spans(self) -> Iterator[tuple[int, int]]:
        """Position and size of each batch; short is one that ends where samples are left out."""
        position = self.position
        while True:
            while position in self.skipped:
                position += self.skipped[position]
            ahead = (start - position for start in self.skipped if start > position)
            size = min((self.batch, *ahead))
            yield position, size
            position += size

    def make(self, position: int, num_samples: int) -> Step:
        """This rank's part of the batch at a position."""
        places = self.places(position, num_samples)
        mine = places_of_rank(places, self.rank, self.num_ranks, self.micro)
        batches = [make_batch(self.corpus.train, each, self.corpus.cut) for each in mine]
        return Step(position, num_samples, batches)

    def places(self, position: int, num_samples: int) -> list[tuple[int, int]]:
        """Where sequences from a position on are cut."""
        datasets, starts = self.order.samples(position, num_samples)
        return list(zip(datasets.tolist(), starts.tolist(), strict=True))
