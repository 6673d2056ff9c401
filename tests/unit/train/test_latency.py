"""Answers at every time are those of recordings that are cut there and run again."""

import numpy as np
import pytest

import eventsim as es
from eventsim.adjoint.linear.neurons import silent_neurons
from eventsim.adjoint.linear.voltage import VoltageProbe
from eventsim.events.transforms import crop
from eventsim.train import DecisionOverTime, decision_over_time, predict_over_time
from tests.support.nets import random_net, random_stream
from tests.unit.train.task import first_spike_net, small_net, two_patterns

# Sums of some hundred terms in another order; the means of first arrivals are differences of them.
EXACT = {"rtol": 1e-9, "atol": 1e-10}
DOUBLE = {"backend": "cpu", "precision": "double"}
DECIDING = np.random.default_rng(4).normal(size=(3, 5))


def spiking_net(seed):
    """Whose output fires, also at itself."""
    net = first_spike_net(seed=seed)
    net.connect("output", "output", es.self_recurrent([0.2, 0.1]), delays=2.0)
    return net, two_patterns(5, seed=seed).stream


def readout_net(seed):
    return random_net(seed), random_stream(seed, n_samples=4)


def grid(stream, seed):
    """Uneven times: arrivals among them, ends, and times past the end of some samples."""
    rng = np.random.default_rng(seed)
    longest = stream.duration.max()
    return np.sort(np.concatenate([rng.uniform(0.01, longest, 8), stream.times[:3], [longest]]))


def answered(make, seed, answer, decide=False):
    net, stream = make(seed)
    if decide:
        net.decide("output", DECIDING, bias=np.arange(5.0))
    net.set_answer(answer)
    return net, stream


CASES = {
    "integral": (readout_net, es.Answer(time_constant=37.0, gain=3.0)),
    "even_integral": (readout_net, es.Answer(time_constant=np.inf, gain=3.0)),
    "last": (readout_net, es.Answer(rule="last", gain=3.0)),
    "decided": (readout_net, es.Answer(rule="last"), True),
    "spike_count": (spiking_net, es.Answer(rule="spike_count", gain=3.0)),
    "first_spike": (spiking_net, es.Answer(rule="first_spike")),
}


@pytest.mark.crossed("seconds each", test=0)
@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize("case", CASES)
def test_scores_are_those_of_recordings_that_end_there(case, seed):
    net, stream = answered(CASES[case][0], seed, *CASES[case][1:])
    tape, times = es.simulate(net, stream, **DOUBLE), grid(stream, seed)
    found = decision_over_time(net, tape, times)
    for number, time in enumerate(times):
        ends = np.minimum(time, stream.duration)
        np.testing.assert_array_equal(found.times[:, number], ends)
        again = es.predict(net, crop(stream, 0.0, ends), **DOUBLE)
        np.testing.assert_allclose(found.scores[:, number], again.scores, **EXACT)
        np.testing.assert_array_equal(found.classes[:, number], again.classes)
    assert len(np.unique(found.scores)) > 10


@pytest.mark.parametrize("time_constant", [11.0, np.inf])
def test_integral_up_to_a_time_is_that_of_a_run_that_ends_there(time_constant):
    net, stream = readout_net(3)
    tape, times = es.simulate(net, stream, **DOUBLE), grid(stream, 3)
    times = np.minimum(times, stream.duration[:, None])
    neurons = silent_neurons(net, tape, "output")
    size = net.population("output").size
    probe = VoltageProbe.at(neurons, np.repeat(times, size, axis=0))
    found = probe.integral(time_constant).reshape(stream.n_samples, size, -1)
    for number, ends in enumerate(times.T):
        short = es.simulate(net, crop(stream, 0.0, ends), **DOUBLE)
        again = es.readout_integral(net, short, "output", time_constant=time_constant)
        np.testing.assert_allclose(found[:, :, number], again, rtol=1e-11, atol=1e-12)


def test_integral_with_equal_time_constants_is_that_of_a_run_that_ends_there():
    net, stream = random_net(5, tau_ratio=1.0), random_stream(5, n_samples=2)
    net.set_answer(es.Answer(time_constant=20.0))
    ends = 0.6 * stream.duration
    found = decision_over_time(net, es.simulate(net, stream, **DOUBLE), ends[:, None])
    again = es.predict(net, crop(stream, 0.0, ends), **DOUBLE)
    np.testing.assert_allclose(found.scores[:, 0], again.scores, **EXACT)


def test_recordings_are_asked_at_shares_of_their_time_with_the_tail():
    net, data = small_net(), two_patterns(70)
    net.set_answer(es.Answer(tail=15.0))
    found = predict_over_time(net, data.stream, shares=[0.5, 1.0], **DOUBLE)
    np.testing.assert_array_equal(found.times, [[37.5, 75.0]] * 70)
    whole = es.predict(net, data.stream, **DOUBLE)
    np.testing.assert_allclose(found.scores[:, 1], whole.scores, **EXACT)
    none = predict_over_time(net, data.stream[:0], **DOUBLE)
    assert none.scores.shape == (0, 100, 2)


def made(classes, *, ahead=2.0, n_classes=3):
    """Decisions in which one class leads at each time; -1 for a tie of all."""
    classes = np.array(classes)
    scores = np.where(np.arange(n_classes) == classes[:, :, None], ahead, 0.0)
    times = np.broadcast_to(10.0 * np.arange(1, classes.shape[1] + 1), classes.shape)
    return DecisionOverTime(times, scores)


def test_latency_is_when_the_last_answer_leads_for_good():
    found = made([[1, 1, 1, 1], [1, 0, 1, 1], [-1, 0, 0, 0], [0, 0, 0, 2], [0, 0, -1, 0],
                  [2, 2, 0, -1]])  # fmt: skip
    assert found.latency().tolist() == [10.0, 30.0, 20.0, 40.0, 40.0, 40.0]
    assert found.accuracy([1, 1, 0, 0, 0, 0]).tolist() == [5 / 6, 4 / 6, 1.0, 5 / 6]


def test_early_exit_stops_where_the_margin_is_reached():
    scores = np.zeros((2, 3, 2))
    scores[0, :, 1], scores[1, :, 0] = [0.1, 1.0, 3.0], [0.0, 0.2, 0.4]
    found = DecisionOverTime(np.array([[1.0, 2.0, 3.0]] * 2), scores)
    # Of two classes p1 - p2 is tanh(z / 2).
    np.testing.assert_allclose(found.margins, np.tanh(scores.max(axis=2) / 2.0), rtol=1e-12)
    stopped = found.early_exit(np.tanh(0.45))
    assert stopped.times.tolist() == [2.0, 3.0]
    assert stopped.classes.tolist() == [1, 0]
    assert stopped.reached.tolist() == [True, False]
    told = found.summary([1, 1], margin=np.tanh(0.45))
    assert told["early_exit"]["accuracy"] == 0.5
    assert told["early_exit"]["time_ms"] == {"median": 2.5, "mean": 2.5}
    assert told["latency_ms"] == {"median": 1.5, "mean": 1.5}
    assert told["latency_ms_of_right_answers"] == {"median": 1.0, "mean": 1.0}
    wrong = found.summary([0, 1])["latency_ms_of_right_answers"]
    assert wrong == {"median": None, "mean": None}


def test_one_class_is_answered_at_once():
    found = made([[0, 0]], n_classes=1)
    assert found.latency().tolist() == [10.0]
    assert found.early_exit(1.0).times.tolist() == [10.0]
