"""`glotmill trace` on a real run: every token back to its text, every record to its fate."""

import io
import json
import shutil
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from rich.console import Console

from glotmill.pipelines import cli
from glotmill.pipelines.errors import UserError
from glotmill.pipelines.trace import Asked, trace
from glotmill.pipelines.trace_model import Fate, Trace
from glotmill.pipelines.trace_print import print_trace, trace_json
from glotmill.pipelines.trace_run import Run
from glotmill.pipelines.trace_tokens import trace_sequence, trace_tokens
from glotmill.schemas.indexed_dataset import IndexedDataset
from glotmill.schemas.training import load_training
from glotmill.transforms.tables import read_table
from glotmill.transforms.tokenizers.load import load_tokenizer

EOS = "<|endoftext|>"


def shards(root: str) -> dict[str, list[dict]]:
    """Rows of every shard, by its path."""
    paths = sorted(Path(root, "shards").glob("*.parquet"))
    return {f"shards/{path.name}": read_table(str(path)).to_pylist() for path in paths}


def by_id(root: str, name: str) -> Fate:
    (fate,) = trace(root, Asked(id=name)).documents
    return fate


@pytest.fixture(scope="module")
def fates(traced) -> dict[str, Fate]:
    """What became of every document that has an identifier."""
    traces = (trace(traced.root, Asked(text=fragment), 999) for fragment in (" ", "ab"))
    found = [fate for each in traces for fate in each.documents]
    return {f.origin.external_id: f for f in found if f.origin and f.category != "bitext"}


# --------------------------------------------------------------- documents


def test_everything_that_can_happen_has_happened(fates) -> None:
    counts = Counter(fate.outcome for fate in fates.values())
    assert set(counts) == {
        "dropped", "removed", "excluded", "left_out", "held_out", "drawn", "rejected",
    }  # fmt: skip


def test_a_rejected_record(traced) -> None:
    fate = by_id(traced.root, "broken")
    assert (fate.outcome, fate.reason) == ("rejected", "invalid_json")
    content = Path(fate.origin.input).read_bytes()
    assert content[fate.origin.offset :].startswith(b'{"id": "broken"')


def test_a_dropped_document(traced) -> None:
    fate = by_id(traced.root, "tiny")
    assert (fate.outcome, fate.reason, fate.text) == ("dropped", "too_short", "ab")


def test_a_removed_document_and_what_stands_for_it(traced) -> None:
    fate = by_id(traced.root, "again")
    assert (fate.outcome, fate.reason, fate.cluster_size) == ("removed", "exact_duplicate", 2)
    assert fate.kept is not None
    assert (fate.kept.external_id, fate.kept.corpus) == ("eng3", None)
    stays = by_id(traced.root, "eng3")
    assert stays.content_hash == fate.kept.content_hash == fate.content_hash
    assert stays.cluster_size == 2
    assert stays.outcome in ("drawn", "held_out")


def test_a_category_that_is_left_out(traced) -> None:
    fate = by_id(traced.root, "shout")
    assert (fate.outcome, fate.reason, fate.drawables) == ("left_out", "category", ())


def test_excluded_documents_are_sides_of_held_out_pairs(traced, fates) -> None:
    held_out = "\n".join(row["text"] for row in shards(traced.root)[
        "shards/validation-00000-of-00001.parquet"] if row["category"] == "bitext")  # fmt: skip
    excluded = {name for name, fate in fates.items() if fate.outcome == "excluded"}
    told = {f"side{i}" for i, pair in enumerate(traced.pairs) if pair[0] in held_out}
    own = {name for name, fate in fates.items() if fate.outcome == "held_out"}
    assert excluded
    assert excluded == told - own
    assert {fates[name].reason for name in excluded} == {"validation_copy"}


def test_every_place_of_every_copy_holds_the_text(traced, fates) -> None:
    rows = shards(traced.root)
    found = 0
    for name, fate in fates.items():
        for drawable in fate.drawables:
            for number, copy in enumerate(drawable.copies):
                row = rows[copy.shard][copy.row]
                assert (row["external_id"], row["copy"]) == (name, number) == (name, copy.copy)
                assert row["text"] == fate.text
                assert copy.split == ("validation" if fate.outcome == "held_out" else "train")
                found += 1
    assert found == sum(row["category"] != "bitext" for of in rows.values() for row in of)


