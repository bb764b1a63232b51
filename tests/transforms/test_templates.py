"""Templates: what is written, and that a parser gets back exactly what was put in."""

import pytest
from hypothesis import example, given, reject, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from glotmill.schemas.templates import TEMPLATES, Template, template_of
from glotmill.transforms.templates import DocumentError, Parsed, parse, render

LABELS = ("eng_Latn", "deu_Latn")
THREE = ("eng_Latn", "deu_Latn", "swa_Latn")

#: Of one's own: single characters, delimiters that overlap themselves, sides the other way round.
INLINE = {
    "moses": Template(pair="{src_text} ||| {tgt_text}\n"),
    "tabs": Template(pair="{src_text}\t{tgt_text}\t"),
    "marked": Template(
        header="<{src_name} to {tgt_name}>\n", pair="<s>{src_text}</s><t>{tgt_text}</t>",
        separator="\n", footer="\n</{tgt_lang}>",
    ),
    "other way": Template(pair="{tgt_text}\n\n\n{src_text}\n\n", separator="\n"),
    "names": Template(pair="{src_name}: {src_text}\n{tgt_name}: {tgt_text}\n", separator="\n"),
    "braces": Template(pair="{{{src_lang}}} {src_text} {{}} {tgt_text} {{}} "),
    "aa": Template(pair="{src_text}aa{tgt_text}aab"),
}  # fmt: skip
ALL = {**TEMPLATES, **INLINE}

PIECES = st.sampled_from(
    ["\\", "\n", "\\n", "[", "]: ", "[eng_Latn]: ", "\n[deu_Latn]: ", "\n[German]: ", "{", "}",
     "{src_text}", "{}", " {} ", " ", "\t", " ||| ", "</s>", "<t>", "a", "b", "German: ", "\n\n",
     "\r", "\u2028", "\0", "[swa_Latn]", "\n["]
)  # fmt: skip
TEXTS = st.lists(PIECES | st.text(max_size=3), max_size=8).map("".join)


def rows(size):
    return st.lists(st.tuples(*[TEXTS] * size), min_size=1, max_size=4)


@pytest.mark.parametrize("layout", ["pairs", "blocks"])
@pytest.mark.parametrize("template", ALL.values(), ids=list(ALL))
@settings(max_examples=150)
@given(rows(2))
@example([("", "")])
@example([("\n", "\n"), ("\\", "\\\\")])
@example([("a\n[deu_Latn]: b", "\\\n[eng_Latn]: "), ("[eng_Latn]: ", "\n")])
@example([("aaa", "aaba"), ("\\aa", "aab\\")])
def test_every_text_comes_back(template, layout, given_rows):
    document = render(template, LABELS, given_rows, layout=layout)
    expected = tuple(given_rows)
    assert parse(template, document, labels=LABELS, layout=layout) == Parsed(LABELS, expected)
    if template is not INLINE["marked"]:  # whose footer alone tells the target language
        assert parse(template, document, layout=layout).rows == expected


@pytest.mark.parametrize("layout", ["pairs", "blocks"])
@pytest.mark.parametrize("template", ALL.values(), ids=list(ALL))
@settings(max_examples=80)
@given(rows(3))
def test_every_text_of_three_languages_comes_back(template, layout, given_rows):
    document = render(template, THREE, given_rows, layout=layout)
    expected = Parsed(THREE, tuple(given_rows))
    assert parse(template, document, labels=THREE, layout=layout) == expected


@settings(max_examples=200)
@given(
    rows(2),
    st.builds(
        "".join, st.lists(st.sampled_from(["\n", " ", "a", "[", "{src_lang}", "{tgt_lang}"]))
    ),
    st.lists(st.text("ab\n[ ", min_size=1, max_size=3), min_size=3, max_size=3),
)
def test_every_template_brings_every_text_back(given_rows, header, literals):
    start, middle, separator = literals
    template = Template(
        header=header, pair=f"{start}{{src_text}}{middle}{{tgt_text}}", separator=separator
    )
    document = render(template, LABELS, given_rows)
    assert parse(template, document, labels=LABELS).rows == tuple(given_rows)


PARTS = st.lists(st.sampled_from(["\n", " ", "a", "[", "}}", "{lang}", "{name}a"]), max_size=3)


@pytest.mark.parametrize("layout", ["pairs", "blocks"])
@settings(max_examples=200)
@given(rows(3), PARTS, PARTS, st.text("ab\n[ ", max_size=3))
@example([("", "", "")], ["["], [], "")
@example([("a\n", "\\\n", "\n")], ["{lang}"], ["\n", "{lang}"], "\n")
def test_every_segment_that_passes_brings_every_text_back(
    layout, given_rows, before, after, separator
):
    segment = "".join([*before, "{text}", *after])
    try:
        template = Template(pair="{src_text}\t{tgt_text}\n", separator=separator, segment=segment)
    except ValidationError:
        reject()
    document = render(template, THREE, given_rows, layout=layout)
    expected = Parsed(THREE, tuple(given_rows))
    assert parse(template, document, labels=THREE, layout=layout) == expected


