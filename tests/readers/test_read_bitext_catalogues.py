"""Translation catalogues: PO, XLIFF and messages in JSON."""

import json

import pytest
from bitext_reading import read_units
from hypothesis import given
from hypothesis import strategies as st

from glotmill.transforms.readers import Reject
from glotmill.transforms.readers.bitext.xml_cutting import Markup, cut

HEADER = 'msgid ""\nmsgstr ""\n"Content-Type: text/plain; charset={}\\n"\n"Language: {}\\n"\n\n'
strings = st.text(st.characters(blacklist_categories=["Cs"]), min_size=1, max_size=12)


def quoted(text):
    escapes = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\t": "\\t", "\r": "\\r"}
    return '"' + "".join(escapes.get(c, c) for c in text) + '"'


def po(*entries, encoding="UTF-8", language="fr"):
    return (HEADER.format(encoding, language) + "\n\n".join(entries) + "\n").encode(encoding)


@given(
    st.lists(
        st.tuples(strings, strings.filter(lambda text: "\0" not in text), st.booleans()), max_size=9
    )
)
def test_po_round_trip(tmp_path_factory, rows):
    entries = [
        f"#: a.py:1\nmsgid {quoted(a)}\nmsgstr "
        + ('""\n' * is_split + quoted(b[:3]) + "\n" + quoted(b[3:]))
        for a, b, is_split in rows
    ]
    path = tmp_path_factory.mktemp("p") / "a.po"
    path.write_bytes(po(*entries))
    out = read_units(path, "po")
    assert out.texts == [(a, b) for a, b, _ in rows]
    assert out.rejects == []


@pytest.mark.parametrize(
    ("encoding", "escaped", "text"),
    [
        ("UTF-8", r"\303\251t\xc3\xa9 \101", "été A"),
        ("ISO-8859-15", r"\244 é\n", "€ é\n"),
        ("EUC-JP", r"\xc6\xfc\313\334", "日本"),
    ],
)
def test_numbers_in_a_po_are_bytes_as_for_gettext(write, encoding, escaped, text):
    out = read_units(write(po(f'msgid "a"\nmsgstr "{escaped}"', encoding=encoding)), "po")
    assert out.texts == [("a", text)]


def test_a_po_that_escapes_half_a_character(write):
    content = po('msgid "a"\nmsgstr "\\303"', 'msgid "b"\nmsgstr "B"')
    out = read_units(write(content), "po")
    assert out.texts == [("b", "B")]
    assert out.reasons == ["invalid_encoding"]


def test_po_entries(write):
    content = po(
        'msgctxt "menu"\nmsgid "Open"\nmsgstr "Ouvrir"',
        '#, python-format\nmsgid "%d file"\nmsgid_plural "%d files"\n'
        'msgstr[0] "%d fichier"\nmsgstr[1] "%d fichiers"',
        '#, fuzzy\n#| msgid "old"\nmsgid "new"\nmsgstr "neuf"',
        '#~ msgid "gone"\n#~ msgstr "parti"',
        '#~| msgid "older"\n#~ msgid "gone too"\n#~ msgstr "parti"',
        'msgid "todo"\nmsgstr ""',
        'msgid "a"\nmsgid_plural "b"\nmsgstr[0] "c"\nmsgstr[1] ""',
        'msgid "x"\nmsgstr "y"\nmsgid "no blank"\nmsgstr "line"',
        'msgid "bad\nmsgstr "y"',
        'msgid "only"',
        "what?",
        'msgid "last"\nmsgstr "dernier"',
    )
    out = read_units(write(content), "po", codes=("en",))
    assert out.pairs[0] == (("en", "Open"), ("fr", "Ouvrir"))
    assert out.texts[1:] == [
        ("%d file", "%d fichier"),
        ("%d files", "%d fichiers"),
        ("a", "c"),
        ("x", "y"),
        ("no blank", "line"),
        ("last", "dernier"),
    ]
    assert out.values("external_id")[:2] == ["menu", None]
    assert out.reasons == [
        "fuzzy",
        "obsolete",
        "obsolete",
        "untranslated",
        "untranslated",
        "invalid_po",
        "invalid_po",
        "invalid_po",
    ]
    assert content[out.offsets[0] :].startswith(b"msgctxt")
    assert len(read_units(write(content), "po", keep_unreviewed=True).units) == 8


def test_po_of_a_language_without_singular(write):
    entry = 'msgid "one"\nmsgid_plural "many"\nmsgstr[0] "x"'
    assert read_units(write(po(entry)), "po").texts == [("many", "x")]


def test_a_po_with_plural_forms_and_a_bare_translation(write):
    content = po(
        'msgid "one"\nmsgid_plural "many"\nmsgstr "x"',
        '#, fuzzy\nmsgid "two"\nmsgid_plural "more"\nmsgstr ""',
        'msgid "b"\nmsgstr "B"',
    )
    out = read_units(write(content), "po")
    assert out.texts == [("b", "B")]
    detail = "msgid_plural with a bare msgstr; its translations are msgstr[0], msgstr[1], ..."
    assert [(each.reason, each.detail) for each in out.rejects] == [("invalid_po", detail)] * 2
    assert [each.excerpt for each in out.rejects] == ["one", "two"]


