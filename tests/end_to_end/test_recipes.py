"""Every recipe that is shipped runs, and every record of it is accounted for."""

import hashlib
import os
import subprocess
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path

import pyarrow.parquet as pq
import pytest
import yaml

from glotmill.schemas.lock import parse_lock
from glotmill.schemas.manifest import UnitRecord

RECIPES = Path(__file__).parents[2] / "recipes"
Glotmill = Callable[..., subprocess.CompletedProcess[str]]


def test_every_recipe_has_a_test() -> None:
    assert {path.name for path in RECIPES.glob("*.yaml")} == {
        "bitext.yaml",
        "udhr.yaml",
        "udhr-tokens.yaml",
        "larger.yaml",
    }


# Of the sample's shards, row by row. Where a change alters it on purpose, raise INGEST_VERSION or
# the VERSION of the stage, so that results of before are made anew, and write the new one here.
SAMPLE_DIGEST = "11e728482f7dc3f2c98bf3bfc5a444fc5e893578ac070569aab64c71abf6b69e"


def corpus_digest(shards: Path) -> str:
    """A digest of what stands where in the shards; unlike theirs, of no version of Parquet."""
    digest = hashlib.sha256()
    columns = ["content_hash", "label", "verdict", "copy", "num_words"]
    for path in sorted(shards.glob("*.parquet")):
        for row in pq.read_table(path, columns=columns).to_pylist():
            digest.update(repr(tuple(row.values())).encode())
    return digest.hexdigest()


def counts_by_source(root: Path) -> dict[str, dict[str, int]]:
    """Counts of the unit records, checked against the files they name."""
    counts: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    lock = parse_lock((root / "recipe.lock.yaml").read_bytes())
    for unit in lock.units:
        content = (root / "ingest" / "units" / f"{unit.key}.json").read_bytes()
        record = UnitRecord.model_validate_json(content)
        for table, count in (
            ("documents", record.num_kept),
            ("dropped", record.num_dropped),
            ("rejected", record.num_rejected),
        ):
            entry = record.file(table)
            rows = pq.read_metadata(root / entry.path).num_rows if entry else 0
            assert rows == count
            counts[record.source][table] += count
        counts[record.source]["read"] += record.num_read
    return counts


def assert_conserved(root: Path) -> dict[str, dict[str, int]]:
    counts = counts_by_source(root)
    for count in counts.values():
        assert count["read"] == count["documents"] + count["dropped"] + count["rejected"]
    return counts


@pytest.mark.slow
def test_init_and_run(glotmill: Glotmill, tmp_path: Path) -> None:
    assert glotmill("init", "first").returncode == 0
    done = glotmill("run", "first/recipe.yaml", "--out", "out")
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    assert "466 labels in 9 shards" in done.stdout
    assert assert_conserved(tmp_path / "out")["udhr"]["read"] == 16_295
    labels = set(pq.read_table(tmp_path / "out" / "mix" / "plan.parquet")["label"].to_pylist())
    assert len({label[:3] for label in labels}) >= 400
    assert len({label[4:] for label in labels}) >= 40
    assert corpus_digest(tmp_path / "out" / "shards") == SAMPLE_DIGEST
    report = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    assert "udhr-mini" in report
    assert glotmill("report", "out").stdout.strip() == "out/report.html"


@pytest.mark.data
def test_larger_data(glotmill: Glotmill, tmp_path: Path, data_folder: Path) -> None:
    done = glotmill(
        "run",
        RECIPES / "larger.yaml",
        "--out",
        "out",
        env={"GLOTMILL_DATA": str(data_folder.absolute())},
    )
    assert done.returncode == 0, done.stderr
    counts = assert_conserved(tmp_path / "out")
    sources = yaml.safe_load((RECIPES / "larger.yaml").read_text())["sources"]
    assert set(counts) == {source["name"] for source in sources}
    assert all(count["read"] for count in counts.values())
    assert counts["ntrex"]["read"] == 15_867
    assert counts["tatoeba"]["read"] == 241_738
    assert counts["messy-jsonl"]["rejected"] == 13
    assert os.path.getsize(tmp_path / "out" / "report.html") < 2_000_000
