"""Storage helpers on the local file system, and on a stand-in for a remote one."""

import errno
import hashlib
import os
import pickle

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import xxhash
from apache_beam.io.filesystem import BeamIOError
from apache_beam.io.filesystems import FileSystems

from glotmill.transforms import cloud, storage


@pytest.fixture
def folder(tmp_path):
    for name in ("b.jsonl", "a.jsonl", "sub/c.jsonl", "swahili.txt", "x[1].txt"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(name.encode())
    return tmp_path


def names(files, folder):
    return [os.path.relpath(file.path, folder) for file in files]


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("*.jsonl", ["a.jsonl", "b.jsonl"]),
        ("**.jsonl", ["a.jsonl", "b.jsonl", "sub/c.jsonl"]),
        ("*/c.jsonl", ["sub/c.jsonl"]),
        ("?.jsonl", ["a.jsonl", "b.jsonl"]),
        ("[b]*", ["b.jsonl"]),
        ("a.jsonl", ["a.jsonl"]),
        ("x[1].txt", ["x[1].txt"]),
        ("x[[]1].txt", ["x[1].txt"]),
        ("x[[]*", ["x[1].txt"]),
        ("", ["a.jsonl", "b.jsonl", "swahili.txt", "x[1].txt"]),
    ],
)
def test_match_gives_sorted_files(folder, pattern, expected):
    assert names(storage.match(f"{folder}/{pattern}"), folder) == expected


def test_match_gives_sizes(folder):
    assert storage.match(f"{folder}/swahili.txt")[0].size == len("swahili.txt")


@pytest.mark.parametrize(
    ("pattern", "inside"), [("*.jsonl", ""), ("./*.jsonl", ""), ("../*.jsonl", "sub")]
)
def test_match_understands_relative_patterns(folder, monkeypatch, pattern, inside):
    monkeypatch.chdir(folder / inside)
    found = [os.path.basename(file.path) for file in storage.match(pattern)]
    assert found == ["a.jsonl", "b.jsonl"]
    assert all(os.path.exists(file.path) for file in storage.match(pattern))


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("name", ["x?", "x*", "**", "[x]", "x[1]", "x[!1]", "]x[", "x[[]1]"])
def test_an_escaped_folder_is_no_other(tmp_path, name):
    for each in {name, "xy", "x", "x1", "x2", "x[1]", "[", "1"}:
        storage.write_atomically(f"{tmp_path}/{each}/a/b.txt", b"")
        (tmp_path / each / "a" / "c.glotmill-tmp").touch()
    folder = str(tmp_path / name)
    for pattern in ("**", "a/*.txt", "a/[b]*", "a/b.txt"):
        assert names(storage.match(f"{storage.escape(folder)}/{pattern}"), folder) == ["a/b.txt"]
    left = len(list(tmp_path.rglob("*.glotmill-tmp")))
    storage.delete_temporaries(folder)
    assert len(list(tmp_path.rglob("*.glotmill-tmp"))) == left - 1
    with pytest.raises(storage.NothingMatched, match=r"has names like it: b\.txt"):
        storage.match(f"{storage.escape(folder)}/a/b.tx")


def test_two_stars_stand_for_no_folder_too(folder):
    storage.write_atomically(f"{folder}/sub/deep/d.jsonl", b"")
    found = names(storage.match(f"{folder}/**/*.jsonl"), folder)
    assert found == ["a.jsonl", "b.jsonl", "sub/c.jsonl", "sub/deep/d.jsonl"]
    found = names(storage.match(f"{folder}/s*/**/*.jsonl"), folder)
    assert found == ["sub/c.jsonl", "sub/deep/d.jsonl"]
    assert storage.match(f"{folder}/sub/**/c.jsonl") == storage.match(f"{folder}/sub/c.jsonl")


def test_two_stars_at_the_beginning_stand_for_no_folder_too(folder, monkeypatch):
    monkeypatch.chdir(folder)
    found = [file.path for file in storage.match("**/*.jsonl")]
    assert found == ["a.jsonl", "b.jsonl", "sub/c.jsonl"]


def test_linked_folders_are_looked_into_where_that_is_wanted(folder):
    (folder / "linked").symlink_to(folder / "sub")
    (folder / "sub" / "round").symlink_to(folder)
    assert names(storage.match(f"{folder}/*/*.jsonl"), folder) == ["sub/c.jsonl"]
    found = storage.match(f"{folder}/*/*.jsonl", inputs=True)
    assert names(found, folder) == ["sub/c.jsonl"]
    assert len(storage.match(f"{folder}/**", inputs=True)) == 5


