"""Network: a graph of populations and projections, described and checked, never run here."""

from __future__ import annotations

import copy
from collections.abc import Callable, Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from eventsim.arrays import Array, Floats, namespace, to_host
from eventsim.checks import known
from eventsim.errors import EventSimError, NetworkError, ParameterError, ShapeError, StorageError
from eventsim.events.storage import read_arrays, write_arrays
from eventsim.network import forms, overview
from eventsim.network.answer import Answer
from eventsim.network.decision import Decision, make_decision
from eventsim.network.domain import DomainCheck, all_hold
from eventsim.network.draws import Distribution, seed_number
from eventsim.network.features import features_of
from eventsim.network.parts import (
    Population,
    PopulationKind,
    make_population,
    spiking_population,
    with_current,
)
from eventsim.network.projection import (
    DelaysOf,
    Projection,
    ValueTypes,
    make_projection,
    random_projection,
    value_type,
)
from eventsim.network.rules import ConnectionRule
from eventsim.network.sharing import Sharing, make_sharing
from eventsim.neuron.linear import LinearNeuron


class Network:
    """Populations joined by projections.

    Populations are added first, then connected. All arrays are live: an optimiser changes
    ``net.parameters()`` in place, and the next run sees it.

    Parameters
    ----------
    weight_dtype, delay_dtype
        See :attr:`weight_dtype` and :attr:`delay_dtype`.
    seed
        Whole number >= 0, from which follows what :meth:`connect` draws by a rule.

    Raises
    ------
    ParameterError, ShapeError
        A type is neither float64 nor float32, or the seed is no whole number >= 0.
    """

    def __init__(
        self,
        *,
        weight_dtype: DTypeLike = np.float64,
        delay_dtype: DTypeLike = np.float64,
        seed: int = 0,
    ) -> None:
        self._types = ValueTypes(
            value_type(weight_dtype, "Network", "weight_dtype"),
            value_type(delay_dtype, "Network", "delay_dtype"),
        )
        self._seed = seed_number(seed, "Network")
        self._populations: dict[str, Population] = {}
        self._projections: dict[str, Projection] = {}
        self._shared: dict[str, Sharing] = {}
        self._decision: Decision | None = None
        self._answer: Answer | None = None

    @property
    def weight_dtype(self) -> np.dtype[Any]:
        """Type of the weights of all projections: float64, or float32, which take half the memory.

        Weights that are given or trained are rounded to it. A run computes with exactly these
        values, in either precision. Parameters of neurons and a decision are float64.
        """
        return self._types.weights

    @property
    def delay_dtype(self) -> np.dtype[Any]:
        """Type of the delays of all projections: float64, or float32, which take half the memory.

        Delays that are given, drawn or trained are rounded to it. A run computes with exactly these
        values: times are float64, and so is the time of a spike plus a delay.
        """
        return self._types.delays

    def with_weight_dtype(self, weight_dtype: DTypeLike) -> Network:
        """The same network with weights of another type. New arrays; sparse patterns are shared.

        float32 has 24 binary digits: a weight changes by at most 6e-8 of its value, or, below
        1e-38, by 1e-45. From float32 to float64 no value changes.

        Raises
        ------
        ParameterError
            The type is neither float64 nor float32.

        Examples
        --------
        >>> import numpy as np
        >>> import eventsim as es
        >>> net = es.scsr(4, (3,), 2).with_weight_dtype(np.float32)
        >>> net.projections["input->hidden1"].weights.dtype
        dtype('float32')
        """
        wanted = value_type(weight_dtype, "with_weight_dtype", "weight_dtype")
        return self._with_types(self._types._replace(weights=wanted))

    def with_delay_dtype(self, delay_dtype: DTypeLike) -> Network:
        """The same network with delays of another type. New arrays; sparse patterns are shared.

        A delay in float32 changes by at most 6e-8 of its value: 1.5 ms by 1e-7 ms. Equal delays
        stay equal. From float32 to float64 no value changes.

        Raises
        ------
        ParameterError
            The type is neither float64 nor float32, or a delay is too large for it.

        Examples
        --------
        >>> import numpy as np
        >>> import eventsim as es
        >>> net = es.scsr(4, (3,), 2).with_delay_dtype(np.float32)
        >>> net.projections["input->hidden1"].delays.dtype
        dtype('float32')
        """
        wanted = value_type(delay_dtype, "with_delay_dtype", "delay_dtype")
        return self._with_types(self._types._replace(delays=wanted))

    def _with_types(self, types: ValueTypes) -> Network:
        net = self._mapped(lambda values: values.copy(), lambda p: p.with_types(types))
        net._types = types
        return net

    @property
    def populations(self) -> Mapping[str, Population]:
        """Populations by name, in the order in which they were added."""
        return self._populations

    @property
    def input(self) -> Population:
        """The population of input channels; raises NetworkError if there is none."""
        found = self._of_kind("input").values()
        if not found:
            raise NetworkError(
                "Network", "has no input", remedy="Call add_input(name, size) first."
            )
        return next(iter(found))

    @property
    def spiking(self) -> Mapping[str, Population]:
        """The spiking populations by name."""
        return self._of_kind("spiking")

    @property
    def readouts(self) -> Mapping[str, Population]:
        """The readouts by name."""
        return self._of_kind("readout")

    @property
    def neurons(self) -> Mapping[str, Population]:
        """The populations of neurons by name: all but the input."""
        return self._of_kind("spiking", "readout")

    @property
    def outputs(self) -> tuple[str, ...]:
        """Populations that project to no other; in a ring, the one that was added last."""
        heard = {p.source for p in self._projections.values() if p.source != p.target}
        found = tuple(name for name in self.neurons if name not in heard)
        return found or tuple(self._populations)[-1:]

    def _of_kind(self, *kinds: PopulationKind) -> dict[str, Population]:
        return {name: p for name, p in self._populations.items() if p.kind in kinds}

    @property
    def projections(self) -> Mapping[str, Projection]:
        """Projections by name ``"source->target"``."""
        return self._projections

    def add_input(self, name: str, size: int) -> Population:
        """Add the population of input channels; a network has exactly one.

        Returns
        -------
        Population
            The channels; :meth:`connect` takes it in place of its name.
        """
        if self._of_kind("input"):
            raise NetworkError(
                "Network",
                f"has an input already ({self.input.name!r})",
                remedy="Merge your channels into one.",
            )
        return self._add(make_population(name, size, "input", {}))

    def add_population(
        self,
        name: str,
        size: int,
        *,
        tau_mem: ArrayLike = 20.0,
        tau_syn: ArrayLike = 5.0,
        resistance: ArrayLike = 1.0,
        threshold: ArrayLike = 1.0,
        v_leak: ArrayLike = 0.0,
        v_reset: ArrayLike = 0.0,
        refractory: ArrayLike = 0.0,
        adaptation: ArrayLike | None = None,
        tau_adaptation: ArrayLike | None = None,
        neuron: LinearNeuron | None = None,
        constant_current: ArrayLike = 0.0,
    ) -> Population:
        """Add spiking neurons; every parameter is one number or one per neuron.

        Times in ms; see :mod:`eventsim.network.parts` for the domains. Neurons whose ``adaptation``
        is given have an adaptive threshold, see :mod:`eventsim.neuron.adaptive`: each spike raises
        the threshold of its neuron by ``adaptation``, and the rise decays with ``tau_adaptation``
        (100 ms where it is not given).

        Neurons of another kind are given by ``neuron``, such as ``es.AdLIF(a=2.0)``, which has
        parameters of its own (:mod:`eventsim.neuron.linear`). ``threshold``, ``v_leak``,
        ``v_reset`` and ``refractory`` may be given here or in ``neuron``; all other parameters only
        in ``neuron``.

        A ``constant_current`` I of LIF neurons, in the unit of the weights (``I_e`` of NEST,
        ``i_offset`` of PyNN), is kept as what it is equal to: a resting potential of ``v_leak +
        resistance * I``, which is the population's ``v_leak`` from then on, also in files and in
        training. A run begins at that rest; :class:`eventsim.Start` gives another voltage.

        Returns
        -------
        Population
            The neurons, with live parameters; :meth:`connect` takes it in place of its name.

        Raises
        ------
        NetworkError, ShapeError, ParameterError

        Examples
        --------
        >>> import eventsim as es
        >>> net = es.Network()
        >>> sound = net.add_input("input", 64)
        >>> hidden = net.add_population("hidden", 8, tau_mem=15.0, threshold=0.8)
        >>> hidden
        Population('hidden', 8 spiking neurons)
        >>> net.connect(sound, hidden, [[0.1] * 8] * 64)
        Projection('input->hidden', dense, 512 synapses)

        With resistance in mV per pA, currents in pA:

        >>> cortex = net.add_population(
        ...     "cortex", 4, tau_mem=10.0, resistance=0.04, v_leak=-65.0, threshold=-50.0,
        ...     v_reset=-65.0, constant_current=200.0,
        ... )
        >>> cortex.v_leak
        array([-57., -57., -57., -57.])
        """
        given = {
            "tau_mem": tau_mem,
            "tau_syn": tau_syn,
            "resistance": resistance,
            "threshold": threshold,
            "v_leak": v_leak,
            "v_reset": v_reset,
            "refractory": refractory,
        }
        adapting = {"adaptation": adaptation, "tau_adaptation": tau_adaptation}
        return self._add(spiking_population(name, size, given, adapting, neuron, constant_current))

    def add_readout(
        self,
        name: str,
        size: int,
        *,
        tau_mem: ArrayLike = 20.0,
        tau_syn: ArrayLike = 5.0,
        resistance: ArrayLike = 1.0,
        v_leak: ArrayLike = 0.0,
        constant_current: ArrayLike = 0.0,
    ) -> Population:
        """Add leaky integrators without threshold; parameters as :meth:`add_population`.

        Returns
        -------
        Population
            The readout; :meth:`connect` takes it in place of its name.
        """
        given = {"tau_mem": tau_mem, "tau_syn": tau_syn, "resistance": resistance, "v_leak": v_leak}
        given = with_current(name, size, given, constant_current)
        return self._add(make_population(name, size, "readout", given))

    def connect(
        self,
        source: str | Population,
        target: str | Population,
        weights: Any,
        *,
        rule: ConnectionRule | None = None,
        delays: ArrayLike | Distribution = 0.0,
        delays_of: DelaysOf | None = None,
        receptor: str | None = None,
    ) -> Projection:
        """Join two populations, by given weights or by a rule.

        Parameters
        ----------
        source, target
            Names, or what :meth:`add_population` returned. A spiking population may project onto
            itself and onto any other.
        weights
            Dense array or scipy.sparse matrix, shape [source.size, target.size], or
            ``self_recurrent(r)`` with one weight per neuron. A spike adds its weight to I. They are
            copied, and rounded to :attr:`weight_dtype`. Each stored entry of a sparse matrix is a
            synapse: an entry twice is two synapses of one pair of neurons (multapses). With a rule
            one number, or what they are drawn from: ``es.normal(0.5, 0.05)``.
        rule
            Which synapses there are, such as ``es.fixed_indegree(100)``; drawn from the seed of the
            network and the name of the projection. None: those of ``weights``.
        delays
            ms; shapes in :class:`Projection`. They are copied, and rounded to :attr:`delay_dtype`.
            With a rule as ``weights``.
        delays_of
            Whether a vector of delays has one for each ``source`` or for each ``synapse``: of a
            CSR matrix in the order of its entries, of another sparse one by source, then by target,
            those of one pair in their order. None: as its length says; if there are as many
            synapses as sources, this raises ShapeError. One delay for all is possible in both
            cases. Not with a rule, whose drawn delays are those of synapses.
        receptor
            Of the targets, where they have several (``es.LIF(tau_syn={"ampa": 5, "nmda": 100})``).
            Two populations may be joined once for each: the projection is then called
            ``"source->target:ampa"``.

        Raises
        ------
        NetworkError, ShapeError, ParameterError
        """
        pre, post, types = self.population(source), self.population(target), self._types
        if rule is None:
            made = make_projection(pre, post, weights, delays, delays_of, receptor, types)
        elif delays_of is not None:
            raise ParameterError(
                f"Projection '{pre.name}->{post.name}'",
                f"delays_of is {delays_of!r} beside a rule",
                "None",
                "Delays that are drawn are those of synapses, and one number is that of all.",
            )
        else:
            made = random_projection(pre, post, rule, weights, delays, receptor, types, self._seed)
        name = made.name
        if name in self._projections:
            raise NetworkError(
                f"Projection {name!r}", "exists already", remedy="Add the two weight matrices."
            )
        if made.one_to_one and post.name in self.recurrences:
            raise NetworkError(
                f"Projection {name!r}",
                f"{post.name!r} has self-connections already, {self.recurrences[post.name].name!r}",
                remedy="They can have one receptor.",
            )
        return self._projections.setdefault(name, made)

    def population(self, name: str | Population) -> Population:
        """The population of that name, or the population itself if it is one of this network.

        Raises
        ------
        NetworkError
            There is no such population.
        """
        if isinstance(name, Population):
            if self._populations.get(name.name) is not name:
                raise NetworkError(
                    "Network",
                    f"population {name.name!r} is one of another network, or of a copy",
                    f"a name: {', '.join(self._populations)}",
                )
            return name
        known("Network", "population", name, self._populations)
        return self._populations[name]

    def readout(self, name: str, where: str) -> Population:
        """The readout of that name; raises NetworkError, which names ``where``, if it is none."""
        population = self.population(name)
        if name not in self.readouts:
            raise NetworkError(
                where, f"population {name!r} is of kind {population.kind!r}", "a readout"
            )
        return population

    @property
    def recurrences(self) -> Mapping[str, Projection]:
        """Self-recurrent projections by population."""
        return {p.target: p for p in self._projections.values() if p.one_to_one}

    def parameters(self) -> dict[str, Floats]:
        """Every number that can be trained, as live arrays.

        Keys are ``"population.tau_mem"`` and ``"source->target.weights"`` / ``".delays"``; the
        weights of a sparse projection are its stored entries in CSR order. A decision adds
        ``"decision.weights"`` and ``"decision.bias"``.
        """
        found = {
            f"{population.name}.{key}": values
            for population in self._populations.values()
            for key, values in population.parameters.items()
        }
        for projection in self._projections.values():
            found[f"{projection.name}.weights"] = projection.values
            found[f"{projection.name}.delays"] = projection.delays
        return found if self._decision is None else found | self._decision.parameters

    @property
    def decision(self) -> Decision | None:
        """The linear decision behind a readout, or None; see :meth:`decide`."""
        return self._decision

    def decide(
        self, readout: str | None, weights: ArrayLike = (), *, bias: ArrayLike = 0.0
    ) -> None:
        """Put a linear decision behind a readout, in place of the present one.

        An answer (:meth:`set_answer`) that no longer fits is removed.

        Parameters
        ----------
        readout
            Name of the readout; None for no decision.
        weights
            Shape [readout neurons, classes].
        bias
            One number, or one per class.

        Raises
        ------
        NetworkError, ShapeError, ParameterError
        """
        found = None if readout is None else self.readout(readout, "Decision")
        decision = None if found is None else make_decision(found, weights, bias)
        for key in self._decision.parameters if self._decision is not None else ():
            self._shared.pop(key, None)
        self._decision = decision
        try:
            self.set_answer(self._answer)
        except (NetworkError, ShapeError):
            self._answer = None

    @property
    def answer(self) -> Answer | None:
        """The rule by which the network answers, or None; see :meth:`set_answer`."""
        return self._answer

    def set_answer(self, answer: Answer | None) -> None:
        """Set how the network answers, in place of the present answer; None for no answer.

        Training sets it; copies and files keep it. :func:`eventsim.simulate` lets the network run
        on for ``answer.tail`` ms, :func:`eventsim.predict` answers by it.

        Raises
        ------
        NetworkError, ShapeError
            The network has no such population, or too few neurons for the classes.
        """
        if answer is not None:
            answer.check(self._populations, self._decision)
        self._answer = answer

    def features(self, names: Collection[str] | None = None) -> Mapping[str, str]:
        """Features of the network by their names in :mod:`eventsim.matrix`, each with its place.

        Parameters
        ----------
        names
            Those that are looked for; None for all.
        """
        return features_of(self, names)

    @property
    def linear(self) -> tuple[str, ...]:
        """Populations of neurons of another kind than LIF, by name."""
        return tuple(name for name, p in self._populations.items() if p.neuron is not None)

    @property
    def shared(self) -> Mapping[str, Sharing]:
        """Groups of shared values, by key of :meth:`parameters`; see :meth:`share`."""
        return self._shared

    def share(self, key: str, groups: ArrayLike) -> None:
        """Say which values of a parameter are shared, as the weights of a convolution are.

        Training with :class:`eventsim.train.AdamW` keeps them equal.

        Parameters
        ----------
        key
            Of :meth:`parameters`.
        groups
            Whole numbers in the shape of the parameter: values with the same number >= 0 are
            shared, those with a negative number are not.

        Raises
        ------
        NetworkError, ShapeError, ParameterError
            There is no such parameter, groups do not fit it, or values of a group differ.
        """
        parameters = self.parameters()
        known("share", "parameter", key, parameters)
        self._shared[key] = make_sharing(key, parameters[key], groups)

    def check(self) -> None:
        """Raise ParameterError if a value, changed in place, has left its domain.

        NetworkError if sparse weights were edited in place so that they are malformed.
        """
        self.check_patterns()
        if not all_hold(self.conditions()):
            for part in self._parts():
                part.check()

    def check_patterns(self) -> None:
        """Raise NetworkError if sparse weights were edited in place so that they are malformed."""
        for projection in self._projections.values():
            ends = (self._populations[name] for name in (projection.source, projection.target))
            projection.check_pattern(*(population.size for population in ends))

    def conditions(self) -> list[DomainCheck]:
        """Conditions on the values that :meth:`check` requires."""
        return [condition for part in self._parts() for condition in part.conditions()]

    def copy(self) -> Network:
        """A network of its own arrays."""
        return copy.deepcopy(self)

    def map(self, convert: Callable[[Array], Array]) -> Network:
        """The same network, every array of values put through ``convert``.

        The pattern of sparse weights is shared. See :func:`eventsim.place`.
        """
        return self._mapped(convert, lambda projection: projection.map(convert))

    def _mapped(
        self,
        convert: Callable[[Array], Array],
        convert_projection: Callable[[Projection], Projection],
    ) -> Network:
        net = Network(seed=self._seed)
        net._types = self._types
        net._populations = {name: p.map(convert) for name, p in self._populations.items()}
        net._projections = {name: convert_projection(p) for name, p in self._projections.items()}
        net._shared = dict(self._shared)
        net._decision = None if self._decision is None else self._decision.map(convert)
        net._answer = self._answer
        return net

    def to_host(self) -> Network:
        """The network in NumPy arrays; the same network if it is."""
        on_host = all(namespace(values) is np for values in self.parameters().values())
        return self if on_host else self.map(to_host)

    def _parts(self) -> Iterator[Population | Projection | Decision]:
        yield from self._populations.values()
        yield from self._projections.values()
        if self._decision is not None:
            yield self._decision

    def save(self, path: str | Path) -> None:
        """Write the network to one file, atomically: structure, values, decision and answer.

        Parameters
        ----------
        path
            Name of the file, usually with the ending ``.npz``.

        Examples
        --------
        >>> import eventsim as es
        >>> from tempfile import mkdtemp
        >>> path = mkdtemp() + "/net.npz"
        >>> es.scsr(4, (3,), 2).save(path)
        >>> es.Network.load(path).populations["hidden1"]
        Population('hidden1', 3 spiking neurons)
        """
        write_arrays(path, self.to_arrays(), kind="eventsim-network", version=forms.NETWORK_VERSION)

    @classmethod
    def load(cls, path: str | Path) -> Network:
        """Read a network that :meth:`save` wrote, or one of the networks in a run's folder.

        Raises
        ------
        StorageError
            The file is missing, damaged, or holds no network.
        """
        arrays = read_arrays(
            path, kind="eventsim-network", version=forms.NETWORK_VERSION, check=forms.check_claims
        )
        try:
            return cls.from_arrays(arrays)
        except EventSimError as error:
            raise StorageError(
                path, f"holds no network ({error})", f"a file of {cls.__name__}.save"
            ) from error

    def to_arrays(self) -> dict[str, NDArray[Any]]:
        """Structure and values as named arrays, for files."""
        return forms.arrays_of(self)

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]]) -> Network:
        """Rebuild what :meth:`to_arrays` described; raises StorageError if it is incomplete."""

        def begin(weights: str, delays: str) -> tuple[Network, Callable[[Population], Population]]:
            net = cls(weight_dtype=weights, delay_dtype=delays)
            return net, net._add

        net: Network = forms.read_network(begin, arrays)
        return net

    def _add(self, population: Population) -> Population:
        if population.name in self._populations:
            there = f"a population {population.name!r} exists already"
            raise NetworkError("Network", there, remedy="Choose another name.")
        return self._populations.setdefault(population.name, population)

    def __repr__(self) -> str:
        return overview.line(self)

    def _repr_html_(self) -> str:
        return overview.html(self)
