"""Dropped documents in the sizes of clusters: against networkx, and without any effect else."""

import itertools
import random
from collections import Counter
from pathlib import Path

import apache_beam as beam
import networkx as nx
import pyarrow as pa
import pytest
from apache_beam.runners.portability.fn_api_runner import FnApiRunner

from glotmill.schemas.lock import doc_id, row_of, shadow_ordinal, unit_of
from glotmill.schemas.recipe import Deduplicate, Near
from glotmill.schemas.tables import CLUSTER_SIZES
from glotmill.transforms.cluster_sizes import read_sizes
from glotmill.transforms.decide import NOT_JUDGED
from glotmill.transforms.deduplicate import RemoveDuplicates
from glotmill.transforms.edge_files import EdgeFiles
from glotmill.transforms.records import read_records
from glotmill.transforms.shadows import CountShadows, WriteShadowEdges
from glotmill.transforms.stars import connect_distributed
from glotmill.transforms.tables import read_table
from glotmill.transforms.unit_index import Corpora, removals_path

# So many bands of one value that every pair that is similar enough shares one.
CERTAIN = {"ngram": 2, "bands": 128, "rows": 1, "verify": "jaccard", "min_similarity": 0.6}
NEAR = Deduplicate(near=Near(**CERTAIN))
LONGEST = 200


def make_word(draw):
    return "".join(draw.choice("abcdefghijklmnopqrstuvwxyz") for _ in range(5))


def make_rows(seed, families=14):
    """Texts around the length at which they are dropped, in families of similar ones."""
    draw = random.Random(seed)
    rows = []
    for _ in range(families):
        words = [make_word(draw) for _ in range(33)]
        for _ in range(draw.randint(1, 6)):
            edited = list(words)
            for _ in range(draw.choice([0, 0, 1, 2])):
                place = draw.randrange(len(edited))
                edited[place : place + draw.choice([0, 0, 1, 2])] = [make_word(draw)]
            rows.append(("eng", " ".join(edited)))
    rows += [("eng", make_word(draw)), ("eng", make_word(draw) * 50), ("xx-none", rows[0][1])]
    draw.shuffle(rows)
    return rows


def run(transform, ordinals):
    with beam.Pipeline(runner=FnApiRunner()) as pipeline:
        _ = pipeline | beam.Create(list(ordinals), reshuffle=False) | transform


def ordinals_of(corpus):
    index = corpus.index()
    return [u.ordinal for u in index.units if u.num_rows] + index.shadow_ordinals()


def corpus_of(make_corpus, rows, options, num_units=3, **more):
    filters = {"filters": {"min_characters": 0, "max_characters": LONGEST}}
    units = [rows[number::num_units] for number in range(num_units)]
    deduplicate = options.model_dump(mode="json")
    return make_corpus(units, deduplicate=deduplicate, **filters, **more)


def removals(corpus):
    """Rows of the removal lists by identity."""
    found = {}
    listed = {entry.path for entry in read_records(corpus.root, "deduplicate")}
    for unit in corpus.index().units:
        if removals_path(unit.key) in listed:
            for row in read_table(f"{corpus.root}/{removals_path(unit.key)}").to_pylist():
                found[doc_id(unit.ordinal, row["row"])] = row
    return found


def deduplicate(corpus, options):
    corpus.run(RemoveDuplicates(corpus.root, options, {"eng_Latn": 10_000}, 100))
    return removals(corpus)


def documents_of(corpus):
    """Texts of documents and of those that a filter dropped, by identity, with their labels."""
    found = {}
    for unit in corpus.index().units:
        for ordinal, batches in (
            (unit.ordinal, corpus.index().batches(unit)),
            (shadow_ordinal(unit.ordinal), corpus.index().dropped_batches(unit)),
        ):
            rows = [row for batch in batches for row in batch.to_pylist()]
            for number, row in enumerate(rows):
                if row.get("drop_reason") not in NOT_JUDGED:
                    found[doc_id(ordinal, number)] = (row["text"], row["label"])
    return found


def shingles_of(text):
    words = text.split()
    return {tuple(words[place : place + 2]) for place in range(len(words) - 1)}


