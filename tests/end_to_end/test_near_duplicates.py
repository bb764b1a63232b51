"""Whole runs with near duplicates: planted ones in many scripts, the valve, other corpora."""

import json
import random
import shutil
import subprocess
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from glotmill.language_registry.scripts import is_spaced
from glotmill.pipelines.engine import Build, run_locally
from glotmill.pipelines.errors import RunError, UserError
from glotmill.pipelines.run import execute, prepare
from glotmill.pipelines.stages import deduplicate
from glotmill.pipelines.stages.base import Job, Manifests
from glotmill.schemas.loading import load_recipe
from glotmill.transforms.measure import measure

Row = dict[str, str]
Glotmill = Callable[..., subprocess.CompletedProcess[str]]
Engine = Callable[[Build, int], None]

RECIPE = """\
glotmill: 1
name: near
ingest: {unit_bytes: 60000}
identify: {enabled: false}
sources:
  - {name: udhr, path: data/*.jsonl, id: id, language: {column: bcp47}}
deduplicate: {near: {}}
mix: {tiers: [{name: all, at_least: 0, rate: 1}]}
output: {parquet: {shards: 2}}
"""
NUM_LABELS, BASES, COPIES = 60, 3, 3


class Events:
    """Takes what a run says."""

    def __init__(self) -> None:
        self.skipped_stages: list[str] = []

    def skipped(self, name: str) -> None:
        self.skipped_stages.append(name)

    def started(self, name: str, *, total: int, unit: str, look: object = None) -> None:
        pass

    def finished(self, name: str) -> None:
        pass


def run(
    recipe: Path, root: Path, workers: int = 1, engine: Engine = run_locally
) -> tuple[Manifests, Events]:
    events = Events()
    lock = prepare(load_recipe(recipe), str(root), lambda line: None)
    return execute(Job(lock, str(root), engine, workers, events)), events


def removal_digests(manifests: Manifests) -> dict[str, str]:
    found = manifests["deduplicate"].under("deduplicate/removals")
    return {entry.path: entry.sha256 for entry in found}


def units_of(text: str, spaced: bool) -> list[str]:
    """Words with the space behind them, or letters with their marks."""
    if spaced:
        return [word + " " for word in text.split()]
    units: list[str] = []
    for char in text:
        if units and unicodedata.category(char)[0] == "M":
            units[-1] += char
        else:
            units.append(char)
    return units


def edited(draw: random.Random, text: str, spaced: bool) -> str:
    """The text with about 2% of its words or letters replaced by others of it."""
    units = units_of(text, spaced)
    for _ in range(max(1, round(len(units) * 0.02))):
        units[draw.randrange(len(units))] = draw.choice(units)
    return "".join(units)


def planted(rows: list[Row]) -> Iterator[Row]:
    """Long articles of many labels and scripts, each with edited and equal copies."""
    by_script: dict[str, dict[str, list[Row]]] = defaultdict(lambda: defaultdict(list))
    first: dict[str, str] = {}  # of a language one declaration; others may be much like it
    found = measure(pa.array([row["text"] for row in rows]))
    for row, script, num_words in zip(rows, found["script"], found["num_words"], strict=True):
        once = first.setdefault(row["iso639_3"], row["declaration"]) == row["declaration"]
        if once and 80 <= num_words <= 600:
            by_script[script][row["bcp47"]].append(row)
    labels = [  # a label of each script, then the second of each, ...
        (script, label)
        for depth in range(20)
        for script, found in sorted(by_script.items())
        for label in sorted(label for label in found if len(found[label]) >= BASES)[depth:][:1]
    ]
    draw = random.Random(5)
    for script, label in labels[:NUM_LABELS]:
        for number, row in enumerate(by_script[script][label][:BASES]):
            family = f"{label}/{number}"
            texts = [
                row["text"],
                *(edited(draw, row["text"], is_spaced(script)) for _ in range(COPIES)),
            ]
            for copy, text in enumerate([*texts, texts[1]]):
                yield {"id": f"{family}/{copy}", "bcp47": label, "text": text}


def write_rows(path: Path, rows: list[Row]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = [json.dumps(row, ensure_ascii=False) for row in rows]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory, sample_rows: list[Row]) -> Path:
    """A recipe with planted duplicates in many scripts."""
    folder = tmp_path_factory.mktemp("near")
    rows = list(planted(sample_rows))
    random.Random(1).shuffle(rows)
    for number in range(3):
        write_rows(folder / "data" / f"part-{number}.jsonl", rows[number::3])
    (folder / "recipe.yaml").write_text(RECIPE)
    return folder


