"""Megatron-core opens our token files and gives back every token; see docs/token-files.md."""

import os
import warnings

import numpy as np
import pyarrow as pa
import pytest
from training_example import ENDS, parsed, training

from glotmill.transforms.indexed_dataset import join_runs, write_run
from glotmill.transforms.training_files import Ends, megatron_arguments, write_training_files

pytestmark = pytest.mark.slow

SEQUENCE_LENGTH = 64


@pytest.fixture(scope="module")
def datasets():
    """The package `megatron.core.datasets`, which takes seconds to import."""
    reason = "megatron-core and torch are not installed: pip install 'glotmill[megatron]'"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return pytest.importorskip("megatron.core.datasets", reason=reason)


def documents_of(seed, dtype, num_documents=500):
    """Documents whose tokens tell the datasets apart: those of seed 1 lie from 10,000 to 19,999."""
    draws = np.random.default_rng(seed)
    sizes = np.append(1, draws.integers(1, 90, num_documents - 1))
    return [(10_000 * seed + draws.integers(0, 10_000, size)).astype(dtype) for size in sizes]


def write(root, prefix, documents, dtype):
    """Documents in three runs that are joined."""
    column = pa.array(documents, pa.list_(pa.from_numpy_dtype(np.dtype(dtype))))
    third = len(documents) // 3
    cuts = [(0, third), (third, third), (2 * third, len(documents) - 2 * third)]
    runs = [f"runs/{os.path.basename(prefix)}-{n}" for n in range(3)]
    for run, (start, count) in zip(runs, cuts, strict=True):
        write_run(str(root), run, column.slice(start, count), dtype)
    join_runs(str(root), runs, prefix)


@pytest.mark.parametrize("dtype", ["uint16", "int32"])
@pytest.mark.parametrize("mmap", [True, False])
def test_every_document_comes_back(datasets, tmp_path, dtype, mmap):
    from megatron.core.datasets.indexed_dataset import IndexedDataset

    documents = documents_of(1, dtype)
    write(tmp_path, "a_text_document", documents, dtype)
    found = IndexedDataset(str(tmp_path / "a_text_document"), mmap=mmap)
    assert len(found) == len(documents)
    assert found.index.dtype == np.dtype(dtype)
    assert found.document_indices.tolist() == list(range(len(documents) + 1))
    for i, document in enumerate(documents):
        assert np.array_equal(found[i], document)
    assert np.array_equal(found.get(7, offset=1, length=2), documents[7][1:3])


@pytest.mark.parametrize("dtype", ["uint16", "int32"])
def test_its_own_builder_writes_the_same_bytes(datasets, tmp_path, dtype):
    import torch
    from megatron.core.datasets.indexed_dataset import IndexedDatasetBuilder

    documents = documents_of(1, dtype)
    write(tmp_path, "ours", documents, dtype)
    builder = IndexedDatasetBuilder(str(tmp_path / "theirs.bin"), dtype=np.dtype(dtype).type)
    for document in documents:
        builder.add_document(torch.from_numpy(document.astype(np.int64)), [len(document)])
    builder.finalize(str(tmp_path / "theirs.idx"))
    for kind in ("bin", "idx"):
        ours, theirs = (tmp_path / f"{name}.{kind}" for name in ("ours", "theirs"))
        assert ours.read_bytes() == theirs.read_bytes()


@pytest.fixture
def alone(datasets):
    """A process group of this process only: the builder asks for the rank."""
    import torch.distributed as distributed

    if distributed.is_initialized():  # by other tests of this process
        distributed.destroy_process_group()
    distributed.init_process_group("gloo", store=distributed.HashStore(), rank=0, world_size=1)
    yield
    distributed.destroy_process_group()


class Ids:
    """What the datasets ask of a tokenizer, all but its size."""

    eod, pad, vocab_size = 2, -1, 32_000
    unique_identifiers = {"class": "ids"}  # noqa: RUF012


