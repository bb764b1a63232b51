"""Near duplicates of real units on Beam's engine, against all pairs and networkx."""

import itertools
import random
import shutil
import unicodedata
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import apache_beam as beam
import networkx as nx
import numpy as np
import pytest
from apache_beam.runners.portability.fn_api_runner import FnApiRunner
from datasketch import MinHash

from glotmill.language_registry.scripts import is_spaced
from glotmill.pipelines import build
from glotmill.pipelines.engine import run_locally
from glotmill.schemas.lock import doc_id, is_foreign, row_of, unit_of
from glotmill.schemas.recipe import Deduplicate, Near
from glotmill.schemas.tables import REMOVALS, STATISTICS
from glotmill.transforms import near as module
from glotmill.transforms.edge_files import EdgeFiles
from glotmill.transforms.near import num_key_partitions, shingle_sets
from glotmill.transforms.records import read_records
from glotmill.transforms.removals import PRIORITY_OF_OTHERS, read_oversized
from glotmill.transforms.stars import connect_distributed
from glotmill.transforms.tables import read_table
from glotmill.transforms.unit_index import Corpora, UnitIndex, read_manifest

# So many bands of one value that every pair that is similar enough shares one.
CERTAIN = {"ngram": 2, "character_ngram": 3, "cluster_ngram": 3, "bands": 256, "rows": 1}
ALPHABETS = {
    "en": ("abcdefghijklmnopqrstuvwxyz", ""),
    "ru": ("абвгдежзиклмнопрстуфхцчшщыэюя", ""),
    "ar": ("ابتثجحخدذرزسشصضطظعغفقكلمنهوي", "\u064e\u064f\u0650\u0651\u0652"),
    "he": ("אבגדהוזחטיכלמנסעפצקרשת", "\u05b4\u05b5\u05b7\u05b8"),
    "hi": ("कखगघचछजझटठडढणतथदधनपफबभमयरलवशसह", "ािीुूेैोौ्"),
    "ko": ("가나다라마바사아자차카타파하각난달람", ""),
    "am": ("ሀለሐመሠረሰሸቀበተቸነኘአከኸወዐዘዠየደጀገ", ""),
    "th": ("กขคงจฉชซญดตถทธนบปผฝพฟภมยรลวสหอ", "ิีึืุู่้๊๋"),
    "lo": ("ກຂຄງຈຊຍດຕຖທນບປຜຝພຟມຢຣລວສຫອຮ", "ິີຶືຸູ່້"),
    "km": ("កខគឃងចឆជឈញដឋឌឍណតថទធនបផពភមយរលវសហអ", "ិីឹឺុូេែៃ"),
    "my": ("ကခဂဃငစဆဇညတထဒဓနပဖဗဘမယရလဝသဟအ", "ိီုူေဲ့း"),
    "bo": ("ཀཁགངཅཆཇཉཏཐདནཔཕབམཙཚཛཝཞཟའཡརལཤསཧཨ", "ིེོུ"),
    "zh": ("这国们个来时为说学对发经过还进无现开关问", ""),
    "ja": ("あいうえおかきくけこさしすせそたちつてとなにぬねの", ""),
}
SPACED = ("en", "ru", "ar", "he", "hi", "ko", "am")


def make_word(draw, code):
    letters, marks = ALPHABETS[code]
    size = draw.randint(3, 7) if code in SPACED else 1
    word = ""
    for _ in range(size):
        word += draw.choice(letters)
        if marks and draw.random() < 0.3:
            word += draw.choice(marks)
    return word


def family(draw, code, size):
    """A text and edits of it that change from none to many of its words."""
    words = [make_word(draw, code) for _ in range(draw.randint(25, 60))]
    for member in range(size):
        edited = list(words)
        for _ in range(draw.choice([0, 1, 1, 2, 3, 6]) if member else 0):
            place = draw.randrange(len(edited))
            edited[place : place + draw.choice([0, 1])] = [make_word(draw, code)]
        yield (" " if code in SPACED else "").join(edited)


def make_rows(seed, families=2, codes=tuple(ALPHABETS)):
    """Rows (code, text) of all scripts: families, short texts, equal texts of two labels."""
    draw = random.Random(seed)
    rows = []
    for code in codes:
        for _ in range(families):
            rows += [(code, text) for text in family(draw, code, draw.randint(1, 5))]
        short = make_word(draw, code)
        rows += [(code, short), (code, short), (code, short + make_word(draw, code)[:1])]
    if "en" in codes:
        shared = next(family(draw, "en", 1))
        rows += [("en", shared), ("de", shared), ("de", shared + " more"), ("en", "")]
    draw.shuffle(rows)
    return rows


