"""Speed and memory of the readers of parallel text, a process for each format.

    python benchmarks/read_bitext.py work/bitext --pairs 500000
    python benchmarks/read_bitext.py work/bitext --formats tmx --tmx-bytes 1000000000

Writes the files it reads into the folder, the first time. For each format it prints pairs per
CPU second of one process, and the process's peak resident memory beside that of one which reads
the first hundredth of the file, so that one sees whether memory grows with the file. Texts are
made sentences of 60 to 140 characters, a tenth of them with references that XML must resolve.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import resource
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from xml.sax.saxutils import escape

import pyarrow as pa
import pyarrow.parquet as pq

from glotmill.transforms.readers.bitext import BitextOptions, Side, read_bitext

WORDS = (
    "the committee adopted its decision on a proposal of every member state and asked for more",
    "der Ausschuss faßte über den Vorschlag aller Mitglieder einen Beschluß und bat um mehr Eile",
)
SIDES = (Side(text="1", code="en"), Side(text="2", code="de"))
NAMED = (Side(text="src", code="en"), Side(text="tgt", code="de"))


def pairs(count: int) -> Iterator[tuple[str, str]]:
    """Made sentence pairs, all different."""
    words = [text.split() for text in WORDS]
    for number in range(count):
        shift, length = number % 7, 9 + number % 13
        mark = " & <x>" if number % 10 == 0 else ""
        first, second = (
            " ".join((part * 2)[shift : shift + length]) + f" {number}{mark}." for part in words
        )
        yield first, second


def write_tmx(path: Path, count: int) -> list[str]:
    with path.open("w", encoding="utf-8") as file:
        file.write('<?xml version="1.0" encoding="UTF-8"?>\n<tmx version="1.4">\n')
        file.write('<header srclang="en" adminlang="en" segtype="sentence"/>\n<body>\n')
        for number, (first, second) in enumerate(pairs(count)):
            file.write(
                f'<tu tuid="{number}">\n<prop type="score-laser">1.0{number % 100}</prop>\n'
                f'<tuv xml:lang="en"><seg>{escape(first)}</seg></tuv>\n'
                f'<tuv xml:lang="de"><seg>{escape(second)}</seg></tuv>\n</tu>\n'
            )
        file.write("</body>\n</tmx>\n")
    return [str(path)]


def write_moses(path: Path, count: int) -> list[str]:
    paths = [path.with_suffix(".en"), path.with_suffix(".de")]
    with paths[0].open("w", encoding="utf-8") as a, paths[1].open("w", encoding="utf-8") as b:
        for first, second in pairs(count):
            a.write(first + "\n")
            b.write(second + "\n")
    return list(map(str, paths))


def lines_writer(line: Callable[[int, str, str], str], head: str = "", tail: str = "") -> Writer:
    """Returns a writer of files that have a piece of text for each pair."""

    def write(path: Path, count: int) -> list[str]:
        with path.open("w", encoding="utf-8") as file:
            file.write(head)
            for number, (first, second) in enumerate(pairs(count)):
                file.write(line(number, first, second))
            file.write(tail)
        return [str(path)]

    return write


def write_parquet(path: Path, count: int) -> list[str]:
    schema = pa.schema([("src", pa.string()), ("tgt", pa.string())])
    with pq.ParquetWriter(path, schema) as writer:
        rows: list[tuple[str, str]] = []
        for number, pair in enumerate(pairs(count), 1):
            rows.append(pair)
            if len(rows) == 50_000 or number == count:
                columns = [pa.array(column) for column in zip(*rows, strict=True)]
                writer.write_table(pa.Table.from_arrays(columns, schema=schema))
                rows = []
    return [str(path)]


def write_xces(path: Path, count: int) -> list[str]:
    """Writes an alignment, and its documents of 1,000 sentences in a folder beside it."""
    size = 1000
    with path.open("w", encoding="utf-8") as file:
        file.write('<?xml version="1.0"?>\n<cesAlign version="1.0">\n')
        sentences = pairs(count)
        for document in range(0, count, size):
            name = f"{document}.xml"
            file.write(f'<linkGrp targType="s" fromDoc="en/{name}" toDoc="de/{name}">\n')
            numbers = range(min(size, count - document))
            rows = [next(sentences) for _ in numbers]
            for index, code in enumerate(("en", "de")):
                folder = path.parent / code
                folder.mkdir(exist_ok=True)
                body = "".join(f'<s id="{n}">{escape(rows[n][index])}</s>\n' for n in numbers)
                (folder / name).write_text(f"<text>\n{body}</text>\n", encoding="utf-8")
            file.writelines(f'<link id="SL{n}" xtargets="{n};{n}"/>\n' for n in numbers)
            file.write("</linkGrp>\n")
        file.write("</cesAlign>\n")
    return [str(path)]


Writer = Callable[[Path, int], list[str]]

XLIFF_HEAD = """<?xml version="1.0"?>
<xliff version="1.2"><file source-language="en" target-language="de" original="a"><body>
"""
WRITERS: dict[str, Writer] = {
    "tmx": write_tmx,
    "moses": write_moses,
    "tsv": lines_writer(lambda number, a, b: f"{a}\t{b}\t1.0{number % 100}\n"),
    "csv": lines_writer(lambda number, a, b: f'"{a}","{b}",1.0{number % 100}\n'),
    "jsonl": lines_writer(
        lambda _, a, b: json.dumps({"translation": {"en": a, "de": b}}, ensure_ascii=False) + "\n"
    ),
    "parquet": write_parquet,
    "xces": write_xces,
    "po": lines_writer(
        lambda _, a, b: f'#: a.py:1\nmsgid "{a}"\nmsgstr "{b}"\n\n',
        head='msgid ""\nmsgstr ""\n"Language: de\\n"\n\n',
    ),
    "xliff": lines_writer(
        lambda number, a, b: (
            f'<trans-unit id="{number}"><source>{escape(a)}</source>\n'
            f"<target>{escape(b)}</target></trans-unit>\n"
        ),
        head=XLIFF_HEAD,
        tail="</body></file></xliff>\n",
    ),
}


def options_of(format: str, folder: Path) -> BitextOptions:
    """Returns how the files are read."""
    if format in ("tsv", "csv"):
        return BitextOptions(sides=SIDES, scores={"laser": "3"})
    if format == "jsonl":
        return BitextOptions(translation="translation")
    if format == "parquet":
        return BitextOptions(sides=NAMED)
    if format == "xces":
        return BitextOptions(documents=(str(folder),))
    return BitextOptions(codes=("en", "de"))


def measure(paths: list[str], format: str, folder: str) -> tuple[int, int, float, float]:
    """Reads all; returns pairs, rejects, CPU seconds and peak MiB of this process."""
    options = options_of(format, Path(folder))
    num_pairs = num_rejects = 0
    start = time.process_time()
    for batch in read_bitext(paths, format, options=options):  # type: ignore[arg-type]
        num_pairs += batch.records.num_rows
        num_rejects += len(batch.rejects)
    seconds = time.process_time() - start
    return num_pairs, num_rejects, seconds, peak_mebibytes()


def peak_mebibytes() -> float:
    """Peak resident memory of this process; ``ru_maxrss`` would count its parent's too."""
    status = Path("/proc/self/status")
    if not status.exists():
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) / 1024


