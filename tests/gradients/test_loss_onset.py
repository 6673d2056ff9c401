"""Loss from an onset: values against other ways to the same number, gradients against differences.

``test_every_loss.py`` has a stated onset with the times of the events, which do not move it.
"""

import functools

import numpy as np
import pytest

import eventsim as es
from eventsim import clocked
from eventsim.events.begin import from_first_event
from eventsim.events.transforms import crop
from eventsim.train import (
    CrossEntropy,
    IntegralLoss,
    SumOfLosses,
    decision_over_time,
    predict_over_time,
)
from tests.support.compare import assert_close_by_name, assert_resident_agrees
from tests.support.differences import Differences, assert_gradients_match
from tests.support.nets import moved, one_layer, random_net, random_stream

LABELS = np.array([2, 0, 1, 1])
SILENCE = np.array([17.0, 0.0, 31.0, 8.0])
BY_HAND = {"rtol": 1e-9, "atol": 1e-11}


def recordings():
    """Four, each with a silence of its own before its first event; the last one has no event."""
    spoken = random_stream(711, n_samples=3, duration=70.0)
    spoken = crop(spoken, [spoken.sample(k)[0][0] for k in range(3)])
    times = spoken.times + np.repeat(SILENCE[:3], np.diff(spoken.offsets))
    return es.EventStream(
        times,
        spoken.channels,
        [*spoken.offsets, spoken.n_events],
        n_channels=spoken.n_channels,
        duration=[*(spoken.duration + SILENCE[:3]), 40.0],
    )


def losses(onset, **more):
    return CrossEntropy(LABELS, time_constant=45.0, gain=3.0, onset=onset, **more)


def problem():
    return random_net(712, hidden=(6,), delays="source"), recordings()


@functools.cache
def rows_of(onset):
    net, stream = problem()
    differences = Differences(net, stream, losses(onset), backend="cpu", per_key=2)
    return differences.rows(list(net.parameters()))


@pytest.mark.parametrize("onset", [23.0, "first_event"])
def test_gradients_by_all_parameters_match_finite_differences(backend, onset):
    net, stream = problem()
    tape = es.simulate(net, stream, backend=backend)
    loss, rows = losses(onset), rows_of(onset)
    assert loss(net, tape)[0] == pytest.approx(
        loss(net, es.simulate(net, stream, backend="cpu"))[0], rel=1e-10
    )
    assert {row.key for row in rows} >= {"output.v_leak", "output.tau_syn", "output.tau_mem"}
    assert_gradients_match(es.backward(net, tape, loss), rows, min_fraction=0.7)


def test_logits_from_the_first_event_are_those_of_the_recording_that_begins_there(backend):
    net, stream = random_net(713), recordings()
    tape = es.simulate(net, stream, backend=backend)
    cut = crop(stream, [*SILENCE[:3], 0.0])
    expected = losses(0.0).logits(net, es.simulate(net, cut, backend=backend))
    np.testing.assert_allclose(losses("first_event").logits(net, tape), expected, **BY_HAND)
    assert np.abs(losses(0.0).logits(net, tape) - expected).max() > 0.01


def test_logits_from_a_stated_onset_are_means_of_the_voltage_from_there_on(backend):
    net, stream, begin = random_net(714, delays="synapse"), recordings(), 29.0
    tape = es.simulate(net, stream, backend=backend)
    found = losses(begin).logits(net, tape)
    for sample, end in enumerate(stream.duration):
        times, step = np.linspace(begin, end, 3001, retstep=True)
        voltage = es.voltage(net, tape, "output", times)[sample]
        weight = np.exp(-(times - begin) / 45.0)
        weight[[0, -1]] /= 2.0
        mean = (weight[:, None] * voltage).sum(axis=0) / weight.sum()
        np.testing.assert_allclose(found[sample], 3.0 * mean, rtol=1e-4, atol=1e-5)
        assert step < 0.03


def test_an_endless_time_constant_gives_the_plain_mean_from_the_onset_on():
    net = one_layer("output", np.zeros((1, 2)), v_leak=[0.25, -0.5], readout=True)
    stream = es.EventStream([10.0], [0], [0, 1], n_channels=1, duration=30.0)
    tape = es.simulate(net, stream, backend="reference")
    for constant in (np.inf, 50.0, 3.0):
        loss = CrossEntropy([0], time_constant=constant, gain=2.0, onset="first_event")
        np.testing.assert_allclose(loss.logits(net, tape), [[0.5, -1.0]], rtol=1e-12)


def test_a_network_answers_from_the_onset_that_it_was_trained_with(tmp_path):
    net, stream = random_net(715), recordings()
    net.set_answer(es.Answer(time_constant=45.0, gain=3.0, onset="first_event"))
    net.save(tmp_path / "net.npz")
    again = es.Network.load(tmp_path / "net.npz")
    exact = {"backend": "reference", "precision": "double"}
    tape = es.simulate(net, stream, backend="reference")
    expected = losses("first_event").logits(net, tape)
    found = es.predict(again, stream, **exact).scores
    np.testing.assert_allclose(found, expected, **BY_HAND)
    over_time = predict_over_time(again, stream, shares=[0.05, 1.0], **exact).scores
    np.testing.assert_allclose(over_time[:, 1], expected, **BY_HAND)
    assert (over_time[0, 0] == 0.0).all()  # before its first event
    assert (over_time[1, 0] != 0.0).any()


