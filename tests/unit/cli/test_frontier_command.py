"""A sweep from the command line: trained, measured, written; its numbers are eventsim cost's."""

import csv
import html
import json
import shlex
import shutil
from pathlib import Path

import numpy as np
import pytest

import eventsim as es
from eventsim.cli.experiment_progress import RunBars
from eventsim.experiment import Selection, load_recipe, load_task, resolve
from eventsim.frontier import Question, gather
from eventsim.frontier.tables import notes
from eventsim.frontier.write import plain
from eventsim.mapping import quantise
from eventsim.train.parts import validation_split
from tests.support.browser import CHROMIUM, found_in
from tests.unit.cli.conftest import call, done, told
from tests.unit.datasets import conftest as audio
from tests.unit.experiment.conftest import TASK
from tests.unit.report.pages import Page

RECIPE = """
format = "eventsim-recipe"
version = 1
name = "sweep"
title = "Few <synapses>"
task = "small.toml"
baseline = "plain"

[train]
bip = []
loss = "cross_entropy"
validation_fraction = 0.25

[[condition]]
name = "plain"

[[condition]]
name = "steps"
method = "grid"
dt = 1.0
train = { backend = "cpu", precision = "single" }

[[sweep]]
name = "pruned"
title = "pruned"
axes = { "train.sparse.sparsity" = [0.5, 0.8] }
"""
wavs = audio.wavs
SWEEP = ("frontier", "--jobs", 0, "--seeds", 1, "--out", "out")
POINTS = ["plain", "steps", "pruned-0_5", "pruned-0_8"]


@pytest.fixture
def recipe(tmp_path):
    """A recipe with a task beside it."""
    folder = tmp_path / "recipes"
    folder.mkdir()
    (folder / "small.toml").write_text(TASK)
    (folder / "sweep.toml").write_text(RECIPE)
    return folder / "sweep.toml"


@pytest.fixture(scope="module")
def swept(tmp_path_factory):
    """Folder of a sweep, and what the command told."""
    home = tmp_path_factory.mktemp("swept")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(home)
        (home / "small.toml").write_text(TASK)
        (home / "sweep.toml").write_text(RECIPE)
        found = told(*SWEEP, "sweep.toml", "--chip", "loihi", "--chip", "45nm", "--seeds", 2)
    return home, found


def test_points_are_means_over_seeds_and_the_front_is_chosen_by_validation(swept):
    _, found = swept
    assert [point["name"] for point in found["points"]] == POINTS
    assert found["chosen_by"] == "validation_accuracy"
    for point in found["points"]:
        assert [run["seed"] for run in point["runs"]] == [0, 1]
        accuracies = [run["numbers"]["accuracy"] for run in point["runs"]]
        assert point["summary"]["accuracy"]["mean"] == pytest.approx(sum(accuracies) / 2)
        assert point["summary"]["accuracy"]["n"] == 2
    assert found["points"][1]["kind"] == "grid"
    assert found["points"][1]["front"] == []
    exact = [found["points"][k] for k in (0, 2, 3)]
    assert exact[2]["settings"]["train.sparse.sparsity"] == 0.8
    axes = ("energy_pj:loihi", "energy_with_leakage_pj:loihi", "energy_pj:45nm")
    for axis in (*axes, "synaptic_operations"):
        cheapest = min(exact, key=lambda point: point["summary"][axis]["mean"])
        assert axis in cheapest["front"]


