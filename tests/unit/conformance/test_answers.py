"""The answers in the case files: against closed forms, derived once more, and held by hashes."""

import hashlib
from pathlib import Path

import mpmath as mp
import pytest

from eventsim.conformance import case_names
from tests.support.conformance_answers import CASES, agreed_spikes, derive, read, written

FAST = ("one-arrival", "tied-pair-that-inhibits", "receptors-long-silence")
CLOSE = mp.mpf(10) ** -28


def parameters(entry, j=0):
    population = entry["populations"][1]
    names = ("tau_mem", "tau_syn", "resistance", "threshold", "v_leak", "v_reset", "refractory")
    return [mp.mpf(population[name][j]) for name in names]


def alpha(entry):
    """Equal time constants: gap = x exp(-x) with x = h / tau."""
    tau, _, r, theta, leak, _, _ = parameters(entry)
    weight, start = entry["projections"][0]["synapses"][0][2], entry["events"][0][0]
    return [start - tau * mp.lambertw(-(theta - leak) / (r * mp.mpf(weight))).real]


def quadratic(entry):
    """tau_mem = 2 tau_syn: with x = exp(-h / tau_mem), V - E = (v + R I) x - R I x^2."""
    tau, tau_syn, r, theta, leak, reset, hold = parameters(entry)
    assert (tau, hold) == (2 * tau_syn, 0)
    loops = [p["synapses"][0][2] for p in entry["projections"][1:]]
    jump = mp.mpf(loops[0]) if loops else mp.mpf(0)
    i = mp.mpf(entry["projections"][0]["synapses"][0][2])
    v, t, found = mp.mpf(0), mp.mpf(entry["events"][0][0]), []
    while i > 0:
        drive, level = r * i, theta - leak
        root = (v + drive) ** 2 - 4 * drive * level
        x = (v + drive + mp.sqrt(root)) / (2 * drive) if root >= 0 else mp.inf
        if x > 1:
            break
        t, v, i = t - tau * mp.log(x), reset - leak, i * x**2 + jump
        found.append(t)
    return found


def pacemaker(entry):
    """Nothing but the leak: a logarithm per period."""
    tau, _, _, theta, leak, reset, hold = parameters(entry)
    run_up, found = tau * mp.log((leak - reset) / (leak - theta)), []
    while (t := run_up * (len(found) + 1) + hold * len(found)) < entry["duration"]:
        found.append(t)
    return found


def nothing(entry):
    """The peak, R w / e for equal time constants and R w / 4 for 2 : 1, is below the threshold."""
    tau, tau_syn, r, theta, leak, _, _ = parameters(entry)
    weight = mp.mpf(entry["projections"][0]["synapses"][0][2])
    assert tau in (tau_syn, 2 * tau_syn)
    assert r * weight / (mp.e if tau == tau_syn else 4) < theta - leak
    return []


CLOSED = {
    "equal-time-constants": alpha,
    "grazing-alpha-above": alpha,
    "grazing-alpha-below": nothing,
    "grazing-quadratic-above": quadratic,
    "grazing-quadratic-below": nothing,
    "membrane-twice-synapse": quadratic,
    "pacemaker": pacemaker,
    "pacemaker-with-refractory-time": pacemaker,
    "self-excitation": quadratic,
    "self-inhibition-stops-the-train": quadratic,
}


def test_every_closed_form_that_a_file_names_is_evaluated():
    assert {name for name in case_names() if read(name)["answer"]["closed_form"]} == set(CLOSED)


@pytest.mark.parametrize("name", CLOSED)
def test_answer_equals_the_closed_form(name):
    entry = read(name)
    with mp.workdps(50):
        expected = CLOSED[name](entry)
        (actual,) = entry["spikes"]["hidden"]
        assert len(actual) == len(expected)
        assert all(
            abs(mp.mpf(one) - two) < CLOSE for one, two in zip(actual, expected, strict=True)
        )


def test_files_are_those_whose_answers_were_derived():
    """Whoever changes a file derives it again (``make test-nightly``) and then writes its hash:

    sha256sum *.json > ../../../tests/unit/conformance/cases.sha256, in the folder of the cases.
    """
    lines = Path(__file__).with_name("cases.sha256").read_text("utf-8").splitlines()
    known = {name: digest for digest, name in (line.split() for line in lines)}
    found = {p.name: hashlib.sha256(p.read_bytes()).hexdigest() for p in CASES.glob("*.json")}
    assert found == known


@pytest.mark.parametrize("name", FAST)
def test_answer_is_derived_again(name):
    entry = read(name)
    assert derive(entry) == entry


def test_modes_give_what_the_closed_forms_of_lif_give():
    """The same network, once as plain LIF neurons and once as one receptor with a name."""
    for name in ("equal-time-constants", "release-between-two-arrivals", "self-excitation"):
        entry = read(name)
        expected = agreed_spikes(entry)
        for population in entry["populations"][1:]:
            population["tau_syn_one"] = population.pop("tau_syn")
            population["neuron"] = {
                "kind": "LIF", "states": ["v", "i_one"], "receptors": {"one": "i_one"}
            }  # fmt: skip
        for projection in entry["projections"]:
            projection["receptor"] = "one"
        found = agreed_spikes(entry)
        assert found.keys() == expected.keys()
        for key, times in expected.items():
            pairs = zip(times, found[key], strict=True)
            assert all(abs(one - two) < mp.mpf(10) ** -40 for one, two in pairs)


@pytest.mark.nightly("70 digits take seconds a case; the files are held by their hashes")
@pytest.mark.parametrize("name", case_names())
def test_every_answer_is_derived_again(name):
    entry = read(name)
    assert written(agreed_spikes(entry), entry) == entry["spikes"]
