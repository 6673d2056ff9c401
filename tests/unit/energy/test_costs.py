from dataclasses import replace

import numpy as np
import pytest

import eventsim as es
from eventsim.chips import load_chip
from eventsim.energy import Widths, cost, costs_over_time, dense_equivalent, dense_pair, run_costs
from eventsim.events.transforms import crop
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


def test_chips_of_one_name_keep_their_own_steps(run):
    net, _, tape = run
    chips = [load_chip("loihi"), replace(load_chip("loihi"), step_ms=0.25)]
    reports = run_costs(net, tape, chips).reports
    assert [report.step_ms for report in reports] == [1.0, 0.25]
    for chip, report in zip(chips, reports, strict=True):
        assert report.to_dict() == cost(net, tape, chip).to_dict()


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


def test_links_between_chips_are_priced_or_named_as_missing(run):
    net, _, tape = run
    loihi = load_chip("loihi")
    price = replace(loihi.energy["hop_ew"], value=100.0, source="my own board")
    own = replace(loihi, name="own", energy={**loihi.energy, "hop_chip": price})
    mapped = {"axon_out": 30, "hop_ew": 6, "hop_ns": 3, "hop_chip": 9, "cores": 2}
    within = mapped | {"hop_chip": 0}
    named = [
        "hop_chip" in {one.name for one in cost(net, tape, chip, mapped=counts).missing}
        for chip, counts in ((loihi, mapped), (loihi, within), (own, mapped))
    ]
    assert named == [True, False, False]
    terms = {t.term.name: t for t in cost(net, tape, own, mapped=mapped).terms}
    assert terms["hop_chip"].energy_pj.sum() == pytest.approx(900.0)
    assert "hop_chip" in {one.name for one in cost(net, tape, own).missing}


def test_dense_pair_is_rnn_and_gru_of_the_same_shape(run):
    net, stream, _ = run
    technology = load_chip("45nm")
    for found, cell in zip(dense_pair(net, stream, frame_ms=5.0), ("rnn", "gru"), strict=True):
        alone = dense_equivalent(net, stream.duration, technology, frame_ms=5.0, cell=cell)
        assert found.cell == cell
        np.testing.assert_array_equal(found.energy_pj, alone.energy_pj)


def test_costs_up_to_a_time_are_those_of_a_run_that_ends_there(run):
    net, stream, tape = run
    chips = [load_chip("45nm"), load_chip("loihi")]
    arrival, longest = stream.times[4], stream.duration.max()
    times = np.sort([3.3, arrival, 0.5 * longest, longest])
    for time, found in zip(times, costs_over_time(net, tape, chips, times), strict=True):
        ends = np.minimum(time, stream.duration)
        again = run_costs(
            net, es.simulate(net, crop(stream, 0.0, ends), backend="reference"), chips
        )
        assert found.counts.to_dict() == again.counts.to_dict()
        for one, other in zip(found.reports, again.reports, strict=True):
            assert one.to_dict() == other.to_dict()
            np.testing.assert_array_equal(one.energy_pj, other.energy_pj)
    whole = run_costs(net, tape, chips)
    assert found.counts.to_dict() == whole.counts.to_dict()
    assert [r.to_dict() for r in found.reports] == [r.to_dict() for r in whole.reports]
