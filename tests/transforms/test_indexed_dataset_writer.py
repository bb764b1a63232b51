"""Writers of token files: the bytes that trainers read, whatever the batches and the runs."""

import hashlib
import itertools
import struct
import tracemalloc

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from glotmill.schemas.indexed_dataset import IndexedDataset, IndexedDatasetError
from glotmill.transforms import indexed_dataset, storage
from glotmill.transforms.indexed_dataset import IndexedDatasetWriter, join_runs, write_run

# Codes of types in GPT-NeoX.
NEOX_TYPES = {1: "u1", 2: "i1", 3: "<i2", 4: "<i4", 5: "<i8", 6: "<f4", 7: "<f8", 8: "<u2"}


class NeoxReader:
    """The rules by which GPT-NeoX reads the files, from a description of their layout alone."""

    def __init__(self, prefix):
        with open(f"{prefix}.idx", "rb") as file:
            index = file.read()
        assert index[:9] == b"MMIDIDX\x00\x00"
        assert struct.unpack("<Q", index[9:17]) == (1,)
        self.dtype = np.dtype(NEOX_TYPES[index[17]])
        count, num_indices = struct.unpack("<QQ", index[18:34])
        self.sizes = np.frombuffer(index, "<i4", count, 34)
        self.pointers = np.frombuffer(index, "<i8", count, 34 + 4 * count)
        self.doc_idx = np.frombuffer(index, "<i8", num_indices, 34 + 12 * count)
        assert len(index) == 34 + 12 * count + 8 * num_indices
        with open(f"{prefix}.bin", "rb") as file:
            self.content = file.read()

    def __getitem__(self, i):
        return np.frombuffer(self.content, self.dtype, self.sizes[i], self.pointers[i])

    def documents(self):
        # It takes the sequences for the documents: `documents = np.arange(sizes.shape[0])`.
        return [self[i].tolist() for i in range(len(self.sizes))]


def lists(documents, dtype="uint16"):
    return pa.array(documents, pa.list_(pa.from_numpy_dtype(np.dtype(dtype))))


def contents(folder, prefix):
    return [(folder / f"{prefix}.{kind}").read_bytes() for kind in ("bin", "idx")]


DOCUMENTS = [[5, 6, 7], [8], [9, 65_535]]


@pytest.mark.parametrize(("dtype", "code"), [("uint16", b"\x08"), ("int32", b"\x04")])
def test_three_documents_byte_for_byte(tmp_path, dtype, code):
    entries = write_run(str(tmp_path), "tokens/a", lists(DOCUMENTS, dtype), dtype)
    content, index = contents(tmp_path, "tokens/a")
    size = np.dtype(dtype).itemsize
    assert content == np.array([5, 6, 7, 8, 9, 65_535], dtype).tobytes()
    assert index == (
        b"MMIDIDX\0\0" + struct.pack("<Q", 1) + code + struct.pack("<QQ", 3, 4)
        + struct.pack("<3i", 3, 1, 2) + struct.pack("<3q", 0, 3 * size, 4 * size)
        + struct.pack("<4q", 0, 1, 2, 3)
    )  # fmt: skip
    assert len(index) == 102
    assert [entry.path for entry in entries] == ["tokens/a.bin", "tokens/a.idx"]
    for entry, written in zip(entries, (content, index), strict=True):
        assert (entry.num_rows, entry.num_bytes) == (3, len(written))
        assert entry.sha256 == hashlib.sha256(written).hexdigest()


TOKENS = st.lists(st.lists(st.integers(0, 65_535), min_size=1, max_size=9), max_size=30)


@given(TOKENS, st.sampled_from(["uint16", "int32"]), st.data())
def test_batches_and_runs_leave_no_trace(tmp_path_factory, documents, dtype, data):
    folder = tmp_path_factory.mktemp("runs")
    cuts = sorted(data.draw(st.lists(st.integers(0, len(documents)), max_size=4)))
    bounds = [0, *cuts, len(documents)]
    whole = lists(documents, dtype)
    parts = [whole.slice(a, b - a) for a, b in itertools.pairwise(bounds)]
    write_run(str(folder), "whole", whole, dtype)
    write_run(str(folder), "parts", parts, dtype)
    assert contents(folder, "parts") == contents(folder, "whole")
    for number, part in enumerate(parts):
        write_run(str(folder), f"runs/{number}", part, dtype)
    joined = join_runs(str(folder), [f"runs/{n}" for n in range(len(parts))], "joined")
    reader = NeoxReader(folder / "whole")
    assert reader.documents() == documents
    assert reader.doc_idx.tolist() == list(range(len(documents) + 1))
    ours = IndexedDataset(folder / "whole")
    ours.check()
    assert [ours[i].tolist() for i in range(len(ours))] == documents
    if documents:
        assert contents(folder, "joined") == contents(folder, "whole")
        assert [entry.num_rows for entry in joined] == [len(documents)] * 2
    else:
        assert (joined, list(folder.glob("joined*"))) == ([], [])


