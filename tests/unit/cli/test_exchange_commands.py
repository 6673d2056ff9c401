import numpy as np
import pytest

import eventsim as es
from eventsim.embedded.web import ENGINE
from eventsim.network.nir import read_nir
from eventsim.train import load_network, save_network
from tests.support.nets import one_layer
from tests.unit.cli.conftest import call, done, refused, told
from tests.unit.train.task import assert_same_net

nir = pytest.importorskip("nir", minversion="1.0.8")


@pytest.fixture
def network(tmp_path):
    """File of a network without refractory times."""
    net = es.scsr(8, (10,), 3, refractory=0.0)
    net.projections["input->hidden1"].weights[:] += 2.0
    save_network(tmp_path / "net.npz", net)
    return tmp_path / "net.npz"


def test_export_writes_a_file_and_checks_it(network):
    done("export", network, "--out", "net.nir").shows("Round trip passed.", "identical")
    assert list(read_nir("net.nir").projections) == list(load_network(network).projections)


def test_export_of_a_run_for_a_program_names_what_it_loses(finished, tmp_path):
    data, run, _ = finished
    outcome = done(
        *("export", run, "--target", "norse", "--dt", 0.5, "--lossy", "--events", data, "--json"),
        *("--samples", 2, "--out", tmp_path / "run.nir"),
    ).says("warning: to_nir: NIR has no word")
    assert outcome.json["check"]["passed"]
    assert "2 x" in outcome.json["check"]["events"]
    graph = nir.read(tmp_path / "run.nir")
    assert graph.metadata["eventsim_target"] == "norse"
    assert graph.metadata["eventsim_dt"] == pytest.approx(5e-4)


def test_what_only_eventsim_reads_is_not_taken_for_the_other_program(network):
    net = load_network(network)
    net.population("hidden1").refractory[:] = 3.0
    save_network(network, net)
    given = ("export", network, "--target", "norse", "--lossy", "--out", "net.nir")
    done(*given).shows("in norse", "Round trip passed in eventsim, which reads its own metadata.")
    check = done(*given, "--json").json["check"]
    here, there = check["populations"]["hidden1"], check["elsewhere"]["hidden1"]
    assert here["spikes_after"] == here["spikes"] == there["spikes"] < there["spikes_after"]
    assert not check["kept"]


def test_import_gives_back_the_network(network):
    done("export", network, "--out", "net.nir")
    done("import", "net.nir", "--out", "back.npz").shows("hidden1")
    assert_same_net(load_network("back.npz"), load_network(network))


def test_import_of_what_cannot_be_is_one_message(tmp_path):
    lif = nir.LIF(tau=np.ones(2), r=np.ones(2), v_leak=np.ones(2), v_threshold=np.ones(2))
    nir.write(tmp_path / "lif.nir", nir.NIRGraph.from_list(nir.Linear(np.eye(2)), lif))
    refused("import", tmp_path / "lif.nir", "--out", "net.npz").says("without a synaptic current")


def test_import_asks_how_long_a_step_was_and_says_what_follows(tmp_path):
    one = np.ones(2)
    cuba = nir.CubaLIF(tau_mem=2e-3 * one, tau_syn=5e-4 * one, r=20.0 * one, v_leak=0.0 * one,
                       v_threshold=one, w_in=5.0 * one)  # fmt: skip
    nir.write(tmp_path / "theirs.nir", nir.NIRGraph.from_list(nir.Linear(np.eye(2)), cuba))
    given = ("import", tmp_path / "theirs.nir", "--source", "snntorch", "--out", "net.npz")
    refused(*given).says("snnTorch do not say how long a step", "--dt 1")
    done(*given, "--dt", 1).shows("A step of snntorch lasted 1 ms, as --dt says")
    (population,) = done(*given, "--dt", 1, "--json").json["populations"][1:]
    assert population["tau_mem"] == pytest.approx([20.0, 20.0])
    assert population["tau_syn"] == pytest.approx([5.0, 5.0])


def test_silent_networks_are_told(tmp_path):
    net = one_layer("hidden", np.full((1, 1), 1e-3))
    save_network(tmp_path / "net.npz", net)
    done("export", tmp_path / "net.npz", "--out", "net.nir").shows("No neuron fired")


def test_export_of_a_run_as_c_or_page_writes_its_files_and_says_what_they_take(finished, tmp_path):
    data, run, _ = finished
    folder = tmp_path / "c"
    outcome = done(*("export", run, "--to", "c", "--events", data, "--name", "digits"),
                   *("--samples", 3, "--out", folder, "--json"))  # fmt: skip
    assert outcome.json["recordings"] == 3
    assert outcome.json["rooms"].keys() == {"hidden1", "output"}
    assert outcome.json["waited"] == 3
    cost = told("cost", run, data, "--samples", 3)["as_c"]
    assert all(outcome.json[name] == value for name, value in cost.items() if name != "missing")
    assert outcome.json["ram"] > 0 < outcome.json["flash"]
    assert all((folder / file).is_file() for file in outcome.json["files"])
    page = call(*("export", run, "--to", "web", "--events", data, "--samples", 3, "--out", folder),
                "--json")  # fmt: skip
    if ENGINE.is_file():
        assert page.code == 0, page.err
        assert page.json["file"] == str(folder / "index.html")
        assert page.json["recordings"] == 3
    else:
        assert "python eventsim/embedded/wasm.py" in page.err
