"""The network of a run: which builder, and the settings that it takes."""

import itertools
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, fields
from typing import Annotated, Any, Literal

import numpy as np

from eventsim.entries import Count, Entry, Finite, NotNegative, Positive, Settings
from eventsim.entries.described import described, setting
from eventsim.errors import ParameterError
from eventsim.network import (
    DistanceLateral,
    Network,
    RandomLateral,
    convolutional,
    draw_taus,
    rsnn,
    scsr,
)
from eventsim.network.parts import TAU_ADAPTATION
from eventsim.neuron.linear import AdLIF, LinearNeuron, Resonator

Model = Literal["scsr", "rsnn", "convolutional"]
Output = Literal["readout", "spiking"]
Sizes = Annotated[tuple[Count, ...], "a list of sizes >= 1"]
Sides = Annotated[tuple[Count, Count], "two sizes >= 1, the readout's last"]
Delays = Annotated[tuple[Finite, Finite], "two numbers, low and high (ms)"]
TauRange = Annotated[tuple[Positive, Positive], "two numbers > 0, low and high (ms)"]
LateralName = Literal["dense", "random", "ring", "sheet"]
NeuronKind = Literal["lif", "adlif", "resonator"]
FREQUENCIES = (5.0, 40.0)  # Hz, of resonators at first

TITLES = {"scsr": "ScSr-SNN", "rsnn": "RSNN", "convolutional": "convolutional SNN"}
DRAWN_TAUS = 1  # beside the seed of a run: draws of their own, so that all others stay
PROBABILITY = 0.1  # of random lateral connections where neither it nor the in-degree is given
_OWN: Mapping[Model, tuple[str, ...]] = {
    "scsr": (
        "self_recurrent",
        "skip",
        "output_delays",
        "tau_mem_range",
        "adaptation",
        "tau_adaptation",
        "neuron",
    ),
    "rsnn": (
        "lateral",
        "probability",
        "in_degree",
        "scale",
        "lateral_gain",
        "inhibitory",
        "delays",
        "tau_mem_range",
        "adaptation",
        "tau_adaptation",
        "neuron",
    ),
    "convolutional": ("self_recurrent", "skip_to_readout", "output_maps", "kernel", "stride"),
}
# Settings that not every model has, and the models that have them.
ONLY_OF: Mapping[str, tuple[Model, ...]] = {
    name: tuple(model for model, own in _OWN.items() if name in own)
    for name in itertools.chain(*_OWN.values())
}
# Where a model's own differ from those of the others.
DEFAULTS: Mapping[Any, Mapping[str, Any]] = {
    "convolutional": {"hidden": (24,), "forward_delays": (0.0, 170.0)}
}
ONLY_FOR_LATERAL: Mapping[str, tuple[str, ...]] = {
    "probability": ("random",),
    "in_degree": ("random",),
    "scale": ("ring", "sheet"),
}


