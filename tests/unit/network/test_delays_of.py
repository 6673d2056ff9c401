"""A vector of delays has one per source or one per synapse, and which of them is said."""

import json

import numpy as np
import pytest
import scipy.sparse as sp

import eventsim as es
from eventsim.events.storage import write_arrays
from eventsim.network.forms import NETWORK_VERSION
from eventsim.network.nir import from_nir, to_nir
from tests.support.nets import one_layer

# As many synapses as sources: two leave source 0, none source 1.
SPARSE = sp.csr_array(([1.0, 2.0, 3.0], [0, 1, 1], [0, 2, 2, 3]), shape=(3, 2))
DELAYS = [1.0, 5.0, 9.0]
OF = {"source": [1.0, 1.0, 9.0], "synapse": [1.0, 5.0, 9.0]}


def net_of(weights=SPARSE, delays=DELAYS, **given):
    net = one_layer("hidden", weights, delays=delays, **given)
    return net, net.projections["input->hidden"]


@pytest.mark.parametrize("of", OF)
def test_delays_are_of_what_was_said(of):
    _, projection = net_of(delays_of=of)
    assert projection.delays_of == of
    assert projection.delay_per_synapse == (of == "synapse")
    np.testing.assert_array_equal(projection.synapse_delays(), OF[of])


@pytest.mark.parametrize("of", OF)
def test_spikes_arrive_after_the_delays_that_were_said(of):
    net, _ = net_of(100.0 * SPARSE, delays_of=of)
    events = es.EventStream([2.0], [0], [0, 1], n_channels=3, duration=30.0)
    for backend in ("reference", "cpu"):
        spikes = es.simulate(net, events, backend=backend)["hidden"]
        first = [spikes.times[spikes.neurons == n].min() for n in (0, 1)]
        np.testing.assert_allclose(first, np.array(OF[of][:2]) + 2.0, atol=0.5)


def test_delays_of_sources_with_one_synapse_each_are_both():
    _, projection = net_of(sp.csr_array(np.eye(3, 2) + np.eye(3, 2, -2)))
    np.testing.assert_array_equal(projection.synapse_delays(), DELAYS)


@pytest.mark.parametrize("weights", [np.ones((3, 2)), SPARSE], ids=["dense", "sparse"])
def test_one_delay_for_all_may_be_of_either(weights):
    for of in (None, "source", "synapse"):
        assert not net_of(weights, 2.0, delays_of=of)[1].delay_per_synapse


def test_rsnn_draws_a_delay_for_every_synapse_where_there_are_as_many_as_neurons():
    lateral = es.RandomLateral(in_degree=1)
    projection = es.rsnn(4, (10,), 2, lateral=lateral, delays=(1.0, 5.0)).projections[
        "hidden1->hidden1"
    ]
    assert projection.values.size == 10
    assert projection.delay_per_synapse
    np.testing.assert_array_equal(projection.synapse_delays(), projection.delays)


def test_convolution_shares_delays_of_its_kernel_where_there_are_as_many_synapses_as_sources():
    layer = es.Convolution(4, 1, stride=2, out_maps=2)  # 4 sources, 4 synapses
    net = es.Network()
    net.add_input("input", layer.n_sources)
    net.add_population("hidden", layer.n_targets)
    delays = np.full(layer.weight_shape, 4.0)
    assert layer.connect(net, "input", "hidden", delays, delays=delays).delays_of == "synapse"


def test_file_of_before_opens_with_a_delay_for_every_source(tmp_path):
    arrays = net_of(delays_of="synapse")[0].to_arrays()
    structure = json.loads(str(arrays["structure"]))
    del structure["delays_of_synapses"]
    arrays["structure"] = np.array(json.dumps(structure))
    path = tmp_path / "net.npz"
    write_arrays(path, arrays, kind="eventsim-network", version=NETWORK_VERSION)
    assert es.Network.load(path).projections["input->hidden"].delays_of == "source"


@pytest.mark.parametrize("of", OF)
@pytest.mark.parametrize("way", ["file", "nir"])
def test_files_and_nir_keep_what_delays_are_of(of, way, tmp_path):
    net, _ = net_of(delays_of=of)
    if way == "nir":
        pytest.importorskip("nir")
        back = from_nir(to_nir(net))
    else:
        net.save(tmp_path / "net.npz")
        back = es.Network.load(tmp_path / "net.npz")
    found = back.projections["input->hidden"]
    assert found.delays_of == of
    np.testing.assert_array_equal(found.synapse_delays(), OF[of])