def cut(rows, num_units, seed=0):
    draw = random.Random(seed)
    places = sorted(draw.randrange(len(rows) + 1) for _ in range(num_units - 1))
    return [rows[a:b] for a, b in itertools.pairwise([0, *places, len(rows)])]


@dataclass(frozen=True)
class Document:
    """A document as ingest wrote it."""

    id: int
    text: str
    scope: str
    label: str
    priority: int
    shingles: frozenset
    keys: frozenset
    sketch: bytes


def shingles_of(text, script, near):
    """By splitting, as the texts have neither capitals nor punctuation."""
    if is_spaced(script):
        words, length = text.split(), near.ngram
    else:
        words, length = [], near.character_ngram
        for char in text:
            if unicodedata.category(char)[0] == "M":
                words[-1] += char
            else:
                words.append(char)
    return frozenset(tuple(words[i : i + length]) for i in range(len(words) - length + 1))


def documents_of(corpus, options):
    corpora = Corpora(corpus.root, options.against)
    near = options.near
    for ordinal in corpora.ordinals():
        unit = corpora.unit(ordinal)
        columns = ["text", "label", "script", "band_keys", "sketch"]
        for batch, ids in corpora.batches(ordinal, columns):
            for row, identity in zip(batch.to_pylist(), ids.tolist(), strict=True):
                scope = {"label": row["label"], "source": unit.source,
                         "category": unit.category, "all": ""}[options.scope]  # fmt: skip
                foreign = bool(is_foreign(np.array([identity]))[0])
                yield Document(
                    identity, row["text"], scope, row["label"],
                    PRIORITY_OF_OTHERS if foreign else unit.priority,
                    shingles_of(row["text"], row["script"], near),
                    frozenset(enumerate(np.frombuffer(row["band_keys"], "<u8").tolist())),
                    row["sketch"],
                )  # fmt: skip


def alike(one, other, near):
    if not (one.shingles and other.shingles):
        return False
    if near.verify == "none":
        return bool(one.keys & other.keys)
    if near.verify == "jaccard":
        shared = len(one.shingles & other.shingles)
        similarity = shared / (len(one.shingles) + len(other.shingles) - shared)
    else:
        equal = sum(a == b for a, b in zip(one.sketch, other.sketch, strict=True))
        similarity = (equal / len(one.sketch) - 1 / 256) / (255 / 256)
    return similarity >= near.min_similarity


def expected(corpus, options):
    """What becomes of each document, by looking at all pairs."""
    documents = {document.id: document for document in documents_of(corpus, options)}
    graph, text_of = nx.Graph(), {}
    by_text = {}
    for document in documents.values():
        text_of[document.id] = document.id
        by_text.setdefault((document.text, document.scope), []).append(document)
    for equals in by_text.values() if options.exact else ():
        stays = min(equals, key=lambda each: (-each.priority, each.id)).id
        for each in equals:
            text_of[each.id] = stays
            graph.add_edge(stays, each.id)
    # Of equal texts one is compared.
    compared = [each for each in documents.values() if text_of[each.id] == each.id]
    for one, other in itertools.combinations(compared, 2):
        both_foreign = one.priority == other.priority == PRIORITY_OF_OTHERS
        if one.scope == other.scope and not both_foreign and alike(one, other, options.near):
            graph.add_edge(one.id, other.id)
    found = {}
    for members in nx.connected_components(graph):
        cluster = [documents[identity] for identity in members]
        best = min(cluster, key=lambda each: (-each.priority, -len(each.text), each.id)).id
        num_texts = len({text_of[each.id] for each in cluster})
        for each in cluster:
            if len(cluster) > 1 and each.priority != PRIORITY_OF_OTHERS:
                exact = text_of[each.id] != each.id or num_texts == 1
                reason = "exact_duplicate" if exact else "near_duplicate"
                found[each.id] = (each.id != best, reason, best, len(cluster))
    return found


def on_fn_api(run):
    with beam.Pipeline(runner=FnApiRunner()) as pipeline:
        run(pipeline)


