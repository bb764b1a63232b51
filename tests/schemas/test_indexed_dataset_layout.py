"""Token files: the layout byte for byte, and a reader that says what is wrong with a file."""

import pickle
import struct

import numpy as np
import pytest

from glotmill.schemas.indexed_dataset import (
    Header,
    IndexedDataset,
    IndexedDatasetError,
    pack_header,
    parse_header,
    pointers_of,
    token_dtype,
)

GOLDEN = bytes.fromhex("4d4d49444944580000 0100000000000000 08 0300000000000000 0400000000000000")


def write(folder, sizes, documents=None, *, code=8, version=1, magic=b"MMIDIDX\0\0", tokens=None):
    """A pair of files packed by hand; tokens count from 0."""
    itemsize = 2 if code == 8 else 4
    documents = range(len(sizes) + 1) if documents is None else documents
    pointers = [sum(sizes[:i]) * itemsize for i in range(len(sizes))]
    index = struct.pack("<9sQBQQ", magic, version, code, len(sizes), len(documents))
    index += struct.pack(f"<{len(sizes)}i", *sizes)
    index += struct.pack(f"<{len(sizes)}q{len(documents)}q", *pointers, *documents)
    letter = "H" if code == 8 else "i"
    tokens = range(sum(sizes)) if tokens is None else tokens
    prefix = folder / "data_text_document"
    prefix.with_suffix(".idx").write_bytes(index)
    prefix.with_suffix(".bin").write_bytes(struct.pack(f"<{len(tokens)}{letter}", *tokens))
    return prefix


def test_the_header_is_the_published_one():
    assert pack_header("uint16", 3) == GOLDEN
    assert pack_header(np.int32, 3) == GOLDEN[:17] + b"\4" + GOLDEN[18:]
    assert parse_header(GOLDEN + b"more", "a.idx") == Header(np.dtype("uint16"), 3, 4)


@pytest.mark.parametrize(("num_documents", "num_bytes"), [(3, 102), (35_000, 700_042), (0, 42)])
def test_an_index_has_42_bytes_and_20_a_document(num_documents, num_bytes):
    header = parse_header(pack_header("int32", num_documents), "a.idx")
    assert header.num_index_bytes == num_bytes == 42 + 20 * num_documents


@pytest.mark.parametrize(
    ("vocab_size", "dtype"),
    [
        (256, "uint16"),
        (32_000, "uint16"),
        (65_499, "uint16"),
        (65_500, "int32"),
        (128_256, "int32"),
    ],
)
def test_the_type_of_tokens_goes_by_the_vocabulary(vocab_size, dtype):
    assert token_dtype(vocab_size) == np.dtype(dtype)


def test_only_the_two_types_that_both_trainers_read_alike_are_written():
    for dtype in ("uint8", "int64", "float32"):
        with pytest.raises(IndexedDatasetError, match=f"uint16 or int32, not {dtype}"):
            pack_header(dtype, 3)


def test_pointers_do_not_overflow():
    sizes = np.full(4, 2**31 - 1, np.int32)
    assert pointers_of(sizes, 4).tolist() == [4 * i * (2**31 - 1) for i in range(4)]
    assert pointers_of(sizes[:2], 2, start=10).tolist() == [10, 10 + 2 * (2**31 - 1)]
    assert pointers_of(sizes[:0], 2).tolist() == []


@pytest.mark.parametrize("code", [8, 4])
def test_a_reader_gives_sequences_as_views(tmp_path, code):
    dataset = IndexedDataset(write(tmp_path, [3, 1, 2], code=code))
    assert (len(dataset), dataset.dtype.itemsize) == (3, 2 if code == 8 else 4)
    assert [sequence.tolist() for sequence in dataset] == [[0, 1, 2], [3], [4, 5]]
    assert dataset[-1].tolist() == [4, 5]
    assert np.shares_memory(dataset[0], dataset.tokens)
    assert not dataset[0].flags.writeable
    assert dataset.sizes.tolist() == [3, 1, 2]
    assert dataset.document_indices.tolist() == [0, 1, 2, 3]
    dataset.check()
    for index in (3, -4):
        with pytest.raises(IndexError, match=f"sequence {index} of 3"):
            dataset[index]


def test_documents_of_several_sequences_are_read(tmp_path):
    dataset = IndexedDataset(write(tmp_path, [3, 0, 2], documents=[0, 2, 3]))
    dataset.check()
    assert dataset.document_indices.tolist() == [0, 2, 3]
    assert dataset[1].tolist() == []


def test_files_without_documents_are_read(tmp_path):
    dataset = IndexedDataset(write(tmp_path, []))
    assert (len(dataset), len(dataset.tokens)) == (0, 0)
    dataset.check()


def test_another_process_opens_the_files_anew(tmp_path):
    dataset = IndexedDataset(write(tmp_path, [50_000]))
    pickled = pickle.dumps(dataset)
    assert len(pickled) < 1_000
    assert pickle.loads(pickled)[0].tolist() == dataset[0].tolist()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"magic": b"TNTIDX\0\0\0"}, r"starts with b'TNTIDX.*not with b'MMIDIDX"),
        ({"version": 2}, "is of version 2; only 1"),
        ({"code": 6}, r"type code 6; read are 8 \(uint16\) and 4 \(int32\)"),
        ({"tokens": [1, 2, 3]}, r"\.bin has 6 bytes, but its index wants 12"),
        ({"tokens": range(7)}, r"\.bin has 14 bytes, but its index wants 12"),
        ({"documents": [0, 1, 2]}, r"from 0 to 3 in a sound file; its ends are \[0, 2\]"),
        ({"documents": [1, 2, 3]}, r"its ends are \[1, 3\]"),
        ({"documents": []}, r"its ends are \[\]"),
    ],
)
def test_what_does_not_fit_is_said(tmp_path, options, message):
    prefix = write(tmp_path, [3, 1, 2], **options)
    with pytest.raises(IndexedDatasetError, match=message):
        IndexedDataset(prefix)


@pytest.mark.parametrize("num_bytes", [0, 33, 34, 101, 103])
def test_an_index_of_another_size_is_refused(tmp_path, num_bytes):
    prefix = write(tmp_path, [3, 1, 2])
    index = prefix.with_suffix(".idx")
    index.write_bytes(index.read_bytes().ljust(num_bytes, b"\0")[:num_bytes])
    message = "no index of a token file" if num_bytes < 34 else "3 sequences want 102: it was cut"
    with pytest.raises(IndexedDatasetError, match=message):
        IndexedDataset(prefix)


@pytest.mark.parametrize("missing", [".bin", ".idx"])
def test_a_missing_file_is_named(tmp_path, missing):
    prefix = write(tmp_path, [3])
    prefix.with_suffix(missing).unlink()
    with pytest.raises(IndexedDatasetError, match=rf"there is no .*data_text_document\{missing}"):
        IndexedDataset(str(prefix))


def test_a_thorough_check_finds_what_the_ends_do_not_show(tmp_path):
    prefix = write(tmp_path, [3, 1, 2])
    content = bytearray(prefix.with_suffix(".idx").read_bytes())
    struct.pack_into("<q", content, 34 + 3 * 4 + 8, 4)
    prefix.with_suffix(".idx").write_bytes(content)
    with pytest.raises(IndexedDatasetError, match="the pointer of sequence 1 is not the sum"):
        IndexedDataset(prefix).check()
    falling = write(tmp_path, [3, 1, 2], documents=[0, 2, 1, 3])
    with pytest.raises(IndexedDatasetError, match="document 1 ends before it starts"):
        IndexedDataset(falling).check()
