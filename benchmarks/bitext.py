"""Speed and memory of the ingest of parallel text, without identification.

    python benchmarks/bitext.py work/bitext --tmx-bytes 1000000000
    python benchmarks/bitext.py work/bitext --opusfilter VENV

Writes a TMX of made sentence pairs (those of read_bitext.py) into the folder, the first time, and
another of a tenth. For each it ingests all units in one process of its own: reading, pairing,
normalisation, measuring, folding, all filters, writing. Prints pairs per CPU second with and
without writing, where the time goes, and the process's peak resident memory: it must not grow
with the file. OpusFilter 3.3.1 in VENV filters the same pairs from two files of lines, which it
reads (and TMX not), by its filters that do the same.
"""

from __future__ import annotations

import argparse
import multiprocessing
import shutil
import sys
import time
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from measure import measured
from read_bitext import files, peak_mebibytes

NUM_PEER_PAIRS = 50_000
RECIPE = """\
glotmill: 1
name: bitext
sources: [{{name: made, category: bitext, path: {path}}}]
identify: {{enabled: false}}
{near}
"""


def ingest(path: str, folder: str, near: bool) -> tuple[int, int, float, float, dict[str, float]]:
    """Ingests a file; gives pairs read and kept, CPU seconds, peak MiB and seconds by step."""
    from glotmill.pipelines.units import check_inputs, find_inputs, lock_recipe
    from glotmill.schemas.loading import load_recipe
    from glotmill.transforms.ingest import UnitIngester

    recipe = Path(folder) / "recipe.yaml"
    recipe.write_text(
        RECIPE.format(path=Path(path).absolute(), near="deduplicate: {near: {}}" if near else "")
    )
    loaded = load_recipe(recipe)
    found = find_inputs(loaded)
    check_inputs(loaded, found)
    lock = lock_recipe(loaded, found, lambda file: str(file.size))
    ingester = UnitIngester(lock.recipe, folder)
    ingester.setup()
    start = time.process_time()
    profile: Counter[str] = Counter()
    read = kept = 0
    for unit in lock.units:
        record = ingester.ingest(unit)
        profile.update(record.profile)
        read, kept = read + record.num_read, kept + record.num_kept
    return read, kept, time.process_time() - start, peak_mebibytes(), dict(profile)


def run_opusfilter(folder: Path, venv: Path) -> None:
    """Prints what OpusFilter's filters cost."""
    paths, out = files(folder, "moses", NUM_PEER_PAIRS), folder / "opusfilter"
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir()
    script = Path(__file__).parent / "peers" / "opusfilter_pairs.py"
    command = [str(venv / "bin" / "python"), str(script), *paths, str(out / "kept"), "Latin,Latin"]
    with (out / "log").open("wb") as log:
        cost = measured(command, log)
    rate = NUM_PEER_PAIRS / cost["cpu"]
    print(f"OpusFilter: {rate:,.0f} pairs per CPU second, peak {cost['peak_mib']:.0f} MiB")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--tmx-bytes", type=int, default=200_000_000)
    parser.add_argument("--near", action="store_true", help="sketch for near duplicates too")
    parser.add_argument("--opusfilter", type=Path, metavar="VENV")
    arguments = parser.parse_args()
    sample = Path(files(arguments.folder, "tmx", 100_000)[0]).stat().st_size
    print("| MB | pairs | kept | CPU s | pairs/s | without writing | peak MiB |")
    print("|---|---|---|---|---|---|---|")
    steps: dict[str, float] = {}
    for size in (arguments.tmx_bytes // 10, arguments.tmx_bytes):
        (path,) = files(arguments.folder, "tmx", max(1, 100_000 * size // sample))
        out = arguments.folder / "out"
        shutil.rmtree(out, ignore_errors=True)
        out.mkdir(parents=True)
        with multiprocessing.get_context("spawn").Pool(1) as pool:
            read, kept, seconds, peak, steps = pool.apply(ingest, (path, str(out), arguments.near))
        busy = seconds - steps["write"]
        print(
            f"| {Path(path).stat().st_size / 1e6:,.0f} | {read:,} | {kept:,} | {seconds:.1f} "
            f"| {read / seconds:,.0f} | {read / busy:,.0f} | {peak:.0f} |",
            flush=True,
        )
    print(", ".join(f"{step} {value:.1f} s" for step, value in sorted(steps.items())))
    if arguments.opusfilter:
        run_opusfilter(arguments.folder, arguments.opusfilter)
    return 0


if __name__ == "__main__":
    sys.exit(main())
