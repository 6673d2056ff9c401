"""Objects in a few words, and as HTML."""

import re
from dataclasses import dataclass, field

import numpy as np
import pytest

import eventsim as es
from eventsim.errors import NetworkError
from eventsim.summary import MOST_ROWS, brief, changed_repr, html_card, html_table, short_repr, span
from eventsim.train import CrossEntropy, SpikeCountLoss, TrainResult
from tests.support.nets import random_net, random_stream


def run():
    net = random_net(1)
    net.decide("output", np.ones((3, 2)))
    net.set_answer(es.Answer(rule="maximum", class_names=("<b>yes</b>", "no")))
    stream = random_stream(2)
    return net, es.simulate(net, stream, backend="cpu")


def objects():
    net, tape = run()
    net_to_train = random_net(1)
    labels = np.array([0, 1, 2])
    data = es.Dataset(tape.stream, labels, ("a", "b", "c"))
    loss = CrossEntropy(labels, readout="output")
    history = [{"epoch": k, "loss": 1.0 / k, "accuracy": 0.5} for k in range(1, 41)]
    seed = es.SpikeSeed(time=np.zeros(400))
    return [
        net, tape, tape.stream, tape["hidden1"], data, seed,
        net.populations["hidden1"], net.projections["input->hidden1"], net.decision, net.answer,
        es.backward(net_to_train, es.simulate(net_to_train, tape.stream, backend="cpu"), loss),
        es.gradcheck(net_to_train, tape.stream, loss, backend="cpu", n_directions=1),
        es.simulate_chunk(net, tape.stream, backend="cpu")[1],
        es.predict(net, tape.stream), es.evaluate(net_to_train, data, es.TrainConfig()),
        es.TrainConfig(epochs=3), es.Convolution((9,), 3), es.self_recurrent(np.zeros(100)),
        TrainResult(net, history[-1], net, history[-1], history, None),
    ]  # fmt: skip


@pytest.fixture(scope="module")
def all_objects():
    return objects()


def test_repr_of_every_public_object_is_one_line_without_arrays(all_objects):
    for one in all_objects:
        text = repr(one)
        assert text.startswith(type(one).__name__), text
        assert len(text) < 700, text
        assert "\n" not in text
        assert "array(" not in text


def test_html_is_small_escaped_and_without_scripts_or_colours_of_its_own(all_objects):
    shown = {type(one).__name__: one._repr_html_() for one in all_objects if is_html(one)}
    assert set(shown) == {"Network", "SpikeTape", "EventStream", "TrainResult"}
    for text in shown.values():
        assert len(text) < 20_000
        assert not re.search(r"<script|<link|http|#[0-9a-f]{3}", text)
        assert text.count("<tr>") == text.count("</tr>") > 3
    assert "&lt;b&gt;yes" in shown["Network"]
    assert "<b>yes" not in shown["Network"]
    assert "hidden1-&gt;hidden2" in shown["Network"]
    assert "silent neurons" in shown["SpikeTape"]
    assert shown["TrainResult"].count("<tr>") <= MOST_ROWS + 2
    assert "<td" in shown["TrainResult"]
    assert ">40<" in shown["TrainResult"]


def is_html(one):
    return "_repr_html_" in vars(type(one))


def test_network_in_large_is_counted_not_listed():
    net = es.Network()
    net.add_input("input", 1)
    for k in range(50):
        net.connect("input", net.add_population(f"p{k}", 1), [[1.0]])
    assert "39 more" in repr(net)
    assert "50 projections" in repr(net)
    assert "and 21 more" in net._repr_html_()
    assert len(net._repr_html_()) < 20_000
    assert "0 neurons, 0 synapses" in es.Network()._repr_html_()


def test_settings_show_what_differs_from_the_defaults():
    assert repr(es.TrainConfig()) == "TrainConfig()"
    config = es.TrainConfig(epochs=3, loss="spike_count")
    assert repr(config) == "TrainConfig(epochs=3, loss=SpikeCountLoss())"
    assert repr(SpikeCountLoss()) == "SpikeCountLoss()"
    assert repr(es.Answer(tail=2.5)) == "Answer(time_constant=300, gain=20, onset=0, tail=2.5)"


def test_brief_values():
    assert brief(np.zeros((3, 4), np.float32)) == "float32[3, 4]"
    assert brief(np.float64(2.0)) == brief(np.array(2.0)) == "2.0"
    assert brief(1.0 / 3.0) == "0.333333"
    assert brief({"a": np.zeros(2)}) == "{a: float64[2]}"
    assert brief(dict.fromkeys(range(7))) == "{7 entries}"
    assert brief([1, None]) == "[1, None]"
    assert brief((1,)) == "(1,)"
    assert brief(list(range(7))) == "[7 entries]"
    assert brief("x" * 100) == "'" + "x" * 56 + "..."
    assert brief(lambda: None).startswith("<function")
    assert [span(np.array(v)) for v in ([], [5.0, 5.0], [4.0, 22.25])] == ["", "5", "4 to 22.25"]


def test_reprs_of_dataclasses():
    @dataclass
    class Values:
        a: int = 1
        b: list = field(default_factory=list)
        c: object = field(default=None, repr=False)

    assert short_repr(Values()) == "Values(a=1, b=[])"
    assert changed_repr(Values()) == "Values()"
    assert changed_repr(Values(b=[1], c=3)) == "Values(b=[1], c=3)"


def test_table_without_columns_has_no_head_and_counts_what_it_leaves_out():
    table = html_table(("", ""), [[str(k), "<"] for k in range(MOST_ROWS + 2)])
    assert "<th" not in table
    assert table.count("&lt;") == MOST_ROWS
    assert "and 2 more" in table
    assert html_card("a<b", "c&d", table).count("&lt;b") == 1


def test_tape_names_its_readouts_and_says_where_their_voltage_is():
    tape = run()[1]
    assert tape.readouts == ["output"]
    assert "readouts ['output']" in repr(tape)
    with pytest.raises(NetworkError, match=r"'output' is a readout.*es\.voltage\(net, tape, 'outp"):
        tape["output"]
    with pytest.raises(NetworkError, match="no spiking population 'nowhere'"):
        tape["nowhere"]
    assert es.SpikeTape(tape.stream, tape.trains, {}, "cpu", "double").readouts == []
    odd = es.Network()
    odd.add_input('it\'s "input"', 5)
    odd.add_readout('it\'s "out"', 1)
    assert es.simulate(odd, tape.stream, backend="cpu").readouts == ['it\'s "out"']
