"""Random networks of all kinds, run by every backend and differentiated.

Each is drawn from its case: dense, sparse and convolutional layers, values that are one, loops with
and without delay, refractory times of 0 and more, equal time constants, equal neurons, thresholds
at and below rest, weights that let neurons run away. The backends must agree: the same spikes, at
the same times within ``ATOL`` where the network is no grazing one, or the same refusal. Of some
networks gradients are compared with finite differences.
"""

import numpy as np

import eventsim as es
from eventsim.errors import EventSimError, RunawayError
from tests.support.compare import SINGLE_ATOL, assert_same_spikes, counts_of
from tests.support.losses import Readout, SpikeTimes, Sum
from tests.support.nets import equal_net, lateral_net, random_net, random_stream, ring_net

ATOL = 1e-6  # ms, between reference and cpu in double precision
GRADIENT = 1e-5  # relative, of a gradient to a finite difference
EVERY = 4  # of so many networks one has its gradients compared
MOST_SPIKES = 400  # of a run whose gradients are compared; the losses are slow
SHAPES = ("layers", "lateral", "ring", "convolution", "runaway", "odd", "equal")
DELAYS = ("none", "scalar", "source", "synapse")


def draw(shape, rng):
    """A network of that shape, and events for it."""
    seed = int(rng.integers(1 << 30))
    delays = DELAYS[rng.integers(len(DELAYS))]
    if shape == "lateral" or shape == "runaway":
        net = lateral_net(
            seed, size=int(rng.integers(2, 7)), delays=delays, sparse=bool(rng.integers(2))
        )
    elif shape == "equal":
        net = equal_net(seed)
    elif shape == "ring":
        net = ring_net(seed, self_delays=("none", "neuron")[rng.integers(2)])
    elif shape == "convolution":
        net = es.convolutional(
            12, (2,), 2, output_maps=2, kernel=(3, 3), stride=(2, 2), seed=seed,
            self_recurrent=bool(rng.integers(2)), refractory=float(rng.choice([0.0, 1.0])),
            mean=float(rng.uniform(1.0, 6.0)),
        )  # fmt: skip
    else:
        net = random_net(
            seed,
            sparse=bool(rng.integers(2)),
            tau_ratio=(None, 1.0, 1.0 + 1e-9, 2.0)[rng.integers(4)],
            delays=delays,
            self_delays=("none", "scalar", "neuron")[rng.integers(3)],
            pacemakers=bool(rng.integers(3) == 0),
        )
    _vary(net, shape, rng)
    n_channels = next(p.size for p in net.populations.values() if p.kind == "input")
    stream = random_stream(
        seed, n_samples=2, n_channels=n_channels, duration=60.0, rate=300.0 / n_channels
    )
    return net, stream


def _vary(net, shape, rng):
    """Change values in place, within their domains."""
    spiking = [p for p in net.populations.values() if p.kind == "spiking"]
    for population in spiking:
        if rng.integers(2):
            population.refractory[...] = 0.0 if shape != "convolution" else population.refractory
        if shape == "odd":
            rest = population.v_leak
            where = rng.random(population.size) < 0.3
            lift = rng.choice([0.0, 0.1, -0.2])
            population.threshold[where] = rest[where] - lift
            population.v_reset[...] = np.minimum(population.v_reset, population.threshold - 0.3)
    if shape == "odd":
        for projection in net.projections.values():
            projection.values[rng.random(projection.values.shape) < 0.2] = 0.0
    if shape == "runaway":
        factor = float(rng.choice([3.0, 10.0, 100.0]))
        for projection in net.projections.values():
            if projection.source != "input" and projection.target != "output":
                projection.values[...] = np.abs(projection.values) * factor
                if rng.integers(2):
                    projection.delays[...] = 0.0


def outcome(net, stream, backend, precision="double"):
    """The tape, or what was raised on purpose."""
    try:
        return es.simulate(net, stream, backend=backend, precision=precision)
    except EventSimError as error:
        return error


def check(net, stream, rng):
    """What was compared, in words; raises AssertionError for what differs."""
    expected, actual = outcome(net, stream, "reference"), outcome(net, stream, "cpu")
    single = outcome(net, stream, "cpu", "single")
    if isinstance(expected, Exception) or isinstance(actual, Exception):
        kinds = type(expected).__name__, type(actual).__name__, type(single).__name__
        assert len(set(kinds[:2])) == 1, f"reference {expected}; cpu {actual}"
        assert kinds[2] == kinds[0] or isinstance(expected, RunawayError), kinds
        return kinds[0]
    assert_same_spikes(actual, expected, atol_ms=ATOL, net=net)
    assert not isinstance(single, Exception), single
    n_spikes = sum(map(len, expected.trains.values()))
    words = f"{n_spikes} spikes"
    if counts_of(single) == counts_of(expected):
        assert_same_spikes(single, expected, atol_ms=10 * SINGLE_ATOL)
    else:
        words += ", others in single precision"
    # Which of equal neurons is first turns with any step of one of them.
    smooth = "equal" not in net.populations and n_spikes <= MOST_SPIKES
    if rng.integers(EVERY) == 0 and smooth:
        words += _check_gradients(net, stream, rng)
    return words


def _loss_of(net):
    """Of spike times and readouts."""
    kinds = {p.kind: p.name for p in net.populations.values()}
    names = [p.name for p in net.populations.values() if p.kind == "spiking"]
    readout = kinds.get("readout")
    loss = SpikeTimes(*names)
    if readout is not None:
        loss = Sum(loss, Readout(20.0, readout))
    return loss


def _check_gradients(net, stream, rng):
    """Every gradient by finite differences.

    Beside a crossing that only just rises the loss bends within a step. A wrong gradient is wrong
    at every step: what fails is tried again with a hundredth of it, and fails if fewer directions
    could be compared there.
    """
    given = {"backend": "cpu", "n_directions": 2, "seed": int(rng.integers(1 << 30))}
    found = es.gradcheck(net, stream, _loss_of(net), **given)
    wrong = _wrong_rows(found)
    if wrong:
        again = es.gradcheck(net, stream, _loss_of(net), step=1e-6, **given)
        least = {row.name: row.n_compared for row in found.rows}
        fewer = {row.name for row in again.rows if row.n_compared < least[row.name]}
        still = fewer | _wrong_rows(again).keys()
        wrong = {name: error for name, error in wrong.items() if name in still}
    assert not wrong, "; ".join(f"{name} {error:.1e}" for name, error in wrong.items())
    return f", {found.n_compared} gradients to {found.worst_relative_error:.0e}"


def _wrong_rows(found):
    """Relative errors that are too large, by parameter."""
    errors = {row.name: row.worst_relative_error for row in found.rows}
    return {name: error for name, error in errors.items() if not error < GRADIENT}


def run_networks(pipe):
    """A worker that draws and runs networks."""
    from tests.support.hostile.worker import serve

    def attempt(case):
        rng = case.rng()
        net, stream = draw(case.kind, rng)
        return check(net, stream, rng)

    serve(pipe, attempt)
