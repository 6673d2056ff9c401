"""Tapes of chosen populations or neurons: what they hold, and what refuses them."""

import numpy as np
import pytest

import eventsim as es
from eventsim.engine.run import simulation
from tests.support.compare import assert_same_bits
from tests.support.nets import random_net, random_stream

CHOSEN = {"hidden2": [2, 0, 2]}


@pytest.fixture(scope="module")
def net():
    return random_net(601, hidden=(4, 3), sparse=True)


@pytest.fixture(scope="module")
def stream():
    return random_stream(602, n_samples=3, duration=50.0)


@pytest.fixture(scope="module")
def whole(net, stream):
    return es.simulate(net, stream, backend="reference")


@pytest.fixture(scope="module")
def tape(net, stream):
    return es.simulate(net, stream, backend="reference", record=CHOSEN)


def by_hand(whole, sample):
    """Times, and numbers in the population, of neurons 0 and 2 of hidden2."""
    times, neurons = whole["hidden2"].sample(sample)
    mine = [k for k, n in enumerate(neurons) if n in (0, 2)]
    return times[mine], neurons[mine]


def test_spikes_of_chosen_neurons_are_those_of_the_whole_run(whole, tape):
    assert tape.names == ["hidden2"]
    numbers = tape.recorded["hidden2"].neurons
    assert numbers.tolist() == [0, 2]
    for sample in range(3):
        times, neurons = tape["hidden2"].sample(sample)
        expected = by_hand(whole, sample)
        assert np.array_equal(times, expected[0])
        assert np.array_equal(numbers[neurons], expected[1])
    assert len(tape["hidden2"])


def test_what_is_not_recorded_is_counted_in_full(whole, tape):
    assert tape.synaptic_events == whole.synaptic_events
    assert {name: one.spikes for name, one in tape.recorded.items()} == {
        name: len(whole[name]) for name in whole.names
    }
    assert repr(tape).startswith(
        f"SpikeTape(3 samples, spikes {{hidden2: {len(tape['hidden2'])} of 2 of 3 neurons}}"
    )
    assert "hidden2 (2 of 3 neurons) alone" in tape._repr_html_()


def test_a_population_by_its_name_has_all_its_spikes(net, stream, whole):
    for record in ("hidden1", ["hidden1"], {"hidden1": range(4)}):
        tape = es.simulate(net, stream, backend="reference", record=record)
        assert_same_bits(tape["hidden1"], whole["hidden1"])
        assert tape.names == ["hidden1"]


def test_nothing_recorded_leaves_counts_alone(net, stream, whole):
    tape = es.simulate(net, stream, backend="reference", record=[])
    assert (tape.names, tape.synaptic_events) == ([], whole.synaptic_events)
    assert tape.recorded["hidden1"].spikes == len(whole["hidden1"])


def test_activity_is_that_of_the_recorded_neurons(whole, tape):
    for name in ("rates", "cv"):
        found, of_all = (getattr(es.activity, name)(one, "hidden2") for one in (tape, whole))
        assert np.array_equal(found, of_all[:, [0, 2]], equal_nan=True)


def test_chunks_keep_the_same_spikes(net, stream, whole, tape):
    pieces = [one.only(CHOSEN) for one in es.simulate_chunks(net, stream.chunks(13.0))]
    for sample in range(3):
        times = np.concatenate([piece["hidden2"].sample(sample)[0] for piece in pieces])
        np.testing.assert_allclose(times, by_hand(whole, sample)[0], rtol=0, atol=1e-9)
    spikes = sum(piece.recorded["hidden1"].spikes for piece in pieces)
    assert spikes == len(whole["hidden1"])


def test_a_run_on_poisson_events_holds_the_chosen_spikes_of_a_piece_alone(monkeypatch):
    net = random_net(601, hidden=(4, 3), sparse=True)
    made = [es.poisson(150.0, n_channels=5, duration=3000.0, seed=3) for _ in range(2)]
    whole = es.simulate(net, made[0], backend="cpu")
    held = []
    monkeypatch.setattr(simulation, "MOST", 100)
    joined = simulation._joined
    monkeypatch.setattr(
        simulation, "_joined", lambda parts: held.append([p.size for p in parts]) or joined(parts)
    )
    tape = es.simulate(net, made[1], backend="cpu", record=CHOSEN)
    fields = ("times", "neurons", "offsets", "current")
    assert_same_bits(tape["hidden2"], whole["hidden2"].of(np.array([0, 2])), fields)
    assert tape.synaptic_events == whole.synaptic_events
    assert {k: one.spikes for k, one in tape.recorded.items()} == {
        name: len(whole[name]) for name in whole.names
    }
    assert (len(held), set(held[0])) == (1, {2})
    assert len(held[0]) > 3


def test_file_keeps_what_was_recorded(tape, tmp_path, whole):
    for one in (tape, whole.only([])):
        one.save(tmp_path / "tape.npz")
        back = es.SpikeTape.load(tmp_path / "tape.npz")
        assert back.names == one.names
        for name in one.names:
            assert_same_bits(back[name], one[name])
        assert back.recorded.keys() == one.recorded.keys()
        for name, kept in one.recorded.items():
            assert back.recorded[name][::2] == kept[::2]
            assert np.array_equal(back.recorded[name].neurons, kept.neurons)
        with pytest.raises(es.errors.ParameterError, match="those of all neurons are needed"):
            back.only([])


def test_file_of_a_chosen_start_loads(net, stream, tmp_path):
    start = es.Start(voltage={"hidden2": -0.5, "hidden1": [0.1, 0.2, -0.3, 0.0]})
    tape = es.simulate(net, stream, start=start, record=CHOSEN)
    tape.save(tmp_path / "tape.npz")
    back = es.SpikeTape.load(tmp_path / "tape.npz")
    assert np.array_equal(back.start["hidden1"].voltage, tape.start["hidden1"].voltage)
    assert np.array_equal(back.start["hidden2"].voltage, tape.start["hidden2"].voltage)


def test_damaged_file_of_chosen_neurons_is_refused(tape, tmp_path):
    path = tmp_path / "tape.npz"
    tape.save(path)
    with np.load(path) as file:
        arrays = {name: file[name] for name in file.files}
    mine = [name for name in arrays if name.startswith("recorded.")]
    assert len(mine) == 3
    changed = [{key: arrays[key] for key in arrays if key != name} for name in mine]
    changed += [arrays | {name: arrays[name][:-1]} for name in mine]
    changed += [arrays | {"recorded.neurons": np.array(some)} for some in ([2, 0], [0, 3], [-1, 0])]
    changed += [arrays | {"recorded.numbers": -arrays["recorded.numbers"]}]
    for some in changed:
        np.savez(path, **some)
        with pytest.raises(es.errors.StorageError):
            es.SpikeTape.load(path)


# Everything that takes a tape and needs all spikes.


def test_raster_says_of_whom_its_rows_are(net, stream, tape, whole):
    axes = es.plot.raster(tape)
    labels = [text.get_text() for text in axes.get_yticklabels()]
    assert labels[1] in ("hidden2\n2 of 3 neurons", "hidden2 (2 of 3)")
    colour = axes.collections[1].get_facecolor()[0, :3]
    of_all = es.plot.raster(whole).collections[2].get_facecolor()[0, :3]
    assert np.array_equal(colour, of_all)
    alone = es.plot.raster(tape, populations=["hidden2"])
    assert [text.get_text() for text in alone.get_yticklabels()] == ["0", "2"]
    assert alone.get_ylabel() == "hidden2 neuron, 2 of 3 recorded"
