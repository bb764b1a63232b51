"""Batches as elements: the coder, the order of stages, columns that are replaced in place."""

import apache_beam as beam
import pyarrow as pa
import pytest
from apache_beam import coders
from apache_beam.runners.portability.fn_api_runner import FnApiRunner
from apache_beam.testing.util import assert_that, equal_to
from hypothesis import given, settings
from hypothesis import strategies as st

from glotmill.schemas import recipe
from glotmill.schemas.tables import RECORDS
from glotmill.transforms.batches import (
    Annotate,
    Annotator,
    RecordBatchCoder,
    StageFaultError,
    StageOrderError,
    annotated,
    chained_schema,
    with_columns,
    with_fields,
)
from glotmill.transforms.decide import DecideDrops
from glotmill.transforms.identify import IdentifyLanguage
from glotmill.transforms.ingest import HashContent
from glotmill.transforms.measure import MeasureText
from glotmill.transforms.normalise import NormaliseText

COLUMNS = {
    "text": st.text(max_size=5), "label": st.none() | st.text(max_size=3),
    "n": st.none() | st.integers(-9, 9), "x": st.floats(width=32, allow_nan=False),
    "flag": st.none() | st.booleans(),
}  # fmt: skip
SCHEMA = pa.schema(
    [("text", pa.string()), ("label", pa.string()), ("n", pa.int64()), ("x", pa.float32()),
     ("flag", pa.bool_())]
)  # fmt: skip
ROWS = st.lists(st.fixed_dictionaries(COLUMNS), max_size=12)


@settings(deadline=None)
@given(ROWS, st.data())
def test_a_batch_or_a_slice_of_one_comes_back_from_its_bytes(rows, data):
    batch = pa.RecordBatch.from_pylist(rows, schema=SCHEMA)
    start = data.draw(st.integers(0, len(rows)))
    part = batch.slice(start, data.draw(st.integers(0, len(rows) - start)))
    coder = RecordBatchCoder()
    back = coder.decode(coder.encode(part))
    assert back.schema == SCHEMA
    assert back.equals(part)


def test_a_slice_does_not_drag_its_parent_along():
    batch = pa.record_batch({"text": ["x" * 1000] * 1000})
    coder = RecordBatchCoder()
    assert len(coder.encode(batch.slice(10, 1))) < 2_000 < len(coder.encode(batch))


def test_beam_knows_the_coder():
    assert isinstance(coders.registry.get_coder(pa.RecordBatch), RecordBatchCoder)


def stages():
    return [
        NormaliseText(recipe.Normalise()), MeasureText(),
        IdentifyLanguage(recipe.Identify(enabled=False)), HashContent(), DecideDrops([]),
    ]  # fmt: skip


@pytest.mark.parametrize("stage", stages(), ids=lambda stage: stage.name)
def test_stages_add_what_they_say_and_leave_rows_and_other_columns(stage):
    records = pa.RecordBatch.from_pylist(
        [{f.name: f"t{n}" if pa.types.is_string(f.type) else n for f in RECORDS} for n in range(3)],
        schema=RECORDS,
    )
    for before in stages():
        if before.name == stage.name:
            break
        records = before.annotate(records)
    assert isinstance(stage, Annotator)
    for batch in (records, records.slice(1, 1), records.slice(0, 0)):
        after = stage.annotate(batch)
        assert after.schema == with_fields(batch.schema, stage.adds)
        untouched = [
            name for name in batch.schema.names if name not in {f.name for f in stage.adds}
        ]
        assert after.select(untouched).equals(batch.select(untouched))


def test_the_order_of_stages_is_checked_before_data_is_read():
    assert "label" in chained_schema(RECORDS, stages()).names
    with pytest.raises(StageOrderError) as caught:
        chained_schema(RECORDS, [IdentifyLanguage(recipe.Identify()), MeasureText()])
    assert str(caught.value) == (
        "stage 'identify' reads script, num_letters, which no stage before it adds; there are "
        "text, source, path, offset, external_id, url, original_code"
    )


