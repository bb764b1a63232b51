"""OpusFilter: its filters that do what glotmill's filters for pairs do, on one core.

Called as `opusfilter_pairs.py SOURCE TARGET OUT SCRIPTS` in a virtual environment of its own: two
files of a segment a line, and the scripts of their sides (`Latin,Arabic`). Leaves what it keeps in
`OUT/kept.source` and `OUT/kept.target`.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from opusfilter.opusfilter import OpusFilter


def filters(scripts: list[str]) -> list[dict[str, Any]]:
    """Length, ratio, markup, script, numbers, shared words and repetition; limits as glotmill's."""
    return [
        {"LengthFilter": {"unit": "char", "min_length": 1, "max_length": 2000}},
        {"LengthRatioFilter": {"unit": "char", "threshold": 2.5}},
        {"HtmlTagFilter": {}},
        {"CharacterScoreFilter": {"scripts": scripts, "thresholds": [0.8, 0.8]}},
        {"NonZeroNumeralsFilter": {"threshold": 0.6}},
        {"SimilarityFilter": {"unit": "word", "threshold": 0.8, "lowercase": True}},
        {"RepetitionFilter": {}},
    ]


def main() -> None:
    """Filter a pair of files."""
    *paths, scripts = sys.argv[1:]
    source, target, out = (str(Path(path).absolute()) for path in paths)
    parameters = {
        "inputs": [source, target],
        "outputs": ["kept.source", "kept.target"],
        "filters": filters(scripts.split(",")),
    }
    steps = [{"type": "filter", "parameters": parameters}]
    OpusFilter({"common": {"output_directory": out}, "steps": steps}).execute_steps()


main()