def measure_apart(paths: list[str], format: str, folder: Path) -> tuple[int, int, float, float]:
    """Measures in a process of its own, so that its peak is that of this file."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(measure, (paths, format, str(folder)))


def files(folder: Path, format: str, count: int) -> list[str]:
    """Writes files of so many pairs unless they are there; returns their paths."""
    place = folder / f"{format}-{count}"
    done = place / "PATHS.json"
    if not done.exists():
        place.mkdir(parents=True, exist_ok=True)
        paths = WRITERS[format](place / f"a.{format}", count)
        done.write_text(json.dumps(paths))
    return list(json.loads(done.read_text()))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--pairs", type=int, default=500_000)
    parser.add_argument("--tmx-bytes", type=int, default=0, help="size of the TMX, about")
    parser.add_argument("--formats", nargs="*", default=sorted(WRITERS), choices=sorted(WRITERS))
    arguments = parser.parse_args()
    print("| format | pairs | MB | rejects | CPU s | pairs/s | peak MiB | of a hundredth |")
    print("|---|---|---|---|---|---|---|---|")
    for format in arguments.formats:
        count = arguments.pairs
        if format == "tmx" and arguments.tmx_bytes:
            sample = Path(files(arguments.folder, "tmx", 100_000)[0]).stat().st_size
            count = 100_000 * arguments.tmx_bytes // sample
        paths = files(arguments.folder, format, count)
        small = files(arguments.folder, format, max(1, count // 100))
        megabytes = sum(Path(path).stat().st_size for path in paths) / 1e6
        number, rejects, seconds, peak = measure_apart(paths, format, Path(paths[0]).parent)
        first_peak = measure_apart(small, format, Path(small[0]).parent)[3]
        print(
            f"| {format} | {number:,} | {megabytes:,.0f} | {rejects} | {seconds:.1f} "
            f"| {number / seconds:,.0f} | {peak:.0f} | {first_peak:.0f} |",
            flush=True,
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
