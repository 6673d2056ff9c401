"""What each capability of the matrix does, and how its number is known to be right."""

import warnings
from dataclasses import dataclass, replace
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest

import eventsim as es
from eventsim.chips import load_chip
from eventsim.clocked import from_network
from eventsim.clocked import run as clocked_run
from eventsim.engine.run import simulation
from eventsim.mapping import check_mapping, export_sanafe, map_network, quantise
from eventsim.matrix import can
from eventsim.network.nir import NirWarning, from_nir, to_nir
from eventsim.ranks import simulate_ranks
from eventsim.train import NearMiss, SpiKL
from tests.matrix.cells import Row
from tests.matrix.networks import stream
from tests.support.compare import (
    ATOL,
    assert_same_gradients,
    assert_same_spikes,
    assert_same_trains,
)
from tests.support.losses import Sums
from tests.support.stepped import stepped

PROBES = {}
# Axes of a run, whose features are asked for by their names
WORDS = (
    "precision", "aim", "misses", "target", "group", "recorded",
    "change", "parts", "stop", "validation", "chip", "method",
)  # fmt: skip


@dataclass(frozen=True)
class Case:
    """A network with the features of a row."""

    row: Row
    net: es.Network
    folder: Path

    @property
    def how(self):
        """Backend and precision."""
        given = self.row.by_axis
        return {k: given[k] for k in ("backend", "precision") if k in given}

    @property
    def support(self):
        """What the matrix says."""
        by_axis = self.row.by_axis
        words = [by_axis[k] for k in WORDS if k in by_axis]
        backend = by_axis.get("backend", "cpu")
        return can(self.net, *words, backend=backend)[self.row.capability]

    def values(self):
        """All numbers of the network. New arrays."""
        return {key: values.copy() for key, values in self.net.parameters().items()}

    def tape(self, **how):
        """A run of the network."""
        return es.simulate(self.net, stream(), **{"backend": "cpu", **self.how, **how})


def probe(function):
    """Make a probe known by its name."""
    PROBES[function.__name__] = function
    return function


@probe
def simulate(case):
    tape = case.tape()
    expected = case.tape(backend="reference", precision="double")
    assert assert_same_spikes(tape, expected, atol_ms=ATOL[tape.precision], net=case.net)
    alone = es.simulate(case.net, stream()[1], **case.how)
    assert all(np.array_equal(alone[n].times, tape[n].sample(1)[0]) for n in tape.names)


def start_of(net, samples=slice(None)):
    """Voltages below the threshold and currents, of every spiking population."""
    rng, voltage, current = np.random.default_rng(5), {}, {}
    for name, p in net.spiking.items():
        below = rng.uniform(0.05, 1.5, (len(stream()), p.size))
        several = () if p.neuron is None or len(p.neuron.receptors) == 1 else (2,)
        voltage[name] = (p.threshold - below)[samples]
        current[name] = rng.uniform(-0.5, 1.5, (len(stream()), p.size, *several))[samples]
    return es.Start(voltage=voltage, current=current)


@probe
def start(case):
    net, given = case.net, start_of(case.net)
    tape = es.simulate(net, stream(), start=given, **case.how)
    plain = es.simulate(net, stream(), start=given, backend="reference")
    assert assert_same_spikes(tape, plain, atol_ms=ATOL[tape.precision], net=net)
    alone = es.simulate(net, stream()[1], start=start_of(net, slice(1, 2)), **case.how)
    assert all(np.array_equal(alone[n].times, tape[n].sample(1)[0]) for n in tape.names)
    for name, voltage in given.voltage.items():
        np.testing.assert_allclose(es.voltage(net, tape, name, 0.0)[:, 0], voltage, atol=1e-12)


@probe
def start_gradients(case):
    net, given = case.net, start_of(case.net)
    found = [
        es.backward(net, es.simulate(net, stream(), start=given, **how), loss_of(net))
        for how in (case.how, {"backend": "reference"})
    ]
    single = case.how["precision"] == "single"
    assert_same_gradients(*found, rtol=2e-3 if single else 1e-8, floor=1e-6)


@probe
def fixed_step(case):
    clocked = from_network(case.net, 0.5)
    back = clocked.to_network()
    assert back.parameters().keys() == case.net.parameters().keys()
    for key, values in back.parameters().items():
        np.testing.assert_allclose(values, case.net.parameters()[key], rtol=1e-6)
    # Weights of the grid are rounded to the type of the network's.
    fine = 1e-9 if case.row.by_axis["weights"] == "float64" else 1e-5
    expected = stepped(case.net, stream(), 0.5)
    assert sum(spikes.sum() for spikes, _ in expected.values()) > 3
    for precision, most in (("double", 0.0), ("single", 0.01)):
        run = clocked_run(clocked, stream(), precision=precision, keep=True)
        close = 1e-3 if precision == "single" else fine
        for name, (spikes, voltage) in expected.items():
            record = run.records[name]
            for k, n in enumerate(run.events.steps):
                u = voltage[:n, k]
                off = abs(record.voltage[:n, k] - u) > close * (1.0 + abs(u))
                assert off.mean() <= most
                if record.spikes is not None:
                    assert (record.spikes[:, k] != spikes[:, k]).mean() <= most