def test_po_encodings(write):
    out = read_units(write(po('msgid "where"\nmsgstr "où"', encoding="ISO-8859-1")), "po")
    assert out.texts == [("where", "où")]
    wrong = po('msgid "where"\nmsgstr "où"').replace(b"o\xc3\xb9", b"o\xf9")
    assert read_units(write(wrong), "po").reasons == ["invalid_encoding"]
    template = po('msgid "a"\nmsgstr "b"').replace(b"UTF-8", b"CHARSET")
    assert read_units(write(template), "po").texts == [("a", "b")]


def test_a_huge_po_entry(write):
    content = po('msgid "a"\nmsgstr ""\n' + '"xxxxxxxx"\n' * 1000, 'msgid "b"\nmsgstr "c"')
    out = read_units(write(content), "po", max_record_bytes=1000)
    assert (out.texts, out.reasons) == ([("b", "c")], ["record_too_long"])


XLIFF_1 = """<?xml version="1.0"?>
<xliff version="1.2" xmlns="urn:oasis:names:tc:xliff:document:1.2">
<file source-language="en" target-language="de" original="a.txt"><header/><body>
<trans-unit id="1"><source>Save <g id="1">all</g><x id="2"/></source><target>Alles</target>
<alt-trans><target>no</target></alt-trans></trans-unit>
<group><trans-unit id="2"><source>b</source></trans-unit></group>
<trans-unit id="3"><source>c</source><target state="needs-review-l10n">d</target></trans-unit>
<trans-unit id="4"><source>e</source><target>f &oops;</target></trans-unit>
</body></file>
<file source-language="en" target-language="fr" original="b.txt"><body>
<trans-unit id="1"><source>g</source><target xml:lang="fr-CA">h</target></trans-unit>
<trans-unit id="2"><source>i</source><target/></trans-unit>
</body></file></xliff>
"""


def test_xliff_1(write):
    out = read_units(write(XLIFF_1.encode()), "xliff")
    assert out.pairs == [(("en", "Save all"), ("de", "Alles")), (("en", "g"), ("fr-CA", "h"))]
    assert out.values("document") == ["a.txt", "b.txt"]
    assert out.values("external_id") == ["1", "1"]
    assert out.reasons == ["untranslated", "unreviewed", "undefined_entity", "untranslated"]
    kept = read_units(write(XLIFF_1.encode("utf-16")), "xliff", keep_unreviewed=True)
    assert len(kept.units) == 3
    assert read_units(write(b"<html/>"), "xliff").reasons == ["not_xliff"]
    assert read_units(write(XLIFF_1[:500].encode()), "xliff").reasons[-1] == "truncated_file"


def test_xliff_units_that_are_not_approved(write):
    content = XLIFF_1.replace('id="1"><source>S', 'id="1" approved="no"><source>S').encode()
    out = read_units(write(content), "xliff")
    assert out.texts == [("g", "h")]
    assert out.rejects[0].detail == "the target's unit is not approved; keep_unreviewed reads it"
    assert len(read_units(write(content), "xliff", keep_unreviewed=True).units) == 3


@pytest.mark.parametrize(
    ("whole", "broken"),
    [
        ('<target xml:lang="fr-CA">h</target></trans-unit>', '<target xml:lang="fr-CA">h</target>'),
        ("<target>f &oops;</target></trans-unit>", "<target>f</target>"),
        ("f &oops;</target></trans-unit>", "f" * 5000 + "</target>"),
    ],
)
def test_a_unit_of_xliff_that_is_not_closed_where_a_file_begins(write, whole, broken):
    content = XLIFF_1.replace("<target/>", "<target>j</target>").replace(whole, broken)
    out = read_units(write(content.encode()), "xliff", max_record_bytes=4000)
    assert out.pairs[-1] == (("en", "i"), ("fr", "j"))
    assert out.values("document")[-1] == "b.txt"
    assert sum(reason in ("unclosed_unit", "record_too_long") for reason in out.reasons) == 1


