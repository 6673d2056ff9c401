"""The C text by the tools of others: emulated boards, zig, cppcheck's rules of MISRA C."""

import importlib.util
import itertools
import platform
import re
import shutil
import subprocess
import sys

import numpy as np
import pytest

import eventsim as es
from bench.boards import qemu
from tests.support.embedded import assert_same
from tests.unit.embedded.test_c import KINDS, recordings

MISSING = qemu.missing()
ON_BOARDS = ("stretches, adaptive", "blocks, decision", "fan-in, sparse, adaptive", "windows")
LINEAR_ON_BOARDS = (
    ("linear, side by side", "Cortex-M0"),
    ("linear, kinds mixed", "Cortex-M4F"),
    ("linear, loop", "Cortex-M7"),
)
BY_ZIG = [
    *itertools.product(ON_BOARDS, ("-O0", "-O3", "-O3 -mfma")),
    ("linear, side by side", "-O3 -mfma"),
    ("linear, loop", "-O0"),
    ("linear, kinds mixed", "-O3"),
]
ZIG = f"{sys.executable} -m ziglang cc"
RISCV = {
    "riscv64": "riscv64-linux-gnu-gcc",
    # Without a floating-point unit.
    "riscv32": f"{ZIG} -target riscv32-linux-musl -mcpu=generic_rv32+m+a+c -fno-sanitize=all",
}
HAS_ZIG = importlib.util.find_spec("ziglang") is not None
RULE = re.compile(r"misra-c2012-(\d+\.\d+)")


@pytest.mark.nightly("compiles for a board and emulates it")
@pytest.mark.skipif(bool(MISSING), reason=f"not installed: {MISSING}")
@pytest.mark.parametrize(
    ("kind", "board"), [*itertools.product(ON_BOARDS, qemu.BOARDS), *LINEAR_ON_BOARDS]
)
def test_an_emulated_board_gives_the_bits_of_cpu(kind, board, tmp_path):
    net = KINDS[kind](4)
    stream = recordings(4, n_channels=net.input.size)
    written = es.export_c(net, tmp_path, stream=stream, name="one")
    found = qemu.run(tmp_path, "one", board)
    assert found.differs == 0
    assert found.spikes == written.spikes > 100
    assert found.instructions > 1000 * found.events


@pytest.mark.nightly("compiles for a processor and emulates it; zig first compiles its library")
@pytest.mark.parametrize("target", RISCV)
@pytest.mark.parametrize("kind", ["stretches, adaptive", "linear, side by side"])
def test_an_emulated_riscv_processor_gives_the_bits_of_cpu(kind, target, tmp_path):
    compiler, emulator = RISCV[target], f"qemu-{target}"
    missing = [name for name in (compiler.split()[0], emulator) if shutil.which(name) is None]
    if missing or ("ziglang" in compiler and not HAS_ZIG):
        pytest.skip(f"not installed: {missing or 'ziglang'}")
    net = KINDS[kind](4)
    es.export_c(net, tmp_path, stream=recordings(4, n_channels=net.input.size), name="one")
    sources = ("one.c", "one_weights.c", "test/one_test.c")
    command = [*compiler.split(), "-std=c99", "-Os", "-ffp-contract=off", "-static", *sources]
    subprocess.run([*command, "-o", "one"], cwd=tmp_path, check=True)
    done = subprocess.run([emulator, "one"], cwd=tmp_path, capture_output=True, text=True)
    assert "equal to the bit." in done.stdout, done


@pytest.mark.nightly("compiles by zig")
@pytest.mark.skipif(not HAS_ZIG, reason="not installed: ziglang")
@pytest.mark.parametrize(("kind", "flags"), BY_ZIG)
def test_a_build_by_zig_gives_the_bits_of_cpu(kind, flags, tmp_path):
    net = KINDS[kind](5)
    given = recordings(5, n_channels=net.input.size)
    target = f"{platform.machine()}-linux-gnu"
    compiler = f"{ZIG} -target {target} -std=c99 -fno-sanitize=all"
    assert assert_same(net, given, tmp_path, flags=flags, compiler=compiler) > 100


@pytest.mark.nightly("cppcheck reads the text with every choice of its macros")
@pytest.mark.skipif(shutil.which("cppcheck") is None, reason="not installed: cppcheck")
def test_deviations_from_misra_are_those_that_the_readme_names(tmp_path):
    found = set()
    for kind in ("stretches, adaptive", "linear, kinds mixed"):
        net = KINDS[kind](1)
        stream = es.EventStream.from_samples(
            [(np.array([1.0]), np.array([0]))], n_channels=net.input.size, duration=2.0
        )
        es.export_c(net, tmp_path, stream=stream, name="one")
        command = ["cppcheck", "--addon=misra", "--std=c99", "--enable=style", "--template={id}"]
        command += ["one.c", "one_weights.c"]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
        found |= set(RULE.findall(done.stderr))
    text = (tmp_path / "README.md").read_text("utf-8")
    told = text.partition("## MISRA")[2].partition("\n## ")[0].partition("rules, not all")[2]
    assert found == set(re.findall(r"\b\d+\.\d+\b", told))
