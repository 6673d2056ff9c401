from dataclasses import replace

import numpy as np
import pytest

from eventsim.conformance import Event, Synapse, load_case, network_of, stream_of
from eventsim.conformance.build import is_lateral
from eventsim.conformance.case import CasePopulation, CaseProjection
from tests.support.wiring import synapses


def case_with(rows, *, sizes=(3, 3), source="input", target="hidden", more=()):
    """A case with one projection of these rows, and others."""
    plain = load_case("one-arrival")
    one = plain.populations[1].parameters
    parameters = {name: values * sizes[1] for name, values in one.items()}
    populations = (
        CasePopulation("input", "input", sizes[0], {}),
        CasePopulation("hidden", "spiking", sizes[1], parameters),
        CasePopulation("output", "spiking", sizes[1], parameters),
    )
    projection = CaseProjection(source, target, tuple(Synapse(*row) for row in rows))
    return replace(plain, populations=populations, projections=(projection, *more))


WIRINGS = {
    "all pairs, one delay": [(a, b, 1.0 + a + 3 * b, 0.5) for a in range(3) for b in range(3)],
    "all pairs, own delays": [(a, b, 1.0 + a, 0.1 * b) for b in range(3) for a in range(3)],
    "some pairs": [(2, 0, 1.0, 0.25), (0, 1, -2.0, 0.25)],
    "some pairs, own delays": [(2, 0, 1.0, 0.25), (0, 1, -2.0, 0.75)],
    "as many synapses as sources, one each": [(1, 0, 1.0, 1.0), (0, 1, 2.0, 2.0), (2, 2, 3.0, 3.0)],
    "as many synapses as sources": [(1, 0, 1.0, 1.0), (1, 1, 2.0, 2.0), (2, 2, 3.0, 3.0)],
}


@pytest.mark.parametrize("name", WIRINGS)
def test_network_has_the_synapses_of_the_case(name):
    net = network_of(case_with(WIRINGS[name]))
    found = synapses(net, net.projections["input->hidden"])
    rows = zip(found.sources, found.targets, found.weights, found.delays, strict=True)
    assert sorted(row for row in rows if row[2] != 0.0) == sorted(WIRINGS[name])


def test_neurons_that_project_onto_themselves_are_self_recurrent():
    case = case_with([(0, 0, 1.5, 2.0), (2, 2, -1.0, 0.0)], source="hidden")
    projection = network_of(case).projections["hidden->hidden"]
    assert projection.kind == "self"
    assert projection.weights.tolist() == [1.5, 0.0, -1.0]
    assert projection.delays.tolist() == [2.0, 0.0, 0.0]
    assert not is_lateral(case)


@pytest.mark.parametrize(
    ("source", "target", "row", "lateral"),
    [
        ("hidden", "hidden", (0, 1, 1.0, 0.0), True),
        ("output", "hidden", (0, 0, 1.0, 0.0), True),
        ("input", "hidden", (0, 0, 1.0, 0.0), False),
        ("output", "output", (1, 1, 1.0, 0.0), False),
    ],
)
def test_loops_between_neurons_are_lateral(source, target, row, lateral):
    forward = CaseProjection("hidden", "output", (Synapse(0, 0, 1.0, 0.0),))
    case = case_with([row], source=source, target=target, more=(forward,))
    assert is_lateral(case) is lateral


def test_stream_is_sorted_and_has_the_bits_of_the_file():
    case = replace(load_case("one-arrival"), events=(Event(0.3, 0), Event(0.1, 0)), duration=0.7)
    stream = stream_of(case)
    assert stream.times.tolist() == [0.1, 0.3]
    assert stream.duration.tolist() == [0.7]


def test_parameters_are_the_files_own():
    case = load_case("heterogeneous-population")
    hidden = network_of(case).populations["hidden"]
    for name, values in case.populations[1].parameters.items():
        np.testing.assert_array_equal(getattr(hidden, name), values)
