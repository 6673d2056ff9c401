"""Every reason why CUDA cannot be used, with a CuPy and a driver that are made up.

What they raise is what CuPy 14.2 and 13.6 raise.
"""

import types
from importlib.machinery import ModuleSpec

import pytest

from eventsim.engine.cuda import probe


class CUDARuntimeError(RuntimeError):
    def __init__(self, status, text="cudaErrorOf a test: no matter which"):
        self.status = status
        super().__init__(text)


class DynamicLibNotFoundError(RuntimeError):
    """As that of cuda.pathfinder, which CuPy 14 lets through."""


class CompileException(Exception):
    """As that of cupy.cuda.compiler."""


def raising(error):
    def call(*_):
        raise error

    return call


class Driver:
    """A libcuda that answers one question."""

    def __init__(self, version, status=0):
        self.version, self.status = version, status

    def cuDriverGetVersion(self, reference):
        reference._obj.value = self.version
        return self.status


def fake_cupy(folder, *, n_devices=1, built=13020, capability=(9, 0), nvrtc=(13, 0)):
    cupy = types.ModuleType("cupy")
    cupy.__spec__ = ModuleSpec("cupy", None, origin=str(folder / "cupy" / "__init__.py"))
    cupy.__version__ = "14.2.0"
    cupy.arange = lambda n: list(range(n))
    runtime = types.SimpleNamespace(
        CUDARuntimeError=CUDARuntimeError,
        is_hip=False,
        runtimeGetVersion=lambda: built,
        getDeviceCount=lambda: n_devices,
        getDevice=lambda: 0,
        getDeviceProperties=lambda _: {
            "name": b"NVIDIA H100",
            "major": capability[0],
            "minor": capability[1],
        },
    )
    cupy.cuda = types.SimpleNamespace(
        runtime=runtime, nvrtc=types.SimpleNamespace(getVersion=lambda: nvrtc), cublas=object()
    )
    return cupy


class Machine:
    """What is installed; a working card with CuPy for CUDA 13 until something is taken away."""

    def __init__(self, folder, monkeypatch):
        self.folder, self._patch = folder, monkeypatch
        monkeypatch.setattr("sys.platform", "linux")
        monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
        self.distribution("cupy_cuda13x-14.2.0")
        self.driver(Driver(13010))
        self.cupy()

    def distribution(self, name):
        (self.folder / f"{name}.dist-info").mkdir()

    def no_distribution(self):
        for folder in self.folder.glob("cupy*.dist-info"):
            folder.rmdir()

    def driver(self, library):
        def load(_name):
            if library is None:
                raise OSError("cannot open shared object file")
            return library

        self._patch.setattr(probe.ctypes, "CDLL", load)

    def cupy(self, **changes):
        module = fake_cupy(self.folder, **changes)
        self._patch.setitem(probe.sys.modules, "cupy", module)
        return module

    def no_cupy(self):
        self._patch.delitem(probe.sys.modules, "cupy")
        self._patch.setattr(probe, "find_spec", lambda _: None)


@pytest.fixture
def machine(tmp_path, monkeypatch):
    return Machine(tmp_path, monkeypatch)


def obstacle(kind):
    found = probe.look()
    assert isinstance(found, probe.Obstacle), found
    assert found.kind == kind
    assert str(found).endswith("Or use backend='cpu'.")
    assert "\n" not in str(found)
    return str(found)


def test_card_that_can_be_used_is_described(machine):
    assert probe.look() == probe.Card(
        name="NVIDIA H100",
        compute_capability="9.0",
        cupy="14.2.0",
        driver="13.1",
        runtime="13.2",
        nvrtc="13.0",
    )


@pytest.mark.parametrize(
    ("driver", "told"),
    [
        (13000, "pip install 'eventsim-snn[cuda13]' (the driver supports CUDA 13.0)"),
        (12080, "pip install 'eventsim-snn[cuda12]' (the driver supports CUDA 12.8)"),
        (11040, "Update the driver, which supports CUDA 11.4, to 580 or newer"),
    ],
)
def test_missing_cupy_names_the_extra_for_the_driver(machine, driver, told):
    machine.no_cupy()
    machine.driver(Driver(driver))
    text = obstacle("no-cupy")
    assert "CuPy is not installed" in text
    assert told in text


