"""The shipped sample holds what its README says."""

from __future__ import annotations

import hashlib
import json
from collections import Counter, defaultdict
from functools import cache
from pathlib import Path

import pytest
import regex
import zstandard

SAMPLE_DIR = Path(__file__).parents[2] / "recipes" / "sample"
SAMPLE = SAMPLE_DIR / "udhr.jsonl.zst"
FIELDS = (
    "id",
    "declaration",
    "name",
    "bcp47",
    "iso639_3",
    "script",
    "direction",
    "article",
    "title",
    "text",
)
SCRIPT_LIST = (
    "Adlm Arab Armn Beng Cakm Cans Cher Cyrl Deva Ethi Geor Gran Grek Gujr Guru Hang Hani Hebr "
    "Hira Java Khmr Knda Lana Laoo Latn Mlym Mong Mymr Sinh Syrc Taml Tavt Telu Tfng Tglg Thaa "
    "Thai Tibt Vaii Yiii"
)
SCRIPTS = tuple(SCRIPT_LIST.split())
ARTICLE_1 = {
    "eng": "All human beings are born free and equal in dignity and rights. They are endowed with "
    "reason and conscience and should act towards one another in a spirit of brotherhood.",
    "deu_1996": "Alle Menschen sind frei und gleich an Würde und Rechten geboren. Sie sind mit "
    "Vernunft und Gewissen begabt und sollen einander im Geist der Brüderlichkeit begegnen.",
    "cmn_hans": "人人生而自由,在尊严和权利上一律平等。"
    "他们赋有理性和良心,并应以兄弟关系的精神相对待。",
}


@cache
def sample_rows() -> tuple[dict[str, object], ...]:
    plain = zstandard.ZstdDecompressor().decompress(SAMPLE.read_bytes())
    return tuple(json.loads(line) for line in plain.decode("utf-8").splitlines())


@cache
def rows_by_id() -> dict[str, dict[str, object]]:
    return {str(row["id"]): row for row in sample_rows()}


@cache
def script_by_declaration() -> dict[str, str]:
    texts: dict[str, list[str]] = defaultdict(list)
    for row in sample_rows():
        texts[str(row["declaration"])].append(str(row["text"]))
    patterns = {code: regex.compile(rf"\p{{Script={code}}}") for code in SCRIPTS}
    found = {}
    for declaration, parts in texts.items():
        text = "\n".join(parts)[:3000]
        counts = Counter({code: len(pattern.findall(text)) for code, pattern in patterns.items()})
        found[declaration] = counts.most_common(1)[0][0]
    return found


def test_counts_are_those_of_the_package() -> None:
    rows = sample_rows()
    assert len(rows) == len(rows_by_id()) == 16_295
    assert len({row["declaration"] for row in rows}) == 532
    assert len({row["iso639_3"] for row in rows} - {"und"}) == 447


def test_file_is_small() -> None:
    assert SAMPLE.stat().st_size < 5_000_000


def test_rows_have_the_declared_fields_and_types() -> None:
    for row in sample_rows():
        assert tuple(row) == FIELDS
        nullable = {"script", "title"}
        assert all(row[key] is not None for key in set(FIELDS) - nullable)
        assert isinstance(row["article"], int)
        assert all(isinstance(row[key], str | None) for key in set(FIELDS) - {"article"})


def test_text_is_collapsed_and_holds_no_markup() -> None:
    markup = regex.compile(r"</?(?:p|li|ol|h[12]|article|header|html|body)\b|&#?\w+;")
    for row in sample_rows():
        for text in filter(None, (str(row["text"]), row["title"])):
            assert not markup.search(str(text)), row["id"]
            assert not regex.search(r"  |\t|\r|\f", str(text)), row["id"]
        paragraphs = str(row["text"]).split("\n")
        assert all(paragraph == paragraph.strip(" \n") != "" for paragraph in paragraphs)


def test_rows_are_ordered_by_declaration_and_article() -> None:
    keys = [(str(row["declaration"]), int(str(row["article"]))) for row in sample_rows()]
    assert keys == sorted(keys)


def test_id_names_declaration_and_article() -> None:
    for row in sample_rows():
        part = f"art{row['article']:02d}" if row["article"] else "preamble"
        assert row["id"] == f"udhr/{row['declaration']}/{part}"


@pytest.mark.parametrize("declaration", sorted(ARTICLE_1))
def test_article_1_is_the_known_sentence(declaration: str) -> None:
    row = rows_by_id()[f"udhr/{declaration}/art01"]
    assert row["text"] == ARTICLE_1[declaration]


def test_articles_align_across_declarations() -> None:
    for declaration, word in {"eng": "education", "fra": "éducation", "spa": "educación"}.items():
        article = rows_by_id()[f"udhr/{declaration}/art26"]
        assert word in str(article["text"])


def test_list_items_stand_on_lines_of_their_own() -> None:
    lines = str(rows_by_id()["udhr/eng/art13"]["text"]).split("\n")
    assert lines == [
        "Everyone has the right to freedom of movement and residence within the borders of each "
        "State.",
        "Everyone has the right to leave any country, including his own, and to return to his "
        "country.",
    ]


def test_most_declarations_are_complete() -> None:
    counts = Counter(str(row["declaration"]) for row in sample_rows())
    assert sum(count == 31 for count in counts.values()) == 492
    assert counts["khk_mong"] == counts["tgl_tglg"] == counts["taj"] == counts["tzm_tfng"] == 1


def test_forty_scripts_are_written() -> None:
    assert set(script_by_declaration().values()) == set(SCRIPTS)
    assert len(SCRIPTS) == 40


def test_script_field_agrees_with_the_text() -> None:
    recognised = script_by_declaration()
    for row in sample_rows():
        if row["script"] not in {None, "Hant"}:
            assert row["script"] == recognised[str(row["declaration"])]


def test_readme_states_digest_and_counts() -> None:
    readme = (SAMPLE_DIR / "README.md").read_text(encoding="utf-8")
    assert hashlib.sha256(SAMPLE.read_bytes()).hexdigest() in readme
    for number in ("532", "447", "16,295", f"{SAMPLE.stat().st_size:,}"):
        assert number in readme


def test_licence_is_kept_beside_the_sample() -> None:
    licence = (SAMPLE_DIR / "LICENSE-udhr.txt").read_text(encoding="utf-8")
    assert "MIT License" in licence
    assert "Copyright (c) Titus Wormer" in licence
