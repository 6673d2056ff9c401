"""A state in a file: the run goes on from it with the same bits; what does not fit is refused."""

import json

import numpy as np
import pytest

import eventsim as es
from eventsim.engine import algorithm
from eventsim.errors import NetworkError, StorageError
from tests.matrix.networks import network, stream
from tests.support.linear_neurons import two_kinds_in_a_loop
from tests.support.nets import lateral_net, random_net, random_stream, shared_net

KINDS = ("lif", "adaptive", "receptors", "adlif", "own_neuron")
NETS = {
    "layers": lambda: random_net(71, hidden=(9, 7), n_inputs=6, delays="none", self_delays="none"),
    "layers by neuron": lambda: random_net(72, hidden=(9, 7), n_inputs=6, sparse=True),
    "in flight": lambda: lateral_net(73, delays="synapse"),
    "windows": lambda: lateral_net(74, delays="scalar"),
    "windows of linear neurons": lambda: two_kinds_in_a_loop(79),
    "windows, stretches": lambda: shared_net(75, n=20, refractory=2.5),
}


def assert_goes_on(net, events, path, border, **how):
    """The run that stops at the border and goes on from a file has the bits of the other."""
    first, last = list(events.chunks(border))[:2]
    _, state = es.simulate_chunk(net, first, **how)
    wanted, after = es.simulate_chunk(net, last, state, **how)
    state.save(path)
    read = es.RunState.load(path, net.copy())
    assert repr(read) == repr(state)
    found, then = es.simulate_chunk(net.copy(), last, read, **how)
    for name in wanted.names:
        for field in ("times", "neurons", "offsets", "current", "restart_current"):
            here, there = (getattr(tape[name], field) for tape in (found, wanted))
            assert np.array_equal(here, there, equal_nan=field.endswith("current"))
    assert found.synaptic_events == wanted.synaptic_events
    voltages = [
        {name: readout.voltage.tolist() for name, readout in one.readouts.items()}
        for one in (then, after)
    ]
    assert voltages[0] == voltages[1]
    return sum(len(wanted[name]) for name in wanted.names)


@pytest.mark.parametrize("precision", ["double", "single"])
@pytest.mark.parametrize("case", NETS)
def test_a_run_goes_on_from_its_file(case, fast_backend, precision, tmp_path, monkeypatch):
    monkeypatch.setattr(algorithm, "WINDOW_SHARE", 0.0)
    net = NETS[case]()
    events = random_stream(76, n_samples=2, n_channels=net.input.size, duration=40.0)
    how = {"backend": fast_backend, "precision": precision}
    assert assert_goes_on(net, events, tmp_path / "state.npz", 20.7, **how) > 10


@pytest.mark.parametrize("wiring", ["layers", "lateral"])
@pytest.mark.parametrize("kind", KINDS)
def test_neurons_of_every_kind_go_on_from_a_file(kind, wiring, backend, tmp_path):
    if backend == "reference" and kind not in ("lif", "adaptive"):
        pytest.skip("the reference runs them whole")
    net = network({"neuron": kind, "wiring": wiring, "delay": "delay_by_source"})
    path = tmp_path / "state.npz"
    assert assert_goes_on(net, stream(), path, 25.3, backend=backend) > 0


def test_gradients_go_back_through_a_chunk_that_began_from_a_file(tmp_path):
    net = network({"neuron": "adlif", "wiring": "lateral", "delay": "delay"})
    first, last = list(stream().chunks(25.0))[:2]
    _, state = es.simulate_chunk(net, first, backend="cpu")
    state.save(tmp_path / "state.npz")
    read = es.RunState.load(tmp_path / "state.npz", net)
    tapes = [es.simulate_chunk(net, last, one, backend="cpu")[0] for one in (state, read)]
    seeds = {name: np.ones(len(tapes[0][name])) for name in tapes[0].names}
    found, wanted = (es.backward_chunk(net, tape, seeds)[0] for tape in tapes)
    assert wanted.values
    for key, values in wanted.values.items():
        assert np.array_equal(found.values[key], values)


@pytest.fixture
def saved(tmp_path):
    net = lateral_net(77, delays="synapse")
    events = random_stream(78, n_samples=2, n_channels=net.input.size, duration=20.0, even=True)
    _, state = es.simulate_chunk(net, events, backend="cpu")
    state.save(tmp_path / "state.npz")
    return net, tmp_path / "state.npz"


def test_another_network_is_refused(saved):
    net, path = saved
    key = next(iter(net.projections))
    others = {"weights, delays": net.copy(), "another network": lateral_net(79, delays="synapse")}
    values = others["weights, delays"].projections[key].values
    values.ravel()[0] = np.nextafter(values.ravel()[0], 9.0)
    for words, other in others.items():
        with pytest.raises(NetworkError, match=words) as caught:
            es.RunState.load(path, other)
        assert str(path) in str(caught.value)


def test_values_that_change_after_loading_act_from_there_on(saved):
    net, path = saved
    state = es.RunState.load(path, net)
    for projection in net.projections.values():
        projection.values[...] *= 1.5
    silent = es.EventStream([], [], [0, 0, 0], n_channels=net.input.size, duration=30.0)
    tape, _ = es.simulate_chunk(net, silent, state, backend="cpu")
    assert tape.begin.tolist() == [20.0, 20.0]


DAMAGE = {
    "a neuron that is not there": ("loops.0.sent.neurons", lambda v: v + np.int32(10_000)),
    "an arrival at no synapse": ("loops.0.pending.last", lambda v: np.append(v, 3)),
    "a row of another type": ("loops.0.stop.v", lambda v: v.astype(np.float32)),
    "neurons that are missing": ("loops.0.stop.j", lambda v: v[:, 1:]),
    "a voltage that is none": ("loops.0.stop.v", lambda v: v * np.nan),
    "halvings without end": ("loops.0.stop.halvings", lambda v: v + 10**6),
    "a sample more": ("loops.0.stop.border", lambda v: np.append(v, 0.0)),
    "offsets that fall": ("loops.0.sent.offsets", lambda v: v[::-1]),
    "spikes of no neuron": ("spikes.0.neurons", lambda v: v - np.int32(10_000)),
    "no end": ("end", None),
    "no telling": ("about", lambda v: np.array("{}")),
    "an unknown precision": ("about", lambda v: np.array(
        json.dumps(json.loads(str(v)) | {"precision": "half"}))),
}  # fmt: skip


@pytest.mark.parametrize("case", DAMAGE)
def test_a_damaged_file_is_refused(saved, case):
    (net, path), (name, change) = saved, DAMAGE[case]
    with np.load(path) as file:
        arrays = dict(file)
    if change is None:
        del arrays[name]
    else:
        arrays[name] = change(arrays[name])
        assert arrays[name].size, "nothing is damaged"
    np.savez(path, **arrays)
    with pytest.raises(StorageError) as caught:
        es.RunState.load(path, net)
    assert str(path) in str(caught.value)
