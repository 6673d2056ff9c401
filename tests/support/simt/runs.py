"""Networks and streams, small, that together go through every kernel and its edges."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import scipy.sparse

import eventsim as es
from tests.support.linear_neurons import mixed_loop, sparse_layer, sparse_stream
from tests.support.nets import (
    behind_an_inhibition,
    equal_net,
    lateral_net,
    neuron_parameters,
    one_layer,
    one_neuron,
    one_sample,
    random_net,
    random_stream,
    ring_net,
    shared_net,
    two_kinds_net,
    with_adaptation,
)


@dataclass(frozen=True)
class Run:
    """A network and its stream.

    ``rate`` (1/ms) weights the readout; ``piece`` (ms) is the length of the pieces in which the
    stream is run a second time, and ``back`` asks for the gradients of these pieces as well.
    """

    net: Callable[[], es.Network]
    stream: Callable[[], es.EventStream]
    rate: float = 0.05
    piece: float | None = None
    back: bool = False


def _random(seed, *, n_channels=6, duration=60.0, n_samples=3, rate=60.0, piece=None, **options):
    return Run(
        lambda: random_net(seed, n_inputs=n_channels, **options),
        lambda: random_stream(
            seed + 1, n_samples=n_samples, n_channels=n_channels, duration=duration, rate=rate
        ),
        piece=piece,
    )


def _changed(run, change):
    """The run with ``change`` made to every spiking population."""

    def net():
        made = run.net()
        for population in made.populations.values():
            if population.kind == "spiking":
                change(population)
        return made

    return replace(run, net=net)


def _without_holds(run):
    """Spikes do not hold V, so that the self-jump follows at once."""
    return _changed(run, lambda population: population.refractory.fill(0.0))


def _pacemakers(run):
    """The first neuron of each population rests above its threshold."""

    def change(population):
        population.v_leak[0] = population.threshold[0] + 0.3

    return _changed(run, change)


def _adapting(run, seed=41):
    """The run with an adaptive threshold in every spiking population."""
    return replace(
        run, net=lambda: with_adaptation(run.net(), seed, adaptation=(0.1, 1.5), tau=(4.0, 60.0))
    )


def _loop(net, duration=40.0):
    return Run(net, lambda: random_stream(26, n_samples=3, n_channels=5, duration=duration))


def _silent_samples():
    times = [np.zeros(0), np.array([1.0, 2.0, 2.0, 30.0]), np.zeros(0)]
    channels = [np.zeros(t.size, int) for t in times]
    samples = list(zip(times, channels, strict=True))
    return es.EventStream.from_samples(samples, n_channels=6, duration=[1.0, 40.0, 20.0])


def _on_a_grid():
    """Arrivals at few times, so that many are at the time of a stretch's last."""
    stream = random_stream(40, n_samples=2, n_channels=12, duration=40.0, rate=120.0)
    samples = []
    for lo, hi in zip(stream.offsets[:-1], stream.offsets[1:], strict=True):
        samples.append((np.floor(stream.times[lo:hi] * 4.0) / 4.0, stream.channels[lo:hi]))
    return es.EventStream.from_samples(samples, n_channels=12, duration=stream.duration)


def _pushed_down():
    """A neuron that rests above its threshold, and is long below it.

    In the end its current would be denormal, were it not flushed at the last arrival.
    """
    net = one_neuron([-60.0, 0.3, 0.0], v_leak=1.1, tau_mem=4.0, tau_syn=7.0, refractory=0.5)
    stream = one_sample([2.0, 90.0, 800.0], [0, 1, 2], n_channels=3, duration=850.0)
    return Run(lambda: net, lambda: stream)


def _at_its_turn(**adapting):
    """Arrivals at a crossing that leave V at its minimum there, or some roundings beside it.

    The neuron rests above its threshold, at which V therefore turns and rises again. Of two spikes
    the threshold adapts between.
    """
    given = {"tau_mem": 10.0, "tau_syn": 5.0, "threshold": 1.0, "v_leak": 1.25, "v_reset": 0.0}
    net = one_layer("hidden", np.zeros((5, 1)), **given, **adapting)
    silent = one_sample([], n_channels=5, duration=40.0)
    time, rise = es.simulate(net, silent, backend="reference")["hidden"].times[:2], 0.0
    time, last = (time[1], time[0]) if adapting else (time[0], 0.0)
    jump = given["threshold"] - given["v_leak"]
    if adapting:
        rate = 1.0 / adapting["tau_adaptation"]
        rise = adapting["adaptation"] * np.exp(-rate * (time - last))
        jump += rise - given["tau_mem"] * rate * rise  # V and its threshold have one slope then
    roundings, samples = (2.0**-53, 2.0**-24), []
    net.projections["input->hidden"].weights[:, 0] = jump * (1.0 + np.arange(-2, 3) * 2.0**-23)
    for channel in range(5):
        at = [time * (1.0 + k * unit) for unit in roundings for k in range(-4, 5)]
        samples += [([one], [channel]) for one in at]
    stream = es.EventStream.from_samples(samples, n_channels=5, duration=40.0)
    return Run(lambda: net, lambda: stream)


