"""What is written: shards of documents, and files of tokens."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from glotmill.schemas.model import Model


class ParquetOutput(Model):
    """Sharded Parquet."""

    shards: int = Field(16, ge=1, le=100_000)
    """Number of training shards."""
    validation_shards: int = Field(1, ge=1, le=10_000)
    """Number of validation shards."""
    row_group_rows: int = Field(10_000, ge=1)
    """Rows in a row group."""


class TokenOutput(Model):
    """Files of tokens, for training frameworks."""

    tokenizer: Annotated[str, Field(min_length=1)]
    """Path or URI of a `tokenizer.json`, a SentencePiece model, or ranks of tiktoken."""
    encoding: str | None = None
    """Of a file of tiktoken's ranks that does not tell it, such as `cl100k_base`."""
    append_eos: bool = True
    """End each document with the tokenizer's end-of-text token."""
    prepend_bos: bool = False
    """Begin each document with its beginning-of-text token."""
    eos: str | None = None
    """The token that ends a document, where the tokenizer names none or another is wanted."""
    bos: str | None = None
    """The token that begins one."""
    formats: list[Literal["megatron", "parquet"]] = Field(["megatron"], min_length=1)
    """`megatron`: .bin and .idx for Megatron, GPT-NeoX and our trainer; `parquet`: lists of ids."""
    datasets: Literal["category", "tier"] = "category"
    """One .bin and .idx for each split and category, or for each split, category and tier."""
    sequence_length: int | None = Field(None, ge=8, le=2**24)
    """Length of packed sequences, in tokens; they are written where it is set."""
    packing: Literal["concatenate", "best_fit"] = "concatenate"
    """Cut the joined documents, or pack them so that none is cut that fits into a sequence."""


class Output(Model):
    """What is written."""

    parquet: ParquetOutput = ParquetOutput()
    """Shards of documents."""
    tokens: TokenOutput | None = None
    """Files of tokens; without it texts are not tokenized."""
