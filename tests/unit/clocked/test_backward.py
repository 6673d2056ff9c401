from functools import partial

import numpy as np
import pytest
import scipy.sparse as sp

import eventsim as es
from eventsim import clocked
from eventsim.train import IntegralLoss, SpikeTrainLoss
from tests.unit.clocked import slow

DURATION = (30.0, 22.0)


def stream_of(n_channels, *, seed=0, durations=DURATION, per_channel=6):
    rng = np.random.default_rng(seed)
    samples = []
    for duration in durations:
        n = rng.poisson(per_channel * n_channels)
        samples.append((np.sort(rng.uniform(0, duration, n)), rng.integers(0, n_channels, n)))
    return es.EventStream.from_samples(samples, n_channels=n_channels, duration=durations)


def neurons(net, name, size, rng, **more):
    net.add_population(
        name,
        size,
        tau_mem=rng.uniform(5, 20, size),
        tau_syn=rng.uniform(2, 9, size),
        resistance=rng.uniform(0.6, 1.5, size),
        threshold=rng.uniform(0.6, 1.4, size),
        v_leak=rng.uniform(-0.1, 0.1, size),
        v_reset=rng.uniform(-0.3, 0.1, size),
        **more,
    )


def skips_and_selves(output, seed=0):
    """Every kind of projection that feedforward networks have, delays included."""
    rng = np.random.default_rng(seed)
    net = es.Network()
    net.add_input("input", 3)
    neurons(net, "hidden1", 4, rng, refractory=[0.0, 1.0, 2.2, 1.7])
    neurons(net, "hidden2", 3, rng)
    if output == "spiking":
        neurons(net, "output", 2, rng)
    else:
        net.add_readout("output", 2, tau_mem=[9.0, 14.0], tau_syn=[3.0, 6.0], resistance=[0.7, 1.2])
    net.connect("input", "hidden1", rng.normal(1.5, 0.8, (3, 4)), delays=[0.0, 2.0, 1.0])
    net.connect("hidden1", "hidden1", es.self_recurrent(rng.normal(0.2, 0.4, 4)))
    pattern = sp.random_array((4, 3), density=0.6, rng=rng, format="csr")
    pattern.data[:] = rng.normal(1.8, 0.8, pattern.nnz)
    net.connect("hidden1", "hidden2", pattern, delays=1.0)
    net.connect("input", "hidden2", rng.normal(1.0, 0.5, (3, 3)))
    net.connect("hidden1", "output", rng.normal(0.8, 0.8, (4, 2)))
    net.connect("hidden2", "output", rng.normal(0.8, 0.8, (3, 2)))
    return net


def loop(output, seed=3):
    """Two populations that project onto each other and themselves."""
    rng = np.random.default_rng(seed)
    net = es.Network()
    net.add_input("input", 3)
    neurons(net, "left", 3, rng)
    neurons(net, "right", 2, rng, refractory=1.0)
    if output == "spiking":
        neurons(net, "output", 2, rng)
    else:
        net.add_readout("output", 2, tau_mem=12.0, tau_syn=4.0)
    net.connect("input", "left", rng.normal(1.5, 0.8, (3, 3)))
    net.connect("left", "left", rng.normal(0.3, 0.5, (3, 3)), delays=[0.0, 1.0, 3.0])
    net.connect("left", "right", rng.normal(1.2, 0.5, (3, 2)), delays=2.0)
    net.connect("right", "left", rng.normal(-0.2, 0.5, (2, 3)))
    net.connect("right", "right", es.self_recurrent([0.3, -0.2]))
    net.connect("right", "output", rng.normal(1.0, 0.8, (2, 2)))
    return net


