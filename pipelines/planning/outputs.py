"""What a run will write: shards, datasets of tokens, and what lies there in between."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from glotmill.schemas.indexed_dataset import POINTER, SIZE
from glotmill.schemas.recipe import Recipe
from glotmill.transforms.plan import MixturePlan, num_held_out
from glotmill.transforms.token_shards import dataset_name

# Of a document in an `.idx`: its size, its pointer and its place in the index of documents.
_INDEX_BYTES = SIZE.itemsize + 2 * POINTER.itemsize


@dataclass(frozen=True)
class DrawnText:
    """What is drawn for a split, in all units."""

    num_documents: float = 0.0
    num_bytes: float = 0.0
    num_tokens: float = 0.0

    def __add__(self, other: DrawnText) -> DrawnText:
        """Both together."""
        return DrawnText(
            self.num_documents + other.num_documents,
            self.num_bytes + other.num_bytes,
            self.num_tokens + other.num_tokens,
        )


@dataclass(frozen=True)
class Stored:
    """Sizes that a sample tells, or that were measured before.

    Attributes:
        share: of the documents' columns that go into shards, of the size of their text.
        documents: bytes of all documents between the stages.
        dropped: bytes of those that the filters drop.
        token_bytes: of a token in files of tokens.
    """

    share: float
    documents: float
    dropped: float
    token_bytes: int


@dataclass(frozen=True)
class Written:
    """Files of one kind.

    Attributes:
        name: what they are.
        num_files: how many; None where that goes by the units.
        num_rows: documents in them; of packed files sequences are not counted.
        num_bytes: of all of them, about.
        remains: whether they are there once the run is complete.
    """

    name: str
    num_files: int | None
    num_rows: float | None
    num_bytes: float
    remains: bool = True


def drawn_of(mixture: MixturePlan, recipe: Recipe) -> tuple[DrawnText, DrawnText]:
    """What is drawn for training, and what is held out.

    Amounts in one unit are turned into others as the text of the label has them. The size of the
    validation split is that of the recipe's `validation` for as many documents as are expected.
    """
    training, validation = DrawnText(), DrawnText()
    for row in mixture.plan.to_pylist():
        there = row[recipe.mix.counted]
        if there:
            training += _scaled(row, row["planned_count"] / there)
            held_out = num_held_out(row["num_documents"], recipe.mix.validation)
            validation += _scaled(row, held_out / max(1, row["num_documents"]))
    return training, validation


def _scaled(row: Mapping[str, Any], factor: float) -> DrawnText:
    return DrawnText(
        row["num_documents"] * factor,
        row["num_bytes"] * factor,
        (row["num_tokens"] or 0) * factor,
    )


def written(
    recipe: Recipe, mixture: MixturePlan, stored: Stored, num_available_tokens: float
) -> list[Written]:
    """All that a run writes, the shards first.

    Args:
        recipe: the whole of it.
        mixture: the plan.
        stored: sizes.
        num_available_tokens: of all that may be drawn.
    """
    training, validation = drawn_of(mixture, recipe)
    parquet = recipe.output.parquet
    rows = [
        Written("training shards", parquet.shards, training.num_documents,
                training.num_bytes * stored.share),
        Written("validation shards", parquet.validation_shards, validation.num_documents,
                validation.num_bytes * stored.share),
    ]  # fmt: skip
    rows += _token_files(recipe, mixture, stored, training + validation)
    rows.append(Written("documents, after ingest", None, None, stored.documents))
    rows.append(Written("dropped documents", None, None, stored.dropped))
    if recipe.output.tokens is not None:
        size = num_available_tokens * stored.token_bytes
        rows.append(Written("tokens, each text once", None, None, size))
    size = training.num_bytes + validation.num_bytes
    rows.append(Written("texts between draw and shards, at most", None, None, size, remains=False))
    return rows


def _token_files(
    recipe: Recipe, mixture: MixturePlan, stored: Stored, drawn: DrawnText
) -> Iterator[Written]:
    tokens = recipe.output.tokens
    if tokens is None:
        return
    if "megatron" in tokens.formats:
        size = drawn.num_tokens * stored.token_bytes + drawn.num_documents * _INDEX_BYTES
        num_datasets = len(datasets(recipe, mixture))
        yield Written("datasets (.bin and .idx)", num_datasets, drawn.num_documents, size)
    num_shards = recipe.output.parquet.shards + recipe.output.parquet.validation_shards
    size = drawn.num_tokens * stored.token_bytes
    if "parquet" in tokens.formats:
        yield Written("lists of tokens, Parquet", num_shards, drawn.num_documents, size)
    if tokens.sequence_length is not None:
        yield Written("packed sequences, Parquet", num_shards, None, size)


def datasets(recipe: Recipe, mixture: MixturePlan) -> list[str]:
    """Names of the datasets in Megatron's format that have documents, as far as can be foreseen."""
    tokens = recipe.output.tokens
    if tokens is None:
        return []
    names = set()
    stages: list[tuple[str, ...]] = [(stage.name,) for stage in recipe.mix.stages] or [()]
    for row in mixture.plan.to_pylist():
        tier = (row["tier"],) if tokens.datasets == "tier" else ()
        if row["planned_count"]:
            names |= {dataset_name("train", *each, row["category"], *tier) for each in stages}
        if num_held_out(row["num_documents"], recipe.mix.validation):
            names.add(dataset_name("validation", row["category"], *tier))
    return sorted(names)