def _long_silence():
    """What fires after the last event before a silence in which all decays below any number."""
    net = one_neuron([9.0, -6.0], tau_mem=10.0, tau_syn=5.0, refractory=0.5, v_reset=-0.4)
    times, channels = [2.0, 5.0, 40.0, 1e9, 1e9 + 3.0], [0, 1, 0, 1, 0]
    stream = one_sample(times, channels, n_channels=2, duration=2e9)
    return Run(lambda: net, lambda: stream)


def _ties(kind):
    """Eight equal neurons fire at one time, and their spikes arrive at one time."""
    rng = np.random.default_rng(27)
    net = es.Network()
    net.add_input("input", 1)
    net.add_population("a", 8, tau_mem=10.0, tau_syn=5.0, refractory=1.0)
    net.add_population("b", 6, tau_mem=8.0, tau_syn=4.0, refractory=0.5)
    # Events at one time are met one after the other: sums depend on the order by their last bits.
    weights = rng.uniform(0.1, 1.5, (8, 6))
    if kind == "sparse":
        net.connect("input", "a", np.full((1, 8), 6.0), delays=0.5)
        net.connect("a", "b", scipy.sparse.csr_array(weights), delays=1.0)
        net.connect("b", "b", es.self_recurrent(np.full(6, 0.5)), delays=1.0)
    else:
        net.connect("input", "a", np.full((1, 8), 6.0))
        net.connect("a", "b", weights)
    if kind == "two sources":
        # Its spikes fall on those of "a", and arrive with them.
        net.add_population("c", 8, tau_mem=10.0, tau_syn=5.0, refractory=1.0)
        net.connect("input", "c", np.full((1, 8), 6.0))
        net.connect("c", "b", 0.7 * weights[::-1])
    if kind.startswith("loop"):
        delay = 0.0 if kind == "loop, at once" else 0.25
        net.connect("b", "a", 0.3 * weights.T)
        net.connect("a", "a", rng.uniform(-3.0, 2.5, (8, 8)), delays=delay)
    stream = one_sample([1.0, 2.0, 2.0, 2.0, 3.0, 8.0], duration=30.0)
    return Run(lambda: net, lambda: stream)


def met(kind, later=0.0, *, weight, returns=None, held=None):
    """Each of some spikes has an event, for its neuron alone, that arrives ``later`` ms behind it.

    ``returns`` is the delay of self-connections, ``held`` the refractory time. The first sample
    meets spikes of single precision, the second those of double.
    """
    size, rng = 8, np.random.default_rng(57)
    net = es.Network()
    net.add_input("input", 5 + size)
    given = neuron_parameters(rng, size)
    if returns is not None:
        given["refractory"] = np.where(np.arange(size) % 2, returns, given["refractory"])
    if held is not None:
        given["refractory"][:] = held
    net.add_population("hidden", size, **given)
    weights = rng.uniform(0.0, 9.0, (5, size)) * (rng.random((5, size)) < 0.6)
    weights = np.vstack([weights, np.diag(np.full(size, weight))])
    net.connect("input", "hidden", weights if kind == "dense" else scipy.sparse.csr_array(weights))
    own = np.full(size, 0.7 if returns is not None else 0.0)
    if kind == "loop":
        among = rng.uniform(-3.0, 2.5, (size, size)) * (rng.random((size, size)) < 0.5)
        among = scipy.sparse.csr_array(among + np.diag(own))
        net.connect("hidden", "hidden", among, delays=later)
    elif returns is not None:
        net.connect("hidden", "hidden", es.self_recurrent(own), delays=returns)

    def stream():
        first = [_meeting_events(net, later, precision) for precision in ("single", "double")]
        return es.EventStream.from_samples(first, n_channels=5 + size, duration=30.0)

    return Run(lambda: net, stream)


