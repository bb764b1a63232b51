"""Documents and pairs that hold text of evaluation sets are dropped, with the set in the reason."""

import gzip
import io
import json
import random
from collections import Counter
from pathlib import Path

import pytest
import yaml
import zstandard

from glotmill.pipelines.errors import UserError
from glotmill.pipelines.run import check_evaluation_sets
from glotmill.pipelines.units import find_inputs, lock_recipe
from glotmill.schemas.loading import load_recipe
from glotmill.schemas.tables import DOCUMENTS
from glotmill.transforms import storage
from glotmill.transforms.ingest import UnitIngester, documents_schema
from glotmill.transforms.tables import read_table

SENTENCE = "Everyone has the right to freedom of thought conscience and religion, and to change it."
GERMAN = (
    "Jeder hat das Recht auf Gedankenfreiheit, Gewissensfreiheit und Religionsfreiheit sowie {}."
)
CLEAN = "The committee will publish its yearly report number {} on the first Monday in October."
CODE = (
    "def area(width, height):\n    if width < 0:\n        raise ValueError(width)\n    return {}\n"
)


def lock(tmp_path, sources, decontaminate, **options):
    path = tmp_path / "recipe.yaml"
    recipe = {"glotmill": 1, "name": "a", "sources": sources, "identify": {"enabled": False}}
    if decontaminate is not None:
        recipe["decontaminate"] = decontaminate
    path.write_text(yaml.safe_dump({**recipe, **options}), encoding="utf-8")
    loaded = load_recipe(path)
    check_evaluation_sets(loaded)
    return lock_recipe(loaded, find_inputs(loaded), lambda file: storage.checksum(file.path))


def ingest(tmp_path, sources, decontaminate, **options):
    """Texts that are kept, and texts with their reasons that are dropped."""
    locked = lock(tmp_path, sources, decontaminate, **options)
    root = str(tmp_path / "out")
    ingester = UnitIngester(locked.recipe, root)
    ingester.setup()
    kept, dropped = [], []
    for unit in locked.units:
        record = ingester.ingest(unit)
        if entry := record.file("documents"):
            table = read_table(f"{root}/{entry.path}")
            assert table.schema == documents_schema(
                locked.recipe, next(s for s in locked.recipe.sources if s.name == unit.source)
            )
            kept += table.column("text").to_pylist()
        if entry := record.file("dropped"):
            rows = read_table(f"{root}/{entry.path}").to_pylist()
            dropped += [(row["text"], row["drop_reason"]) for row in rows]
    return kept, dropped


def write(path, lines):
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")


@pytest.fixture
def sets(tmp_path):
    write(tmp_path / "rights.txt", [SENTENCE, GERMAN.format("Freiheit")])
    (tmp_path / "code.jsonl").write_text(json.dumps({"prompt": CODE.format("width * height")}))
    return {
        "sets": [
            {"name": "rights", "path": "rights.txt"},
            {"name": "code", "path": "code.jsonl", "text": ["prompt"], "segments": "records"},
        ]
    }


def test_documents(tmp_path, sets):
    clean = [CLEAN.format(number) for number in range(3)]
    planted = [SENTENCE, f"{clean[0]} {SENTENCE.upper()} {clean[1]}"]
    write(tmp_path / "a.txt", [*clean, *planted])
    source = {"name": "a", "path": "a.txt", "language": {"code": "en"}}
    kept, dropped = ingest(tmp_path, [source], sets)
    assert kept == clean
    assert dropped == [(text, "contaminated_rights") for text in planted]


def test_source_code(tmp_path, sets):
    good = "def volume(a, b, c):\n    return a * b * c\n"
    rows = [{"text": CODE.format("width * height")}, {"text": good}]
    write(tmp_path / "a.jsonl", map(json.dumps, rows))
    source = {"name": "a", "path": "a.jsonl", "category": "code", "language": {"code": "en"}}
    kept, dropped = ingest(tmp_path, [source], sets)
    assert kept == [good]
    assert [reason for _, reason in dropped] == ["contaminated_code"]


