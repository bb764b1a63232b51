"""Hand-over: what a finished corpus says of itself to those who take it on.

A dataset card (README.md), its metadata in the vocabulary of Croissant, and the licences by share.
All of it is made from the manifests, so it can be made again at any time.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib.metadata import version

import pyarrow.compute as pc
import yaml

from glotmill.schemas.lock import Lock
from glotmill.schemas.manifest import FileEntry, Manifest
from glotmill.schemas.training import TRAINING, Training
from glotmill.transforms import storage
from glotmill.transforms.compose import AVAILABLE_PATH
from glotmill.transforms.croissant import PATH as CROISSANT_PATH
from glotmill.transforms.croissant import croissant
from glotmill.transforms.dataset_card import PATH as CARD_PATH
from glotmill.transforms.dataset_card import Facts, dataset_card, description
from glotmill.transforms.licences import PATH as LICENCES_PATH
from glotmill.transforms.licences import UNKNOWN, licences, read_drawn
from glotmill.transforms.plan import PLAN_PATH
from glotmill.transforms.realised import PATH as REALISED_PATH
from glotmill.transforms.statistics import merge
from glotmill.transforms.tables import read_table, write_file, write_table

Manifests = Mapping[str, Manifest]


def write_hand_over(root: str, lock: Lock, manifests: Manifests) -> list[FileEntry]:
    """Writes the card, the metadata and the table of licences.

    Args:
        root: the output directory.
        lock: that was run.
        manifests: of the stages from ingest to mix, by their names.
    """
    files = manifests["mix"].files
    drawn = read_drawn(root, files)
    table = licences(drawn)
    facts = Facts(
        lock=lock,
        version=version("glotmill"),
        files=files,
        drawn=drawn,
        realised=read_table(f"{root}/{REALISED_PATH}"),
        plan=read_table(f"{root}/{PLAN_PATH}"),
        licences=table,
        steps=list(_steps(root, manifests)),
        training=_training(root, manifests["mix"]),
    )
    known = sorted(set(table.column("licence").to_pylist()) - {UNKNOWN})
    unknown = table.filter(pc.equal(table.column("licence"), UNKNOWN))
    unlicensed = sorted(set(unknown.column("source").to_pylist()))
    about = description(lock.recipe, drawn)
    metadata = croissant(lock.recipe.name, about, known, files, unlicensed=unlicensed)
    return [
        write_table(root, LICENCES_PATH, table),
        write_file(root, CARD_PATH, dataset_card(facts)),
        write_file(root, CROISSANT_PATH, metadata),
    ]


def _training(root: str, mix: Manifest) -> Training | None:
    if not any(file.path == TRAINING for file in mix.files):
        return None
    return Training.model_validate(yaml.safe_load(storage.read_bytes(f"{root}/{TRAINING}")))


def _steps(root: str, manifests: Manifests) -> Iterator[tuple[str, int]]:
    """What became of the records, from what was read to what training was drawn from."""
    yield "read", manifests["ingest"].counts["read"]
    yield "could not be read", manifests["ingest"].counts["rejected"]
    yield from _reasons(root, manifests["ingest"], "dropped", "dropped")
    yield from _reasons(root, manifests["deduplicate"], "dropped", "removed")
    yield from _reasons(root, manifests["compose"], "excluded", "kept out of training")
    held_out = manifests["compose"].counts["held_out"]
    there = _available(root)
    yield "held out for validation", held_out
    out = manifests["compose"].counts["excluded"]
    left = manifests["ingest"].counts["kept"] - manifests["deduplicate"].counts["removed"]
    if rest := left - out - held_out - there:
        yield "of categories that are left out, or too few for a document", rest
    yield "left to draw training from", there


def _available(root: str) -> int:
    """What training might draw from; pairs written both ways count once."""
    table = read_table(f"{root}/{AVAILABLE_PATH}", ["split", "again", "num_documents"])
    own = pc.and_(pc.equal(table.column("split"), "train"), pc.invert(table.column("again")))
    return sum(table.filter(own).column("num_documents").to_pylist())


def _reasons(root: str, manifest: Manifest, outcome: str, what: str) -> Iterator[tuple[str, int]]:
    """Documents of an outcome by reason, the most frequent first."""
    paths = [entry.path for entry in manifest.under(f"{manifest.stage}/statistics")]
    table = merge(read_table(f"{root}/{path}") for path in paths)
    rows = table.filter(pc.equal(table.column("outcome"), outcome))
    summed = rows.group_by("reason").aggregate([("num_documents", "sum")])
    order = [("num_documents_sum", "descending"), ("reason", "ascending")]
    for row in summed.sort_by(order).to_pylist():
        yield f"{what}: {row['reason'].replace('_', ' ')}", row["num_documents_sum"]
