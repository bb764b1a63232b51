"""Exports: the numbers of the page as tables, and as metrics that Prometheus reads."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

import pyarrow as pa

from glotmill.dashboard.mixture import Mixture
from glotmill.dashboard.overview import Kind, Report

#: One row a label and category of documents; written to `statistics/languages.parquet`.
LANGUAGES = pa.schema(
    [
        pa.field("label", pa.string(), nullable=False),
        pa.field("name", pa.string(), nullable=False),
        pa.field("category", pa.string(), nullable=False),
        # Null where the mixture leaves the category out.
        pa.field("tier", pa.string()),
        pa.field("rate", pa.float64()),
        pa.field("num_sources", pa.int64(), nullable=False),
        *(
            pa.field(f"num_{step}_{unit}", pa.int64(), nullable=False)
            for step in ("kept", "available", "sampled", "validation", "excluded")
            for unit in ("documents", "bytes", "words")
        ),
        pa.field("num_dropped_documents", pa.int64(), nullable=False),
        pa.field("num_duplicate_documents", pa.int64(), nullable=False),
        pa.field("contradicted_share", pa.float64(), nullable=False),
        # Available words by domain; "" for those of sources that name none.
        pa.field("words_by_domain", pa.map_(pa.string(), pa.int64()), nullable=False),
        pa.field("warnings", pa.list_(pa.string()), nullable=False),
    ]
)

#: One row a label and category; written to `statistics/mixture.parquet`.
MIXTURE = pa.schema(
    [
        pa.field("category", pa.string(), nullable=False),
        pa.field("label", pa.string(), nullable=False),
        pa.field("tier", pa.string(), nullable=False),
        # In the unit that the recipe counts by, as all below.
        pa.field("unit", pa.string(), nullable=False),
        pa.field("rate", pa.float64(), nullable=False),
        pa.field("available", pa.float64(), nullable=False),
        pa.field("planned", pa.float64(), nullable=False),
        pa.field("realised", pa.int64(), nullable=False),
        pa.field("binding", pa.string(), nullable=False),
        pa.field("relaxed", pa.string(), nullable=False),
    ]
)


def languages_table(report: Report) -> pa.Table:
    """The table of languages, in the schema LANGUAGES."""
    rows = []
    for row in report.languages:
        flow = row.flow
        steps = {
            "kept": flow.kept, "available": row.available, "sampled": row.sampled,
            "validation": row.validation, "excluded": flow.excluded,
        }  # fmt: skip
        rows.append(
            {
                **{name: getattr(row, name) for name in LANGUAGES.names[:6]},
                **{
                    f"num_{s}_{u}": n
                    for s, amount in steps.items()
                    for u, n in vars(amount).items()
                },
                "num_dropped_documents": flow.dropped.documents,
                "num_duplicate_documents": flow.duplicates.documents,
                "contradicted_share": row.contradicted_share,
                "words_by_domain": [(each.name, each.available.words) for each in row.domains],
                "warnings": [each.text for each in row.warnings],
            }
        )
    return pa.Table.from_pylist(rows, schema=LANGUAGES)


def mixture_table(mixture: Mixture) -> pa.Table:
    """The plan against what was drawn, in the schema MIXTURE."""
    rows = [{"unit": mixture.unit, **vars(row)} for row in mixture.labels]
    return pa.Table.from_pylist(rows, schema=MIXTURE)


# ------------------------------------------------------------ metrics

_Labels = Mapping[str, str]
_Sample = tuple[_Labels, float]
_STEPS = (
    "read", "rejected", "dropped", "kept", "duplicates", "surviving", "excluded", "unsampled",
    "train", "repeated", "validation",
)  # fmt: skip


def metrics(report: Report) -> bytes:
    """The totals in the text format of Prometheus, version 0.0.4; all are gauges.

    Documents and pairs have metrics of their own, as their sums would mean nothing.
    """
    lines: list[str] = []
    for kind in report.kinds:
        lines += _family(
            f"glotmill_{kind.name}",
            f"Number of {kind.name} by what became of them, source and category.",
            _by_step(kind, "documents"),
        )
        for unit in ("bytes", "words"):
            about = f"{unit.capitalize()} of {kind.name} by what became of them."
            lines += _family(f"glotmill_{kind.name}_{unit}", about, _by_step(kind, unit))
        dropped = f"Number of {kind.name} dropped, by source and reason."
        lines += _family(f"glotmill_{kind.name}_dropped", dropped, _by_reason(kind))
    lines += _family("glotmill_labels", "Labels of documents.", _labels(report))
    lines += _family("glotmill_checks", "Checks of the report.", _checks(report))
    cost = "CPU seconds of ingest by source and step."
    lines += _family("glotmill_ingest_cpu_seconds", cost, _cpu_seconds(report))
    stages = "Seconds that each stage took on the wall clock."
    # Its own time is known only when it is made again, and then it must have the same bytes.
    timed = [each for each in report.gathered.times if each.stage != "report"]
    times = [({"stage": each.stage}, each.seconds) for each in timed]
    lines += _family("glotmill_stage_seconds", stages, times)
    return ("\n".join(lines) + "\n").encode()


def _by_step(kind: Kind, unit: str) -> Iterator[_Sample]:
    for row in kind.sources:
        for step in _STEPS:
            labels = {"source": row.source.name, "category": row.source.category, "step": step}
            yield labels, getattr(getattr(row.flow, step), unit)


def _by_reason(kind: Kind) -> Iterator[_Sample]:
    for row in kind.sources:
        for reason, amount in row.flow.reasons.items():
            yield {"source": row.source.name, "reason": reason}, amount.documents


def _labels(report: Report) -> Iterator[_Sample]:
    yield {"step": "available"}, report.figures.num_available_labels
    yield {"step": "sampled"}, report.figures.num_labels


def _checks(report: Report) -> Iterator[_Sample]:
    yield {"result": "failed"}, len(report.failed)
    yield {"result": "passed"}, report.num_checks - len(report.failed)


def _cpu_seconds(report: Report) -> Iterator[_Sample]:
    for row in report.costs:
        if row.source:
            yield from (({"source": row.source, "step": s}, n) for s, n in row.steps.items())


def _family(name: str, about: str, samples: Iterable[_Sample]) -> list[str]:
    """A metric family; nothing where it has no sample."""
    lines = [f"{name}{{{_braced(labels)}}} {value:.17g}" for labels, value in samples]
    return [f"# HELP {name} {about}", f"# TYPE {name} gauge", *lines] if lines else []


def _braced(labels: _Labels) -> str:
    return ",".join(f'{name}="{_escaped(value)}"' for name, value in labels.items())


def _escaped(value: str) -> str:
    r"""A label's value as the format wants it.

    >>> _escaped('a"b\n')
    'a\\"b\\n'
    """
    return value.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
