"""Filters of pairs: what tells that two texts are no translations, or not worth learning from.

Each filter sees the annotated sides and which of them make a row, and marks rows. In a row of
more than two sides each is compared with the first. docs/bitext.md says what each filter finds
and costs on real data.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from glotmill.schemas import recipe as recipes
from glotmill.schemas.pairs import PairFilters
from glotmill.schemas.tables import DROP_REASON
from glotmill.transforms.decide import CONTAMINATED, Rule, drop_rules
from glotmill.transforms.letter_weights import letter_weight
from glotmill.transforms.pair_addresses import (
    EMAIL,
    MAY_HAVE_EMAIL,
    MAY_HAVE_URL,
    PLAIN_LETTERS,
    PLAIN_WORDS,
    URL,
    addresses,
)
from glotmill.transforms.pair_numbers import digit_class, shared_numbers
from glotmill.transforms.pair_rows import SIDE_HASH
from glotmill.transforms.pair_scripts import are_alike, is_written_in
from glotmill.transforms.pair_words import MIN_RUNS_TO_SHARE, shared_words, word_runs
from glotmill.transforms.pairs import Bools, Groups, Ints

# Added to both sides' weighted letters, so that short sides may differ more.
SMOOTHING = 15.0

# A side is in another script if it has this share, as script recognition weighs it: names are left
# as they are.
_CLEAR_SHARE = 0.8
_DOUBTED = ("contradicted", "unsure", "unverifiable")
_UNKNOWN = "und"
# Confidence with which a side must be identified as the other's language.
_LEAST_SCORE = pa.scalar(0.5, pa.float32())

_TAG = r"<[/!?]?[A-Za-z][^<>]*>|<!--"
_ENTITY = r"&(?:[A-Za-z][A-Za-z0-9]{1,30}|#[0-9]{1,7}|#[xX][0-9A-Fa-f]{1,6});"


@dataclass(frozen=True)
class Sides:
    """Annotated sides, and which of them make a row.

    Attributes:
        batch: the sides, with PLAIN_WORDS, PLAIN_LETTERS and SIDE_HASH.
        groups: the rows.
        scores: by row, as the data carries them.
        matched: where each pattern matches; shared by all rows of the same sides.
    """

    batch: pa.RecordBatch
    groups: Groups
    scores: pa.Array
    matched: dict[str, Bools] = field(default_factory=dict)

    @functools.cached_property
    def first(self) -> Ints:
        """The first side of each comparison."""
        heads = self.groups.members[self.groups.starts[:-1]]
        return np.repeat(heads, np.diff(self.groups.starts) - 1)

    @functools.cached_property
    def other(self) -> Ints:
        """The side that it is compared with."""
        is_head = np.zeros(len(self.groups.members), bool)
        is_head[self.groups.starts[:-1]] = True
        return self.groups.members[~is_head]

    def any_side(self, flags: Bools) -> Bools:
        """Rows with a side that has the flag."""
        if not len(self.groups):
            return np.zeros(0, bool)
        return np.logical_or.reduceat(flags[self.groups.members], self.groups.starts[:-1])

    def any_comparison(self, flags: Bools) -> Bools:
        """Rows with a comparison that has the flag."""
        row = np.repeat(np.arange(len(self.groups)), np.diff(self.groups.starts) - 1)
        return np.bincount(row[flags], minlength=len(self.groups)) > 0

    def numbers(self, name: str) -> npt.NDArray[np.float64]:
        """A column of numbers, by side."""
        return np.asarray(self.batch.column(name)).astype(np.float64)

    def matches(self, pattern: str) -> Bools:
        """Which sides a regular expression of RE2 matches in."""
        if pattern not in self.matched:
            text = self.batch.column("text")
            self.matched[pattern] = np.asarray(pc.match_substring_regex(text, pattern))
        return self.matched[pattern]

    def texts(self, comparisons: Ints) -> tuple[pa.Array, pa.Array]:
        """Both texts of some comparisons."""
        text = self.batch.column("text")
        one, other = self.first[comparisons], self.other[comparisons]
        return text.take(pa.array(one)), text.take(pa.array(other))

    @functools.cached_property
    def shared(self) -> npt.NDArray[np.float64]:
        """Share of words that both sides of each comparison have."""
        return shared_words(self.batch.column(PLAIN_WORDS.name), self.first, self.other)

    @functools.cached_property
    def _labels(self) -> pa.DictionaryArray:
        return self.batch.column("label").dictionary_encode()

    @functools.cached_property
    def one_language(self) -> Bools:
        """Comparisons of one language with itself, as identification has it.

        Where both sides have the labels that they declare, the source says that they are a pair.
        """
        label, declared = (self.batch.column(name) for name in ("label", "declared_label"))
        index = np.asarray(self._labels.indices)
        is_known = ~np.asarray(pc.starts_with(label, _UNKNOWN))
        is_declared = np.asarray(pc.fill_null(pc.equal(label, declared), False))
        equal = (index[self.first] == index[self.other]) & is_known[self.first]
        return equal & ~(is_declared[self.first] & is_declared[self.other])

    @functools.cached_property
    def alike(self) -> Bools:
        """Comparisons of two languages that are written alike, as Croatian and Bosnian are."""
        names = self._labels.dictionary.to_pylist()
        table = np.array([[are_alike(one, other) for other in names] for one in names], bool)
        index = np.asarray(self._labels.indices)
        found = table.reshape(len(names), -1)[index[self.first], index[self.other]]
        return found & ~self.one_language


@dataclass(frozen=True)
class Filter:
    """Rows that `marks` are dropped for `reason`."""

    reason: str
    marks: Callable[[Sides], Bools]


def pair_filters(recipe: recipes.Recipe, source: recipes.Source) -> list[Filter]:
    """The filters of a source of parallel text, in order: the first that marks gives the reason."""
    options = recipe.filters.pairs
    known = {rule.reason: _of_sides(rule) for rule in drop_rules(recipe, source)}
    for reason in (
        "empty",
        "too_short",
        "too_long",
    ):  # of documents; sides have limits of their own
        del known[reason]
    contaminated = [known.pop(reason) for reason in list(known) if reason.startswith(CONTAMINATED)]
    chosen = [
        Filter("empty_side", _empty),
        *contaminated,
        known.pop("unknown_language_code"),
        Filter("side_too_long", lambda sides: _too_long(sides, options)),
        *([Filter("markup_residue", _markup)] if options.markup else []),
        *([Filter("identical_sides", _identical)] if options.identical else []),
        Filter("near_identical_sides", lambda sides: _near_identical(sides, options)),
        Filter("untranslated_words", lambda sides: _untranslated(sides, options)),
        known.pop("no_letters"),
        Filter("side_too_short", lambda sides: _too_short(sides, options)),
        *([Filter("script_mismatch", _other_script)] if options.script else []),
        *([Filter("swapped_sides", _swapped)] if options.swapped else []),
        Filter("one_language", _one_language),
        *known.values(),
        Filter("length_ratio", lambda sides: _length_ratio(sides, options)),
        Filter("numbers_mismatch", lambda sides: _numbers(sides, options)),
        *([Filter("urls_mismatch", _urls)] if options.urls else []),
        *([Filter("emails_mismatch", _emails)] if options.emails else []),
        Filter("low_score", lambda sides: _low_score(sides, options.min_scores)),
    ]
    if options.max_length_ratio is None:
        chosen = [each for each in chosen if each.reason != "length_ratio"]
    return chosen


def _of_sides(rule: Rule) -> Filter:
    """A rule on documents that holds for sides: one is enough."""

    def marks(sides: Sides) -> Bools:
        return sides.any_side(np.asarray(pc.fill_null(rule.applies(sides.batch), False)))

    return Filter(rule.reason, marks)


def drop_reasons(filters: Sequence[Filter], sides: Sides) -> pa.Array:
    """Why each row is dropped, null where it is kept; string[rows].

    A reason that a custom filter gave a side stands unless a filter here gives one first.
    """
    names = np.array([None, *(each.reason for each in filters)], object)
    found = np.zeros(len(sides.groups), np.int64)
    for number, each in reversed(list(enumerate(filters, 1))):
        found[each.marks(sides)] = number
    reasons = names[found]
    if DROP_REASON.name in sides.batch.schema.names:
        _fill_from_sides(reasons, sides)
    return pa.array(reasons.tolist(), pa.string())


def _fill_from_sides(reasons: npt.NDArray[np.object_], sides: Sides) -> None:
    """Gives rows without a reason that of their first side which has one."""
    given = sides.batch.column(DROP_REASON.name)
    marked = sides.any_side(np.asarray(given.is_valid()))
    texts = given.to_pylist()
    for row in np.flatnonzero(marked).tolist():
        if reasons[row] is None:
            start, end = sides.groups.starts[row : row + 2]
            members = sides.groups.members[start:end]
            reasons[row] = next(texts[member] for member in members if texts[member])


def _empty(sides: Sides) -> Bools:
    return sides.any_side(sides.numbers("num_characters") == 0)


def _too_long(sides: Sides, options: PairFilters) -> Bools:
    return sides.any_side(sides.numbers("num_characters") > options.max_characters)


def _too_short(sides: Sides, options: PairFilters) -> Bools:
    return sides.any_side(sides.numbers("num_letters") < options.min_letters)


def _markup(sides: Sides) -> Bools:
    suspects = sides.matches("[<&]")
    if not suspects.any():
        return np.zeros(len(sides.groups), bool)
    return sides.any_side(sides.matches(f"{_TAG}|{_ENTITY}"))


def _identical(sides: Sides) -> Bools:
    hashes = sides.batch.column(SIDE_HASH.name).to_numpy()
    return sides.any_comparison(hashes[sides.first] == hashes[sides.other])


def _near_identical(sides: Sides, options: PairFilters) -> Bools:
    return sides.any_comparison((sides.shared > options.max_shared_words) & ~sides.alike)


def _untranslated(sides: Sides, options: PairFilters) -> Bools:
    """Comparisons that share runs of words; only those that share words are looked at."""
    suspects = (sides.shared > options.max_shared_runs / 2) & ~sides.alike
    places = np.flatnonzero(suspects)
    if not places.size:
        return np.zeros(len(sides.groups), bool)
    both = np.concatenate((sides.first[places], sides.other[places]))
    runs = word_runs(sides.batch.column(PLAIN_WORDS.name).take(pa.array(both)))
    first = np.arange(len(places))
    shared = shared_words(runs, first, first + len(places), least=MIN_RUNS_TO_SHARE)
    suspects[places] = shared > options.max_shared_runs
    return sides.any_comparison(suspects)


def _other_script(sides: Sides) -> Bools:
    """Sides in a script that their declared language is not written in."""
    codes = sides.batch.column("original_code").dictionary_encode()
    scripts = sides.batch.column("script").dictionary_encode()
    known = scripts.dictionary.to_pylist()
    table = np.array(
        [[not is_written_in(c, s) for s in known] for c in [*codes.dictionary.to_pylist(), ""]]
    ).reshape(-1, len(known))
    rows = np.asarray(codes.indices.fill_null(len(codes.dictionary)))
    clear = sides.numbers("script_share") >= _CLEAR_SHARE
    return sides.any_side(table[rows, np.asarray(scripts.indices)] & clear)


def _swapped(sides: Sides) -> Bools:
    """Comparisons of which one side is found to be in the language that the other declares."""
    names = ("declared_label", "identified_label", "verdict")
    declared, identified, verdict = (sides.batch.column(name).to_pylist() for name in names)
    found = pc.greater_equal(sides.batch.column("identified_score"), _LEAST_SCORE)
    doubted = np.array([each in _DOUBTED for each in verdict], bool)
    suspects = doubted & np.asarray(pc.fill_null(found, False))
    is_declared = np.array([each is not None for each in declared], bool)
    marked = np.zeros(len(sides.first), bool)
    places = is_declared[sides.first] & is_declared[sides.other]
    places &= doubted[sides.first] & doubted[sides.other]
    places &= suspects[sides.first] | suspects[sides.other]
    for place in np.flatnonzero(places).tolist():
        one, other = int(sides.first[place]), int(sides.other[place])
        # Labels may be what was identified already (relabel).
        if are_alike(declared[one], declared[other]):
            continue
        marked[place] = any(
            suspects[this] and are_alike(declared[that], identified[this])
            for this, that in ((one, other), (other, one))
        )
    return sides.any_comparison(marked)


def _one_language(sides: Sides) -> Bools:
    return sides.any_comparison(sides.one_language)


def _length_ratio(sides: Sides, options: PairFilters) -> Bools:
    scripts = sides.batch.column("script").dictionary_encode()
    weights = np.array([letter_weight(each) for each in scripts.dictionary.to_pylist()])
    length = sides.numbers(PLAIN_LETTERS.name) * weights[np.asarray(scripts.indices)] + SMOOTHING
    one, other = length[sides.first], length[sides.other]
    ratio = np.maximum(one, other) / np.minimum(one, other)
    return sides.any_comparison(ratio > (options.max_length_ratio or np.inf))


def _numbers(sides: Sides, options: PairFilters) -> Bools:
    with_digits = sides.matches(f"[{digit_class()}]")
    marked = with_digits[sides.first] | with_digits[sides.other]
    places = np.flatnonzero(marked)
    texts = sides.texts(places)
    # Most have the same digits in the same order.
    digits = [pc.replace_substring_regex(text, f"[^{digit_class()}]+", "") for text in texts]
    equal = np.asarray(pc.equal(*digits))
    marked[places[equal]] = False
    left = pa.array(np.flatnonzero(~equal))
    pairs = zip(*(text.take(left).to_pylist() for text in texts), strict=True)
    for place, (one, other) in zip(places[~equal].tolist(), pairs, strict=True):
        marked[place] = shared_numbers(one, other) < options.min_shared_numbers
    return sides.any_comparison(marked)


def _urls(sides: Sides) -> Bools:
    return _differ(sides, MAY_HAVE_URL, URL)


def _emails(sides: Sides) -> Bools:
    return _differ(sides, MAY_HAVE_EMAIL, EMAIL)


def _differ(sides: Sides, gate: str, pattern: re.Pattern[str]) -> Bools:
    """Rows whose sides do not have the same addresses."""
    suspects = sides.matches(gate)
    marked = suspects[sides.first] | suspects[sides.other]
    places = np.flatnonzero(marked)
    texts = (text.to_pylist() for text in sides.texts(places))
    for place, (one, other) in zip(places.tolist(), zip(*texts, strict=True), strict=True):
        marked[place] = addresses(one, pattern) != addresses(other, pattern)
    return sides.any_comparison(marked)


def _low_score(sides: Sides, least: Mapping[str, float]) -> Bools:
    """Rows with a score below its threshold."""
    marked = np.zeros(len(sides.groups), bool)
    scores = sides.scores
    if not least or not len(scores):
        return marked
    offsets = np.asarray(scores.offsets).astype(np.int64)
    rows = np.repeat(np.arange(len(scores)), np.diff(offsets))
    keys = scores.keys.slice(offsets[0], offsets[-1] - offsets[0])
    values = np.asarray(scores.items.slice(offsets[0], offsets[-1] - offsets[0]), np.float32)
    for name, threshold in least.items():
        of_name = np.asarray(pc.equal(keys, name))
        marked[rows[of_name & (values < np.float32(threshold))]] = True
    return marked
