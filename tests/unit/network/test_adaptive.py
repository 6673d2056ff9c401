"""Populations with an adaptive threshold: parameters, files, descriptions, and who refuses them."""

import json
import warnings

import numpy as np
import pytest

import eventsim as es
from eventsim.chips import load_chip
from eventsim.energy import cost, count
from eventsim.errors import NetworkError
from eventsim.events.storage import read_arrays
from eventsim.network.nir import NirWarning, from_nir, read_nir, to_nir, write_nir
from eventsim.network.parts import join_populations
from tests.support.nets import random_net, random_stream, with_adaptation


def adaptive_net(**options):
    options = {"delays": "none", "self_delays": "none"} | options
    return with_adaptation(random_net(21, **options), 22)


def base():
    net = es.Network()
    net.add_input("input", 3)
    return net


def test_a_population_has_the_parameters_only_where_they_are_given():
    net = base()
    plain, adaptive = net.add_population("a", 2), net.add_population("b", 2, adaptation=[0.1, 0.0])
    assert not plain.is_adaptive
    assert adaptive.is_adaptive
    assert "adaptation" not in plain.parameters
    assert "a.adaptation" not in net.parameters()
    assert net.parameters()["b.adaptation"].tolist() == [0.1, 0.0]
    assert adaptive.tau_adaptation.tolist() == [100.0, 100.0]
    with pytest.raises(AttributeError, match="adaptation"):
        _ = plain.adaptation


def test_file_of_plain_neurons_is_what_it_was(tmp_path):
    random_net(24).save(tmp_path / "net.npz")
    arrays = read_arrays(tmp_path / "net.npz", kind="eventsim-network", version=1)
    assert json.loads(str(arrays["structure"])).keys() == {"populations", "projections"}
    assert not any("adaptation" in name for name in arrays)


def test_tables_show_the_columns_where_some_population_adapts():
    assert "tau_adaptation (ms)" in adaptive_net()._repr_html_()
    assert "adaptation" not in random_net(21)._repr_html_()


def test_members_of_a_loop_are_joined_with_a_rise_of_zero_for_plain_ones():
    net = base()
    members = [net.add_population("a", 2), net.add_population("b", 1, adaptation=0.5)]
    joined = join_populations(members)
    assert joined.adaptation.tolist() == [0.0, 0.0, 0.5]
    assert joined.tau_adaptation.tolist() == [100.0] * 3
    assert not join_populations(members[:1]).is_adaptive


@pytest.mark.parametrize(
    "build",
    [
        lambda **given: es.scsr(4, (3, 2), 2, **given),
        lambda **given: es.rsnn(4, (3, 2), 2, **given),
        lambda **given: es.scsr(4, (3, 2), 2, output="spiking", **given),
    ],
)
def test_builders_give_hidden_populations_the_threshold(build):
    net, plain = build(alif=(0.3, 70.0)), build()
    for name, population in net.populations.items():
        assert population.is_adaptive == name.startswith("hidden")
    assert (net.populations["hidden1"].tau_adaptation == 70.0).all()
    for key, values in plain.parameters().items():
        assert np.array_equal(net.parameters()[key], values)


def test_plain_nir_takes_the_parameters_along_and_a_program_only_where_that_is_allowed(tmp_path):
    net, stream = adaptive_net(), random_stream(26)
    with pytest.warns(NirWarning, match="'hidden1' has an adaptive threshold"):
        write_nir(net, tmp_path / "net.nir")
    back = read_nir(tmp_path / "net.nir")
    for key, values in net.parameters().items():
        assert np.array_equal(back.parameters()[key], values), key
    tapes = [es.simulate(n, stream, backend="reference") for n in (net, back)]
    assert np.array_equal(*(tape["hidden2"].times for tape in tapes))
    for population in net.spiking.values():
        population.refractory[:] = 0.0
    with pytest.raises(NetworkError, match=r"adaptive threshold.*lossy"):
        to_nir(net, target="norse", dt=0.1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NirWarning)
        assert (
            from_nir(to_nir(net, target="norse", dt=0.1, lossy=True)).spiking["hidden1"].is_adaptive
        )
        assert not from_nir(to_nir(random_net(21))).spiking["hidden1"].is_adaptive


def test_counts_name_what_an_adaptive_threshold_adds():
    net, stream = adaptive_net(), random_stream(26)
    tape = es.simulate(net, stream, backend="reference")
    found = count(net, tape)
    assert found.adaptive_updates.keys() == {"hidden1", "hidden2"}
    for name, updates in found.adaptive_updates.items():
        assert np.array_equal(updates, found.membrane_updates[name])
    plain = random_net(21, delays="none", self_delays="none")
    without = count(plain, es.simulate(plain, stream, backend="reference"))
    assert not without.adaptive_updates
    sizes = sum(p.size for p in net.spiking.values())
    assert found.footprint.states - without.footprint.states == 4 * sizes
    missing = {m.name: m.count for m in cost(net, tape, load_chip("loihi")).missing}
    assert missing["adaptive_update"] == sum(u.mean() for u in found.adaptive_updates.values())
