"""Components: against networkx, in any order and any cut, both forms on Beam's engine."""

import itertools
import random as randoms
import tempfile

import apache_beam as beam
import networkx
import numpy as np
import pyarrow as pa
import pytest
from apache_beam import typehints
from apache_beam.pipeline import PipelineVisitor
from apache_beam.runners.portability.fn_api_runner import FnApiRunner
from apache_beam.testing.util import assert_that
from hypothesis import given, settings
from hypothesis import strategies as st

from glotmill.schemas.lock import doc_id
from glotmill.transforms import components as module
from glotmill.transforms import edge_files, exchange, stars
from glotmill.transforms.components import (
    EDGE,
    NODE,
    ONE_WORKER_EDGES,
    ConnectComponents,
    MergeForests,
    components,
    fits_one_worker,
    spanning_forest,
    to_nodes,
)
from glotmill.transforms.edge_files import EdgeFiles, WriteEdges, gather_columns, write_edges
from glotmill.transforms.stars import ReadStars, connect_distributed

# Few nodes and many edges, many nodes and few edges; nodes of several units.
NODES = st.integers(0, 8) | st.builds(doc_id, st.integers(0, 3), st.integers(0, 12))
GRAPHS = st.lists(st.tuples(NODES, NODES), max_size=40)
RANDOM = st.randoms(use_true_random=False)


def packed(pairs):
    return np.array(list(pairs), EDGE)


def by_networkx(pairs):
    """The root of each node that has a neighbour."""
    graph = networkx.Graph((a, b) for a, b in pairs if a != b)
    return {
        node: min(found) for found in networkx.connected_components(graph) for node in found
    }  # fmt: skip


def found_roots(pairs):
    nodes, roots = components(packed(pairs))
    assert nodes.dtype == roots.dtype == np.int64
    assert nodes.tolist() == sorted(nodes.tolist())
    return dict(zip(nodes.tolist(), roots.tolist(), strict=True))


def shuffled(pairs, random):
    """The same set of edges: other order and direction, some twice, and loops."""
    pairs = [pair[:: random.choice((1, -1))] for pair in pairs]
    pairs += random.choices(pairs, k=3) if pairs else []
    pairs += [(node, node) for node in (0, doc_id(9, 9))]
    random.shuffle(pairs)
    return pairs


def path(length, seed=None):
    nodes = list(range(length))
    if seed is not None:
        randoms.Random(seed).shuffle(nodes)
    return list(itertools.pairwise(nodes))


def grid(side):
    """Nodes in rows, numbered so that small and large lie side by side."""
    number = {place: n * 7919 % (side * side) for n, place in enumerate(np.ndindex(side, side))}
    right = [(number[r, c], number[r, c + 1]) for r in range(side) for c in range(side - 1)]
    return right + [(number[r, c], number[r + 1, c]) for r in range(side - 1) for c in range(side)]


