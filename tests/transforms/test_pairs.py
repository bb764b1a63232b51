"""Which segments of a unit make a row, which units give none, and what a row is made of."""

import numpy as np
import pyarrow as pa
import pytest
import xxhash
from hypothesis import given
from hypothesis import strategies as st

from glotmill.schemas.pairs import Pairs
from glotmill.schemas.recipe import Recipe
from glotmill.schemas.tables import DOCUMENTS, PAIRS
from glotmill.transforms.ingest import annotators, documents_schema
from glotmill.transforms.pair_rows import (
    SIDE_HASH,
    WORST_FIRST,
    FoldSides,
    joined_label,
    segment_hashes,
)
from glotmill.transforms.pairs import Groups, MakePairs, segments_of
from glotmill.transforms.readers.bitext import UNITS

ENGLISH = "Everyone has the right to freedom of thought, conscience and religion."
GERMAN = "Jeder hat das Recht auf Gedanken-, Gewissens- und Religionsfreiheit."
FRENCH = "Toute personne a droit à la liberté de pensée, de conscience et de religion."


def units(*rows):
    return pa.RecordBatch.from_pylist(
        [
            {
                "segments": [{"code": code, "text": text} for code, text in row],
                "offset": 10 * number,
                "scores": [("laser", 1.5)],
                "document": "d",
            }
            for number, row in enumerate(rows)
        ],
        schema=UNITS,
    )


def pair(*rows, **options):
    """Codes of the rows made, with the unit; and the rejects."""
    batch = units(*([(code, f"text {code}") for code in row] for row in rows))
    segments = segments_of(batch)
    groups, rejects = MakePairs(Pairs(**options)).pair(segments, np.asarray(batch.column("offset")))
    codes = segments.codes.to_pylist()
    made = [
        (unit, *(codes[member] for member in groups.members[start:end]))
        for unit, start, end in zip(
            groups.units.tolist(), groups.starts[:-1], groups.starts[1:], strict=True
        )
    ]
    return made, [(reject.offset, reject.reason) for reject in rejects]


def test_every_two_languages_of_a_unit_are_a_pair():
    made, rejects = pair(["en", "de"], ["fr", "en", "de"])
    assert made == [(0, "en", "de"), (1, "fr", "en"), (1, "fr", "de"), (1, "en", "de")]
    assert rejects == []


def test_two_segments_of_one_language_are_no_pair():
    assert pair(["en", "en-GB"], ["en", "en-GB", "de"]) == (
        [(1, "en", "de"), (1, "en-GB", "de")],
        [(0, "one_language")],
    )


def test_segments_without_a_code_are_paired():
    assert pair([None, None], ["en", None]) == ([(0, None, None), (1, "en", None)], [])


def test_pivot():
    made, rejects = pair(["de", "en", "fr"], ["de", "fr"], pairing="pivot", pivot="eng")
    assert made == [(0, "de", "en"), (0, "en", "fr")]
    assert rejects == [(10, "no_pivot")]


def test_multiway_takes_the_first_of_each_language():
    made, rejects = pair(["en", "de", "en-GB", "fr"], ["en", "en-US"], pairing="multiway")
    assert made == [(0, "en", "de", "fr")]
    assert rejects == [(10, "one_language")]


def test_only_wanted_languages():
    made, rejects = pair(
        ["en", "swh", "fr"], ["fr", "it"], ["xx-bad", "en"], languages=["en", "sw"]
    )
    assert made == [(0, "en", "swh")]
    assert rejects == [(10, "language_not_wanted"), (20, "language_not_wanted")]


