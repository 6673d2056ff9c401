"""es.calibrate: rates by an independent count, what is scaled and what is not, what is refused."""

import numpy as np
import pytest
import scipy.sparse as sp

import eventsim as es
from eventsim.errors import CalibrationError
from eventsim.events import Dataset
from eventsim.events.begin import from_first_event
from eventsim.events.transforms import extend
from eventsim.network import Network
from tests.support.nets import moved, one_layer, random_stream
from tests.unit.train.task import assert_same_net


def poisson(n_channels, rate, *, n_samples=6, duration=400.0, seed=0):
    """Recordings with events at ``rate`` Hz on every channel."""
    how = {"n_samples": n_samples, "duration": duration, "rate": rate}
    return random_stream(seed, n_channels=n_channels, even=True, **how)


def counted(net, stream, *, backend="cpu", lasts=100.0):
    """Mean rate of every spiking population, spike by spike, in the time of events.

    These go from the first one of a recording to the last, and on for ``lasts`` ms: five times 20.
    """
    tape = es.simulate(net, stream, backend=backend)
    seconds = 0.0
    for sample, end in enumerate(stream.duration.tolist()):
        times = stream.sample(sample)[0]
        seconds += (min(times[-1] + lasts, end) - times[0]) / 1000.0
    found = {}
    for name in net.spiking:
        per_neuron = [0] * net.population(name).size
        for neuron in tape[name].neurons.tolist():
            per_neuron[neuron] += 1
        found[name] = sum(per_neuron) / len(per_neuron) / seconds
    return found


def small_net(*, gain=0.3, size=10):
    rng = np.random.default_rng(4)
    net = one_layer(
        "a", gain * rng.normal(0.5, 0.5, (8, size)), tau_mem=15.0, refractory=1.0, delays=2.0
    )
    net.add_population("b", size, tau_mem=10.0, v_leak=0.1)
    net.add_readout("output", 2)
    net.connect("a", "a", es.self_recurrent(rng.normal(0.0, 0.1, size)))
    net.connect("input", "b", sp.csr_array(gain * rng.normal(0.2, 0.5, (8, size))))
    net.connect("a", "b", gain * rng.normal(0.5, 0.5, (size, size)))
    net.connect("b", "output", rng.normal(0.0, 1.0, (size, 2)))
    return net


@pytest.mark.parametrize("output", ["readout", "spiking"])
@pytest.mark.parametrize(("n_channels", "rate"), [(2312, 5.7), (512, 5.0), (64, 50.0)])
def test_networks_of_the_builder_begin_between_1_and_20_hz(n_channels, rate, output):
    net = es.scsr(n_channels, (128, 128), 10, output=output)
    found = es.calibrate(net, poisson(n_channels, rate), backend="cpu", precision="single")
    for name, hz in counted(found, poisson(n_channels, rate, seed=1)).items():
        assert 1.0 <= hz <= 20.0, name


def test_rates_are_the_target_by_an_independent_count(backend):
    net, stream = small_net(), poisson(8, 60.0, n_samples=5, duration=300.0)
    assert all(rate < 4.0 for rate in counted(net, stream).values())
    found = es.calibrate(net, stream, target_hz=20.0, backend=backend)
    for name, hz in counted(found, stream, backend=backend).items():
        assert hz == pytest.approx(20.0, rel=0.06), name


def test_rates_that_are_too_high_come_down():
    net, stream = small_net(gain=3.0), poisson(8, 60.0)
    assert all(rate > 50.0 for rate in counted(net, stream).values())
    found = counted(es.calibrate(net, stream, target_hz=20.0), stream)
    assert list(found.values()) == pytest.approx([20.0, 20.0], rel=0.06)


