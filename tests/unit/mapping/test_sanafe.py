import re

import numpy as np
import pytest

import eventsim as es
from eventsim.chips import board_of, load_chip
from eventsim.mapping import export_sanafe, map_network
from tests.unit.mapping.helpers import make_chip, random_net, random_stream


def small(seed=0, *, inputs="external"):
    """A calm network with self-recurrence, skips and unlike time constants, and its mapping."""
    rng = np.random.default_rng(seed)
    net = es.scsr(12, (14, 10), 3, refractory=0.0, seed=seed)
    for population in net.populations.values():
        if population.kind == "spiking":
            population.tau_mem[...] = rng.uniform(8.0, 30.0, population.size)
            population.tau_syn[...] = rng.uniform(3.0, 9.0, population.size)
            population.threshold[...] = rng.uniform(0.6, 1.2, population.size)
            population.v_reset[...] = rng.uniform(-0.2, 0.2, population.size)
            population.v_leak[...] = rng.uniform(-0.2, 0.1, population.size)
            population.resistance[...] = rng.uniform(0.8, 1.3, population.size)
    stream = random_stream(seed, n_samples=1, rate=60.0, duration=250.0)
    tape = es.simulate(net, stream)
    chip = load_chip("loihi_sanafe")
    mapping = map_network(net, tape, chip, method="refined", neurons_per_core=2, inputs=inputs)
    return net, stream, tape, mapping


def numbers(text):
    return dict(re.findall(r"(\w+): ([^,\[\]]+)", text))


def steps_of_soma(path, steps):
    """What the formulas of the module say, from the numbers in the file; spikes by address."""
    neurons, trains, edges = {}, {}, {}
    group = None
    for line in path.read_text().splitlines():
        if found := re.fullmatch(r"    - name: (\w+)", line):
            group = found[1]
        elif found := re.fullmatch(r"        - (\d+): \[spikes: \[(.*)\]\]", line):
            trains[group, int(found[1])] = [int(b) for b in found[2].split(", ")]
        elif found := re.fullmatch(r"        - (\d+): \[(.*)\]", line):
            neurons[group, int(found[1])] = numbers(found[2])
        elif found := re.fullmatch(r"    - (\w+)\.(\d+) -> (\w+)\.(\d+): \[weight: (.*)\]", line):
            edges.setdefault((found[1], int(found[2])), []).append(
                ((found[3], int(found[4])), float(found[5]))
            )
    u, v = dict.fromkeys(neurons, 0.0), dict.fromkeys(neurons, 0.0)
    arriving, spikes = {}, []
    for k in range(steps):
        sent, current = [a for a, train in trains.items() if k < len(train) and train[k]], arriving
        for address, p in neurons.items():
            u[address] = u[address] * float(p["input_decay"]) + current.get(address, 0.0)
            v[address] = v[address] * float(p["leak_decay"]) + u[address]
            if v[address] > float(p["threshold"]):
                v[address] = float(p["reset"])
                sent.append(address)
                spikes.append((k, address))
        arriving = {}
        for address in sent:
            for target, weight in edges.get(address, ()):
                arriving[target] = arriving.get(target, 0.0) + weight
    return spikes


def test_the_exported_numbers_give_the_exact_spikes_on_a_fine_grid(tmp_path):
    net, stream, tape, mapping = small()
    step = 0.02
    files = export_sanafe(net, mapping, stream, tmp_path, step_ms=step)
    assert (files.steps, files.lost) == (12_500, 0)
    found = steps_of_soma(files.network, files.steps)
    exact = sum(len(trains) for trains in tape.trains.values())
    assert exact > 50
    assert len(found) == pytest.approx(exact, rel=0.03)
    for name in tape.names:
        times, cells = tape[name].sample(0)
        for time, cell in zip(times[:15], cells[:15], strict=True):
            near = [abs((k + 1) * step - time) for k, a in found if a == (name, cell)]
            assert min(near) < 25 * step, (name, cell, time)  # errors of one step add up


