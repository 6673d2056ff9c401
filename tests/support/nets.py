"""Random ScSr networks in which no parameter has its neutral value, and random streams.

Weights are scaled by the peak of the target's response, so that a network is alive at every ratio
of its time constants: about one spike in ten milliseconds per neuron.
"""

import functools

import numpy as np
import scipy.sparse
from scipy.signal import fftconvolve

import eventsim as es


def response_peak(tau_mem, tau_syn, resistance):
    """Peak voltage of one unit of current, by a fine sum of the convolution. [neurons]."""
    taus = np.broadcast(tau_mem, tau_syn, resistance)
    return np.array([r * dt * top for tm, ts, r in taus for dt, top in [_summed_peak(tm, ts)]])


@functools.cache
def _summed_peak(tau_mem, tau_syn):
    """Step of the sum, and its peak for a resistance of 1; most of what a network costs."""
    h = np.linspace(0.0, 12.0 * (tau_mem + tau_syn), 6001)
    current = np.exp(-h / tau_syn)
    kernel = np.exp(-h / tau_mem) / tau_mem
    return h[1], fftconvolve(current, kernel)[: h.size].max()


def neuron_parameters(rng, size, *, tau_ratio=None, spiking=True, pacemakers=False):
    """Per-neuron parameters, all away from their defaults. dict name -> [size]."""
    tau_syn = rng.uniform(3.0, 8.0, size)
    tau_mem = tau_syn * tau_ratio if tau_ratio else rng.uniform(4.0, 22.0, size)
    chosen = {
        "tau_mem": tau_mem,
        "tau_syn": tau_syn,
        "resistance": rng.uniform(0.6, 1.6, size),
        "v_leak": rng.uniform(0.05, 0.25, size) * rng.choice([-1.0, 1.0], size),
    }
    if spiking:
        chosen["threshold"] = rng.uniform(0.8, 1.2, size)
        chosen["v_reset"] = rng.uniform(-0.5, 0.3, size)
        chosen["refractory"] = rng.uniform(0.4, 2.5, size)
    if pacemakers:
        some = rng.random(size) < 0.4
        chosen["v_leak"] = np.where(some, chosen["threshold"] + 0.3, chosen["v_leak"])
    return chosen


def random_net(
    seed,
    *,
    n_inputs=5,
    hidden=(6, 5),
    n_outputs=3,
    sparse=False,
    tau_ratio=None,
    delays="synapse",
    self_delays="neuron",
    pacemakers=False,
):
    """A ScSr network with skips from every earlier population.

    ``delays`` and ``self_delays`` are "none", "scalar", "source" ("neuron") or "synapse".
    """
    rng = np.random.default_rng(seed)
    net = es.Network()
    net.add_input("input", n_inputs)
    earlier = ["input"]
    for depth, size in enumerate(hidden, start=1):
        name = f"hidden{depth}"
        net.add_population(
            name, size, **neuron_parameters(rng, size, tau_ratio=tau_ratio, pacemakers=pacemakers)
        )
        for source in earlier:
            _connect(rng, net, source, name, sparse=sparse, delays=delays, share=len(earlier))
        peak = _peak(net, name)
        r = rng.uniform(0.1, 0.5, size) * rng.choice([-1.0, 1.0], size) / peak
        if self_delays == "none":
            net.connect(name, name, es.self_recurrent(r))
        else:
            shape = () if self_delays == "scalar" else size
            net.connect(name, name, es.self_recurrent(r), delays=rng.uniform(0.2, 4.0, shape))
        earlier.append(name)
    net.add_readout(
        "output", n_outputs, **neuron_parameters(rng, n_outputs, tau_ratio=tau_ratio, spiking=False)
    )
    for source in earlier:
        _connect(rng, net, source, "output", sparse=sparse, delays=delays, share=len(earlier))
    return net


def _peak(net, name):
    p = net.populations[name]
    return response_peak(p.tau_mem, p.tau_syn, p.resistance)


