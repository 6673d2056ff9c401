"""Linear neurons where formulas like to fail: stiff, equal, nearly unstable, undamped, silent."""

from types import MappingProxyType

import numpy as np
import pytest

import eventsim as es
from eventsim.errors import ParameterError
from eventsim.neuron.linear_tables import bits_for, flow_tables, pieces_of
from tests.support.linear_neurons import exact_spikes
from tests.support.nets import one_layer, one_sample

# tau_mem, tau_syn, ms: ratios up to a million, equal, nearly equal.
TAUS = [(20.0, 2e-5), (2e-3, 2e3), (1e3, 1e-3), (20.0, 20.0), (20.0, 20.0 * (1 + 1e-9)), (5.0, 9.0)]


@pytest.mark.parametrize(("tau_mem", "tau_syn"), TAUS)
@pytest.mark.parametrize("silence", [0.0, 1e3])
def test_the_core_of_linear_neurons_gives_what_lif_gives(tau_mem, tau_syn, silence):
    rng = np.random.default_rng(1)
    times = np.sort(rng.uniform(0, 40, 30))
    times[20:] += silence
    stream = one_sample(times, rng.integers(0, 4, 30), n_channels=4, duration=silence + 60.0)
    # A kick lifts the voltage by some 0.4 of the threshold, whatever the time constants.
    gain = tau_syn / (tau_mem + tau_syn) if tau_syn < tau_mem else 1.0
    weights = rng.normal(0.4, 0.4, (4, 3)) / gain
    tapes, found = [], []
    for taus, receptor in ((tau_syn, None), ({"only": tau_syn}, "only")):
        net = es.Network()
        net.add_input("input", 4)
        net.add_population("h", 3, neuron=es.LIF(tau_mem=tau_mem, tau_syn=taus), refractory=1.0)
        net.connect("input", "h", weights, receptor=receptor)
        tapes.append(es.simulate(net, stream, backend="cpu"))
        found.append(es.backward(net, tapes[-1], {"h": np.ones(len(tapes[-1]["h"]))}).flat())
    plain, core = (tape["h"] for tape in tapes)
    assert len(plain) >= 3
    assert core.neurons.tolist() == plain.neurons.tolist()
    np.testing.assert_allclose(core.times, plain.times, rtol=1e-14, atol=1e-9)
    for key, values in found[0].items():
        mine = found[1][{"h.tau_syn": "h.tau_syn_only"}.get(key, key)]
        np.testing.assert_allclose(mine, values, rtol=1e-5, atol=1e-7 * (1 + np.abs(values).max()))


def test_a_neuron_has_its_bounds_whoever_is_beside_it():
    neuron = es.Resonator(tau_syn=[1e-3, 5.0], damping=[20.0, 0.0])
    cells = es.Network().add_population("h", 2, neuron=neuron)
    flow = neuron.matrices(
        {name: values.astype(np.longdouble) for name, values in cells.parameters.items()}
    ).flow
    piece = pieces_of(flow)
    bits = bits_for(piece, 400.0)
    both = flow_tables(flow, piece, bits, 400.0, 2).bounds
    alone = [flow_tables(flow[k : k + 1], piece[k : k + 1], bits, 400.0, 1).bounds for k in (0, 1)]
    np.testing.assert_array_equal(both, np.concatenate(alone))
    assert both[:, :2].max() < 2.0


# Where 1e13 is between them it depends on NumPy's roundings whether a bound is found.
@pytest.mark.parametrize("precision", ["double", "single"])
@pytest.mark.parametrize(
    "taus", [{"tau_mem": 20.0, "slow": 20.0}, {"tau_mem": [20.0, 2e-17], "slow": [20.0, 5e-17]}]
)
def test_time_constants_too_short_for_the_recording_are_refused_with_the_neuron(taus, precision):
    net = es.Network()
    net.add_input("input", 1)
    slow, fast = taus["slow"], [5.0, 2e-17]
    neuron = es.LIF(tau_mem=taus["tau_mem"], tau_syn={"slow": slow, "fast": fast})
    net.add_population("h", 2, neuron=neuron)
    net.connect("input", "h", [[4.0, 4.0]], receptor="slow")
    stream = es.EventStream([3.0], [0], [0, 1], n_channels=1, duration=1e3)
    with pytest.raises(ParameterError, match=r"'h', neuron 1: its fastest rate is 5e\+16 per ms"):
        es.simulate(net, stream, backend="cpu", precision=precision)


