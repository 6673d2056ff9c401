"""Sums over batches, and the metrics of an epoch that follow."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

BYTES_PER_MB = 1e6

_MOST = "stored_bytes"  # of these the largest counts, not the sum
_SPIKES = "spikes."


@dataclass(frozen=True, kw_only=True)
class BatchSums:
    """Sums over the batches of an epoch; those of one batch are added with ``+``."""

    samples: int = 0
    batches: int = 0
    # Means of batches times their samples; the loss of values, times their targets
    loss: float = 0.0
    penalty: float = 0.0
    gradient_norm: float = 0.0  # over the steps that were taken
    # Steps whose gradient was too long, or not finite
    clipped: int = 0
    skipped: int = 0
    lifted: int = 0  # silent neurons that were lifted, over the steps
    # Over the samples
    synaptic_events: int = 0
    seconds_of_input: float = 0.0
    # Without compiling, and that alone
    wall_seconds: float = 0.0
    compile_seconds: float = 0.0
    correct: int | None = None  # samples that were answered rightly; None without classes
    targets: int | None = None  # values that were compared; None with classes
    # Over the samples; None where they are not asked for
    activity: float | None = None
    energy_pj: float | None = None
    # What the method counts, by name: see :class:`eventsim.train.method.AbstractMethod`. Of
    # ``stored_bytes`` the most that one batch kept.
    costs: Mapping[str, float] = field(default_factory=dict)
    spikes: Mapping[str, int] = field(default_factory=dict)  # by population

    def __add__(self, other: "BatchSums") -> "BatchSums":
        mine, more = self.to_dict(), other.to_dict()
        most = {_MOST: max(each.get(_MOST, 0) for each in (mine, more))}
        total = mine | {key: mine.get(key, 0) + value for key, value in more.items()}
        return BatchSums.from_dict(total | {key: most[key] for key in most if key in total})

    def to_dict(self) -> dict[str, float]:
        """As a checkpoint keeps them: numbers by name, without those that are not there."""
        own = {each.name: getattr(self, each.name) for each in fields(self)}
        costs, spikes = own.pop("costs"), own.pop("spikes")
        found: dict[str, float] = {k: v for k, v in own.items() if v is not None} | costs
        return found | {_SPIKES + name: number for name, number in spikes.items()}

    @classmethod
    def from_dict(cls, stored: Mapping[str, Any]) -> "BatchSums":
        """Undo :meth:`to_dict`; what is missing is zero, as at the begin of an epoch."""
        names = {each.name for each in fields(cls)} - {"costs", "spikes"}
        known = {key: value for key, value in stored.items() if key in names}
        others = {key: value for key, value in stored.items() if key not in names}
        spikes = {
            key.removeprefix(_SPIKES): value
            for key, value in others.items()
            if key.startswith(_SPIKES)
        }
        costs = {key: value for key, value in others.items() if not key.startswith(_SPIKES)}
        return cls(**known, costs=costs, spikes=spikes)

    def metrics(self) -> dict[str, Any]:
        """Metrics of the batches so far, at least one; ``stored_mb`` is the largest of a batch."""
        line = {
            "loss": self.loss / (self.samples if self.targets is None else max(self.targets, 1)),
            **({} if self.correct is None else {"accuracy": self.correct / self.samples}),
            "penalty": self.penalty / self.samples,
            "gradient_norm": self.gradient_norm / max(self.batches - self.skipped, 1),
            "clipped_steps": self.clipped,
            "skipped_steps": self.skipped,
            "lifted_neurons": self.lifted,
            "synaptic_events_per_sample": self.synaptic_events / self.samples,
        }
        further = {
            "grazes": ("grazes", 1),
            "neuron_updates": ("neuron_updates_per_sample", self.samples),
            "shared_bins": ("shared_bins_per_sample", self.samples),
            "activity": ("activity_per_sample", self.samples),
            "energy_pj": ("energy_pj_per_sample", self.samples),
            _MOST: ("stored_mb", BYTES_PER_MB),
        }
        values = self.to_dict()
        return line | {name: values[k] / of for k, (name, of) in further.items() if k in values}
