"""The table of seeded faults fits the kernels; ``make mutants`` looks for the faults themselves."""

import pytest

from eventsim.engine.cuda import device
from tests.support import mutants
from tests.support.mutant_table import MUTANTS, Mutant


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: f"{mutant.file} {mutant.why}")
def test_fault_has_its_place_in_the_kernels(mutant):
    assert mutants.stale(mutant) is None
    text, source = mutants.mutated(mutant, "single"), device.kernel_source("single")
    assert mutant.new in text
    assert len(text) == len(source) - len(mutant.old) + len(mutant.new)


def test_every_file_of_kernels_has_faults():
    assert len(MUTANTS) >= 20
    assert len(set(MUTANTS)) == len(MUTANTS)
    assert {mutant.file for mutant in MUTANTS} == set(device.SOURCES) - {"prelude.cuh"}


def test_a_fault_whose_text_is_gone_is_no_find():
    gone = Mutant("walk.cuh", "no such text", "", "gone")
    verdict = mutants.judge(gone, {})
    assert not verdict.good
    assert "0 times in walk.cuh" in verdict.evidence
