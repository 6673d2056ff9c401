"""A trained network on every chip: links that spikes pass, against the baselines.

Method   The network of a run (eventsim train ..) on the test part of its data set, mapped as in
         bench.mapping.traffic. Chips that cannot hold it say why.
         python -m bench.mapping.trained RUN
Answer   results/mapping_trained.jsonl
"""

from pathlib import Path

import eventsim as es
from bench.harness import parser, report
from bench.mapping.traffic import CHIPS, rows_of
from eventsim.chips import load_chip
from eventsim.mapping import axon_graph
from eventsim.mapping.mapping import filled_less

SPREAD = 16  # neurons per core, where the network is spread: it is small


def main() -> None:
    words = parser(__doc__ or "")
    words.add_argument("run", type=Path, help="folder of a finished run")
    options = words.parse_args()
    run = es.load_run(options.run)
    net, network = run.net, run.settings.network
    tape = es.simulate(net, run.data("test").stream[:])
    graph = axon_graph(net, tape)
    kind = f"{run.data_settings.name}, {'network' if network is None else network.title}"
    for name, neurons in CHIPS:
        few = None if neurons is None else SPREAD
        label = name if few is None else f"{name}, {few} per core"
        report(list(rows_of(kind, net, graph, filled_less(load_chip(name), few), label)), options)


if __name__ == "__main__":
    main()
