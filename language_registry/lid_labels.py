"""What the labels of language identifiers mean.

GlotLID and its kind say ``__label__swh_Latn``, which is a label of this registry. Others say what
their training data was filed under: the ``als`` of lid.176 is not Tosk Albanian but Alemannic,
and its ``kk`` is Kazakh as the Wikipedia writes it, in Cyrillic: of Kazakh in Latin it knows
nothing.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import PurePosixPath
from types import MappingProxyType

from glotmill.language_registry.codes import normalised
from glotmill.language_registry.languages import split_label
from glotmill.language_registry.resolution import resolve
from glotmill.language_registry.tables import read_rows


def lid_label(model: str, raw: str) -> tuple[str, ...]:
    """Returns what a label of an identifier may mean, the most likely meaning first.

    Args:
        model: The model's name or file name, as in ``lid.176`` or ``lid.176.ftz``. One without
            a table here is taken to use codes that :func:`resolve` reads.
        raw: The label as the model gives it, with or without ``__label__``.

    Returns:
        Labels ``xxx_Xxxx`` where the model names a script or is known to have learned the language
        in it, else ISO 639-3 codes.

    Raises:
        UnknownCode: The label is no known code.

    >>> lid_label("lid.176", "__label__als"), lid_label("lid.176.ftz", "fa")
    (('gsw_Latn',), ('pes_Arab', 'prs_Arab', 'fas_Arab'))
    >>> lid_label("glotlid", "__label__swh_Latn")
    ('swh_Latn',)
    """
    plain = raw.removeprefix("__label__")
    listed = model_labels(model).get(plain)
    return listed if listed is not None else (_as_code(plain),)


def model_labels(model: str) -> MappingProxyType[str, tuple[str, ...]]:
    """Returns the raw labels of a model with what each may mean; empty for a model not listed.

    >>> len(model_labels("lid.176"))
    176
    """
    tables = _tables()
    known = next((name for name in tables if _is_model(model, name)), "")
    return tables.get(known, MappingProxyType({}))


def _is_model(model: str, name: str) -> bool:
    """Returns whether a name or a path of a model is that of a listed one, or of a file of it."""
    stem = PurePosixPath(model.lower()).name
    return stem == name or stem in (f"{name}.ftz", f"{name}.bin")


@lru_cache(maxsize=1)
def _tables() -> dict[str, MappingProxyType[str, tuple[str, ...]]]:
    tables: dict[str, dict[str, tuple[str, ...]]] = {}
    for row in read_rows("lid_labels"):
        codes, scripts = row["codes"].split(), row["scripts"].split()
        labels = tuple(f"{code}_{script}" for code in codes for script in scripts)
        tables.setdefault(row["model"], {})[row["raw"]] = labels
    return {model: MappingProxyType(labels) for model, labels in tables.items()}


@lru_cache(maxsize=8192)
def _as_code(raw: str) -> str:
    """Returns the label if the code names a script, else the language."""
    found = resolve(raw)
    named = normalised(raw).split("-")[1:]
    wrote_script = any(len(part) == 4 and part.isalpha() for part in named)
    return found.label if wrote_script else split_label(found.label)[0]
