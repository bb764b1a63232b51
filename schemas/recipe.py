"""The recipe: what a person writes, as pydantic models.

Every option has a default and a description; `glotmill schema` prints them as JSON Schema.
Nothing here reads a file: :mod:`glotmill.schemas.loading` does.
"""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import Field, JsonValue, field_validator, model_validator
from pydantic_core import PydanticCustomError

from glotmill.language_registry import UnknownCode, resolve
from glotmill.schemas.model import Model
from glotmill.schemas.tiers import Tier, tier_table

Category = Literal["monolingual", "bitext", "code", "paper", "book", "instruction"]
FileFormat = Literal["jsonl", "parquet", "text", "text_file", "tsv"]
Share = Annotated[float, Field(ge=0.0, le=1.0)]
Path = Annotated[str, Field(min_length=1)]
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")]


def _misplaced(message: str, *location: str | int) -> PydanticCustomError:
    """An error about one place that shows only when the whole recipe is looked at."""
    return PydanticCustomError("misplaced", "{message}", {"message": message, "location": location})


class LanguageColumn(Model):
    """The language code stands in a column of the data."""

    column: str
    """Name of the column; dots reach into nested objects (`meta.lang`)."""


class LanguageCode(Model):
    """The whole source is in one language."""

    code: str
    """Any code the registry resolves: `swa_Latn`, `sw`, `zh-TW`, `pt-BR`."""

    @field_validator("code")
    @classmethod
    def _known(cls, code: str) -> str:
        try:
            resolve(code)
        except UnknownCode as error:
            raise ValueError(str(error)) from None
        return code


class LanguagePath(Model):
    """The language code is a part of each file's path."""

    path: str
    """Regular expression whose only group is the code: `/([a-z]{3}_[A-Z][a-z]{3})\\.txt`."""

    @field_validator("path")
    @classmethod
    def _one_group(cls, pattern: str) -> str:
        try:
            groups = re.compile(pattern).groups
        except re.error as error:
            raise ValueError(f"not a regular expression: {error}") from None
        if groups != 1:
            raise ValueError(f"wants one group around the language code, found {groups}")
        return pattern


Language = Literal["identify"] | LanguageColumn | LanguageCode | LanguagePath


class Source(Model):
    """Files that are read alike."""

    name: Name
    """Short and unique; it stands on every row."""
    path: Path | Annotated[list[Path], Field(min_length=1)]
    """Path, glob or URI, or several; relative ones start at the recipe's folder."""
    format: Literal["auto"] | FileFormat = "auto"
    """`auto` goes by the file name; `text` is a document a line, `text_file` one a file."""
    category: Category = "monolingual"
    """Which part of the mixture it belongs to."""
    text: str = "text"
    """Column that holds the text; `sentences[]` joins a list of strings (JSON)."""
    language: Language = "identify"
    """Where the language code comes from; `identify` asks the model."""
    id: str | None = None
    """Column with the identifier of the document in its source."""
    url: str | None = None
    """Column with the address of the document."""
    domain: str | None = None
    """Field of the texts (religious, news, legal, ...)."""
    licence: str | None = None
    """Licence of the texts, as an SPDX identifier where there is one."""
    priority: int = Field(0, gt=-(2**31), lt=2**31)
    """Of equal documents the one of the higher priority stays."""
    strip_markup: bool = False
    """Remove XML and HTML tags and decode entities."""

    @property
    def patterns(self) -> list[str]:
        """Paths as a list."""
        return [self.path] if isinstance(self.path, str) else list(self.path)


class Normalise(Model):
    """Repairs that change no meaning; code is only repaired in its encoding."""

    unicode: Literal["NFC", "none"] = "NFC"
    """Unicode normalisation form."""
    ftfy: bool = True
    """Repair mojibake and stray HTML entities with ftfy."""
    whitespace: bool = True
    """One kind of line end, no runs of blanks, at most one empty line in a row."""
    control_characters: bool = True
    """Remove control characters that are not white space; joiners and marks stay."""


class Script(Model):
    """Recognition of the script, over letters only."""

    min_share: Share = 0.5
    """Least share of the main script among the letters, or the document is dropped."""


