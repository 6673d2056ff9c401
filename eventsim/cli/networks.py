"""The network of a run: which builder, and the options that it takes."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

from eventsim.errors import ParameterError
from eventsim.network import DistanceLateral, Network, RandomLateral, rsnn, scsr

Model = Literal["scsr", "rsnn"]
Output = Literal["readout", "spiking"]
LateralName = Literal["dense", "random", "ring", "sheet"]

TITLES = {"scsr": "ScSr-SNN", "rsnn": "RSNN"}
PROBABILITY = 0.1  # of random lateral connections where neither it nor the in-degree is given
ONLY_OF: Mapping[str, tuple[str, ...]] = {
    "scsr": ("self_recurrent", "skip"),
    "rsnn": ("lateral", "probability", "in_degree", "scale", "inhibitory", "delays"),
}
ONLY_FOR_LATERAL: Mapping[str, tuple[str, ...]] = {
    "probability": ("random",),
    "in_degree": ("random",),
    "scale": ("ring", "sheet"),
}


@dataclass(frozen=True, kw_only=True)
class NetworkSettings:
    """Model and shape of the network, and where its time constants start, in ms.

    The default tau_syn of 10 ms is the one chosen on FSDD, see :mod:`eventsim.train.config`.

    Attributes
    ----------
    model, hidden, tau_mem, tau_syn
        Of every network.
    self_recurrent, skip
        Of :func:`eventsim.scsr`.
    lateral, inhibitory, delays
        Of :func:`eventsim.rsnn`; delays (low, high) in ms, of lateral synapses.
    probability, in_degree
        Of ``random`` lateral connections; None for the default.
    scale
        Of ``ring`` and ``sheet``, a gaussian profile; None for the default.
    """

    model: Model = "scsr"
    hidden: tuple[int, ...] = (128, 128)
    self_recurrent: bool = True
    skip: bool = True
    tau_mem: float = 20.0
    tau_syn: float = 10.0
    lateral: LateralName = "dense"
    probability: float | None = None
    in_degree: int | None = None
    scale: float | None = None
    inhibitory: float | None = None
    delays: tuple[float, float] = (1.0, 1.0)

    @classmethod
    def from_options(cls, given: Mapping[str, Any]) -> "NetworkSettings":
        """Settings by the options that were given; ParameterError if some do not go together."""
        settings = cls(**given)
        for model in get_args(Model):
            foreign = [name for name in ONLY_OF[model] if name in given]
            if foreign and model != settings.model:
                raise ParameterError(
                    f"{_option(foreign[0])}: belongs to --model {model}, this is --model "
                    f"{settings.model}."
                )
        for name, laterals in ONLY_FOR_LATERAL.items():
            if name in given and settings.lateral not in laterals:
                raise ParameterError(
                    f"{_option(name)}: belongs to --lateral {' or '.join(laterals)}, this is "
                    f"--lateral {settings.lateral}."
                )
        return settings

    @property
    def title(self) -> str:
        """The model by its usual name."""
        return TITLES[self.model]

    def build(
        self, n_inputs: int, n_outputs: int, *, seed: int, output: Output = "readout"
    ) -> Network:
        """The network that a run starts from."""
        if self.model == "scsr":
            return scsr(
                n_inputs,
                self.hidden,
                n_outputs,
                self_recurrent=self.self_recurrent,
                skip=self.skip,
                output=output,
                tau_mem=self.tau_mem,
                tau_syn=self.tau_syn,
                seed=seed,
            )
        low, high = self.delays
        return rsnn(
            n_inputs,
            self.hidden,
            n_outputs,
            output=output,
            lateral=self._lateral(),
            delays=low if low == high else (low, high),
            inhibitory=self.inhibitory,
            tau_mem=self.tau_mem,
            tau_syn=self.tau_syn,
            seed=seed,
        )

    def _lateral(self) -> Literal["dense"] | RandomLateral | DistanceLateral:
        if self.lateral == "dense":
            return "dense"
        if self.lateral == "random":
            unsaid = self.probability is None and self.in_degree is None
            probability = PROBABILITY if unsaid else self.probability
            return RandomLateral(probability=probability, in_degree=self.in_degree)
        scale = DistanceLateral.scale if self.scale is None else self.scale
        return DistanceLateral(layout=self.lateral, scale=scale)


def read_delays(text: str | None) -> tuple[float, float] | None:
    """``"1.5"`` or ``"1:3"`` as (low, high) in ms; ParameterError if it is neither."""
    if text is None:
        return None
    low, _, high = text.partition(":")
    try:
        return float(low), float(high or low)
    except ValueError:
        raise ParameterError(
            f"--delays {text}: expected one number such as 1.5, or two such as 1:3 (ms)."
        ) from None


def _option(name: str) -> str:
    return "--" + name.replace("_", "-")
