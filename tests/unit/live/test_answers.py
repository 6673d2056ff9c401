"""Answers piece by piece are those of predict, by every rule, however a recording is cut."""

import pickle
import sys
from itertools import groupby

import numpy as np
import pytest
from scipy.integrate import trapezoid

import eventsim as es
from eventsim.live import Listener, ListenSettings, Packet, listen
from eventsim.live.packets import packets_of

RULES = [
    ("output", {"rule": "integral"}),
    ("output", {"rule": "integral", "onset": "first_event", "time_constant": np.inf}),
    ("output", {"rule": "integral", "onset": 21.5, "time_constant": 40.0}),
    ("output", {"rule": "maximum"}),
    ("output", {"rule": "last"}),
    ("output", {"rule": "ctc", "interval": 7.0}),
    ("hidden1", {"rule": "first_spike"}),
    ("hidden1", {"rule": "spike_count"}),
    ("hidden1", {"rule": "van_rossum", "rate": 132.0}),
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
        assert steps.event_ms == DURATIONS.sum()
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
    assert len(found) == 8  # the last one where the stream has ended
    for k, one in enumerate(found[:7]):
        best = v[200 * max(k - 1, 0) : 200 * (k + 1) + 1].max()
        assert one.score == pytest.approx(best, abs=1e-3)


def trace(tape, name, now, tau):
    """Sum over the spikes up to ``now`` of exp(-age / tau), by neuron."""
    times, neurons = tape[name].sample(0)
    kept = times < now
    return np.bincount(neurons[kept], np.exp((times[kept] - now) / tau), 9)


@pytest.mark.parametrize("rule", ["last", "spike_count", "van_rossum"])
def test_sliding_scores_are_the_formulas_of_their_rules(rule):
    more = {"last": {}, "spike_count": {"time_constant": 9.0}, "van_rossum": {"rate": 132.0}}[rule]
    values = {"rule": rule, "time_constant": 12.0, "gain": 3.0, **more}
    if rule == "van_rossum":
        del values["gain"]
    if rule == "last":
        del values["time_constant"]
    net, stream = network("output" if rule == "last" else "hidden1", values), recordings()[:1]
    tape = es.simulate(net, stream, tail=0.0, backend="reference")
    found = sliding(net, *stream.sample(0), until=70.0, memory=25.0)
    assert [one.time for one in found[:7]] == [10.0 * (k + 1) for k in range(7)]
    for now, one in ((one.time, one) for one in found[:7]):
        if rule == "last":
            scores = 3.0 * es.voltage(net, tape, "output", [now])[0, 0]
        elif rule == "spike_count":
            scores = 3.0 * 9.0 / 25.0 * trace(tape, "hidden1", now, 25.0)
        else:
            mean = 0.132 * 12.0
            scores = 2.0 * mean * trace(tape, "hidden1", now, 12.0) - mean**2
        assert one.score == pytest.approx(scores.max(), abs=1e-9)
        shares = np.exp(scores) / np.exp(scores).sum()
        np.testing.assert_allclose(one.shares, shares, atol=1e-9)
        assert one.margin == pytest.approx(np.diff(np.sort(shares))[-1], abs=1e-9)
        names = ["a", "b", "c", *(f"#{k}" for k in range(3, 9))]
        assert one.second == names[np.argsort(-scores, kind="stable")[1]]


def frames(net, stream, until):
    """Voltages of every frame of a recording, each 7 ms."""
    tape = es.simulate(net, stream, tail=15.0, backend="reference")
    return es.voltage(net, tape, "output", np.arange(7.0, until, 7.0))[0]


@pytest.mark.parametrize(
    ("seed", "sample", "path"),
    [(3, 1, [0, 1]), (4, 0, [0, 2, 1]), (4, 1, [1]), (6, 0, [0]), (1, 0, [1, 0, 1, 0])],
)
def test_words_of_a_path_are_its_labels_without_repetition_and_blank(seed, sample, path):
    net = es.scsr(6, (9,), 3, mean=6.0, seed=seed)
    values = {"rule": "ctc", "interval": 7.0, "tail": 15.0}
    net.set_answer(es.Answer(class_names=("a", "b", "a b"), **values))
    stream = recordings(seed)[sample : sample + 1]
    until = float(stream.duration[0])
    assert [k for k, _ in groupby(frames(net, stream, until + 15.0).argmax(axis=1))] == path
    said = [("a", "b")[label] for label in path if label != 2]
    (*_, last) = listen(net, stream, backend="reference")
    assert last.decided.answer == " ".join(said)
    # Of a stream each frame answers, whatever the length of a chunk; the blank says nothing.
    found = sliding(net, *stream.sample(0), until=until)
    for voltages, one in zip(frames(net, stream, until), found, strict=False):
        first, second, _ = np.argsort(-voltages, kind="stable")
        assert one.answer == ("a", "b", None)[first if voltages.any() else 2]
        assert one.second == ("a", "b", "#2")[second]
    assert found[1].time == 14.0


@pytest.mark.parametrize(
    ("constant", "memory"), [(25.0, 25.0), (np.inf, 300.0)], ids=["the rule's", "300 ms"]
)
def test_memory_is_the_time_constant_of_the_mean_or_300_ms(constant, memory):
    net = network("output", {"rule": "integral", "time_constant": constant})
    scores = [
        [one.score for one in sliding(net, *recordings().sample(0), until=70.0, **given)]
        for given in ({}, {"memory": memory}, {"memory": 2.0 * memory})
    ]
    assert scores[0] == scores[1] != scores[2]


def test_latency_is_from_the_last_event_before_a_spike_and_from_what_told_the_end():
    net, now = network("output", {"rule": "integral"}), [10.0]
    times, channels = recordings().sample(0)
    low, high = np.searchsorted(times, [20.0, 40.0])

    def source():
        for cut, arrived, more in (
            (slice(None, low), 31.0, {}),
            (slice(low, high), 32.0, {}),
            (slice(high, None), 33.0, {"end": 73.0}),
        ):
            now[0] = arrived + 0.5
            yield Packet.of(times[cut], channels[cut], arrived=arrived, **more)

    settings = ListenSettings(step=100.0, recordings=True)
    listener = Listener(net, source(), settings, backend="reference", clock=lambda: now[0])
    now[0] = 30.0
    tapes = [one for step in listener for one in step.tapes]
    spikes = np.concatenate([tape["hidden1"].times for tape in tapes])
    assert listener.decision_latency.longest == 0.5
    assert listener.decision_latency.number == 1
    begin = [
        np.sum((spikes >= t) & (spikes < u))
        for t, u in ((times[0], times[low]), (times[low], times[high]), (times[high], np.inf))
    ]
    latency = listener.spike_latency
    assert latency.number == spikes.size == sum(begin)
    assert min(begin) > 0
    bins = np.flatnonzero(latency.counts)
    np.testing.assert_allclose(1e-6 * 10.0 ** (bins / 200), [0.5, 1.5, 2.5], rtol=0.012)
    assert latency.counts[bins].tolist() == begin[::-1]
    summary = listener.summary()
    assert summary["event_seconds"] == 0.073
    assert summary["seconds"] == 3.5
    assert summary["spike_latency"]["longest_ms"] == 2500.0


def test_load_is_the_share_of_time_that_goes_into_computing(monkeypatch):
    """A run of a piece takes a quarter of a second here, and the source waits for the rest."""
    module = sys.modules[Listener.__module__]
    now, real, runs = [5.0], module.simulate_chunk, []

    def quarter(*args, **options):
        now[0] += 0.25
        runs.append(now[0])
        return real(*args, **options)

    def source():
        for packet in packets_of(recordings(), length=10.0):
            now[0] += 1.0
            yield packet

    monkeypatch.setattr(module, "simulate_chunk", quarter)
    net = network("output", {"rule": "integral"})
    settings = ListenSettings(recordings=True)
    listener = Listener(net, source(), settings, backend="cpu", clock=lambda: now[0])
    steps = list(listener)
    assert len(steps) == 8 + 5
    summary = listener.summary()
    busy = 0.25 * (len(runs) - 1)  # the first warms up
    assert summary["busy_seconds"] == busy == 0.25 * (len(steps) + 2)  # and two tails
    assert summary["seconds"] == busy + 13.0
    assert summary["load"] == pytest.approx(busy / (busy + 13.0))


def test_only_class_there_is_leads_by_all():
    net = es.scsr(6, (9,), 1, mean=6.0, seed=1)
    net.set_answer(es.Answer(class_names=("a",)))
    found = sliding(net, *recordings().sample(0), until=70.0)
    assert {(one.answer, one.second, one.margin, one.shares) for one in found} == {
        ("a", None, 1.0, (1.0,))
    }


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
    assert said == [10.0, 40.0, 70.0]
    rested = sliding(net, times, channels, until=70.0, rest=20.0)
    assert [one.time for one in rested] == [10.0, 30.0, 50.0, 70.0]


def test_no_answer_of_before_a_restart_of_the_clock_rests_after_it():
    net = network("output", {"rule": "integral"})
    times, channels = recordings().sample(0)
    again = np.concatenate([times + 5000.0, times])
    found = sliding(net, again, np.tile(channels, 2), until=70.0, rest=25.0)
    zero = times[0]  # a clock that has jumped begins at its first event
    fresh = sliding(net, times - zero, channels, until=70.0 - zero, rest=25.0)
    after = [one for one in found if one.recording == 1]
    assert [one.answer for one in after] == [one.answer for one in fresh]
    np.testing.assert_allclose([one.time - zero for one in after], [one.time for one in fresh])
    assert [one.time for one in fresh][:2] == [10.0, 40.0]


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
