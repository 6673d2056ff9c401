"""ClockedConfig: what decides the outcome of training on the grid, checked at the door."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from eventsim.clocked.backward import BIP
from eventsim.clocked.losses import CrossEntropyLoss, VanRossumLoss
from eventsim.entries import check_types, shown
from eventsim.errors import ParameterError
from eventsim.train import TrainConfig

LOSSES = ("cross_entropy", "van_rossum")
# Settings of exact training that have no counterpart here, and the value that leaves them out.
NEUTRAL: dict[str, Any] = {
    "train_delays": False,
    "label_smoothing": 0.0,
    "near_miss_strength": 0.0,
    "missed_outputs": False,
}


@dataclass(frozen=True, kw_only=True)
class ClockedConfig:
    """Settings of :func:`eventsim.clocked.train_clocked`.

    Attributes
    ----------
    train
        As in exact time: epochs, batches, seed, rates, augmentation, rate band, silent lift, BIP
        (of ``tau_mem``, ``tau_syn``, ``resistance`` and ``threshold``), SpiKL-IP, precision. The
        loss is ``cross_entropy`` of a readout, or ``van_rossum`` of a spiking output, with
        ``time_constant``, ``gain`` and ``target_rate``. ``backend``, ``shards`` and
        ``checkpoint_every`` have no meaning here; other settings without a counterpart are refused.
    dt
        Time step, ms, > 0 and at most 1, the least tau_syn that training may reach.
    clip
        Whether several events of a channel in a step are one; see :func:`bin_events`.
    """

    train: TrainConfig = field(default_factory=lambda: TrainConfig(bip=BIP, **NEUTRAL))
    dt: float = 1.0
    clip: bool = False

    def __post_init__(self) -> None:
        check_types(self)
        _require("dt", self.dt, 0 < self.dt <= 1, "0 < dt <= 1 (ms)")
        train = self.train
        others = [name for name in train.bip if name not in BIP]
        _require("train.bip", list(train.bip), not others, f"names out of {BIP}")
        _require("train.loss", train.loss, train.loss in LOSSES, f"one of {LOSSES}")
        for name, value in NEUTRAL.items():
            given = getattr(train, name)
            _require(f"train.{name}", given, not given, f"{value} on a grid")
        mix = train.augmentation.mix
        _require("train.augmentation.mix", mix, mix == 0, "0 on a grid")

    @classmethod
    def published(cls, *, dt: float = 1.0, clip: bool = False, **train: Any) -> "ClockedConfig":
        """The method of Zhang and Li without what eventsim adds: no rate band, no silent lift.

        The gradient is clipped at 1, as in the published program. ``train`` are further settings of
        :class:`eventsim.train.TrainConfig`.
        """
        plain: dict[str, Any] = NEUTRAL | {
            "loss": "van_rossum",
            "bip": BIP,
            "rate_strength": 0.0,
            "silent_lift": 0.0,
            "clip_norm": 1.0,
        }
        return cls(train=TrainConfig(**(plain | train)), dt=dt, clip=clip)

    def loss(self) -> VanRossumLoss | CrossEntropyLoss:
        """The loss that ``train`` names."""
        train, tau = self.train, self.train.loss_time_constant()
        if train.loss == "van_rossum":
            return VanRossumLoss(output=train.output, time_constant=tau, rate=train.target_rate)
        return CrossEntropyLoss(output=train.output, time_constant=tau, gain=train.gain)

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
        raise ParameterError(f"ClockedConfig: {name} is {shown(value)}, expected {expected}.")
