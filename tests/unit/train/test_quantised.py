"""Training with a chip's numbers: what runs, what is moved, what comes out, and what is refused."""

import json
from dataclasses import replace
from typing import ClassVar

import numpy as np
import pytest

from eventsim.adjoint import backward
from eventsim.chips import Formats, load_chip
from eventsim.engine import place, simulate
from eventsim.errors import ParameterError, StorageError
from eventsim.events import stratified_split
from eventsim.events.storage import read_arrays
from eventsim.mapping import InfeasibleError, check_mapping, map_network, quantise
from eventsim.network import Network
from eventsim.train import (
    ActivityCost,
    Exact,
    QuantisedTraining,
    SparseTraining,
    TrainConfig,
    evaluate,
    predict,
    train,
)
from eventsim.train.draws import Draw, draw_seed
from eventsim.train.quantised import Numbers
from tests.support.processes import together
from tests.unit.train.task import (
    Stop,
    assert_same_net,
    first_spike_net,
    small_net,
    stop_at,
    two_patterns,
)

CONFIG = TrainConfig(
    epochs=4,
    batch_size=8,
    seed=2,
    validation_fraction=0.25,
    calibrate=0.0,
    initial_logits=0.0,
    quantise=QuantisedTraining(bits=4, begin=0.0),
)
CHIP = """
format = "eventsim-chip"
version = 1
name = "mine"
title = "Mine"
kind = "chip"
source = "none"
step_ms = 1.0
[limits]
cores = 2
mesh = [2, 1]
cores_per_tile = 1
neurons_per_core = {neurons}
axons_in_per_core = {axons}
fan_in_per_neuron = {fan_in}
[formats]
weight_bits = 5
decay_bits = {decay}
threshold_bits = 6
max_delay_steps = 4
"""


@pytest.fixture
def chip(tmp_path):
    """A maker of the file of a chip."""

    def write(*, neurons=8, axons=20, fan_in=30, decay=7):
        path = tmp_path / "mine.toml"
        text = CHIP.format(neurons=neurons, axons=axons, fan_in=fan_in, decay=decay)
        path.write_text(text, encoding="utf-8")
        return str(path)

    return write


class Watched(Exact):
    """Exact event time that notes the weights with which it runs, learning or not."""

    seen: ClassVar[list] = []

    def forward(self, net, stream, target, config, memo=None):
        Watched.seen.append((memo is not None, net.projections["input->hidden1"].values.copy()))
        return super().forward(net, stream, target, config, memo)


def levels(weights, bits):
    """Whether all weights are whole multiples of the largest by 2^(bits-1) - 1: own arithmetic."""
    largest = max(abs(w) for w in weights.ravel().tolist())
    steps = [w / largest * (2 ** (bits - 1) - 1) for w in weights.ravel().tolist()]
    return all(abs(step - round(step)) < 1e-9 for step in steps)


def shadow(folder):
    """The network of a checkpoint."""
    arrays = read_arrays(folder / "checkpoint.npz", kind="eventsim-checkpoint", version=1)
    found = {k.removeprefix("net:"): v for k, v in arrays.items() if k.startswith("net:")}
    return Network.from_arrays(found)


# --- what runs ---------------------------------------------------------------------------------


def test_every_pass_runs_on_the_grid_and_shadow_weights_do_not_lie_on_it(tmp_path):
    Watched.seen.clear()
    train(small_net(), two_patterns(32), CONFIG, tmp_path / "run", method=Watched())
    assert {learn for learn, _ in Watched.seen} == {True, False}
    assert all(levels(weights, 4) for _, weights in Watched.seen)
    assert not levels(shadow(tmp_path / "run").projections["input->hidden1"].values, 4)


