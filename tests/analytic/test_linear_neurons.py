"""Spikes and gradients of one linear neuron of each kind against its equations in 30 digits."""

import mpmath as mp
import numpy as np
import pytest

import eventsim as es
from tests.support.linear_neurons import DIGITS, KINDS, draw_values, exact_spikes, neuron_of
from tests.support.nets import one_sample
from tests.support.tiers import beyond

DURATION, ARRIVALS = 50.0, 16


def a_neuron(kind, seed):
    """A network of one neuron that fires 2 to 6 times, its stream, values and arrivals."""
    rng = np.random.default_rng(seed)
    while True:
        values = draw_values(kind, rng)
        times, shape = np.sort(rng.uniform(0, DURATION, ARRIVALS)), rng.normal(0.5, 1.0, ARRIVALS)
        for scale in np.exp(np.arange(0.0, 5.0, 0.5)):
            net = es.Network()
            net.add_input("input", ARRIVALS)
            neuron = neuron_of(kind, values)
            net.add_population("h", 1, neuron=neuron)
            names, weights = list(neuron.receptors), (shape * scale)[:, None]
            which = np.arange(ARRIVALS) % len(names)
            for k, name in enumerate(names):
                net.connect("input", "h", np.where(which[:, None] == k, weights, 0), receptor=name)
            stream = one_sample(times, np.arange(ARRIVALS), n_channels=ARRIVALS, duration=DURATION)
            tape = es.simulate(net, stream, backend="cpu")
            if 2 <= len(tape["h"]) <= 6:
                arrivals = list(zip(times, which.tolist(), weights[:, 0], strict=True))
                return net, tape, values, arrivals


MANY = pytest.mark.nightly("63 neurons in 30 digits take minutes")
SEEDS = [1, *(pytest.param(seed, marks=MANY) for seed in range(11, 20))]


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("kind", KINDS)
def test_a_linear_neuron_fires_when_its_equations_say_in_thirty_digits(kind, seed):
    _, tape, values, arrivals = a_neuron(kind, seed)
    expected = exact_spikes(kind, values, arrivals, DURATION)
    assert len(tape["h"]) == len(expected)
    assert max(abs(a - b) for a, b in zip(tape["h"].times, expected, strict=True)) < 1e-11


@pytest.mark.parametrize("kind", beyond(3, KINDS, pytest.mark.thorough("most of a second each")))
def test_gradients_by_all_parameters_are_those_of_thirty_digits(kind):
    net, tape, values, arrivals = a_neuron(kind, 2)
    rng = np.random.default_rng(3)
    seed = rng.normal(size=len(tape["h"]))
    found = es.backward(net, tape, {"h": seed}).flat()
    moved = {name: rng.normal() for name in values if name != "refractory" or values[name] > 0}
    moved = {name: way * max(abs(values[name]), 0.1) for name, way in moved.items()}
    moved = {name: abs(way) if name == "damping" else way for name, way in moved.items()}
    with mp.workdps(DIGITS):
        h = mp.mpf(10) ** -10

        def loss(step):
            at = {name: mp.mpf(v) + step * mp.mpf(moved.get(name, 0)) for name, v in values.items()}
            spikes = exact_spikes(kind, at, arrivals, DURATION)
            return mp.fsum(mp.mpf(s) * t for s, t in zip(seed, spikes, strict=True))

        # Of damping 0 there is one side only; the second difference takes its error off.
        expected = (4 * loss(h) - loss(2 * h) - 3 * loss(0)) / (2 * h)
    names = {"tau_1": "tau_syn_r1", "tau_2": "tau_syn_r2"} if kind == "two receptors" else {}
    names |= {"tau_syn": "tau_syn_only"} if kind == "lif" else {}
    terms = [found[f"h.{names.get(name, name)}"][0] * way for name, way in moved.items()]
    assert sum(terms) == pytest.approx(float(expected), rel=1e-9, abs=1e-9 * max(map(abs, terms)))
