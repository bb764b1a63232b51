"""datatrove: its DocumentTokenizer, shuffling, and its merger, one task at a time.

Called as `datatrove_tokenize.py CORPUS OUT TOKENIZER` in datatrove's own virtual environment.
"""

from __future__ import annotations

import sys
from pathlib import Path

from datatrove.executor.local import LocalPipelineExecutor
from datatrove.pipeline.readers import JsonlReader
from datatrove.pipeline.tokens import DocumentTokenizer, DocumentTokenizerMerger


def main() -> None:
    """Tokenize a corpus and merge what the tasks wrote, both shuffled."""
    corpus, out, tokenizer = (Path(argument) for argument in sys.argv[1:])
    tokens = str(out / "tokens")
    reader = JsonlReader(str(corpus), glob_pattern="part-*.jsonl.zst")
    options = {"tokenizer_name_or_path": str(tokenizer), "eos_token": "<|endoftext|>", "seed": 42}
    steps = [
        [reader, DocumentTokenizer(tokens, **options)],
        [DocumentTokenizerMerger(tokens, str(out / "merged"), "train", seed=42)],
    ]
    for number, pipeline in enumerate(steps):
        logs = str(out / "logs" / str(number))
        LocalPipelineExecutor(pipeline=pipeline, tasks=1, workers=1, logging_dir=logs).run()


main()
