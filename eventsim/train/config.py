"""TrainConfig: everything that decides the outcome of a training run, checked at the door.

bench/results/defaults.md tells how the defaults were chosen.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, Literal

from eventsim.arrays import Precision
from eventsim.entries import (
    Above0,
    Count,
    From0,
    Natural,
    NotNegative,
    Positive,
    Settings,
    Share,
)
from eventsim.entries.described import described, setting
from eventsim.entries.settings import shown
from eventsim.matrix import require
from eventsim.network.answer import Tail
from eventsim.train.activity import ActivityCost
from eventsim.train.augment import Augmentation
from eventsim.train.intrinsic import SpiKL
from eventsim.train.loss_settings import LOSSES, IntegralLoss, LossSettings, Target, features_of
from eventsim.train.optimiser import AdamSettings, LearningRates
from eventsim.train.quantised import QuantisedTraining
from eventsim.train.sparse import SparseTraining

Intrinsic = Literal[
    "tau_mem", "tau_syn", "resistance", "threshold", "v_leak", "v_reset", "refractory",
    "adaptation", "tau_adaptation", "neuron",
]  # fmt: skip
Validate = Literal["auto", "group", "recording"]
# The name of each value of a loss where a recipe or --set gives it as a key of TrainConfig.
_FLAT = {
    "time_constant": "time_constant",
    "gain": "gain",
    "decision_dropout": "dropout",
    "target_rate": "rate",
    "frame_interval": "interval",
    "missed_outputs": "missed_outputs",
}
MOVES = ("time_scale", "time_shift", "crop")  # of augmentation: values that move events in time
_NESTED = ("loss", "rates", "augmentation", "spikl", "activity", "sparse", "quantise")


@dataclass(frozen=True, kw_only=True)
@described
class TrainConfig(Settings):
    """Settings of :func:`eventsim.train.train`."""

    epochs: Count = setting(30, "Number of passes over the training data.")
    batch_size: Count = setting(32, "Number of recordings per training step.")
    seed: Natural = setting(
        0, "Seed of the random numbers: validation split, order of batches, augmentation, dropout."
    )
    shards: Count = setting(
        1,
        "Number of parts of a batch whose gradients are summed in a fixed order, 1 to "
        "batch_size, at least one per process. The number of shards changes the rounding of "
        "the sum; the number of processes does not.",
    )
    validation_fraction: Share = setting(
        0.1, "Fraction of the training data that is held out for validation, in [0, 1)."
    )
    validate: Validate = setting(
        "auto",
        "What is held out: by ``group`` (whole groups, such as speakers, so that validation "
        "has other speakers than training), by ``recording`` (single recordings of every "
        "class), or ``auto``: as the test part is divided, by group if the recordings say so "
        "(:attr:`eventsim.events.DatasetInfo.grouped`), else by recording. Runs of versions "
        "without this setting were validated by recording.",
    )
    tail: Tail = setting(
        0.0,
        "Silence after every recording during which the network runs on, in ms: at least the "
        "longest delay, so that late spikes still count. The trained network keeps it in its "
        "``answer``.",
    )
    loss: LossSettings = setting(
        IntegralLoss,
        "Loss that is minimised, with its settings; its name alone means its defaults. "
        "cross_entropy, cross_entropy_maximum, cross_entropy_last and ctc read a readout; "
        "first_spike, spike_count and van_rossum read a spiking output. mean_squared_error fits a "
        "readout to values (regression). See "
        ":mod:`eventsim.train.loss_settings`.",
    )
    output: str = setting("output", "Name of the population that answers.")
    label_smoothing: Share = setting(
        0.0, "Fraction of every label that is spread over all classes, in [0, 1)."
    )
    bip: tuple[Intrinsic, ...] = setting(
        ("tau_mem", "tau_syn", "resistance", "threshold", "v_leak", "v_reset"),
        "Neuron parameters that are trained: a choice of tau_mem, tau_syn, resistance, threshold, "
        "v_leak, v_reset, refractory, and, where thresholds are adaptive, adaptation and "
        "tau_adaptation; neuron for all further ones of linear neurons, such as a, b and tau_w of "
        "AdLIF; empty for weights only.",
    )
    train_delays: bool = setting(
        False, "Whether delays are trained. Delays of neurons onto themselves stay fixed."
    )
    max_delay: Above0 = setting(
        math.inf, "Largest delay that training may reach, in ms; infinite for no bound."
    )
    dale: bool = setting(
        False, "Dale's law: weights between spiking neurons keep the sign of their source neuron."
    )
    calibrate: NotNegative | None = setting(
        10.0,
        "Rate in Hz to which a new run scales silent populations before it begins: spiking "
        "populations that fire less than a tenth of this rate on the training data, and "
        "resonators that fire more often than they oscillate, see "
        ":mod:`eventsim.train.calibration`; 0 for none. None, as 0, for runs of versions without "
        "this setting.",
    )
    initial_logits: NotNegative | None = setting(
        1.0,
        "Spread of the logits of a readout from which a new run begins: if the standard deviation "
        "over the classes, mean over a batch of training data, is larger, the weights into the "
        "readout (of a decision, its own) are divided by as much; 0 for none. The first loss is "
        "then near that of chance, the logarithm of the number of classes. With ctc, the logits "
        "are those of frames, and the blank begins with its share of them as well. With "
        "mean_squared_error, answers that lie farther from the targets than the resting voltage "
        "does are brought to the distance of the targets times this. Without effect "
        "on losses of spikes. None, as 0, of runs of versions without it.",
    )
    rates: LearningRates = setting(LearningRates, "As in :class:`AdamSettings`.")
    weight_decay: NotNegative = setting(1e-2, "As in :class:`AdamSettings`.")
    clip_norm: Above0 = setting(10.0, "As in :class:`AdamSettings`.")
    ease_in: NotNegative = setting(
        1.0,
        "Warm-up: number of epochs of linear growth of the learning rate, >= 0. Afterwards the "
        "learning rate follows a cosine to 0.",
    )
    averaged: Share = setting(
        0.0,
        "Weight averaging: the final network has the mean of the parameters over this last "
        "fraction of the training steps, in [0, 1), 0 for none. Validation uses the mean too.",
    )
    rate_low: NotNegative = setting(
        0.0,
        "Lower rate of the :class:`RateBand` of all hidden populations, Hz; strength 0 "
        "switches it off. A rate is the number of spikes, those in the tail included, per "
        "second of the recordings without the tail.",
    )
    rate_high: From0 = setting(30.0, "As ``rate_low``.")
    rate_strength: NotNegative = setting(1e-4, "As ``rate_low``.")
    activity: ActivityCost = setting(
        ActivityCost,
        "Penalty on synaptic operations, or on their energy on a chip; see "
        ":mod:`eventsim.train.activity`. Off by default.",
    )
    silent_lift: NotNegative = setting(
        1e-3,
        "Amount that is added to the incoming weights of neurons that were silent in a whole "
        "batch; 0 for none.",
    )
    near_miss_strength: NotNegative = setting(
        0.0,
        "The :class:`NearMiss` of hidden neurons that were silent in a whole batch, the margin in "
        "thresholds above rest; strength 0 switches it off.",
    )
    near_miss_margin: Positive = setting(1.0, "As ``near_miss_strength``.")
    augmentation: Augmentation = setting(Augmentation, "Augmentation of training batches.")
    spikl: SpiKL = setting(
        SpiKL,
        "Local rule of intrinsic plasticity of the hidden populations, beside the gradient; see "
        ":mod:`eventsim.train.intrinsic`. Off by default; not for parameters that ``bip`` names.",
    )
    sparse: SparseTraining = setting(
        SparseTraining,
        "Pruning and rewiring of synapses; see :mod:`eventsim.train.sparse`. Off by default.",
    )
    quantise: QuantisedTraining = setting(
        QuantisedTraining,
        "Training with the numbers of a chip; see :mod:`eventsim.train.quantised`. Off by default.",
    )
    backend: str = setting("auto", "Backend of the engine: auto, cpu, cuda or reference.")
    precision: Precision = setting(
        "single", "Floating-point precision of the simulation: single or double."
    )
    patience: Natural = setting(
        0,
        "Early stopping: training ends if validation has not improved for this number of "
        "epochs; 0 for none. The schedule of the learning rate still goes over all "
        "``epochs``. Not with pruning or rounding that begins during training.",
    )
    patience_by: Literal["loss", "accuracy"] = setting(
        "loss",
        "Measure that has to improve: the validation ``loss``, or the validation ``accuracy``.",
    )
    checkpoint_every: Natural = setting(
        50,
        "Number of batches between checkpoints inside an epoch; 0 for a checkpoint at its end "
        "only.",
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        few = f"1 .. {self.batch_size}, the batch size"
        self.require("shards", self.shards, self.shards <= self.batch_size, few)
        both = sorted(set(self.spikl.tuned) & set(self.bip))
        self.require("spikl", both, not both, "no parameter that bip trains as well")
        band = (self.rate_low, self.rate_high)
        self.require("(rate_low, rate_high)", band, band[0] <= band[1], "0 <= low <= high")
        require("settings", self)

    def features(self, names: Collection[str] | None = None) -> Mapping[str, str]:
        """Features of the support matrix that the training needs; see :mod:`eventsim.matrix`."""
        moves = [(f"augmentation.{name}", getattr(self.augmentation, name)) for name in MOVES]
        stop = "early_stopping" if self.patience_by == "loss" else "stopped_by_accuracy"
        given: Sequence[tuple[str, str, Any]] = (
            ("pruning", "sparse", self.sparse if self.sparse.prunes else None),
            ("rewiring", "sparse.rewire", self.sparse.rewire),
            ("dale", "dale", self.dale),
            ("bits", "quantise.bits", self.quantise.bits),
            ("chip_numbers", "quantise.chip", self.quantise.chip),
            ("activity_cost", "activity", None if self.activity.target is None else self.activity),
            ("local_rule", "spikl", list(self.spikl.tuned)),
            ("trained_delays", "train_delays", self.train_delays),
            ("smoothing", "label_smoothing", self.label_smoothing),
            ("mixing", "augmentation.mix", self.augmentation.mix),
            *(("moved_times", name, value) for name, value in moves),
            ("shards", "shards", self.shards if self.shards > 1 else None),
            (stop, "patience", self.patience),
            ("near_misses", "near_miss_strength", self.near_miss_strength),
        )
        found = {feature: f"{name} is {shown(value)}" for feature, name, value in given if value}
        if not self.validation_fraction:
            found["no_validation"] = "validation_fraction is 0"
        return {**features_of(self.loss), **found}

    @property
    def fits_values(self) -> bool:
        """Whether the network is fitted to values: its answer is no class."""
        return self.loss.rule is None

    def adam_settings(self) -> AdamSettings:
        """The optimiser's constants."""
        shared = {one.name for one in fields(AdamSettings)} & vars(self).keys()
        return AdamSettings(**{name: getattr(self, name) for name in shared})

    def target(self, labels: Any, class_names: Sequence[str] = (), **given: Any) -> Target:
        """The target of a batch for the loss; ``given`` as in :class:`.Target`."""
        margin = self.near_miss_margin
        return Target(labels, self.output, class_names, near_miss_margin=margin, **given)

    def stops_after(self, history: Sequence[Mapping[str, Any]]) -> bool:
        """Whether a run with these finished epochs is stopped early, see ``patience``."""
        if not self.patience or len(history) <= self.patience:
            return False
        sign = -1.0 if self.patience_by == "loss" else 1.0
        values = [sign * line[f"validation_{self.patience_by}"] for line in history]
        merits = [-math.inf if math.isnan(value) else value for value in values]
        return merits.index(max(merits)) < len(merits) - self.patience

    def trained(self) -> tuple[str, ...]:
        """Kinds of parameters that are trained."""
        return ("weights", *self.bip, *(("delays",) if self.train_delays else ()))

    @classmethod
    def upgraded(cls, values: Mapping[str, Any]) -> dict[str, Any]:
        """The table with the values of the loss inside the loss, as recipes may have not."""
        return _nested(values)


