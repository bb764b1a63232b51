"""What a language, a script and a label are.

A label is ``xxx_Xxxx``: an ISO 639-3 code (or a collective one of ISO 639-5) and an ISO 15924
code. :func:`resolve` finds the label of a code as it was found, :func:`confirms` says whether an
identifier's label agrees with a declared one. The tables lie in ``data`` and are read when first
asked for.
"""

from glotmill.language_registry.acceptance import accepts, confirms
from glotmill.language_registry.languages import (
    Language,
    UnknownCode,
    all_languages,
    language,
    name,
    split_label,
)
from glotmill.language_registry.lid_labels import lid_label, model_labels
from glotmill.language_registry.resolution import Resolution, resolve
from glotmill.language_registry.scripts import Script, UnknownScript, is_spaced, script

__all__ = [
    "Language",
    "Resolution",
    "Script",
    "UnknownCode",
    "UnknownScript",
    "accepts",
    "all_languages",
    "confirms",
    "is_spaced",
    "language",
    "lid_label",
    "model_labels",
    "name",
    "resolve",
    "script",
    "split_label",
]
