import re
from dataclasses import replace

import numpy as np
import pytest

from eventsim.chips import ENERGY_TERMS
from eventsim.network import scsr
from eventsim.report.energy_figures import _LOOK
from eventsim.report.numbers import duration, general, joules, memory, percent
from eventsim.report.record import Checked, RunRecord
from eventsim.report.write import write_report
from eventsim.train import TrainConfig, evaluate, train
from tests.unit.report.pages import check_page
from tests.unit.train.task import small_net, two_patterns

PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"


@pytest.fixture(scope="module")
def folder(record, tmp_path_factory):
    folder = tmp_path_factory.mktemp("report") / "new"
    assert write_report(folder, record) == folder / "index.html"
    return folder


def test_pictures_are_whole_png_files(folder):
    names = {"learning", "raster", "taus", "neurons", "confusion", "rates"}
    assert {path.stem for path in folder.glob("*.png")} == names
    for path in folder.glob("*.png"):
        content = path.read_bytes()
        assert content.startswith(PNG_SIGNATURE)
        assert b"IEND" in content[-12:]
        width, height = (int.from_bytes(content[k : k + 4], "big") for k in (16, 20))
        assert width > 300
        assert height > 250


def test_page_names_the_numbers(folder, record):
    page = (folder / "index.html").read_text()
    last = record.last.evaluation
    for text in (
        f"{100 * last.accuracy:.1f} %",
        f"{last.loss:.4f}",
        f"{record.mean_rate:.1f}",
        f"{record.synaptic_events:,.0f}",
        f"{record.n_parameters:,}",
        "50.0 %",
        "last epoch (2)",
        "validation chose",
        "eventsim train two --seed 0",
        "eventsim 9.8.7",
        "&quot;batch_size&quot;: 8",
        "Poisson patterns.",
    ):
        assert text in page
    assert "Two &lt;patterns&gt;" in page
    assert "Two <patterns>" not in page


def test_page_loads_nothing_from_elsewhere(folder):
    page = (folder / "index.html").read_text()
    sources = re.findall(r'src="([^"]{0,40})', page)
    assert len(sources) == 6
    assert all(source.startswith("data:image/png;base64,") for source in sources)
    found = check_page(page)
    assert found.ids == ["trained", "training", "sparsity"]
    assert "Not made yet: eventsim report" in found.text


def test_no_temporary_file_remains(folder):
    assert not list(folder.glob(".*"))


def test_trained_parameters_are_weights_and_neuron_parameters_that_learn(record):
    # weights 6 * 8 + 8 + 8 * 2; six parameters of 8 neurons and four of 2 readouts
    assert record.n_weights == 72
    assert record.n_parameters == 72 + 6 * 8 + 4 * 2


@pytest.mark.thorough("draws whole reports; commands write them of every kind of run")
@pytest.mark.parametrize("setting", [{"bip": ()}, {"loss": "first_spike"}], ids=str)
def test_run_without_bip_or_with_a_spiking_output_has_a_report(tmp_path, setting):
    config = TrainConfig(
        epochs=1,
        batch_size=8,
        validation_fraction=0.0,
        backend="cpu",
        precision="double",
        **setting,
    )
    spiking = config.loss.kind == "first_spike"
    net = scsr(6, (6,), 2, output="spiking", tau_syn=10.0) if spiking else small_net()
    data = two_patterns(8)
    result = train(net, data, config, tmp_path / "run")
    record = RunRecord(
        title="plain",
        net_before=net,
        net_after=result.net,
        test=data,
        last=Checked(1, evaluate(result.net, data, config)),
        config=config,
        history=result.history,
    )
    page = write_report(tmp_path / "report", record).read_text()
    assert "validation chose" not in page
    assert ("They were not trained in this run." in page) != spiking
    assert (tmp_path / "report" / "neurons.png").exists() == spiking


def test_silent_network_with_more_outputs_than_classes_has_a_report(record, tmp_path):
    net = scsr(6, (4,), 3, mean=0.0, spread=0.0, self_recurrent=False)
    found = evaluate(net, record.test, record.config)
    silent = replace(record, net_before=net, net_after=net, last=Checked(2, found), selected=None)
    assert found.confusion.shape == (2, 3)
    assert np.all(found.rates["hidden1"] == 0.0)
    assert write_report(tmp_path, silent).exists()


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (percent(0.0625), "6.2 %"),
        (duration(299.94), "299.9 s"),
        (duration(300.0), "5 min"),
        (duration(7190.0), "2.0 h"),
        (joules(999.0), "999 pJ"),
        (joules(2.5e3), "2.5 nJ"),
        (joules(2.5e6), "2.5 µJ"),
        (joules(2.5e9, at_least=True), "≥ 2.5 mJ"),
        (joules(2.5e12), "2.5 J"),
        (memory(1023.0), "1,023 B"),
        (memory(1536.0), "1.5 KiB"),
        (memory(5 * 2**19), "2.5 MiB"),
        (general(12345), "12,345"),
        (general(12345.6), "12,346"),
        (general(0.123456), "0.1235"),
    ],
)
def test_number_is_written_with_its_unit(found, expected):
    assert found == expected


def test_every_term_but_leakage_has_a_look_in_the_figure():
    drawn = {name for name, term in ENERGY_TERMS.items() if term.needs != "time"}
    assert set(_LOOK) == drawn
    assert len(set(_LOOK.values())) == len(_LOOK)
