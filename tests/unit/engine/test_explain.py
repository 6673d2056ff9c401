"""es.explain against runs with other weights, and against the voltage of its tape."""

import numpy as np
import pytest

import eventsim as es
from eventsim.errors import NetworkError, ParameterError
from eventsim.neuron.linear import AdLIF
from tests.support.nets import one_layer
from tests.unit.cli.conftest import call

DURATION = 120.0


def stream(seed=0, n_events=60):
    rng = np.random.default_rng(seed)
    samples = [
        (np.sort(rng.uniform(0.0, DURATION, n_events)), rng.integers(0, 6, n_events))
        for _ in range(2)
    ]
    return es.EventStream.from_samples(samples, n_channels=6, duration=DURATION)


def network(form, gain, *, into=1.0):
    """Two populations of every form of projection; ``into`` scales what neuron 1 of 'b' hears."""
    rng = np.random.default_rng(3)
    net = es.Network()
    net.add_input("input", 6)
    more = {"adaptation": 0.3, "tau_adaptation": 40.0} if form == "adaptive" else {}
    common = {"tau_mem": 18.0, "v_leak": -0.1, "v_reset": -0.4, "resistance": 1.3}
    net.add_population("a", 5, tau_syn=4.0, threshold=0.9, **common)
    net.add_population("b", 3, tau_syn=18.0, threshold=1.1, refractory=2.0, **common, **more)
    net.connect("input", "a", rng.normal(0.8, 1.0, (6, 5)))
    delays = rng.uniform(0.0, 9.0, (6, 3)) if form == "delays" else 1.5
    for source, size in (("input", 6), ("a", 5)):
        weights = rng.normal(0.05, 0.3, (size, 3)) * gain
        weights[:, 1] *= into
        if form == "sparse":
            import scipy.sparse

            weights = scipy.sparse.csr_array(np.where(rng.random(weights.shape) < 0.6, weights, 0))
        net.connect(source, "b", weights, delays=delays if source == "input" else 0.0)
    net.connect("b", "b", es.self_recurrent(0.4))
    return net


def spikes(net, sample):
    times, neurons = es.simulate(net, stream(), backend="reference")["b"].sample(sample)
    return times[neurons == 1].size


@pytest.mark.parametrize("form", ["dense", "sparse", "delays", "adaptive"])
@pytest.mark.parametrize("gain", [0.4, 4.0])
def test_factor_is_that_at_which_the_neuron_begins_to_fire(form, gain):
    net = network(form, gain)
    tape = es.simulate(net, stream(), backend="reference")
    found = es.explain(net, tape, "b", 1, sample=1)
    assert len(found.spikes) == spikes(net, 1)
    assert (found.factor < 1) == bool(found.spikes)
    assert spikes(network(form, gain, into=0.9999 * found.factor), 1) == 0
    assert spikes(network(form, gain, into=1.0001 * found.factor), 1) > 0


def test_peak_of_a_silent_neuron_is_that_of_its_voltage():
    net = network("delays", 0.4)
    tape = es.simulate(net, stream(), backend="reference")
    found = es.explain(net, tape, "b", 1)
    assert not found.spikes
    grid = np.union1d(np.linspace(0.0, DURATION, 4001), [found.peak_time])
    voltage = es.voltage(net, tape, "b", grid, neurons=1, samples=found.sample).ravel()
    np.testing.assert_allclose(found.peak, voltage.max(), rtol=1e-12)
    assert grid[voltage.argmax()] == found.peak_time
    parts = sum(one.excitation + one.inhibition for one in found.sources)
    np.testing.assert_allclose(found.rest + parts, found.peak, rtol=1e-12)


@pytest.mark.parametrize("form", ["dense", "delays"])
def test_parts_of_the_drive_add_up_to_its_peak(form):
    net = network(form, 4.0)
    tape = es.simulate(net, stream(n_events=400), backend="reference")
    for name, neuron in (("a", 0), ("a", 1), ("b", 0), ("b", 1), ("b", 2)):
        found = es.explain(net, tape, name, neuron)
        assert found.events > 300  # some ten in the last ms before the peak
        parts = sum(one.excitation + one.inhibition for one in found.sources)
        np.testing.assert_allclose(found.rest + parts, found.peak, rtol=1e-9)


def test_events_at_the_end_do_not_arrive_and_synapses_without_any_are_counted():
    net = es.Network()
    net.add_input("input", 5)
    net.add_population("n", 1, tau_mem=10.0, tau_syn=5.0)
    # That of channel 0 would arrive where the recording ends; channels 3 and 4 have none.
    delays = np.array([[35.0], [34.0], [1.0], [1.0], [1.0]])
    net.connect("input", "n", np.ones((5, 1)), delays=delays)
    events = es.EventStream([5.0] * 3, [0, 1, 2], [0, 3], n_channels=5, duration=40.0)
    (found,) = es.explain(net, es.simulate(net, events, backend="reference"), "n", 0).sources
    assert (found.events, found.synapses, found.unused) == (2, 5, 3)


@pytest.mark.parametrize(("weights", "named"), [([6.0, -3.0], True), ([3.6, -1.0], False)])
def test_inhibition_is_named_where_without_it_the_neuron_would_fire(weights, named):
    events = es.EventStream([5.0, 5.0], [0, 1], [0, 2], n_channels=2, duration=60.0)
    tapes = []
    for given in (weights, np.maximum(weights, 0.0)):
        net = one_layer("n", np.array(given)[:, None], tau_mem=10.0, tau_syn=5.0)
        tapes.append((net, es.simulate(net, events, backend="reference")))
    assert [len(tape["n"]) > 0 for _, tape in tapes] == [False, named]
    why = es.explain(*tapes[0], "n", 0).why
    assert why.startswith("Its drive ends below the threshold.")
    assert ("Without the events of negative weight from input it would fire" in why) == named


