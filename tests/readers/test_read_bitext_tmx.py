"""TMX: units, markup, encodings, slices, and everything that can be wrong with it."""

import gzip
import tracemalloc
from xml.sax.saxutils import escape, quoteattr

import pytest
from bitext_reading import read_units
from hypothesis import given
from hypothesis import strategies as st

from glotmill.transforms.readers.bitext import BitextOptions, read_bitext, split_bitext, xml_cutting
from glotmill.transforms.readers.bitext.tmx import read_tmx
from glotmill.transforms.readers.decompress import ByteStream

HEAD = '<?xml version="1.0" encoding="{}"?>\n<tmx version="1.4"><header srclang="{}"/><body>\n'
TAIL = "</body></tmx>\n"
GOOD = '<tu><tuv xml:lang="en"><seg>good</seg></tuv><tuv xml:lang="de"><seg>gut</seg></tuv></tu>'

characters = st.characters(
    blacklist_categories=["Cs", "Cc"], blacklist_characters="\ufffe\uffff"
) | st.sampled_from(["<", "&", ">", "]]>", "-->", "\n", "\t", "é", "한"])
texts = st.lists(characters, max_size=12).map("".join)
units = st.lists(
    st.lists(st.tuples(st.sampled_from(["en", "de", "zh-Hant"]), texts), min_size=2, max_size=4),
    max_size=6,
)


class Chunks(ByteStream):
    """A stream in chunks of a given size."""

    def __init__(self, content, size):
        self.compression = "none"
        self._content, self._size, self._at = content, size, 0

    def __iter__(self):
        for begin in range(self._at, len(self._content), self._size):
            yield self._content[begin : begin + self._size]

    def peek(self, size):
        return self._content[:size]

    def seek(self, offset):
        self._at = offset


def document(*bodies, encoding="UTF-8", srclang="*all*"):
    return HEAD.format(encoding, srclang) + "\n".join(bodies) + TAIL


def tu(segments, how="text", tuid=None):
    def written(text):
        if how == "cdata":
            return "<![CDATA[" + text.replace("]]>", "]]]]><![CDATA[>") + "]]>"
        return escape(text)

    inner = "".join(
        f"<tuv xml:lang={quoteattr(code)}><seg>{written(text)}</seg></tuv>"
        for code, text in segments
    )
    return f"<tu{f' tuid={quoteattr(tuid)}' if tuid else ''}>{inner}</tu>"


def tmx_of(content, start=0, end=None, size=1 << 20, **options):
    chosen = BitextOptions(**options)
    found, rejects = [], []
    for batch in read_tmx(Chunks(content, size), start, end, chosen):
        found += [
            (row["offset"], tuple((s["code"], s["text"]) for s in row["segments"]))
            for row in batch.records.to_pylist()
        ]
        rejects += batch.rejects
    return found, rejects


@given(units, st.sampled_from(["text", "cdata"]), st.integers(1, 400), st.booleans())
def test_round_trip(rows, how, size, has_comments):
    comment = "<!-- <tu> " + GOOD + " --\x3e"
    bodies = [comment * has_comments + tu(row, how) for row in rows]
    found, rejects = tmx_of(document(*bodies).encode(), size=size)
    assert [segments for _, segments in found] == [tuple(row) for row in rows]
    assert rejects == []


@given(units, st.data())
def test_any_slices_give_every_unit_once(rows, data):
    bodies = [tu(row, data.draw(st.sampled_from(["text", "cdata"]))) for row in rows]
    if rows:
        bodies.insert(data.draw(st.integers(0, len(rows))), f"<!-- {GOOD} --\x3e")
        bodies.insert(data.draw(st.integers(0, len(rows))), "<tu><tuv>")
        bodies.insert(data.draw(st.integers(0, len(rows))), "lost <tuv/> </tu>")
    content = document(*bodies).encode()
    whole = tmx_of(content)
    cuts = sorted(data.draw(st.lists(st.integers(1, len(content)), max_size=5, unique=True)))
    parts = [
        tmx_of(content, start, end, data.draw(st.integers(1, 300)))
        for start, end in zip([0, *cuts], [*cuts, len(content)], strict=True)
    ]
    assert [unit for part, _ in parts for unit in part] == whole[0]
    assert [reject for _, part in parts for reject in part] == whole[1]


