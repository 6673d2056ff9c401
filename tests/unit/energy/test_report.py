import json

import numpy as np
import pytest

import eventsim as es
from eventsim.chips import Chip, Quantity, chip_names, load_chip
from eventsim.energy import Widths, clocked, cost, count, dense_equivalent, energy
from eventsim.energy.missing import NO_FIGURE
from eventsim.hardware.graph import entries
from eventsim.mapping import quantise
from tests.something import perhaps
from tests.support.nets import one_layer, random_net, random_stream


@pytest.fixture(scope="module")
def run():
    net = random_net(2, sparse=True, delays="source")
    return net, es.simulate(net, random_stream(3, n_samples=4), backend="reference")


def chip_of(*, step_ms=None, includes=(), **figures):
    energies = {
        name: Quantity(value, "uW" if name.startswith("static") else "pJ", "measured", "a test")
        for name, value in figures.items()
    }
    for name in includes:
        first = next(iter(energies))
        energies[first] = Quantity(energies[first].value, "pJ", "measured", "a test", (name,))
    return Chip("mine", "Mine", "chip", "a test", step_ms, None, None, energies, {})


def counted(report):
    return {cost.term.name: cost.counts.tolist() for cost in report.terms}


def test_every_term_is_its_count_times_its_figure(run):
    net, tape = run
    exact, steps = count(net, tape), clocked(net, tape, step_ms=1.0)
    chip = chip_of(
        synaptic_event=2.0, neuron_update_active=3.0, neuron_update_idle=5.0, membrane_update=7.0,
        spike=11.0, axon_out=13.0, hop_ew=17.0, hop_ns=19.0, ac=23.0, mac=29.0, step_sync=31.0,
        static_chip=37.0, static_core=41.0, event_in=43.0, event_out=47.0,
    )  # fmt: skip
    mapped = {"axon_out": [1, 2, 3, 4], "hop_ew": 8, "hop_ns": 0, "cores": 3}
    found = energy(exact, chip, clocked=steps, mapped=mapped)
    active = sum(steps.active_updates.values())
    expected = {
        "synaptic_event": 2 * sum(exact.synaptic_events.values()),
        "neuron_update_active": 3 * active,
        "neuron_update_idle": 5 * (steps.steps * 14 - active),
        "membrane_update": 7 * sum(exact.membrane_updates.values()),
        "spike": 11 * (exact.spikes["hidden1"] + exact.spikes["hidden2"]),
        "axon_out": 13 * np.array([1, 2, 3, 4]),
        "hop_ew": np.full(4, 17 * 2),
        "hop_ns": np.zeros(4),
        "ac": 23 * sum(steps.effective_acs.values()),
        "mac": 29 * sum(steps.effective_macs.values()),
        "step_sync": 31 * steps.steps,
        # uW times ms are nJ.
        "static_chip": 37 * tape.stream.duration * 1000,
        "static_core": 41 * 3 * tape.stream.duration * 1000,
        "event_in": 43 * np.diff(tape.stream.offsets),
        "event_out": np.full(4, 47),
    }
    assert {t.term.name for t in found.terms} == set(expected)
    for term in found.terms:
        np.testing.assert_allclose(term.energy_pj, expected[term.term.name], rtol=1e-12)
    np.testing.assert_allclose(found.energy_pj, sum(expected.values()), rtol=1e-12)
    assert found.total_pj == pytest.approx(found.energy_pj.mean())
    parts = [found.part_pj(need) for need in ("spikes", "step", "mapping", "time")]
    assert sum(parts) == pytest.approx(found.total_pj)
    assert found.missing == ()
    assert found.step_ms == 1.0


def test_without_a_step_operations_are_exact_and_accumulate_only(run):
    net, tape = run
    exact = count(net, tape)
    found = counted(energy(exact, load_chip("45nm")))
    assert found["ac"] == sum(exact.effective_events.values()).tolist()
    assert found["mac"] == [0.0] * 4


def test_memory_is_a_weight_per_operation_and_two_states_per_access(run):
    net, tape = run
    exact = count(net, tape, widths=Widths(weight=8, state=16))
    found = counted(energy(exact, chip_of(memory_byte=1.0, state_access=1.0)))
    updates = sum(exact.membrane_updates.values())
    events = sum(exact.effective_events.values())
    assert found["state_access"] == (2 * updates).tolist()
    assert found["memory_byte"] == (events + 2 * 2 * 2 * updates).tolist()


@pytest.mark.parametrize("step_ms", [None, 0.5])
def test_a_linear_decision_multiplies_once_a_sample(run, step_ms):
    net, tape = run
    decided = net.copy()
    size = net.readouts["output"].size
    weights = np.arange(size * 5.0).reshape(size, 5)  # one of them is zero
    decided.decide("output", weights)
    steps = None if step_ms is None else clocked(net, tape, step_ms=step_ms)
    tape = es.simulate(decided, tape.stream, tail=0.0, backend="reference")
    exact = [count(net, run[1]), count(decided, tape)]
    assert [one.decision_macs for one in exact] == [0, size * 5 - 1]
    assert exact[1].to_dict()["decision_macs_per_sample"] == size * 5 - 1
    assert exact[1].only(list(net.projections)).decision_macs == 0
    before, after = (counted(energy(one, load_chip("45nm"), clocked=steps)) for one in exact)
    assert np.subtract(after["mac"], before["mac"]).tolist() == [size * 5 - 1] * 4
    assert after["ac"] == before["ac"]
    found = energy(exact[1], load_chip("loihi"), clocked=steps).missing
    missing = {one.name: one.count for one in found}
    assert missing["decision_macs"] == size * 5 - 1


