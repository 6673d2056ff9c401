"""ClockedConfig: what decides the outcome of training on the grid, checked at the door."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from eventsim.clocked.backward import BIP
from eventsim.clocked.losses import CrossEntropyLoss, VanRossumLoss
from eventsim.errors import DataError, NetworkError, ParameterError, ShapeError
from eventsim.network import Network
from eventsim.train import TrainConfig
from eventsim.train.data import AnyEvents


def _published() -> TrainConfig:
    return TrainConfig(bip=BIP)


@dataclass(frozen=True, kw_only=True)
class ClockedConfig:
    """Settings of :func:`eventsim.clocked.train_clocked`.

    Attributes
    ----------
    train
        As in exact time: epochs, batches, seed, rates, augmentation, rate band, silent lift, BIP
        (of ``tau_mem``, ``tau_syn``, ``resistance`` and ``threshold``), SpiKL-IP, precision. Its
        ``loss``, ``backend``, ``shards`` and ``checkpoint_every`` have no meaning here. The rate
        band and the lift are no part of the published method: ``rate_strength=0.0`` and
        ``silent_lift=0.0`` switch them off.
    dt
        Time step, ms, > 0 and at most 1, the least tau_syn that training may reach.
    clip
        Whether several events of a channel in a step are one; see :func:`bin_events`.
    trace_time_constant, period
        ms; of :class:`VanRossumLoss`, the loss of a spiking output. A readout has
        :class:`CrossEntropyLoss`, with ``time_constant`` and ``gain`` of ``train``.
    """

    train: TrainConfig = field(default_factory=_published)
    dt: float = 1.0
    clip: bool = False
    trace_time_constant: float = 10.0
    period: float = 20.0

    def __post_init__(self) -> None:
        _require("dt", self.dt, 0 < self.dt <= 1, "0 < dt <= 1 (ms)")
        for name in ("trace_time_constant", "period"):
            value = getattr(self, name)
            _require(name, value, self.dt <= value < math.inf, f"a finite value >= dt = {self.dt}")
        others = [name for name in self.train.bip if name not in BIP]
        _require("train.bip", list(self.train.bip), not others, f"names out of {BIP}")
        delays = self.train.train_delays
        _require("train.train_delays", delays, not delays, "False: the grid has whole delays")

    def loss(self, net: Network) -> VanRossumLoss | CrossEntropyLoss:
        """The loss that fits the output."""
        train = self.train
        if net.populations[train.output].kind == "spiking":
            tau = self.trace_time_constant
            return VanRossumLoss(output=train.output, time_constant=tau, period=self.period)
        return CrossEntropyLoss(
            output=train.output, time_constant=train.loss_time_constant(), gain=train.gain
        )

    def check_fit(self, net: Network, data: AnyEvents) -> None:
        """Raise if data, network and loss cannot work together."""
        if not len(data):
            raise DataError("The data holds no recordings, expected at least one.")
        name = self.train.output
        output = net.populations.get(name)
        if output is None or output.kind == "input":
            raise NetworkError(
                f"Output {name!r}: no spiking population or readout of that name; there are "
                f"{ {name: p.kind for name, p in net.populations.items()} }."
            )
        if output.size < len(data.class_names):
            raise ShapeError(
                f"Output {name!r}: has {output.size} neurons, expected at least "
                f"{len(data.class_names)}, one per class."
            )

    def to_dict(self) -> dict[str, Any]:
        """Plain values that JSON can hold."""
        plain = {item.name: getattr(self, item.name) for item in fields(self)}
        return plain | {"train": self.train.to_dict()}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "ClockedConfig":
        """Read what :meth:`to_dict` wrote; absent keys take their defaults.

        Raises
        ------
        ParameterError
            If a key is unknown or a value has the wrong type or range.
        """
        known = [item.name for item in fields(cls)]
        unknown = [key for key in values if key not in known]
        if unknown:
            raise ParameterError(
                f"ClockedConfig: unknown key {unknown[0]!r}, expected one of {', '.join(known)}."
            )
        given = dict(values)
        if isinstance(given.get("train"), Mapping):
            given["train"] = TrainConfig.from_dict(given["train"])
        return cls(**given)


def _require(name: str, value: object, good: bool, expected: str) -> None:
    if not good:
        raise ParameterError(f"ClockedConfig: {name} is {value!r}, expected {expected}.")
