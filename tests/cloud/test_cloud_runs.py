"""Whole runs on object stores: the same shards as on a disk, whatever the store does meanwhile."""

import json
import os
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest
from object_stores import Proxy

from glotmill.pipelines.engine import run_locally
from glotmill.pipelines.errors import RunError
from glotmill.pipelines.run import execute, prepare
from glotmill.pipelines.stages.base import Job, Manifests
from glotmill.schemas.loading import load_recipe
from glotmill.schemas.manifest import Manifest
from glotmill.transforms import cloud, storage

# Before the fixtures that run a corpus on a disk.
pytest.importorskip("gcp_storage_emulator", reason="the extra test-cloud is not installed")

Store = tuple[str, Proxy]
RECIPES = Path(__file__).parents[2] / "recipes"
SMALL = """\
glotmill: 1
name: small
ingest: {unit_bytes: 100000}
sources: [{name: udhr, path: data/*.jsonl, id: id, language: {column: bcp47}}]
identify: {model: lid.ftz}
mix: {tiers: [{name: all, at_least: 0, rate: 1.5}]}
output: {parquet: {shards: 4}}
"""
WITH_TOKENS = """\
extends: recipe.yaml
output:
  tokens: {tokenizer: tokenizer.json, append_eos: false, formats: [megatron, parquet],
           sequence_length: 128}
"""


class Quiet:
    def skipped(self, name: str) -> None: ...
    def started(self, name: str, *, total: int, unit: str, look: object = None) -> None: ...
    def finished(self, name: str) -> None: ...


def run(recipe: str, root: str, workers: int = 1) -> Manifests:
    lock = prepare(load_recipe(recipe, storage.read_bytes), root, lambda line: None)
    return execute(Job(lock, root, run_locally, workers, Quiet()))


def digests(manifests: Manifests) -> dict[str, str]:
    mix = manifests["mix"]
    return {entry.path: entry.sha256 for entry in (*mix.under("shards"), *mix.under("tokens"))}


@pytest.fixture(scope="module")
def corpus(
    tmp_path_factory: pytest.TempPathFactory,
    sample_rows: list[dict[str, object]],
    save_tokenizer: Callable[..., None],
) -> Path:
    """A recipe with its inputs, its model and its tokenizer."""
    folder = tmp_path_factory.mktemp("corpus")
    (folder / "data").mkdir()
    for number in range(3):
        lines = [json.dumps(row) for row in sample_rows[number::30]]
        (folder / "data" / f"{number}.jsonl").write_text("\n".join(lines) + "\n")
    model = Path(__file__).parents[2] / "transforms" / "models" / "lid.176.ftz"
    (folder / "lid.ftz").write_bytes(model.read_bytes())
    save_tokenizer(folder / "tokenizer.json")
    (folder / "recipe.yaml").write_text(SMALL)
    (folder / "tokens.yaml").write_text(WITH_TOKENS)
    return folder


