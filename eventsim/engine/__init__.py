"""Runs the stages of a plan on one of the backends, forward and back.

From ``es.simulate`` to the first spike: ``run.run`` checks and makes a course of the stages;
each becomes a job (``contract.job``). A host of the backend runs the job: of ``reference`` (the
definition), ``cpu`` or ``cuda``. ``algorithm`` says by which algorithm. A host makes tables of the
parameters (``contract.table``) and calls kernels; on the CPU these are C++ in ``eventsim/kernels``.
``backend`` is what a backend of one's own has to have.
"""

from eventsim.arrays import Precision
from eventsim.engine.contract.registry import (
    BackendInfo,
    available_backends,
    describe_backend,
    get_backend,
    register_backend,
    using_backend,
)
from eventsim.engine.run.chunks import RunState, simulate_chunk, simulate_chunks
from eventsim.engine.run.explain import Explanation, explain
from eventsim.engine.run.place import place, place_tape
from eventsim.engine.run.run import make_job, readout_integral
from eventsim.engine.run.simulation import simulate
from eventsim.engine.run.starts import Start
from eventsim.engine.run.trace import current, voltage

__all__ = [
    "BackendInfo", "Explanation", "Precision", "RunState", "Start", "available_backends", "current",
    "describe_backend", "explain", "get_backend", "make_job", "place", "place_tape",
    "readout_integral", "register_backend", "simulate", "simulate_chunk", "simulate_chunks",
    "using_backend", "voltage",
]  # fmt: skip
