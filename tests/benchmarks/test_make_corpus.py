"""The maker of benchmark corpora: same documents whatever the size, and the promised shares."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
import subprocess
import sys
import unicodedata
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "make_corpus.py"
DOCUMENTS = 6_000
DIGEST = "a9163503b51c2ce124d72de4236903568bf46f5f3b4c5570ca3f4eb943ed0c5f"


def load_script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("glotmill_make_corpus", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


make_corpus = load_script()


@cache
def maker() -> Any:
    return make_corpus.maker_for(make_corpus.Options(21, None, 200))


@cache
def documents() -> list[tuple[str, str, str]]:
    made = (maker().document(index) for index in range(DOCUMENTS))
    return [(pool.label, text, kind) for pool, text, kind in made]


def run(out_dir: Path, *arguments: str) -> dict[str, Any]:
    assert make_corpus.main([str(out_dir), "--data", "", "--workers", "1", *arguments]) == 0
    return json.loads((out_dir / "corpus.json").read_text(encoding="utf-8"))


def rows_in(out_dir: Path) -> list[dict[str, str]]:
    rows = []
    for path in sorted(out_dir.glob("part-*")):
        content = path.read_bytes()
        if path.suffix == ".zst":
            content = zstandard.ZstdDecompressor().decompressobj().decompress(content)
        rows.extend(orjson.loads(line) for line in content.split(b"\n")[:-1])
    return rows


@pytest.fixture
def small_shards(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(make_corpus, "DOCUMENTS_PER_SHARD", 100)


@pytest.mark.usefixtures("small_shards")
def test_shards_hold_every_document_in_order(tmp_path: Path) -> None:
    corpus = run(tmp_path / "out", "--documents", "250")
    assert [shard["documents"] for shard in corpus["shards"]] == [100, 100, 50]
    rows = rows_in(tmp_path / "out")
    assert [row["id"] for row in rows] == [f"doc-{index:010d}" for index in range(250)]
    assert all(tuple(row) == ("id", "lang", "text") and row["text"] for row in rows)
    assert not list((tmp_path / "out").glob("*.unfinished"))


@pytest.mark.usefixtures("small_shards")
def test_same_seed_gives_the_same_bytes_and_another_does_not(tmp_path: Path) -> None:
    one = run(tmp_path / "one", "--documents", "120")
    two = run(tmp_path / "two", "--documents", "120")
    other = run(tmp_path / "other", "--documents", "120", "--seed", "22")
    assert one == two
    digests = [[shard["sha256"] for shard in corpus["shards"]] for corpus in (one, other)]
    assert not set(digests[0]) & set(digests[1])


@pytest.mark.usefixtures("small_shards")
def test_a_larger_corpus_begins_with_the_smaller_one(tmp_path: Path) -> None:
    run(tmp_path / "small", "--documents", "130")
    run(tmp_path / "large", "--documents", "260")
    assert rows_in(tmp_path / "large")[:130] == rows_in(tmp_path / "small")


@pytest.mark.usefixtures("small_shards")
def test_plain_and_packed_shards_hold_the_same_rows(tmp_path: Path) -> None:
    packed = run(tmp_path / "packed", "--documents", "110")
    plain = run(tmp_path / "plain", "--documents", "110", "--plain")
    assert rows_in(tmp_path / "plain") == rows_in(tmp_path / "packed")
    assert plain["json_bytes"] == plain["file_bytes"] == packed["json_bytes"]
    assert packed["file_bytes"] < packed["json_bytes"]


@pytest.mark.usefixtures("small_shards")
def test_corpus_json_describes_the_files(tmp_path: Path) -> None:
    corpus = run(tmp_path / "out", "--documents", "220")
    rows = rows_in(tmp_path / "out")
    assert corpus["text_bytes"] == sum(len(row["text"].encode()) for row in rows)
    assert corpus["seed"] == 21
    assert sum(corpus["kinds"].values()) == 220
    for label, entry in corpus["labels"].items():
        assert entry["documents"] == sum(row["lang"] == label for row in rows)
        assert entry["share"] == pytest.approx(entry["documents"] / 220, abs=1e-6)
    for shard in corpus["shards"]:
        content = (tmp_path / "out" / shard["name"]).read_bytes()
        assert shard["file_bytes"] == len(content)
        assert shard["sha256"] == hashlib.sha256(content).hexdigest()


@pytest.mark.slow
def test_number_of_processes_does_not_matter(tmp_path: Path) -> None:
    corpora = []
    for workers in ("1", "2"):
        out_dir = tmp_path / workers
        arguments = [out_dir, "--documents", "20500", "--workers", workers, "--data", ""]
        environment = {key: value for key, value in os.environ.items() if key != "GLOTMILL_DATA"}
        command = [sys.executable, str(SCRIPT), *map(str, arguments)]
        subprocess.run(command, check=True, env=environment, capture_output=True)
        corpora.append(json.loads((out_dir / "corpus.json").read_text(encoding="utf-8")))
    assert corpora[0] == corpora[1]
    assert len(corpora[0]["shards"]) == 2


def test_mean_size_is_near_1600_bytes_and_sizes_vary() -> None:
    sizes = sorted(len(text.encode()) for _, text, _ in documents())
    assert 1_450 < sum(sizes) / len(sizes) < 1_800
    assert sizes[len(sizes) // 10] < 600
    assert sizes[len(sizes) * 9 // 10] > 3_000


def test_kinds_have_their_shares() -> None:
    for kind, share in make_corpus.SHARES.items():
        found = sum(document_kind == kind for *_, document_kind in documents()) / DOCUMENTS
        assert found == pytest.approx(share, rel=0.25)


def test_labels_follow_a_zipf_law_over_many_scripts() -> None:
    labels = [label for label, *_ in documents()]
    assert len(set(labels)) >= 77
    assert len({label[-4:] for label in labels}) >= 25
    counts = [labels.count(pool.label) for pool in maker().pools]
    total = sum(1 / rank for rank in range(1, len(counts) + 1))
    assert counts[0] / DOCUMENTS == pytest.approx(1 / total, rel=0.15)
    assert counts[0] / counts[9] == pytest.approx(10, rel=0.5)


def test_exact_duplicates_repeat_an_earlier_document_and_near_ones_almost() -> None:
    seen: set[tuple[str, str]] = set()
    near_overlaps = []
    earlier: dict[str, list[set[str]]] = {}
    for label, text, kind in documents():
        words = set(text.split())
        if kind == "exact":
            assert (label, text) in seen
        elif kind == "near" and label == "eng_Latn":
            best = max(len(words & other) / len(words | other) for other in earlier[label])
            near_overlaps.append(best)
        seen.add((label, text))
        earlier.setdefault(label, []).append(words)
    assert len(near_overlaps) > 20
    assert sum(best > 0.8 for best in near_overlaps) > 0.8 * len(near_overlaps)


def test_near_duplicates_differ_from_their_original() -> None:
    texts = {text for _, text, kind in documents() if kind not in {"near", "exact"}}
    near = [text for _, text, kind in documents() if kind == "near"]
    assert sum(text in texts for text in near) < 0.02 * len(near)


def test_noise_changes_the_text_in_four_ways() -> None:
    text = "Who's there, said she & he\nNobody, said the wind"
    changed = [noise(text) for noise in make_corpus.NOISE]
    assert len({text, *changed}) == 5
    entities, mojibake, spaces, crlf = changed
    assert "&amp;" in entities
    assert "&nbsp;" in entities
    assert "â\x80\x9c2021" in mojibake
    assert mojibake.encode("latin-1").decode("utf-8").startswith(text)
    assert "\u00a0" in spaces
    assert "\u200b" in spaces
    assert crlf.count("\r\n") == 2


def test_repetitive_documents_repeat_one_unit() -> None:
    repetitive = [text for _, text, kind in documents() if kind == "repetitive"]
    assert repetitive
    for text in repetitive:
        periods = [(text + separator + text).find(text, 1) for separator in ("\n", " ")]
        assert min(periods) * 4 <= len(text) + 1


def test_readers_of_the_larger_data(tmp_path: Path) -> None:
    def put(name: str, content: str) -> None:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(zstandard.compress(content.encode()))

    put("mono/oldi_seed/vec_Latn.txt.zst", "Prima  frase.\n\nSeconda.\n")
    row = {"lang": "nqo", "script": "Nkoo", "sentences": ["ߒ", "ߞߏ"]}
    put("mono/ntrex_docs.jsonl.zst", json.dumps(row) + "\n")
    header = "source_label\tiso639_3\tscript\ttext\n"
    put("mono/tatoeba_labelled.tsv.zst", header + "x\tcop\tCopt\tⲁⲛⲟⲕ\n")
    bible = pa.table({"verse_id": ["1", "2"], "quc_Latn_NT": [None, "verse"]})
    (tmp_path / "bitext").mkdir()
    pq.write_table(bible, tmp_path / "bitext" / "bible_verses.parquet")
    sentences = make_corpus.read_sentences(str(tmp_path))
    assert sentences["vec_Latn"][-2:] == ["Prima frase.", "Seconda."]
    assert sentences["nqo_Nkoo"] == ["ߒ", "ߞߏ"]
    assert sentences["cop_Copt"] == ["ⲁⲛⲟⲕ"]
    assert sentences["quc_Latn"][-1] == "verse"


def test_labels_without_spaces_join_words_without_them() -> None:
    pool = make_corpus.make_pool("jpn_Jpan", ["すべての人間は、", "生まれながらにして自由で"])
    assert pool.joiner == ""
    assert all(0 < len(word) <= 3 for word in pool.words)
    assert "".join(pool.words) == "".join(pool.sentences)


@pytest.mark.parametrize("text", ["a\u0301b\r\nc", "\u0301ab", "ကျွန်ုပ်\nတို့", "人"])
def test_slices_lose_nothing_and_keep_marks_with_their_base(text: str) -> None:
    pieces = make_corpus.SLICE.findall(text)
    assert "".join(pieces) == text
    assert not any(unicodedata.combining(piece[0]) for piece in pieces[1:])


# The digest pins documents across versions of Python and of the libraries.
def test_documents_do_not_change_unnoticed() -> None:
    digest = hashlib.sha256("\0".join(text for _, text, _ in documents()).encode())
    assert digest.hexdigest() == DIGEST


def test_choose_labels_keeps_every_script() -> None:
    sizes = {"aaa_Latn": 9, "bbb_Latn": 8, "ccc_Thai": 1, "eng_Latn": 2}
    assert make_corpus.choose_labels(sizes, 3) == ["eng_Latn", "aaa_Latn", "ccc_Thai"]


def test_a_folder_with_shards_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run(tmp_path, "--documents", "2")
    assert make_corpus.main([str(tmp_path), "--documents", "2", "--data", ""]) == 2
    assert "holds shards already; name an empty folder" in capsys.readouterr().err


def test_a_data_folder_without_sources_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = [str(tmp_path / "out"), "--documents", "2", "--data", str(tmp_path)]
    assert make_corpus.main(arguments) == 2
    assert "holds none of: mono/oldi_seed" in capsys.readouterr().err


@pytest.mark.parametrize("number", ["0", "-3"])
def test_number_of_documents_must_be_positive(tmp_path: Path, number: str) -> None:
    with pytest.raises(SystemExit) as caught:
        make_corpus.main([str(tmp_path), "--documents", number])
    assert caught.value.code == 2


@pytest.mark.data
def test_larger_data_gives_more_labels_and_scripts() -> None:
    options = make_corpus.Options(21, os.environ["GLOTMILL_DATA"], 200)
    pools = make_corpus.maker_for(options).pools
    assert len(pools) == 200
    assert len({pool.label[-4:] for pool in pools}) > 42
    assert len(pools[0].sentences) > 10_000
