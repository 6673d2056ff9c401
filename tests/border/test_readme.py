"""README against the program: its Python blocks run, its commands are ones that exist."""

import re
import shlex
from pathlib import Path

import pytest
import typer.main

import eventsim as es
from eventsim.cli.app import app
from eventsim.network.nir import NirWarning, write_nir
from eventsim.runs.networks import NetworkSettings

README = (Path(__file__).parents[2] / "README.md").read_text()
BLOCKS = re.findall(r"^```(\w+)([^\n]*)\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)
ROOT = typer.main.get_command(app)
LAUNCHERS = ("torchrun", "srun", "mpirun")


def test_python_blocks_run_in_order_in_one_namespace(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("EVENTSIM_CACHE", str(tmp_path / "cache"))
    blocks = [text for kind, more, text in BLOCKS if kind == "python" and not more]
    left_out = [more for kind, more, _ in BLOCKS if kind == "python" and more]
    assert len(blocks) >= 6
    assert all(re.match(r" not run: \w", more) for more in left_out), left_out
    names = {}
    for text in blocks:
        exec(compile(text, "README.md", "exec"), names)
    assert len(names["answers"]) == 1000
    assert float(capsys.readouterr().out.split()[-1]) > 0.4


def commands_in_blocks():
    text = "".join(text for kind, _, text in BLOCKS if kind == "sh").replace("\\\n", " ")
    lines = [line.strip() for line in text.splitlines()]
    return [line for line in lines if line.startswith(("eventsim ", *LAUNCHERS))]


def examples(command=ROOT):
    """What the help of every command gives as examples."""
    for inner in getattr(command, "commands", {}).values():
        yield from examples(inner)
    for line in (command.help or "").splitlines():
        if line.strip().startswith(("eventsim ", *LAUNCHERS)):
            yield line.strip()


def parsed(line):
    """The name of a command whose words, types and options its parser takes."""
    words = shlex.split(line.partition(" > ")[0], comments=True)
    args = words[words.index("eventsim") + 1 :]
    command, context, name = ROOT, None, "eventsim"
    while True:
        context = command.make_context(name, list(args), parent=context)
        if not hasattr(command, "commands"):
            return context.command_path
        name, command, args = command.resolve_command(
            context, [*context._protected_args, *context.args]
        )


def complaint(line):
    """Name of the error of the parser, which Typer brings along or has from Click; or None."""
    try:
        parsed(line)
    except Exception as error:
        return type(error).__name__
    return None


@pytest.mark.parametrize("line", [*commands_in_blocks(), *examples()])
def test_command_is_one_that_the_program_takes(line):
    assert parsed(line).startswith("eventsim ")


@pytest.mark.parametrize("line", sorted(set(re.findall(r"`(eventsim [^`]+)`", README))))
def test_command_in_a_sentence_exists(line):
    # A sentence may name a command without its arguments.
    assert complaint(line) in (None, "MissingParameter")


@pytest.mark.parametrize(
    ("line", "error"),
    [
        ("eventsim trian fsdd", "UsageError"),
        ("eventsim train fsdd --no-such", "NoSuchOption"),
        ("eventsim train fsdd --epochs few", "BadParameter"),
        ("eventsim evaluate", "MissingParameter"),
    ],
)
def test_command_that_does_not_exist_is_found(line, error):
    assert complaint(line) == error


def test_network_of_training_by_default_goes_to_norse_as_readme_says(tmp_path):
    pytest.importorskip("nir", minversion="1.0.8")
    net = NetworkSettings().build(64, 10, seed=0)
    with pytest.raises(es.errors.NetworkError, match=r"refractory times .up to 1 ms.*--lossy"):
        write_nir(net, tmp_path / "n.nir", target="norse", dt=0.1)
    with pytest.warns(NirWarning, match="refractory times"):
        write_nir(net, tmp_path / "n.nir", target="norse", dt=0.1, lossy=True)
