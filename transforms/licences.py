"""Licences: which share of what was drawn is under which licence, and which source it is from.

Shares are of tokens, or of UTF-8 bytes where nothing was tokenized. Text whose source names no
licence is listed as `unknown`; it is never left out of a sum.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import pyarrow as pa
import pyarrow.compute as pc

from glotmill.schemas.manifest import FileEntry
from glotmill.transforms.realised import FOLDER as DRAWN_FOLDER
from glotmill.transforms.realised import merge_drawn
from glotmill.transforms.tables import read_table

PATH = "statistics/licences.parquet"
#: What stands for the licence where a source names none.
UNKNOWN = "unknown"

_KEYS = ["split", "category", "source", "licence"]
_SUMS = ["num_documents", "num_bytes", "num_tokens"]

#: What was drawn for each split of each category and source. A source has one licence.
LICENCES = pa.schema(
    [
        # train | validation
        pa.field("split", pa.string(), nullable=False),
        pa.field("category", pa.string(), nullable=False),
        pa.field("source", pa.string(), nullable=False),
        # UNKNOWN where the recipe names none.
        pa.field("licence", pa.string(), nullable=False),
        # Rows of shards: copies count, pseudo-documents count once.
        pa.field("num_documents", pa.int64(), nullable=False),
        pa.field("num_bytes", pa.int64(), nullable=False),
        # 0 where nothing was tokenized.
        pa.field("num_tokens", pa.int64(), nullable=False),
        # Of the split: of its tokens, or of its bytes where nothing was tokenized.
        pa.field("share", pa.float64(), nullable=False),
    ]
)


def read_drawn(root: str, mix: Iterable[FileEntry]) -> pa.Table:
    """Sums of all shards, in the schema DRAWN_SUMS.

    Args:
        root: the output directory.
        mix: files that the stage `mix` has written.
    """
    paths = [file.path for file in mix if file.path.startswith(f"{DRAWN_FOLDER}/")]
    return merge_drawn(read_table(f"{root}/{path}") for path in paths)


def licences(drawn: pa.Table) -> pa.Table:
    """What was drawn by split, category, source and licence, in the schema LICENCES.

    Rows are in the order of split, of shares from the largest, and of names.

    Args:
        drawn: sums of all shards, in the schema DRAWN_SUMS.
    """
    licence = drawn.column("licence")
    named = pc.if_else(pc.equal(pc.utf8_trim_whitespace(licence), ""), UNKNOWN, licence)
    place = drawn.schema.get_field_index("licence")
    return _with_shares(drawn.set_column(place, "licence", named), _KEYS).cast(LICENCES)


def licence_shares(
    table: pa.Table, split: str = "train", keys: Sequence[str] = ("licence",)
) -> list[dict[str, object]]:
    """The same of one split by other keys: what a table or a chart of licences shows.

    Args:
        table: in the schema LICENCES.
        split: train or validation.
        keys: some of category, source and licence.

    Returns:
        Rows with the keys, num_documents, num_bytes, num_tokens and share, the largest share
        first; shares sum to 1.
    """
    rows = table.filter(pc.equal(table.column("split"), split))
    return _with_shares(rows, ["split", *keys]).drop_columns(["split"]).to_pylist()


def measure(table: pa.Table) -> str:
    """What shares are of: `tokens`, or `bytes` where nothing was tokenized."""
    return "tokens" if pc.any(pc.greater(table.column("num_tokens"), 0)).as_py() else "bytes"


def _with_shares(table: pa.Table, keys: list[str]) -> pa.Table:
    """Sums by keys, which begin with the split, and their shares of its sum."""
    amount = f"num_{measure(table)}"
    summed = table.group_by(keys).aggregate([(name, "sum") for name in _SUMS])
    summed = summed.rename_columns([name.removesuffix("_sum") for name in summed.schema.names])
    totals: dict[str, int] = {}
    splits, amounts = (summed.column(name).to_pylist() for name in ("split", amount))
    for split, count in zip(splits, amounts, strict=True):
        totals[split] = totals.get(split, 0) + count
    shares = [_share(count, totals, split) for split, count in zip(splits, amounts, strict=True)]
    summed = summed.append_column("share", pa.array(shares, pa.float64()))
    order = [("split", "ascending"), ("share", "descending")]
    order += [(key, "ascending") for key in keys[1:]]
    return summed.sort_by(order).select([*keys, *_SUMS, "share"])


def _share(count: int, totals: Mapping[str, int], split: str) -> float:
    return count / totals[split] if totals[split] else 0.0
