r"""AdamW over the parameters of a network, each in the coordinate in which it is trained.

A parameter :math:`\theta` is trained as :math:`x = \log \theta` (time constants, resistance) or as
itself. One step, with the gradient :math:`g = \partial L/\partial x` clipped to a common norm:

.. math::
    m \leftarrow \beta_1 m + (1-\beta_1) g, \qquad v \leftarrow \beta_2 v + (1-\beta_2) g^2, \qquad
    x \leftarrow x - \eta\, \frac{m / (1-\beta_1^t)}{\sqrt{v / (1-\beta_2^t)} + \epsilon}
               - \eta\, \omega\, x \;\text{(weights only)},

after which the value is put back into its domain:

===================================  ==========  ============================  ================
parameter                            trained as  domain kept by a step         rate
===================================  ==========  ============================  ================
weights (with ``dale``: sign kept)   itself      any                           ``weights``
bias of a decision                   itself      any                           ``weights``
self-weights (no refractory time)    itself      <= 0.8 of the run-away bound  ``weights``
tau_mem                              log         >= 3 ms                       ``taus``
tau_syn                              log         >= 1 ms                       ``taus``
tau_adaptation                       log         >= 1 ms                       ``taus``
resistance                           log         > 0                           ``intrinsic``
threshold                            itself      >= v_reset + margin           ``intrinsic``
v_reset (threshold not trained)      itself      <= threshold - margin         ``intrinsic``
v_leak (of neurons that fire)        itself      <= threshold - margin         ``intrinsic``
others, of linear neurons            domain      its floor (``a`` > -1 of      ``taus`` (log),
                                                 AdLIF: >= -0.95)              ``intrinsic``
                                                                               times its unit
adaptation                           itself      >= 0                          ``intrinsic``
refractory                           itself      >= 0 ms                       ``delays``
delays                               itself      0 .. ``max_delay`` ms         ``delays``
===================================  ==========  ============================  ================

**Run-away.** A neuron without refractory time that excites itself can fire faster and faster. Under
a large current its intervals are :math:`h = (\vartheta - V_r)\,\tau_m / (R I)`; in each, I gains
the self-weight r and loses :math:`I h / \tau_s`. So I grows without bound if

.. math:: r > \frac{(\vartheta - V_r)\,\tau_m}{R\,\tau_s},

and training, which changes all of these values, keeps r below this bound.

The rate :math:`\eta` of a step is the group's rate times :func:`schedule`: a linear ease-in, then
a cosine to zero.

References
----------
Loshchilov and Hutter (2019), Decoupled weight decay regularization, ICLR, algorithm 2. Izmailov et
al. (2018), Averaging weights leads to wider optima and better generalization, UAI.
"""

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from eventsim.arrays import Floats, beside, to_host
from eventsim.engine.contract.adam import Adam, AdamStep, Bounded, Trained
from eventsim.engine.contract.registry import backend_of
from eventsim.entries import Above0, NotNegative, Settings
from eventsim.errors import ParameterError, StorageError
from eventsim.matrix import require
from eventsim.network import Network, Population
from eventsim.train.dale import NeuronSigns
from eventsim.train.groups import Coordinate, coordinate_of
from eventsim.train.layout import Layout, kind_of

STABLE_FRACTION = 0.8  # of the self-weight at which a neuron runs away; see the module
THRESHOLD_MARGIN = 0.05  # keeps V_r - theta, a denominator of the restart, away from 0


@dataclass(frozen=True, kw_only=True)
class LearningRates(Settings):
    """Rates of the four groups of parameters, each >= 0 in the unit in which it is trained.

    Attributes
    ----------
    weights
        Per unit of weight.
    taus
        Per unit of log time constant.
    intrinsic
        Resistance (log), threshold, v_leak, v_reset and adaptation.
    delays
        Delays and refractory times, in ms.
    """

    weights: NotNegative = 1e-2
    taus: NotNegative = 2e-2
    intrinsic: NotNegative = 5e-3
    delays: NotNegative = 2e-2


