"""Near-duplicate benchmark: what is planted is what is promised, and the metrics count right."""

from __future__ import annotations

import importlib
import json
import random
import sys
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard

from glotmill.schemas.loading import load_recipe

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
sys.path += [str(BENCHMARKS), str(BENCHMARKS / "peers")]
make_duplicates: Any = importlib.import_module("make_duplicates")
metrics: Any = importlib.import_module("duplicate_metrics")
near: Any = importlib.import_module("near")
common: Any = importlib.import_module("common")

DOCUMENTS = 3_000
LETTERS = {"Latn": "abcdefghijklmnop", "Thai": "กขคงจฉชซฌญฎฏฐฑฒณดตถทธนบปผฝพฟภมยรลวศษสหฬอฮ"}


@cache
def pools() -> list[Any]:
    rng = random.Random(7)
    sentences: dict[str, list[str]] = {}
    for label, lengths in (("swa_Latn", (1, 9)), ("tha_Thai", (2, 9))):
        words = ["".join(rng.choices(LETTERS[label[-4:]], k=rng.randint(*lengths)))
                 for _ in range(3_000)]  # fmt: skip
        joiner = "" if label.endswith("Thai") else " "
        sentences[label] = [joiner.join(rng.choices(words, k=14)) for _ in range(9_000)]
    return make_duplicates.make_pools(sentences)


@pytest.fixture(scope="session")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("duplicates") / "corpus"
    make_duplicates.make(folder, DOCUMENTS, 21, pools())
    return folder


def documents_in(corpus: Path) -> list[dict[str, Any]]:
    texts = dict(metrics.texts_of(corpus))
    rows = pq.read_table(corpus / "truth.parquet").to_pylist()
    return [{**row, "text": texts[row["id"]]} for row in rows]


def test_same_seed_gives_the_same_bytes_and_another_does_not(corpus: Path, tmp_path: Path) -> None:
    names = ["part-00000.jsonl.zst", "corpus.json"]
    for seed in (21, 22):
        make_duplicates.make(tmp_path / str(seed), DOCUMENTS, seed, pools())
    same, other = ([(tmp_path / s / name).read_bytes() for name in names] for s in ("21", "22"))
    assert same == [(corpus / name).read_bytes() for name in names]
    assert same[0] != other[0]
    assert pq.read_table(tmp_path / "21/truth.parquet") == pq.read_table(corpus / "truth.parquet")


def test_rows_and_truth_are_in_one_order(corpus: Path) -> None:
    with zstandard.open(corpus / "part-00000.jsonl.zst", "rb") as stream:
        rows = [orjson.loads(line) for line in stream.read().splitlines()]
    truth = pq.read_table(corpus / "truth.parquet").to_pylist()
    assert [row["id"] for row in rows] == [f"doc-{place:010d}" for place in range(DOCUMENTS)]
    assert [(row["id"], row["lang"]) for row in rows] == [(r["id"], r["label"]) for r in truth]
    assert {row["label"][-4:] for row in truth} == {row["script"] for row in truth}


def test_kinds_and_labels_have_their_shares(corpus: Path) -> None:
    described = json.loads((corpus / "corpus.json").read_text())
    kinds = {kind: count / DOCUMENTS for kind, count in described["kinds"].items()}
    assert kinds["near"] == pytest.approx(make_duplicates.NEAR_SHARE, rel=0.15)
    assert kinds["exact"] == pytest.approx(make_duplicates.EXACT_SHARE, rel=0.2)
    assert sum(kinds.values()) == 1
    assert 1_500 < described["mean_text_bytes"] < 1_700
    labels = [row["label"] for row in documents_in(corpus)]
    assert {label: labels.count(label) for label in labels} == dict.fromkeys(
        ("swa_Latn", "tha_Thai"), DOCUMENTS // 2
    )


def test_families_have_one_base_and_up_to_five_near_duplicates(corpus: Path) -> None:
    families: dict[int, list[dict[str, Any]]] = {}
    for row in documents_in(corpus):
        families.setdefault(row["family"], []).append(row)
    for rows in families.values():
        base, *others = sorted(rows, key=lambda row: row["kind"])
        assert base["kind"] == "base"
        assert len({row["label"] for row in rows}) == 1
        assert sum(row["kind"] == "near" for row in others) <= 5
        assert all((row["text"] == base["text"]) == (row["kind"] == "exact") for row in others)
    sizes = [sum(row["kind"] == "near" for row in rows) for rows in families.values()]
    assert max(sizes) == 5
    assert sizes.count(1) > sizes.count(2) > sizes.count(3) > 0
    assert sorted(families) == list(range(len(families)))


