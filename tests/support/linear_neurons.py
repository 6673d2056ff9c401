"""Linear neurons to test with: kinds, random networks of them, and one neuron exactly.

:func:`exact_spikes` shares no code with eventsim: its equations are written anew, and solved by
:mod:`tests.support.conformance_modes`.
"""

import math
from types import MappingProxyType

import mpmath as mp
import numpy as np
import scipy.sparse

import eventsim as es
from tests.support.conformance_answers import solve
from tests.support.losses import Sums
from tests.support.nets import two_kinds_net

DIGITS, MORE_DIGITS = 30, 45  # that are right, and that are carried along
KINDS = ("lif", "adlif", "equal eigenvalues", "resonator", "two receptors", "alpha", "compartments")


class AlphaSynapse(es.LinearNeuron):
    """A defective flow, whatever the parameters."""

    states, receptors = ("v", "g", "i"), MappingProxyType({"in": "i"})
    parameters = MappingProxyType({"tau_mem": 20.0, "tau_syn": 5.0})

    def flow(self, p):
        m, s = 1 / p.tau_mem, 1 / p.tau_syn
        return {("v", "v"): -m, ("v", "g"): m, ("g", "g"): -s, ("g", "i"): s, ("i", "i"): -s}


class TwoCompartments(es.LinearNeuron):
    """Soma and dendrite with a synapse each, and an adaptation current: five states."""

    states, receptors = ("v", "d", "i", "j", "w"), MappingProxyType({"soma": "i", "dendrite": "j"})
    parameters = MappingProxyType({
        "tau_soma": 10.0, "tau_dend": 30.0, "tau_1": 3.0, "tau_2": 20.0, "tau_w": 100.0,
        "to_soma": 1.0, "to_dend": 0.5, "b": 0.2,
    })  # fmt: skip

    def flow(self, p):
        g, e = 1 / p.tau_soma, 1 / p.tau_dend
        return {
            ("v", "v"): -g * (1 + p.to_soma), ("v", "d"): g * p.to_soma, ("v", "i"): g,
            ("v", "w"): -g, ("d", "v"): e * p.to_dend, ("d", "d"): -e * (1 + p.to_dend),
            ("d", "j"): e, ("i", "i"): -1 / p.tau_1, ("j", "j"): -1 / p.tau_2,
            ("w", "w"): -1 / p.tau_w,
        }  # fmt: skip

    def reset(self, p):
        return {"v": p.v_reset, "w": ("add", p.b)}


def neuron_of(kind, values):
    """The neuron of a kind with these values."""
    two = {k: v for k, v in values.items() if k not in ("tau_1", "tau_2")}
    taus = {"tau_syn": {"1": values.get("tau_1"), "2": values.get("tau_2")}}
    taus = {"tau_syn": {f"r{k}": tau for k, tau in taus["tau_syn"].items()}}
    return {
        "lif": lambda: es.LIF(tau_syn={"only": values["tau_syn"]}, **_without(values, "tau_syn")),
        "adlif": lambda: es.AdLIF(**values),
        "equal eigenvalues": lambda: es.AdLIF(**values),
        "resonator": lambda: es.Resonator(**values),
        "two receptors": lambda: es.LIF(**two, **taus),
        "alpha": lambda: AlphaSynapse(**values),
        "compartments": lambda: TwoCompartments(**values),
    }[kind]()


def _without(values, *names):
    return {k: v for k, v in values.items() if k not in names}


