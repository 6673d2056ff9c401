"""How the library of the CPU's kernels is compiled: which compiler, which levels, what is said.

A shell script stands in for the compiler: it writes its options into what it makes. What real ones
make is in test_wheel.py.
"""

import importlib.util
import os
import runpy
import shutil
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from setuptools import build_meta

from eventsim.embedded import wasm
from eventsim.kernels import build
from eventsim.kernels.build import BuildError, Compiler, Platform
from tests.support.checkout import ROOT
from tests.support.levels import levels_here

LINUX = Platform("linux", "x86_64")
COMPILER = """#!/bin/sh
case "$*" in *--version) echo "standin 1.0"; exit;; esac
echo "$@" >> {log}
while [ $# -gt 0 ]; do
  case "$1" in
    -o) to=$2;;
    -DBUILT=*) built=$(printf '%b' "$1");;
    *.o) built="$built$(cat "$1")";;
  esac
  shift
done
echo "$built" > "$to"
"""
FAILING = """#!/bin/sh
case "$*" in *--version) echo "standin 2.0"; exit;; esac
echo "In file included from level.cpp:6:" >&2
for k in 1 2 3 4 5 6 7 8 9 10 11 12 13; do
  echo "dense/forward.hpp:$k:5: error: expected ';' before $k" >&2
done
exit 1
"""


@pytest.fixture(autouse=True)
def without_names(monkeypatch):
    for name in (
        "CXX",
        "EVENTSIM_BUILD_LEVELS",
        "EVENTSIM_BUILD_FOLDER",
        "ARCHFLAGS",
        "EVENTSIM_BUILD_WEB",
    ):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def kernels(tmp_path, monkeypatch):
    """A folder of sources in place of the real one, and of objects."""
    folder = tmp_path / "kernels"
    (folder / "cpu").mkdir(parents=True)
    for name in ("numbers.hpp", "build.py", "cpu/level.cpp", "cpu/built.cpp"):
        (folder / name).write_text(name)
    monkeypatch.setattr(build, "KERNELS", folder)
    monkeypatch.setattr(Platform, "here", lambda: LINUX)
    monkeypatch.setenv("EVENTSIM_BUILD_FOLDER", str(tmp_path / "objects"))
    monkeypatch.setenv("EVENTSIM_BUILD_LEVELS", "v3,v4")
    return folder


@pytest.fixture
def compiled(tmp_path, monkeypatch, kernels):
    """Build into ``kernels``; returns whether it is new, and the files that were compiled."""
    log = tmp_path / "log"
    monkeypatch.setenv("CXX", script(tmp_path / "standin", COMPILER.format(log=log)))

    def run():
        log.write_text("")
        _, new = build.build(kernels)
        words = [line.split() for line in log.read_text().splitlines()]
        return new, sorted(line[line.index("-c") + 1] for line in words if "-c" in line)

    return run


def script(path, text):
    path.write_text(text)
    path.chmod(0o755)
    return str(path)


def path_of(tmp_path, monkeypatch, *names):
    """PATH with these programs alone."""
    for name in names:
        script(tmp_path / name, "#!/bin/sh\n")
    monkeypatch.setenv("PATH", str(tmp_path))


def without_ziglang(monkeypatch):
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda n: None if n == "ziglang" else find(n))


def test_compiler_is_what_cxx_names_before_those_of_the_system(tmp_path, monkeypatch):
    path_of(tmp_path, monkeypatch, "g++", "clang++")
    assert build.find_compiler() == Compiler(("g++",))
    path_of(tmp_path, monkeypatch, "c++")
    assert build.find_compiler() == Compiler(("c++",))
    monkeypatch.setenv("CXX", "ccache clang++ -stdlib=libc++")
    assert build.find_compiler() == Compiler(("ccache", "clang++", "-stdlib=libc++"))
    assert build.requirements() == []


def test_ziglang_is_asked_for_where_there_is_no_compiler_or_cxx_names_it(tmp_path, monkeypatch):
    without_ziglang(monkeypatch)
    path_of(tmp_path, monkeypatch)
    assert build.find_compiler() is None
    (needed,) = build.requirements()
    assert needed.startswith("ziglang")
    path_of(tmp_path, monkeypatch, "g++")
    assert build.requirements() == []
    monkeypatch.setenv("CXX", "ziglang")
    assert build.requirements() == [needed]


PAGES = ["ziglang>=0.13"]