@pytest.mark.parametrize("label", ["swa_Latn", "tha_Thai"])
def test_edits_change_two_to_eight_words_or_letters_of_a_hundred(label: str) -> None:
    pool = next(pool for pool in pools() if pool.label == label)
    words = [f"{place}" for place in range(400)] if pool.spaced else list(LETTERS["Thai"] * 10)
    text = (" " if pool.spaced else "").join(words)
    for seed in range(50):
        edited = make_duplicates.edit(random.Random(seed), pool, text)
        units = make_duplicates.units_of(edited, pool.spaced)
        if pool.spaced:
            lost = len(set(words) - set(units))
            added = sum(not unit.isdigit() for unit in units)
            assert max(lost, added) <= 0.081 * len(words)
            assert lost + added >= 0.019 * len(words)
            assert [u for u in units if u.isdigit()] == sorted(set(words) & set(units), key=int)
        assert abs(len(units) - len(words)) <= 0.081 * len(words)
        assert edited != text


def test_edits_leave_the_lines() -> None:
    pool = pools()[0]
    text = "one two\nthree four\nfive"
    for seed in range(20):
        edited = make_duplicates.edit(random.Random(seed), pool, text)
        assert edited.count("\n") == 2


@pytest.mark.slow
def test_no_two_bases_are_alike(corpus: Path) -> None:
    bases = [row for row in documents_in(corpus) if row["kind"] == "base"][:1_000]
    sets = [metrics.shingles(row["text"], row["script"]) for row in bases]
    holders: dict[str, list[int]] = {}
    for place, shingles in enumerate(sets):
        for shingle in shingles:
            holders.setdefault(shingle, []).append(place)
    shared: dict[tuple[int, int], int] = {}
    for places in holders.values():
        for at, left in enumerate(places):
            for right in places[at + 1 :]:
                shared[left, right] = shared.get((left, right), 0) + 1
    similar = (count / (len(sets[a]) + len(sets[b]) - count) for (a, b), count in shared.items())
    assert max(similar) < 0.35


@pytest.mark.slow
def test_most_shared_is_what_two_bases_share() -> None:
    maker = make_duplicates.Maker(21, DOCUMENTS, pools())
    label, sizes = 0, maker.pools[0].sizes
    bases = [set(maker.pieces_of(label, b).tolist()) for b in range(len(maker._bases[label]))]
    weights = [sum(sizes[list(base)]) for base in bases]
    most = max(
        sum(sizes[list(left & right)]) / min(weights[a], weights[b])
        for a, left in enumerate(bases)
        for b, right in enumerate(bases[:a])
    )
    assert maker._most_shared(label) == pytest.approx(most)
    assert most > 0


def test_too_little_text_is_refused(tmp_path: Path) -> None:
    few = [replace(p, pieces=p.pieces[:100], sizes=p.sizes[:100]) for p in pools()]
    with pytest.raises(ValueError, match="the text is too little for 600 documents"):
        make_duplicates.make(tmp_path, 600, 21, few)
    assert not list(tmp_path.iterdir())


