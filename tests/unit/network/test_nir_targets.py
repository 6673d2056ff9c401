"""Files for other programs: their demands, their steps, and what they cannot do.

The programs are not needed here: their update rule, read in their source, is a dozen lines.
``bench/nir`` runs those that are installed.
"""

import warnings

import numpy as np
import pytest

import eventsim as es
from eventsim.errors import NetworkError
from eventsim.network.nir import TARGETS, NirWarning, from_nir, to_nir
from tests.support.nets import neuron_parameters, one_sample, response_peak

nir = pytest.importorskip("nir", minversion="1.0.8")


def small_net(*, uniform=False, resets=False, size=6):
    """Two populations with self-recurrence and a skip.

    ``resets``: with v_reset away from v_leak, and a neuron that fires by itself.
    """
    rng = np.random.default_rng(2)
    net = es.Network()
    net.add_input("input", 4)
    for name in ("one", "two"):
        chosen = neuron_parameters(rng, size)
        del chosen["refractory"]
        if resets:
            chosen["v_leak"][0] = chosen["threshold"][0] + 0.2
        else:
            chosen["v_reset"] = chosen["v_leak"]
        if uniform:
            chosen |= {"tau_mem": 14.0, "tau_syn": 6.0}
        net.add_population(name, size, **chosen)
    peak = {name: _peak(net.populations[name]) for name in ("one", "two")}
    net.connect("input", "one", rng.uniform(0.2, 0.5, (4, size)) / peak["one"])
    net.connect("input", "two", rng.uniform(0.1, 0.4, (4, size)) / peak["two"])
    net.connect("one", "two", rng.normal(0.05, 0.1, (size, size)) / peak["two"])
    for name in ("one", "two"):
        net.connect(name, name, es.self_recurrent(rng.uniform(-0.2, 0.1, size) / peak[name]))
    chosen = neuron_parameters(rng, 2, spiking=False)
    if uniform:
        chosen |= {"tau_mem": 14.0, "tau_syn": 6.0}
    net.add_readout("out", 2, **chosen)
    net.connect("two", "out", rng.normal(size=(size, 2)))
    return net


def _peak(population):
    return response_peak(population.tau_mem, population.tau_syn, population.resistance)


def stream_for(net, *, seed=0, duration=60.0):
    rng = np.random.default_rng(seed)
    count = rng.poisson(0.08 * 4 * duration)
    return one_sample(
        np.sort(rng.uniform(0, duration, count)),
        rng.integers(0, 4, count),
        n_channels=4,
        duration=duration,
    )


def by_steps(graph, stream, dt, names, *, rule):
    """Spike times of named nodes, and the summed voltages of out, by the rule of a program.

    On steps of dt ms.
    """
    step, nodes = 1e-4 if rule == "snntorch" else dt / 1e3, graph.nodes
    neurons = {n: node for n, node in nodes.items() if isinstance(node, nir.CubaLIF)}
    v = {n: beginning(node, step, rule) for n, node in neurons.items()}
    i = {n: node.v_leak * (rule == "norse") for n, node in neurons.items()}
    out = {n: 0.0 * node.r for n, node in neurons.items()}
    found, total = {n: [] for n in names}, 0.0
    for k in range(int(stream.duration[0] / dt)):
        now = stream.channels[(stream.times >= k * dt) & (stream.times < (k + 1) * dt)]
        out["input"] = np.bincount(now, minlength=4).astype(float)
        arrived = {n: 0.0 * node.r for n, node in neurons.items()}
        for source, first in graph.edges:
            chain, signal = first, out.get(source)
            while signal is not None and chain in nodes and isinstance(nodes[chain], nir.Linear):
                signal = nodes[chain].weight @ signal
                (chain,) = (b for a, b in graph.edges if a == chain)
            if signal is not None and chain in arrived:
                arrived[chain] = arrived[chain] + signal
        for n, node in neurons.items():
            v[n], i[n], out[n] = step_of(node, v[n], i[n], arrived[n], step, rule)
            if n in found:
                found[n] += [((k + 0.5) * dt, j) for j in np.flatnonzero(out[n])]
        total = total + dt * v["out"]
    return found, total


def beginning(node, dt, rule):
    """V at first; of Rockpool, which always begins at 0, as somebody would set it."""
    if rule == "norse":
        return node.v_leak.copy()
    rest = node.v_leak / -np.expm1(-dt / node.tau_mem)
    return np.where(rest < node.v_threshold, rest, 0.0)


def step_of(node, v, i, arrived, dt, rule):
    """One step as the program takes it: V, I and spikes after it."""
    if rule == "norse":  # Euler; the leak of V is that of I too
        i = i + dt / node.tau_syn * (node.v_leak + node.w_in * arrived - i)
        v = v + dt / node.tau_mem * (node.v_leak - v + node.r * i)
    elif rule == "rockpool":  # I is added at every step, and the leak
        i = np.exp(-dt / node.tau_syn) * (i + arrived)
        v = np.exp(-dt / node.tau_mem) * v + i + node.v_leak
        spikes = np.floor(np.maximum(v, 0.0) / node.v_threshold)
        return v - spikes * node.v_threshold, i, spikes
    else:  # r and w_in are not read, only what they were checked to be
        i = (1.0 - dt / node.tau_syn) * i + arrived
        v = (1.0 - dt / node.tau_mem) * v + i
    spikes = (v > node.v_threshold).astype(float)
    return np.where(spikes > 0, 0.0, v), i, spikes


