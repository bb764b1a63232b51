"""Files of every format with random damage: no reader raises, and none loses what lies apart."""

import io
import zipfile

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from bitext_reading import read_units
from hypothesis import given, settings
from hypothesis import strategies as st

from glotmill.transforms.readers import ColumnError
from glotmill.transforms.readers.bitext import Side

NUM_UNITS = 30


def parquet():
    buffer = io.BytesIO()
    columns = {"src_text": [f"a{n}" for n in range(NUM_UNITS)]}
    columns |= {"tgt_text": [f"b{n}" for n in range(NUM_UNITS)]}
    columns |= {"src_lang": ["en"] * NUM_UNITS, "tgt_lang": ["de"] * NUM_UNITS}
    pq.write_table(pa.table(columns), buffer, row_group_size=5)
    return buffer.getvalue()


def repeated(piece, head="", tail=""):
    return (head + "".join(piece.format(n) for n in range(NUM_UNITS)) + tail).encode()


FILES = {
    "tmx": repeated(
        '<tu tuid="{0}"><prop type="score">1</prop><tuv xml:lang="en"><seg>a{0}</seg></tuv>'
        '<tuv xml:lang="de"><seg>b<hi>{0}</hi></seg></tuv></tu>\n',
        '<?xml version="1.0" encoding="utf-8"?>\n<tmx version="1.4"><header srclang="en"/><body>',
        "</body></tmx>",
    ),
    "tsv": repeated("a{0}\tb{0}\t0.5\n"),
    "csv": repeated('a{0},"b{0}",0.5\n'),
    "jsonl": repeated('{{"src_text": "a{0}", "tgt_text": "b{0}"}}\n'),
    "parquet": parquet(),
    "po": repeated(
        '#: a\nmsgid "a{0}"\nmsgstr "b{0}"\n\n', 'msgid ""\nmsgstr ""\n"Language: de\\n"\n\n'
    ),
    "xliff": repeated(
        '<trans-unit id="{0}"><source>a{0}</source><target>b{0}</target></trans-unit>',
        '<xliff version="1.2"><file source-language="en" target-language="de"><body>',
        "</body></file></xliff>",
    ),
    "xces": repeated(
        '<link id="{0}" xtargets="1;1" certainty="1"/>\n',
        '<cesAlign><linkGrp fromDoc="en/a.xml" toDoc="de/a.xml">',
        "</linkGrp></cesAlign>",
    ),
    "messages": ("{" + ",".join(f'"{n}": "a"' for n in range(NUM_UNITS)) + "}").encode(),
}
damage = st.lists(
    st.tuples(
        st.floats(0, 1),
        st.integers(0, 60),
        st.binary(max_size=12)
        | st.sampled_from(
            [b"<!--", b"<![CDATA[", b"]]>", b"<tu>", b"</tu>", b'"', b"&x;", b"\0" * 9]
        ),
    ),
    min_size=1,
    max_size=4,
)


def spoil(content, changes):
    for place, num_lost, added in changes:
        at = int(place * len(content))
        content = content[:at] + added + content[at + num_lost :]
    return content


def options_of(format, folder):
    if format in ("tsv", "csv"):
        return {"sides": (Side(text="1"), Side(text="2")), "scores": {"s": "3"}}
    return {"documents": (str(folder),)} if format == "xces" else {}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("damage")
    for code in ("en", "de"):
        (path / code).mkdir()
        (path / code / "a.xml").write_text('<text><s id="1">x</s></text>')
    return path


@pytest.mark.parametrize("format", FILES)
def test_undamaged(folder, format):
    path = folder / f"whole.{format}"
    path.write_bytes(FILES[format])
    paths = [path, path] if format == "messages" else path
    out = read_units(paths, format, **options_of(format, folder))
    assert (len(out.units), out.rejects) == (NUM_UNITS, [])


@pytest.mark.parametrize("format", FILES)
@settings(max_examples=60)
@given(changes=damage)
def test_damage_never_raises_and_is_never_silent(folder, format, changes):
    spoilt = spoil(FILES[format], changes)
    path = folder / f"spoilt.{format}"
    path.write_bytes(spoilt)
    paths = [path, path] if format == "messages" else path
    try:
        out = read_units(paths, format, **options_of(format, folder))
    except ColumnError:  # damage to the names of Parquet's columns
        if format != "parquet":
            raise
        return
    if format in ("tmx", "xliff", "xces") and not spoilt.startswith((b"\xff\xfe", b"\xfe\xff")):
        lost = sum(num_lost for _, num_lost, _ in changes) // 40 + 2 * len(changes)
        assert len(out.units) + len(out.rejects) >= min(NUM_UNITS - lost, 1)
        assert out.rejects or len(out.units) >= NUM_UNITS - lost


@given(st.binary(max_size=300))
def test_damaged_zip_files(tmp_path_factory, content):
    folder = tmp_path_factory.mktemp("zip")
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("Corpus/raw/en/a.xml", '<text><s id="1">x</s></text>')
        archive.writestr("Corpus/raw/de/a.xml", '<text><s id="1">x</s></text>')
    data = buffer.getvalue()
    middle = len(data) // 3
    (folder / "a.zip").write_bytes(data[:middle] + content + data[middle + len(content) :])
    path = folder / "a.xml"
    path.write_bytes(FILES["xces"])
    out = read_units(path, "xces", documents=(str(folder / "a.zip"),))
    assert len(out.units) + len(out.rejects) == NUM_UNITS
