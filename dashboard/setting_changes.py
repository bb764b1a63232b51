"""Settings of two recipes compared: values, and the order of what has names."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

_Settings = Mapping[str, Any]


@dataclass(frozen=True)
class SettingChange:
    """A setting of the recipe that differs; None where a recipe does not have it."""

    key: str
    before: Any
    after: Any


def setting_changes(before: _Settings, after: _Settings) -> list[SettingChange]:
    """Settings that differ in order of their keys, parts of lists by their names.

    The order of names is a setting of its own: of equal texts that of the first source stays, and
    stages come one after the other. What only one recipe names changes no order.

    Args:
        before: the first recipe, as JSON.
        after: the second.

    >>> one, two = {"name": "one", "path": "a"}, {"name": "two", "path": "b"}
    >>> setting_changes({"sources": [one, two]}, {"sources": [two, one]})
    [SettingChange(key='sources (order)', before=['one', 'two'], after=['two', 'one'])]
    """
    first, second = _flat(before), _flat(after)
    changes = [
        SettingChange(key, first.get(key), second.get(key))
        for key in {*first, *second}
        if first.get(key) != second.get(key)
    ]
    changes += _changed_orders(dict(_orders(before)), dict(_orders(after)))
    return sorted(changes, key=lambda each: each.key)


def _changed_orders(
    before: Mapping[str, list[str]], after: Mapping[str, list[str]]
) -> Iterator[SettingChange]:
    for key in {*before} & {*after}:
        first, second = before[key], after[key]
        if [n for n in first if n in second] != [n for n in second if n in first]:
            yield SettingChange(f"{key} (order)", first, second)


def _flat(value: Any, key: str = "") -> dict[str, Any]:
    """Settings by dotted key.

    >>> _flat({"mix": {"tiers": [{"name": "low", "rate": 2}]}})
    {'mix.tiers.low.name': 'low', 'mix.tiers.low.rate': 2}
    """
    parts = _parts(value)
    if parts is None:
        return {key: value}
    found: dict[str, Any] = {}
    for name, part in parts.items():
        found |= _flat(part, _within(key, name))
    return found


def _orders(value: Any, key: str = "") -> Iterator[tuple[str, list[str]]]:
    """Names of the parts of each list that has some, by dotted key.

    >>> list(_orders({"mix": {"stages": [{"name": "warm"}, {"name": "long"}]}}))
    [('mix.stages', ['warm', 'long'])]
    """
    parts = _parts(value) or {}
    if isinstance(value, list) and parts:
        yield key, list(parts)
    for name, part in parts.items():
        yield from _orders(part, _within(key, name))


def _parts(value: Any) -> Mapping[str, Any] | None:
    """What has a key or a name of its own; None where a value is whole."""
    if isinstance(value, dict):
        return value
    if isinstance(value, list) and all(isinstance(each, dict) and "name" in each for each in value):
        return {each["name"]: each for each in value}
    return None


def _within(key: str, name: str) -> str:
    return f"{key}.{name}" if key else name
