"""The library of compiled kernels: both sides agree, every level gives the same bits, errors."""

import ctypes
import os
import platform
import re
import sys
from pathlib import Path

import numpy as np
import numpy.linalg._umath_linalg as other
import pytest

import eventsim as es
from eventsim.compiled import calls, roles
from eventsim.compiled import library as loader
from eventsim.compiled.library import LEVELS, Library, library, library_file
from eventsim.errors import BackendError, InternalError, ParameterError
from eventsim.kernels import build
from tests.support.losses import SpikeTimes
from tests.support.nets import random_net, random_stream

RUNS = Library(library_file()).runs
HERE = [
    pytest.param(level, marks=[] if level in RUNS else pytest.mark.skip(f"no {level} here"))
    for level in LEVELS
]


@pytest.fixture
def call():
    """A layer of three neurons and two samples that fires, and the arrays that it writes."""
    events = roles.EventsRole(
        offsets=np.array([0, 3, 5]),
        times=np.array([1.0, 2.0, 3.0, 1.5, 4.0]),
        rows=np.array([0, 1, 0, 1, 0], np.int32),
        duration=np.full(2, 20.0),
        heard=np.ones((1, 2), bool),
        skip=np.zeros((2, 1), np.int64),
        met=np.zeros((2, 1), np.int64),
    )
    values = np.zeros((1, 3, 16))
    values[0, :2, :3] = [[3.0, 5.0, 7.0], [2.0, 4.0, 9.0]]
    size, fastest = 3, 0.2
    par = np.zeros((10, size))  # slow, gap, membrane rate, level, alert level, peak gain, ..
    for row, value in enumerate([0.1, 0.1, 0.1, 1.0, 0.999, 0.25, 0.2, 0.0, 0.0, 1.0]):
        par[row] = value

    def standing():
        return roles.StandingRole(
            *np.zeros((3, 2, size)), until=np.full((2, size), -1.0), a=None, last=None
        )

    spikes = roles.SpikesRole(
        np.zeros(200), np.zeros(200, np.int32), np.zeros(200), np.zeros(200),
        starts=np.array([0, 100]), limits=np.full(2, 100), counts=np.zeros(2, np.int64),
        reached=np.zeros(2),
    )  # fmt: skip
    neurons = roles.NeuronsRole(par, np.zeros(size), None, None, size, fastest)
    return roles.DenseForward(
        roles.TasksRole(np.array([0, 1]), 2, 1), events, roles.WeightsRole(values, 3, 16), neurons,
        standing(), standing(), spikes,
    )  # fmt: skip


def test_a_call_through_the_library_fires(call):
    library().run(call, np.float64)
    assert (call.spikes.counts > 0).all()
    assert (np.diff(call.spikes.time[: call.spikes.counts[0]]) >= 0.0).all()


def test_structs_of_both_sides_agree_and_one_that_does_not_is_told(monkeypatch):
    Library(library_file())
    monkeypatch.setattr(
        loader, "layout", lambda: calls.layout().replace("Spikes time", "Spikes at")
    )
    with pytest.raises(BackendError, match=r"expected 'Spikes at .*', it has 'Spikes time .*Build"):
        Library(library_file())


def test_what_is_declared_is_written_for_both_sides():
    text = build.declarations().read_text("utf-8")
    for struct in (*calls.ROLES, *calls.CALLS):
        (found,) = re.findall(rf"struct {struct.__name__.removesuffix('Role')} {{(.*)}};", text)
        assert re.findall(r"(\w+);", found) == list(struct._fields)
    assert "struct Standing { double* time; R* v; R* j; double* until;" in text  # some call writes
    assert "struct Sources { const int64_t* first; const double* const* time;" in text
    entries = calls.entries_of(roles.DenseForward)
    assert [entry.at for entry in entries] == list(range(0, 8 * len(entries), 8))


def test_library_that_is_missing_says_how_to_build_it(tmp_path):
    with pytest.raises(BackendError, match=r"not built, .*none\.so is missing\. Build it: python "):
        Library(tmp_path / "none.so")