@pytest.mark.parametrize(
    ("languages", "codes", "made"),
    [
        (["en", "hr"], ["en", "hr", "bs", "sr-Latn"], [(0, "en", "hr")]),
        (["en", "zh-Hant"], ["en", "zh-CN", "zh-TW"], [(0, "en", "zh-TW")]),
        (["en", "zh-TW"], ["en", "zh-CN", "zh-Hant"], [(0, "en", "zh-Hant")]),
        (["en", "zh-CN"], ["en", "zh", "zh-TW"], [(0, "en", "zh")]),
        (["en", "zh-Hant"], ["en", "zh", "zh-Hans"], [(0, "en", "zh")]),
        (["en", "srp_Latn"], ["en", "sr", "sr-Latn"], [(0, "en", "sr-Latn")]),
        (["en", "swh"], ["en", "sw", "swc"], [(0, "en", "sw")]),
        (["en", "id"], ["en", "zsm", "id"], [(0, "en", "id")]),
    ],
)
def test_a_language_wanted_is_no_other_and_in_its_script(languages, codes, made):
    assert pair(codes, languages=languages) == (made, [])


def test_a_pivot_is_no_language_that_is_written_alike():
    made, rejects = pair(["en", "hr", "bs"], pairing="pivot", pivot="hr")
    assert (made, rejects) == ([(0, "en", "hr"), (0, "hr", "bs")], [])


def test_units_of_too_many_pairs_are_rejected_before_they_are_made():
    codes = ["en", "de", "fr", "it"]
    assert pair(codes, max_pairs_per_unit=5) == ([], [(0, "too_many_pairs")])
    assert len(pair(codes, max_pairs_per_unit=6)[0]) == 6
    assert len(pair(codes, max_pairs_per_unit=3, pairing="pivot", pivot="en")[0]) == 3