@pytest.mark.parametrize("backend", ["reference", "cpu"])
@pytest.mark.parametrize("ratio", [1e7, 1e11])
def test_a_receptor_that_forgets_at_once_moves_no_spike_of_slow_ones(backend, ratio):
    stream = es.EventStream([3.0, 20.0, 41.0, 900.0], [0] * 4, [0, 4], n_channels=1, duration=950.0)
    found = []
    for taus in (20.0, {"slow": 20.0, "fast": 20.0 / ratio}):
        net = es.Network()
        net.add_input("input", 1)
        neuron = es.LIF(tau_mem=20.0, tau_syn=taus, refractory=2.0)
        net.add_population("h", 1, neuron=neuron)
        net.connect("input", "h", [[4.0]], receptor="slow" if isinstance(taus, dict) else None)
        found.append(es.simulate(net, stream, backend=backend)["h"].times)
    assert len(found[0]) == 7
    np.testing.assert_allclose(found[1], found[0], rtol=0, atol=1e-11)


@pytest.mark.parametrize(
    ("kind", "neuron", "values"),
    [
        (
            "adlif",
            es.AdLIF,
            {"tau_mem": 10.0, "tau_syn": 5.0, "tau_w": 50.0, "a": -0.999, "b": 0.1},
        ),
        ("resonator", es.Resonator, {"frequency": 20.0, "damping": 0.0, "tau_syn": 5.0}),
    ],
)
def test_a_kick_after_a_long_silence_meets_what_thirty_digits_say(kind, neuron, values):
    common = {"threshold": 1.0, "v_reset": 0.0, "v_leak": 0.0, "refractory": 0.0}
    arrivals = [(1.0, 0, 0.6), (500.0, 0, 4.0), (503.0, 0, 4.0)]
    net = one_layer("h", [[weight] for _, _, weight in arrivals], neuron=neuron(**values, **common))
    stream = es.EventStream([1.0, 500.0, 503.0], [0, 1, 2], [0, 3], n_channels=3, duration=540.0)
    found = es.simulate(net, stream, backend="cpu")["h"].times
    expected = exact_spikes(kind, values | common, arrivals, 540.0)
    assert len(found) == len(expected) >= 1
    assert max(abs(a - b) for a, b in zip(found, expected, strict=True)) < 1e-10


def test_neurons_without_arrivals_are_silent_and_have_gradients_of_zero():
    net = one_layer("h", [[9.0, 9.0]], neuron=es.Resonator(damping=[0.0, 20.0]))
    stream = es.EventStream([], [], [0, 0], n_channels=1, duration=1e4)
    tape = es.simulate(net, stream, backend="cpu")
    assert len(tape["h"]) == 0
    assert not any(
        values.any() for values in es.backward(net, tape, {"h": np.zeros(0)}).flat().values()
    )


class GoesBack(es.LinearNeuron):
    """A LIF neuron whose V goes back by ``back`` at a spike."""

    states, receptors = ("v", "i"), MappingProxyType({"in": "i"})
    parameters = MappingProxyType({"tau_mem": 20.0, "tau_syn": 5.0, "back": 0.5})

    def flow(self, p):
        m = 1 / p.tau_mem
        return {("v", "v"): -m, ("v", "i"): m, ("i", "i"): -1 / p.tau_syn}

    def reset(self, p):
        return {"v": ("add", -p.back)}


@pytest.mark.parametrize("backend", ["reference", "cpu"])
@pytest.mark.parametrize("soft", [False, True])
def test_a_neuron_that_rests_above_its_threshold_begins_at_its_reset_and_fires_in_time(
    backend, soft
):
    """From V after a spike to the threshold it takes tau ln((E - V) / (E - threshold))."""
    rest, reset, back = np.array([1.4, 1.05, 0.99]), np.array([-0.2, 0.3, 0.0]), 0.7
    neuron = GoesBack(back=back) if soft else es.LIF(tau_syn={"only": 5.0})
    net = es.Network()
    net.add_input("input", 1)
    values = {"v_leak": rest, "v_reset": reset, "refractory": [2.0, 0.0, 1.0]}
    net.add_population("h", 3, neuron=neuron, **values)
    net.connect("input", "h", np.zeros((1, 3)), receptor="in" if soft else "only")
    stream = es.EventStream([3.0], [0], [0, 1], n_channels=1, duration=200.0)
    found = es.simulate(net, stream, backend=backend)["h"]
    begin = np.full(3, 1.0 - back) if soft else reset
    for k, hold in ((0, 2.0), (1, 0.0)):
        period = 20.0 * np.log((rest[k] - begin[k]) / (rest[k] - 1.0))
        wanted = np.arange(period, 200.0, period + hold)
        assert wanted.size > 2
        np.testing.assert_allclose(found.times[found.neurons == k], wanted, rtol=1e-9)
    assert not (found.neurons == 2).any()