@given(units, st.integers(1, 5), st.integers(1, 500))
def test_batch_size_does_not_matter(rows, max_rows, max_bytes):
    content = document(*(tu(row) for row in rows)).encode()
    assert tmx_of(content, max_rows=max_rows, max_bytes=max_bytes) == tmx_of(content)


def test_cut_at_every_byte_of_a_file_with_faults():
    bodies = [
        GOOD,
        "<tu><tuv>",
        GOOD,
        "<!-- <tu> -->",
        "<tu/>",
        GOOD,
        "x",
        "<![CDATA[<tu>]]>",
        GOOD,
    ]
    content = document(*bodies).encode()
    whole = tmx_of(content)
    assert len(whole[0]) == 4
    for cut in range(1, len(content)):
        first, second = tmx_of(content, 0, cut), tmx_of(content, cut, len(content))
        assert (first[0] + second[0], first[1] + second[1]) == whole


def test_offsets_are_bytes_of_the_file(write):
    content = document(tu([("en", "é"), ("de", "ß")]), GOOD).encode()
    out = read_units(write(content), "tmx")
    assert [content[offset : offset + 4] for offset in out.offsets] == [b"<tu>", b"<tu>"]


def test_what_is_read_of_a_unit(write):
    body = (
        '<tu tuid="7"><note>n</note><prop type="score-laser">1.5</prop><prop type="x">9</prop>'
        '<tuv lang="DE"><prop type="url">http://a</prop><seg/></tuv>'
        '<tuv xml:lang="en-US"><seg>b</seg></tuv><tuv><seg>c</seg></tuv><tuv xml:lang="fr"/></tu>'
    )
    out = read_units(write(document(body, srclang="en").encode()), "tmx", url="url")
    assert out.pairs == [(("en-US", "b"), ("DE", ""), (None, "c"))]
    (unit,) = out.units
    assert (unit["external_id"], unit["url"], unit["document"]) == ("7", "http://a", None)
    assert unit["scores"] == {"score-laser": 1.5}
    named = read_units(write(document(body).encode()), "tmx", scores={"mine": "x"}, document="url")
    assert named.values("scores") == [{"mine": 9.0}]
    assert named.values("document") == ["http://a"]


def test_inline_markup(write):
    seg = (
        'a<bpt i="1">&lt;b&gt;<sub>s</sub></bpt><hi type="x">b<hi>c<ph/>d</hi></hi>'
        '<ept i="1">e</ept>'
        "<it>f</it><ut>g</ut><!-- h --><sub>i</sub><?x y?> j"
    )
    body = f'<tu><tuv lang="en"><seg>{seg}</seg></tuv><tuv lang="de"><seg>x</seg></tuv></tu>'
    assert read_units(write(document(body).encode()), "tmx").texts == [("abcdi j", "x")]


def test_deep_markup(write):
    seg = "<hi>" * 50_000 + "deep" + "</hi>" * 50_000
    body = f'<tu><tuv lang="en"><seg>{seg}</seg></tuv><tuv lang="de"><seg>x</seg></tuv></tu>'
    assert read_units(write(document(body).encode()), "tmx").texts == [("deep", "x")]


BAD_UNITS = {
    "undefined_entity": GOOD.replace("good", "a&nbsp;b"),
    "invalid_xml": GOOD.replace("good", "a & b"),
    "unclosed_unit": GOOD.removesuffix("</tu>"),
    "missing_side": '<tu><tuv xml:lang="en"><seg>alone</seg></tuv></tu>',
    "invalid_score": GOOD.replace("<tu>", '<tu><prop type="score">high</prop>'),
    "record_too_long": GOOD.replace("good", "x" * 3000),
    "stray_content": GOOD.replace("<tu>", "<t u>"),
    "unclosed_section": "<!-- never closed",
}


@pytest.mark.parametrize("reason", BAD_UNITS)
def test_bad_units_are_rejected_and_the_rest_is_read(write, reason):
    prolog = document(GOOD)
    content = document(GOOD, BAD_UNITS[reason], GOOD, GOOD).encode()
    out = read_units(write(content), "tmx", max_record_bytes=2000)
    assert out.texts == [("good", "gut")] * 3
    assert out.reasons[0] == reason
    assert len(out.reasons) == 1 or reason == "unclosed_section"
    start = len(prolog) - len(TAIL)
    assert start <= out.rejects[0].offset <= start + 2
    assert out.rejects[0].excerpt


