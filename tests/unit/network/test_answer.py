"""How a network answers: checked at the door, kept by copies and files, heeded by simulate."""

import json

import numpy as np
import pytest

import eventsim as es
from eventsim.errors import NetworkError, ParameterError
from eventsim.events.transforms import extend
from eventsim.network.answer import RULES, VALUES
from eventsim.train import load_network, save_network
from eventsim.train.checkpoint import digest_of_network
from tests.support.nets import random_net, random_stream

ANSWER = es.Answer(rule="maximum", tail=25.0, class_names=("no", "yes", "üñ"))
STREAM = random_stream(3, n_samples=3, duration=40.0)


def answering(answer=ANSWER):
    net = random_net(41, delays="source")
    net.set_answer(answer)
    return net


@pytest.mark.parametrize("rule", RULES)
def test_values_of_a_rule_have_defaults_and_survive_json(rule):
    answer = es.Answer(rule=rule, tail=3.0, class_names=["a", "b"])
    assert {name: getattr(answer, name) for name in VALUES[rule]} == VALUES[rule]
    again = json.loads(json.dumps(answer.to_dict()))
    assert es.Answer(**again) == answer
    set_ones = {name for name, value in again.items() if value is not None}
    assert set_ones == {"population", "rule", "tail", "class_names", *VALUES[rule]}


def test_decision_has_to_be_read_by_the_rule_and_takes_away_an_answer_that_does_not_fit():
    net, weights = answering(), np.ones((3, 4))
    net.decide("output", weights)
    assert net.answer is ANSWER
    net.set_answer(es.Answer(rule="last", class_names=tuple("abcd")))
    with pytest.raises(NetworkError, match="Rule 'integral': does not read the linear decision"):
        net.set_answer(es.Answer(rule="integral"))
    net.decide(None)
    assert net.answer is None


def test_copies_and_files_keep_it(tmp_path):
    net = answering()
    save_network(tmp_path / "net.npz", net)
    for twin in (net.copy(), net.map(np.copy), es.place(net), load_network(tmp_path / "net.npz")):
        assert twin.answer == ANSWER
    endless = es.Answer(time_constant=np.inf)
    save_network(tmp_path / "net.npz", answering(endless))
    assert load_network(tmp_path / "net.npz").answer == endless
    assert "answers by maximum of output, tail 25 ms" in repr(net)
    net.set_answer(None)
    assert "answers" not in repr(net)
    save_network(tmp_path / "net.npz", net)
    assert load_network(tmp_path / "net.npz").answer is None


def test_digest_of_a_network_is_that_of_its_values():
    assert digest_of_network(answering()) == digest_of_network(answering(None))


def test_simulation_runs_on_for_the_tail_unless_another_is_given():
    net, plain = answering(), answering(None)
    own = es.simulate(net, STREAM, backend="cpu")
    whole = es.simulate(plain, extend(STREAM, 25.0), backend="cpu")
    np.testing.assert_array_equal(own.stream.duration, STREAM.duration + 25.0)
    np.testing.assert_array_equal(own["hidden1"].times, whole["hidden1"].times)
    cut = es.simulate(net, STREAM, tail=0.0, backend="cpu")
    np.testing.assert_array_equal(cut.stream.duration, STREAM.duration)
    assert len(cut["hidden1"]) < len(own["hidden1"])
    longer = es.simulate(plain, STREAM, tail=25.0, backend="cpu")
    np.testing.assert_array_equal(longer["hidden1"].times, whole["hidden1"].times)
    with pytest.raises(ParameterError, match="time is -1"):
        es.simulate(net, STREAM, tail=-1.0)


def test_gradients_are_those_of_the_whole_run():
    check = es.gradcheck(answering(), STREAM, weighted_times, n_directions=3, backend="cpu")
    assert check.fraction_compared > 0.8
    assert check.worst_relative_error < 1e-5


def weighted_times(net, tape):
    trains = tape["hidden2"]
    weights = 1.0 / (1.0 + trains.neurons)
    return float(weights @ trains.times), {"hidden2": es.SpikeSeed(time=weights)}
