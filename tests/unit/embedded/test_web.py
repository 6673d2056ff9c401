"""The engine of pages against backend cpu, to the bit."""

import os
from pathlib import Path

import numpy as np
import pytest

import eventsim as es
from eventsim.datasets.audio import read_audio
from eventsim.datasets.encoders import CochleaEncoder, LiveCochlea
from eventsim.embedded import wasm
from eventsim.embedded.web import ENGINE, web_network
from eventsim.errors import BackendError
from tests.support.embedded import assert_as_cpu
from tests.unit.embedded.test_c import KINDS, QUICK, recordings

pytest.importorskip("wasmtime", reason="the engine of pages runs in wasmtime: the extra dev has it")
from tests.support.web import Engine

pytestmark = pytest.mark.skipif(
    not ENGINE.is_file(), reason="no engine of pages: python eventsim/embedded/wasm.py makes it"
)


def run_all(net, stream, **options):
    """What the engine gives for every recording, and the network in it."""
    found = web_network(net, stream, **options)
    engine = Engine(found)
    assert engine.status == 0
    return found, [engine.run(stream, sample) for sample in range(stream.n_samples)]


def assert_same(net, stream, found, runs):
    """As :func:`assert_as_cpu`; the answers that the page knows of are these, too."""
    assert [run.answer for run in runs] == list(found.answers)
    return assert_as_cpu(net, stream, found.populations, runs)


@pytest.mark.parametrize(
    "kind",
    [
        *(pytest.param(kind) for kind in QUICK),
        *(
            pytest.param(kind, marks=pytest.mark.thorough("more kinds of networks"))
            for kind in KINDS
            if kind not in QUICK
        ),
    ],
)
def test_one_engine_runs_every_kind_of_network_with_the_bits_of_cpu(kind):
    net = KINDS[kind](1)
    stream = recordings(1, n_channels=net.input.size)
    assert assert_same(net, stream, *run_all(net, stream)) > 500


@pytest.mark.nightly("78 networks; one of each kind is in make test-all")
@pytest.mark.parametrize("seed", range(10, 16))
@pytest.mark.parametrize("kind", list(KINDS))
def test_random_networks_have_the_bits_of_cpu(kind, seed):
    net = KINDS[kind](seed)
    stream = recordings(seed, n_channels=net.input.size, rounded=(1, 2, 6)[seed % 3])
    assert_same(net, stream, *run_all(net, stream))


def test_weights_of_four_bits_answer_as_the_rounded_network():
    net = KINDS["stretches, delays of sources"](2)
    stream = recordings(2, n_channels=net.input.size)
    found, runs = run_all(net, stream, bits=4)
    assert_same(es.mapping.quantise(net, 4).net, stream, found, runs)
    assert len(found.image) < len(web_network(net, stream).image) - 1000


@pytest.mark.parametrize(
    "kind",
    ["windows", "blocks, decision", "first spikes", "linear, side by side", "linear, loop"],
)
def test_a_preview_answers_as_a_recording_that_ends_there_and_changes_nothing(kind):
    net = KINDS[kind](3)
    stream = recordings(3, n_channels=net.input.size)
    times, channels = stream[:1].times, stream[:1].channels
    cut = times <= 80.0
    short = es.EventStream.from_samples(
        [(times[cut], channels[cut])], n_channels=net.input.size, duration=80.0
    )
    expected = es.predict(net, short, backend="cpu")
    found = web_network(net, stream)
    engine, plain = Engine(found), Engine(found)
    run = engine.run(stream, 0, preview=80.0)
    scale = np.abs(expected.scores).max() + 1.0
    np.testing.assert_allclose(run.preview, expected.scores[0], rtol=0.0, atol=2e-5 * scale)
    np.testing.assert_array_equal(np.sort(run.times), np.sort(plain.run(stream, 0).times))


