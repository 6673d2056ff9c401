from functools import partial

import numpy as np
import pytest
import scipy.sparse as sp

import eventsim as es
from eventsim import clocked
from eventsim.events.steps import step_count, step_of
from eventsim.train import IntegralLoss, SpikeTrainLoss
from tests.support.nets import one_layer, one_sample
from tests.unit.clocked.test_backward import loop, skips_and_selves, stream_of


def one_neuron(weight=3.0, **more):
    net = one_layer("hidden", [[weight]], **({"tau_mem": 20.0, "tau_syn": 5.0} | more))
    return net


def stream_at(times, duration=50.0):
    return one_sample(times, np.zeros(len(times), int), duration=duration)


def test_there_and_back_is_the_same_network():
    for net in (skips_and_selves("spiking"), skips_and_selves("readout"), loop("readout")):
        back = clocked.from_network(net, 0.5).to_network()
        for key, value in net.parameters().items():
            np.testing.assert_allclose(back.parameters()[key], value, rtol=1e-14, err_msg=key)


def test_weights_of_the_grid_are_scaled_by_the_target_time_constants():
    net = one_neuron(tau_mem=20.0, tau_syn=5.0, resistance=3.0)
    there = clocked.from_network(net)
    assert there.grid.projections["input->hidden"].weights[0, 0] == 3.0 * 5.0 / 20.0
    assert net.projections["input->hidden"].weights[0, 0] == 3.0


def test_the_first_steps_are_those_of_the_equations():
    net = one_neuron(weight=2.0, tau_mem=10.0, tau_syn=4.0, resistance=1.5, threshold=50.0)
    record = clocked.run(
        clocked.from_network(net), stream_at([0.3, 1.2, 1.9]), precision="double"
    ).records["hidden"]
    w, x0 = 2.0 * 4.0 / 10.0, 2.0 * 4.0 / 10.0 / 4.0
    x1 = 0.75 * x0 + 2 * w / 4.0
    np.testing.assert_allclose(record.current[:2, 0, 0], [x0, x1], rtol=1e-14)
    u0 = 1.5 * x0
    np.testing.assert_allclose(record.voltage[:2, 0, 0], [u0, 0.9 * u0 + 1.5 * x1], rtol=1e-14)


def test_several_events_of_a_step_are_counted_or_clipped_and_told():
    samples = [([0.3, 1.2, 1.9, 50.0], [0] * 4), ([], [])]
    stream = es.EventStream.from_samples(samples, n_channels=1, duration=[50.0, 60.0])
    counted = clocked.bin_events(stream, 1.0)
    assert counted.counts[:3, 0, 0].tolist() == [1, 2, 0]
    assert counted.counts.sum() == 3  # the event at the very end of its sample causes nothing
    assert counted.shared == 1
    assert clocked.bin_events(stream, 1.0, clip=True).counts[:3, 0, 0].tolist() == [1, 1, 0]


def test_events_on_a_step_belong_to_it_whatever_rounding_says():
    stream = stream_at([k * 0.1 for k in range(500)])
    assert (clocked.bin_events(stream, 0.1).counts == 1).all()


def test_events_just_before_the_end_are_in_the_last_step_and_those_at_the_end_in_none():
    # In a last step that is shorter than the others, too.
    for duration in (10.0, 9.5):
        just_before = np.nextafter(duration, 0.0)
        stream = one_sample([just_before, duration], [0, 0], duration=duration)
        counts = clocked.bin_events(stream, 1.0).counts[:, 0, 0]
        assert counts.tolist() == [*[0] * 9, 1], duration


def test_steps_of_long_recordings_are_whole_numbers_too():
    # Of ten million steps the last bits of a quotient are more than 1e-9 of a step.
    k = np.arange(10_000_000, 10_002_000)
    assert (step_of(k * 0.1, 0.1) == k).all()
    assert (step_of(k / 10.0, 0.1) == k).all()
    assert (step_count(k / 10.0, 0.1) == k).all()


def matched(exact, grid, within):
    """Share of exact spikes with a partner of their neuron, and the median distance."""
    distances = []
    for train in np.unique(exact.train_numbers()):
        of_grid = grid.times[grid.train_numbers() == train]
        for time in exact.times[exact.train_numbers() == train]:
            distances.append(np.abs(of_grid - time).min(initial=1e3))
    return np.mean(np.array(distances) < within), np.median(distances)


def driven(*, heterogeneous=True, seed=0):
    rng = np.random.default_rng(seed)
    net = es.scsr(6, (10, 8), 2, tau_syn=8.0, refractory=1.0, seed=seed)
    for p in net.populations.values():
        if p.kind != "input" and heterogeneous:
            p.tau_mem[:] = rng.uniform(8, 30, p.size)
            p.tau_syn[:] = rng.uniform(3, 12, p.size)
            p.resistance[:] = rng.uniform(0.8, 1.3, p.size)
            p.v_leak[:] = rng.uniform(-0.1, 0.2, p.size)
    for p in ("hidden1", "hidden2"):
        net.populations[p].v_reset[:] = rng.uniform(-0.3, 0.2, net.populations[p].size)
    return net


def test_spikes_converge_to_those_of_exact_time_as_the_step_shrinks():
    net, stream = driven(), stream_of(6, durations=(100.0, 73.3), per_channel=15)
    tape = es.simulate(net, stream, backend="reference", precision="double")
    medians = []
    for dt in (1.0, 0.1, 0.01):
        run = clocked.run(clocked.from_network(net, dt), stream, precision="double")
        shares = [matched(tape[name], run.tape[name], 0.2) for name in tape.names]
        medians.append(max(median for _, median in shares))
    assert len(tape["hidden1"]) > 60
    assert len(tape["hidden2"]) > 40
    assert min(share for share, _ in shares) > 0.9
    assert medians[1] < 0.2 * medians[0]
    assert medians[2] < 0.2 * medians[1]
    assert medians[2] < 0.02
    for name in tape.names:
        np.testing.assert_array_equal(run.tape[name].counts(), tape[name].counts())
    for name, count in tape.synaptic_events.items():
        assert run.tape.synaptic_events[name] == pytest.approx(count, abs=2)


