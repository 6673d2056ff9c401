"""The folder in which the command lines of ``commands.toml`` are called, and its files."""

import json
from dataclasses import replace

import numpy as np
from scipy.io import wavfile

import eventsim as es
from eventsim.events import Dataset
from eventsim.events.targets import Values
from tests.support.aedat import jaer
from tests.support.nets import one_layer
from tests.support.run_kinds import old_run
from tests.unit.cli.conftest import write_digits
from tests.unit.cli.test_groups_command import mine
from tests.unit.experiment.conftest import Files
from tests.unit.mapping.helpers import random_net, random_stream

DEEP, LONG = "[" * 10_000 + "]" * 10_000, "9" * 100_000
TINY_CHIP = (
    'format = "eventsim-chip"\nversion = 1\nname = "tiny"\ntitle = "Tiny"\nkind = "chip"\n'
    'source = "test"\nstep_ms = 1.0\n[limits]\ncores = 4\nmesh = [2, 2]\ncores_per_tile = 1\n'
    "neurons_per_core = 5\n"
)
FIGURE = '[energy.synaptic_event]\nvalue = 2.0\nunit = "pJ"\nstatus = "measured"\nsource = "t"\n'
TEXTS = {
    "table.csv": "time_us,channel,sample\n1000,3,0\n2000,1,0\n500,2,1\n",
    "third.csv": "t_ms,channel,p\n1,0,1\n2,3,0\n50,1,1\n",
    "five.csv": "time_s,channel\n0.1,0\n0.25,1\n0.9,12\n",
    "damaged.csv": "time_ms,channel\n1.0,not a channel\n",
    "a.csv": "time_ms,channel\n1.0,1\n9.0,5\n",
    "late.csv": "time_ms,channel\n300.0,1\n800.0,2\n",
    "early.csv": "time_ms,channel\n-99.539,1\n800.0,2\n",
    "text.npy": "version https://git-lfs.github.com/spec/v1\nsize 12\n",
    "strange.bin": "\0?",
    "foreign.npz": "PK nothing",
    "labels.csv": "file,label\nmissing.csv,x\na.csv,x\ndamaged.csv,y\n",
    "words/no/0.csv": "time_us,channel\n500,1\n",
    "words/labels.csv": "file,label\nno/0.csv,no\n",
    "empty/none.txt": "",
    "bad.toml": "epocs = 3\n",
    "tiny.toml": TINY_CHIP,
    "one.toml": TINY_CHIP + FIGURE,
    "two.toml": TINY_CHIP + FIGURE,
    "mistyped.toml": TINY_CHIP + FIGURE.replace("2.0", '"two"'),
    "loihi.toml": TINY_CHIP.replace('"Tiny"', '"Intel Loihi"'),
    "deep.toml": f"gain = {DEEP}",
    "long.toml": f"gain = {LONG}",
    "deep.json": DEEP,
    "long.json": f'{{"gain": {LONG}}}',
    "half.json": '{"gain": "\\ud800"}',
    "list.json": "[3]",
}


def make(home):
    """Write all files into a folder."""
    for name, text in TEXTS.items():
        (home / name).parent.mkdir(parents=True, exist_ok=True)
        (home / name).write_text(text)
    _networks(home)
    _recordings(home)
    digits = write_digits(home / "digits.hdf5")
    for name in ("cli", "grid", "python", "cli_stopped"):
        old_run(name, home, digits).rename(home / name)
    (home / "recipes").mkdir()
    Files(home / "recipes")
    rng = np.random.default_rng(0)
    wavfile.write(home / "a.wav", 8000, rng.integers(-9000, 9000, 800).astype("<i2"))
    (home / "sweep.aedat").write_bytes(jaer([(2 * k + 1, 100_000 + 2000 * k) for k in range(16)]))


def _networks(home):
    random_net(3).save(home / "net.npz")
    answering = es.scsr(64, (8,), 3, seed=1)
    answering.set_answer(es.Answer(class_names=("a", "b", "c")))
    answering.save(home / "classes.npz")
    es.scsr(8, (5,), 2, seed=1).save(home / "values.npz")
    own = one_layer("hidden", np.full((12, 9), 3.0))
    own.add_population("adaptive", 4, neuron=es.AdLIF())
    own.connect("hidden", "adaptive", np.ones((9, 4)))
    own.save(home / "adaptive.npz")


def _recordings(home):
    stream = random_stream(3)
    stream.save(home / "events.npz")
    stream[:0].save(home / "none.npz")
    for name, begins in (("short", "[1]"), ("nan", "[NaN]"), ("words", '["a"]'), ("one", "3")):
        stream.save(home / f"{name}.npz", notes={"begins": begins})
    many = "[" + "1e999," * (stream.n_samples - 1) + "1]"
    stream.save(home / "infinite.npz", notes={"begins": many})
    stream.save(home / "guesses.npz", notes={"guesses": "3"})
    stream.save(home / "begin.npz", notes={"begin": json.dumps({"rule": "zero"})})
    mine(home / "mine.h5")
    mine(home / "few.h5", ("ann", "bob"))
    samples = [(np.arange(1.0, 6.0 + k), np.arange(5 + k) % 8) for k in range(6)]
    part = es.EventStream.from_samples(samples, n_channels=8, duration=20.0)
    targets = Values(np.arange(12.0).reshape(6, 2, 1), np.tile([5.0, 20.0], (6, 1)), ("speed",))
    valued = replace(Dataset(part, [0] * 6, ["0"]), targets=targets)
    valued.save(home / "valued.h5", splits=["train"] * 4 + ["test"] * 2)
    part.save(home / "eight.npz")
    np.savez(home / "lacking.npz", targets=np.ones((6, 2, 2)))
