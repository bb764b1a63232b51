"""The inputs of a recipe as the frame of a sample; nothing of them is read."""

from __future__ import annotations

import os

from glotmill.pipelines.planning.frame import FileGroup, file_group
from glotmill.pipelines.run import check_evaluation_sets, check_model, check_stages
from glotmill.pipelines.units import check_inputs, find_inputs, inputs_of
from glotmill.schemas.loading import LoadedRecipe
from glotmill.schemas.recipe import Source


def framed_inputs(loaded: LoadedRecipe) -> list[tuple[Source, list[FileGroup]]]:
    """The files of every source, checked as before a run.

    Raises:
        UserError: an input is missing or unfit, a stage, the model or an evaluation set unusable.
    """
    check_stages(loaded)
    check_model(loaded)
    check_evaluation_sets(loaded)
    found = find_inputs(loaded)
    check_inputs(loaded, found)
    folder = os.path.dirname(loaded.path)
    framed = []
    for source, files in found:
        # A checksum reads all of a file that may be long, for nothing.
        groups = inputs_of(source, files, folder, lambda file: "")
        framed.append((source, [file_group(source, group) for group in groups]))
    return framed
