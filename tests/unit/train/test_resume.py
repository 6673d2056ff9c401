"""A run that is stopped, and then goes on, ends with the bits of one that nothing stops."""

from dataclasses import replace
from functools import partial

import numpy as np
import pytest

import eventsim as es
from eventsim.clocked import Grid
from eventsim.train import ActivityCost, QuantisedTraining, SparseTraining, train
from eventsim.train.loss_settings import MaximumLoss
from tests.unit.train import task
from tests.unit.train.task import (
    Stop,
    assert_same_net,
    assert_same_run,
    shared_net,
    small_net,
    stop_at,
    two_patterns,
)

CONFIG = replace(task.CONFIG, averaged=0.5)
SPARSE = {
    "pruned": SparseTraining(scope="projection", sparsity=0.5, begin=0.1, end=0.6, interval=3),
    "rewired": SparseTraining(sparsity=0.5, end=0.0, rewire=0.4, interval=3),
    "fan-in": SparseTraining(fan_in=3, begin=0.0, end=0.5, interval=4, rewire=0.4),
}


def single_net():
    return small_net().with_weight_dtype(np.float32)


def decided():
    """A readout of more neurons than classes, and a decision behind it."""
    return es.convolutional(6, (4,), 2, output_maps=6, kernel=(3, 3), mean=4.0)


# Network, settings, and how it is trained.
CASES = {
    "plain": (small_net, {"averaged": 0.0}, {}),
    "averaged": (small_net, {}, {}),
    "single weights": (single_net, {}, {}),
    **{name: (small_net, {"sparse": sparse}, {}) for name, sparse in SPARSE.items()},
    "few bits": (small_net, {"quantise": QuantisedTraining(bits=4)}, {}),
    "a chip": (small_net, {"quantise": QuantisedTraining(chip="loihi", begin=0.5)}, {}),
    "cheap": (small_net, {"activity": ActivityCost(target=0.03, chip="loihi")}, {}),
    "Dale": (partial(es.rsnn, 6, (10,), 2, inhibitory=0.3, seed=3), {"dale": True}, {}),
    "shared values": (shared_net, {}, {}),
    "a decision": (decided, {"loss": MaximumLoss(dropout=0.3), "tail": 20.0}, {}),
    "on a grid": (small_net, {"bip": (), "train_delays": False}, {"method": Grid()}),
}


@pytest.mark.parametrize("name", CASES)
def test_stopped_and_resumed_is_uninterrupted(name, tmp_path):
    make, changes, how = CASES[name]
    config, data = replace(CONFIG, **changes), two_patterns(40)

    def run(part, config=config, **options):
        return train(make(), data, config, tmp_path / part, **how, **options)

    straight = run("straight")
    # Four batches are an epoch. Checkpoints may come at other times from then on.
    with pytest.raises(Stop):
        run("parts", replace(config, checkpoint_every=0), callback=stop_at(1, 3))
    with pytest.raises(Stop):
        run("parts", resume=True, callback=stop_at(3, 3))
    resumed = run("parts", resume=True)
    assert_same_run(resumed, straight)
    assert_same_net(es.Network.load(tmp_path / "parts" / "last.npz"), straight.net)
    assert len((tmp_path / "parts" / "metrics.jsonl").read_text().splitlines()) == 3
    assert_same_run(run("parts", resume=True), straight)  # of a finished run
