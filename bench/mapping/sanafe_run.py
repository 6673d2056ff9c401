"""Does SANA-FE, given our export, count what we count? Its spikes, packets and energies.

Method   A ScSr network of 64-96-96-11 with noise as input is run exactly, mapped onto SANA-FE's
         Loihi, exported, and simulated by SANA-FE in steps of 1, 0.1 and 0.02 ms. Compared are the
         spikes of neurons with the exact ones; packets, synaptic events and energies of network and
         synapses with those that our graph and traffic give for the spikes that SANA-FE itself
         found; and the total with that of eventsim.energy for the exact run. Needs sanafe (GPL-3):
         python -m bench.mapping.sanafe_run
Answer   Packets, synaptic events, network, synapse and soma energies are the same. Spikes differ by
         3.7, 0.74 and 0.19 %, so with the step. The total of eventsim.energy is lower: it counts an
         update in steps in which a spike arrives, SANA-FE's soma in every one in which V is not 0.
         results/mapping_sanafe.jsonl
"""

import tempfile
from dataclasses import replace
from importlib.metadata import version
from typing import Any

import numpy as np

import eventsim as es
from bench.harness import parser, report
from eventsim.chips import Chip, load_chip
from eventsim.energy import clocked, count, energy
from eventsim.hardware.graph import AxonGraph
from eventsim.hardware.usage import limits_of
from eventsim.mapping import Mapping, SanafeFiles, axon_graph, export_sanafe, map_network
from eventsim.mapping.mesh import flows, traffic

STEPS_MS = (1.0, 0.1, 0.02)
PJ = 1e-12


def run_sanafe(files: SanafeFiles) -> dict[str, Any]:
    """Simulate an export; energies in J, and the spikes of every neuron by group."""
    import sanafe

    arch = sanafe.load_arch(str(files.architecture))
    chip = sanafe.SpikingChip(arch)
    chip.load(sanafe.load_net(str(files.network), arch))
    found = chip.sim(files.steps, spike_trace=True)
    counts: dict[tuple[str, int], int] = {}
    for step in found["spike_trace"]:
        for neuron in step:
            address = (neuron.group_name, neuron.neuron_offset)
            counts[address] = counts.get(address, 0) + 1
    return {
        "energy": found["energy"],
        "synaptic_events": found["spikes"],
        "packets": found["packets_sent"],
        "fired": found["neurons_fired"],
        "updated": found["neurons_updated"],
        "counts": counts,
        "version": version("sanafe"),
    }


def predicted(net: es.Network, mapping: Mapping, found: dict[str, Any]) -> dict[str, float]:
    """Energies in J and counts that our graph and traffic give for the spikes SANA-FE found."""
    graph = axon_graph(net, None, inputs=mapping.inputs)
    names = [g.name for g in graph.groups] + (["input"] if graph.n_external else [])
    spikes = np.array(
        [
            found["counts"].get((name, index), 0)
            for name in names
            for index in range(net.populations[name].size)
        ]
    )
    graph = replace(graph, spikes=spikes)
    sent = traffic(_flows(graph, mapping), mapping.used, limits_of(mapping.chip))
    price = {name: quantity.value * PJ for name, quantity in mapping.chip.energy.items()}
    packets = sent.packets + sent.spikes_from_outside
    east_west = sent.hops_east_west + sent.outside_east_west
    north_south = sent.hops_north_south + sent.outside_north_south
    events = int(spikes @ np.asarray(graph.synapses.sum(axis=1)).ravel())
    return {
        "packets": packets,
        "synaptic_events": events,
        "network": packets * price["axon_out"]
        + east_west * price["hop_ew"]
        + north_south * price["hop_ns"],
        "synapse": events * price["synaptic_event"],
    }


def _flows(graph: AxonGraph, mapping: Mapping) -> Any:
    chip_cores = np.concatenate([mapping.cores[group.name] for group in graph.groups])
    number = {core: k for k, core in enumerate(mapping.used.tolist())}
    core_of = np.array([number[core] for core in chip_cores.tolist()], dtype=np.int32)
    return flows(graph, core_of, mapping.n_cores)


def _soma(net: es.Network, chip: Chip, found: dict[str, Any], steps: int, fired: int) -> float:
    """Energy of the somas in J for the updates that SANA-FE counted."""
    price = {name: quantity.value * PJ for name, quantity in chip.energy.items()}
    idle = price["neuron_update_idle"]
    size = sum(p.size for p in net.populations.values() if p.kind != "input")
    more = price["neuron_update_active"] - idle
    updated = found["updated"] - (found["fired"] - fired)  # channels are updated when they send
    return size * steps * idle + updated * more + fired * price["spike"]


def main() -> None:
    options = parser(__doc__ or "").parse_args()
    rng = np.random.default_rng(0)
    net = es.scsr(64, (96, 96), 11, refractory=0.0)
    n = rng.poisson(64 * 60)
    times, channels = np.sort(rng.uniform(0.0, 1000.0, n)), rng.integers(0, 64, n)
    stream = es.EventStream(times, channels, [0, n], n_channels=64, duration=1000.0)
    tape = es.simulate(net, stream)
    exact = sum(len(trains) for trains in tape.trains.values())
    chip = load_chip("loihi_sanafe")
    mapping = map_network(net, tape, chip, method="hypergraph", neurons_per_core=8)
    rows = []
    for step_ms in STEPS_MS:
        with tempfile.TemporaryDirectory() as folder:
            files = export_sanafe(net, mapping, stream, folder, step_ms=step_ms)
            found = run_sanafe(files)
        ours = predicted(net, mapping, found)
        steps = clocked(net, tape, step_ms=step_ms)
        mapped = mapping.counts()
        mapped["axon_out"] += mapping.traffic.spikes_from_outside  # SANA-FE's channels pay it
        priced = energy(count(net, tape), chip, clocked=steps, mapped=mapped)
        fired = found["fired"] - (stream.n_events - files.lost)
        rows.append(
            {
                "bench": "SANA-FE against the exact run",
                "step_ms": step_ms,
                "cores": mapping.n_cores,
                "spikes_exact": exact,
                "spikes_sanafe": fired,
                "difference": fired / exact - 1.0,
                "input_events_moved": files.moved,
                "packets_sanafe": found["packets"],
                "packets_ours": ours["packets"],
                "synaptic_events_sanafe": found["synaptic_events"],
                "synaptic_events_ours": ours["synaptic_events"],
                "network_j_sanafe": found["energy"]["network"],
                "network_j_ours": ours["network"],
                "synapse_j_sanafe": found["energy"]["synapse"],
                "synapse_j_ours": ours["synapse"],
                "soma_j_sanafe": found["energy"]["soma"],
                "soma_j_of_its_updates": _soma(net, chip, found, files.steps, fired),
                "total_j_sanafe": found["energy"]["total"],
                "total_j_exact_run": sum(
                    priced.part_pj(part) for part in ("spikes", "step", "mapping")
                )
                * PJ,
                "sanafe": found["version"],
            }
        )
    report(rows, options)


if __name__ == "__main__":
    main()
