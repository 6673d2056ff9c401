import pytest

from tests.unit.cli.conftest import call, done, told
from tests.unit.report.pages import check_page

QUICK = ("--samples", 3)


def test_run_becomes_one_page_of_training_sparsity_energy_mapping_and_bits(finished, tmp_path):
    _, folder, trained = finished
    path = tmp_path / "report.html"
    options = ("--map", "loihi", "--method", "refined", "--neurons-per-core", 4, "--bits", 3)
    found = told("report", folder, *options, "--out", path)
    assert found["report"] == str(path)
    assert found["accuracy"] == trained.json["test"]["accuracy"]
    assert found["not_made"] == {}
    assert set(found["energy_pj_per_recording"]) == {"45nm", "loihi"}
    assert found["over_time"]["latency_ms"]["median"] > 0.0
    page = check_page(path.read_text())
    missing = "Not in the sum of loihi, which is a lower bound: spike (spike of a neuron, "
    for expected in ("Learning curves", "ntidigits", missing, "step_sync (step, for its barrier, ",
                     "population-order", "the chip's formats"):  # fmt: skip
        assert expected in page.text, expected
    assert "Not asked for" not in page.text


@pytest.mark.thorough("two commands; the numbers are held in tests/unit/report")
def test_costs_are_those_of_the_cost_command(finished, tmp_path):
    _, folder, _ = finished
    options = (*QUICK, "--dt", 0.5, "--chip", "loihi", "--json")
    priced = call("cost", folder, *options).json
    outcome = done("report", folder, *options, "--out", tmp_path / "page.html")
    energy = priced["energy"][0]["energy_pj_per_sample"]
    assert outcome.json["energy_pj_per_recording"] == {"loihi": energy}
    assert "loihi, without leakage" in check_page((tmp_path / "page.html").read_text()).text
    events = sum(priced["counts"]["synaptic_events_per_sample"].values())
    assert outcome.json["synaptic_operations_per_recording"] == pytest.approx(events)
    text = check_page((tmp_path / "page.html").read_text()).text
    assert "dt = 0.5 ms" in text
    assert "test part, 3 recordings spread over its classes" in text
    assert "Not asked for: add --map loihi" in text


def test_network_file_with_events_has_a_page_without_training(files, tmp_path, monkeypatch):
    net, events, _ = files
    monkeypatch.chdir(tmp_path)
    done("report", net, events).shows(
        "Not in it: training. net.npz is a network alone", "Report: report.html"
    )
    text = check_page((tmp_path / "report.html").read_text()).text
    assert "give the folder of a run to see training" in text
    assert "no answer is right or wrong" in text


def test_impossible_mapping_and_missing_formats_are_sentences(files, tiny_chip, tmp_path):
    net, events, _ = files
    out = tmp_path / "page.html"
    options = ("--map", tiny_chip, "--bits", 2, "--out", out, "--samples", 2)
    done("report", net, events, *options).shows(
        "39 of neurons_per_core x 4 cores, the chip has 20 (19 too many)"
    )
    text = check_page(out.read_text()).text
    assert "No mapping was found. Chip 'tiny'" in text
    assert "Its file has no number formats" in text