def remove(corpus, options, ordinals=None, engine=on_fn_api, distributed=False):
    """Runs the transform on all units; gives the entries of what it wrote."""
    for folder in ("deduplicate", "temporary/deduplicate"):
        shutil.rmtree(Path(corpus.root) / folder, ignore_errors=True)
    if ordinals is None:
        ordinals = Corpora(corpus.root, options.against).ordinals()
    by_label, num_documents = Counter(), 0
    for unit in corpus.index().units:
        for batch in corpus.index().batches(unit, ["label"]):
            by_label.update(batch.column("label").to_pylist())
    for root in (corpus.root, *options.against):
        num_documents += sum(unit.num_rows for unit in UnitIndex(root).units)
    connected = None
    if distributed:
        folder = f"{corpus.root}/temporary/deduplicate/edges"
        given = (corpus.root, ordinals, num_documents, f"{folder}/found")
        engine(lambda p: build.duplicate_edges(p, options, *given))
        found = EdgeFiles.read(f"{folder}/found")
        connected = connect_distributed(engine, folder, found, partition_bytes=1_000)
    given = (corpus.root, ordinals, by_label, num_documents, connected)
    engine(lambda p: build.deduplicate(p, options, *given))
    return read_records(corpus.root, "deduplicate")


def removals(corpus, options, **more):
    entries = remove(corpus, options, **more)
    found, num_removed = {}, 0
    for entry in entries:
        table = read_table(f"{corpus.root}/{entry.path}")
        if "/removals/" not in entry.path:
            assert table.schema == STATISTICS
            num_removed += sum(table.column("num_documents").to_pylist())
            continue
        assert table.schema == REMOVALS
        assert table.column("row").to_pylist() == sorted(table.column("row").to_pylist())
        unit = next(u for u in corpus.index().units if f"/{u.key}." in entry.path)
        for row in table.to_pylist():
            found[doc_id(unit.ordinal, row["row"])] = (
                row["removed"], row["reason"], row["cluster"], row["cluster_size"]
            )  # fmt: skip
    assert num_removed == sum(removed for removed, *_ in found.values())
    return found


def near_options(options, **near):
    return Deduplicate(near=Near(**{**CERTAIN, **near}), **options)


def corpus_of(make_corpus, units, options, sources=None):
    return make_corpus(units, sources, deduplicate=options.model_dump(exclude={"against"}))


MANY_SOURCES = [{}, {"category": "book"}, {"priority": 1}, {}]


@pytest.mark.parametrize(
    ("verify", "exact", "scope"),
    [
        ("sketch", True, "label"),
        ("sketch", False, "source"),
        ("sketch", True, "category"),
        ("jaccard", True, "all"),
        ("jaccard", False, "label"),
        ("none", True, "label"),
        ("none", False, "all"),
    ],
)
def test_removals_are_those_of_all_pairs(make_corpus, verify, exact, scope):
    options = near_options({"exact": exact, "scope": scope}, verify=verify, min_similarity=0.6)
    rows = make_rows(f"{verify} {scope}")
    corpus = corpus_of(make_corpus, cut(rows, 4), options, MANY_SOURCES)
    found, oracle = removals(corpus, options), expected(corpus, options)
    assert found == oracle
    reasons = Counter(reason for _, reason, *_ in found.values())
    assert reasons["near_duplicate"] > (5 if scope == "source" else 30)
    assert bool(reasons["exact_duplicate"]) == exact
    assert read_oversized(corpus.root) == []


@pytest.mark.parametrize("min_similarity", [0.1, 0.3, 0.9, 1.0])
def test_the_least_similarity_counts(make_corpus, min_similarity):
    options = near_options({}, verify="jaccard", min_similarity=min_similarity)
    corpus = corpus_of(make_corpus, cut(make_rows(5, codes=("en", "th")), 2), options)
    found = removals(corpus, options)
    assert found == expected(corpus, options)


def test_the_sketch_is_that_of_datasketch(make_corpus):
    options = near_options({}, bands=4, rows=3)
    corpus = corpus_of(make_corpus, [make_rows(1)], options)
    (unit,) = corpus.index().units
    compared = 0
    for batch in corpus.index().batches(unit):
        sets = shingle_sets(batch.column("text"), batch.column("script").to_pylist(), options.near)
        for row, hashes in zip(batch.to_pylist(), sets, strict=True):
            # No two hashes are equal by chance, and the words are those of the plain loop.
            assert len(hashes) == len(shingles_of(row["text"], row["script"], options.near))
            if len(hashes):
                minhash = MinHash(num_perm=12, scheme="affine32", hashfunc=int)
                minhash.update_batch(hashes.tolist())
                assert row["sketch"] == minhash.hashvalues.astype(np.uint8).tobytes()
                compared += 1
    assert compared > 50


