"""Our stages in other people's pipelines: Beam code, and Beam YAML."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

import apache_beam as beam
import pyarrow as pa
import pytest
import xxhash
from apache_beam.testing.util import assert_that, equal_to
from apache_beam.transforms.window import GlobalWindows, SlidingWindows, TimestampedValue
from apache_beam.typehints.row_type import RowTypeConstraint
from apache_beam.typehints.schemas import named_fields_from_element_type

from glotmill.transforms.batches import Annotate
from glotmill.transforms.beam_yaml import (
    HashContent,
    IdentifyLanguage,
    MeasureText,
    NormaliseText,
    _texts,
    provider_file,
)
from glotmill.transforms.measure import MeasureText as Measure

SWAHILI = "Watu wote wamezaliwa huru, hadhi na haki zao ni sawa."
GERMAN = "Alle Menschen sind frei und gleich an Würde und Rechten geboren."

# The writer takes batches of rows, which Beam loses where a transform gives them late.
PIPELINE = """\
pipeline:
  type: chain
  transforms:
    - type: ReadFromJson
      config: {{path: {folder}/in.jsonl}}
    - type: IdentifyLanguage
      config: {{text: body, language: lang}}
    - type: Filter
      config: {{language: python, keep: "num_words >= 5"}}
    - type: HashContent
      config: {{text: body}}
    - type: MapToFields
      config:
        language: python
        append: true
        drop: [content_hash]
        fields:
          content_hash: {{expression: content_hash.hex(), output_type: string}}
    - type: NormaliseText
      config: {{text: body}}
    - type: WriteToJson
      config: {{path: {folder}/out.jsonl, num_shards: 1}}
providers:
  - include: {providers}
