"""Ingest of small files: nothing is lost, everything says where it comes from."""

import hashlib
import json
import time
from pathlib import Path

import apache_beam as beam
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
import xxhash
from apache_beam.runners.portability.fn_api_runner import FnApiRunner

from glotmill.schemas.lock import Unit, UnitSlice
from glotmill.schemas.manifest import UnitRecord
from glotmill.schemas.recipe import Recipe
from glotmill.schemas.tables import DOCUMENTS, DROPPED, REJECTED, STATISTICS
from glotmill.transforms.batches import StageOrderError
from glotmill.transforms.custom import CustomStageError
from glotmill.transforms.ingest import IngestUnits, UnitIngester, documents_schema
from glotmill.transforms.tables import read_table

ENGLISH = "Everyone has the right to freedom of thought, conscience and religion."
FRENCH = "Toute personne a droit à la liberté de pensée, de conscience et de religion."


class Ingested:
    """A recipe of one source and its unit, ingested."""

    def __init__(self, tmp_path, files, source, **options):
        self.root = str(tmp_path / "out")
        options = {"identify": {"enabled": source.get("language") is None}, **options}
        self.recipe = Recipe.model_validate(
            {
                "glotmill": 1,
                "name": "a",
                "sources": [{"name": "s", "path": "-", **source}],
                **options,
            }
        )
        slices = []
        for name, content in files.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content if isinstance(content, bytes) else content.encode())
            kind = self.recipe.sources[0].format
            groups = pq.ParquetFile(path).num_row_groups if kind == "parquet" else None
            slices.append(UnitSlice(
                path=str(path), name=name, format=kind, checksum="", start=0,
                end=groups or max(1, path.stat().st_size),
            ))  # fmt: skip
        self.unit = Unit(key="u", source="s", num_bytes=9, slices=tuple(slices))
        ingester = UnitIngester(self.recipe, self.root)
        ingester.setup()
        self.record = ingester.ingest(self.unit)

    def table(self, name):
        entry = self.record.file(name)
        return read_table(f"{self.root}/{entry.path}") if entry else None

    def rows(self, name):
        table = self.table(name)
        return table.to_pylist() if table else []

    def check(self):
        """What holds of every unit."""
        record = self.record
        tables = {name: self.table(name) for name in ("documents", "dropped", "rejected")}
        sizes = [table.num_rows if table else 0 for table in tables.values()]
        assert [record.num_kept, record.num_dropped, record.num_rejected] == sizes
        assert record.num_read == sum(sizes)
        for entry in record.files:
            content = Path(self.root, entry.path).read_bytes()
            assert len(content) == entry.num_bytes
            assert hashlib.sha256(content).hexdigest() == entry.sha256
        statistics = self.table("statistics")
        assert statistics.schema == STATISTICS
        for outcome, size in zip(("kept", "dropped", "rejected"), sizes, strict=True):
            of = statistics.filter(pc.equal(statistics["outcome"], outcome))
            assert sum(of["num_documents"].to_pylist()) == size
        texts = [t for name in ("documents", "dropped") for t in self.rows(name)]
        assert sum(statistics["num_bytes"].to_pylist()) == sum(
            len(t["text"].encode()) for t in texts
        )
        assert record.num_text_bytes == sum(len(t["text"].encode()) for t in texts)
        for row in texts:
            assert row["content_hash"] == xxhash.xxh3_128_digest(row["text"].encode())
            assert row["source"] == "s"
        saved = UnitRecord.model_validate_json(Path(self.root, "ingest/units/u.json").read_bytes())
        assert saved == record
        return self


@pytest.fixture
def ingest(tmp_path):
    def run(files, source, **options):
        return Ingested(tmp_path, files, source, **options).check()

    return run


def jsonl(*rows):
    return "".join(f"{row if isinstance(row, str) else json.dumps(row)}\n" for row in rows)