@pytest.mark.parametrize("target", ["/", "..", "../.."])
def test_a_link_to_a_folder_above_is_not_looked_through(folder, monkeypatch, target):
    (folder / "sub" / "up").symlink_to(target)
    looked_into, scandir = [], os.scandir
    monkeypatch.setattr(os, "scandir", lambda path: looked_into.append(path) or scandir(path))
    assert len(storage.match(f"{folder}/**", inputs=True)) == 5
    assert looked_into == [str(folder), f"{folder}/sub"]


def test_folders_linked_to_each_other_are_looked_into_once_on_the_way_down(tmp_path, monkeypatch):
    for name in "abc":
        storage.write_atomically(f"{tmp_path}/{name}/{name}.txt", b"")
        for other in {*"abc"} - {name}:
            (tmp_path / name / other).symlink_to(tmp_path / other)
    looked_into, scandir = [], os.scandir
    monkeypatch.setattr(os, "scandir", lambda path: looked_into.append(path) or scandir(path))
    found = storage.match(f"{tmp_path}/**", inputs=True)
    assert names(found, tmp_path) == ["a/a.txt", "b/b.txt", "c/c.txt"]
    assert len(looked_into) == 1 + 3 + 3 * 2 + 3 * 2


def test_a_file_that_links_of_folders_lead_to_is_found_once(tmp_path):
    storage.write_atomically(f"{tmp_path}/v2/a.txt", b"")
    for link in ("current", "latest"):
        (tmp_path / link).symlink_to("v2")
    (tmp_path / "v2" / "A.txt").symlink_to("a.txt")
    found = storage.match(f"{tmp_path}/*/*.txt", inputs=True)
    assert names(found, tmp_path) == ["v2/A.txt", "v2/a.txt"]
    found = storage.match(f"{tmp_path}/[cl]*/*.txt", inputs=True)
    assert names(found, tmp_path) == ["current/A.txt", "current/a.txt"]


def test_objects_whose_names_are_alike_as_paths_are_several():
    objects = [storage.InputFile(f"gs://bucket/{name}", 1) for name in ("a//b", "a/../a/b", "a/b")]
    assert storage.one_of_each(objects) == sorted(objects, key=lambda each: each.path)


@pytest.mark.parametrize("inputs", [False, True])
@pytest.mark.parametrize(
    ("pattern", "depth"), [("*.jsonl", 0), ("s*/*.jsonl", 1), ("sub/*", 0), ("**.jsonl", 2)]
)
def test_folders_below_the_pattern_are_not_looked_into(folder, monkeypatch, pattern, depth, inputs):
    storage.write_atomically(f"{folder}/sub/deep/d.jsonl", b"")
    looked_into, scandir = [], os.scandir
    monkeypatch.setattr(os, "scandir", lambda path: looked_into.append(path) or scandir(path))
    assert storage.match(f"{folder}/{pattern}", inputs=inputs)
    assert len(looked_into) == depth + 1


def test_a_folder_that_may_not_be_read_is_not_passed_over(folder, monkeypatch):
    scandir = os.scandir

    def refuse(path):
        if path.endswith("/sub"):
            raise error
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)
    error = PermissionError(errno.EACCES, "Permission denied")
    assert len(storage.match(f"{folder}/*.jsonl")) == 2
    with pytest.raises(PermissionError):
        storage.match(f"{folder}/**.jsonl")
    error = FileNotFoundError(errno.ENOENT, "it vanished meanwhile")
    assert len(storage.match(f"{folder}/**.jsonl")) == 2


def test_links_that_lead_nowhere_are_passed_over(folder):
    (folder / "round").symlink_to("round")
    (folder / "gone.jsonl").symlink_to("nothing")
    for inputs in (False, True):
        assert len(storage.match(f"{folder}/**", inputs=inputs)) == 5


def test_doubled_slashes_are_one(folder):
    assert storage.match(f"{folder}//*.jsonl") == storage.match(f"{folder}/*.jsonl")
    assert storage.match(f"/{folder}//a.jsonl") == storage.match(f"{folder}/a.jsonl")


def test_nothing_matched_names_what_is_near(folder):
    with pytest.raises(storage.NothingMatched) as caught:
        storage.match(f"{folder}/swahil.txt")
    message = str(caught.value)
    assert message == (
        f"no file matches '{folder}/swahil.txt'; the nearest existing folder, '{folder}', "
        "has names like it: swahili.txt"
    )


def test_nothing_matched_names_the_nearest_folder_and_some_files(folder):
    for i in range(9):
        (folder / "sub" / f"{i}.csv").write_bytes(b"")
    with pytest.raises(storage.NothingMatched, match=r"holds: 0.csv, .*4.csv and 5 more"):
        storage.match(f"{folder}/sub/zzzzzz/*.parquet")


