"""Storage on object stores: the same promises as on a disk."""

import io
import os

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from object_stores import Proxy

from glotmill.transforms import cloud, storage
from glotmill.transforms.cloud import ChangedMeanwhile, ReadInterrupted

Store = tuple[str, Proxy]


def names(pattern: str) -> list[str]:
    return [os.path.basename(file.path) for file in storage.match(pattern)]


def test_written_bytes_are_read_back(store: Store) -> None:
    folder, _ = store
    for content in (b"", b"sannu", os.urandom(100_000)):
        storage.write_atomically(f"{folder}/a.bin", content)
        assert storage.read_bytes(f"{folder}/a.bin") == content
        assert storage.match(f"{folder}/a.bin")[0].size == len(content)


def test_large_objects_go_in_parts(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    folder, _ = store
    monkeypatch.setattr(cloud, "PART_BYTES", 5 * 2**20)
    content = os.urandom(12 * 2**20)
    with storage.atomic_writer(f"{folder}/large") as writer:
        for start in range(0, len(content), 1 << 20):
            writer.write(content[start : start + (1 << 20)])
        assert not storage.exists(f"{folder}/large")
    assert storage.read_bytes(f"{folder}/large") == content


@pytest.mark.parametrize("num_bytes", [10, 11 * 2**20])
def test_nothing_is_seen_of_what_was_not_finished(
    store: Store, monkeypatch: pytest.MonkeyPatch, num_bytes: int
) -> None:
    folder, _ = store
    monkeypatch.setattr(cloud, "PART_BYTES", 5 * 2**20)

    def fail() -> None:
        with storage.atomic_writer(f"{folder}/half") as writer:
            writer.write(bytes(num_bytes))
            raise KeyError("stop")

    with pytest.raises(KeyError):
        fail()
    assert not storage.exists(f"{folder}/half")
    with pytest.raises(LookupError):
        storage.match(f"{folder}/**")


def test_patterns_are_those_of_a_disk(store: Store) -> None:
    folder, _ = store
    for name in ("b.jsonl", "a.jsonl", "sub/c.jsonl", "x[1].txt"):
        storage.write_atomically(f"{folder}/{name}", b"x")
    assert names(f"{folder}/*.jsonl") == ["a.jsonl", "b.jsonl"]
    assert names(f"{folder}/**.jsonl") == ["a.jsonl", "b.jsonl", "c.jsonl"]
    assert names(f"{folder}/[b]*") == ["b.jsonl"]
    assert names(f"{folder}/x[1].txt") == ["x[1].txt"]
    with pytest.raises(storage.NothingMatched, match="no file matches"):
        storage.match(f"{folder}/absent.txt")


@pytest.mark.parametrize("name", ["x?", "x*", "[x]", "x[1]"])
def test_an_escaped_folder_is_no_other(store: Store, name: str) -> None:
    folder, _ = store
    for each in {name, "xy", "x", "x1"}:
        storage.write_atomically(f"{folder}/{each}/a/b[1].txt", b"x")
    for pattern in ("**", "a/*.txt", "a/b[1].txt"):
        (found,) = storage.match(f"{storage.escape(f'{folder}/{name}')}/{pattern}")
        assert found.path == f"{folder}/{name}/a/b[1].txt"


def test_a_folder_is_deleted_with_all_it_holds(store: Store) -> None:
    folder, _ = store
    for name in ("a/1", "a/b/2", "ab/3"):
        storage.write_atomically(f"{folder}/{name}", b"x")
    storage.delete([f"{folder}/a", f"{folder}/absent"])
    assert [file.path for file in storage.match(f"{folder}/**")] == [f"{folder}/ab/3"]


def test_listings_and_objects_give_one_checksum(store: Store) -> None:
    folder, _ = store
    storage.write_atomically(f"{folder}/a", b"one")
    before = storage.checksum(f"{folder}/a")
    assert before.startswith(folder.partition(":")[0] + ":")
    assert storage.match(f"{folder}/*")[0].checksum == before
    storage.write_atomically(f"{folder}/a", b"two")
    assert storage.checksum(f"{folder}/a") != before


def test_parquet_is_read_by_columns(store: Store) -> None:
    folder, _ = store
    table = pa.table({"n": range(5_000), "text": [os.urandom(20).hex() for _ in range(5_000)]})
    with storage.atomic_writer(f"{folder}/a.parquet") as sink:
        pq.write_table(table, sink, row_group_size=1_000)
    with storage.open_input(f"{folder}/a.parquet") as source:
        assert pq.ParquetFile(source).read(columns=["n"]).equals(table.select(["n"]))


def test_reader_seeks_like_a_file(store: Store) -> None:
    folder, _ = store
    content = os.urandom(50_000)
    storage.write_atomically(f"{folder}/a", content)
    with storage.open_input(f"{folder}/a") as stream:
        assert stream.seek(-10, io.SEEK_END) == len(content) - 10
        assert stream.read() == content[-10:]
        assert stream.read(5) == b""
        stream.seek(100)
        stream.seek(7, io.SEEK_CUR)
        assert (stream.read(3), stream.tell()) == (content[107:110], 110)


def test_an_absent_object_is_not_found(store: Store) -> None:
    folder, _ = store
    with pytest.raises(FileNotFoundError, match=f"{folder}/absent"):
        storage.open_input(f"{folder}/absent")
    with pytest.raises(FileNotFoundError, match="absent"):
        storage.checksum(f"{folder}/absent")


def test_an_absent_bucket_is_named(store: Store) -> None:
    folder, _ = store
    other = folder.replace("corpora", "no-such-bucket")
    with pytest.raises(FileNotFoundError, match="no-such-bucket"):
        storage.match(f"{other}/*")
    with pytest.raises(OSError, match="no-such-bucket"):
        storage.write_atomically(f"{other}/a", b"x")


def test_a_change_during_reading_is_no_reject(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, _ = store
    storage.write_atomically(f"{folder}/a", bytes(20_000_000))
    with storage.open_input(f"{folder}/a") as stream:
        stream.read(10)
        storage.write_atomically(f"{folder}/a", b"another" * 3_000_000)
        with pytest.raises(ReadInterrupted, match="changed while it was read; run again"):
            stream.read()


def test_writes_may_be_conditional(store: Store) -> None:
    folder, _ = store
    path = f"{folder}/lock"
    objects = cloud.store_of(path)
    assert objects is not None
    first = cloud.put_if(objects, path, b"first", cloud.ABSENT)
    with pytest.raises(ChangedMeanwhile):
        cloud.put_if(objects, path, b"other", cloud.ABSENT)
    second = cloud.put_if(objects, path, b"second", first)
    with pytest.raises(ChangedMeanwhile):
        cloud.put_if(objects, path, b"stale", first)
    assert storage.read_bytes(path) == b"second"
    assert second != first


def test_a_lost_answer_is_no_conflict(store: Store) -> None:
    folder, proxy = store
    path = f"{folder}/lock"
    objects = cloud.store_of(path)
    assert objects is not None
    lost: list[str] = []

    def lose_first_write(number: int, method: str, uri: str) -> str:
        if method in ("POST", "PUT") and not lost:
            lost.append(uri)
            return "lost"
        return "pass"

    proxy.fault = lose_first_write
    version = cloud.put_if(objects, path, b"mine", cloud.ABSENT)
    assert lost
    assert (storage.read_bytes(path), cloud.found(objects, path).version) == (b"mine", version)


@pytest.mark.parametrize("fault", ["503", "lost", pytest.param("hang", marks=pytest.mark.slow)])
def test_faults_that_pass_are_waited_for(store: Store, fault: str) -> None:
    folder, proxy = store
    storage.write_atomically(f"{folder}/a", b"before")
    proxy.fault = lambda number, method, path: fault if number % 4 == 0 else "pass"
    for number in range(4):
        storage.write_atomically(f"{folder}/a", b"%d" % number)
        assert storage.read_bytes(f"{folder}/a") == b"%d" % number
    assert len(storage.match(f"{folder}/*")) == 1
    storage.delete([f"{folder}/a"])
    assert not storage.exists(f"{folder}/a")
    assert proxy.seen[fault] >= 3


def test_a_store_that_stays_away_is_named(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    folder, proxy = store
    monkeypatch.setattr(cloud, "PATIENCE_SECONDS", 2.0)
    cloud.forget_stores()
    storage.write_atomically(f"{folder}/a", b"x")
    proxy.fault = lambda number, method, path: "503"
    with pytest.raises(OSError, match=f"{folder}/b: .*(503|Timeout)"):
        storage.write_atomically(f"{folder}/b", b"x")
    with pytest.raises(ReadInterrupted, match=f"{folder}/a: "):
        storage.read_bytes(f"{folder}/a")