def test_every_record_is_kept_dropped_or_rejected(ingest):
    good = {"text": ENGLISH, "lang": "en", "key": "k1", "link": "http://a"}
    rows = [
        good,
        {"text": "short", "lang": "en"},
        "{broken",
        {"text": ENGLISH * 2, "lang": "xyzzy"},
        {"lang": "en"},
        {"text": FRENCH, "lang": None},
    ]
    content = jsonl(*rows)
    done = ingest(
        {"data/a.jsonl": content},
        {"format": "jsonl", "language": {"column": "lang"}, "id": "key", "url": "link"},
        identify={"enabled": True},
    )
    assert (done.record.num_kept, done.record.num_dropped, done.record.num_rejected) == (2, 2, 2)
    assert done.table("documents").schema == DOCUMENTS == documents_schema(done.recipe)
    assert done.table("dropped").schema == DROPPED
    assert done.table("rejected").schema == REJECTED
    first, last = done.rows("documents")
    assert {name: first[name] for name in ("text", "source", "path", "offset", "external_id", "url",
                                           "original_code", "label", "verdict")} == {
        "text": ENGLISH, "source": "s", "path": "data/a.jsonl", "offset": 0, "external_id": "k1",
        "url": "http://a", "original_code": "en", "label": "eng_Latn", "verdict": "confirmed",
    }  # fmt: skip
    assert (last["original_code"], last["label"], last["verdict"]) == (
        None,
        "fra_Latn",
        "identified",
    )
    assert (last["external_id"], last["offset"]) == (None, content.index(json.dumps(rows[-1])))
    assert {row["text"][:5]: row["drop_reason"] for row in done.rows("dropped")} == {
        "short": "too_short", "Every": "unknown_language_code",
    }  # fmt: skip
    rejected = done.rows("rejected")
    assert [row["offset"] for row in rejected] == [
        content.index("{broken"),
        content.index('{"lang": "en"}'),
    ]
    assert all(row["path"] == "data/a.jsonl" and row["source"] == "s" for row in rejected)
    assert rejected[0]["excerpt"] == "{broken"


def test_several_files_and_formats_of_lines(ingest):
    files = {"a.txt": f"{ENGLISH}\n\n{ENGLISH}\n", "b/c.txt": f"{FRENCH}\n"}
    done = ingest(files, {"format": "text", "language": {"code": "eng"}})
    places = [(row["path"], row["offset"]) for row in done.rows("documents")]
    assert places == [("a.txt", 0), ("a.txt", len(ENGLISH) + 2), ("b/c.txt", 0)]


def test_a_file_is_a_document(ingest):
    text = f"{ENGLISH}\r\n\r\n\r\n\r\n{ENGLISH}  \n"
    done = ingest({"a.txt": text}, {"format": "text_file", "language": {"code": "en"}})
    (row,) = done.rows("documents")
    assert row["text"] == f"{ENGLISH}\n\n{ENGLISH}"
    assert (row["label"], row["declared_label"], row["changes"]) == ("eng_Latn", "eng_Latn", 8)


def test_code_is_kept_as_it_is(ingest):
    code = "\tif (x &amp;&amp; y)\n\t\treturn  1;\n" * 20
    done = ingest(
        {"a.c": code}, {"format": "text_file", "category": "code", "language": {"code": "zxx"}}
    )
    (row,) = done.rows("documents")
    assert row["text"] == code
    assert (row["label"], row["verdict"]) == ("zxx_Latn", "unverifiable")


def test_a_language_that_stands_in_the_path(ingest):
    files = {"swa/a.txt": ENGLISH, "fra/b.txt": ENGLISH, "c.txt": ENGLISH}
    language = {"path": "^([a-z]{3})/"}
    done = ingest(files, {"format": "text", "language": language})
    found = [(r["path"], r["original_code"], r["label"]) for r in done.rows("documents")]
    assert found == [
        ("swa/a.txt", "swa", "swa_Latn"), ("fra/b.txt", "fra", "fra_Latn"),
        ("c.txt", None, "und_Latn"),
    ]  # fmt: skip


def test_markup_is_removed_where_the_source_says_so(ingest):
    source = {"format": "text", "language": {"code": "en"}}
    text = f"<p>{ENGLISH}</p>"
    assert ingest({"a.txt": text}, source).rows("documents")[0]["text"] == text
    (row,) = ingest({"a.txt": text}, {**source, "strip_markup": True}).rows("documents")
    assert row["text"] == ENGLISH


def test_a_file_of_another_kind_is_one_reject(ingest, tmp_path):
    pq.write_table(pa.table({"other": ["x"] * 5}), tmp_path / "x.parquet")
    content = (tmp_path / "x.parquet").read_bytes()
    done = ingest({"a.parquet": content}, {"format": "parquet", "language": {"code": "en"}})
    (row,) = done.rows("rejected")
    assert (row["reason"], row["path"]) == ("missing_column", "a.parquet")
    assert "other" in row["detail"]


