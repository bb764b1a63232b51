"""Fit: two looks over units cut in any way give the rates of all documents at once."""

from collections import defaultdict

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from glotmill.schemas.lock import Lock, Unit
from glotmill.schemas.manifest import UnitRecord
from glotmill.schemas.recipe import Recipe
from glotmill.schemas.tables import DRAWABLES, RATES, REHYDRATION
from glotmill.transforms.draws import DRAWS
from glotmill.transforms.each_unit import do_directly
from glotmill.transforms.exact_rates import Documents, Target, exact_rate, num_copies
from glotmill.transforms.fit import (
    RATES_PATH,
    WriteEvents,
    WriteHistograms,
    documents_of,
    domains_of_one_rate,
    histograms,
    read_brackets,
    read_look,
    settled_rates,
    write_brackets,
)
from glotmill.transforms.plan import PLAN_PATH
from glotmill.transforms.realised import PATH as REALISED_PATH
from glotmill.transforms.rehydrate import PATH as REHYDRATION_PATH
from glotmill.transforms.rehydrate import Weights, read_weights
from glotmill.transforms.tables import read_table, write_table
from glotmill.transforms.unit_index import UnitIndex, write_index

COLUMN = "num_words"
WEIGHTS = [
    {"label": "", "cluster_size": 2, "weight": 3.0},
    {"label": "", "cluster_size": 5, "weight": 0.5},
    {"label": "b", "cluster_size": 1, "weight": 0.0},
    {"label": "b", "cluster_size": 3, "weight": 3.7},
]
# The categories and domains of the units that documents are dealt to.
KINDS = [("book", ""), ("book", "news"), ("code", "")]
DOCUMENTS = st.lists(
    st.fixed_dictionaries(
        {
            "kind": st.integers(0, len(KINDS) - 1),
            "label": st.sampled_from(["a", "b", "c"]),
            # Few values too, as equal texts have equal draws.
            "draw": st.integers(0, DRAWS - 1) | st.sampled_from([0, 1, DRAWS // 2, DRAWS - 1]),
            "held_out": st.sampled_from([False, False, False, True]),
            "cluster_size": st.sampled_from([1, 2, 3, 7]),
            COLUMN: st.integers(0, 60),
        }
    ),
    max_size=60,
)
GROUPS_OF_A = [(category, "a", domain) for category, domain in KINDS]
CAPS = st.sampled_from([np.inf, 1.0, 2.5, 7.0])
TARGETS = st.dictionaries(
    st.tuples(st.sampled_from(KINDS), st.sampled_from(["a", "b", "c", "d"])),
    st.builds(Target, st.floats(0, 3_000), CAPS),
    max_size=9,
)


def group_of(row):
    category, domain = KINDS[row["kind"]]
    return category, row["label"], domain


def write_units(root, rows, num_units):
    """Composed units of documents that are dealt out; gives their number."""
    units = [
        (KINDS[kind], [row for row in rows if row["kind"] == kind][n::num_units])
        for kind in range(len(KINDS))
        for n in range(num_units)
    ]
    sources = [
        {"name": f"s{n}", "path": "-", "category": category, "domain": domain or None}
        for n, ((category, domain), _) in enumerate(units)
    ]
    recipe = Recipe.model_validate({"glotmill": 1, "name": "t", "sources": sources})
    locked = [Unit(key=f"u{n}", source=f"s{n}", num_bytes=1, slices=()) for n in range(len(units))]
    lock = Lock(glotmill="0", recipe=recipe, inputs=(), units=tuple(locked))
    write_index(root, lock, [record_of(unit) for unit in locked])
    for n, (_, own) in enumerate(units):
        filler = {f.name: 0 for f in DRAWABLES} | {"content_hash": bytes(16), "again": False}
        made = [
            {name: value for name, value in {**filler, **row}.items() if name in DRAWABLES.names}
            for row in own
        ]
        table = pa.Table.from_pylist(made, schema=DRAWABLES)
        write_table(root, f"compose/drawables/u{n}.parquet", table)
    return len(units)


def record_of(unit):
    zeros = ("num_read", "num_kept", "num_dropped", "num_rejected", "num_input_bytes")
    return UnitRecord(
        key=unit.key, source=unit.source, num_text_bytes=0, files=(), profile={},
        **dict.fromkeys(zeros, 0),
    )  # fmt: skip


def fitted(root, num_units, targets):
    """Rates and amounts by the two looks, as the stage makes them, each domain at its own rate."""
    write_table(root, RATES_PATH, pa.Table.from_pylist(
        [
            {"category": category, "label": label, "domain": domain, "available": 0,
             "target": target.amount, "rate": float(number)}
            for number, ((category, label, domain), target) in enumerate(targets.items())
        ],
        schema=RATES,
    ))  # fmt: skip
    do_directly(WriteHistograms(root, COLUMN), range(num_units))
    found = histograms(read_look(root, "histogram"))
    write_brackets(root, targets, found)
    do_directly(WriteEvents(root, COLUMN), reversed(range(num_units)))
    return settled_rates(targets, found, read_look(root, "events"))


def at_once(rows, targets, weights):
    """The same of all documents of each group together."""
    of_group = defaultdict(list)
    for row in rows:
        if not row["held_out"]:
            of_group[group_of(row)].append(row)

    def exact(group, *, at_least_one):
        some = documents(of_group[group], weights)
        return exact_rate([some], targets[group], at_least_one=at_least_one)

    found = {group: exact(group, at_least_one=False) for group in targets}
    for label in {group[:2] for group in targets}:
        own = [group for group in sorted(targets) if group[:2] == label]
        firsts = {group: exact(group, at_least_one=True) for group in own}
        firsts = {group: first for group, first in firsts.items() if first[1]}
        if firsts and not any(found[group][1] for group in own):
            nearest = min(firsts, key=lambda group: firsts[group][1] / targets[group].amount)
            found[nearest] = firsts[nearest]
    return found


def documents(rows, weights):
    return Documents(
        np.array([row["draw"] for row in rows], np.int64) / DRAWS,
        np.array([weights.of(row["label"], row["cluster_size"]) for row in rows], float),
        np.array([row[COLUMN] for row in rows], np.int64),
    )


@settings(max_examples=30)
@given(DOCUMENTS, TARGETS, st.integers(1, 4), st.booleans())
def test_units_cut_in_any_way_give_the_rates_of_all_documents_at_once(
    tmp_path_factory, rows, targets, num_units, weighted
):
    root = str(tmp_path_factory.mktemp("fit"))
    targets = {(category, label, domain): t for ((category, domain), label), t in targets.items()}
    if weighted:
        table = pa.Table.from_pylist(WEIGHTS, schema=REHYDRATION)
        write_table(root, REHYDRATION_PATH, table)
    found = fitted(root, write_units(root, rows, num_units), targets)
    assert found == at_once(rows, targets, read_weights(root))


def test_what_is_drawn_at_the_rates_is_what_they_say(tmp_path):
    """Weights by size of cluster, domains and caps of epochs together, on many documents."""
    root, random = str(tmp_path), np.random.RandomState(5)
    rows = [
        {
            "kind": int(random.randint(len(KINDS))),
            "label": "abc"[random.randint(3)],
            "draw": int(random.randint(0, DRAWS, dtype=np.int64)),
            "held_out": bool(random.random_sample() < 0.1),
            "cluster_size": int(random.choice([1, 1, 1, 2, 5])),
            COLUMN: int(random.randint(1, 90)),
        }
        for _ in range(4_000)
    ]
    write_table(root, REHYDRATION_PATH, pa.Table.from_pylist(WEIGHTS, schema=REHYDRATION))
    weights = read_weights(root)
    groups = sorted({group_of(row) for row in rows})
    targets = {group: Target(2_000.5 * n, 6.0) for n, group in enumerate(groups, 1)}
    found = fitted(root, write_units(root, rows, 5), targets)
    assert found == at_once(rows, targets, weights)
    capped = 0
    for group, (rate, drawn) in found.items():
        own = [row for row in rows if group_of(row) == group and not row["held_out"]]
        some = documents(own, weights)
        assert drawn == some.drawn(rate, 6.0)
        assert num_copies(some.draws, some.weights, rate, 6.0).max() <= 6
        if drawn < targets[group].amount - 45:
            capped += 1
            assert drawn == some.drawn(1e9, 6.0)
        else:
            assert abs(drawn - targets[group].amount) <= 45
    assert capped < len(found)


def test_groups_without_documents_and_documents_without_a_target(tmp_path):
    root = str(tmp_path)
    row = {"draw": 5, "held_out": False, "cluster_size": 1, COLUMN: 10}
    rows = [{**row, "kind": 0, "label": "a"}, {**row, "kind": 2, "label": "a", "held_out": True}]
    targets = {
        ("book", "b", ""): Target(50.0),  # no documents
        ("code", "a", ""): Target(50.0),  # none that is not held out
        ("book", "c", "news"): Target(0.0),
    }
    found = fitted(root, write_units(root, rows, 1), targets)
    assert found == dict.fromkeys(targets, (0.0, 0))
    assert read_brackets(root) == {}


def label_of_two_domains(root, targets):
    """What is drawn of one long document of no domain, and of ten short ones of news."""
    row = {"label": "a", "held_out": False, "cluster_size": 1}
    long = {**row, "kind": 0, "draw": 0, COLUMN: 100}
    short = [{**row, "kind": 1, "draw": n * (DRAWS // 10), COLUMN: 10} for n in range(10)]
    wanted = dict(
        zip((("book", "a", ""), ("book", "a", "news")), map(Target, targets), strict=True)
    )
    found = fitted(root, write_units(root, [long, *short], 1), wanted)
    return tuple(found[group][1] for group in wanted)


@pytest.mark.parametrize(
    ("targets", "drawn"),
    [
        ((7.0, 31.0), (0, 30)),  # the long document is far from its target
        ((49.0, 4.0), (100, 0)),  # nothing is nearer to both: the nearer one keeps the label
        ((3.0, 4.0), (0, 10)),
        ((0.0, 0.001), (0, 10)),
        ((51.0, 6.0), (100, 10)),
    ],
)
def test_a_first_document_is_drawn_of_a_label_and_not_of_each_domain(tmp_path, targets, drawn):
    assert label_of_two_domains(str(tmp_path), targets) == drawn


@settings(max_examples=30)
@given(DOCUMENTS, st.lists(st.floats(0.01, 100), min_size=3, max_size=3), st.floats(1, 4))
def test_larger_targets_draw_what_smaller_ones_draw_of_all_domains(rows, shares, factor):
    wanted = dict(zip(GROUPS_OF_A, shares, strict=True))
    own = [{**row, "label": "a"} for row in rows]
    small, large = (
        at_once(own, {group: Target(each * t) for group, t in wanted.items()}, Weights({}))
        for each in (1.0, factor)
    )
    assert all(small[group][0] <= large[group][0] for group in wanted)


def test_without_units_nothing_is_drawn(tmp_path):
    assert list(read_look(str(tmp_path), "histogram")) == []
    assert settled_rates({("book", "a", ""): Target(5.0)}, {}, []) == {("book", "a", ""): (0.0, 0)}


def test_documents_of_a_unit_by_group(tmp_path):
    root = str(tmp_path)
    row = {"kind": 1, "label": "a", "held_out": False, "cluster_size": 2}
    rows = [
        {**row, "draw": DRAWS // 4, COLUMN: 3},
        {**row, "draw": DRAWS // 2, COLUMN: 5, "held_out": True},
        {**row, "draw": DRAWS // 2, COLUMN: 7, "label": "b"},
        {**row, "draw": 3 * (DRAWS // 4), COLUMN: 9, "cluster_size": 1},
    ]
    write_units(root, rows, 1)
    unit = UnitIndex(root).units[1]
    found = documents_of(root, unit, COLUMN, Weights({"a": {2: 4.0}}))
    assert list(found) == [("book", "a", "news"), ("book", "b", "news")]
    first = found["book", "a", "news"]
    assert first.draws.tolist() == [0.25, 0.75]
    assert first.weights.tolist() == [4.0, 1.0]
    assert first.amounts.tolist() == [3, 9]


def test_a_domain_at_its_cap_is_not_lifted_above_it_by_chance(make_corpus):
    units = [[("eng", f"word{unit}x{n} " * 20) for n in range(300)] for unit in range(2)]
    corpus = make_corpus(
        units, [{"domain": "news"}, {"domain": "religious"}],
        mix={
            "tiers": "uniform", "strategy": "unimax", "budget": 4_000.0,
            "domain_caps": {"religious": 0.5}, "validation": {"share": 0.0},
        },
    )  # fmt: skip
    corpus.mix()
    rates = read_table(f"{corpus.root}/{RATES_PATH}").to_pylist()
    assert [(row["domain"], row["max_share"], row["target"]) for row in rates] == [
        ("news", None, 2_000.0),
        ("religious", 0.5, 2_000.0),
    ]
    assert all(abs(row["realised"] - 2_000) <= 20 for row in rates), rates


def test_domains_far_from_their_caps_share_a_rate():
    rows = [
        {"category": "book", "label": "a", "domain": domain, "available": 100, "target": target,
         "max_epochs": None, "max_share": cap, "rate": target / 100}
        for domain, target, cap in (("", 50.0, None), ("b", 50.0, 0.9), ("c", 50.0, 0.5))
    ]  # fmt: skip
    shared = domains_of_one_rate(pa.Table.from_pylist(rows, schema=RATES))
    assert shared == {("book", "a", ""), ("book", "a", "b")}


def random_corpus(make_corpus, seed, tokenizer):
    """Documents of three labels, two domains and two categories, some of them several times."""
    random = np.random.RandomState(seed)

    def texts(name, count):
        sizes = random.randint(1, 30, count)
        return [" ".join(f"{name}{n}x{place}" for place in range(s)) for n, s in enumerate(sizes)]

    units, codes = [], ("eng", "swh", "fra")
    for unit in range(3):
        rows = [
            (code, text)
            for code in codes
            for text in texts(f"{unit}{code}", int(random.randint(20, 120)))
        ]
        rows += [rows[place] for place in random.randint(0, len(rows), 60)]
        units.append([rows[place] for place in random.permutation(len(rows))])
    corpus = make_corpus(
        units, [{"domain": "news"}, {"domain": "legal"}, {"category": "book"}],
        mix={
            "count_by": "tokens", "strategy": "temperature", "alpha": 0.5,
            "tiers": "uniform", "budget": float(random.randint(20_000, 60_000)),
            "max_epochs": {"default": 5, "labels": {"swh_Latn": 3.5}},
            "domain_caps": {"legal": 0.3},
            "rehydrate": {"table": {1: 1, 2: 2.5}},
            "on_infeasible": "relax",
            "validation": {"share": 0.05},
        },
        output={"parquet": {"shards": 2}, "tokens": {"tokenizer": tokenizer}},
    )  # fmt: skip
    corpus.mix()
    return corpus


def assert_realised(corpus):
    """What rates, plan and shards say of what was drawn is the same, and as it was planned."""
    sums, largest = defaultdict(int), defaultdict(int)
    for table in corpus.rows("train"):
        for row in table.to_pylist():
            group = (row["category"], row["label"], row["domain"] or "")
            sums[group] += row["num_tokens"]
            largest[group[:2]] = max(largest[group[:2]], row["num_tokens"])
            assert row["copy"] < 5
    rates = read_table(f"{corpus.root}/{RATES_PATH}").to_pylist()
    shared = domains_of_one_rate(read_table(f"{corpus.root}/{RATES_PATH}"))
    by_label = defaultdict(int)
    for row in rates:
        group = (row["category"], row["label"], row["domain"])
        assert row["realised"] == sums.pop(group, 0), group
        by_label[group[:2]] += row["realised"]
        if group not in shared:  # domains of one rate meet their target together
            assert abs(row["realised"] - row["target"]) <= largest[group[:2]], row
    assert not sums
    plan = read_table(f"{corpus.root}/{PLAN_PATH}").to_pylist()
    found = {(r["category"], r["label"]): r
             for r in read_table(f"{corpus.root}/{REALISED_PATH}").to_pylist()}  # fmt: skip
    for row in plan:
        group = (row["category"], row["label"])
        drawn, planned = found[group]["realised_count"], row["planned_count"]
        assert drawn == by_label[group]
        assert found[group]["planned_count"] == planned
        assert abs(drawn - planned) <= max(0.005 * planned, largest[group]), row
    return sum(by_label.values())


def test_what_is_realised_is_what_is_in_the_shards(make_corpus, tokenizer_file):
    assert assert_realised(random_corpus(make_corpus, 0, tokenizer_file())) > 10_000


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(1, 13))
def test_random_corpora_are_drawn_as_planned(make_corpus, tokenizer_file, seed):
    assert_realised(random_corpus(make_corpus, seed, tokenizer_file()))


@pytest.mark.slow
@pytest.mark.parametrize("caps", [{}, {"d3": 0.04}])
def test_a_label_of_many_domains_meets_its_target_too(make_corpus, caps):
    """Domains that no cap sets apart are drawn at one rate."""
    units = [[("eng", f"{'word ' * 59}{domain}x{n}") for n in range(12)] for domain in range(20)]
    sources = [{"domain": f"d{domain}"} for domain in range(20)]
    mix = {"strategy": "temperature", "budget": 2_000, "domain_caps": caps, "tiers": "uniform"}
    loose = {"max_repeated_ngram_share": 1, "min_characters": 0}
    corpus = make_corpus(
        units, sources, mix=mix | {"validation": {"share": 0}}, filters=loose,
        output={"parquet": {"shards": 2}},
    )  # fmt: skip
    corpus.mix()
    rates = read_table(f"{corpus.root}/{RATES_PATH}").to_pylist()
    drawn = sum(row["realised"] for row in rates)
    assert drawn == sum(sum(table["num_words"].to_pylist()) for table in corpus.rows("train"))
    if caps:
        assert len({row["rate"] for row in rates}) > 1
    else:
        assert len({row["rate"] for row in rates}) == 1
        assert abs(drawn - 2_000) <= 60
