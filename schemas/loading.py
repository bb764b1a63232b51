"""Read a recipe: YAML with positions, `extends`, and every error at once at its line."""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.error import MarkedYAMLError, YAMLError

from glotmill.schemas.mixture import full_text_key
from glotmill.schemas.problems import (
    Location,
    Position,
    Problem,
    in_order,
    nearest,
    problems_of,
)
from glotmill.schemas.recipe import Recipe, json_schema

_A_MAP = "a recipe is a map of keys such as 'name:' and 'sources:'"
_VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")


class RecipeError(Exception):
    """A recipe that cannot be used; lists all that is wrong with it."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = in_order(problems)
        super().__init__("\n".join(map(str, self.problems)))


@dataclass
class Document:
    """A YAML tree with the position of each of its nodes."""

    data: dict[str, Any]
    positions: dict[Location, Position] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)


@dataclass(frozen=True)
class LoadedRecipe:
    """A valid recipe and where each of its keys was written."""

    recipe: Recipe
    path: str
    positions: Mapping[Location, Position]

    def position(self, *location: str | int) -> Position:
        """Where a key was written, or the nearest key above it."""
        return nearest(self.positions, location, Position(self.path))


Read = Callable[[str], bytes]


def read_file(path: str) -> bytes:
    """The content of a file of this machine."""
    return Path(path).read_bytes()


def load_recipe(path: str | os.PathLike[str], read: Read = read_file) -> LoadedRecipe:
    """Read and validate a recipe.

    Relative `path`, `model` and `against` entries become absolute, from the folder of the file
    they are written in; `${NAME}` is replaced by the environment variable.

    Args:
        path: of the recipe, or its URI.
        read: gives the content of a file, for recipes that are not on this machine.

    Raises:
        RecipeError: with all problems found.
    """
    name = os.fspath(path)
    document = _load(name, read, seen=())
    recipe = validated(Recipe, document, name, json_schema())
    return LoadedRecipe(recipe, name, _with_full_names(document.positions))


def _with_full_names(positions: Mapping[Location, Position]) -> dict[Location, Position]:
    """Positions, those of labels of the mixture by their full names as well."""
    named = {
        (*location[:2], full_text_key(str(location[2])), *location[3:]): position
        for location, position in positions.items()
        if location[:2] == ("mix", "labels") and len(location) > 2
    }
    return {**named, **positions}


_Validated = TypeVar("_Validated", bound=BaseModel)


def validated(
    model: type[_Validated], document: Document, name: str, schema: dict[str, Any]
) -> _Validated:
    """A document as a model.

    Args:
        model: of the document.
        document: that was read.
        name: of its file.
        schema: JSON Schema of the model, whose keys are suggested.

    Raises:
        RecipeError: with all problems found.
    """
    try:
        valid = model.model_validate(document.data)
    except ValidationError as error:
        positions, default = document.positions, Position(name)
        found = problems_of(error, document.data, positions, default, schema)
        # What is told of a value already says why it is not as it should be.
        told = {problem.position for problem in document.problems}
        more = [problem for problem in found if problem.position not in told]
        raise RecipeError([*document.problems, *more]) from None
    if document.problems:
        raise RecipeError(document.problems)
    return valid


def _load(name: str, read: Read, seen: tuple[str, ...]) -> Document:
    document = parse(name, _text(name, read), _A_MAP)
    base_name = document.data.pop("extends", None)
    if base_name is None:
        return document
    try:
        base = _base(name, base_name, document, read, seen)
    except RecipeError as error:
        raise RecipeError([*error.problems, *document.problems]) from None
    return _merged(base, document)


def _base(
    name: str, base_name: object, document: Document, read: Read, seen: tuple[str, ...]
) -> Document:
    """What a document extends."""
    position = document.positions.get(("extends",), Position(name))
    if not isinstance(base_name, str):
        raise RecipeError([Problem(position, "'extends' wants the path of a recipe")])
    if unset := [problem for problem in document.problems if problem.position == position]:
        raise RecipeError(unset)
    base_path = os.path.join(os.path.dirname(name), base_name)
    if _is_uri(base_name):
        base_path = base_name
    if not _is_uri(base_path) and not os.path.isfile(base_path):
        raise RecipeError([Problem(position, f"'extends': no file {base_path}")])
    seen = (*seen, _identity(name))
    if _identity(base_path) in seen:
        raise RecipeError([Problem(position, f"the recipe extends itself, through {base_path}")])
    return _load(base_path, read, seen)


def _is_uri(path: str) -> bool:
    return "://" in path


def _identity(path: str) -> str:
    """The same for all spellings of a path."""
    if not _is_uri(path):
        return os.path.realpath(path)
    kind, _, rest = path.partition("://")
    return f"{kind}://{os.path.normpath(rest)}"


def _text(name: str, read: Read) -> str:
    try:
        return read(name).decode("utf-8-sig")
    except OSError as error:
        raise RecipeError([Problem(Position(name), _unreadable(name, error))]) from None
    except UnicodeDecodeError:
        raise RecipeError([Problem(Position(name), "the recipe is not UTF-8 text")]) from None


def parse(name: str, text: str, wanted: str) -> Document:
    """YAML with the position of each of its nodes.

    Args:
        name: of the file, for messages.
        text: of it.
        wanted: what to say where it is no map.

    Raises:
        RecipeError: it is not YAML, or no map.
    """
    document = Document({})
    try:
        tree = YAML(typ="rt").load(text)
        if not isinstance(tree, CommentedMap):
            raise RecipeError([Problem(Position(name), wanted)])
        document.data = _plain(tree, name, (), document)
    except YAMLError as error:
        raise RecipeError([_syntax_problem(name, error)]) from None
    except RecursionError:
        problem = "lists or maps lie too deep in each other"
        raise RecipeError([Problem(Position(name), problem)]) from None
    return document


def _unreadable(name: str, error: OSError) -> str:
    if isinstance(error, FileNotFoundError) and not _is_uri(name):
        folder = Path(name).parent
        there = sorted(p.name for p in folder.glob("*.yaml")) if folder.is_dir() else []
        found = f"; recipes there: {', '.join(there)}" if there else ""
        return f"no such file{found} ('glotmill init' writes a recipe to start from)"
    return f"cannot be read: {error.strerror or error}"


def _syntax_problem(name: str, error: YAMLError) -> Problem:
    if isinstance(error, MarkedYAMLError) and error.problem_mark is not None:
        mark = error.problem_mark
        message = " ".join(str(error.problem).split("\n")[0].split())
        return Problem(Position(name, mark.line + 1, mark.column + 1), f"not valid YAML: {message}")
    return Problem(Position(name), f"not valid YAML: {error}")


def _plain(node: Any, name: str, location: Location, document: Document) -> Any:
    """The node as plain Python, its positions and problems noted in `document`.

    Of strings `${NAME}` is replaced by the environment variable; the paths of a recipe become
    absolute.
    """
    if isinstance(node, CommentedMap):
        return {str(key): _child(node, key, name, (*location, str(key)), document) for key in node}
    if isinstance(node, CommentedSeq):
        return [
            _child(node, index, name, (*location, index), document) for index in range(len(node))
        ]
    if isinstance(node, str):
        return _string(str(node), name, location, document)
    return _number(node)


def _child(
    node: CommentedMap | CommentedSeq, key: Any, name: str, location: Location, document: Document
) -> Any:
    # A key that a merge (`<<: *base`) brought has no place of its own: the map's stands for it.
    start = (node.lc.line, node.lc.col)
    line, column = (node.lc.data or {}).get(key, start)[:2]
    document.positions[location] = Position(name, line + 1, column + 1)
    return _plain(node[key], name, location, document)


def _number(node: Any) -> Any:
    for kind in (bool, int, float):
        if isinstance(node, kind):
            return kind(node)
    return node


def _string(text: str, name: str, location: Location, document: Document) -> str:
    def value(match: re.Match[str]) -> str:
        variable = match[1]
        if variable not in os.environ:
            message = f"the environment variable {variable} is not set"
            document.problems.append(Problem(document.positions[location], message))
        # Left as it stands where unset, so that values that differ still do in later checks.
        return os.environ.get(variable, match[0])

    text = _VARIABLE.sub(value, text)
    return _from_folder(text, name, location) if _is_path(location) else text


def _is_path(location: Location) -> bool:
    keys = [key for key in location if isinstance(key, str)]
    return (keys[:1] == ["sources"] and keys[-1] == "path" and "language" not in keys) or (
        keys
        in (
            ["identify", "model"],
            ["deduplicate", "against"],
            ["decontaminate", "sets", "path"],
            ["sources", "pairs", "documents"],
            ["output", "tokens", "tokenizer"],
        )
    )


def _from_folder(text: str, name: str, location: Location) -> str:
    """A path relative to the recipe made absolute; URIs and the built-in model stay."""
    if _is_uri(text) or text == "builtin" or os.path.isabs(text) or not text:
        return text
    folder = os.path.dirname(name if _is_uri(name) else os.path.abspath(name))
    if "path" in location:  # a pattern, of which only `text` holds wildcards
        folder = glob.escape(folder)
    path = os.path.join(folder, text)
    return _identity(path) if _is_uri(name) else os.path.normpath(path)


def _merged(base: Document, child: Document) -> Document:
    """The child over the base: maps merge, everything else is replaced."""
    positions = dict(base.positions)

    def merge(below: Any, above: Any, location: Location) -> Any:
        if isinstance(below, dict) and isinstance(above, dict):
            both = {**below}
            for key, value in above.items():
                both[key] = merge(below.get(key), value, (*location, key))
            return both
        for old in [p for p in positions if p[: len(location)] == location]:
            del positions[old]
        return above

    data = merge(base.data, child.data, ())
    positions.update(child.positions)
    return Document(data, positions, base.problems + child.problems)
