import numpy as np
import pytest

import eventsim as es
from eventsim.embedded.web import ENGINE
from eventsim.network.nir import read_nir
from eventsim.train import load_network, save_network
from tests.support.nets import one_layer
from tests.unit.cli.conftest import call

nir = pytest.importorskip("nir", minversion="1.0.8")


@pytest.fixture
def network(tmp_path):
    """File of a network without refractory times."""
    net = es.scsr(8, (10,), 3, refractory=0.0)
    net.projections["input->hidden1"].weights[:] += 2.0
    save_network(tmp_path / "net.npz", net)
    return tmp_path / "net.npz"


def test_export_writes_a_file_and_checks_it(network):
    outcome = call("export", network, "--out", "net.nir")
    assert outcome.code == 0, outcome.err
    assert "Round trip passed." in outcome.out
    assert "identical" in outcome.out
    assert list(read_nir("net.nir").projections) == list(load_network(network).projections)


def test_export_of_a_run_for_a_program_names_what_it_loses(finished, tmp_path):
    data, run, _ = finished
    refused = call("export", run, "--target", "norse", "--out", tmp_path / "run.nir")
    assert refused.code == 2
    assert "refractory times" in refused.err
    assert not (tmp_path / "run.nir").exists()
    outcome = call(
        *("export", run, "--target", "norse", "--dt", 0.5, "--lossy", "--events", data, "--json"),
        *("--samples", 2, "--out", tmp_path / "run.nir"),
    )
    assert outcome.code == 0, outcome.err
    assert "warning: to_nir: NIR has no word" in outcome.err
    assert outcome.json["check"]["passed"]
    assert "2 x" in outcome.json["check"]["events"]
    graph = nir.read(tmp_path / "run.nir")
    assert graph.metadata["eventsim_target"] == "norse"
    assert graph.metadata["eventsim_dt"] == pytest.approx(5e-4)


def test_import_gives_back_the_network(network):
    assert call("export", network, "--out", "net.nir").code == 0
    outcome = call("import", "net.nir", "--out", "back.npz")
    assert outcome.code == 0, outcome.err
    assert "hidden1" in outcome.out
    assert "Round trip passed." in outcome.out
    mine, theirs = load_network("back.npz").parameters(), load_network(network).parameters()
    assert all(np.array_equal(mine[key], theirs[key]) for key in theirs)


def test_import_of_what_cannot_be_is_one_message(tmp_path):
    lif = nir.LIF(tau=np.ones(2), r=np.ones(2), v_leak=np.ones(2), v_threshold=np.ones(2))
    nir.write(tmp_path / "lif.nir", nir.NIRGraph.from_list(nir.Linear(np.eye(2)), lif))
    outcome = call("import", tmp_path / "lif.nir", "--out", "net.npz")
    assert outcome.code == 2
    assert "without a synaptic current" in outcome.err
    assert "Traceback" not in outcome.err


def test_silent_networks_are_told(tmp_path):
    net = one_layer("hidden", np.full((1, 1), 1e-3))
    save_network(tmp_path / "net.npz", net)
    outcome = call("export", tmp_path / "net.npz", "--out", "net.nir")
    assert outcome.code == 0
    assert "No neuron fired" in outcome.out


def test_export_of_a_run_as_c_or_page_writes_its_files_and_says_what_they_take(finished, tmp_path):
    data, run, _ = finished
    folder = tmp_path / "c"
    outcome = call(*("export", run, "--to", "c", "--events", data, "--name", "digits"),
                   *("--samples", 3, "--out", folder, "--json"))  # fmt: skip
    assert outcome.code == 0, outcome.err
    assert outcome.json["recordings"] == 3
    assert outcome.json["rooms"].keys() == {"hidden1", "output"}
    assert outcome.json["waited"] == 3
    cost = call("cost", run, data, "--samples", 3, "--json").json["as_c"]
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
    refused = call("export", run, "--to", "web", "--name", "digits", "--out", folder)
    assert "--to web: does not take --name, only C does" in refused.err
    refused = call("export", run, "--to", "c", "--target", "norse", "--lossy", "--out", folder)
    assert refused.code == 2
    assert "does not take --target, --lossy" in refused.err
