"""The cortical microcircuit, and its benchmark beside NEST."""

import json
import sys
from types import SimpleNamespace

import numpy as np
import pytest

import eventsim as es
from bench.macro import microcircuit
from bench.macro import potjans_diesmann as model

SCALE = 0.03
OPTIONS = SimpleNamespace(scale=SCALE, duration=100.0, poisson=True, threads=1, repeats=1)


@pytest.fixture(scope="module")
def net():
    return model.network(SCALE, poisson=True)


def test_whole_network_has_the_neurons_and_synapses_of_the_paper():
    assert model.sizes(1.0).sum() == 77_169
    assert model.synapses(1.0).sum() == pytest.approx(0.3e9, rel=0.01)
    # Of all pairs of a pair of populations a share p has a synapse at least.
    n, pairs = model.synapses(1.0), np.outer(model.SIZES, model.SIZES)
    np.testing.assert_allclose(-np.expm1(n * np.log1p(-1 / pairs)), model.PROBABILITY, atol=1e-6)


def test_network_has_its_synapses_with_signs_weights_and_delays(net):
    wanted = model.synapses(SCALE)
    assert wanted.any()
    for i, target in enumerate(model.NAMES):
        for j, source in enumerate(model.NAMES):
            projection = net.projections[f"{source}->{target}"]
            assert projection.values.size == wanted[i, j]
            if wanted[i, j] < 1000:
                continue
            sign = -1.0 if source.endswith("I") else 1.0
            assert (projection.values * sign >= 0.0).all()
            mean = model.weights(SCALE)[i, j]
            assert projection.values.mean() == pytest.approx(mean, rel=0.02)
            assert projection.values.std() == pytest.approx(0.1 * abs(mean), rel=0.1)
            delays = model.DELAYS[source[-1]]
            assert projection.delays.min() >= 0.1
            assert projection.delays.mean() == pytest.approx(delays.first, rel=0.1)


@pytest.mark.parametrize("poisson", [False, True])
def test_smaller_networks_keep_the_mean_input_and_its_variance(poisson):
    def input_of(scale):
        degrees = model.synapses(scale) / model.sizes(scale)[:, np.newaxis]
        outside = model.external_rates(scale) * model.WEIGHT / np.sqrt(scale) * poisson
        inside = degrees * model.weights(scale) @ model.RATES
        currents = model.currents(scale, poisson)
        mean = model.TAU_SYN * 1e-3 * (inside + outside) + currents
        return mean, degrees * model.weights(scale) ** 2 @ model.RATES

    for whole, small in zip(input_of(1.0), input_of(0.1), strict=True):
        np.testing.assert_allclose(small, whole, rtol=5e-3)  # sizes are whole numbers


def test_rates_of_a_small_network_are_near_those_of_the_paper():
    scale = 0.06  # at half of it what L23E does depends on the seed
    tape = es.simulate(model.network(scale, poisson=True), model.events(scale, 300.0, poisson=True))
    spikes = {name: (tape[name].times, tape[name].neurons) for name in model.NAMES}
    options = SimpleNamespace(scale=scale, duration=300.0)
    found = microcircuit.activity(spikes, options)
    rates = np.array([found[name] for name in model.NAMES])
    assert (rates > 0.1 * model.RATES).all()
    assert (rates < 2.0 * model.RATES).all()
    assert rates[0] < rates[2] < rates[4]  # excitatory: layers 2/3, 4, 5


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
def test_row_of_eventsim_has_its_costs_and_rates():
    row = microcircuit.apart("eventsim single", SCALE, OPTIONS)
    assert "failed" not in row
    assert row["ns_per_event"] == pytest.approx(1e9 * row["run_s"] / row["synaptic_events"])
    assert row["cpu_s_per_s"] == pytest.approx(10.0 * row["run_s"])
    assert row["bytes_run"] > row["bytes_network"] > 0.0
    assert row["drive"] == "Poisson"
    assert all(row[name] >= 0.0 for name in model.NAMES)


def test_nest_that_is_not_installed_is_a_row_that_says_so(monkeypatch, capsys):
    monkeypatch.setattr(microcircuit, "find_spec", lambda _: None)
    monkeypatch.setattr(microcircuit, "row_of_process", lambda *_: {"run_s": 1.0})
    monkeypatch.setattr(sys, "argv", ["microcircuit", "--scale", "0.5", "--json"])
    microcircuit.main()
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [(row["case"], row["scale"]) for row in rows] == [
        ("published", 1.0),
        *((f"eventsim {p}", s) for s in (0.5, 0.2) for p in ("single", "double")),
        ("NEST grid", 0.2),
        ("NEST precise", 0.2),
    ]
    missing = [row["missing"] for row in rows if "missing" in row]
    assert missing == ["not installed: pip install nest-simulator"] * 2


@pytest.mark.parametrize("case", microcircuit.NEST)
def test_row_of_nest_is_that_of_the_same_network(case):
    pytest.importorskip("nest")
    row = microcircuit.apart(case, SCALE, OPTIONS)
    assert "failed" not in row
    own = microcircuit.apart("eventsim double", SCALE, OPTIONS)
    assert row["synapses"] == pytest.approx(own["synapses"], rel=0.02)
    mean = [np.dot(model.sizes(SCALE), [r[name] for name in model.NAMES]) for r in (row, own)]
    assert mean[0] == pytest.approx(mean[1], rel=0.3)
