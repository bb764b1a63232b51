"""The recipe: what a person writes, as pydantic models.

Every option has a default and a description; `glotmill schema` prints them as JSON Schema.
Nothing here reads a file: :mod:`glotmill.schemas.loading` does.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import (
    AfterValidator,
    Field,
    JsonValue,
    ValidationInfo,
    field_validator,
    model_validator,
)

from glotmill.language_registry import UnknownCode, resolve
from glotmill.schemas.bitext import Bitext as Bitext
from glotmill.schemas.curriculum import check_stages
from glotmill.schemas.evaluation import Decontaminate
from glotmill.schemas.filters import CustomStage as CustomStage
from glotmill.schemas.filters import Filters as Filters
from glotmill.schemas.formats import (
    BITEXT_FORMATS,
    TEXT_FORMATS,
    InputFormat,
    format_by_name,
)
from glotmill.schemas.mixture import EVERY_DOMAIN
from glotmill.schemas.mixture import Mix as Mix
from glotmill.schemas.mixture import Validation as Validation
from glotmill.schemas.mixture import WeightsFromRates as WeightsFromRates
from glotmill.schemas.mixture import WeightTable as WeightTable
from glotmill.schemas.model import Model
from glotmill.schemas.output import Output as Output
from glotmill.schemas.output import ParquetOutput as ParquetOutput
from glotmill.schemas.output import TokenOutput as TokenOutput
from glotmill.schemas.pairs import Pairs, unfit_options
from glotmill.schemas.problems import did_you_mean, nearest_name
from glotmill.schemas.values import Category as Category
from glotmill.schemas.values import Share as Share
from glotmill.schemas.values import by_label, is_of_a_lock, label_of, misplaced

Path = Annotated[str, Field(min_length=1)]
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")]


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
    format: Literal["auto"] | InputFormat = "auto"
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
    pairs: Pairs | None = None
    """How parallel text is read and paired (`category: bitext`)."""

    @property
    def patterns(self) -> list[str]:
        """Paths as a list."""
        return [self.path] if isinstance(self.path, str) else list(self.path)

    @property
    def is_bitext(self) -> bool:
        """Whether it is parallel text."""
        return self.category == "bitext"

    @property
    def formats(self) -> list[InputFormat]:
        """The formats that the recipe tells; the names of the files may tell others."""
        if self.format != "auto":
            return [self.format]
        told = (format_by_name(pattern, bitext=self.is_bitext) for pattern in self.patterns)
        return sorted({each for each in told if each is not None})


def _misfits(source: Source, *, identified: bool) -> Iterator[tuple[tuple[str, ...], str]]:
    """The keys of a source that do not suit its category, each with what is wrong."""
    if not source.is_bitext:
        if source.pairs is not None:
            yield ("pairs",), "'pairs' is for parallel text; write 'category: bitext'"
        if source.format not in ("auto", *TEXT_FORMATS):
            yield (
                ("format",),
                f"'{source.format}' is a format of parallel text; write 'category: bitext'",
            )
        return
    if source.format not in ("auto", *BITEXT_FORMATS):
        known = ", ".join(BITEXT_FORMATS)
        yield ("format",), f"'{source.format}' is no format of parallel text; there are {known}"
    if source.text != "text":
        yield ("text",), "parallel text has several texts; name their columns in 'pairs.sides'"
    if source.language != "identify":
        message = "'language' is for text of one language; see 'pairs.codes' and 'pairs.sides'"
        yield ("language",), message
    if source.formats:
        pairs = source.pairs or Pairs()
        for name, message in unfit_options(pairs, source.formats, identified=identified):
            yield ("pairs", name), message


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
    """Least share of the main script, as recognition weighs it, or the document is dropped."""


def _threshold_label(code: str) -> str:
    label_of(code, "identify", "thresholds", code)
    return code


# Each key is looked at for itself, so that all that are wrong are told at once.
_ThresholdLabel = Annotated[str, AfterValidator(_threshold_label)]


class Identify(Model):
    """Language identification with a fastText model."""

    enabled: bool = True
    """Without it every source has to declare its language."""
    model: str = "builtin"
    """`builtin` (lid.176), a path, or a URI: `gs://`, `s3://`, `hf://owner/name/file`."""
    sample_characters: int = Field(400, ge=50)
    """Length of the sample of each document that is judged, in characters."""
    min_letters: int = Field(20, ge=0)
    """With fewer letters of Latin script, or than weigh that, a document is too short to judge."""
    threshold: Share = 0.5
    """Least confidence that counts."""
    thresholds: dict[_ThresholdLabel, Share] = Field(default_factory=dict)
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
        return by_label(thresholds, "identify", "thresholds")


class Near(Model):
    """Removal of near duplicates by MinHash; case and punctuation do not count."""

    ngram: int = Field(5, ge=1, le=64)
    """Words in a shingle, in scripts that put spaces between words."""
    character_ngram: int = Field(5, ge=1, le=64)
    """Characters in a shingle of scripts without spaces, such as Han."""
    cluster_ngram: int = Field(3, ge=1, le=64)
    """Letters with their marks in a shingle of those of them that write vowels as marks."""
    bands: int = Field(20, ge=1, le=256)
    """Bands of a signature; documents that agree in one are compared."""
    rows: int = Field(5, ge=1, le=64)
    """Values in a band; a signature has bands times rows."""
    verify: Literal["sketch", "jaccard", "none"] = "sketch"
    """Compare by signatures, by all shingles of the texts, or take every shared band for true."""
    min_similarity: Share = 0.6
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
    max_repeated_sides: int | None = Field(10, ge=1)
    """Pairs of parallel text that may share a source or a target; `null` sets no cap."""
    against: list[Path] = Field(default_factory=list)
    """Outputs of earlier runs: what is in those corpora is not wanted again."""


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
    decontaminate: Decontaminate | None = None
    """Evaluation sets whose text is not wanted."""
    deduplicate: Deduplicate = Deduplicate()
    """Duplicates."""
    bitext: Bitext = Bitext()
    """How pairs become documents."""
    mix: Mix = Mix()
    """The mixture."""
    output: Output = Output()
    """Shards."""

    @model_validator(mode="after")
    def _unique_names(self) -> Recipe:
        names = [source.name for source in self.sources]
        for index, name in enumerate(names):
            if name in names[:index]:
                raise misplaced(f"another source has the name '{name}'", "sources", index, "name")
        return self

    @model_validator(mode="after")
    def _categories_fit(self) -> Recipe:
        for index, source in enumerate(self.sources):
            for key, message in _misfits(source, identified=self.identify.enabled):
                raise misplaced(message, "sources", index, *key)
        return self

    @model_validator(mode="after")
    def _languages_known(self) -> Recipe:
        if not self.identify.enabled:
            silent = [
                source.name
                for source in self.sources
                if source.language == "identify" and not source.is_bitext
            ]
            if silent:
                names = ", ".join(silent)
                raise misplaced(
                    f"identification is off, so these sources need a language: {names}",
                    *("identify", "enabled"),
                )
        return self

    @model_validator(mode="after")
    def _clusters_known(self) -> Recipe:
        if self.mix.rehydrate and not (self.deduplicate.exact or self.deduplicate.near):
            message = "there are no clusters: 'deduplicate' has neither 'exact' nor 'near'"
            raise misplaced(message, "mix", "rehydrate")
        return self

    @model_validator(mode="after")
    def _tokens_made(self) -> Recipe:
        if self.mix.count_by == "tokens" and self.output.tokens is None:
            message = "there are no tokens to count: name a tokenizer in 'output.tokens'"
            raise misplaced(message, "mix", "count_by")
        return self

    @model_validator(mode="after")
    def _tiers_told_apart(self, info: ValidationInfo) -> Recipe:
        tokens = self.output.tokens
        if tokens is not None and tokens.datasets == "tier" and not is_of_a_lock(info):
            self.mix.check_names_of_tiers()
        return self

    @model_validator(mode="after")
    def _staged(self) -> Recipe:
        there = {source.category for source in self.sources} - set(self.mix.exclude)
        check_stages(self.mix.stages, sorted(there))
        return self

    @model_validator(mode="after")
    def _some_category(self, info: ValidationInfo) -> Recipe:
        there = list(dict.fromkeys(source.category for source in self.sources))
        if set(there) <= set(self.mix.exclude) and not is_of_a_lock(info):
            message = f"'exclude' leaves nothing to draw: all sources are of {', '.join(there)}"
            raise misplaced(message, "mix", "exclude")
        return self

    @model_validator(mode="after")
    def _domains_known(self, info: ValidationInfo) -> Recipe:
        there = sorted({source.domain or "" for source in self.sources})
        if "" in there or is_of_a_lock(info):
            return self
        # A cap like no domain may be meant for sources of another recipe: a run notes it.
        for name in self.mix.domain_caps:
            known = name in (EVERY_DOMAIN, *there)
            if not known and nearest_name(name, there) is not None:
                message = f"no source is of the domain '{name}'; {did_you_mean(name, there)}"
                raise misplaced(message, "mix", "domain_caps", name)
        return self

    @property
    def counts_shadows(self) -> bool:
        """Whether documents that the filters drop count in the sizes of clusters."""
        return isinstance(self.mix.rehydrate, WeightsFromRates)


def json_schema() -> dict[str, JsonValue]:
    """JSON Schema of the recipe, for editors; `extends` is resolved before validation."""
    schema = Recipe.model_json_schema()
    schema["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    schema["properties"]["extends"] = {
        "type": "string",
        "description": "Another recipe that this one refines; maps merge, lists replace.",
    }
    # The version may be that of the base.
    schema.pop("required", None)
    schema["anyOf"] = [{"required": ["glotmill"]}, {"required": ["extends"]}]
    return schema
