"""glotmill itself: its recipe for the comparison, its clusters, and what they cost.

Identification and filters are off, so that every document reaches deduplication. The rest of a run
(normalising, scripts, mixing, shards, report) cannot be left out.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

NGRAM = 5
RECIPE = """\
glotmill: 1
name: near-benchmark
sources:
  - {{name: corpus, path: "{corpus}/part-*.jsonl.zst", format: jsonl, id: id,
      language: {{column: lang}}}}
script: {{min_share: 0}}
identify: {{enabled: false}}
filters: {{min_characters: 0, max_repeated_line_share: 1.0, max_repeated_ngram_share: 1.0}}
deduplicate:
  exact: true
  scope: {scope}
{near}
"""
NEAR = """\
  near: {{ngram: {ngram}, bands: {bands}, rows: {rows}, verify: {verify}}}
"""


def recipe(corpus: Path, scope: str, banding: tuple[int, int] | None, verify: str) -> str:
    """Return a recipe; without a banding near duplicates are not looked for."""
    near = ""
    if banding is not None:
        bands, rows = banding
        near = NEAR.format(ngram=NGRAM, bands=bands, rows=rows, verify=verify)
    return RECIPE.format(corpus=corpus.absolute(), scope=scope, near=near).rstrip() + "\n"


def command(recipe_path: Path, out: Path) -> list[str]:
    """Return the command that runs a recipe with one worker."""
    program = Path(sys.executable).with_name("glotmill")
    return [str(program), "run", str(recipe_path), "--out", str(out), "--workers", "1"]


def near_cpu(root: Path) -> float | None:
    """Return the CPU seconds that near duplicates alone cost, where the run has written them.

    That is the step `sketch` of ingest, and the whole of the stage that removes duplicates.
    """
    units = [
        json.loads(path.read_text()) for path in sorted((root / "ingest/units").glob("*.json"))
    ]
    sketch = [unit["profile"]["sketch"] for unit in units if "sketch" in unit["profile"]]
    stage = list(cpu_seconds_in(root / "deduplicate"))
    return sum(sketch) + sum(stage) if sketch and stage else None


def cpu_seconds_in(folder: Path) -> Iterator[float]:
    """Yield every `cpu_seconds` in the JSON files that a stage has left."""

    def search(value: object) -> Iterator[float]:
        if isinstance(value, dict):
            for name, item in value.items():
                if name == "cpu_seconds" and isinstance(item, int | float):
                    yield float(item)
                else:
                    yield from search(item)

    for path in sorted(folder.rglob("*.json")):
        yield from search(json.loads(path.read_text()))


def clusters(corpus: Path, root: Path) -> Any:
    """Return row, cluster and judged of each document that a run of glotmill kept or removed.

    A removal names its cluster by the document that stays; where that one is itself in another
    cluster, the two are one. Documents of fewer words than a shingle, in scripts without spaces of
    fewer letters, were not compared.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    from glotmill.schemas.lock import doc_id

    ids = pq.read_table(corpus / "truth.parquet", columns=["id"]).column("id").to_pylist()
    places = {key: place for place, key in enumerate(ids)}
    rows: dict[int, int] = {}
    parent: dict[int, int] = {}
    judged: list[bool] = []
    for ordinal, unit in enumerate(pq.read_table(root / "units.parquet").to_pylist()):
        if not unit["documents"]:
            continue
        names = ["external_id", "num_words"]
        documents = pq.read_table(root / unit["documents"], columns=names)
        judged += (words >= NGRAM for words in documents.column("num_words").to_pylist())
        for row, key in enumerate(documents.column("external_id").to_pylist()):
            rows[doc_id(ordinal, row)] = places[key]
        removals = root / "deduplicate" / "removals" / f"{unit['key']}.parquet"
        if removals.exists():
            table = pq.read_table(removals, columns=["row", "cluster"])
            for row, cluster in zip(*(column.to_pylist() for column in table.columns), strict=True):
                parent[doc_id(ordinal, row)] = cluster

    def find(item: int) -> int:
        while (above := parent.get(item, item)) != item:
            item = above
        return item

    return pa.table(
        {
            "row": pa.array(rows.values(), pa.int64()),
            "cluster": pa.array((find(item) for item in rows), pa.int64()),
            "judged": pa.array(judged, pa.bool_()),
        }
    )