@pytest.fixture(scope="module")
def finished(corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Manifests]:
    root = tmp_path_factory.mktemp("finished") / "out"
    manifests, _ = run(corpus / "recipe.yaml", root)
    return root, manifests


def family_of(external_id: str) -> str:
    return external_id.rpartition("/")[0]


def test_planted_duplicates_of_many_scripts_are_found(finished: tuple[Path, Manifests]) -> None:
    root, manifests = finished
    documents = pq.read_table(root / "ingest" / "documents").to_pylist()
    scripts = {family_of(row["external_id"]): row["script"] for row in documents}
    assert len(set(scripts.values())) >= 20
    assert len({row["label"] for row in documents}) >= 50
    left = pq.read_table(root / "shards").to_pylist()
    once = {row["external_id"]: row for row in left}
    families = Counter(map(family_of, once))
    assert set(families) == set(scripts)  # nothing is gone as a whole
    wanted = len(scripts) * (COPIES + 1)
    extra = sum(families.values()) - len(scripts)
    assert manifests["deduplicate"].counts["removed"] == wanted - extra
    assert extra <= 0.05 * wanted
    by_script = Counter(scripts[family] for family in families.elements())
    for script, count in by_script.items():
        assert count <= 2 * Counter(scripts.values())[script]
    for row in once.values():
        assert row["cluster_size"] <= COPIES + 2
    whole = [row for family, row in zip(map(family_of, once), once.values(), strict=True)
             if families[family] == 1]  # fmt: skip
    assert {row["cluster_size"] for row in whole} == {COPIES + 2}


def test_removals_name_what_stays(finished: tuple[Path, Manifests]) -> None:
    root, manifests = finished
    removals = pq.read_table(root / "deduplicate" / "removals").to_pylist()
    reasons = Counter(row["reason"] for row in removals if row["removed"])
    assert sum(reasons.values()) == manifests["deduplicate"].counts["removed"]
    assert min(reasons["exact_duplicate"], reasons["near_duplicate"]) >= 0.9 * NUM_LABELS * BASES
    stays = {row["cluster"] for row in removals if not row["removed"]}
    assert {row["cluster"] for row in removals} == stays
    sizes = {row["cluster"]: row["cluster_size"] for row in removals}
    assert Counter(row["cluster"] for row in removals) == sizes


@pytest.mark.slow
def test_two_workers_give_the_same_removals(
    corpus: Path, finished: tuple[Path, Manifests], tmp_path: Path
) -> None:
    manifests, _ = run(corpus / "recipe.yaml", tmp_path / "out", workers=2)
    assert len(removal_digests(manifests)) > 5
    assert removal_digests(manifests) == removal_digests(finished[1])