def test_details_name_files_as_rows_do(ingest, tmp_path):
    pq.write_table(pa.table({"txt": [ENGLISH]}), tmp_path / "a.parquet")
    content = (tmp_path / "a.parquet").read_bytes()
    done = ingest({"b/a.parquet": content}, {"format": "parquet", "language": {"code": "en"}})
    (row,) = done.rows("rejected")
    assert row["reason"] == "missing_column"
    assert row["detail"] == "b/a.parquet has no column 'text'; it has 'txt'; did you mean 'txt'?"


@pytest.mark.parametrize("content", ["", "\n\n"])
def test_a_file_of_nothing(ingest, content):
    done = ingest({"a.jsonl": content}, {"format": "jsonl", "language": {"code": "en"}})
    assert done.record.num_read == 0
    assert [entry.path for entry in done.record.files] == ["ingest/statistics/u.parquet"]


def test_the_same_unit_gives_the_same_bytes(tmp_path):
    rows = [{"text": f"{ENGLISH} {n}"} for n in range(3_000)]
    entries = []
    for folder in ("one", "two"):
        done = Ingested(
            tmp_path / folder, {"a.jsonl": jsonl(*rows)},
            {"format": "jsonl", "language": {"code": "en"}},
        )  # fmt: skip
        entries.append(done.record.files)
    assert entries[0] == entries[1]


LINES = {"format": "text", "language": {"code": "en"}}


def test_a_custom_stage_adds_its_column(ingest, installed):
    done = ingest(
        {"a.txt": f"{ENGLISH}\n{FRENCH}\nee\n"}, LINES,
        stages=[{"name": "example_tally", "options": {"letter": "o"}}],
    )  # fmt: skip
    assert done.table("documents").schema.names == documents_schema(done.recipe).names
    assert [row["num_o"] for row in done.rows("documents")] == [
        ENGLISH.count("o"),
        FRENCH.count("o"),
    ]
    assert [row["num_o"] for row in done.rows("dropped")] == [0]


def test_a_custom_filter_drops_with_its_reason(ingest, installed):
    filters = {"custom": [{"name": "example_refuse", "options": {"word": "droit"}}]}
    done = ingest({"a.txt": f"{ENGLISH}\n{FRENCH}\ndroit\n"}, LINES, filters=filters)
    assert [row["drop_reason"] for row in done.rows("dropped")] == ["has_droit", "too_short"]
    assert len(done.rows("documents")) == 1


@pytest.mark.parametrize(
    ("loses_rows", "detail"),
    [(True, "gave 0 rows back for 1"), (False, "did not add its column 'num_e'")],
)
def test_a_stage_that_breaks_its_promise_loses_nothing(ingest, installed, loses_rows, detail):
    stage = {"name": "example_break_promise", "options": {"loses_rows": loses_rows}}
    done = ingest({"a.txt": f"{ENGLISH}\n{FRENCH}\n"}, LINES, stages=[stage])
    assert (done.record.num_read, done.record.num_rejected) == (2, 2)
    assert {row["detail"] for row in done.rows("rejected")} == {
        f"stage 'tally': StageFaultError: {detail}"
    }


def without(names):
    return lambda batch: batch.drop_columns(names)


def nullable(batch):
    return pa.RecordBatch.from_arrays(batch.columns, names=batch.schema.names)


@pytest.mark.parametrize(
    ("change", "detail"),
    [
        (lambda batch: with_text(batch, None), "left nulls in 'text'"),
        (without(["external_id"]), "lost the column 'external_id'"),
        (lambda batch: pa.table(batch), "gave a Table back, not a RecordBatch"),
        (nullable, None),
    ],
)
@pytest.mark.parametrize("category", ["monolingual", "bitext"])
def test_rows_of_which_a_stage_makes_nonsense_are_rejected_alone(
    tmp_path, installed, monkeypatch, change, detail, category
):
    import glotmill_example

    def annotate(self, batch):
        batch = batch.append_column(self.adds[0], pa.array([1] * batch.num_rows, pa.int32()))
        has_bad = any("bad" in text for text in batch["text"].to_pylist())
        return change(batch) if has_bad else batch

    monkeypatch.setattr(glotmill_example.TallyLetter, "annotate", annotate)
    adds = [pa.field("num_e", pa.int32()), pa.field("text", pa.string())]
    monkeypatch.setattr(glotmill_example.TallyLetter, "adds", adds)
    lines = [ENGLISH, f"{ENGLISH} bad", f"{ENGLISH} {ENGLISH}"]
    if category == "bitext":
        content = jsonl(*({"en": line, "fr": FRENCH} for line in lines))
        sides = [{"text": "en", "code": "en"}, {"text": "fr", "code": "fr"}]
        source = {"category": "bitext", "format": "jsonl", "pairs": {"sides": sides}}
        files = {"a.jsonl": content}
    else:
        source, files = LINES, {"a.txt": "\n".join(lines)}
    done = Ingested(tmp_path, files, source, stages=[{"name": "example_tally"}])
    rejected = [row["detail"] for row in done.rows("rejected")]
    assert rejected == ([f"stage 'tally': StageFaultError: {detail}"] if detail else [])
    assert done.record.num_read == 3


