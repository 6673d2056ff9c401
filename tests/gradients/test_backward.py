"""What ``es.backward`` accepts and returns, and ``es.gradcheck`` against it."""

import functools

import numpy as np
import pytest

import eventsim as es
from eventsim.adjoint.backward import begin_backward
from tests.support.compare import assert_close_by_name, assert_same_gradients
from tests.support.losses import Readout, SpikeTimes, Sum
from tests.support.nets import (
    lateral_net,
    one_neuron,
    one_sample,
    random_net,
    random_stream,
    rebuilt,
)

CHECKED = {
    "two layers, dense": (506, {"hidden": (4, 3), "tau_ratio": 0.25}),
    "two layers, sparse": (538, {"hidden": (4, 3), "tau_ratio": 4.0, "sparse": True}),
    "three layers": (503, {"hidden": (3, 3, 2), "tau_ratio": 1.0, "delays": "scalar"}),
}


def small(seed=501, **options):
    net = random_net(seed, n_inputs=3, n_outputs=2, **({"hidden": (4, 3)} | options))
    return net, random_stream(502, n_samples=2, n_channels=3, duration=40.0, rate=120.0)


@pytest.mark.crossed("seconds each; test_differences.py has every backend", test=0, all=1)
@pytest.mark.parametrize("name", list(CHECKED))
def test_gradcheck_finds_every_gradient_right(fast_backend, name):
    seed, options = CHECKED[name]
    net, stream = small(seed, **options)
    tape = es.simulate(net, stream, backend=fast_backend)
    assert all((tape[n].counts().sum(axis=0) > 1).all() for n in tape.names)
    loss = Sum(SpikeTimes("hidden1", "hidden2"), Readout(25.0))
    # Entries of one array go one way. test_differences.py takes others, with a formula of its own,
    # through the reference too, and tests/gpu/test_bits.py holds the CUDA text to cpu.
    check = es.gradcheck(net, stream, loss, step=1e-5, backend=fast_backend, n_directions=1)
    # Directions in which a spike appears or vanishes are left out, and counted.
    assert check.fraction_compared > 0.9
    assert check.worst_relative_error < 1e-6
    assert check.n_compared >= 20


def test_gradcheck_sees_a_wrong_gradient():
    # A loss whose seeds are off by one part in a thousand is not its own gradient.
    net, stream = small(hidden=(3, 2))

    class Wrong(SpikeTimes):
        def __call__(self, net, tape):
            loss, seeds = super().__call__(net, tape)
            return loss, {name: seed * 1.001 for name, seed in seeds.items()}

    right, wrong = SpikeTimes("hidden1", "hidden2"), Wrong("hidden1", "hidden2")
    options = {"backend": "cpu", "n_directions": 1, "seed": 1}
    assert es.gradcheck(net, stream, right, **options).worst_relative_error < 1e-6
    assert es.gradcheck(net, stream, wrong, **options).worst_relative_error > 1e-4


def test_gradcheck_sees_a_gradient_where_there_is_none():
    net, stream = small(hidden=(3, 2))

    class Constant(SpikeTimes):
        def __call__(self, net, tape):
            return 1.0, super().__call__(net, tape)[1]

    check = es.gradcheck(net, stream, Constant("hidden2"), backend="cpu", n_directions=1)
    assert check.worst_relative_error > 0.1


@pytest.mark.parametrize("jumps", [False, True], ids=["bends", "jumps"])
@pytest.mark.parametrize("away", [1e-12, 1e-10, 1e-8, 1e-7, 1e-6, 1e-5, 1e-4])
@pytest.mark.parametrize("size", [1e-3, 1.0])
def test_gradcheck_blames_no_right_gradient_beside_a_place_where_the_loss_bends(size, away, jumps):
    # A graze elsewhere does this. Steps that are all beyond it agree with each other, not with it.
    net, stream = one_neuron(8.0, tau_mem=10.0, tau_syn=10.0, refractory=1.0), one_sample([3.0])
    net.projections["input->hidden"].delays[...] = 1.0
    place = float(es.simulate(net, stream, backend="cpu")["hidden"].times[0]) + away

    class Bent:
        def __call__(self, net, tape):
            time, *_ = times = tape["hidden"].times
            beyond = size * (1e-7 * (time > place) if jumps else max(0.0, time - place))
            seeds = np.zeros_like(times)
            seeds[0] = 1.0 + np.cos(time / 9.0) / 9.0
            return float(time + np.sin(time / 9.0) + beyond), {"hidden": seeds}

    check = es.gradcheck(net, stream, Bent(), backend="cpu")
    assert check.worst_relative_error < 2e-6
    if away > 1e-5:  # some step settles it
        assert check.n_compared == sum(map(np.size, net.parameters().values())) + 1