@pytest.fixture(scope="module")
def on_disk(corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    return digests(run(f"{corpus}/recipe.yaml", str(tmp_path_factory.mktemp("disk") / "out")))


@pytest.fixture(scope="module")
def tokens_on_disk(corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    return digests(run(f"{corpus}/tokens.yaml", str(tmp_path_factory.mktemp("disk") / "out")))


@pytest.fixture(scope="module")
def sample_on_disk(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    return digests(run(f"{RECIPES}/udhr.yaml", str(tmp_path_factory.mktemp("disk") / "out")))


def upload(folder: Path, target: str) -> None:
    for path in folder.rglob("*"):
        if path.is_file():
            name = path.relative_to(folder).as_posix()
            storage.write_atomically(f"{target}/{name}", path.read_bytes())


def test_all_of_a_run_may_lie_in_a_store(
    store: Store, corpus: Path, tokens_on_disk: dict[str, str]
) -> None:
    folder, _ = store
    upload(corpus, f"{folder}/in")
    found = run(f"{folder}/in/tokens.yaml", f"{folder}/out")
    assert digests(found) == tokens_on_disk
    assert "tokens/megatron/train-monolingual_text_document.bin" in digests(found)
    manifest = Manifest.model_validate_json(storage.read_bytes(f"{folder}/out/manifest.json"))
    there = {file.path: file.size for file in storage.match(f"{folder}/out/**")}
    assert {f"{folder}/out/{e.path}": e.num_bytes for e in manifest.files}.items() <= there.items()
    assert f"{folder}/out/_SUCCESS" in there
    assert not [path for path in there if "/records/" in path or "running.json" in path]


@pytest.mark.slow
def test_two_workers_give_the_same_shards_of_the_sample(
    store: Store, sample_on_disk: dict[str, str]
) -> None:
    folder, _ = store
    assert digests(run(f"{RECIPES}/udhr.yaml", f"{folder}/out", workers=2)) == sample_on_disk
    assert len(sample_on_disk) > 8


@pytest.mark.slow
def test_nothing_counts_of_what_a_run_that_was_cut_off_left(
    store: Store, corpus: Path, on_disk: dict[str, str]
) -> None:
    folder, proxy = store
    root = f"{folder}/out"
    cut = {"after": 0}

    class Cut(BaseException):
        pass

    for stop in (40, 110, 150):
        cut["after"] = len(proxy.requests) + stop

        def engine(build: object, workers: int) -> None:
            if len(proxy.requests) > cut["after"]:
                raise Cut
            run_locally(build, workers)  # type: ignore[arg-type]

        lock = prepare(load_recipe(corpus / "recipe.yaml"), root, lambda line: None)
        try:
            execute(Job(lock, root, engine, 1, Quiet()))
        except Cut:
            assert not storage.exists(f"{root}/_SUCCESS")
    # What a worker that was cut off may leave: records and files of another recipe.
    storage.write_atomically(f"{root}/shards/train-00099-of-00100.parquet", b"stale")
    storage.write_atomically(f"{root}/temporary/mix/records/99.json", b"[]")
    storage.delete([f"{root}/_SUCCESS", f"{root}/mix/_SUCCESS"])
    assert digests(run(f"{corpus}/recipe.yaml", root)) == on_disk
    assert not storage.exists(f"{root}/shards/train-00099-of-00100.parquet")
    assert not storage.exists(f"{root}/temporary/mix/records/99.json")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("faults", "share"),
    [
        pytest.param(["503", "lost"], 8, id="503-lost"),
        pytest.param(["hang"], 50, marks=pytest.mark.exhaustive, id="hang"),
    ],
)
def test_a_store_that_misbehaves_costs_time_alone(
    store: Store, corpus: Path, on_disk: dict[str, str], faults: list[str], share: int
) -> None:
    folder, proxy = store

    def misbehave(number: int, *_: str) -> str:
        turn, other = divmod(zlib.crc32(b"%d" % number), share)
        return "pass" if other else faults[turn % len(faults)]

    proxy.fault = misbehave
    assert digests(run(f"{corpus}/recipe.yaml", f"{folder}/out")) == on_disk
    assert all(proxy.seen[fault] > 3 for fault in faults)


@pytest.mark.slow
def test_a_store_that_stays_away_ends_the_run_and_the_next_goes_on(
    store: Store, corpus: Path, on_disk: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, proxy = store
    upload(corpus, f"{folder}/in")
    recipe, root = f"{folder}/in/recipe.yaml", f"{folder}/out"
    monkeypatch.setattr(cloud, "PATIENCE_SECONDS", 1.0)
    cloud.forget_stores()
    num_seen = 0

    def away(number: int, method: str, path: str) -> str:
        """From the third file on, once it was looked at to lock it."""
        nonlocal num_seen
        num_seen += "2.jsonl" in path
        return "503" if num_seen > 6 else "pass"

    proxy.fault = away
    with pytest.raises(BaseException, match=r"503|SlowDown|Unavailable|try again"):
        run(recipe, root)
    proxy.fault = lambda *_: "pass"
    monkeypatch.setattr(cloud, "PATIENCE_SECONDS", 20.0)
    cloud.forget_stores()
    manifests = run(recipe, root)
    assert digests(manifests) == on_disk
    assert manifests["ingest"].counts["rejected"] == 0


@pytest.mark.parametrize("same_size", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_an_input_that_changes_is_noticed(
    store: Store, corpus: Path, on_disk: dict[str, str], same_size: bool
) -> None:
    folder, _ = store
    upload(corpus, f"{folder}/in")
    recipe, root, victim = f"{folder}/in/recipe.yaml", f"{folder}/out", f"{folder}/in/data/1.jsonl"
    before = storage.read_bytes(victim)
    after = before.replace(b"e", b"i", 1) if same_size else before + before[:2_000]

    def engine(build: object, workers: int) -> None:
        storage.write_atomically(victim, after)
        run_locally(build, workers)  # type: ignore[arg-type]

    lock = prepare(load_recipe(recipe, storage.read_bytes), root, lambda line: None)
    with pytest.raises(RunError, match=r"1 of 3 inputs changed during the run: .*1\.jsonl h") as e:
        execute(Job(lock, root, engine, 1, Quiet()))
    assert "run again to read them as they are now" in str(e.value)
    assert not storage.exists(f"{root}/ingest/_SUCCESS")
    storage.write_atomically(victim, before)
    assert digests(run(recipe, root)) == on_disk


@pytest.mark.skipif("GLOTMILL_REAL_STORE" not in os.environ, reason="names no folder of a store")
def test_a_real_store_gives_the_same_shards(corpus: Path, on_disk: dict[str, str]) -> None:
    root = f"{os.environ['GLOTMILL_REAL_STORE'].rstrip('/')}/glotmill-test"
    storage.delete([root])
    assert digests(run(f"{corpus}/recipe.yaml", root)) == on_disk
    storage.delete([root])
