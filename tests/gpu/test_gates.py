"""The CUDA text compiles for real devices, without one: by nvcc, and by NVRTC as CuPy does it."""

import re
import shutil
import subprocess
from importlib.util import find_spec
from itertools import product
from types import SimpleNamespace

import pytest

from eventsim.engine.cuda import compile as kernels
from eventsim.engine.cuda.compile import OPTIONS
from eventsim.engine.cuda.device import kernel_source, signatures
from eventsim.errors import CacheWarning

if find_spec(
    "cupy_backends"
):  # loaded before a test loads torch, whose older NVRTC CuPy would take
    from cupy_backends.cuda.libs import nvrtc

    nvrtc.getVersion()

ARCHITECTURES = ["sm_75", "sm_80", "sm_90", "sm_120"]
# Bytes of ``shared_backward`` in double precision, which takes all 255 registers there.
SPILLED = {"sm_100": 8, "sm_120": 8}
PRECISIONS = ["single", "double"]

NVCC = shutil.which("nvcc")

A_FEW_NUMBERS = 128  # bytes, of kernels for adaptive thresholds
# Bytes of stack: by pieces and by stretches a crossing starts from nine numbers each.
TWO_STARTS = {"windows_forward": 144}

# What flushes denormal numbers, or approximates, in PTX.
_INEXACT = re.compile(r"\S+\.(?:ftz|approx|full)\S*")
_COMPILED = re.compile(
    r"Compiling entry function '(\w+)'.*?"
    r"(\d+) bytes stack frame, (\d+) bytes spill stores, (\d+) bytes spill loads.*?"
    r"Used (\d+) registers",
    re.DOTALL,
)


def _looked_at(cupy, monkeypatch, architecture, source):
    """Machine code of a text, and what its kernels keep beyond registers; PTX is looked at, too."""
    monkeypatch.setattr(kernels, "OPTIONS", (*OPTIONS, "--ptxas-options=-v"))
    cupy.target = (f"-arch={architecture}", "cubin")
    code = kernels.compiled(cupy, source)
    (log,), (ptx,) = cupy.logs, cupy.texts
    assert "warning" not in log.lower()
    assert set(signatures(source)) <= set(re.findall(r"\.entry (\w+)", ptx))
    assert _INEXACT.findall(ptx) == []
    return code, _beyond_registers(log, source)


def _beyond_registers(log, source):
    """Stack frame, spill stores and spill loads of the kernels that have any, by ptxas's words."""
    compiled = {name: [int(n) for n in rest] for name, *rest in _COMPILED.findall(log)}
    assert compiled.keys() == signatures(source).keys()
    return {name: used[:3] for name, used in compiled.items() if any(used[:3])}


@pytest.mark.skipif(NVCC is None, reason="nvcc is not installed")
@pytest.mark.nightly("NVRTC compiles the same text below; CI runs this where the CUDA text changed")
@pytest.mark.parametrize("precision", PRECISIONS)
def test_nvcc_compiles_without_a_warning_or_a_spill(tmp_path, precision):
    architecture = ARCHITECTURES[-1]  # the one that NVRTC spills on; of the others it is asked
    known = subprocess.run([NVCC, "--list-gpu-code"], capture_output=True, text=True, check=True)
    if architecture not in known.stdout.split():
        pytest.skip(f"this nvcc does not know {architecture}")
    source = kernel_source(precision)
    (tmp_path / "kernels.cu").write_text(source, "utf-8")
    command = [
        NVCC, *OPTIONS, f"-arch={architecture}", "-cubin", "--resource-usage",
        "-Werror", "all-warnings", "kernels.cu", "-o", "kernels.cubin",
    ]  # fmt: skip
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert _beyond_registers(done.stderr, source) == {}


@pytest.fixture
def cupy(monkeypatch, tmp_path):
    """Real CuPy and NVRTC, which are told of a device of compute capability 9.0.

    ``cupy.target`` is what CuPy asks the compiler for, ``cupy.options`` what NVRTC was given,
    ``cupy.logs`` what it said, ``cupy.texts`` the PTX that it made on its way.
    """
    real = pytest.importorskip("cupy", reason="CuPy is not installed")
    monkeypatch.setenv("EVENTSIM_CACHE", str(tmp_path / "cache"))
    cuda = SimpleNamespace(
        compiler=real.cuda.compiler,
        nvrtc=real.cuda.nvrtc,
        function=real.cuda.function,
        Device=lambda: SimpleNamespace(compute_capability="90"),
    )
    found = SimpleNamespace(
        cuda=cuda,
        __version__=real.__version__,
        target=("-arch=sm_90", "cubin"),
        options=[],
        logs=[],
        texts=[],
    )
    compile_program = real.cuda.nvrtc.compileProgram

    def recorded(program, options):
        found.options.append(tuple(options))
        compile_program(program, options)
        found.logs.append(real.cuda.nvrtc.getProgramLog(program))
        found.texts.append(real.cuda.nvrtc.getPTX(program).decode())

    monkeypatch.setattr(
        real.cuda.compiler, "_get_arch_for_options_for_nvrtc", lambda arch: found.target
    )
    monkeypatch.setattr(real.cuda.nvrtc, "compileProgram", recorded)
    return found


