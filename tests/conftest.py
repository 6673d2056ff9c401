"""Fixtures of all tests: the backends.

``cuda`` runs on the device where there is one (id ``cuda``, mark ``gpu``), else the same CUDA text
compiled for the host behind the stand-in of ``tests/support/simt`` (id ``cuda-host``).
"""

import functools
import gc
import os
from unittest import mock

import pytest
from hypothesis import HealthCheck, settings

import tests.something  # before modules of tests, which it rewrites
from eventsim.datasets import yinyang
from eventsim.engine.contract.registry import using_backend
from eventsim.engine.cuda.backend import CudaBackend
from eventsim.engine.cuda.probe import Card, look
from tests.support.simt import HostDevice, small_grids, why_not
from tests.support.tiers import assign_tiers

# Several processes of tests share the cores: a thread of PyTorch's OpenMP that has no work sleeps,
# and does not spin on the core that another process waits for.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")

BACKENDS = ("backend", "fast_backend")  # fixtures
HAS_DEVICE = isinstance(look(), Card)
NO_HOST_BUILD = None if HAS_DEVICE else why_not()

if HAS_DEVICE:
    CUDA = pytest.param("cuda", id="cuda", marks=pytest.mark.gpu)
else:
    missing = pytest.mark.skipif(NO_HOST_BUILD is not None, reason=str(NO_HOST_BUILD))
    CUDA = pytest.param("cuda", id="cuda-host", marks=missing)


def pytest_configure(config):
    """Let hypothesis draw more examples in each further tier."""
    left_out = sum(name in config.option.markexpr for name in ("thorough", "nightly"))
    settings.register_profile(
        "tier",
        max_examples=(200, 50, 10)[left_out],
        deadline=None,
        suppress_health_check=[HealthCheck.function_scoped_fixture],
    )
    settings.load_profile("tier")
    tests.something.rewrite_share(config)


@pytest.fixture(scope="session", autouse=True)
def drawn_once():
    """Points of Yin-Yang are drawn once in a process: a sixth of a second for the training part."""
    with mock.patch.object(yinyang, "draw", functools.cache(yinyang.draw)):
        yield


@pytest.fixture(scope="session")
def host_cuda():
    """The cuda backend on the host build of its text."""
    if (reason := why_not()) is not None:
        pytest.skip(reason)
    return CudaBackend(device=HostDevice())


@pytest.fixture(params=["reference", "cpu", CUDA])
def backend(request):
    """Name of a backend."""
    yield from _named(request)


@pytest.fixture(params=["cpu", CUDA])
def fast_backend(request):
    """Name of a backend that is held to the reference."""
    yield from _named(request)


def _named(request):
    """The name, which means the host build while the test runs, if it is cuda without a device."""
    if request.param != "cuda" or HAS_DEVICE:
        yield request.param
        return
    host = request.getfixturevalue("host_cuda")
    with using_backend("cuda", host), small_grids():
        yield "cuda"


@pytest.hookimpl(wrapper=True)
def pytest_collection():
    """Look for no cycles among tests: half a million objects, which live to the end."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


@pytest.hookimpl(tryfirst=True)  # before -m chooses
def pytest_collection_modifyitems(items):
    """Put tests into tiers, and a case's backends one behind the other.

    What a process finds out about a case it then does once.
    """
    assign_tiers(items)
    first = {}
    places = [first.setdefault(_case(item), n) for n, item in enumerate(items)]
    items[:] = [items[n] for n in sorted(range(len(items)), key=places.__getitem__)]


def _case(item):
    """What a test on several backends is a test of; any other is a case of its own."""
    given = item.callspec.params if hasattr(item, "callspec") else {}
    others = {name: value for name, value in given.items() if name not in BACKENDS}
    return (item.path, item.originalname, repr(others)) if len(others) < len(given) else item.nodeid
