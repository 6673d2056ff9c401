"""Probes of what a run is good for: files, voltages, answers, evaluation and training."""

import base64
import json
from dataclasses import replace
from importlib import import_module
from itertools import groupby

import matplotlib.pyplot as plt
import numpy as np
import pytest

import eventsim as es
from eventsim.chips import load_chip
from eventsim.clocked import Grid
from eventsim.embedded.web import ENGINE, web_network
from eventsim.events import Values
from eventsim.mapping import quantise
from eventsim.matrix import can, require
from eventsim.report import tables
from eventsim.runs.run import Run
from eventsim.runs.settings import RunSettings
from eventsim.train import (
    ActivityCost,
    Augmentation,
    LearningRates,
    QuantisedTraining,
    SparseTraining,
    SpiKL,
    TrainConfig,
    evaluate_regression,
)
from eventsim.train import predict_over_time as over_time
from eventsim.train.choice import answer_of
from eventsim.train.loss_settings import LOSSES
from eventsim.train.parts import validation_split
from tests.matrix.networks import network, stream
from tests.matrix.probes import probe
from tests.support.compare import ATOL, assert_same_spikes
from tests.support.embedded import assert_as_cpu
from tests.support.embedded import assert_same as assert_same_c
from tests.support.losses import SpikeTimes
from tests.support.processes import together


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
    loss = SpikeTimes("a")
    net = network(case.row.by_axis | {"end": "alone"})
    found = es.gradcheck(net, stream()[:1], loss, n_directions=1, backend="cpu")
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
    assert found.names == said_by_hand(case.net, found.classes, plain)


def said_by_hand(net, classes, plain):
    """Names of classes; of ctc the words of the likeliest path, of voltages at its frames."""
    answer, names, words = net.answer, net.answer.class_names, ["one", "two", "#2"]
    if answer.rule != "ctc":
        return tuple(names[k] if k < len(names) else f"#{k}" for k in classes)
    tape, said = es.simulate(net, stream(), backend="reference"), []
    for k, end in enumerate(stream().duration):
        times = np.arange(answer.interval, end + 1e-9, answer.interval)
        frames = es.voltage(net, tape, "output", times, samples=[k])[0]
        if net.decision is not None:
            frames = frames @ net.decision.weights + net.decision.bias
        path = [label for label, _ in groupby(frames.argmax(axis=1))]
        said.append(" ".join(words[label] for label in path if label != frames.shape[1] - 1))
    assert said == list(plain.names)
    assert [name in names for name in said] == [k < len(names) for k in classes]
    return tuple(said)


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
def page(case):
    """The engine of the page: spikes to the bit, and answers, of backend cpu; the file has it."""
    if case.support and not ENGINE.is_file():
        pytest.skip("no engine of pages: python eventsim/embedded/wasm.py makes it")
    es.export_web(case.net, case.folder / "page", recordings=stream(), title="row")
    text = (case.folder / "page" / "index.html").read_text("utf-8")
    pytest.importorskip("wasmtime", reason="the engine of pages runs in wasmtime")
    engine_of = import_module("tests.support.web").Engine
    found = web_network(case.net, stream())
    assert base64.b64encode(found.image).decode() in text
    engine = engine_of(found)
    assert engine.status == 0
    runs = [engine.run(stream(), sample) for sample in range(len(stream()))]
    assert [run.answer for run in runs] == list(found.answers)
    assert assert_as_cpu(case.net, stream(), found.populations, runs)


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
FIRST = {"begin": 0.0, "end": 0.6, "interval": 1}  # changes of synapses in a short training
CHANGES = {
    "pruning": {"sparse": SparseTraining(sparsity=0.5, scope="projection", **FIRST)},
    "rewiring": {"sparse": SparseTraining(rewire=0.5, rewire_end=1.0, interval=1)},
    "dale": {"dale": True},
    "bits": {"quantise": QuantisedTraining(bits=4, begin=0.3)},
    "chip_numbers": {"quantise": QuantisedTraining(chip="loihi", begin=0.3)},
    "activity_cost": {"activity": ActivityCost(target=0.0, strength=1e-3)},
    "local_rule": {"spikl": SpiKL(resistance=0.1), "bip": ("tau_mem", "threshold")},
    "trained_delays": {"train_delays": True},
    "smoothing": {"label_smoothing": 0.1},
    "mixing": {"augmentation": Augmentation(mix=0.3)},
    "moved_times": {"augmentation": Augmentation(time_shift=2.0)},
    "shards": {"shards": 2},
    "early_stopping": {"patience": 1},
    "stopped_by_accuracy": {"patience": 1, "patience_by": "accuracy"},
    "no_validation": {"validation_fraction": 0.0},
}


