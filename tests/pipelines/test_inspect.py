"""`glotmill inspect` on a small real run: exact numbers, hostile text, errors."""

import io
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from rich.console import Console

from glotmill.pipelines import cli
from glotmill.pipelines.inspect import Row, Rows, Wanted, inspect, print_rows

Invoke = Callable[..., tuple[int, str, str]]

RECIPE = """\
glotmill: 1
name: small
sources:
  - {name: web, path: web.jsonl, language: {column: lang}}
  - {name: plain, path: plain.jsonl}
filters: {min_characters: 3}
identify: {min_letters: 10, threshold: 0.5}
mix: {tiers: uniform}
output: {parquet: {shards: 1}}
"""
FRENCH = [
    "Tous les êtres humains naissent libres et égaux en dignité et en droits.",
    "Ils sont doués de raison et de conscience et doivent agir les uns envers les autres.",
    "[red]Chacun[/red] a droit à la vie, à la liberté et à la sûreté de sa personne. :smile:",
]
GERMAN = "Alle Menschen sind frei und gleich an Würde und Rechten geboren."
ENGLISH = [
    "All human beings are born free and equal in dignity and rights.",
    "No one shall be held in slavery or servitude in any of its forms.",
]
LONG = "Everyone has the right to recognition everywhere as a person before the law; " + ", ".join(
    f"and so does person number {i} of this world" for i in range(20)
)
REPEATED = "The same line again and again.\n" * 6
WEB = [
    *(("en", text) for text in (*FRENCH, GERMAN, *ENGLISH, LONG, REPEATED)),
    ("no-such-code", "Nobody knows the code of this sentence, which is in English."),
    ("de", "Oh ja."),
]


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A finished run; do not change it."""
    folder = tmp_path_factory.mktemp("inspect")
    (folder / "recipe.yaml").write_text(RECIPE, encoding="utf-8")
    rows = {
        "web": [{"lang": lang, "text": text} for lang, text in WEB],
        "plain": [{"text": " ".join(FRENCH[:2])}, {"text": GERMAN}],
    }
    for name, of_source in rows.items():
        lines = "".join(json.dumps(row) + "\n" for row in of_source)
        (folder / f"{name}.jsonl").write_text(lines + "no record\n", encoding="utf-8")
    command = [Path(sys.executable).parent / "glotmill", "run", "recipe.yaml", "--out", "out"]
    subprocess.run([*command, "--workers", "1"], cwd=folder, check=True, capture_output=True)
    return str(folder / "out")


@pytest.fixture
def invoke(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Invoke:
    """Runs the command in this process; gives exit code, output and errors."""

    def run(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["glotmill", "inspect", *map(str, arguments)])
        with pytest.raises(SystemExit) as exit_:
            cli.main()
        written = capsys.readouterr()
        return int(exit_.value.code or 0), written.out, written.err

    return run


def fields(output: str) -> list[list[str]]:
    return [line.split("\t") for line in output.splitlines()]


def test_cells_worst_first_one_line_each(out: str, invoke: Invoke) -> None:
    code, output, error = invoke(out)
    assert (code, error) == (0, "")
    titles, *rows = fields(output)
    assert titles == [
        "source", "declared_label", "identified_label", "script", "verdict", "documents",
        "share_of_declared", "words", "dropped", "example_1", "example_2", "example_3",
    ]  # fmt: skip
    assert {len(row) for row in rows} == {len(titles)}
    assert [row[:9] for row in rows] == [
        ["web", "eng_Latn", "fra_Latn", "Latn", "contradicted", "3", "0.375", "48", "0"],
        ["web", "eng_Latn", "deu_Latn", "Latn", "contradicted", "1", "0.125", "11", "0"],
        ["web", "", "", "Latn", "unknown_code", "1", "1", "11", "1"],
        ["web", "deu_Latn", "", "Latn", "too_short", "1", "1", "2", "0"],
        ["plain", "", "deu_Latn", "Latn", "identified", "1", "0.5", "11", "0"],
        ["plain", "", "fra_Latn", "Latn", "identified", "1", "0.5", "29", "0"],
        ["web", "eng_Latn", "eng_Latn", "Latn", "confirmed", "4", "0.5", "255", "1"],
    ]
    assert sorted(rows[0][9:]) == sorted(FRENCH)
    assert rows[1][9:] == [GERMAN, "", ""]


def test_examples_are_those_of_the_smallest_hashes(out: str, invoke: Invoke) -> None:
    (path,) = [
        path for path in Path(out, "ingest", "documents").iterdir()
        if "web" in pq.read_table(path, columns=["source"]).column("source").to_pylist()
    ]  # fmt: skip
    table = pq.read_table(path, columns=["text", "content_hash", "identified_label"])
    french = [row for row in table.to_pylist() if row["identified_label"] == "fra_Latn"]
    by_hash = [row["text"] for row in sorted(french, key=lambda row: row["content_hash"])]
    assert fields(invoke(out)[1])[1][9:] == by_hash
    assert invoke(out)[1] == invoke(out)[1]


def test_the_table_of_the_report_holds_the_same_cells(out: str) -> None:
    table = pq.read_table(f"{out}/statistics/triage.parquet")
    found = inspect(out, Wanted()).shown
    counted = zip(
        table.column("identified_label").to_pylist(), table.column("num_documents").to_pylist(),
        strict=True,
    )  # fmt: skip
    assert [(row.fields[2], int(row.fields[5])) for row in found] == list(counted)
    assert table.column("samples")[0].as_py() == list(found[0].examples)


def test_long_texts_are_cut(out: str, invoke: Invoke) -> None:
    texts = fields(invoke(out)[1])[-1][9:]
    assert max(map(len, texts)) <= 201
    assert any(text.endswith("…") for text in texts)


@pytest.mark.parametrize(
    ("arguments", "cells"),
    [
        (["--label", "deu_Latn"], [("eng_Latn", "deu_Latn"), ("deu_Latn", ""), ("", "deu_Latn")]),
        (["--label", "deu_Latn", "--source", "plain"], [("", "deu_Latn")]),
        (["--source", "plain"], [("", "deu_Latn"), ("", "fra_Latn")]),
        (["--limit", "1"], [("eng_Latn", "fra_Latn")]),
    ],
)
def test_narrowed(
    out: str, invoke: Invoke, arguments: list[str], cells: list[tuple[str, str]]
) -> None:
    code, output, _ = invoke(out, *arguments)
    assert code == 0
    assert [(row[1], row[2]) for row in fields(output)[1:]] == cells


def test_dropped_documents_of_a_reason(out: str, invoke: Invoke) -> None:
    code, output, _ = invoke(out, "--reason", "repeated_lines")
    assert code == 0
    titles, row = fields(output)
    assert titles[:5] == ["source", "label", "reason", "documents", "words"]
    assert row[:5] == ["web", "eng_Latn", "repeated_lines", "1", "36"]
    assert row[5:] == [REPEATED.replace("\n", " ").strip(), "", ""]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["--label", "deu_Latm"],
            "error: no documents of label 'deu_Latm'; did you mean 'deu_Latn'?\n"
            "error: labels there: deu_Latn, eng_Latn, fra_Latn\n",
        ),
        (
            ["--source", "wbe"],
            "error: no documents of source 'wbe'; did you mean 'web'?\n"
            "error: sources there: plain, web\n",
        ),
        (
            ["--label", "eng_Latn", "--source", "plain"],
            "error: no documents of label 'eng_Latn' in source 'plain'; did you mean 'deu_Latn'?\n"
            "error: labels there: deu_Latn, fra_Latn\n",
        ),
        (
            ["--reason", "repeated_line"],
            "error: no dropped documents of reason 'repeated_line'; "
            "did you mean 'repeated_lines'?\n"
            "error: reasons there: repeated_lines, unknown_language_code\n",
        ),
        (
            ["--reason", "unknown_language_code", "--label", "eng_Latn"],
            "error: no dropped documents of reason 'unknown_language_code' with label 'eng_Latn'\n"
            "error: reasons there: repeated_lines\n",
        ),
    ],
)
def test_names_that_do_not_occur(
    out: str, invoke: Invoke, arguments: list[str], message: str
) -> None:
    assert invoke(out, *arguments) == (2, "", message)


def test_no_finished_ingest(tmp_path: Path, invoke: Invoke) -> None:
    code, _, error = invoke(f"{tmp_path}/")
    assert code == 2
    assert error == (
        f"error: no finished ingest in {tmp_path}; "
        f"'glotmill run RECIPE --out {tmp_path}' makes one\n"
    )


def test_many_names_are_cut_short(
    out: str, invoke: Invoke, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("glotmill.pipelines.inspect._MOST_NAMES", 1)
    assert "labels there: deu_Latn and 2 more" in invoke(out, "--label", "xxx_Latn")[2]


# --------------------------------------------------------------- documents


def listed(output: str) -> list[dict[str, str]]:
    titles, *rows = fields(output)
    return [dict(zip(titles, row, strict=True)) for row in rows]


def test_a_random_sample_is_the_same_every_time(out: str, invoke: Invoke) -> None:
    code, output, error = invoke(out, "--sort", "random", "--limit", "4")
    assert (code, error) == (0, "")
    rows = listed(output)
    assert len(rows) == 4
    assert output == invoke(out, "--sort", "random", "--limit", "4")[1]
    more = listed(invoke(out, "--sort", "random", "--limit", "99")[1])
    assert more[:4] == rows
    assert len(more) == 12
    assert [row["example_1"] for row in more] != sorted(row["example_1"] for row in more)


def test_the_seed_turns_the_sample_over(out: str, invoke: Invoke, tmp_path: Path) -> None:
    shutil.copytree(out, tmp_path / "out")
    lock = tmp_path / "out" / "recipe.lock.yaml"
    lock.write_text(re.sub(r"seed: \d+", "seed: 12345", lock.read_text()))
    asked = ("--sort", "random", "--limit", "99")
    before, after = (listed(invoke(root, *asked)[1]) for root in (out, tmp_path / "out"))
    assert before != after
    assert sorted(map(str, before)) == sorted(map(str, after))


def test_copies_of_a_text_are_not_shown_side_by_side(tmp_path: Path, invoke: Invoke) -> None:
    recipe = RECIPE.replace("  - {name: plain, path: plain.jsonl}\n", "")
    (tmp_path / "recipe.yaml").write_text(recipe, encoding="utf-8")
    texts = [ENGLISH[0]] * 150 + [f"{ENGLISH[1]} {n}" for n in range(150)]
    lines = (json.dumps({"lang": "en", "text": text}) + "\n" for text in texts)
    (tmp_path / "web.jsonl").write_text("".join(lines), encoding="utf-8")
    command = [Path(sys.executable).parent / "glotmill", "run", "recipe.yaml", "--out", "out"]
    subprocess.run([*command, "--workers", "1"], cwd=tmp_path, check=True, capture_output=True)
    rows = listed(invoke(tmp_path / "out", "--sort", "random", "--limit", "300")[1])
    copies = [row["example_1"] == ENGLISH[0] for row in rows]
    assert (len(copies), sum(copies)) == (300, 150)
    # As in a shuffle: a neighbour is alike in half of the cases, and each part has its share.
    alike = sum(one == other for one, other in pairwise(copies))
    assert 110 < alike < 190
    assert all(15 < sum(copies[start : start + 50]) < 35 for start in range(0, 300, 50))


def test_the_worst_scores_come_first_and_none_comes_last(out: str, invoke: Invoke) -> None:
    rows = listed(invoke(out, "--sort", "score")[1])
    scores = [float(row["score"] or "inf") for row in rows]
    assert scores == sorted(scores)
    unscored = {row["example_1"] for row in rows if not row["score"]}
    assert unscored == {"Oh ja.", WEB[-2][1]}


def test_the_longest_come_first(out: str, invoke: Invoke) -> None:
    rows = listed(invoke(out, "--sort", "length", "--kept", "--limit", "2")[1])
    assert [int(row["characters"]) for row in rows] == [len(LONG), len(" ".join(FRENCH[:2]))]
    assert {row["outcome"] for row in rows} == {"kept"}


def test_documents_of_a_reason_are_those_dropped_for_it(out: str, invoke: Invoke) -> None:
    (row,) = listed(invoke(out, "--reason", "repeated_lines", "--sort", "random")[1])
    assert (row["outcome"], row["label"]) == ("repeated_lines", "eng_Latn")
    assert row["example_1"] == REPEATED.replace("\n", " ").strip()


def test_kept_documents_leave_out_the_dropped(out: str, invoke: Invoke) -> None:
    rows = listed(invoke(out, "--kept")[1])
    assert len(rows) == 10
    assert {row["outcome"] for row in rows} == {"kept"}


@pytest.mark.parametrize(
    ("arguments", "count"),
    [
        (["--match", "(?i)DROITS?"], 3),
        (["--match", r"\p{Latin}+ être"], 2),
        (["--match", r"\p{Thai}"], 0),
        (["--match", "Menschen"], 2),
        (["--match", "Menschen", "--source", "plain"], 1),
        (["--match", ".", "--label", "deu_Latn"], 3),
        (["--match", "again and again"], 1),
        (["--match", "again and again", "--kept"], 0),
    ],
)
def test_matching_documents(out: str, invoke: Invoke, arguments: list[str], count: int) -> None:
    code, output, _ = invoke(out, *arguments)
    assert (code, len(listed(output))) == (0, count)


def test_a_match_far_into_a_text_is_shown(out: str, invoke: Invoke) -> None:
    (row,) = listed(invoke(out, "--match", "person number 19")[1])
    assert "person number 19 of this world" in row["example_1"]
    assert row["example_1"].startswith("… ")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--match", "("], "error: '(' is no regular expression: "),
        (["--kept", "--reason", "repeated_lines"], "error: --kept and --reason do not go together"),
        (["--kept", "--label", "deu_Latm"], "error: no documents of label 'deu_Latm'; did you"),
        (["--sort", "random", "--source", "wbe"], "error: no documents of source 'wbe'; did you"),
        (
            ["--match", ".", "--reason", "invalid_json"],
            "error: no documents of reason 'invalid_json'\nerror: reasons there: repeated_lines, ",
        ),
    ],
)
def test_documents_that_cannot_be_asked_for(
    out: str, invoke: Invoke, arguments: list[str], message: str
) -> None:
    code, output, error = invoke(out, *arguments)
    assert (code, output) == (2, "")
    assert error.startswith(message)


def test_matches_are_highlighted_in_a_terminal(out: str) -> None:
    rows = inspect(out, Wanted(match="Würde"))
    console = Console(file=io.StringIO(), force_terminal=True, width=100, color_system="standard",
                      highlight=False)  # fmt: skip
    print_rows(console, rows)
    file = console.file
    assert isinstance(file, io.StringIO)
    assert "\x1b[1;7mWürde\x1b[0m" in file.getvalue()
    assert "2 of 2 documents" in file.getvalue()


# ---------------------------------------------------------------- terminal

HOSTILE = "[bold]a[/bold] \x1b[31m:smile:\n\t\u202eb [/x]"
SHOWN = "[bold]a[/bold] [31m:smile: b [/x]"


def printed(rows: Rows, *, terminal: bool, width: int = 100) -> str:
    console = Console(file=io.StringIO(), force_terminal=terminal, width=width, color_system=None)
    print_rows(console, rows)
    file = console.file
    assert isinstance(file, io.StringIO)
    return file.getvalue()


@pytest.mark.parametrize("terminal", [False, True])
def test_hostile_text_is_shown_and_not_obeyed(terminal: bool) -> None:
    row = Row([HOSTILE], [HOSTILE], [HOSTILE], [HOSTILE])
    text = printed(Rows("cells", ["a"], [row], 1), terminal=terminal, width=200)
    assert text.count(SHOWN) == 2
    assert text.count("[bold]a[/bold] [31m:smile:") == (3 if terminal else 2)  # one is folded
    assert not {"\x1b", "\u202e", "\r"} & set(text)


def test_a_terminal_gets_a_table_that_fits(out: str) -> None:
    text = printed(inspect(out, Wanted(limit=2)), terminal=True)
    assert "│ eng_Latn → fra_Latn" in text
    assert "37.5% of declared" in text
    assert "[red]Chacun[/red]" in text
    assert ":smile:" in text
    assert "2 of 7 cells; --limit 7 shows the other 5" in text
    assert max(map(len, text.splitlines())) <= 100


def test_long_names_leave_room_for_the_examples() -> None:
    name, example = "n" * 150, "words of an example that is to be read"
    text = printed(Rows("cells", ["a"], [Row([name], [name], ["1 document"], [example])], 1),
                   terminal=True, width=80)  # fmt: skip
    assert text.count("n" * 30) == 5
    assert "words of an example" in text
    assert max(map(len, text.splitlines())) <= 80


def test_an_empty_text_is_told() -> None:
    text = printed(Rows("groups", ["a"], [Row(["x"], ["x"], ["1"], [""])], 1), terminal=True)
    assert "• (empty)" in text