@pytest.mark.parametrize("verify", ["sketch", "jaccard", "none"])
def test_a_large_family_is_one_cluster(make_corpus, verify):
    draw = random.Random(3)
    words = [make_word(draw, "en") for _ in range(200)]
    texts = [" ".join([*words[:place], "other", *words[place:]]) for place in range(90)]
    options = Deduplicate(near=Near(verify=verify))
    corpus = corpus_of(make_corpus, cut([("en", text) for text in texts], 3), options)
    found = removals(corpus, options)
    assert len(found) == 90
    assert {row[2:] for row in found.values()} == {(doc_id(0, 0), 90)}


def by_place(corpus, found):
    """The removals with the number of each row in the whole corpus for its identity."""
    starts = np.cumsum([0, *(unit.num_rows for unit in corpus.index().units)])

    def place(identity):
        return int(starts[unit_of(identity)]) + row_of(identity)

    return {
        place(identity): (removed, reason, place(cluster), size)
        for identity, (removed, reason, cluster, size) in found.items()
    }


@pytest.mark.parametrize("verify", ["jaccard", pytest.param("none", marks=pytest.mark.slow)])
def test_the_cut_into_units_does_not_matter(make_corpus, verify):
    options = near_options({}, verify=verify, bands=20, rows=3)
    rows = make_rows(11)
    found = []
    for num_units in (1, 2, 7):
        corpus = corpus_of(make_corpus, cut(rows, num_units, seed=num_units), options)
        found.append(by_place(corpus, removals(corpus, options)))
    assert len(found[0]) > 30
    assert found[1:] == found[:1] * 2


def files_of(corpus, options, **more):
    entries = remove(corpus, options, **more)
    found = {
        str(path.relative_to(corpus.root)): path.read_bytes()
        for path in (Path(corpus.root) / "deduplicate").rglob("*.parquet")
    }
    assert set(found) == {entry.path for entry in entries}
    assert {entry.path: entry.num_bytes for entry in entries} == {
        path: len(content) for path, content in found.items()
    }
    return found


@pytest.fixture
def some_corpus(make_corpus):
    options = near_options({}, verify="jaccard", bands=20, rows=3)
    return corpus_of(make_corpus, cut(make_rows(17), 6), options), options


def test_the_order_of_units_does_not_matter(some_corpus):
    corpus, options = some_corpus
    in_order = files_of(corpus, options)
    assert len(in_order) > 8
    for ordinals in ([5, 4, 3, 2, 1, 0], [2, 5, 0, 3, 1, 4]):
        assert files_of(corpus, options, ordinals=ordinals) == in_order


@pytest.mark.slow
def test_neither_partitions_nor_pieces_matter(some_corpus, monkeypatch):
    corpus, options = some_corpus
    as_it_is = files_of(corpus, options)
    # With 64 pairs at a time shingles go one by one.
    for records, pairs in ((1, 64), (100, 128), (3_001, 1 << 16)):
        monkeypatch.setattr(module, "_RECORDS_PER_PARTITION", records)
        monkeypatch.setattr(module, "_PAIRS_AT_A_TIME", pairs)
        assert num_key_partitions(100, options.near) == 1 + 2_000 // records
        assert files_of(corpus, options) == as_it_is


@pytest.mark.slow
def test_components_of_many_workers_are_those_of_one(some_corpus):
    corpus, options = some_corpus
    assert files_of(corpus, options, distributed=True) == files_of(corpus, options)


def test_components_of_many_workers_where_nothing_is_alike(make_corpus):
    options = near_options({})
    corpus = corpus_of(make_corpus, [[("en", "one two three")], []], options)
    assert files_of(corpus, options, distributed=True) == {}


@pytest.mark.slow
def test_the_number_of_workers_does_not_matter(some_corpus):
    corpus, options = some_corpus
    alone = files_of(corpus, options)
    assert files_of(corpus, options, engine=lambda run: run_locally(run, 1)) == alone
    assert files_of(corpus, options, engine=lambda run: run_locally(run, 2)) == alone


@pytest.mark.parametrize("verify", ["sketch", "jaccard", "none"])
@pytest.mark.parametrize("units", [[[]], [[], [("en", "one two three")], []]])
def test_an_empty_corpus_and_a_lonely_document(make_corpus, units, verify):
    options = near_options({}, verify=verify)
    corpus = corpus_of(make_corpus, units, options)
    assert removals(corpus, options, ordinals=range(len(units))) == {}