def draw_values(kind, rng):
    """Parameters of a neuron, those of every neuron included."""
    u, wide = rng.uniform, lambda lo, hi: float(np.exp(rng.uniform(np.log(lo), np.log(hi))))
    near = 1.0 + float(rng.choice([0.0, 1e-15, 1e-12, 1e-9, 1e-6, 1e-3]) * rng.choice([-1, 1]))
    common = {
        "threshold": 1.0, "v_reset": u(-0.3, 0.3), "v_leak": u(-0.2, 0.2),
        "refractory": float(rng.choice([0.0, 2.0, 5.0])),
    }  # fmt: skip
    m = wide(3, 40)
    if kind == "lif":
        own = {"tau_mem": m, "tau_syn": m * near if u() < 0.5 else wide(1, 20)}
    elif kind == "adlif":
        own = {
            "tau_mem": m, "tau_syn": wide(1, 20), "tau_w": wide(5, 300), "a": u(-0.5, 10), "b": u(),
        }  # fmt: skip
    elif kind == "equal eigenvalues":
        w = wide(30, 200)
        g, k = 1 / m, 1 / w
        own = {
            "tau_mem": m, "tau_w": w, "tau_syn": 2 / (g + k) * (2 - near), "b": u(),
            "a": (g - k) ** 2 / (4 * g * k) * near,
        }  # fmt: skip
    elif kind == "resonator":
        damping = float(rng.choice([0.0, wide(5, 100)]))
        own = {"damping": damping, "frequency": 1e3 / wide(5, 100), "tau_syn": wide(1, 10)}
    elif kind == "two receptors":
        taus = (m * near, m * (2 - near)) if u() < 0.5 else (wide(1, 20), wide(20, 150))
        own = {"tau_mem": m, "tau_1": taus[0], "tau_2": taus[1]}
    elif kind == "alpha":
        own = {"tau_mem": m, "tau_syn": m * near if u() < 0.5 else wide(1, 20)}
    else:
        own = {
            "tau_soma": m, "tau_dend": wide(3, 80), "tau_1": wide(1, 10), "tau_2": wide(5, 100),
            "tau_w": wide(20, 300), "to_soma": u(0.1, 3), "to_dend": u(0.1, 3), "b": u(),
        }  # fmt: skip
    return own | common


# --- One neuron, exactly -------------------------------------------------------------------------


def _system(kind, q):
    """A, what a reset keeps, what it adds, and the state that each receptor raises."""
    if kind in ("lif", "two receptors"):
        taus = [q["tau_syn"]] if kind == "lif" else [q["tau_1"], q["tau_2"]]
        n = len(taus) + 1
        rows = [[-1 / q["tau_mem"], *[1 / q["tau_mem"]] * (n - 1)]]
        rows += [[-1 / tau if j == k + 1 else 0 for j in range(n)] for k, tau in enumerate(taus)]
        return rows, [0] + [1] * (n - 1), [0] * n, list(range(1, n))
    if kind in ("adlif", "equal eigenvalues"):
        m, w, s = 1 / q["tau_mem"], 1 / q["tau_w"], 1 / q["tau_syn"]
        return [[-m, -m, m], [q["a"] * w, -w, 0], [0, 0, -s]], [0, 1, 1], [0, q["b"], 0], [2]
    if kind == "resonator":
        d, s = q["damping"] / 1000, 1 / q["tau_syn"]
        f = q["frequency"] * mp.mpf(2e-3 * math.pi)
        return [[-d, f, 0], [-f, -d, f], [0, 0, -s]], [0, 0, 1], [0, 0, 0], [2]
    if kind == "alpha":
        m, s = 1 / q["tau_mem"], 1 / q["tau_syn"]
        return [[-m, m, 0], [0, -s, s], [0, 0, -s]], [0, 1, 1], [0, 0, 0], [2]
    g, e = 1 / q["tau_soma"], 1 / q["tau_dend"]
    rows = [
        [-g * (1 + q["to_soma"]), g * q["to_soma"], g, 0, -g],
        [e * q["to_dend"], -e * (1 + q["to_dend"]), 0, e, 0],
        [0, 0, -1 / q["tau_1"], 0, 0],
        [0, 0, 0, -1 / q["tau_2"], 0],
        [0, 0, 0, 0, -1 / q["tau_w"]],
    ]
    return rows, [0, 1, 1, 1, 1], [0, 0, 0, 0, q["b"]], [2, 3]