@pytest.mark.parametrize("side", [0, 1])
def test_either_side_of_a_pair(tmp_path, sets, side):
    pairs = [[CLEAN.format(n), GERMAN.format(f"Punkt {n}")] for n in range(4)]
    pairs[2][side] = (SENTENCE, GERMAN.format("Freiheit"))[side]
    pairs = [[pair[0], pair[1].replace("Jeder hat", f"Alle {n} haben")] for n, pair in
             enumerate(pairs)] if side == 0 else pairs  # fmt: skip
    write(tmp_path / "a.tsv", ["en\tde", *("\t".join(pair) for pair in pairs)])
    source = {
        "name": "a",
        "path": "a.tsv",
        "category": "bitext",
        "pairs": {"sides": [{"text": "en", "code": "en"}, {"text": "de", "code": "de"}]},
    }
    options = {"filters": {"pairs": {"min_shared_numbers": 0}}}
    kept, dropped = ingest(tmp_path, [source], {**sets, "ngram": 9}, **options)
    expected = ["\n".join(pairs[2])]
    if side == 1:  # the other sentences share nine words with the planted one
        expected = ["\n".join(pair) for pair in pairs]
    assert [text for text, reason in dropped if reason == "contaminated_rights"] == expected
    assert len(kept) + len(dropped) == 4


def test_it_comes_before_the_filters(tmp_path, sets):
    write(tmp_path / "a.txt", [SENTENCE])
    source = {"name": "a", "path": "a.txt", "language": {"code": "en"}}
    filters = {"filters": {"min_characters": 1_000}}
    assert ingest(tmp_path, [source], sets, **filters)[1][0][1] == "contaminated_rights"


def test_keys_follow_the_text_and_the_options_and_nothing_else(tmp_path, sets):
    write(tmp_path / "a.txt", [SENTENCE])
    source = {"name": "a", "path": "a.txt", "language": {"code": "en"}}

    def key(decontaminate):
        (unit,) = lock(tmp_path, [source], decontaminate).units
        return unit.key

    first = key(sets)
    assert key(None) not in (first, key({**sets, "min_words": 9}))
    assert key({**sets, "min_words": 9}) != first
    assert key({**sets, "sets": sets["sets"][:1]}) != first
    (tmp_path / "moved.txt").write_bytes((tmp_path / "rights.txt").read_bytes())
    moved = [{**sets["sets"][0], "path": "moved.txt"}, sets["sets"][1]]
    assert key({"sets": moved}) == first
    write(tmp_path / "rights.txt", [SENTENCE, CLEAN])
    assert key(sets) != first


def test_without_evaluation_sets_nothing_is_added(tmp_path):
    write(tmp_path / "a.txt", [SENTENCE])
    source = {"name": "a", "path": "a.txt", "language": {"code": "en"}}
    assert documents_schema(lock(tmp_path, [source], None).recipe) == DOCUMENTS


def test_a_set_without_files_is_an_error_at_its_line(tmp_path, sets):
    (tmp_path / "code.jsonl").unlink()
    (tmp_path / "rights.txt").rename(tmp_path / "right.txt")
    source = {"name": "a", "path": "a.txt", "language": {"code": "en"}}
    with pytest.raises(UserError) as error:
        lock(tmp_path, [source], sets)
    where, _, message = str(error.value).partition(": ")
    assert (
        Path(tmp_path / "recipe.yaml")
        .read_text()
        .splitlines()[int(where.rpartition(":")[2]) - 1]
        .endswith("path: rights.txt")
    )
    assert message.startswith("evaluation set 'rights': no file matches")
    assert "right.txt" in message


# The larger data set: benchmarks that are planted into text that does not hold them.


def lines_of(path):
    with zstandard.open(path, "rb") as stream:
        return io.TextIOWrapper(stream, "utf-8").read().splitlines()


def benchmarks(folder):
    return {
        "sets": [
            {
                "name": "ntrex",
                "path": f"{folder}/mono/ntrex_docs.jsonl.zst",
                "text": "sentences[]",
            },
            {"name": "mgsm", "path": f"{folder}/instruct/mgsm_*.tsv", "text": ["1", "2"]},
            {"name": "tatoeba", "path": f"{folder}/mono/tatoeba_labelled.tsv.zst"},
        ]
    }


def sentences_of(folder):
    """Sentences of the benchmarks, about as many of each."""
    ntrex = [
        sentence
        for line in lines_of(folder / "mono/ntrex_docs.jsonl.zst")
        for sentence in json.loads(line)["sentences"]
    ]
    mgsm = [
        line.split("\t")[0]
        for path in sorted((folder / "instruct").glob("mgsm_*.tsv"))
        for line in path.read_text(encoding="utf-8").splitlines()
    ]
    tatoeba = [
        line.split("\t")[3] for line in lines_of(folder / "mono/tatoeba_labelled.tsv.zst")[1:]
    ]
    drawn = random.Random(3)
    return {
        "ntrex": drawn.sample(ntrex, 2_000),
        "mgsm": mgsm,
        "tatoeba": drawn.sample(tatoeba, 2_000),
    }


