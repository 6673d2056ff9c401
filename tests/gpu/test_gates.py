"""The CUDA text compiles for real devices, without one: by nvcc, and by NVRTC as CuPy does."""

import re
import shutil
import subprocess

import pytest

from eventsim.engine.cuda.device import OPTIONS, kernel_source, signatures

ARCHITECTURES = ["sm_75", "sm_80", "sm_90", "sm_120"]
PRECISIONS = ["single", "double"]

NVCC = shutil.which("nvcc")

_COMPILED = re.compile(
    r"Compiling entry function '(\w+)'.*?"
    r"(\d+) bytes stack frame, (\d+) bytes spill stores, (\d+) bytes spill loads.*?"
    r"Used (\d+) registers",
    re.DOTALL,
)


@pytest.mark.skipif(NVCC is None, reason="nvcc is not installed")
@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_nvcc_compiles_without_a_warning_or_a_spill(tmp_path, architecture, precision):
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
    compiled = {name: [int(n) for n in rest] for name, *rest in _COMPILED.findall(done.stderr)}
    assert compiled.keys() == signatures(source).keys()
    # Stack frame, spill stores, spill loads.
    assert {name: used[:3] for name, used in compiled.items() if any(used[:3])} == {}


@pytest.mark.parametrize("precision", PRECISIONS)
def test_nvrtc_compiles(precision):
    core = pytest.importorskip("cuda.core", reason="cuda-core is not installed")
    pytest.importorskip("cuda.bindings.nvrtc", reason="cuda-bindings is not installed")
    assert OPTIONS == ("-std=c++17", "--fmad=false")  # what the next line says
    options = core.ProgramOptions(arch="sm_90", std="c++17", fma=False)
    cubin = core.Program(kernel_source(precision), "c++", options).compile("cubin").code
    for kernel in signatures(kernel_source(precision)):
        assert f".text.{kernel}".encode() in cubin
