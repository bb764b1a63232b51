"""Units of records with named columns."""

import math
from collections.abc import Callable, Mapping

from glotmill.transforms.readers.bitext.options import EMMA_SIDES, BitextOptions, Side
from glotmill.transforms.readers.bitext.units import Unit
from glotmill.transforms.readers.jsonl import Json, RecordProblem, as_string

Get = Callable[[str], Json]


def sides_of(options: BitextOptions) -> tuple[Side, ...]:
    """The columns with text, where there is no dictionary of translations."""
    return options.sides or EMMA_SIDES


def unit_of(get: Get, options: BitextOptions) -> Unit:
    """Make the unit of one record.

    A null or absent text is no segment; an empty one is.

    Args:
        get: Returns the value of a column, None where it is null or absent.
        options: Which columns hold what.

    Raises:
        RecordProblem: With reason ``wrong_type`` if a text is no string, and ``invalid_score``.
    """
    codes: list[str | None]
    texts: list[str]
    if options.translation is not None:
        codes, texts = _translations(get(options.translation), options.translation)
    else:
        codes, texts = [], []
        for side in sides_of(options):
            text = get(side.text)
            if type(text) is str:
                code = side.code
                if side.code_column is not None:
                    code = as_string(get(side.code_column)) or None
                codes.append(code)
                texts.append(text)
            elif text is not None:
                raise RecordProblem("wrong_type", f"{side.text!r} is no string")
    unit = Unit(codes, texts)
    if options.external_id is not None:
        unit.external_id = as_string(get(options.external_id))
    if options.document is not None:
        unit.document = as_string(get(options.document))
    if options.url is not None:
        unit.url = as_string(get(options.url))
    if options.scores:
        unit.scores = scores_of(get, options.scores)
    return unit


def scores_of(get: Get, names: Mapping[str, str]) -> dict[str, float]:
    """Return the scores of a record; those that are null, empty or NaN are left out.

    Raises:
        RecordProblem: With reason ``invalid_score`` if one is no number.
    """
    scores = {}
    for name, column in names.items():
        value = get(column)
        if value is None or value == "":
            continue
        try:
            number = float("true" if isinstance(value, bool) else value)  # type: ignore[arg-type]
        except (TypeError, ValueError, OverflowError):
            shown = (as_string(value) or "")[:40]
            detail = f"{column!r} is {shown!r}, not a number"
            raise RecordProblem("invalid_score", detail) from None
        if not math.isnan(number):
            scores[name] = number
    return scores


def _translations(value: Json, column: str) -> tuple[list[str | None], list[str]]:
    if type(value) is not dict:
        kind = "is missing or null" if value is None else "is no object"
        reason = "missing_field" if value is None else "wrong_type"
        raise RecordProblem(reason, f"{column!r} {kind}")
    codes: list[str | None] = []
    texts: list[str] = []
    for code, text in value.items():
        if type(text) is str:
            codes.append(code)
            texts.append(text)
        elif text is not None:
            raise RecordProblem("wrong_type", f"{code!r} in {column!r} is no string")
    return codes, texts