def test_gradcheck_leaves_out_and_counts_vanishing_spikes(backend):
    # The only spike grazes: one part in 1e7 of weight, resistance or threshold removes it.
    tau, peak = 10.0, np.exp(-1.0)
    weight = (1.0 + 1e-8) / peak
    net = one_neuron(weight, tau_mem=tau, tau_syn=tau)
    stream = one_sample([3.0])
    assert es.simulate(net, stream, backend=backend)["hidden"].times.size == 1
    check = es.gradcheck(net, stream, SpikeTimes("hidden"), step=1e-5, backend=backend)
    assert check.n_left_out > 0
    assert check.fraction_compared < 1.0


@pytest.mark.parametrize("sparse", [False, True])
@pytest.mark.parametrize("delays", ["scalar", "source", "synapse"])
def test_flat_gradients_have_the_keys_and_shapes_of_the_parameters(backend, sparse, delays):
    net, stream = small(sparse=sparse, delays=delays, self_delays="scalar")
    loss = Sum(SpikeTimes("hidden1"), Readout(20.0))
    gradients = es.backward(net, es.simulate(net, stream, backend=backend), loss)
    flat, parameters = gradients.flat(), net.parameters()
    assert flat.keys() == parameters.keys()
    for key, value in parameters.items():
        assert flat[key].shape == value.shape, key
        assert flat[key].dtype == np.float64
        assert np.isfinite(flat[key]).all()
        owner, _, field = key.rpartition(".")
        assert np.array_equal(getattr(gradients[owner], field), flat[key])
    assert gradients.input_times.shape == (stream.n_events,)


def test_scalar_delay_gradient_is_the_sum_over_its_synapses(backend):
    scalar, stream = small(delays="scalar", hidden=(4,), self_delays="none")

    def spelled(p):
        delays = p.delays if p.one_to_one else np.full(p.weights.shape, float(p.delays))
        return p.weights, delays

    fine = rebuilt(scalar, spelled)
    loss = Sum(SpikeTimes("hidden1"), Readout(20.0))
    one, many = (
        es.backward(net, es.simulate(net, stream, backend=backend), loss) for net in (scalar, fine)
    )
    for key in ("input->hidden1", "hidden1->output", "input->output"):
        total, parts = np.sum(one[key].delays), many[key].delays
        assert abs(total - parts.sum()) <= 1e-10 * np.abs(parts).sum()


@pytest.mark.parametrize("delays", ["scalar", "source"])
@pytest.mark.parametrize("sparse", [False, True])
def test_gradients_that_are_asked_for_are_those_of_all(backend, sparse, delays):
    # dL/dt of the input's events is not computed where no delay of the input is learned.
    net, stream = small(sparse=sparse, delays=delays)
    tape = es.simulate(net, stream, backend=backend)
    loss = Sum(SpikeTimes("hidden1", "hidden2"), Readout(25.0))
    every = es.backward(net, tape, loss)
    of_input = [key for key in every.flat() if key.startswith("input->")]
    moved = [key for key in of_input if key.endswith(".delays")]
    assert len(moved) >= 2
    assert all(np.abs(every.flat()[key]).max() > 0.0 for key in moved)
    for keys in ([key for key in every.flat() if key not in moved], moved[:1], list(every.flat())):
        some = begin_backward(net, tape, loss, keys=keys).values
        for key in keys:
            np.testing.assert_allclose(some[key], every.flat()[key], rtol=1e-12, atol=1e-15)


def test_single_precision_gradient_points_the_same_way(fast_backend):
    net = random_net(521, hidden=(5, 4))
    stream = random_stream(522, n_samples=2, duration=40.0)
    loss = Sum(SpikeTimes("hidden1", "hidden2"), Readout(30.0))
    double, single = (
        es.backward(net, es.simulate(net, stream, backend=fast_backend, precision=p), loss).flat()
        for p in ("double", "single")
    )
    for key, array in double.items():
        assert single[key].dtype == np.float64
        error = np.linalg.norm(single[key] - array)
        assert error <= 1e-2 * np.linalg.norm(array), key