def is_long(text):
    """Enough to be found inside a text: words, or letters where few spaces are between them."""
    num_words, letters = len(text.split()), sum(map(str.isalpha, text))
    return num_words >= 10 or (letters >= 60 and letters > 25 * num_words)


@pytest.mark.data
def test_planted_benchmarks_are_found(tmp_path, data_folder):
    seed = {
        path.name[:8]: lines_of(path) for path in (data_folder / "mono/oldi_seed").glob("*.zst")
    }
    clean = [
        "\n".join(lines[start : start + 10])
        for lines in seed.values()
        for start in range(0, len(lines), 30)
    ]
    drawn = random.Random(5)
    planted = [
        (name, f"{drawn.choice(clean)}\n{text} {drawn.choice(clean)[:200]}")
        for name, texts in sentences_of(data_folder).items()
        for text in texts
        if is_long(text)
    ]
    rows = [{"id": "clean", "text": text} for text in clean]
    rows += [{"id": name, "text": text} for name, text in planted]
    with gzip.open(tmp_path / "a.jsonl.gz", "wt", encoding="utf-8") as stream:
        stream.writelines(f"{json.dumps(row)}\n" for row in rows)
    source = {"name": "a", "path": "a.jsonl.gz", "language": {"code": "und"}, "id": "id"}
    locked = lock(tmp_path, [source], benchmarks(data_folder))
    root = str(tmp_path / "out")
    ingester = UnitIngester(locked.recipe, root)
    ingester.setup()
    found: Counter[tuple[str, str]] = Counter()
    for unit in locked.units:
        record = ingester.ingest(unit)
        for table in ("documents", "dropped"):
            if entry := record.file(table):
                rows = read_table(f"{root}/{entry.path}")
                ids = rows.column("external_id").to_pylist()
                reasons = (
                    rows.column("drop_reason").to_pylist()
                    if table == "dropped"
                    else [""] * rows.num_rows
                )
                found.update(
                    (name, reason.startswith("contaminated_"))
                    for name, reason in zip(ids, reasons, strict=True)
                )
    assert len(clean) > 8_000
    assert len(planted) > 3_000
    assert found == {("clean", False): len(clean)} | {
        (name, True): count for name, count in Counter(name for name, _ in planted).items()
    }


@pytest.mark.data
def test_one_side_of_benchmark_pairs_is_enough(tmp_path, data_folder):
    moses = f"{data_folder}/bitext/moses/*-eng"
    english = {"sets": [{"name": "e", "path": f"{moses}/*.eng.gz", "format": "text"}]}
    source = {
        "name": "a",
        "path": f"{moses}/*.gz",
        "format": "moses",
        "category": "bitext",
        "pairs": {"line_codes": "{stem}.labels.tsv.gz"},
    }
    kept, dropped = ingest(tmp_path, [source], {**english, "min_words_alone": 1})
    assert kept == []
    assert len(dropped) > 5_000
    reasons = Counter(reason for _, reason in dropped)
    assert reasons["contaminated_e"] == len(dropped), reasons


@pytest.mark.data
def test_japanese_lines_are_found_and_nothing_else(tmp_path, data_folder):
    tatoeba = [line.split("\t") for line in lines_of(data_folder / "mono/tatoeba_labelled.tsv.zst")]
    clean = list(dict.fromkeys(row[3] for row in tatoeba if row[1:3] == ["jpn", "Jpan"]))
    documents = ["\n".join(clean[start : start + 12]) for start in range(0, len(clean), 12)]
    ntrex = map(json.loads, lines_of(data_folder / "mono/ntrex_docs.jsonl.zst"))
    lines = [line for each in ntrex if each["lang"] == "jpn" for line in each["sentences"]]
    planted = [
        f"{documents[n % len(documents)]}\n{line}\n{clean[n]}"
        for n, line in enumerate(lines)
        if len(line) >= 35
    ]
    write(tmp_path / "a.jsonl", (json.dumps({"text": text}) for text in documents + planted))
    source = {"name": "a", "path": "a.jsonl", "language": {"code": "ja"}}
    sets = {"sets": benchmarks(data_folder)["sets"][:2]}
    _, dropped = ingest(tmp_path, [source], sets)
    assert len(documents) > 500
    assert len(planted) > 1_000
    assert [text for text, reason in dropped if reason == "contaminated_ntrex"] == planted
    assert not [reason for _, reason in dropped if reason == "contaminated_mgsm"]