def test_one_factor_for_what_comes_from_upstream_and_nothing_else_changes():
    net, stream, told = small_net(), poisson(8, 60.0), []
    before = {key: values.copy() for key, values in net.parameters().items()}
    found = es.calibrate(net, stream, callback=told.append)
    assert [one.populations for one in told] == [("a",), ("b",)]
    factors = {"input->a": told[0].factor, "input->b": told[1].factor, "a->b": told[1].factor}
    assert min(factors.values()) > 1.0
    assert found.parameters().keys() == before.keys()
    for key, values in found.parameters().items():
        factor = factors.get(key.removesuffix(".weights"), 1.0)
        np.testing.assert_array_equal(values, before[key] * factor, err_msg=key)
        np.testing.assert_array_equal(net.parameters()[key], before[key], err_msg=key)
    for one, hz in zip(told, counted(found, stream).values(), strict=True):
        assert one.after == pytest.approx(hz)
    assert told[0].before == pytest.approx(counted(net, stream)["a"])
    assert str(told[0]).startswith("'a': incoming weights times ")


def test_a_network_at_the_target_keeps_its_bits():
    net, stream = small_net(), poisson(8, 60.0)
    once, told = es.calibrate(net, stream), []
    twice = es.calibrate(once, stream, callback=told.append)
    assert [one.factor for one in told] == [1.0, 1.0]
    assert_same_net(twice, once)


def test_patterns_signs_and_shared_weights_are_kept():
    stream = poisson(16, 30.0)
    conv = es.Convolution(16, kernel=5, stride=2, out_maps=3)
    net = Network()
    net.add_input("input", 16)
    net.add_population("maps", conv.n_targets)
    conv.connect(net, "input", "maps", conv.draw(np.random.default_rng(0), mean=0.1, spread=0.3))
    found = es.calibrate(net, stream, target_hz=15.0)
    key, before = "input->maps.weights", net.projections["input->maps"]
    assert found.shared[key].agrees(found.parameters()[key])
    np.testing.assert_array_equal(found.projections["input->maps"].pattern[1], before.pattern[1])
    np.testing.assert_array_equal(np.sign(found.parameters()[key]), np.sign(before.values))
    assert counted(found, stream)["maps"] == pytest.approx(15.0, rel=0.06)


def test_a_loop_is_scaled_as_one_and_keeps_the_weights_inside():
    rng, stream, told = np.random.default_rng(0), poisson(8, 40.0), []
    net = one_layer("exc", rng.uniform(0.0, 0.2, (8, 12)), refractory=1.0)
    net.add_population("inh", 4, refractory=1.0)
    net.connect("exc", "inh", rng.uniform(0.0, 1.0, (12, 4)), delays=1.0)
    net.connect("inh", "exc", rng.uniform(-0.5, 0.0, (4, 12)), delays=1.0)
    found = es.calibrate(net, stream, callback=told.append)
    assert [sorted(one.populations) for one in told] == [["exc", "inh"]]
    rates = counted(found, stream)
    assert (12 * rates["exc"] + 4 * rates["inh"]) / 16 == pytest.approx(10.0, rel=0.06)
    for key in ("exc->inh.weights", "inh->exc.weights"):
        np.testing.assert_array_equal(found.parameters()[key], net.parameters()[key])
    assert (found.parameters()["input->exc.weights"] > net.parameters()["input->exc.weights"]).all()


def test_a_stored_stream_gives_the_same_bits(tmp_path):
    stream = poisson(8, 60.0, n_samples=50)
    Dataset(stream, [0] * 50, ["x"]).save(tmp_path / "x.h5")
    found = [
        es.calibrate(small_net(), given)
        for given in (stream, Dataset.open(tmp_path / "x.h5").stream)
    ]
    assert_same_net(found[1], found[0])


def test_the_tail_of_the_answer_counts_as_no_time():
    """Spikes in the tail count, its silence does not thin the rate: as everywhere else."""
    net, stream = small_net(), poisson(8, 60.0)
    net.set_answer(es.Answer(population="output", rule="integral", tail=500.0))
    found = es.calibrate(net, stream, target_hz=20.0)
    assert list(counted(found, stream).values()) == pytest.approx([20.0, 20.0], rel=0.06)


