r"""Dialects of NIR: how each importer reads a file, taken from its source and tried.

A neuron may be written in other units of voltage and current, :math:`\hat V = s (V - E_0)` and
:math:`\hat I = c I`, without a change of its spikes:

.. math::
    \hat r = s R / c, \qquad \hat\vartheta = s (\vartheta - E_0), \qquad
    \hat v_{reset} = s (V_r - E_0), \qquad \hat v_{leak} = s (E - E_0), \qquad
    \hat w_{ij} = c_j w_{ij} .

This is what absorbs most of the demands below. :math:`s, c, E_0` stand in the metadata, and
:func:`eventsim.network.nir.from_nir` undoes them.

===============  ===========================================================================
program          what it does with a file
===============  ===========================================================================
Norse 1.1        a spike is 1 for one step, so w_in = tau_syn / dt; resets to 0; takes v_leak for
                 the rest of the synaptic current too, so that V rests at v_leak (1 + r) and begins
                 at v_leak
snnTorch 1.0     knows no time: its files say steps of 0.1 ms, however long they lasted. Wants
                 v_leak = 0, r = tau_mem / dt, w_in = tau_syn / dt and one threshold per
                 population; resets to 0. A single matrix between a population and
                 itself it takes for a module of its own, and then multiplies the input by it:
                 a unit matrix behind it keeps it from that
SpikingJelly 2   as snnTorch with a dt of choice, and one value per population of every
                 parameter, v_reset included
Rockpool 3.1     takes dt from tau_mem / (1 + r); ignores w_in and v_reset; resets by subtracting
                 the threshold, which at an exact crossing is a reset to 0; adds v_leak to V at
                 every step, so that V rests at v_leak / (1 - exp(-dt / tau_mem)) and begins at 0
===============  ===========================================================================

Norse and Rockpool thus have one voltage, the reset, at 0 and rest where v_leak puts it. In Norse c
also decides where V begins: near its rest for c >> 1, near the reset for c << 1, as eventsim's
neurons do below and above their threshold. Rockpool's all begin at their reset.

None of them knows ``CubaLI``, ``Scale`` or ``Delay``. A readout becomes a ``CubaLIF`` with a
threshold out of reach, whose voltage is in the program's state; self-recurrent weights become a
diagonal ``Linear``, which acts one step later; delays are refused.

Measured against each: ``bench/nir``.
"""

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

from eventsim.arrays import Floats
from eventsim.checks import known
from eventsim.errors import ParameterError
from eventsim.network.parts import Population

Target = Literal["norse", "snntorch", "spikingjelly", "rockpool"]
TARGETS: tuple[Target, ...] = get_args(Target)
OUT_OF_REACH = 1e30  # threshold of a readout that must be written as a spiking population


Rest = Literal["own", "zero", "synapse", "bias"]
FAR = 1e3  # c of Norse's neurons or its inverse: V begins within 0.1 % of where it should


@dataclass(frozen=True)
class Dialect:
    """Demands of a program on a NIR file."""

    title: str  # name of the program
    dt: float | None  # its own time step in ms; None where spikes are impulses
    says: float | None = None  # step that all of its files say, whatever it lasted, in ms
    # What r must be: ``own``, ``tau/dt``, or ``tau/dt-1``
    resistance: Literal["own", "tau/dt", "tau/dt-1"] = "own"
    # Where V rests: at v_leak (``own``), which must be 0 (``zero``), or as the table says of Norse
    # (``synapse``) and Rockpool (``bias``)
    rest: Rest = "zero"
    unit_threshold: bool = False  # whether thresholds are 1, by units of voltage
    zero_reset: bool = False  # whether V is reset to 0, and v_leak is 0 as well
    uniform: tuple[str, ...] = ()  # parameters that must be equal in all neurons of a population
    plain_nodes: bool = False  # whether ``CubaLI``, ``Scale`` and ``Delay`` are known
    # Whether weights of a population onto itself must be followed by a unit matrix
    detour: bool = False

    def units(self, step: float | None, ms: float) -> tuple[float, float | None]:
        """Milliseconds in a unit of a file's times, and a step in that unit.

        A step lasts ``step`` ms, and a unit would be ``ms`` if the file said so.
        """
        if step is None:
            return ms, None
        says = self.says or step
        return ms * (step / says), says / ms


PLAIN = Dialect("NIR", None, rest="own", plain_nodes=True)
DIALECTS: dict[str, Dialect] = {
    "norse": Dialect("Norse", 1.0, rest="synapse"),
    "snntorch": Dialect(
        "snnTorch",
        0.1,
        says=0.1,
        resistance="tau/dt",
        unit_threshold=True,
        zero_reset=True,
        detour=True,
    ),
    "spikingjelly": Dialect(
        "SpikingJelly",
        0.1,
        resistance="tau/dt",
        unit_threshold=True,
        uniform=("tau_mem", "tau_syn", "v_reset"),
    ),
    "rockpool": Dialect("Rockpool", 1.0, resistance="tau/dt-1", rest="bias", unit_threshold=True),
}


