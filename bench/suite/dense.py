"""Dense networks on frames or counts, trained by PyTorch beside runs of a sweep.

========  ========================================================================================
kind      network
========  ========================================================================================
``gru``   a GRU of as many units in place of each spiking population of the run, a linear layer in
          place of each readout, with the inputs of these populations: the shape of
          :func:`eventsim.energy.dense_equivalent`, on the events of each channel in frames of 10 ms
``rnn``   the same with simple recurrent layers (tanh)
``ann``   two hidden layers (ReLU) of one width on the events of every channel in the whole
          recording (their log(1 + n)), with as many parameters as the run trains
========  ========================================================================================

The tail of the run is part of the input; the score of a class is its mean over the frames.
Recordings, augmentation (without ``mix``), batch size and epochs are those of the run. The
optimiser is Adam with the rate ``RATE``, which was not searched for. Energies are those of the
multiplications in 45 nm, without memory.
"""

import itertools
import math
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from eventsim.chips import load_chip
from eventsim.clocked.bins import bin_events
from eventsim.energy import dense_equivalent
from eventsim.energy.costs import DENSE_PRICES
from eventsim.events import Dataset, EventStream
from eventsim.events.order import sample_of_event
from eventsim.events.transforms import extend
from eventsim.runs.run import Run, load_run
from eventsim.train.augment import augment
from eventsim.train.parts import validation_split

FRAME_MS, RATE, CLIP_NORM = 10.0, 3e-3, 1.0
NAMES = {"gru": f"GRU on frames of {FRAME_MS:g} ms", "rnn": f"RNN on frames of {FRAME_MS:g} ms"}
NAMES |= {"ann": "ANN on event counts"}


def dense_point(kind: str, folders: Sequence[Path], chips: Sequence[str]) -> dict[str, Any]:
    """A network trained beside each finished run, as a point of ``eventsim frontier --json``."""
    return {
        "name": kind if kind == "ann" else f"{kind}-{FRAME_MS:g}ms",
        "title": f"{NAMES[kind]}, priced in 45 nm",
        "kind": "dense",
        "front": [],
        "runs": [_trained(kind, load_run(folder), chips) for folder in folders],
    }


def _trained(kind: str, run: Run, chips: Sequence[str]) -> dict[str, Any]:
    whole, tested = run.data("train")[:], run.data("test")[:]
    torch.manual_seed(run.config.seed)
    model = Counted(run) if kind == "ann" else Framed(run, kind)
    kept, _ = validation_split(whole, run.config)
    began = time.perf_counter()
    _fit(model, whole.subset(kept), run)
    seconds = time.perf_counter() - began
    macs, energy = model.cost(tested.stream)
    numbers = {
        "accuracy": _accuracy(model, tested, run.config.batch_size),
        "synaptic_operations": macs,
        "synapses": float(sum(p.numel() for p in model.parameters() if p.dim() > 1)),
        **{f"energy_pj:{chip}": energy for chip in chips},
        "training_seconds": seconds,
    }
    return {"seed": run.config.seed, "numbers": numbers}


class Framed(nn.Module):
    """Recurrent layers in place of spiking populations, linear layers in place of readouts."""

    def __init__(self, run: Run, kind: str):
        super().__init__()
        self.kind, self.net, self.tail = kind, run.net, run.config.tail
        self.layers = nn.ModuleDict()
        for name, population in self.net.neurons.items():
            n = sum(self.net.population(source).size for source in self._sources(name))
            cell = getattr(nn, kind.upper()) if name in self.net.spiking else nn.Linear
            self.layers[name] = cell(n, population.size)

    def forward(self, stream: EventStream) -> torch.Tensor:
        """Logits, [samples, classes]."""
        binned = bin_events(extend(stream, self.tail), FRAME_MS)
        sent = {self.net.input.name: torch.from_numpy(binned.counts.astype(np.float32))}
        for name, layer in self.layers.items():
            heard = torch.cat([sent[source] for source in self._sources(name)], dim=2)
            sent[name] = layer(heard)[0] if name in self.net.spiking else layer(heard)
        steps = torch.from_numpy(binned.steps)
        alive = torch.arange(binned.counts.shape[0])[:, None] < steps
        return (sent[name] * alive[:, :, None]).sum(dim=0) / steps[:, None]

    def cost(self, stream: EventStream) -> tuple[float, float]:
        """Multiplications and additions of a recording, and their energy in pJ."""
        duration, chip = extend(stream, self.tail).duration, load_chip(DENSE_PRICES)
        found = dense_equivalent(self.net, duration, chip, frame_ms=FRAME_MS, cell=self.kind)
        told = found.to_dict()
        return told["macs_per_sample"], told["energy_pj_per_sample"]

    def _sources(self, name: str) -> list[str]:
        into = [p.source for p in self.net.projections.values() if p.target == name]
        return [source for source in dict.fromkeys(into) if source != name]


class Counted(nn.Module):
    """Two hidden layers on the number of events of every channel."""

    def __init__(self, run: Run):
        super().__init__()
        n, out = run.net.input.size, run.net.population(run.config.output).size
        # h (n + 1) + h (h + 1) + out (h + 1) parameters, as many as the run trains
        linear, wanted = n + out + 2, run.result["trained_parameters"] - out
        width = max(round((math.sqrt(linear**2 + 4 * max(wanted, 0)) - linear) / 2), 1)
        layers = [nn.Linear(a, b) for a, b in itertools.pairwise([n, width, width, out])]
        self.layers = nn.Sequential(layers[0], nn.ReLU(), layers[1], nn.ReLU(), layers[2])

    def forward(self, stream: EventStream) -> torch.Tensor:
        """Logits, [samples, classes]."""
        n = stream.n_channels
        place = sample_of_event(stream.offsets) * n + stream.channels
        counts = np.bincount(place, minlength=stream.n_samples * n).reshape(-1, n)
        return self.layers(torch.from_numpy(np.log1p(counts).astype(np.float32)))

    def cost(self, stream: EventStream) -> tuple[float, float]:
        """As the other cost: each weight counts once per recording."""
        del stream
        macs = float(sum(p.numel() for p in self.parameters() if p.dim() > 1))
        return macs, macs * load_chip(DENSE_PRICES).energy["mac"].value


def _fit(model: Framed | Counted, data: Dataset, run: Run) -> None:
    """Train on events augmented as those of the run, in its batches and epochs."""
    config = run.config
    rng = np.random.default_rng(config.seed)
    adam = torch.optim.Adam(model.parameters(), lr=RATE)
    for _ in range(config.epochs):
        for index in data.stream.batches(config.batch_size, order=rng.permutation(len(data))):
            scores = model(augment(data.stream[index], config.augmentation, rng=rng))
            labels = torch.from_numpy(data.labels[index].astype(np.int64))
            loss = nn.functional.cross_entropy(scores, labels)
            adam.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), CLIP_NORM)
            adam.step()


def _accuracy(model: Framed | Counted, data: Dataset, batch_size: int) -> float:
    with torch.no_grad():
        right = sum(
            int((model(data.stream[index]).argmax(dim=1).numpy() == data.labels[index]).sum())
            for index in data.stream.batches(batch_size)
        )
    return right / len(data)
