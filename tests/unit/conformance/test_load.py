from decimal import Decimal

import pytest

from eventsim.conformance import case_names, load_case, load_cases, read_case
from eventsim.errors import CaseError
from tests.support.conformance_answers import CASES, layout, read, tolerance


@pytest.mark.parametrize("name", case_names())
def test_published_case_is_complete(name):
    case = load_case(name)
    assert case.name == name
    assert case.description
    assert case.tolerance["double"] >= 1e-9
    text = (CASES / f"{name}.json").read_text(encoding="utf-8")
    assert text == layout(read(name)) + "\n"


@pytest.mark.parametrize("name", case_names())
def test_tolerance_follows_from_condition_and_margin(name):
    case = load_case(name)
    assert tolerance(case.condition, case.margin) == case.tolerance


def test_there_are_enough_cases_with_and_without_loops():
    cases = load_cases()
    assert len(cases) >= 60
    assert sum(case.needs == ("lateral",) for case in cases) >= 10
    assert len({case.title for case in cases}) == len(cases)


def test_case_file_gives_populations_synapses_events_and_decimals(entry, write):
    case = read_case(write(entry))
    populations = [(p.name, p.kind, p.size) for p in case.populations]
    assert populations == [("input", "input", 1), ("hidden", "spiking", 1)]
    assert case.populations[1].parameters["tau_mem"] == (20.0,)
    assert case.projections[0].synapses[0] == (0, 0, 7.5, 0.0)
    assert case.events[0] == (2.0, 0)
    assert str(case.spikes["hidden"][0][0]).startswith("6.70147")
    assert isinstance(case.spikes["hidden"][0][0], Decimal)
    assert case.n_spikes == 1


def test_loop_without_the_need_for_it_is_refused(entry, write):
    hidden = entry["populations"][1]
    hidden["size"] = 2
    for name, values in hidden.items():
        if isinstance(values, list):
            hidden[name] = values * 2
    entry["spikes"]["hidden"].append([])
    entry["projections"].append(
        {"source": "hidden", "target": "hidden", "synapses": [[0, 1, 1.0, 0.5]]}
    )
    with pytest.raises(CaseError, match=r"needs: is \[\], expected \['lateral'\]"):
        read_case(write(entry))
    entry["needs"] = ["lateral"]
    assert read_case(write(entry)).needs == ("lateral",)