def test_nothing_matched_in_an_empty_folder(tmp_path):
    with pytest.raises(storage.NothingMatched, match="holds: nothing"):
        storage.match(f"{tmp_path}/*.txt")


def test_nothing_matched_for_a_folder_says_so(folder):
    with pytest.raises(storage.NothingMatched, match=r"it is a folder; did you mean .*/sub/\*"):
        storage.match(f"{folder}/sub")


def test_nothing_matched_for_a_link_to_nothing_says_so(folder):
    (folder / "broken.jsonl").symlink_to("gone.jsonl")
    with pytest.raises(storage.NothingMatched, match=r"a link to 'gone\.jsonl', which is not"):
        storage.match(f"{folder}/broken.jsonl")


def test_inputs_have_names_in_utf_8(tmp_path):
    (tmp_path / os.fsdecode(b"bad\xff.txt")).touch()
    assert len(storage.match(f"{tmp_path}/*.txt")) == 1  # they can be deleted
    with pytest.raises(ValueError, match=r"bad\\xff\.txt' is not UTF-8; rename it"):
        storage.match(f"{tmp_path}/*.txt", inputs=True)


def test_nothing_matched_survives_pickling():
    error = pickle.loads(pickle.dumps(storage.NothingMatched("a*", "hint")))
    assert (error.pattern, str(error)) == ("a*", "no file matches 'a*'; hint")


def test_open_input_does_not_decompress(tmp_path):
    (tmp_path / "a.gz").write_bytes(b"\x1f\x8b\x08 not really")
    assert storage.read_bytes(f"{tmp_path}/a.gz") == b"\x1f\x8b\x08 not really"


def test_unknown_scheme_is_refused():
    with pytest.raises(ValueError, match="Unable to get filesystem"):
        storage.open_input("nosuch://bucket/a")


def test_atomic_writer_counts_hashes_and_renames(tmp_path):
    target = f"{tmp_path}/new/sub/a.bin"
    with storage.atomic_writer(target) as writer:
        assert writer.write(b"abc") == 3
        assert writer.write(memoryview(b"de")) == 2
        assert (writer.tell(), writer.closed, writer.writable()) == (5, False, True)
        assert not os.path.exists(target)
    assert storage.read_bytes(target) == b"abcde"
    assert writer.sha256 == hashlib.sha256(b"abcde").hexdigest()
    assert (writer.num_bytes, writer.closed) == (5, True)
    assert os.listdir(os.path.dirname(target)) == ["a.bin"]


def test_atomic_writer_replaces(tmp_path):
    target = f"{tmp_path}/a"
    storage.write_atomically(target, b"old")
    assert storage.write_atomically(target, b"new") == hashlib.sha256(b"new").hexdigest()
    assert storage.read_bytes(target) == b"new"


def test_atomic_writer_leaves_nothing_after_an_error(tmp_path):
    storage.write_atomically(f"{tmp_path}/a", b"old")

    def fail_half_way():
        with storage.atomic_writer(f"{tmp_path}/a") as writer:
            writer.write(b"half")
            raise KeyError("stop")

    with pytest.raises(KeyError):
        fail_half_way()
    assert os.listdir(tmp_path) == ["a"]
    assert storage.read_bytes(f"{tmp_path}/a") == b"old"


def test_atomic_writer_takes_nothing_once_closed(tmp_path):
    with storage.atomic_writer(f"{tmp_path}/a") as writer:
        writer.close()
        with pytest.raises(ValueError, match="not open"):
            writer.write(b"late")


def test_two_attempts_do_not_meet(tmp_path):
    target = f"{tmp_path}/a"
    with storage.atomic_writer(target) as first, storage.atomic_writer(target) as second:
        first.write(b"first")
        second.write(b"second")
    assert storage.read_bytes(target) == b"first"
    assert os.listdir(tmp_path) == ["a"]


def test_temporary_files_do_not_match(tmp_path):
    storage.write_atomically(f"{tmp_path}/a", b"")
    with storage.atomic_writer(f"{tmp_path}/b"):
        assert names(storage.match(f"{tmp_path}/*"), tmp_path) == ["a"]


def test_atomic_writer_is_a_sink_for_parquet_and_ipc(tmp_path):
    table = pa.table({"text": ["a", "b"] * 1000})
    with (
        storage.atomic_writer(f"{tmp_path}/a.parquet") as sink,
        pq.ParquetWriter(sink, table.schema) as parquet,
    ):
        parquet.write_table(table)
    with (
        storage.atomic_writer(f"{tmp_path}/a.arrow") as sink,
        pa.ipc.new_file(sink, table.schema) as ipc,
    ):
        ipc.write_table(table)
    assert pq.read_table(f"{tmp_path}/a.parquet").equals(table)
    assert pa.ipc.open_file(f"{tmp_path}/a.arrow").read_all().equals(table)
    assert sink.num_bytes == os.path.getsize(f"{tmp_path}/a.arrow")


