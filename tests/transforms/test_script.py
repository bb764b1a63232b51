"""Scripts of documents: against counting by hand, and on known texts."""

from collections import Counter

import numpy as np
import pyarrow as pa
import pytest
import regex
from hypothesis import given, settings
from hypothesis import strategies as st

from glotmill.transforms.scan import scan
from glotmill.transforms.script import recognise_scripts

SCRIPTS = {
    "Latn": "abcéßł", "Cyrl": "жщяё", "Grek": "λπΩ", "Arab": "عبحگ", "Hebr": "אבש", "Deva": "कखग",
    "Thai": "กขค", "Hang": "한국어", "Ethi": "አማር", "Armn": "հայ", "Geor": "ქარ", "Laoo": "ລາວ",
    "Goth": "𐌰𐌱𐌲",
}  # fmt: skip
NEUTRAL = " 0123.,!?\n😀➤ー²〜′"
TEXTS = st.lists(
    st.one_of(st.text(st.sampled_from("".join(SCRIPTS.values())), max_size=9),
              st.text(st.sampled_from(NEUTRAL), max_size=3)),
    max_size=8,
).map("".join)  # fmt: skip


def recognise(texts):
    codes, shares, letters = recognise_scripts(scan(pa.array(texts, pa.string())))
    return list(zip(codes, shares.tolist(), letters.tolist(), strict=True))


def counted(text):
    """Letters by script, of those that have one."""
    found = Counter()
    for code, chars in SCRIPTS.items():
        found[code] += sum(map(text.count, chars))
    return +found


def weighed(counts):
    """The counts that the main script and its share follow; no text here has marks of a script."""
    if max(counts.values()) >= 0.9 * counts.total():
        return counts
    return Counter({c: n * (2 if c in ("Hang", "Ethi") else 1) for c, n in counts.items()})


@settings(deadline=None, max_examples=300)
@given(st.lists(TEXTS, max_size=5))
def test_main_script_and_share_over_letters_alone(texts):
    for text, (code, share, letters) in zip(texts, recognise(texts), strict=True):
        counts = counted(text)
        assert letters == sum(counts.values())
        if not counts:
            assert (code, share) == ("Zyyy", 0.0)
        else:
            weights = weighed(counts)
            assert weights[code] == max(weights.values())
            assert share == pytest.approx(weights[code] / weights.total())


@settings(deadline=None)
@given(st.lists(st.text(max_size=20), max_size=4))
def test_any_text_has_as_many_letters_as_have_a_script(texts):
    for text, (code, share, letters) in zip(texts, recognise(texts), strict=True):
        letter = r"\p{L}[\p{So}&&[\p{Braille}\p{SignWriting}]--\u2800]"
        pattern = rf"[[{letter}]&&[^\p{{Script=Zyyy}}\p{{Script=Zinh}}\p{{Script=Zzzz}}]]"
        assert letters == len(regex.findall(pattern, text, regex.V1))
        assert 0 <= share <= 1
        assert (code == "Zyyy") == (letters == 0) == (share == 0)


CHINESE = "这个国家的经济发展很快，人们的生活也变得更好了。"
TAIWAN = "這個國家的經濟發展很快，人們的生活也變得更好了。"


