"""Cases with exact spike times, and the functions to test a simulator with them.

>>> from eventsim.conformance import EventsimSimulator, load_case, run_case
>>> run_case(EventsimSimulator("reference"), load_case("one-arrival")).outcome
'passed'
"""

from eventsim.conformance.build import network_of, stream_of
from eventsim.conformance.case import Case, Event, Synapse
from eventsim.conformance.compare import CaseComparison, Mismatch, compare
from eventsim.conformance.load import case_names, load_case, load_cases, read_case
from eventsim.conformance.own import EventsimSimulator, precisions, usable_backends
from eventsim.conformance.run import CaseResult, Simulator, load_simulator, run_case, run_cases

__all__ = [
    "Case", "CaseResult", "CaseComparison", "Event", "EventsimSimulator", "Mismatch", "Simulator",
    "Synapse", "case_names", "compare", "load_case", "load_cases", "load_simulator", "network_of",
    "precisions", "read_case", "run_case", "run_cases", "stream_of", "usable_backends",
]  # fmt: skip
