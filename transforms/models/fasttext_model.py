"""Load a fastText model from a path or URI and ask it for predictions."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import resources

import fasttext

from glotmill.language_registry import model_labels
from glotmill.transforms import storage
from glotmill.transforms.hub import HubError, fetched_from_hub
from glotmill.transforms.models.fasttext_file import has_magic, is_whole

BUILTIN = "builtin"
_BUILTIN_FILE = "lid.176.ftz"
# fastText adds 1e-5 to the least probability asked for before it takes the logarithm, so that a
# model with a hierarchical softmax leaves out labels that are less likely. This takes it off.
_ANY = -1e-5


class ModelError(Exception):
    """A model that cannot be used; the message says which, why and what to do."""


class FastTextModel:
    """A fastText classifier.

    Attributes:
        family: whose label conventions it follows: `lid.176`, or `glotlid`, whose labels are
            codes or labels that the registry resolves (`__label__eng_Latn`).
        labels: its raw labels, without the prefix `__label__`.
    """

    def __init__(self, location: str) -> None:
        """Loads a model.

        Args:
            location: `builtin`, a path, or a URI of a file system Beam knows, or
                `hf://owner/name/file`.

        Raises:
            ModelError: it is not there, not readable, or no fastText classifier.
        """
        with _local(location) as path:
            _check_file(location, path)
            try:
                self._model = fasttext.load_model(path)
            except (ValueError, MemoryError, RuntimeError) as error:
                raise ModelError(f"{location} is no usable fastText model: {error}") from None
        self.labels = tuple(_bare(label) for label in self._model.get_labels())
        if not any(self.labels):
            raise ModelError(
                f"{location} is no usable fastText model: it has no labels, so it is no classifier"
            )
        self.family = _family(self.labels)

    def predict(self, text: str, k: int | None) -> list[tuple[float, str]]:
        """The k likeliest labels with their probabilities, likeliest first; all where k is None.

        fastText judges one line, so line ends become blanks. The method behind its own
        `predict` is called: that one breaks under numpy 2, its batch form gives wrong numbers.
        """
        line = text.replace("\n", " ") + "\n"
        count, least = (len(self.labels), _ANY) if k is None else (k, 0.0)
        found = self._model.f.predict(line, count, least, "strict")
        return [(min(probability, 1.0), _bare(label)) for probability, label in found]


def _family(labels: tuple[str, ...]) -> str:
    return "lid.176" if set(labels) <= set(model_labels("lid.176")) else "glotlid"


def _bare(label: str) -> str:
    return label.removeprefix("__label__")


def _check_file(location: str, path: str) -> None:
    try:
        is_model = has_magic(path)
    except OSError as error:
        raise ModelError(f"model {location}: {error.strerror}") from None
    if not is_model:
        raise ModelError(
            f"{location} is not a fastText model (a .bin or .ftz file); "
            "'identify.model: builtin' needs none"
        )
    if not is_whole(path):
        raise ModelError(f"{location} is no usable fastText model: it was cut short; fetch it anew")


@contextmanager
def _local(location: str) -> Iterator[str]:
    """A path on this machine that holds the model."""
    if location == BUILTIN:
        with resources.as_file(resources.files(__package__) / _BUILTIN_FILE) as path:
            yield str(path)
    elif location.startswith("hf://"):
        yield _from_hub(location)
    elif "://" in location:
        with tempfile.TemporaryDirectory(prefix="glotmill-model-") as folder:
            yield _fetched(location, os.path.join(folder, "model"))
    else:
        yield location


def _from_hub(location: str) -> str:
    try:
        return fetched_from_hub(location)
    except HubError as error:
        raise ModelError(str(error)) from None


def _fetched(location: str, path: str) -> str:
    try:
        with storage.open_input(location) as source, open(path, "wb") as target:
            while chunk := source.read(1 << 22):
                target.write(chunk)
    except Exception as error:  # each file system has its own kinds of failure
        raise ModelError(f"model {location} cannot be read: {error}") from None
    return path
