"""Hours, prices and files, against sums by hand."""

import pytest

from glotmill.pipelines.planning import measured
from glotmill.pipelines.planning.hours import Work, engine_hours, shuffled_bytes, stage_hours
from glotmill.pipelines.planning.outputs import Stored, datasets, drawn_of, written
from glotmill.schemas.recipe import Recipe
from glotmill.schemas.tables import AVAILABLE
from glotmill.transforms.plan import plan_mixture

WORK = Work(
    ingest_seconds=7200.0,
    ingest_error=60.0,
    num_documents=50_000_000,
    num_bytes=80e9,
    token_seconds=1800.0,
    drawn_bytes=120e9,
    drawn_tokens=30e9,
    near=True,
)


def test_cpu_of_stages_by_hand():
    stages = {stage.name: stage for stage in stage_hours(WORK, "a sample")}
    assert (stages["ingest"].seconds, stages["ingest"].error) == (7200, 60)
    assert stages["ingest"].hours == 2
    assert stages["deduplicate"].seconds == pytest.approx(50 * (4 + 9))
    assert stages["compose"].seconds == pytest.approx(80 / 4.89 * 28.4 + 1800)
    per_token = (10.9 - 0.164 / 12 * 224.4) / 68.3e6
    assert stages["mix"].seconds == pytest.approx(120 / 12 * 224.4 + 30e9 * per_token)
    assert stages["mix"].told_by == "measured before, docs/performance.md"


def test_hours_and_prices_of_engines_by_hand():
    stages = stage_hours(WORK, "a sample")
    seconds = sum(stage.seconds for stage in stages)
    shuffled = shuffled_bytes(WORK)
    assert shuffled == 50_000_000 * 524
    rows = engine_hours(stages, shuffled, num_cores=2, core_hour=0.05)
    local, flink, dataflow = rows[0], rows[1], rows[4]
    assert [row.size for row in rows] == [2, 16, 64, 256, 4, 16, 64]
    assert local.wall_hours == pytest.approx((seconds / 1.79 + 4) / 3600)
    assert local.price == pytest.approx(0.05 * 2 * local.wall_hours)
    assert flink.wall_hours == pytest.approx((seconds / 16 + 7 * 25) / 3600)
    assert flink.price == pytest.approx(0.05 * 16 * flink.wall_hours)
    assert dataflow.wall_hours == pytest.approx((seconds / 16 + 7 * 240) / 3600)
    vcpu_hours = 2 * seconds / 3600
    assert dataflow.price == pytest.approx(vcpu_hours * (0.056 + 4 * 0.0036) + 26.2 * 0.011)


def test_sizes_that_the_user_names():
    rows = engine_hours(stage_hours(WORK, ""), 0.0, num_cores=2, workers=5)
    assert [(row.engine, row.size) for row in rows] == [
        ("local", 5), ("Flink", 5), ("Dataflow", 5),
    ]  # fmt: skip
    assert [row.price is None for row in rows] == [True, True, False]


def test_the_example_of_the_documentation():
    # MaLA: 825 million texts, 45.8 core hours of ingest; 119 vCPU-hours, 8 USD and 5 of shuffle.
    num_documents = 825e6
    work = Work(
        ingest_seconds=num_documents * 200e-6,
        ingest_error=None,
        num_documents=num_documents,
        num_bytes=num_documents * 1640,
        token_seconds=0.0,
        drawn_bytes=num_documents * 1640,
        drawn_tokens=0.0,
        near=True,
    )
    stages = stage_hours(work, "")
    assert stages[0].hours == pytest.approx(45.8, rel=0.01)
    vcpu_hours = 2 * sum(stage.hours for stage in stages)
    assert vcpu_hours == pytest.approx(119, rel=0.05)
    rows = engine_hours(stages, shuffled_bytes(work), num_cores=2, workers=32)
    assert rows[-1].price == pytest.approx(8 + 5, rel=0.06)


def test_nothing_is_told_where_nothing_is_known():
    nothing = Work(
        ingest_seconds=None, ingest_error=None, num_documents=1, num_bytes=0, token_seconds=0,
        drawn_bytes=0, drawn_tokens=0, near=False,
    )  # fmt: skip
    assert stage_hours(nothing, "") == []
    assert engine_hours([], 0.0, num_cores=2) == []


# ------------------------------------------------------------------ files


def recipe_of(**options):
    return Recipe.model_validate(
        {"glotmill": 1, "name": "a", "sources": [{"name": "a", "path": "a"}], **options}
    )


def counts(*rows):
    zeros = {field.name: 0 for field in AVAILABLE}
    about = {"domain": "", "split": "train", "again": False}
    import pyarrow as pa

    return pa.Table.from_pylist([{**zeros, **about, **row} for row in rows], AVAILABLE)


LARGE = {"category": "monolingual", "label": "eng_Latn", "num_documents": 1_000,
         "num_words": 50_000, "num_bytes": 300_000, "num_tokens": 80_000}  # fmt: skip
SMALL = {"category": "book", "label": "swh_Latn", "num_documents": 5,
         "num_words": 1_000, "num_bytes": 6_000, "num_tokens": 2_000}  # fmt: skip
TIERS = [
    {"name": "large", "at_least": 10_000, "rate": 0.5}, {"name": "small", "at_least": 0, "rate": 4},
]  # fmt: skip


def test_files_by_hand():
    recipe = recipe_of(
        mix={"tiers": TIERS, "validation": {"share": 0.01, "min_documents": 1}},
        output={"parquet": {"shards": 7, "validation_shards": 2},
                "tokens": {"tokenizer": "t", "formats": ["megatron", "parquet"],
                           "datasets": "tier", "sequence_length": 64}},
    )  # fmt: skip
    mixture = plan_mixture(counts(LARGE, SMALL), recipe.mix)
    training, validation = drawn_of(mixture, recipe)
    assert training.num_documents == pytest.approx(500 + 20)
    assert training.num_bytes == pytest.approx(150_000 + 24_000)
    assert training.num_tokens == pytest.approx(40_000 + 8_000)
    assert (validation.num_documents, validation.num_bytes) == (10, 3_000)
    assert datasets(recipe, mixture) == [
        "train-book-small", "train-monolingual-large", "validation-monolingual-large",
    ]  # fmt: skip
    rows = {row.name: row for row in written(recipe, mixture, Stored(0.5, 99, 9, 2), 82_000)}
    assert (rows["training shards"].num_files, rows["validation shards"].num_files) == (7, 2)
    assert rows["training shards"].num_bytes == pytest.approx(174_000 / 2)
    sets = rows["datasets (.bin and .idx)"]
    assert sets.num_files == 3
    assert sets.num_bytes == pytest.approx(2 * 48_800 + 20 * 530)
    assert rows["lists of tokens, Parquet"].num_files == 9
    assert rows["tokens, each text once"].num_bytes == 164_000
    assert (rows["documents, after ingest"].num_bytes, rows["dropped documents"].num_bytes) == (
        99,
        9,
    )


def test_constants_are_those_of_the_documentation():
    # 2.4 million tokens a CPU second, from documents to shards and token files.
    seconds = 164e6 * (measured.COMPOSE_SECONDS_PER_BYTE + measured.MIX_SECONDS_PER_BYTE)
    per_token = measured.COMPOSE_SECONDS_PER_TOKEN + measured.MIX_SECONDS_PER_TOKEN
    assert 68.3e6 / (seconds + 68.3e6 * per_token) == pytest.approx(2.4e6, rel=0.02)
