"""Every kind of run times every command that takes a run."""

import shutil
from pathlib import Path

import pytest

from eventsim.report import write
from tests.support.run_kinds import KINDS, KNOW_NO_DATA, ON_GRID, every_run, stored
from tests.unit.cli.conftest import call, done, refused, told

ONE_KIND = pytest.mark.crossed("a run of each kind is trained first", test=0)


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    return every_run(tmp_path_factory.mktemp("kinds"))


@pytest.fixture(autouse=True)
def no_pictures(monkeypatch):
    """The page of a training run, which other tests look at, takes seconds."""
    monkeypatch.setattr(write, "write_report", lambda folder, _, **__: folder / "index.html")


@pytest.fixture(params=KINDS)
def kind(request):
    return request.param


@pytest.fixture
def place(runs, kind, tmp_path):
    """A copy of the run, and what must be said of its data beside."""
    shutil.copytree(runs[1][kind], tmp_path / "run")
    return tmp_path / "run", (runs[0],) if kind in KNOW_NO_DATA else ()


@ONE_KIND
def test_evaluate_takes_every_run(place, kind):
    folder, data = place
    for which in ("last", "selected", "initial"):
        found = told("evaluate", folder, *data, "--network", which)
        assert found["samples"] == (12 if kind.endswith(("exact", "grid")) else 6)
    if not data:
        result = told("evaluate", folder)
        assert (folder / "result.json").exists()
        assert result["accuracy"] in {k / 12 for k in range(13)}


@ONE_KIND
def test_latency_takes_every_run_in_exact_time_and_refuses_a_grid(place, kind):
    folder, data = place
    outcome = call("evaluate", folder, *data, "--latency", "--json")
    if kind in ON_GRID:
        assert outcome.code == 2
        assert "answers in steps of" in outcome.err
    else:
        found = outcome.json
        assert found["over_time"]["accuracy"][-1] == found["accuracy"]


@ONE_KIND
def test_map_takes_every_run_and_studies_bits_in_exact_time_alone(place, kind):
    folder, data = place
    asked = ("map", folder, *data, "--chip", "loihi", "--method", "first-fit")
    if kind in ON_GRID:
        found, outcome = told(*asked), call(*asked, "--bits", 4)
        assert (found["study"], outcome.code) == ([], 2)
        assert "answers in steps of 1 ms" in found["study_missing"]
        assert "--bits: " in outcome.err
        assert "answers in steps of 1 ms" in outcome.err
    else:
        found = told(*asked, "--bits", 4)
        exact = told("evaluate", folder, *data)["accuracy"]
        assert found["study"][0]["score"] == pytest.approx(exact)


@ONE_KIND
def test_report_studies_bits_in_exact_time_alone(place, kind):
    folder, data = place
    asked = ("--chip", "loihi", "--map", "loihi", "--method", "first-fit", "--bits", 4)
    missing = told("report", folder, *data, *asked)["not_made"]
    studies = [name for name in missing if name.startswith("bits, ")]
    assert len(studies) == (kind in ON_GRID), missing
    assert all("answers in steps of 1 ms" in missing[name] for name in studies)


@ONE_KIND
def test_report_and_cost_take_every_run_and_agree(place, kind):
    folder, data = place
    found = told("report", folder, *data, "--chip", "loihi", "--backend", "cpu")
    assert "training" not in found["not_made"]
    assert ("answers over time" in found["not_made"]) == (kind in ON_GRID)
    assert Path(found["report"]).exists()
    costs = told("cost", folder, *data, "--chip", "loihi", "--backend", "cpu")
    assert found["recordings"] == costs["recordings"] >= 6
    operations = sum(costs["counts"]["synaptic_events_per_sample"].values())
    assert found["synaptic_operations_per_recording"] == pytest.approx(operations)
    energy = costs["energy"][0]["energy_pj_per_sample"]
    assert found["energy_pj_per_recording"] == {"loihi": pytest.approx(energy, rel=1e-12)}


@ONE_KIND
def test_simulate_and_export_take_every_run(place, runs, kind, tmp_path):
    folder, data = place
    events = data or (("yinyang",) if kind.endswith(("exact", "grid")) else (runs[0],))
    outcome = done("simulate", folder, *events, "--samples", 2, "--backend", "cpu", "--json")
    assert outcome.json["samples"] == 2
    in_steps = "was trained in steps, and runs here in exact time"
    assert (in_steps in " ".join(outcome.err.split())) == (kind in ON_GRID)
    told("export", folder, "--out", tmp_path / "net.nir")


@ONE_KIND
def test_every_run_is_gone_on_from(place, runs, kind, tmp_path):
    folder, _ = place
    events = "yinyang" if kind.endswith(("exact", "grid")) else runs[0]
    if events == "yinyang":
        # Its training part has thousands of recordings: the shapes alone are asked for.
        refused("train", runs[0], "--init", folder, "--out", tmp_path / "tuned").says(
            "has 3 neurons, expected at least 11"
        )
        assert not (tmp_path / "tuned").exists()
        return
    tuned = ("--epochs", 1, "--backend", "cpu", "--out", tmp_path / "tuned")
    told("train", events, "--init", folder, *tuned)
    assert stored(tmp_path / "tuned")["network"] is None


@ONE_KIND
def test_every_run_is_resumed_and_extended(place, kind):
    folder, data = place
    if kind in ON_GRID:
        refused("train", "--resume", "--out", folder).says("by the command of the experiment")
        return
    again = told("train", *data, "--resume", "--out", folder)
    assert again["epochs"] == 2
    assert stored(folder)["format"] == "eventsim-run"
    longer = told("train", *data, "--resume", "--epochs", 3, "--out", folder)
    assert longer["epochs"] == longer["test"]["epoch"] == 3
    assert told("evaluate", folder)["accuracy"] == longer["test"]["accuracy"]
