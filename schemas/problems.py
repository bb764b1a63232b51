"""What is wrong with a recipe: pydantic's errors as sentences, each at the line it is about."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

Location = tuple[str | int, ...]

# A union, by its location, and the branch of it that an error is about.
_Branches = tuple[tuple[Location, str], ...]

# What pydantic adds to the location of an error about a key of a map.
_KEY = "[key]"

# How near two keys are that are taken for one mistyped; difflib's own default.
_NEAR = 0.6

_WANTED = {
    "string_type": "a string",
    "int_type": "a whole number",
    "int_parsing": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "float_parsing": "a number",
    "bool_type": "true or false",
    "bool_parsing": "true or false",
    "list_type": "a list",
    "dict_type": "a map of keys",
    "model_type": "a map of keys",
    "greater_than_equal": "at least {ge:.15g}",
    "less_than_equal": "at most {le:.15g}",
    "less_than": "less than {lt:.15g}",
    "greater_than": "more than {gt:.15g}",
    "finite_number": "a finite number",
    "too_short": "{min_length} or more entries",
    "string_too_short": "{min_length} or more characters",
    "string_pattern_mismatch": "text that matches {pattern}",
}


@dataclass(frozen=True)
class Position:
    """A place in a file; line and column count from 1."""

    file: str
    line: int = 1
    column: int = 1

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong with a recipe, and where."""

    position: Position
    message: str

    def __str__(self) -> str:
        return f"{self.position}: {self.message}"


@dataclass(frozen=True)
class _Fault:
    """An error of pydantic: where in the data, in which branches of unions, and its details."""

    location: Location
    branches: _Branches
    kind: str
    given: Any
    context: Mapping[str, Any]
    text: str


def nearest(
    positions: Mapping[Location, Position], location: Location, default: Position
) -> Position:
    """Where a key was written, or the nearest key above it."""
    for length in range(len(location), 0, -1):
        if location[:length] in positions:
            return positions[location[:length]]
    return default


def problems_of(
    error: ValidationError,
    data: dict[str, Any],
    positions: Mapping[Location, Position],
    default: Position,
    schema: dict[str, Any],
) -> list[Problem]:
    """The errors of a validation, in the order of the file.

    Args:
        error: of pydantic.
        data: what was validated.
        positions: of the keys in the file.
        default: for what has no position.
        schema: JSON Schema of the model, which knows the keys there are.
    """
    faults = _intended([_fault(detail, data) for detail in error.errors()])
    problems = (
        Problem(nearest(positions, fault.location, default), _message(fault, schema))
        for fault in faults
    )
    return in_order(problems)


def in_order(problems: Iterable[Problem]) -> list[Problem]:
    """Problems in the order of their files, each once."""
    return sorted(
        dict.fromkeys(problems),
        key=lambda p: (p.position.file, p.position.line, p.position.column),
    )


def _fault(detail: Any, data: Any) -> _Fault:
    """The error, its location parted into what was written and what pydantic adds for unions."""
    location: list[str | int] = []
    branches: list[tuple[Location, str]] = []
    node, context, kind = data, detail.get("ctx", {}), detail["type"]
    parts: Location = detail["loc"]
    if parts[-1:] == (_KEY,) and kind == "literal_error":
        parts, kind = parts[:-1], "unknown_key"
    missing = parts[-1:] if kind == "missing" else ()
    for key in parts[: len(parts) - len(missing)]:
        if _holds(node, key):
            location.append(key)
            node = node[key]
        else:
            branches.append((tuple(location), str(key)))
    where = context.get("location", (*location, *missing))
    return _Fault(where, tuple(branches), kind, detail["input"], context, detail["msg"])


def _holds(node: Any, key: str | int) -> bool:
    if isinstance(node, dict):
        return key in node
    return isinstance(node, list) and isinstance(key, int) and key < len(node)


def _intended(faults: list[_Fault]) -> list[_Fault]:
    """A value that fits no branch of a union gives errors for each: keeps those of one branch.

    It is the branch that fits best; where none fits at all, one error stands for the union.
    """
    unions: dict[Location, dict[str, list[_Fault]]] = {}
    for fault in faults:
        for where, branch in fault.branches:
            unions.setdefault(where, {}).setdefault(branch, []).append(fault)
    for where, branches in unions.items():
        fitting = {branch: each for branch, each in branches.items() if _fits(where, each)}
        kept: list[_Fault] = min(fitting.values(), key=len, default=[])
        if not fitting:
            of_union = (f for each in branches.values() for f in each if _is_of(where, f))
            given = next(fault.given for fault in of_union)
            kept = [_Fault(where, (), "union", given, {}, "")]
        gone = [fault for each in branches.values() for fault in each if fault not in kept]
        faults = [fault for fault in faults if fault not in gone]
        faults += [fault for fault in kept if fault not in faults]
    return faults


def _is_of(where: Location, fault: _Fault) -> bool:
    """Whether a fault was given what stands at a location: a missing key has its map."""
    return fault.location == where or (fault.kind == "missing" and fault.location[:-1] == where)


def _fits(where: Location, faults: list[_Fault]) -> bool:
    """Whether a branch can have been meant: its type is right, no key of its own is missing.

    A key that is missing may be mistyped.
    """
    unknown = [str(f.location[-1]) for f in faults if f.kind == "extra_forbidden"]
    for fault in faults:
        if fault.location == where and fault.kind.endswith(("_type", "literal_error")):
            return False
        if fault.kind == "missing" and fault.location[:-1] == where:
            missing = str(fault.location[-1])
            if not difflib.get_close_matches(missing, unknown, n=1, cutoff=_NEAR):
                return False
    return True


