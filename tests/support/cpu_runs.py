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
from dataclasses import replace
from pathlib import Path
from unittest import mock

import numpy as np
import scipy.sparse as sp

import eventsim as es
from eventsim import processors
from eventsim.compiled import library as loader
from eventsim.engine.contract.registry import set_threads
from eventsim.engine.cpu import CpuBackend, blocks, layer, threads, window_host
from tests.support.built import LEVEL
from tests.support.linear_neurons import (
    dense_layer,
    dense_stream,
    quiet_loop,
    random_network,
    two_kinds_in_a_loop,
)
from tests.support.nets import (
    lateral_net,
    neuron_parameters,
    one_layer,
    one_sample,
    random_stream,
    shared_net,
    two_kinds_net,
)
from tests.support.simt import exercise
from tests.support.simt.build import sanitized_environment
from tests.support.simt.runs import Run, falls, met

PRECISIONS = ("single", "double")

# Below so much work nothing is shared among threads.
LEAST_SHARED = (
    (threads, "SMALL_WORK"), (processors, "SMALL_EVENTS"), (layer, "SMALL_WORK"),
    (blocks, "BLOCK_WORK"), (window_host, "PART_EVENTS"),
)  # fmt: skip


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


def _often(kind):
    """Neurons that fire 800 times a ms between arrivals; in a loop too often, over a border."""
    weights, v_leak = np.full((1, 2), 0.5), 1300.0 if kind == "loop" else 800.0
    late = {"delays": np.array([[0.0, 0.1]])} if kind == "fan-in" else {}
    net = one_layer("hidden", weights, tau_mem=1.0, tau_syn=1.0, v_leak=v_leak, **late)
    if kind == "loop":
        net.connect("hidden", "hidden", np.full((2, 2), 0.1), delays=5.0)
    return net


def _at_borders(delays):
    """Events arrive as pieces end."""
    rng = np.random.default_rng(63)
    weights = rng.uniform(0.0, 5.0, (3, 6))
    net = one_layer("hidden", weights, delays=delays, **neuron_parameters(rng, 6))
    net.add_readout("output", 35, **neuron_parameters(rng, 35, spiking=False))
    net.connect("hidden", "output", rng.uniform(-1.0, 2.0, (6, 35)), delays=1.5)
    return net


def _released_with_others():
    """V of a neuron is let go as another fires, whose spike arrives at once."""
    net = es.Network()
    net.add_input("input", 2)
    net.add_population("a", 4, tau_mem=10.0, tau_syn=5.0, refractory=1.0)
    first = np.array([1.0, 0.0, 0.0, 1.0])
    net.connect("input", "a", 6.0 * np.array([first, 1.0 - first]))
    rng = np.random.default_rng(64)
    net.connect("a", "a", rng.uniform(0.1, 0.5, (4, 4)) * np.outer(1.0 - first, np.ones(4)))
    return net


def _own_returns():
    """A dense layer of which own spikes return later, many of them behind the last event."""
    rng, n = np.random.default_rng(70), 37
    held = rng.choice([0.0, 1.0, 4.0], n)
    given = neuron_parameters(rng, n) | {"refractory": held}
    net = one_layer("hidden", rng.normal(1.0, 1.5, (6, n)), delays=1.0, **given)
    own = es.self_recurrent(rng.normal(1.0, 1.0, n))
    net.connect("hidden", "hidden", own, delays=rng.choice([0.05, 1.0, 3.0, 15.0], n))
    return net


def _one_weight():
    """A loop whose projections, all but one, have the same weight for all their synapses."""
    rng = np.random.default_rng(68)
    net, weight = es.Network(), {"input": 0.9, "a": 0.08, "b": -0.3}
    net.add_input("input", 20)
    sizes = {"input": 20, "a": 150, "b": 70}
    for name, held in (("a", 1.5), ("b", 0.0)):
        net.add_population(name, sizes[name], tau_mem=10.0, tau_syn=4.0, refractory=held)
    for source in sizes:
        for target in ("a", "b"):
            wires = sp.random_array((sizes[source], sizes[target]), density=0.3, rng=rng)
            wires.data[...] = weight[source]
            if (source, target) == ("a", "b"):
                wires.data += rng.normal(0.0, 0.1, wires.data.size)
            net.connect(source, target, sp.csr_array(wires), delays=1.5)
    return net