@dataclass(frozen=True, kw_only=True)
class AdamSettings(Settings):
    """Constants of :class:`AdamW`.

    Attributes
    ----------
    rates
        Learning rates at the top of the schedule.
    weight_decay
        Decoupled decay of weights per unit of learning rate, >= 0.
    clip_norm
        Largest global norm of the gradient, > 0; infinite for no clipping.
    max_delay
        Largest delay that training may reach, ms, > 0; infinite for no bound.
    dale
        Whether weights between spiking neurons keep the sign of their source neuron; see
        :mod:`eventsim.train.dale`.
    beta1, beta2, epsilon
        Of Adam.
    """

    rates: LearningRates = field(default_factory=LearningRates)
    weight_decay: NotNegative = 0.0
    clip_norm: Above0 = math.inf
    max_delay: Above0 = math.inf
    dale: bool = False
    beta1: float = 0.9
    beta2: float = 0.999
    epsilon: float = 1e-8


@dataclass(frozen=True)
class StepReport:
    """Report of a step: gradient norm before clipping, and whether it was clipped or skipped."""

    norm: float
    clipped: bool
    skipped: bool


class BegunStep(NamedTuple):
    """A step that has begun: ``found`` is what the host has to fetch for ``finish``."""

    found: Floats
    finish: Callable[[NDArray[np.float64]], StepReport]


def schedule(step: int, *, total: int, ease_in: int) -> float:
    """Factor on the learning rate at step 0 .. total - 1: linear ease-in, then cosine to 0."""
    if step < ease_in:
        return (step + 1) / ease_in
    return 0.5 * (1.0 + math.cos(math.pi * (step - ease_in) / max(total - ease_in, 1)))


@dataclass(frozen=True)
class Pace:
    """``factor`` on the learning rate of a step, whether it counts in the mean, its place.

    It is the step ``number``, counted from 0, of ``total``.
    """

    factor: float = 1.0
    counts: bool = False
    number: int = 0
    total: int = 1