def _message(fault: _Fault, schema: dict[str, Any]) -> str:
    location, kind = fault.location, fault.kind
    key = ".".join(map(str, location))
    if kind in ("extra_forbidden", "unknown_key"):
        known = sorted(_known_keys(schema, location[:-1], fault.branches))
        hint = did_you_mean(location[-1], known or _expected(fault))
        return f"unknown key '{location[-1]}'{_inside(location)}; {hint}"
    if kind == "missing":
        return f"missing key '{location[-1]}'" + _inside(location)
    if kind == "value_error":
        text = str(fault.context["error"])
        return f"'{key}': {text}" if key else text
    if kind == "misplaced":
        return fault.text
    if kind == "literal_error":
        return _not_one_of(key, fault.given, _expected(fault))
    if kind == "union":
        return _no_branch(key, fault.given, list(_nodes_at(schema, location)))
    wanted = _WANTED.get(kind, fault.text.removeprefix("Input should be ")).format(**fault.context)
    return f"'{key}' wants {wanted}{_not(fault.given)}"


def _expected(fault: _Fault) -> list[str]:
    """What a literal may be."""
    expected = fault.context["expected"]
    return re.findall(r"'([^']*)'", expected) or [expected]


def _inside(location: Location) -> str:
    return f" in '{'.'.join(map(str, location[:-1]))}'" if len(location) > 1 else ""


def _not(given: Any) -> str:
    if given in (None, "", [], {}):
        return ", but is empty"
    if isinstance(given, list):
        return ", not a list"
    if isinstance(given, dict):
        return f", not {{{', '.join(f'{key}: ...' for key in given)}}}"
    return f", not {given!r}" if isinstance(given, str | int | float) else ""


def _no_branch(key: str, given: Any, nodes: list[dict[str, Any]]) -> str:
    literals = [value for node in nodes for value in _literals(node)]
    shapes = [*map(repr, literals), *filter(None, map(_shape, nodes))]
    if len(shapes) == len(literals):
        return _not_one_of(key, given, literals)
    wanted = " or ".join(filter(None, [", ".join(shapes[:-1]), shapes[-1]]))
    return f"'{key}' wants {wanted}{_not(given)}"


def _literals(node: dict[str, Any]) -> list[str]:
    return [node["const"]] if "const" in node else list(node.get("enum", ()))


_SHAPES = {
    "string": "a string",
    "number": "a number",
    "array": "a list",
    "object": "a map of keys",
}


def _shape(node: dict[str, Any]) -> str:
    """What a branch of a union looks like in YAML; empty for literals and for unions."""
    if _literals(node):
        return ""
    if "properties" in node and not node.get("required"):
        return "a map of keys"
    if "properties" in node:
        return "{" + ", ".join(f"{key}: ..." for key in node.get("required", ())) + "}"
    return _SHAPES.get(node.get("type", ""), "")


def _not_one_of(key: str, given: Any, choices: list[str]) -> str:
    if given in choices:  # which are numbers then
        return f"'{key}' wants the number {given}, not the text {given!r}"
    return f"'{key}' is {given!r}; {did_you_mean(str(given), choices)}"


def did_you_mean(given: str | int, known: list[str]) -> str:
    """The nearest of the known names, if one is near, and all of them.

    >>> did_you_mean("plian", ["plain", "tags"])
    "did you mean 'plain'? (there are plain, tags)"
    """
    near = nearest_name(given, known)
    choices = f"{'there is' if len(known) == 1 else 'there are'} {', '.join(known)}"
    return f"did you mean '{near}'? ({choices})" if near is not None else choices


def nearest_name(given: str | int, known: list[str]) -> str | None:
    """The nearest of the known names, if one is near."""
    return next(iter(difflib.get_close_matches(str(given), known, n=1, cutoff=_NEAR)), None)


def _known_keys(schema: dict[str, Any], location: Location, branches: _Branches) -> set[str]:
    """Names of the properties a JSON Schema allows at a location, in the branches taken."""
    nodes = _nodes_at(schema, location, dict(branches))
    return {name for node in nodes for name in node.get("properties", {})}


def _nodes_at(
    schema: dict[str, Any], location: Location, branches: Mapping[Location, str] | None = None
) -> Iterable[dict[str, Any]]:
    """The parts of a JSON Schema that describe what stands at a location."""
    nodes = list(_alternatives(schema, schema))
    for depth, key in enumerate(location, 1):
        nodes = [deeper for node in nodes for deeper in _step(schema, node, key)]
        branch = (branches or {}).get(location[:depth])
        nodes = [schema["$defs"][branch]] if branch in schema["$defs"] else nodes
    return nodes


def _step(schema: dict[str, Any], node: dict[str, Any], key: str | int) -> Iterator[dict[str, Any]]:
    if isinstance(key, int):
        below = node.get("items")
    else:
        below = node.get("properties", {}).get(key, node.get("additionalProperties"))
    if isinstance(below, dict):
        yield from _alternatives(schema, below)


def _alternatives(schema: dict[str, Any], node: dict[str, Any]) -> Iterator[dict[str, Any]]:
    if "$ref" in node:
        node = schema["$defs"][node["$ref"].rsplit("/", 1)[1]]
    yield node
    for branch in (*node.get("anyOf", ()), *node.get("allOf", ())):
        yield from _alternatives(schema, branch)
