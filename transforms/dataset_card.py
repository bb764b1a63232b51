"""Dataset card: README.md of a finished corpus, for people and for the Hugging Face Hub.

The prose is in dataset_card.md, a template; what is here are its numbers. Nothing in a card depends
on when or where it was made.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from typing import Any

import jinja2
import pyarrow as pa
import pyarrow.compute as pc
import yaml

from glotmill.language_registry import UnknownCode, language, name, split_label
from glotmill.schemas.lock import Lock
from glotmill.schemas.manifest import FileEntry
from glotmill.schemas.recipe import Recipe
from glotmill.schemas.tables import MANY_LANGUAGES
from glotmill.schemas.training import Training
from glotmill.transforms.licences import UNKNOWN, licence_shares, measure
from glotmill.transforms.training_files import COMMANDS

PATH = "README.md"
_NUM_LABELS = 30
_AMOUNTS = ("num_documents", "num_bytes", "num_words", "num_tokens")

# Name of a configuration, and the folder of its files.
_CONFIGS = {"documents": "shards", "tokens": "tokens/parquet", "sequences": "tokens/packed"}

# Licences that the Hub knows, among those that data has; it takes small letters.
_HUB_LICENCES = frozenset(
    {
        *("apache-2.0", "mit", "bsd", "bsd-2-clause", "bsd-3-clause", "isc", "unlicense"),
        *("wtfpl", "afl-3.0", "artistic-2.0", "bsl-1.0", "cc", "cc0-1.0", "cc-by-2.0"),
        *("cc-by-2.5", "cc-by-3.0", "cc-by-4.0", "cc-by-sa-3.0", "cc-by-sa-4.0"),
        *("cc-by-nc-2.0", "cc-by-nc-3.0", "cc-by-nc-4.0", "cc-by-nd-4.0"),
        *("cc-by-nc-nd-3.0", "cc-by-nc-nd-4.0", "cc-by-nc-sa-2.0", "cc-by-nc-sa-3.0"),
        *("cc-by-nc-sa-4.0", "cdla-sharing-1.0", "cdla-permissive-1.0"),
        *("cdla-permissive-2.0", "gpl", "gpl-2.0", "gpl-3.0", "lgpl", "lgpl-2.1"),
        *("lgpl-3.0", "agpl-3.0", "epl-1.0", "epl-2.0", "eupl-1.1", "eupl-1.2"),
        *("mpl-2.0", "ms-pl", "ncsa", "odc-by", "odbl", "pddl", "gfdl", "openrail"),
        *("zlib", "unknown"),
    }
)
# ISO 639-3 codes that stand for no language.
_NO_LANGUAGES = frozenset({"und", "mul", "zxx", "mis"})
# What Markdown reads as markup; the underscore of labels is none inside a word.
_ESCAPED = {"&": "&amp;", "<": "&lt;", ">": "&gt;"} | {c: f"&#{ord(c)};" for c in "|[]*`\\"}


@dataclass(frozen=True, kw_only=True)
class Facts:
    """What a card is made of.

    Attributes:
        lock: the recipe and its inputs.
        version: of glotmill.
        files: of the corpus.
        drawn: sums of all shards, in the schema DRAWN_SUMS.
        realised: in the schema REALISED.
        plan: in the schema PLAN.
        licences: in the schema LICENCES.
        steps: what became of the records, in order.
        training: the token files, where there are some to train on.
    """

    lock: Lock
    version: str
    files: Sequence[FileEntry]
    drawn: pa.Table
    realised: pa.Table
    plan: pa.Table
    licences: pa.Table
    steps: Sequence[tuple[str, int]]
    training: Training | None


def dataset_card(facts: Facts) -> bytes:
    """The card, in UTF-8."""
    metadata = yaml.safe_dump(front_matter(facts), sort_keys=False, allow_unicode=True, width=100)
    body = _template().render(**_values(facts))
    return f"---\n{metadata}---\n\n{body}\n".encode()


def _template() -> jinja2.Template:
    environment = jinja2.Environment(undefined=jinja2.StrictUndefined, autoescape=False)
    environment.filters |= {
        "cell": cell,
        "count": lambda value: f"{value:,}",
        "percent": percent,
        "epochs": lambda value: "" if value is None else f"{value:.3g}",
    }
    text = (resources.files("glotmill.transforms") / "dataset_card.md").read_text(encoding="utf-8")
    return environment.from_string(text)


def cell(text: object) -> str:
    """A text that stays in its cell of a table, and is no markup.

    >>> cell("a|b <i>")
    'a&#124;b &lt;i&gt;'
    """
    line = " ".join(str("" if text is None else text).split())
    return "".join(_ESCAPED.get(character, character) for character in line)


def percent(share: float) -> str:
    """A share in percent; what is there is never shown as 0.

    >>> percent(0.1234), percent(0.0), percent(1e-6)
    ('12.3%', '0%', '<0.1%')
    """
    if not share:
        return "0%"
    return "<0.1%" if share < 0.0005 else f"{100 * share:.1f}%"


# ----------------------------------------------------------- front matter


def front_matter(facts: Facts) -> dict[str, Any]:
    """The metadata that the Hub reads."""
    recipe = facts.lock.recipe
    languages = languages_of(facts.drawn)
    bitext = any(source.is_bitext for source in recipe.sources)
    num_rows = sum(facts.drawn.column("num_documents").to_pylist())
    return {
        "pretty_name": recipe.name,
        "language": languages,
        "language_bcp47": bcp47_tags(facts.drawn),
        "license": hub_licences(facts.licences.column("licence").to_pylist()),
        "multilinguality": ["multilingual" if len(languages) != 1 else "monolingual"],
        "size_categories": [size_category(num_rows)],
        "task_categories": ["text-generation", *(["translation"] if bitext else [])],
        "tags": ["glotmill", "pretraining", *(["parallel-text"] if bitext else [])],
        "configs": configs(facts.files),
    }


def configs(files: Sequence[FileEntry]) -> list[dict[str, Any]]:
    """Configurations that `datasets.load_dataset` takes, the documents first."""
    found: list[dict[str, Any]] = []
    for config, folder in _CONFIGS.items():
        data_files = [
            {"split": split, "path": f"{folder}/{split}-*.parquet"}
            for split in ("train", "validation")
            if any(file.path.startswith(f"{folder}/{split}-") and file.num_rows for file in files)
        ]
        if data_files:
            found.append({"config_name": config, "data_files": data_files})
    if found:
        found[0]["default"] = True
    return found


def labels_of(drawn: pa.Table) -> list[str]:
    """Labels of single languages in what was drawn, those in pairs too, sorted."""
    labels = {part for label in drawn.column("label").to_pylist() for part in label.split("-")}
    return sorted(label for label in labels if _is_label(label))


def _is_label(label: str) -> bool:
    """Whether it is that of a language, which `mul` is not."""
    try:
        split_label(label)
    except ValueError:
        return False
    return True


def languages_of(drawn: pa.Table) -> list[str]:
    """ISO 639-3 codes of the languages drawn; `und` and its like are no languages."""
    codes = {split_label(label)[0] for label in labels_of(drawn)}
    return sorted(codes - _NO_LANGUAGES)


def bcp47_tags(drawn: pa.Table) -> list[str]:
    """BCP 47 tags of the labels drawn: the shortest code of the language, and the script."""
    tags = {bcp47(label) for label in labels_of(drawn)}
    return sorted(tag for tag in tags if tag.split("-")[0] not in _NO_LANGUAGES)


def bcp47(label: str) -> str:
    """The BCP 47 tag of a label.

    >>> bcp47("deu_Latn"), bcp47("swh_Latn"), bcp47("zho_Hant")
    ('de-Latn', 'swh-Latn', 'zh-Hant')
    """
    code, script = split_label(label)
    try:
        return f"{language(code).iso639_1 or code}-{script}"
    except UnknownCode:
        return f"{code}-{script}"


def hub_licences(found: Iterable[str]) -> list[str]:
    """Licences by the names that the Hub knows; all others are `other`.

    >>> hub_licences(["MIT", "CC-BY-4.0", "unknown", "terms of the newspaper"])
    ['cc-by-4.0', 'mit', 'other', 'unknown']
    """
    small = {licence.lower() for licence in found}
    return sorted({licence if licence in _HUB_LICENCES else "other" for licence in small})


def size_category(num_rows: int) -> str:
    """The Hub's name for a number of rows.

    >>> size_category(999), size_category(1_000), size_category(2_500_000), size_category(10**13)
    ('n<1K', '1K<n<10K', '1M<n<10M', 'n>1T')
    """
    steps = [f"{number}{unit}" for unit in ("K", "M", "B") for number in (1, 10, 100)] + ["1T"]
    limits = [10 ** (3 + place) for place in range(len(steps))]
    place = sum(num_rows >= limit for limit in limits)
    if place == 0:
        return "n<1K"
    return "n>1T" if place == len(steps) else f"{steps[place - 1]}<n<{steps[place]}"


# ------------------------------------------------------------------- body


def _values(facts: Facts) -> dict[str, Any]:
    recipe = facts.lock.recipe
    train, validation = (_sums(facts.drawn, split) for split in ("train", "validation"))
    unit = measure(facts.licences)
    unknown = [row for row in licence_shares(facts.licences) if row["licence"] == UNKNOWN]
    labels = _labels(facts, unit)
    scripts = {split_label(label)[1] for label in labels_of(facts.drawn)}
    return {
        "name": recipe.name,
        "description": description(recipe, facts.drawn),
        "version": facts.version,
        "seed": recipe.seed,
        "train": train,
        "validation": validation,
        "has_tokens": unit == "tokens",
        "has_bitext": any(source.is_bitext for source in recipe.sources),
        "steps": facts.steps,
        "strategy": recipe.mix.strategy,
        "count_by": recipe.mix.count_by.replace("_", " "),
        "tokenizer": facts.training.tokenizer if facts.training else None,
        "unit": unit,
        "num_labels": len(labels_of(facts.drawn)),
        "num_languages": len(languages_of(facts.drawn)),
        "num_scripts": len(scripts),
        "unnamed": ", ".join(f"`{x}`" for x in labels_of(facts.drawn) if _is_unnamed(x)),
        "tiers": _tiers(labels),
        "labels": labels[:_NUM_LABELS],
        "num_more_labels": max(0, len(labels) - _NUM_LABELS),
        "unknown_share": unknown[0]["share"] if unknown else None,
        "licences": _licences(facts.licences, unit),
        "sources": _sources(facts, unit),
        "split": recipe.mix.validation,
        "near": recipe.deduplicate.near,
        "identified": recipe.identify.enabled,
        "configs": [each["config_name"] for each in configs(facts.files)],
        "commands": COMMANDS if facts.training and facts.training.datasets[0].prefix else {},
    }


def description(recipe: Recipe, drawn: pa.Table) -> str:
    """One sentence on what a corpus is."""
    num_languages = len(languages_of(drawn))
    categories = ", ".join(sorted(set(drawn.column("category").to_pylist()))) or "no"
    languages = f"{num_languages:,} language" + ("" if num_languages == 1 else "s")
    num_sources = len(recipe.sources)
    sources = f"{num_sources:,} source" + ("" if num_sources == 1 else "s")
    return f"Text of {languages} for training language models: {categories}; from {sources}."


def _is_unnamed(label: str) -> bool:
    return split_label(label)[0] in _NO_LANGUAGES


def _sums(drawn: pa.Table, split: str) -> dict[str, int]:
    rows = drawn.filter(pc.equal(drawn.column("split"), split))
    return {name: sum(rows.column(name).to_pylist()) for name in _AMOUNTS}


def _labels(facts: Facts, unit: str) -> list[dict[str, Any]]:
    """What was drawn of each category and label, the most first."""
    epochs = _epochs(facts.plan)
    total = sum(facts.realised.column(f"num_{unit}").to_pylist())
    rows = [
        {
            **row,
            "amount": row[f"num_{unit}"],
            "share": row[f"num_{unit}"] / total if total else 0.0,
            "name": _name(row["label"]),
            "epochs": epochs[row["category"], row["label"]],
        }
        for row in facts.realised.to_pylist()
    ]
    return sorted(rows, key=lambda row: (-row["amount"], row["category"], row["label"]))


def _epochs(plan: pa.Table) -> dict[tuple[str, str], float | None]:
    rows = plan.select(["category", "label", "epochs"]).to_pylist()
    return {(row["category"], row["label"]): row["epochs"] for row in rows}


def _name(label: str) -> str:
    if label == MANY_LANGUAGES:
        return "more than three languages"
    try:
        return " – ".join(name(part) for part in label.split("-"))
    except (UnknownCode, ValueError):
        return ""


def _tiers(labels: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Sums by category and tier, the most first."""
    found: dict[tuple[str, str], dict[str, Any]] = {}
    for row in labels:
        key = {"category": row["category"], "tier": row["tier"]}
        sums = found.setdefault(
            (row["category"], row["tier"]),
            {**key, "labels": 0, "num_documents": 0, "amount": 0, "share": 0.0},
        )
        sums["labels"] += row["num_documents"] > 0
        for column in ("num_documents", "amount", "share"):
            sums[column] += row[column]
    return sorted(found.values(), key=lambda row: (-row["amount"], row["category"], row["tier"]))