def test_missing_cupy_without_a_driver_names_both_extras(machine):
    machine.no_cupy()
    machine.driver(None)
    text = obstacle("no-cupy")
    assert "eventsim-snn[cuda13]" in text
    assert "eventsim-snn[cuda12]" in text


@pytest.mark.parametrize("spec", [None, ModuleSpec("cupy", None)])
def test_rest_of_a_removed_cupy_counts_as_missing(machine, monkeypatch, spec):
    monkeypatch.setattr(machine.cupy(), "__spec__", spec)
    obstacle("no-cupy")


@pytest.mark.parametrize(("driver", "extra"), [(13000, "cuda13"), (12040, "cuda12")])
def test_two_cupy_distributions_are_named_with_the_command_that_leaves_one(machine, driver, extra):
    machine.distribution("cupy_cuda12x-13.6.0")
    machine.distribution("cupy_xarray-0.1.4")
    machine.driver(Driver(driver))
    text = obstacle("duplicates")
    assert "cupy-cuda12x and cupy-cuda13x, which" in text
    command = f"pip uninstall -y cupy-cuda12x cupy-cuda13x && pip install 'eventsim-snn[{extra}]'"
    assert command in text


@pytest.mark.parametrize("library", [None, Driver(13000, status=34), Driver(0)])
def test_missing_driver_is_said_without_importing_cupy(machine, library):
    machine.driver(library)
    cupy = machine.cupy()
    del cupy.cuda
    text = obstacle("no-driver")
    assert "libcuda cannot be loaded" in text
    assert "nvidia-smi" in text


def test_cupy_that_cannot_be_imported_is_reinstalled(machine, monkeypatch):
    error = ImportError("\n=====\nFailed to import CuPy.\n=====\n")
    error.__cause__ = ImportError("libstdc++.so.6: version not found")

    def refuse(name, *rest, real=__import__):
        if name == "cupy":
            raise error
        return real(name, *rest)

    monkeypatch.setattr("builtins.__import__", refuse)
    text = obstacle("broken-cupy")
    assert "(ImportError: libstdc++.so.6: version not found)" in text
    assert "pip uninstall -y cupy-cuda13x && pip install 'eventsim-snn[cuda13]'" in text


def test_cupy_for_rocm_is_refused(machine):
    machine.no_distribution()
    machine.distribution("cupy_rocm_7_0-14.0.0")
    machine.cupy().cuda.runtime.is_hip = True
    assert "pip uninstall -y cupy-rocm-7-0 &&" in obstacle("rocm")


def test_driver_older_than_the_wheel_says_both_versions_and_two_ways_out(machine):
    machine.driver(Driver(12040))
    machine.cupy().cuda.runtime.getDeviceCount = raising(CUDARuntimeError(35))
    text = obstacle("old-driver")
    assert "the driver supports CUDA 12.4" in text
    assert "cupy-cuda13x is built with CUDA 13.2" in text
    assert "Update the driver to 580 or newer" in text
    assert "pip uninstall -y cupy-cuda13x && pip install 'eventsim-snn[cuda12]'" in text


def test_driver_too_old_for_any_wheel_can_only_be_updated(machine):
    machine.driver(Driver(11080))
    machine.cupy(built=12090).cuda.runtime.getDeviceCount = raising(CUDARuntimeError(35))
    text = obstacle("old-driver")
    assert "Update the driver to 525 or newer." in text
    assert "pip" not in text


def test_no_device_asks_for_the_list_of_cards(machine):
    machine.cupy().cuda.runtime.getDeviceCount = raising(CUDARuntimeError(100))
    text = obstacle("no-device")
    assert "there is no CUDA device" in text
    assert "nvidia-smi -L" in text


@pytest.mark.parametrize("value", ["", "-1", "7"])
def test_hidden_devices_show_the_value_that_hides_them(machine, monkeypatch, value):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", value)
    machine.cupy(n_devices=0)
    text = obstacle("no-device")
    assert f"CUDA_VISIBLE_DEVICES is {value!r}" in text
    assert "unset CUDA_VISIBLE_DEVICES" in text