def is_own(identity):
    return unit_of(identity) < 1_000


def expected_sizes(corpus, listed, near):
    """Sizes of clusters: those of the lists, and all pairs with a dropped document."""
    documents = documents_of(corpus)
    graph = nx.Graph()
    graph.add_nodes_from(documents)
    graph.add_edges_from((identity, row["cluster"]) for identity, row in listed.items())
    sets = {identity: shingles_of(text) for identity, (text, _) in documents.items()}
    for one, other in itertools.combinations(documents, 2):
        if (is_own(one) and is_own(other)) or documents[one][1] != documents[other][1]:
            continue
        both = sets[one] | sets[other]
        if documents[one][0] == documents[other][0] or (
            near and both and len(sets[one] & sets[other]) / len(both) >= 0.6
        ):
            graph.add_edge(one, other)
    return {i: len(members) for members in nx.connected_components(graph) for i in members}


@pytest.mark.parametrize(("options", "seed"), [(NEAR, 1), (NEAR, 2), (Deduplicate(), 3)])
def test_sizes_count_dropped_documents_and_nothing_else_changes(make_corpus, options, seed):
    corpus = corpus_of(make_corpus, make_rows(seed), options)
    before = deduplicate(corpus, options)
    run(CountShadows(corpus.root, options, 200), ordinals_of(corpus))
    after = removals(corpus)
    sizes = expected_sizes(corpus, before, options.near)
    documents = documents_of(corpus)
    own = {identity for identity in documents if is_own(identity)}
    assert 20 < len(own) < len(documents) - 10
    assert {i: row["cluster_size"] for i, row in after.items()} == {
        identity: sizes[identity] for identity in own if sizes[identity] > 1
    }
    assert sum(sizes[i] > row["cluster_size"] for i, row in before.items()) > (
        5 if options.near else -1
    )
    # Removed are the same documents, for the same others and reasons.
    for identity, row in after.items():
        if identity in before:
            assert row | {"cluster_size": 0} == before[identity] | {"cluster_size": 0}
        else:
            assert (row["removed"], row["cluster"]) == (False, identity)
    assert before.keys() <= after.keys()
    check_sums(corpus, after, sizes)


def check_sums(corpus, after, sizes):
    """The sums of what is in clusters are those of the documents."""
    kept, left, dropped, num_bytes = Counter(), Counter(), Counter(), Counter()
    for identity, (text, label) in documents_of(corpus).items():
        key = ("monolingual", label, sizes[identity])
        if sizes[identity] == 1:
            continue
        if not is_own(identity):
            dropped[key] += 1
            continue
        kept[key] += 1
        if not after[identity]["removed"]:
            left[key] += 1
            num_bytes[key] += len(text.encode())
    table = read_sizes(corpus.root)
    assert table.schema == CLUSTER_SIZES
    found = {
        tuple(row[key] for key in ("category", "label", "cluster_size")): row
        for row in table.to_pylist()
    }
    assert found.keys() == kept.keys() | dropped.keys()
    for key, row in found.items():
        assert (row["num_kept"], row["num_dropped"] or 0) == (kept[key], dropped[key])
        assert (row["num_documents"], row["num_bytes"]) == (left[key], num_bytes[key])


def files_of(corpus):
    folders = (Path(corpus.root) / f for f in ("deduplicate", "temporary/deduplicate/sizes"))
    return {
        str(path.relative_to(corpus.root)): path.read_bytes()
        for folder in folders
        for path in folder.rglob("*.parquet")
    }


