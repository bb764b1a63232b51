"""Tokenizers in other processes."""

import multiprocessing
import os
from operator import methodcaller

import numpy as np
import pytest

from glotmill.transforms.tokenizers.load import load_tokenizer


@pytest.fixture(scope="module")
def paths(byte_level, rank_file, sentence_pieces):
    return [str(path) for path in (byte_level("plain"), rank_file, sentence_pieces("bpe"))]


@pytest.mark.parametrize("method", ["fork", pytest.param("spawn", marks=pytest.mark.slow)])
def test_a_worker_loads_and_encodes(paths, method, texts):
    here = [load_tokenizer(path) for path in paths]
    with multiprocessing.get_context(method).Pool(1) as pool:
        loaded = pool.map(load_tokenizer, paths)
        encoded = pool.map(methodcaller("encode", texts), here)
    for tokenizer, other, there in zip(here, loaded, encoded, strict=True):
        ids = tokenizer.encode(texts).ids
        assert (other.sha256, other.eos_id) == (tokenizer.sha256, tokenizer.eos_id)
        assert np.array_equal(other.encode(texts).ids, ids)
        assert np.array_equal(there.ids, ids)


def test_no_threads_are_started(paths, texts):
    before = len(os.listdir("/proc/self/task"))
    for path in paths:
        load_tokenizer(path, backend="reference").encode(texts)
    assert len(os.listdir("/proc/self/task")) == before
