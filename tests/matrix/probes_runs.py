"""Probes of what a run is good for: files, voltages, answers, evaluation and training."""

import matplotlib.pyplot as plt
import numpy as np

import eventsim as es
from eventsim.matrix import can
from eventsim.train import predict_over_time as over_time
from tests.matrix.networks import stream
from tests.matrix.probes import probe
from tests.support.compare import assert_same_spikes
from tests.support.embedded import assert_same as assert_same_c
from tests.support.losses import SpikeTimes


@probe
def save(case):
    path = case.folder / "net.npz"
    case.net.save(path)
    back = es.Network.load(path)
    path.unlink()
    for key, values in case.net.parameters().items():
        assert back.parameters()[key].dtype == values.dtype
        np.testing.assert_array_equal(back.parameters()[key], values)
    assert (back.answer, back.features()) == (case.net.answer, case.net.features())
    if can(back)["simulate"]:
        again = es.simulate(back, stream(), backend="cpu")
        assert assert_same_spikes(again, case.tape(), atol_ms=0)


@probe
def voltages(case):
    """At spikes the threshold, then the reset; else the slope that the equation of LIF has."""
    tape, net, h = case.tape(), case.net, 1e-6
    rtol = 1e-4 if tape.precision == "double" else 3e-2
    p, kind = net.populations["a"], case.row.by_axis["neuron"]
    spikes, neurons = tape["a"].sample(0)
    for time, k in zip(spikes, neurons, strict=True):
        before, at = es.voltage(net, tape, "a", [time - h, time], neurons=[k])[0, :, 0]
        assert at == p.v_reset[k]
        if kind != "adaptive":
            assert abs(before - p.threshold[k]) < rtol
    times = np.random.default_rng(0).uniform(0, stream().duration.min() - 1.0, 20)
    for name in ["a", *net.readouts] if kind in ("lif", "adaptive") else net.readouts:
        p = net.populations[name]
        now, later = (es.voltage(net, tape, name, t) for t in (times, times + h))
        held = (now == p.v_reset) & (now == later) if p.is_spiking else False
        slope = (p.v_leak - now + p.resistance * es.current(net, tape, name, times)) / p.tau_mem
        wrong = (abs((later - now) / h - slope) > 1e-5 * (1 + abs(slope))) & ~held
        assert wrong.mean() < 0.02  # where an arrival or a spike is between
    assert np.array_equal(
        es.voltage(net, tape, "b", times, samples=[1]), es.voltage(net, tape, "b", times)[1:2]
    )


@probe
def explain(case):
    tape, times = case.tape(), np.linspace(0, stream().duration[0], 2001)
    for name in ("a", *case.net.readouts):
        p = case.net.populations[name]
        found = es.explain(case.net, tape, name, 1, sample=0)
        seen = es.voltage(case.net, tape, name, times, neurons=[1], samples=[0])[0, :, 0]
        if p.is_spiking and found.spikes:
            assert found.peak >= p.threshold[1] * (1 - 1e-9)
        else:
            assert abs(found.peak - max(seen.max(), found.rest)) < 1e-3 * (1 + abs(found.peak))
        if p.is_spiking:
            assert found.spikes == tuple(tape[name].sample(0)[0][tape[name].sample(0)[1] == 1])
            assert found.factor is None or (found.factor < 1) == bool(found.spikes)


@probe
def fi_curve(case):
    p, currents = case.net.populations["a"], np.array([0.5, 2.0, 8.0])
    try:
        axes = es.plot.fi_curve(case.net, "a", neuron=1, currents=currents, duration=1000.0)
        found = axes.lines[0].get_ydata()
    finally:
        plt.close("all")
    up = p.v_leak[1] + p.resistance[1] * currents
    with np.errstate(invalid="ignore"):
        wait = p.tau_mem[1] * np.log((up - p.v_reset[1]) / (up - p.threshold[1]))
    expected = np.where(up > p.threshold[1], 1000 / (p.refractory[1] + wait), 0.0)
    if p.is_adaptive:
        assert (found <= expected).all()
    else:
        np.testing.assert_allclose(found, expected, rtol=1e-6)


@probe
def gradcheck(case):
    loss = SpikeTimes("a", "b")
    found = es.gradcheck(case.net, stream()[:1], loss, n_directions=1, backend="cpu")
    assert found.fraction_compared > 0.8
    assert found.worst_relative_error < 1e-5


@probe
def calibrate(case):
    told, before = [], case.values()
    found = es.calibrate(case.net, stream(), target_hz=60.0, callback=told.append)
    assert {name for one in told for name in one.populations} == {"a", "b"}
    assert all(30.0 <= one.after <= 120.0 for one in told)
    again = []
    es.calibrate(found, stream(), target_hz=60.0, callback=again.append)
    np.testing.assert_allclose([one.before for one in again], [one.after for one in told])
    for key, values in found.parameters().items():
        factor = np.divide(values, before[key], out=np.ones(values.shape), where=before[key] != 0)
        np.testing.assert_allclose(factor, factor.flat[0] if factor.size else 1.0, rtol=1e-5)


@probe
def predict(case):
    found = es.predict(case.net, stream(), **case.how)
    alone = es.predict(case.net, stream()[1], **case.how)
    plain = es.predict(case.net, stream(), backend="reference", precision="double")
    assert alone.classes[0] == found.classes[1]
    if found.scores is None:
        assert np.array_equal(found.classes, plain.classes)
    else:
        assert np.array_equal(alone.scores[0], found.scores[1])
        rtol = 2e-3 if case.row.by_axis["precision"] == "single" else 1e-7
        np.testing.assert_allclose(found.scores, plain.scores, rtol=rtol, atol=rtol)
    assert found.names == tuple(case.net.answer.class_names[k] for k in found.classes)


@probe
def predict_over_time(case):
    """As recordings that end there."""
    found = over_time(case.net, stream(), shares=[0.5, 1.0], **case.how)
    half = stream().duration / 2
    cut = [(t[t < end], c[t < end]) for (t, c), end in zip(stream(), half, strict=True)]
    cut = es.EventStream.from_samples(cut, n_channels=4, duration=half)
    rtol = 2e-3 if case.row.by_axis["precision"] == "single" else 1e-7
    for k, given in enumerate([cut, stream()]):
        scores = es.predict(case.net, given, **case.how).scores
        np.testing.assert_allclose(found.scores[:, k], scores, rtol=rtol, atol=rtol)


@probe
def export_c(case):
    """Spikes to the bit, and answers, of backend cpu."""
    assert assert_same_c(case.net, stream(), case.folder / "c", flags="-O0")
