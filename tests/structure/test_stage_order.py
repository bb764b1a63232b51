"""A stage that reads what is not there yet is refused before any data is read."""

import pyarrow as pa
import pytest

from glotmill.schemas.recipe import Identify
from glotmill.schemas.tables import RECORDS
from glotmill.transforms.batches import Annotator, StageOrderError, chained_schema
from glotmill.transforms.identify import IdentifyLanguage
from glotmill.transforms.measure import MeasureText


def test_identification_needs_the_script() -> None:
    with pytest.raises(StageOrderError, match="stage 'identify' reads script, num_letters"):
        chained_schema(RECORDS, [IdentifyLanguage(Identify()), MeasureText()])


def test_schema_after_a_chain_has_every_added_column() -> None:
    chain: list[Annotator] = [MeasureText(), IdentifyLanguage(Identify())]
    schema = chained_schema(RECORDS, chain)
    added = [field for annotator in chain for field in annotator.adds]
    assert all(schema.field(field.name) == field for field in added)
    assert isinstance(schema, pa.Schema)
