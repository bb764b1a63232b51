"""Parallel files of every format become documents of pairs, and nothing is lost on the way."""

import json
from collections import Counter
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml

from glotmill.pipelines.units import check_inputs, find_inputs, lock_recipe
from glotmill.schemas.loading import load_recipe
from glotmill.schemas.tables import DOCUMENTS, PAIRS
from glotmill.transforms.ingest import UnitIngester
from glotmill.transforms.pair_ingest import PairIngester
from glotmill.transforms.readers.bitext import UNITS
from glotmill.transforms.tables import read_table

ENGLISH = "Everyone has the right to freedom of thought, article {}."
GERMAN = "Jeder hat das Recht auf Gedankenfreiheit, Artikel {}."
FRENCH = "Toute personne a droit à la liberté de pensée, article {}."
PAIR = [("en", ENGLISH), ("de", GERMAN)]


class Ingested:
    """What the units of a recipe gave."""

    def __init__(self, recipe, root):
        loaded = load_recipe(recipe)
        found = find_inputs(loaded)
        check_inputs(loaded, found)
        self.lock = lock_recipe(loaded, found, lambda file: str(file.size))
        ingester = UnitIngester(self.lock.recipe, root)
        ingester.setup()
        self.records = [ingester.ingest(unit) for unit in self.lock.units]
        self.tables = {
            name: [
                row
                for record in self.records
                if (entry := record.file(name)) is not None
                for row in read_table(f"{root}/{entry.path}").to_pylist()
            ]
            for name in ("documents", "dropped", "rejected")
        }
        self.root = root
        assert sum(record.num_read for record in self.records) == sum(
            map(len, self.tables.values())
        )

    @property
    def kept(self):
        return self.tables["documents"]

    @property
    def texts(self):
        return [tuple(row["text"].split("\n")) for row in self.kept]

    @property
    def rejects(self):
        return Counter(row["reason"] for row in self.tables["rejected"])

    @property
    def drops(self):
        return Counter(row["drop_reason"] for row in self.tables["dropped"])


@pytest.fixture
def ingest(tmp_path):
    def run(source, **options):
        path = tmp_path / "recipe.yaml"
        source = {"name": "s", "category": "bitext", **source}
        options = {"identify": {"enabled": False}, **options}
        path.write_text(
            yaml.safe_dump({"glotmill": 1, "name": "a", "sources": [source], **options}),
            encoding="utf-8",
        )
        return Ingested(path, str(tmp_path / "out"))

    return run


def rows(count, *sides):
    return [[(code, text.format(n)) for code, text in sides or PAIR] for n in range(1, count + 1)]


def tmx(units):
    tuvs = (
        "".join(f'<tuv xml:lang="{code}"><seg>{text}</seg></tuv>' for code, text in unit)
        for unit in units
    )
    body = "".join(f'<tu tuid="{n}">{each}</tu>\n' for n, each in enumerate(tuvs))
    return f'<?xml version="1.0"?>\n<tmx version="1.4"><header/><body>\n{body}</body></tmx>\n'


def lines(units, side):
    return "".join(f"{unit[side][1]}\n" for unit in units)


def po(units):
    entries = "".join(f'msgid "{a[1]}"\nmsgstr "{b[1]}"\n\n' for a, b in units)
    return f'msgid ""\nmsgstr ""\n"Language: de\\n"\n\n{entries}'


def xliff(units):
    body = "".join(
        f'<trans-unit id="{n}"><source>{a[1]}</source><target>{b[1]}</target></trans-unit>\n'
        for n, (a, b) in enumerate(units)
    )
    return (
        '<?xml version="1.0"?><xliff version="1.2"><file source-language="en" '
        f'target-language="de" original="a"><body>{body}</body></file></xliff>'
    )


def xces(units):
    links = "".join(f'<link id="l{n}" xtargets="{n};{n}"/>' for n in range(len(units)))
    return (
        '<?xml version="1.0"?><cesAlign version="1.0"><linkGrp targType="s" '
        f'fromDoc="en/a.xml" toDoc="de/a.xml">{links}</linkGrp></cesAlign>'
    )


def document(units, side):
    body = "".join(f'<s id="{n}">{unit[side][1]}</s>' for n, unit in enumerate(units))
    return f"<text>{body}</text>"


SIDES = [{"text": "1", "code": "en"}, {"text": "2", "code": "de"}]
EMMA = ("src_lang", "src_text", "tgt_lang", "tgt_text")