def _label_of(key: str) -> str:
    """The label that a key of `identify.thresholds` names."""
    where = ("identify", "thresholds", key)
    try:
        found = resolve(key)
    except UnknownCode as error:
        raise _misplaced(str(error), *where) from None
    if any(note.startswith("script ") for note in found.assumed):
        raise _misplaced(f"'{key}' names no script; write a label such as '{found.label}'", *where)
    return found.label


class Identify(Model):
    """Language identification with a fastText model."""

    enabled: bool = True
    """Without it every source has to declare its language."""
    model: str = "builtin"
    """`builtin` (lid.176), a path, or a URI: `gs://`, `s3://`, `hf://owner/name/file`."""
    sample_characters: int = Field(400, ge=50)
    """Length of the sample of each document that is judged, in characters."""
    min_letters: int = Field(20, ge=0)
    """With fewer letters a document is marked too short to judge."""
    threshold: Share = 0.5
    """Least confidence that counts."""
    thresholds: dict[str, Share] = Field(default_factory=dict)
    """Least confidence by identified label, as in `{swa_Latn: 0.3}`."""
    min_consistency: Share = 0.0
    """Least share of sentences that confirm the label; 0 does not judge sentences at all."""
    on_mismatch: Literal["keep", "relabel", "drop"] = "keep"
    """What to do where the model names another language than the source declares."""
    on_unidentified: Literal["keep", "drop"] = "drop"
    """What to do where nothing is declared and the model is unsure (kept as `und`)."""

    @field_validator("thresholds")
    @classmethod
    def _known_labels(cls, thresholds: dict[str, float]) -> dict[str, float]:
        known: dict[str, float] = {}
        for key, threshold in thresholds.items():
            label = _label_of(key)
            if label in known:
                raise _misplaced(f"'{label}' is listed twice", "identify", "thresholds", key)
            known[label] = threshold
        return known


class CustomStage(Model):
    """A stage or filter of an installed package."""

    name: str
    """Its name in the entry point group `glotmill.stages`."""
    options: dict[str, JsonValue] = Field(default_factory=dict)
    """Keyword arguments it is made with."""


class Filters(Model):
    """Which documents are dropped; each filter is a drop reason of its own."""

    min_characters: int = Field(10, ge=0)
    """Shorter documents are dropped."""
    max_characters: int = Field(10_000_000, ge=1)
    """Longer documents are dropped."""
    max_repeated_line_share: Share = 0.5
    """Most of its characters that may stand in lines that stood there before."""
    max_repeated_ngram_share: Share = 0.6
    """Most of its 5-grams of words that may be repeats (documents of 50 words or more)."""
    custom: list[CustomStage] = Field(default_factory=list)
    """Filters of your own, from installed packages."""


class Near(Model):
    """Removal of near duplicates by MinHash; case and punctuation do not count."""

    ngram: int = Field(5, ge=1, le=64)
    """Words in a shingle, in scripts that put spaces between words."""
    character_ngram: int = Field(5, ge=1, le=64)
    """Letters, each with its marks, in a shingle of the other scripts."""
    bands: int = Field(20, ge=1, le=256)
    """Bands of a signature; documents that agree in one are compared."""
    rows: int = Field(5, ge=1, le=64)
    """Values in a band; a signature has bands times rows."""
    verify: Literal["sketch", "jaccard", "none"] = "sketch"
    """Compare by signatures, by all shingles of the texts, or take every shared band for true."""
    min_similarity: Share = 0.65
    """Least Jaccard similarity of two near duplicates."""
    max_cluster: int = Field(10_000, ge=2)
    """More different texts in one cluster are taken for a mistake."""
    max_label_share: Share = 0.2
    """So are 100 and more that are a larger share of a label's documents."""
    on_oversized: Literal["stop", "keep", "remove"] = "stop"
    """What to do then: stop and show samples, keep the texts, or remove them all the same."""