def with_defaults(stored: Mapping[str, Any], now: Mapping[str, Any]) -> dict[str, Any]:
    """Stored settings, and the default of every one of ``now`` that they lack. New dict.

    Both as :meth:`TrainConfig.to_dict` gives them, perhaps not all. A setting that did not exist
    when a file was written had the effect of its default.
    """
    defaults = TrainConfig().to_dict()
    stored = _nested(stored)
    loss = stored.get("loss")
    if isinstance(loss, Mapping) and loss.get("kind") in LOSSES:
        defaults["loss"] = LOSSES[loss["kind"]]().to_dict()
    found = {key: defaults[key] for key in now if key in defaults} | stored
    for name in _NESTED:
        if isinstance(stored.get(name), Mapping):
            found[name] = defaults[name] | stored[name]
    return found


def _nested(stored: Mapping[str, Any]) -> dict[str, Any]:
    """Settings with the values of the loss inside the loss."""
    found = dict(stored)
    flat = {new: found.pop(old) for old, new in _FLAT.items() if old in found}
    loss = found.get("loss", "cross_entropy")
    if isinstance(loss, str) and loss in LOSSES:
        found["loss"] = loss = {"kind": loss}
    kind = LOSSES.get(str(loss.get("kind"))) if isinstance(loss, Mapping) else None
    if kind is not None:
        # Every loss had all of them; dropout alone was refused where it had no meaning.
        own = {field.name for field in fields(kind)}
        used = {
            key: v
            for key, v in flat.items()
            if v is not None and (key in own or (v and key == "dropout"))
        }
        found["loss"] = {**loss, **used}
    return found
