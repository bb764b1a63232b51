"""The commands and their flags: the recipe carries the rest."""

import typer

from glotmill.pipelines.cli import app

FLAGS = {
    "init": {"folder"},
    "check": {"recipe"},
    "plan": {"recipe", "--out", "--counts", "--sample", "--workers", "--core-hour"},
    "run": {
        *("recipe", "--out", "--workers", "--dashboard", "--runner", "--prism", "--flink-master"),
        *("--job-server", "--start-timeout", "--on-stop", "beam"),
    },
    "report": {"out", "--rebuild", "--training"},
    "diff": {"before", "after", "--page"},
    "inspect": {
        *("out", "--label", "--reason", "--source", "--sort", "--match", "--kept", "--limit"),
    },
    "trace": {
        *("out", "--token", "--sequence", "--id", "--url", "--hash", "--text", "--limit", "--json"),
    },
    "schema": set(),
    "train": {"configuration", "--find-lr"},
    "near bands": {"--similarity", "--permutations"},
    "lid thresholds": {"out"},
    "lid train": {"corpus", "--out"},
}


def commands(group, path=()):  # type: ignore[no-untyped-def]
    """Every command with its parameters; those of a group within go by both names."""
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from commands(command, (*path, name))
        else:
            yield " ".join((*path, name)), command.params


def test_flags_are_these() -> None:
    group = typer.main.get_command(app)
    found = {
        name: {
            option
            for parameter in params
            for option in (
                parameter.opts if parameter.param_type_name == "option" else [parameter.name]
            )
        }
        for name, params in commands(group)
    }
    assert found == FLAGS
    assert {option for p in group.params for option in p.opts} == {"--version"}
