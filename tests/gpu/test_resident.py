"""A training step on the device moves no spike data to the host."""

import numpy as np
import pytest

import eventsim as es
from eventsim.engine import place
from eventsim.engine.contract.registry import using_backend
from eventsim.engine.cuda.counts import PARTS
from eventsim.engine.cuda.spikes import BLOCKS
from eventsim.plan import make_plan
from eventsim.train import (
    AdamW,
    CrossEntropy,
    FirstSpike,
    RateBand,
    SumOfLosses,
    TrainConfig,
    VanRossum,
    select,
)
from eventsim.train.checkpoint import TrainState
from eventsim.train.method import Exact
from eventsim.train.optimiser import Pace
from eventsim.train.parallel import ProcessGroup
from eventsim.train.step import train_batch
from tests.support.nets import lateral_net, random_net, random_stream
from tests.support.simt.arrays import ndarray
from tests.unit.train.task import small_net, two_patterns

N_SAMPLES = 3
NETS = {
    "dense": lambda: random_net(81, delays="none", self_delays="none"),
    "delays by source": lambda: random_net(82, delays="source"),
    "sparse": lambda: random_net(83, sparse=True, delays="synapse"),
    "loop": lambda: lateral_net(84),
}


@pytest.fixture
def moved(host_cuda, monkeypatch):
    """Sizes of what goes to the host, and arrays that come from there, while a test runs."""
    fetched, uploaded = [], []
    for name in ("get", "tolist"):
        own = getattr(ndarray, name)

        def counting(self, own=own):
            fetched.append(self.size)
            return own(self)

        monkeypatch.setattr(ndarray, name, counting)
    place_there = host_cuda.device.asarray

    def uploading(values, dtype=None):
        if type(values) is np.ndarray:
            uploaded.append(values)
        return place_there(values, dtype)

    monkeypatch.setattr(host_cuda.device, "asarray", uploading)
    with using_backend("cuda", host_cuda):
        yield fetched, uploaded


@pytest.mark.parametrize("kind", NETS)
def test_step_fetches_sums_but_no_spikes(moved, kind):
    fetched, uploaded = moved
    net = place(NETS[kind](), backend="cuda")
    stream = random_stream(85, n_samples=N_SAMPLES, duration=60.0)
    spiking = [p for p in net.populations.values() if p.kind == "spiking"]
    last = spiking[-1]
    targets = es.simulate(net, stream, backend="cuda", resident=True)[last.name]
    loss = SumOfLosses(
        (
            (1.0, CrossEntropy(np.arange(N_SAMPLES) % 3, readout="output")),
            (0.5, FirstSpike(np.arange(N_SAMPLES) % last.size, population=last.name)),
            (0.1, VanRossum(targets, population=last.name)),
            (1.0, RateBand(20.0, 60.0)),
        )
    )
    optimiser = AdamW(net, select(net, ["weights", "delays", "tau_mem"]))
    fetched.clear()
    uploaded.clear()

    tape = es.simulate(net, stream, backend="cuda", resident=True)
    gradients = es.backward(net, tape, loss)
    report = optimiser.step(gradients.flat())
    assert report.norm > 0.0
    assert sum(len(tape[p.name]) for p in spiking) > 60
    # The extents of the parameters, which are few numbers each. Delays of loops, forward and
    # backward: their synapses are bundled on the host.
    # Of every layer how much room it needed. Of the backward pass the grazes, and whether the
    # seeds are finite. And the norm of the gradients.
    lateral = [stage for stage in make_plan(net).stages if stage.lateral]
    loops = [stage.wiring.target.size for stage in lateral]
    extents = 3 * PARTS * (len(net.parameters()) + 2 * len(spiking))
    layers = [s for s in make_plan(net).stages if not (s.lateral or s.is_readout)]
    rooms = [3 * BLOCKS + 1] * len(layers)
    assert sorted(fetched) == sorted([extents, extents, *loops, *loops, *rooms, 2, 1])
    # The input goes to the device once.
    assert sum(values is stream.times for values in uploaded) == 1
    assert sum(values is stream.channels for values in uploaded) == 1


def test_batch_of_training_fetches_counts_of_neurons_and_predictions(moved):
    fetched, _ = moved
    config = TrainConfig(backend="cuda", rate_strength=1e-3, silent_lift=0.01)
    net = place(small_net(), backend="cuda")
    state = TrainState(net, AdamW(net, select(net, config.trained()), config.adam_settings()))
    batch = two_patterns(8)
    for _ in range(2):  # the first looks at the network, and finds out how much room it needs
        fetched.clear()
        pace = Pace(counts=True)
        rng, group = np.random.default_rng(0), ProcessGroup()
        train_batch(config, state, batch, group, method=Exact(), rng=rng, pace=pace)
    with state.optimiser.averaged():
        pass
    # Of the layer how much room it needed. After the forward pass the loss, predictions, synaptic
    # events and counts of spikes; at the end the norm, three numbers of the backward pass, and the
    # extents of the parameters for the next step.
    n_hidden, extents = net.population("hidden1").size, 3 * PARTS * (len(net.parameters()) + 2)
    facts = 1 + len(batch) + len(net.projections) + n_hidden
    assert fetched == [3 * BLOCKS + 1, facts, 4 + extents]
    assert state.optimiser.n_averaged == 2
    assert state.sums.spikes["hidden1"] > len(batch) * n_hidden
