"""What a run reads changes while it is at work: nothing that was made of both is used."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from glotmill.pipelines.changed_inputs import check_unchanged
from glotmill.pipelines.engine import Build, run_locally
from glotmill.pipelines.errors import RunError
from glotmill.pipelines.run import execute, prepare
from glotmill.pipelines.stages.base import Job
from glotmill.schemas.loading import load_recipe
from glotmill.transforms import storage

RECIPE = """\
glotmill: 1
name: changed
identify: {enabled: false}
sources: [{name: udhr, path: "*.jsonl", id: id, language: {column: bcp47}}]
mix: {tiers: [{name: all, at_least: 0, rate: 1.5}]}
output:
  parquet: {shards: 2}
  tokens: {tokenizer: tokenizer.json, append_eos: false}
"""


class Quiet:
    def skipped(self, name: str) -> None: ...
    def started(self, name: str, *, total: int, unit: str, look: object = None) -> None: ...
    def finished(self, name: str) -> None: ...


@pytest.fixture
def corpus(
    tmp_path: Path,
    sample_rows: list[dict[str, object]],
    save_tokenizer: Callable[..., None],
) -> Path:
    """A recipe with its inputs, which a test may change."""
    for number in range(3):
        lines = [json.dumps(row) for row in sample_rows[number::120]]
        (tmp_path / f"{number}.jsonl").write_text("\n".join(lines) + "\n")
    save_tokenizer(tmp_path / "tokenizer.json")
    (tmp_path / "recipe.yaml").write_text(RECIPE)
    return tmp_path


def run(
    corpus: Path, out: str, before: Callable[[], None] = lambda: None, after: str = ""
) -> dict[str, str]:
    """Runs the recipe; calls `before` once, ahead of the first pipeline after a stage is done."""
    root = str(corpus / out)
    pending = [before]

    def engine(build: Build, workers: int) -> None:
        if pending and (not after or (corpus / out / after / "_SUCCESS").exists()):
            pending.pop()()
        run_locally(build, workers)

    lock = prepare(load_recipe(corpus / "recipe.yaml"), root, lambda line: None)
    manifests = execute(Job(lock, root, engine, 1, Quiet()))
    assert not pending
    mix = manifests["mix"]
    return {e.path: e.sha256 for e in (*mix.under("shards"), *mix.under("tokens"))}


@pytest.mark.slow
@pytest.mark.parametrize("same_size", [False, True])
def test_an_input_that_changes_during_ingest_is_noticed(corpus: Path, same_size: bool) -> None:
    undisturbed = run(corpus, "undisturbed")
    victim = corpus / "1.jsonl"
    before = victim.read_bytes()
    after = before.replace(b"e", b"i", 1) if same_size else before + before[:2_000]
    with pytest.raises(RunError, match=r"1 of 3 inputs changed during the run: .*1\.jsonl ha"):
        run(corpus, "out", lambda: victim.write_bytes(after))
    assert not (corpus / "out" / "_SUCCESS").exists()
    victim.write_bytes(before)
    assert run(corpus, "out") == undisturbed


@pytest.mark.slow
def test_an_input_that_changes_after_ingest_counts_from_the_next_run_on(corpus: Path) -> None:
    undisturbed = run(corpus, "undisturbed")
    victim = corpus / "1.jsonl"
    after = victim.read_bytes().partition(b"\n")[2]
    found = run(corpus, "out", lambda: bool(victim.write_bytes(after)), after="ingest")
    assert found == undisturbed
    anew = run(corpus, "anew")
    assert anew != undisturbed
    assert run(corpus, "out") == anew


@pytest.mark.slow
def test_a_tokenizer_that_changes_is_noticed(
    corpus: Path, save_tokenizer: Callable[..., None]
) -> None:
    undisturbed = run(corpus, "undisturbed")
    path = corpus / "tokenizer.json"
    with pytest.raises(RunError, match="what the stage 'compose' reads besides the inputs"):
        run(corpus, "out", lambda: save_tokenizer(path, backwards=True), after="deduplicate")
    assert not (corpus / "out" / "_SUCCESS").exists()
    save_tokenizer(path)
    assert run(corpus, "out") == undisturbed


@pytest.mark.parametrize("is_removed", [False, True])
def test_an_evaluation_set_that_changes_is_noticed(corpus: Path, is_removed: bool) -> None:
    recipe = RECIPE + "decontaminate: {sets: [{name: rights, path: rights.txt}]}\n"
    (corpus / "recipe.yaml").write_text(recipe)
    evaluated = corpus / "rights.txt"
    evaluated.write_text("Everyone has the right to freedom of thought, conscience and religion.\n")
    root = corpus / "out"
    lock = prepare(load_recipe(corpus / "recipe.yaml"), str(root), lambda line: None)
    record = root / "ingest" / "units" / f"{lock.units[0].key}.json"
    record.parent.mkdir(parents=True)
    record.touch()

    def check() -> None:
        check_unchanged(lock, str(root), lambda file: storage.checksum(file.path))

    check()
    assert record.exists()
    evaluated.unlink() if is_removed else evaluated.write_text("Everyone is equal before the law.")
    with pytest.raises(RunError, match=r"evaluation sets, .* changed during the run, .* 'udhr'"):
        check()
    assert not record.exists()
