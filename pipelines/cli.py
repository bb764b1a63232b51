"""The command line; `outcome` says what becomes of errors."""

from __future__ import annotations

import json
import logging
import os
import shlex
import sys
import webbrowser
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Literal

import typer
from rich.console import Console

from glotmill.pipelines.errors import UserError
from glotmill.pipelines.outcome import exit_code
from glotmill.schemas.loading import LoadedRecipe, load_recipe
from glotmill.schemas.recipe import json_schema
from glotmill.schemas.wording import counted

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Multilingual text and bitext to training shards.",
)
# Paths and labels may look like the name of an emoji.
_out = Console(highlight=False, soft_wrap=True, emoji=False)
_err = Console(stderr=True, highlight=False, soft_wrap=True, emoji=False)

RecipePath = Annotated[str, typer.Argument(help="The recipe, or its URI.", show_default=False)]
Runner = Literal["local", "prism", "flink", "dataflow"]
OnStop = Literal["ask", "cancel", "leave"]


def _tell(text: str) -> None:
    _out.print(text, markup=False, emoji=False)


def _tell_next(*words: object) -> None:
    """Tells a command that goes on, as a shell takes it."""
    _tell(f"next: {shlex.join(['glotmill', *map(str, words)])}")


@contextmanager
def _whole(root: str) -> Iterator[None]:
    """A run whose manifests hold what they promise.

    Raises:
        UserError: a file is missing.
    """
    from glotmill.dashboard import IncompleteRun

    try:
        yield
    except IncompleteRun as error:
        raise UserError(str(error)) from None
    except FileNotFoundError as error:
        path = error.filename or error
        raise UserError(
            f"{path} is listed in the manifests of {root} and missing: run the recipe again"
        ) from None


def _root(out: str) -> str:
    """The output directory that is named, without slashes at its end.

    Raises:
        UserError: it can be none.
    """
    from glotmill.pipelines.output_directory import output_directory

    return output_directory(out)


def _version(wanted: bool) -> None:
    if wanted:
        _out.print(f"glotmill {version('glotmill')}")
        raise typer.Exit


@app.callback()
def _main(
    _: Annotated[
        bool,
        typer.Option(
            "--version", callback=_version, is_eager=True, help="Print the version.",
            show_default=False,
        ),
    ] = False,
) -> None:  # fmt: skip
    """Multilingual text and bitext to training shards."""


@app.command()
def init(
    folder: Annotated[Path, typer.Argument(help="Where to write it.")] = Path("glotmill-sample"),
) -> None:
    """Write a commented recipe next to a small real sample."""
    from glotmill.pipelines.init import write_sample

    recipe = write_sample(folder)
    _tell(f"wrote {recipe} and its sample")
    _tell_next("run", recipe)


def _load(recipe: str) -> LoadedRecipe:
    if "://" not in recipe:
        return load_recipe(recipe)
    from glotmill.transforms import storage

    try:
        return load_recipe(recipe, storage.read_bytes)
    except (FileNotFoundError, ValueError) as error:
        raise UserError(f"{recipe} cannot be read: {error}") from None


@app.command()
def check(recipe: RecipePath) -> None:
    """Check a recipe; all errors at once, no data is read."""
    loaded = _load(recipe)
    from glotmill.pipelines.run import check_stages

    check_stages(loaded)
    sources = counted(len(loaded.recipe.sources), "source")
    _tell(f"{recipe} is a good recipe: '{loaded.recipe.name}', {sources}")
    _tell_next("run", recipe)


@app.command()
def plan(
    recipe: RecipePath,
    out: Annotated[
        str | None, typer.Option(help="Output directory.", show_default="out/NAME")
    ] = None,
    counts: Annotated[
        str | None, typer.Option(help="A table of counts to plan from, CSV or Parquet.")
    ] = None,
    sample: Annotated[
        str | None,
        typer.Option(help="How much text of the inputs to read.", show_default="64MB"),
    ] = None,
    workers: Annotated[
        int | None, typer.Option(min=1, help="Processes, slots and machines to tell hours for.")
    ] = None,
    core_hour: Annotated[
        float | None, typer.Option(min=0, help="Price of an hour of one core, here and on Flink.")
    ] = None,
) -> None:
    """Show what a recipe would draw, write and cost, and what cannot be had."""
    from glotmill.pipelines.planning.command import PlanOptions, plan_command

    options = PlanOptions(
        out=out, counts=counts, sample=sample, workers=workers, core_hour=core_hour
    )
    loaded = _load(recipe)
    if out is not None:
        _root(out)
    plan_command(_out, loaded, options)
    _tell_next("run", recipe, *([] if out is None else ["--out", out]))


