"""Command `glotmill plan`: what a recipe would draw, write and cost, before it is run."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace

import pyarrow as pa
from rich.console import Console

from glotmill.dashboard.plan_page import PlanReport, render_plan
from glotmill.pipelines.errors import UserError
from glotmill.pipelines.plan import mean_weights_of, refuse_infeasible
from glotmill.pipelines.planning.counts import read_counts
from glotmill.pipelines.planning.figures import (
    Figures,
    figures_of_counts,
    figures_of_run,
    figures_of_sample,
)
from glotmill.pipelines.planning.finished import has_counts, what_differs
from glotmill.pipelines.planning.frame import draw
from glotmill.pipelines.planning.inputs import framed_inputs
from glotmill.pipelines.planning.printing import print_mixture, print_report, print_sources
from glotmill.pipelines.planning.report import plan_report
from glotmill.pipelines.planning.sampling import Sampler
from glotmill.schemas.loading import LoadedRecipe
from glotmill.transforms import storage
from glotmill.transforms.bounds import Group
from glotmill.transforms.compose import AVAILABLE_PATH
from glotmill.transforms.findings import findings_json
from glotmill.transforms.plan import MixturePlan, plan_csv, plan_mixture
from glotmill.transforms.tables import read_table, write_table

#: Folder of the files; that of the stage is `mix`.
FOLDER = "plan"
#: Text that is read where neither a run nor a table tells what there is.
DEFAULT_SAMPLE = "64MB"

# Of an hour of one core; more times many hours and cores would be no number.
_MOST_PRICE = 1e9
_UNITS = {"B": 1, "kB": 10**3, "MB": 10**6, "GB": 10**9, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30}


@dataclass(frozen=True, kw_only=True)
class PlanOptions:
    """What the user says besides the recipe.

    Attributes:
        out: output directory, `out/NAME` where it is absent; a run of the same recipe whose stage
            `compose` is done says there what it has.
        counts: a table of counts to plan from instead, CSV or Parquet.
        sample: how much text to read of the inputs, as `64MB`; where it is named a sample is taken
            even if there is a run.
        workers: processes, slots and machines to tell hours for; None tells them for some sizes.
        core_hour: what an hour of one core costs.
    """

    out: str | None = None
    counts: str | None = None
    sample: str | None = None
    workers: int | None = None
    core_hour: float | None = None


def plan_command(
    console: Console, loaded: LoadedRecipe, options: PlanOptions | None = None
) -> MixturePlan:
    """Plans a recipe, prints the plan and writes it to `OUT/plan`.

    The counts are those of a table, of a run, or estimates from a sample of the inputs.

    Args:
        console: to print to.
        loaded: the recipe.
        options: of the user.

    Raises:
        UserError: an option or an input is unfit, or the recipe asks for what there is not.
    """
    options = options or PlanOptions()
    _check_price(options.core_hour)
    root = (options.out or f"out/{loaded.recipe.name}").rstrip("/")
    figures, weights = _figures(console, loaded, options, root)
    console.print(f"counts: {figures.told_by}", markup=False, emoji=False)
    mix = loaded.recipe.mix
    mixture = plan_mixture(figures.available, mix, weights)
    if not figures.sampled:
        refuse_infeasible(mixture, mix, loaded.position)
    report = plan_report(
        loaded.recipe, figures, mixture, workers=options.workers, core_hour=options.core_hour
    )
    # Before anything is printed: who reads that may have seen enough, as `head` has.
    files = write_plan(root, mixture, report, figures.estimated)
    print_sources(console, report)
    print_mixture(console, mixture, mix, figures.errors(mix.counted))
    print_report(console, report)
    console.print(f"wrote {', '.join(files)} to {root}/{FOLDER}", markup=False, emoji=False)
    if figures.sampled:  # what was estimated is worth a look even if the recipe asks for more
        refuse_infeasible(mixture, mix, loaded.position)
    return mixture


def _figures(
    console: Console, loaded: LoadedRecipe, options: PlanOptions, root: str
) -> tuple[Figures, Mapping[Group, float]]:
    """Where the counts are from, and the weights of rehydration where a run tells them."""
    recipe = loaded.recipe
    if options.counts is not None and options.sample is not None:
        raise UserError("--counts and --sample both say what to plan from; name one of them")
    if options.counts is not None:
        return figures_of_counts(read_counts(options.counts, recipe.mix), recipe), {}
    if options.sample is not None or not has_counts(root):
        return _sampled(console, loaded, options), {}
    if (why := what_differs(loaded, root)) is not None:
        figures = _sampled(console, loaded, options)
        told_by = f"{figures.told_by}, as the run in {root} {why}"
        return replace(figures, told_by=told_by), {}
    figures = figures_of_run(root, read_table(f"{root}/{AVAILABLE_PATH}"), recipe)
    return figures, mean_weights_of(root, recipe.mix)


def _sampled(console: Console, loaded: LoadedRecipe, options: PlanOptions) -> Figures:
    budget = parse_size(options.sample or DEFAULT_SAMPLE)

    def tell(text: str) -> None:
        console.print(text, markup=False, emoji=False)

    drawn = draw(framed_inputs(loaded), budget, loaded.recipe.seed)
    sampler = Sampler(loaded.recipe)
    sampled = sampler.sample(drawn, tell)
    return figures_of_sample(loaded.recipe, sampled, sampler)


def _check_price(core_hour: float | None) -> None:
    if core_hour is not None and not (math.isfinite(core_hour) and 0 <= core_hour <= _MOST_PRICE):
        raise UserError(
            f"--core-hour {core_hour:g} is no price of an hour: it is 0 to {_MOST_PRICE:,.0f}"
        )


def parse_size(text: str) -> int:
    """Bytes that a text such as `64MB` or `1.5 GiB` names.

    Raises:
        UserError: it names no size.

    >>> parse_size("64MB"), parse_size("1.5 KiB")
    (64000000, 1536)
    """
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([A-Za-z]+)\s*", text)
    unit = _UNITS.get(match[2]) if match else None
    if match is None or unit is None or float(match[1]) == 0:
        known = ", ".join(_UNITS)
        raise UserError(f"--sample '{text}' is no size; write a number and one of {known}: 64MB")
    return round(float(match[1]) * unit)


def write_plan(
    root: str, mixture: MixturePlan, report: PlanReport, estimated: pa.Table
) -> list[str]:
    """Writes the plan, the targets of domains, findings, estimates and the page.

    Returns:
        Names of the files.
    """
    tables = {"plan.parquet": mixture.plan, "rates.parquet": mixture.rates}
    if report.sources:
        tables["estimates.parquet"] = estimated
    texts = {
        "plan.csv": plan_csv(mixture.plan),
        "findings.json": findings_json(mixture.findings),
        "plan.json": _json(asdict(report)),
        "plan.html": render_plan(report).encode(),
    }
    for name, table in tables.items():
        write_table(root, f"{FOLDER}/{name}", table)
    for name, text in texts.items():
        storage.write_atomically(f"{root}/{FOLDER}/{name}", text)
    return [*tables, *texts]


def _json(value: object) -> bytes:
    return json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False).encode()
