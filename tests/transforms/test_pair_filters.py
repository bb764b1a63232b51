"""Each filter of pairs, on pairs that it must drop and on those next to them that it must not."""

import pytest

from glotmill.schemas.filters import MOST_LATIN_LETTERS
from glotmill.schemas.lock import UnitSlice
from glotmill.schemas.recipe import Recipe
from glotmill.transforms.letter_weights import LETTER_WEIGHTS
from glotmill.transforms.pair_addresses import EMAIL, URL, addresses
from glotmill.transforms.pair_filters import pair_filters
from glotmill.transforms.pair_ingest import PairIngester
from glotmill.transforms.pair_numbers import numbers_of, shared_numbers
from glotmill.transforms.pair_scripts import are_alike, is_written_in

ENGLISH = "Everyone has the right to freedom of thought, conscience and religion."
GERMAN = "Jeder hat das Recht auf Gedanken-, Gewissens- und Religionsfreiheit."


class Kept:
    """Takes what a unit gives."""

    def __init__(self):
        self.rows, self.rejects, self.sketches = [], [], {}

    def timed(self, step, work):
        return work()

    def write(self, batch):
        self.rows += batch.to_pylist()

    def reject(self, name, rejects):
        self.rejects += rejects


@pytest.fixture
def reasons(tmp_path):
    """Drop reasons of pairs."""

    def judge(*pairs, codes=("en", "de"), recipe=None, scores=None, **filters):
        made = Recipe.model_validate(
            {
                "glotmill": 1,
                "name": "a",
                "sources": [
                    {
                        "name": "s",
                        "path": "-",
                        "category": "bitext",
                        "format": "tsv",
                        "pairs": {
                            "sides": [
                                {"text": str(number), **({"code": code} if code else {})}
                                for number, code in enumerate(codes, 1)
                            ],
                            "scores": {"laser": "3"} if scores else {},
                        },
                    }
                ],
                "identify": {"enabled": False},
                "filters": {"pairs": filters},
                **(recipe or {}),
            }
        )
        path = tmp_path / "a.tsv"
        lines = ["\t".join(pair) for pair in pairs]
        if scores:
            lines = [f"{line}\t{score}" for line, score in zip(lines, scores, strict=True)]
        path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
        part = UnitSlice(path=str(path), name="a.tsv", format="tsv", checksum="", start=0, end=9)
        ingester = PairIngester(made, made.sources[0], lambda stage, batch: stage.annotate(batch))
        ingester.setup()
        kept = Kept()
        ingester.ingest(kept, part)
        assert kept.rejects == []
        return [row["drop_reason"] for row in kept.rows]

    return judge


@pytest.mark.parametrize(
    ("source", "target", "reason"),
    [
        (ENGLISH, GERMAN, None),
        ("", GERMAN, "empty_side"),
        (ENGLISH, " \u00a0 ", "empty_side"),
        (ENGLISH, ENGLISH, "identical_sides"),
        (ENGLISH, ENGLISH.upper().replace(",", ""), "identical_sides"),
        (ENGLISH, ENGLISH.replace("freedom", "liberty"), "near_identical_sides"),
        (
            ENGLISH,
            "Everyone has the right to freedom auf Gedanken und Religion.",
            "untranslated_words",
        ),
        (
            "Angela Merkel met Tony Blair in London last week.",
            "In London traf Angela Merkel letzte Woche Tony Blair.",
            None,
        ),
        (ENGLISH, "Jeder hat.", "length_ratio"),
        ("Yes.", "Jawohl doch.", None),
        (f"<p>{ENGLISH}</p>", GERMAN, "markup_residue"),
        (ENGLISH, GERMAN + "<br/>", "markup_residue"),
        ("Tom & Jerry play; x < 3 and y > 2.", "Tom & Jerry spielen; x < 3 und y > 2.", None),
        ("Fill in {{ limit }} here, please do.", "Hier bitte {{ limit }} eintragen, ja.", None),
        (ENGLISH, "Каждый человек имеет право на свободу мысли, совести.", "script_mismatch"),
        ("1990", "1990", "identical_sides"),
        ("???", "!!!", "no_letters"),
        (
            "See all that there is to know of it under http://a.org/x now.",
            "Siehe alles Wissenswerte darüber unter der Adresse http://a.org/x jetzt.",
            None,
        ),
        (
            "See all that there is to know of it under http://a.org/x now.",
            "Siehe alles Wissenswerte darüber unter der Adresse https://A.org/x/, jetzt.",
            None,
        ),
        (
            "See all that there is to know of it under http://a.org/x now.",
            "Siehe alles Wissenswerte darüber unter der Adresse http://b.org/x jetzt.",
            "urls_mismatch",
        ),
        ("Write to me@a.org about it.", "Schreibe an du@a.org darüber.", "emails_mismatch"),
        ("Write to me@a.org about it.", "Schreibe an me@a.org darüber.", None),
        (
            "Read https://example.com/m/42/index.html, then write to us.",
            "Lies https://example.com/m/42/index.html, dann schreib uns.",
            None,
        ),
        ("Or write to jane.doe@mail.example.org.", "Oder an jane.doe@mail.example.org.", None),
    ],
)
def test_pairs(reasons, source, target, reason):
    assert reasons((source, target)) == [reason]


