"""XCES alignments and their documents."""

import gzip
import zipfile

import pytest
from bitext_reading import read_units

ALIGNMENT = """<?xml version="1.0" encoding="utf-8"?>
<!DOCTYPE cesAlign PUBLIC "-//CES//DTD XML cesAlign//EN" "">
<cesAlign version="1.0">
<linkGrp targType="s" fromDoc="en/1/a.xml.gz" toDoc="de/1/a.xml.gz" >
<link id="SL0" xtargets="1;1" certainty="0.5" />
<link id="SL1" xtargets="2 3;2" certainty="-1e-3"></link>
<link id="SL2" xtargets=";3" certainty="x" />
<link id="SL3" xtargets="9;3" />
<link id="SL4" xtargets="1" />
<link id="SL5" xtargets="1;3 />
</linkGrp>
<linkGrp targType="s" toDoc="de/1/b.xml.gz" fromDoc="en/1/b.xml.gz">
<link id="SL0" xtargets="1;1"/>
<link id="SL1" xtargets="2;2"/>
</linkGrp>
<linkGrp targType="s" toDoc="../../etc/passwd" fromDoc="en/1/a.xml.gz">
<link id="SL0" xtargets="1;1"/>
</linkGrp>
</cesAlign>
"""
EN = """<?xml version="1.0" encoding="utf-8"?><text><p id="1">
<s id="1"><w id="1.1">Hello</w><w id="1.2">,</w>
 <w id="1.3">world</w></s>
<s id="2">  Second
 sentence. </s><s id="3">Third &amp; <time id="T1S" value="00"/>last.</s></p></text>"""
DE = '<text><s id="1">Hallo, Welt</s><s id="2">Zwei.</s><s id="3"/></text>'
DOCUMENTS = {"en/1/a.xml": EN, "de/1/a.xml": DE, "en/1/b.xml": EN}
PAIRS = [
    (("en", "Hello , world"), ("de", "Hallo, Welt")),
    (("en", "Second sentence. Third & last."), ("de", "Zwei.")),
]


def in_folder(folder):
    for name, text in DOCUMENTS.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).with_suffix(".xml.gz").write_bytes(gzip.compress(text.encode()))
    return [str(folder)]


def in_zips(folder):
    for language in ("en", "de"):
        with zipfile.ZipFile(folder / f"{language}.zip", "w") as archive:
            for name, text in DOCUMENTS.items():
                if name.startswith(language):
                    archive.writestr(f"Corpus/raw/{name}", text)
    return [str(folder / "en.zip"), str(folder / "de.zip")]


@pytest.mark.parametrize("place", [in_folder, in_zips])
@pytest.mark.parametrize("packed", [False, True])
def test_alignment(tmp_path, write, place, packed):
    content = ALIGNMENT.encode()
    path = write(gzip.compress(content) if packed else content)
    out = read_units(path, "xces", documents=tuple(place(tmp_path)))
    assert out.pairs == PAIRS
    assert out.values("scores")[0] == {"certainty": 0.5}
    assert out.values("document") == ["en/1/a.xml.gz;de/1/a.xml.gz"] * 2
    assert out.values("external_id") == ["SL0", "SL1"]
    assert out.offsets == [content.index(b"<link id"), content.index(b'<link id="SL1')]
    assert out.reasons == [
        "invalid_score",
        "missing_sentence",
        "invalid_link",
        "invalid_xml",
        "missing_document",
        "missing_document",
        "missing_document",
    ]
    assert "no sentence 9" in out.rejects[1].detail


def test_one_side_only_and_codes(tmp_path, write):
    content = ALIGNMENT.replace(' certainty="x"', "").encode()
    options = {"documents": tuple(in_folder(tmp_path)), "codes": ("eng", None)}
    out = read_units(write(content), "xces", **options)
    assert out.pairs[0][0] == ("eng", "Hello , world")
    assert out.reasons[0] == "missing_side"
    kept = read_units(write(content), "xces", min_segments=1, **options)
    assert (("de", ""),) in kept.pairs


