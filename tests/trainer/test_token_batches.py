"""Batches: the right tokens, cut from their documents, the same on any number of ranks."""

import shutil
from contextlib import closing
from dataclasses import replace
from itertools import islice, takewhile
from pathlib import Path

import numpy as np
import pytest
from token_corpus import EOS, write_corpus

from glotmill.schemas.training import TrainingStage, load_training
from glotmill.trainer.data import (
    IGNORED,
    Corpus,
    Cut,
    DataError,
    Loader,
    make_batch,
    places_of_rank,
)
from glotmill.trainer.order import SampleOrder

CUT = Cut(length=32)


@pytest.fixture(scope="module")
def corpus(training_yaml: Path) -> Corpus:
    return Corpus(load_training(training_yaml), training_yaml.parent, CUT)


def loader(corpus: Corpus, **options: object) -> Loader:
    return Loader(corpus, corpus.order(1000, seed=1), batch=8, micro=2, **options)  # type: ignore[arg-type]


def raw(training_yaml: Path, name: str) -> np.ndarray:
    return np.fromfile(training_yaml.parent / "tokens" / f"{name}_text_document.bin", "<u2")


def test_tokens_and_targets_are_those_of_the_file(corpus: Corpus, training_yaml: Path) -> None:
    tokens = raw(training_yaml, "train-monolingual")
    batch = make_batch(corpus.train, [(0, 100), (0, len(tokens) - 10)], Cut(32, False, False))
    assert batch.tokens[0].tolist() == tokens[100:132].tolist()
    assert batch.targets[0].tolist() == tokens[101:133].tolist()
    ring = np.concatenate([tokens, tokens])
    assert batch.targets[1].tolist() == ring[len(tokens) - 9 :][:32].tolist()
    assert (batch.positions == np.arange(32)).all()


def test_documents_are_masked_and_positions_reset(corpus: Corpus) -> None:
    batch = make_batch(corpus.train, [(0, place) for place in range(0, 2000, 37)], CUT)
    ends = batch.tokens == EOS
    assert ends.sum() > 20
    # A document ends with EOS: what follows it is not predicted, and positions begin anew.
    assert (batch.targets[ends] == IGNORED).all()
    assert (batch.targets[~ends] != IGNORED).all()
    assert (batch.positions[:, 1:][ends[:, :-1]] == 0).all()
    assert (batch.documents[:, 1:] - batch.documents[:, :-1] == ends[:, :-1]).all()


def test_groups_are_those_of_the_documents(corpus: Corpus, training_yaml: Path) -> None:
    sizes = np.diff(np.flatnonzero(raw(training_yaml, "train-monolingual") == EOS), prepend=-1)
    of_token = np.repeat(np.arange(len(sizes)), sizes)
    batch = make_batch(corpus.train, [(0, 500)], CUT)
    labels = [corpus.groups[number].label for number in batch.groups[0]]
    wanted = ["eng_Latn", "swh_Latn", "hin_Deva"]
    assert labels == [wanted[number % 3] for number in of_token[501:533]]


@pytest.mark.parametrize(("num_ranks", "micro"), [(1, 8), (1, 3), (2, 2), (3, 2), (4, 4), (16, 1)])
def test_every_layout_reads_the_same_samples(corpus: Corpus, num_ranks: int, micro: int) -> None:
    places = loader(corpus).places(24, 8)
    shares = [places_of_rank(places, rank, num_ranks, micro) for rank in range(num_ranks)]
    turns = zip(*shares, strict=True)
    read = [place for turn in turns for part in turn for place in part if place[0] >= 0]
    assert read == places


@pytest.mark.parametrize(
    ("count", "num_ranks", "micro", "read"),
    [(64, 8, 6, 64), (512, 8, 48, 512), (100, 8, 8, 112), (64, 8, 5, 64), (3, 2, 8, 4)],
)
def test_few_sequences_are_empty(count: int, num_ranks: int, micro: int, read: int) -> None:
    places = [(0, number) for number in range(count)]
    parts = places_of_rank(places, 0, num_ranks, micro)
    assert num_ranks * sum(map(len, parts)) == read
    assert max(map(len, parts)) <= micro