@pytest.mark.parametrize("bad", ["<seg>x</tuv>", "<tuv", '<tuv xml:lang="en>', "\x01", "&#xD800;"])
def test_more_bad_xml(write, bad):
    content = document(GOOD, f"<tu>{bad}</tu>", GOOD).encode()
    out = read_units(write(content), "tmx")
    assert (len(out.units), out.reasons) == (2, ["invalid_xml"])


def test_repair_of_entities(write):
    body = GOOD.replace("good", "R&D &eacute;&nbsp;&bogus; &amp;amp; &lt;")
    out = read_units(write(document(body).encode()), "tmx", repair_entities=True)
    assert out.texts == [("R&D é\xa0&bogus; &amp; <", "gut")]


@pytest.mark.parametrize(
    "doctype",
    [
        '<!DOCTYPE tmx [<!ENTITY a "aaaaaaaa"><!ENTITY b "&a;&a;&a;&a;">]>',
        '<!DOCTYPE tmx [<!ENTITY b SYSTEM "file:///etc/passwd">]>',
    ],
)
def test_entities_of_a_document_type_are_not_expanded(write, doctype):
    content = document(GOOD.replace("good", "&b;"), GOOD).replace("<tmx", doctype + "<tmx")
    out = read_units(write(content.encode()), "tmx")
    assert (out.reasons, len(out.units)) == (["undefined_entity"], 1)


def test_million_characters(write):
    long = "ä" * 1_000_000
    out = read_units(write(document(GOOD.replace("good", long), GOOD).encode()), "tmx")
    assert [len(first) for first, _ in out.texts] == [1_000_000, 4]
    out = read_units(
        write(document(GOOD.replace("good", long), GOOD).encode()), "tmx", max_record_bytes=1 << 20
    )
    assert (out.reasons, len(out.units)) == (["record_too_long"], 1)


def test_an_endless_unit_does_not_fill_memory():
    class Endless(Chunks):
        def __iter__(self):
            yield self._content
            for _ in range(200):
                yield b"x" * (1 << 20)

    stream = Endless((HEAD.format("UTF-8", "en") + "<tu><seg>").encode(), 1)
    tracemalloc.start()
    (batch,) = read_tmx(stream, 0, None, BitextOptions(max_record_bytes=4 << 20))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert [reject.reason for reject in batch.rejects] == ["record_too_long", "truncated_file"]
    assert peak < 32 << 20


@pytest.mark.parametrize("keep", [150, 250, 300])
def test_truncated_files(write, keep):
    content = document(GOOD, GOOD, GOOD).encode()[:keep]
    out = read_units(write(content), "tmx")
    assert out.reasons == ["truncated_file"]
    assert len(out.units) == content.count(b"</tu>")
    assert out.rejects[0].offset <= keep


