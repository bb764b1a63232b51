"""The section `mix:` of the recipe: how much of each label is drawn."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Annotated, Literal, TypeVar, get_args

from pydantic import Field, ValidationInfo, field_validator, model_validator

from glotmill.schemas.curriculum import Stage
from glotmill.schemas.model import Model
from glotmill.schemas.problems import did_you_mean
from glotmill.schemas.shares import Portion, SharePart, check_shares, share_table
from glotmill.schemas.tiers import MAX_RATE, CategoryTiers, Rate, Tier, TiersOption, tiers_of
from glotmill.schemas.values import (
    MANY_LANGUAGES,
    Category,
    Share,
    by_label,
    is_of_a_lock,
    label_of,
    misplaced,
)

_CATEGORIES = get_args(Category)
_ALPHA = 0.3
_PAIR = re.compile(r"[a-z]{3}_[A-Z][a-z]{3}(-[a-z]{3}_[A-Z][a-z]{3})+")

Weight = Annotated[float, Field(gt=0.0, allow_inf_nan=False)]
Amount = Annotated[float, Field(gt=0.0, allow_inf_nan=False)]
Epochs = Annotated[float, Field(gt=0.0, le=MAX_RATE)]
Cap = Annotated[float, Field(gt=0.0, le=1.0)]
_Value = TypeVar("_Value")

#: In `domain_caps`: every domain that has no entry of its own.
EVERY_DOMAIN = "*"


class Validation(Model):
    """Documents held out of training, per label."""

    share: Share = 0.01
    """Share of a label's documents."""
    max_documents: int = Field(200, ge=0)
    """Never more than this per label."""
    min_documents: int = Field(1, ge=0)
    """At least this many per label that has ten times as many."""

    @model_validator(mode="after")
    def _ordered(self, info: ValidationInfo) -> Validation:
        # None at all may be held out without a word on the least number, which is 1.
        if self.min_documents > max(self.max_documents, 1) and not is_of_a_lock(info):
            raise ValueError(
                f"'min_documents' is {self.min_documents}, more than 'max_documents', which is "
                f"{self.max_documents}"
            )
        return self


def _ascending(table: Mapping[int, float], *where: str) -> dict[int, float]:
    """A table of weights by the sizes from which they hold, sorted."""
    for size in table:
        if size < 1:
            raise misplaced(f"a cluster has 1 document or more, not {size}", *where, str(size))
    return dict(sorted(table.items()))


class WeightTable(Model):
    """Weights by the size of the cluster, as a table."""

    table: dict[int, Weight]
    """Weight from a size of cluster on, up to the next one listed: `{1: 1, 2: 3, 5: 4}`."""
    labels: dict[str, dict[int, Weight]] = Field(default_factory=dict)
    """Tables of labels that go before the general one, as in `{swa_Latn: {2: 5}}`."""

    @field_validator("table")
    @classmethod
    def _sizes(cls, table: dict[int, float]) -> dict[int, float]:
        return _ascending(table, "mix", "rehydrate", "table")

    @field_validator("labels")
    @classmethod
    def _known_labels(cls, labels: dict[str, dict[int, float]]) -> dict[str, dict[int, float]]:
        where = ("mix", "rehydrate", "labels")
        return by_label({key: _ascending(labels[key], *where, key) for key in labels}, *where)


class WeightsFromRates(Model):
    """Weights by how often the filters drop documents of clusters of a size."""

    method: Literal["fineweb2"]
    """`fineweb2`: the less is dropped of a size of cluster, the more often it is drawn."""
    max_repetitions: int = Field(10, ge=1, le=1_000)
    """Weight of the size of which the least is dropped."""
    min_clusters: int = Field(100, ge=1)
    """From the first size on that has fewer clusters, all sizes are taken together."""


def dataset_part(name: str) -> str:
    """How a stage, category or tier stands in the names of datasets, which are names of files.

    >>> dataset_part("Very / high!")
    'Very-high'
    """
    return re.sub(r"[\W_]+", "-", name).strip("-")


def text_key(category: str, label: str) -> str:
    """How the options of the mixture name the text of a category in a label.

    >>> text_key("book", "eng_Latn")
    'book/eng_Latn'
    """
    return f"{category}/{label}"


def full_text_key(key: str, *where: str) -> str:
    """The full name of what a person may write shorter.

    A label by itself is text of the category `monolingual`, or of `bitext` where it is of pairs.

    Args:
        key: what a person wrote.
        where: its location in the recipe.

    Raises:
        PydanticCustomError: it names no category, or no label.

    >>> full_text_key("zh-Hant"), full_text_key("fra_Latn-eng_Latn")
    ('monolingual/zho_Hant', 'bitext/eng_Latn-fra_Latn')
    """
    category, slash, label = key.rpartition("/")
    if slash and category not in _CATEGORIES:
        known = did_you_mean(category, list(_CATEGORIES))
        raise misplaced(f"'{category}' is no category; {known}", *where)
    if label == MANY_LANGUAGES:
        return text_key(category or "bitext", label)
    if _PAIR.fullmatch(label):
        parts = sorted(label_of(part, *where) for part in label.split("-"))
        return text_key(category or "bitext", "-".join(parts))
    return text_key(category or "monolingual", label_of(label, *where))