@pytest.mark.slow
def test_neither_the_order_of_units_nor_where_edges_are_joined_matters(make_corpus):
    corpus = corpus_of(make_corpus, make_rows(5), NEAR, num_units=4)
    deduplicate(corpus, NEAR)
    ordinals = ordinals_of(corpus)
    run(CountShadows(corpus.root, NEAR, 200), ordinals)
    found = files_of(corpus)
    assert len(found) > 8
    entries = read_records(corpus.root, "deduplicate")
    assert {e.path: e.num_bytes for e in entries} == {
        path: len(content) for path, content in found.items() if "sizes" not in path
    }
    run(CountShadows(corpus.root, NEAR, 200), ordinals[::-1])
    assert files_of(corpus) == found
    folder = f"{corpus.root}/temporary/deduplicate/edges"

    def engine(build):
        with beam.Pipeline(runner=FnApiRunner()) as pipeline:
            build(pipeline)

    run(WriteShadowEdges(corpus.root, NEAR, 200, f"{folder}/found"), ordinals)
    written = EdgeFiles.read(f"{folder}/found")
    connected = connect_distributed(engine, folder, written, partition_bytes=1_000)
    run(CountShadows(corpus.root, NEAR, 200, connected), ordinals)
    assert files_of(corpus) == found


def test_a_dropped_document_between_two_that_differ_removes_neither(make_corpus):
    draw = random.Random(4)
    words = [make_word(draw) for _ in range(32)]
    other = [make_word(draw) for _ in range(12)]
    first, last = " ".join([*words, *other[:1]]), " ".join([*words[12:], *other])
    between = " ".join([*words[5:], *other[:5], "x" * 60])
    options = Deduplicate(near=Near(**{**CERTAIN, "min_similarity": 0.55}))
    corpus = corpus_of(make_corpus, [("eng", t) for t in (first, last, between)], options)
    assert [u.num_dropped for u in corpus.index().units] == [0, 0, 1]
    assert deduplicate(corpus, options) == {}
    run(CountShadows(corpus.root, options, 10), ordinals_of(corpus))
    assert [(r["removed"], r["cluster_size"]) for r in removals(corpus).values()] == [
        (False, 3), (False, 3),
    ]  # fmt: skip


def test_a_document_kept_in_one_source_and_dropped_in_another(make_corpus):
    """Code may repeat its lines."""
    text = "\n".join(["the same line again"] * 5)
    corpus = make_corpus(
        [[("eng", text)], [("eng", text), ("eng", text)]],
        [{"category": "code", "priority": -(2**31) + 1}, {"priority": 5}],
    )
    assert deduplicate(corpus, Deduplicate()) == {}
    run(CountShadows(corpus.root, Deduplicate(), 3), ordinals_of(corpus))
    assert removals(corpus) == {
        0: {
            "row": 0, "removed": False, "reason": "exact_duplicate", "cluster": 0,
            "cluster_size": 3,
        }
    }  # fmt: skip
    sums = read_sizes(corpus.root).select(["category", "cluster_size", "num_kept", "num_dropped"])
    assert [tuple(row.values()) for row in sums.to_pylist()] == [
        ("code", 3, 1, None), ("monolingual", 3, 0, 2),
    ]  # fmt: skip


def test_what_other_corpora_have_stays_counted(make_corpus):
    text = " ".join(make_word(random.Random(7)) for _ in range(30))
    other = make_corpus([[("eng", text)]])
    other.complete("deduplicate")
    options = Deduplicate(against=[other.root])
    corpus = corpus_of(make_corpus, [("eng", text), ("eng", text)], options, num_units=1)
    run(RemoveDuplicates(corpus.root, options, {}), Corpora(corpus.root, [other.root]).ordinals())
    before = removals(corpus)
    assert [(row["removed"], row["cluster_size"]) for row in before.values()] == [(True, 3)] * 2
    run(CountShadows(corpus.root, options, 3), ordinals_of(corpus))
    assert removals(corpus) == before


def test_only_what_a_filter_judged_is_a_shadow(make_corpus):
    rows = [("eng", "x" * 300), ("xx-none", "words of no language"), ("eng", ""), ("eng", "1234")]
    corpus = corpus_of(make_corpus, rows, Deduplicate(), num_units=1)
    dropped = pa.Table.from_batches(corpus.index().dropped_batches(corpus.index().units[0]))
    assert dropped["drop_reason"].to_pylist() == [
        "too_long", "unknown_language_code", "empty", "no_letters",
    ]  # fmt: skip
    (ordinal,) = corpus.index().shadow_ordinals()
    ((batch, ids),) = Corpora(corpus.root).batches(ordinal, ["label"])
    assert (batch.num_rows, row_of(ids).tolist()) == (1, [0])