def test_library_that_is_missing_from_an_installation_says_to_install(tmp_path, monkeypatch):
    monkeypatch.setattr(loader, "_is_checkout", lambda: False)
    with pytest.raises(BackendError, match="Install eventsim again: python -m pip install"):
        Library(tmp_path / "none.so")


def test_library_of_another_platform_cannot_be_loaded(tmp_path):
    path = tmp_path / "foreign.so"
    path.write_bytes(b"\xcf\xfa\xed\xfe" + bytes(100))
    with pytest.raises(BackendError, match=r"foreign\.so cannot be loaded on .*another platform"):
        Library(path)


def test_library_without_the_functions_is_not_that_of_eventsim():
    with pytest.raises(BackendError, match="no function that is expected .*eventsim_sources"):
        Library(Path(other.__file__))


def test_library_of_older_sources_says_to_build_it_again(monkeypatch):
    monkeypatch.setattr(build, "source_hash", lambda: "0" * 16)
    with pytest.raises(BackendError, match=r"they have changed .*0{16}.* Build it: python .*build"):
        Library(library_file())


def test_interface_of_another_number_is_told(monkeypatch):
    monkeypatch.setattr(loader, "INTERFACE", 99)
    with pytest.raises(BackendError, match="expected 'interface 99 .*it has 'interface 1 "):
        Library(library_file())


def test_level_that_does_not_exist_is_told_with_those_that_do():
    with pytest.raises(ParameterError, match="'plain', expected one of v3, v4, neon"):
        Library(library_file(), "plain")


def test_level_that_does_not_run_here_is_told_with_those_that_do():
    level = "v3" if "neon" in RUNS else "neon"
    with pytest.raises(BackendError, match=f"'{level}', which cannot be used here.*Choose one of"):
        Library(library_file(), level)


def test_processor_without_any_level_is_told():
    with pytest.raises(BackendError, match="has v3, v4; this processor runs none.* needs AVX2"):
        loader._chosen(None, ("v3", "v4"), ())
    with pytest.raises(BackendError, match=r"has v4; this processor runs v3\..*(Build|Install)"):
        loader._chosen(None, ("v4",), ("v3",))


def test_best_level_is_chosen():
    assert loader._chosen(None, ("v3", "v4"), ("v3",)) == "v3"
    assert loader._chosen(None, ("v3", "v4"), ("v3", "v4")) == "v4"


def test_environment_chooses_the_level(monkeypatch):
    least = Library(library_file()).built[0]
    monkeypatch.setenv("EVENTSIM_LEVEL", least)
    library.cache_clear()
    try:
        assert library().level == least
    finally:
        library.cache_clear()


def test_call_without_memory_is_an_error_and_writes_nothing(call):
    wide = call._replace(weights=call.weights._replace(width=1 << 44))
    with pytest.raises(MemoryError, match="no memory is left"):
        library().run(wide, np.float64)
    assert not call.spikes.counts.any()


def test_level_that_the_library_lacks_is_an_internal_error(call):
    own = Library(library_file())
    own._number = len(LEVELS)
    with pytest.raises(InternalError, match="returned 2"):
        own.run(call, np.float64)


@pytest.mark.parametrize(
    ("role", "field", "value"),
    [
        ("events", "times", np.zeros(5, np.float32)),
        ("events", "met", np.zeros((1, 2), np.int64).T[:, ::1].repeat(2, 1)[:, ::2]),
        ("events", "offsets", None),
        ("weights", "values", np.zeros((1, 3, 16), np.float32)),
        ("spikes", "counts", np.zeros(2, np.int32)),
    ],
)
def test_array_that_the_kernel_does_not_take_is_refused(call, role, field, value):
    bad = call._replace(**{role: getattr(call, role)._replace(**{field: value})})
    with pytest.raises(InternalError, match=rf"{role}\.{field} is "):
        library().run(bad, np.float64)


def test_array_that_cannot_be_written_is_refused(call):
    call.spikes.time.flags.writeable = False
    with pytest.raises(InternalError, match=r"spikes\.time"):
        library().run(call, np.float64)


