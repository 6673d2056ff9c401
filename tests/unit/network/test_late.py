"""Recordings that begin late: when it is said, with which numbers, and how often."""

import logging
import math

import numpy as np
import pytest

import eventsim as es
from eventsim.events.begin import from_first_event
from eventsim.network.late import heard_share, late_begin, one_warning, warn_late
from tests.support.nets import one_layer


def net(*, tau=20.0, delay=5.0, answer=None):
    found = one_layer("hidden", np.ones((2, 3)), tau_mem=tau, tau_syn=5.0)
    found.add_readout("output", 2, tau_mem=12.0)
    found.connect("hidden", "output", np.ones((3, 2)), delays=delay)
    if answer is not None:
        found.set_answer(answer)
    return found


def recordings(shift, *, lasts=100.0):
    """Three recordings, the middle one of which has its first event 10 ms after ``shift``."""
    times = [np.array([at, 60.0]) + shift for at in (0.0, 10.0, 30.0)]
    samples = [(t, [0, 1]) for t in times]
    return es.EventStream.from_samples(samples, n_channels=2, duration=lasts + shift)


def integral(**more):
    return es.Answer(rule="integral", **more)


@pytest.mark.parametrize(("first", "late"), [(207.0, False), (209.0, True)])
def test_half_of_the_weight_at_the_first_event_of_the_median_recording_is_the_border(first, late):
    """300 ms times ln 2 are 207.9 ms; the recordings go on for so long that rates are no matter."""
    found = late_begin(net(answer=integral()), recordings(first - 10.0, lasts=1000.0))
    assert (found is not None) == late


def test_the_warning_has_the_numbers_and_says_what_to_do():
    found = late_begin(net(answer=integral()), recordings(37250.0))
    assert (found.first_event_ms, found.duration_ms, found.recordings) == (37260.0, 37350.0, 3)
    assert (found.loss_time_constant_ms, found.longest_delay_ms) == (300.0, 5.0)
    assert found.loss_weight_left == pytest.approx(math.exp(-37260.0 / 300.0))
    assert found.state_left == pytest.approx(math.exp(-37255.0 / 20.0))
    text = str(found)
    for part in (
        "37,260 ms of 37,350 ms",
        "exp(-t / 300 ms)",
        "less than 0.01 % is left",
        "rates count",
    ):
        assert part in text
    for remedy in ("--begin first-event", "from_first_event(stream)", "loss.onset=first_event"):
        assert remedy in text
    assert found.to_dict()["text"] == text
    early = str(late_begin(net(answer=integral()), recordings(400.0)))
    assert "of which 25 % is left there" in early


@pytest.mark.parametrize(
    "answer",
    [
        None,
        es.Answer(rule="last"),
        integral(time_constant=np.inf),
        integral(onset="first_event"),
        integral(onset=400.0),
    ],
)
def test_a_network_that_cannot_remember_the_start_is_told_of_silence(answer):
    found = late_begin(net(answer=answer), recordings(400.0))
    assert "longest time constant 20 ms, longest delay 5 ms" in str(found)
    assert "loss.onset" not in str(found)


@pytest.mark.parametrize(
    ("given", "stream"),
    [
        (net(answer=integral()), recordings(0.0)),
        (net(answer=integral(onset="first_event")), recordings(400.0, lasts=1000.0)),
        (net(answer=integral(onset=400.0)), recordings(400.0, lasts=1000.0)),  # as stated
        (net(), recordings(400.0, lasts=1000.0)),  # silence is the smaller part
        (net(tau=100.0), recordings(400.0)),  # remembers 2 % of it
        (net(delay=395.0), recordings(400.0)),
        (net(), es.EventStream([], [], [0, 0], n_channels=2, duration=9.0)),
    ],
)
def test_what_is_no_loss_is_not_told(given, stream):
    assert late_begin(given, stream) is None


def test_recordings_of_a_file_say_the_same(tmp_path):
    stream = recordings(2000.0)
    es.Dataset(stream, [0, 1, 0], ["a", "b"]).save(tmp_path / "x.h5")
    stored = es.Dataset.open(tmp_path / "x.h5").stream
    assert late_begin(net(answer=integral()), stored) == late_begin(net(answer=integral()), stream)
    long = stream[np.arange(99) % 3]
    es.Dataset(long, np.arange(99) % 2, ["a", "b"]).save(tmp_path / "long.h5")
    some = late_begin(net(answer=integral()), es.Dataset.open(tmp_path / "long.h5").stream)
    assert (some.recordings, some.recordings_in_all) == (64, 99)
    assert "(64 of 99 recordings were looked at)" in str(some)
    assert heard_share(stored) == heard_share(stream) == pytest.approx(1.0 - 6040.0 / 6300.0)


def test_recordings_from_their_first_events_by_hand():
    stream = es.EventStream(
        [3.0, 5.0, 7.0, 8.0], [0, 1, 0, 1], [0, 2, 2, 3, 4], n_channels=2, duration=8.0
    )
    moved = from_first_event(stream)
    np.testing.assert_array_equal(moved.times, [0.0, 2.0, 0.0, 0.0])
    np.testing.assert_array_equal(moved.duration, [5.0, 8.0, 1.0, 1.0])


def told(caplog):
    return [r.getMessage() for r in caplog.records if r.levelno >= logging.WARNING]


def test_one_warning_is_given_by_each_call_and_by_all_inside_a_block(caplog):
    given, stream = net(answer=integral()), recordings(2000.0)
    assert warn_late(given, stream) == late_begin(given, stream)
    for call in (es.simulate, es.predict):
        call(given, stream, backend="reference", precision="double")
    es.simulate(given, recordings(0.0), backend="reference")
    assert [text[:27] for text in told(caplog)] == ["The recordings begin late: "] * 3
    caplog.clear()
    with one_warning():
        es.predict(given, stream, backend="reference", precision="double")
        es.simulate(given, stream, backend="reference")
    assert len(told(caplog)) == 1


def test_recordings_that_begin_late_are_told_of_after_others_that_do_not(caplog):
    """A command trains on recordings that begin at 0, and then evaluates others."""
    given, early, late = net(answer=integral()), recordings(0.0), recordings(2000.0)
    with one_warning():
        es.predict(given, early, backend="reference", precision="double")
        es.simulate(given, late[:1], backend="reference")  # as a part of what was looked at
        assert told(caplog) == []
        for _ in range(2):
            es.predict(given, late, backend="reference", precision="double")
        with one_warning():
            assert warn_late(given, late) is None
    assert len(told(caplog)) == 1