def find_dialect(who: str, target: str | None, dt: float | None) -> tuple[Dialect, float | None]:
    """The dialect and its time step in ms (None for impulses).

    Raises NetworkError (there is no such target), ParameterError (dt is no time step).
    """
    if target is None:
        if dt is not None:
            raise ParameterError(
                who,
                f"dt is {dt} ms, but spikes of plain NIR are impulses",
                remedy=f"Name the program that needs a time step: {', '.join(TARGETS)}.",
            )
        return PLAIN, None
    known(who, "program", target, DIALECTS, otherwise="Leave it out for plain NIR.")
    dialect = DIALECTS[target]
    step = dialect.dt if dt is None else float(dt)
    if step is None or not (np.isfinite(step) and step > 0.0):
        raise ParameterError(who, f"dt is {dt}", "a time step > 0 (ms)")
    return dialect, step


@dataclass(frozen=True, eq=False)
class Gauge:
    """Units of a population: :math:`E_0, s, c` of the module's formulas, each [neurons]."""

    shift: Floats
    voltage: Floats
    current: Floats

    @property
    def neutral(self) -> bool:
        """Whether nothing changes."""
        return not self.shift.any() and bool(
            (self.voltage == 1).all() and (self.current == 1).all()
        )


def gauge_of(population: Population, dialect: Dialect, dt: float | None) -> Gauge:
    """Units in which ``population`` meets the demands of ``dialect``. New arrays."""
    ones, leak = np.ones(population.size), population.v_leak
    spiking = population.is_spiking
    shift = 0.0 * ones if dialect.rest == "own" else leak.copy()
    if spiking and dialect.rest in ("synapse", "bias"):
        shift = population.v_reset.copy()
    voltage = 1.0 / (population.threshold - shift) if dialect.unit_threshold and spiking else ones
    current = ones
    if dialect.resistance != "own":
        assert dt is not None
        # All programs of this kind add I to V at every step, also the one that reads tau/dt - 1.
        current = voltage * population.resistance * dt / population.tau_mem
    elif spiking and dialect.rest == "synapse":
        own = np.where(leak < population.threshold, FAR, 1.0 / FAR)
        current = np.where(leak == shift, 1.0, own)
    return Gauge(shift, voltage, current)


def to_leak(rest: Rest, wanted: Floats, resistance: Floats, steps: Floats | None) -> Floats:
    """The v_leak with which V rests at ``wanted``; ``steps`` is tau_mem / dt."""
    return wanted * _leak_factor(rest, resistance, steps)


def from_leak(rest: Rest, leak: Floats, resistance: Floats, steps: Floats | None) -> Floats:
    """Resting voltage with ``leak`` as v_leak: the inverse of :func:`to_leak`."""
    return leak / _leak_factor(rest, resistance, steps)


def _leak_factor(rest: Rest, resistance: Floats, steps: Floats | None) -> Floats:
    if rest == "synapse":
        return 1.0 / (1.0 + resistance)
    if rest == "bias":
        assert steps is not None
        return -np.expm1(-1.0 / steps)
    return np.ones_like(resistance)


def faults(
    population: Population, dialect: Dialect, dt: float | None
) -> tuple[list[str], list[str]]:
    """Faults of a population in a dialect: errors, and losses that a file survives."""
    wrong: list[str] = []
    lost: list[str] = []
    name = repr(population.name)
    spiking = population.is_spiking
    if spiking and population.refractory.any():
        lost.append(f"{name} has refractory times (up to {population.refractory.max():g} ms)")
    if population.is_adaptive:
        most = population.adaptation.max()
        lost.append(f"{name} has an adaptive threshold (rising by up to {most:g} at a spike)")
    if spiking and dialect.rest in ("own", "zero"):
        if (population.v_leak >= population.threshold).any():
            text = f"{name} has neurons that fire by themselves (v_leak above threshold)"
            if dialect.rest == "own":
                lost.append(f"{text}, and begin at v_reset")
            else:
                wrong.append(text)
        elif dialect.zero_reset and (population.v_reset != population.v_leak).any():
            lost.append(f"{name} has a v_reset that is not its v_leak")
    elif spiking and dialect.rest == "bias":
        leak = population.v_leak
        if ((leak != population.v_reset) & (leak < population.threshold)).any():
            lost.append(f"{name} begins at v_leak, not at v_reset")
    if dt is not None:
        fastest = min(population.tau_mem.min(), population.tau_syn.min())
        if fastest <= dt:
            wrong.append(f"{name} has a time constant of {fastest:g} ms, not above dt = {dt:g} ms")
    wrong += [
        f"{name} has a {key} that differs between neurons"
        for key in dialect.uniform
        if key in population.parameters and not _uniform(population, key)
    ]
    return wrong, lost


def _uniform(population: Population, key: str) -> bool:
    values = population.parameters[key]
    if key == "v_reset":
        leak = population.v_leak
        values = (values - leak) / (population.threshold - leak)
        return bool(np.allclose(values, values[0], rtol=1e-12, atol=1e-12))
    return bool((values == values[0]).all())
