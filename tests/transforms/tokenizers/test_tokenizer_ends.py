"""What the files for Megatron-LM are told of the ends of documents, by kind of tokenizer."""

import pytest

from glotmill.pipelines.stages.training import ends_of
from glotmill.schemas.output import TokenOutput
from glotmill.transforms.tokenize import TextTokenizer
from glotmill.transforms.training_files import Ends


@pytest.fixture
def tokenizer_of():
    def load(path, **options):
        return TextTokenizer(TokenOutput(tokenizer=str(path), **options))

    return load


def test_ranks_end_below_their_control_tokens(rank_file, tokenizer_of):
    ended = tokenizer_of(rank_file)
    first = ended.tokenizer.vocab_size - 256
    assert ended.eos_id == first + 1
    assert ends_of(ended) == Ends(largest_id=first + 1, eos_id=first + 1, own_eos_id=first + 1)
    bare = tokenizer_of(rank_file, append_eos=False)
    assert ends_of(bare) == Ends(largest_id=first - 1, eos_id=None, own_eos_id=first + 1)
    turned = tokenizer_of(rank_file, eos="<|begin_of_text|>", bos="<|eot_id|>", prepend_bos=True)
    assert ends_of(turned) == Ends(largest_id=first + 9, eos_id=turned.eos_id, own_eos_id=first + 1)


def test_the_end_that_a_model_of_sentencepiece_names(sentence_pieces, tokenizer_of):
    path = sentence_pieces("unigram")
    other = tokenizer_of(path, eos="[INST]")
    largest_id = other.tokenizer.vocab_size - 1
    assert ends_of(other) == Ends(largest_id=largest_id, eos_id=other.eos_id, own_eos_id=2)
    assert other.eos_id not in (None, 2)