def _by_text(values: Mapping[str, _Value], *where: str) -> dict[str, _Value]:
    """Values by the full names of what their keys name, none twice."""
    known: dict[str, _Value] = {}
    for key, value in values.items():
        name = full_text_key(key, *where, key)
        if name in known:
            raise misplaced(f"'{name}' is listed twice", *where, key)
        known[name] = value
    return known


class MaxEpochs(Model):
    """How often text may be drawn at most; a label goes before its tier, a tier before all."""

    default: Epochs | None = None
    """Of every label that has nothing of its own; none where it is absent."""
    tiers: dict[str, Epochs] = Field(default_factory=dict)
    """By tier, `{high: 1}`, or by category and tier, `{bitext/high: 1}`."""
    labels: dict[str, Epochs] = Field(default_factory=dict)
    """By label, `{swa_Latn: 50}`, or by category and label, `{book/eng_Latn: 2}`."""

    @field_validator("labels")
    @classmethod
    def _known_labels(cls, labels: dict[str, float]) -> dict[str, float]:
        return _by_text(labels, "mix", "max_epochs", "labels")

    def of(self, category: str, tier: str, label: str) -> float | None:
        """The cap of the text of a category in a label, in epochs; None without one.

        >>> caps = MaxEpochs(default=4, tiers={"high": 1}, labels={"swa_Latn": 50})
        >>> caps.of("monolingual", "low", "swa_Latn"), caps.of("book", "high", "swa_Latn")
        (50.0, 1.0)
        """
        by_tier = self.tiers.get(f"{category}/{tier}", self.tiers.get(tier, self.default))
        return self.labels.get(text_key(category, label), by_tier)


class LabelOptions(Model):
    """What holds for one label."""

    min: Amount | None = None
    """At least so much is drawn to within a document, in the unit of `count_by`."""
    max: Amount | None = None
    """At most so much is drawn, to within a document."""
    rate: Rate | None = None
    """In place of that of its tier; 0 leaves the label out."""

    @model_validator(mode="after")
    def _ordered(self) -> LabelOptions:
        if self.min is not None and self.max is not None and self.min > self.max:
            raise ValueError(f"'min' is {self.min:g}, more than 'max', which is {self.max:g}")
        return self


def _written_tables(tiers: TiersOption) -> Iterator[tuple[tuple[str, ...], list[Tier]]]:
    """Tables that the recipe writes out, each with the key that leads to it from `tiers`."""
    if isinstance(tiers, CategoryTiers):
        yield from (((name,), table) for name, table in tiers if not isinstance(table, str))
    elif not isinstance(tiers, str):
        yield (), tiers


