"""Words and sentences, against a loop over characters and on known texts of many scripts."""

import numpy as np
import pyarrow as pa
import pytest
import regex
from hypothesis import example, given, settings
from hypothesis import strategies as st

from glotmill.transforms.scan import scan
from glotmill.transforms.words import (
    ngram_hashes,
    sentence_ends,
    whitespace_word_starts,
    word_characters,
    word_hashes,
    word_starts,
)

PIECES = st.one_of(
    st.sampled_from(
        ["abc", "❤\ufe0f", "👩\u200d👧", "l'eau", "it’s", "col·legi", "c'", "'a", "3.14", "U.S."]
    ),
    st.sampled_from(
        ["ʻokina", "faʻa", "tʼ", "o‘z", "‘a’", "e\u0301'e", "ש\u05b8״ס", 'ר"ת', '"א"', 'a"b', "꞉a"]
    ),
    st.sampled_from(["Ա:", "ե՞ս: ", "α; ", "a:", "ነ፡፡", "ང། ", "།། །", "ང༎", "⠓⠑⠀⠕", "𝠀𝪜", "10:30"]),
    st.sampled_from(
        ["漢字", "漢'字", "卡尔·马克思", "ひら", "カタカナ", "ー", "ก่", "น้ำ", "ที่2", "ลาว", "ខ្មែរ"]
    ),
    st.sampled_from(
        ["བོད་ཡིག", "မြန်", "한국어", "हिन्दी", "क्\u200dष", "می\u200cروم", "ש״ס", "አማ፡ርኛ"]
    ),
    st.sampled_from([" ", "  ", "\n", ".", "!?", "...", "。", "።", "॥", "؟", ",", "-"]),
    st.sampled_from(["Zu\u00adsam\u00admen", "ᠬᠠᠨ\u180eᠠ", "שלום\u200f", "\u200eab", "ขอ\u200bให้"]),
    st.text(st.sampled_from("aé漢กก่2אԱα'’‘ʻ\":;፡།.\u0301\u200d\u00ad\u200b カ \n。"), max_size=6),
)  # fmt: skip
TEXTS = st.lists(PIECES, max_size=8).map("".join)
UNSPACED = regex.compile(
    r"[\p{Han}\p{Hiragana}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}\p{Tibetan}\p{Bopomofo}]"
)
MIDDLE = "['\"’‘·׳״՛՜՞ʻʼꞋꞌ]"
LETTER = regex.compile(rf"[\p{{L}}⠁-⣿𝠀꞉--{MIDDLE}]", regex.V1)
BEARER = regex.compile(rf"[\p{{L}}\p{{Nd}}⠁-⣿𝠀꞉--{MIDDLE}]", regex.V1)
HEBREW = regex.compile(r"\p{Hebrew}{2}")
UNSEEN = r"\u200c\p{WB=ZWJ}\p{WB=Format}"
ATTACHED = regex.compile(rf"[\p{{M}}{UNSEEN}]")
TERMINAL = regex.compile(
    r"\p{STerm}|(?<=\p{Armenian}):|(?<=\p{Greek});|(?<=፡)፡|(?<=\S)[།༎](?=\s|\Z)"
)


def spaced_letter(char):
    return bool(LETTER.match(char)) and not UNSPACED.match(char)


def bearer(text, i):
    while i > 0 and ATTACHED.match(text[i]):
        i -= 1
    return text[i]


def inside(text, i):
    if not regex.match(MIDDLE, text[i]):
        return bool(BEARER.match(bearer(text, i)))
    if not 0 < i < len(text) - 1:
        return False
    sides = bearer(text, i - 1) + text[i + 1]
    return all(map(spaced_letter, sides)) and (text[i] != '"' or bool(HEBREW.match(sides)))


def words_of(text):
    """The words of a text, by the rules in the module's description."""
    words, in_word, after_alone = [], False, False
    for i, char in enumerate(text):
        alone = bool(LETTER.match(char)) and not spaced_letter(char)
        attached = bool(ATTACHED.match(char))
        if inside(text, i):
            if alone or not in_word or (after_alone and not attached):
                words.append("")
            words[-1] += char
        in_word = inside(text, i)
        after_alone = alone or (attached and after_alone)
    return words


def sentences_of(text):
    found = 0
    for i, char in enumerate(text):
        following = text[i + 1 : i + 2]
        if TERMINAL.match(text, i):
            goes_on = following and inside(text, i + 1) and ord(char) < 0x80
            found += not goes_on and not TERMINAL.match(text, i + 1)
        else:
            found += following in ("", "\n") and inside(text, i)
    return found


