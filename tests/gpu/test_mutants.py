"""Seeded faults: each has its place in the kernels, and the tests find it."""

import pytest

from eventsim.engine.cuda import device
from eventsim.engine.registry import get_backend
from tests.support import mutants
from tests.support.mutant_table import MUTANTS, Mutant
from tests.support.simt import why_not
from tests.support.simt.exercise import results

BUILDS = "compiles two CUDA texts with a fault and runs them; make mutants does it for some files"


def named(mutant):
    return f"{mutant.file} {mutant.why}"


@pytest.mark.parametrize("mutant", MUTANTS, ids=named)
def test_fault_has_its_place_in_the_kernels(mutant):
    assert mutants.stale(mutant) is None
    text, source = mutants.mutated(mutant, "single"), device.kernel_source("single")
    assert mutant.new in text
    assert len(text) == len(source) - len(mutant.old) + len(mutant.new)


@pytest.fixture(scope="module")
def expected():
    if (reason := why_not()) is not None:
        pytest.skip(reason)
    return results(get_backend("cpu"), mutants.PRECISION)


@pytest.mark.nightly(BUILDS)
@pytest.mark.parametrize("mutant", MUTANTS, ids=named)
def test_fault_is_found(mutant, expected):
    verdict = mutants.judge(mutant, expected)
    assert verdict.good, verdict.evidence


def test_every_file_of_kernels_has_faults():
    assert len(MUTANTS) >= 20
    assert len(set(MUTANTS)) == len(MUTANTS)
    texts = {*device.FORMULAS, *device.SOURCES}
    assert {mutant.file for mutant in MUTANTS} == texts - {"prelude.cuh"}


def test_a_fault_whose_text_is_gone_is_no_find():
    gone = Mutant("walk.cuh", "no such text", "", "gone")
    verdict = mutants.judge(gone, {})
    assert not verdict.good
    assert "0 times in walk.cuh" in verdict.evidence


@pytest.mark.parametrize("name", mutants.IN_ALL_KERNELS)
def test_a_file_of_all_kernels_chooses_all_mutants(name):
    assert name == "device.py" or name in (*device.FORMULAS, *device.SOURCES)
    assert mutants.chosen(name) == list(MUTANTS)


def test_a_word_that_chooses_no_mutant_fails(monkeypatch, capsys):
    monkeypatch.setattr(mutants, "why_not", lambda: None)
    monkeypatch.setattr(mutants, "judge", None)
    assert mutants.main(["walk.cuh", "no_such.cuh"]) == 1
    assert "No mutant's file or reason has no_such.cuh." in capsys.readouterr().out
