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


@pytest.mark.parametrize(
    ("target", "lost", "there"),
    [
        ("norse", {"refractory": 4.0}, {"refractory": 0.0}),
        (None, {"refractory": 4.0}, {"refractory": 0.0}),
        ("snntorch", {"v_reset": -1.0}, {"v_reset": 0.0}),
        ("norse", {"adaptation": 0.5, "tau_adaptation": 50.0}, {"adaptation": 0.0}),
    ],
)
def test_what_stands_in_metadata_only_is_not_in_the_other_program(target, lost, there):
    def net(given):
        made = es.Network()
        made.add_input("input", 8)
        made.add_population("hidden", 12, **(lost | given))
        made.add_readout("output", 2)
        made.connect("input", "hidden", np.full((8, 12), 1.0))
        made.connect("hidden", "output", np.ones((12, 2)))
        return made

    stream = random_stream(1, n_channels=8, rate=200.0)
    found = round_trip(net({}), stream, target=target)
    assert found.passed
    assert not found.kept
    expected = round_trip(net(there), stream, target=target)
    assert expected.kept
    assert found.elsewhere["hidden"].spikes_after == expected.spikes
    assert found.elsewhere["hidden"].spikes_after != found.spikes > 100


def test_network_that_fires_without_bound_elsewhere_is_told():
    net = es.scsr(8, (4,), 2, refractory=2.0)
    net.projections["hidden1->hidden1"].weights[:] = 200.0
    net.projections["input->hidden1"].weights[:] = 5.0
    found = round_trip(net, random_stream(1, n_channels=8, rate=200.0))
    assert found.passed
    assert found.elsewhere is None
    assert not found.kept


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
