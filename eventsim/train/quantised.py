r"""Training with a chip's numbers: the forward pass runs with rounded values.

Every step from ``begin`` on runs, and is differentiated, with the values that
:func:`eventsim.mapping.quantise` makes of the network: weights on the grid of the largest one of
their projection or linear decision, and on a chip with a time step also time constants, thresholds,
resets, refractory times and delays in its formats. The optimiser moves the unrounded (shadow)
values :math:`x` by the gradient at the rounded ones, as if rounding were the identity
(straight-through estimator):

.. math:: \hat x = \mathrm{round}(x), \qquad
          \frac{\partial L}{\partial x} := \frac{\partial L}{\partial \hat x}.

The derivative of the forward pass itself stays exact. At the ends of a format the estimator is
clipped: shadow time constants and delays stay within the range of their formats, so that a step
out of the range is lost. Weights have no such range, because the largest weight defines the
grid.

Before ``begin`` the network is trained in float. The final network is rounded, and so is the
validated network from ``begin`` on. A checkpoint has the shadow values, with which training
continues. The default of ``begin`` was measured: bench/results/defaults.md.

References
----------
Bengio, Leonard and Courville (2013), Estimating or propagating gradients through stochastic neurons
for conditional computation, arXiv 1308.3432. Hubara et al. (2018), Quantized neural networks, JMLR
18:1-30, section 2.3: the clipped estimator. Jacob et al. (2018), Quantization and training of
neural networks for efficient integer-arithmetic-only inference, CVPR.
"""

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from typing import Any

from eventsim.chips import Chip, Formats, load_chip
from eventsim.entries import Count, Settings, Share
from eventsim.entries.described import described, setting
from eventsim.hardware import quantise
from eventsim.hardware.usage import check_room
from eventsim.network import Network
from eventsim.network.connectivity import with_synapses
from eventsim.train.groups import FLOORS
from eventsim.train.sparse import SparseTraining, fan_in


@dataclass(frozen=True)
class Numbers:
    """The numbers of a chip: its formats, and the step in ms that decays and delays refer to."""

    formats: Formats
    step_ms: float | None

    def described(self) -> dict[str, Any]:
        """As plain values that JSON can hold."""
        found = asdict(self.formats) | {"step_ms": self.step_ms}
        del found["source"]
        return found

    def round(self, net: Network) -> None:
        """Round all values of a network, in place."""
        quantise.round_values(net, self.formats, self.step_ms)

    @contextmanager
    def rounded(self, net: Network) -> Iterator[None]:
        """Inside, the network has rounded values; afterwards its own, within the formats' ends."""
        quantise.clip_values(net, self.formats, self.step_ms)
        live = net.parameters()
        own = {key: values.copy() for key, values in live.items()}
        try:
            self.round(net)
            yield
        finally:
            for key, values in own.items():
                live[key][...] = values


@dataclass(frozen=True, kw_only=True)
@described
class QuantisedTraining(Settings):
    """Training with a chip's numbers; see :mod:`eventsim.train.quantised`. Off by default."""

    chip: str = setting(
        "",
        "Name of a chip, or the file of one, whose formats and time step hold in training. The "
        "network must fit onto it, and the fan-in is pruned to its limit. Empty for none.",
    )
    bits: Count | None = setting(
        None,
        "Bits of a weight, its sign included: those of the chip if None; without a chip, of the "
        "weights alone.",
    )
    begin: Share = setting(
        0.5,
        "Point of training at which rounding begins, as a fraction of the training steps, in "
        "[0, 1). Take 0 for a network that was trained in float before.",
    )

    @property
    def on(self) -> bool:
        """Whether values are rounded at all."""
        return bool(self.chip) or self.bits is not None

    @property
    def title(self) -> str:
        """Number format in words: name of the chip, bits of the weights."""
        chip = [f"numbers of {self.chip}"] if self.chip else []
        return ", ".join(chip + ([] if self.bits is None else [f"weights of {self.bits} bits"]))

    @cached_property
    def _chip(self) -> Chip | None:
        return load_chip(self.chip) if self.chip else None

    @cached_property
    def numbers(self) -> Numbers | None:
        """The numbers in which the network runs; None without. Raises ChipError, MappingError."""
        if self._chip is None:
            return None if self.bits is None else Numbers(*quantise.formats_of(self.bits))
        formats, step_ms = quantise.formats_of(self._chip)
        if self.bits is not None:
            formats = replace(formats, weight_bits=self.bits)
        return Numbers(formats, step_ms)

    @property
    def only_weights(self) -> bool:
        """Whether a chip, if one is given, has formats of weights alone, as any machine may."""
        numbers = self.numbers
        return numbers is not None and not quantise.has_formats(numbers.formats, numbers.step_ms)

    def numbers_at(self, step: int, total: int, *, begun: bool) -> Numbers | None:
        """The numbers in which a training step runs; None for float.

        Parameters
        ----------
        step, total
            It is the step ``step``, counted from 0, of ``total``.
        begun
            Whether earlier epochs were rounded, as of a run that was extended.
        """
        first = min(round(self.begin * total), total - 1)
        return self.numbers if begun or step >= first else None

    def fitted(self, net: Network, sparse: SparseTraining) -> SparseTraining:
        """The pruning that leaves every neuron no more synapses than the chip allows."""
        limits = None if self._chip is None else self._chip.limits
        most = None if limits is None else limits.fan_in_per_neuron
        if most is None:
            return sparse
        if sparse.fan_in is not None:
            expected = f"at most {most}, the limit of {self.chip!r}"
            sparse.require("fan_in", sparse.fan_in, sparse.fan_in <= most, expected)
            return sparse
        widest = max(int(fan_in(net, name).max()) for name in net.neurons)
        return sparse if widest <= most else replace(sparse, fan_in=most)

    def check(self, net: Network, sparse: SparseTraining, bip: Collection[str]) -> None:
        """Raise unless the network can have the chip's numbers, and room there once it is pruned.

        ``bip`` are the kinds of neuron parameters that are trained.

        Raises
        ------
        ChipError, MappingError, NetworkError, ParameterError
        """
        if self.numbers is None:
            return
        self._check_taus(self.numbers, bip)
        if self._chip is not None and self._chip.limits is not None:
            kept = net.to_host().copy()
            if sparse.prunes:
                kept = with_synapses(kept, sparse.pruned(kept, 1.0))
            for projection in kept.projections.values():
                projection.values[projection.values == 0.0] = 1.0  # training moves these too
            check_room(kept, self._chip)

    def _check_taus(self, numbers: Numbers, bip: Collection[str]) -> None:
        formats, step_ms = numbers.formats, numbers.step_ms
        if formats.decay_bits is None or step_ms is None:
            return
        _, longest = quantise.tau_range(step_ms, formats.decay_bits)
        for kind in ("tau_mem", "tau_syn"):
            good = kind not in bip or longest >= FLOORS[kind]
            expected = (
                f"a chip with time constants of {FLOORS[kind]:g} ms, the least that training of "
                f"{kind} reaches: decays of {formats.decay_bits} bits in {step_ms:g} ms end at "
                f"{longest:.3g} ms. Leave {kind} out of bip, or choose another chip"
            )
            self.require("chip", self.chip, good, expected)
