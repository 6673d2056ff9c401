r"""Dense networks on frames, trained by PyTorch: a comparison for the points of a sweep.

========  ========================================================================================
kind      network
========  ========================================================================================
``gru``   a GRU of as many units in place of each spiking population of the baseline, a linear
          layer in place of each readout, with the inputs of these populations: the shape of
          :func:`eventsim.energy.dense_equivalent`
``rnn``   the same with simple recurrent layers (tanh)
``ann``   two hidden layers (ReLU) of one width on the events of every channel in the whole
          recording (their log(1 + n)), with as many parameters as the baseline trains
========  ========================================================================================

The input of the recurrent networks are the events of each channel in frames of ``frame_ms``, the
tail of the run included. The score of a class is its mean over the frames. Recordings, validation
part, augmentation (without ``mix``), batch size and epochs are those of the baseline's run. The
optimiser is Adam with the rate ``RATE``, which was not searched for.

Energies are those of the multiplications in 45 nm (:mod:`eventsim.energy.dense`), without memory.
``eventsim cost`` prints them for ``gru`` and ``rnn`` beside the baseline's run.
"""

import itertools
import math
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np

from eventsim.chips import load_chip
from eventsim.clocked.bins import bin_events
from eventsim.energy import dense_equivalent
from eventsim.energy.costs import DENSE_PRICES
from eventsim.errors import BackendError, ParameterError
from eventsim.events import AnyDataset, Dataset, EventStream
from eventsim.events.order import sample_of_event
from eventsim.events.transforms import extend
from eventsim.extras import install_hint
from eventsim.frontier.measure import (
    ACCURACY,
    CHOICE,
    OPERATIONS,
    Measured,
    Question,
    energy_key,
    remembered,
    total_key,
)
from eventsim.runs.run import Run
from eventsim.train.augment import augment
from eventsim.train.parts import validation_split

DenseKind = Literal["gru", "rnn", "ann"]
KINDS: tuple[DenseKind, ...] = get_args(DenseKind)
NAMES: Mapping[DenseKind, str] = {"gru": "GRU", "rnn": "RNN", "ann": "ANN"}
RATE, CLIP_NORM = 3e-3, 1.0
_LACKING = ("event_counts", "bias_additions", "activation_functions", "static_chip", "memory_byte")


@dataclass(frozen=True, kw_only=True)
class DenseBaseline:
    """A dense network with which the points are compared.

    Attributes
    ----------
    kind
        ``gru``, ``rnn`` or ``ann``.
    frame_ms
        Length of a frame of the recurrent networks.
    """

    kind: DenseKind
    frame_ms: float = 10.0

    def __post_init__(self) -> None:
        if self.kind not in KINDS or not 0.0 < self.frame_ms < math.inf:
            raise ParameterError(
                f"baseline is {self.kind!r} with frames of {self.frame_ms} ms, expected one of "
                f"{', '.join(KINDS)} and a finite number > 0."
            )

    @property
    def on_frames(self) -> bool:
        """Whether its input are frames; otherwise it is the event counts of a whole recording."""
        return self.kind != "ann"

    @property
    def name(self) -> str:
        """For folders."""
        end = f"-{self.frame_ms:g}ms".replace(".", "_") if self.on_frames else ""
        return f"{self.kind}{end}"

    @property
    def title(self) -> str:
        """For people."""
        on = f"frames of {self.frame_ms:g} ms" if self.on_frames else "event counts"
        return f"{NAMES[self.kind]} on {on}, priced in 45 nm"

    def command(self, asked: Question, beside: Path) -> str:
        """The command that prints the energy beside that of a run; empty for an ``ann``."""
        plain = replace(asked, chips={DENSE_PRICES: load_chip(DENSE_PRICES)})
        return f"{plain.command(beside)} --frame {self.frame_ms:g}" if self.on_frames else ""


def dense_numbers(
    baseline: DenseBaseline, run: Run, training: AnyDataset, data: AnyDataset, asked: Question,
    folder: Path,
) -> Measured:  # fmt: skip
    """Train and measure a dense network beside a run; the numbers are kept in its ``folder``.

    The run is a finished one of the sweep's baseline. Its network gives the shape, its settings
    give the rest. Raises BackendError if PyTorch is missing.
    """
    asks = repr((baseline, run.settings.deciding(), asked.described())).encode()
    return remembered(folder, asks, lambda: _trained(baseline, run, training, data, asked))


def find_torch() -> Any:
    """PyTorch; BackendError if it is missing."""
    try:
        import torch
    except ImportError as error:
        raise BackendError(
            f"baselines of dense networks need PyTorch: {install_hint('torch')} (import failed: "
            f"{error}). Or leave out --baseline."
        ) from error
    return torch


def _trained(
    baseline: DenseBaseline, run: Run, training: AnyDataset, data: AnyDataset, asked: Question
) -> Measured:
    torch, config = find_torch(), run.config
    kind = _Framed if baseline.on_frames else _Counted
    with torch.random.fork_rng():
        torch.manual_seed(config.seed)
        model = kind(torch, baseline, run)
    whole, few = training[:], asked.recordings(data)
    kept, held = validation_split(whole, config)
    began = time.perf_counter()
    _fit(model, whole.subset(kept), run)
    seconds = time.perf_counter() - began
    macs, energy, missing = model.cost(few.stream)
    found: dict[str, float | None] = {
        ACCURACY: _accuracy(model, few, config.batch_size),
        CHOICE: _accuracy(model, whole.subset(held), config.batch_size) if held.size else None,
        OPERATIONS: macs,
        "synapses": float(sum(p.numel() for p in model.parameters() if p.dim() > 1)),
        "parameters": float(sum(p.numel() for p in model.parameters())),
        "training_seconds": seconds,
    }
    chips = list(asked.chips.values())
    for chip in chips:
        found[energy_key(chip.name)] = found[total_key(chip.name)] = energy
    return Measured(numbers=found, missing=dict.fromkeys((c.name for c in chips), missing))


