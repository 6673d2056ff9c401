"""Seeded faults: each has its place in the product, and the tests find it."""

import subprocess
from types import SimpleNamespace

import pytest

from eventsim.engine.cuda import device
from eventsim.kernels.build import KERNELS
from tests.support import mutants, mutants_cpu, mutants_cuda, mutants_python
from tests.support.checkout import ROOT
from tests.support.mutant import Mutant, stale
from tests.support.simt import why_not

RUNS = "runs the product with a fault in it; make mutants does it for some files"
KERNEL_TEXTS = {"cuda": mutants_cuda, "cpu": mutants_cpu}
TEXTS = KERNEL_TEXTS | {"python": mutants_python}
# Rooms of loops without faults in a file, and the tests that hold them to Python, value by value.
ELSEWHERE = {"mapping": "tests/unit/mapping"}
FAULTS = [(text, fault) for text in TEXTS.values() for fault in text.MUTANTS]

each_fault = pytest.mark.parametrize(
    ("text", "fault"), FAULTS, ids=[f"{fault.file} {fault.why}" for _, fault in FAULTS]
)


@each_fault
def test_fault_has_its_place_in_the_product(text, fault):
    assert stale(fault, text.path_of(fault)) is None
    assert fault.new != fault.old


@pytest.mark.parametrize("fault", mutants_cuda.MUTANTS, ids=lambda fault: fault.why)
def test_fault_is_in_the_text_that_is_compiled(fault):
    own = fault.file in {*device.LINEAR_FORMULAS, *device.LINEAR_SOURCES} - {*device.FORMULAS}
    key = ("double", False, 3) if own else ("single",)
    found, source = mutants_cuda.mutated(fault, *key), device.kernel_source(*key)
    assert fault.new in found
    assert len(found) == len(source) - len(fault.old) + len(fault.new)


@pytest.mark.nightly(RUNS)
@each_fault
def test_fault_is_found(text, fault):
    if (reason := text.why_not()) is not None:
        pytest.skip(reason)
    verdict = text.judge(fault, text.expected_results())
    assert verdict.good, verdict.evidence


def test_every_file_of_kernels_has_faults():
    assert len(set(FAULTS)) == len(FAULTS)
    shared = {*device.FORMULAS, *device.SOURCES, *device.LINEAR_FORMULAS, *device.LINEAR_SOURCES}
    shared -= {"neuron/linear.hpp"}  # whose faults are among those of the CPU
    assert {fault.file for fault in mutants_cuda.MUTANTS} == shared
    loops = {path.parent for path in (KERNELS / "cpu").glob("*/*.hpp")}
    found = {(KERNELS / fault.file).parent for fault in mutants_cpu.MUTANTS}
    found -= {KERNELS / "cpu", KERNELS / "neuron"}
    assert loops - found == {KERNELS / "cpu" / name for name in ELSEWHERE}
    assert found <= loops
    assert all((KERNELS.parents[1] / tests).exists() for tests in ELSEWHERE.values())


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
def test_a_fault_whose_text_is_gone_is_no_find(text):
    gone = Mutant(text.MUTANTS[0].file, "no such text", "", "gone")
    verdict = text.judge(gone, {})
    assert not verdict.good
    assert f"0 times in {gone.file}" in verdict.evidence


@pytest.mark.parametrize(("without", "good"), [("old library", False), ("", True)])
@pytest.mark.parametrize("text", KERNEL_TEXTS.values(), ids=KERNEL_TEXTS)
def test_what_ends_without_a_fault_as_well_is_no_find(text, without, good, tmp_path, monkeypatch):
    ends = iter(["old library", without])

    def run_apart(*_, **__):
        said = next(ends)
        return subprocess.CompletedProcess((), int(bool(said)), stdout="", stderr=said)

    monkeypatch.setattr(text, "run_apart", run_apart)
    monkeypatch.setattr(mutants_cpu, "build_changed", lambda *_, **__: None)
    monkeypatch.setattr(mutants_cuda.build, "library", lambda *_, **__: None)
    verdict = text.judge(text.MUTANTS[0], SimpleNamespace(name=str(tmp_path)))
    assert verdict.good == good
    assert "old library" in verdict.evidence


@pytest.mark.parametrize("test", sorted({fault.test for fault in mutants_python.MUTANTS}))
def test_a_fault_of_python_names_a_test_that_is_there(test):
    file, _, name = test.partition("::")
    assert f"def {name.partition('[')[0]}(" in (ROOT / file).read_text("utf-8")


@pytest.mark.parametrize(
    ("ends", "good", "evidence"),
    [
        ((1, 0), True, "FAILED it"),
        ((1, 1), False, "finds something without a fault"),
        ((0,), False, "finds nothing"),
        ((2,), False, "no test ran"),
        ((4,), False, "no test ran"),
    ],
)
def test_a_fault_of_python_is_found_by_a_test_that_fails_and_else_passes(
    ends, good, evidence, monkeypatch
):
    left = iter(ends)

    def run_apart(test, fault=None):
        return subprocess.CompletedProcess(
            (), next(left), stdout="FAILED it\n1 failed\n", stderr=""
        )

    monkeypatch.setattr(mutants_python, "run_apart", run_apart)
    mutants_python._unchanged.cache_clear()
    verdict = mutants_python.judge(mutants_python.MUTANTS[0], None)
    mutants_python._unchanged.cache_clear()
    assert verdict.good == good
    assert evidence in verdict.evidence


@pytest.mark.parametrize("name", mutants_cuda.CHOOSES_ALL)
def test_a_file_of_all_kernels_chooses_all_mutants(name):
    assert name == "device.py" or name in (*device.FORMULAS, *device.SOURCES)
    assert mutants.chosen(mutants_cuda, name) == list(mutants_cuda.MUTANTS)


@pytest.mark.parametrize("name", ["build.py", "level.cpp", "lanes.hpp", "calls.hpp"])
def test_a_file_of_all_loops_chooses_all_their_mutants(name):
    assert mutants.chosen(mutants_cpu, name) == list(mutants_cpu.MUTANTS)


def test_every_file_that_may_change_chooses_mutants():
    for path in KERNELS.rglob("*.?p[py]"):
        faults = any(mutants.chosen(text, path.name) for text in KERNEL_TEXTS.values())
        assert faults or path.parent.name in ELSEWHERE, path


def test_the_word_python_chooses_the_faults_of_the_host_alone():
    found = [mutants.chosen(text, "python") for text in TEXTS.values()]
    assert found == [[], [], list(mutants_python.MUTANTS)]


def test_a_word_that_chooses_no_mutant_fails(monkeypatch, capsys):
    for text in TEXTS.values():
        monkeypatch.setattr(text, "why_not", lambda: None)
        monkeypatch.setattr(text, "judge", None)
    assert mutants.main(["walk.cuh", "no_such.cuh"]) == 1
    assert "No mutant's file or reason has no_such.cuh." in capsys.readouterr().out


def test_machine_without_a_compiler_is_told_so(monkeypatch, capsys):
    monkeypatch.setattr(mutants_cpu, "why_not", lambda: why_not() or "no compiler")
    assert mutants.main(["dense/pool.hpp"]) == 1
    assert "no compiler" in capsys.readouterr().out