@pytest.mark.parametrize(
    ("text", "code", "share"),
    [
        ("すべての人間は、生まれながらにして自由であり、かつ平等である。", "Jpan", 1),
        ("コンピューターを使う。", "Jpan", 1),
        ("ひらがなだけ", "Jpan", 1),
        ("カタカナ", "Jpan", 1),
        ("모든 인간은 태어날 때부터 자유로우며", "Hang", 1),
        ("大韓民國은 民主共和國이다. 모든 國民은", "Hang", 1),
        (CHINESE, "Hans", 1),
        (TAIWAN, "Hant", 1),
        ("人人生而自由", "Hani", 1),
        (CHINESE + TAIWAN, "Hani", 1),
        (CHINESE * 5 + TAIWAN, "Hans", 1),
        ("ㄅㄆㄇ注音國語", "Hant", 1),
        ("佢身体好弱。", "Hans", 1),  # one character decides where it is the only evidence
        ("自行車", "Hant", 1),
        ("你在哪里", "Hani", 1),  # 里 is written in both
        ("ボブは東京都知事選挙管理委員会事務局長", "Jpan", 1),
        ("東京都知事選挙管理委員会", "Hani", 1),  # no kana: Japanese has characters of both forms
        (CHINESE * 4 + "ナ", "Hans", 88 / 89),  # one name in kana makes no Japanese
        ("日本語 and a lot more of English", "Latn", 20 / 26),
        ("Это русский text", "Cyrl", 10 / 14),
        ("佢並唔係跟住Diddy嘅腳步改名嘅第一人，Diddy同時都係Puff Daddy", "Hant", 40 / 60),
        ("これはGoogle Driveから同時に利用できる、Slackも", "Jpan", 28 / 44),
        ("세라 페일린(Sarah Palin) 도널드 트럼프(Donald)", "Hang", 22 / 38),
        ("የPortugal እና Juventus አጥቂ፣ የተባለች የAmerican ሴት", "Ethi", 28 / 52),
        ("မြို့ကြီး Rangoon နှင့် Mandalay တို့", "Mymr", 18 / 33),
        ("ຂອງ Ant McPartlin ແມ່ນຈະກາຍ", "Laoo", 12 / 24),
        ("Manchester City ของ Sergio Aguero", "Latn", 26 / 29),
        ("请访问https://example.com/a查看详情。", "Hans", 1),  # no script's
        ("अधिक पढ़ें www.example.com/f।", "Deva", 1),
        ("見る me@example.org", "Jpan", 1),
        ("https://example.com/abc", "Latn", 1),
        ("Ελληνικά", "Grek", 1),
        ("हिन्दी में", "Deva", 1),  # vowel signs are marks, not letters
        ("ᏣᎳᎩ ᎦᏬᏂᎯᏍᏗ", "Cher", 1),
        ("𐌲𐌿𐍄𐌹𐍃𐌺", "Goth", 1),
        ("⠠⠓⠑⠇⠇⠕⠀⠺⠕⠗⠇⠙", "Brai", 1),
        ("𝠀𝤆𝪜 𝠀𝤆𝪜", "Sgnw", 1),
        ("⠀", "Zyyy", 0),  # the blank cell is a space
        ("ʻokina", "Latn", 1),  # ʻ is in no script
        ("123 😀 ... ー", "Zyyy", 0),
        ("", "Zyyy", 0),
    ],
)
def test_known_texts(text, code, share):
    ((found, of_letters, _),) = recognise([text])
    assert found == code
    assert of_letters == pytest.approx(share)


def test_japanese_and_korean_need_more_than_a_twentieth():
    def script(han, other):
        return recognise(["人" * han + other])[0][0]

    assert script(95, "か" * 5) == "Hani"
    assert script(94, "か" * 6) == "Jpan"
    assert script(95, "한" * 5) == "Hani"
    assert script(94, "한" * 6) == "Hang"


def test_documents_do_not_touch_each_other():
    texts = [CHINESE, "", "カタカナ", TAIWAN, "abc", "漢字かな", "한국어 漢字"]
    together = recognise(texts)
    assert together == [recognise([text])[0] for text in texts]
    assert [found[0] for found in together] == [
        "Hans",
        "Zyyy",
        "Jpan",
        "Hant",
        "Latn",
        "Jpan",
        "Hang",
    ]
    assert np.isfinite([found[1] for found in together]).all()


def test_a_scan_is_recognised_as_its_text():
    texts = pa.array(["", CHINESE, "မြို့ကြီး Rangoon နှင့် Mandalay တို့", "abc", "カタカナ"])
    of_text, of_scan = recognise_scripts(texts), recognise_scripts(scan(texts))
    assert of_text[0] == of_scan[0] == ["Zyyy", "Hans", "Mymr", "Latn", "Jpan"]
    assert of_text[1].tolist() == of_scan[1].tolist()
    assert of_text[2].tolist() == of_scan[2].tolist()


def test_marks_count_only_where_no_script_has_nine_tenths():
    assert recognise(["a" * 90 + "ြ" * 400 + "က" * 10])[0][:2] == ("Latn", 0.9)
    assert recognise(["a" * 89 + "ြ" * 400 + "က" * 11])[0][:2] == ("Mymr", 411 / 500)
    assert recognise(["abж" + "ि" * 9])[0][:2] == ("Latn", 2 / 3)  # a script needs letters


def test_no_texts():
    codes, shares, letters = recognise_scripts(pa.array([], pa.string()))
    assert (codes, shares.tolist(), letters.tolist()) == ([], [], [])
