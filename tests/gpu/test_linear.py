"""Linear neurons by the CUDA text: bits of cpu, gradients of the reference."""

from functools import partial

import numpy as np
import pytest

import eventsim as es
from eventsim.engine.contract.job import Job
from eventsim.engine.contract.linear import side_by_side
from eventsim.engine.contract.registry import get_backend, using_backend
from eventsim.engine.cuda.backend import CudaBackend
from eventsim.errors import NetworkError, RunawayError
from eventsim.plan import make_plan
from tests.parity.test_chunks import assert_chunks_equal_whole
from tests.support.compare import (
    assert_close_by_name,
    assert_same_bits,
    assert_same_spikes,
    assert_same_trains,
)
from tests.support.linear_neurons import (
    SPARSE,
    sparse_layer,
    sparse_stream,
    spikes_and_gradients,
    two_kinds_in_a_loop,
)
from tests.support.losses import Sums
from tests.support.nets import one_layer, random_stream
from tests.support.simt import HostDevice, devices, exercise, why_not
from tests.support.simt.runs import LINEAR_LOOPS

pytestmark = pytest.mark.skipif(why_not() is not None, reason=str(why_not()))


def on_the_host(net, events, seed, **options):
    """By the host build; the seed permutes threads and blocks."""
    with using_backend("cuda", CudaBackend(HostDevice(seed))):
        return spikes_and_gradients(net, events, backend="cuda", **options)


@pytest.mark.parametrize("precision", ["single", "double"])
@pytest.mark.parametrize("returns", [0.0, 1.5])
@pytest.mark.parametrize("kind", SPARSE)
def test_a_layer_has_the_bits_of_cpu_event_by_event_and_its_gradients(kind, returns, precision):
    net, events = sparse_layer(kind, returns), sparse_stream()
    expected, right = spikes_and_gradients(net, events, backend="cpu", precision=precision)
    bound = {"single": 2e-5, "double": 1e-8}[precision]
    if precision == "double":
        _, right = spikes_and_gradients(net, events, backend="reference")
    assert len(expected) > 20
    for seed in (0, 1):
        found, mine = on_the_host(net, events, seed, precision=precision)
        assert_same_bits(found, expected)
        assert_close_by_name(mine, right, rtol=bound)


def test_a_layer_that_shares_its_events_agrees_with_cpu_side_by_side():
    """By moments cpu has other last bits; delays per source are in the events' times."""
    rng = np.random.default_rng(8)
    neuron = es.AdLIF(tau_mem=rng.uniform(10, 30, 9), a=0.5, b=0.2)
    weights, delays = rng.normal(0.8, 2.0, (6, 9)), rng.uniform(0, 2, 6)
    net = one_layer("h", weights, neuron=neuron, delays=delays)
    net.add_readout("out", 2)
    net.connect("h", "out", rng.normal(0.0, 1.0, (9, 2)))
    found, mine = on_the_host(net, sparse_stream(), seed=1)
    expected, right = spikes_and_gradients(net, sparse_stream(), backend="cpu")
    assert_same_trains(found, expected, atol_ms=1e-10)
    assert_close_by_name(mine, right, rtol=1e-8)


@pytest.mark.parametrize(
    ("precision", "atol_ms", "rtol"), [("double", 1e-12, 1e-11), ("single", 1e-4, 1e-4)]
)
def test_a_loop_that_cpu_runs_by_windows_agrees_to_rounding(precision, atol_ms, rtol):
    net, events = two_kinds_in_a_loop(3, 24), random_stream(4, n_samples=2, duration=60.0)
    job = Job(make_plan(net).stages[0], (), events.duration, precision)
    assert job.stage.lateral
    assert side_by_side(job)
    with using_backend("cuda", CudaBackend(HostDevice(1))):
        tapes = [es.simulate(net, events, backend=b, precision=precision) for b in ("cuda", "cpu")]
        found, right = (es.backward(net, tape, Sums(net, 2)).flat() for tape in tapes)
    assert assert_same_spikes(*tapes, atol_ms=atol_ms) > 50
    assert_close_by_name(found, right, rtol=rtol)
    assert not np.array_equal(tapes[0]["a"].times, tapes[1]["a"].times)


def shared_loop():
    """All neurons meet the same events at the same times, those of their own spikes too."""
    rng = np.random.default_rng(9)
    net = one_layer("h", rng.normal(0.8, 2.0, (6, 8)), neuron=es.AdLIF(a=0.5, b=0.2))
    net.connect("h", "h", rng.normal(0.2, 1.0, (8, 8)), delays=0.7)
    return net


@pytest.mark.parametrize("make", [partial(sparse_layer, "adlif", 1.5), shared_loop])
def test_a_network_on_the_device_has_the_gradients_of_one_on_the_host_there(host_cuda, make):
    net, events = make(), sparse_stream()
    expected, by_cpu = spikes_and_gradients(net, events, backend="cpu")
    with using_backend("cuda", host_cuda):
        there = net.map(host_cuda.asarray)
        found, right = spikes_and_gradients(net, events, backend="cuda")
        _, mine = spikes_and_gradients(there, events, backend="cuda")
    assert np.array_equal(found.times, expected.times)
    assert_close_by_name(right, by_cpu, rtol=1e-8)
    assert type(mine["h.tau_w"]) is type(there.populations["h"].tau_w)
    for key, values in right.items():
        assert np.array_equal(np.asarray(host_cuda.get(mine[key])), values), key


def test_gradients_of_pieces_are_refused_by_name(host_cuda):
    net, events = sparse_layer("adlif", 1.5), sparse_stream()
    with using_backend("cuda", host_cuda):
        chunk = next(iter(events.chunks(9.0)))
        tape, _ = es.simulate_chunk(net, chunk, backend="cuda")
        for call in (
            lambda: es.backward_chunk(net, tape, {}),
            lambda: es.backward_chunks(net, [chunk], lambda *_: (0.0, {}), backend="cuda"),
        ):
            with pytest.raises(
                NetworkError, match="'h' .* AdLIF.* does not go back over by chunks"
            ):
                call()


def test_a_neuron_that_runs_away_is_named(host_cuda):
    net, events = sparse_layer("adlif", 1e-5), sparse_stream()
    net.projections["h->h"].weights[...] = 500.0
    with using_backend("cuda", host_cuda), pytest.raises(RunawayError) as caught:
        es.simulate(net, events, backend="cuda")
    with pytest.raises(RunawayError) as expected:
        es.simulate(net, events, backend="cpu")
    assert caught.value.population == "h"
    assert vars(caught.value) == vars(expected.value)


@pytest.mark.parametrize("precision", ["single", "double"])
@pytest.mark.parametrize("name", LINEAR_LOOPS)
def test_a_loop_whole_and_in_pieces_has_the_bits_of_cpu_and_its_gradients(name, precision):
    run = {name: LINEAR_LOOPS[name]}
    expected = exercise.results(get_backend("cpu"), precision, run)
    n_spikes = sum(value.size for key, value in expected.items() if key.endswith("/times"))
    assert n_spikes > 50 or name.endswith("run-away")
    for device in devices(precision):
        actual = exercise.results(CudaBackend(device), precision, run)
        assert exercise.differences(actual, expected, precision) == []


@pytest.mark.parametrize("kind", ["adlif", "one of one's own"])
def test_a_layer_in_pieces_has_the_bits_of_the_whole(kind, host_cuda):
    with using_backend("cuda", host_cuda):
        net, stream = sparse_layer(kind, 1.5), sparse_stream()
        assert assert_chunks_equal_whole(net, stream, 601.7, backend="cuda") > 20
