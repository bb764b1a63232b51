"""Findings: which wishes of a mixture cannot be had together, why, and what to change."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass

from glotmill.schemas import recipe
from glotmill.schemas.mixture import EVERY_DOMAIN, MaxEpochs
from glotmill.schemas.problems import did_you_mean
from glotmill.transforms.allocate import TOLERANCE
from glotmill.transforms.bounds import LabelBounds

#: Where those of a run are, relative to its output.
FINDINGS_PATH = "mix/findings.json"

_MOST_NAMES = 5
# Amounts are told in so many digits, from a million on.
_DIGITS = 3
_WHOLE_BELOW = 1e6
# By the limit of a label.
_REMEDIES = {
    "max_epochs": "raise 'max_epochs'",
    "max": "raise 'max' in 'labels'",
    "domain_cap": "raise 'domain_caps'",
}
# Where caps leave nothing of labels: as a run ends, and as one goes on.
_LIFT = (
    "raise these caps, add text of other domains, or lift the caps for these labels with "
    "'on_infeasible: relax'"
)
_LIFTED = (
    "the caps are lifted for these labels; raise these caps, or add text of other domains, to have "
    "them kept"
)


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One thing that the recipe wants and the text does not give.

    Attributes:
        kind: `budget`, `share`, `min`, `mins`, `domain_cap`, `no_text`, `no_share`; and
            `unknown_label`, `unknown_domain`, `held_back`, and `realised` of what was drawn,
            which make nothing infeasible.
        subject: what it is about: a part of the mixture, an option, the text of a label.
        wanted: amount that the recipe wants, in the unit of the plan.
        possible: amount that can be had.
        binding: which bounds are in the way.
        labels: whom it concerns, all of them.
        message: what is wrong, as a sentence.
        advice: what to do.
        stops: whether the mixture is infeasible with it.
    """

    kind: str
    subject: str
    message: str
    advice: str
    wanted: float = 0.0
    possible: float = 0.0
    binding: str = ""
    labels: tuple[str, ...] = ()
    stops: bool = True

    def __str__(self) -> str:
        return f"{self.message}: {self.advice}"

    @property
    def told(self) -> str:
        """It as a line, with whether the mixture is infeasible with it."""
        return f"{'not met' if self.stops else 'note'}: {self}"


def findings_json(findings: Iterable[Finding]) -> bytes:
    """Findings for programs, each with its text for people."""
    rows = [{**asdict(finding), "text": str(finding)} for finding in findings]
    return json.dumps(rows, indent=2, ensure_ascii=False, allow_nan=False).encode()


def findings_of_json(content: bytes) -> list[Finding]:
    """What :func:`findings_json` made."""
    rows = json.loads(content)
    for row in rows:
        del row["text"]
        row["labels"] = tuple(row["labels"])
    return [Finding(**row) for row in rows]


def amount(value: float) -> str:
    """An amount as a person reads it, and as YAML takes it from a million on.

    >>> amount(12_345), amount(730_123_456)
    ('12,345', '7.30e8')
    """
    if value < _WHOLE_BELOW:
        return f"{value:,.0f}"
    digits, _, exponent = f"{value:.{_DIGITS - 1}e}".partition("e")
    return f"{digits}e{int(exponent)}"


def amount_below(value: float) -> str:
    """The same, rounded down: what is advised can be had.

    >>> amount_below(730_999_999), amount_below(0.7)
    ('7.30e8', '0')
    """
    if value < _WHOLE_BELOW:
        return amount(math.floor(value))
    step = 10.0 ** (math.floor(math.log10(value)) - _DIGITS + 1)
    return amount(math.floor(value / step) * step)


def some_of(names: Sequence[str]) -> str:
    """The first names, and how many more there are.

    >>> some_of(["a", "b"]), some_of(list("abcdefgh"))
    ('a, b', 'a, b, c, d, e and 3 more')
    """
    shown = ", ".join(names[:_MOST_NAMES])
    more = len(names) - _MOST_NAMES
    return f"{shown} and {more:,} more" if more > 0 else shown


def counted(number: int, noun: str = "label") -> str:
    """A number with its noun.

    >>> counted(1), counted(1200)
    ('1 label', '1,200 labels')
    """
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def joined(choices: Iterable[str]) -> str:
    """Things to choose from, as words.

    >>> joined(["raise max_epochs", "", "lower the budget"])
    'raise max_epochs, or lower the budget'
    """
    return ", or ".join(choice for choice in choices if choice)


def what_binds(labels: Iterable[LabelBounds]) -> str:
    """Where labels stop that are drawn as far as they can be.

    >>> what_binds([])
    'there is no text'
    """
    labels = list(labels)
    drawn = [each for each in labels if each.rate and each.upper]
    limits = Counter(each.limit for each in drawn).most_common()
    parts = [f"{counted(number)} at {limit}" for limit, number in limits]
    silent = sum(each.available for each in labels if not each.rate)
    if silent:
        number = sum(1 for each in labels if not each.rate and each.available)
        parts.append(f"{counted(number)} with {amount(silent)} at a rate of 0")
    return ", ".join(parts) or "there is no text"


