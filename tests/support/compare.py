"""Comparison of two spike tapes: who fired how often first, then when.

``TIME_ATOL`` in ms, against the reference: the fast double backend solves the same equation with
other operation orders, so times differ by roundings amplified by 1 / slope; 1e-9 is the bar of
the specification. Single precision keeps float32 state (1e-7 relative), hence 1e-3 ms.
"""

import numpy as np

import eventsim as es
from eventsim.arrays import namespace, to_host
from eventsim.engine import get_backend, place
from tests.support.wiring import slope_before

TIME_ATOL = {"reference": 1e-9, "cpu": 1e-9, "cuda": 1e-9}
SINGLE_ATOL = 1e-3
ATOL = {"double": 1e-9, "single": SINGLE_ATOL}
FIELDS = ("times", "neurons", "offsets", "current", "restart_current")  # of spikes, as arrays


def trains(spikes):
    """dict (sample, neuron) -> ascending spike times."""
    result = {}
    samples = range(len(spikes.offsets) - 1) if hasattr(spikes, "offsets") else range(len(spikes))
    for sample in samples:
        if hasattr(spikes, "offsets"):
            lo, hi = spikes.offsets[sample], spikes.offsets[sample + 1]
            times, neurons = spikes.times[lo:hi], spikes.neurons[lo:hi]
        else:
            times, neurons = spikes[sample]
        for neuron in np.unique(neurons):
            result[sample, int(neuron)] = np.sort(np.asarray(times)[neurons == neuron])
    return result


def counts_of(tape):
    """dict (population, sample, neuron) -> number of spikes, silent neurons left out."""
    return {
        (name, *key): times.size for name in tape.names for key, times in trains(tape[name]).items()
    }


def assert_same_trains(actual, expected, *, atol_ms):
    """As :func:`assert_same_spikes`, of the spikes of one population; how many there are."""
    first = _first_divergence(trains(actual), trains(expected), atol_ms)
    assert first is None, "near {:.9f} ms, {}: actual {}, expected {}".format(*first)
    return len(expected)


def assert_same_bits(actual, expected, fields=FIELDS):
    """Spikes of one population on the host: all that is stored of them."""
    for field in fields:
        one, other = getattr(actual, field), getattr(expected, field)
        assert np.array_equal(one, other, equal_nan=one.dtype.kind == "f"), field


def count_different(actual, expected, atol_ms):
    """``(how many spikes differ, spikes in all)`` of two tapes: in time, or there in one alone."""
    total = different = 0
    for name in expected.names:
        mine, theirs = trains(actual[name]), trains(expected[name])
        for key in mine.keys() | theirs.keys():
            a, b = mine.get(key, np.zeros(0)), theirs.get(key, np.zeros(0))
            n = min(a.size, b.size)
            total += max(a.size, b.size)
            different += int((np.abs(a[:n] - b[:n]) > atol_ms).sum()) + abs(a.size - b.size)
    return different, total


def assert_same_spikes(actual, expected, *, atol_ms, net=None):
    """Same neurons, same counts, times within ``atol_ms``; else report the first divergence.

    ``actual`` is a tape, ``expected`` a tape or a dict name -> list of (times, neurons). With
    ``net`` the slope of V at threshold is reported too: a small one explains a large difference.
    """
    names = list(expected.names) if hasattr(expected, "names") else list(expected)
    assert sorted(actual.names) == sorted(names)
    total = 0
    for name in actual.names:
        mine, theirs = trains(actual[name]), trains(expected[name])
        total += sum(times.size for times in theirs.values())
        first = _first_divergence(mine, theirs, atol_ms)
        if first is None:
            continue
        when, (sample, neuron), left, right = first
        text = (
            f"Population {name!r}, sample {sample}, neuron {neuron}: first divergence near "
            f"{when:.9f} ms: actual {left}, expected {right}. Spikes in all: "
            f"{sum(t.size for t in mine.values())} and {sum(t.size for t in theirs.values())}."
        )
        if net is not None:
            slope = slope_before(net, actual, name, sample, neuron, when)
            text += f" Slope of V there in the actual run: {slope:.3e} per ms."
        raise AssertionError(text)
    return total