def scanned(texts):
    return scan(pa.array(texts, pa.string()))


def num_words(texts):
    found = scanned(texts)
    return found.sum_by_document(word_starts(found, word_characters(found))).tolist()


def num_sentences(texts):
    found = scanned(texts)
    return found.sum_by_document(sentence_ends(found, word_characters(found))).tolist()


@settings(deadline=None, max_examples=400)
@given(st.lists(TEXTS, max_size=5))
@example(["a", "\u0301b", "ก", "\u0e482", "漢", "a'", "b", "'c"])
def test_words(texts):
    assert num_words(texts) == [len(words_of(text)) for text in texts]


@settings(deadline=None, max_examples=400)
@given(st.lists(TEXTS, max_size=5))
@example(["a", "\nb", ".", "c", "3.", "14"])
def test_sentences(texts):
    assert num_sentences(texts) == [sentences_of(text) for text in texts]


@settings(deadline=None)
@given(
    st.lists(
        st.text(st.characters(codec="utf-8", exclude_characters="\x1c\x1d\x1e\x1f"), max_size=20)
    )
)
def test_whitespace_words_are_those_of_split(texts):
    found = scanned(texts)
    starts = found.sum_by_document(whitespace_word_starts(found))
    assert starts.tolist() == [len(text.split()) for text in texts]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Don’t say l'eau d'or, it's 3 o'clock.", 7),
        ("'quoted' words' end", 3),
        ("‘quoted’ ‘words’ “end”", 3),
        ("ʻokina ʻo e faʻa tʼáá ʼ", 5),
        ("O‘zbekiston bo‘lib o‘tdi", 3),
        ("o\u0331'do\u0331ta", 1),
        ("ọ\u0300'rẹ\u0301 ẹ\u0300'kọ\u0301", 2),
        ("כ\u05bc\u05b8׳ל ת\u05bc\u05b8נ\u05b8״ך\u05b0", 2),
        ('ארה"ב "שלום" a"b', 4),
        ("Ինչո՞ւ է՞ ա՛յ ա՜խ", 4),
        ("a꞉b ꞊c", 2),
        ("⠠⠓⠑⠇⠇⠕⠀⠺⠕⠗⠇⠙ ⠁", 3),
        ("𝠀𝤆𝪜 𝠀𝤆𝪜", 2),
        ("semi-detached e-mail", 4),
        ("el col·legi", 2),
        ("Müßiggänger naïve Łódź", 3),
        ("x²+y² 1,000 3.14", 6),
        ("नमस्ते दुनिया, हिन्दी में", 4),
        ("ক্ষমা করুন", 2),
        ("மிழ் தமிழ்", 2),
        ("می\u200cروم خانه", 2),
        ("Zu\u00adsam\u00admen\u00adar\u00adbeit", 1),
        ("\u200eabc\u200f \u2068def\u2069", 2),
        ("ᠬᠠᠨ\u180eᠠ", 1),
        ("ab\u200bcd", 2),
        ("مُحَمَّدٌ رَسُولُ", 2),
        ("תש״ח צ׳ופצ׳יק", 2),
        ("모든 인간은 태어날 때부터", 4),
        ("ሁሉም፡ሰው፡ነጻ", 3),
        ("Все люди рождаются", 3),
        ("人人生而自由，在尊嚴", 9),
        ("卡尔·马克思", 5),
        ("すべての人間は", 7),
        ("コンピューターを使う", 4),
        ("ที่นี่", 2),
        ("น้ำ", 2),  # the vowel is a letter of its own
        ("ที่2 กม", 4),
        ("iPhone手机x", 4),
        ("ខ្មែរ", 3),
        ("बॉ😀b", 2),
        ("", 0),
        ("... !?", 0),
        ("👩\u200d👩\u200d👧 ❤\ufe0f 👍🏽 1\ufe0f\u20e3", 1),
        ("\u0301 \u200d", 0),
    ],
)
def test_words_of_known_texts(text, words):
    assert num_words([text]) == [words]
    assert len(words_of(text)) == words


