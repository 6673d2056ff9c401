"""The C text by the tools of others: emulated boards, zig, cppcheck's rules of MISRA C."""

import importlib.util
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
RULE = re.compile(r"misra-c2012-(\d+\.\d+)")


@pytest.mark.nightly("compiles for a board and emulates it")
@pytest.mark.skipif(bool(MISSING), reason=f"not installed: {MISSING}")
@pytest.mark.parametrize("board", qemu.BOARDS)
@pytest.mark.parametrize("kind", ON_BOARDS)
def test_an_emulated_board_gives_the_bits_of_cpu(kind, board, tmp_path):
    net = KINDS[kind](4)
    stream = recordings(4, n_channels=net.input.size)
    written = es.export_c(net, tmp_path, stream=stream, name="one")
    found = qemu.run(tmp_path, "one", board)
    assert found.differs == 0
    assert found.spikes == written.spikes > 100
    assert found.instructions > 1000 * found.events


@pytest.mark.nightly("compiles by zig")
@pytest.mark.skipif(not importlib.util.find_spec("ziglang"), reason="not installed: ziglang")
@pytest.mark.parametrize("flags", ["-O0", "-O3", "-O3 -mfma"])
@pytest.mark.parametrize("kind", ON_BOARDS)
def test_a_build_by_zig_gives_the_bits_of_cpu(kind, flags, tmp_path):
    net = KINDS[kind](5)
    given = recordings(5, n_channels=net.input.size)
    target = f"{platform.machine()}-linux-gnu"
    compiler = f"{sys.executable} -m ziglang cc -target {target} -std=c99 -fno-sanitize=all"
    assert assert_same(net, given, tmp_path, flags=flags, compiler=compiler) > 100


@pytest.mark.nightly("cppcheck reads the text with every choice of its macros")
@pytest.mark.skipif(shutil.which("cppcheck") is None, reason="not installed: cppcheck")
def test_deviations_from_misra_are_those_that_the_readme_names(tmp_path):
    net = KINDS["stretches, adaptive"](1)
    stream = es.EventStream.from_samples(
        [(np.array([1.0]), np.array([0]))], n_channels=net.input.size, duration=2.0
    )
    es.export_c(net, tmp_path, stream=stream, name="one")
    command = ["cppcheck", "--addon=misra", "--std=c99", "--enable=style", "--template={id}"]
    done = subprocess.run([*command, "one.c"], cwd=tmp_path, capture_output=True, text=True)
    found = set(RULE.findall(done.stderr))
    told = (
        (tmp_path / "README.md").read_text("utf-8").partition("## MISRA")[2].partition("\n## ")[0]
    )
    assert found
    assert found <= set(re.findall(r"\b\d+\.\d+\b", told))
