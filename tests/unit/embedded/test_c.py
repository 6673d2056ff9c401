"""The network as C against backend cpu, to the bit."""

import subprocess
from ctypes import c_double
from pathlib import Path

import numpy as np
import pytest

import eventsim as es
from tests.support.embedded import Compiled, assert_same
from tests.support.nets import random_net

HERE, ROOT = Path(__file__).parent, Path(__file__).parents[3]


def recordings(seed, *, n_channels=5, duration=150.0, rounded=1):
    """Two recordings in which some events are simultaneous."""
    rng, parts = np.random.default_rng(seed), []
    for n in rng.integers(60, 250, 2):
        times = np.round(np.sort(rng.uniform(0.0, duration, n)), rounded)
        parts.append((times, rng.integers(0, n_channels, n)))
    return es.EventStream.from_samples(parts, n_channels=n_channels, duration=duration)


def layered(seed, *, rule="integral", **options):
    """A random network with skips and refractory times that answers by ``rule``."""
    net = random_net(seed, hidden=(6, 33), self_delays="none", **options)
    net.set_answer(es.Answer(rule=rule))
    return net


KINDS = {
    "delays of sources": {"delays": "source"},
    "neurons that fire by themselves": {"delays": "scalar", "pacemakers": True},
    "equal time constants": {"delays": "none", "tau_ratio": 1.0, "rule": "last"},
}


@pytest.mark.parametrize("kind", list(KINDS))
def test_spikes_and_answers_of_the_c_text_are_those_of_cpu_to_the_bit(kind, tmp_path):
    assert assert_same(layered(1, **KINDS[kind]), recordings(1), tmp_path) > 3000


def test_formulas_of_the_c_text_have_the_bits_of_the_headers(tmp_path):
    flags = ["-std=c++17", "-O1", "-ffp-contract=off", "-fno-math-errno"]
    built = tmp_path / "twin"
    subprocess.run(["g++", *flags, f"-I{ROOT}", HERE / "twin.cpp", "-o", built], check=True)
    done = subprocess.run([built], capture_output=True, text=True)
    assert done.stdout.startswith("0 of "), done.stdout


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """A small network as C, and its folder."""
    folder = tmp_path_factory.mktemp("exported")
    net = es.scsr(5, (12,), 3, mean=6.0, self_recurrent=True)
    net.set_answer(es.Answer(class_names=("a", "b", "c")))
    return folder, es.export_c(net, folder, stream=recordings(3), name="small")


def test_its_own_test_passes_by_make(exported):
    folder, written = exported
    done = subprocess.run(["make", "-s", "-C", folder, "test"], capture_output=True, text=True)
    assert f"2 recordings, {written.spikes} spikes: equal to the bit." in done.stdout, done
    assert f"RAM {written.ram} bytes" in done.stdout
    assert set(written.files) <= {str(p.relative_to(folder)) for p in folder.rglob("*")}


def test_a_build_that_changes_numbers_is_refused_or_equal(exported):
    folder, _ = exported
    assert Compiled(folder, "small", "-O1 -ffast-math").library.drive_init() == 5
    contracted = Compiled(folder, "small", "-O1 -mfma -ffp-contract=fast").library.drive_init()
    assert contracted in (0, 5)


def test_wrong_events_are_told_and_not_taken(exported):
    small = Compiled(exported[0], "small").library
    assert small.drive_init() == 0
    assert small.drive_push(c_double(2.0), 1) == 0
    assert small.drive_push(c_double(1.0), 1) == 3, "late"
    assert small.drive_push(c_double(2.0), 5) == 4, "no such channel"
    assert small.drive_push(c_double(float("nan")), 1) == 4
    assert [small.drive_push(c_double(2.0), 1) for _ in range(200)][-1] == 2, "full"
    assert small.drive_push(c_double(3.0), 1) == 2
    small.drive_reset()
    assert small.drive_push(c_double(1.0), 1) == 0


def test_what_c_cannot_do_is_refused_by_name():
    net = es.rsnn(5, (6,), 3)
    net.set_answer(es.Answer(class_names=("a", "b", "c")))
    with pytest.raises(es.errors.NetworkError, match="population 'hidden1' with .* loop"):
        es.export_c(net, "nowhere", stream=recordings(1))
    with pytest.raises(es.errors.ParameterError, match="name is 'A-b'"):
        es.export_c(net, "nowhere", stream=recordings(1), name="A-b")