@pytest.mark.parametrize(
    ("text", "sentences"),
    [
        ("One. Two! Three? Four", 4),
        ("Wait... what?! Pi is 3.14, and U.S.A too.", 3),
        ("A title\nA sentence.\n\nAnother one", 3),
        ("Один. Два!", 2),
        ("这是一。这是二！三？", 3),
        ("これは一つ。二つ！", 2),
        ("यह एक वाक्य है। यह दूसरा है॥", 2),
        ("هذه جملة. هل هذه جملة؟ نعم۔", 3),
        ("ይህ ነው። ሌላ፧", 2),
        ("ဒါက။ နောက်တစ်ခု။", 2),
        ("ᠮᠣᠩᠭᠣᠯ᠃ ᠬᠡᠯᠡ᠃", 2),
        ("Սա է։ Դա է։", 2),
        ("Սա է: Դա է: 10:30", 3),
        ("Τι είναι; Ναι; Α· β", 3),
        ("a: b; c", 1),
        ("ሰላም፡፡ ሁሉም፡ሰው፡፡", 2),
        ("བཀྲ་ཤིས། བདེ་ལེགས། །ཀ།ཁ༎", 3),
        ("ཀ།། ཁ།", 2),
        ("ภาษาไทย ไม่มีจุด", 1),
        ("", 0),
    ],
)
def test_sentences_of_known_texts(text, sentences):
    assert num_sentences([text]) == [sentences]


def hashes(texts):
    found = scanned(texts)
    within = word_characters(found)
    return word_hashes(found, within, np.flatnonzero(word_starts(found, within)))


WRITTEN_IN_SEVERAL_WAYS = regex.compile(rf"{MIDDLE}|[{UNSEEN}]")


@settings(deadline=None)
@given(st.lists(TEXTS, min_size=1, max_size=6))
def test_words_have_one_hash_if_and_only_if_they_are_equal(texts):
    words = [
        WRITTEN_IN_SEVERAL_WAYS.sub("", word).lower() for text in texts for word in words_of(text)
    ]
    found = hashes(texts)
    assert len(found) == len(words)
    by_word = dict(zip(words, found.tolist(), strict=True))
    assert [by_word[word] for word in words] == found.tolist()
    assert len(set(by_word.values())) == len(by_word)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("faʻa", "fa'a"), ("п’ять", "пʼять"), ("ʻokina", "okina"), ("ʼya tʼ", "'ya t'"),
        ("o‘zbek", "oʻzbek"), ("kaꞌa", "KAꞋA"), ("kaꞌa", "ka'a"), ('ש"ס', "ש״ס"),
        ("l'eau", "l’eau"), ("L'EAU", "leau"), ("ש״ס", "שס"), ("می\u200cروم", "میروم"),
        ("كتـــاب", "كتاب"), ("ÉTÉ", "été"), ("ΛΌΓΟΣ", "λόγος"),
        ("Zu\u00adsam\u00admen", "zusammen"), ("ᠬᠠᠨ\u180eᠠ", "ᠬᠠᠨᠠ"), ("\u200fשלום\u200f", "שלום"),
        ("İSTANBUL", "istanbul"), ("DIYARBAKIR", "dıyarbakır"), ("ᠭᠡᠷ\u180b", "ᠭᠡᠷ"),
        ("辻\U000e0100葛\ufe00城", "辻葛城"), ("a\u034fb", "ab"), ("ក\u17b5ា", "កា"),
    ],
)  # fmt: skip
def test_words_that_are_written_in_several_ways(one, other):
    assert hashes([one]).tolist() == hashes([other]).tolist()


def test_a_tatweel_alone_is_a_word():
    assert len(set(hashes(["ـ a", "ـ b"]).tolist())) == 3


def test_a_long_word_and_its_neighbours():
    long = "ab" * 5_000
    found = hashes([f"x {long} {long} {long[:-1]} x"])
    assert len(found) == 5
    assert found[1] == found[2] != found[3]
    assert found[0] == found[4]


@settings(deadline=None)
@given(st.lists(st.integers(0, 5), max_size=30), st.integers(1, 5))
def test_ngrams_have_one_hash_if_and_only_if_they_are_equal(words, n):
    found = ngram_hashes(np.array(words, np.uint64) * np.uint64(0x9E3779B97F4A7C15), n).tolist()
    grams = [tuple(words[i : i + n]) for i in range(len(words) - n + 1)]
    assert len(found) == len(grams)
    by_gram = dict(zip(grams, found, strict=True))
    assert [by_gram[gram] for gram in grams] == found
    assert len(set(by_gram.values())) == len(by_gram)