def exact_spikes(kind, values, arrivals, duration):
    """Spike times (mpf) of one neuron; arrivals are (ms, receptor, weight)."""
    with mp.workdps(MORE_DIGITS):
        q = {name: mp.mpf(value) for name, value in values.items()}
        rows, kept, added, raised = _system(kind, q)
    states = [f"s{k}" for k in range(len(rows))]
    receptors = {str(k): states[state] for k, state in enumerate(raised)}
    of = {"kind": "linear", "states": states, "receptors": receptors}
    neuron = {"name": "one", "size": 1, "neuron": of}
    neuron |= {name: [q[name]] for name in ("threshold", "v_leak", "v_reset", "refractory")}
    for to, row in zip(states, rows, strict=True):
        neuron |= {f"flow_{to}_{by}": [entry] for by, entry in zip(states, row, strict=True)}
    for state, keeps, more in list(zip(states, kept, added, strict=True))[1:]:
        neuron[f"{'add' if keeps else 'set'}_{state}"] = [more]
    into = {name: [] for name in receptors}
    for k, (_, receptor, weight) in enumerate(arrivals):
        into[str(receptor)].append([k, 0, weight, 0])
    ends = {"source": "input", "target": "one"}
    entry = {
        "duration": duration,
        "events": [[time, k] for k, (time, _, _) in enumerate(arrivals)],
        "populations": [{"name": "input"}, neuron],
        "projections": [ends | {"receptor": r, "synapses": rows} for r, rows in into.items()],
    }
    return solve(entry, digits=MORE_DIGITS)["one", 0]


# --- Networks ------------------------------------------------------------------------------------


def extreme(kind, values, rng):
    """The same neuron at an edge: stiff, nearly unstable, undamped, silent, or nearly so."""
    edge = str(rng.choice(["stiff", "slow", "unstable", "silent", "none"]))
    taus = [name for name in values if name.startswith("tau")]
    if edge in ("stiff", "slow") and taus:
        name = str(rng.choice(taus))
        # Without a hold lasting currents make it run away, and a quick voltage fires all the time.
        return values | {"refractory": 2.0, name: values[name] * (1e-3 if edge == "stiff" else 1e6)}
    if edge == "unstable" and "a" in values:
        return values | {"a": -1.0 + float(rng.choice([1e-2, 1e-4, 1e-6]))}
    if edge == "unstable" and kind == "resonator":
        return values | {"damping": float(rng.choice([0.0, 1e-6, 1e-3]))}
    return values | {"threshold": 50.0} if edge == "silent" else values


def random_network(rng, *, extremes=False):
    """Populations of random kinds, in layers and, half the time, in a loop; and a stream.

    With ``extremes`` some neurons are at an edge, and 300 ms of silence may divide the stream.
    """
    net, n_in = es.Network(), 5
    net.add_input("input", n_in)
    names = [f"p{k}" for k in range(int(rng.integers(1, 4)))]
    for name in names:
        kind, size = str(rng.choice([*KINDS, "plain"])), int(rng.integers(1, 4))
        own = "lif" if kind == "plain" else kind
        drawn = [draw_values(own, rng) for _ in range(size)]
        if extremes and kind != "plain":
            drawn = [extreme(own, values, rng) for values in drawn]
        values = {key: np.array([one[key] for one in drawn]) for key in drawn[0]}
        if kind == "plain":
            net.add_population(name, size, **values)
        else:
            net.add_population(name, size, neuron=neuron_of(kind, values))
    net.add_readout("out", 2)
    pairs = [
        ("input", names[0]),
        *zip(names, [*names[1:], "out"], strict=True),
        ("input", names[-1]),
    ]
    if rng.random() < 0.5:
        pairs += [(names[-1], names[0])]
    for source, target in dict.fromkeys(pairs):
        _connect(net, source, target, rng)
    for name in names:
        lateral = any(p.source == p.target == name for p in net.projections.values())
        if rng.random() < 0.4 and not lateral:
            _connect(net, name, name, rng, own=True)
    times = np.array([np.sort(rng.uniform(0, 60, 25)) for _ in range(2)])
    silence = float(rng.choice([0.0, 300.0])) if extremes else 0.0
    times[:, 15:] += silence
    channels = rng.integers(0, n_in, 50).astype(np.int32)
    return net, es.EventStream(
        times.ravel(), channels, [0, 25, 50], n_channels=n_in, duration=70.0 + silence
    )