def remedies(labels: Iterable[LabelBounds]) -> list[str]:
    """What would let labels be drawn further."""
    labels = list(labels)
    limits = {each.limit for each in labels if each.rate and each.upper}
    if not limits and any(each.available for each in labels):
        return ["give tiers of rate 0 another rate"]
    return [advice for limit, advice in _REMEDIES.items() if limit in limits]


def names_of(labels: Iterable[LabelBounds]) -> tuple[str, ...]:
    """Names of labels, those with the most text first."""
    return tuple(each.name for each in sorted(labels, key=lambda each: -each.available))


def findings_of_labels(labels: list[LabelBounds], options: recipe.Mix) -> Iterator[Finding]:
    """What the recipe wants of single labels and cannot have, and what it names in vain."""
    yield from _unreachable(labels, options)
    lifted = [each for each in labels if each.lifted and (each.rate or each.wanted)]
    if lifted:
        yield _only_capped(lifted, options)
    yield from _unknown_labels(labels, options)
    yield from _unknown_domains(labels, options)


def _unreachable(labels: list[LabelBounds], options: recipe.Mix) -> Iterator[Finding]:
    for each in labels:
        if each.wanted > each.upper * (1 + TOLERANCE):
            yield Finding(
                kind="min",
                subject=each.name,
                wanted=each.wanted,
                possible=each.upper,
                binding=each.limit,
                labels=(each.name,),
                message=f"{each.name} is to have {amount(each.wanted)} {options.unit} at least, "
                f"and can have {amount_below(each.upper)} ({each.limit})",
                advice=joined([_REMEDIES.get(each.limit, ""), _lower_min(each)]),
            )


def _lower_min(label: LabelBounds) -> str:
    possible = amount_below(label.upper)
    return "take it out" if possible == "0" else f"lower its 'min' to {possible}"


def _only_capped(lifted: list[LabelBounds], options: recipe.Mix) -> Finding:
    names = names_of(lifted)
    domains = sorted({domain for each in lifted for domain in each.domains})
    return Finding(
        kind="domain_cap",
        subject="domain_caps",
        wanted=sum(each.available for each in lifted),
        binding="domain_cap",
        labels=names,
        message=f"'domain_caps' leave nothing of {counted(len(names))} ({some_of(names)}): the "
        f"caps of the domains that they have add up to less than 1 ({some_of(domains)})",
        advice=_LIFTED if options.on_infeasible == "relax" else _LIFT,
    )


def _unknown_labels(labels: list[LabelBounds], options: recipe.Mix) -> Iterator[Finding]:
    there = {each.name: each for each in labels}
    named: dict[str, str] = {}
    if isinstance(options.max_epochs, MaxEpochs):
        named |= dict.fromkeys(options.max_epochs.labels, "max_epochs.labels")
    named |= dict.fromkeys(options.labels, "labels")
    for name, option in named.items():
        category, _, label = name.partition("/")
        if name in there or category in options.exclude:
            continue
        others = [each.name for each in labels if each.label == label]
        wanted = options.options_of(category, label).min
        yield Finding(
            kind="min" if wanted else "unknown_label",
            subject=name,
            wanted=wanted or 0.0,
            labels=(name,),
            message=f"'{option}' names {name}, of which there is no text",
            advice=f"did you mean {some_of(others)}?" if others else "take it out",
            stops=wanted is not None,
        )


def _unknown_domains(labels: list[LabelBounds], options: recipe.Mix) -> Iterator[Finding]:
    there = sorted({domain for each in labels for domain in each.domains} - {""})
    for domain in options.domain_caps:
        if domain not in (EVERY_DOMAIN, *there):
            known = did_you_mean(domain, there) if there else "no source names a domain"
            yield Finding(
                kind="unknown_domain",
                subject=f"domain_caps.{domain}",
                message=f"'domain_caps' names '{domain}', of which there is no text",
                advice=known,
                stops=False,
            )


def held_back(labels: list[LabelBounds], options: recipe.Mix) -> Iterator[Finding]:
    """What is said of labels that caps of domains keep from being drawn further."""
    if labels:
        names = names_of(labels)
        there, possible = (sum(getattr(e, n) for e in labels) for n in ("available", "upper"))
        yield Finding(
            kind="held_back",
            subject="domain_caps",
            wanted=there,
            possible=possible,
            binding="domain_cap",
            labels=names,
            message=f"'domain_caps' hold {counted(len(names))} back ({some_of(names)}): of "
            f"{amount(there)} {options.unit} there can be drawn {amount(possible)}",
            advice="more would put one of the domains above its cap",
            stops=False,
        )