def test_silent_network_has_zero_gradients(backend):
    net = random_net(531, hidden=(4, 3))
    stream = es.EventStream([], [], [0, 0], n_channels=5, duration=10.0)
    tape = es.simulate(net, stream, backend=backend)
    gradients = es.backward(net, tape, {name: np.zeros(0) for name in tape.names})
    assert all((array == 0.0).all() for array in gradients.flat().values())
    assert gradients.input_times.shape == (0,)
    assert gradients.grazes == 0


def test_batch_gradient_is_the_sum_of_its_samples(backend):
    net, stream = small()
    loss = Sum(SpikeTimes("hidden1", "hidden2"), Readout(20.0))
    tape = es.simulate(net, stream, backend=backend)
    seeds = loss(net, tape)[1]
    whole = es.backward(net, tape, seeds)
    total = dict.fromkeys(whole.flat(), 0.0)
    times = []
    for index in range(stream.n_samples):
        part = es.simulate(net, stream[index], backend=backend)
        mine = {}
        for name, seed in seeds.items():
            if isinstance(seed, es.ReadoutSeed):
                mine[name] = es.ReadoutSeed(seed.time_constant, seed.integral[[index]])
            else:
                lo, hi = tape[name].offsets[index], tape[name].offsets[index + 1]
                mine[name] = seed[lo:hi]
        gradients = es.backward(net, part, mine)
        times.append(gradients.input_times)
        for key, array in gradients.flat().items():
            total[key] = total[key] + array
    np.testing.assert_allclose(np.concatenate(times), whole.input_times, rtol=1e-10, atol=1e-12)
    assert_close_by_name(total, whole.flat(), rtol=1e-11)


LIMIT = {"double": 1e-9, "single": 2e-2}


@functools.cache
def of_the_reference(problem, *arguments):
    """Gradients of a problem, which the reference takes long for: once in a process."""
    net, stream, loss = problem(*arguments)
    return es.backward(net, es.simulate(net, stream, backend="reference"), loss).flat()


BEHIND = {
    "delays by source": {"delays": "source", "self_delays": "none"},
    "pacemakers": {"delays": "none", "self_delays": "neuron", "pacemakers": True},
    "delays by synapse": {"delays": "synapse"},
    "sparse": {"sparse": True, "delays": "scalar", "self_delays": "none"},
}


def spikes_behind_the_last_event(name):
    net = random_net(17, hidden=(8, 6), **BEHIND[name])
    rng, samples = np.random.default_rng(18), []
    for i in range(10):  # so many that some are taken one after the other
        times = 20.0 * (i % 2) + np.sort(rng.uniform(0.0, 50.0, 60))
        samples.append((times, rng.integers(0, 5, times.size)))
    stream = es.EventStream.from_samples(samples, n_channels=5, duration=[140.0, 130.0] * 5)
    return net, stream, SpikeTimes("hidden1", "hidden2")


@pytest.mark.crossed("the reference takes seconds each", test=0)
@pytest.mark.parametrize(
    ("name", "precision"), [("delays by source", "single"), *((n, "double") for n in BEHIND)]
)
def test_spikes_behind_the_last_event_take_nothing_from_another_sample(
    fast_backend, name, precision
):
    net, stream, loss = spikes_behind_the_last_event(name)
    tape = es.simulate(net, stream, backend=fast_backend, precision=precision)
    sample = np.repeat(np.arange(10), np.diff(tape["hidden1"].offsets))
    last = stream.times[stream.offsets[1:] - 1] + 6.0  # and the longest delay
    assert np.count_nonzero(tape["hidden1"].times > last[sample]) > 10
    expected = of_the_reference(spikes_behind_the_last_event, name)
    found = es.backward(net, tape, loss).flat()
    assert_close_by_name(found, expected, rtol=LIMIT[precision], floor=1e-10)


def loops_of_many_samples(delays):
    net = lateral_net(19, size=4, delays=delays, sparse=False)
    rng, samples = np.random.default_rng(20), []
    for i in range(10):  # so many that some are taken one after the other
        times = 10.0 * (i % 3) + np.sort(np.round(rng.uniform(0.0, 30.0, 16), 1))
        samples.append((times, rng.integers(0, 5, times.size)))
    stream = es.EventStream.from_samples(samples, n_channels=5, duration=[60.0, 55.0] * 5)
    return net, stream, Sum(SpikeTimes("a", "b"), Readout(20.0))


