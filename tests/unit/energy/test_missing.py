"""What a sum leaves out, against a chip that has a figure of everything."""

from dataclasses import replace

import pytest

import eventsim as es
from eventsim.chips import ENERGY_TERMS, Chip, Limits, Quantity, load_chip
from eventsim.energy import clocked, count, dense_equivalent, encoder_cost, energy
from eventsim.energy.missing import NO_FIGURE
from eventsim.events import EncoderOperations
from tests.support.nets import random_net, random_stream

STEPS = ("neuron_update_active", "neuron_update_idle", "step_sync")
WHOLE = ("synaptic_event", "spike", "event_in", "event_out", "axon_out", "hop_ew", "hop_ns",
         "hop_chip", "static_core", "static_chip")  # fmt: skip
# Every term, in the three ways in which a chip may be described.
MACHINES = {
    "with steps": (1.0, (*WHOLE, *STEPS)),
    "without steps": (None, (*WHOLE, "membrane_update")),
    "by operations": (1.0, (*WHOLE[1:], *STEPS, "ac", "mac", "memory_byte")),
}
# Whose absence nothing shows, and why: the other pays for it.
PAID_BY_ANOTHER = {"static_core": "static_chip"}
CASES = [(kind, name) for kind, (_, names) in MACHINES.items() for name in names]
MAPPED = {"axon_out": 40, "hop_ew": 30, "hop_ns": 20, "hop_chip": 10, "cores": 2}


@pytest.fixture(scope="module")
def done():
    """Counts, exact and in coarse steps, so that events meet and there are MACs."""
    net = random_net(2, sparse=True, delays="source")
    tape = es.simulate(net, random_stream(3, n_samples=4), backend="reference")
    return net, count(net, tape), clocked(net, tape, step_ms=3.0)


def chip_with(names, step_ms, includes=()):
    figures = {}
    for place, name in enumerate(names):
        inside = tuple(includes) if place == 0 else ()
        figures[name] = Quantity(2.0 + place, ENERGY_TERMS[name].unit, "measured", "a test", inside)
    board = Limits(cores=16, mesh=(4, 4), cores_per_tile=1, chips=(2, 1))
    return Chip("mine", "Mine", "chip", "a test", step_ms, board, None, figures, {})


def price(done, names, step_ms, mapped=None, includes=()):
    _, exact, steps = done
    taken = None if step_ms is None else steps
    return energy(exact, chip_with(names, step_ms, includes), clocked=taken, mapped=mapped)


def names_of(report):
    return [one.name for one in report.missing]


@pytest.mark.parametrize("kind", MACHINES)
def test_a_sum_with_every_term_is_complete_and_says_so(done, kind):
    step_ms, names = MACHINES[kind]
    found = price(done, names, step_ms, MAPPED)
    assert (found.missing, found.is_lower_bound, found.activity_is_lower_bound) == (
        (),
        False,
        False,
    )
    assert not any(found.to_dict()["lower_bound"].values())
    assert "=" in repr(found)
    assert ">=" not in repr(found)


@pytest.mark.parametrize(("kind", "name"), CASES)
def test_every_term_that_is_left_out_is_named_by_itself(done, kind, name):
    step_ms, names = MACHINES[kind]
    whole = price(done, names, step_ms, MAPPED)
    part = price(done, [one for one in names if one != name], step_ms, MAPPED)
    expected = [] if name in PAID_BY_ANOTHER else [name]
    assert names_of(part) == expected
    lost = {t.term.name: t for t in whole.terms}[name]
    assert float(lost.energy_pj.mean()) > 0.0
    if expected:
        assert part.missing[0].reason == NO_FIGURE
        assert part.missing[0].what == ENERGY_TERMS[name].meaning
        assert part.is_lower_bound
        power = ENERGY_TERMS[name].needs == "time"
        assert part.missing[0].count == (None if power else pytest.approx(lost.counts.mean()))
        assert part.activity_is_lower_bound != power
        assert part.to_dict()["lower_bound"]["energy_pj_per_sample_of_leakage"] == power
        assert f">= {part.total_pj:,.6g}" in repr(part)
        assert f"a lower bound without {name}" in repr(part)