def test_the_distributed_form_gives_the_same_removals(
    corpus: Path,
    finished: tuple[Path, Manifests],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    root = tmp_path / "out"
    shutil.copytree(finished[0], root)
    shutil.rmtree(root / "deduplicate")
    asked = []
    monkeypatch.setattr(deduplicate, "fits_one_worker", lambda edges: bool(asked.append(edges)))
    manifests, events = run(corpus / "recipe.yaml", root)
    assert events.skipped_stages == ["ingest", "compose", "mix", "report"]
    assert asked == [manifests["ingest"].counts["kept"]]
    assert removal_digests(manifests) == removal_digests(finished[1])
    assert not (root / "temporary" / "deduplicate").exists()


@pytest.mark.slow
def test_other_units_give_the_same_shards(
    corpus: Path, finished: tuple[Path, Manifests], tmp_path: Path
) -> None:
    recipe = corpus / "other-units.yaml"
    recipe.write_text("extends: recipe.yaml\ningest: {unit_bytes: 500000}\n")
    manifests, _ = run(recipe, tmp_path / "out")
    digests = {entry.path: entry.sha256 for entry in manifests["mix"].under("shards")}
    assert digests == {entry.path: entry.sha256 for entry in finished[1]["mix"].under("shards")}


@pytest.mark.slow
def test_what_is_done_is_skipped_and_what_is_asked_anew_is_not(
    corpus: Path, finished: tuple[Path, Manifests], tmp_path: Path
) -> None:
    root = tmp_path / "out"
    shutil.copytree(finished[0], root)
    _, events = run(corpus / "recipe.yaml", root)
    assert events.skipped_stages == ["ingest", "deduplicate", "compose", "mix", "report"]
    recipe = corpus / "stricter.yaml"
    recipe.write_text("extends: recipe.yaml\ndeduplicate: {near: {min_similarity: 1}}\n")
    manifests, events = run(recipe, root)
    assert events.skipped_stages == ["ingest"]
    assert manifests["deduplicate"].counts["removed"] < finished[1]["deduplicate"].counts["removed"]
    recipe.write_text("extends: recipe.yaml\ndeduplicate: {near: {bands: 10}}\n")
    _, events = run(recipe, root)
    assert events.skipped_stages == []


TEMPLATE = (
    "This article about a village in the north of the country is a stub and you can help this "
    "encyclopedia by adding what you know of it to the page named {} and all its neighbours"
)


@pytest.fixture
def template(tmp_path: Path, sample_rows: list[Row]) -> Path:
    """English articles, and so many that differ in one word that they cannot be true."""
    rows = [row for row in sample_rows if row["bcp47"] == "en"][:20]
    rows = [{"bcp47": "en", "text": row["text"]} for row in rows]
    rows += [{"bcp47": "en", "text": TEMPLATE.format(f"place{number}")} for number in range(120)]
    write_rows(tmp_path / "data" / "en.jsonl", rows)
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text(RECIPE.replace("id: id, ", ""))
    return recipe


@pytest.mark.slow
def test_the_valve_stops_the_run_and_says_how_to_go_on(
    glotmill: Glotmill, tmp_path: Path, template: Path
) -> None:
    done = glotmill("run", template, "--out", "out")
    assert done.returncode == 1
    lines = done.stderr.splitlines()
    assert all(line.startswith("error: ") for line in lines)
    assert "1 cluster(s) of near duplicates are too large to be believed" in lines[0]
    assert "nothing was removed" in lines[0]
    assert "120 different texts, " in lines[1]
    assert "of eng_Latn" in lines[1]
    samples = [line for line in lines if "This article about a village" in line]
    assert len(samples) == 5
    assert len(set(samples)) == 5
    assert "on_oversized to 'keep'" in lines[-1]
    assert "'remove'" in lines[-1]
    listed = pq.read_table(tmp_path / "out" / "deduplicate" / "oversized.parquet").to_pylist()
    assert str(Path("out") / "deduplicate" / "oversized.parquet") in lines[-1]
    assert [row["num_texts"] for row in listed] == [120]
    assert listed[0]["label_share"] == 120 / 140
    assert not (tmp_path / "out" / "deduplicate" / "_SUCCESS").exists()
    assert not (tmp_path / "out" / "_SUCCESS").exists()
    assert not (tmp_path / "glotmill-error.log").exists()
    assert glotmill("run", template, "--out", "out").returncode == 1  # as long as nothing changes


@pytest.mark.parametrize(("choice", "num_left"), [("keep", 120), ("remove", 1)])
def test_the_way_on_is_a_way_on(tmp_path: Path, template: Path, choice: str, num_left: int) -> None:
    with pytest.raises(RunError, match="too large to be believed"):
        run(template, tmp_path / "out")
    recipe = tmp_path / "on.yaml"
    recipe.write_text(f"extends: recipe.yaml\ndeduplicate: {{near: {{on_oversized: {choice}}}}}\n")
    manifests, events = run(recipe, tmp_path / "out")
    assert events.skipped_stages == ["ingest"]
    texts = set(pq.read_table(tmp_path / "out" / "shards").column("text").to_pylist())
    assert sum("This article" in text for text in texts) == num_left
    assert len(texts) == num_left + 20
    assert manifests["deduplicate"].counts["removed"] == 120 - num_left
    files = {entry.path for entry in manifests["deduplicate"].files}
    assert "deduplicate/oversized.parquet" in files
    assert pq.read_metadata(tmp_path / "out" / "deduplicate" / "oversized.parquet").num_rows == 1


@pytest.mark.slow
def test_larger_limits_are_a_way_on_too(tmp_path: Path, template: Path) -> None:
    with pytest.raises(RunError):
        run(template, tmp_path / "out")
    recipe = tmp_path / "on.yaml"
    recipe.write_text("extends: recipe.yaml\ndeduplicate: {near: {max_label_share: 0.9}}\n")
    manifests, _ = run(recipe, tmp_path / "out")
    assert manifests["deduplicate"].counts["removed"] == 119
    assert not (tmp_path / "out" / "deduplicate" / "oversized.parquet").exists()


@pytest.fixture
def two_corpora(tmp_path: Path, sample_rows: list[Row]) -> tuple[Path, Path]:
    """Recipes of an old corpus, and of a new one with edited and equal texts of the old beside."""
    rows = list(planted(sample_rows))[: 10 * BASES * (COPIES + 2)]
    old = [row for row in rows if row["id"].endswith("/0")]
    again = [row for row in rows if not row["id"].endswith("/0")][::2]
    fresh = [row for row in sample_rows if row["bcp47"] == "en"][:15]
    write_rows(tmp_path / "old" / "data" / "old.jsonl", old)
    write_rows(tmp_path / "new" / "data" / "new.jsonl", [*again, *old[:7], *fresh])
    for name in ("old", "new"):
        (tmp_path / name / "recipe.yaml").write_text(RECIPE)
    against = RECIPE.replace("{near: {}}", "{near: {}, against: [../old/out]}")
    (tmp_path / "new" / "recipe.yaml").write_text(against)
    return tmp_path / "old" / "recipe.yaml", tmp_path / "new" / "recipe.yaml"


@pytest.mark.slow
def test_a_new_source_against_an_old_corpus(
    glotmill: Glotmill, tmp_path: Path, two_corpora: tuple[Path, Path]
) -> None:
    old, new = two_corpora
    run(old, tmp_path / "old" / "out")
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "old" / "out").rglob("*")}
    # A relative path starts at the folder of the recipe, wherever the command is given.
    done = glotmill("run", new, "--out", "out")
    assert done.returncode == 0, done.stderr
    left = set(pq.read_table(tmp_path / "out" / "shards").column("external_id").to_pylist())
    assert sum(name.startswith("udhr/") for name in left) == 15
    num_again = 10 * BASES * (COPIES + 1) // 2
    assert len(left) - 15 <= 0.05 * num_again
    assert {path: path.stat().st_mtime_ns for path in before} == before
    # Once the old corpus is another one, the new one is compared with it anew.
    rows = [{"id": "x", "bcp47": "en", "text": "A text that nobody has written until today."}]
    write_rows(tmp_path / "old" / "data" / "more.jsonl", rows)
    run(old, tmp_path / "old" / "out")
    _, events = run(new, tmp_path / "out")
    assert events.skipped_stages[:1] == ["ingest"]
    assert "deduplicate" not in events.skipped_stages


