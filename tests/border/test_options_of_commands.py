"""Options that commands have where they make sense: --json, --samples, an example in the help."""

import json
from collections import defaultdict

import pytest
import typer

from eventsim.cli.app import app
from tests.unit.cli.conftest import call, done, finished, places, told, undrawn  # noqa: F401  fixtures


def commands(group=None, before=()):
    """Every command that the help names, with its words."""
    group = typer.main.get_command(app) if group is None else group
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from commands(command, (*before, name))
        elif not command.hidden:
            yield " ".join((*before, name)), command


COMMANDS = dict(commands())
# It prints JSON only.
ALWAYS_JSON = ("schema",)
# They read recordings, but all of them are wanted, or one.
ALL_RECORDINGS = ("data import", "data plot", "predict")


# Each command says for itself what they mean for it.
OF_THEIR_COMMAND = {
    "--begin", "--bits", "--chip", "--condition", "--divide", "--dt", "--encoder", "--epochs",
    "--every", "--format", "--jobs", "--margin", "--out", "--patience", "--precision",
    "--seed", "--smoke", "--split", "--targets", "--test-fraction", "--threads",
    "--time-unit", "--validate",
}  # fmt: skip


def options(command):
    return {name for parameter in command.params for name in parameter.opts}


@pytest.mark.parametrize("name", [name for name in COMMANDS if name not in ALWAYS_JSON])
def test_command_has_json(name):
    assert "--json" in options(COMMANDS[name])


@pytest.mark.parametrize("name", COMMANDS)
def test_command_that_reads_a_part_of_a_data_set_takes_few_of_its_samples(name):
    if "--split" in options(COMMANDS[name]) and name not in ALL_RECORDINGS:
        assert "--samples" in options(COMMANDS[name])


@pytest.mark.parametrize("name", COMMANDS)
def test_command_that_reads_files_of_events_takes_the_unit_of_text(name):
    assert ("--unit" in options(COMMANDS[name])) == ("--sensor" in options(COMMANDS[name]))


@pytest.mark.parametrize("name", COMMANDS)
def test_help_of_a_command_shows_an_example(name):
    done(*name.split(), "--help").shows(
        "Example", f"eventsim {name.replace('experiment run', 'experiment')}"
    )


@pytest.mark.parametrize("name", COMMANDS)
def test_help_on_80_columns_names_every_option_and_cuts_no_word(name, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    whole = "--help-all" if "--help-all" in options(COMMANDS[name]) else "--help"
    shown = call(*name.split(), whole).out
    assert "\N{HORIZONTAL ELLIPSIS}" not in shown
    listed = [one for one in COMMANDS[name].params if not getattr(one, "hidden", False)]
    words = [word for one in listed for word in (one.help or "").split()]
    words += [name for one in listed for name in one.opts if name.startswith("--")]
    assert {word for word in words if len(word) < 50 and word not in shown} == set()


def test_help_of_train_shows_ten_options_and_says_where_the_others_are():
    shown = call("train", "--help").out
    named = {name for name in options(COMMANDS["train"]) if f"  {name} " in shown}
    assert len(named - {"--help", "--help-all"}) == 10
    assert "--help-all" in shown


@pytest.mark.parametrize(
    "words",
    [
        "data list",
        "experiment list",
        "experiment show bip --data yinyang",
        "conformance --list",
        "conformance --case pacemaker --backend reference",
        "schema chip",
    ],
)
def test_output_of_a_command_without_a_run_parses(words):
    outcome = done(*words.split(), *([] if words.startswith("schema") else ["--json"]))
    assert isinstance(json.loads(outcome.out), dict)


@pytest.mark.parametrize(
    ("words", "number"),
    [
        ("evaluate {run} --samples 4", lambda found: found["samples"]),
        ("simulate {run} {data} --samples 4", lambda found: found["samples"]),
        ("cost {run} --samples 4 --chip 45nm", lambda found: found["recordings"]),
        ("map {run} --samples 4 --method first-fit --no-compare", lambda f: f["recordings"]),
        ("report {run} --samples 4 --chip 45nm --out page.html", lambda f: f["recordings"]),
        (
            "data info {data} --samples 4 --split test",
            lambda found: found["splits"]["test"]["samples"],
        ),
    ],
)
def test_output_of_a_command_on_few_samples_parses(finished, words, number):  # noqa: F811
    data, run, _ = finished
    outcome = told(*words.format(run=run, data=data).split())
    assert number(outcome) == 4


def test_more_samples_than_there_are_are_all_of_them(finished):  # noqa: F811
    _, run, trained = finished
    outcome = told("evaluate", run, "--samples", 1000)
    assert outcome["samples"] == trained.json["test"]["samples"] == 6
    assert outcome["accuracy"] == trained.json["test"]["accuracy"]


def test_every_option_of_one_name_says_the_same_everywhere():
    """Help of the options that several commands share comes from one home."""
    texts = defaultdict(set)
    for command in COMMANDS.values():
        for parameter in command.params:
            for name in parameter.opts:
                if name.startswith("--"):
                    texts[name].add(parameter.help)
    assert {name for name, found in texts.items() if len(found) > 1} == OF_THEIR_COMMAND