@pytest.mark.thorough("seconds by the reference; runs of the CUDA text hold loops in make test")
@pytest.mark.crossed("the reference takes seconds each", all=1)
@pytest.mark.parametrize("precision", ["double", "single"])
@pytest.mark.parametrize("delays", ["none", "source", "synapse"])
def test_loops_of_many_samples_have_the_gradients_of_the_reference(fast_backend, delays, precision):
    # Neurons that all meet the same events lie side by side, others wait for one another.
    net, stream, loss = loops_of_many_samples(delays)
    tape = es.simulate(net, stream, backend=fast_backend, precision=precision)
    assert len(tape["a"]) > 50
    expected = of_the_reference(loops_of_many_samples, delays)
    found = es.backward(net, tape, loss).flat()
    assert_close_by_name(found, expected, rtol=LIMIT[precision], floor=1e-10)


@pytest.mark.parametrize("precision", ["double", "single"])
@pytest.mark.parametrize(
    "options",
    [
        {"sparse": True, "delays": "scalar", "self_delays": "none"},
        {"sparse": True, "delays": "synapse", "self_delays": "neuron"},
    ],
    ids=["sparse", "delays by synapse"],
)
def test_many_arrivals_between_two_stops_are_met_one_and_all(fast_backend, options, precision):
    # More than a hundred in a row, of which some are at one time, and none in long silences.
    net = random_net(71, n_inputs=12, hidden=(7, 5), **options)
    for name in ("hidden1", "hidden2"):
        p = net.population(name)
        p.threshold[1:] += 9.0 * (p.threshold - p.v_leak)[1:]  # silent for long, or always
    rng, samples = np.random.default_rng(72), []
    for begin in (0.0, 120.0, 40.0):
        times = np.sort(begin + np.round(rng.uniform(0.0, 30.0, 400), 1))
        samples.append((times, rng.integers(0, 12, times.size)))
    stream = es.EventStream.from_samples(samples, n_channels=12, duration=[220.0, 160.0, 90.0])
    tape = es.simulate(net, stream, backend=fast_backend, precision=precision)
    expected = es.simulate(net, stream, backend="reference")
    counts = np.bincount(expected["hidden1"].neurons, minlength=7)
    assert counts.max() > 20
    assert counts.min() <= 2  # of some 600 arrivals each
    loss = Sum(SpikeTimes("hidden1", "hidden2"), Readout(25.0))
    found = [es.backward(net, one, loss) for one in (tape, expected)]
    assert_same_gradients(*found, rtol=1e-9 if precision == "double" else 1e-3, floor=1e-12)


def test_reloaded_tape_gives_the_same_gradient(backend, tmp_path):
    net, stream = small()
    tape = es.simulate(net, stream, backend=backend)
    tape.save(tmp_path / "tape.npz")
    loss = Sum(SpikeTimes("hidden1", "hidden2"), Readout(20.0))
    expected = es.backward(net, tape, loss).flat()
    actual = es.backward(net, es.SpikeTape.load(tmp_path / "tape.npz"), loss).flat()
    assert_close_by_name(actual, expected, rtol=0.0)


def test_gradients_near_a_grazing_spike_are_large_and_finite_or_counted(backend):
    # Within rounding of the border the slope at threshold may come out as zero or below. Then
    # the gradient does not exist: that spike is counted, never turned into inf or NaN.
    fired = []
    for ulps in range(-40, 41):
        weight = np.e * (1.0 + ulps * np.finfo(float).eps)
        net = one_neuron(weight, tau_mem=10.0, tau_syn=10.0)
        tape = es.simulate(net, one_sample([3.0]), backend=backend)
        fired.append(tape["hidden"].times.size)
        gradients = es.backward(net, tape, SpikeTimes("hidden"))
        assert all(np.isfinite(array).all() for array in gradients.flat().values())
        slope = abs(gradients["input->hidden"].weights[0, 0])
        if not fired[-1]:
            assert (gradients.grazes, slope) == (0, 0.0)
        else:
            assert gradients.grazes == 1 or slope > 1e5
    assert fired[0] == 0
    assert fired[-1] == 1
