"""Lengths of pairs: the translations of the Declaration fill in for scripts nothing else has."""

from __future__ import annotations

import gzip
import importlib
import sys
from pathlib import Path
from typing import Any

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
sys.path.append(str(BENCHMARKS))
lengths: Any = importlib.import_module("pair_lengths")


def write(folder: Path, name: str, text: str, num_articles: int) -> None:
    articles = "".join(
        f'<article number="{number}"><title>x</title><para>{text}</para></article>'
        for number in range(1, num_articles + 1)
    )
    empty = '<article number="31"><para> </para></article>'
    (folder / f"udhr_{name}.xml.gz").write_bytes(
        gzip.compress(f'<udhr xmlns="http://a">{articles}{empty}</udhr>'.encode())
    )


def declarations(tmp_path: Path) -> list[dict[str, str]]:
    folder = tmp_path / "mono" / "udhr_xml"
    folder.mkdir(parents=True)
    write(folder, "eng", "All are free.", 30)
    write(folder, "iii", "ꊿꂷꃅꄿꐨ", 20)
    write(folder, "khk_mong", "ᠬᠦᠮᠦᠨ", 1)
    return list(lengths.all_declarations(tmp_path))


def test_translations_with_most_of_the_articles_are_read(tmp_path):
    rows = declarations(tmp_path)
    assert len(rows) == 30
    assert rows[0] == {"eng": "All are free.", "iii": "ꊿꂷꃅꄿꐨ"}
    assert rows[-1] == {"eng": "All are free."}


def test_quotients_are_of_the_articles_that_both_have(tmp_path):
    found = lengths.quotients(declarations(tmp_path), characters=False)
    assert found == {"eng": ("Latn", 1.0), "iii": ("Yiii", 0.5)}
    more = {"fra": ("Latn", 1.1)}
    assert lengths.quotients_by_script([found, more]) == {"Latn": [1.0, 1.1], "Yiii": [0.5]}
