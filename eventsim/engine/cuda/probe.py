"""Why CUDA cannot be used here, and the command that mends it.

The questions go from cheap to dear, and the first that fails answers: is CuPy installed, and once
only; is there a driver; can CuPy be imported; is there a device that the driver, CuPy's libraries
and the kernels agree on; is cuBLAS there; does a kernel run on it. Until CuPy is known to be there
and a driver too, nothing heavy is imported.

Versions of CUDA are integers as CUDA gives them: 1000 major + 10 minor.
"""

import ctypes
import os
import re
import sys
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from eventsim.extras import Extra, install_hint

# cudaError_t of the driver's and the runtime's API that have an answer of their own.
INSUFFICIENT_DRIVER, NO_DEVICE = 35, 100

# The kernels are written for independent thread scheduling. NVRTC of CUDA 13 compiles for 7.5 on.
LEAST_CAPABILITY, LEAST_CAPABILITY_CUDA_13 = (7, 0), (7, 5)

# The oldest driver of CUDA 12 and 13 on Linux.
LEAST_DRIVER = {12: "525", 13: "580"}

_DISTRIBUTION = re.compile(r"(cupy(?:_(?:cuda|rocm)\w*)?)-[^-]+\.(?:dist|egg)-info")
_OTHER_BACKEND = "Or use backend='cpu'."


@dataclass(frozen=True)
class Card:
    """A device that can be used."""

    name: str
    compute_capability: str  # Major and minor number, such as 9.0
    cupy: str
    # driver, runtime, nvrtc: Versions of CUDA: the newest that the driver supports, that CuPy was
    # built with, and that of the compiler it found
    driver: str
    runtime: str
    nvrtc: str


@dataclass(frozen=True)
class Obstacle(Exception):
    """The reason why this machine has no CUDA; :func:`look` returns it."""

    kind: str  # One word for programs
    reason: str  # A clause, without a capital letter and a full stop where it can be
    remedy: str  # One sentence or two, with the command

    def __str__(self) -> str:
        return f"Backend 'cuda' cannot run here: {self.reason}. {self.remedy} {_OTHER_BACKEND}"


def look() -> Card | Obstacle:
    """The current CUDA device, or what is in the way. May make a context on the device."""
    try:
        return _look()
    except Obstacle as found:
        return found


def driver_version() -> int | None:
    """The newest CUDA that the driver supports, None without a driver. Does not need CuPy."""
    names = ("nvcuda.dll",) if sys.platform == "win32" else ("libcuda.so.1", "libcuda.so")
    for name in names:
        try:
            library = ctypes.CDLL(name)
        except OSError:
            continue
        version = ctypes.c_int(0)
        # A stub library, which the toolkit ships for linking, answers with an error.
        if library.cuDriverGetVersion(ctypes.byref(version)) == 0 and version.value > 0:
            return version.value
    return None


def version_text(version: int) -> str:
    """A version of CUDA as people write it: 13.0 for 13000."""
    return f"{version // 1000}.{version % 1000 // 10}"


def _look() -> Card:
    if sys.platform == "darwin":
        raise Obstacle(
            "platform", "CUDA does not exist for macOS", "Run on Linux or Windows with a card."
        )
    driver = driver_version()
    try:
        spec = find_spec("cupy")
    except ValueError:  # an entry of sys.modules without a spec
        spec = None
    if spec is None or spec.origin is None:  # the rest of a removed installation does not count
        raise Obstacle("no-cupy", "CuPy is not installed", _install(driver))
    # Names of the CuPy distributions that share the folder next to this package.
    beside = (
        _DISTRIBUTION.fullmatch(e.name) for e in Path(spec.origin).parents[1].glob("cupy*-info")
    )
    installed = sorted({match[1].replace("_", "-") for match in beside if match})
    again = f"Run: {_reinstall(installed, _extra(driver))}."
    if len(installed) > 1:
        raise Obstacle(
            "duplicates",
            f"several CuPy distributions are installed, {' and '.join(installed)}, which overwrite "
            "each other's files",
            again,
        )
    if driver is None:
        raise Obstacle(
            "no-driver",
            "there is no NVIDIA driver (libcuda cannot be loaded)",
            "Install it (Debian: sudo apt install nvidia-driver; Ubuntu: sudo ubuntu-drivers "
            "install) until nvidia-smi lists the card; in a container, start it with: docker run "
            "--gpus all.",
        )
    try:
        import cupy
    except Exception as error:  # a foreign binary may raise anything
        said = _first_line(error.__cause__ or error)
        raise Obstacle(
            "broken-cupy", f"CuPy is installed but cannot be imported ({said})", again
        ) from error
    if cupy.cuda.runtime.is_hip:
        raise Obstacle("rocm", "CuPy is built for ROCm, the kernels for CUDA", again)
    return _look_at_device(cupy, installed, driver)


def _install(driver: int | None) -> str:
    """The command that installs the extra for this driver."""
    if driver is None:
        both = " or ".join(
            f"{install_hint(_extra(1000 * cuda))} (for driver {oldest} or newer)"
            for cuda, oldest in sorted(LEAST_DRIVER.items(), reverse=True)
        )
        return f"Run: {both}. There is no NVIDIA driver either, which it needs."
    if driver < 12000:
        return (
            f"Update the driver, which supports CUDA {version_text(driver)}, to {LEAST_DRIVER[13]} "
            f"or newer, and run: {install_hint('cuda13')}."
        )
    return f"Run: {install_hint(_extra(driver))} (the driver supports CUDA {version_text(driver)})."