@dataclass(frozen=True, kw_only=True)
@described
class NetworkSettings(Settings):
    """Model and shape of the network, and where its time constants start.

    Raises
    ------
    ParameterError
        A value is out of its domain.
    """

    model: Model = setting(
        "scsr",
        "scsr: skip connections and self-recurrence. rsnn: lateral connections between the "
        "neurons of a population. convolutional: weights shared along the channels; goes with the "
        "loss cross_entropy_maximum, for strings of words with ctc, and a tail of 200 ms.",
    )
    hidden: Sizes = setting(
        (128, 128),
        "Neurons of a hidden population, of a convolutional network its maps; repeat for more. "
        "Without any the model is linear.",
    )
    self_recurrent: bool = setting(True, "scsr, convolutional: neurons feed back on themselves.")
    skip: bool = setting(True, "scsr: populations receive from all earlier ones.")
    skip_to_readout: bool = setting(
        False,
        "convolutional: the readout receives from every spiking convolution, not only "
        "from the last.",
    )
    tau_mem: Positive = setting(20.0, "Initial membrane time constant, ms.")
    tau_syn: Positive = setting(10.0, "Initial synaptic time constant, ms.")
    tau_mem_range: TauRange | None = setting(
        None,
        "scsr, rsnn: a range such as 10:300, ms, from which every hidden neuron draws its own "
        "initial membrane time constant, evenly in the logarithm; by default all have tau_mem.",
    )
    forward_delays: Delays = setting(
        (0.0, 0.0),
        "Delays of connections to later hidden populations, ms: one for all, or a range such "
        "as 0:150, from which every source (convolutional: every map) draws its own. Take a "
        "tail of the same length.",
    )
    output_delays: Delays = setting(
        (0.0, 0.0),
        "scsr: delays of connections to a readout, likewise. For the loss cross_entropy_maximum.",
    )
    output_maps: Count = setting(30, "convolutional: maps of the readout.")
    kernel: Sides = setting(
        (9, 5), "convolutional: kernel width of spiking neurons, then of the readout; 9 and 5."
    )
    stride: Sides = setting((2, 2), "convolutional: stride of both; 2 and 2.")
    lateral: LateralName = setting(
        "dense",
        "rsnn: connections from all neurons of the population, from random ones, or from near "
        "ones on a ring or a sheet.",
    )
    probability: float | None = setting(None, "Probability of a random lateral connection; 0.1.")
    in_degree: int | None = setting(
        None, "In place of a probability: number of random lateral sources of every neuron."
    )
    scale: float | None = setting(
        None,
        "Ring and sheet: standard deviation of the profile, in distances between neighbours; 8.",
    )
    lateral_gain: NotNegative = setting(
        1.0,
        "rsnn: factor on the initial lateral weights. With little data, networks trained "
        "better with 0.1: their initial activity is near that without lateral connections.",
    )
    inhibitory: float | None = setting(
        None, "rsnn: this fraction of neurons only inhibits, the others only excite."
    )
    delays: Delays = setting(
        (1.0, 1.0), "rsnn: delays of lateral synapses, ms: one for all, or a range such as 1:3."
    )
    refractory: Finite = setting(1.0, "Refractory time of spiking neurons, ms.")
    adaptation: NotNegative = setting(
        0.0,
        "scsr, rsnn: initial rise of the threshold of hidden neurons at a spike, >= 0; 0 for a "
        "threshold that does not adapt. The option --bip trains it, as it does its time constant.",
    )
    tau_adaptation: Positive = setting(
        TAU_ADAPTATION, "scsr, rsnn: initial time constant with which the rise decays, ms."
    )
    neuron: NeuronKind = setting(
        "lif",
        "scsr, rsnn: hidden neurons. lif: leaky integrate-and-fire. adlif: with an adaptation "
        "current, initially a 0.5, b 0.1 and tau_w 100 ms. resonator: frequencies evenly from 5 to "
        "40 Hz in the logarithm, damping 20 per second. The option --bip trains them. "
        "Training takes several times as long as with lif.",
    )
    mean: Finite = setting(1.0, "Of the initial weights, see the builders.")
    spread: Positive = setting(1.0, "Of the initial weights, see the builders.")

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.tau_mem_range is not None:
            low, high = self.tau_mem_range
            self.require("tau_mem_range", self.tau_mem_range, low <= high, "low <= high (ms)")
        alone = self.adaptation == 0.0 or self.neuron == "lif"
        self.require("adaptation", self.adaptation, alone, f"0 with neurons {self.neuron}")
        swings = self.neuron == "resonator" and self.tau_mem_range is not None
        expected = "none with neurons resonator, which have no tau_mem"
        self.require("tau_mem_range", self.tau_mem_range, not swings, expected)

    @classmethod
    def from_options(
        cls, given: Mapping[str, Any], *, called: Callable[[str], str] = str
    ) -> "NetworkSettings":
        """Settings by what was given.

        Parameters
        ----------
        given
            Values by the names of the attributes; the others take their defaults, for some
            models their own (``DEFAULTS``).
        called
            Where the names were given, they are called so: option ``--tau-mem``, key ``tau_mem``.

        Raises
        ------
        ParameterError
            A name is unknown, a value out of its domain, or some do not go together.
        """
        known = [item.name for item in fields(cls)]
        Entry("network", given, ParameterError).table(known, optional=known)
        settings = cls(**{**DEFAULTS.get(given.get("model"), {}), **given})
        for owner, tables in (("model", ONLY_OF), ("lateral", ONLY_FOR_LATERAL)):
            chosen = getattr(settings, owner)
            for name, having in tables.items():
                if name in given and chosen not in having:
                    raise ParameterError(
                        called(name),
                        f"is given for {called(owner)} {chosen}",
                        f"{called(owner)} {' or '.join(having)}, to which it belongs",
                    )
        return settings

    def described(self) -> dict[str, Any]:
        """The settings that have a meaning for this model, as plain values."""
        foreign = {key for key, models in ONLY_OF.items() if self.model not in models}
        return {key: value for key, value in asdict(self).items() if key not in foreign}

    @property
    def title(self) -> str:
        """The model by its usual name."""
        return TITLES[self.model]

    def build(
        self, n_inputs: int, n_outputs: int, *, seed: int, output: Output = "readout"
    ) -> Network:
        """The network that a run starts from."""
        names = ["tau_mem", "tau_syn", "refractory", "mean", "spread", "forward_delays"]
        names += [name for name in _OWN[self.model] if name not in ONLY_FOR_LATERAL]
        options: dict[str, Any] = {name: getattr(self, name) for name in names}
        rise, tau = options.pop("adaptation", 0.0), options.pop("tau_adaptation", None)
        if rise > 0.0:
            options["alif"] = (rise, tau)
        options["neuron"] = self._neuron()
        for name in options.keys() & {"forward_delays", "output_delays", "delays"}:
            low, high = options[name]
            options[name] = low if low == high else (low, high)
        if self.model == "convolutional":
            fits = output == "readout"
            self.require("model", self.model, fits, "another one for a loss of spikes")
            rise = self.adaptation
            self.require("adaptation", rise, rise == 0.0, "0 in a convolutional network")
            options.pop("neuron")
            return convolutional(n_inputs, self.hidden, n_outputs, seed=seed, **options)
        if self.model == "rsnn":
            options["lateral"] = self._lateral()
        span = options.pop("tau_mem_range")
        builder = scsr if self.model == "scsr" else rsnn
        net = builder(n_inputs, self.hidden, n_outputs, seed=seed, output=output, **options)
        if self.neuron == "resonator":
            for name in net.linear:
                hidden = net.populations[name]
                hidden.frequency[...] = np.geomspace(*FREQUENCIES, hidden.size)
        if span is not None:
            draw_taus(net, *span, seed=np.random.default_rng([seed, DRAWN_TAUS]))
        return net

    def _neuron(self) -> LinearNeuron | None:
        taus = {"tau_mem": self.tau_mem, "tau_syn": self.tau_syn}
        if self.neuron == "adlif":
            return AdLIF(**taus, a=0.5, b=0.1)
        return Resonator(tau_syn=self.tau_syn) if self.neuron == "resonator" else None

    def _lateral(self) -> Literal["dense"] | RandomLateral | DistanceLateral:
        if self.lateral == "dense":
            return "dense"
        if self.lateral == "random":
            unsaid = self.probability is None and self.in_degree is None
            probability = PROBABILITY if unsaid else self.probability
            return RandomLateral(probability=probability, in_degree=self.in_degree)
        scale = DistanceLateral.scale if self.scale is None else self.scale
        return DistanceLateral(layout=self.lateral, scale=scale)
