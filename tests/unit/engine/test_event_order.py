"""Order of events on the CPU: by time, row, and where both are equal as they came."""

import numpy as np
import pytest

from eventsim.compiled import roles_order
from eventsim.compiled.library import library
from eventsim.compiled.roles import SourcesRole, TasksRole
from eventsim.engine.cpu.arrays import addresses

N = 3000
OFFSETS = np.array([0, 0, 1, 30, 1500, 1500, N])
SAMPLE = np.repeat(np.arange(6), np.diff(OFFSETS))
ROWS = 20


def times_of(kind, rng):
    """Times of N events that are hard to share out to buckets of equal length."""
    return {
        "even": rng.uniform(0, 450, N),
        "coarse": np.floor(rng.uniform(0, 45, N)) * 10.0,
        "equal": np.full(N, 3.0),
        "outlier": np.where(np.arange(N) % 1000 == 0, 1e9, rng.uniform(0, 450, N)),
        "bursts": rng.integers(0, 8, N) * 100.0 + rng.exponential(0.01, N),
        "descending": np.arange(N)[::-1].astype(float),
        "exponents": 10.0 ** rng.uniform(-300, 300, N),
        "close": 1.0 + rng.integers(0, 9, N) * np.finfo(float).eps,
        "denormal": rng.integers(0, 9, N) * 5e-324,
    }[kind]


KINDS = (
    "even", "coarse", "equal", "outlier", "bursts", "descending", "exponents", "close", "denormal",
)  # fmt: skip


def sources_of(parts, delay):
    """Sources of ROWS neurons each from (offsets, times, neurons), and the arrays it needs."""
    bases = np.cumsum([0, *(times.size for _, times, _ in parts)])
    first = np.stack([offsets + base for (offsets, _, _), base in zip(parts, bases, strict=False)])
    samples = first.shape[1] - 1
    held = [times for _, times, _ in parts], [neurons for _, _, neurons in parts]
    places = (addresses(list(arrays), bases) for arrays in held)
    begins = np.arange(len(parts)) * ROWS
    role = SourcesRole(first, *places, begins, delay, np.zeros(samples), len(parts), samples)
    return role, held


def merged(parts, delay):
    """Times, rows and numbers by the kernel, on one thread or on two."""
    sources, _held = sources_of(parts, delay)
    found = []
    for threads in (1, 2):
        offsets = sum(offsets for offsets, _, _ in parts)
        out = roles_order.MergedRole(
            offsets, *(np.empty(offsets[-1], kind) for kind in (float, np.int32, np.int64))
        )
        call = roles_order.MergeSources(TasksRole.all(sources.n_samples), sources, out)
        library().run(call, threads=threads)
        found.append(out[1:])
    for one, two in zip(*found, strict=True):
        assert np.array_equal(one, two)
    return found[0]


def by_lexsort(parts, delay):
    """The same, by NumPy."""
    counts = [np.diff(offsets) for offsets, _, _ in parts]
    sample = np.concatenate([np.repeat(np.arange(n.size), n) for n in counts])
    row = np.concatenate([neurons + ROWS * k for k, (_, _, neurons) in enumerate(parts)])
    time = np.concatenate([times for _, times, _ in parts]) + delay[row]
    order = np.lexsort((np.arange(time.size), row, time, sample))
    return time[order], row[order], order


def source_of(kind, seed, *, ordered):
    """Spikes of a source in six samples, in order or not."""
    rng = np.random.default_rng(seed)
    times, neurons = times_of(kind, rng), rng.integers(0, ROWS, N).astype(np.int32)
    if ordered:
        order = np.lexsort((neurons, times, SAMPLE))
        times, neurons = times[order], neurons[order]
    return OFFSETS, times, neurons


@pytest.mark.parametrize("kind", KINDS)
def test_sorted_events_are_those_of_lexsort(kind):
    parts, delay = [source_of(kind, 0, ordered=False)], np.zeros(ROWS)
    for found, expected in zip(merged(parts, delay), by_lexsort(parts, delay), strict=True):
        assert np.array_equal(found, expected)