def test_events_that_are_wrong_or_too_many_are_told_and_not_taken():
    net = KINDS["stretches, delays of sources"](1)
    engine = Engine(web_network(net, recordings(1, n_channels=net.input.size)))
    assert engine.call("push", 2.0, 1) == 0
    assert engine.call("push", 1.0, 1) == 3, "late"
    assert engine.call("push", 2.0, 5) == 4, "no such channel"
    assert engine.call("push", float("nan"), 1) == 4
    assert [engine.call("push", 2.0, 1) for _ in range(2000)][-1] == 2, "full"


def sweep(rate, seed, seconds=0.4):
    """Silence, then a sweep that grows beneath noise."""
    rng, t = np.random.default_rng(seed), np.arange(round(seconds * rate)) / rate
    tone = np.sin(2 * np.pi * (200 + 3000 * t) * t) * np.minimum(t / 0.1, 1.0)
    return np.where(t < 0.02, 0.0, 0.3 * tone + 0.02 * rng.standard_normal(t.size))


@pytest.fixture(scope="module")
def ear():
    return Engine(web_network(KINDS["queue"](1), recordings(1)))


@pytest.mark.parametrize(
    ("options", "rate"),
    [
        ({}, 8000),
        ({"mismatch": 0.4, "emphasis": 0.9, "inhibition_width": 5}, 22050),
        ({"n_channels": 6, "refractory": 0.0, "level_min": 0.08, "filter_order": 3}, 44100),
        ({"n_channels": 20, "frequency_max": 6500.0, "compression": 1.0, "floor": 0.02}, 11025),
    ],
)
def test_the_cochlea_of_the_engine_finds_the_events_of_python_to_the_bit(ear, options, rate):
    cochlea, clip = LiveCochlea(CochleaEncoder(**options), rate), sweep(rate, seed=1)
    wanted = cochlea(clip)
    assert wanted[0].size > 50
    for found, expected in zip(ear.hear(cochlea.coefficients(), clip, 9), wanted, strict=True):
        np.testing.assert_array_equal(found, expected)


@pytest.mark.skipif("EVENTSIM_DATA" not in os.environ, reason="EVENTSIM_DATA has no fsdd")
def test_the_cochlea_of_the_engine_hears_recorded_digits_as_python_to_the_bit(ear):
    files = sorted(Path(os.environ["EVENTSIM_DATA"], "fsdd").rglob("*.wav"))[::400]
    for file in files or pytest.skip("EVENTSIM_DATA has no fsdd"):
        rate, clip = read_audio(file.read_bytes(), file.name)
        cochlea = LiveCochlea(CochleaEncoder(), rate)
        wanted = cochlea(clip)
        found = ear.hear(cochlea.coefficients(), clip / 32768.0, 3)
        assert wanted[0].size > 50
        np.testing.assert_array_equal(found, np.array(wanted))


def test_events_of_a_cochlea_that_are_too_many_are_told(ear):
    cochlea = LiveCochlea(CochleaEncoder(n_channels=2, refractory=0.0, gain=1e9), 8000)
    with pytest.raises(AssertionError, match="2"):
        ear.hear(cochlea.coefficients(), sweep(8000, seed=1), 1)


def test_an_engine_of_other_sources_or_none_is_refused_in_words(monkeypatch, tmp_path):
    net, stream = KINDS["queue"](1), recordings(1)
    monkeypatch.setattr("eventsim.embedded.web.ENGINE", tmp_path / "engine.wasm")
    with pytest.raises(BackendError, match="built without its engine.*pip install ziglang"):
        web_network(net, stream)
    (tmp_path / "engine.wasm").write_bytes(ENGINE.read_bytes()[:-1] + b"x")
    with pytest.raises(BackendError, match=r"of other sources.*eventsim/embedded/wasm\.py"):
        web_network(net, stream)


@pytest.mark.thorough("compiles the engine")
@pytest.mark.skipif(wasm.find_compiler() is None, reason="nothing here compiles for WebAssembly")
def test_the_engine_is_compiled_to_the_same_file_again(tmp_path):
    built, new = wasm.build(tmp_path)
    assert new
    assert built.read_bytes() == ENGINE.read_bytes()
    assert wasm.build(tmp_path) == (built, False)
