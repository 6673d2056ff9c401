"""Tables of linear neurons that are kept from run to run."""

import tracemalloc

import numpy as np

import eventsim as es
from eventsim.engine.contract import linear
from eventsim.engine.contract.job import Job
from eventsim.neuron.linear_tables import back_tables, bits_for, flow_tables, pieces_of
from eventsim.plan import make_plan
from tests.support.compare import assert_same_spikes
from tests.support.nets import one_layer


def test_a_process_keeps_tables_of_few_sets():
    """A training of a few neurons makes a set in each step, of 4 MB where they have five states."""
    linear._kept.cache_clear()
    rates = np.arange(20, 36, dtype=np.longdouble)[:, None, None]
    tracemalloc.start()
    for step in range(1, 33):
        flow = np.eye(5, dtype=np.longdouble) * rates * (-0.001 * step)
        found = linear._made(back_tables, flow, np.full(16, 0.5), bits=6, far=True)
    kept, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    linear._kept.cache_clear()
    assert kept < 20 * sum(part.nbytes for part in found)


def test_tables_that_are_kept_have_the_digits_of_those_that_are_made_anew():
    """Flows that are equal in double precision may differ in extended precision."""
    rng = np.random.default_rng(0)
    plain = -np.eye(3) * rng.uniform(0.02, 0.9, (8, 1, 3)) + np.eye(3, k=1) * 0.1
    low = rng.uniform(-1, 1, (8, 3, 3)) * 2.0**-56
    exact = plain.astype(np.longdouble) * (1 + low.astype(np.longdouble))
    piece, found = np.full(8, 0.25), []
    for flow in (plain.astype(np.longdouble), exact):
        wanted = back_tables(linear._flows(flow), np.tile(piece, 2), 6)
        for _ in range(2):  # made, then kept
            found.append(linear._made(back_tables, flow, piece, bits=6, far=True))
            for mine, right in zip(found[-1], wanted, strict=True):
                np.testing.assert_array_equal(mine, right)
    if np.finfo(np.longdouble).eps < np.finfo(np.float64).eps:
        assert not np.array_equal(exact.astype(np.float64), exact)
        assert not np.array_equal(found[0].products, found[-1].products)


def test_equal_neurons_have_the_piece_of_their_own_block():
    """A quick neuron shortens the pieces of the 64 beside it, and of no others."""
    net, size = es.Network(), 70
    net.add_input("input", 3)
    tau = np.where(np.arange(size) == 3, 0.5, 5.0)
    net.add_population("h", size, neuron=es.AdLIF(tau_syn=tau, a=0.5, b=0.2))
    rng = np.random.default_rng(1)
    net.connect("input", "h", rng.normal(1.0, 1.0, (3, size)))
    (stage,) = make_plan(net).stages
    tables = linear.linear_cells(Job(stage, (), np.array([100.0]), "double")).tables
    norm = np.abs(tables.flow).sum(axis=2).max(axis=1)
    for which in (tables.piece[:size], tables.piece[size:]):  # free, and while V is held
        assert len(set(which[:64])) == len(set(which[64:])) == 1
        assert which[0] < which[-1]
    assert (tables.piece * norm <= 1.0).all()
    times = np.sort(rng.uniform(0.0, 100.0, 150))
    stream = es.EventStream(times, rng.integers(0, 3, 150), [0, 150], n_channels=3, duration=100.0)
    found, wanted = (es.simulate(net, stream, backend=one) for one in ("cpu", "reference"))
    assert len(wanted["h"]) > 100
    assert_same_spikes(found, wanted, atol_ms=1e-9)


def test_tables_of_single_precision_are_made_in_double():
    """Over 18 hours, of slow states beside quick ones, they are what extended precision gives."""
    rng = np.random.default_rng(2)
    flow = rng.normal(0.0, 1.0, (24, 3, 3)) * 10.0 ** rng.uniform(-4, -1, (24, 3, 1))
    flow[:, range(3), range(3)] = -np.abs(flow).sum(axis=2)  # stable
    flow[:6, :2, :2] = [[-1e-4, -0.6], [0.6, -1e-4]]  # turns, and hardly decays
    flow[:6, 2, :2] = 0.0
    flow[6:12] = [[-0.05, -0.05, 0.05], [0.0, -1e-3, 0.0], [0.0, 0.0, -1.0]]
    piece, longest = np.tile(pieces_of(flow), 2), 2.0**26
    assert piece.min() >= linear.LEAST_PIECE
    bits = bits_for(piece, longest)
    made = [
        (
            flow_tables(flows, piece, bits, longest, 24).single(),
            back_tables(flows, piece, bits).single(),
        )
        for flows in (linear._flows(flow.astype(np.longdouble)), linear._flows(flow))
    ]
    for wanted, found in zip(*made, strict=True):
        for name, right, mine in zip(wanted._fields, wanted, found, strict=True):
            assert mine.dtype == right.dtype
            of_neuron = np.abs(right).reshape(len(right), -1)
            slack = 1.2e-7 * of_neuron + 1e-14 * of_neuron.max(axis=1, keepdims=True)
            assert (np.abs(mine - right).reshape(slack.shape) <= slack).all(), name


def test_who_asks_for_double_gets_extended_tables_behind_single():
    """One memo serves runs of both precisions."""
    net = one_layer("h", np.ones((1, 20)), neuron=es.AdLIF(tau_w=np.geomspace(30.0, 90.0, 20)))
    (stage,) = make_plan(net).stages
    single, double = (Job(stage, (), np.array([100.0]), p) for p in ("single", "double"))
    assert linear.typed_cells(single).real is np.float32
    found = linear.typed_cells(double).tables.powers
    (alone,) = make_plan(net).stages
    wanted = linear.typed_cells(Job(alone, (), np.array([100.0]), "double")).tables.powers
    np.testing.assert_array_equal(found, wanted)
