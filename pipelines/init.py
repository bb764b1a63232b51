"""Write a recipe and a small real sample to start from."""

from __future__ import annotations

import shutil
from importlib import resources
from pathlib import Path

from glotmill.pipelines.errors import UserError

_FILES = {
    "udhr.yaml": "recipe.yaml",
    "sample/udhr.jsonl.zst": "sample/udhr.jsonl.zst",
    "sample/README.md": "sample/README.md",
    "sample/LICENSE-udhr.txt": "sample/LICENSE-udhr.txt",
}


def write_sample(folder: Path) -> Path:
    """Copies the sample and its recipe.

    Returns:
        The path of the recipe.

    Raises:
        UserError: a file of that name is there already.
    """
    targets = {folder / target: source for source, target in _FILES.items()}
    there = [str(target) for target in targets if target.exists()]
    if there:
        raise UserError(f"{', '.join(there)} would be overwritten; name another folder")
    root = resources.files("glotmill.recipes")
    for target, source in targets.items():
        target.parent.mkdir(parents=True, exist_ok=True)
        with resources.as_file(root / source) as path:
            shutil.copyfile(path, target)
    return folder / "recipe.yaml"