def _connect(net, source, target, rng, *, own=False):
    population, size = net.populations[target], net.populations[source].size
    receptors = [None] if population.neuron is None else list(population.neuron.receptors)
    mean = 4.0 if source == "input" else 0.7
    for receptor in receptors[:1] if own else receptors:
        weights = rng.normal(mean / 3, mean, (size, population.size))
        delays = [0.5, rng.uniform(0, 3, size), rng.uniform(0.1, 3, weights.shape)]
        delay = delays[int(rng.integers(3))]
        if own:
            weights = es.self_recurrent(rng.normal(-0.2, 0.2, population.size))
            delay = float(rng.choice([0.0, 1.5]))
        net.connect(source, target, weights, delays=delay, receptor=receptor)


# --- Loops by windows ----------------------------------------------------------------------------

LOOPED = [kind for kind in KINDS if kind != "lif"]


def two_kinds_in_a_loop(seed, n=60):
    """AdLIF neurons and resonators, which go by windows, side by side."""
    return two_kinds_net(
        seed,
        n,
        a={"neuron": es.AdLIF(a=0.5, b=0.2, tau_w=40.0)},
        b={"neuron": es.Resonator(frequency=20.0, damping=30.0)},
    )


def _add_some(net, name, rng, size):
    """Neurons of a kind, no two alike; those of a member may be ordinary ones."""
    kind = str(rng.choice([*LOOPED, "plain"])) if name != "a" else str(rng.choice(LOOPED))
    drawn = [draw_values("lif" if kind == "plain" else kind, rng) for _ in range(size)]
    values = {key: np.array([one[key] for one in drawn]) for key in drawn[0]}
    for key in values:
        if key.startswith("tau"):
            values[key] = np.maximum(values[key], 4.0)
    if rng.random() < 0.3:
        values["v_leak"][0] = 1.2  # fires by itself
    if kind == "plain":
        return net.add_population(name, size, **values)
    return net.add_population(name, size, neuron=neuron_of(kind, values))


def _connect_all(net, source, target, rng, gain, delays):
    to, size = net.populations[target], net.populations[source].size
    for receptor in [None] if to.neuron is None else list(to.neuron.receptors):
        weights = rng.normal(gain / 3, gain, (size, to.size))
        if rng.random() < 0.4:
            weights = scipy.sparse.csr_array(weights * (rng.random(weights.shape) < 0.6))
        net.connect(
            source, target, weights, delays=np.broadcast_to(delays, size), receptor=receptor,
            delays_of="source",
        )  # fmt: skip