def test_weights_of_zero_are_no_synapses_as_on_a_mapping(run):
    net = quantise(random_net(2, sparse=True), 2).net  # without delays: all spikes arrive
    tape = es.simulate(net, run[1].stream, tail=500.0, backend="cpu")
    sent = {name: tape[name].total_counts() for name in net.spiking}
    sent["input"] = np.bincount(tape.stream.channels, minlength=net.input.size)
    mapped = sum(int(sent[p.source][entries(p)[0]].sum()) for p in net.projections.values())
    (term,) = cost(net, tape, chip_of(synaptic_event=1.0)).terms
    assert 0 < mapped == term.counts.sum() < sum(tape.synaptic_events.values())


def test_halving_the_step_doubles_idle_updates_and_leaves_events(run):
    net, tape = run
    loihi = load_chip("loihi")
    coarse, fine = (cost(net, tape, loihi, step_ms=dt) for dt in (0.02, 0.01))
    coarse, fine = ({t.term.name: t.energy_pj.sum() for t in r.terms} for r in (coarse, fine))
    assert fine["synaptic_event"] == coarse["synaptic_event"]
    assert fine["neuron_update_idle"] == pytest.approx(2 * coarse["neuron_update_idle"], rel=0.02)


def test_step_of_the_chip_is_taken_unless_another_is_named(run):
    net, tape = run
    assert cost(net, tape, load_chip("loihi")).step_ms == 1.0
    assert cost(net, tape, load_chip("loihi"), step_ms=0.5).step_ms == 0.5
    assert cost(net, tape, load_chip("45nm")).step_ms is None


def test_what_needs_a_step_or_a_mapping_is_missing_by_name(run):
    net, tape = run
    exact = count(net, tape)
    found = energy(exact, load_chip("loihi"))
    assert {(m.name, m.reason) for m in found.missing} == {
        ("neuron_update_active", "needs a time step"),
        ("neuron_update_idle", "needs a time step"),
        ("axon_out", "needs a mapping of neurons to cores"),
        ("hop_ew", "needs a mapping of neurons to cores"),
        ("hop_ns", "needs a mapping of neurons to cores"),
        ("step_sync", NO_FIGURE),
        ("spike", NO_FIGURE),
        ("event_in", NO_FIGURE),
        ("event_out", NO_FIGURE),
    }


def test_leakage_is_a_term_of_its_own_or_included_or_missing(run):
    exact = count(*run)
    reports = {name: energy(exact, load_chip(name)) for name in ("loihi", "truenorth", "45nm")}
    found = {name: report.leakage for name, report in reports.items()}
    assert found == {"loihi": "separate", "truenorth": "included", "45nm": "missing"}
    leakage = {
        name: report.to_dict()["energy_pj_per_sample_of_leakage"]
        for name, report in reports.items()
    }
    assert leakage == {"loihi": reports["loihi"].part_pj("time"), "truenorth": None, "45nm": None}


def test_chip_without_figures_has_no_energy_and_says_what_is_missing(run):
    net, tape = run
    found = cost(net, tape, load_chip("loihi2"))
    assert found.terms == ()
    assert found.total_pj == 0.0
    assert [one.name for one in found.missing] == [
        "synaptic_event", "neuron_update_active", "neuron_update_idle", "spike", "event_in",
        "event_out", "axon_out", "hop_ew", "hop_ns", "static_chip", "step_sync",
    ]  # fmt: skip
    assert found.is_lower_bound


@pytest.mark.parametrize("name", chip_names())
def test_report_of_every_chip_shows_status_source_and_step(run, name):
    found = cost(*run, load_chip(name)).to_dict()
    assert json.loads(json.dumps(found)) == found
    for term in perhaps(found["terms"]):  # loihi2 has no figure
        assert term["name"] not in {one["name"] for one in found["missing"]}
        assert term["status"] in ("measured", "simulated", "estimated")
        assert term["source"]
        assert term["basis"] in ("exact", "step", "time")
        power = 1000.0 if term["unit"] == "uW" else 1.0
        assert term["energy_pj_per_sample"] == pytest.approx(
            term["count_per_sample"] * term["figure"] * power
        )


def small_net():
    net = one_layer("hidden", np.zeros((3, 4)))
    net.add_readout("output", 2)
    net.connect("hidden", "hidden", es.self_recurrent(0.0))
    net.connect("hidden", "output", np.zeros((4, 2)))
    net.connect("input", "output", np.zeros((3, 2)))
    return net


def test_dense_equivalent_multiplies_all_weights_in_every_frame():
    rnn = dense_equivalent(small_net(), [95.0, 100.0], load_chip("45nm"), frame_ms=10.0, cell="rnn")
    assert rnn.weights == 4 * (3 + 4) + 2 * (4 + 3)
    assert rnn.macs_per_frame == rnn.weights
    assert rnn.frames.tolist() == [10.0, 10.0]
    np.testing.assert_allclose(rnn.energy_pj, 42 * 10 * 4.6)
    assert rnn.footprint_bytes == 4 * (42 + 4 + 2)
    gru = dense_equivalent(small_net(), 100.0, load_chip("45nm"), frame_ms=10.0, cell="gru")
    assert gru.weights == 3 * 4 * (3 + 4) + 2 * (4 + 3)
    assert gru.macs_per_frame == gru.weights + 3 * 4
    assert gru.to_dict()["macs_per_sample"] == 10 * gru.macs_per_frame


def test_dense_equivalent_reads_its_weights_where_memory_has_a_price():
    chip = chip_of(mac=1.0, memory_byte=10.0)
    found = dense_equivalent(small_net(), 10.0, chip, frame_ms=10.0, cell="rnn", weight_bits=8)
    np.testing.assert_allclose(found.energy_pj, 42 + 420)
