"""The commands and their flags: the recipe carries the rest."""

import typer

from glotmill.pipelines.cli import app

FLAGS = {
    "init": {"folder"},
    "check": {"recipe"},
    "run": {"recipe", "--out", "--workers"},
    "report": {"out", "--rebuild"},
    "schema": set(),
}


def test_flags_are_these() -> None:
    group = typer.main.get_command(app)
    found = {
        name: {
            option
            for parameter in command.params
            for option in (
                parameter.opts if parameter.param_type_name == "option" else [parameter.name]
            )
        }
        for name, command in group.commands.items()  # type: ignore[attr-defined]
    }
    assert found == FLAGS
    assert {option for p in group.params for option in p.opts} == {"--version"}
