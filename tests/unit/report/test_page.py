from dataclasses import replace

import numpy as np
import pytest

import eventsim as es
from eventsim.chips import load_chip
from eventsim.energy import costs_over_time, run_costs
from eventsim.mapping import Misfit
from eventsim.measures import LOSSES_DIFFER
from eventsim.report.numbers import joules
from eventsim.report.page import SECTIONS, headline
from eventsim.report.record import ChipMapping, Priced, Unmade
from eventsim.report.write import write_page
from tests.unit.report.pages import Page, check_page, whole_page


@pytest.fixture(scope="module")
def plain(joint):
    """The same without training, mapping and formats: quickly drawn."""
    return replace(joint, run=Unmade("No labels."), mappings={}, studies={}, rates={})


@pytest.fixture(scope="module")
def plain_html(plain):
    return whole_page(plain)


def test_page_is_balanced_self_contained_and_has_every_section(joint_html):
    page = check_page(joint_html)
    assert set(SECTIONS) <= set(page.ids)
    assert [f"#{name}" for name in SECTIONS] == [link for link in page.links if link[0] == "#"]
    assert page.tags.count("nav") == page.tags.count("main") == page.tags.count("h1") == 1


def test_every_figure_has_a_caption_that_says_how_to_read_it(joint_html):
    page = check_page(joint_html)
    assert page.tags.count("figcaption") == page.tags.count("figure") == len(page.images)
    for title in ("Learning curves", "Confusion matrix", "Synaptic operations by projection",
                  "Firing rates", "Energy of a recording", "Traffic on Intel Loihi",
                  "Cores of Intel Loihi", "Links of Intel Loihi",
                  "Bits of the weights"):  # fmt: skip
        assert any(image["alt"].startswith(title) for image in page.images), title


def test_titles_are_escaped(joint_html):
    assert "Two &lt;patterns&gt;" in joint_html
    assert "Two <patterns>" not in joint_html


def test_tables_hold_the_numbers_of_the_library_with_units(joint, joint_html):
    text = check_page(joint_html).text
    costs = joint.priced.costs
    events = sum(float(v.mean()) for v in costs.counts.synaptic_events.values())
    loihi = costs.reports[1]
    for expected in (
        f"{events:,.1f}",
        f"{costs.steps[0].neuron_updates.mean():,.0f}",
        "dt = 1 ms",
        "23.6 pJ",
        "104,375 µW",
        "simulated",
        "Davies et al. 2018, table 2: synaptic spike op (min)",
        "Not in the sum of loihi, which is a lower bound: spike (spike of a neuron, ",
        f"event_in (event that enters the chip, {costs.counts.events_in.mean():,.1f} a recording), "
        "event_out (answer, or spike of an output, that leaves the chip, 1.0 a recording), "
        "step_sync (step, for its barrier, ",
        "a recording): no figure in the chip's file.",
        joules(loihi.total_pj, at_least=True),
        f"energy per recording on loihi; with leakage ≥ {joules(loihi.total_pj)}",
        "Not in the sum of the dense GRU, which is a lower bound: ",
        "dense GRU on frames, 45nm",
        "99th percentile",
        "eventsim report two --map loihi",
        "Written by eventsim 9.8.7",
    ):
        assert expected in text, expected
    hops = next(cost for cost in loihi.terms if cost.term.name == "hop_ew")
    sent = joint.mappings["Intel Loihi"].compared.best.traffic
    assert hops.counts.sum() == pytest.approx(sent.hops_east_west + sent.outside_east_west)


def test_axons_and_links_of_a_mapped_chip_are_in_its_energy(joint):
    missing = [m.name for m in joint.priced.costs.reports[1].missing]
    assert missing == ["spike", "event_in", "event_out", "step_sync"]


def test_what_was_not_asked_for_is_a_sentence(plain_html):
    page = check_page(plain_html)
    for expected in ("Not asked for: add --map loihi", "Not asked for: add --bits 2"):
        assert expected in page.text


def test_what_cannot_be_made_is_a_sentence(joint, plain):
    reasons = [
        "No mapping was found. Chip 'tiny' has too few cores.",
        "No latency of a hop is published.",
        "The recordings have no labels.",
    ]
    none, mute, unlabelled = map(Unmade, reasons)
    mapped = ChipMapping(joint.mappings["Intel Loihi"].compared, mute)
    tape = es.simulate(plain.net, plain.stream, backend="cpu")
    priced = Priced(run_costs(plain.net, tape, [load_chip("dynapse")]), plain.priced.dense, {})
    mappings = {"Tiny": none, "Intel Loihi": mapped}
    found = replace(plain, mappings=mappings, priced=priced, over_time=unlabelled)
    page = check_page(whole_page(found))
    assert set(SECTIONS) <= set(page.ids)
    for expected in ("No labels.", *reasons, "Its file has no figure of an energy."):
        assert expected in page.text
    assert "99th percentile" not in page.text


