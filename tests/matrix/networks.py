"""Small networks and recordings that have the features of a row of the matrix."""

import functools

import numpy as np
import scipy.sparse

import eventsim as es
from tests.support.linear_neurons import AlphaSynapse
from tests.support.nets import neuron_parameters, random_stream

SIZES = {"input": 4, "a": 5, "b": 4, "output": 3, "second": 2}
LEAST, MOST = 6, 120  # spikes of a population, all samples together
HOW = ("backend", "precision")  # axes that a network does not have
CLASSES = ("yes", "no", "maybe", "never")
WORDS = ("one", "one two", "two")
DURATION = 50.0  # ms


@functools.cache
def stream(seed=0, n_samples=2):
    """Recordings of all networks here."""
    return random_stream(seed, n_samples=n_samples, n_channels=4, duration=DURATION, rate=150.0)


def network(features, seed=0):
    """A network with these features, by axis, whose populations fire. A new one at every call."""
    own = ((axis, feature) for axis, feature in features.items() if axis not in HOW)
    return _alive(tuple(sorted(own)), seed).copy()


@functools.cache
def _alive(features, seed):
    gain, given = 1.0, dict(features)
    if given.get("wiring") == "mixed_loop":  # which nobody runs
        return _built(given, seed, gain)
    for _ in range(40):
        net = _built(given, seed, gain)
        tape = es.simulate(net, stream(seed), backend="cpu")
        spikes = [len(tape[name]) for name in net.spiking]
        fewest, most = min(spikes), max(spikes)
        if fewest >= LEAST and most <= MOST:
            return net
        gain *= 1.25 if fewest < LEAST else 0.85
    raise AssertionError(f"{given}: {fewest} to {most} spikes, with a gain of {gain}")


def _built(given, seed, gain):
    rng = np.random.default_rng(seed)
    delays = "float32" if given.get("delay_type") == "delays32" else "float64"
    net = es.Network(weight_dtype=given.get("weights", "float64"), delay_dtype=delays)
    net.add_input("input", SIZES["input"])
    end, wiring = given.get("end"), given.get("wiring")
    for name in ("a",) if end == "alone" else ("a", "b"):
        is_mixed = name == "a" and given.get("wiring") == "mixed_loop"
        kind = "adlif" if is_mixed else given.get("neuron")
        net.add_population(name, SIZES[name], **_neurons(rng, kind, SIZES[name]))
    readouts = ["output", "second"] if end == "several_readouts" else ["output"]
    for name in readouts if end not in ("no_readout", "alone") else ():
        net.add_readout(name, SIZES[name], **neuron_parameters(rng, SIZES[name], spiking=False))
    _connect(net, rng, "input", "a", given, 2.0 * gain)
    if end == "alone":  # one population, for what takes many runs
        return net
    _connect(net, rng, "a", "b", given, 2.0 * gain)
    own = given | {"pattern": "sparse"} if given.get("pattern") == "shared" else given
    for name in net.readouts:
        _connect(net, rng, "b", name, own, 0.5)
    if wiring == "skip":
        _connect(net, rng, "input", "b", given, 0.5 * gain)
    if wiring in ("lateral", "loop", "mixed_loop"):
        _connect(net, rng, "a" if wiring == "lateral" else "b", "a", given, 0.3)
    if wiring in ("self", "self_delayed"):
        delays = rng.uniform(0.5, 3.0, SIZES["a"]) if wiring == "self_delayed" else 0.0
        weights = es.self_recurrent(rng.uniform(-0.5, 0.3, SIZES["a"]))
        for receptor in _receptors(net, "a")[:1]:
            net.connect("a", "a", weights, delays=delays, receptor=receptor)
    if end == "decision":
        weights = rng.normal(size=(SIZES["output"], 3))
        net.decide("output", weights, bias=np.array([0.1, -0.1, 0.0]))
    _answer(net, given.get("answer"))
    return net


def _neurons(rng, kind, size):
    """Parameters of a population, none at its neutral value."""
    plain = neuron_parameters(rng, size)
    if kind in (None, "lif"):
        return plain
    if kind == "adaptive":
        return plain | {"adaptation": rng.uniform(0.1, 0.6, size), "tau_adaptation": 40.0}
    common = ("threshold", "v_reset", "v_leak", "refractory")
    tau_mem, tau_syn = plain["tau_mem"], plain["tau_syn"]
    neuron = {
        "receptors": lambda: es.LIF(tau_mem=tau_mem, tau_syn={"fast": tau_syn, "slow": 12.0}),
        "adlif": lambda: es.AdLIF(tau_mem=tau_mem, tau_syn=tau_syn, a=0.5, b=0.1, tau_w=40.0),
        "resonator": lambda: es.Resonator(damping=30.0, frequency=25.0, tau_syn=tau_syn),
        "own_neuron": lambda: AlphaSynapse(tau_mem=tau_mem, tau_syn=tau_syn),
    }[kind]()
    return {name: plain[name] for name in common} | {"neuron": neuron}


def _receptors(net, target):
    neuron = net.populations[target].neuron
    return [None] if neuron is None else list(neuron.receptors)


def _connect(net, rng, source, target, given, gain):
    """Synapses of every receptor, with the pattern and the delays of the row."""
    n, m = SIZES[source], SIZES[target]
    pattern, delay = given.get("pattern", "dense"), given.get("delay", "no_delay")
    for receptor in _receptors(net, target):
        weights = gain * (0.6 + 0.5 * rng.standard_normal((n, m)))
        there = np.ones((n, m), bool) if pattern == "dense" else rng.random((n, m)) < 0.6
        there[np.arange(max(n, m)) % n, np.arange(max(n, m)) % m] = True
        groups = (np.arange(n)[:, None] - np.arange(m)) % 3
        if pattern == "shared":
            weights = gain * np.array([0.9, 0.3, 0.7])[groups]
        count = int(there.sum())
        if pattern == "multapses":
            weights = _several(rng, weights, there)
            count = weights.nnz
        elif pattern != "dense":
            weights = scipy.sparse.csr_array(np.where(there, weights, 0.0))
        drawn = {
            "no_delay": 0.0,
            # So many synapses go by windows from 1.2 ms on, which the C text does not have.
            "delay": 1.0 if pattern == "multapses" else 1.5,
            "delay_by_source": rng.uniform(0.3, 4.0, n),
            "delay_by_synapse": rng.uniform(0.3, 4.0, count if pattern != "dense" else (n, m)),
        }[delay]
        kept = set(net.projections)
        net.connect(source, target, weights, delays=drawn, receptor=receptor)
        if pattern == "shared":
            (name,) = set(net.projections) - kept
            net.share(f"{name}.weights", groups[there])


def _several(rng, weights, there):
    """One to three synapses of every pair, in any order, the first pair with two."""
    pairs = np.argwhere(there)
    times = rng.integers(1, 4, len(pairs))
    times[0] = 2
    each = rng.permutation(np.repeat(np.arange(len(pairs)), times))
    values = weights[there][each] / times[each] * rng.uniform(0.7, 1.3, each.size)
    return scipy.sparse.coo_array((values, tuple(pairs[each].T)), shape=weights.shape)


def _answer(net, rule):
    if rule in (None, "no_answer"):
        return
    spikes = rule in ("first_spike", "spike_count", "van_rossum")
    names = WORDS if rule == "ctc" else CLASSES if spikes else CLASSES[:3]
    population = "b" if spikes else "output"
    net.set_answer(es.Answer(rule=rule, population=population, class_names=names))