@pytest.mark.parametrize(
    ("asked", "programs", "in_place", "wanted"),
    [
        (None, (), "none", {"sdist": PAGES, "wheel": PAGES, "editable": []}),
        ("1", (), "other", {"sdist": PAGES, "wheel": PAGES, "editable": PAGES}),
        ("0", (), "none", {"sdist": [], "wheel": [], "editable": []}),
        ("1", (), "same", {"sdist": [], "wheel": [], "editable": []}),  # as in an sdist
        (None, ("clang", "wasm-ld"), "none", {"sdist": [], "wheel": [], "editable": []}),
    ],
)
def test_pip_brings_ziglang_for_the_engine_of_pages_where_a_wheel_would_lack_it(
    tmp_path, monkeypatch, asked, programs, in_place, wanted
):
    monkeypatch.setattr(wasm, "HERE", tmp_path)
    monkeypatch.setattr(wasm, "source_hash", lambda: 16 * "a")
    (tmp_path / "web").mkdir()
    if in_place != "none":
        content = b"wasm" + 16 * (b"a" if in_place == "same" else b"b")
        (tmp_path / "web" / "engine.wasm").write_bytes(content)
    without_ziglang(monkeypatch)
    path_of(tmp_path, monkeypatch, "c++", *programs)
    if asked is not None:
        monkeypatch.setenv("EVENTSIM_BUILD_WEB", asked)
    for name, module in ("build", build), ("wasm", wasm):
        monkeypatch.setitem(sys.modules, name, module)
    monkeypatch.setattr(sys, "path", [*sys.path])
    backend = runpy.run_path(str(ROOT / "eventsim" / "kernels" / "backend.py"))
    for of, needed in wanted.items():
        name = f"get_requires_for_build_{of}"
        monkeypatch.setattr(build_meta, name, lambda _: ["setuptools"])
        assert backend[name]() == ["setuptools", *needed]


def test_a_build_that_shall_have_no_engine_of_pages_takes_none_that_is_there(tmp_path, monkeypatch):
    monkeypatch.setattr(wasm, "source_hash", lambda: 16 * "a")
    (tmp_path / "engine.wasm").write_bytes(b"wasm" + 16 * b"a")
    assert wasm.build(tmp_path) == (tmp_path / "engine.wasm", False)
    monkeypatch.setenv("EVENTSIM_BUILD_WEB", "0")
    with pytest.raises(wasm.NotBuilt, match="is 0"):
        wasm.build(tmp_path)


def test_a_build_needs_no_ziglang_for_pages_where_there_is_none(tmp_path, monkeypatch):
    monkeypatch.setattr(wasm, "HERE", tmp_path)
    without_ziglang(monkeypatch)
    path_of(tmp_path, monkeypatch)
    monkeypatch.setattr(sys, "platform", "freebsd14")
    assert wasm.requirements() == []
    monkeypatch.setenv("EVENTSIM_BUILD_WEB", "1")
    assert wasm.requirements() == PAGES


def test_ziglang_that_is_installed_compiles(tmp_path, monkeypatch):
    path_of(tmp_path, monkeypatch)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: name == "ziglang")
    compiler = build.find_compiler()
    assert compiler == Compiler((sys.executable, "-m", "ziglang", "c++"))
    command = compiler.compiling(LINUX, "v4")
    assert command[command.index("-target") + 1].startswith("x86_64-linux-")
    assert "-march=x86_64_v4" in command
    assert compiler.linking(LINUX)[3] == "cc"


def test_build_without_a_compiler_says_what_to_install(tmp_path, monkeypatch, kernels):
    without_ziglang(monkeypatch)
    path_of(tmp_path, monkeypatch)
    with pytest.raises(BuildError, match=r"No C\+\+ compiler was found.*pip install ziglang"):
        build.build(kernels)


def test_failed_build_names_compiler_first_errors_and_another_way(tmp_path, monkeypatch, kernels):
    failing = script(tmp_path / "failing", FAILING)
    monkeypatch.setenv("CXX", f"{failing} -O")
    with pytest.raises(BuildError) as caught:
        build.build(kernels)
    told = str(caught.value)
    assert f"The compiler {failing} -O (standin 2.0) says:" in told
    assert "    dense/forward.hpp:1:5: error: expected ';' before 1\n" in told
    assert "before 12\n" in told
    assert "before 13\n" not in told
    assert "CXX=clang++ pip install ." in told
    assert not (kernels / LINUX.library).exists()


def test_compiler_that_is_not_there_is_named(monkeypatch, kernels):
    monkeypatch.setenv("CXX", "/no/such/compiler")
    with pytest.raises(BuildError, match=r"'/no/such/compiler' cannot be started.*CXX"):
        build.build(kernels)


def test_library_is_compiled_again_where_its_text_changed_and_no_more_than_that(kernels, compiled):
    assert compiled() == (True, ["built.cpp", *4 * ["level.cpp"]])
    assert compiled() == (False, [])
    os.utime(kernels / "numbers.hpp")
    assert compiled() == (False, [])
    (kernels / "cpu" / "built.cpp").write_text("other")
    assert compiled() == (True, ["built.cpp"])
    (kernels / "numbers.hpp").write_text("other")
    assert compiled() == (True, ["built.cpp", *4 * ["level.cpp"]])
    (kernels / LINUX.library).unlink()
    assert compiled() == (True, [])


def test_of_two_builds_at_a_time_one_waits_for_the_other(kernels, compiled):
    with ThreadPoolExecutor(2) as pool:
        builds = [pool.submit(build.build, kernels) for _ in range(2)]
        assert sorted(each.result()[1] for each in builds) == [False, True]
    assert compiled() == (False, [])


def test_library_is_compiled_again_for_other_levels(monkeypatch, compiled):
    monkeypatch.setenv("EVENTSIM_BUILD_LEVELS", "v3")
    compiled()
    monkeypatch.setenv("EVENTSIM_BUILD_LEVELS", "all")
    assert compiled() == (True, ["built.cpp", *2 * ["level.cpp"]])
    assert compiled() == (False, [])