@pytest.mark.parametrize("segment", ["[{lang}]: {text}", "{lang}: {text}\n", "{text}|{lang}"])
def test_a_character_on_either_side_is_enough_for_a_segment(segment):
    """It may be the first of the next segment, and a separator adds nothing."""
    for separator in ("", "\n"):
        template = Template(pair="{src_text}\t{tgt_text}\n", separator=separator, segment=segment)
        given_rows = (("a", "b|", "c\n"), ("[swa_Latn]: ", "\\", ""))
        document = render(template, THREE, given_rows)
        assert parse(template, document, labels=THREE).rows == given_rows


@pytest.mark.parametrize("name", sorted(ALL.keys() - {"marked"}))
def test_the_languages_are_read_where_they_stand(name):
    document = render(ALL[name], LABELS, [("a", "b")])
    expected = {"emma500": LABELS, "braces": ("eng_Latn", None)}
    assert parse(ALL[name], document).labels == expected.get(name, (None, None))


WRITTEN = [("Good day.", "Guten Tag."), ("Thanks.", "Danke.")]


@pytest.mark.parametrize(
    ("name", "layout", "expected"),
    [
        ("emma500", "pairs",
         "[eng_Latn]: Good day.\n[deu_Latn]: Guten Tag.\n"
         "[eng_Latn]: Thanks.\n[deu_Latn]: Danke.\n"),
        ("emma500-evaluation", "pairs",
         "[English]: Good day.\n[German]: Guten Tag.\n[English]: Thanks.\n[German]: Danke.\n"),
        ("plain", "pairs", "Good day.\nGuten Tag.\n\nThanks.\nDanke.\n"),
        ("interlinear", "pairs", "Good day.\nGuten Tag.\nThanks.\nDanke.\n"),
        ("emma500", "blocks", "[eng_Latn]: Good day.\nThanks.\n[deu_Latn]: Guten Tag.\nDanke.\n"),
        ("plain", "blocks", "Good day.\nThanks.\n\nGuten Tag.\nDanke.\n"),
        ("interlinear", "blocks", "Good day.\nThanks.\n\nGuten Tag.\nDanke.\n"),
        ("names", "blocks",
         "English: Good day.\nThanks.\n\nGerman: Guten Tag.\nDanke.\n"),
        ("marked", "pairs",
         "<English to German>\n<s>Good day.</s><t>Guten Tag.</t>\n"
         "<s>Thanks.</s><t>Danke.</t>\n</deu_Latn>"),
        ("braces", "pairs",
         "{eng_Latn} Good day. {} Guten Tag. {} {eng_Latn} Thanks. {} Danke. {} "),
    ],
)  # fmt: skip
def test_what_is_written(name, layout, expected):
    assert render(ALL[name], LABELS, WRITTEN, layout=layout) == expected


def test_what_is_written_of_three_languages():
    row = ("Good day.", "Guten Tag.", "Habari.")
    document = render(TEMPLATES["emma500"], THREE, [row])
    assert document == "[eng_Latn]: Good day.\n[deu_Latn]: Guten Tag.\n[swa_Latn]: Habari.\n"
    # A header that names two languages is left out, one that names none is not.
    with_header = Template(header="# {src_name}\n", footer=".", pair="{src_text}\t{tgt_text}\n")
    assert render(with_header, THREE, [row]) == f"{document}."


@pytest.mark.parametrize("name", TEMPLATES)
@given(st.text(st.characters(exclude_characters="\n")))
def test_texts_of_one_line_come_through_unchanged(name, text):
    """But for a backslash at the very end."""
    text = text.rstrip("\\")
    assert text in render(TEMPLATES[name], LABELS, [(text, "b")])


def test_lines_that_nobody_mistakes_come_through_unchanged():
    text = "Dear \\n reader,\n[sic] \\begin{x}\n[deu]: and\\so\n\non"
    assert text in render(TEMPLATES["emma500"], LABELS, [(text, text)])


@pytest.mark.parametrize(
    ("name", "document", "message"),
    [
        ("emma500", "", "not what the template writes at character 0"),
        ("emma500", "[eng_Latn]: a\n", "the text at character 12 has no end"),
        ("emma500", "[eng_Latn]: a\n[deu_Latn]: b", "does not begin and end as"),
        ("emma500", "[eng_Latn]: a\n[deu_Latn]: b\n[eng_Latn]: c\n", "has no end"),
        ("emma500", "[eng_Latn]: a\n[deu_Latn]: b\n[fra_Latn]: c\n[deu_Latn]: d\n",
         "not what the template writes at character 27"),
        ("plain", "a\n", "does not begin and end|has no end"),
        ("marked", "<A to B>\n<s>a</s><t>b</t>\n</x>", "does not say its languages"),
    ],
)  # fmt: skip
def test_what_no_template_wrote(name, document, message):
    with pytest.raises(DocumentError, match=message):
        parse(ALL[name], document)