def problem_of(net, dt, in_loop):
    """The network as the slow implementation reads it."""
    grid = clocked.from_network(net, dt).grid
    populations, projections = {}, []
    for name, p in grid.populations.items():
        if p.kind == "input":
            continue
        described = {key: p.parameters[key].tolist() for key in ("tau_mem", "tau_syn")}
        described |= {"kind": p.kind, "resistance": p.resistance.tolist()}
        if p.kind == "spiking":
            described["level"] = (p.threshold - p.v_leak).tolist()
            described["reset"] = (p.v_reset - p.v_leak).tolist()
            described["hold"] = [round(r / dt) for r in p.refractory.tolist()]
        populations[name] = described
    keys = []
    for p in grid.projections.values():
        own = p.kind == "self" or {p.source, p.target} <= in_loop
        matrix = np.diag(p.weights) if p.kind == "self" else p.weights
        there = np.eye(p.values.size) if p.kind == "self" else np.ones(matrix.shape)
        if p.kind == "sparse":
            matrix, there = p.weights.toarray(), p.weights.toarray()
        delays = np.broadcast_to(p.delays, matrix.shape[0])
        for j, delay in enumerate(delays):
            rows = [[None] * matrix.shape[1] for _ in range(matrix.shape[0])]
            rows[j] = [w if there[j][i] else None for i, w in enumerate(matrix[j].tolist())]
            steps = max(round(delay / dt), 1 if own else 0)
            projections.append((p.source, p.target, rows, steps))
            keys.append((p, j))
    return {"dt": dt, "populations": populations, "projections": projections}, keys


def compare(net, dt, output, in_loop=frozenset(), durations=DURATION):
    stream, labels = stream_of(3, durations=durations), np.array([1, 0])
    run = clocked.run(clocked.from_network(net, dt), stream, precision="double", keep=True)
    loss = (
        partial(clocked.outcome_of, SpikeTrainLoss(rate=1000 / 7.0, time_constant=10.0))
        if output == "spiking"
        else partial(clocked.outcome_of, IntegralLoss())
    )
    seeds = loss(run, labels).seeds
    found = clocked.backward(run, seeds)
    problem, keys = problem_of(net, dt, in_loop)
    wanted = {key: np.zeros_like(value) for key, value in found.items()}
    n_spikes = {}
    for b in range(2):
        problem["steps"] = int(run.events.steps[b])
        counts = run.events.counts[:, b].tolist()
        spikes, voltage, _, _ = slow.forward(problem, counts)
        for name in problem["populations"]:
            if run.records[name].spikes is not None:
                np.testing.assert_array_equal(spikes[name], run.records[name].spikes[:, b])
                n_spikes[name] = n_spikes.get(name, 0) + np.sum(spikes[name])
            n = problem["steps"]
            found_voltage = run.records[name].voltage[:n, b]
            np.testing.assert_allclose(voltage[name][:n], found_voltage, atol=1e-12)
        one = {name: seed[:, b].tolist() for name, seed in seeds.items()}
        gradients = slow.backward(problem, counts, one)
        for number, (p, j) in enumerate(keys):
            row = np.array(gradients[number])[j]
            into = wanted[f"{p.name}.weights"]
            if p.kind == "self":
                into[j] += row[j]
            elif p.kind == "sparse":
                stored = slice(p.weights.indptr[j], p.weights.indptr[j + 1])
                into[stored] += row[p.weights.indices[stored]]
            else:
                into[j] += row
        for name, key in [k for k in gradients if isinstance(k, tuple)]:
            if f"{name}.{key}" in wanted:
                wanted[f"{name}.{key}"] += gradients[name, key]
    assert all(n > 3 for n in n_spikes.values()), n_spikes
    for key, value in wanted.items():
        np.testing.assert_allclose(found[key], value, rtol=1e-9, atol=1e-13, err_msg=key)
        assert np.abs(value).max() > 0, key


@pytest.mark.parametrize("output", ["spiking", "readout"])
@pytest.mark.parametrize("dt", [1.0, 0.5])
def test_gradients_are_those_of_the_published_sums(output, dt):
    compare(skips_and_selves(output), dt, output)


@pytest.mark.parametrize("output", ["spiking", "readout"])
def test_gradients_through_loops_are_those_of_the_published_sums(output):
    compare(loop(output), 1.0, output, frozenset({"left", "right"}))


def test_gradients_do_not_depend_on_which_sample_is_longest():
    compare(skips_and_selves("spiking"), 1.0, "spiking", durations=DURATION[::-1])