@pytest.mark.parametrize(
    ("code", "text"),
    [
        ("zh", "请访问https://example.com/a/long/way/to/one/small/page查看详情。"),
        ("zh", "详情见 https://example.com/a/long/way/to/one/small/page，谢谢。"),
        ("ja", "詳しくはhttps://example.com/a/long/way/to/one/small/pageをご覧ください。"),
        ("ko", "자세한 내용은 https://example.com/a/long/way/to/one/small/page에서 보십시오."),
        ("th", "ดูรายละเอียดที่https://example.com/a/long/way/to/one/small/pageได้เลย"),
        ("hy", "Մանրամասները՝ https://example.com/a/long/way/to/one/small/page։"),
        ("hi", "विवरण यहाँ देखें: https://example.com/a/long/way/to/one/small/page।"),
        ("ur", "تفصیل یہاں ہے: https://example.com/a/long/way/to/one/small/page۔"),
        ("am", "ዝርዝሩን https://example.com/a/long/way/to/one/small/page። ይመልከቱ"),
        ("fa", "برای جزئیات (https://example.com/a/long/way/to/one/small/page)؛ ببینید"),
    ],
)
def test_addresses_end_where_text_of_another_script_begins(reasons, code, text):
    english = "See https://example.com/a/long/way/to/one/small/page for the details."
    assert reasons((english, text), codes=("en", code)) == [None]
    other = english.replace("page", "book")
    assert reasons((other, text), codes=("en", code)) == ["urls_mismatch"]


def test_addresses_of_a_text():
    text = "[x](http://d.org/?q=1&r=é), (https://e.org/b_(c)), y@https://g.org:80/! WWW.A.org/b"
    assert addresses(text, URL) == ["d.org/?q=1&r=", "e.org/b_(c", "g.org:80", "www.a.org/b"]
    assert addresses("写信给A.b+c@d-e.co.uk吧, x@y, a@b.org는", EMAIL) == [
        "a.b+c@d-e.co.uk",
        "a@b.org",
    ]
    assert addresses("a" * 200_000 + "@", EMAIL) == []
    assert addresses("Awww.so sweet", URL) == []


@pytest.mark.parametrize(
    ("source", "target", "same"),
    [
        ("There were 1,234,567 of them.", "Es waren 1.234.567 davon.", True),
        ("There were 1,234,567 of them.", "Es waren 1 234 567 davon.", True),
        ("In 1945 there were 30.", "30 gab es im Jahr 1945.", True),
        ("It costs 3.50 there.", "Es kostet dort 3,50.", True),
        ("It is 12/05/1990 today.", "Heute ist der 12.5.1990.", True),
        ("He has two of 1945.", "Er hat 2 von 1945.", True),
        ("In 1945 it was so.", "Im Jahr 1946 war es so.", False),
        ("In 1945 it was so there.", "Damals war das dort so.", False),
        ("He has 7 of them now.", "Er hat jetzt 8 davon.", False),
    ],
)
def test_numbers(reasons, source, target, same):
    assert reasons((source, target)) == [None if same else "numbers_mismatch"]


