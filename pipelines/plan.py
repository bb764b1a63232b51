"""Command `glotmill plan`: what a recipe would draw, before anything is drawn."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq
from rich.console import Console
from rich.table import Table

from glotmill.dashboard.formats import compact, percent
from glotmill.pipelines.errors import UserError
from glotmill.schemas import recipe
from glotmill.schemas.loading import LoadedRecipe
from glotmill.schemas.mixture import text_key
from glotmill.schemas.problems import Position
from glotmill.schemas.tables import AVAILABLE
from glotmill.schemas.tiers import CategoryTiers
from glotmill.transforms import storage
from glotmill.transforms.cluster_sizes import PATH as CLUSTERS_PATH
from glotmill.transforms.compose import AVAILABLE_PATH, SIZES_PATH
from glotmill.transforms.plan import Group, MixturePlan, plan_csv, plan_mixture
from glotmill.transforms.rehydrate import Weights, mean_weights, rehydration
from glotmill.transforms.tables import read_table, write_table

#: Folder of the files; that of the stage is `mix`.
FOLDER = "plan"

_MOST_ROWS = 20
# The key of the recipe that a finding is about.
_KEYS = {
    "budget": "budget",
    "share": "shares",
    "min": "labels",
    "mins": "labels",
    "domain_cap": "domain_caps",
    "no_text": "shares",
    "no_share": "shares",
}
# Columns of the printed tables.
_NAMES = ("category", "label", "tier")
_AMOUNTS = ("available", "epochs", "drawn", "share")
# What a table of counts need not have: the text is all for training, of one category.
_DEFAULTS: Mapping[str, object] = {
    "category": "monolingual",
    "domain": "",
    "split": "train",
    "again": False,
    "num_documents": 1,
}


def plan_command(
    console: Console, loaded: LoadedRecipe, out: str | None = None, counts: str | None = None
) -> MixturePlan:
    """Plans the mixture of a recipe, prints it and writes it to `OUT/plan`.

    Args:
        console: to print to.
        loaded: the recipe.
        out: output directory, `out/NAME` where it is absent; a run whose stage `compose` is done
            says there what it has.
        counts: a table of counts to plan from instead, CSV or Parquet.

    Raises:
        UserError: there are no counts, or the recipe asks for what they do not give.
    """
    mix = loaded.recipe.mix
    root = (out or f"out/{loaded.recipe.name}").rstrip("/")
    weights: Mapping[Group, float] = {}
    if counts is None:
        available = _counts_of_run(root)
        weights = mean_weights_of(root, mix)
    else:
        available = read_counts(counts, mix)
    mixture = plan_mixture(available, mix, weights)
    refuse_infeasible(mixture, mix, loaded.position)
    print_plan(console, mixture, mix)
    files = write_plan(root, mixture)
    console.print(f"wrote {', '.join(files)} to {root}/{FOLDER}", markup=False, emoji=False)
    return mixture


def refuse_infeasible(
    mixture: MixturePlan, mix: recipe.Mix, position: Callable[..., Position] | None = None
) -> None:
    """Ends where a recipe cannot be met and does not allow to come near.

    Args:
        mixture: the plan.
        mix: the recipe's section.
        position: where a key of the recipe was written, if that is known.

    Raises:
        UserError: with all that cannot be had.
    """
    if not mixture.infeasible or mix.on_infeasible == "relax":
        return
    lines = []
    for finding in mixture.infeasible:
        where = f"{position('mix', _KEYS[finding.kind])}: " if position else ""
        lines.append(f"{where}{finding}")
    raise UserError("\n".join(lines))


def _counts_of_run(root: str) -> pa.Table:
    path = f"{root}/{AVAILABLE_PATH}"
    if not storage.exists(path):
        raise UserError(
            f"no counts in {root}: 'glotmill run RECIPE --out {root}' makes them, or give a table "
            "of counts with --counts"
        )
    return read_table(path)


def mean_weights_of(root: str, mix: recipe.Mix) -> Mapping[Group, float]:
    """What rehydration multiplies the rate of each category and label by, on average.

    Args:
        root: an output directory whose stage `compose` is done.
        mix: the recipe's section.
    """
    if mix.rehydrate is None:
        return {}
    clusters = read_table(f"{root}/{CLUSTERS_PATH}")
    weights = Weights.read(rehydration(mix.rehydrate, clusters, mix.exclude))
    return mean_weights(read_table(f"{root}/{SIZES_PATH}"), weights, mix.counted)


def read_counts(path: str, mix: recipe.Mix) -> pa.Table:
    """A table of counts, in the schema AVAILABLE.

    It has a column `label` and one in the unit of the recipe, such as `num_words`, and may have any
    other column of AVAILABLE. All of it is taken to be for training where it names no split.

    Raises:
        UserError: the file cannot be read, lacks a column, or holds what no count is.
    """
    table = _read(path)
    missing = [name for name in ("label", mix.counted) if name not in table.schema.names]
    if missing:
        raise UserError(
            f"{path}: no column '{missing[0]}'; there are {', '.join(table.schema.names)} "
            f"('count_by: {mix.count_by}' in the recipe wants '{mix.counted}')"
        )
    columns = [_column(table, field, path) for field in AVAILABLE]
    counts = pa.Table.from_arrays(columns, schema=AVAILABLE)
    _check_names(counts, "category", set(CategoryTiers.model_fields), path)
    _check_names(counts, "split", {"train", "validation", "excluded"}, path)
    return counts


def _check_names(counts: pa.Table, column: str, known: set[str], path: str) -> None:
    unknown = set(counts.column(column).to_pylist()) - known
    if unknown:
        names = ", ".join(sorted(known))
        raise UserError(f"{path}: unknown {column} '{min(unknown)}'; there are {names}")


def _read(path: str) -> pa.Table:
    try:
        with storage.open_input(path) as source:
            if path.endswith(".parquet"):
                return pq.read_table(source)
            return pa_csv.read_csv(source)
    except (OSError, pa.ArrowException) as error:
        raise UserError(f"{path}: no table of counts: {error}") from None


def _column(table: pa.Table, field: pa.Field, path: str) -> pa.ChunkedArray:
    if field.name not in table.schema.names:
        value = _DEFAULTS.get(field.name, 0)
        return pa.chunked_array([pa.repeat(pa.scalar(value, field.type), table.num_rows)])
    column = table.column(field.name)
    try:
        column = column.cast(field.type)
    except pa.ArrowException as error:
        raise UserError(f"{path}: column '{field.name}': {error}") from None
    if pa.types.is_string(field.type):
        return pc.fill_null(column, "")
    if column.null_count or (pa.types.is_integer(field.type) and pc.min(column).as_py() < 0):
        raise UserError(f"{path}: column '{field.name}' has rows without a count, or below 0")
    return column


def write_plan(root: str, mixture: MixturePlan) -> list[str]:
    """Writes the plan, the targets of domains and the findings.

    Returns:
        Names of the files.
    """
    folder = f"{root}/{FOLDER}"
    write_table(root, f"{FOLDER}/plan.parquet", mixture.plan)
    write_table(root, f"{FOLDER}/rates.parquet", mixture.rates)
    findings = [{**asdict(finding), "text": str(finding)} for finding in mixture.findings]
    text = json.dumps(findings, indent=2, ensure_ascii=False)
    storage.write_atomically(f"{folder}/plan.csv", plan_csv(mixture.plan))
    storage.write_atomically(f"{folder}/findings.json", text.encode())
    return ["plan.parquet", "plan.csv", "rates.parquet", "findings.json"]


# -------------------------------------------------------------- printing


def print_plan(console: Console, mixture: MixturePlan, mix: recipe.Mix) -> None:
    """Prints totals, the largest and the most repeated labels, and the findings."""
    rows = mixture.plan.to_pylist()
    drawn = [row for row in rows if row["planned_count"]]
    console.print(_totals(rows, mix))
    for title, shown in _shown(drawn):
        console.print(_labels(title, shown))
    if len(drawn) > _MOST_ROWS:
        console.print(f"{len(drawn):,} labels are drawn; the files list them all")
    if len(drawn) < len(rows):
        silent = len(rows) - len(drawn)
        console.print(f"{silent:,} labels are not drawn; 'binding' in the files says why")
    for finding in mixture.findings:
        kind = "not met" if finding.stops else "note"
        console.print(f"{kind}: {finding}", markup=False, emoji=False)


def _shown(rows: list[dict[str, Any]]) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """Titles and rows of the tables of labels: all of them, or those at two ends."""
    largest = sorted(rows, key=lambda row: -row["planned_count"])
    if len(rows) <= _MOST_ROWS:
        yield "Labels", largest
        return
    repeated = sorted(largest, key=lambda row: -row["epochs"])
    yield f"The {_MOST_ROWS // 2} largest labels", largest[: _MOST_ROWS // 2]
    yield f"The {_MOST_ROWS // 2} most repeated labels", repeated[: _MOST_ROWS // 2]


def _totals(rows: Sequence[Mapping[str, Any]], mix: recipe.Mix) -> Table:
    title = f"Mixture by {mix.strategy}, in {mix.unit}"
    table = _table(title, "category", "tier", "labels", *_AMOUNTS)
    for category in dict.fromkeys(row["category"] for row in rows):
        inside = [row for row in rows if row["category"] == category]
        tiers = dict.fromkeys(row["tier"] for row in _by_size(inside))
        if len(tiers) > 1:
            for tier in tiers:
                _add(table, [category, tier], [row for row in inside if row["tier"] == tier])
        _add(table, [category, "all" if len(tiers) > 1 else next(iter(tiers))], inside)
    _add(table, ["all", ""], rows)
    return table


def _by_size(rows: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    return sorted(rows, key=lambda row: -row["available"])


def _add(table: Table, names: list[str], rows: Sequence[Mapping[str, Any]]) -> None:
    total = {name: sum(row[name] for row in rows) for name in ("available", "planned_count")}
    total["share"] = sum(row["share"] for row in rows)
    num_drawn = sum(1 for row in rows if row["planned_count"])
    table.add_row(*names, f"{num_drawn:,} of {len(rows):,}", *_amounts(total))


def _amounts(row: Mapping[str, Any]) -> list[str]:
    there, drawn = row["available"], row["planned_count"]
    epochs = f"{drawn / there:.2f}" if there else "-"
    return [compact(there), epochs, compact(drawn), percent(row["share"])]


def _labels(title: str, rows: Sequence[Mapping[str, Any]]) -> Table:
    table = _table(title, "label", "rate", *_AMOUNTS)
    table.add_column("binding")
    for row in rows:
        binding = ", ".join(filter(None, [row["binding"], row["relaxed"] and "relaxed"]))
        name = text_key(row["category"], row["label"])
        table.add_row(name, f"{row['rate']:.3g}", *_amounts(row), binding)
    return table


def _table(title: str, *columns: str) -> Table:
    table = Table(title=title, title_justify="left", box=None)
    for name in columns:
        table.add_column(name, justify="left" if name in _NAMES else "right")
    return table