def test_neuron_at_its_threshold_is_not_said_to_fire_without_events():
    net = one_layer("n", [[1.0, 1.0]], tau_mem=20.0, threshold=0.5, v_leak=[0.5, 0.6], v_reset=-1.0)
    nothing = es.EventStream([], [], [0, 0], n_channels=1, duration=500.0)
    one = es.EventStream([5.0], [0], [0, 1], n_channels=1, duration=500.0)
    tapes = [es.simulate(net, events, backend="reference") for events in (nothing, one)]
    # It fires each 20 ms ln(1.6 / 0.1) = 55.5 ms.
    assert tapes[0]["n"].counts()[0].tolist() == [0, 9]
    for tape in tapes:
        at, above = (es.explain(net, tape, "n", k) for k in range(2))
        assert (
            at.why == "It rests at its threshold: without events it comes near and does not fire."
        )
        assert "fires without any event" in above.why
        assert (at.factor, above.factor) == (None, None)
    assert ": 9 spikes in 500 ms, 18.0 per second\n" in str(es.explain(net, tapes[0], "n", 1))


def test_sources_are_counted_as_the_tape_counts_them():
    net = network("dense", 4.0)
    tape = es.simulate(net, stream(), backend="reference")
    each = [es.explain(net, tape, "b", k, sample=s) for k in range(3) for s in range(2)]
    for name in ("input->b", "a->b"):
        events = [one.events for found in each for one in found.sources if one.projection == name]
        assert sum(events) == tape.synaptic_events[name]
    one = es.explain(net, tape, "a", 0)
    step = np.linspace(0.0, 200.0, 200_001)
    # Textbook: two exponentials, of which the peak is taken on a fine grid.
    shape = 1.3 * 4.0 / (18.0 - 4.0) * (np.exp(-step / 18.0) - np.exp(-step / 4.0))
    np.testing.assert_allclose(one.lift, shape.max(), rtol=1e-6)


def test_reason_names_what_holds_a_neuron_back():
    net = one_layer(
        "n", [[9.0, -1.0, 0.0], [-9.0, -1.0, 0.0]], threshold=[1.0, 1.0, -0.5], v_reset=-1.0
    )
    events = es.EventStream([5.0, 5.0], [0, 1], [0, 2], n_channels=2, duration=40.0)
    tape = es.simulate(net, events, backend="reference")
    held, outweighed, tonic = (es.explain(net, tape, "n", k) for k in range(3))
    assert "never rises above rest" in held.why
    assert outweighed.factor is None
    assert "fires without any event" in tonic.why
    nothing = es.EventStream([], [], [0, 0], n_channels=2, duration=40.0)
    silent = es.simulate(net, nothing, backend="reference")
    assert "No event arrives" in es.explain(net, silent, "n", 0).why
    for name, wrong in (("n", {"neuron": 3}), ("n", {"neuron": 0, "sample": 1})):
        with pytest.raises(ParameterError, match="expected a number in 0"):
            es.explain(net, tape, name, **wrong)
    net.add_population("own", 1, neuron=AdLIF())
    with pytest.raises(NetworkError, match="neurons of kind AdLIF, whose drive"):
        es.explain(net, tape, "own", 0)
    with pytest.raises(NetworkError, match="is the input"):
        es.explain(net, tape, "input", 0)


@pytest.mark.parametrize("gain", [0.1, 4.0])
def test_without_a_recording_the_factor_is_the_least_of_all(gain):
    net = network("dense", gain)
    tape = es.simulate(net, stream(), backend="reference")
    for name, neuron in (("a", 1), ("b", 0), ("b", 1), ("b", 2)):
        each = [es.explain(net, tape, name, neuron, sample=k) for k in range(2)]
        found = es.explain(net, tape, name, neuron)
        assert (found.recordings, found.chosen, each[0].chosen) == (2, True, False)
        assert found.fires_in == sum(bool(one.spikes) for one in each)
        if found.fires_in:
            assert len(found.spikes) == max(len(one.spikes) for one in each)
            said = f"It fires in {found.fires_in} of 2 recordings; of these, it fires most in"
        else:
            assert found.factor == min((x.factor for x in each if x.factor), default=None)
            said = "It fires in 0 of 2 recordings; of these, its drive is largest in"
        assert f"{said} recording {found.sample}." in str(found)
    assert found.fires_in == 0 or gain > 1


def test_simulate_explains_the_first_silent_and_the_most_active_neuron(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    net = network("dense", 0.4)
    net.save("net.npz")
    stream().save("events.npz")
    tape = es.simulate(net, stream())
    counts = tape["b"].counts().sum(axis=0)
    outcome = call("simulate", "net.npz", "events.npz", "--explain", "b", "--explain", "a:2:1")
    assert outcome.code == 0, outcome.err
    assert str(es.explain(net, tape, "a", 2, sample=1)) in outcome.out
    outcome = call("simulate", "net.npz", "events.npz", "--explain", "b", "--json")
    neurons = [one["neuron"] for one in outcome.json["explained"]]
    assert [one["factor"] for one in outcome.json["explained"]] == [
        es.explain(net, tape, "b", neuron).factor for neuron in neurons
    ]
    assert neurons[0] == np.flatnonzero(counts == 0)[0]
    assert neurons[1:] == ([counts.argmax()] if counts.any() else [])
    assert "expected POPULATION" in call(
        "simulate", "net.npz", "events.npz", "--explain", "b:x"
    ).err.replace("\n", " ")