@app.command()
def run(
    recipe: RecipePath,
    out: Annotated[
        str | None, typer.Option(help="Output directory.", show_default="out/NAME")
    ] = None,
    workers: Annotated[
        int | None, typer.Option(min=1, help="Processes that work.", show_default="all cores")
    ] = None,
    dashboard: Annotated[
        bool, typer.Option("--dashboard", help="Serve the growing report on this machine.")
    ] = False,
    runner: Annotated[Runner, typer.Option(help="The engine.")] = "local",
    prism: Annotated[
        Path | None, typer.Option(help="Prism: its binary.", show_default="prism on PATH")
    ] = None,
    flink_master: Annotated[
        str | None, typer.Option(help="Flink: HOST:PORT of its REST interface, or \\[local].")
    ] = None,
    job_server: Annotated[
        str | None,
        typer.Option(help="Flink: Beam's job server.", show_default="localhost:8099"),
    ] = None,
    start_timeout: Annotated[
        float, typer.Option(min=1, help="Seconds in which a remote worker has to start.")
    ] = 300,
    on_stop: Annotated[
        OnStop, typer.Option(help="What Ctrl-C does to a remote job; without a terminal: cancel.")
    ] = "ask",
    beam: Annotated[
        list[str] | None,
        typer.Argument(help="Behind --: options of Beam and of the engine.", show_default=False),
    ] = None,
) -> None:
    """Run a recipe, on this machine or on an engine; what is done already is skipped."""
    loaded = _load(recipe)
    from glotmill.pipelines.engines.session import EngineOptions, open_engine
    from glotmill.pipelines.live import LiveView, TimedProgress
    from glotmill.pipelines.progress import Reporter
    from glotmill.pipelines.run import execute, prepare
    from glotmill.pipelines.stages.base import Job
    from glotmill.pipelines.summary import print_summary

    root = _root(out or f"out/{loaded.recipe.name}")
    options = EngineOptions(
        runner=runner,
        workers=workers,
        prism=prism,
        flink_master=flink_master,
        job_server=job_server,
        start_seconds=start_timeout,
        on_stop=on_stop,
        beam=beam or (),
    )
    with open_engine(options, _tell) as engine:
        root = engine.resolve(root)
        lock = prepare(loaded, root, _tell)
        with engine.session(lock, root, _tell) as session, Reporter(_out) as reporter:
            progress = TimedProgress(root, session.watch(reporter))
            with LiveView(root, progress) if dashboard else nullcontext() as live:
                if live is not None:
                    _tell(f"report so far: {live.address}")
                job = Job(lock, root, session.run, workers, progress, loaded.position)
                manifests = execute(job, session.held)
    print_summary(_out, lock.recipe, root, manifests)
    _tell_next("report", root)


@app.command()
def report(
    out: Annotated[str, typer.Argument(help="Output directory of a run.", show_default=False)],
    rebuild: Annotated[bool, typer.Option("--rebuild", help="Make the page anew.")] = False,
    training: Annotated[
        list[str] | None,
        typer.Option(help="Show what was trained on it: a train.yaml, or the folder of a run."),
    ] = None,
) -> None:
    """Open the report of a finished run."""
    from glotmill.pipelines.report import find_report

    page = find_report(_root(out), rebuild=rebuild, training=training or ())
    _tell(page)
    # A browser does not open what lies in a store.
    if sys.stdout.isatty() and "://" not in page:
        webbrowser.open(Path(page).absolute().as_uri())


@app.command()
def diff(
    before: Annotated[str, typer.Argument(help="Output directory of a run.", show_default=False)],
    after: Annotated[str, typer.Argument(help="That of another.", show_default=False)],
    page: Annotated[
        str | None, typer.Option(help="Write all differences to this HTML file.")
    ] = None,
) -> None:
    """Show how a second finished run differs from a first."""
    from glotmill.pipelines.diff import compare_runs, print_difference, summary, write_page

    found = compare_runs(_root(before), _root(after))
    # Lines that a program reads have no others among them.
    told = _out if _out.is_terminal else _err
    # First, as what reads the lines may not wait for the last.
    if page is not None:
        try:
            write_page(page, found)
        except OSError as error:
            raise UserError(f"--page: {page} cannot be written: {error}") from None
        told.print(f"wrote {page}", markup=False)
    print_difference(_out, found)
    told.print(summary(found))


@app.command()
def inspect(
    out: Annotated[str, typer.Argument(help="Output directory of a run.", show_default=False)],
    label: Annotated[
        str | None, typer.Option(help="Declared or identified label, as swh_Latn.")
    ] = None,
    reason: Annotated[
        str | None, typer.Option(help="Show dropped documents, those of this reason.")
    ] = None,
    source: Annotated[str | None, typer.Option(help="Name of a source.")] = None,
    sort: Annotated[
        Literal["random", "score", "length"] | None,
        typer.Option(help="Show single documents: a random sample, the worst scores, the longest."),
    ] = None,
    match: Annotated[
        str | None, typer.Option(help="Show single documents with this regular expression.")
    ] = None,
    kept: Annotated[bool, typer.Option("--kept", help="Show single documents, kept ones.")] = False,
    limit: Annotated[int, typer.Option(min=1, help="Most rows.")] = 20,
) -> None:
    """Show where labels may be wrong, what was dropped, or single documents."""
    from glotmill.pipelines import inspect as inspection
    from glotmill.pipelines.paging import paged

    root = _root(out)
    wanted = inspection.Wanted(
        label=label, reason=reason, source=source, limit=limit, sort=sort, match=match, kept=kept
    )
    with _whole(root):
        rows = inspection.inspect(root, wanted)
    with paged(_out):
        inspection.print_rows(_out, rows)
    if _out.is_terminal:
        _tell_next("report", root)


