"""Start: voltages and currents at time zero, given or drawn."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike

from eventsim.arrays import Bools, Floats, Precision, to_host
from eventsim.checks import every, instance, known, real_array, shaped
from eventsim.engine.contract.linear import neuron_of
from eventsim.engine.contract.start import StageStart
from eventsim.events.tape import StartState
from eventsim.network import Network
from eventsim.network.draws import Distribution, drawn, seed_number, stream_of
from eventsim.network.parts import Population
from eventsim.plan import Stage

Given = ArrayLike | Distribution


@dataclass(frozen=True, eq=False)
class Start:
    """Voltages and currents of spiking populations at time zero, for :func:`eventsim.simulate`.

    What is not given is as without a start: V at rest (at its reset where a neuron rests at or
    above its threshold), no current. Gradients take the start as it is; there are none by it.

    Parameters
    ----------
    voltage
        By population, in the unit of the threshold: a number, an array [size] for all samples or
        [samples, size], or what each voltage is drawn from, such as ``es.normal(-58.0, 10.0,
        most=-50.0)``. Every voltage is below the threshold of its neuron.
    current
        By population, in the unit of the weights, likewise. Of linear neurons it is the state that
        arrivals raise; of those with several receptors arrays have one axis more, [.., receptors],
        in the order of ``neuron.receptors``.
    seed
        Whole number >= 0. What is drawn follows from it, from the name of the population and from
        the numbers of sample and neuron alone.

    Raises
    ------
    ParameterError, ShapeError
        The seed is none. All else is checked by the run, which raises NetworkError for a population
        that does not fire or does not exist, ParameterError for a voltage at or above threshold.

    Examples
    --------
    A neuron that nothing reaches goes back to rest with its membrane time constant:

    >>> import eventsim as es
    >>> net = es.Network()
    >>> channel, cells = net.add_input("input", 1), net.add_population("cells", 2, tau_mem=10.0)
    >>> stream = es.EventStream([], [], [0, 0], n_channels=1, duration=50.0)
    >>> tape = es.simulate(net, stream, start=es.Start(voltage={"cells": [0.5, -1.0]}))
    >>> es.voltage(net, tape, "cells", [0.0, 10.0])[0].round(4)
    array([[ 0.5   , -1.    ],
           [ 0.1839, -0.3679]])
    >>> drawn = es.Start(voltage={"cells": es.normal(0.0, 1.0, most=0.9)}, seed=3)
    >>> es.simulate(net, stream, start=drawn)
    SpikeTape(1 samples, spikes {cells: 0})
    """

    voltage: Mapping[str, Given] = field(default_factory=dict)
    current: Mapping[str, Given] = field(default_factory=dict)
    seed: int = 0

    def __post_init__(self) -> None:
        seed_number(self.seed, "Start")
        for name, given in (("voltage", self.voltage), ("current", self.current)):
            instance("Start", name, given, Mapping, remedy='By population: {"cells": ..}.')

    def states(self, net: Network, n_samples: int, precision: Precision) -> dict[str, StartState]:
        """The start of every population that is named, for so many samples."""
        found = {}
        for name in dict.fromkeys((*self.voltage, *self.current)):
            known("Start", "spiking population", name, net.spiking)
            p = net.spiking[name]
            receptors = len(neuron_of(p).receptors)
            voltage = self._values("voltage", p, (n_samples, p.size))
            shape = (n_samples, p.size) + ((receptors,) if receptors > 1 else ())
            current = self._values("current", p, shape)
            if voltage is not None:
                _check_voltages(p, voltage, precision)
            found[name] = StartState(voltage, current)
        return found

    def _values(self, what: str, p: Population, shape: tuple[int, ...]) -> Floats | None:
        given = getattr(self, what).get(p.name)
        if given is None:
            return None
        where = f"Start: {what} of {p.name!r}"
        if isinstance(given, Distribution):
            stream = stream_of(self.seed, "start", p.name, what)
            values = drawn(given, stream, 0, math.prod(shape)).reshape(shape)
        else:
            values = real_array(given, where)
            shaped(where, "an array", values, (), shape[1:], shape)
        every(where, "an entry", values, np.isfinite(values), "finite values")
        return np.broadcast_to(values, shape).copy()


def _check_voltages(p: Population, voltage: Floats, precision: Precision) -> None:
    """Raise ParameterError for a neuron at or above its threshold, as the run rounds it."""
    v_leak, threshold = to_host(p.v_leak), to_host(p.threshold)
    real = np.float32 if precision == "single" else np.float64
    below: Bools = (voltage - v_leak).astype(real) < (threshold - v_leak).astype(real)
    below &= voltage < threshold
    every(
        f"Start: voltage of {p.name!r}", "V", voltage, below,
        lambda k: f"a value below {threshold[k % p.size]:g}, the threshold",
        of=lambda k: f"sample {k // p.size}, neuron {k % p.size}",
        text="{:g}".format,
        remedy="A neuron fires when V rises to its threshold. Limit what is drawn: "
        "es.normal(mean, sd, most=..).",
    )  # fmt: skip


def stage_start(stage: Stage, given: Mapping[str, StartState] | None) -> StageStart | None:
    """The start of all neurons of a stage; None where none of it is given."""
    named = [m for m in stage.members if given and m.name in given]
    if not given or not named:
        return None
    n = max(len(neuron_of(member).states) for member in stage.members)
    n_samples = given[named[0].name].n_samples
    state = np.zeros((n_samples, int(stage.member_start[-1]), n))
    is_given = np.zeros(state.shape[1], np.bool_)
    for member in named:
        low = stage.start_of(member.name)
        mine, start = slice(low, low + member.size), given[member.name]
        if start.voltage is not None:
            is_given[mine] = True
            state[:, mine, 0] = start.voltage - to_host(member.v_leak)
        if start.current is not None:
            neuron = neuron_of(member)
            raised = [neuron.state_of(receptor) for receptor in neuron.receptors]
            state[:, mine, raised] = start.current.reshape(n_samples, member.size, -1)
    return StageStart(state, is_given)
