"""What of an evaluation set is found in which texts: exact, folded, inside; and what is not."""

import json
import random

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from glotmill.schemas.recipe import Recipe
from glotmill.schemas.tables import CONTAMINATED_BY
from glotmill.transforms.contamination import FIRST, ContaminationIndex
from glotmill.transforms.decide import not_judged
from glotmill.transforms.evaluation_sets import EvaluationSetError, evaluation_index
from glotmill.transforms.measure import MeasureText
from glotmill.transforms.words import ngram_hashes

LONG = (
    "The quick brown fox jumps over the lazy dog while seventeen grey herons quietly watch "
    "from the far bank of the river"
)
MIDDLE = "Nine small words stand here in a short line"
SHORT = "Where is the station, please?"
CHINESE = "人人生而自由在尊严和权利上一律平等他们赋有理性和良心并应以兄弟关系的精神相对待"
THAI = "มนุษย์ทั้งหลายเกิดมามีอิสระและเสมอภาคกันในเกียรติศักดิ์และสิทธิต่างมีเหตุผลและมโนธรรม"
JAPANESE = "すべての人間は生まれながらにして自由でありかつ尊厳と権利とについて平等である"
KATAKANA = "キラーピッグのモールスが中国農夫を殺す"
GEORGIAN = "ყველა ადამიანი იბადება თავისუფალი და თანასწორი თავისი ღირსებითა და უფლებებით მუდამ"


@pytest.fixture
def find(tmp_path):
    """The numbers of the sets that are found in texts."""

    def find(segments, texts, *, sets=None, **options):
        named = []
        for number, lines in enumerate([segments, *(sets or [])]):
            path = tmp_path / f"set-{number}.txt"
            path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
            named.append({"name": f"s{number}", "path": str(path)})
        recipe = recipe_of(named, **options)
        stage = MeasureText(recipe=recipe)
        stage.setup()
        batch = pa.RecordBatch.from_pydict({"text": pa.array(texts, pa.string())})
        after = stage.annotate(batch)
        assert after.schema.field(CONTAMINATED_BY.name) == CONTAMINATED_BY
        return after.column(CONTAMINATED_BY.name).to_pylist()

    return find


def recipe_of(sets, **options):
    return Recipe.model_validate(
        {
            "glotmill": 1,
            "name": "a",
            "sources": [{"name": "s", "path": "-"}],
            "decontaminate": {"sets": sets, **options},
        }
    )


def words(text, start, end):
    return " ".join(text.split()[start:end])


@pytest.mark.parametrize(
    "text",
    [
        LONG,
        LONG.upper(),
        f"Before it.\n{LONG}. After it.",
        f"«{LONG.replace(' ', ', ')}»!",
        f"one two three {words(LONG, 0, 13)} and on",
        f"one two three {words(LONG, 9, 22)} and on",
        LONG.replace(" ", "\n"),
    ],
)
def test_a_run_of_a_long_segment_is_found_anywhere(find, text):
    assert find([LONG], [text]) == [0]


@pytest.mark.parametrize(
    "text",
    [
        words(LONG, 0, 12),
        " ".join(reversed(LONG.split())),
        f"{words(LONG, 0, 12)} and {words(LONG, 12, 22)}",
        LONG.replace("while", "as").replace("watch", "look"),
        "",
        "...",
    ],
)
def test_less_than_a_run_is_not_found(find, text):
    assert find([LONG], [text]) == [None]


def test_a_shorter_segment_is_found_whole(find):
    assert find(
        [MIDDLE],
        [
            MIDDLE,
            f"And so: {MIDDLE.lower()}, she said.",
            words(MIDDLE, 0, 8),
            MIDDLE.replace("small", "large"),
        ],
    ) == [0, 0, None, None]


def test_min_words_is_the_least_that_is_found_inside(find):
    segments, texts = [MIDDLE, SHORT], [f"a {MIDDLE} b", f"a {SHORT} b"]
    assert find(segments, texts, min_words=9) == [0, None]
    assert find(segments, texts, min_words=10) == [None, None]
    assert find(segments, texts, min_words=5) == [0, 0]


