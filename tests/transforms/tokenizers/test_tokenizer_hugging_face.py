"""Ids of a tokenizer.json, on tiktoken and not, against those of `tokenizers` itself."""

import json
import subprocess
import sys
from collections import Counter

import numpy as np
import pytest
import tokenizers
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import models, pre_tokenizers
from tokenizers.trainers import BpeTrainer

from glotmill.transforms.tokenizers.encodings import ENCODINGS
from glotmill.transforms.tokenizers.load import load_tokenizer
from glotmill.transforms.tokenizers.ranks import LONGEST_SPACE

# The patterns of GPT-2 (as part of ByteLevel), Llama 3, Qwen 2 and GPT-4o.
QWEN2 = ENCODINGS["llama3"].pattern.replace("{1,3}", "")
PATTERNS = {
    "gpt2": None,
    "llama3": ENCODINGS["llama3"].pattern,
    "qwen2": QWEN2,
    "gpt4o": ENCODINGS["o200k_base"].pattern,
}
EVERYDAY = ("gpt2", "llama3")
NAMES = [
    name if name in EVERYDAY else pytest.param(name, marks=pytest.mark.slow) for name in PATTERNS
]


def library_ids(path, texts):
    """What the library gives when it is told not to take text for special tokens."""
    library = tokenizers.Tokenizer.from_file(str(path))
    library.encode_special_tokens = True
    return [each.ids for each in library.encode_batch(texts, add_special_tokens=False)]


@pytest.fixture(scope="module")
def llama3(byte_level):
    return load_tokenizer(str(byte_level("llama3")))


@pytest.fixture(scope="module")
def llama3_reference(byte_level):
    return load_tokenizer(str(byte_level("llama3")), backend="reference")


@pytest.mark.parametrize("name", NAMES)
def test_ids_on_tiktoken_are_those_of_the_library(name, byte_level, texts, rows):
    path = byte_level(name, PATTERNS[name])
    tokenizer = load_tokenizer(str(path))
    assert (tokenizer.kind, tokenizer.backend) == ("huggingface", "tiktoken")
    encoded = tokenizer.encode(texts)
    assert rows(encoded) == library_ids(path, texts)
    assert (encoded.ids.dtype, encoded.lengths.dtype) == (np.uint16, np.int64)
    assert [tokenizer.decode(ids) for ids in rows(encoded)] == texts


@pytest.mark.exhaustive
@pytest.mark.slow
def test_ids_of_every_character_beside_others(llama3, llama3_reference):
    codes = [chr(code) for code in range(0x110000) if not 0xD800 <= code < 0xE000]
    for form in ("{0}", " {0} a", ".{0}a", "\n{0}{0}1"):
        batch = [form.format(character) for character in codes]
        assert np.array_equal(llama3.encode(batch).ids, llama3_reference.encode(batch).ids)


def test_what_it_says_of_itself(llama3, byte_level):
    size = tokenizers.Tokenizer.from_file(str(byte_level("llama3"))).get_vocab_size()
    assert llama3.vocab_size == size == len(llama3.fallback)
    assert llama3.eos_id == llama3.id_of("<|endoftext|>") == size - 5
    assert llama3.bos_id == llama3.id_of("<|begin_of_text|>")
    assert llama3.pad_id is None
    assert llama3.id_of("<nothing>") is None
    assert llama3.name == "llama3.json"
    assert len(llama3.sha256) == 64


def test_the_reference_back_end(llama3_reference, llama3, texts):
    assert llama3_reference.backend == "tokenizers"
    ours, theirs = llama3.encode(texts), llama3_reference.encode(texts)
    assert np.array_equal(ours.ids, theirs.ids)
    assert np.array_equal(ours.lengths, theirs.lengths)


def test_no_texts(llama3):
    encoded = llama3.encode([])
    assert (encoded.ids.shape, encoded.lengths.shape) == ((0,), (0,))
    assert encoded.ids.dtype == np.uint16


@given(st.lists(st.text() | st.text(alphabet=" \n\r\t'sS.1a\u0301é的<|>")))
def test_any_text(llama3, llama3_reference, rows, batch):
    encoded = llama3.encode(batch)
    assert rows(encoded) == rows(llama3_reference.encode(batch))
    assert [llama3.decode(ids) for ids in rows(encoded)] == batch


