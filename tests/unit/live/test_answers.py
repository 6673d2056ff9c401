"""Answers piece by piece are those of predict, by every rule, however a recording is cut."""

import pickle
from dataclasses import replace

import numpy as np
import pytest
from scipy.integrate import trapezoid

import eventsim as es
from eventsim.live import ListenSettings, Packet, listen

RULES = [
    ("output", {"rule": "integral"}),
    ("output", {"rule": "integral", "onset": "first_event", "time_constant": np.inf}),
    ("output", {"rule": "integral", "onset": 21.5, "time_constant": 40.0}),
    ("output", {"rule": "maximum"}),
    ("output", {"rule": "last"}),
    ("output", {"rule": "ctc", "interval": 7.0}),
    ("hidden1", {"rule": "first_spike"}),
    ("hidden1", {"rule": "spike_count"}),
    ("hidden1", {"rule": "van_rossum", "rate": 130.0}),
]
DURATIONS = np.array([73.0, 41.25])


def network(population, values):
    net = es.scsr(6, (9,), 3, mean=6.0, seed=1)
    names = ("a", "b", "a b") if values["rule"] == "ctc" else ("a", "b", "c")
    tail = 0.0 if values.get("onset") else 15.0
    net.set_answer(es.Answer(population=population, tail=tail, class_names=names, **values))
    return net


def recordings(seed=3):
    rng = np.random.default_rng(seed)
    samples = [(np.sort(rng.uniform(5.0, t, 60)), rng.integers(0, 6, 60)) for t in DURATIONS]
    return es.EventStream.from_samples(samples, n_channels=6, duration=DURATIONS)


@pytest.mark.crossed("every rule", test=1, all=None)
@pytest.mark.parametrize(("population", "values"), RULES, ids=lambda v: str(v))
def test_answers_to_recordings_in_a_stream_are_those_of_predict(population, values):
    net, stream = network(population, values), recordings()
    wanted = es.predict(net, stream, backend="cpu", precision="double")
    for step in (10.0, 200.0):
        settings = ListenSettings(step=step)
        steps = listen(net, stream, settings=settings, backend="cpu", precision="double")
        found = [one.decided for one in steps if one.decided is not None]
        assert [one.answer for one in found] == list(wanted.names)
        if wanted.scores is not None:
            # Sums are made piece by piece; scores are up to some ten.
            scores = [one.score for one in found]
            np.testing.assert_allclose(scores, wanted.scores.max(axis=1), atol=1e-11)


def test_linear_neurons_listen_as_they_predict():
    net, stream = es.scsr(6, (9,), 3, mean=6.0, neuron=es.AdLIF(a=0.5, b=0.2)), recordings()
    net.set_answer(es.Answer(class_names=("a", "b", "c")))
    how = {"backend": "cpu", "precision": "double"}
    wanted, settings = es.predict(net, stream, **how), ListenSettings(step=10.0)
    steps = list(listen(net, stream, settings=settings, **how))
    assert sum(len(tape["hidden1"]) for step in steps for tape in step.tapes) > 5
    found = [step.decided for step in steps if step.decided is not None]
    assert [one.answer for one in found] == list(wanted.names)
    np.testing.assert_allclose([one.score for one in found], wanted.scores.max(axis=1), atol=1e-9)


def test_spikes_and_sliding_answers_do_not_depend_on_packets():
    net, (times, channels) = network("output", {"rule": "integral"}), recordings().sample(0)
    cut = [
        Packet.of(t, c)
        for t, c in zip(*(np.split(v, [9, 30]) for v in (times, channels)), strict=True)
    ]
    told = [
        [(s.piece.end, s.decided.score, *(len(tape["hidden1"]) for tape in s.tapes)) for s in steps]
        for steps in (listen(net, p, backend="cpu") for p in (cut, [Packet.of(times, channels)]))
    ]
    assert told[0] == told[1]


def sliding(net, times, neurons_or_channels, *, until, **values):
    """Decisions of a stream without an end."""
    packet = Packet.of(times, neurons_or_channels, until=until)
    settings = ListenSettings(step=10.0, **values)
    found = listen(net, [packet], settings=settings, backend="reference")
    return [step.decided for step in found if step.decided is not None]


