import json
import sys

import numpy as np
import pytest

import eventsim as es
from bench.neurobench.twin import neurobench_batch, neurobench_model, neurobench_results
from eventsim.energy import clocked, count
from eventsim.errors import NetworkError, ParameterError, ShapeError
from tests.support.nets import random_net, random_stream

# Of the imports of torch, tonic and snnTorch.
pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.fixture
def harness():
    pytest.importorskip("neurobench", reason="needs pip install neurobench")
    from bench.neurobench import check

    return check


@pytest.mark.parametrize("batch_size", [1, 3])
@pytest.mark.parametrize("density", [1.0, 0.3])
@pytest.mark.parametrize("case", ["ours_in_harness", "snntorch_in_harness"])
def test_counters_equal_those_of_the_harness(harness, case, density, batch_size):
    theirs, own = getattr(harness, case)(density, batch_size)
    for key, label in harness.KEYS.items():
        if case == "ours_in_harness" or key != "footprint":
            assert theirs[label] == own[key], key
    operations = own["synaptic_operations"]
    assert operations["Effective_MACs"] > 0
    assert operations["Effective_ACs"] > 0


@pytest.mark.parametrize("batch_size", [1, 3])
@pytest.mark.parametrize("change", ["pruned", "quantised", "decided"])
def test_counters_of_changed_networks_equal_those_of_the_harness(harness, change, batch_size):
    theirs, own = harness.ours_in_harness(1.0, batch_size, getattr(harness, change))
    for key, label in harness.KEYS.items():
        assert theirs[label] == own[key], key
    assert own["connection_sparsity"] > (0.1 if change == "quantised" else 0.4)


@pytest.mark.parametrize("rule", ["maximum", "last"])
def test_harness_answers_by_the_decision(harness, rule):
    net, stream = random_net(1, delays="source"), random_stream(3, n_samples=4)
    rng = np.random.default_rng(5)
    net.decide("output", rng.normal(size=(net.population("output").size, 3)))
    net.set_answer(es.Answer(population="output", rule=rule, class_names=("a", "b", "c")))
    model = neurobench_model(net, step_ms=1.0, backend="reference")
    found = es.predict(net, stream, backend="reference", precision="double")
    assert model(neurobench_batch(stream)).tolist() == found.classes.tolist()


def test_a_decision_in_every_frame_is_refused():
    net, stream = random_net(1), random_stream(3)
    net.decide("output", np.ones((net.population("output").size, 3)))
    net.set_answer(es.Answer(population="output", rule="ctc", class_names=("a", "b")))
    with pytest.raises(NetworkError, match="decides in every frame.*expected the rule maximum"):
        neurobench_results(net, es.simulate(net, stream), step_ms=1.0)
    with pytest.raises(NetworkError, match="decides in every frame.*expected the rule maximum"):
        neurobench_model(net, step_ms=1.0)


def test_a_decision_multiplies_the_voltages_that_are_not_zero():
    net = es.Network()
    net.add_input("input", 2)
    net.add_readout("output", 2)
    net.connect("input", "output", np.eye(2))
    stream = es.EventStream([5.0], [0], [0, 1], n_channels=2, duration=50.0)
    before = neurobench_results(net, es.simulate(net, stream, backend="reference"), step_ms=1.0)
    net.decide("output", [[1.0, 0.0, 2.0], [3.0, 4.0, 5.0]])
    tape = es.simulate(net, stream, backend="reference")
    after = neurobench_results(net, tape, step_ms=1.0)
    # Nothing reaches the second neuron, whose voltage is 0: that is where the counts differ.
    assert count(net, tape).decision_macs == 5
    operations = after["synaptic_operations"], before["synaptic_operations"]
    more = {key: operations[0][key] - operations[1][key] for key in operations[0]}
    assert more == {"Effective_MACs": 2.0, "Effective_ACs": 0.0, "Dense": 6.0}
    assert after["footprint"] - before["footprint"] == 4 * (6 + 3)
    assert after["connection_sparsity"] == round(1 - (2 + 5) / (4 + 6), 4)


def test_harness_gets_the_strongest_readout_as_answer(harness):
    net, stream = random_net(1, delays="source"), random_stream(3)
    model = neurobench_model(net, step_ms=1.0, backend="reference")
    tape = es.simulate(net, stream, backend="reference")
    expected = es.readout_integral(net, tape, "output").argmax(axis=1)
    assert model(neurobench_batch(stream)).tolist() == expected.tolist()
    other = neurobench_model(
        net, step_ms=1.0, backend="reference", predict=lambda net, tape: np.arange(3)
    )
    assert other(neurobench_batch(stream)).tolist() == [0, 1, 2]


def test_harness_refuses_what_its_layers_cannot_express(harness):
    with pytest.raises(NetworkError, match="'input->hidden1': has a delay per synapse"):
        neurobench_model(random_net(1), step_ms=1.0)
    with pytest.raises(ParameterError, match="step_ms is 0"):
        neurobench_model(random_net(1, delays="none"), step_ms=0)
    model = neurobench_model(random_net(1, delays="none"), step_ms=1.0, backend="reference")
    with pytest.raises(ShapeError, match="expected what neurobench_batch"):
        model(harness.torch.zeros(2, 10, 5))


def test_results_need_no_package(monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    net = random_net(1)
    tape = es.simulate(net, random_stream(3), backend="reference")
    assert neurobench_results(net, tape, step_ms=1.0)["synaptic_operations"]["Dense"] > 0


def test_neurobench_keys_hold_the_same_numbers():
    net = random_net(2, sparse=True, delays="source")
    tape = es.simulate(net, random_stream(3, n_samples=5), backend="reference")
    found = neurobench_results(net, tape, step_ms=1.0, batch_size=2)
    steps = clocked(net, tape, step_ms=1.0, batch_size=2)
    assert list(found) == [
        "footprint", "connection_sparsity", "activation_sparsity", "synaptic_operations"
    ]  # fmt: skip
    macs = sum(int(v.sum()) for v in steps.effective_macs.values())
    assert found["synaptic_operations"]["Effective_MACs"] == pytest.approx(macs / 5)
    assert found["connection_sparsity"] == round(count(net, tape).connection_sparsity, 4)
    assert found["footprint"] > count(net, tape).footprint.weights
    # Batches have about the same length here, so their mean is near that of all.
    assert found["activation_sparsity"] == pytest.approx(steps.activation_sparsity, abs=0.01)
    json.dumps([found, steps.to_dict()])