@pytest.mark.parametrize("inputs", ["external", "placed"])
def test_sanafe_loads_the_export_and_counts_what_we_count(tmp_path, inputs):
    pytest.importorskip("sanafe", reason="needs SANA-FE: pip install sanafe")
    from bench.mapping.sanafe_run import predicted, run_sanafe

    net, stream, tape, mapping = small(inputs=inputs)
    files = export_sanafe(net, mapping, stream, tmp_path, step_ms=0.1)
    found = run_sanafe(files)
    ours = predicted(net, mapping, found)
    assert found["packets"] == ours["packets"]
    assert found["synaptic_events"] == ours["synaptic_events"]
    assert found["energy"]["network"] == pytest.approx(ours["network"], rel=1e-9)
    assert found["energy"]["synapse"] == pytest.approx(ours["synapse"], rel=1e-9)
    emulated = steps_of_soma(files.network, files.steps)
    fired = found["fired"] - stream.n_events
    assert fired == pytest.approx(len(emulated), abs=2)  # v is cut to 1/64 there
    assert fired == pytest.approx(sum(len(t) for t in tape.trains.values()), rel=0.05)


def test_shared_weights_are_written_with_one_number_each(tmp_path):
    net = es.convolutional(12, (2,), 2, output_maps=2, kernel=(3, 3), forward_delays=0.0, seed=1)
    net.decide(None)
    stream = random_stream(1, n_samples=1)
    mapping = map_network(net, None, load_chip("loihi_sanafe"), method="first_fit")
    files = export_sanafe(net, mapping, stream, tmp_path, step_ms=0.1)
    projection = net.projections["input->hidden1"]
    groups = net.shared[f"{projection.name}.weights"].groups
    edges = re.findall(r"    - input\.(\d+) -> hidden1\.(\d+): \[weight: (.*)\]",
                       files.network.read_text())  # fmt: skip
    written = {(int(i), int(j)): float(w) for i, j, w in edges}
    assert len(written) == projection.values.size
    ends = zip(projection.sources().tolist(), projection.targets().tolist(), strict=True)
    by_group = {}
    for end, group in zip(ends, groups.ravel().tolist(), strict=True):
        by_group.setdefault(group, set()).add(written[end])
    assert len(by_group) < len(written) / 3
    assert all(len(found) == 1 for found in by_group.values())


def test_tiles_are_numbered_column_by_column(tmp_path):
    net, stream, _, mapping = small()
    files = export_sanafe(net, mapping, stream, tmp_path, step_ms=1.0)
    text = files.network.read_text()
    for index, core in enumerate(mapping.cores["hidden1"].tolist()):
        tile, inside = divmod(core, 4)
        number = (tile % 8) * 4 + tile // 8
        assert f"  - hidden1.{index}: [core: {number}.{inside}, soma: neurons]" in text
    assert '  - input.3: [core: 0.4, soma: "channel[3]"]' in text


def test_tiles_without_cores_keep_their_numbers(tmp_path):
    """Two chips of 3 x 2 tiles side by side, of which the last two have no cores."""
    net, stream, _, _ = small()
    limits = {"cores": 8, "mesh": (3, 2), "cores_per_tile": 2, "neurons_per_core": 2}
    chip = board_of(make_chip(**limits), (2, 1))
    mapping = map_network(net, None, chip, method="population_order")
    text = export_sanafe(net, mapping, stream, tmp_path, step_ms=1.0).network.read_text()
    tiles = [(0, 0), (1, 0), (2, 0), (3, 0), (4, 0), (5, 0), (0, 1), (3, 1)]
    assert len(set(mapping.cores["hidden1"].tolist())) == 7
    for index, core in enumerate(mapping.cores["hidden1"].tolist()):
        (x, y), inside = tiles[core // 2], core % 2
        assert f"  - hidden1.{index}: [core: {2 * x + y}.{inside}, soma: neurons]" in text


def test_events_of_one_channel_in_one_step_take_the_next_free_ones(tmp_path):
    net, _, _, mapping = small()
    stream = es.EventStream(
        [0.2, 0.4, 0.6, 249.5, 249.6], [0, 0, 0, 1, 1], [0, 5], n_channels=12, duration=250.0
    )
    files = export_sanafe(net, mapping, stream, tmp_path, step_ms=1.0)
    assert (files.moved, files.lost) == (2, 1)
    assert "- 0: [spikes: [1, 1, 1]]" in files.network.read_text()


def test_a_chip_without_figures_and_with_one_tile_is_exported(tmp_path):
    net, stream = random_net(), random_stream(n_samples=1)
    chip = make_chip(cores=2, mesh=(1, 1), cores_per_tile=2, neurons_per_core=30)
    mapping = map_network(net, None, chip, method="first_fit")
    files = export_sanafe(net, mapping, stream, tmp_path, step_ms=1.0)
    text = files.architecture.read_text()
    assert "energy_process_spike: 0.0" in text
    assert "- name: entry" in text
