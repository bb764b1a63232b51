"""Commands `glotmill lid`: thresholds from a finished run, and models of one's own."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Iterator

import pyarrow as pa
from rich.console import Console
from rich.table import Table

import glotmill.pipelines.engine  # noqa: F401 - keeps Beam from logging while it is imported
from glotmill.pipelines.errors import UserError
from glotmill.transforms import storage
from glotmill.transforms.lid_thresholds import (
    COLUMNS,
    MIN_DOCUMENTS,
    Estimate,
    estimate_thresholds,
)
from glotmill.transforms.lid_train import Accuracy, TrainingError, examples_of, part, train
from glotmill.transforms.readers import ColumnError, ReadBatch, ReadOptions, probe, read_slice
from glotmill.transforms.readers.errors import MissingColumn, ProbeError
from glotmill.transforms.unit_index import UnitIndex, read_manifest

# The end of a file, however long: a slice ends where the file does.
_END = 2**62
_OPTIONS = ReadOptions(text_column="text", extra_columns={"code": "lang"})


def thresholds_yaml(root: str) -> str:
    """Thresholds of the labels of a run, as YAML to put into a recipe.

    Raises:
        UserError: there is no run at `root`, or too little was confirmed in it.
    """
    estimates = estimate_thresholds(_documents(root, COLUMNS))
    if not estimates:
        raise UserError(
            f"{root}: no label has {MIN_DOCUMENTS} documents whose declared language the model "
            "confirmed; thresholds are estimated from those"
        )
    return "\n".join(["identify:", "  thresholds:", *map(_line, estimates)])


def _line(estimate: Estimate) -> str:
    why = f"median {estimate.median:.3f}, sigma {estimate.deviation:.3f}"
    return f"    {estimate.label}: {estimate.threshold:.3f}  # {why}, n {estimate.num_documents}"


def train_model(corpus: str, target: str) -> list[Accuracy]:
    """Trains a model from labelled JSON lines or from a run.

    Args:
        corpus: path, glob or URI of JSON lines with the columns `text` and `lang`, or the output
            directory of a run, whose labels are then learnt.
        target: path of the model.

    Raises:
        UserError: the corpus cannot be read, the model not be trained, or not be written.
    """
    _check_target(target)
    is_run = storage.exists(f"{corpus}/ingest/_SUCCESS")
    found = _Read()
    batches = _run_texts(corpus) if is_run else _labelled_texts(corpus, found)
    try:
        return train(part(examples_of(batches)), target)
    except (TrainingError, ColumnError, storage.NothingMatched, OSError) as error:
        raise UserError(f"{corpus}: {error}{found.told()}") from None


def _check_target(target: str) -> None:
    """Refuses what cannot be written, as training takes long.

    Raises:
        UserError: it is a folder, or in none that can be written to.
    """
    if os.path.isdir(target):
        raise UserError(f"--out: {target} is a folder; name a file in it, such as model.ftz")
    folder = os.path.dirname(os.path.abspath(target))
    while not os.path.exists(folder):
        folder = os.path.dirname(folder)
    if not (os.path.isdir(folder) and os.access(folder, os.W_OK)):
        raise UserError(f"--out: {target} cannot be written: {folder} takes no files")


class _Read:
    """What was read of labelled lines, to tell why nothing could be learnt from them."""

    def __init__(self) -> None:
        self._rejects: Counter[str] = Counter()
        self._first: dict[str, str] = {}
        self._path = ""
        self._num_read = self._num_labelled = 0

    def add(self, path: str, read: ReadBatch) -> None:
        """Counts a batch."""
        codes = read.records.column("code")
        self._path = self._path or (path if len(codes) else "")
        self._num_read += len(codes)
        self._num_labelled += len(codes) - codes.null_count
        for each in read.rejects:
            self._rejects[each.reason] += 1
            self._first.setdefault(each.reason, f"{path} at {each.offset}: {each.detail}")

    def told(self) -> str:
        """What all records lack; "" where some have all that is wanted."""
        if self._num_read and not self._num_labelled:
            return f"\nno record has the column 'lang'{self._columns()}"
        if self._num_read or not self._rejects:
            return ""
        ((reason, count),) = self._rejects.most_common(1)
        num_all, first = sum(self._rejects.values()), self._first[reason]
        return (
            f"\nall {num_all:,} records were rejected, {count:,} for '{reason}', first in {first}"
        )

    def _columns(self) -> str:
        try:
            columns = probe(self._path, "jsonl", _OPTIONS).columns
        except (MissingColumn, ProbeError):  # only further on are there records with a text
            return ""
        return f"; {self._path} has {', '.join(columns)}"


def print_accuracies(out: Console, accuracies: Iterable[Accuracy]) -> None:
    """A table of labels with their accuracy on texts that were held out."""
    table = Table("label", "trained", "held out", "accuracy", box=None)
    held_out = right = 0
    for each in accuracies:
        share = f"{each.num_right / each.num_held_out:.3f}" if each.num_held_out else "-"
        table.add_row(each.label, f"{each.num_trained:,}", f"{each.num_held_out:,}", share)
        held_out, right = held_out + each.num_held_out, right + each.num_right
    table.add_row("all", "", f"{held_out:,}", f"{right / max(1, held_out):.3f}")
    out.print(table)


def _documents(root: str, columns: Iterable[str]) -> Iterator[pa.RecordBatch]:
    """Columns of the kept documents of a run; not of pairs, whose labels name two languages.

    Raises:
        UserError: there is none.
    """
    if read_manifest(root, "ingest") is None:
        raise UserError(
            f"no finished ingest in {root}; 'glotmill run RECIPE --out {root}' makes one"
        )
    index = UnitIndex(root)
    for unit in index.units:
        if unit.category != "bitext":
            yield from index.batches(unit, list(columns))


def _run_texts(root: str) -> Iterator[pa.RecordBatch]:
    for batch in _documents(root, ["text", "label"]):
        yield batch.rename_columns(["text", "code"])


def _labelled_texts(pattern: str, found: _Read) -> Iterator[pa.RecordBatch]:
    for file in storage.match(pattern, inputs=True):
        for read in read_slice(file.path, "jsonl", 0, _END, _OPTIONS):
            found.add(file.path, read)
            if read.records.num_rows:
                yield read.records.select(["text", "code"])
