"""Weights of letters: scripts that are written in syllables need fewer of them."""

from __future__ import annotations

import pytest

from glotmill.language_registry.unicode_tables import script_codes
from glotmill.schemas.filters import MOST_LATIN_LETTERS
from glotmill.transforms.letter_weights import LETTER_WEIGHTS, letter_weight, worth


@pytest.mark.parametrize("script", ["Adlm", "Cakm", "Gran", "Java", "Lana", "Tavt", "Yiii"])
def test_scripts_that_only_the_declaration_has_are_weighed(script):
    assert letter_weight(script) == LETTER_WEIGHTS[script] != letter_weight("Zzzz")


def test_a_sentence_of_yi_says_fifty_characters():
    sentence = "ꊿꂷꃅꄿꐨꐥ，ꌅꅍꀂꏽꐯꒈꃅꐥꌐ。"  # "All human beings are born free"
    assert worth(50, "Yiii") <= len(sentence) < worth(50, "Zzzz")


def test_weights_are_of_known_scripts_and_within_the_bound():
    assert list(LETTER_WEIGHTS) == sorted(LETTER_WEIGHTS)
    assert set(LETTER_WEIGHTS).difference(script_codes()) == {"Hans", "Hant", "Jpan"}
    assert max(LETTER_WEIGHTS.values()) <= MOST_LATIN_LETTERS
