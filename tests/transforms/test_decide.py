"""The one place that drops: each reason, at its threshold, in its order."""

import pyarrow as pa
import pytest

from glotmill.schemas.recipe import Recipe
from glotmill.schemas.tables import ANNOTATIONS, DROP_REASON
from glotmill.transforms.decide import DecideDrops, drop_rules

SCHEMA = pa.schema([*ANNOTATIONS["measure"], *ANNOTATIONS["identify"]])
GOOD = {
    "script": "Latn", "script_share": 1.0, "num_letters": 100, "num_bytes": 120,
    "num_characters": 120, "num_words": 20, "num_whitespace_words": 20, "num_sentences": 2,
    "repeated_line_share": 0.0, "repeated_ngram_share": 0.0, "declared_label": "eng_Latn",
    "identified_label": "eng_Latn", "identified_score": 0.9, "verdict": "confirmed",
    "label": "eng_Latn",
}  # fmt: skip
OPTIONS = {
    "filters": {"min_characters": 10, "max_characters": 1000, "max_repeated_line_share": 0.3,
                "max_repeated_ngram_share": 0.7},
    "script": {"min_share": 0.6},
}  # fmt: skip


def reasons(rows, category="monolingual", given=None, **options):
    source = {"name": "a", "path": "x", "category": category}
    recipe = Recipe.model_validate(
        {"glotmill": 1, "name": "a", "sources": [source], **OPTIONS, **options}
    )
    stage = DecideDrops(drop_rules(recipe, recipe.sources[0]))
    batch = pa.RecordBatch.from_pylist([{**GOOD, **row} for row in rows], schema=SCHEMA)
    assert set(stage.reads) <= set(batch.schema.names)
    if given is not None:
        batch = batch.append_column(DROP_REASON, pa.array(given, pa.string()))
    after = stage.annotate(batch)
    assert after.schema.field("drop_reason") == DROP_REASON
    return after["drop_reason"].to_pylist()


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ({}, None),
        ({"num_characters": 0}, "empty"),
        ({"num_characters": 9}, "too_short"),
        ({"num_characters": 10}, None),
        # A Han character says what three Latin letters say; a Greek letter no less than one.
        ({"num_characters": 3, "script": "Hans"}, "too_short"),
        ({"num_characters": 4, "script": "Hans"}, None),
        ({"num_characters": 3, "script": "Yiii"}, "too_short"),
        ({"num_characters": 4, "script": "Yiii"}, None),
        ({"num_characters": 9, "script": "Grek"}, "too_short"),
        ({"num_characters": 10, "script": "Grek"}, None),
        ({"num_characters": 1000}, None),
        ({"num_characters": 1001}, "too_long"),
        ({"verdict": "unknown_code"}, "unknown_language_code"),
        ({"num_letters": 0, "script": "Zyyy", "script_share": 0.0}, "no_letters"),
        ({"script_share": 0.59}, "mixed_scripts"),
        ({"repeated_line_share": 0.31}, "repeated_lines"),
        ({"repeated_ngram_share": 0.71}, "repeated_ngrams"),
        # A share equal to its threshold is not beyond it, though it is stored in 32 bits.
        ({"script_share": 0.6}, None),
        ({"repeated_line_share": 0.3}, None),
        ({"repeated_ngram_share": 0.7}, None),
        ({"verdict": "contradicted"}, None),
        ({"verdict": "unsure"}, None),
        ({"verdict": "unidentified", "declared_label": None}, "unidentified_language"),
        ({"verdict": "too_short"}, None),
        ({"verdict": "too_short", "declared_label": None}, "too_short_to_identify"),
    ],
)
def test_each_reason(row, reason):
    assert reasons([row]) == [reason]


@pytest.mark.parametrize("share", [n / 97 for n in range(0, 98, 7)])
def test_a_share_at_its_threshold_stays_whatever_the_threshold(share):
    filters = {"max_repeated_line_share": share, "max_repeated_ngram_share": share}
    row = {"repeated_line_share": share, "repeated_ngram_share": share, "script_share": share}
    assert reasons([row], filters=filters, script={"min_share": share}) == [None]


def test_policies():
    rows = [
        {"verdict": "contradicted"},
        {"verdict": "unidentified", "declared_label": None},
        {"verdict": "too_short", "declared_label": None},
    ]
    kept = {"on_mismatch": "keep", "on_unidentified": "keep"}
    assert reasons(rows, identify=kept) == [None, None, None]
    relabelled = {"on_mismatch": "relabel", "on_unidentified": "keep"}
    assert reasons(rows, identify=relabelled) == [None, None, None]
    dropped = {"on_mismatch": "drop", "on_unidentified": "drop"}
    assert reasons(rows, identify=dropped) == [
        "language_mismatch", "unidentified_language", "too_short_to_identify",
    ]  # fmt: skip


def test_code_is_dropped_for_its_length_alone():
    rows = [
        {"num_characters": 9}, {"script_share": 0.1}, {"num_letters": 0},
        {"repeated_line_share": 1.0}, {"repeated_ngram_share": 1.0}, {"verdict": "unknown_code"},
    ]  # fmt: skip
    assert reasons(rows, category="code") == ["too_short", None, None, None, None, None]


def test_the_first_reason_is_given():
    worst = {
        "num_characters": 0, "num_letters": 0, "verdict": "unknown_code", "script_share": 0.0,
        "repeated_line_share": 1.0, "repeated_ngram_share": 1.0,
    }  # fmt: skip
    assert reasons([worst]) == ["empty"]
    order = [
        ("num_characters", "unknown_language_code"), ("verdict", "no_letters"),
        ("num_letters", "mixed_scripts"), ("script_share", "repeated_lines"),
        ("repeated_line_share", "repeated_ngrams"),
    ]  # fmt: skip
    for mended, reason in order:
        worst[mended] = GOOD[mended]
        assert reasons([worst]) == [reason]


def test_the_reason_of_a_filter_stands_unless_a_rule_gives_one_first():
    rows = [{}, {}, {"num_characters": 0}]
    assert reasons(rows, given=["mine", None, "mine"]) == ["mine", None, "empty"]


def test_an_empty_batch():
    assert reasons([]) == []
