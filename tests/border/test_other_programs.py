"""The lines of "Run it there" give our answers, in the programs themselves where they are there."""

import numpy as np
import pytest

import eventsim as es
from eventsim.network.nir import write_nir
from tests.border.prose import ROOT, blocks
from tests.support.nets import random_stream

(PAGE,) = (ROOT / "docs").rglob("other_programs.md")
STEP = 0.1  # ms, as the page says


@pytest.mark.filterwarnings("ignore")  # of the programs
@pytest.mark.parametrize("program", ["norse", "snntorch"])
def test_lines_of_the_page_read_our_answers_in_the_program(program, tmp_path, monkeypatch):
    (lines,) = (b.text for b in blocks(PAGE) if f'nir.read("{program}.nir")' in b.text)
    pytest.importorskip("nir", minversion="1.0.8")
    pytest.importorskip(program, reason=f"the program itself: pip install {program}")
    torch = pytest.importorskip("torch")
    stream = random_stream(8, n_samples=24, even=True)
    net = network(stream)
    write_nir(net, tmp_path / f"{program}.nir", target=program, dt=STEP)
    monkeypatch.chdir(tmp_path)
    there = {"frames": torch.from_numpy(in_steps(stream))}
    exec(lines, there)
    exact = integrals(net, stream)
    assert np.unique(exact.argmax(1)).size == 3
    assert np.mean(there["answers"].numpy() == exact.argmax(1)) > 0.9
    assert np.abs(there["scores"].numpy() - exact).max() < 0.15 * np.ptp(exact)


def network(stream):
    """Three classes of about equal scores, by the leaks of the readout: without them one wins."""
    rng = np.random.default_rng(3)
    net = es.Network()
    net.add_input("input", 5)
    net.add_population("hidden", 20, tau_mem=rng.uniform(8.0, 20.0, 20), tau_syn=5.0)
    net.add_readout("output", 3, tau_mem=20.0, tau_syn=5.0)
    net.connect("input", "hidden", rng.normal(1.0, 1.0, (5, 20)))
    net.connect("hidden", "hidden", es.self_recurrent(rng.uniform(-0.6, 0.3, 20)))
    net.connect("hidden", "output", rng.normal(0.0, 0.4, (20, 3)))
    leak = integrals(net, stream).mean(axis=0) / (300.0 * -np.expm1(-100.0 / 300.0))
    net.population("output").v_leak[:] = -leak
    return net


def integrals(net, stream):
    """Scores of our answers, [samples, classes]."""
    return es.readout_integral(net, es.simulate(net, stream), "output", time_constant=300.0)


def in_steps(stream):
    """Events in every step, [steps, samples, channels]."""
    sample = np.repeat(np.arange(stream.n_samples), np.diff(stream.offsets))
    count = round(stream.duration.max() / STEP)
    frames = np.zeros((count, stream.n_samples, stream.n_channels), np.float32)
    step = np.minimum((stream.times / STEP).astype(int), count - 1)
    np.add.at(frames, (step, sample, stream.channels), 1.0)
    return frames