@pytest.mark.parametrize("function", ["getDeviceCount", "getDeviceProperties"])
def test_device_in_error_is_reported_with_the_error(machine, function):
    error = CUDARuntimeError(802, "cudaErrorSystemNotReady: system not yet initialized")
    setattr(machine.cupy().cuda.runtime, function, raising(error))
    assert "cudaErrorSystemNotReady" in obstacle("unusable")


@pytest.mark.parametrize(
    "error",
    [
        DynamicLibNotFoundError('Failure finding "libnvrtc.so.13 or libnvrtc.so.12"'),
        RuntimeError("CuPy failed to load libnvrtc.so.13: OSError: cannot open"),
    ],
)
def test_missing_nvrtc_names_the_wheels_with_the_toolkit(machine, error):
    machine.cupy().cuda.nvrtc.getVersion = raising(error)
    text = obstacle("no-compiler")
    assert "libnvrtc.so.13" in text
    assert "pip install -U 'cupy-cuda13x[ctk]', or install the CUDA toolkit 13" in text


def test_missing_headers_name_the_wheels_with_the_toolkit(machine):
    error = CompileException(
        'carray.cuh(4): catastrophic error: cannot open "cuda_fp16.h"\n1 error'
    )
    machine.cupy().arange = raising(error)
    text = obstacle("no-compiler")
    assert "cuda_fp16.h" in text
    assert "'cupy-cuda13x[ctk]'" in text


def test_missing_cublas_names_the_wheels_with_the_toolkit(machine):
    class Cuda(types.SimpleNamespace):
        @property
        def cublas(self):
            raise ImportError('Failure finding "libcublasLt.so.13 or libcublasLt.so.12": No file')

    cupy = machine.cupy()
    about = vars(cupy.cuda)
    cupy.cuda = Cuda(**{name: about[name] for name in ("runtime", "nvrtc")})
    text = obstacle("no-cublas")
    assert "does not find cuBLAS" in text
    assert "libcublasLt.so.13" in text
    assert "pip install -U 'cupy-cuda13x[ctk]', or install the CUDA toolkit 13" in text


def test_real_cupy_says_that_cublas_is_missing_when_it_is_asked_for_it():
    """What the probe asks is where CuPy looks for the library."""
    cupy = pytest.importorskip("cupy", reason="CuPy is not installed")
    try:
        told = cupy.cuda.cublas.__name__
    except ImportError as error:
        told = str(error)
    assert "cublas" in told


def test_missing_nvrtc_of_a_cupy_from_elsewhere_asks_for_the_toolkit(machine):
    machine.no_distribution()
    machine.cupy().cuda.nvrtc.getVersion = raising(RuntimeError("no libnvrtc"))
    assert "). Install the CUDA toolkit 13." in obstacle("no-compiler")


def test_card_below_the_least_capability_is_refused(machine):
    machine.cupy(capability=(6, 1))
    text = obstacle("old-device")
    assert "NVIDIA H100 has compute capability 6.1, the kernels need 7.0 or more" in text


def test_card_that_cuda_13_has_left_behind_is_sent_to_cuda_12(machine):
    machine.cupy(capability=(7, 0))
    assert "pip install 'eventsim-snn[cuda12]'" in obstacle("old-device")
    machine.cupy(capability=(7, 0), built=12090, nvrtc=(12, 9))
    assert isinstance(probe.look(), probe.Card)


def test_card_that_runs_no_kernel_is_refused(machine):
    text = "cudaErrorDevicesUnavailable: CUDA-capable device(s) is/are busy or unavailable"
    machine.cupy().arange = raising(CUDARuntimeError(46, text))
    assert "cudaErrorDevicesUnavailable" in obstacle("unusable")
    machine.cupy().arange = lambda n: [0] * n
    assert "wrong result" in obstacle("unusable")


def test_macos_is_told_that_there_is_no_cuda(machine, monkeypatch):
    monkeypatch.setattr("sys.platform", "darwin")
    assert "CUDA does not exist for macOS" in obstacle("platform")


def test_windows_driver_is_looked_for_under_its_name(monkeypatch):
    asked = []
    monkeypatch.setattr("sys.platform", "win32")
    monkeypatch.setattr(probe.ctypes, "CDLL", lambda name: asked.append(name) or Driver(13000))
    assert probe.driver_version() == 13000
    assert asked == ["nvcuda.dll"]
