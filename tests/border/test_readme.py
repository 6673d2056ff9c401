"""README against the program: its Python blocks run, its commands are ones that exist."""

import re

import pytest

import eventsim as es
from eventsim.network.nir import NirWarning, write_nir
from eventsim.runs.networks import NetworkSettings
from tests.border.prose import COMMAND, LAUNCHERS, ROOT, blocks, commands, complaint, parsed

README = ROOT / "README.md"


def test_python_blocks_run_in_order_in_one_namespace(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("EVENTSIM_CACHE", str(tmp_path / "cache"))
    python = [block for block in blocks(README) if block.kind == "python"]
    run = [block.text for block in python if not block.more]
    left_out = [block.more for block in python if block.more]
    assert len(run) >= 6
    assert all(re.match(r"not run: \w", more) for more in left_out), left_out
    names = {}
    for text in run:
        exec(compile(text, "README.md", "exec"), names)
    assert len(names["answers"]) == 1000
    assert float(capsys.readouterr().out.split()[-1]) > 0.4


def examples(command=COMMAND):
    """What the help of every command gives as examples."""
    for inner in getattr(command, "commands", {}).values():
        yield from examples(inner)
    for line in (command.help or "").splitlines():
        if line.strip().startswith(("eventsim ", *LAUNCHERS)):
            yield line.strip()


@pytest.mark.parametrize("line", [*commands(blocks(README)), *examples()])
def test_command_is_one_that_the_program_takes(line):
    assert parsed(line).startswith("eventsim ")


@pytest.mark.parametrize("line", sorted(set(re.findall(r"`(eventsim [^`]+)`", README.read_text()))))
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
