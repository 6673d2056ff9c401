"""Runs the stages of a plan forward on one of the backends."""

from eventsim.engine.job import Precision
from eventsim.engine.registry import (
    BackendInfo,
    available_backends,
    describe_backend,
    get_backend,
    register_backend,
    using_backend,
)
from eventsim.engine.run import make_job, readout_integral, simulate
from eventsim.engine.trace import readout_voltage

__all__ = [
    "BackendInfo",
    "Precision",
    "available_backends",
    "describe_backend",
    "get_backend",
    "make_job",
    "readout_integral",
    "readout_voltage",
    "register_backend",
    "simulate",
    "using_backend",
]