def test_sha256_is_that_of_the_file_that_parquet_wrote(tmp_path):
    target = f"{tmp_path}/a.parquet"
    with storage.atomic_writer(target) as sink:
        pq.write_table(pa.table({"n": range(5000)}), sink)
    assert sink.sha256 == hashlib.sha256(storage.read_bytes(target)).hexdigest()


def test_delete_is_literal_and_repeatable(folder):
    storage.delete([f"{folder}/x[1].txt", f"{folder}/sub", f"{folder}/absent"])
    storage.delete([f"{folder}/sub"])
    assert sorted(os.listdir(folder)) == ["a.jsonl", "b.jsonl", "swahili.txt"]
    assert not storage.exists(f"{folder}/sub")


def test_make_directories_is_repeatable(tmp_path):
    for _ in range(2):
        storage.make_directories(f"{tmp_path}/a/b")
    assert storage.exists(f"{tmp_path}/a/b")


def test_checksum_is_of_the_content(tmp_path):
    content = os.urandom(3 << 20)
    (tmp_path / "a").write_bytes(content)
    assert storage.checksum(f"{tmp_path}/a") == f"xxh3:{xxhash.xxh3_128_hexdigest(content)}"


class Remote:
    """A remote file system that, as HDFS does, refuses to rename onto a file."""

    def __init__(self):
        self.files = {}

    def install(self, monkeypatch):
        for name in ("create", "rename", "delete", "exists", "checksum"):
            monkeypatch.setattr(FileSystems, name, staticmethod(getattr(self, name)))

    def create(self, path, compression_type):
        remote = self

        class Stream:
            def write(self, data):
                remote.files[path] = remote.files.get(path, b"") + data

            def close(self):
                remote.files.setdefault(path, b"")

        return Stream()

    def rename(self, sources, targets):
        if targets[0] in self.files:
            raise BeamIOError("exists", {})
        self.files[targets[0]] = self.files.pop(sources[0])

    def delete(self, paths):
        if self.files.pop(paths[0], None) is None:
            raise BeamIOError("absent", {})

    def exists(self, path):
        return path in self.files

    def checksum(self, path):
        return "md5-of-it"


@pytest.fixture
def remote(monkeypatch):
    remote = Remote()
    remote.install(monkeypatch)
    return remote


def test_remote_target_is_replaced(remote):
    for content in (b"old", b"new"):
        storage.write_atomically("hdfs://host/a", content)
    assert remote.files == {"hdfs://host/a": b"new"}


def test_remote_rename_that_fails_for_good_is_an_error(remote, monkeypatch):
    def fail(sources, targets):
        raise BeamIOError("no permission", {})

    monkeypatch.setattr(FileSystems, "rename", staticmethod(fail))
    with pytest.raises(OSError, match="no permission"):
        storage.write_atomically("hdfs://host/a", b"new")
    assert remote.files == {}


def test_remote_delete_is_repeatable(remote):
    remote.files["hdfs://host/a"] = b""
    storage.delete(["hdfs://host/a", "hdfs://host/a"])
    assert remote.files == {}


def test_remote_checksum_names_the_scheme(remote):
    assert storage.checksum("hdfs://host/a") == "hdfs:md5-of-it"


def test_temporaries_of_a_killed_process_are_deleted(tmp_path):
    storage.write_atomically(f"{tmp_path}/a/kept.txt", b"x")
    writer = storage.atomic_writer(f"{tmp_path}/a/b/lost.txt")
    writer.__enter__()
    writer.write(b"half")
    writer.flush()
    assert len([path for path in tmp_path.rglob("*") if path.is_file()]) == 2
    storage.delete_temporaries(str(tmp_path / "a"))
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == ["kept.txt"]
    storage.delete_temporaries(str(tmp_path / "nowhere"))


def test_parts_of_a_large_object_grow(monkeypatch):
    """S3 takes 10,000 of them."""
    monkeypatch.setattr(cloud, "PART_BYTES", 4)
    monkeypatch.setattr(cloud, "_PARTS_OF_A_SIZE", 2)
    sent = []

    class Upload:
        def send(self, part):
            sent.append(part)

        def finish(self):
            sent.append(None)

    class Store:
        def upload(self, path):
            return Upload()

    sink = cloud.ObjectSink(Store(), "s3://b/a")
    content = bytes(range(60))
    for start in range(0, 60, 7):
        sink.write(content[start : start + 7])
    sink.commit()
    assert [len(part) for part in sent[:-1]] == [4, 4, 8, 8, 12, 12, 12]
    assert b"".join(sent[:-1]) == content
