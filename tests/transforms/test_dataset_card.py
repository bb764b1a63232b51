"""The dataset card: its metadata and its numbers."""

import re

import pyarrow as pa
import pytest
import yaml
from training_example import training

from glotmill.schemas.lock import Input, Lock
from glotmill.schemas.manifest import FileEntry
from glotmill.schemas.recipe import Recipe
from glotmill.schemas.tables import DRAWN_SUMS, PLAN, REALISED
from glotmill.transforms.dataset_card import (
    Facts,
    bcp47_tags,
    configs,
    dataset_card,
    front_matter,
    languages_of,
)
from glotmill.transforms.licences import licences

HOSTILE = "terms | of <script>\n[x](y) `code`"
SOURCES = [
    {"name": "web", "path": "a", "language": {"code": "deu"}, "licence": "CC-BY-4.0"},
    {"name": "news", "path": "b", "language": {"code": "nor"}, "domain": "news"},
    {"name": "talks", "path": "c", "category": "bitext", "licence": HOSTILE},
]
#: Split, category, label, source, licence, tokens.
DRAWN = [
    ("train", "monolingual", "deu_Latn", "web", "CC-BY-4.0", 600),
    ("train", "monolingual", "nor_Latn", "news", "", 300),
    ("train", "monolingual", "und_Latn", "news", "", 50),
    ("train", "bitext", "deu_Latn-swh_Latn", "talks", HOSTILE, 50),
    ("train", "bitext", "mul", "talks", HOSTILE, 0),
    ("validation", "monolingual", "deu_Latn", "web", "CC-BY-4.0", 9),
]


def files(*paths: str) -> list[FileEntry]:
    return [FileEntry(path=path, num_rows=1, num_bytes=1, sha256="0") for path in paths]


def facts(*, tokens: bool = True, **options) -> Facts:
    recipe = Recipe.model_validate(
        {"glotmill": 1, "name": "small | corpus"[:5], "sources": SOURCES, **options}
    )
    inputs = [
        Input(source=s["name"], path=f"/x/{i}", name=str(i), format="jsonl", size=1000 + i,
              checksum="-")
        for i, s in enumerate(SOURCES)
    ]  # fmt: skip
    lock = Lock(glotmill="0", recipe=recipe, inputs=tuple(inputs), units=())
    names = ("split", "category", "label", "source", "licence", "num_tokens")
    other = dict.fromkeys(DRAWN_SUMS.names, 10) | {"domain": ""}
    rows = [other | dict(zip(names, row, strict=True)) for row in DRAWN]
    if not tokens:
        rows = [row | {"num_tokens": 0} for row in rows]
    table = pa.Table.from_pylist(rows, schema=DRAWN_SUMS)
    trained = [row for row in rows if row["split"] == "train"]
    plan = [
        dict.fromkeys(PLAN.names, 1)
        | {"category": row["category"], "label": row["label"], "tier": "low", "epochs": 2.5,
           "binding": "", "relaxed": ""}
        for row in trained
    ]  # fmt: skip
    realised = [{name: row.get(name, 1) for name in REALISED.names} | {"tier": "low"}
                for row in trained]  # fmt: skip
    return Facts(
        lock=lock,
        version="9.9",
        files=files("shards/train-00000-of-00001.parquet"),
        drawn=table,
        realised=pa.Table.from_pylist(realised, schema=REALISED),
        plan=pa.Table.from_pylist(plan, schema=PLAN),
        licences=licences(table),
        steps=[("read", 1234), ("dropped: too short", 5)],
        training=training() if tokens else None,
    )


def parts(card: bytes) -> tuple[dict, str]:
    """Front matter and body."""
    _, matter, body = card.decode().split("---\n", 2)
    return yaml.safe_load(matter), body


def test_front_matter_reads_back_as_it_was_written() -> None:
    matter, _ = parts(dataset_card(facts()))
    assert matter == front_matter(facts())
    assert matter["language"] == ["deu", "nor", "swh"]
    assert matter["language_bcp47"] == ["de-Latn", "no-Latn", "swh-Latn"]
    assert matter["license"] == ["cc-by-4.0", "other", "unknown"]
    assert matter["size_categories"] == ["n<1K"]
    assert matter["task_categories"] == ["text-generation", "translation"]


def test_codes_that_are_no_languages_are_none() -> None:
    assert "und" not in languages_of(facts().drawn)
    assert not [tag for tag in bcp47_tags(facts().drawn) if tag.startswith(("und", "mul"))]


def test_configurations_are_of_files_that_are_there() -> None:
    found = configs(
        files(
            "shards/train-00000-of-00002.parquet", "shards/validation-00000-of-00001.parquet",
            "tokens/parquet/train-00000-of-00002.parquet", "mix/plan.parquet",
        )
    )  # fmt: skip
    paths = {(c["config_name"], d["split"]): d["path"] for c in found for d in c["data_files"]}
    assert paths == {
        ("documents", "train"): "shards/train-*.parquet",
        ("documents", "validation"): "shards/validation-*.parquet",
        ("tokens", "train"): "tokens/parquet/train-*.parquet",
    }
    assert [config.get("default") for config in found] == [True, None]


def test_licences_by_share_of_tokens() -> None:
    _, body = parts(dataset_card(facts()))
    assert "| CC-BY-4.0 | 600 | 60.0% | 9 |" in body
    assert "| unknown | 350 | 35.0% | 0 |" in body
    assert "names no licence for 35.0% of the training tokens" in body
    assert "| news | monolingual | news | unknown | 1 | 1,001 | 350 | 35.0% |" in body


def test_licences_by_share_of_bytes_where_there_are_no_tokens() -> None:
    _, body = parts(dataset_card(facts(tokens=False)))
    assert "| CC-BY-4.0 | 10 | 20.0% | 10 |" in body
    assert "## Training" not in body
    assert "tokens =" not in body


def test_hostile_names_stay_in_their_cell() -> None:
    _, body = parts(dataset_card(facts()))
    (line,) = [line for line in body.splitlines() if line.startswith("| talks |")]
    assert line.count("|") == 9
    assert "<script>" not in body
    assert "[x](y)" not in body


def test_every_table_has_rows_as_long_as_its_head() -> None:
    _, body = parts(dataset_card(facts()))
    tables = re.findall(r"(?:^\|.*\n)+", body, re.M)
    assert len(tables) == 6
    for table in tables:
        assert len({line.count("|") for line in table.splitlines()}) == 1


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({}, "Near duplicates of held-out texts were not looked for."),
        ({"deduplicate": {"near": {}}}, "and every near duplicate of a held-out text"),
        ({"identify": {"enabled": False}}, "no language identifier has checked them"),
    ],
)
def test_what_holds_for_the_recipe_is_told(options: dict, told: str) -> None:
    _, body = parts(dataset_card(facts(**options)))
    assert told in body


def test_commands_that_train_are_there() -> None:
    from glotmill.transforms.training_files import COMMANDS

    _, body = parts(dataset_card(facts()))
    for command in COMMANDS.values():
        assert f"```sh\n{command}\n```" in body
    assert "python -m glotmill.trainer train.yaml" in body


def test_the_same_facts_make_the_same_card() -> None:
    assert dataset_card(facts()) == dataset_card(facts())