def test_command_of_every_run_gives_the_same_numbers(swept, monkeypatch):
    home, found = swept
    monkeypatch.chdir(home)
    monkeypatch.delenv("EVENTSIM_DATA", raising=False)
    for point in found["points"]:
        run = point["runs"][1]
        words = shlex.split(run["command"])
        assert words[:2] == ["eventsim", "cost"]
        answer = told(*words[1:])
        numbers, energies = run["numbers"], {one["chip"]: one for one in answer["energy"]}
        for chip, report in energies.items():
            activity = report["energy_pj_per_sample_of_activity"]
            assert numbers[f"energy_pj:{chip}"] == activity, (point["name"], chip)
            assert report["leakage"] == ("separate" if chip == "loihi" else "missing")
            whole = report["energy_pj_per_sample"] if chip == "loihi" else None
            assert numbers[f"energy_with_leakage_pj:{chip}"] == whole
            static = report["energy_pj_per_sample_of_leakage"]
            assert (static is None) == (chip != "loihi")
            assert numbers[f"leakage_pj:{chip}"] == static
            assert numbers["inference_ms"] == report["milliseconds_per_sample"]
        power = next(t for t in energies["loihi"]["terms"] if t["name"] == "static_chip")
        static = 1e3 * power["figure"] * numbers["inference_ms"]
        assert numbers["leakage_pj:loihi"] == pytest.approx(static, rel=1e-12)
        events = answer["counts"]["synaptic_events_per_sample"]
        assert numbers["synaptic_operations"] == pytest.approx(sum(events.values()), rel=1e-12)
        result = json.loads((home / "out" / run["folder"] / "result.json").read_text())
        assert numbers["accuracy"] == result["test"]["accuracy"]


def test_run_on_a_grid_is_counted_as_it_ran_on_its_grid(swept):
    home, found = swept
    run = found["points"][1]["runs"][0]
    result = json.loads((home / "out" / run["folder"] / "result.json").read_text())
    # On the grid delays are whole steps, here none, so both count the same arrivals.
    operations = result["synaptic_operations_per_inference"]
    assert run["numbers"]["synaptic_operations"] == pytest.approx(operations, rel=1e-12)


def test_page_is_one_file_with_a_picture_per_axis_and_links_to_the_runs(swept):
    home, found = swept
    text = (home / "out" / "frontier.html").read_text()
    page = Page(text)
    assert "://" not in text
    assert "url(" not in text
    assert "@import" not in text
    assert len(page.ids) == len(set(page.ids))
    assert page.tags.count("svg") == len(found["axes"]) == 5  # three energies, operations, cores
    for link in page.links:
        if link.startswith("#"):
            assert link[1:] in page.ids
        else:
            assert (home / "out" / link).is_dir(), link
    assert len([link for link in page.links if link == "plain/seed-0/"]) == 1 + 5
    assert "Few <synapses>" not in text
    told = text.partition('id="points">')[2].partition("</script>")[0]
    about = json.loads(told)
    assert len(about) == len(POINTS)
    assert "train.sparse.sparsity 0.8" in about[3]
    assert "chosen by their mean accuracy on the validation part" in page.text


# Points at a point, chooses another axis, and leaves in the page what is seen then.
LOOK = """<script>addEventListener("load", () => {
  const views = [...document.querySelectorAll(".view")];
  const shown = () => views.findIndex(v => !v.hidden);
  const choose = document.querySelector(".views select"), tip = document.querySelector(".tip");
  const found = {axes: choose.length, hidden: views.filter(v => v.hidden).length, first: shown()};
  views[0].querySelector("[data-point='3']").dispatchEvent(
    new MouseEvent("mousemove", {clientX: 50, clientY: 50}));
  found.tip = tip.hidden ? null : tip.textContent;
  choose.selectedIndex = 2;
  choose.dispatchEvent(new Event("change"));
  found.then = shown();
  found.inside = document.documentElement.scrollWidth <= innerWidth;
  document.body.innerHTML = "<pre id=found></pre>";
  document.getElementById("found").textContent = JSON.stringify(found);
});</script>"""


@CHROMIUM
def test_page_shows_one_axis_at_a_time_and_tells_of_the_point_under_the_mouse(swept, tmp_path):
    home, _ = swept
    page = tmp_path / "page.html"
    page.write_text((home / "out" / "frontier.html").read_text() + LOOK)
    found = found_in(page, "--window-size=600,900")
    assert (found["axes"], found["hidden"], found["first"], found["then"]) == (5, 4, 0, 2)
    assert "train.sparse.sparsity 0.8" in found["tip"]
    assert found["inside"]


SMALL = """
format = "eventsim-chip"
version = 1
name = "small"
title = "A small chip"
kind = "chip"
source = "a test"
[limits]
cores = 1
mesh = [1, 1]
cores_per_tile = 1
synapses_per_core = {synapses}
[energy.synaptic_event]
value = 2.0
unit = "pJ"
status = "measured"
source = "a test"
[energy.static_core]
value = 3.0
unit = "uW"
status = "measured"
source = "a test"
"""