def _connect(rng, net, source, target, *, sparse, delays, share):
    n, m = net.populations[source].size, net.populations[target].size
    gain = (1.0 if net.populations[source].kind == "input" else 0.4) / np.sqrt(share)
    weights = gain * (0.5 + 0.5 * rng.standard_normal((n, m))) / _peak(net, target)
    count = weights.size
    if sparse:
        stored = rng.random((n, m)) < 0.6
        stored[rng.integers(n), rng.integers(m)] = True
        if stored.sum() == n:  # one delay per source or per synapse must not look alike
            stored[np.unravel_index(np.argmin(stored), stored.shape)] = True
        weights = scipy.sparse.csr_array(np.where(stored, weights, 0.0))
        count = weights.nnz
    if delays == "none":
        net.connect(source, target, weights)
    elif delays == "scalar":
        net.connect(source, target, weights, delays=float(rng.uniform(0.3, 3.0)))
    elif delays == "source":
        net.connect(source, target, weights, delays=rng.uniform(0.3, 6.0, n))
    else:
        drawn = rng.uniform(0.3, 6.0, count)
        net.connect(source, target, weights, delays=drawn if sparse else drawn.reshape(n, m))


def random_stream(seed, *, n_samples=3, n_channels=5, duration=100.0, rate=60.0, even=False):
    """Poisson events on every channel, ``rate`` per second; durations differ unless ``even``."""
    rng = np.random.default_rng(seed)
    lengths = np.full(n_samples, duration) if even else duration * rng.uniform(0.8, 1.2, n_samples)
    samples = []
    for length in lengths:
        count = rng.poisson(rate * n_channels * length / 1000.0)
        samples.append(
            (np.sort(rng.uniform(0.0, length, count)), rng.integers(0, n_channels, count))
        )
    return es.EventStream.from_samples(samples, n_channels=n_channels, duration=lengths)


def filled_stream(seed=0, n_samples=5, n_events=200):
    """Samples of many events on 16 channels, with one at each border."""
    rng = np.random.default_rng(seed)
    duration = rng.uniform(50.0, 200.0, n_samples)
    samples = []
    for end in duration:
        times = np.sort(rng.uniform(0.0, end, n_events))
        times[0], times[-1] = 0.0, end  # both borders
        samples.append((times, rng.integers(0, 16, n_events)))
    return es.EventStream.from_samples(samples, n_channels=16, duration=duration)


def moved(stream, shift, behind=0.0):
    """The same recordings with ``shift`` ms of silence before them, of each if [samples]."""
    by_event = np.repeat(np.broadcast_to(shift, len(stream)), np.diff(stream.offsets))
    return es.EventStream(
        stream.times + by_event, stream.channels, stream.offsets,
        n_channels=stream.n_channels, duration=stream.duration + shift + behind,
    )  # fmt: skip


def rebuilt(
    net,
    wire=lambda p: (p.weights, p.delays),
    *,
    more=lambda p: {},
    order=None,
    kept=lambda p: True,
):
    """A network of the same populations, or those kept, with weights and delays by ``wire``.

    ``more`` gives further parameters of a population, and ``order`` renumbers its neurons, by name.
    An input has as many channels as the weights out of it.
    """
    new, wires = es.Network(), {p.name: (p, *wire(p)) for p in net.projections.values()}
    for p in filter(kept, net.populations.values()):
        if p.is_input:
            rows = [weights.shape[0] for q, weights, _ in wires.values() if q.source == p.name]
            new.add_input(p.name, rows[0] if rows else p.size)
            continue
        pick = order[p.name] if order else np.arange(p.size)
        given = {name: values[pick] for name, values in p.parameters.items()} | more(p)
        (new.add_readout if p.is_readout else new.add_population)(p.name, p.size, **given)
    for p, weights, delays in wires.values():
        if {p.source, p.target} <= new.populations.keys():
            weights = es.self_recurrent(weights) if p.one_to_one else weights
            new.connect(p.source, p.target, weights, delays=delays)
    return new


def with_adaptation(net, seed=0, *, adaptation=(0.1, 0.6), tau=(10.0, 60.0), populations=None):
    """The same network, every spiking population (or those named) with an adaptive threshold."""
    rng = np.random.default_rng(seed)

    def more(p):
        if not p.is_spiking or (populations is not None and p.name not in populations):
            return {}
        rise, times = rng.uniform(*adaptation, p.size), rng.uniform(*tau, p.size)
        return {"adaptation": rise, "tau_adaptation": times}

    return rebuilt(net, more=more)