def test_the_grid_counts_from_the_same_onset():
    stream, net = recordings(), es.Network()
    net.add_input("input", stream.n_channels)
    net.add_readout("output", 3, tau_mem=15.0, tau_syn=6.0, v_leak=[0.1, -0.2, 0.3])
    weights = np.random.default_rng(716).normal(size=(stream.n_channels, 3))
    net.connect("input", "output", weights, delays=1.5)
    tape = es.simulate(net, stream, backend="reference")
    run = clocked.run(clocked.from_network(net, 0.02), stream, precision="double")
    for onset in (0.0, "first_event", 20.0):
        loss = IntegralLoss(time_constant=45.0, gain=3.0, onset=onset)
        found = clocked.outcome_of(loss, run, LABELS).logits
        np.testing.assert_allclose(found, losses(onset).logits(net, tape), rtol=0.01, atol=4e-3)


@pytest.mark.parametrize("precision", ["double", "single"])
@pytest.mark.parametrize("onset", [23.0, "first_event"])
def test_spikes_that_stay_on_the_device_give_the_gradients_of_the_host(
    fast_backend, onset, precision
):
    net, stream, loss = random_net(720, delays="source"), recordings(), losses(onset)
    assert_resident_agrees(net, stream, fast_backend, loss, rtol=1e-9, precision=precision)


def test_the_start_as_onset_changes_no_bit():
    net, stream = random_net(717), recordings()
    tape = es.simulate(net, stream, backend="cpu")
    plain = CrossEntropy(LABELS, time_constant=45.0, gain=3.0)
    np.testing.assert_array_equal(losses(0.0).logits(net, tape), plain.logits(net, tape))
    assert losses(0.0)(net, tape)[1]["output"].begin is None


def test_terms_of_one_onset_have_the_gradients_of_one_loss_of_their_weight():
    net, stream = problem()
    tape = es.simulate(net, stream, backend="cpu")
    loss = losses("first_event")
    both = es.backward(net, tape, SumOfLosses(((0.25, loss), (0.5, loss))))
    one = es.backward(net, tape, loss)
    np.testing.assert_allclose(both.loss, 0.75 * one.loss, **BY_HAND)
    for key, values in one.flat().items():
        np.testing.assert_allclose(both.flat()[key], 0.75 * values, err_msg=key, **BY_HAND)


@pytest.mark.parametrize("precision", ["double", "single"])
def test_recordings_at_any_time_give_the_loss_and_gradients_of_those_at_the_start(
    backend, precision
):
    """37.25 s are 828 time constants: even in double precision nothing of the weight is left."""
    if (backend, precision) == ("reference", "single"):
        pytest.skip("the reference is of double precision")
    net, stream, loss = random_net(722, delays="source"), recordings(), losses("first_event")
    stream = from_first_event(stream)
    how = {"backend": backend, "precision": precision}
    expected = es.backward(net, es.simulate(net, stream, **how), loss)
    rtol = 1e-7 if precision == "double" else 1e-3
    # Without an event there is no onset: the last recording is moved by nothing.
    found = es.backward(net, es.simulate(net, moved(stream, [37250.0] * 3 + [0.0]), **how), loss)
    assert found.loss == pytest.approx(expected.loss, rel=rtol)
    assert_close_by_name(found.flat(), expected.flat(), rtol=rtol)


def test_answers_over_time_and_on_a_grid_do_not_see_when_a_recording_begins():
    net, stream = random_net(723, delays="source"), from_first_event(recordings()[:3])
    late = moved(stream, [37250.0] * 3)
    net.set_answer(es.Answer(time_constant=45.0, gain=3.0, onset="first_event"))
    asked = np.linspace(5.0, 35.0, 4)
    found = [
        decision_over_time(net, es.simulate(net, s, backend="reference"), asked + shift).scores
        for s, shift in ((stream, 0.0), (late, 37250.0))
    ]
    np.testing.assert_allclose(found[1], found[0], rtol=1e-7, atol=1e-9)
    loss, grid = (
        IntegralLoss(time_constant=1.0, onset="first_event"),
        clocked.from_network(net, 1.0),
    )
    runs = [clocked.run(grid, s, precision="double") for s in (stream, moved(stream, [2000.0] * 3))]
    logits = [clocked.outcome_of(loss, run, LABELS[:3]).logits for run in runs]
    np.testing.assert_allclose(logits[1], logits[0], rtol=1e-9)


def test_an_onset_just_before_the_end_and_a_short_time_constant_from_the_first_event_are_taken():
    net, tape = random_net(718), es.simulate(random_net(718), recordings(), backend="reference")
    assert np.isfinite(losses(39.9).logits(net, tape)).all()
    loss = CrossEntropy(LABELS, time_constant=0.2, onset="first_event")
    assert np.isfinite(loss.logits(net, tape)).all()