def assert_steps_follow(stepped, spikes, dt):
    """As many spikes, a few steps apart; where V rises slowly, an error of V takes longer.

    ``stepped``: times of every neuron.
    """
    errors = []
    for j, mine in enumerate(stepped):
        exact = spikes.times[spikes.neurons == j]
        assert abs(mine.size - exact.size) <= 1  # the last one may lie past the end
        both = min(mine.size, exact.size)
        errors += list(np.abs(mine[:both] - exact[:both]))
    assert len(errors) > 20
    assert np.median(errors) < 5 * dt
    assert max(errors) < 20 * dt


@pytest.mark.parametrize(
    ("target", "resets"),
    [*((target, False) for target in TARGETS), ("norse", True), ("rockpool", True)],
)
def test_file_for_a_target_reads_back_and_run_by_its_rule_gives_our_spikes(target, resets):
    net = small_net(uniform=target == "spikingjelly", resets=resets)
    stream, dt = stream_for(net), 0.05
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NirWarning)
        graph = to_nir(net, target=target, dt=dt, lossy=True)
        mine, theirs = from_nir(graph).parameters(), net.parameters()
    assert list(mine) == list(theirs)
    for key in theirs:
        assert np.allclose(mine[key], theirs[key], rtol=1e-12, atol=1e-13), key
    found, total = by_steps(graph, stream, dt, ("one", "two"), rule=target)
    tape = es.simulate(net, stream)
    rest = graph.nodes["out"].metadata["eventsim_voltage_shift"] * stream.duration[0]
    exact = es.readout_integral(net, tape, "out")[0]
    assert np.abs(total + rest - exact).max() < 1.5 < np.abs(rest).min()
    for name in ("one", "two"):
        stepped = [np.array([t for t, neuron in found[name] if neuron == j]) for j in range(6)]
        assert_steps_follow(stepped, tape[name], dt)


@pytest.mark.parametrize("target", ["snntorch", "spikingjelly"])
def test_targets_that_demand_one_value_get_it(target):
    graph = to_nir(small_net(uniform=True), target=target)
    for name in ("one", "two", "out"):
        node = graph.nodes[name]
        assert np.unique(node.v_threshold).size == 1
        assert np.array_equal(node.r, node.tau_mem / 1e-4)
        assert np.array_equal(node.w_in, node.tau_syn / 1e-4)
        assert not node.v_leak.any()


def test_rockpool_finds_its_time_step_in_r():
    node = to_nir(small_net(), target="rockpool", dt=0.5).nodes["one"]
    assert np.allclose(node.tau_mem / (1 + node.r), 5e-4, rtol=1e-12)


def test_importers_that_look_for_a_module_of_their_own_meet_a_unit_matrix():
    graph = to_nir(small_net(), target="snntorch")
    assert ("w_one_one", "unit_one") in graph.edges
    assert ("w_one_one", "one") not in graph.edges
    assert np.array_equal(graph.nodes["unit_one"].weight, np.eye(6))


def changed(**parameters):
    net = small_net(uniform=True)
    for key, value in parameters.items():
        net.populations["one"].parameters[key][:] = value
    return net


@pytest.mark.parametrize(
    ("target", "parameters", "message"),
    [
        ("norse", {"refractory": 2.0}, "'one' has refractory times .up to 2 ms"),
        ("rockpool", {"refractory": 2.0}, "'one' has refractory times .up to 2 ms"),
        ("snntorch", {"v_reset": -1.0}, "'one' has a v_reset that is not its v_leak"),
        ("rockpool", {"v_reset": -1.0}, "'one' begins at v_leak, not at v_reset"),
    ],
)
def test_losses_are_errors_for_a_target_and_warnings_where_asked(target, parameters, message):
    net = changed(**parameters)
    with pytest.raises(NetworkError, match=f"cannot run this network: {message}.*lossy=True"):
        to_nir(net, target=target)
    with pytest.warns(NirWarning, match=message):
        graph = to_nir(net, target=target, lossy=True)
    back = from_nir(graph).populations["one"]
    for key, value in parameters.items():
        assert np.allclose(back.parameters[key], value)


def test_one_reset_for_all_is_enough_for_spikingjelly():
    net = small_net(uniform=True)
    population = net.populations["one"]
    population.v_reset[:] = population.v_leak - 0.5 * (population.threshold - population.v_leak)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        graph = to_nir(net, target="spikingjelly")
    assert np.allclose(graph.nodes["one"].v_reset, -0.5)


def test_steps_of_snntorch_may_last_longer_than_its_files_say():
    graph = to_nir(small_net(), target="snntorch", dt=1.0)
    node = graph.nodes["one"]
    assert np.allclose(node.tau_mem / 1e-4, small_net().populations["one"].tau_mem)
    assert np.allclose(node.r, node.tau_mem / 1e-4)  # as its importer asks
    back = {source: from_nir(graph, source=source).parameters() for source in (None, "snntorch")}
    for key, values in small_net().parameters().items():
        assert all(np.allclose(mine[key], values, rtol=1e-12) for mine in back.values()), key
