"""NaN and infinity in seeds and losses: refused, with the place named, on every backend."""

import numpy as np
import pytest

import eventsim as es
from eventsim.engine import get_backend
from tests.support.nets import lateral_net, random_net, random_stream

ParameterError, ShapeError = es.errors.ParameterError, es.errors.ShapeError


@pytest.fixture(params=["plain", "resident"])
def run(request, backend):
    net = random_net(1, hidden=(6, 5))
    stream = random_stream(7, n_samples=2, duration=60.0)
    return net, es.simulate(net, stream, backend=backend, resident=request.param == "resident")


def seeds_of(tape, kind, k, value):
    at = np.zeros(len(tape["hidden1"]))
    at[k] = value
    asarray = get_backend(tape.backend).asarray
    return {"hidden1": es.SpikeSeed(**{kind: asarray(at) if tape.placed_input else at})}


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize(("kind", "called"), [("time", "dL/dt"), ("voltage", "dL/dV")])
def test_spike_seed_that_is_not_finite_is_refused_with_its_spike(run, kind, called, value):
    net, tape = run
    k = len(tape["hidden1"]) - 1
    neuron = int(tape["hidden1"].neurons[k])
    message = rf"{called} of 'hidden1' is {value} at spike {k} \(sample 1, neuron {neuron}\)"
    with pytest.raises(ParameterError, match=message):
        es.backward(net, tape, seeds_of(tape, kind, k, value))


def test_readout_seed_that_is_not_finite_is_refused_with_its_neuron(run):
    net, tape = run
    integral = np.zeros((2, 3))
    integral[1, 2] = np.nan
    seed = es.ReadoutSeed(time_constant=10.0, integral=integral)
    with pytest.raises(ParameterError, match="of 'output' is nan at sample 1, neuron 2"):
        es.backward(net, tape, {"output": seed})


@pytest.mark.parametrize("time_constant", [np.nan, 0.0, -1.0])
def test_readout_seed_without_a_time_constant_is_refused(run, time_constant):
    net, tape = run
    seed = es.ReadoutSeed(time_constant=time_constant, integral=np.zeros((2, 3)))
    with pytest.raises(ParameterError, match="time_constant of the seed of 'output' is"):
        es.backward(net, tape, {"output": seed})


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_loss_that_is_not_finite_is_refused_by_its_name(run, value):
    class Broken:
        def __call__(self, net, tape):
            return value, {}

    with pytest.raises(ParameterError, match=f"the loss Broken is {value}"):
        es.backward(*run, Broken())


def test_seed_of_a_loop_that_is_not_finite_is_refused(backend):
    net = lateral_net(3)
    tape = es.simulate(net, random_stream(3, duration=60.0), backend=backend)
    name = next(name for name in tape.names if len(tape[name]))
    with pytest.raises(ParameterError, match=f"dL/dt of '{name}' is nan at spike 0"):
        es.backward(net, tape, {name: np.full(len(tape[name]), np.nan)})


@pytest.mark.parametrize(
    ("seed", "message"),
    [
        (lambda n: np.full(n, 1j), "complex128"),
        (lambda n: np.ma.array(np.ones(n), mask=np.arange(n) == 0), "1 values are masked"),
        (lambda n: ["1"] * n, "<U1"),
    ],
)
def test_seeds_that_would_lose_a_part_are_refused(seed, message):
    net = random_net(1, hidden=(6, 5))
    tape = es.simulate(net, random_stream(7, duration=60.0), backend="cpu")
    with pytest.raises(ShapeError, match=f"backward: dL/dt of 'hidden1'.*{message}"):
        es.backward(net, tape, {"hidden1": seed(len(tape["hidden1"]))})