@pytest.mark.parametrize("exact", [True, False])
def test_documents_too_short_for_a_shingle_are_removed_only_where_equal(make_corpus, exact):
    options = Deduplicate(exact=exact, near=Near(verify="none", bands=2, rows=1))
    rows = [("en", "one two three four"), ("en", "one two three four"), ("en", "one two three"),
            ("th", "กข"), ("th", "กข"), ("th", "ก"), ("en", ""), ("en", "...!")]  # fmt: skip
    corpus = corpus_of(make_corpus, [rows[::2], rows[1::2]], options)
    found = removals(corpus, options)
    reasons = Counter((removed, reason) for removed, reason, *_ in found.values())
    assert reasons == (
        {(True, "exact_duplicate"): 2, (False, "exact_duplicate"): 2} if exact else {}
    )


def test_priority_decides_which_of_similar_documents_stays(make_corpus):
    options = near_options({})
    texts = list(family(random.Random(8), "hi", 1))
    units = [[("hi", texts[0] + " और अधिक")], [("hi", texts[0])]]
    corpus = corpus_of(make_corpus, units, options, [{}, {"priority": 2}])
    assert {row[:3] for row in removals(corpus, options).values()} == {
        (True, "near_duplicate", doc_id(1, 0)), (False, "near_duplicate", doc_id(1, 0))
    }  # fmt: skip


@pytest.mark.parametrize(
    ("verify", "exact"), [pytest.param("sketch", True, marks=pytest.mark.slow), ("jaccard", False)]
)
def test_against_other_corpora(make_corpus, verify, exact):
    options = near_options({"exact": exact}, verify=verify)
    rows = make_rows(23)
    random.Random(1).shuffle(rows)
    roots = []
    for part in (rows[::3], rows[1::3]):
        other = corpus_of(make_corpus, cut(part, 3), options)
        other.complete("deduplicate", remove(other, options))
        roots.append(other.root)
    corpus = corpus_of(make_corpus, cut(rows[2::3], 2), options)
    against = options.model_copy(update={"against": roots})
    before = {path: path.read_bytes() for root in roots for path in Path(root).rglob("*.parquet")}
    found = removals(corpus, against)
    assert found == expected(corpus, against)
    clusters = np.array([cluster for removed, _, cluster, _ in found.values() if removed])
    foreign = is_foreign(clusters)
    assert foreign.sum() > 10
    assert (~foreign).sum() > 0
    assert {path: path.read_bytes() for path in before} == before


@pytest.mark.slow
def test_what_another_corpus_removed_is_not_compared_with(make_corpus):
    options = near_options({}, verify="jaccard", min_similarity=0.8)
    draw = random.Random(2)
    words = [make_word(draw, "ru") for _ in range(60)]
    others = [make_word(draw, "ru") for _ in range(12)]
    first = " ".join(words)
    second = " ".join([*others[:6], *words[6:]])
    third = " ".join([*others[:6], *words[6:-6], *others[6:]])
    other = corpus_of(make_corpus, [[("ru", first + " да"), ("ru", second)]], options)
    entries = remove(other, options)
    corpus = corpus_of(make_corpus, [[("ru", third)]], options)
    against = options.model_copy(update={"against": [other.root]})
    # Without its removals the other corpus has the second text, which the third is similar to.
    other.complete("deduplicate")
    assert [removed for removed, *_ in removals(corpus, against).values()] == [True]
    other.complete("deduplicate", entries)
    assert removals(corpus, against) == {}


VERSE_CODES = ("en", "ru", "he", "hi", "ar")
PAIRS = {"category": "bitext", "pairs": {"translation": "t"}}
MULTIWAY = {"category": "bitext", "pairs": {"translation": "t", "pairing": "multiway"}}


def make_verses():
    """Verses in all of VERSE_CODES, and the same with a word less in each language."""
    draw = random.Random(4)
    words = [
        {code: [make_word(draw, code) for _ in range(40)] for code in VERSE_CODES} for _ in range(6)
    ]
    whole = [{code: " ".join(each) for code, each in verse.items()} for verse in words]
    edited = [{code: " ".join(each[1:]) for code, each in verse.items()} for verse in words]
    return whole, edited


def sides(verse, *codes):
    return {code: verse[code] for code in codes}


