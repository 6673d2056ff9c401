import json

import numpy as np
import pytest
import typer
from click.testing import CliRunner

from eventsim.cli.app import app
from eventsim.datasets import ntidigits
from tests.support.pages import blank_pictures, drawn_pictures
from tests.unit.mapping.helpers import random_net, random_stream

WORDS = "o12"


@pytest.fixture(autouse=True)
def places(tmp_path, monkeypatch):
    """Cache and data folders of this test alone, and the folder it runs in."""
    monkeypatch.setenv("EVENTSIM_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("EVENTSIM_DATA", raising=False)
    monkeypatch.setattr("platformdirs.user_data_dir", lambda _app: str(tmp_path / "user"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture(autouse=True, scope="module")
def undrawn():
    """Pages have blank pictures, also in fixtures of a module; ``finished`` has real ones."""
    with blank_pictures():
        yield


def recordings(speakers, *, seed):
    """Three words by every speaker: each is busy in a third of the channels of its own."""
    rng = np.random.default_rng(seed)
    found = {}
    for speaker in speakers:
        for take in "ab":
            for number, word in enumerate(WORDS):
                times = np.sort(rng.uniform(0.0, 40.0, 40))
                channels = rng.integers(20 * number, 20 * number + 20, 40)
                found[f"man-{speaker}-{take}-{word}"] = (times, channels)
    return found


def write_digits(path):
    train, test = recordings(["aa", "bb", "cc"], seed=0), recordings(["dd"], seed=1)
    ntidigits.write(path, train=train, test=test)
    return path


@pytest.fixture
def digits(tmp_path):
    """A small file in the layout of N-TIDIGITS18."""
    return write_digits(tmp_path / "digits.hdf5")


@pytest.fixture
def files(tmp_path):
    """Files of a small network and of events for it, and the network."""
    net = random_net(3)
    net.save(tmp_path / "net.npz")
    random_stream(3).save(tmp_path / "events.npz")
    return tmp_path / "net.npz", tmp_path / "events.npz", net


@pytest.fixture
def tiny_chip(tmp_path):
    """A chip of four cores of five neurons each, too small for the network of ``files``."""
    path = tmp_path / "tiny.toml"
    path.write_text(
        'format = "eventsim-chip"\nversion = 1\nname = "tiny"\ntitle = "Tiny"\nkind = "chip"\n'
        'source = "test"\nstep_ms = 1.0\n[limits]\ncores = 4\nmesh = [2, 2]\ncores_per_tile = 1\n'
        "neurons_per_core = 5\n"
    )
    return path


class Outcome:
    """What a command left behind."""

    def __init__(self, result):
        self.code, self.out, self.err = result.exit_code, result.stdout, result.stderr
        self.error = result.exception

    @property
    def json(self):
        return json.loads(self.out)

    def shows(self, *words):
        """Standard output has the words, however its lines are broken."""
        return self._has(self.out, words)

    def says(self, *words):
        """Standard error has the words."""
        return self._has(self.err, words)

    def _has(self, text, words):
        for one in words:
            assert flat(one) in flat(text), text
        return self


def flat(text):
    """A text without its line breaks."""
    return " ".join(text.split())


# Made once: of all commands and options it takes longer than most commands do.
COMMAND = typer.main.get_command(app)


def call(*arguments):
    """Run eventsim as from a shell."""
    return Outcome(CliRunner().invoke(COMMAND, [str(a) for a in arguments]))


def done(*arguments):
    """Run a command that does what it is asked."""
    outcome = call(*arguments)
    assert outcome.code == 0, outcome.err
    return outcome


def told(*arguments):
    """What a command tells as JSON."""
    return done(*arguments, "--json").json


def refused(*arguments):
    """Run a command that is refused: words on standard error, and nothing else."""
    outcome = call(*arguments)
    assert outcome.code == 2, outcome.out
    assert outcome.out == ""
    assert "Traceback" not in outcome.err
    return outcome


TINY = ("--hidden", 6, "--epochs", 2, "--batch-size", 6, "--threads", 1)


@pytest.fixture(scope="session")
def finished(tmp_path_factory):
    """Data file and folder of a finished run; not to be changed."""
    home = tmp_path_factory.mktemp("finished")
    data, folder = write_digits(home / "digits.hdf5"), home / "run"
    with drawn_pictures():
        outcome = call("train", data, *TINY, "--out", folder, "--json")
    assert outcome.code == 0, outcome.err
    return data, folder, outcome
