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


def test_unknown_case_names_those_that_are_near():
    with pytest.raises(CaseError, match="'grazing'.*Did you mean grazing-alpha-above"):
        load_case("grazing")
    with pytest.raises(CaseError, match="--list"):
        load_case("nothing like it")


def test_file_that_is_no_json_or_missing_is_refused(write, tmp_path):
    (tmp_path / "binary.json").write_bytes(b"\xff\xfe\x00")
    for path, words in (
        (write("{"), "is not JSON"),
        (tmp_path / "absent.json", "cannot be read"),
        (tmp_path / "binary.json", "cannot be read"),
    ):
        with pytest.raises(CaseError, match=words):
            read_case(path)


def put(value, *keys):
    """A change of a case file's content at the place that the keys lead to."""

    def change(entry):
        *path, last = keys
        for key in path:
            entry = entry[key]
        entry[last] = value

    return change


def drop(*keys):
    def change(entry):
        *path, last = keys
        for key in path:
            entry = entry[key]
        del entry[last]

    return change


HIDDEN = ("populations", 1)
SYNAPSES = ("projections", 0, "synapses")
TIME = "6.70147684320000000000000000000"
BROKEN = {
    "another format": (put("nir", "format"), "is no conformance case"),
    "another version": (put(2, "version"), "has version 2.*reads 1"),
    "name of another file": (put("two-arrivals", "name"), "name: is 'two-arrivals'.*'one-arrival'"),
    "missing key": (drop("events"), r"lacks \['events'\]"),
    "unknown key": (put(1, "weights"), r"has unknown \['weights'\]"),
    "empty title": (put("", "title"), "title: is '', expected a text"),
    "lateral without a loop": (put(["lateral"], "needs"), r"needs: is .*, expected \[\]"),
    "no unit": (drop("units", "time"), r"units: lacks \['time'\]"),
    "only an input": (drop(*HIDDEN), r"populations: has \['input'\]"),
    "input is not first": (put("spiking", "populations", 0, "kind"), r"populations\[0\], kind"),
    "second input": (put("input", *HIDDEN, "kind"), r"populations\[1\], kind.*expected 'spiking'"),
    "size zero": (put(0, *HIDDEN, "size"), "size: is 0, expected a whole number from 1"),
    "size is true": (put(True, *HIDDEN, "size"), "size: is True"),
    "missing parameter": (drop(*HIDDEN, "tau_syn"), r"populations\[1\]: lacks \['tau_syn'\]"),
    "one value too many": (put([1.0, 2.0], *HIDDEN, "tau_syn"), "tau_syn.*a list of 1 numbers"),
    "parameter is no list": (put(5.0, *HIDDEN, "tau_syn"), "tau_syn: is 5.0, expected a list"),
    "parameter is a text": (put(["5"], *HIDDEN, "tau_syn"), r"tau_syn\[0\]: is '5'"),
    "not a number": (put([float("nan")], *HIDDEN, "tau_syn"), "is nan, expected a finite number"),
    "negative time constant": (put([-5.0], *HIDDEN, "tau_syn"), "neuron 0: tau_syn is -5.0"),
    "reset above threshold": (put([3.0], *HIDDEN, "v_reset"), "above the neuron's v_reset"),
    "unknown source": (put("inputs", "projections", 0, "source"), "source: is 'inputs', expected"),
    "onto the input": (put("input", "projections", 0, "target"), "target is the input"),
    "synapse of three": (put([[0, 0, 1.0]], *SYNAPSES), r"synapses\[0\]: is \[0, 0, 1.0\]"),
    "synapse out of range": (put(1, *SYNAPSES, 0, 1), r"synapses\[0\]\[1\]: is 1.*from 0 to 0"),
    "same synapse twice": (put([[0, 0, 1.0, 0.0]] * 2, *SYNAPSES), "has 2 synapses.*at most one"),
    "no synapse": (put([], *SYNAPSES), "has 0 synapses"),
    "negative delay": (put(-1.0, *SYNAPSES, 0, 3), "a delay is -1.0"),
    "event too late": (put(61.0, "events", 0, 0), "60"),
    "event of no channel": (put(3, "events", 0, 1), r"events\[0\]\[1\]: is 3"),
    "event without channel": (put([2.0], "events", 0), r"events\[0\]: is \[2.0\], expected \[time"),
    "endless sample": (put(float("inf"), "duration"), "duration: is inf"),
    "spikes of nobody": (put([[]], "spikes", "output"), r"spikes: has unknown \['output'\]"),
    "spikes of two neurons": (put([[], []], "spikes", "hidden"), "expected 1 lists, one per"),
    "spike as a number": (put(6.7, "spikes", "hidden", 0, 0), "hidden.*is 6.7, expected a time in"),
    "too few digits": (put("6.7014", "spikes", "hidden", 0, 0), "at least 30 significant digits"),
    "spike past the end": (put("6" + TIME, "spikes", "hidden", 0, 0), "ascending times inside"),
    "spike twice": (put([TIME, TIME], "spikes", "hidden", 0), "ascending times inside"),
    "infinite spike": (put("Infinity", "spikes", "hidden", 0, 0), "expected a time in ms"),
    "tolerance zero": (put(0.0, "tolerance", "double"), "tolerance.*numbers of ms > 0"),
    "no double tolerance": (put(None, "tolerance", "double"), "double: is None"),
    "condition in words": (put("bad", "condition", "times"), "times: is 'bad'"),
    "no method": (put(None, "answer", "method"), "method: is None, expected a text"),
    "a pair twice": (
        lambda entry: entry["projections"].append(entry["projections"][0]), "joins .* twice"
    ),
}  # fmt: skip