class Mix(Model):
    """How much of each label is drawn."""

    count_by: Literal["tokens", "words", "whitespace_words", "bytes", "characters"] = "words"
    """The unit of tiers, of amounts and of the plan; `tokens` are those of `output.tokens`."""
    tiers: str | list[Tier] | CategoryTiers = CategoryTiers()
    """Name of a shipped table, a table written here, or one for each category."""
    strategy: Literal["rates", "temperature", "unimax", "shares"] = "rates"
    """By rates of tiers, by a power of what there is, equally, or by shares of categories."""
    alpha: float = Field(_ALPHA, ge=0.0, le=1.0)
    """`temperature`: a label weighs as much as there is of it, to this power."""
    budget: Amount | None = None
    """What is drawn for training in all, in the unit of `count_by`."""
    shares: str | dict[str, Portion | SharePart] | None = None
    """`shares`: shares of categories, as a tree, or the name of a shipped table."""
    within: Literal["rates", "temperature", "unimax"] = "rates"
    """`shares`: how a category, or a tier of it, is divided among its labels."""
    max_epochs: Epochs | MaxEpochs | None = None
    """How often text may be drawn at most: a number, or several by tier and label."""
    domain_caps: dict[str, Cap] = Field(default_factory=dict)
    """Largest share of a label that one domain may be; `"*"` stands for every domain named."""
    labels: dict[str, LabelOptions] = Field(default_factory=dict)
    """Least and largest amount and rate of a label, or of `category/label`."""
    stages: list[Stage] = Field(default_factory=list)
    """Stages of training, in order; without any, the corpus is one shuffle."""
    on_infeasible: Literal["stop", "relax"] = "stop"
    """What to do where not all of this can be had: say why and stop, or come near and mark it."""
    exclude: list[Category] = Field(default_factory=list)
    """Categories left out."""
    validation: Validation = Validation()
    """The held-out split."""
    rehydrate: WeightTable | WeightsFromRates | None = None
    """Draw a document more often, or less, by the size of the cluster that it stands for."""

    @field_validator("tiers")
    @classmethod
    def _known_table(cls, tiers: TiersOption) -> TiersOption:
        tiers_of(tiers, "monolingual")
        return tiers

    @field_validator("shares")
    @classmethod
    def _known_shares(
        cls, shares: str | dict[str, float | SharePart] | None
    ) -> str | dict[str, float | SharePart] | None:
        if shares is not None:
            share_table(shares)
        return shares

    @field_validator("domain_caps")
    @classmethod
    def _named_domains(cls, caps: dict[str, float]) -> dict[str, float]:
        if "" in caps:
            raise ValueError("text of no domain has no cap; '*' stands for every domain named")
        return caps

    @field_validator("labels")
    @classmethod
    def _known_labels(cls, labels: dict[str, LabelOptions]) -> dict[str, LabelOptions]:
        return _by_text(labels, "mix", "labels")

    @model_validator(mode="after")
    def _suits_strategy(self) -> Mix:
        if self.strategy in ("temperature", "unimax") and self.budget is None:
            message = f"'{self.strategy}' divides a budget: write 'budget', in {self.unit}"
            raise misplaced(message, "mix", "strategy")
        if self.strategy == "shares" and self.shares is None:
            raise misplaced("'strategy: shares' wants 'shares'", "mix", "strategy")
        if self.strategy != "shares" and self.shares is not None:
            message = f"'shares' is for 'strategy: shares', not for '{self.strategy}'"
            raise misplaced(message, "mix", "shares")
        return self

    @model_validator(mode="after")
    def _used(self, info: ValidationInfo) -> Mix:
        if is_of_a_lock(info):
            return self
        if self.strategy != "shares" and self.within != "rates":
            message = f"'within' is for 'strategy: shares', not for '{self.strategy}'"
            raise misplaced(message, "mix", "within")
        if "temperature" not in (self.strategy, self.within) and self.alpha != _ALPHA:
            message = "'alpha' is for 'strategy: temperature', or 'within: temperature'"
            raise misplaced(message, "mix", "alpha")
        return self

    @model_validator(mode="after")
    def _tiers_known(self) -> Mix:
        if self.shares is not None:
            check_shares(share_table(self.shares), self.tiers, ("mix", "shares"))
        known = list(self._tier_names())
        if isinstance(self.max_epochs, MaxEpochs):
            for name in self.max_epochs.tiers:
                if name not in known:
                    names = [each for each in known if "/" not in each]
                    message = f"no tier '{name}'; {did_you_mean(name, names)}"
                    raise misplaced(message, "mix", "max_epochs", "tiers", name)
        return self

    def _tier_names(self) -> Iterator[str]:
        """Names of tiers as `max_epochs` may give them, each once, those without category first."""
        tiers = [(each, tier.name) for each in _CATEGORIES for tier in tiers_of(self.tiers, each)]
        yield from dict.fromkeys(name for _, name in tiers)
        yield from (f"{category}/{name}" for category, name in tiers)

    def check_names_of_tiers(self) -> None:
        """Checks that no two tiers of a category would have one dataset.

        Raises:
            PydanticCustomError: two would.
        """
        for where, table in _written_tables(self.tiers):
            first: dict[str, str] = {}
            for index, tier in enumerate(table):
                # Some file systems do not tell cases apart.
                other = first.setdefault(dataset_part(tier.name).casefold(), tier.name)
                if other != tier.name:
                    message = (
                        f"the tiers '{other}' and '{tier.name}' would have one dataset, as only "
                        "letters and digits count in its name, and no case; give one of them "
                        "another name"
                    )
                    raise misplaced(message, "mix", "tiers", *where, index, "name")

    @property
    def unit(self) -> str:
        """The unit of amounts, in words."""
        return self.count_by.replace("_", " ")

    @property
    def counted(self) -> str:
        """The column that holds the unit, such as `num_words`."""
        return f"num_{self.count_by}"

    def max_epochs_of(self, category: str, tier: str, label: str) -> float | None:
        """The cap of epochs of the text of a category in a label; None without one."""
        if isinstance(self.max_epochs, MaxEpochs):
            return self.max_epochs.of(category, tier, label)
        return self.max_epochs

    def options_of(self, category: str, label: str) -> LabelOptions:
        """What the recipe says of the text of a category in a label."""
        return self.labels.get(text_key(category, label), LabelOptions())

    def domain_cap_of(self, domain: str) -> float:
        """The largest share of a label that may be of a domain; 1 without a cap.

        >>> Mix(domain_caps={"religious": 0.33}).domain_cap_of("news")
        1.0
        """
        if not domain:
            return 1.0
        return self.domain_caps.get(domain, self.domain_caps.get(EVERY_DOMAIN, 1.0))