def test_padding_teaches_nothing(corpus: Corpus) -> None:
    batch = make_batch(corpus.train, [(-1, 0), (0, 0)], CUT)
    assert (batch.targets[0] == IGNORED).all()
    assert (batch.targets[1] != IGNORED).any()


def test_the_loader_goes_on_from_any_position(corpus: Corpus) -> None:
    with closing(iter(loader(corpus))) as steps:
        whole = list(islice(steps, 6))
    with closing(iter(loader(corpus, position=32))) as steps:
        rest = list(islice(steps, 2))
    assert [step.position for step in whole] == [0, 8, 16, 24, 32, 40]
    for one, other in zip(whole[4:], rest, strict=True):
        assert one.position == other.position
        for mine, its in zip(one.batches, other.batches, strict=True):
            assert (mine.tokens == its.tokens).all()


@pytest.mark.parametrize("batch", [1, 3, 8, 20])
def test_samples_that_are_left_out_stay_so_with_batches_of_any_size(
    corpus: Corpus, batch: int
) -> None:
    spans = replace(loader(corpus), batch=batch, skipped={8: 8, 16: 3, 40: 20}).spans()
    taken = takewhile(lambda span: span[0] < 100, spans)
    positions = [position + each for position, size in taken for each in range(size)]
    left_out = {*range(8, 19), *range(40, 60)}
    assert positions[:69] == [each for each in range(100) if each not in left_out]


def test_batches_that_are_left_out(corpus: Corpus) -> None:
    with closing(iter(loader(corpus, skipped={0: 8, 16: 8}))) as steps:
        assert [step.position for step in islice(steps, 3)] == [8, 24, 32]


def test_errors_of_the_thread_reach_the_reader(corpus: Corpus) -> None:
    names = ["a", "b", "c"]  # the corpus has two
    order = SampleOrder(names, [100] * 3, [(0, dict.fromkeys(names, 1.0))], 32, seed=1)
    with (
        closing(iter(replace(loader(corpus), order=order))) as steps,
        pytest.raises(IndexError),
    ):
        next(steps)


def test_documents_of_a_sample(corpus: Corpus) -> None:
    found = list(corpus.documents_of([(0, 0)]))
    numbers = [int.from_bytes(row["content_hash"], "big") for row in found]
    assert numbers == list(range(len(found)))
    assert found[0]["dataset"] == "train-monolingual"


def test_validation_is_spread_evenly(corpus: Corpus) -> None:
    places = corpus.validation_places(5)
    first = [start for dataset, start in places if dataset == 0]
    assert len(first) == 5
    assert first[0] == 0
    assert max(np.diff(first)) - min(np.diff(first)) <= 32


def test_validation_reads_each_token_once(corpus: Corpus) -> None:
    places = corpus.validation_places(10**6)
    for number, data in enumerate(corpus.validation):
        mine = [place for place in places if place[0] == number]
        batch = make_batch(corpus.validation, mine, CUT)
        # Of a document the first token is not predicted; it ends with EOS, and nothing wraps.
        assert (batch.targets != IGNORED).sum() == data.num_tokens - (batch.targets == EOS).sum()
        assert (batch.targets == EOS).sum() == len(data.groups_of(np.arange(60 // (number + 1))))


def test_stages_of_the_training_file(tmp_path: Path) -> None:
    stages = [
        TrainingStage(name="all", share_of_tokens=0.75, weights={"train-monolingual": 1.0}),
        TrainingStage(name="last", share_of_tokens=0.25, weights={"train-code": 1.0}),
    ]
    path = write_corpus(tmp_path, count=60, stages=stages)
    corpus = Corpus(load_training(path), tmp_path, CUT)
    datasets, _ = corpus.order(40, seed=1).samples(0, 40)
    assert datasets.tolist() == [0] * 30 + [1] * 10


def test_files_that_are_not_those_of_training_yaml(training_yaml: Path, tmp_path: Path) -> None:
    folder = tmp_path / "copy"
    shutil.copytree(training_yaml.parent, folder)
    text = training_yaml.read_text().replace("num_documents: 300", "num_documents: 299")
    (folder / "training.yaml").write_text(text)
    with pytest.raises(DataError, match=r"300 rows, but training.yaml says 299 documents"):
        Corpus(load_training(folder / "training.yaml"), folder, CUT)