@pytest.mark.parametrize(("kind", "name"), CASES)
def test_a_file_with_one_term_alone_names_all_the_others(done, kind, name):
    step_ms, names = MACHINES[kind]
    found = set(names_of(price(done, [name], step_ms, MAPPED)))
    others = set(names) - {name} - set(PAID_BY_ANOTHER)
    if name == "memory_byte" or (kind == "by operations" and name not in ("ac", "mac")):
        # Nothing says that operations are priced by their parts: they are named as a whole.
        others = (others - {"ac", "mac", "memory_byte"}) | {"synaptic_event"}
    assert found == others


@pytest.mark.parametrize("name", ["axon_out", "hop_ew", "hop_ns", "hop_chip", "static_core"])
def test_without_a_mapping_a_figure_is_named_with_what_it_needs(done, name):
    step_ms, names = MACHINES["with steps"]
    found = {one.name: one for one in price(done, names, step_ms).missing}
    assert set(found) == {"axon_out", "hop_ew", "hop_ns", "hop_chip", "static_core"}
    assert "from a mapping" in found[name].reason or "needs a mapping" in found[name].reason
    assert found[name].count is None


def test_a_figure_includes_others_only_while_it_is_in_the_sum(done):
    rest = [one for one in MACHINES["with steps"][1] if one not in ("hop_ew", "hop_ns", "spike")]
    names = ["hop_ew", *rest]
    assert names_of(price(done, names, 1.0, MAPPED, includes=["hop_ns", "spike"])) == []
    found = {one.name: one.reason for one in price(done, names, 1.0, {}, ["hop_ns"]).missing}
    assert found["hop_ns"] == (
        "is in the figure of hop_ew, which needs a mapping of neurons to cores"
    )
    assert found["spike"] == NO_FIGURE


def test_links_that_a_mesh_does_not_have_are_not_missing(done):
    chip = chip_with(["synaptic_event"], 1.0)
    row = replace(chip, limits=Limits(cores=4, mesh=(4, 1), cores_per_tile=1))
    names = names_of(energy(done[1], row, clocked=done[2]))
    assert "hop_ew" in names
    assert "hop_ns" not in names
    assert "hop_chip" not in names


def test_what_never_happened_is_not_missing(done):
    silent = random_net(2, sparse=True)
    for projection in silent.projections.values():
        projection.values[...] = 1e-9  # arrives, and fires nobody
    tape = es.simulate(silent, random_stream(3, n_samples=2), backend="reference")
    names = names_of(energy(count(silent, tape), chip_with(["synaptic_event"], None)))
    assert "spike" not in names
    assert "membrane_update" in names


def test_keys_of_what_is_missing_do_not_depend_on_the_run(done):
    net, exact, _ = done
    other = es.simulate(net, random_stream(8, n_samples=2), backend="reference")
    for chip in ("loihi", "45nm", "dynapse"):
        one, two = (
            [found["name"] for found in energy(counts, load_chip(chip)).to_dict()["missing"]]
            for counts in (exact, count(net, other))
        )
        assert one == two
        assert not any(character.isdigit() for name in one for character in name)


def test_energy_of_a_dense_network_names_what_it_lacks(done):
    net = done[0]
    plain, sram = (
        dense_equivalent(net, 20.0, load_chip(name), frame_ms=10.0, cell="gru")
        for name in ("45nm", "45nm_sram")
    )
    names = {one.name for one in plain.missing}
    assert names == {"bias_additions", "activation_functions", "static_chip", "memory_byte"}
    assert names - {one.name for one in sram.missing} == {"memory_byte"}
    found = plain.to_dict()
    assert found["lower_bound"] == {"energy_pj_per_sample": True}
    assert [one["name"] for one in found["missing"]] == [one.name for one in plain.missing]
    functions = next(one for one in plain.missing if one.name == "activation_functions")
    assert functions.count == 2 * 3 * sum(p.size for p in net.spiking.values())


def test_energy_of_an_encoder_names_what_it_lacks_by_stable_keys(done):
    operations = EncoderOperations(multiply_adds=100.0, additions=50.0, functions=10.0)
    found = encoder_cost(operations, done[1], load_chip("loihi")).to_dict()
    assert [one["name"] for one in found["missing"]] == [
        "encoder_multiply_adds", "encoder_additions", "encoder_functions", "encoder_memory"
    ]  # fmt: skip
    assert found["lower_bound"] == {"energy_pj_per_sample": True}