@pytest.mark.slow
def test_an_old_corpus_that_cannot_be_compared_with(
    glotmill: Glotmill, tmp_path: Path, two_corpora: tuple[Path, Path]
) -> None:
    old, new = two_corpora
    unfinished = glotmill("run", new, "--out", "out")
    assert unfinished.returncode == 2
    place = f"{tmp_path}/old/out"
    assert f"{place} is no finished output of glotmill" in unfinished.stderr
    assert f"{new}:7" in unfinished.stderr
    old.write_text(RECIPE.replace("near: {}", "near: {bands: 9}"))
    run(old, tmp_path / "old" / "out")
    with pytest.raises(UserError, match=r"other settings .*bands 9.*; here .*bands 20") as other:
        run(new, tmp_path / "out")
    assert str(other.value).startswith(f"{new}:7")
    old.write_text(RECIPE.replace("{near: {}}", "{}"))
    run(old, tmp_path / "old" / "out")
    with pytest.raises(UserError, match=r"\(none; here ngram 5"):
        run(new, tmp_path / "out")
    assert not (tmp_path / "out" / "ingest").exists()


@pytest.mark.slow
@pytest.mark.parametrize("verify", ["sketch", "jaccard", "none"])
@pytest.mark.parametrize("distributed", [False, True])
def test_prism_gives_the_same_removals(
    corpus: Path,
    finished: tuple[Path, Manifests],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    on_prism: Engine,
    verify: str,
    distributed: bool,
) -> None:
    recipe = corpus / f"{verify}.yaml"
    recipe.write_text(f"extends: recipe.yaml\ndeduplicate: {{near: {{verify: {verify}}}}}\n")
    found = []
    for engine in (run_locally, on_prism):
        root = tmp_path / engine.__name__
        shutil.copytree(finished[0] / "ingest", root / "ingest")
        if engine is on_prism and distributed:
            monkeypatch.setattr(deduplicate, "fits_one_worker", lambda edges: False)
        manifests, events = run(recipe, root, engine=engine)
        assert events.skipped_stages == ["ingest"]
        found.append(removal_digests(manifests))
    assert len(found[0]) > 5
    assert found[1] == found[0]
