import sys

import numpy as np
import pytest

import eventsim as es
from eventsim.energy import neurobench_batch, neurobench_model, neurobench_results
from eventsim.errors import NetworkError, ParameterError, ShapeError
from tests.support.nets import random_net, random_stream

# Of the imports of torch, tonic and snnTorch.
pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.fixture
def harness():
    pytest.importorskip("neurobench", reason="needs pip install 'eventsim-snn[neurobench]'")
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


def test_without_the_package_the_error_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(ModuleNotFoundError, match=r"eventsim-snn\[neurobench\]"):
        neurobench_model(random_net(1, delays="none"), step_ms=1.0)


def test_results_need_no_package(monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    net = random_net(1)
    tape = es.simulate(net, random_stream(3), backend="reference")
    assert neurobench_results(net, tape, step_ms=1.0)["synaptic_operations"]["Dense"] > 0