def one_layer(name, weights, *, readout=False, **options):
    """An input and a population behind it; ``options`` are its parameters, and delays."""
    net, shape = es.Network(), getattr(weights, "shape", None) or np.shape(weights)
    delays = {key: options.pop(key) for key in ("delays", "delays_of") if key in options}
    net.add_input("input", shape[0])
    (net.add_readout if readout else net.add_population)(name, shape[1], **options)
    net.connect("input", name, weights, **delays)
    return net


def one_neuron(weights, *, delays=0.0, self_weight=None, self_delay=0.0, **parameters):
    """Input channels with the given weights onto a single neuron called "hidden"."""
    weights = np.atleast_1d(np.asarray(weights, dtype=float))
    net = one_layer("hidden", weights[:, None], **parameters, delays=delays)
    if self_weight is not None:
        net.connect(
            "hidden", "hidden", es.self_recurrent(np.array([self_weight])), delays=self_delay
        )
    return net


def behind_an_inhibition():
    """A neuron whose adaptation is small beside V, and inhibitions just before its third spike.

    A network, its stream, and the time of that spike within 1e-4 ms.
    """
    crossing = 45.0693983636327
    given = {
        "tau_mem": 16.44054507915121, "tau_syn": 2.608362437882186, "threshold": 0.9235988418638337,
        "resistance": 1.4825625992405451, "v_leak": 1.9235988418638337, "refractory": 1.0,
        "v_reset": -0.4731713219756316, "adaptation": 0.2613381377575097,
        "tau_adaptation": 2.335387912766518,
    }  # fmt: skip
    arrivals = [
        (22.212043708086416, 0.016702570333949333), (24.13888951325344, -0.012252738554982828),
        (29.29148449722651, 0.027433970232411342), (29.523060886042106, -0.005736743697345712),
        (29.74382384053694, 0.010475160847225537), (29.747838032443028, -0.004323834118473864),
    ]  # fmt: skip
    times, weights = (list(values) for values in zip(*arrivals, strict=True))
    net, n = one_neuron([*weights, -0.025286920128762998], **given), len(weights) + 1
    ends = [crossing * (1.0 + k * 3e-8) for k in range(-250, 5)]
    samples = [([*times, end], np.arange(n)) for end in ends]
    stream = es.EventStream.from_samples(samples, n_channels=n, duration=50.0)
    return net, stream, crossing


def one_sample(times, channels=None, *, n_channels=1, duration=100.0):
    """A stream with one sample."""
    times = np.asarray(times, dtype=float)
    channels = np.zeros(times.size, dtype=int) if channels is None else channels
    return es.EventStream(
        times, channels, [0, times.size], n_channels=n_channels, duration=duration
    )


def lateral_net(seed, *, size=6, delays="synapse", sparse=True, gain=0.3):
    """Two populations that project to each other and to themselves, with a readout.

    ``delays`` as in :func:`random_net`.
    """
    rng = np.random.default_rng(seed)
    net = es.Network()
    net.add_input("input", 5)
    for name in ("a", "b"):
        net.add_population(name, size, **neuron_parameters(rng, size))
    for source in ("input", "a", "b"):
        for target in ("a", "b"):
            share = 1.0 if source == "input" else (gain / 0.4) ** -2
            _connect(rng, net, source, target, sparse=sparse, delays=delays, share=share)
    net.add_readout("output", 3, **neuron_parameters(rng, 3, spiking=False))
    for source in ("a", "b"):
        _connect(rng, net, source, "output", sparse=False, delays="scalar", share=2.0)
    return net


def equal_net(seed):
    """Two to five equal neurons that rest above their threshold and inhibit each other at once.

    Whoever fires keeps the others from firing with it.
    """
    rng = np.random.default_rng(seed)
    given = {name: values[0] for name, values in neuron_parameters(rng, 1).items()}
    given["refractory"] *= rng.integers(2)
    lift, size = rng.uniform(0.02, 0.5), int(rng.integers(2, 6))
    given["v_leak"] = given["threshold"] + lift
    among = -rng.uniform(1.5, 10.0) * lift / given["resistance"] * (1.0 - np.eye(size))
    net = one_layer("equal", np.zeros((5, size)), **given)
    net.connect("equal", "equal", scipy.sparse.csr_array(among) if rng.integers(2) else among)
    return with_adaptation(net, seed) if rng.integers(2) else net