def pairs_of(verses):
    return [sides(verse, "en", other) for other in VERSE_CODES[1:] for verse in verses]


@pytest.mark.parametrize("verify", ["sketch", "jaccard", "none"])
@pytest.mark.parametrize("scope", ["label", "source", "category", "all"])
def test_pairs_are_compared_with_pairs_of_their_languages(make_corpus, scope, verify):
    # Two pairs that share a side have a similarity of a third.
    options = near_options({"scope": scope}, verify=verify, min_similarity=0.25, bands=40, rows=3)
    whole, edited = make_verses()
    of_three, of_four = VERSE_CODES[:3], VERSE_CODES[:4]
    units = [
        [("en", verse["en"]) for verse in whole],
        pairs_of(whole),
        [sides(verse, *codes) for verse in whole for codes in (of_three, of_four)],
    ]
    copies = [
        [("en", edited[0]["en"])],
        # Whichever side is the source.
        [sides(edited[0], "en", "ru"), sides(edited[1], "he", "en")],
        [sides(edited[0], *of_three[::-1]), sides(edited[1], *of_four[::-1])],
    ]
    # Behind the others, so that these are what goes.
    removed = {
        doc_id(number, len(rows) + place)
        for number, (rows, more) in enumerate(zip(units, copies, strict=True))
        for place in range(len(more))
    }
    all_rows = [rows + more for rows, more in zip(units, copies, strict=True)]
    corpus = corpus_of(make_corpus, all_rows, options, [{}, PAIRS, MULTIWAY])
    assert [unit.num_rows for unit in corpus.index().units] == list(map(len, all_rows))
    found = removals(corpus, options)
    assert {identity for identity, (goes, *_) in found.items() if goes} == removed
    assert {size for *_, size in found.values()} == {2}


def test_pairs_of_another_corpus_are_compared_by_their_languages(make_corpus):
    options = near_options({"scope": "all"}, min_similarity=0.25, bands=40, rows=3)
    whole, edited = make_verses()
    before = [[("en", verse["en"]) for verse in whole], [sides(each, "en", "he") for each in whole]]
    other = corpus_of(make_corpus, before, options, [{}, PAIRS])
    other.complete("deduplicate", remove(other, options))
    now = [sides(whole[0], "en", "ru"), sides(edited[0], "he", "en"), sides(whole[1], "ru", "he")]
    corpus = corpus_of(make_corpus, [now, [("ru", whole[0]["ru"])]], options, [PAIRS, {}])
    found = removals(corpus, options.model_copy(update={"against": [other.root]}))
    assert {identity: goes for identity, (goes, *_) in found.items()} == {doc_id(0, 1): True}


def test_oversized_clusters_are_noted_with_samples(make_corpus):
    options = near_options({}, max_cluster=2, on_oversized="keep", min_similarity=0.5)
    draw = random.Random(9)
    words = [make_word(draw, "km") for _ in range(200)]
    texts = ["".join([*words[:place], "ក", *words[place:]]) for place in (0, 50, 100, 150)]
    rows = [("km", text) for text in [*texts, texts[1]]]
    corpus = corpus_of(make_corpus, [rows[:3], rows[3:]], options)
    found = removals(corpus, options)
    (cluster,) = read_oversized(corpus.root)
    assert (cluster.num_documents, cluster.num_texts, cluster.label) == (5, 4, "khm_Khmr")
    assert cluster.samples == [doc_id(0, 0), doc_id(0, 1), doc_id(0, 2), doc_id(1, 0)]
    assert found == {
        doc_id(0, 1): (False, "exact_duplicate", doc_id(0, 1), 2),
        doc_id(1, 1): (True, "exact_duplicate", doc_id(0, 1), 2),
    }


def test_sizes_of_clusters_are_on_the_survivors(make_corpus):
    options = near_options({})
    corpus = corpus_of(make_corpus, cut(make_rows(31), 3), options)
    found = removals(corpus, options)
    corpus.complete("deduplicate", read_records(corpus.root, "deduplicate"))
    manifest = read_manifest(corpus.root, "deduplicate")
    index = UnitIndex(corpus.root, manifest)
    sizes = [
        size for u in index.units for _, sizes in index.surviving(u, ["label"]) for size in sizes
    ]
    total = sum(unit.num_rows for unit in index.units)
    assert sum(sizes) == total
    assert Counter(size for size in sizes if size > 1) == Counter(
        size for removed, _, _, size in found.values() if not removed
    )