def test_gradient_by_shadow_weights_is_the_exact_one_at_the_rounded_network(tmp_path):
    data, net = two_patterns(8), small_net()
    config = replace(
        CONFIG, epochs=1, validation_fraction=0.0, rate_strength=0.0, silent_lift=0.0,
        clip_norm=np.inf, bip=(), backend="cpu", precision="double",
    )  # fmt: skip
    train(net, data, config, tmp_path / "run")
    rounded = quantise(net, 4).net
    tape = simulate(rounded, data.stream, backend="cpu")
    expected = backward(rounded, tape, config.loss.of(config.target(data.labels))).flat()
    arrays = read_arrays(tmp_path / "run/checkpoint.npz", kind="eventsim-checkpoint", version=1)
    for name in net.projections:
        moment = arrays[f"optimiser:first.{name}.weights"]
        np.testing.assert_allclose(moment, 0.1 * expected[f"{name}.weights"], rtol=1e-9, atol=1e-15)


def test_values_beyond_the_ends_of_a_format_are_held_there_and_come_back():
    net = small_net()
    net.projections["input->hidden1"].delays[...] = 90.0
    net.populations["hidden1"].tau_mem[:2] = 0.01, 1e6
    numbers = Numbers(Formats(decay_bits=8, max_delay_steps=62), 1.0)
    before = net.populations["hidden1"].tau_mem.copy()
    with numbers.rounded(net):
        assert net.projections["input->hidden1"].delays == 62.0
        inside = net.populations["hidden1"].tau_mem.copy()
    tau = net.populations["hidden1"].tau_mem
    assert net.projections["input->hidden1"].delays == 62.0
    np.testing.assert_allclose(tau[:2], [-1 / np.log(1 / 256), -1 / np.log(255 / 256)])
    np.testing.assert_array_equal(tau[2:], before[2:])
    np.testing.assert_allclose(inside[:2], tau[:2])
    assert (inside[2:] != tau[2:]).all()


def test_shadow_values_come_back_after_an_error():
    net = small_net()
    before = net.copy()

    def broken():
        with Numbers(Formats(weight_bits=2), None).rounded(net):
            raise Stop

    with pytest.raises(Stop):
        broken()
    assert_same_net(net, before)


def test_begin_says_from_which_step_values_are_rounded():
    config = replace(CONFIG, quantise=QuantisedTraining(bits=4, begin=0.5))
    data = two_patterns(32)
    Watched.seen.clear()
    found = train(small_net(), data, config, method=Watched())
    assert [line["quantised"] for line in found.history] == [False, False, True, True]
    learned = [levels(weights, 4) for learn, weights in Watched.seen if learn]
    assert learned == [False] * 6 + [True] * 6
    assert found.selected["epoch"] > 2
    assert levels(found.selected_net.projections["hidden1->output"].values, 4)
    plain = train(small_net(), data, replace(config, quantise=QuantisedTraining()))
    for line, other in zip(found.history[:2], plain.history[:2], strict=True):
        assert line["loss"] == other["loss"]
        assert line["validation_loss"] == other["validation_loss"]
    assert "quantised" not in plain.last


def test_the_last_step_is_rounded_wherever_rounding_begins():
    late = QuantisedTraining(bits=4, begin=0.999)
    assert [late.numbers_at(k, 10, begun=False) is None for k in (8, 9)] == [True, False]
    assert late.numbers_at(0, 10, begun=True) is late.numbers


# --- what comes out ----------------------------------------------------------------------------


@pytest.mark.parametrize("bits", [1, 2, 4, 8])
def test_saved_network_lies_on_the_grid_and_has_the_claimed_accuracy(tmp_path, bits):
    data, config = two_patterns(60), replace(CONFIG, quantise=QuantisedTraining(bits=bits))
    found = train(small_net(), data, config, tmp_path / "run")
    saved = Network.load(tmp_path / "run" / "last.npz")
    assert_same_net(saved, found.net)
    for projection in saved.projections.values():
        values = projection.values
        same_size = np.unique(np.abs(values[values != 0.0])).size == 1
        assert same_size if bits == 1 else levels(values, bits), projection.name
    _, held_out = stratified_split(data.labels, fraction=0.25, seed=draw_seed(config, Draw.SPLIT))
    part = data.subset(held_out)
    answers = predict(saved, part.stream, backend="cpu", precision="double")
    accuracy = float(np.mean(answers.classes == part.labels))
    assert accuracy == found.last["validation_accuracy"]
    assert evaluate(saved, part).accuracy == accuracy