@pytest.mark.parametrize("n", range(6))
@pytest.mark.parametrize("kind", ["even", "coarse", "equal"])
def test_merged_sources_are_those_of_lexsort(kind, n):
    if n == 0:
        none = np.zeros(7, np.int64), np.zeros(0), np.zeros(0, np.int32)
        parts = [none, none]
    else:
        parts = [source_of(kind, seed, ordered=True) for seed in range(n)]
    delay = np.repeat(np.arange(len(parts)) * 0.5, ROWS)
    for found, expected in zip(merged(parts, delay), by_lexsort(parts, delay), strict=True):
        assert np.array_equal(found, expected)


@pytest.mark.parametrize("rows", [(0, 1), (1, 0)])
@pytest.mark.parametrize("times", [(1.0, 2.0), (2.0, 1.0), (1.0, 1.0)])
def test_two_events_alone_are_put_in_order(times, rows):
    parts = [(np.array([0, 2]), np.array(times), np.array(rows, np.int32))]
    found, expected = (of(parts, np.zeros(ROWS)) for of in (merged, by_lexsort))
    assert all(map(np.array_equal, found, expected))


def test_spikes_that_take_longer_by_neuron_are_put_in_order_of_arrival():
    parts = [source_of("coarse", seed, ordered=True) for seed in range(2)]
    delay = np.random.default_rng(5).integers(0, 9, 2 * ROWS) * 5.0
    for found, expected in zip(merged(parts, delay), by_lexsort(parts, delay), strict=True):
        assert np.array_equal(found, expected)


def test_linked_spikes_are_those_before_of_their_neuron_and_sample():
    _, _, neuron = source_of("even", 1, ordered=True)
    current, restart, resistance = np.random.default_rng(2).normal(size=(3, N))
    out = roles_order.LinkedRole(
        np.empty(N, np.int64), np.empty(N), np.empty(N), np.empty((6, ROWS), np.int64)
    )
    own = roles_order.OwnSpikesRole(OFFSETS, neuron, current, restart, resistance[:ROWS], ROWS)
    library().run(roles_order.LinkSpikes(TasksRole.all(6), own, out))
    before = {}
    for k in range(N):
        key = (SAMPLE[k], neuron[k])
        assert out.previous[k] == before.get(key, -1)
        before[key] = k
    for s in range(6):
        assert out.last[s].tolist() == [before.get((s, n), -1) for n in range(ROWS)]
    assert np.array_equal(out.current, current * resistance[neuron])
    assert np.array_equal(out.restart, restart * resistance[neuron])


@pytest.mark.parametrize("ordered", [False, True], ids=["", "each in order"])
@pytest.mark.parametrize("kind", ["even", "coarse", "equal"])
def test_what_tasks_wrote_is_packed_in_order_of_time_and_neuron(kind, ordered):
    rng, parts = np.random.default_rng(3), 4
    offsets, times, neurons = source_of(kind, 3, ordered=False)
    drives, resistance = rng.normal(size=(2, N)), rng.uniform(1, 2, ROWS)
    cuts = np.sort(rng.integers(0, np.diff(offsets)[:, None] + 1, (6, parts - 1)), axis=1)
    begins = np.concatenate([np.zeros((6, 1), int), cuts], axis=1) + offsets[:-1, None]
    begins, task_round = begins.ravel(), rng.integers(0, 2, 6 * parts)
    counts = np.diff([*begins, N])
    if ordered:
        mine = np.lexsort((neurons, times, np.repeat(np.arange(counts.size), counts)))
        times, neurons = times[mine], neurons[mine]
    # Each of two rounds has its spikes with gaps, and something else where the other has its own.
    rounds = [[], []]
    for values in (times, neurons, *drives):
        for k in range(2):
            mine = np.repeat(task_round == k, counts)
            rounds[k].append(np.concatenate([np.zeros(7), np.where(mine, values, -9)]))
            rounds[k][-1] = rounds[k][-1].astype(values.dtype)
    places = (addresses(list(arrays)) for arrays in zip(*rounds, strict=True))
    out = [np.empty(N, kind) for kind in (float, np.int32, float, float)]
    call = roles_order.PackSpikes(
        TasksRole.all(6),
        roles_order.RoundsRole(*places, task_round, begins + 7, counts, parts),
        roles_order.PackedRole(offsets, *out, resistance),
    )
    library().run(call, threads=2)
    order = np.lexsort((np.arange(N), neurons, times, SAMPLE))
    expected = (times, neurons, *(drives / resistance[neurons]))
    for found, values in zip(out, expected, strict=True):
        assert np.array_equal(found, values[order])