def test_every_copy_is_in_the_dataset_and_the_sequences_that_are_named(traced, fates) -> None:
    root, tokenizer = traced.root, tokenizer_of(traced.root)
    for fate in fates.values():
        for copy in (copy for drawable in fate.drawables for copy in drawable.copies):
            dataset = IndexedDataset(f"{root}/tokens/megatron/{copy.dataset}_text_document")
            tokens = dataset.tokens[copy.first_token :][: copy.num_tokens]
            assert np.array_equal(tokens, dataset[copy.document])
            assert tokenizer.decode(tokens[:-1].tolist()) == fate.text
            packed = read_table(f"{root}/{copy.packed}")
            content = bytes.fromhex(fate.content_hash)
            holding = [i for i, of in enumerate(packed["documents"].to_pylist()) if content in of]
            assert list(copy.sequences) == holding != []


def test_what_is_drawn_is_below_the_rate(fates) -> None:
    drawn = [fate.drawables[0] for fate in fates.values() if fate.outcome == "drawn"]
    assert {len(each.copies) for each in drawn} == {2, 3}
    for each in drawn:
        assert each.copies[-1].copy + each.draw < each.rate <= len(each.copies) + each.draw


def test_a_place_in_the_input_is_the_record(traced, fates) -> None:
    for name in ("eng5", "deu7", "swh0", "fra3"):
        origin = fates[name].origin
        assert origin.counted_in == "bytes"
        with open(origin.input, "rb") as file:
            file.seek(origin.offset)
            assert json.loads(file.readline())["text"] == traced.texts[name]


def test_licence_and_address(fates) -> None:
    assert fates["eng5"].origin.licence == "CC-BY-4.0"
    assert fates["eng5"].origin.url == "https://example.org/eng/5"
    assert fates["fra3"].origin.licence is None


# ------------------------------------------------------------------- pairs


def test_every_pair_is_traced_to_the_documents_that_hold_it(traced) -> None:
    rows = shards(traced.root)
    pairs = trace(traced.root, Asked(text=traced.pairs[0][1][:5])).documents
    assert pairs
    outcomes: Counter[str] = Counter()
    for english, german in traced.pairs:
        (fate,) = trace(traced.root, Asked(text=german)).documents
        outcomes[fate.outcome] += 1
        holding = [
            (path, i) for path, of in rows.items() for i, row in enumerate(of)
            if row["category"] == "bitext" and english in row["text"] and german in row["text"]
        ]  # fmt: skip
        told = [(copy.shard, copy.row) for each in fate.drawables for copy in each.copies]
        assert sorted(told) == holding
    assert set(outcomes) == {"drawn", "held_out", "not_drawn", "excluded"}


def test_a_pseudo_document_has_a_hash_of_its_own(traced) -> None:
    ((path, row, values),) = [
        (path, i, row) for path, of in shards(traced.root).items() for i, row in enumerate(of)
        if row["category"] == "bitext" and path.startswith("shards/train-")
    ][:1]  # fmt: skip
    (fate,) = trace(traced.root, Asked(hash=values["content_hash"].hex())).documents
    assert (fate.outcome, fate.text, fate.label) == ("drawn", values["text"], "deu_Latn-eng_Latn")
    assert (path, row) in [(c.shard, c.row) for c in fate.drawables[0].copies]


# ----------------------------------------------------------------- queries


@pytest.mark.parametrize("digits", [1, 2, 7, 31, 32])
def test_a_hash_by_its_beginning(traced, fates, digits: int) -> None:
    prefix = fates["eng5"].content_hash[:digits]
    found = trace(traced.root, Asked(hash=prefix.upper()), 9999).documents
    wanted = {f.content_hash for f in fates.values() if (f.content_hash or "").startswith(prefix)}
    assert wanted <= {fate.content_hash for fate in found}
    assert all(fate.content_hash.startswith(prefix) for fate in found)


def test_an_address(traced) -> None:
    (fate,) = trace(traced.root, Asked(url="https://example.org/deu/7")).documents
    assert fate.origin.external_id == "deu7"


def test_what_is_not_there_is_told(traced) -> None:
    found = trace(traced.root, Asked(id="nobody"))
    assert found.documents == ()
    assert found.notes == (
        "no document with id 'nobody' was read; sources without 'id' have no identifiers: talks",
    )


