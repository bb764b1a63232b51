"""Files that GPT-NeoX and Megatron-LM are started with."""

import hashlib
import math
import subprocess
from dataclasses import replace

import pytest
import yaml
from training_example import ENDS, parsed, training

from glotmill.schemas.training import TrainingFileError, TrainingStage, load_training
from glotmill.transforms.training_files import (
    COMMANDS,
    Ends,
    megatron_arguments,
    neox_config,
    token_shares,
    write_training_files,
)

TRAIN = [f"tokens/megatron/train-{category}_text_document" for category in ("monolingual", "code")]
VALIDATION = ["tokens/megatron/validation-code_text_document"]


def test_the_three_files_and_what_is_said_of_them(tmp_path):
    entries = write_training_files(str(tmp_path), training(), ENDS, sequence_length=2048)
    names = ["training.yaml", "training.neox.yml", "training.megatron.args"]
    assert [entry.path for entry in entries] == names
    for entry in entries:
        content = (tmp_path / entry.path).read_bytes()
        assert entry.num_bytes == len(content)
        assert entry.sha256 == hashlib.sha256(content).hexdigest()
    assert load_training(tmp_path / "training.yaml") == training()


def test_what_gpt_neox_is_told():
    assert yaml.safe_load(neox_config(training(), 2048)) == {
        "train_data_paths": TRAIN,
        "train_data_weights": [0.75, 0.25],
        "valid_data_paths": VALIDATION,
        "valid_data_weights": [1.0],
        "test_data_paths": VALIDATION,
        "test_data_weights": [1.0],
        "tokenizer_type": "SPMTokenizer",
        "vocab_file": "tokens/tokenizer/tokenizer.model",
    }
    assert "seq_length: 2048" in neox_config(training(), 2048).decode()


def test_gpt_neox_reads_it_beside_the_models_own_files():
    # It refuses a key that two files hold. These are keys of its configs/19M.yml, configs/125M.yml
    # and configs/llama that have to do with data.
    models = {"data_impl", "seq_length", "make_vocab_size_divisible_by", "split", "eval_iters"}
    for each in (training(), training(validation={}), training("huggingface")):
        assert not models & yaml.safe_load(neox_config(each, 2048)).keys()


def test_gpt_neox_wants_all_splits_even_where_nothing_is_held_out():
    content = neox_config(training(validation={}))
    keys = yaml.safe_load(content)
    for split in ("train", "valid", "test"):
        assert (keys[f"{split}_data_paths"], keys[f"{split}_data_weights"]) == (TRAIN, [0.75, 0.25])
    assert "#   eval_iters: 0\n" in content.decode()


def test_tokenizers_of_gpt_neox():
    keys = yaml.safe_load(neox_config(training("huggingface")))
    assert keys["tokenizer_type"] == "HFTokenizer"
    assert keys["vocab_file"] == "tokens/tokenizer/tokenizer.json"
    content = neox_config(training("tiktoken", vocab_size=128_256))
    assert "tokenizer_type" not in yaml.safe_load(content)
    assert "It reads no file of tiktoken's ranks" in content.decode()


def test_more_datasets_than_gpt_neox_can_number():
    most = {f"c{i}": 1 for i in range(254)}
    assert len(yaml.safe_load(neox_config(training(train=most)))["train_data_paths"]) == 254
    for split in ("train", "validation"):
        with pytest.raises(TrainingFileError) as caught:
            neox_config(training(**{split: {**most, "one-more": 1}}))
        assert "at most 254 datasets, and there are 255 of its split" in str(caught.value)
        assert "'output.tokens.datasets: category'" in str(caught.value)


def test_stages_are_not_for_gpt_neox():
    stage = TrainingStage(name="all", share_of_tokens=1, weights={"train-code": 1})
    content = neox_config(training(stages=[stage]))
    assert "It knows no stages" in content.decode()
    assert yaml.safe_load(content)["train_data_weights"] == [0.75, 0.25]


def test_what_megatron_is_told():
    options = parsed(megatron_arguments(training(), ENDS, 4096))
    assert options.train_data_path == ["0.75", TRAIN[0], "0.25", TRAIN[1]]
    assert options.valid_data_path == ["1.0", *VALIDATION]
    assert options.test_data_path is None
    assert options.tokenizer_type == "GPTSentencePieceTokenizer"
    assert options.tokenizer_model == "tokens/tokenizer/tokenizer.model"
    assert options.seq_length == 4096


def test_megatron_without_validation_or_length():
    options = parsed(megatron_arguments(training(validation={}), ENDS))
    assert (options.valid_data_path, options.seq_length) == (None, None)