def _licences(table: pa.Table, unit: str) -> list[dict[str, Any]]:
    """Amounts of both splits by licence, the largest of training first."""
    sides = {split: licence_shares(table, split) for split in ("train", "validation")}
    amounts = {
        split: {row["licence"]: row[f"num_{unit}"] for row in rows} for split, rows in sides.items()
    }
    shares = {row["licence"]: row["share"] for row in sides["train"]}
    names = dict.fromkeys(row["licence"] for rows in sides.values() for row in rows)
    return [
        {
            "licence": licence,
            "share": shares.get(licence, 0.0),
            **{split: of_split.get(licence, 0) for split, of_split in amounts.items()},
        }
        for licence in names
    ]


def _sources(facts: Facts, unit: str) -> list[dict[str, Any]]:
    """All sources of the recipe, those of which nothing was drawn too."""
    drawn = {row["source"]: row for row in licence_shares(facts.licences, keys=["source"])}
    nothing = {f"num_{unit}": 0, "share": 0.0}
    rows = []
    for source in facts.lock.recipe.sources:
        sizes = [each.size for each in facts.lock.inputs if each.source == source.name]
        found = drawn.get(source.name, nothing)
        rows.append(
            {
                "name": source.name,
                "category": source.category,
                "domain": source.domain,
                "licence": (source.licence or "").strip() or UNKNOWN,
                "files": len(sizes),
                "bytes": sum(sizes),
                "train": found[f"num_{unit}"],
                "share": found["share"],
            }
        )
    return rows
