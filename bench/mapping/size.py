"""How large a network can be mapped: seconds, memory, and quality beside Mt-KaHyPar.

Method   Networks with 100 synapses drawn for each neuron (those drawn twice are one), whose spike
         counts are log-normal (median 20, sigma 1). "layered": ten populations in a row, sources
         drawn alike from the population before: nothing is to be found but rates and chance.
         "lateral": a square sheet whose neurons reach places around their own (standard deviation 6
         places), numbered at random. The cores are those of Loihi 2, with at most 64 neurons per
         core for 10^3, 256 for 10^4, and as many as it allows from 10^5 on; the mesh is a square
         with a tenth more cores than are surely needed. Each case is a process of its own, which
         has its kernels from the disk. Seconds are those of the search, without network and graph;
         the peak of memory has both in it. "load" is how many processes wanted one of the two
         cores, in the last minute of the search. "Mt-KaHyPar" is its preset DEFAULT on two threads,
         balanced and repaired so that every limit holds, with our placement, into the fewest cores;
         its spikes between cores are what it minimises, its seconds those of the partition alone.
         check_mapping counts every limit again.
         python -m bench.mapping.size [--neurons 1000 10000] [--methods refined] [--fan-in 10]
Answer   10^5 neurons and 9 x 10^6 synapses take 36 CPU seconds ("lateral") and 44 ("layered"), by
         the wall 49 and 44 s on two cores with a load of 4 to 5, 0.9 GiB with network and graph,
         and the check 1 to 3 s. 10^6 neurons and 9 x 10^7 synapses ("lateral") take 15 CPU minutes,
         21 by the wall with a load of 5, and 6.7 GiB; "layered" was stopped after 17 CPU minutes:
         its time grows with neurons times cores, and --seconds ends it with the best so far. Spikes
         between cores beside those of Mt-KaHyPar, up to 10^4 neurons: 4 % fewer to 9 % more; links
         11 % fewer to 15 % more.
         results/mapping_size.jsonl
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import time
from dataclasses import replace
from typing import Any

import numpy as np
import scipy.sparse as sp

import eventsim as es
from bench.harness import parser, report
from eventsim.chips import Chip, load_chip
from eventsim.hardware.graph import AxonGraph
from eventsim.hardware.usage import fewest_cores, limits_of
from eventsim.mapping import axon_graph, check_mapping, map_graph
from eventsim.mapping.effort import Effort
from eventsim.mapping.mapping import filled_less
from eventsim.mapping.mesh import flows, traffic
from eventsim.mapping.place import place
from eventsim.mapping.refine import repair
from eventsim.mapping.starts import kahypar
from eventsim.mapping.state import CoreState

FAN_IN = 100
LAYERS = 10
REACH = 6.0  # places, standard deviation in both directions
MEDIAN, SIGMA = 20.0, 1.0  # spikes
NEURONS_PER_CORE = {1_000: 64, 10_000: 256}
SPARE = 1.1
BLOCK = 50_000  # neurons whose sources are drawn at once
NETWORKS = ("lateral", "layered")
METHODS = ("refined", "Mt-KaHyPar")


def layered(n: int, fan_in: int, rng: np.random.Generator) -> es.Network:
    """Ten populations in a row, a tenth of the neurons each."""
    size, net = n // LAYERS, es.Network()
    net.add_input("input", size)
    before = "input"
    for k in range(LAYERS):
        net.add_population(f"layer{k}", size)
        sources = rng.integers(0, size, size * fan_in, dtype=np.int32)
        net.connect(before, f"layer{k}", _weights(sources, size))
        before = f"layer{k}"
    return net


def lateral(n: int, fan_in: int, rng: np.random.Generator) -> es.Network:
    """A square sheet, numbered at random; what leaves it at one side comes back at the other."""
    side = int(np.sqrt(n))
    size = side * side
    order = rng.permutation(size).astype(np.int32)
    sources = np.empty((size, fan_in), np.int32)
    for low in range(0, size, BLOCK):
        number = np.arange(low, min(low + BLOCK, size))
        away = np.rint(rng.normal(0.0, REACH, (2, number.size, fan_in))).astype(np.int64)
        column, row = number[:, None] % side + away[0], number[:, None] // side + away[1]
        sources[order[number]] = order[column % side + row % side * side]
    net = es.Network()
    net.add_input("input", 1)
    net.add_population("sheet", size)
    net.connect("input", "sheet", np.ones((1, size)))
    net.connect("sheet", "sheet", _weights(sources.ravel(), size))
    return net


def _weights(sources: np.ndarray, size: int) -> sp.csr_array:
    """As many sources of every one of ``size`` neurons; those drawn twice are one synapse."""
    start = np.arange(size + 1, dtype=np.int64) * (sources.size // size)
    by_target = sp.csr_array((np.ones(sources.size), sources, start), (size, size))
    by_target.sum_duplicates()
    by_target.data[:] = 1.0
    return by_target.T.tocsr()


def chip_for(graph: AxonGraph, n: int) -> Chip:
    """Cores of Loihi 2 in a square mesh, with a tenth to spare."""
    chip = filled_less(load_chip("loihi2"), NEURONS_PER_CORE.get(n))
    limits = limits_of(chip)
    tiles = SPARE * fewest_cores(graph, limits) / limits.cores_per_tile
    side = int(np.ceil(np.sqrt(tiles)))
    cores = side * side * limits.cores_per_tile
    return replace(chip, limits=replace(limits, cores=cores, mesh=(side, side)))


def case(network: str, n: int, fan_in: int, method: str, seconds: float | None) -> dict[str, Any]:
    """A row, made in this process."""
    rng = np.random.default_rng(0)
    net = (lateral if network == "lateral" else layered)(n, fan_in, rng)
    began = time.perf_counter()
    graph = axon_graph(net, None)
    row: dict[str, Any] = {
        "bench": "networks by size",
        "network": network,
        "neurons": graph.n_neurons,
        "synapses": int(graph.synapses.nnz),
        "method": method if seconds is None else f"{method}, {seconds:g} s",
        "graph_seconds": time.perf_counter() - began,
    }
    spikes = np.ceil(rng.lognormal(np.log(MEDIAN), SIGMA, graph.n_axons)).astype(np.int64)
    graph = replace(graph, spikes=spikes)
    chip = chip_for(graph, n)
    began, worked = time.perf_counter(), time.process_time()
    if method == "Mt-KaHyPar":
        n_cores = fewest_cores(graph, limits_of(chip))
        core_of = kahypar(graph, chip, n_cores, seed=0, preset="DEFAULT", threads=2)
        took = time.perf_counter() - began, time.process_time() - worked
        state = CoreState(graph, limits_of(chip), core_of, n_cores)
        repair(state, chip=chip.name, max_cores=limits_of(chip).cores)
        sent = flows(graph, state.core_of, state.n_cores)
        places = place(sent, limits_of(chip), Effort(), seed=0)
        at, found = places[state.core_of], traffic(sent, places, limits_of(chip))
        cores = {g.name: at[g.start : g.start + g.size] for g in graph.groups}
        used = int(np.unique(at).size)
    else:
        mapping = map_graph(graph, chip, method=method, seconds=seconds)
        took = time.perf_counter() - began, time.process_time() - worked
        cores, found, used = mapping.cores, mapping.traffic, mapping.n_cores
    load = os.getloadavg()[0]
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    began = time.perf_counter()
    broken = len(check_mapping(net, chip, cores))
    return row | {
        "cores": used,
        "limits_broken": broken,
        "spikes_between_cores": found.spikes_between_cores,
        "hops": found.hop_weighted_spikes,
        "seconds": took[0],
        "cpu_seconds": took[1],
        "peak_mib": peak,
        "check_seconds": time.perf_counter() - began,
        "load": load,
    }


def in_process(options: argparse.Namespace, network: str, n: int, method: str) -> dict[str, Any]:
    """A row, made by a process of its own."""
    words = [sys.executable, "-m", "bench.mapping.size", "--one", network, str(n), method]
    words += ["--fan-in", str(options.fan_in)]
    if options.seconds is not None and method != "Mt-KaHyPar":
        words += ["--seconds", str(options.seconds)]
    try:
        done = subprocess.run(
            words, capture_output=True, text=True, check=True, timeout=options.at_most
        )
    except subprocess.TimeoutExpired:
        late = f"no answer in {options.at_most:g} s"
        row = {"bench": "networks by size", "network": network, "neurons": n, "method": method}
        return row | {"failed": late}
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def main() -> None:
    words = parser(__doc__ or "")
    words.add_argument("--neurons", type=int, nargs="+", default=[1_000, 10_000, 100_000])
    words.add_argument("--networks", nargs="+", default=NETWORKS, choices=NETWORKS)
    words.add_argument("--methods", nargs="+", default=METHODS, choices=METHODS)
    words.add_argument("--fan-in", type=int, default=FAN_IN, help="synapses drawn for a neuron")
    words.add_argument("--seconds", type=float, help="time of a search of our own")
    words.add_argument("--at-most", type=float, default=1800.0, help="seconds of a process")
    words.add_argument("--one", nargs=3, metavar=("NETWORK", "N", "METHOD"), help="in this process")
    options = words.parse_args()
    if options.one:
        network, n, method = options.one
        print(json.dumps(case(network, int(n), options.fan_in, method, options.seconds)))
        return
    for n in options.neurons:
        for network in options.networks:
            for method in options.methods:
                report([in_process(options, network, n, method)], options)


if __name__ == "__main__":
    main()