NEURON = ("populations", 1, "neuron")
OTHERS = {
    "adlif-with-receptors": {
        "another kind": (put("Izhikevich", *NEURON, "kind"), "'Izhikevich', expected one of"),
        "another state": (put(["v", "i_gaba"], *NEURON, "states"), "is .*expected the states"),
        "no parameter": (drop(*HIDDEN, "tau_syn_gaba"), r"lacks \['tau_syn_gaba'\]"),
        "a parameter of nobody": (put([1.0, 1.0], *HIDDEN, "c"), r"has unknown \['c'\]"),
        "a time below 0": (put([-1.0, 1.0], *HIDDEN, "tau_w"), "tau_w is -1.0, expected a value >"),
        "no receptor": (drop("projections", 0, "receptor"), "receptor is None"),
        "another receptor": (put("nmda", "projections", 0, "receptor"), "receptor is 'nmda'"),
        "needs less": (put(["AdLIF"], "needs"), r"is .*expected \['receptors', 'AdLIF'\]"),
    },
    "own-alpha-synapse": {
        "the flow grows": (put([0.2], *HIDDEN, "flow_v_v"), "the neuron is unstable"),
        "a raised voltage": (put({"in": "v"}, *NEURON, "receptors"), "cannot raise 'v'"),
        "an unknown state": (put([0.2], *HIDDEN, "flow_v_x"), r"has unknown \['flow_v_x'\]"),
    },
}
CHANGES = {"one-arrival": BROKEN} | OTHERS


@pytest.mark.parametrize(
    ("case", "change"), [(case, key) for case in CHANGES for key in CHANGES[case]]
)
def test_broken_case_file_is_refused_with_its_place(write, case, change):
    entry = read(case)
    apply, message = CHANGES[case][change]
    apply(entry)
    with pytest.raises(CaseError, match=message) as caught:
        read_case(write(entry, case))
    assert f"{case}.json" in str(caught.value)


@pytest.mark.parametrize("content", [[], 3, None, {"format": "eventsim-conformance-case"}])
def test_file_of_another_shape_is_refused(write, content):
    with pytest.raises(CaseError):
        read_case(write(content))


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