def test_a_limit_is_told(traced) -> None:
    found = trace(traced.root, Asked(text=" "), 3)
    assert len(found.documents) == 3
    assert found.notes == ("there are more than these 3; --limit shows more",)


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        (Asked(), "trace wants one of --token, --sequence, --id, --url, --hash, --text"),
        (Asked(id="a", url="b"), "given: id, url"),
        (Asked(text=""), "--text must not be empty"),
        (Asked(hash="xyz"), "'xyz' is no hash: it has 1 to 32 hexadecimal digits"),
        (Asked(token="train"), "'train' names no tokens; write DATASET:POSITION"),
        (Asked(token="train-mono:1"), "did you mean 'train-monolingual'?"),
        (Asked(token="train-bitext:9999999"), "train-bitext has the tokens 0 to "),
        (Asked(token="train-bitext:0:0"), "there are no tokens at 'train-bitext:0:0'"),
        (Asked(sequence="train:1"), "no shard 'train'"),
        (Asked(sequence="train-00000-of-00003:99999"), "and no 99,999"),
    ],
)
def test_what_cannot_be_asked(traced, asked: Asked, message: str) -> None:
    with pytest.raises(UserError) as error:
        trace(traced.root, asked)
    assert message in str(error.value)


def test_a_folder_that_is_no_run(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no finished ingest in"):
        trace(str(tmp_path), Asked(id="a"))


# ------------------------------------------------------------------ tokens


def tokenizer_of(root: str):
    path = load_training(f"{root}/training.yaml").tokenizer.path
    return load_tokenizer(f"{root}/{path}", backend="reference")


def test_every_document_of_every_dataset_is_traced_back(traced) -> None:
    """One span over a whole dataset gives its documents, in order, and the text of the shards."""
    rows = [row for of in shards(traced.root).values() for row in of]
    texts = {(row["content_hash"].hex(), row["copy"]): row for row in rows}
    seen = 0
    for dataset in load_training(f"{traced.root}/training.yaml").datasets:
        asked = Asked(token=f"{dataset.name}:0:{dataset.num_tokens}")
        spans = trace(traced.root, asked, dataset.num_documents).spans
        assert [span.place for span in spans] == list(range(dataset.num_documents))
        position = 0
        for span in spans:
            row = texts[span.content_hash, span.copy]
            assert (span.first, span.position) == (0, position)
            assert span.num_tokens == span.num_document_tokens == row["num_tokens"]
            assert span.text == row["text"] + EOS
            assert (span.label, span.origin.source) == (row["label"], row["source"])
            assert (span.origin.path, span.origin.offset) == (row["path"], row["offset"])
            assert span.origin.licence == row["licence"]
            position += span.num_tokens
        assert position == dataset.num_tokens
        seen += len(spans)
    assert seen == len(rows)


def test_every_token_is_of_the_document_that_holds_it(traced) -> None:
    tokens = IndexedDataset(f"{traced.root}/tokens/megatron/validation-bitext_text_document")
    document = np.repeat(np.arange(len(tokens)), tokens.sizes)
    run = Run(traced.root)
    for position in range(0, len(tokens.tokens), 7):
        (span,) = trace_tokens(run, f"validation-bitext:{position}", 5).spans
        assert span.place == document[position]
        assert tokens[span.place][span.first] == tokens.tokens[position]
        assert span.num_tokens == 1


def test_a_span_across_documents(traced) -> None:
    tokens = IndexedDataset(f"{traced.root}/tokens/megatron/train-monolingual_text_document")
    start, length = int(tokens.sizes[0]) - 2, int(tokens.sizes[1]) + 5
    first, second, third = trace(
        traced.root, Asked(token=f"train-monolingual:{start}:{length}")
    ).spans
    assert (first.first, first.num_tokens, first.position) == (start, 2, start)
    assert (second.first, second.num_tokens) == (0, int(tokens.sizes[1]))
    assert (third.first, third.num_tokens) == (0, 3)
    assert first.text.endswith(EOS)
    assert first.before
    assert third.after


def test_the_end_of_a_dataset_is_told(traced) -> None:
    (dataset, *_) = load_training(f"{traced.root}/training.yaml").datasets
    found = trace(traced.root, Asked(token=f"{dataset.name}:{dataset.num_tokens - 1}:50"))
    assert found.spans[0].text == EOS
    assert found.notes == (f"{dataset.name} ends after {dataset.num_tokens:,} tokens",)


def test_every_packed_sequence_is_traced_to_the_rows_of_its_shard(traced) -> None:
    name = "train-00001-of-00003"
    rows = shards(traced.root)[f"shards/{name}.parquet"]
    packed = pq.read_table(f"{traced.root}/tokens/packed/{name}.parquet").to_pylist()
    tokenizer, run = tokenizer_of(traced.root), Run(traced.root)
    placed = 0
    for number in range(len(packed)):
        spans = trace_sequence(run, f"{name}:{number}", 99).spans
        assert [span.num_tokens for span in spans] == packed[number]["document_lengths"]
        position = 0
        for span in spans:
            row = rows[span.rows[0]]
            assert row["content_hash"].hex() == span.content_hash
            ids = packed[number]["input_ids"][position : position + span.num_tokens]
            if span.first is not None:
                placed += 1
                whole = [*tokenizer.encode([row["text"]]).ids.tolist(), tokenizer.eos_id]
                assert whole[span.first : span.first + span.num_tokens] == ids
            assert span.text == tokenizer.decode(ids)
            position += span.num_tokens
    assert placed > len(packed)


# ------------------------------------------------------------------ output

Invoke = Callable[..., tuple[int, str, str]]


@pytest.fixture
def invoke(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Invoke:
    """Runs the command in this process; gives exit code, output and errors."""

    def run(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["glotmill", "trace", *map(str, arguments)])
        with pytest.raises(SystemExit) as exit_:
            cli.main()
        written = capsys.readouterr()
        return int(exit_.value.code or 0), written.out, written.err

    return run


def test_the_command_prints_what_became_of_a_document(traced, invoke: Invoke) -> None:
    code, output, error = invoke(traced.root, "--id", "again")
    assert (code, error) == (0, "")
    assert "again · eng_Latn · monolingual  removed" in output
    assert "exact duplicate" in output
    assert "eng3, eng_Latn, web: web.jsonl" in output


def test_the_command_prints_json(traced, invoke: Invoke) -> None:
    code, output, _ = invoke(traced.root, "--token", "train-monolingual:3:2", "--json")
    assert code == 0
    found = json.loads(output)
    assert found["asked"] == "tokens 3 to 4 of train-monolingual"
    assert found["spans"][0]["origin"]["source"] in ("web", "plain")


def test_the_command_refuses(traced, invoke: Invoke) -> None:
    code, output, error = invoke(traced.root, "--token", "nothing:3")
    assert (code, output) == (2, "")
    assert "error: no dataset 'nothing'" in error
    assert "error: datasets there: train-bitext, train-monolingual" in error


def test_hostile_text_is_shown_and_not_obeyed() -> None:
    fate = Fate(
        outcome="dropped", origin=None, category="[red]c", label="\x1b[31ml", text="[b]\u202ex\x07",
        reason="[/red]",
    )  # fmt: skip
    for terminal in (False, True):
        console = Console(force_terminal=terminal, width=90, color_system=None, record=True)
        print_trace(console, Trace(asked="[x]\x1b", documents=(fate,)))
        text = console.export_text()
        assert "[red]c" in text
        assert "[b]x" in text
        assert not {"\x1b", "\u202e", "\x07"} & set(text)
    assert json.loads(trace_json(Trace(asked="a")))["notes"] == []


def test_an_unfinished_run_is_told(traced, tmp_path: Path) -> None:
    for name in ("ingest", "units.parquet", "recipe.lock.yaml"):
        copy = shutil.copytree if Path(traced.root, name).is_dir() else shutil.copy
        copy(Path(traced.root, name), tmp_path / name)
    found = trace(str(tmp_path), Asked(id="eng5"))
    assert found.documents[0].outcome == "kept"
    assert "the stage deduplicate is not finished" in found.notes[-1]


def test_before_the_mixture_nothing_is_told_of_the_draw(traced, fates, tmp_path: Path) -> None:
    shutil.copytree(traced.root, tmp_path / "out", ignore=shutil.ignore_patterns("mix"))
    console = Console(file=io.StringIO(), width=200)
    for outcome, told in (
        ("drawn", "  drawn     not decided yet; its draw is 0."),
        ("held_out", "  held out  for validation\n"),
    ):
        name = next(name for name, fate in fates.items() if fate.outcome == outcome)
        print_trace(console, trace(str(tmp_path / "out"), Asked(id=name)))
        assert told in console.file.getvalue()
    assert "not at all" not in console.file.getvalue()


def test_rejected_records_come_last(traced) -> None:
    outcomes = [fate.outcome for fate in trace(traced.root, Asked(text="e"), 9999).documents]
    assert outcomes.count("rejected") == 1
    assert outcomes[-1] == "rejected"
