"""Run cases on a simulator: the interface of an adapter, and the results.

To test another simulator, write a class with the members of :class:`Simulator` and pass it as
``eventsim conformance --adapter module:object``; examples are in bench/conformance. Its
``capabilities`` say which needs of cases (:data:`eventsim.conformance.case.NEEDS`) it meets. A case
that needs more is not run, and its result names what is missing. Without ``capabilities`` a
simulator is assumed to support loops and adaptive thresholds.
"""

import importlib
import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from eventsim.arrays import Precision
from eventsim.conformance.case import FIRST_NEEDS, NEEDS, Case
from eventsim.conformance.compare import CaseComparison, compare, find_fault
from eventsim.errors import BackendError, CaseError

Outcome = Literal["passed", "failed", "not supported", "error"]
Spikes = Mapping[str, Sequence[Sequence[float]]]


class Simulator(Protocol):
    """The members that the suite needs of a simulator."""

    @property
    def name(self) -> str:
        """Name, in tables."""

    @property
    def version(self) -> str:
        """Version of the program."""

    @property
    def settings(self) -> str:
        """Settings that affect an answer besides the case, e.g. ``dt = 0.1 ms``; may be empty."""

    @property
    def precision(self) -> Precision:
        """Precision whose tolerance of a case applies."""

    def supports(self, case: Case) -> str | None:
        """Why the simulator cannot run the case as it is described, or None if it can."""

    def run(self, case: Case) -> Spikes:
        """Spike times in ms of every spiking population: one sequence per neuron.

        Raises
        ------
        BackendError
            The case is not supported after all, although ``supports`` allowed it.
        """


@dataclass(frozen=True)
class CaseResult:
    """A case on one simulator.

    Attributes
    ----------
    reason
        Why it is not supported, or what went wrong; empty if it passed.
    comparison
        None unless the simulator gave spikes.
    """

    case: str
    outcome: Outcome
    tolerance: float | None
    reason: str = ""
    comparison: CaseComparison | None = None

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        found: dict[str, Any] = {
            "case": self.case,
            "outcome": self.outcome,
            "tolerance_ms": self.tolerance,
            "reason": self.reason,
        }
        if self.comparison is not None:
            found |= {
                "expected": self.comparison.n_expected,
                "matched": self.comparison.n_matched,
                "misplaced": self.comparison.count("misplaced"),
                "missing": self.comparison.count("missing"),
                "extra": self.comparison.count("extra"),
                "worst_error_ms": self.comparison.worst_error,
            }
        return found


def run_cases(simulator: Simulator, cases: Iterable[Case]) -> list[CaseResult]:
    """As :func:`run_case`, for each case."""
    return [run_case(simulator, case) for case in cases]


def run_case(simulator: Simulator, case: Case) -> CaseResult:
    """Run one case and compare the answer; an exception of the simulator becomes an ``error``."""
    tolerance = case.tolerance[simulator.precision]
    known = getattr(simulator, "capabilities", FIRST_NEEDS)
    lacking = ", ".join(NEEDS[need] for need in case.needs if need not in known)
    if lacking:
        return CaseResult(case.name, "not supported", tolerance, lacking)
    if tolerance is None:
        reason = f"{simulator.precision} precision does not decide its number of spikes"
        return CaseResult(case.name, "not supported", None, reason)
    try:
        reason = simulator.supports(case) or ""
        if reason:
            return CaseResult(case.name, "not supported", tolerance, reason)
        spikes = simulator.run(case)
        fault = find_fault(case, spikes)
        if fault is not None:
            return CaseResult(case.name, "error", tolerance, f"gave {fault}")
        found = compare(case, spikes, tolerance)
    except BackendError as error:
        return CaseResult(case.name, "not supported", tolerance, str(error))
    except Exception as error:  # an adapter may raise anything; the other cases go on
        return CaseResult(case.name, "error", tolerance, f"{type(error).__name__}: {error}")
    if found.passed:
        return CaseResult(case.name, "passed", tolerance, "", found)
    return CaseResult(case.name, "failed", tolerance, str(found.mismatches[0]), found)


def load_simulator(place: str) -> Simulator:
    """The adapter at ``module:object``: a simulator, or a function that returns one.

    Modules of the current folder are found too.

    Raises
    ------
    CaseError
        There is no such object, or it lacks a member of :class:`Simulator`.
    """
    module, colon, attribute = place.partition(":")
    if not (module and colon and attribute):
        raise CaseError(f"Adapter {place!r}", "", "module:object, e.g. my_adapter:simulator")
    if os.getcwd() not in sys.path:
        sys.path.insert(0, os.getcwd())
    try:
        found = getattr(importlib.import_module(module), attribute)
    except (ImportError, AttributeError) as error:
        raise CaseError(f"Adapter {place!r}", f"cannot be loaded ({error})") from error
    if isinstance(found, type) or (callable(found) and not hasattr(found, "run")):
        found = found()
    members = ("name", "version", "settings", "precision", "supports", "run")
    missing = [member for member in members if not hasattr(found, member)]
    if missing:
        raise CaseError(
            f"Adapter {place!r}",
            f"lacks {', '.join(missing)}",
            remedy="eventsim.conformance.Simulator says what they are.",
        )
    simulator: Simulator = found
    return simulator
