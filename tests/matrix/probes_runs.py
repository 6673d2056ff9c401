"""Probes of what a run is good for: files, voltages, answers, evaluation and training."""

from dataclasses import replace

import matplotlib.pyplot as plt
import numpy as np
import pytest

import eventsim as es
from eventsim.chips import load_chip
from eventsim.clocked import Grid
from eventsim.events import Targets
from eventsim.matrix import can
from eventsim.report import tables
from eventsim.train import TrainConfig
from eventsim.train import predict_over_time as over_time
from eventsim.train.choice import answer_of
from eventsim.train.loss_settings import LOSSES
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
    assert found.names == tuple(case.net.answer.name_of(k) for k in found.classes.tolist())


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


@probe
def cost(case):
    """Operations are counted from the tape; what is left out stands in JSON and in the text."""
    found = es.energy.cost(case.net, case.tape(), load_chip("loihi"))
    assert found.to_dict()["lower_bound"]["energy_pj_per_sample"]
    events = sum(arrivals(case.net, case.tape(), p) for p in case.net.projections.values())
    term = next(one for one in found.terms if one.term.name == "synaptic_event")
    assert term.counts.sum() == events
    text = " ".join(tables.missing(found.to_dict()))
    names = [one["name"] for one in found.to_dict()["missing"]]
    assert all(one["what"] in text for one in found.to_dict()["missing"])
    had = case.net.features()
    assert ("decision_macs" in names) == ("decision" in had)
    assert ("adaptive_update" in names) == ("adaptive" in had)
    assert ("state_update" in names) == ("linear" in had)
    return " ".join(names)


def arrivals(net, tape, projection):
    """Spikes that reach a synapse before the end of their recording."""
    sent = tape.stream if projection.source == net.input.name else tape[projection.source]
    delays, sources, n = projection.synapse_delays(), projection.sources(), 0
    for k, end in enumerate(tape.stream.duration):
        times, neurons = sent.sample(k)
        for s, d in zip(sources, delays, strict=True):
            n += int((times[neurons == s] + d < end).sum())
    return n


LOSSES_OF = {LOSSES[kind].rule: kind for kind in LOSSES}


def training(case, **more):
    """Recordings, settings and the method of a row."""
    given, net = case.row.by_axis, case.net
    some = stream(0, 6)
    names = ("one", "one two", "two") if given["target"] == "strings" else ("one", "two")
    labels, targets = np.arange(6) % 2, None
    if given["target"] == "values":
        times = np.tile([10.0, 30.0], (6, 1))
        values = np.random.default_rng(0).normal(size=(6, 2, 3))
        labels, names, targets = 0 * labels, ("0",), Targets(values, times, tuple("xyz"))
    groups = list("ppqqrr") if given.get("group") == "groups" else None
    data = es.Dataset(some, labels, names, groups=groups, targets=targets)
    rule = None if net.answer is None else net.answer.rule
    method = Grid(dt=1.0) if given["method"] == "fixed_step" else None
    misses, loss = given.get("misses"), LOSSES[LOSSES_OF[rule]]()
    if misses and hasattr(loss, "missed_outputs"):
        loss = replace(loss, missed_outputs=misses == "missed_outputs")
    settings = {
        "loss": loss,
        "near_miss_strength": 0.1 if misses == "near_misses" else 0.0,
        "output": "output" if rule is None else net.answer.population,
        "batch_size": 2,
        "validation_fraction": 0.34,
        "validate": "recording" if groups is None else "group",
        "backend": "cpu",
        "epochs": 1,
    }
    if method is not None:
        settings["bip"] = ("tau_mem", "threshold")
    return data, TrainConfig(**settings | more), method


@probe
def train(case):
    """Twice, and stopped and gone on with: the same bits."""
    data, config, method = training(case)
    whole = es.train.train(case.net, data, config, method=method)
    folder = case.folder / "run"

    def stop(event):
        raise InterruptedError

    with pytest.raises(InterruptedError):
        es.train.train(case.net, data, config, folder, method=method, callback=stop)
    again = es.train.train(case.net, data, config, folder, method=method, resume=True)
    moved = False
    for key, values in whole.net.parameters().items():
        np.testing.assert_array_equal(again.net.parameters()[key], values)
        moved |= not np.array_equal(values, case.net.parameters()[key])
    assert moved
    validated = [line["validation_loss"] for line in (whole.history[-1], again.history[-1])]
    assert np.isfinite(validated[0])
    assert validated[0] == validated[1]


@probe
def evaluate(case):
    """As es.predict answers, and the same in batches of another size."""
    data, config, method = training(case)
    found = es.evaluate(case.net, data, config, method=method)
    one = es.evaluate(case.net, data, replace(config, batch_size=5), method=method)
    np.testing.assert_array_equal(one.confusion, found.confusion)
    np.testing.assert_allclose(one.loss, found.loss, rtol=1e-5)
    assert one.synaptic_events == found.synaptic_events
    if method is None:
        net = case.net.copy()
        net.set_answer(answer_of(config, data.class_names))
        right = es.predict(net, data.stream, backend="cpu").classes == data.labels
        assert found.accuracy == right.mean()
