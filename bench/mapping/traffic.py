"""Links that spikes pass, against first-fit and population-order, on every chip.

Method   A 784-1,024-1,024-10 network, 48 inputs per neuron (5 to 6 %), excitatory and inhibitory
         weights, run exactly on four recordings of 200 ms of noise whose channels have unlike
         rates. "local": the sources of a neuron lie around its own place, with a standard deviation
         of 3 % of the population. "random": sources are drawn alike from all, which leaves nothing
         to be found but rates and chance. Neurons are numbered along the populations in "local",
         which is the order that suits both baselines best; "local, shuffled" has the same network
         with neurons renumbered. Every chip by its own limits, and those of Intel and SpiNNaker
         with 64 neurons per core too, since whole cores hold the network on one or two tiles.
         Baselines are placed core after core, and once more by our placement ("+ placed").
         check_mapping counts every limit again. One thread.
         python -m bench.mapping.traffic [--quick] [--networks random] [--chips loihi]
Answer   No limit is broken anywhere. Where spikes pass links at all (on whole cores of Loihi and
         SpiNNaker the network lies on one tile: 0 links for everybody), hypergraph passes 69 to
         80 % fewer than first-fit on "local", 86 to 99 % on "local, shuffled", 47 to 63 % on
         "random"; first-fit with our placement alone 28 to 75 %. "refined", the own starts without
         Mt-KaHyPar, takes a ninth of the time and passes as many links in 17 of 21 cases, more in
         three, by 3 to 8 %, and fewer in one, by 1 %: results/mapping.jsonl
"""

import time
from collections.abc import Iterator
from typing import Any

import numpy as np
import scipy.sparse as sp

import eventsim as es
from bench.harness import parser, report
from eventsim.chips import Chip, load_chip
from eventsim.hardware.graph import AxonGraph
from eventsim.mapping import InfeasibleError, axon_graph, check_mapping, map_graph
from eventsim.mapping.mapping import filled_less

SIZES = (784, 1024, 1024, 10)
FAN_IN = 48
SPREAD = 0.03
DURATION_MS, RECORDINGS, MEAN_RATE_HZ = 200.0, 4, 20.0
CHIPS: tuple[tuple[str, int | None], ...] = (
    ("loihi", None),
    ("loihi", 64),
    ("loihi2", None),
    ("loihi2", 64),
    ("spinnaker", None),
    ("spinnaker", 64),
    ("spinnaker2", None),
    ("spinnaker2", 64),
    ("dynapse", None),
    ("truenorth", None),
)
NETWORKS = ("local", "local, shuffled", "random")
QUICK = (("loihi", 64), ("spinnaker2", None), ("dynapse", None))
METHODS = (
    ("first_fit", False),
    ("population_order", False),
    ("first_fit", True),
    ("refined", True),
    ("hypergraph", True),
)


def weights(rng: np.random.Generator, n: int, m: int, *, local: bool) -> sp.csr_array:
    """FAN_IN sources for each of m neurons, from n."""
    rows = []
    for target in range(m):
        chances = None
        if local:
            away = (np.arange(n) - target * n / m + n / 2) % n - n / 2
            chances = np.exp(-0.5 * (away / (SPREAD * n)) ** 2)
            chances /= chances.sum()
        rows.append(rng.choice(n, FAN_IN, replace=False, p=chances))
    values = 5.0 * rng.normal(0.4, 1.0, FAN_IN * m) / np.sqrt(FAN_IN)
    columns = np.repeat(np.arange(m), FAN_IN)
    return sp.csr_array((values, (np.concatenate(rows), columns)), shape=(n, m))


def network(kind: str, seed: int = 0) -> es.Network:
    """The network; ``kind`` as in the docstring of this file."""
    rng = np.random.default_rng(seed)
    blocks = [
        weights(rng, n, m, local=kind.startswith("local"))
        for n, m in zip(SIZES[:-1], SIZES[1:], strict=True)
    ]
    if kind.endswith("shuffled"):
        orders = [rng.permutation(size) for size in SIZES]
        blocks = [block[orders[k]][:, orders[k + 1]].tocsr() for k, block in enumerate(blocks)]
    names = ("input", "hidden1", "hidden2", "output")
    net = es.Network()
    net.add_input("input", SIZES[0])
    net.add_population("hidden1", SIZES[1], refractory=2.0)
    net.add_population("hidden2", SIZES[2], refractory=2.0)
    net.add_readout("output", SIZES[3])
    for k, block in enumerate(blocks):
        net.connect(names[k], names[k + 1], block)
    return net


def noise(seed: int = 1) -> es.EventStream:
    """Poisson events; rates of channels are drawn from an exponential distribution."""
    rng = np.random.default_rng(seed)
    rates = rng.exponential(MEAN_RATE_HZ, SIZES[0])
    samples = []
    for _ in range(RECORDINGS):
        channels = np.repeat(np.arange(SIZES[0]), rng.poisson(rates * DURATION_MS / 1000.0))
        times = rng.uniform(0.0, DURATION_MS, channels.size)
        order = np.argsort(times)
        samples.append((times[order], channels[order]))
    return es.EventStream.from_samples(samples, n_channels=SIZES[0], duration=DURATION_MS)


def rows_of(
    kind: str, net: es.Network, graph: AxonGraph, chip: Chip, label: str
) -> Iterator[dict[str, Any]]:
    """A row per method."""
    first_fit = None
    for method, placed in METHODS:
        name = method + (" + placed" if placed and method == "first_fit" else "")
        row: dict[str, Any] = {
            "bench": "links passed by spikes",
            "network": kind,
            "chip": label,
            "method": name,
        }
        began = time.perf_counter()
        try:
            mapping = map_graph(graph, chip, method=method, optimise_placement=placed)
        except InfeasibleError as error:
            yield row | {"infeasible": str(error)}
            continue
        seconds = time.perf_counter() - began
        sent = mapping.traffic
        hops = sent.hop_weighted_spikes
        if name == "first_fit":
            first_fit = hops
        yield row | {
            "cores": mapping.n_cores,
            "limits_broken": len(check_mapping(net, chip, mapping.cores)),
            "spikes_between_cores": sent.spikes_between_cores,
            "spikes_from_outside": sent.spikes_from_outside,
            "hops": hops,
            "hops_from_outside": sent.hops_from_outside,
            "multicast_hops": mapping.multicast_hops.east_west + mapping.multicast_hops.north_south,
            "busiest_link": sent.busiest_link,
            "fewer_than_first_fit": 1.0 - hops / first_fit if first_fit else None,
            "seconds": seconds,
        }


def label_of(chip: str, neurons: int | None) -> str:
    """As in the rows."""
    return chip if neurons is None else f"{chip}, {neurons} per core"


def main() -> None:
    words = parser(__doc__ or "")
    words.add_argument("--quick", action="store_true", help="fewer chips, no random network")
    words.add_argument("--networks", nargs="+", default=NETWORKS, choices=NETWORKS)
    labels = [label_of(*each) for each in CHIPS]
    words.add_argument("--chips", nargs="+", default=labels, choices=labels)
    options = words.parse_args()
    for kind in NETWORKS[:1] if options.quick else options.networks:
        net = network(kind)
        tape = es.simulate(net, noise())
        graph = axon_graph(net, tape)
        for name, neurons in QUICK if options.quick else CHIPS:
            label = label_of(name, neurons)
            if label in options.chips:
                chip = filled_less(load_chip(name), neurons)
                report(list(rows_of(kind, net, graph, chip, label)), options)


if __name__ == "__main__":
    main()