"""


ROW = RowTypeConstraint.from_fields([("id", int), ("text", str)])


def rows(*texts: str) -> list[beam.Row]:
    return [beam.Row(id=number, text=text) for number, text in enumerate(texts)]


def test_stages_follow_one_another_in_beam_code() -> None:
    def check(found: list[beam.Row]) -> None:
        by_id = {row.id: row for row in found}
        assert {row.id for row in found} == {0, 1, 2}
        assert by_id[0].text == "Watu wote wamezaliwa huru, hadhi na haki zao ni sawa."
        assert (by_id[0].changes > 0, by_id[2].changes) == (True, 0)
        assert by_id[0].script == by_id[1].script == "Latn"
        assert by_id[0].num_words == 10
        assert by_id[1].label == "deu_Latn"
        assert not hasattr(by_id[0], "original_code")
        assert by_id[0].content_hash == by_id[2].content_hash != by_id[1].content_hash

    with beam.Pipeline(runner="apache_beam.runners.portability.fn_api_runner.FnApiRunner") as p:
        found = (
            p
            | beam.Create(rows(SWAHILI.replace(" ", "  "), GERMAN, SWAHILI))
            | NormaliseText()
            | IdentifyLanguage()
            | HashContent()
        )
        names = [name for name, _ in named_fields_from_element_type(found.element_type)]
        assert names[:2] == ["id", "text"]
        assert {"changes", "script", "num_words", "label", "verdict", "content_hash"} <= set(names)
        assert_that(found, check)


def test_columns_that_are_not_there_are_named_when_the_pipeline_is_built() -> None:
    pipeline = beam.Pipeline()
    made = pipeline | beam.Create(rows("a"))
    with pytest.raises(ValueError, match="no column body; the rows have id, text"):
        made | MeasureText(text="body")
    measured = made | "once" >> MeasureText()
    with pytest.raises(ValueError, match=r"script, .* would be added; .*: rename it before"):
        measured | "twice" >> MeasureText()


class Message(NamedTuple):
    id: int
    body: str | None
    lang: str | None


ENGINE = "apache_beam.runners.portability.fn_api_runner.FnApiRunner"


@pytest.mark.parametrize("windowed", [False, True])
def test_rows_keep_their_time_and_their_window(windowed: bool) -> None:
    def seen(
        row: Any, time: Any = beam.DoFn.TimestampParam, window: Any = beam.DoFn.WindowParam
    ) -> Any:
        start = window.start.seconds() if windowed else None
        return row.id, row.text, time.seconds(), start

    with beam.Pipeline(runner=ENGINE) as pipeline:
        made = (
            pipeline
            | beam.Create(rows(*(f"text  {number}" for number in range(2_500))))
            | beam.Map(lambda row: TimestampedValue(row, row.id * 60)).with_output_types(ROW)
        )
        if windowed:
            made = made | beam.WindowInto(SlidingWindows(7_200, 3_600))
        found = made | NormaliseText() | beam.Map(seen)
        assert found.windowing == made.windowing
        expected = [
            (number, f"text {number}", number * 60, start)
            for number in range(2_500)
            for start in windows_of(number * 60, windowed)
        ]
        assert_that(found | "Global" >> beam.WindowInto(GlobalWindows()), equal_to(expected))


def windows_of(time: int, windowed: bool) -> list[int | None]:
    last = time // 3_600 * 3_600
    return [last, last - 3_600] if windowed else [None]


@pytest.mark.parametrize(
    ("transform", "row", "message"),
    [
        (
            HashContent("body"),
            Message(1, None, "de"),
            "column body holds null, and has to hold text",
        ),
        (NormaliseText("body"), Message(1, None, "de"), "column body holds null, and has to"),
        (MeasureText("body"), Message(1, "a\ud800b", "de"), "column body holds what is no Unicode"),
        (MeasureText("id"), Message(1, "a", "de"), "column id holds int64, and has to hold text"),
    ],
)
def test_what_is_no_text_is_named(transform: beam.PTransform, row: Message, message: str) -> None:
    with pytest.raises(Exception, match=message), beam.Pipeline(runner=ENGINE) as pipeline:
        _ = (
            pipeline
            | beam.Create([Message(0, GERMAN, "de"), row]).with_output_types(Message)
            | transform
        )


def test_values_of_an_unknown_type_are_looked_at() -> None:
    with pytest.raises(ValueError, match="column body holds 7, and has to hold text; leave out su"):
        _texts("body", ["a", 7], False)
    assert _texts("lang", ["de", None], True).to_pylist() == ["de", None]


def test_a_code_that_is_not_declared_may_be_null() -> None:
    made = [Message(1, GERMAN, "de"), Message(2, GERMAN, None)]
    with beam.Pipeline(runner=ENGINE) as pipeline:
        found = (
            pipeline
            | beam.Create(made).with_output_types(Message)
            | IdentifyLanguage("body", "lang")
            | beam.Map(lambda row: (row.id, row.verdict))
        )
        assert_that(found, equal_to([(1, "confirmed"), (2, "identified")]))


def test_record_batches_without_text_are_named() -> None:
    batch = pa.record_batch({"text": ["a", None]})
    message = "stage 'measure' reads 'text', which is null in 1 of 2 rows; leave out such rows"
    with pytest.raises(Exception, match=message), beam.Pipeline(runner=ENGINE) as pipeline:
        _ = pipeline | beam.Create([batch]).with_output_types(pa.RecordBatch) | Annotate(Measure())


@pytest.mark.slow
def test_a_pipeline_of_beam_yaml_runs_them(tmp_path: Path) -> None:
    pytest.importorskip("pandas", reason="Beam YAML is not installed")
    pytest.importorskip("docstring_parser", reason="Beam YAML is not installed")
    lines = [{"body": SWAHILI, "lang": "sw"}, {"body": "Bila", "lang": "sw"}]
    (tmp_path / "in.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    text = PIPELINE.format(folder=tmp_path, providers=provider_file())
    (tmp_path / "pipeline.yaml").write_text(text)
    subprocess.run(
        [sys.executable, "-m", "apache_beam.yaml.main",
         f"--yaml_pipeline_file={tmp_path}/pipeline.yaml",
         "--runner=apache_beam.runners.portability.fn_api_runner.FnApiRunner"],
        check=True, capture_output=True, timeout=200,
    )  # fmt: skip
    (written,) = tmp_path.glob("out.jsonl*")
    (row,) = [json.loads(line) for line in written.read_text().splitlines()]
    assert (row["body"], row["lang"], row["label"]) == (SWAHILI, "sw", "swa_Latn")
    assert (row["verdict"], row["num_words"]) == ("unsure", 10)
    assert row["content_hash"] == xxhash.xxh3_128_hexdigest(SWAHILI.encode())
