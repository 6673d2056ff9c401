import pytest

import eventsim as es
from eventsim.chips import load_chip
from eventsim.mapping import check_mapping, compare_mappings, map_network
from eventsim.mapping.mapping import filled_less
from tests.unit.mapping.helpers import random_net, random_stream


@pytest.fixture(scope="module")
def run():
    net = random_net(3)
    return net, es.simulate(net, random_stream(3))


def test_best_and_baselines_are_those_of_map_network(run):
    net, tape = run
    chip = filled_less(load_chip("loihi"), 4)
    found = compare_mappings(net, tape, chip, method="refined")
    assert [m.method for m in found.mappings] == ["refined", "first_fit", "population_order"]
    assert found.mappings[0] is found.best
    assert found.failed == {}
    for mapping in found.mappings:
        alone = map_network(net, tape, chip, method=mapping.method)
        assert alone.to_dict() == mapping.to_dict()
        assert check_mapping(net, chip, mapping.cores) == []


def test_baseline_that_was_asked_for_is_not_mapped_twice(run):
    found = compare_mappings(*run, load_chip("loihi"), method="first_fit")
    assert [m.method for m in found.mappings] == ["first_fit", "population_order"]
    alone = compare_mappings(*run, load_chip("loihi"), method="first_fit", baselines=False)
    assert len(alone.mappings) == 1
