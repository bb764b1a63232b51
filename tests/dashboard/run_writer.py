"""Writes output directories as the stages leave them, with whatever numbers are wanted."""

import numpy as np
import pyarrow as pa

from glotmill.schemas.lock import Input, Lock, Unit, UnitSlice, dump_lock
from glotmill.schemas.manifest import MANIFEST, SUCCESS, Manifest, dump_manifest
from glotmill.schemas.recipe import Recipe
from glotmill.schemas.tables import DIRECTIONS, PLAN, REJECTED, STATISTICS, STATISTICS_KEYS
from glotmill.transforms import storage
from glotmill.transforms.sketches import LabelSketches, sketches_table
from glotmill.transforms.statistics import merge
from glotmill.transforms.tables import write_table

NO_COUNTS = {name: 0 for name in STATISTICS.names if name.startswith("num_")}


def counts(documents, num_bytes, words):
    return {
        **NO_COUNTS, "num_documents": documents, "num_bytes": num_bytes, "num_words": words
    }  # fmt: skip


def row(stage, outcome, reason, source, label, amount):
    """One row of statistics; the script is that of the label."""
    keys = dict.fromkeys(STATISTICS_KEYS, "")
    keys |= {"stage": stage, "outcome": outcome, "reason": reason, "source": source}
    return {**keys, "label": label, "script": label.partition("_")[2], **counts(*amount)}


def planned(category, label, tier, rate, amount, planned_count):
    return {
        "category": category, "label": label, "tier": tier, **counts(*amount),
        "num_validation_documents": 0, "validation_threshold": -1,
        "rate": rate, "weight": 1.0, "planned_count": planned_count,
    }  # fmt: skip


class RunWriter:
    """Writes the files of a finished run, and the manifests that list them."""

    def __init__(self, root, recipe):
        self.root = str(root)
        self.recipe = Recipe.model_validate(recipe)
        self.units = {source.name: f"{i:032x}" for i, source in enumerate(self.recipe.sources)}
        self.files = {"ingest": [], "deduplicate": [], "mix": []}

    def table(self, stage, path, table):
        self.files[stage].append(write_table(self.root, path, table))

    def rows(self, stage, path, num_rows):
        self.table(stage, path, pa.table({"row": range(num_rows)}))

    def excerpt(self, stage, path, table, num_rows):
        """Writes a few rows of a file, and lists it as one of many."""
        entry = write_table(self.root, path, table)
        self.files[stage].append(entry.model_copy(update={"num_rows": num_rows}))

    def statistics(self, stage, rows):
        """Splits the rows into a file a source, as units would."""
        for source, key in self.units.items():
            of_source = [each for each in rows if each["source"] == source]
            if of_source:
                table = merge([pa.Table.from_pylist(of_source, STATISTICS)])
                self.table(stage, f"{stage}/statistics/{key}.parquet", table)

    def directions(self, rows):
        """Splits the rows into files of units and of shards."""
        for number, outcome in enumerate(("available", "train", "validation")):
            some = [each for each in rows if each["outcome"] == outcome]
            table = pa.Table.from_pylist(some, DIRECTIONS)
            self.table("mix", f"mix/directions/{outcome}-{number}.parquet", table)

    def sketches(self, source, sketches):
        """Writes sketches by label."""
        path = f"ingest/sketches/{self.units[source]}.parquet"
        self.table("ingest", path, sketches_table(sketches))

    def rejected(self, source, rows):
        table = pa.Table.from_pylist([{"source": source, **each} for each in rows], REJECTED)
        self.table("ingest", f"ingest/rejected/{self.units[source]}.parquet", table)

    def dropped(self, source, rows):
        names = ("drop_reason", "label", "source", "path", "offset", "text")
        table = pa.Table.from_pylist([{"source": source, **each} for each in rows])
        path = f"ingest/dropped/{self.units[source]}.parquet"
        self.table("ingest", path, table.select(names))

    def finish(self, plan, totals):
        self.table("mix", "mix/plan.parquet", pa.Table.from_pylist(plan, PLAN))
        for stage, files in self.files.items():
            manifest = Manifest(
                stage=stage, key=f"key-of-{stage}", glotmill="0.1.0", files=tuple(files),
                counts=totals.get(stage, {}),
            )  # fmt: skip
            storage.write_atomically(f"{self.root}/{stage}/{MANIFEST}", dump_manifest(manifest))
            storage.write_atomically(f"{self.root}/{stage}/{SUCCESS}", b"")
        storage.write_atomically(f"{self.root}/recipe.lock.yaml", dump_lock(self._lock()))
        return self.root

    def _lock(self):
        inputs, units = [], []
        for source, key in self.units.items():
            name = f"data/{source}.jsonl"
            file = {"path": f"/somewhere/{name}", "name": name, "format": "jsonl"}
            inputs.append(Input(source=source, size=1000, checksum=f"xxh3:{key}", **file))
            part = UnitSlice(**file, checksum=f"xxh3:{key}", start=0, end=1000)
            units.append(Unit(key=key, source=source, num_bytes=1000, slices=(part,)))
        return Lock(glotmill="0.1.0", recipe=self.recipe, inputs=tuple(inputs), units=tuple(units))


def directed(outcome, reason, source, direction, documents, amount):
    """One row of pairs by direction; the label is that of its languages."""
    label = "-".join(sorted(direction.split(">")))
    num_pairs, num_bytes, words = amount
    return {
        **NO_COUNTS, "outcome": outcome, "reason": reason, "source": source, "label": label,
        "direction": direction, "num_documents": documents, "num_pairs": num_pairs,
        "num_bytes": num_bytes, "num_words": words,
    }  # fmt: skip


def sketched(first, second, **more):
    """Sketches of pairs by the characters of their sides; `more` are other digests."""
    lengths = {"first_characters": first, "second_characters": second}
    found = LabelSketches()
    for name, values in (lengths | {"log_ratio": np.log(second / first)} | more).items():
        found.add_numbers(name, np.asarray(values, np.float64))
    return found


def lengths_of_pairs(count, ratio=0.9):
    """Characters of both sides of pairs, of which the second are so many times as long."""
    first = np.arange(20, 20 + count)
    return first, np.round(first * ratio * (1 + np.arange(count) % 5 / 10)).astype(int)