def assert_close_by_name(actual, expected, *, rtol, floor=0.0):
    """Arrays by name: within ``rtol`` of the largest expected entry of each, at least ``floor``."""
    assert actual.keys() == expected.keys()
    for name, values in expected.items():
        scale = max(np.abs(values).max(initial=0.0), floor)
        np.testing.assert_allclose(actual[name], values, rtol=0, atol=rtol * scale, err_msg=name)


def assert_same_gradients(actual, expected, *, rtol, floor=0.0):
    """Gradients by all parameters and by the input's times: see :func:`assert_close_by_name`."""
    named = [found.flat() | {"input times": found.input_times} for found in (actual, expected)]
    assert_close_by_name(*named, rtol=rtol, floor=floor)


def assert_agrees(net, stream, backend, loss=None, *, rtol=1e-8, **how):
    """Spikes, counts and gradients of a backend are those of the reference; how many spikes."""
    tapes = [es.simulate(net, stream, backend=backend, **how)]
    tapes.append(es.simulate(net, stream, backend="reference"))
    n_spikes = assert_same_spikes(*tapes, atol_ms=ATOL[tapes[0].precision], net=net)
    assert dict(tapes[0].synaptic_events) == dict(tapes[1].synaptic_events)
    if loss is not None:
        found, expected = (es.backward(net, tape, loss) for tape in tapes)
        assert found.grazes == expected.grazes
        assert_same_gradients(found, expected, rtol=rtol)
    return n_spikes


def assert_resident_agrees(net, stream, backend, loss, *, rtol, resident=True, placed=True, **how):
    """Gradients on the device are those on the host, and lie where the network lies."""
    there = place(net, backend=backend) if placed else net
    tape = es.simulate(there, stream, backend=backend, resident=resident, **how)
    found = es.backward(there, tape, loss)
    expected = es.backward(net, es.simulate(net, stream, backend=backend, **how), loss)
    np.testing.assert_allclose(found.loss, expected.loss, rtol=rtol)
    assert found.grazes == expected.grazes
    if resident:
        assert namespace(found.input_times) is get_backend(backend).xp
    flat = found.flat()
    for key, values in expected.flat().items():
        assert namespace(flat[key]) is namespace(there.parameters()[key])
        assert flat[key].shape == values.shape
    on_host = {key: to_host(values) for key, values in flat.items()}
    named = on_host | {"input times": to_host(found.input_times)}
    others = expected.flat() | {"input times": expected.input_times}
    assert_close_by_name(named, others, rtol=rtol, floor=1e-300)


def _first_divergence(mine, theirs, atol_ms):
    """``(time, (sample, neuron), actual, expected)`` of the earliest difference, or None."""
    found = []
    for key in mine.keys() | theirs.keys():
        a, b = mine.get(key, np.zeros(0)), theirs.get(key, np.zeros(0))
        n = min(a.size, b.size)
        bad = np.flatnonzero(~(np.abs(a[:n] - b[:n]) <= atol_ms))
        if bad.size:
            k = int(bad[0])
            found.append((float(min(a[k], b[k])), key, repr(float(a[k])), repr(float(b[k]))))
        elif a.size != b.size:
            longer = a if a.size > b.size else b
            what = [repr(float(x[n])) if x.size > n else "no spike" for x in (a, b)]
            found.append((float(longer[n]), key, *what))
    return min(found, default=None)


def assert_sorted(spikes):
    """Spikes are ordered by (sample, time, neuron) with fitting offsets and types."""
    assert spikes.times.dtype == np.float64
    assert spikes.neurons.dtype == np.int32
    assert spikes.offsets.dtype == np.int64
    assert spikes.offsets[0] == 0
    assert spikes.offsets[-1] == spikes.times.size == spikes.neurons.size
    assert (np.diff(spikes.offsets) >= 0).all()
    sample = np.repeat(np.arange(spikes.offsets.size - 1), np.diff(spikes.offsets))
    order = np.lexsort((spikes.neurons, spikes.times, sample))
    assert np.array_equal(order, np.arange(order.size))
