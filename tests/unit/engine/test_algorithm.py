"""The choice of an algorithm: from the network alone, told by the tape."""

import numpy as np
import pytest
import scipy.sparse

import eventsim as es
from eventsim.engine.algorithm import Algorithm, algorithm_of, algorithms_of, least_delay
from eventsim.plan import make_plan
from tests.support.nets import (
    large_net,
    lateral_net,
    one_layer,
    random_net,
    random_stream,
    two_kinds_net,
    with_adaptation,
)


def loop_of(net):
    return next(stage for stage in make_plan(net).stages if stage.lateral)


def test_busy_and_quiet_recordings_run_by_one_algorithm():
    net = large_net(1, n=60, delays=1.0)
    found = [
        es.simulate(net, random_stream(2, n_channels=20, duration=10.0, rate=rate), backend="cpu")
        for rate in (1.0, 5_000.0)
    ]
    assert found[0].algorithms == found[1].algorithms == {"hidden": "windows, stretches"}


@pytest.mark.parametrize(
    ("net", "expected"),
    [
        (lambda: random_net(1, delays="source", self_delays="none"), Algorithm.STRETCHES),
        (lambda: random_net(1, sparse=True), Algorithm.FAN_IN),
        (lambda: lateral_net(1, size=40, delays="none"), Algorithm.QUEUE),
        (lambda: two_kinds_net(1), Algorithm.SUMS),
        (lambda: large_net(1, delays=0.01), Algorithm.QUEUE),
        (lambda: with_adaptation(large_net(1, n=60)), Algorithm.LOOP_STRETCHES),
        (lambda: es.rsnn(64, (128,), 10), Algorithm.LOOP_STRETCHES),
    ],
)
def test_algorithm_follows_from_delays_synapses_and_thresholds(net, expected):
    assert algorithm_of(make_plan(net()).stages[0]) is expected


@pytest.mark.parametrize(
    ("rows", "by_synapse", "least", "expected"),
    [
        (256, True, 0.05, Algorithm.SUMS),
        (256, True, 0.03, Algorithm.QUEUE),
        (256, False, 0.05, Algorithm.QUEUE),
        (255, True, 0.05, Algorithm.QUEUE),
        (255, True, 0.35, Algorithm.SUMS),
    ],
)
def test_windows_pay_earlier_where_many_synapses_have_delays_of_their_own(
    rows, by_synapse, least, expected
):
    weights = scipy.sparse.csr_array(np.ones((rows, 256)))
    weights.resize((256, 1024))
    delays = np.ones(weights.nnz if by_synapse else 256)
    delays[0] = least
    net = one_layer("a", np.ones((1, 1024)), delays=0.1)
    net.add_population("b", 256)
    net.connect("b", "a", weights, delays=delays)
    net.connect("a", "b", scipy.sparse.csr_array(np.eye(1024, 256)), delays=1.0)
    assert algorithm_of(loop_of(net)) is expected


def test_least_delay_of_a_loop_counts_what_returns_to_a_neuron_later():
    net = one_layer("a", np.ones((1, 3)), delays=0.1)
    net.add_population("b", 3)
    net.connect("a", "b", scipy.sparse.csr_array(np.eye(3)), delays=[4.0, 3.0, 2.0])
    net.connect("b", "a", np.ones((3, 3)), delays=5.0)
    assert least_delay(loop_of(net)) == 2.0
    net.connect("a", "a", es.self_recurrent(0.1), delays=[0.0, 1.5, 2.5])
    assert least_delay(loop_of(net)) == 1.5


def test_tape_tells_the_algorithm_of_every_stage_and_keeps_it_in_its_file(tmp_path):
    net = lateral_net(1, delays="none")
    stream = random_stream(2, n_samples=1, duration=5.0)
    tape = es.simulate(net, stream, backend="cpu")
    assert tape.algorithms == {"a+b": "queue"} == algorithms_of(make_plan(net))
    assert es.simulate(net, stream, backend="reference").algorithms == {"a+b": "reference"}
    tape.save(tmp_path / "tape.npz")
    assert es.SpikeTape.load(tmp_path / "tape.npz").algorithms == tape.algorithms
