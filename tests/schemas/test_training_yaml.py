"""training.yaml: it comes back as it was written, and what is wrong with one is said."""

import copy

import pytest
import yaml

from glotmill.schemas.training import (
    Training,
    TrainingFileError,
    dump_training,
    load_training,
)


def dataset(name, split="train", weight=1.0):
    prefix = f"tokens/megatron/{name}"
    return {
        "name": name, "split": split, "category": name.split("-")[1], "tier": None,
        "prefix": f"{prefix}_text_document", "documents": f"{prefix}.documents.parquet",
        "num_documents": 3, "num_tokens": 60, "weight": weight,
    }  # fmt: skip


TRAINING = {
    "glotmill": 1,
    "name": "mini",
    "tokenizer": {
        "kind": "sentencepiece", "path": "tokens/tokenizer/tokenizer.model", "sha256": "ab",
        "vocab_size": 32_000, "eos_id": 2, "bos_id": 1, "pad_id": None,
    },
    "dtype": "uint16",
    "datasets": [
        dataset("train-monolingual", weight=0.75),
        dataset("train-code", weight=0.25),
        dataset("validation-monolingual", "validation"),
    ],
    "labels": [
        {
            "category": "monolingual", "label": "swh_Latn", "tier": "low",
            "num_tokens": 1234, "num_bytes": 5678, "num_validation_tokens": 100,
        }
    ],
    "stages": [
        {"name": "broad", "share_of_tokens": 0.9, "weights": {"train-monolingual": 1}},
        {
            "name": "code", "share_of_tokens": 0.1,
            "weights": {"train-code": 2, "train-monolingual": 1},
        },
    ],
}  # fmt: skip


def changed(*keys_and_value):
    """The example with one value replaced."""
    *keys, last, value = keys_and_value
    data = copy.deepcopy(TRAINING)
    node = data
    for key in keys:
        node = node[key]
    node[last] = value
    return data


def test_it_comes_back_as_it_was_written(tmp_path):
    training = Training.model_validate(TRAINING)
    path = tmp_path / "training.yaml"
    path.write_bytes(dump_training(training))
    assert load_training(path) == training
    assert yaml.safe_load(path.read_bytes()) == TRAINING
    assert [d.name for d in training.of_split("train")] == ["train-monolingual", "train-code"]
    assert [d.name for d in training.of_split("validation")] == ["validation-monolingual"]


def test_labels_and_stages_may_be_absent():
    data = {key: value for key, value in TRAINING.items() if key not in ("labels", "stages")}
    training = Training.model_validate(data)
    assert (training.labels, training.stages) == ([], [])


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (changed("dtypes", "uint16"), "unknown key 'dtypes'; did you mean 'dtype'?"),
        (changed("glotmill", 2), "'glotmill' is 2"),
        (changed("tokenizer", "vocab_size", "many"), "'tokenizer.vocab_size' wants a whole number"),
        (changed("tokenizer", "kind", "sentencpiece"), "did you mean 'sentencepiece'?"),
        (changed("datasets", []), "'datasets' wants 1 or more entries"),
        (changed("datasets", 0, "num_tokens", 0), "'datasets.0.num_tokens' wants at least 1"),
        (changed("datasets", 0, "weight", 0.5), "weights of the train datasets sum to 0.75, not"),
        (changed("datasets", 2, "weight", 0.5), "of the validation datasets sum to 0.5, not to 1"),
        (changed("datasets", 1, "name", "train-monolingual"), "two datasets have the name train-m"),
        (changed("dtype", "int32"), "'dtype' is 'int32', which is not that of a vocabulary"),
        (changed("stages", 0, "share_of_tokens", 0.5), "'share_of_tokens' of stages sum to 0.6"),
        (
            changed("stages", 1, "weights", {"train-codes": 1}),
            "stage 'code' weighs train-codes; train datasets are train-monolingual, train-code",
        ),
        (changed("stages", 1, "weights", {"train-code": 0}), "stage 'code' gives no dataset a wei"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said(tmp_path, data, message):
    path = tmp_path / "training.yaml"
    path.write_text(yaml.safe_dump(data))
    with pytest.raises(TrainingFileError) as caught:
        load_training(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert message in str(caught.value)


def test_all_that_is_wrong_is_said_at_once(tmp_path):
    path = tmp_path / "training.yaml"
    path.write_text(yaml.safe_dump(changed("tokenizer", {"kind": "sentencepiece"})))
    with pytest.raises(TrainingFileError) as caught:
        load_training(path)
    lines = str(caught.value).splitlines()
    assert lines == [
        f"{path}: missing key '{key}' in 'tokenizer'" for key in ("path", "sha256", "vocab_size")
    ]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("a: [", "is not valid YAML"),
        ("- a", "is not a map of keys such as 'datasets:'"),
        (None, "cannot be read: No such file or directory; a mix with output.tokens writes it"),
    ],
)
def test_a_file_that_is_none(tmp_path, content, message):
    path = tmp_path / "training.yaml"
    if content is not None:
        path.write_text(content)
    with pytest.raises(TrainingFileError, match=message):
        load_training(path)