@probe
def chunks(case):
    whole = case.tape()
    tapes = list(es.simulate_chunks(case.net, stream().chunks(17.0), **case.how))
    for name in whole.names:
        samples = range(len(stream()))
        times = [tape[name].sample(k)[0] for k in samples for tape in tapes if len(tape.stream) > k]
        atol = ATOL[whole.precision]
        np.testing.assert_allclose(np.concatenate(times), whole[name].times, rtol=0, atol=atol)


@probe
def chunk_voltages(case):
    """Those of the whole run, but where rounding moves a spike over a time."""
    whole, rng = case.tape(), np.random.default_rng(2)
    atol = 1e-9 if whole.precision == "double" else 1e-3
    tape = list(es.simulate_chunks(case.net, stream().chunks(17.0), **case.how))[2]
    times = np.append(rng.uniform(tape.begin.max(), tape.stream.duration.min(), 7), 34.0)
    for name in case.net.neurons:
        for read in (es.voltage, es.current):
            expected = read(case.net, whole, name, times, samples=range(len(tape.stream)))
            off = abs(read(case.net, tape, name, times) - expected)
            assert (off > atol * (1.0 + abs(expected))).mean() < 0.01


@probe
def poisson(case):
    """Pieces give what the same events give as an ordinary stream; of linear layers to rounding."""
    given, lengths = (100.0, 160.0, 220.0, 0.0), stream().duration
    made = es.poisson(given, duration=lengths, seed=3)
    plain = es.EventStream(made.times, made.channels, made.offsets, n_channels=4, duration=lengths)
    expected, drawn = (
        es.simulate(case.net, plain, **case.how),
        es.poisson(given, duration=lengths, seed=3),
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(simulation, "MOST", 8)
        tape = es.simulate(case.net, drawn, **case.how)
    kept = "times" in vars(drawn)
    assert tape.synaptic_events == expected.synaptic_events
    assert sum(len(tape[name]) for name in tape.names)
    for name in tape.names:
        assert_same_trains(
            tape[name], expected[name], atol_ms=ATOL[tape.precision] if case.net.linear else 0.0
        )
    assert kept == (case.row.rule is not None)
    return "whole" if kept else ""


@probe
def record(case):
    """Who is chosen fires as in a run of which all is kept, there and as the run goes on."""
    whole, chosen = case.tape(), {"b": [2, 0]}
    tape = case.tape(record=chosen)
    runs = [[tape]]
    if can(case.net, backend=case.how["backend"])["chunks"]:
        chunks = es.simulate_chunks(case.net, stream().chunks(17.0), **case.how)
        runs.append([one.only(chosen) for one in chunks])
    atol = ATOL[tape.precision] if case.net.linear else 0.0
    for n in range(len(stream())):
        times, neurons = whole["b"].sample(n)
        mine = np.isin(neurons, chosen["b"])
        for tapes in runs:
            found = [one["b"].sample(n) for one in tapes]
            fired, who = (np.concatenate(some) for some in zip(*found, strict=True))
            np.testing.assert_allclose(fired, times[mine], rtol=0, atol=atol)
            assert np.array_equal(tape.recorded["b"].neurons[who], neurons[mine])
    assert tape.synaptic_events == whole.synaptic_events
    assert {name: one.spikes for name, one in tape.recorded.items()} == {
        name: len(whole[name]) for name in whole.names
    }


@probe
def whole_tape(case):
    chosen = {"chosen_spikes": ["a"], "all_spikes": None}[case.row.by_axis["recorded"]]
    tape = case.tape(record=chosen)
    found = es.backward(case.net, tape, loss_of(case.net))
    expected = es.backward(case.net, case.tape(backend="reference"), loss_of(case.net))
    assert_same_gradients(found, expected, rtol=1e-8, floor=1e-6)


def loss_of(net):
    return Sums(net, len(stream()))


@probe
def gradients(case):
    tape = case.tape()
    found = es.backward(case.net, tape, loss_of(case.net))
    plain = case.tape(backend="reference", precision="double")
    expected = es.backward(case.net, plain, loss_of(case.net))
    rtol = 1e-8 if tape.precision == "double" else 2e-3
    assert_same_gradients(found, expected, rtol=rtol, floor=1e-6)


@probe
def chunk_gradients(case):
    whole = es.backward(case.net, case.tape(), loss_of(case.net))
    pieces = list(stream().chunks(17.0))
    found = es.backward_chunks(case.net, pieces, loss_of(case.net), **case.how)
    for key, values in whole.flat().items():
        np.testing.assert_allclose(found.flat()[key], values, rtol=2e-3, atol=1e-6, err_msg=key)


@probe
def listen(case):
    net, how = case.net, case.how | {"precision": "double"}
    listener = es.listen(net, stream(), settings=es.live.ListenSettings(step=20.0), **how)
    found = [step.decided for step in listener if step.decided is not None]
    wanted = es.predict(net, stream(), **how)
    assert [one.answer for one in found] == list(wanted.names)
    if wanted.scores is not None:
        scores = [one.score for one in found]
        np.testing.assert_allclose(scores, wanted.scores.max(axis=1), atol=1e-9)


@probe
def ranks(case):
    run = simulate_ranks(case.net, stream()[0], **case.how)
    tape = es.simulate(case.net, stream()[0], **case.how)
    assert run.synaptic_events == tape.synaptic_events
    for name in tape.names:
        assert_same_trains(run.trains[name], tape[name], atol_ms=ATOL[tape.precision])


@probe
def near_miss(case):
    net = case.net.copy()
    for projection in net.projections.values():
        if projection.source == "input" and projection.all_to_all:
            projection.values[:, ::2] = 0.0
    loss, found = NearMiss(1.0, margin=3.0), []
    for backend in ("cpu", "reference"):
        tape = es.simulate(net, stream(), backend=backend)
        found.append((loss(net, tape)[0], es.backward(net, tape, loss)))
    assert found[0][0] == pytest.approx(found[1][0], rel=1e-9)
    assert_same_gradients(found[0][1], found[1][1], rtol=1e-8, floor=1e-6)


@probe
def spikl(case):
    rule, population = SpiKL(resistance=0.1), case.net.populations["a"]
    rule.check(case.net)
    rates = np.full((1, population.size), 0.03)
    assert all(np.isfinite(v).all() for v in rule.descent(population, rates).values())


def chip_of(kind):
    """A chip with neurons of a kind, and room."""
    if kind != "unknown_neuron":
        return load_chip({"fixed_neuron": "loihi", "program_neuron": "loihi2"}[kind])
    known = load_chip("loihi2")
    return replace(known, limits=replace(known.limits, neuron_model=None))


@probe
def map(case):
    chip = chip_of(case.row.by_axis["chip"])
    mapping = map_network(case.net, None, chip, method="refined")
    placed = {name: mapping.cores[name].size for name in case.net.neurons}
    assert placed == {name: p.size for name, p in case.net.neurons.items()}
    assert check_mapping(case.net, chip, mapping.cores) == []


@probe
def sanafe(case):
    mapping = _mapped_for_sanafe(case.net)
    files = export_sanafe(case.net, mapping, stream()[0], case.folder / "sanafe", step_ms=0.1)
    assert files.lost == 0
    assert files.network.stat().st_size > 0


def _mapped_for_sanafe(net):
    """A mapping; of a network that is refused, none that it asks for."""
    if not can(net)["sanafe"]:
        return None
    return map_network(net, None, load_chip("loihi_sanafe"), method="first_fit")


@probe
def chip_formats(case):
    once = quantise(case.net, load_chip("loihi"))
    again = quantise(once.net, load_chip("loihi"))
    for key, values in once.net.parameters().items():
        np.testing.assert_array_equal(again.net.parameters()[key], values, err_msg=key)
    for projection in once.net.projections.values():
        assert np.unique(projection.values).size <= 2**9


@probe
def torch_module(case):
    torch = pytest.importorskip("torch", reason="needs PyTorch")
    module = import_module("eventsim.bridge").torch_module(case.net, time_constant=50.0)
    outputs = module(stream())
    seeds = {name: es.ReadoutSeed(50.0, np.ones(u.shape)) for name, u in outputs.readouts.items()}
    seeds |= {name: np.ones(spikes.times.numel()) for name, spikes in outputs.spikes.items()}
    sum(
        [u.sum() for u in outputs.readouts.values()]
        + [spikes.times.sum() for spikes in outputs.spikes.values()],
        torch.zeros(()),
    ).backward()
    expected = es.backward(case.net, case.tape(backend="cpu"), seeds)
    found = module.parts["input->a"]["weights"].grad.numpy()
    wanted = expected["input->a"].weights
    np.testing.assert_allclose(found.ravel(), wanted.ravel(), rtol=1e-7, atol=1e-9)


@probe
def nir(case):
    graph, told = _written(case.net)
    back = from_nir(graph)
    assert back.parameters().keys() == case.net.parameters().keys()
    for key, values in back.parameters().items():
        np.testing.assert_array_equal(values, case.net.parameters()[key], err_msg=key)
    assert back.answer == case.net.answer
    assert_same_spikes(es.simulate(back, stream()), case.tape(), atol_ms=1e-9)
    return told


def _written(net, **how):
    """A graph, and what was said of it."""
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always", NirWarning)
        graph = to_nir(net, **how)
    return graph, " ".join(str(one.message) for one in told)


@probe
def nir_target(case):
    graph, told = _written(case.net, target="norse", dt=1.0, lossy=True)
    back = from_nir(graph)
    for key, values in case.net.parameters().items():
        np.testing.assert_allclose(back.parameters()[key], values, rtol=1e-9, err_msg=key)
    return told