def test_array_in_another_order_is_read_as_what_it_says(call):
    library().run(call, np.float64)
    expected = call.spikes.time.copy()
    call.spikes.time[:] = 0.0
    apart = np.zeros(10)
    apart[::2] = call.events.times
    library().run(call._replace(events=call.events._replace(times=apart[::2])), np.float64)
    assert np.array_equal(call.spikes.time, expected)


@pytest.fixture(scope="module")
def networks():
    """Layers with ties, a refractory time and adaptive thresholds, and one of 300 neurons."""
    rng = np.random.default_rng(5)
    wide = es.Network()
    wide.add_input("input", 30)
    wide.add_population("hidden", 300, refractory=0.5, adaptation=0.2, tau_adaptation=40.0)
    wide.connect("input", "hidden", rng.normal(0.2, 0.3, (30, 300)))
    nets = [(random_net(seed), random_stream(seed).round_times(0.5)) for seed in (1, 2)]
    return [*nets, (wide, random_stream(3, n_samples=7, n_channels=30, duration=60.0, rate=40.0))]


def answers(networks, monkeypatch, level=None):
    """All spikes and gradients at a level."""
    own = Library(library_file(), level)
    for host in ("layer", "layer_adjoint"):
        monkeypatch.setattr(f"eventsim.engine.cpu.{host}.library", lambda: own)
    found = []
    for net, stream in networks:
        for precision in ("single", "double"):
            tape = es.simulate(net, stream, backend="cpu", precision=precision)
            for name in tape.names:
                trains = tape[name]
                found += [trains.times, trains.neurons, trains.current, trains.restart_current]
            back = es.backward(net, tape, SpikeTimes(*tape.names))
            found += [*back.values.values(), back.input_times]
    assert sum(a.size for a in found) > 1000
    return [a.tobytes() for a in found]


@pytest.mark.parametrize("level", HERE)
def test_levels_give_the_same_bits(networks, monkeypatch, level):
    best = answers(networks, monkeypatch)
    assert answers(networks, monkeypatch, level) == best


def test_error_in_another_thread_is_raised(call):
    own = Library(library_file())
    own._number = len(LEVELS)
    with pytest.raises(InternalError, match="returned 2"):
        own.run(call, np.float64, threads=2)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="forks")
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
def test_child_that_is_forked_after_a_call_has_threads_of_its_own(call):
    library().run(call, np.float64, threads=2)
    counts = call.spikes.counts.copy()
    call.spikes.counts[:] = 0
    child = os.fork()
    if child == 0:
        try:
            library().run(call, np.float64, threads=2)
            os._exit(0 if np.array_equal(call.spikes.counts, counts) else 1)
        finally:
            os._exit(2)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def _resonators():
    rng = np.random.default_rng(43)
    net = es.Network()
    net.add_input("input", 5)
    net.add_population("hidden1", 8, neuron=es.Resonator(damping=20.0, frequency=40.0, tau_syn=5.0))
    net.connect("input", "hidden1", rng.uniform(-1.0, 3.0, (5, 8)))
    return net


@pytest.mark.skipif(sys.platform == "win32", reason="its library of C has no fesetround")
@pytest.mark.parametrize("make", [lambda: random_net(41), _resonators], ids=["LIF", "resonators"])
def test_a_thread_that_rounds_otherwise_gets_the_same_bits_and_rounds_on(make, monkeypatch):
    rounding = ctypes.CDLL(None)
    nearest, upward = 0, 0x800 if platform.machine() == "x86_64" else 0x400000
    net, stream = make(), random_stream(42, n_samples=2, n_channels=5)
    kernel, after = Library._start, []

    def rounded(*call):
        rounding.fesetround(upward)
        kernel(*call)
        after.append(rounding.fegetround())
        rounding.fesetround(nearest)

    def numbers():
        tape = es.simulate(net, stream, backend="cpu")
        found = es.backward(net, tape, SpikeTimes("hidden1")).flat()
        return [tape["hidden1"].times, *found.values()]

    expected = numbers()
    monkeypatch.setattr(Library, "_start", rounded)
    for one, other_one in zip(numbers(), expected, strict=True):
        np.testing.assert_array_equal(one, other_one)
    assert expected[0].size > 10
    assert set(after) == {upward}