def test_digits_of_all_scripts_are_the_same_numbers():
    assert numbers_of("١٩٤٥ १९४५ ๑๙๔๕ 1945 １９４５") == ["1945"] * 5
    assert shared_numbers("In ١٩٤٥", "1945") == 1.0


def test_length_counts_letters_by_what_they_say(reasons):
    chinese = "人人有思想、良心和宗教自由的权利。"
    assert len(chinese) * 2.5 < len(ENGLISH)
    assert reasons((ENGLISH, chinese), codes=("en", "zh")) == [None]
    assert reasons((ENGLISH, chinese[:4]), codes=("en", "zh")) == ["length_ratio"]
    assert LETTER_WEIGHTS["Hans"] > LETTER_WEIGHTS["Deva"] > LETTER_WEIGHTS["Latn"] == 1
    assert max(LETTER_WEIGHTS.values()) <= MOST_LATIN_LETTERS


def test_languages_written_alike_may_share_words(reasons):
    pair = ("Svatko ima pravo na slobodu misli i savjesti.",
            "Svako ima pravo na slobodu misli i savjesti.")  # fmt: skip
    assert reasons(pair, codes=("hr", "bs")) == [None]
    assert reasons(pair, codes=("hr", "sl")) == ["near_identical_sides"]
    assert are_alike("hrv_Latn", "srp_Latn")


@pytest.mark.parametrize(
    ("english", "other", "shared"),
    [
        ("Article 48", "አንቀጽ ፵፰", 1.0),
        ("In 1948, Article 30", "በ፲፱፻፵፰፣ አንቀጽ 30", 1.0),
        ("In 1945", "一九四五年", 1.0),
        ("In 1945 and 1948", "一九四五年", 0.0),
        ("In 1945", "一定", 0.0),
        ("25 km²", "x km² ½", 0.0),
        ("In 1945, 31 came", "一九四五年、32人", 0.0),
    ],
)
def test_numerals_that_are_no_digits_may_stand_for_a_number(english, other, shared):
    assert shared_numbers(english, other) == shared_numbers(other, english) == shared


@pytest.mark.parametrize(
    ("code", "script", "written"),
    [
        ("de", "Latn", True),
        ("de", "Cyrl", False),
        ("sr", "Latn", True),
        ("sr", "Cyrl", True),
        ("sr-Cyrl", "Latn", False),
        ("ja", "Hani", True),
        ("jpn_Hani", "Jpan", True),
        ("zh-TW", "Hans", True),
        ("ko", "Hang", True),
        ("taq_Tfng", "Tfng", True),
        ("kas_Deva", "Latn", False),
        ("ace", "Arab", True),
        ("ckb", "Latn", True),
        ("fuv", "Adlm", True),
        ("taq", "Tfng", True),
        ("tat", "Latn", True),
        ("ukr", "Latn", False),
        ("en-Qaaa", "Latn", True),
        ("no-such-code", "Latn", True),
        ("de", "Zyyy", True),
    ],
)
def test_scripts_of_languages(code, script, written):
    assert is_written_in(code, script) is written


@pytest.mark.data
def test_no_label_of_edited_texts_is_in_a_script_of_another_language(data_folder):
    lines = (data_folder / "STATS.tsv").read_text(encoding="utf-8").splitlines()
    rows = [dict(zip(lines[0].split("\t"), line.split("\t"), strict=True)) for line in lines[1:]]
    edited = ("udhr", "seed", "ntrex", "bible")
    labels = [row["label"].split("_") for row in rows if any(int(row[each]) for each in edited)]
    assert len(labels) > 400
    assert [label for label in labels if not is_written_in(*label)] == []


def test_limits_of_sides(reasons):
    pairs = [(ENGLISH, GERMAN), ("Yes", "Ja"), ("A " * 30, "B " * 30)]
    assert reasons(*pairs, min_letters=3, max_characters=70) == [
        None,
        "side_too_short",
        None,
    ]
    assert reasons(*pairs, max_characters=60)[0] == "side_too_long"


def test_scores(reasons):
    pairs = [(ENGLISH, GERMAN)] * 3
    found = reasons(*pairs, scores=["1.04", "1.03", ""], min_scores={"laser": 1.04})
    assert found == [None, "low_score", None]
    assert reasons(*pairs, scores=["1.04", "1.03", ""], min_scores={"labse": 0.5}) == [None] * 3


