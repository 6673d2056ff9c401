"""Networks as C, compiled here and held to backend cpu."""

import ctypes
import subprocess
import zlib
from pathlib import Path
from typing import NamedTuple

import numpy as np

import eventsim as es

DRIVER = Path(__file__).with_name("embedded.c")
WARNINGS = "-Wall -Wextra -Wconversion -pedantic -Werror -Wno-unknown-pragmas"
ROOM = 1 << 18


class Run(NamedTuple):
    """What the text gave: time, population and neuron of all spikes; scores and the class.

    ``preview`` are the scores of the page while it runs.
    """

    times: np.ndarray
    populations: np.ndarray
    neurons: np.ndarray
    scores: np.ndarray
    answer: int
    preview: np.ndarray | None = None


class Compiled:
    """An exported network as a library."""

    def __init__(self, folder, name, flags="-O1", compiler="gcc -std=c99"):
        built = folder / f"{zlib.crc32(f'{compiler}{flags}'.encode())}.so"
        driver = folder / "drive.c"
        text = DRIVER.read_text().replace("net_", f"{name}_").replace("NET_", f"{name.upper()}_")
        driver.write_text(text.replace('"net.h"', f'"{name}.h"'))
        sources = [driver, folder / f"{name}.c", folder / f"{name}_weights.c"]
        command = [*compiler.split(), *WARNINGS.split(), "-ffp-contract=off", *flags.split()]
        subprocess.run([*command, "-shared", "-fPIC", *sources, "-o", built], check=True)
        self.library = ctypes.CDLL(str(built))
        self.library.drive.restype = self.library.drive_ram.restype = ctypes.c_long

    def run(self, times, channels, duration, classes):
        """One recording; the status where it stopped."""
        found = np.empty(ROOM), np.empty(ROOM, np.int32), np.empty(ROOM, np.int32)
        scores = np.empty(classes + 1, np.float32)
        times = np.ascontiguousarray(times, np.float64)
        channels = np.ascontiguousarray(channels, np.int32)
        given = [values.ctypes.data_as(ctypes.c_void_p) for values in (times, channels)]
        to = [values.ctypes.data_as(ctypes.c_void_p) for values in (*found, scores)]
        n = self.library.drive(
            *given, ctypes.c_long(times.size), ctypes.c_double(duration), *to[:3],
            ctypes.c_long(ROOM), to[3],
        )  # fmt: skip
        if n < 0:
            return -n
        assert n <= ROOM
        return Run(*(values[:n] for values in found), scores[:-1], int(scores[-1]))


def assert_same(net, stream, folder, *, flags="-O1", compiler="gcc -std=c99", **options):
    """The C text gives the spikes of backend cpu to the bit, and its answers; how many spikes."""
    exported = es.export_c(net, folder, stream=stream, name="one", **options)
    compiled = Compiled(folder, "one", flags, compiler)
    assert compiled.library.drive_init() == 0
    assert compiled.library.drive_ram() == exported.ram
    n_scores, runs = es.predict(net, stream, backend="cpu").scores.shape[1], []
    for s in range(stream.n_samples):
        low, high = stream.offsets[s : s + 2]
        recording = stream.times[low:high], stream.channels[low:high], stream.duration[s]
        runs.append(compiled.run(*recording, n_scores))
        assert isinstance(runs[-1], Run), runs[-1]
    return assert_as_cpu(net, stream, exported.populations, runs)


def assert_as_cpu(net, stream, populations, runs):
    """Runs have the spikes of backend cpu to the bit, and its answers; how many spikes."""
    tape = es.simulate(net, stream, backend="cpu", precision="single")
    answers = es.predict(net, stream, backend="cpu")
    assert len(runs) == stream.n_samples
    for s, run in enumerate(runs):
        for number, name in enumerate(list(populations)[1:], start=1):
            low, high = tape[name].offsets[s : s + 2]
            mine = np.flatnonzero(run.populations == number)
            mine = mine[np.lexsort((run.neurons[mine], run.times[mine]))]
            np.testing.assert_array_equal(run.times[mine], tape[name].times[low:high])
            np.testing.assert_array_equal(run.neurons[mine], tape[name].neurons[low:high])
        scale = np.abs(answers.scores[s]).max() + 1.0
        np.testing.assert_allclose(run.scores, answers.scores[s], rtol=0.0, atol=2e-5 * scale)
        assert run.answer == answers.classes[s]
    return sum(run.times.size for run in runs)