class Deduplicate(Model):
    """Removal of duplicates."""

    exact: bool = True
    """Remove documents whose normalised text is equal."""
    near: Near | None = None
    """Remove near duplicates too; `near: {}` takes the defaults."""
    scope: Literal["label", "source", "category", "all"] = "label"
    """Documents are compared within one label, source, category, or everywhere."""
    against: list[Path] = Field(default_factory=list)
    """Outputs of earlier runs: what is in those corpora is not wanted again."""


class Validation(Model):
    """Documents held out of training, per label."""

    share: Share = 0.01
    """Share of a label's documents."""
    max_documents: int = Field(200, ge=0)
    """Never more than this per label."""
    min_documents: int = Field(1, ge=0)
    """At least this many per label that has ten times as many."""


class Mix(Model):
    """How much of each label is drawn."""

    count_by: Literal["words", "whitespace_words", "bytes", "characters"] = "words"
    """The unit of tiers and of the plan."""
    tiers: str | list[Tier] = "emma500-monolingual"
    """Name of a shipped table, or a table written here."""
    strategy: Literal["rates"] = "rates"
    """`rates`: each tier says how often its documents are drawn."""
    exclude: list[Category] = Field(default_factory=list)
    """Categories left out."""
    validation: Validation = Validation()
    """The held-out split."""

    @field_validator("tiers")
    @classmethod
    def _known_table(cls, tiers: str | list[Tier]) -> str | list[Tier]:
        tier_table(tiers)
        return tiers


class ParquetOutput(Model):
    """Sharded Parquet."""

    shards: int = Field(16, ge=1, le=100_000)
    """Number of training shards."""
    validation_shards: int = Field(1, ge=1, le=10_000)
    """Number of validation shards."""
    row_group_rows: int = Field(10_000, ge=1)
    """Rows in a row group."""


class Output(Model):
    """What is written."""

    parquet: ParquetOutput = ParquetOutput()
    """Shards of documents."""


class Ingest(Model):
    """How inputs are cut for the engine."""

    unit_bytes: int = Field(32 * 2**20, ge=1024)
    """Aimed size of a unit, in bytes of input."""
    max_record_bytes: int = Field(10 * 2**20, ge=1024)
    """Longer records are rejected."""


class Recipe(Model):
    """One corpus, from sources to shards."""

    glotmill: Literal[1]
    """Version of the recipe's language."""
    name: Name
    """Name of the corpus."""
    seed: int = Field(42, ge=0, lt=2**63)
    """All sampling, splitting and shuffling hash this."""
    sources: Annotated[list[Source], Field(min_length=1)]
    """What is read, in order of precedence among equals."""
    ingest: Ingest = Ingest()
    """How inputs are cut for the engine."""
    normalise: Normalise = Normalise()
    """Repairs of the text."""
    stages: list[CustomStage] = Field(default_factory=list)
    """Annotating stages of your own, run after normalisation."""
    script: Script = Script()
    """Script recognition."""
    identify: Identify = Identify()
    """Language identification."""
    filters: Filters = Filters()
    """What is dropped."""
    deduplicate: Deduplicate = Deduplicate()
    """Duplicates."""
    mix: Mix = Mix()
    """The mixture."""
    output: Output = Output()
    """Shards."""

    @model_validator(mode="after")
    def _unique_names(self) -> Recipe:
        names = [source.name for source in self.sources]
        for index, name in enumerate(names):
            if name in names[:index]:
                raise _misplaced(f"another source has the name '{name}'", "sources", index, "name")
        return self

    @model_validator(mode="after")
    def _languages_known(self) -> Recipe:
        if not self.identify.enabled:
            silent = [source.name for source in self.sources if source.language == "identify"]
            if silent:
                names = ", ".join(silent)
                raise _misplaced(
                    f"identification is off, so these sources need a language: {names}",
                    *("identify", "enabled"),
                )
        return self


def json_schema() -> dict[str, JsonValue]:
    """JSON Schema of the recipe, for editors; `extends` is resolved before validation."""
    schema = Recipe.model_json_schema()
    schema["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    schema["properties"]["extends"] = {
        "type": "string",
        "description": "Another recipe that this one refines; maps merge, lists replace.",
    }
    schema["required"] = ["glotmill"]
    return schema
