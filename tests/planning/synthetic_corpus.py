"""A synthetic corpus in every way that slices come out of files, with totals that are known."""

import gzip
import json

import pyarrow as pa
import pyarrow.parquet as pq
import zstandard

WORDS = ("stone", "river", "cloud", "light", "bread", "music", "green", "winter")
RECIPE = """\
glotmill: 1
name: synthetic
seed: {seed}
sources:
{sources}
identify: {{enabled: false}}
filters: {{min_characters: 12}}
mix: {{tiers: uniform, validation: {{share: 0}}}}
output: {{parquet: {{shards: 3}}}}
"""


def text_of(number):
    """A text that differs from all others; every seventh is too short and dropped."""
    if number % 7 == 0:
        return f"t{number}"
    size = 5 + number * 7919 % 23
    return " ".join(WORDS[(number * 31 + i * i) % 8] + str(number) for i in range(size))


def label_of(number, count):
    """Mostly English; German in the last fifth, so that slices differ."""
    return "deu" if number > count * 0.8 else "eng"


def documents(count):
    """Rows with text, language and identifier."""
    return [
        {"text": text_of(i), "lang": label_of(i, count), "id": str(i)} for i in range(1, count + 1)
    ]


def write_lines(path, rows):
    """JSON lines, packed as the name says."""
    data = "".join(json.dumps(row) + "\n" for row in rows).encode()
    if path.suffix == ".zst":
        data = zstandard.compress(data)
    elif path.suffix == ".gz":
        data = gzip.compress(data)
    path.write_bytes(data)


def tsv(rows, names=("text", "lang", "id")):
    """A table with a header."""
    lines = ["\t".join(names), *("\t".join(row[n] for n in names) for row in rows)]
    return ("\n".join(lines) + "\n").encode()


def tmx(rows):
    """Pairs whose German side is the English one reversed."""
    units = "".join(
        f'<tu tuid="{row["id"]}"><tuv xml:lang="en"><seg>{row["text"]}</seg></tuv>'
        f'<tuv xml:lang="de"><seg>{row["text"][::-1]}</seg></tuv></tu>\n'
        for row in rows
    )
    head = '<?xml version="1.0" encoding="UTF-8"?>\n<tmx version="1.4"><header srclang="en"/><body>'
    return f"{head}\n{units}</body></tmx>\n".encode()


LANG = "language: {column: lang}, id: id"
SOURCES = {
    "range": "{name: range, path: range.jsonl, " + LANG + "}",
    "lines": "{name: lines, path: lines.jsonl.zst, " + LANG + "}",
    "table_lines": "{name: table_lines, path: table.tsv.gz, " + LANG + "}",
    "rows": "{name: rows, path: rows.parquet, " + LANG + "}",
    "elements": "{name: elements, path: pairs.tmx.gz, category: bitext}",
    "aligned_lines": "{name: aligned_lines, path: 'a.*.gz', category: bitext, format: moses}",
    "whole": "{name: whole, path: 'w*.txt', format: text_file, language: {code: eng}}",
}


def write_sources(folder, count):
    """A file, or some, for every way of cutting."""
    rows = documents(count)
    write_lines(folder / "range.jsonl", rows)
    write_lines(folder / "lines.jsonl.zst", rows)
    (folder / "table.tsv.gz").write_bytes(gzip.compress(tsv(rows)))
    table = pa.Table.from_pylist(rows)
    pq.write_table(table, folder / "rows.parquet", row_group_size=max(1, count // 3))
    (folder / "pairs.tmx.gz").write_bytes(gzip.compress(tmx(rows)))
    for name, step in (("a.en.gz", 1), ("a.swa.gz", -1)):
        lines = "".join(row["text"][::step] + "\n" for row in rows)
        (folder / name).write_bytes(gzip.compress(lines.encode()))
    for row in rows[:40]:
        (folder / f"w{row['id']}.txt").write_text(row["text"])
    return rows