@pytest.mark.parametrize("size", [1, 7, 100, 5000])
def test_tags_of_groups_are_seen_however_the_stream_is_cut(size):
    markup = Markup("u", (), "", allows_text=True, group="g")
    content = (
        b"<r><u>0</u><!-- <g n='c'> --><![CDATA[<g n='d'>]]><g n='>'><u>1</u><u/> <g n='2'> <u>"
        + b"x" * 900
        + b"<g n='3'>"
        + b"y" * 900
        + b"<u>4<g n='4'><u>5</u>"
        + b"z" * (1 << 17)
        + b"<g n='6'><u>6</u></g><u>7</u><g n='8><u>8</u></r>"
    )
    chunks = (content[begin : begin + size] for begin in range(0, len(content), size))
    blocks = list(cut(chunks, markup, position=0, start=0, end=None, limit=200))
    units = [unit for block in blocks for unit in block.units]
    assert units == [b"<u>0</u>", b"<u>1</u>", b"<u/>", *(b"<u>%d</u>" % n for n in (5, 6, 7, 8))]
    groups = [group for block in blocks for group in block.groups]
    assert groups == [
        *(b"", b"<g n='>'>", b"<g n='>'>", b"<g n='4'>"),
        *(b"<g n='6'>", b"</g>", b"<g n='8>"),
    ]
    reasons = [reject.reason for block in blocks for reject in block.rejects]
    assert reasons == ["record_too_long", "unclosed_unit"]


def test_xliff_2(write):
    content = """<xliff xmlns="urn:oasis:names:tc:xliff:document:2.0" version="2.0"
 srcLang="en" trgLang="ja"><file id="f1"><unit id="u1"><segment><source>a<pc id="1">b</pc></source>
<target>c</target></segment><ignorable><source> </source></ignorable>
<segment state="initial"><source>d</source><target>e</target></segment></unit>
<unit id="u2"><segment><source>f</source><target>g</target></segment></unit></file></xliff>"""
    out = read_units(write(content.encode()), "xliff")
    assert out.pairs == [(("en", "ab"), ("ja", "c")), (("en", "f"), ("ja", "g"))]
    assert out.values("external_id") == ["u1#1", "u2"]
    assert out.values("document") == ["f1", "f1"]
    assert out.reasons == ["unreviewed"]


def test_messages(write):
    first = {"@metadata": {"authors": []}, "a": "one", "b": {"c": "two"}, "n": 5, "l": "x"}
    second = {"b": {"c": "zwei"}, "a": "eins"}
    third = {"a": "un"}
    names = ("en.json", "de.json", "pt-br.json")
    contents = (first, second, third)
    paths = [write(json.dumps(c).encode(), n) for c, n in zip(contents, names, strict=True)]
    paths += [write(b"{", "x.json"), write(b"[]", "y.json"), "/nowhere/z.json"]
    out = read_units(paths, "messages")
    assert out.pairs == [
        (("en", "one"), ("de", "eins"), ("pt-br", "un")),
        (("en", "two"), ("de", "zwei")),
    ]
    assert out.values("external_id") == ["a", "b.c"]
    assert sorted(out.reasons) == sorted(
        [
            "wrong_type",
            "missing_side",
            "invalid_json",
            "not_an_object",
            "unreadable_file",
        ]
    )
    assert read_units(paths[:2], "messages", codes=("x",)).pairs[0][0] == ("x", "one")
    small = read_units(paths[:1], "messages", max_document_bytes=3)
    assert small.reasons == ["document_too_long"]


def test_a_message_that_is_no_string_is_one_reject_where_its_key_stands(write):
    german = write(b'{"a": "eins", "e": "x y z"}', "de.json")
    english = write(b'{"a": "one", "b": "only", "e": 5}', "en.json")
    out = read_units([german, english], "messages")
    assert [(each.offset, each.reason) for each in out.rejects] == [
        (1, "wrong_type"),
        (2, "missing_side"),
    ]
    french = write(b'{"e": "x y"}', "fr.json")
    assert read_units([german, english, french], "messages").values("external_id") == ["a", "e"]


def test_a_key_of_messages_that_a_file_has_twice(write):
    english = write(b'{"a.b": "one", "a": {"b": "two"}, "c": "three", "d": {"e": "5"}}', "en.json")
    german = write(b'{"a.b": "eins", "a": {"b": "zwei"}, "c": "drei", "d.e": "V"}', "de.json")
    out = read_units([english, german], "messages")
    assert out.texts == [("three", "drei"), ("5", "V")]
    detail = f"{english}: 'a.b' is there twice, as a key with dots and in objects"
    assert out.rejects == [Reject(0, "repeated_key", detail, "two")]


def test_names_that_begin_with_an_at_are_no_messages_at_any_depth(write):
    paths = [
        write(b'{"@m": 1, "nav": {"@x": "note", "@y": {"z": "n"}, "a": "%b"}}' % code, name)
        for code, name in ((b"one", "en.json"), (b"eins", "de.json"))
    ]
    out = read_units(paths, "messages")
    assert (out.values("external_id"), out.rejects) == (["nav.a"], [])


@pytest.mark.data
def test_po_reads_like_polib(data_folder):
    polib = pytest.importorskip("polib")
    for path in sorted((data_folder / "bitext" / "po_drf").glob("*.po")):
        out = read_units(path, "po")
        expected = [
            (entry.msgid, entry.msgstr)
            for entry in polib.pofile(str(path)).translated_entries()
            if not entry.msgid_plural
        ]
        plain = set(expected)
        assert [texts for texts in out.texts if texts in plain] == expected, path
        assert not {"invalid_po", "invalid_encoding"} & set(out.reasons)
