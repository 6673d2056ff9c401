"""What fires after the last event before a long silence fires, whatever underflows in it.

Over such an interval V and its drive end below the smallest numbers of the state's type. The
crossing in between must be found all the same, with and without denormal numbers.
"""

import numpy as np
import pytest
import scipy.sparse

import eventsim as es
from eventsim.engine.contract.registry import using_backend
from eventsim.engine.cuda.backend import CudaBackend
from tests.parity.test_chunks import assert_chunks_equal_whole
from tests.support.compare import SINGLE_ATOL, TIME_ATOL, assert_same_bits, assert_same_trains
from tests.support.simt import HostDevice, why_not

HOST = pytest.mark.skipif(why_not() is not None, reason=str(why_not()))
TAUS = [(20.0, 10.0), (10.0, 5.0), (5.0, 20.0), (10.0, 10.0), (2.0, 60.0), (200.0, 1.0)]
PER_TAUS = 4
SILENCES = [1e3, 1.7e3, 2e4, 1e6, 1e9]
KINDS = ["dense", "delays by synapse", "sparse", "loop", "loop at once"]


def net_of(kind):
    """Neurons of all TAUS; input 0 makes them fire, input 1 pushes them below their rest."""
    size = PER_TAUS * len(TAUS)
    tau_mem, tau_syn = np.repeat(TAUS, PER_TAUS, axis=0).T
    net = es.Network()
    net.add_input("input", 2)
    # A reset below and above the rest.
    net.add_population(
        "hidden", size, tau_mem=tau_mem, tau_syn=tau_syn, refractory=1.0,
        v_reset=np.tile([-0.7, 0.3], size // 2),
    )  # fmt: skip
    # To the largest voltage of one arrival: 1.2 to 3 times the threshold.
    ratio = tau_mem / tau_syn
    peak = np.exp(
        -np.where(ratio == 1.0, 1.0, ratio * np.log(ratio) / (ratio - 1.0 + (ratio == 1.0)))
    )
    fire = np.tile([1.2, 1.6, 2.0, 3.0], len(TAUS)) / peak
    weights = np.stack([fire, -0.6 * fire])
    delays = np.tile([0.0, 0.25], (2, size // 2)) if kind == "delays by synapse" else 0.0
    given = scipy.sparse.csr_array(weights) if kind == "sparse" else weights
    net.connect("input", "hidden", given, delays=delays)
    if kind.startswith("loop"):
        ring = -0.2 * np.roll(np.diag(fire), 1, axis=1)
        net.connect("hidden", "hidden", ring, delays=0.0 if kind == "loop at once" else 0.5)
    else:
        net.connect("hidden", "hidden", es.self_recurrent(-0.3 * fire))
    return net


def stream_of(silence):
    """A silence between two events, and one up to the end; then with V below its rest."""
    first, second = 5.0, 5.0 + silence
    samples = [
        ([first, second], [0, 0]),
        ([first, first + 3.0, second, second + 3.0], [1, 0, 1, 0]),
    ]
    return es.EventStream.from_samples(samples, n_channels=2, duration=second + silence)


@pytest.mark.parametrize("precision", ["single", "double"])
@pytest.mark.parametrize("silence", SILENCES)
@pytest.mark.parametrize("kind", KINDS)
def test_spikes_before_a_long_silence_are_those_of_the_reference(
    kind, silence, precision, fast_backend
):
    net, stream = net_of(kind), stream_of(silence)
    expected = es.simulate(net, stream, backend="reference")["hidden"]
    actual = es.simulate(net, stream, backend=fast_backend, precision=precision)["hidden"]
    # A double has a grain of 1e-7 ms at 1e9 ms.
    atol = SINGLE_ATOL if precision == "single" else TIME_ATOL[fast_backend] + 1e-15 * silence
    assert assert_same_trains(actual, expected, atol_ms=atol) > 20


@pytest.mark.parametrize("silence", [1.7e3, 1e9])
@pytest.mark.parametrize("kind", ["dense", "sparse"])
def test_spikes_before_a_long_silence_in_chunks_are_those_of_one_run(kind, silence, fast_backend):
    how = {"backend": fast_backend, "precision": "single"}
    assert assert_chunks_equal_whole(net_of(kind), stream_of(silence), silence / 3.0, **how) > 20


@HOST
@pytest.mark.parametrize("silence", SILENCES)
@pytest.mark.parametrize("kind", KINDS)
def test_kernels_without_denormal_numbers_have_the_bits_of_cpu(kind, silence):
    net, stream = net_of(kind), stream_of(silence)
    expected = es.simulate(net, stream, backend="cpu", precision="single")["hidden"]
    with using_backend("cuda", CudaBackend(HostDevice(flush=True))):
        actual = es.simulate(net, stream, backend="cuda", precision="single")["hidden"]
    assert_same_bits(actual, expected)