def _reinstall(installed: list[str], extra: Extra) -> str:
    """The command that puts one CuPy in place of those installed; two would share one folder."""
    remove = f"pip uninstall -y {' '.join(installed)} && " if installed else ""
    return f"{remove}{install_hint(extra)}"


def _extra(driver: int | None) -> Extra:
    return "cuda12" if driver is not None and driver < 13000 else "cuda13"


def _look_at_device(cupy: Any, installed: list[str], driver: int) -> Card:
    """Driver, capability, compiler, and a kernel that runs."""
    runtime = cupy.cuda.runtime
    built = int(runtime.runtimeGetVersion())
    try:
        if runtime.getDeviceCount() == 0:
            raise _no_device()
        properties = runtime.getDeviceProperties(runtime.getDevice())
    except runtime.CUDARuntimeError as error:
        if error.status == INSUFFICIENT_DRIVER:
            raise _old_driver(installed, driver, built) from error
        if error.status == NO_DEVICE:
            raise _no_device() from error
        raise _unusable("the CUDA device", error) from error
    name = properties["name"].decode()
    capability = (int(properties["major"]), int(properties["minor"]))
    has = f"{name} has compute capability {capability[0]}.{capability[1]}"
    if capability < LEAST_CAPABILITY:
        least = ".".join(map(str, LEAST_CAPABILITY))
        remedy = "Choose another card by CUDA_VISIBLE_DEVICES, if nvidia-smi -L lists one."
        raise Obstacle("old-device", f"{has}, the kernels need {least} or more", remedy)
    try:
        nvrtc = ".".join(str(number) for number in cupy.cuda.nvrtc.getVersion())
    except Exception as error:  # CuPy 13 raises RuntimeError, 14 an error of cuda.pathfinder
        raise _no_compiler(installed, built, error) from error
    if capability < LEAST_CAPABILITY_CUDA_13 and int(nvrtc.partition(".")[0]) >= 13:
        remedy = f"Run: {_reinstall(installed, 'cuda12')}; NVRTC must be of CUDA 12 too."
        raise Obstacle("old-device", f"{has}, for which CUDA {nvrtc} no longer compiles", remedy)
    try:
        _ = cupy.cuda.cublas  # is loaded when it is asked for; a linear decision multiplies by it
    except Exception as error:
        raise _no_cublas(installed, built, error) from error
    try:
        ran = int(cupy.arange(3)[2]) == 2
    except Exception as error:  # headers missing, memory full, card busy or in error
        if type(error).__name__ in {"CompileException", "NVRTCError", "DynamicLibNotFoundError"}:
            raise _no_compiler(installed, built, error) from error
        raise _unusable(name, error) from error
    if not ran:
        raise _unusable(name, "a first kernel gave a wrong result")
    return Card(
        name=name,
        compute_capability=f"{capability[0]}.{capability[1]}",
        cupy=str(cupy.__version__),
        driver=version_text(driver),
        runtime=version_text(built),
        nvrtc=nvrtc,
    )


def _old_driver(installed: list[str], driver: int, built: int) -> Obstacle:
    needed = built // 1000
    older = f", or run: {_reinstall(installed, 'cuda12')}"
    return Obstacle(
        "old-driver",
        f"the driver supports CUDA {version_text(driver)}, {' '.join(installed) or 'CuPy'} is "
        f"built with CUDA {version_text(built)} and needs a driver for CUDA {needed}.0 or newer",
        f"Update the driver to {LEAST_DRIVER.get(needed, 'a newer one')} or newer"
        f"{older if 12000 <= driver < 13000 and needed > 12 else ''}.",
    )


def _no_device() -> Obstacle:
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible is None:
        return Obstacle(
            "no-device",
            "there is no CUDA device",
            "Run: nvidia-smi -L, which must list a card; in a container, start it with: "
            "docker run --gpus all.",
        )
    return Obstacle(
        "no-device",
        f"no CUDA device is visible: CUDA_VISIBLE_DEVICES is {visible!r}",
        "Run: unset CUDA_VISIBLE_DEVICES, or set it to numbers that nvidia-smi -L lists.",
    )


def _no_compiler(installed: list[str], built: int, error: Exception) -> Obstacle:
    return Obstacle(
        "no-compiler",
        "CuPy cannot compile kernels, because NVRTC or CUDA's headers are missing "
        f"({_first_line(error)})",
        _toolkit(installed, built),
    )


def _no_cublas(installed: list[str], built: int, error: Exception) -> Obstacle:
    return Obstacle(
        "no-cublas",
        f"CuPy does not find cuBLAS, by which a linear decision multiplies ({_first_line(error)})",
        _toolkit(installed, built),
    )


def _toolkit(installed: list[str], built: int) -> str:
    """The command that installs the libraries of CUDA's toolkit."""
    toolkit = f"nstall the CUDA toolkit {built // 1000}"
    wheels = [name for name in installed if "-cuda" in name]
    return f"Run: pip install -U '{wheels[0]}[ctk]', or i{toolkit}." if wheels else f"I{toolkit}."


def _unusable(what: str, error: Exception | str) -> Obstacle:
    return Obstacle(
        "unusable",
        f"{what} cannot be used ({_first_line(error)})",
        "Run: nvidia-smi, which tells whether the card is there, full, busy or in error.",
    )


def _first_line(error: BaseException | str) -> str:
    """The first line that says something; CuPy frames some messages by lines of ``=``."""
    lines = (line.strip() for line in str(error).splitlines())
    text = next((line for line in lines if line.strip("=- ")), "no message")
    text = text if len(text) <= 200 else f"{text[:197]}..."
    return text if isinstance(error, str) else f"{type(error).__name__}: {text}"
