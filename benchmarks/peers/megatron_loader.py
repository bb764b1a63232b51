"""Megatron-core: batches of 8 samples of its blended GPT datasets, in order, in a thread.

Called as `megatron_loader.py TRAINING LENGTH SAMPLES SECONDS` in a virtual environment of its own,
with the JSON of a training file beside its token files; prints seconds to build the indices and
tokens a CPU second. Positions are not reset and no masks made: it then makes both but once.
"""

from __future__ import annotations

import json
import logging
import os
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from megatron.core.datasets.blended_megatron_dataset_builder import BlendedMegatronDatasetBuilder
from megatron.core.datasets.gpt_dataset import GPTDataset, GPTDatasetConfig
from torch.utils.data import default_collate

BATCH = 8


class Ids:
    """What the datasets ask of a tokenizer."""

    def __init__(self) -> None:
        self.eod, self.pad, self.vocab_size = 2, -1, 32_000
        self.unique_identifiers = {"class": "ids"}


def read(samples: GPTDataset, length: int, num_samples: int, seconds: int) -> float:
    """Tokens a CPU second."""
    begin, count = time.process_time(), 0
    while time.process_time() - begin < seconds:
        batch = [samples[(count + each) % num_samples] for each in range(BATCH)]
        count += len(default_collate(batch)["tokens"])
    return count * length / (time.process_time() - begin)


def main() -> None:
    """Build the datasets, then read."""
    logging.disable(logging.WARNING)
    path, length, num_samples, seconds = Path(sys.argv[1]), *map(int, sys.argv[2:])
    os.chdir(path.parent)
    entries = json.loads(path.read_text())["datasets"]
    blend = [each["prefix"] for each in entries], [each["weight"] for each in entries]
    config = GPTDatasetConfig(
        random_seed=1,
        sequence_length=length,
        tokenizer=Ids(),
        blend_per_split=[blend, None, None],
        path_to_cache=None,
        reset_position_ids=False,
        reset_attention_mask=False,
        eod_mask_loss=False,
        create_attention_mask=False,
    )
    begin = time.process_time()
    sizes = [num_samples, 0, 0]
    builder = BlendedMegatronDatasetBuilder(GPTDataset, sizes, lambda: True, config)
    train, _, _ = builder.build()
    opened = time.process_time() - begin
    with ThreadPoolExecutor(1) as pool:
        rate = pool.submit(read, train, length, num_samples, seconds).result()
    print(json.dumps({"opened": opened, "tokens_per_cpu_second": rate}))


main()