@app.command()
def trace(
    out: Annotated[str, typer.Argument(help="Output directory of a run.", show_default=False)],
    token: Annotated[
        str | None, typer.Option(help="Tokens of a dataset: DATASET:POSITION[:LENGTH].")
    ] = None,
    sequence: Annotated[str | None, typer.Option(help="A packed sequence: SHARD:ROW.")] = None,
    id: Annotated[str | None, typer.Option(help="Documents of this identifier.")] = None,
    url: Annotated[str | None, typer.Option(help="Documents of this address.")] = None,
    hash: Annotated[
        str | None, typer.Option(help="Documents whose content hash begins like this.")
    ] = None,
    text: Annotated[str | None, typer.Option(help="Documents that hold this text.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="Most documents.")] = 20,
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Show where a document went, or which documents tokens are from."""
    from glotmill.pipelines.paging import paged
    from glotmill.pipelines.trace import Asked, trace
    from glotmill.pipelines.trace_print import print_trace, trace_json

    asked = Asked(token=token, sequence=sequence, id=id, url=url, hash=hash, text=text)
    root = _root(out)
    with _whole(root):
        found = trace(root, asked, limit)
    if json:
        print(trace_json(found))
        return
    with paged(_out):
        print_trace(_out, found)


@app.command("train")
def train_model(
    configuration: Annotated[Path, typer.Argument(help="A train.yaml.", show_default=False)],
    find_lr: Annotated[
        bool, typer.Option("--find-lr", help="Look for the largest stable learning rate.")
    ] = False,
) -> None:
    """Train a model on the shards of a run; goes on from its last checkpoint."""
    try:
        from glotmill.trainer.launch import train
    except ModuleNotFoundError as error:
        if error.name != "torch":
            raise
        raise UserError("training needs the extra: pip install 'glotmill[train]'") from None
    raise typer.Exit(train(configuration, find_lr=find_lr))


@app.command()
def schema() -> None:
    """Print the JSON Schema of the recipe, for editors."""
    print(json.dumps(json_schema(), indent=2, ensure_ascii=False))


_near = typer.Typer(no_args_is_help=True, help="Settings of near-duplicate removal.")
app.add_typer(_near, name="near")


@_near.callback()
def _near_commands() -> None:
    """Keep a group of one command a group."""


@_near.command()
def bands(
    similarity: Annotated[
        float, typer.Option(min=0.05, max=0.95, help="Least similarity of near duplicates.")
    ] = 0.7,
    permutations: Annotated[int, typer.Option(min=4, help="Values in a signature.")] = 100,
) -> None:
    """Show which bands and rows find pairs of which similarity."""
    from glotmill.pipelines.near import print_bandings

    print_bandings(_out, similarity, permutations)


_lid = typer.Typer(no_args_is_help=True, help="Thresholds and models of language identification.")
app.add_typer(_lid, name="lid")


@_lid.command()
def thresholds(
    out: Annotated[str, typer.Argument(help="Output directory of a run.", show_default=False)],
) -> None:
    """Estimate `identify.thresholds` from a run, as YAML for a recipe."""
    from glotmill.pipelines.lid import thresholds_yaml

    root = _root(out)
    with _whole(root):
        print(thresholds_yaml(root))


@_lid.command()
def train(
    corpus: Annotated[
        str,
        typer.Argument(help="JSON lines with `text` and `lang`, or a run.", show_default=False),
    ],
    out: Annotated[str, typer.Option(help="Where to write it.")] = "model.ftz",
) -> None:
    """Train a small model on labelled text; prints its accuracy on texts held out."""
    from glotmill.pipelines.lid import print_accuracies, train_model

    print_accuracies(_out, train_model(corpus.rstrip("/"), out))
    _tell(f"wrote {out}\nnext: put 'identify: {{model: {out}}}' into a recipe")


def main() -> None:
    """Runs the command `glotmill` and ends with its exit code."""
    # Beam warns about optional packages while it is imported; failures arrive as exceptions.
    logging.getLogger().setLevel(logging.CRITICAL)
    sys.exit(exit_code(app, _err))


def console() -> None:
    """Entry point of the command in a process of its own."""
    code: str | int | None = 1
    try:
        main()
    except SystemExit as end:
        code = end.code
    sys.stdout.flush()
    sys.stderr.flush()
    # Beam leaves threads in native code, under which an interpreter that winds down now and then
    # aborts ("terminate called without an active exception") after all is done.
    os._exit(code if isinstance(code, int) else 0)
