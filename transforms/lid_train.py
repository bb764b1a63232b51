"""Train a small identification model from labelled text, in fastText's own format."""

from __future__ import annotations

import heapq
import json
import os
import subprocess
import sys
import tempfile
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa
import xxhash

from glotmill.language_registry import UnknownCode, resolve
from glotmill.transforms import lid_fit, storage
from glotmill.transforms.letter_weights import worth
from glotmill.transforms.measure import MeasureText
from glotmill.transforms.models.fasttext_model import FastTextModel

# Characters and letters of a document that are learnt from: as many as are judged, at the default.
_CHARACTERS = 400
_MIN_LETTERS = 20
# One document in ten is held out, by the hash of its text: equal texts never stand on both sides.
_HELD_OUT = 10
# More of one label teach little and make the others rare.
_MAX_PER_LABEL = 5_000
_MIN_TRAINED = 2

# Characters n-grams of 1 to 4 within words, as Han wants single ones. Words of their own are
# learnt only where they are frequent. One thread: with more the result differs from run to run.
_SETTINGS = {
    "minn": 1, "maxn": 4, "dim": 32, "bucket": 2**17, "minCount": 100, "epoch": 25, "lr": 0.5,
    "loss": "softmax", "thread": 1, "seed": 0, "verbose": 0,
}  # fmt: skip


class TrainingError(Exception):
    """A model that cannot be trained; the message says why and what to do."""


class Example(NamedTuple):
    """A labelled text in one line."""

    label: str
    text: str


class Accuracy(NamedTuple):
    """How a label fares on texts that were held out."""

    label: str
    num_trained: int
    num_held_out: int
    num_right: int


def examples_of(batches: Iterable[pa.RecordBatch]) -> Iterator[Example]:
    """Labelled texts of record batches.

    Args:
        batches: with the columns `text` and `code`: any code that the registry resolves, its
            script that of the text where it names none. Unknown codes, `und` and texts of fewer
            than 20 letters of Latin script, or than weigh that, are left out.
    """
    measure = MeasureText()
    for batch in batches:
        found = measure.annotate(batch.select(["text", "code"]))
        rows = found.select(["text", "code", "script", "num_letters"]).to_pydict().values()
        for text, code, script, letters in zip(*rows, strict=True):
            label = _label(code, script)
            if label and letters >= worth(_MIN_LETTERS, script):
                yield Example(label, _line(text))


def _label(code: str | None, script: str) -> str | None:
    try:
        label = resolve(code or "und", script=script).label
    except UnknownCode:
        return None
    return None if label[:3] in ("und", "mul", "mis") else label


def _line(text: str) -> str:
    """The start of a text as one line without the words that fastText reads as marks."""
    words = text[: 2 * _CHARACTERS].replace("\0", " ").split()
    kept = (word for word in words if word != "</s>" and not word.startswith("__label__"))
    return " ".join(kept)[:_CHARACTERS]


class Parted(NamedTuple):
    """Texts by label, to train with and held out, each in the order of its hash."""

    trained: Mapping[str, list[str]]
    held_out: Mapping[str, list[str]]


def part(examples: Iterable[Example], max_per_label: int = _MAX_PER_LABEL) -> Parted:
    """Holds one text in ten out and keeps so many of each label; the order of them is no matter.

    Raises:
        TrainingError: there are fewer than two labels with two texts to train with.
    """
    hashed: dict[str, dict[int, str]] = defaultdict(dict)
    for example in examples:
        texts = hashed[example.label]
        texts[xxhash.xxh3_64_intdigest(example.text.encode())] = example.text
        if len(texts) > 2 * max_per_label:
            hashed[example.label] = _first(texts, max_per_label)
    sides: tuple[dict[str, list[str]], dict[str, list[str]]] = ({}, {})
    for label in sorted(hashed):
        kept = _first(hashed[label], max_per_label)
        trained = [text for digest, text in kept.items() if digest % _HELD_OUT]
        if len(trained) >= _MIN_TRAINED:
            sides[0][label] = trained
            sides[1][label] = [text for digest, text in kept.items() if not digest % _HELD_OUT]
    if len(sides[0]) < _MIN_TRAINED:
        raise TrainingError(
            f"found {len(sides[0])} labels with {_MIN_TRAINED} texts or more to train with; "
            f"a model wants {_MIN_TRAINED} labels at least"
        )
    return Parted(*sides)


def _first(texts: Mapping[int, str], most: int) -> dict[int, str]:
    """The texts of the least hashes, in their order."""
    return {digest: texts[digest] for digest in heapq.nsmallest(most, texts)}


def train(parted: Parted, target: str) -> list[Accuracy]:
    """Trains and quantises a model, writes it, and judges it on what was held out.

    Args:
        parted: the texts.
        target: local path of the `.ftz` file; the same texts give the same bytes.

    Raises:
        TrainingError: training failed, or this platform cannot do it reliably.
    """
    with tempfile.TemporaryDirectory(prefix="glotmill-lid-") as folder:
        source, made = os.path.join(folder, "train.txt"), os.path.join(folder, "model.ftz")
        _write(parted.trained, source)
        _fit(source, made)
        accuracies = _judge(FastTextModel(made), parted)
        storage.write_atomically(target, Path(made).read_bytes())
    return accuracies


def _fit(source: str, made: str) -> None:
    """Runs `lid_fit` in a process of its own, whose memory nothing has used before.

    Raises:
        TrainingError: it failed.
    """
    command = [sys.executable, "-m", lid_fit.__name__, source, made, json.dumps(_SETTINGS)]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        why = done.stderr.strip().splitlines() or [f"the process ended with {done.returncode}"]
        raise TrainingError(f"fastText cannot train: {why[-1]}")


def _write(texts: Mapping[str, list[str]], path: str) -> None:
    """Writes the training file, labels mixed: by the hash of each line."""
    lines = [f"__label__{label} {text}\n" for label in texts for text in texts[label]]
    lines.sort(key=lambda line: xxhash.xxh3_64_intdigest(line.encode()))
    with open(path, "w", encoding="utf-8") as file:
        file.writelines(lines)


def _judge(model: FastTextModel, parted: Parted) -> list[Accuracy]:
    right: Counter[str] = Counter()
    for label, texts in parted.held_out.items():
        right[label] = sum(model.predict(text, 1)[0][1] == label for text in texts)
    return [
        Accuracy(label, len(texts), len(parted.held_out[label]), right[label])
        for label, texts in parted.trained.items()
    ]