def recordings(case):
    """What is trained on, with the targets and the groups of a row."""
    given, some = case.row.by_axis, stream(0, 6)
    names = ("one", "one two", "two") if given.get("target") == "strings" else ("one", "two")
    labels, targets = np.arange(6) % 2, None
    if given.get("target") == "values":
        times = np.tile([10.0, 30.0], (6, 1))
        values = np.random.default_rng(0).normal(size=(6, 2, 3))
        labels, names, targets = 0 * labels, ("0",), Values(values, times, tuple("xyz"))
    groups = list("ppqqrr") if given.get("group") == "groups" else None
    return es.Dataset(some, labels, names, groups=groups, targets=targets)


def training(case, **more):
    """Recordings, settings and the method of a row."""
    given, net = case.row.by_axis, case.net
    rule = "integral" if net.answer is None else net.answer.rule
    rule = None if given.get("aim") == "for_values" else rule
    loss, misses = LOSSES[LOSSES_OF[rule]](), given.get("misses")
    if hasattr(loss, "missed_outputs"):
        loss = replace(loss, missed_outputs=misses == "missed_outputs")
    method = Grid(dt=1.0) if given.get("method") == "fixed_step" else None
    settings = {
        "loss": loss,
        "near_miss_strength": 0.1 if misses == "near_misses" else 0.0,
        "output": "output" if net.answer is None else net.answer.population,
        "bip": ("tau_mem", "threshold") if method else TrainConfig().bip,
        "batch_size": 2,
        "validation_fraction": 0.34,
        "validate": "group" if given.get("group") == "groups" else "recording",
        "backend": "cpu",
        "epochs": 1,
    }
    for axis in ("change", "parts", "stop", "validation"):
        settings |= CHANGES.get(given.get(axis), {})
    return recordings(case), TrainConfig(**settings | more), method


def assert_moved(result, before):
    """Some value of the network is another one now."""
    after = result.net.parameters()
    assert any(not np.array_equal(after.get(key), values) for key, values in before.items())


def assert_same_training(one, other):
    """The same values, to the bit, and the same losses."""
    for key, values in one.net.parameters().items():
        np.testing.assert_array_equal(other.net.parameters()[key], values, err_msg=key)
    for name in ("loss", "validation_loss"):
        found, expected = ([line.get(name) for line in run.history] for run in (other, one))
        assert found == expected
    assert np.isfinite(one.history[-1]["loss"])


def loss_of(net, data, config, method):
    """The mean loss of recordings, without training."""
    if not config.fits_values:
        return es.evaluate(net, data, config, method=method).loss
    loss = config.loss.of(config.target(data.labels, values=data.targets))
    return evaluate_regression(net, data.stream, loss).mean_squared_error


@probe
def exact_time(case):
    """A run answers by its method; what asks for exact time runs the same network as it is."""
    grid = Grid(dt=1.0) if case.row.by_axis["method"] == "fixed_step" else None
    run = Run(case.folder, RunSettings(grid=grid))
    vars(run)["net"] = case.net
    require("exact_time", run)
    assert assert_same_spikes(run.tape(stream(), backend="cpu"), case.tape(), atol_ms=0)


@probe
def settings(case):
    """Written and read back they are the same."""
    _, config, _ = training(case)
    assert TrainConfig.from_dict(json.loads(json.dumps(config.to_dict()))) == config


@probe
def train(case):
    """The losses of an epoch of one step, and of its validation, are those of es.evaluate."""
    plain = {"batch_size": 8, "calibrate": 0.0, "initial_logits": 0.0}
    data, config, method = training(case, **plain)
    found = es.train.train(case.net, data, config, method=method)
    assert_moved(found, case.values())
    line = found.history[0]
    measured = ("loss", case.net), ("validation_loss", found.net)
    for (name, net), part in zip(measured, validation_split(data, config), strict=True):
        expected = loss_of(net, data.subset(part), config, method)
        np.testing.assert_allclose(line[name], expected, rtol=1e-5)


