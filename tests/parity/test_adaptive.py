"""Adaptive thresholds on the backends: as the reference, cut anywhere, and plain without a rise."""

import numpy as np
import pytest

import eventsim as es
from eventsim.engine.contract.registry import using_backend
from eventsim.engine.cuda.backend import CudaBackend
from eventsim.errors import BackendError
from tests.parity.test_chunks import assert_chunks_equal_whole
from tests.support.compare import SINGLE_ATOL, TIME_ATOL, assert_same_bits, assert_same_spikes
from tests.support.nets import (
    behind_an_inhibition,
    lateral_net,
    random_net,
    random_stream,
    ring_net,
    with_adaptation,
)

NETS = {
    "shared events": lambda: random_net(31, delays="none", self_delays="none"),
    "many neurons": lambda: random_net(32, hidden=(40,), delays="source", self_delays="none"),
    "sparse, self-delays": lambda: random_net(33, sparse=True),
    "pacemakers": lambda: random_net(34, delays="none", self_delays="none", pacemakers=True),
    "pacemakers, sparse": lambda: random_net(35, sparse=True, pacemakers=True),
    "equal time constants": lambda: random_net(36, tau_ratio=1.0, delays="none"),
    "loop": lambda: lateral_net(37, size=5),
    "ring": lambda: ring_net(38),
}


def adaptive_case(name, adaptation=(0.1, 1.5), **options):
    net = with_adaptation(NETS[name](), 39, adaptation=adaptation, tau=(4.0, 60.0), **options)
    return net, random_stream(40, n_samples=2, duration=70.0)


@pytest.mark.parametrize("name", NETS)
def test_cpu_fires_as_the_reference_does(name):
    net, stream = adaptive_case(name)
    expected = es.simulate(net, stream, backend="reference")
    double = es.simulate(net, stream, backend="cpu")
    assert assert_same_spikes(double, expected, atol_ms=TIME_ATOL["cpu"]) > 40
    single = es.simulate(net, stream, backend="cpu", precision="single")
    assert_same_spikes(single, expected, atol_ms=SINGLE_ATOL)
    plain = es.simulate(NETS[name](), stream, backend="cpu")
    assert any(len(plain[n]) > 1.2 * len(double[n]) for n in plain.names)


@pytest.mark.parametrize("precision", ["double", "single"])
@pytest.mark.parametrize("name", NETS)
def test_a_rise_of_zero_has_the_bits_of_plain_neurons(name, precision):
    net, stream = adaptive_case(name, adaptation=(0.0, 0.0))
    with_rise = es.simulate(net, stream, backend="cpu", precision=precision)
    plain = es.simulate(NETS[name](), stream, backend="cpu", precision=precision)
    for population in plain.names:
        assert_same_bits(with_rise[population], plain[population])


@pytest.mark.crossed("chunks of plain neurons are tested in test_chunks.py", test=0, all=1)
@pytest.mark.parametrize("length", [0.7, 9.0, 33.3])
@pytest.mark.parametrize("name", NETS)
def test_chunks_give_the_spikes_of_the_whole_on_cpu(name, length):
    net, stream = adaptive_case(name)
    for precision in ("double", "single"):
        total = assert_chunks_equal_whole(net, stream, length, backend="cpu", precision=precision)
        assert total > 40


@pytest.mark.parametrize("name", ["shared events", "sparse, self-delays", "pacemakers", "ring"])
def test_chunks_give_the_spikes_of_the_whole_in_the_reference(name):
    net, stream = adaptive_case(name)
    assert assert_chunks_equal_whole(net, stream[:1], 9.0, backend="reference") > 10


def test_one_population_of_a_loop_may_adapt():
    net, stream = adaptive_case("loop", populations=("a",))
    expected = es.simulate(net, stream, backend="reference")
    assert assert_same_spikes(es.simulate(net, stream, backend="cpu"), expected, atol_ms=1e-9) > 40


def test_a_backend_without_adaptation_refuses_it(host_cuda, monkeypatch):
    net, stream = adaptive_case("shared events")
    monkeypatch.setattr(CudaBackend, "runs", CudaBackend.runs - {"adaptive"})
    with using_backend("cuda", host_cuda):
        with pytest.raises(BackendError, match="'hidden1' has an adaptive threshold"):
            es.simulate(net, stream, backend="cuda")
        es.simulate(NETS["shared events"](), stream[:1], backend="cuda")


@pytest.mark.parametrize("precision", ["double", "single"])
def test_crossing_right_behind_an_inhibition_is_found_where_v_is_rounded(fast_backend, precision):
    """Newton's steps between two roundings of V never ended; a spike came 0.65 ms late."""
    net, stream, crossing = behind_an_inhibition()
    tape = es.simulate(net, stream, backend=fast_backend, precision=precision)["hidden"]
    assert np.diff(tape.offsets).tolist() == [3] * stream.n_samples
    np.testing.assert_allclose(tape.times[2::3], crossing, rtol=0, atol=1e-4)
