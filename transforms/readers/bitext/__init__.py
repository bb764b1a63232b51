"""Readers of parallel text: stored bytes in, translation units and rejects out.

A unit has one segment or more, as many as its file aligns; pairs are made of them later. Units
read are units given and rejects, for every file, however broken.

    options = BitextOptions(sides=(Side(text="1", code="en"), Side(text="2", code="de")))
    for batch in read_bitext(["a.tsv.gz"], "tsv", options=options):
        ...  # batch.records with the schema UNITS, batch.rejects

Large sources are cut: ``split_bitext`` gives slices of TMX and JSON lines by bytes, of Parquet by
row groups, of line-aligned files by lines, and refuses files whose numbers of lines differ.
"""

from glotmill.transforms.readers.bitext.errors import MisalignedFiles
from glotmill.transforms.readers.bitext.moses import check_aligned
from glotmill.transforms.readers.bitext.options import (
    BITEXT_FORMATS,
    EMMA_SIDES,
    BitextFormat,
    BitextOptions,
    Side,
)
from glotmill.transforms.readers.bitext.slices import END, read_bitext, split_bitext
from glotmill.transforms.readers.bitext.units import UNITS

__all__ = [
    "BITEXT_FORMATS",
    "EMMA_SIDES",
    "END",
    "UNITS",
    "BitextFormat",
    "BitextOptions",
    "MisalignedFiles",
    "Side",
    "check_aligned",
    "read_bitext",
    "split_bitext",
]