def test_spikes_of_a_loop_converge_to_those_of_exact_time():
    net, stream = loop("readout"), stream_of(3, durations=(60.0,), per_channel=15)
    tape = es.simulate(net, stream, backend="reference", precision="double")
    run = clocked.run(clocked.from_network(net, 0.01), stream, precision="double")
    for name in ("left", "right"):
        share, median = matched(tape[name], run.tape[name], 0.2)
        assert len(tape[name]) > 15
        assert share > 0.9
        assert median < 0.1


def test_readouts_converge_to_those_of_exact_time():
    net, stream = driven(), stream_of(6, durations=(60.0,), per_channel=8)
    tape = es.simulate(net, stream, backend="reference", precision="double")
    labels = np.array([0])
    exact = es.readout_integral(net, tape, "output", time_constant=30.0)
    run = clocked.run(clocked.from_network(net, 0.02), stream, precision="double")
    loss = partial(clocked.outcome_of, IntegralLoss(time_constant=30.0, gain=1.0))
    mean = exact / (30.0 * -np.expm1(-60.0 / 30.0))
    np.testing.assert_allclose(loss(run, labels).logits, mean, rtol=0.02, atol=2e-3)


def test_the_logits_of_a_readout_know_its_leak():
    net = one_layer("output", np.zeros((1, 2)), v_leak=[0.25, -0.5], readout=True)
    run = clocked.run(clocked.from_network(net), stream_at([]), precision="double")
    logits = partial(clocked.outcome_of, IntegralLoss(gain=2.0))(run, np.array([0])).logits
    np.testing.assert_allclose(logits, [[0.5, -1.0]], rtol=1e-14)


@pytest.mark.parametrize("make", [lambda: skips_and_selves("spiking"), lambda: loop("readout")])
def test_a_sample_does_not_see_its_batch(make):
    stream = stream_of(3, durations=(30.0, 22.0, 41.5))
    there = clocked.from_network(make(), 0.5)
    whole = clocked.run(there, stream, precision="double")
    for b in range(3):
        alone = clocked.run(there, stream[[b]], precision="double")
        for name in alone.tape.names:
            for mine, other in zip(
                alone.tape[name].sample(0), whole.tape[name].sample(b), strict=True
            ):
                np.testing.assert_array_equal(mine, other)


def test_gradients_are_sums_over_samples():
    stream, labels = stream_of(3, durations=(30.0, 22.0)), np.array([1, 0])
    there = clocked.from_network(skips_and_selves("spiking"))
    loss, total = partial(clocked.outcome_of, SpikeTrainLoss(time_constant=10.0)), {}
    for index in ([0], [1], [0, 1]):
        run = clocked.run(there, stream[index], precision="double", keep=True)
        found = clocked.backward(run, loss(run, labels[index]).seeds)
        for key, value in found.items():
            sign = 2.0 if len(index) == 2 else -1.0
            total[key] = total.get(key, 0.0) + sign * value
    for key, value in total.items():
        np.testing.assert_allclose(value, 0.0, atol=1e-12, err_msg=key)


def test_sparse_weights_are_dense_ones_with_holes():
    rng = np.random.default_rng(0)
    pattern = sp.random_array((3, 5), density=0.5, rng=rng, format="csr")
    nets = []
    for weights in (pattern * 8.0, pattern.toarray() * 8.0):
        net = one_layer("output", weights, delays=[0.0, 1.0, 3.0])
        nets.append(net)
    runs = [
        clocked.run(clocked.from_network(net), stream_of(3), precision="double", keep=True)
        for net in nets
    ]
    np.testing.assert_array_equal(*(run.records["output"].spikes for run in runs))
    seeds = {"output": rng.normal(size=runs[0].records["output"].voltage.shape)}
    sparse, dense = (clocked.backward(run, seeds)["input->output.weights"] for run in runs)
    np.testing.assert_allclose(sparse, dense[pattern.nonzero()], rtol=1e-12, atol=1e-15)
    assert (
        runs[0].tape.synaptic_events["input->output"]
        < runs[1].tape.synaptic_events["input->output"]
    )


def test_a_silent_network_is_silent_and_counts_its_work():
    net = es.scsr(3, (4,), 2, seed=1)
    stream = es.EventStream([], [], [0, 0], n_channels=3, duration=20.0)
    run = clocked.run(clocked.from_network(net, 0.5), stream)
    assert len(run.tape["hidden1"]) == 0
    assert sum(run.tape.synaptic_events.values()) == 0
    assert run.neuron_updates == 40 * (4 + 2)
    assert run.stored_bytes == 40 * (3 * 2 + 4 * (4 + 4 + 1 + 1) + 2 * (4 + 4))


@pytest.mark.parametrize(("v_leak", "weight"), [(1.5, 0.0), (1.0, 8.0)])
def test_a_neuron_at_or_above_its_threshold_by_leak_begins_at_its_reset(v_leak, weight):
    net = one_neuron(weight=weight, v_leak=v_leak, threshold=1.0, v_reset=0.0, tau_mem=20.0)
    stream = stream_at([5.0], duration=100.0)
    exact = es.simulate(net, stream, backend="reference", precision="double")["hidden"].times
    found = clocked.run(clocked.from_network(net, 0.01), stream, precision="double").tape["hidden"]
    np.testing.assert_allclose(found.times, exact, atol=0.05)