def emma(unit):
    return dict(zip(EMMA, (unit[0][0], unit[0][1], unit[1][0], unit[1][1]), strict=True))


FORMATS = {
    "tmx": ({"path": "a.tmx"}, {"a.tmx": tmx}),
    "moses": (
        {"path": "a.??", "format": "moses"},
        {"a.en": lambda u: lines(u, 0), "a.de": lambda u: lines(u, 1)},
    ),
    "tsv": (
        {"path": "a.tsv", "pairs": {"sides": SIDES}},
        {"a.tsv": lambda u: "".join(f"{a[1]}\t{b[1]}\n" for a, b in u)},
    ),
    "csv": (
        {
            "path": "a_de.csv",
            "pairs": {"sides": [SIDES[0], {"text": "2", "code_path": r"_(..)\."}]},
        },
        {"a_de.csv": lambda u: "".join(f'"{a[1]}","{b[1]}"\n' for a, b in u)},
    ),
    "jsonl": (
        {"path": "a.jsonl"},
        {"a.jsonl": lambda u: "".join(json.dumps(emma(unit)) + "\n" for unit in u)},
    ),
    "translation": (
        {"path": "a.jsonl", "pairs": {"translation": "translation"}},
        {
            "a.jsonl": lambda u: "".join(
                json.dumps({"translation": {a[0]: a[1], b[0]: b[1]}}) + "\n" for a, b in u
            )
        },
    ),
    "xces": (
        {
            "path": "a.xml",
            "format": "xces",
            "pairs": {"documents": ["docs"], "codes": ["en", "de"]},
        },
        {
            "a.xml": xces,
            "docs/en/a.xml": lambda u: document(u, 0),
            "docs/de/a.xml": lambda u: document(u, 1),
        },
    ),
    "po": ({"path": "a.po", "pairs": {"codes": ["en"]}}, {"a.po": po}),
    "xliff": ({"path": "a.xlf"}, {"a.xlf": xliff}),
    "messages": (
        {"path": "*.json", "format": "messages"},
        {
            "en.json": lambda u: json.dumps({str(n): a[1] for n, (a, _) in enumerate(u)}),
            "de.json": lambda u: json.dumps({str(n): b[1] for n, (_, b) in enumerate(u)}),
        },
    ),
}


@pytest.mark.parametrize("name", FORMATS)
def test_all_formats_give_the_same_pairs(ingest, tmp_path, name):
    source, files = FORMATS[name]
    units = rows(5)
    for path, content in files.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(content(units), encoding="utf-8")
    done = ingest(source)
    assert (done.drops, done.rejects) == ({}, {})
    assert {row["label"] for row in done.kept} == {"deu_Latn-eng_Latn"}
    wanted = [tuple(text for _, text in unit) for unit in units]
    assert [tuple(sorted(texts)) for texts in done.texts] == [tuple(sorted(w)) for w in wanted]
    for row in done.kept:
        assert row["source"] == "s"
        assert row["path"] in files
        assert sum(row["segment_bytes"]) + 1 == len(row["text"].encode())


def test_parquet_with_scores_and_documents(ingest, tmp_path):
    units = rows(4)
    table = pa.table(
        {
            "a": [unit[0][1] for unit in units],
            "b": [unit[1][1] for unit in units],
            "laser": [1.1, 1.0, None, 1.2],
            "doc": ["x", "x", "y", "y"],
        }
    )
    pq.write_table(table, tmp_path / "a.parquet")
    pairs = {
        "sides": [{"text": "a", "code": "en"}, {"text": "b", "code": "de"}],
        "scores": {"laser": "laser"},
        "document": "doc",
    }
    done = ingest(
        {"path": "a.parquet", "pairs": pairs},
        filters={"pairs": {"min_scores": {"laser": 1.05}}},
    )
    assert done.drops == {"low_score": 1}
    assert [row["document"] for row in done.kept] == ["x", "y", "y"]
    assert [dict(row["scores"]).keys() for row in done.kept] == [{"laser"}, set(), {"laser"}]


def test_the_schema_of_the_files(ingest, tmp_path):
    (tmp_path / "a.tmx").write_text(tmx(rows(2)))
    done = ingest({"path": "a.tmx"})
    path = Path(done.root, done.records[0].file("documents").path)
    assert pq.read_schema(path) == pa.schema([*DOCUMENTS, *PAIRS])


