"""All bitext of the larger data set, by the shipped recipe: nothing is lost, in any file."""

from collections import Counter, defaultdict
from pathlib import Path

import numpy as np
import pytest
import zstandard

from glotmill.pipelines.units import check_inputs, find_inputs, lock_recipe
from glotmill.schemas.loading import load_recipe
from glotmill.schemas.pairs import Pairs
from glotmill.transforms.ingest import UnitIngester
from glotmill.transforms.pairs import MakePairs, bitext_options, files_of, segments_of
from glotmill.transforms.readers.bitext import read_bitext
from glotmill.transforms.tables import read_table

pytestmark = pytest.mark.data

RECIPES = Path(__file__).parents[2] / "recipes"


class Ingested:
    """Rows of every table by file, and by reason."""

    def __init__(self, recipe, root):
        loaded = load_recipe(recipe)
        found = find_inputs(loaded)
        check_inputs(loaded, found)
        self.lock = lock_recipe(loaded, found, lambda file: str(file.size))
        ingester = UnitIngester(self.lock.recipe, root)
        ingester.setup()
        self.by_file = Counter()
        self.reasons = defaultdict(Counter)
        self.labels = Counter()
        self.rows = []
        for unit in self.lock.units:
            record = ingester.ingest(unit)
            assert record.num_read == record.num_kept + record.num_dropped + record.num_rejected
            for name in ("documents", "dropped", "rejected"):
                if (entry := record.file(name)) is not None:
                    self._count(name, read_table(f"{root}/{entry.path}"))

    def _count(self, name, table):
        columns = {"documents": "label", "dropped": "drop_reason", "rejected": "reason"}
        paths, values = table["path"].to_pylist(), table[columns[name]].to_pylist()
        self.by_file.update(paths)
        for source, value in zip(table["source"].to_pylist(), values, strict=True):
            if name == "documents":
                self.labels[value] += 1
            self.reasons[source]["kept" if name == "documents" else value] += 1
        if "external_id" in table.column_names:
            self.rows += zip(
                table["external_id"].to_pylist(),
                table["drop_reason"].to_pylist() if name == "dropped" else [None] * len(paths),
                strict=True,
            )


def pairs_in(recipe, unit):
    """Pairs that the files of a unit hold, and units that give none, by file."""
    source = next(each for each in recipe.sources if each.name == unit.source)
    make = MakePairs(source.pairs or Pairs())
    counts = Counter()
    for part in unit.slices:
        options = bitext_options(recipe, source, part)
        for batch in read_bitext(
            files_of(source, part), part.format, part.start, part.end, options
        ):
            segments = segments_of(batch.records)
            groups, rejects = make.pair(segments, np.asarray(batch.records.column("offset")))
            counts[part.name] += len(groups) + len(rejects) + len(batch.rejects)
    return counts


def test_all_bitext_in_one_recipe(data_folder, tmp_path, monkeypatch):
    monkeypatch.setenv("GLOTMILL_DATA", str(data_folder.absolute()))
    done = Ingested(RECIPES / "bitext.yaml", str(tmp_path / "out"))
    assert {each.format for each in done.lock.inputs} == {
        "moses", "tmx", "tsv", "parquet", "po", "xliff", "messages"
    }  # fmt: skip
    assert len(done.labels) > 450
    read = Counter()
    for unit in done.lock.units:
        read.update(pairs_in(done.lock.recipe, unit))
    assert done.by_file == +read
    assert sum(done.by_file.values()) > 500_000
    reasons = done.reasons
    assert sum(reasons["tatoeba"].values()) == 62_735
    assert sum(reasons["laser"].values()) == 20_179
    assert sum(reasons["gatitos"].values()) == 380_600
    for source in ("tatoeba", "laser", "gatitos", "gospels", "declaration"):
        rejected = reasons[source]["missing_side"]
        of_source = sum(reasons[source].values()) - rejected
        assert reasons[source]["kept"] > 0.95 * of_source, (source, reasons[source])


def test_planted_faults(data_folder, tmp_path):
    path = data_folder / "messy" / "bitext_noise.tsv.zst"
    (tmp_path / "recipe.yaml").write_text(
        "glotmill: 1\nname: noise\nsources:\n"
        f"  - {{name: noise, category: bitext, path: {path}, id: pair_id, pairs: {{sides: "
        "[{text: src, code_column: src_lang}, {text: tgt, code_column: tgt_lang}]}}\n"
    )
    done = Ingested(tmp_path / "recipe.yaml", str(tmp_path / "out"))
    with zstandard.open(path, "rt", encoding="utf-8") as lines:
        gold = dict(line.rstrip("\n").split("\t")[::5] for line in lines)
    found = defaultdict(Counter)
    for identifier, reason in done.rows:
        found[gold[identifier]][reason] += 1
    recall = {kind: 1 - counts[None] / sum(counts.values()) for kind, counts in found.items()}
    assert recall["ok"] < 0.02
    for kind in ("copy", "empty_src", "empty_tgt", "html", "number"):
        assert recall[kind] > 0.99, (kind, found[kind])
    for kind in ("partial_untranslated", "length", "swapped"):
        assert recall[kind] > 0.9, (kind, found[kind])
    assert recall["wrong_lang"] > 0.6
    assert recall["misaligned"] > 0.2


def test_misaligned_files_of_the_data(data_folder, tmp_path):
    raw = data_folder / "messy" / "raw"
    (tmp_path / "recipe.yaml").write_text(
        "glotmill: 1\nname: a\nsources:\n  - {name: s, category: bitext, format: moses, "
        f"path: {raw}/linecount.*, pairs: {{codes: [de, en]}}}}\n"
    )
    with pytest.raises(Exception, match="has 10"):
        Ingested(tmp_path / "recipe.yaml", str(tmp_path / "out"))
