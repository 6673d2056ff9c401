import json

import numpy as np
import pytest

import eventsim as es
from eventsim.chips import load_chip
from eventsim.energy import cost, count, encoder_cost, energy, run_costs
from eventsim.events import EncoderOperations
from tests.support.nets import random_net, random_stream

ENCODER = EncoderOperations(
    multiply_adds=1000.0, additions=500.0, functions=20.0, event_additions=3
)


@pytest.fixture(scope="module")
def run():
    net = random_net(2, delays="source")
    return net, es.simulate(net, random_stream(3, n_samples=4), backend="reference")


def test_operations_are_those_of_the_time_and_of_the_events(run):
    net, tape = run
    seconds, events = tape.stream.duration / 1e3, np.diff(tape.stream.offsets)
    found = encoder_cost(ENCODER, count(net, tape), load_chip("45nm")).operations
    np.testing.assert_allclose(found["multiply_adds"], 1000.0 * seconds)
    np.testing.assert_allclose(found["additions"], 500.0 * seconds + 3 * events)
    np.testing.assert_allclose(found["functions"], 20.0 * seconds)


def test_they_are_priced_where_the_chip_has_figures_and_named_where_not(run):
    net, tape = run
    exact = count(net, tape)
    found = encoder_cost(ENCODER, exact, load_chip("45nm"))
    done = ENCODER.of(exact.duration, exact.events_in)
    expected = 4.6 * done["multiply_adds"].mean() + 0.9 * done["additions"].mean()
    assert found.total_pj == pytest.approx(expected, rel=1e-12)
    numbers = {one.name: one.count for one in found.missing}
    expected = {"encoder_functions": float(done["functions"].mean()), "encoder_memory": None}
    assert numbers == expected
    unpriced = encoder_cost(ENCODER, exact, load_chip("loihi"))
    assert unpriced.terms == ()
    assert len(unpriced.missing) == 4


def test_an_encoder_stands_beside_the_sum(run):
    net, tape = run
    chips = [load_chip("loihi"), load_chip("45nm")]
    without, made = run_costs(net, tape, chips), run_costs(net, tape, chips, encoder=ENCODER)
    assert without.encoder is None
    assert set(made.encoder) == {"multiply_adds", "additions", "functions"}
    for one, other in zip(without.reports, made.reports, strict=True):
        assert one.total_pj == other.total_pj
        assert one.missing == other.missing
        assert one.encoder is None
        told = other.to_dict()
        assert json.loads(json.dumps(told)) == told
        assert told["encoder"]["energy_pj_per_sample"] == other.encoder.total_pj
    assert energy(count(net, tape), chips[0]).encoder is None
    assert cost(net, tape, chips[0]).to_dict()["encoder"] is None


def test_operations_add_up_and_scale_by_the_second():
    both = ENCODER + ENCODER * 2.0
    assert (both.multiply_adds, both.additions, both.functions) == (3000.0, 1500.0, 60.0)
    assert both.event_additions == 6
