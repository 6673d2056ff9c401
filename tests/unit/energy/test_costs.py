import numpy as np
import pytest

import eventsim as es
from eventsim.chips import load_chip
from eventsim.energy import Widths, cost, dense_equivalent, dense_pair, run_costs
from tests.support.nets import random_net, random_stream


@pytest.fixture(scope="module")
def run():
    net, stream = random_net(2, sparse=True), random_stream(3, n_samples=3)
    return net, stream, es.simulate(net, stream, backend="reference")


def test_several_chips_at_once_cost_what_each_costs_alone(run):
    net, _, tape = run
    chips = [load_chip(name) for name in ("45nm", "loihi", "spinnaker")]
    found = run_costs(net, tape, chips, widths=Widths(weight=8))
    for chip, report in zip(chips, found.reports, strict=True):
        alone = cost(net, tape, chip, widths=Widths(weight=8))
        assert report.to_dict() == alone.to_dict()
    assert [steps.step_ms for steps in found.steps] == [1.0]


def test_named_step_holds_for_all_chips(run):
    net, _, tape = run
    found = run_costs(net, tape, [load_chip("45nm"), load_chip("loihi")], step_ms=0.5)
    assert [report.step_ms for report in found.reports] == [0.5, 0.5]
    assert [steps.step_ms for steps in found.steps] == [0.5]


def test_mapping_counts_go_to_the_chip_they_are_of(run):
    net, _, tape = run
    chips = [load_chip("loihi"), load_chip("loihi_sanafe")]
    mapped = {"loihi": {"axon_out": 30, "hop_ew": 6, "hop_ns": 3, "cores": 2}}
    one, other = run_costs(net, tape, chips, mapped=mapped).reports
    assert {"axon_out", "hop_ew", "hop_ns"} <= {term.term.name for term in one.terms}
    assert "hop_ew" in {missing.name for missing in other.missing}


def test_dense_pair_is_rnn_and_gru_of_the_same_shape(run):
    net, stream, _ = run
    technology = load_chip("45nm")
    for found, cell in zip(dense_pair(net, stream, frame_ms=5.0), ("rnn", "gru"), strict=True):
        alone = dense_equivalent(net, stream.duration, technology, frame_ms=5.0, cell=cell)
        assert found.cell == cell
        np.testing.assert_array_equal(found.energy_pj, alone.energy_pj)
