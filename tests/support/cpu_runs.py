"""Goes through runs with the kernels of the CPU, in both precisions.

The runs are those of ``simt/runs.py``, some that the CUDA text does not have, and some of edges of
loops.

    python -m tests.support.cpu_runs LIBRARY FOLDER THREADS PRECISION...

does it with the library at LIBRARY, whatever it was built from, in a process of its own, and prints
what differs first from the results in FOLDER. So a library may be built with a fault, or under a
sanitizer; Python itself is not instrumented.
"""

import os
import sys
from pathlib import Path
from unittest import mock

import numpy as np
import scipy.sparse as sp

import eventsim as es
from eventsim.engine.contract.registry import set_threads
from eventsim.engine.cpu import CpuBackend
from eventsim.engine.cpu import library as loader
from tests.support.built import LEVEL
from tests.support.linear_neurons import dense_layer, dense_stream, random_network
from tests.support.nets import lateral_net, neuron_parameters, one_layer, one_sample, random_stream
from tests.support.simt import exercise
from tests.support.simt.build import sanitized_environment
from tests.support.simt.runs import Run

PRECISIONS = ("single", "double")


def _convolution():
    """Six blocks of neurons that hear little in common, which this backend alone has."""
    rng = np.random.default_rng(51)
    maps = es.Convolution(50, 5, out_maps=4)
    net = es.Network()
    net.add_input("input", 50)
    given = neuron_parameters(rng, maps.n_targets)
    net.add_population("hidden", maps.n_targets, **given)
    weights = maps.draw(rng, mean=5.4, spread=4.0)
    maps.connect(net, "input", "hidden", weights, delays=rng.uniform(0.0, 4.0, 50))
    net.connect("hidden", "hidden", es.self_recurrent(rng.uniform(-0.3, 0.3, maps.n_targets)))
    return net


def _at_once():
    """Equal neurons fire at one time, and tell those that did so before them, themselves too.

    Other spikes arrive when V is let go. Each neuron hears its own, so that on the way back they do
    not go side by side.
    """
    rng = np.random.default_rng(53)
    net = es.Network()
    net.add_input("input", 1)
    drawn = rng.uniform(0.1, 1.0, (3, 8, 8)) * (rng.random((3, 8, 8)) < 0.2)
    for name in ("a", "b"):
        net.add_population(name, 8, tau_mem=10.0, tau_syn=5.0, refractory=1.0)
        net.connect("input", name, np.full((1, 8), 6.0))
    net.connect("a", "a", sp.csr_array(np.tril(drawn[0]) + 0.5 * np.eye(8)))
    back = sp.csr_array(drawn[1])
    net.connect("b", "a", back, delays=np.ones(back.nnz))
    net.connect("a", "b", sp.csr_array(drawn[2]), delays=1.0)
    return net


def _two_run_away():
    """Two neurons run away in one stretch; the first, whose spikes come sooner, is told."""
    net = one_layer("hidden", np.array([[60.0, 30.0]]), tau_mem=6.0, tau_syn=9.0)
    net.connect("hidden", "hidden", es.self_recurrent(np.array([30.0, 30.0])))
    return net


OWN = {
    "linear, adaptive": Run(lambda: dense_layer("adlif"), dense_stream),
    "linear, receptors": Run(lambda: dense_layer("receptors"), dense_stream),
    "linear, loop": Run(*(lambda k=k: random_network(np.random.default_rng(3))[k] for k in (0, 1))),
    "two run away": Run(_two_run_away, lambda: one_sample([1.0], duration=9.0)),
    "loop, at once": Run(_at_once, lambda: one_sample([1.0, 2.0, 2.0, 8.0], duration=30.0)),
    "loop, beyond its room": Run(
        lambda: lateral_net(54, size=20, delays="synapse"),
        lambda: random_stream(55, n_samples=2, n_channels=5, duration=40.0, rate=60.0),
    ),
    "blocks, in pieces": Run(
        _convolution,
        lambda: random_stream(52, n_samples=1, n_channels=50, duration=20.0, rate=120.0),
        piece=9.0,
    ),
}


def each_result(precision):
    """What this backend computes on all runs, one by one."""
    backend = CpuBackend()
    yield from exercise.each_result(backend, precision, OWN)
    yield from exercise.each_result(backend, precision)


def write_results(folder):
    """Keep all of it for :func:`run_apart`."""
    for precision in PRECISIONS:
        exercise.write(folder / f"{precision}.npz", dict(each_result(precision)))


def run_apart(library, folder, *, flavour="plain", threads=1, precisions=PRECISIONS, limit=None):
    """The program of this module with a library of that flavour; its output is in the result."""
    words = [__name__, str(library), str(folder), str(threads), *precisions]
    environment = os.environ if flavour == "plain" else sanitized_environment(flavour)
    return exercise.run_program(words, environment | {"EVENTSIM_LEVEL": LEVEL}, limit)


def main(library, folder, threads, *precisions):
    """Go through all runs, up to the first difference."""
    any_sources = mock.patch.object(loader, "_difference", return_value=None)
    with any_sources, mock.patch.object(loader, "library_file", return_value=Path(library)):
        loader.library()
        set_threads(int(threads), backend="cpu")
        for precision in precisions:
            expected = exercise.read(Path(folder) / f"{precision}.npz")
            wrong = exercise.first_difference(each_result(precision), expected, precision)
            if wrong is not None:
                print(f"{precision}, {wrong}")
                return


if __name__ == "__main__":
    main(*sys.argv[1:])