def test_columns_of_a_name_that_is_there_are_replaced_in_place():
    batch = pa.record_batch({"a": [1, 2], "b": ["x", "y"]})
    fields = [pa.field("a", pa.float64()), pa.field("c", pa.string())]
    after = with_columns(batch, fields, [pa.array([3, 4]), pa.array(["p", None])])
    assert after.schema == pa.schema([fields[0], batch.schema.field("b"), fields[1]])
    assert after.to_pydict() == {"a": [3.0, 4.0], "b": ["x", "y"], "c": ["p", None]}


class Careless:
    """A stage that adds `n`, and then does something to the batch."""

    name = "careless"
    reads = ("text",)

    def __init__(self, change, adds=(), nullable=True):
        self.change = change
        self.adds = [pa.field("n", pa.int32(), nullable=nullable), *adds]

    def setup(self):
        pass

    def annotate(self, batch):
        return self.change(batch.append_column("n", pa.array([1] * batch.num_rows, pa.int32())))


def replaced(name, array):
    return lambda batch: batch.set_column(batch.schema.get_field_index(name), name, array)


TEXT = pa.field("text", pa.string())


@pytest.mark.parametrize(
    ("stage", "message"),
    [
        (Careless(lambda batch: pa.table(batch)), "gave a Table back, not a RecordBatch"),
        (Careless(lambda batch: None), "gave a NoneType back, not a RecordBatch"),
        (Careless(lambda batch: batch.slice(1)), "gave 1 rows back for 2"),
        (Careless(lambda batch: batch.drop_columns(["n"])), "did not add its column 'n'"),
        (Careless(lambda batch: batch.drop_columns(["url"])), "lost the column 'url'"),
        (Careless(lambda batch: batch.append_column("n", batch["n"])),
         "gave the column 'n' 2 times"),
        (Careless(lambda batch: batch.append_column("m", batch["n"])),
         "gave the column 'm', which is not among its 'adds'"),
        (Careless(replaced("n", pa.array([1.0, 2.0]))), "added 'n' as another type than int32"),
        (Careless(replaced("offset", pa.array([1, 2], pa.int32()))),
         "gave back 'offset' as another type than int64"),
        (Careless(replaced("text", pa.array(["a", None])), [TEXT]), "left nulls in 'text'"),
        (Careless(replaced("n", pa.array([1, None], pa.int32())), nullable=False),
         "left nulls in 'n'"),
        (Careless(replaced("path", pa.array(["x", "y"]))), "changed 'path', or the order of rows"),
        (Careless(lambda batch: batch.take(pa.array([1, 0]))),
         "changed 'offset', or the order of rows"),
    ],
)  # fmt: skip
def test_a_stage_is_held_to_what_it_promises(stage, message):
    with pytest.raises(StageFaultError) as caught:
        annotated(stage, two_records())
    assert str(caught.value) == message


def two_records():
    return pa.RecordBatch.from_pylist(
        [{"text": "b", "source": "s", "path": "p", "offset": n} for n in range(2)], schema=RECORDS
    )


def test_order_and_nullability_of_columns_do_not_matter():
    def shuffled(batch):
        names = batch.schema.names[::-1]
        return pa.RecordBatch.from_arrays([batch[name] for name in names], names=names)

    stage = Careless(shuffled, nullable=False)
    after = annotated(stage, two_records())
    assert after.schema == with_fields(RECORDS, stage.adds)
    assert after.select(RECORDS.names).equals(two_records())


def rows_of(batch):
    return batch.to_pylist()


def test_annotate_on_the_engine():
    batches = [pa.record_batch({"text": [f"a  {n}", "漢字"]}) for n in range(5)]
    stage = MeasureText()
    expected = [row for batch in batches for row in stage.annotate(batch).to_pylist()]
    with beam.Pipeline(runner=FnApiRunner()) as pipeline:
        found = (
            pipeline
            | beam.Create(batches, reshuffle=False).with_output_types(pa.RecordBatch)
            | Annotate(stage)
            | beam.FlatMap(rows_of)
        )
        assert_that(found, equal_to(expected))