ASKED = [
    ("sm_75", "double", True),  # the least text
    ("sm_90", "single", False),
]
OTHERS = [
    *((name, precision, False) for name in ARCHITECTURES for precision in PRECISIONS),
    ("sm_75", "single", True),
]


@pytest.mark.crossed(
    "seconds to compile each; CI compiles for sm_120 where the CUDA text changed", test=0
)
@pytest.mark.parametrize(
    ("architecture", "precision", "adaptive"),
    [
        *ASKED,
        *(
            pytest.param(*case, marks=pytest.mark.nightly("another compilation of seconds"))
            for case in [*OTHERS, ("sm_100", "double", False)]
            if case not in ASKED
        ),
    ],
)
def test_nvrtc_compiles_what_the_loader_asks_for(
    cupy, monkeypatch, architecture, precision, adaptive
):
    source = kernel_source(precision, adaptive)
    code, beyond = _looked_at(cupy, monkeypatch, architecture, source)
    for kernel in signatures(source):
        assert f".text.{kernel}".encode() in code
    if adaptive:  # keeps some numbers of a thread in memory
        beyond = {
            name: used
            for name, used in beyond.items()
            if max(used) > TWO_STARTS.get(name, A_FEW_NUMBERS)
        }
    elif precision == "double" and architecture in SPILLED:
        assert max(beyond.pop("shared_backward", [0])) <= SPILLED[architecture]
    assert beyond == {}


# Bytes of stack and spills that a thread of linear neurons has, by their number of states: the most
# that was measured. With 5 states in double, on all architectures (29410445; 672 before parts of
# trains met their arrivals side by side).
LINEAR_BYTES = {2: 0, 3: 0, 4: 0, 5: 776}


@pytest.mark.parametrize(
    ("states", "architecture", "precision"),
    [
        (2, "sm_90", "single"),  # the least text
        *(
            pytest.param(*case, marks=pytest.mark.nightly("seconds to compile; the first does it"))
            for case in product(LINEAR_BYTES, [*ARCHITECTURES, "sm_100"], PRECISIONS)
            if case != (2, "sm_90", "single")
        ),
    ],
)
def test_nvrtc_compiles_linear_neurons_of_every_number_of_states(
    cupy, monkeypatch, states, architecture, precision
):
    source = kernel_source(precision, states=states)
    _, beyond = _looked_at(cupy, monkeypatch, architecture, source)
    assert max((max(used) for used in beyond.values()), default=0) <= LINEAR_BYTES[states]


def test_flag_that_cupy_appends_elsewhere_would_be_seen(cupy, monkeypatch):
    source = 'extern "C" __global__ void one(float* a) { a[0] *= 2.0f; }'
    kernels.compiled(cupy, source)
    monkeypatch.setattr(kernels, "OPTIONS", (*OPTIONS, "-ftz=true"))
    kernels.compiled(cupy, source)
    exact, flushing = (_INEXACT.findall(ptx) for ptx in cupy.texts)
    assert exact == []
    assert len(flushing) == 1


def test_compiled_kernels_are_kept_until_something_changes_or_is_damaged(cupy, tmp_path):
    source = 'extern "C" __global__ void one(float* a) { a[0] *= 2.0f; }'
    code = kernels.compiled(cupy, source)
    assert kernels.compiled(cupy, source) == code
    (given,) = cupy.options
    assert [option for option in given if "ftz" in option] == ["--ftz=false"]
    assert [option for option in given if "fmad" in option] == ["--fmad=false"]
    (kept,) = (tmp_path / "cache" / "cuda").iterdir()
    kept.write_bytes(kept.read_bytes()[:-1])
    assert kernels.compiled(cupy, source) == code
    assert len(cupy.options) == 2
    cupy.cuda.Device = lambda: SimpleNamespace(compute_capability="80")
    kernels.compiled(cupy, source)
    kernels.compiled(cupy, source.replace("2.0f", "3.0f"))
    assert len(cupy.options) == 4


def test_kernels_are_compiled_without_a_cache_where_none_can_be_written(
    cupy, tmp_path, monkeypatch
):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("EVENTSIM_CACHE", str(tmp_path / "file" / "below"))
    source = 'extern "C" __global__ void one(float* a) { a[0] *= 2.0f; }'
    with pytest.warns(CacheWarning, match=r"CUDA kernels cannot be kept.*EVENTSIM_CACHE"):
        assert b".text.one" in kernels.compiled(cupy, source)
