"""What is shipped: the sdist, the wheel that is made of it, and eventsim as that wheel installs it.

Nothing here needs the network: both are built without isolation, and the new environment sees the
dependencies of the one that the tests run in, but not its eventsim.
"""

import email
import json
import os
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import zipfile
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import pytest

import eventsim
from eventsim.embedded import wasm
from eventsim.kernels.build import Platform, source_hash
from tests.support.checkout import ROOT, project, tracked_files
from tests.support.simt import why_not

COMPILES = wasm.find_compiler() is not None
ENGINE = "eventsim/embedded/web/engine.wasm"
PACKAGES = {"eventsim": "eventsim", "datasets": "eventsim/datasets"}  # in the checkout, installed


@dataclass(frozen=True)
class Built:
    """The files that ``python -m build`` makes of the files that git tracks."""

    sdist: Path
    wheel: Path


@dataclass(frozen=True)
class Installed:
    """A new environment with the wheel, and a folder that holds tests but no eventsim."""

    environment: Path
    outside: Path

    def run(self, *command):
        """Standard output of a command of the environment."""
        program = self.environment / "bin" / command[0]
        cleared = {k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "PYTEST"))}
        # Where there is a card the host build is tested all the same.
        env = cleared | {"CUDA_VISIBLE_DEVICES": ""}
        return call(program, *command[1:], cwd=self.outside, env=env)


def call(*command, **options):
    """Standard output of a command that ends with 0."""
    done = subprocess.run(command, capture_output=True, text=True, check=False, **options)
    if done.returncode:
        told = f"{command} ended with {done.returncode}"
        pytest.fail(f"{told}\n{done.stdout[-4000:]}\n{done.stderr[-4000:]}", pytrace=False)
    return done.stdout


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    folder = tmp_path_factory.mktemp("dist")
    for path in tracked_files():
        (folder / "copy" / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / path, folder / "copy" / path)
    # As in a checkout with an editable installation: these are of no wheel.
    for old in (f"kernels/{Platform.here().library}", "embedded/web/engine.wasm"):
        (folder / "copy" / "eventsim" / old).write_text("in place")
    # The sdist first, then the wheel from the sdist. Objects of the same sources, by the same
    # compiler, that the checkout has are taken.
    kernels = {"EVENTSIM_BUILD_LEVELS": "all", "EVENTSIM_BUILD_FOLDER": f"{ROOT}/build/kernels"}
    options = ("--no-isolation", "--outdir", folder)
    pages = {} if COMPILES else {"EVENTSIM_BUILD_WEB": "0"}
    command = (sys.executable, "-m", "build", *options, folder / "copy")
    call(*command, cwd=folder, env=os.environ | kernels | pages)
    (sdist,), (wheel,) = folder.glob("*.tar.gz"), folder.glob("*.whl")
    return Built(sdist, wheel)


@pytest.fixture(scope="module")
def installed(built, tmp_path_factory):
    folder = tmp_path_factory.mktemp("installed")
    environment, outside = folder / "venv", folder / "outside"
    call(sys.executable, "-m", "venv", "--without-pip", environment)
    pip = (sys.executable, "-m", "pip", "--disable-pip-version-check", "--python")
    install = ("install", "--quiet", "--no-deps", "--no-index", built.wheel)
    call(*pip, environment / "bin" / "python", *install)
    (packages,) = environment.glob("lib/python*/site-packages")
    # A path file adds folders, but what path files of these folders add stays out: the checkout.
    here = [entry for entry in sys.path if Path(entry).name in ("site-packages", "dist-packages")]
    (packages / "dependencies.pth").write_text("\n".join(here), "utf-8")
    with tarfile.open(built.sdist) as archive:
        archive.extractall(folder, filter="data")
    (unpacked,) = folder.glob("eventsim_snn-*")
    outside.mkdir()
    for name in ("tests", "pyproject.toml"):
        (unpacked / name).rename(outside / name)
    return Installed(environment, outside)


def shipped(path):
    """Where a file of the checkout lies in a wheel, None if it does not."""
    inside = PACKAGES.get(path.parts[0])
    return None if inside is None else str(PurePosixPath(inside, *path.parts[1:]))


def test_wheel_holds_every_file_of_the_packages_and_nothing_else(built):
    with zipfile.ZipFile(built.wheel) as archive:
        found = {name for name in archive.namelist() if ".dist-info/" not in name}
    made = {f"eventsim/kernels/{Platform.here().library}"}
    if COMPILES:
        made |= {ENGINE}
    assert found == made | {place for path in tracked_files() if (place := shipped(path))}
    assert {
        "eventsim/kernels/neuron/crossing.hpp",
        "eventsim/kernels/cpu/level.cpp",
        "eventsim/engine/cuda/kernels/queue.cu",
    } <= found


@pytest.mark.skipif(not COMPILES, reason="nothing compiles for WebAssembly")
def test_wheel_has_the_engine_of_pages_that_its_own_text_makes(installed):
    code = "from eventsim.embedded.web import read_engine; print(len(read_engine()))"
    assert int(installed.run("python", "-c", code)) > 10_000


