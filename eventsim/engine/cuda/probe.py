"""Why CUDA cannot be used here, and the command that mends it.

The questions go from cheap to dear, and the first that fails answers: is CuPy installed, and once
only; is there a driver; can CuPy be imported; is there a device that the driver, CuPy's libraries
and the kernels agree on; does a kernel run on it. Until CuPy is known to be there and a driver
too, nothing heavy is imported.

Versions of CUDA are integers as CUDA gives them: 1000 major + 10 minor.
"""

import ctypes
import os
import re
import sys
from collections.abc import Sequence
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
    """A device that can be used.

    Attributes
    ----------
    name
        The card's name.
    compute_capability
        Major and minor number, such as ``9.0``.
    cupy
        Version of CuPy.
    driver, runtime, nvrtc
        Versions of CUDA: the newest that the driver supports, that CuPy was built with, and that
        of the compiler it found.
    """

    name: str
    compute_capability: str
    cupy: str
    driver: str
    runtime: str
    nvrtc: str


@dataclass(frozen=True)
class Obstacle:
    """What stands between this machine and CUDA.

    Attributes
    ----------
    kind
        One word for programs.
    reason
        A clause, without a capital letter and a full stop where it can be.
    remedy
        One sentence or two, with the command.
    """

    kind: str
    reason: str
    remedy: str

    def __str__(self) -> str:
        return f"Backend 'cuda' cannot run here: {self.reason}. {self.remedy} {_OTHER_BACKEND}"


def look() -> Card | Obstacle:
    """The current CUDA device, or what is in the way. May make a context on the device."""
    if sys.platform == "darwin":
        return Obstacle(
            "platform", "CUDA does not exist for macOS", "Run on Linux or Windows with a card."
        )
    origin = _cupy_origin()
    driver = driver_version()
    if origin is None:
        return Obstacle("no-cupy", "CuPy is not installed", _install(driver))
    installed = _distributions(origin)
    return (
        _duplicates(installed, driver)
        or _no_driver(driver)
        or _look_with_cupy(installed, driver or 0)
    )


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


def _cupy_origin() -> Path | None:
    """CuPy's folder, without importing it; the rest of a removed installation does not count."""
    try:
        spec = find_spec("cupy")
    except ValueError:  # an entry of sys.modules without a spec
        return None
    return None if spec is None or spec.origin is None else Path(spec.origin).parent


def _distributions(origin: Path) -> list[str]:
    """Names of the CuPy distributions that share the folder next to this package."""
    found = (_DISTRIBUTION.fullmatch(entry.name) for entry in origin.parent.glob("cupy*-info"))
    return sorted({match[1].replace("_", "-") for match in found if match})


def _install(driver: int | None) -> str:
    """Which extra to install for this driver."""
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


def _reinstall(installed: Sequence[str], extra: Extra) -> str:
    """One CuPy in place of those that are installed; two would write into one folder."""
    remove = f"pip uninstall -y {' '.join(installed)} && " if installed else ""
    return f"{remove}{install_hint(extra)}"


def _extra(driver: int | None) -> Extra:
    return "cuda12" if driver is not None and driver < 13000 else "cuda13"


def _duplicates(installed: Sequence[str], driver: int | None) -> Obstacle | None:
    if len(installed) < 2:
        return None
    return Obstacle(
        "duplicates",
        f"several CuPy distributions are installed, {' and '.join(installed)}, which overwrite "
        "each other's files",
        f"Run: {_reinstall(installed, _extra(driver))}.",
    )


def _no_driver(driver: int | None) -> Obstacle | None:
    if driver is not None:
        return None
    return Obstacle(
        "no-driver",
        "there is no NVIDIA driver (libcuda cannot be loaded)",
        "Install it (Debian: sudo apt install nvidia-driver; Ubuntu: sudo ubuntu-drivers install) "
        "until nvidia-smi lists the card; in a container, start it with: docker run --gpus all.",
    )