def test_runs_are_joined_in_the_order_given(tmp_path):
    for name, document in (("a", [1, 2]), ("b", [3]), ("none", None)):
        write_run(str(tmp_path), name, lists([document] if document else []), "uint16")
    join_runs(str(tmp_path), ["b", "none", "a"], "joined")
    assert NeoxReader(tmp_path / "joined").documents() == [[3], [1, 2]]
    assert (tmp_path / "a.bin").exists()


def test_an_index_of_several_chunks_is_the_same(tmp_path, monkeypatch):
    documents = lists([[i] * (1 + i % 5) for i in range(100)])
    write_run(str(tmp_path), "whole", documents, "uint16")
    monkeypatch.setattr(indexed_dataset, "_INDEX_ROWS", 7)
    monkeypatch.setattr(indexed_dataset, "_COPY_BYTES", 16)
    for number in range(4):
        write_run(str(tmp_path), f"{number}", documents.slice(25 * number, 25), "uint16")
    join_runs(str(tmp_path), ["0", "1", "2", "3"], "joined")
    assert contents(tmp_path, "joined") == contents(tmp_path, "whole")


def test_columns_as_they_come(tmp_path):
    chunked = pa.chunked_array([lists(DOCUMENTS[:2]), lists([]), lists(DOCUMENTS[2:])])
    large = lists(DOCUMENTS).cast(pa.large_list(pa.uint16()))
    with IndexedDatasetWriter(str(tmp_path), "mixed", "uint16") as writer:
        writer.append(chunked)
        writer.append(large)
        writer.append_flat(np.array([1, 2, 3], np.uint16), np.array([1, 2]))
        assert (writer.num_documents, writer.num_tokens) == (8, 15)
    assert NeoxReader(tmp_path / "mixed").documents() == [*DOCUMENTS, *DOCUMENTS, [1], [2, 3]]


@pytest.mark.parametrize(
    ("documents", "message"),
    [
        (lists([[4], []]), "document 3 has no tokens: leave it out here and in the table"),
        (lists([[4], None]), "null among documents or tokens"),
        (lists([[4, None]]), "null among documents or tokens"),
        (lists([[4]], "int32"), "a.bin has uint16 tokens, given are int32"),
        (lists([[4]], "int64"), "a.bin has uint16 tokens, given are int64"),
    ],
)
def test_what_cannot_be_written_stops_the_run_and_leaves_no_file(tmp_path, documents, message):
    with pytest.raises(IndexedDatasetError, match=message):
        write_run(str(tmp_path), "a", [lists([[1], [2, 3]]), documents], "uint16")
    assert list(tmp_path.iterdir()) == []


def test_sizes_that_are_not_those_of_the_tokens(tmp_path):
    with (
        pytest.raises(IndexedDatasetError, match="sizes add up to 4, but there are 3 tokens"),
        IndexedDatasetWriter(str(tmp_path), "a", "uint16") as writer,
    ):
        writer.append_flat(np.zeros(3, np.uint16), np.array([1, 3]))


@pytest.mark.parametrize(
    ("kind", "num_bytes", "message"),
    [
        ("bin", 4, r"b\.bin has 4 bytes, but its index wants 12"),
        ("idx", 40, r"b\.idx ends within its sizes: it was cut short"),
        ("idx", 20, r"b\.idx: 20 bytes are no index"),
    ],
)
def test_a_run_that_was_cut_short_is_not_joined(tmp_path, kind, num_bytes, message):
    for name in "ab":
        write_run(str(tmp_path), name, lists(DOCUMENTS), "uint16")
    cut = tmp_path / f"b.{kind}"
    cut.write_bytes(cut.read_bytes()[:num_bytes])
    with pytest.raises(IndexedDatasetError, match=message):
        join_runs(str(tmp_path), ["a", "b"], "joined")
    assert not list(tmp_path.glob("joined*"))


def test_runs_of_different_types_are_not_joined(tmp_path):
    for name, dtype in (("a", "uint16"), ("b", "int32")):
        write_run(str(tmp_path), name, lists(DOCUMENTS, dtype), dtype)
    with pytest.raises(IndexedDatasetError, match=r"b has int32 tokens, .*a uint16: they cannot"):
        join_runs(str(tmp_path), ["a", "b"], "joined")


class ForwardOnly:
    """What an object store's stream surely has."""

    def __init__(self, stream):
        self.read, self.__close = stream.read, stream.close

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.__close()


def test_runs_are_read_front_to_back(tmp_path, monkeypatch):
    for name in "ab":
        write_run(str(tmp_path), name, lists(DOCUMENTS), "uint16")
    open_input = storage.open_input
    monkeypatch.setattr(storage, "open_input", lambda path: ForwardOnly(open_input(path)))
    join_runs(str(tmp_path), ["a", "b"], "joined")
    assert NeoxReader(tmp_path / "joined").documents() == [*DOCUMENTS, *DOCUMENTS]


def test_joining_holds_little_in_memory(tmp_path):
    for number in range(4):
        tokens = lists([[number] * 1_000] * 10_000)
        write_run(str(tmp_path), f"{number}", tokens, "uint16")
    tracemalloc.start()
    entries = join_runs(str(tmp_path), ["0", "1", "2", "3"], "joined")
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert entries[0].num_bytes == 80_000_000
    assert peak < 30_000_000
