"""What all stages share: the key that says whether one is done, the manifest it ends in."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from importlib.metadata import version
from typing import ClassVar, Protocol, runtime_checkable

import pyarrow as pa

from glotmill.pipelines import build
from glotmill.pipelines.engine import Build, num_cores
from glotmill.pipelines.errors import RunError
from glotmill.pipelines.progress import Look
from glotmill.schemas.lock import Lock
from glotmill.schemas.manifest import MANIFEST, SUCCESS, FileEntry, Manifest, dump_manifest
from glotmill.schemas.problems import Position
from glotmill.schemas.wording import counted
from glotmill.transforms import storage, versions
from glotmill.transforms.each_unit import UnitWork, do_directly
from glotmill.transforms.records import temporary_folder
from glotmill.transforms.statistics import merge
from glotmill.transforms.tables import read_table
from glotmill.transforms.unit_index import read_manifest

# To start a pipeline in this process takes a tenth of the time that another process takes.
_SHARE_WORTH_AN_ENGINE = 0.1

Written = tuple[Sequence[FileEntry], dict[str, int]]
Manifests = dict[str, Manifest]


class Progress(Protocol):
    """What a run tells the person who watches it."""

    def skipped(self, name: str) -> None:
        """A stage has nothing to do."""

    def started(self, name: str, *, total: int, unit: str, look: Look | None = None) -> None:
        """A stage begins; `look` tells how far it is."""

    def finished(self, name: str) -> None:
        """A stage is complete."""


@dataclass(frozen=True)
class Job:
    """A lock, where it is run, and where its output goes.

    Attributes:
        lock: the resolved recipe.
        root: the output directory.
        run: runs a pipeline with so many workers.
        workers: how many the user wants; None leaves it to the size of the work.
        progress: what is told while it runs.
        position: where a key of the recipe was written, if that is known.
        tell: shows a line to the person who watches.
    """

    lock: Lock
    root: str
    run: Callable[[Build, int], None]
    workers: int | None
    progress: Progress
    position: Callable[..., Position] | None = None
    tell: Callable[[str], None] = print

    def each_unit(
        self, work: UnitWork, ordinals: Sequence[int], size: int, size_worth_a_worker: int
    ) -> None:
        """Does a piece of work on units: on the engine, or here where there is little to do.

        Args:
            work: to be done.
            ordinals: of the units.
            size: of the work, in any unit.
            size_worth_a_worker: what one worker does in the time another takes to start.
        """
        if size < size_worth_a_worker * _SHARE_WORTH_AN_ENGINE:
            do_directly(work, ordinals)
            return
        workers = self.workers_for(len(ordinals), size, size_worth_a_worker)
        self.run(lambda p: build.each_unit(p, work, ordinals), workers)

    def workers_for(self, num_pieces: int, size: int, size_worth_a_worker: int) -> int:
        """Workers worth starting: a process takes seconds to start.

        Args:
            num_pieces: pieces of work there are to share.
            size: of the work, in any unit.
            size_worth_a_worker: what one worker does in the time another takes to start.
        """
        wanted = self.workers or min(num_cores(), size // size_worth_a_worker)
        return max(1, min(wanted, num_pieces))


class Stage(Protocol):
    """One stage: its key, and its work."""

    #: Also the folder with the stage's manifest.
    name: ClassVar[str]
    #: Folders that hold nothing but this stage's files.
    folders: ClassVar[Sequence[str]]

    def key(self, job: Job, before: str) -> str:
        """Hash of all that decides the stage's output; `before` is the key of the last stage."""

    def work(self, job: Job, before: Manifests) -> Written:
        """Does the work; gives the files written and some counts."""


@runtime_checkable
class KeepsRecords(Protocol):
    """A stage that needs more files than its manifest lists."""

    def records(self, job: Job) -> Iterable[str]:
        """Their paths, relative to the output directory."""


