"""datatrove: what of its stages does what glotmill's ingest does, one task, no worker processes.

Called as `datatrove_ingest.py CORPUS OUT MODEL [repetition]` in a virtual environment of its own.
"""

from __future__ import annotations

import sys
from pathlib import Path

from datatrove.executor.local import LocalPipelineExecutor
from datatrove.pipeline.filters import GopherRepetitionFilter, LanguageFilter
from datatrove.pipeline.formatters import FTFYFormatter
from datatrove.pipeline.readers import JsonlReader
from datatrove.pipeline.writers import ParquetWriter
from datatrove.utils.lid import FT176LID


def main() -> None:
    """Repair, identify, and where it is asked for find lines and 5-grams that repeat."""
    corpus, out, model, *options = sys.argv[1:]
    FT176LID.MODEL_URL = model
    steps = [
        JsonlReader(corpus, glob_pattern="part-*.jsonl.zst"),
        FTFYFormatter(normalization="NFC"),
        LanguageFilter(backend="ft176", label_only=True),
        ParquetWriter(str(Path(out) / "documents"), compression="zstd"),
    ]
    if "repetition" in options:
        none = dict.fromkeys(("dup_para_frac", "dup_line_char_frac", "dup_para_char_frac"))
        steps.insert(-1, GopherRepetitionFilter(**none, top_n_grams=(), dup_n_grams=((5, 0.15),)))
    logs = str(Path(out) / "logs")
    LocalPipelineExecutor(pipeline=steps, tasks=1, workers=1, logging_dir=logs).run()


main()
