import inspect
import logging
from dataclasses import asdict

import pytest

from eventsim.engine import (
    available_backends,
    describe_backend,
    get_backend,
    register_backend,
    using_backend,
)
from eventsim.engine.contract import registry
from eventsim.engine.contract.backend import Backend
from eventsim.engine.cuda import probe
from eventsim.errors import BackendError
from tests.support.fresh import loaded, said

CARD = probe.Card("NVIDIA H100", "9.0", "14.2.0", "13.1", "13.2", "13.0")
OBSTACLE = probe.Obstacle("no-driver", "there is no driver", "Run: install it.")


class Plugged:
    def __init__(self, name):
        self.name = name


@pytest.fixture
def devices(monkeypatch):
    """Sets what the look for a device finds; auto chooses anew in this test and after it."""

    def find(found):
        obstacle = isinstance(found, probe.Obstacle)
        monkeypatch.setattr(registry, "_cuda", lambda: (None, found) if obstacle else (found, None))
        registry._automatic.cache_clear()
        registry._load.cache_clear()

    yield find
    registry._automatic.cache_clear()
    registry._load.cache_clear()


def test_auto_takes_cuda_where_a_device_can_be_used(devices):
    devices(CARD)
    with using_backend("cuda", Plugged("cuda")) as cuda:
        assert get_backend("auto") is cuda


def test_auto_takes_cpu_where_no_device_can_be_used_and_logs_why_once(devices, caplog):
    devices(OBSTACLE)
    with caplog.at_level(logging.INFO, logger="eventsim"):
        assert get_backend("auto").name == "cpu"
        assert get_backend("auto").name == "cpu"
    assert caplog.messages == ["backend 'auto' is cpu (no CUDA: there is no driver)"]


def test_asking_for_cuda_where_it_cannot_run_says_why_and_what_to_do(devices):
    devices(OBSTACLE)
    with pytest.raises(BackendError, match="there is no driver. Run: install it. Or use") as error:
        get_backend("cuda")
    assert "\n" not in str(error.value)


def test_backends_are_described_in_one_line(devices, monkeypatch):
    devices(OBSTACLE)
    monkeypatch.setattr("eventsim.processors._chosen", 2)
    assert str(describe_backend("reference")) == "reference"
    assert str(describe_backend("cpu")) == "cpu (2 threads)"
    assert str(describe_backend("auto")) == "cpu (2 threads; no CUDA: there is no driver)"
    monkeypatch.setattr("eventsim.processors._chosen", 1)
    assert str(describe_backend("cpu")) == "cpu (1 thread)"


def test_cuda_is_described_by_card_and_version_of_cupy(devices, monkeypatch):
    class CudaBackend(Plugged):
        def __init__(self):
            super().__init__("cuda")
            self.device = Plugged(CARD.name)

    devices(CARD)
    monkeypatch.setattr("eventsim.engine.cuda.backend.CudaBackend", CudaBackend)
    found = describe_backend("auto")
    assert str(found) == "cuda (NVIDIA H100, CuPy 14.2)"
    assert (found.name, found.device, found.no_cuda) == ("cuda", "NVIDIA H100", None)
    assert asdict(found)["versions"] == {
        "compute_capability": "9.0",
        "cupy": "14.2.0",
        "driver": "13.1",
        "runtime": "13.2",
        "nvrtc": "13.0",
    }


def test_registered_backend_is_described_by_its_device():
    mine = Plugged("mine")
    mine.device = Plugged("a table of numbers")
    with using_backend("mine", mine):
        assert str(describe_backend("mine")) == "mine (a table of numbers)"


@pytest.mark.parametrize("name", ["cpu", "reference"])
def test_cupy_is_not_imported_unless_cuda_is_looked_for(tmp_path, name):
    (tmp_path / "cupy.py").write_text("raise SystemExit('CuPy was imported')")
    code = (
        f"import sys; sys.path.insert(0, {str(tmp_path)!r})\n"
        "import eventsim as es\n"
        "from eventsim.engine import describe_backend, get_backend\n"
        "from eventsim.engine.contract.registry import set_threads\n"
        f"get_backend({name!r}), describe_backend({name!r}), set_threads(1, backend={name!r})\n"
        "net = es.scsr(2, (3,), 2)\n"
        "stream = es.EventStream([1.0], [0], [0, 1], n_channels=2, duration=5.0)\n"
        f"es.simulate(net, stream, backend={name!r})\n"
        "assert 'cupy' not in sys.modules\n"
    )
    assert said(code) == ""


def test_a_device_is_looked_for_without_the_hosts_that_would_use_it():
    hosts = ("eventsim.engine.cuda.arrays", "eventsim.engine.cuda.backend")
    assert loaded("from eventsim.engine.cuda import probe\nprobe.look()", hosts) == "[]\n"


def test_auto_in_a_library_call_prints_nothing():
    code = (
        "import eventsim as es\n"
        "stream = es.EventStream([1.0], [0], [0, 1], n_channels=2, duration=5.0)\n"
        "es.simulate(es.scsr(2, (3,), 2), stream)\n"
    )
    assert said(code) == ""


def test_backends_are_listed_without_being_loaded():
    assert available_backends() == ["reference", "cpu", "cuda"]


def test_registered_backend_stands_in_and_is_taken_back():
    mine = Plugged("cpu")
    assert register_backend("cpu", mine) is None
    try:
        assert get_backend("cpu") is mine
    finally:
        assert register_backend("cpu", None) is mine
    assert get_backend("cpu") is not mine


def test_registered_backend_of_a_new_name_is_known_while_it_is_registered():
    with using_backend("mine", Plugged("mine")) as mine:
        assert get_backend("mine") is mine
        assert "mine" in available_backends()
    with pytest.raises(
        BackendError, match="no backend 'mine', expected one of auto, reference, cpu"
    ):
        get_backend("mine")


def test_nested_registrations_are_undone_in_order():
    with using_backend("mine", Plugged("mine")) as outer:
        with using_backend("mine", Plugged("mine")) as inner:
            assert get_backend("mine") is inner
        assert get_backend("mine") is outer


def test_auto_does_not_take_a_backend_because_it_was_registered():
    with using_backend("fast", Plugged("fast")):
        assert get_backend("auto").name in {"cpu", "cuda"}


@pytest.mark.parametrize("name", ["reference", "cpu"])
def test_methods_of_a_backend_are_those_of_the_protocol_with_its_words(name):
    public = {key for key in vars(Backend) if key[0] != "_"}
    methods = {key for key in public if inspect.isfunction(vars(Backend)[key])}
    own = type(get_backend(name))
    assert "layer_backward" in methods
    assert {key for key in dir(own) if callable(getattr(own, key)) and key[0] != "_"} <= methods
    for key in methods:
        words = inspect.getdoc(getattr(Backend, key))
        assert words, key
        assert inspect.getdoc(getattr(own, key)) == words, key