def test_filters_can_be_turned_off(reasons):
    off = {
        "identical": False, "max_shared_words": 1.0, "max_shared_runs": 1.0, "urls": False,
        "emails": False, "markup": False, "script": False, "swapped": False,
        "max_length_ratio": None, "min_shared_numbers": 0.0,
    }  # fmt: skip
    pairs = [
        (ENGLISH, ENGLISH),
        (ENGLISH, "Каждый"),
        ("<b>a 1 http://x.y</b> a@b.org", "b 2 c"),
    ]
    assert reasons(*pairs, **off) == [None] * 3


def test_identification_finds_wrong_languages_and_swapped_sides(reasons):
    on = {"identify": {"enabled": True, "on_mismatch": "drop"}}
    spanish = "Toda persona tiene derecho a la libertad de pensamiento y de religión."
    pairs = [(ENGLISH, GERMAN), (GERMAN, ENGLISH), (ENGLISH, spanish)]
    assert reasons(*pairs, recipe=on) == [None, "swapped_sides", "language_mismatch"]
    keep = {"identify": {"enabled": True}}
    assert reasons(*pairs, recipe=keep) == [None, "swapped_sides", None]


@pytest.mark.parametrize(
    ("codes", "identify"),
    [
        (("en", "de"), {}),
        (("en", "de"), {"on_mismatch": "relabel"}),
        (("en", None), {}),
        ((None, None), {}),
    ],
)
def test_one_language_is_not_written_alike_with_itself(reasons, codes, identify):
    untranslated = (
        "Everyone has the right to freedom of mind, belief, speech and assembly, they say."
    )
    pairs = [
        (ENGLISH, ENGLISH.replace("freedom", "liberty")),
        (ENGLISH, untranslated),
        (ENGLISH, GERMAN),
    ]
    expected = ["near_identical_sides", "untranslated_words", None]
    assert reasons(*pairs, codes=codes, recipe={"identify": identify}) == expected


def test_sides_that_identification_finds_in_one_language_are_no_pair(reasons):
    other = "All people may think, believe and worship as they wish, and say so."
    relabel = {"identify": {"on_mismatch": "relabel"}}
    on = {"identify": {}}
    assert reasons((ENGLISH, other), codes=("en", None), recipe=on) == ["one_language"]
    assert reasons((ENGLISH, other), codes=(None, None), recipe=on) == ["one_language"]
    # A label that is declared stands by default.
    assert reasons((ENGLISH, other), recipe=on) == [None]
    assert reasons((ENGLISH, other), recipe=relabel) == ["one_language"]
    assert reasons((GERMAN, ENGLISH), recipe=relabel) == ["swapped_sides"]


def test_labels_that_are_declared_stay_a_pair_in_one_script(reasons):
    pair = ("Svako ima pravo na slobodu misli i savjesti.",
            "Svako ima pravo na slobodu mišljenja i savesti.")  # fmt: skip
    assert reasons(pair, codes=("sr", "sr-Latn"), recipe={"identify": {}}) == [None]


def test_sides_of_no_known_language_are_not_of_one(reasons):
    keep = {"identify": {"on_unidentified": "keep", "threshold": 1.0}}
    assert reasons(("Ala o ka", "Ika mu te"), codes=(None, None), recipe=keep) == [None]


def test_reasons_are_all_different():
    recipe = Recipe.model_validate(
        {"glotmill": 1, "name": "a", "sources": [{"name": "s", "path": "-", "category": "bitext"}]}
    )
    names = [each.reason for each in pair_filters(recipe, recipe.sources[0])]
    assert len(names) == len(set(names))
    assert names[0] == "empty_side"


def test_numbers_in_digits_of_new_scripts_are_compared(reasons):
    # 12 and 30 in Ol Onal, whose digits RE2 may not know.
    twelve, thirty = "\U0001e5f2\U0001e5f3", "\U0001e5f4\U0001e5f1"
    pairs = [(f"a {twelve} b", f"c {twelve} d"), (f"a {twelve} b", f"c {thirty} d")]
    assert reasons(*pairs, script=False) == [None, "numbers_mismatch"]
