"""Our stages in other people's pipelines: Beam code, and Beam YAML."""

import json
import subprocess
import sys
from pathlib import Path

import apache_beam as beam
import pytest
from apache_beam.testing.util import assert_that
from apache_beam.typehints.schemas import named_fields_from_element_type

from glotmill.transforms.beam_yaml import (
    HashContent,
    IdentifyLanguage,
    MeasureText,
    NormaliseText,
    provider_file,
)

SWAHILI = "Watu wote wamezaliwa huru, hadhi na haki zao ni sawa."
GERMAN = "Alle Menschen sind frei und gleich an Würde und Rechten geboren."

PIPELINE = """\
pipeline:
  type: chain
  transforms:
    - type: ReadFromJson
      config: {{path: {folder}/in.jsonl}}
    - type: NormaliseText
      config: {{text: body}}
    - type: IdentifyLanguage
      config: {{text: body, language: lang}}
    - type: Filter
      config: {{language: python, keep: "num_words >= 5"}}
    - type: WriteToJson
      config: {{path: {folder}/out.jsonl, num_shards: 1}}
providers:
  - include: {providers}
"""


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
