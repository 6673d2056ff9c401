"""eventsim evaluate --targets: R2 of a network that follows signals, as Python has it."""

import numpy as np

import eventsim as es
from eventsim.train import MeanSquaredError, evaluate_regression
from tests.unit.cli.conftest import call

TIMES = np.array([10.0, 20.0, 30.0])


def test_evaluate_with_targets_gives_r2_and_refuses_what_does_not_fit():
    rng = np.random.default_rng(0)
    samples = [(np.sort(rng.uniform(0, 40, 30)), rng.integers(0, 4, 30)) for _ in range(3)]
    stream = es.EventStream.from_samples(samples, n_channels=4, duration=40.0)
    net = es.scsr(4, (6,), 2, seed=3)
    wanted = rng.normal(0.0, 1.0, (3, 3, 2))
    wanted[:, :, 1], wanted[0, 0, 0] = 0.5, np.nan
    net.save("net.npz")
    stream.save("events.npz")
    np.savez("wanted.npz", targets=wanted, times=TIMES)
    command = ("evaluate", "net.npz", "events.npz", "--targets", "wanted.npz")
    outcome = call(*command, "--json")
    assert outcome.code == 0, outcome.err
    expected = evaluate_regression(net, stream, MeanSquaredError(wanted, TIMES))
    found = outcome.json
    assert found["r2"] == [expected.r2[0], None]
    assert found["mean_squared_error"] == expected.mean_squared_error
    assert (found["targets"], found["targets_left_out"]) == (17, 1)
    shown = call(*command).out
    assert "R2 of output 0" in shown
    assert "1 left out (NaN)" in shown
    np.savez("other.npz", targets=wanted)
    refused = call(*command[:-1], "other.npz")
    assert (refused.code, "has no array times" in refused.err.replace("\n", " ")) == (2, True)
    assert "contradict" in call(*command, "--fail-under", 0.5).err