def test_a_folder_with_shards_is_refused(
    corpus: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(ValueError, match="holds shards already"):
        make_duplicates.make(corpus, 10, 21, pools())
    arguments = ["--out", str(tmp_path), "--data", str(tmp_path)]
    assert make_duplicates.main(arguments) == 2
    assert "holds none of: mono/oldi_seed" in capsys.readouterr().err


def test_pieces_are_short_and_lose_nothing() -> None:
    text = "ข้าพเจ้า" * 60
    pieces = list(make_duplicates.cut(text, spaced=False))
    assert "".join(pieces) == text
    assert all(len(piece.encode()) <= make_duplicates.MAX_PIECE for piece in pieces)
    assert list(make_duplicates.cut("a b", spaced=True)) == ["a b"]


def test_planted_pairs_are_those_of_a_family_and_are_kept(corpus: Path) -> None:
    pairs = metrics.planted_pairs(corpus).to_pylist()
    assert (corpus / metrics.TRUTH_PAIRS).exists()
    rows = {row["id"]: row for row in documents_in(corpus)}
    sizes: dict[int, int] = {}
    for row in rows.values():
        sizes[row["family"]] = sizes.get(row["family"], 0) + (row["kind"] != "exact")
    assert len(pairs) == sum(size * (size - 1) // 2 for size in sizes.values())
    for pair in pairs[:50]:
        left, right = rows[pair["id_a"]], rows[pair["id_b"]]
        assert left["family"] == right["family"]
        assert "exact" not in {left["kind"], right["kind"]}
        sets = [metrics.shingles(row["text"], row["script"]) for row in (left, right)]
        assert pair["jaccard"] == len(sets[0] & sets[1]) / len(sets[0] | sets[1])
    similar = [pair["jaccard"] for pair in pairs]
    assert 0.15 < sum(s >= metrics.SIMILAR for s in similar) / len(similar) < 0.6
    assert min(similar) > 0.1


def test_a_sample_leaves_no_family_torn(corpus: Path, tmp_path: Path) -> None:
    folder = near.sample(corpus, 500, tmp_path)
    taken = pq.read_table(folder / "truth.parquet")
    ids = [key for key, _ in metrics.texts_of(folder)]
    assert ids == taken.column("id").to_pylist()
    assert 490 <= len(ids) <= 500
    families = set(taken.column("family").to_pylist())
    whole = pq.read_table(corpus / "truth.parquet").to_pylist()
    assert sum(row["family"] in families for row in whole) == len(ids)
    assert near.sample(corpus, DOCUMENTS, tmp_path) == corpus


TRUTH = pa.Table.from_pylist(
    [
        {"id": name, "family": family, "kind": kind, "label": label, "script": label[-4:]}
        for name, family, kind, label in (
            ("a0", 0, "base", "swa_Latn"),
            ("a1", 0, "near", "swa_Latn"),
            ("a2", 0, "near", "swa_Latn"),
            ("a3", 0, "exact", "swa_Latn"),
            ("b0", 1, "base", "swa_Latn"),
            ("c0", 2, "base", "tha_Thai"),
            ("c1", 2, "near", "tha_Thai"),
            ("d0", 3, "base", "tha_Thai"),
            ("d1", 3, "exact", "tha_Thai"),
        )
    ]
)
PAIRS = pa.Table.from_pylist(
    [
        {"id_a": a, "id_b": b, "label": label, "script": label[-4:], "jaccard": similar}
        for a, b, label, similar in (
            ("a0", "a1", "swa_Latn", 0.9),
            ("a0", "a2", "swa_Latn", 0.7),
            ("a1", "a2", "swa_Latn", 0.69),
            ("c0", "c1", "tha_Thai", 0.8),
        )
    ]
)


def found(clusters: list[int], judged: list[bool] | None = None) -> pa.Table:
    rows = list(range(len(clusters)))
    return pa.table({"row": rows, "cluster": clusters, "judged": judged or [True] * len(rows)})


def test_precision_and_recall_of_a_known_example() -> None:
    # Together: a0 a1 b0 (two of the three pairs are false), c0 c1 d0 (likewise); a2 is alone.
    verdict = metrics.judge(TRUTH, PAIRS, found([5, 5, 6, 5, 5, 7, 7, 7, 8]))
    assert verdict.total.num_pairs == 3
    assert verdict.total.recall == pytest.approx(2 / 3)
    assert verdict.total.precision == pytest.approx(2 / 6)
    assert verdict.total.num_lost == 2
    assert verdict.total.num_copies == 2
    assert verdict.total.copies_found == 0.5
    assert verdict.largest_cluster == 4
    latin, thai = verdict.scripts["Latn"], verdict.scripts["Thai"]
    assert (latin.num_pairs, latin.recall) == (2, 0.5)
    assert (thai.num_pairs, thai.recall) == (1, 1.0)
    assert latin.precision == thai.precision == pytest.approx(1 / 3)
    assert (latin.copies_found, thai.copies_found) == (1.0, 0.0)
    assert verdict.unspaced == thai


def test_clusters_that_are_the_truth_have_full_marks() -> None:
    score = metrics.judge(TRUTH, PAIRS, found([9, 9, 9, 9, 1, 2, 2, 3, 3])).total
    assert (score.recall, score.precision, score.copies_found, score.num_lost) == (1, 1, 1, 0)


def test_nothing_found_has_no_precision() -> None:
    score = metrics.judge(TRUTH, PAIRS, found(list(range(9)))).total
    assert score.recall == 0
    assert np.isnan(score.precision)
    assert near.shown(score.precision) == "–"


def test_one_cluster_of_everything_is_counted_without_listing_pairs() -> None:
    count = 50_000
    truth = pa.table(
        {
            "id": [str(number) for number in range(count)],
            "family": range(count),
            "kind": ["base"] * count,
            "label": ["swa_Latn"] * count,
            "script": ["Latn"] * count,
        }
    )
    verdict = metrics.judge(truth, PAIRS.slice(0, 0), found([1] * count))
    assert verdict.total.precision == 0
    assert verdict.total.num_lost == count - 1
    assert metrics.num_pairs_within(np.zeros(count, np.int64)) == count * (count - 1) // 2


def test_documents_that_a_peer_did_not_see_are_unjudged_and_alone() -> None:
    table = found([4, 4, 4, 4, 1, 2, 2], [True, True, False, True, True, True, True])
    score = metrics.judge(TRUTH, PAIRS, table)
    assert score.total.num_unjudged == 3
    assert score.scripts["Thai"].num_unjudged == 2
    assert score.total.precision == 1


def test_peers_that_give_pairs_get_their_clusters(tmp_path: Path) -> None:
    forest = common.Forest()
    for seen in (True, True, True, True, False):
        forest.add(seen)
    forest.join(3, 1)
    forest.join(3, 0)
    forest.write(tmp_path)
    assert (tmp_path / "clusters.tsv").read_text() == "0\t1\n0\t1\n2\t1\n0\t1\n4\t0\n"


def test_shingles_for_peers_are_those_of_the_truth(corpus: Path) -> None:
    assert common.UNSPACED == make_duplicates.UNSPACED
    documents = documents_in(corpus)[:20]
    for by, script in (("script", None), ("words", "Latn")):
        made = common.shingle_lists(corpus, by)
        for row, shingles in zip(documents, made, strict=False):
            assert set(shingles) == metrics.shingles(row["text"], script or row["script"])


def test_cost_is_that_of_the_child(tmp_path: Path) -> None:
    code = "x = bytearray(80 << 20); import time; e = time.process_time() + 0.2\n"
    code += "while time.process_time() < e: pass"
    cost = near.measure([sys.executable, "-c", code], tmp_path / "run")
    assert 0.2 <= cost["cpu"] < 2
    assert 80 < cost["peak_mib"] < 200
    with pytest.raises(RuntimeError, match=r"exit code 3(.|\n)*no such peer"):
        near.measure(
            [sys.executable, "-c", "print('no such peer'); raise SystemExit(3)"], tmp_path / "two"
        )


def test_an_exit_code_after_the_last_file_is_reported_only(tmp_path: Path) -> None:
    done = tmp_path / "run" / "_SUCCESS"
    code = f"open({str(done)!r}, 'w').close(); raise SystemExit(3)"
    assert near.measure([sys.executable, "-c", code], tmp_path / "run", done)["exit_code"] == 3
    with pytest.raises(RuntimeError, match="exit code 3"):
        near.measure([sys.executable, "-c", "raise SystemExit(3)"], tmp_path / "two", done / "no")


def test_tables_have_a_row_a_setting_and_a_row_a_script() -> None:
    verdict = metrics.judge(TRUTH, PAIRS, found([9, 9, 9, 9, 1, 2, 2, 3, 3]))
    cost = {"cpu": 0.009, "wall": 1.0, "peak_mib": 100.0}
    results = [near.Result(near.Setting("rensa", 14, 8, "words"), cost, verdict)]
    row = near.table(results).splitlines()[2]
    assert row.startswith("| rensa 14×8 words | 1,000 |")
    assert [line.split("|")[1].strip() for line in near.table_by_script(results).splitlines()] == [
        "script", "---", "Latn", "Thai"
    ]  # fmt: skip


def test_settings_name_every_run() -> None:
    bandings = [(14, 8), (20, 5)]
    made = list(near.settings(["glotmill", "rensa"], bandings, ["words"], ["sketch"]))
    assert [str(setting) for setting in made] == [
        "glotmill 14×8 label sketch", "glotmill 14×8 all sketch",
        "glotmill 20×5 label sketch", "glotmill 20×5 all sketch",
        "rensa 14×8 words", "rensa 20×5 words",
    ]  # fmt: skip
    assert len({setting.folder for setting in made}) == len(made)


def test_an_unknown_peer_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        near.parse(["corpus", "--out", "out", "--peers", "rensa,simhash"])
    assert "unknown peers: simhash (known: glotmill, datatrove" in capsys.readouterr().err


def test_cpu_of_near_duplicates_is_read_where_it_is_written(tmp_path: Path) -> None:
    units = tmp_path / "ingest" / "units"
    units.mkdir(parents=True)
    (units / "one.json").write_text('{"profile": {"sketch": 1.5, "read": 9.0}}')
    assert near.glotmill_run.near_cpu(tmp_path) is None
    (tmp_path / "deduplicate").mkdir()
    (tmp_path / "deduplicate" / "manifest.json").write_text('{"counts": {"cpu_seconds": 2}}')
    assert near.glotmill_run.near_cpu(tmp_path) == 3.5


def test_recipe_of_glotmill_is_a_recipe(tmp_path: Path) -> None:
    for banding in (None, (14, 8)):
        path = tmp_path / "recipe.yaml"
        path.write_text(near.glotmill_run.recipe(tmp_path, "all", banding, "sketch"))
        options = load_recipe(str(path)).recipe.deduplicate
        assert options.exact
        assert options.scope == "all"
        assert (options.near and (options.near.bands, options.near.rows)) == banding