def test_training_data_is_not_called_held_out(record):
    text = Page(headline(replace(record, part="training"))).text
    assert "training accuracy, last epoch (2)" in text
    assert "held-out accuracy" not in text


def test_accuracy_of_recordings_of_one_class_stands_nowhere_in_front(record):
    data = record.test
    alone = data.subset(np.flatnonzero(data.labels == data.labels[0]))
    found = headline(replace(record, test=alone))
    text = Page(found).text
    assert "are of the class" in text
    assert "says nothing of the other classes" in text
    assert 'class="value"' not in found


def test_a_silent_population_is_warned_of_before_the_numbers(plain, plain_html):
    rates = {"hidden1": np.zeros(8), "hidden2": np.full(8, 9.0)}
    page = check_page(whole_page(replace(plain, rates=rates)))
    assert (
        "'hidden1' is silent: its neurons fire 0 times per second, 100% of them never" in page.text
    )
    assert "'hidden2' is silent" not in page.text
    assert "is silent" not in check_page(plain_html).text


def test_file_is_written_whole(plain, plain_html, tmp_path):
    path = tmp_path / "new" / "page.html"
    assert write_page(path, plain) == path
    assert path.read_text() == plain_html
    assert [found.name for found in path.parent.iterdir()] == ["page.html"]


def test_rates_are_spikes_per_second_of_every_neuron(joint, record):
    rates = joint.rates["hidden1"]
    spikes = joint.priced.costs.counts.spikes["hidden1"].sum()
    assert rates.sum() == pytest.approx(spikes / (joint.stream.duration.sum() / 1000.0))
    assert rates.shape == (record.net_after.populations["hidden1"].size,)
    assert np.all(rates >= 0.0)


def test_values_that_the_formats_do_not_hold_are_named_beside_the_study(joint, plain):
    ((title, rows),) = joint.studies.items()
    misfit = Misfit("delays", ("late",), 3, 6, "longer than 62 steps", "set to 62 ms")
    said = "formats do not hold all delays: 3 of 6 are longer than 62 steps and were set to 62 ms"
    fitting = [replace(row, misfits=()) for row in rows]
    late = [fitting[0], *(replace(row, misfits=(misfit,)) for row in fitting[1:])]
    assert whole_page(replace(plain, studies={title: late})).count(said) == 1


def test_time_section_holds_the_numbers_of_the_library(joint, joint_html):
    page, found = check_page(joint_html), joint.over_time
    half, whole = found.rows()
    costs = joint.priced.costs.reports
    assert whole["accuracy"] == np.mean(found.decided.classes[:, -1] == found.labels)
    assert whole["energy_pj"]["45nm"] == costs[0].total_pj
    # The mapping of the chip adds links and cores, which are not known over time.
    assert half["energy_pj"]["loihi"] < whole["energy_pj"]["loihi"] <= costs[1].total_pj
    assert set(half["activity_pj"]) == {"loihi"}
    summary = found.summary()
    for expected in (
        "When the answer is there",
        f"{summary['latency_ms']['median']:,.1f}",
        "early exit at a margin of 0.2",
        "energy on loihi",
        "loihi, without leakage",
        f"{half['time_ms']:,.1f}",
    ):
        assert expected in page.text, expected
    assert any(i["alt"].startswith("Accuracy against time and energy") for i in page.images)


def test_the_energy_of_the_whole_time_is_that_of_the_run_on_its_cores(joint):
    (*_, last), priced = joint.over_time.rows(), joint.priced.costs.reports
    assert {one.chip.name for one in priced} == {"45nm", "loihi"}
    for one in priced:
        assert last["energy_pj"][one.chip.name] == one.total_pj
        assert last["missing"][one.chip.name] == [each.name for each in one.missing]
    assert "axon_out" not in last["missing"]["loihi"]


def test_time_section_without_figures_has_no_energy(joint, plain):
    net, stream = joint.net, joint.stream
    tape = es.simulate(net, stream, backend="cpu")
    bare = costs_over_time(net, tape, [load_chip("dynapse")], [30.0, 60.0])
    page = check_page(whole_page(replace(plain, over_time=replace(joint.over_time, costs=bare))))
    assert "energy on" not in page.text


def test_that_losses_of_training_and_validation_differ_is_said_where_both_stand(joint_html, record):
    assert "validation_loss" in record.history[0]
    # Beside the learning curves, and above the table of all epochs.
    assert check_page(joint_html).text.count(LOSSES_DIFFER) == 2