def test_sliding_integral_is_the_leaky_mean_of_the_voltage():
    net, stream = network("output", {"rule": "integral", "gain": 3.0}), recordings()[:1]
    found = sliding(net, *stream.sample(0), until=70.0, memory=25.0)
    tape = es.simulate(net, stream, tail=0.0, backend="reference")
    grid = np.linspace(0.0, 70.0, 1401)
    v = es.voltage(net, tape, "output", grid)[0]
    means = [
        trapezoid(v[i : i + 201], grid[i : i + 201], axis=0) / 10.0 for i in range(0, 1400, 200)
    ]
    for k, one in enumerate(found[:7]):
        weights = np.exp(-10.0 / 25.0) ** np.arange(k, -1, -1)
        score = 3.0 * (weights @ means[: k + 1]) / weights.sum()
        # The trapezia's error: an arrival is a kink.
        assert one.score == pytest.approx(score.max(), abs=1e-3)


def test_sliding_maximum_forgets_what_is_older_than_the_memory():
    net, stream = network("output", {"rule": "maximum", "gain": 1.0}), recordings()[:1]
    found = sliding(net, *stream.sample(0), until=70.0, memory=20.0)
    tape = es.simulate(net, stream, tail=0.0, backend="reference")
    v = es.voltage(net, tape, "output", np.linspace(0.0, 70.0, 1401))[0]
    for k in (2, 5):
        assert found[k].score == pytest.approx(v[200 * (k - 1) : 200 * (k + 1) + 1].max(), abs=1e-3)


def test_first_spike_of_a_stream_opens_a_race_and_then_rests():
    net = network("hidden1", {"rule": "first_spike"})
    stream = recordings()[:1]
    times, channels = stream.sample(0)
    found = sliding(net, times, channels, until=200.0, memory=30.0)
    spikes = es.simulate(net, stream, tail=200.0, backend="reference")["hidden1"]
    opened, winners = -np.inf, []
    for time, neuron in zip(spikes.times, spikes.neurons, strict=True):
        if time >= opened + 30.0:
            opened = time
            winners.append((10.0 * (np.floor(time / 10.0) + 1.0), f"#{neuron}"))
    first_said = {one.time: one.answer for one in found}
    assert [first_said[time].strip() for time, _ in winners] == [
        {"#0": "a", "#1": "b", "#2": "c"}.get(name, name) for _, name in winners
    ]
    assert found[-1].answer is None


def test_answer_below_the_margin_is_nothing_and_a_rest_follows_an_answer():
    net = network("output", {"rule": "integral"})
    times, channels = recordings().sample(0)
    plain = sliding(net, times, channels, until=70.0)
    margin = float(np.median([one.margin for one in plain]))
    sure = sliding(net, times, channels, until=70.0, margin=margin)
    assert [one.answer for one in sure] == [
        one.answer if one.margin >= margin else None for one in plain
    ]
    rested = sliding(net, times, channels, until=70.0, rest=25.0)
    said = [one.time for one in rested if one.answer is not None]
    assert len(said) > 1
    assert (np.diff(said) >= 25.0).all()


def test_network_without_an_answer_is_refused():
    with pytest.raises(es.errors.NetworkError, match="has no answer"):
        listen(es.scsr(4, (4,), 2), [])


def test_settings_replace_keeps_them_checked():
    with pytest.raises(es.errors.ParameterError, match="step"):
        replace(ListenSettings(), step=0.0)


@pytest.mark.crossed("every rule", test=1, all=None)
@pytest.mark.parametrize(("population", "values"), RULES, ids=lambda v: str(v))
def test_what_is_carried_does_not_grow_with_the_stream(population, values):
    net, rng = network(population, values), np.random.default_rng(0)
    source = (
        Packet.of(100.0 * k + np.arange(0.0, 100.0, 2.0), rng.integers(0, 6, 50)) for k in range(12)
    )
    listener = listen(net, source, settings=ListenSettings(step=50.0), backend="cpu")
    sizes = [len(pickle.dumps((listener._state, vars(listener._running)))) for _ in listener]
    # The memory fills first; how many spikes are on their way varies.
    assert max(sizes[14:-1]) <= 1.1 * max(sizes[7:14])
