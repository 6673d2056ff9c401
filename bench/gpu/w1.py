"""W1 on a device: how long does one training step take, and how does it grow with the batch.

Method   W1 of bench.macro.w1 (1 s, 64 Poisson channels at 100/s, 256 self-recurrent neurons, every
         time constant different, 11 readouts). Batch 32 on the cpu backend and on the device in
         one run; then 256 to 4,096 on the device, single precision. Forward is ``simulate`` and
         the logits; a step adds the cross-entropy, all gradients of weights and neuron parameters,
         and AdamW. Spikes and parameters stay on the device; the input events are uploaded in the
         measured time. ``*_device_s`` lies between CUDA events around the whole call;
         ``forward_kernels_s`` and the rows of single kernels are from runs of their own, with
         events around every launch of our kernels: no upload, no sort, no gap.
Answer   see results/gpu-*.jsonl. The aim is 2e11 neuron-events/s forward from batch 256 on.
"""

import sys
from collections.abc import Iterator
from typing import Any

from bench.gpu.place import Place, timed
from bench.gpu.training import Trainer, by_kernel, measure
from bench.macro.w1 import workload

BATCHES = (32, 256, 512, 1024, 2048, 4096)


def rows_of(where: Place, repeats: int) -> Iterator[dict[str, Any]]:
    """One row per batch size, backend and precision."""
    for batch in (2,) if where.host else BATCHES:
        net, stream, loss = workload(n_samples=batch, n_hidden=16 if where.host else 256)
        if where.host:
            stream = cut(stream)
        base = batch in (2, 32)
        cases = [("cpu", "single"), ("cuda", "single"), ("cuda", "double")] if base else []
        for backend, precision in cases or [("cuda", "single")]:
            trainer = Trainer(net.copy(), backend, precision)
            row = {"bench": "gpu-w1", "batch": batch, "backend": backend, "precision": precision}
            yield row | measure(trainer, [(stream, loss)], where, repeats=repeats)
            if backend == "cuda":
                about = row | {"bench": "gpu-w1-kernels"}
                yield from by_kernel(trainer, (stream, loss), where, about)


def cut(stream: Any, duration: float = 50.0) -> Any:
    """The first milliseconds of every sample."""
    samples = [(t[t < duration], c[t < duration]) for t, c in stream]
    return type(stream).from_samples(samples, n_channels=stream.n_channels, duration=duration)


def main(words: list[str] | None = None) -> int:
    """Measure all cases."""
    return timed(__doc__, rows_of, words)


if __name__ == "__main__":
    sys.exit(main())
