"""Find, or rebuild, the report of an output directory, with runs of the trainer beside it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from glotmill import dashboard
from glotmill.dashboard.report import PAGE
from glotmill.pipelines.errors import UserError
from glotmill.trainer.config import ConfigError, load_config
from glotmill.transforms import storage
from glotmill.transforms.unit_index import read_manifest


def find_report(root: str, *, rebuild: bool, training: Sequence[str] = ()) -> str:
    """The page of a finished run: its path, or its URI where it lies in a store.

    A page with training is made anew each time, as a run may go on, and stands beside the other:
    the corpus stays what its manifests say.

    Args:
        root: the output directory.
        rebuild: make the page anew.
        training: runs of the trainer to show, each by its train.yaml or its folder.

    Raises:
        UserError: there is no finished run at `root`, or no run of the trainer on it.
    """
    if read_manifest(root, "mix") is None:
        raise UserError(f"no finished run in {root}; 'glotmill run RECIPE --out {root}' makes one")
    page = f"{root}/{PAGE}"
    try:
        if rebuild or not (training or storage.exists(page)):
            dashboard.build_report(root)
        if training:
            written = dashboard.build_training_report(root, [run_folder(each) for each in training])
            page = f"{root}/{written[-1].path}"
    except dashboard.IncompleteRun as error:
        raise UserError(f"{error}; run the recipe again") from None
    except dashboard.TrainingRunError as error:
        raise UserError(str(error)) from None
    return page


def run_folder(given: str) -> str:
    """The folder of a run of the trainer, which its train.yaml names.

    Raises:
        UserError: the configuration cannot be read.
    """
    if not Path(given).is_file():
        return given
    try:
        return load_config(given).out
    except ConfigError as error:
        raise UserError(str(error)) from None