def with_text(batch, text):
    texts = [text if "bad" in each else each for each in batch["text"].to_pylist()]
    field = pa.field("text", pa.string())
    return batch.set_column(
        batch.schema.get_field_index("text"), field, pa.array(texts, pa.string())
    )


@pytest.mark.parametrize("kind", ["stage", "filter"])
def test_a_text_that_makes_a_stage_fail_is_rejected_alone(ingest, installed, kind):
    lines = [f"{ENGLISH} {n}" for n in range(2_500)]
    lines[7] += " boom"
    lines[2_100] += " boom"
    if kind == "stage":
        options = {"stages": [{"name": "example_tally", "options": {"fail_on": "boom"}}]}
        detail = "stage 'tally': ValueError: found boom"
    else:
        refuse = {"name": "example_refuse", "options": {"word": "zz", "fail_on": "boom"}}
        options = {"filters": {"custom": [refuse]}}
        detail = "stage 'example_refuse': KeyError: 'boom'"
    content = "\n".join(lines)
    done = ingest({"a.txt": content}, LINES, **options)
    assert (done.record.num_kept, done.record.num_rejected) == (2_498, 2)
    assert [row["text"] for row in done.rows("documents")] == [
        line for line in lines if "boom" not in line
    ]
    assert done.rows("rejected") == [
        {"source": "s", "path": "a.txt", "offset": content.index(lines[n]), "detail": detail,
         "reason": "stage_failed", "excerpt": lines[n]}
        for n in (7, 2_100)
    ]  # fmt: skip


def test_stages_are_checked_before_anything_is_read(tmp_path, installed, monkeypatch):
    import glotmill_example

    source = {"name": "s", "path": "-", "language": {"code": "en"}}
    base = {"glotmill": 1, "name": "a", "sources": [source]}
    monkeypatch.setattr(glotmill_example.TallyLetter, "reads", ("label",))
    with pytest.raises(
        StageOrderError, match="stage 'tally' reads label, which no stage before it"
    ):
        UnitIngester(Recipe.model_validate({**base, "stages": [{"name": "example_tally"}]}), "x")
    with pytest.raises(CustomStageError, match="no stage 'nothing' is installed"):
        UnitIngester(Recipe.model_validate({**base, "stages": [{"name": "nothing"}]}), "x")


def test_on_the_engine(ingest, tmp_path):
    done = ingest({"a.txt": f"{ENGLISH}\n{FRENCH}\nshort\n"}, LINES)
    root = str(tmp_path / "other")
    units = [
        done.unit.model_dump_json(),
        done.unit.model_copy(update={"key": "v"}).model_dump_json(),
    ]
    with beam.Pipeline(runner=FnApiRunner()) as pipeline:
        _ = pipeline | beam.Create(units, reshuffle=False) | IngestUnits(done.recipe, root)
    for key in ("u", "v"):
        found = UnitRecord.model_validate_json(Path(root, f"ingest/units/{key}.json").read_bytes())
        assert [(e.num_rows, e.sha256) for e in found.files] == [
            (e.num_rows, e.sha256) for e in done.record.files
        ]


def test_steps_add_up_to_the_time_of_the_unit(tmp_path):
    lines = (json.dumps({"text": f"{ENGLISH} {i}"}) for i in range(2_000))
    start = time.thread_time()
    ingested = Ingested(
        tmp_path, {"a.jsonl": "\n".join(lines)}, {"format": "jsonl", "language": {"code": "eng"}}
    )
    elapsed = time.thread_time() - start
    steps = ingested.record.profile
    assert {"read", "normalise", "measure", "write", "sketches"} <= set(steps)
    assert 0 < sum(steps.values()) < elapsed
    assert all(seconds >= 0 for seconds in steps.values())
