r"""Neurons that are linear between their events: described by names, computed by matrices.

With :math:`x = (V - E, \ldots)`, one number for each state,

.. math::
    \dot x = A x, \qquad x_s \leftarrow x_s + w \;\text{at an arrival}, \qquad
    x \leftarrow R x + r \;\text{where}\; V \;\text{rises through}\; \vartheta .

The receptor of an arrival says which state s the arrival raises. After a spike V is constant for
the refractory time, while the other states go on: the flow is A without its first row. A
description computes the entries of A, and the effect of a spike, from parameters with names. No
other part of eventsim knows these parameters. Derivatives by them are those of the lines that
compute the entries, by a complex step: with :math:`p + i\,10^{-30}` in place of p, the imaginary
part of an entry is its derivative to rounding.

=============  ==========================================  ========================  =======
parameter      meaning                                     domain                    default
=============  ==========================================  ========================  =======
threshold      as of a LIF neuron; every neuron has it     above V after a spike     1
v_leak         resting potential                           finite                    0
v_reset        V after a spike                             below the threshold       0
refractory     time for which V stays after a spike, ms    >= 0                      0
=============  ==========================================  ========================  =======

The kinds below have further parameters. A neuron has at most five states, and it must be stable: no
mode of its flow grows.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from types import SimpleNamespace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from eventsim.checks import known
from eventsim.errors import ParameterError

MOST_STATES = 5
COMMON: Mapping[str, float] = {
    "threshold": 1.0, "v_leak": 0.0, "v_reset": 0.0, "refractory": 0.0
}  # fmt: skip
STEP = 1e-30  # of complex steps

# A flow whose fastest growing mode is below this times its largest entry is stable to rounding.
GROWTH = 1e-12


class Domain(NamedTuple):
    """Values that a parameter may have, and how it is trained.

    A value is above ``above`` (exclusive), and at least ``least``. If ``logarithmic``, its
    logarithm is trained. ``floor`` is the least value that training allows; None for the least of
    the domain. A learning rate is per ``unit`` of a value that is not trained as a logarithm.
    """

    above: float | None = None
    least: float | None = None
    logarithmic: bool = False
    floor: float | None = None
    unit: float = 1.0


TIME = Domain(above=0.0, logarithmic=True, floor=1.0)
ANY = Domain()
FROM_0 = Domain(least=0.0)


class Matrices(NamedTuple):
    """The matrices of N neurons for the engine: A and R [N, n, n], r [N, n], level, hold [N].

    ``level`` is the threshold measured from v_leak, ``hold`` the refractory time in ms.
    """

    flow: NDArray[Any]
    keep: NDArray[Any]
    jump: NDArray[Any]
    level: NDArray[Any]
    hold: NDArray[Any]


class LinearNeuron:
    """A neuron that is linear between its events; subclasses say which.

    Attributes
    ----------
    states
        Names, that of the voltage first; at most five.
    receptors
        The state that an arrival raises, by the name of its receptor; never the voltage.
    parameters
        Default of each parameter, without the parameters that all neurons have.
    domains
        :class:`Domain` by parameter. Without an entry, a parameter with a name ``tau..`` is > 0
        and trained as a logarithm, and another one may be any number.

    Parameters
    ----------
    **values
        Parameters in place of their defaults: one number, or one per neuron.

    Raises
    ------
    ParameterError
        A parameter is unknown, or the description contradicts itself.

    Examples
    --------
    >>> import eventsim as es
    >>> class Slow(es.LinearNeuron):
    ...     states, receptors = ("v", "w", "i"), {"in": "i"}
    ...     parameters = {"tau_mem": 20.0, "tau_w": 100.0, "tau_syn": 5.0, "pull": 0.5}
    ...
    ...     def flow(self, p):
    ...         return {
    ...             ("v", "v"): -1 / p.tau_mem,
    ...             ("v", "w"): -1 / p.tau_mem,
    ...             ("v", "i"): 1 / p.tau_mem,
    ...             ("w", "v"): p.pull / p.tau_w,
    ...             ("w", "w"): -1 / p.tau_w,
    ...             ("i", "i"): -1 / p.tau_syn,
    ...         }
    >>> Slow(pull=0.2)
    Slow(pull=0.2)
    """

    states: tuple[str, ...] = ()
    receptors: Mapping[str, str] = {}
    parameters: Mapping[str, float] = {}
    domains: Mapping[str, Domain] = {}

    # Whether the domains alone keep the flow from growing.
    always_stable = False

    def __init__(self, **values: Any) -> None:
        self._check_form()
        for name in values:
            known(type(self).__name__, "parameter", name, self.names, error=ParameterError)
        self.values: dict[str, Any] = values

    def flow(self, p: Any) -> Mapping[tuple[str, str], Any]:
        """Entries of A that are not zero, per ms, by (changed state, state).

        ``p`` has every parameter as an attribute, an array of one number per neuron, real or
        complex: use operations and functions of NumPy that take both. Voltages are measured from
        v_leak.
        """
        raise NotImplementedError(f"{type(self).__name__} has no flow")

    def reset(self, p: Any) -> Mapping[str, Any]:
        """Effect of a spike: a new value of a state, or ``("add", change)``; other states stay."""
        return {self.states[0]: p.v_reset}

    @property
    def names(self) -> tuple[str, ...]:
        """Names of all parameters, those of the kind first."""
        return (*self.parameters, *COMMON)

    def default(self, name: str) -> float:
        """Default of a parameter."""
        return COMMON[name] if name in COMMON else self.parameters[name]

    def domain(self, name: str) -> Domain:
        """Domain of a parameter."""
        if name == "refractory":
            return FROM_0
        return self.domains.get(name, TIME if name.startswith("tau") else ANY)

    def state_of(self, receptor: str) -> int:
        """Index of the state that the receptor raises."""
        return self.states.index(self.receptors[receptor])

    def _check_form(self) -> None:
        kind, states = type(self).__name__, self.states
        if not 1 < len(states) <= MOST_STATES:
            expected = f"the voltage and 1 to {MOST_STATES - 1} more"
            raise ParameterError(kind, f"states are {states}", expected)
        wrong = {r: s for r, s in self.receptors.items() if s not in states[1:]}
        if wrong or not self.receptors:
            raise ParameterError(
                kind,
                f"receptors are {dict(self.receptors)}",
                f"one or more, each with one of the states {states[1:]}",
                f"An arrival cannot raise {states[0]!r}, the voltage, itself: give it a state of "
                "a short time constant.",
            )

    def matrices(self, values: Mapping[str, NDArray[Any]]) -> Matrices:
        """Matrices of neurons from their parameters [N], real or complex, of any precision.

        Raises
        ------
        ParameterError
            ``flow`` or ``reset`` names an unknown state.
        """
        p = dict(values)
        p["v_reset"] = values["v_reset"] - values["v_leak"]
        p["threshold"] = values["threshold"] - values["v_leak"]
        given, n, size = SimpleNamespace(**p), len(self.states), values["v_leak"].size
        dtype = np.result_type(*values.values())
        flow = np.zeros((size, n, n), dtype)
        for (to, by), value in self.flow(given).items():
            flow[:, self._number(to, "flow"), self._number(by, "flow")] = value
        keep, jump = np.zeros((size, n, n), dtype), np.zeros((size, n), dtype)
        keep[:] = np.eye(n)
        for state, value in self.reset(given).items():
            k = self._number(state, "reset")
            if isinstance(value, tuple):
                jump[:, k] = value[1]
            else:
                keep[:, k], jump[:, k] = 0.0, value
        return Matrices(flow, keep, jump, p["threshold"], values["refractory"])

    def _number(self, state: str, where: str) -> int:
        place = f"{type(self).__name__}.{where}"
        known(place, "state", state, self.states, error=ParameterError)
        return self.states.index(state)

    def slopes(self, values: Mapping[str, NDArray[Any]]) -> Iterator[tuple[str, Matrices]]:
        """Derivative of the matrices by every parameter, float64."""
        complex_values = {name: value.astype(np.complex128) for name, value in values.items()}
        for name in self.names:
            moved = {**complex_values, name: complex_values[name] + 1j * STEP}
            found = self.matrices(moved)
            yield name, Matrices(*(np.ascontiguousarray(m.imag / STEP) for m in found))

    def growth(self, values: Mapping[str, NDArray[Any]]) -> NDArray[np.float64]:
        """Rate of the fastest growing mode, 1/ms, [N]; 0 where no mode grows."""
        flow = self.matrices(values).flow
        if self.always_stable or not np.isfinite(flow).all():
            return np.zeros(flow.shape[0])
        rate: NDArray[np.float64] = np.linalg.eigvals(flow).real.max(axis=1)
        return np.where(rate <= GROWTH * np.abs(flow).max(axis=(1, 2)), 0.0, rate)

    def swing(self, values: Mapping[str, NDArray[Any]]) -> NDArray[np.float64]:
        """Highest frequency of the modes that last longer than a radian, Hz, [N]; 0 without one."""
        modes = np.linalg.eigvals(self.matrices(values).flow)
        seen = np.where(np.abs(modes.imag) > -modes.real, np.abs(modes.imag), 0.0)
        found: NDArray[np.float64] = seen.max(axis=1) * (1e3 / (2.0 * np.pi))
        return found

    def check_slopes(self, values: Mapping[str, NDArray[Any]], where: str) -> None:
        """Raise ParameterError unless complex steps differentiate ``flow`` and ``reset``.

        They do not if these functions use a real part, an absolute value or a maximum.
        """
        for name, by_name in self.slopes(values):
            h = 1e-6 * np.maximum(1e-3, np.abs(values[name]))
            up, down = (self.matrices({**values, name: values[name] + d}) for d in (h, -h))
            for mine, high, low in zip(by_name, up, down, strict=True):
                of_neuron = (slice(None), *(None,) * (high.ndim - 1))
                numeric = (high - low) / (2 * h[of_neuron])
                if not np.allclose(mine, numeric, rtol=1e-4, atol=1e-4 * np.abs(numeric).max()):
                    raise ParameterError(
                        where,
                        f"flow or reset of {type(self).__name__} is not smooth in {name!r}, or "
                        "loses the imaginary part of complex numbers, from which derivatives come",
                        remedy="Write it without abs, real parts, maxima and conditions.",
                    )

    @property
    def is_plain(self) -> bool:
        """Whether it is the LIF neuron with one receptor, the default of a population."""
        return type(self) is LIF and list(self.receptors) == [""]

    def describe(self) -> tuple[str, ...]:
        """For files: the name of the kind, and the names of its receptors that have one."""
        return (type(self).__name__, *filter(None, self.receptors))

    @classmethod
    def of_receptors(cls, receptors: list[str]) -> LinearNeuron:
        """The kind with these receptors; its values are those of the population."""
        return cls()

    def __repr__(self) -> str:
        values = ", ".join(f"{name}={value!r}" for name, value in self.values.items())
        return f"{type(self).__name__}({values})"


class _WithSynapses(LinearNeuron):
    """A neuron with one or several synaptic currents among its states."""

    own_states: tuple[str, ...] = ()
    own: Mapping[str, float] = {}

    def __init__(self, *, tau_syn: Any = 5.0, **values: Any) -> None:
        several = isinstance(tau_syn, Mapping)
        by_name = dict(tau_syn) if isinstance(tau_syn, Mapping) else {"": tau_syn}
        for receptor in by_name:
            if several and (not isinstance(receptor, str) or not receptor.isidentifier()):
                raise ParameterError(
                    type(self).__name__,
                    f"a receptor is called {receptor!r}",
                    "a name of letters, digits and _ such as 'ampa'",
                )
        self.taus = {r: f"tau_syn_{r}" if several else "tau_syn" for r in by_name}
        self.currents = {r: f"i_{r}" if several else "i" for r in by_name}
        self.receptors = self.currents
        self.states = (*self.own_states, *self.currents.values())
        self.parameters = {**self.own, **dict.fromkeys(self.taus.values(), 5.0)}
        super().__init__(**values, **{self.taus[r]: tau for r, tau in by_name.items()})

    def decays(self, p: Any) -> dict[tuple[str, str], Any]:
        """The entries of A for the decay of the currents."""
        return {
            (self.currents[r], self.currents[r]): -1.0 / getattr(p, tau)
            for r, tau in self.taus.items()
        }

    def drives(self, state: str, gain: Any) -> dict[tuple[str, str], Any]:
        """Entries of A by which all currents drive a state."""
        return {(state, current): gain for current in self.currents.values()}

    @classmethod
    def of_receptors(cls, receptors: list[str]) -> LinearNeuron:
        return cls(tau_syn=dict.fromkeys(receptors, 5.0)) if receptors else cls()


class LIF(_WithSynapses):
    r"""Leaky integrate-and-fire neuron with one or several receptors.

    .. math::
        \tau_m \dot V = -(V - E) + R \sum_r I_r, \qquad \tau_r \dot I_r = -I_r .

    ``tau_mem`` 20 ms, ``tau_syn`` 5 ms or a mapping from receptors to time constants,
    ``resistance`` 1. With one time constant it is the neuron of every population without
    ``neuron=``.
    """

    own_states = ("v",)
    own: Mapping[str, float] = {"tau_mem": 20.0, "resistance": 1.0}
    domains: Mapping[str, Domain] = {
        "tau_mem": TIME._replace(floor=3.0), "resistance": Domain(above=0.0, logarithmic=True)
    }  # fmt: skip
    always_stable = True

    def flow(self, p: Any) -> Mapping[tuple[str, str], Any]:
        """The equations above."""
        drives = self.drives("v", p.resistance / p.tau_mem)
        return {("v", "v"): -1.0 / p.tau_mem, **drives, **self.decays(p)}


class AdLIF(_WithSynapses):
    r"""Leaky integrate-and-fire neuron with an adaptation current below the threshold.

    .. math::
        \tau_m \dot V = -(V - E) - w + \sum_r I_r, \qquad \tau_w \dot w = a (V - E) - w, \qquad
        w \leftarrow w + b \;\text{at a spike.}

    ``tau_mem`` 20 ms, ``tau_syn`` 5 ms or a mapping as of :class:`LIF`, ``tau_w`` 100 ms, ``a``
    0 (> -1, else V runs away), ``b`` 0. Source: Bittar and Garner (2022).
    """

    own_states = ("v", "w")
    own: Mapping[str, float] = {"tau_mem": 20.0, "tau_w": 100.0, "a": 0.0, "b": 0.0}
    domains: Mapping[str, Domain] = {
        "tau_mem": TIME._replace(floor=3.0), "a": Domain(above=-1.0, floor=-0.95)
    }  # fmt: skip
    always_stable = True

    def flow(self, p: Any) -> Mapping[tuple[str, str], Any]:
        """The equations above."""
        return {
            ("v", "v"): -1.0 / p.tau_mem,
            ("v", "w"): -1.0 / p.tau_mem,
            ("w", "v"): p.a / p.tau_w,
            ("w", "w"): -1.0 / p.tau_w,
            **self.drives("v", 1.0 / p.tau_mem),
            **self.decays(p),
        }

    def reset(self, p: Any) -> Mapping[str, Any]:
        """The effect of a spike, as above."""
        return {"v": p.v_reset, "w": ("add", p.b)}


class Resonator(_WithSynapses):
    r"""Resonate-and-fire neuron: V swings with a frequency of its own.

    .. math::
        \dot V = -\delta (V - E) + \omega u, \qquad
        \dot u = -\omega (V - E) - \delta u + \omega \sum_r I_r, \qquad
        u \leftarrow 0 \;\text{at a spike.}

    ``frequency`` :math:`\omega / 2\pi` 10 Hz, ``damping`` :math:`\delta` 20 per second (>= 0),
    ``tau_syn`` 5 ms or a mapping as of :class:`LIF`. Source: Izhikevich (2001).
    """

    own_states = ("v", "u")
    own: Mapping[str, float] = {"frequency": 10.0, "damping": 20.0}
    domains: Mapping[str, Domain] = {
        "frequency": Domain(above=0.0, logarithmic=True, floor=0.1),
        "damping": Domain(least=0.0, unit=20.0),
    }  # fmt: skip
    always_stable = True

    def flow(self, p: Any) -> Mapping[tuple[str, str], Any]:
        """The equations above."""
        omega, damping = p.frequency * (2e-3 * np.pi), p.damping * 1e-3
        return {
            ("v", "v"): -damping,
            ("v", "u"): omega,
            ("u", "v"): -omega,
            ("u", "u"): -damping,
            **self.drives("u", omega),
            **self.decays(p),
        }

    def reset(self, p: Any) -> Mapping[str, Any]:
        """States after a spike, as above."""
        return {"v": p.v_reset, "u": 0.0 * p.v_reset}


def neuron_described(name: str, receptors: Sequence[str]) -> LinearNeuron:
    """The kind of a description by :meth:`LinearNeuron.describe`, if its class is known here.

    Raises ParameterError (no class of that name has been defined).
    """
    kinds = {kind.__name__: kind for kind in _subclasses(LinearNeuron)}
    there = ", ".join(sorted(kind for kind in kinds if not kind.startswith("_")))
    if name not in kinds or name.startswith("_"):
        came = f"are of kind {name!r}, a class that is not defined here"
        remedy = "Import the module that defines it first."
        raise ParameterError("neurons", came, f"one of {there}", remedy)
    found = kinds[name].of_receptors(list(receptors))
    if found.describe()[1:] != tuple(receptors):
        came, own = f"have receptors {list(receptors)}", list(found.receptors)
        expected = f"{own}, as the class of that name has here"
        raise ParameterError(f"neurons of kind {name}", came, expected)
    return found


def _subclasses(kind: type[LinearNeuron]) -> Iterator[type[LinearNeuron]]:
    for below in kind.__subclasses__():
        yield below
        yield from _subclasses(below)