def test_pieces_of_characters_are_fallback(llama3, rows):
    names = {i: llama3.decode([i]) for i in range(llama3.vocab_size)}
    assert all(("\ufffd" in name) == llama3.fallback[i] for i, name in names.items())
    (ids,) = rows(llama3.encode(["a \U00012000 b"]))
    assert llama3.fallback[ids].sum() >= 2
    assert not llama3.fallback[llama3.encode(["plain words"]).ids].any()


def test_control_tokens_in_text_stay_text(llama3, rows):
    control = {llama3.id_of(name) for name in ("<|endoftext|>", "<s>", "</s>", "[INST]")}
    assert None not in control
    (ids,) = rows(llama3.encode(["<|endoftext|><s>x</s>[INST]"]))
    assert not control & set(ids)
    assert llama3.decode([llama3.eos_id]) == "<|endoftext|>"


def test_control_tokens_among_the_pieces_of_a_unigram_model_stay_text(unigram_json, texts, rows):
    tokenizer = load_tokenizer(str(unigram_json))
    text = "one </s> two"
    assert tokenizer.eos_id in library_ids(unigram_json, [text])[0], "the library takes it so"
    assert tokenizer.eos_id not in rows(tokenizer.encode([text]))[0]
    plain = [text for text in texts if "<" not in text]
    assert rows(tokenizer.encode(plain)) == library_ids(unigram_json, plain)
    assert tokenizer.decode([tokenizer.eos_id]) == "</s>"
    assert (tokenizer.backend, tokenizer.bos_id, tokenizer.pad_id) == ("tokenizers", 0, 3)


