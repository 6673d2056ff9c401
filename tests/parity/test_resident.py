"""Spikes that stay on the device: the same numbers as with spikes that come to the host."""

import numpy as np
import pytest

import eventsim as es
from eventsim.arrays import namespace, to_host
from eventsim.engine import get_backend, place, using_backend
from eventsim.errors import BackendError, ParameterError
from eventsim.train import (
    AdamSettings,
    AdamW,
    CrossEntropy,
    FirstSpike,
    RateBand,
    SumOfLosses,
    TrainConfig,
    VanRossum,
    evaluate,
    lift_silent,
    select,
    train,
)
from eventsim.train.loss_settings import MaximumLoss
from tests.support.compare import assert_resident_agrees
from tests.support.losses import all_losses as every_loss
from tests.support.nets import lateral_net, random_net, random_stream, with_adaptation
from tests.unit.train.task import (
    Stop,
    assert_same_net,
    assert_same_run,
    shared_net,
    small_net,
    stop_at,
    two_patterns,
)

N_SAMPLES = 3
# NumPy's and CuPy's functions differ by their last bits.
RTOL = 1e-12

NETS = {
    "dense": lambda: random_net(71, delays="none", self_delays="none"),
    "scalar delays": lambda: random_net(72, sparse=True, delays="scalar", self_delays="scalar"),
    "delays by source": lambda: random_net(73, delays="source"),
    "delays by synapse": lambda: random_net(74, delays="synapse"),
    "sparse": lambda: random_net(75, sparse=True, delays="synapse"),
    "loop": lambda: lateral_net(76),
    "single weights": lambda: random_net(75, delays="source").with_weight_dtype(np.float32),
    "single delays": lambda: random_net(75, delays="source").with_delay_dtype(np.float32),
}


@pytest.fixture(params=NETS)
def net(request):
    return NETS[request.param]()


@pytest.fixture
def stream():
    return random_stream(77, n_samples=N_SAMPLES, duration=60.0)


def run(net, stream, backend, *, resident):
    return es.simulate(net, stream, backend=backend, resident=resident)


def all_losses(net, stream):
    """Losses that between them use all of the tape."""
    last = next(reversed([p for p in net.populations.values() if p.kind == "spiking"]))
    other = es.simulate(net, random_stream(78, n_samples=N_SAMPLES), backend="cpu")
    terms = [
        (1.0, FirstSpike(np.arange(N_SAMPLES) % last.size, population=last.name)),
        (0.3, VanRossum(other[last.name], population=last.name)),
        (0.5, RateBand(20.0, 60.0, strength=0.1)),
    ]
    for p in net.populations.values():
        if p.kind == "readout":
            labels = np.arange(N_SAMPLES) % p.size
            terms.append((2.0, CrossEntropy(labels, readout=p.name, time_constant=30.0)))
    return SumOfLosses(tuple(terms))


def assert_close(actual, expected):
    scale = np.abs(expected).max(initial=1e-300)
    np.testing.assert_allclose(actual, expected, rtol=RTOL, atol=RTOL * scale)


def test_resident_tape_holds_the_same_spikes_on_the_device(fast_backend, net, stream):
    resident = run(net, stream, fast_backend, resident=True)
    expected = run(net, stream, fast_backend, resident=False)
    assert resident.synaptic_events == expected.synaptic_events
    for name in expected.names:
        assert type(expected[name].times) is np.ndarray
        assert namespace(resident[name].times) is get_backend(fast_backend).xp
        for field in ("times", "neurons", "offsets", "current", "restart_current"):
            mine = to_host(getattr(resident[name], field))
            np.testing.assert_array_equal(mine, getattr(expected[name], field))
        np.testing.assert_array_equal(to_host(resident[name].counts()), expected[name].counts())
        times, neurons = resident[name].sample(1)
        np.testing.assert_array_equal(to_host(times), expected[name].sample(1)[0])
        np.testing.assert_array_equal(to_host(neurons), expected[name].sample(1)[1])


def test_resident_tape_is_saved_like_any_other(fast_backend, stream, tmp_path):
    net = NETS["sparse"]()
    run(net, stream, fast_backend, resident=True).save(tmp_path / "resident.npz")
    loaded = es.SpikeTape.load(tmp_path / "resident.npz")
    expected = run(net, stream, fast_backend, resident=False)
    assert loaded.placed_input is None
    for name in expected.names:
        np.testing.assert_array_equal(loaded[name].times, expected[name].times)


def test_losses_of_a_silent_network_are_those_of_the_other(fast_backend, stream):
    net = NETS["sparse"]()
    loss = all_losses(net, stream)
    for key, values in net.parameters().items():
        if key.endswith(".weights"):
            values[...] = 0.0
        if key.endswith(".v_leak"):
            values[...] = -0.1
    tapes = [run(net, stream, fast_backend, resident=resident) for resident in (True, False)]
    assert len(tapes[0]["hidden1"]) == 0
    values = [es.backward(net, tape, loss).loss for tape in tapes]
    assert values[0] == pytest.approx(values[1], rel=RTOL)