def test_what_eventsim_map_refuses_is_on_no_front_of_the_chip_and_says_why(
    swept, tmp_path, monkeypatch
):
    home, _ = swept
    shutil.copytree(home, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    whole, pruned = (
        sum(np.count_nonzero(p.values) for p in es.load_run(folder).net.projections.values())
        for folder in ("out/plain/seed-0", "out/pruned-0_8/seed-0")
    )
    Path("small.chip.toml").write_text(SMALL.format(synapses=(whole + pruned) // 2))
    few = ("--condition", "plain", "--condition", "pruned-0_8", "--chip", "small.chip.toml")
    outcome = done(*SWEEP, "sweep.toml", "--seeds", 2, *few)
    found = json.loads(Path("out/frontier.json").read_text())
    plain, small = found["points"]
    assert plain["fits"]["small"]["state"] == "does not fit"
    assert small["fits"]["small"]["state"] == "fits"
    assert not [axis for axis in plain["front"] if axis.endswith(":small")]
    assert "energy_pj:small" in small["front"]
    leakage = {one["name"]: one["summary"].get("leakage_pj:small") for one in found["points"]}
    assert leakage["plain"] is None
    assert "static_core" in plain["missing"]["small"]
    inference = small["summary"]["inference_ms"]["mean"]
    assert leakage["pruned-0_8"]["mean"] == pytest.approx(3000.0 * inference)  # of one core
    assert "static_core" not in small["missing"]["small"]
    reason = plain["fits"]["small"]["reason"]
    assert "synapses_per_core" in reason
    for point, code in ((plain, 2), (small, 0)):
        mapped = call("map", f"out/{point['runs'][0]['folder']}", "--chip", "small.chip.toml",
                      "--method", "refined", "--backend", "cpu")  # fmt: skip
        assert mapped.code == code, mapped.err
    assert reason in outcome.out
    assert reason in html.unescape(Path("out/frontier.html").read_text())
    missing = plain["missing"]["small"]
    assert {"spike", "membrane_update", "static_chip"} <= set(missing)
    assert f"Not in the energies on small: {', '.join(missing)}." in outcome.out
    assert "≥ " in outcome.out


def test_table_has_a_row_per_run_with_all_numbers(swept):
    home, found = swept
    with open(home / "out" / "frontier.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 2 * len(POINTS)
    first = found["points"][0]["runs"][0]
    assert float(rows[0]["energy_pj:loihi"]) == first["numbers"]["energy_pj:loihi"]
    assert rows[0]["command"] == first["command"]
    assert json.loads((home / "out" / "frontier.json").read_text())["points"] == found["points"]


@pytest.mark.thorough("trains a sweep of its own")
def test_sweep_that_was_stopped_goes_on_and_nothing_is_done_twice(recipe, tmp_path, monkeypatch):
    ended = RunBars.ended

    def interrupting(self, spec, how):
        ended(self, spec, how)
        raise KeyboardInterrupt

    few = ("--condition", "plain", "--condition", "pruned-0_5")
    monkeypatch.setattr(RunBars, "ended", interrupting)
    outcome = call(*SWEEP, recipe, *few)
    assert outcome.code == 130
    assert not (tmp_path / "out" / "frontier.html").exists()
    monkeypatch.setattr(RunBars, "ended", ended)
    done(*SWEEP, recipe, *few).says("2 runs, 1 are done").shows("pruned")
    written = (tmp_path / "out" / "frontier.json").read_bytes()
    measured = tmp_path / "out" / "plain" / "seed-0" / "frontier.json"
    before = measured.stat().st_mtime_ns
    done(*SWEEP, recipe, *few).says("2 runs, 2 are done")
    assert measured.stat().st_mtime_ns == before
    assert (tmp_path / "out" / "frontier.json").read_bytes() == written
    earlier = json.loads(measured.read_text())
    measured.write_text(json.dumps(earlier | {"asked": "of a version with fewer numbers"}))
    done(*SWEEP, recipe, *few)
    assert json.loads(measured.read_text()) == earlier
    measured.write_text("{")  # damaged, and another question: both are measured again
    done(*SWEEP, recipe, *few)
    assert json.loads(measured.read_text())["numbers"]["accuracy"] is not None
    # One question is remembered: each of these is another than the one before.
    step, fewer = ("--dt", 0.5), ("--dt", 0.5, "--samples", 6)
    for asked, of in (((), ""), (step, ""), (fewer, "6 recordings")):
        found = told(*SWEEP, recipe, *few, *asked, "--chip", "loihi")
        one = found["points"][0]["runs"][0]
        assert {*map(str, asked)} <= {*one["command"].split()}
        assert of in found["data"]
        (energy,) = told(*shlex.split(one["command"])[1:])["energy"]
        expected = energy["energy_pj_per_sample_of_activity"]
        assert one["numbers"]["energy_pj:loihi"] == expected


@pytest.mark.thorough("trains a sweep of its own")
def test_axis_replaces_the_other_conditions_by_every_combination(recipe):
    outcome = told(
        *SWEEP, recipe, "--axis", "train.sparse.sparsity=0.5", "--axis", "network.hidden=[3],[2]",
        "--smoke",
    )  # fmt: skip
    names = [point["name"] for point in outcome["points"]]
    assert names == ["plain", "swept-0_5-3", "swept-0_5-2"]
    assert outcome["points"][2]["settings"]["network.hidden"] == [2]


@pytest.mark.thorough("trains a sweep of its own")
def test_bits_after_training_are_points_of_their_own(recipe):
    recipe.write_text(recipe.read_text() + TRAINED_SO + ADAPTIVE + CONVOLUTIONAL)
    names = ("plain", "steps", "four", "adaptive", "shared")
    few = [word for name in names for word in ("--condition", name)]
    chips = ("--chip", "45nm", "--chip", "45nm_sram")  # the second prices memory, by its bits
    outcome = told(*SWEEP, recipe, *few, "--bits", 2, "--bits", 12, *chips)
    points = {point["name"]: point for point in outcome["points"]}
    # No grid, and nothing that was trained with as few bits, is rounded.
    whole = [
        name for one in ("adaptive", "shared") for name in (one, f"{one}-2-bits", f"{one}-12-bits")
    ]
    expected = ["plain", "plain-2-bits", "plain-12-bits", "steps", "four", "four-2-bits"]
    assert list(points) == [*expected, *whole]
    plain, rounded, fine = (points[name]["runs"][0] for name in list(points)[:3])
    assert points["plain-2-bits"]["settings"]["bits after training"] == 2
    assert (rounded["folder"], rounded["seed"]) == (plain["folder"], plain["seed"])
    for name in ("plain-2-bits", "plain-12-bits", "four", "four-2-bits"):
        (one,) = points[name]["runs"]
        for energy in told(*shlex.split(one["command"])[1:])["energy"]:
            expected = energy["energy_pj_per_sample_of_activity"]
            assert one["numbers"][f"energy_pj:{energy['chip']}"] == expected
    # Most weights of 2 bits are zero; of 12 bits hardly one is.
    assert rounded["numbers"]["energy_pj:45nm"] < plain["numbers"]["energy_pj:45nm"]
    run = es.load_run(f"out/{plain['folder']}")
    other = quantise(run.net, 2).net
    config = run.config
    expected = es.evaluate(other, run.data("test"), config).accuracy
    assert rounded["numbers"]["accuracy"] == expected
    training = run.data("train")
    _, held = validation_split(training, config)
    for bits, numbers in ((2, rounded["numbers"]), (12, fine["numbers"])):
        net = quantise(run.net, bits).net
        choice = es.evaluate(net, training[held][:], config).accuracy
        assert numbers["validation_accuracy"] == choice
    # What is asked again is what training asked.
    choice = es.evaluate(run.net, training[held][:], config).accuracy
    assert plain["numbers"]["validation_accuracy"] == choice
    assert "the weights were rounded after training" in Path("out/frontier.html").read_text()
    again = told(*SWEEP, recipe, *few, "--bits", 2, "--bits", 12, *chips)
    assert again["points"] == outcome["points"]


TRAINED_SO = """
[[condition]]
name = "four"
train = { quantise = { bits = 4 } }
"""
ADAPTIVE = """
[[condition]]
name = "adaptive"
network = { adaptation = 0.3, tau_adaptation = 50.0 }
"""
CONVOLUTIONAL = """
[[condition]]
name = "shared"

[condition.network]
model = "convolutional"
hidden = [2]
output_maps = 2
kernel = [3, 2]
stride = [1, 1]

[condition.train]
loss = "cross_entropy_maximum"
tail = 20.0
"""


@pytest.mark.thorough("trains a sweep of its own")
def test_network_with_a_decision_has_its_energies_and_no_cores(recipe):
    recipe.write_text(recipe.read_text() + CONVOLUTIONAL)
    outcome = told(*SWEEP, recipe, "--condition", "plain", "--condition", "shared")
    plain, shared = outcome["points"]
    assert plain["summary"]["cores:loihi"]["mean"] >= 1
    assert "cores:loihi" not in shared["summary"]
    assert shared["fits"]["loihi"]["state"] == "does not fit"
    assert shared["front"] == ["synaptic_operations"] * ("synaptic_operations" in shared["front"])
    run = shared["runs"][0]
    found = told(*shlex.split(run["command"])[1:])
    assert found["counts"]["decision_macs_per_sample"] > 0
    assert (
        run["numbers"]["energy_pj:loihi"] == found["energy"][0]["energy_pj_per_sample_of_activity"]
    )
    # The network runs on for 20 ms, for which the chip is powered too.
    assert run["numbers"]["inference_ms"] == plain["runs"][0]["numbers"]["inference_ms"] + 20.0
    assert (
        run["numbers"]["leakage_pj:loihi"] == found["energy"][0]["energy_pj_per_sample_of_leakage"]
    )


@pytest.mark.thorough("trains a sweep of its own")
def test_encoder_of_audio_is_a_number_beside_the_energies(recipe, wavs, monkeypatch, tmp_path):
    monkeypatch.setenv("EVENTSIM_CACHE", str(tmp_path / "cache"))
    task = recipe.with_name("small.toml")
    task.write_text(TASK.replace('name = "yinyang"', f'name = "fsdd"\nfile = "{wavs}"'))
    outcome = told(*SWEEP, recipe, "--condition", "plain", "--chip", "45nm", "--chip", "loihi")
    run = outcome["points"][0]["runs"][0]
    found = told(*shlex.split(run["command"])[1:])
    arithmetic, loihi = (one["encoder"] for one in found["energy"])
    assert run["numbers"]["encoder_pj:45nm"] == arithmetic["energy_pj_per_sample"] > 0
    assert run["numbers"]["encoder_pj:loihi"] is None
    assert loihi["terms"] == []
    assert "encoder, besides" in (tmp_path / "out" / "frontier.html").read_text()


def test_runs_that_are_not_in_a_mean_are_named(swept, tmp_path):
    home, _ = swept
    root = Path(shutil.copytree(home / "out", tmp_path / "copy"))
    (root / "plain" / "seed-1" / "result.json").unlink()
    recipe, task = load_recipe(home / "sweep.toml"), load_task(home / "small.toml")
    plan = resolve(recipe, task, Selection(seeds=(0, 1)))
    found = gather(plan, root, Question(chips={}))
    assert [len(point.runs) for point in found.points] == [1, 2, 2, 2]
    assert plain(found)["unfinished"] == {"plain": ("plain/seed-1",)}
    assert "plain: plain/seed-1" in list(notes(found))[-1]


@pytest.mark.thorough("trains a sweep of its own")
def test_run_that_fails_is_named_and_the_others_are_measured(recipe):
    wild = "network = { refractory = 0.0, mean = 1e6, spread = 1e6 }"
    text = recipe.read_text() + f'\n[[condition]]\nname = "wild"\n{wild}\n'
    recipe.write_text(text)
    outcome = call(*SWEEP, recipe, "--condition", "plain", "--condition", "wild")
    assert outcome.code == 1
    assert "wild/seed-0: RunawayError" in outcome.err
    assert "Not done yet: wild." in outcome.out