def test_tokenizers_of_megatron():
    options = parsed(megatron_arguments(training("huggingface"), ENDS))
    assert options.tokenizer_type == "HuggingFaceTokenizer"
    assert options.tokenizer_model == "tokens/tokenizer"
    options = parsed(megatron_arguments(training("tiktoken", eos_id=31_999), ENDS))
    assert (options.tokenizer_type, options.tokenizer_model) == ("NullTokenizer", None)


def padded(options):
    """Rows of Megatron's embedding: NullTokenizer has one id more than it is told."""
    multiple = options.make_vocab_size_divisible_by or 128
    return math.ceil((options.vocab_size + 1) / multiple) * multiple


@pytest.mark.parametrize(
    ("eos_id", "vocab_size", "multiple"),
    [
        (100_257, 100_277, None),  # cl100k_base
        (199_999, 200_019, None),  # o200k_base
        (50_256, 50_257, None),  # r50k_base
        (128_001, 128_256, 256),  # Llama 3
        (200_001, 202_048, 2_560),  # Llama 4
    ],
)
def test_the_null_tokenizer_ends_documents_as_the_files_do(eos_id, vocab_size, multiple):
    each = training("tiktoken", vocab_size=vocab_size, eos_id=eos_id)
    content = megatron_arguments(each, Ends(largest_id=eos_id, eos_id=eos_id, own_eos_id=eos_id))
    options = parsed(content)
    assert options.vocab_size == eos_id
    assert options.make_vocab_size_divisible_by == multiple
    assert vocab_size <= padded(options) < vocab_size + (multiple or 128)
    assert "#" not in content.decode()


@pytest.mark.parametrize(
    ("each", "ends", "taken"),
    [
        # p50k_base has ranks above its <|endoftext|>.
        (
            training("tiktoken", vocab_size=50_281, eos_id=50_256),
            Ends(largest_id=50_280, eos_id=50_256, own_eos_id=50_256),
            "50256, and Megatron-LM takes token 50280",
        ),
        (training(), replace(ENDS, eos_id=7), "7, and Megatron-LM takes token 2"),
        (training(), replace(ENDS, own_eos_id=None), "2, and Megatron-LM takes no token"),
    ],
)
def test_ends_that_megatron_does_not_know(each, ends, taken):
    content = megatron_arguments(each, ends)
    first, second, *options = content.decode().splitlines()
    assert first == f"# Documents end in token {taken} for their end."
    assert second == (
        "# Leave --reset-position-ids, --reset-attention-mask and --eod-mask-loss off."
    )
    assert not any(option.startswith("#") for option in options)
    assert each.tokenizer.kind != "tiktoken" or parsed(content).vocab_size == 50_280


def test_documents_without_an_end():
    for kind in ("tiktoken", "sentencepiece", "huggingface"):
        content = megatron_arguments(training(kind), replace(ENDS, eos_id=None))
        assert content.startswith(b"# Documents end in no token, and Megatron-LM takes token ")
        assert kind != "tiktoken" or parsed(content).vocab_size == 31_999


def test_nothing_to_train_on():
    for write in (neox_config, lambda each: megatron_arguments(each, ENDS)):
        with pytest.raises(TrainingFileError, match="mini: there is no train dataset"):
            write(training(train={}))


def test_weights_are_shares_of_tokens():
    shares = token_shares([1, 2, 4_000_000_000_000])
    assert sum(shares) == pytest.approx(1, abs=1e-12)
    assert shares[1] == 2 * shares[0]


@pytest.mark.parametrize("eos_id", [2, 7])
def test_commands_are_given_the_files_in_the_place_where_paths_hold(eos_id, tmp_path):
    # Run as a shell would, with frameworks that print what they are given.
    each = training(eos_id=eos_id)
    write_training_files(str(tmp_path), each, ENDS, sequence_length=8)
    echo = tmp_path / "echo"
    echo.write_text('#!/bin/sh\nprintf "%s\\n" "$@"\n')
    echo.chmod(0o755)
    for program in ("python", "torchrun"):
        (tmp_path / program).symlink_to(echo)
    environment = {"PATH": f"{tmp_path}:/usr/bin:/bin", "NEOX": "a b", "MEGATRON": "m"}
    said = {
        name: subprocess.run(
            command, shell=True, cwd=tmp_path, env=environment, check=True, capture_output=True
        ).stdout.decode()
        for name, command in COMMANDS.items()
    }
    neox = said["GPT-NeoX"].splitlines()
    assert neox == ["a b/deepy.py", "a b/train.py", "model.yml", "training.neox.yml"]
    megatron = said["Megatron-LM"].splitlines()
    assert megatron[:3] == ["--nproc-per-node", "8", "m/pretrain_gpt.py"]
    assert "#" not in megatron
    assert parsed("\n".join(megatron[3:]).encode()) == parsed(megatron_arguments(each, ENDS, 8))