@given(
    st.lists(
        st.lists(st.sampled_from(["en", "de", "fr", "yo", None, "zz-bad"]), min_size=2, max_size=6),
        max_size=8,
    )
)
def test_each_unit_gives_rows_or_one_reject(rows):
    if not rows:
        return
    for options in ({}, {"pairing": "multiway"}, {"pairing": "pivot", "pivot": "en"}):
        made, rejects = pair(*rows, **options)
        assert sorted({row[0] for row in made} | {offset // 10 for offset, _ in rejects}) == list(
            range(len(rows))
        )
        assert len(rejects) == len({offset for offset, _ in rejects})
        assert [row[0] for row in made] == sorted(row[0] for row in made)
        for row in rows:  # units do not depend on those beside them
            alone, _ = pair(row, **options)
            assert [r[1:] for r in alone] == [r[1:] for r in made if rows[r[0]] is row] or (
                rows.count(row) > 1
            )


RECIPE = {
    "glotmill": 1,
    "name": "a",
    "sources": [{"name": "s", "path": "-", "category": "bitext", "format": "tmx"}],
    "identify": {"enabled": False},
}


def fold(*rows, keeps_direction=False, near=None):
    """Rows of units of which each gives one, as dictionaries."""
    recipe = Recipe.model_validate(RECIPE | {"deduplicate": {"near": near}})
    batch = units(*rows)
    segments = segments_of(batch)
    sides = pa.RecordBatch.from_pydict(
        {
            "text": segments.texts,
            "source": ["s"] * len(segments.texts),
            "path": ["p"] * len(segments.texts),
            "offset": batch.column("offset").take(pa.array(segments.units)),
            "external_id": pa.nulls(len(segments.texts), pa.string()),
            "url": pa.nulls(len(segments.texts), pa.string()),
            "original_code": segments.codes,
        }
    )
    for annotator in annotators(recipe, recipe.sources[0]):
        annotator.setup()
        sides = annotator.annotate(sides)
    sides = sides.append_column(SIDE_HASH, pa.array(segment_hashes(sides)))
    groups = Groups(np.arange(len(segments.texts)), segments.starts, np.arange(len(rows)))
    schema = documents_schema(recipe)
    made = FoldSides(schema, recipe.deduplicate.near, keeps_direction=keeps_direction).fold(
        sides, groups, batch
    )
    made.validate(full=True)
    assert made.schema == schema
    return made.to_pylist()


def test_a_row_holds_both_sides():
    (row,) = fold([("en", ENGLISH), ("de", GERMAN)])
    assert row["text"] == f"{ENGLISH}\n{GERMAN}"
    assert row["label"] == "deu_Latn-eng_Latn"
    assert row["declared_label"] == "deu_Latn-eng_Latn"
    assert row["identified_label"] is None
    assert row["original_code"] == "en-de"
    assert row["segment_labels"] == ["eng_Latn", "deu_Latn"]
    assert row["segment_bytes"] == [len(ENGLISH.encode()), len(GERMAN.encode())]
    assert row["num_bytes"] == sum(row["segment_bytes"])
    assert row["num_words"] == 11 + 9
    assert row["document"] == "d"
    assert dict(row["scores"]) == {"laser": 1.5}
    data = "\0".join((GERMAN, ENGLISH)).encode()
    assert row["content_hash"] == xxhash.xxh3_128_digest(data)


def test_the_schema_is_that_of_documents_and_pairs():
    recipe = Recipe.model_validate(RECIPE)
    assert documents_schema(recipe) == pa.schema([*DOCUMENTS, *PAIRS])


def test_direction_matters_only_where_asked():
    there, back = [("en", ENGLISH), ("de", GERMAN)], [("de", GERMAN), ("en", ENGLISH)]
    ignored = fold(there, back)
    assert ignored[0]["content_hash"] == ignored[1]["content_hash"]
    kept = fold(there, back, keeps_direction=True)
    assert kept[0]["content_hash"] != kept[1]["content_hash"]
    assert fold(there)[0]["segment_labels"] == ["eng_Latn", "deu_Latn"]


def test_sides_of_one_label_are_ordered_by_text():
    one, other = fold([("en", "b b b"), ("en", "a a a")], [("en", "a a a"), ("en", "b b b")])
    assert one["content_hash"] == other["content_hash"]


def test_segment_hashes_are_of_folded_words():
    rows = fold([("en", "Thank you, Sir!"), ("de", "...")], [("fr", "thank YOU sir"), ("de", "!")])
    (thanks, dots), (again, mark) = (row["segment_hashes"] for row in rows)
    assert thanks == again
    assert dots != mark


def test_sketches_ignore_direction_and_know_a_near_copy():
    near = {"ngram": 2}
    there, back, changed, another = fold(
        [("en", ENGLISH), ("th", "ทุกคนมีสิทธิในเสรีภาพ")],
        [("th", "ทุกคนมีสิทธิในเสรีภาพ"), ("en", ENGLISH)],
        [("en", ENGLISH.upper()), ("th", "ทุกคนมีสิทธิในเสรีภาพ")],
        [("en", GERMAN), ("th", "สวัสดี")],
        near=near,
    )
    assert there["sketch"] == back["sketch"] == changed["sketch"] != another["sketch"]
    assert there["num_shingles"] > 0


def test_a_row_of_many_sides():
    row = fold(
        [("en", ENGLISH), ("de", GERMAN), ("fr", FRENCH), ("it", "Ogni individuo ha diritto.")]
    )
    assert row[0]["label"] == "mul"
    assert len(row[0]["segment_labels"]) == 4
    assert row[0]["text"].count("\n") == 3
    assert joined_label(["fra_Latn", "deu_Latn", "eng_Latn"]) == "deu_Latn-eng_Latn-fra_Latn"


def test_the_worst_of_the_sides_stands():
    (row,) = fold([("en", ENGLISH), ("no-such-code", "слово word wort слово")])
    assert row["verdict"] == "unknown_code"
    assert row["declared_label"] is None
    assert row["label"].split("-")[0] == "eng_Latn"
    assert row["script_share"] == pytest.approx(0.5, abs=0.1)
    assert WORST_FIRST[0] == "unknown_code"
    assert WORST_FIRST[-1] == "confirmed"


def test_rows_do_not_depend_on_the_batch():
    rows = [[("en", f"{ENGLISH} {n}"), ("de", f"{GERMAN} {n}")] for n in range(5)]
    together = fold(*rows, near={})
    for row, whole in zip(rows, together, strict=True):
        (alone,) = fold(row, near={})
        assert alone | {"offset": 0} == whole | {"offset": 0}
