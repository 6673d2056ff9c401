"""Sums over batches: how they add up, and how a checkpoint keeps them."""

import json

import pytest

from eventsim.train.sums import BatchSums

ONE = BatchSums(
    samples=4,
    batches=1,
    correct=3,
    loss=2.0,
    penalty=0.4,
    gradient_norm=1.5,
    synaptic_events=80,
    energy_pj=8.0,
    costs={"grazes": 2, "stored_bytes": 3_000_000},
    spikes={"a": 5},
)


def test_batches_add_up_and_the_most_that_one_stored_is_kept():
    other = BatchSums(samples=2, batches=1, costs={"grazes": 1, "stored_bytes": 1_000_000})
    total = BatchSums() + ONE + other + BatchSums(wall_seconds=0.5)
    assert (total.samples, total.batches, total.wall_seconds) == (6, 2, 0.5)
    assert total.costs == {"grazes": 3, "stored_bytes": 3_000_000}
    assert total.spikes == {"a": 5}
    assert total.energy_pj == 8.0
    assert total.activity is None


def test_checkpoint_gives_them_back():
    assert BatchSums.from_dict(json.loads(json.dumps(ONE.to_dict()))) == ONE
    assert BatchSums.from_dict({}) == BatchSums()


def test_sums_that_earlier_versions_stored_are_read():
    stored = {"samples": 4, "loss": 2.0, "grazes": 2, "spikes.a": 5, "spikes.b.c": 1}
    assert BatchSums.from_dict(stored) == BatchSums(
        samples=4, loss=2.0, costs={"grazes": 2}, spikes={"a": 5, "b.c": 1}
    )


def test_metrics_are_means_and_those_of_what_was_not_asked_for_are_left_out():
    found = ONE.metrics()
    assert found["loss"] == pytest.approx(0.5)
    assert found["accuracy"] == 0.75
    assert found["stored_mb"] == 3.0
    assert found["energy_pj_per_sample"] == 2.0
    assert "activity_per_sample" not in found


def test_norm_is_the_mean_over_steps_that_were_taken():
    skipped = BatchSums(samples=4, batches=1, skipped=1)
    assert (ONE + skipped).metrics()["gradient_norm"] == 1.5
    assert skipped.metrics()["gradient_norm"] == 0.0