def test_a_very_short_segment_is_found_alone(find):
    texts = [SHORT, "where is the STATION please", f"{SHORT} Thank you.", "Yes.", "18"]
    assert find([SHORT, "Yes.", "18"], texts) == [0, 0, None, None, None]
    assert find([SHORT, "Yes.", "18"], texts, min_words_alone=1) == [0, 0, None, 0, 0]


@pytest.mark.parametrize("text", [CHINESE, THAI, JAPANESE, GEORGIAN])
def test_scripts(find, text):
    assert find([text], [text, f"abc {text} abc"]) == [0, 0]


@pytest.mark.parametrize(("text", "length"), [(CHINESE, 22), (JAPANESE, 22)])
def test_runs_of_characters(find, text, length):
    inside = [f"这是{text[3 : 3 + n]}呢" for n in (length, length - 1)]
    assert find([text], inside) == [0, None]


def test_a_segment_of_too_few_characters_is_found_alone(find):
    short = CHINESE[:13]
    assert find([short], [f"是{short}吗", short]) == [None, 0]
    assert find([CHINESE[:14]], [f"是{CHINESE[:14]}吗"]) == [0]


def test_letters_of_katakana_are_counted_as_those_of_other_scripts(find):
    texts = [f"今日は散歩に行きました。\n{KATAKANA}\n明日も晴れる。", KATAKANA[1:], LONG]
    assert find([KATAKANA], texts) == [0, None, None]
    long = f"{KATAKANA}というニュースがインターネットで広まった"
    inside = [f"コレハ{long[5 : 5 + n]}ソウダ" for n in (22, 21)]
    assert find([long], inside) == [0, None]


@pytest.mark.parametrize(
    "name", ["アーノルド・シュワルツェネッガー", "パーソナルコンピュータソフト"]
)
def test_a_name_in_katakana_is_found_alone(find, name):
    assert find([name], [f"{name}の映画を見た。", f"「{name}」"]) == [None, 0]


@pytest.mark.parametrize("unseen", ["\u034f", "\ufe00", "\U000e0100", "\u180b", "\u200b", "\u00ad"])
@pytest.mark.parametrize("text", [CHINESE, KATAKANA])
def test_what_is_not_seen_is_passed_over(find, text, unseen):
    assert find([text], [unseen.join(text)]) == [0]


def test_marks_and_joiners_are_folded_as_in_words(find):
    segment = "l'homme n'est qu'un roseau le plus faible de la nature mais c'est un roseau pensant"
    text = segment.replace("'", "’").replace("roseau", "ro\u200dseau")
    assert find([segment], [text]) == [0]


@pytest.mark.parametrize(
    ("letter", "apostrophe"), [("ʻ", "'"), ("ʻ", "‘"), ("ʼ", "’"), ("ꞌ", "'"), ("'", "ʼ")]
)
def test_an_apostrophe_is_one_however_it_is_typed(find, letter, apostrophe):
    def written(char):
        return " ".join(f"{char}a{word[:2]}{char}o{word[2:]}" for word in LONG.split())

    assert find([written(letter)], [written(apostrophe), LONG]) == [0, None]


def test_the_first_set_gives_the_reason(find):
    assert find([MIDDLE], [LONG, MIDDLE, f"{LONG} {MIDDLE}"], sets=[[MIDDLE, LONG]]) == [1, 0, 0]


def test_texts_do_not_touch(find):
    half = len(LONG.split()) // 2
    assert find([LONG], [words(LONG, 0, half), words(LONG, half, 99)]) == [None, None]


def test_every_line_is_a_segment_or_the_whole_record(tmp_path):
    path = tmp_path / "e.jsonl"
    rows = [{"a": f"{SHORT}\n{MIDDLE}", "b": None}, {"a": "x", "b": LONG}]
    path.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    texts = pa.array([SHORT, f"{SHORT} {MIDDLE}", MIDDLE, LONG])

    def found(**options):
        each = {"name": "e", "path": str(path), "text": ["a", "b"], **options}
        stage = MeasureText(recipe=recipe_of([each]))
        stage.setup()
        after = stage.annotate(pa.RecordBatch.from_pydict({"text": texts}))
        return after.column(CONTAMINATED_BY.name).to_pylist()

    assert found() == [0, 0, 0, 0]
    assert found(segments="records") == [None, 0, None, 0]
    assert found(text="a") == [0, 0, 0, None]