def _look_with_cupy(installed: Sequence[str], driver: int) -> Card | Obstacle:
    """Go on where CuPy and a driver are there."""
    try:
        import cupy
    except Exception as error:  # a foreign binary may raise anything
        return Obstacle(
            "broken-cupy",
            f"CuPy is installed but cannot be imported ({_first_line(error.__cause__ or error)})",
            f"Run: {_reinstall(installed, _extra(driver))}.",
        )
    runtime = cupy.cuda.runtime
    if runtime.is_hip:
        return Obstacle(
            "rocm",
            "CuPy is built for ROCm, the kernels for CUDA",
            f"Run: {_reinstall(installed, _extra(driver))}.",
        )
    built = int(runtime.runtimeGetVersion())
    try:
        n_devices = runtime.getDeviceCount()
    except runtime.CUDARuntimeError as error:
        if error.status == INSUFFICIENT_DRIVER:
            return _old_driver(installed, driver, built)
        if error.status != NO_DEVICE:
            return _unusable("the CUDA devices", error)
        n_devices = 0
    if n_devices == 0:
        return _no_device()
    return _look_at_device(cupy, installed, driver, built)


def _old_driver(installed: Sequence[str], driver: int, built: int) -> Obstacle:
    needed = built // 1000
    wheel = " ".join(installed) or "CuPy"
    update = f"Update the driver to {LEAST_DRIVER.get(needed, 'a newer one')} or newer"
    older = f", or run: {_reinstall(installed, 'cuda12')}"
    return Obstacle(
        "old-driver",
        f"the driver supports CUDA {version_text(driver)}, {wheel} is built with CUDA "
        f"{version_text(built)} and needs a driver for CUDA {needed}.0 or newer",
        f"{update}{older if 12000 <= driver < 13000 and needed > 12 else ''}.",
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


def _look_at_device(
    cupy: Any, installed: Sequence[str], driver: int, built: int
) -> Card | Obstacle:
    """Capability, compiler, and a kernel that runs."""
    runtime = cupy.cuda.runtime
    try:
        properties = runtime.getDeviceProperties(runtime.getDevice())
    except runtime.CUDARuntimeError as error:
        return _unusable("the CUDA device", error)
    name = properties["name"].decode()
    capability = (int(properties["major"]), int(properties["minor"]))
    if capability < LEAST_CAPABILITY:
        return _old_device(name, capability)
    try:
        nvrtc = ".".join(str(number) for number in cupy.cuda.nvrtc.getVersion())
    except Exception as error:  # CuPy 13 raises RuntimeError, 14 an error of cuda.pathfinder
        return _no_compiler(installed, built, error)
    if capability < LEAST_CAPABILITY_CUDA_13 and int(nvrtc.partition(".")[0]) >= 13:
        return _left_behind(name, capability, installed, nvrtc)
    try:
        ran = int(cupy.arange(3)[2]) == 2
    except Exception as error:  # headers missing, memory full, card busy or in error
        if type(error).__name__ in {"CompileException", "NVRTCError", "DynamicLibNotFoundError"}:
            return _no_compiler(installed, built, error)
        return _unusable(name, error)
    if not ran:
        return _unusable(name, "a first kernel gave a wrong result")
    return Card(
        name=name,
        compute_capability=f"{capability[0]}.{capability[1]}",
        cupy=str(cupy.__version__),
        driver=version_text(driver),
        runtime=version_text(built),
        nvrtc=nvrtc,
    )


def _old_device(name: str, capability: tuple[int, int]) -> Obstacle:
    return Obstacle(
        "old-device",
        f"{name} has compute capability {capability[0]}.{capability[1]}, the kernels need "
        f"{LEAST_CAPABILITY[0]}.{LEAST_CAPABILITY[1]} or more",
        "Choose another card by CUDA_VISIBLE_DEVICES, if nvidia-smi -L lists one.",
    )


def _left_behind(
    name: str, capability: tuple[int, int], installed: Sequence[str], nvrtc: str
) -> Obstacle:
    return Obstacle(
        "old-device",
        f"{name} has compute capability {capability[0]}.{capability[1]}, for which CUDA {nvrtc} "
        "no longer compiles",
        f"Run: {_reinstall(installed, 'cuda12')}; NVRTC must be of CUDA 12 too.",
    )


def _no_compiler(installed: Sequence[str], built: int, error: Exception) -> Obstacle:
    toolkit = f"install the CUDA toolkit {built // 1000}"
    wheels = [name for name in installed if "-cuda" in name]
    remedy = f"Run: pip install -U '{wheels[0]}[ctk]', or {toolkit}." if wheels else f"{toolkit}."
    return Obstacle(
        "no-compiler",
        "CuPy cannot compile kernels, because NVRTC or CUDA's headers are missing "
        f"({_first_line(error)})",
        remedy[0].upper() + remedy[1:],
    )


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