def _bursts(n_channels, rate):
    """Events with two silences between them, of different length."""
    rng = np.random.default_rng(65)
    spans = ((0.0, 8.0), (25.0, 30.0), (63.0, 68.0))
    times = np.concatenate([rng.uniform(*span, int(rate * (span[1] - span[0]))) for span in spans])
    channels = rng.integers(0, n_channels, times.size)
    return one_sample(np.sort(times), channels, n_channels=n_channels, duration=70.0)


def _uneven():
    """A loop of more neurons than a part has, whose targets crowd at one end or the other.

    The first and the last neuron of a part hear best.
    """
    rng, n = np.random.default_rng(67), 700
    net = es.Network()
    net.add_input("input", 20)
    net.add_population("a", n, tau_mem=10.0, tau_syn=5.0, refractory=1.0)
    net.connect("input", "a", rng.uniform(0.0, 1.0, (20, n)))
    crowd = rng.random((n, n)) < 0.4 * (np.arange(n) / n) ** rng.uniform(0.0, 9.0, (n, 1))
    crowd[::7, :130] = crowd[3::11] = False
    crowd[::2] = crowd[::2, ::-1].copy()
    weights = rng.normal(0.0, 0.1, (n, n)) * crowd
    weights[:, np.isin(np.arange(n) % 128, (0, 127))] *= 5.0
    net.connect("a", "a", sp.csr_array(weights), delays=1.5)
    return net


def _linear_at_once():
    """Linear neurons that send to each other without a delay, and fire at one time."""
    rng = np.random.default_rng(66)
    net = es.Network()
    net.add_input("input", 1)
    for name in ("a", "b"):
        neuron = es.LIF(tau_mem=10.0, tau_syn={"x": 5.0, "y": 2.0}, refractory=1.0)
        net.add_population(name, 4, neuron=neuron)
        net.connect("input", name, np.full((1, 4), 6.0), receptor="x")
    net.connect("a", "b", rng.uniform(0.1, 1.0, (4, 4)), receptor="y")
    net.connect("b", "a", rng.uniform(0.1, 1.0, (4, 4)), receptor="x", delays=1.0)
    return net


def _rebound():
    """Resonators that fire after inhibition alone, each with events of its own."""
    net = es.Network()
    net.add_input("input", 1)
    net.add_population("h", 2, neuron=es.Resonator(frequency=20.0, damping=5.0), refractory=1.0)
    net.connect("input", "h", np.full((1, 2), -8.0), delays=[[0.0, 0.3]])
    return net


def _peaks():
    """Neurons whose voltage is above its threshold between two arrivals, and at neither."""
    net = es.Network()
    net.add_input("input", 2)
    neuron = es.LIF(tau_mem=10.0, tau_syn={"a": 5.0, "b": 2.0})
    net.add_population("h", 40, neuron=neuron, refractory=1.0)
    weights = np.stack([np.linspace(4.0005, 4.02, 40), np.full(40, 1e-9)])
    delays = np.stack([np.zeros(40), np.linspace(0.0, 1e-6, 40)])
    net.connect("input", "h", weights, receptor="a", delays=delays)
    return net


def _around_peaks():
    peak = 10.0 * np.log(2.0)
    return one_sample([0.0, peak - 0.4, peak + 0.4], [0, 1, 1], n_channels=2, duration=30.0)


def _in_reverse():
    """Arrivals of six sources at one time, which the sources sent in the reverse order."""
    net = es.Network()
    net.add_input("input", 6)
    net.add_population("h", 12, tau_mem=20.0, tau_syn=5.0)
    weights = np.random.default_rng(67).uniform(0.5, 2.5, (6, 12))
    net.connect("input", "h", weights, delays=np.arange(6.0), delays_of="source")
    return net


def _reversed():
    base, channel = np.meshgrid(np.arange(0.0, 60.0, 6.0), np.arange(5, -1, -1), indexing="ij")
    times = base + 6.0 - channel
    return one_sample(times.ravel(), channel.ravel(), n_channels=6, duration=75.0)


