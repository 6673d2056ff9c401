import wave

import numpy as np
import pytest

import eventsim as es
from eventsim import datasets
from eventsim.chips import chip_names
from eventsim.energy import clocked, count
from eventsim.report.numbers import joules
from eventsim.train import save_network
from tests.support.nets import random_net, random_stream
from tests.unit.cli.conftest import call, done, told

COST = ("cost", "--backend", "cpu")
MINE = """
format = "eventsim-chip"
version = 1
name = "mine"
title = "My technology"
kind = "technology"
source = "data sheet"

[energy.synaptic_event]
value = 2.0
unit = "pJ"
status = "measured"
source = "table 3"
"""


@pytest.fixture
def files(tmp_path):
    """A network and events, as files; and both."""
    net, stream = random_net(2, sparse=True, delays="source"), random_stream(3, n_samples=4)
    save_network(tmp_path / "net.npz", net)
    stream.save(tmp_path / "events.npz")
    return tmp_path / "net.npz", tmp_path / "events.npz", net, stream


def test_encoder_of_audio_is_counted_and_stands_beside_the_sum(tmp_path, monkeypatch):
    rng, folder = np.random.default_rng(0), tmp_path / "data" / "fsdd"
    folder.mkdir(parents=True)
    for digit in range(2):
        samples = (8000 * rng.standard_normal(2400)).astype("<i2").tobytes()
        with wave.open(str(folder / f"{digit}_theo_0.wav"), "wb") as file:
            file.setnchannels(1)
            file.setsampwidth(2)
            file.setframerate(8000)
            file.writeframes(samples)
    monkeypatch.setenv("EVENTSIM_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("EVENTSIM_CACHE", str(tmp_path / "cache"))
    es.scsr(64, (4,), 2).save(tmp_path / "net.npz")
    arguments = (tmp_path / "net.npz", "fsdd", "--chip", "45nm", "--chip", "loihi")
    found = told(*COST, *arguments)
    operations = datasets.encoder_operations("fsdd")
    events = found["counts"]["events_in_per_sample"]
    assert found["encoder"]["multiply_adds"] == pytest.approx(0.3 * operations.multiply_adds)
    assert found["encoder"]["additions"] == pytest.approx(0.3 * operations.additions + events)
    arithmetic, loihi = (one["encoder"] for one in found["energy"])
    assert arithmetic["energy_pj_per_sample"] == pytest.approx(
        4.6 * found["encoder"]["multiply_adds"] + 0.9 * found["encoder"]["additions"]
    )
    assert (loihi["terms"], loihi["energy_pj_per_sample"]) == ([], 0)
    done(*COST, *arguments).shows(
        "Encoder that made the input's events",
        "powers and quotients",
        f"encoder, beside the sum: ≥ {joules(arithmetic['energy_pj_per_sample'])}",
        "encoder, beside the sum: not priced",
    )


def test_json_holds_the_counts_and_energies_of_the_library(files):
    net_file, events_file, net, stream = files
    found = told(*COST, net_file, events_file, "--chip", "loihi", "--chip", "45nm")
    tape = es.simulate(net, stream, backend="cpu")
    counts, steps = count(net, tape), clocked(net, tape, step_ms=1.0)
    assert found["counts"] == counts.to_dict()
    assert found["encoder"] is None
    assert found["clocked"] == [steps.to_dict()]
    loihi, arithmetic = found["energy"]
    assert (loihi["chip"], loihi["step_ms"]) == ("loihi", 1.0)
    assert (arithmetic["chip"], arithmetic["step_ms"]) == ("45nm", None)
    events = sum(int(values.sum()) for values in counts.synaptic_events.values())
    assert loihi["terms"][0]["energy_pj_per_sample"] == pytest.approx(23.6 * events / 4)
    assert [dense["cell"] for dense in found["dense"]] == ["rnn", "gru"]


def test_tables_show_terms_with_status_source_and_step(files):
    done(*COST, *files[:2], "--chip", "loihi", "--dt", "0.5").shows(
        "Intel Loihi (loihi), dt = 0.5 ms", "synaptic_event", "23.6 pJ", "simulated",
        "Davies et al. 2018, table 2", "per spike and link, east-west.",
        "effective ACs", "dense GRU on frames",
    )  # fmt: skip


def test_long_sources_are_wrapped_to_the_width_of_the_tables(files):
    lines = call(*COST, *files[:2], "--chip", "loihi").out.splitlines()
    first = next(at for at, line in enumerate(lines) if line.startswith("  7: per chip"))
    assert lines[first + 1].startswith("     ")  # goes on below its first word
    assert "at a supply voltage that is not stated" in lines[first + 1]
    assert max(map(len, lines)) <= 110


def test_a_chip_that_cannot_hold_the_network_is_named_with_the_reason(files, tmp_path):
    limits = "[limits]\ncores = 1\nmesh = [1, 1]\ncores_per_tile = 1\nneurons_per_core = 1\n"
    (tmp_path / "small.toml").write_text(MINE.replace('"technology"', '"chip"') + limits)
    chosen = (*files[:2], "--chip", tmp_path / "small.toml", "--chip", "loihi", "--chip", "45nm")
    found = told(*COST, *chosen)["fits"]
    assert {name: fit["state"] for name, fit in found.items()} == {
        "mine": "does not fit",
        "loihi": "fits",
    }
    done(*COST, *chosen).shows(
        f"does not fit on mine: {found['mine']['reason']}",
        f"fits on loihi: mapping refined, cores in use: {found['loihi']['cores']}",
    )


def test_cores_axons_and_links_of_a_mapping_are_in_every_sum(files, tmp_path):
    limits = "[limits]\ncores = 16\nmesh = [4, 4]\ncores_per_tile = 1\nneurons_per_core = 3\n"
    power = LINK.replace("hop_ew", "static_core").replace('"pJ"', '"uW"')
    axon = LINK.replace("hop_ew", "axon_out")
    text = MINE.replace('"technology"', '"chip"') + limits + LINK + power + axon
    (tmp_path / "mine.toml").write_text(text)
    given = (*files[:2], "--chip", tmp_path / "mine.toml")
    found = told(*COST, *given)
    fit, energy = found["fits"]["mine"], found["energy"][0]
    terms = {one["name"]: one["energy_pj_per_sample"] for one in energy["terms"]}
    mapped = told("map", *given, "--backend", "cpu")["mappings"][0]
    assert (fit["method"], fit["cores"]) == ("refined", mapped["cores_used"])
    assert fit["cores"] > 1
    milliseconds = found["counts"]["milliseconds_per_sample"]
    assert terms["static_core"] == pytest.approx(2000.0 * fit["cores"] * milliseconds)
    links = mapped["link_energy"]["energy_pj"] / found["recordings"]
    assert terms["hop_ew"] == pytest.approx(links)
    assert min(terms["hop_ew"], terms["axon_out"]) > 0.0
    assert {"static_core", "hop_ew", "axon_out"}.isdisjoint(x["name"] for x in energy["missing"])
    whole = {"mine": pytest.approx(energy["energy_pj_per_sample"])}
    for onto in ((), ("--map", tmp_path / "mine.toml")):
        reported = told("report", *given, *onto, "--backend", "cpu")
        assert reported["energy_pj_per_recording"] == whole
        assert reported["fits"]["mine"] == fit
        assert "fits on mine: mapping refined" in (tmp_path / "report.html").read_text()


def test_every_chip_at_once_and_a_file_beside_them(files, tmp_path):
    (tmp_path / "mine.toml").write_text(MINE)
    outcome = done(*COST, *files[:2], "--chip", "all", "--chip", tmp_path / "mine.toml")
    assert all(f"({name})" in outcome.out for name in (*chip_names(), "mine"))
    assert "no figures" in outcome.out


def test_weight_bits_shrink_the_memory(files):
    whole, byte = (
        told(*COST, *files[:2], "--weight-bits", bits)["counts"]["footprint_bytes"]
        for bits in (32, 8)
    )
    assert byte["weights"] == whole["weights"] / 4
    assert byte["states"] == whole["states"]
    rounded = told(*COST, *files[:2], "--bits", 8)["counts"]["footprint_bytes"]
    assert rounded == byte


@pytest.mark.parametrize("suffix", ["png", "svg"])
def test_figure_is_drawn(files, tmp_path, suffix):
    path = tmp_path / f"energy.{suffix}"
    done(*COST, *files[:2], "--chip", "all", "--figure", path).shows(f"Picture: {path}")
    content = path.read_bytes()
    assert content.startswith(b"\x89PNG" if suffix == "png" else b"<?xml")
    assert len(content) > 10_000


def test_file_of_the_users_own_is_a_chip(files, tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text(MINE)
    found = told(*COST, *files[:2], "--chip", path)["energy"][0]
    assert found["title"] == "My technology"
    assert found["terms"][0]["figure"] == 2.0


LINK = """
[energy.hop_ew]
value = 2.0
unit = "pJ"
status = "simulated"
source = "table 4"
"""


def test_a_chip_of_two_terms_names_every_other_term_and_marks_every_sum(files, tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text(MINE + LINK)
    shown = call(*COST, *files[:2], "--chip", path).out
    found = told(*COST, *files[:2], "--chip", path)
    report, names = found["energy"][0], {}
    for one in report["missing"]:
        names[one["name"]] = one["reason"]
        assert f"not in the sum: {one['name']} ({one['what']}" in " ".join(shown.split())
    assert names["hop_ew"] == "needs a mapping of neurons to cores"
    assert names["hop_ns"] == "no figure in the chip's file"
    assert report["lower_bound"]["energy_pj_per_sample"]
    total = joules(report["energy_pj_per_sample"])
    assert shown.count(f"≥ {total}") == 2  # below its terms, and beside the other machines
    for dense in found["dense"]:
        assert dense["lower_bound"]["energy_pj_per_sample"]
        assert f"≥ {joules(dense['energy_pj_per_sample'])}" in shown
        assert f"not in the sum of the dense {dense['cell'].upper()}: bias_additions" in shown


def test_energies_are_written_with_their_unit():
    written = [joules(10.0**k) for k in (0, 3, 6, 9, 12)]
    assert written == ["1 pJ", "1 nJ", "1 µJ", "1 mJ", "1 J"]
    assert joules(0.0) == "0 pJ"
    assert joules(float(np.float64(23600))) == "23.6 nJ"


def test_what_the_network_takes_as_c_is_told_or_why_it_cannot_be(files):
    net, events, network, _ = files
    done(*COST, net, events).shows(
        "As C, by eventsim export --to c: cannot be. export_c: the network has no answer, and the"
    )
    network.set_answer(es.Answer())
    save_network(net, network)
    outcome = told(*COST, net, events)
    assert outcome["as_c"]["ram"] > outcome["as_c"]["flash"] / 100 > 0
    assert outcome["as_c"]["rooms"].keys() == {"hidden1", "hidden2", "output"}
