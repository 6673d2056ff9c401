"""The engine of pages against backend cpu, to the bit."""

import numpy as np
import pytest

import eventsim as es
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


@pytest.mark.parametrize("kind", ["windows", "blocks, decision", "first spikes"])
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