class AdamW:
    """The optimiser of one network.

    Parameters
    ----------
    net
        Its parameters are changed in place by :meth:`step`, on the device if they are there.
    keys
        Which of them, as :func:`select` gives.
    settings
        Constants.

    Raises
    ------
    ParameterError
        If a trained value starts outside its domain, a threshold too close to its reset, or with
        ``dale`` a neuron with weights of both signs.
    """

    def __init__(self, net: Network, keys: Iterable[str], settings: AdamSettings | None = None):
        self.settings = settings or AdamSettings()
        self.keys = tuple(keys)
        self._net = net
        self._values = {key: net.parameters()[key] for key in self.keys}
        self._coordinates = _coordinates(net, self.keys)
        self._shared = {key: one for key, one in net.shared.items() if key in self._values}
        self.layout = Layout(self._values)
        self._xp = self.layout.xp
        self._once = {key: self._xp.asarray(one.once()) for key, one in self._shared.items()}
        self._moments = {"first": self.layout.zeros(), "second": self.layout.zeros()}
        self._mean = self.layout.zeros()
        self.n_steps, self.n_averaged = 0, 0
        self._check_start()
        self._signs = NeuronSigns(net, self.keys) if self.settings.dale else None
        self._fused = self._find_fused()

    def _find_fused(self) -> Adam | None:
        """The same step in a few launches, where the network is on a device that offers it.

        Values that are one are left to operations on whole arrays.
        """
        engine = backend_of(self._mean)
        if engine is None or self._shared:
            return None
        s = self.settings
        trained = []
        for key in self.layout.keys:
            kind = kind_of(key)
            group, logarithmic, least, unit = self._coordinates[kind]
            rate = float(getattr(s.rates, group)) * unit
            decay = s.weight_decay if kind == "weights" else 0.0
            most = s.max_delay if kind == "delays" else math.inf
            trained.append(Trained(self._values[key], rate, decay, logarithmic, least, most))
        bounded = [self._bounded(population) for population in self._net.spiking.values()]
        return engine.adam(trained, bounded, margin=THRESHOLD_MARGIN, stable=STABLE_FRACTION)

    def _bounded(self, population: Population) -> Bounded:
        own = self._net.recurrences.get(population.name)
        kinds = ("threshold", "v_reset", "v_leak")
        names = {kind for kind in kinds if f"{population.name}.{kind}" in self._values}
        if own is not None and f"{own.name}.weights" in self._values:
            names.add("weights")
        return Bounded(population, None if own is None else own.values, frozenset(names))

    def step(self, gradients: Mapping[str, Floats], *, factor: float = 1.0) -> StepReport:
        """Take one step.

        Parameters
        ----------
        gradients
            Derivative of the loss by every trained parameter, shapes as in ``net.parameters()``;
            further keys are ignored. None is changed.
        factor
            Of the learning rate; see :func:`schedule`.

        Returns
        -------
        StepReport
            ``skipped`` if the norm is not finite: nothing was changed then, the moments neither.

        Raises
        ------
        ShapeError
        """
        return self.step_joined(self.layout.join(gradients), factor=factor)

    def step_joined(self, gradient: Floats, *, factor: float = 1.0) -> StepReport:
        """As :meth:`step`, with the gradient as one vector of the layout, changed in place."""
        begun = self.begin_step(gradient, factor=factor)
        return begun.finish(to_host(begun.found))

    def begin_step(self, gradient: Floats, *, factor: float = 1.0) -> "BegunStep":
        """As :meth:`step_joined`, but the host does not wait for the norm of the gradient.

        Call ``finish`` of the result before the next step.
        """
        if self._fused is None:
            report = self._step(gradient, factor)
            return BegunStep(np.zeros(0), lambda found: report)
        s = self.settings
        step = AdamStep(factor, s.clip_norm, s.beta1, s.beta2, s.epsilon, self.n_steps + 1)
        square = self._fused.step(step, gradient, *self._moments.values())
        self.restore_signs()
        return BegunStep(square, self._finish)

    def _finish(self, square: NDArray[np.float64]) -> StepReport:
        norm = math.sqrt(square[0])
        if not math.isfinite(norm):
            return StepReport(norm, clipped=False, skipped=True)
        self.n_steps += 1
        return StepReport(norm, clipped=norm > self.settings.clip_norm, skipped=False)

    def _step(self, gradient: Floats, factor: float) -> StepReport:
        """A step by operations on whole arrays; this is the definition."""
        layout, values = self.layout, self.layout.join(self._values)
        for key, one in self._shared.items():
            part = layout.view(gradient, key)
            part[...] = one.spread(part, "sum")
        for kind, place in layout.kinds.items():
            if self._coordinates[kind].logarithmic:
                gradient[place] *= values[place]
        norm = self._norm(gradient)
        if not math.isfinite(norm):
            return StepReport(norm, clipped=False, skipped=True)
        clipped = norm > self.settings.clip_norm
        gradient *= self.settings.clip_norm / norm if clipped else 1.0
        self.n_steps += 1
        self._move(values, gradient, factor)
        self._put(values)
        self._restore()
        return StepReport(norm, clipped=clipped, skipped=False)

    def average(self) -> None:
        """Count the values as they are now in their mean."""
        self.n_averaged += 1
        if self._fused is not None:
            self._fused.average(self._mean, self.n_averaged)
            return
        self._mean += (self.layout.join(self._values) - self._mean) / self.n_averaged

    def forget_mean(self) -> None:
        """Begin the mean anew, with the next values that :meth:`average` counts."""
        self.n_averaged = 0
        self._mean[...] = 0.0

    @contextmanager
    def averaged(self) -> Iterator[None]:
        """Inside, the network has the mean of what :meth:`average` counted, if it counted.

        The mean is put back into the domains, of which not all are convex.
        """
        if not self.n_averaged:
            yield
            return
        before = self.layout.join(self._values)
        try:
            self._put(self._mean)
            self._restore()
            yield
        finally:
            self._put(before)

    def _put(self, values: Floats) -> None:
        for key, value in self._values.items():
            value[...] = self.layout.view(values, key)

    def _restore(self) -> None:
        """Bring all values back into their domains."""
        self._restore_thresholds()
        self._restore_stability()
        self._restore_shared()
        self.restore_signs()

    def restore_signs(self) -> None:
        """With ``dale``, set weights of the wrong sign to zero, whoever changed them."""
        if self._signs is not None:
            self._signs.restore()

    def to_arrays(self) -> dict[str, NDArray[Any]]:
        """Moments, step number, mean and signs as NumPy arrays, for a checkpoint. New arrays."""
        arrays: dict[str, NDArray[Any]] = {"n_steps": np.array(self.n_steps)}
        if self._signs is not None:
            arrays |= self._signs.to_arrays()
        if self.n_averaged:
            arrays["n_averaged"] = np.array(self.n_averaged)
        for prefix, vector in self._kept().items():
            for key in self.keys:
                arrays[f"{prefix}.{key}"] = np.array(to_host(self.layout.view(vector, key)))
        return arrays

    def load_arrays(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        """Take up what :meth:`to_arrays` gave; raises StorageError if it does not fit."""
        self.n_averaged = int(arrays.get("n_averaged", 0))
        for prefix, vector in self._kept().items():
            for key in self.keys:
                target = self.layout.view(vector, key)
                stored = arrays.get(f"{prefix}.{key}")
                fits = stored is not None and stored.dtype.kind == "f"
                if stored is None or not fits or stored.shape != target.shape:
                    came = (
                        "nothing" if stored is None else f"{stored.dtype} of shape {stored.shape}"
                    )
                    what = prefix if prefix == "mean" else f"{prefix} moment"
                    raise StorageError(
                        "Optimiser state",
                        f"{what} of {key!r} has {came}",
                        f"shape {target.shape}",
                        "The state is of another network or choice of parameters.",
                    )
                target[...] = beside(stored, target)
        self.n_steps = int(arrays["n_steps"])
        if self._signs is not None:
            self._signs.load_arrays(arrays)

    def _kept(self) -> dict[str, Floats]:
        """The vectors that a checkpoint has."""
        return self._moments | ({"mean": self._mean} if self.n_averaged else {})

    def _norm(self, gradient: Floats) -> float:
        """Global norm; the sums of squares are fetched together where they are on a device."""
        joined = self._xp.square(gradient)
        squares = {key: self.layout.view(joined, key) for key in self.keys}
        for key, weight in self._once.items():
            squares[key] = squares[key] * weight
        sums = [self._xp.sum(squares[key]) for key in self.keys]
        if sums and self._xp is not np:
            sums = to_host(self._xp.stack(sums)).tolist()
        return math.sqrt(sum(float(each) for each in sums))

    def _move(self, values: Floats, gradient: Floats, factor: float) -> None:
        """Adam's step of all values, which are changed in place."""
        s, xp, (first, second) = self.settings, self._xp, self._moments.values()
        # In place where NumPy would make one array more for every operation.
        change = gradient - first
        change *= 1.0 - s.beta1
        first += change
        xp.square(gradient, out=change)
        change -= second
        change *= 1.0 - s.beta2
        second += change
        unbiased = first / (1.0 - s.beta1**self.n_steps)
        spread = second / (1.0 - s.beta2**self.n_steps)
        xp.sqrt(spread, out=spread)
        spread += s.epsilon
        for kind, place in self.layout.kinds.items():
            group, logarithmic, floor, unit = self._coordinates[kind]
            rate, value = factor * float(getattr(s.rates, group)) * unit, values[place]
            change = rate * unbiased[place]
            change /= spread[place]
            if logarithmic:
                value *= xp.exp(-change)
            else:
                if kind == "weights":
                    value *= 1.0 - rate * s.weight_decay
                value -= change
            if floor > -math.inf:
                xp.maximum(value, floor, out=value)
            if kind == "delays":
                xp.minimum(value, s.max_delay, out=value)

    def _restore_thresholds(self) -> None:
        xp = self._xp
        for population in self._net.spiking.values():
            threshold, v_reset = population.threshold, population.v_reset
            if f"{population.name}.threshold" in self._values:
                xp.maximum(threshold, v_reset + THRESHOLD_MARGIN, out=threshold)
            elif f"{population.name}.v_reset" in self._values:
                xp.minimum(v_reset, threshold - THRESHOLD_MARGIN, out=v_reset)
            if f"{population.name}.v_leak" in self._values:
                xp.minimum(population.v_leak, threshold - THRESHOLD_MARGIN, out=population.v_leak)

    def _restore_stability(self) -> None:
        for name, projection in self._net.recurrences.items():
            if f"{projection.name}.weights" not in self._values:
                continue
            p, weights = self._net.populations[name], projection.values
            if p.neuron is not None:  # no bound is known: RunawayError names one that runs away
                continue
            limit = (p.threshold - p.v_reset) * p.tau_mem / (p.tau_syn * p.resistance)
            bounded = self._xp.minimum(weights, STABLE_FRACTION * limit)
            weights[...] = self._xp.where(p.refractory == 0, bounded, weights)

    def _restore_shared(self) -> None:
        """After a bound has moved some values of a group: all go where the bound lets all be."""
        own = [f"{projection.name}.weights" for projection in self._net.recurrences.values()]
        for key, one in self._shared.items():
            if key in own or kind_of(key) in ("threshold", "v_reset", "v_leak"):
                how: Literal["least", "largest"]
                how = "largest" if kind_of(key) == "threshold" else "least"
                self._values[key][...] = one.spread(self._values[key], how)

    def _check_start(self) -> None:
        for key, one in self._shared.items():
            if self.settings.dale:
                said = {"dale": "dale is True", "shared": f"values of {key!r} are shared"}
                require("train", said, where="AdamW")
            if not one.agrees(self._values[key]):
                raise ParameterError(
                    "AdamW",
                    f"values of {key!r} that are shared differ at the start",
                    "equal values in every group",
                    "Set them before.",
                )
        for key, value in self._values.items():
            floor = self._coordinates[kind_of(key)].floor
            if (value < floor).any():
                raise ParameterError(
                    "AdamW",
                    f"{key} starts at {value.min():.6g}, below its floor of {floor} ms in training",
                    remedy=f"Start higher, or leave {kind_of(key)!r} out of what is trained.",
                )
            if kind_of(key) == "delays" and (value > self.settings.max_delay).any():
                raise ParameterError(
                    "AdamW",
                    f"{key} starts at {value.max():.6g}, above max_delay = "
                    f"{self.settings.max_delay} ms",
                    remedy="Start lower, or raise max_delay.",
                )
        for population in self._net.populations.values():
            names = {f"{population.name}.threshold", f"{population.name}.v_reset"}
            if names.isdisjoint(self.keys):
                continue
            gap = float((population.threshold - population.v_reset).min())
            if gap < THRESHOLD_MARGIN:
                raise ParameterError(
                    "AdamW",
                    f"a threshold of {population.name!r} starts {gap:.6g} above its reset",
                    f"at least {THRESHOLD_MARGIN} where either is trained",
                )


def _coordinates(net: Network, keys: Iterable[str]) -> dict[str, Coordinate]:
    """Coordinates by kind; ParameterError if two populations differ in those of one name."""
    found: dict[str, Coordinate] = {}
    for key in keys:
        one = coordinate_of(net, key)
        if found.setdefault(kind_of(key), one) != one:
            raise ParameterError(
                "AdamW",
                f"{key} is trained as {one}, the parameter of that name of another population as "
                f"{found[kind_of(key)]}",
                remedy="Rename one of them, or leave one out.",
            )
    return found
