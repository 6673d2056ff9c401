"""Tables of parameters, and gradients by them, made on the network's device in a launch each."""

import numpy as np

from eventsim.arrays import Array
from eventsim.engine.contract.job import Job, StageGradients
from eventsim.engine.contract.state import start_voltage
from eventsim.engine.contract.table import (
    ALERT_MARGIN,
    N_PAR,
    FoundBack,
    layer_gradients,
    neuron_table,
    real_type,
)
from eventsim.engine.cuda.device import Device
from eventsim.engine.cuda.order import launch
from eventsim.engine.cuda.roles import OwnStruct, ParametersStruct, TableStruct
from eventsim.network import Projection

SPIKING = ParametersStruct._fields[:-1]
BY_PARAMETER = ("tau_mem", "tau_syn", "resistance", "v_leak", "self_weights")


def parameters_on_device(dev: Device, job: Job) -> bool:
    """Whether kernels can take the parameters of a stage of one population as they are."""
    own = job.stage.recurrences[0]
    arrays = [*job.stage.members[0].parameters.values()]
    arrays += [own.values, own.delays] if own else []
    return len(job.stage.members) == 1 and all(
        isinstance(a, dev.xp.ndarray) and a.flags.c_contiguous and a.dtype == np.float64
        for a in arrays
    )


def start_of(dev: Device, job: Job) -> Array:
    """Voltage at time zero, measured from v_leak, in the type of the state.

    The neuron table is made with it, and is at hand while values stay.
    """
    if not parameters_on_device(dev, job):
        return dev.asarray(start_voltage(job))
    table = _made(dev, job)
    job.stage.once((neuron_table, job.precision), lambda: table[:N_PAR])
    return table[N_PAR]


def _made(dev: Device, job: Job) -> Array:
    """The neuron table, and one row more: the voltage at time zero."""
    p, own = job.stage.members[0], job.stage.recurrences[0]
    table, into = in_type_of_state(dev, job, (N_PAR + 1, p.size))
    given = ParametersStruct(**{name: p.parameters[name] for name in SPIKING}, n=p.size)
    launch(
        dev, "double", "make_table", p.size,
        [ALERT_MARGIN, given, _own(own), into],
    )  # fmt: skip
    return table


def in_type_of_state(dev: Device, job: Job, shape: tuple[int, ...]) -> tuple[Array, TableStruct]:
    """A new array in the type of the state, and what a kernel takes that fills it.

    The kernel computes in double precision and rounds where the state is single.
    """
    made = dev.empty(shape, real_type(job))
    single = made.dtype == np.float32
    return made, TableStruct(None, made) if single else TableStruct(made, None)


def _own(own: Projection | None) -> OwnStruct:
    if own is None:
        return OwnStruct()
    return OwnStruct(own.values, own.delays, own.delays.ndim > 0)


def gradients_of(dev: Device, job: Job, found: FoundBack) -> StageGradients:
    """As :func:`.table.layer_gradients`; in one launch where the parameters are on the device."""
    if not parameters_on_device(dev, job):
        return layer_gradients(job, found)
    p = job.stage.members[0]
    rows = dev.empty((len(BY_PARAMETER), p.size), np.float64)
    launch(
        dev, "double", "neuron_gradients", p.size,
        [p.size, p.tau_mem, p.tau_syn, p.resistance, found.sums, rows],
    )  # fmt: skip
    return layer_gradients(job, found, dict(zip(BY_PARAMETER, rows, strict=True)))