def test_saved_network_does_not_change_when_it_is_rounded_again(chip):
    for given in (QuantisedTraining(bits=3), QuantisedTraining(chip=chip())):
        found = train(small_net(), two_patterns(32), replace(CONFIG, quantise=given))
        again = quantise(found.net, load_chip(given.chip) if given.chip else 3).net
        assert_same_net(again, found.net, rtol=1e-12, atol=1e-15)


def test_a_chip_rounds_what_it_has_formats_for(chip):
    net, config = small_net(), replace(CONFIG, train_delays=True, tail=6.0)
    net.projections["input->hidden1"].delays[...] = 2.3
    own = replace(config, quantise=QuantisedTraining(chip=chip()))
    found = train(net, two_patterns(32), own).net
    assert levels(found.projections["input->hidden1"].values, 5)
    delay = float(found.projections["input->hidden1"].delays)
    assert delay in range(5)
    decay = (1.0 - np.exp(-1.0 / found.populations["hidden1"].tau_mem)) * 128
    np.testing.assert_allclose(decay, np.round(decay), atol=1e-9)
    p = found.populations["hidden1"]
    current = (p.threshold - p.v_leak) / p.resistance
    units = current / current.max() * 63
    np.testing.assert_allclose(units, np.round(units), atol=1e-9)
    fewer = replace(config, quantise=QuantisedTraining(chip=chip(), bits=2))
    assert levels(train(net, two_patterns(32), fewer).net.projections["input->hidden1"].values, 2)


def test_mean_of_the_weights_is_rounded_too():
    config = replace(CONFIG, averaged=0.5, quantise=QuantisedTraining(bits=3))
    found = train(small_net(), two_patterns(32), config)
    assert levels(found.net.projections["input->hidden1"].values, 3)


@pytest.mark.parametrize("bits", [None, 1, 4])
def test_values_are_rounded_alike_on_every_backend(backend, chip, bits):
    given = QuantisedTraining(chip="" if bits == 1 else chip(), bits=bits)
    net = place(small_net(), backend=backend)
    with given.numbers.rounded(net):
        found = net.to_host().copy()
    expected = quantise(small_net(), given.numbers.formats, step_ms=given.numbers.step_ms).net
    assert_same_net(net.to_host(), small_net())
    for key, values in expected.parameters().items():
        if key.endswith("weights") and bits != 1:
            np.testing.assert_array_equal(found.parameters()[key], values)
        else:  # functions and sums differ by roundings between libraries
            np.testing.assert_allclose(found.parameters()[key], values, rtol=1e-12)


def test_every_backend_trains_with_the_numbers_of_a_chip(backend, chip):
    precision = "double" if backend == "reference" else "single"
    config = replace(
        CONFIG,
        epochs=2,
        backend=backend,
        precision=precision,
        train_delays=True,
        sparse=SparseTraining(sparsity=0.5, rewire=0.3, interval=2, scope="projection"),
        quantise=QuantisedTraining(chip=chip(), begin=0.3),
    )
    found = train(small_net(), two_patterns(24), config)
    assert [line["quantised"] for line in found.history] == [True, True]
    assert all(levels(p.values, 5) for p in found.net.projections.values())
    again = quantise(found.net, load_chip(config.quantise.chip)).net
    assert_same_net(again, found.net, rtol=1e-12, atol=1e-15)


# --- runs that stop, are cut, or go on -----------------------------------------------------------


def test_extended_run_stays_rounded(tmp_path):
    data = two_patterns(32)
    config = replace(CONFIG, quantise=QuantisedTraining(bits=4, begin=0.5))
    train(small_net(), data, config, tmp_path / "run")
    longer = train(small_net(), data, replace(config, epochs=8), tmp_path / "run", resume=True)
    assert [line["quantised"] for line in longer.history] == [False, False] + [True] * 6