@pytest.mark.parametrize("placed", [False, True])
def test_losses_and_gradients_of_a_resident_tape_are_those_of_the_other(
    fast_backend, net, stream, placed
):
    last = list(net.spiking.values())[-1]
    last.threshold[:2] = 30.0  # silent, so that there are near misses
    loss = SumOfLosses(((1.0, all_losses(net, stream)), (1.0, every_loss(last.name))))
    assert_resident_agrees(net, stream, fast_backend, loss, rtol=RTOL, placed=placed)


@pytest.mark.parametrize("placed", [False, True])
def test_readout_without_a_loss_has_zeros_where_the_network_is(fast_backend, net, stream, placed):
    name = next(name for name, p in net.populations.items() if p.kind == "spiking")
    loss = FirstSpike(np.zeros(N_SAMPLES, dtype=np.int64), population=name)
    assert_resident_agrees(net, stream, fast_backend, loss, rtol=RTOL, placed=placed)


def test_placed_network_gives_a_tape_on_the_host_unless_it_is_to_stay(fast_backend, net, stream):
    where = {"resident": False, "rtol": RTOL}
    assert_resident_agrees(net, stream, fast_backend, all_losses(net, stream), **where)


def test_readout_of_a_resident_tape_is_that_of_the_other(fast_backend, stream):
    net = NETS["sparse"]()
    there = place(net, backend=fast_backend)
    resident = run(there, stream, fast_backend, resident=True)
    expected = run(net, stream, fast_backend, resident=False)
    for time_constant in (np.inf, 20.0):
        mine = es.readout_integral(there, resident, "output", time_constant=time_constant)
        theirs = es.readout_integral(net, expected, "output", time_constant=time_constant)
        assert type(theirs) is np.ndarray
        assert_close(to_host(mine), theirs)
    at = np.linspace(0.0, 60.0, 7)
    voltage = es.voltage(there, resident, "output", at)
    np.testing.assert_array_equal(voltage, es.voltage(net, expected, "output", at))


def test_network_comes_back_from_the_device_as_it_was(fast_backend, net):
    there = place(net, backend=fast_backend)
    assert place(there, backend=fast_backend) is there
    back = there.to_host()
    expected, found = net.to_arrays(), back.to_arrays()
    assert found.keys() == expected.keys() == there.to_arrays().keys()
    for key, values in expected.items():
        assert type(there.to_arrays()[key]) is np.ndarray
        np.testing.assert_array_equal(found[key], values)
        np.testing.assert_array_equal(there.to_arrays()[key], values)


def test_value_out_of_its_domain_is_named_on_the_device_too(fast_backend, net):
    there = place(net, backend=fast_backend)
    name = next(p.name for p in net.populations.values() if p.kind == "spiking")
    there.population(name).tau_mem[1] = -1.0
    with pytest.raises(ParameterError, match=rf"{name}.*neuron 1: tau_mem is -1\.0"):
        there.check()
    there.population(name).tau_mem[1] = 1.0
    projection = next(iter(there.projections.values()))
    projection.values.ravel()[1:2] = np.nan
    with pytest.raises(ParameterError, match=rf"{projection.name}.*a weight is nan"):
        there.check()


def test_copy_of_a_placed_network_shares_nothing(fast_backend, net):
    there = place(net.copy(), backend=fast_backend)
    copied = there.copy()
    for values in copied.parameters().values():
        values += 1.0
    for key, values in net.parameters().items():
        np.testing.assert_array_equal(to_host(there.parameters()[key]), values)


def test_optimiser_takes_the_same_steps_on_the_device(fast_backend, net):
    kinds = ["weights", "delays", "tau_mem", "resistance", "threshold", "v_leak", "refractory"]
    rng = np.random.default_rng(0)
    mine, theirs = place(net.copy(), backend=fast_backend), net.copy()
    settings = AdamSettings(weight_decay=0.1, clip_norm=2.0)
    optimisers = [AdamW(n, select(n, kinds), settings) for n in (mine, theirs)]
    for _ in range(3):
        gradients = {key: rng.normal(size=v.shape) for key, v in net.parameters().items()}
        reports = [optimiser.step(gradients) for optimiser in optimisers]
        assert reports[0].norm == pytest.approx(reports[1].norm, rel=RTOL)
        assert reports[0].clipped
    for key, values in theirs.parameters().items():
        assert_close(to_host(mine.parameters()[key]), values)
    arrays = optimisers[0].to_arrays()
    for key, values in optimisers[1].to_arrays().items():
        assert type(arrays[key]) is np.ndarray
        assert_close(arrays[key], values)
    optimisers[0].load_arrays(arrays)
    for key, values in optimisers[0].to_arrays().items():
        np.testing.assert_array_equal(values, arrays[key])