def run_stage(stage: Stage, job: Job, key: str, before: Manifests) -> Manifest:
    """Runs a stage, or finds that it is done and that its files are there."""
    done = read_manifest(job.root, stage.name)
    if done is not None and done.key == key:
        lost = _lost_files(stage, job, done)
        if not lost:
            job.progress.skipped(stage.name)
            return done
        job.tell(
            f"{stage.name}: done before, but {counted(len(lost), 'file')} missing or of another "
            f"size, the first {lost[0]}: done again"
        )
    # Readers trust only what is marked as complete: unmark it before touching its files.
    storage.delete([f"{job.root}/{SUCCESS}", f"{job.root}/{stage.name}/{SUCCESS}"])
    # Another launcher that was out of reach and comes back must not write over what is made here.
    replaces = versions.version_of(f"{job.root}/{stage.name}/{MANIFEST}")
    # What a killed run left takes room that this one may need; the end of a run sweeps the rest.
    storage.delete([temporary_folder(job.root, stage.name)])
    for folder in {stage.name, *stage.folders}:
        storage.delete_temporaries(f"{job.root}/{folder}")
    files, counts = stage.work(job, before)
    manifest = Manifest(
        stage=stage.name, key=key, glotmill=version("glotmill"), files=tuple(files), counts=counts
    )
    _delete_stale(job.root, stage.folders, files)
    complete(job.root, stage.name, manifest, replaces)
    storage.delete([temporary_folder(job.root, stage.name)])
    job.progress.finished(stage.name)
    return manifest


def _lost_files(stage: Stage, job: Job, done: Manifest) -> list[str]:
    """Files of a finished stage that are not there as they were written, by name and size."""
    sizes: dict[str, int | None] = {entry.path: entry.num_bytes for entry in done.files}
    if isinstance(stage, KeepsRecords):
        sizes |= dict.fromkeys(stage.records(job))
    there = sizes_of(job.root, sizes)
    return [
        path
        for path, size in sizes.items()
        if path not in there or (size not in (None, there[path]) and not _may_change(path))
    ]


def _may_change(path: str) -> bool:
    """Whether people edit a file, as the dataset card, or `glotmill report` writes it anew."""
    return "/" not in path or path.startswith("statistics/")


def sizes_of(root: str, paths: Iterable[str]) -> dict[str, int]:
    """Sizes of those of the files that are there, by their paths relative to the root.

    One listing for each folder of the root, as there may be 100,000 files in it.
    """
    wanted = set(paths)
    folders = {path.partition("/")[0] for path in wanted if "/" in path}
    patterns = [f"{storage.escape(f'{root}/{folder}')}/**" for folder in sorted(folders)]
    patterns += [storage.escape(f"{root}/{path}") for path in wanted if "/" not in path]
    found: dict[str, int] = {}
    for pattern in patterns:
        with suppress(LookupError):
            files = storage.match(pattern)
            found |= {file.path[len(root) + 1 :]: file.size for file in files}
    return {path: size for path, size in found.items() if path in wanted}


def complete(root: str, folder: str, manifest: Manifest, replaces: str | None = None) -> None:
    """Writes a manifest, and then the marker that it is whole.

    Args:
        root: the output directory.
        folder: of the stage; empty for the corpus.
        manifest: what was written.
        replaces: version of the manifest that this one takes the place of; None for any.

    Raises:
        RunError: another run has written one meanwhile.
    """
    prefix = f"{root}/{folder}" if folder else root
    path = f"{prefix}/{MANIFEST}"
    try:
        if replaces is None:
            replaces = versions.version_of(path)
        versions.replace(path, dump_manifest(manifest), replaces)
    except versions.ChangedMeanwhile:
        raise RunError(
            f"another run wrote {path} meanwhile; nothing of this one is used. Run again when the "
            "other is done"
        ) from None
    storage.write_atomically(f"{prefix}/{SUCCESS}", b"")


def _delete_stale(root: str, folders: Sequence[str], files: Iterable[FileEntry]) -> None:
    """Deletes what an earlier run left in a stage's folders and this one does not list."""
    listed = {f"{root}/{entry.path}" for entry in files}
    for folder in folders:
        try:
            found = storage.match(f"{storage.escape(root)}/{folder}/**")
        except LookupError:
            continue
        storage.delete([file.path for file in found if file.path not in listed])


def statistics_of(root: str, stage: str, files: Iterable[FileEntry]) -> pa.Table:
    """Statistics of a stage, merged, in the schema STATISTICS."""
    paths = [entry.path for entry in files if entry.path.startswith(f"{stage}/statistics/")]
    return merge(read_table(f"{root}/{path}") for path in paths)
