"""Commands `glotmill lid`: thresholds from a finished run, and models of one's own."""

from __future__ import annotations

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
from glotmill.transforms.readers import ColumnError, ReadOptions, read_slice
from glotmill.transforms.unit_index import UnitIndex, read_manifest

# The end of a file, however long: a slice ends where the file does.
_END = 2**62


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
        UserError: the corpus cannot be read or the model not be trained.
    """
    is_run = storage.exists(f"{corpus}/ingest/_SUCCESS")
    batches = _run_texts(corpus) if is_run else _labelled_texts(corpus)
    try:
        return train(part(examples_of(batches)), target)
    except (TrainingError, ColumnError, storage.NothingMatched, OSError) as error:
        raise UserError(f"{corpus}: {error}") from None


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
    """Columns of the kept documents of a run.

    Raises:
        UserError: there is none.
    """
    if read_manifest(root, "ingest") is None:
        raise UserError(
            f"no finished ingest in {root}; 'glotmill run RECIPE --out {root}' makes one"
        )
    index = UnitIndex(root)
    for unit in index.units:
        yield from index.batches(unit, list(columns))


def _run_texts(root: str) -> Iterator[pa.RecordBatch]:
    for batch in _documents(root, ["text", "label"]):
        yield batch.rename_columns(["text", "code"])


def _labelled_texts(pattern: str) -> Iterator[pa.RecordBatch]:
    options = ReadOptions(text_column="text", extra_columns={"code": "lang"})
    for file in storage.match(pattern):
        for read in read_slice(file.path, "jsonl", 0, _END, options):
            if read.records.num_rows:
                yield read.records.select(["text", "code"])