def test_broken_documents(tmp_path, write):
    (places,) = in_folder(tmp_path)
    packed = gzip.compress((EN.replace("Second", "<w>")).encode())
    (tmp_path / "en/1/a.xml.gz").write_bytes(packed)
    out = read_units(write(ALIGNMENT.encode()), "xces", documents=(places,))
    assert out.texts == [("Hello , world", "Hallo, Welt")]
    assert "invalid_xml at byte" in out.rejects[0].detail
    (tmp_path / "en/1/a.xml.gz").write_bytes(packed[:20])
    out = read_units(write(ALIGNMENT.encode()), "xces", documents=(places,))
    assert out.units == []
    out = read_units(write(ALIGNMENT.encode()), "xces", documents=(places,), max_document_bytes=20)
    assert "document_too_long" in out.reasons


def test_places_that_are_not_there(write, tmp_path):
    broken = write(b"no zip", "b.zip")
    for documents in ((), ("/nowhere",), (broken,), ("/nowhere/a.zip",)):
        out = read_units(write(ALIGNMENT.encode()), "xces", documents=documents)
        assert out.units == []
        assert out.reasons.count("missing_document") == 7 - out.reasons.count("missing_side")


def test_broken_alignments(write):
    assert read_units(write(ALIGNMENT[:300].encode()), "xces").reasons[-1] == "truncated_file"
    assert read_units(write(ALIGNMENT.encode("utf-16")), "xces").reasons == ["not_utf8"]
    assert read_units(write(b"x"), "xces").reasons == ["truncated_file"]


GROUPS = """<cesAlign version="1.0">
<linkGrp fromDoc="en/a.xml" toDoc="de/a.xml">
<link id="a1" xtargets="1;1"/>
<link id="a2" xtargets="2;2"/>
</linkGrp>
<linkGrp fromDoc="en/b.xml" toDoc="de/b.xml">
<link id="b1" xtargets="1;1"/>
<link id="b2" xtargets="2;2"/>
</linkGrp>
</cesAlign>
"""


def in_two_documents(folder):
    for language in ("en", "de"):
        (folder / language).mkdir()
        for name in ("a", "b"):
            sentences = [f'<s id="{number}">{language} {name}{number}</s>' for number in "12"]
            (folder / language / f"{name}.xml").write_text(f"<text>{''.join(sentences)}</text>")
    return (str(folder),)


@pytest.mark.parametrize(
    ("whole", "broken", "lost", "reason"),
    [
        ('2;2"/>\n</linkGrp>\n<l', '2;2">\n</linkGrp>\n<l', ["a2"], "unclosed_unit"),
        ('"b1" xtargets="1;1"/>', '"b1" xtargets="1;1">', ["b1"], "unclosed_unit"),
        ('"a2" xtargets="2;2"/>', f'"a2" xtargets="{"2 " * 99}">', ["a2"], "record_too_long"),
        ('"a2" xtargets="2;2"/>', '"a2" xtargets="2;2" <!-- -->', ["a2"], "unclosed_unit"),
        ('</linkGrp>\n<linkGrp fromDoc="en/b', '<p/><linkGrp fromDoc="en/b', [], None),
        ('en/b.xml" toDoc', "en/b.xml toDoc", ["b1", "b2"], "missing_document"),
        ('<linkGrp fromDoc="en/b', '<inkGrp fromDoc="en/b', ["b1", "b2"], "missing_document"),
    ],
)
def test_what_is_broken_at_a_group_leaves_no_link_to_other_documents(
    tmp_path, write, whole, broken, lost, reason
):
    assert GROUPS.count(whole) == 1
    content = GROUPS.replace(whole, broken).encode()
    out = read_units(
        write(content), "xces", documents=in_two_documents(tmp_path), max_record_bytes=150
    )
    kept = [name for name in ("a1", "a2", "b1", "b2") if name not in lost]
    assert out.texts == [(f"en {name}", f"de {name}") for name in kept]
    assert out.values("external_id") == kept
    assert out.reasons == [reason] * len(lost)