class _Framed:
    """Recurrent layers in place of spiking populations, linear layers in place of readouts."""

    def __init__(self, torch: Any, baseline: DenseBaseline, run: Run):
        self.torch, self.baseline, self.net, self.tail = torch, baseline, run.net, run.config.tail
        cell = getattr(torch.nn, baseline.kind.upper())
        self.layers = torch.nn.ModuleDict()
        for name, population in self.net.neurons.items():
            n = sum(self.net.population(source).size for source in self._sources(name))
            spiking = name in self.net.spiking
            self.layers[name] = (cell if spiking else torch.nn.Linear)(n, population.size)

    def parameters(self) -> list[Any]:
        """All that is trained."""
        return list(self.layers.parameters())

    def scores(self, stream: EventStream) -> Any:
        """Logits, [samples, classes]."""
        torch = self.torch
        binned = bin_events(extend(stream, self.tail), self.baseline.frame_ms)
        sent = {self.net.input.name: torch.from_numpy(binned.counts.astype(np.float32))}
        for name, layer in self.layers.items():
            heard = torch.cat([sent[source] for source in self._sources(name)], dim=2)
            sent[name] = layer(heard)[0] if name in self.net.spiking else layer(heard)
        steps = torch.from_numpy(binned.steps)
        alive = torch.arange(binned.counts.shape[0])[:, None] < steps
        return (sent[name] * alive[:, :, None]).sum(dim=0) / steps[:, None]

    def cost(self, stream: EventStream) -> tuple[float, float, tuple[str, ...]]:
        """Multiplications and additions of a recording, their energy in pJ, and what it lacks."""
        found = dense_equivalent(
            self.net,
            extend(stream, self.tail).duration,
            load_chip(DENSE_PRICES),
            frame_ms=self.baseline.frame_ms,
            cell=self.baseline.kind,  # type: ignore[arg-type]
        )
        told = found.to_dict()
        lacking = tuple(one.name for one in found.missing)
        return told["macs_per_sample"], told["energy_pj_per_sample"], lacking

    def _sources(self, name: str) -> list[str]:
        into = [p.source for p in self.net.projections.values() if p.target == name]
        return [source for source in dict.fromkeys(into) if source != name]


class _Counted:
    """Two hidden layers on the number of events of every channel."""

    def __init__(self, torch: Any, _: DenseBaseline, run: Run):
        self.torch = torch
        n, out = run.net.input.size, run.net.population(run.config.output).size
        # h (n + 1) + h (h + 1) + out (h + 1) parameters, as many as the run trains
        linear, wanted = n + out + 2, run.result["trained_parameters"] - out
        width = max(round((math.sqrt(linear**2 + 4 * max(wanted, 0)) - linear) / 2), 1)
        sizes = [n, width, width, out]
        layers = [torch.nn.Linear(a, b) for a, b in itertools.pairwise(sizes)]
        relu = torch.nn.ReLU()
        self.layers = torch.nn.Sequential(layers[0], relu, layers[1], relu, layers[2])

    def parameters(self) -> list[Any]:
        """All that is trained."""
        return list(self.layers.parameters())

    def scores(self, stream: EventStream) -> Any:
        """Logits, [samples, classes]."""
        n = stream.n_channels
        place = sample_of_event(stream.offsets) * n + stream.channels
        counts = np.bincount(place, minlength=stream.n_samples * n).reshape(-1, n)
        return self.layers(self.torch.from_numpy(np.log1p(counts).astype(np.float32)))

    def cost(self, stream: EventStream) -> tuple[float, float, tuple[str, ...]]:
        """As the other cost: each weight counts once per recording."""
        del stream
        macs = float(sum(p.numel() for p in self.parameters() if p.dim() > 1))
        return macs, macs * load_chip(DENSE_PRICES).energy["mac"].value, _LACKING


def _fit(model: _Framed | _Counted, data: Dataset, run: Run) -> None:
    """Train on events augmented as those of the run, in its batches and epochs."""
    torch, config = model.torch, run.config
    rng = np.random.default_rng(config.seed)
    adam = torch.optim.Adam(model.parameters(), lr=RATE)
    for _ in range(config.epochs):
        for index in data.stream.batches(config.batch_size, order=rng.permutation(len(data))):
            stream = augment(data.stream[index], config.augmentation, rng=rng)
            scores = model.scores(stream)
            labels = torch.from_numpy(data.labels[index].astype(np.int64))
            loss = torch.nn.functional.cross_entropy(scores, labels)
            adam.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), CLIP_NORM)
            adam.step()


def _accuracy(model: _Framed | _Counted, data: Dataset, batch_size: int) -> float:
    right = 0
    with model.torch.no_grad():
        for index in data.stream.batches(batch_size):
            answers = model.scores(data.stream[index]).argmax(dim=1).numpy()
            right += int((answers == data.labels[index]).sum())
    return right / len(data)