def of_units(pairs, num_units):
    """The same graph with its nodes spread over units."""
    return [tuple(doc_id(n % num_units, n // num_units) for n in pair) for pair in pairs]


GIVEN = {
    "empty": [],
    "loops": [(3, 3), (4, 4)],
    "edge": [(7, 2)],
    "star of the smallest": [(0, n) for n in range(1, 300)],
    "star of the largest": [(299, n) for n in range(299)],
    "path": path(300),
    "shuffled path": path(300, seed=1),
    "grid": grid(17),
    "pairs": [(2 * n, 2 * n + 1) for n in range(150)],
    "cliques": [(8 * n + a, 8 * n + b) for n in range(20) for a in range(8) for b in range(a)],
}


@settings(max_examples=150)
@given(GRAPHS, RANDOM)
def test_components_are_those_of_networkx_for_any_order(pairs, random):
    expected = by_networkx(pairs)
    assert found_roots(pairs) == found_roots(shuffled(pairs, random)) == expected


@pytest.mark.parametrize("pairs", GIVEN.values(), ids=GIVEN.keys())
def test_components_of_known_shapes(pairs):
    assert found_roots(pairs) == by_networkx(pairs)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("num_edges", [500, 1_000, 5_000])
def test_components_of_larger_random_graphs(seed, num_edges):
    ends = np.random.default_rng(seed).integers(-1_000, 1_000, (num_edges, 2))
    nodes, roots = components(ends)
    assert dict(zip(nodes.tolist(), roots.tolist(), strict=True)) == by_networkx(ends.tolist())


@pytest.mark.parametrize("seed", [None, 1])
def test_a_long_path_takes_few_rounds(monkeypatch, seed):
    rounds = []
    monkeypatch.setattr(
        module, "_hook", lambda *graph, hook=module._hook: rounds.append(1) or hook(*graph)
    )
    nodes, roots = components(packed(path(100_000, seed)))
    assert nodes.tolist() == list(range(100_000))
    assert not roots.any()
    assert len(rounds) <= 17


def test_rounds_are_few_whatever_the_order():
    """Each contracts a tree to less than half: the bound that the docstring states."""
    for seed in range(20):
        pairs = packed(path(1_000, seed))
        places = np.unique(pairs.view(np.int64), return_inverse=True)[1].reshape(-1, 2)
        trees = module._hook(places[:, 0], places[:, 1], 1_000)
        assert len(np.unique(trees)) <= 500
        assert (trees <= np.arange(1_000)).all()


@given(GRAPHS, RANDOM)
def test_a_forest_keeps_components_and_is_its_own_forest(pairs, random):
    forest = spanning_forest(packed(pairs))
    assert forest.dtype == EDGE
    assert {int(b): int(a) for a, b in forest} == {
        node: root for node, root in by_networkx(pairs).items() if node != root
    }
    assert len(forest) == len(by_networkx(pairs)) - len(set(by_networkx(pairs).values()))
    assert spanning_forest(forest).tobytes() == forest.tobytes()
    assert spanning_forest(packed(shuffled(pairs, random))).tobytes() == forest.tobytes()


@given(GRAPHS)
def test_nodes_of_a_forest(pairs):
    nodes = to_nodes(spanning_forest(packed(pairs)))
    assert nodes.dtype == NODE
    assert nodes.tolist() == sorted(by_networkx(pairs).items())


@pytest.mark.parametrize("kind", ["records", "pairs", "slice", "columns", "int32"])
def test_edges_may_come_in_several_forms(kind):
    pairs = np.array([(7, 3), (1, 1), (5, 7), (2, 1)])
    edges = {
        "records": packed(map(tuple, pairs.tolist())),
        "pairs": pairs,
        "slice": np.repeat(packed(map(tuple, pairs.tolist())), 2)[::2],
        "columns": np.asfortranarray(pairs),
        "int32": pairs.astype(np.int32),
    }[kind]
    assert spanning_forest(edges).tolist() == [(1, 2), (3, 5), (3, 7)]


@settings(max_examples=100)
@given(st.lists(GRAPHS, max_size=6), st.sampled_from([0, 32, 100_000]), RANDOM)
def test_merging_in_any_bundles_and_any_tree(parts, buffer_bytes, random):
    combine = MergeForests()
    coder = combine.get_accumulator_coder()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "_BUFFER_BYTES", buffer_bytes)
        accumulators = [combine.create_accumulator() for _ in range(random.randint(1, 4))]
        for part in random.sample(parts, len(parts)):
            place = random.randrange(len(accumulators))
            edges = packed(part).tobytes()
            accumulators[place] = combine.add_input(accumulators[place], edges)
        while len(accumulators) > 1:
            random.shuffle(accumulators)
            taken = [accumulators.pop() for _ in range(min(len(accumulators), 2))]
            taken = [coder.decode(coder.encode(one)) if random.random() < 0.5 else one
                     for one in taken]  # fmt: skip
            accumulators.append(combine.merge_accumulators(taken))
        found = combine.extract_output(accumulators[0])
    assert found == spanning_forest(packed(itertools.chain(*parts))).tobytes()


@pytest.mark.parametrize(
    ("pairs", "num_stars"),
    [([(n % 50, n % 70) for n in range(10_000)], 60), (path(10_001, seed=1), 10_000)],
    ids=["few nodes", "many nodes"],
)
def test_an_accumulator_is_bounded_by_the_forest_and_folds_are_few(monkeypatch, pairs, num_stars):
    monkeypatch.setattr(module, "_BUFFER_BYTES", 1_000)
    folded = []
    forest = module.spanning_forest
    monkeypatch.setattr(
        module, "spanning_forest", lambda edges: folded.append(len(edges)) or forest(edges)
    )
    combine, accumulator = MergeForests(), module._Forest()
    for pair in pairs:
        accumulator = combine.add_input(accumulator, packed([pair]).tobytes())
    assert len(accumulator.fold()) == num_stars * EDGE.itemsize
    assert sum(folded) < 4 * len(pairs)
    assert max(folded) < 2 * num_stars + 1_000


def test_bytes_that_are_no_edges_are_refused():
    accumulator = MergeForests().add_input(module._Forest(), b"\0" * 17)
    with pytest.raises(ValueError, match="multiple of element size"):
        accumulator.fold()


def run(build):
    with beam.Pipeline(runner=FnApiRunner()) as pipeline:
        build(pipeline)


def pieces(pairs, num_pieces):
    return [packed(pairs[start::num_pieces]).tobytes() for start in range(num_pieces)]


def source(pipeline, inputs, kind):
    return pipeline | beam.Create(inputs, reshuffle=False).with_output_types(kind)


def expected_units(pairs):
    nodes = np.array(sorted(by_networkx(pairs).items()), NODE)
    return {
        int(unit): nodes[nodes["id"] >> 32 == unit].tobytes() for unit in set(nodes["id"] >> 32)
    }


def same_units(pairs):
    expected = sorted(expected_units(pairs).items())

    def check(actual):
        assert sorted(actual) == expected

    return check


@pytest.mark.parametrize(
    ("name", "num_pieces"),
    [("empty", 0), ("empty", 1), ("loops", 1), ("edge", 2), ("grid", 7), ("cliques", 3)],
)
def test_first_form_on_the_engine(name, num_pieces):
    pairs = of_units(GIVEN[name], 3)

    def build(pipeline):
        inputs = source(pipeline, pieces(pairs, num_pieces), bytes)
        assert_that(inputs | ConnectComponents(), same_units(pairs))

    run(build)


def files_of(folder, pairs, num_files=3):
    """Files as another stage would write them: edges in any order, loops and repeats."""
    written = []
    for part in range(num_files):
        rows = packed(pairs[part::num_files])
        chunk = (rows["a"].copy(), rows["b"].copy(), 0)
        written.append(write_edges(str(folder), [chunk])[:2])
    return EdgeFiles(tuple(path for path, _ in written), sum(count for _, count in written))


def slice_rows(patch, num_rows):
    """Lets batches have so many rows at most."""
    for each in (edge_files, stars):
        patch.setattr(each, "SLICE_ROWS", num_rows)


def exchanged(folder, batches):
    """What `ExchangeBatches` does, without an engine."""
    writer = exchange._WriteReferences(folder)
    writer.start_bundle()
    references = [ref for batch in batches for ref in writer.process(batch)]
    references += [windowed.value for windowed in writer.finish_bundle()]
    grouped = {}
    for partition, reference in references:
        grouped.setdefault(partition, []).append(reference)
    return grouped.items()


def connect_by_hand(folder, edges, num_partitions, num_bytes):
    """Rounds as `connect_distributed` runs them, without an engine; also their number."""
    for number in itertools.count(1):
        assert number < 60
        read = stars._ReadEdges(num_partitions, num_bytes)
        large = stars._LargeStar(num_partitions, num_bytes)
        small = stars._SmallStar(folder, num_bytes)
        sent = [batch for path in edges.paths for batch in read.process(path)]
        joined = [batch for part in exchanged(folder, sent) for batch in large.process(part)]
        written = [one for part in exchanged(folder, joined) for one in small.process(part)]
        num_edges = sum(count for _, count, _ in written)
        assert num_edges <= edges.num_edges
        edges = EdgeFiles(tuple(path for path, _, _ in written), num_edges)
        if not any(changed for _, _, changed in written):
            break
    nodes = stars._ReadNodes(num_partitions, num_bytes)
    sent = [batch for path in edges.paths for batch in nodes.process(path)]
    gather = stars._GatherNodes()
    units = [unit for part in exchanged(folder, sent) for unit in gather.process(part)]
    assert len(units) == len(dict(units))
    return dict(units), number


@settings(max_examples=40)
@given(GRAPHS, st.sampled_from([1, 2, 5]), st.sampled_from([1, 100, 10_000]), RANDOM)
def test_rounds_of_stars_end_in_the_same_records(pairs, num_partitions, num_bytes, random):
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        slice_rows(patch, 3)
        edges = files_of(folder, shuffled(pairs, random), num_files=2)
        found, _ = connect_by_hand(folder, edges, num_partitions, num_bytes)
    assert found == expected_units(pairs)


@pytest.mark.parametrize("name", GIVEN)
@pytest.mark.parametrize(("num_partitions", "num_bytes"), [(1, 64), (4, 64), (3, 2_000)])
def test_rounds_of_stars_of_known_shapes(tmp_path, monkeypatch, name, num_partitions, num_bytes):
    slice_rows(monkeypatch, 8)
    pairs = of_units(GIVEN[name], 3)
    edges = files_of(tmp_path, pairs)
    found, _ = connect_by_hand(str(tmp_path), edges, num_partitions, num_bytes)
    assert found == expected_units(pairs)


@pytest.fixture
def watched(monkeypatch):
    """Rows of each piece that a worker reads, and of each table of minima it keeps."""
    sizes, tables = [], []
    gather, add = gather_columns, stars._Minima.add

    def gather_watched(*arguments):
        for columns in gather(*arguments):
            sizes.append(len(columns[0]))
            yield columns

    def add_watched(self, keys, values):
        add(self, keys, values)
        tables.append(len(self._keys))

    for each in (edge_files, stars):
        monkeypatch.setattr(each, "gather_columns", gather_watched)
    monkeypatch.setattr(stars._Minima, "add", add_watched)
    return sizes, tables


@pytest.mark.parametrize("centre", [0, 30_000])
def test_a_worker_holds_a_piece_and_not_a_star(tmp_path, monkeypatch, watched, centre):
    slice_rows(monkeypatch, 50)
    monkeypatch.setattr(exchange, "_BUFFER_BYTES", 1_000)
    neighbours = np.arange(1, 20_001)
    node = np.full(20_000, centre)
    batches = stars._messages(node, neighbours, node < 0, np.zeros_like(node))
    ((_, references),) = exchanged(str(tmp_path), batches)
    if centre:
        joined = list(stars._small_star(references, 1_600))
        assert sum(changed for *_, changed in joined) == 19_999
        assert {int(root) for _, roots, _ in joined for root in roots} == {1}
        smaller = [int(n) for nodes, *_ in joined for n in nodes]
        assert sorted(smaller) == [*range(2, 20_001), centre]
    else:
        joined = list(stars._large_star(references, 1_600))
        assert sorted(int(n) for nodes, *_ in joined for n in nodes) == neighbours.tolist()
        assert not any(changed.any() or roots.any() for _, roots, changed in joined)
    sizes, tables = watched
    assert sum(sizes) == 2 * 20_000
    assert max(sizes) <= 100
    assert max(tables) == (1 if centre else 0)


@pytest.mark.parametrize("num_partitions", [2, 7, 64])
def test_partitions_are_of_about_the_same_size(num_partitions):
    rows = np.arange(100_000)
    for nodes in (rows, doc_id(3, 0) + rows, rows << 32, (rows // 100 << 32) + rows % 100):
        counts = np.bincount(stars._partition_of(nodes, num_partitions), minlength=num_partitions)
        assert len(counts) == num_partitions
        assert counts.max() < 1.2 * 100_000 / num_partitions


@pytest.mark.parametrize(
    ("name", "partition_bytes"), [("shuffled path", 1_000), ("empty", 10), ("edge", 1)]
)
def test_distributed_form_on_the_engine(tmp_path, monkeypatch, name, partition_bytes):
    monkeypatch.setattr(edge_files, "_FILE_BYTES", 3_000)
    pairs = of_units(GIVEN[name], 3)

    def write(pipeline):
        return source(pipeline, pieces(pairs, 4), bytes) | WriteEdges(str(tmp_path / "edges"))

    run(write)
    edges = EdgeFiles.read(str(tmp_path / "edges"))
    assert edges.num_edges >= len(by_networkx(pairs)) / 2
    rounds = []
    connected = connect_distributed(
        lambda build: rounds.append(1) or run(build),
        str(tmp_path / "rounds"),
        edges,
        partition_bytes=partition_bytes,
    )
    assert (len(rounds) > 2) == (name == "shuffled path")
    num_partitions = connected.num_partitions(partition_bytes)
    assert num_partitions == max(1, -(-connected.num_edges * 34 // partition_bytes))

    def read(pipeline):
        folder = str(tmp_path / "exchange")
        found = source(pipeline, connected.paths, str) | ReadStars(folder, num_partitions)
        assert_that(found, same_units(pairs))

    run(read)
    assert len(list((tmp_path / "rounds").glob("*"))) <= 1
    assert not list((tmp_path / "rounds").glob("*/exchange"))
    assert all((tmp_path / "edges").joinpath(path).exists() for path in edges.paths)


def test_a_long_path_takes_few_rounds_of_stars(tmp_path):
    edges = files_of(tmp_path, path(100_000, seed=1), num_files=1)
    found, num_rounds = connect_by_hand(str(tmp_path), edges, 4, 200_000)
    assert num_rounds <= 17
    nodes = np.frombuffer(found[0], NODE)
    assert nodes["id"].tolist() == list(range(100_000))
    assert not nodes["root"].any()


def test_without_edges_nothing_was_written(tmp_path):
    assert EdgeFiles.read(str(tmp_path / "none")) == EdgeFiles((), 0)
    assert EdgeFiles((), 0).num_partitions(1) == 1


def test_the_form_is_chosen_by_size():
    assert fits_one_worker(0)
    assert fits_one_worker(ONE_WORKER_EDGES)
    assert not fits_one_worker(ONE_WORKER_EDGES + 1)


class _Outputs(PipelineVisitor):
    def __init__(self):
        self.types = {}

    def visit_transform(self, node):
        for output in node.outputs.values():
            if isinstance(output, beam.PCollection):
                self.types[node.full_label] = output.element_type


@pytest.mark.parametrize("form", ["first", "files", "round", "stars"])
def test_no_element_is_any(form):
    pipeline = beam.Pipeline(runner=FnApiRunner())
    transform, kind = {
        "first": (ConnectComponents(), bytes),
        "files": (WriteEdges("folder"), bytes),
        "round": (stars.StarRound("folder", 2, 100), str),
        "stars": (ReadStars("folder", 2), str),
    }[form]
    _ = pipeline | beam.Create([], reshuffle=False).with_output_types(kind) | transform
    visitor = _Outputs()
    pipeline.visit(visitor)
    ours = {label: kind for label, kind in visitor.types.items() if not label.startswith("Create")}
    assert ours
    assert [label for label, kind in ours.items() if "Any" in str(kind)] == []
    assert typehints.Any not in ours.values()
    assert pa.RecordBatch in ours.values() or form in ("first", "files")
