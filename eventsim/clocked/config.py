"""ClockedConfig: what decides the outcome of training on the grid, checked at the door."""

from dataclasses import dataclass, field
from typing import Annotated, Any

from annotated_types import Gt, Le

from eventsim.clocked.backward import BIP
from eventsim.clocked.losses import CrossEntropyLoss, VanRossumLoss
from eventsim.entries import Settings
from eventsim.train import TrainConfig
from eventsim.train.loss_settings import IntegralLoss, SpikeTrainLoss

LOSSES = ("cross_entropy", "van_rossum")
# Settings of exact training that have no counterpart here, and the value that leaves them out.
NEUTRAL: dict[str, Any] = {
    "train_delays": False,
    "label_smoothing": 0.0,
    "near_miss_strength": 0.0,
}


@dataclass(frozen=True, kw_only=True)
class Grid(Settings):
    """A grid of time: ``dt`` and ``clip`` of :class:`ClockedConfig`."""

    dt: Annotated[float, Gt(0), Le(1)] = 1.0
    clip: bool = False


@dataclass(frozen=True, kw_only=True)
class ClockedConfig(Settings):
    """Settings of :func:`eventsim.clocked.train_clocked`.

    Attributes
    ----------
    train
        As in exact time: epochs, batches, seed, rates, augmentation, rate band, silent lift, BIP
        (of ``tau_mem``, ``tau_syn``, ``resistance`` and ``threshold``), SpiKL-IP, precision. The
        loss is ``cross_entropy`` of a readout, or ``van_rossum`` of a spiking output, with
        their settings but ``missed_outputs``. That, ``backend``, ``shards`` and
        ``checkpoint_every`` have no meaning here; other settings without a counterpart are refused.
    dt
        Time step, ms, > 0 and at most 1, the least tau_syn that training may reach.
    clip
        Whether several events of a channel in a step are one; see :func:`bin_events`.
    """

    train: TrainConfig = field(default_factory=lambda: TrainConfig(bip=BIP, **NEUTRAL))
    dt: Annotated[float, Gt(0), Le(1)] = 1.0
    clip: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        train = self.train
        others = [name for name in train.bip if name not in BIP]
        self.require("train.bip", list(train.bip), not others, f"names out of {BIP}")
        self.require("train.loss", train.loss.kind, train.loss.kind in LOSSES, f"one of {LOSSES}")
        for name, value in NEUTRAL.items():
            given = getattr(train, name)
            self.require(f"train.{name}", given, not given, f"{value} on a grid")
        mix = train.augmentation.mix
        self.require("train.augmentation.mix", mix, mix == 0, "0 on a grid")

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
        output, loss = self.train.output, self.train.loss
        if isinstance(loss, SpikeTrainLoss):
            return VanRossumLoss(output=output, time_constant=loss.time_constant, rate=loss.rate)
        assert isinstance(loss, IntegralLoss)
        return CrossEntropyLoss(output=output, time_constant=loss.time_constant, gain=loss.gain)