def test_units_of_many_languages(ingest, tmp_path):
    sides = [*PAIR, ("fr", FRENCH)]
    (tmp_path / "a.tmx").write_text(tmx(rows(3, *sides)))
    done = ingest({"path": "a.tmx"})
    assert len(done.kept) == 9
    assert [row["external_id"] for row in done.kept] == [n for n in "012" for _ in range(3)]
    done = ingest({"path": "a.tmx", "pairs": {"pairing": "pivot", "pivot": "fr"}})
    assert {row["label"] for row in done.kept} == {"deu_Latn-fra_Latn", "eng_Latn-fra_Latn"}
    done = ingest({"path": "a.tmx", "pairs": {"pairing": "multiway"}})
    assert {row["label"] for row in done.kept} == {"deu_Latn-eng_Latn-fra_Latn"}
    done = ingest({"path": "a.tmx", "pairs": {"max_pairs_per_unit": 2}})
    assert (done.kept, done.rejects) == ([], {"too_many_pairs": 3})
    assert "choose 'pairing: pivot'" in done.tables["rejected"][0]["detail"]


def test_slices_give_what_the_whole_gives(ingest, tmp_path):
    units = rows(200)
    for code, side in (("en", 0), ("de", 1)):
        (tmp_path / f"a.{code}").write_text(lines(units, side), encoding="utf-8")
    (tmp_path / "b.tmx").write_text(tmx(units))
    for source in ({"path": "a.??", "format": "moses"}, {"path": "b.tmx"}):
        whole = ingest(source)
        cut = ingest(source, ingest={"unit_bytes": 4096})
        assert len(cut.records) > 3
        assert cut.kept == whole.kept


def test_sides_are_repaired_like_any_text(ingest, tmp_path):
    (tmp_path / "a.tsv").write_text(
        "Everyone has  the right\u00a0to it.\tJeder hat ein Recht auf FreizÃ¼gigkeit.\n",
        encoding="utf-8",
    )
    done = ingest({"path": "a.tsv", "pairs": {"sides": SIDES}})
    assert done.texts == [
        ("Everyone has the right to it.", "Jeder hat ein Recht auf Freizügigkeit.")
    ]
    assert done.kept[0]["changes"] == 1 | 8


def test_near_duplicates_get_their_columns(ingest, tmp_path):
    (tmp_path / "a.tmx").write_text(tmx(rows(3)))
    done = ingest({"path": "a.tmx"}, deduplicate={"near": {"ngram": 2}})
    assert len(done.kept[0]["sketch"]) == 100
    assert done.kept[0]["num_shingles"] > 4