def test_truncated_gzip(write):
    content = document(*(GOOD.replace("good", f"{i * i:x}") for i in range(2000))).encode()
    packed = gzip.compress(content)
    out = read_units(write(packed[: len(packed) // 2], "a.tmx.gz"), "tmx")
    assert out.reasons == ["truncated_stream"]
    assert 0 < len(out.units) < 2000
    assert read_units(write(packed, "a.tmx.gz"), "tmx", start=5).units == []


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32"])
@pytest.mark.parametrize("repeat", [1, 3000])
def test_unicode_encodings(write, encoding, repeat):
    bodies = [tu([("en", f"é{i}"), ("ko", "한\U0001f600")]) for i in range(repeat)]
    content = document(*bodies, encoding="UTF-16").encode(encoding)
    out = read_units(write(content), "tmx")
    assert out.texts == [(f"é{i}", "한\U0001f600") for i in range(repeat)]
    assert out.rejects == []
    name = "utf-8" if "8" in encoding else encoding if encoding[-1] == "e" else encoding + "-le"
    for offset in out.offsets[::500]:
        assert content[offset:].decode(name, "replace").startswith("<tu>")
    slices = split_bitext([write(content)], [len(content)], "tmx", 100)
    assert (len(slices) > 1) == ("8" in encoding)


@pytest.mark.parametrize(
    ("encoding", "text"),
    [
        ("iso-8859-1", "naïve"),
        ("windows-1251", "Привет"),
        ("gb18030", "你好"),
        ("shift_jis", "表ソ"),
    ],
)
def test_declared_encodings(write, encoding, text):
    content = document(tu([("x", text), ("en", "a")]), GOOD, encoding=encoding).encode(encoding)
    out = read_units(write(content), "tmx")
    assert out.texts == [(text, "a"), ("good", "gut")]
    assert out.rejects == []


def test_wrong_encoding_declared(write):
    latin = document(tu([("fr", "où"), ("en", "a")]), GOOD).encode("latin-1")
    out = read_units(write(latin), "tmx")
    assert (out.reasons, out.texts) == (["invalid_utf8"], [("good", "gut")])
    assert f"byte {latin.index(0xF9)} of the file" in out.rejects[0].detail
    body = tu([("ru", "Привет, мир"), ("en", "a")])
    for declared in ("utf-16", "iso-8859-1", "us-ascii"):
        out = read_units(write(document(body, encoding=declared).encode()), "tmx")
        assert out.texts == [("Привет, мир", "a")]
    odd = document(GOOD, encoding="gb18030").encode().replace(b"good", b"\xff\xff")
    assert read_units(write(odd), "tmx").reasons == ["invalid_encoding"]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (document(GOOD, encoding="klingon").encode(), "unknown_encoding"),
        (b"", "truncated_stream"),
        (b"just text\n", "not_tmx"),
        (b"<html><body>404</body></html>", "not_tmx"),
        (b"PK\x03\x04" + bytes(99), "not_text"),
        (document(GOOD).encode("utf-16")[:-1], "truncated_file"),
        (b"\xff\xfe<\0t\0m\0x\0>\0\0\xd8\0\xd8", "truncated_file"),
    ],
)
def test_files_that_are_no_tmx(write, content, reason):
    out = read_units(write(content, "a.tmx" + ".gz" * (not content)), "tmx")
    assert out.reasons[-1] == reason


def test_lone_surrogates_in_utf16(write):
    content = document(GOOD.replace("good", "X"), GOOD).encode("utf-16")
    out = read_units(write(content.replace(b"X\0", b"\0\xd8")), "tmx")
    assert (out.reasons, out.texts) == (["invalid_utf8"], [("good", "gut")])


def test_prefixes_of_the_root_are_known_in_units(write):
    content = document(GOOD.replace("<tu>", '<tu mq:status="ok">'))
    content = content.replace("<tmx", '<tmx xmlns:mq="urn:mq" xmlns="urn:x"')
    assert len(read_units(write(content.encode()), "tmx").units) == 1


def test_a_comment_longer_than_the_limit_is_said_to_be_open(write, monkeypatch):
    monkeypatch.setattr(xml_cutting, "MAX_SECTION", 50)
    content = document(f"<!-- {GOOD} -->", GOOD).encode()
    out = read_units(write(content), "tmx")
    assert out.reasons[0] == "unclosed_section"
    assert len(out.units) == 2


@pytest.mark.parametrize(
    "piece",
    [
        *("<![CDATA[", "<", "<?", "</tu"),
        *(pytest.param(each, marks=pytest.mark.slow) for each in ("<!--", "<tu ", "<tu><tu>&")),
    ],
)
@pytest.mark.timeout(60)
def test_hostile_repetitions_take_no_long_time(piece):
    content = document(GOOD, piece * ((2 << 20) // len(piece)), GOOD).encode()
    found, rejects = tmx_of(content)
    assert rejects
    assert len(found) <= 2


def test_files_without_units(write):
    assert read_units(write(document().encode()), "tmx").rejects == []
    out = read_units("/nowhere/a.tmx", "tmx")
    assert out.reasons == ["unreadable_file"]
    with pytest.raises(ValueError, match="one file at a time"):
        list(read_bitext(["a", "b"], "tmx"))


def test_slices_from_files(write):
    content = document(*[GOOD] * 100).encode()
    path = write(content)
    slices = split_bitext([path], [len(content)], "tmx", 500)
    assert len(slices) > 10
    parts = [read_units(path, "tmx", part.start, part.end) for part in slices]
    offsets = [offset for part in parts for offset in part.offsets]
    assert offsets == read_units(path, "tmx").offsets