def _words(training_texts):
    words = Counter(word for text in training_texts for word in text.split())
    names = ["<unk>", "</s>", *(word for word, _ in words.most_common(500))]
    vocab = {name: i for i, name in enumerate(names)}
    tokenizer = tokenizers.Tokenizer(models.WordLevel(vocab, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer.add_special_tokens(["<unk>", "</s>"])
    return tokenizer


@pytest.fixture(params=["unigram", "words"])
def with_control_pieces(request, unigram_json, training_texts, tmp_path):
    """A file of a model that has its control tokens among its pieces."""
    if request.param == "unigram":
        return unigram_json
    path = tmp_path / "words.json"
    _words(training_texts).save(str(path))
    return path


# Characters around a control token's name; the first were around its hidden name once.
AROUND = ("\ufdd0\ufdd1{}\ufdd1\ufdd0", "\ufdd0{}", "\ufdef{}\uffff", "{}\U0010ffff", "\x00{}")


@pytest.mark.parametrize("form", AROUND)
def test_no_characters_around_its_name_make_a_control_token(
    form, with_control_pieces, texts, rows, tmp_path
):
    spec = json.loads(with_control_pieces.read_text(encoding="utf-8"))
    model, renamed = spec["model"], {"</s>": "no word"}
    if isinstance(model["vocab"], list):
        model["vocab"] = [[renamed.get(piece, piece), score] for piece, score in model["vocab"]]
    else:
        model["vocab"] = {renamed.get(piece, piece): i for piece, i in model["vocab"].items()}
    spec["added_tokens"] = [each for each in spec["added_tokens"] if each["content"] != "</s>"]
    plain = tmp_path / "plain.json"
    plain.write_text(json.dumps(spec), encoding="utf-8")

    tokenizer = load_tokenizer(str(with_control_pieces))
    written = form.format("</s>")
    batch = [written, f"one {written} two", *(text for text in texts if "<unk>" not in text)]
    ids = rows(tokenizer.encode(batch))
    assert tokenizer.eos_id not in set().union(*ids)
    assert ids == library_ids(plain, batch), "as a library that has no such piece encodes them"


def test_hidden_names_are_others_in_each_process(unigram_json):
    code = (
        "from glotmill.transforms.tokenizers.hugging_face_file import parse_tokenizer_json as p;"
        f"print(ascii(p('', open({str(unigram_json)!r}, 'rb').read()).hidden['</s>']))"
    )
    run = [sys.executable, "-c", code]
    names = {subprocess.run(run, check=True, capture_output=True).stdout for _ in range(2)}
    assert len(names) == 2


BYTES = [f"<0x{byte:02X}>" for byte in range(256)]


def _bpe_of_bytes(training_texts):
    tokenizer = tokenizers.Tokenizer(models.BPE(unk_token="<unk>", byte_fallback=True))
    names = ["<unk>", "</s>", *BYTES]
    trainer = BpeTrainer(
        vocab_size=600, limit_alphabet=100, special_tokens=names, show_progress=False
    )
    tokenizer.train_from_iterator(training_texts, trainer)
    return tokenizer


def _unigram_of_bytes(training_texts):
    common = Counter("".join(training_texts)).most_common(100)
    scored = [(name, 0.0) for name in ["<unk>", "</s>", *BYTES]]
    scored += [(character, -5.0) for character, _ in common]
    tokenizer = tokenizers.Tokenizer(models.Unigram(scored, unk_id=0, byte_fallback=True))
    tokenizer.add_special_tokens(["<unk>", "</s>", *BYTES])
    return tokenizer


@pytest.mark.parametrize("make", [_bpe_of_bytes, _unigram_of_bytes])
def test_bytes_that_are_flagged_special_are_bytes(make, training_texts, texts, rows, tmp_path):
    flagged, bare = tmp_path / "flagged.json", tmp_path / "bare.json"
    spec = json.loads(make(training_texts).to_str())
    flagged.write_text(json.dumps(spec), encoding="utf-8")
    spec["added_tokens"] = spec["added_tokens"][:2]
    bare.write_text(json.dumps(spec), encoding="utf-8")

    tokenizer, unflagged = load_tokenizer(str(flagged)), load_tokenizer(str(bare))
    assert rows(tokenizer.encode(texts)) == rows(unflagged.encode(texts))
    plain = [text for text in texts if "</s>" not in text]
    ids = rows(tokenizer.encode(plain))
    assert ids == library_ids(flagged, plain) == library_ids(bare, plain)
    assert tokenizer.id_of("<unk>") not in set().union(*ids)
    assert tokenizer.fallback[rows(tokenizer.encode(["\U00012000"]))[0]].tolist() == [True] * 4
    assert tokenizer.eos_id not in rows(tokenizer.encode(["one </s> two"]))[0]


def test_text_that_spells_a_byte_stays_text(training_texts, rows, tmp_path):
    path = tmp_path / "tokenizer.json"
    _bpe_of_bytes(training_texts).save(str(path))
    tokenizer = load_tokenizer(str(path))
    (ids,) = rows(tokenizer.encode(["<0x0A>"]))
    assert tokenizer.id_of("<0x0A>") == 2 + 0x0A
    assert 2 + 0x0A not in ids
    assert len(ids) > 1


def test_added_tokens_that_are_not_special(byte_level, texts, rows):
    def add(spec):
        first = spec["added_tokens"][-1]["id"] + 1
        for i, name in enumerate(("   ", "<table>", "<|im_start|>")):
            token = spec["added_tokens"][-1] | {"content": name, "id": first + i, "special": False}
            spec["added_tokens"].append(token)

    path = byte_level("added", change=add)
    tokenizer = load_tokenizer(str(path))
    matched = {tokenizer.id_of("   "), tokenizer.id_of("<table>")}
    assert tokenizer.backend == "tiktoken"
    (ids,) = rows(tokenizer.encode(["a<table>b   <|im_start|>"]))
    assert matched <= set(ids)
    assert tokenizer.id_of("<|im_start|>") not in ids
    plain = [text for text in texts if "<|im_start|>" not in text]
    assert rows(tokenizer.encode(plain)) == library_ids(path, plain)


@pytest.mark.parametrize("form", ["NFC", "NFKC"])
def test_normal_forms(form, byte_level, texts, rows):
    path = byte_level(form, change=lambda spec: spec.update(normalizer={"type": form}))
    tokenizer = load_tokenizer(str(path))
    assert tokenizer.backend == "tiktoken"
    assert rows(tokenizer.encode(texts)) == library_ids(path, texts)


def test_truncation_padding_and_dropout_are_left_out(byte_level, texts, rows):
    def change(spec):
        spec["truncation"] = {
            "direction": "Right", "max_length": 3, "strategy": "LongestFirst", "stride": 0,
        }  # fmt: skip
        spec["model"]["dropout"] = 0.5

    plain = load_tokenizer(str(byte_level("plain")))
    changed = load_tokenizer(str(byte_level("changed", change=change)))
    assert rows(changed.encode(texts)) == rows(plain.encode(texts))


def _whole_words(spec):
    spec["model"]["ignore_merges"] = True


def test_words_that_are_tokens_are_taken_at_once(byte_level, texts, rows):
    path = byte_level("whole", change=_whole_words)
    tokenizer = load_tokenizer(str(path))
    assert tokenizer.backend == "tiktoken"
    assert rows(tokenizer.encode(texts)) == library_ids(path, texts)


def _without_a_merge(spec):
    """Leaves a token that no merge makes."""
    merges = spec["model"]["merges"]
    merges.remove(next(pair for pair in merges if "".join(pair) == "Ġthe"))


def test_a_token_that_no_merge_makes(byte_level, texts, rows):
    path = byte_level("unmade", change=_without_a_merge)
    tokenizer = load_tokenizer(str(path))
    batch = [*texts, "the other the"]
    assert tokenizer.backend == "tiktoken"
    assert rows(tokenizer.encode(batch)) == library_ids(path, batch)
    assert tokenizer.id_of("Ġthe") not in tokenizer.encode(["in the house"]).ids


def _unmade_whole_word(spec):
    _without_a_merge(spec)
    _whole_words(spec)


def _merges_in_another_order(spec):
    """The merges of one token at two places, so that no rank stands for it."""
    merges = spec["model"]["merges"]
    first, second = next(pair for pair in merges if len("".join(pair)) == 2)
    merges.append([first, second])


def _three_steps(spec):
    spec["pre_tokenizer"]["pretokenizers"].insert(0, {"type": "Digits", "individual_digits": True})


def _anchored(spec):
    spec["pre_tokenizer"]["pretokenizers"][0]["pattern"]["Regex"] = r"^a|\s+|\S+"


def _lower(spec):
    spec["normalizer"] = {"type": "Lowercase"}


@pytest.mark.parametrize(
    "change", [_unmade_whole_word, _merges_in_another_order, _three_steps, _anchored, _lower]
)
def test_what_stays_with_the_library(change, byte_level, texts, rows):
    path = byte_level(change.__name__, change=change)
    tokenizer = load_tokenizer(str(path))
    assert tokenizer.backend == "tokenizers"
    assert rows(tokenizer.encode(texts)) == library_ids(path, texts)


def test_a_pattern_that_leaves_text_between_its_matches(byte_level, texts, rows):
    def change(spec):
        spec["pre_tokenizer"]["pretokenizers"][0]["pattern"]["Regex"] = r"\p{L}+|\p{N}+"

    path = byte_level("gaps", change=change)
    tokenizer = load_tokenizer(str(path))
    assert rows(tokenizer.encode(texts)) == library_ids(path, texts)


def test_merges_as_strings(byte_level, texts, rows):
    def change(spec):
        spec["model"]["merges"] = [" ".join(pair) for pair in spec["model"]["merges"]]

    tokenizer = load_tokenizer(str(byte_level("strings", change=change)))
    assert tokenizer.backend == "tiktoken"
    plain = load_tokenizer(str(byte_level("plain")))
    assert rows(tokenizer.encode(texts)) == rows(plain.encode(texts))


def test_white_space_too_long_for_tiktoken(llama3, llama3_reference):
    text = "a" + " " * (3 * LONGEST_SPACE) + "b"
    encoded = llama3.encode([text])
    assert np.array_equal(encoded.ids, llama3_reference.encode([text]).ids)
    assert llama3.decode(encoded.ids) == text


def test_long_words_take_their_time_only(llama3):
    for text in ("的世界" * 100_000, "a" * 300_000, "\n" * 300_000):
        assert llama3.decode(llama3.encode([text]).ids) == text


def test_the_vocabulary_decides_the_dtype(byte_level):
    def change(spec):
        vocab = spec["model"]["vocab"]
        for i in range(len(vocab), 65_500):
            vocab[f"unused {i}"] = i
        spec["added_tokens"] = []

    tokenizer = load_tokenizer(str(byte_level("large", change=change)), backend="reference")
    assert (tokenizer.vocab_size, tokenizer.dtype) == (65_500, np.int32)
    assert tokenizer.encode(["text"]).ids.dtype == np.int32
    assert tokenizer.eos_id is None


@pytest.mark.exhaustive
@pytest.mark.data
def test_ids_on_the_larger_data(llama3, llama3_reference, data_folder):
    import zstandard

    with zstandard.open(data_folder / "mono" / "ntrex_docs.jsonl.zst", "rt", encoding="utf-8") as f:
        texts = ["\n".join(json.loads(line)["sentences"]) for line in f]
    ours, theirs = llama3.encode(texts), llama3_reference.encode(texts)
    assert np.array_equal(ours.lengths, theirs.lengths)
    assert np.array_equal(ours.ids, theirs.ids)