def _meeting_events(net, later, precision, n_met=8):
    """Random events, and those that meet what ``n_met`` spikes, one after the other, send."""
    base = random_stream(58, n_samples=1, n_channels=5, duration=30.0, rate=80.0)
    times, channels, after = base.times, base.channels, -1.0
    for _ in range(n_met):
        sample, size = (times, channels), net.populations["input"].size
        stream = es.EventStream.from_samples([sample], n_channels=size, duration=30.0)
        spikes = es.simulate(net, stream, backend="cpu", precision=precision)["hidden"]
        behind = np.flatnonzero(spikes.times > after)
        k = behind[np.argmin(spikes.times[behind])]
        after = spikes.times[k]
        place = np.searchsorted(times, after + later)
        times = np.insert(times, place, after + later)
        channels = np.insert(channels, place, 5 + spikes.neurons[k])
    return times, channels


def falls(**delays):
    """Thresholds that come down onto V, while inhibition pulls V down as well."""
    rng = np.random.default_rng(21)
    weights = np.vstack([rng.uniform(2.0, 20.0, (4, 40)), rng.uniform(-30.0, -2.0, (4, 40))])
    late = {name: rng.uniform(0.0, high, weights.shape) for name, high in delays.items()}
    taus = {"tau_mem": rng.uniform(4.0, 20.0, 40), "tau_syn": rng.uniform(2.0, 8.0, 40)}
    net = one_layer("hidden", weights, **taus, **late)
    net = with_adaptation(net, 21, adaptation=(1.0, 6.0), tau=(0.3, 4.0))
    options = {"n_samples": 1, "n_channels": 8, "duration": 60.0, "rate": 25.0}
    return Run(lambda: net, lambda: random_stream(21, **options), piece=20.0)


def _falls_at_once():
    """Thresholds that come down onto V in between an inhibition and the next turn of V above it."""
    rng = np.random.default_rng(0)
    weights = np.vstack([rng.uniform(30.0, 90.0, 40), rng.uniform(-100.0, -30.0, 40)])
    taus = {"tau_mem": rng.uniform(4.0, 20.0, 40), "tau_syn": rng.uniform(4.0, 12.0, 40)}
    net = with_adaptation(
        one_layer("hidden", weights, **taus), 0, adaptation=(3.0, 8.0), tau=(0.3, 1.5)
    )
    times = [1.0, 1.4, 21.0, 21.6, 41.0, 41.8, 61.0, 62.0]
    stream = one_sample(times, [0, 1] * 4, n_channels=2, duration=80.0)
    return Run(lambda: net, lambda: stream)


def _runaway(sparse, self_delay):
    """A self-jump that nothing holds back, in the second sample."""
    net = one_neuron([0.0, 40.0], tau_mem=6.0, tau_syn=9.0)
    if sparse:
        net = one_layer("hidden", scipy.sparse.csr_array([[0.0], [40.0]]), tau_mem=6.0, tau_syn=9.0)
    net.connect("hidden", "hidden", es.self_recurrent([30.0]), delays=self_delay)
    samples = [(np.array([1.0]), np.array([k])) for k in (0, 1)]
    stream = es.EventStream.from_samples(samples, n_channels=2, duration=[9.0, 9.0])
    return Run(lambda: net, lambda: stream)


def _runaway_loop(neuron=None):
    """Two neurons that make each other fire at once, without end."""
    about = {"tau_mem": 6.0, "tau_syn": 9.0} if neuron is None else {"neuron": neuron}
    net = one_layer("a", np.array([[40.0, 40.0]]), **about)
    net.connect("a", "a", np.array([[0.0, 30.0], [30.0, 0.0]]))
    return Run(lambda: net, lambda: one_sample([1.0], duration=9.0))