@pytest.mark.skipif(not COMPILES, reason="nothing compiles for WebAssembly")
def test_sdist_has_the_engine_of_pages_so_that_its_wheels_need_no_compiler_for_it(built):
    with tarfile.open(built.sdist) as archive:
        (name,) = (name for name in archive.getnames() if name.endswith(ENGINE))
        assert wasm.built_from(archive.extractfile(name).read()) == wasm.source_hash()


def test_wheel_is_for_every_python_of_its_platform_and_every_processor_of_it(built):
    platform = sysconfig.get_platform().replace("-", "_").replace(".", "_")
    assert built.wheel.name == f"eventsim_snn-{eventsim.__version__}-py3-none-{platform}.whl"
    here = Platform.here()
    with zipfile.ZipFile(built.wheel) as archive:
        (tag,) = (name for name in archive.namelist() if name.endswith(".dist-info/WHEEL"))
        assert "Root-Is-Purelib: false" in archive.read(tag).decode()
        library = archive.read(f"eventsim/kernels/{here.library}")
    assert f"{source_hash()}\n{' '.join(here.levels)}\n".encode() in library


needs_nm = pytest.mark.skipif(
    shutil.which("nm") is None or sys.platform != "linux", reason="asks nm of objects for Linux"
)


@needs_nm
def test_fused_multiply_add_is_an_instruction_everywhere(built):
    """Not every mathematical library of C rounds once."""
    objects = sorted((ROOT / "build" / "kernels").glob("linux-*/*.o"))
    assert objects
    for path in objects:
        called = call("nm", "--undefined-only", "--format=posix", path).split()
        assert not {"fma", "fmaf"} & set(called), path


@needs_nm
def test_levels_share_no_function(built):
    """Of one that two objects hold the linker takes the first, whatever its instructions are."""
    names, weak = defaultdict(set), {}
    for path in sorted((ROOT / "build" / "kernels").glob("linux-*/level-*.o")):
        level = path.stem.split("-")[1]
        for line in call("nm", "--defined-only", "--format=posix", path).splitlines():
            name, kind = line.split()[:2]
            names[level].add(name)
            if kind in "WVu":
                weak[name] = level
    assert set(names) == set(Platform.here().levels)
    assert weak
    for name, level in weak.items():
        assert [each for each in names if name in names[each]] == [level], name


def test_sdist_holds_every_file_that_is_not_hidden(built):
    with tarfile.open(built.sdist) as archive:
        names = [PurePosixPath(entry.name) for entry in archive.getmembers() if entry.isfile()]
    found = {str(PurePosixPath(*name.parts[1:])) for name in names}
    made = {name for name in found if name == "PKG-INFO" or ".egg-info/" in name} | {"setup.cfg"}
    made |= {ENGINE} if COMPILES else set()
    expected = {str(path) for path in tracked_files() if not path.parts[0].startswith(".")}
    assert found - made == expected
    assert {"CHANGELOG.md", "Makefile", "tests/conftest.py", "bench/harness.py"} <= found


def test_metadata_is_that_of_the_project(built):
    with zipfile.ZipFile(built.wheel) as archive:
        (name,) = (entry for entry in archive.namelist() if entry.endswith("/METADATA"))
        metadata = email.message_from_bytes(archive.read(name))
    assert metadata["Name"] == "eventsim-snn"
    assert metadata["Version"] == eventsim.__version__
    assert set(metadata.get_all("Provides-Extra")) == project()["optional-dependencies"].keys()
    assert len(metadata.get_all("Project-URL")) == len(project()["urls"]) > 0


def test_installed_package_reads_all_its_data(installed):
    found = json.loads(installed.run("python", "-m", "tests.support.installed"))
    assert Path(found["file"]).is_relative_to(installed.environment)
    assert found["version"] == found["distribution"] == eventsim.__version__
    for kind, pattern in {
        "chips": "eventsim/chips/*.toml",
        "cases": "eventsim/conformance/cases/*.json",
        "recipes": "eventsim/experiment/recipes/*.toml",
        "tasks": "eventsim/experiment/tasks/*.toml",
    }.items():
        in_checkout = [p.stem for p in tracked_files() if p.match(pattern)]
        assert sorted(found[kind]) == sorted(in_checkout), kind
    assert found["kernels"] > 10
    assert found["levels"] == list(Platform.here().levels)
    assert all(found[name] for name in ("style", "script", "typed", "datasets"))


@pytest.mark.crossed("a process for each", test=0)
@pytest.mark.parametrize("command", [("eventsim",), ("python", "-m", "eventsim")])
def test_installed_command_says_its_version(installed, command):
    assert installed.run(*command, "--version") == f"eventsim {eventsim.__version__}\n"


@pytest.mark.thorough("compiles the CUDA text anew, in an installed package")
@pytest.mark.skipif(why_not() is not None, reason=str(why_not()))
def test_host_build_of_the_installed_kernels_agrees_with_reference(installed):
    tests = ("tests/parity/test_simulate.py", "-k", "cuda-host", "-n", "0", "-q")
    said = installed.run("python", "-m", "pytest", "-p", "no:cacheprovider", *tests)
    assert " passed" in said
    assert "skipped" not in said
