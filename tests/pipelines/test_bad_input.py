"""Bad input: one clear error that names file, line or column and what to do; no traceback."""

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from glotmill.pipelines import cli

Invoke = Callable[..., tuple[int, str]]

RECIPE = """\
glotmill: 1
name: small
sources:
  - name: a
    path: a.jsonl
    language: {column: lang}
mix: {tiers: uniform}
output: {parquet: {shards: 1}}
"""


@pytest.fixture
def invoke(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Invoke:
    """Runs the command line in this process; gives exit code and what it wrote on stderr."""
    monkeypatch.chdir(tmp_path)
    rows = [{"text": f"This is the text of document number {n}.", "lang": "en"} for n in range(3)]
    (tmp_path / "a.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))

    def run(*arguments: str, recipe: str = RECIPE) -> tuple[int, str]:
        (tmp_path / "recipe.yaml").write_text(recipe)
        monkeypatch.setattr(sys, "argv", ["glotmill", *arguments])
        with pytest.raises(SystemExit) as exit_:
            cli.main()
        error = capsys.readouterr().err
        assert "Traceback" not in error
        return int(exit_.value.code or 0), error

    return run


def test_good_recipe_passes(invoke: Invoke) -> None:
    assert invoke("check", "recipe.yaml") == (0, "")


def test_no_such_recipe(invoke: Invoke) -> None:
    code, error = invoke("check", "recipes.yaml")
    assert code == 2
    assert "error: recipes.yaml:1: no such file; recipes there: recipe.yaml" in error


def test_unknown_key(invoke: Invoke) -> None:
    code, error = invoke("run", "recipe.yaml", recipe=RECIPE + "fitlers: {}\n")
    assert code == 2
    assert "error: recipe.yaml:9: unknown key 'fitlers'; did you mean 'filters'?" in error


def test_wrong_type(invoke: Invoke) -> None:
    code, error = invoke("check", "recipe.yaml", recipe=RECIPE.replace("shards: 1", "shards: many"))
    assert code == 2
    assert "error: recipe.yaml:8: 'output.parquet.shards' wants a whole number, not 'many'" in error


def test_empty_match(invoke: Invoke) -> None:
    code, error = invoke("run", "recipe.yaml", recipe=RECIPE.replace("a.jsonl", "b/*.jsonl"))
    assert code == 2
    assert "error: recipe.yaml:5: source 'a': no file matches" in error


def test_all_empty_matches_at_once(invoke: Invoke) -> None:
    recipe = RECIPE.replace("mix:", "  - {name: b, path: c.txt}\nmix:").replace(
        "a.jsonl", "d.jsonl"
    )
    code, error = invoke("run", "recipe.yaml", recipe=recipe)
    assert code == 2
    assert "recipe.yaml:5: source 'a'" in error
    assert "recipe.yaml:7: source 'b'" in error


@pytest.mark.parametrize("command", ["run", "plan"])
def test_a_name_that_is_not_utf_8(invoke: Invoke, tmp_path: Path, command: str) -> None:
    (tmp_path / os.fsdecode(b"bad\xff.jsonl")).write_text('{"text": "a"}\n')
    code, error = invoke(command, "recipe.yaml", recipe=RECIPE.replace("a.jsonl", '"*.jsonl"'))
    assert code == 2
    assert "error: recipe.yaml:5: source 'a': the name of " in error
    assert "bad\\xff.jsonl' is not UTF-8; rename it" in error


def test_unreadable_file(invoke: Invoke, tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").unlink()
    (tmp_path / "a.jsonl").mkdir()
    code, error = invoke("run", "recipe.yaml")
    assert code == 2
    assert "recipe.yaml:5" in error
    assert "a.jsonl" in error
    assert "folder" in error


def test_name_without_format(invoke: Invoke, tmp_path: Path) -> None:
    (tmp_path / "a.dat").write_text("x\n")
    code, error = invoke("run", "recipe.yaml", recipe=RECIPE.replace("a.jsonl", "a.dat"))
    assert code == 2
    assert "tells no format; write 'format:'" in error


def test_missing_text_column(invoke: Invoke) -> None:
    recipe = RECIPE.replace("    language", "    text: txt\n    language")
    code, error = invoke("run", "recipe.yaml", recipe=recipe)
    assert code == 2
    assert "recipe.yaml:6: source 'a'" in error
    assert "no column 'txt'; it has 'text', 'lang'; did you mean 'text'?" in error


def test_missing_language_column(invoke: Invoke) -> None:
    code, error = invoke("run", "recipe.yaml", recipe=RECIPE.replace("column: lang", "column: lng"))
    assert code == 2
    assert "no column 'lng' in" in error
    assert "it has text, lang" in error


def test_language_that_is_in_no_path(invoke: Invoke) -> None:
    recipe = RECIPE.replace("{column: lang}", "{path: '/([a-z]{3})[.]'}")
    code, error = invoke("run", "recipe.yaml", recipe=recipe)
    assert code == 2
    assert (
        "recipe.yaml:6: source 'a': 'language.path' finds no language in the path of any file"
        in error
    )
    assert "the first is a.jsonl" in error


def test_model_that_is_none(invoke: Invoke) -> None:
    recipe = RECIPE + "identify: {model: a.jsonl}\n"
    code, error = invoke("run", "recipe.yaml", recipe=recipe)
    assert code == 2
    assert "recipe.yaml:9:" in error
    assert "is not a fastText model" in error


def test_model_that_is_not_there(invoke: Invoke) -> None:
    code, error = invoke("run", "recipe.yaml", recipe=RECIPE + "identify: {model: none.bin}\n")
    assert code == 2
    assert "none.bin: No such file" in error


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ("tokenizer: absent.json", "absent.json cannot be read"),
        ("tokenizer: a.jsonl", "a.jsonl is no usable tokenizer.json"),
        ("tokenizer: bytes.json", "bytes.json names no EOS token; name one of its tokens"),
        ("tokenizer: bytes.json, eos: end", "bytes.json has no token 'end'"),
    ],
)
def test_tokenizer_that_cannot_be_used_is_found_before_anything_is_read(
    invoke: Invoke,
    tmp_path: Path,
    save_tokenizer: Callable[..., None],
    options: str,
    problem: str,
) -> None:
    save_tokenizer(tmp_path / "bytes.json")
    recipe = RECIPE.replace("output: {", f"output:\n  {{tokens: {{{options}}}, ")
    code, error = invoke("run", "recipe.yaml", recipe=recipe)
    assert code == 2
    assert error.startswith("error: recipe.yaml:9:"), error
    assert problem in error
    assert not (tmp_path / "out").exists()


def staged(rate: int) -> str:
    """A recipe of 255 stages, each with datasets of its own."""
    stages = [{"name": f"s{number}", "parts": {"*": 1}} for number in range(255)]
    tiers = [{"name": "all", "at_least": 0, "rate": rate}]
    mix = f"mix: {{stages: {json.dumps(stages)}, tiers: {json.dumps(tiers)}}}"
    return RECIPE.replace("mix: {tiers: uniform}", mix).replace(
        "output: {", "output:\n  {tokens: {tokenizer: bytes.json, append_eos: false}, "
    )


TOO_MANY = "GPT-NeoX blends at most 254 datasets, and there are at least 255 of its split"


def test_more_datasets_than_can_be_blended_are_refused_before_shards_are_written(
    invoke: Invoke, tmp_path: Path, save_tokenizer: Callable[..., None]
) -> None:
    save_tokenizer(tmp_path / "bytes.json")
    rows = [{"text": f"This is the text of document number {n}.", "lang": "en"} for n in range(20)]
    (tmp_path / "a.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    code, error = invoke("run", "recipe.yaml", recipe=staged(1_000))
    assert code == 2
    assert TOO_MANY in error
    assert "'output.tokens.formats: [parquet]' has no such limit" in error
    assert (tmp_path / "out" / "small" / "compose" / "_SUCCESS").exists()
    assert not (tmp_path / "out" / "small" / "shards").exists()


def test_datasets_that_stay_empty_are_not_counted(
    invoke: Invoke, tmp_path: Path, save_tokenizer: Callable[..., None]
) -> None:
    save_tokenizer(tmp_path / "bytes.json")
    out = tmp_path / "out" / "small"
    assert invoke("run", "recipe.yaml", recipe=staged(1))[0] == 0
    assert 1 <= len(list((out / "tokens" / "megatron").glob("train-*.bin"))) <= 3
    assert (out / "training.neox.yml").exists()
    # What is not certain before is counted when it is drawn.
    code, error = invoke("run", "recipe.yaml", recipe=staged(1_000))
    assert (code, TOO_MANY.replace("at least ", "") in error) == (2, True)
    assert not (out / "training.neox.yml").exists()


def test_mixture_that_cannot_be_had_is_told_of_at_its_line(invoke: Invoke, tmp_path: Path) -> None:
    mix = "mix:\n  tiers: uniform\n  validation: {share: 0}\n  budget: 1.0e9\n"
    recipe = RECIPE.replace("mix: {tiers: uniform}\n", mix)
    code, error = invoke("run", "recipe.yaml", recipe=recipe)
    assert code == 2
    assert error.startswith("error: recipe.yaml:10: the budget of 1.00e9 words cannot be met")
    assert not (tmp_path / "out" / "small" / "shards").exists()


def test_what_all_texts_were_dropped_for_is_told_first(invoke: Invoke) -> None:
    mix = "mix:\n  tiers: uniform\n  budget: 1000\nfilters: {min_characters: 5000}\n"
    recipe = RECIPE.replace("mix: {tiers: uniform}\n", mix)
    code, error = invoke("run", "recipe.yaml", recipe=recipe)
    first, second = error.splitlines()
    assert code == 2
    assert first == (
        "error: no text is left: 3 texts were dropped (too_short 3); "
        "'glotmill inspect out/small --reason REASON' shows some"
    )
    assert second.startswith("error: recipe.yaml:9: the budget of 1,000 words cannot be met")


def test_unknown_language_code(invoke: Invoke) -> None:
    recipe = RECIPE.replace("{column: lang}", "{code: xyzzy}")
    code, error = invoke("check", "recipe.yaml", recipe=recipe)
    assert code == 2
    assert "recipe.yaml:6" in error
    assert "xyzzy" in error


def test_stage_that_is_not_installed(invoke: Invoke) -> None:
    recipe = RECIPE + "filters:\n  custom:\n    - {name: no_such_filter}\n"
    code, error = invoke("check", "recipe.yaml", recipe=recipe)
    assert code == 2
    assert "recipe.yaml:11: no stage 'no_such_filter' is installed" in error


def test_source_of_nothing_but_rejects(
    invoke: Invoke, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As after a change of the files between the first look and the run."""
    monkeypatch.setattr("glotmill.pipelines.run.check_inputs", lambda *_: None)
    (tmp_path / "b.txt").write_bytes(b"bad \xff\n" * 3)
    source = "  - {name: b, path: b.txt, language: {code: en}}\n"
    code, error = invoke("run", "recipe.yaml", recipe=RECIPE.replace("mix:", source + "mix:"))
    assert code == 1
    assert "error: source 'b': all 3 records were rejected, the first for 'invalid_utf8'" in error
    assert "in b.txt at 0: invalid start byte" in error
    assert not (tmp_path / "out" / "small" / "_SUCCESS").exists()


def test_report_without_a_run(invoke: Invoke) -> None:
    code, error = invoke("report", "nowhere")
    assert code == 2
    assert "no finished run in nowhere" in error


def test_init_overwrites_nothing(invoke: Invoke, tmp_path: Path) -> None:
    assert invoke("init", "sample")[0] == 0
    written = (tmp_path / "sample" / "recipe.yaml").stat().st_mtime_ns
    code, error = invoke("init", "sample")
    assert code == 2
    assert "would be overwritten" in error
    assert (tmp_path / "sample" / "recipe.yaml").stat().st_mtime_ns == written


def test_unforeseen_failure_leaves_its_traceback_in_a_file(
    invoke: Invoke, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("the disk is on fire")

    monkeypatch.setattr("glotmill.pipelines.run.prepare", fail)
    code, error = invoke("run", "recipe.yaml")
    assert code == 1
    assert "error: the run failed: RuntimeError: the disk is on fire" in error
    assert "Traceback" in (tmp_path / "glotmill-error.log").read_text()


def test_schema_is_json(invoke: Invoke, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.json_schema()["properties"]
    assert invoke("schema")[0] == 0