def test_silent_neurons_are_lifted_on_the_device(fast_backend, net):
    there = place(net.copy(), backend=fast_backend)
    counts = {
        p.name: np.arange(p.size) % 2 for p in net.populations.values() if p.kind == "spiking"
    }
    assert lift_silent(there, counts, amount=0.25) == lift_silent(net, counts, amount=0.25) > 0
    for key, values in net.parameters().items():
        np.testing.assert_array_equal(to_host(there.parameters()[key]), values)


def decided_net():
    return es.convolutional(
        6, (4,), 2, output_maps=6, kernel=(3, 3), forward_delays=(0.0, 20.0), mean=4.0
    )


JITTER = es.train.Augmentation(jitter=1.0)
TRAINED = {
    "plain": (small_net, {}),
    "shared values": (shared_net, {"augmentation": JITTER}),
    "decision on maxima": (decided_net, {"loss": MaximumLoss(dropout=0.3), "tail": 20.0}),
    "decision at the end": (decided_net, {"loss": "cross_entropy_last", "tail": 20.0}),
    "adaptive": (
        lambda: with_adaptation(small_net(), 3),
        {"bip": ("tau_mem", "adaptation", "tau_adaptation"), "calibrate": 0.0},
    ),
}


@pytest.mark.parametrize("case", TRAINED)
def test_training_and_evaluation_do_the_same_as_on_the_cpu(fast_backend, case, tmp_path):
    (make, changes), data = TRAINED[case], two_patterns(24)
    settings = {
        "epochs": 2, "batch_size": 8, "precision": "double", "rate_strength": 1e-3,
        "silent_lift": 0.01, "validation_fraction": 0.25,
    }  # fmt: skip
    runs, tests = [], []
    for backend in (fast_backend, "cpu"):
        config = TrainConfig(backend=backend, **settings | changes)
        runs.append(train(make(), data, config, tmp_path / f"{backend}-{len(runs)}"))
        tests.append(evaluate(runs[-1].net, data, config))
    actual, expected = runs
    assert all(type(values) is np.ndarray for values in actual.net.parameters().values())
    assert_same_net(actual.net, expected.net, rtol=1e-7, atol=1e-9)
    start = make().parameters()
    for key, values in actual.net.parameters().items():
        moved = key.rpartition(".")[2] in config.trained()
        assert not moved or not np.array_equal(values, start[key]), key
    assert all(each.agrees(actual.net.parameters()[key]) for key, each in actual.net.shared.items())
    for mine, theirs in zip(actual.history, expected.history, strict=True):
        assert mine["loss"] == pytest.approx(theirs["loss"], rel=1e-9)
        assert mine["validation_accuracy"] == theirs["validation_accuracy"]
        assert mine["synaptic_events_per_sample"] == theirs["synaptic_events_per_sample"]
    np.testing.assert_array_equal(tests[0].confusion, tests[1].confusion)
    assert tests[0].loss == pytest.approx(tests[1].loss, rel=1e-9)


def test_run_that_stops_on_a_device_resumes_with_the_same_bits(fast_backend, tmp_path):
    data, net = two_patterns(12), small_net()
    config = TrainConfig(backend=fast_backend, epochs=2, batch_size=6, validation_fraction=0.5)
    whole = train(net, data, config, tmp_path / "whole")

    with pytest.raises(Stop):
        train(net, data, config, tmp_path / "parts", callback=stop_at(2, 1))
    assert_same_run(train(net, data, config, tmp_path / "parts", resume=True), whole)


def test_network_of_another_library_is_refused(host_cuda, stream):
    there = NETS["dense"]().map(host_cuda.asarray)
    with pytest.raises(BackendError, match=r"'cpu': .* expected arrays of numpy.*net\.to_host\(\)"):
        run(there, stream, "cpu", resident=False)
    with pytest.raises(BackendError, match="arrays of the network"):
        place(there, backend="cpu")
    with using_backend("cuda", host_cuda), pytest.raises(BackendError, match="simulate_chunk"):
        es.simulate_chunk(there, stream, backend="cuda")


@pytest.mark.crossed("seconds each", test=0)
def test_gradcheck_takes_a_placed_network(fast_backend, stream):
    there = place(NETS["delays by source"](), backend=fast_backend)
    loss = FirstSpike(np.zeros(N_SAMPLES, int), population="hidden2")
    found = es.gradcheck(there, stream, loss, backend=fast_backend, n_directions=1)
    assert found.worst_relative_error < 1e-6
    assert found.n_compared > 10
