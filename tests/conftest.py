"""Fixtures of all tests: the backends."""

import importlib.util

import pytest


def _why_no_cuda():
    """Reason why the cuda backend cannot run here, or None."""
    if importlib.util.find_spec("cupy") is None:
        return "cuda: CuPy is not installed"
    import cupy

    try:
        n = cupy.cuda.runtime.getDeviceCount()
    except cupy.cuda.runtime.CUDARuntimeError as error:
        return f"cuda: no device ({error})"
    return None if n else "cuda: no device"


NO_CUDA = _why_no_cuda()
CUDA = pytest.param(
    "cuda", marks=pytest.mark.skipif(NO_CUDA is not None, reason=NO_CUDA or "cuda: present")
)


@pytest.fixture(params=["reference", "cpu", CUDA])
def backend(request):
    """Name of a backend; cuda is skipped with its reason where there is none."""
    return request.param


@pytest.fixture(params=["cpu", CUDA])
def fast_backend(request):
    """Name of a backend that is held to the reference."""
    return request.param
