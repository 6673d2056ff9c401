"""One training step as a program takes it: forward, loss, backward, optimiser."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import eventsim as es
from bench.gpu.kernels import kernel_rows
from bench.gpu.place import Place
from bench.harness import timed
from eventsim import engine
from eventsim.train import AdamW, CrossEntropy, TrainConfig, select

Batch = tuple[es.EventStream, CrossEntropy]

# Small enough that a hundred steps leave the activity as it was; a step costs the same at any rate.
RATE_FACTOR = 1e-4


@dataclass(frozen=True)
class Trainer:
    """A network with its optimiser, on one backend; spikes and parameters stay where it runs."""

    net: es.Network
    backend: str
    precision: Any = "single"
    optimiser: AdamW = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "net", engine.place(self.net, backend=self.backend))
        keys = select(self.net, TrainConfig().trained())
        object.__setattr__(self, "optimiser", AdamW(self.net, keys))

    def forward(self, batch: Batch) -> es.SpikeTape:
        """Spikes and the readouts' logits."""
        stream, loss = batch
        tape = es.simulate(
            self.net, stream, backend=self.backend, precision=self.precision, resident=True
        )
        loss.logits(self.net, tape)
        return tape

    def backward(self, batch: Batch) -> es.Gradients:
        """Forward, and all gradients."""
        stream, loss = batch
        tape = es.simulate(
            self.net, stream, backend=self.backend, precision=self.precision, resident=True
        )
        return es.backward(self.net, tape, loss)

    def step(self, batch: Batch) -> None:
        """Forward, backward, and new parameters."""
        self.optimiser.step(self.backward(batch).flat(), factor=RATE_FACTOR)


def measure(
    trainer: Trainer, batches: Sequence[Batch], where: Place, *, repeats: int
) -> dict[str, Any]:
    """Times of all batches together, forward and whole steps."""
    clock = where.clock if trainer.backend == "cuda" else None
    where.free()
    tapes = (trainer.forward(batch) for batch in batches)
    hidden = sum(len(tape[name]) for tape in tapes for name in tape.names)
    neurons = sum(
        trainer.net.population(p.target).size
        for p in trainer.net.projections.values()
        if p.source == "input" and trainer.net.population(p.target).kind == "spiking"
    )
    events = neurons * sum(stream.n_events for stream, _ in batches)

    def each(call: Callable[[Batch], Any]) -> Callable[[], None]:
        def run() -> None:
            for batch in batches:
                call(batch)

        return run

    ahead = timed(each(trainer.forward), repeats=repeats, clock=clock)
    step = timed(each(trainer.step), repeats=repeats, clock=clock)
    row = {
        "forward_s": ahead.minimum,
        "forward_median_s": ahead.median,
        "forward_device_s": ahead.device_minimum,
        "step_s": step.minimum,
        "step_median_s": step.median,
        "step_device_s": step.device_minimum,
        "first_call_s": ahead.first + step.first,
        "hidden_spikes": hidden,
        "neuron_events": events,
        "forward_ne_per_s": events / ahead.minimum,
        "step_ne_per_s": events / step.minimum,
    }
    if trainer.backend != "cuda":
        return row
    row["device_mb"] = where.megabytes()
    kernels = kernel_rows(each(trainer.forward), where)
    seconds = sum(kernel["device_s"] for kernel in kernels)
    return row | {"forward_kernels_s": seconds, "forward_kernels_ne_per_s": events / seconds}


def by_kernel(trainer: Trainer, batch: Batch, where: Place, about: dict[str, Any]) -> list[Any]:
    """Rows of every kernel in one step."""
    return [about | row for row in kernel_rows(lambda: trainer.step(batch), where)]
