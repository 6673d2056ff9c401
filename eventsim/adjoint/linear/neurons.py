"""Neurons that do not fire, which are linear in what arrives at them: parameters and arrivals.

Readouts are, and so are spiking neurons in samples in which they have no spike.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from eventsim.arrays import Array, Ints, beside, namespace
from eventsim.engine import get_backend, make_job
from eventsim.engine.contract.backend import Backend, sum_by, sum_source
from eventsim.engine.contract.job import Job
from eventsim.engine.run.arrivals import Arrivals, find_arrivals, no_arrivals
from eventsim.events import SpikeTape
from eventsim.matrix import require
from eventsim.network import Network
from eventsim.network.features import neurons_of
from eventsim.plan import make_plan
from eventsim.summary import short_repr

# About 0.5 GB in passing.
ARRIVALS_AT_ONCE = 1 << 22


@dataclass(frozen=True, eq=False)
class Neurons:
    """Some neurons of one stage, with all that arrives at them; made by :func:`silent_neurons`."""

    job: Job  # Of the stage
    # chosen, in_member: Numbers of the neurons in the stage and in their population, NumPy
    chosen: Ints
    in_member: Ints
    arrivals: Arrivals  # By row: sample * chosen.size + neuron
    engine: Backend  # Of the tape; its sum_by adds in a fixed order

    __repr__ = short_repr

    @property
    def xp(self) -> Any:
        """Library of the arrays."""
        return namespace(self.arrivals.time)

    @property
    def n_rows(self) -> int:
        """Neurons times samples."""
        return self.job.n_samples * self.chosen.size

    def parameter(self, name: str) -> Array:
        """Values of the chosen neurons, [neurons], where the arrivals are."""
        values = beside(getattr(self.job.stage.population, name), self.arrivals.time)
        found: Array = values[self.xp.asarray(self.chosen)]
        return found

    def by_row(self, values: Array) -> Array:
        """Values of neurons, repeated for every row. New array."""
        return self.xp.tile(values, self.job.n_samples)

    def ends(self) -> Array:
        """End of the sample of every row, ms."""
        return self.xp.repeat(self.xp.asarray(self.job.duration), self.chosen.size)

    def without_arrivals(self) -> "Neurons":
        """The same neurons, whose arrivals are no longer needed."""
        return replace(self, arrivals=no_arrivals(self.job))

    def sum_by(self, values: Array, index: Array, size: int) -> Array:
        """As :meth:`eventsim.engine.backend.Backend.sum_by`."""
        return (sum_by if self.xp is np else self.engine.sum_by)(values, index, size)

    def sum_source(self, job: Job, k: int, values: Array) -> Array:
        """As :meth:`eventsim.engine.backend.Backend.sum_source`."""
        return (sum_source if self.xp is np else self.engine.sum_source)(job, k, values)


def silent_parts(
    net: Network, tape: SpikeTape, name: str, chosen: Ints | None = None
) -> Iterator[Neurons]:
    """As :func:`silent_neurons`, in parts of neurons that meet ARRIVALS_AT_ONCE at most.

    What formulas of many arrays need in passing is then bounded, however large the batch.
    """
    numbers = np.arange(net.population(name).size) if chosen is None else chosen
    into = [p for p in net.projections.values() if p.target == name and not p.one_to_one]
    events = sum(
        len(tape[p.source]) if p.source in tape.trains else tape.stream.n_events for p in into
    )
    step = max(ARRIVALS_AT_ONCE // max(events, 1), 1)
    for low in range(0, numbers.size, step):
        yield silent_neurons(net, tape, name, numbers[low : low + step])


def bare_neurons(net: Network, tape: SpikeTape, name: str, chosen: Ints | None = None) -> Neurons:
    """As :func:`silent_neurons`, whose arrivals are not spelled out."""
    plan = make_plan(net, tape.memo)
    plan.check_tape(tape, f"Population {name!r}")
    tape.require_whole(f"Population {name!r}")
    tape.require_rest("Gradients by a voltage", name)
    population = net.population(name)
    stage = next(s for s in plan.stages if name in [member.name for member in s.members])
    if stage.is_linear:
        require("near_miss", neurons_of(population), where=f"Population {name!r}")
    chosen = np.arange(population.size) if chosen is None else chosen
    job = make_job(plan, stage, tape)
    in_stage = chosen + stage.start_of(name)
    return Neurons(job, in_stage, chosen, no_arrivals(job), get_backend(tape.backend))


def silent_neurons(net: Network, tape: SpikeTape, name: str, chosen: Ints | None = None) -> Neurons:
    """Neurons of a readout, or of a spiking population that fired in no sample; ``chosen`` ones."""
    bare = bare_neurons(net, tape, name, chosen)
    return replace(bare, arrivals=find_arrivals(bare.job, bare.chosen))