def ring_net(seed, *, size=5, self_delays="neuron"):
    """Two populations in a ring, each with self-recurrent connections as well."""
    rng = np.random.default_rng(seed)
    net = es.Network()
    net.add_input("input", 5)
    for name in ("a", "b"):
        net.add_population(name, size, **neuron_parameters(rng, size))
        _connect(rng, net, "input", name, sparse=False, delays="source", share=1.0)
        r = rng.uniform(-0.4, 0.4, size) / _peak(net, name)
        delay = 0.0 if self_delays == "none" else rng.uniform(0.2, 3.0, size)
        net.connect(name, name, es.self_recurrent(r), delays=delay)
    _connect(rng, net, "a", "b", sparse=True, delays="synapse", share=2.0)
    _connect(rng, net, "b", "a", sparse=False, delays="scalar", share=2.0)
    net.add_readout("output", 2, **neuron_parameters(rng, 2, spiking=False))
    _connect(rng, net, "b", "output", sparse=False, delays="none", share=1.0)
    return net


def shared_net(seed, n=300, *, refractory=0.0, whole=True, share=1.0):
    """Neurons that all meet the same events, more than a block of them; ``whole``: themselves too.

    Of the synapses between two of them that share is there.

    Some time constants are a third of others, so that near and far propagations occur.
    """
    rng = np.random.default_rng(seed)
    taus = {"tau_mem": rng.uniform(5.0, 15.0, n), "tau_syn": rng.uniform(2.0, 6.0, n)}
    net = one_layer(
        "hidden", rng.normal(0.4, 0.4, (20, n)), **taus, refractory=refractory, delays=0.25
    )
    weights = rng.normal(0.0, 0.1, (n, n))
    there = (rng.uniform(size=(n, n)) < share) & (whole | ~np.eye(n, dtype=bool))
    lateral = weights if there.all() else scipy.sparse.csr_array(weights * there)
    net.connect("hidden", "hidden", lateral, delays=1.0)
    return net


def large_net(seed, *, n=300, refractory=True, delays=0.5):
    """Every parameter different; bundles longer than a block of the kernel."""
    rng = np.random.default_rng(seed)
    net = es.Network()
    net.add_input("input", 20)
    net.add_population(
        "hidden",
        n,
        tau_mem=rng.uniform(5.0, 30.0, n),
        tau_syn=rng.uniform(2.0, 10.0, n),
        threshold=rng.uniform(0.5, 1.5, n),
        v_leak=np.where(rng.random(n) < 0.03, 2.0, rng.uniform(-0.2, 0.2, n)),
        v_reset=rng.uniform(-0.5, 0.0, n),
        refractory=rng.uniform(0.0, 3.0, n) * (rng.random(n) < 0.5) if refractory else 0.0,
    )
    net.connect("input", "hidden", rng.normal(0.5, 0.5, (20, n)))
    weights = scipy.sparse.random_array((n, n), density=0.6, format="csr", rng=rng)
    weights.data = rng.normal(-0.02, 0.1, weights.nnz)
    weights.setdiag(0.0)
    weights.eliminate_zeros()
    net.connect("hidden", "hidden", weights, delays=delays)
    return net


def two_kinds_net(seed, n=60, **kinds):
    """Two populations in a loop, some neurons without hold; ``kinds`` are values of ``a`` or ``b``.

    As LIF neurons they have time constants of their own.
    """
    rng = np.random.default_rng(seed)
    lif = {
        "a": {"tau_mem": 10.0, "tau_syn": 5.0},
        "b": {"tau_mem": 20.0, "tau_syn": 3.0, "threshold": 0.7},
    }
    kinds = lif | kinds
    net = es.Network()
    net.add_input("input", 5)
    held = rng.uniform(0.0, 2.0, n) * (rng.random(n) < 0.6)
    net.add_population("a", n, refractory=held, **kinds["a"])
    net.add_population("b", n // 2, refractory=1.0, **kinds["b"])
    net.connect("input", "a", rng.normal(0.7, 0.4, (5, n)))
    net.connect("a", "b", rng.normal(0.1, 0.2, (n, n // 2)), delays=1.0)
    net.connect("b", "a", rng.normal(-0.1, 0.2, (n // 2, n)), delays=2.5)
    return net