def test_gradients_of_a_readout_are_those_of_finite_differences():
    net, stream, labels = skips_and_selves("readout"), stream_of(3), np.array([1, 0])
    there = clocked.from_network(net, 0.5)
    loss = partial(clocked.outcome_of, IntegralLoss(time_constant=20.0, gain=5.0))

    def value():
        return loss(clocked.run(there, stream, precision="double"), labels).value

    run = clocked.run(there, stream, precision="double", keep=True)
    gradients = clocked.backward(run, loss(run, labels).seeds)
    parameters = there.grid.parameters()
    keys = ["output.tau_mem", "output.tau_syn", "output.resistance"]
    for key in [*keys, "hidden1->output.weights", "hidden2->output.weights"]:
        numeric = np.zeros(parameters[key].shape)
        for index in np.ndindex(numeric.shape):
            kept, ends = parameters[key][index], []
            for h in (1e-5, -1e-5):
                parameters[key][index] = kept + h
                ends.append(value())
            parameters[key][index] = kept
            numeric[index] = (ends[0] - ends[1]) / 2e-5
        np.testing.assert_allclose(gradients[key], numeric, rtol=1e-6, atol=1e-10, err_msg=key)


def test_the_worth_of_a_spike_is_the_slope_of_the_distance():
    run = clocked.run(
        clocked.from_network(skips_and_selves("spiking"), 0.5),
        stream_of(3),
        precision="double",
        keep=True,
    )
    labels, loss = (
        np.array([1, 0]),
        partial(clocked.outcome_of, SpikeTrainLoss(rate=1000 / 6.0, time_constant=4.0)),
    )
    outcome = loss(run, labels)

    def value(spikes):
        total, dt, tau = 0.0, 0.5, 4.0
        for b, label in enumerate(labels):
            for c in range(2):
                trace = wanted = 0.0
                for t in range(run.events.steps[b]):
                    fires = c == label and t % 12 == 6
                    trace = (1 - dt / tau) * trace + spikes[t, b, c] / tau
                    wanted = (1 - dt / tau) * wanted + fires / tau
                    total += 0.5 * dt * (trace - wanted) ** 2
        return total / 2

    spikes = run.records["output"].spikes.astype(float)
    assert outcome.value == pytest.approx(value(spikes), rel=1e-12)
    rng = np.random.default_rng(0)
    for _ in range(12):
        index = rng.integers(0, 40), rng.integers(0, 2), rng.integers(0, 2)
        ends = []
        for h in (1e-4, -1e-4):
            moved = spikes.copy()
            moved[index] += h
            ends.append(value(moved))
        slope = (ends[0] - ends[1]) / 2e-4
        assert outcome.seeds["output"][index] == pytest.approx(slope, rel=1e-6, abs=1e-12)


def test_a_silent_network_gets_gradients_from_the_surrogate():
    net = es.scsr(3, (4,), 2, tau_syn=5.0, seed=1)
    for p in net.projections.values():
        p.values[...] *= 0.05 if p.source == "input" else 1.0
    run = clocked.run(clocked.from_network(net), stream_of(3), keep=True)
    assert not run.records["hidden1"].spikes.any()
    outcome = partial(clocked.outcome_of, IntegralLoss())(run, np.array([0, 1]))
    gradients = clocked.backward(run, outcome.seeds)
    assert np.abs(gradients["input->hidden1.weights"]).min() > 0
    assert all(np.isfinite(value).all() for value in gradients.values())


def test_a_slope_per_spike_acts_on_firing_neurons_only():
    net = skips_and_selves("readout")
    run = clocked.run(clocked.from_network(net), stream_of(3), precision="double", keep=True)
    silent = np.zeros_like(run.records["output"].voltage)
    slope = np.zeros(4)
    fired = run.records["hidden1"].spikes.any(axis=(0, 1))
    slope[:] = 1.0
    found = clocked.backward(run, {"output": silent}, per_spike={"hidden1": slope})
    assert ((found["hidden1.threshold"] < 0) == fired).all()
    assert (found["hidden2.threshold"] == 0).all()
