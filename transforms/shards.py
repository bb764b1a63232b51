"""Shards: drawn documents in their shuffled order, as Parquet and as tokens.

A shard is written piece by piece, so that no more than one piece of it is in memory. Of tokens in
the format of Megatron each shard leaves a run for each dataset; `JoinRuns` joins the runs.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack

import apache_beam as beam
import pyarrow as pa
import pyarrow.compute as pc
from apache_beam import typehints

from glotmill.schemas import recipe
from glotmill.schemas.curriculum import Stage
from glotmill.schemas.manifest import FileEntry
from glotmill.schemas.tables import CORPUS, COUNTS, STATISTICS
from glotmill.transforms.batches import cut_by_bytes
from glotmill.transforms.compose import TOKENS
from glotmill.transforms.curriculum import read_curriculum
from glotmill.transforms.directions import FOLDER as DIRECTIONS_FOLDER
from glotmill.transforms.directions import directions_of_documents, merge_directions
from glotmill.transforms.exchange import PARTITION, read_pieces
from glotmill.transforms.plan import PLAN_PATH
from glotmill.transforms.pseudo_documents import AGAIN, NUM_PAIRS
from glotmill.transforms.realised import FOLDER as DRAWN_FOLDER
from glotmill.transforms.realised import drawn_sums, merge_drawn
from glotmill.transforms.records import write_record
from glotmill.transforms.statistics import merge, summarise
from glotmill.transforms.tables import TableWriter, write_table
from glotmill.transforms.token_shards import Naming, TokenShard, read_tiers

FOLDER = "mix"
ORDER = "order"
# Ties of the hash, which only equal texts have, are broken by where the row came from.
_SHARD_ORDER = [ORDER, "content_hash", "label", "source", "path", "offset", "copy"]
# Text that is copied at a time.
_PART_BYTES = 32 * 2**20

#: What is exchanged: rows of the shards, what the statistics count, and where they go. Where texts
#: are tokenized there is a column of tokens too.
DRAWN = pa.schema(
    [
        *CORPUS,
        pa.field(NUM_PAIRS, pa.int64()),
        pa.field(AGAIN, pa.bool_()),
        pa.field(ORDER, pa.int64()),
        pa.field(PARTITION, pa.int32()),
    ]
)


def num_shards(output: recipe.ParquetOutput) -> int:
    """Number of shards of both splits."""
    return output.shards + output.validation_shards


def shard_name(output: recipe.ParquetOutput, number: int) -> str:
    """Name of a shard among those of its kind: training shards first, then validation.

    >>> shard_name(recipe.ParquetOutput(shards=4), 3)
    'train-00003-of-00004'
    """
    if number < output.shards:
        return f"train-{number:05d}-of-{output.shards:05d}"
    return f"validation-{number - output.shards:05d}-of-{output.validation_shards:05d}"


def shard_path(output: recipe.ParquetOutput, number: int) -> str:
    """Path of a shard of documents, relative to the output."""
    return f"shards/{shard_name(output, number)}.parquet"


@typehints.with_input_types(tuple[int, Iterable[str]])
@typehints.with_output_types(str)
class WriteShard(beam.DoFn):
    """Writes a shard and leaves a record of its files."""

    def __init__(self, root: str, output: recipe.Output, stages: Sequence[Stage]) -> None:
        """Takes the output directory, what is to be written, and the stages of training."""
        self._root = root
        self._output = output.model_dump_json()
        self._stages = [stage.model_dump_json() for stage in stages]

    def process(self, element: tuple[int, Iterable[str]]) -> Iterator[str]:
        """Takes the number of the shard and the references to its rows."""
        number, references = element
        output = recipe.Output.model_validate_json(self._output)
        stages = [Stage.model_validate_json(stage) for stage in self._stages]
        pieces = (pa.Table.from_batches(piece) for piece in read_pieces(references))
        entries = write_shard(self._root, output, number, pieces, stages)
        yield write_record(self._root, FOLDER, f"{number:05d}", entries)


def write_shard(
    root: str,
    output: recipe.Output,
    number: int,
    pieces: Iterable[pa.Table],
    stages: Sequence[Stage] = (),
) -> list[FileEntry]:
    """Sorts the rows of a shard and writes them, and their statistics.

    Args:
        root: the output directory, with the plan.
        output: what is to be written.
        number: which shard this is.
        pieces: of the shard, in their order; of each the rows in the schema DRAWN in any order.
        stages: of training, which have datasets of tokens of their own.
    """
    split = "train" if number < output.parquet.shards else "validation"
    name = shard_name(output.parquet, number)
    path = shard_path(output.parquet, number)
    statistics, directions, drawn = [], [], []
    with ExitStack() as opened:
        rows = output.parquet.row_group_rows
        writer = opened.enter_context(TableWriter(root, path, CORPUS, row_group_rows=rows))
        tokens = None
        if output.tokens is not None:
            naming = Naming(
                split,
                output.tokens.datasets,
                read_tiers(root, PLAN_PATH),
                [stage.name for stage in stages],
                read_curriculum(root, stages),
            )
            tokens = opened.enter_context(TokenShard(root, output.tokens, name, naming))
        for piece in pieces:
            statistics.append(_statistics(piece, split))
            directions.append(_directions(piece, split))
            drawn.append(drawn_sums(piece, split))
            for part in _sorted_parts(piece):
                writer.write(part.select(CORPUS.names))
                if tokens is not None:
                    tokens.write(part)
            if tokens is not None:
                tokens.end_piece()
    entries = [*writer.entries, *(tokens.entries() if tokens is not None else [])]
    if not writer.entries:
        entries.append(write_table(root, path, CORPUS.empty_table()))
    sums = {
        f"{FOLDER}/statistics": merge(statistics),
        DRAWN_FOLDER: merge_drawn(drawn),
        DIRECTIONS_FOLDER: merge_directions(directions),
    }
    for folder, table in sums.items():
        if table.num_rows:
            entries.append(write_table(root, f"{folder}/{name}.parquet", table))
    return entries


def _sorted_parts(piece: pa.Table) -> Iterator[pa.RecordBatch]:
    """The rows of a piece in their order, in parts of bounded size."""
    order = pc.sort_indices(piece, [(name, "ascending") for name in _SHARD_ORDER])
    num_bytes = piece.column("num_bytes").take(order).to_numpy()
    # The texts of a piece may not fit the 32-bit offsets of one array, which `take` makes.
    wide = piece.cast(_wide(piece.schema))
    for start, end in cut_by_bytes(num_bytes, _PART_BYTES):
        part = wide.take(order.slice(start, end - start)).cast(piece.schema)
        yield from part.combine_chunks().to_batches()


def _wide(schema: pa.Schema) -> pa.Schema:
    """The schema with 64-bit offsets for texts and tokens."""
    for name in ("text", TOKENS):
        index = schema.get_field_index(name)
        if index >= 0:
            kind = schema.field(index).type
            wide = pa.large_string() if name == "text" else pa.large_list(kind.value_type)
            schema = schema.set(index, schema.field(index).with_type(wide))
    return schema


def _statistics(rows: pa.Table, split: str) -> pa.Table:
    """Sums of a shard; copies beyond a document's first have the reason `repeated`.

    Of pseudo-documents the pairs are counted, as the plan counts them, and those that are written
    both ways are repeated.
    """
    columns = [name for name in STATISTICS.names if name in CORPUS.names]
    table = rows.select(columns).append_column("reason", _repeated(rows))
    table = table.append_column("num_documents", rows.column(NUM_PAIRS))
    return merge([summarise(table, {"stage": FOLDER, "outcome": split})])


def _repeated(rows: pa.Table) -> pa.ChunkedArray:
    again = pc.or_(pc.greater(rows.column("copy"), 0), rows.column(AGAIN))
    return pc.if_else(again, "repeated", "")


def _directions(rows: pa.Table, split: str) -> pa.Table:
    """The pseudo-documents of a shard by direction, in the schema DIRECTIONS."""
    names = ["source", "label", "original_code", *COUNTS, NUM_PAIRS]
    table = rows.select(names).append_column("reason", _repeated(rows))
    pairs = table.filter(pc.equal(rows.column("category"), "bitext"))
    return directions_of_documents(pairs, {"outcome": split})