def test_library_is_compiled_again_by_a_compiler_that_is_named_and_by_no_other(
    tmp_path, monkeypatch, compiled
):
    compiled()
    text = COMPILER.format(log=tmp_path / "log")
    newer = script(tmp_path / "newer", text.replace("standin 1.0", "standin 2.0"))
    with monkeypatch.context() as context:
        context.delenv("CXX")
        context.setattr(build, "find_compiler", lambda: pytest.fail("the library is there"))
        assert compiled() == (False, [])
    monkeypatch.setenv("CXX", newer)
    assert compiled() == (True, ["built.cpp", *4 * ["level.cpp"]])
    assert compiled() == (False, [])


def test_library_names_its_sources_its_levels_and_its_compiler(kernels, compiled):
    compiled()
    assert f"{build.source_hash()}\nv3 v4\nstandin 1.0\n" in (kernels / LINUX.library).read_text()


def test_levels_are_those_of_the_machine_unless_others_are_asked_for(monkeypatch):
    monkeypatch.setattr(build, "_processor", lambda: build.NEEDS["v3"] | {"sse2"})
    assert build.levels_asked(LINUX) == ("v3",)
    assert build.levels_asked(Platform("linux", "aarch64")) == ("neon",)
    monkeypatch.setattr(build, "_processor", lambda: None)
    assert build.levels_asked(LINUX) == ("v3", "v4")
    monkeypatch.setenv("EVENTSIM_BUILD_LEVELS", "v4 v3")
    assert build.levels_asked(LINUX) == ("v3", "v4")
    monkeypatch.setenv("EVENTSIM_BUILD_LEVELS", "v3,plain")
    with pytest.raises(BuildError, match=r"'plain' is no level of linux on x86_64.*v3, v4"):
        build.levels_asked(LINUX)


def test_processor_without_avx2_is_refused_by_name_and_builds_for_others(monkeypatch):
    monkeypatch.setattr(build, "_processor", lambda: build.V3 - {"avx2", "fma"} | {"sse2"})
    with pytest.raises(BuildError, match=r"lacks avx2, fma: .*EVENTSIM_BUILD_LEVELS=all"):
        build.levels_asked(LINUX)
    monkeypatch.setenv("EVENTSIM_BUILD_LEVELS", "all")
    assert build.levels_asked(LINUX) == ("v3", "v4")


def test_machine_that_has_no_kernels_is_refused_by_name():
    with pytest.raises(BuildError, match=r"riscv64: they need x86-64 .*, or 64-bit ARM"):
        build.levels_asked(Platform("linux", "riscv64"))


def test_levels_of_this_machine_are_those_that_the_library_finds_by_cpuid():
    if not Path("/proc/cpuinfo").exists():
        pytest.skip("asks /proc/cpuinfo")
    build.build(build.KERNELS)
    assert list(build.levels_asked(Platform.here())) == levels_here()


@pytest.mark.parametrize(
    ("target", "triple", "name"),
    [
        (Platform("linux", "aarch64"), "aarch64-linux-gnu.2.17", "libeventsim.so"),
        (Platform("darwin", "aarch64"), "aarch64-macos.11.0", "libeventsim.dylib"),
        (Platform("windows", "x86_64"), "x86_64-windows-gnu", "libeventsim.dll"),
    ],
    ids=str,
)
@pytest.mark.nightly("compiles the text for other platforms, by ziglang where it is installed")
def test_text_compiles_for_other_platforms(target, triple, name, tmp_path, monkeypatch):
    pytest.importorskip("ziglang", reason="pip install ziglang")
    monkeypatch.setenv("EVENTSIM_BUILD_FOLDER", str(tmp_path))
    monkeypatch.setenv("CXX", "ziglang")
    monkeypatch.setattr(Platform, "here", lambda: target)
    monkeypatch.setenv("EVENTSIM_BUILD_LEVELS", "all")
    assert target.triple == triple
    library, new = build.build(tmp_path)
    assert new
    assert library.name == name


@pytest.mark.nightly("compiles every level by every compiler")
@pytest.mark.parametrize("compiler", ["g++", "clang++"])
@pytest.mark.parametrize("level", ["v3", "v4"])
@pytest.mark.parametrize("of", build.TYPES)
def test_text_has_no_warnings(compiler, level, of, tmp_path):
    if shutil.which(compiler) is None:
        pytest.skip(f"{compiler} is not installed")
    if Platform.here() != LINUX:
        pytest.skip("levels of x86-64")
    compiler = Compiler((compiler,))
    # GCC takes numbers of a vector that are written one by one for uninitialised.
    wrong = ("-Wno-maybe-uninitialized", "-Wno-unknown-warning-option")
    command = (*compiler.compiling(LINUX, level), f"-DKERNEL_TYPE={of}")
    command += ("-Wall", "-Wextra", "-Werror", *wrong)
    build._compile(compiler, (*command, "-c", "level.cpp", "-o", str(tmp_path / "o")))