def test_blocks_of_different_lengths_are_refused():
    with pytest.raises(DocumentError, match="different numbers of texts: 2, 1"):
        parse(TEMPLATES["emma500"], "[eng_Latn]: a\nb\n[deu_Latn]: c\n", layout="blocks")
    document = render(TEMPLATES["emma500"], LABELS, WRITTEN)
    with pytest.raises(DocumentError, match="2 pairs of blocks instead of one"):
        parse(TEMPLATES["emma500"], document, layout="blocks")


def test_what_cannot_be_rendered():
    with pytest.raises(ValueError, match="'english' is no label such as 'eng_Latn'"):
        render(TEMPLATES["plain"], ["english", "deu_Latn"], [("a", "b")])
    with pytest.raises(ValueError, match="one row or more"):
        render(TEMPLATES["plain"], LABELS, [])
    for segment in ("{text}", "{lang}: {text}"):
        unchecked = TEMPLATES["interlinear"].model_copy(update={"segment": segment})
        with pytest.raises(ValueError, match="no character of the template follows a text"):
            render(unchecked, THREE, [("a", "b", "c")])


@pytest.mark.slow
@pytest.mark.timeout(20)
@pytest.mark.parametrize("name", TEMPLATES)
@pytest.mark.parametrize("piece", ["\\", "\n", "\\\n", "\n[deu_Latn]: ", "\\\n[eng_Latn]: "])
def test_long_texts_take_time_in_proportion(name, piece):
    text = piece * (1_000_000 // len(piece))
    document = render(TEMPLATES[name], LABELS, [(text, text)])
    assert parse(TEMPLATES[name], document).rows == ((text, text),)


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        ({"pair": "{src_txt} {tgt_text} "},
         "unknown placeholder '{src_txt}'; did you mean 'src_text'?"),
        ({"pair": "{src_text} {tgt_text} {x!r}"}, "unknown placeholder '{x!r}'; there are"),
        ({"pair": "{} {tgt_text} "}, "unknown placeholder '{}'; there are"),
        ({"pair": "{src_text}\n"}, "wants {tgt_text} once, found it 0 times"),
        ({"pair": "{src_text} {tgt_text} {src_text} "}, "wants {src_text} once, found it 2 times"),
        ({"pair": "{src_text} { {tgt_text} "}, "a single '{'; a brace of its own is written twice"),
        ({"pair": "{src_text} } {tgt_text} "}, "a single '}'"),
        ({"pair": "{src_text}\\n{tgt_text}\n"}, "a template holds no backslash"),
        ({"pair": "{src_text}{tgt_text}\n"}, "in 'pair' a text is followed by a placeholder"),
        ({"pair": "{src_text} {tgt_text}"}, "in 'pair' a text is followed by a placeholder"),
        ({"pair": "{src_name}{src_text} {tgt_text} "}, "has to be followed by a character"),
        ({"pair": "{src_text} {tgt_text} {tgt_name}"}, "has to be followed by a character"),
        ({"header": "{src_text}"},
         "unknown placeholder '{src_text}'; did you mean 'src_name'?|did you mean"),
        ({"separator": "{src_lang}"}, "unknown placeholder '{src_lang}'; none can stand here"),
        ({"segment": "{lang}: "}, "wants {text} once, found it 0 times"),
        ({"segment": "{langs}: {text}\n"}, "did you mean 'lang'?"),
        ({"segment": "{text}"}, "a text is followed by a placeholder"),
        ({"segment": "{text}", "separator": "\n"}, "the separator stands between rows"),
        ({"segment": "{lang}: {text}", "separator": "\n"}, "the separator stands between rows"),
        ({"segment": "{text}{lang}\n"}, "a text is followed by a placeholder"),
    ],
)  # fmt: skip
def test_templates_that_are_refused(parts, message):
    with pytest.raises(ValidationError) as caught:
        Template(**{"pair": "{src_text}\n{tgt_text}\n", **parts})
    assert any(each in str(caught.value) for each in message.split("|"))


def test_templates_by_name_and_inline():
    assert template_of("plain") is TEMPLATES["plain"]
    assert template_of("{src_text}\t{tgt_text}\n").pair == "{src_text}\t{tgt_text}\n"
    assert template_of(TEMPLATES["plain"]) is TEMPLATES["plain"]
    with pytest.raises(ValueError, match="no template 'plian'; did you mean 'plain'"):
        template_of("plian")
    with pytest.raises(ValueError, match=r"^unknown placeholder '\{src\}'"):
        template_of("{src}\t{tgt_text}\n")
    with pytest.raises(ValueError, match=r"^wants \{tgt_text\} once"):
        template_of("{src_text}\t")