RUNS = {
    # A tile and a half, other sizes than the block's; more events than are staged at once.
    "dense": _random(11, hidden=(97, 5), delays="none", self_delays="none", rate=90.0, n_samples=2),
    "dense, no holds": _without_holds(
        _random(12, hidden=(7,), delays="scalar", self_delays="none", rate=200.0)
    ),
    "dense, delays, in pieces": _random(
        13, hidden=(5, 4), delays="source", self_delays="none", piece=21.0, n_samples=2
    ),
    "dense, pacemakers": _random(
        14, hidden=(6, 5), delays="none", self_delays="none", pacemakers=True, tau_ratio=0.25
    ),
    "fan-in": _random(15, hidden=(9, 5), rate=120.0, n_samples=2, duration=30.0),
    "fan-in, no holds": _without_holds(_random(16, hidden=(6,), self_delays="scalar")),
    "fan-in, in pieces": _random(17, hidden=(5, 4), sparse=True, piece=21.0, n_samples=2),
    "sparse, pacemakers": _random(
        18,
        hidden=(130,),
        sparse=True,
        pacemakers=True,
        n_channels=40,
        duration=15.0,
        n_outputs=9,
        n_samples=2,
    ),
    "taus equal": _random(19, hidden=(5,), tau_ratio=1.0, delays="scalar", duration=30.0),
    "loop": _loop(lambda: lateral_net(22)),
    "loop, two warps": _loop(lambda: lateral_net(23, size=20, delays="none", gain=0.1), 25.0),
    "loop, no delays, no holds": _without_holds(
        _loop(lambda: lateral_net(24, delays="none", gain=0.05))
    ),
    "loop, equal neurons": _loop(lambda: equal_net(1)),
    "at its turn": _at_its_turn(),
    "adaptive, at its turn": _at_its_turn(adaptation=0.2, tau_adaptation=20.0),
    "adaptive, behind an inhibition": Run(
        lambda: behind_an_inhibition()[0], lambda: behind_an_inhibition()[1][180:250]
    ),
    "loop, by windows": Run(
        lambda: two_kinds_net(26),
        lambda: random_stream(27, n_samples=2, n_channels=5, duration=30.0, rate=400.0),
    ),
    "loop, by stretches": Run(
        lambda: shared_net(31, n=40, refractory=1.5, whole=False),
        lambda: random_stream(32, n_samples=2, n_channels=20, duration=15.0, rate=150.0),
    ),
    "ring, returning, in pieces": replace(_pacemakers(_loop(lambda: ring_net(25))), piece=13.0),
    "on a grid": Run(
        lambda: random_net(39, n_inputs=12, hidden=(9, 5), delays="none", self_delays="none"),
        _on_a_grid,
    ),
    "ties": _ties("dense"),
    "ties, sparse": _ties("sparse"),
    "ties, two sources": _ties("two sources"),
    "ties, loop": _ties("loop"),
    "ties, loop, at once": _ties("loop, at once"),
    # At its crossing a neuron is held back: arrivals are summed before the threshold is tested.
    "ties, crossing": met("dense", weight=-30.0),
    "ties, crossing, sparse": met("sparse", weight=-30.0),
    "ties, crossing, loop": met("loop", weight=-30.0),
    # Own spikes return as V is let go, and as others arrive.
    "ties, returning": met("sparse", 1.5, weight=2.0, returns=1.5),
    "ties, returning, loop": met("loop", 1.5, weight=2.0, returns=1.5),
    "adaptive, dense, in pieces": _adapting(
        _random(
            28,
            hidden=(9, 5),
            delays="source",
            self_delays="none",
            piece=21.0,
            rate=120.0,
            n_samples=2,
            duration=40.0,
        )
    ),
    "adaptive, pacemakers, no holds": _adapting(
        _without_holds(
            _random(
                29, hidden=(6, 5), delays="none", self_delays="none", pacemakers=True, n_samples=1
            )
        )
    ),
    "adaptive, fan-in, in pieces": _adapting(
        _random(
            30,
            hidden=(9, 5),
            sparse=True,
            piece=21.0,
            rate=120.0,
            pacemakers=True,
            n_samples=1,
            duration=40.0,
        )
    ),
    "adaptive, falls": falls(),
    "adaptive, falls at once": _falls_at_once(),
    "adaptive, loop": _adapting(_loop(lambda: lateral_net(37, size=5), 25.0)),
    "adaptive, ring, returning, in pieces": _adapting(
        replace(_loop(lambda: ring_net(38), 25.0), piece=13.0)
    ),
    "silent": Run(lambda: random_net(20, n_inputs=6, sparse=True), _silent_samples, rate=0.0),
    "silent, dense": Run(
        lambda: random_net(21, n_inputs=6, delays="none", self_delays="none"), _silent_samples
    ),
    "pushed down": _pushed_down(),
    "long silence": _long_silence(),
    "run-away": _runaway(sparse=False, self_delay=0.0),
    "run-away, sparse": _runaway(sparse=True, self_delay=0.0),
    "run-away, returning": _runaway(sparse=True, self_delay=1e-5),
    "run-away, loop": _runaway_loop(),
}


def _linear_loop(*, at_once):
    def stream():
        return random_stream(12, n_samples=2, n_channels=6, duration=25.0, rate=60.0)

    return Run(partial(mixed_loop, at_once=at_once), stream, piece=9.0)


# Of linear neurons, in double precision whatever that of the others.
LINEAR_LOOPS = {
    "linear, loop": _linear_loop(at_once=False),
    "linear, loop, at once": _linear_loop(at_once=True),
    "linear, loop, run-away": _runaway_loop(es.AdLIF()),
}
LINEAR_RUNS = LINEAR_LOOPS | {
    f"linear, {kind}, {returns} ms": Run(partial(sparse_layer, kind, returns), sparse_stream)
    for kind, returns in [("adlif", 1.5), ("pacemaker", 0.0), ("one of one's own", 1.5)]
}
LINEAR_STATES = (3, 5)
