"""Decide: the one place that turns annotations into a reason to drop a document."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from glotmill.schemas import recipe
from glotmill.schemas.tables import CONTAMINATED_BY, DROP_REASON
from glotmill.transforms.batches import with_columns
from glotmill.transforms.letter_weights import worth

#: Reasons that say nothing of a document's quality: there is no text, or not in a known language.
#: What is dropped for another one, by a filter of the recipe, counts as removed by the filters.
NOT_JUDGED = (
    "empty",
    "unknown_language_code",
    "no_letters",
    "mixed_scripts",
    "mixed_languages",
    "language_mismatch",
    "unidentified_language",
    "too_short_to_identify",
)

#: The same where an evaluation set is named behind it.
CONTAMINATED = "contaminated_"


@dataclass(frozen=True)
class Rule:
    """Documents that `applies` marks are dropped for `reason`."""

    reason: str
    reads: tuple[str, ...]
    applies: Callable[[pa.RecordBatch], pa.Array]


def not_judged(reasons: pa.Array | pa.ChunkedArray) -> pa.Array | pa.ChunkedArray:
    """Which drop reasons say nothing of a document's quality; bool[n]."""
    listed = pc.is_in(reasons, pa.array(NOT_JUDGED))
    return pc.or_(listed, pc.starts_with(reasons, CONTAMINATED))


def _share(value: float) -> pa.Scalar:
    """A threshold in the type of the columns of shares, or a share equal to it would exceed it."""
    return pa.scalar(value, pa.float32())


def _rule(reason: str, column: str, function: Callable[..., pa.Array], value: object) -> Rule:
    return Rule(reason, (column,), lambda batch: function(batch.column(column), value))


def _shorter_than(min_characters: int) -> Callable[[pa.RecordBatch], pa.Array]:
    """Marks texts that say less than so many characters of Latin script do."""

    def applies(batch: pa.RecordBatch) -> pa.Array:
        scripts = batch.column("script").dictionary_encode()
        least = [worth(min_characters, script) for script in scripts.dictionary.to_pylist()]
        return pc.less(batch.column("num_characters"), pa.array(least).take(scripts.indices))

    return applies


def drop_rules(options: recipe.Recipe, source: recipe.Source) -> list[Rule]:
    """The rules for one source, in order: the first that applies is the reason given.

    Code has no language and no line that may not repeat, so only the rules on length hold, and
    those on evaluation sets, which come first: all that hold their text are counted as such.
    """
    filters = options.filters
    rules = [
        _rule("empty", "num_characters", pc.equal, 0),
        *_contaminations(options),
        Rule("too_short", ("num_characters", "script"), _shorter_than(filters.min_characters)),
        _rule("too_long", "num_characters", pc.greater, filters.max_characters),
    ]
    if source.category == "code":
        return rules
    rules += [
        _rule("unknown_language_code", "verdict", pc.equal, "unknown_code"),
        _rule("no_letters", "num_letters", pc.equal, 0),
        _rule("mixed_scripts", "script_share", pc.less, _share(options.script.min_share)),
        _rule(
            "repeated_lines",
            "repeated_line_share",
            pc.greater,
            _share(filters.max_repeated_line_share),
        ),
        _rule(
            "repeated_ngrams",
            "repeated_ngram_share",
            pc.greater,
            _share(filters.max_repeated_ngram_share),
        ),
    ]
    if options.identify.enabled and options.identify.min_consistency > 0:
        least = pa.scalar(options.identify.min_consistency, pa.float32())
        rules.append(_rule("mixed_languages", "sentence_consistency", pc.less, least))
    if options.identify.on_mismatch == "drop":
        rules.append(_rule("language_mismatch", "verdict", pc.equal, "contradicted"))
    if options.identify.on_unidentified == "drop":
        rules.append(_rule("unidentified_language", "verdict", pc.equal, "unidentified"))
        rules.append(
            Rule("too_short_to_identify", ("verdict", "declared_label"), _undeclared_and_short)
        )
    return rules


def _contaminations(options: recipe.Recipe) -> list[Rule]:
    """A rule for each evaluation set."""
    if options.decontaminate is None:
        return []
    column = CONTAMINATED_BY.name
    return [
        _rule(f"{CONTAMINATED}{each.name}", column, pc.equal, number)
        for number, each in enumerate(options.decontaminate.sets)
    ]


def _undeclared_and_short(batch: pa.RecordBatch) -> pa.Array:
    short = pc.equal(batch.column("verdict"), "too_short")
    return pc.and_(short, pc.is_null(batch.column("declared_label")))


class DecideDrops:
    """Annotator that adds `drop_reason`: null for documents that are kept.

    A reason that a custom filter has given stands unless a rule here gives one first.
    """

    name = "decide"

    def __init__(self, rules: Sequence[Rule]) -> None:
        """Takes the rules, in order of precedence."""
        self._rules = tuple(rules)

    @property
    def reads(self) -> Sequence[str]:
        """Every column a rule looks at."""
        return sorted({name for rule in self._rules for name in rule.reads})

    @property
    def adds(self) -> Sequence[pa.Field]:
        """The column it appends."""
        return [DROP_REASON]

    def setup(self) -> None:
        """Nothing to load."""

    def annotate(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """Appends `drop_reason`."""
        given = DROP_REASON.name in batch.schema.names
        reason = batch.column(DROP_REASON.name) if given else pa.nulls(batch.num_rows, pa.string())
        for rule in reversed(self._rules):
            applies = pc.fill_null(rule.applies(batch), False)
            reason = pc.if_else(applies, pa.scalar(rule.reason), reason)
        return with_columns(batch, [DROP_REASON], [reason])
