import json
import sys

import numpy as np
import pytest

import eventsim as es
from eventsim.chips import load_chip
from eventsim.mapping import check_mapping, load_cores
from eventsim.train import save_network
from tests.unit.cli.conftest import call, done, told
from tests.unit.mapping.helpers import random_net, random_stream


def test_a_run_is_mapped_and_its_accuracy_measured(finished):
    _, folder, trained = finished
    found = told("map", folder, "--method", "refined", "--neurons-per-core", 2, "--bits", 3)
    assert [m["method"] for m in found["mappings"]] == ["refined", "first_fit", "population_order"]
    assert found["mappings"][0]["cores_used"] >= 4
    hops = [m["traffic"]["hop_weighted_spikes"] for m in found["mappings"]]
    assert hops[0] <= min(hops)
    sent, energy = (found["mappings"][0][key] for key in ("traffic", "link_energy"))
    by_way = [sent[key] for key in ("hops_east_west", "hops_north_south", "hops_from_outside")]
    least = 3.0 * by_way[0] + 4.0 * by_way[1]  # pJ a link: Davies et al. 2018, table 2
    assert least + 3.0 * by_way[2] <= energy["energy_pj"] <= least + 4.0 * by_way[2]
    assert sum(by_way) > 0
    assert energy["without_figure"] == []
    assert [row["bits"] for row in found["study"]] == [None, 9, 3]
    assert found["study"][0]["score"] == trained.json["test"]["accuracy"]
    assert found["congestion"]["packets"] > 0


def test_tables_and_files_of_a_network_with_events(files, tmp_path):
    net, events, network = files
    options = ("--method", "refined", "--neurons-per-core", 4, "--sanafe", 1.0, "--bits", 2)
    done("map", net, events, *options, "--out", tmp_path / "out").shows(
        "cores used",
        "links passed by spikes",
        "energy of links passed",
        "99th percentile",
        "bits of weights",
    )
    cores = load_cores(tmp_path / "out" / "mapping.json")
    assert check_mapping(network, load_chip("loihi"), cores) == []
    assert np.bincount(np.concatenate(list(cores.values()))).max() == 4
    for name in ("cores.png", "links.png", "bits.png", "sanafe/network.yaml"):
        assert (tmp_path / "out" / name).stat().st_size > 1000


def test_a_network_that_cannot_fit_is_refused_before_it_runs(files, tiny_chip, monkeypatch):
    net, events, _ = files
    ran = []
    monkeypatch.setattr("eventsim.cli.map.tape_of", lambda *given, **more: ran.append(given))
    outcome = call("map", net, events, "--chip", tiny_chip)
    assert "At least 2 chips have room for it: a board of 2 x 1" in " ".join(outcome.err.split())
    assert (outcome.code, ran) == (2, [])


def test_what_the_formats_do_not_hold_is_said(files, tmp_path):
    net, events, network = files
    said = "The chip's formats do not hold all delays:"
    options = ("--method", "first-fit", "--no-compare")
    assert said not in call("map", net, events, *options).out
    for projection in network.projections.values():
        projection.delays[...] = 150.0
    network.save(tmp_path / "late.npz")
    done("map", "late.npz", events, *options).shows(
        said, "longer than 62 steps of 1 ms (the longest 150 ms) and were set to 62 ms"
    )
    mapped = told("map", "late.npz", events, *options)
    assert [one["method"] for one in mapped["mappings"]] == ["first_fit"]  # it alone
    found = mapped["study"][1]["misfits"]
    delays = next(one for one in found if one["what"] == "delays")
    n_delays = sum(p.delays.size for p in network.projections.values())
    assert delays["values"] == delays["of"] == n_delays


def test_the_search_ends_after_the_time_that_it_has(files):
    net, events, _ = files
    options = ("--method", "refined", "--neurons-per-core", 4, "--no-compare")
    whole = told("map", net, events, *options)["mappings"][0]
    enough = told("map", net, events, *options, "--seconds", 1e6)["mappings"][0]
    assert enough == whole
    short = told("map", net, events, *options, "--seconds", 1e-9)
    hops = short["mappings"][0]["traffic"]["hop_weighted_spikes"]
    assert hops >= whole["traffic"]["hop_weighted_spikes"]


def test_the_method_is_the_same_on_every_machine(files, monkeypatch):
    """Whether or not Mt-KaHyPar is installed; it is asked for by name."""
    monkeypatch.setitem(sys.modules, "mtkahypar", None)
    net, events, _ = files
    without = told("map", net, events)
    monkeypatch.delitem(sys.modules, "mtkahypar")
    assert without["mappings"][0]["method"] == "refined"
    assert told("map", net, events) == without


@pytest.mark.parametrize("chip", ["spinnaker", "loihi2"])
def test_what_is_assumed_of_neurons_with_further_states_is_said(files, chip, tmp_path):
    net = es.Network()
    net.add_input("input", 12)
    net.add_population("hidden", 9, neuron=es.AdLIF())
    net.connect("input", "hidden", np.full((12, 9), 3.0))
    save_network(tmp_path / "adaptive.npz", net)
    asked = "map", tmp_path / "adaptive.npz", files[1], "--chip", chip, "--method", "first-fit"
    outcome = told(*asked)
    (line,) = outcome["assumed"]
    assert "population 'hidden': its neurons have 3 states" in line
    assert "Number formats: population 'hidden' has neurons" in outcome["study_missing"]
    done(*asked).shows(line, outcome["study_missing"])
    done("cost", *asked[1:5]).shows(f"fits on {chip}: {line}")


def test_figures_of_a_mapping_within_one_tile_can_be_drawn(tmp_path):
    from eventsim.mapping import map_network
    from eventsim.plot.style import look, png
    from eventsim.report.mapping_figures import core_map, link_map

    net = random_net(1)
    mapping = map_network(
        net, es.simulate(net, random_stream()), load_chip("loihi"), method="first_fit"
    )
    with look():
        assert png(core_map(mapping)).startswith(b"\x89PNG")
        assert png(link_map(mapping)).startswith(b"\x89PNG")
    assert json.loads(json.dumps(mapping.to_dict()))["traffic"]["hop_weighted_spikes"] == 0


def test_a_board_is_made_of_several_chips(files):
    net, events, _ = files
    options = ("--method", "population-order", "--neurons-per-core", 1, "--json")
    outcome = done("map", net, events, *options, "--chips", "1x2", "--chip-link", 4, "--no-compare")
    assert outcome.json["chip"] == "loihi 1x2"
    assert outcome.json["title"].endswith(", 1 x 2")
    one = call("map", net, events, *options, "--no-compare")
    assert one.json["chip"] == "loihi"
    assert one.json["mappings"][0]["traffic"]["hops_between_chips"] == 0