def built(example, root, num_samples):
    """The datasets of the splits, as `pretrain_gpt.py` builds them from the arguments file."""
    from megatron.core.datasets.blended_megatron_dataset_builder import (
        BlendedMegatronDatasetBuilder,
    )
    from megatron.core.datasets.gpt_dataset import GPTDataset, GPTDatasetConfig
    from megatron.core.datasets.utils import get_blend_from_list

    write_training_files(str(root), example, ENDS, sequence_length=SEQUENCE_LENGTH)
    options = parsed((root / "training.megatron.args").read_bytes())
    splits = (options.train_data_path, options.valid_data_path, options.test_data_path)
    config = GPTDatasetConfig(
        random_seed=1, sequence_length=options.seq_length, tokenizer=Ids(),
        blend_per_split=[get_blend_from_list(split) for split in splits],
        path_to_cache=str(root / "cache"), reset_position_ids=False, reset_attention_mask=False,
        eod_mask_loss=False, create_attention_mask=False,
    )  # fmt: skip
    return BlendedMegatronDatasetBuilder(GPTDataset, num_samples, lambda: True, config).build()


def test_its_blend_has_the_shares_of_the_plan_and_every_token(alone, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    contents = {("train", "monolingual"): 1, ("train", "code"): 2, ("validation", "code"): 3}
    documents = {key: documents_of(seed, "uint16") for key, seed in contents.items()}
    documents["train", "code"] = documents["train", "code"][:170]
    for (split, category), texts in documents.items():
        write(tmp_path, f"tokens/megatron/{split}-{category}_text_document", texts, "uint16")
    sizes = {key: sum(map(len, texts)) for key, texts in documents.items()}
    example = training(
        train={"monolingual": sizes["train", "monolingual"], "code": sizes["train", "code"]},
        validation={"code": sizes["validation", "code"]},
    )
    num_samples = sum(size for (split, _), size in sizes.items() if split == "train") // 64
    train, validation, test = built(example, tmp_path, [num_samples, 50, 0])
    assert test is None
    drawn = np.concatenate([train[i]["tokens"].numpy() for i in range(num_samples)])
    assert len(drawn) == num_samples * SEQUENCE_LENGTH
    share = np.mean(drawn < 20_000)
    assert share == pytest.approx(example.datasets[0].weight, abs=2 / num_samples)
    # One pass: nearly all tokens of each dataset, each as often as it is there.
    for seed, key in ((1, ("train", "monolingual")), (2, ("train", "code"))):
        there = np.bincount(np.concatenate(documents[key]), minlength=30_000)
        seen = np.bincount(drawn[drawn // 10_000 == seed], minlength=30_000)
        assert np.minimum(there, seen).sum() > 0.97 * there.sum()
    held_out = np.concatenate([validation[i]["tokens"].numpy() for i in range(50)])
    assert set(held_out // 10_000) == {3}


@pytest.mark.parametrize(("eos_id", "vocab_size"), [(100_257, 100_277), (128_001, 128_256)])
def test_its_null_tokenizer_finds_the_ends_of_documents(datasets, eos_id, vocab_size):
    import torch
    from megatron.core.datasets.gpt_dataset import _get_ltor_masks_and_position_ids
    from megatron.core.tokenizers import MegatronTokenizer

    example = training("tiktoken", vocab_size=vocab_size, eos_id=eos_id)
    options = parsed(
        megatron_arguments(example, Ends(largest_id=eos_id, eos_id=eos_id, own_eos_id=eos_id))
    )
    tokenizer = MegatronTokenizer.from_pretrained(
        metadata_path={"library": "null"}, vocab_size=options.vocab_size
    )
    assert (tokenizer.eod, tokenizer.vocab_size) == (eos_id, eos_id + 1)
    data = torch.tensor([5, 6, eos_id, 7, 8, 9, eos_id, 4])
    _, loss, positions = _get_ltor_masks_and_position_ids(
        data, tokenizer.eod, True, True, True, False
    )
    assert positions.tolist() == [0, 1, 2, 0, 1, 2, 3, 0]
    assert loss.tolist() == [1, 1, 0, 1, 1, 1, 0, 1]


def test_it_takes_the_end_that_a_model_of_sentencepiece_names(datasets, tmp_path):
    sentencepiece = pytest.importorskip("sentencepiece")
    from megatron.core.tokenizers import MegatronTokenizer

    path = tmp_path / "tokenizer.model"
    with path.open("wb") as file:
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=iter(["one two", "two three"]), model_writer=file, vocab_size=20,
            hard_vocab_limit=False, control_symbols=["<end>"], minloglevel=2,
        )  # fmt: skip
    found = MegatronTokenizer.from_pretrained(
        tokenizer_path=str(path), metadata_path={"library": "sentencepiece"}
    )
    assert found.eod == sentencepiece.SentencePieceProcessor(model_file=str(path)).eos_id() == 2
