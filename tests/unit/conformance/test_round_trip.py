import warnings

import numpy as np
import pytest

import eventsim as es
from eventsim.conformance.round_trip import compare_trains, round_trip
from eventsim.events import SpikeTrains
from eventsim.network.nir import NirWarning, write_nir
from tests.support.nets import lateral_net, random_net, random_stream

pytest.importorskip("nir", minversion="1.0.8")


@pytest.mark.parametrize(
    "net",
    [random_net(0), random_net(1, sparse=True, pacemakers=True), lateral_net(2)],
    ids=["dense", "sparse", "lateral"],
)
def test_plain_nir_gives_identical_spikes_and_readouts(net):
    found = round_trip(net, random_stream(3))
    assert found.spikes > 100
    assert found.identical
    assert found.passed
    assert found.readouts == {"output": 0.0}
    assert "refractory times" in found.warnings[0]


@pytest.mark.parametrize("target", ["norse", "snntorch", "spikingjelly", "rockpool"])
def test_files_for_programs_give_the_same_spikes_up_to_rounding(target):
    net = es.scsr(8, (12, 10), 3, seed=1)
    found = round_trip(net, random_stream(1, n_channels=8, rate=200.0), target=target)
    assert found.spikes > 100
    assert found.passed
    assert max(entry.worst_ms for entry in found.populations.values()) < 1e-9


def test_file_of_another_network_fails(tmp_path):
    net = random_net(0)
    other = net.copy()
    other.projections["input->hidden1"].weights[:] *= 1.1
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NirWarning)
        write_nir(other, tmp_path / "other.nir")
    found = round_trip(net, random_stream(3), path=tmp_path / "other.nir")
    assert not found.passed
    assert not found.to_dict()["passed"]


def trains(samples):
    times = np.concatenate([t for t, _ in samples])
    neurons = np.concatenate([n for _, n in samples]).astype(np.int32)
    offsets = np.concatenate([[0], np.cumsum([len(t) for t, _ in samples])])
    return SpikeTrains(times, neurons, offsets, 2)


def test_trains_are_compared_one_by_one():
    before = trains([([1.0, 2.0, 3.0], [0, 1, 0]), ([5.0], [1])])
    after = trains([([1.0, 2.5, 3.25], [0, 1, 0]), ([5.0, 6.0], [1, 1])])
    found = compare_trains(before, after)
    assert (found.spikes, found.spikes_after) == (4, 5)
    assert not found.identical
    assert found.trains_that_differ == 1
    assert found.worst_ms == 0.5
    assert compare_trains(before, before).identical