def test_a_run_of_other_numbers_is_not_resumed(tmp_path):
    data = two_patterns(16)
    train(small_net(), data, replace(CONFIG, epochs=1), tmp_path / "run")
    other = replace(CONFIG, epochs=2, quantise=QuantisedTraining(bits=5))
    with pytest.raises(StorageError, match="quantise"):
        train(small_net(), data, other, tmp_path / "run", resume=True)


def test_a_chip_whose_file_has_changed_is_told_where_a_run_is_resumed(tmp_path, chip):
    data, config = two_patterns(16), replace(CONFIG, quantise=QuantisedTraining(chip=chip()))
    train(small_net(), data, replace(config, epochs=1), tmp_path / "run")
    chip(decay=6)
    other = replace(CONFIG, quantise=QuantisedTraining(chip=config.quantise.chip))
    with pytest.raises(StorageError, match="decay_bits"):
        train(small_net(), data, other, tmp_path / "run", resume=True)
    chip()
    train(small_net(), data, config, tmp_path / "run", resume=True)


@pytest.mark.thorough("two more trainings; test_parallel.py holds the bits of a run")
@pytest.mark.parametrize("size", [2, 3])
def test_processes_change_no_bit(tmp_path, chip, size):
    given = QuantisedTraining(chip=chip(), begin=0.3)
    config = replace(CONFIG, epochs=3, shards=3, backend="cpu", precision="double", quantise=given)
    data = two_patterns(22)
    alone = train(small_net(), data, config)
    results = together(
        size, lambda group: train(small_net(), data, config, tmp_path / "run", group=group)
    )
    for found in results:
        assert_same_net(found.net, alone.net)


# --- with the other terms ------------------------------------------------------------------------


@pytest.mark.parametrize(
    "loss",
    ["cross_entropy", "cross_entropy_maximum", "cross_entropy_last",
     "first_spike", "spike_count", "van_rossum"],
)  # fmt: skip
def test_every_loss_trains_a_rounded_network(loss):
    net = small_net() if loss.startswith("cross") else first_spike_net()
    found = train(net, two_patterns(32), replace(CONFIG, loss=loss))
    assert levels(found.net.projections["input->hidden1"].values, 4)
    assert np.isfinite(found.last["loss"])


def test_sparse_rewired_and_cheap_together():
    config = replace(
        CONFIG,
        epochs=6,
        sparse=SparseTraining(sparsity=0.5, rewire=0.3, interval=2, scope="projection"),
        activity=ActivityCost(target=0.03, chip="loihi"),
    )
    found = train(small_net(), two_patterns(40), config)
    assert found.net.projections["input->hidden1"].values.size == 24
    assert all(levels(p.values, 4) for p in found.net.projections.values())
    assert found.last["energy_pj_per_sample"] > 0.0
    assert found.last["quantised"]


def test_rewiring_looks_for_gradients_at_the_rounded_network(tmp_path):
    sparse = SparseTraining(sparsity=0.5, end=0.0, rewire=0.5, interval=1, scope="projection")
    Watched.seen.clear()
    train(small_net(), two_patterns(32), replace(CONFIG, sparse=sparse), method=Watched())
    full = [weights for learn, weights in Watched.seen if learn and weights.size == 48]
    assert full
    assert all(levels(weights, 4) for weights in full)


def test_the_fan_in_of_the_chip_is_kept_without_being_asked_for(chip, caplog):
    data = two_patterns(32)
    config = replace(CONFIG, quantise=QuantisedTraining(chip=chip(fan_in=4)))
    found = train(small_net(), data, config)
    widest = np.zeros(8, int)
    for name in ("input->hidden1", "hidden1->hidden1"):
        widest += np.bincount(found.net.projections[name].targets(), minlength=8)
    assert widest.max() == 4
    assert "more synapses than the 4 that chip" in caplog.text
    mapped = map_network(found.net, None, load_chip(config.quantise.chip), method="first_fit")
    assert check_mapping(found.net, load_chip(config.quantise.chip), mapped.cores) == []
    caplog.clear()
    wide = train(small_net(), data, replace(CONFIG, quantise=QuantisedTraining(chip=chip())))
    assert wide.net.projections["input->hidden1"].pattern is None
    assert "more synapses" not in caplog.text