def random_loop(seed, *, on_a_grid=False):
    """One or two populations whose neurons share all events; delays are numbers, or by source.

    On a grid all events and delays are multiples of 1/4 ms: they lie on borders, and on each other.
    """
    rng, net = np.random.default_rng(seed), es.Network()
    net.add_input("input", 5)
    names = ["a", "b"][: int(rng.integers(1, 3))]
    for name in names:
        _add_some(net, name, rng, int(rng.integers(2, 6)) if seed % 16 else 33)
    net.add_readout("out", 2)

    def late(size):
        least = float(rng.choice([0.25, 0.7, 1.0, 2.5]))
        many = least + rng.uniform(0.0, 2.0, size) * (rng.random() < 0.5)
        return np.ceil(4 * many) / 4 if on_a_grid else many

    gain = 5.0 if seed % 16 else 1.0
    for name in names:
        _connect_all(net, "input", name, rng, gain, np.zeros(5) if rng.random() < 0.5 else late(5))
    pairs = [("a", "a")] if len(names) == 1 else [("a", "b"), ("b", "a")]
    for source, target in pairs:
        size = net.populations[source].size
        _connect_all(net, source, target, rng, gain / size, late(size))
    if len(names) == 2 and rng.random() < 0.5:
        back, of = es.self_recurrent(rng.normal(-0.3, 0.2, net.populations["a"].size)), "a"
        net.connect(of, of, back, receptor=next(iter(net.populations[of].neuron.receptors)))
    _connect_all(net, names[-1], "out", rng, 1.0, 0.5)
    samples = []
    for n, end in ((40, 60.0), (15, 41.3)):
        t = np.sort(np.concatenate([rng.uniform(0, 25, n), rng.uniform(end - 9, end, n // 2)]))
        samples.append((np.floor(4 * t) / 4 if on_a_grid else t, rng.integers(0, 5, t.size)))
    return net, es.EventStream.from_samples(samples, n_channels=5, duration=[60.0, 41.3])


def quiet_loop():
    """Neurons of which some fire, and rest; V is held for 6 ms, and lies far below its rest."""
    net = es.Network()
    net.add_input("input", 2)
    neuron = es.AdLIF(tau_mem=8.0, tau_syn=4.0, a=0.5, b=0.1, tau_w=30.0)
    net.add_population("a", 40, neuron=neuron, refractory=6.0, v_reset=-3.0)
    weights = np.array([[9.0, 0.4, 0.0, 0.2], [3.0, 5.0, 4.0, 6.0]])
    net.connect("input", "a", np.tile(weights, 10))
    net.connect("a", "a", np.full((40, 40), 0.01), delays=1.0)
    times, channels = [1.0, 31.0, 31.5, 50.0], [0, 1, 0, 1]
    return net, es.EventStream(times, channels, [0, 4], n_channels=2, duration=60.0)


# --- Layers --------------------------------------------------------------------------------------


class Cable(es.LinearNeuron):
    """Two compartments and two synapses, five states."""

    states, receptors = ("v", "d", "w", "i", "j"), {"soma": "i", "dendrite": "j"}
    parameters = {"tau": 15.0, "tau_w": 60.0, "tau_i": 3.0, "tau_j": 8.0}  # noqa: RUF012

    def flow(self, p):
        return {
            ("v", "v"): -1.5 / p.tau, ("v", "d"): 0.5 / p.tau, ("v", "i"): 1 / p.tau,
            ("v", "w"): -0.3 / p.tau, ("d", "d"): -1.5 / p.tau, ("d", "v"): 0.5 / p.tau,
            ("d", "j"): 1 / p.tau, ("w", "v"): 0.2 / p.tau_w, ("w", "w"): -1 / p.tau_w,
            ("i", "i"): -1 / p.tau_i, ("j", "j"): -1 / p.tau_j,
        }  # fmt: skip


def dense_layer(kind):
    """70 neurons, two blocks, no two alike, half without a hold; delays, and a self-connection."""
    rng, size = np.random.default_rng(7), 70
    near = {
        "refractory": rng.uniform(0.5, 3.0, size) * (np.arange(size) % 2),
        "v_reset": rng.uniform(-0.5, 0.3, size),
    }
    if kind == "adlif":
        neuron = es.AdLIF(tau_mem=rng.uniform(10, 30, size), a=0.5, b=0.2, **near)
    elif kind == "resonator":
        neuron = es.Resonator(frequency=rng.uniform(5, 40, size), **near)
    elif kind == "receptors":
        neuron = es.LIF(tau_syn={"x": 5.0, "y": rng.uniform(10, 40, size), "z": 2.0}, **near)
    else:
        neuron = Cable(tau_i=rng.uniform(2, 5, size), **near)
    net = es.Network()
    net.add_input("input", 3)
    net.add_population("h", size, neuron=neuron)
    for receptor in neuron.receptors:
        weights = rng.normal(0.3, 1.0, (3, size))
        net.connect("input", "h", weights, receptor=receptor, delays=rng.uniform(0, 2, 3))
    back = es.self_recurrent(rng.normal(-0.3, 0.1, size))
    net.connect("h", "h", back, receptor=next(iter(neuron.receptors)))
    return net


def dense_stream():
    """Two samples: busy, nearly silent, busy, silent, busy; one that ends within a stretch."""
    rng = np.random.default_rng(8)
    spans = [(0, 40, 200), (90, 160, 30), (160, 1500, 15), (1500, 1520, 80), (2400, 2410, 40)]
    first = np.sort(np.concatenate([*(rng.uniform(*span) for span in spans), [2400.0] * 2]))
    samples = [(t, rng.integers(0, 3, len(t))) for t in (first, np.sort(rng.uniform(0, 33, 60)))]
    return es.EventStream.from_samples(samples, n_channels=3, duration=[2450.0, 33.3])


def spikes_and_gradients(net, events, **options):
    """Spikes of ``h``, and the gradients of a loss of all spikes and readouts."""
    tape = es.simulate(net, events, **options)
    return tape["h"], es.backward(net, tape, Sums(net, events.n_samples)).flat()


SPARSE = {
    "adlif": lambda u: es.AdLIF(a=u(-0.5, 3.0), b=0.3, tau_w=u(20, 90), v_reset=u(-0.3, 0.3)),
    "resonator": lambda u: es.Resonator(frequency=u(10, 40), damping=u(0, 30)),
    "receptors": lambda u: es.LIF(tau_syn={"ampa": u(2, 8), "nmda": 50.0}, v_leak=u(-0.2, 0.2)),
    "one of one's own": lambda u: TwoCompartments(b=0.3, tau_w=u(20, 90)),
    # Rests above its threshold, so that it begins at its reset and fires by itself.
    "pacemaker": lambda u: es.AdLIF(a=0.2, b=0.3, v_leak=u(0.9, 1.3), tau_w=40.0),
}


def sparse_layer(kind, returns):
    """A sparse layer with delays by synapse, half of it held, and a readout; own spikes return."""
    rng = np.random.default_rng(5)
    neuron = SPARSE[kind](lambda low, high: rng.uniform(low, high, 7))
    net = es.Network()
    net.add_input("input", 6)
    net.add_population("h", 7, neuron=neuron, refractory=np.array([0, 1.5] * 4)[:7])
    net.add_readout("out", 2)
    for receptor in neuron.receptors:
        weights = rng.normal(0.8, 2.0, (6, 7)) * (rng.random((6, 7)) < 0.6)
        delays = rng.uniform(0.0, 3.0, int((weights != 0).sum()))
        net.connect(
            "input", "h", scipy.sparse.csr_array(weights), delays=delays, receptor=receptor or None
        )
    first = next(iter(neuron.receptors)) or None
    own = es.self_recurrent(rng.normal(-0.2, 0.1, 7))
    net.connect("h", "h", own, delays=returns, receptor=first)
    net.connect("h", "out", rng.normal(0.0, 1.0, (7, 2)))
    return net


def mixed_loop(*, at_once):
    """AdLIF neurons, LIF neurons, and resonators whose own spikes return, each after the other."""
    rng, net = np.random.default_rng(15), es.Network()
    net.add_input("input", 6)
    hold = np.array([0.0, 1.5, 0.0, 2.0, 0.0])
    net.add_population("a", 5, neuron=es.AdLIF(a=0.5, b=0.2, tau_w=50.0), refractory=hold)
    net.add_population("b", 4, tau_mem=rng.uniform(8, 20, 4), v_leak=[1.1, 0.0, 0.0, 0.0])
    net.add_population("c", 3, neuron=es.Resonator(frequency=25.0, damping=20.0))
    for source, target in map(str.split, ("input a", "input c", "a a", "a b", "b c", "c a")):
        shape = net.populations[source].size, net.populations[target].size
        weights = rng.normal(1.0, 3.0 if source == "input" else 0.6 if at_once else 2.0, shape)
        if at_once and source == "input":
            weights[:] = weights[:, :1]  # some fire at one time
        late = 0.0 if at_once else rng.uniform(0.2, 3.0, shape)
        net.connect(source, target, weights, delays=late)
    net.connect("c", "c", es.self_recurrent(np.full(3, 0.4)), delays=1.5)
    return net


def sparse_stream():
    """Three samples: busy; arrivals at equal times around a silence of seconds; none."""
    rng = np.random.default_rng(6)
    busy = np.sort(rng.uniform(0, 60, 90))
    apart = np.sort(np.concatenate([[2.0] * 6, rng.uniform(5, 9, 20), rng.uniform(4000, 4020, 40)]))
    samples = [(t, rng.integers(0, 6, t.size)) for t in (busy, apart, np.zeros(0))]
    return es.EventStream.from_samples(samples, n_channels=6, duration=[61.3, 4030.0, 20.0])
