"""Grid: the method by which :func:`eventsim.train.train` trains the fixed-step counterpart.

The counterpart gets the same augmented events in the same batches as in exact time. Weights are
trained in the units of the grid, as published. The trained networks are for exact time.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

import numpy as np

from eventsim.arrays import Floats, Ints
from eventsim.clocked.backward import BIP, backward
from eventsim.clocked.forward import ClockedRun, run
from eventsim.clocked.losses import outcome_of
from eventsim.clocked.network import ClockedNetwork, from_network
from eventsim.entries import Bounds
from eventsim.events import EventStream, StoredStream
from eventsim.events.transforms import extend
from eventsim.matrix import require
from eventsim.memo import Memo
from eventsim.network import Network
from eventsim.network.features import shared_apart
from eventsim.train import SpiKL, TrainConfig
from eventsim.train.loss_settings import Target
from eventsim.train.method import AbstractMethod, Backward, Forward, Terms
from eventsim.train.optimiser import STABLE_FRACTION


@dataclass(frozen=True, kw_only=True)
class Grid(AbstractMethod):
    """TSSL-BP on a grid of time.

    Of :class:`eventsim.train.TrainConfig`, ``bip`` may name ``tau_mem``, ``tau_syn``,
    ``resistance`` and ``threshold``; the loss is ``cross_entropy`` of a readout or ``van_rossum``
    of a spiking output. ``backend`` and ``missed_outputs`` have no meaning here: the counterpart
    runs in NumPy. Other settings without a counterpart are refused.

    Attributes
    ----------
    dt
        Time step, ms, > 0 and at most 1, the least tau_syn that training may reach.
    clip
        Whether several events of a channel in a step are one; see :func:`bin_events`.
    """

    dt: Annotated[float, Bounds(gt=0, le=1)] = 1.0
    clip: bool = False
    name: ClassVar[str] = "grid"
    feature: ClassVar[str] = "fixed_step"
    forward_costs: ClassVar[tuple[str, ...]] = ("neuron_updates", "shared_bins")
    backward_cost: ClassVar[str] = "stored_bytes"

    def check(self, config: TrainConfig) -> None:
        """Raise ParameterError for settings that have no counterpart."""
        others = [name for name in config.bip if name not in BIP]
        config.require("bip", list(config.bip), not others, f"names out of {BIP} on a grid")
        require("train", config, self.feature, where="TrainConfig")

    def meets(self, net: Network, config: TrainConfig) -> Mapping[str, str]:
        """Shared weights that do not stay one on the grid."""
        found = next(shared_apart(net, trained=config.bip), None)
        return {} if found is None else {"shared_apart": found}

    def begin(self, net: Network, config: TrainConfig) -> Network:
        """The counterpart, its weights in the units of the grid. New network."""
        return from_network(net, self.dt).grid

    def finish(self, net: Network) -> Network:
        """The same network for exact event time. New network."""
        return ClockedNetwork(net, self.dt).to_network()

    def order(self, stream: EventStream | StoredStream) -> Ints:
        """The longest first: a batch takes as many steps as its longest recording."""
        return np.argsort(-stream.duration, kind="stable")

    def forward(
        self,
        net: Network,
        stream: EventStream,
        target: Target,
        config: TrainConfig,
        memo: Memo | None = None,
    ) -> Forward:
        """Run recordings on the grid."""
        order = self.order(stream)
        back = np.argsort(order)
        done = run(
            ClockedNetwork(net, self.dt),
            extend(stream[order], config.tail),
            precision=config.precision,
            clip=self.clip,
            keep=memo is not None,
        )
        outcome = outcome_of(config.loss, done, target.labels[order], config.output)
        scores = outcome.logits[back]
        return Forward(
            value=outcome.value,
            predicted=scores.argmax(axis=1),
            scores=scores,
            counts={
                name: record.spikes.sum(axis=(0, 1), dtype=np.int64)
                for name, record in done.records.items()
                if record.spikes is not None
            },
            synaptic_events=done.synaptic_events,
            costs=(done.neuron_updates, done.events.shared),
            tape=lambda: done.tape,
            record=(done, outcome.seeds),
        )

    def backward(self, net: Network, done: Forward, terms: Terms) -> Backward:
        """Gradients of TSSL-BP; the cost is the number of bytes that were kept for them."""
        ran: ClockedRun = done.record[0]
        share = done.predicted.size / terms.n_samples
        seeds = {name: seed * share for name, seed in done.record[1].items()}
        gradients = backward(ran, seeds, per_spike=terms.slopes)
        at_start = sum(record.voltage.nbytes for record in ran.records.values())
        return Backward(gradients, 0.0, ran.stored_bytes + at_start)

    def follow(
        self, net: Network, rule: SpiKL, names: Sequence[str], pull: Floats, n_samples: int
    ) -> None:
        """Take a step of SpiKL-IP; its derivation keeps the weights of exact time constant."""
        before = {name: net.populations[name].tau_mem.copy() for name in names if rule.tuned}
        rule.apply(net, names, pull, n_samples)
        for projection in net.projections.values():
            target = projection.target
            if target in before:
                factor = before[target] / net.populations[target].tau_mem
                projection.values[...] *= projection.of_targets(factor)

    def bound(self, net: Network) -> None:
        """Keep self-weights so small that the network does not run away in exact time.

        The bound of :mod:`eventsim.train.optimiser` in the units of the grid. On the grid itself a
        neuron fires once in a step at most.
        """
        for name, projection in net.recurrences.items():
            p = net.populations[name]
            limit = STABLE_FRACTION * (p.threshold - p.v_reset) / p.resistance
            bounded = np.minimum(projection.weights, limit)
            projection.weights[...] = np.where(p.refractory == 0, bounded, projection.weights)


def published(**train: Any) -> TrainConfig:
    """The method of Zhang and Li without what eventsim adds: no rate band, no silent lift.

    The gradient is clipped at 1, as in the published program. ``train`` are further settings.
    """
    plain: dict[str, Any] = {
        "loss": "van_rossum",
        "bip": BIP,
        "rate_strength": 0.0,
        "silent_lift": 0.0,
        "clip_norm": 1.0,
    }
    return TrainConfig(**(plain | train))