def test_weights_of_zero_count_because_training_moves_them(chip):
    net = small_net()
    net.projections["input->hidden1"].values[3:] = 0.0
    config = replace(CONFIG, epochs=1, quantise=QuantisedTraining(chip=chip(fan_in=4)))
    assert config.quantise.fitted(net, config.sparse).fan_in == 4
    few = QuantisedTraining(chip=chip(axons=6))
    refused(InfeasibleError, "needs 8 of axons_in_per_core", net, quantise=few)


def test_pruned_run_is_resumed_with_the_fan_in_of_the_chip(tmp_path, chip):
    data = two_patterns(32)
    config = replace(CONFIG, quantise=QuantisedTraining(chip=chip(fan_in=4)))
    straight = train(small_net(), data, config, tmp_path / "straight")
    with pytest.raises(Stop):
        train(small_net(), data, config, tmp_path / "run", callback=stop_at(3, 2))
    resumed = train(small_net(), data, config, tmp_path / "run", resume=True)
    assert_same_net(straight.net, resumed.net)
    stored = json.loads((tmp_path / "run" / "run.json").read_text(encoding="utf-8"))
    assert stored["train"]["sparse"]["fan_in"] is None


# --- what is refused -----------------------------------------------------------------------------


def refused(error, match, net=None, **settings):
    with pytest.raises(error, match=match):
        train(net or small_net(), two_patterns(8), replace(CONFIG, **settings))


def test_settings_are_read_where_the_chip_is_not():
    assert not QuantisedTraining().on
    assert TrainConfig(quantise=QuantisedTraining(chip="elsewhere.toml")).quantise.on


def test_few_bits_of_decay_are_no_matter_where_their_taus_are_not_trained(chip):
    given = QuantisedTraining(chip=chip(decay=1))
    config = replace(CONFIG, epochs=1, bip=("threshold", "tau_syn"), quantise=given)
    found = train(small_net(), two_patterns(16), config)
    np.testing.assert_allclose(found.net.populations["hidden1"].tau_mem, 1.0 / np.log(2.0))


def test_networks_that_have_no_room_are_refused_before_training(chip):
    refused(
        InfeasibleError,
        "neurons_per_core x 2 cores",
        quantise=QuantisedTraining(chip=chip(neurons=4)),
    )
    fits = QuantisedTraining(chip=chip(neurons=5))
    train(small_net(), two_patterns(8), replace(CONFIG, epochs=1, quantise=fits))
    few = QuantisedTraining(chip=chip(axons=6))
    refused(InfeasibleError, "needs 8 of axons_in_per_core", quantise=few)
    wide = SparseTraining(fan_in=31)
    refused(ParameterError, "at most 30", quantise=QuantisedTraining(chip=chip()), sparse=wide)


def test_pruning_makes_room(chip):
    few = QuantisedTraining(chip=chip(axons=7))
    refused(InfeasibleError, "needs 8 of axons_in_per_core", quantise=few)
    pruned = SparseTraining(sparsity=0.6, scope="projection")
    train(small_net(), two_patterns(8), replace(CONFIG, epochs=1, quantise=few, sparse=pruned))


def test_a_decision_learns_with_rounded_weights_of_its_own(tmp_path):
    net = small_net()
    net.decide("output", np.random.default_rng(3).normal(size=(2, 2)))
    config = replace(CONFIG, loss="cross_entropy_maximum")
    found = train(net, two_patterns(24), config, tmp_path / "run").net.decision
    assert levels(found.weights, 4)
    assert not np.array_equal(found.weights, net.decision.weights)
    before = shadow(tmp_path / "run").decision
    assert not levels(before.weights, 4)
    np.testing.assert_array_equal(before.bias, found.bias)
    assert len(np.unique(before.bias)) == 2
