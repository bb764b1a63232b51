"""Addresses: RE2 and Python find the same, of ASCII alone."""

import re

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from glotmill.transforms.addresses import ADDRESS, without_addresses

KELVIN = "\N{KELVIN SIGN}"
PIECES = ["http://", "HTTPS://", "httpſ://", "www.", "Www", "a", "Zk9", ".", "@", "-", "_", "~"]
PIECES += [" ", "\n", "(", "]", "^", "`", "<", "ſ", KELVIN, "é", "见", "에서"]


@given(st.lists(st.lists(st.sampled_from(PIECES), max_size=12).map("".join), max_size=4))
def test_re2_and_python_agree(texts):
    found = without_addresses(pa.array(texts, pa.string())).to_pylist()
    assert found == [re.sub(ADDRESS, " ", text) for text in texts]


def test_letters_that_fold_to_ascii_are_none_of_an_address():
    texts = ["httpſ://a", "ſ@b.org", f"www.{KELVIN}.org", f"a@{KELVIN}.org"]
    assert without_addresses(pa.array(texts)).to_pylist() == texts
