"""How to read parallel text."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from glotmill.transforms.readers.records import Compression, ReadOptions

BitextFormat = Literal[
    "tmx", "moses", "tsv", "csv", "jsonl", "parquet", "xces", "po", "xliff", "messages"
]
BITEXT_FORMATS: tuple[BitextFormat, ...] = (
    "tmx",
    "moses",
    "tsv",
    "csv",
    "jsonl",
    "parquet",
    "xces",
    "po",
    "xliff",
    "messages",
)


@dataclass(frozen=True, kw_only=True)
class Side:
    """A column with the text of one language.

    Attributes:
        text: Name of the column, or its number from 1 in delimited text without a header. In JSON
            and Parquet a dotted path reaches into objects.
        code: The language of every row.
        code_column: The column that names the language of each row, instead.
    """

    text: str
    code: str | None = None
    code_column: str | None = None

    def __post_init__(self) -> None:
        if self.code is not None and self.code_column is not None:
            raise ValueError(f"side {self.text!r} has a code and a code_column; give one of them")


EMMA_SIDES = (
    Side(text="src_text", code_column="src_lang"),
    Side(text="tgt_text", code_column="tgt_lang"),
)
"""The columns of EMMA's bitext; what JSONL and Parquet are read by where nothing else is said."""


@dataclass(frozen=True, kw_only=True)
class BitextOptions:
    """How to read parallel files.

    Attributes:
        sides: Columns with text (TSV, CSV, JSONL, Parquet); `EMMA_SIDES` if left out.
        translation: Column with a dictionary from code to text, instead: an object in JSONL, a
            struct or a map in Parquet.
        codes: Languages in the order of the files (Moses, messages) or of source and target (PO,
            XLIFF, XCES). They go before what the file says; None leaves it the word.
        codes_path: A tab-separated file with the codes of every line, one column a side (Moses).
        delimiter: What stands between the columns of TSV (else a tab) and CSV (else a comma).
        quoted: Whether their fields may stand in quotation marks; else they may in CSV only.
        scores: Name in the output to column, or to the type of a TMX property. In TMX, without it,
            every property whose type begins with ``score`` is one.
        external_id: Column, or type of a TMX property, that identifies a unit. Formats with an
            identifier of their own (tuid, line number, msgctxt, link id) need none.
        document: Column, or type of a TMX property, with the name of the document.
        url: Column, or type of a TMX property, with an address.
        documents: Folders and ZIP files with the sentences that an XCES alignment refers to.
        keep_unreviewed: Read PO entries marked fuzzy and XLIFF targets in need of review.
        repair_entities: In TMX and XLIFF, replace HTML's named entities and take a bare ``&`` for
            itself where a unit cannot be parsed. Otherwise such a unit is a reject.
        min_segments: Units with fewer segments are rejected as ``missing_side``.
        max_record_bytes: Longer units are rejected, unread.
        max_document_bytes: Longer documents of XCES, and files of messages, are rejected, unread.
        max_rows: Units of a batch, at most.
        max_bytes: A batch ends with the unit that reaches this many bytes.
        compression: How the bytes are packed; ``auto`` looks at them.
    """

    sides: tuple[Side, ...] = ()
    translation: str | None = None
    codes: tuple[str | None, ...] = ()
    codes_path: str | None = None
    delimiter: str | None = None
    quoted: bool | None = None
    scores: Mapping[str, str] = field(default_factory=dict)
    external_id: str | None = None
    document: str | None = None
    url: str | None = None
    documents: tuple[str, ...] = ()
    keep_unreviewed: bool = False
    repair_entities: bool = False
    min_segments: int = 2
    max_record_bytes: int = 10 << 20
    max_document_bytes: int = 256 << 20
    max_rows: int = 2000
    max_bytes: int = 8 << 20
    compression: Compression = "auto"

    def __post_init__(self) -> None:
        for name in ("min_segments", "max_document_bytes"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, not {getattr(self, name)}")
        if self.sides and self.translation is not None:
            raise ValueError("sides and translation both say where the texts are; give one of them")
        if self.delimiter is not None and (len(self.delimiter) != 1 or self.delimiter in '"\r\n'):
            raise ValueError(f"a delimiter is one character, not {self.delimiter!r}")
        if self.codes and self.codes_path is not None:
            raise ValueError("codes and codes_path both name the languages; give one of them")
        self.limits()  # checks the rest

    def limits(self) -> ReadOptions:
        """The part of the options that all readers share."""
        return ReadOptions(
            max_record_bytes=self.max_record_bytes,
            max_rows=self.max_rows,
            max_bytes=self.max_bytes,
            compression=self.compression,
        )

    def code(self, index: int) -> str | None:
        """The language set for one file or side, or None."""
        return self.codes[index] if index < len(self.codes) else None
