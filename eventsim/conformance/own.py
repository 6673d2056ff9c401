"""eventsim's own backends as simulators of the suite."""

from dataclasses import dataclass, field
from typing import ClassVar

import eventsim
from eventsim.arrays import Precision
from eventsim.conformance.build import network_of, stream_of
from eventsim.conformance.case import NEEDS, Case
from eventsim.conformance.run import Spikes
from eventsim.engine import simulate
from eventsim.engine.contract.registry import available_backends, get_backend
from eventsim.errors import BackendError, NetworkError
from eventsim.plan import make_plan

# The definition keeps its state in float64.
DOUBLE_ONLY = ("reference",)


@dataclass(frozen=True)
class EventsimSimulator:
    """A backend at a precision."""

    backend: str
    precision: Precision = "double"
    settings: str = ""
    version: str = field(default=eventsim.__version__, init=False)
    capabilities: ClassVar = frozenset(NEEDS)  # a backend that lacks one says so in its own words

    @property
    def name(self) -> str:
        """Name of the simulator, with backend and precision."""
        return f"eventsim {self.backend}, {self.precision}"

    def supports(self, case: Case) -> str | None:
        """The error of the plan as text, if it refuses the network."""
        try:
            make_plan(network_of(case))
        except NetworkError as error:
            return str(error)
        return None

    def run(self, case: Case) -> Spikes:
        """Spikes of all spiking populations."""
        tape = simulate(
            network_of(case), stream_of(case), backend=self.backend, precision=self.precision
        )
        trains = {}
        for population in case.populations[1:]:
            times, neurons = tape[population.name].sample(0)
            trains[population.name] = [
                times[neurons == neuron].tolist() for neuron in range(population.size)
            ]
        return trains


def usable_backends() -> list[str]:
    """Names of the backends that can run here."""
    found = []
    for name in available_backends():
        try:
            get_backend(name)
        except BackendError:
            continue
        found.append(name)
    return found


def precisions(backend: str) -> tuple[Precision, ...]:
    """Precisions in which the backend of that name can keep its state."""
    return ("double",) if backend in DOUBLE_ONLY else ("double", "single")
