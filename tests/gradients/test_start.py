"""Gradients of runs with a given start: against differences, whole and by chunks."""

import numpy as np
import pytest

import eventsim as es
from tests.matrix.networks import network, stream
from tests.support.compare import assert_same_gradients
from tests.support.differences import Differences, assert_gradients_match
from tests.support.losses import SpikeTimes, coefficients

KINDS = ("lif", "adaptive", "receptors", "adlif", "resonator", "own_neuron")
WIRINGS = ("self_delayed", "loop")


def start_of(net):
    """A start of ``a`` alone, its neuron 0 resting above its threshold, and currents of ``b``."""
    p, rng = net.populations["a"], np.random.default_rng(4)
    several = () if p.neuron is None or len(p.neuron.receptors) == 1 else (2,)
    voltage = p.threshold - rng.uniform(0.1, 1.0, (2, p.size))
    current = rng.uniform(0.2, 1.5, (2, net.populations["b"].size, *several))
    return es.Start(voltage={"a": voltage}, current={"b": current})


def made(kind, wiring):
    net = network({"neuron": kind, "wiring": wiring, "delay": "delay_by_source"})
    for name in ("a", "b"):
        net.populations[name].v_leak[0] = net.populations[name].threshold[0] + 0.2
    return net


@pytest.mark.parametrize("wiring", WIRINGS)
@pytest.mark.parametrize("kind", KINDS)
def test_gradients_from_a_start_are_those_of_differences(kind, wiring):
    net, loss = made(kind, wiring), SpikeTimes("a", "b")
    given = {"backend": "cpu", "start": start_of(net)}
    keys = [key for key in net.parameters() if "output" not in key]
    rows = Differences(net, stream(), loss, per_key=2, **given).rows([*keys, "input_times"])
    for backend in ("cpu", "reference"):
        tape = es.simulate(net, stream(), **given | {"backend": backend})
        assert_gradients_match(es.backward(net, tape, loss), rows, min_fraction=0.7)


@pytest.mark.parametrize("kind", KINDS)
def test_gradients_of_chunks_from_a_start_add_up_to_those_of_the_whole(kind):
    net = made(kind, "loop")
    start = start_of(net)
    whole = es.simulate(net, stream(), start=start, backend="cpu")
    seeds = {name: coefficients(whole[name], 0.3) for name in ("a", "b")}
    wanted = es.backward(net, whole, seeds)
    state, tapes = start, []
    for piece in stream().chunks(17.0):
        tape, state = es.simulate_chunk(net, piece, state, backend="cpu")
        tapes.append(tape)
    later, total = None, {}
    for tape in reversed(tapes):
        found, later = es.backward_chunk(net, tape, part_of(seeds, whole, tape), later)
        total = {key: values + total.get(key, 0.0) for key, values in found.values.items()}
    assert total
    for key, values in wanted.values.items():
        np.testing.assert_allclose(total[key], values, rtol=1e-6, atol=1e-8, err_msg=key)


def part_of(seeds, whole, tape):
    """Seeds of the spikes of one chunk."""
    end = tape.stream.duration[0]
    return {
        name: seeds[name][(whole[name].times >= tape.begin[0]) & (whole[name].times < end)]
        for name in seeds
    }


def test_single_precision_goes_back_to_the_same_start():
    net, loss = made("lif", "loop"), SpikeTimes("a", "b")
    tapes = [
        es.simulate(net, stream(), start=start_of(net), backend="cpu", precision=precision)
        for precision in ("double", "single")
    ]
    found = [es.backward(net, tape, loss) for tape in tapes]
    assert_same_gradients(found[1], found[0], rtol=5e-3, floor=1e-4)
