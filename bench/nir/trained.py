"""A trained network in Norse: does it still know the digits, and at which time step.

Method   FSDD, official split, speakers found under EVENTSIM_DATA; scsr 64-128-128-10 with BIP and
         without refractory times, which Norse has not; a few epochs. eventsim tests it in exact
         event time, Norse from the exported file at each step; both decide by the largest integral
         of the readout's voltage, weighted as in training.
Answer   It does. 250 test recordings, 8 epochs: eventsim 96.8 %; Norse 96.0 % at 1 and 2 ms, 96.4 %
         at 0.5 and 0.2 ms, the same answer to 99.2 % and 99.6 %, and a number of spikes that comes
         near the exact one (hidden2: 94.2, 96.7, 98.3, 99.3 %). results/nir.jsonl
"""

import tempfile
import warnings
from pathlib import Path
from typing import Any

import numpy as np

import eventsim as es
from bench.harness import parser, report
from eventsim import datasets
from eventsim.network.nir import write_nir
from eventsim.train import LabelledEvents, TrainConfig, evaluate, train

STEPS = (2.0, 1.0, 0.5, 0.2)
EPOCHS = 8


def load(split: str) -> LabelledEvents:
    """A part of FSDD as training takes it."""
    data = datasets.load("fsdd", split=split)
    return LabelledEvents(data.stream, data.labels, data.class_names)


def trained(config: TrainConfig, folder: Path) -> es.Network:
    """The network after its last epoch; trained, if the folder does not hold it."""
    if not (folder / "last.npz").exists():
        net = es.scsr(64, (128, 128), 10, tau_syn=10.0, refractory=0.0, seed=0)
        train(net, load("train"), config, folder, resume=(folder / "checkpoint.npz").exists())
    return es.Network.load(folder / "last.npz")


def in_norse(net: es.Network, stream: es.EventStream, dt: float, tau: float) -> dict[str, Any]:
    """Integrals of the readout [samples, classes], and spikes of all samples by population."""
    import nir
    import norse.torch
    import torch

    with tempfile.TemporaryDirectory() as folder:
        write_nir(net, Path(folder) / "net.nir", target="norse", dt=dt)
        graph = nir.read(Path(folder) / "net.nir")
    module, state = norse.torch.from_nir(graph, dt=dt / 1e3), None
    spikes = {"hidden1": 0.0, "hidden2": 0.0}
    sample = np.repeat(np.arange(stream.n_samples), np.diff(stream.offsets))
    place = sample * stream.n_channels + stream.channels
    step = (stream.times / dt).astype(int)
    order = np.argsort(step, kind="stable")
    bounds = np.searchsorted(step[order], np.arange(int(stream.duration.max() / dt) + 2))
    total = torch.zeros((stream.n_samples, net.population("output").size))
    duration = torch.from_numpy(stream.duration.astype(np.float32))[:, None]
    leak = torch.from_numpy(net.population("output").v_leak.astype(np.float32))
    with torch.no_grad():
        for k, (lo, hi) in enumerate(zip(bounds[:-1], bounds[1:], strict=True)):
            counts = np.bincount(place[order[lo:hi]], minlength=stream.n_samples * 64)
            x = torch.from_numpy(counts.reshape(stream.n_samples, 64).astype(np.float32))
            _, state = module(x, state)
            now = (k + 1) * dt
            inside = (now <= duration).float()
            voltage = state.state["output_neurons"][0][1].v + leak
            total += dt * np.exp(-now / tau) * inside * voltage
            for name in spikes:
                spikes[name] += float((state.cache[name] * inside).sum())
    return {"integrals": total.numpy(), "spikes": spikes}


def main() -> None:
    """Train, export, compare."""
    own = parser(__doc__ or "")
    own.add_argument("--epochs", type=int, default=EPOCHS)
    own.add_argument("--folder", type=Path, default=Path("runs/nir"))
    options = own.parse_args()
    warnings.simplefilter("ignore")
    config = TrainConfig(epochs=options.epochs, seed=0, validation_fraction=0.0)
    net = trained(config, options.folder)
    test = load("test")
    tape = es.simulate(net, test.stream)
    exact = {name: len(tape[name]) for name in tape.names}
    tau = config.loss.time_constant
    integrals = es.readout_integral(net, tape, "output", time_constant=tau)
    answers = integrals.argmax(axis=1)
    accuracy = evaluate(net, test, config).accuracy
    common = {"bench": "nir_trained", "epochs": options.epochs, "samples": len(test)}
    rows = [common | {"case": "eventsim", "accuracy": accuracy, **exact}]
    for dt in STEPS:
        found = in_norse(net, test.stream, dt, tau)
        theirs = found["integrals"].argmax(axis=1)
        rows.append(
            common
            | {
                "case": "norse",
                "dt_ms": dt,
                "accuracy": float((theirs == test.labels).mean()),
                "same_answers": float((theirs == answers).mean()),
                **found["spikes"],
            }
        )
    report(rows, options)


if __name__ == "__main__":
    main()