def _on_borders():
    times = [1.0, 2.5, 7.7, 7.8, 7.9, 8.0, 8.0, 13.0, 17.7, 17.8, 17.9, 18.0, 19.0]
    channels = [0, 1, 0, 1, 0, 2, 1, 0, 1, 0, 2, 1, 2]
    return one_sample(times, channels, n_channels=3, duration=30.0)


def _grid():
    return one_sample([1.0, 2.0, 2.0, 8.0, 9.0], duration=30.0)


OWN = {
    "linear, adaptive": Run(lambda: dense_layer("adlif"), dense_stream),
    "linear, receptors": Run(lambda: dense_layer("receptors"), dense_stream),
    "linear, loop": Run(*(lambda k=k: random_network(np.random.default_rng(3))[k] for k in (0, 1))),
    "linear, in pieces": Run(
        *(lambda k=k: random_network(np.random.default_rng(3))[k] for k in (0, 1)),
        piece=7.3,
        back=True,
    ),
    "linear, by windows, in pieces": Run(
        lambda: two_kinds_in_a_loop(27), lambda: _bursts(5, 3.0), piece=17.3, back=True
    ),
    "linear, silent windows, in pieces": Run(
        *(lambda k=k: quiet_loop()[k] for k in (0, 1)), piece=23.3, back=True
    ),
    "linear, rebound": Run(_rebound, lambda: one_sample([1.0], duration=200.0)),
    "linear, peaks": Run(_peaks, _around_peaks),
    "ties, sent in reverse": Run(_in_reverse, _reversed),
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
    "linear, at once": Run(_linear_at_once, _grid),
    "falls": replace(falls(), back=True),
    "falls, fan-in": replace(falls(delays=2.0), back=True),
    "own returns, dense": Run(_own_returns, lambda: _bursts(6, 2.0), piece=9.3, back=True),
    "own returns, dense, ties": met("dense", 1.5, weight=2.0, returns=1.5),
    "ties, held": met("dense", 1.5, weight=2.0, held=1.5),
    "often": Run(lambda: _often("dense"), lambda: one_sample([0.5, 1.0, 1.5, 2.0], duration=3.0)),
    "often, fan-in": Run(
        lambda: _often("fan-in"), lambda: one_sample([0.5, 1.0, 1.5, 2.0], duration=3.0)
    ),
    "too often, in pieces": Run(
        lambda: _often("loop"), lambda: one_sample([0.3], duration=2.0), piece=0.7
    ),
    "at borders": Run(lambda: _at_borders(2.0), _on_borders, piece=10.0, back=True),
    "at borders, fan-in": Run(
        lambda: _at_borders(np.where(np.eye(3, 6), 2.0, 1.0)), _on_borders, piece=10.0, back=True
    ),
    "loop, released with others": Run(
        _released_with_others,
        lambda: one_sample([1024.0, 1025.0], [0, 1], n_channels=2, duration=1040.0),
    ),
    "loop, by windows, in pieces": Run(
        lambda: two_kinds_net(26, 20), lambda: _bursts(5, 3.0), piece=17.3, back=True
    ),
    "loop, by windows, one weight": Run(
        _one_weight,
        lambda: random_stream(69, n_samples=1, n_channels=20, duration=160.0, rate=80.0),
    ),
    "loop, by windows, in parts": Run(_uneven, lambda: _bursts(20, 4.0)),
    "loop, by stretches, in pieces": Run(
        lambda: shared_net(31, n=20, refractory=1.5),
        lambda: _bursts(20, 4.0),
        piece=17.3,
        back=True,
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


def main(library, folder, n_threads, *precisions):
    """Go through all runs, up to the first difference."""
    any_sources = mock.patch.object(loader, "_difference", return_value=None)
    with any_sources, mock.patch.object(loader, "library_file", return_value=Path(library)):
        loader.library()
        set_threads(int(n_threads), backend="cpu")
        for module, name in LEAST_SHARED if int(n_threads) > 1 else ():
            setattr(module, name, 1)
        for precision in precisions:
            expected = exercise.read(Path(folder) / f"{precision}.npz")
            wrong = exercise.first_difference(each_result(precision), expected, precision)
            if wrong is not None:
                print(f"{precision}, {wrong}")
                return


if __name__ == "__main__":
    main(*sys.argv[1:])