BAD = {
    "truncated.tmx": (tmx(rows(3))[:-60].encode(), 2, "truncated_file"),
    "unclosed.tmx": (tmx(rows(3)).replace("</seg>", "", 1).encode(), 2, None),
    "encoding.tmx": (
        tmx(rows(3)).replace('1.0"?', '1.0" encoding="UTF-8"?').encode() + b"\xff",
        3,
        None,
    ),
    "one_side.tmx": (tmx([*rows(2), [("en", "Alone.")]]).encode(), 2, "missing_side"),
    "bomb.tmx": (
        b'<?xml version="1.0"?><!DOCTYPE tmx [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;">]>'
        b'<tmx version="1.4"><header/><body><tu><tuv xml:lang="en"><seg>&b;</seg></tuv>'
        b'<tuv xml:lang="de"><seg>x</seg></tuv></tu></body></tmx>',
        0,
        "undefined_entity",
    ),
    "long.tmx": (
        tmx([*rows(2), [("en", "a " * 1_000_000), ("de", "b")]]).encode(),
        2,
        "record_too_long",
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_malformed_files_end_in_rejects(ingest, tmp_path, name):
    content, num_kept, reason = BAD[name]
    (tmp_path / "good.tmx").write_text(tmx(rows(1)))
    (tmp_path / name).write_bytes(content)
    done = ingest({"path": "*.tmx"}, ingest={"max_record_bytes": 100_000})
    of_file = [row for row in done.kept if row["path"] == name]
    assert len(of_file) == num_kept
    rejects = [row for row in done.tables["rejected"] if row["path"] == name]
    assert reason is None or [row["reason"] for row in rejects] == [reason]
    assert all(row["detail"] for row in rejects)


LINKS = (
    '<cesAlign><linkGrp fromDoc="en/a.xml" toDoc="de/a.xml"><link xtargets="1;1"/></linkGrp>'
    '<linkGrp fromDoc="en/b.xml" toDoc="de/b.xml"><link xtargets="1;1"/></linkGrp></cesAlign>'
)
SENTENCE = "<text><s id='1'>A sentence of some words.</s></text>"
NAMED_SIDES = [{"text": "e", "code": "en"}, {"text": "d", "code": "de"}]


@pytest.mark.parametrize(
    ("files", "source", "details"),
    [
        (
            {"c/a.en": b"Good day\n\xff\n", "c/a.de": b"Guten Tag\nJa\n"},
            {"path": "c/a.*", "format": "moses"},
            ["c/a.en: invalid start byte 0xff at byte 0 of the record"],
        ),
        (
            {"en.json": b'{"a": "one", "b": 2, "c": "x"}', "de.json": b'{"a": "eins", "b": "c"}'},
            {"path": "*.json", "format": "messages"},
            ["en.json: 'b' is no string", "1 of at least 2 segments: en"],
        ),
        (
            {"a.tsv": b"e\td\nGood day\tGuten Tag\n", "b.tsv": b"e\tf\n1\t2\n"},
            {"path": "*.tsv", "pairs": {"sides": NAMED_SIDES}},
            ["b.tsv has no column 'd'; it has 'e', 'f'"],
        ),
        (
            {"a.xml": LINKS.encode(), "docs/en/a.xml": SENTENCE, "docs/de/a.xml": SENTENCE},
            {"path": "a.xml", "format": "xces", "pairs": {"documents": ["docs/", "more"]}},
            ["'en/b.xml' is not in docs, more"],
        ),
    ],
)
def test_paths_in_details_are_relative_to_the_recipe(tmp_path, files, source, details):
    corpora = tmp_path / "here", tmp_path / "elsewhere" / "and deeper"
    recipe = {"name": "s", "category": "bitext", **source}
    options = {"glotmill": 1, "name": "a", "identify": {"enabled": False}}
    found = []
    for folder in corpora:
        for name, content in files.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(content if isinstance(content, bytes) else content.encode())
        (folder / "more").mkdir()
        (folder / "recipe.yaml").write_text(yaml.safe_dump({**options, "sources": [recipe]}))
        done = Ingested(folder / "recipe.yaml", str(folder / "out"))
        found.append([row["detail"] for row in done.tables["rejected"]])
    assert found == [details] * 2


def test_a_segment_of_a_million_characters_is_dropped(ingest, tmp_path):
    (tmp_path / "a.tmx").write_text(tmx([*rows(1), [("en", "word " * 200_000), ("de", "Wort")]]))
    done = ingest({"path": "a.tmx"})
    assert (len(done.kept), done.drops) == (1, {"side_too_long": 1})


def test_misaligned_files_end_the_run_with_exit_code_2(glotmill, tmp_path):
    (tmp_path / "a.en").write_text("one\ntwo\n")
    (tmp_path / "a.de").write_text("eins\n")
    (tmp_path / "recipe.yaml").write_text(
        "glotmill: 1\nname: a\nsources:\n"
        "  - {name: s, category: bitext, path: 'a.??', format: moses}\n"
    )
    done = glotmill("run", "recipe.yaml")
    assert done.returncode == 2
    assert "a.de has 1, " in done.stderr
    assert "a.en has 2 lines" in done.stderr
    assert "Traceback" not in done.stderr


class BoomError(Exception):
    pass


class Gathered:
    def __init__(self):
        self.rows, self.rejects, self.sketches = [], [], {}

    def timed(self, step, work):
        return work()

    def write(self, batch):
        self.rows += batch.to_pylist()

    def reject(self, name, rejects):
        self.rejects += rejects


def test_a_unit_that_makes_a_stage_fail_is_rejected_alone(ingest, tmp_path):
    units = rows(7)
    units[4][1] = ("de", "boom")
    (tmp_path / "a.tmx").write_text(tmx(units))
    done = ingest({"path": "a.tmx"})

    def run_stage(stage, batch):
        if stage.name == "measure" and "boom" in batch.column("text").to_pylist():
            raise BoomError("no")
        return stage.annotate(batch)

    recipe = done.lock.recipe
    ingester = PairIngester(recipe, recipe.sources[0], run_stage)
    ingester.setup()
    gathered = Gathered()
    ingester.ingest(gathered, done.lock.units[0].slices[0])
    assert len(gathered.rows) == 6
    (reject,) = gathered.rejects
    assert reject.reason == "stage_failed"
    assert reject.detail == "stage 'measure': BoomError: no"
    assert reject.offset > 0


def test_the_units_of_readers_have_the_schema_that_is_paired():
    assert UNITS.names[:2] == ["segments", "offset"]