@probe
def resume(case):
    """A training that was stopped in its last epoch, and gone on with: the same bits."""
    net = of_one_sign(case.net) if case.row.by_axis["change"] == "dale" else case.net
    epochs = 1 if case.row.by_axis["stop"] == "all_epochs" else 2
    data, config, method = training(case, epochs=epochs, checkpoint_every=1)
    whole = es.train.train(net, data, config, method=method)
    folder, told = case.folder / "run", []

    def stop(event):
        told.append(event)
        if len(told) == 3 * epochs - 2:
            raise InterruptedError

    with pytest.raises(InterruptedError):
        es.train.train(net, data, config, folder, method=method, callback=stop)
    again = es.train.train(net, data, config, folder, method=method, resume=True)
    assert_same_training(again, whole)
    assert_moved(whole, {key: values.copy() for key, values in net.parameters().items()})


@probe
def processes(case):
    """Two processes, here threads, and one: the same bits."""
    net = of_one_sign(case.net) if case.row.by_axis["change"] == "dale" else case.net
    values = case.row.by_axis["aim"] == "for_values"
    data, config, method = training(case, shards=1 if values else 2)
    alone = es.train.train(net, data, config, method=method)

    def one(group):
        return es.train.train(net, data, config, method=method, group=group)

    for result in together(2, one):
        if isinstance(result, BaseException):
            raise result
        assert_same_training(result, alone)


def of_one_sign(net):
    """A copy whose weights between spiking neurons are those of exciting ones."""
    net = net.copy()
    for projection in between_neurons(net):
        projection.values[...] = abs(projection.values)
    return net


def between_neurons(net):
    """Projections whose weights have the sign of their source by Dale's law."""
    ends = net.spiking.keys()
    among = (p for p in net.projections.values() if {p.source, p.target} <= ends)
    return [p for p in among if not p.one_to_one]


@probe
def keep_signs(case):
    """Steps larger than the weights leave their signs, and would change them without the law."""
    net, rates = of_one_sign(case.net), LearningRates(weights=3.0)
    data, config, method = training(case, rates=rates, calibrate=0.0)
    signs = []
    for dale in (True, False):
        found = es.train.train(net, data, replace(config, dale=dale), method=method).net
        after = np.concatenate([p.values.ravel() for p in between_neurons(found)])
        signs.append((after < 0.0).any())
    assert signs == [False, True]


@probe
def prune(case):
    """Half of the synapses go, the smallest; the others run as if these were 0."""
    found = es.train.prune(case.net, 0.5, scope="projection")
    zeroed = case.net.copy()
    for name, p in zeroed.projections.items():
        if p.one_to_one or f"{name}.weights" in zeroed.shared:
            continue
        kept = int(np.rint(0.5 * np.prod(p.weights.shape)))
        flat = p.values.reshape(-1)
        flat[np.argsort(-abs(flat), kind="stable")[kept:]] = 0.0
        assert found.projections[name].values.size == min(kept, flat.size)
    if can(found)["simulate"]:
        expected = es.simulate(zeroed, stream(), backend="cpu")
        tape = es.simulate(found, stream(), backend="cpu")
        assert assert_same_spikes(tape, expected, atol_ms=ATOL["double"], net=case.net)
    assert found.answer == case.net.answer


@probe
def round_weights(case):
    """Weights are whole multiples of a step, of 4 bits; all else stays."""
    found, dtype = quantise(case.net, 4).net, case.row.by_axis["weights"]
    for key, values in case.net.parameters().items():
        after = found.parameters()[key]
        if not key.endswith(".weights"):
            np.testing.assert_array_equal(after, values, err_msg=key)
            continue
        step = abs(values).max() / 7
        numbers = after / step
        np.testing.assert_allclose(numbers, np.rint(numbers), atol=1e-5, err_msg=key)
        assert abs(after - values).max() <= step * (0.5 + 1e-5)
        assert after.dtype == dtype or key.startswith("decision")
    assert found.answer == case.net.answer


@probe
def activity(case):
    """Synaptic operations of an inference, and what a spike more of a neuron adds to them."""
    tape, net, n = case.tape(), case.net, len(stream())
    value, seeds = ActivityCost(target=0.0, strength=2.0)(net, tape)
    events = sum(arrivals(net, tape, p) for p in net.projections.values())
    assert value == pytest.approx(2.0 * events / n, rel=1e-12)
    for name, seed in seeds.items():
        p, fan_out = net.populations[name], np.zeros(net.populations[name].size)
        for projection in net.projections.values():
            if projection.source == name:
                np.add.at(fan_out, projection.sources(), 1.0)
        rest = np.where(p.v_leak < p.threshold, p.v_leak, p.v_reset)
        slope = 2.0 * fan_out / n / (p.threshold - rest)
        np.testing.assert_allclose(seed.voltage, slope[tape[name].neurons])
    assert seeds.keys() == {p.source for p in net.projections.values()} - {"input"}


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