def test_a_changed_file_is_read_again(tmp_path):
    path = tmp_path / "e.txt"
    path.write_text(f"{LONG}\n")
    recipe = recipe_of([{"name": "e", "path": str(path)}])
    first = evaluation_index(recipe)
    assert evaluation_index(recipe) is first
    path.write_text(f"{LONG}\n{MIDDLE}\n")
    assert evaluation_index(recipe).num_runs == first.num_runs + 1


@pytest.mark.parametrize(
    ("name", "content", "options", "message"),
    [
        ("e.txt", None, {}, "evaluation set 'e': no file matches"),
        ("e.bin", "a", {}, "tells no format; write 'format:' (one of jsonl, parquet, text"),
        ("e.jsonl", '{"texts": "a"}', {}, "missing_field: 'text' is missing; keys: 'texts'"),
        ("e.jsonl", "{", {}, "offset 0: invalid_json"),
        ("e.txt", "Yes.\nNo.", {}, "it has no segment of 3 words or more (min_words_alone)"),
    ],
)
def test_sets_that_cannot_be_used(tmp_path, name, content, options, message):
    path = tmp_path / name
    if content is not None:
        path.write_text(content)
    with pytest.raises(EvaluationSetError) as error:
        evaluation_index(recipe_of([{"name": "e", "path": str(path), **options}]))
    assert message in str(error.value)
    assert str(error.value).startswith("evaluation set 'e': ")
    assert error.value.number == 0


NUMBERS = np.random.default_rng(7).integers(0, 2**63, 6).astype(np.uint64)
texts_of_few_words = st.lists(st.lists(st.integers(0, 2), max_size=14), min_size=1, max_size=6)


@given(texts_of_few_words, texts_of_few_words, st.sampled_from([5, 6, 8]))
def test_what_is_found_is_what_a_search_finds(segments, texts, least):
    length = 9

    def of(rows):
        return NUMBERS[[word for row in rows for word in row]], np.array([len(r) for r in rows])

    def is_in(segment, text):
        if len(segment) < least:
            return bool(segment) and segment == text
        run = min(length, len(segment))
        runs = [segment[i : i + run] for i in range(len(segment) - run + 1)]
        return any(text[i : i + run] in runs for i in range(len(text) - run + 1))

    index = ContaminationIndex([least])
    for number, segment in enumerate(segments):
        hashes, counts = of([segment])
        index.add(number, hashes, counts, np.array([length]), np.array([least]))
    index.finish()
    hashes, counts = of(texts)
    expected = [
        next((n for n, segment in enumerate(segments) if is_in(segment, text)), -1)
        for text in texts
    ]
    assert index.find(hashes, counts, ngram_hashes(hashes, FIRST)).tolist() == expected


@pytest.mark.slow
def test_nothing_of_the_sample_is_found_in_its_shuffled_words(find, sample_rows):
    """A run of words holds by its order: the same words in another one are no contamination."""
    segments = [row["text"].replace("\n", " ") for row in sample_rows]
    texts = []
    for number, segment in enumerate(segments):
        parts = segment.split()
        random.Random(number).shuffle(parts)
        if len(parts) >= 8:
            texts.append(" ".join(parts))
    found = find(segments, texts)
    # Han and Thai have few spaces: their parts are sentences, which stay what they are.
    spaced = [
        (text, number)
        for text, number in zip(texts, found, strict=True)
        if len(text.split()) * 12 > len(text)
    ]
    assert len(spaced) > 10_000
    assert [text for text, number in spaced if number is not None] == []


def test_contaminated_documents_are_not_judged():
    reasons = pa.array(["contaminated_flores", "too_short", "empty", "repeated_lines"])
    assert not_judged(reasons).to_pylist() == [True, False, True, False]