def refused(net, stream, text, **options):
    with pytest.raises(CalibrationError, match=text) as caught:
        es.calibrate(net, stream, **options)
    return caught.value


def one_population(weights, **parameters):
    net = Network()
    net.add_input("input", 4)
    net.add_population("p", 6, **parameters)
    if weights is not None:
        net.connect("input", "p", np.full((4, 6), weights))
    return net


@pytest.mark.parametrize("n_samples", [0, 3])
def test_recordings_without_events_are_refused(n_samples):
    empty = es.EventStream.from_samples([((), ())] * n_samples, n_channels=4, duration=100.0)
    assert refused(one_population(1.0), empty, f"no events in {n_samples} recordings")


def test_a_population_that_nothing_reaches_is_refused():
    error = refused(one_population(None), poisson(4, 40.0), "'p' .* no upstream population")
    assert (error.population, error.rate) == ("p", 0.0)


@pytest.mark.parametrize("weight", [-1.0, 0.0])
def test_only_inhibition_is_refused(weight):
    refused(one_population(weight), poisson(4, 40.0), "no source with spikes excites it")


def test_excitation_by_silent_channels_alone_is_refused():
    net, stream = one_population(-1.0), poisson(3, 40.0)
    net.projections["input->p"].values[3] = 1.0
    silent = es.EventStream(
        stream.times, stream.channels, stream.offsets, n_channels=4, duration=stream.duration
    )
    refused(net, silent, "no source with spikes excites it")


def test_a_population_that_fires_by_itself_is_refused_above_the_target_only():
    fast = one_population(0.1, v_leak=2.0, tau_mem=10.0)  # every 7 ms: 144 Hz
    refused(fast, poisson(4, 40.0), r"fires 14\d times without its input")
    slow = one_population(None, v_leak=1.0001, tau_mem=10.0)  # every 92 ms: 10 Hz
    found = es.calibrate(slow, poisson(4, 40.0, duration=1000.0))
    np.testing.assert_array_equal(found.population("p").v_leak, slow.population("p").v_leak)


def test_recordings_too_short_for_the_target_are_refused():
    """All neurons are alike: they fire all or none, 6 spikes in 20 ms are 50 Hz."""
    short = es.EventStream([1.0], [0], [0, 1], n_channels=4, duration=21.0)
    refused(one_population(0.1, refractory=50.0), short, "50 is the nearest rate")
    longer = es.EventStream([1.0], [0], [0, 1], n_channels=4, duration=61.0)
    found = es.calibrate(one_population(0.1, refractory=100.0), longer)
    assert counted(found, longer)["p"] == pytest.approx(1000.0 / 60.0)


@pytest.mark.parametrize("shift", [1000.0, 37250.0])
def test_silence_around_the_events_changes_no_factor(shift, caplog):
    """Recordings of a clock that goes on, and those that are padded at their end."""
    net, stream, told = small_net(), poisson(8, 60.0, n_samples=2), []
    stream = extend(from_first_event(stream), 102.0)  # until it is forgotten: 5 * 20 ms + 2 ms
    es.calibrate(net, stream, callback=told.append)
    for before, behind in ((shift, 0.0), (0.0, shift)):
        again = []
        es.calibrate(net, moved(stream, before, behind), callback=again.append)
        for one, other in zip(told, again, strict=True):
            assert other.factor == pytest.approx(one.factor, rel=1e-6)
    assert [text[:26] for text in caplog.messages] == ["The recordings begin late:"]


def test_the_search_stops_at_a_factor_and_says_where_it_came_to():
    net = one_population(1e-7)
    refused(net, poisson(4, 40.0), "'p' .* times 8.19e[+]03, where the search stops, it fires 0 ti")
